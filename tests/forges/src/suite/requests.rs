//! Requests, and what is written on them.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use gitops_core::gate::Status;
use gitops_forge::{ApiError, Edit, MergeMethod, Merged, Opened, RequestState};

use super::{Scene, error, merge, new, run, status};
use crate::{Faults, Stage, Who};

/// It is opened once, found, changed, closed and opened again.
pub fn a_request_lives(stage: &dyn Stage) {
    let scene = Scene::new(stage, "lives");
    let commit = scene.branch("release/web/prod", &[("envs/prod.yaml", "tag: v2\n")]);
    let find = || run(scene.api.requests("release/web/prod", "main")).unwrap();
    assert_eq!(find(), []);
    let opened = scene.open("release/web/prod");
    let written = new("release/web/prod", "main");
    assert_eq!((&opened.title, &opened.body), (&written.title, &written.body));
    assert_eq!((&*opened.head, &*opened.base), ("release/web/prod", "main"));
    assert_eq!((&*opened.author, &opened.head_commit), ("bot", &commit));
    assert_eq!((opened.state, opened.from_fork), (RequestState::Open, false));
    assert_eq!(opened.merge_commit, None);
    assert!(opened.opened.is_some() && opened.page.contains(&opened.number.to_string()));
    let again = run(scene.api.open(&written)).unwrap();
    assert!(matches!(&again, Opened::Stood(stood) if stood.number == opened.number), "{again:?}");
    let numbers = |found: Vec<gitops_forge::Request>| {
        found.into_iter().map(|request| (request.number, request.state)).collect::<Vec<_>>()
    };
    assert_eq!(numbers(find()), [(opened.number, RequestState::Open)]);
    assert_eq!(run(scene.api.requests("release/web/prod", "other")).unwrap(), []);
    assert_eq!(run(scene.api.requests("web/prod", "main")).unwrap(), []);

    let edit =
        Edit { title: Some("New `title`".into()), body: Some("é < 中\n".into()), open: None };
    let edited = run(scene.api.edit(opened.number, &edit)).unwrap();
    assert_eq!((&*edited.title, edited.body.trim_end()), ("New `title`", "é < 中"));
    let only = Edit { body: Some("only".into()), ..Edit::default() };
    let edited = run(scene.api.edit(opened.number, &only)).unwrap();
    assert_eq!((&*edited.title, &*edited.body), ("New `title`", "only"));

    let set = |open| Edit { open: Some(open), ..Edit::default() };
    let closed = run(scene.api.edit(opened.number, &set(false))).unwrap();
    assert_eq!(closed.state, RequestState::Closed);
    assert_eq!(numbers(find()), [(opened.number, RequestState::Closed)]);
    let closed = run(scene.api.edit(opened.number, &set(false))).unwrap();
    assert_eq!(closed.state, RequestState::Closed);
    let open = run(scene.api.edit(opened.number, &set(true))).unwrap();
    assert_eq!(open.state, RequestState::Open);
    assert_eq!(run(scene.api.request(opened.number)).unwrap(), open);

    // A new push is seen.
    let second = scene.branch("release/web/prod", &[("envs/prod.yaml", "tag: v3\n")]);
    assert_eq!(find()[0].head_commit, second);
    assert!(scene.api.calls() > 5);
    let made = scene.api.made();
    assert_eq!(made.len() as u64, scene.api.calls());
    let opens = made.iter().filter(|call| call.to_string() == OPENED).count();
    assert_eq!(opens, 1, "{made:?}");
}

const OPENED: &str = "POST /repos/{owner}/{repo}/pulls 201";

/// Branches are used again, release after release: the open request counts, else
/// the last one.
pub fn the_newest_counts(stage: &dyn Stage) {
    let scene = Scene::new(stage, "newest");
    let find = || run(scene.api.requests("release/web", "main")).unwrap();
    let mut last = 0;
    for version in 2..5 {
        let text = format!("tag: v{version}\n");
        let (request, commit) = scene.request("release/web", "envs/prod.yaml", &text);
        assert!(request.number > last);
        last = request.number;
        assert_eq!((find()[0].number, find()[0].state), (last, RequestState::Open));
        let merged = run(scene.api.merge(last, &merge(MergeMethod::Squash, &commit))).unwrap();
        assert!(matches!(merged, Merged::Done(_)), "{merged:?}");
        assert_eq!((find()[0].number, find()[0].state), (last, RequestState::Merged));
        let main = scene.fetch("main");
        assert_eq!(find()[0].merge_commit.as_ref(), Some(&main));
        scene.git(&["branch", "-f", "main", &main]);
    }
    let (closed, _) = scene.request("release/web", "envs/prod.yaml", "tag: v9\n");
    let edit = Edit { open: Some(false), ..Edit::default() };
    run(scene.api.edit(closed.number, &edit)).unwrap();
    assert_eq!((find()[0].number, find()[0].state), (closed.number, RequestState::Closed));
}

/// Branches with slashes and other letters, in head and base.
pub fn branches_with_slashes(stage: &dyn Stage) {
    let scene = Scene::new(stage, "slashes");
    scene.push(Who::Alice, "env/eu/prod").unwrap();
    for head in ["release/a/b/c", "release/é", "release/a+b", "release/a%2Fb", "release/a#b"] {
        let commit = scene.branch(head, &[("envs/prod.yaml", "tag: v2\n")]);
        for base in ["main", "env/eu/prod"] {
            assert_eq!(run(scene.api.requests(head, base)).unwrap(), [], "{head} {base}");
            let opened = run(scene.api.open(&new(head, base))).unwrap();
            let Opened::New(opened) = opened else { panic!("{opened:?}") };
            let found = run(scene.api.requests(head, base)).unwrap();
            assert_eq!(found.len(), 1, "{head} {base}");
            assert_eq!((&*found[0].head, &*found[0].base), (head, base));
            assert_eq!((found[0].number, &found[0].head_commit), (opened.number, &commit));
            let edit = Edit { open: Some(false), ..Edit::default() };
            run(scene.api.edit(opened.number, &edit)).unwrap();
            let found = run(scene.api.requests(head, base)).unwrap();
            assert_eq!(found[0].state, RequestState::Closed, "{head} {base}");
        }
    }
}

/// Labels that are there are set, others named.
pub fn labels(stage: &dyn Stage) {
    let scene = Scene::new(stage, "labels");
    stage.label(&scene.repository, "promotion");
    stage.label(&scene.repository, "app: web");
    let (request, _) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    let wanted = ["promotion", "no such", "app: web"].map(str::to_owned);
    assert_eq!(run(scene.api.label(request.number, &wanted)).unwrap(), ["no such"]);
    assert_eq!(run(scene.api.label(request.number, &wanted[..1])).unwrap(), [""; 0]);
    assert_eq!(run(scene.api.label(request.number, &[])).unwrap(), [""; 0]);
    assert_eq!(run(scene.api.label(request.number, &wanted[1..2])).unwrap(), ["no such"]);
    let there = run(scene.api.request(request.number)).unwrap().labels;
    assert_eq!(there, BTreeSet::from(["app: web".to_owned(), "promotion".to_owned()]));
}

/// Reviewers that can be asked are asked, others named.
pub fn reviewers(stage: &dyn Stage) {
    let scene = Scene::new(stage, "reviewers");
    stage.team("approvers", &[Who::Alice]);
    let (request, _) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    let team = format!("{}/approvers", stage.owner());
    let asked = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        run(scene.api.ask(request.number, &names)).unwrap()
    };
    assert_eq!(asked(&["alice"]), [""; 0]);
    assert_eq!(asked(&["alice"]), [""; 0]);
    // Nobody, the author, somebody else's team.
    let nobody = format!("{}/nobody", stage.owner());
    let refused = asked(&["nobody-here", "bob", "bot", &team, &nobody, "other/approvers"]);
    let expected = BTreeSet::from(["nobody-here", "bot", &*nobody, "other/approvers"]);
    assert_eq!(refused.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected);
    let there = run(scene.api.request(request.number)).unwrap().reviewers;
    assert_eq!(there, BTreeSet::from(["alice".to_owned(), "bob".to_owned(), team]));
}

/// Comments are written, read in order, and replaced.
pub fn comments(stage: &dyn Stage) {
    let scene = Scene::new(stage, "comments");
    let (request, _) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    assert_eq!(run(scene.api.comments(request.number)).unwrap(), []);
    let first = run(scene.api.comment(request.number, "one <!-- x -->")).unwrap();
    let second = run(scene.api.comment(request.number, "two\n\n```diff\n-a\n+b\n```")).unwrap();
    assert_eq!((&*first.author, &*first.body), ("bot", "one <!-- x -->"));
    let edited = run(scene.api.edit_comment(first.id, "new")).unwrap();
    assert_eq!((edited.id, &*edited.body), (first.id, "new"));
    let all = run(scene.api.comments(request.number)).unwrap();
    assert_eq!(all, [edited, second]);
    let gone = error(stage, run(scene.api.edit_comment(999_999, "x")));
    assert!(matches!(gone, ApiError::Missing { .. }), "{gone:?}");
}

/// The newest status of each context.
pub fn statuses(stage: &dyn Stage) {
    let scene = Scene::new(stage, "statuses");
    let (_, commit) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    assert_eq!(run(scene.api.statuses(&commit)).unwrap(), []);
    let mut soak = status("gitops/gate/prod/web/soak", Status::Pending, "10 min left");
    run(scene.api.set_status(&commit, &soak)).unwrap();
    let mut window = status("gitops/gate/prod/web/window", Status::Failure, "closed");
    window.target_url = Some("https://example.test/page".into());
    run(scene.api.set_status(&commit, &window)).unwrap();
    soak.state = Status::Success;
    soak.description = "since 12:00".into();
    run(scene.api.set_status(&commit, &soak)).unwrap();
    let mut found = run(scene.api.statuses(&commit)).unwrap();
    found.sort_by(|a, b| a.context.cmp(&b.context));
    assert_eq!(found, [soak, window]);
    let unknown = "0".repeat(40);
    error(stage, run(scene.api.statuses(&unknown)));
    let soak = status("x", Status::Success, "");
    error(stage, run(scene.api.set_status(&unknown, &soak)));
    // A branch is not a commit.
    assert_eq!(run(scene.api.statuses(&scene.fetch("main"))).unwrap(), []);
}

/// Requests are found by the commit at their head, however they stand.
pub fn of_a_commit(stage: &dyn Stage) {
    let scene = Scene::new(stage, "commit");
    let main = scene.fetch("main");
    assert_eq!(run(scene.api.requests_of(&main)).unwrap(), []);
    let (one, first) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    let of = |commit: &str| {
        let found = run(scene.api.requests_of(commit)).unwrap();
        found.into_iter().map(|request| (request.number, request.state)).collect::<Vec<_>>()
    };
    assert_eq!(of(&first), [(one.number, RequestState::Open)]);
    let (two, second) = scene.request("release/api", "envs/api.yaml", "tag: v2\n");
    assert_eq!(of(&first), [(one.number, RequestState::Open)]);
    assert_eq!(of(&second), [(two.number, RequestState::Open)]);
    run(scene.api.merge(one.number, &merge(MergeMethod::Squash, &first))).unwrap();
    assert_eq!(of(&first), [(one.number, RequestState::Merged)]);
    assert_eq!(of(&"1".repeat(40)), []);
}

/// A branch of the same name in a fork is another branch.
pub fn a_fork_is_another(stage: &dyn Stage) {
    let scene = Scene::new(stage, "forked");
    let number = stage.fork(&scene.repository, Who::Carol, "release/web");
    let fork = run(scene.api.request(number)).unwrap();
    assert!(fork.from_fork, "{fork:?}");
    assert_eq!((&*fork.head, &*fork.author), ("release/web", "carol"));
    assert_eq!(run(scene.api.requests("release/web", "main")).unwrap(), []);
    let (own, _) = scene.request("release/web", "envs/prod.yaml", "tag: v2\n");
    assert_ne!(own.number, number);
    let found = run(scene.api.requests("release/web", "main")).unwrap();
    assert_eq!(found.iter().map(|request| request.number).collect::<Vec<_>>(), [own.number]);
}

/// More requests than a page holds, page by page.
pub fn many_requests(stage: &dyn Stage) {
    let scene = Scene::new(stage, "many");
    let mut opened = Vec::new();
    for number in 0..4 {
        let head = format!("release/app{number}");
        opened.push(scene.request(&head, &format!("envs/{number}.yaml"), "tag: v2\n"));
    }
    let faults = Faults::before(&stage.web());
    faults.page_of_one();
    let api = scene.through(&faults);
    for (number, (request, commit)) in opened.iter().enumerate() {
        let found = run(api.requests(&format!("release/app{number}"), "main")).unwrap();
        assert_eq!(found.len(), 1, "{number}");
        assert_eq!((found[0].number, &found[0].head_commit), (request.number, commit));
    }
    assert_eq!(run(api.requests("release/none", "main")).unwrap(), []);
}
