//! Pushes with a lease, read back.

use std::collections::BTreeMap;

use crate::network::Doing;
use crate::program::clean;
use crate::remote::{Remote, valid};
use crate::{CommitId, GitError, Repository};

/// What the remote's branch must be for an update to happen. There is no way
/// to push regardless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// The branch must not exist.
    Absent,
    /// The branch must be at this commit; its history may be replaced.
    At(CommitId),
    /// Whatever the branch is at must be an ancestor of the new commit. A branch
    /// that does not exist is made.
    FastForward,
}

/// One branch to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The commit it shall be at.
    pub commit: CommitId,
    /// The branch of the remote, without `refs/heads/`.
    pub branch: String,
    /// What it must be now.
    pub expect: Lease,
}

/// What a push led to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a refused push is not an error"]
pub enum PushOutcome {
    /// Every branch was moved, or was there already.
    Pushed(Vec<Pushed>),
    /// No branch was moved, for these reasons.
    Refused(Vec<Refusal>),
}

/// A branch that was moved, or was there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The branch.
    pub branch: String,
    /// The commit it was moved to.
    pub commit: CommitId,
    /// Whether this push moved it; otherwise it was there already.
    pub moved: bool,
    /// Where it was when read back: somebody may have moved it since.
    pub now: Option<CommitId>,
}

/// A branch that was not moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The branch.
    pub branch: String,
    /// Why not.
    pub why: Why,
    /// Where the branch is, read after the refusal; `None` when there is none.
    pub now: Option<CommitId>,
}

/// Why a branch was not moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The branch was not where [`Lease::Absent`] or [`Lease::At`] wanted it.
    LeaseLost,
    /// The branch has commits that the new one was not made from.
    NotFastForward,
    /// The server refused: a hook, a protected branch, a quota.
    Rejected {
        /// In a few words, for example `pre-receive hook declined`.
        reason: String,
        /// What the server said, line by line. Foreign text, without control characters.
        messages: Vec<String>,
    },
    /// Another branch of the same push was refused.
    Together,
}

/// What the server made of options that were pushed along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Whether the server takes options at all; without, it was pushed without.
    pub options: bool,
    /// What it said, line by line. Foreign text, without control characters.
    pub words: Vec<String>,
}

/// How git puts it that the server takes no options; nothing was pushed then.
const NO_OPTIONS: &str = "the receiving end does not support push options";

/// The reason given for a branch of which the server said nothing.
pub(crate) const NO_REPORT: &str = "remote failed to report status";

/// How the `git` program reports one branch.
pub(crate) struct Report {
    pub(crate) flag: char,
    pub(crate) reason: String,
}

impl Repository {
    /// Moves branches of a remote, all or none, and reads them back.
    ///
    /// Pushing the same again changes nothing and succeeds. When the connection
    /// breaks after the effect, the effect is found by reading back. The read
    /// goes to the remote's fetch address, also where a push address is set.
    pub fn push(&self, remote: &str, updates: &[Update]) -> Result<PushOutcome, GitError> {
        self.push_with(remote, updates, &[]).map(|(outcome, _)| outcome)
    }

    /// The same with options for the server (`git push --push-option`), each of one
    /// line. A server that takes none gets the push without them.
    pub fn push_with(
        &self,
        remote: &str,
        updates: &[Update],
        options: &[String],
    ) -> Result<(PushOutcome, Taken), GitError> {
        let remote = self.remote(Some(remote))?;
        let branches = self.sound(updates)?;
        if updates.is_empty() {
            return Ok((PushOutcome::Pushed(Vec::new()), Taken::default()));
        }
        let talk = |options: &[String]| {
            let args = arguments(&remote, updates, updates.len() > 1, options);
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            self.talk(&remote, Doing::Push, &args)
        };
        let mut answer = talk(options)?;
        let mut taken = Taken { options: !options.is_empty(), words: Vec::new() };
        if taken.options && !answer.ok && answer.reason().contains(NO_OPTIONS) {
            taken.options = false;
            answer = talk(&[])?;
        }
        taken.words = answer.words_of_remote();
        let reports = reports(&answer.stdout, updates);
        let now = self.branches_of(&remote, &branches);
        let at = |now: &BTreeMap<String, Option<CommitId>>, update: &Update| {
            now.get(&update.branch).copied().flatten()
        };

        let there = |now: &BTreeMap<String, Option<CommitId>>| {
            updates.iter().all(|update| at(now, update) == Some(update.commit))
        };
        let now = match now {
            Ok(now) if answer.ok || there(&now) => {
                return Ok((PushOutcome::Pushed(pushed(updates, &reports, &now)), taken));
            }
            Ok(now) => now,
            Err(error) if answer.ok => return Err(error),
            Err(_) => return Err(self.failed(&remote, Doing::Push, &answer)),
        };
        // The connection broke, or the user's own hook said no.
        let told = reports.len() == updates.len();
        if !told || reports.values().any(|report| report.reason == NO_REPORT) {
            return Err(self.failed(&remote, Doing::Push, &answer));
        }
        let mut refusals = Vec::new();
        for update in updates {
            let report = reports.get(&update.branch).filter(|report| report.flag == '!');
            let Some(report) = report else { continue };
            let now = at(&now, update);
            let why = self.why(update, report, now, &answer.words_of_remote());
            refusals.push(Refusal { branch: update.branch.clone(), why, now });
        }
        if refusals.is_empty() {
            return Err(self.failed(&remote, Doing::Push, &answer));
        }
        Ok((PushOutcome::Refused(refusals), taken))
    }

    /// Moves branches of a remote at one go, each for itself: one that is refused
    /// stops no other. Answers those that are where they were to be, read back. Each
    /// of the others is to be pushed alone, which says what is wrong.
    pub fn push_each(&self, remote: &str, updates: &[Update]) -> Result<Vec<Pushed>, GitError> {
        let remote = self.remote(Some(remote))?;
        let branches = self.sound(updates)?;
        if updates.is_empty() {
            return Ok(Vec::new());
        }
        let args = arguments(&remote, updates, false, &[]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let answer = self.talk(&remote, Doing::Push, &args)?;
        let now = match self.branches_of(&remote, &branches) {
            Ok(now) => now,
            Err(error) if answer.ok => return Err(error),
            Err(_) => return Err(self.failed(&remote, Doing::Push, &answer)),
        };
        let mut all = pushed(updates, &reports(&answer.stdout, updates), &now);
        all.retain(|one| one.now == Some(one.commit));
        Ok(all)
    }

    /// The branches of updates that can be pushed.
    fn sound<'u>(&self, updates: &'u [Update]) -> Result<Vec<&'u str>, GitError> {
        for update in updates {
            valid(&update.branch)?;
            self.find_commit(&update.commit)?;
        }
        Ok(updates.iter().map(|update| update.branch.as_str()).collect())
    }

    fn why(
        &self,
        update: &Update,
        report: &Report,
        now: Option<CommitId>,
        messages: &[String],
    ) -> Why {
        match report.reason.as_str() {
            "stale info" => return Why::LeaseLost,
            "non-fast-forward" | "fetch first" => return Why::NotFastForward,
            "atomic push failed" | "atomic transaction failed" => return Why::Together,
            _ => {}
        }
        // The server's words for a branch that moved under the push differ from
        // one server to the next; where the branch is now does not.
        let elsewhere = now != Some(update.commit);
        match update.expect {
            Lease::Absent if elsewhere && now.is_some() => Why::LeaseLost,
            Lease::At(expected) if elsewhere && now != Some(expected) => Why::LeaseLost,
            Lease::FastForward if now.is_some_and(|now| !self.is_behind(&now, update)) => {
                Why::NotFastForward
            }
            _ => Why::Rejected { reason: report.reason.clone(), messages: messages.to_vec() },
        }
    }

    /// Whether `now` is known here as an ancestor of the new commit.
    fn is_behind(&self, now: &CommitId, update: &Update) -> bool {
        self.is_ancestor(now, &update.commit).unwrap_or(false)
    }
}

fn arguments(remote: &Remote, updates: &[Update], atomic: bool, options: &[String]) -> Vec<String> {
    let mut args: Vec<String> =
        ["push", "--porcelain", "--no-progress", "--no-follow-tags", "--recurse-submodules=no"]
            .map(str::to_owned)
            .into();
    if atomic {
        args.push("--atomic".into());
    }
    for Update { branch, expect, .. } in updates {
        match expect {
            Lease::Absent => args.push(format!("--force-with-lease=refs/heads/{branch}:")),
            Lease::At(old) => args.push(format!("--force-with-lease=refs/heads/{branch}:{old}")),
            Lease::FastForward => {}
        }
    }
    args.extend(options.iter().map(|option| format!("--push-option={option}")));
    args.extend(["--".into(), remote.name.clone()]);
    for Update { commit, branch, .. } in updates {
        args.push(format!("{commit}:refs/heads/{branch}"));
    }
    args
}

/// The lines `FLAG TAB FROM:TO TAB SUMMARY (REASON)` of `git push --porcelain`. A
/// `pre-push` hook may write to the same stream before them.
fn reports(stdout: &str, updates: &[Update]) -> BTreeMap<String, Report> {
    let mut reports = BTreeMap::new();
    for (pair, report) in stdout.lines().filter_map(report) {
        let ours = |u: &&Update| pair == format!("{}:refs/heads/{}", u.commit, u.branch);
        let Some(update) = updates.iter().find(ours) else { continue };
        reports.insert(update.branch.clone(), report);
    }
    reports
}

/// One such line: what was moved where, and what came of it.
pub(crate) fn report(line: &str) -> Option<(&str, Report)> {
    let mut parts = line.splitn(3, '\t');
    let (flag, pair, summary) = (parts.next()?, parts.next()?, parts.next()?);
    let mut letters = flag.chars();
    let (Some(flag @ (' ' | '+' | '*' | '=' | '-' | '!')), None) = (letters.next(), letters.next())
    else {
        return None;
    };
    let reason = summary.split_once(" (").and_then(|(_, rest)| rest.strip_suffix(')'));
    Some((pair, Report { flag, reason: clean(reason.unwrap_or(summary)) }))
}

fn pushed(
    updates: &[Update],
    reports: &BTreeMap<String, Report>,
    now: &BTreeMap<String, Option<CommitId>>,
) -> Vec<Pushed> {
    let one = |update: &Update| Pushed {
        branch: update.branch.clone(),
        commit: update.commit,
        // Refused and there all the same: somebody else has pushed the very commit.
        moved: reports.get(&update.branch).is_none_or(|report| {
            report.flag != '=' && (report.flag != '!' || report.reason == NO_REPORT)
        }),
        now: now.get(&update.branch).copied().flatten(),
    };
    updates.iter().map(one).collect()
}
