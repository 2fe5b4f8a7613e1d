//! Builders of findings, and the JSON of what was asked.

use serde_json::Value;

use crate::types::{
    Change, Effect, Finding, Object, ObjectRef, PolicyError, Remediation, Severity,
};

impl Finding {
    /// A finding that closes an enforcing gate. `code` is the stable id of
    /// the rule, of `[a-z0-9-]+`; waivers name it.
    pub fn deny(code: &str, message: impl Into<String>) -> Finding {
        Finding::new(Effect::Deny, Severity::High, code, message)
    }

    /// A finding that is shown.
    pub fn warn(code: &str, message: impl Into<String>) -> Finding {
        Finding::new(Effect::Warn, Severity::Medium, code, message)
    }

    /// A finding that is noted.
    pub fn info(code: &str, message: impl Into<String>) -> Finding {
        Finding::new(Effect::Info, Severity::Informational, code, message)
    }

    fn new(effect: Effect, severity: Severity, code: &str, message: impl Into<String>) -> Finding {
        Finding {
            effect,
            code: code.to_owned(),
            severity,
            message: message.into(),
            object: None,
            pointer: None,
            remediation: None,
            evidence: None,
        }
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Finding {
        self.severity = severity;
        self
    }

    /// The object it is about.
    #[must_use]
    pub fn on(mut self, object: &ObjectRef) -> Finding {
        self.object = Some(object.clone());
        self
    }

    /// The field it is about, an RFC 6901 pointer into the object. The host
    /// finds file and line from it.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Finding {
        self.pointer = Some(pointer.into());
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn fix(mut self, summary: impl Into<String>) -> Finding {
        self.remediation =
            Some(Remediation { summary: summary.into(), json_patch: None, url: None });
        self
    }

    /// Facts to keep with it.
    #[must_use]
    pub fn evidence(mut self, evidence: &Value) -> Finding {
        self.evidence = Some(evidence.to_string());
        self
    }
}

impl Change {
    /// The object before; `None` when it is created.
    pub fn before_json(&self) -> Result<Option<Value>, PolicyError> {
        self.before.as_deref().map(parse).transpose()
    }

    /// The object after; `None` when it is deleted.
    pub fn after_json(&self) -> Result<Option<Value>, PolicyError> {
        self.after.as_deref().map(parse).transpose()
    }
}

impl Object {
    /// The object.
    pub fn json(&self) -> Result<Value, PolicyError> {
        parse(&self.manifest)
    }
}

fn parse(text: &str) -> Result<Value, PolicyError> {
    serde_json::from_str(text).map_err(|error| PolicyError::InvalidInput(error.to_string()))
}
