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
//! | [`Repository::fetch_reference`] | one tag, branch or commit, without its history |
//!
//! Objects and references are read and written by libgit2. Everything that
//! talks to a remote is the `git` program (2.30 or newer), so that ssh
//! configuration, credential helpers, netrc, proxies and certificates work as
//! they do by hand. It never asks: `GIT_ASKPASS` and `core.askPass` are scripts
//! that answer, and stay; terminal and `SSH_ASKPASS` are out of its reach, and
//! ssh runs in batch mode. No address with a credential is an argument of it:
//! remotes are passed by name. A [`Token`], at hand or from a [`Maker`], is the last
//! source: after netrc, the user's helpers and `GIT_ASKPASS`, and never for one of
//! those to store.
//!
//! **No run is for ever.** A list of branches may take 60 s, a push 600 s, and a
//! fetch may be silent for 120 s ([`Repository::with_patience`] sets another
//! length). Then `git` and all it started are told to end, and killed 2 s later.
//! [`stop_running`] does so at once, for a program that is told to end itself.
//!
//! **Bytes.** No filter runs in either direction: a [`RevisionTree`] gives the
//! bytes as committed, a [`WorkTree`] the bytes on the disk, and a commit holds
//! the bytes it was given. `core.autocrlf`, `.gitattributes` and Git LFS change
//! nothing here.
//!
//! **What is written.** Objects; for a fetch, references below
//! `refs/kubectl-gitops/remotes/`; for a push, what `git push` itself notes (the
//! remote-tracking branch of the pushed branch). The work tree, the index, `HEAD`,
//! local branches and the configuration stay untouched, but for a branch that
//! [`Repository::move_local_branch`] is asked to move. [`Repository::kept`] makes
//! bare clones in a folder that it is given. A `pre-push` hook of
//! the user runs, as it does for their own pushes.

mod address;
mod child;
mod clones;
mod commit;
mod delete;
mod disk;
mod error;
mod hint;
mod history;
mod id;
mod identity;
mod local;
mod network;
mod program;
mod push;
mod redact;
mod reference;
mod remote;
mod repository;
mod revision;
mod sign;
mod token;
pub mod trailers;

pub use address::{beside, is_relative, same_address};
pub use child::{Ending, stop_running};
pub use commit::FileEdit;
pub use delete::Deletion;
pub use disk::{Directory, WorkTree};
pub use error::GitError;
pub use history::{Changed, Commit, FirstParent, Version};
pub use id::{BlobId, CommitId, IdError};
pub use identity::{Identity, Signature, Time};
pub use local::LocalMove;
pub use push::{Lease, PushOutcome, Pushed, Refusal, Taken, Update, Why};
pub use redact::without_credentials;
pub use remote::{Fetched, Remote};
pub use repository::Repository;
pub use revision::RevisionTree;
pub use token::{Maker, NoToken, Token};
