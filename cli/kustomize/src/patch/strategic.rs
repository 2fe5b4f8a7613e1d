//! Strategic merge patches.
//!
//! Rules from kustomize v5.8: kyaml/yaml/walk and kyaml/yaml/merge2, with
//! items of a patch put before those of the object. The odd corners (an item
//! without its merge key, `$patch: replace` on an item) are kept as they are
//! there, since a build must give the same bytes.

mod items;

use gitops_yaml::{Node, Value};

use crate::fieldspec::{is_left_out, quote_untyped};
use crate::folded;
use crate::schema::{Field, Schema, Type};

use items::{
    append_rest, fill_gaps, find_item, is_empty_mapping, key_values, scalar_values, set_item,
    usable_keys,
};

/// Merges `patch` into `object`. `Ok(false)` means that the patch deletes the
/// object. The error says what does not fit.
pub(crate) fn merge(object: &mut Node, patch: &Node, schema: &Schema) -> Result<bool, String> {
    let outcome = walk(schema, Some(object), Source::Patch(patch), None, "")?;
    // kustomize takes what has been merged into the object, and drops a node
    // in its place: `$patch: replace` at the top changes nothing.
    Ok(!matches!(outcome, Outcome::Gone))
}

/// Whether a merge with `patch` leaves nothing of what an object had at `path`.
pub(crate) fn removes(patch: &Node, path: &[&str]) -> bool {
    let Some((name, rest)) = path.split_first() else { return false };
    let Some(below) = patch.get(name) else { return false };
    let replaced = below.get(DIRECTIVE).map(crate::resource::raw);
    below.is_null() || matches!(replaced, Some("replace" | "delete")) || removes(below, rest)
}

/// Where a merge takes from.
#[derive(Clone, Copy)]
enum Source<'p> {
    Nothing,
    /// The object itself: a value just taken from the patch is merged with
    /// itself, which clears nulls and directives out of it.
    Itself,
    Patch(&'p Node),
}

/// What a merge gives.
enum Outcome {
    /// The object's node, changed in place.
    Kept,
    /// Another node in its place.
    New(Node),
    /// Nothing.
    Gone,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

const DIRECTIVE: &str = "$patch";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Scalar,
    Sequence,
    Mapping,
}

fn shape(node: &Node) -> Shape {
    match node.value {
        Value::Scalar(_) => Shape::Scalar,
        Value::Sequence(_) => Shape::Sequence,
        Value::Mapping(_) => Shape::Mapping,
    }
}

fn name_of(shape: Shape) -> &'static str {
    match shape {
        Shape::Scalar => "a scalar",
        Shape::Sequence => "a list",
        Shape::Mapping => "a mapping",
    }
}

fn present(node: &Node) -> bool {
    !node.is_null()
}

fn walk<'d>(
    schema: &'d Schema,
    dest: Option<&mut Node>,
    source: Source<'_>,
    known: Option<Field<'d>>,
    path: &str,
) -> Result<Outcome, String> {
    let dest_shape = dest.as_deref().filter(|node| present(node)).map(shape);
    let source_shape = match source {
        Source::Patch(node) if present(node) => Some(shape(node)),
        _ => None,
    };
    if let (Some(left), Some(right)) = (dest_shape, source_shape)
        && left != right
    {
        return Err(format!(
            "`{path}` is {} in the object and {} in the patch",
            name_of(left),
            name_of(right)
        ));
    }
    match dest_shape.or(source_shape) {
        Some(Shape::Scalar) => Ok(take_source(source)),
        Some(Shape::Sequence) => match known {
            Some(Field::Merge(keys, item)) => walk_merging(schema, dest, source, &keys, item, path),
            _ => Ok(take_source(source)),
        },
        Some(Shape::Mapping) | None => walk_mapping(schema, dest, source, known, path),
    }
}

/// The patch's value where it has one.
fn take_source(source: Source<'_>) -> Outcome {
    match source {
        Source::Patch(node) => Outcome::New(node.clone()),
        Source::Nothing | Source::Itself => Outcome::Kept,
    }
}

fn walk_mapping<'d>(
    schema: &'d Schema,
    dest: Option<&mut Node>,
    source: Source<'_>,
    known: Option<Field<'d>>,
    path: &str,
) -> Result<Outcome, String> {
    let Some(dest) = dest.filter(|node| present(node) || matches!(source, Source::Itself)) else {
        return add_mapping(schema, source, known, path);
    };
    if !present(dest) {
        // A null taken from the patch and merged with itself.
        return Ok(Outcome::New(dest.clone()));
    }
    let directive = match source {
        Source::Nothing => Directive::Merge,
        Source::Itself => {
            let directive = mapping_directive(dest, path)?;
            dest.remove(DIRECTIVE);
            directive
        }
        Source::Patch(patch) if patch.is_null() => return Ok(Outcome::Gone),
        Source::Patch(patch) => mapping_directive(patch, path)?,
    };
    match (directive, source) {
        (Directive::Delete, _) => Ok(Outcome::Gone),
        (Directive::Replace, Source::Patch(patch)) => {
            let mut node = without_directive(patch);
            walk_fields(schema, &mut node, Source::Itself, known, path)?;
            Ok(Outcome::New(node))
        }
        _ => {
            walk_fields(schema, dest, source, known, path)?;
            Ok(Outcome::Kept)
        }
    }
}

/// A mapping, null or nothing that the object does not have.
fn add_mapping<'d>(
    schema: &'d Schema,
    source: Source<'_>,
    known: Option<Field<'d>>,
    path: &str,
) -> Result<Outcome, String> {
    match source {
        // The object's own null, which the caller treats.
        Source::Nothing | Source::Itself => Ok(Outcome::Kept),
        Source::Patch(patch) if patch.is_null() => Ok(Outcome::Gone),
        Source::Patch(patch) => {
            if mapping_directive(patch, path)? == Directive::Delete {
                return Ok(Outcome::Gone);
            }
            let mut node = without_directive(patch);
            walk_fields(schema, &mut node, Source::Itself, known, path)?;
            Ok(Outcome::New(node))
        }
    }
}

fn without_directive(patch: &Node) -> Node {
    let mut node = patch.clone();
    node.remove(DIRECTIVE);
    node
}

fn mapping_directive(patch: &Node, path: &str) -> Result<Directive, String> {
    patch.get(DIRECTIVE).map_or(Ok(Directive::Merge), |value| parse_directive(value, path))
}

fn parse_directive(value: &Node, path: &str) -> Result<Directive, String> {
    match crate::resource::raw(value) {
        "merge" => Ok(Directive::Merge),
        "replace" => Ok(Directive::Replace),
        "delete" => Ok(Directive::Delete),
        other => {
            Err(format!("`{path}` has `$patch: {other}`, expected `merge`, `replace` or `delete`"))
        }
    }
}

/// The fields of a mapping whose type is `known`, or, where nothing is known,
/// told by its own `apiVersion` and `kind`.
fn type_of<'d>(
    schema: &'d Schema,
    known: Option<&Field<'d>>,
    nodes: [Option<&Node>; 2],
) -> Option<Type<'d>> {
    match known {
        Some(Field::Of(own) | Field::Merge(_, own)) => Some(*own),
        None => nodes.into_iter().flatten().find_map(|node| {
            let version = node.get("apiVersion").and_then(Node::text)?;
            let kind = node.get("kind").and_then(Node::text)?;
            schema.of_kind(version, kind)
        }),
    }
}

fn walk_fields<'d>(
    schema: &'d Schema,
    dest: &mut Node,
    source: Source<'_>,
    known: Option<Field<'d>>,
    path: &str,
) -> Result<(), String> {
    let patch = match source {
        Source::Patch(patch) => Some(patch),
        _ => None,
    };
    let own = type_of(schema, known.as_ref(), [Some(dest), patch]);
    let mut names: Vec<String> = Vec::with_capacity(dest.entries().len());
    for (key, _) in dest.entries().iter().chain(patch.map(Node::entries).unwrap_or_default()) {
        let name = key.text().unwrap_or_default();
        let directive = patch.is_some() && name == DIRECTIVE;
        if !directive && !names.iter().any(|seen| seen == name) {
            names.push(name.to_owned());
        }
    }
    for name in names {
        let field = own.and_then(|own| own.field(&name));
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let inner = match source {
            Source::Itself => Source::Itself,
            Source::Nothing => Source::Nothing,
            Source::Patch(patch) => patch.get(&name).map_or(Source::Nothing, Source::Patch),
        };
        let in_patch = matches!(inner, Source::Patch(_));
        match walk(schema, dest.get_mut(&name), inner, field, &below)? {
            Outcome::Kept => {
                // Nulls written out stay where the patch does not speak of
                // them; nulls by omission go.
                let drop = dest.get(&name).is_some_and(|node| {
                    is_left_out(node) || node.is_null() && matches!(source, Source::Itself)
                });
                if drop {
                    dest.remove(&name);
                } else if let Some(node) = dest.get_mut(&name) {
                    quote_untyped(node);
                }
            }
            Outcome::New(node) if node.is_null() => {
                dest.remove(&name);
            }
            Outcome::New(mut node) => {
                if let Some(old) = dest.get(&name) {
                    folded::take_style(&mut node, old);
                }
                let key = in_patch
                    .then(|| patch.and_then(|patch| key_of(patch, &name)))
                    .flatten()
                    .filter(|_| dest.get(&name).is_none());
                match (key, dest.entries_mut()) {
                    (Some(key), Some(entries)) => entries.push((key.clone(), node)),
                    _ => dest.set(&name, node),
                }
            }
            Outcome::Gone => {
                dest.remove(&name);
            }
        }
    }
    Ok(())
}

fn key_of<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    node.entries().iter().map(|(key, _)| key).find(|key| key.text() == Some(name))
}

/// A list whose items merge.
fn walk_merging<'d>(
    schema: &'d Schema,
    dest: Option<&mut Node>,
    source: Source<'_>,
    keys: &[&str],
    item: Type<'d>,
    path: &str,
) -> Result<Outcome, String> {
    let dest = dest.filter(|node| present(node));
    match (dest, source) {
        (None, Source::Nothing | Source::Itself) => Ok(Outcome::Kept),
        (None, Source::Patch(patch)) => {
            if patch.is_null() {
                return Ok(Outcome::Gone);
            }
            let mut node = patch.clone();
            merge_items(schema, &mut node, None, keys, item, path)?;
            Ok(Outcome::New(node))
        }
        (Some(_), Source::Patch(patch)) if patch.is_null() => Ok(Outcome::Gone),
        (Some(dest), Source::Nothing) => {
            merge_items(schema, dest, Some(&[]), keys, item, path)?;
            Ok(Outcome::Kept)
        }
        (Some(dest), Source::Itself) => {
            let (directive, items) = list_directive(dest.items(), path)?;
            dest.value = Value::Sequence(items);
            if directive == Directive::Delete {
                return Ok(Outcome::Gone);
            }
            merge_items(schema, dest, None, keys, item, path)?;
            Ok(Outcome::Kept)
        }
        (Some(dest), Source::Patch(patch)) => {
            let (directive, items) = list_directive(patch.items(), path)?;
            match directive {
                Directive::Delete => Ok(Outcome::Gone),
                Directive::Replace => {
                    let mut node = Node::sequence(items).at(patch.mark);
                    merge_items(schema, &mut node, None, keys, item, path)?;
                    Ok(Outcome::New(node))
                }
                Directive::Merge => {
                    merge_items(schema, dest, Some(&items), keys, item, path)?;
                    Ok(Outcome::Kept)
                }
            }
        }
    }
}

/// The directive of a list is an item that holds nothing else.
fn list_directive(items: &[Node], path: &str) -> Result<(Directive, Vec<Node>), String> {
    let found = items.iter().find(|item| item.get(DIRECTIVE).is_some());
    match found {
        Some(item) if item.entries().len() == 1 => {
            let value = &item.entries()[0].1;
            let directive = parse_directive(value, path)?;
            let text = crate::resource::raw(value).to_owned();
            let mut items = items.to_vec();
            set_item(&mut items, None, &[DIRECTIVE], &[text]);
            Ok((directive, items))
        }
        _ => Ok((Directive::Merge, items.to_vec())),
    }
}

/// The items of a patch; `None` where the list is merged with itself.
type PatchItems<'p> = Option<&'p [Node]>;

fn merge_items<'d>(
    schema: &'d Schema,
    dest: &mut Node,
    patch: PatchItems<'_>,
    keys: &[&str],
    item: Type<'d>,
    path: &str,
) -> Result<(), String> {
    let Some(items) = dest.items_mut() else { return Ok(()) };
    let (keys, mut wanted) = if keys.is_empty() {
        (vec![""], scalar_values(patch, items))
    } else {
        (keys.to_vec(), key_values(patch, items, keys))
    };
    if keys.len() > 1 {
        fill_gaps(&mut wanted);
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let mut added: Vec<Node> = Vec::new();
    let mut used_keys = keys.clone();
    for values in &wanted {
        let (keys, values) = usable_keys(&wanted, values, &keys);
        used_keys.clone_from(&keys);
        let (find_keys, find_values) = usable_keys(std::slice::from_ref(&values), &values, &keys);
        let at = find_item(items, &find_keys, &find_values);
        let source = match patch {
            None => Source::Itself,
            Some(patch) => find_item(patch, &find_keys, &find_values)
                .map_or(Source::Nothing, |index| Source::Patch(&patch[index])),
        };
        let outcome =
            walk(schema, at.map(|index| &mut items[index]), source, Some(Field::Of(item)), path)?;
        let result = match outcome {
            Outcome::Gone => None,
            Outcome::New(node) => Some((node, false)),
            Outcome::Kept => at.map(|index| (items[index].clone(), true)),
        };
        let result = result.filter(|(node, _)| present(node) && !is_empty_mapping(node));
        let Some((mut node, in_place)) = result else {
            set_item(items, None, &keys, &values);
            continue;
        };
        for (key, value) in keys.iter().zip(&values) {
            if !key.is_empty() && !value.is_empty() && node.is_mapping() && node.get(key).is_none()
            {
                node.set(key, Node::scalar(value.as_str(), crate::fieldspec::type_of(value)));
            }
        }
        if let (true, Some(index)) = (in_place, at) {
            items[index] = node.clone();
        }
        set_item(&mut added, Some(&node), &keys, &values);
    }
    append_rest(&mut added, items, &used_keys);
    *items = added;
    Ok(())
}
