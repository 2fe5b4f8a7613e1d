//! What a change would do to an environment, and whether it may.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gitops_core::change::{Action, ChangeSet};
use gitops_core::diff::{Shown, compare_sets};
use gitops_core::gate::moment;
use gitops_core::judge::{
    Commit, Decision, EnvironmentRef, FileChange, Judgement, Move, Operation, Request, Subject,
    decide,
};
use gitops_core::object::Raw;
use gitops_core::plan::{ReadEntry, ReadFrom};
use gitops_core::seal::Sealer;
use gitops_policy::{Host, Lacks};
use gitops_tree::{Kept, Reading, Recorded, Tree, TreePath};
use jiff::Timestamp;

use super::concerned::{Base, Folders, existing};
use super::desired::{Rendering, config_failure, desired_of};
use super::gate::moves;
use super::gates::{Answered, Asked, Keeper, Kind};
use super::policies;
use super::renders::Renders;
use super::reviews::Head;
use super::trust::{Trust, entries};
use crate::config::Environment;
use crate::failure::{Exit, Failure};
use crate::output::Terminal;

/// A change of one environment.
pub(crate) struct Change<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) before: &'a Base<'a>,
    pub(crate) after: &'a dyn Tree,
    /// The files that change.
    pub(crate) files: Vec<FileChange>,
    pub(crate) moves: Vec<Move>,
    pub(crate) commits: Vec<Commit>,
    /// Whether a state before it that does not render is what it repairs.
    /// Nothing is known of that state, so that every object counts as new.
    pub(crate) repairs: bool,
    /// The request that it is, or is to be.
    pub(crate) head: Option<&'a Head<'a>>,
}

/// Something that the tool itself refuses, whatever the policies say.
pub(crate) struct Refusal {
    /// `gitops/…`
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// Another environment that changes on purpose, and whether it may.
pub(crate) struct Also {
    pub(crate) environment: String,
    pub(crate) preview: Preview,
}

/// What a change would do, and the answer to it.
pub(crate) struct Preview {
    pub(crate) changes: ChangeSet,
    /// Why there is nothing to compare with: it did not render before.
    pub(crate) unrendered: Option<String>,
    pub(crate) judgements: Vec<Judgement>,
    pub(crate) refusals: Vec<Refusal>,
    /// The other environments that were named and do change.
    pub(crate) also: Vec<Also>,
    /// What the gates answered.
    pub(crate) gates: Answered,
    /// The worst of policies, refusals, gates and the other environments.
    pub(crate) decision: Decision,
    /// What was read of the environments before the change.
    pub(crate) reads: BTreeSet<ReadEntry>,
}

impl Preview {
    /// Closes the gate, whatever the policies say; a fault stays one.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.refusals.push(refusal);
        self.decide();
    }

    /// The worst of policies, refusals, gates and the other environments.
    fn decide(&mut self) {
        let own = if self.refusals.is_empty() { Decision::Open } else { Decision::Closed };
        let all = [decide(&self.judgements), own, self.gates.decision()];
        self.decision = worst(self.also.iter().map(|also| also.preview.decision).chain(all));
    }
}

/// The decision over several.
pub(crate) fn worst(decisions: impl IntoIterator<Item = Decision>) -> Decision {
    let rank = |decision: &Decision| match decision {
        Decision::Open => 0,
        Decision::Pending => 1,
        Decision::Closed => 2,
        Decision::Faulty => 3,
    };
    decisions.into_iter().max_by_key(rank).unwrap_or(Decision::Open)
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
    verify: bool,
    pub(crate) keeper: Keeper<'a>,
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
    /// `now` is the time of judgement; `verify` renders what could be shared
    /// between revisions, too.
    pub(crate) fn new(
        trust: &'a Trust,
        terminal: Terminal,
        now: Timestamp,
        dry_run: bool,
        verify: bool,
    ) -> Self {
        let renders = Renders::new(existing, desired_of, terminal, verify);
        let sealer = super::desired::sealer(Some(&trust.config));
        let host = std::cell::OnceCell::new();
        let keeper = Keeper::new(trust, now);
        let now = moment(now);
        Judge { trust, terminal, sealer, host, now, dry_run, renders, verify, keeper }
    }

    /// Renders the environment before and after, compares, and asks every
    /// policy that is bound to the step. `others` are looked at, too: an edit
    /// that changes one of them is refused (invariant 10), unless it is among
    /// the `named`; then it is judged as well.
    pub(crate) fn preview(
        &self,
        change: &Change<'_>,
        request: &Request,
        others: &[&Environment],
        named: &[String],
    ) -> Result<Preview, Failure> {
        let environment = change.environment;
        let folders = self.folders(environment, change)?;
        let before = self.renders.part(change.before.tree, environment, Some(&folders.before));
        let (before, unrendered) = match before {
            Ok(before) => (Some(before), None),
            Err(failure) if change.repairs && failure.exit == Exit::Usage => {
                (None, Some(in_a_line(&failure)))
            }
            Err(failure) => return Err(failure.hint(BROKEN_BEFORE)),
        };
        let after = self.renders.part(change.after, environment, Some(&folders.after));
        let after = after.map_err(|failure| match unrendered {
            Some(_) => failure.hint("it does not render before the change either"),
            None => failure,
        })?;
        let earlier = before.as_ref().map_or(&[][..], |before| &before.value);
        let changes = compare_sets(earlier, &after.value, &self.sealer);
        let mut reads = after.value.remotes.clone();
        if let Some(before) = &before {
            let readings = before.answers.readings();
            reads.extend(entries(ReadFrom::Target, change.before.tree, readings)?);
            reads.extend(before.value.remotes.iter().cloned());
        }
        if changes.differences().any(|change| change.action == Action::Created) {
            // It may be one that another folder has already.
            self.renders.get(change.after, environment)?;
        }
        let mut subject = Subject {
            changes: changes.clone(),
            moves: change.moves.clone(),
            files: change.files.clone(),
            commits: change.commits.clone(),
            desired: BTreeMap::from([(environment.name.clone(), None)]),
        };
        let judgements = match self.judgements(environment, request, &Arc::new(subject.clone()))? {
            Ok(judgements) => judgements,
            Err(Lacks(_)) => {
                let all = self.renders.get(change.after, environment)?;
                if unrendered.is_none() {
                    let whole = self.renders.get(change.before.tree, environment)?;
                    let readings = whole.answers.readings();
                    reads.extend(entries(ReadFrom::Target, change.before.tree, readings)?);
                    reads.extend(whole.value.remotes.iter().cloned());
                }
                reads.extend(all.value.remotes.iter().cloned());
                let shown = all.value.iter().map(|raw| raw.show(&self.sealer, Shown::default()));
                subject.desired.insert(environment.name.clone(), Some(shown.collect()));
                let answered = self.judgements(environment, request, &Arc::new(subject))?;
                answered.expect("all that can be asked for is looked up")
            }
        };
        let (refusals, changing) = self.others(change, others, named)?;
        let mut also = Vec::new();
        for other in changing {
            let preview = self.beside(change, request, other)?;
            reads.extend(preview.reads.iter().cloned());
            also.push(Also { environment: other.name.clone(), preview });
        }
        let (gates, decision) = (Answered::default(), Decision::Open);
        let mut preview =
            Preview { changes, unrendered, judgements, refusals, gates, also, decision, reads };
        preview.decide();
        Ok(preview)
    }

    /// Asks the gates of a previewed change.
    pub(crate) fn gates(&self, preview: &mut Preview, asked: &Asked<'_>) -> Result<(), Failure> {
        preview.gates = self.keeper.answer(asked, &preview.judgements)?;
        preview.decide();
        Ok(())
    }

    /// Judges what the change does to another environment.
    fn beside(
        &self,
        change: &Change<'_>,
        request: &Request,
        other: &Environment,
    ) -> Result<Preview, Failure> {
        other.refuse_unevaluated_gates().map_err(|error| config_failure(&error))?;
        let moves = moves(self.trust, other, change.before.tree, change.after)?;
        let mut apps: Vec<String> = moves.iter().map(|moved| moved.app.clone()).collect();
        apps.dedup();
        let request = Request {
            operation: Operation::Other,
            apps,
            source: None,
            target: self.trust.reference(other)?,
            source_revision: None,
            ..request.clone()
        };
        let change = Change {
            environment: other,
            before: change.before,
            after: change.after,
            files: change.files.clone(),
            moves,
            commits: change.commits.clone(),
            repairs: false,
            head: change.head,
        };
        let mut preview = self.preview(&change, &request, &[], &[])?;
        let (apps, moves) = (&request.apps, &change.moves);
        let asked = Asked {
            target: other,
            kind: Kind::Other,
            source: None,
            apps,
            moves,
            alone: &[],
            waiting: None,
            head: change.head,
        };
        self.gates(&mut preview, &asked)?;
        Ok(preview)
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
    ) -> Result<Result<Vec<Judgement>, Lacks>, Failure> {
        let mut sources: Vec<Option<EnvironmentRef>> = vec![request.source.clone()];
        for name in environment.after.names() {
            if sources.iter().flatten().any(|source| source.name == *name) {
                continue;
            }
            if let Ok(before) = self.trust.config.environment(name) {
                sources.push(Some(self.trust.reference(before)?));
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
            let asked = match asked {
                Ok(asked) => asked,
                Err(lacks) => return Ok(Err(lacks)),
            };
            for judgement in asked {
                if !judgements.contains(&judgement) {
                    judgements.push(judgement);
                }
            }
        }
        Ok(Ok(judgements))
    }

    fn host(&self) -> Result<&Host, Failure> {
        if let Some(host) = self.host.get() {
            return Ok(host);
        }
        let host = policies::host(self.terminal)?;
        Ok(self.host.get_or_init(|| host))
    }

    /// What is refused because of other environments, and those that change and
    /// were named.
    fn others<'e>(
        &self,
        change: &Change<'_>,
        others: &[&'e Environment],
        named: &[String],
    ) -> Result<(Vec<Refusal>, Vec<&'e Environment>), Failure> {
        let paths: Vec<TreePath> =
            change.files.iter().filter_map(|file| TreePath::new(&file.path).ok()).collect();
        let (mut refusals, mut changing) = (Vec::new(), Vec::new());
        for other in others.iter().filter(|other| other.name != change.environment.name) {
            let folders = self.folders(other, change)?;
            if folders == Folders::default() {
                continue;
            }
            let tree = Recorded::new(change.before.tree);
            let before = self.renders.part(&tree, other, Some(&folders.before));
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
            let after = self.renders.part(change.after, other, Some(&folders.after));
            let refusal = match (before, after) {
                (Ok(before), Ok(after)) => {
                    let difference = self.difference(other, &before.value, &after.value);
                    if difference.is_some() && named.contains(&other.name) {
                        changing.push(*other);
                        continue;
                    }
                    difference
                }
                (Err(failure), _) | (_, Err(failure)) => Some(format!(
                    "whether environment `{}` would change is unknown: {}",
                    other.name, failure.error
                )),
            };
            refusals.extend(
                refusal.map(|message| Refusal { code: "gitops/other-environment", message }),
            );
        }
        Ok((refusals, changing))
    }

    /// The folders of an environment that a change may concern. With
    /// `--verify`, the others are rendered too, and must not differ.
    fn folders(&self, environment: &Environment, change: &Change<'_>) -> Result<Folders, Failure> {
        let paths: Vec<TreePath> =
            change.files.iter().filter_map(|file| TreePath::new(&file.path).ok()).collect();
        self.concerned(environment, change.before, change.after, &paths)
    }

    /// See [`Judge::folders`].
    pub(crate) fn concerned(
        &self,
        environment: &Environment,
        before: &Base<'_>,
        after: &dyn Tree,
        paths: &[TreePath],
    ) -> Result<Folders, Failure> {
        let folders = before.concerned(environment, after, paths)?;
        if self.verify {
            let mut rest = before.all(environment, after)?;
            rest.before.retain(|folder| !folders.before.contains(folder));
            rest.after.retain(|folder| !folders.after.contains(folder));
            let earlier = desired_of(before.tree, environment, &rest.before, self.terminal)?;
            let later = desired_of(after, environment, &rest.after, self.terminal)?;
            if self.differ(&earlier, &later) {
                let name = &environment.name;
                return Err(Failure::world(format!(
                    "folders of `{name}` change that were said to be of no concern"
                ))
                .hint("this is an error of this program: please report it"));
            }
        }
        Ok(folders)
    }

    /// The objects of some folders of an environment; see [`Renders::part`].
    pub(crate) fn rendered(
        &self,
        tree: &dyn Tree,
        environment: &Environment,
        folders: &[TreePath],
    ) -> Result<Kept<Rendering>, Failure> {
        self.renders.part(tree, environment, Some(folders))
    }

    /// Whether two sets of objects differ.
    pub(crate) fn differ(&self, before: &[Raw], after: &[Raw]) -> bool {
        compare_sets(before, after, &self.sealer).differences().next().is_some()
    }

    fn difference(&self, other: &Environment, before: &[Raw], after: &[Raw]) -> Option<String> {
        let changes = compare_sets(before, after, &self.sealer);
        let first = changes.differences().next()?;
        Some(format!(
            "environment `{}` would change, too: {} {}, {} in all; name it by `--also {}` if that is meant",
            other.name,
            first.action.word(),
            first.key,
            changes.differences().count(),
            other.name
        ))
    }
}

/// Whether a change of `paths` may change one of the answers.
pub(crate) fn meets(readings: &BTreeSet<Reading>, paths: &[TreePath]) -> bool {
    readings.iter().any(|reading| paths.iter().any(|path| reading.depends_on(path)))
}

/// A failure with its causes in one line.
pub(crate) fn in_a_line(failure: &Failure) -> String {
    let mut words = vec![failure.error.as_str()];
    words.extend(failure.causes.iter().map(String::as_str));
    words.join(": ").replace('\n', " ")
}
