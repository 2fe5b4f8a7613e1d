//! What is wrong with `gitops.yaml`, and where.

use std::fmt;

/// A place in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// 1-based line.
    pub(crate) line: u32,
    /// 1-based column in characters.
    pub(crate) column: u32,
}

/// What kind of problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ProblemKind {
    /// There is no such file.
    Missing,
    /// It cannot be read.
    Unreadable,
    /// It is not YAML, or of another shape.
    Shape,
    /// A key that the file does not have.
    UnknownKey,
    /// A key of the file that this version does not act on. It is refused,
    /// since ignoring it could open what it is meant to close.
    NotSupported,
    /// A value that cannot be, or two that contradict each other.
    Invalid,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    /// Where; `None` where there is no file to point into.
    pub(crate) place: Option<Place>,
    /// What kind it is.
    pub(crate) kind: ProblemKind,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

/// Everything that is wrong with a configuration, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct ConfigError {
    /// The file.
    pub(crate) path: String,
    /// At least one problem.
    pub(crate) problems: Vec<Problem>,
}

impl ConfigError {
    /// One problem of the file at `path`.
    pub(super) fn one(path: &str, problem: Problem) -> ConfigError {
        ConfigError { path: path.to_owned(), problems: vec![problem] }
    }

    /// What to do about problems without a place; the others say it beside
    /// theirs.
    pub(crate) fn hints(&self) -> impl Iterator<Item = &str> {
        let nowhere = self.problems.iter().filter(|problem| problem.place.is_none());
        nowhere.filter_map(|problem| problem.hint.as_deref())
    }
}

/// Prints `file:line:column: what is wrong: what to do`, one problem a line.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let Problem { place, message, hint, .. } = problem;
            match (place, hint) {
                (None, _) => write!(f, "{}: {message}", self.path)?,
                (Some(Place { line, column }), None) => {
                    write!(f, "{}:{line}:{column}: {message}", self.path)?;
                }
                (Some(Place { line, column }), Some(hint)) => {
                    write!(f, "{}:{line}:{column}: {message}: {hint}", self.path)?;
                }
            }
        }
        Ok(())
    }
}
