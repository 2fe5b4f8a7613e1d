//! Pushes with a lease: what goes through, what is refused and why.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use gitops_git::{CommitId, Deletion, GitError, Lease, PushOutcome, Repository, Update, Why};

use crate::commits::{author, write};
use crate::remotes::{someone_pushes, with_server};

pub(crate) fn update(commit: CommitId, branch: &str, expect: Lease) -> Update {
    Update { commit, branch: branch.to_owned(), expect }
}

/// Pushes one branch; its reason when it was refused.
fn push(
    repository: &Repository,
    commit: CommitId,
    branch: &str,
    expect: Lease,
) -> Result<bool, Why> {
    match repository.push("origin", &[update(commit, branch, expect)]).unwrap() {
        PushOutcome::Pushed(pushed) => {
            assert_eq!(pushed.len(), 1);
            assert_eq!(pushed[0].now, Some(commit));
            Ok(pushed[0].moved)
        }
        PushOutcome::Refused(mut refused) => {
            assert_eq!(refused.len(), 1);
            let now = repository.remote_branch("origin", branch).unwrap();
            assert_eq!(refused[0].now, now);
            Err(refused.remove(0).why)
        }
    }
}

fn edited(repository: &Repository, parent: CommitId, content: &str) -> CommitId {
    let edits = [write("a.yaml", content)];
    repository.commit(&parent, &edits, content, &author()).unwrap()
}

#[test]
fn a_branch_is_made_moved_and_replaced_under_its_lease() {
    let (sandbox, first) = with_server();
    let repository = sandbox.open("repo");
    let (a, b) = (edited(&repository, first, "a"), edited(&repository, first, "b"));
    assert_eq!(push(&repository, a, "release/web", Lease::Absent), Ok(true));
    assert_eq!(sandbox.git("server.git", &["rev-parse", "release/web"]), a.to_string());
    // Again, as after a connection that broke: it is there, whatever was expected.
    assert_eq!(push(&repository, a, "release/web", Lease::Absent), Ok(false));
    assert_eq!(push(&repository, a, "release/web", Lease::At(first)), Ok(false));
    assert_eq!(push(&repository, a, "release/web", Lease::FastForward), Ok(false));
    // Not a descendant: only the lease lets it through.
    assert_eq!(push(&repository, b, "release/web", Lease::FastForward), Err(Why::NotFastForward));
    assert_eq!(push(&repository, b, "release/web", Lease::At(a)), Ok(true));
    assert_eq!(push(&repository, a, "release/web", Lease::At(a)), Err(Why::LeaseLost));
    assert_eq!(push(&repository, a, "release/web", Lease::Absent), Err(Why::LeaseLost));
    assert_eq!(push(&repository, a, "never", Lease::At(a)), Err(Why::LeaseLost));
    assert_eq!(push(&repository, a, "main", Lease::FastForward), Ok(true));
}

#[test]
fn what_somebody_else_pushed_stays() {
    let (sandbox, first) = with_server();
    let repository = sandbox.open("repo");
    let ours = edited(&repository, first, "ours");
    let theirs = someone_pushes(&sandbox, "main", "theirs");
    assert_eq!(push(&repository, ours, "main", Lease::FastForward), Err(Why::NotFastForward));
    assert_eq!(push(&repository, ours, "main", Lease::At(first)), Err(Why::LeaseLost));
    let theirs_too = someone_pushes(&sandbox, "release/web", "theirs too");
    assert_eq!(push(&repository, ours, "release/web", Lease::Absent), Err(Why::LeaseLost));
    assert_eq!(repository.remote_branch("origin", "main").unwrap(), Some(theirs));
    assert_eq!(repository.remote_branch("origin", "release/web").unwrap(), Some(theirs_too));
    // The remote-tracking branch is not the lease: having fetched changes nothing.
    sandbox.git("repo", &["fetch", "-q"]);
    assert_eq!(push(&repository, ours, "release/web", Lease::Absent), Err(Why::LeaseLost));
    assert_eq!(push(&repository, ours, "main", Lease::FastForward), Err(Why::NotFastForward));
}

/// Somebody pushes after the server told us where the branch is: the `pre-push`
/// hook runs at exactly that moment.
#[test]
fn a_race_lost_on_the_server_is_told_as_one() {
    for (branch, expect, why) in [
        ("main", None, Why::NotFastForward),
        ("main", Some(Lease::At(CommitId::parse(&"0".repeat(40)).unwrap())), Why::LeaseLost),
        ("release/web", Some(Lease::Absent), Why::LeaseLost),
    ] {
        let (sandbox, first) = with_server();
        let expect = match expect {
            None => Lease::FastForward,
            Some(Lease::At(_)) => Lease::At(first),
            Some(other) => other,
        };
        let theirs = someone_pushes(&sandbox, "elsewhere", "theirs");
        let server = sandbox.path("server.git");
        let race = format!(
            "#!/bin/sh\nexec git --git-dir={} update-ref refs/heads/{branch} {theirs}\n",
            server.display()
        );
        sandbox.script("repo/.git/hooks/pre-push", &race);
        let repository = sandbox.open("repo");
        let ours = edited(&repository, first, "ours");
        assert_eq!(push(&repository, ours, branch, expect), Err(why), "{branch} {expect:?}");
        assert_eq!(repository.remote_branch("origin", branch).unwrap(), Some(theirs));
    }
}

#[test]
fn a_hook_that_says_no_is_heard() {
    let (sandbox, first) = with_server();
    let hook =
        "#!/bin/sh\necho 'Only \x1b[31mrobots\x1b[0m push here' >&2\necho second >&2\nexit 1\n";
    sandbox.script("server.git/hooks/pre-receive", hook);
    let repository = sandbox.open("repo");
    let ours = edited(&repository, first, "ours");
    for expect in [Lease::FastForward, Lease::At(first)] {
        let why = push(&repository, ours, "main", expect).unwrap_err();
        let Why::Rejected { reason, messages } = why else { panic!("{why:?}") };
        assert_eq!(reason, "pre-receive hook declined");
        assert_eq!(messages, ["Only robots push here", "second"]);
    }
    assert_eq!(repository.remote_branch("origin", "main").unwrap(), Some(first));
}

/// The server dies after or before the effect and reports nothing: what happened
/// is what is there.
#[test]
fn a_connection_that_breaks_is_settled_by_reading_back() {
    for (state, there) in [("committed", true), ("prepared", false)] {
        let (sandbox, first) = with_server();
        let repository = sandbox.open("repo");
        let ours = edited(&repository, first, "ours");
        let dies = format!("#!/bin/sh\n[ \"$1\" != {state} ] || kill -9 $PPID\n");
        sandbox.script("server.git/hooks/reference-transaction", &dies);
        let outcome = repository.push("origin", &[update(ours, "x", Lease::Absent)]);
        let now = there.then_some(ours);
        assert_eq!(repository.remote_branch("origin", "x").unwrap(), now);
        match outcome {
            Ok(PushOutcome::Pushed(pushed)) if there => {
                assert!(pushed[0].moved && pushed[0].now == now);
            }
            Err(GitError::Remote { doing: "push to", .. }) if !there => {}
            other => panic!("{state}: {other:?}"),
        }
    }
}

#[test]
fn the_users_own_hook_may_say_no_and_may_talk() {
    let (sandbox, first) = with_server();
    let repository = sandbox.open("repo");
    let ours = edited(&repository, first, "ours");
    sandbox.script("repo/.git/hooks/pre-push", "#!/bin/sh\necho not on fridays >&2\nexit 1\n");
    let error = repository.push("origin", &[update(ours, "x", Lease::Absent)]).unwrap_err();
    assert!(error.to_string().contains("not on fridays"), "{error}");
    let forged = "#!/bin/sh\nprintf '!\\tx:refs/heads/x\\t[rejected] (stale info)\\n'\n";
    sandbox.script("repo/.git/hooks/pre-push", forged);
    assert_eq!(push(&repository, ours, "x", Lease::Absent), Ok(true));
}

#[test]
fn several_branches_move_together_or_not_at_all() {
    let (sandbox, first) = with_server();
    let repository = sandbox.open("repo");
    let ours = edited(&repository, first, "ours");
    someone_pushes(&sandbox, "b", "theirs");
    let both = [update(ours, "a", Lease::Absent), update(ours, "b", Lease::Absent)];
    let PushOutcome::Refused(refused) = repository.push("origin", &both).unwrap() else {
        panic!("one of the branches was there")
    };
    let why: BTreeMap<_, _> =
        refused.iter().map(|refusal| (refusal.branch.as_str(), &refusal.why)).collect();
    assert_eq!(why["b"], &Why::LeaseLost);
    assert!(matches!(why.get("a"), None | Some(Why::Together)), "{why:?}");
    assert_eq!(repository.remote_branch("origin", "a").unwrap(), None);

    let both = [update(ours, "a", Lease::Absent), update(ours, "main", Lease::FastForward)];
    let PushOutcome::Pushed(pushed) = repository.push("origin", &both).unwrap() else {
        panic!("nothing stood in the way")
    };
    assert!(pushed.iter().all(|pushed| pushed.moved && pushed.now == Some(ours)));
    assert_eq!(repository.push("origin", &[]).unwrap(), PushOutcome::Pushed(vec![]));
}

#[test]
fn a_remote_that_is_gone_and_a_commit_that_is_not_here() {
    let (sandbox, first) = with_server();
    let repository = sandbox.open("repo");
    let unknown = CommitId::parse(&"1".repeat(40)).unwrap();
    let error = repository.push("origin", &[update(unknown, "x", Lease::Absent)]).unwrap_err();
    assert!(matches!(error, GitError::Object { .. }), "{error}");
    for bad in ["a:b", "+x", "", "-x", "x*"] {
        if bad == "+x" {
            continue; // a branch may be called so; it is never at the start of a refspec
        }
        let error = repository.push("origin", &[update(first, bad, Lease::Absent)]).unwrap_err();
        assert!(matches!(error, GitError::InvalidBranch { .. }), "{bad}: {error}");
    }
    assert_eq!(push(&repository, first, "+x", Lease::Absent), Ok(true));
    fs::rename(sandbox.path("server.git"), sandbox.path("gone.git")).unwrap();
    let error = repository.push("origin", &[update(first, "x", Lease::Absent)]).unwrap_err();
    let GitError::Remote { doing, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*doing, "push to");
}

/// Every file below a folder with its bytes.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let at = entry.unwrap().path();
            if at.is_dir() && !at.is_symlink() {
                folders.push(at);
            } else {
                let name = at.strip_prefix(dir).unwrap().display().to_string();
                found.insert(name, fs::read(&at).unwrap());
            }
        }
    }
    found
}

/// Invariant 7. What a fetch, a commit and pushes may leave behind is named here,
/// and nothing else may: the work tree (dirty, staged, untracked, ignored), the
/// index, `HEAD`, the configuration, local branches, tags, the stash.
#[test]
fn the_users_files_index_head_and_configuration_stay_byte_for_byte() {
    let (sandbox, first) = with_server();
    sandbox.write("repo/.gitignore", "ignored\n");
    sandbox.commit("repo", "second");
    sandbox.write("repo/a.yaml", "stashed\n");
    sandbox.git("repo", &["stash", "-q"]);
    sandbox.write("repo/a.yaml", "staged\n");
    sandbox.git("repo", &["add", "a.yaml"]);
    sandbox.write("repo/a.yaml", "dirty\n");
    sandbox.write("repo/untracked", "u");
    sandbox.write("repo/ignored", "i");
    sandbox.git("repo", &["tag", "v1"]);
    someone_pushes(&sandbox, "env/dev", "theirs");

    let before = contents(&sandbox.path("repo"));
    let repository = sandbox.open("repo");
    repository.fetch("origin", &["main", "env/dev"]).unwrap();
    repository.default_branch(Some("origin")).unwrap();
    let ours = edited(&repository, first, "ours");
    assert_eq!(push(&repository, ours, "release/web", Lease::Absent), Ok(true));
    assert_eq!(push(&repository, ours, "main", Lease::FastForward), Ok(true));
    let after = contents(&sandbox.path("repo"));

    let ours = |name: &str| {
        name.starts_with(".git/objects/")
            || name.starts_with(".git/refs/kubectl-gitops/remotes/origin/")
            || name.starts_with(".git/refs/remotes/origin/")
            || name.starts_with(".git/logs/refs/remotes/origin/")
    };
    let kept = |all: &BTreeMap<String, Vec<u8>>| -> BTreeMap<String, Vec<u8>> {
        all.iter().filter(|(name, _)| !ours(name)).map(|(n, b)| (n.clone(), b.clone())).collect()
    };
    let (before, after) = (kept(&before), kept(&after));
    for must in ["a.yaml", "untracked", ".git/index", ".git/HEAD", ".git/config", ".git/refs/stash"]
    {
        assert!(before.contains_key(must), "{must}");
    }
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    assert!(before == after, "a file changed");
}

#[test]
fn settings_of_the_user_do_not_widen_a_push() {
    let (sandbox, first) = with_server();
    sandbox.git("repo", &["tag", "-a", "v1", "-m", "one"]);
    for (name, value) in [
        ("push.followTags", "true"),
        ("push.default", "matching"),
        ("push.recurseSubmodules", "on-demand"),
        ("remote.origin.push", "+refs/heads/*:refs/heads/*"),
        ("color.ui", "always"),
        ("push.autoSetupRemote", "true"),
    ] {
        sandbox.git("repo", &["config", name, value]);
    }
    let config = fs::read(sandbox.path("repo/.git/config")).unwrap();
    let repository = sandbox.open("repo");
    let ours = edited(&repository, first, "ours");
    assert_eq!(push(&repository, ours, "release/web", Lease::Absent), Ok(true));
    let refs = sandbox.git("server.git", &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, "refs/heads/main\nrefs/heads/release/web");
    assert_eq!(fs::read(sandbox.path("repo/.git/config")).unwrap(), config);
    let stale = push(&repository, first, "release/web", Lease::Absent);
    assert_eq!(stale, Err(Why::LeaseLost));
}

#[test]
fn a_linked_work_tree_and_a_bare_clone_push_too() {
    let (sandbox, first) = with_server();
    sandbox.git("repo", &["worktree", "add", "-q", "--detach", "../linked"]);
    sandbox.git(".", &["clone", "-q", "--bare", "server.git", "mine.git"]);
    for (dir, branch) in [("linked", "from-linked"), ("mine.git", "from-bare")] {
        let repository = sandbox.open(dir);
        let ours = edited(&repository, first, dir);
        assert_eq!(push(&repository, ours, branch, Lease::Absent), Ok(true), "{dir}");
    }
    assert_eq!(sandbox.git("linked", &["status", "--porcelain"]), "");
}

#[test]
fn a_branch_is_taken_away_only_where_it_is_expected() {
    let (sandbox, first) = with_server();
    let repository = sandbox.open("repo");
    let delete = |at: &CommitId| repository.delete_branch("origin", "release/web", at).unwrap();
    assert_eq!(delete(&first), Deletion::Gone { deleted: false });
    let theirs = someone_pushes(&sandbox, "release/web", "theirs");
    let Deletion::Refused(refusal) = delete(&first) else { panic!("it was deleted") };
    assert_eq!((refusal.why, refusal.now), (Why::LeaseLost, Some(theirs)));
    assert_eq!(delete(&theirs), Deletion::Gone { deleted: true });
    assert_eq!(delete(&theirs), Deletion::Gone { deleted: false });
    assert_eq!(repository.remote_branch("origin", "release/web").unwrap(), None);
    assert_eq!(repository.remote_branch("origin", "main").unwrap(), Some(first));
}

#[test]
fn a_branch_that_moves_under_its_deletion_stays() {
    let (sandbox, first) = with_server();
    let repository = sandbox.open("repo");
    let ours = edited(&repository, first, "ours");
    assert_eq!(push(&repository, ours, "x", Lease::Absent), Ok(true));
    let theirs = someone_pushes(&sandbox, "elsewhere", "theirs");
    let race = format!(
        "#!/bin/sh\nexec git --git-dir={} update-ref refs/heads/x {theirs}\n",
        sandbox.path("server.git").display()
    );
    sandbox.script("repo/.git/hooks/pre-push", &race);
    let outcome = repository.delete_branch("origin", "x", &ours).unwrap();
    let Deletion::Refused(refusal) = outcome else { panic!("it was deleted") };
    assert_eq!((refusal.why, refusal.now), (Why::LeaseLost, Some(theirs)));
}

#[test]
fn a_server_that_keeps_its_branches_is_heard() {
    let (sandbox, first) = with_server();
    let repository = sandbox.open("repo");
    let ours = edited(&repository, first, "ours");
    assert_eq!(push(&repository, ours, "x", Lease::Absent), Ok(true));
    sandbox.git("server.git", &["config", "receive.denyDeletes", "true"]);
    let outcome = repository.delete_branch("origin", "x", &ours).unwrap();
    let Deletion::Refused(refusal) = outcome else { panic!("it was deleted") };
    let Why::Rejected { reason, .. } = refusal.why else { panic!("{:?}", refusal.why) };
    assert_eq!(reason, "deletion prohibited");
    assert_eq!(repository.remote_branch("origin", "x").unwrap(), Some(ours));
}
