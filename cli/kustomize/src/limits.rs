//! How much a build may take: input from others must not exhaust time, memory
//! or the stack. kustomize has no such limits; no real build comes near them.
//!
//! | what | at most |
//! |---|---|
//! | a file | 32 MiB ([`gitops_tree::MAX_FILE`]) |
//! | all files of a build, each counted as often as it is named | 256 MiB |
//! | kustomizations within one another | 64 |
//! | kustomizations of a build, each counted as often as it is built | 20,000 |
//! | collections within one another in a file | 256 (`gitops_yaml`) |
//! | text out of the aliases of a document | 32 MiB (`gitops_yaml`), and go-yaml's limit on nodes |
//! | what JSON patches, replacements or variables copy in a build step | 64 MiB |
//! | collections within one another after that | 512 |
//! | names in a field's path | 256 |

use gitops_yaml::{Node, Value};

/// Bytes that a build reads in all.
pub(crate) const MAX_READ: usize = 256 << 20;
/// Kustomizations within one another.
pub(crate) const MAX_NESTED: usize = 64;
/// Kustomizations that are built.
pub(crate) const MAX_BUILT: usize = 20_000;
/// Names in the path of a field that is made.
pub(crate) const MAX_PATH: usize = 256;
/// Bytes that a step copies.
pub(crate) const MAX_COPIED: usize = 64 << 20;
const MAX_DEPTH: usize = 512;

/// Says that a step copies too much.
pub(crate) fn too_much() -> String {
    format!("this copies more than {} MiB", MAX_COPIED >> 20)
}

/// What may still be copied.
pub(crate) struct Copies {
    left: usize,
}

impl Copies {
    pub(crate) fn new() -> Copies {
        Copies { left: MAX_COPIED }
    }

    /// Notes that a node is put `below` names deep into an object.
    pub(crate) fn take(&mut self, node: &Node, below: usize) -> Result<(), String> {
        if below > MAX_PATH {
            return Err(format!("the path has more than {MAX_PATH} names"));
        }
        self.count(node, below)
    }

    /// Notes that as many bytes of text were made.
    pub(crate) fn take_text(&mut self, bytes: usize) -> Result<(), String> {
        self.left = self.left.checked_sub(bytes).ok_or_else(too_much)?;
        Ok(())
    }

    fn count(&mut self, node: &Node, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("this makes values nested more than {MAX_DEPTH} levels deep"));
        }
        self.take_text(size_of::<Node>())?;
        match &node.value {
            Value::Scalar(scalar) => self.take_text(scalar.text.len()),
            Value::Sequence(items) => items.iter().try_for_each(|item| self.count(item, depth + 1)),
            Value::Mapping(entries) => entries.iter().try_for_each(|(key, value)| {
                self.count(key, depth + 1)?;
                self.count(value, depth + 1)
            }),
        }
    }
}
