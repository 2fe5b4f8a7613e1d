//! What goes wrong on GitHub's side, and what a person is told.

use gitops_forge::ApiError;
use gitops_test_forges::github::GitHub;
use gitops_test_forges::suite::{new, run};
use gitops_test_forges::{Stage, Who};

use super::{scene, with_token};

#[test]
fn a_token_that_nobody_knows() {
    let github = GitHub::start();
    let (scene, ..) = scene(&github, "unknown");
    let api = with_token(&github, &scene.repository, "ghp_s3cret");
    for error in [
        run(api.me()).unwrap_err(),
        run(api.requests("x", "main")).unwrap_err(),
        run(api.open(&new("x", "main"))).unwrap_err(),
    ] {
        let ApiError::Unauthorized { token, message, .. } = &error else { panic!("{error:?}") };
        assert_eq!((&*token.to_string(), &**message), ("GH_TOKEN", "Bad credentials"));
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
    // One that was taken away in between.
    github.classic(Who::Bot, "gone", &["repo"]);
    let api = with_token(&github, &scene.repository, "ghp_gone");
    run(api.me()).unwrap();
    github.revoke("ghp_gone");
    let came = run(api.comment(1, "x"));
    assert!(matches!(came, Err(ApiError::Unauthorized { .. })), "{came:?}");
}

/// The permission that is missing is named as the settings of a token name it.
#[test]
fn a_token_that_is_too_narrow() {
    let github = GitHub::start();
    let (scene, number, commit) = scene(&github, "narrow");
    scene.branch("release/api", &[("envs/api.yaml", "tag: v2\n")]);
    let api = |name: &str, permissions: &[(&'static str, &str)]| {
        let secret = github.fine(Who::Bot, name, permissions);
        with_token(&github, &scene.repository, &secret)
    };
    let reading = api("r", &[("contents", "write"), ("pull_requests", "read")]);
    let status = gitops_test_forges::suite::status;
    let set = gitops_core::gate::Status::Success;
    for (error, expected) in [
        (run(reading.open(&new("release/api", "main"))).unwrap_err(), "Pull requests: write"),
        (run(reading.comment(number, "x")).unwrap_err(), "Pull requests: write"),
        (
            run(reading.set_status(&commit, &status("gitops/x", set, "x"))).unwrap_err(),
            "Commit statuses: write",
        ),
        (run(reading.members("platform")).unwrap_err(), "Members: read"),
    ] {
        let ApiError::Forbidden { permission, token, .. } = &error else { panic!("{error:?}") };
        assert_eq!(permission.as_deref(), Some(expected), "{error}");
        assert_eq!(token.to_string(), "GH_TOKEN");
        assert!(error.to_string().contains("Resource not accessible"), "{error}");
    }
    // A classic token without the scope: GitHub says that nothing is there.
    let secret = github.classic(Who::Bot, "narrow", &["gist"]);
    let classic = with_token(&github, &scene.repository, &secret);
    let error = run(classic.request(number)).unwrap_err();
    let ApiError::Forbidden { permission, .. } = &error else { panic!("{error:?}") };
    assert_eq!(permission.as_deref(), Some("the scope repo"));
    // Who may only read.
    let reader = with_token(&github, &scene.repository, "ghp_carol");
    let error = run(reader.set_status(&commit, &status("gitops/x", set, "x"))).unwrap_err();
    assert!(matches!(error, ApiError::Forbidden { .. }), "{error:?}");
}

#[test]
fn a_repository_that_moved_is_named_whatever_is_asked() {
    let github = GitHub::start();
    let (scene, number, commit) = scene(&github, "moved");
    let to = format!("{}-now", scene.repository);
    github.rename(&scene.repository, &to);
    let api = &scene.api;
    for error in [
        run(api.requests("release/web", "main")).unwrap_err(),
        run(api.request(number)).unwrap_err(),
        run(api.comments(number)).unwrap_err(),
        run(api.comment(number, "x")).unwrap_err(),
        run(api.statuses(&commit)).unwrap_err(),
    ] {
        let expected = format!("acme/{} has moved to acme/{to}", scene.repository);
        assert_eq!(error.to_string(), expected);
    }
}

/// A rejected body says which field, also where GitHub has no words for it.
#[test]
fn what_is_wrong_with_a_request_is_said() {
    let github = GitHub::start();
    let (scene, ..) = scene(&github, "fields");
    for (head, base, expected) in [
        ("release/none", "main", "`head` is invalid"),
        ("release/web", "none", "`base` is invalid"),
        ("main", "main", "No commits between main and main"),
    ] {
        let error = run(scene.api.open(&new(head, base))).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("422"), "{error}");
    }
    let mut long = new("release/web", "main");
    long.head = "release/long".into();
    scene.branch("release/long", &[("x", "y")]);
    long.body = "x".repeat(65_537);
    let error = run(scene.api.open(&long)).unwrap_err().to_string();
    assert!(error.contains("maximum is 65536 characters"), "{error}");
}

/// GraphQL answers 200 where there were too many calls: a short wait is waited for, a
/// long one told.
#[test]
fn a_limit_of_graphql() {
    let github = GitHub::start();
    let (scene, number, _) = scene(&github, "limited");
    github.limit(2, 1);
    let start = std::time::Instant::now();
    assert_eq!(run(scene.api.requests("release/web", "main")).unwrap()[0].number, number);
    assert_eq!(github.seen().len(), 3);
    assert!(start.elapsed() >= std::time::Duration::from_secs(1), "{:?}", start.elapsed());
    github.limit(1, 1800);
    let error = run(scene.api.requests("release/web", "main")).unwrap_err();
    let ApiError::Limited { until: Some(until), .. } = error else { panic!("{error:?}") };
    let seconds = until.as_second() - jiff::Timestamp::now().as_second();
    assert!((1790..=1801).contains(&seconds), "{seconds}");
    assert_eq!(github.seen().len(), 1);
}
