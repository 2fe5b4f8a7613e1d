//! What clients asked of the server, from its audit log.

use serde::Deserialize;

/// The policy: one event a request, written before the request is handled, so
/// that whoever has an answer finds its request in the log. No bodies.
pub(crate) const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [ResponseStarted, ResponseComplete, Panic]
rules:
- level: Metadata
";

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// The server's verb: `get`, `list`, `watch`, `create`, `update`, `patch`,
    /// `delete`, `deletecollection`, or the lower-case HTTP method for what is
    /// no resource.
    pub verb: String,
    /// Path and query as sent.
    pub uri: String,
    /// Who asked, before impersonation.
    pub user: String,
    /// Plural of the resource; `None` for what is no resource.
    pub resource: Option<String>,
}

impl AuditEntry {
    /// Whether the request stores nothing: a read, a dry run, or a
    /// SelfSubjectAccessReview. `watch` is no read of ours.
    pub fn is_harmless(&self) -> bool {
        let (path, query) = self.uri.split_once('?').unwrap_or((&self.uri, ""));
        matches!(self.verb.as_str(), "get" | "list")
            || query.split('&').any(|pair| pair == "dryRun=All")
            || (self.verb == "create"
                && path.starts_with("/apis/authorization.k8s.io/")
                && path.ends_with("/selfsubjectaccessreviews"))
    }
}

/// The entries of a log, one JSON event a line.
pub(crate) fn parse(log: &str) -> Result<Vec<AuditEntry>, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Event {
        verb: String,
        #[serde(rename = "requestURI")]
        request_uri: String,
        user: User,
        object_ref: Option<ObjectRef>,
    }
    #[derive(Deserialize)]
    struct User {
        username: Option<String>,
    }
    #[derive(Deserialize)]
    struct ObjectRef {
        resource: Option<String>,
    }
    log.lines()
        .map(|line| {
            let event: Event = serde_json::from_str(line)?;
            Ok(AuditEntry {
                verb: event.verb,
                uri: event.request_uri,
                user: event.user.username.unwrap_or_default(),
                resource: event.object_ref.and_then(|object| object.resource),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn entry(verb: &str, uri: &str) -> AuditEntry {
        AuditEntry { verb: verb.into(), uri: uri.into(), user: "tool".into(), resource: None }
    }

    #[test]
    fn a_write_is_told_from_a_dry_run() {
        let path = "/api/v1/namespaces/a/configmaps/b";
        assert!(entry("get", path).is_harmless());
        assert!(entry("patch", &format!("{path}?fieldManager=x&dryRun=All")).is_harmless());
        assert!(!entry("patch", &format!("{path}?fieldManager=dryRun=All")).is_harmless());
        assert!(!entry("patch", path).is_harmless());
        assert!(!entry("delete", path).is_harmless());
        let review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        assert!(entry("create", review).is_harmless());
        assert!(!entry("create", "/apis/x/v1/selfsubjectaccessreviews").is_harmless());
    }

    #[test]
    fn a_logged_event_is_read() {
        let line = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"x","stage":"RequestReceived","requestURI":"/api?timeout=32s","verb":"get","user":{"username":"setup","groups":["system:masters"]},"sourceIPs":["127.0.0.1"]}"#;
        assert_eq!(
            parse(line).unwrap(),
            [AuditEntry {
                verb: "get".into(),
                uri: "/api?timeout=32s".into(),
                user: "setup".into(),
                resource: None
            }]
        );
        assert!(parse("not json").is_err());
    }
}
