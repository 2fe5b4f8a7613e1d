use clap::Args;
use gitops_core::gate::moment;
use gitops_core::history::{Stage, records};

use super::Format;
use crate::config::Environment;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::operations::desired::unknown_environment;
use crate::operations::history::{Deployment, history};
use crate::operations::trust::Trust;
use crate::output::history::{self as output, Answer};

/// Show what was deployed where, when and how, and how long it took
///
/// Read from the trees along each environment's branch: squashed and rebased
/// requests, edited messages and direct pushes are all there. What commits say
/// of themselves is only added. Without APP, every app is shown.
///
/// The lead time of a version is the time from its first arrival in any
/// environment to its first arrival in this one.
///
/// Examples:
///   kubectl gitops history web
///   kubectl gitops history --env prod --since 30d
///   kubectl gitops history -o json
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct HistoryArgs {
    /// The apps; all of them without any
    #[arg(value_name = "APP")]
    apps: Vec<String>,
    /// Only this environment; may be repeated
    #[arg(long, value_name = "ENV")]
    env: Vec<String>,
    /// Only what arrived since then: a date, a time, or an age such as `30d`
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Show so many deployments; 0 for all
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(super) fn run(context: &Context, args: HistoryArgs) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    let now = jiff::Timestamp::now();
    let since = args.since.as_deref().map(|text| since(text, now)).transpose()?;
    let trust = Trust::open(context)?;
    let config = &trust.config;
    let wanted: Vec<&Environment> = if args.env.is_empty() {
        config.environments.iter().collect()
    } else {
        let named = args.env.iter().map(|name| config.environment(name));
        named.collect::<Result<_, _>>().map_err(unknown_environment)?
    };
    // All are read, since versions come from those that are not shown.
    let all: Vec<&Environment> = config.environments.iter().collect();
    let found = history(&trust, &all)?;
    for remark in &found.remarks {
        terminal.warn(remark);
    }
    for name in &args.apps {
        if !found.deployments.iter().any(|deployment| deployment.app == *name) {
            let mut known: Vec<&str> =
                found.deployments.iter().map(|deployment| deployment.app.as_str()).collect();
            known.sort_by_key(|other| (strsim::damerau_levenshtein(other, name), *other));
            known.dedup();
            let failure = Failure::usage(format!(
                "no environment ever held an app `{}`",
                name.escape_debug()
            ));
            return Err(match known.as_slice() {
                [] => failure,
                known => {
                    failure.hint(format!("known are {}", known[..known.len().min(10)].join(", ")))
                }
            });
        }
    }
    let stages: Vec<Stage> = config
        .environments
        .iter()
        .map(|environment| Stage {
            name: environment.name.clone(),
            after: environment.after.names().to_vec(),
        })
        .collect();
    let shown = |app: &str, environment: &str| {
        (args.apps.is_empty() || args.apps.iter().any(|name| name == app))
            && wanted.iter().any(|wanted| wanted.name == environment)
    };
    let arrivals: Vec<_> = found.deployments.iter().filter_map(Deployment::arrival).collect();
    let mut records = records(&stages, &arrivals, since);
    records.retain(|record| shown(&record.app, &record.environment));
    let mut deployments = found.deployments;
    deployments.retain(|deployment| {
        shown(&deployment.app, &deployment.environment)
            && since.is_none_or(|since| deployment.at >= since)
    });
    deployments.reverse();
    let total = deployments.len();
    if args.limit > 0 {
        deployments.truncate(args.limit);
    }
    let answer = Answer { deployments, total, records, now: moment(now) };
    terminal.answer(&match args.output {
        Format::Text => output::text(&answer, terminal),
        Format::Json => output::document(&answer),
    })?;
    Ok(Exit::Yes)
}

/// Seconds since 1970 of a date, a time, or an age.
fn since(text: &str, now: jiff::Timestamp) -> Result<i64, Failure> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time.as_second());
    }
    let utc = jiff::tz::TimeZone::UTC;
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && let Ok(time) = date.to_zoned(utc.clone())
    {
        return Ok(time.timestamp().as_second());
    }
    let age = text.parse::<jiff::Span>().ok().filter(|span| !span.is_negative());
    if let Some(age) = age
        && let Ok(time) = now.to_zoned(utc).checked_sub(age)
    {
        return Ok(time.timestamp().as_second());
    }
    Err(Failure::usage(format!("`--since {}` is no point in time", text.escape_debug()))
        .hint("write `2026-11-01`, `2026-11-01T08:00:00Z`, or an age: `12h`, `30d`, `6mo`"))
}
