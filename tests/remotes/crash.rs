//! Killed without a warning at each boundary and at any moment: Git is as before
//! or done, and running again finishes.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use super::{program, server, shop, whole, worked};
use crate::chance::{chance, number};
use crate::session::{kill, session};
use crate::stage::Stage;

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A commit on `main`.
    Release,
    /// A commit on `main` by way of a merge.
    Auto,
    /// A branch for a request.
    Request,
}

const STEPS: [Step; 3] = [Step::Release, Step::Auto, Step::Request];

impl Step {
    fn line(self, version: usize) -> String {
        match self {
            Step::Release => format!("exec kubectl-gitops release web v{version}"),
            Step::Auto => "exec kubectl-gitops promote web --to uat".into(),
            Step::Request => "exec kubectl-gitops promote web --to prod".into(),
        }
    }
}

/// What the server has, as far as a step may change it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Picture {
    /// `main`, newest first.
    main: Vec<String>,
    /// The commits of each other branch that `main` has not, by branch.
    requests: Vec<(String, Vec<String>)>,
}

fn picture(stage: &Stage) -> Picture {
    let commits = |range: &str| -> Vec<String> {
        server(stage, &format!("rev-list {range}")).lines().map(str::to_owned).collect()
    };
    let branches = server(stage, "for-each-ref --format='%(refname:short)' refs/heads");
    let requests = branches
        .lines()
        .filter(|branch| *branch != "main")
        .map(|branch| (branch.to_owned(), commits(&format!("{branch} --not main"))));
    Picture { main: commits("main"), requests: requests.collect() }
}

/// Checks what a killed run left behind, runs it again to its end, and checks
/// that the step was done once, and that a third run changes nothing.
#[track_caller]
fn settle(stage: &Stage, step: Step, version: usize, before: &Picture, how: &str) {
    finish(stage, step, version, before, how);
    let after = picture(stage);
    worked(&stage.shell(step.line(version).trim_start_matches("exec ")));
    assert_eq!(picture(stage), after, "{how}: the third run changed something");
    let user = stage.shell("git status --porcelain; git rev-parse HEAD; git branch --list").stdout;
    assert_eq!(user.lines().count(), 2, "{how}: {user}");
}

/// The same without what comes after.
#[track_caller]
fn finish(stage: &Stage, step: Step, version: usize, before: &Picture, how: &str) {
    let killed = picture(stage);
    let new = |picture: &Picture| picture.main.len() - before.main.len();
    let history = |picture: &Picture| picture.main.ends_with(&before.main);
    assert!(history(&killed) && new(&killed) <= 1, "{how}: {killed:?} after {before:?}");
    let lines = step.line(version);
    let lines = lines.trim_start_matches("exec ");
    let said = stage.shell(lines);
    assert_eq!(said.status, 0, "{how}: {}{}", said.stdout, said.stderr);
    let after = picture(stage);
    assert!(history(&after), "{how}: {after:?} after {before:?}");
    match step {
        Step::Release | Step::Auto => {
            assert_eq!(new(&after), 1, "{how}: {}", server(stage, "log --oneline main"));
            // What a killed run has done is not done anew.
            assert!(new(&killed) == 0 || after.main == killed.main, "{how}");
            let environment = if step == Step::Release { "dev" } else { "uat" };
            holds(stage, "main", environment, version);
        }
        Step::Request => {
            assert_eq!(new(&after), 0, "{how}");
            let [(branch, commits)] = &after.requests[..] else { panic!("{how}: {after:?}") };
            assert_eq!(commits.len(), 1, "{how}: {after:?}");
            holds(stage, branch, "prod", version);
        }
    }
}

#[track_caller]
fn holds(stage: &Stage, branch: &str, environment: &str, version: usize) {
    let file = format!("show {branch}:envs/{environment}/kustomization.yaml");
    assert!(server(stage, &file).contains(&format!("name: web\n  newTag: v{version}\n")));
}

/// A `git` that kills its parent at its call of that number.
const TRAITOR: &str = r#"#!/bin/sh
[ -e "$STAGE/kill" ] || exec /usr/bin/git "$@"
read -r number moment < "$STAGE/kill"
calls=$(($(cat "$STAGE/calls") + 1))
echo $calls > "$STAGE/calls"
[ $calls = $number ] || exec /usr/bin/git "$@"
echo "$*" > "$STAGE/killed"
[ $moment = before ] && kill -9 $PPID
if [ $moment = before ]; then exit 1; fi
/usr/bin/git "$@"
status=$?
kill -9 $PPID
exit $status
"#;

/// Each run of `git` is a boundary: before it, and after it is done and nobody
/// has heard of it.
#[test]
fn a_kill_at_each_boundary() {
    let stage = shop();
    program(&stage, "git", TRAITOR);
    let file = |name: &str, text: &str| fs::write(stage.folder().join(name), text).unwrap();
    let mut version = 1;
    let mut seen = Vec::new();
    for step in STEPS {
        for number in 1.. {
            let mut came_to = String::new();
            for moment in ["before", "after"] {
                version += 1;
                prepare(&stage, step, version);
                let before = picture(&stage);
                file("calls", "0\n");
                file("kill", &format!("{number} {moment}\n"));
                let line = format!("{} & wait $!", step.line(version));
                let said = stage.shell(&line);
                fs::remove_file(stage.folder().join("kill")).unwrap();
                let killed = fs::read_to_string(stage.folder().join("killed"));
                let _ = fs::remove_file(stage.folder().join("killed"));
                let Ok(call) = killed else {
                    worked(&said);
                    continue;
                };
                assert_eq!(said.status, 128 + 9, "{}", said.stderr);
                let is_verb =
                    |word: &&str| word.chars().all(|l| l.is_ascii_lowercase() || l == '-');
                let verb = call.split(' ').find(|word| !word.starts_with('-') && is_verb(word));
                came_to = verb.unwrap_or_default().to_owned();
                // What runs in a killed run's name comes to its end first.
                thread::sleep(Duration::from_millis(150));
                finish(&stage, step, version, &before, &format!("{moment} {call}"));
            }
            if came_to.is_empty() {
                whole(&stage);
                break;
            }
            seen.push(came_to);
        }
    }
    println!("killed around {} runs of git", seen.len());
    for call in ["ls-remote", "fetch", "push"] {
        assert!(seen.iter().any(|seen| seen == call), "never at {call}: {seen:?}");
    }
}

/// Brings the stage to where the step has something to do.
fn prepare(stage: &Stage, step: Step, version: usize) {
    if step != Step::Release {
        worked(&stage.shell(&format!("kubectl gitops release web v{version}")));
    }
    if step == Step::Request {
        worked(&stage.shell("kubectl gitops promote web --to uat"));
    }
}

/// Kills the program, or it and all it started, after that time. Answers
/// whether it still ran. Comes back when nothing of it runs.
fn kill_after(stage: &Stage, line: &str, after: Duration, all: bool) -> bool {
    let line = line.replace("exec ", "exec setsid ");
    let mut command = stage.command(&line);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let leader = child.id();
    thread::sleep(after);
    let ran = child.try_wait().unwrap().is_none();
    kill(&[leader]);
    child.wait().unwrap();
    let start = Instant::now();
    loop {
        let left = session(leader);
        if left.is_empty() && !served(stage) {
            return ran;
        }
        if all {
            kill(&left);
        }
        assert!(start.elapsed() < Duration::from_secs(60), "something runs on: {left:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Takes away locks of the user's remote-tracking branches, as Git asks them to:
/// a `git push` that is killed itself may leave one. Answers whether there was.
fn unlocked(stage: &Stage) -> bool {
    let said = stage.shell("find .git/refs/remotes -name '*.lock' -print -delete");
    worked(&said);
    !said.stdout.is_empty()
}

/// Whether the server still works on what it was sent. A kill may have met the
/// one who would have taken its note away.
fn served(stage: &Stage) -> bool {
    let mut notes = fs::read_dir(stage.folder().join("serving")).unwrap().flatten();
    notes.any(|note| {
        let leader = note.file_name().to_str().and_then(|name| name.parse().ok());
        leader.is_some_and(|leader| !session(leader).is_empty())
    })
}

/// The server in a session of its own, as it is on another machine: what is
/// killed here goes on there.
const SSH: &str = r#"#!/bin/sh
for command; do :; done
exec setsid -w sh -c "touch $STAGE/serving/\$\$; $command; status=\$?; rm $STAGE/serving/\$\$; exit \$status"
"#;

/// `GITOPS_KILLS` says how often.
#[test]
fn a_kill_at_any_moment() {
    let kills = number("GITOPS_KILLS").unwrap_or(30) as usize;
    let (seed, mut random) = chance();
    println!("GITOPS_SEED={seed} GITOPS_KILLS={kills}");

    let mut stage = shop();
    program(&stage, "elsewhere", SSH);
    fs::create_dir(stage.folder().join("serving")).unwrap();
    stage.set("GIT_SSH_COMMAND", stage.folder().join("bin/elsewhere").display().to_string());
    stage.set("GIT_SSH_VARIANT", "simple");
    let url = format!("ssh://server{}/srv/apps.git", stage.folder().display());
    worked(&stage.shell(&format!("git remote set-url origin {url}")));
    let mut version = 1;
    let mut length = [Duration::ZERO; 3];
    let (mut hit, mut locks) = (0, 0);
    // The first of each step only tells how long it takes.
    for number in 0..kills + STEPS.len() {
        let step = STEPS[number % STEPS.len()];
        version += 1;
        prepare(&stage, step, version);
        let before = picture(&stage);
        if number < STEPS.len() {
            let start = Instant::now();
            worked(&stage.shell(&step.line(version)));
            length[number] = start.elapsed();
            continue;
        }
        let after = length[number % STEPS.len()].mul_f64(random() * 1.1);
        let all = random() < 0.5;
        let ran = kill_after(&stage, &step.line(version), after, all);
        hit += usize::from(ran);
        let how = format!("{step:?} v{version} killed after {after:?}, all: {all}, ran: {ran}");
        settle(&stage, step, version, &before, &how);
        // That lock was in nobody's way.
        locks += usize::from(all && unlocked(&stage));
        whole(&stage);
    }
    println!("{hit} of {kills} kills met a run, {locks} a `git` at a remote-tracking branch");
    assert!(hit * 2 > kills, "most kills came too late: {hit} of {kills}");
}

/// What a `git` that was killed may leave: what is ours is taken away, what is
/// not is named with the way out.
#[test]
fn a_lock_that_somebody_left() {
    let stage = shop();
    worked(&stage.shell("kubectl gitops release web v2"));
    // Something to fetch, and something to push.
    let moves = || {
        worked(&stage.shell(
            "git clone -q ../srv/apps.git ../other; cd ../other && git pull -q && date +%N > x && git add x \
             && git commit -q -m theirs && git push -q",
        ));
    };
    moves();
    let before = picture(&stage);
    worked(&stage.shell("touch ../srv/apps.git/refs/heads/main.lock"));
    let said = stage.shell("kubectl gitops release web v3");
    super::failed(&said, 3, &["refused the push to `main`", "main.lock"]);
    assert_eq!(picture(&stage), before);
    worked(&stage.shell("rm ../srv/apps.git/refs/heads/main.lock"));

    moves();
    worked(&stage.shell("touch .git/refs/kubectl-gitops/remotes/origin/main.lock"));
    worked(&stage.shell("kubectl gitops release web v3"));
    whole(&stage);
}
