//! The calls that were made, without what was in them.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One call as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// `GET`, `POST` and so on.
    pub method: &'static str,
    /// What was called, names left out: `/repos/{owner}/{repo}/pulls`.
    pub path: &'static str,
    /// The HTTP status of the answer, where one came.
    pub status: Option<u16>,
}

/// `POST /repos/{owner}/{repo}/pulls 201`.
impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.method, self.path)?;
        match self.status {
            Some(status) => write!(f, "{status}"),
            None => f.write_str("no answer"),
        }
    }
}

/// A list of calls that grows.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    made: Mutex<Vec<Made>>,
}

impl Trace {
    /// Notes one.
    pub(crate) fn note(&self, made: Made) {
        self.lock().push(made);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.lock().len() as u64
    }

    /// All of them, in the order of their ends.
    pub(crate) fn made(&self) -> Vec<Made> {
        self.lock().clone()
    }

    /// A list is whole whatever happened to who held it.
    fn lock(&self) -> MutexGuard<'_, Vec<Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
