//! Slots: the places of an environment's files that hold one value each.

use std::collections::BTreeMap;

use gitops_tree::TreePath;
use gitops_yaml::Step;

use crate::judge::{Move, Moved};
use crate::object::Source;

use super::blob::BlobId;
use super::hunk::printable;
use super::merge::short;

/// An app in an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct App {
    /// Its name.
    pub name: String,
    /// The folder it stands in, perhaps with others.
    pub folder: TreePath,
    /// The values that its rule speaks of, in the order of the rule and of
    /// the files. Those that `never` covers are among them.
    pub slots: Vec<Slot>,
}

/// Names a slot alike in every environment, so that those of two environments
/// can be paired.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId {
    /// Which entry of `promote:`, from 0.
    pub mover: usize,
    /// Which of its places. It names no environment.
    pub place: String,
}

/// A place that holds one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// Its name.
    pub id: SlotId,
    /// What the value is.
    pub what: Moved,
    /// Its name for people: the image's, the chart's, the path.
    pub name: String,
    /// The file.
    pub file: TreePath,
    /// The path in the document, an item of a list by its name or number;
    /// `never` is matched against it.
    pub path: Vec<String>,
    /// The value; `None` where the place is there and holds none.
    pub value: Option<Held>,
    /// Where the value stands, or what is to hold it.
    pub source: Source,
    /// How an edit finds it.
    pub spot: Spot,
    /// The automation that writes the value as well.
    pub owned_by: Option<String>,
}

/// How an edit finds a slot's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    /// A field of an entry of `images:`, which is added where it is not there.
    Image,
    /// A scalar.
    Scalar {
        /// The document, from 0.
        document: usize,
        /// The path in it.
        path: Vec<Step>,
    },
    /// The `ref` in the query of a URL.
    Query {
        /// The document, from 0.
        document: usize,
        /// The path of the URL.
        path: Vec<Step>,
    },
    /// Keys that are not there, and may be added.
    Missing {
        /// The document, from 0.
        document: usize,
        /// What they are added to.
        above: Vec<Step>,
        /// The keys.
        missing: Vec<Step>,
    },
    /// A place in a text that the file holds.
    Within {
        /// The document, from 0.
        document: usize,
        /// The path of the text.
        path: Vec<Step>,
        /// Where it stands in the text: a scalar, or keys that are missing.
        inside: Box<Spot>,
    },
    /// What a regular expression finds.
    Text,
    /// The whole file; its value names the bytes.
    File,
}

/// A value as a file holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The value, without quotes.
    pub text: String,
    /// Whether it reads as a string; otherwise it is a number, `true` and the
    /// like, and `text` is how it is spelled.
    pub is_text: bool,
}

impl Held {
    /// A string.
    pub fn text(text: impl Into<String>) -> Held {
        Held { text: text.into(), is_text: true }
    }
}

impl Slot {
    /// The text of its value.
    pub fn text(&self) -> Option<&str> {
        self.value.as_ref().map(|held| held.text.as_str())
    }
}

impl App {
    /// One of its slots.
    pub fn slot(&self, id: &SlotId) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.id == *id)
    }

    /// The version in words, fit for a terminal: the tags of its images, else
    /// their digests; without images the versions of its charts, else its
    /// refs, else the first of its values.
    pub fn version(&self) -> Option<String> {
        version_of(&self.slots)
    }
}

/// The longest value that is called a version.
const LONGEST: usize = 64;

/// The version that slots stand for, in words fit for a terminal.
pub(super) fn version_of<'a>(slots: impl IntoIterator<Item = &'a Slot> + Clone) -> Option<String> {
    let held = |wanted: Moved| {
        let slots = slots.clone().into_iter().filter(move |slot| slot.what == wanted);
        slots.filter_map(|slot| Some((slot, slot.text()?)))
    };
    let joined = |versions: Vec<String>| {
        let mut told: Vec<String> = Vec::new();
        for version in versions {
            if !told.contains(&version) {
                told.push(version);
            }
        }
        (!told.is_empty()).then(|| told.join(", "))
    };
    // Of each image its tag, else its digest.
    let mut images: Vec<(&str, &str)> =
        held(Moved::ImageTag).map(|(slot, tag)| (slot.name.as_str(), tag)).collect();
    for (slot, digest) in held(Moved::ImageDigest) {
        if !images.iter().any(|(name, _)| *name == slot.name) {
            images.push((&slot.name, digest));
        }
    }
    let images = joined(images.into_iter().map(|(_, version)| printable(version)).collect());
    let others = [Moved::ChartVersion, Moved::GitRef, Moved::Value].into_iter().find_map(|what| {
        let short = held(what).filter(|(_, text)| text.chars().count() <= LONGEST);
        // Of values the first one of the rule; the others go with it.
        let many = if what == Moved::Value { 1 } else { usize::MAX };
        joined(short.map(|(_, text)| printable(text)).take(many).collect())
    });
    images.or(others).or_else(|| {
        // Of a folder that is copied, the name of all its bytes.
        let files: Vec<String> =
            held(Moved::Folder).map(|(slot, text)| format!("{text} {}\0", slot.id.place)).collect();
        let name = || BlobId::of(files.concat().as_bytes()).to_string();
        (!files.is_empty()).then(|| short(&name()).to_owned())
    })
}

/// The promoted values in which two states of an environment differ, by app,
/// name and kind. Apps and slots of one side only count as well; a slot that
/// holds nothing is as good as none.
pub fn moves(before: &[App], after: &[App]) -> Vec<Move> {
    type Key<'a> = (&'a str, &'a str, Moved, &'a SlotId);
    fn by_key(apps: &[App]) -> BTreeMap<Key<'_>, &Slot> {
        let slots = apps.iter().flat_map(|app| {
            app.slots
                .iter()
                .map(|slot| ((app.name.as_str(), slot.name.as_str(), slot.what, &slot.id), slot))
        });
        slots.collect()
    }
    let (before, after) = (by_key(before), by_key(after));
    let mut keys: Vec<Key<'_>> = before.keys().chain(after.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    let mut moves = Vec::new();
    for key in keys {
        let (old, new) = (before.get(&key), after.get(&key));
        let (from, to) = (old.and_then(|slot| slot.text()), new.and_then(|slot| slot.text()));
        if from == to {
            continue;
        }
        moves.push(Move {
            app: key.0.to_owned(),
            what: key.2,
            name: key.1.to_owned(),
            before: from.map(str::to_owned),
            after: to.map(str::to_owned),
            source: new.or(old).map(|slot| slot.source.clone()),
        });
    }
    moves
}
