//! Gates whose facts the forge has.

use gitops_core::gate::{Status, Verdict};
use gitops_forge::CommitStatus;
use gitops_test_forges::{Stage as Forge, Who};

use crate::world::{World, says};

pub fn approvals_count_as_they_should(forge: &'static dyn Forge) {
    let world = World::new(forge);
    // Bob made the promoted commit.
    world.set("dev", "web", "v2");
    let said = world.ends(0, "promote web --to prod");
    says(&said.stdout, &["gate approvals: pending: no approval yet; 1 approval asked"]);
    let request = world.request("web", "prod");
    assert!(forge.review(&world.repository, request.number, Who::Bot, Verdict::Approved).is_err());
    forge.review(&world.repository, request.number, Who::Bob, Verdict::Approved).unwrap();
    let said = world.ends(0, "promote web --to prod");
    says(&said.stdout, &["bob does not count: made a promoted commit", "gate: pending"]);
    forge.review(&world.repository, request.number, Who::Alice, Verdict::Approved).unwrap();
    let said = world.ends(0, "promote web --to prod");
    says(&said.stdout, &["gate approvals: open: approved by alice", "gate: open"]);
    // A new head asks anew.
    world.set("dev", "web", "v3");
    let said = world.ends(0, "promote web --to prod");
    says(&said.stdout, &["gate: pending"]);
    let said = world.ends(0, "promote web --to prod");
    says(&said.stdout, &["alice does not count: looked at an older commit"]);
}

pub fn owners_approve_their_files(forge: &'static dyn Forge) {
    let environments = "  - {name: dev, path: envs/dev, merge: direct}\n  \
        - {name: prod, path: envs/prod, gates: [{approvals: {min: 1, codeowners: true}}]}\n";
    let owners = match forge.kind() {
        gitops_forge::Kind::GitHub => "/envs/prod/ @alice\n",
        _ => "envs/prod/.* @alice\n",
    };
    let world = World::with(forge, environments, &[("CODEOWNERS", owners)]);
    world.set("dev", "web", "v2");
    world.ends(0, "promote web --to prod");
    let request = world.request("web", "prod");
    let said = world.ends(0, "promote web --to prod");
    says(&said.stdout, &["no owner approved envs/prod/kustomization.yaml (alice)"]);
    forge.review(&world.repository, request.number, Who::Alice, Verdict::Approved).unwrap();
    let said = world.ends(0, "promote web --to prod");
    says(
        &said.stdout,
        &["gate approvals: open: approved by alice; 1 approval of code owners asked"],
    );
}

pub fn a_status_is_waited_for(forge: &'static dyn Forge) {
    let environments = "  - {name: dev, path: envs/dev, merge: direct}\n  \
        - {name: prod, path: envs/prod, gates: [{status: [e2e]}]}\n";
    let world = World::with(forge, environments, &[]);
    world.set("dev", "web", "v2");
    let said = world.ends(0, "promote web --to prod");
    says(&said.stdout, &["gate status: pending: e2e is not there yet"]);
    let request = world.request("web", "prod");
    let mut status = CommitStatus {
        context: "e2e".to_owned(),
        state: Status::Failure,
        description: "no".to_owned(),
        target_url: None,
    };
    world.ask(world.api().set_status(&request.head_commit, &status));
    let said = world.ends(1, "promote web --to prod");
    says(&said.stdout, &["gate status: closed: e2e failed"]);
    status.state = Status::Success;
    world.ask(world.api().set_status(&request.head_commit, &status));
    let said = world.ends(0, "promote web --to prod");
    says(&said.stdout, &["gate status: open: e2e succeeded", "gate: open"]);
    let own = world.statuses(&request.head_commit);
    let own = own.iter().find(|status| status.context == "gitops/gate/prod/web/status").unwrap();
    assert_eq!(own.state, Status::Success);
}

pub fn a_request_is_judged_alike_in_ci(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.set("dev", "web", "v2");
    world.ends(0, "promote web --to prod");
    let request = world.request("web", "prod");
    world.did("git fetch -q");
    let gate = |status: i32, rest: &str| {
        world
            .ends(status, &format!("gate --base origin/main --head origin/release/web/prod {rest}"))
    };
    let line = |said: &str| {
        said.lines().find(|line| line.starts_with("gate approvals")).unwrap().to_owned()
    };
    for (verdict, status) in
        [(None, 5), (Some(Verdict::ChangesRequested), 1), (Some(Verdict::Approved), 0)]
    {
        if let Some(verdict) = verdict {
            forge.review(&world.repository, request.number, Who::Alice, verdict).unwrap();
        }
        let promoted = world.gitops("promote web --to prod --dry-run");
        let judged = gate(status, "");
        assert_eq!(promoted.status, status, "{}", promoted.stderr);
        assert_eq!(line(&promoted.stdout), line(&judged.stdout));
        let named = gate(status, &format!("--request {}", request.number));
        assert_eq!(line(&judged.stdout), line(&named.stdout));
    }
    // Of a commit that no request has, nobody has approved anything.
    world.set("prod", "job", "v7");
    let said = world.ends(5, "gate --base HEAD~1 --head HEAD");
    says(&said.stdout, &["gate approvals: pending: no approval yet"]);
}
