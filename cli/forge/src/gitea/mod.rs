//! Gitea and Forgejo, by their API `/api/v1`.
//!
//! What each answer means was seen on a Gitea 1.25 and stands in the tests of
//! `tests/forges`. Its words are matched only where no status tells the cases apart.
//!
//! A token needs `write:repository` and `write:issue`; `read:user` to know whose it
//! is, and `read:organization` for the members of teams, which are shown to members
//! alone.

mod find;
mod merge;
mod people;
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt;
use gitops_core::gate::Review;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::api::Call;
use crate::http::{Access, Ask, Http, Made};
use crate::percent::encode;
use crate::{
    Api, ApiError, Comment, CommitStatus, Edit, Forge, ForgeToken, Kind, Limits, Merge, Merged,
    NewRequest, Opened, Protection, Request, Settings, TokenSource,
};
use wire::{IssueComment, Label, OneBranch, OneStatus, Pull, PullReview, User, status_word};

/// The largest page that Gitea gives unless its owner allows more.
const PAGE: (&str, u32) = ("limit", 50);

/// One repository on a Gitea or Forgejo.
#[derive(Debug)]
pub(crate) struct Gitea {
    http: Http,
    kind: Kind,
    owner: String,
    repository: String,
    /// `/repos/acme/apps`, encoded.
    path: String,
    me: OnceCell<String>,
    labels: OnceCell<BTreeMap<String, u64>>,
}

impl Gitea {
    /// The API of a repository.
    pub(crate) fn new(
        forge: &Forge,
        token: &ForgeToken,
        settings: &Settings,
    ) -> Result<Gitea, ApiError> {
        let http = Http::new(Access {
            base: &format!("{}/api/v1", forge.web),
            repository: format!("{}/{}", forge.owner, forge.repository),
            authorization: format!("token {}", token.secret),
            token: TokenSource::Named(token.variable),
            signed: false,
            headers: HeaderMap::new(),
            user_agent: &settings.user_agent,
            patience: settings.patience,
            pace: settings.pace.clone(),
            now: settings.now.clone(),
        })?;
        Ok(Gitea {
            http,
            kind: forge.kind,
            owner: forge.owner.clone(),
            repository: forge.repository.clone(),
            path: format!("/repos/{}/{}", encode(&forge.owner, ""), encode(&forge.repository, "")),
            me: OnceCell::new(),
            labels: OnceCell::new(),
        })
    }

    /// A question about the repository; `rest` is encoded.
    fn ask<'a>(
        &self,
        method: Method,
        template: &'static str,
        rest: &str,
        attempt: &'a str,
        what: &'a str,
    ) -> Ask<'a> {
        let path = format!("{}{rest}", self.path);
        Ask { method, template, path, query: Vec::new(), body: None, attempt, what }
    }

    /// The repository as it is spoken of.
    fn what(&self) -> String {
        format!("the repository {}/{}", self.owner, self.repository)
    }

    async fn pull(&self, number: u64) -> Result<Pull, ApiError> {
        let what = format!("request {number} of {}", self.what());
        let path = format!("/pulls/{number}");
        let template = "/repos/{owner}/{repo}/pulls/{index}";
        self.http.get(&self.ask(Method::GET, template, &path, "read a pull request", &what)).await
    }

    async fn open_request(&self, new: &NewRequest) -> Result<Opened, ApiError> {
        let what = self.what();
        let template = "/repos/{owner}/{repo}/pulls";
        let mut ask = self.ask(Method::POST, template, "/pulls", "open a pull request", &what);
        let mut body = json!({
            "head": new.head, "base": new.base, "title": new.title, "body": new.body,
        });
        ask.body = Some(body.clone());
        self.dress(&mut body, new);
        let bare = ask.body.replace(body);
        let mut answer = self.http.send(&ask).await?;
        // One reviewer who is not there, or may not be asked, spoils it for all.
        if answer.status.is_client_error()
            && answer.status != StatusCode::CONFLICT
            && bare != ask.body
        {
            ask.body = bare;
            answer = self.http.send(&ask).await?;
        }
        match answer.status {
            StatusCode::CONFLICT => {
                let found = self.find(&new.head, &new.base).await?;
                match found.into_iter().find(|pull| pull.state() == crate::RequestState::Open) {
                    Some(stood) => Ok(Opened::Stood(stood.request())),
                    None => Err(self.http.asking(&ask).refused(answer.status, &answer.body)),
                }
            }
            // One of the branches, or the repository.
            StatusCode::NOT_FOUND => {
                self.exists().await?;
                let what = format!("the branch {} or {} of {what}", new.head, new.base);
                ask.what = &what;
                Err(self.http.asking(&ask).missing())
            }
            _ => Ok(Opened::New(self.http.read::<Pull>(&ask, answer)?.request())),
        }
    }

    /// Adds labels whose numbers are known, and reviewers. A server that does not take
    /// them with a new request leaves them out.
    fn dress(&self, body: &mut Value, new: &NewRequest) {
        let known = self.labels.get();
        let labels = new.labels.iter().filter_map(|name| known?.get(name).copied());
        let labels: Vec<u64> = labels.collect();
        if !labels.is_empty() {
            body["labels"] = json!(labels);
        }
        let owner = format!("{}/", self.owner);
        let teams = new.reviewers.iter().filter_map(|name| name.strip_prefix(&owner));
        let teams: Vec<&str> = teams.collect();
        if !teams.is_empty() {
            body["team_reviewers"] = json!(teams);
        }
        let users = new.reviewers.iter().filter(|name| !name.contains('/'));
        let users: Vec<&String> = users.collect();
        if !users.is_empty() {
            body["reviewers"] = json!(users);
        }
    }

    /// Whether the repository is there, or why that cannot be said.
    async fn exists(&self) -> Result<(), ApiError> {
        let what = self.what();
        let template = "/repos/{owner}/{repo}";
        let ask = self.ask(Method::GET, template, "", "read the repository", &what);
        self.http.get::<Value>(&ask).await.map(drop)
    }

    async fn edit_request(&self, number: u64, edit: &Edit) -> Result<Request, ApiError> {
        let attempt = match edit.open {
            Some(true) => "open a pull request again",
            Some(false) => "close a pull request",
            None => "change a pull request",
        };
        let what = format!("request {number} of {}", self.what());
        let template = "/repos/{owner}/{repo}/pulls/{index}";
        let path = format!("/pulls/{number}");
        let mut ask = self.ask(Method::PATCH, template, &path, attempt, &what);
        let mut body = serde_json::Map::new();
        let text = |text: &String| Value::from(text.clone());
        body.extend(edit.title.iter().map(|title| ("title".into(), text(title))));
        body.extend(edit.body.iter().map(|words| ("body".into(), text(words))));
        let state = edit.open.map(|open| if open { "open" } else { "closed" });
        body.extend(state.map(|state| ("state".into(), Value::from(state))));
        ask.body = Some(Value::Object(body));
        Ok(self.http.get::<Pull>(&ask).await?.request())
    }

    async fn add_labels(&self, number: u64, labels: &[String]) -> Result<Vec<String>, ApiError> {
        if labels.is_empty() {
            return Ok(Vec::new());
        }
        let what = format!("request {number} of {}", self.what());
        let template = "/repos/{owner}/{repo}/issues/{index}/labels";
        let path = format!("/issues/{number}/labels");
        let mut ask = self.ask(Method::POST, template, &path, "label a pull request", &what);
        ask.body = Some(json!({ "labels": labels }));
        // It answers all labels there are now, and says nothing of unknown ones.
        let there: Vec<Label> = self.http.get(&ask).await?;
        let is_there =
            |name: &String| there.iter().any(|label| label.name.eq_ignore_ascii_case(name));
        Ok(labels.iter().filter(|name| !is_there(name)).cloned().collect())
    }

    async fn all_comments(&self, number: u64) -> Result<Vec<Comment>, ApiError> {
        let what = format!("request {number} of {}", self.what());
        let template = "/repos/{owner}/{repo}/issues/{index}/comments";
        let path = format!("/issues/{number}/comments");
        let ask = self.ask(Method::GET, template, &path, "read comments", &what);
        let comments = self.http.pages(&ask, PAGE, whole, |_: &[IssueComment]| false).await?;
        let mut comments: Vec<Comment> = comments.into_iter().map(IssueComment::comment).collect();
        comments.sort_by_key(|comment| comment.id);
        Ok(comments)
    }

    async fn write_comment(&self, number: u64, body: &str) -> Result<Comment, ApiError> {
        let what = format!("request {number} of {}", self.what());
        let template = "/repos/{owner}/{repo}/issues/{index}/comments";
        let path = format!("/issues/{number}/comments");
        let mut ask = self.ask(Method::POST, template, &path, "write a comment", &what);
        ask.body = Some(json!({ "body": body }));
        Ok(self.http.get::<IssueComment>(&ask).await?.comment())
    }

    async fn replace_comment(&self, id: u64, body: &str) -> Result<Comment, ApiError> {
        let what = format!("comment {id} of {}", self.what());
        let template = "/repos/{owner}/{repo}/issues/comments/{id}";
        let path = format!("/issues/comments/{id}");
        let mut ask = self.ask(Method::PATCH, template, &path, "change a comment", &what);
        ask.body = Some(json!({ "body": body }));
        Ok(self.http.get::<IssueComment>(&ask).await?.comment())
    }

    async fn all_statuses(&self, commit: &str) -> Result<Vec<CommitStatus>, ApiError> {
        let what = format!("commit {commit} of {}", self.what());
        let template = "/repos/{owner}/{repo}/commits/{ref}/status";
        let path = format!("/commits/{}/status", encode(commit, ""));
        let ask = self.ask(Method::GET, template, &path, "read statuses", &what);
        // One a context, the newest; null where there is none.
        let list = |mut body: Value| match body.get_mut("statuses").map(Value::take) {
            Some(Value::Null) => Value::Array(Vec::new()),
            Some(list) => list,
            None => body,
        };
        let found = self.http.pages(&ask, PAGE, list, |_: &[OneStatus]| false).await?;
        Ok(found.into_iter().map(OneStatus::status).collect())
    }

    async fn write_status(&self, commit: &str, status: &CommitStatus) -> Result<(), ApiError> {
        let what = format!("commit {commit} of {}", self.what());
        let template = "/repos/{owner}/{repo}/statuses/{sha}";
        let path = format!("/statuses/{}", encode(commit, ""));
        let mut ask = self.ask(Method::POST, template, &path, "set a status", &what);
        ask.body = Some(json!({
            "state": status_word(status.state),
            "context": status.context,
            "description": status.description,
            "target_url": status.target_url.as_deref().unwrap_or_default(),
        }));
        self.http.get::<Value>(&ask).await.map(drop)
    }

    async fn all_reviews(&self, number: u64) -> Result<Vec<Review>, ApiError> {
        let what = format!("request {number} of {}", self.what());
        let template = "/repos/{owner}/{repo}/pulls/{index}/reviews";
        let path = format!("/pulls/{number}/reviews");
        let ask = self.ask(Method::GET, template, &path, "read reviews", &what);
        let found = self.http.pages(&ask, PAGE, whole, |_: &[PullReview]| false).await?;
        Ok(found.into_iter().filter_map(PullReview::review).collect())
    }

    async fn guard(&self, branch: &str) -> Result<Option<Protection>, ApiError> {
        let what = format!("the branch {branch} of {}", self.what());
        let template = "/repos/{owner}/{repo}/branches/{branch}";
        // The rule that holds for it is worked out there, also by patterns, and
        // shown to everybody who may read.
        let path = format!("/branches/{}", encode(branch, "/"));
        let ask = self.ask(Method::GET, template, &path, "read the protection of a branch", &what);
        let found: OneBranch = self.http.get(&ask).await?;
        let contexts = found.status_check_contexts.unwrap_or_default();
        Ok(Some(Protection {
            required_contexts: match found.enable_status_check {
                true => contexts.into_iter().collect(),
                false => BTreeSet::new(),
            },
            required_approvals: found.required_approvals,
            queue: false,
            no_push: found.protected && !found.user_can_push,
        }))
    }

    async fn whoami(&self) -> Result<String, ApiError> {
        let login = self.me.get_or_try_init(|| async {
            let ask = Ask {
                method: Method::GET,
                template: "/user",
                path: "/user".into(),
                query: Vec::new(),
                body: None,
                attempt: "read who it belongs to",
                what: "the user of the token",
            };
            Ok(self.http.get::<User>(&ask).await?.login)
        });
        login.await.cloned()
    }
}

/// An answer that is the list itself; some lists are null when empty.
fn whole(body: Value) -> Value {
    if body.is_null() { Value::Array(Vec::new()) } else { body }
}

impl Api for Gitea {
    fn kind(&self) -> Kind {
        self.kind
    }

    /// A longer title is cut. Gitea has no other limit but that of its database's
    /// text; the rest keeps a page readable in a browser, and is GitHub's, so that
    /// texts are the same.
    fn limits(&self) -> Limits {
        Limits { title: 255, body: 65_536, comment: 65_536, description: 140 }
    }

    fn calls(&self) -> u64 {
        self.http.trace().count()
    }

    fn made(&self) -> Vec<Made> {
        self.http.trace().made()
    }

    fn me(&self) -> Call<'_, Option<String>> {
        async { self.whoami().await.map(Some) }.boxed()
    }

    fn requests<'a>(&'a self, head: &'a str, base: &'a str) -> Call<'a, Vec<Request>> {
        let found =
            async { Ok(self.find(head, base).await?.into_iter().map(Pull::request).collect()) };
        found.boxed()
    }

    fn all_open<'a>(&'a self, head: &'a str, base: &'a str) -> Call<'a, Vec<Request>> {
        let open = async {
            Ok(self.find_open(head, base).await?.into_iter().map(Pull::request).collect())
        };
        open.boxed()
    }

    fn requests_of<'a>(&'a self, commit: &'a str) -> Call<'a, Vec<Request>> {
        self.find_by_commit(commit).boxed()
    }

    fn request(&self, number: u64) -> Call<'_, Request> {
        async move { Ok(self.pull(number).await?.request()) }.boxed()
    }

    fn open<'a>(&'a self, new: &'a NewRequest) -> Call<'a, Opened> {
        self.open_request(new).boxed()
    }

    fn edit<'a>(&'a self, number: u64, edit: &'a Edit) -> Call<'a, Request> {
        self.edit_request(number, edit).boxed()
    }

    fn label<'a>(&'a self, number: u64, labels: &'a [String]) -> Call<'a, Vec<String>> {
        self.add_labels(number, labels).boxed()
    }

    fn ask<'a>(&'a self, number: u64, reviewers: &'a [String]) -> Call<'a, Vec<String>> {
        self.ask_reviewers(number, reviewers).boxed()
    }

    fn comments(&self, number: u64) -> Call<'_, Vec<Comment>> {
        self.all_comments(number).boxed()
    }

    fn comment<'a>(&'a self, number: u64, body: &'a str) -> Call<'a, Comment> {
        self.write_comment(number, body).boxed()
    }

    fn edit_comment<'a>(&'a self, id: u64, body: &'a str) -> Call<'a, Comment> {
        self.replace_comment(id, body).boxed()
    }

    fn statuses<'a>(&'a self, commit: &'a str) -> Call<'a, Vec<CommitStatus>> {
        self.all_statuses(commit).boxed()
    }

    fn set_status<'a>(&'a self, commit: &'a str, status: &'a CommitStatus) -> Call<'a, ()> {
        self.write_status(commit, status).boxed()
    }

    fn reviews(&self, number: u64) -> Call<'_, Vec<Review>> {
        self.all_reviews(number).boxed()
    }

    fn members<'a>(&'a self, team: &'a str) -> Call<'a, BTreeSet<String>> {
        self.team_members(team).boxed()
    }

    fn authors<'a>(&'a self, commits: &'a [String]) -> Call<'a, BTreeSet<String>> {
        self.commit_authors(commits).boxed()
    }

    fn protection<'a>(&'a self, branch: &'a str) -> Call<'a, Option<Protection>> {
        self.guard(branch).boxed()
    }

    fn merge<'a>(&'a self, number: u64, merge: &'a Merge) -> Call<'a, Merged> {
        self.merge_now(number, merge).boxed()
    }

    fn merge_when_ready<'a>(&'a self, number: u64, merge: &'a Merge) -> Call<'a, ()> {
        self.schedule(number, merge).boxed()
    }
}
