//! The nouns of `kubectl gitops` and the functions between them. Data in,
//! data out: no IO, no clock, no environment.
//!
//! - [`key`]: [`key::ObjectKey`], the name of an object
//! - [`object`]: [`object::Raw`] (real bytes) and [`object::Object`] (may be shown)
//! - [`change`]: [`change::ChangeSet`], what differs
//! - [`judge`]: what policies are asked and answer, and the decision over them

pub mod change;
pub mod judge;
pub mod key;
pub mod object;
