//! What happened: commits, the first-parent line, changed paths.

use git2::{DiffDelta, DiffFile, DiffOptions, Oid};
use gitops_tree::{EntryKind, TreePath};

use crate::revision::kind_of;
use crate::trailers::{self, Trailer};
use crate::{BlobId, CommitId, GitError, Repository, Signature};

/// What a commit says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub id: CommitId,
    /// What it was made from, the branch it was made on first. Cut off at the
    /// edge of a shallow clone.
    pub parents: Vec<CommitId>,
    /// Who made the change.
    pub author: Signature,
    /// Who made the commit.
    pub committer: Signature,
    /// The whole message; bytes that are not UTF-8 are replaced.
    pub message: String,
}

impl Commit {
    /// The first line of the message.
    pub fn summary(&self) -> &str {
        self.message.trim_start().lines().next().unwrap_or_default().trim_end()
    }

    /// What the last lines of the message claim.
    pub fn trailers(&self) -> Vec<Trailer> {
        trailers::parse(&self.message)
    }
}

/// One side of a changed path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The name of the bytes; for a submodule, of its commit.
    pub id: BlobId,
    /// What stands there.
    pub kind: EntryKind,
    /// Whether it is a file that may be executed.
    pub executable: bool,
}

/// A path at which two commits differ. A rename is a removal and an addition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Where.
    pub path: TreePath,
    /// What stood there; `None` for nothing.
    pub old: Option<Version>,
    /// What stands there now; `None` for nothing.
    pub new: Option<Version>,
}

impl Repository {
    /// What `id` says about itself.
    pub fn read_commit(&self, id: &CommitId) -> Result<Commit, GitError> {
        Ok(read(&self.find_commit(id)?))
    }

    /// The commits from `from` back along first parents, newest first: those
    /// that changed something at or below one of `paths`, or all when `paths` is
    /// empty. In a shallow clone the oldest commit counts as changing everything.
    pub fn first_parent<'r>(&'r self, from: &CommitId, paths: &[TreePath]) -> FirstParent<'r> {
        FirstParent { repository: self, next: Some(*from), paths: paths.to_vec() }
    }

    /// The commits that `tip` was made from and `base` was not, newest first, those
    /// that were merged into its branch included.
    pub fn ahead(&self, base: &CommitId, tip: &CommitId) -> Result<Vec<Commit>, GitError> {
        self.find_commit(base)?;
        self.find_commit(tip)?;
        let failed = |error: git2::Error| GitError::object(format!("the history of {tip}"), &error);
        let mut walk = self.inner.revwalk().map_err(failed)?;
        walk.set_sorting(git2::Sort::TOPOLOGICAL).map_err(failed)?;
        walk.push(tip.0).map_err(failed)?;
        walk.hide(base.0).map_err(failed)?;
        walk.map(|id| self.read_commit(&CommitId(id.map_err(failed)?))).collect()
    }

    /// The paths at which two commits differ, sorted; `None` for `from` means
    /// everything in `to`.
    pub fn changed(
        &self,
        from: Option<&CommitId>,
        to: &CommitId,
    ) -> Result<Vec<Changed>, GitError> {
        let tree = |id: &CommitId| {
            let tree = self.find_commit(id)?.tree();
            tree.map_err(|error| GitError::object(format!("the tree of {id}"), &error))
        };
        let old = from.map(tree).transpose()?;
        let new = tree(to)?;
        let mut options = DiffOptions::new();
        options.include_typechange(true).ignore_submodules(false);
        let diff = self.inner.diff_tree_to_tree(old.as_ref(), Some(&new), Some(&mut options));
        let diff =
            diff.map_err(|error| GitError::object(format!("the trees up to {to}"), &error))?;
        let mut changed =
            diff.deltas().map(|delta| change(&delta)).collect::<Result<Vec<_>, _>>()?;
        changed.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(changed)
    }

    /// Whether `ancestor` is `commit` or one of those it was made from.
    pub fn is_ancestor(&self, ancestor: &CommitId, commit: &CommitId) -> Result<bool, GitError> {
        if ancestor == commit {
            return Ok(true);
        }
        self.find_commit(ancestor)?;
        let found = self.inner.graph_descendant_of(commit.0, ancestor.0);
        found.map_err(|error| GitError::object(format!("the history of {commit}"), &error))
    }

    /// Where the histories of two commits meet; `None` when they never do.
    pub fn merge_base(&self, a: &CommitId, b: &CommitId) -> Result<Option<CommitId>, GitError> {
        match self.inner.merge_base(a.0, b.0) {
            Ok(base) => Ok(Some(CommitId(base))),
            Err(error) if error.code() == git2::ErrorCode::NotFound => {
                self.find_commit(a)?;
                self.find_commit(b)?;
                Ok(None)
            }
            Err(error) => Err(GitError::object(format!("the histories of {a} and {b}"), &error)),
        }
    }
}

/// The first-parent line, newest first; see [`Repository::first_parent`]. It ends
/// after an error.
pub struct FirstParent<'r> {
    repository: &'r Repository,
    next: Option<CommitId>,
    paths: Vec<TreePath>,
}

impl FirstParent<'_> {
    fn step(&mut self, id: CommitId) -> Result<Option<Commit>, GitError> {
        let commit = self.repository.find_commit(&id)?;
        let parent = commit.parent_id(0).ok().map(CommitId);
        let kept = self.paths.is_empty() || {
            let now = self.ids(&commit)?;
            let before = match &parent {
                Some(parent) => self.ids(&self.repository.find_commit(parent)?)?,
                None => vec![None; now.len()],
            };
            now != before
        };
        self.next = parent;
        Ok(kept.then(|| read(&commit)))
    }

    /// What stands at each path, by mode and name.
    fn ids(&self, commit: &git2::Commit<'_>) -> Result<Vec<Option<(i32, Oid)>>, GitError> {
        let missing =
            |error: git2::Error| GitError::object(format!("the tree of {}", commit.id()), &error);
        let root = commit.tree().map_err(missing)?;
        let mut ids = Vec::with_capacity(self.paths.len());
        for path in &self.paths {
            let mut at = Some((0o040_000, root.id()));
            for name in path.names() {
                let Some((mode, id)) = at else { break };
                if kind_of(mode) != EntryKind::Directory {
                    at = None;
                    break;
                }
                let tree = self.repository.inner.find_tree(id).map_err(missing)?;
                at = tree.get_name(name).map(|entry| (entry.filemode(), entry.id()));
            }
            ids.push(at);
        }
        Ok(ids)
    }
}

impl Iterator for FirstParent<'_> {
    type Item = Result<Commit, GitError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(id) = self.next.take() {
            match self.step(id) {
                Ok(None) => {}
                Ok(Some(commit)) => return Some(Ok(commit)),
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }
}

fn read(commit: &git2::Commit<'_>) -> Commit {
    Commit {
        id: CommitId(commit.id()),
        parents: commit.parent_ids().map(CommitId).collect(),
        author: Signature::read(&commit.author()),
        committer: Signature::read(&commit.committer()),
        message: String::from_utf8_lossy(commit.message_raw_bytes()).into_owned(),
    }
}

fn change(delta: &DiffDelta<'_>) -> Result<Changed, GitError> {
    let side = |file: DiffFile<'_>| {
        let mode = u32::from(file.mode()) as i32;
        let version =
            Version { id: BlobId(file.id()), kind: kind_of(mode), executable: mode & 0o111 != 0 };
        (!file.id().is_zero()).then_some(version)
    };
    let bytes = delta.new_file().path_bytes().or_else(|| delta.old_file().path_bytes());
    let bytes = bytes.unwrap_or_default();
    let lossy = || GitError::Path { lossy: String::from_utf8_lossy(bytes).into_owned() };
    let path = std::str::from_utf8(bytes).map_err(|_| lossy())?;
    let path = TreePath::new(path).map_err(|_| lossy())?;
    Ok(Changed { path, old: side(delta.old_file()), new: side(delta.new_file()) })
}
