//! What an apply by the owner of an object would make of it.
//!
//! The API server is the authority: it is asked by a dry run. These functions
//! decide how to ask ([`owner`]), which objects need not be asked because the
//! apply is proved to change nothing ([`no_op`]), and what the owner does
//! beyond a plain server-side apply ([`takeover`]).

pub mod no_op;
pub mod owner;
pub mod takeover;

mod fields;
