//! Requests and their reviews.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::git::{How, Landed};
use super::rest::{Call, Reply};
use super::world::{Level, Merge, Pull, Review, World};

/// `GET /pulls`: `head` is `owner:branch`, and what it does not meet is left out.
pub(super) fn list(call: &mut Call<'_>) -> Reply {
    call.world.sync(call.at);
    let repository = &call.world.repositories[call.at];
    let state = call.parameter("state").unwrap_or("open");
    let meets = |pull: &&Pull| {
        let open = match state {
            "all" => true,
            "closed" => !pull.open,
            _ => pull.open,
        };
        let head = call.parameter("head");
        let head = head.is_none_or(|head| head == format!("{}:{}", pull.from.0, pull.head));
        open && head && call.parameter("base").is_none_or(|base| base == pull.base)
    };
    let all = repository.pulls.values().rev().filter(meets);
    let all = all.map(|pull| call.places.pull(call.world, repository, pull)).collect();
    call.page(all)
}

/// `POST /pulls`.
///
/// The words are those that GitHub answers in many a thread: one open request a
/// head and base, and something between the two. OpenAPI: 422 `validation-error`.
pub(super) fn open(call: &mut Call<'_>) -> Reply {
    call.world.sync(call.at);
    let repository = &call.world.repositories[call.at];
    let (Some(head), Some(base)) = (call.text("head"), call.text("base")) else {
        return Reply::invalid("PullRequest", "head", "missing_field", None);
    };
    let Some(title) = call.text("title").filter(|title| !title.trim().is_empty()) else {
        return Reply::invalid("PullRequest", "title", "missing_field", None);
    };
    let body = call.text("body");
    if body.as_ref().is_some_and(|body| body.chars().count() > 65_536) {
        let words = "body is too long (maximum is 65536 characters)";
        return Reply::invalid("PullRequest", "body", "custom", Some(words));
    }
    let (owner, branch) = match head.split_once(':') {
        Some((owner, branch)) => (owner.to_owned(), branch.to_owned()),
        None => (repository.owner.clone(), head.clone()),
    };
    let from = if owner == repository.owner {
        Some(call.at)
    } else {
        call.world.repositories.iter().position(|one| one.fork && one.owner == owner)
    };
    let Some(from) = from else {
        return Reply::invalid("PullRequest", "head", "invalid", None);
    };
    let from = &call.world.repositories[from];
    let Some(sha) = from.git.branch(&branch) else {
        return Reply::invalid("PullRequest", "head", "invalid", None);
    };
    let Some(base_sha) = repository.git.branch(&base) else {
        return Reply::invalid("PullRequest", "base", "invalid", None);
    };
    let name = (from.owner.clone(), from.name.clone());
    let writes = repository.roles.get(&call.asker.login).is_none_or(|role| *role >= Level::Write);
    if name.0 == repository.owner && !writes {
        return Reply::refused(403, "Resource not accessible by personal access token");
    }
    let stands = repository
        .pulls
        .values()
        .any(|pull| pull.open && pull.head == branch && pull.base == base && pull.from == name);
    if stands {
        let words = format!("A pull request already exists for {owner}:{branch}.");
        return Reply::invalid("PullRequest", "base", "custom", Some(&words));
    }
    if owner == repository.owner && repository.git.ahead(&base_sha, &sha) == 0 {
        let words = format!("No commits between {base} and {branch}");
        return Reply::invalid("PullRequest", "base", "custom", Some(&words));
    }
    let number = repository.pulls.len() as u64 + 1;
    let pull = Pull {
        number,
        title,
        body,
        author: call.asker.login.clone(),
        from: name,
        head: branch,
        sha,
        base,
        open: true,
        merged: None,
        closed_at: None,
        created: call.world.now(),
        labels: BTreeSet::new(),
        reviewers: BTreeSet::new(),
        teams: BTreeSet::new(),
        reviews: Vec::new(),
        auto_merge: None,
        queued: false,
    };
    call.world.repositories[call.at].pulls.insert(number, pull);
    let mut reply = shown(call, number);
    reply.status = 201;
    reply
}

fn shown(call: &Call<'_>, number: u64) -> Reply {
    let repository = &call.world.repositories[call.at];
    match repository.pulls.get(&number) {
        Some(pull) => Reply::new(200, call.places.full_pull(call.world, repository, pull)),
        None => Reply::refused(404, "Not Found"),
    }
}

/// `GET /pulls/{pull_number}`.
pub(super) fn get(call: &mut Call<'_>) -> Reply {
    call.world.sync(call.at);
    shown(call, call.number())
}

/// `PATCH /pulls/{pull_number}`.
pub(super) fn change(call: &mut Call<'_>) -> Reply {
    call.world.sync(call.at);
    let number = call.number();
    let (title, body, state) = (call.text("title"), call.text("body"), call.text("state"));
    let now = call.world.now();
    let repository = &mut call.world.repositories[call.at];
    let git = repository.git.clone();
    let Some(pull) = repository.pulls.get_mut(&number) else {
        return Reply::refused(404, "Not Found");
    };
    if title.as_ref().is_some_and(|title| title.trim().is_empty()) {
        return Reply::invalid("PullRequest", "title", "missing_field", None);
    }
    match state.as_deref() {
        Some("open") if pull.merged.is_some() => {
            let words = "state cannot be changed. The pull request is merged";
            return Reply::invalid("PullRequest", "state", "invalid", Some(words));
        }
        Some("open") if !pull.open && git.branch(&pull.head).is_none() => {
            let words = format!("state cannot be changed. The {} branch was deleted", pull.head);
            return Reply::invalid("PullRequest", "state", "invalid", Some(&words));
        }
        Some("open") => {
            pull.open = true;
            pull.closed_at = None;
        }
        Some("closed") if pull.open => {
            pull.open = false;
            pull.closed_at = Some(now);
            pull.auto_merge = None;
        }
        _ => {}
    }
    pull.title = title.unwrap_or_else(|| pull.title.clone());
    pull.body = body.or_else(|| pull.body.clone());
    call.world.sync(call.at);
    shown(call, number)
}

/// `PUT /pulls/{pull_number}/merge`.
pub(super) fn merge(call: &mut Call<'_>) -> Reply {
    call.world.sync(call.at);
    let number = call.number();
    let method = call.text("merge_method").unwrap_or_else(|| "merge".to_owned());
    let sha = call.text("sha");
    let words = (call.text("commit_title"), call.text("commit_message"));
    match land(call.world, call.at, number, &method, sha.as_deref(), words, &call.asker.login) {
        Ok(commit) => {
            let message = "Pull Request successfully merged";
            Reply::new(200, json!({"sha": commit, "merged": true, "message": message}))
        }
        Err((status, words)) => Reply::refused(status, &words),
    }
}

/// Merges a request, or says why not.
///
/// Sources: GitHub docs, "Merge a pull request" (405 "if merge cannot be performed",
/// 409 "if sha was provided and pull request head did not match"), "About protected
/// branches", "Managing a merge queue"; the words from threads in which they are
/// quoted.
pub(super) fn land(
    world: &mut World,
    at: usize,
    number: u64,
    method: &str,
    sha: Option<&str>,
    words: (Option<String>, Option<String>),
    login: &str,
) -> Result<String, (u16, String)> {
    let no = |status, words: &str| Err((status, words.to_owned()));
    let moves = world.base_moves.remove(&number);
    let now = world.now();
    let repository = &world.repositories[at];
    let Some(pull) = repository.pulls.get(&number) else { return no(404, "Not Found") };
    if !pull.open {
        return no(405, "Pull Request is not mergeable");
    }
    if sha.is_some_and(|sha| sha != pull.sha) {
        return no(409, "Head branch was modified. Review and try the merge again.");
    }
    if method == "squash" && !repository.squash {
        return no(405, "Squash merges are not allowed on this repository.");
    }
    if repository.rules_of(&pull.base).is_some_and(|rules| rules.queue) && !pull.queued {
        let words = "Repository rule violations found\n\n\
                     Changes must be made through the merge queue\n\n";
        return no(405, words);
    }
    if let Some(words) = repository.blocked(pull) {
        return Err((405, words));
    }
    // GitHub docs, "About pull request merges": the title with the number, the
    // commits' messages below.
    let title = words.0.unwrap_or_else(|| format!("{} (#{number})", pull.title));
    let message = match words.1.filter(|message| !message.is_empty()) {
        Some(message) => format!("{title}\n\n{message}\n"),
        None => format!("{title}\n"),
    };
    let how = How { method, message: &message, login };
    let git = repository.git.clone();
    let base = pull.base.clone();
    let landed = git.land(&base, &pull.sha, &how, || {
        if moves {
            git.push_something(&base);
        }
    });
    let commit = match landed {
        Landed::At(commit) => commit,
        Landed::Conflict => return no(405, "Pull Request is not mergeable"),
        Landed::Moved => {
            return no(405, "Base branch was modified. Review and try the merge again.");
        }
    };
    let repository = &mut world.repositories[at];
    let Some(pull) = repository.pulls.get_mut(&number) else { return no(404, "Not Found") };
    pull.open = false;
    pull.queued = false;
    pull.auto_merge = None;
    pull.closed_at = Some(now);
    pull.merged = Some(Merge { commit: commit.clone(), by: login.to_owned(), at: now });
    Ok(commit)
}

/// Merges what waits for it and has all that is required now.
///
/// Source: GitHub docs, "Automatically merging a pull request".
pub(super) fn auto_merge(world: &mut World, at: usize) {
    world.sync(at);
    let repository = &world.repositories[at];
    let waiting: Vec<Pull> = repository
        .pulls
        .values()
        .filter(|pull| pull.open && (pull.auto_merge.is_some() || pull.queued))
        .filter(|pull| repository.blocked(pull).is_none())
        .cloned()
        .collect();
    for pull in waiting {
        let queue = repository_queue(world, at, &pull);
        if queue && let Some(one) = world.repositories[at].pulls.get_mut(&pull.number) {
            one.queued = true;
        }
        let auto = pull.auto_merge.clone();
        let (method, words, by) = match auto {
            Some(auto) if !queue => (auto.method, (Some(auto.title), Some(auto.message)), auto.by),
            _ => ("merge".to_owned(), (None, None), pull.author.clone()),
        };
        let sha = pull.sha.clone();
        // What cannot be merged stays as it is.
        drop(land(world, at, pull.number, &method, Some(&sha), words, &by));
    }
}

fn repository_queue(world: &World, at: usize, pull: &Pull) -> bool {
    world.repositories[at].rules_of(&pull.base).is_some_and(|rules| rules.queue)
}

/// `GET /pulls/{pull_number}/reviews`.
pub(super) fn reviews(call: &mut Call<'_>) -> Reply {
    call.world.sync(call.at);
    let repository = &call.world.repositories[call.at];
    let number = call.number();
    let Some(pull) = repository.pulls.get(&number) else { return Reply::refused(404, "Not Found") };
    let one = |review| call.places.review(call.world, repository, number, review);
    call.page(pull.reviews.iter().map(one).collect())
}

/// `POST /pulls/{pull_number}/reviews`.
///
/// Source: GitHub docs, "Approving a pull request with required reviews": the author
/// cannot. The words from threads in which they are quoted.
pub(super) fn review(call: &mut Call<'_>) -> Reply {
    call.world.sync(call.at);
    let number = call.number();
    let login = call.asker.login.clone();
    let body = call.text("body").unwrap_or_default();
    let state = match call.text("event").as_deref() {
        Some("APPROVE") => "APPROVED",
        Some("REQUEST_CHANGES") => "CHANGES_REQUESTED",
        Some("COMMENT") => "COMMENTED",
        _ => return Reply::refused(422, "Unprocessable Entity"),
    };
    let (id, at) = (call.world.next(), call.world.now());
    let Some(pull) = call.world.repositories[call.at].pulls.get_mut(&number) else {
        return Reply::refused(404, "Not Found");
    };
    if pull.author == login && state != "COMMENTED" {
        let what = if state == "APPROVED" { "approve" } else { "request changes on" };
        let words = format!("Can not {what} your own pull request");
        let url = "https://docs.github.com/rest";
        let body = json!({
            "message": "Unprocessable Entity", "errors": [words], "documentation_url": url,
        });
        return Reply::new(422, body);
    }
    let commit = pull.sha.clone();
    let review = Review { id, user: login.clone(), state, body, commit, at };
    pull.reviewers.remove(&login);
    pull.reviews.push(review.clone());
    auto_merge(call.world, call.at);
    let repository = &call.world.repositories[call.at];
    Reply::new(200, call.places.review(call.world, repository, number, &review))
}

/// `PUT /pulls/{pull_number}/reviews/{review_id}/dismissals`.
pub(super) fn dismiss(call: &mut Call<'_>) -> Reply {
    let number = call.number();
    let id: u64 = call.names.get(1).and_then(|id| id.parse().ok()).unwrap_or_default();
    let pull = call.world.repositories[call.at].pulls.get_mut(&number);
    let found = pull.and_then(|pull| pull.reviews.iter_mut().find(|review| review.id == id));
    let Some(review) = found else { return Reply::refused(404, "Not Found") };
    review.state = "DISMISSED";
    let review = review.clone();
    let repository = &call.world.repositories[call.at];
    Reply::new(200, call.places.review(call.world, repository, number, &review))
}

/// `POST /pulls/{pull_number}/requested_reviewers`: all of them, or none.
///
/// Source: GitHub docs, "Request reviewers for a pull request": 422 "if user is not a
/// collaborator".
pub(super) fn ask(call: &mut Call<'_>) -> Reply {
    let number = call.number();
    let names = |field: &str| -> Vec<String> {
        let list = call.body.get(field).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (users, teams) = (names("reviewers"), names("team_reviewers"));
    let repository = &call.world.repositories[call.at];
    let Some(pull) = repository.pulls.get(&number) else { return Reply::refused(404, "Not Found") };
    if users.contains(&pull.author) {
        return Reply::refused(422, "Review cannot be requested from pull request author.");
    }
    let known = users.iter().all(|user| repository.roles.contains_key(user))
        && teams.iter().all(|team| call.world.teams.contains_key(team));
    if !known {
        let words = format!(
            "Reviews may only be requested from collaborators. One or more of the users or teams \
             you specified is not a collaborator of the {} repository.",
            repository.full_name()
        );
        return Reply::refused(422, &words);
    }
    if let Some(pull) = call.world.repositories[call.at].pulls.get_mut(&number) {
        pull.reviewers.extend(users);
        pull.teams.extend(teams);
    }
    let repository = &call.world.repositories[call.at];
    match repository.pulls.get(&number) {
        Some(pull) => Reply::new(201, call.places.pull(call.world, repository, pull)),
        None => Reply::refused(404, "Not Found"),
    }
}

/// `GET /commits/{commit_sha}/pulls`: merged and open requests that hold the commit.
///
/// Source: GitHub docs, "List pull requests associated with a commit".
pub(super) fn of_commit(call: &mut Call<'_>) -> Reply {
    call.world.sync(call.at);
    let repository = &call.world.repositories[call.at];
    let sha = call.names.first().cloned().unwrap_or_default();
    if repository.git.commit(&sha).is_none() {
        return Reply::refused(422, &format!("No commit found for SHA: {sha}"));
    }
    let holds = |pull: &&Pull| {
        let kept = pull.open || pull.merged.is_some();
        let base = repository.git.branch(&pull.base).unwrap_or_default();
        let old = repository.git.contains(&sha, &base) && pull.sha != sha;
        kept && repository.git.contains(&sha, &pull.sha) && !old
    };
    let all = repository.pulls.values().filter(holds);
    let all = all.map(|pull| call.places.pull(call.world, repository, pull)).collect();
    call.page(all)
}
