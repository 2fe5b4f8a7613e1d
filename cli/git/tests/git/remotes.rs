//! What remotes hold, and how it gets here.

use std::fs;

use gitops_git::{CommitId, Fetched, GitError, Lease, PushOutcome, Remote, Repository};

use crate::pushes::update;
use crate::sandbox::{Sandbox, environment};

/// `repo` with one commit on `main`, pushed to the bare repository `server.git`.
pub(crate) fn with_server() -> (Sandbox, CommitId) {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/a.yaml", "a: 1\n");
    let first = sandbox.commit("repo", "first");
    sandbox.git(".", &["init", "-q", "--bare", "-b", "main", "server.git"]);
    sandbox.git("repo", &["remote", "add", "origin", "../server.git"]);
    sandbox.git("repo", &["push", "-q", "-u", "origin", "main"]);
    (sandbox, first)
}

/// A commit on `branch` of the server that `repo` has not seen.
pub(crate) fn someone_pushes(sandbox: &Sandbox, branch: &str, content: &str) -> CommitId {
    if !sandbox.path("other").exists() {
        sandbox.git(".", &["clone", "-q", "server.git", "other"]);
        sandbox.git("other", &["config", "user.name", "Bob"]);
        sandbox.git("other", &["config", "user.email", "bob@example.com"]);
    }
    sandbox.git("other", &["fetch", "-q", "--prune"]);
    sandbox.git("other", &["checkout", "-q", "-B", "work", "origin/main"]);
    sandbox.write("other/theirs.yaml", content);
    let commit = sandbox.commit("other", content);
    sandbox.git("other", &["push", "-q", "-f", "origin", &format!("HEAD:refs/heads/{branch}")]);
    commit
}

#[test]
fn the_remote_is_the_only_one_or_origin_or_the_named_one() {
    let sandbox = Sandbox::with_repository();
    let add = |name: &str, url: &str| sandbox.git("repo", &["remote", "add", name, url]);
    let find = |name: Option<&str>| sandbox.open("repo").remote(name);
    assert_eq!(find(None).unwrap_err().to_string(), "the repository has no remote");
    add("upstream", "https://user:s3cret@example.com/acme/apps.git");
    let url = "https://example.com/acme/apps.git".to_owned();
    let upstream = Remote { name: "upstream".into(), url };
    assert_eq!(find(None).unwrap(), upstream);
    add("fork", "git@example.com:me/apps.git");
    let several = find(None).unwrap_err();
    assert_eq!(several.to_string(), "several remotes and none is `origin`: fork, upstream");
    assert_eq!(find(Some("upstream")).unwrap(), upstream);
    let unknown = find(Some("nope")).unwrap_err();
    assert_eq!(unknown.to_string(), "there is no remote `nope`, only fork, upstream");
    add("origin", "ssh://git@example.com/acme/apps.git");
    assert_eq!(find(None).unwrap().name, "origin");
    assert_eq!(sandbox.open("repo").remotes().unwrap().len(), 3);
}

#[test]
fn the_default_branch_is_what_the_remote_says() {
    let (sandbox, _) = with_server();
    sandbox.git("repo", &["push", "-q", "origin", "main:trunk"]);
    sandbox.git("server.git", &["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    assert_eq!(sandbox.open("repo").default_branch(Some("origin")).unwrap(), "trunk");
    // What a clone has noted may be old, or another's doing.
    sandbox.git("repo", &["fetch", "-q"]);
    sandbox.git("repo", &["remote", "set-head", "origin", "main"]);
    assert_eq!(sandbox.open("repo").default_branch(Some("origin")).unwrap(), "trunk");

    sandbox.git("server.git", &["symbolic-ref", "HEAD", "refs/heads/nowhere"]);
    assert_eq!(sandbox.open("repo").default_branch(Some("origin")).unwrap(), "main");
    sandbox.git("repo", &["push", "-q", "origin", "main:other", ":main"]);
    let error = sandbox.open("repo").default_branch(Some("origin")).unwrap_err();
    let expected =
        "the default branch of remote `origin` cannot be told from its branches: other, trunk";
    assert_eq!(error.to_string(), expected);
    sandbox.git("repo", &["push", "-q", "origin", ":other"]);
    assert_eq!(sandbox.open("repo").default_branch(Some("origin")).unwrap(), "trunk");
    assert_eq!(sandbox.open("repo").default_branch(None).unwrap(), "main");
}

#[test]
fn what_was_listed_with_the_default_branch_is_not_asked_for_again() {
    let (sandbox, first) = with_server();
    let repository = sandbox.open("repo");
    repository.fetch("origin", &["main"]).unwrap();
    repository.default_branch(Some("origin")).unwrap();
    std::fs::rename(sandbox.path("server.git"), sandbox.path("gone.git")).unwrap();
    let fetched = repository.fetch("origin", &["main", "nope"]).unwrap();
    assert_eq!((fetched[0].commit, fetched[1].commit), (Some(first), None));
    // Once: whoever fetches again wants to know what is there by then.
    assert!(repository.fetch("origin", &["main"]).is_err());

    // Of a branch that is another one here, what comes is what is there by then.
    std::fs::rename(sandbox.path("gone.git"), sandbox.path("server.git")).unwrap();
    someone_pushes(&sandbox, "main", "second: 2\n");
    repository.default_branch(Some("origin")).unwrap();
    let third = someone_pushes(&sandbox, "main", "third: 3\n");
    assert_eq!(repository.fetch("origin", &["main"]).unwrap()[0].commit, Some(third));
    // What this program pushes makes old what was listed before.
    repository.default_branch(Some("origin")).unwrap();
    let update = update(first, "x", Lease::Absent);
    assert!(matches!(repository.push("origin", &[update]).unwrap(), PushOutcome::Pushed(_)));
    assert_eq!(repository.fetch("origin", &["x"]).unwrap()[0].commit, Some(first));
}

#[test]
fn absent_and_unreachable_are_different_answers() {
    let (sandbox, first) = with_server();
    let repository = sandbox.open("repo");
    assert_eq!(repository.remote_branch("origin", "main").unwrap(), Some(first));
    assert_eq!(repository.remote_branch("origin", "release/web/prod").unwrap(), None);
    // `ls-remote` takes patterns and matches ends of names; a branch is neither.
    sandbox.git("server.git", &["update-ref", "refs/heads/x/refs/heads/deep", "main"]);
    assert_eq!(repository.remote_branch("origin", "deep").unwrap(), None);
    for bad in ["", "ma*n", "-x", "a:b", "a..b", "a b"] {
        let error = repository.remote_branch("origin", bad).unwrap_err();
        assert_eq!(error, GitError::InvalidBranch { branch: bad.to_owned() });
    }

    std::fs::rename(sandbox.path("server.git"), sandbox.path("gone.git")).unwrap();
    for error in [
        repository.remote_branch("origin", "main").unwrap_err(),
        repository.fetch("origin", &["main"]).unwrap_err(),
        repository.default_branch(Some("origin")).unwrap_err(),
    ] {
        let GitError::Remote { remote, reason, .. } = &error else { panic!("{error:?}") };
        assert_eq!(remote, "origin");
        assert!(reason.contains("does not appear to be a git repository"), "{reason}");
    }
}

#[test]
fn no_credential_of_an_address_is_shown() {
    let (sandbox, _) = with_server();
    let url = "http://robot:s3cret@127.0.0.1:9/acme/apps.git";
    sandbox.git("repo", &["remote", "set-url", "origin", url]);
    let repository = sandbox.open("repo").with_env("GIT_ASKPASS", "t0ken");
    let error = repository.remote_branch("origin", "main").unwrap_err();
    for shown in [format!("{error} {error:?}"), format!("{repository:?}")] {
        assert!(!shown.contains("s3cret") && !shown.contains("t0ken"), "{shown}");
    }
    assert!(error.to_string().contains("http://127.0.0.1:9/acme/apps.git"), "{error}");
}

#[test]
fn fetching_moves_nothing_of_the_users() {
    let (sandbox, first) = with_server();
    let theirs = someone_pushes(&sandbox, "main", "1");
    someone_pushes(&sandbox, "env/dev", "2");
    sandbox.git("other", &["tag", "v1"]);
    sandbox.git("other", &["push", "-q", "origin", "v1"]);
    // Settings that would move or prune the user's references.
    for (name, value) in [("fetch.prune", "true"), ("remote.origin.tagOpt", "--tags")] {
        sandbox.git("repo", &["config", name, value]);
    }
    let repository = sandbox.open("repo");
    let theirs_dev = repository.remote_branch("origin", "env/dev").unwrap().unwrap();
    let users =
        || sandbox.git("repo", &["for-each-ref", "refs/heads", "refs/remotes", "refs/tags"]);
    let before = users();
    let fetched = repository.fetch("origin", &["main", "env/dev", "nope"]).unwrap();
    let expected = [("main", Some(theirs)), ("env/dev", Some(theirs_dev)), ("nope", None)];
    let expected = expected.map(|(branch, commit)| Fetched { branch: branch.to_owned(), commit });
    assert_eq!(fetched, expected);
    assert_eq!(users(), before);
    assert!(!sandbox.path("repo/.git/FETCH_HEAD").exists());
    assert_eq!(sandbox.head("repo"), first);
    assert!(repository.is_ancestor(&first, &theirs).unwrap());

    // A branch that was a folder of branches meets nothing that is kept.
    sandbox.git("repo", &["push", "-q", "origin", ":env/dev", "main:env"]);
    let fetched = repository.fetch("origin", &["env", "env/dev"]).unwrap();
    assert_eq!(fetched[0].commit, Some(first));
    assert_eq!(fetched[1].commit, None);
    // Rewritten on the server, it is what the server has.
    let rewritten = someone_pushes(&sandbox, "env", "3");
    assert_eq!(repository.fetch("origin", &["env"]).unwrap()[0].commit, Some(rewritten));
}

/// What a `git` that was killed leaves of ours does not stop the next fetch;
/// the lock of another reference is not ours to take away.
#[test]
fn a_lock_of_ours_that_nobody_holds_is_taken_away() {
    let (sandbox, _) = with_server();
    let theirs = someone_pushes(&sandbox, "main", "1");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(5);
    let lock = |name: &str| {
        let path = sandbox.path("repo/.git/refs").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::File::create(&path).unwrap().set_modified(old).unwrap();
        path
    };
    let ours = lock("kubectl-gitops/remotes/origin/main.lock");
    let users = lock("remotes/origin/main.lock");
    let fetched = sandbox.open("repo").fetch("origin", &["main"]).unwrap();
    assert_eq!(fetched[0].commit, Some(theirs));
    assert!(!ours.exists() && users.exists());
}

#[test]
fn a_bare_repository_fetches_too() {
    let (sandbox, first) = with_server();
    sandbox.git(".", &["clone", "-q", "--bare", "server.git", "mine.git"]);
    let repository = sandbox.open("mine.git").with_env("GIT_CONFIG_COUNT", "1");
    let repository = repository.with_env("GIT_CONFIG_KEY_0", "safe.bareRepository");
    let repository = repository.with_env("GIT_CONFIG_VALUE_0", "explicit");
    let theirs = someone_pushes(&sandbox, "main", "1");
    assert_eq!(repository.fetch("origin", &["main"]).unwrap()[0].commit, Some(theirs));
    assert_eq!(repository.resolve("main").unwrap(), first);
}

/// Under a hook Git sets variables that name a repository. They are set here for
/// a run of other tests of this binary: only the code under test inherits them.
#[test]
fn variables_of_a_hook_do_not_lead_elsewhere() {
    let (sandbox, _) = with_server();
    sandbox.init("decoy", &[]);
    sandbox.commit("decoy", "decoy");
    let decoy = sandbox.path("decoy/.git");
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact"])
        .args(["remotes::fetching_moves_nothing_of_the_users"])
        .args(["pushes::a_branch_is_made_moved_and_replaced_under_its_lease"])
        .args(["commits::the_author_is_who_git_says"])
        .env("GIT_DIR", &decoy)
        .env("GIT_COMMON_DIR", &decoy)
        .env("GIT_WORK_TREE", sandbox.path("decoy"))
        .env("GIT_INDEX_FILE", decoy.join("index"))
        .env("GIT_OBJECT_DIRECTORY", decoy.join("objects"))
        .env("GIT_NAMESPACE", "decoy")
        .env("GIT_PREFIX", "decoy/")
        .env("GIT_QUARANTINE_PATH", &decoy)
        .env("GIT_TRACE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("3 passed"), "{said}");
}

#[test]
fn one_reference_comes_without_its_history() {
    let (sandbox, first) = with_server();
    let main = someone_pushes(&sandbox, "main", "1");
    let branch = someone_pushes(&sandbox, "v1", "2");
    sandbox.git("other", &["tag", "-a", "-m", "one", "v1", first.to_string().as_str()]);
    sandbox.git("other", &["push", "-q", "origin", "refs/tags/v1"]);
    let url = format!("file://{}", sandbox.path("server.git").display());
    let mut kept = Repository::kept(&sandbox.path("cache/gitops/bases"), &url).unwrap();
    for (name, value) in environment(&sandbox.path("home")) {
        kept = kept.with_env(name, value);
    }
    let of = |reference: &str| kept.fetch_reference("origin", reference);
    assert_eq!(of("HEAD").unwrap(), main);
    assert_eq!(of("v1").unwrap(), first, "a tag goes before a branch");
    assert_eq!(of("heads/v1").unwrap(), branch);
    assert_eq!(of("refs/heads/v1").unwrap(), branch);
    assert_eq!(of(&branch.to_string()).unwrap(), branch);
    assert_eq!(kept.tree(&branch).unwrap().commit(), branch);
    assert!(kept.is_shallow());
    for unknown in ["v2", "", "*", "v1^{}", "-x", "main:main", "a b", &"0".repeat(40)] {
        let error = of(unknown).unwrap_err();
        assert!(matches!(error, GitError::UnknownReference { .. }), "{unknown}: {error}");
    }

    // A tag that is moved is followed; a commit needs no server.
    sandbox.git("other", &["tag", "-f", "v1", main.to_string().as_str()]);
    sandbox.git("other", &["push", "-q", "-f", "origin", "refs/tags/v1"]);
    assert_eq!(of("v1").unwrap(), main);
    std::fs::rename(sandbox.path("server.git"), sandbox.path("gone.git")).unwrap();
    assert!(matches!(of("v1").unwrap_err(), GitError::Remote { .. }));
    assert_eq!(of(&branch.to_string()).unwrap(), branch);
}

#[test]
fn tags_are_named_once_and_nothing_is_fetched() {
    let (sandbox, _) = with_server();
    assert_eq!(sandbox.open("repo").remote_tags("origin").unwrap(), [""; 0]);
    someone_pushes(&sandbox, "elsewhere", "theirs");
    sandbox.git("other", &["tag", "web/v1.0.0"]);
    sandbox.git("other", &["tag", "-a", "-m", "annotated", "v1.1.0"]);
    sandbox.git("other", &["push", "-q", "origin", "--tags"]);
    // A branch may be called like a tag.
    sandbox.git("other", &["push", "-q", "origin", "HEAD:refs/heads/refs/tags/v9"]);
    let repository = sandbox.open("repo");
    assert_eq!(repository.remote_tags("origin").unwrap(), ["v1.1.0", "web/v1.0.0"]);
    assert_eq!(sandbox.git("repo", &["tag"]), "");
    let unknown = repository.remote_tags("--upload-pack=x").unwrap_err();
    assert!(matches!(unknown, GitError::UnknownRemote { .. }), "{unknown}");
    std::fs::remove_dir_all(sandbox.path("server.git")).unwrap();
    let gone = repository.remote_tags("origin").unwrap_err();
    assert!(matches!(gone, GitError::Remote { .. }), "{gone}");
}
