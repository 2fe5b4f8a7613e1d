//! What is so on Gitea and nowhere else.

use gitops_core::gate::Status;
use gitops_forge::{Api, ApiError, Edit, ForgeToken, MergeMethod, Merged, Settings, connect};
use gitops_test_forges::suite::{Scene, api, error, merge, new, patience, run, status, until};
use gitops_test_forges::{Gitea, May, Stage, Who, gitea};
use jiff::Timestamp;
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

/// What the bot's token with these scopes sees of a repository.
fn with_scopes(gitea: &Gitea, scene: &Scene<'_>, scopes: &[&str]) -> Box<dyn Api> {
    let secret = gitea.new_token("bot", scopes);
    let token = ForgeToken { secret, ..gitea.token(May::All, &gitea.web()) };
    let settings = Settings { patience: patience(), ..Settings::new("tests", Timestamp::now) };
    connect(&gitea.forge(&scene.repository), &token, &settings).unwrap()
}

/// The scopes that are enough, and what is missing without one.
#[test]
fn the_least_that_a_token_needs() {
    let Some(gitea) = gitea() else { return };
    let scene = Scene::new(gitea, "scopes");
    gitea.team("scoped", &[Who::Alice, Who::Bot]);
    gitea.label(&scene.repository, "promotion");
    let head = scene.branch("release/web", &[("envs/prod.yaml", "tag: v2\n")]);
    let enough = ["write:repository", "write:issue", "read:user", "read:organization"];
    let api = with_scopes(gitea, &scene, &enough);
    let opened = run(api.open(&new("release/web", "main"))).unwrap();
    let gitops_forge::Opened::New(request) = opened else { panic!("{opened:?}") };
    let names = |name: &str| [name.to_owned()];
    assert_eq!(run(api.label(request.number, &names("promotion"))).unwrap(), [""; 0]);
    assert_eq!(run(api.ask(request.number, &names("alice"))).unwrap(), [""; 0]);
    let comment = run(api.comment(request.number, "x")).unwrap();
    run(api.edit_comment(comment.id, "y")).unwrap();
    run(api.set_status(&head, &status("x", Status::Success, ""))).unwrap();
    assert_eq!(run(api.me()).unwrap().as_deref(), Some("bot"));
    assert_eq!(run(api.members("scoped")).unwrap().len(), 2);
    assert_eq!(run(api.requests_of(&head)).unwrap().len(), 1);
    assert!(run(api.authors(std::slice::from_ref(&head))).unwrap().contains("bot"));
    assert!(run(api.protection("main")).unwrap().is_some());

    let wanted = |without: &str, call: &dyn Fn(&dyn Api) -> Result<(), ApiError>| {
        let scopes: Vec<&str> = enough.iter().copied().filter(|one| *one != without).collect();
        let came = call(&*with_scopes(gitea, &scene, &scopes));
        match error(gitea, came) {
            ApiError::Forbidden { permission, .. } => permission.unwrap_or_default(),
            other => panic!("{other:?}"),
        }
    };
    let comment = |api: &dyn Api| run(api.comment(request.number, "z")).map(drop);
    assert_eq!(wanted("write:issue", &comment), "write:issue");
    let edit = Edit { title: Some("z".into()), ..Edit::default() };
    let edit = |api: &dyn Api| run(api.edit(request.number, &edit)).map(drop);
    assert_eq!(wanted("write:repository", &edit), "write:repository");
    let me = |api: &dyn Api| run(api.me()).map(drop);
    assert_eq!(wanted("read:user", &me), "read:user");
    let members = |api: &dyn Api| run(api.members("scoped")).map(drop);
    assert_eq!(wanted("read:organization", &members), "read:organization");

    let merged = run(api.merge(request.number, &merge(MergeMethod::Squash, &head))).unwrap();
    assert!(matches!(merged, Merged::Done(Some(_))), "{merged:?}");
}

/// The owners of files are asked for a review when a request is opened, by the
/// regular expressions of the base branch; that holds up no merge.
#[test]
fn owners_are_asked() {
    let Some(gitea) = gitea() else { return };
    let scene = Scene::new(gitea, "owners");
    scene.git(&["checkout", "-q", "main"]);
    scene.commit(Who::Alice, &[("CODEOWNERS", "envs/prod\\..* @bob\nREADME.* @carol\n")]);
    scene.push(Who::Alice, "main").unwrap();
    let (request, head) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    until("the owner is asked", || {
        let asked = run(scene.api.request(request.number)).unwrap().reviewers;
        asked.into_iter().eq(["bob".to_owned()])
    });
    let merged = run(scene.api.merge(request.number, &merge(MergeMethod::Squash, &head))).unwrap();
    assert!(matches!(merged, Merged::Done(_)), "{merged:?}");
}
