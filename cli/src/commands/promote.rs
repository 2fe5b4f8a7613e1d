use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Args;
use gitops_core::judge::Decision;
use gitops_core::plan::{Pattern, Plan, PlanError, Skipped, printable};
use gitops_tree::TreePath;

use super::Format;
use super::past::PastArgs;
use super::saved::{self, FileArgs, How};
use super::waiting::WaitArgs;
use crate::config::Config;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::operations::again;
use crate::operations::continuation::continuation;
use crate::operations::merge;
use crate::operations::outcome::{self, Outcome};
use crate::operations::perform::{Author, Next, Receipt, Wants};
use crate::operations::preview::{Judge, exit};
use crate::operations::promote::{self, Choices, Failed, Judged, Wish};
use crate::operations::rollback::leave_hold;
use crate::operations::saved::{Asked, BLANK, Saved, Winner, write};
use crate::operations::together::{self, Readies};
use crate::operations::trust::Trust;
use crate::operations::versions::Leave;
use crate::output::{Bound, Terminal, promotion as output};

/// Move what one environment runs into the next
///
/// Everything is read from the remote's branches as they are now; your work
/// tree stays untouched. Without APP, every app moves. The change is rendered
/// and judged by the policies before anything is pushed. Running it again
/// changes nothing.
///
/// Examples:
///   kubectl gitops promote --to uat --dry-run
///   kubectl gitops promote web --to prod
///   kubectl gitops promote 'web-*' --to uat
///   kubectl gitops promote web --to prod --version v1.4.0
///   kubectl gitops promote web --to prod --version '~1.4'
///   kubectl gitops promote --continue "$MERGE_SHA"
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct PromoteArgs {
    /// The apps, by name or quoted glob; all of them without any
    #[arg(value_name = "APP", conflicts_with = "plan")]
    apps: Vec<String>,
    /// Promote into this environment; without it, the one after `--from`
    #[arg(long, value_name = "ENV", conflicts_with = "plan")]
    to: Option<String>,
    /// Promote from this environment instead of the one before it
    #[arg(long, value_name = "ENV", conflicts_with = "plan")]
    from: Option<String>,
    /// Promote only while the source runs just this version; or put in the
    /// highest offered version that a constraint such as `~1.1` allows
    #[arg(long, value_name = "VERSION", conflicts_with = "plan")]
    version: Option<String>,
    #[command(flatten)]
    leave: LeaveArgs,
    /// Go on from what a commit moved, into the environments that come next:
    /// the newest commit of the trust branch unless REV names another one
    #[arg(
        id = "rev",
        long = "continue",
        value_name = "REV",
        num_args = 0..=1,
        conflicts_with_all = [
            "apps", "to", "from", "version", "downgrade", "pre_release", "from_rev", "save", "plan",
        ],
    )]
    rev: Option<Option<String>>,
    /// Take apps away that the source does not hold any more: those that were
    /// promoted from there, and whatever is named
    #[arg(long, conflicts_with = "plan")]
    prune: bool,
    /// Who wins where both environments have changed since the last promotion
    #[arg(long, value_enum, value_name = "WHO", conflicts_with = "plan")]
    conflicts: Option<Winner>,
    /// Read the source environment at this commit of its branch
    #[arg(long, value_name = "REV", conflicts_with = "plan")]
    from_rev: Option<String>,
    /// Let the change reach this other environment, too; it is judged as well
    #[arg(long, value_name = "ENV", conflicts_with = "plan")]
    also: Vec<String>,
    /// Put all apps into one request
    #[arg(long, conflicts_with = "plan")]
    group: bool,
    #[command(flatten)]
    file: FileArgs,
    /// Plan and judge, and push nothing
    #[arg(long)]
    dry_run: bool,
    /// Replace commits of others on the branch of the request
    #[arg(long, conflicts_with = "dry_run")]
    takeover: bool,
    /// Open a request again that somebody closed
    #[arg(long, conflicts_with = "dry_run")]
    reopen: bool,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    past: PastArgs,
    #[command(flatten)]
    told: ToldArgs,
}

/// How a plan is told.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct ToldArgs {
    /// Print all of the rendered diff, however long it is
    #[arg(long)]
    full_diff: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) output: Format,
}

impl PromoteArgs {
    fn wants(&self) -> Wants {
        Wants { takeover: self.takeover, reopen: self.reopen, ..Wants::default() }
    }

    fn choices(&self) -> Choices {
        Choices {
            prune: self.prune,
            leave: self.leave.leave(),
            prefer: Winner::prefer(self.conflicts),
        }
    }
}

/// What a constraint on the version may choose.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct LeaveArgs {
    /// Let a constraint choose an older version than the one in place
    #[arg(long, requires = "version")]
    pub(super) downgrade: bool,
    /// Let a constraint choose a pre-release
    #[arg(long, requires = "version")]
    pub(super) pre_release: bool,
}

impl LeaveArgs {
    pub(super) fn leave(self) -> Leave {
        Leave { downgrade: self.downgrade, pre_release: self.pre_release }
    }
}

pub(super) fn run(context: &Context, args: PromoteArgs) -> Result<Exit, Failure> {
    if let Some(rev) = &args.rev {
        return go_on(context, rev.as_deref(), &args);
    }
    let asked = Asked::Promote {
        apps: args.apps.clone(),
        to: args.to.clone(),
        from: args.from.clone(),
        from_rev: args.from_rev.clone(),
        version: args.version.clone(),
        downgrade: args.leave.downgrade,
        pre_release: args.leave.pre_release,
        prune: args.prune,
        conflicts: args.conflicts,
        also: args.also.clone(),
        group: args.group,
    };
    let how = How { wants: args.wants(), wait: Some(args.wait) };
    saved::run(context, &asked, &args.file, (&args.past, how), args.dry_run, args.told)
}

/// Goes on from what a commit moved: one promotion for each environment that
/// comes next.
fn go_on(context: &Context, rev: Option<&str>, args: &PromoteArgs) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    args.past.check()?;
    let trust = Trust::open(context)?;
    let found = continuation(&trust, rev)?;
    for remark in &found.remarks {
        terminal.note(remark);
    }
    let mut run = Run::new(&trust, &args.past, args.dry_run, args.told, terminal)?;
    run.author.wants = args.wants();
    if found.next.is_empty() && args.told.output == Format::Text {
        terminal.answer(&format!("nothing to continue from {}\n", found.commit.short()))?;
    }
    for next in &found.next {
        run.carry_out(&Wish::Promote {
            apps: &next.apps,
            to: Some(&next.to.name),
            from: Some(&next.from.name),
            from_rev: None,
            version: None,
            choices: args.choices(),
            also: &args.also,
            group: args.group,
        })?;
    }
    run.finish()
}

/// One run of a verb: what it did so far, and what to answer.
pub(super) struct Run<'a> {
    trust: &'a Trust,
    judge: Judge<'a>,
    pub(super) author: Author<'a>,
    now: jiff::Timestamp,
    sealed: Vec<Pattern>,
    dry_run: bool,
    format: Format,
    full_diff: bool,
    terminal: Terminal,
    planned: Vec<Judged>,
    done: Vec<(Judged, Outcome)>,
    skipped: Vec<Skipped>,
    answer: Exit,
    failed: Vec<Failed>,
    /// The plan that this run must find again.
    pub(super) saved: Option<Saved>,
    /// The plans, and what they came to, that were told in rounds before.
    pub(super) known: BTreeSet<String>,
    /// Whether it was said how requests could be opened.
    hinted: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        trust: &'a Trust,
        past: &PastArgs,
        dry_run: bool,
        told: ToldArgs,
        terminal: Terminal,
    ) -> Result<Run<'a>, Failure> {
        let now = past.now();
        let mut judge = Judge::new(trust, terminal, now, dry_run, past.verify);
        judge.keeper.overriding(past.overrides(trust)?);
        Ok(Run {
            trust,
            judge,
            author: Author {
                trust,
                seconds: now.as_second(),
                terminal,
                wants: Wants::default(),
                ready: Readies::default(),
            },
            now,
            sealed: sealed(&trust.config),
            dry_run,
            format: told.output,
            full_diff: told.full_diff,
            terminal,
            planned: Vec::new(),
            done: Vec::new(),
            skipped: Vec::new(),
            answer: Exit::Yes,
            failed: Vec::new(),
            saved: None,
            known: BTreeSet::new(),
            hinted: false,
        })
    }

    /// One wish, step by step. A step that fails does not stop the others.
    pub(super) fn carry_out(&mut self, wish: &Wish<'_>) -> Result<(), Failure> {
        let terminal = self.terminal;
        let parts = self.saved.as_ref().map(Saved::parts);
        let proposal = match promote::propose(self.trust, &self.judge, wish, parts.as_deref()) {
            Err(failure) => return self.fail(Vec::new(), failure),
            Ok(proposal) => proposal,
        };
        self.author.wants.renew = self.saved.is_none();
        match merge::way(self.trust, proposal.target) {
            Err(failure) if self.dry_run => terminal.warn(failure.error),
            Err(failure) => return self.fail(Vec::new(), failure),
            Ok(_) => {}
        }
        if let Some(Err(failure)) = self.saved.as_ref().map(|saved| saved.check(&proposal)) {
            return self.fail(Vec::new(), failure);
        }
        for skipped in &proposal.skipped {
            terminal.warn(format!("`{}` is left out: {}", skipped.app, skipped.reason));
            if matches!(skipped.reason, PlanError::Conflicts { .. }) {
                self.answer = self.answer.and(Exit::No);
                skipped.reason.hint().into_iter().for_each(|hint| terminal.hint(hint));
            }
        }
        for stray in &proposal.strays {
            terminal.warn(stray);
        }
        for name in &proposal.also_in_vain {
            terminal.warn(format!("`--also {name}`: nothing of it would change"));
        }
        self.skipped.extend(proposal.skipped);
        if proposal.steps.is_empty() && proposal.failed.is_empty() {
            terminal.note("nothing to do: no app can move");
        }
        self.failed.extend(proposal.failed);
        // A hold comes before what it is about.
        if !self.dry_run && !matches!(wish, Wish::Rollback { .. }) {
            let ready = together::prepare(&self.author, proposal.target, &proposal.steps);
            if let Err(failure) = ready {
                let apps = proposal.steps.into_iter().flat_map(|step| step.plan.apps);
                return self.fail(apps.collect(), failure);
            }
        }
        let mut moved = false;
        for step in proposal.steps {
            // What this run has pushed is what the next step is made on.
            let step = if moved {
                match self.again(wish, &step.plan) {
                    Ok(Some(step)) => step,
                    Ok(None) => continue,
                    Err(failure) => {
                        self.fail(step.plan.apps, failure)?;
                        continue;
                    }
                }
            } else {
                step
            };
            self.tell(&step)?;
            if self.dry_run {
                self.answer = self.answer.and(decided(&step));
                self.planned.push(step);
                continue;
            }
            if matches!(wish, Wish::Rollback { .. })
                && outcome::may_perform(&step)
                && let Err(failure) = leave_hold(self.trust, &step.plan, self.now, terminal)
            {
                self.fail(step.plan.apps, failure)?;
                continue;
            }
            let apps = step.plan.apps.clone();
            match again::perform(&self.author, &self.judge, wish, step, &|step| self.tell(step)) {
                Ok((step, outcome)) => {
                    moved |= matches!(&outcome, Outcome::Done(receipt) if receipt.pushed && receipt.branch == step.plan.base);
                    self.performed(step, outcome)?;
                }
                Err(failure) => self.fail(apps, failure)?,
            }
        }
        Ok(())
    }

    /// Writes what was planned to a file.
    pub(super) fn save(&self, file: &Path, asked: &Asked) -> Result<(), Failure> {
        if !self.failed.is_empty() {
            self.terminal.warn("nothing was saved: not all of it could be planned");
            return Ok(());
        }
        let document = output::saved(&self.planned, &self.skipped, asked, BLANK);
        write(file, &document)?;
        self.terminal.note(format!("saved as {}", file.display()));
        Ok(())
    }

    /// A step planned and judged again, since this run itself has moved the
    /// branch that it was planned on.
    fn again(&self, wish: &Wish<'_>, before: &Plan) -> Result<Option<Judged>, Failure> {
        self.trust.again()?;
        let proposal = promote::propose(self.trust, &self.judge, &wish.of(&before.apps), None)?;
        if let Some(failed) = proposal.failed.into_iter().next() {
            return Err(failed.failure);
        }
        let step = proposal.steps.into_iter().next();
        if let Some(saved) = &self.saved {
            saved.check_again(before, step.as_ref().map(|step| &step.plan))?;
        }
        Ok(step)
    }

    fn fail(&mut self, apps: Vec<String>, failure: Failure) -> Result<(), Failure> {
        self.failed.push(Failed { apps, failure });
        Ok(())
    }

    /// The step in text.
    fn tell(&self, step: &Judged) -> Result<(), Failure> {
        let decision = step.preview.as_ref().map(|preview| preview.decision);
        let key = format!("{} {} {decision:?}", step.plan.target.name, step.plan.plan_digest());
        if self.format != Format::Text || self.known.contains(&key) {
            return Ok(());
        }
        let first = self.planned.is_empty() && self.done.is_empty();
        let space = if first { "" } else { "\n" };
        let text = output::step(step, &self.sealed, Bound::new(self.full_diff), self.terminal);
        self.terminal.answer(&format!("{space}{text}"))
    }

    /// What came of the step.
    fn performed(&mut self, step: Judged, outcome: Outcome) -> Result<(), Failure> {
        let terminal = self.terminal;
        let decision = step.preview.as_ref().map(|preview| preview.decision);
        let key = format!("{} {} {decision:?}", step.plan.target.name, step.plan.plan_digest());
        let text = output::outcome(&step.plan, &outcome, terminal);
        if self.format == Format::Text && (self.known.insert(key) | self.known.insert(text.clone()))
        {
            terminal.answer(&text)?;
        }
        match &outcome {
            Outcome::Held(_) => self.answer = self.answer.and(decided(&step)),
            Outcome::Left(left) => terminal.hint(format!(
                "`--reopen` opens #{} again, or another one in its place",
                left.number
            )),
            Outcome::Done(Receipt { merged: Some(_), .. }) => {}
            Outcome::Done(receipt) => match (receipt.next, &receipt.request) {
                (Next::Nothing, Some(url)) if receipt.asked.is_none() => {
                    terminal.note(format!("merge request: {url}"));
                }
                (Next::Nothing, _) => {}
                (Next::SeeRequest, Some(url)) => terminal.hint(format!(
                    "the push asked for a merge request; where there is none: {url}"
                )),
                (Next::SeeRequest, None) => {}
                (Next::OpenRequest, Some(url)) => {
                    terminal.hint(format!("open the request: {url}"));
                }
                (Next::OpenRequest, None) => terminal.hint(format!(
                    "open a request of `{}` into `{}`, titled: {}",
                    receipt.branch,
                    step.plan.base,
                    printable(&step.plan.title)
                )),
                (Next::Push, _) => terminal.hint(format!(
                    "nothing was pushed; `git push {} {}` does, and `push: {{}}` in the prify.yml from now on",
                    self.trust.remote.name, receipt.branch
                )),
            },
            Outcome::NothingToDo(_) => {}
        }
        if let Outcome::Done(Receipt { next: Next::OpenRequest, .. }) = &outcome
            && !self.hinted
            && let Some(way) = self.author.why_not_opened(&step.plan)?
        {
            self.hinted = true;
            terminal.hint(way);
        }
        self.done.push((step, outcome));
        Ok(())
    }

    /// Whether something that was to happen still waits.
    pub(super) fn is_pending(&self) -> bool {
        self.done.iter().any(|(step, outcome)| {
            let pending = matches!(
                step.preview.as_ref().map(|preview| preview.decision),
                Some(Decision::Pending)
            );
            match outcome {
                Outcome::Held(_) => pending,
                Outcome::Done(Receipt { merged: Some(_), .. }) => false,
                Outcome::Done(receipt) => {
                    pending || receipt.asked.as_ref().is_some_and(|asked| asked.waits.is_some())
                }
                Outcome::Left(_) | Outcome::NothingToDo(_) => false,
            }
        })
    }

    /// The document, and how the run ends.
    pub(super) fn finish(mut self) -> Result<Exit, Failure> {
        self.trust.tell_calls();
        if let (true, [_]) = (self.planned.is_empty() && self.done.is_empty(), &*self.failed)
            && let Some(failed) = self.failed.pop()
        {
            return Err(failed.failure);
        }
        if self.format == Format::Json {
            let document = if self.dry_run {
                output::plans(&self.planned, &self.skipped, &self.failed)
            } else {
                output::receipts(&self.done, &self.skipped, &self.failed)
            };
            self.terminal.answer(&document)?;
        }
        let steps: Vec<&Judged> =
            self.planned.iter().chain(self.done.iter().map(|(step, _)| step)).collect();
        tell_shared(&steps, self.terminal);
        Ok(self.answer.and(tell_failed(self.failed, self.terminal)))
    }
}

/// Tells why some apps did not go, each reason once.
fn tell_failed(failed: Vec<Failed>, terminal: Terminal) -> Exit {
    let mut answer = Exit::Yes;
    let mut told: Vec<Failed> = Vec::new();
    for Failed { apps, failure } in failed {
        answer = answer.and(failure.exit);
        match told.iter_mut().find(|told| told.failure == failure) {
            Some(told) => told.apps.extend(apps),
            None => told.push(Failed { apps, failure }),
        }
    }
    for Failed { apps, mut failure } in told {
        if apps.len() > 1 {
            failure.causes.push(format!("it stops {}", apps.join(", ")));
        }
        terminal.fail(&failure);
    }
    answer
}

/// Tells of files that several requests edit: the first one that is merged
/// makes the others old.
fn tell_shared(steps: &[&Judged], terminal: Terminal) {
    let mut shared: BTreeMap<&TreePath, Vec<&str>> = BTreeMap::new();
    let goes = |step: &&&Judged| {
        let decision = step.preview.as_ref().map(|preview| preview.decision);
        matches!(decision, Some(Decision::Open | Decision::Pending)) && step.plan.branch.is_some()
    };
    for step in steps.iter().filter(goes) {
        for edit in &step.plan.edits {
            shared.entry(&edit.path).or_default().extend(step.plan.branch.as_deref());
        }
    }
    shared.retain(|_, branches| branches.len() > 1);
    let Some((path, branches)) = shared.first_key_value() else { return };
    let more = match shared.len() {
        1 => String::new(),
        count => format!(" (and {} more files)", count - 1),
    };
    terminal.note(format!(
        "{} requests edit `{path}`{more}: after one is merged, running this again renews the others",
        branches.len()
    ));
    terminal.hint("`--group` puts all apps into one request");
}

/// The exit code of a step's decision.
fn decided(step: &Judged) -> Exit {
    step.preview.as_ref().map_or(Exit::Yes, |preview| exit(preview.decision))
}

/// The files whose lines are never shown.
fn sealed(config: &Config) -> Vec<Pattern> {
    config.seal.iter().filter_map(|seal| Pattern::new(seal.path.as_deref()?).ok()).collect()
}
