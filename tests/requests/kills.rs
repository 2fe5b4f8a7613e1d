//! Killed without a warning at each exchange with the forge and at any moment,
//! and run again: one branch, one request, one comment, one merge, and statuses
//! that are right.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use gitops_core::gate::{Status, Verdict};
use gitops_forge::{Request, RequestState};
use gitops_test_forges::{Faults, Moment, Stage as Forge, Who};

use crate::chance::{chance, number};
use crate::session::{kill, session};
use crate::world::{World, says};

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A request is opened: pushed, opened, labelled, commented, with a status.
    Open,
    /// It is brought up to date.
    Update,
    /// One is opened and merged.
    Merge,
    /// One that was approved is merged.
    Approved,
    /// One that is of no use any more is closed.
    Close,
}

const STEPS: [Step; 5] = [Step::Open, Step::Update, Step::Merge, Step::Approved, Step::Close];

impl Step {
    fn environment(self) -> &'static str {
        match self {
            Step::Open | Step::Update => "prod",
            Step::Merge => "uat",
            Step::Approved => "live",
            Step::Close => "plain",
        }
    }

    fn line(self) -> String {
        format!("promote web --to {}", self.environment())
    }
}

/// A world whose forge is reached by way of a proxy, by Git and by its API.
struct Scene {
    world: World,
    faults: Faults,
    version: usize,
    /// The number of the newest request.
    newest: u64,
}

/// Where a step stood before it was killed.
struct Before {
    main: String,
    /// The request that stands already.
    request: Option<u64>,
}

impl Scene {
    fn new(forge: &'static dyn Forge) -> Scene {
        let mut world = World::new(forge);
        let faults = world.through_faults();
        let near = |web: &str| web.trim_start_matches("http://").to_owned();
        let remote = forge.remote(&world.repository, Who::Bot);
        let remote = remote.replace(&near(&forge.web()), &near(&faults.web()));
        world.did(&format!("git remote set-url origin '{remote}'"));
        Scene { world, faults, version: 1, newest: 0 }
    }

    fn request(&self, step: Step) -> Request {
        self.world.requests("web", step.environment()).remove(0)
    }

    /// Brings it to where the step has something to do.
    fn prepare(&mut self, step: Step) -> Before {
        self.version += 1;
        let tag = format!("v{}", self.version);
        let world = &self.world;
        let environment = step.environment();
        let all = world.requests("web", environment);
        if step == Step::Open && all.iter().any(|request| request.state == RequestState::Open) {
            world.press_merge(&all[0], "merged by a person");
        }
        let standing = matches!(step, Step::Update | Step::Approved | Step::Close);
        if standing {
            let open = all.first().is_some_and(|request| request.state == RequestState::Open);
            if !open || step != Step::Update {
                world.set("dev", "web", &tag);
                world.ends(0, &step.line());
                self.newest = self.newest.max(self.request(step).number);
            }
        }
        let world = &self.world;
        match step {
            Step::Open | Step::Merge => world.set("dev", "web", &tag),
            Step::Update => {
                self.version += 1;
                world.set("dev", "web", &format!("v{}", self.version));
            }
            Step::Approved => {
                let number = self.request(step).number;
                world
                    .forge
                    .review(&world.repository, number, Who::Alice, Verdict::Approved)
                    .unwrap();
            }
            Step::Close => world.set(environment, "web", &tag),
        }
        let request = standing.then(|| self.request(step).number);
        Before { main: self.world.tip("main"), request }
    }

    fn tag(&self) -> String {
        format!("v{}", self.version)
    }

    /// Waits until nothing that a killed run began is on its way.
    fn settle(&self, leader: u32, all: bool) {
        let start = Instant::now();
        loop {
            let left = session(leader);
            if left.is_empty() && self.faults.busy() == 0 {
                return;
            }
            if all {
                kill(&left);
            }
            assert!(start.elapsed() < Duration::from_secs(60), "something runs on: {left:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn start(&self, step: Step) -> std::process::Child {
        let line = format!(
            "unset GIT_AUTHOR_DATE GIT_COMMITTER_DATE; exec setsid kubectl-gitops {}",
            step.line()
        );
        let mut command = self.world.here.command(&line);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// What may stand before it is run again, and what must stand after it.
    #[track_caller]
    fn finish(&mut self, step: Step, before: &Before, how: &str) {
        let world = &self.world;
        let environment = step.environment();
        let number = before.request.unwrap_or(self.newest + 1);
        let commits = || -> Vec<String> {
            let range = format!("{}..origin/main", before.main);
            let log =
                world.did(&format!("git fetch -q origin && git rev-list --first-parent {range}"));
            log.lines().map(str::to_owned).collect()
        };
        let killed = commits();
        assert!(killed.len() <= 1, "{how}: {killed:?}");
        let mut said = world.gitops(&step.line());
        // Gitea may still be about to hear of a push that nobody waited for.
        let mut again = 0;
        while said.status == 3 && again < 3 && said.stderr.contains("run it again") {
            again += 1;
            said = world.gitops(&step.line());
        }
        assert_eq!(said.status, 0, "{how}: {}{}", said.stdout, said.stderr);
        let after = commits();
        assert!(killed.is_empty() || killed == after, "{how}: {killed:?} {after:?}");
        let merges = matches!(step, Step::Merge | Step::Approved);
        assert_eq!(
            after.len(),
            usize::from(merges),
            "{how}: {}",
            world.did("git log --oneline -5 origin/main")
        );
        let request = self.request(step);
        assert_eq!(request.number, number, "{how}: {request:?}");
        self.newest = self.newest.max(number);
        let wanted = match step {
            Step::Open | Step::Update => RequestState::Open,
            Step::Merge | Step::Approved => RequestState::Merged,
            Step::Close => RequestState::Closed,
        };
        assert_eq!(request.state, wanted, "{how}");
        let comments = world.comments(number);
        assert_eq!(comments.len(), 1, "{how}: {comments:#?}");
        assert_eq!(request.labels.iter().collect::<Vec<_>>(), ["promotion"], "{how}");
        let tip = world.tip(&format!("release/web/{environment}"));
        let tag = self.tag();
        if wanted == RequestState::Open {
            assert_eq!(tip, request.head_commit, "{how}");
            assert_eq!(request.reviewers.iter().collect::<Vec<_>>(), ["alice"], "{how}");
            let ahead =
                world.did(&format!("git fetch -q origin && git rev-list origin/main..{tip}"));
            assert_eq!(ahead.lines().count(), 1, "{how}: {ahead}");
            let file = world.did(&format!("git show {tip}:envs/{environment}/kustomization.yaml"));
            says(&file, &[&format!("- name: web\n  newTag: {tag}\n")]);
            says(&comments[0].body, &[&format!("`web` `{tag}`: `dev`"), &tip[..10]]);
            let statuses = world.statuses(&tip);
            assert_eq!(statuses.len(), 1, "{how}: {statuses:?}");
            assert_eq!(statuses[0].context, "gitops/gate/prod/web/approvals");
            assert_eq!(statuses[0].state, Status::Pending, "{how}");
        } else {
            assert_eq!(tip, "", "{how}: the branch stays");
            assert_eq!(world.holds(environment, "web"), tag, "{how}");
        }
        if step == Step::Approved {
            let statuses = world.statuses(&request.head_commit);
            assert!(
                statuses.iter().all(|status| status.state == Status::Success),
                "{how}: {statuses:?}"
            );
        }
        if step == Step::Close {
            says(&comments[0].body, &["Closed: "]);
        }
    }

    /// A third run changes nothing.
    #[track_caller]
    fn rests(&self, step: Step, how: &str) {
        let world = &self.world;
        let refs = || world.did("git ls-remote origin");
        let before = (refs(), self.request(step), self.faults.done().len());
        let comments = world.comments(before.1.number);
        let said = world.ends(0, &step.line());
        let writes: Vec<_> = self.faults.done()[before.2..]
            .iter()
            .filter(|(method, path, _)| writes(method, path))
            .cloned()
            .collect();
        assert!(writes.is_empty(), "{how}: {writes:?} {}", said.stdout);
        assert_eq!((refs(), self.request(step)), (before.0, before.1.clone()), "{how}");
        assert_eq!(world.comments(before.1.number), comments, "{how}");
    }
}

/// Whether an exchange is to change something.
fn writes(method: &str, path: &str) -> bool {
    let reads = ["/git-upload-pack", "/graphql"];
    method != "GET" && !reads.iter().any(|end| path.ends_with(end))
}

/// What waits for the exchange of some number, to kill who made it.
#[derive(Default)]
struct Trap {
    leader: Option<u32>,
    at: usize,
    moment: Option<Moment>,
    seen: usize,
    /// The exchange that it was.
    met: Option<String>,
}

pub fn at_each_exchange(forge: &'static dyn Forge) {
    let mut scene = Scene::new(forge);
    let trap = Arc::new(Mutex::new(Trap::default()));
    let armed = Arc::new(AtomicBool::new(false));
    let (watched, is_armed) = (trap.clone(), armed.clone());
    scene.faults.watch(move |method, path, moment| {
        // A kill around a read is one after the write before it.
        if !is_armed.load(Ordering::SeqCst) || !writes(method, path) {
            return true;
        }
        let mut trap = watched.lock().unwrap();
        if trap.met.is_some() {
            // What a dead one's children still ask for.
            return true;
        }
        trap.seen += usize::from(moment == Moment::Before);
        if trap.seen != trap.at || trap.moment != Some(moment) {
            return true;
        }
        let path = path.split('?').next().unwrap_or_default();
        trap.met = Some(format!("{method} {path}"));
        if let Some(leader) = trap.leader {
            kill(&[leader]);
        }
        false
    });
    let mut met = Vec::new();
    for step in STEPS {
        for at in 1.. {
            let mut over = false;
            for moment in [Moment::Before, Moment::After] {
                let before = scene.prepare(step);
                *trap.lock().unwrap() = Trap { at, moment: Some(moment), ..Trap::default() };
                let held = trap.lock().unwrap();
                armed.store(true, Ordering::SeqCst);
                let mut child = scene.start(step);
                let leader = child.id();
                let mut held = held;
                held.leader = Some(leader);
                drop(held);
                child.wait().unwrap();
                armed.store(false, Ordering::SeqCst);
                scene.settle(leader, moment == Moment::Before);
                let what = trap.lock().unwrap().met.take();
                over |= what.is_none();
                let how =
                    format!("{step:?} {} killed {moment:?} exchange {at}, {what:?}", scene.tag());
                scene.finish(step, &before, &how);
                if let Some(what) = what {
                    scene.rests(step, &how);
                    met.push((step, what));
                }
            }
            if over {
                break;
            }
        }
    }
    let _ = writeln!(
        std::io::stderr().lock(),
        "killed around {} exchanges with {}",
        met.len(),
        forge.kind()
    );
    let merge = if forge.kind() == gitops_forge::Kind::GitHub { "PUT" } else { "POST" };
    let met_at = |step: Step, method: &str, end: &str| {
        let is = |(known, what): &(Step, String)| {
            *known == step && what.strip_prefix(method).is_some_and(|path| path.contains(end))
        };
        assert!(met.iter().any(is), "never at {method} {end} of {step:?}: {met:?}");
    };
    for (step, method, end) in [
        (Step::Open, "POST ", "/git-receive-pack"),
        (Step::Open, "POST ", "/pulls"),
        (Step::Open, "POST ", "/labels"),
        (Step::Open, "POST ", "/comments"),
        (Step::Open, "POST ", "/statuses/"),
        (Step::Update, "POST ", "/git-receive-pack"),
        (Step::Update, "PATCH ", "/pulls/"),
        (Step::Update, "PATCH ", "/comments/"),
        (Step::Update, "POST ", "/statuses/"),
        (Step::Merge, merge, "/merge"),
        (Step::Approved, merge, "/merge"),
        (Step::Approved, "POST ", "/statuses/"),
        (Step::Close, "PATCH ", "/pulls/"),
        (Step::Close, "POST ", "/git-receive-pack"),
    ] {
        met_at(step, method, end);
    }
}

/// `GITOPS_KILLS` says how often; of two forges, the real one gets so many.
pub fn at_any_moment(forge: &'static dyn Forge) {
    let stand_in = forge.kind() == gitops_forge::Kind::GitHub;
    let real = std::env::var_os("GITOPS_GITEA").is_some();
    let kills = match number("GITOPS_KILLS") {
        Some(kills) if !stand_in || !real => kills as usize,
        _ => 30,
    };
    let (seed, mut random) = chance();
    let _ = writeln!(
        std::io::stderr().lock(),
        "GITOPS_SEED={seed} GITOPS_KILLS={kills}, {}",
        forge.kind()
    );
    let began = Instant::now();
    let mut scene = Scene::new(forge);
    let mut length = [Duration::ZERO; STEPS.len()];
    let mut hit = 0;
    // The first of each step only tells how long it takes.
    for number in 0..kills + STEPS.len() {
        let step = STEPS[number % STEPS.len()];
        let before = scene.prepare(step);
        let start = Instant::now();
        if number < STEPS.len() {
            scene.world.ends(0, &step.line());
            length[number] = start.elapsed();
            scene.finish(step, &before, "not killed");
            continue;
        }
        let after = length[number % STEPS.len()].mul_f64(random() * 1.05);
        let all = random() < 0.5;
        let mut child = scene.start(step);
        thread::sleep(after);
        let ran = child.try_wait().unwrap().is_none();
        kill(&[child.id()]);
        child.wait().unwrap();
        scene.settle(child.id(), all);
        hit += usize::from(ran);
        let how = format!(
            "{number}: {step:?} {} killed after {after:?}, all: {all}, ran: {ran}, GITOPS_SEED={seed}",
            scene.tag()
        );
        scene.finish(step, &before, &how);
        if number % 4 == 0 {
            scene.rests(step, &how);
        }
    }
    let _ = writeln!(
        std::io::stderr().lock(),
        "{hit} of {kills} kills met a run, on {}, in {:?}",
        forge.kind(),
        began.elapsed()
    );
    assert!(hit * 2 > kills, "most kills came too late: {hit} of {kills}");
}
