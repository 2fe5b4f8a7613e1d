//! What policies are asked and what they answer. The names are those of
//! `wit/policy.wit`; the host in `gitops-policy` carries them across.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::change::ChangeSet;
use crate::key::ObjectKey;
use crate::object::{Object, Source};

/// An environment as policies see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentRef {
    /// Name.
    pub name: String,
    /// The environments it is promoted from.
    pub after: Vec<String>,
    /// Names of its clusters.
    pub clusters: Vec<String>,
    /// Its folder.
    pub path: String,
    /// The branch it is read from.
    pub git_ref: String,
    /// The address of its repository, without credentials; `None` where there
    /// is only one repository.
    pub repository: Option<String>,
}

/// What kind of step is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A version enters an environment.
    Release,
    /// A version moves from one environment to the next.
    Promote,
    /// An earlier state comes back.
    Rollback,
    /// A change that is none of these.
    Other,
}

/// What is to be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What kind of step.
    pub operation: Operation,
    /// The apps that move.
    pub apps: Vec<String>,
    /// Where from; `None` for a release.
    pub source: Option<EnvironmentRef>,
    /// Where to.
    pub target: EnvironmentRef,
    /// Commit of the source side.
    pub source_revision: Option<String>,
    /// Commit of the target branch that the change is made on.
    pub target_revision: String,
    /// Who asks, as the forge knows it; empty when unverified.
    pub requested_by: String,
}

/// An environment whose objects are looked at, whatever changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The environment.
    pub environment: EnvironmentRef,
    /// The commit that it was read at; empty for files that are in none.
    pub revision: String,
}

/// What a promotion moves, in its own terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moved {
    /// `newName` of a kustomize image.
    ImageName,
    /// `newTag` of a kustomize image.
    ImageTag,
    /// `digest` of a kustomize image.
    ImageDigest,
    /// The version of a chart.
    ChartVersion,
    /// A tag, branch, commit or range of a repository.
    GitRef,
    /// A value in a YAML, JSON or text file.
    Value,
    /// Files of a folder.
    Folder,
    /// Something else.
    Other,
}

impl Moved {
    /// The word in JSON, as `wit/policy.wit` spells it.
    pub fn word(self) -> &'static str {
        match self {
            Moved::ImageName => "image-name",
            Moved::ImageTag => "image-tag",
            Moved::ImageDigest => "image-digest",
            Moved::ChartVersion => "chart-version",
            Moved::GitRef => "git-ref",
            Moved::Value => "value",
            Moved::Folder => "folder",
            Moved::Other => "other",
        }
    }
}

/// One value that moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The app.
    pub app: String,
    /// What it is.
    pub what: Moved,
    /// Its name: the image's, for images.
    pub name: String,
    /// The value in the target before.
    pub before: Option<String>,
    /// The value in the target after.
    pub after: Option<String>,
    /// Where it stands in the target.
    pub source: Option<Source>,
}

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileAction {
    /// New.
    Created,
    /// Changed.
    Edited,
    /// Gone.
    Deleted,
}

/// A file of the change under judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Path from the root of the repository.
    pub path: String,
    /// What happens to it.
    pub action: FileAction,
}

/// A commit of the change under judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Object id.
    pub id: String,
    /// Parents' ids.
    pub parents: Vec<String>,
    /// Author's name.
    pub author_name: String,
    /// Author's address.
    pub author_email: String,
    /// Committer's address.
    pub committer_email: String,
    /// RFC 3339, UTC.
    pub authored_at: String,
    /// RFC 3339, UTC.
    pub committed_at: String,
    /// Whole message.
    pub message: String,
    /// Trailers, in order.
    pub trailers: Vec<(String, String)>,
    /// Paths it touches.
    pub paths: Vec<String>,
}

/// Everything a policy may ask for.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// The objects that change in the target.
    pub changes: ChangeSet,
    /// The values that move.
    pub moves: Vec<Move>,
    /// The files that change.
    pub files: Vec<FileChange>,
    /// The commits that change them; empty for a plan not yet committed.
    pub commits: Vec<Commit>,
    /// Desired objects after the change, by environment; `None` where they were
    /// not looked up yet.
    pub desired: BTreeMap<String, Option<Vec<Object>>>,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It closes the gate of an enforcing binding.
    Deny,
    /// It is shown.
    Warn,
    /// It is noted.
    Info,
}

/// How bad the policy says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Severity {
    Critical,
    High,
    Medium,
    Low,
    Informational,
}

/// One thing a policy found. All text is the guest's and untrusted.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// How much it weighs.
    pub effect: Effect,
    /// Stable id of the rule, `[a-z0-9-]+`.
    pub code: String,
    /// How bad.
    pub severity: Severity,
    /// One line or several, control characters already escaped by the host.
    pub message: String,
    /// The object, and its `apiVersion`.
    pub object: Option<(String, ObjectKey)>,
    /// Pointer into the object.
    pub pointer: Option<String>,
    /// Where that stands in Git, found by the host.
    pub source: Option<Source>,
    /// What to do about it.
    pub remediation: Option<String>,
    /// Anything the policy wants kept.
    pub evidence: Option<Value>,
}

/// What one policy answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It judged; no deny among the findings means open.
    Evaluated(Vec<Finding>),
    /// It has nothing to say.
    NotApplicable(String),
    /// Ask again later.
    Pending {
        /// Why.
        reason: String,
        /// RFC 3339, UTC.
        not_before: Option<String>,
    },
}

/// What a binding does with findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Findings and faults close the gate.
    Enforce,
    /// Both are shown.
    Warn,
    /// Both are recorded.
    Audit,
}

/// Which policy judged, and by which bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRef {
    /// Name in the lock and the bindings.
    pub name: String,
    /// `sha256:…` of the module; empty where it could not be read.
    pub digest: String,
    /// What its binding does with findings.
    pub mode: Mode,
}

/// A policy that did not answer. Not a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What broke, in one word for JSON: `fuel`, `memory`, `trap`, `world`,
    /// `import`, `output`, `compile`, `settings`, `digest`, `lock`, …
    pub kind: &'static str,
    /// What happened, naming the limit; one line, safe to print.
    pub message: String,
    /// Digest and lock faults close the gate whatever the mode.
    pub always_closes: bool,
}

/// One policy's answer, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Which policy.
    pub policy: PolicyRef,
    /// Its answer.
    pub result: Result<Outcome, Fault>,
}

impl Judgement {
    /// The answer in one word, as commit trailers claim it:
    /// `NAME@sha256:…=open`.
    pub fn claim(&self) -> String {
        let word = match &self.result {
            Ok(Outcome::Evaluated(findings)) => {
                if findings.iter().any(|finding| finding.effect == Effect::Deny) {
                    "denied"
                } else {
                    "open"
                }
            }
            Ok(Outcome::NotApplicable(_)) => "not-applicable",
            Ok(Outcome::Pending { .. }) => "pending",
            Err(_) => "fault",
        };
        // A trailer is one line.
        let name: Vec<&str> = self.policy.name.split_whitespace().collect();
        format!("{}@{}={word}", name.join(" "), self.policy.digest)
    }
}

/// Whether a change may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Open,
    /// No.
    Closed,
    /// Not yet.
    Pending,
    /// A policy did not answer; closed.
    Faulty,
}

/// Decides over all judgements. A fault closes an enforcing gate (and any
/// gate where it is about digest or lock), then a deny, then a pending one.
pub fn decide<'a>(judgements: impl IntoIterator<Item = &'a Judgement>) -> Decision {
    let mut decision = Decision::Open;
    for judgement in judgements {
        let enforce = judgement.policy.mode == Mode::Enforce;
        let this = match &judgement.result {
            Err(fault) if enforce || fault.always_closes => return Decision::Faulty,
            Ok(Outcome::Evaluated(findings))
                if enforce && findings.iter().any(|f| f.effect == Effect::Deny) =>
            {
                Decision::Closed
            }
            Ok(Outcome::Pending { .. }) if enforce => Decision::Pending,
            _ => Decision::Open,
        };
        decision = match (decision, this) {
            (Decision::Closed, _) | (_, Decision::Closed) => Decision::Closed,
            (Decision::Pending, _) | (_, Decision::Pending) => Decision::Pending,
            _ => Decision::Open,
        };
    }
    decision
}
