//! A tree with edits on top.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Answer, Entry, EntryKind, Reading, Tree, TreeError, TreePath, answer};

/// A tree as it would be after some edits. Each edit puts a regular file at a
/// path or takes the path away.
pub struct Overlay<'a> {
    base: &'a dyn Tree,
    edits: BTreeMap<TreePath, Option<Arc<[u8]>>>,
}

impl<'a> Overlay<'a> {
    /// `base` without any edit.
    pub fn new(base: &'a dyn Tree) -> Overlay<'a> {
        Overlay { base, edits: BTreeMap::new() }
    }

    /// Puts a file at `path`.
    pub fn write(&mut self, path: TreePath, bytes: impl Into<Arc<[u8]>>) {
        self.edits.insert(path, Some(bytes.into()));
    }

    /// Takes `path` away.
    pub fn remove(&mut self, path: TreePath) {
        self.edits.insert(path, None);
    }

    /// Whether some written file stands below `dir`.
    fn writes_below(&self, dir: &TreePath) -> bool {
        self.edits.iter().any(|(path, edit)| edit.is_some() && path != dir && path.is_within(dir))
    }

    /// Whether `dir` still holds anything after the edits. Git keeps no empty
    /// directories, so one whose files are all removed is absent.
    fn holds_anything(&self, dir: &TreePath) -> Result<bool, TreeError> {
        if self.writes_below(dir) {
            return Ok(true);
        }
        if !self.edits.keys().any(|path| path.is_within(dir)) {
            return Ok(true);
        }
        for entry in self.base.list(dir)? {
            let path = child(dir, &entry.name);
            let kept = match entry.kind {
                EntryKind::Directory => self.holds_anything(&path)?,
                _ => !matches!(self.edits.get(&path), Some(None)),
            };
            if kept {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn child(dir: &TreePath, name: &str) -> TreePath {
    dir.join(name).expect("a name in a listing stays inside the tree")
}

impl Tree for Overlay<'_> {
    fn list(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
        let mut entries: BTreeMap<String, EntryKind> = match self.base.list(dir) {
            Ok(entries) => entries.into_iter().map(|entry| (entry.name, entry.kind)).collect(),
            Err(TreeError::Absent { .. }) if self.writes_below(dir) => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        let depth = dir.names().count();
        for (path, edit) in &self.edits {
            if path == dir || !path.is_within(dir) {
                continue;
            }
            let mut rest = path.names().skip(depth);
            let Some(name) = rest.next() else { continue };
            if rest.next().is_some() {
                let below = child(dir, name);
                let stays = match self.base.kind(&below)? {
                    Some(EntryKind::Directory) => self.holds_anything(&below)?,
                    _ => self.writes_below(&below),
                };
                if stays {
                    entries.insert(name.to_owned(), EntryKind::Directory);
                } else {
                    entries.remove(name);
                }
            } else if edit.is_some() {
                entries.insert(name.to_owned(), EntryKind::File);
            } else {
                entries.remove(name);
            }
        }
        if entries.is_empty() && !dir.is_root() {
            return Err(TreeError::Absent { path: dir.clone() });
        }
        Ok(entries.into_iter().map(|(name, kind)| Entry { name, kind }).collect())
    }

    fn read(&self, file: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        match self.edits.get(file) {
            Some(Some(bytes)) => Ok(bytes.clone()),
            Some(None) => Err(TreeError::Absent { path: file.clone() }),
            None => self.base.read(file),
        }
    }

    fn link(&self, link: &TreePath) -> Result<String, TreeError> {
        match self.edits.get(link) {
            Some(Some(_)) => {
                Err(TreeError::WrongKind { path: link.clone(), found: "file", wanted: "link" })
            }
            Some(None) => Err(TreeError::Absent { path: link.clone() }),
            None => self.base.link(link),
        }
    }

    fn kind(&self, path: &TreePath) -> Result<Option<EntryKind>, TreeError> {
        if let Some(edit) = self.edits.get(path) {
            return Ok(edit.as_ref().map(|_| EntryKind::File));
        }
        match self.base.kind(path)? {
            Some(EntryKind::Directory) if !path.is_root() => {
                Ok(self.holds_anything(path)?.then_some(EntryKind::Directory))
            }
            None if self.writes_below(path) => Ok(Some(EntryKind::Directory)),
            kind => Ok(kind),
        }
    }

    fn answer(&self, reading: &Reading) -> Result<Answer, TreeError> {
        let (Reading::Path(path) | Reading::List(path)) = reading;
        let edited = self.edits.keys().any(|edit| edit.is_within(path) || path.is_within(edit));
        // The base may know without reading.
        if edited { answer::ask(self, reading) } else { self.base.answer(reading) }
    }
}
