//! The requests. This is the only place that builds one, and it builds three:
//! a `GET`, a write with `dryRun=All`, and a SelfSubjectAccessReview.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, WARNING};
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;

use crate::error::{ClusterError, Refusal};
use crate::limit::Limit;

const JSON: &str = "application/json";
/// A question in the form of a POST: the server answers and stores nothing.
const REVIEW: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
/// How often an overloaded server is asked again; client-go does it ten times.
const PATIENCE: u32 = 10;
/// How often a broken connection or a 5xx that may pass is tried again.
const RETRIES: u32 = 2;

/// The way to one API server.
pub(crate) struct Wire {
    client: Client,
    pub(crate) server: String,
    /// Over headers and body; `None` for no limit.
    timeout: Option<Duration>,
    limit: Limit,
    /// Whether the server ever answered: only then is a broken connection
    /// worth another try.
    reached: AtomicBool,
}

/// An answer, success or not.
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) warnings: Vec<String>,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The answer when it is a success, else the server's refusal.
    pub(crate) fn success(self) -> Result<Self, Box<Refusal>> {
        match self.code {
            200..300 => Ok(self),
            code => Err(Box::new(Refusal::of(code, &self.body))),
        }
    }
}

/// What a write is sent as.
pub(crate) struct DryRun<'a> {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Beyond `dryRun=All`.
    pub(crate) query: Vec<(&'static str, &'a str)>,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
}

/// A request before it is built, which may happen more than once.
struct Plain {
    method: Method,
    uri: String,
    accept: &'static str,
    content_type: Option<&'static str>,
    body: Bytes,
}

impl Wire {
    pub(crate) fn new(client: Client, server: String, timeout: Option<Duration>) -> Self {
        Self { client, server, timeout, limit: Limit::new(), reached: AtomicBool::new(false) }
    }

    /// A read.
    pub(crate) async fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
        accept: Option<&'static str>,
    ) -> Result<Answer, ClusterError> {
        self.send(Plain {
            method: Method::GET,
            uri: uri(path, query),
            accept: accept.unwrap_or(JSON),
            content_type: None,
            body: Bytes::new(),
        })
        .await
    }

    /// A write that stores nothing.
    pub(crate) async fn dry_run(&self, write: DryRun<'_>) -> Result<Answer, ClusterError> {
        let mut query = vec![("dryRun", "All")];
        query.extend(write.query);
        self.send(Plain {
            method: write.method,
            uri: uri(&write.path, &query),
            accept: JSON,
            content_type: Some(write.content_type),
            body: write.body.into(),
        })
        .await
    }

    /// A SelfSubjectAccessReview, which stores nothing.
    pub(crate) async fn review(&self, body: Vec<u8>) -> Result<Answer, ClusterError> {
        self.send(Plain {
            method: Method::POST,
            uri: REVIEW.to_owned(),
            accept: JSON,
            content_type: Some(JSON),
            body: body.into(),
        })
        .await
    }

    /// Sends, and sends again where that is promised to help: no request here
    /// stores anything, so each may be repeated.
    async fn send(&self, plain: Plain) -> Result<Answer, ClusterError> {
        let mut overloads = 0;
        let mut failures = 0;
        loop {
            let place = self.limit.enter().await;
            let result = self.attempt(&plain).await;
            drop(place);
            let pause = match result {
                Ok((429, headers, _)) if overloads < PATIENCE => {
                    overloads += 1;
                    self.limit.overloaded();
                    retry_after(&headers).unwrap_or(Duration::from_secs(1))
                }
                Ok((503 | 504, headers, _)) if failures < RETRIES => {
                    failures += 1;
                    self.limit.overloaded();
                    retry_after(&headers).unwrap_or(Duration::from_millis(200 << failures))
                }
                Ok((code, headers, body)) => {
                    self.reached.store(true, Ordering::Relaxed);
                    self.limit.answered();
                    return Ok(Answer { code, warnings: warnings(&headers), body });
                }
                Err(ClusterError::Unreachable { .. })
                    if failures < RETRIES && self.reached.load(Ordering::Relaxed) =>
                {
                    failures += 1;
                    Duration::from_millis(100 << failures)
                }
                Err(error) => {
                    if matches!(error, ClusterError::TimedOut { .. }) {
                        self.limit.overloaded();
                    }
                    return Err(error);
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, plain: &Plain) -> Result<(u16, HeaderMap, Bytes), ClusterError> {
        // The builders above let nothing else through; this is the last gate,
        // for the day when one of them is wrong.
        if !plain.is_harmless() {
            return Err(ClusterError::WouldStore { what: plain.what() });
        }
        let mut request =
            Request::builder().method(&plain.method).uri(&plain.uri).header(ACCEPT, plain.accept);
        if let Some(content_type) = plain.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let request = request.body(Body::from(plain.body.clone())).map_err(|error| {
            ClusterError::UnexpectedAnswer { what: plain.what(), cause: error.to_string() }
        })?;
        let answer = async {
            let response = self.client.send(request).await.map_err(|error| self.broken(&error))?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| self.broken(&error))?;
            Ok((head.status.as_u16(), head.headers, body.to_bytes()))
        };
        match self.timeout {
            None => answer.await,
            Some(after) => tokio::time::timeout(after, answer).await.unwrap_or_else(|_| {
                Err(ClusterError::TimedOut {
                    what: plain.what(),
                    server: self.server.clone(),
                    after,
                })
            }),
        }
    }

    fn broken(&self, error: &(dyn std::error::Error + 'static)) -> ClusterError {
        let cause = chain(error);
        let cause = cause.strip_prefix("ServiceError: ").unwrap_or(&cause).to_owned();
        ClusterError::Unreachable { server: self.server.clone(), cause }
    }
}

impl Plain {
    fn what(&self) -> String {
        let path = self.uri.split('?').next().unwrap_or_default();
        format!("{} {path}", self.method)
    }

    /// Whether the server stores nothing: it is read, asked by a dry run, or
    /// asked what we may do.
    fn is_harmless(&self) -> bool {
        if self.method == Method::GET || (self.method == Method::POST && self.uri == REVIEW) {
            return true;
        }
        let query = self.uri.split_once('?').map_or("", |(_, query)| query);
        let mut asked = query
            .split('&')
            .filter(|part| part.split('=').next().is_some_and(|name| name == "dryRun"));
        asked.next() == Some("dryRun=All") && asked.next().is_none()
    }
}

/// An error and its causes on one line, each said once. What an exec plugin
/// printed is left out: it may hold a token.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    if let Some(kube::Error::Auth(kube::client::AuthError::AuthExecRun { cmd, out, .. })) =
        error.downcast_ref()
    {
        return format!("the credential command `{cmd}` failed ({})", out.status);
    }
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

/// A path with a query, its values percent-encoded.
pub(crate) fn uri(path: &str, query: &[(&str, &str)]) -> String {
    let mut uri = path.to_owned();
    for (index, (name, value)) in query.iter().enumerate() {
        uri.push(if index == 0 { '?' } else { '&' });
        uri.push_str(name);
        uri.push('=');
        uri.push_str(&encode(value));
    }
    uri
}

/// Percent-encodes everything that is not unreserved (RFC 3986).
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Seconds to wait, at most half a minute; the server never sends a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(30)))
}

/// The texts of the `Warning: 299 - "text"` headers (RFC 7234, 5.5).
fn warnings(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(WARNING)
        .iter()
        .filter_map(|value| {
            let text = std::str::from_utf8(value.as_bytes()).ok()?;
            let quoted = &text[text.find('"')? + 1..];
            let mut plain = String::new();
            let mut letters = quoted.chars();
            while let Some(letter) = letters.next() {
                match letter {
                    '"' => break,
                    '\\' => plain.extend(letters.next()),
                    letter => plain.push(letter),
                }
            }
            Some(plain)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_query_cannot_break_out() {
        assert_eq!(uri("/api", &[]), "/api");
        assert_eq!(
            uri("/api", &[("dryRun", "All"), ("fieldManager", "a&dryRun=x y")]),
            "/api?dryRun=All&fieldManager=a%26dryRun%3Dx%20y"
        );
    }

    #[test]
    fn only_what_stores_nothing_is_harmless() {
        let harmless = |method: Method, uri: &str| {
            let (accept, content_type, body) = (JSON, None, Bytes::new());
            Plain { method, uri: uri.to_owned(), accept, content_type, body }.is_harmless()
        };
        let object = "/api/v1/namespaces/a/configmaps/b";
        assert!(harmless(Method::GET, object));
        assert!(harmless(Method::PATCH, &format!("{object}?dryRun=All&force=true")));
        assert!(harmless(Method::PUT, &format!("{object}?fieldManager=x&dryRun=All")));
        assert!(harmless(Method::POST, REVIEW));
        for method in [Method::PATCH, Method::PUT, Method::POST, Method::DELETE] {
            for query in [
                "",
                "?force=true",
                "?dryRun=",
                "?dryRun=None",
                "?fieldManager=dryRun%3DAll",
                "?dryRun=All&dryRun=",
                "?xdryRun=All",
                "?dryRun=AllX",
            ] {
                assert!(!harmless(method.clone(), &format!("{object}{query}")), "{method} {query}");
            }
        }
        assert!(!harmless(Method::PUT, REVIEW));
        assert!(!harmless(Method::POST, "/apis/authorization.k8s.io/v1/subjectaccessreviews"));
        assert!(!harmless(Method::POST, "/dryRun=All"));
    }

    /// The gate is on the way of every request: a builder that forgets the
    /// parameter gets an error, and nothing leaves.
    #[tokio::test]
    async fn what_would_store_is_not_sent() {
        let sent = std::sync::Arc::new(AtomicBool::new(false));
        let seen = std::sync::Arc::clone(&sent);
        let service = tower::service_fn(move |_: Request<Body>| {
            seen.store(true, Ordering::Relaxed);
            async { Ok::<_, std::convert::Infallible>(http::Response::new(Body::empty())) }
        });
        let wire = Wire::new(Client::new(service, "default"), "https://s".to_owned(), None);
        let plain = Plain {
            method: Method::PATCH,
            uri: "/api/v1/namespaces/a/configmaps/b?force=true".to_owned(),
            accept: JSON,
            content_type: Some(JSON),
            body: Bytes::new(),
        };
        let refused = wire.send(plain).await.err();
        assert!(matches!(refused, Some(ClusterError::WouldStore { .. })), "{refused:?}");
        assert!(!sent.load(Ordering::Relaxed));
        wire.get("/version", &[], None).await.unwrap();
        assert!(sent.load(Ordering::Relaxed));
    }

    #[test]
    fn warnings_are_unquoted() {
        let mut headers = HeaderMap::new();
        headers.append(WARNING, r#"299 - "unknown field \"spec.x\"""#.parse().unwrap());
        headers.append(WARNING, r#"299 - "second" "date""#.parse().unwrap());
        assert_eq!(warnings(&headers), ["unknown field \"spec.x\"", "second"]);
    }

    #[test]
    fn retry_after_is_bounded() {
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        headers.insert(RETRY_AFTER, "2".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(2)));
        headers.insert(RETRY_AFTER, "86400".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(30)));
    }
}
