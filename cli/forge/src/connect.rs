//! The API of the forge behind a remote.

use jiff::Timestamp;
use url::Url;

use crate::gitea::Gitea;
use crate::github::{GitHub, Who};
use crate::http::{Clock, Pace, Patience};
use crate::{Api, ApiError, Forge, ForgeToken, Installation, Kind};

/// How a forge is asked.
#[derive(Clone)]
pub struct Settings {
    /// What the program calls itself: `kubectl-gitops/0.1.0`.
    pub user_agent: String,
    /// How long one waits, and how often one asks again.
    pub patience: Patience,
    /// How fast the server is asked; one for all repositories of a server.
    pub pace: Pace,
    /// Says what time it is.
    pub now: Clock,
    /// Where the REST API of a GitHub stands, without a slash at the end, where that
    /// is not told by its web pages.
    pub api: Option<String>,
}

impl Settings {
    /// The usual patience.
    pub fn new(
        user_agent: impl Into<String>,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Settings {
        Settings {
            user_agent: user_agent.into(),
            patience: Patience::default(),
            pace: Pace::default(),
            now: std::sync::Arc::new(now),
            api: None,
        }
    }
}

/// The API of a repository's forge. Nothing is sent yet. The token must be for the
/// forge's own server.
pub fn connect(
    forge: &Forge,
    token: &ForgeToken,
    settings: &Settings,
) -> Result<Box<dyn Api>, ApiError> {
    for_its_server(forge, &token.origin, token.variable)?;
    match forge.kind {
        Kind::Gitea | Kind::Forgejo => Ok(Box::new(Gitea::new(forge, token, settings)?)),
        Kind::GitHub => Ok(Box::new(GitHub::new(forge, Who::Token(token), settings)?)),
        Kind::GitLab | Kind::Unknown => {
            Err(ApiError::NoApi { server: forge.web.clone(), kind: forge.kind })
        }
    }
}

/// The same for a GitHub App, which acts as its installation on the repository.
/// Its tokens are got when they are needed, and renewed.
pub fn connect_app(
    forge: &Forge,
    installation: &Installation,
    settings: &Settings,
) -> Result<Box<dyn Api>, ApiError> {
    Ok(Box::new(GitHub::new(forge, Who::App(installation), settings)?))
}

/// A secret is shown to the one server that it is for.
pub(crate) fn for_its_server(forge: &Forge, meant: &str, variable: &str) -> Result<(), ApiError> {
    let unusable = |reason: String| ApiError::Unusable { server: forge.web.clone(), reason };
    let web = Url::parse(&forge.web).map_err(|error| unusable(error.to_string()))?;
    match web.origin().ascii_serialization() == meant {
        true => Ok(()),
        false => Err(unusable(format!("the token of {variable} is for {meant}"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_is_sent_to_its_own_server_alone() {
        let settings = Settings::new("tests", || Timestamp::UNIX_EPOCH);
        let connected = |web: &str, kind, origin: &str| {
            let forge = crate::identify("https://git.example/acme/apps").unwrap();
            let forge = forge.configured(Some(kind), Some(web)).unwrap();
            let secret = "s3cret".to_owned();
            let (user, variable) = ("x", "GITEA_TOKEN");
            let token = ForgeToken { origin: origin.into(), user, variable, secret };
            connect(&forge, &token, &settings).map(|api| api.kind()).map_err(|e| e.to_string())
        };
        let own = "https://git.example";
        assert_eq!(connected("https://git.example/below", Kind::Forgejo, own), Ok(Kind::Forgejo));
        for (web, kind, expected) in [
            (
                "https://git.example:8443",
                Kind::Gitea,
                "the token of GITEA_TOKEN is for https://git",
            ),
            ("http://git.example", Kind::Gitea, "the token of GITEA_TOKEN is for https://git"),
            ("https://git.example", Kind::Unknown, "the API of https://git.example is not known"),
        ] {
            let error = connected(web, kind, own).unwrap_err();
            assert!(error.contains(expected) && !error.contains("s3cret"), "{error}");
        }
    }
}
