//! Many apps in one run.

use std::time::Instant;

use gitops_test_forges::{Guard, Stage as Forge, Who};

use crate::world::{World, says, told};

const ENVIRONMENTS: &str = "  - {name: dev, path: 'envs/dev/{app}', merge: direct}
  - {name: prod, path: 'envs/prod/{app}', after: [dev], gates: [{status: [e2e]}]}
";

/// How many apps, where `GITOPS_APPS` does not say it.
const MANY: usize = 9;

fn many() -> usize {
    std::env::var("GITOPS_APPS").map_or(MANY, |number| number.parse().unwrap())
}

fn name(number: usize) -> String {
    format!("app-{number:02}")
}

/// A repository of so many apps, each newer in `dev` than in `prod`.
fn world(forge: &'static dyn Forge, apps: usize) -> World {
    let mut files = Vec::new();
    for app in (0..apps).map(name) {
        for (environment, tag) in [("dev", "v2"), ("prod", "v1")] {
            let folder = format!("envs/{environment}/{app}");
            let text = format!("resources: [pod.yaml]\nimages:\n- name: {app}\n  newTag: {tag}\n");
            files.push((format!("{folder}/kustomization.yaml"), text));
            files.push((format!("{folder}/pod.yaml"), crate::world::pod(&app)));
        }
    }
    let files: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    World::with(forge, ENVIRONMENTS, &files)
}

/// All of them, in the order of their names, each as if it had gone alone.
pub fn all_go_in_one_run(forge: &'static dyn Forge) {
    let apps = many();
    let world = world(forge, apps);
    let begun = Instant::now();
    let said = world.ends(0, "promote --from dev --to prod -v");
    println!("{apps} apps: {:.1} s", begun.elapsed().as_secs_f64());
    let opened: Vec<&str> =
        said.stdout.lines().filter(|line| line.starts_with("request #")).collect();
    assert_eq!(opened.len(), apps, "{}{}", said.stdout, said.stderr);
    let places: Vec<usize> = (0..apps)
        .map(|number| said.stdout.find(&format!("release/{}/prod", name(number))).unwrap())
        .collect();
    assert!(places.is_sorted(), "{}", said.stdout);
    let calls = told(&said);
    assert!(calls.len() <= 6 * apps, "{} {calls:?}", calls.len());
    for app in (0..apps).map(name) {
        let request = world.request(&app, "prod");
        assert_eq!(request.head_commit, world.tip(&format!("release/{app}/prod")));
        assert_eq!(world.comments(request.number).len(), 1);
        assert_eq!(world.statuses(&request.head_commit).len(), 1);
    }
    let begun = Instant::now();
    let again = world.ends(0, "promote --from dev --to prod -v");
    println!("{apps} apps again: {:.1} s", begun.elapsed().as_secs_f64());
    let calls = told(&again);
    assert!(calls.len() <= 3 * apps, "{} {calls:?}", calls.len());
    assert_eq!(again.stdout.matches("unchanged").count(), apps, "{}", again.stdout);
}

/// A branch that is somebody's, and one that the forge does not let us push to.
pub fn one_that_fails_stops_no_other(forge: &'static dyn Forge) {
    let world = world(forge, 4);
    let mail = Who::Alice.mail();
    world.did(&format!(
        "git checkout -q -b release/app-01/prod && GIT_COMMITTER_NAME=Alice GIT_COMMITTER_EMAIL={mail} \
         git commit -q --allow-empty -m mine && git push -q origin HEAD && git checkout -q main"
    ));
    let said = world.ends(1, "promote --from dev --to prod");
    says(&said.stderr, &["the branch `release/app-01/prod` is not ours to replace"]);
    for app in ["app-00", "app-02", "app-03"] {
        assert_eq!(world.comments(world.request(app, "prod").number).len(), 1);
    }
    assert!(world.requests("app-01", "prod").is_empty());
    // A hook that says no to one of them says it to each where all are in one push.
    let guard = Guard { no_push: true, ..Guard::default() };
    forge.guard(&world.repository, "release/app-02/prod", &guard);
    for app in ["app-00", "app-02", "app-03"] {
        world.set(&format!("dev/{app}"), app, "v3");
    }
    let said = world.gitops("promote --from dev --to prod");
    says(&said.stderr, &["release/app-02/prod"]);
    for app in ["app-00", "app-03"] {
        says(&world.request(app, "prod").body, &["v3"]);
    }
}

/// Killed wherever it stands, it is gone on with by the next run.
pub fn a_killed_run_is_gone_on_with(forge: &'static dyn Forge) {
    let world = world(forge, 5);
    for pause in ["0.3", "0.7", "1.2", "2"] {
        world.here.shell(&format!(
            "kubectl gitops promote --from dev --to prod >/dev/null 2>&1 & child=$!; \
             sleep {pause}; kill -9 $child; wait $child"
        ));
    }
    world.ends(0, "promote --from dev --to prod");
    for app in (0..5).map(name) {
        let request = world.request(&app, "prod");
        assert_eq!(request.head_commit, world.tip(&format!("release/{app}/prod")));
        assert_eq!(request.labels.iter().collect::<Vec<_>>(), ["promotion"]);
        assert_eq!(world.comments(request.number).len(), 1);
        assert_eq!(world.statuses(&request.head_commit).len(), 1);
    }
    let again = world.ends(0, "promote --from dev --to prod");
    assert_eq!(again.stdout.matches("unchanged").count(), 5, "{}", again.stdout);
}
