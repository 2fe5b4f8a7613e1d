//! Core nouns into the records of the contract, and the contract's questions
//! answered from a [`Subject`].

use std::sync::Arc;

use gitops_core::change::{Action, Change};
use gitops_core::judge::{
    Commit, EnvironmentRef, FileAction, FileChange, Move, Moved, Operation, Rendered, Request,
    Subject,
};
use gitops_core::key::ObjectKey;
use gitops_core::object::{Object, Source};

use crate::host::Level;
use crate::limits::{Limiter, Limits, Refused};

/// Generated from `wit/policy.wit`.
#[allow(missing_docs, clippy::all, unreachable_pub)]
mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "gate",
        imports: { default: trappable },
    });
}

/// The world `check`; what it shares with the world above is the same.
#[allow(missing_docs, clippy::all, unreachable_pub)]
mod checking {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "check",
        imports: { default: trappable },
        with: {
            "kubectl-gitops:policy/types": super::generated::kubectl_gitops::policy::types,
            "kubectl-gitops:policy/log": super::generated::kubectl_gitops::policy::log,
            "kubectl-gitops:policy/input": super::generated::kubectl_gitops::policy::input,
        },
    });
}

pub(crate) use checking::exports::kubectl_gitops::policy::conformance_check;
pub(crate) use checking::{Check, CheckPre};
pub(crate) use generated::exports::kubectl_gitops::policy::promotion_gate;
pub(crate) use generated::kubectl_gitops::policy::types as wit;
pub(crate) use generated::kubectl_gitops::policy::{input, log};
pub(crate) use generated::{Gate, GatePre};

/// What a store holds: the subject, the limiter, and the log so far.
pub(crate) struct State {
    subject: Arc<Subject>,
    pub(crate) limiter: Limiter,
    limits: Limits,
    questions: u32,
    /// Lines of the log, as the guest wrote them.
    pub(crate) lines: Vec<(Level, String)>,
    /// Lines that were dropped.
    pub(crate) dropped: u64,
    /// The environment whose objects it asked for, where they are not looked
    /// up yet.
    pub(crate) lacks: Option<String>,
}

impl State {
    pub(crate) fn new(subject: Arc<Subject>, limits: Limits) -> State {
        State {
            subject,
            limiter: Limiter::new(limits),
            limits,
            questions: 0,
            lines: Vec::new(),
            dropped: 0,
            lacks: None,
        }
    }

    /// Counts a question; answering costs the host, not the guest.
    fn ask(&mut self) -> wasmtime::Result<()> {
        self.questions += 1;
        if self.questions > self.limits.questions {
            let refused = Refused::Questions { limit: self.limits.questions };
            self.limiter.refused.get_or_insert(refused.clone());
            return Err(wasmtime::Error::new(refused));
        }
        Ok(())
    }
}

impl wit::Host for State {}

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        if self.lines.len() >= self.limits.log_lines as usize {
            self.dropped += 1;
            return Ok(());
        }
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        self.lines.push((level, crate::text::excerpt(&message, self.limits.message)));
        Ok(())
    }
}

impl input::Host for State {
    fn changes(&mut self) -> wasmtime::Result<Vec<wit::Change>> {
        self.ask()?;
        Ok(self.subject.changes.differences().filter_map(change).collect())
    }

    fn moves(&mut self) -> wasmtime::Result<Vec<wit::Move>> {
        self.ask()?;
        Ok(self.subject.moves.iter().map(moved).collect())
    }

    fn files(&mut self) -> wasmtime::Result<Vec<wit::FileChange>> {
        self.ask()?;
        Ok(self.subject.files.iter().map(file).collect())
    }

    fn commits(&mut self) -> wasmtime::Result<Vec<wit::Commit>> {
        self.ask()?;
        Ok(self.subject.commits.iter().map(commit).collect())
    }

    fn desired(&mut self, environment: String) -> wasmtime::Result<Vec<wit::Object>> {
        self.ask()?;
        match self.subject.desired.get(&environment) {
            Some(Some(objects)) => Ok(objects.iter().map(object).collect()),
            Some(None) => {
                self.lacks = Some(environment.clone());
                Err(wasmtime::Error::msg("the objects are not looked up yet"))
            }
            None => Ok(Vec::new()),
        }
    }

    fn get_pull_request(&mut self) -> wasmtime::Result<Option<wit::PullRequest>> {
        self.ask()?;
        Ok(None)
    }

    fn get_delivery(&mut self, _environment: String) -> wasmtime::Result<Option<wit::Delivery>> {
        self.ask()?;
        Ok(None)
    }
}

/// What is looked at, as the guest sees it.
pub(crate) fn check(environments: &[Rendered]) -> conformance_check::Request {
    let rendered = |rendered: &Rendered| conformance_check::Rendered {
        environment: environment(&rendered.environment),
        revision: rendered.revision.clone(),
    };
    conformance_check::Request { environments: environments.iter().map(rendered).collect() }
}

/// The request, as the guest sees it.
pub(crate) fn request(request: &Request) -> promotion_gate::Request {
    promotion_gate::Request {
        operation: match request.operation {
            Operation::Release => promotion_gate::Operation::Release,
            Operation::Promote => promotion_gate::Operation::Promote,
            Operation::Rollback => promotion_gate::Operation::Rollback,
            Operation::Other => promotion_gate::Operation::Other,
        },
        apps: request.apps.clone(),
        source: request.source.as_ref().map(environment),
        target: environment(&request.target),
        source_revision: request.source_revision.clone(),
        target_revision: request.target_revision.clone(),
        requested_by: request.requested_by.clone(),
    }
}

fn environment(environment: &EnvironmentRef) -> wit::Environment {
    wit::Environment {
        name: environment.name.clone(),
        after: environment.after.clone(),
        clusters: environment.clusters.clone(),
        path: environment.path.clone(),
        git_ref: environment.git_ref.clone(),
        labels: Vec::new(),
    }
}

/// `None` for an object that does not differ.
fn change(change: &Change) -> Option<wit::Change> {
    let kind = match change.action {
        Action::Created => wit::ChangeKind::Created,
        Action::Configured => wit::ChangeKind::Configured,
        Action::Deleted => wit::ChangeKind::Deleted,
        Action::Replaced => wit::ChangeKind::Replaced,
        Action::Unchanged | Action::Skipped | Action::Unverified | Action::Error => return None,
    };
    Some(wit::Change {
        kind,
        id: id(&change.api_version, &change.key),
        before: change.before.as_ref().map(|object| object.tree.to_string()),
        after: change.after.as_ref().map(|object| object.tree.to_string()),
        fields: change
            .fields
            .iter()
            .map(|field| wit::FieldChange {
                pointer: field.pointer.clone(),
                before: field.before.as_ref().map(ToString::to_string),
                after: field.after.as_ref().map(ToString::to_string),
            })
            .collect(),
        source: change.source.as_ref().map(source),
    })
}

fn object(object: &Object) -> wit::Object {
    wit::Object {
        id: id(&object.api_version, &object.key),
        manifest: object.tree.to_string(),
        source: object.source.as_ref().map(source),
    }
}

fn id(api_version: &str, key: &ObjectKey) -> wit::ObjectRef {
    wit::ObjectRef {
        api_version: api_version.to_owned(),
        kind: key.kind.clone(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
    }
}

fn source(source: &Source) -> wit::SourceLocation {
    wit::SourceLocation { path: source.path.clone(), document: source.document, line: source.line }
}

fn moved(moved: &Move) -> wit::Move {
    wit::Move {
        app: moved.app.clone(),
        what: match moved.what {
            Moved::ImageTag => wit::Moved::ImageTag,
            Moved::ImageDigest => wit::Moved::ImageDigest,
            Moved::ImageName => wit::Moved::ImageName,
            Moved::ChartVersion => wit::Moved::ChartVersion,
            Moved::GitRef => wit::Moved::GitRef,
            Moved::Value => wit::Moved::Value,
            Moved::Folder => wit::Moved::Folder,
            Moved::Other => wit::Moved::Other,
        },
        name: moved.name.clone(),
        before: moved.before.clone(),
        after: moved.after.clone(),
        source: moved.source.as_ref().map(source),
    }
}

fn file(file: &FileChange) -> wit::FileChange {
    wit::FileChange {
        path: file.path.clone(),
        kind: match file.action {
            FileAction::Created => wit::FileChangeKind::Created,
            FileAction::Edited => wit::FileChangeKind::Edited,
            FileAction::Deleted => wit::FileChangeKind::Deleted,
        },
    }
}

/// Signatures are not checked yet, which the contract calls unverified.
fn commit(commit: &Commit) -> wit::Commit {
    wit::Commit {
        id: commit.id.clone(),
        parents: commit.parents.clone(),
        author_name: commit.author_name.clone(),
        author_email: commit.author_email.clone(),
        committer_email: commit.committer_email.clone(),
        authored_at: commit.authored_at.clone(),
        committed_at: commit.committed_at.clone(),
        message: commit.message.clone(),
        trailers: commit
            .trailers
            .iter()
            .map(|(name, value)| wit::NamedValue { name: name.clone(), value: value.clone() })
            .collect(),
        signature: wit::SignatureStatus::Unverified,
        signer: None,
        paths: commit.paths.clone(),
    }
}
