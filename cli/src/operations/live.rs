//! A cluster against desired objects.

use std::collections::{BTreeMap, BTreeSet};

use gitops_cluster::{
    ApplyError, ApplyOptions, Ask, Cluster, ClusterError, Discovery, Live, Mutators, Options,
    Outcome, Predicted, Target, Validation, Write,
};
use gitops_core::change::{Action, Change, ChangeSet};
use gitops_core::diff::{Shown, compare};
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

/// A field whose difference is expected; every part but the pointer may be
/// left open.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) kind: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) pointer: String,
}

impl Expected {
    fn concerns(&self, key: &ObjectKey) -> bool {
        let fits = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| Some(wanted) == found)
        };
        fits(&self.kind, Some(&key.kind))
            && fits(&self.namespace, key.namespace.as_deref())
            && fits(&self.name, Some(&key.name))
    }
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
                Err(reason) => report.refused(&raw, &reason, &companions),
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
        for (question, outcome) in questions.into_iter().zip(outcomes) {
            // Only with `--verify` is a proved object asked about.
            let proved = asking.verify && question.is_proved(&mutators);
            report.answered(question, outcome, proved, &companions);
        }
        Ok(Drift { changes: ChangeSet::new(report.changes), proved: report.proved })
    }

    /// Where each object is served; the objects' keys get their namespaces.
    fn targets(&self, desired: &[Raw]) -> Vec<(Raw, Result<Target, String>)> {
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
            let target = target.map_err(|error| error.to_string()).and_then(|target| {
                raw.key.namespace.clone_from(&target.namespace);
                let place =
                    raw.source.as_ref().map_or("another file".to_owned(), ToString::to_string);
                match seen.insert(raw.key.clone(), place) {
                    Some(first) => Err(format!("it stands twice: the first is at {first}")),
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

/// One object that was observed, and how its owner would apply it.
struct Question {
    raw: Raw,
    target: Target,
    live: Option<Live>,
    owner: Owner,
    body: Value,
    version: String,
}

impl Question {
    fn new(raw: Raw, target: Target, live: Option<Live>, asking: &Asking) -> Question {
        let seen = live.as_ref().map(|live| &live.json);
        let mut owner = owner::find(seen, asking.controller);
        owner.force = asking.force;
        if let Some(manager) = &asking.manager {
            owner = Owner { manager: manager.clone(), force: asking.force, removal: Removal::None };
        }
        let body = owner::tracked(&raw, seen);
        let version = live.as_ref().map(|live| live.resource_version().to_owned());
        Question { raw, target, live, owner, body, version: version.unwrap_or_default() }
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

/// The changes so far.
struct Report<'a> {
    asking: &'a Asking,
    sealer: &'a Sealer,
    changes: Vec<Change>,
    proved: usize,
}

impl Report<'_> {
    /// An object that the server does not serve, or that stands twice.
    fn refused(&mut self, raw: &Raw, reason: &str, companions: &Companions) {
        if companions.kinds.contains(&(raw.key.group.clone(), raw.key.kind.clone())) {
            self.unasked(raw, "its CustomResourceDefinition");
        } else {
            self.broken(raw, Action::Error, reason.to_owned(), None);
        }
    }

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
        let live = outcome.live.unwrap_or(question.live);
        let raw = question.raw;
        match outcome.predicted {
            Ok(predicted) => {
                let mut change = self.compared(&raw, live, predicted);
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
            Err(error) => self.broken(&raw, Action::Error, error.to_string(), manager),
        }
    }

    fn compared(&self, raw: &Raw, live: Option<Live>, predicted: Predicted) -> Change {
        let shown = self.asking.shown;
        let mut before = live.and_then(Live::into_raw).map(|live| live.show(self.sealer, shown));
        let mut after = Raw::live(predicted.json).map(|mut after| {
            after.source.clone_from(&raw.source);
            after.key.clone_from(&raw.key);
            after.show(self.sealer, shown)
        });
        if let (Some(before), Some(after)) = (&mut before, &mut after) {
            for expected in self.asking.ignore.iter().filter(|e| e.concerns(&raw.key)) {
                keep_live(&mut after.tree, &before.tree, &expected.pointer);
            }
        }
        let mut change = compare(before, after, &raw.lines);
        if change.source.is_none() {
            change.source.clone_from(&raw.source);
        }
        change.warnings = predicted.warnings;
        change
    }
}

/// Gives the field at `pointer` its live value, absence included.
fn keep_live(after: &mut Value, live: &Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    let name = name.replace("~1", "/").replace("~0", "~");
    let found = live.pointer(pointer);
    match (after.pointer_mut(parent), found) {
        (Some(Value::Object(map)), Some(found)) => {
            map.insert(name, found.clone());
        }
        (Some(Value::Object(map)), None) => {
            map.remove(&name);
        }
        (Some(Value::Array(items)), Some(found)) => {
            if let Some(item) = name.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                *item = found.clone();
            }
        }
        _ => {}
    }
}
