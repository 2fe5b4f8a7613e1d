//! Branches of this clone, for what is not to be pushed.

use std::path::PathBuf;

use crate::remote::valid;
use crate::{CommitId, GitError, Repository};

/// What became of a branch of this clone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a branch that was not moved is not an error"]
pub enum LocalMove {
    /// It is at the commit.
    Done,
    /// It is checked out there, so that moving it would change what a work tree
    /// is compared with.
    CheckedOut(PathBuf),
    /// It is not where it was said to be.
    Elsewhere(Option<CommitId>),
}

impl Repository {
    /// Where a branch of this clone is; `None` where there is none.
    pub fn local_branch(&self, branch: &str) -> Result<Option<CommitId>, GitError> {
        valid(branch)?;
        match self.inner.find_reference(&full(branch)) {
            Ok(reference) => {
                let commit = reference.peel_to_commit();
                let commit = commit
                    .map_err(|error| GitError::object(format!("the branch `{branch}`"), &error))?;
                Ok(Some(CommitId(commit.id())))
            }
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(GitError::object(format!("the branch `{branch}`"), &error)),
        }
    }

    /// Moves a branch of this clone from where it was seen, or makes it where
    /// there was none. A branch that some work tree stands on stays.
    pub fn move_local_branch(
        &self,
        branch: &str,
        from: Option<CommitId>,
        to: &CommitId,
    ) -> Result<LocalMove, GitError> {
        let now = self.local_branch(branch)?;
        if now == Some(*to) {
            return Ok(LocalMove::Done);
        }
        if let Some(folder) = self.checked_out(branch)? {
            return Ok(LocalMove::CheckedOut(folder));
        }
        if now != from {
            return Ok(LocalMove::Elsewhere(now));
        }
        let (name, message) = (full(branch), "kubectl gitops");
        let moved = match from {
            None => self.inner.reference(&name, to.0, false, message),
            Some(from) => self.inner.reference_matching(&name, to.0, true, from.0, message),
        };
        match moved {
            Ok(_) => Ok(LocalMove::Done),
            Err(error) => {
                let now = self.local_branch(branch)?;
                if now != from {
                    return Ok(LocalMove::Elsewhere(now));
                }
                Err(GitError::repository(format!("move the branch `{branch}`"), &error))
            }
        }
    }

    /// The work tree that stands on a branch, be it one without a commit yet.
    fn checked_out(&self, branch: &str) -> Result<Option<PathBuf>, GitError> {
        let answer = self.git(&["worktree", "list", "--porcelain"])?;
        if !answer.ok {
            return Err(GitError::Repository {
                doing: "list the work trees".into(),
                reason: answer.reason(),
            });
        }
        let wanted = format!("branch {}", full(branch));
        let mut folder = None;
        for line in answer.stdout.lines() {
            if let Some(path) = line.strip_prefix("worktree ") {
                folder = Some(PathBuf::from(path));
            } else if line == wanted {
                return Ok(folder);
            }
        }
        Ok(None)
    }
}

fn full(branch: &str) -> String {
    format!("refs/heads/{branch}")
}
