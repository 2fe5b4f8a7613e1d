//! Requests on a real Gitea: how often it is asked, and how long many apps take.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use gitops_test_forges::{Gitea, May, Stage as _, Who};

use super::{RowError, make_folder};
use crate::fleet::{self, Fleet};
use crate::measure::{Invocation, Room, Run};
use crate::stats::{Sample, Target};
use crate::table::Row;

/// How many apps go in one run.
const APPS: usize = 50;
/// What one app may cost to an open request, and what one that has not changed.
const NEW: usize = 6;
const UNCHANGED: usize = 3;
/// How long all may take.
const ALL: Duration = Duration::from_secs(30);

/// What the requests of this bench are given.
const LINES: &str =
    "forge: {kind: gitea}\npullRequest: {labels: [promotion], reviewers: [alice]}\n";

/// A Gitea that is up, and programs that ask it.
pub(crate) struct Stage<'a> {
    room: &'a Room,
    ours: &'a Path,
    gitea: Gitea,
}

/// The rows, and the calls behind them.
pub(crate) type Rows = (Vec<Row>, Vec<String>);

impl<'a> Stage<'a> {
    /// One that just came up.
    pub(crate) fn set(room: &'a Room, ours: &'a Path, gitea: &Path) -> Stage<'a> {
        Stage { room, ours, gitea: Gitea::start(gitea) }
    }

    /// One app to an open request, and again with nothing changed.
    pub(crate) fn one(&self, runs: usize) -> Result<Rows, RowError> {
        let fleet = self.fleet("bench-one", runs + 1)?;
        let (mut new, mut again) = (Told::default(), Told::default());
        for number in 0..=runs {
            let app = format!("app-{number:03}");
            for (told, done) in [(&mut new, "opened"), (&mut again, "unchanged")] {
                let run = self.promote(&fleet, Some(&app))?;
                let line = format!("request #{} {done}", number + 1);
                if !String::from_utf8_lossy(&run.stdout).contains(&line) {
                    return Err(RowError::Unfit(format!("it does not say `{line}`")));
                }
                // The first one warms up.
                if number > 0 {
                    told.add(&run);
                }
            }
        }
        let row = |what: &str, told: &Told, most| Row {
            what: format!("promote 1 app, {what}: {} calls", told.most()),
            peer_name: "of a real Gitea".to_owned(),
            ours: told.sample.clone(),
            peer: Sample::default(),
            target: Some(Target::Calls { made: told.most(), most }),
        };
        let rows =
            vec![row("to a new request", &new, NEW), row("nothing changed", &again, UNCHANGED)];
        let notes = [("a new request", &new), ("nothing changed", &again)];
        Ok((rows, notes.map(|(what, told)| format!("{what}: {}", told.calls.join(", "))).into()))
    }

    /// Many apps in one run, each to a request of its own.
    pub(crate) fn all(&self) -> Result<Rows, RowError> {
        let fleet = self.fleet("bench-all", APPS)?;
        let mut told = Told::default();
        let run = self.promote(&fleet, None)?;
        let text = String::from_utf8_lossy(&run.stdout);
        let opened = text.lines().filter(|l| l.starts_with("request #") && l.contains(" opened"));
        let opened = opened.count();
        if opened != APPS {
            return Err(RowError::Unfit(format!("{opened} requests were opened, not {APPS}")));
        }
        told.add(&run);
        let (calls, most) = (told.most(), APPS * NEW);
        let row = |target| Row {
            what: format!("promote {APPS} apps in one run, to {APPS} requests: {calls} calls"),
            peer_name: "of a real Gitea".to_owned(),
            ours: told.sample.clone(),
            peer: Sample::default(),
            target: Some(target),
        };
        let calls = Target::Calls { made: calls, most };
        Ok((vec![row(Target::AtMost(ALL)), row(calls)], Vec::new()))
    }

    fn fleet(&self, name: &str, apps: usize) -> Result<Fleet, RowError> {
        let folder = self.room.path(name);
        make_folder(&folder)?;
        let fleet = fleet::make(&folder, apps, None)?;
        self.gitea.make(name);
        self.gitea.label(name, "promotion");
        fleet::publish(&fleet, &self.gitea.remote(name, Who::Bot), LINES)?;
        Ok(fleet)
    }

    fn promote(&self, fleet: &Fleet, app: Option<&str>) -> Result<Run, RowError> {
        let words = ["promote"].into_iter().chain(app).chain(["--to", "uat", "-v", "-C"]);
        let words = words.map(OsString::from).chain([fleet.clone.clone().into_os_string()]);
        let token = self.gitea.token(May::All, &self.gitea.web());
        let invocation = Invocation::new(self.ours, words)
            .with("GITEA_TOKEN", token.secret)
            .with("GITEA_SERVER_URL", self.gitea.web());
        let run = self.room.run(&invocation)?;
        match run.status {
            0 => Ok(run),
            status => {
                Err(RowError::Unfit(format!("exit status {status}, not 0\n{}", run.complaint())))
            }
        }
    }
}

/// What runs told of their calls.
#[derive(Default)]
struct Told {
    sample: Sample,
    /// Those of the run that made the most.
    calls: Vec<String>,
}

impl Told {
    fn add(&mut self, run: &Run) {
        self.sample.add(run.time, run.peak);
        let calls: Vec<String> = calls(&run.stderr);
        if calls.len() > self.calls.len() {
            self.calls = calls;
        }
    }

    fn most(&self) -> usize {
        self.calls.len()
    }
}

/// The calls that `-v` lists: `  POST /repos/{owner}/{repo}/pulls 201`.
fn calls(stderr: &str) -> Vec<String> {
    let methods = ["GET ", "POST ", "PATCH ", "PUT ", "DELETE "];
    let made =
        stderr.lines().map(str::trim).filter(|line| methods.iter().any(|m| line.starts_with(m)));
    made.map(|line| line.replace("/repos/{owner}/{repo}", "")).collect()
}
