//! `--wait`.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use gitops_core::gate::Verdict;
use gitops_forge::RequestState;
use gitops_test_forges::{Stage as Forge, Who};

use crate::stage::Said;
use crate::world::{World, says};

pub fn a_gate_that_opens_is_waited_for(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    let line = "unset GIT_AUTHOR_DATE GIT_COMMITTER_DATE; \
                exec kubectl-gitops promote web --to live --wait --timeout 5m";
    let mut command = world.here.command(line);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    let request = loop {
        let found = world.requests("web", "live");
        if let Some(request) = found.into_iter().next()
            && !world.comments(request.number).is_empty()
        {
            break request;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "no request comes to be");
        thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(request.state, RequestState::Open);
    forge.review(&world.repository, request.number, Who::Alice, Verdict::Approved).unwrap();
    let said = Said::of(child.wait_with_output().unwrap());
    assert_eq!(said.status, 0, "{}{}", said.stdout, said.stderr);
    let merged = format!("request #{} merged", request.number);
    says(&said.stdout, &["gate: pending", "opened", "approved by alice", "gate: open", &merged]);
    assert_eq!(world.holds("live", "web"), "v2");
    let request = world.request("web", "live");
    assert_eq!(request.state, RequestState::Merged);
    world.comment(request.number);
}

pub fn what_stays_pending_is_told_in_the_end(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    let said = world.ends(5, "promote web --to live --wait --timeout 1s");
    says(&said.stdout, &["gate approvals: pending: no approval yet; 1 approval asked"]);
    let request = world.request("web", "live");
    assert_eq!(request.state, RequestState::Open);
    assert_eq!(request.head_commit, world.tip("release/web/live"));
    assert_eq!(world.holds("live", "web"), "v1");
    says(
        &world.comment(request.number).body,
        &["| gate `approvals` | **pending** | no approval yet; 1 approval asked |"],
    );
    // It stands for the next run, which takes it as it is.
    let said = world.ends(5, "promote web --to live --wait --timeout 1s");
    says(&said.stdout, &[&format!("request #{} unchanged", request.number)]);
    assert_eq!(world.request("web", "live"), request);
}
