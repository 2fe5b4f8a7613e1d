use clap::Args;

use super::Format;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::operations::check;
use crate::operations::desired;
use crate::operations::preview::exit;
use crate::operations::workspace::Workspace;
use crate::output::check as output;

/// Hold what environments hold to the checks that are bound to them
///
/// Renders the environments of the work tree, or of a revision, and asks the
/// conformance checks of the bindings; needs no cluster. Policies, bindings and
/// lock are those of the trust branch, as the remote has it now; in a
/// repository without a remote, its own.
///
/// Exits 1 where a check that is enforced denies, 4 where one gives no answer,
/// 5 where one is not ready.
///
/// Examples:
///   kubectl gitops check prod
///   kubectl gitops check --all --rev v1.2 -o json
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct CheckArgs {
    /// The environments
    #[arg(value_name = "ENV", conflicts_with = "all")]
    environments: Vec<String>,
    /// Check every environment
    #[arg(long)]
    all: bool,
    /// Check this revision instead of the work tree
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(super) fn run(context: &Context, args: &CheckArgs) -> Result<Exit, Failure> {
    let workspace = Workspace::open(context, args.rev.as_deref())?;
    let config = workspace.config()?;
    let instead = "`gate` for a change";
    let asked = desired::chosen(&config, &args.environments, args.all, instead)?;
    let report = check::check(context, &workspace, &config, &asked)?;
    let text = match args.output {
        Format::Text => output::text(&report, context.terminal),
        Format::Json => output::document(&report),
    };
    context.terminal.answer(&text)?;
    Ok(exit(report.decision))
}
