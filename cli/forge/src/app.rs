//! A GitHub App: its key, and the short-lived assertion that it signs.
//!
//! Source: GitHub docs, "Generating a JSON Web Token (JWT) for a GitHub App".

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

use crate::token::{TokenError, github_origin};

/// The variable of the App's number or client id.
const ID: &str = "GITHUB_APP_ID";
/// The variable of its key: the PEM text itself, or the file that holds it.
const KEY: &str = "GITHUB_APP_PRIVATE_KEY";
/// The variable of the installation, where it is not to be looked up.
const INSTALLATION: &str = "GITHUB_APP_INSTALLATION_ID";

/// How long before now an assertion begins, for a clock that is ahead.
const BACK: i64 = 60;
/// How long after now it ends; GitHub takes ten minutes at most.
const AHEAD: i64 = 540;

/// A GitHub App that acts for itself.
#[derive(Clone)]
pub struct App {
    /// The server it is for, without a slash at the end: `https://github.com`.
    pub origin: String,
    /// Its number, or its client id.
    pub id: String,
    /// The installation, where one was named.
    pub installation: Option<u64>,
    key: Arc<RsaKeyPair>,
}

/// Says who it is, and nothing of its key.
impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("origin", &self.origin)
            .field("id", &self.id)
            .field("installation", &self.installation)
            .finish_non_exhaustive()
    }
}

/// An App that cannot be used as it was set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppError {
    /// One of the two variables alone.
    #[error("{set} is set and {missing} is not: an App needs both")]
    Half {
        /// The one that is there.
        set: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// An id that no App has.
    #[error(
        "the value of GITHUB_APP_ID is neither the number of an App nor its client id: `{value}`"
    )]
    NotAnId {
        /// What it is.
        value: String,
    },
    /// An installation that is no number.
    #[error("the value of GITHUB_APP_INSTALLATION_ID is not a number: `{value}`")]
    NotAnInstallation {
        /// What it is.
        value: String,
    },
    /// The file of the key cannot be read.
    #[error(
        "GITHUB_APP_PRIVATE_KEY names the file {path}, which cannot be read: {reason}; \
         the variable may also hold the key itself, with its BEGIN and END lines"
    )]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// What is there is not an RSA key.
    #[error("the value of GITHUB_APP_PRIVATE_KEY is not the private key of an App: {reason}")]
    NotAKey {
        /// Why.
        reason: String,
    },
    /// The server that it is for cannot be told.
    #[error(transparent)]
    Server(#[from] TokenError),
}

impl App {
    /// The App that the variables describe; `None` where neither of the two is
    /// set. `read` reads the file that a key's variable names.
    pub fn found(
        variable: &dyn Fn(&str) -> Option<String>,
        read: &dyn Fn(&str) -> std::io::Result<String>,
    ) -> Result<Option<App>, AppError> {
        let set = |name| {
            let value: Option<String> = variable(name);
            value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let (id, key) = match (set(ID), set(KEY)) {
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(AppError::Half { set: ID, missing: KEY }),
            (None, Some(_)) => return Err(AppError::Half { set: KEY, missing: ID }),
            (Some(id), Some(key)) => (id, key),
        };
        // Without a server there is nobody whom it is for: `http` elsewhere than here.
        let Some(origin) = github_origin(variable)? else { return Ok(None) };
        let installation = match set(INSTALLATION) {
            None => None,
            Some(value) => match value.parse() {
                Ok(number) => Some(number),
                Err(_) => return Err(AppError::NotAnInstallation { value }),
            },
        };
        let key = match key.contains("-----BEGIN") {
            true => key,
            false => read(&key)
                .map_err(|error| AppError::File { path: key, reason: error.to_string() })?,
        };
        App::new(origin, id, &key, installation).map(Some)
    }

    /// An App with its key as PEM, PKCS#1 (as GitHub hands it out) or PKCS#8.
    pub fn new(
        origin: String,
        id: String,
        pem: &str,
        installation: Option<u64>,
    ) -> Result<App, AppError> {
        if id.is_empty()
            || !id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '.')
        {
            return Err(AppError::NotAnId { value: id });
        }
        let key = Arc::new(key(pem)?);
        Ok(App { origin, id, installation, key })
    }

    /// What the App signs to be known by, good from a minute before `now` to nine
    /// minutes after it.
    pub(crate) fn assertion(&self, now: Timestamp) -> String {
        // A number is sent as one; a client id is a text.
        let issuer = match self.id.parse::<u64>() {
            Ok(number) => serde_json::json!(number),
            Err(_) => serde_json::json!(self.id),
        };
        let now = now.as_second();
        let claims = serde_json::json!({"iat": now - BACK, "exp": now + AHEAD, "iss": issuer});
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
        let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .expect("the signature has the length of the key, and the system has random bytes");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn key(pem: &str) -> Result<RsaKeyPair, AppError> {
    let not = |reason: &str| AppError::NotAKey { reason: reason.to_owned() };
    // Where a secret can hold no line breaks, they are written out.
    let pem = pem.replace("\\n", "\n");
    let begin = pem.find("-----BEGIN ").ok_or_else(|| not("it has no BEGIN line"))?;
    let (label, rest) = pem[begin + "-----BEGIN ".len()..]
        .split_once("-----")
        .ok_or_else(|| not("its BEGIN line is cut"))?;
    let end = format!("-----END {label}-----");
    let (body, _) = rest.split_once(&end).ok_or_else(|| not("it has no END line"))?;
    if label == "ENCRYPTED PRIVATE KEY" || body.contains("ENCRYPTED") {
        return Err(not("it has a passphrase"));
    }
    let body: String = body.split_whitespace().collect();
    let der = STANDARD.decode(body).map_err(|_| not("it is not base64"))?;
    match label {
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der),
        "PRIVATE KEY" => RsaKeyPair::from_pkcs8(&der),
        _ => return Err(not(&format!("it is a `{label}`"))),
    }
    .map_err(|rejected| not(&format!("it is no RSA key of 2048 to 4096 bits ({rejected})")))
}

#[cfg(test)]
mod tests;
