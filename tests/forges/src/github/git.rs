//! The bare repository behind a repository of the fake, by libgit2 and by Git's own
//! smart HTTP.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use git2::{Commit, ErrorCode, MergeOptions, Oid, Repository, Signature, Time};

use crate::wire::Message;

/// A repository on the disk.
#[derive(Clone, Debug)]
pub(super) struct Bare {
    path: PathBuf,
}

/// What came of a merge.
pub(super) enum Landed {
    /// The base is at this commit now.
    At(String),
    /// The two cannot be put together.
    Conflict,
    /// The base is not where it was when the merge was made.
    Moved,
}

/// How a merge is made.
pub(super) struct How<'a> {
    /// `merge`, `squash` or `rebase`.
    pub(super) method: &'a str,
    /// The whole message; not of a rebase.
    pub(super) message: &'a str,
    /// Who merges.
    pub(super) login: &'a str,
}

impl Bare {
    /// A new one, whose default branch will be `main`.
    pub(super) fn make(path: PathBuf) -> Bare {
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).initial_head("main");
        let repository = Repository::init_opts(&path, &options).expect("a bare repository");
        let mut config = repository.config().expect("its configuration");
        config.set_bool("http.receivepack", true).expect("it can be written");
        // GitHub serves what no branch names as well (`refs/pull/…` and by id).
        config.set_bool("uploadpack.allowAnySHA1InWant", true).expect("it can be written");
        let hook = path.join("hooks/pre-receive");
        std::fs::create_dir_all(hook.parent().expect("it has one")).expect("a folder");
        std::fs::write(&hook, HOOK).expect("a hook");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&hook, mode).expect("it can be run");
        }
        Bare { path }
    }

    /// A copy of this one.
    pub(super) fn copy(&self, path: PathBuf) -> Bare {
        let copy = Bare::make(path);
        let status = Command::new("git")
            .arg("-C")
            .arg(&copy.path)
            .args(["fetch", "-q"])
            .arg(&self.path)
            .arg("+refs/heads/*:refs/heads/*")
            .status();
        assert!(status.is_ok_and(|status| status.success()), "git fetch");
        copy
    }

    fn open(&self) -> Repository {
        Repository::open(&self.path).expect("the bare repository")
    }

    /// Where it stands.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The branches that take no pushes, from now on.
    pub(super) fn protect(&self, branches: &[String]) {
        let lines: String =
            branches.iter().map(|branch| format!("refs/heads/{branch}\n")).collect();
        std::fs::write(self.path.join("protected"), lines).expect("it can be written");
    }

    /// The commit of a branch.
    pub(super) fn branch(&self, name: &str) -> Option<String> {
        let repository = self.open();
        let reference = repository.find_reference(&format!("refs/heads/{name}")).ok()?;
        reference.target().map(|oid| oid.to_string())
    }

    /// The full id of a commit, by its id.
    pub(super) fn commit(&self, id: &str) -> Option<String> {
        let repository = self.open();
        let oid = Oid::from_str(id).ok().filter(|_| id.len() == 40)?;
        repository.find_commit(oid).ok().map(|commit| commit.id().to_string())
    }

    /// Name and mail of who made a commit, and of those that `Co-authored-by` names.
    pub(super) fn authors(&self, id: &str) -> Vec<(String, String)> {
        let repository = self.open();
        let Some(commit) = Oid::from_str(id).ok().and_then(|oid| repository.find_commit(oid).ok())
        else {
            return Vec::new();
        };
        let author = commit.author();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut found = vec![(text(author.name_bytes()), text(author.email_bytes()))];
        let message = text(commit.message_bytes());
        for line in message.lines() {
            let Some(rest) = line.strip_prefix("Co-authored-by: ") else { continue };
            let Some((name, mail)) = rest.split_once(" <") else { continue };
            found.push((name.to_owned(), mail.trim_end_matches('>').to_owned()));
        }
        found
    }

    /// Whether the first is among the ancestors of the second, or the same.
    pub(super) fn contains(&self, ancestor: &str, descendant: &str) -> bool {
        let repository = self.open();
        let (Ok(a), Ok(b)) = (Oid::from_str(ancestor), Oid::from_str(descendant)) else {
            return false;
        };
        a == b || repository.graph_descendant_of(b, a).unwrap_or(false)
    }

    /// How many commits the head has that the base has not.
    pub(super) fn ahead(&self, base: &str, head: &str) -> usize {
        let repository = self.open();
        let (Ok(base), Ok(head)) = (Oid::from_str(base), Oid::from_str(head)) else { return 0 };
        repository.graph_ahead_behind(head, base).map_or(0, |(ahead, _)| ahead)
    }

    /// Lines added and deleted, and files changed.
    pub(super) fn size(&self, base: &str, head: &str) -> (usize, usize, usize) {
        let repository = self.open();
        let tree = |id: &str| repository.find_commit(Oid::from_str(id)?)?.tree();
        let stats = || {
            let diff =
                repository.diff_tree_to_tree(Some(&tree(base)?), Some(&tree(head)?), None)?;
            diff.stats()
        };
        let stats: Result<git2::DiffStats, git2::Error> = stats();
        stats.map_or((0, 0, 0), |s| (s.insertions(), s.deletions(), s.files_changed()))
    }

    /// Whether the two go together without a conflict.
    pub(super) fn mergeable(&self, base: &str, head: &str) -> bool {
        let repository = self.open();
        let index = || {
            let base = repository.find_commit(Oid::from_str(base)?)?;
            let head = repository.find_commit(Oid::from_str(head)?)?;
            repository.merge_commits(&base, &head, Some(&MergeOptions::new()))
        };
        let index: Result<git2::Index, git2::Error> = index();
        index.is_ok_and(|index| !index.has_conflicts())
    }

    /// Puts a head onto a branch. `between` is called after the merge was made and
    /// before it lands: whatever moves the base there is not overwritten.
    pub(super) fn land(&self, base: &str, head: &str, how: &How<'_>, between: impl Fn()) -> Landed {
        let repository = self.open();
        let name = format!("refs/heads/{base}");
        let start = repository.refname_to_id(&name).expect("the base is a branch");
        let start = repository.find_commit(start).expect("a branch names a commit");
        let head = Oid::from_str(head).and_then(|oid| repository.find_commit(oid));
        let head = head.expect("the head is a commit");
        let who = signature(how.login);
        let made = match how.method {
            "rebase" => rebased(&repository, &start, &head, &who),
            _ => merged(&repository, &start, &head, &who, how),
        };
        let Some(made) = made else { return Landed::Conflict };
        between();
        match repository.reference_matching(&name, made, true, start.id(), "merged") {
            Ok(_) => Landed::At(made.to_string()),
            Err(error) if error.code() == ErrorCode::Modified => Landed::Moved,
            Err(error) => panic!("{error}"),
        }
    }

    /// One more commit on a branch, as somebody pushes who is not in the test.
    pub(super) fn push_something(&self, branch: &str) {
        let repository = self.open();
        let name = format!("refs/heads/{branch}");
        let tip = repository.refname_to_id(&name).expect("the branch is there");
        let tip = repository.find_commit(tip).expect("a branch names a commit");
        let blob = repository.blob(tip.id().to_string().as_bytes()).expect("a blob");
        let tree = tip.tree().expect("its tree");
        let mut builder = git2::build::TreeUpdateBuilder::new();
        builder.upsert("elsewhere.txt", blob, git2::FileMode::Blob);
        let tree = builder.create_updated(&repository, &tree).expect("a tree");
        let tree = repository.find_tree(tree).expect("it was just made");
        let who = signature("mallory");
        repository.commit(Some(&name), &who, &who, "elsewhere", &tree, &[&tip]).expect("a commit");
    }

    /// A branch with one more file than another.
    pub(super) fn branch_off(&self, from: &str, branch: &str) {
        let repository = self.open();
        let start = repository.refname_to_id(&format!("refs/heads/{from}")).expect("a branch");
        repository
            .reference(&format!("refs/heads/{branch}"), start, false, "new")
            .expect("no such branch yet");
        self.push_something(branch);
    }

    /// Takes a branch away.
    pub(super) fn delete(&self, branch: &str) {
        let repository = self.open();
        let found = repository.find_reference(&format!("refs/heads/{branch}"));
        found.and_then(|mut reference| reference.delete()).expect("the branch is there");
    }
}

/// Merges land at a moment of their own each, so that no two are the same commit.
fn signature(login: &str) -> Signature<'static> {
    let time = Time::new(jiff::Timestamp::now().as_second(), 0);
    Signature::new(login, &format!("{login}@example.test"), &time).expect("a signature")
}

/// A merge commit, or all of it as one commit.
fn merged(
    repository: &Repository,
    start: &Commit<'_>,
    head: &Commit<'_>,
    who: &Signature<'_>,
    how: &How<'_>,
) -> Option<Oid> {
    let mut index =
        repository.merge_commits(start, head, Some(&MergeOptions::new())).expect("merge");
    if index.has_conflicts() {
        return None;
    }
    let tree = index.write_tree_to(repository).expect("a tree");
    let tree = repository.find_tree(tree).expect("it was just made");
    let parents: &[&Commit<'_>] = if how.method == "squash" { &[start] } else { &[start, head] };
    // A squash keeps the author of the request's commit, a merge is the merger's.
    let author = if how.method == "squash" { head.author() } else { who.to_owned() };
    Some(repository.commit(None, &author, who, how.message, &tree, parents).expect("a commit"))
}

/// Its commits one by one on top of the base.
fn rebased(
    repository: &Repository,
    start: &Commit<'_>,
    head: &Commit<'_>,
    who: &Signature<'_>,
) -> Option<Oid> {
    let mut walk = repository.revwalk().expect("a walk");
    walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE).expect("an order");
    walk.push(head.id()).expect("it is there");
    walk.hide(start.id()).expect("it is there");
    let mut tip = start.clone();
    for oid in walk.flatten() {
        let commit = repository.find_commit(oid).expect("it is there");
        if commit.parent_count() > 1 {
            continue;
        }
        let mut index = repository.cherrypick_commit(&commit, &tip, 0, None).expect("a pick");
        if index.has_conflicts() {
            return None;
        }
        let tree = index.write_tree_to(repository).expect("a tree");
        let tree = repository.find_tree(tree).expect("it was just made");
        let message = commit.message().unwrap_or_default();
        let made = repository.commit(None, &commit.author(), who, message, &tree, &[&tip]);
        tip = repository.find_commit(made.expect("a commit")).expect("it was just made");
    }
    Some(tip.id())
}

/// GitHub docs, "About protected branches": who is not named may not push; the
/// words are those that its `git push` answers.
const HOOK: &str = r#"#!/bin/sh
[ -f "$GIT_DIR/protected" ] || exit 0
while read -r old new name; do
  if grep -qxF "$name" "$GIT_DIR/protected"; then
    echo "error: GH006: Protected branch update failed for $name." >&2
    exit 1
  fi
done
"#;

/// Git's smart HTTP for who may, by the program that Git brings along.
pub(super) fn smart_http(root: &Path, request: &Message, login: &str) -> io::Result<Message> {
    let (method, target) = request.words();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let header = |name| request.header(name).unwrap_or_default();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", method)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("REMOTE_USER", login)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let body = request.body.clone();
    // It may answer before it has read all.
    let writing = thread::spawn(move || stdin.write_all(&body));
    let output = child.wait_with_output()?.stdout;
    drop(writing.join());
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(output.len());
    let mut answer = Message {
        start: "HTTP/1.1 200 OK".to_owned(),
        headers: Vec::new(),
        body: output.get(end + 4..).unwrap_or_default().to_vec(),
    };
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        match line.split_once(": ") {
            Some(("Status", status)) => answer.start = format!("HTTP/1.1 {status}"),
            Some((name, value)) => answer.headers.push((name.to_owned(), value.to_owned())),
            None => {}
        }
    }
    Ok(answer)
}
