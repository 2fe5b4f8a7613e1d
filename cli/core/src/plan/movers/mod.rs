//! Where the entries of `promote:` find their values.
//!
//! - [`value`]: `yaml:`, any path of a YAML or JSON file
//! - [`helm`]: `values:`, in files and inline in objects
//! - [`chart`]: `chart:`, the versions of charts
//! - [`git`]: `ref:`, the refs of repositories
//! - [`text`]: `regex:`, parts of any file
//! - [`scan`]: the files of a folder
//!
//! Each answers the slots that are there, or why there is none. Those of
//! `image:` stand in [`super::images`].

mod chart;
mod git;
mod helm;
mod scan;
mod text;
mod value;

use gitops_tree::{Tree, TreeError, TreePath};
use gitops_yaml::{Document, Node, Scalar, Step, Style, Tag, Value};

use crate::judge::Moved;
use crate::object::Source;

use super::automation;
use super::copy;
use super::edit::{self, At, Change, change};
use super::error::PlanError;
use super::path::Miss;
use super::rules::Mover;
use super::slot::{Held, Slot, SlotId, Spot};
use super::within::change_within;

pub(super) use helm::value_files;
pub(super) use scan::Files;
pub(super) use text::compile;

/// The app whose values are looked for.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) tree: &'a dyn Tree,
    /// The folder of the app, perhaps with others.
    pub(super) folder: &'a TreePath,
    pub(super) app: &'a str,
    /// The environment's name, which names of slots do not hold.
    pub(super) environment: &'a str,
    /// The files of the folder, as far as they were read.
    pub(super) files: &'a Files,
}

/// What an entry of `promote:` finds in an app.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) slots: Vec<Slot>,
    /// Why there is no more.
    pub(super) missing: Vec<Missing>,
}

/// Why a value is not there.
pub(super) struct Missing {
    pub(super) at: Source,
    pub(super) reason: String,
    /// Whether the file is there, so that the app is.
    pub(super) file: bool,
}

/// What entry `mover` of `promote:` finds; images are looked for elsewhere.
///
/// # Errors
///
/// When a file cannot be read, or holds two places where one is wanted.
pub(super) fn look(place: &Place<'_>, mover: usize, rule: &Mover) -> Result<Looked, PlanError> {
    match rule {
        Mover::Image(_) => Ok(Looked::default()),
        Mover::Yaml(rule) => value::look(place, mover, rule),
        Mover::Values(rule) => helm::look(place, mover, rule),
        Mover::Chart(rule) => chart::look(place, mover, rule),
        Mover::Ref(rule) => git::look(place, mover, rule),
        Mover::Regex(rule) => text::look(place, mover, rule),
        Mover::Copy(rule) => {
            let slots = copy::look(place.tree, place.folder, mover, rule)?;
            Ok(Looked { slots, missing: Vec::new() })
        }
    }
}

/// The apps that an entry of `promote:` names by what it finds in a folder
/// that several apps share.
///
/// # Errors
///
/// When a file cannot be read.
pub(super) fn apps(
    tree: &dyn Tree,
    folder: &TreePath,
    rule: &Mover,
) -> Result<Vec<String>, PlanError> {
    match rule {
        Mover::Image(_) | Mover::Copy(_) => Ok(Vec::new()),
        Mover::Yaml(rule) => value::apps(tree, folder, &rule.file, Some(&rule.path)),
        Mover::Values(rule) => helm::apps(tree, folder, rule),
        Mover::Chart(rule) => chart::apps(tree, folder, rule),
        Mover::Ref(rule) => git::apps(tree, folder, rule),
        Mover::Regex(rule) => value::apps(tree, folder, &rule.file, None),
    }
}

/// The file with the value of one slot set.
///
/// # Errors
///
/// Where more than the value would change.
pub(super) fn set(
    rule: &Mover,
    app: &str,
    slot: &Slot,
    bytes: &[u8],
    value: &Held,
) -> Result<Vec<u8>, PlanError> {
    let file = &slot.file;
    let edited = match &slot.spot {
        Spot::Image | Spot::File => unreachable!("images and files are put elsewhere"),
        Spot::Query { document, path } => git::set(file, bytes, *document, path, &value.text),
        Spot::Text => match rule {
            Mover::Regex(rule) => text::set(file, bytes, rule, app, &value.text),
            _ => unreachable!("only `regex` finds text"),
        },
        spot => put(file, bytes, spot, value),
    };
    edited.map_err(|reason| PlanError::NotEditable {
        at: slot.source.clone(),
        key: slot.name.clone(),
        reason,
    })
}

/// The file with a scalar set or added, be it in a text that the file holds.
fn put(file: &TreePath, bytes: &[u8], spot: &Spot, value: &Held) -> Result<Vec<u8>, String> {
    match spot {
        Spot::Scalar { document, path } => {
            let planned = Change::Set { value: value.clone() };
            change(file, bytes, &At { document: *document, path }, &planned)
        }
        Spot::Missing { document, above, missing } => {
            let (first, rest) = missing.split_first().expect("something is missing");
            let mut path = above.clone();
            path.push(first.clone());
            edit::scalar(value).and_then(|node| {
                let planned = Change::Add { value: edit::wrap(rest, node) };
                change(file, bytes, &At { document: *document, path: &path }, &planned)
            })
        }
        Spot::Within { document, path, inside } => {
            let at = At { document: *document, path };
            change_within(file, bytes, &at, |text| put(&inner_file(), text, inside, value))
        }
        Spot::Query { .. } | Spot::Image | Spot::Text | Spot::File => {
            unreachable!("texts hold scalars alone")
        }
    }
}

/// What a text in a file is read as.
fn inner_file() -> TreePath {
    TreePath::new("values.yaml").expect("a name is a path")
}

/// Where the value of a slot stands in the file as edited.
pub(super) fn place(slot: &Slot, bytes: &[u8]) -> Source {
    if let Spot::Within { document, path, inside } = &slot.spot {
        let documents = edit::read(&slot.file, bytes).unwrap_or_default();
        let root = documents.get(*document).and_then(|document| document.root.as_ref());
        let Some(text) = root.and_then(|root| edit::follow(root, path)) else {
            return slot.source.clone();
        };
        let inner = Slot { file: inner_file(), spot: (**inside).clone(), ..slot.clone() };
        let inner = place(&inner, text.text().unwrap_or_default().as_bytes());
        return Source { line: line_within(text, inner.line), ..slot.source.clone() };
    }
    let (document, path) = match &slot.spot {
        Spot::Scalar { document, path } | Spot::Query { document, path } => {
            (*document, path.clone())
        }
        Spot::Missing { document, above, missing } => {
            (*document, above.iter().chain(missing).cloned().collect())
        }
        Spot::Image | Spot::Text | Spot::File | Spot::Within { .. } => return slot.source.clone(),
    };
    let documents = edit::read(&slot.file, bytes).unwrap_or_default();
    let root = documents.get(document).and_then(|document| document.root.as_ref());
    let line = root.and_then(|root| edit::follow(root, &path)).map(|node| node.mark.line);
    Source { line: line.or(slot.source.line), ..slot.source.clone() }
}

/// The line of the file in which a line of a text stands: below the header of a
/// block, or where the text itself does.
fn line_within(text: &Node, line: Option<u32>) -> Option<u32> {
    let block = matches!(&text.value, Value::Scalar(scalar) if scalar.style == Style::Literal);
    let line = line.filter(|_| block).unwrap_or(0);
    (text.mark.line > 0).then_some(text.mark.line + line)
}

/// A document of a file.
pub(super) struct Doc<'a> {
    file: &'a TreePath,
    bytes: &'a [u8],
    /// From 0.
    index: usize,
    root: &'a Node,
}

impl<'a> Doc<'a> {
    fn all(
        file: &'a TreePath,
        bytes: &'a [u8],
        documents: &'a [Document],
    ) -> impl Iterator<Item = Doc<'a>> {
        documents.iter().enumerate().filter_map(move |(index, document)| {
            Some(Doc { file, bytes, index, root: document.root.as_ref()? })
        })
    }

    fn kind(&self) -> &'a str {
        self.root.get("kind").and_then(Node::text).unwrap_or_default()
    }

    fn name(&self) -> &'a str {
        self.root.at_path(&["metadata", "name"]).and_then(Node::text).unwrap_or_default()
    }

    /// The object's name in every environment: `Kind/name`, with the name of
    /// this one left out of it.
    fn identity(&self, environment: &str) -> String {
        format!("{}/{}", self.kind(), neutral(self.name(), environment))
    }

    fn source(&self, node: &Node) -> Source {
        Source {
            path: self.file.as_str().to_owned(),
            document: u32::try_from(self.index + 1).unwrap_or(u32::MAX),
            line: (node.mark.line > 0).then_some(node.mark.line),
        }
    }

    fn missing(&self, node: &Node, reason: String) -> Missing {
        Missing { at: self.source(node), reason, file: true }
    }

    /// The slot of a scalar.
    ///
    /// # Errors
    ///
    /// Where the value is a list or a mapping.
    fn slot(
        &self,
        id: SlotId,
        what: Moved,
        name: String,
        path: Vec<String>,
        steps: Vec<Step>,
        node: &Node,
    ) -> Result<Slot, PlanError> {
        let at = self.source(node);
        let Value::Scalar(Scalar { text, tag, .. }) = &node.value else {
            let kind = super::path::kind(node);
            return Err(PlanError::Shape {
                at,
                reason: format!("`{name}` is {kind}, and only single values move"),
            });
        };
        let held = Held {
            text: text.to_string(),
            // Versions and refs are strings, however they are written.
            is_text: what != Moved::Value
                || matches!(tag, Tag::Str | Tag::Timestamp | Tag::Binary | Tag::Other(_)),
        };
        Ok(Slot {
            id,
            what,
            name,
            file: self.file.clone(),
            path,
            value: (*tag != Tag::Null).then_some(held),
            source: at,
            spot: Spot::Scalar { document: self.index, path: steps },
            owned_by: automation::setter(self.bytes, &node.mark),
        })
    }

    /// A slot for keys that are not there, where they may be added.
    fn absent(&self, id: SlotId, name: String, path: Vec<String>, miss: Miss) -> Slot {
        let mut source = self.source(self.root);
        source.line = (miss.line > 0).then_some(miss.line);
        Slot {
            id,
            what: Moved::Value,
            name,
            file: self.file.clone(),
            path,
            value: None,
            source,
            spot: Spot::Missing { document: self.index, above: miss.above, missing: miss.missing },
            owned_by: None,
        }
    }
}

/// A name without that of its environment.
fn neutral(name: &str, environment: &str) -> String {
    let parts: Vec<&str> =
        name.split('-').map(|part| if part == environment { "{env}" } else { part }).collect();
    parts.join("-")
}

/// Gives the slots that one entry of `promote:` found their short name where
/// there is only one by it, and refuses two by one name.
fn named(found: Vec<(String, Slot)>) -> Result<Vec<Slot>, PlanError> {
    let alone: Vec<bool> = found
        .iter()
        .map(|(short, _)| found.iter().filter(|(other, _)| other == short).count() == 1)
        .collect();
    let mut slots: Vec<Slot> = Vec::new();
    for ((short, mut slot), alone) in found.into_iter().zip(alone) {
        if alone {
            slot.id.place = short;
        }
        if let Some(first) = slots.iter().find(|other| other.id == slot.id) {
            return Err(PlanError::TwoPlaces {
                name: slot.name,
                first: Box::new(first.source.clone()),
                second: Box::new(slot.source),
            });
        }
        slots.push(slot);
    }
    Ok(slots)
}

/// The bytes of a file; `None` where it is not there.
fn read(tree: &dyn Tree, file: &TreePath) -> Result<Option<std::sync::Arc<[u8]>>, PlanError> {
    match tree.read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(TreeError::Absent { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The documents of a file.
fn documents(file: &TreePath, bytes: &[u8]) -> Result<Vec<Document>, PlanError> {
    edit::read(file, bytes).map_err(|reason| PlanError::Unreadable { path: file.clone(), reason })
}

fn keys(steps: &[&str]) -> Vec<Step> {
    steps.iter().map(|key| Step::Key((*key).to_owned())).collect()
}

/// A file of the app's folder.
fn file_of(place: &Place<'_>, file: &super::Template) -> Result<TreePath, PlanError> {
    let name = file.with_app(place.app).unwrap_or_default();
    place.folder.join(&name).map_err(|error| PlanError::Shape {
        at: Source { path: name, document: 1, line: None },
        reason: error.to_string(),
    })
}

/// That a file is not there.
fn no_file(file: &TreePath) -> Missing {
    Missing {
        at: Source { path: file.as_str().to_owned(), document: 1, line: None },
        reason: "there is no such file".to_owned(),
        file: false,
    }
}
