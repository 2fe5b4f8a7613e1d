//! Cases derived from all of kustomize's own tests: the output byte-equal to
//! kustomize's, an error where it gives one.
//!
//! `GITOPS_KUSTOMIZE_SUITE` names the file that the program in `tests/suite`
//! leaves; without it the test says so and passes.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // tests over real files
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod disk;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use gitops_kustomize::{LoadRestrictor, Options, Reorder, build};
use gitops_tree::{Memory, TreePath};
use serde_json::Value as Json;

/// What kustomize's errors say where a build wants a network or a program.
const OUTSIDE: [&str; 9] = [
    "no 'git' program on path",
    "HTTP Error",
    "proxyconnect tcp",
    "must specify --enable-helm",
    "external plugins disabled",
    "unable to find plugin root",
    "couldn't execute function",
    "executable file not found",
    "no such host",
];

/// The cases that fall short, in any order: kustomize takes a schema from a comment
/// behind a key (`items: # {"type": …}`), and comments are not read.
const SHORT: [&str; 4] =
    ["merge2.TestMerge-12", "merge2.TestMerge-14", "merge2.TestMerge-76", "merge2.TestMerge-78"];

#[derive(Default)]
struct Score {
    equal: u32,
    yaml: u32,
    refused: u32,
    errors: u32,
    named: u32,
    outside: u32,
}

#[test]
fn cases_of_kustomizes_tests() {
    let Some(file) = std::env::var_os("GITOPS_KUSTOMIZE_SUITE") else {
        eprintln!("skipped: GITOPS_KUSTOMIZE_SUITE is not set");
        return;
    };
    let cases = std::fs::read_to_string(file).unwrap();
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    let mut misses = Vec::new();
    let mut short = BTreeSet::new();
    for line in cases.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let name = case["name"].as_str().unwrap();
        let package = name.split_once('.').unwrap().0;
        let score = scores.entry(package.to_owned()).or_default();
        let tree = tree(&case);
        for wanted in case["builds"].as_array().unwrap() {
            if let Some(miss) = judge(&tree, wanted, score) {
                let options: Vec<&str> = ["reorder", "path"]
                    .iter()
                    .filter_map(|option| wanted[option].as_str())
                    .collect();
                short.insert(name.to_owned());
                misses.push(format!("{name} ({}): {miss}", options.join(" ")));
            }
        }
    }
    let mut table =
        format!("{:24}{:>14}{:>14}{:>14}\n", "tests", "equal", "refused", "needs named");
    let mut total = Score::default();
    for (package, score) in &scores {
        row(&mut table, package, score);
        total.equal += score.equal;
        total.yaml += score.yaml;
        total.refused += score.refused;
        total.errors += score.errors;
        total.named += score.named;
        total.outside += score.outside;
    }
    row(&mut table, "all", &total);
    eprintln!("{}\n{table}", misses.join("\n"));
    assert!(total.equal > 1000 && total.refused > 300, "the suite is not whole:\n{table}");
    let known = BTreeSet::from(SHORT.map(str::to_owned));
    assert_eq!(short, known, "the cases that fall short are others than those of `SHORT`");
}

fn row(table: &mut String, name: &str, score: &Score) {
    let of = |part: u32, whole: u32| format!("{part} of {whole}");
    writeln!(
        table,
        "{name:24}{:>14}{:>14}{:>14}",
        of(score.equal, score.yaml),
        of(score.refused, score.errors),
        of(score.named, score.outside)
    )
    .unwrap();
}

/// The files and links of a case.
fn tree(case: &Json) -> Memory {
    let mut tree = Memory::new();
    let entries = |field: &str| case[field].as_object().cloned().unwrap_or_default();
    for (path, content) in entries("tree") {
        tree.insert(TreePath::new(&path).unwrap(), content.as_str().unwrap().as_bytes());
    }
    for (path, content) in entries("binary") {
        use base64::Engine as _;
        let engine = base64::engine::general_purpose::STANDARD;
        let bytes = engine.decode(content.as_str().unwrap()).unwrap();
        tree.insert(TreePath::new(&path).unwrap(), bytes);
    }
    for (path, target) in entries("links") {
        tree.insert_link(TreePath::new(&path).unwrap(), target.as_str().unwrap());
    }
    tree
}

/// Counts a build; what falls short, where it does.
fn judge(tree: &Memory, wanted: &Json, score: &mut Score) -> Option<String> {
    let options = Options {
        load_restrictor: match wanted["unrestricted"].as_bool() {
            Some(true) => LoadRestrictor::None,
            _ => LoadRestrictor::RootOnly,
        },
        reorder: if wanted["reorder"] == "none" { Reorder::None } else { Reorder::Legacy },
        managed_by_label: wanted["managed"].as_bool().unwrap_or_default(),
    };
    let path = TreePath::new(wanted["path"].as_str().unwrap()).unwrap();
    let result = build(tree, &path, &options).map(|rendered| rendered.to_yaml());
    if let Some(expected) = wanted["output"].as_str() {
        score.yaml += 1;
        return match result {
            Ok(found) if found == expected => {
                score.equal += 1;
                None
            }
            Ok(found) => Some(disk::first_difference(expected, &found)),
            Err(error) => Some(error.to_string()),
        };
    }
    let theirs = wanted["error"].as_str().unwrap();
    if OUTSIDE.iter().any(|text| theirs.contains(text)) {
        score.outside += 1;
        return match result {
            Err(errors) if errors.needs().next().is_some() => {
                score.named += 1;
                None
            }
            Err(error) => Some(format!("names no need: {error}; kustomize: {theirs}")),
            Ok(_) => Some(format!("builds, and kustomize needs something: {theirs}")),
        };
    }
    score.errors += 1;
    match result {
        Err(_) => {
            score.refused += 1;
            None
        }
        Ok(_) => Some(format!("builds, and kustomize says: {theirs}")),
    }
}
