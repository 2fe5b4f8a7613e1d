//! Where GitHub's APIs stand, and the tokens of an App's installation.

use std::sync::Arc;

use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use url::Url;

use super::line::headers;
use super::moment::Moment;
use crate::connect::for_its_server;
use crate::http::{Access, Ask, Clock, Http};
use crate::percent::encode;
use crate::{ApiError, App, Forge, ForgeToken, Kind, Settings, TokenSource};

/// How many seconds before its end a token is not used any more for a call.
const MARGIN: i64 = 60;

/// The same for Git: a push may take ten minutes.
const GIT_MARGIN: i64 = 900;

/// Where the REST API of a server stands, without a slash at the end.
///
/// Sources: GitHub docs, "Getting started with the REST API" of GitHub.com, of
/// Enterprise Cloud with data residency (`api.SUBDOMAIN.ghe.com`) and of
/// Enterprise Server (`/api/v3`).
pub(super) fn rest(web: &str) -> String {
    let host = Url::parse(web).ok().and_then(|url| url.host_str().map(str::to_owned));
    match host.as_deref() {
        Some(host) if host == "github.com" || host.ends_with(".ghe.com") => {
            format!("https://api.{host}")
        }
        _ => format!("{web}/api/v3"),
    }
}

/// The path of the GraphQL API as seen from the REST API: beside it, or on a
/// server of one's own one step up (`/api/graphql`).
pub(super) fn graphql(rest: &str) -> &'static str {
    if rest.ends_with("/api/v3") { "/../graphql" } else { "/graphql" }
}

/// The installation of an App on a repository, and its token of the hour: one for
/// all who act for the App there.
#[derive(Clone)]
pub struct Installation(Arc<Inner>);

struct Inner {
    app: App,
    http: Http,
    owner: String,
    repository: String,
    now: Clock,
    issued: Mutex<Option<Issued>>,
}

/// A token as it was given.
#[derive(Clone)]
pub(super) struct Issued {
    /// Which one it is, of those that were given.
    pub(super) serial: u64,
    pub(super) secret: String,
    installation: u64,
    expires: Timestamp,
}

#[derive(Deserialize)]
struct Found {
    id: u64,
}

#[derive(Deserialize)]
struct Given {
    token: String,
    expires_at: Moment,
}

/// Says whose it is, and nothing of its tokens.
impl std::fmt::Debug for Installation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Installation").field("app", &self.0.app).finish_non_exhaustive()
    }
}

impl Installation {
    /// That of an App on a repository of its own server; nothing is sent yet.
    pub fn new(forge: &Forge, app: &App, settings: &Settings) -> Result<Installation, ApiError> {
        for_its_server(forge, &app.origin, "GITHUB_APP_ID")?;
        if forge.kind != Kind::GitHub {
            return Err(ApiError::NoApi { server: forge.web.clone(), kind: forge.kind });
        }
        let base = settings.api.clone().unwrap_or_else(|| rest(&forge.web));
        let http = Http::new(Access {
            base: &base,
            repository: format!("{}/{}", forge.owner, forge.repository),
            authorization: "Bearer none".to_owned(),
            token: TokenSource::App(app.id.clone()),
            signed: true,
            headers: headers(),
            user_agent: &settings.user_agent,
            patience: settings.patience,
            pace: settings.pace.clone(),
            now: settings.now.clone(),
        })?;
        Ok(Installation(Arc::new(Inner {
            app: app.clone(),
            http,
            owner: forge.owner.clone(),
            repository: forge.repository.clone(),
            now: settings.now.clone(),
            issued: Mutex::new(None),
        })))
    }

    /// Whose tokens they are, as it is told.
    pub(super) fn source(&self) -> TokenSource {
        TokenSource::App(self.0.app.id.clone())
    }

    /// The client of the App's own calls.
    pub(super) fn http(&self) -> &Http {
        &self.0.http
    }

    /// A token as Git takes one, good for as long as a push may take.
    pub async fn token(&self) -> Result<ForgeToken, ApiError> {
        let issued = self.0.good_for(GIT_MARGIN, None).await?;
        Ok(ForgeToken {
            origin: self.0.app.origin.clone(),
            user: "x-access-token",
            variable: "GITHUB_APP_PRIVATE_KEY",
            secret: issued.secret,
        })
    }

    /// A token that is good for a while, and other than the one that was `refused`.
    pub(super) async fn issued(&self, refused: Option<u64>) -> Result<Issued, ApiError> {
        self.0.good_for(MARGIN, refused).await
    }
}

impl Inner {
    async fn good_for(&self, margin: i64, refused: Option<u64>) -> Result<Issued, ApiError> {
        let mut issued = self.issued.lock().await;
        let good = |one: &&Issued| {
            let left = one.expires.as_second() - (self.now)().as_second();
            left > margin && refused != Some(one.serial)
        };
        if let Some(one) = issued.as_ref().filter(good) {
            return Ok(one.clone());
        }
        let fresh = self.exchange(issued.as_ref()).await?;
        *issued = Some(fresh.clone());
        Ok(fresh)
    }

    /// Source: GitHub docs, "Authenticating as a GitHub App installation".
    async fn exchange(&self, before: Option<&Issued>) -> Result<Issued, ApiError> {
        self.http.authorize(&format!("Bearer {}", self.app.assertion((self.now)())))?;
        let known = before.map(|one| one.installation).or(self.app.installation);
        let installation = match known {
            Some(number) => number,
            None => self.find().await?,
        };
        let ask = Ask {
            method: Method::POST,
            template: "/app/installations/{installation_id}/access_tokens",
            path: format!("/app/installations/{installation}/access_tokens"),
            query: Vec::new(),
            // For this repository alone, whatever else the App may do.
            body: Some(json!({"repositories": [self.repository]})),
            attempt: "get a token for the App",
            what: "",
        };
        // Sent twice it leaves two tokens, of which one is never used.
        let given: Result<Given, ApiError> = match self.http.get(&ask).await {
            Err(ApiError::Unanswered { .. }) => self.http.get(&ask).await,
            answer => answer,
        };
        let given = given.map_err(|error| match error {
            // 422: "at least one repository that does not exist or is not accessible".
            ApiError::Missing { .. } | ApiError::Refused { status: 422, .. } => self.not_there(),
            error => error,
        })?;
        Ok(Issued {
            serial: before.map_or(0, |one| one.serial + 1),
            installation,
            expires: given.expires_at.0,
            secret: given.token,
        })
    }

    async fn find(&self) -> Result<u64, ApiError> {
        let ask = Ask {
            method: Method::GET,
            template: "/repos/{owner}/{repo}/installation",
            path: format!(
                "/repos/{}/{}/installation",
                encode(&self.owner, ""),
                encode(&self.repository, "")
            ),
            query: Vec::new(),
            body: None,
            attempt: "find the App's installation",
            what: "",
        };
        match self.http.get::<Found>(&ask).await {
            Err(ApiError::Missing { .. }) => Err(self.not_there()),
            found => Ok(found?.id),
        }
    }

    fn not_there(&self) -> ApiError {
        ApiError::NotInstalled {
            server: self.http.server().to_owned(),
            app: TokenSource::App(self.app.id.clone()),
            repository: format!("{}/{}", self.owner, self.repository),
            installation: self.app.installation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_apis_stand() {
        for (web, base, beside) in [
            ("https://github.com", "https://api.github.com", "/graphql"),
            ("https://acme.ghe.com", "https://api.acme.ghe.com", "/graphql"),
            ("https://git.acme.example", "https://git.acme.example/api/v3", "/../graphql"),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000/api/v3", "/../graphql"),
        ] {
            assert_eq!((rest(web).as_str(), graphql(base)), (base, beside));
        }
    }
}
