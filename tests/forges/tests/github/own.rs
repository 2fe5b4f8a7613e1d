//! What is GitHub's alone: check runs, rulesets, merge queues, auto-merge, and how
//! many calls a promotion takes.

use gitops_core::gate::{Status, Verdict};
use gitops_forge::{ApiError, MergeMethod, Merged};
use gitops_test_forges::github::GitHub;
use gitops_test_forges::suite::{Scene, merge, new, run, status};
use gitops_test_forges::{Guard, Stage, Who};

use super::{scene, with_token};

fn guard(context: &str) -> Guard {
    Guard { contexts: vec![context.to_owned()], ..Guard::default() }
}

#[test]
fn check_runs_are_statuses_too() {
    let github = GitHub::start();
    let (scene, _, commit) = scene(&github, "checks");
    for (name, conclusion) in [
        ("build", Some("success")),
        ("lint", Some("skipped")),
        ("docs", Some("neutral")),
        ("e2e", Some("timed_out")),
        ("old", Some("stale")),
        ("both", Some("success")),
        ("slow", None),
    ] {
        github.check(&scene.repository, &commit, name, conclusion);
    }
    scene.status(&commit, "gitops/x", Status::Success);
    scene.status(&commit, "both", Status::Failure);
    let all = |api: &dyn gitops_forge::Api| {
        let all = run(api.statuses(&commit)).unwrap();
        all.into_iter().map(|one| (one.context, one.state)).collect::<Vec<_>>()
    };
    use Status::{Failure, Pending, Success};
    let expected = [
        ("both", Failure),
        ("build", Success),
        ("docs", Success),
        ("e2e", Failure),
        ("gitops/x", Success),
        ("lint", Success),
        ("old", Pending),
        ("slow", Pending),
    ];
    let own = |list: &[(&str, Status)]| {
        list.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect::<Vec<_>>()
    };
    assert_eq!(all(&*scene.api), own(&expected));
    // Page by page.
    github.cap(2);
    assert_eq!(all(&*scene.api), own(&expected));
    assert_eq!(scene.api.left_out(&commit), None);
    // A token that may not see check runs sees the statuses, and says what it lacks.
    let secret = github.fine(Who::Bot, "statuses", &[("statuses", "read"), ("contents", "read")]);
    let narrow = with_token(&github, &scene.repository, &secret);
    assert_eq!(all(&*narrow), own(&[("both", Failure), ("gitops/x", Success)]));
    let lacks = narrow.left_out(&commit).unwrap();
    assert!(lacks.contains("the token of GH_TOKEN, which lacks `Checks: read`"), "{lacks}");
    github.cap(usize::MAX);
    assert_eq!(github.wrong(), [""; 0]);
}

/// A label that is not there would be made.
#[test]
fn no_label_is_made() {
    let github = GitHub::start();
    let (scene, number, _) = scene(&github, "labels");
    github.label(&scene.repository, "Promotion");
    run(scene.api.requests("release/web", "main")).unwrap();
    let wanted = ["promotion".to_owned(), "typo".to_owned()];
    github.seen();
    assert_eq!(run(scene.api.label(number, &wanted)).unwrap(), ["typo"]);
    assert_eq!(github.seen().len(), 1);
    let path = format!("/repos/acme/{}/labels/typo", scene.repository);
    assert_eq!(github.call("root", "GET", &path, serde_json::Value::Null).0, 404);
}

#[test]
fn rulesets_and_what_may_not_be_seen() {
    let github = GitHub::start();
    let scene = Scene::new(&github, "rules");
    let protection = || run(scene.api.protection("main")).unwrap();
    let open = protection().unwrap();
    assert_eq!((open.required_contexts.len(), open.queue, open.no_push), (0, false, false));
    let both = Guard { approvals: 2, no_push: true, ..guard("gitops/gate/*") };
    github.ruleset(&scene.repository, "main", &both, true);
    let found = protection().unwrap();
    assert_eq!(found.required_contexts.into_iter().collect::<Vec<_>>(), ["gitops/gate/*"]);
    assert_eq!((found.required_approvals, found.queue, found.no_push), (2, true, true));
    // Protected, and how is for administrators alone: that is not "nothing".
    github.hidden(&scene.repository, "main", &both);
    assert_eq!(protection().map(|found| found.required_approvals), None);
    let came = run(scene.api.protection("none"));
    assert!(matches!(came, Err(ApiError::Missing { .. })), "{came:?}");
}

#[test]
fn auto_merge_waits_for_what_is_required() {
    let github = GitHub::start();
    let (scene, number, commit) = scene(&github, "auto");
    github.guard(&scene.repository, "main", &guard("gitops/x"));
    let wanted = merge(MergeMethod::Squash, &commit);
    run(scene.api.merge_when_ready(number, &wanted)).unwrap();
    github.seen();
    // Asked twice is asked once.
    run(scene.api.merge_when_ready(number, &wanted)).unwrap();
    assert_eq!(github.seen().len(), 1);
    // With other words it is set anew.
    let other = gitops_forge::Merge { title: "Other".into(), ..wanted.clone() };
    run(scene.api.merge_when_ready(number, &other)).unwrap();
    scene.status(&commit, "gitops/x", Status::Success);
    let merged = run(scene.api.request(number)).unwrap();
    assert_eq!(merged.state, gitops_forge::RequestState::Merged);
    scene.git(&["fetch", "-q", &github.remote(&scene.repository, Who::Bot), "main"]);
    assert_eq!(scene.git(&["log", "-1", "--format=%s", "FETCH_HEAD"]), "Other");
    run(scene.api.merge_when_ready(number, &other)).unwrap();
}

#[test]
fn auto_merge_where_nothing_is_missing_or_it_is_not_allowed() {
    let github = GitHub::start();
    let (scene, number, commit) = scene(&github, "ready");
    github.guard(&scene.repository, "main", &guard("gitops/x"));
    github.allow(&scene.repository, false, true);
    let wanted = merge(MergeMethod::Merge, &commit);
    let error = run(scene.api.merge_when_ready(number, &wanted)).unwrap_err().to_string();
    assert!(error.contains("auto-merge is switched off in this repository"), "{error}");
    github.allow(&scene.repository, true, true);
    let stale = merge(MergeMethod::Merge, &"0".repeat(40));
    let error = run(scene.api.merge_when_ready(number, &stale)).unwrap_err().to_string();
    assert!(error.contains("not the commit that was judged"), "{error}");
    // GitHub has no auto-merge for what is ready: it is merged.
    scene.status(&commit, "gitops/x", Status::Success);
    run(scene.api.merge_when_ready(number, &wanted)).unwrap();
    let state = run(scene.api.request(number)).unwrap().state;
    assert_eq!(state, gitops_forge::RequestState::Merged);
}

#[test]
fn a_merge_queue_is_used() {
    let github = GitHub::start();
    let (scene, number, commit) = scene(&github, "queue");
    github.ruleset(&scene.repository, "main", &guard("gitops/x"), true);
    scene.status(&commit, "gitops/x", Status::Success);
    let wanted = merge(MergeMethod::Squash, &commit);
    let came = run(scene.api.merge(number, &wanted)).unwrap();
    let Merged::Refused(why) = &came else { panic!("{came:?}") };
    assert!(why.contains("Changes must be made through the merge queue"), "{why}");
    run(scene.api.merge_when_ready(number, &wanted)).unwrap();
    let state = run(scene.api.request(number)).unwrap().state;
    assert_eq!(state, gitops_forge::RequestState::Merged);
    let sent = github.seen();
    assert!(sent.iter().any(|one| one.body["query"].to_string().contains("enqueuePullRequest")));
}

#[test]
fn merges_that_are_refused() {
    let github = GitHub::start();
    let (scene, number, commit) = scene(&github, "refused");
    let squash = merge(MergeMethod::Squash, &commit);
    github.allow(&scene.repository, true, false);
    let came = run(scene.api.merge(number, &squash)).unwrap();
    let expected = "Squash merges are not allowed on this repository.";
    assert_eq!(came, Merged::Refused(expected.to_owned()));
    github.allow(&scene.repository, true, true);
    // Somebody pushes to the base while it is merged: true on the disk, not a script.
    github.move_base(number);
    assert_eq!(run(scene.api.merge(number, &squash)).unwrap(), Merged::BaseMoved);
    let approvals = Guard { approvals: 1, ..Guard::default() };
    github.guard(&scene.repository, "main", &approvals);
    let came = run(scene.api.merge(number, &squash)).unwrap();
    let Merged::NotYet(why) = &came else { panic!("{came:?}") };
    assert!(why.contains("At least 1 approving review is required"), "{why}");
    github.review(&scene.repository, number, Who::Alice, Verdict::Approved).unwrap();
    assert!(matches!(run(scene.api.merge(number, &squash)).unwrap(), Merged::Done(Some(_))));
    // Once more: it is done.
    assert!(matches!(run(scene.api.merge(number, &squash)).unwrap(), Merged::Done(Some(_))));
}

#[test]
fn approvals_of_older_commits_and_readers() {
    let github = GitHub::start();
    let (scene, number, commit) = scene(&github, "reviews");
    for who in [Who::Alice, Who::Carol] {
        github.review(&scene.repository, number, who, Verdict::Approved).unwrap();
    }
    github.dismiss_stale(&scene.repository, "main");
    let all = || {
        let all = run(scene.api.reviews(number)).unwrap();
        all.into_iter().map(|one| (one.user, one.verdict, one.counts)).collect::<Vec<_>>()
    };
    let expected =
        |verdict| vec![("alice".to_owned(), verdict, true), ("carol".to_owned(), verdict, false)];
    assert_eq!(all(), expected(Verdict::Approved));
    let newer = scene.branch("release/web", &[("envs/prod.yaml", "tag: v3\n")]);
    assert_ne!(newer, commit);
    assert_eq!(run(scene.api.request(number)).unwrap().head_commit, newer);
    assert_eq!(all(), expected(Verdict::Dismissed));
}

/// A new request takes six calls, one that stands three; each is listed.
#[test]
fn how_many_calls() {
    let github = GitHub::start();
    let scene = Scene::new(&github, "calls");
    github.label(&scene.repository, "promotion");
    let commit = scene.branch("release/web", &[("envs/prod.yaml", "tag: v2\n")]);
    let api = with_token(&github, &scene.repository, "ghp_bot");
    assert_eq!(run(api.requests("release/web", "main")).unwrap(), []);
    assert_eq!(run(api.me()).unwrap().as_deref(), Some("bot"));
    let opened = run(api.open(&new("release/web", "main"))).unwrap();
    let gitops_forge::Opened::New(request) = opened else { panic!("{opened:?}") };
    run(api.label(request.number, &["promotion".to_owned()])).unwrap();
    assert_eq!(run(api.ask(request.number, &["alice".to_owned()])).unwrap(), [""; 0]);
    run(api.comment(request.number, "x")).unwrap();
    run(api.set_status(&commit, &status("gitops/x", Status::Pending, "x"))).unwrap();
    let made: Vec<String> = api.made().iter().map(ToString::to_string).collect();
    assert_eq!(
        made,
        [
            "POST GraphQL Requests 200",
            "POST /repos/{owner}/{repo}/pulls 201",
            "POST /repos/{owner}/{repo}/issues/{issue_number}/labels 200",
            "POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers 201",
            "POST /repos/{owner}/{repo}/issues/{issue_number}/comments 201",
            "POST /repos/{owner}/{repo}/statuses/{sha} 201",
        ]
    );

    let again = with_token(&github, &scene.repository, "ghp_bot");
    run(again.requests("release/web", "main")).unwrap();
    run(again.me()).unwrap();
    run(again.comments(request.number)).unwrap();
    run(again.statuses(&commit)).unwrap();
    assert_eq!(again.calls(), 3, "{:?}", again.made());
}

/// What is not as GitHub describes it is an answer that no program takes for a success.
#[test]
fn the_contract_is_held() {
    use gitops_test_forges::github::contract;
    if contract().is_none() {
        return;
    }
    let github = GitHub::start();
    let (scene, number, _) = scene(&github, "contract");
    let path = format!("/repos/acme/{}/pulls/{number}", scene.repository);
    for (body, expected) in [
        (serde_json::json!({"titel": "x"}), "'titel'"),
        (serde_json::json!({"title": 7}), "is not of type"),
        (serde_json::json!({"state": "merged"}), "is not one of"),
    ] {
        let (status, answer) = github.call("bot", "PATCH", &path, body);
        let words = answer["message"].as_str().unwrap();
        assert!(status == 500 && words.contains(expected), "{status} {words}");
    }
    assert_eq!(github.wrong().len(), 3, "{:?}", github.wrong());
    let intruder = "query Q { viewer { login, nosuch } }";
    let wrong = contract().unwrap().document(intruder);
    assert!(wrong[0].contains("nosuch"), "{wrong:?}");
}
