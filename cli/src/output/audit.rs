//! What is known of each change of an environment.

use std::collections::BTreeMap;

use gitops_core::plan::printable;
use serde::Serialize;

use super::history::{second, words};
use super::{Paint, Terminal, json};
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

/// One JSON document of kind `Audit`.
pub(crate) fn document(environment: &str, audited: &[Audited]) -> String {
    #[derive(Serialize)]
    struct Body<'a> {
        environment: &'a str,
        changes: Vec<Entry<'a>>,
    }
    #[derive(Serialize)]
    struct Entry<'a> {
        commit: String,
        at: String,
        author: &'a str,
        finding: &'a str,
        reasons: &'a [String],
        apps: Vec<App<'a>>,
    }
    #[derive(Serialize)]
    struct App<'a> {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<&'a str>,
    }
    let changes = audited
        .iter()
        .map(|audited| {
            let commit = &audited.deployments[0].commit;
            Entry {
                commit: commit.id.to_string(),
                at: second(audited.deployments[0].at),
                author: &commit.author.who.name,
                finding: audited.finding.word(),
                reasons: &audited.reasons,
                apps: audited
                    .deployments
                    .iter()
                    .map(|deployment| App {
                        name: &deployment.app,
                        before: deployment.before.as_deref(),
                        version: deployment.version.as_deref(),
                    })
                    .collect(),
            }
        })
        .collect();
    json::document("Audit", &Body { environment, changes })
}
