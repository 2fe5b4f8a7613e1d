//! What a forge refuses, in words that lead on.

#![allow(clippy::unwrap_used)]

use gitops_core::gate::Status;
use gitops_forge::{ApiError, Edit};

use super::{Scene, api, error, new, patience, run, status};
use crate::{May, Stage};

/// A repository that is not there is not one without requests.
pub fn what_is_not_there(stage: &dyn Stage) {
    let scene = Scene::new(stage, "there");
    let none = api(stage, "no-such-repository", May::All, &stage.web(), patience());
    let all = [
        error(stage, run(none.requests("release/web", "main"))),
        error(stage, run(none.requests_of(&"1".repeat(40)))),
        error(stage, run(none.open(&new("release/web", "main")))),
        error(stage, run(none.comments(1))),
        error(stage, run(none.statuses(&"1".repeat(40)))),
        error(stage, run(none.protection("main"))),
    ];
    for error in all {
        assert!(matches!(error, ApiError::Missing { .. }), "{error:?}");
        assert!(error.to_string().contains("no-such-repository"), "{error}");
    }
    for error in [
        error(stage, run(scene.api.request(4_711))),
        error(stage, run(scene.api.edit(4_711, &Edit::default()))),
        error(stage, run(scene.api.reviews(4_711))),
        error(stage, run(scene.api.ask(4_711, &["alice".to_owned()]))),
    ] {
        assert!(matches!(error, ApiError::Missing { .. }), "{error:?}");
        assert!(error.to_string().contains("request 4711"), "{error}");
    }
}

/// A token that is unknown, and one that may too little.
pub fn tokens(stage: &dyn Stage) {
    let scene = Scene::new(stage, "tokens");
    let (request, head) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    let wrong = api(stage, &scene.repository, May::Nothing, &stage.web(), patience());
    for error in [
        error(stage, run(wrong.requests("release/web", "main"))),
        error(stage, run(wrong.comment(request.number, "x"))),
    ] {
        assert!(matches!(error, ApiError::Unauthorized { .. }), "{error:?}");
        let source = stage.token(May::Nothing, "").variable;
        assert!(error.to_string().contains(source), "{error}");
    }
    let narrow = api(stage, &scene.repository, May::Read, &stage.web(), patience());
    assert_eq!(run(narrow.requests("release/web", "main")).unwrap().len(), 1);
    let soak = status("gitops/x", Status::Success, "");
    for error in [
        error(stage, run(narrow.comment(request.number, "x"))),
        error(stage, run(narrow.set_status(&head, &soak))),
        error(stage, run(narrow.open(&new("release/web", "main")))),
    ] {
        let ApiError::Forbidden { permission, .. } = &error else { panic!("{error:?}") };
        assert!(permission.as_ref().is_some_and(|wanted| wanted.contains("write")), "{error:?}");
    }
    assert_eq!(run(scene.api.statuses(&head)).unwrap(), []);
}

/// An archived repository.
pub fn archived(stage: &dyn Stage) {
    let scene = Scene::new(stage, "archived");
    let (request, _) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    scene.branch("release/api", &[("envs/api.yaml", "tag: v2\n")]);
    stage.archive(&scene.repository);
    assert_eq!(run(scene.api.requests("release/web", "main")).unwrap()[0].number, request.number);
    for error in [
        error(stage, run(scene.api.open(&new("release/api", "main")))),
        error(stage, run(scene.api.comment(request.number, "x"))),
    ] {
        assert!(matches!(error, ApiError::Archived { .. }), "{error:?}");
        assert!(error.to_string().contains(&scene.repository), "{error}");
    }
}

/// A repository that has another name now.
pub fn renamed(stage: &dyn Stage) {
    let scene = Scene::new(stage, "renamed");
    scene.branch("release/web", &[("envs/prod.yaml", "tag: v2\n")]);
    let to = format!("{}-now", scene.repository);
    stage.rename(&scene.repository, &to);
    for error in [
        error(stage, run(scene.api.requests("release/web", "main"))),
        error(stage, run(scene.api.open(&new("release/web", "main")))),
    ] {
        let ApiError::Moved { to: now, .. } = &error else { panic!("{error:?}") };
        assert_eq!(*now, format!("{}/{to}", stage.owner()));
    }
    let there = api(stage, &to, May::All, &stage.web(), patience());
    assert_eq!(run(there.requests("release/web", "main")).unwrap(), []);
}

/// Nothing to merge, and branches that are not there.
pub fn nothing_to_merge(stage: &dyn Stage) {
    let scene = Scene::new(stage, "nothing");
    scene.git(&["checkout", "-q", "--detach", "main"]);
    for (head, base) in [("release/none", "main"), ("main", "release/none"), ("main", "main")] {
        let error = error(stage, run(scene.api.open(&new(head, base))));
        let told = matches!(error, ApiError::Missing { .. } | ApiError::Refused { .. });
        assert!(told, "{head} {base}: {error:?}");
    }
    assert_eq!(run(scene.api.requests("release/none", "main")).unwrap(), []);
}

/// Texts as long as the limits say are taken as they are.
pub fn over_the_limit(stage: &dyn Stage) {
    let scene = Scene::new(stage, "limits");
    let limits = scene.api.limits();
    scene.branch("release/web", &[("envs/prod.yaml", "tag: v2\n")]);
    let mut request = new("release/web", "main");
    request.title = "é".repeat(limits.title);
    request.body = "é".repeat(limits.body);
    let opened = run(scene.api.open(&request)).unwrap();
    let gitops_forge::Opened::New(opened) = opened else { panic!("{opened:?}") };
    assert_eq!(opened.title.chars().count(), limits.title);
    // Compared without printing them.
    let odd = |text: &str| text.replace('é', "");
    assert_eq!((opened.body.chars().count(), odd(&opened.body)), (limits.body, String::new()));
    let comment = run(scene.api.comment(opened.number, &"é".repeat(limits.comment))).unwrap();
    assert_eq!(comment.body.chars().count(), limits.comment);
    let long = status("gitops/x", Status::Success, &"é".repeat(limits.description));
    run(scene.api.set_status(&opened.head_commit, &long)).unwrap();
    assert_eq!(run(scene.api.statuses(&opened.head_commit)).unwrap(), [long]);
}
