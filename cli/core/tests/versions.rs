//! Constraints on versions against Masterminds/semver, which Flux, Helm and
//! Argo CD use: what is refused, what is a version, what is allowed.
//!
//! `GITOPS_VERSIONS_PEER` names the program built from `tests/go`; without it
//! the test says so and passes.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::io::Write;
use std::process::{Command, Stdio};

use gitops_core::plan::version::{Constraint, read_version};
use serde_json::{Value as Json, json};

/// A small generator, so that every run sees the same cases.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }

    fn version(&mut self, numbers: &[&str]) -> String {
        let mut text = self.pick(&["", "", "", "v"]).to_owned();
        text.push_str(self.pick(numbers));
        for _ in 0..self.roll(4).min(2 + self.roll(2)) {
            text.push('.');
            text.push_str(self.pick(numbers));
        }
        text.push_str(self.pick(&[
            "", "", "", "", "", "", "-0", "-rc.1", "-rc.2", "-alpha", "-1", "-beta.11", "-01", "-",
            "+b1", "-rc.1+b",
        ]));
        text
    }

    fn constraint(&mut self) -> String {
        const PARTS: [&str; 12] = ["0", "0", "1", "1", "2", "3", "10", "x", "X", "*", "01", "1x"];
        const OPS: [&str; 16] =
            ["", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^", "^", "~", "==", ">>"];
        let mut text = String::new();
        let mut after_range = false;
        for and in 0..=self.roll(3) {
            let range = self.roll(6) == 0;
            if and > 0 {
                let between: &[&str] = if range || after_range {
                    // Where a range meets something else, Masterminds goes by
                    // accidents of its text: `||1 - 2` is refused, `1 - 2~3` is not.
                    &[", ", " ", " , ", " || "]
                } else {
                    &[", ", " ", ",", " , ", " || ", "||", "", ",,", " | "]
                };
                text.push_str(self.pick(between));
            }
            after_range = range;
            if !range || self.roll(8) == 0 {
                text.push_str(self.pick(&OPS));
                text.push_str(self.pick(&["", "", " "]));
            }
            text.push_str(&self.version(&PARTS));
            if range {
                text.push_str(self.pick(&[" - ", " - ", "  -  ", " -", "-"]));
                text.push_str(&self.version(&PARTS));
            }
        }
        text.push_str(self.pick(&["", "", "", " ", "x", ","]));
        text
    }
}

#[test]
fn constraints_are_read_as_masterminds_reads_them() {
    let Some(program) = std::env::var_os("GITOPS_VERSIONS_PEER") else {
        println!("skipped: GITOPS_VERSIONS_PEER is not set");
        return;
    };
    let mut dice = Dice(0x5eed_0f5e_3be7);
    const NUMBERS: [&str; 6] = ["0", "1", "2", "3", "10", "02"];
    let mut questions = Vec::new();
    for number in 0..40_000 {
        let versions: Vec<String> = (0..40).map(|_| dice.version(&NUMBERS)).collect();
        questions.push((dice.constraint(), number % 4 == 0, versions));
    }
    let input: String = questions
        .iter()
        .map(|(constraint, pre, versions)| {
            json!({"constraint": constraint, "pre": pre, "versions": versions}).to_string() + "\n"
        })
        .collect();
    let mut child =
        Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feed = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    feed.join().unwrap();
    let answers = String::from_utf8(output.stdout).unwrap();
    let (mut refused, mut allowed, mut compared) = (0, 0, 0);
    let mut wrong = Vec::new();
    for ((text, pre, versions), answer) in questions.iter().zip(answers.lines()) {
        let answer: Json = serde_json::from_str(answer).unwrap();
        let ours = Constraint::parse(text);
        let (Some(answer), Ok(ours)) = (answer.as_array(), &ours) else {
            if answer.is_null() && ours.is_err() {
                refused += 1;
            } else {
                wrong.push(format!("`{text}`: {answer} and {ours:?}"));
            }
            continue;
        };
        for (version, theirs) in versions.iter().zip(answer) {
            let ours = read_version(version).map(|version| ours.allows(&version, *pre));
            compared += 1;
            allowed += usize::from(ours == Some(true));
            if json!(ours) != *theirs {
                wrong.push(format!("`{text}` ({pre}) of {version}: {theirs} and {ours:?}"));
            }
        }
    }
    assert_eq!(answers.lines().count(), questions.len());
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
    println!("{refused} refused, {compared} compared, {allowed} allowed");
    assert!(refused > 1000 && allowed > 10_000);
}
