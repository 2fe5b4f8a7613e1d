//! What was deployed, and what that comes to.

use gitops_core::history::{Record, Spread};
use gitops_core::plan::printable;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Terminal, json, schema, table};
use crate::operations::history::{Deployment, How};

/// What is shown.
pub(crate) struct Answer {
    /// Newest first.
    pub(crate) deployments: Vec<Deployment>,
    /// How many there are in all.
    pub(crate) total: usize,
    pub(crate) records: Vec<Record>,
    /// RFC 3339, UTC.
    pub(crate) now: String,
}

/// Two tables: what arrived, newest first; and figures by app and environment.
pub(crate) fn text(answer: &Answer, terminal: Terminal) -> String {
    if answer.deployments.is_empty() {
        return "nothing was deployed\n".to_owned();
    }
    let mut rows =
        vec![["WHEN (UTC)", "APP", "ENV", "BEFORE → AFTER", "HOW", "COMMIT"].map(str::to_owned)];
    for deployment in &answer.deployments {
        let version = |version: &Option<String>| match version {
            Some(version) => printable(version),
            None => "none".to_owned(),
        };
        rows.push([
            minute(deployment.at),
            printable(&deployment.app),
            deployment.environment.clone(),
            format!("{} → {}", version(&deployment.before), version(&deployment.version)),
            words(&deployment.how),
            deployment.commit.id.short(),
        ]);
    }
    let mut text = table::table(&rows, terminal);
    let hidden = answer.total - answer.deployments.len();
    if hidden > 0 {
        text.push_str(&format!("{hidden} earlier ones are not shown; `--limit 0` shows all\n"));
    }
    let mut rows = vec![
        ["APP", "ENV", "DEPLOYED", "ROLLED BACK", "EVERY", "PROMOTED", "LEAD TIME", "90 % WITHIN"]
            .map(str::to_owned),
    ];
    for record in &answer.records {
        let spread = |spread: Option<Spread>, pick: fn(Spread) -> i64| {
            spread.map_or("-".to_owned(), |spread| span(pick(spread)))
        };
        rows.push([
            printable(&record.app),
            record.environment.clone(),
            record.deployments.to_string(),
            record.rollbacks.to_string(),
            spread(record.interval, |spread| spread.median),
            record
                .promoted
                .map_or("-".to_owned(), |(taken, offered)| format!("{taken} of {offered}")),
            spread(record.lead, |spread| spread.median),
            spread(record.lead, |spread| spread.p90),
        ]);
    }
    text.push('\n');
    text.push_str(&table::table(&rows, terminal));
    text
}

pub(super) fn words(how: &How) -> String {
    match how {
        How::Promoted { from, .. } => format!("from {}", printable(from)),
        How::Released => "release".to_owned(),
        How::RolledBack => "rollback".to_owned(),
        How::First => "first".to_owned(),
        How::Changed => "by hand".to_owned(),
    }
}

/// What was deployed, newest first, and what that comes to.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HistoryDoc<'a> {
    /// When this was asked: RFC 3339, UTC.
    at: &'a str,
    deployments: Vec<DeploymentDoc<'a>>,
    /// How many there are, with those that are not shown.
    total: usize,
    records: Vec<RecordDoc<'a>>,
}

impl json::Body for HistoryDoc<'_> {
    const KIND: &'static str = "History";
}

/// A version that arrived in an environment.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DeploymentDoc<'a> {
    app: &'a str,
    environment: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    /// RFC 3339, UTC.
    at: String,
    commit: String,
    author: &'a str,
    #[schemars(schema_with = "schema::ways")]
    how: &'a str,
    /// The environment that it was promoted from.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    /// Whether the commit says so; otherwise it follows from the trees.
    claimed: bool,
    moves: Vec<MovedDoc<'a>>,
}

/// A value that moved.
#[derive(Serialize, JsonSchema)]
struct MovedDoc<'a> {
    #[schemars(schema_with = "schema::moved")]
    what: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a str>,
}

/// The figures of an app in an environment.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RecordDoc<'a> {
    app: &'a str,
    environment: &'a str,
    deployments: usize,
    rollbacks: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<SpreadDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    promoted: Option<ShareDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead_time: Option<SpreadDoc>,
}

/// How many of the versions that the environment before had were taken.
#[derive(Serialize, JsonSchema)]
struct ShareDoc {
    versions: usize,
    offered: usize,
}

/// A distribution, in seconds.
#[derive(Serialize, JsonSchema)]
struct SpreadDoc {
    count: usize,
    min: i64,
    median: i64,
    p90: i64,
    max: i64,
}

/// One JSON document of kind `History`.
pub(crate) fn document(answer: &Answer) -> String {
    let spread =
        |Spread { count, min, median, p90, max }| SpreadDoc { count, min, median, p90, max };
    fn entry(deployment: &Deployment) -> DeploymentDoc<'_> {
        let (how, from, claimed) = match &deployment.how {
            How::Promoted { from, claimed } => ("promote", Some(from.as_str()), *claimed),
            How::Released => ("release", None, true),
            How::RolledBack => ("rollback", None, true),
            How::First => ("first", None, false),
            How::Changed => ("other", None, false),
        };
        let moves = deployment.moves.iter().map(|moved| MovedDoc {
            what: moved.what.word(),
            name: &moved.name,
            before: moved.before.as_deref(),
            after: moved.after.as_deref(),
        });
        DeploymentDoc {
            app: &deployment.app,
            environment: &deployment.environment,
            before: deployment.before.as_deref(),
            version: deployment.version.as_deref(),
            at: second(deployment.at),
            commit: deployment.commit.id.to_string(),
            author: &deployment.commit.author.who.name,
            how,
            from,
            claimed,
            moves: moves.collect(),
        }
    }
    let records = answer.records.iter().map(|record| RecordDoc {
        app: &record.app,
        environment: &record.environment,
        deployments: record.deployments,
        rollbacks: record.rollbacks,
        interval: record.interval.map(spread),
        promoted: record.promoted.map(|(versions, offered)| ShareDoc { versions, offered }),
        lead_time: record.lead.map(spread),
    });
    json::document(&HistoryDoc {
        at: &answer.now,
        deployments: answer.deployments.iter().map(entry).collect(),
        total: answer.total,
        records: records.collect(),
    })
}

pub(super) fn second(seconds: i64) -> String {
    format_time(seconds, "%Y-%m-%dT%H:%M:%SZ")
}

fn minute(seconds: i64) -> String {
    format_time(seconds, "%Y-%m-%d %H:%M")
}

/// A commit may claim any time, even one that no calendar has.
fn format_time(seconds: i64, format: &str) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| format!("@{seconds}"), |time| time.strftime(format).to_string())
}

/// A duration in its two largest units.
fn span(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds.max(0);
    let mut words = Vec::new();
    for (size, unit) in units {
        if rest >= size && words.len() < 2 {
            words.push(format!("{}{unit}", rest / size));
            rest %= size;
        } else if !words.is_empty() {
            break;
        }
    }
    if words.is_empty() { "0s".to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_two_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_661, "1h 1m"),
            (86_400, "1d"),
            (86_460, "1d"),
            (200_000, "2d 7h"),
            (-5, "0s"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
