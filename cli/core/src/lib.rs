//! The nouns of `kubectl gitops` and the functions between them. Data in,
//! data out: no IO, no clock, no environment.
//!
//! - [`key`]: [`key::ObjectKey`], the name of an object
//! - [`object`]: [`object::Raw`] (real bytes) and [`object::Object`] (may be shown)
//! - [`seal`]: what is shown in place of a Secret's values
//! - [`change`]: [`change::ChangeSet`], what differs
//! - [`diff`]: two sides to a `ChangeSet`, and a change to text
//! - [`predict`]: how the owner of an object writes it, and what needs no asking
//! - [`plan`]: a promotion as edits, with all it read
//! - [`gate`]: what else must hold before a change may enter an environment
//! - [`owners`]: who owns a file, as CODEOWNERS says
//! - [`request`]: what a request on a forge says of itself
//! - [`history`]: what the arrivals of versions come to in numbers
//! - [`judge`]: what policies are asked and answer, and the decision over them

pub mod change;
pub mod diff;
pub mod gate;
pub mod history;
pub mod judge;
pub mod key;
pub mod object;
pub mod owners;
pub mod plan;
pub mod predict;
pub mod request;
pub mod seal;
