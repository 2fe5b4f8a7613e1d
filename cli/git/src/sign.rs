//! Commits signed as the user signs theirs: by the `git` program, with the key,
//! the format and the programs of its configuration.

use std::time::Duration;

use git2::Oid;

use crate::child::Limit;
use crate::program::Run;
use crate::{CommitId, GitError, Repository, Signature};

/// A key may want a touch or a passphrase.
const SIGN: Limit = Limit::Whole(Duration::from_secs(120));

impl Repository {
    /// Whether the user wants every commit signed.
    pub(crate) fn signs(&self) -> Result<bool, GitError> {
        let answer = self.git(&["config", "--type=bool", "--get", "commit.gpgSign"])?;
        if answer.ok {
            return Ok(answer.stdout.trim() == "true");
        }
        // Absent is no; what cannot be read may have been a yes.
        match answer.was_silent() {
            true => Ok(false),
            false => Err(GitError::Repository {
                doing: "read `commit.gpgSign`".into(),
                reason: answer.reason(),
            }),
        }
    }

    /// A signed commit, by the plumbing that runs no hook and moves nothing. The
    /// key may ask for its passphrase or a touch, as it does for the user's commits.
    pub(crate) fn commit_signed(
        &self,
        parents: &[CommitId],
        tree: Oid,
        message: &str,
        (author, committer): (&Signature, &Signature),
    ) -> Result<CommitId, GitError> {
        let (authored, committed) = (when(author), when(committer));
        let variables = [
            ("GIT_AUTHOR_NAME", author.who.name.as_str()),
            ("GIT_AUTHOR_EMAIL", &author.who.email),
            ("GIT_AUTHOR_DATE", &authored),
            ("GIT_COMMITTER_NAME", &committer.who.name),
            ("GIT_COMMITTER_EMAIL", &committer.who.email),
            ("GIT_COMMITTER_DATE", &committed),
        ];
        let (parents, tree): (Vec<String>, _) =
            (parents.iter().map(ToString::to_string).collect(), tree.to_string());
        // Else the message is labelled as what it is not.
        let mut args = vec!["-c", "i18n.commitEncoding=UTF-8", "commit-tree", "-S"];
        args.extend(parents.iter().flat_map(|parent| ["-p", parent.as_str()]));
        args.extend(["-F", "-", tree.as_str()]);
        let input = message.as_bytes();
        let (variables, limit) = (&variables[..], SIGN);
        let answer = self.git_run(&Run { args: &args, variables, input, limit, terminal: true })?;
        let commit = CommitId::parse(answer.stdout.trim()).ok().filter(|_| answer.ok);
        if let Some(commit) = commit {
            return Ok(commit);
        }
        let reason = match answer.stopped {
            Some(limit) => format!("`git commit-tree -S` {limit}"),
            None => answer.reason(),
        };
        Err(GitError::NotSigned { format: self.signing_format()?, reason })
    }

    /// What `gpg.format` says.
    fn signing_format(&self) -> Result<String, GitError> {
        let answer = self.git(&["config", "--get", "gpg.format"])?;
        let format = crate::program::clean(answer.stdout.trim());
        Ok(if format.is_empty() { "openpgp".into() } else { format })
    }
}

/// A moment as Git reads it from the environment.
fn when(signature: &Signature) -> String {
    let minutes = signature.when.offset_minutes;
    let sign = if minutes < 0 { '-' } else { '+' };
    let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
    format!("@{} {sign}{hours:02}{minutes:02}", signature.when.seconds)
}
