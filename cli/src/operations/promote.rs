//! Releases and promotions: from what is asked to plans that are judged.

use gitops_core::judge::{FileAction, FileChange, Operation, Request};
use gitops_core::plan::{
    self, App, Contents, Plan, PlanError, Prefer, Rules, Side, Skipped, Step, Undo, Undoing,
};
use gitops_git::CommitId;

use super::claim::pipeline_refusal;
use super::concerned::Base;
use super::desired::{config_failure, unknown_environment};
use super::gates::{self, Answered, Asked, Kind};
use super::preview::{Change, Judge, Preview};
use super::prify;
use super::promoted::{promoted, promotion};
use super::reviews::Head;
use super::rollback;
use super::route::{following, source};
use super::sift::{self, Tried};
use super::trust::{Place, Trust};
use super::versions::{self, Leave};
use crate::config::{Environment, Merge, STATE_BRANCH};
use crate::failure::{Exit, Failure};

/// What is asked for.
pub(crate) enum Wish<'a> {
    /// A version enters an environment, the first one unless it is named.
    /// The version may be a constraint, which leaves the choice to what is offered.
    Release {
        app: &'a str,
        version: &'a str,
        leave: Leave,
        to: Option<&'a str>,
        also: &'a [String],
    },
    /// What one environment runs enters another: the one after it, unless it is
    /// named.
    Promote {
        apps: &'a [String],
        to: Option<&'a str>,
        from: Option<&'a str>,
        /// The commit of the source's branch to read it at; the newest without.
        from_rev: Option<&'a str>,
        version: Option<&'a str>,
        choices: Choices,
        /// Other environments that change on purpose.
        also: &'a [String],
        /// Whether all apps go into one request.
        group: bool,
    },
    /// Earlier values come back.
    Rollback {
        env: &'a str,
        undos: &'a [Undo],
        /// Other environments that change on purpose.
        also: &'a [String],
        /// Whether all apps go into one request.
        group: bool,
    },
}

/// What flags decide about a promotion.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Choices {
    /// Who wins where both sides have changed.
    pub(crate) prefer: Prefer,
    /// Whether apps that the source does not hold any more are taken away.
    pub(crate) prune: bool,
    /// What a constraint on the version may choose.
    pub(crate) leave: Leave,
}

impl<'a> Wish<'a> {
    /// The same for these apps only.
    pub(crate) fn of(&self, apps: &'a [String]) -> Wish<'a> {
        match *self {
            Wish::Release { app, version, leave, to, also } => {
                Wish::Release { app, version, leave, to, also }
            }
            Wish::Promote { to, from, from_rev, version, choices, also, group, .. } => {
                Wish::Promote { apps, to, from, from_rev, version, choices, also, group }
            }
            Wish::Rollback { env, undos, also, group } => {
                // Each app has a request of its own, or all share one.
                let at = undos.iter().position(|undo| apps.contains(&undo.app));
                let one = at.map_or(&[][..], |at| &undos[at..=at]);
                let all = group || undos.iter().all(|undo| apps.contains(&undo.app));
                Wish::Rollback { env, undos: if all { undos } else { one }, also, group }
            }
        }
    }
}

/// A plan, what it would do, and whether it may.
pub(crate) struct Judged {
    pub(crate) plan: Plan,
    pub(crate) contents: Contents,
    /// `None` where there is nothing to do.
    pub(crate) preview: Option<Preview>,
}

/// Apps for which no plan could be made, judged or performed. The others go on.
pub(crate) struct Failed {
    pub(crate) apps: Vec<String>,
    pub(crate) failure: Failure,
}

/// All that one command would do.
pub(crate) struct Proposal<'a> {
    pub(crate) target: &'a Environment,
    pub(crate) steps: Vec<Judged>,
    pub(crate) skipped: Vec<Skipped>,
    pub(crate) failed: Vec<Failed>,
    /// Other environments that were named, and that no plan changes.
    pub(crate) also_in_vain: Vec<String>,
    /// Files that differ and belong to no app, a sentence each.
    pub(crate) strays: Vec<String>,
}

/// Words for a plan that cannot be made.
pub(crate) fn plan_failure(attempt: &str, error: &PlanError) -> Failure {
    let mut failure = Failure::usage(attempt).because(error);
    if error.is_refusal() {
        failure.exit = Exit::No;
    }
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The same, with the environments that an app stands in which was looked for
/// in another one.
pub(super) fn unplanned(trust: &Trust, attempt: &str, error: &PlanError) -> Failure {
    let failure = plan_failure(attempt, error);
    let PlanError::UnknownApp { app, .. } = error else { return failure };
    let mut there = Vec::new();
    for environment in &trust.config.environments {
        // An environment that cannot be read has its own error when it is asked for.
        let found = trust
            .place(environment)
            .and_then(|place| place.revision())
            .and_then(|there| super::held::held(trust, environment, &there.tree));
        if let Ok(Some(apps)) = found
            && super::held::app(&apps, app).is_some()
        {
            there.push(environment.name.as_str());
        }
    }
    match there.as_slice() {
        [] => failure,
        names => failure.hint(format!("`{app}` stands in {}", names.join(", "))),
    }
}

/// Plans and judges what is asked for. Nothing is written. `parts` are the apps of
/// each plan where that is settled, and not for the gates to say.
pub(crate) fn propose<'a>(
    trust: &'a Trust,
    judge: &Judge<'_>,
    wish: &Wish<'_>,
    parts: Option<&[Vec<String>]>,
) -> Result<Proposal<'a>, Failure> {
    let config = &trust.config;
    let target = match wish {
        Wish::Release { to: None, .. } => {
            config.environments.first().expect("a configuration has environments")
        }
        Wish::Release { to: Some(to), .. } | Wish::Promote { to: Some(to), .. } => {
            config.environment(to).map_err(unknown_environment)?
        }
        Wish::Promote { to: None, from, .. } => following(config, *from)?,
        Wish::Rollback { env, .. } => config.environment(env).map_err(unknown_environment)?,
    };
    target.refuse_unevaluated_gates().map_err(|error| config_failure(&error))?;
    let place = trust.place(target)?;
    let (base, there) = (place.branch, place.revision()?);
    let reference = trust.reference(target)?;
    let (revision, here) = (there.commit.to_string(), &there.tree);
    let texts = match wish {
        Wish::Rollback { .. } => &rollback::texts(config.texts_of(target)),
        _ => config.texts_of(target),
    };
    let step = Step {
        rules: &config.rules,
        texts,
        target: Side { environment: &reference, tree: here, revision: &revision },
        base,
        direct: target.merge == Merge::Direct,
        group: matches!(
            wish,
            Wish::Promote { group: true, .. } | Wish::Rollback { group: true, .. }
        ),
    };
    let mut failed = Vec::new();
    let mut strays = Vec::new();
    let (planned, source) = match wish {
        Wish::Release { app, version, leave, .. } => {
            let attempt = format!("could not release `{app}` {version} into `{}`", target.name);
            let chosen = match versions::constraint(version)? {
                None => None,
                Some(constraint) => {
                    let by = (&constraint, *leave);
                    Some(versions::released(trust, &step, app, by, &attempt)?)
                }
            };
            let version = chosen.as_ref().map_or(*version, |chosen| &chosen.written);
            let planned = plan::release(&step, app, version);
            let mut planned = planned.map_err(|error| unplanned(trust, &attempt, &error))?;
            for (plan, _) in &mut planned.plans {
                plan.notes.splice(0..0, chosen.iter().flat_map(|chosen| chosen.notes(app)));
            }
            (planned, None)
        }
        Wish::Promote { apps, from, from_rev, version, choices, .. } => {
            let source = source(trust, target, (*from, *from_rev), apps)?;
            let promotion = promotion(apps, *version, *choices);
            let ends = (source, *from_rev, there.commit);
            let (mut planned, unchosen) =
                promoted(trust, &step, target, ends, promotion, choices.leave)?;
            failed.extend(unchosen);
            let attempt = format!("could not promote from `{}` to `{}`", source.name, target.name);
            failed.extend(planned.failed.drain(..).map(|failed| Failed {
                apps: vec![failed.app],
                failure: unplanned(trust, &attempt, &failed.reason),
            }));
            strays = prify::strays(trust, &step, source, *from_rev)?;
            (planned, Some(source))
        }
        Wish::Rollback { undos, .. } => {
            let attempt = format!("could not roll back in `{}`", target.name);
            let then = rollback::then(trust, target, undos)?;
            let undoing: Vec<Undoing<'_>> = then.iter().map(rollback::Then::undoing).collect();
            let mut planned =
                plan::rollback(&step, &undoing).map_err(|error| plan_failure(&attempt, &error))?;
            failed.extend(planned.failed.drain(..).map(|failed| Failed {
                apps: vec![failed.app],
                failure: unplanned(trust, &attempt, &failed.reason),
            }));
            (planned, None)
        }
    };
    let branches = planned.plans.iter().filter_map(|(plan, _)| plan.branch.as_deref());
    place.home.fetch_missing(&branches.collect::<Vec<_>>())?;
    let others = trust.sharing(target)?;
    let before = Base::new(here);
    let also: &[String] = match wish {
        Wish::Release { also, .. } | Wish::Promote { also, .. } | Wish::Rollback { also, .. } => {
            also
        }
    };
    refuse_named(trust, target, &others, also)?;
    let judged = |planned: Vec<(Plan, Contents)>| -> Result<Tried, Failure> {
        let mut tried = Tried::new();
        for (mut plan, contents) in planned {
            refuse_kept_branch(trust, target, &plan)?;
            let head = Head::of_plan(place, there.commit, &plan);
            let changed = (&plan, &contents, &head);
            let mut preview = match plan.nothing_to_do() {
                true => None,
                false => match preview(judge, target, &before, changed, &others, also) {
                    Ok(preview) => Some(preview),
                    Err(failure) => {
                        tried.push(Err(Failed { apps: plan.apps, failure }));
                        continue;
                    }
                },
            };
            if let Some(preview) = &mut preview {
                let paths = plan.edits.iter().map(|edit| &edit.path);
                if let Some(refusal) = pipeline_refusal("this is a promotion", paths) {
                    preview.refuse(refusal);
                }
                plan.reads.extend(preview.reads.iter().cloned());
                plan.also = preview.also.iter().map(|also| also.environment.clone()).collect();
                plan.judged(&preview.judgements);
                judge.gates(preview, &asked(place, target, &there.commit, &plan, &head)?)?;
                plan.overrides = preview.gates.overrides();
            }
            plan.reads.extend(trust.reads.iter().cloned());
            tried.push(Ok(Judged { plan, contents, preview }));
        }
        Ok(tried)
    };
    let skipped = planned.skipped;
    let named: Vec<String> =
        planned.plans.iter().flat_map(|(plan, _)| plan.apps.iter().cloned()).collect();
    let mut tried = judged(planned.plans)?;
    // On the branch itself all apps share one commit, which one of them must
    // not hold back.
    if let (true, Some(source), Wish::Promote { version, from_rev, choices, .. }) =
        (step.direct && named.len() > 1, source, wish)
    {
        let alone = |apps: &[String]| {
            let promotion = promotion(apps, *version, *choices);
            let ends = (source, *from_rev, there.commit);
            judged(promoted(trust, &step, target, ends, promotion, choices.leave)?.0.plans)
        };
        if let Some(parts) = parts {
            if parts.len() > 1 {
                tried.clear();
                for part in parts {
                    tried.extend(alone(part)?);
                }
            }
        } else if !sift::open(&tried) {
            let (open, held) = sift::sift(&named, &alone)?;
            if !open.is_empty() && !held.is_empty() {
                tried = held;
                tried.extend(alone(&open)?);
            }
        }
    }
    let mut steps = Vec::new();
    for tried in tried {
        match tried {
            Ok(judged) => steps.push(judged),
            Err(one) => failed.push(one),
        }
    }
    let answered: Vec<&Answered> =
        steps.iter().filter_map(|step| Some(&step.preview.as_ref()?.gates)).collect();
    judge.keeper.check_overrides(&answered)?;
    let unchanged =
        |name: &&String| !steps.iter().any(|step: &Judged| step.plan.also.contains(*name));
    let also_in_vain = also.iter().filter(unchanged).cloned().collect();
    Ok(Proposal { target, steps, skipped, failed, also_in_vain, strays })
}

/// Refuses names of other environments that an edit of the target's branch
/// cannot change.
fn refuse_named(
    trust: &Trust,
    target: &Environment,
    others: &[&Environment],
    also: &[String],
) -> Result<(), Failure> {
    for name in also {
        let named = trust.config.environment(name).map_err(unknown_environment)?;
        if named.name == target.name {
            return Err(Failure::usage(format!("`--also {name}` names the target itself")));
        }
        if !others.iter().any(|other| other.name == named.name) {
            return Err(Failure::usage(format!(
                "`--also {name}`: it is read from {}, and this changes {}",
                trust.place(named)?.words(),
                trust.place(target)?.words()
            )));
        }
    }
    Ok(())
}

/// What a plan asks of the gates of its target.
fn asked<'a>(
    place: Place<'_>,
    target: &'a Environment,
    base: &CommitId,
    plan: &'a Plan,
    head: &'a Head<'a>,
) -> Result<Asked<'a>, Failure> {
    let source = plan.source.as_ref().map(|source| source.name.as_str());
    Ok(Asked {
        target,
        kind: match plan.operation {
            Operation::Promote => Kind::Promotion,
            Operation::Rollback => Kind::Rollback,
            Operation::Release | Operation::Other => Kind::Other,
        },
        source: source.zip(plan.source_revision.as_deref()),
        apps: &plan.apps,
        moves: &plan.moves,
        alone: &plan.alone,
        waiting: gates::waiting(place, target, base, plan.branch.as_deref())?,
        head: Some(head),
    })
}

/// A request's branch is replaced by every promotion, so it cannot be one that
/// something is read from.
fn refuse_kept_branch(trust: &Trust, target: &Environment, plan: &Plan) -> Result<(), Failure> {
    let Some(branch) = &plan.branch else { return Ok(()) };
    let here = trust.repository_of(target);
    let mut kept = here.is_none() && (*branch == trust.branch || branch == STATE_BRANCH);
    for other in trust.config.environments.iter().filter(|o| trust.repository_of(o) == here) {
        kept |= trust.place(other)?.branch == branch;
    }
    if !kept {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} gives `{branch}`, which environments are read from",
        prify::branch_key(target)
    ))
    .hint("give requests a branch of their own, such as `release/{app}/{env}`"))
}

/// Whether the promoted fields of an app differ in an environment that it
/// enters.
pub(super) fn differ(
    rules: &Rules,
    app: &str,
    there: &str,
    ours: Option<App>,
    theirs: Option<App>,
) -> bool {
    let Some(rule) = rules.of(app) else { return false };
    if rule.environments.as_ref().is_some_and(|allowed| !allowed.iter().any(|name| name == there)) {
        return false;
    }
    // Slots that stay with their environment may differ.
    let moving = |app: Option<App>| -> Vec<App> {
        let mut apps: Vec<App> = app.into_iter().collect();
        for app in &mut apps {
            app.slots.retain(|slot| rule.moves(slot));
        }
        apps
    };
    !plan::moves(&moving(theirs), &moving(ours)).is_empty()
}

fn preview(
    judge: &Judge<'_>,
    target: &Environment,
    before: &Base<'_>,
    (plan, contents, head): (&Plan, &Contents, &Head<'_>),
    others: &[&Environment],
    named: &[String],
) -> Result<Preview, Failure> {
    let after = contents.over(before.tree);
    let files = plan.edits.iter().map(|edit| FileChange {
        path: edit.path.as_str().to_owned(),
        action: match (edit.before, edit.after) {
            (None, _) => FileAction::Created,
            (Some(_), Some(_)) => FileAction::Edited,
            (Some(_), None) => FileAction::Deleted,
        },
    });
    let change = Change {
        environment: target,
        before,
        after: &after,
        files: files.collect(),
        moves: plan.moves.clone(),
        commits: Vec::new(),
        repairs: false,
        head: Some(head),
    };
    let request = Request {
        operation: plan.operation,
        apps: plan.apps.clone(),
        source: plan.source.clone(),
        target: plan.target.clone(),
        source_revision: plan.source_revision.clone(),
        target_revision: plan.base_revision.clone(),
        requested_by: String::new(),
    };
    judge.preview(&change, &request, others, named)
}
