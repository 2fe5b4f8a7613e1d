//! The pipelines in `examples/ci`: each obeys the published schema of its
//! forge and the rules below, and each of its command lines does what it says,
//! run by a shell with the real binary in a repository.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod gitlab;
mod play;
mod rules;
mod schemas;
mod workflow;

#[path = "../cases/stage.rs"]
#[allow(dead_code, reason = "the other test programs use the rest")]
mod stage;

use std::fs;

use serde_json::Value as Json;
use stage::project;

/// The workflows of GitHub and Gitea.
const WORKFLOWS: [&str; 4] =
    ["github/gate.yaml", "github/promote.yaml", "gitea/gate.yaml", "gitea/promote.yaml"];

/// The pipeline of GitLab.
const GITLAB: &str = "gitlab/gitlab-ci.yml";

fn text(name: &str) -> String {
    fs::read_to_string(project().join("examples/ci").join(name)).unwrap()
}

fn parsed(text: &str) -> Json {
    let documents = gitops_yaml::read(gitops_yaml::FileId::NONE, text.as_bytes()).unwrap();
    assert_eq!(documents.len(), 1);
    documents[0].root.as_ref().unwrap().to_json().unwrap()
}

#[test]
fn every_file_is_tested() {
    let mut found = Vec::new();
    for folder in fs::read_dir(project().join("examples/ci")).unwrap() {
        let folder = folder.unwrap();
        if !folder.path().is_dir() {
            continue;
        }
        for file in fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap().file_name();
            found.push(format!("{}/{}", folder.file_name().display(), file.display()));
        }
    }
    found.sort();
    let mut known: Vec<&str> = WORKFLOWS.into_iter().chain([GITLAB]).collect();
    known.sort_unstable();
    assert_eq!(found, known);
}
