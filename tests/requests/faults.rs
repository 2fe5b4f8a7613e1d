//! Forges and tokens that fail.

use gitops_forge::RequestState;
use gitops_test_forges::{Fault, May, Stage as Forge};

use crate::world::{World, says};

pub fn one_effect_an_intent(forge: &'static dyn Forge) {
    for fault in [Fault::After, Fault::Before, Fault::Lost, Fault::Cut] {
        let mut world = World::new(forge);
        world.set("dev", "web", "v2");
        let faults = world.through_faults();
        for (method, path) in
            [("POST", "/pulls"), ("POST", "/comments"), ("POST", "/statuses/"), ("POST", "/labels")]
        {
            faults.fail(method, path, fault.clone(), 1);
        }
        // It comes to its end at once, or in the next run.
        for _ in 0..4 {
            if world.gitops("promote web --to prod").status == 0 {
                break;
            }
        }
        let said = world.ends(0, "promote web --to prod");
        says(&said.stdout, &["unchanged"]);
        let request = world.request("web", "prod");
        assert_eq!(request.state, RequestState::Open);
        assert_eq!(world.comments(request.number).len(), 1, "{fault:?}");
        assert_eq!(world.statuses(&request.head_commit).len(), 1, "{fault:?}");
    }
}

pub fn a_token_that_will_not_do(forge: &'static dyn Forge) {
    let mut world = World::new(forge);
    world.set("dev", "web", "v2");
    let web = forge.web();
    world.token(May::Nothing, &web);
    let secret = forge.token(May::Nothing, &web).secret;
    let said = world.ends(3, "promote web --to plain");
    says(
        &said.stderr,
        &["could not look for the request", forge.token(May::Nothing, &web).variable],
    );
    assert!(!said.stderr.contains(&secret) && !said.stdout.contains(&secret));
    // Nothing was done that would have to be undone.
    assert_eq!(world.tip("release/web/plain"), "");
    world.token(May::Read, &web);
    let said = world.gitops("promote web --to plain");
    assert_eq!(said.status, 3, "{}{}", said.stdout, said.stderr);
    says(&said.stderr, &["may not", "permission"]);
    // With a better one it goes on from there.
    world.token(May::All, &web);
    world.ends(0, "promote web --to plain");
    world.request("web", "plain");
}

pub fn an_unknown_label_is_told(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    world.pull();
    let text = std::fs::read_to_string(world.here.repo().join("gitops.yaml")).unwrap();
    world.write(
        "gitops.yaml",
        &text.replace(
            "labels: [promotion], reviewers: [alice]",
            "labels: [promotion, nope], reviewers: [nobody]",
        ),
    );
    world.publish("labels");
    let said = world.ends(0, "promote web --to plain");
    says(&said.stderr, &["`nope`", "`nobody` cannot be asked to review"]);
    let request = world.request("web", "plain");
    assert_eq!(request.labels.iter().collect::<Vec<_>>(), ["promotion"]);
    world.comment(request.number);
}
