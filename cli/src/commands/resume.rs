use clap::Args;
use jiff::Timestamp;

use super::Format;
use super::hold::{apps, owner, tell_others};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::operations::desired::unknown_environment;
use crate::operations::holds::{self, Done, Free};
use crate::operations::trust::Trust;
use crate::output::holds as output;

/// Take your holds on an environment back
///
/// Holds of others stay; `--owner` names another one's.
///
/// Examples:
///   kubectl gitops resume prod
///   kubectl gitops resume prod --owner ada@example.com
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct ResumeArgs {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
    /// Take only the hold on these apps back; may be repeated
    #[arg(long = "app", value_name = "APP")]
    apps: Vec<String>,
    /// Whose holds; those under your address in Git without it
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Say what would be pushed, and push nothing
    #[arg(long)]
    dry_run: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(super) fn run(context: &Context, args: &ResumeArgs) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    let trust = Trust::open(context)?;
    let environment = trust.config.environment(&args.environment).map_err(unknown_environment)?;
    let owner = owner(&trust, args.owner.as_deref())?;
    let apps = apps(&args.apps);
    let free = Free { environment: &environment.name, owner: &owner, apps: &apps };
    let before = holds::all(&trust)?;
    let done = holds::ensure(&trust, &free, now, args.dry_run)?;
    let freed: Vec<_> = free.of(&before).into_iter().map(|(_, hold)| hold).collect();
    tell_others(context, &before, environment, &owner, now);
    let others = before.iter().any(|kept| {
        let hold = kept.hold.as_ref();
        hold.is_ok_and(|h| h.environment == environment.name && h.owner != owner && h.counts(now))
    });
    if others && done == Done::Stands {
        context.terminal.hint(format!(
            "`kubectl gitops resume {} --owner NAME` takes another one's hold back",
            environment.name
        ));
    }
    context.terminal.answer(&match args.output {
        Format::Text => output::freed(&environment.name, &owner, &freed, &done, now),
        Format::Json => output::receipt(&freed, &done, now),
    })?;
    Ok(Exit::Yes)
}
