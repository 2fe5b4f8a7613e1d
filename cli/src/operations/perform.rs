//! From a plan to the remote. Each step reads what the remote has, writes only
//! where that differs from what is wanted, and reads back; running it again
//! changes nothing.

use gitops_core::plan::{Contents, Plan};
use gitops_git::{
    CommitId, FileEdit, Lease, PushOutcome, Refusal, Signature, Taken, Time, Update, Why,
};

use super::by_push;
use super::desired::{git_failure, unknown_environment};
use super::prify;
use super::requests::Asked;
use super::standing::{Standing, standing};
use super::together::Readies;
use super::trust::{Home, Trust, hinted};
use crate::config::{Environment, Method};
use crate::failure::{Exit, Failure};
use crate::output::Terminal;

/// How often a race with another run in this clone is run again.
pub(super) const ATTEMPTS: usize = 3;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// The branch.
    pub(crate) branch: String,
    /// Its commit that holds the change.
    pub(crate) commit: CommitId,
    /// Whether this run put it there.
    pub(crate) pushed: bool,
    /// Where a person opens the request; `None` without one, or where the
    /// forge is not known.
    pub(crate) request: Option<String>,
    /// How it was merged, where that was this program's to do.
    pub(crate) merged: Option<Merged>,
    /// What is left for a person to do.
    pub(crate) next: Next,
    /// The request, where the forge was asked.
    pub(crate) asked: Option<Asked>,
}

/// What flags say about requests that are not as they were left.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wants {
    /// Commits of others on a request's branch are replaced.
    pub(crate) takeover: bool,
    /// A request that was closed is opened again.
    pub(crate) reopen: bool,
    /// A change to files that others have changed meanwhile is planned anew.
    pub(crate) renew: bool,
}

/// What a person does with a branch that holds a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is what it was to be.
    Nothing,
    /// Opens a request of it.
    OpenRequest,
    /// Looks whether the server has opened one, as the push asked.
    SeeRequest,
    /// Pushes it: it is a branch of this clone.
    Push,
}

/// What a merge left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Merged {
    pub(crate) method: Method,
    /// The request's branch, where there was one that is gone now.
    pub(crate) deleted: Option<String>,
}

/// Who commits, and when: seconds since 1970.
pub(crate) struct Author<'a> {
    pub(crate) trust: &'a Trust,
    pub(crate) seconds: i64,
    pub(crate) terminal: Terminal,
    pub(crate) wants: Wants,
    /// Requests that were made ready before their turn.
    pub(crate) ready: Readies,
}

impl Author<'_> {
    /// The repository of a plan's target.
    pub(super) fn home(&self, plan: &Plan) -> Result<&Home, Failure> {
        Ok(self.trust.place(self.target(plan)?)?.home)
    }

    pub(super) fn target(&self, plan: &Plan) -> Result<&Environment, Failure> {
        self.trust.config.environment(&plan.target.name).map_err(unknown_environment)
    }

    /// A plan on its way.
    pub(super) fn job<'a>(
        &'a self,
        plan: &'a Plan,
        contents: &Contents,
    ) -> Result<Job<'a>, Failure> {
        let edits: Vec<FileEdit> = contents
            .files()
            .map(|(path, bytes)| FileEdit {
                path: path.clone(),
                content: bytes.after.as_deref().map(<[u8]>::to_vec),
                mode: bytes.mode,
            })
            .collect();
        let home = self.home(plan)?;
        let who = self
            .trust
            .author_of(home)
            .identity()
            .map_err(|error| hinted("could not make a commit", &error))?;
        let when = Time { seconds: self.seconds, offset_minutes: 0 };
        let target = self.target(plan)?;
        Ok(Job { author: self, home, target, plan, edits, who: who.at(when) })
    }

    /// Puts the plan on the remote; `None` where somebody else was faster. With
    /// `merge`, the change goes into the target's branch at once, in that way.
    pub(crate) fn perform(
        &self,
        plan: &Plan,
        contents: &Contents,
        merge: Option<Method>,
    ) -> Result<Option<Receipt>, Failure> {
        let job = self.job(plan, contents)?;
        match (&plan.branch, merge) {
            (None, _) => job.direct(),
            (Some(branch), _) if job.stays_here() => job.here(branch).map(Some),
            (Some(branch), None) => job.request(branch),
            (Some(branch), Some(method)) => job.merge(branch, method),
        }
    }
}

/// What the branch of a request is to be.
pub(super) enum Wanted {
    /// As it is.
    Stands(CommitId),
    /// At a new commit.
    Push(Update),
}

/// One plan on its way to the remote.
pub(super) struct Job<'a> {
    pub(super) author: &'a Author<'a>,
    /// The target's repository.
    pub(super) home: &'a Home,
    pub(super) target: &'a Environment,
    pub(super) plan: &'a Plan,
    pub(super) edits: Vec<FileEdit>,
    /// Who commits.
    pub(super) who: Signature,
}

impl Job<'_> {
    pub(super) fn commit(&self, parent: &CommitId) -> Result<CommitId, Failure> {
        self.home
            .repository
            .commit_as(
                parent,
                &self.edits,
                &self.plan.message(),
                &self.author_of_change(),
                &self.who,
            )
            .map_err(|error| hinted("could not make a commit", &error))
    }

    pub(super) fn push(
        &self,
        commit: CommitId,
        branch: &str,
        expect: Lease,
    ) -> Result<PushOutcome, Failure> {
        self.push_with(commit, branch, expect, &[]).map(|(outcome, _)| outcome)
    }

    /// The same, asking something of the server.
    fn push_with(
        &self,
        commit: CommitId,
        branch: &str,
        expect: Lease,
        options: &[String],
    ) -> Result<(PushOutcome, Taken), Failure> {
        let update = Update { commit, branch: branch.to_owned(), expect };
        let remote = &self.home.remote.name;
        self.home.repository.push_with(remote, &[update], options).map_err(|error| {
            hinted(&format!("could not push `{branch}` to {}", self.home.words()), &error)
        })
    }

    /// One commit on the branch itself.
    fn direct(&self) -> Result<Option<Receipt>, Failure> {
        let branch = self.plan.base.as_str();
        let commit = self.commit(&parse(&self.plan.base_revision)?)?;
        match self.push(commit, branch, Lease::FastForward)? {
            PushOutcome::Pushed(_) => Ok(Some(Receipt {
                branch: branch.to_owned(),
                commit,
                pushed: true,
                request: None,
                merged: None,
                next: Next::Nothing,
                asked: None,
            })),
            PushOutcome::Refused(refusals) => self.too_late(branch, &refusals, "direct"),
        }
    }

    /// One commit on the request's branch, on top of the plan's base.
    fn request(&self, branch: &str) -> Result<Option<Receipt>, Failure> {
        let update = match self.wanted(branch)? {
            Wanted::Stands(tip) => return Ok(Some(self.receipt(branch, tip, false))),
            Wanted::Push(update) => update,
        };
        let forge = match self.author.has_requests(self.plan)? {
            true => self.author.trust.forge_words(self.home)?,
            false => None,
        };
        let first = update.expect == Lease::Absent;
        let options = by_push::options(forge.as_ref(), self.plan, first);
        let (outcome, taken) = self.push_with(update.commit, branch, update.expect, &options)?;
        match outcome {
            // Two who make the same commit in the same second make it once.
            PushOutcome::Pushed(branches) => {
                let moved = branches.iter().any(|branch| branch.moved);
                let made = self.receipt(branch, update.commit, moved);
                if !taken.options {
                    return Ok(Some(made));
                }
                let page = by_push::page(forge.as_ref(), &taken.words);
                let next = if page.is_some() { Next::Nothing } else { Next::SeeRequest };
                Ok(Some(Receipt { request: page.or(made.request.clone()), next, ..made }))
            }
            PushOutcome::Refused(refusals) => self.too_late(branch, &refusals, "request"),
        }
    }

    /// What the request's branch is to be.
    pub(super) fn wanted(&self, branch: &str) -> Result<Wanted, Failure> {
        let base = parse(&self.plan.base_revision)?;
        let expect = match self.home.tip(branch)? {
            None => Lease::Absent,
            Some(tip) => {
                if self.stands(&base, &tip, branch)? && !self.is_to_be_rebased(&base, &tip)? {
                    return Ok(Wanted::Stands(tip));
                }
                Lease::At(tip)
            }
        };
        let commit = self.commit(&base)?;
        Ok(Wanted::Push(Update { commit, branch: branch.to_owned(), expect }))
    }

    /// The request's branch at a commit.
    pub(super) fn receipt(&self, branch: &str, commit: CommitId, pushed: bool) -> Receipt {
        Receipt {
            branch: branch.to_owned(),
            commit,
            pushed,
            request: self.page(branch),
            merged: None,
            next: self.next(),
            asked: None,
        }
    }

    /// Whether the branch holds this very change already. One that holds
    /// commits of others is not ours to replace.
    pub(super) fn stands(
        &self,
        base: &CommitId,
        tip: &CommitId,
        branch: &str,
    ) -> Result<bool, Failure> {
        let standing = standing(&self.home.repository, base, tip, &self.plan.change_digest())
            .map_err(|error| {
                git_failure(format!("could not read the branch `{branch}`"), &error)
            })?;
        match standing {
            // Who goes past a gate is on record, also where the change stood before.
            Standing::Same(overrides) => {
                Ok(self.plan.overrides.iter().all(|by| overrides.contains(by)))
            }
            Standing::Other => Ok(false),
            Standing::Foreign(_) if self.author.wants.takeover => Ok(false),
            Standing::Foreign(reason) => Err(self.foreign(branch, &reason)),
        }
    }

    fn foreign(&self, branch: &str, reason: &str) -> Failure {
        let mut failure =
            Failure::world(format!("the branch `{branch}` is not ours to replace: {reason}"));
        failure.exit = Exit::No;
        failure
            .hint(format!(
                "merge or delete that branch, or choose other names by {}",
                prify::branch_key(self.target)
            ))
            .hint("`promote --takeover` replaces what stands on it")
    }

    /// `None`, since somebody else was faster; anything else that the server
    /// refused is told.
    pub(super) fn too_late(
        &self,
        branch: &str,
        refusals: &[Refusal],
        way: &'static str,
    ) -> Result<Option<Receipt>, Failure> {
        for refusal in refusals {
            if let Why::Rejected { reason, messages } = &refusal.why {
                let failure = Failure::world(format!(
                    "{} refused the push to `{branch}`: {reason}",
                    self.home.words()
                ));
                let mut failure = failure;
                failure.causes.extend(messages.iter().cloned());
                return Err(if way == "direct" && self.target.prify.is_some() {
                    failure.hint(format!(
                        "where `{branch}` is protected, set a branch of its own by {}, so that a request can be opened",
                        prify::branch_key(self.target)
                    ))
                } else if way == "direct" {
                    failure.hint(format!(
                        "where `{branch}` is protected, set `merge: manual` for environment `{}` in gitops.yaml",
                        self.plan.target.name
                    ))
                } else {
                    failure
                });
            }
        }
        Ok(None)
    }
}

pub(super) fn parse(commit: &str) -> Result<CommitId, Failure> {
    CommitId::parse(commit)
        .map_err(|error| Failure::world("could not use the plan").because(&error))
}

pub(super) fn raced(branch: &str) -> Failure {
    Failure::world(format!("`{branch}` moves faster than it can be pushed to")).hint("run it again")
}
