//! What can go wrong between here and a forge.

use jiff::Timestamp;

use crate::{Kind, TokenSource};

/// A call that did not do what it was for. None of them holds a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The forge knows nobody by this token.
    #[error("{server} does not accept the token of {token}: {message}")]
    Unauthorized {
        /// The server.
        server: String,
        /// Where the token came from: `GH_TOKEN`, `git credential`.
        token: TokenSource,
        /// The forge's words.
        message: String,
    },
    /// The token is known, and may not do this.
    #[error("the token of {token} may not {attempt} on {server}: {message}")]
    Forbidden {
        /// The server.
        server: String,
        /// Where the token came from.
        token: TokenSource,
        /// What it may not: `open a pull request`.
        attempt: String,
        /// The permission that the forge asks for, where that is known:
        /// `Pull requests: write`.
        permission: Option<String>,
        /// The forge's words.
        message: String,
    },
    /// It is not there, or the token may not see it: forges do not tell which.
    #[error("{what} is not there on {server}, or the token of {token} may not see it")]
    Missing {
        /// The server.
        server: String,
        /// Where the token came from.
        token: TokenSource,
        /// What was asked for: `the repository acme/apps`.
        what: String,
    },
    /// An App that acts for nobody there.
    #[error("{app} is not installed on {repository}, as far as {server} tells{}",
        .installation.map(|it| format!(" (installation {it}, GITHUB_APP_INSTALLATION_ID)"))
            .unwrap_or_default())]
    NotInstalled {
        /// The server.
        server: String,
        /// The App.
        app: TokenSource,
        /// The repository.
        repository: String,
        /// The installation, where one was named.
        installation: Option<u64>,
    },
    /// The repository has another address now.
    #[error("{repository} has moved to {to}")]
    Moved {
        /// The repository.
        repository: String,
        /// Where it is now, as far as the forge tells.
        to: String,
    },
    /// The repository takes no changes any more.
    #[error("{repository} is archived")]
    Archived {
        /// The repository.
        repository: String,
    },
    /// Too many calls; nothing happened.
    #[error("{server} asks to wait{}", .until.map(|until| format!(" until {until}")).unwrap_or_default())]
    Limited {
        /// The server.
        server: String,
        /// Until when, where it says.
        until: Option<Timestamp>,
    },
    /// No answer that says whether it took effect: a lost connection, an answer
    /// that was cut, a 5xx of something in between.
    #[error("{server} did not answer whether it could {attempt}: {reason}")]
    Unanswered {
        /// The server.
        server: String,
        /// What was asked.
        attempt: String,
        /// What came instead.
        reason: String,
    },
    /// An answer that is none of this forge's: HTML of a login page or proxy.
    #[error("{server} answered {attempt} with something that is not its API: {reason}")]
    NotTheApi {
        /// The server.
        server: String,
        /// What was asked.
        attempt: String,
        /// What it looks like: `200, text/html`.
        reason: String,
    },
    /// Nothing can be asked with what was given: an address that is none, a token
    /// that is for another server.
    #[error("{server} cannot be asked: {reason}")]
    Unusable {
        /// The server.
        server: String,
        /// Why.
        reason: String,
    },
    /// This forge's API is not spoken.
    #[error(
        "the API of {server} is not known ({kind}): `forge: {{kind: …}}` in gitops.yaml names it, github, gitea or forgejo"
    )]
    NoApi {
        /// The server.
        server: String,
        /// What it is, as far as that is known.
        kind: Kind,
    },
    /// The clocks differ by more than an app's token allows.
    #[error("the clock of this machine differs from that of {server} by {seconds} s")]
    Clock {
        /// The server.
        server: String,
        /// By how much ours is ahead.
        seconds: i64,
    },
    /// The forge understood, and will not.
    #[error("{server} refused to {attempt}: {message} ({status})")]
    Refused {
        /// The server.
        server: String,
        /// What was asked.
        attempt: String,
        /// The HTTP status.
        status: u16,
        /// The forge's words.
        message: String,
    },
}
