//! The real binary and remotes as people have them: over HTTP and TLS, ssh, with
//! helpers, tokens and proxies, slow, broken and hanging; with commits signed;
//! killed at any moment; several at once.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, unreachable_pub)]

mod by_push;
mod chance;
mod crash;
mod http;
mod moved;
mod races;
mod session;
mod signed;
mod ssh;
mod web;

#[path = "../cases/stage.rs"]
#[allow(dead_code, reason = "the other test programs use the rest")]
mod stage;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use stage::{Said, Stage};

/// A stage with eight apps in three environments: `dev` takes pushes, `uat`
/// merges by itself, `prod` wants requests. `origin` is the bare repository
/// `srv/apps.git`.
fn shop() -> Stage {
    let stage = Stage::new();
    let write = |path: &str, text: &str| {
        let at = stage.repo().join(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, text).unwrap();
    };
    write(
        "gitops.yaml",
        "apiVersion: kubectl-gitops.dev/v1alpha1\nkind: GitOps\nenvironments:\n  \
         - {name: dev, path: envs/dev, merge: direct}\n  \
         - {name: uat, path: envs/uat, merge: auto}\n  - {name: prod, path: envs/prod}\n",
    );
    for environment in ["dev", "uat", "prod"] {
        let mut text = String::from("resources: [web.yaml]\nimages:\n");
        for app in APPS {
            text.push_str(&format!("- name: {app}\n  newTag: v1\n"));
        }
        write(&format!("envs/{environment}/kustomization.yaml"), &text);
        let pods: String = APPS.map(pod).concat();
        write(&format!("envs/{environment}/web.yaml"), &pods);
    }
    let said = stage.shell(
        "git init -q -b main && git add -A && git commit -q -m start && mkdir ../srv \
         && git clone -q --bare . ../srv/apps.git && git -C ../srv/apps.git config http.receivepack true && git -C ../srv/apps.git config receive.autogc false \
         && git remote add origin ../srv/apps.git && git fetch -q",
    );
    assert_eq!(said.status, 0, "{}", said.stderr);
    stage
}

const APPS: [&str; 8] = ["web", "api", "job", "mail", "auth", "cart", "blog", "cron"];

fn pod(app: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {app}}}\n\
         spec: {{containers: [{{name: {app}, image: {app}}}]}}\n---\n"
    )
}

/// Points `origin` there.
fn point(stage: &Stage, url: &str) {
    let said = stage.shell(&format!("git remote set-url origin '{url}'"));
    assert_eq!(said.status, 0, "{}", said.stderr);
}

/// What the bare repository answers to `git …`.
fn server(stage: &Stage, arguments: &str) -> String {
    let said = stage.shell(&format!("git -C ../srv/apps.git {arguments}"));
    assert_eq!(said.status, 0, "{}", said.stderr);
    said.stdout.trim_end().to_owned()
}

/// Both repositories are whole, and no lock file stays in them.
#[track_caller]
fn whole(stage: &Stage) {
    for repository in ["../srv/apps.git", "."] {
        let said = stage.shell(&format!("git -C {repository} fsck --strict --no-dangling"));
        assert_eq!((said.status, said.stderr.trim()), (0, ""), "{repository}: {}", said.stdout);
    }
    assert_eq!(stage.shell("find .. -name '*.lock'").stdout, "");
}

/// Writes a program into the stage's `bin`.
fn program(stage: &Stage, name: &str, text: &str) {
    let at = stage.folder().join("bin").join(name);
    fs::write(&at, text).unwrap();
    fs::set_permissions(at, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Says so past the capture of the test runner: a skip must be seen.
fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr().lock(), "skipped: {why}");
}

#[track_caller]
fn worked(said: &Said) {
    assert_eq!(said.status, 0, "{}{}", said.stdout, said.stderr);
}

/// It ended with that status, and each of the words was said.
#[track_caller]
fn failed(said: &Said, status: i32, words: &[&str]) {
    assert_eq!(said.status, status, "{}{}", said.stdout, said.stderr);
    for words in words {
        assert!(said.stderr.contains(words), "no `{words}` in: {}", said.stderr);
    }
}
