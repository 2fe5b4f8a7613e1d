//! YAML as Kubernetes tools read and write it.
//!
//! - [`read`]: bytes → [`Document`]s of [`Node`]s, as go-yaml v3 decodes them,
//!   each with its [`Mark`] in the file; [`Dialect`] for kustomization files;
//! - [`Node::to_json`], [`Node::from_json`]: the way kustomize goes;
//! - [`write()`], [`write_json`]: one object, byte for byte as kustomize prints it;
//! - [`splice`]: edits of a file's bytes that change nothing but their target;
//! - [`differences`]: the places in which two states of a file differ;
//! - [`decode`]: a node into a typed value, with a place for every error.
//!
//! Pure: no file, clock or environment; nothing here panics on any input.

mod base64;
mod compare;
mod decode;
mod direct;
mod events;
mod json;
mod node;
mod pointer;
mod read;
mod resolve;
mod restyle;
mod spelling;
pub mod splice;
mod text;
mod timestamp;
mod write;

pub use compare::{Difference, Step, differences, same};
pub use decode::{DecodeError, decode};
pub use json::JsonError;
pub use node::{FileId, Mark, Node, OwnTag, Scalar, Style, Tag, Value};
pub use read::{
    Dialect, Document, ReadError, RepeatedKey, read, read_as, read_directly, read_exhaustively,
};
pub use restyle::write_in_style;
pub use spelling::string_like;
pub use text::Text;
pub use write::{write, write_json, write_to};
