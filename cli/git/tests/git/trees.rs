//! Finding a repository, naming revisions, reading trees.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use gitops_git::{BlobId, CommitId, Directory, GitError, Repository};
use gitops_tree::{EntryKind, Tree, TreeError};

use crate::sandbox::{Sandbox, path};

fn names(tree: &dyn Tree, dir: &str) -> Vec<(String, EntryKind)> {
    let entries = tree.list(&path(dir)).unwrap();
    entries.into_iter().map(|entry| (entry.name, entry.kind)).collect()
}

fn text(tree: &dyn Tree, file: &str) -> String {
    String::from_utf8(tree.read(&path(file)).unwrap().to_vec()).unwrap()
}

#[test]
fn a_repository_is_found_from_a_folder_below_its_root() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/apps/web/deployment.yaml", "a: 1\n");
    let repository = Repository::discover(&sandbox.path("repo/apps/web")).unwrap();
    assert_eq!(repository.root().unwrap().canonicalize().unwrap(), sandbox.path("repo"));
    assert_eq!(repository.prefix(), &path("apps/web"));
    let at_root = Repository::discover(&sandbox.path("repo")).unwrap();
    assert!(at_root.prefix().is_root());
    let inside = Repository::discover(&sandbox.path("repo/.git/refs")).unwrap();
    assert!(inside.prefix().is_root());
}

#[test]
fn a_link_to_a_folder_of_a_repository_leads_to_that_repository() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/apps/a.yaml", "");
    symlink(sandbox.path("repo/apps"), sandbox.path("elsewhere")).unwrap();
    let repository = Repository::discover(&sandbox.path("elsewhere")).unwrap();
    assert_eq!(repository.prefix(), &path("apps"));
}

#[test]
fn no_repository_and_no_folder_are_different_answers() {
    let sandbox = Sandbox::new();
    let none = Repository::discover(&sandbox.path("home")).unwrap_err();
    assert_eq!(none, GitError::NotARepository { dir: sandbox.path("home") });
    assert!(none.hint().unwrap().contains("-C DIR"));
    let absent = Repository::discover(&sandbox.path("nowhere")).unwrap_err();
    let GitError::Directory { reason, .. } = &absent else { panic!("{absent:?}") };
    assert_eq!(reason, "no such file or directory");
}

#[test]
fn a_repository_with_sha256_names_is_refused_by_that_reason() {
    let sandbox = Sandbox::new();
    sandbox.init("new", &["--object-format=sha256"]);
    sandbox.git("new", &["commit", "-q", "--allow-empty", "-m", "first"]);
    let error = Repository::discover(&sandbox.path("new")).unwrap_err();
    let format = "SHA-256 object names".to_owned();
    assert_eq!(error, GitError::Unsupported { dir: sandbox.path("new"), format });
    sandbox.git("new", &["worktree", "add", "-q", "../linked", "HEAD"]);
    let linked = Repository::discover(&sandbox.path("linked")).unwrap_err();
    assert!(linked.to_string().contains("SHA-256"), "{linked}");
}

#[test]
fn a_repository_of_an_unknown_kind_names_what_is_unknown() {
    let sandbox = Sandbox::with_repository();
    sandbox.git("repo", &["config", "core.repositoryFormatVersion", "1"]);
    for (key, value, named) in [
        ("extensions.refStorage", "reftable", "the reference storage `reftable`"),
        ("extensions.novelty", "true", "the extension `extensions.novelty`"),
    ] {
        sandbox.git("repo", &["config", "-f", ".git/config", key, value]);
        let error = Repository::discover(&sandbox.path("repo")).unwrap_err();
        let format = named.to_owned();
        assert_eq!(error, GitError::Unsupported { dir: sandbox.path("repo"), format });
        let section = ["config", "-f", "repo/.git/config", "--remove-section", "extensions"];
        sandbox.git(".", &section);
    }
}

#[test]
fn an_empty_repository_says_so() {
    let sandbox = Sandbox::with_repository();
    let repository = sandbox.open("repo");
    for rev in ["HEAD", "main", "HEAD~1"] {
        let error = repository.resolve(rev).unwrap_err();
        assert!(matches!(error, GitError::EmptyRepository { .. }), "{rev}: {error}");
    }
    assert!(repository.work_tree().unwrap().list(&path("")).unwrap().is_empty());
}

#[test]
fn a_revision_is_named_as_git_names_it() {
    let sandbox = Sandbox::with_repository();
    let first = sandbox.commit("repo", "first");
    let second = sandbox.commit("repo", "second");
    sandbox.git("repo", &["tag", "-a", "v1", "-m", "one", "HEAD~1"]);
    let repository = sandbox.open("repo");
    for (rev, expected) in [
        ("HEAD", second),
        ("main", second),
        ("refs/heads/main", second),
        ("HEAD~1", first),
        ("v1", first),
        (&second.to_string(), second),
        (&second.short(), second),
    ] {
        assert_eq!(repository.resolve(rev).unwrap(), expected, "{rev}");
    }
    for rev in ["nope", "HEAD~5", "--all", "", "HEAD:", "v1^{tree}"] {
        let error = repository.resolve(rev).unwrap_err();
        let unknown = GitError::UnknownRevision { rev: rev.to_owned(), shallow: false };
        assert_eq!(error, unknown, "{rev}");
    }
}

#[test]
fn a_name_of_two_commits_is_ambiguous() {
    let sandbox = Sandbox::with_repository();
    let first = sandbox.commit("repo", "first");
    let second = sandbox.commit("repo", "second");
    sandbox.git("repo", &["update-ref", "refs/remotes/origin/main", "HEAD~1"]);
    sandbox.git("repo", &["branch", "origin/main", "HEAD~1"]);
    let repository = sandbox.open("repo");
    assert_eq!(repository.resolve("origin/main").unwrap(), first);
    // Git takes the branch, and whoever names a branch chooses what is compared.
    sandbox.git("repo", &["branch", "-f", "origin/main", "HEAD"]);
    for rev in ["origin/main", "origin/main~0", "origin/main^{commit}", "origin/main@{0}"] {
        let error = repository.resolve(rev).unwrap_err();
        assert_eq!(error, GitError::AmbiguousRevision { rev: rev.to_owned() });
    }
    assert_eq!(repository.resolve("refs/remotes/origin/main").unwrap(), first);
    assert_eq!(repository.resolve("refs/heads/origin/main").unwrap(), second);
    sandbox.git("repo", &["tag", "main", "HEAD~1"]);
    assert!(repository.resolve("main").is_err());
}

#[test]
fn an_unknown_revision_of_a_shallow_clone_names_the_reason() {
    let sandbox = Sandbox::with_repository();
    sandbox.commit("repo", "first");
    sandbox.commit("repo", "second");
    let url = format!("file://{}", sandbox.path("repo").display());
    sandbox.git(".", &["clone", "-q", "--depth=1", &url, "shallow"]);
    let repository = sandbox.open("shallow");
    assert!(repository.is_shallow());
    let error = repository.resolve("HEAD~1").unwrap_err();
    assert_eq!(error.to_string(), "unknown revision `HEAD~1` (the clone is shallow)");
    assert!(error.hint().unwrap().contains("--unshallow"));
}

/// A repository with one of each kind of entry, and its only commit.
fn every_kind() -> (Sandbox, CommitId) {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/a.yaml", "a: 1\r\nb: 2\r\n");
    sandbox.write("repo/apps/web/b.yaml", "b\n");
    sandbox.write("repo/a-dir/c", "c");
    sandbox.write("repo/a.b", "");
    symlink("web/b.yaml", sandbox.path("repo/apps/link")).unwrap();
    symlink("apps", sandbox.path("repo/folder")).unwrap();
    symlink("../../etc/passwd", sandbox.path("repo/out")).unwrap();
    // Filters must not run: the bytes of both trees stay as they are.
    sandbox.git("repo", &["config", "core.autocrlf", "false"]);
    let commit = sandbox.commit("repo", "all");
    sandbox.git("repo", &["config", "core.autocrlf", "true"]);
    (sandbox, commit)
}

#[test]
fn a_commit_and_the_work_tree_it_came_from_read_alike() {
    let (sandbox, commit) = every_kind();
    let repository = sandbox.open("repo");
    let (revision, disk) = (repository.tree(&commit).unwrap(), repository.work_tree().unwrap());
    let directory = Directory::open(&sandbox.path("repo")).unwrap();
    assert!(names(&directory, "").iter().any(|(name, _)| name == ".git"));
    for tree in [&revision as &dyn Tree, &disk] {
        let all = [
            ("a-dir", EntryKind::Directory),
            ("a.b", EntryKind::File),
            ("a.yaml", EntryKind::File),
            ("apps", EntryKind::Directory),
            ("folder", EntryKind::Link),
            ("out", EntryKind::Link),
        ];
        assert_eq!(names(tree, ""), all.map(|(name, kind)| (name.to_owned(), kind)));
        assert_eq!(text(tree, "a.yaml"), "a: 1\r\nb: 2\r\n");
        assert_eq!(text(tree, "apps/web/b.yaml"), "b\n");
        assert_eq!(tree.link(&path("apps/link")).unwrap(), "web/b.yaml");
        assert_eq!(tree.link(&path("out")).unwrap(), "../../etc/passwd");
        assert_eq!(tree.kind(&path("apps/web")).unwrap(), Some(EntryKind::Directory));
        assert_eq!(tree.kind(&path("")).unwrap(), Some(EntryKind::Directory));
        // Nothing stands below a link or a file, and nothing of Git's own shows.
        for absent in ["nope", "folder/web", "a.yaml/x", "apps/link/x", ".git", ".git/HEAD"] {
            let at = path(absent);
            assert_eq!(tree.kind(&at).unwrap(), None, "{absent}");
            assert_eq!(tree.read(&at).unwrap_err(), TreeError::Absent { path: at.clone() });
            assert_eq!(tree.list(&at).unwrap_err(), TreeError::Absent { path: at.clone() });
            assert_eq!(tree.link(&at).unwrap_err(), TreeError::Absent { path: at });
        }
        for (at, found, wanted) in [("apps", "directory", "file"), ("folder", "link", "file")] {
            let path = path(at);
            let expected = TreeError::WrongKind { path: path.clone(), found, wanted };
            assert_eq!(tree.read(&path).unwrap_err(), expected);
        }
        let expected =
            TreeError::WrongKind { path: path("folder"), found: "link", wanted: "directory" };
        assert_eq!(tree.list(&path("folder")).unwrap_err(), expected);
    }
}

#[test]
fn the_work_tree_is_the_disk_and_a_commit_is_not() {
    let (sandbox, commit) = every_kind();
    sandbox.write("repo/a.yaml", "edited\n");
    sandbox.write("repo/untracked", "");
    sandbox.write("repo/nested/.git/HEAD", "x");
    let repository = sandbox.open("repo");
    let (revision, disk) = (repository.tree(&commit).unwrap(), repository.work_tree().unwrap());
    assert_eq!(text(&disk, "a.yaml"), "edited\n");
    assert_eq!(text(&revision, "a.yaml"), "a: 1\r\nb: 2\r\n");
    assert_eq!(disk.kind(&path("untracked")).unwrap(), Some(EntryKind::File));
    assert_eq!(revision.kind(&path("untracked")).unwrap(), None);
    assert!(names(&disk, "nested").is_empty());
    assert_eq!(disk.kind(&path("nested/.git/HEAD")).unwrap(), None);
}

#[test]
fn a_file_is_known_by_the_name_of_its_bytes() {
    let (sandbox, commit) = every_kind();
    let repository = sandbox.open("repo");
    let expected = BlobId::of(b"b\n");
    let at = path("apps/web/b.yaml");
    assert_eq!(repository.blob_at(&commit, &at).unwrap(), Some(expected));
    assert_eq!(repository.blob(&expected).unwrap(), b"b\n");
    assert_eq!(repository.blob_at(&commit, &path("apps")).unwrap(), None);
    assert_eq!(repository.blob_at(&commit, &path("nope")).unwrap(), None);
    let listed = sandbox.git("repo", &["rev-parse", "HEAD:apps/web/b.yaml"]);
    assert_eq!(listed, expected.to_string());
}

#[test]
fn a_bare_repository_has_commits_and_no_work_tree() {
    let (sandbox, commit) = every_kind();
    sandbox.git(".", &["clone", "-q", "--bare", "repo", "bare.git"]);
    let repository = sandbox.open("bare.git");
    assert_eq!(repository.root(), None);
    assert!(repository.prefix().is_root());
    assert_eq!(repository.resolve("main").unwrap(), commit);
    assert_eq!(text(&repository.tree(&commit).unwrap(), "apps/web/b.yaml"), "b\n");
    assert!(matches!(repository.work_tree().unwrap_err(), GitError::Bare { .. }));
}

#[test]
fn a_linked_work_tree_has_its_own_head_and_files() {
    let (sandbox, _) = every_kind();
    sandbox.git("repo", &["worktree", "add", "-q", "-b", "topic", "../linked"]);
    sandbox.write("linked/new.yaml", "n");
    let topic = sandbox.commit("linked", "topic");
    let repository = Repository::discover(&sandbox.path("linked/apps")).unwrap();
    assert_eq!(repository.prefix(), &path("apps"));
    assert_eq!(repository.resolve("HEAD").unwrap(), topic);
    let disk = repository.work_tree().unwrap();
    assert_eq!(disk.root(), sandbox.path("linked"));
    assert_eq!(disk.kind(&path("new.yaml")).unwrap(), Some(EntryKind::File));
    assert_eq!(disk.kind(&path(".git")).unwrap(), None);
}

#[test]
fn a_submodule_is_something_without_bytes() {
    let sandbox = Sandbox::with_repository();
    sandbox.init("other", &[]);
    sandbox.commit("other", "first");
    let add =
        ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../other", "sub"];
    sandbox.git("repo", &add);
    let commit = sandbox.commit("repo", "with a submodule");
    let repository = sandbox.open("repo");
    let tree = repository.tree(&commit).unwrap();
    assert_eq!(tree.kind(&path("sub")).unwrap(), Some(EntryKind::Other));
    assert!(matches!(tree.read(&path("sub")).unwrap_err(), TreeError::WrongKind { .. }));
    let inside = Repository::discover(&sandbox.path("repo/sub")).unwrap();
    assert_eq!(inside.root().unwrap().canonicalize().unwrap(), sandbox.path("repo/sub"));
}

#[test]
fn bytes_that_a_partial_clone_lacks_are_unreadable_and_not_absent() {
    let (sandbox, commit) = every_kind();
    sandbox.git("repo", &["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", sandbox.path("repo").display());
    let clone = ["clone", "-q", "--no-checkout", "--filter=blob:none", &url, "partial"];
    sandbox.git(".", &clone);
    let repository = sandbox.open("partial");
    let tree = repository.tree(&commit).unwrap();
    assert_eq!(tree.kind(&path("a.yaml")).unwrap(), Some(EntryKind::File));
    let error = tree.read(&path("a.yaml")).unwrap_err();
    let TreeError::Unreadable { path: at, reason } = &error else { panic!("{error:?}") };
    assert_eq!(at, &path("a.yaml"));
    assert!(reason.contains("missing from this clone"), "{reason}");
    assert!(matches!(tree.link(&path("out")), Err(TreeError::Unreadable { .. })));
    assert_eq!(tree.kind(&path("nope")).unwrap(), None);

    let clone = ["clone", "-q", "--no-checkout", "--filter=tree:0", &url, "treeless"];
    sandbox.git(".", &clone);
    let tree = sandbox.open("treeless").tree(&commit).unwrap();
    assert!(matches!(tree.kind(&path("apps/web")), Err(TreeError::Unreadable { .. })));
    assert!(matches!(tree.list(&path("")), Err(TreeError::Unreadable { .. })));
}

#[test]
fn a_name_that_is_not_utf8_is_reported_and_not_skipped() {
    let sandbox = Sandbox::with_repository();
    let name = OsStr::from_bytes(b"caf\xe9.yaml");
    sandbox.write("repo/fine/a", "");
    fs::write(sandbox.path("repo").join(name), "x").unwrap();
    let commit = sandbox.commit("repo", "first");
    let repository = sandbox.open("repo");
    let (revision, disk) = (repository.tree(&commit).unwrap(), repository.work_tree().unwrap());
    for tree in [&revision as &dyn Tree, &disk] {
        let error = tree.list(&path("")).unwrap_err();
        let TreeError::Unreadable { reason, .. } = &error else { panic!("{error:?}") };
        assert_eq!(reason, "the name `caf\u{fffd}.yaml` in it is not UTF-8");
        assert_eq!(names(tree, "fine").len(), 1);
    }
}

#[test]
fn a_name_that_leads_out_of_its_folder_is_refused() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("blob", "x");
    let blob = sandbox.git("repo", &["hash-object", "-w", "../blob"]);
    let mut tree = b"100644 ..\0".to_vec();
    tree.extend((0..40).step_by(2).map(|i| u8::from_str_radix(&blob[i..i + 2], 16).unwrap()));
    sandbox.write("evil", tree);
    let tree = sandbox.git("repo", &["hash-object", "-t", "tree", "-w", "--literally", "../evil"]);
    let commit = CommitId::parse(&sandbox.git("repo", &["commit-tree", "-m", "x", &tree])).unwrap();
    let repository = sandbox.open("repo");
    let error = repository.tree(&commit).unwrap().list(&path("")).unwrap_err();
    let TreeError::Unreadable { reason, .. } = &error else { panic!("{error:?}") };
    assert_eq!(reason, "the name `..` in it is not allowed");
}

#[test]
fn a_failure_of_the_disk_is_unreadable_and_not_absent() {
    let sandbox = Sandbox::new();
    let disk = Directory::open(&sandbox.path("home")).unwrap();
    let long = path(&"x".repeat(300));
    assert!(matches!(disk.read(&long), Err(TreeError::Unreadable { .. })));
    assert!(matches!(disk.kind(&long), Err(TreeError::Unreadable { .. })));

    sandbox.write("home/locked/file", "x");
    let closed = |mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(sandbox.path("home/locked"), mode).unwrap();
    };
    closed(0o000);
    if fs::read_dir(sandbox.path("home/locked")).is_ok() {
        println!("skipped: this user may read every folder");
    } else {
        assert!(matches!(disk.list(&path("locked")), Err(TreeError::Unreadable { .. })));
        assert!(matches!(disk.read(&path("locked/file")), Err(TreeError::Unreadable { .. })));
        assert!(matches!(disk.kind(&path("locked/nope")), Err(TreeError::Unreadable { .. })));
    }
    closed(0o755);
}

#[test]
fn a_folder_needs_no_repository() {
    let sandbox = Sandbox::new();
    sandbox.write("home/base/a.yaml", "a");
    sandbox.write("outside/secret", "s");
    symlink(sandbox.path("outside"), sandbox.path("home/base/out")).unwrap();
    symlink(sandbox.path("home/base"), sandbox.path("alias")).unwrap();
    let directory = Directory::open(&sandbox.path("alias")).unwrap();
    assert_eq!(directory.root(), sandbox.path("home/base"));
    assert_eq!(text(&directory, "a.yaml"), "a");
    assert_eq!(directory.kind(&path("out/secret")).unwrap(), None);
    assert_eq!(directory.on_disk(&path("x/y")), sandbox.path("home/base/x/y"));
    let not_a_folder = Directory::open(&sandbox.path("home/base/a.yaml")).unwrap_err();
    assert!(not_a_folder.to_string().contains("not a directory"), "{not_a_folder}");
    assert!(Directory::open(&sandbox.path("nowhere")).is_err());
}
