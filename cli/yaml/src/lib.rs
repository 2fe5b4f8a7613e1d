//! YAML as Kubernetes tools read and write it.

mod base64;
mod decode;
mod events;
mod json;
mod node;
mod pointer;
mod read;
mod resolve;
mod spelling;
pub mod splice;
mod timestamp;
mod write;

pub use decode::{DecodeError, decode};
pub use json::JsonError;
pub use node::{FileId, Mark, Node, Scalar, Style, Tag, Value};
pub use read::{Document, ReadError, read};
pub use spelling::string_like;
pub use write::{write, write_json};
