//! Gitea's JSON, and what it says in our words.
//!
//! The contract is `templates/swagger/v1_json.tmpl` of Gitea 1.25. Only what is
//! asked for is read, so that more or other fields are no error.

use std::collections::BTreeSet;

use gitops_core::gate::{Review, Status, Verdict};
use jiff::Timestamp;
use serde::Deserialize;

use crate::{Comment, CommitStatus, Request, RequestState};

/// A user; one that was deleted is absent or called Ghost.
#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) login: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Label {
    pub(super) name: String,
}

/// A label as a new request is given it.
#[derive(Debug, Deserialize)]
pub(super) struct LabelNumber {
    pub(super) id: u64,
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Organization {
    name: Option<String>,
    username: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Team {
    pub(super) id: u64,
    pub(super) name: String,
    organization: Option<Organization>,
}

#[derive(Debug, Deserialize)]
struct Branch {
    /// The branch's name; empty where a request has no branch.
    #[serde(default)]
    label: String,
    /// The branch, or `refs/pull/N/head` once it is deleted.
    #[serde(rename = "ref", default)]
    reference: String,
    #[serde(default)]
    sha: String,
    /// -1 for a repository that is gone.
    #[serde(default)]
    repo_id: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    state: String,
    #[serde(default)]
    merged: bool,
    /// False while that is not known, too.
    #[serde(default)]
    pub(super) mergeable: bool,
    title: String,
    body: Option<String>,
    head: Branch,
    base: Branch,
    user: Option<User>,
    labels: Option<Vec<Label>>,
    requested_reviewers: Option<Vec<User>>,
    requested_reviewers_teams: Option<Vec<Team>>,
    merge_commit_sha: Option<String>,
    html_url: Option<String>,
    created_at: Option<String>,
}

impl Pull {
    /// Whether it is to be merged into that branch, and comes from this branch of
    /// the same repository.
    pub(super) fn is(&self, head: &str, base: &str) -> bool {
        self.head.label == head && self.base.reference == base && !self.is_of_fork()
    }

    pub(super) fn head_commit(&self) -> &str {
        &self.head.sha
    }

    pub(super) fn state(&self) -> RequestState {
        match (self.merged, self.state.as_str()) {
            (true, _) => RequestState::Merged,
            (false, "open") => RequestState::Open,
            (false, _) => RequestState::Closed,
        }
    }

    pub(super) fn merge_commit(&self) -> Option<String> {
        self.merge_commit_sha.clone().filter(|commit| self.merged && !commit.is_empty())
    }

    fn is_of_fork(&self) -> bool {
        self.head.repo_id != self.base.repo_id
    }

    pub(super) fn request(self) -> Request {
        let users = self.requested_reviewers.iter().flatten().map(|user| user.login.clone());
        let teams = self.requested_reviewers_teams.iter().flatten().map(|team| {
            let organization = team.organization.as_ref();
            let owner = organization.and_then(|o| o.username.as_ref().or(o.name.as_ref()));
            match owner {
                Some(owner) => format!("{owner}/{}", team.name),
                None => team.name.clone(),
            }
        });
        let head = if self.head.label.is_empty() { &self.head.reference } else { &self.head.label };
        Request {
            number: self.number,
            state: self.state(),
            body: self.body.clone().unwrap_or_default(),
            head: head.clone(),
            head_commit: self.head.sha.clone(),
            from_fork: self.is_of_fork(),
            base: self.base.reference.clone(),
            author: self.user.as_ref().map(|user| user.login.clone()).unwrap_or_default(),
            labels: self.labels.iter().flatten().map(|label| label.name.clone()).collect(),
            reviewers: users.chain(teams).collect::<BTreeSet<_>>(),
            merge_commit: self.merge_commit(),
            page: self.html_url.clone().unwrap_or_default(),
            opened: self.created_at.as_ref().and_then(|at| at.parse::<Timestamp>().ok()),
            title: self.title,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct IssueComment {
    id: u64,
    user: Option<User>,
    body: Option<String>,
}

impl IssueComment {
    pub(super) fn comment(self) -> Comment {
        Comment {
            id: self.id,
            author: self.user.map(|user| user.login).unwrap_or_default(),
            body: self.body.unwrap_or_default(),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct OneStatus {
    context: String,
    /// Called `state` where one is set.
    status: String,
    description: Option<String>,
    target_url: Option<String>,
}

impl OneStatus {
    pub(super) fn status(self) -> CommitStatus {
        CommitStatus {
            context: self.context,
            // As Gitea itself counts them towards what it requires
            // (`modules/commitstatus`); a word of anybody's own is nothing yet.
            state: match self.status.as_str() {
                "success" | "warning" | "skipped" => Status::Success,
                "failure" | "error" => Status::Failure,
                _ => Status::Pending,
            },
            description: self.description.unwrap_or_default(),
            target_url: self.target_url.filter(|url| !url.is_empty()),
        }
    }
}

/// The word for a status that is set.
pub(super) fn status_word(status: Status) -> &'static str {
    match status {
        Status::Success => "success",
        Status::Failure => "failure",
        Status::Pending => "pending",
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct PullReview {
    user: Option<User>,
    state: String,
    commit_id: Option<String>,
    #[serde(default)]
    dismissed: bool,
    #[serde(default)]
    official: bool,
}

impl PullReview {
    /// `None` for what is no review: one that was asked for, or is not sent yet.
    pub(super) fn review(self) -> Option<Review> {
        let verdict = match self.state.as_str() {
            _ if self.dismissed => Verdict::Dismissed,
            "APPROVED" => Verdict::Approved,
            "REQUEST_CHANGES" => Verdict::ChangesRequested,
            "COMMENT" => Verdict::Commented,
            _ => return None,
        };
        Some(Review {
            user: self.user?.login,
            verdict,
            head: self.commit_id.unwrap_or_default(),
            counts: self.official,
        })
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct OneCommit {
    pub(super) sha: String,
    pub(super) author: Option<User>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OneBranch {
    pub(super) protected: bool,
    #[serde(default)]
    pub(super) required_approvals: u32,
    #[serde(default)]
    pub(super) enable_status_check: bool,
    pub(super) status_check_contexts: Option<Vec<String>>,
    #[serde(default)]
    pub(super) user_can_push: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    #[serde(rename = "ref")]
    pub(super) name: String,
    pub(super) object: Object,
}

#[derive(Debug, Deserialize)]
pub(super) struct Object {
    pub(super) sha: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    fn pull(more: Value) -> Pull {
        let mut body = json!({
            "id": 9, "number": 3, "state": "open", "title": "t", "body": "b", "mergeable": true,
            "user": {"login": "bot"}, "labels": [{"name": "x"}], "merged": false,
            "requested_reviewers": [{"login": "bob"}],
            "requested_reviewers_teams": [
                {"id": 1, "name": "ops", "organization": {"name": "acme", "username": "acme"}},
            ],
            "head": {"label": "a/b", "ref": "a/b", "sha": "11", "repo_id": 1},
            "base": {"label": "main", "ref": "main", "sha": "22", "repo_id": 1},
            "html_url": "http://h/acme/apps/pulls/3", "created_at": "2026-01-01T12:00:00+01:00",
        });
        let more = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn a_request_in_our_words() {
        let open = pull(json!({}));
        assert!(open.is("a/b", "main") && !open.is("a", "main") && !open.is("a/b", "dev"));
        let open = open.request();
        assert_eq!((open.number, open.state, &*open.head), (3, RequestState::Open, "a/b"));
        assert_eq!((&*open.head_commit, &*open.base, &*open.author), ("11", "main", "bot"));
        assert_eq!(open.reviewers.into_iter().collect::<Vec<_>>(), ["acme/ops", "bob"]);
        assert_eq!(open.opened.unwrap().to_string(), "2026-01-01T11:00:00Z");
        assert_eq!((open.merge_commit, open.from_fork), (None, false));
    }

    #[test]
    fn a_request_that_is_over_or_from_elsewhere() {
        let merged = json!({"merged": true, "state": "closed", "merge_commit_sha": "33"});
        let merged = pull(merged).request();
        assert_eq!((merged.state, merged.merge_commit), (RequestState::Merged, Some("33".into())));
        let closed = pull(json!({"state": "closed", "merge_commit_sha": "33", "body": null}));
        let closed = closed.request();
        assert_eq!((closed.state, closed.merge_commit), (RequestState::Closed, None));
        // The branch is deleted: its name stays. The fork is: it is from elsewhere.
        let head = |label: &str, repository: i64| json!({"head": {"label": label, "ref": "refs/pull/3/head", "sha": "11", "repo_id": repository}});
        assert!(pull(head("a/b", 1)).is("a/b", "main"));
        assert!(!pull(head("a/b", -1)).is("a/b", "main"));
        assert!(pull(head("a/b", 7)).request().from_fork);
        // Pushed to `refs/for/main`, it has no branch.
        assert_eq!(pull(head("", 1)).request().head, "refs/pull/3/head");
        let nobody = json!({"user": null, "labels": null, "requested_reviewers": null});
        let nobody = pull(nobody).request();
        assert_eq!((nobody.author, nobody.labels.len()), (String::new(), 0));
    }

    #[test]
    fn only_reviews_that_came_are_reviews() {
        let review = |state: &str, dismissed: bool| {
            let body = json!({
                "user": {"login": "alice"}, "state": state, "commit_id": "11",
                "dismissed": dismissed, "official": true, "stale": false,
            });
            serde_json::from_value::<PullReview>(body).unwrap().review().map(|one| one.verdict)
        };
        for (state, dismissed, expected) in [
            ("APPROVED", false, Some(Verdict::Approved)),
            ("APPROVED", true, Some(Verdict::Dismissed)),
            ("REQUEST_CHANGES", false, Some(Verdict::ChangesRequested)),
            ("COMMENT", false, Some(Verdict::Commented)),
            ("PENDING", false, None),
            ("REQUEST_REVIEW", false, None),
            ("", false, None),
        ] {
            assert_eq!(review(state, dismissed), expected, "{state} {dismissed}");
        }
        let ghost = json!({"user": null, "state": "APPROVED", "commit_id": null});
        assert_eq!(serde_json::from_value::<PullReview>(ghost).unwrap().review(), None);
    }
}
