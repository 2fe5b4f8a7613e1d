//! The pipeline of GitLab, job by job: variables, then `before_script` and
//! `script` in one shell.

use serde_json::Value as Json;

use crate::play::{Play, Variables};
use crate::stage::Said;
use crate::workflow::krew_address;
use crate::{GITLAB, parsed, text};

/// The job, then what it extends, nearest first.
fn chain<'a>(pipeline: &'a Json, job: &str) -> Vec<&'a Json> {
    let mut found = vec![&pipeline[job]];
    while let Some(name) = found[found.len() - 1]["extends"].as_str() {
        found.push(&pipeline[name]);
    }
    found
}

fn lines(chain: &[&Json], key: &str) -> String {
    let Some(lines) = chain.iter().find_map(|of| of[key].as_array()) else { return String::new() };
    lines.iter().map(|line| format!("{}\n", line.as_str().unwrap())).collect()
}

/// Runs a job; `given` is what GitLab sets.
fn run(play: &Play, job: &str, reference: &str, given: &[(&str, &str)], digest: &str) -> Said {
    let pipeline = parsed(&text(GITLAB));
    let chain = chain(&pipeline, job);
    let mut variables = Variables::new();
    for of in [&pipeline].into_iter().chain(chain.iter().rev().copied()) {
        for (name, value) in of["variables"].as_object().into_iter().flatten() {
            let value = value["value"].as_str().or(value.as_str()).unwrap();
            let known = |name: &str| given.iter().find(|(known, _)| *known == name);
            let value = match value.strip_prefix('$') {
                Some(name) => known(name).expect(name).1,
                None => value,
            };
            variables.push((name.clone(), value.to_owned()));
        }
    }
    let depth = variables.iter().find(|(name, _)| name == "GIT_DEPTH").unwrap().1.parse().unwrap();
    variables.push(("SHA256".to_owned(), digest.to_owned()));
    variables.extend(given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    play.check_out(depth, reference);
    let script = lines(&chain, "before_script") + &lines(&chain, "script");
    play.script(&script, "", &variables)
}

#[test]
fn a_merge_request_is_judged() {
    let play = Play::new();
    let digest = play.digest();
    let move_it = "sed -i 's/newTag: .*/newTag: v8/' envs/uat/web/kustomization.yaml";
    let bring_a_judge = format!("{move_it} && echo 'gate: {{script: [true]}}' > .gitlab-ci.yml");
    for (branch, change, status, says) in [
        ("tidy", move_it, 0, "\ngate: open"),
        ("main", bring_a_judge.as_str(), 1, "gitops/pipeline-changed"),
        ("release/web/prod", move_it, 1, "gitops/outside-target"),
    ] {
        let request = play.request(branch, change);
        let mut given = vec![
            ("CI_COMMIT_SHA", request.head.as_str()),
            ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
            ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", branch),
        ];
        let said = run(&play, "gate", "refs/pull/1/head", &given, &digest);
        assert_eq!(said.status, status, "{branch}: {}", said.transcript());
        assert!(said.stdout.contains(says), "{branch}: {}", said.stdout);
        // A pipeline of the merged result stands on a commit of GitLab's own.
        let merged = play.ok("git rev-parse HEAD");
        given[0].1 = &merged;
        given.push(("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", &request.head));
        let said = run(&play, "gate", "refs/pull/1/merge", &given, &digest);
        assert_eq!(said.status, status, "{branch}: {}", said.transcript());
        assert!(said.stdout.contains(says), "{branch}: {}", said.stdout);
    }
    let said = run(&play, "gate", "refs/pull/1/head", &[], &"0".repeat(64));
    assert_eq!(said.status, 1, "{}", said.transcript());
    assert_eq!(play.url(), krew_address());
}

#[test]
fn pushes_schedules_and_people_promote() {
    let play = Play::new();
    let digest = play.digest();
    let who = [("GITLAB_USER_NAME", "Ada"), ("GITLAB_USER_EMAIL", "ada@example.com")];
    let promote = |job: &str, given: &[(&str, &str)]| {
        let given = [&who[..], given].concat();
        run(&play, job, "refs/heads/main", &given, &digest)
    };
    let before = play.ok("git rev-parse HEAD");
    play.release("api", "v7");
    let after = play.release("web", "v9");
    let said = promote("continue", &[("CI_COMMIT_BEFORE_SHA", &before), ("CI_COMMIT_SHA", &after)]);
    assert_eq!(said.status, 0, "{}", said.transcript());
    assert_eq!(play.runs("main", "uat", "web"), "v9");
    assert_eq!(play.runs("main", "uat", "api"), "v7");

    let said = promote("promote by hand", &[("ENVIRONMENT", "prod"), ("APP", "api")]);
    assert_eq!(said.status, 0, "{}", said.transcript());
    assert_eq!(play.branches(), "main\nrelease/api/prod");
    let said = promote("promote", &[]);
    assert_eq!(said.status, 0, "{}", said.transcript());
    assert_eq!(play.branches(), "main\nrelease/api/prod\nrelease/web/prod");
    // As the pipeline has it where nobody says otherwise.
    play.release("web", "v10");
    let said = promote("promote by hand", &[]);
    assert_eq!(said.status, 0, "{}", said.transcript());
    assert_eq!(play.runs("main", "uat", "web"), "v10");

    let nobody = "0".repeat(40);
    let said = promote("continue", &[("CI_COMMIT_BEFORE_SHA", &nobody), ("CI_COMMIT_SHA", &after)]);
    assert_ne!(said.status, 0, "{}", said.transcript());
}
