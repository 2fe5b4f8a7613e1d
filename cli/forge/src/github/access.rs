//! Where GitHub's APIs stand, and the tokens of an App's installation.

use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use url::Url;

use super::line::headers;
use super::moment::Moment;
use crate::http::{Access, Ask, Clock, Http};
use crate::percent::encode;
use crate::{ApiError, App, Forge, Settings};

/// How long before its end a token is not used any more.
const MARGIN: i64 = 60;

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

/// The installation of an App on a repository, and its token of the hour.
pub(super) struct Installation {
    app: App,
    http: Http,
    owner: String,
    repository: String,
    now: Clock,
    issued: Mutex<Option<Issued>>,
}

/// A token as it was given.
pub(super) struct Issued {
    serial: u64,
    installation: u64,
    expires: Timestamp,
    secret: String,
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

impl Installation {
    /// The installation of an App on a repository; nothing is sent yet.
    pub(super) fn new(
        forge: &Forge,
        app: &App,
        base: &str,
        settings: &Settings,
    ) -> Result<Installation, ApiError> {
        let http = Http::new(Access {
            base,
            repository: format!("{}/{}", forge.owner, forge.repository),
            authorization: "Bearer none".to_owned(),
            token: "GITHUB_APP_PRIVATE_KEY".to_owned(),
            signed: true,
            headers: headers(),
            user_agent: &settings.user_agent,
            patience: settings.patience,
            pace: settings.pace.clone(),
            now: settings.now.clone(),
        })?;
        Ok(Installation {
            app: app.clone(),
            http,
            owner: forge.owner.clone(),
            repository: forge.repository.clone(),
            now: settings.now.clone(),
            issued: Mutex::new(None),
        })
    }

    /// The client of the App's own calls.
    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    /// Sees to it that `http` carries a token that is good for a while, and other
    /// than the one that was `refused`. Answers which one it is.
    pub(super) async fn token(&self, http: &Http, refused: Option<u64>) -> Result<u64, ApiError> {
        let mut issued = self.issued.lock().await;
        let good = |one: &&Issued| {
            let left = one.expires.as_second() - (self.now)().as_second();
            left > MARGIN && refused != Some(one.serial)
        };
        if let Some(one) = issued.as_ref().filter(good) {
            return Ok(one.serial);
        }
        let fresh = self.exchange(issued.as_ref()).await?;
        http.authorize(&format!("Bearer {}", fresh.secret))?;
        let serial = fresh.serial;
        *issued = Some(fresh);
        Ok(serial)
    }

    /// A fresh token, for Git.
    pub(super) async fn secret(&self) -> Result<String, ApiError> {
        let mut issued = self.issued.lock().await;
        let fresh = self.exchange(issued.as_ref()).await?;
        let secret = fresh.secret.clone();
        *issued = Some(fresh);
        Ok(secret)
    }

    /// Source: GitHub docs, "Authenticating as a GitHub App installation".
    async fn exchange(&self, before: Option<&Issued>) -> Result<Issued, ApiError> {
        self.http.authorize(&format!("Bearer {}", self.app.assertion((self.now)())))?;
        let known = before.map(|one| one.installation).or(self.app.installation);
        let installation = match known {
            Some(number) => number,
            None => self.find().await?,
        };
        let what = format!("the installation {installation} of the App {}", self.app.id);
        let ask = Ask {
            method: Method::POST,
            template: "/app/installations/{installation_id}/access_tokens",
            path: format!("/app/installations/{installation}/access_tokens"),
            query: Vec::new(),
            // For this repository alone, whatever else the App may do.
            body: Some(json!({"repositories": [self.repository]})),
            attempt: "get a token for the App",
            what: &what,
        };
        // Sent twice it leaves two tokens, of which one is never used.
        let given: Given = match self.http.get(&ask).await {
            Err(ApiError::Unanswered { .. }) => self.http.get(&ask).await?,
            answer => answer?,
        };
        Ok(Issued {
            serial: before.map_or(0, |one| one.serial + 1),
            installation,
            expires: given.expires_at.0,
            secret: given.token,
        })
    }

    async fn find(&self) -> Result<u64, ApiError> {
        let what = format!(
            "an installation of the App {} on {}/{}",
            self.app.id, self.owner, self.repository
        );
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
            what: &what,
        };
        Ok(self.http.get::<Found>(&ask).await?.id)
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
