use clap::Args;

use super::past::PastArgs;
use super::promote::{LeaveArgs, ToldArgs};
use super::saved::{self, FileArgs, How};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::operations::saved::Asked;

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
    #[arg(value_name = "APP", required_unless_present = "plan", conflicts_with = "plan")]
    app: Option<String>,
    /// The version: a tag, `sha256:DIGEST`, or both as `TAG@sha256:DIGEST`; or a
    /// constraint such as `~1.4`, for the highest version offered
    #[arg(value_name = "VERSION", required_unless_present = "plan", conflicts_with = "plan")]
    version: Option<String>,
    #[command(flatten)]
    leave: LeaveArgs,
    /// Put it into this environment instead of the first
    #[arg(long, value_name = "ENV", conflicts_with = "plan")]
    to: Option<String>,
    /// Let the change reach this other environment, too; it is judged as well
    #[arg(long, value_name = "ENV", conflicts_with = "plan")]
    also: Vec<String>,
    #[command(flatten)]
    file: FileArgs,
    /// Plan and judge, and push nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    past: PastArgs,
    #[command(flatten)]
    told: ToldArgs,
}

pub(super) fn run(context: &Context, args: ReleaseArgs) -> Result<Exit, Failure> {
    let asked = Asked::Release {
        app: args.app.unwrap_or_default(),
        version: args.version.unwrap_or_default(),
        downgrade: args.leave.downgrade,
        pre_release: args.leave.pre_release,
        to: args.to,
        also: args.also,
    };
    saved::run(context, &asked, &args.file, (&args.past, How::default()), args.dry_run, args.told)
}
