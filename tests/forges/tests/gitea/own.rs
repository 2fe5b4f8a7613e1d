//! What is so on Gitea and nowhere else.

use gitops_core::gate::Status;
use gitops_forge::{ApiError, Edit, MergeMethod, Merged};
use gitops_test_forges::suite::{Scene, api, error, merge, patience, run, status};
use gitops_test_forges::{May, Stage, Who, gitea};
use serde_json::json;

/// Who is in a team is shown to its members alone.
#[test]
fn a_team_of_others() {
    let Some(gitea) = gitea() else { return };
    let scene = Scene::new(gitea, "others");
    gitea.team("others", &[Who::Alice]);
    let error = error(gitea, run(scene.api.members("others")));
    assert!(error.to_string().contains("Must be a team member"), "{error}");
    let ApiError::Forbidden { permission, .. } = error else { panic!("{error:?}") };
    assert_eq!(permission.as_deref(), Some("membership of the team acme/others"));
}

/// A comment on a request that is not there: Gitea answers 500, so that nobody
/// knows.
#[test]
fn a_comment_on_nothing() {
    let Some(gitea) = gitea() else { return };
    let scene = Scene::new(gitea, "nothing");
    let error = error(gitea, run(scene.api.comment(4_711, "x")));
    assert!(matches!(error, ApiError::Unanswered { .. }), "{error:?}");
    assert_eq!(scene.api.made()[0].status, Some(500));
}

/// Statuses as others set them: a word of anybody's own passes nothing.
#[test]
fn words_for_a_status() {
    let Some(gitea) = gitea() else { return };
    let scene = Scene::new(gitea, "words");
    let commit = scene.fetch("main");
    let words = ["success", "warning", "skipped", "failure", "error", "pending", "bogus"];
    for word in words {
        let path = format!("/repos/acme/{}/statuses/{commit}", scene.repository);
        let (code, answer) =
            gitea.call(Who::Alice, "POST", &path, json!({"state": word, "context": word}));
        assert_eq!(code, 201, "{answer}");
    }
    let found = run(scene.api.statuses(&commit)).unwrap();
    assert_eq!(found.len(), words.len());
    for one in found {
        let expected = match one.context.as_str() {
            "success" | "warning" | "skipped" => Status::Success,
            "failure" | "error" => Status::Failure,
            _ => Status::Pending,
        };
        assert_eq!(one.state, expected, "{}", one.context);
    }
}

/// What protects a branch is shown to whoever may read, also by a pattern.
#[test]
fn a_pattern_protects() {
    let Some(gitea) = gitea() else { return };
    let scene = Scene::new(gitea, "pattern");
    scene.push(Who::Alice, "env/eu/prod").unwrap();
    gitea.done(
        201,
        "POST",
        &format!("/repos/acme/{}/branch_protections", scene.repository),
        json!({"rule_name": "env/**", "enable_status_check": true, "enable_push": false,
               "status_check_contexts": ["gitops/gate/*"]}),
    );
    let reading = api(gitea, &scene.repository, May::Read, &gitea.web(), patience());
    for api in [&scene.api, &reading] {
        let found = run(api.protection("env/eu/prod")).unwrap().unwrap();
        assert!(found.required_contexts.contains("gitops/gate/*") && found.no_push, "{found:?}");
        let main = run(api.protection("main")).unwrap().unwrap();
        assert!(main.required_contexts.is_empty() && !main.no_push, "{main:?}");
    }
}

/// A merge that the repository does not allow, and one by somebody who may not.
#[test]
fn a_merge_that_is_not_allowed() {
    let Some(gitea) = gitea() else { return };
    let scene = Scene::new(gitea, "allowed");
    let repository = format!("/repos/acme/{}", scene.repository);
    gitea.done(
        200,
        "PATCH",
        &repository,
        json!({"has_pull_requests": true, "allow_rebase": false}),
    );
    let (request, head) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    let merging = merge(MergeMethod::Rebase, &head);
    let merged = run(scene.api.merge(request.number, &merging)).unwrap();
    assert!(matches!(&merged, Merged::Refused(why) if why.contains("not allowed")), "{merged:?}");
    gitea.done(
        201,
        "POST",
        &format!("{repository}/branch_protections"),
        json!({"rule_name": "main", "enable_merge_whitelist": true,
               "merge_whitelist_usernames": ["alice"]}),
    );
    let merging = merge(MergeMethod::Squash, &head);
    let merged = run(scene.api.merge(request.number, &merging)).unwrap();
    assert!(matches!(&merged, Merged::Refused(why) if why.contains("not allowed")), "{merged:?}");
    // A draft, by its title.
    let edit = Edit { title: Some("WIP: release".into()), ..Edit::default() };
    run(scene.api.edit(request.number, &edit)).unwrap();
    let merged = run(scene.api.merge(request.number, &merging)).unwrap();
    assert!(matches!(merged, Merged::Refused(_)), "{merged:?}");
}

/// A schedule is not pinned: a push leaves it, and the new head is merged by the
/// forge once it has what is required. So only contexts that are ours to set may
/// be relied upon.
#[test]
fn a_schedule_outlives_a_push() {
    let Some(gitea) = gitea() else { return };
    let scene = Scene::new(gitea, "schedule");
    let context = "gitops/gate/prod/web/soak";
    let guard = gitops_test_forges::Guard { contexts: vec![context.into()], ..Default::default() };
    gitea.guard(&scene.repository, "main", &guard);
    let (request, judged) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    let merging = merge(MergeMethod::Squash, &judged);
    run(scene.api.merge_when_ready(request.number, &merging)).unwrap();
    let pushed = scene.branch("release/web", &[("envs/prod.yaml", "tag: v3\n")]);
    // Asked again for the old head, the schedule is taken back.
    let refused = error(gitea, run(scene.api.merge_when_ready(request.number, &merging)));
    assert!(refused.to_string().contains(&pushed), "{refused}");
    let soak = status(context, Status::Success, "");
    run(scene.api.set_status(&pushed, &soak)).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let state = run(scene.api.request(request.number)).unwrap().state;
    assert_eq!(state, gitops_forge::RequestState::Open);
}

/// Gitea's reader of JSON spoils letters of several bytes that its buffer ends in
/// the middle of; escaped ones are read whole.
#[test]
fn long_texts_stay_as_they_are() {
    let Some(gitea) = gitea() else { return };
    let scene = Scene::new(gitea, "letters");
    let (request, _) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    for letter in ['é', '→', '🚀'] {
        for shift in 0..letter.len_utf8() {
            let text = "x".repeat(shift) + &letter.to_string().repeat(20_000);
            let written = run(scene.api.comment(request.number, &text)).unwrap();
            assert!(written.body == text, "{letter} {shift}");
            let edit = Edit { body: Some(text.clone()), ..Edit::default() };
            let edited = run(scene.api.edit(request.number, &edit)).unwrap();
            assert!(edited.body == text, "{letter} {shift}");
        }
    }
}
