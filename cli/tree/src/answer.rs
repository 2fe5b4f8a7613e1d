//! What a tree answered, in a form that can be held against another tree.

use std::collections::{BTreeMap, BTreeSet};

use sha1::{Digest as _, Sha1};

use crate::{Entry, EntryKind, Reading, Tree, TreeError, TreePath};

/// The answer to a [`Reading`], with contents as the names that Git gives
/// them: the SHA-1 of `blob LENGTH\0` and the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing stands there.
    Nothing,
    /// A file with these bytes.
    File([u8; 20]),
    /// A link with this target.
    Link([u8; 20]),
    /// A directory.
    Directory,
    /// A submodule or the like, about which nothing more is known.
    Other,
    /// The names in a directory.
    Names(Vec<Entry>),
}

/// Asks `tree` by its plain questions.
pub(crate) fn ask(tree: &(impl Tree + ?Sized), reading: &Reading) -> Result<Answer, TreeError> {
    match reading {
        Reading::Path(path) => Ok(match tree.kind(path)? {
            None => Answer::Nothing,
            Some(EntryKind::File) => Answer::File(blob_name(&tree.read(path)?)),
            Some(EntryKind::Link) => Answer::Link(blob_name(tree.link(path)?.as_bytes())),
            Some(EntryKind::Directory) => Answer::Directory,
            Some(EntryKind::Other) => Answer::Other,
        }),
        Reading::List(dir) => match tree.kind(dir)? {
            Some(EntryKind::Directory) => tree.list(dir).map(Answer::Names),
            // What it is instead, is the answer.
            _ => ask(tree, &Reading::Path(dir.clone())),
        },
    }
}

pub(crate) fn blob_name(bytes: &[u8]) -> [u8; 20] {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", bytes.len()));
    hash.update(bytes);
    hash.finalize().into()
}

/// Everything that was asked of a tree, and what it said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers(BTreeMap<Reading, Answer>);

impl Answers {
    /// Asks `tree` again what was asked.
    ///
    /// # Errors
    ///
    /// Something stands there that cannot be read.
    pub fn of(readings: BTreeSet<Reading>, tree: &dyn Tree) -> Result<Answers, TreeError> {
        let answers = readings.into_iter().map(|reading| {
            let answer = tree.answer(&reading)?;
            Ok((reading, answer))
        });
        answers.collect::<Result<_, _>>().map(Answers)
    }

    /// Whether `tree` says the same to everything. What cannot be read is
    /// never the same.
    pub fn hold_in(&self, tree: &dyn Tree) -> bool {
        self.0.iter().all(|(reading, answer)| tree.answer(reading).as_ref() == Ok(answer))
    }

    /// What was asked.
    pub fn readings(&self) -> BTreeSet<Reading> {
        self.0.keys().cloned().collect()
    }

    /// The files that were read.
    pub fn files(&self) -> impl Iterator<Item = &TreePath> {
        self.0.iter().filter_map(|(reading, answer)| match (reading, answer) {
            (Reading::Path(path), Answer::File(_)) => Some(path),
            _ => None,
        })
    }
}
