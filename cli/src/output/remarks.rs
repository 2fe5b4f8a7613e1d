//! Warnings about places in files, said together at the end of a run.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use gitops_core::plan::printable;

use super::Terminal;

/// What is worth telling of files, each place and message once. A run may
/// render one file for several environments, folders and revisions.
#[derive(Debug, Default)]
pub(crate) struct Remarks(Mutex<BTreeSet<Remark>>);

/// A message about a place; the order is that of the places.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Remark {
    pub(crate) path: String,
    pub(crate) line: Option<u32>,
    pub(crate) message: String,
}

/// As many are said where nobody asks for more.
const FEW: usize = 3;

impl Remarks {
    pub(crate) const fn new() -> Remarks {
        Remarks(Mutex::new(BTreeSet::new()))
    }

    pub(super) fn add(&self, remark: Remark) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(remark);
    }

    /// Says them and forgets them.
    pub(super) fn tell(&self, terminal: Terminal) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines(&std::mem::take(&mut *open), terminal.verbose) {
            terminal.warn(line);
        }
    }
}

fn lines(remarks: &BTreeSet<Remark>, all: bool) -> Vec<String> {
    let shown = if all { remarks.len() } else { FEW.min(remarks.len()) };
    let mut lines: Vec<String> = remarks
        .iter()
        .take(shown)
        .map(|Remark { path, line, message }| match line {
            Some(line) => format!("{path}:{line}: {message}"),
            None => format!("{path}: {message}"),
        })
        // A name with a line break in it stays on its line.
        .map(|text| printable(&text))
        .collect();
    if shown < remarks.len() {
        lines.push(format!("and {} more; -v shows all", remarks.len() - shown));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(places: &[(&str, u32)], all: bool) -> Vec<String> {
        let remark = |(path, line): &(&str, u32)| Remark {
            path: (*path).to_owned(),
            line: Some(*line).filter(|line| *line > 0),
            message: "m".to_owned(),
        };
        lines(&places.iter().map(remark).collect(), all)
    }

    #[test]
    fn each_place_is_said_once_and_in_order() {
        let places = [("b", 10), ("b", 2), ("a", 0), ("b", 10)];
        assert_eq!(said(&places, false), ["a: m", "b:2: m", "b:10: m"]);
        assert!(said(&[], false).is_empty());
    }

    #[test]
    fn a_place_is_one_line() {
        assert_eq!(said(&[("a\nb", 1)], false), ["a\\u{a}b:1: m"]);
    }

    #[test]
    fn many_are_counted() {
        let places = [("a", 1), ("a", 2), ("a", 3), ("a", 4), ("a", 5)];
        assert_eq!(
            said(&places, false),
            ["a:1: m", "a:2: m", "a:3: m", "and 2 more; -v shows all"]
        );
        assert_eq!(said(&places, true).len(), 5);
    }
}
