//! Which repository this is, and what a revision names.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{ErrorCode, ObjectType};
use gitops_tree::TreePath;

use crate::disk::words;
use crate::token::{Source, Token};
use crate::{BlobId, CommitId, GitError, RevisionTree, WorkTree};

/// A Git repository on the disk: plain, bare, or a linked work tree.
pub struct Repository {
    pub(crate) inner: git2::Repository,
    /// Where the search began, below the root.
    prefix: TreePath,
    /// For the `git` program; may hold a credential, so it is never printed.
    pub(crate) environment: Vec<(String, String)>,
    /// How long each run of it may take, instead of what is usual.
    pub(crate) patience: Option<Duration>,
    /// For hosts that ask who we are.
    pub(crate) tokens: Vec<Source>,
    /// Those that were shown to somebody, which is told of nowhere.
    pub(crate) shown: RefCell<Vec<Token>>,
    /// Addresses for which the user's own credential helpers were asked, and
    /// whether they had an answer.
    pub(crate) helpers_know: RefCell<BTreeMap<String, bool>>,
    /// The ssh command that asks nothing, once it was worked out.
    pub(crate) ssh: OnceCell<Option<String>>,
    /// The remote that was asked for its branches last, and what `ls-remote` said:
    /// for the fetch that follows.
    pub(crate) listed: RefCell<Option<(String, String)>>,
    /// What a fetch holds, in a clone of this program's own.
    pub(crate) lock: Option<PathBuf>,
}

impl Repository {
    /// The repository that `dir` stands in, as `git -C dir` finds it: `dir` or
    /// the nearest one above it. `GIT_DIR` and the like are not looked at.
    pub fn discover(dir: &Path) -> Result<Repository, GitError> {
        let start = fs::canonicalize(dir)
            .map_err(|error| GitError::Directory { dir: dir.to_owned(), reason: words(&error) })?;
        let found = git2::Repository::discover_path(&start, std::iter::empty::<&Path>());
        let found = found.map_err(|error| not_found(dir, &start, &error))?;
        let inner = git2::Repository::open(&found).map_err(|error| not_opened(&found, &error))?;
        // Libgit2 may be built with support for it; ids here have 40 digits.
        if inner.object_format() != git2::ObjectFormat::Sha1 {
            return Err(sha256(&found));
        }
        let prefix = match inner.workdir().map(fs::canonicalize) {
            Some(Ok(root)) => below(&root, &start)?,
            Some(Err(_)) | None => TreePath::root(),
        };
        Ok(Repository {
            inner,
            prefix,
            environment: Vec::new(),
            patience: None,
            tokens: Vec::new(),
            shown: RefCell::default(),
            helpers_know: RefCell::default(),
            ssh: OnceCell::new(),
            listed: RefCell::default(),
            lock: None,
        })
    }

    /// The root of the work tree; `None` in a bare repository.
    pub fn root(&self) -> Option<&Path> {
        self.inner.workdir()
    }

    /// Where the search began, relative to the root of the work tree.
    pub fn prefix(&self) -> &TreePath {
        &self.prefix
    }

    /// The work tree, or the repository itself when it is bare: for messages.
    pub fn location(&self) -> &Path {
        self.root().unwrap_or_else(|| self.inner.path())
    }

    /// The branch that is checked out; `None` with a detached `HEAD`.
    pub fn head_branch(&self) -> Option<String> {
        let head = self.inner.find_reference("HEAD").ok()?;
        let target = head.symbolic_target_bytes()?;
        let name = std::str::from_utf8(target).ok()?;
        name.strip_prefix("refs/heads/").map(str::to_owned)
    }

    /// Whether history is cut off in this clone, so that the oldest commit seen
    /// is not the first.
    pub fn is_shallow(&self) -> bool {
        self.inner.is_shallow()
    }

    /// The commit that `rev` names, in any form `git rev-parse` takes: a branch,
    /// a tag, `origin/main`, `HEAD~2`, an abbreviated id. A name that a branch, a
    /// tag and a remote-tracking branch have for different commits is an error:
    /// Git would take one of them and go on.
    pub fn resolve(&self, rev: &str) -> Result<CommitId, GitError> {
        if self.names_several(rev) {
            return Err(GitError::AmbiguousRevision { rev: rev.to_owned() });
        }
        let object = self.inner.revparse_single(rev).map_err(|error| match error.code() {
            ErrorCode::Ambiguous => GitError::AmbiguousRevision { rev: rev.to_owned() },
            _ => self.unknown(rev),
        })?;
        let commit = object.peel(ObjectType::Commit).map_err(|_| self.unknown(rev))?;
        Ok(CommitId(commit.id()))
    }

    /// What `commit` holds. The tree stands on its own: it may outlive this value.
    pub fn tree(&self, commit: &CommitId) -> Result<RevisionTree, GitError> {
        let root = self.find_commit(commit)?.tree_id();
        let path = self.inner.path();
        let repository = git2::Repository::open(path)
            .map_err(|error| GitError::repository(format!("open `{}`", path.display()), &error))?;
        Ok(RevisionTree::new(repository, *commit, root))
    }

    /// The files on the disk. Fails in a bare repository.
    pub fn work_tree(&self) -> Result<WorkTree, GitError> {
        match self.root() {
            Some(root) => WorkTree::open(root),
            None => Err(GitError::Bare { dir: self.inner.path().to_owned() }),
        }
    }

    /// The name of the bytes at `path` in `commit`; `None` when no file or link
    /// stands there.
    pub fn blob_at(&self, commit: &CommitId, path: &TreePath) -> Result<Option<BlobId>, GitError> {
        self.tree(commit)?.blob_id(path).map_err(|error| GitError::Object {
            what: format!("`{path}` in {commit}"),
            reason: error.to_string(),
        })
    }

    /// The bytes of that name.
    pub fn blob(&self, id: &BlobId) -> Result<Vec<u8>, GitError> {
        let blob = self.inner.find_blob(id.0);
        let blob = blob.map_err(|error| GitError::object(format!("blob {id}"), &error))?;
        Ok(blob.content().to_vec())
    }

    pub(crate) fn find_commit(&self, id: &CommitId) -> Result<git2::Commit<'_>, GitError> {
        let commit = self.inner.find_commit(id.0);
        commit.map_err(|error| GitError::object(format!("commit {id}"), &error))
    }

    fn names_several(&self, rev: &str) -> bool {
        let name = rev.split(['~', '^', ':']).next().unwrap_or(rev);
        let name = name.split_once("@{").map_or(name, |(name, _)| name);
        let mut found = ["heads", "tags", "remotes"].iter().filter_map(|kind| {
            let reference = self.inner.find_reference(&format!("refs/{kind}/{name}")).ok()?;
            reference.peel(ObjectType::Commit).ok().map(|commit| commit.id())
        });
        found.next().is_some_and(|first| found.any(|other| other != first))
    }

    fn unknown(&self, rev: &str) -> GitError {
        if self.has_no_commit() {
            return GitError::EmptyRepository { dir: self.location().to_owned() };
        }
        GitError::UnknownRevision { rev: rev.to_owned(), shallow: self.is_shallow() }
    }

    fn has_no_commit(&self) -> bool {
        let any = self.inner.references().map(|mut refs| refs.next().is_some());
        self.inner.head().is_err() && matches!(any, Ok(false))
    }
}

fn not_found(dir: &Path, start: &Path, error: &git2::Error) -> GitError {
    match error.code() {
        ErrorCode::NotFound => GitError::NotARepository { dir: dir.to_owned() },
        ErrorCode::Owner => GitError::OtherOwner { dir: start.to_owned() },
        _ => GitError::repository(format!("look for a repository at `{}`", dir.display()), error),
    }
}

/// Why the repository whose Git directory is `found` does not open.
fn not_opened(found: &Path, error: &git2::Error) -> GitError {
    if error.code() == ErrorCode::Owner {
        return GitError::OtherOwner { dir: without_git(found) };
    }
    // A linked work tree keeps its configuration in the common directory.
    let common = match fs::read_to_string(found.join("commondir")) {
        Ok(common) => found.join(common.trim_end()),
        Err(_) => found.to_owned(),
    };
    let config = git2::Config::open(&common.join("config"));
    let value = |name| config.as_ref().ok().and_then(|config| config.get_string(name).ok());
    match value("extensions.objectformat") {
        Some(format) if format.eq_ignore_ascii_case("sha256") => return sha256(found),
        _ => {}
    }
    let unsupported = |format| GitError::Unsupported { dir: without_git(found), format };
    match value("extensions.refstorage") {
        Some(format) if !format.eq_ignore_ascii_case("files") => {
            return unsupported(format!("the reference storage `{format}`"));
        }
        _ => {}
    }
    match error.message().strip_prefix("unsupported extension name ") {
        Some(name) => unsupported(format!("the extension `{name}`")),
        None => GitError::repository(format!("open `{}`", without_git(found).display()), error),
    }
}

fn sha256(found: &Path) -> GitError {
    GitError::Unsupported { dir: without_git(found), format: "SHA-256 object names".into() }
}

/// The folder a person knows the repository by.
fn without_git(found: &Path) -> PathBuf {
    match (found.file_name(), found.parent()) {
        (Some(name), Some(parent)) if name == ".git" => parent.to_owned(),
        _ => found.to_owned(),
    }
}

/// `start` relative to `root`; the root itself when it stands elsewhere, as
/// the Git directory does.
fn below(root: &Path, start: &Path) -> Result<TreePath, GitError> {
    let Ok(rest) = start.strip_prefix(root) else { return Ok(TreePath::root()) };
    if rest.components().any(|part| part.as_os_str() == ".git") {
        return Ok(TreePath::root());
    }
    let lossy = || GitError::Path { lossy: rest.to_string_lossy().into_owned() };
    let mut path = TreePath::root();
    for part in rest {
        let name = part.to_str().ok_or_else(lossy)?;
        path = path.join(name).map_err(|_| lossy())?;
    }
    Ok(path)
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository").field("path", &self.inner.path()).finish_non_exhaustive()
    }
}
