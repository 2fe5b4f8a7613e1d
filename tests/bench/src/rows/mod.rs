//! The rows of the table, one file a question.

pub(crate) mod diff;
pub(crate) mod folders;
pub(crate) mod promote;
pub(crate) mod render;
pub(crate) mod requests;
pub(crate) mod startup;

use std::io;
use std::path::Path;

use crate::contest::ContestError;
use crate::measure::MeasureError;

/// Why a row, or what it needs, could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RowError {
    /// The contest failed.
    #[error(transparent)]
    Contest(#[from] ContestError),
    /// A program that prepares a row failed.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// The API server, or a step on it.
    #[error("{0}")]
    Cluster(#[source] gitops_test_cluster::StartError),
    /// A file or a socket.
    #[error("{attempt}: {source}")]
    Io {
        /// What was attempted.
        attempt: String,
        /// What went wrong.
        source: io::Error,
    },
    /// What was found is not what the row needs.
    #[error("{0}")]
    Unfit(String),
}

pub(crate) fn did<T>(attempt: &str, result: io::Result<T>) -> Result<T, RowError> {
    result.map_err(|source| RowError::Io { attempt: attempt.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<(), RowError> {
    did(&format!("write {}", path.display()), std::fs::write(path, text))
}

fn make_folder(path: &Path) -> Result<(), RowError> {
    did(&format!("make {}", path.display()), std::fs::create_dir_all(path))
}
