//! Files that come back as a whole, byte for byte, though only values of them
//! go back: where a file still is what a promotion left, and the promotion
//! changed nothing of it but these values, its earlier bytes are the inverse.
//! So come back the comment of a tag that a digest replaced, and the file
//! without the entry that was added.

use std::collections::BTreeMap;

use gitops_tree::{EntryKind, Tree, TreePath};
use gitops_yaml::{Node, Step as PathStep, Value, differences, same};

use super::FileBytes;
use super::edit;
use super::error::PlanError;
use super::make::Step;
use super::narrow::discover_some;
use super::rollback::Undoing;
use super::slot::{App, Slot, Spot};
use super::wanted::Want;

/// The files of an app that come back as a whole.
///
/// # Errors
///
/// When a file cannot be read.
pub(super) fn exact(
    step: &Step<'_>,
    here: &App,
    undoing: &Undoing<'_>,
    wants: &[Want],
) -> Result<BTreeMap<TreePath, FileBytes>, PlanError> {
    let mut found = BTreeMap::new();
    let Some(left) = undoing.left else { return Ok(found) };
    let names = std::slice::from_ref(&here.name);
    let environment = step.target.environment;
    // What cannot be read in the past is no reason not to go back value by value.
    let Ok(then) = discover_some(undoing.earlier, environment, step.rules, names) else {
        return Ok(found);
    };
    // Where nothing stands on one side, the other one tells where it would.
    let then = then.apps.iter().filter(|app| app.name == here.name);
    let slots = then.chain([here]).flat_map(|app| &app.slots);
    let slots: Vec<&Slot> =
        slots.filter(|slot| wants.iter().any(|want| want.slot.id == slot.id)).collect();
    for want in wants.iter().filter(|want| want.slot.spot != Spot::File) {
        let file = &want.slot.file;
        if found.contains_key(file) || !edit::is_yaml(file) {
            continue;
        }
        let bytes = step.target.tree.read(file)?;
        let of = |tree: &dyn Tree| match tree.kind(file) {
            Ok(Some(EntryKind::File)) => tree.read(file).ok(),
            _ => None,
        };
        let (Some(then), Some(_)) = (of(undoing.earlier), of(left).filter(|left| *left == bytes))
        else {
            continue;
        };
        if only_these(file, &bytes, &then, &slots) {
            let bytes = FileBytes { before: Some(bytes), after: Some(then), mode: None };
            found.insert(file.clone(), bytes);
        }
    }
    Ok(found)
}

/// Whether two states of a file differ in the values of these slots alone.
fn only_these(file: &TreePath, one: &[u8], two: &[u8], slots: &[&Slot]) -> bool {
    let (Ok(before), Ok(after)) = (edit::read(file, one), edit::read(file, two)) else {
        return false;
    };
    differences(&before, &after).iter().all(|difference| {
        let leaves = |node: &Option<Node>| -> Vec<(Vec<PathStep>, Node)> {
            let mut found = Vec::new();
            if let Some(node) = node {
                collect(node, &mut difference.path.clone(), &mut found);
            }
            found
        };
        let (old, new) = (leaves(&difference.before), leaves(&difference.after));
        let root = |documents: &[gitops_yaml::Document]| {
            documents.get(difference.document).and_then(|document| document.root.clone())
        };
        let ours = |leaves: &[(Vec<PathStep>, Node)],
                    others: &[(Vec<PathStep>, Node)],
                    root: Option<Node>| {
            leaves.iter().all(|(path, node)| {
                let kept = others.iter().any(|(other, there)| other == path && same(node, there));
                let at = (difference.document, path.as_slice(), node);
                kept || slots
                    .iter()
                    .filter(|slot| slot.file == *file)
                    .any(|slot| is_of(slot, at, root.as_ref()))
            })
        };
        ours(&old, &new, root(&before)) && ours(&new, &old, root(&after))
    })
}

/// Whether a value of a file is what a slot speaks of.
fn is_of(
    slot: &Slot,
    (document, path, node): (usize, &[PathStep], &Node),
    root: Option<&Node>,
) -> bool {
    let empty = match &node.value {
        Value::Scalar(_) => node.is_null(),
        Value::Mapping(entries) => entries.is_empty(),
        Value::Sequence(items) => items.is_empty(),
    };
    let below = |place: &[PathStep]| place == path || empty && place.starts_with(path);
    match &slot.spot {
        Spot::Scalar { document: at, path: place } | Spot::Query { document: at, path: place } => {
            *at == document && below(place)
        }
        // The text may hold more than this value.
        Spot::Within { .. } => false,
        Spot::Missing { document: at, above, missing } => {
            let place: Vec<PathStep> = above.iter().chain(missing).cloned().collect();
            *at == document && below(&place)
        }
        Spot::Image => {
            let [PathStep::Key(images), rest @ ..] = path else { return false };
            if images != "images" {
                return false;
            }
            let [PathStep::Item(index), PathStep::Key(key)] = rest else {
                return empty && rest.is_empty();
            };
            let list = root.and_then(|root| root.get("images")).map_or(&[][..], Node::items);
            let name = list.get(*index).and_then(|item| item.get("name")).and_then(Node::text);
            let field = ["name", "newName", "newTag", "digest"].contains(&key.as_str());
            field && name == Some(slot.name.as_str())
        }
        Spot::Text | Spot::File => false,
    }
}

/// The values of a node that hold no others, with their paths.
fn collect(node: &Node, path: &mut Vec<PathStep>, found: &mut Vec<(Vec<PathStep>, Node)>) {
    match &node.value {
        Value::Mapping(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                path.push(PathStep::Key(key.text().unwrap_or_default().to_owned()));
                collect(value, path, found);
                path.pop();
            }
        }
        Value::Sequence(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                path.push(PathStep::Item(index));
                collect(item, path, found);
                path.pop();
            }
        }
        _ => found.push((path.clone(), node.clone())),
    }
}
