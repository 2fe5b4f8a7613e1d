//! A change between two revisions, judged environment by environment.

use std::collections::{BTreeSet, VecDeque};

use gitops_core::judge::{Commit, Decision, FileAction, FileChange, Move, Operation, Request};
use gitops_core::plan::{App, PlanError, discover_apps, outside_target};
use gitops_git::{Changed, CommitId, Repository, RevisionTree, trailers};
use gitops_tree::{Reading, Recorded, Tree, TreePath};
use jiff::Timestamp;

use super::claim::{ALSO, Claim, pipeline_refusal};
use super::concerned::Base;
use super::desired::{config_failure, git_failure};
use super::gates::{Asked, Kind};
use super::preview::{BROKEN_BEFORE, Change, Judge, Preview, Refusal, exit, meets, worst};
use super::promote::plan_failure;
use super::renders::are_one;
use super::reviews::Head;
use super::trust::{Home, Trust, hinted};
use crate::config::{self, Environment};
use crate::failure::{Exit, Failure};
use crate::output::Terminal;

/// What a change does to the environments, and whether it may.
pub(crate) struct Inspection<'a> {
    /// Where the two revisions parted; the change is what the head did since.
    pub(crate) base: CommitId,
    pub(crate) head: CommitId,
    pub(crate) environments: Vec<Inspected<'a>>,
    /// What the tool itself refuses about the change as a whole.
    pub(crate) refusals: Vec<Refusal>,
    /// How many files change.
    pub(crate) files: usize,
    /// What commits say of gates that somebody went past. Anybody can write
    /// that, so that no gate heeds it here.
    pub(crate) claimed_overrides: Vec<String>,
}

/// One environment of it.
pub(crate) struct Inspected<'a> {
    pub(crate) environment: &'a Environment,
    /// The apps whose promoted values move there.
    pub(crate) apps: Vec<String>,
    pub(crate) preview: Preview,
}

impl Inspection<'_> {
    /// The decision over all environments.
    pub(crate) fn decision(&self) -> Decision {
        let all = self.environments.iter().map(|one| one.preview.decision);
        let own = (!self.refusals.is_empty()).then_some(Decision::Closed);
        worst(all.chain(own))
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        exit(self.decision())
    }
}

/// What the head did since it parted from the base.
struct Difference {
    before: RevisionTree,
    after: RevisionTree,
    base: CommitId,
    paths: Vec<TreePath>,
    files: Vec<FileChange>,
    commits: Vec<Commit>,
    /// Whether some commit says that it moves what another environment runs.
    promotes: bool,
    /// The commits that it says it takes back.
    taken_back: Vec<String>,
    /// What commits say of gates that somebody went past.
    claimed_overrides: Vec<String>,
    /// When the oldest of them was made.
    begun: Option<Timestamp>,
}

/// Whether the request of a change is looked up on its forge.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Looked {
    /// It is not: the change is one of the past.
    Not,
    /// It is, by its number where that is given.
    Up(Option<u64>),
}

/// Judges what `head` did since it parted from `base`, by the policies of the
/// trust branch.
pub(crate) fn inspect<'a>(
    trust: &'a Trust,
    home: &Home,
    judge: &Judge<'_>,
    base: &str,
    head: &str,
    request: Looked,
    terminal: Terminal,
) -> Result<Inspection<'a>, Failure> {
    let resolve = |rev: &str| {
        home.repository
            .resolve(rev)
            .map_err(|error| hinted(&format!("could not read revision `{rev}`"), &error))
    };
    let (base_commit, head_commit) = (resolve(base)?, resolve(head)?);
    let difference = difference(home, base_commit, head_commit, base, head)?;
    if home.name.is_none() {
        warn_about_trusted_files(trust, &difference, terminal);
    }
    let claim = Claim::of(trust, home, head, &difference.commits);
    let mut moving = false;
    let mut environments = Vec::new();
    let mut targets: Vec<&Environment> = Vec::new();
    let before = Base::new(&difference.before);
    let at = match request {
        Looked::Not => None,
        Looked::Up(number) => {
            let paths = &difference.paths;
            Some(Head::of_commit(home, base_commit, head_commit, number, paths))
        }
    };
    let head = at.as_ref();
    for environment in concerned(trust, home, &base_commit)? {
        if !touched(judge, environment, &before, &difference)? {
            continue;
        }
        environment.refuse_unevaluated_gates().map_err(|error| config_failure(&error))?;
        let moves = moves_or_all(trust, environment, &difference)?;
        moving |= !moves.is_empty();
        let mut apps: Vec<String> = moves.iter().map(|moved| moved.app.clone()).collect();
        apps.dedup();
        let reference = trust.reference(environment)?;
        if outside_target(&reference, &apps, &difference.paths).is_ok() {
            targets.push(environment);
        }
        let request = Request {
            operation: Operation::Other,
            apps,
            source: None,
            target: reference,
            source_revision: None,
            target_revision: difference.base.to_string(),
            requested_by: String::new(),
        };
        let change = Change {
            environment,
            before: &before,
            after: &difference.after,
            files: difference.files.clone(),
            moves,
            commits: difference.commits.clone(),
            repairs: true,
            head,
        };
        let mut preview = judge.preview(&change, &request, &[], &[])?;
        let (base, taken_back) = (&difference.base, &difference.taken_back);
        let restored = judge.keeper.restores(environment, home, base, taken_back, &change.moves)?;
        let asked = Asked {
            target: environment,
            kind: match (restored, difference.promotes) {
                (true, _) => Kind::Restored,
                (false, true) => Kind::Promotion,
                (false, false) => Kind::Other,
            },
            source: None,
            apps: &request.apps,
            moves: &change.moves,
            alone: &[],
            waiting: difference.begun,
            head,
        };
        judge.gates(&mut preview, &asked)?;
        environments.push(Inspected { environment, apps: request.apps, preview });
    }
    let mut refusals = refusals(&claim, &difference, &environments, &targets);
    // Without the words it would still be a promotion that brings its own judge.
    let because = claim.promotion().or(moving.then_some("the change moves promoted values"));
    refusals.extend(because.and_then(|because| pipeline_refusal(because, &difference.paths)));
    Ok(Inspection {
        base: difference.base,
        head: head_commit,
        environments,
        refusals,
        files: difference.paths.len(),
        claimed_overrides: difference.claimed_overrides,
    })
}

fn difference(
    home: &Home,
    base_commit: CommitId,
    head_commit: CommitId,
    base: &str,
    head: &str,
) -> Result<Difference, Failure> {
    let repository = &home.repository;
    let failed = |error: gitops_git::GitError| {
        git_failure(format!("could not compare `{base}` with `{head}`"), &error)
    };
    let Some(meet) = repository.merge_base(&base_commit, &head_commit).map_err(failed)? else {
        let failure = Failure::usage(format!("`{base}` and `{head}` have no commit in common"));
        return Err(if repository.is_shallow() {
            failure.hint("fetch the rest of the history: `git fetch --unshallow`")
        } else {
            failure
        });
    };
    let changed = repository.changed(Some(&meet), &head_commit).map_err(failed)?;
    let mut commits = Vec::new();
    let mut promotes = false;
    let (mut claimed_overrides, mut taken_back) = (Vec::new(), Vec::new());
    let mut begun = None;
    for commit in since(repository, &meet, &head_commit).map_err(failed)? {
        let said = commit.trailers();
        promotes |= !trailers::values(&said, "Promoted-From").is_empty();
        taken_back.extend(trailers::values(&said, "Rolled-Back").into_iter().map(str::to_owned));
        let overrides = trailers::values(&said, "Gate-Override").into_iter().map(str::to_owned);
        claimed_overrides.extend(overrides);
        begun = begun.into_iter().chain([commit.committer.when.seconds]).min();
        let paths = repository.changed(commit.parents.first(), &commit.id).map_err(failed)?;
        commits.push(told(commit, &paths));
    }
    Ok(Difference {
        before: repository.tree(&meet).map_err(failed)?,
        after: repository.tree(&head_commit).map_err(failed)?,
        base: meet,
        paths: changed.iter().map(|changed| changed.path.clone()).collect(),
        files: changed.iter().map(file).collect(),
        commits,
        promotes,
        taken_back,
        claimed_overrides,
        begun: begun.and_then(|seconds| Timestamp::from_second(seconds).ok()),
    })
}

/// The commits of the change, newest first: what the head was made from and
/// the base was not, on every line of history.
fn since(
    repository: &Repository,
    base: &CommitId,
    head: &CommitId,
) -> Result<Vec<gitops_git::Commit>, gitops_git::GitError> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = VecDeque::from([*head]);
    while let Some(id) = next.pop_front() {
        if !seen.insert(id) || repository.is_ancestor(&id, base)? {
            continue;
        }
        let commit = repository.read_commit(&id)?;
        next.extend(commit.parents.iter().copied());
        found.push(commit);
    }
    Ok(found)
}

fn file(changed: &Changed) -> FileChange {
    FileChange {
        path: changed.path.as_str().to_owned(),
        action: match (&changed.old, &changed.new) {
            (None, _) => FileAction::Created,
            (Some(_), Some(_)) => FileAction::Edited,
            (Some(_), None) => FileAction::Deleted,
        },
    }
}

/// A commit as policies see it.
fn told(commit: gitops_git::Commit, paths: &[Changed]) -> Commit {
    let time = |time: gitops_git::Time| {
        jiff::Timestamp::from_second(time.seconds)
            .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
            .unwrap_or_default()
    };
    let trailers = commit.trailers();
    Commit {
        id: commit.id.to_string(),
        parents: commit.parents.iter().map(ToString::to_string).collect(),
        author_name: commit.author.who.name,
        author_email: commit.author.who.email,
        committer_email: commit.committer.who.email,
        authored_at: time(commit.author.when),
        committed_at: time(commit.committer.when),
        message: commit.message,
        trailers: trailers.into_iter().map(|trailer| (trailer.key, trailer.value)).collect(),
        paths: paths.iter().map(|changed| changed.path.as_str().to_owned()).collect(),
    }
}

/// The change is judged by what is trusted; what it would make of that is for
/// those who review it.
fn warn_about_trusted_files(trust: &Trust, difference: &Difference, terminal: Terminal) {
    let policies = trust.config.policies.as_ref().and_then(TreePath::parent);
    for path in &difference.paths {
        let prify = trust.config.environments.iter().filter_map(|e| e.prify.as_ref());
        let trusted = path.as_str() == config::FILE
            || prify.into_iter().any(|prify| prify.file == path.as_str())
            || path.as_str() == "policies.lock"
            || policies.as_ref().is_some_and(|folder| !folder.is_root() && path.is_within(folder));
        if trusted {
            terminal.warn(format!(
                "`{path}` changes; this run was held to the one of `{}/{}`",
                trust.remote.name, trust.branch
            ));
        }
    }
}

/// The environments of this repository whose branch the change is made for: the base belongs to
/// it. A base that belongs to no branch known says nothing, so that all count.
fn concerned<'a>(
    trust: &'a Trust,
    home: &Home,
    base: &CommitId,
) -> Result<Vec<&'a Environment>, Failure> {
    let (mut here, mut concerned) = (Vec::new(), Vec::new());
    for environment in &trust.config.environments {
        if trust.repository_of(environment) != home.name.as_deref() {
            continue;
        }
        here.push(environment);
        let branch = trust.place(environment)?.branch;
        let Some(tip) = home.tip(branch)? else { continue };
        let belongs = home
            .repository
            .is_ancestor(base, &tip)
            .map_err(|error| git_failure(format!("could not read `{branch}`"), &error))?;
        if belongs {
            concerned.push(environment);
        }
    }
    if concerned.is_empty() {
        concerned = here;
    }
    Ok(concerned)
}

/// Whether rendering the environment reads a file that changes, or gives
/// other objects.
fn touched(
    judge: &Judge<'_>,
    environment: &Environment,
    before: &Base<'_>,
    difference: &Difference,
) -> Result<bool, Failure> {
    let folders = judge.concerned(environment, before, &difference.after, &difference.paths)?;
    let mut sides = Vec::new();
    for (tree, folders) in
        [(&difference.before, &folders.before), (&difference.after, &folders.after)]
    {
        let recorded = Recorded::new(tree);
        let rendered = judge.rendered(&recorded, environment, folders);
        let mut readings = match &rendered {
            Ok(kept) => kept.answers.readings(),
            Err(_) => recorded.into_readings(),
        };
        // A folder that was listed may have got something that does not matter.
        readings.retain(|reading| matches!(reading, Reading::Path(_)));
        if meets(&readings, &difference.paths) {
            return Ok(true);
        }
        sides.push(rendered);
    }
    let mut sides = sides.into_iter();
    match (sides.next(), sides.next()) {
        (Some(Ok(before)), Some(Ok(after))) => {
            Ok(!are_one(&before, &after) && judge.differ(&before.value, &after.value))
        }
        // What did not render may have gone on to read a changed file: it is
        // repaired, unless nobody knows.
        (Some(Err(failure)), Some(Ok(_))) if failure.exit != Exit::Usage => Err(failure),
        (Some(Err(_)), Some(Ok(_))) => Ok(true),
        (_, after) => Err(after.and_then(Result::err).expect("one of both sides failed")),
    }
}

/// The promoted values that differ.
pub(crate) fn moves(
    trust: &Trust,
    environment: &Environment,
    before: &dyn Tree,
    after: &dyn Tree,
) -> Result<Vec<Move>, Failure> {
    let before = apps(trust, environment, before).map_err(|failure| failure.hint(BROKEN_BEFORE))?;
    let after = apps(trust, environment, after)?;
    Ok(gitops_core::plan::moves(&before, &after))
}

/// The promoted values that differ. Where those before cannot be understood,
/// nobody knows which stay, so that all of them count.
fn moves_or_all(
    trust: &Trust,
    environment: &Environment,
    difference: &Difference,
) -> Result<Vec<Move>, Failure> {
    let before = match apps(trust, environment, &difference.before) {
        Err(failure) if failure.exit == Exit::World => return Err(failure),
        before => before.unwrap_or_default(),
    };
    let after = apps(trust, environment, &difference.after)?;
    Ok(gitops_core::plan::moves(&before, &after))
}

fn apps(trust: &Trust, environment: &Environment, tree: &dyn Tree) -> Result<Vec<App>, Failure> {
    let reference = trust.reference(environment)?;
    match discover_apps(tree, &reference, &trust.config.rules) {
        Ok(apps) => Ok(apps),
        // Nothing is promoted by images there.
        Err(PlanError::NoKustomization { .. }) => Ok(Vec::new()),
        Err(error) => {
            let attempt = format!("could not read the apps of `{}`", environment.name);
            Err(plan_failure(&attempt, &error))
        }
    }
}

/// A change that says it is a promotion stays in one environment (invariants
/// 9 and 10), and changes others only where it names them.
fn refusals(
    claim: &Claim,
    difference: &Difference,
    environments: &[Inspected<'_>],
    targets: &[&Environment],
) -> Vec<Refusal> {
    let Some(promotion) = claim.promotion() else { return Vec::new() };
    let Some(target) = targets.iter().find(|target| claim.may_enter(&target.name)) else {
        let names: Vec<&str> = difference.paths.iter().map(TreePath::as_str).take(5).collect();
        return vec![Refusal {
            code: "gitops/outside-target",
            message: format!(
                "{promotion}, but its files are not those of one environment alone{}: {}",
                claim.place(),
                names.join(", ")
            ),
        }];
    };
    environments
        .iter()
        .filter(|one| one.environment.name != target.name)
        .filter(|one| !claim.names(&one.environment.name))
        .filter_map(|Inspected { environment, preview, .. }| {
            let first = preview.changes.differences().next()?;
            Some(Refusal {
                code: "gitops/other-environment",
                message: format!(
                    "{promotion} into `{}`, but `{}` would change, too: {} {}; a trailer `{ALSO}: {}` names it",
                    target.name,
                    environment.name,
                    first.action.word(),
                    first.key,
                    environment.name
                ),
            })
        })
        .collect()
}
