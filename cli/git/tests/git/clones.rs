//! Bare clones of this program's own, and which remote a repository is.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use gitops_git::{GitError, Repository};

use crate::sandbox::{Sandbox, environment};

fn kept(sandbox: &Sandbox, url: &str) -> Result<Repository, GitError> {
    let mut repository = Repository::kept(&sandbox.path("cache/gitops/clones"), url)?;
    for (name, value) in environment(&sandbox.path("home")) {
        repository = repository.with_env(name, value);
    }
    Ok(repository)
}

/// A sandbox with a server of 30 branches.
fn server() -> (Sandbox, String) {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/a", "1");
    sandbox.commit("repo", "start");
    for index in 0..30 {
        sandbox.git("repo", &["branch", &format!("b{index}")]);
    }
    sandbox.git(".", &["clone", "-q", "--bare", "repo", "server.git"]);
    let url = sandbox.path("server.git").display().to_string();
    (sandbox, url)
}

#[test]
fn only_what_is_asked_for_is_fetched() {
    let (sandbox, url) = server();
    let repository = kept(&sandbox, &url).unwrap();
    assert_eq!(repository.root(), None);
    let remote = repository.remote_at(&url).unwrap();
    let fetched = repository.fetch(&remote.name, &["main", "nothing"]).unwrap();
    assert_eq!(fetched[0].commit, Some(sandbox.head("repo")));
    assert_eq!(fetched[1].commit, None);
    let path = format!("cache/gitops/clones/{}", file_name(&repository));
    let refs = sandbox.git(&path, &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, "refs/kubectl-gitops/remotes/origin/main");
    // The same one again, and another one for another address.
    assert_eq!(kept(&sandbox, &url).unwrap().location(), repository.location());
    let other = kept(&sandbox, "https://git.example/acme/server.git").unwrap();
    assert_ne!(other.location(), repository.location());
}

fn file_name(repository: &Repository) -> String {
    repository.location().file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn runs_at_once_do_not_meet() {
    let (sandbox, url) = server();
    std::thread::scope(|scope| {
        for run in 0..8 {
            let (sandbox, url) = (&sandbox, &url);
            scope.spawn(move || {
                let repository = kept(sandbox, url).unwrap();
                for index in 0..6 {
                    let branch = format!("b{}", (run + index) % 30);
                    let fetched = repository.fetch("origin", &["main", &branch]).unwrap();
                    assert!(fetched.iter().all(|fetched| fetched.commit.is_some()));
                }
            });
        }
    });
}

#[test]
fn half_a_clone_is_made_again() {
    let (sandbox, url) = server();
    let repository = kept(&sandbox, &url).unwrap();
    let at = repository.location().to_owned();
    drop(repository);
    fs::remove_file(at.join("HEAD")).unwrap();
    fs::create_dir_all(at.with_extension("new").join("objects")).unwrap();
    let repository = kept(&sandbox, &url).unwrap();
    assert!(repository.fetch("origin", &["main"]).unwrap()[0].commit.is_some());
}

#[test]
fn a_folder_of_others_is_refused() {
    let (sandbox, url) = server();
    kept(&sandbox, &url).unwrap();
    let folder = sandbox.path("cache/gitops/clones");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let error = kept(&sandbox, &url).unwrap_err();
    assert!(
        matches!(&error, GitError::Cache { reason, .. } if reason.contains("others may")),
        "{error}"
    );
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    fs::rename(&folder, sandbox.path("cache/elsewhere")).unwrap();
    symlink(sandbox.path("cache/elsewhere"), &folder).unwrap();
    let error = kept(&sandbox, &url).unwrap_err();
    assert!(
        matches!(&error, GitError::Cache { reason, .. } if reason.contains("a link")),
        "{error}"
    );
}

#[test]
fn a_checkout_is_known_by_its_remotes() {
    let (sandbox, url) = server();
    sandbox.git(".", &["clone", "-q", "server.git", "checkout"]);
    sandbox.git("checkout", &["remote", "add", "fork", "git@git.example:me/apps.git"]);
    sandbox.git("checkout", &["remote", "add", "near", "../repo"]);
    let repository = sandbox.open("checkout");
    for (address, remote) in [
        (url.as_str(), "origin"),
        (&format!("file://{url}/"), "origin"),
        ("https://git.example/me/apps", "fork"),
        (&sandbox.path("repo").display().to_string(), "near"),
    ] {
        assert_eq!(repository.remote_at(address).unwrap().name, remote, "{address}");
    }
    let error = repository.remote_at("https://me:secret@git.example/you/apps").unwrap_err();
    assert!(matches!(error, GitError::NoRemoteAt { .. }));
    assert!(!format!("{error} {}", error.hint().unwrap()).contains("secret"), "{error}");
}
