//! Dotted paths, as `replacements` and `vars` write them:
//! `spec.containers.[name=web].image`, `metadata.annotations.[a.b/c]`, `ports.0`.
//!
//! Rules from kustomize v5.8, kyaml/utils/pathsplitter.go, kyaml/yaml/fns.go
//! and kyaml/yaml/match.go.

use gitops_yaml::{Node, Scalar, Tag, Value};

use crate::pattern::Pattern;
use crate::resource::raw;

/// Splits a path at dots; `\.` is a dot inside a name, and so are dots in brackets.
pub(crate) fn split(path: &str) -> Vec<String> {
    let mut pieces: Vec<&str> = path.split('.').collect();
    if pieces.len() > 1 && pieces[0].is_empty() {
        pieces.remove(0);
    }
    let mut parts: Vec<String> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push('.');
                last.push_str(piece);
            }
            _ => parts.push(piece.to_owned()),
        }
    }
    let mut joined = Vec::with_capacity(parts.len());
    let mut rest = parts.into_iter();
    while let Some(part) = rest.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            joined.push(part);
            continue;
        }
        let mut bracketed = part;
        for more in rest.by_ref() {
            bracketed.push('.');
            bracketed.push_str(&more);
            if bracketed.ends_with(']') {
                break;
            }
        }
        if bracketed.contains('=') {
            joined.push(bracketed);
        } else {
            joined.push(bracketed.trim_matches(['[', ']']).to_owned());
        }
    }
    joined
}

/// `name[0]` as a name and an index.
pub(crate) fn split_indices(parts: Vec<String>) -> Vec<String> {
    parts
        .into_iter()
        .flat_map(|part| {
            let pair = part
                .strip_suffix(']')
                .and_then(|rest| rest.rsplit_once('['))
                .filter(|(_, index)| !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit()))
                .map(|(name, index)| (name.to_owned(), index.to_owned()));
            match pair {
                Some((name, index)) if name.is_empty() => vec![index],
                Some((name, index)) => vec![name, index],
                None => vec![part],
            }
        })
        .collect()
}

/// One step of a path.
enum Step<'a> {
    Index(usize),
    Last,
    Every,
    /// An item by the value of one of its fields; of its own where the name is empty.
    Item(&'a str, &'a str),
    Field(&'a str),
}

fn step(part: &str) -> Result<Step<'_>, String> {
    if let Ok(number) = part.parse::<i64>() {
        let index =
            usize::try_from(number).map_err(|_| format!("the index {number} is negative"))?;
        return Ok(Step::Index(index));
    }
    match part {
        "-" => return Ok(Step::Last),
        "*" => return Ok(Step::Every),
        _ => {}
    }
    match part.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner
            .split_once('=')
            .map(|(name, value)| Step::Item(name, value))
            .ok_or_else(|| format!("`{part}` must be written `[field=value]`")),
        None => Ok(Step::Field(part)),
    }
}

/// The node at a path.
pub(crate) fn lookup<'n>(node: &'n Node, parts: &[String]) -> Result<Option<&'n Node>, String> {
    let mut at = node;
    for part in parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        let next = match step(part)? {
            Step::Field(_) | Step::Item(..) if at.is_null() => None,
            Step::Field(name) => {
                mapping(at, part)?;
                at.get(name)
            }
            Step::Index(index) => items(at, part)?.get(index),
            Step::Last => items(at, part)?.last(),
            Step::Every => return Err("`*` is not allowed here".to_owned()),
            Step::Item(name, value) => items(at, part)?.iter().find(|item| {
                if name.is_empty() {
                    raw(item) == value
                } else {
                    item.get(name).is_some_and(|own| raw(own) == value)
                }
            }),
        };
        match next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

fn mapping(node: &Node, part: &str) -> Result<(), String> {
    if node.is_mapping() { Ok(()) } else { Err(format!("`{part}`: its parent is no mapping")) }
}

fn items<'n>(node: &'n Node, part: &str) -> Result<&'n [Node], String> {
    match &node.value {
        Value::Sequence(items) => Ok(items),
        _ if node.is_null() => Ok(&[]),
        _ => Err(format!("`{part}`: its parent is no list")),
    }
}

/// Applied to a node; the error says what is wrong with it.
pub(crate) type Visit<'a> = dyn FnMut(&mut Node) -> Result<(), String> + 'a;

/// Runs `visit` on every node that a path leads to, and counts them. `create`
/// makes what is missing, ending in a value like this one.
pub(crate) fn visit(
    node: &mut Node,
    parts: &[String],
    create: Option<&Node>,
    run: &mut Visit<'_>,
) -> Result<usize, String> {
    let Some((part, rest)) = parts.split_first() else {
        run(node)?;
        return Ok(1);
    };
    match step(part)? {
        Step::Index(index) => {
            let length = items(node, part)?.len();
            if let (true, Some(like)) = (length == index, create) {
                push(node, made(rest, like));
            }
            let length = items(node, part)?.len();
            match node.items_mut().and_then(|items| items.get_mut(index)) {
                Some(item) => visit(item, rest, create, run),
                None => Err(format!("index {index} is beyond the list of {length}")),
            }
        }
        Step::Item(name, pattern) => {
            let wanted = Pattern::part(pattern)
                .map_err(|_| format!("`{pattern}` is no regular expression"))?;
            let found = visit_items(node, part, name, &wanted, rest, create, run)?;
            if found > 0 || create.is_none() {
                return Ok(found);
            }
            let value = Node::scalar(pattern, crate::fieldspec::type_of(pattern));
            let item = if name.is_empty() {
                value
            } else {
                let mut item = Node::mapping();
                crate::fieldspec::put(&mut item, name, value);
                item
            };
            push(node, item);
            visit_items(node, part, name, &wanted, rest, create, run)
        }
        Step::Every => {
            items(node, part)?;
            let mut found = 0;
            for item in node.items_mut().into_iter().flatten() {
                found += visit(item, rest, create, run)?;
            }
            Ok(found)
        }
        Step::Last | Step::Field(_) => {
            if !node.is_null() {
                mapping(node, part)?;
            }
            if node.get(part).is_none() {
                let Some(like) = create else { return Ok(0) };
                if node.is_null() {
                    node.value = Value::Mapping(Vec::new());
                }
                crate::fieldspec::put(node, part, made(rest, like));
            }
            match node.get_mut(part) {
                Some(field) if !rest.is_empty() && matches!(field.value, Value::Scalar(_)) => {
                    visit_text(field, rest, create)
                }
                Some(field) => visit(field, rest, create, run),
                None => Ok(0),
            }
        }
    }
}

/// Looks for the rest of a path in YAML that stands as text in a scalar.
/// kustomize finds fields there, and what it does to them is lost; see
/// `replacements` for what is kept.
fn visit_text(field: &Node, rest: &[String], create: Option<&Node>) -> Result<usize, String> {
    let documents = gitops_yaml::read(gitops_yaml::FileId::NONE, raw(field).as_bytes())
        .map_err(|_| format!("the text before `{}` is no YAML", rest.join(".")))?;
    let root = documents.into_iter().next().and_then(|document| document.root);
    let mut root = root.unwrap_or_else(|| Node::scalar("", Tag::Null));
    if matches!(root.value, Value::Scalar(_)) {
        return Err(format!("the text before `{}` is no mapping or list", rest.join(".")));
    }
    visit(&mut root, rest, create, &mut |_| Ok(()))
}

fn visit_items(
    node: &mut Node,
    part: &str,
    name: &str,
    wanted: &Pattern,
    rest: &[String],
    create: Option<&Node>,
    run: &mut Visit<'_>,
) -> Result<usize, String> {
    items(node, part)?;
    let mut found = 0;
    for item in node.items_mut().into_iter().flatten() {
        if name.is_empty() {
            if wanted.is_match(raw(item)) {
                run(item)?;
                found += 1;
            }
        } else if item.get(name).is_some_and(|own| wanted.is_match(raw(own))) {
            found += visit(item, rest, create, run)?;
        }
    }
    Ok(found)
}

fn push(node: &mut Node, item: Node) {
    if node.is_null() {
        node.value = Value::Sequence(Vec::new());
    }
    if let Some(items) = node.items_mut() {
        items.push(item);
    }
}

/// Whether a scalar was made on the way, and takes any type.
pub(crate) fn is_untyped(scalar: &Scalar) -> bool {
    matches!(&scalar.tag, Tag::Other(tag) if tag.is_empty())
}

/// What is made before the rest of a path.
fn made(rest: &[String], like: &Node) -> Node {
    match rest.first() {
        Some(next)
            if next.parse::<u32>().is_ok() || (next.starts_with('[') && next.ends_with(']')) =>
        {
            Node::sequence(Vec::new())
        }
        Some(_) => Node::mapping(),
        None => match like.value {
            Value::Scalar(_) => Node::scalar("", Tag::Other("".into())),
            Value::Sequence(_) => Node::sequence(Vec::new()),
            Value::Mapping(_) => Node::mapping(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_split_at_dots_outside_of_brackets() {
        assert_eq!(split("spec.rules.0.host"), ["spec", "rules", "0", "host"]);
        assert_eq!(split("a.[name=x.y].b"), ["a", "[name=x.y]", "b"]);
        assert_eq!(split("metadata.annotations.[a.b/c]"), ["metadata", "annotations", "a.b/c"]);
        assert_eq!(split(r"metadata.annotations.a\.b"), ["metadata", "annotations", "a.b"]);
        assert_eq!(split_indices(split("spec.ports[0].port")), ["spec", "ports", "0", "port"]);
    }
}
