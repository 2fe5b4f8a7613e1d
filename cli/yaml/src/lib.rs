//! YAML as Kubernetes tools read and write it.

mod base64;
mod events;
mod json;
mod node;
mod read;
mod resolve;
mod timestamp;
mod write;

pub use json::JsonError;
pub use node::{FileId, Mark, Node, Scalar, Style, Tag, Value};
pub use read::{Document, ReadError, read};
pub use write::{write, write_json};
