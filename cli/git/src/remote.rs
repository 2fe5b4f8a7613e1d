//! What remotes hold, and how it gets here.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::thread;
use std::time::Duration;

use git2::ErrorCode;

use crate::network::Doing;
use crate::program::Answer;
use crate::redact::without_credentials;
use crate::{CommitId, GitError, Repository};

/// A remote of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Its name, for example `origin`.
    pub name: String,
    /// Its address after `insteadOf`, without credentials.
    pub url: String,
}

/// A branch that was asked of a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// Its newest commit, which is here now; `None` when the remote has no such branch.
    pub commit: Option<CommitId>,
}

/// How often a lock that another process holds is tried again: for 1.5 s.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(50);
/// Nobody holds the lock of one reference for that long.
const STALE: Duration = Duration::from_secs(1);

/// Where fetched branches are kept, so that the user's own references stay.
const KEPT: &str = "refs/kubectl-gitops/remotes";

impl Repository {
    /// All remotes, by name.
    pub fn remotes(&self) -> Result<Vec<Remote>, GitError> {
        let failed = |error: git2::Error| GitError::repository("list the remotes", &error);
        let names = self.inner.remotes().map_err(failed)?;
        let mut remotes = Vec::new();
        for name in names.iter_bytes() {
            let name = String::from_utf8_lossy(name).into_owned();
            let remote = self.inner.find_remote(&name).map_err(failed)?;
            let url = without_credentials(&String::from_utf8_lossy(remote.url_bytes()));
            remotes.push(Remote { name, url });
        }
        remotes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(remotes)
    }

    /// The remote of that name; without a name the only one, or `origin`.
    pub fn remote(&self, name: Option<&str>) -> Result<Remote, GitError> {
        let mut all = self.remotes()?;
        let wanted = name.unwrap_or("origin");
        if let Some(at) = all.iter().position(|remote| remote.name == wanted) {
            return Ok(all.swap_remove(at));
        }
        if name.is_none() && all.len() == 1 {
            return Ok(all.swap_remove(0));
        }
        let known = all.into_iter().map(|remote| remote.name).collect();
        Err(match name {
            Some(name) => GitError::UnknownRemote { name: name.to_owned(), known },
            None => GitError::NoRemote { known },
        })
    }

    /// The default branch. With a remote: the one its `HEAD` names as it answers
    /// now, whatever is noted here (what decides on trust is not for a clone to
    /// say); else the only branch, `main` or `master` of it. Without one: the
    /// same among local branches.
    pub fn default_branch(&self, remote: Option<&str>) -> Result<String, GitError> {
        let Some(name) = remote else {
            let of = format!("`{}`", self.location().display());
            return only_branch(self.local_branches()?, of);
        };
        let remote = self.remote(Some(name))?;
        // Asked for HEAD, a remote names all it has; the branches among it need
        // not be asked for again.
        let args = ["ls-remote", "--symref", "--", name, "HEAD", "refs/heads/*"];
        let said = self.ask(&remote, Doing::Read, &args)?.stdout;
        let head = said.lines().find_map(|line| {
            line.strip_prefix("ref: refs/heads/")?.strip_suffix("\tHEAD").map(str::to_owned)
        });
        let branch = match head {
            Some(branch) => branch,
            None => {
                let names = said.lines().filter_map(|line| line.split_once("\trefs/heads/"));
                let names = names.map(|(_, branch)| branch.to_owned()).collect();
                only_branch(names, format!("remote `{name}`"))?
            }
        };
        *self.listed.borrow_mut() = Some((remote.name, said));
        Ok(branch)
    }

    /// The newest commit of a branch as the remote has it now; `None` when it has
    /// no such branch. The commit need not be here. A remote that does not answer
    /// is an error.
    pub fn remote_branch(&self, remote: &str, branch: &str) -> Result<Option<CommitId>, GitError> {
        let remote = self.remote(Some(remote))?;
        Ok(self.branches_of(&remote, &[branch])?.remove(branch).flatten())
    }

    /// Brings branches of a remote here, into references of this program's own
    /// (`refs/kubectl-gitops/remotes/…`). No remote-tracking branch, tag,
    /// `FETCH_HEAD` or file of the user's moves.
    pub fn fetch(&self, remote: &str, branches: &[&str]) -> Result<Vec<Fetched>, GitError> {
        let remote = self.remote(Some(remote))?;
        let _held = self.hold()?;
        let found = match self.listed.take() {
            Some((name, said)) if name == remote.name => found_in(&said, &remote, branches)?,
            _ => self.branches_of(&remote, branches)?,
        };
        let mut attempt = 0;
        loop {
            match self.fetch_once(&remote, &found)? {
                Ok(()) => break,
                Err(answer) if attempt == ATTEMPTS || !answer.lost_a_lock() => {
                    let is_freed = answer.lost_a_lock() && self.unlock(&remote, branches)?;
                    if !is_freed {
                        return Err(self.failed(&remote, Doing::Fetch, &answer));
                    }
                }
                // Somebody else fetches into this clone, too.
                Err(_) => {
                    thread::sleep(PAUSE * (1 << attempt));
                    attempt += 1;
                }
            }
        }
        let mut fetched = Vec::new();
        for branch in branches {
            // It may have moved on since it was asked for: what is kept is what is here.
            let here = self.kept_commit(&kept(&remote.name, branch));
            if here.is_none() && found.get(*branch).copied().flatten().is_some() {
                let reason = format!("`{branch}` was announced and not sent");
                return Err(failure(&remote, Doing::Fetch, reason));
            }
            fetched.push(Fetched { branch: (*branch).to_owned(), commit: here });
        }
        Ok(fetched)
    }

    /// Brings here what is not here yet. The inner error is what git said.
    fn fetch_once(
        &self,
        remote: &Remote,
        found: &BTreeMap<String, Option<CommitId>>,
    ) -> Result<Result<(), Answer>, GitError> {
        let mut specs = Vec::new();
        for (branch, commit) in found {
            let kept = kept(&remote.name, branch);
            match commit {
                None => self.forget(&kept)?,
                Some(commit) if self.kept_commit(&kept) == Some(*commit) => {}
                Some(_) => specs.push(format!("+refs/heads/{branch}:{kept}")),
            }
        }
        if specs.is_empty() {
            return Ok(Ok(()));
        }
        let mut args = vec![
            "fetch",
            "--progress",
            "--no-tags",
            "--no-prune",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
            // Else the configured refspecs move remote-tracking branches as well.
            "--refmap=",
            "--",
            &remote.name,
        ];
        args.extend(specs.iter().map(String::as_str));
        let answer = self.talk(remote, Doing::Fetch, &args)?;
        Ok(if answer.ok { Ok(()) } else { Err(answer) })
    }

    /// What a remote has now at each of the branches.
    pub(crate) fn branches_of(
        &self,
        remote: &Remote,
        branches: &[&str],
    ) -> Result<BTreeMap<String, Option<CommitId>>, GitError> {
        branches.iter().try_for_each(|branch| valid(branch))?;
        if branches.is_empty() {
            return Ok(BTreeMap::new());
        }
        let names: Vec<String> = branches.iter().map(|b| format!("refs/heads/{b}")).collect();
        // Git tells a remote of no pattern, only that branches are wanted: tags, and
        // the requests of a forge, stay there.
        let mut args = vec!["ls-remote", "--heads", "--", &remote.name];
        args.extend(names.iter().map(String::as_str));
        let answer = self.ask(remote, Doing::Read, &args)?;
        found_in(&answer.stdout, remote, branches)
    }

    /// The names of a remote's tags as it has them now, without `refs/tags/`.
    /// Nothing is fetched.
    pub fn remote_tags(&self, remote: &str) -> Result<Vec<String>, GitError> {
        let remote = self.remote(Some(remote))?;
        // `--refs` leaves out what annotated tags point to (`v1^{}`).
        let args = ["ls-remote", "--tags", "--refs", "--", &remote.name];
        let answer = self.ask(&remote, Doing::Read, &args)?;
        let names = answer.stdout.lines().filter_map(|line| line.split_once("\trefs/tags/"));
        Ok(names.map(|(_, tag)| tag.to_owned()).collect())
    }

    /// Takes away the locks of references of this program's own that stood still
    /// all the while: a `git` that was killed left them. One that still runs and
    /// finds its lock gone fails; what it would have kept is asked for again.
    fn unlock(&self, remote: &Remote, branches: &[&str]) -> Result<bool, GitError> {
        let mut any = false;
        for branch in branches {
            let name = format!("{}.lock", kept(&remote.name, branch));
            let lock = self.inner.commondir().join(name);
            let changed = fs::metadata(&lock).and_then(|of| of.modified());
            let age = changed.ok().and_then(|changed| changed.elapsed().ok());
            if age.is_none_or(|age| age < STALE) {
                continue;
            }
            match fs::remove_file(&lock) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let reason = format!("`{}` cannot be removed: {error}", lock.display());
                    return Err(failure(remote, Doing::Fetch, reason));
                }
                _ => any = true,
            }
        }
        Ok(any)
    }

    fn kept_commit(&self, name: &str) -> Option<CommitId> {
        let id = self.inner.refname_to_id(name).ok()?;
        self.inner.find_commit(id).ok().map(|commit| CommitId(commit.id()))
    }

    fn forget(&self, name: &str) -> Result<(), GitError> {
        let mut attempt = 0;
        loop {
            let done = self.inner.find_reference(name).and_then(|mut found| found.delete());
            match done {
                Ok(()) => return Ok(()),
                Err(error) if error.code() == ErrorCode::NotFound => return Ok(()),
                // Somebody else writes references of this clone.
                Err(error) if attempt < ATTEMPTS && lost_a_lock(&error) => {
                    thread::sleep(PAUSE * (1 << attempt));
                    attempt += 1;
                }
                Err(error) => {
                    return Err(GitError::repository(format!("delete `{name}`"), &error));
                }
            }
        }
    }

    fn local_branches(&self) -> Result<Vec<String>, GitError> {
        let failed = |error: git2::Error| GitError::repository("list the branches", &error);
        let references = self.inner.references_glob("refs/heads/*").map_err(failed)?;
        let mut branches = Vec::new();
        for reference in references {
            let name =
                String::from_utf8_lossy(reference.map_err(failed)?.name_bytes()).into_owned();
            branches.extend(name.strip_prefix("refs/heads/").map(str::to_owned));
        }
        branches.sort();
        Ok(branches)
    }
}

/// Each of the branches in what `ls-remote` said.
fn found_in(
    said: &str,
    remote: &Remote,
    branches: &[&str],
) -> Result<BTreeMap<String, Option<CommitId>>, GitError> {
    let mut found = BTreeMap::new();
    for branch in branches {
        valid(branch)?;
        found.insert((*branch).to_owned(), None);
    }
    for line in said.lines() {
        let Some((id, branch)) = line.split_once("\trefs/heads/") else { continue };
        // `ls-remote` matches the end of a name: `x/refs/heads/main` too.
        let Some(slot) = found.get_mut(branch) else { continue };
        let id = CommitId::parse(id);
        *slot = Some(id.map_err(|error| failure(remote, Doing::Read, error.to_string()))?);
    }
    Ok(found)
}

/// A lock file stood there, or the reference has moved meanwhile.
fn lost_a_lock(error: &git2::Error) -> bool {
    matches!(error.code(), ErrorCode::Locked | ErrorCode::Modified)
}

/// The reference that keeps a fetched branch. Flat, so that `env` and `env/dev`,
/// which no remote has at once, do not meet here.
pub(crate) fn kept(remote: &str, branch: &str) -> String {
    let flat = |name: &str| name.replace('%', "%25").replace('/', "%2F");
    format!("{KEPT}/{}/{}", flat(remote), flat(branch))
}

fn failure(remote: &Remote, doing: Doing, reason: String) -> GitError {
    let Remote { name, url } = remote.clone();
    GitError::Remote { doing: doing.words(), remote: name, url, reason }
}

pub(crate) fn valid(branch: &str) -> Result<(), GitError> {
    if git2::Branch::name_is_valid(branch).unwrap_or(false) {
        return Ok(());
    }
    Err(GitError::InvalidBranch { branch: branch.to_owned() })
}

fn only_branch(mut branches: Vec<String>, of: String) -> Result<String, GitError> {
    if branches.len() == 1 {
        return Ok(branches.swap_remove(0));
    }
    let usual = ["main", "master"].into_iter().find(|usual| branches.iter().any(|b| b == usual));
    usual.map(str::to_owned).ok_or(GitError::NoDefaultBranch { of, branches })
}
