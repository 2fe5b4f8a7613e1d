//! What is trusted: configuration, bindings, policies and lock, read from the
//! trust branch as the remote has it now, never from the change under test.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use gitops_core::plan::{ReadEntry, ReadFrom};
use gitops_git::{CommitId, Remote, Repository, RevisionTree};
use gitops_policy::PolicySet;
use gitops_tree::{Recorded, Tree, TreeError};

use super::desired::{git_failure, start};
use super::policies::policy_failure;
use crate::config::{self, Config, Environment};
use crate::context::Context;
use crate::failure::Failure;

/// A repository whose remote was asked, and what its trust branch says.
pub(crate) struct Trust {
    pub(crate) repository: Repository,
    pub(crate) remote: Remote,
    /// The trust branch.
    pub(crate) branch: String,
    pub(crate) config: Config,
    pub(crate) policies: PolicySet,
    /// What was read to know all that.
    pub(crate) reads: BTreeSet<ReadEntry>,
    /// Branches as they were fetched.
    branches: RefCell<BTreeMap<String, Option<CommitId>>>,
}

/// A commit and what it holds.
pub(crate) struct Revision {
    pub(crate) commit: CommitId,
    pub(crate) tree: RevisionTree,
}

impl Trust {
    /// Fetches the trust branch and reads it. The remote's default branch is
    /// asked first, and may name another one in `trust.branch`.
    pub(crate) fn open(context: &Context) -> Result<Trust, Failure> {
        let repository = super::repository::open(&start(context))?;
        let remote =
            repository.remote(None).map_err(|error| hinted("could not choose a remote", &error))?;
        let default = repository.default_branch(Some(&remote.name)).map_err(|error| {
            hinted(&format!("could not find the default branch of `{}`", remote.name), &error)
        })?;
        let mut branch = default;
        let branches = RefCell::default();
        let mut revision = revision(&repository, &remote, &branches, &branch)?;
        let mut config = read_config(&revision.tree, &remote, &branch)?;
        if let Some(named) = config.trust_branch.clone().filter(|named| *named != branch) {
            revision = self::revision(&repository, &remote, &branches, &named)?;
            config = read_config(&revision.tree, &remote, &named)?;
            if config.trust_branch.as_ref() != Some(&named) {
                return Err(Failure::usage(format!(
                    "`{branch}` trusts the branch `{named}`, which does not name itself in `trust.branch`"
                ))
                .hint(format!("write `trust: {{branch: {named}}}` in gitops.yaml of both branches")));
            }
            branch = named;
        }
        let recorded = Recorded::new(&revision.tree);
        // Read again so that what was read is on record.
        config = read_config(&recorded, &remote, &branch)?;
        let policies = policies(&recorded, &config)?;
        let reads = entries(ReadFrom::Trust, &revision.tree, recorded.into_readings())?;
        Ok(Trust { repository, remote, branch, config, policies, reads, branches })
    }

    /// The branch of an environment.
    pub(crate) fn branch_of<'a>(&'a self, environment: &'a Environment) -> &'a str {
        environment.branch.as_deref().unwrap_or(&self.branch)
    }

    /// A branch of the remote, fetched once a run.
    pub(crate) fn revision(&self, branch: &str) -> Result<Revision, Failure> {
        revision(&self.repository, &self.remote, &self.branches, branch)
    }

    /// A branch of the remote that need not exist, fetched once a run.
    pub(crate) fn tip(&self, branch: &str) -> Result<Option<CommitId>, Failure> {
        tip(&self.repository, &self.remote, &self.branches, branch)
    }

    /// Asks the remote again, after this program itself has pushed: what is
    /// trusted must still be what was read at the start.
    pub(crate) fn again(&self) -> Result<(), Failure> {
        self.forget();
        let trusted = self.revision(&self.branch)?;
        for read in &self.reads {
            let holds = read
                .holds_in(&trusted.tree)
                .map_err(|error| Failure::world("could not read the repository").because(&error))?;
            if !holds {
                return Err(Failure::world(format!(
                    "`{}` has moved since this run began: `{}` is another one",
                    self.branch, read.path
                ))
                .hint("run it again: the new state will be planned and judged"));
            }
        }
        Ok(())
    }

    /// Forgets what was fetched, so that the remote is asked again.
    pub(crate) fn forget(&self) {
        self.branches.borrow_mut().clear();
    }
}

/// Words for a failure of Git, with its own way out.
pub(crate) fn hinted(attempt: &str, error: &gitops_git::GitError) -> Failure {
    let failure = git_failure(attempt, error);
    match error.hint() {
        Some(hint) if failure.hints.is_empty() => failure.hint(hint),
        _ => failure,
    }
}

fn tip(
    repository: &Repository,
    remote: &Remote,
    branches: &RefCell<BTreeMap<String, Option<CommitId>>>,
    branch: &str,
) -> Result<Option<CommitId>, Failure> {
    if let Some(known) = branches.borrow().get(branch) {
        return Ok(*known);
    }
    let fetched = repository.fetch(&remote.name, &[branch]).map_err(|error| {
        hinted(&format!("could not fetch `{branch}` from `{}`", remote.name), &error)
    })?;
    let commit = fetched.into_iter().find_map(|fetched| fetched.commit);
    branches.borrow_mut().insert(branch.to_owned(), commit);
    Ok(commit)
}

fn revision(
    repository: &Repository,
    remote: &Remote,
    branches: &RefCell<BTreeMap<String, Option<CommitId>>>,
    branch: &str,
) -> Result<Revision, Failure> {
    let Some(commit) = tip(repository, remote, branches, branch)? else {
        return Err(Failure::usage(format!("`{}` has no branch `{branch}`", remote.name))
            .hint("push the branch, or correct it in gitops.yaml"));
    };
    let tree = repository
        .tree(&commit)
        .map_err(|error| git_failure(format!("could not read `{branch}`"), &error))?;
    Ok(Revision { commit, tree })
}

fn read_config(tree: &dyn Tree, remote: &Remote, branch: &str) -> Result<Config, Failure> {
    config::read(tree).map_err(|error| {
        let attempt = format!("could not use `{}` of `{}/{branch}`", config::FILE, remote.name);
        let failure = Failure::usage(attempt).because(&error);
        error.hints().fold(failure, |failure, hint| failure.hint(hint)).hint(format!(
            "it is read from the branch `{branch}` of `{}`, never from the work tree",
            remote.name
        ))
    })
}

/// Reads the policies, and refuses bindings that would bind nothing: a policy
/// that is never asked is an open gate.
fn policies(tree: &dyn Tree, config: &Config) -> Result<PolicySet, Failure> {
    let Some(path) = &config.policies else { return Ok(PolicySet::default()) };
    let kind = tree
        .kind(path)
        .map_err(|error| Failure::usage("could not read the policies").because(&error))?;
    if kind.is_none() {
        return Err(Failure::usage("could not read the policies")
            .because(&TreeError::Absent { path: path.clone() })
            .hint("`policies` in gitops.yaml names it: commit the file, or take the key out"));
    }
    let policies = gitops_policy::load(tree, path).map_err(|error| policy_failure(&error))?;
    for binding in policies.bindings() {
        let steps = binding.promotions.iter().flat_map(|step| [&step.from, &step.to]);
        for name in binding.environments.iter().chain(steps) {
            if let Err(unknown) = config.environment(name) {
                let failure =
                    Failure::usage(format!("`{path}` binds policies to nothing")).because(&unknown);
                return Err(match unknown.hint() {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                });
            }
        }
    }
    Ok(policies)
}

/// What was read, with what was found.
pub(crate) fn entries(
    from: ReadFrom,
    tree: &dyn Tree,
    readings: BTreeSet<gitops_tree::Reading>,
) -> Result<BTreeSet<ReadEntry>, Failure> {
    readings
        .iter()
        .map(|reading| ReadEntry::of(from, tree, reading))
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::world("could not read the repository").because(&error))
}
