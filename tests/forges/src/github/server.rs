//! From a connection to an answer: who asks, which API, or Git itself.

use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::contract::contract;
use super::rest::{self, Asker, Raw, Reply};
use super::shapes::Places;
use super::world::{Grant, Level};
use super::{GitHub, Seen, State, git, graphql};
use crate::wire::Message;

impl GitHub {
    /// Addresses are below `/api/v3` where it was asked there.
    pub(super) fn places(&self, enterprise: bool) -> Places {
        let api = if enterprise { format!("{}/api/v3", self.web()) } else { self.web() };
        Places { web: self.web(), api }
    }

    pub(super) fn exchange(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let Some(request) = Message::read(&stream)? else { return Ok(()) };
        let (method, target) = request.words();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path.contains(".git/") {
            return self.git(&request, path)?.write(&mut stream);
        }
        let body = match request.body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&request.body).unwrap_or(Value::Null),
        };
        self.lock().seen.push(Seen {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: request.headers.clone(),
            body: body.clone(),
        });
        let mut reply = self.api(&request, method, path, query, body);
        let state = self.lock();
        let date = state.world.now();
        drop(state);
        let date = jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&date)
            .unwrap_or_default();
        // GitHub docs, "Rate limits for the REST API".
        reply = reply
            .with("date", date)
            .with("x-github-api-version-selected", "2022-11-28")
            .with("x-ratelimit-limit", "5000");
        if !reply.headers.iter().any(|(name, _)| name == "x-ratelimit-remaining") {
            reply =
                reply.with("x-ratelimit-remaining", "4999").with("x-ratelimit-reset", "4102444800");
        }
        let json = ("content-type".to_owned(), "application/json; charset=utf-8".to_owned());
        reply.headers.push(json);
        let answer = Message {
            start: format!("HTTP/1.1 {} x", reply.status),
            headers: reply.headers,
            body: reply.body.to_string().into_bytes(),
        };
        answer.write(&mut stream)
    }

    /// The APIs, below `/api/v3` and `/api/graphql` as an Enterprise server has them,
    /// and at the root as `api.github.com` does.
    fn api(&self, request: &Message, method: &str, path: &str, query: &str, body: Value) -> Reply {
        // GitHub docs, "Getting started with the REST API", "User agent".
        if request.header("user-agent").is_none_or(str::is_empty) {
            let words = "Request forbidden by administrative rules. Please make sure your \
                         request has a User-Agent header";
            return Reply::refused(403, words);
        }
        // "API Versions": one that is not known is refused.
        if request.header("x-github-api-version").is_some_and(|version| version != "2022-11-28") {
            return Reply::refused(400, "The API version is not supported.");
        }
        let secret = request.header("authorization").unwrap_or_default();
        let secret = secret.strip_prefix("Bearer ").or_else(|| secret.strip_prefix("token "));
        let secret = secret.unwrap_or_default().to_owned();
        let below = path.strip_prefix("/api/v3");
        let places = self.places(below.is_some());
        let rest = below.unwrap_or(path);
        if secret.starts_with("ey") {
            return self.of_app(&places, &secret, method, rest, body);
        }
        let asker = match self.asker(&secret) {
            Ok(asker) => asker,
            Err(reply) => return reply,
        };
        if method == "POST" && matches!(path, "/graphql" | "/api/graphql") {
            return self.graphql(&places, &asker, &body);
        }
        self.rest(&places, &asker, method, rest, query, body)
    }

    /// Who a token belongs to.
    ///
    /// Source: GitHub docs, "Authenticating to the REST API", "Failed login limit".
    fn asker(&self, secret: &str) -> Result<Asker, Reply> {
        let state = self.lock();
        let no = |words: &str| Err(Reply::refused(401, words));
        if secret.is_empty() {
            return no("Requires authentication");
        }
        let Some(token) = state.world.tokens.get(secret) else { return no("Bad credentials") };
        if let Grant::Installation { expires, .. } = &token.grant
            && *expires <= state.world.now()
        {
            return no("Bad credentials");
        }
        Ok(Asker { login: token.login.clone(), grant: token.grant.clone() })
    }

    fn graphql(&self, places: &Places, asker: &Asker, body: &Value) -> Reply {
        let mut state = self.lock();
        if state.limited.0 > 0 {
            state.limited.0 -= 1;
            // GitHub docs, "Rate limits and query limits for the GraphQL API": 200, and
            // nothing was done.
            let reset = state.world.now().as_second() + state.limited.1;
            let error = serde_json::json!({
                "type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 1.",
            });
            return Reply::new(200, serde_json::json!({ "errors": [error] }))
                .with("x-ratelimit-remaining", "0")
                .with("x-ratelimit-reset", reset.to_string());
        }
        let text = body["query"].as_str().unwrap_or_default().to_owned();
        let State { world, cap, wrong, .. } = &mut *state;
        let mut found = contract().map(|known| known.document(&text)).unwrap_or_default();
        let data = graphql::run(world, places, asker, body, *cap);
        found.extend(contract().into_iter().flat_map(|known| known.data(&text, &data)));
        match found.is_empty() {
            true => Reply::new(200, data),
            false => broken(wrong, found),
        }
    }

    pub(super) fn rest(
        &self,
        places: &Places,
        asker: &Asker,
        method: &str,
        path: &str,
        query: &str,
        body: Value,
    ) -> Reply {
        let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let raw = Raw {
            method: method.to_owned(),
            path: pieces(path),
            query: query.clone(),
            body: body.clone(),
        };
        let mut state = self.lock();
        let State { world, cap, wrong, .. } = &mut *state;
        if let [one, id] = &raw.path[..]
            && one == "repositories"
        {
            let id: u64 = id.parse().unwrap_or_default();
            let at = world.repositories.iter().position(|repository| repository.id == id);
            return match at.filter(|at| rest::sees(world, asker, *at)) {
                Some(at) => {
                    let there = &world.repositories[at];
                    Reply::new(200, places.full_repository(world, there))
                }
                None => Reply::refused(404, "Not Found"),
            };
        }
        let (route, reply) = rest::answer(world, places, asker, raw, *cap);
        let (Some(route), Some(known)) = (route, contract()) else { return reply };
        let template = route.full();
        let mut found = Vec::new();
        // What is refused may have been asked in any way.
        if reply.status < 300 {
            found.extend(known.request(method, &template, &query, &body));
        }
        found.extend(known.answer(method, &template, reply.status, &reply.body));
        match found.is_empty() {
            true => reply,
            false => broken(wrong, found),
        }
    }

    /// Git's own requests, for who shows a token as the password.
    fn git(&self, request: &Message, path: &str) -> std::io::Result<Message> {
        let shown = request.header("authorization").and_then(|value| {
            let value = value.strip_prefix("Basic ")?;
            String::from_utf8(STANDARD.decode(value).ok()?).ok()
        });
        let secret = shown.as_deref().and_then(|shown| shown.split_once(':')).map(|(_, it)| it);
        let no = |status: &str, words: &str| Message {
            start: format!("HTTP/1.1 {status}"),
            headers: vec![
                ("www-authenticate".into(), "Basic realm=\"GitHub\"".into()),
                // Git shows plain text, as `remote: …`.
                ("content-type".into(), "text/plain; charset=UTF-8".into()),
            ],
            body: words.as_bytes().to_vec(),
        };
        let Some(Ok(asker)) = secret.map(|secret| self.asker(secret)) else {
            return Ok(no("401 Unauthorized", "Invalid username or token."));
        };
        let push = path.ends_with("git-receive-pack")
            || request.words().1.ends_with("service=git-receive-pack");
        let pieces = pieces(path);
        let name = pieces.get(1).map(|name| name.trim_end_matches(".git").to_owned());
        let state = self.lock();
        let world = &state.world;
        let owner = pieces.first().map(String::as_str).unwrap_or_default();
        let name = name.unwrap_or_default();
        let at = world.find(owner, &name).or_else(|| world.find_former(owner, &name));
        let Some(at) = at.filter(|at| rest::sees(world, &asker, *at)) else {
            return Ok(no("404 Not Found", "Repository not found."));
        };
        let repository = &world.repositories[at];
        let level = if push { Level::Write } else { Level::Read };
        let role = match asker.grant {
            Grant::Installation { .. } => Level::Write,
            _ => repository.roles.get(&asker.login).copied().unwrap_or(Level::Read),
        };
        if role < level || !rest::allows(&asker.grant, "contents", level) {
            return Ok(no("403 Forbidden", "Permission to the repository denied."));
        }
        if push && repository.archived {
            let words = "This repository was archived so it is read-only.";
            return Ok(no("403 Forbidden", words));
        }
        // Where it is on the disk does not change with its name.
        let folder = repository.git.path().to_owned();
        drop(state);
        let root = folder.parent().unwrap_or(&folder).to_owned();
        let file = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let mut request = request.clone();
        let (method, target) = request.words();
        let rest = target.split_once(".git/").map(|(_, rest)| rest).unwrap_or_default();
        request.start = format!("{method} /{file}/{rest} HTTP/1.1");
        git::smart_http(&root, &request, &asker.login)
    }
}

/// An answer that no program takes for a success, and the words are in its errors.
pub(super) fn broken(wrong: &mut Vec<String>, found: Vec<String>) -> Reply {
    let reply = Reply::refused(500, &format!("not GitHub's API: {}", found.join("; ")));
    wrong.extend(found);
    reply
}

/// The pieces of a path, decoded.
pub(super) fn pieces(path: &str) -> Vec<String> {
    let decoded = |piece: &str| {
        let text = format!("x={}", piece.replace('+', "%2B"));
        let (_, value) = url::form_urlencoded::parse(text.as_bytes()).next().unwrap_or_default();
        value.into_owned()
    };
    path.trim_matches('/').split('/').filter(|piece| !piece.is_empty()).map(decoded).collect()
}
