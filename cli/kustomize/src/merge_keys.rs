//! Keys `<<` that do not merge.

use gitops_yaml::{Node, Value};

/// Whether there may be any in a file.
pub(crate) fn may_be_in(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"<<").is_some()
}

/// Takes the first `<<` out of every mapping: those that merge have been, and
/// those in quotes kustomize takes for the same (`removeMergeTags`,
/// kyaml/yaml/rnode.go).
pub(crate) fn drop_from(node: &mut Node) {
    match &mut node.value {
        Value::Scalar(_) => {}
        Value::Sequence(items) => items.iter_mut().for_each(drop_from),
        Value::Mapping(entries) => {
            if let Some(at) = entries.iter().position(|(key, _)| key.text() == Some("<<")) {
                entries.remove(at);
            }
            entries.iter_mut().for_each(|(_, value)| drop_from(value));
        }
    }
}
