//! What is known of each change of an environment.

use std::collections::BTreeMap;

use gitops_core::plan::printable;
use schemars::JsonSchema;
use serde::Serialize;

use super::history::{second, words};
use super::{Paint, Terminal, json, schema};
use crate::operations::audit::{Audited, Finding};

/// A block a change, newest first, and how many there are of each finding.
pub(crate) fn text(audited: &[Audited], terminal: Terminal) -> String {
    if audited.is_empty() {
        return "nothing was deployed\n".to_owned();
    }
    let mut text = String::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for Audited { deployments, finding, reasons } in audited {
        *counts.entry(finding.word()).or_default() += 1;
        let paint = match finding {
            Finding::Proven => Paint::Added,
            Finding::Claimed | Finding::Unknown => Paint::Warning,
            Finding::Refuted => Paint::Removed,
        };
        let commit = &deployments[0].commit;
        text.push_str(&format!(
            "{}  {}  {}  by {}\n",
            terminal.paint(paint, finding.word()),
            commit.id.short(),
            second(deployments[0].at),
            printable(&commit.author.who.name),
        ));
        for deployment in deployments {
            let version = |version: &Option<String>| match version {
                Some(version) => printable(version),
                None => "none".to_owned(),
            };
            text.push_str(&format!(
                "  {} {} → {}, {}\n",
                printable(&deployment.app),
                version(&deployment.before),
                version(&deployment.version),
                words(&deployment.how),
            ));
        }
        for reason in reasons {
            text.push_str(&format!("    {}\n", printable(reason)));
        }
    }
    let counts: Vec<String> =
        counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    text.push_str(&format!("{}\n", counts.join(", ")));
    text
}

/// What is known of each change of an environment, newest first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AuditDoc<'a> {
    environment: &'a str,
    changes: Vec<AuditedDoc<'a>>,
}

impl json::Body for AuditDoc<'_> {
    const KIND: &'static str = "Audit";
}

/// A commit that changed the environment.
#[derive(Serialize, JsonSchema)]
struct AuditedDoc<'a> {
    commit: String,
    /// RFC 3339, UTC.
    at: String,
    author: &'a str,
    #[schemars(schema_with = "schema::findings")]
    finding: &'a str,
    reasons: &'a [String],
    apps: Vec<AppDoc<'a>>,
}

/// An app whose version changed.
#[derive(Serialize, JsonSchema)]
struct AppDoc<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
}

/// One JSON document of kind `Audit`.
pub(crate) fn document(environment: &str, audited: &[Audited]) -> String {
    let changes = audited
        .iter()
        .map(|audited| {
            let commit = &audited.deployments[0].commit;
            AuditedDoc {
                commit: commit.id.to_string(),
                at: second(audited.deployments[0].at),
                author: &commit.author.who.name,
                finding: audited.finding.word(),
                reasons: &audited.reasons,
                apps: audited
                    .deployments
                    .iter()
                    .map(|deployment| AppDoc {
                        name: &deployment.app,
                        before: deployment.before.as_deref(),
                        version: deployment.version.as_deref(),
                    })
                    .collect(),
            }
        })
        .collect();
    json::document(&AuditDoc { environment, changes })
}
