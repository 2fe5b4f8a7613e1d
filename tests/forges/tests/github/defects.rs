//! What octocrab 0.54 does wrong by itself, and that none of it is on our wire.

use std::time::Duration;

use gitops_core::gate::Status;
use gitops_forge::{ApiError, Edit, MergeMethod};
use gitops_test_forges::github::{GitHub, Seen};
use gitops_test_forges::suite::{merge, new, run, status};
use gitops_test_forges::{Fault, Faults, Stage, suite};
use serde_json::json;

use super::scene;

fn calls(seen: &[Seen]) -> Vec<String> {
    seen.iter().map(|one| format!("{} {}", one.method, one.target)).collect()
}

/// Its default sends a POST or PUT again at once after a 5xx, a 429 or a lost
/// connection, up to three times.
#[test]
fn writes_are_sent_once() {
    let github = GitHub::start();
    let (scene, number, commit) = scene(&github, "once");
    scene.branch("release/api", &[("envs/api.yaml", "tag: v2\n")]);
    let faults = Faults::before(&github.web());
    let api = scene.through(&faults);
    for fault in [Fault::Before, Fault::After, Fault::Lost, Fault::Cut] {
        faults.fail("POST", "/comments", fault, 1);
        github.seen();
        let came = run(api.comment(number, "one"));
        assert!(matches!(came, Err(ApiError::Unanswered { .. })), "{came:?}");
        assert!(github.seen().len() <= 1);
    }
    faults.fail("POST", "/pulls", Fault::After, 1);
    let came = run(api.open(&new("release/api", "main")));
    assert!(matches!(came, Err(ApiError::Unanswered { .. })), "{came:?}");
    faults.fail("PUT", "/merge", Fault::After, 1);
    let came = run(api.merge(number, &merge(MergeMethod::Squash, &commit)));
    assert!(matches!(came, Err(ApiError::Unanswered { .. })), "{came:?}");
    let sent = calls(&github.seen());
    assert_eq!(sent.iter().filter(|call| call.starts_with("POST")).count(), 1, "{sent:?}");
    assert_eq!(sent.iter().filter(|call| call.starts_with("PUT")).count(), 1, "{sent:?}");
}

/// Neither of its settings waits as a 403 asks to.
#[test]
fn a_403_that_asks_to_wait_is_waited_for() {
    let github = GitHub::start();
    let (scene, number, _) = scene(&github, "limits");
    let faults = Faults::before(&github.web());
    let api = scene.through(&faults);
    faults.fail("GET", "/comments", Fault::Forbidden(1), 1);
    let start = std::time::Instant::now();
    assert_eq!(run(api.comments(number)).unwrap(), []);
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    faults.fail("GET", "/comments", Fault::Forbidden(3600), 1);
    let came = run(api.comments(number));
    assert!(matches!(came, Err(ApiError::Limited { until: Some(_), .. })), "{came:?}");
}

/// It leaves the token of an installation out where an address is absolute, as that
/// of every next page is.
#[test]
fn the_next_page_is_asked_with_the_token() {
    let github = GitHub::start();
    for github in [github.as_app(), Some(github.as_enterprise())].into_iter().flatten() {
        let (scene, number, _) = scene(&github, "pages");
        for text in ["one", "two", "three"] {
            run(scene.api.comment(number, text)).unwrap();
        }
        github.cap(1);
        github.seen();
        let found = run(scene.api.comments(number)).unwrap();
        github.cap(usize::MAX);
        assert_eq!(found.iter().map(|one| &*one.body).collect::<Vec<_>>(), ["one", "two", "three"]);
        let seen = github.seen();
        assert_eq!(seen.len(), 3, "{:?}", calls(&seen));
        assert!(seen.iter().all(|one| one.header("authorization").is_some()));
        assert!(seen[2].target.contains("/repositories/"), "{:?}", calls(&seen));
    }
}

/// It asks for GraphQL below the REST API, where an Enterprise server has none.
#[test]
fn graphql_of_an_enterprise_server() {
    let github = GitHub::start();
    for (github, expected) in [
        (github.as_enterprise(), ["POST /api/graphql", "GET /api/v3/repos/"]),
        (github, ["POST /graphql", "GET /repos/"]),
    ] {
        let (scene, number, _) = scene(&github, "graphql");
        run(scene.api.requests("release/web", "main")).unwrap();
        run(scene.api.request(number)).unwrap();
        let sent = calls(&github.seen());
        assert_eq!(sent.len(), 2, "{sent:?}");
        assert_eq!(sent[0], expected[0]);
        assert!(sent[1].starts_with(expected[1]), "{sent:?}");
    }
}

/// Its `update_comment` is a POST; its `update` of a request puts the number into the
/// body.
#[test]
fn changes_are_patches_of_what_changes() {
    let github = GitHub::start();
    let (scene, number, _) = scene(&github, "patches");
    let comment = run(scene.api.comment(number, "one")).unwrap();
    github.seen();
    run(scene.api.edit_comment(comment.id, "two")).unwrap();
    let edit = Edit { title: Some("Other".into()), ..Edit::default() };
    run(scene.api.edit(number, &edit)).unwrap();
    let seen = github.seen();
    let at = format!("/repos/acme/{}", scene.repository);
    assert_eq!(
        calls(&seen),
        [
            format!("PATCH {at}/issues/comments/{}", comment.id),
            format!("PATCH {at}/pulls/{number}")
        ]
    );
    assert_eq!(seen[0].body, json!({"body": "two"}));
    assert_eq!(seen[1].body, json!({"title": "Other"}));
}

/// It encodes nothing in a path: a name with a blank is an error, one with a slash
/// another path.
#[test]
fn names_in_paths_are_encoded() {
    let github = GitHub::start();
    let (scene, number, _) = scene(&github, "names");
    scene.branch("env/a#b&é%2F", &[("x", "x")]);
    github.label(&scene.repository, "app: web/100%");
    github.seen();
    assert!(run(scene.api.protection("env/a#b&é%2F")).unwrap().is_some());
    let wanted = ["app: web/100%".to_owned(), "no/such %2F".to_owned()];
    assert_eq!(run(scene.api.label(number, &wanted)).unwrap(), ["no/such %2F"]);
    let sent = calls(&github.seen()).join("\n");
    for expected in [
        "/rules/branches/env%2Fa%23b%26%C3%A9%252F?",
        "/branches/env%2Fa%23b%26%C3%A9%252F",
        "/labels/no%2Fsuch%20%252F",
    ] {
        assert!(sent.contains(expected), "{sent}");
    }
    // Nothing ends in a bare question mark, as its lists without parameters do.
    assert!(!sent.lines().any(|line| line.ends_with('?')), "{sent}");
}

/// It sends no `Accept` and no version, and calls itself `octocrab`.
#[test]
fn headers_of_each_call() {
    let github = GitHub::start();
    let (scene, number, commit) = scene(&github, "headers");
    run(scene.api.requests("release/web", "main")).unwrap();
    run(scene.api.comment(number, "x")).unwrap();
    run(scene.api.set_status(&commit, &status("gitops/x", Status::Success, "x"))).unwrap();
    for one in github.seen() {
        assert_eq!(one.header("accept"), Some("application/vnd.github+json"));
        assert_eq!(one.header("x-github-api-version"), Some("2022-11-28"));
        assert_eq!(one.header("user-agent"), Some("gitops-tests"));
        assert_eq!(one.header("authorization"), Some("Bearer ghp_bot"));
        let named = |name: &str| one.headers.iter().filter(|(known, _)| known == name).count();
        assert_eq!((named("user-agent"), named("accept"), named("authorization")), (1, 1, 1));
    }
}

/// Its errors of GraphQL have no type, and its models want fields that may be null.
#[test]
fn errors_and_answers_are_read_whole() {
    let github = GitHub::start();
    let (scene, number, _) = scene(&github, "whole");
    let gone = super::with_token(&github, "no-such", "ghp_bot");
    let came = run(gone.requests("release/web", "main"));
    assert!(matches!(came, Err(ApiError::Missing { .. })), "{came:?}");
    github.fine(gitops_test_forges::Who::Bot, "contents", &[("contents", "read")]);
    let narrow = super::with_token(&github, &scene.repository, "github_pat_contents");
    let came = run(narrow.requests("release/web", "main"));
    let Err(ApiError::Forbidden { permission, .. }) = came else { panic!("{came:?}") };
    assert_eq!(permission.as_deref(), Some("Pull requests: read"));
    // Answers 201 with a request, where octocrab reads a review.
    let asked = ["alice".to_owned()];
    assert_eq!(run(scene.api.ask(number, &asked)).unwrap(), [""; 0]);
    assert_eq!(suite::run(scene.api.request(number)).unwrap().reviewers.len(), 1);
}
