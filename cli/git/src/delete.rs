//! A branch of a remote taken away under a lease, and looked for again.

use crate::network::Doing;
use crate::push::{NO_REPORT, Refusal, Why, report};
use crate::remote::valid;
use crate::{CommitId, GitError, Repository};

/// What became of a branch that was to go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a refused deletion is not an error"]
pub enum Deletion {
    /// The remote has no such branch.
    Gone {
        /// Whether this call took it away; otherwise it was gone already.
        deleted: bool,
    },
    /// It stays, for this reason.
    Refused(Refusal),
}

impl Repository {
    /// Takes a branch of a remote away while it is at `expected`, and looks
    /// whether it is gone. There is no way to delete it wherever it is.
    ///
    /// Deleting again changes nothing and succeeds. When the connection breaks
    /// after the effect, the effect is found by looking.
    pub fn delete_branch(
        &self,
        remote: &str,
        branch: &str,
        expected: &CommitId,
    ) -> Result<Deletion, GitError> {
        valid(branch)?;
        let remote = self.remote(Some(remote))?;
        let at = || -> Result<Option<CommitId>, GitError> {
            Ok(self.branches_of(&remote, &[branch])?.remove(branch).flatten())
        };
        let refused =
            |why, now| Ok(Deletion::Refused(Refusal { branch: branch.to_owned(), why, now }));
        match at()? {
            None => return Ok(Deletion::Gone { deleted: false }),
            Some(now) if now != *expected => return refused(Why::LeaseLost, Some(now)),
            Some(_) => {}
        }
        let lease = format!("--force-with-lease=refs/heads/{branch}:{expected}");
        let pair = format!(":refs/heads/{branch}");
        let args = [
            "push",
            "--porcelain",
            "--no-progress",
            "--no-follow-tags",
            "--recurse-submodules=no",
            &lease,
            "--",
            &remote.name,
            &pair,
        ];
        let answer = self.talk(&remote, Doing::Push, &args)?;
        let now = match at() {
            Ok(None) => return Ok(Deletion::Gone { deleted: true }),
            Ok(Some(now)) => now,
            Err(error) if answer.ok => return Err(error),
            Err(_) => return Err(self.failed(&remote, Doing::Push, &answer)),
        };
        if now != *expected {
            return refused(Why::LeaseLost, Some(now));
        }
        let told = answer.stdout.lines().filter_map(report).find(|(told, _)| *told == pair);
        match told {
            Some((_, report)) if report.flag == '!' && report.reason != NO_REPORT => {
                let messages = answer.words_of_remote();
                refused(Why::Rejected { reason: report.reason, messages }, Some(now))
            }
            _ => Err(self.failed(&remote, Doing::Push, &answer)),
        }
    }
}
