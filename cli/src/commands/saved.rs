//! `--save` and `--plan`: a plan that is looked at before it is performed.

use std::path::PathBuf;

use clap::Args;

use super::past::PastArgs;
use super::promote::{Run, ToldArgs};
use super::waiting::{Next, Rounds, WaitArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::operations::perform::Wants;
use crate::operations::saved::{self, Asked};
use crate::operations::trust::Trust;

/// A file that holds a plan. What a verb takes besides conflicts with `plan`.
#[derive(Args, Debug)]
pub(super) struct FileArgs {
    /// Save the plan to a file, and push nothing
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    save: Option<PathBuf>,
    /// Perform a saved plan if nothing that it rests on has moved since
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    #[arg(conflicts_with = "save")]
    plan: Option<PathBuf>,
}

/// What else flags say about performing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct How {
    pub(super) wants: Wants,
    pub(super) wait: Option<WaitArgs>,
}

/// Plans, judges, tells, and performs what may happen; or saves it; or performs
/// what was saved, in which case nothing is asked but that.
pub(super) fn run(
    context: &Context,
    asked: &Asked,
    file: &FileArgs,
    (past, how): (&PastArgs, How),
    dry_run: bool,
    told: ToldArgs,
) -> Result<Exit, Failure> {
    past.check()?;
    if let Some(file) = &file.plan {
        let saved = saved::read(file, asked.verb())?;
        let asked = saved.asked.clone();
        let trust = Trust::open(context)?;
        let mut run = Run::new(&trust, past, dry_run, told, context.terminal)?;
        run.author.wants = how.wants;
        run.saved = Some(saved);
        run.carry_out(&asked.wish())?;
        return run.finish();
    }
    let only_plan = dry_run || file.save.is_some();
    let mut rounds = Rounds::new(how.wait);
    loop {
        // What was read in the round before is old by now.
        let trust = Trust::open(context)?;
        let mut run = Run::new(&trust, past, only_plan, told, context.terminal)?;
        run.author.wants = how.wants;
        run.known = rounds.take();
        run.carry_out(&asked.wish())?;
        if let Some(file) = &file.save {
            run.save(file, asked)?;
        }
        match rounds.next(&mut run) {
            Next::End => return run.finish(),
            Next::TooLate => return Ok(run.finish()?.and(Exit::Pending)),
            Next::Again => {}
        }
    }
}
