//! A cluster against desired objects.

use std::collections::{BTreeMap, BTreeSet};

use gitops_cluster::{
    ApplyError, ApplyOptions, Ask, Cluster, ClusterError, Discovery, Live, Mutators, Options,
    Outcome, Predicted, Target, Validation, Write,
};
use gitops_core::change::{Action, Change, ChangeSet};
use gitops_core::diff::{Expected, Shown, compare};
use gitops_core::key::ObjectKey;
use gitops_core::object::Raw;
use gitops_core::predict::no_op;
use gitops_core::predict::owner::{self, Controller, Owner};
use gitops_core::predict::takeover::{self, Removal};
use gitops_core::seal::Sealer;
use serde_json::Value;

use crate::args::ClusterArgs;
use crate::failure::Failure;

/// How the server is asked.
pub(crate) struct Asking {
    /// The manager that flags name; found object by object where absent.
    pub(crate) manager: Option<String>,
    /// Whether an apply takes fields from other managers.
    pub(crate) force: bool,
    /// The controller of the environment, for objects whose owner is unknown.
    pub(crate) controller: Option<Controller>,
    /// Ask about every object, and hold the proofs against the answers.
    pub(crate) verify: bool,
    /// Which of the server's own fields are shown.
    pub(crate) shown: Shown,
    /// Fields whose difference is expected.
    pub(crate) ignore: Vec<Expected>,
}

/// A cluster that answered, and what it serves.
pub(crate) struct Connection {
    cluster: Cluster,
    discovery: Discovery,
    runtime: tokio::runtime::Runtime,
}

/// What differs, and how many objects were proved unchanged.
pub(crate) struct Drift {
    pub(crate) changes: ChangeSet,
    pub(crate) proved: usize,
}

/// Words for a failure that concerns the whole cluster.
pub(crate) fn cluster_failure(attempt: &str, error: &ClusterError) -> Failure {
    let failure = match error {
        ClusterError::Kubeconfig { .. }
        | ClusterError::NoKubeconfig { .. }
        | ClusterError::NoContext { .. }
        | ClusterError::Unknown { .. }
        | ClusterError::Unusable { .. } => Failure::usage(attempt),
        _ => Failure::world(attempt),
    };
    let failure = failure.because(error);
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

impl Connection {
    /// Connects as kubectl's flags say. `context` is the configuration's,
    /// which a flag overrides.
    pub(crate) fn open(args: &ClusterArgs, context: Option<&str>) -> Result<Connection, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Failure::world("could not start").because(&error))?;
        let options = Options {
            kubeconfig: args.kubeconfig.clone(),
            context: args.context.clone().or_else(|| context.map(str::to_owned)),
            cluster: args.cluster.clone(),
            user: args.user.clone(),
            server: args.server.clone(),
            token: args.token.clone(),
            as_user: args.impersonate.clone(),
            as_groups: args.impersonate_groups.clone(),
            request_timeout: Some(args.request_timeout),
            namespace: args.namespace.clone(),
        };
        let opened = runtime.block_on(async {
            let cluster = Cluster::connect(options)
                .await
                .map_err(|error| cluster_failure("could not connect to a cluster", &error))?;
            let discovery = cluster.discover().await.map_err(|error| {
                let attempt = format!("could not ask {} what it serves", cluster.name());
                cluster_failure(&attempt, &error)
            })?;
            Ok::<_, Failure>((cluster, discovery))
        });
        let (cluster, discovery) = opened?;
        Ok(Connection { cluster, discovery, runtime })
    }

    /// The cluster in words.
    pub(crate) fn name(&self) -> String {
        self.cluster.name().to_owned()
    }

    /// Compares the live objects with what applying `desired` would leave. A
    /// failure of one object is a change of its own; the others go on.
    pub(crate) fn drift(
        &self,
        desired: &[Raw],
        asking: &Asking,
        sealer: &Sealer,
    ) -> Result<Drift, Failure> {
        self.runtime.block_on(self.drift_of(desired, asking, sealer))
    }

    async fn drift_of(
        &self,
        desired: &[Raw],
        asking: &Asking,
        sealer: &Sealer,
    ) -> Result<Drift, Failure> {
        let mut report = Report { asking, sealer, changes: Vec::new(), proved: 0 };
        let companions = Companions::of(desired);
        let mut subjects = Vec::new();
        for (raw, target) in self.targets(desired) {
            match target {
                Ok(target) => subjects.push((raw, target)),
                Err(Unplaced::NotServed(_)) if companions.bring_kind(&raw.key) => {
                    report.unasked(&raw, "its CustomResourceDefinition");
                }
                Err(reason) => report.broken(&raw, Action::Error, reason.to_string(), None),
            }
        }
        let targets: Vec<Target> = subjects.iter().map(|(_, target)| target.clone()).collect();
        let (found, mutators) =
            tokio::join!(self.cluster.observe(&targets), self.cluster.mutators(&self.discovery));

        let mut questions = Vec::new();
        for ((raw, target), live) in subjects.into_iter().zip(found) {
            let live = match live {
                Ok(live) => live,
                Err(error) if error.is_fatal() => {
                    let attempt = format!("could not read from {}", self.cluster.name());
                    return Err(cluster_failure(&attempt, &error));
                }
                Err(error) => {
                    report.unreadable(&raw, &error);
                    continue;
                }
            };
            let question = Question::new(raw, target, live, asking);
            if let Some(reason) = &question.skipped {
                let manager = Some(question.owner.manager.clone());
                report.broken(&question.raw, Action::Skipped, reason.clone(), manager);
                continue;
            }
            if question.is_proved(&mutators) {
                report.proved += 1;
                if !asking.verify {
                    report.unchanged(&question);
                    continue;
                }
            }
            questions.push(question);
        }
        let outcomes = self.ask(&questions).await;
        for outcome in &outcomes {
            if let Err(ApplyError::Cluster(error)) = &outcome.predicted
                && error.is_fatal()
            {
                let attempt = format!("could not ask {}", self.cluster.name());
                return Err(cluster_failure(&attempt, error));
            }
        }
        for (question, outcome) in questions.into_iter().zip(outcomes) {
            // Only with `--verify` is a proved object asked about.
            let proved = asking.verify && question.is_proved(&mutators);
            report.answered(question, outcome, proved, &companions);
        }
        Ok(Drift { changes: ChangeSet::new(report.changes), proved: report.proved })
    }

    /// Where each object is served; the objects' keys get their namespaces.
    fn targets(&self, desired: &[Raw]) -> Vec<(Raw, Result<Target, Unplaced>)> {
        let mut seen: BTreeMap<ObjectKey, String> = BTreeMap::new();
        let mut targets = Vec::with_capacity(desired.len());
        for raw in desired {
            let mut raw = raw.clone();
            let target = self.discovery.target(
                &raw.api_version,
                &raw.key.kind,
                raw.key.namespace.as_deref(),
                &raw.key.name,
                self.cluster.default_namespace(),
            );
            let target = target.map_err(Unplaced::NotServed).and_then(|target| {
                raw.key.namespace.clone_from(&target.namespace);
                let place =
                    raw.source.as_ref().map_or("another file".to_owned(), ToString::to_string);
                match seen.insert(raw.key.clone(), place) {
                    Some(first) => Err(Unplaced::Twice { first }),
                    None => Ok(target),
                }
            });
            targets.push((raw, target));
        }
        targets
    }

    /// Asks every question, each as the object's owner would write it.
    async fn ask(&self, questions: &[Question]) -> Vec<Outcome> {
        let asks: Vec<Ask<'_>> = questions.iter().map(Question::ask).collect();
        let removed = |index: usize, newer: Option<&Option<Live>>, predicted: &Predicted| {
            let Question { live, owner, .. } = &questions[index];
            let live = newer.unwrap_or(live).as_ref()?;
            takeover::without_removed(&live.json, &predicted.json, &owner.manager, owner.removal)
        };
        self.cluster.predict_then(&asks, removed).await
    }
}

/// Why an object has no place in the cluster.
#[derive(Debug, thiserror::Error)]
enum Unplaced {
    /// The server has no such kind, or the object no name.
    #[error(transparent)]
    NotServed(ClusterError),
    /// Another one has the same name, perhaps only since the default namespace
    /// was filled in.
    #[error("it stands twice: the first is at {first}")]
    Twice { first: String },
}

/// One object that was observed, and how its owner would apply it.
struct Question {
    raw: Raw,
    target: Target,
    live: Option<Live>,
    owner: Owner,
    body: Value,
    version: String,
    /// Why the owner leaves the object alone, if it does.
    skipped: Option<String>,
}

impl Question {
    fn new(raw: Raw, target: Target, live: Option<Live>, asking: &Asking) -> Question {
        let seen = live.as_ref().map(|live| &live.json);
        let mut owner = owner::find(seen, asking.controller);
        owner.force = asking.force;
        if let Some(manager) = &asking.manager {
            owner = Owner { manager: manager.clone(), force: asking.force, removal: Removal::None };
        }
        let skipped = owner.skips(&raw.json, seen);
        let mut body = owner::tracked(&raw, seen);
        if owner.removal == Removal::TakeOver {
            body = owner::with_encoded_strings(body);
        }
        let owner = owner.heeding(&raw.json, seen);
        let version = live.as_ref().map(|live| live.resource_version().to_owned());
        let version = version.unwrap_or_default();
        Question { raw, target, live, owner, body, version, skipped }
    }

    /// Whether the apply is known to change nothing. A server that does not
    /// say which admission mutates leaves nothing known.
    fn is_proved(&self, mutators: &Mutators) -> bool {
        let Some(live) = &self.live else { return false };
        !mutators.may_match(&self.target.resource, self.target.namespace.as_deref())
            && !takeover::concerns(&live.json, self.owner.removal)
            && no_op::is_no_op(&self.body, &live.json, &self.owner.manager)
    }

    fn ask(&self) -> Ask<'_> {
        Ask {
            target: &self.target,
            write: Write::Apply(&self.body),
            options: ApplyOptions {
                field_manager: &self.owner.manager,
                force: self.owner.force,
                validation: Validation::Warn,
            },
            observed: &self.version,
        }
    }
}

/// What the same change brings along: namespaces, and kinds.
struct Companions {
    namespaces: BTreeSet<String>,
    kinds: BTreeSet<(String, String)>,
}

impl Companions {
    fn of(desired: &[Raw]) -> Companions {
        let of_kind = |group: &str, kind: &str| {
            let (group, kind) = (group.to_owned(), kind.to_owned());
            desired.iter().filter(move |raw| raw.key.group == group && raw.key.kind == kind)
        };
        let text = |raw: &Raw, pointer: &str| {
            raw.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        Companions {
            namespaces: of_kind("", "Namespace").map(|raw| raw.key.name.clone()).collect(),
            kinds: of_kind("apiextensions.k8s.io", "CustomResourceDefinition")
                .map(|raw| (text(raw, "/spec/group"), text(raw, "/spec/names/kind")))
                .collect(),
        }
    }
}

impl Companions {
    fn bring_kind(&self, key: &ObjectKey) -> bool {
        self.kinds.contains(&(key.group.clone(), key.kind.clone()))
    }
}

/// The changes so far.
struct Report<'a> {
    asking: &'a Asking,
    sealer: &'a Sealer,
    changes: Vec<Change>,
    proved: usize,
}

impl Report<'_> {
    /// An object that comes with something the server must have first: shown
    /// as it stands in Git.
    fn unasked(&mut self, raw: &Raw, what: &str) {
        let mut change = compare(None, Some(raw.show(self.sealer, self.asking.shown)), &raw.lines);
        change.warnings = vec![format!(
            "shown as written: {what} comes with the same change, so the server cannot check it yet"
        )];
        self.changes.push(change);
    }

    fn unreadable(&mut self, raw: &Raw, error: &ClusterError) {
        self.broken(raw, Action::Unverified, error.to_string(), None);
    }

    fn broken(&mut self, raw: &Raw, action: Action, reason: String, manager: Option<String>) {
        self.changes.push(Change {
            key: raw.key.clone(),
            api_version: raw.api_version.clone(),
            action,
            before: None,
            after: None,
            fields: Vec::new(),
            source: raw.source.clone(),
            manager,
            reason: Some(reason),
            warnings: Vec::new(),
        });
    }

    fn unchanged(&mut self, question: &Question) {
        let raw = &question.raw;
        self.changes.push(Change {
            key: raw.key.clone(),
            api_version: raw.api_version.clone(),
            action: Action::Unchanged,
            before: None,
            after: None,
            fields: Vec::new(),
            source: raw.source.clone(),
            manager: Some(question.owner.manager.clone()),
            reason: None,
            warnings: Vec::new(),
        });
    }

    fn answered(
        &mut self,
        question: Question,
        outcome: Outcome,
        proved: bool,
        companions: &Companions,
    ) {
        let manager = Some(question.owner.manager.clone());
        // A proof speaks of the object that was observed.
        let proved = proved && outcome.live.is_none();
        let live = outcome.live.unwrap_or(question.live);
        let raw = question.raw;
        match outcome.predicted {
            Ok(predicted) => {
                let Some(mut change) = self.compared(&raw, live, predicted) else {
                    let reason = "the server's answer to the dry run is no object".to_owned();
                    return self.broken(&raw, Action::Error, reason, manager);
                };
                change.manager = manager;
                if proved && change.action != Action::Unchanged {
                    change.action = Action::Error;
                    change.reason = Some(
                        "proved unchanged, but the server would change it: please report this"
                            .to_owned(),
                    );
                }
                self.changes.push(change);
            }
            Err(ApplyError::NamespaceMissing { namespace })
                if live.is_none() && companions.namespaces.contains(&namespace) =>
            {
                self.unasked(&raw, &format!("namespace `{namespace}`"));
            }
            Err(error) => {
                let mut reason = error.to_string();
                let live = live.as_ref().map(|live| &live.json);
                for tree in live.into_iter().chain([&raw.json]) {
                    reason = self.sealer.said(&raw.key, tree, reason);
                }
                self.broken(&raw, Action::Error, reason, manager);
            }
        }
    }

    /// `None` where the server answered with something that is no object.
    fn compared(&self, raw: &Raw, live: Option<Live>, predicted: Predicted) -> Option<Change> {
        let shown = self.asking.shown;
        let before = live.and_then(Live::into_raw).map(|live| live.show(self.sealer, shown));
        let mut after = Raw::live(predicted.json)?;
        after.source.clone_from(&raw.source);
        after.key.clone_from(&raw.key);
        let mut after = after.show(self.sealer, shown);
        if let Some(before) = &before {
            for expected in self.asking.ignore.iter().filter(|e| e.concerns(&raw.key)) {
                expected.hide(&mut after.tree, &before.tree);
            }
        }
        let mut change = compare(before, Some(after), &raw.lines);
        if change.source.is_none() {
            change.source.clone_from(&raw.source);
        }
        let said = |text| self.sealer.said(&raw.key, &raw.json, text);
        change.warnings = predicted.warnings.into_iter().map(said).collect();
        Some(change)
    }
}
