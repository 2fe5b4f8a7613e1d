//! Requests, their labels, reviewers and comments, by REST.

use super::moment::Moment;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::GitHub;
use super::line::{Failed, Intent};
use crate::percent::encode;
use crate::{ApiError, Comment, Edit, NewRequest, Opened, Request, RequestState};

/// A pull request, as little of it as is used: octocrab's model asks for more than
/// GitHub promises (a `gravatar_id` that is not null).
#[derive(Deserialize)]
pub(super) struct Pull {
    number: u64,
    state: String,
    title: String,
    body: Option<String>,
    pub(super) head: End,
    base: End,
    user: Option<User>,
    #[serde(default)]
    labels: Vec<Label>,
    #[serde(default)]
    requested_reviewers: Vec<User>,
    #[serde(default)]
    requested_teams: Vec<Team>,
    merged_at: Option<Moment>,
    merge_commit_sha: Option<String>,
    html_url: String,
    created_at: Option<Moment>,
    /// Absent in lists; null while it is worked out.
    #[serde(default)]
    pub(super) mergeable: Option<bool>,
    #[serde(default)]
    pub(super) mergeable_state: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct End {
    #[serde(rename = "ref")]
    name: String,
    pub(super) sha: String,
    repo: Option<Repository>,
}

#[derive(Deserialize)]
pub(super) struct Repository {
    full_name: String,
}

/// Somebody.
#[derive(Deserialize)]
pub(super) struct User {
    pub(super) login: String,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

#[derive(Deserialize)]
struct Team {
    slug: String,
}

/// A comment of a request.
#[derive(Deserialize)]
struct IssueComment {
    id: u64,
    user: Option<User>,
    body: Option<String>,
}

/// The name of who is gone.
fn login(user: Option<User>) -> String {
    user.map_or_else(|| "ghost".to_owned(), |user| user.login)
}

impl IssueComment {
    fn comment(self) -> Comment {
        let body = self.body.unwrap_or_default();
        Comment { id: self.id, author: login(self.user), body }
    }
}

impl Pull {
    /// How it stands.
    pub(super) fn state(&self) -> RequestState {
        match (self.state.as_str(), self.merged_at) {
            (_, Some(_)) => RequestState::Merged,
            ("open", None) => RequestState::Open,
            _ => RequestState::Closed,
        }
    }

    /// The commit that the merge left; of an open one it is a try that nobody keeps.
    pub(super) fn merge_commit(&self) -> Option<String> {
        self.merge_commit_sha.clone().filter(|_| self.state() == RequestState::Merged)
    }

    fn request(self, github: &GitHub) -> Request {
        let here = |end: &End| {
            let repository = end.repo.as_ref();
            repository.is_some_and(|r| r.full_name.eq_ignore_ascii_case(&github.full_name()))
        };
        let teams = self.requested_teams.iter().map(|t| format!("{}/{}", github.owner, t.slug));
        let users = self.requested_reviewers.iter().map(|user| user.login.clone());
        Request {
            number: self.number,
            state: self.state(),
            merge_commit: self.merge_commit(),
            from_fork: !here(&self.head),
            reviewers: users.chain(teams).collect(),
            title: self.title,
            body: self.body.unwrap_or_default(),
            head: self.head.name,
            head_commit: self.head.sha,
            base: self.base.name,
            author: login(self.user),
            labels: self.labels.into_iter().map(|label| label.name).collect(),
            page: self.html_url,
            opened: self.created_at.map(|at| at.0),
        }
    }
}

impl GitHub {
    /// A call about one request.
    fn about(
        &self,
        number: u64,
        template: &'static str,
        attempt: &'static str,
        read: bool,
    ) -> Intent {
        let what = format!("request {number} of {}", self.what());
        Intent { template, attempt, what, read }
    }

    /// One request as REST has it.
    pub(super) async fn pull(&self, number: u64) -> Result<Pull, ApiError> {
        let template = "/repos/{owner}/{repo}/pulls/{pull_number}";
        let intent = self.about(number, template, "read a pull request", true);
        let path = format!("{}/pulls/{number}", self.path);
        let found = self.line.get(intent.clone(), &path).await;
        found.map_err(|failed| self.line.refused(&intent, failed))
    }

    pub(super) async fn one(&self, number: u64) -> Result<Request, ApiError> {
        Ok(self.pull(number).await?.request(self))
    }

    pub(super) async fn open_request(&self, new: &NewRequest) -> Result<Opened, ApiError> {
        let template = "/repos/{owner}/{repo}/pulls";
        let (attempt, what) = ("open a pull request", self.what());
        let intent = Intent { template, attempt, what, read: false };
        let body = json!({
            "title": new.title, "head": new.head, "base": new.base, "body": new.body,
        });
        let path = format!("{}/pulls", self.path);
        let failed = match self.line.post::<_, Pull>(intent.clone(), &path, &body).await {
            Ok(pull) => return Ok(Opened::New(pull.request(self))),
            Err(failed) => failed,
        };
        // One that stands is answered 422, as everything else that is wrong is.
        if matches!(failed, Failed::Refused { status, .. } if status.as_u16() == 422) {
            let found = self.find(&new.head, &new.base).await?;
            let open = found.into_iter().find(|one| one.state == RequestState::Open);
            if let Some(stood) = open {
                return Ok(Opened::Stood(stood));
            }
        }
        Err(self.line.refused(&intent, failed))
    }

    /// By a call of our own: octocrab's puts the number into the body, too.
    pub(super) async fn change(&self, number: u64, edit: &Edit) -> Result<Request, ApiError> {
        let attempt = match edit.open {
            Some(true) => "open a pull request again",
            Some(false) => "close a pull request",
            None => "change a pull request",
        };
        let template = "/repos/{owner}/{repo}/pulls/{pull_number}";
        let intent = self.about(number, template, attempt, false);
        let mut body = Map::new();
        let text = |text: &String| Value::from(text.clone());
        body.extend(edit.title.iter().map(|title| ("title".into(), text(title))));
        body.extend(edit.body.iter().map(|words| ("body".into(), text(words))));
        let state = edit.open.map(|open| if open { "open" } else { "closed" });
        body.extend(state.map(|state| ("state".into(), Value::from(state))));
        let path = format!("{}/pulls/{number}", self.path);
        let pull: Result<Pull, Failed> = self.line.patch(intent.clone(), &path, &body).await;
        Ok(pull.map_err(|failed| self.line.refused(&intent, failed))?.request(self))
    }

    /// Those of a commit: GitHub answers each request that holds it, of which the
    /// ones are kept whose newest commit it is.
    pub(super) async fn requests_with(&self, commit: &str) -> Result<Vec<Request>, ApiError> {
        let template = "/repos/{owner}/{repo}/commits/{commit_sha}/pulls";
        let what = format!("commit {commit} of {}", self.what());
        let intent = Intent { template, attempt: "find a pull request", what, read: true };
        let path = format!("{}/commits/{}/pulls", self.path, encode(commit, ""));
        let found: Result<Vec<Pull>, Failed> = self.line.list(intent.clone(), &path).await;
        let found = match found {
            // A commit that GitHub does not have.
            Err(Failed::Refused { status, .. }) if status.as_u16() == 422 => Vec::new(),
            found => found.map_err(|failed| self.line.refused(&intent, failed))?,
        };
        let found = found.into_iter().filter(|pull| pull.head.sha == commit);
        Ok(found.map(|pull| pull.request(self)).collect())
    }

    /// GitHub makes a label that is not there, so that one asks first; what the
    /// call for the requests brought along is enough in most repositories.
    pub(super) async fn add_labels(
        &self,
        number: u64,
        labels: &[String],
    ) -> Result<Vec<String>, ApiError> {
        let known = self.known().labels.clone();
        let (mut there, mut unknown) = (Vec::new(), Vec::new());
        for label in labels {
            let seen = known
                .as_ref()
                .map(|(names, whole)| (names.contains(&label.to_lowercase()), *whole));
            let is_there = match seen {
                Some((true, _)) => true,
                Some((false, true)) => false,
                _ => self.has_label(label).await?,
            };
            if is_there { there.push(label) } else { unknown.push(label.clone()) }
        }
        if !there.is_empty() {
            let template = "/repos/{owner}/{repo}/issues/{issue_number}/labels";
            let intent = self.about(number, template, "label a pull request", false);
            let path = format!("{}/issues/{number}/labels", self.path);
            let body = json!({ "labels": there });
            let done: Result<Vec<Label>, Failed> =
                self.line.post(intent.clone(), &path, &body).await;
            done.map_err(|failed| self.line.refused(&intent, failed))?;
        }
        Ok(unknown)
    }

    async fn has_label(&self, name: &str) -> Result<bool, ApiError> {
        let template = "/repos/{owner}/{repo}/labels/{name}";
        let what = format!("the label {name} of {}", self.what());
        let intent = Intent { template, attempt: "look for a label", what, read: true };
        let path = format!("{}/labels/{}", self.path, encode(name, ""));
        match self.line.get::<Label>(intent.clone(), &path).await {
            Ok(_) => Ok(true),
            Err(Failed::Refused { status, .. }) if status.as_u16() == 404 => Ok(false),
            Err(failed) => Err(self.line.refused(&intent, failed)),
        }
    }

    /// All at once; where GitHub refuses, one by one, since one of them spoils it
    /// for all.
    pub(super) async fn ask_for_reviews(
        &self,
        number: u64,
        reviewers: &[String],
    ) -> Result<Vec<String>, ApiError> {
        let mut unknown = Vec::new();
        let ours = |name: &&String| match name.split_once('/') {
            Some((owner, _)) => owner.eq_ignore_ascii_case(&self.owner),
            None => true,
        };
        let (asked, others): (Vec<&String>, Vec<&String>) = reviewers.iter().partition(ours);
        unknown.extend(others.into_iter().cloned());
        if asked.is_empty() || self.ask_some(number, &asked).await? {
            return Ok(unknown);
        }
        if let [alone] = asked[..] {
            unknown.push(alone.clone());
            return Ok(unknown);
        }
        for one in asked {
            if !self.ask_some(number, &[one]).await? {
                unknown.push(one.clone());
            }
        }
        Ok(unknown)
    }

    /// Whether it could be done; a name that cannot be asked is refused.
    async fn ask_some(&self, number: u64, names: &[&String]) -> Result<bool, ApiError> {
        let template = "/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers";
        let intent = self.about(number, template, "ask for a review", false);
        let path = format!("{}/pulls/{number}/requested_reviewers", self.path);
        let team = |name: &&&String| name.split_once('/').map(|(_, team)| team.to_owned());
        let teams: Vec<String> = names.iter().filter_map(|name| team(&name)).collect();
        let users: Vec<&&String> = names.iter().filter(|name| !name.contains('/')).collect();
        let body = json!({ "reviewers": users, "team_reviewers": teams });
        match self.line.post::<_, Value>(intent.clone(), &path, &body).await {
            Ok(_) => Ok(true),
            Err(Failed::Refused { status, .. }) if status.as_u16() == 422 => Ok(false),
            Err(failed) => Err(self.line.refused(&intent, failed)),
        }
    }

    pub(super) async fn all_comments(&self, number: u64) -> Result<Vec<Comment>, ApiError> {
        let template = "/repos/{owner}/{repo}/issues/{issue_number}/comments";
        let intent = self.about(number, template, "read comments", true);
        let path = format!("{}/issues/{number}/comments", self.path);
        let found: Result<Vec<IssueComment>, Failed> = self.line.list(intent.clone(), &path).await;
        let found = found.map_err(|failed| self.line.refused(&intent, failed))?;
        let mut comments: Vec<Comment> = found.into_iter().map(IssueComment::comment).collect();
        comments.sort_by_key(|comment| comment.id);
        Ok(comments)
    }

    pub(super) async fn write_comment(&self, number: u64, body: &str) -> Result<Comment, ApiError> {
        let template = "/repos/{owner}/{repo}/issues/{issue_number}/comments";
        let intent = self.about(number, template, "write a comment", false);
        let path = format!("{}/issues/{number}/comments", self.path);
        let body = json!({ "body": body });
        let made: Result<IssueComment, Failed> = self.line.post(intent.clone(), &path, &body).await;
        Ok(made.map_err(|failed| self.line.refused(&intent, failed))?.comment())
    }

    /// By a call of our own: octocrab's is a POST.
    pub(super) async fn replace_comment(&self, id: u64, body: &str) -> Result<Comment, ApiError> {
        let template = "/repos/{owner}/{repo}/issues/comments/{comment_id}";
        let what = format!("comment {id} of {}", self.what());
        let intent = Intent { template, attempt: "change a comment", what, read: false };
        let path = format!("{}/issues/comments/{id}", self.path);
        let body = json!({ "body": body });
        let made: Result<IssueComment, Failed> =
            self.line.patch(intent.clone(), &path, &body).await;
        Ok(made.map_err(|failed| self.line.refused(&intent, failed))?.comment())
    }
}
