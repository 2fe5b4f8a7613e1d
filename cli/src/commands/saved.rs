//! `--save` and `--plan`: a plan that is looked at before it is performed.

use std::path::PathBuf;

use clap::Args;

use super::past::PastArgs;
use super::promote::{Run, ToldArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure};
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

/// Plans, judges, tells, and performs what may happen; or saves it; or performs
/// what was saved, in which case nothing is asked but that.
pub(super) fn run(
    context: &Context,
    asked: &Asked,
    file: &FileArgs,
    past: &PastArgs,
    dry_run: bool,
    told: ToldArgs,
) -> Result<Exit, Failure> {
    past.check()?;
    if let Some(file) = &file.plan {
        let saved = saved::read(file, asked.verb())?;
        let asked = saved.asked.clone();
        let trust = Trust::open(context)?;
        let mut run = Run::new(&trust, past, dry_run, told, context.terminal)?;
        run.saved = Some(saved);
        run.carry_out(&asked.wish())?;
        return run.finish();
    }
    let trust = Trust::open(context)?;
    let only_plan = dry_run || file.save.is_some();
    let mut run = Run::new(&trust, past, only_plan, told, context.terminal)?;
    run.carry_out(&asked.wish())?;
    if let Some(file) = &file.save {
        run.save(file, asked)?;
    }
    run.finish()
}
