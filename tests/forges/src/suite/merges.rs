//! Merging, and what stands in its way.

#![allow(clippy::unwrap_used)]

use gitops_core::gate::Status;
use gitops_forge::{Edit, MergeMethod, Merged, RequestState};

use super::{Scene, error, merge, run, status, until};
use crate::{Guard, Stage};

/// Each way leaves what it should on `main`, with our words.
pub fn by_each_method(stage: &dyn Stage) {
    for method in [MergeMethod::Squash, MergeMethod::Merge, MergeMethod::Rebase] {
        let scene = Scene::new(stage, "methods");
        let base = scene.fetch("main");
        let (request, head) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
        let merged = run(scene.api.merge(request.number, &merge(method, &head))).unwrap();
        let Merged::Done(commit) = merged else { panic!("{method:?}: {merged:?}") };
        let main = scene.fetch("main");
        assert_eq!(scene.git(&["show", "FETCH_HEAD:envs/prod.yaml"]), "tag: v2");
        assert_eq!(commit.as_ref(), Some(&main), "{method:?}");
        let parents = scene.git(&["log", "-1", "--format=%P", "FETCH_HEAD"]);
        let message = scene.git(&["log", "-1", "--format=%B", "FETCH_HEAD"]);
        match method {
            MergeMethod::Squash => assert_eq!(parents, base),
            MergeMethod::Merge => assert_eq!(parents, format!("{base} {head}")),
            MergeMethod::Rebase => assert_eq!(parents, base),
        }
        match method {
            MergeMethod::Rebase => assert!(message.starts_with("a change"), "{message}"),
            _ => {
                assert!(message.starts_with("Release web in prod\n\nBecause."), "{message}");
                assert!(message.contains("\nPromoted-From: uat\nPlan-Digest: sha256:0a"));
            }
        }
        let after = run(scene.api.request(request.number)).unwrap();
        assert_eq!((after.state, after.head_commit), (RequestState::Merged, head));
        assert_eq!(after.merge_commit, Some(main));
    }
}

/// A head that was not judged is not merged.
pub fn a_moved_head(stage: &dyn Stage) {
    let scene = Scene::new(stage, "head");
    let (request, judged) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    let base = scene.fetch("main");
    let moved = scene.branch("release/web", &[("envs/prod.yaml", "tag: evil\n")]);
    for method in [MergeMethod::Squash, MergeMethod::Merge, MergeMethod::Rebase] {
        let merged = run(scene.api.merge(request.number, &merge(method, &judged))).unwrap();
        assert_eq!(merged, Merged::HeadMoved);
    }
    assert_eq!(scene.fetch("main"), base);
    let squash = merge(MergeMethod::Squash, &judged);
    error(stage, run(scene.api.merge_when_ready(request.number, &squash)));
    let merged = run(scene.api.merge(request.number, &merge(MergeMethod::Squash, &moved))).unwrap();
    assert!(matches!(merged, Merged::Done(_)), "{merged:?}");
}

/// A base that moved elsewhere is no hindrance.
pub fn a_moved_base(stage: &dyn Stage) {
    let scene = Scene::new(stage, "base");
    let (one, first) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    let (two, second) = scene.request("release/api", "envs/api.yaml", "tag: v2\n");
    for (request, head) in [(one, first), (two, second)] {
        let merge = merge(MergeMethod::Squash, &head);
        let mut merged = run(scene.api.merge(request.number, &merge)).unwrap();
        for _ in 0..5 {
            if merged != Merged::BaseMoved {
                break;
            }
            merged = run(scene.api.merge(request.number, &merge)).unwrap();
        }
        assert!(matches!(merged, Merged::Done(_)), "{merged:?}");
    }
    assert_eq!(scene.file("main", "envs/prod.yaml"), "tag: v2");
    assert_eq!(scene.file("main", "envs/api.yaml"), "tag: v2");
}

/// A conflict is told from "not yet".
pub fn a_conflict(stage: &dyn Stage) {
    let scene = Scene::new(stage, "conflict");
    let (one, first) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    let (two, second) = scene.request("hotfix/web", "envs/prod.yaml", "tag: v3\n");
    let merged = run(scene.api.merge(two.number, &merge(MergeMethod::Squash, &second))).unwrap();
    assert!(matches!(merged, Merged::Done(_)), "{merged:?}");
    let main = scene.fetch("main");
    for method in [MergeMethod::Squash, MergeMethod::Merge, MergeMethod::Rebase] {
        let merged = run(scene.api.merge(one.number, &merge(method, &first))).unwrap();
        assert_eq!(merged, Merged::Conflict, "{method:?}");
    }
    assert_eq!(scene.fetch("main"), main);
}

/// What the forge requires itself is waited for.
pub fn not_ready_yet(stage: &dyn Stage) {
    let scene = Scene::new(stage, "required");
    let context = "gitops/gate/prod/web/soak";
    let guard = Guard { contexts: vec![context.into()], ..Guard::default() };
    stage.guard(&scene.repository, "main", &guard);
    let (request, head) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    let base = scene.fetch("main");
    let merging = merge(MergeMethod::Squash, &head);
    for state in [None, Some(Status::Pending), Some(Status::Failure)] {
        if let Some(state) = state {
            scene.status(&head, context, state);
        }
        let merged = run(scene.api.merge(request.number, &merging)).unwrap();
        assert!(matches!(&merged, Merged::NotYet(why) if why.len() > 5), "{state:?} {merged:?}");
    }
    assert_eq!(scene.fetch("main"), base);
    scene.status(&head, context, Status::Success);
    let merged = run(scene.api.merge(request.number, &merging)).unwrap();
    assert!(matches!(merged, Merged::Done(_)), "{merged:?}");
}

/// The forge merges by itself once what it requires is there.
pub fn when_it_is_ready(stage: &dyn Stage) {
    let scene = Scene::new(stage, "ready");
    let context = "gitops/gate/prod/web/soak";
    let guard = Guard { contexts: vec![context.into()], ..Guard::default() };
    stage.guard(&scene.repository, "main", &guard);
    let (request, head) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    scene.status(&head, context, Status::Pending);
    let merging = merge(MergeMethod::Squash, &head);
    for _ in 0..2 {
        run(scene.api.merge_when_ready(request.number, &merging)).unwrap();
        let state = run(scene.api.request(request.number)).unwrap().state;
        assert_eq!(state, RequestState::Open);
    }
    run(scene.api.set_status(&head, &status(context, Status::Success, "done"))).unwrap();
    until("the request is merged", || {
        run(scene.api.request(request.number)).unwrap().state == RequestState::Merged
    });
    scene.fetch("main");
    let message = scene.git(&["log", "-1", "--format=%B", "FETCH_HEAD"]);
    assert!(message.starts_with("Release web in prod\n\nBecause."), "{message}");
    assert!(message.contains("Plan-Digest: sha256:0a"), "{message}");
}

/// One that is merged stays so, and one that is closed is not merged.
pub fn once_it_is_over(stage: &dyn Stage) {
    let scene = Scene::new(stage, "over");
    let (request, head) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    let merging = merge(MergeMethod::Squash, &head);
    let first = run(scene.api.merge(request.number, &merging)).unwrap();
    assert!(matches!(first, Merged::Done(Some(_))), "{first:?}");
    let main = scene.fetch("main");
    assert_eq!(run(scene.api.merge(request.number, &merging)).unwrap(), first);
    assert_eq!(scene.fetch("main"), main);
    let (closed, head) = scene.request("release/api", "envs/api.yaml", "tag: v2\n");
    let edit = Edit { open: Some(false), ..Edit::default() };
    run(scene.api.edit(closed.number, &edit)).unwrap();
    let merging = merge(MergeMethod::Squash, &head);
    let merged = run(scene.api.merge(closed.number, &merging)).unwrap();
    assert!(matches!(&merged, Merged::Refused(_)), "{merged:?}");
    assert_eq!(scene.fetch("main"), main);
}

/// Four requests merged at the same moment: each lands once, or says that the
/// base moved and lands when it is asked again.
pub fn many_at_once(stage: &dyn Stage) {
    let scene = Scene::new(stage, "race");
    let requests: Vec<_> = (0..4)
        .map(|app| {
            let path = format!("envs/app{app}.yaml");
            scene.request(&format!("release/app{app}"), &path, "tag: v2\n")
        })
        .collect();
    let land = |(request, head): &(gitops_forge::Request, String)| {
        let merging = merge(MergeMethod::Squash, head);
        for _ in 0..40 {
            match run(scene.api.merge(request.number, &merging)).unwrap() {
                Merged::Done(_) => return,
                Merged::BaseMoved | Merged::NotYet(_) => {}
                other => panic!("{other:?}"),
            }
        }
        panic!("request {} does not land", request.number);
    };
    let land = &land;
    std::thread::scope(|scope| {
        for request in &requests {
            scope.spawn(move || land(request));
        }
    });
    scene.fetch("main");
    assert_eq!(scene.git(&["rev-list", "--count", "FETCH_HEAD"]), "5");
    let files = scene.git(&["ls-tree", "--name-only", "FETCH_HEAD", "envs/"]);
    for app in 0..4 {
        assert!(files.contains(&format!("envs/app{app}.yaml")), "{files}");
    }
}
