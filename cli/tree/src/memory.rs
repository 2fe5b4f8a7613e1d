//! Files in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Entry, EntryKind, Tree, TreeError, TreePath};

/// What a path holds.
#[derive(Clone, Debug)]
enum Item {
    File(Arc<[u8]>),
    Executable(Arc<[u8]>),
    Link(String),
}

/// A tree held in memory. Directories exist where something stands in them.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    items: BTreeMap<TreePath, Item>,
}

impl Memory {
    /// An empty tree.
    pub fn new() -> Memory {
        Memory::default()
    }

    /// Puts a file at `path`, in place of what stood there.
    pub fn insert(&mut self, path: TreePath, bytes: impl Into<Arc<[u8]>>) {
        self.items.insert(path, Item::File(bytes.into()));
    }

    /// Puts a file that may be run at `path`.
    pub fn insert_executable(&mut self, path: TreePath, bytes: impl Into<Arc<[u8]>>) {
        self.items.insert(path, Item::Executable(bytes.into()));
    }

    /// Puts a symbolic link at `path`.
    pub fn insert_link(&mut self, path: TreePath, target: impl Into<String>) {
        self.items.insert(path, Item::Link(target.into()));
    }

    /// The paths of all files and links, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &TreePath> {
        self.items.keys()
    }
}

impl Tree for Memory {
    fn list(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
        let mut entries: BTreeMap<String, EntryKind> = BTreeMap::new();
        let depth = dir.names().count();
        for (path, item) in self.below(dir) {
            let mut rest = path.names().skip(depth);
            let Some(name) = rest.next() else { continue };
            let kind = match (rest.next(), item) {
                (Some(_), _) => EntryKind::Directory,
                (None, Item::File(_) | Item::Executable(_)) => EntryKind::File,
                (None, Item::Link(_)) => EntryKind::Link,
            };
            entries.insert(name.to_owned(), kind);
        }
        if entries.is_empty() && !dir.is_root() {
            return Err(match self.items.get(dir) {
                None => TreeError::Absent { path: dir.clone() },
                Some(item) => wrong_kind(dir, item, "directory"),
            });
        }
        Ok(entries.into_iter().map(|(name, kind)| Entry { name, kind }).collect())
    }

    fn read(&self, file: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        match self.items.get(file) {
            Some(Item::File(bytes) | Item::Executable(bytes)) => Ok(bytes.clone()),
            Some(item) => Err(wrong_kind(file, item, "file")),
            None => Err(self.absent_or_directory(file, "file")),
        }
    }

    fn link(&self, link: &TreePath) -> Result<String, TreeError> {
        match self.items.get(link) {
            Some(Item::Link(target)) => Ok(target.clone()),
            Some(item) => Err(wrong_kind(link, item, "link")),
            None => Err(self.absent_or_directory(link, "link")),
        }
    }

    fn kind(&self, path: &TreePath) -> Result<Option<EntryKind>, TreeError> {
        Ok(match self.items.get(path) {
            Some(Item::File(_) | Item::Executable(_)) => Some(EntryKind::File),
            Some(Item::Link(_)) => Some(EntryKind::Link),
            None if self.is_directory(path) => Some(EntryKind::Directory),
            None => None,
        })
    }

    fn executable(&self, file: &TreePath) -> Result<bool, TreeError> {
        self.read(file)?;
        Ok(matches!(self.items.get(file), Some(Item::Executable(_))))
    }
}

impl Memory {
    fn is_directory(&self, path: &TreePath) -> bool {
        path.is_root() || self.below(path).next().is_some()
    }

    /// What stands below a directory. In the order of the texts of paths all of
    /// it lies together, after `dir/`.
    fn below<'a>(&'a self, dir: &'a TreePath) -> impl Iterator<Item = (&'a TreePath, &'a Item)> {
        let first = TreePath::first_below(dir);
        self.items.range(first..).take_while(move |(path, _)| path.is_within(dir))
    }

    fn absent_or_directory(&self, path: &TreePath, wanted: &'static str) -> TreeError {
        if self.is_directory(path) {
            TreeError::WrongKind { path: path.clone(), found: "directory", wanted }
        } else {
            TreeError::Absent { path: path.clone() }
        }
    }
}

fn wrong_kind(path: &TreePath, item: &Item, wanted: &'static str) -> TreeError {
    let found = match item {
        Item::File(_) | Item::Executable(_) => "file",
        Item::Link(_) => "link",
    };
    TreeError::WrongKind { path: path.clone(), found, wanted }
}
