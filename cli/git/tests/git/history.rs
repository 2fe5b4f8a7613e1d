//! The first-parent line, changed paths, trailers.

use std::os::unix::fs::symlink;
use std::{fs, slice};

use gitops_git::{BlobId, CommitId, GitError};
use gitops_tree::EntryKind;

use crate::commits::{author, write};
use crate::sandbox::{Sandbox, path};

#[test]
fn the_line_follows_first_parents_and_paths() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/apps/web/a", "1");
    let first = sandbox.commit("repo", "first");
    sandbox.git("repo", &["checkout", "-q", "-b", "topic"]);
    sandbox.write("repo/apps/web/a", "2");
    sandbox.commit("repo", "on a branch");
    sandbox.git("repo", &["checkout", "-q", "main"]);
    sandbox.write("repo/other", "1");
    let other = sandbox.commit("repo", "other");
    sandbox.git("repo", &["merge", "-q", "--no-ff", "-m", "merge", "topic"]);
    let merge = sandbox.head("repo");
    fs::remove_file(sandbox.path("repo/other")).unwrap();
    let last = sandbox.commit("repo", "remove other");

    let repository = sandbox.open("repo");
    let line = |paths: &[&str]| -> Vec<CommitId> {
        let paths: Vec<_> = paths.iter().map(|at| path(at)).collect();
        let line = repository.first_parent(&last, &paths);
        line.map(|commit| commit.unwrap().id).collect()
    };
    assert_eq!(line(&[]), [last, merge, other, first]);
    assert_eq!(line(&["apps"]), [merge, first]);
    assert_eq!(line(&["apps/web/a"]), [merge, first]);
    assert_eq!(line(&["other"]), [last, other]);
    assert_eq!(line(&["other", "apps"]), [last, merge, other, first]);
    assert_eq!(line(&["other/below", "nope"]), [] as [CommitId; 0]);
    assert_eq!(line(&[""]), [last, merge, other, first]);

    let commit = repository.read_commit(&merge).unwrap();
    assert_eq!(commit.parents.len(), 2);
    assert_eq!(commit.parents[0], other);
    assert_eq!((commit.summary(), commit.author.who.name.as_str()), ("merge", "Ada"));
    assert_eq!(
        (commit.author.when.seconds, commit.author.when.offset_minutes),
        (1_700_000_000, 60)
    );
}

#[test]
fn a_shallow_line_ends_at_its_edge() {
    let sandbox = Sandbox::with_repository();
    for n in 0..4 {
        sandbox.write("repo/a", n.to_string());
        sandbox.commit("repo", &n.to_string());
    }
    let url = format!("file://{}", sandbox.path("repo").display());
    sandbox.git(".", &["clone", "-q", "--depth=2", &url, "shallow"]);
    let repository = sandbox.open("shallow");
    let head = repository.resolve("HEAD").unwrap();
    let line: Vec<_> = repository.first_parent(&head, &[]).collect::<Result<_, _>>().unwrap();
    assert_eq!(line.len(), 2);
    assert!(line[1].parents.is_empty() && repository.is_shallow());
}

#[test]
fn changed_paths_have_both_sides() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/edited", "1");
    sandbox.write("repo/gone/x", "x");
    sandbox.write("repo/kind", "k");
    sandbox.write("repo/mode", "m");
    sandbox.write("repo/same", "s");
    let old = sandbox.commit("repo", "old");
    sandbox.write("repo/edited", "2");
    fs::remove_dir_all(sandbox.path("repo/gone")).unwrap();
    fs::remove_file(sandbox.path("repo/kind")).unwrap();
    symlink("same", sandbox.path("repo/kind")).unwrap();
    sandbox.script("repo/mode", "m");
    sandbox.write("repo/new/é", "n");
    let new = sandbox.commit("repo", "new");

    let repository = sandbox.open("repo");
    let changed = repository.changed(Some(&old), &new).unwrap();
    let side = |version: Option<gitops_git::Version>| {
        version.map(|version| (version.id, version.kind, version.executable))
    };
    let file = |bytes: &str| Some((BlobId::of(bytes.as_bytes()), EntryKind::File, false));
    let listed: Vec<_> = changed
        .iter()
        .map(|change| (change.path.as_str(), side(change.old), side(change.new)))
        .collect();
    let link = Some((BlobId::of(b"same"), EntryKind::Link, false));
    let executable = Some((BlobId::of(b"m"), EntryKind::File, true));
    assert_eq!(
        listed,
        [
            ("edited", file("1"), file("2")),
            ("gone/x", file("x"), None),
            ("kind", file("k"), link),
            ("mode", file("m"), executable),
            ("new/é", None, file("n")),
        ]
    );
    assert_eq!(repository.changed(Some(&new), &new).unwrap(), []);
    let all = repository.changed(None, &old).unwrap();
    let all: Vec<_> = all.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(all, ["edited", "gone/x", "kind", "mode", "same"]);
}

#[test]
fn ancestry_and_where_histories_meet() {
    let sandbox = Sandbox::with_repository();
    let root = sandbox.commit("repo", "root");
    let main = sandbox.commit("repo", "main");
    sandbox.git("repo", &["checkout", "-q", "-b", "topic", "HEAD~1"]);
    let topic = sandbox.commit("repo", "topic");
    sandbox.git("repo", &["checkout", "-q", "--orphan", "alone"]);
    let alone = sandbox.commit("repo", "alone");
    let repository = sandbox.open("repo");
    for (a, b, expected) in [
        (&root, &main, true),
        (&root, &root, true),
        (&main, &root, false),
        (&main, &topic, false),
        (&alone, &main, false),
    ] {
        assert_eq!(repository.is_ancestor(a, b).unwrap(), expected, "{a} {b}");
    }
    assert_eq!(repository.merge_base(&main, &topic).unwrap(), Some(root));
    assert_eq!(repository.merge_base(&main, &alone).unwrap(), None);
    // What was merged into the branch is ahead as well.
    sandbox.git("repo", &["checkout", "-q", "topic"]);
    sandbox.git("repo", &["checkout", "-q", "-b", "side"]);
    let side = sandbox.commit("repo", "side");
    sandbox.git("repo", &["checkout", "-q", "topic"]);
    sandbox.git("repo", &["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    let merge = repository.resolve("HEAD").unwrap();
    let ahead = |base, tip| -> Vec<CommitId> {
        repository.ahead(base, tip).unwrap().into_iter().map(|commit| commit.id).collect()
    };
    assert_eq!(ahead(&main, &merge), [merge, side, topic]);
    assert_eq!(ahead(&merge, &topic), []);
    assert_eq!(ahead(&alone, &main), [main, root]);
    let unknown = CommitId::parse(&"1".repeat(40)).unwrap();
    for error in [
        repository.is_ancestor(&unknown, &main).unwrap_err(),
        repository.merge_base(&unknown, &main).unwrap_err(),
        repository.read_commit(&unknown).unwrap_err(),
        repository.tree(&unknown).map(|_| ()).unwrap_err(),
        repository.changed(Some(&unknown), &main).unwrap_err(),
        repository.first_parent(&unknown, &[]).next().unwrap().unwrap_err(),
        repository.ahead(&unknown, &main).unwrap_err(),
        repository.ahead(&main, &unknown).unwrap_err(),
    ] {
        assert!(matches!(error, GitError::Object { .. }), "{error}");
    }
}

/// Every message means to us what it means to Git.
#[test]
fn trailers_are_those_that_git_finds() {
    let sandbox = Sandbox::with_repository();
    let mut parent = sandbox.commit("repo", "first");
    let repository = sandbox.open("repo");
    for (n, message) in [
        "Title\n\nPromoted-From: dev\nPolicy: a@sha256:12=open\nPolicy: b@sha256:34=open\n",
        "Title\n\nbody\n\nPlan-Digest: sha256:ab\n",
        "Title\n\nA: 1\n continued: here\nB:2\nC :3\n",
        "Title\n\nA: 1\nsome prose\n",
        "Title\n\nsome prose\nmore\nA: 1\nSigned-off-by: me <me@x>\n",
        "Title\n\none\ntwo\nthree\nfour\nSigned-off-by: me <me@x>\n",
        "Title\n\n(cherry picked from commit abc)\nA: 1\n",
        "A: 1\n",
        "A: 1\nB: 2\n",
        "Title\n\nA: 1\n\nfoot\n",
        "Title\n\nsee https://example.com\n",
        "Title\n\nA:\n",
        "Title\n\n---\n\nA: 1\n",
        "Title\n\n indented: 1\nA: 1\n",
        "Title\n\nA_B: 1\n",
        "* one\n\nPromoted-From: dev\n\n* two\n\n---------\n\nCo-authored-by: x <x@y>\n",
    ]
    .into_iter()
    .enumerate()
    {
        let edit = write("n", &n.to_string());
        let edit = slice::from_ref(&edit);
        parent = repository.commit(&parent, edit, message, &author()).unwrap();
        let rev = parent.to_string();
        let format = "--format=%(trailers:only,unfold,key_value_separator=%x3D)";
        let expected = sandbox.git("repo", &["log", "-1", format, &rev]);
        let commit = repository.read_commit(&parent).unwrap();
        assert_eq!(commit.message, message);
        let found = commit.trailers();
        let found: Vec<_> = found.iter().map(|t| format!("{}={}", t.key, t.value)).collect();
        assert_eq!(found.join("\n"), expected.trim(), "{message}");
    }
}
