//! What the fake knows: users, tokens, repositories and what is in them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::git::Bare;

/// How much of something one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Look at it.
    Read,
    /// Change it.
    Write,
    /// Change its rules.
    Admin,
}

/// What a token is.
#[derive(Clone, Debug)]
pub(super) enum Grant {
    /// A classic token with scopes.
    Classic(Vec<&'static str>),
    /// A fine-grained token with permissions.
    Fine(BTreeMap<&'static str, Level>),
    /// An installation's, for some repositories, until a moment.
    Installation {
        /// The permissions of the App.
        permissions: BTreeMap<&'static str, Level>,
        /// The repositories' names.
        repositories: Vec<String>,
        /// The moment.
        expires: Timestamp,
    },
}

/// A token.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// Whose it is.
    pub(super) login: String,
    /// What it may.
    pub(super) grant: Grant,
}

/// An App with its installation on the organisation.
#[derive(Clone, Debug)]
pub(super) struct Application {
    /// Its number.
    pub(super) id: u64,
    /// The number of the installation.
    pub(super) installation: u64,
    /// Modulus and exponent of its public key.
    pub(super) key: (Vec<u8>, Vec<u8>),
    /// What the installation may.
    pub(super) permissions: BTreeMap<&'static str, Level>,
    /// The repositories that it is for; all where there are none.
    pub(super) repositories: Option<BTreeSet<String>>,
}

/// A pull request.
#[derive(Clone, Debug)]
pub(super) struct Pull {
    pub(super) number: u64,
    pub(super) title: String,
    pub(super) body: Option<String>,
    pub(super) author: String,
    /// The repository of the head.
    pub(super) from: (String, String),
    pub(super) head: String,
    /// The newest commit of the head while it is open, the last one after.
    pub(super) sha: String,
    pub(super) base: String,
    pub(super) open: bool,
    pub(super) merged: Option<Merge>,
    pub(super) closed_at: Option<Timestamp>,
    pub(super) created: Timestamp,
    pub(super) labels: BTreeSet<String>,
    pub(super) reviewers: BTreeSet<String>,
    pub(super) teams: BTreeSet<String>,
    pub(super) reviews: Vec<Review>,
    pub(super) auto_merge: Option<AutoMerge>,
    pub(super) queued: bool,
}

/// How it was merged.
#[derive(Clone, Debug)]
pub(super) struct Merge {
    pub(super) commit: String,
    pub(super) by: String,
    pub(super) at: Timestamp,
}

/// A merge that waits.
#[derive(Clone, Debug)]
pub(super) struct AutoMerge {
    pub(super) by: String,
    pub(super) method: String,
    pub(super) title: String,
    pub(super) message: String,
}

/// A review.
#[derive(Clone, Debug)]
pub(super) struct Review {
    pub(super) id: u64,
    pub(super) user: String,
    pub(super) state: &'static str,
    pub(super) body: String,
    pub(super) commit: String,
    pub(super) at: Timestamp,
}

/// A comment.
#[derive(Clone, Debug)]
pub(super) struct Comment {
    pub(super) id: u64,
    pub(super) number: u64,
    pub(super) user: String,
    pub(super) body: String,
    pub(super) at: Timestamp,
}

/// A commit status, of which there are several a context.
#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) id: u64,
    pub(super) sha: String,
    pub(super) context: String,
    pub(super) state: String,
    pub(super) description: Option<String>,
    pub(super) target_url: Option<String>,
    pub(super) user: String,
    pub(super) at: Timestamp,
}

/// A check run.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) sha: String,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) conclusion: Option<String>,
}

/// What guards a branch.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) contexts: Vec<String>,
    pub(super) approvals: u32,
    pub(super) no_push: bool,
    /// Whether approvals of older commits are dismissed by a push.
    pub(super) dismiss_stale: bool,
    /// Whether merges go through a queue.
    pub(super) queue: bool,
    /// Whether they are a ruleset and no classic protection.
    pub(super) ruleset: bool,
    /// Whether only administrators see them (what `refUpdateRule` does not show).
    pub(super) hidden: bool,
}

/// A repository.
#[derive(Clone, Debug)]
pub(super) struct Repository {
    pub(super) id: u64,
    pub(super) owner: String,
    pub(super) name: String,
    /// Where it was found before.
    pub(super) former: Vec<String>,
    pub(super) git: Bare,
    pub(super) archived: bool,
    pub(super) roles: BTreeMap<String, Level>,
    pub(super) labels: BTreeSet<String>,
    pub(super) pulls: BTreeMap<u64, Pull>,
    pub(super) comments: BTreeMap<u64, Comment>,
    pub(super) statuses: Vec<Status>,
    pub(super) checks: Vec<Check>,
    pub(super) rules: BTreeMap<String, Rules>,
    pub(super) auto_merge: bool,
    pub(super) squash: bool,
    pub(super) fork: bool,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) users: BTreeMap<String, (u64, &'static str)>,
    pub(super) tokens: BTreeMap<String, Token>,
    pub(super) applications: Vec<Application>,
    pub(super) teams: BTreeMap<String, BTreeSet<String>>,
    pub(super) repositories: Vec<Repository>,
    /// Numbers of users, repositories, comments, reviews, statuses.
    pub(super) last: u64,
    /// By how much the fake's clock is ahead of ours.
    pub(super) ahead: SignedDuration,
    /// Whose base somebody else pushes to while the next merge is made.
    pub(super) base_moves: BTreeSet<u64>,
}

impl World {
    /// A number that nothing else has.
    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// What time it is there.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now().checked_add(self.ahead).unwrap_or(Timestamp::MAX)
    }

    /// The place of a repository, by today's name.
    pub(super) fn find(&self, owner: &str, name: &str) -> Option<usize> {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        self.repositories.iter().position(|r| same(&r.owner, owner) && same(&r.name, name))
    }

    /// The place of the one that had this name before.
    pub(super) fn find_former(&self, owner: &str, name: &str) -> Option<usize> {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        self.repositories
            .iter()
            .position(|r| same(&r.owner, owner) && r.former.iter().any(|old| same(old, name)))
    }

    /// Who commits by this mail address, as GitHub knows its users.
    pub(super) fn login_of(&self, mail: &str) -> Option<String> {
        let login = mail.strip_suffix("@example.test")?;
        self.users.contains_key(login).then(|| login.to_owned())
    }

    /// Brings the requests of a repository to where its branches are.
    pub(super) fn sync(&mut self, place: usize) {
        let now = self.now();
        let heads: Vec<(u64, Option<String>)> = self.repositories[place]
            .pulls
            .values()
            .filter(|pull| pull.open)
            .map(|pull| {
                let from = self.find(&pull.from.0, &pull.from.1);
                (pull.number, from.and_then(|at| self.repositories[at].git.branch(&pull.head)))
            })
            .collect();
        let repository = &mut self.repositories[place];
        for (number, head) in heads {
            let Some(pull) = repository.pulls.get_mut(&number) else { continue };
            let Some(head) = head else {
                // GitHub closes a request whose branch is taken away.
                pull.open = false;
                pull.closed_at = Some(now);
                continue;
            };
            if head != pull.sha {
                pull.sha = head.clone();
                let rules = repository.rules.get(&pull.base).cloned().unwrap_or_default();
                // GitHub docs, "Approving a pull request with required reviews":
                // stale approvals are dismissed where the branch says so.
                for review in pull.reviews.iter_mut().filter(|_| rules.dismiss_stale) {
                    if review.state == "APPROVED" {
                        review.state = "DISMISSED";
                    }
                }
            }
            // GitHub docs, "About pull request merges", "Indirect merges": whose head
            // the base has is merged.
            let Some(base) = repository.git.branch(&pull.base) else { continue };
            if repository.git.contains(&pull.sha, &base) {
                pull.open = false;
                pull.closed_at = Some(now);
                pull.merged =
                    Some(Merge { commit: pull.sha.clone(), by: pull.author.clone(), at: now });
            }
        }
    }
}

impl Repository {
    /// `acme/apps`.
    pub(super) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The rules of a branch, by its name or a pattern with one star at its end.
    pub(super) fn rules_of(&self, branch: &str) -> Option<&Rules> {
        self.rules.iter().find_map(|(pattern, rules)| {
            let meets = match pattern.strip_suffix('*') {
                Some(start) => branch.starts_with(start),
                None => pattern == branch,
            };
            meets.then_some(rules)
        })
    }

    /// The newest status of each context of a commit.
    pub(super) fn newest(&self, sha: &str) -> Vec<&Status> {
        let mut found: BTreeMap<&str, &Status> = BTreeMap::new();
        for status in self.statuses.iter().filter(|status| status.sha == sha) {
            found.insert(&status.context, status);
        }
        found.into_values().collect()
    }

    /// How a required context of a commit stands: `expected`, `pending`, `failing`
    /// or `None` where it has passed.
    pub(super) fn lacks(&self, sha: &str, context: &str) -> Option<&'static str> {
        let status = self.newest(sha).into_iter().find(|status| status.context == context);
        let check = self.checks.iter().rfind(|check| check.sha == sha && check.name == context);
        let words = status.map(|status| status.state.as_str());
        let passed = ["success", "neutral", "skipped"];
        let check = check.map(|check| check.conclusion.as_deref().unwrap_or("pending"));
        match words.or(check) {
            None => Some("expected"),
            Some(word) if passed.contains(&word) => None,
            Some("pending") => Some("pending"),
            Some(_) => Some("failing"),
        }
    }

    /// Why a request may not be merged yet, in GitHub's words.
    pub(super) fn blocked(&self, pull: &Pull) -> Option<String> {
        let rules = self.rules_of(&pull.base)?;
        for context in &rules.contexts {
            match self.lacks(&pull.sha, context) {
                None => {}
                Some("failing") => {
                    return Some(format!("Required status check \"{context}\" is failing."));
                }
                Some(word) => {
                    return Some(format!("Required status check \"{context}\" is {word}."));
                }
            }
        }
        // The newest review of each who may write, comments aside.
        let mut newest: BTreeMap<&str, &str> = BTreeMap::new();
        for review in pull.reviews.iter().filter(|review| review.state != "COMMENTED") {
            if self.roles.get(&review.user).is_some_and(|role| *role >= Level::Write) {
                newest.insert(&review.user, review.state);
            }
        }
        let approvals = newest.values().filter(|state| **state == "APPROVED").count();
        if approvals < rules.approvals as usize {
            return Some(format!(
                "At least {} approving review{} required by reviewers with write access.",
                rules.approvals,
                if rules.approvals == 1 { " is" } else { "s are" },
            ));
        }
        if rules.approvals > 0 && newest.values().any(|state| *state == "CHANGES_REQUESTED") {
            return Some("Changes have been requested.".to_owned());
        }
        None
    }
}
