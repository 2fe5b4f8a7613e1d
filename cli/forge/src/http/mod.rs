//! One HTTP client for a forge's API.
//!
//! A read is sent again where it may come to something: after a lost connection,
//! an answer that was cut, a 5xx. A write is sent once, and again only where it
//! surely had no effect: no connection came about, or the forge asks to wait.
//! Redirects are not followed and pages are asked for by number, so that the
//! token goes to the one address it was given for. Answers are bounded in size
//! and time.

mod classify;
mod pace;
mod patience;
mod trace;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LINK};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

pub(crate) use classify::{Asking, words};
pub use pace::Pace;
pub use patience::Patience;
pub(crate) use patience::asked_wait;
pub use trace::Made;
pub(crate) use trace::Trace;

use crate::address::is_here;
use crate::{ApiError, TokenSource};

/// The most that one answer may hold, unpacked.
const MOST_BYTES: usize = 64 << 20;

/// The most pages of one list.
const MOST_PAGES: u32 = 400;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// Says what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where a client is made for, and with what.
pub(crate) struct Access<'a> {
    /// Where the API starts, without a slash at the end.
    pub(crate) base: &'a str,
    /// The repository, as it is shown.
    pub(crate) repository: String,
    /// The header that shows the token: `token …`.
    pub(crate) authorization: String,
    /// Where the token came from.
    pub(crate) token: TokenSource,
    /// Whether the token is signed with a moment of our clock.
    pub(crate) signed: bool,
    /// Headers that go with each call.
    pub(crate) headers: HeaderMap,
    /// What the program calls itself.
    pub(crate) user_agent: &'a str,
    /// How long one waits.
    pub(crate) patience: Patience,
    /// How fast the server is asked.
    pub(crate) pace: Pace,
    /// Says what time it is.
    pub(crate) now: Clock,
}

/// A client of one forge, for one repository.
pub(crate) struct Http {
    client: reqwest::Client,
    secret: RwLock<HeaderValue>,
    base: Url,
    server: String,
    repository: String,
    token: TokenSource,
    signed: bool,
    patience: Patience,
    pace: Pace,
    now: Clock,
    trace: Trace,
}

/// Whom it asks, never with what.
impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// One question.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    /// The method.
    pub(crate) method: Method,
    /// What is called, names left out: `/repos/{owner}/{repo}/pulls`.
    pub(crate) template: &'static str,
    /// What is called, encoded: `/repos/acme/apps/pulls`.
    pub(crate) path: String,
    /// What follows the question mark.
    pub(crate) query: Vec<(&'static str, String)>,
    /// What is sent along.
    pub(crate) body: Option<Value>,
    /// What is wanted: `open a pull request`.
    pub(crate) attempt: &'a str,
    /// What it is about: `the repository acme/apps`.
    pub(crate) what: &'a str,
}

/// An answer of the API: it was done (2xx), or will not be (4xx).
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// What it says; null where it says nothing.
    pub(crate) body: Value,
}

impl Answer {
    /// The forge's words.
    pub(crate) fn words(&self) -> String {
        words(&self.body)
    }
}

/// One try that came to nothing.
enum Failed {
    /// It surely had no effect; it may be sent again, whatever it was, after this
    /// long.
    Untouched(ApiError, Option<Duration>),
    /// Nobody knows; a read may be sent again.
    Unknown(ApiError),
    /// It would come to the same.
    Final(ApiError),
}

impl Http {
    /// A client. Nothing is sent yet.
    pub(crate) fn new(access: Access<'_>) -> Result<Http, ApiError> {
        // It fails where one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let unusable =
            |reason: String| ApiError::Unusable { server: access.base.to_owned(), reason };
        let base = Url::parse(access.base).map_err(|error| unusable(error.to_string()))?;
        let mut headers = access.headers;
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        let client = match is_here(&base) {
            // A proxy would be told the token, and could not find this machine.
            true => reqwest::Client::builder().no_proxy(),
            false => reqwest::Client::builder(),
        };
        let client = client
            .user_agent(access.user_agent)
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(CONNECT.min(access.patience.answer))
            .timeout(access.patience.answer)
            .build()
            .map_err(|error| unusable(reasons(&error)))?;
        let http = Http {
            client,
            secret: RwLock::new(HeaderValue::from_static("")),
            server: base.origin().ascii_serialization(),
            base,
            repository: access.repository,
            token: access.token,
            signed: access.signed,
            patience: access.patience,
            pace: access.pace,
            now: access.now,
            trace: Trace::default(),
        };
        http.authorize(&access.authorization)?;
        Ok(http)
    }

    /// Shows this from now on.
    pub(crate) fn authorize(&self, authorization: &str) -> Result<(), ApiError> {
        let mut secret = HeaderValue::from_str(authorization).map_err(|_| ApiError::Unusable {
            server: self.server.clone(),
            reason: format!("the token of {} cannot be sent", self.token),
        })?;
        secret.set_sensitive(true);
        *self.secret.write().unwrap_or_else(PoisonError::into_inner) = secret;
        Ok(())
    }

    /// The server, as it is shown.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// Where the token came from.
    pub(crate) fn token(&self) -> &TokenSource {
        &self.token
    }

    /// The calls that were made.
    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// How long one waits.
    pub(crate) fn patience(&self) -> Patience {
        self.patience
    }

    /// How fast the server is asked.
    pub(crate) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Who asks whom for this.
    pub(crate) fn asking<'a>(&'a self, ask: &Ask<'a>) -> Asking<'a> {
        Asking {
            server: &self.server,
            base: &self.base,
            token: &self.token,
            repository: &self.repository,
            attempt: ask.attempt,
            what: ask.what,
            signed: self.signed,
        }
    }

    /// Asks. What comes back was done, or will not be done; everything else is an
    /// error.
    pub(crate) async fn send(&self, ask: &Ask<'_>) -> Result<Answer, ApiError> {
        self.send_with(ask, None).await
    }

    /// The same with a query that is sent as it stands, before that of `ask`.
    pub(crate) async fn send_with(
        &self,
        ask: &Ask<'_>,
        query: Option<&str>,
    ) -> Result<Answer, ApiError> {
        let read = ask.method == Method::GET || ask.method == Method::HEAD;
        let mut tried = 0;
        loop {
            tried += 1;
            let turn = self.pace.turn(self.patience.wait).await;
            let turn = turn.map_err(|resting| ApiError::Limited {
                server: self.server.clone(),
                until: resting.until,
            })?;
            let failed = match self.once(ask, query).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            drop(turn);
            if let Failed::Untouched(ApiError::Limited { until, .. }, Some(wait)) = &failed {
                self.pace.rest_for(*wait, *until);
            }
            let (error, wait) = match failed {
                Failed::Untouched(error, wait) => (error, wait),
                Failed::Unknown(error) if read => (error, None),
                Failed::Unknown(error) | Failed::Final(error) => return Err(error),
            };
            let wait = wait.unwrap_or_default();
            if tried >= self.patience.tries || wait > self.patience.wait {
                return Err(error);
            }
            // Those who were told the same do not come at the same moment.
            tokio::time::sleep(wait + self.patience.pause_after(tried)).await;
        }
    }

    /// Asks for something and reads it.
    pub(crate) async fn get<T: DeserializeOwned>(&self, ask: &Ask<'_>) -> Result<T, ApiError> {
        let answer = self.send(ask).await?;
        self.read(ask, answer)
    }

    /// Reads an answer to what was asked; a refusal is an error.
    pub(crate) fn read<T: DeserializeOwned>(
        &self,
        ask: &Ask<'_>,
        answer: Answer,
    ) -> Result<T, ApiError> {
        let asking = self.asking(ask);
        if !answer.status.is_success() {
            return Err(asking.refused(answer.status, &answer.body));
        }
        // It was done, and what is there now was not said.
        let silent = answer.body.is_null();
        serde_json::from_value(answer.body).map_err(|error| match silent {
            true => asking.unanswered(format!("{} without a body", answer.status.as_u16())),
            false => asking.not_the_api(error.to_string()),
        })
    }

    /// All pages of a list, `size` entries each as far as the forge allows, until
    /// `enough` says so of what is there. `page` and `size_name` are added to the
    /// query; `list` takes the entries out of an answer.
    pub(crate) async fn pages<T: DeserializeOwned>(
        &self,
        ask: &Ask<'_>,
        size: (&'static str, u32),
        list: fn(Value) -> Value,
        enough: impl Fn(&[T]) -> bool,
    ) -> Result<Vec<T>, ApiError> {
        let mut found: Vec<T> = Vec::new();
        let mut widest = 1;
        for page in 1..=MOST_PAGES {
            let mut ask = ask.clone();
            ask.query.push((size.0, size.1.to_string()));
            ask.query.push(("page", page.to_string()));
            let mut answer = self.send(&ask).await?;
            answer.body = if answer.status.is_success() { list(answer.body) } else { answer.body };
            let more = more(&answer.headers);
            let entries: Vec<T> = self.read(&ask, answer)?;
            let empty = entries.is_empty();
            widest = widest.max(entries.len());
            found.extend(entries);
            let done = match more {
                _ if enough(&found) => true,
                More::Said(more) => !more,
                // Entries that this token may not see are counted, and left out.
                More::Counted(all) => {
                    found.len() >= all || (empty && page as usize * widest >= all)
                }
                More::Unsaid => true,
            };
            if done {
                return Ok(found);
            }
        }
        Err(self.asking(ask).unanswered(format!("more than {MOST_PAGES} pages")))
    }

    /// Asks once.
    async fn once(&self, ask: &Ask<'_>, query: Option<&str>) -> Result<Answer, Failed> {
        let asking = self.asking(ask);
        // Not `Url::join`: a path could be taken for another server's.
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.base.path().trim_end_matches('/'), ask.path));
        url.set_query(query);
        let secret = self.secret.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut request = self.client.request(ask.method.clone(), url);
        request = request.header(AUTHORIZATION, secret);
        if !ask.query.is_empty() {
            request = request.query(&ask.query);
        }
        if let Some(body) = &ask.body {
            request = request.header(CONTENT_TYPE, "application/json").body(ascii(body));
        }
        let mut note = Noted { trace: &self.trace, ask, status: None };
        let answer = request.send().await.map_err(|error| match error.is_connect() {
            true => Failed::Untouched(asking.unanswered(reasons(&error)), None),
            false => Failed::Unknown(asking.unanswered(reasons(&error))),
        })?;
        note.status = Some(answer.status().as_u16());
        let (status, headers) = (answer.status(), answer.headers().clone());
        let bytes = self.body(answer, &asking).await?;
        drop(note);
        let now = (self.now)();
        let json = is_json(&headers);
        let body = match bytes.is_empty() {
            true => Value::Null,
            false if !json => Value::Null,
            false => match serde_json::from_slice(&bytes) {
                Ok(body) => body,
                Err(error) if error.is_eof() => {
                    return Err(Failed::Unknown(asking.unanswered("the answer is cut".into())));
                }
                Err(error) if status.is_server_error() => {
                    return Err(Failed::Unknown(asking.unanswered(error.to_string())));
                }
                Err(error) => return Err(Failed::Final(asking.not_the_api(error.to_string()))),
            },
        };
        let foreign = !bytes.is_empty() && !json;
        // Limits and redirects count whoever says them.
        let counts = matches!(status.as_u16(), 300..=399 | 429) || asked_to_wait(&headers, now);
        if foreign && !counts {
            let looks = classify::looks(status, &headers);
            return Err(match status.is_server_error() {
                true => Failed::Unknown(asking.unanswered(looks)),
                false => Failed::Final(asking.not_the_api(looks)),
            });
        }
        match asking.general(status, &headers, &body, now) {
            None => Ok(Answer { status, headers, body }),
            Some(error @ ApiError::Limited { until, .. }) => {
                let wait = until.map(|until| until.duration_since(now));
                let wait = wait.and_then(|wait| Duration::try_from(wait).ok());
                // GitHub wants a minute where it names no time.
                Err(Failed::Untouched(error, Some(wait.unwrap_or(self.patience.wait))))
            }
            Some(error @ ApiError::Unanswered { .. }) => Err(Failed::Unknown(error)),
            Some(error) => Err(Failed::Final(error)),
        }
    }

    /// The bytes of an answer, as long as they are not too many.
    async fn body(
        &self,
        mut answer: reqwest::Response,
        asking: &Asking<'_>,
    ) -> Result<Vec<u8>, Failed> {
        let mut bytes = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > MOST_BYTES => {
                    let reason = format!("more than {} MiB", MOST_BYTES >> 20);
                    return Err(Failed::Final(asking.not_the_api(reason)));
                }
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => return Ok(bytes),
                Err(error) => return Err(Failed::Unknown(asking.unanswered(reasons(&error)))),
            }
        }
    }
}

/// A call that is noted however it ends, also by being dropped.
struct Noted<'a> {
    trace: &'a Trace,
    ask: &'a Ask<'a>,
    status: Option<u16>,
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        let method = match self.ask.method {
            Method::GET => "GET",
            Method::POST => "POST",
            Method::PATCH => "PATCH",
            Method::PUT => "PUT",
            Method::DELETE => "DELETE",
            _ => "other",
        };
        self.trace.note(Made { method, path: self.ask.template, status: self.status });
    }
}

/// JSON in ASCII alone: there are readers that spoil a letter of several bytes
/// where their buffer ends within it (Gitea 1.25's).
fn ascii(body: &Value) -> String {
    let mut out = String::new();
    // Outside of strings JSON has no other letters.
    for letter in body.to_string().chars() {
        match letter.is_ascii() {
            true => out.push(letter),
            false => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out
}

/// What an answer says of further pages.
enum More {
    /// A header says whether there are any.
    Said(bool),
    /// A header says how many entries there are in all.
    Counted(usize),
    /// Nothing: this is all.
    Unsaid,
}

fn more(headers: &HeaderMap) -> More {
    if let Some(link) = headers.get(LINK).and_then(|value| value.to_str().ok()) {
        return More::Said(link.contains("rel=\"next\""));
    }
    let count = headers.get("x-total-count").and_then(|value| value.to_str().ok());
    match count.and_then(|count| count.trim().parse().ok()) {
        Some(count) => More::Counted(count),
        None => More::Unsaid,
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    classify::is_json(headers)
}

fn asked_to_wait(headers: &HeaderMap, now: Timestamp) -> bool {
    patience::asked_wait(headers, now).is_some()
}

/// An error and its causes in one line, without the address: that may hold names.
fn reasons(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut said: Vec<String> = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(one) = cause {
        let text = one.to_string();
        if said.last().is_none_or(|last| !last.contains(&text)) {
            said.push(text);
        }
        cause = one.source();
    }
    match said.is_empty() {
        true => "the connection broke".into(),
        false => said.join(": "),
    }
}

#[cfg(test)]
mod tests;
