//! What can go wrong, and what the server said.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// A request, or the way to it, failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClusterError {
    /// A kubeconfig cannot be read.
    #[error("cannot read the kubeconfig {}: {cause}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why, without any of its text.
        cause: String,
    },
    /// There is no kubeconfig, no `--server`, and this is no pod.
    #[error("no kubeconfig: {} does not exist, and neither --kubeconfig nor KUBECONFIG is given", default.display())]
    NoKubeconfig {
        /// Where it would be.
        default: PathBuf,
    },
    /// No context is chosen.
    #[error("no context is chosen: {files} has no current-context; it has {}", listed(contexts))]
    NoContext {
        /// The kubeconfig files.
        files: String,
        /// The contexts they have.
        contexts: Vec<String>,
    },
    /// A context, cluster or user that the kubeconfig does not have.
    #[error("{files} has no {what} `{name}`; it has {}", listed(known))]
    Unknown {
        /// The kubeconfig files.
        files: String,
        /// `context`, `cluster` or `user`.
        what: &'static str,
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The kubeconfig does not make a usable client.
    #[error("cannot use `{name}` of {files}: {cause}")]
    Unusable {
        /// The kubeconfig files.
        files: String,
        /// The context or server.
        name: String,
        /// Why.
        cause: String,
    },
    /// No connection: refused, no route, no TLS, no credentials.
    #[error("cannot reach {server}: {cause}")]
    Unreachable {
        /// The server's address.
        server: String,
        /// Why.
        cause: String,
    },
    /// No whole answer in time.
    #[error("{what}: {server} did not answer within {} s", after.as_secs_f32())]
    TimedOut {
        /// The request.
        what: String,
        /// The server's address.
        server: String,
        /// The limit.
        after: Duration,
    },
    /// The server does not know who we are.
    #[error("{server} does not accept the credentials: {message}")]
    Unauthorized {
        /// The server's address.
        server: String,
        /// Its word.
        message: String,
    },
    /// The user may not do this.
    #[error("forbidden: {message}")]
    Forbidden {
        /// The server's word.
        message: String,
    },
    /// The server serves no such kind.
    #[error("the cluster serves no {kind} of {api_version}{}", others(served))]
    NotServed {
        /// `apiVersion` asked for.
        api_version: String,
        /// Kind asked for.
        kind: String,
        /// The versions of the group that do have the kind.
        served: Vec<String>,
    },
    /// The server cannot say now which kinds a group has.
    #[error("the cluster cannot say which kinds {api_version} has: {cause}")]
    Stale {
        /// The group and version.
        api_version: String,
        /// Why.
        cause: String,
    },
    /// An object without a name cannot be looked up.
    #[error("a {kind} without metadata.name cannot be compared")]
    NoName {
        /// Its kind.
        kind: String,
    },
    /// The server refused in another way.
    #[error("{what}: {refusal}")]
    Refused {
        /// The request.
        what: String,
        /// Its answer.
        refusal: Box<Refusal>,
    },
    /// A request that is neither a read nor a dry run, which a fault in this
    /// program built. It was not sent.
    #[error("not sent, since it would write to the cluster: {what}; please report this")]
    WouldStore {
        /// The request.
        what: String,
    },
    /// An answer that is not what was asked for.
    #[error("{what}: unexpected answer: {cause}")]
    UnexpectedAnswer {
        /// The request.
        what: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl ClusterError {
    /// Whether no other request is going to fare better: the run should end
    /// with this one error instead of repeating it per object.
    pub fn is_fatal(&self) -> bool {
        !matches!(
            self,
            Self::Forbidden { .. }
                | Self::NotServed { .. }
                | Self::Stale { .. }
                | Self::NoName { .. }
                | Self::Refused { .. }
                | Self::TimedOut { .. }
                | Self::UnexpectedAnswer { .. }
        )
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoContext { .. } | Self::Unknown { what: "context", .. } => {
                Some("choose one with --context, or another file with --kubeconfig".to_owned())
            }
            Self::NoKubeconfig { .. } => {
                Some("name one with --kubeconfig, or the server with --server".to_owned())
            }
            Self::NotServed { served, .. } if served.is_empty() => Some(
                "if its CustomResourceDefinition is part of this change, it can be compared once that is applied"
                    .to_owned(),
            ),
            Self::NotServed { .. } => {
                Some("change the object's apiVersion to one that is served".to_owned())
            }
            Self::TimedOut { .. } => Some("raise --request-timeout".to_owned()),
            _ => None,
        }
    }
}

/// Why the server would not take a write.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApplyError {
    /// Other field managers own fields that the write changes, and it does not force.
    #[error("conflict with other field managers: {}", fields(causes))]
    Conflict {
        /// The fields, and who owns each.
        causes: Vec<Cause>,
    },
    /// The object is not valid.
    #[error("invalid: {message}")]
    Invalid {
        /// The server's word.
        message: String,
        /// Field by field, where the server says so.
        causes: Vec<Cause>,
    },
    /// A field that cannot change once set does: the object must be replaced.
    #[error("immutable: {message}")]
    Immutable {
        /// The server's word.
        message: String,
        /// Field by field, where the server says so.
        causes: Vec<Cause>,
    },
    /// The user may not write this, even as a dry run, or admission denies it.
    #[error("forbidden: {message}")]
    Forbidden {
        /// The server's word.
        message: String,
    },
    /// The namespace is not there.
    #[error("namespace `{namespace}` does not exist")]
    NamespaceMissing {
        /// Its name.
        namespace: String,
    },
    /// A dry run is refused, since an admission webhook would have side
    /// effects; or is not asked for, since the server behind an aggregated API
    /// does not promise to store nothing.
    #[error("no dry run: {message}")]
    NoDryRun {
        /// The server's word.
        message: String,
    },
    /// The write names a state that is no longer the live one.
    #[error("outdated: {message}")]
    Outdated {
        /// The server's word.
        message: String,
    },
    /// The live object kept changing while the server was asked.
    #[error("the object changed {attempts} times while it was compared")]
    Moving {
        /// How often it was tried.
        attempts: u32,
    },
    /// The server refused in another way, or could not be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// One cause in a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The field, as the server writes it, such as `spec.ports[0].port`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// The `Status` with which the server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub code: u16,
    /// Machine-readable reason, such as `NotFound`; empty where the answer has none.
    pub reason: String,
    /// The server's word.
    pub message: String,
    /// Plural (or kind) of the object the refusal is about; may be empty.
    pub kind: String,
    /// Name of that object; may be empty.
    pub name: String,
    /// Field by field, where the server says so.
    pub causes: Vec<Cause>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.reason.as_str() {
            "" => write!(f, "{} (HTTP {})", self.message, self.code),
            reason => write!(f, "{} ({reason})", self.message),
        }
    }
}

impl Refusal {
    /// Reads the body of an answer that is no success. Whatever is not a
    /// `Status` (a proxy's page, plain text) is kept as a message, cut short.
    pub(crate) fn of(code: u16, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Status {
            kind: String,
            #[serde(default)]
            reason: String,
            #[serde(default)]
            message: String,
            #[serde(default)]
            details: Option<Details>,
        }
        #[derive(Deserialize, Default)]
        struct Details {
            #[serde(default)]
            kind: String,
            #[serde(default)]
            name: String,
            #[serde(default)]
            causes: Vec<StatusCause>,
        }
        #[derive(Deserialize)]
        struct StatusCause {
            #[serde(default)]
            field: String,
            #[serde(default)]
            message: String,
        }
        match serde_json::from_slice::<Status>(body) {
            Ok(status) if status.kind == "Status" => {
                let details = status.details.unwrap_or_default();
                Self {
                    code,
                    reason: status.reason,
                    message: status.message,
                    kind: details.kind,
                    name: details.name,
                    causes: details
                        .causes
                        .into_iter()
                        .map(|cause| Cause { field: cause.field, message: cause.message })
                        .collect(),
                }
            }
            _ => {
                let text = String::from_utf8_lossy(body);
                let line = text.lines().next().unwrap_or_default().trim();
                Self {
                    code,
                    reason: String::new(),
                    message: line.chars().take(200).collect(),
                    kind: String::new(),
                    name: String::new(),
                    causes: Vec::new(),
                }
            }
        }
    }

    /// The error of a read.
    pub(crate) fn into_read_error(self: Box<Self>, what: String, server: &str) -> ClusterError {
        match self.code {
            401 => ClusterError::Unauthorized { server: server.to_owned(), message: self.message },
            403 => ClusterError::Forbidden { message: self.message },
            _ => ClusterError::Refused { what, refusal: self },
        }
    }

    /// The error of a write. Rules from `k8s.io/apimachinery/pkg/api/errors`
    /// and, for what is immutable, `fluxcd/pkg/ssa/errors`.
    pub(crate) fn into_apply_error(self: Box<Self>, what: String, server: &str) -> ApplyError {
        let immutable = |text: &str| {
            text.contains("is immutable")
                || text.contains("immutable field")
                || text.contains("updates to statefulset spec for fields other than")
        };
        match (self.code, self.reason.as_str()) {
            (409, "Conflict") if !self.causes.is_empty() => {
                ApplyError::Conflict { causes: self.causes }
            }
            (409, "Conflict") => ApplyError::Outdated { message: self.message },
            (422, _) if immutable(&self.message) => {
                ApplyError::Immutable { message: self.message, causes: self.causes }
            }
            (422, _) => ApplyError::Invalid { message: self.message, causes: self.causes },
            (400, _) if self.message.contains("does not support dry run") => {
                ApplyError::NoDryRun { message: self.message }
            }
            (400, _) => ApplyError::Invalid { message: self.message, causes: self.causes },
            // The server has no better code for a patch that does not fit the schema.
            (500, _) if self.message.starts_with("failed to create typed patch object") => {
                ApplyError::Invalid { message: self.message, causes: self.causes }
            }
            (403, _) => ApplyError::Forbidden { message: self.message },
            (404, "NotFound") if self.kind == "namespaces" => {
                ApplyError::NamespaceMissing { namespace: self.name }
            }
            _ => self.into_read_error(what, server).into(),
        }
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

fn others(served: &[String]) -> String {
    match served {
        [] => String::new(),
        served => format!(", but of {}", served.join(", ")),
    }
}

fn fields(causes: &[Cause]) -> String {
    causes
        .iter()
        .map(|cause| format!("{} ({})", cause.field, cause.message))
        .collect::<Vec<_>>()
        .join(", ")
}
