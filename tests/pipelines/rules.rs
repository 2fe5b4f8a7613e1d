//! What no schema asks: least rights, pinned actions, no text of a request in
//! a script, and one place for what is installed.

use serde_json::Value as Json;

use crate::stage::project;
use crate::{GITLAB, WORKFLOWS, parsed, text};

fn jobs(workflow: &Json) -> impl Iterator<Item = (&String, &Json)> {
    workflow["jobs"].as_object().unwrap().iter()
}

fn steps(job: &Json) -> &[Json] {
    job["steps"].as_array().unwrap()
}

#[test]
fn workflows_have_the_least_rights() {
    for name in WORKFLOWS {
        let workflow = parsed(&text(name));
        assert_eq!(workflow["permissions"], serde_json::json!({}), "{name}");
        let rights: Vec<(&String, &Json)> =
            jobs(&workflow).map(|(job, of)| (job, &of["permissions"])).collect();
        let expected = if name.ends_with("gate.yaml") {
            let write = "write";
            let rights = serde_json::json!(
                {"contents": "read", "pull-requests": write, "statuses": write}
            );
            ("gate", rights)
        } else {
            let write = "write";
            let rights = serde_json::json!(
                {"contents": write, "pull-requests": write, "statuses": write}
            );
            ("promote", rights)
        };
        assert_eq!(rights, [(&expected.0.to_owned(), &expected.1)], "{name}");
    }
}

#[test]
fn what_others_wrote_is_pinned_and_keeps_no_token() {
    for name in WORKFLOWS {
        let text = text(name);
        for line in text.lines().filter_map(|line| line.split_once("- uses: ")) {
            let (action, version) = line.1.split_once(" # v").expect(line.1);
            let (_, commit) = action.split_once('@').unwrap();
            assert!(
                commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()),
                "{action}"
            );
            assert_eq!(version.split('.').count(), 3, "{version}");
        }
        for (_, job) in jobs(&parsed(&text)) {
            let checkout = &steps(job)[0];
            assert!(checkout["uses"].as_str().unwrap().starts_with("actions/checkout@"), "{name}");
            assert_eq!(checkout["with"]["persist-credentials"], false, "{name}");
            assert_eq!(checkout["with"]["fetch-depth"], 0, "{name}");
        }
    }
}

#[test]
fn a_gate_cannot_be_skipped_and_holds_no_secret() {
    for name in WORKFLOWS.into_iter().filter(|name| name.ends_with("gate.yaml")) {
        let workflow = parsed(&text(name));
        let on = workflow["on"].as_object().unwrap();
        assert_eq!(on.keys().collect::<Vec<_>>(), ["pull_request"], "{name}");
        assert_eq!(on["pull_request"], serde_json::json!({"branches": ["main"]}), "{name}");
        for (_, job) in jobs(&workflow) {
            assert!(job.get("if").is_none() && job.get("needs").is_none(), "{name}");
            assert!(steps(job).iter().all(|step| step.get("if").is_none()), "{name}");
            assert!(job.get("continue-on-error").is_none(), "{name}");
        }
        let secrets: Vec<&str> = text_after(&workflow, "secrets.").collect();
        // What Gitea calls the token of the run.
        assert!(secrets.iter().all(|secret| secret.starts_with("GITEA_TOKEN ")), "{secrets:?}");
    }
    let gitlab = parsed(&text(GITLAB));
    let rules = gitlab["gate"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 1);
    assert!(
        rules[0]["if"].as_str().unwrap().contains("$CI_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID")
    );
    assert!(gitlab["gate"].get("allow_failure").is_none());
}

/// What follows a word, in every string of a document.
fn text_after<'a>(of: &'a Json, word: &'a str) -> Box<dyn Iterator<Item = &'a str> + 'a> {
    match of {
        Json::String(text) => Box::new(text.split(word).skip(1)),
        Json::Array(items) => Box::new(items.iter().flat_map(move |item| text_after(item, word))),
        Json::Object(map) => Box::new(map.values().flat_map(move |item| text_after(item, word))),
        _ => Box::new(std::iter::empty()),
    }
}

/// An expression is text that is put into the script before the shell reads it.
#[test]
fn no_script_holds_an_expression() {
    for name in WORKFLOWS {
        for (_, job) in jobs(&parsed(&text(name))) {
            for script in steps(job).iter().filter_map(|step| step["run"].as_str()) {
                assert!(!script.contains("${{"), "{name}: {script}");
            }
        }
    }
}

#[test]
fn two_promotions_do_not_meet() {
    for name in WORKFLOWS.into_iter().filter(|name| name.ends_with("promote.yaml")) {
        let concurrency = &parsed(&text(name))["concurrency"];
        assert_eq!(concurrency["group"], "promote", "{name}");
        assert_eq!(concurrency["cancel-in-progress"], false, "{name}");
        let queue = name.starts_with("github").then_some("max");
        assert_eq!(concurrency["queue"].as_str(), queue, "{name}");
    }
    let gitlab = parsed(&text(GITLAB));
    assert_eq!(gitlab[".promote"]["resource_group"], "promote");
    for job in ["continue", "promote", "promote by hand"] {
        assert_eq!(gitlab[job]["extends"], ".promote");
        assert!(gitlab[job].get("resource_group").is_none());
    }
}

/// The version and the digest are those of the krew manifest.
#[test]
fn what_is_installed_is_what_krew_installs() {
    let krew = std::fs::read_to_string(project().join("krew.yaml")).unwrap();
    let krew = parsed(&krew);
    let amd64 = krew["spec"]["platforms"].as_array().unwrap().iter().find(|platform| {
        let labels = &platform["selector"]["matchLabels"];
        labels["os"] == "linux" && labels["arch"] == "amd64"
    });
    let digest = &amd64.unwrap()["sha256"];
    let check = |name: &str, of: &Json| {
        assert_eq!(&of["VERSION"], &krew["spec"]["version"], "{name}");
        assert_eq!(&of["SHA256"], digest, "{name}");
    };
    for name in WORKFLOWS {
        for (_, job) in jobs(&parsed(&text(name))) {
            check(name, &steps(job)[1]["env"]);
        }
    }
    check(GITLAB, &parsed(&text(GITLAB))[".kubectl-gitops"]["variables"]);
}
