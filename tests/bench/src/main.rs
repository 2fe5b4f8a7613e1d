//! `make bench`: kubectl gitops against its peers, measured in turn in one run.
//!
//! - [`rows`]: what is compared: [`rows::diff`], [`rows::render`],
//!   [`rows::folders`], [`rows::promote`], [`rows::requests`], [`rows::startup`]
//! - [`contest`]: two programs in turn, every answer checked
//! - [`measure`]: one run: time, peak memory, output
//! - [`stats`], [`table`]: medians, ratios, targets, and how they are printed
//! - [`objects`], [`fleet`], [`proxy`]: the input, and a network far away
//! - [`answer`]: reading what the programs say
//! - [`programs`], [`machine`]: who competes, and where

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod answer;
mod contest;
mod fleet;
mod machine;
mod measure;
mod objects;
mod programs;
mod proxy;
mod rows;
mod stats;
mod table;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::measure::Room;
use crate::programs::Programs;
use crate::rows::{RowError, diff, folders, promote, render, requests, startup};
use crate::table::Row;

/// Measure kubectl gitops against kubectl and kustomize
///
/// Fails when a program is missing or an answer is wrong; a missed target is
/// printed, and no failure.
#[derive(Parser)]
#[command(name = "gitops-bench")]
struct Arguments {
    /// The kubectl-gitops to measure, a release build [default: target/release/kubectl-gitops]
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// The folder of `make peers` [default: kubectl-gitops/peers in the user's cache]
    #[arg(long, value_name = "DIR")]
    peers: Option<PathBuf>,
    /// Real repositories to render [default: ../shared/seeds beside the checkout]
    #[arg(long, value_name = "DIR")]
    seeds: Option<PathBuf>,
    /// Real repositories with the digests of their builds [default: ../shared/repos beside the checkout]
    #[arg(long, value_name = "DIR")]
    repos: Option<PathBuf>,
    /// Runs of each program, in turn, after one that is not measured
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Runs of each program against plain `kubectl diff`, which takes a minute
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    plain_runs: u16,
    /// Runs of each program of the start-up row
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
    startup_runs: u16,
    /// Runs of each program over all folders of the repositories, which take minutes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    repos_runs: u16,
    /// Milliseconds of round trip of the distant server; 0 leaves it out
    #[arg(long, value_name = "MS", default_value_t = 10)]
    latency: u64,
    /// Runs of each program with the distant server
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    latency_runs: u16,
    /// Measure only these
    #[arg(long, value_name = "WHAT", value_enum)]
    only: Vec<Topic>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Topic {
    /// A cluster against files
    Diff,
    /// Kustomizations
    Render,
    /// Promotions in a repository of many apps
    Promote,
    /// Requests on a real Gitea
    Requests,
    /// --help
    Startup,
}

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == measure::CHILD_WORD) {
        return measure::child(words);
    }
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every row that was measured has figures.
fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let wants = |topic| arguments.only.is_empty() || arguments.only.contains(&topic);
    let programs = Programs::find(
        arguments.binary.as_deref(),
        arguments.peers.as_deref(),
        wants(Topic::Render) || wants(Topic::Promote),
        wants(Topic::Requests),
    )?;
    let room = Room::new()?;
    print!("{}", heading(arguments, &programs, &room)?);
    print!("{}", table::head());

    let mut report = Report::default();
    if wants(Topic::Startup) {
        let runs = usize::from(arguments.startup_runs);
        let row = startup::row(&room, runs, &programs.ours, &programs.assets.kubectl);
        report.add("--help", row);
    }
    if wants(Topic::Render) {
        render_rows(arguments, &programs, &room, &mut report);
    }
    if wants(Topic::Promote) {
        promote_rows(arguments, &programs, &room, &mut report);
    }
    if wants(Topic::Requests) {
        request_rows(arguments, &programs, &room, &mut report);
    }
    if wants(Topic::Diff) {
        diff_rows(arguments, &programs, &room, &mut report);
    }
    report.finish();
    Ok(report.failed == 0)
}

fn render_rows(arguments: &Arguments, programs: &Programs, room: &Room, report: &mut Report) {
    let Some(kustomize) = &programs.kustomize else { return };
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/seeds");
    let seeds = arguments.seeds.as_deref().unwrap_or(&default);
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/repos");
    let repositories = arguments.repos.as_deref().unwrap_or(&default);
    let runs = usize::from(arguments.runs);
    for input in render::real(seeds, repositories) {
        let what = input.what.clone();
        if input.folder.is_dir() {
            let rows = render::rows(room, runs, &programs.ours, kustomize, input);
            report.add_all(&what, rows);
        } else {
            report.skip(&what, &format!("no folder {}", input.folder.display()));
        }
    }
    let rows = render::generated(room)
        .and_then(|input| render::rows(room, runs, &programs.ours, kustomize, input));
    report.add_all("render, generated resources", rows);
    report.add("render, growth", render::growth(room, runs, &programs.ours));
    let what = "render, all folders of the repositories";
    if !repositories.is_dir() {
        return report.skip(what, &format!("no folder {}", repositories.display()));
    }
    let runs = usize::from(arguments.repos_runs);
    match folders::row(room, runs, &programs.ours, kustomize, repositories) {
        Ok((row, notes)) => {
            report.add(what, Ok(row));
            report.notes.extend(notes);
        }
        Err(error) => report.add(what, Err(error)),
    }
}

fn promote_rows(arguments: &Arguments, programs: &Programs, room: &Room, report: &mut Report) {
    let Some(kustomize) = &programs.kustomize else { return };
    let runs = usize::from(arguments.runs);
    let (ours, beside) = (&programs.ours, programs.ours.with_file_name("examples"));
    let rows = promote::one_of_many(room, runs, ours, kustomize);
    report.add_all("promote, one of many apps", rows);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let policy = target.join("policies/no-floating-tag/no-floating-tag.wasm");
    report.add_all("promote, all apps", promote::all(room, runs, ours, &policy));
    match promote::edit(room, runs, &beside.join("release"), kustomize) {
        Ok((row, note)) => {
            report.add("set a tag", Ok(row));
            report.notes.push(note);
        }
        Err(error) => report.add("set a tag", Err(error)),
    }
}

fn request_rows(arguments: &Arguments, programs: &Programs, room: &Room, report: &mut Report) {
    let Some(gitea) = &programs.gitea else { return };
    let stage = requests::Stage::set(room, &programs.ours, gitea);
    let runs = usize::from(arguments.runs);
    for (what, rows) in [
        ("promote, to a request", stage.one(runs)),
        ("promote, many apps to requests", stage.all()),
    ] {
        match rows {
            Ok((rows, notes)) => {
                report.add_all(what, Ok(rows));
                report.notes.extend(notes);
            }
            Err(error) => report.add(what, Err(error)),
        }
    }
}

fn diff_rows(arguments: &Arguments, programs: &Programs, room: &Room, report: &mut Report) {
    eprintln!("(filling a cluster with 1,000 objects)");
    let stage = match diff::Stage::set(room, &programs.assets) {
        Ok(stage) => stage,
        Err(error) => return report.add("diff", Err(error)),
    };
    for (peer, runs) in [
        (diff::Peer::Plain, arguments.plain_runs),
        (diff::Peer::ServerSide, arguments.runs),
        (diff::Peer::Concurrent, arguments.runs),
    ] {
        let row = stage.row(room, usize::from(runs), &programs.ours, peer);
        report.add("diff -f DIR", row);
    }
    if arguments.latency > 0 {
        let round_trip = Duration::from_millis(arguments.latency);
        let runs = usize::from(arguments.latency_runs);
        let row = stage.distant_row(room, runs, &programs.ours, round_trip);
        report.add("diff -f DIR, distant server", row);
    }
    match stage.limits(room, &programs.ours) {
        Ok(lines) => report.notes.extend(lines),
        Err(error) => report.add("diff -f DIR, requests", Err(error)),
    }
}

fn heading(
    arguments: &Arguments,
    programs: &Programs,
    room: &Room,
) -> Result<String, Box<dyn Error>> {
    let mut text = String::from(
        "kubectl gitops against the programs that do a part of its work, in turn in one\n\
         run, after one warm-up each; every answer is checked against the right one.\n\n",
    );
    for (name, what) in programs.versions(room)? {
        text.push_str(&format!("  {name:<15} {what}\n"));
    }
    text.push_str(&format!("  {:<15} {}\n", "machine", machine::described()));
    text.push_str(&format!(
        "  {:<15} {} of each; start-up {}, all folders {}, plain kubectl diff {},\n\
         {:18}distant server {}\n\n",
        "runs",
        arguments.runs,
        arguments.startup_runs,
        arguments.repos_runs,
        arguments.plain_runs,
        "",
        arguments.latency_runs
    ));
    Ok(text)
}

/// Prints rows as they come, and counts.
#[derive(Default)]
struct Report {
    failed: usize,
    promised: usize,
    met: usize,
    notes: Vec<String>,
}

impl Report {
    fn add(&mut self, what: &str, row: Result<Row, RowError>) {
        match row {
            Ok(row) => {
                if let Some(target) = row.target {
                    self.promised += 1;
                    self.met += usize::from(target.is_met(&row.ours, &row.peer));
                }
                print!("{}", table::row(&row));
            }
            Err(error) => {
                self.failed += 1;
                print!("{}", table::failed(what, &error.to_string()));
            }
        }
    }

    fn add_all(&mut self, what: &str, rows: Result<Vec<Row>, RowError>) {
        match rows {
            Ok(rows) => rows.into_iter().for_each(|row| self.add(what, Ok(row))),
            Err(error) => self.add(what, Err(error)),
        }
    }

    fn skip(&mut self, what: &str, why: &str) {
        print!("{}", table::skipped(what, why));
    }

    fn finish(&self) {
        println!("{}", "-".repeat(table::WIDTH));
        for note in &self.notes {
            println!("{note}");
        }
        println!("load at the end: {}", machine::load());
        println!("targets: {} of {} met", self.met, self.promised);
        if self.failed > 0 {
            println!("FAILED: {} rows have no figures", self.failed);
        }
    }
}
