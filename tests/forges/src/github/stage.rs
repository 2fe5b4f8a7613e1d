//! The fake as a stage of the suite.

use std::collections::{BTreeMap, BTreeSet};

use gitops_core::gate::Verdict;
use gitops_forge::{
    Api, ApiError, Forge, ForgeToken, Installation, Kind, Settings, connect, connect_app,
};
use serde_json::{Value, json};

use super::git::Bare;
use super::world::{Level, Repository};
use super::{GitHub, OWNER, Way, rules};
use crate::stage::{Guard, May, Stage, Who};

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
                let installation = Installation::new(forge, &app, &at_the_root)?;
                connect_app(forge, &installation, &at_the_root)
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
