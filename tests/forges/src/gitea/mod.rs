//! A real Gitea as a stage.

mod server;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;

use gitops_core::gate::Verdict;
use gitops_forge::{ForgeToken, Kind};
use serde_json::{Value, json};

use crate::stage::{Guard, May, Stage, Who};
use server::{Auth, PASSWORD, Server};

/// The organisation of the tests.
const OWNER: &str = "acme";

/// A Gitea with an organisation and four users.
#[derive(Debug)]
pub struct Gitea {
    server: Server,
    admin: Auth,
    tokens: BTreeMap<&'static str, String>,
    reading: String,
}

/// The Gitea of this test program, started by whoever asks first. `None`, and a
/// line on stderr, where `GITOPS_GITEA` names none.
///
/// # Panics
///
/// Where it names one that does not come up.
pub fn gitea() -> Option<&'static Gitea> {
    static GITEA: OnceLock<Option<Gitea>> = OnceLock::new();
    let found = GITEA.get_or_init(|| match std::env::var_os("GITOPS_GITEA") {
        Some(program) => Some(Gitea::start(&PathBuf::from(program))),
        None => {
            // Past the capture of the test runner; a closed stderr fails no test.
            let _ = writeln!(std::io::stderr().lock(), "skipped: GITOPS_GITEA is not set");
            None
        }
    });
    found.as_ref()
}

impl Gitea {
    /// One of a caller's own.
    ///
    /// # Panics
    ///
    /// Where it does not come up.
    pub fn start(program: &std::path::Path) -> Gitea {
        let server = Server::start(program).unwrap_or_else(|error| panic!("{error}"));
        let new = ["admin", "user", "create", "--admin", "--must-change-password=false"];
        let rest = ["--username", "root", "--password", PASSWORD, "--email", "root@example.test"];
        server.run(&[&new[..], &rest[..]].concat()).unwrap_or_else(|error| panic!("{error}"));
        let admin = Auth::Login("root");
        let mut gitea = Gitea { server, admin, tokens: BTreeMap::new(), reading: String::new() };
        gitea.admin = Auth::Token(gitea.new_token("root", &["all"]));
        for who in Who::ALL {
            let user = json!({
                "username": who.login(), "email": who.mail(), "password": PASSWORD,
                "must_change_password": false,
            });
            gitea.done(201, "POST", "/admin/users", user);
            let token = gitea.new_token(who.login(), &["all"]);
            gitea.tokens.insert(who.login(), token);
        }
        gitea.reading = gitea.new_token("bot", &["read:repository"]);
        gitea.done(201, "POST", "/orgs", json!({"username": OWNER}));
        gitea.new_team("developers", "write", &[Who::Bot, Who::Alice, Who::Bob]);
        gitea.new_team("readers", "read", &[Who::Carol]);
        gitea
    }

    /// A token with these scopes.
    pub fn new_token(&self, login: &'static str, scopes: &[&str]) -> String {
        let name = scopes.join(" ");
        let path = format!("/users/{login}/tokens");
        let body = json!({"name": name, "scopes": scopes});
        let (status, answer) = self.server.call(&Auth::Login(login), "POST", &path, body);
        assert_eq!(status, 201, "{answer}");
        answer["sha1"].as_str().expect("a token").to_owned()
    }

    fn new_team(&self, name: &str, permission: &str, members: &[Who]) {
        let units = ["repo.code", "repo.pulls", "repo.issues"];
        let team = self.done(
            201,
            "POST",
            &format!("/orgs/{OWNER}/teams"),
            json!({
                "name": name, "permission": permission, "units": units,
                "includes_all_repositories": true,
            }),
        );
        for who in members {
            let path = format!("/teams/{}/members/{}", team["id"], who.login());
            self.done(204, "PUT", &path, Value::Null);
        }
    }

    /// A call of the administrator that must be answered so.
    ///
    /// # Panics
    ///
    /// Where it is answered otherwise.
    #[track_caller]
    pub fn done(&self, expected: u16, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.server.call(&self.admin, method, path, body);
        assert_eq!(status, expected, "{method} {path}: {answer}");
        answer
    }

    /// A call of a user.
    pub fn call(&self, who: Who, method: &str, path: &str, body: Value) -> (u16, Value) {
        let token = Auth::Token(self.tokens[who.login()].clone());
        self.server.call(&token, method, path, body)
    }

    /// Where its ssh server is asked for a repository, as user `git`.
    pub fn ssh(&self, repository: &str) -> String {
        format!("ssh://git@127.0.0.1:{}/{OWNER}/{repository}.git", self.server.ssh_port)
    }

    /// A user's token for everything.
    pub fn secret(&self, who: Who) -> &str {
        &self.tokens[who.login()]
    }
}

impl Stage for Gitea {
    fn kind(&self) -> Kind {
        Kind::Gitea
    }

    fn web(&self) -> String {
        self.server.web()
    }

    fn owner(&self) -> &str {
        OWNER
    }

    fn token(&self, may: May, origin: &str) -> ForgeToken {
        let secret = match may {
            May::All => self.tokens["bot"].clone(),
            May::Read => self.reading.clone(),
            May::Nothing => "0123456789abcdef0123456789abcdef01234567".into(),
        };
        let (user, variable) = ("x-access-token", "GITEA_TOKEN");
        ForgeToken { origin: origin.to_owned(), user, variable, secret }
    }

    fn make(&self, repository: &str) {
        let body = json!({"name": repository, "default_branch": "main", "auto_init": false});
        self.done(201, "POST", &format!("/orgs/{OWNER}/repos"), body);
    }

    fn remote(&self, repository: &str, who: Who) -> String {
        let web = self.web();
        let at = web.trim_start_matches("http://");
        format!("http://{}:{}@{at}/{OWNER}/{repository}.git", who.login(), self.tokens[who.login()])
    }

    fn label(&self, repository: &str, name: &str) {
        let body = json!({"name": name, "color": "#00aabb"});
        self.done(201, "POST", &format!("/repos/{OWNER}/{repository}/labels"), body);
    }

    fn team(&self, name: &str, members: &[Who]) {
        self.new_team(name, "read", members);
    }

    fn review(
        &self,
        repository: &str,
        number: u64,
        who: Who,
        verdict: Verdict,
    ) -> Result<(), String> {
        let event = match verdict {
            Verdict::Approved => "APPROVED",
            Verdict::ChangesRequested => "REQUEST_CHANGES",
            Verdict::Commented => "COMMENT",
            Verdict::Dismissed => panic!("nobody writes a dismissed review"),
        };
        let path = format!("/repos/{OWNER}/{repository}/pulls/{number}/reviews");
        let body = json!({"event": event, "body": "words"});
        match self.call(who, "POST", &path, body) {
            (200, _) => Ok(()),
            (_, answer) => Err(answer["message"].as_str().unwrap_or_default().to_owned()),
        }
    }

    fn dismiss(&self, repository: &str, number: u64, who: Who) {
        let path = format!("/repos/{OWNER}/{repository}/pulls/{number}/reviews");
        let reviews = self.done(200, "GET", &path, Value::Null);
        let own = |review: &&Value| review["user"]["login"] == who.login();
        let last = reviews.as_array().expect("a list").iter().rfind(own).expect("a review");
        let path = format!("{path}/{}/dismissals", last["id"]);
        self.done(200, "POST", &path, json!({"message": "gone", "priors": false}));
    }

    fn guard(&self, repository: &str, branch: &str, guard: &Guard) {
        let body = json!({
            "rule_name": branch,
            "enable_push": !guard.no_push,
            "required_approvals": guard.approvals,
            "enable_status_check": !guard.contexts.is_empty(),
            "status_check_contexts": guard.contexts,
            "dismiss_stale_approvals": false,
            "block_on_rejected_reviews": false,
        });
        self.done(201, "POST", &format!("/repos/{OWNER}/{repository}/branch_protections"), body);
    }

    fn archive(&self, repository: &str) {
        self.done(200, "PATCH", &format!("/repos/{OWNER}/{repository}"), json!({"archived": true}));
    }

    fn rename(&self, repository: &str, to: &str) {
        self.done(200, "PATCH", &format!("/repos/{OWNER}/{repository}"), json!({"name": to}));
    }

    fn fork(&self, repository: &str, who: Who, branch: &str) -> u64 {
        let call = |method: &str, path: String, body: Value| {
            let (status, answer) = self.call(who, method, &path, body);
            assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
            answer
        };
        let own = format!("{}-{repository}", who.login());
        call("POST", format!("/repos/{OWNER}/{repository}/forks"), json!({"name": own}));
        call(
            "POST",
            format!("/repos/{}/{own}/contents/from-a-fork", who.login()),
            json!({"content": "eA==", "message": "fork", "branch": "main", "new_branch": branch}),
        );
        let head = format!("{}:{branch}", who.login());
        let body = json!({"title": "from a fork", "head": head, "base": "main"});
        let opened = call("POST", format!("/repos/{OWNER}/{repository}/pulls"), body);
        opened["number"].as_u64().expect("a number")
    }
}
