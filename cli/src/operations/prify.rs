//! What a `prify.yml` asks of performing: who is the author, whether anything
//! leaves this clone, whether a request is made again, and where it is opened.

use gitops_core::plan::{self, Side, Step};
use gitops_git::{CommitId, Identity, LocalMove, Signature};

use super::desired::git_failure;
use super::perform::{ATTEMPTS, Job, Next, Receipt, parse, raced};
use super::trust::{Trust, hinted};
use crate::config::{Environment, Merge, Prify};
use crate::failure::Failure;

/// Refuses a change that would have to go onto a branch of the remote, and
/// must not leave this clone.
pub(super) fn refuse_unpushed(target: &Environment) -> Result<(), Failure> {
    let Some(prify) = target.prify.as_ref().filter(|prify| !prify.push) else { return Ok(()) };
    if target.merge != Merge::Direct {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "changes of `{}` go onto the base branch itself, and {} has no `push`",
        target.name, prify.file
    ))
    .hint(format!(
        "write `push: {{}}` there, or give `branch.name` of {} a branch of its own",
        prify.file
    )))
}

/// The key that names the branches of requests, for hints.
pub(super) fn branch_key(target: &Environment) -> String {
    match &target.prify {
        Some(prify) => format!("`branch.name` in {}", prify.file),
        None => "`pullRequest.branch` in gitops.yaml".to_owned(),
    }
}

/// The files of the source that belong to no app, and differ from the target's.
/// Whoever copies the apps' folders could take them for promoted.
pub(super) fn strays(
    trust: &Trust,
    step: &Step<'_>,
    source: &Environment,
    from_rev: Option<&str>,
) -> Result<Vec<String>, Failure> {
    let there = trust.place(source)?.at(from_rev)?;
    let (reference, revision) = (trust.reference(source)?, there.commit.to_string());
    let side = Side { environment: &reference, tree: &there.tree, revision: &revision };
    plan::strays(step.rules, side, step.target).map_err(|error| {
        Failure::world(format!("could not read environment `{}`", source.name)).because(&error)
    })
}

impl Job<'_> {
    fn prify(&self) -> Option<&Prify> {
        self.target.prify.as_ref()
    }

    /// Whether the change stays in this clone.
    pub(super) fn stays_here(&self) -> bool {
        self.prify().is_some_and(|prify| !prify.push)
    }

    /// Who wrote the change; the one who commits is who Git says.
    pub(super) fn author_of_change(&self) -> Signature {
        let named = |named: Option<&Option<String>>, own: &str| {
            named.and_then(Clone::clone).unwrap_or_else(|| own.to_owned())
        };
        let (prify, own) = (self.prify(), &self.who.who);
        let who = Identity {
            name: named(prify.map(|prify| &prify.author), &own.name),
            email: named(prify.map(|prify| &prify.email), &own.email),
        };
        who.at(self.who.when)
    }

    /// Where a person opens the request of a branch that was pushed.
    pub(super) fn page(&self, branch: &str) -> Option<String> {
        let forge = self.author.trust.forge_words(self.home).ok().flatten()?;
        let (owner, repository) = match self.prify() {
            None => (None, None),
            Some(prify) if prify.request => {
                (prify.organisation.as_deref(), prify.repository.as_deref())
            }
            Some(_) => return None,
        };
        gitops_forge::new_request_url_in(&forge, owner, repository, &self.plan.base, branch)
    }

    /// What is left for a person to do with a branch.
    pub(super) fn next(&self) -> Next {
        match self.prify() {
            Some(prify) if !prify.push => Next::Push,
            Some(prify) if !prify.request => Next::Nothing,
            _ => Next::OpenRequest,
        }
    }

    /// Whether a branch is to be made again, though it holds the change: it is
    /// asked to stand on the newest base, and does not.
    pub(super) fn is_to_be_rebased(
        &self,
        base: &CommitId,
        tip: &CommitId,
    ) -> Result<bool, Failure> {
        if !self.prify().is_some_and(|prify| prify.rebase) {
            return Ok(false);
        }
        let meet = self.home.repository.merge_base(base, tip);
        let meet = meet.map_err(|error| git_failure("could not read the history", &error))?;
        Ok(meet != Some(*base))
    }

    /// One commit on a branch of this clone, as [`Job::request`] makes it on the
    /// remote.
    pub(super) fn here(&self, branch: &str) -> Result<Receipt, Failure> {
        let base = parse(&self.plan.base_revision)?;
        let repository = &self.home.repository;
        let failed = |error| hinted(&format!("could not move the branch `{branch}`"), &error);
        let receipt = |commit, pushed| Receipt {
            branch: branch.to_owned(),
            commit,
            pushed,
            request: None,
            merged: None,
            next: Next::Push,
            asked: None,
        };
        for _ in 0..ATTEMPTS {
            let tip = repository.local_branch(branch).map_err(failed)?;
            if let Some(tip) = tip
                && self.stands(&base, &tip, branch)?
                && !self.is_to_be_rebased(&base, &tip)?
            {
                return Ok(receipt(tip, false));
            }
            let commit = self.commit(&base)?;
            match repository.move_local_branch(branch, tip, &commit).map_err(failed)? {
                LocalMove::Done => return Ok(receipt(commit, true)),
                LocalMove::Elsewhere(_) => {}
                LocalMove::CheckedOut(folder) => {
                    return Err(Failure::world(format!(
                        "the branch `{branch}` is checked out in {}, and would move under it",
                        folder.display()
                    ))
                    .hint("check another branch out there, or write `push: {}` in the prify.yml"));
                }
            }
        }
        Err(raced(branch))
    }
}
