//! Who makes a commit, and when.

use crate::{GitError, Repository};

/// A moment with the offset it is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Minutes east of Greenwich.
    pub offset_minutes: i32,
}

/// A person or a machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
}

/// Who did something, and when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature {
    /// Who.
    pub who: Identity,
    /// When.
    pub when: Time,
}

impl Identity {
    /// This identity at a moment.
    pub fn at(self, when: Time) -> Signature {
        Signature { who: self, when }
    }
}

impl Signature {
    pub(crate) fn read(signature: &git2::Signature<'_>) -> Signature {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let who =
            Identity { name: text(signature.name_bytes()), email: text(signature.email_bytes()) };
        let when = signature.when();
        who.at(Time { seconds: when.seconds(), offset_minutes: when.offset_minutes() })
    }

    pub(crate) fn write(&self) -> Result<git2::Signature<'static>, GitError> {
        let time = git2::Time::new(self.when.seconds, self.when.offset_minutes);
        git2::Signature::new(&self.who.name, &self.who.email, &time).map_err(|error| {
            let doing = format!("sign as `{} <{}>`", self.who.name, self.who.email);
            GitError::repository(doing, &error)
        })
    }
}

impl Repository {
    /// Who the user is to Git: `GIT_AUTHOR_NAME` and `GIT_AUTHOR_EMAIL`, then
    /// `user.name` and `user.email`. Nothing is guessed from the machine's name.
    pub fn identity(&self) -> Result<Identity, GitError> {
        let answer = self.git(&["-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT"])?;
        // `Name <address> 1700000000 +0100`
        let found = answer.stdout.trim().rsplit_once("> ").and_then(|(who, _)| {
            let (name, email) = who.split_once(" <")?;
            Some(Identity { name: name.to_owned(), email: email.to_owned() })
        });
        match found {
            Some(identity) if answer.ok => Ok(identity),
            _ => Err(GitError::NoIdentity { reason: first_words(&answer.reason()) }),
        }
    }
}

/// Git explains at length how to set a name; the hint says it shorter.
fn first_words(reason: &str) -> String {
    let told = reason.rsplit("; ").next().unwrap_or(reason);
    told.to_owned()
}
