//! Versions and constraints on them, as Flux, Helm and Argo CD read them.
//!
//! The dialect is that of Masterminds/semver v3 (`constraints.go`,
//! `version.go`), which those three use; `cli/core/tests/versions.rs` holds it
//! to the real thing. A [`Constraint`] is a set of [intervals](Constraint::interval):
//! what is printed is what is asked. [`choose`] takes the highest offered
//! version that it allows.

mod choose;
mod constraint;
mod scan;

pub use choose::{Asked, Chosen, NoVersion, Offered, choose, offered_in_file, offered_tags};
pub use constraint::Constraint;
pub use scan::read_version;

/// Why a text is not a constraint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a constraint on versions: {reason}")]
pub struct ConstraintError {
    /// What was written, escaped.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}
