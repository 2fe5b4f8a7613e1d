#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use super::*;

/// What is sent for one request.
#[derive(Clone)]
struct Reply {
    head: String,
    body: String,
    /// Of each, this long before it.
    slow: Duration,
}

fn reply(status: &str, headers: &[&str], body: &str) -> Reply {
    let mut head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    Reply { head, body: body.into(), slow: Duration::ZERO }
}

fn json(status: &str, body: &str) -> Reply {
    reply(status, &["content-type: application/json; charset=utf-8"], body)
}

/// A server that gives these answers in turn, the last one again and again.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(replies: Vec<Reply>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let Some(reply) = replies.get(number).or(replies.last()) else { continue };
                let (reply, log) = (reply.clone(), log.clone());
                thread::spawn(move || serve(stream.unwrap(), &reply, &log));
            }
        });
        Server { url, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, reply: &Reply, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head.push_str(&String::from_utf8(body).unwrap());
    log.lock().unwrap().push(head);
    let _ = stream.write_all(format!("{}connection: close\r\n\r\n", reply.head).as_bytes());
    for byte in reply.body.as_bytes() {
        thread::sleep(reply.slow);
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
    }
}

const SECRET: &str = "s3cr3t-0123456789";

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn client_with(url: &str, patience: Patience, signed: bool) -> Http {
    Http::new(Access {
        base: &format!("{url}/api/v1"),
        repository: "acme/apps".into(),
        authorization: format!("token {SECRET}"),
        token: crate::TokenSource::Named("GITEA_TOKEN"),
        signed,
        headers: HeaderMap::new(),
        user_agent: "tests",
        patience,
        pace: Pace::default(),
        now: Arc::new(now),
    })
    .unwrap()
}

fn quick() -> Patience {
    Patience {
        answer: Duration::from_secs(20),
        wait: Duration::from_secs(2),
        tries: 3,
        pause: Duration::from_millis(1),
    }
}

fn ask(method: Method) -> Ask<'static> {
    Ask {
        body: (method != Method::GET).then(|| serde_json::json!({"title": "x"})),
        method,
        template: "/repos/{owner}/{repo}/pulls",
        path: "/repos/acme/apps/pulls".into(),
        query: Vec::new(),
        attempt: "open a pull request",
        what: "the repository acme/apps",
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// What comes of these answers, and how many were asked for.
fn came(method: Method, replies: Vec<Reply>) -> (Result<Value, ApiError>, usize) {
    let server = Server::new(replies);
    let http = client_with(&server.url, quick(), false);
    let came = run(http.get::<Value>(&ask(method)));
    if let Err(error) = &came {
        let shown = format!("{error} {error:?} {http:?}");
        assert!(!shown.contains(SECRET), "{shown}");
    }
    assert_eq!(http.trace().count() as usize, server.seen().len());
    (came, server.seen().len())
}

#[test]
fn what_is_sent() {
    let server = Server::new(vec![json("201 Created", "{\"number\":1}")]);
    let http = client_with(&server.url, quick(), false);
    let mut ask = ask(Method::POST);
    ask.query = vec![("sort", "a b".into())];
    ask.path = "/repos/acme/apps/pulls/env%2Fdev/x#?y".into();
    assert_eq!(run(http.get::<Value>(&ask)).unwrap()["number"], 1);
    let seen = server.seen().remove(0).to_ascii_lowercase();
    let line = "post /api/v1/repos/acme/apps/pulls/env%2fdev/x%23%3fy?sort=a+b http/1.1";
    assert!(seen.starts_with(line), "{seen}");
    for expected in [
        &*format!("authorization: token {SECRET}"),
        "user-agent: tests",
        "accept: application/json",
        "content-type: application/json",
        "{\"title\":\"x\"}",
    ] {
        assert!(seen.contains(expected), "{seen}");
    }
    let made = http.trace().made().iter().map(Made::to_string).collect::<Vec<_>>();
    assert_eq!(made, ["POST /repos/{owner}/{repo}/pulls 201"]);
}

#[test]
fn letters_are_escaped() {
    let body = serde_json::json!({"é": ["→ \"x\"", "🚀\n", "plain"]});
    let sent = ascii(&body);
    assert_eq!(sent, r#"{"\u00e9":["\u2192 \"x\"","\ud83d\ude80\n","plain"]}"#);
    assert_eq!(serde_json::from_str::<Value>(&sent).unwrap(), body);
}

#[test]
fn a_read_is_sent_again_and_a_write_is_not() {
    let good = json("200 OK", "{}");
    let cut = Reply { head: good.head.replace(": 2", ": 900"), ..json("200 OK", "{\"number\":1") };
    let whole_but_cut = json("200 OK", "{\"number\":");
    let html = reply("502 Bad Gateway", &["content-type: text/html"], "<html>bad");
    for bad in [
        json("500 Internal Server Error", "{\"message\":\"database is locked\"}"),
        json("502 Bad Gateway", "not json"),
        html,
        reply("503 Service Unavailable", &[], ""),
        cut,
        whole_but_cut,
    ] {
        let (read, asked) = came(Method::GET, vec![bad.clone(), good.clone()]);
        assert!(read.is_ok() && asked == 2, "{}: {read:?} {asked}", bad.head);
        let (read, asked) = came(Method::GET, vec![bad.clone()]);
        assert!(matches!(read, Err(ApiError::Unanswered { .. })), "{}: {read:?}", bad.head);
        assert_eq!(asked, 3);
        for method in [Method::POST, Method::PATCH, Method::DELETE] {
            let (written, asked) = came(method, vec![bad.clone(), good.clone()]);
            let error = written.unwrap_err();
            assert!(matches!(error, ApiError::Unanswered { .. }), "{}: {error:?}", bad.head);
            assert_eq!(asked, 1);
        }
    }
    let (error, _) = came(Method::POST, vec![json("500 x", "{\"message\":\"a\\nb\"}")]);
    let error = error.unwrap_err().to_string();
    assert!(error.ends_with("did not answer whether it could open a pull request: 500: a b"));
}

#[test]
fn one_that_asks_to_wait_did_nothing() {
    let good = json("200 OK", "{}");
    for limit in [
        reply("429 Too Many Requests", &["retry-after: 1"], "slow down"),
        reply("403 Forbidden", &["retry-after: 1", "content-type: text/html"], "<html>"),
        json("403 Forbidden", "{\"message\":\"You have exceeded a secondary rate limit\"}"),
        json("429 Too Many Requests", "{}"),
    ] {
        let before = Instant::now();
        let (came, asked) = came(Method::POST, vec![limit.clone(), good.clone()]);
        assert!(came.is_ok() && asked == 2, "{}: {came:?}", limit.head);
        // As long as it says; as long as one waits at all where it does not.
        let least = if limit.head.contains("retry-after") { 1 } else { 2 };
        assert!(before.elapsed() >= Duration::from_secs(least), "{}", limit.head);
    }
    // Longer than one waits.
    let long = reply("429 Too Many Requests", &["retry-after: 3600"], "");
    let (came, asked) = came(Method::GET, vec![long, good]);
    let text = came.unwrap_err().to_string();
    assert!(text.ends_with("asks to wait until 2026-01-01T01:00:00Z"), "{text}");
    assert_eq!(asked, 1);
}

#[test]
fn what_one_is_told_stops_the_others() {
    let slow_down = reply("429 Too Many Requests", &["retry-after: 1"], "slow down");
    let server = Server::new(vec![slow_down, json("200 OK", "{}")]);
    let pace = Pace::default();
    let paced = || {
        let mut http = client_with(&server.url, quick(), false);
        http.pace = pace.clone();
        http
    };
    let (one, other) = (paced(), paced());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let begun = Instant::now();
    runtime.block_on(async {
        let (told, not_told) = (ask(Method::GET), ask(Method::POST));
        let late = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            other.send(&not_told).await
        };
        let (told, not_told) = futures::join!(one.send(&told), late);
        assert!(told.is_ok() && not_told.is_ok());
    });
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.seen().len(), 3);
    // One that is asked for longer than one waits is not asked at all.
    pace.rest_for(Duration::from_secs(3600), None);
    let error = runtime.block_on(other.send(&ask(Method::GET))).unwrap_err();
    assert!(matches!(error, ApiError::Limited { until: None, .. }), "{error}");
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn what_an_answer_means() {
    let login = "location: https://login.example/?next=secret";
    let scope = "{\"message\":\"token does not have at least one of required scope(s), \
                 required=[write:issue], token scope=read:issue\"}";
    for (answer, expected) in [
        (
            json("401 Unauthorized", "{\"message\":\"bad\"}"),
            "does not accept the token of GITEA_TOKEN: bad",
        ),
        (json("403 Forbidden", scope), "the token of GITEA_TOKEN may not open a pull request on"),
        (
            json("404 Not Found", "{\"message\":\"not found\"}"),
            "the repository acme/apps is not there on",
        ),
        (
            json("409 Conflict", "{\"message\":\"no\",\"errors\":[\"why\"]}"),
            "refused to open a pull request: no; why (409)",
        ),
        (json("422 x", "{}"), "no reason given (422)"),
        (json("423 Locked", "{\"message\":\"archived\"}"), "acme/apps is archived"),
        (
            json("403 x", "{\"message\":\"Repository was archived so is read-only.\"}"),
            "acme/apps is archived",
        ),
        (
            reply("200 OK", &["content-type: text/html; charset=utf-8"], "<html>"),
            "not its API: 200, text/html",
        ),
        (
            reply("404 Not Found", &["content-type: text/plain"], "404"),
            "not its API: 404, text/plain",
        ),
        (reply("401 x", &["content-type: text/html"], "<html>"), "not its API: 401, text/html"),
        (json("200 OK", "{]"), "something that is not its API: "),
        (
            reply("302 Found", &[login, "content-type: text/html"], "x"),
            "not its API: 302 to https://login.example",
        ),
        (
            reply("301 Moved", &["location: /api/v1/repos/new/home/pulls?a=b"], ""),
            "acme/apps has moved to new/home",
        ),
        (
            reply("307 Moved", &["location: /api/v1/repositories/12"], ""),
            "acme/apps has moved to repositories/12",
        ),
        (
            reply("302 Found", &["location: /api/v1/repos/acme/apps/pulls"], ""),
            "not its API: 302 to http://",
        ),
        (reply("302 Found", &[], ""), "302 to nowhere"),
        (reply("511 Login", &["content-type: text/html"], "x"), "511, text/html"),
    ] {
        for method in [Method::GET, Method::POST] {
            if method == Method::GET && answer.head.contains("511") {
                continue;
            }
            let (came, asked) = came(method, vec![answer.clone()]);
            let text = came.unwrap_err().to_string();
            assert!(text.contains(expected), "{text}");
            assert_eq!(asked, 1, "{text}");
        }
    }
    let (came, _) = came(Method::POST, vec![json("403 Forbidden", scope)]);
    let Err(ApiError::Forbidden { permission, .. }) = came else { panic!("{came:?}") };
    assert_eq!(permission.as_deref(), Some("write:issue"));
}

#[test]
fn the_token_goes_nowhere_else() {
    let other = Server::new(vec![json("200 OK", "[]")]);
    let location = format!("location: {}/api/v1/repos/acme/apps/pulls", other.url);
    let link = format!("link: <{}/api/v1/repos/acme/apps/pulls?page=2>; rel=\"next\"", other.url);
    let page = reply("200 OK", &["content-type: application/json", &link], "[1]");
    let server = Server::new(vec![page, reply("307 x", &[&location], "")]);
    let http = client_with(&server.url, quick(), false);
    let got = run(http.pages::<u32>(&ask(Method::GET), ("limit", 50), |body| body, |_| false));
    assert!(matches!(got, Err(ApiError::NotTheApi { .. })), "{got:?}");
    assert_eq!(server.seen().len(), 2);
    assert!(server.seen()[1].starts_with("GET /api/v1/repos/acme/apps/pulls?limit=50&page=2 "));
    assert_eq!(other.seen().len(), 0);
}

#[test]
fn pages() {
    let page = |headers: &[&str], body: &str| {
        let headers = [&["content-type: application/json"], headers].concat();
        reply("200 OK", &headers, body)
    };
    let next = "link: <x?page=2>; rel=\"next\",<x?page=3>; rel=\"last\"";
    let last = "link: <x?page=1>; rel=\"first\",<x?page=1>; rel=\"prev\"";
    let three = "x-total-count: 3";
    for (replies, expected) in [
        (vec![page(&[], "[1,2]")], (vec![1, 2], 1)),
        (
            vec![page(&[next], "[1]"), page(&[next], "[2]"), page(&[last], "[3]")],
            (vec![1, 2, 3], 3),
        ),
        (
            vec![page(&[three], "[1]"), page(&[three], "[2]"), page(&[three], "[3]")],
            (vec![1, 2, 3], 3),
        ),
        // One that may not be seen is counted.
        (vec![page(&[three], "[1,2]"), page(&[three], "[]")], (vec![1, 2], 2)),
        (
            vec![
                page(&[three], "[]"),
                page(&[three], "[2]"),
                page(&[three], "[3]"),
                page(&[three], "[]"),
            ],
            (vec![2, 3], 4),
        ),
        (vec![page(&["x-total-count: 0"], "[]")], (vec![], 1)),
    ] {
        let server = Server::new(replies);
        let http = client_with(&server.url, quick(), false);
        let got = run(http.pages::<u32>(&ask(Method::GET), ("limit", 50), |body| body, |_| false));
        assert_eq!((got.unwrap(), server.seen().len()), expected);
    }
    let server = Server::new(vec![page(&[next], "[7]")]);
    let http = client_with(&server.url, quick(), false);
    let list = |body| body;
    let enough = |found: &[u32]| found.len() == 2;
    assert_eq!(run(http.pages(&ask(Method::GET), ("limit", 1), list, enough)).unwrap(), [7, 7]);
    // A server that never ends.
    let got = run(http.pages::<u32>(&ask(Method::GET), ("limit", 1), list, |_| false));
    assert!(matches!(got, Err(ApiError::Unanswered { .. })), "{got:?}");
}

#[test]
fn bounds_of_time_and_size() {
    let slow = Reply { slow: Duration::from_millis(400), ..json("200 OK", "{\"a\":1}") };
    let server = Server::new(vec![slow]);
    let patience = Patience { answer: Duration::from_millis(600), tries: 2, ..quick() };
    let http = client_with(&server.url, patience, false);
    let before = Instant::now();
    let error = run(http.get::<Value>(&ask(Method::GET))).unwrap_err().to_string();
    assert!(error.ends_with("no answer in time"), "{error}");
    assert_eq!(server.seen().len(), 2);
    assert!(before.elapsed() < Duration::from_secs(4));
    // Nobody there: even a write may be tried again.
    let http = client_with("http://127.0.0.1:1", quick(), false);
    let error = run(http.get::<Value>(&ask(Method::POST))).unwrap_err();
    assert!(matches!(error, ApiError::Unanswered { .. }), "{error:?}");
    assert_eq!(http.trace().count(), 3);
}

#[test]
fn an_answer_without_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[";
        let _ = stream.write_all(head.as_bytes());
        let zeros = vec![b' '; 1 << 20];
        while stream.write_all(&zeros).is_ok() {}
    });
    let http = client_with(&url, quick(), false);
    let error = run(http.get::<Value>(&ask(Method::GET))).unwrap_err().to_string();
    assert!(error.ends_with("more than 64 MiB"), "{error}");
}

#[test]
fn a_clock_that_is_off() {
    let date = "date: Thu, 01 Jan 2026 00:10:00 GMT";
    let answer = reply("401 x", &["content-type: application/json", date], "{\"message\":\"no\"}");
    for signed in [true, false] {
        let server = Server::new(vec![answer.clone()]);
        let http = client_with(&server.url, quick(), signed);
        let error = run(http.get::<Value>(&ask(Method::GET))).unwrap_err();
        match signed {
            true => assert!(matches!(error, ApiError::Clock { seconds: -600, .. }), "{error:?}"),
            false => assert!(matches!(error, ApiError::Unauthorized { .. }), "{error:?}"),
        }
    }
}
