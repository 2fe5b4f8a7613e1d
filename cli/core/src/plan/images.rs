//! Slots in the `images:` of a kustomization.

use gitops_tree::{Tree, TreePath};
use gitops_yaml::{Node, Scalar, Style, Tag, Value};

use crate::judge::Moved;
use crate::object::Source;

use super::apps::{root, source};
use super::error::PlanError;
use super::rules::{ImageRule, key_of};
use super::slot::{Held, Slot, SlotId};

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
    fields: Vec<(Moved, Held, Source)>,
}

impl Entry {
    /// Its slots under entry `mover` of `promote:`: the fields that move, and
    /// the others as far as they are there, since they take part in what runs.
    pub(super) fn slots(&self, mover: usize, rule: &ImageRule) -> Vec<Slot> {
        let mut slots = Vec::new();
        for what in FIELDS {
            let held = self.fields.iter().find(|(field, ..)| *field == what);
            if held.is_none() && !rule.fields.contains(&what) {
                continue;
            }
            slots.push(Slot {
                id: slot_id(mover, &self.name, what),
                what,
                name: self.name.clone(),
                file: self.file.clone(),
                path: vec!["images".to_owned(), self.name.clone(), key_of(what).to_owned()],
                value: held.map(|(_, held, _)| held.clone()),
                source: held.map_or(&self.source, |(.., source)| source).clone(),
                owned_by: None,
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
        let (_, held, source) = self.fields.iter().find(|(field, ..)| *field == what)?;
        Some((held, source))
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
    images_in(file, &root(file, &bytes)?)
}

pub(super) fn images_in(file: &TreePath, root: &Node) -> Result<Vec<Entry>, PlanError> {
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
            fields.extend(field(file, entry, what)?);
        }
        images.push(Entry { name: name.to_owned(), file: file.clone(), source: at, fields });
    }
    Ok(images)
}

fn field(
    file: &TreePath,
    entry: &Node,
    what: Moved,
) -> Result<Option<(Moved, Held, Source)>, PlanError> {
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
    Ok(Some((what, Held { text: text.to_string(), is_text }, at)))
}

fn is_old_word(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "y" | "n" | "yes" | "no" | "on" | "off")
}
