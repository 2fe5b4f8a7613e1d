//! One change of a file, and no byte more.
//!
//! Every edit of a YAML or JSON file goes through [`change`]: it splices, reads
//! the result, and accepts it only when exactly the planned place differs, and
//! holds just what was planned.

use std::ops::Range;

use gitops_tree::TreePath;
use gitops_yaml::splice::insert::{self, Layout};
use gitops_yaml::splice::{self, Splice, Written};
use gitops_yaml::{
    Difference, Document, FileId, Node, Scalar, Step, Tag, Value, differences, same,
};

use super::slot::Held;

/// A change that is planned.
pub(super) enum Change {
    /// The scalar at a path gets another value.
    Set {
        /// The new value.
        value: Held,
    },
    /// Something that is not there yet: the last step of the path is the key
    /// to add, or one past the last item of a list.
    Add {
        /// What is to stand there.
        value: Node,
    },
    /// An entry goes.
    Remove,
}

/// Where a change is made.
pub(super) struct At<'a> {
    /// The document, from 0.
    pub(super) document: usize,
    /// The path in it.
    pub(super) path: &'a [Step],
}

/// The file with one change made. Everything else keeps its bytes.
///
/// # Errors
///
/// Says, in words, why the change cannot be made or proved.
pub(super) fn change(
    file: &TreePath,
    bytes: &[u8],
    at: &At<'_>,
    change: &Change,
) -> Result<Vec<u8>, String> {
    let json = is_json(file);
    let before = read(file, bytes)?;
    let root = before.get(at.document).and_then(|document| document.root.as_ref());
    let Some(root) = root else {
        return add_to_nothing(file, bytes, &before, at, change, json);
    };
    let (splice, path, planned) = match change {
        Change::Set { value } => {
            let node = walk(bytes, root, at.path)?;
            let Value::Scalar(_) = &node.value else {
                return Err("what stands there is not a single value".to_owned());
            };
            if is_alias(bytes, node) {
                return Err("an alias stands there; write the value itself".to_owned());
            }
            let planned = scalar(value)?;
            let written = match value {
                Held { is_text: false, text } => Written::Plain(text),
                Held { text, .. } if json => Written::Quoted(text),
                Held { text, .. } => Written::Text(text),
            };
            let splice = splice::replacement(bytes, &node.mark, written);
            (splice, at.path, Some(planned))
        }
        Change::Add { value } => {
            let (last, above) = at.path.split_last().ok_or("there is no place to add to")?;
            let parent = walk(bytes, root, above)?;
            let layout = Layout::of(&before, json);
            match (&parent.value, last) {
                (Value::Mapping(_), Step::Key(key)) => {
                    let splice = insert::entry(bytes, parent, key, value, layout);
                    (splice.map_err(|error| error.to_string())?, at.path, Some(value.clone()))
                }
                (Value::Sequence(items), Step::Item(index)) if *index == items.len() => {
                    let splice = insert::item(bytes, parent, value, layout);
                    (splice.map_err(|error| error.to_string())?, at.path, Some(value.clone()))
                }
                (Value::Scalar(_), _) if parent.is_null() && !above.is_empty() => {
                    let whole = wrap(std::slice::from_ref(last), value.clone());
                    let (name, owner) = above.split_last().expect("the path above is not empty");
                    let splice = match (walk(bytes, root, owner)?.entries(), name) {
                        (entries, Step::Key(name)) => entries
                            .iter()
                            .find(|(key, _)| key.text() == Some(name))
                            .map(|(key, null)| {
                                insert::instead_of_null(bytes, key, null, &whole, layout)
                            }),
                        _ => None,
                    };
                    let splice = splice.ok_or("nothing can be added to an empty item")?;
                    (splice.map_err(|error| error.to_string())?, above, Some(whole))
                }
                _ => return Err("what stands there can hold no such value".to_owned()),
            }
        }
        Change::Remove => {
            let (last, above) = at.path.split_last().ok_or("there is nothing to take away")?;
            let (parent, Step::Key(key)) = (walk(bytes, root, above)?, last) else {
                return Err("only keys are taken away".to_owned());
            };
            let splice =
                removal(bytes, parent, key).ok_or("it shares its line with something else")?;
            (splice, at.path, None)
        }
    };
    let edited = splice::apply(bytes, vec![splice]).map_err(|error| error.to_string())?;
    prove(file, &before, &edited, &[Planned { document: at.document, path, after: planned }])?;
    Ok(edited)
}

/// The file with other bytes at some ranges, as a text. Where the file is YAML
/// or JSON, exactly the values that the ranges lie in may differ.
///
/// # Errors
///
/// Says why not.
pub(super) fn replace(
    file: &TreePath,
    bytes: &[u8],
    ranges: &[Range<usize>],
    with: &str,
) -> Result<Vec<u8>, String> {
    let splices = ranges
        .iter()
        .map(|range| Splice { range: range.clone(), with: with.as_bytes().to_vec() })
        .collect();
    let edited = splice::apply(bytes, splices).map_err(|error| error.to_string())?;
    // A file that was no YAML before, such as a template, is text to us.
    let Ok(before) = read(file, bytes) else { return Ok(edited) };
    if !is_yaml(file) {
        return Ok(edited);
    }
    let after = read(file, &edited)?;
    for difference in differences(&before, &after) {
        let inside = difference.before.as_ref().is_some_and(|node| {
            let (start, end) = (node.mark.start as usize, node.mark.end as usize);
            matches!(node.value, Value::Scalar(_))
                && ranges.iter().any(|range| start <= range.start && range.end <= end)
        });
        let kept = difference.after.as_ref().is_some_and(|node| {
            matches!(
                (&node.value, difference.before.as_ref().map(|before| &before.value)),
                (Value::Scalar(new), Some(Value::Scalar(old))) if new.tag == old.tag
            )
        });
        if !inside || !kept {
            return Err(format!("`{}` would change as well", spelled(&difference.path)));
        }
    }
    Ok(edited)
}

/// Whether a file is JSON, by its name.
pub(super) fn is_json(file: &TreePath) -> bool {
    file.as_str().ends_with(".json")
}

/// Whether a file is YAML or JSON, by its name.
pub(super) fn is_yaml(file: &TreePath) -> bool {
    let name = file.name().unwrap_or_default();
    [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end)) || name == "Kustomization"
}

/// The documents of a file; of JSON, what both readers agree to read.
pub(super) fn read(file: &TreePath, bytes: &[u8]) -> Result<Vec<Document>, String> {
    if is_json(file) {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        serde_json::from_slice::<serde_json::Value>(text)
            .map_err(|error| format!("not JSON: {error}"))?;
    }
    gitops_yaml::read(FileId(0), bytes).map_err(|error| error.to_string())
}

/// A value that is planned to stand somewhere; `None` where nothing shall.
struct Planned<'a> {
    document: usize,
    path: &'a [Step],
    after: Option<Node>,
}

/// Reads the edited file: exactly the planned places differ, and hold what was
/// planned.
fn prove(
    file: &TreePath,
    before: &[Document],
    edited: &[u8],
    planned: &[Planned<'_>],
) -> Result<(), String> {
    let after = read(file, edited)?;
    let found = differences(before, &after);
    let is_planned = |difference: &Difference| {
        planned.iter().any(|planned| {
            planned.document == difference.document
                && planned.path == difference.path
                && match (&planned.after, &difference.after) {
                    (None, None) => true,
                    (Some(wanted), Some(found)) => same(wanted, found),
                    _ => false,
                }
        })
    };
    if let Some(other) = found.iter().find(|difference| !is_planned(difference)) {
        return Err(if planned.iter().any(|planned| planned.path == other.path) {
            "it would not read as the same value".to_owned()
        } else {
            format!("`{}` would change as well", spelled(&other.path))
        });
    }
    // A place that already held the value is no difference.
    let holds = |planned: &Planned<'_>| {
        let root = after.get(planned.document).and_then(|document| document.root.as_ref());
        let node = root.and_then(|root| follow(root, planned.path));
        match (node, &planned.after) {
            (None, None) => true,
            (Some(found), Some(wanted)) => same(found, wanted),
            _ => false,
        }
    };
    if planned.iter().all(holds) { Ok(()) } else { Err("it would not be read back".to_owned()) }
}

/// As [`prove`], of a text that is planned to stand at a place.
pub(super) fn prove_text(
    file: &TreePath,
    before: &[Document],
    edited: &[u8],
    at: &At<'_>,
    text: &str,
) -> Result<(), String> {
    let after = Some(Node::string(text));
    prove(file, before, edited, &[Planned { document: at.document, path: at.path, after }])
}

/// The node at a path.
pub(super) fn follow<'a>(root: &'a Node, path: &[Step]) -> Option<&'a Node> {
    path.iter().try_fold(root, |node, step| match step {
        Step::Key(key) => node.get(key),
        Step::Item(index) => node.items().get(*index),
    })
}

/// The node at a path that the file itself spells out: neither by way of an
/// alias nor of a merge key.
pub(super) fn walk<'a>(bytes: &[u8], root: &'a Node, path: &[Step]) -> Result<&'a Node, String> {
    let mut node = root;
    for (depth, step) in path.iter().enumerate() {
        let below = follow(node, std::slice::from_ref(step))
            .ok_or_else(|| format!("there is no `{}`", spelled(&path[..=depth])))?;
        if is_alias(bytes, node) {
            return Err(format!("`{}` is an alias of another place", spelled(&path[..depth])));
        }
        let inside = node.mark.start <= below.mark.start && below.mark.end <= node.mark.end;
        if !inside && !below.is_null() {
            return Err(format!(
                "`{}` comes from line {}, by a merge key",
                spelled(&path[..=depth]),
                below.mark.line
            ));
        }
        node = below;
    }
    Ok(node)
}

fn is_alias(bytes: &[u8], node: &Node) -> bool {
    bytes.get(node.mark.start as usize) == Some(&b'*')
        && !matches!(&node.value, Value::Scalar(scalar) if scalar.text.starts_with('*'))
}

/// A path as people write it.
pub(super) fn spelled(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if key.is_empty() || key.contains(['.', '[', '"', ' ']) => {
                text.push_str(&format!("[{key:?}]"));
            }
            Step::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
            Step::Item(index) => text.push_str(&format!("[{index}]")),
        }
    }
    if text.is_empty() { "the document".to_owned() } else { text }
}

/// A value as the node that must be read back.
pub(super) fn scalar(value: &Held) -> Result<Node, String> {
    if value.is_text {
        return Ok(Node::string(value.text.as_str()));
    }
    let refused = || format!("`{}` is no number, boolean or null", value.text.escape_debug());
    let documents =
        gitops_yaml::read(FileId::NONE, value.text.as_bytes()).map_err(|_| refused())?;
    let [Document { root: Some(root), .. }] = documents.as_slice() else { return Err(refused()) };
    match &root.value {
        Value::Scalar(Scalar {
            text, tag: Tag::Bool | Tag::Int | Tag::Float | Tag::Null, ..
        }) if **text == *value.text => Ok(root.clone()),
        _ => Err(refused()),
    }
}

/// `value` under a path of keys that are not there yet.
pub(super) fn wrap(path: &[Step], value: Node) -> Node {
    path.iter().rev().fold(value, |value, step| match step {
        Step::Key(key) => {
            let mut mapping = Node::mapping();
            mapping.set(key, value);
            mapping
        }
        Step::Item(_) => Node::sequence(vec![value]),
    })
}

/// Something new in a document that has nothing but comments.
fn add_to_nothing(
    file: &TreePath,
    bytes: &[u8],
    before: &[Document],
    at: &At<'_>,
    change: &Change,
    json: bool,
) -> Result<Vec<u8>, String> {
    let Change::Add { value } = change else {
        return Err(format!("there is no `{}`", spelled(at.path)));
    };
    if before.len() > 1 || at.document > 0 {
        return Err("an empty document among several".to_owned());
    }
    let whole = wrap(at.path, value.clone());
    let splice = insert::into_nothing(bytes, &whole, Layout { step: 2, dash: 0, json });
    let edited = splice::apply(bytes, vec![splice]).map_err(|error| error.to_string())?;
    prove(file, before, &edited, &[Planned { document: 0, path: &[], after: Some(whole) }])?;
    Ok(edited)
}

/// The line of a pair, or its part of a `{…}`.
fn removal(bytes: &[u8], mapping: &Node, key: &str) -> Option<Splice> {
    let (key, value) = mapping.entries().iter().find(|(other, _)| other.text() == Some(key))?;
    let (from, to) = (key.mark.start as usize, value.mark.end.max(key.mark.end) as usize);
    if bytes.get(mapping.mark.start as usize) == Some(&b'{') {
        let lead = bytes[..from].iter().rposition(|byte| !byte.is_ascii_whitespace())?;
        if bytes[lead] == b',' {
            return Some(Splice { range: lead..to, with: Vec::new() });
        }
        // The first pair goes with the comma behind it.
        let gap = bytes[to..].iter().position(|byte| !byte.is_ascii_whitespace())?;
        let rest = &bytes[to + gap..];
        let next = rest.strip_prefix(b",")?.iter().position(|byte| !byte.is_ascii_whitespace())?;
        return Some(Splice { range: from..to + gap + 1 + next, with: Vec::new() });
    }
    let start = bytes[..from].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    // A block scalar's span holds its last line break.
    let next = bytes.get(to..)?.iter().position(|byte| *byte == b'\n');
    let end = match next {
        _ if to > from && bytes[to - 1] == b'\n' => to,
        Some(offset) => to + offset + 1,
        None => bytes.len(),
    };
    if bytes[start..from].iter().all(|byte| *byte == b' ') {
        return Some(Splice { range: start..end, with: Vec::new() });
    }
    // The first pair of an item shares its line with the dash: the next one
    // moves up to it.
    let lead = std::str::from_utf8(&bytes[start..from]).ok()?;
    let dashes = lead.trim_start().strip_prefix('-')?;
    let next = mapping.entries().get(1).map(|(key, _)| key.mark.start as usize)?;
    let between = std::str::from_utf8(bytes.get(end..next)?).ok()?;
    let alone = dashes.trim().is_empty() && between.trim().is_empty() && !between.contains('\n');
    alone.then_some(Splice { range: from..next, with: Vec::new() })
}
