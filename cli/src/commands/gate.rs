use std::path::PathBuf;

use clap::Args;

use super::Format;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::operations::desired::start;
use crate::operations::gate;
use crate::operations::preview::Judge;
use crate::operations::requests;
use crate::operations::trust::Trust;
use crate::output::gate as output;

/// Judge the change of a request, for CI
///
/// Renders every environment that the change touches, before and after, and
/// asks the policies. Configuration, policies and their lock are those of the
/// trust branch, as the remote has it now: a request cannot change the rules
/// it is held to.
///
/// A request that is a promotion, by the trailers of its commits or the name of
/// its branch, stays in its environment and changes others only where a trailer
/// `Also-Changes: ENV` names them. Whatever it is called, a change that moves
/// promoted values leaves pipelines and code owners alone.
///
/// Examples:
///   kubectl gitops gate --base origin/main --head HEAD
///   kubectl gitops gate --base "$BASE_SHA" --head "$HEAD_SHA" -o json
///   kubectl gitops gate --base origin/main --head HEAD --request 17 --post
///   kubectl gitops gate --base origin/main --head HEAD --trust ../gitops
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct GateArgs {
    /// The branch or commit that the request is to be merged into
    #[arg(long, value_name = "REV")]
    base: String,
    /// The newest commit of the request
    #[arg(long, value_name = "REV")]
    head: String,
    /// The number of the request, where several have this head; its reviews and
    /// statuses are what gates ask for
    #[arg(long, value_name = "NUMBER")]
    request: Option<u64>,
    /// Write the answers to the request, too: a commit status for each gate, and
    /// what is missing as a comment. Without a token that may, the exit code is all
    #[arg(long, requires = "request")]
    post: bool,
    /// A checkout of the repository that gitops.yaml and policies are read
    /// from, where that is another one than the request's
    #[arg(long, value_name = "DIR")]
    trust: Option<PathBuf>,
    /// Render in full what could be shared between revisions, too, and fail
    /// where it differs
    #[arg(long)]
    verify: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(super) fn run(context: &Context, args: GateArgs) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    let trust = match &args.trust {
        None => Trust::open(context)?,
        Some(dir) => Trust::open_at(context, dir)?,
    };
    let home = match &args.trust {
        None => trust.home(),
        Some(_) => trust.home_at(&start(context))?,
    };
    let now = jiff::Timestamp::now();
    let judge = Judge::new(&trust, terminal, now, false, args.verify);
    let request = gate::Looked::Up(args.request);
    let inspection =
        gate::inspect(&trust, home, &judge, &args.base, &args.head, request, terminal)?;
    if args.post
        && let Some(number) = args.request
    {
        let place = (number, args.base.as_str(), args.head.as_str());
        requests::post(&trust, home, &inspection, place, terminal)?;
    }
    trust.tell_calls();
    let text = match args.output {
        Format::Text => output::text(&inspection, terminal),
        Format::Json => output::document(&inspection),
    };
    terminal.answer(&text)?;
    Ok(inspection.exit())
}
