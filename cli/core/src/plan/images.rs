//! Slots in the `images:` of a kustomization.

use gitops_tree::{Tree, TreePath};
use gitops_yaml::{Node, Scalar, Step, Style, Tag, Value};

use crate::judge::Moved;
use crate::object::Source;

use super::apps::{root, source};
use super::automation;
use super::edit::{At, Change, change};
use super::error::PlanError;
use super::rules::{ImageRule, key_of};
use super::slot::{Held, Slot, SlotId, Spot};

/// The fields of an image that can move, in the order in which they are told.
pub(super) const FIELDS: [Moved; 3] = [Moved::ImageName, Moved::ImageTag, Moved::ImageDigest];

/// An entry of `images:`.
pub(super) struct Entry {
    /// Its `name`.
    pub(super) name: String,
    /// The kustomization.
    file: TreePath,
    /// Where the entry stands.
    source: Source,
    /// The fields that hold something.
    fields: Vec<Field>,
}

/// A field that holds something.
struct Field {
    what: Moved,
    held: Held,
    source: Source,
    owned_by: Option<String>,
}

impl Entry {
    /// Its slots under entry `mover` of `promote:`: the fields that move, and
    /// the others as far as they are there, since they take part in what runs.
    pub(super) fn slots(&self, mover: usize, rule: &ImageRule) -> Vec<Slot> {
        let mut slots = Vec::new();
        for what in FIELDS {
            let held = self.fields.iter().find(|field| field.what == what);
            if held.is_none() && !rule.fields.contains(&what) {
                continue;
            }
            slots.push(Slot {
                id: slot_id(mover, &self.name, what),
                what,
                name: self.name.clone(),
                file: self.file.clone(),
                path: vec!["images".to_owned(), self.name.clone(), key_of(what).to_owned()],
                value: held.map(|field| field.held.clone()),
                source: held.map_or(&self.source, |field| &field.source).clone(),
                spot: Spot::Image,
                owned_by: held.and_then(|field| field.owned_by.clone()),
            });
        }
        slots
    }

    /// Where one field stands, or the entry that has none.
    pub(super) fn place(&self, what: Moved) -> Source {
        self.field(what).map_or(&self.source, |(_, source)| source).clone()
    }

    /// What one field holds, and where.
    pub(super) fn field(&self, what: Moved) -> Option<(&Held, &Source)> {
        let field = self.fields.iter().find(|field| field.what == what)?;
        Some((&field.held, &field.source))
    }
}

/// The name of an image's slot.
pub(super) fn slot_id(mover: usize, image: &str, what: Moved) -> SlotId {
    SlotId { mover, place: format!("{image} {}", key_of(what)) }
}

/// The entries of `images:` in a kustomization.
///
/// # Errors
///
/// When the file cannot be read, is not one YAML document, or names an image
/// twice.
pub(super) fn images(tree: &dyn Tree, file: &TreePath) -> Result<Vec<Entry>, PlanError> {
    let bytes = tree.read(file)?;
    images_in(file, &bytes)
}

pub(super) fn images_in(file: &TreePath, bytes: &[u8]) -> Result<Vec<Entry>, PlanError> {
    let root = root(file, bytes)?;
    let mut images: Vec<Entry> = Vec::new();
    let Some(list) = root.get("images") else { return Ok(images) };
    if !matches!(list.value, Value::Sequence(_)) && !list.is_null() {
        return Err(PlanError::Shape {
            at: source(file, list.mark),
            reason: "`images` is not a list".to_owned(),
        });
    }
    for entry in list.items() {
        let at = source(file, entry.mark);
        let Some(name) = entry.get("name").and_then(Node::text) else {
            return Err(PlanError::Shape { at, reason: "an image without a `name`".to_owned() });
        };
        if let Some(first) = images.iter().find(|image| image.name == name) {
            return Err(PlanError::TwoEntries {
                image: name.to_owned(),
                first: first.source.clone(),
                second: at,
            });
        }
        let mut fields = Vec::new();
        for what in FIELDS {
            fields.extend(field(file, bytes, entry, what)?);
        }
        images.push(Entry { name: name.to_owned(), file: file.clone(), source: at, fields });
    }
    Ok(images)
}

fn field(
    file: &TreePath,
    bytes: &[u8],
    entry: &Node,
    what: Moved,
) -> Result<Option<Field>, PlanError> {
    let Some(node) = entry.get(key_of(what)) else { return Ok(None) };
    let at = source(file, node.mark);
    let Value::Scalar(Scalar { text, tag, style }) = &node.value else {
        return Err(PlanError::Shape { at, reason: format!("`{}` is not a string", key_of(what)) });
    };
    // kustomize reads an empty value as an absent one.
    if *tag == Tag::Null || text.is_empty() {
        return Ok(None);
    }
    // kustomize reads a plain date as it is written, and the words of YAML 1.1
    // as booleans.
    let word = *style == Style::Plain && is_old_word(text);
    let is_text = matches!(tag, Tag::Str | Tag::Timestamp) && !word;
    let held = Held { text: text.to_string(), is_text };
    Ok(Some(Field { what, held, source: at, owned_by: automation::setter(bytes, &node.mark) }))
}

/// The file with one field of one image set, or taken away. An image that has
/// no entry gets one.
///
/// # Errors
///
/// Where more than the field would change.
pub(super) fn set_image_field(
    file: &TreePath,
    bytes: &[u8],
    image: &str,
    what: Moved,
    value: Option<&str>,
) -> Result<Vec<u8>, PlanError> {
    let key = key_of(what);
    let before = root(file, bytes)?;
    let entries = before.get("images").map_or(&[][..], Node::items);
    let is_it = |entry: &Node| entry.get("name").and_then(Node::text) == Some(image);
    let found = entries.iter().position(is_it);
    let mark = found.map_or(before.mark, |index| entries[index].mark);
    let step = |key: &str| Step::Key(key.to_owned());
    let (path, planned) = match (found, value) {
        (None, None) => return Ok(bytes.to_vec()),
        (None, Some(value)) => {
            let mut entry = Node::mapping();
            entry.set("name", Node::string(image));
            entry.set(key, Node::string(value));
            match before.get("images") {
                Some(list) if !list.is_null() => {
                    (vec![step("images"), Step::Item(entries.len())], Change::Add { value: entry })
                }
                Some(_) => (vec![step("images"), Step::Item(0)], Change::Add { value: entry }),
                None => {
                    let list = Node::sequence(vec![entry]);
                    (vec![step("images")], Change::Add { value: list })
                }
            }
        }
        (Some(index), value) => {
            let path = vec![step("images"), Step::Item(index), step(key)];
            match (entries[index].get(key), value) {
                (None, None) => return Ok(bytes.to_vec()),
                (Some(_), None) => (path, Change::Remove),
                (None, Some(value)) => (path, Change::Add { value: Node::string(value) }),
                (Some(_), Some(value)) => (path, Change::Set { value: Held::text(value) }),
            }
        }
    };
    let document = document_of(bytes);
    change(file, bytes, &At { document, path: &path }, &planned).map_err(|reason| {
        PlanError::NotEditable { at: source(file, mark), key: key.to_owned(), reason }
    })
}

/// Which document the kustomization is: empty ones may stand before it.
fn document_of(bytes: &[u8]) -> usize {
    let documents = gitops_yaml::read(gitops_yaml::FileId(0), bytes).unwrap_or_default();
    documents.iter().position(|document| document.root.is_some()).unwrap_or(0)
}

fn is_old_word(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "y" | "n" | "yes" | "no" | "on" | "off")
}
