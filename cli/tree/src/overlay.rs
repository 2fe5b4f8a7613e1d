//! A tree with edits on top.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Answer, Entry, EntryKind, Reading, Tree, TreeError, TreePath, answer};

/// A tree as it would be after some edits. Each edit puts a file or a link at a
/// path or takes the path away.
pub struct Overlay<'a> {
    base: &'a dyn Tree,
    edits: BTreeMap<TreePath, Option<Put>>,
}

/// What an edit puts at a path.
enum Put {
    /// A file; with `None` it may be run if the one before it could.
    File(Arc<[u8]>, Option<bool>),
    /// A link to there.
    Link(String),
}

impl<'a> Overlay<'a> {
    /// `base` without any edit.
    pub fn new(base: &'a dyn Tree) -> Overlay<'a> {
        Overlay { base, edits: BTreeMap::new() }
    }

    /// Puts a file at `path`.
    pub fn write(&mut self, path: TreePath, bytes: impl Into<Arc<[u8]>>) {
        self.edits.insert(path, Some(Put::File(bytes.into(), None)));
    }

    /// Puts a file at `path`, and says whether it may be run.
    pub fn write_file(&mut self, path: TreePath, bytes: impl Into<Arc<[u8]>>, executable: bool) {
        self.edits.insert(path, Some(Put::File(bytes.into(), Some(executable))));
    }

    /// Puts a symbolic link at `path`.
    pub fn write_link(&mut self, path: TreePath, target: impl Into<String>) {
        self.edits.insert(path, Some(Put::Link(target.into())));
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

impl Put {
    fn kind(&self) -> EntryKind {
        match self {
            Put::File(..) => EntryKind::File,
            Put::Link(_) => EntryKind::Link,
        }
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
            } else if let Some(put) = edit {
                entries.insert(name.to_owned(), put.kind());
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
            Some(Some(Put::File(bytes, _))) => Ok(bytes.clone()),
            Some(Some(Put::Link(_))) => {
                Err(TreeError::WrongKind { path: file.clone(), found: "link", wanted: "file" })
            }
            Some(None) => Err(TreeError::Absent { path: file.clone() }),
            None => self.base.read(file),
        }
    }

    fn link(&self, link: &TreePath) -> Result<String, TreeError> {
        match self.edits.get(link) {
            Some(Some(Put::Link(target))) => Ok(target.clone()),
            Some(Some(Put::File(..))) => {
                Err(TreeError::WrongKind { path: link.clone(), found: "file", wanted: "link" })
            }
            Some(None) => Err(TreeError::Absent { path: link.clone() }),
            None => self.base.link(link),
        }
    }

    fn kind(&self, path: &TreePath) -> Result<Option<EntryKind>, TreeError> {
        if let Some(edit) = self.edits.get(path) {
            return Ok(edit.as_ref().map(Put::kind));
        }
        match self.base.kind(path)? {
            Some(EntryKind::Directory) if !path.is_root() => {
                Ok(self.holds_anything(path)?.then_some(EntryKind::Directory))
            }
            None if self.writes_below(path) => Ok(Some(EntryKind::Directory)),
            kind => Ok(kind),
        }
    }

    fn executable(&self, file: &TreePath) -> Result<bool, TreeError> {
        match self.edits.get(file) {
            Some(Some(Put::File(_, Some(executable)))) => Ok(*executable),
            Some(Some(Put::File(_, None))) => match self.base.kind(file)? {
                Some(EntryKind::File) => self.base.executable(file),
                _ => Ok(false),
            },
            Some(_) => self.read(file).map(|_| false),
            None => self.base.executable(file),
        }
    }

    fn answer(&self, reading: &Reading) -> Result<Answer, TreeError> {
        let (Reading::Path(path) | Reading::List(path)) = reading;
        let edited = self.edits.keys().any(|edit| edit.is_within(path) || path.is_within(edit));
        // The base may know without reading.
        if edited { answer::ask(self, reading) } else { self.base.answer(reading) }
    }
}
