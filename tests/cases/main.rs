//! A folder is a test: `repo/` becomes a repository with a bare remote,
//! each line of `cmd` is run in it by a shell, and `expected` is what came
//! out. `BLESS=1` writes `expected`; read the difference before you commit it.
//!
//! - `shared`: a folder of `../shared` that `repo/` is laid over. Where
//!   `../shared` is absent the case is skipped, visibly.
//! - `needs`: a file that must be there, from the root of the project, such as
//!   a policy that `make policies` builds; the case is skipped without it.
//! - `example`: the same with a folder of `examples`.
//! - `like`: the name of a folder beside the case, whose `repo/` is its own, too.
//! - `bare`: `repo/` stays a folder, and becomes no repository.
//! - In `expected`, a line of stderr starts with `! `, and a status other than
//!   0 stands in `[…]`. Commit ids, seals and the temporary folder are
//!   replaced by words.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub
)]

mod stage;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use stage::{Stage, project};

fn cases() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(project().join("tests/cases"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("cmd").is_file())
        .collect();
    found.sort();
    found
}

/// The transcript of a case, or why it is skipped.
fn run(case: &Path) -> Result<String, String> {
    let stage = Stage::new();
    if let Ok(shared) = fs::read_to_string(case.join("shared")) {
        let from = project().join("../shared").join(shared.trim());
        if !from.is_dir() {
            return Err(format!("../shared/{} is absent", shared.trim()));
        }
        stage.lay(&from);
    }
    if let Ok(needs) = fs::read_to_string(case.join("needs"))
        && !project().join(needs.trim()).exists()
    {
        return Err(format!("{} is absent", needs.trim()));
    }
    if let Ok(example) = fs::read_to_string(case.join("example")) {
        stage.lay(&project().join("examples").join(example.trim()));
    }
    if let Ok(like) = fs::read_to_string(case.join("like")) {
        stage.lay(&project().join("tests/cases").join(like.trim()).join("repo"));
    }
    if case.join("repo").is_dir() {
        stage.lay(&case.join("repo"));
    }
    if !case.join("bare").exists() {
        stage.commit_and_publish();
    }
    let mut transcript = String::new();
    for line in fs::read_to_string(case.join("cmd")).unwrap().lines() {
        if line.is_empty() || line.starts_with('#') {
            writeln!(transcript, "{line}").unwrap();
            continue;
        }
        let said = stage.shell(line);
        write!(transcript, "$ {line}\n{}", said.transcript()).unwrap();
    }
    Ok(stage.normal(&transcript))
}

#[test]
fn every_case_prints_what_it_should() {
    let bless = std::env::var_os("BLESS").is_some();
    let only = std::env::var("CASE").ok();
    let mut wrong = Vec::new();
    let (mut ran, mut skipped) = (0, 0);
    for case in cases() {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        if only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        let transcript = match run(&case) {
            Ok(transcript) => transcript,
            Err(reason) => {
                println!("skipped: case {name}: {reason}");
                skipped += 1;
                continue;
            }
        };
        ran += 1;
        let file = case.join("expected");
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if transcript == expected {
            continue;
        }
        if bless {
            fs::write(&file, &transcript).unwrap();
            println!("blessed {name}");
        } else {
            println!("case {name} differs:\n{}", stage::lines_that_differ(&expected, &transcript));
            wrong.push(name);
        }
    }
    println!("{ran} cases ran, {skipped} skipped");
    assert!(wrong.is_empty(), "wrong: {wrong:?}; BLESS=1 writes what came out");
    assert!(ran > 0, "no case ran");
}

/// Every `--help`, and what needs neither a repository nor a cluster.
#[test]
fn help_is_as_recorded() {
    let stage = Stage::new();
    let mut text = String::new();
    let mut open = vec![String::new()];
    while let Some(words) = open.pop() {
        let said = stage.shell(&format!("kubectl gitops{words} --help"));
        assert_eq!(said.status, 0, "{words}: {}", said.stderr);
        writeln!(text, "$ kubectl gitops{words} --help\n{}", said.stdout).unwrap();
        let commands = said.stdout.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
        let names: Vec<&str> = commands
            .lines()
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
            .filter(|name| !name.is_empty() && *name != "help")
            .collect();
        open.extend(names.iter().rev().map(|name| format!("{words} {name}")));
    }
    let file = project().join("tests/cases/help.txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(text == expected, "{}", stage::lines_that_differ(&expected, &text));
}
