//! Random kustomizations, rendered here and by kustomize itself: the same
//! bytes, or a failure on both sides.
//!
//! `GITOPS_KUSTOMIZE_PEER` names kustomize v5.8.1; without it the test says so
//! and passes. `GITOPS_KUSTOMIZE_CASES` and `GITOPS_KUSTOMIZE_SEED` set how
//! many trees are made and from what; `GITOPS_KUSTOMIZE_CASE` tries one alone.
//! A tree that differs is made as small as it can be before it is printed.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // runs a program on files
#![allow(clippy::unwrap_used, clippy::print_stdout)]
#![allow(unreachable_pub)]

#[path = "differential/damage.rs"]
mod damage;
#[path = "differential/dice.rs"]
mod dice;
mod disk;
#[path = "differential/fields.rs"]
mod fields;
#[path = "differential/fragments.rs"]
mod fragments;
#[path = "differential/kinds.rs"]
mod kinds;
#[path = "differential/layers.rs"]
mod layers;
#[path = "differential/manifests.rs"]
mod manifests;
#[path = "differential/patches.rs"]
mod patches;
#[path = "differential/peer.rs"]
mod peer;
#[path = "differential/plugins.rs"]
mod plugins;
#[path = "differential/shrink.rs"]
mod shrink;
#[path = "differential/template.rs"]
mod template;
#[path = "differential/values.rs"]
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use peer::{Case, End, Peer, ours};

const SEED: u64 = 4;
const CASES: u64 = 2_000;
/// Of those that differ, so many are made small and printed.
const SHOWN: usize = 8;
/// Builds with kustomize that making one case small may take.
const TRIES: usize = 500;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// How the two ends of a case disagree, or `None` where they do not.
fn difference(ours: &End, theirs: &End) -> Option<&'static str> {
    match (ours, theirs) {
        (End::Crashed(_), _) => Some("ours crashes"),
        (_, End::Crashed(_)) => None,
        (End::Built(ours), End::Built(theirs)) => (ours != theirs).then_some("other bytes"),
        (End::Failed(_), End::Built(_)) => Some("only ours fails"),
        (End::Built(_), End::Failed(_)) => Some("only kustomize fails"),
        (End::Failed(_), End::Failed(_)) => None,
    }
}

#[derive(Default)]
struct Tally {
    built: u64,
    refused: u64,
    crashed: u64,
    unsettled: u64,
    different: Vec<u64>,
    /// Why kustomize failed, and on which cases.
    reasons: BTreeMap<String, Vec<u64>>,
}

/// What stays of a complaint when names and values are taken out.
fn reason(complaint: &str) -> String {
    let line = complaint.lines().find(|line| line.starts_with("Error: ")).unwrap_or_default();
    let last = line.rsplit(": ").take(2).collect::<Vec<_>>();
    let text = last.into_iter().rev().collect::<Vec<_>>().join(": ");
    text.chars().filter(|c| !c.is_ascii_digit()).take(110).collect()
}

#[test]
fn random_kustomizations_render_as_kustomize_does() {
    let Some(program) = std::env::var_os("GITOPS_KUSTOMIZE_PEER").map(PathBuf::from) else {
        println!("skipped: GITOPS_KUSTOMIZE_PEER is not set");
        return;
    };
    let seed = number("GITOPS_KUSTOMIZE_SEED").unwrap_or(SEED);
    let cases = number("GITOPS_KUSTOMIZE_CASES").unwrap_or(CASES);
    let (first, end) = match number("GITOPS_KUSTOMIZE_CASE") {
        Some(one) => (one, one + 1),
        None => (0, cases),
    };
    let next = AtomicU64::new(first);
    let tally = Mutex::new(Tally::default());
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 16);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&program, seed, &next, end, &tally));
        }
    });
    let tally = tally.into_inner().unwrap();
    println!(
        "seed {seed}: {} build, {} fail on both sides, kustomize crashes on {} and is not settled on {}, {} differ",
        tally.built,
        tally.refused,
        tally.crashed,
        tally.unsettled,
        tally.different.len()
    );
    let mut reasons: Vec<(&String, &Vec<u64>)> = tally.reasons.iter().collect();
    reasons.sort_by_key(|(_, cases)| std::cmp::Reverse(cases.len()));
    for (reason, cases) in reasons.iter().take(reported()) {
        println!("  {:5} {reason} (as case {})", cases.len(), cases[0]);
    }
    let different = &tally.different;
    assert!(
        different.is_empty(),
        "{} of {cases} trees differ, seed {seed}, cases {different:?}",
        different.len()
    );
}

fn work(program: &Path, seed: u64, next: &AtomicU64, end: u64, tally: &Mutex<Tally>) {
    let peer = Peer::new(program);
    let number_is_alone = number("GITOPS_KUSTOMIZE_CASE").is_some();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= end {
            return;
        }
        let case = layers::make(seed, number);
        let (own, theirs) = (ours(&case), peer.build(&case));
        if number_is_alone {
            println!("{}", alone(&peer, &case, &own, &theirs));
        }
        let Some(how) = difference(&own, &theirs) else {
            let mut tally = tally.lock().unwrap();
            match theirs {
                End::Built(_) => tally.built += 1,
                End::Failed(text) => {
                    tally.refused += 1;
                    tally.reasons.entry(reason(&text)).or_default().push(number);
                }
                End::Crashed(_) => tally.crashed += 1,
            }
            continue;
        };
        if is_unsettled(&peer, &case, &theirs) {
            tally.lock().unwrap().unsettled += 1;
            continue;
        }
        let show = {
            let mut tally = tally.lock().unwrap();
            tally.different.push(number);
            tally.different.len() <= shown()
        };
        if show {
            let text = explain(&peer, &case, how);
            println!(
                "\n======== GITOPS_KUSTOMIZE_SEED={seed} GITOPS_KUSTOMIZE_CASE={number}\n{text}"
            );
        }
    }
}

/// Of the reasons for which kustomize fails, so many are printed.
fn reported() -> usize {
    number("GITOPS_KUSTOMIZE_REASONS").map_or(0, |reasons| reasons as usize)
}

fn shown() -> usize {
    number("GITOPS_KUSTOMIZE_SHOWN").map_or(SHOWN, |shown| shown as usize)
}

/// Whether kustomize itself gives other answers when asked again.
fn is_unsettled(peer: &Peer, case: &Case, first: &End) -> bool {
    (0..6).any(|_| {
        let again = peer.build(case);
        match (first, &again) {
            (End::Built(one), End::Built(other)) => one != other,
            _ => first.class() != again.class(),
        }
    })
}

/// The case, made small, and what both make of it.
fn explain(peer: &Peer, case: &Case, how: &str) -> String {
    let fails = |case: &Case| difference(&ours(case), &peer.build(case)) == Some(how);
    let small = shrink::shrink(case, TRIES, &fails);
    format!("{how}, {}", shown_case(&small, &ours(&small), &peer.build(&small)))
}

/// A case asked for by its number; where kustomize fails, what is enough to
/// make it fail with the same reason.
fn alone(peer: &Peer, case: &Case, own: &End, theirs: &End) -> String {
    let End::Failed(text) = theirs else { return shown_case(case, own, theirs) };
    let why = reason(text);
    let same = |case: &Case| matches!(peer.build(case), End::Failed(text) if reason(&text) == why);
    let small = shrink::shrink(case, TRIES, &same);
    shown_case(&small, &ours(&small), &peer.build(&small))
}

fn shown_case(case: &Case, own: &End, theirs: &End) -> String {
    let mut text = format!("building `{}`\n", case.dir);
    for (path, bytes) in &case.files {
        let shown = String::from_utf8_lossy(bytes);
        let shown = if shown.contains(|c: char| c.is_control() && c != '\n' || c == '\u{feff}') {
            format!("{shown:?}\n")
        } else {
            shown.into_owned()
        };
        text.push_str(&format!("---- {path}\n{shown}"));
        if !shown.ends_with('\n') {
            text.push_str("<no line end>\n");
        }
    }
    match (own, theirs) {
        (End::Built(own), End::Built(theirs)) => {
            text.push_str(&format!("---- kustomize\n{theirs}---- ours\n{own}"));
            text.push_str(&format!("---- {}\n", disk::first_difference(theirs, own)));
        }
        _ => {
            text.push_str(&format!("---- kustomize {}\n{}\n", theirs.class(), theirs.text()));
            text.push_str(&format!("---- ours {}\n{}\n", own.class(), own.text()));
        }
    }
    text
}
