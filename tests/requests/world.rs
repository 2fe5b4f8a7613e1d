//! A repository on a forge, a clone of it, and what the forge says.

use std::sync::atomic::{AtomicU32, Ordering};

use gitops_forge::{Api, Comment, CommitStatus, Merge, MergeMethod, Merged, Request, Settings};
use gitops_test_forges::{Faults, May, Stage as Forge, Who};

use crate::stage::{Said, Stage};

pub const APPS: [&str; 3] = ["api", "job", "web"];

/// The environments of the stories: `dev` takes pushes, `uat` merges by itself,
/// `prod` wants an approval and people to merge, `live` an approval alone.
pub const ENVIRONMENTS: &str = "  - {name: dev, path: envs/dev, merge: direct}
  - {name: uat, path: envs/uat, merge: auto}
  - {name: prod, path: envs/prod, after: [dev], gates: [{approvals: 1}]}
  - {name: live, path: envs/live, after: [dev], merge: auto, gates: [{approvals: 1}]}
  - {name: plain, path: envs/plain, after: [dev]}
";

pub struct World {
    pub forge: &'static dyn Forge,
    pub here: Stage,
    pub repository: String,
    api: Box<dyn Api>,
    runtime: tokio::runtime::Runtime,
}

impl World {
    pub fn new(forge: &'static dyn Forge) -> World {
        World::with(forge, ENVIRONMENTS, &[])
    }

    /// One with these environments, and these files besides.
    pub fn with(forge: &'static dyn Forge, environments: &str, files: &[(&str, &str)]) -> World {
        World::of(forge, environments, &APPS, files)
    }

    /// One with these apps.
    pub fn of(
        forge: &'static dyn Forge,
        environments: &str,
        apps: &[&str],
        files: &[(&str, &str)],
    ) -> World {
        World::laid(forge, |world| {
            world.write(
                "gitops.yaml",
                &format!(
                    "apiVersion: kubectl-gitops.dev/v1alpha1\nkind: GitOps\n\
                     forge: {{kind: {}}}\n\
                     pullRequest: {{labels: [promotion], reviewers: [alice]}}\n\
                     environments:\n{environments}",
                    forge.kind()
                ),
            );
            for environment in ["dev", "uat", "prod", "live", "plain"] {
                let mut text = String::from("resources: [web.yaml]\nimages:\n");
                for app in apps {
                    text.push_str(&format!("- name: {app}\n  newTag: v1\n"));
                }
                world.write(&format!("envs/{environment}/kustomization.yaml"), &text);
                let pods: String = apps.iter().map(|app| pod(app)).collect();
                world.write(&format!("envs/{environment}/web.yaml"), &pods);
            }
            for (path, text) in files {
                world.write(path, text);
            }
        })
    }

    /// A repository of what is laid into the work tree.
    pub fn laid(forge: &'static dyn Forge, lay: impl FnOnce(&World)) -> World {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let repository = format!("shop-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        forge.make(&repository);
        forge.label(&repository, "promotion");
        let here = Stage::new();
        let mut world = World {
            forge,
            here,
            api: api(forge, &repository, &forge.web()),
            repository,
            runtime: tokio::runtime::Runtime::new().unwrap(),
        };
        world.token(May::All, &forge.web());
        lay(&world);
        let remote = forge.remote(&world.repository, Who::Bot);
        world.did(&format!(
            "git init -q -b main && git config user.name Bot && git config user.email {} \
             && git add -A && git commit -q -m start && git remote add origin '{remote}' \
             && git push -q origin main && git fetch -q && git remote set-head origin main",
            Who::Bot.mail()
        ));
        world
    }

    /// The bot's token for this address, by the environment.
    pub fn token(&mut self, may: May, web: &str) {
        let token = self.forge.token(may, web);
        let server = match token.variable {
            "GITEA_TOKEN" => "GITEA_SERVER_URL",
            _ => "GITHUB_SERVER_URL",
        };
        self.here.set(token.variable, token.secret);
        self.here.set(server, web);
    }

    /// From now on the program is run by that user.
    pub fn acts(&mut self, who: Who) {
        let remote = self.forge.remote(&self.repository, who);
        let secret = remote.split(['@']).next().and_then(|start| start.rsplit(':').next());
        let variable = self.forge.token(May::All, &self.forge.web()).variable;
        self.here.set(variable, secret.unwrap());
        let (name, mail) = (who.login(), who.mail());
        self.did(&format!(
            "git remote set-url origin '{remote}' && git config user.name {name} && git config user.email {mail}"
        ));
    }

    /// Which software the forge is, where no gitops.yaml can say it.
    pub fn said_by_the_environment(&mut self) {
        if self.forge.kind() == gitops_forge::Kind::GitHub {
            self.here.set("GH_HOST", self.forge.web());
        }
    }

    /// Puts a proxy between the program and the API.
    pub fn through_faults(&mut self) -> Faults {
        let faults = Faults::before(&self.forge.web());
        self.token(May::All, &faults.web());
        let text = std::fs::read_to_string(self.here.repo().join("gitops.yaml")).unwrap();
        let kind = format!("forge: {{kind: {}}}", self.forge.kind());
        let both = format!("forge: {{kind: {}, url: '{}'}}", self.forge.kind(), faults.web());
        self.write("gitops.yaml", &text.replace(&kind, &both));
        self.publish("the forge by way of a proxy");
        faults
    }

    pub fn write(&self, path: &str, text: &str) {
        let at = self.here.repo().join(path);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, text).unwrap();
    }

    /// Commits all of the work tree onto `main`, as somebody else than the bot.
    pub fn publish(&self, message: &str) {
        let mail = Who::Bob.mail();
        self.did(&format!(
            "git add -A && GIT_AUTHOR_NAME=Bob GIT_AUTHOR_EMAIL={mail} GIT_COMMITTER_NAME=Bob \
             GIT_COMMITTER_EMAIL={mail} git commit -q -m '{message}' && git push -q origin HEAD:main"
        ));
    }

    /// Takes `main` as the forge has it into the work tree.
    pub fn pull(&self) {
        self.did("git fetch -q origin && git reset -q --hard origin/main");
    }

    /// `newTag` of an app in an environment, on `main` from now on.
    pub fn set(&self, environment: &str, app: &str, tag: &str) {
        self.pull();
        let path = format!("envs/{environment}/kustomization.yaml");
        let text = std::fs::read_to_string(self.here.repo().join(&path)).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let at = lines.iter().position(|line| *line == format!("- name: {app}")).unwrap();
        lines[at + 1] = format!("  newTag: {tag}");
        self.write(&path, &format!("{}\n", lines.join("\n")));
        self.publish(&format!("{app} {tag} in {environment}"));
    }

    /// What an environment holds of an app on `main`.
    pub fn holds(&self, environment: &str, app: &str) -> String {
        self.did("git fetch -q origin");
        let text = self.did(&format!("git show origin/main:envs/{environment}/kustomization.yaml"));
        let mut lines = text.lines().skip_while(|line| *line != format!("- name: {app}"));
        lines.nth(1).unwrap().trim().trim_start_matches("newTag: ").to_owned()
    }

    /// A line that must work; what it answered.
    #[track_caller]
    pub fn did(&self, line: &str) -> String {
        let said = self.here.shell(line);
        assert_eq!(said.status, 0, "{line}\n{}{}", said.stdout, said.stderr);
        said.stdout
    }

    /// `kubectl gitops …`, as the bot. The clock is today's.
    pub fn gitops(&self, arguments: &str) -> Said {
        self.here.shell(&format!(
            "unset GIT_AUTHOR_DATE GIT_COMMITTER_DATE GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL \
             GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL; kubectl gitops {arguments}"
        ))
    }

    /// The same, which must end so.
    #[track_caller]
    pub fn ends(&self, status: i32, arguments: &str) -> Said {
        let said = self.gitops(arguments);
        assert_eq!(said.status, status, "{arguments}\n{}{}", said.stdout, said.stderr);
        said
    }

    /// All requests of an app into an environment, the newest first.
    pub fn requests(&self, app: &str, environment: &str) -> Vec<Request> {
        let branch = format!("release/{app}/{environment}");
        self.ask(self.api.requests(&branch, "main"))
    }

    /// The only one.
    #[track_caller]
    pub fn request(&self, app: &str, environment: &str) -> Request {
        let mut all = self.requests(app, environment);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// A person's merge of a request, under a subject of their own.
    pub fn press_merge(&self, request: &Request, subject: &str) -> String {
        let merge = Merge {
            method: MergeMethod::Squash,
            head: request.head_commit.clone(),
            title: subject.to_owned(),
            message: String::new(),
        };
        for _ in 0..50 {
            match self.ask(self.api().merge(request.number, &merge)) {
                Merged::Done(_) => return self.tip("main"),
                // It is still finding out whether it can.
                Merged::NotYet(_) => std::thread::sleep(std::time::Duration::from_millis(100)),
                other => panic!("{other:?}"),
            }
        }
        panic!("#{} is never ready", request.number);
    }

    pub fn comments(&self, number: u64) -> Vec<Comment> {
        self.ask(self.api.comments(number))
    }

    /// The only one.
    #[track_caller]
    pub fn comment(&self, number: u64) -> Comment {
        let mut all = self.comments(number);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    pub fn statuses(&self, commit: &str) -> Vec<CommitStatus> {
        let mut all = self.ask(self.api.statuses(commit));
        all.sort_by(|one, other| one.context.cmp(&other.context));
        all
    }

    pub fn api(&self) -> &dyn Api {
        &*self.api
    }

    pub fn ask<T>(&self, call: gitops_forge::Call<'_, T>) -> T {
        self.runtime.block_on(call).unwrap()
    }

    /// The commit of a branch on the forge; empty where there is none.
    pub fn tip(&self, branch: &str) -> String {
        let line = self.did(&format!("git ls-remote origin refs/heads/{branch}"));
        line.split_whitespace().next().unwrap_or_default().to_owned()
    }
}

fn api(forge: &dyn Forge, repository: &str, web: &str) -> Box<dyn Api> {
    let settings = Settings::new("gitops-tests", jiff::Timestamp::now);
    gitops_forge::connect(&forge.forge(repository), &forge.token(May::All, web), &settings).unwrap()
}

pub fn pod(app: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {app}}}\n\
         spec: {{containers: [{{name: {app}, image: {app}}}]}}\n---\n"
    )
}

/// The calls that `-v` told of, each as its method, its path and its status.
#[track_caller]
pub fn told(said: &Said) -> Vec<String> {
    let lines = said.stderr.lines().map(str::trim);
    let made = |line: &&str| line.starts_with("GET ") || line.starts_with("POST ");
    let other = |line: &&str| ["PATCH ", "PUT ", "DELETE "].iter().any(|m| line.starts_with(m));
    let all: Vec<String> =
        lines.filter(|line| made(line) || other(line)).map(str::to_owned).collect();
    assert_eq!(all.len() as u64, calls(said), "{}", said.stderr);
    all
}

/// How many calls `-v` told of.
#[track_caller]
pub fn calls(said: &Said) -> u64 {
    let line =
        said.stderr.lines().find(|line| line.contains(" calls to ") || line.contains(" call to "));
    let line = line.unwrap_or_else(|| panic!("no calls told: {}", said.stderr));
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[track_caller]
pub fn says(text: &str, words: &[&str]) {
    for words in words {
        assert!(text.contains(words), "no `{words}` in: {text}");
    }
}
