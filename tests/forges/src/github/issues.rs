//! Comments and labels of a request, which is an issue there.

use serde_json::Value;

use super::rest::{Call, Reply};
use super::world::{Comment, Level};

/// `GET /issues/{issue_number}/comments`, oldest first.
pub(super) fn comments(call: &mut Call<'_>) -> Reply {
    let repository = &call.world.repositories[call.at];
    let number = call.number();
    if !repository.pulls.contains_key(&number) {
        return Reply::refused(404, "Not Found");
    }
    let all = repository.comments.values().filter(|comment| comment.number == number);
    let all = all.map(|comment| call.places.comment(call.world, repository, comment)).collect();
    call.page(all)
}

/// Why a comment is not taken. The words are GitHub's own, quoted in threads.
fn too_long(body: &str) -> Option<Reply> {
    let words = "body is too long (maximum is 65536 characters)";
    (body.chars().count() > 65_536)
        .then(|| Reply::invalid("IssueComment", "body", "custom", Some(words)))
}

/// `POST /issues/{issue_number}/comments`.
pub(super) fn comment(call: &mut Call<'_>) -> Reply {
    let number = call.number();
    let body = call.text("body").unwrap_or_default();
    if !call.world.repositories[call.at].pulls.contains_key(&number) {
        return Reply::refused(404, "Not Found");
    }
    if let Some(refusal) = too_long(&body) {
        return refusal;
    }
    let (id, at) = (call.world.next(), call.world.now());
    let comment = Comment { id, number, user: call.asker.login.clone(), body, at };
    call.world.repositories[call.at].comments.insert(id, comment.clone());
    let repository = &call.world.repositories[call.at];
    Reply::new(201, call.places.comment(call.world, repository, &comment))
}

/// `PATCH /issues/comments/{comment_id}`: one's own, or who may write.
pub(super) fn edit(call: &mut Call<'_>) -> Reply {
    let id = call.number();
    let body = call.text("body").unwrap_or_default();
    if let Some(refusal) = too_long(&body) {
        return refusal;
    }
    let login = call.asker.login.clone();
    let repository = &mut call.world.repositories[call.at];
    let role = repository.roles.get(&login).copied().unwrap_or(Level::Write);
    let Some(comment) = repository.comments.get_mut(&id) else {
        return Reply::refused(404, "Not Found");
    };
    if comment.user != login && role < Level::Write {
        return Reply::refused(403, "Must have admin rights to Repository.");
    }
    comment.body = body;
    let comment = comment.clone();
    let repository = &call.world.repositories[call.at];
    Reply::new(200, call.places.comment(call.world, repository, &comment))
}

/// `POST /issues/{issue_number}/labels`: what is not there is made.
///
/// Seen by everybody who ever mistyped one; the docs of "Add labels to an issue" say
/// nothing of it.
pub(super) fn label(call: &mut Call<'_>) -> Reply {
    let number = call.number();
    let names: Vec<String> = call
        .body
        .get("labels")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let repository = &mut call.world.repositories[call.at];
    let there = repository.labels.clone();
    // Names are the same in small and capital letters.
    let own = |name: &String| {
        let found = there.iter().find(|known| known.eq_ignore_ascii_case(name));
        found.cloned().unwrap_or_else(|| name.clone())
    };
    let names: Vec<String> = names.iter().map(own).collect();
    let Some(pull) = repository.pulls.get_mut(&number) else {
        return Reply::refused(404, "Not Found");
    };
    pull.labels.extend(names.iter().cloned());
    let all = pull.labels.clone();
    repository.labels.extend(names);
    let repository = &call.world.repositories[call.at];
    Reply::new(200, call.places.labels(repository, &all))
}

/// `GET /labels/{name}`.
pub(super) fn one_label(call: &mut Call<'_>) -> Reply {
    let repository = &call.world.repositories[call.at];
    let name = call.names.first().cloned().unwrap_or_default();
    match repository.labels.iter().find(|known| known.eq_ignore_ascii_case(&name)) {
        Some(name) => Reply::new(200, call.places.labels(repository, [name])[0].clone()),
        None => Reply::refused(404, "Not Found"),
    }
}
