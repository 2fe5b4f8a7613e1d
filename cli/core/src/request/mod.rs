//! What a request says of itself, as text: the hidden marker at the end of its
//! body, the one comment that tells the state of things, and the names of commit
//! statuses. All of it is data in, text out; who it is sent to is the caller's.
//!
//! Text of others (policies, names in files, reasons of holds) goes through
//! [`Md`], which leaves nothing of it that a forge would take for a mention, a
//! link, an image, HTML or an end of what it stands in.

mod context;
mod markdown;
mod marker;
mod report;

pub use context::context;
pub use markdown::Md;
pub use marker::{Marker, body};
pub use report::{Part, Report, is_report, replaced, still_seals};
