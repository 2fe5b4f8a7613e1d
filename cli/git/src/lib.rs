//! Git repositories: trees, the work tree, commits without a checkout, pushes
//! with a lease.
//!
//! | room | question |
//! |---|---|
//! | [`Repository`] | which repository is this, what does a revision name |
//! | [`RevisionTree`] | what does a commit hold (a [`gitops_tree::Tree`]) |
//! | [`WorkTree`], [`Directory`] | what stands on the disk (the same trait) |
//! | [`Commit`], [`Changed`] | what happened: first-parent history, changed paths |
//! | [`trailers`] | what a commit message claims |
//! | [`FileEdit`] | a commit made without a checkout |
//! | [`Remote`], [`Update`], [`PushOutcome`], [`Deletion`] | fetch, push with a lease, read back |
//!
//! Objects and references are read and written by libgit2. Everything that
//! talks to a remote is the `git` program (2.30 or newer), so that ssh
//! configuration, credential helpers and proxies work as they do by hand. It is
//! never asked to prompt, and no address with a credential is an argument of it:
//! remotes are passed by name.
//!
//! **Bytes.** No filter runs in either direction: a [`RevisionTree`] gives the
//! bytes as committed, a [`WorkTree`] the bytes on the disk, and a commit holds
//! the bytes it was given. `core.autocrlf`, `.gitattributes` and Git LFS change
//! nothing here.
//!
//! **What is written.** Objects; for a fetch, references below
//! `refs/kubectl-gitops/remotes/`; for a push, what `git push` itself notes (the
//! remote-tracking branch of the pushed branch). The work tree, the index, `HEAD`,
//! local branches and the configuration stay untouched. A `pre-push` hook of
//! the user runs, as it does for their own pushes.

mod commit;
mod delete;
mod disk;
mod error;
mod history;
mod id;
mod identity;
mod program;
mod push;
mod redact;
mod remote;
mod repository;
mod revision;
pub mod trailers;

pub use commit::FileEdit;
pub use delete::Deletion;
pub use disk::{Directory, WorkTree};
pub use error::GitError;
pub use history::{Changed, Commit, FirstParent, Version};
pub use id::{BlobId, CommitId, IdError};
pub use identity::{Identity, Signature, Time};
pub use push::{Lease, PushOutcome, Pushed, Refusal, Update, Why};
pub use redact::without_credentials;
pub use remote::{Fetched, Remote};
pub use repository::Repository;
pub use revision::RevisionTree;
