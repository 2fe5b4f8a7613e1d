//! What must hold for any input, as functions that panic where it does not.
//!
//! - [`reader()`]: any bytes are read or refused, and what is read stands where
//!   it says and survives being written;
//! - [`emitter()`]: any tree that is written reads back equal;
//! - [`splice()`]: an edit of any file changes its target and nothing else, or
//!   is refused;
//! - [`build()`]: any folder is rendered or refused.
//!
//! The programs in `src/bin` give them to libFuzzer; `tests/replay.rs` gives
//! them the seeds and everything that was ever found.

mod build;
mod emitter;
mod reader;
mod splice;
mod trees;

pub use build::build;
pub use emitter::emitter;
pub use reader::reader;
pub use splice::splice;
