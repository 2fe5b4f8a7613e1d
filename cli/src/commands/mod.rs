//! One file a verb: its arguments and its run function.

mod audit;
mod check;
pub(crate) mod completion;
mod diff;
mod gate;
mod history;
mod hold;
mod list;
mod past;
mod policy;
mod promote;
mod release;
mod render;
mod resume;
mod rollback;
mod saved;
mod schema;
mod version;
mod waiting;

use clap::{Args as _, Subcommand, ValueEnum};

use crate::args::Cli;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::Terminal;

/// How most answers are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

#[derive(Subcommand, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of it in a run")]
pub(crate) enum Command {
    Diff(diff::DiffArgs),
    Render(render::RenderArgs),
    List(list::ListArgs),
    Release(release::ReleaseArgs),
    Promote(promote::PromoteArgs),
    Rollback(rollback::RollbackArgs),
    Gate(gate::GateArgs),
    Check(check::CheckArgs),
    History(history::HistoryArgs),
    Audit(audit::AuditArgs),
    Hold(hold::HoldArgs),
    Resume(resume::ResumeArgs),
    Policy(policy::PolicyArgs),
    Schema(schema::SchemaArgs),
    Completion(completion::CompletionArgs),
    Version(version::VersionArgs),
}

impl Command {
    /// One of the verbs that are run often, by its name.
    pub(crate) fn alone(name: &str) -> Option<clap::Command> {
        let new = clap::Command::new;
        Some(match name {
            "diff" => diff::DiffArgs::augment_args(new("diff")),
            "render" => render::RenderArgs::augment_args(new("render")),
            "list" => list::ListArgs::augment_args(new("list")),
            "promote" => promote::PromoteArgs::augment_args(new("promote")),
            "gate" => gate::GateArgs::augment_args(new("gate")),
            _ => return None,
        })
    }
}

/// Runs what was typed.
pub(crate) fn run(cli: Cli, terminal: &Terminal) -> Result<Exit, Failure> {
    let Cli { common, command } = cli;
    let context = Context { common, terminal: *terminal };
    match command {
        Command::Diff(args) => diff::run(&context, args),
        Command::Render(args) => render::run(&context, args),
        Command::List(args) => list::run(&context, args),
        Command::Release(args) => release::run(&context, args),
        Command::Promote(args) => promote::run(&context, args),
        Command::Rollback(args) => rollback::run(&context, args),
        Command::Gate(args) => gate::run(&context, args),
        Command::Check(args) => check::run(&context, &args),
        Command::Audit(args) => audit::run(&context, args),
        Command::History(args) => history::run(&context, args),
        Command::Hold(args) => hold::run(&context, &args),
        Command::Resume(args) => resume::run(&context, &args),
        Command::Policy(args) => policy::run(&context, args),
        Command::Schema(args) => schema::run(&context, &args),
        Command::Completion(args) => completion::run(&context, &args),
        Command::Version(args) => version::run(&context, &args),
    }
}
