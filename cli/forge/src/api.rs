//! What a promotion asks of a forge, whichever it is.
//!
//! Every call is one intent. A read may be sent again; a write is sent once, and
//! where nobody knows whether it took effect ([`ApiError::Unanswered`]), the
//! caller reads the state back before it asks again.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use gitops_core::gate::{Review, Status};
use jiff::Timestamp;

use crate::Kind;
use crate::api_error::ApiError;
use crate::http::Made;

/// An answer on its way.
pub type Call<'a, T> = BoxFuture<'a, Result<T, ApiError>>;

/// How a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// It is open.
    Open,
    /// It was closed, and not merged.
    Closed,
    /// It was merged.
    Merged,
}

/// A request to merge a branch: a pull request, or a merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number in the repository.
    pub number: u64,
    /// How it stands.
    pub state: RequestState,
    /// Its title.
    pub title: String,
    /// Its text, as written; empty where there is none.
    pub body: String,
    /// The branch that is to be merged. A request from a fork has another repository's.
    pub head: String,
    /// The newest commit of that branch, as the forge knows it.
    pub head_commit: String,
    /// Whether the head is in another repository.
    pub from_fork: bool,
    /// The branch that it is to be merged into.
    pub base: String,
    /// Who opened it.
    pub author: String,
    /// Its labels.
    pub labels: BTreeSet<String>,
    /// Whose review was asked for and has not come.
    pub reviewers: BTreeSet<String>,
    /// The commit that the merge left on the base.
    pub merge_commit: Option<String>,
    /// The page for people.
    pub page: String,
    /// When it was opened.
    pub opened: Option<Timestamp>,
}

/// A request to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRequest {
    /// The branch that is to be merged.
    pub head: String,
    /// The branch that it is to be merged into.
    pub base: String,
    /// The title.
    pub title: String,
    /// The text.
    pub body: String,
    /// Labels that it is to have. Those that cannot be given with the same call are
    /// missing in the answer, for [`Api::label`] to add.
    pub labels: Vec<String>,
    /// Whose reviews are wanted, in the same way; [`Api::ask`] asks the others.
    pub reviewers: Vec<String>,
}

/// What came of opening a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is there now.
    New(Request),
    /// An open one of the same two branches stood there before.
    Stood(Request),
}

/// What is to change in a request; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// The title.
    pub title: Option<String>,
    /// The text.
    pub body: Option<String>,
    /// Opened again (`true`), or closed without a merge (`false`).
    pub open: Option<bool>,
}

/// A comment on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// The forge's number of it.
    pub id: u64,
    /// Who wrote it.
    pub author: String,
    /// Its text.
    pub body: String,
}

/// One commit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitStatus {
    /// Its name: `gitops/gate/prod/web/soak`.
    pub context: String,
    /// What it says.
    pub state: Status,
    /// A short sentence; forges cut it (GitHub at 140 characters).
    pub description: String,
    /// A page with more.
    pub target_url: Option<String>,
}

/// What guards a branch. What the token may not read is `None`, never "nothing".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// The contexts that must have succeeded before a merge; patterns where the
    /// forge knows patterns.
    pub required_contexts: BTreeSet<String>,
    /// How many approvals the forge itself asks for.
    pub required_approvals: u32,
    /// Whether merges go through a queue.
    pub queue: bool,
    /// Whether a push to it is refused.
    pub no_push: bool,
}

/// How a request is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeMethod {
    /// All of it as one commit on the base.
    Squash,
    /// A merge commit.
    Merge,
    /// Its commits on top of the base.
    Rebase,
}

/// A merge, pinned to what was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The way.
    pub method: MergeMethod,
    /// The head that was judged: with another one nothing is merged.
    pub head: String,
    /// The subject of the commit.
    pub title: String,
    /// The rest of its message, with the trailers.
    pub message: String,
}

/// What came of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    /// It is merged; the commit on the base, where the forge tells it.
    Done(Option<String>),
    /// The head is not the one that was judged.
    HeadMoved,
    /// The base moved meanwhile; the same may be asked again.
    BaseMoved,
    /// The forge does not know yet whether it can be merged, or waits for what it
    /// requires itself: why.
    NotYet(String),
    /// It conflicts with the base.
    Conflict,
    /// The forge does not allow it: why.
    Refused(String),
}

/// How much a forge takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Letters (`char`s) of a request's title, wide ones counted twice.
    pub title: usize,
    /// Letters of a request's text.
    pub body: usize,
    /// Letters of a comment.
    pub comment: usize,
    /// Letters of a status's description.
    pub description: usize,
}

/// One repository on a forge.
pub trait Api: Send + Sync {
    /// Which forge this is.
    fn kind(&self) -> Kind;

    /// How much it takes.
    fn limits(&self) -> Limits;

    /// How many calls were made so far, page by page, sent again included.
    fn calls(&self) -> u64;

    /// These calls, in the order of their ends.
    fn made(&self) -> Vec<Made>;

    /// Who the token belongs to; `None` for one that is nobody's (an app's).
    fn me(&self) -> Call<'_, Option<String>>;

    /// The requests from `head` into `base`, open or not, newest first. Those
    /// from forks with a branch of the same name are not among them. Where one is
    /// open, the others may be left out; of those that are not, all but the last one.
    fn requests<'a>(&'a self, head: &'a str, base: &'a str) -> Call<'a, Vec<Request>>;

    /// All open requests from `head` into `base`. A forge may let two who ask at once
    /// open one each.
    fn all_open<'a>(&'a self, head: &'a str, base: &'a str) -> Call<'a, Vec<Request>>;

    /// The requests that are open, or were, whose head's newest commit is this.
    fn requests_of<'a>(&'a self, commit: &'a str) -> Call<'a, Vec<Request>>;

    /// One request.
    fn request(&self, number: u64) -> Call<'_, Request>;

    /// Opens a request. One that stands is an answer, not an error.
    fn open<'a>(&'a self, new: &'a NewRequest) -> Call<'a, Opened>;

    /// Changes a request.
    fn edit<'a>(&'a self, number: u64, edit: &'a Edit) -> Call<'a, Request>;

    /// Adds labels. Answers those that the repository does not have, which are
    /// left out.
    fn label<'a>(&'a self, number: u64, labels: &'a [String]) -> Call<'a, Vec<String>>;

    /// Asks for reviews, `org/team` for a team. Answers those that cannot be asked.
    fn ask<'a>(&'a self, number: u64, reviewers: &'a [String]) -> Call<'a, Vec<String>>;

    /// All comments, oldest first.
    fn comments(&self, number: u64) -> Call<'_, Vec<Comment>>;

    /// Writes a comment.
    fn comment<'a>(&'a self, number: u64, body: &'a str) -> Call<'a, Comment>;

    /// Replaces the text of a comment.
    fn edit_comment<'a>(&'a self, id: u64, body: &'a str) -> Call<'a, Comment>;

    /// The newest status of each context of a commit; on GitHub with the check
    /// runs, whose context is their name.
    fn statuses<'a>(&'a self, commit: &'a str) -> Call<'a, Vec<CommitStatus>>;

    /// Why the last answer of [`Api::statuses`] for a commit lacks some: check runs
    /// that the token may not read. What is not in such an answer is not absent.
    fn left_out(&self, _commit: &str) -> Option<String> {
        None
    }

    /// Sets a status of a commit.
    fn set_status<'a>(&'a self, commit: &'a str, status: &'a CommitStatus) -> Call<'a, ()>;

    /// All reviews of a request, oldest first. One that the forge calls stale without
    /// saying of which commit it was has an empty `head`.
    fn reviews(&self, number: u64) -> Call<'_, Vec<Review>>;

    /// The members of a team of the repository's owner; `org/team` names another
    /// owner's. [`ApiError::Missing`] where there is none, or it may not be seen.
    fn members<'a>(&'a self, team: &'a str) -> Call<'a, BTreeSet<String>>;

    /// The users that the forge says made these commits. One that belongs to
    /// nobody the forge knows is left out.
    fn authors<'a>(&'a self, commits: &'a [String]) -> Call<'a, BTreeSet<String>>;

    /// What guards a branch; `None` where the token may not see it.
    fn protection<'a>(&'a self, branch: &'a str) -> Call<'a, Option<Protection>>;

    /// Merges a request now.
    fn merge<'a>(&'a self, number: u64, merge: &'a Merge) -> Call<'a, Merged>;

    /// Has the forge merge it as soon as all that it requires is there. Asking
    /// twice is no error.
    fn merge_when_ready<'a>(&'a self, number: u64, merge: &'a Merge) -> Call<'a, ()>;
}
