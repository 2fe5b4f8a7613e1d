//! What an answer means that is not the one that was hoped for.

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use serde_json::Value;
use url::Url;

use super::patience::{asked_wait, date};
use crate::{ApiError, TokenSource};

/// By how many seconds a clock may be off before a signed token is refused for it.
const CLOCK_ALLOWANCE: i64 = 30;

/// Who asks whom for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking<'a> {
    /// The server, as it is shown.
    pub(crate) server: &'a str,
    /// Where the API starts.
    pub(crate) base: &'a Url,
    /// Where the token came from.
    pub(crate) token: &'a TokenSource,
    /// The repository, as it is shown.
    pub(crate) repository: &'a str,
    /// What is wanted: `open a pull request`.
    pub(crate) attempt: &'a str,
    /// What it is about: `the repository acme/apps`.
    pub(crate) what: &'a str,
    /// Whether the token is signed with a moment of our clock.
    pub(crate) signed: bool,
}

impl Asking<'_> {
    /// The error that an answer stands for whatever was asked; `None` where what it
    /// means depends on the question.
    pub(crate) fn general(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &Value,
        now: Timestamp,
    ) -> Option<ApiError> {
        let said = words(body);
        let server = self.server.to_owned();
        let token = self.token.clone();
        Some(match status.as_u16() {
            300..=399 => self.elsewhere(status, headers),
            401 => {
                let ahead = date(headers).map_or(0, |theirs| now.as_second() - theirs.as_second());
                match self.signed && ahead.abs() > CLOCK_ALLOWANCE {
                    true => ApiError::Clock { server, seconds: ahead },
                    false => ApiError::Unauthorized { server, token, message: said },
                }
            }
            429 => ApiError::Limited { server, until: asked_wait(headers, now) },
            403 if asked_wait(headers, now).is_some() || says_limited(&said) => {
                ApiError::Limited { server, until: asked_wait(headers, now) }
            }
            423 => ApiError::Archived { repository: self.repository.to_owned() },
            403 if said.to_ascii_lowercase().contains("archived") => {
                ApiError::Archived { repository: self.repository.to_owned() }
            }
            403 => ApiError::Forbidden {
                server,
                token,
                attempt: self.attempt.to_owned(),
                permission: permission(headers, &said),
                message: said,
            },
            407 | 511 => self.not_the_api(status.as_u16().to_string()),
            500..=599 => self.unanswered(format!("{}{}", status.as_u16(), told(&said))),
            _ => return None,
        })
    }

    /// An answer that points somewhere else.
    fn elsewhere(&self, status: StatusCode, headers: &HeaderMap) -> ApiError {
        let target = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(target) = target.and_then(|text| self.base.join(text).ok()) else {
            return self.not_the_api(format!("{} to nowhere", status.as_u16()));
        };
        let here = target.origin() == self.base.origin();
        match target.path().strip_prefix(self.base.path()).filter(|_| here).and_then(repository_in)
        {
            Some(to) if !to.eq_ignore_ascii_case(self.repository) => {
                ApiError::Moved { repository: self.repository.to_owned(), to }
            }
            _ => {
                let origin = target.origin().ascii_serialization();
                self.not_the_api(format!("{} to {origin}", status.as_u16()))
            }
        }
    }

    /// It was not said whether it took effect.
    pub(crate) fn unanswered(&self, reason: String) -> ApiError {
        let (server, attempt) = (self.server.to_owned(), self.attempt.to_owned());
        ApiError::Unanswered { server, attempt, reason }
    }

    /// The token may not.
    pub(crate) fn forbidden(&self, permission: Option<String>, message: String) -> ApiError {
        ApiError::Forbidden {
            server: self.server.to_owned(),
            token: self.token.clone(),
            attempt: self.attempt.to_owned(),
            permission,
            message,
        }
    }

    /// It was somebody else who answered.
    pub(crate) fn not_the_api(&self, reason: String) -> ApiError {
        let (server, attempt) = (self.server.to_owned(), self.attempt.to_owned());
        ApiError::NotTheApi { server, attempt, reason }
    }

    /// It is not there, or may not be seen.
    pub(crate) fn missing(&self) -> ApiError {
        let (server, token) = (self.server.to_owned(), self.token.clone());
        ApiError::Missing { server, token, what: self.what.to_owned() }
    }

    /// It was understood, and will not be done.
    pub(crate) fn refused(&self, status: StatusCode, body: &Value) -> ApiError {
        if status == StatusCode::NOT_FOUND {
            return self.missing();
        }
        ApiError::Refused {
            server: self.server.to_owned(),
            attempt: self.attempt.to_owned(),
            status: status.as_u16(),
            message: words(body),
        }
    }
}

/// The forge's words of a refusal: `message`, and what each of `errors` says.
pub(crate) fn words(body: &Value) -> String {
    let mut said = Vec::new();
    said.extend(body.get("message").and_then(Value::as_str));
    for error in body.get("errors").and_then(Value::as_array).into_iter().flatten() {
        said.extend(error.as_str().or_else(|| error.get("message").and_then(Value::as_str)));
    }
    // A server's own text: one line, and no longer than a sentence or two.
    let line = said.join("; ").split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|letter| !letter.is_control()).take(300).collect();
    if line.is_empty() { "no reason given".into() } else { line }
}

/// `: words`, or nothing where there are none.
fn told(words: &str) -> String {
    if words == "no reason given" { String::new() } else { format!(": {words}") }
}

/// Whether an answer is JSON by its own account. One without a type has no body
/// that counts.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
}

/// What an answer looks like that is not JSON: `502, text/html`.
pub(crate) fn looks(status: StatusCode, headers: &HeaderMap) -> String {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or("no content type").trim();
    format!("{}, {}", status.as_u16(), kind.chars().take(60).collect::<String>())
}

/// GitHub's secondary limits come without a header at times.
fn says_limited(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    said.contains("rate limit") || said.contains("abuse detection")
}

/// The permission that is missing: what GitHub says in a header, or what Gitea
/// says in words (`required=[write:repository]`).
fn permission(headers: &HeaderMap, said: &str) -> Option<String> {
    if let Some(found) = crate::github::refusals::permission(headers) {
        return Some(found);
    }
    let (_, rest) = said.split_once("required=[")?;
    rest.split_once(']').map(|(wanted, _)| wanted.to_owned())
}

/// The repository in the path of a call: `/repos/acme/apps/pulls`; GitHub names one
/// that moved by its number, `/repositories/7/pulls`.
fn repository_in(path: &str) -> Option<String> {
    let mut names = path.trim_start_matches('/').split('/');
    let (repos, owner) = (names.next()?, names.next()?);
    if repos == "repositories" && owner.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(format!("repositories/{owner}"));
    }
    let name = names.next()?;
    let decoded = (crate::percent::decode(owner)?, crate::percent::decode(name)?);
    (repos == "repos" && !owner.is_empty() && !name.is_empty())
        .then(|| format!("{}/{}", decoded.0, decoded.1))
}
