use clap::Args;
use gitops_core::gate::{Hold, length};
use jiff::Timestamp;

use super::Format;
use crate::config::Environment;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::operations::desired::unknown_environment;
use crate::operations::held::held;
use crate::operations::holds::{self, Take};
use crate::operations::trust::Trust;
use crate::output::holds as output;

/// Stop promotions into an environment, or list who does
///
/// A hold is a file on the branch `gitops-state` of the remote, pushed at once.
/// Several people may hold an environment; it is free when all of them have
/// resumed it or their holds have expired. Without ENV, all holds are listed.
///
/// Examples:
///   kubectl gitops hold prod --reason "incident 42" --for 4h
///   kubectl gitops hold prod --app web --reason "wait for the fix"
///   kubectl gitops hold
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct HoldArgs {
    /// The environment; all holds are listed without it
    #[arg(value_name = "ENV", requires = "reason")]
    environment: Option<String>,
    /// Hold these apps only; may be repeated
    #[arg(long = "app", value_name = "APP", requires = "environment")]
    apps: Vec<String>,
    /// Why; whoever is held up reads it
    #[arg(long, value_name = "TEXT", requires = "environment")]
    reason: Option<String>,
    /// For how long: `4h`, `2d`; without it until it is resumed
    #[arg(long = "for", value_name = "TIME", requires = "environment", conflicts_with = "until")]
    length: Option<String>,
    /// Until when, such as 2026-11-23T09:00:00Z
    #[arg(long, value_name = "TIME", requires = "environment")]
    until: Option<Timestamp>,
    /// Who holds it; your address in Git without it
    #[arg(long, value_name = "NAME", requires = "environment")]
    owner: Option<String>,
    /// Say what would be pushed, and push nothing
    #[arg(long, requires = "environment")]
    dry_run: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(super) fn run(context: &Context, args: &HoldArgs) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    let expires = expires(args, now)?;
    if args.reason.as_deref().is_some_and(|reason| reason.trim().is_empty()) {
        return Err(
            Failure::usage("`--reason` is empty").hint("say why; whoever is held up reads it")
        );
    }
    let trust = Trust::open(context)?;
    let (Some(name), Some(reason)) = (&args.environment, &args.reason) else {
        let kept = holds::all(&trust)?;
        let broken = kept.iter().any(|kept| kept.hold.is_err());
        context.terminal.answer(&match args.output {
            Format::Text => output::list(&kept, now, context.terminal),
            Format::Json => output::document(&kept, now),
        })?;
        return Ok(if broken { Exit::No } else { Exit::Yes });
    };
    let environment = trust.config.environment(name).map_err(unknown_environment)?;
    let apps = apps(&args.apps);
    known(&trust, &apps)?;
    let hold = Hold {
        environment: environment.name.clone(),
        apps,
        owner: owner(&trust, args.owner.as_deref())?,
        reason: reason.trim().to_owned(),
        since: to_the_second(now),
        expires,
    };
    let before = holds::all(&trust)?;
    let done = holds::ensure(&trust, &Take(&hold), now, args.dry_run)?;
    tell_others(context, &before, environment, &hold.owner, now);
    context.terminal.answer(&match args.output {
        Format::Text => output::taken(&hold, &before, &done, now),
        Format::Json => output::receipt(&[&hold], &done, now),
    })?;
    Ok(Exit::Yes)
}

/// Until when the hold stands.
fn expires(args: &HoldArgs, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
    if let Some(text) = &args.length {
        let length = length(text).map_err(|error| {
            Failure::usage(format!("`--for {text}`: {error}")).hint(error.hint())
        })?;
        let end = to_the_second(now).checked_add(length);
        return end.map(Some).map_err(|error| {
            Failure::usage(format!("`--for {text}` ends beyond all time")).because(&error)
        });
    }
    match args.until {
        Some(until) if until <= now => {
            let until = gitops_core::gate::moment(until);
            Err(Failure::usage(format!("`--until {until}` is in the past"))
                .hint("`kubectl gitops resume` takes a hold back"))
        }
        until => Ok(until.map(to_the_second)),
    }
}

/// Refuses to hold an app that no environment has: it would hold nothing.
fn known(trust: &Trust, apps: &[String]) -> Result<(), Failure> {
    let mut missing: Vec<&String> = apps.iter().collect();
    let mut names = Vec::new();
    for environment in &trust.config.environments {
        if missing.is_empty() {
            return Ok(());
        }
        let there = trust.place(environment)?.revision()?;
        for app in held(trust, environment, &there.tree)?.unwrap_or_default() {
            missing.retain(|name| **name != app.name);
            names.push(app.name);
        }
    }
    let Some(name) = missing.first() else { return Ok(()) };
    names.sort();
    names.dedup();
    let failure = Failure::usage(format!("no environment has an app `{name}`"));
    Err(match names.as_slice() {
        [] => failure,
        names => failure.hint(format!("known are {}", names.join(", "))),
    })
}

/// Names of apps, sorted.
pub(super) fn apps(names: &[String]) -> Vec<String> {
    let mut apps = names.to_vec();
    apps.sort();
    apps.dedup();
    apps
}

/// Who holds: the name that was given, or our address in Git.
pub(super) fn owner(trust: &Trust, named: Option<&str>) -> Result<String, Failure> {
    match named.map(str::trim) {
        Some("") => Err(Failure::usage("`--owner` is empty")),
        Some(owner) => Ok(owner.to_owned()),
        None => Ok(holds::identity(trust)?.email),
    }
}

/// Says who else holds the environment, and what cannot be read.
pub(super) fn tell_others(
    context: &Context,
    kept: &[holds::Kept],
    environment: &Environment,
    owner: &str,
    now: Timestamp,
) {
    for kept in kept {
        match &kept.hold {
            Ok(hold)
                if hold.environment == environment.name
                    && hold.owner != owner
                    && hold.counts(now) =>
            {
                context.terminal.note(holds::told(hold, now));
            }
            Ok(_) => {}
            Err(reason) => context.terminal.warn(format!("a hold cannot be read: {reason}")),
        }
    }
}

fn to_the_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
