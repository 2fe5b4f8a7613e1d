//! Many promotions at once: all land, none is lost, none happens twice.

use std::fs;
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use gitops_forge::{Kind, RequestState};
use gitops_test_forges::{Fault, Stage as Forge};

use crate::stage::Said;
use crate::world::{ENVIRONMENTS, World, says};

/// So many apps share each file.
const MANY: usize = 20;

fn names() -> Vec<String> {
    (1..=MANY).map(|number| format!("app-{number:02}")).collect()
}

/// A repository in which every app may go from `dev` to `uat`.
fn full(forge: &'static dyn Forge) -> World {
    let names = names();
    let apps: Vec<&str> = names.iter().map(String::as_str).collect();
    let world = World::of(forge, ENVIRONMENTS, &apps, &[]);
    release(&world, "v1", "v2");
    world
}

fn release(world: &World, from: &str, to: &str) {
    world.pull();
    let path = "envs/dev/kustomization.yaml";
    let text = fs::read_to_string(world.here.repo().join(path)).unwrap();
    world.write(path, &text.replace(&format!("newTag: {from}"), &format!("newTag: {to}")));
    world.publish(&format!("all {to} in dev"));
}

/// Runs each line in its folder, all at once.
fn at_once(world: &World, lines: &[(String, String)]) -> Vec<Said> {
    let start = |(folder, line): &(String, String)| -> Child {
        let line = format!(
            "cd {folder} && unset GIT_AUTHOR_DATE GIT_COMMITTER_DATE; exec kubectl-gitops {line}"
        );
        let mut command = world.here.command(&line);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let running: Vec<Child> = lines.iter().map(start).collect();
    // Each is listened to, so that a full pipe holds none of them up.
    let listening: Vec<_> = running
        .into_iter()
        .map(|child| std::thread::spawn(move || Said::of(child.wait_with_output().unwrap())))
        .collect();
    listening.into_iter().map(|said| said.join().unwrap()).collect()
}

/// Every app landed by one merge of one request, and nothing else came to be.
#[track_caller]
fn landed(world: &World, start: &str, tag: &str) {
    let log = world.did(&format!(
        "git fetch -q origin && git log --first-parent --format=%s {start}..origin/main"
    ));
    let mut subjects: Vec<&str> = log.lines().collect();
    subjects.sort_unstable();
    let wanted: Vec<String> =
        names().iter().map(|app| format!("Release {app} in uat ({tag}).")).collect();
    assert_eq!(subjects, wanted);
    for app in names() {
        assert_eq!(world.holds("uat", &app), tag, "{app}");
        let request = world.request(&app, "uat");
        assert_eq!(request.state, RequestState::Merged, "{app}");
        assert_eq!(world.comments(request.number).len(), 1, "{app}");
    }
    let branches = world.did("git ls-remote origin 'refs/heads/*'");
    assert_eq!(branches.lines().count(), 1, "{branches}");
}

fn twenty(forge: &'static dyn Forge, own: bool) {
    let world = full(forge);
    let start = world.tip("main");
    let lines: Vec<(String, String)> = names()
        .into_iter()
        .map(|app| {
            let folder = if own { format!("../clone-{app}") } else { ".".to_owned() };
            if own {
                world.did(&format!("cp -r . {folder}"));
            }
            (folder, format!("promote {app} --to uat -q"))
        })
        .collect();
    let began = Instant::now();
    let said = at_once(&world, &lines);
    let took = began.elapsed();
    for said in &said {
        assert_eq!(said.status, 0, "{}{}", said.stdout, said.stderr);
    }
    landed(&world, &start, "v2");
    let place = if own { "clones of their own" } else { "one clone" };
    let _ = writeln!(
        std::io::stderr().lock(),
        "{MANY} promotions at once into one file, on {}, from {place}: {took:?}",
        forge.kind()
    );
    // What a busy machine takes, too; alone it is a fraction of that.
    assert!(took < Duration::from_secs(600), "{took:?}");
}

pub fn twenty_from_clones_of_their_own(forge: &'static dyn Forge) {
    twenty(forge, true);
}

pub fn twenty_from_one_clone(forge: &'static dyn Forge) {
    twenty(forge, false);
}

/// The same promotion, by several who know nothing of each other.
pub fn one_app_by_several(forge: &'static dyn Forge) {
    for environment in ["uat", "prod"] {
        let world = World::new(forge);
        world.set("dev", "web", "v2");
        let start = world.tip("main");
        let lines: Vec<(String, String)> = (0..6)
            .map(|number| {
                let folder = format!("../clone-{number}");
                world.did(&format!("cp -r . {folder}"));
                (folder, format!("promote web --to {environment} -q"))
            })
            .collect();
        let all = at_once(&world, &lines);
        let told: String =
            all.iter().map(|said| format!("--\n{}{}", said.stdout, said.stderr)).collect();
        for said in &all {
            assert_eq!(said.status, 0, "{told}");
        }
        let request = world.request("web", environment);
        let merged = environment == "uat";
        assert_eq!(request.state == RequestState::Merged, merged, "{request:?} {told}");
        assert_eq!(request.number, 1, "{told}");
        let log = format!("git fetch -q && git log --format=%T {start}..origin/main");
        let mut trees: Vec<String> = world.did(&log).lines().map(str::to_owned).collect();
        if forge.kind() != Kind::GitHub {
            // Gitea merges a request again, and nothing with it, that it is asked to
            // merge while it is at it.
            trees.dedup();
        }
        assert_eq!(trees.len(), usize::from(merged), "{trees:?} {told}");
        let comments = world.comments(request.number);
        assert_eq!(comments.len(), 1, "{comments:#?}");
    }
}

/// What forges answer to a merge when something has moved, or is not known yet.
pub fn a_merge_that_comes_too_soon_or_too_late(forge: &'static dyn Forge) {
    let (method, words) = match forge.kind() {
        Kind::GitHub => (
            "PUT",
            [
                (405, "Base branch was modified. Review and try the merge again."),
                (409, "Head branch was modified. Review and try the merge again."),
            ],
        ),
        _ => (
            "POST",
            [
                (405, "Please try again later"),
                (
                    409,
                    "PushRejected with remote message: cannot lock ref 'refs/heads/main': is at a but expected b",
                ),
            ],
        ),
    };
    for (status, words) in words {
        let mut world = World::new(forge);
        world.set("dev", "web", "v2");
        let faults = world.through_faults();
        faults.fail(method, "/merge", Fault::Says(status, words), 2);
        let said = world.ends(0, "promote web --to uat");
        let request = world.request("web", "uat");
        says(&said.stdout, &[&format!("request #{} merged", request.number)]);
        assert_eq!(world.holds("uat", "web"), "v2");
        assert_eq!(request.state, RequestState::Merged);
        world.comment(request.number);
        assert_eq!(faults.effects(method, "/merge"), 1);
        // It ends where the forge never thinks otherwise, and the request stands.
        // That takes a while, and once is enough.
        if forge.kind() == Kind::GitHub {
            continue;
        }
        world.set("dev", "web", "v3");
        faults.fail(method, "/merge", Fault::Says(status, words), u32::MAX);
        let said = world.gitops("promote web --to uat -q");
        if status == 405 {
            assert_eq!(said.status, 0, "{}", said.stderr);
            says(&said.stdout, &["not merged yet: Please try again later"]);
        } else {
            assert_eq!(said.status, 3, "{}", said.stdout);
            says(
                &said.stderr,
                &[
                    "the request of `release/web/uat` does not come into `main`",
                    "hint: run it again",
                ],
            );
        }
        assert_eq!(world.holds("uat", "web"), "v2");
        assert_eq!(world.requests("web", "uat")[0].state, RequestState::Open);
    }
}
