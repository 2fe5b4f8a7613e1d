//! What the REST API answers, field by field as GitHub's OpenAPI description has it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::world::{Comment, Pull, Repository, Review, Status, World};

/// What addresses are made of.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// `http://127.0.0.1:3000`.
    pub(super) web: String,
    /// `http://127.0.0.1:3000/api/v3`.
    pub(super) api: String,
}

/// A moment: RFC 3339 without a fraction.
pub(super) fn moment(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

/// The name of a node in GraphQL.
pub(super) fn node(kind: &str, id: u64) -> String {
    format!("{kind}_{id}")
}

impl Places {
    /// Somebody, `simple-user`.
    pub(super) fn user(&self, world: &World, login: &str) -> Value {
        let (id, kind) = world.users.get(login).copied().unwrap_or((10137, "User"));
        let encoded = login.replace('[', "%5B").replace(']', "%5D");
        let url = format!("{}/users/{encoded}", self.api);
        let mut user = json!({
            "login": login, "id": id, "node_id": node("U", id),
            "avatar_url": format!("{}/avatars/{id}", self.web), "gravatar_id": "",
            "url": url, "html_url": format!("{}/{encoded}", self.web),
            "type": kind, "site_admin": false,
            "gists_url": format!("{url}/gists{{/gist_id}}"),
            "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
            "following_url": format!("{url}/following{{/other_user}}"),
            "events_url": format!("{url}/events{{/privacy}}"),
        });
        for name in ["followers", "subscriptions", "repos", "received_events"] {
            user[format!("{name}_url")] = json!(format!("{url}/{name}"));
        }
        user["organizations_url"] = json!(format!("{url}/orgs"));
        user
    }

    /// A repository, `repository`.
    pub(super) fn repository(&self, world: &World, repository: &Repository) -> Value {
        let full = repository.full_name();
        let url = format!("{}/repos/{full}", self.api);
        let html = format!("{}/{full}", self.web);
        let open = repository.pulls.values().filter(|pull| pull.open).count();
        let mut value = json!({
            "id": repository.id, "node_id": node("R", repository.id),
            "name": repository.name, "full_name": full, "private": true,
            "owner": self.user(world, &repository.owner),
            "html_url": html, "description": null, "fork": repository.fork, "url": url,
            "git_url": format!("git://127.0.0.1/{full}.git"),
            "ssh_url": format!("git@127.0.0.1:{full}.git"),
            "clone_url": format!("{html}.git"), "svn_url": html, "mirror_url": null,
            "homepage": null, "language": null, "license": null,
            "forks": 0, "forks_count": 0, "stargazers_count": 0, "watchers": 0,
            "watchers_count": 0, "size": 1, "default_branch": "main",
            "open_issues": open, "open_issues_count": open,
            "has_issues": true, "has_projects": false, "has_wiki": false, "has_pages": false,
            "has_downloads": false, "has_discussions": false, "topics": [],
            "archived": repository.archived, "disabled": false, "visibility": "private",
            "pushed_at": "2026-01-01T00:00:00Z", "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
        });
        for (name, path) in URLS {
            value[name] = json!(format!("{url}/{path}"));
        }
        value
    }

    /// `full-repository`.
    pub(super) fn full_repository(&self, world: &World, repository: &Repository) -> Value {
        let mut value = self.repository(world, repository);
        value["network_count"] = json!(0);
        value["subscribers_count"] = json!(0);
        value["temp_clone_token"] = Value::Null;
        value
    }

    fn label(&self, repository: &Repository, name: &str) -> Value {
        let full = repository.full_name();
        let encoded = name.replace('%', "%25").replace(' ', "%20");
        json!({
            "id": 1, "node_id": node("L", 1), "name": name, "color": "ededed",
            "url": format!("{}/repos/{full}/labels/{encoded}", self.api),
            "description": "", "default": false,
        })
    }

    /// Labels by their names.
    pub(super) fn labels<'a>(
        &self,
        repository: &Repository,
        names: impl IntoIterator<Item = &'a String>,
    ) -> Value {
        names.into_iter().map(|name| self.label(repository, name)).collect()
    }

    fn team(&self, owner: &str, name: &str) -> Value {
        let url = format!("{}/organizations/1/team/1", self.api);
        json!({
            "id": 1, "node_id": node("T", 1), "name": name, "slug": name, "description": null,
            "privacy": "closed", "notification_setting": "notifications_enabled", "url": url,
            "html_url": format!("{}/orgs/{owner}/teams/{name}", self.web),
            "members_url": format!("{url}/members{{/member}}"),
            "repositories_url": format!("{url}/repos"), "permission": "pull",
            "type": "organization", "parent": null,
        })
    }

    /// A request as lists have it, `pull-request-simple`.
    pub(super) fn pull(&self, world: &World, repository: &Repository, pull: &Pull) -> Value {
        let full = repository.full_name();
        let number = pull.number;
        let url = format!("{}/repos/{full}/pulls/{number}", self.api);
        let issue = format!("{}/repos/{full}/issues/{number}", self.api);
        let html = format!("{}/{full}/pull/{number}", self.web);
        let statuses = format!("{}/repos/{full}/statuses/{}", self.api, pull.sha);
        let base_sha = repository.git.branch(&pull.base).unwrap_or_default();
        let from = world.find(&pull.from.0, &pull.from.1).map(|at| &world.repositories[at]);
        let href = |to: &str| json!({ "href": to });
        let end = |owner: &str, name: &str, sha: &str, of: Option<&Repository>| {
            json!({
                "label": format!("{owner}:{name}"), "ref": name, "sha": sha,
                "user": self.user(world, owner),
                "repo": of.map(|one| self.repository(world, one)),
            })
        };
        // While it is open this is a try at merging, as the docs of "Get a pull
        // request" say.
        let merged = pull.merged.as_ref().map(|merge| merge.commit.clone());
        let mut value = json!({
            "url": url, "id": 1000 + number, "node_id": pull_node(repository, pull),
            "html_url": html, "diff_url": format!("{html}.diff"),
            "patch_url": format!("{html}.patch"), "issue_url": issue, "number": number,
            "state": if pull.open { "open" } else { "closed" }, "locked": false,
            "title": pull.title, "user": self.user(world, &pull.author), "body": pull.body,
            "created_at": moment(pull.created), "updated_at": moment(pull.created),
            "closed_at": pull.closed_at.map(moment),
            "merged_at": pull.merged.as_ref().map(|merge| moment(merge.at)),
            "merge_commit_sha": merged.or_else(|| Some("0".repeat(40))),
            "assignee": null, "assignees": [], "milestone": null, "draft": false,
            "author_association": "MEMBER", "active_lock_reason": null,
            "auto_merge": pull.auto_merge.as_ref().map(|auto| json!({
                "enabled_by": self.user(world, &auto.by), "merge_method": auto.method,
                "commit_title": auto.title, "commit_message": auto.message,
            })),
            "head": end(&pull.from.0, &pull.head, &pull.sha, from),
            "base": end(&repository.owner, &pull.base, &base_sha, Some(repository)),
            "commits_url": format!("{url}/commits"),
            "review_comments_url": format!("{url}/comments"),
            "review_comment_url": format!("{}/repos/{full}/pulls/comments{{/number}}", self.api),
            "comments_url": format!("{issue}/comments"), "statuses_url": statuses,
            "_links": {
                "self": href(&url), "html": href(&html), "issue": href(&issue),
                "comments": href(&format!("{issue}/comments")),
                "review_comments": href(&format!("{url}/comments")),
                "review_comment": href(&url), "commits": href(&format!("{url}/commits")),
                "statuses": href(&statuses),
            },
        });
        value["labels"] = self.labels(repository, &pull.labels);
        let users = pull.reviewers.iter().map(|login| self.user(world, login));
        value["requested_reviewers"] = users.collect();
        let teams = pull.teams.iter().map(|name| self.team(&repository.owner, name));
        value["requested_teams"] = teams.collect();
        value
    }

    /// One request, `pull-request`.
    pub(super) fn full_pull(&self, world: &World, repository: &Repository, pull: &Pull) -> Value {
        let mut value = self.pull(world, repository, pull);
        let base = repository.git.branch(&pull.base).unwrap_or_default();
        let (additions, deletions, files) = repository.git.size(&base, &pull.sha);
        let (mergeable, state) = merge_state(repository, pull);
        let comments = repository.comments.values().filter(|c| c.number == pull.number).count();
        let more = json!({
            "merged": pull.merged.is_some(), "mergeable": mergeable, "rebaseable": mergeable,
            "mergeable_state": state.to_ascii_lowercase(), "maintainer_can_modify": false,
            "merged_by": pull.merged.as_ref().map(|merge| self.user(world, &merge.by)),
            "comments": comments, "review_comments": 0,
            "commits": repository.git.ahead(&base, &pull.sha),
            "additions": additions, "deletions": deletions, "changed_files": files,
        });
        for (name, field) in more.as_object().into_iter().flatten() {
            value[name] = field.clone();
        }
        value
    }

    /// `issue-comment`.
    pub(super) fn comment(&self, world: &World, at: &Repository, comment: &Comment) -> Value {
        let full = at.full_name();
        let Comment { id, number, .. } = comment;
        json!({
            "id": id, "node_id": node("IC", *id),
            "url": format!("{}/repos/{full}/issues/comments/{id}", self.api),
            "html_url": format!("{}/{full}/pull/{number}#issuecomment-{id}", self.web),
            "issue_url": format!("{}/repos/{full}/issues/{number}", self.api),
            "body": comment.body, "user": self.user(world, &comment.user),
            "created_at": moment(comment.at), "updated_at": moment(comment.at),
            "author_association": "MEMBER", "performed_via_github_app": null,
        })
    }

    /// `status`.
    pub(super) fn status(&self, world: &World, at: &Repository, status: &Status) -> Value {
        json!({
            "id": status.id, "node_id": node("SC", status.id), "state": status.state,
            "url": format!("{}/repos/{}/statuses/{}", self.api, at.full_name(), status.sha),
            "avatar_url": format!("{}/avatars/1", self.web), "description": status.description,
            "target_url": status.target_url, "context": status.context,
            "created_at": moment(status.at), "updated_at": moment(status.at),
            "creator": self.user(world, &status.user),
        })
    }

    /// `pull-request-review`.
    pub(super) fn review(
        &self,
        world: &World,
        at: &Repository,
        number: u64,
        review: &Review,
    ) -> Value {
        let full = at.full_name();
        let html = format!("{}/{full}/pull/{number}#pullrequestreview-{}", self.web, review.id);
        let url = format!("{}/repos/{full}/pulls/{number}", self.api);
        json!({
            "id": review.id, "node_id": node("PRR", review.id), "body": review.body,
            "user": self.user(world, &review.user), "state": review.state,
            "html_url": html, "pull_request_url": url, "author_association": "MEMBER",
            "_links": {"html": {"href": html}, "pull_request": {"href": url}},
            "submitted_at": moment(review.at), "commit_id": review.commit,
        })
    }
}

/// The GraphQL name of a request.
pub(super) fn pull_node(repository: &Repository, pull: &Pull) -> String {
    format!("PR_{}_{}", repository.id, pull.number)
}

/// Whether a request can be merged, and its `mergeStateStatus`.
///
/// Source: GitHub's GraphQL reference, `MergeStateStatus`.
pub(super) fn merge_state(repository: &Repository, pull: &Pull) -> (Option<bool>, &'static str) {
    let Some(base) = repository.git.branch(&pull.base) else { return (None, "UNKNOWN") };
    if !pull.open {
        return (None, "UNKNOWN");
    }
    match repository.git.mergeable(&base, &pull.sha) {
        false => (Some(false), "DIRTY"),
        true if repository.blocked(pull).is_some() => (Some(true), "BLOCKED"),
        true => (Some(true), "CLEAN"),
    }
}

/// The addresses of a repository that nobody here asks for.
const URLS: [(&str, &str); 36] = [
    ("archive_url", "{archive_format}{/ref}"),
    ("assignees_url", "assignees{/user}"),
    ("blobs_url", "git/blobs{/sha}"),
    ("branches_url", "branches{/branch}"),
    ("collaborators_url", "collaborators{/collaborator}"),
    ("comments_url", "comments{/number}"),
    ("commits_url", "commits{/sha}"),
    ("compare_url", "compare/{base}...{head}"),
    ("contents_url", "contents/{+path}"),
    ("contributors_url", "contributors"),
    ("deployments_url", "deployments"),
    ("downloads_url", "downloads"),
    ("events_url", "events"),
    ("forks_url", "forks"),
    ("git_commits_url", "git/commits{/sha}"),
    ("git_refs_url", "git/refs{/sha}"),
    ("git_tags_url", "git/tags{/sha}"),
    ("hooks_url", "hooks"),
    ("issue_comment_url", "issues/comments{/number}"),
    ("issue_events_url", "issues/events{/number}"),
    ("issues_url", "issues{/number}"),
    ("keys_url", "keys{/key_id}"),
    ("labels_url", "labels{/name}"),
    ("languages_url", "languages"),
    ("merges_url", "merges"),
    ("milestones_url", "milestones{/number}"),
    ("notifications_url", "notifications{?since,all,participating}"),
    ("pulls_url", "pulls{/number}"),
    ("releases_url", "releases{/id}"),
    ("stargazers_url", "stargazers"),
    ("statuses_url", "statuses/{sha}"),
    ("subscribers_url", "subscribers"),
    ("subscription_url", "subscription"),
    ("tags_url", "tags"),
    ("teams_url", "teams"),
    ("trees_url", "git/trees{/sha}"),
];
