//! How a command ends: the table of exit codes, and failures in words.

use std::error::Error;
use std::process::ExitCode;

/// The exit codes of every verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: yes, done, no difference.
    Yes,
    /// 1: the answer is no: differences, or a closed gate.
    No,
    /// 2: usage or configuration.
    Usage,
    /// 3: cluster, Git or forge.
    World,
    /// 4: a policy did not answer.
    Fault,
    /// 5: not yet, ask again later.
    Pending,
}

impl Exit {
    pub(crate) fn number(self) -> u8 {
        match self {
            Exit::Yes => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::World => 3,
            Exit::Fault => 4,
            Exit::Pending => 5,
        }
    }

    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(self.number())
    }

    /// When several hold, the first of 2, 4, 3, 1, 5, 0 wins.
    #[must_use]
    pub(crate) fn and(self, other: Exit) -> Exit {
        let order = [Exit::Usage, Exit::Fault, Exit::World, Exit::No, Exit::Pending];
        order.into_iter().find(|exit| self == *exit || other == *exit).unwrap_or(Exit::Yes)
    }
}

/// Why a command could not answer: what was attempted on what, why it failed,
/// and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hints: Vec<String>,
}

impl Failure {
    fn new(exit: Exit, error: impl Into<String>) -> Failure {
        Failure { exit, error: error.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// Usage or configuration (2).
    pub(crate) fn usage(error: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, error)
    }

    /// Cluster, Git or forge (3).
    pub(crate) fn world(error: impl Into<String>) -> Failure {
        Failure::new(Exit::World, error)
    }

    /// A policy did not answer (4).
    pub(crate) fn fault(error: impl Into<String>) -> Failure {
        Failure::new(Exit::Fault, error)
    }

    /// Adds an error and everything that caused it.
    #[must_use]
    pub(crate) fn because(mut self, cause: &(dyn Error + 'static)) -> Failure {
        let mut next: Option<&(dyn Error + 'static)> = Some(cause);
        while let Some(cause) = next {
            let words = cause.to_string();
            // Some libraries repeat the cause in their own text.
            if !self.causes.last().is_some_and(|last| last.contains(&words)) {
                self.causes.extend(several(&words));
            }
            next = cause.source();
        }
        self
    }

    /// The error and what caused it, on one line.
    pub(crate) fn words(self) -> String {
        let words = std::iter::once(self.error).chain(self.causes);
        words.collect::<Vec<_>>().join(": ")
    }

    /// Adds a way out.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hints.push(hint.into());
        self
    }
}

/// The causes that one text tells: a line begins one, unless it is indented.
fn several(words: &str) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    for line in words.lines() {
        match causes.last_mut() {
            Some(last) if line.starts_with(' ') => {
                last.push('\n');
                last.push_str(line);
            }
            _ => causes.push(line.to_owned()),
        }
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_cause_unless_it_is_indented() {
        assert_eq!(several("a\n  by b\nc"), ["a\n  by b", "c"]);
        assert_eq!(several("  a"), ["  a"]);
    }

    #[test]
    fn the_first_of_2_4_3_1_5_0_wins() {
        let order = [Exit::Usage, Exit::Fault, Exit::World, Exit::No, Exit::Pending, Exit::Yes];
        for (rank, one) in order.iter().enumerate() {
            for other in &order[rank..] {
                assert_eq!(one.and(*other), *one);
                assert_eq!(other.and(*one), *one);
            }
        }
    }
}
