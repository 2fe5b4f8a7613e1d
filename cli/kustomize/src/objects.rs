//! Documents become objects.
//!
//! Rules from kustomize v5.8, api/resource/factory.go.

use std::collections::VecDeque;

use gitops_tree::TreePath;
use gitops_yaml::{Node, Value};

use crate::error::{BuildError, Place, Several};
use crate::folded::Brackets;
use crate::resource::{Object, raw};
use crate::schema::Schema;
use crate::{folded, through_json};

/// The objects of a file's documents: empty documents left out, lists taken
/// apart, the items of a list after everything else in the file. The errors
/// are those of every document.
pub(crate) fn from_documents(
    documents: Vec<Node>,
    path: &TreePath,
    schema: &Schema,
) -> Result<Vec<Object>, Several> {
    let mut errors = Vec::new();
    // A `List` alone in its text is taken apart as it is read; all others by
    // way of JSON (kyaml/kio/byteio_reader.go).
    let mut is_alone = documents.len() == 1;
    let mut queue: VecDeque<(u32, Node, Brackets)> = documents
        .into_iter()
        .enumerate()
        .map(|(index, node)| (u32::try_from(index + 1).unwrap_or(u32::MAX), node, Brackets::AsRead))
        .collect();
    let mut objects = Vec::with_capacity(queue.len());
    while let Some((document, mut node, brackets)) = queue.pop_front() {
        if is_nothing(&node) {
            continue;
        }
        let place = place(&node, path);
        let mut fail = |message: &str| {
            errors.push(BuildError::Object {
                place: place.clone(),
                document,
                message: message.to_owned(),
            });
        };
        if !node.is_mapping() {
            fail("expected a mapping with `apiVersion`, `kind` and `metadata`");
            continue;
        }
        let kind = node.get("kind").and_then(Node::text).unwrap_or_default().to_owned();
        if kind.is_empty() {
            fail("`kind` is missing");
            continue;
        }
        if kind.ends_with("List") && node.get("items").is_some() {
            match node.remove("items").map(|items| items.value) {
                Some(Value::Sequence(items)) => {
                    let as_read = is_alone && matches!(&*kind, "List" | "ResourceList");
                    for mut item in items {
                        let settled = match as_read {
                            true => Ok(Brackets::AsRead),
                            false => settle_item(&mut item).map(|()| Brackets::All),
                        };
                        match settled {
                            Ok(brackets) => queue.push_back((document, item, brackets)),
                            Err(message) => fail(&message),
                        }
                    }
                }
                Some(Value::Scalar(scalar)) if scalar.tag == gitops_yaml::Tag::Null => {}
                _ => fail("`items` of a list must be a list"),
            }
            is_alone = false;
            continue;
        }
        let named = node.at_path(&["metadata", "name"]).and_then(Node::text);
        if !kind.ends_with("List") && named.is_none_or(str::is_empty) {
            fail(&format!("the {kind} has no `metadata.name`"));
            continue;
        }
        let mut object = Object::new(node, place, document);
        object.brackets = brackets;
        object.learn_scope(schema);
        object.take_notes();
        objects.push(object);
    }
    Several::unless_any(errors, objects)
}

/// An item of a list is JSON before it is an object.
fn settle_item(item: &mut Node) -> Result<(), String> {
    if let Some(key) = folded::odd_key(item) {
        return Err(format!("the key `{}` of an item of a list must be a string", raw(key)));
    }
    through_json::check(item)
        .and_then(|()| through_json::quote(item))
        .map_err(|(_, message)| format!("an item of a list cannot be JSON: {message}"))
}

/// A key that is no string, of an object that is to be written as JSON.
pub(crate) fn odd_key(object: &Object, place: Place, key: &Node) -> BuildError {
    BuildError::Field {
        place,
        field: raw(key).to_owned(),
        id: object.id().to_string(),
        message: "kustomize reads this key as a number, a boolean, a date or null, and an object \
                  may have strings only as keys; put it in quotes, or choose another"
            .to_owned(),
    }
}

fn is_nothing(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(scalar) => scalar.tag == gitops_yaml::Tag::Null,
        Value::Sequence(items) => items.is_empty(),
        Value::Mapping(entries) => entries.is_empty(),
    }
}

fn place(node: &Node, path: &TreePath) -> Place {
    Place { path: path.clone(), line: (node.mark.line > 0).then_some(node.mark.line), column: None }
}
