//! Who holds which environment, as text and as JSON.

use gitops_core::gate::{Hold, moment};
use gitops_core::plan::printable;
use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::json;

use super::json as mirrors;
use super::{Paint, Terminal, schema};
use crate::config::STATE_BRANCH;
use crate::operations::holds::{Done, Kept, same, told};

fn line(hold: &Hold, now: Timestamp) -> String {
    printable(&told(hold, now))
}

/// A line a hold.
pub(crate) fn list(kept: &[Kept], now: Timestamp, terminal: Terminal) -> String {
    let mut text = String::new();
    for kept in kept {
        match &kept.hold {
            Ok(hold) => text.push_str(&format!("{}\n", line(hold, now))),
            Err(reason) => {
                let word = terminal.paint(Paint::Error, "unreadable");
                text.push_str(&format!("{word}: {}\n", printable(reason)));
            }
        }
    }
    if text.is_empty() {
        text.push_str("nobody holds anything\n");
    }
    text
}

fn did(done: &Done) -> String {
    match done {
        Done::Stands => "nothing to do".to_owned(),
        Done::Pushed(commit) => format!("pushed {} to {STATE_BRANCH}", commit.short()),
        Done::Planned => format!("would be pushed to {STATE_BRANCH}"),
    }
}

/// What came of a hold.
pub(crate) fn taken(hold: &Hold, before: &[Kept], done: &Done, now: Timestamp) -> String {
    let old = before
        .iter()
        .filter(|kept| kept.path == hold.path())
        .find_map(|kept| kept.hold.as_ref().ok());
    match (done, old) {
        (Done::Stands, Some(old)) => format!("{}: {}\n", did(done), line(old, now)),
        (_, Some(old)) if !same(old, hold) => {
            format!("{}\ninstead of: {}\n{}\n", line(hold, now), line(old, now), did(done))
        }
        _ => format!("{}\n{}\n", line(hold, now), did(done)),
    }
}

/// What came of taking holds back.
pub(crate) fn freed(
    environment: &str,
    owner: &str,
    freed: &[&Hold],
    done: &Done,
    now: Timestamp,
) -> String {
    if *done == Done::Stands {
        return format!("{}: {} does not hold {environment}\n", did(done), printable(owner));
    }
    let word = if *done == Done::Planned { "would resume" } else { "resumed" };
    let mut text = String::new();
    for hold in freed {
        text.push_str(&format!("{word}: {}\n", line(hold, now)));
    }
    text.push_str(&format!("{}\n", did(done)));
    text
}

/// Somebody wants no promotion into an environment.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct HoldDoc<'a> {
    environment: &'a str,
    /// The apps; all of them where absent.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    apps: &'a [String],
    owner: &'a str,
    reason: &'a str,
    /// RFC 3339, UTC.
    since: String,
    /// Until when; until it is taken back where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    expired: bool,
}

impl<'a> HoldDoc<'a> {
    fn new(hold: &'a Hold, now: Timestamp) -> HoldDoc<'a> {
        HoldDoc {
            environment: &hold.environment,
            apps: &hold.apps,
            owner: &hold.owner,
            reason: &hold.reason,
            since: moment(hold.since),
            expires: hold.expires.map(moment),
            expired: !hold.counts(now),
        }
    }
}

/// Who holds what.
#[derive(Serialize, JsonSchema)]
pub(crate) struct HoldListDoc<'a> {
    holds: Vec<HoldDoc<'a>>,
    /// Why files of holds could not be read; each of them closes gates.
    unreadable: Vec<&'a str>,
}

impl mirrors::Body for HoldListDoc<'_> {
    const KIND: &'static str = "HoldList";
}

/// What was done about holds.
#[derive(Serialize, JsonSchema)]
pub(crate) struct HoldReceiptDoc<'a> {
    #[schemars(schema_with = "schema::hold_outcomes")]
    outcome: &'static str,
    branch: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    holds: Vec<HoldDoc<'a>>,
}

impl mirrors::Body for HoldReceiptDoc<'_> {
    const KIND: &'static str = "HoldReceipt";
}

/// The schema of a file of the state branch, as [`Hold::read`] takes it.
pub(crate) fn file(_: SchemaGenerator) -> Schema {
    // Any scalar is a text, as it is written.
    let text = json!({"type": ["string", "number", "boolean"], "pattern": "\\S"});
    let time = |what: &str| json!({"type": "string", "format": "date-time", "description": what});
    json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": "Somebody wants no promotion into an environment.",
        "type": "object",
        "properties": {
            "environment": text,
            "apps": {
                "description": "The apps; all of them where absent.",
                "type": "array",
                "items": {"type": ["string", "number", "boolean"], "minLength": 1},
                "minItems": 1,
            },
            "owner": text,
            "reason": text,
            "since": time("Since when."),
            "expires": time("Until when; until it is taken back where absent."),
        },
        "required": ["environment", "owner", "reason", "since"],
    })
}

/// All holds as one document of kind `HoldList`.
pub(crate) fn document(kept: &[Kept], now: Timestamp) -> String {
    let holds = kept.iter().filter_map(|kept| kept.hold.as_ref().ok());
    let unreadable = kept.iter().filter_map(|kept| kept.hold.as_ref().err());
    mirrors::document(&HoldListDoc {
        holds: holds.map(|hold| HoldDoc::new(hold, now)).collect(),
        unreadable: unreadable.map(String::as_str).collect(),
    })
}

/// What was done, as one document of kind `HoldReceipt`.
pub(crate) fn receipt(holds: &[&Hold], done: &Done, now: Timestamp) -> String {
    let (outcome, commit) = match done {
        Done::Stands => ("stands", None),
        Done::Planned => ("planned", None),
        Done::Pushed(commit) => ("pushed", Some(commit.to_string())),
    };
    let holds = holds.iter().map(|hold| HoldDoc::new(hold, now)).collect();
    mirrors::document(&HoldReceiptDoc { outcome, branch: STATE_BRANCH, commit, holds })
}
