use clap::Args;

use super::Format;
use super::past::PastArgs;
use super::promote::{self, LeaveArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::operations::promote::Wish;

/// Put a version of an app into the first environment
///
/// Edits the version in the environment's folder, on the branch as the remote
/// has it now; your work tree stays untouched. The change is rendered and
/// judged by the policies before anything is pushed.
///
/// Examples:
///   kubectl gitops release web v1.4.0
///   kubectl gitops release web v1.4.0 --to uat --dry-run
///   kubectl gitops release web '~1.4'
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct ReleaseArgs {
    /// The app
    #[arg(value_name = "APP")]
    app: String,
    /// The version: a tag, `sha256:DIGEST`, or both as `TAG@sha256:DIGEST`; or a
    /// constraint such as `~1.4`, for the highest version offered
    #[arg(value_name = "VERSION")]
    version: String,
    #[command(flatten)]
    leave: LeaveArgs,
    /// Put it into this environment instead of the first
    #[arg(long, value_name = "ENV")]
    to: Option<String>,
    /// Let the change reach this other environment, too; it is judged as well
    #[arg(long, value_name = "ENV")]
    also: Vec<String>,
    /// Plan and judge, and push nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    past: PastArgs,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(super) fn run(context: &Context, args: ReleaseArgs) -> Result<Exit, Failure> {
    let wish = Wish::Release {
        app: &args.app,
        version: &args.version,
        leave: args.leave.leave(),
        to: args.to.as_deref(),
        also: &args.also,
    };
    promote::carry_out(context, &wish, &args.past, args.dry_run, args.output)
}
