//! Git with a real Gitea: over HTTP with a token, and over its ssh server.

use std::fs;
use std::process::Command;

use gitops_git::{CommitId, GitError, Lease, PushOutcome, Repository, Token, Update, Why};
use gitops_test_forges::suite::Scene;
use gitops_test_forges::{Gitea, Guard, Stage, Who, gitea};
use serde_json::json;

/// The clone as the program opens it, `origin` there.
fn opened(scene: &Scene<'_>, url: &str) -> Repository {
    let known = scene.try_git(&["remote", "get-url", "origin"]).is_ok();
    scene.git(&["remote", if known { "set-url" } else { "add" }, "origin", url]);
    let home = scene.folder().join(".git").display().to_string();
    let repository = Repository::discover(scene.folder()).unwrap();
    repository
        .with_env("HOME", home)
        .with_env("GIT_CONFIG_GLOBAL", "/dev/null")
        .with_env("GIT_CONFIG_NOSYSTEM", "1")
}

/// What every transport must do: fetch, push with a lease, say in words what the
/// server refuses, delete.
fn pushes(gitea: &Gitea, scene: &Scene<'_>, repository: &Repository) {
    let fetched = |branch: &str| -> Option<CommitId> {
        repository.fetch("origin", &[branch]).unwrap().remove(0).commit
    };
    let main = fetched("main").unwrap();
    assert_eq!(main.to_string(), scene.git(&["rev-parse", "main"]));
    assert_eq!(fetched("release/web"), None);
    let commit = |text: &str| {
        scene.git(&["checkout", "-q", "--detach", "main"]);
        let id = scene.commit(Who::Bot, &[("envs/prod.yaml", text)]);
        repository.resolve(&id).unwrap()
    };
    let push = |branch: &str, commit: CommitId, expect: Lease| {
        let update = Update { commit, branch: branch.into(), expect };
        repository.push("origin", &[update]).unwrap()
    };
    let first = commit("tag: v2\n");
    let outcome = push("release/web", first, Lease::Absent);
    assert!(matches!(&outcome, PushOutcome::Pushed(all) if all[0].moved), "{outcome:?}");
    // The same again is done already.
    let outcome = push("release/web", first, Lease::Absent);
    assert!(matches!(&outcome, PushOutcome::Pushed(all) if !all[0].moved), "{outcome:?}");
    let second = commit("tag: v3\n");
    let why = |outcome: PushOutcome| match outcome {
        PushOutcome::Refused(mut all) => all.remove(0).why,
        done => panic!("{done:?}"),
    };
    assert_eq!(why(push("release/web", second, Lease::Absent)), Why::LeaseLost);
    assert_eq!(why(push("release/web", second, Lease::At(main))), Why::LeaseLost);
    let outcome = push("release/web", second, Lease::At(first));
    assert!(matches!(outcome, PushOutcome::Pushed(_)), "{outcome:?}");
    assert_eq!(fetched("release/web"), Some(second));

    // A branch that is protected says so.
    let guard = Guard { no_push: true, ..Guard::default() };
    gitea.guard(&scene.repository, "main", &guard);
    let Why::Rejected { reason, messages } = why(push("main", second, Lease::FastForward)) else {
        panic!("it was not the server who refused")
    };
    let said = format!("{reason}\n{}", messages.join("\n"));
    assert!(said.contains("Not allowed to push to protected branch main"), "{said}");
    assert_eq!(fetched("main"), Some(main));
    // And where nothing may be pushed, the whole push of several is undone.
    let updates = ["main", "release/web"].map(|branch| Update {
        commit: commit("tag: v4\n"),
        branch: branch.into(),
        expect: Lease::At(if branch == "main" { main } else { second }),
    });
    let outcome = repository.push("origin", &updates).unwrap();
    assert!(matches!(outcome, PushOutcome::Refused(_)), "{outcome:?}");
    assert_eq!((fetched("main"), fetched("release/web")), (Some(main), Some(second)));
}

#[test]
fn over_ssh() {
    let Some(gitea) = gitea() else { return };
    let scene = Scene::new(gitea, "ssh");
    let key = scene.folder().join(".git/key");
    let key = key.display();
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f", &key.to_string()])
        .status();
    assert!(made.unwrap().success());
    let public = fs::read_to_string(format!("{key}.pub")).unwrap();
    let known = scene.folder().join(".git/known");
    let ssh = format!(
        "ssh -F none -i {key} -o IdentitiesOnly=yes -o StrictHostKeyChecking=accept-new \
         -o UserKnownHostsFile={}",
        known.display()
    );
    scene.git(&["config", "core.sshCommand", &ssh]);
    let repository = opened(&scene, &gitea.ssh(&scene.repository));
    // Nobody knows the key yet.
    let error = repository.fetch("origin", &["main"]).unwrap_err().to_string();
    assert!(error.contains("Permission denied"), "{error}");
    let body = json!({"title": scene.repository, "key": public});
    let (status, answer) = gitea.call(Who::Bot, "POST", "/user/keys", body);
    assert_eq!(status, 201, "{answer}");
    pushes(gitea, &scene, &repository);
}

#[test]
fn over_http_with_a_token() {
    let Some(gitea) = gitea() else { return };
    let scene = Scene::new(gitea, "http");
    let private = json!({"private": true});
    gitea.done(200, "PATCH", &format!("/repos/acme/{}", scene.repository), private);
    let url = format!("{}/acme/{}.git", gitea.web(), scene.repository);
    let token =
        |secret: &str| Token::new(&gitea.web(), "x-access-token", "GITEA_TOKEN", secret).unwrap();
    let refused = |repository: Repository, secret: &str| {
        let error: GitError = repository.fetch("origin", &["main"]).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(secret.is_empty() || !shown.contains(secret), "{shown}");
        error.to_string()
    };
    let none = refused(opened(&scene, &url), "");
    assert!(none.contains("could not read Username") || none.contains("Authentication"), "{none}");
    let wrong = "0123456789abcdef0123456789abcdef01234567";
    let wrong = refused(opened(&scene, &url).with_token(token(wrong)), wrong);
    assert!(wrong.contains("Authentication failed"), "{wrong}");

    let secret = gitea.secret(Who::Bot);
    let repository = opened(&scene, &url).with_token(token(secret));
    pushes(gitea, &scene, &repository);
    // Nowhere on the disk, and in no message.
    let config = fs::read_to_string(scene.folder().join(".git/config")).unwrap();
    assert!(!config.contains(secret), "{config}");
    let grep = Command::new("grep").args(["-rl", secret]).arg(scene.folder()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&grep.stdout), "");

    // One that may only read.
    let reading = gitea.new_token("bot", &["read:repository", "read:user"]);
    let repository = opened(&scene, &url).with_token(token(&reading));
    let commit = repository.resolve("HEAD").unwrap();
    let update = Update { commit, branch: "release/no".into(), expect: Lease::Absent };
    let error = repository.push("origin", &[update]).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(&reading), "{shown}");
    assert!(shown.contains("403") || shown.contains("denied"), "{shown}");
}
