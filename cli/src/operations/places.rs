//! Where environments are: repositories, the remotes they are pushed to, and
//! branches as the remotes have them now.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use gitops_git::{CommitId, GitError, Remote, Repository, RevisionTree};

use super::desired::git_failure;
use super::policies::cache_folder;
use super::trust::hinted;
use crate::args::Checkout;
use crate::config::{self, Config};
use crate::context::Context;
use crate::failure::Failure;

/// A commit and what it holds.
pub(crate) struct Revision {
    pub(crate) commit: CommitId,
    pub(crate) tree: RevisionTree,
}

/// A repository here, and the remote that it is a clone of.
pub(crate) struct Home {
    /// Its key in `repositories`; `None` for the trust repository.
    pub(crate) name: Option<String>,
    pub(crate) repository: Repository,
    pub(crate) remote: Remote,
    /// Branches as they were fetched.
    branches: RefCell<BTreeMap<String, Option<CommitId>>>,
}

/// Where an environment is.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) home: &'a Home,
    pub(crate) branch: &'a str,
}

impl Place<'_> {
    /// The branch as its remote has it, fetched once a run.
    pub(crate) fn revision(&self) -> Result<Revision, Failure> {
        self.home.revision(self.branch)
    }

    /// The branch at one of its commits; at its newest without one. A commit
    /// that the branch does not hold was never merged, so that nothing is read
    /// at it.
    pub(crate) fn at(&self, rev: Option<&str>) -> Result<Revision, Failure> {
        let newest = self.revision()?;
        let Some(rev) = rev else { return Ok(newest) };
        let repository = &self.home.repository;
        let attempt = format!("could not read {} at `{rev}`", self.words());
        let failed = |error: GitError| hinted(&attempt, &error);
        let commit = repository.resolve(rev).map_err(failed)?;
        if !repository.is_ancestor(&commit, &newest.commit).map_err(failed)? {
            let mut failure = Failure::usage(&attempt);
            failure.causes.push(format!("commit {} is not on that branch", commit.short()));
            return Err(if repository.is_shallow() {
                failure.hint("this clone holds a part of the history: `git fetch --unshallow`")
            } else {
                let shown = format!("{}/{}", self.home.remote.name, self.branch);
                failure.hint(format!("name a commit that `git log {shown}` shows"))
            });
        }
        let tree = repository.tree(&commit).map_err(failed)?;
        Ok(Revision { commit, tree })
    }

    /// Both in words.
    pub(crate) fn words(&self) -> String {
        format!("the branch `{}` of {}", self.branch, self.home.words())
    }
}

impl Home {
    pub(crate) fn new(name: Option<String>, repository: Repository, remote: Remote) -> Home {
        Home { name, repository, remote, branches: RefCell::default() }
    }

    /// The same with branches as they were at some time, which is not asked for
    /// again.
    pub(crate) fn with(
        name: Option<String>,
        repository: Repository,
        remote: Remote,
        branches: BTreeMap<String, Option<CommitId>>,
    ) -> Home {
        Home { name, repository, remote, branches: RefCell::new(branches) }
    }

    /// The newest commit of a branch, along first parents, that is not younger
    /// than `at`, in seconds since 1970.
    pub(crate) fn tip_at(&self, branch: &str, at: i64) -> Result<Option<CommitId>, Failure> {
        let Some(tip) = self.tip(branch)? else { return Ok(None) };
        for commit in self.repository.first_parent(&tip, &[]) {
            let commit = commit
                .map_err(|error| git_failure(format!("could not read `{branch}`"), &error))?;
            if commit.committer.when.seconds <= at {
                return Ok(Some(commit.id));
            }
        }
        Ok(None)
    }

    /// The repository at `url`, which `repositories` calls `name`: the checkout
    /// that the command line names, else a bare clone in the cache folder.
    pub(crate) fn open(context: &Context, name: &str, url: &str) -> Result<Home, Failure> {
        let attempt = || format!("could not open the repository `{name}`");
        let failed = |error: &GitError| hinted(&attempt(), error);
        let repository = match context.common.checkout(name) {
            Some(dir) => super::repository::open(dir)?,
            None => {
                let folder = cache_folder("repositories").ok_or_else(|| {
                    Failure::world(attempt()).hint(format!(
                        "set HOME or XDG_CACHE_HOME, or name a checkout by `--repo {name}=DIR`"
                    ))
                })?;
                let kept = Repository::kept(&folder, url).map_err(|error| failed(&error))?;
                super::repository::connected(kept)?
            }
        };
        let remote = repository.remote_at(url).map_err(|error| failed(&error))?;
        Ok(Home::new(Some(name.to_owned()), repository, remote))
    }

    /// An address of `repositories`, which may be relative to this remote's.
    pub(crate) fn absolute(&self, name: &str, url: &str) -> Result<String, Failure> {
        let base = self.address();
        gitops_git::beside(&base, url).ok_or_else(|| {
            Failure::usage(format!("`{url}` of repository `{name}` leads out of `{base}`"))
                .hint(format!("correct `repositories.{name}.url` in {}", config::FILE))
        })
    }

    /// A branch of the remote, fetched once a run.
    pub(crate) fn revision(&self, branch: &str) -> Result<Revision, Failure> {
        let Some(commit) = self.tip(branch)? else {
            return Err(Failure::usage(format!("{} has no branch `{branch}`", self.words()))
                .hint("push the branch, or correct it in gitops.yaml"));
        };
        let tree = self
            .repository
            .tree(&commit)
            .map_err(|error| git_failure(format!("could not read `{branch}`"), &error))?;
        Ok(Revision { commit, tree })
    }

    /// A branch of the remote that need not exist, fetched once a run.
    pub(crate) fn tip(&self, branch: &str) -> Result<Option<CommitId>, Failure> {
        if let Some(known) = self.branches.borrow().get(branch) {
            return Ok(*known);
        }
        let fetched = self
            .repository
            .fetch(&self.remote.name, &[branch])
            .map_err(|error| self.failed(&format!("could not fetch `{branch}` from"), &error))?;
        let commit = fetched.into_iter().find_map(|fetched| fetched.commit);
        self.branches.borrow_mut().insert(branch.to_owned(), commit);
        Ok(commit)
    }

    /// Fetches a branch and others that will be asked for, at one go.
    pub(crate) fn fetch_ahead(&self, branch: &str, others: &[&str]) -> Result<(), Failure> {
        let mut branches = vec![branch];
        branches.extend(others.iter().filter(|other| **other != branch));
        let fetched = self
            .repository
            .fetch(&self.remote.name, &branches)
            .map_err(|error| self.failed(&format!("could not fetch `{branch}` from"), &error))?;
        let fetched = fetched.into_iter().map(|fetched| (fetched.branch, fetched.commit));
        self.branches.borrow_mut().extend(fetched);
        Ok(())
    }

    /// Fetches those of the branches that were not asked for yet, at one go.
    pub(crate) fn fetch_missing(&self, branches: &[&str]) -> Result<(), Failure> {
        let mut missing: Vec<&str> = branches.to_vec();
        missing.retain(|branch| !self.branches.borrow().contains_key(*branch));
        match missing.split_first() {
            None | Some((_, [])) => Ok(()),
            Some((first, others)) => self.fetch_ahead(first, others),
        }
    }

    /// Notes where this program itself has put a branch of the remote.
    pub(crate) fn is_at(&self, branch: &str, commit: CommitId) {
        self.branches.borrow_mut().insert(branch.to_owned(), Some(commit));
    }

    /// The same repository with its whole history, where it is cut off here: a
    /// bare clone in the cache folder, with these branches fetched.
    pub(crate) fn whole(&self, branches: &[&str]) -> Result<Home, Failure> {
        let attempt = "could not fetch the history that this clone lacks";
        let folder = cache_folder("repositories")
            .ok_or_else(|| Failure::world(attempt).hint("set HOME or XDG_CACHE_HOME"))?;
        let address = self.address();
        let failed = |error: &GitError| hinted(attempt, error);
        let kept = Repository::kept(&folder, &address).map_err(|error| failed(&error))?;
        let repository = super::repository::connected(kept)?;
        let remote = repository.remote_at(&address).map_err(|error| failed(&error))?;
        repository.fetch(&remote.name, branches).map_err(|error| failed(&error))?;
        Ok(Home::new(self.name.clone(), repository, remote))
    }

    /// Asks the remote again for those of the branches that were fetched, at one
    /// go, and fetches what has moved. Answers whether something has.
    pub(crate) fn refresh(&self, branches: &BTreeSet<&str>) -> Result<bool, Failure> {
        let mut known = self.branches.borrow().clone();
        known.retain(|branch, _| branches.contains(branch.as_str()));
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        if names.is_empty() {
            return Ok(false);
        }
        let fetched = self
            .repository
            .fetch(&self.remote.name, &names)
            .map_err(|error| self.failed("could not fetch from", &error))?;
        let now: BTreeMap<_, _> = fetched.into_iter().map(|f| (f.branch, f.commit)).collect();
        let moved = now != known;
        self.branches.borrow_mut().extend(now);
        Ok(moved)
    }

    /// Fetches a branch again.
    pub(crate) fn ask_again(&self, branch: &str) -> Result<(), Failure> {
        self.branches.borrow_mut().remove(branch);
        self.tip(branch).map(drop)
    }

    /// The default branch, as the remote names it now.
    pub(crate) fn default_branch(&self) -> Result<String, Failure> {
        self.repository
            .default_branch(Some(&self.remote.name))
            .map_err(|error| self.failed("could not find the default branch of", &error))
    }

    /// The remote's address, without credentials, as it means the same from
    /// everywhere.
    pub(crate) fn address(&self) -> String {
        self.repository.absolute(&self.remote.url)
    }

    /// Words for a remote that does not answer. Nobody knows the remotes of a
    /// clone of our own, so that its address is named instead.
    fn failed(&self, attempt: &str, error: &GitError) -> Failure {
        let attempt = format!("{attempt} {}", self.words());
        match (&self.name, error) {
            (Some(name), GitError::Remote { url, .. }) => {
                git_failure(attempt, error).hint(format!(
                    "`git ls-remote {url}` asks it again; `--repo {name}=DIR` takes a checkout"
                ))
            }
            _ => hinted(&attempt, error),
        }
    }

    /// Forgets what was fetched, so that the remote is asked again.
    pub(crate) fn forget(&self) {
        self.branches.borrow_mut().clear();
    }

    /// The remote in words: `origin` of the trust repository, else the name that
    /// gitops.yaml gives the repository.
    pub(crate) fn words(&self) -> String {
        match &self.name {
            None => format!("`{}`", self.remote.name),
            Some(name) => format!("repository `{name}`"),
        }
    }
}

/// Refuses a checkout of a repository that the configuration does not name.
pub(crate) fn check_checkouts(context: &Context, config: &Config) -> Result<(), Failure> {
    for Checkout { name, .. } in &context.common.repo {
        if !config.repositories.contains_key(name) {
            let known: Vec<&str> = config.repositories.keys().map(String::as_str).collect();
            let failure = Failure::usage(format!(
                "`--repo {name}=…`: {} names no repository `{name}`",
                config::FILE
            ));
            return Err(match known.as_slice() {
                [] => failure.hint("`repositories` names those beside this one"),
                known => failure.hint(format!("known are {}", known.join(", "))),
            });
        }
    }
    Ok(())
}
