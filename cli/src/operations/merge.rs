//! `merge: auto` with Git alone: a request whose gates are open goes into the
//! target's branch by a push with a lease, and its own branch goes away.
//!
//! What is merged is what was judged: the plan's edits on the commit they were
//! planned on.

use gitops_core::plan::Plan;
use gitops_git::{CommitId, Deletion, GitError, Lease, PushOutcome, Why, trailers};

use super::desired::git_failure;
use super::forges::Reach;
use super::perform::{Author, Job, Merged, Next, Receipt, parse};
use super::prify;
use super::trust::{Home, Trust, hinted};
use crate::config::{Environment, Merge, Method};
use crate::failure::Failure;

impl Method {
    /// The word of gitops.yaml.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Method::Squash => "squash",
            Method::Merge => "merge",
            Method::Rebase => "rebase",
        }
    }
}

/// Who merges the changes of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// People do.
    People,
    /// This program, by a push.
    Git(Method),
    /// This program, by its forge, which keeps its own record of a request: a push
    /// from outside would leave it open.
    Forge(Method),
}

/// How changes of an environment are merged.
pub(crate) fn way(trust: &Trust, target: &Environment) -> Result<Way, Failure> {
    prify::refuse_unpushed(target)?;
    if target.merge != Merge::Auto {
        return Ok(Way::People);
    }
    let home = trust.place(target)?.home;
    let reach = trust.forge(home)?;
    match &*reach {
        Reach::Asked(_) => Ok(Way::Forge(target.method)),
        Reach::NoForge | Reach::Unknown(_) => Ok(Way::Git(target.method)),
        Reach::NoApi(_) | Reach::NoToken(_) => Err(Failure::usage(format!(
            "environment `{}` has `merge: auto`, and the requests of {} cannot be merged: {}",
            target.name,
            home.words(),
            reach.why_not(home)
        ))
        .hint("set `merge: manual` (a branch for a request) or `merge: direct` on the trust branch")
        .hint("`--dry-run` plans and judges without performing")),
    }
}

impl Job<'_> {
    /// The plan's change on the target's branch; the request's branch, which
    /// an earlier run may have left there while a gate was pending, goes.
    pub(super) fn merge(&self, branch: &str, method: Method) -> Result<Option<Receipt>, Failure> {
        let target = self.plan.base.as_str();
        let base = parse(&self.plan.base_revision)?;
        let request = match self.home.tip(branch)? {
            None => None,
            Some(tip) => Some((tip, self.stands(&base, &tip, branch)?)),
        };
        // Only a head that holds the very change that was judged is merged as it is.
        let head = request.and_then(|(tip, stands)| stands.then_some(tip));
        let commit = self.merged(&base, head.as_ref(), branch, method)?;
        if let PushOutcome::Refused(refusals) = self.push(commit, target, Lease::At(base))? {
            return self.too_late(target, &refusals, "direct");
        }
        let deleted = match request {
            Some((tip, _)) => self.author.delete(self.home, branch, &tip)?,
            None => false,
        };
        Ok(Some(Receipt {
            branch: target.to_owned(),
            commit,
            pushed: true,
            request: None,
            merged: Some(Merged { method, deleted: deleted.then(|| branch.to_owned()) }),
            next: Next::Nothing,
            asked: None,
        }))
    }

    /// The commit that the target's branch shall be at.
    fn merged(
        &self,
        base: &CommitId,
        head: Option<&CommitId>,
        branch: &str,
        method: Method,
    ) -> Result<CommitId, Failure> {
        let repository = &self.home.repository;
        let failed = |error: GitError| hinted("could not make a commit", &error);
        match (method, head) {
            (Method::Squash, _) | (Method::Rebase, None) => self.commit(base),
            (Method::Rebase, Some(head)) => {
                let commit = repository.read_commit(head).map_err(failed)?;
                if commit.parents == [*base] { Ok(*head) } else { self.commit(base) }
            }
            (Method::Merge, head) => {
                let head = match head {
                    Some(head) => *head,
                    None => self.commit(base)?,
                };
                let message = message(self.plan, branch);
                repository
                    .commit_merge(base, &head, &self.edits, &message, &self.who)
                    .map_err(failed)
            }
        }
    }
}

impl Author<'_> {
    /// Notes a merge that the forge has done, and takes the request's branch away.
    pub(super) fn merged(
        &self,
        plan: &Plan,
        receipt: &mut Receipt,
        (method, commit): (Method, Option<CommitId>),
    ) -> Result<(), Failure> {
        let home = self.home(plan)?;
        let head = receipt.commit;
        let branch = std::mem::replace(&mut receipt.branch, plan.base.clone());
        let deleted = self.delete(home, &branch, &head)?.then_some(branch);
        home.ask_again(&plan.base)?;
        let tip = || -> Result<CommitId, Failure> { Ok(home.revision(&plan.base)?.commit) };
        receipt.commit = commit.map_or_else(tip, Ok)?;
        receipt.pushed = true;
        receipt.merged = Some(Merged { method, deleted });
        Ok(())
    }

    /// Takes the branch of a request away that an earlier run merged without
    /// coming to the end: it is ours, and the target holds all that it changes.
    /// Answers the branch where it is gone now.
    pub(crate) fn tidy(&self, plan: &Plan) -> Result<Option<String>, Failure> {
        let Some(branch) = &plan.branch else { return Ok(None) };
        let home = self.home(plan)?;
        let Some(tip) = home.tip(branch)? else { return Ok(None) };
        let base = parse(&plan.base_revision)?;
        let attempt = || format!("could not read the branch `{branch}`");
        let repository = &home.repository;
        let holds = merged_already(repository, &base, &tip);
        if !holds.map_err(|error| git_failure(attempt(), &error))? {
            return Ok(None);
        }
        Ok(self.delete(home, branch, &tip)?.then(|| branch.clone()))
    }

    /// Takes the request's branch away while it is at `tip`. One that has moved
    /// is somebody's; one that the server keeps is told, since the merge stands.
    pub(super) fn delete(
        &self,
        home: &Home,
        branch: &str,
        tip: &CommitId,
    ) -> Result<bool, Failure> {
        let deletion =
            home.repository.delete_branch(&home.remote.name, branch, tip).map_err(|error| {
                hinted(&format!("could not delete `{branch}` of {}", home.words()), &error)
            });
        match deletion? {
            Deletion::Gone { .. } => Ok(true),
            Deletion::Refused(refusal) => {
                let reason = match refusal.why {
                    Why::Rejected { reason, .. } => reason,
                    Why::LeaseLost | Why::NotFastForward | Why::Together => {
                        "somebody has moved it".to_owned()
                    }
                };
                self.terminal.warn(format!("the merged branch `{branch}` stays: {reason}"));
                Ok(false)
            }
        }
    }
}

/// Whether a branch holds commits of this program only, and nothing that the
/// target does not hold.
fn merged_already(
    repository: &gitops_git::Repository,
    base: &CommitId,
    tip: &CommitId,
) -> Result<bool, GitError> {
    let ours = |commit: &gitops_git::Commit| {
        !trailers::values(&commit.trailers(), "Plan-Digest").is_empty()
    };
    let Some(meet) = repository.merge_base(base, tip)? else { return Ok(false) };
    // The tip itself, too, where it is merged as it is.
    if !ours(&repository.read_commit(tip)?) || !repository.ahead(base, tip)?.iter().all(ours) {
        return Ok(false);
    }
    let target = repository.changed(Some(tip), base)?;
    let changed = repository.changed(Some(&meet), tip)?;
    Ok(!changed.iter().any(|changed| target.iter().any(|other| other.path == changed.path)))
}

/// The message of a merge commit: Git's own subject, the request's title, and
/// the record.
pub(super) fn message(plan: &Plan, branch: &str) -> String {
    let mut message =
        format!("Merge branch '{branch}' into {}\n\n{}\n\n", plan.base, plan.title.trim());
    for (name, value) in plan.trailers() {
        message.push_str(&format!("{name}: {value}\n"));
    }
    message
}
