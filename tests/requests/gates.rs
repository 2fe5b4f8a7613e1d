//! Gates whose facts the forge has.

use gitops_core::gate::{Status, Verdict};
use gitops_forge::CommitStatus;
use gitops_test_forges::{May, Stage as Forge, Who};

use crate::world::{World, says, told};

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
        gitops_forge::Kind::GitHub => "/envs/prod/ @alice\n!/envs/dev/ @bob\n",
        _ => "envs/prod/.* @alice\nenvs/(dev @bob\n",
    };
    let world = World::with(forge, environments, &[("CODEOWNERS", owners)]);
    world.set("dev", "web", "v2");
    world.ends(0, "promote web --to prod");
    let request = world.request("web", "prod");
    let said = world.ends(0, "promote web --to prod");
    says(&said.stdout, &["no owner approved envs/prod/kustomization.yaml (alice)"]);
    says(&said.stderr, &["CODEOWNERS:2: no line of owners, so that forges pass over it"]);
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

/// On the same head `gate` writes what `promote` wrote, or nothing.
pub fn ci_says_what_promote_said(forge: &'static dyn Forge) {
    let mut world = World::new(forge);
    world.set("dev", "web", "v2");
    world.ends(0, "promote web --to prod");
    let request = world.request("web", "prod");
    world.did("git fetch -q");
    let gate = format!(
        "gate --base origin/main --head origin/release/web/prod --request {} --post -v",
        request.number
    );
    let written = |calls: &[String]| {
        let reads = |call: &&String| !call.starts_with("GET ") && !call.contains("GraphQL");
        calls.iter().filter(reads).count()
    };
    let said = || (world.statuses(&request.head_commit), world.comment(request.number).body);
    let before = said();
    let judged = world.ends(5, &gate);
    assert_eq!(written(&told(&judged)), 0, "{}", judged.stderr);
    assert_eq!(said(), before);
    // It writes first what promote finds as it would have written it.
    forge.review(&world.repository, request.number, Who::Alice, Verdict::Approved).unwrap();
    let judged = world.ends(0, &gate);
    assert_eq!(written(&told(&judged)), 2, "{}", judged.stderr);
    let now = said();
    says(&now.1, &["The gate is **open**", "approved by alice"]);
    assert_eq!(now.0[0].state, Status::Success);
    let promoted = world.ends(0, "promote web --to prod -v");
    says(&promoted.stdout, &["unchanged"]);
    assert_eq!(written(&told(&promoted)), 0, "{}", promoted.stderr);
    assert_eq!(said(), now);
    // A token that only reads: the exit code is the answer.
    forge.review(&world.repository, request.number, Who::Alice, Verdict::ChangesRequested).unwrap();
    let web = forge.web();
    world.token(May::Read, &web);
    let judged = world.gitops(&gate);
    assert!(matches!(judged.status, 1 | 5), "{}", judged.stderr);
    says(&judged.stderr, &["warning: could not set the status", "the exit code is the answer"]);
    let said = (world.statuses(&request.head_commit), world.comment(request.number).body);
    assert_eq!(said, now);
}

/// A request of people has a comment of the gate's own.
pub fn ci_comments_on_requests_of_people(forge: &'static dyn Forge) {
    let world = World::new(forge);
    world.did("git checkout -q -b scale");
    let path = "envs/prod/web.yaml";
    let text = std::fs::read_to_string(world.here.repo().join(path)).unwrap();
    world.write(
        path,
        &text.replace("{name: web, image: web}", "{name: web, image: web, tty: true}"),
    );
    world.did("git commit -q -a -m tty && git push -q origin scale && git checkout -q main");
    let new = gitops_forge::NewRequest {
        head: "scale".to_owned(),
        base: "main".to_owned(),
        title: "a terminal".to_owned(),
        body: String::new(),
        labels: Vec::new(),
        reviewers: Vec::new(),
    };
    let gitops_forge::Opened::New(request) = world.ask(world.api().open(&new)) else {
        panic!("it stood there")
    };
    let gate =
        format!("gate --base origin/main --head origin/scale --request {} --post", request.number);
    for _ in 0..2 {
        world.ends(5, &gate);
        let comment = world.comment(request.number).body;
        says(
            &comment,
            &[
                "### Gate: **pending** for ",
                "`prod`: The gate is **pending**",
                "| gate `approvals` | **pending** | no approval yet; 1 approval asked |",
                "tty: true",
            ],
        );
        let statuses = world.statuses(&request.head_commit);
        let contexts: Vec<&str> = statuses.iter().map(|one| one.context.as_str()).collect();
        assert_eq!(contexts, ["gitops/gate/prod/-/approvals"]);
    }
}
