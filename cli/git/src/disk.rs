//! Files on the disk as trees.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::fs::{self, FileType};
use std::io::{Error, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gitops_tree::{Entry, EntryKind, MAX_FILE, Tree, TreeError, TreePath, check_size};

use crate::GitError;

/// Any folder as a tree, without a repository. Its paths start at the folder.
///
/// No symbolic link below the folder is followed: a path that leads through one
/// is absent, as it is in a commit. (The folder itself may be one.) What was
/// once seen to be there is not looked at again.
#[derive(Clone)]
pub struct Directory {
    root: PathBuf,
    seen: RefCell<HashMap<TreePath, EntryKind>>,
    /// What files are read into, before their size is known for sure.
    buffer: RefCell<Vec<u8>>,
}

/// Prints where it is: what was read may be secret.
impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("root", &self.root).finish_non_exhaustive()
    }
}

/// A buffer that is no larger is used for the next file, too.
const KEPT: usize = 1 << 20;

impl Directory {
    /// The folder `root`. Fails when it is absent, unreadable or not a folder.
    pub fn open(root: &Path) -> Result<Directory, GitError> {
        let fail = |reason| GitError::Directory { dir: root.to_owned(), reason };
        let root = fs::canonicalize(root).map_err(|error| fail(words(&error)))?;
        let metadata = fs::metadata(&root).map_err(|error| fail(words(&error)))?;
        if !metadata.is_dir() {
            return Err(fail("it is not a directory".into()));
        }
        Ok(Directory { root, seen: RefCell::default(), buffer: RefCell::default() })
    }

    /// The whole disk, and where `path` stands in it once its links are
    /// resolved. Fails when nothing stands there.
    pub fn whole(path: &Path) -> std::io::Result<(Directory, TreePath)> {
        let real = fs::canonicalize(path)?;
        let (root, inside) = match real.ancestors().last() {
            Some(root) => (root, real.strip_prefix(root).unwrap_or(&real)),
            None => (real.as_path(), Path::new("")),
        };
        let names = inside.to_str().map(|text| text.replace(std::path::MAIN_SEPARATOR, "/"));
        let inside = names
            .and_then(|names| TreePath::new(&names).ok())
            .ok_or_else(|| Error::other("its name is not UTF-8; rename it"))?;
        let mut seen = HashMap::new();
        let mut parent = inside.parent();
        while let Some(folder) = parent {
            parent = folder.parent();
            seen.insert(folder, EntryKind::Directory);
        }
        let (root, seen) = (root.to_owned(), RefCell::new(seen));
        Ok((Directory { root, seen, buffer: RefCell::default() }, inside))
    }

    /// The folder, absolute and without links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a path of the tree stands on the disk. Nothing is looked up.
    pub fn on_disk(&self, path: &TreePath) -> PathBuf {
        let mut at = self.root.clone();
        if std::path::MAIN_SEPARATOR == '/' && !path.is_root() {
            at.push(path.as_str());
        } else {
            at.extend(path.names());
        }
        at
    }

    /// What stands at `path`, without following links; `None` when nothing does.
    fn look(&self, path: &TreePath) -> Result<Option<EntryKind>, TreeError> {
        if let Some(seen) = self.seen.borrow().get(path) {
            return Ok(Some(*seen));
        }
        if let Some(parent) = path.parent()
            && self.look(&parent)? != Some(EntryKind::Directory)
        {
            return Ok(None);
        }
        let found = match fs::symlink_metadata(self.on_disk(path)) {
            Ok(metadata) => kind_of(metadata.file_type()),
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(unreadable(path, words(&error))),
        };
        self.seen.borrow_mut().insert(path.clone(), found);
        Ok(Some(found))
    }

    /// Fails unless something of the wanted kind stands at `path`.
    fn expect(&self, path: &TreePath, wanted: EntryKind) -> Result<(), TreeError> {
        let Some(found) = self.look(path)? else {
            return Err(TreeError::Absent { path: path.clone() });
        };
        if found == wanted {
            return Ok(());
        }
        Err(TreeError::WrongKind { path: path.clone(), found: word(found), wanted: word(wanted) })
    }

    /// The names in `dir` but those in `hidden`.
    fn list_without(&self, dir: &TreePath, hidden: &[&str]) -> Result<Vec<Entry>, TreeError> {
        self.expect(dir, EntryKind::Directory)?;
        let fail = |error: Error| unreadable(dir, words(&error));
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.on_disk(dir)).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name().into_string().map_err(|name| {
                let name = name.to_string_lossy().into_owned();
                unreadable(dir, format!("the name `{name}` in it is not UTF-8"))
            })?;
            if hidden.contains(&name.as_str()) {
                continue;
            }
            let kind = kind_of(entry.file_type().map_err(fail)?);
            entries.push(Entry { name, kind });
        }
        entries.sort();
        Ok(entries)
    }
}

impl Tree for Directory {
    fn list(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
        self.list_without(dir, &[])
    }

    fn read(&self, file: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        self.expect(file, EntryKind::File)?;
        let fail = |error: Error| unreadable(file, words(&error));
        let mut open = fs::File::open(self.on_disk(file)).map_err(fail)?;
        let size = open.metadata().map_err(fail)?.len();
        check_size(file, size)?;
        let mut bytes = self.buffer.take();
        bytes.clear();
        bytes.reserve(usize::try_from(size).unwrap_or(0));
        // It may grow while it is read.
        let most = u64::try_from(MAX_FILE).unwrap_or(u64::MAX).saturating_add(1);
        open.by_ref().take(most).read_to_end(&mut bytes).map_err(fail)?;
        check_size(file, u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
        let content = Arc::from(bytes.as_slice());
        if bytes.capacity() <= KEPT {
            self.buffer.replace(bytes);
        }
        Ok(content)
    }

    fn link(&self, link: &TreePath) -> Result<String, TreeError> {
        self.expect(link, EntryKind::Link)?;
        let target =
            fs::read_link(self.on_disk(link)).map_err(|error| unreadable(link, words(&error)))?;
        target.into_os_string().into_string().map_err(|target| {
            let target = target.to_string_lossy().into_owned();
            unreadable(link, format!("its target `{target}` is not UTF-8"))
        })
    }

    fn kind(&self, path: &TreePath) -> Result<Option<EntryKind>, TreeError> {
        self.look(path)
    }
}

/// The files below the root of a repository as they stand on the disk: edited,
/// untracked and ignored ones too, since that is what a person sees. Whatever
/// is called `.git` is hidden, at every level.
#[derive(Clone, Debug)]
pub struct WorkTree {
    directory: Directory,
}

const GIT: &str = ".git";

impl WorkTree {
    pub(crate) fn open(root: &Path) -> Result<WorkTree, GitError> {
        Ok(WorkTree { directory: Directory::open(root)? })
    }

    /// The root of the work tree, absolute and without links.
    pub fn root(&self) -> &Path {
        self.directory.root()
    }

    /// Where a path of the tree stands on the disk. Nothing is looked up.
    pub fn on_disk(&self, path: &TreePath) -> PathBuf {
        self.directory.on_disk(path)
    }

    fn shown(path: &TreePath) -> Result<(), TreeError> {
        if path.names().any(|name| name == GIT) {
            return Err(TreeError::Absent { path: path.clone() });
        }
        Ok(())
    }
}

impl Tree for WorkTree {
    fn list(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
        WorkTree::shown(dir)?;
        self.directory.list_without(dir, &[GIT])
    }

    fn read(&self, file: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        WorkTree::shown(file)?;
        self.directory.read(file)
    }

    fn link(&self, link: &TreePath) -> Result<String, TreeError> {
        WorkTree::shown(link)?;
        self.directory.link(link)
    }

    fn kind(&self, path: &TreePath) -> Result<Option<EntryKind>, TreeError> {
        if WorkTree::shown(path).is_err() {
            return Ok(None);
        }
        self.directory.kind(path)
    }
}

fn kind_of(found: FileType) -> EntryKind {
    if found.is_file() {
        EntryKind::File
    } else if found.is_dir() {
        EntryKind::Directory
    } else if found.is_symlink() {
        EntryKind::Link
    } else {
        EntryKind::Other
    }
}

pub(crate) fn word(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::File => "file",
        EntryKind::Directory => "directory",
        EntryKind::Link => "link",
        EntryKind::Other => "submodule or special file",
    }
}

fn is_absent(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn unreadable(path: &TreePath, reason: String) -> TreeError {
    TreeError::Unreadable { path: path.clone(), reason }
}

/// The system's words for an error, without its number.
pub(crate) fn words(error: &Error) -> String {
    let text = error.to_string();
    let plain = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = plain.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
