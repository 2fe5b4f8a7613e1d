//! One value of a kustomization, and no byte more.

use gitops_tree::TreePath;
use gitops_yaml::{Node, Style, Value};

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
    let (index, entry) = entry(&before, image).ok_or_else(|| PlanError::Shape {
        at: Source { path: file.as_str().to_owned(), document: 1, line: None },
        reason: format!("no image `{image}`"),
    })?;
    let at = source(file, entry.mark);
    let refused = |reason: String| PlanError::NotEditable { at: at.clone(), key, reason };

    let wanted = with(&before, index, key, value);
    let candidates = match value {
        Some(value) => spellings(value, entry.get(key)),
        None => vec![String::new()],
    };
    let mut reason = "it is written in a form that cannot be edited".to_owned();
    for spelling in candidates {
        let spliced = match (entry.get(key), value) {
            (Some(node), Some(_)) => replace(bytes, node, &spelling),
            (None, Some(_)) => insert(bytes, entry, &format!("{key}: {spelling}")),
            (Some(_), None) => remove(bytes, entry, key),
            (None, None) => Some(bytes.to_vec()),
        };
        let Some(spliced) = spliced else { continue };
        match root(file, &spliced) {
            Ok(after) if same(&after, &wanted) => return Ok(spliced),
            Ok(_) => reason = "something else would change with it".to_owned(),
            Err(error) => reason = error.to_string(),
        }
    }
    Err(refused(reason))
}

fn entry<'a>(root: &'a Node, image: &str) -> Option<(usize, &'a Node)> {
    let items = root.get("images")?.items();
    let index =
        items.iter().position(|item| item.get("name").and_then(Node::text) == Some(image))?;
    Some((index, &items[index]))
}

/// What the file must read as afterwards.
fn with(before: &Node, index: usize, key: &str, value: Option<&str>) -> Node {
    let mut after = before.clone();
    let entry =
        after.get_mut("images").and_then(Node::items_mut).and_then(|items| items.get_mut(index));
    if let Some(entry) = entry {
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

/// The ways to write a value, best first: as the old one was written, else
/// plain, else in double quotes. Reading back decides which one holds.
fn spellings(value: &str, old: Option<&Node>) -> Vec<String> {
    let double = format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    let style = old.and_then(|node| match &node.value {
        Value::Scalar(scalar) if !node.is_null() => Some(scalar.style),
        _ => None,
    });
    match style {
        Some(Style::DoubleQuoted) => vec![double],
        Some(Style::SingleQuoted) => vec![format!("'{}'", value.replace('\'', "''")), double],
        Some(Style::Literal | Style::Folded) => Vec::new(),
        Some(Style::Plain) | None => vec![value.to_owned(), double],
    }
}

fn splice(bytes: &[u8], from: usize, to: usize, text: &str) -> Option<Vec<u8>> {
    let (head, tail) = (bytes.get(..from)?, bytes.get(to..)?);
    (from <= to).then(|| [head, text.as_bytes(), tail].concat())
}

fn replace(bytes: &[u8], node: &Node, spelling: &str) -> Option<Vec<u8>> {
    let (from, to) = (node.mark.start as usize, node.mark.end as usize);
    // An empty value stands right behind the colon of its key.
    let blank = if from == to && bytes.get(from.checked_sub(1)?) == Some(&b':') { " " } else { "" };
    splice(bytes, from, to, &format!("{blank}{spelling}"))
}

/// Adds a pair behind the last one of the entry.
fn insert(bytes: &[u8], entry: &Node, pair: &str) -> Option<Vec<u8>> {
    let (last_key, last) = entry.entries().last()?;
    let last = if last.mark.end > last_key.mark.end { last } else { last_key };
    let end = last.mark.end as usize;
    if bytes.get(entry.mark.start as usize) == Some(&b'{') {
        return splice(bytes, end, end, &format!(", {pair}"));
    }
    let (first, _) = entry.entries().first()?;
    let indent = " ".repeat((first.mark.column as usize).checked_sub(1)?);
    let line_end = bytes[end.min(bytes.len())..].iter().position(|byte| *byte == b'\n');
    match line_end {
        Some(offset) => {
            let next = end + offset + 1;
            splice(bytes, next, next, &format!("{indent}{pair}{}", line_break(bytes)))
        }
        None => {
            let end = bytes.len();
            splice(bytes, end, end, &format!("{}{indent}{pair}", line_break(bytes)))
        }
    }
}

/// Takes the line of a pair away, or its part of a `{…}`.
fn remove(bytes: &[u8], entry: &Node, key: &str) -> Option<Vec<u8>> {
    let (key, value) = entry.entries().iter().find(|(other, _)| other.text() == Some(key))?;
    let (from, to) = (key.mark.start as usize, value.mark.end as usize);
    if bytes.get(entry.mark.start as usize) == Some(&b'{') {
        let comma = bytes[..from].iter().rposition(|byte| !byte.is_ascii_whitespace())?;
        return (bytes[comma] == b',').then(|| splice(bytes, comma, to, ""))?;
    }
    let line = bytes[..from].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    // The first pair of an entry shares its line with the dash.
    if bytes[line..from].iter().any(|byte| *byte != b' ') {
        return None;
    }
    let next = bytes.get(to..)?.iter().position(|byte| *byte == b'\n');
    splice(bytes, line, next.map_or(bytes.len(), |offset| to + offset + 1), "")
}

fn line_break(bytes: &[u8]) -> &'static str {
    let first = bytes.iter().position(|byte| *byte == b'\n');
    match first {
        Some(at) if at > 0 && bytes[at - 1] == b'\r' => "\r\n",
        _ => "\n",
    }
}
