use clap::Args;

use super::Format;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::operations::audit::{Audited, Finding, audit};
use crate::operations::desired::unknown_environment;
use crate::operations::history::How;
use crate::operations::trust::Trust;
use crate::output::audit as output;

/// Prove that each change of an environment passed its gates
///
/// From Git alone: every change is rendered and judged again with the
/// configuration and the policies that were trusted when it was made, and held
/// against what its commit claims. What comes out is
///
///   proven   judged again, the gates are open
///   claimed  it cannot be judged again; its commit says they were open
///   unknown  it cannot be judged again, and nothing is said
///   refuted  judged again, a gate is closed, or the commit claims what is not
///            so
///
/// Exits with 1 when a change is refuted or unknown; what the branch began with
/// is no change.
///
/// Examples:
///   kubectl gitops audit prod
///   kubectl gitops audit prod --limit 0 -o json
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct AuditArgs {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
    /// Audit so many of the newest changes; 0 for all
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(super) fn run(context: &Context, args: AuditArgs) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    let trust = Trust::open(context)?;
    let environment = trust.config.environment(&args.environment).map_err(unknown_environment)?;
    let (audited, remarks) = audit(&trust, environment, args.limit, terminal)?;
    for remark in remarks {
        terminal.warn(remark);
    }
    terminal.answer(&match args.output {
        Format::Text => output::text(&audited, terminal),
        Format::Json => output::document(&environment.name, &audited),
    })?;
    // What the branch began with is no change.
    let stands = |audited: &Audited| {
        matches!(audited.finding, Finding::Proven | Finding::Claimed)
            || audited.deployments.iter().all(|deployment| deployment.how == How::First)
    };
    Ok(if audited.iter().all(stands) { Exit::Yes } else { Exit::No })
}
