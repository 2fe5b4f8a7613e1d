use std::collections::BTreeSet;

use clap::Args;

use super::Format;
use super::past::PastArgs;
use super::promote::{Run, ToldArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::operations::desired::unknown_environment;
use crate::operations::promote::Wish;
use crate::operations::rollback::{Rollback, last, to};
use crate::operations::trust::Trust;

/// Take the last promotion of apps into an environment back
///
/// The values and files that moved in it go back to what they were; what others
/// have changed since stays, and what was changed again is a conflict. An app
/// that was taken away comes back with its folder. The change is rendered and judged like a promotion, without the gates `merged`,
/// `soak` and `hold` and those that `rollback.exempt` of gitops.yaml names. It
/// leaves a hold on the apps. Running it again changes nothing.
///
/// Examples:
///   kubectl gitops rollback web --env prod --dry-run
///   kubectl gitops rollback web api --env prod
///   kubectl gitops rollback web --env prod --to HEAD~3
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct RollbackArgs {
    /// The apps
    #[arg(value_name = "APP", required = true)]
    apps: Vec<String>,
    /// The environment
    #[arg(long, value_name = "ENV")]
    env: String,
    /// Put back all that the apps held at this commit of the environment's branch
    #[arg(long, value_name = "REV")]
    to: Option<String>,
    /// Let the change reach this other environment, too; it is judged as well
    #[arg(long, value_name = "OTHER")]
    also: Vec<String>,
    /// Put all apps into one request
    #[arg(long)]
    group: bool,
    /// Plan and judge, and push nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    past: PastArgs,
    #[command(flatten)]
    told: ToldArgs,
}

pub(super) fn run(context: &Context, args: RollbackArgs) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    args.past.check()?;
    let trust = Trust::open(context)?;
    let environment = trust.config.environment(&args.env).map_err(unknown_environment)?;
    let mut undos = Vec::new();
    let mut failures: Vec<Failure> = Vec::new();
    for app in args.apps.iter().collect::<BTreeSet<_>>() {
        let rollback = match &args.to {
            None => last(&trust, environment, app),
            Some(rev) => to(&trust, environment, app, rev),
        };
        match rollback {
            Ok(Rollback::Undo(undo)) => undos.push(undo),
            Ok(Rollback::Nothing(why)) if args.told.output == Format::Text => {
                terminal.answer(&format!("nothing to do: {why}\n"))?;
            }
            Ok(Rollback::Nothing(why)) => terminal.note(format!("nothing to do: {why}")),
            Err(failure) => failures.push(failure),
        }
    }
    let mut run = Run::new(&trust, &args.past, args.dry_run, args.told, terminal)?;
    if !undos.is_empty() {
        let (env, also) = (args.env.as_str(), args.also.as_slice());
        run.carry_out(&Wish::Rollback { env, undos: &undos, also, group: args.group })?;
    }
    let done = run.finish();
    let Some(last) = failures.pop() else { return done };
    let mut exit = last.exit;
    for failure in &failures {
        exit = exit.and(failure.exit);
        terminal.fail(failure);
    }
    match done {
        Ok(answer) => exit = exit.and(answer),
        Err(failure) => {
            exit = exit.and(failure.exit);
            terminal.fail(&failure);
        }
    }
    Err(Failure { exit, ..last })
}
