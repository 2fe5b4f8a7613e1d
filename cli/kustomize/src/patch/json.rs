//! JSON patches (RFC 6902), on nodes.
//!
//! Where the RFC leaves room, this does what kustomize v5.8's library
//! (evanphx/json-patch v4) does: negative indices count from the end, and
//! `replace` makes a missing key of a mapping.

use gitops_yaml::{Mark, Node, Style, Tag, Value};

use crate::limits::Copies;

/// One operation.
pub(crate) struct Operation {
    /// Where it stands.
    pub(super) mark: Mark,
    kind: Kind,
    /// As written, for the message about one that is unknown.
    name: Option<String>,
    path: Option<String>,
    from: Option<String>,
    value: Option<Node>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Add,
    Remove,
    Replace,
    Move,
    Copy,
    Test,
    Unknown,
}

/// Reads the operations of a patch. The error says what is wrong, and where.
pub(crate) fn read(patch: &Node) -> Result<Vec<Operation>, (Node, String)> {
    patch.items().iter().map(read_operation).collect()
}

fn read_operation(node: &Node) -> Result<Operation, (Node, String)> {
    if !node.is_mapping() {
        let message = "an operation of a JSON patch must be a mapping with `op` and `path`";
        return Err((node.clone(), message.to_owned()));
    }
    let text = |field: &str| node.get(field).and_then(Node::as_str).map(str::to_owned);
    let kind = match text("op").as_deref() {
        Some("add") => Kind::Add,
        Some("remove") => Kind::Remove,
        Some("replace") => Kind::Replace,
        Some("move") => Kind::Move,
        Some("copy") => Kind::Copy,
        Some("test") => Kind::Test,
        _ => Kind::Unknown,
    };
    Ok(Operation {
        mark: node.mark,
        kind,
        name: text("op"),
        path: text("path"),
        from: text("from"),
        value: node.get("value").cloned(),
    })
}

/// Spells words as JSON does: for the library that reads JSON patches, `yes`
/// and `on` are booleans, as values and as keys. A text is not folded any more,
/// and what was left out is null.
pub(crate) fn settle_words(node: &mut Node) {
    match &mut node.value {
        Value::Scalar(scalar) => {
            if scalar.tag == Tag::Bool {
                let is = |word: &&str| scalar.text.eq_ignore_ascii_case(word);
                let yes = ["true", "yes", "on", "y"].iter().any(is);
                scalar.text = if yes { "true" } else { "false" }.into();
                scalar.style = Style::Plain;
            } else if scalar.tag == Tag::Null {
                scalar.style = Style::Plain;
            } else if scalar.style == Style::Folded {
                scalar.style = Style::Literal;
            }
        }
        Value::Sequence(items) => items.iter_mut().for_each(settle_words),
        Value::Mapping(entries) => {
            for (key, value) in entries {
                settle_words(key);
                if let Value::Scalar(scalar) = &mut key.value {
                    scalar.tag = Tag::Str;
                }
                settle_words(value);
            }
        }
    }
}

/// Applies the operations in order. The error says which one does not apply.
pub(crate) fn apply(object: &mut Node, operations: &[Operation]) -> Result<(), String> {
    let mut copies = Copies::new();
    operations.iter().try_for_each(|operation| apply_one(object, operation, &mut copies))
}

fn apply_one(object: &mut Node, operation: &Operation, copies: &mut Copies) -> Result<(), String> {
    if operation.kind == Kind::Unknown {
        return Err(format!(
            "it has the operation `{}`, expected add, remove, replace, move, copy or test",
            operation.name.as_deref().unwrap_or_default()
        ));
    }
    let Some(path) = &operation.path else {
        return Err("an operation needs a `path`".to_owned());
    };
    let depth = path.matches('/').count();
    let from = || {
        operation.from.as_deref().ok_or_else(|| format!("the operation on `{path}` needs `from`"))
    };
    let value = || operation.value.clone().unwrap_or_else(|| Node::scalar("null", Tag::Null));
    match operation.kind {
        Kind::Unknown => Ok(()),
        Kind::Add => {
            let value = value();
            copies.take(&value, depth)?;
            add(object, path, value)
        }
        Kind::Remove => remove(object, path).map(|_| ()),
        Kind::Replace if path.is_empty() => {
            if operation.value.as_ref().is_none_or(|value| !value.is_mapping()) {
                return Err("replacing the whole object needs a mapping".to_owned());
            }
            *object = value();
            Ok(())
        }
        Kind::Replace => {
            let value = value();
            copies.take(&value, depth)?;
            replace(object, path, value)
        }
        Kind::Move => {
            let taken = remove(object, from()?)?;
            copies.take(&taken, depth)?;
            add(object, path, taken)
        }
        Kind::Copy => {
            let copied = find(object, from()?)?
                .map(|found| copies.take(found, depth).map(|()| found.clone()))
                .transpose()?
                .unwrap_or_else(|| Node::scalar("null", Tag::Null));
            add(object, path, copied)
        }
        Kind::Test => {
            let found = find(object, path)?;
            let wanted = value();
            let equal = match found {
                None => wanted.is_null(),
                Some(found) => found.same_value(&wanted),
            };
            if equal { Ok(()) } else { Err(format!("the test of `{path}` failed")) }
        }
    }
}

/// The node that holds what `path` names, and the last name.
fn holder<'n>(object: &'n mut Node, path: &str) -> Result<(&'n mut Node, String), String> {
    let missing = || format!("`{path}`: its parent does not exist");
    let mut names: Vec<String> = path.split('/').map(unescape).collect();
    if names.len() < 2 {
        return Err(format!("`{path}` is no JSON pointer; it must start with a slash"));
    }
    names.remove(0);
    let last = names.pop().unwrap_or_default();
    let mut at = object;
    for name in &names {
        at = match &mut at.value {
            Value::Mapping(entries) => entries
                .iter_mut()
                .find(|(key, _)| key.text() == Some(name))
                .map(|(_, value)| value)
                .ok_or_else(missing)?,
            Value::Sequence(items) => {
                let index = index(name, items.len(), items.len())
                    .map_err(|message| format!("`{path}`: {message}"))?;
                items.get_mut(index).ok_or_else(missing)?
            }
            Value::Scalar(_) => return Err(missing()),
        };
    }
    match at.value {
        Value::Scalar(_) => Err(missing()),
        _ => Ok((at, last)),
    }
}

fn unescape(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

/// An index below `limit`; negative ones count from `from_end`.
fn index(name: &str, limit: usize, from_end: usize) -> Result<usize, String> {
    let number: i64 = name.parse().map_err(|_| format!("`{name}` is no index of a list"))?;
    let outside = || format!("index {number} is outside of the list of {from_end}");
    let index = if number < 0 {
        from_end
            .checked_sub(usize::try_from(-number).map_err(|_| outside())?)
            .ok_or_else(outside)?
    } else {
        usize::try_from(number).map_err(|_| outside())?
    };
    if index < limit { Ok(index) } else { Err(outside()) }
}

fn add(object: &mut Node, path: &str, value: Node) -> Result<(), String> {
    let (at, name) = holder(object, path)?;
    match &mut at.value {
        Value::Sequence(items) if name == "-" => items.push(value),
        Value::Sequence(items) => {
            let length = items.len();
            let index = index(&name, length + 1, length + 1)
                .map_err(|message| format!("`{path}`: {message}"))?;
            items.insert(index, value);
        }
        _ => at.set(&name, value),
    }
    Ok(())
}

fn replace(object: &mut Node, path: &str, value: Node) -> Result<(), String> {
    let (at, name) = holder(object, path)?;
    match &mut at.value {
        Value::Sequence(items) => {
            let index = index(&name, items.len(), items.len())
                .map_err(|message| format!("`{path}`: {message}"))?;
            items[index] = value;
        }
        _ => at.set(&name, value),
    }
    Ok(())
}

fn remove(object: &mut Node, path: &str) -> Result<Node, String> {
    let (at, name) = holder(object, path)?;
    match &mut at.value {
        Value::Sequence(items) => {
            let index = index(&name, items.len(), items.len())
                .map_err(|message| format!("`{path}`: {message}"))?;
            Ok(items.remove(index))
        }
        _ => at.remove(&name).ok_or_else(|| format!("`{path}` does not exist")),
    }
}

fn find<'n>(object: &'n mut Node, path: &str) -> Result<Option<&'n Node>, String> {
    if path.is_empty() {
        return Ok(Some(object));
    }
    let (at, name) = holder(object, path)?;
    match &at.value {
        Value::Sequence(items) => {
            let index = index(&name, items.len(), items.len())
                .map_err(|message| format!("`{path}`: {message}"))?;
            Ok(items.get(index))
        }
        _ => Ok(at.get(&name)),
    }
}
