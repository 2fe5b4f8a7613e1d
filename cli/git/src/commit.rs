//! A commit made without a checkout.

use std::collections::BTreeMap;

use git2::{Oid, Tree};
use gitops_tree::{EntryKind, Mode, TreePath};

use crate::revision::kind_of;
use crate::{CommitId, GitError, Repository, Signature};

/// One file of a commit to be.
#[derive(Clone, PartialEq, Eq)]
pub struct FileEdit {
    /// Where, from the root of the repository.
    pub path: TreePath,
    /// The bytes it will hold, exactly; `None` takes the file away.
    pub content: Option<Vec<u8>>,
    /// How it holds them; `None` keeps the mode, and is regular for a new file.
    /// What is put in place of a link, or taken away where one stands, has to
    /// say so.
    pub mode: Option<Mode>,
}

/// Says how much it holds, never what: it may be a Secret.
impl std::fmt::Debug for FileEdit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = self.content.as_ref().map(Vec::len);
        f.debug_struct("FileEdit").field("path", &self.path).field("bytes", &size).finish()
    }
}

/// The edits of one directory.
#[derive(Default)]
struct Level<'a> {
    files: BTreeMap<&'a str, &'a FileEdit>,
    folders: BTreeMap<&'a str, Level<'a>>,
}

const REGULAR: i32 = 0o100_644;
const EXECUTABLE: i32 = 0o100_755;
const LINK: i32 = 0o120_000;
const FOLDER: i32 = 0o040_000;

impl Repository {
    /// A commit that is `parent` with the edits made, by `author`, who is its
    /// committer too. The message is taken as it is, with a newline at its end.
    ///
    /// A file keeps its mode unless the edit names one; a new one is not
    /// executable. A folder whose last file goes, goes. Refused are: an edit of a
    /// link that names no mode, of a folder or a submodule,
    /// the removal of what is not there, two edits of one path or of a path and
    /// one below it, and edits that change nothing. The commit stands on no branch. It is signed when
    /// `commit.gpgsign` says so, by the `git` program with the user's key.
    pub fn commit(
        &self,
        parent: &CommitId,
        edits: &[FileEdit],
        message: &str,
        author: &Signature,
    ) -> Result<CommitId, GitError> {
        self.commit_on(&[*parent], edits, message, (author, author))
    }

    /// The same as [`Repository::commit`], where the one who commits is not the
    /// author.
    pub fn commit_as(
        &self,
        parent: &CommitId,
        edits: &[FileEdit],
        message: &str,
        author: &Signature,
        committer: &Signature,
    ) -> Result<CommitId, GitError> {
        self.commit_on(&[*parent], edits, message, (author, committer))
    }

    /// The same as [`Repository::commit`], with `merged` as a second parent: the
    /// merge of a branch whose whole effect on `parent` are the edits.
    pub fn commit_merge(
        &self,
        parent: &CommitId,
        merged: &CommitId,
        edits: &[FileEdit],
        message: &str,
        author: &Signature,
    ) -> Result<CommitId, GitError> {
        self.commit_on(&[*parent, *merged], edits, message, (author, author))
    }

    /// The same as [`Repository::commit`] for a branch that begins: there is no
    /// parent, and the commit holds just what the edits write.
    pub fn commit_root(
        &self,
        edits: &[FileEdit],
        message: &str,
        author: &Signature,
    ) -> Result<CommitId, GitError> {
        self.commit_on(&[], edits, message, (author, author))
    }

    /// A commit of the first parent's tree with the edits made.
    fn commit_on(
        &self,
        parents: &[CommitId],
        edits: &[FileEdit],
        message: &str,
        (author, committer): (&Signature, &Signature),
    ) -> Result<CommitId, GitError> {
        let mut root = Level::default();
        for edit in edits {
            root.add(edit)?;
        }
        let commits: Vec<git2::Commit<'_>> =
            parents.iter().map(|id| self.find_commit(id)).collect::<Result<_, _>>()?;
        let before = commits.first().map(git2::Commit::tree).transpose();
        let before = before.map_err(|error| unreadable("", &error))?;
        let after = match self.edited(&TreePath::root(), before.as_ref(), &root)? {
            Some(tree) => tree,
            // The only tree that Git lets stand empty is the root.
            None => self.write_empty_tree()?,
        };
        if let Some((parent, before)) = parents.first().zip(before.as_ref())
            && after == before.id()
        {
            return Err(GitError::NothingToCommit { parent: *parent });
        }
        let mut message = message.to_owned();
        if !message.ends_with('\n') {
            message.push('\n');
        }
        if self.signs()? {
            return self.commit_signed(parents, after, &message, (author, committer));
        }
        let (author, committer) = (author.write()?, committer.write()?);
        let failed = |error: git2::Error| GitError::repository("write a commit", &error);
        let tree = self.inner.find_tree(after).map_err(failed)?;
        let commits: Vec<&git2::Commit<'_>> = commits.iter().collect();
        let commit = self.inner.commit(None, &author, &committer, &message, &tree, &commits);
        Ok(CommitId(commit.map_err(failed)?))
    }

    /// The tree `before` with the edits of one level; `None` when nothing is left.
    fn edited(
        &self,
        at: &TreePath,
        before: Option<&Tree<'_>>,
        level: &Level<'_>,
    ) -> Result<Option<Oid>, GitError> {
        let failed =
            |error: git2::Error| GitError::repository(format!("write the tree of `{at}`"), &error);
        let mut builder = self.inner.treebuilder(before).map_err(failed)?;
        for (name, edit) in &level.files {
            let old = before.and_then(|tree| tree.get_name(name)).map(|entry| entry.filemode());
            let reason = match old.map(kind_of) {
                None | Some(EntryKind::File) => None,
                Some(EntryKind::Link) if edit.mode.is_some() => None,
                Some(EntryKind::Link) => Some("it is a symbolic link"),
                Some(EntryKind::Directory) => Some("it is a directory"),
                Some(EntryKind::Other) => Some("it is a submodule"),
            };
            if let Some(reason) = reason {
                return Err(refused(edit, reason));
            }
            let mode = match edit.mode {
                None => old.unwrap_or(REGULAR),
                Some(Mode::Regular) => REGULAR,
                Some(Mode::Executable) => EXECUTABLE,
                Some(Mode::Link) => LINK,
            };
            match &edit.content {
                Some(bytes) => {
                    let blob = self.inner.blob(bytes).map_err(failed)?;
                    let put = builder.insert(name, blob, mode);
                    put.map_err(|error| refused(edit, error.message()))?;
                }
                None if old.is_some() => builder.remove(name).map_err(failed)?,
                None => return Err(refused(edit, "it does not exist")),
            }
        }
        for (name, below) in &level.folders {
            if let Some(edit) = level.files.get(name) {
                return Err(refused(edit, "another edit stands below it"));
            }
            let path = at.join(name).expect("a name of a path stays inside the tree");
            let old = before.and_then(|tree| tree.get_name(name));
            let old = match old.map(|entry| (kind_of(entry.filemode()), entry.id())) {
                None => None,
                Some((EntryKind::Directory, id)) => {
                    let tree = self.inner.find_tree(id);
                    Some(tree.map_err(|error| unreadable(path.as_str(), &error))?)
                }
                Some(_) => {
                    return Err(refused(below.first(), &format!("`{path}` is not a directory")));
                }
            };
            match self.edited(&path, old.as_ref(), below)? {
                Some(tree) => {
                    builder
                        .insert(name, tree, FOLDER)
                        .map_err(|error| refused(below.first(), error.message()))?;
                }
                None if old.is_some() => builder.remove(name).map_err(failed)?,
                None => {}
            }
        }
        if builder.is_empty() {
            return Ok(None);
        }
        builder.write().map(Some).map_err(failed)
    }

    fn write_empty_tree(&self) -> Result<Oid, GitError> {
        let failed = |error: git2::Error| GitError::repository("write an empty tree", &error);
        self.inner.treebuilder(None).map_err(failed)?.write().map_err(failed)
    }
}

impl<'a> Level<'a> {
    fn add(&mut self, edit: &'a FileEdit) -> Result<(), GitError> {
        let mut names = edit.path.names();
        let Some(file) = names.next_back() else {
            return Err(refused(edit, "it is the root"));
        };
        let mut level = self;
        for name in names {
            level = level.folders.entry(name).or_default();
        }
        match level.files.insert(file, edit) {
            Some(_) => Err(refused(edit, "it is edited twice")),
            None => Ok(()),
        }
    }

    /// Some edit of this level, for messages.
    fn first(&self) -> &'a FileEdit {
        let file = self.files.values().next().copied();
        file.or_else(|| self.folders.values().next().map(Level::first))
            .expect("a level is made for an edit")
    }
}

fn refused(edit: &FileEdit, reason: &str) -> GitError {
    GitError::Edit { path: edit.path.clone(), reason: reason.to_owned() }
}

fn unreadable(path: &str, error: &git2::Error) -> GitError {
    GitError::object(format!("the tree `{path}`"), error)
}
