//! Reviews, teams, authors, and what guards a branch.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use gitops_core::gate::Verdict;
use gitops_forge::ApiError;

use super::{Scene, error, run};
use crate::{Guard, Stage, Who};

/// Who said what, of which commit, and whether it counts.
pub fn reviews(stage: &dyn Stage) {
    let scene = Scene::new(stage, "reviews");
    let (request, first) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    let reviews = || run(scene.api.reviews(request.number)).unwrap();
    assert_eq!(reviews(), []);
    // One that is asked for is not one that came.
    run(scene.api.ask(request.number, &["bob".to_owned()])).unwrap();
    assert_eq!(reviews(), []);
    let say = |who, verdict| stage.review(&scene.repository, request.number, who, verdict).unwrap();
    say(Who::Carol, Verdict::Approved);
    say(Who::Alice, Verdict::ChangesRequested);
    say(Who::Bob, Verdict::Commented);
    say(Who::Alice, Verdict::Approved);
    let last = |who: Who| {
        let all = reviews();
        let found = all.into_iter().rfind(|review| review.user == who.login());
        found.map(|review| (review.verdict, review.head, review.counts)).unwrap()
    };
    assert_eq!(last(Who::Alice), (Verdict::Approved, first.clone(), true));
    assert_eq!(last(Who::Bob).0, Verdict::Commented);
    // Somebody who may only read.
    assert_eq!(last(Who::Carol), (Verdict::Approved, first.clone(), false));

    let second = scene.branch("release/web", &[("envs/prod.yaml", "tag: v3\n")]);
    assert_eq!(run(scene.api.request(request.number)).unwrap().head_commit, second);
    let (verdict, commit, _) = last(Who::Alice);
    assert_eq!(verdict, Verdict::Approved);
    assert_ne!(commit, second);
    say(Who::Alice, Verdict::Approved);
    assert_eq!(last(Who::Alice), (Verdict::Approved, second, true));
    stage.dismiss(&scene.repository, request.number, Who::Alice);
    assert_eq!(last(Who::Alice).0, Verdict::Dismissed);
}

/// The forge refuses the author's own approval.
pub fn nobody_approves_their_own(stage: &dyn Stage) {
    let scene = Scene::new(stage, "own");
    let (request, _) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    let own = stage.review(&scene.repository, request.number, Who::Bot, Verdict::Approved);
    let words = own.unwrap_err().to_lowercase();
    assert!(words.contains("approve your own pull"), "{words}");
    assert_eq!(run(scene.api.reviews(request.number)).unwrap(), []);
    assert_eq!(run(scene.api.me()).unwrap().as_deref(), Some("bot"));
}

/// The members of a team. The bot is one of them, since a forge may show them to
/// each other only.
pub fn members(stage: &dyn Stage) {
    let scene = Scene::new(stage, "members");
    stage.team("platform", &[Who::Alice, Who::Bob, Who::Bot]);
    let both = ["alice", "bob", "bot"].map(str::to_owned).into_iter().collect::<BTreeSet<_>>();
    let of = |team: &str| run(scene.api.members(team));
    assert_eq!(of("platform").unwrap(), both);
    assert_eq!(of(&format!("{}/platform", stage.owner())).unwrap(), both);
    for none in ["no-such-team", "no-such-org/platform"] {
        let error = error(stage, of(none));
        assert!(matches!(error, ApiError::Missing { .. }), "{error:?}");
    }
}

/// Who made commits, by the mail addresses that the forge knows.
pub fn authors(stage: &dyn Stage) {
    let scene = Scene::new(stage, "authors");
    scene.git(&["checkout", "-q", "--detach", "main"]);
    let mut commits = Vec::new();
    for who in [Who::Alice, Who::Bob, Who::Bot] {
        commits.push(scene.commit(who, &[("envs/prod.yaml", who.login())]));
    }
    let nobody = ["-c", "user.name=x", "-c", "user.email=x@nowhere.test"];
    scene.git(&[&nobody[..], &["commit", "-q", "--allow-empty", "-m", "x"]].concat());
    commits.push(scene.git(&["rev-parse", "HEAD"]));
    scene.push(Who::Bot, "work").unwrap();
    let of = |commits: &[String]| run(scene.api.authors(commits)).unwrap();
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    let before = scene.api.calls();
    assert_eq!(of(&commits), names(&["alice", "bob", "bot"]));
    commits.reverse();
    assert_eq!(of(&commits), names(&["alice", "bob", "bot"]));
    assert!(scene.api.calls() - before <= 8, "{:?}", scene.api.made());
    assert_eq!(of(&commits[..1]), names(&[]));
    assert_eq!(of(&commits[2..3]), names(&["bob"]));
    assert_eq!(of(&[]), names(&[]));
    error(stage, run(scene.api.authors(&["2".repeat(40)])));
}

/// What guards a branch.
pub fn protection(stage: &dyn Stage) {
    let scene = Scene::new(stage, "guarded");
    let of = |branch: &str| run(scene.api.protection(branch)).unwrap().unwrap();
    let none = of("main");
    assert_eq!((none.required_approvals, none.queue, none.no_push), (0, false, false));
    assert_eq!(none.required_contexts, BTreeSet::new());
    let contexts = vec!["gitops/gate/prod/web/soak".to_owned(), "e2e".to_owned()];
    let guard = Guard { contexts: contexts.clone(), approvals: 2, no_push: true };
    stage.guard(&scene.repository, "main", &guard);
    let main = of("main");
    assert_eq!((main.required_approvals, main.queue, main.no_push), (2, false, true));
    assert_eq!(main.required_contexts, contexts.into_iter().collect());
    // In words, where somebody pushes all the same.
    scene.git(&["checkout", "-q", "--detach", "main"]);
    scene.commit(Who::Bot, &[("envs/prod.yaml", "tag: v2\n")]);
    let refused = scene.push(Who::Bot, "main").unwrap_err();
    assert!(refused.to_lowercase().contains("protected branch"), "{refused}");
    let missing = error(stage, run(scene.api.protection("no/such")));
    assert!(matches!(missing, ApiError::Missing { .. }), "{missing:?}");
}
