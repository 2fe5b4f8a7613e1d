//! What stands in between fails: one effect an intent all the same, once the
//! state was read back.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use gitops_core::gate::{Status, Verdict};
use gitops_forge::{Api, ApiError, Edit, MergeMethod, Merged, Opened, Patience, RequestState};

use super::{Scene, api, error, merge, new, patience, run, status};
use crate::{Fault, Faults, May, Stage, Who};

/// Nobody knows whether it took effect.
fn unanswered<T: std::fmt::Debug>(stage: &dyn Stage, came: Result<T, ApiError>) {
    let error = error(stage, came);
    assert!(matches!(error, ApiError::Unanswered { .. }), "{error:?}");
}

/// A request with its branch, by way of a proxy.
fn scene<'a>(stage: &'a dyn Stage, name: &str) -> (Scene<'a>, Faults, Box<dyn Api>, String) {
    let scene = Scene::new(stage, name);
    let head = scene.branch("release/web", &[("envs/prod.yaml", "tag: v2\n")]);
    let faults = Faults::before(&stage.web());
    let api = scene.through(&faults);
    (scene, faults, api, head)
}

/// Writes that never came to the forge are not sent again by themselves.
pub fn writes_that_fail(stage: &dyn Stage) {
    let (_scene, faults, api, head) = scene(stage, "before");
    faults.fail("POST", "/pulls", Fault::Before, 1);
    unanswered(stage, run(api.open(&new("release/web", "main"))));
    assert_eq!(run(api.requests("release/web", "main")).unwrap(), []);
    let opened = run(api.open(&new("release/web", "main"))).unwrap();
    let Opened::New(request) = opened else { panic!("{opened:?}") };
    faults.fail("POST", "/comments", Fault::Before, 1);
    unanswered(stage, run(api.comment(request.number, "x")));
    assert_eq!(run(api.comments(request.number)).unwrap(), []);
    faults.fail("PATCH", "/pulls/", Fault::Before, 1);
    let edit = Edit { title: Some("new".into()), ..Edit::default() };
    unanswered(stage, run(api.edit(request.number, &edit)));
    faults.fail("POST", "/statuses/", Fault::Before, 1);
    unanswered(stage, run(api.set_status(&head, &status("x", Status::Success, ""))));
    assert_eq!(run(api.statuses(&head)).unwrap(), []);
    let found = run(api.requests("release/web", "main")).unwrap();
    assert_eq!((found.len(), &found[0].title), (1, &request.title));
}

/// Writes that took effect, and whose answer was lost: what is read back says so,
/// and asking again makes no second one.
pub fn writes_whose_answer_is_lost(stage: &dyn Stage) {
    for fault in [Fault::After, Fault::Cut, Fault::Lost] {
        let (scene, faults, api, head) = scene(stage, "after");
        faults.fail("POST", "/pulls", fault.clone(), 1);
        unanswered(stage, run(api.open(&new("release/web", "main"))));
        let found = run(api.requests("release/web", "main")).unwrap();
        assert_eq!(found.len(), 1, "{fault:?}");
        let again = run(api.open(&new("release/web", "main"))).unwrap();
        assert!(matches!(&again, Opened::Stood(stood) if stood.number == found[0].number));
        assert_eq!(faults.effects("POST", "/pulls"), 1);
        let number = found[0].number;

        faults.fail("POST", "/comments", fault.clone(), 1);
        unanswered(stage, run(api.comment(number, "once")));
        let comments = run(api.comments(number)).unwrap();
        assert_eq!(comments.len(), 1, "{fault:?}: {comments:?}");

        faults.fail("POST", "/statuses/", fault.clone(), 1);
        unanswered(stage, run(api.set_status(&head, &status("x", Status::Success, ""))));
        assert_eq!(run(api.statuses(&head)).unwrap().len(), 1, "{fault:?}");

        // A forge that answers a merge with nothing at all cannot be cut.
        let method = if fault == Fault::Cut { Fault::After } else { fault.clone() };
        faults.fail("POST", "/merge", method.clone(), 1);
        faults.fail("PUT", "/merge", method, 1);
        let merging = merge(MergeMethod::Squash, &head);
        unanswered(stage, run(api.merge(number, &merging)));
        assert_eq!(run(api.request(number)).unwrap().state, RequestState::Merged, "{fault:?}");
        let main = scene.fetch("main");
        let again = run(api.merge(number, &merging)).unwrap();
        assert_eq!(again, Merged::Done(Some(main.clone())), "{fault:?}");
        assert_eq!(scene.fetch("main"), main);
    }
}

/// A forge that asks to wait did nothing: what it was asked is sent again then.
pub fn asked_to_wait(stage: &dyn Stage) {
    let (scene, faults, api, head) = scene(stage, "wait");
    faults.fail("POST", "/pulls", Fault::TooMany(1), 1);
    let opened = run(api.open(&new("release/web", "main"))).unwrap();
    let Opened::New(request) = opened else { panic!("{opened:?}") };
    assert_eq!(faults.effects("POST", "/pulls"), 1);
    faults.fail("POST", "/statuses/", Fault::Forbidden(1), 2);
    run(api.set_status(&head, &status("x", Status::Success, ""))).unwrap();
    assert_eq!(faults.effects("POST", &format!("/statuses/{head}")), 1);
    faults.fail("GET", "/comments", Fault::TooMany(1), 1);
    assert_eq!(run(api.comments(request.number)).unwrap(), []);
    // Longer than one waits, or more often.
    faults.fail("POST", "/comments", Fault::TooMany(3_600), 1);
    let limited = error(stage, run(api.comment(request.number, "x")));
    assert!(matches!(limited, ApiError::Limited { until: Some(_), .. }), "{limited:?}");
    faults.fail("POST", "/comments", Fault::Forbidden(0), 9);
    let limited = error(stage, run(api.comment(request.number, "x")));
    assert!(matches!(limited, ApiError::Limited { .. }), "{limited:?}");
    assert_eq!(run(scene.api.comments(request.number)).unwrap(), []);
}

/// Every list is read to its end, whatever a page holds.
pub fn pages_of_one(stage: &dyn Stage) {
    let (scene, faults, api, head) = scene(stage, "pages");
    faults.page_of_one();
    let request = scene.open("release/web");
    for number in 0..4 {
        run(api.comment(request.number, &format!("comment {number}"))).unwrap();
        let context = format!("gitops/{number}");
        run(api.set_status(&head, &status(&context, Status::Success, ""))).unwrap();
    }
    let comments = run(api.comments(request.number)).unwrap();
    let bodies: Vec<_> = comments.into_iter().map(|comment| comment.body).collect();
    assert_eq!(bodies, ["comment 0", "comment 1", "comment 2", "comment 3"]);
    assert_eq!(run(api.statuses(&head)).unwrap().len(), 4);
    for who in [Who::Alice, Who::Bob, Who::Carol] {
        stage.review(&scene.repository, request.number, who, Verdict::Approved).unwrap();
    }
    assert_eq!(run(api.reviews(request.number)).unwrap().len(), 3);
    stage.team("paged", &[Who::Alice, Who::Bob, Who::Bot]);
    assert_eq!(run(api.members("paged")).unwrap().len(), 3);
}

/// Reads go through what is slow or cut, up to a bound.
pub fn slow_and_cut(stage: &dyn Stage) {
    let (scene, faults, api_, _) = scene(stage, "slow");
    let request = scene.open("release/web");
    let (method, path) = stage.finding();
    faults.fail(method, path, Fault::Slow(Duration::from_millis(500)), 1);
    faults.fail(method, path, Fault::Cut, 1);
    faults.fail(method, path, Fault::Before, 1);
    let found = run(api_.requests("release/web", "main")).unwrap();
    assert_eq!(found[0].number, request.number);
    // Slower than one waits.
    let short = Patience { answer: Duration::from_millis(700), tries: 2, ..patience() };
    let web = faults.web();
    let hasty = api(stage, &scene.repository, May::All, &web, short);
    faults.fail("GET", "/comments", Fault::Slow(Duration::from_secs(5)), 2);
    unanswered(stage, run(hasty.comments(request.number)));
    faults.fail("GET", "/comments", Fault::Lost, 9);
    unanswered(stage, run(api_.comments(request.number)));
}

/// A page of HTML is not the forge.
pub fn another_page(stage: &dyn Stage) {
    let (scene, faults, api, _) = scene(stage, "page");
    let (method, path) = stage.finding();
    faults.fail(method, path, Fault::Page, 1);
    let wrong = error(stage, run(api.requests("release/web", "main")));
    assert!(matches!(wrong, ApiError::NotTheApi { .. }), "{wrong:?}");
    assert!(wrong.to_string().contains("text/html"), "{wrong}");
    faults.fail("POST", "/pulls", Fault::Page, 1);
    let wrong = error(stage, run(api.open(&new("release/web", "main"))));
    assert!(matches!(wrong, ApiError::NotTheApi { .. }), "{wrong:?}");
    assert_eq!(run(scene.api.requests("release/web", "main")).unwrap(), []);
}
