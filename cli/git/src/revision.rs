//! The files of a commit as a tree.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use git2::{ErrorCode, Oid, Repository};
use gitops_tree::{Answer, Entry, EntryKind, Reading, Tree, TreeError, TreePath, check_size};

use crate::disk::word;
use crate::{BlobId, CommitId};

/// What a commit holds: the bytes as committed, no filter applied.
///
/// An object that a partial or damaged clone lacks is unreadable, never absent.
/// A submodule is [`EntryKind::Other`].
pub struct RevisionTree {
    repository: Repository,
    commit: CommitId,
    root: Oid,
    /// Directories that were looked into. libgit2 keeps none of more than 4 KiB.
    directories: RefCell<HashMap<Oid, Directory>>,
}

/// The names in a directory, sorted as bytes.
type Directory = Rc<[(Box<[u8]>, Found)]>;

/// A name in a tree, as Git has it.
#[derive(Clone, Copy)]
struct Found {
    id: Oid,
    kind: EntryKind,
    executable: bool,
}

impl RevisionTree {
    pub(crate) fn new(repository: Repository, commit: CommitId, root: Oid) -> RevisionTree {
        RevisionTree { repository, commit, root, directories: RefCell::default() }
    }

    /// The commit this is the tree of.
    pub fn commit(&self) -> CommitId {
        self.commit
    }

    /// The name of the bytes of the file or link at `path`, without reading
    /// them; `None` when nothing stands there or something that has no bytes.
    pub fn blob_id(&self, path: &TreePath) -> Result<Option<BlobId>, TreeError> {
        Ok(self.look(path)?.and_then(|found| match found.kind {
            EntryKind::File | EntryKind::Link => Some(BlobId(found.id)),
            EntryKind::Directory | EntryKind::Other => None,
        }))
    }

    fn look(&self, path: &TreePath) -> Result<Option<Found>, TreeError> {
        let mut found = Found { id: self.root, kind: EntryKind::Directory, executable: false };
        for name in path.names() {
            if found.kind != EntryKind::Directory {
                return Ok(None);
            }
            let directory = self.directory(path, found.id)?;
            let at = directory.binary_search_by(|(other, _)| (**other).cmp(name.as_bytes()));
            let Ok(at) = at else { return Ok(None) };
            found = directory[at].1;
        }
        Ok(Some(found))
    }

    /// The names in the directory `id`, on the way to `path`.
    fn directory(&self, path: &TreePath, id: Oid) -> Result<Directory, TreeError> {
        if let Some(known) = self.directories.borrow().get(&id) {
            return Ok(known.clone());
        }
        let tree = self.repository.find_tree(id).map_err(|error| missing(path, &error))?;
        let mut names: Vec<(Box<[u8]>, Found)> = tree
            .iter()
            .map(|entry| {
                let mode = entry.filemode();
                let (kind, executable) = (kind_of(mode), mode & 0o111 != 0);
                (entry.name_bytes().into(), Found { id: entry.id(), kind, executable })
            })
            .collect();
        names.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let directory: Directory = names.into();
        self.directories.borrow_mut().insert(id, directory.clone());
        Ok(directory)
    }

    /// Fails unless something of the wanted kind stands at `path`.
    fn expect(&self, path: &TreePath, wanted: EntryKind) -> Result<Oid, TreeError> {
        let Some(found) = self.look(path)? else {
            return Err(TreeError::Absent { path: path.clone() });
        };
        if found.kind == wanted {
            return Ok(found.id);
        }
        let (found, wanted) = (word(found.kind), word(wanted));
        Err(TreeError::WrongKind { path: path.clone(), found, wanted })
    }

    fn bytes(&self, path: &TreePath, id: Oid) -> Result<Arc<[u8]>, TreeError> {
        let (size, _) = self
            .repository
            .odb()
            .and_then(|objects| objects.read_header(id))
            .map_err(|error| missing(path, &error))?;
        check_size(path, u64::try_from(size).unwrap_or(u64::MAX))?;
        let blob = self.repository.find_blob(id).map_err(|error| missing(path, &error))?;
        Ok(blob.content().into())
    }
}

impl Tree for RevisionTree {
    fn list(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
        let id = self.expect(dir, EntryKind::Directory)?;
        let names = self.directory(dir, id)?;
        let mut entries = Vec::with_capacity(names.len());
        for (name, Found { kind, .. }) in names.iter() {
            let lossy = || String::from_utf8_lossy(name).into_owned();
            let unreadable = |reason| TreeError::Unreadable { path: dir.clone(), reason };
            let name = std::str::from_utf8(name)
                .map_err(|_| unreadable(format!("the name `{}` in it is not UTF-8", lossy())))?;
            // Git itself refuses to check these out; made by hand they would lead out of `dir`.
            if matches!(name, "" | "." | "..") || name.contains('/') {
                return Err(unreadable(format!("the name `{}` in it is not allowed", lossy())));
            }
            entries.push(Entry { name: name.to_owned(), kind: *kind });
        }
        entries.sort();
        Ok(entries)
    }

    fn read(&self, file: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        let id = self.expect(file, EntryKind::File)?;
        self.bytes(file, id)
    }

    fn link(&self, link: &TreePath) -> Result<String, TreeError> {
        let id = self.expect(link, EntryKind::Link)?;
        let bytes = self.bytes(link, id)?;
        String::from_utf8(bytes.to_vec()).map_err(|error| TreeError::Unreadable {
            path: link.clone(),
            reason: format!(
                "its target `{}` is not UTF-8",
                String::from_utf8_lossy(error.as_bytes())
            ),
        })
    }

    fn kind(&self, path: &TreePath) -> Result<Option<EntryKind>, TreeError> {
        Ok(self.look(path)?.map(|found| found.kind))
    }

    fn executable(&self, file: &TreePath) -> Result<bool, TreeError> {
        self.expect(file, EntryKind::File)?;
        Ok(self.look(file)?.is_some_and(|found| found.executable))
    }

    /// Contents are told apart by their names; none is read.
    fn answer(&self, reading: &Reading) -> Result<Answer, TreeError> {
        let path = match reading {
            Reading::Path(path) => path,
            Reading::List(dir) => match self.kind(dir)? {
                Some(EntryKind::Directory) => return self.list(dir).map(Answer::Names),
                _ => dir,
            },
        };
        Ok(match self.look(path)? {
            None => Answer::Nothing,
            Some(found) => match found.kind {
                EntryKind::File => Answer::File(name(found.id)),
                EntryKind::Link => Answer::Link(name(found.id)),
                EntryKind::Directory => Answer::Directory,
                EntryKind::Other => Answer::Other,
            },
        })
    }
}

/// The twenty bytes of a SHA-1 name; repositories with others are not opened.
fn name(id: Oid) -> [u8; 20] {
    let mut name = [0; 20];
    name.copy_from_slice(&id.as_bytes()[..20]);
    name
}

pub(crate) fn kind_of(mode: i32) -> EntryKind {
    match mode & 0o170_000 {
        0o040_000 => EntryKind::Directory,
        0o120_000 => EntryKind::Link,
        0o100_000 => EntryKind::File,
        _ => EntryKind::Other,
    }
}

fn missing(path: &TreePath, error: &git2::Error) -> TreeError {
    let reason = match error.code() {
        ErrorCode::NotFound => "its object is missing from this clone (partial or damaged): \
             `git fetch --refetch --no-filter` brings all of them"
            .into(),
        _ => error.message().to_owned(),
    };
    TreeError::Unreadable { path: path.clone(), reason }
}
