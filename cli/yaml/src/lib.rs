//! YAML as Kubernetes tools read and write it.

mod node;

pub use node::{FileId, Mark, Node, Scalar, Style, Tag, Value};
