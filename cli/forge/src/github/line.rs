//! The line to GitHub: octocrab on top of the forges' own client.
//!
//! octocrab makes the calls, turns refusals into errors and finds the next page.
//! Below it stands [`Http`], which octocrab's own stack cannot replace: proxies,
//! bounds on size and time, reads sent again and writes never, no redirects, and
//! the token for one address. What octocrab 0.54 gets wrong has a test each in
//! `tests/forges`.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use octocrab::{AuthState, FromResponse, OctoBody, Octocrab, OctocrabBuilder, Page};
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::access::Installation;
use super::refusals::lacking_scope;
use crate::ApiError;
use crate::http::{Access, Answer, Ask, Clock, Http, asked_wait};

/// The version of the REST API whose answers are read here.
const API_VERSION: &str = "2022-11-28";

/// The most pages of one list.
const MOST_PAGES: usize = 400;

/// What a call is for; it goes beside octocrab to the line.
#[derive(Clone, Debug)]
pub(super) struct Intent {
    /// What is called, names left out: `/repos/{owner}/{repo}/pulls`.
    pub(super) template: &'static str,
    /// What is wanted: `open a pull request`.
    pub(super) attempt: &'static str,
    /// What it is about: `the repository acme/apps`.
    pub(super) what: String,
    /// Whether it changes nothing, so that it may be sent again: a GET, and a
    /// GraphQL query, which is a POST.
    pub(super) read: bool,
}

tokio::task_local! {
    /// The intent of the call that is being sent.
    static INTENT: Intent;
}

/// A call that was not done.
#[derive(Clone, Debug)]
pub(super) enum Failed {
    /// It went wrong whatever was asked.
    Error(ApiError),
    /// GitHub will not; what that means depends on the question.
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// GitHub's words, with those of each of its `errors`.
        message: String,
        /// The scope that a classic token lacks: what it may not see is not there.
        lacking: Option<String>,
    },
}

/// Where GitHub is, with what it is asked, and what was asked so far.
pub(super) struct Line {
    inner: Arc<Inner>,
}

struct Inner {
    http: Http,
    /// The path of the REST API, without a slash at the end: `/api/v3`, or nothing.
    below: String,
    now: Clock,
    installation: Option<Installation>,
    /// Which of the App's tokens is shown.
    shown: Mutex<Option<u64>>,
}

/// The headers of each call.
pub(super) fn headers() -> HeaderMap {
    let accept = HeaderValue::from_static("application/vnd.github+json");
    let version = HeaderName::from_static("x-github-api-version");
    HeaderMap::from_iter([
        (reqwest::header::ACCEPT, accept),
        (version, HeaderValue::from_static(API_VERSION)),
    ])
}

impl Line {
    /// A line; nothing is sent yet.
    pub(super) fn new(
        access: Access<'_>,
        installation: Option<Installation>,
    ) -> Result<Line, ApiError> {
        let below = Url::parse(access.base).map(|url| url.path().trim_end_matches('/').to_owned());
        let now = access.now.clone();
        let http = Http::new(access)?;
        let below = below.unwrap_or_default();
        Ok(Line {
            inner: Arc::new(Inner { http, below, now, installation, shown: Mutex::new(None) }),
        })
    }

    /// The client below.
    pub(super) fn http(&self) -> &Http {
        &self.inner.http
    }

    /// The client of the App's own calls, where one is behind this.
    pub(super) fn of_app(&self) -> Option<&Http> {
        self.inner.installation.as_ref().map(Installation::http)
    }

    /// One for a call: it leaves a task on the runtime that calls, which ends with it.
    fn crab(&self) -> Octocrab {
        let builder = OctocrabBuilder::new_empty()
            .with_service(Door(self.inner.clone()))
            .with_auth(AuthState::None);
        match builder.build() {
            Ok(crab) => crab,
            Err(never) => match never {},
        }
    }

    /// Reads what stands at a path.
    pub(super) async fn get<T: FromResponse>(
        &self,
        intent: Intent,
        path: &str,
    ) -> Result<T, Failed> {
        let crab = self.crab();
        self.run(intent, crab.get(path, None::<&()>)).await
    }

    /// Posts to a path.
    pub(super) async fn post<B: Serialize, T: FromResponse>(
        &self,
        intent: Intent,
        path: &str,
        body: &B,
    ) -> Result<T, Failed> {
        let crab = self.crab();
        self.run(intent, crab.post(path, Some(body))).await
    }

    /// Patches what stands at a path.
    pub(super) async fn patch<B: Serialize, T: FromResponse>(
        &self,
        intent: Intent,
        path: &str,
        body: &B,
    ) -> Result<T, Failed> {
        let crab = self.crab();
        self.run(intent, crab.patch(path, Some(body))).await
    }

    /// Puts to a path.
    pub(super) async fn put<B: Serialize, T: FromResponse>(
        &self,
        intent: Intent,
        path: &str,
        body: &B,
    ) -> Result<T, Failed> {
        let crab = self.crab();
        self.run(intent, crab.put(path, Some(body))).await
    }

    /// All pages of a list, whatever size GitHub makes them.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        intent: Intent,
        path: &str,
    ) -> Result<Vec<T>, Failed> {
        let first = format!("{path}?per_page=100");
        let mut page: Page<T> = self.get(intent.clone(), &first).await?;
        let mut found = page.take_items();
        for _ in 1..MOST_PAGES {
            // Its origin is dropped below: the next page is asked of the same
            // server, with the same token, whatever the link says.
            let Some(next) = page.next.take() else { return Ok(found) };
            page = self.get(intent.clone(), &next.to_string()).await?;
            found.append(&mut page.items);
        }
        let reason = format!("more than {MOST_PAGES} pages");
        Err(Failed::Error(self.asking(&intent, |asking| asking.unanswered(reason))))
    }

    /// An error that says what was asked.
    pub(super) fn asking<T>(
        &self,
        intent: &Intent,
        say: impl FnOnce(&crate::http::Asking<'_>) -> T,
    ) -> T {
        let ask = intent.ask(Method::GET, String::new());
        say(&self.inner.http.asking(&ask))
    }

    /// A refusal in words.
    pub(super) fn refused(&self, intent: &Intent, failed: Failed) -> ApiError {
        match failed {
            Failed::Error(error) => error,
            Failed::Refused { status, message, lacking } => self.asking(intent, |asking| {
                if lacking.is_some() && status == StatusCode::NOT_FOUND {
                    return asking.forbidden(lacking, message);
                }
                asking.refused(status, &serde_json::json!({ "message": message }))
            }),
        }
    }

    async fn run<T>(
        &self,
        intent: Intent,
        call: impl Future<Output = octocrab::Result<T>>,
    ) -> Result<T, Failed> {
        let told = intent.clone();
        let error = match INTENT.scope(intent, call).await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        Err(match error {
            octocrab::Error::Service { source, .. } => {
                Failed::Error(match source.downcast::<ApiError>() {
                    Ok(error) => *error,
                    Err(other) => self.asking(&told, |asking| asking.unanswered(other.to_string())),
                })
            }
            octocrab::Error::GitHub { source, .. } => {
                let errors = source.errors.unwrap_or_default().into_iter().map(in_words);
                let errors: Vec<Value> = errors.collect();
                let body = serde_json::json!({"message": source.message, "errors": errors});
                Failed::Refused {
                    status: source.status_code,
                    message: crate::http::words(&body),
                    lacking: source.headers.as_ref().and_then(lacking_scope),
                }
            }
            // It was done; what came back cannot be read.
            other if !told.read => {
                Failed::Error(self.asking(&told, |asking| asking.unanswered(plain(&other))))
            }
            other => Failed::Error(self.asking(&told, |asking| asking.not_the_api(plain(&other)))),
        })
    }
}

/// One of the `errors` of a refusal: some have words, some only a field and a code.
fn in_words(mut error: Value) -> Value {
    let text = |name: &str| error.get(name)?.as_str().map(str::to_owned);
    if let (None, Some(field), Some(code)) = (text("message"), text("field"), text("code")) {
        error["message"] = Value::String(format!("`{field}` is {}", code.replace('_', " ")));
    }
    error
}

/// What octocrab says of an answer that it cannot read, in one line and without
/// where in its code it stood.
fn plain(error: &octocrab::Error) -> String {
    match error {
        octocrab::Error::Json { source, .. } => format!("{}: {}", source.path(), source.inner()),
        octocrab::Error::Serde { source, .. } => source.to_string(),
        other => other.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

impl Intent {
    fn ask(&self, method: Method, path: String) -> Ask<'_> {
        Ask {
            method,
            template: self.template,
            path,
            query: Vec::new(),
            body: None,
            attempt: self.attempt,
            what: &self.what,
        }
    }
}

impl Inner {
    /// Sends it, with a token of the App that is good now, where there is an App.
    async fn send(
        &self,
        ask: &Ask<'_>,
        query: Option<&str>,
        read: bool,
    ) -> Result<Answer, ApiError> {
        let Some(installation) = &self.installation else {
            return self.ask(ask, query, read).await;
        };
        let first = self.show(installation, None).await?;
        match self.ask(ask, query, read).await {
            // Taken back or run out before its time: nothing was done with it.
            Err(ApiError::Unauthorized { .. }) => {
                self.show(installation, Some(first)).await?;
                self.ask(ask, query, read).await
            }
            answer => answer,
        }
    }

    /// Sees to it that a token is shown that is good, and other than the one that was
    /// `refused`. Answers which one it is.
    async fn show(
        &self,
        installation: &Installation,
        refused: Option<u64>,
    ) -> Result<u64, ApiError> {
        let issued = installation.issued(refused).await?;
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if *shown != Some(issued.serial) {
            self.http.authorize(&format!("Bearer {}", issued.secret))?;
            *shown = Some(issued.serial);
        }
        Ok(issued.serial)
    }

    /// Sends it; by GraphQL again where it may come to something, which the client
    /// below cannot see: a query is a POST, and a limit is answered 200.
    async fn ask(
        &self,
        ask: &Ask<'_>,
        query: Option<&str>,
        read: bool,
    ) -> Result<Answer, ApiError> {
        let patience = self.http.patience();
        let mut tried = 0;
        loop {
            tried += 1;
            let again = tried < patience.tries;
            match self.http.send_with(ask, query).await {
                Err(ApiError::Unanswered { .. }) if again && read && ask.method == Method::POST => {
                    tokio::time::sleep(patience.pause_after(tried)).await;
                }
                Ok(answer) if is_limited(&answer) => {
                    let now = (self.now)();
                    let until = asked_wait(&answer.headers, now);
                    let wait = until.and_then(|until| until.duration_since(now).try_into().ok());
                    self.http.pace().rest_for(wait.unwrap_or(patience.wait), until);
                    match wait.filter(|wait: &Duration| again && *wait <= patience.wait) {
                        // Nothing was done, whatever it was.
                        Some(wait) => {
                            tokio::time::sleep(wait.max(patience.pause_after(tried))).await;
                        }
                        None => {
                            let asking = self.http.asking(ask);
                            let server = asking.server.to_owned();
                            return Err(ApiError::Limited { server, until });
                        }
                    }
                }
                answer => return answer,
            }
        }
    }
}

/// Whether GraphQL says that there were too many calls.
///
/// Source: GitHub docs, "Rate limits and query limits for the GraphQL API".
fn is_limited(answer: &Answer) -> bool {
    let errors = answer.body.get("errors").and_then(Value::as_array);
    errors.into_iter().flatten().any(|error| error["type"] == "RATE_LIMITED")
}

/// The way from octocrab to the line.
#[derive(Clone)]
struct Door(Arc<Inner>);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl tower::Service<http::Request<OctoBody>> for Door {
    type Response = http::Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<OctoBody>) -> Self::Future {
        let Door(inner) = self.clone();
        // It is polled by the task that asked, whose intent it sees.
        Box::pin(async move { exchange(&inner, request).await })
    }
}

async fn exchange(
    inner: &Inner,
    request: http::Request<OctoBody>,
) -> Result<http::Response<Full<Bytes>>, BoxError> {
    let intent = INTENT.with(Clone::clone);
    let (parts, body) = request.into_parts();
    // The link of a next page is absolute, and below where the API stands.
    let path = parts.uri.path();
    let path = match parts.uri.authority() {
        Some(_) => path.strip_prefix(inner.below.as_str()).unwrap_or(path),
        None => path,
    };
    let mut ask = intent.ask(parts.method, path.to_owned());
    let body = body.collect().await?.to_bytes();
    if !body.is_empty() {
        ask.body = Some(serde_json::from_slice::<Value>(&body)?);
    }
    let answer = inner.send(&ask, parts.uri.query(), intent.read).await?;
    let mut response = http::Response::new(Full::new(match &answer.body {
        Value::Null => Bytes::new(),
        body => Bytes::from(body.to_string()),
    }));
    *response.status_mut() = answer.status;
    let about_the_body = [CONTENT_LENGTH, CONTENT_ENCODING];
    let kept = answer.headers.iter().filter(|(name, _)| !about_the_body.contains(name));
    response.headers_mut().extend(kept.map(|(name, value)| (name.clone(), value.clone())));
    Ok(response)
}
