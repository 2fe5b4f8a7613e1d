//! What gates ask, found out in Git and from forges ([`super::reviews`]), and
//! their answers.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use gitops_core::gate::{
    self, Answer, Fact, Facts, Gate, Gates, Held, Key, Since, State, moment, words,
};
use gitops_core::judge::{Decision, Judgement, Mode, Move, Outcome};
use gitops_core::plan::App;
use gitops_git::{CommitId, Repository};
use jiff::{SignedDuration, Timestamp};

use super::desired::git_failure;
use super::held::{self, app as one, held};
use super::holds;
use super::reviews::{Brought, Head, Question};
use super::trust::{Home, Place, Trust};
use crate::config::{After, Environment, GATE_WORDS, Rule, exempt_from};
use crate::failure::Failure;

/// How many commits are looked back through for the beginning of a soak.
const COMMITS: usize = 10_000;

/// Somebody goes past a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Override {
    /// The gate's word.
    pub(crate) gate: String,
    /// `NAME <MAIL>: REASON`, on one line.
    pub(crate) by: String,
}

/// Whether `word` names a gate that may be overridden.
pub(crate) fn overridable(word: &str) -> Result<(), Failure> {
    if GATE_WORDS.contains(&word) {
        return Ok(());
    }
    Err(Failure::usage(format!("`{word}` is no gate that can be overridden"))
        .hint(format!("these can: {}", GATE_WORDS.join(", ")))
        .hint("policies, faults and what the tool refuses cannot"))
}

/// What kind of change asks for the gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It says that it is a promotion: the environments before must hold it.
    Promotion,
    /// A release, or a change that says nothing.
    Other,
    /// An earlier state comes back.
    Rollback,
    /// A change made by whomever, which says that it takes promotions back, and
    /// does: its values stood there before them. What else it changes is not
    /// looked at, so that only the gates about those values spare it.
    Restored,
}

/// A change that asks for the gates of an environment.
pub(crate) struct Asked<'a> {
    pub(crate) target: &'a Environment,
    pub(crate) kind: Kind,
    /// Where it comes from, and the commit that was read there.
    pub(crate) source: Option<(&'a str, &'a str)>,
    pub(crate) apps: &'a [String],
    pub(crate) moves: &'a [Move],
    /// The apps whose moves do not come from the source.
    pub(crate) alone: &'a [String],
    /// Since when it waits.
    pub(crate) waiting: Option<Timestamp>,
    /// The request that it is, or is to be.
    pub(crate) head: Option<&'a Head<'a>>,
}

/// One gate's answer.
pub(crate) struct Stated {
    pub(crate) state: State,
    /// Whether the file names it.
    pub(crate) named: bool,
}

impl Stated {
    /// Whether it is worth a line of text.
    pub(crate) fn tells(&self) -> bool {
        self.named || self.state.answer != Answer::Open
    }
}

/// What all gates of a change answered.
#[derive(Default)]
pub(crate) struct Answered {
    pub(crate) states: Vec<Stated>,
    /// When all of them may be open at once, as far as that is known.
    pub(crate) ready: Option<Timestamp>,
}

impl Answered {
    /// The decision over them.
    pub(crate) fn decision(&self) -> Decision {
        let worst = self.states.iter().map(|stated| stated.state.counts()).max();
        match worst {
            None | Some(Answer::Open) => Decision::Open,
            Some(Answer::Pending) => Decision::Pending,
            Some(Answer::Closed) => Decision::Closed,
        }
    }

    /// The trailers of what was overridden: `GATE by NAME <MAIL>: REASON`.
    pub(crate) fn overrides(&self) -> Vec<String> {
        let mut all = Vec::new();
        for Stated { state, .. } in &self.states {
            let line = state.overridden.as_ref().map(|by| format!("{} by {by}", state.gate));
            all.extend(line.filter(|line| !all.contains(line)));
        }
        all
    }
}

/// Answers gates of one run, at one moment. What it finds out is kept.
pub(crate) struct Keeper<'a> {
    trust: &'a Trust,
    now: Timestamp,
    overrides: Vec<Override>,
    /// The apps of an environment in a commit.
    apps: RefCell<BTreeMap<(String, CommitId), Rc<Then>>>,
}

/// The apps of an environment in a commit; `None` where it does not stand there.
type Then = Result<Option<Vec<App>>, String>;

impl<'a> Keeper<'a> {
    pub(crate) fn new(trust: &'a Trust, now: Timestamp) -> Self {
        Keeper { trust, now, overrides: Vec::new(), apps: RefCell::default() }
    }

    /// Lets gates pass that somebody goes past.
    pub(crate) fn overriding(&mut self, overrides: Vec<Override>) {
        self.overrides = overrides;
    }

    /// Refuses to go past gates that are not there: whoever asked for that
    /// meant another one.
    pub(crate) fn check_overrides(&self, answered: &[&Answered]) -> Result<(), Failure> {
        if answered.is_empty() {
            return Ok(());
        }
        let words: BTreeSet<&str> =
            answered.iter().flat_map(|a| &a.states).map(|stated| stated.state.gate).collect();
        let words: Vec<&str> = words.into_iter().filter(|word| GATE_WORDS.contains(word)).collect();
        match self.overrides.iter().find(|o| !words.contains(&o.gate.as_str())) {
            None => Ok(()),
            Some(other) => {
                Err(Failure::usage(format!("there is no gate `{}` to override", other.gate))
                    .hint(format!("there are: {}", words.join(", "))))
            }
        }
    }

    /// Answers the gates of a change. `judgements` are those of its policies,
    /// which may be pending for too long, too.
    pub(crate) fn answer(
        &self,
        asked: &Asked<'_>,
        judgements: &[Judgement],
    ) -> Result<Answered, Failure> {
        let (gates, named) = self.gates(asked);
        let facts = self.facts(&gates, asked)?;
        let mut states = gate::evaluate(&gates, &facts, self.now);
        for state in &mut states {
            let by = self.overrides.iter().find(|o| o.gate == state.gate);
            if state.answer != Answer::Open {
                state.overridden = by.map(|by| by.by.clone());
            }
        }
        let ready = gate::ready_at(&gates, &states, self.now).filter(|ready| *ready > self.now);
        let stated = states.into_iter().zip(named);
        let mut states: Vec<Stated> =
            stated.map(|(state, named)| Stated { state, named }).collect();
        if let Some(state) = self.policies_timed_out(asked, judgements) {
            states.push(Stated { state, named: true });
        }
        Ok(Answered { states, ready })
    }

    /// A policy that has been pending for longer than the environment waits.
    fn policies_timed_out(&self, asked: &Asked<'_>, judgements: &[Judgement]) -> Option<State> {
        let timeout = asked.target.gate_timeout?;
        let since = asked.waiting?;
        if self.now.duration_since(since) <= timeout {
            return None;
        }
        let judgement = judgements.iter().find(|judgement| {
            judgement.policy.mode == Mode::Enforce
                && matches!(judgement.result, Ok(Outcome::Pending { .. }))
        })?;
        Some(State {
            gate: "policies",
            answer: Answer::Closed,
            reason: format!(
                "pending since {}, longer than `gateTimeout` ({}): policy {}",
                moment(since),
                words(timeout),
                judgement.policy.name
            ),
            earliest: None,
            zone: None,
            overridden: None,
        })
    }

    /// The gates that the change has to pass, and which of them the file names.
    fn gates(&self, asked: &Asked<'_>) -> (Gates, Vec<bool>) {
        let target = asked.target;
        let mut gates = Vec::new();
        let mut named = Vec::new();
        let mut add = |gate: Gate, by_name: bool| {
            if asked.kind == Kind::Rollback && exempt_from(gate.word(), &target.rollback_exempt) {
                return;
            }
            if asked.kind == Kind::Restored && matches!(gate.word(), "merged" | "soak" | "hold") {
                return;
            }
            if !gates.contains(&gate) {
                gates.push(gate);
                named.push(by_name);
            }
        };
        // An app that may not enter an environment is not looked for there.
        let merged = |of: &[String]| -> Option<Gate> {
            let apps = self.entering(of, asked.apps, asked.moves);
            (!apps.is_empty()).then(|| Gate::Merged { of: of.to_vec(), apps })
        };
        let before = self.before(asked);
        for gate in &target.gates {
            match &gate.rule {
                Rule::Merged(name) => {
                    if let Some(gate) = merged(std::slice::from_ref(name)) {
                        add(gate, true);
                    }
                }
                Rule::Soak(least) => {
                    for of in &before {
                        let apps = self.entering(of, asked.apps, asked.moves);
                        add(Gate::Soak { of: of.clone(), apps, least: *least }, true);
                    }
                }
                Rule::Window(window) => add(Gate::Window(window.clone()), true),
                Rule::Status(contexts) => {
                    add(Gate::Status { contexts: contexts.clone() }, true);
                }
                Rule::Approvals(approvals) => add(Gate::Approvals(approvals.clone()), true),
                // Refused before anything is judged.
                Rule::Later => {}
            }
        }
        if asked.kind == Kind::Promotion {
            for of in &before {
                if let Some(gate) = merged(of) {
                    add(gate, false);
                }
            }
        }
        let environment = target.name.clone();
        add(Gate::Hold { environment, apps: asked.apps.to_vec() }, false);
        (Gates { gates, timeout: target.gate_timeout }, named)
    }

    /// The apps that move something and may enter one of the environments.
    fn entering(&self, of: &[String], apps: &[String], moves: &[Move]) -> Vec<String> {
        let rules = &self.trust.config.rules;
        let enters = |app: &String| match rules.of(app).and_then(|rule| rule.environments.as_ref())
        {
            Some(allowed) => of.iter().any(|name| allowed.contains(name)),
            None => true,
        };
        let moving = |app: &String| moves.iter().any(|moved| moved.app == *app);
        apps.iter().filter(|app| moving(app) && enters(app)).cloned().collect()
    }

    fn facts(&self, gates: &Gates, asked: &Asked<'_>) -> Result<Facts, Failure> {
        let mut facts = Facts { waiting: asked.waiting, ..Facts::default() };
        let mut of_forge = Vec::new();
        for key in gate::needs(gates) {
            match key {
                Key::Held { environment, app } => {
                    let held = self.held(asked, &environment, &app)?;
                    facts.held.insert((environment, app), held);
                }
                Key::Since { environment, app, enough } => {
                    let since = self.since(asked, &environment, &app, enough)?;
                    // Two soaks may ask for one app; the longer look back is as good.
                    facts.since.insert((environment, app), since);
                }
                Key::Holds { environment } => {
                    let found = holds::of(self.trust, &environment)?;
                    facts.holds.insert(environment, found);
                }
                Key::Status { .. } | Key::Reviews | Key::Team { .. } | Key::Owners => {
                    of_forge.push(key);
                }
                Key::Waiting => {}
            }
        }
        let promoted = match of_forge.contains(&Key::Reviews) {
            true => self.promoted(asked)?,
            false => Ok(Vec::new()),
        };
        let question = Question { trust: self.trust, head: asked.head, promoted };
        question.answer(&of_forge, &mut facts)?;
        Ok(facts)
    }

    /// The commits that brought what moves to the environments before; words where
    /// one cannot be known.
    fn promoted(&self, asked: &Asked<'_>) -> Result<Brought<'a>, Failure> {
        let mut commits = Vec::new();
        if asked.kind != Kind::Promotion {
            return Ok(Ok(commits));
        }
        for name in self.before(asked).into_iter().flatten() {
            let Some((_, home, _)) = self.tip(&name)? else { continue };
            for app in self.entering(std::slice::from_ref(&name), asked.apps, asked.moves) {
                match self.since(asked, &name, &app, SignedDuration::MAX)? {
                    Fact::Known(since) => {
                        let commit = CommitId::parse(&since.commit);
                        commits.push((home, commit.expect("a commit's id is one")));
                    }
                    // What does not stand there was made by nobody there.
                    Fact::Absent => {}
                    Fact::Unreadable(reason) => return Ok(Err(reason)),
                }
            }
        }
        Ok(Ok(commits))
    }

    /// The environments that must hold what moves: one of each.
    fn before(&self, asked: &Asked<'_>) -> Vec<Vec<String>> {
        let each = |names: &[&str]| -> Vec<Vec<String>> {
            names.iter().map(|name| vec![(*name).to_owned()]).collect()
        };
        match (asked.source, &asked.target.after) {
            (Some((source, _)), _) => each(&asked.target.must_hold(source)),
            (None, After::All(names)) => names.iter().map(|name| vec![name.clone()]).collect(),
            (None, After::Any(names)) => vec![names.clone()],
        }
    }

    /// The environment, where it is, and its branch's newest commit.
    fn tip(&self, name: &str) -> Result<Option<(&'a Environment, &'a Home, CommitId)>, Failure> {
        let Ok(environment) = self.trust.config.environment(name) else { return Ok(None) };
        let place = self.trust.place(environment)?;
        Ok(place.home.tip(place.branch)?.map(|tip| (environment, place.home, tip)))
    }

    /// The apps of an environment in a commit; `None` where it does not stand
    /// there, and words where it cannot be read.
    fn apps(
        &self,
        environment: &Environment,
        home: &Home,
        commit: CommitId,
    ) -> Result<Rc<Then>, Failure> {
        let key = (environment.name.clone(), commit);
        if let Some(known) = self.apps.borrow().get(&key) {
            return Ok(known.clone());
        }
        let tree = home
            .repository
            .tree(&commit)
            .map_err(|error| git_failure(format!("could not read {}", commit.short()), &error))?;
        let apps = held(self.trust, environment, &tree).map_err(Failure::words);
        let apps = Rc::new(apps);
        self.apps.borrow_mut().insert(key, apps.clone());
        Ok(apps)
    }

    /// Whether the values that move stood in the environment before one of the
    /// promotions that are said to be taken back, app by app. Commits that `base`
    /// was not made from prove nothing.
    pub(crate) fn restores(
        &self,
        environment: &Environment,
        home: &Home,
        base: &CommitId,
        taken_back: &[String],
        moves: &[Move],
    ) -> Result<bool, Failure> {
        let failed = |error: gitops_git::GitError| {
            git_failure("could not read the history".to_owned(), &error)
        };
        let mut left: BTreeSet<&str> = moves.iter().map(|moved| moved.app.as_str()).collect();
        if left.is_empty() {
            return Ok(false);
        }
        for said in taken_back {
            let Ok(id) = CommitId::parse(said) else { continue };
            // One that is not here is no ancestor of what is.
            let Ok(commit) = home.repository.read_commit(&id) else { continue };
            let Some(before) = commit.parents.first() else { continue };
            if !home.repository.is_ancestor(&id, base).map_err(failed)? {
                continue;
            }
            let then = self.apps(environment, home, *before)?;
            let Ok(Some(apps)) = then.as_ref() else { continue };
            left.retain(|app| match one(apps, app) {
                None => !goes(moves, app),
                Some(held) => other(held, moves).is_some(),
            });
        }
        Ok(left.is_empty())
    }

    /// What an environment holds now of what moves.
    fn held(&self, asked: &Asked<'_>, name: &str, app: &str) -> Result<Fact<Held>, Failure> {
        let Some((environment, home, tip)) = self.tip(name)? else { return Ok(Fact::Absent) };
        let same = || Fact::Known(Held::Same(told(asked.moves, app)));
        // What moves was read from this very commit.
        let whole = !asked.alone.iter().any(|alone| alone == app);
        let read_there =
            asked.source.is_some_and(|(source, read)| source == name && read == tip.to_string());
        if whole && read_there && !goes(asked.moves, app) {
            return Ok(same());
        }
        let apps = self.apps(environment, home, tip)?;
        Ok(match apps.as_ref() {
            Err(reason) => Fact::Unreadable(reason.clone()),
            Ok(apps) => match apps.as_deref().and_then(|apps| one(apps, app)) {
                None if goes(asked.moves, app) => {
                    Fact::Known(Held::Same(format!("nothing of {app}")))
                }
                None => Fact::Absent,
                Some(held) => match other(held, asked.moves) {
                    None => same(),
                    Some((found, wanted)) => Fact::Known(Held::Other { found, wanted }),
                },
            },
        })
    }

    /// Since when it has held that without a break: the date of the commit that
    /// brought it, along the branch's first-parent line.
    fn since(
        &self,
        asked: &Asked<'_>,
        name: &str,
        app: &str,
        enough: SignedDuration,
    ) -> Result<Fact<Since>, Failure> {
        let Some((environment, home, tip)) = self.tip(name)? else { return Ok(Fact::Absent) };
        let repository = &home.repository;
        let failed = |error: gitops_git::GitError| {
            git_failure(format!("could not read the history of `{name}`"), &error)
        };
        let now = self.apps(environment, home, tip)?;
        let folder = match now.as_ref() {
            Err(reason) => return Ok(Fact::Unreadable(reason.clone())),
            Ok(apps) => match apps.as_deref().and_then(|apps| one(apps, app)) {
                None if goes(asked.moves, app) => held::folder(environment, Some(app))?,
                None => return Ok(Fact::Absent),
                Some(held) => held.folder.clone(),
            },
        };
        let enough = self.now.checked_sub(enough).unwrap_or(Timestamp::MIN);
        let mut since = None;
        for commit in repository.first_parent(&tip, &[folder]).take(COMMITS) {
            let commit = commit.map_err(failed)?;
            let apps = self.apps(environment, home, commit.id)?;
            // What could not be read then was not in force then.
            let apps = apps.as_ref().as_ref().ok().and_then(|apps| apps.as_deref());
            let holds = apps.is_some_and(|apps| match one(apps, app) {
                None => goes(asked.moves, app),
                Some(held) => other(held, asked.moves).is_none(),
            });
            if !holds {
                break;
            }
            let time = dated(repository, &commit).map_err(failed)?;
            since = Some(Since { time, commit: commit.id.to_string() });
            if time <= enough {
                break;
            }
        }
        Ok(since.map_or(Fact::Absent, Fact::Known))
    }
}

/// When a commit was made, as it says: not before the one that it stands on.
fn dated(
    repository: &Repository,
    commit: &gitops_git::Commit,
) -> Result<Timestamp, gitops_git::GitError> {
    let mut seconds = commit.committer.when.seconds;
    if let Some(parent) = commit.parents.first() {
        seconds = seconds.max(repository.read_commit(parent)?.committer.when.seconds);
    }
    Ok(Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX))
}

/// Whether nothing is left of what moves of an app: a source that does not have
/// the app holds that as well.
fn goes(moves: &[Move], app: &str) -> bool {
    let mut of_app = moves.iter().filter(|moved| moved.app == app).peekable();
    of_app.peek().is_some() && of_app.all(|moved| moved.after.is_none())
}

/// What moves of an app, in words.
fn told(moves: &[Move], app: &str) -> String {
    let values: Vec<&str> = moves
        .iter()
        .filter(|moved| moved.app == app)
        .filter_map(|moved| moved.after.as_deref())
        .collect();
    match values.as_slice() {
        [] => app.to_owned(),
        values => format!("{app} {}", values.join(", ")),
    }
}

/// The first value in which an app differs from what moves: what it holds, and
/// what moves.
fn other(held: &App, moves: &[Move]) -> Option<(String, String)> {
    for moved in moves.iter().filter(|moved| moved.app == held.name) {
        let slots = held.slots.iter().filter(|s| s.what == moved.what && s.name == moved.name);
        let values: Vec<&str> = slots.filter_map(|slot| slot.text()).collect();
        let same = match &moved.after {
            Some(after) => values.contains(&after.as_str()),
            None => values.is_empty(),
        };
        if !same {
            let app = &held.name;
            let word = |value: Option<&str>| match value {
                Some(value) => format!("{app} {value}"),
                None => format!("{app} without {}", moved.name),
            };
            return Some((word(values.first().copied()), word(moved.after.as_deref())));
        }
    }
    None
}

/// Since when a request has been waiting: the date of the oldest commit of its
/// branch that the target does not hold; `None` where there is no such branch.
pub(crate) fn waiting(
    place: Place<'_>,
    target: &Environment,
    base: &CommitId,
    branch: Option<&str>,
) -> Result<Option<Timestamp>, Failure> {
    let Some(branch) = branch.filter(|_| target.gate_timeout.is_some()) else { return Ok(None) };
    let Some(tip) = place.home.tip(branch)? else { return Ok(None) };
    let repository = &place.home.repository;
    let failed = |error: gitops_git::GitError| {
        git_failure(format!("could not read the branch `{branch}`"), &error)
    };
    if repository.merge_base(base, &tip).map_err(failed)?.is_none() {
        return Ok(None);
    }
    let ahead = repository.ahead(base, &tip).map_err(failed)?;
    let oldest = ahead.iter().map(|commit| commit.committer.when.seconds).min();
    Ok(oldest.and_then(|seconds| Timestamp::from_second(seconds).ok()))
}
