//! What a change would do to an environment, and whether it may.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gitops_core::change::ChangeSet;
use gitops_core::diff::{Shown, compare_sets};
use gitops_core::judge::{
    Commit, Decision, EnvironmentRef, FileChange, Judgement, Move, Request, Subject, decide,
};
use gitops_core::object::Raw;
use gitops_core::plan::{ReadEntry, ReadFrom};
use gitops_core::seal::Sealer;
use gitops_policy::Host;
use gitops_tree::{Kept, Reading, Recorded, Tree, TreePath};

use super::desired::desired;
use super::policies;
use super::renders::Renders;
use super::trust::{Trust, entries};
use crate::config::Environment;
use crate::failure::{Exit, Failure};
use crate::output::Terminal;

/// A change of one environment.
pub(crate) struct Change<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) before: &'a dyn Tree,
    pub(crate) after: &'a dyn Tree,
    /// The files that change.
    pub(crate) files: Vec<FileChange>,
    pub(crate) moves: Vec<Move>,
    pub(crate) commits: Vec<Commit>,
}

/// Something that the tool itself refuses, whatever the policies say.
pub(crate) struct Refusal {
    /// `gitops/…`
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// What a change would do, and the answer to it.
pub(crate) struct Preview {
    pub(crate) changes: ChangeSet,
    pub(crate) judgements: Vec<Judgement>,
    pub(crate) refusals: Vec<Refusal>,
    pub(crate) decision: Decision,
    /// What was read of the environment before the change.
    pub(crate) reads: BTreeSet<ReadEntry>,
}

/// Judges changes of one run: one host, one key of seals, one moment.
pub(crate) struct Judge<'a> {
    trust: &'a Trust,
    terminal: Terminal,
    sealer: Sealer,
    host: std::cell::OnceCell<Host>,
    now: String,
    dry_run: bool,
    renders: Renders,
}

/// What cannot be compared cannot be judged, whoever broke it.
pub(crate) const BROKEN_BEFORE: &str = "it stands so before the change, which cannot be judged";

/// The exit code of a decision.
pub(crate) fn exit(decision: Decision) -> Exit {
    match decision {
        Decision::Open => Exit::Yes,
        Decision::Closed => Exit::No,
        Decision::Pending => Exit::Pending,
        Decision::Faulty => Exit::Fault,
    }
}

impl<'a> Judge<'a> {
    /// `now` is the time of judgement, RFC 3339 in UTC; `verify` renders what
    /// could be shared between revisions, too.
    pub(crate) fn new(
        trust: &'a Trust,
        terminal: Terminal,
        now: String,
        dry_run: bool,
        verify: bool,
    ) -> Self {
        let renders = Renders::new(objects, terminal, verify);
        let sealer = super::desired::sealer(Some(&trust.config));
        Judge { trust, terminal, sealer, host: std::cell::OnceCell::new(), now, dry_run, renders }
    }

    /// Renders the environment before and after, compares, and asks every
    /// policy that is bound to the step. `others` are looked at, too: an edit
    /// that changes one of them is refused (invariant 10).
    pub(crate) fn preview(
        &self,
        change: &Change<'_>,
        request: &Request,
        others: &[&Environment],
    ) -> Result<Preview, Failure> {
        let before = self
            .renders
            .get(change.before, change.environment)
            .map_err(|failure| failure.hint(BROKEN_BEFORE))?;
        let after = self.renders.get(change.after, change.environment)?;
        let changes = compare_sets(&before.value, &after.value, &self.sealer);
        let reads = entries(ReadFrom::Target, change.before, before.answers.readings())?;
        let shown =
            after.value.iter().map(|raw| raw.show(&self.sealer, Shown::default())).collect();
        let subject = Arc::new(Subject {
            changes: changes.clone(),
            moves: change.moves.clone(),
            files: change.files.clone(),
            commits: change.commits.clone(),
            desired: BTreeMap::from([(change.environment.name.clone(), shown)]),
        });
        let judgements = self.judgements(change.environment, request, &subject)?;
        let refusals = self.others(change, others)?;
        let mut decision = decide(&judgements);
        if decision != Decision::Faulty && !refusals.is_empty() {
            decision = Decision::Closed;
        }
        Ok(Preview { changes, judgements, refusals, decision, reads })
    }

    /// Asks the policies of every step that ends in this environment and that
    /// the change could stand for: the one it says, and those from the
    /// environments before it. So neither a release into a later environment
    /// nor `--from` leads around a policy.
    fn judgements(
        &self,
        environment: &Environment,
        request: &Request,
        subject: &Arc<Subject>,
    ) -> Result<Vec<Judgement>, Failure> {
        let mut sources: Vec<Option<EnvironmentRef>> = vec![request.source.clone()];
        for name in environment.after.names() {
            if sources.iter().flatten().any(|source| source.name == *name) {
                continue;
            }
            if let Ok(before) = self.trust.config.environment(name) {
                sources.push(Some(before.reference(&self.trust.branch)));
            }
        }
        let mut judgements: Vec<Judgement> = Vec::new();
        for source in sources {
            let name = source.as_ref().map(|source| source.name.as_str());
            if self.trust.policies.bound_to(name, &environment.name).next().is_none() {
                continue;
            }
            let request = Request { source, ..request.clone() };
            let host = self.host()?;
            let asked = gitops_policy::judge(
                host,
                &self.trust.policies,
                &request,
                subject,
                &self.now,
                self.dry_run,
            );
            for judgement in asked {
                if !judgements.contains(&judgement) {
                    judgements.push(judgement);
                }
            }
        }
        Ok(judgements)
    }

    fn host(&self) -> Result<&Host, Failure> {
        if let Some(host) = self.host.get() {
            return Ok(host);
        }
        let host = policies::host(self.terminal)?;
        Ok(self.host.get_or_init(|| host))
    }

    fn others(
        &self,
        change: &Change<'_>,
        others: &[&Environment],
    ) -> Result<Vec<Refusal>, Failure> {
        let paths: Vec<TreePath> =
            change.files.iter().filter_map(|file| TreePath::new(&file.path).ok()).collect();
        let mut refusals = Vec::new();
        for other in others.iter().filter(|other| other.name != change.environment.name) {
            let tree = Recorded::new(change.before);
            let before = self.renders.get(&tree, other);
            // What does not render has read something, too.
            let readings = match &before {
                Ok(kept) => kept.answers.readings(),
                Err(_) => tree.into_readings(),
            };
            if !meets(&readings, &paths) {
                if let Err(failure) = before {
                    self.terminal.warn(format!(
                        "environment `{}` does not render, which this change does not touch: {}",
                        other.name, failure.error
                    ));
                }
                continue;
            }
            let refusal = match (before, self.renders.get(change.after, other)) {
                (Ok(before), Ok(after)) => self.difference(other, &before.value, &after.value),
                (Err(failure), _) | (_, Err(failure)) => Some(format!(
                    "whether environment `{}` would change is unknown: {}",
                    other.name, failure.error
                )),
            };
            refusals.extend(
                refusal.map(|message| Refusal { code: "gitops/other-environment", message }),
            );
        }
        Ok(refusals)
    }

    /// The objects of an environment; see [`Renders::get`].
    pub(crate) fn rendered(
        &self,
        tree: &dyn Tree,
        environment: &Environment,
    ) -> Result<Kept<Vec<Raw>>, Failure> {
        self.renders.get(tree, environment)
    }

    /// Whether two sets of objects differ.
    pub(crate) fn differ(&self, before: &[Raw], after: &[Raw]) -> bool {
        compare_sets(before, after, &self.sealer).differences().next().is_some()
    }

    fn difference(&self, other: &Environment, before: &[Raw], after: &[Raw]) -> Option<String> {
        let changes = compare_sets(before, after, &self.sealer);
        let first = changes.differences().next()?;
        Some(format!(
            "environment `{}` would change, too: {} {}, {} in all",
            other.name,
            first.action.word(),
            first.key,
            changes.differences().count()
        ))
    }
}

/// Whether a change of `paths` may change one of the answers.
pub(crate) fn meets(readings: &BTreeSet<Reading>, paths: &[TreePath]) -> bool {
    readings.iter().any(|reading| paths.iter().any(|path| reading.depends_on(path)))
}

/// The desired objects; none where the environment's folder does not exist.
fn objects(
    tree: &dyn Tree,
    environment: &Environment,
    terminal: Terminal,
) -> Result<Vec<Raw>, Failure> {
    if environment.roots.is_empty() && !environment.path.contains("{app}") {
        let folder = TreePath::new(&environment.path).map_err(|error| {
            Failure::usage(format!("path of environment `{}`", environment.name)).because(&error)
        })?;
        let kind = tree.kind(&folder).map_err(|error| {
            Failure::world(format!("could not read `{folder}`")).because(&error)
        })?;
        if kind.is_none() {
            return Ok(Vec::new());
        }
    }
    desired(tree, environment, terminal)
}
