//! A guest's answer into core nouns: held to its limits, escaped, and given
//! the place in Git.

use std::collections::BTreeSet;

use gitops_core::judge::{Effect, Fault, Finding, Outcome, Severity, Subject};
use gitops_core::key::{ObjectKey, group_of};

use crate::carry::wit;
use crate::limits::{Bytes, Limits};
use crate::locate::locate;
use crate::text::{escape_json, escape_line, escape_lines};

/// Reads answers of one policy.
pub(crate) struct Reader<'a> {
    pub(crate) limits: &'a Limits,
    /// The codes that its manifest lists; empty where it lists none.
    pub(crate) codes: &'a BTreeSet<String>,
    pub(crate) subject: &'a Subject,
}

impl Reader<'_> {
    pub(crate) fn read(
        &self,
        answer: Result<wit::Outcome, wit::PolicyError>,
    ) -> Result<Outcome, Fault> {
        match answer {
            Ok(wit::Outcome::Evaluated(findings)) => self.findings(findings),
            Ok(wit::Outcome::NotApplicable(reason)) => {
                Ok(Outcome::NotApplicable(self.line("reason", &reason)?))
            }
            Ok(wit::Outcome::Pending(pending)) => Ok(Outcome::Pending {
                reason: self.line("reason", &pending.reason)?,
                not_before: pending.not_before.map(|at| timestamp(&at)).transpose()?,
            }),
            Err(error) => Err(Self::own_error(&error)),
        }
    }

    /// The policy says itself that it cannot answer.
    fn own_error(error: &wit::PolicyError) -> Fault {
        let (kind, word, text) = match error {
            wit::PolicyError::InvalidSettings(text) => ("settings", "invalid settings", text),
            wit::PolicyError::InvalidInput(text) => ("policy", "invalid input", text),
            wit::PolicyError::DependencyUnavailable(text) => ("policy", "unavailable", text),
            wit::PolicyError::Internal(text) => ("policy", "internal error", text),
        };
        let text = crate::text::excerpt(text, 1000);
        crate::text::fault(kind, format!("it reports {word}: {text}"))
    }

    fn findings(&self, findings: Vec<wit::Finding>) -> Result<Outcome, Fault> {
        let (count, limit) = (findings.len(), self.limits.findings);
        if count > limit {
            return Err(fault(format!("{count} findings; the limit is {limit}")));
        }
        findings
            .into_iter()
            .map(|finding| self.finding(finding))
            .collect::<Result<_, _>>()
            .map(Outcome::Evaluated)
    }

    fn finding(&self, finding: wit::Finding) -> Result<Finding, Fault> {
        self.code(&finding.code)?;
        let pointer = finding.pointer.map(|pointer| self.pointer(&pointer)).transpose()?;
        let object = finding.object.map(|object| self.object(&object)).transpose()?;
        let source =
            object.as_ref().and_then(|(_, key)| locate(self.subject, key, pointer.as_deref()));
        Ok(Finding {
            effect: match finding.effect {
                wit::Effect::Deny => Effect::Deny,
                wit::Effect::Warn => Effect::Warn,
                wit::Effect::Info => Effect::Info,
            },
            code: finding.code,
            severity: match finding.severity {
                wit::Severity::Critical => Severity::Critical,
                wit::Severity::High => Severity::High,
                wit::Severity::Medium => Severity::Medium,
                wit::Severity::Low => Severity::Low,
                wit::Severity::Informational => Severity::Informational,
            },
            message: escape_lines(self.short("message", &finding.message)?),
            object,
            pointer,
            source,
            remediation: finding.remediation.map(|fix| self.remediation(&fix)).transpose()?,
            evidence: finding.evidence.map(|json| self.evidence(&json)).transpose()?,
        })
    }

    fn code(&self, code: &str) -> Result<(), Fault> {
        let good = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if code.is_empty() || code.len() > 100 || !code.bytes().all(good) {
            let code = crate::text::excerpt(code, 100);
            return Err(fault(format!(
                "the code `{code}` of a finding is not of `a-z`, `0-9` and `-`, up to 100 of them"
            )));
        }
        if !self.codes.is_empty() && !self.codes.contains(code) {
            return Err(fault(format!(
                "the code `{code}` of a finding is not listed in its policy.yaml"
            )));
        }
        Ok(())
    }

    fn pointer(&self, pointer: &str) -> Result<String, Fault> {
        let line = self.line("pointer", pointer)?;
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(fault(format!("`{line}` is no JSON pointer")));
        }
        Ok(line)
    }

    fn object(&self, object: &wit::ObjectRef) -> Result<(String, ObjectKey), Fault> {
        let api_version = self.line("apiVersion", &object.api_version)?;
        let key = ObjectKey {
            group: group_of(&api_version).to_owned(),
            kind: self.line("kind", &object.kind)?,
            namespace: match &object.namespace {
                Some(namespace) => Some(self.line("namespace", namespace)?),
                None => None,
            },
            name: self.line("name", &object.name)?,
        };
        Ok((api_version, key))
    }

    fn remediation(&self, fix: &wit::Remediation) -> Result<String, Fault> {
        let summary = escape_lines(self.short("remediation", &fix.summary)?);
        Ok(match &fix.url {
            Some(url) => format!("{summary} ({})", self.line("url", url)?),
            None => summary,
        })
    }

    fn evidence(&self, json: &str) -> Result<serde_json::Value, Fault> {
        let limit = self.limits.evidence;
        if json.len() > limit {
            return Err(too_long("evidence", json.len(), limit));
        }
        serde_json::from_str(json)
            .map(escape_json)
            .map_err(|error| fault(format!("evidence is no JSON: {error}")))
    }

    fn line(&self, what: &str, text: &str) -> Result<String, Fault> {
        self.short(what, text).map(escape_line)
    }

    fn short<'t>(&self, what: &str, text: &'t str) -> Result<&'t str, Fault> {
        let limit = self.limits.message;
        if text.len() > limit { Err(too_long(what, text.len(), limit)) } else { Ok(text) }
    }
}

fn timestamp(text: &str) -> Result<String, Fault> {
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => Ok(at.to_string()),
        Err(_) => {
            let text = crate::text::excerpt(text, 100);
            Err(fault(format!("`{text}` is no time of RFC 3339")))
        }
    }
}

fn too_long(what: &str, length: usize, limit: usize) -> Fault {
    fault(format!("{what} of {}; the limit is {}", Bytes(length as u64), Bytes(limit as u64)))
}

fn fault(message: String) -> Fault {
    crate::text::fault("output", message)
}
