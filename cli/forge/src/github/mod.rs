//! GitHub, GitHub Enterprise Cloud and GitHub Enterprise Server, over octocrab.
//!
//! REST for what is written, GraphQL where one call does for several: the state of
//! a request, statuses with check runs, reviews with who may write. Each rule of
//! GitHub's that is not plain from its API names its source.

mod access;
mod commits;
mod graph;
mod line;
mod merge;
mod moment;
pub(crate) mod refusals;
mod requests;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use gitops_core::gate::Review;
use serde::Deserialize;

use crate::api::Call;
use crate::http::{Access, Made};
use crate::percent::encode;
use crate::{
    Api, ApiError, Comment, CommitStatus, Edit, Forge, ForgeToken, Kind, Limits, Merge, Merged,
    NewRequest, Opened, Protection, Request, Settings, TokenSource,
};
pub use access::Installation;
use line::{Intent, Line, headers};

/// One repository on GitHub.
pub(crate) struct GitHub {
    line: Line,
    owner: String,
    repository: String,
    /// `/repos/acme/apps`, encoded.
    path: String,
    /// The path of the GraphQL API.
    graphql: &'static str,
    known: Mutex<Known>,
}

/// What came along with other answers.
#[derive(Default)]
struct Known {
    me: Option<String>,
    /// The names of labels in lower case, and whether these are all.
    labels: Option<(BTreeSet<String>, bool)>,
    /// Commits whose check runs may not be read.
    hidden: BTreeSet<String>,
}

/// Who asks.
#[derive(Clone, Copy)]
pub(crate) enum Who<'a> {
    /// The owner of a token.
    Token(&'a ForgeToken),
    /// An App, as its installation.
    App(&'a Installation),
}

impl GitHub {
    /// The API of a repository. Nothing is sent yet.
    pub(crate) fn new(
        forge: &Forge,
        who: Who<'_>,
        settings: &Settings,
    ) -> Result<GitHub, ApiError> {
        let base = settings.api.clone().unwrap_or_else(|| access::rest(&forge.web));
        let (authorization, token, installation) = match who {
            Who::Token(token) => {
                (format!("Bearer {}", token.secret), TokenSource::Named(token.variable), None)
            }
            Who::App(installation) => {
                ("Bearer none".to_owned(), installation.source(), Some(installation.clone()))
            }
        };
        let access = Access {
            base: &base,
            repository: format!("{}/{}", forge.owner, forge.repository),
            authorization,
            token,
            signed: false,
            headers: headers(),
            user_agent: &settings.user_agent,
            patience: settings.patience,
            pace: settings.pace.clone(),
            now: settings.now.clone(),
        };
        Ok(GitHub {
            line: Line::new(access, installation)?,
            owner: forge.owner.clone(),
            repository: forge.repository.clone(),
            path: format!("/repos/{}/{}", encode(&forge.owner, ""), encode(&forge.repository, "")),
            graphql: access::graphql(&base),
            known: Mutex::default(),
        })
    }

    fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.repository)
    }

    /// The repository as it is spoken of.
    fn what(&self) -> String {
        format!("the repository {}", self.full_name())
    }

    /// What is known is whole whatever happened to who held it.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error as one can act on it: GitHub names a repository that moved by its
    /// number alone, which is asked for its name.
    async fn told<T>(
        &self,
        call: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        #[derive(Deserialize)]
        struct Repository {
            full_name: String,
        }
        match call.await {
            Err(ApiError::Moved { repository, to }) if to.starts_with("repositories/") => {
                let template = "/repositories/{repository_id}";
                let (attempt, what) = ("read where it is now", self.what());
                let intent = Intent { template, attempt, what, read: true };
                let found = self.line.get::<Repository>(intent, &format!("/{to}")).await;
                // Without its name it is still known that it moved.
                let to = found.map_or(to, |found| found.full_name);
                Err(ApiError::Moved { repository, to })
            }
            done => done,
        }
    }
}

impl Api for GitHub {
    fn kind(&self) -> Kind {
        Kind::GitHub
    }

    /// A text is cut at 65,536 letters by a refusal ("body is too long (maximum is
    /// 65536 characters)"); a status's description at 140, by the docs of "Create a
    /// commit status" in older versions and by a refusal since.
    fn limits(&self) -> Limits {
        Limits { title: 256, body: 65_536, comment: 65_536, description: 140 }
    }

    fn calls(&self) -> u64 {
        self.line.http().trace().count() + self.line.of_app().map_or(0, |app| app.trace().count())
    }

    fn made(&self) -> Vec<Made> {
        let mut made = self.line.of_app().map_or_else(Vec::new, |app| app.trace().made());
        made.extend(self.line.http().trace().made());
        made
    }

    /// An App is somebody here: `name[bot]`, which is also the author of what it writes.
    fn me(&self) -> Call<'_, Option<String>> {
        async { self.told(self.whoami()).await.map(Some) }.boxed()
    }

    fn requests<'a>(&'a self, head: &'a str, base: &'a str) -> Call<'a, Vec<Request>> {
        self.told(self.find(head, base)).boxed()
    }

    fn all_open<'a>(&'a self, head: &'a str, base: &'a str) -> Call<'a, Vec<Request>> {
        let open = async {
            let mut found = self.find(head, base).await?;
            found
                .retain(|request| request.state == crate::RequestState::Open && !request.from_fork);
            Ok(found)
        };
        self.told(open).boxed()
    }

    fn requests_of<'a>(&'a self, commit: &'a str) -> Call<'a, Vec<Request>> {
        self.told(self.requests_with(commit)).boxed()
    }

    fn request(&self, number: u64) -> Call<'_, Request> {
        self.told(self.one(number)).boxed()
    }

    fn open<'a>(&'a self, new: &'a NewRequest) -> Call<'a, Opened> {
        self.told(self.open_request(new)).boxed()
    }

    fn edit<'a>(&'a self, number: u64, edit: &'a Edit) -> Call<'a, Request> {
        self.told(self.change(number, edit)).boxed()
    }

    fn label<'a>(&'a self, number: u64, labels: &'a [String]) -> Call<'a, Vec<String>> {
        self.told(self.add_labels(number, labels)).boxed()
    }

    fn ask<'a>(&'a self, number: u64, reviewers: &'a [String]) -> Call<'a, Vec<String>> {
        self.told(self.ask_for_reviews(number, reviewers)).boxed()
    }

    fn comments(&self, number: u64) -> Call<'_, Vec<Comment>> {
        self.told(self.all_comments(number)).boxed()
    }

    fn comment<'a>(&'a self, number: u64, body: &'a str) -> Call<'a, Comment> {
        self.told(self.write_comment(number, body)).boxed()
    }

    fn edit_comment<'a>(&'a self, id: u64, body: &'a str) -> Call<'a, Comment> {
        self.told(self.replace_comment(id, body)).boxed()
    }

    fn statuses<'a>(&'a self, commit: &'a str) -> Call<'a, Vec<CommitStatus>> {
        self.told(self.all_statuses(commit)).boxed()
    }

    /// A fine-grained token has no such permission at all; an App's has.
    fn left_out(&self, commit: &str) -> Option<String> {
        self.known().hidden.contains(commit).then(|| {
            let token = self.line.http().token();
            format!(
                "check runs may not be read by the token of {token}, which lacks `Checks: read`"
            )
        })
    }

    fn set_status<'a>(&'a self, commit: &'a str, status: &'a CommitStatus) -> Call<'a, ()> {
        self.told(self.write_status(commit, status)).boxed()
    }

    fn reviews(&self, number: u64) -> Call<'_, Vec<Review>> {
        self.told(self.all_reviews(number)).boxed()
    }

    fn members<'a>(&'a self, team: &'a str) -> Call<'a, BTreeSet<String>> {
        self.told(self.team(team)).boxed()
    }

    fn authors<'a>(&'a self, commits: &'a [String]) -> Call<'a, BTreeSet<String>> {
        self.told(self.all_authors(commits)).boxed()
    }

    fn protection<'a>(&'a self, branch: &'a str) -> Call<'a, Option<Protection>> {
        self.told(self.guard(branch)).boxed()
    }

    fn merge<'a>(&'a self, number: u64, merge: &'a Merge) -> Call<'a, Merged> {
        self.told(self.merge_now(number, merge)).boxed()
    }

    fn merge_when_ready<'a>(&'a self, number: u64, merge: &'a Merge) -> Call<'a, ()> {
        self.told(self.merge_later(number, merge)).boxed()
    }
}
