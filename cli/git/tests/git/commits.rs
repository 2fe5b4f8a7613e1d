//! Commits made without a checkout.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::{fs, iter};

use gitops_git::{BlobId, CommitId, FileEdit, GitError, Identity, Repository, Signature, Time};
use gitops_tree::{EntryKind, Mode, Tree, TreePath};
use proptest::prelude::*;

use crate::sandbox::{Sandbox, path};

pub(crate) fn write(at: &str, content: &str) -> FileEdit {
    FileEdit { path: path(at), content: Some(content.as_bytes().to_vec()), mode: None }
}

pub(crate) fn remove(at: &str) -> FileEdit {
    FileEdit { path: path(at), content: None, mode: None }
}

pub(crate) fn author() -> Signature {
    let who = Identity { name: "Grace".into(), email: "grace@example.com".into() };
    who.at(Time { seconds: 1_750_000_000, offset_minutes: -210 })
}

/// A repository with files of several modes at several depths.
fn files() -> Sandbox {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/a.yaml", "a: 1\n");
    sandbox.script("repo/bin/run", "#!/bin/sh\n");
    sandbox.write("repo/apps/web/kustomization.yaml", "images: []\r\n");
    sandbox.write("repo/apps/web/only/one.yaml", "one");
    symlink("a.yaml", sandbox.path("repo/link")).unwrap();
    sandbox.commit("repo", "first");
    sandbox
}

#[test]
fn a_commit_holds_the_edits_and_keeps_everything_else() {
    let sandbox = files();
    // A filter that runs would change the bytes of the new blobs.
    sandbox.git("repo", &["config", "core.autocrlf", "input"]);
    let repository = sandbox.open("repo");
    let parent = repository.resolve("HEAD").unwrap();
    let before = sandbox.git("repo", &["ls-tree", "-r", "HEAD"]);
    let edits = [
        write("bin/run", "#!/bin/sh\nexit 1\n"),
        write("apps/web/kustomization.yaml", "images: [a]\r\n"),
        write("apps/api/new/deep.yaml", "new\n"),
        remove("apps/web/only/one.yaml"),
    ];
    let commit = repository.commit(&parent, &edits, "Release `web`", &author()).unwrap();
    let rev = commit.to_string();

    let listed = sandbox.git("repo", &["ls-tree", "-r", &rev]);
    let modes: Vec<(&str, &str)> =
        listed.lines().map(|line| (&line[..6], line.split_once('\t').unwrap().1)).collect();
    assert_eq!(
        modes,
        [
            ("100644", "a.yaml"),
            ("100644", "apps/api/new/deep.yaml"),
            ("100644", "apps/web/kustomization.yaml"),
            ("100755", "bin/run"),
            ("120000", "link"),
        ]
    );
    let unchanged = |name: &str| {
        let line = |text: &str| text.lines().find(|line| line.ends_with(name)).unwrap().to_owned();
        assert_eq!(line(&before), line(&listed));
    };
    unchanged("\ta.yaml");
    unchanged("\tlink");
    let shown = sandbox
        .try_git("repo", &["cat-file", "blob", &format!("{rev}:apps/web/kustomization.yaml")]);
    assert_eq!(shown.stdout, b"images: [a]\r\n");
    let raw = sandbox.git("repo", &["cat-file", "commit", &rev]);
    let (head, message) = raw.split_once("\n\n").unwrap();
    assert_eq!(message, "Release `web`");
    assert!(head.contains(&format!("parent {parent}\n")));
    assert!(head.contains("author Grace <grace@example.com> 1750000000 -0330\n"), "{head}");
    assert!(head.contains("committer Grace <grace@example.com> 1750000000 -0330"));
    sandbox.git("repo", &["fsck", "--strict", "--no-dangling"]);
    // The same again is the same commit.
    assert_eq!(repository.commit(&parent, &edits, "Release `web`\n", &author()).unwrap(), commit);
}

#[test]
fn a_commit_is_the_one_that_git_would_make() {
    let sandbox = files();
    let repository = sandbox.open("repo");
    let parent = repository.resolve("HEAD").unwrap();
    // Names around `/` and `.` in Git's order, in which a folder sorts as `name/`.
    let edits: Vec<FileEdit> = ["apps.yaml", "apps-old/x", "apps/zz", "apps0", "a/b/c/d", "é.yaml"]
        .iter()
        .map(|name| write(name, name))
        .chain(iter::once(remove("a.yaml")))
        .collect();
    let commit = repository.commit(&parent, &edits, "x", &author()).unwrap();
    for edit in &edits {
        let at = format!("repo/{}", edit.path);
        match &edit.content {
            Some(content) => sandbox.write(&at, content),
            None => fs::remove_file(sandbox.path(&at)).unwrap(),
        }
    }
    sandbox.commit("repo", "by hand");
    let tree = |rev: &str| sandbox.git("repo", &["rev-parse", &format!("{rev}^{{tree}}")]);
    assert_eq!(tree(&commit.to_string()), tree("HEAD"));
}

#[test]
fn the_last_file_may_go() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/a/b/c", "c");
    let parent = sandbox.commit("repo", "first");
    let repository = sandbox.open("repo");
    let commit = repository.commit(&parent, &[remove("a/b/c")], "x", &author()).unwrap();
    assert_eq!(sandbox.git("repo", &["ls-tree", &commit.to_string()]), "");
}

#[test]
fn a_commit_needs_no_work_tree() {
    let sandbox = files();
    sandbox.git(".", &["clone", "-q", "--bare", "repo", "bare.git"]);
    let repository = sandbox.open("bare.git");
    let parent = repository.resolve("main").unwrap();
    let commit = repository.commit(&parent, &[write("a.yaml", "a: 2\n")], "x", &author()).unwrap();
    assert_eq!(sandbox.git("bare.git", &["show", &format!("{commit}:a.yaml")]), "a: 2");
    assert_eq!(repository.resolve("main").unwrap(), parent);
}

#[test]
fn edits_that_do_not_fit_are_refused() {
    let sandbox = files();
    let repository = sandbox.open("repo");
    let parent = repository.resolve("HEAD").unwrap();
    for (edits, at, expected) in [
        (vec![remove("nope")], "nope", "it does not exist"),
        (vec![remove("no/such/file")], "no/such/file", "it does not exist"),
        (vec![write("link", "x")], "link", "it is a symbolic link"),
        (vec![remove("apps")], "apps", "it is a directory"),
        (vec![write("apps/web", "x")], "apps/web", "it is a directory"),
        (vec![write("a.yaml/b", "x")], "a.yaml/b", "`a.yaml` is not a directory"),
        (vec![write("link/b/c", "x")], "link/b/c", "`link` is not a directory"),
        (vec![write("n", "x"), write("n", "y")], "n", "it is edited twice"),
        (vec![write("", "x")], "", "it is the root"),
        (vec![write("n", "x"), write("n/m", "y")], "n", "another edit stands below it"),
        (vec![remove("a.yaml"), write("a.yaml/m", "y")], "a.yaml", "another edit stands below it"),
    ] {
        let error = repository.commit(&parent, &edits, "x", &author()).unwrap_err();
        let reason = expected.to_owned();
        assert_eq!(error, GitError::Edit { path: path(at), reason }, "{edits:?}");
    }
    for at in [".git/config", "apps/.git/hooks/x", ".GIT/x"] {
        let error = repository.commit(&parent, &[write(at, "x")], "x", &author()).unwrap_err();
        assert!(matches!(error, GitError::Edit { .. }), "{at}: {error}");
    }
    for nothing in [vec![], vec![write("a.yaml", "a: 1\n")]] {
        let error = repository.commit(&parent, &nothing, "x", &author()).unwrap_err();
        assert_eq!(error, GitError::NothingToCommit { parent });
    }
}

#[test]
fn an_edit_does_not_show_its_bytes() {
    let shown = format!("{:?}", write("secret.yaml", "hunter2"));
    assert!(shown.contains("secret.yaml") && !shown.contains("hunter2"), "{shown}");
    assert!(!shown.contains("104"), "not as numbers either: {shown}");
}

#[test]
fn the_author_is_who_git_says() {
    let sandbox = Sandbox::with_repository();
    let repository = sandbox.open("repo");
    let ada = Identity { name: "Ada".into(), email: "ada@example.com".into() };
    assert_eq!(repository.identity().unwrap(), ada);
    let other = sandbox.open("repo").with_env("GIT_AUTHOR_NAME", "A. Lovelace");
    assert_eq!(other.identity().unwrap().name, "A. Lovelace");

    sandbox.git("repo", &["config", "--remove-section", "user"]);
    let error = repository.identity().unwrap_err();
    assert!(matches!(error, GitError::NoIdentity { .. }), "{error}");
    assert!(error.hint().unwrap().contains("user.email"));
}

#[test]
fn a_merge_has_two_parents_and_the_edits_of_one() {
    let sandbox = files();
    let repository = sandbox.open("repo");
    let base = repository.resolve("HEAD").unwrap();
    let edits = [write("a.yaml", "a: 2\n")];
    let head = repository.commit(&base, &edits, "change", &author()).unwrap();
    let theirs = [write("b.yaml", "b: 1\n")];
    let moved = repository.commit(&base, &theirs, "theirs", &author()).unwrap();
    let merge = repository.commit_merge(&moved, &head, &edits, "Merge", &author()).unwrap();
    assert_eq!(repository.read_commit(&merge).unwrap().parents, [moved, head]);
    let changed = repository.changed(Some(&moved), &merge).unwrap();
    assert_eq!(changed.iter().map(|c| c.path.as_str()).collect::<Vec<_>>(), ["a.yaml"]);
}

#[test]
fn a_first_commit_has_no_parent_and_nothing_but_its_edits() {
    let sandbox = files();
    let repository = sandbox.open("repo");
    let edits = [write("holds/prod/a.yaml", "a: 1\n"), write("b", "b\n")];
    let root = repository.commit_root(&edits, "start", &author()).unwrap();
    assert_eq!(repository.read_commit(&root).unwrap().parents, []);
    let held = sandbox.git("repo", &["ls-tree", "-r", "--name-only", &root.to_string()]);
    assert_eq!(held, "b\nholds/prod/a.yaml");
    let gone = [remove("holds/prod/a.yaml"), remove("b")];
    let empty = repository.commit(&root, &gone, "end", &author()).unwrap();
    assert_eq!(sandbox.git("repo", &["ls-tree", &empty.to_string()]), "");
    let error = repository.commit_root(&[remove("b")], "x", &author()).unwrap_err();
    assert!(matches!(error, GitError::Edit { .. }), "{error}");
}

#[test]
fn a_commit_is_signed_when_the_user_signs() {
    let sandbox = files();
    let key = sandbox.path("home/key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: no ssh-keygen");
        return;
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    sandbox.write("home/allowed", format!("grace@example.com {public}"));
    for (name, value) in [
        ("commit.gpgsign", "true"),
        ("gpg.format", "ssh"),
        ("user.signingkey", &key.display().to_string()),
        ("gpg.ssh.allowedSignersFile", &sandbox.path("home/allowed").display().to_string()),
    ] {
        sandbox.git("repo", &["config", name, value]);
    }
    let repository = sandbox.open("repo");
    let parent = repository.resolve("HEAD").unwrap();
    let edits = [write("a.yaml", "a: 2\n")];
    let commit = repository.commit(&parent, &edits, "Signed\n\nA: b", &author()).unwrap();
    let shown =
        sandbox.git("repo", &["log", "-1", "--format=%G? %an %at %ai %s", &commit.to_string()]);
    assert_eq!(shown, "G Grace 1750000000 2025-06-15 11:36:40 -0330 Signed");
    let written = repository.read_commit(&commit).unwrap();
    assert_eq!(written.message, "Signed\n\nA: b\n");
    assert_eq!(written.author, author());
    let other = [write("a.yaml", "a: 3\n")];
    let merge = repository.commit_merge(&parent, &commit, &other, "M", &author()).unwrap();
    assert_eq!(sandbox.git("repo", &["log", "-1", "--format=%G?", &merge.to_string()]), "G");
    assert_eq!(repository.read_commit(&merge).unwrap().parents, [parent, commit]);
    let root = repository.commit_root(&other, "R", &author()).unwrap();
    assert_eq!(sandbox.git("repo", &["log", "-1", "--format=%G?%P", &root.to_string()]), "G");

    fs::remove_file(&key).unwrap();
    fs::remove_file(key.with_extension("pub")).unwrap();
    let error = repository.commit(&parent, &edits, "x", &author()).unwrap_err();
    assert!(error.to_string().starts_with("cannot sign a commit: "), "{error}");
}

/// All files of a commit.
fn files_of(repository: &Repository, commit: &CommitId) -> BTreeMap<String, Vec<u8>> {
    let tree = repository.tree(commit).unwrap();
    let mut files = BTreeMap::new();
    let mut folders = vec![TreePath::root()];
    while let Some(folder) = folders.pop() {
        let entries = tree.list(&folder).unwrap();
        assert!(folder.is_root() || !entries.is_empty(), "`{folder}` is empty");
        for entry in entries {
            let at = folder.join(&entry.name).unwrap();
            match entry.kind {
                EntryKind::Directory => folders.push(at),
                _ => {
                    let bytes = tree.read(&at).unwrap().to_vec();
                    files.insert(at.as_str().to_owned(), bytes);
                }
            }
        }
    }
    files
}

/// Folders and files have names of their own, so that every edit fits.
fn some_path() -> impl Strategy<Value = String> {
    ("([ab][.-]?/){0,3}", "[xyz0-2]").prop_map(|(folders, file)| folders + &file)
}

fn some_files() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    prop::collection::btree_map(some_path(), prop::collection::vec(any::<u8>(), 0..4), 0..12)
}

/// A commit holds what a map would hold after the same edits, and what has
/// changed are the edits that changed something.
#[test]
fn an_edit_may_name_its_mode() {
    let sandbox = files();
    let repository = sandbox.open("repo");
    let parent = repository.resolve("HEAD").unwrap();
    let edits = [
        FileEdit { mode: Some(Mode::Regular), ..write("bin/run", "plain\n") },
        FileEdit { mode: Some(Mode::Executable), ..write("bin/new", "#!/bin/sh\n") },
        FileEdit { mode: Some(Mode::Link), ..write("bin/link", "new") },
        FileEdit { mode: Some(Mode::Regular), ..write("link", "no link any more") },
    ];
    let commit = repository.commit(&parent, &edits, "modes", &author()).unwrap();
    let listed = sandbox.git("repo", &["ls-tree", "-r", &commit.to_string()]);
    let modes: Vec<(&str, &str)> =
        listed.lines().map(|line| (&line[..6], line.split_once('\t').unwrap().1)).collect();
    for expected in
        [("100644", "bin/run"), ("100755", "bin/new"), ("120000", "bin/link"), ("100644", "link")]
    {
        assert!(modes.contains(&expected), "{expected:?} in {modes:?}");
    }
    let tree = repository.tree(&commit).unwrap();
    assert!(tree.executable(&path("bin/new")).unwrap());
    assert!(!tree.executable(&path("bin/run")).unwrap());
    assert!(tree.executable(&path("bin/link")).is_err());

    let gone = FileEdit { mode: Some(Mode::Link), ..remove("bin/link") };
    let after = repository.commit(&commit, &[gone], "gone", &author()).unwrap();
    assert_eq!(repository.tree(&after).unwrap().kind(&path("bin/link")).unwrap(), None);
    assert!(repository.commit(&commit, &[remove("bin/link")], "gone", &author()).is_err());
}

#[test]
fn commits_hold_what_was_edited() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/kept", "k");
    let root = sandbox.commit("repo", "first");
    let repository = sandbox.open("repo");
    let kept = ("kept".to_owned(), b"k".to_vec());
    proptest!(ProptestConfig::with_cases(64), |(start in some_files(), more in some_files(), gone: u16)| {
        let edit = |(at, bytes): (&String, &Vec<u8>)| {
            FileEdit { path: path(at), content: Some(bytes.clone()), mode: None }
        };
        let edits: Vec<FileEdit> = start.iter().map(edit).collect();
        let first = match edits.is_empty() {
            true => root,
            false => repository.commit(&root, &edits, "x", &author()).unwrap(),
        };
        let mut model = start.clone();
        model.extend([kept.clone()]);
        prop_assert_eq!(files_of(&repository, &first), model.clone());

        let before = model.clone();
        let mut edits: Vec<FileEdit> = more.iter().map(edit).collect();
        model.extend(more.clone());
        for (n, at) in start.keys().enumerate() {
            if gone & (1 << (n % 16)) != 0 && !more.contains_key(at) {
                edits.push(remove(at));
                model.remove(at);
            }
        }
        if model == before {
            let error = repository.commit(&first, &edits, "x", &author()).unwrap_err();
            prop_assert_eq!(error, GitError::NothingToCommit { parent: first });
            return Ok(());
        }
        let second = repository.commit(&first, &edits, "x", &author()).unwrap();
        prop_assert_eq!(files_of(&repository, &second), model.clone());

        let id = |files: &BTreeMap<String, Vec<u8>>, at: &str| files.get(at).map(|b| BlobId::of(b));
        let mut all: Vec<&String> = before.keys().chain(model.keys()).collect();
        all.sort();
        all.dedup();
        let expected: Vec<_> = all
            .into_iter()
            .map(|at| (at.clone(), id(&before, at), id(&model, at)))
            .filter(|(_, old, new)| old != new)
            .collect();
        let changed = repository.changed(Some(&first), &second).unwrap();
        let changed: Vec<_> = changed
            .into_iter()
            .map(|c| (c.path.as_str().to_owned(), c.old.map(|v| v.id), c.new.map(|v| v.id)))
            .collect();
        prop_assert_eq!(changed, expected);
    });
    sandbox.git("repo", &["fsck", "--strict", "--no-dangling"]);
}
