//! A tree of files as data.
//!
//! Everything that reads a repository reads a [`Tree`]: a work tree or a Git
//! revision (both in `gitops-git`), files in memory ([`Memory`]), a tree with
//! edits on top ([`Overlay`]), or one that notes what was read ([`Recorded`]).
//! [`Memo`] makes a result again only where what it was made from changed.
//! Nothing here touches a disk.

mod answer;
mod memo;
mod memory;
mod overlay;
mod path;
mod recorded;

use std::sync::Arc;

pub use answer::{Answer, Answers};
pub use memo::{Kept, Memo};
pub use memory::Memory;
pub use overlay::Overlay;
pub use path::{PathError, TreePath};
pub use recorded::{Reading, Recorded};

/// Files of more bytes are not read: 32 MiB, many times what an API server takes
/// in one request.
pub const MAX_FILE: usize = 32 << 20;

/// Fails where a file of `size` bytes is not read.
///
/// # Errors
///
/// [`TreeError::Unreadable`], which names the size and the way out.
pub fn check_size(path: &TreePath, size: u64) -> Result<(), TreeError> {
    const MIB: u64 = 1 << 20;
    if size <= MAX_FILE as u64 {
        return Ok(());
    }
    Err(TreeError::Unreadable {
        path: path.clone(),
        reason: format!(
            "it has {} MiB, and files of more than {} MiB are not read; split it, or keep it out of the manifests",
            size.div_ceil(MIB),
            MAX_FILE as u64 / MIB
        ),
    })
}

/// What a name in a directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; [`Tree::link`] tells where to.
    Link,
    /// A submodule or anything else that holds no bytes of this tree.
    Other,
}

/// How a name in a tree of Git holds its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// A plain file.
    Regular,
    /// A file that may be run.
    Executable,
    /// A symbolic link; the bytes are its target.
    Link,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name, without slashes.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// Why a path could not be read. Absent and unreadable are different answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// Nothing stands there.
    #[error("`{path}` does not exist")]
    Absent {
        /// The path asked for.
        path: TreePath,
    },
    /// Something of another kind stands there.
    #[error("`{path}` is a {found}, not a {wanted}")]
    WrongKind {
        /// The path asked for.
        path: TreePath,
        /// What stands there.
        found: &'static str,
        /// What was asked for.
        wanted: &'static str,
    },
    /// Something stands there that cannot be read.
    #[error("`{path}` cannot be read: {reason}")]
    Unreadable {
        /// The path asked for.
        path: TreePath,
        /// Why, in words.
        reason: String,
    },
}

impl TreeError {
    /// What to do about it, where there is more to say than the error does.
    pub fn hint(&self) -> Option<String> {
        let TreeError::WrongKind { path, found, .. } = self else { return None };
        if found.starts_with("submodule") {
            return Some(format!(
                "what a submodule holds is not in this repository: name its own one in `repositories`, or put files into `{path}`"
            ));
        }
        (*found == "link").then(|| {
            format!(
                "a change would go where the link leads: put what is meant into `{path}` itself"
            )
        })
    }
}

/// Whether the bytes are those that Git LFS leaves in place of a file (its
/// specification, "The Pointer").
pub fn is_lfs_pointer(bytes: &[u8]) -> bool {
    bytes.starts_with(b"version https://git-lfs.github.com/spec/")
}

/// What to say of such bytes.
pub const LFS_POINTER: &str =
    "a pointer of Git LFS, not the file itself: `git lfs untrack` it and commit the file";

/// The entry that `path` would name if the case of letters did not matter;
/// `None` where `path` itself stands there, or nothing like it.
///
/// # Errors
///
/// When a folder on the way cannot be read.
pub fn in_another_case(tree: &dyn Tree, path: &TreePath) -> Result<Option<TreePath>, TreeError> {
    let mut found = TreePath::root();
    for name in path.names() {
        let entries = match tree.list(&found) {
            Ok(entries) => entries,
            Err(TreeError::Absent { .. } | TreeError::WrongKind { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let same = entries.iter().find(|entry| entry.name == name);
        let folded = name.to_lowercase();
        let near = || entries.iter().find(|entry| entry.name.to_lowercase() == folded);
        let Some(entry) = same.or_else(near) else { return Ok(None) };
        found = found.join(&entry.name).expect("a name in a listing stays inside the tree");
    }
    Ok((found != *path).then_some(found))
}

/// Read access to a tree of files. Links are not followed: a caller that
/// wants to follow one asks [`Tree::link`] and decides.
pub trait Tree {
    /// The names in a directory, sorted by byte.
    fn list(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError>;
    /// The bytes of a regular file.
    fn read(&self, file: &TreePath) -> Result<Arc<[u8]>, TreeError>;
    /// The target of a symbolic link, as written.
    fn link(&self, link: &TreePath) -> Result<String, TreeError>;
    /// What stands at a path; `None` when nothing does.
    fn kind(&self, path: &TreePath) -> Result<Option<EntryKind>, TreeError>;
    /// Whether a regular file may be run. Trees that know nothing about it say
    /// no.
    ///
    /// # Errors
    ///
    /// When no regular file stands there.
    fn executable(&self, file: &TreePath) -> Result<bool, TreeError> {
        match self.kind(file)? {
            Some(EntryKind::File) => Ok(false),
            _ => self.read(file).map(|_| false),
        }
    }
    /// The answer to a reading, to be held against that of another tree. A
    /// tree that knows the names of its contents need not read them.
    ///
    /// # Errors
    ///
    /// Something stands there that cannot be read.
    fn answer(&self, reading: &Reading) -> Result<Answer, TreeError> {
        answer::ask(self, reading)
    }
}

impl<T: Tree + ?Sized> Tree for &T {
    fn list(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
        (**self).list(dir)
    }
    fn read(&self, file: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        (**self).read(file)
    }
    fn link(&self, link: &TreePath) -> Result<String, TreeError> {
        (**self).link(link)
    }
    fn kind(&self, path: &TreePath) -> Result<Option<EntryKind>, TreeError> {
        (**self).kind(path)
    }
    fn executable(&self, file: &TreePath) -> Result<bool, TreeError> {
        (**self).executable(file)
    }
    fn answer(&self, reading: &Reading) -> Result<Answer, TreeError> {
        (**self).answer(reading)
    }
}
