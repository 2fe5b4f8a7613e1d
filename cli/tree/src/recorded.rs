//! A tree that notes what was read.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::{Answer, Entry, EntryKind, Tree, TreeError, TreePath};

/// One question that was asked of a tree. Questions whose answer was
/// "nothing there" count too: a file that appears would change the result.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reading {
    /// The names in a directory.
    List(TreePath),
    /// The bytes of a file, the target of a link, or the kind of a path.
    Path(TreePath),
}

impl Reading {
    /// Whether a change of the file at `path` may change this answer.
    pub fn depends_on(&self, path: &TreePath) -> bool {
        match self {
            Reading::Path(read) => read == path,
            Reading::List(dir) => path.is_within(dir),
        }
    }
}

/// Passes every question on to a tree and remembers it: the read set of a
/// plan, and what must be rendered again when a file changes.
pub struct Recorded<'a> {
    base: &'a dyn Tree,
    readings: RefCell<BTreeSet<Reading>>,
}

impl<'a> Recorded<'a> {
    /// Watches `base`.
    pub fn new(base: &'a dyn Tree) -> Recorded<'a> {
        Recorded { base, readings: RefCell::default() }
    }

    /// What was asked so far.
    pub fn into_readings(self) -> BTreeSet<Reading> {
        self.readings.into_inner()
    }

    fn note(&self, reading: Reading) {
        self.readings.borrow_mut().insert(reading);
    }
}

impl Tree for Recorded<'_> {
    fn list(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
        self.note(Reading::List(dir.clone()));
        self.base.list(dir)
    }

    fn read(&self, file: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        self.note(Reading::Path(file.clone()));
        self.base.read(file)
    }

    fn link(&self, link: &TreePath) -> Result<String, TreeError> {
        self.note(Reading::Path(link.clone()));
        self.base.link(link)
    }

    fn kind(&self, path: &TreePath) -> Result<Option<EntryKind>, TreeError> {
        self.note(Reading::Path(path.clone()));
        self.base.kind(path)
    }

    fn executable(&self, file: &TreePath) -> Result<bool, TreeError> {
        self.note(Reading::Path(file.clone()));
        self.base.executable(file)
    }

    fn answer(&self, reading: &Reading) -> Result<Answer, TreeError> {
        self.note(reading.clone());
        self.base.answer(reading)
    }
}
