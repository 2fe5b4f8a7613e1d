//! Requests that the program merges.

use std::process::Child;

use gitops_core::gate::Verdict;
use gitops_forge::RequestState;
use gitops_test_forges::{Guard, Stage as Forge, Who};

use crate::world::{World, says};

pub fn an_open_gate_merges(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    let said = world.ends(0, "promote web --to uat");
    let request = world.request("web", "uat");
    says(
        &said.stdout,
        &[
            "into main (squash)",
            &format!("request #{} merged", request.number),
            "deleted release/web/uat",
        ],
    );
    assert_eq!(request.state, RequestState::Merged);
    assert_eq!(world.holds("uat", "web"), "v2");
    assert_eq!(world.tip("release/web/uat"), "");
    let message = world.did("git fetch -q && git log -1 --format=%B origin/main");
    says(&message, &["Release web in uat (v2).", "Promoted-From: dev", "Plan-Digest: sha256:"]);
    let said = world.ends(0, "promote web --to uat");
    says(&said.stdout, &["nothing to do"]);
    // From the merge commit it goes on.
    let said = world.ends(0, &format!("promote --continue {} --dry-run", world.tip("main")));
    assert!(!said.stdout.contains("uat"), "{}", said.stdout);
}

pub fn an_approval_merges(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    let said = world.ends(0, "promote web --to live");
    says(&said.stdout, &["opened", "not merged yet"]);
    let request = world.request("web", "live");
    forge.review(&world.repository, request.number, Who::Alice, Verdict::Approved).unwrap();
    let said = world.ends(0, "promote web --to live");
    says(&said.stdout, &["gate: open", &format!("request #{} merged", request.number)]);
    assert_eq!(world.holds("live", "web"), "v2");
}

pub fn each_method_keeps_the_record(forge: &'static dyn Forge) {
    for method in ["squash", "merge", "rebase"] {
        let environments = format!(
            "  - {{name: dev, path: envs/dev, merge: direct}}\n  \
             - {{name: uat, path: envs/uat, merge: auto, method: {method}}}\n"
        );
        let world = World::with(forge, &environments, &[]);
        world.set("dev", "web", "v2");
        // The base moves while the request stands.
        let said = world.ends(0, "promote web --to uat");
        says(&said.stdout, &[&format!("into main ({method})")]);
        assert_eq!(world.holds("uat", "web"), "v2");
        let message = world.did("git fetch -q && git log -1 --format=%B origin/main");
        says(&message, &["Promoted-From: dev", "Plan-Digest: sha256:"]);
        let parents = world.did("git log -1 --format=%P origin/main");
        let count = if method == "merge" { 2 } else { 1 };
        assert_eq!(parents.split_whitespace().count(), count, "{method}: {parents}");
    }
}

pub fn the_forge_waits_only_where_it_is_made_to(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    let said = world.ends(0, "promote web --to live");
    says(&said.stdout, &["`main` does not require `gitops/gate/live/web/approvals`"]);
    let guard =
        Guard { contexts: vec!["gitops/gate/live/web/approvals".to_owned()], ..Guard::default() };
    forge.guard(&world.repository, "main", &guard);
    let said = world.ends(0, "promote web --to live");
    says(&said.stdout, &["the forge merges it when its gates are open"]);
    assert_eq!(world.request("web", "live").state, RequestState::Open);
    // What opens the gate is told to the forge, and either of the two merges it.
    let request = world.request("web", "live");
    forge.review(&world.repository, request.number, Who::Alice, Verdict::Approved).unwrap();
    world.ends(0, "promote web --to live");
    for _ in 0..50 {
        if world.request("web", "live").state == RequestState::Merged {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    assert_eq!(world.request("web", "live").state, RequestState::Merged);
}

pub fn many_into_one_file(forge: &'static dyn Forge) {
    let world = World::new(forge);
    for app in crate::world::APPS {
        world.set("dev", app, "v2");
    }
    let start = |app: &str| -> Child {
        // Each run has a clone of its own.
        world.did(&format!("cp -r . ../clone-{app}"));
        let line = format!(
            "cd ../clone-{app} && unset GIT_AUTHOR_DATE GIT_COMMITTER_DATE; \
             exec kubectl-gitops promote {app} --to uat"
        );
        let mut command = world.here.command(&line);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let running: Vec<Child> = crate::world::APPS.iter().map(|app| start(app)).collect();
    for child in running {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    for app in crate::world::APPS {
        assert_eq!(world.holds("uat", app), "v2", "{app}");
        assert_eq!(world.request(app, "uat").state, RequestState::Merged);
    }
}
