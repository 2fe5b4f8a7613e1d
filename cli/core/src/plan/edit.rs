//! One value of a kustomization, and no byte more.

use gitops_tree::TreePath;
use gitops_yaml::splice::{self, Splice};
use gitops_yaml::{Node, Value};

use crate::judge::Moved;
use crate::object::Source;

use super::apps::{root, source};
use super::error::PlanError;
use super::rules::key_of;

/// The file with one field of one image set, or taken away. Everything else
/// keeps its bytes. What comes out is read again: unless it holds the wanted
/// value and is otherwise what it was, there is no edit.
pub(super) fn set_image_field(
    file: &TreePath,
    bytes: &[u8],
    image: &str,
    what: Moved,
    value: Option<&str>,
) -> Result<Vec<u8>, PlanError> {
    let key = key_of(what);
    let before = root(file, bytes)?;
    let images = before.get("images").map_or(&[][..], Node::items);
    let is_it = |entry: &Node| entry.get("name").and_then(Node::text) == Some(image);
    let Some((index, entry)) = images.iter().enumerate().find(|(_, entry)| is_it(entry)) else {
        return Err(PlanError::Shape {
            at: Source { path: file.as_str().to_owned(), document: 1, line: None },
            reason: format!("no image `{image}`"),
        });
    };
    let at = source(file, entry.mark);
    let refused = |reason: String| PlanError::NotEditable { at: at.clone(), key, reason };
    let spliced = match (entry.get(key), value) {
        (Some(old), Some(value)) => splice::set_string(bytes, &old.mark, value),
        (None, Some(value)) => splice::insert_entry(bytes, entry, key, value),
        (Some(_), None) => {
            let line = removal(bytes, entry, key)
                .ok_or_else(|| refused("it shares its line with something else".to_owned()))?;
            splice::apply(bytes, vec![line])
        }
        (None, None) => return Ok(bytes.to_vec()),
    };
    let spliced = spliced.map_err(|error| refused(error.to_string()))?;
    if !same(&root(file, &spliced)?, &with(&before, index, key, value)) {
        return Err(refused("something else would change with it".to_owned()));
    }
    Ok(spliced)
}

/// What the file must read as afterwards.
fn with(before: &Node, index: usize, key: &str, value: Option<&str>) -> Node {
    let mut after = before.clone();
    let images = after.get_mut("images").and_then(Node::items_mut);
    if let Some(entry) = images.and_then(|images| images.get_mut(index)) {
        match value {
            Some(value) => entry.set(key, Node::string(value)),
            None => {
                entry.remove(key);
            }
        }
    }
    after
}

/// Equal as values; how a scalar is written does not count.
fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Scalar(a), Value::Scalar(b)) => a.text == b.text && a.tag == b.tag,
        (Value::Sequence(a), Value::Sequence(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Mapping(a), Value::Mapping(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|((ka, va), (kb, vb))| same(ka, kb) && same(va, vb))
        }
        _ => false,
    }
}

/// The line of a pair, or its part of a `{…}`.
fn removal(bytes: &[u8], entry: &Node, key: &str) -> Option<Splice> {
    let (key, value) = entry.entries().iter().find(|(other, _)| other.text() == Some(key))?;
    let (from, to) = (key.mark.start as usize, value.mark.end as usize);
    if bytes.get(entry.mark.start as usize) == Some(&b'{') {
        let comma = bytes[..from].iter().rposition(|byte| !byte.is_ascii_whitespace())?;
        return (bytes[comma] == b',').then(|| Splice { range: comma..to, with: Vec::new() });
    }
    let start = bytes[..from].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    // The first pair of an entry shares its line with the dash.
    if bytes[start..from].iter().any(|byte| *byte != b' ') {
        return None;
    }
    let next = bytes.get(to..)?.iter().position(|byte| *byte == b'\n');
    let end = next.map_or(bytes.len(), |offset| to + offset + 1);
    Some(Splice { range: start..end, with: Vec::new() })
}
