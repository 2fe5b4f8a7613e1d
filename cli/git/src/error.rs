//! What can go wrong, in words.

use std::path::PathBuf;

use gitops_tree::TreePath;

use crate::CommitId;

/// A failure of this crate. No text in it holds a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// The directory to start from cannot be entered.
    #[error("the directory `{}` cannot be read: {reason}", dir.display())]
    Directory {
        /// The directory as given.
        dir: PathBuf,
        /// Why, in words.
        reason: String,
    },
    /// Neither the directory nor one above it is a Git repository.
    #[error("`{}` is not in a Git repository", dir.display())]
    NotARepository {
        /// The directory as given.
        dir: PathBuf,
    },
    /// The repository belongs to another user, and Git's safe.directory does not list it.
    #[error("the repository `{}` belongs to another user", dir.display())]
    OtherOwner {
        /// Where the repository stands.
        dir: PathBuf,
    },
    /// The repository is of a kind that cannot be read here.
    #[error("the repository `{}` uses {format}, which is not supported", dir.display())]
    Unsupported {
        /// Where the repository stands.
        dir: PathBuf,
        /// What it uses, for example `SHA-256 object names`.
        format: String,
    },
    /// A bare repository has no work tree.
    #[error("the repository `{}` is bare: it has no work tree", dir.display())]
    Bare {
        /// Where the repository stands.
        dir: PathBuf,
    },
    /// The repository has no commit yet.
    #[error("the repository `{}` has no commit yet", dir.display())]
    EmptyRepository {
        /// Where the repository stands.
        dir: PathBuf,
    },
    /// No commit has that name.
    #[error("unknown revision `{rev}`{}", if *shallow { " (the clone is shallow)" } else { "" })]
    UnknownRevision {
        /// The revision as given.
        rev: String,
        /// Whether history is cut off in this clone, so that it may exist elsewhere.
        shallow: bool,
    },
    /// A remote has no reference or commit of that name.
    #[error("`{url}` has no branch, tag or commit `{reference}`")]
    UnknownReference {
        /// The address of the remote.
        url: String,
        /// The reference as given.
        reference: String,
    },
    /// Several objects have that name.
    #[error("the revision `{rev}` is ambiguous")]
    AmbiguousRevision {
        /// The revision as given.
        rev: String,
    },
    /// An object that should be there is not, or is damaged.
    #[error("cannot read {what}: {reason}")]
    Object {
        /// What was read, for example `commit 1234…`.
        what: String,
        /// Why not, in words.
        reason: String,
    },
    /// A path that is not UTF-8 stands among the changed ones.
    #[error("the path `{lossy}` is not UTF-8")]
    Path {
        /// The path, with replacement characters.
        lossy: String,
    },
    /// Libgit2 refused something.
    #[error("cannot {doing}: {reason}")]
    Repository {
        /// What was attempted.
        doing: String,
        /// Why not, in words.
        reason: String,
    },
    /// An edit does not fit what stands in the parent commit.
    #[error("cannot edit `{path}`: {reason}")]
    Edit {
        /// The path of the edit.
        path: TreePath,
        /// Why not, in words.
        reason: String,
    },
    /// The edits change nothing.
    #[error("nothing to commit: the edits change nothing in {parent}")]
    NothingToCommit {
        /// The commit the edits were made to.
        parent: CommitId,
    },
    /// Git does not know who the user is.
    #[error("Git has no name and e-mail address for commits: {reason}")]
    NoIdentity {
        /// What Git says.
        reason: String,
    },
    /// The commit should be signed and could not be; it was not made.
    #[error("cannot sign a commit: {reason}")]
    NotSigned {
        /// What `gpg.format` says: `openpgp`, `ssh` or `x509`.
        format: String,
        /// What the `git` program said.
        reason: String,
    },
    /// Several remotes, none called `origin`, or none at all.
    #[error("{}", no_remote(known))]
    NoRemote {
        /// The remotes there are.
        known: Vec<String>,
    },
    /// No remote of that name.
    #[error("there is no remote `{name}`{}", listed(known))]
    UnknownRemote {
        /// The name as given.
        name: String,
        /// The remotes there are.
        known: Vec<String>,
    },
    /// No remote of a checkout is the repository at an address.
    #[error("no remote of `{}` is {url}{}", dir.display(), listed(known))]
    NoRemoteAt {
        /// The checkout.
        dir: PathBuf,
        /// The address, without credentials.
        url: String,
        /// The addresses of its remotes.
        known: Vec<String>,
    },
    /// The folder of kept clones cannot be used.
    #[error("`{}` cannot hold clones: {reason}", path.display())]
    Cache {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A name that no branch can have.
    #[error("`{branch}` is not a name for a branch")]
    InvalidBranch {
        /// The name as given.
        branch: String,
    },
    /// The default branch cannot be told.
    #[error("the default branch of {of} cannot be told{}", listed_branches(branches))]
    NoDefaultBranch {
        /// The remote or repository, in words.
        of: String,
        /// The branches there are.
        branches: Vec<String>,
    },
    /// The `git` program is not installed, or cannot be started.
    #[error("cannot start the `git` program: {reason}")]
    NoProgram {
        /// Why, in words.
        reason: String,
    },
    /// The remote took too long, and the `git` program was stopped. Nothing is
    /// known about what it holds.
    #[error("cannot {doing} remote `{remote}` ({url}): `git` {limit} and was stopped")]
    NoAnswer {
        /// What was attempted, for example `fetch from`.
        doing: &'static str,
        /// The name of the remote.
        remote: String,
        /// Its address without credentials.
        url: String,
        /// The limit, in words: `said nothing for 120 s`.
        limit: String,
    },
    /// A token for the remote could not be made, so that it was not asked.
    #[error("cannot {doing} remote `{remote}` ({url}): {reason}")]
    NoToken {
        /// What was attempted, for example `fetch from`.
        doing: &'static str,
        /// The name of the remote.
        remote: String,
        /// Its address without credentials.
        url: String,
        /// Why there is none, in words.
        reason: String,
        /// What a person can do about it.
        hint: Option<String>,
    },
    /// The remote did not answer, refused access, or the transfer failed.
    /// Nothing is known about what it holds.
    #[error("cannot {doing} remote `{remote}` ({url}): {reason}")]
    Remote {
        /// What was attempted, for example `fetch from`.
        doing: &'static str,
        /// The name of the remote.
        remote: String,
        /// Its address without credentials.
        url: String,
        /// What the `git` program said, without credentials.
        reason: String,
    },
}

impl GitError {
    pub(crate) fn object(what: impl Into<String>, error: &git2::Error) -> GitError {
        GitError::Object { what: what.into(), reason: error.message().to_owned() }
    }

    pub(crate) fn repository(doing: impl Into<String>, error: &git2::Error) -> GitError {
        GitError::Repository { doing: doing.into(), reason: error.message().to_owned() }
    }
}

fn no_remote(known: &[String]) -> String {
    if known.is_empty() {
        "the repository has no remote".into()
    } else {
        format!("several remotes and none is `origin`: {}", known.join(", "))
    }
}

fn listed(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!(", only {}", known.join(", ")) }
}

fn listed_branches(branches: &[String]) -> String {
    if branches.is_empty() {
        ": it has no branch".into()
    } else {
        format!(" from its branches: {}", branches.join(", "))
    }
}
