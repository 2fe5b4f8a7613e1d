//! A diff, as text and as JSON.

use std::collections::BTreeMap;

use gitops_core::change::{Action, Change, ChangeSet};
use gitops_core::diff::unified;
use gitops_core::plan::printable;
use schemars::JsonSchema;
use serde::Serialize;

use super::json::{self, ChangeDoc};
use super::{Bound, Paint, Terminal, schema};

/// One comparison: what was compared with what, and what differs.
pub(crate) struct Comparison {
    /// The side before, in words: `cluster kind-dev`, `dev`, `v1.0`.
    pub(crate) before: String,
    /// The side after, in words: `work tree`, `main at 1a2b3c4`.
    pub(crate) after: String,
    /// The environment, where it is about one.
    pub(crate) environment: Option<String>,
    /// What differs.
    pub(crate) changes: ChangeSet,
    /// How many objects were proved unchanged without asking the server.
    pub(crate) proved: usize,
}

impl Comparison {
    /// `2 configured, 1 created, 12 unchanged`, or `no objects`.
    pub(crate) fn summary(&self) -> String {
        let order = [
            Action::Created,
            Action::Configured,
            Action::Replaced,
            Action::Deleted,
            Action::Error,
            Action::Unverified,
            Action::Skipped,
            Action::Unchanged,
        ];
        let counts: Vec<String> = order
            .into_iter()
            .map(|action| (self.changes.count(action), action.word()))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| match (count, word) {
                (1, "error") => "1 error".to_owned(),
                (count, "error") => format!("{count} errors"),
                (count, word) => format!("{count} {word}"),
            })
            .collect();
        if counts.is_empty() { "no objects".to_owned() } else { counts.join(", ") }
    }
}

/// The answer as text: each object that differs with its unified diff, then
/// each that could not be compared. Empty where nothing differs.
pub(crate) fn text(comparison: &Comparison, terminal: Terminal) -> String {
    text_within(&mut Bound::new(true), comparison, terminal)
}

/// The same, as much of it as `bound` allows, and what it leaves out. An object
/// that goes, or that could not be compared, is named in any case.
pub(crate) fn text_within(
    bound: &mut Bound,
    comparison: &Comparison,
    terminal: Terminal,
) -> String {
    let mut text = String::new();
    for change in comparison.changes.changes() {
        if change.action == Action::Unchanged {
            continue;
        }
        let alone = change.action.is_difference() && bound.is_reached();
        if alone {
            bound.leave(change.action);
            if matches!(change.action, Action::Created | Action::Configured) {
                continue;
            }
        }
        if !text.is_empty() {
            text.push('\n');
        }
        head(&mut text, change, terminal);
        if change.action.is_difference() && !alone {
            let sides = [
                (Paint::Removed, "---", &comparison.before),
                (Paint::Added, "+++", &comparison.after),
            ];
            for (paint, mark, side) in sides {
                text.push_str(&terminal.paint(paint, &format!("{mark} {side}")));
                text.push('\n');
            }
            body(&mut text, &unified(change, 3), bound, terminal);
        }
    }
    if let Some(left) = bound.told() {
        text.push_str(&format!("\n{left}\n"));
    }
    text
}

/// `configured Deployment/shop/web`, and below it where it stands and as whom
/// it is applied, or why it could not be compared.
fn head(text: &mut String, change: &Change, terminal: Terminal) {
    let title = printable(&format!("{} {}", change.action.word(), change.key));
    let paint = if change.action == Action::Error { Paint::Error } else { Paint::Bold };
    text.push_str(&terminal.paint(paint, &title));
    text.push('\n');
    let mut facts = Vec::new();
    if let Some(source) = &change.source {
        facts.push(terminal.paint(Paint::Place, &printable(&source.to_string())));
    }
    if let Some(manager) = &change.manager {
        facts.push(format!("applied as {}", printable(manager)));
    }
    if !facts.is_empty() {
        text.push_str(&format!("  {}\n", facts.join(", ")));
    }
    places(text, change, terminal);
    if let Some(reason) = &change.reason {
        for line in reason.lines() {
            text.push_str(&format!("  {}\n", printable(line)));
        }
    }
    for warning in &change.warnings {
        let word = terminal.paint(Paint::Warning, "warning:");
        text.push_str(&format!("  {word} {}\n", printable(warning)));
    }
}

/// The lines that set the fields which differ, where that is not the object's
/// own file alone.
fn places(text: &mut String, change: &Change, terminal: Terminal) {
    const SHOWN: usize = 5;
    let own = change.source.as_ref().map(|source| source.path.as_str());
    let mut places: Vec<String> = Vec::new();
    for source in change.fields.iter().filter_map(|field| field.source.as_ref()) {
        let place = source.to_string();
        if own != Some(source.path.as_str()) && !places.contains(&place) {
            places.push(place);
        }
    }
    for place in places.iter().take(SHOWN) {
        let place = terminal.paint(Paint::Place, &printable(place));
        text.push_str(&format!("  set by {place}\n"));
    }
    if places.len() > SHOWN {
        text.push_str(&format!("  and {} more places\n", places.len() - SHOWN));
    }
}

fn body(text: &mut String, unified: &str, bound: &mut Bound, terminal: Terminal) {
    let all = unified.lines().count();
    let shown = bound.take(all);
    for line in unified.lines().take(shown) {
        let line = printable(line);
        let painted = match line.as_bytes().first() {
            Some(b'+') => terminal.paint(Paint::Added, &line),
            Some(b'-') => terminal.paint(Paint::Removed, &line),
            Some(b'@') => terminal.paint(Paint::Place, &line),
            _ => line,
        };
        text.push_str(&painted);
        text.push('\n');
    }
    match all - shown {
        0 => {}
        1 => text.push_str("… 1 more line\n"),
        more => text.push_str(&format!("… {more} more lines\n")),
    }
}

/// What was compared, and what differs.
#[derive(Serialize, JsonSchema)]
pub(crate) struct DiffDoc<'a> {
    comparisons: Vec<ComparisonDoc<'a>>,
}

impl json::Body for DiffDoc<'_> {
    const KIND: &'static str = "Diff";
}

/// One comparison.
#[derive(Serialize, JsonSchema)]
struct ComparisonDoc<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a str>,
    before: &'a str,
    after: &'a str,
    #[schemars(schema_with = "schema::summary")]
    summary: BTreeMap<&'static str, usize>,
    changes: Vec<ChangeDoc<'a>>,
}

/// The answer as one JSON document of kind `Diff`.
pub(crate) fn document(comparisons: &[Comparison]) -> String {
    let comparisons = comparisons
        .iter()
        .map(|comparison| ComparisonDoc {
            environment: comparison.environment.as_deref(),
            before: &comparison.before,
            after: &comparison.after,
            summary: json::summary(&comparison.changes),
            changes: json::changes(&comparison.changes),
        })
        .collect();
    json::document(&DiffDoc { comparisons })
}
