use clap::{Args, ValueEnum};
use gitops_core::plan::{Pattern, printable};

use crate::config::Config;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::operations::merge;
use crate::operations::perform::{Author, Receipt};
use crate::operations::preview::{Judge, exit};
use crate::operations::promote::{self, Outcome, Wish};
use crate::operations::trust::Trust;
use crate::output::promotion as output;

/// Move what one environment runs into the next
///
/// Everything is read from the remote's branches as they are now; your work
/// tree stays untouched. Without APP, every app moves. The change is rendered
/// and judged by the policies before anything is pushed. Running it again
/// changes nothing.
///
/// Examples:
///   kubectl gitops promote --to uat --dry-run
///   kubectl gitops promote web --to prod
///   kubectl gitops promote web --to prod --version v1.4.0
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct PromoteArgs {
    /// The apps; all of them without any
    #[arg(value_name = "APP")]
    apps: Vec<String>,
    /// Promote into this environment
    #[arg(long, value_name = "ENV")]
    to: String,
    /// Promote from this environment instead of the one before it
    #[arg(long, value_name = "ENV")]
    from: Option<String>,
    /// Promote only while the source runs just this version
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Plan and judge, and push nothing
    #[arg(long)]
    dry_run: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// How the answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    #[default]
    Text,
    Json,
}

pub(super) fn run(context: &Context, args: PromoteArgs) -> Result<Exit, Failure> {
    let wish = Wish::Promote {
        apps: &args.apps,
        to: &args.to,
        from: args.from.as_deref(),
        version: args.version.as_deref(),
    };
    carry_out(context, &wish, args.dry_run, args.output)
}

/// Plans, judges, tells, and performs what may happen.
pub(super) fn carry_out(
    context: &Context,
    wish: &Wish<'_>,
    dry_run: bool,
    format: Format,
) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    let trust = Trust::open(context)?;
    let now = jiff::Timestamp::now();
    let judge = Judge::new(&trust, terminal, moment(now), dry_run, false);
    let proposal = promote::propose(&trust, &judge, wish, terminal)?;
    match merge::method(&trust, proposal.target) {
        Err(failure) if dry_run => terminal.warn(failure.error),
        refused => drop(refused?),
    }
    for skipped in &proposal.skipped {
        terminal.warn(format!("`{}` is left out: {}", skipped.app, skipped.reason));
    }
    if proposal.steps.is_empty() {
        terminal.note("nothing to do: no app can move");
    }
    let sealed = sealed(&trust.config);
    let mut answer = Exit::Yes;
    let author = Author { trust: &trust, seconds: now.as_second(), terminal };
    let mut done = Vec::new();
    let mut broken = None;
    for (index, step) in proposal.steps.iter().enumerate() {
        let decided = step.preview.as_ref().map_or(Exit::Yes, |preview| exit(preview.decision));
        if format == Format::Text {
            let space = if index > 0 { "\n" } else { "" };
            let text = output::step(step, &sealed, width(), terminal);
            terminal.answer(&format!("{space}{text}"))?;
        }
        if dry_run {
            answer = answer.and(decided);
            continue;
        }
        let outcome = match promote::perform(&author, &proposal, step) {
            Ok(outcome) => outcome,
            // What was done before is told all the same.
            Err(failure) => {
                broken = Some(failure);
                break;
            }
        };
        if format == Format::Text {
            terminal.answer(&output::outcome(&step.plan, &outcome, terminal))?;
        }
        match &outcome {
            Outcome::Held => answer = answer.and(decided),
            Outcome::Done(Receipt { merged: Some(_), .. }) => {}
            Outcome::Done(receipt) => match (&receipt.request, &step.plan.branch) {
                (Some(url), _) => terminal.hint(format!("open the request: {url}")),
                (None, Some(branch)) => terminal.hint(format!(
                    "open a request of `{branch}` into `{}`, titled: {}",
                    step.plan.base,
                    printable(&step.plan.title)
                )),
                (None, None) => {}
            },
            Outcome::NothingToDo(_) => {}
        }
        done.push((step, outcome));
    }
    if format == Format::Json {
        let document = if dry_run {
            output::plans(&proposal.steps, &proposal.skipped)
        } else {
            output::receipts(&done, &proposal.skipped)
        };
        terminal.answer(&document)?;
    }
    match broken {
        Some(failure) => Err(failure),
        None => Ok(answer),
    }
}

/// The time of judgement, to the second.
pub(super) fn moment(now: jiff::Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The files whose lines are never shown.
fn sealed(config: &Config) -> Vec<Pattern> {
    config.seal.iter().filter_map(|seal| Pattern::new(seal.path.as_deref()?).ok()).collect()
}

/// Columns of the terminal, as the shell tells.
fn width() -> usize {
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(100)
}
