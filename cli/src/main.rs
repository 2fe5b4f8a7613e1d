//! `kubectl gitops`: how does my cluster differ from Git, what would this
//! promotion change, and may it happen?
//!
//! `main` → [`commands`] → [`operations`] → the edges (`gitops-cluster`,
//! `gitops-git`, `gitops-forge`, `gitops-policy`) → the pure crates.

mod args;
mod commands;
mod config;
mod context;
mod failure;
mod interrupt;
mod operations;
mod output;

use std::path::Path;
use std::process::ExitCode;

use clap::FromArgMatches as _;

fn main() -> ExitCode {
    // A policy is compiled by a child of this program, which gets only this word.
    if std::env::args_os().nth(1).is_some_and(|word| word == operations::policies::COMPILE_WORD) {
        return gitops_policy::compile_child_main(std::env::args_os().skip(2));
    }
    let called = std::env::args_os().next().unwrap_or_default();
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some(candidates) = commands::completion::asked(Path::new(&called), &words) {
        let terminal = output::Terminal::new(output::Color::Never, false, false);
        return match terminal.answer(&candidates) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => terminal.fail(&failure),
        };
    }
    // All verbs, with their pages of help, are laid out only for who is shown them.
    let parsed = args::one_verb(words.first()).and_then(|verb| verb.try_get_matches().ok());
    let matches = match parsed.map_or_else(|| args::command().try_get_matches(), Ok) {
        Ok(matches) => matches,
        Err(usage) => return output::usage(&usage),
    };
    let cli = match args::Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(usage) => return output::usage(&usage),
    };
    let terminal = output::Terminal::new(cli.common.color, cli.common.quiet, cli.common.verbose);
    let done = commands::run(cli, &terminal);
    terminal.tell_remarks();
    match done {
        Ok(exit) => exit.code(),
        Err(failure) => terminal.fail(&failure),
    }
}
