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
mod server;
mod shapes;
mod stage;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use gitops_forge::App;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::stage::{Guard, Who};
use rest::Asker;
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
    /// How many documents are refused for their number, and the seconds to wait.
    limited: (u32, i64),
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
            limited: (0, 0),
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

    /// The next documents are refused for their number, for so many seconds.
    pub fn limit(&self, documents: u32, seconds: i64) {
        self.lock().limited = (documents, seconds);
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

    /// The key of that App, as PEM.
    pub fn app_key(&self) -> Option<String> {
        self.app()?;
        self.lock().key.clone()
    }

    /// The App may do this much: `contents` and `write`.
    pub fn permit(&self, permissions: &[(&'static str, &str)]) {
        let level = |word: &str| if word == "read" { Level::Read } else { Level::Write };
        for one in &mut self.lock().world.applications {
            one.permissions = permissions.iter().map(|(name, word)| (*name, level(word))).collect();
        }
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
}

fn rules(guard: &Guard) -> Rules {
    Rules {
        contexts: guard.contexts.clone(),
        approvals: guard.approvals,
        no_push: guard.no_push,
        ..Rules::default()
    }
}
