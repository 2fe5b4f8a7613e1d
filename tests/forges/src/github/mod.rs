//! A GitHub on loopback: its APIs as far as they are asked, in front of real
//! repositories that Git can push to.
//!
//! What it answers has the shape of GitHub's own description, and is held to it where
//! that is there ([`contract()`]). How it behaves is ours: each rule names where it
//! is from. What it cannot show stands in ARCHITECTURE.md.

mod app;
mod commits;
mod contract;
mod git;
mod graphql;
mod issues;
mod pulls;
mod rest;
mod shapes;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gitops_core::gate::Verdict;
use gitops_forge::{Api, ApiError, App, Forge, ForgeToken, Kind, Settings, connect, connect_app};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::stage::{Guard, May, Stage, Who};
use crate::wire::Message;
use git::Bare;
use rest::{Asker, Raw, Reply};
use shapes::Places;
use world::{Application, Check, Grant, Level, Repository, Rules, Token, World};

pub use contract::{Contract, contract};

/// The organisation of the tests.
const OWNER: &str = "acme";

/// The name that the App has in what it does.
const APP: &str = "gitops[bot]";

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub target: String,
    /// The headers, names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body; null where there is none.
    pub body: Value,
}

impl Seen {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A GitHub with an organisation and four users.
#[derive(Clone, Debug)]
pub struct GitHub {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    way: Way,
}

/// How programs come to it.
#[derive(Clone, Debug)]
enum Way {
    /// With a token, and the APIs at the root as `api.github.com` has them.
    Plain,
    /// With a token, and the APIs below `/api` as an Enterprise server has them.
    Enterprise,
    /// As an App, with the APIs at the root.
    App(App),
}

#[derive(Debug)]
struct State {
    world: World,
    /// Where the repositories are; it goes with the last one who knows it.
    folder: tempfile::TempDir,
    seen: Vec<Seen>,
    wrong: Vec<String>,
    cap: usize,
    /// The key of the App, where there is one.
    key: Option<String>,
}

/// The GitHub of this test program, started by whoever asks first.
pub fn github() -> &'static GitHub {
    static GITHUB: OnceLock<GitHub> = OnceLock::new();
    GITHUB.get_or_init(GitHub::start)
}

impl GitHub {
    /// A new one. It lives as long as the process.
    ///
    /// # Panics
    ///
    /// Where no port is to be had.
    pub fn start() -> GitHub {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let mut world = World::default();
        for login in Who::ALL.map(Who::login).into_iter().chain(["root"]) {
            let id = world.next();
            world.users.insert(login.to_owned(), (id, "User"));
            let scopes = vec!["repo", "read:org"];
            let token = Token { login: login.to_owned(), grant: Grant::Classic(scopes) };
            world.tokens.insert(format!("ghp_{login}"), token);
        }
        for (name, kind) in [(OWNER, "Organization"), (APP, "Bot")] {
            let id = world.next();
            world.users.insert(name.to_owned(), (id, kind));
        }
        let reading = BTreeMap::from([
            ("contents", Level::Read),
            ("pull_requests", Level::Read),
            ("statuses", Level::Read),
            ("checks", Level::Read),
        ]);
        let token = Token { login: "bot".to_owned(), grant: Grant::Fine(reading) };
        world.tokens.insert("github_pat_reading".to_owned(), token);
        let state = State {
            world,
            folder: tempfile::tempdir().expect("a folder"),
            seen: Vec::new(),
            wrong: Vec::new(),
            cap: usize::MAX,
            key: None,
        };
        let state = Arc::new(Mutex::new(state));
        let github = GitHub { address, state, way: Way::Plain };
        let own = github.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                // A client that goes away ends its own exchange.
                thread::spawn(move || drop(own.exchange(stream)));
            }
        });
        github
    }

    /// Where its web pages and its repositories stand, and below `/api` its APIs.
    pub fn web(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same, whose APIs stand where an Enterprise server has them.
    pub fn as_enterprise(&self) -> GitHub {
        GitHub { way: Way::Enterprise, ..self.clone() }
    }

    /// The same for a program that is an App. `None`, and a line on stderr, where no
    /// key can be made.
    pub fn as_app(&self) -> Option<GitHub> {
        Some(GitHub { way: Way::App(self.app()?), ..self.clone() })
    }

    /// What came since it was last asked.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.lock().seen)
    }

    /// What was not as GitHub describes it, of what was asked and answered.
    pub fn wrong(&self) -> Vec<String> {
        self.lock().wrong.clone()
    }

    /// No list has more entries a page than this.
    pub fn cap(&self, entries: usize) {
        self.lock().cap = entries;
    }

    /// Its clock is ahead of ours by so many seconds.
    pub fn ahead(&self, seconds: i64) {
        self.lock().world.ahead = SignedDuration::from_secs(seconds);
    }

    /// A token of a user with fine-grained permissions: `contents` and `write`.
    pub fn fine(&self, who: Who, name: &str, permissions: &[(&'static str, &str)]) -> String {
        let level = |word: &str| if word == "read" { Level::Read } else { Level::Write };
        let permissions = permissions.iter().map(|(name, word)| (*name, level(word))).collect();
        let token = Token { login: who.login().to_owned(), grant: Grant::Fine(permissions) };
        self.issue(format!("github_pat_{name}"), token)
    }

    /// A classic token of a user with these scopes.
    pub fn classic(&self, who: Who, name: &str, scopes: &[&'static str]) -> String {
        let grant = Grant::Classic(scopes.to_vec());
        self.issue(format!("ghp_{name}"), Token { login: who.login().to_owned(), grant })
    }

    fn issue(&self, secret: String, token: Token) -> String {
        self.lock().world.tokens.insert(secret.clone(), token);
        secret
    }

    /// Takes a token away.
    pub fn revoke(&self, secret: &str) {
        self.lock().world.tokens.remove(secret);
    }

    /// Takes away all tokens of the App's installation.
    pub fn revoke_installations(&self) {
        self.lock().world.tokens.retain(|secret, _| !secret.starts_with("ghs_"));
    }

    /// The App of the tests, installed on all repositories of the organisation.
    /// `None`, and a line on stderr, where no key can be made.
    pub fn app(&self) -> Option<App> {
        let mut state = self.lock();
        if state.key.is_none() {
            let (pem, public) = app::key()?;
            state.key = Some(pem);
            let permissions = ["contents", "pull_requests", "statuses", "checks", "members"];
            state.world.applications.push(Application {
                id: 4711,
                installation: 42,
                key: public,
                permissions: permissions.map(|name| (name, Level::Write)).into(),
                repositories: None,
            });
        }
        let pem = state.key.clone().unwrap_or_default();
        Some(App::new(self.web(), "4711".to_owned(), &pem, None).expect("it was just made"))
    }

    /// The App is installed on these repositories alone.
    pub fn install_on(&self, names: &[&str]) {
        let names: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        for one in &mut self.lock().world.applications {
            one.repositories = Some(names.clone());
        }
    }

    /// A check run of a commit; `conclusion` is `None` while it runs.
    pub fn check(&self, repository: &str, sha: &str, name: &str, conclusion: Option<&str>) {
        self.with(repository, |repository, _| {
            repository.checks.push(Check {
                sha: sha.to_owned(),
                name: name.to_owned(),
                status: if conclusion.is_some() { "completed" } else { "in_progress" }.to_owned(),
                conclusion: conclusion.map(str::to_owned),
            });
        });
    }

    /// The guard of a branch is a ruleset, which may have a merge queue.
    pub fn ruleset(&self, repository: &str, branch: &str, guard: &Guard, queue: bool) {
        let mut rules = rules(guard);
        rules.ruleset = true;
        rules.queue = queue;
        self.rule(repository, branch, rules);
    }

    /// The guard of a branch is seen by administrators alone.
    pub fn hidden(&self, repository: &str, branch: &str, guard: &Guard) {
        self.rule(repository, branch, Rules { hidden: true, ..rules(guard) });
    }

    /// A push dismisses the approvals of requests into a branch.
    pub fn dismiss_stale(&self, repository: &str, branch: &str) {
        self.with(repository, |repository, _| {
            repository.rules.entry(branch.to_owned()).or_default().dismiss_stale = true;
        });
    }

    /// Whether auto-merge and squash merges are allowed.
    pub fn allow(&self, repository: &str, auto_merge: bool, squash: bool) {
        self.with(repository, |repository, _| {
            repository.auto_merge = auto_merge;
            repository.squash = squash;
        });
    }

    /// While the next merge of this request is made, somebody pushes to its base.
    pub fn move_base(&self, number: u64) {
        self.lock().world.base_moves.insert(number);
    }

    /// The commit of a branch.
    pub fn branch(&self, repository: &str, branch: &str) -> Option<String> {
        let mut found = None;
        self.with(repository, |repository, _| found = repository.git.branch(branch));
        found
    }

    /// Takes a branch away.
    pub fn delete_branch(&self, repository: &str, branch: &str) {
        self.with(repository, |repository, _| repository.git.delete(branch));
    }

    /// A call of a user, as it comes back.
    pub fn call(&self, who: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let asker =
            Asker { login: who.to_owned(), grant: Grant::Classic(vec!["repo", "read:org"]) };
        let reply = self.rest(&self.places(false), &asker, method, path, "", body);
        (reply.status, reply.body)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(&self, repository: &str, change: impl FnOnce(&mut Repository, Timestamp)) {
        let mut state = self.lock();
        let now = state.world.now();
        let at = state.world.find(OWNER, repository).expect("the repository is there");
        change(&mut state.world.repositories[at], now);
    }

    fn rule(&self, repository: &str, branch: &str, rules: Rules) {
        self.with(repository, |repository, _| {
            repository.rules.insert(branch.to_owned(), rules);
            let closed = repository.rules.iter().filter(|(_, rules)| rules.no_push);
            let closed: Vec<String> = closed.map(|(name, _)| name.clone()).collect();
            repository.git.protect(&closed);
        });
    }

    /// Addresses are below `/api/v3` where it was asked there.
    fn places(&self, enterprise: bool) -> Places {
        let api = if enterprise { format!("{}/api/v3", self.web()) } else { self.web() };
        Places { web: self.web(), api }
    }

    fn exchange(&self, mut stream: TcpStream) -> std::io::Result<()> {
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
            .with("x-ratelimit-limit", "5000")
            .with("x-ratelimit-remaining", "4999")
            .with("x-ratelimit-reset", "4102444800");
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

    fn rest(
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
            headers: vec![("www-authenticate".into(), "Basic realm=\"GitHub\"".into())],
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
fn broken(wrong: &mut Vec<String>, found: Vec<String>) -> Reply {
    let reply = Reply::refused(500, &format!("not GitHub's API: {}", found.join("; ")));
    wrong.extend(found);
    reply
}

/// The pieces of a path, decoded.
fn pieces(path: &str) -> Vec<String> {
    let decoded = |piece: &str| {
        let text = format!("x={}", piece.replace('+', "%2B"));
        let (_, value) = url::form_urlencoded::parse(text.as_bytes()).next().unwrap_or_default();
        value.into_owned()
    };
    path.trim_matches('/').split('/').filter(|piece| !piece.is_empty()).map(decoded).collect()
}

fn rules(guard: &Guard) -> Rules {
    Rules {
        contexts: guard.contexts.clone(),
        approvals: guard.approvals,
        no_push: guard.no_push,
        ..Rules::default()
    }
}

impl Stage for GitHub {
    fn kind(&self) -> Kind {
        Kind::GitHub
    }

    fn web(&self) -> String {
        GitHub::web(self)
    }

    fn owner(&self) -> &str {
        OWNER
    }

    fn token(&self, may: May, origin: &str) -> ForgeToken {
        let secret = match may {
            May::All => "ghp_bot",
            May::Read => "github_pat_reading",
            May::Nothing => "ghp_nobody",
        };
        ForgeToken {
            origin: origin.to_owned(),
            user: "x-access-token",
            variable: "GITHUB_TOKEN",
            secret: secret.to_owned(),
        }
    }

    fn connect(
        &self,
        forge: &Forge,
        token: &ForgeToken,
        settings: &Settings,
    ) -> Result<Box<dyn Api>, ApiError> {
        // Also where a proxy stands in between.
        let at_the_root = Settings { api: Some(forge.web.clone()), ..settings.clone() };
        match &self.way {
            Way::Plain => connect(forge, token, &at_the_root),
            Way::Enterprise => connect(forge, token, settings),
            Way::App(app) => {
                let mut app = app.clone();
                app.origin.clone_from(&forge.web);
                connect_app(forge, &app, &at_the_root)
            }
        }
    }

    fn finding(&self) -> (&'static str, &'static str) {
        ("POST", "/graphql")
    }

    fn make(&self, repository: &str) {
        let mut state = self.lock();
        let path = state.folder.path().join(OWNER).join(format!("{repository}.git"));
        let git = Bare::make(path);
        let roles = [
            ("root", Level::Admin),
            ("bot", Level::Write),
            ("alice", Level::Write),
            ("bob", Level::Write),
            ("carol", Level::Read),
        ];
        let id = state.world.next();
        state.world.repositories.push(Repository {
            id,
            owner: OWNER.to_owned(),
            name: repository.to_owned(),
            former: Vec::new(),
            git,
            archived: false,
            roles: roles.map(|(login, role)| (login.to_owned(), role)).into(),
            labels: BTreeSet::new(),
            pulls: BTreeMap::new(),
            comments: BTreeMap::new(),
            statuses: Vec::new(),
            checks: Vec::new(),
            rules: BTreeMap::new(),
            auto_merge: true,
            squash: true,
            fork: false,
        });
    }

    fn remote(&self, repository: &str, who: Who) -> String {
        let login = who.login();
        format!("http://{login}:ghp_{login}@{}/{OWNER}/{repository}.git", self.address)
    }

    fn label(&self, repository: &str, name: &str) {
        self.with(repository, |repository, _| {
            repository.labels.insert(name.to_owned());
        });
    }

    fn team(&self, name: &str, members: &[Who]) {
        let members = members.iter().map(|who| who.login().to_owned()).collect();
        self.lock().world.teams.insert(name.to_owned(), members);
    }

    fn review(
        &self,
        repository: &str,
        number: u64,
        who: Who,
        verdict: Verdict,
    ) -> Result<(), String> {
        let event = match verdict {
            Verdict::Approved => "APPROVE",
            Verdict::ChangesRequested => "REQUEST_CHANGES",
            Verdict::Commented => "COMMENT",
            Verdict::Dismissed => panic!("nobody writes a dismissed review"),
        };
        let path = format!("/repos/{OWNER}/{repository}/pulls/{number}/reviews");
        match self.call(who.login(), "POST", &path, json!({"event": event, "body": "words"})) {
            (200, _) => Ok(()),
            (_, answer) => {
                let words = answer["errors"][0].as_str().or(answer["message"].as_str());
                Err(words.unwrap_or_default().to_owned())
            }
        }
    }

    fn dismiss(&self, repository: &str, number: u64, who: Who) {
        let path = format!("/repos/{OWNER}/{repository}/pulls/{number}/reviews");
        let (_, reviews) = self.call("root", "GET", &path, Value::Null);
        let own = |review: &&Value| review["user"]["login"] == who.login();
        let last = reviews.as_array().expect("a list").iter().rfind(own).expect("a review");
        let path = format!("{path}/{}/dismissals", last["id"]);
        let (status, answer) = self.call("root", "PUT", &path, json!({"message": "gone"}));
        assert_eq!(status, 200, "{answer}");
    }

    fn guard(&self, repository: &str, branch: &str, guard: &Guard) {
        self.rule(repository, branch, rules(guard));
    }

    fn archive(&self, repository: &str) {
        let path = format!("/repos/{OWNER}/{repository}");
        let (status, answer) = self.call("root", "PATCH", &path, json!({"archived": true}));
        assert_eq!(status, 200, "{answer}");
    }

    fn rename(&self, repository: &str, to: &str) {
        let path = format!("/repos/{OWNER}/{repository}");
        let (status, answer) = self.call("root", "PATCH", &path, json!({"name": to}));
        assert_eq!(status, 200, "{answer}");
    }

    fn fork(&self, repository: &str, who: Who, branch: &str) -> u64 {
        let login = who.login();
        let path = format!("/repos/{OWNER}/{repository}");
        let (status, answer) = self.call(login, "POST", &format!("{path}/forks"), Value::Null);
        assert_eq!(status, 202, "{answer}");
        let state = self.lock();
        let at = state.world.find(login, repository).expect("it was just made");
        state.world.repositories[at].git.branch_off("main", branch);
        drop(state);
        let body = json!({
            "title": "From elsewhere", "head": format!("{login}:{branch}"), "base": "main",
        });
        let (status, answer) = self.call(login, "POST", &format!("{path}/pulls"), body);
        assert_eq!(status, 201, "{answer}");
        answer["number"].as_u64().expect("a number")
    }
}
