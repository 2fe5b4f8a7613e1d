//! What every forge must do, whichever it is.
//!
//! Each scenario has a repository of its own. It panics where the forge, or what
//! we make of its answers, is not as expected.

pub mod faults;
pub mod merges;
pub mod people;
pub mod refusals;
pub mod requests;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gitops_core::gate::Status;
use gitops_forge::{
    Api, ApiError, CommitStatus, Merge, MergeMethod, NewRequest, Opened, Patience, Request,
    Settings,
};
use jiff::Timestamp;

use crate::{Faults, May, Stage, Who};

/// One `#[test]` a scenario, for a stage: a function that answers `Option<&dyn
/// Stage>`; with `None` nothing is tested, and whoever answers it has said so.
#[macro_export]
macro_rules! scenarios {
    ($stage:expr) => {
        $crate::scenarios! { @ $stage;
            requests: a_request_lives, the_newest_counts, branches_with_slashes, labels,
                reviewers, comments, statuses, of_a_commit, a_fork_is_another, many_requests;
            people: reviews, nobody_approves_their_own, members, authors, protection;
            merges: by_each_method, a_moved_head, a_moved_base, a_conflict, not_ready_yet,
                when_it_is_ready, once_it_is_over, many_at_once;
            refusals: what_is_not_there, tokens, archived, renamed, nothing_to_merge,
                over_the_limit;
            faults: writes_that_fail, writes_whose_answer_is_lost, asked_to_wait, pages_of_one,
                slow_and_cut, another_page;
        }
    };
    (@ $stage:expr; $($room:ident: $($name:ident),+;)+) => {
        $(mod $room {
            use super::*;
            $(#[test]
            fn $name() {
                if let Some(stage) = $stage {
                    $crate::suite::$room::$name(stage);
                }
            })+
        })+
    };
}

/// Runs what is asked of a forge to its end.
///
/// # Panics
///
/// Where there can be no runtime.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// The patience of tests: four tries, short waits.
pub fn patience() -> Patience {
    Patience {
        answer: Duration::from_secs(60),
        wait: Duration::from_secs(5),
        tries: 4,
        pause: Duration::from_millis(150),
    }
}

/// A repository with `main`, and a clone of it.
pub struct Scene<'a> {
    /// The forge.
    pub stage: &'a dyn Stage,
    /// The repository.
    pub repository: String,
    /// The program's view of it.
    pub api: Box<dyn Api>,
    folder: tempfile::TempDir,
}

impl<'a> Scene<'a> {
    /// One with `main`, whose commit holds `envs/prod.yaml` and `README.md`.
    pub fn new(stage: &'a dyn Stage, name: &str) -> Scene<'a> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let repository = format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        stage.make(&repository);
        let folder = tempfile::tempdir().expect("a folder");
        let api = api(stage, &repository, May::All, &stage.web(), patience());
        let scene = Scene { stage, repository, api, folder };
        scene.git(&["init", "-q", "-b", "main", "."]);
        scene.commit(Who::Alice, &[("envs/prod.yaml", "tag: v1\n"), ("README.md", "hello\n")]);
        scene.push(Who::Alice, "main").expect("a push");
        // A forge may take a moment to see that a repository is no longer empty.
        let web = stage.web();
        let watch = self::api(stage, &scene.repository, May::All, &web, patience());
        until("the first push is seen", || run(watch.requests("none", "main")).is_ok());
        scene
    }

    /// The same repository, by way of a proxy.
    pub fn through(&self, faults: &Faults) -> Box<dyn Api> {
        api(self.stage, &self.repository, May::All, &faults.web(), patience())
    }

    /// The folder of the clone.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `git …` in the clone.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        self.try_git(arguments).unwrap_or_else(|error| panic!("git {arguments:?}: {error}"))
    }

    /// The same, where it may fail.
    pub fn try_git(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new("git")
            .args(["-c", "core.hooksPath=/dev/null", "-c", "credential.helper="])
            .args(arguments)
            .current_dir(self.folder())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .output()
            .map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(text(&output.stderr)),
        }
    }

    /// Commits files on the branch that is checked out; the commit.
    #[track_caller]
    pub fn commit(&self, who: Who, files: &[(&str, &str)]) -> String {
        for (path, text) in files {
            let at = self.folder().join(path);
            fs::create_dir_all(at.parent().expect("a file in a folder")).expect("a folder");
            fs::write(at, text).expect("a file");
        }
        let (name, mail) = (format!("user.name={}", who.login()), who.mail());
        self.git(&["add", "-A"]);
        let mail = format!("user.email={mail}");
        self.git(&["-c", &name, "-c", &mail, "commit", "-q", "--allow-empty", "-m", "a change"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Pushes `HEAD` to a branch.
    pub fn push(&self, who: Who, branch: &str) -> Result<String, String> {
        let remote = self.stage.remote(&self.repository, who);
        self.try_git(&["push", "-q", "--force", &remote, &format!("HEAD:refs/heads/{branch}")])
    }

    /// A branch from `main` with one commit of the bot, pushed; the commit.
    #[track_caller]
    pub fn branch(&self, branch: &str, files: &[(&str, &str)]) -> String {
        self.git(&["checkout", "-q", "--detach", "main"]);
        let commit = self.commit(Who::Bot, files);
        self.push(Who::Bot, branch).expect("a push");
        commit
    }

    /// A file of a branch as the forge has it now.
    #[track_caller]
    pub fn file(&self, branch: &str, path: &str) -> String {
        self.git(&["show", &format!("{}:{path}", self.fetch(branch))])
    }

    /// A branch's commit as the forge has it now.
    #[track_caller]
    pub fn fetch(&self, branch: &str) -> String {
        let remote = self.stage.remote(&self.repository, Who::Alice);
        self.git(&["fetch", "-q", &remote, &format!("refs/heads/{branch}")]);
        self.git(&["rev-parse", "FETCH_HEAD"])
    }

    /// Opens a request into `main`, which must be new.
    #[track_caller]
    pub fn open(&self, head: &str) -> Request {
        match run(self.api.open(&new(head, "main"))) {
            Ok(Opened::New(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    /// A branch with a change of a file, and a request for it.
    #[track_caller]
    pub fn request(&self, head: &str, path: &str, text: &str) -> (Request, String) {
        let commit = self.branch(head, &[(path, text)]);
        (self.open(head), commit)
    }

    /// Sets a status of the bot.
    #[track_caller]
    pub fn status(&self, commit: &str, context: &str, state: Status) {
        run(self.api.set_status(commit, &status(context, state, "words"))).expect("a status");
    }
}

/// How the tests ask: patiently, by the clock of the machine.
pub fn settings() -> Settings {
    Settings { patience: patience(), ..Settings::new("gitops-tests", Timestamp::now) }
}

/// A view of a repository.
pub fn api(
    stage: &dyn Stage,
    repository: &str,
    may: May,
    web: &str,
    patience: Patience,
) -> Box<dyn Api> {
    let mut forge = stage.forge(repository);
    web.clone_into(&mut forge.web);
    let settings = Settings { patience, ..settings() };
    stage.connect(&forge, &stage.token(may, web), &settings).expect("an API")
}

/// A request to be opened.
pub fn new(head: &str, base: &str) -> NewRequest {
    NewRequest {
        head: head.into(),
        base: base.into(),
        title: "Release `web` in `prod`".into(),
        body: "What moves: **web** v1 → v2\n\n<!-- kubectl-gitops: {} -->".into(),
        labels: Vec::new(),
        reviewers: Vec::new(),
    }
}

/// A merge pinned to a head.
pub fn merge(method: MergeMethod, head: &str) -> Merge {
    Merge {
        method,
        head: head.into(),
        title: "Release web in prod".into(),
        message: "Because.\n\nPromoted-From: uat\nPlan-Digest: sha256:0a".into(),
    }
}

/// A status.
pub fn status(context: &str, state: Status, description: &str) -> CommitStatus {
    CommitStatus {
        context: context.into(),
        state,
        description: description.into(),
        target_url: None,
    }
}

/// Asks until it is so, for a while.
///
/// # Panics
///
/// Where it does not come to be so.
#[track_caller]
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..150 {
        if so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("not so after 15 s: {what}");
}

/// An error that holds no token of the bot.
///
/// # Panics
///
/// Where it is none, or holds one.
#[track_caller]
pub fn error<T: std::fmt::Debug>(stage: &dyn Stage, came: Result<T, ApiError>) -> ApiError {
    let error = came.expect_err("an error");
    let shown = format!("{error} {error:?}");
    for may in [May::All, May::Read, May::Nothing] {
        assert!(!shown.contains(&stage.token(may, "").secret), "{shown}");
    }
    error
}
