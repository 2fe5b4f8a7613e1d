//! What commits say of themselves: the records that this program leaves in
//! messages. They are claims, and count where the trees bear them out.
//!
//! A record is a line `KEY: value` wherever it stands: whoever squashes puts
//! the trailers of what was squashed in the middle.

use gitops_git::{Commit, Repository};

use super::trust::hinted;
use crate::failure::Failure;

/// More commits than this are not looked through for the records of one merge.
const MERGED: usize = 500;

/// What a commit says, and what those say that it merged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    /// Its own message, then theirs, the newest first.
    messages: Vec<String>,
}

impl Said {
    /// Reads the message of a commit, and those of the commits that it merged.
    pub(crate) fn of(repository: &Repository, commit: &Commit) -> Result<Said, Failure> {
        let unread = |error: gitops_git::GitError| hinted("could not read the history", &error);
        let mut messages = vec![commit.message.clone()];
        if let [first, merged @ ..] = commit.parents.as_slice() {
            for tip in merged {
                let meet = repository.merge_base(first, tip).map_err(unread)?;
                for commit in repository.first_parent(tip, &[]).take(MERGED) {
                    let commit = commit.map_err(unread)?;
                    if Some(commit.id) == meet {
                        break;
                    }
                    messages.push(commit.message);
                }
            }
        }
        Ok(Said { messages })
    }

    /// What all of them say under a key.
    pub(crate) fn values(&self, key: &str) -> Vec<&str> {
        self.messages.iter().flat_map(|message| values(message, key)).collect()
    }

    /// Whether one of them says something under a key.
    pub(crate) fn has(&self, key: &str) -> bool {
        !self.values(key).is_empty()
    }

    /// Whether it takes a promotion back: the newest record is the one of a
    /// rollback. One that an environment's branch brings along with what came
    /// after it was another's.
    pub(crate) fn takes_back(&self) -> bool {
        let has = |message: &&String, key| values(message, key).next().is_some();
        let record = |message: &&String| {
            ["Rolled-Back", "Promoted-From", "Plan-Digest"].iter().any(|key| has(message, key))
        };
        self.messages.iter().find(record).is_some_and(|message| has(&message, "Rolled-Back"))
    }

    /// The commits of an environment that it says were promoted from there.
    /// Both records stand in one message.
    pub(crate) fn promoted_from<'a>(
        &'a self,
        environment: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        self.messages
            .iter()
            .filter(move |message| values(message, "Promoted-From").any(|from| from == environment))
            .flat_map(|message| values(message, "Source-Commit"))
    }
}

/// What lines `KEY: value` of a message say.
fn values<'m>(message: &'m str, key: &str) -> impl Iterator<Item = &'m str> {
    let lines = message.lines().filter_map(|line| line.trim().split_once(':'));
    lines
        .filter(move |(name, _)| name.trim_end().eq_ignore_ascii_case(key))
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(messages: &[&str]) -> Said {
        Said { messages: messages.iter().map(|message| (*message).to_owned()).collect() }
    }

    #[test]
    fn records_stand_anywhere_in_a_message() {
        let squashed =
            said(&["Roll back web (#7)\n\n* Roll back web in prod\n\nRolled-Back: abc\n\
             Plan-Digest: sha256:1\n\n* a word more\n\nCo-authored-by: Ada <ada@example.com>\n"]);
        assert_eq!(squashed.values("rolled-back"), ["abc"]);
        assert!(squashed.has("Plan-Digest") && !squashed.has("Promoted-From"));
        assert!(squashed.takes_back());
        assert!(!said(&["Rolled-Backwards: no\nnot Rolled-Back: no"]).takes_back());
    }

    #[test]
    fn source_commits_belong_to_the_message_that_names_the_environment() {
        let both = said(&[
            "Merge\n",
            "one\n\nPromoted-From: dev\nSource-Commit: a\n",
            "two\n\nPromoted-From: uat\nSource-Commit: b\n",
        ]);
        assert_eq!(both.promoted_from("dev").collect::<Vec<_>>(), ["a"]);
        assert_eq!(both.values("Source-Commit"), ["a", "b"]);
    }

    #[test]
    fn the_newest_record_tells_what_a_merge_is() {
        let back = "Roll back\n\nRolled-Back: abc\nPlan-Digest: sha256:1\n";
        let promotion = "Release\n\nPromoted-From: dev\nPlan-Digest: sha256:2\n";
        assert!(said(&["Merge branch 'x'\n", "typo\n", back, promotion]).takes_back());
        assert!(!said(&["Merge branch 'dev'\n", promotion, back]).takes_back());
        assert!(!said(&["by hand\n"]).takes_back());
    }
}
