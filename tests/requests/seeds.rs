//! The stories of two public repositories, as their own pipelines tell them, on
//! a forge: facts in `../shared`.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use gitops_core::gate::{Status, Verdict};
use gitops_forge::{Edit, Request, RequestState};
use gitops_test_forges::{Guard, Stage as Forge, Who};

use crate::stage::{Said, project};
use crate::world::{World, says};

/// The folder of a seed; a visible line where it is absent.
fn seed(name: &str) -> Option<PathBuf> {
    let folder = project().join("../shared/seeds").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    let _ = writeln!(std::io::stderr().lock(), "skipped: ../shared/seeds/{name} is not there");
    None
}

const SERVICE: &str = "demo-backend-svc-a";

/// What demo-gitops does with its workflows: `dev` takes what is released, `uat`
/// is merged by people once it is approved, `prod` by the program.
const DEMO: &str = "environments:
  - name: dev
    path: k8s/overlays/dev
    merge: auto
    pullRequest: {commit: \"Release {app} in {env} ({version#v-}).\"}
  - {name: uat, path: k8s/overlays/uat, gates: [{approvals: 1}]}
  - {name: prod, path: k8s/overlays/prod, merge: auto, gates: [{approvals: {min: 1}}]}
pullRequest:
  branch: \"release/{app}/{env}\"
  commit: \"Release {app} in {env} ({version}).\"
  title: \"Release `{app}` in `{env}`\"
  body: \"Created by Github Actions.\"
";

impl World {
    /// The short id of a file on a branch of the remote.
    fn blob(&self, branch: &str, path: &str) -> String {
        self.did(&format!("git fetch -q origin && git rev-parse origin/{branch}:{path}"))[..8]
            .into()
    }

    fn overlay(&self, environment: &str) -> String {
        self.blob("main", &format!("k8s/overlays/{environment}/kustomization.yaml"))
    }

    /// The branches of the remote.
    fn branches(&self) -> Vec<String> {
        let refs = self.did("git ls-remote origin 'refs/heads/*'");
        let name = |line: &str| line.split("refs/heads/").nth(1).unwrap().to_owned();
        refs.lines().map(name).collect()
    }

    /// From the newest commit of `main`, as the workflow of a merge asks.
    #[track_caller]
    fn goes_on(&self) -> Said {
        self.ends(0, &format!("promote --continue {}", self.tip("main")))
    }
}

pub fn demo_gitops(forge: &'static dyn Forge) {
    let Some(seed) = seed("demo-gitops") else { return };
    let mut world = World::laid(forge, |world| {
        world.here.lay(&seed.join("start"));
        let head = "apiVersion: kubectl-gitops.dev/v1alpha1\nkind: GitOps\n";
        let kind = format!("forge: {{kind: {}}}\n", forge.kind());
        world.write("gitops.yaml", &format!("{head}{kind}{DEMO}"));
    });
    // `main` takes requests alone.
    forge.guard(&world.repository, "main", &Guard { no_push: true, ..Guard::default() });

    // Steps 1 to 8: Alice's release goes into dev, by a request that merges by itself.
    world.acts(Who::Alice);
    let said = world.ends(0, &format!("release {SERVICE} v-f9a05b7"));
    world.acts(Who::Bot);
    let request = world.request(SERVICE, "dev");
    says(&said.stdout, &[&format!("request #{} merged", request.number), "into main (squash)"]);
    assert_eq!(request.state, RequestState::Merged);
    assert_eq!(request.title, format!("Release `{SERVICE}` in `dev`"));
    assert!(request.body.starts_with("Created by Github Actions.\n"), "{}", request.body);
    assert_eq!(world.overlay("dev"), "12bd6a38");
    assert_eq!(request.author, Who::Alice.login());
    assert_eq!(world.branches(), ["main"]);
    let message = world.did("git log -1 --format=%s origin/main");
    says(&message, &[&format!("Release {SERVICE} in dev (f9a05b7).")]);

    // Steps 9 to 13: the merge goes on to uat, as a request.
    let said = world.goes_on();
    says(&said.stdout, &["dev → uat", "gate: pending", "opened"]);
    let request = world.request(SERVICE, "uat");
    assert_eq!(request.title, format!("Release `{SERVICE}` in `uat`"));
    assert_eq!(request.author, Who::Bot.login());
    let gate = format!("gitops/gate/uat/{SERVICE}/approvals");
    let status = |request: &Request| -> Status {
        let statuses = world.statuses(&request.head_commit);
        statuses.into_iter().find(|status| status.context == gate).unwrap().state
    };
    assert_eq!(status(&request), Status::Pending);
    // Who opened it does not approve it: the forge says so, or else we do.
    if forge.review(&world.repository, request.number, Who::Bot, Verdict::Approved).is_ok() {
        let said = world.goes_on();
        says(&said.stdout, &["gate: pending"]);
    }
    // Nor does Alice, who made what moves.
    forge.review(&world.repository, request.number, Who::Alice, Verdict::Approved).unwrap();
    let said = world.goes_on();
    says(&said.stdout, &["gate: pending", "alice"]);
    assert_eq!(status(&request), Status::Pending);
    says(&world.comment(request.number).body, &["The gate is **pending**"]);
    forge.review(&world.repository, request.number, Who::Bob, Verdict::Approved).unwrap();
    let said = world.goes_on();
    says(&said.stdout, &["gate: open"]);
    assert_eq!(status(&request), Status::Success);
    assert_eq!(world.request(SERVICE, "uat").state, RequestState::Open);
    let subject = format!("Release {SERVICE} in uat (v-f9a05b7). (#27)");
    world.press_merge(&world.request(SERVICE, "uat"), &subject);
    assert_eq!(world.overlay("uat"), "44852956");

    // Steps 14 to 18: on to prod, whose request is merged once it is approved.
    let said = world.goes_on();
    says(&said.stdout, &["uat → prod", "gate: pending", "opened"]);
    let from_uat = world.tip("main");
    let request = world.request(SERVICE, "prod");
    let _ = forge.review(&world.repository, request.number, Who::Bot, Verdict::Approved);
    says(&world.goes_on().stdout, &["gate: pending"]);
    assert_eq!(world.request(SERVICE, "prod").state, RequestState::Open);
    forge.review(&world.repository, request.number, Who::Bob, Verdict::Approved).unwrap();
    let said = world.goes_on();
    says(&said.stdout, &["gate: open", &format!("request #{} merged", request.number)]);
    assert_eq!(world.overlay("prod"), "be3404f0");

    // Step 19: nothing comes after prod, and nothing else has moved.
    let said = world.goes_on();
    says(&said.stdout, &["nothing to continue from"]);
    says(&said.stderr, &["no environment comes after `prod`"]);
    world.pull();
    for environment in ["dev", "uat", "prod"] {
        let path = format!("k8s/overlays/{environment}/kustomization.yaml");
        let ours = fs::read(world.here.repo().join(path)).unwrap();
        let theirs =
            fs::read(seed.join(format!("expected/{environment}-kustomization.yaml"))).unwrap();
        assert!(ours == theirs, "{environment}");
    }
    assert_eq!(world.did("git diff --stat HEAD~3 HEAD -- k8s/base"), "");

    // Again, each of them: plain answers, and nothing changes.
    let main = world.tip("main");
    let again = world.ends(0, &format!("promote --continue {from_uat}"));
    says(&again.stdout, &["nothing to do"]);
    says(&world.ends(0, &format!("release {SERVICE} v-f9a05b7")).stdout, &["nothing to do"]);
    says(&world.ends(0, &format!("promote {SERVICE} --to uat")).stdout, &["nothing to do"]);
    assert_eq!(world.tip("main"), main);
    for environment in ["dev", "uat", "prod"] {
        world.request(SERVICE, environment);
    }

    // The next version, where the person has left the branch of uat behind.
    world.ends(0, &format!("release {SERVICE} v-2"));
    world.goes_on();
    let all = world.requests(SERVICE, "uat");
    assert!(all.iter().skip(1).all(|old| old.state == RequestState::Merged), "{all:?}");
    assert_eq!(all[0].state, RequestState::Open);
    assert_eq!(world.did("git fetch -q; git rev-list --count origin/main..origin/release/demo-backend-svc-a/uat").trim(), "1");
    // What dev holds by now does not go: what was merged there does.
    let second = world.tip("main");
    world.ends(0, &format!("release {SERVICE} v-3"));
    let said = world.ends(0, &format!("promote --continue {second}"));
    says(&said.stderr, &["has moved on in `dev`: v-2 at commit", "v-3 now"]);
    assert_eq!(world.requests(SERVICE, "uat")[0], all[0]);
    // It does by its own commit, into the same request.
    let said = world.goes_on();
    says(&said.stdout, &[&format!("request #{} updated", all[0].number)]);
    let now = world.requests(SERVICE, "uat");
    assert_eq!((now.len(), now[0].number), (all.len(), all[0].number));
    assert_ne!(now[0].head_commit, all[0].head_commit);
}

const SPRING: &str = "prify-nonprod-prod-promotion-spring-app";
const ANGULAR: &str = "prify-nonprod-prod-promotion-angular-app";

pub fn apps_gitops(forge: &'static dyn Forge) {
    let Some(seed) = seed("apps-gitops") else { return };
    let mut world = World::laid(forge, |world| world.here.lay(&seed));
    world.said_by_the_environment();
    let all = |branch: &str| world.ask(world.api().requests(branch, "main"));
    let only = |branch: &str| -> Request {
        let mut all = all(branch);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    };

    // Two requests, in PRify's words.
    let said = world.ends(0, "promote --to prod-cluster");
    assert_eq!(said.stdout.matches(" opened: ").count(), 2, "{}", said.stdout);
    for (app, branch, tree) in [
        ("spring-app", SPRING, "a0c64bf7d520282089f0063bd880afb00fa6f12f"),
        ("angular-app", ANGULAR, "6ff31e4e0e45b6ca1eead9729ff0967dff25ebf8"),
    ] {
        let request = only(branch);
        assert_eq!(request.title, format!("PRify: Update {app} in production"));
        assert!(
            request.body.starts_with("This PR was autogenerated by PRify bot\n"),
            "{}",
            request.body
        );
        assert_eq!(request.head_commit, world.tip(branch));
        world.did("git fetch -q origin");
        let subject = world.did(&format!("git log -1 --format=%s origin/{branch}"));
        assert_eq!(subject.trim(), format!("Manifests in prod-cluster changed to update {app}"));
        let made = world.did(&format!("git rev-parse origin/{branch}:prod-cluster/{app}"));
        assert_eq!(made.trim(), tree);
        world.comment(request.number);
    }
    let (spring, angular) = (only(SPRING), only(ANGULAR));
    let said = world.ends(0, "promote --to prod-cluster");
    for request in [&spring, &angular] {
        says(&said.stdout, &[&format!("request #{} unchanged", request.number)]);
    }
    assert_eq!((only(SPRING), only(ANGULAR)), (spring.clone(), angular.clone()));

    // Nonprod moves on: one is brought up to date in its place.
    let path = "nonprod-cluster/spring-app/Deployment.yml";
    world.pull();
    let text = fs::read_to_string(world.here.repo().join(path)).unwrap();
    let at = text.find("web-demo@sha256:").unwrap() + "web-demo".len();
    let end = at + "@sha256:".len() + 64;
    world.write(path, &format!("{}:next{}", &text[..at], &text[end..]));
    world.publish("a new build");
    let said = world.ends(0, "promote --to prod-cluster");
    says(
        &said.stdout,
        &[&format!("#{} updated", spring.number), &format!("#{} unchanged", angular.number)],
    );
    let updated = only(SPRING);
    assert_eq!((updated.number, updated.state), (spring.number, RequestState::Open));
    assert_ne!(updated.head_commit, spring.head_commit);
    assert_eq!((&updated.title, updated.author), (&spring.title, spring.author));
    assert_eq!(only(ANGULAR), angular);
    world.comment(spring.number);
    let moved = world.did(&format!(
        "git fetch -q origin; git show origin/{SPRING}:prod-cluster/spring-app/Deployment.yml"
    ));
    says(&moved, &[":next"]);
    // A title that nobody changes back by hand.
    let edit = Edit { title: Some("stale".to_owned()), ..Edit::default() };
    world.ask(world.api().edit(spring.number, &edit));
    world.ends(0, "promote spring-app --to prod-cluster");
    assert_eq!(only(SPRING).title, spring.title);

    // Both are merged; one app is taken out of nonprod.
    for branch in [SPRING, ANGULAR] {
        world.press_merge(&only(branch), "merged by hand");
    }
    world.pull();
    world.did("git rm -q -r nonprod-cluster/angular-app");
    world.publish("no angular any more");
    let said = world.gitops("promote angular-app --to prod-cluster");
    assert_eq!(said.status, 1, "{}{}", said.stdout, said.stderr);
    says(&said.stderr, &["angular-app is in prod-cluster and not in nonprod-cluster", "--prune"]);
    let said = world.ends(0, "promote --to prod-cluster");
    says(&said.stderr, &["`angular-app` is left out"]);
    assert!(all(ANGULAR).iter().all(|request| request.state == RequestState::Merged));
    let said = world.ends(0, "promote --to prod-cluster --prune");
    says(&said.stdout, &["opened"]);
    let requests = all(ANGULAR);
    assert!(requests.iter().skip(1).all(|old| old.state == RequestState::Merged), "{requests:?}");
    assert_eq!(requests[0].state, RequestState::Open);
    assert_eq!(requests[0].title, "PRify: Update angular-app in production");
    assert_eq!(all(SPRING).len(), 1);
    let changed =
        world.did(&format!("git fetch -q; git diff --name-status origin/main...origin/{ANGULAR}"));
    assert!(changed.lines().count() == 3, "{changed}");
    assert!(
        changed.lines().all(|line| line.starts_with("D\tprod-cluster/angular-app/")),
        "{changed}"
    );
    let comment = world.comment(requests[0].number).body;
    says(&comment, &["deleted Service/angular-demo", "deleted Deployment/angular-demo"]);
    world.press_merge(&requests[0], "gone");
    world.did("git fetch -q; ! git rev-parse -q --verify origin/main:prod-cluster/angular-app");
    world.did("git rev-parse -q --verify origin/main:prod-cluster/prify.yml");
}
