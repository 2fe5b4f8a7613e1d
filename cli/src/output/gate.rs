//! A judged change, as text and as JSON.

use gitops_core::plan::printable;
use schemars::JsonSchema;
use serde::Serialize;

use super::promotion::{PreviewDoc, judged};
use super::verdict::{RefusalDoc, decision_word};
use super::{Bound, Paint, Terminal, json, schema};
use crate::operations::gate::{Inspected, Inspection};

/// Each environment that the change touches, then the decision.
pub(crate) fn text(inspection: &Inspection<'_>, terminal: Terminal) -> String {
    let mut text = String::new();
    let (base, head) = (inspection.base.short(), inspection.head.short());
    for Inspected { environment, preview, .. } in &inspection.environments {
        text.push_str(&terminal.paint(Paint::Bold, &environment.name));
        text.push('\n');
        let bound = &mut Bound::new(true);
        text.push_str(&judged(preview, &environment.name, &base, &head, bound, terminal));
        text.push('\n');
    }
    for refusal in &inspection.refusals {
        let code = terminal.paint(Paint::Error, refusal.code);
        text.push_str(&format!("{code}: {}\n", refusal.message));
    }
    for claimed in &inspection.claimed_overrides {
        let word = terminal.paint(Paint::Warning, "claimed");
        text.push_str(&format!(
            "{word}: Gate-Override: {}: anybody can write that, so no gate heeds it here\n",
            printable(claimed)
        ));
    }
    let files = match inspection.files {
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    let environments = match inspection.environments.len() {
        0 => "no environment".to_owned(),
        1 => "1 environment".to_owned(),
        count => format!("{count} environments"),
    };
    text.push_str(&format!(
        "{base}..{head}: {files}, {environments}, {}\n",
        decision_word(inspection.decision())
    ));
    text
}

/// A change, judged in each environment that it touches.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DecisionDoc<'a> {
    base: String,
    head: String,
    #[schemars(schema_with = "schema::decisions")]
    decision: &'static str,
    /// How many files differ.
    files: usize,
    refusals: Vec<RefusalDoc<'a>>,
    /// What commits say about gates, which no gate heeds here.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    claimed_overrides: &'a [String],
    environments: Vec<JudgedDoc<'a>>,
}

impl json::Body for DecisionDoc<'_> {
    const KIND: &'static str = "Decision";
}

/// What the change does to an environment, and whether it may.
#[derive(Serialize, JsonSchema)]
struct JudgedDoc<'a> {
    environment: &'a str,
    #[serde(flatten)]
    preview: PreviewDoc<'a>,
}

/// One document of kind `Decision`.
pub(crate) fn document(inspection: &Inspection<'_>) -> String {
    let environments = inspection.environments.iter().map(|one| JudgedDoc {
        environment: &one.environment.name,
        preview: PreviewDoc::from(&one.preview),
    });
    json::document(&DecisionDoc {
        base: inspection.base.to_string(),
        head: inspection.head.to_string(),
        decision: decision_word(inspection.decision()),
        files: inspection.files,
        refusals: inspection.refusals.iter().map(RefusalDoc::from).collect(),
        claimed_overrides: &inspection.claimed_overrides,
        environments: environments.collect(),
    })
}
