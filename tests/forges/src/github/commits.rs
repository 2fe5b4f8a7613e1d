//! Repositories, branches, statuses and teams.

use serde_json::{Value, json};

use super::pulls::auto_merge;
use super::rest::{Call, Reply};
use super::world::{Level, Repository, Rules, Status};

/// `GET /repos/{owner}/{repo}`.
pub(super) fn repository(call: &mut Call<'_>) -> Reply {
    let repository = &call.world.repositories[call.at];
    Reply::new(200, call.places.full_repository(call.world, repository))
}

/// `PATCH /repos/{owner}/{repo}`: a name, or archived.
pub(super) fn change_repository(call: &mut Call<'_>) -> Reply {
    let name = call.text("name");
    let repository = &mut call.world.repositories[call.at];
    if let Some(name) = name.filter(|name| *name != repository.name) {
        let old = std::mem::replace(&mut repository.name, name);
        for pull in repository.pulls.values_mut() {
            if pull.from.0 == repository.owner && pull.from.1 == old {
                pull.from.1.clone_from(&repository.name);
            }
        }
        repository.former.push(old);
    }
    if let Some(archived) = call.body.get("archived").and_then(Value::as_bool) {
        repository.archived = archived;
    }
    let repository = &call.world.repositories[call.at];
    Reply::new(200, call.places.full_repository(call.world, repository))
}

/// `POST /forks`, to who asks.
pub(super) fn fork(call: &mut Call<'_>) -> Reply {
    let (id, login) = (call.world.next(), call.asker.login.clone());
    let from = &call.world.repositories[call.at];
    let at = from.git.path().parent().and_then(|path| path.parent()).expect("it has a root");
    let git = from.git.copy(at.join(&login).join(format!("{}.git", from.name)));
    let mut made = Repository { id, git, fork: true, ..from.clone() };
    made.owner.clone_from(&login);
    made.roles.clear();
    made.roles.insert(login, Level::Admin);
    made.pulls.clear();
    made.comments.clear();
    made.statuses.clear();
    made.checks.clear();
    made.rules.clear();
    let body = call.places.full_repository(call.world, &made);
    call.world.repositories.push(made);
    Reply::new(202, body)
}

/// `POST /statuses/{sha}`.
///
/// Source: GitHub docs, "Create a commit status": the four states, at most 1000 a
/// commit and context.
pub(super) fn set_status(call: &mut Call<'_>) -> Reply {
    let sha = call.names.first().cloned().unwrap_or_default();
    let state = call.text("state").unwrap_or_default();
    let repository = &call.world.repositories[call.at];
    let Some(sha) = repository.git.commit(&sha) else {
        return Reply::refused(422, &format!("No commit found for SHA: {sha}"));
    };
    if !["error", "failure", "pending", "success"].contains(&state.as_str()) {
        return Reply::invalid(
            "Status",
            "state",
            "custom",
            Some("state is not included in the list"),
        );
    }
    let description = call.text("description");
    if description.as_ref().is_some_and(|text| text.chars().count() > 140) {
        let words = "description is too long (maximum is 140 characters)";
        return Reply::invalid("Status", "description", "custom", Some(words));
    }
    let context = call.text("context").unwrap_or_else(|| "default".to_owned());
    let same = |one: &&Status| one.sha == sha && one.context == context;
    if repository.statuses.iter().filter(same).count() >= 1000 {
        let words = "This SHA and context has reached the maximum number of statuses.";
        return Reply::invalid("Status", "context", "custom", Some(words));
    }
    let status = Status {
        id: call.world.next(),
        sha,
        context,
        state,
        description,
        target_url: call.text("target_url"),
        user: call.asker.login.clone(),
        at: call.world.now(),
    };
    call.world.repositories[call.at].statuses.push(status.clone());
    auto_merge(call.world, call.at);
    let repository = &call.world.repositories[call.at];
    Reply::new(201, call.places.status(call.world, repository, &status))
}

/// `GET /commits/{ref}/statuses`, newest first, all of them.
pub(super) fn statuses(call: &mut Call<'_>) -> Reply {
    let repository = &call.world.repositories[call.at];
    let sha = call.names.first().cloned().unwrap_or_default();
    let sha = repository.git.branch(&sha).or_else(|| repository.git.commit(&sha));
    let Some(sha) = sha else { return Reply::refused(404, "Not Found") };
    let all = repository.statuses.iter().rev().filter(|status| status.sha == sha);
    call.page(all.map(|one| call.places.status(call.world, repository, one)).collect())
}

/// `GET /branches/{branch}`.
pub(super) fn branch(call: &mut Call<'_>) -> Reply {
    let repository = &call.world.repositories[call.at];
    let name = call.names.first().cloned().unwrap_or_default();
    let Some(sha) = repository.git.branch(&name) else {
        return Reply::refused(404, "Branch not found");
    };
    let encoded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let url = format!("{}/repos/{}", call.places.api, repository.full_name());
    let html = format!("{}/{}", call.places.web, repository.full_name());
    let person = json!({"name": "x", "email": "x@example.test", "date": "2026-01-01T00:00:00Z"});
    let protected = repository.rules_of(&name).is_some();
    Reply::new(
        200,
        json!({
            "name": name,
            "commit": {
                "url": format!("{url}/commits/{sha}"), "sha": sha, "node_id": format!("C_{sha}"),
                "html_url": format!("{html}/commit/{sha}"),
                "comments_url": format!("{url}/commits/{sha}/comments"),
                "commit": {
                    "url": format!("{url}/git/commits/{sha}"), "author": person,
                    "committer": person, "message": "x", "comment_count": 0,
                    "tree": {"sha": sha, "url": format!("{url}/git/trees/{sha}")},
                },
                "author": null, "committer": null, "parents": [],
            },
            "_links": {"html": format!("{html}/tree/{encoded}"), "self": format!("{url}/branches/{encoded}")},
            "protected": protected, "protection": {"enabled": protected},
            "protection_url": format!("{url}/branches/{encoded}/protection"),
        }),
    )
}

/// `GET /rules/branches/{branch}`: active rules of rulesets, whoever reads.
///
/// Source: GitHub docs, "Get rules for a branch".
pub(super) fn rules(call: &mut Call<'_>) -> Reply {
    let repository = &call.world.repositories[call.at];
    let name = call.names.first().cloned().unwrap_or_default();
    let rules = repository.rules_of(&name).filter(|rules| rules.ruleset);
    let all = rules.map(|rules| as_rules(rules, &repository.full_name())).unwrap_or_default();
    call.page(all)
}

fn as_rules(rules: &Rules, source: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut add = |kind: &str, parameters: Option<Value>| {
        let mut rule = json!({
            "type": kind, "ruleset_source_type": "Repository", "ruleset_source": source,
            "ruleset_id": 1,
        });
        if let Some(parameters) = parameters {
            rule["parameters"] = parameters;
        }
        found.push(rule);
    };
    if rules.no_push || rules.approvals > 0 {
        add(
            "pull_request",
            Some(json!({
                "required_approving_review_count": rules.approvals,
                "dismiss_stale_reviews_on_push": rules.dismiss_stale,
                "require_code_owner_review": false, "require_last_push_approval": false,
                "required_review_thread_resolution": false,
                "allowed_merge_methods": ["merge", "squash", "rebase"],
            })),
        );
    }
    if !rules.contexts.is_empty() {
        let checks: Vec<Value> =
            rules.contexts.iter().map(|context| json!({ "context": context })).collect();
        add(
            "required_status_checks",
            Some(json!({
                "required_status_checks": checks, "strict_required_status_checks_policy": false,
            })),
        );
    }
    if rules.queue {
        add(
            "merge_queue",
            Some(json!({
                "check_response_timeout_minutes": 60, "grouping_strategy": "ALLGREEN",
                "max_entries_to_build": 5, "max_entries_to_merge": 5, "merge_method": "MERGE",
                "min_entries_to_merge": 1, "min_entries_to_merge_wait_minutes": 5,
            })),
        );
    }
    found
}

/// `GET /orgs/{org}/teams/{team_slug}/members`.
pub(super) fn team(call: &mut Call<'_>) -> Reply {
    let (org, slug) = (call.names[0].clone(), call.names[1].clone());
    let owner = call.world.users.get(&org).is_some_and(|(_, kind)| *kind == "Organization");
    let Some(members) = call.world.teams.get(&slug).filter(|_| owner) else {
        return Reply::refused(404, "Not Found");
    };
    let all = members.iter().map(|login| call.places.user(call.world, login)).collect();
    call.page(all)
}
