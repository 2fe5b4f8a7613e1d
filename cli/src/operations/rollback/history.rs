//! The history of one app in one environment: which commits changed its
//! values, and what each of them was.

use std::collections::BTreeMap;

use gitops_core::plan::{App, Held, PlanError, SlotId, printable};
use gitops_git::{Commit, CommitId, FirstParent, GitError};
use gitops_tree::TreePath;

use super::super::desired::git_failure;
use super::super::held;
use super::super::promote::plan_failure;
use super::super::said::Said;
use super::super::trust::{Home, Trust, hinted};
use crate::config::Environment;
use crate::failure::{Exit, Failure};

/// What a place held before a change and after it.
type BeforeAndAfter = (Option<Held>, Option<Held>);

/// How far back the environments before are searched for what a commit put
/// into one.
const SOURCE_COMMITS: usize = 200;

/// The values of an app that move.
pub(super) type Values = BTreeMap<SlotId, Option<Held>>;

/// A commit that changed values of an app.
pub(super) struct Change {
    pub(super) commit: Commit,
    /// The commit that held the values before; `None` where there was no app.
    pub(super) older: Option<CommitId>,
    /// Whether it took the app away.
    pub(super) gone: bool,
    /// Before and after, by slot.
    pub(super) values: BTreeMap<SlotId, BeforeAndAfter>,
}

impl Change {
    pub(super) fn short(&self) -> String {
        format!("{} ({})", self.commit.id.short(), printable(self.commit.summary()))
    }

    /// Whether it puts back all that an older one changed.
    fn reverts(&self, older: &Change) -> bool {
        let back = |(id, (before, after)): (&SlotId, &(Option<Held>, Option<Held>))| {
            older.values.get(id).is_some_and(|(old, new)| old == after && new == before)
        };
        self.values.len() == older.values.len() && self.values.iter().all(back)
    }
}

/// What a commit that changed an app was.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A promotion or release.
    Promotion,
    /// A rollback, as it says itself.
    Rollback,
    /// It puts back what the change before it changed.
    Reverts,
    /// Somebody's own change.
    Own,
}

/// The changes of an app as far as they were looked at, the newest first.
pub(super) struct Known<'h> {
    pub(super) history: &'h History<'h>,
    pub(super) changes: Changes<'h>,
    pub(super) known: Vec<Change>,
}

impl Known<'_> {
    /// One of them.
    fn get(&mut self, at: usize) -> Result<Option<&Change>, Failure> {
        while self.known.len() <= at {
            match self.changes.next().transpose()? {
                Some(change) => self.known.push(change),
                None => return Ok(None),
            }
        }
        Ok(self.known.get(at))
    }

    /// What one of them was; `None` where there are no more.
    pub(super) fn kind(&mut self, at: usize) -> Result<Option<Kind>, Failure> {
        if self.get(at + 1)?.is_none() && self.get(at)?.is_none() {
            return Ok(None);
        }
        let change = &self.known[at];
        let said = Said::of(&self.history.home.repository, &change.commit)?;
        let older = self.known.get(at + 1);
        Ok(Some(if said.takes_back() {
            Kind::Rollback
        } else if said.has("Plan-Digest") {
            Kind::Promotion
        } else if older.is_some_and(|older| change.reverts(older)) {
            Kind::Reverts
        } else if self.history.promotes(change)? {
            Kind::Promotion
        } else {
            Kind::Own
        }))
    }
}

/// What an environment held of an app at a commit.
pub(super) enum State {
    /// This; `None` where there was no such app.
    Read(Option<Values>),
    /// Nobody can tell: history need not be in order.
    Broken,
}

/// The history of one app in one environment.
pub(super) struct History<'a> {
    pub(super) trust: &'a Trust,
    pub(super) environment: &'a Environment,
    pub(super) app: &'a str,
    /// Where the environment is.
    pub(super) home: &'a Home,
    pub(super) branch: &'a str,
    pub(super) tip: CommitId,
    /// Where the app stands.
    pub(super) folder: TreePath,
}

impl<'a> History<'a> {
    pub(super) fn new(
        trust: &'a Trust,
        environment: &'a Environment,
        app: &'a str,
    ) -> Result<History<'a>, Failure> {
        let place = trust.place(environment)?;
        let there = place.revision()?;
        let folder = match held::held_of(trust, environment, &there.tree, app)? {
            Some(app) => app.folder,
            None => held::folder(environment, Some(app))?,
        };
        let (home, branch) = (place.home, place.branch);
        Ok(History { trust, environment, app, home, branch, tip: there.commit, folder })
    }

    /// The app as it is now.
    pub(super) fn now(&self) -> Result<Option<App>, Failure> {
        held::held_of(self.trust, self.environment, &tree(self.home, &self.tip)?, self.app)
    }

    /// That there is no such app.
    pub(super) fn unknown(&self) -> Result<Failure, Failure> {
        let apps = held::held(self.trust, self.environment, &tree(self.home, &self.tip)?)?;
        let apps = apps.unwrap_or_default();
        let mut known: Vec<String> = apps.into_iter().map(|app| app.name).collect();
        known.sort_by_key(|other| strsim::damerau_levenshtein(other, self.app));
        let (app, environment) = (self.app.to_owned(), self.environment.name.clone());
        let attempt = format!("could not roll back `{app}` in `{environment}`");
        Ok(plan_failure(&attempt, &PlanError::UnknownApp { app, environment, known }))
    }

    /// Whether the app has a folder of its own.
    pub(super) fn has_own_folder(&self) -> bool {
        self.environment.path.contains("{app}")
    }

    /// Whether a value is a file that `copy` moves.
    pub(super) fn copies(&self, id: &SlotId) -> bool {
        self.trust.config.rules.of(self.app).is_some_and(|rule| rule.copies(id))
    }

    pub(super) fn state(&self, id: &CommitId) -> Result<State, Failure> {
        self.state_of(self.home, self.environment, id)
    }

    fn state_of(
        &self,
        home: &Home,
        environment: &Environment,
        id: &CommitId,
    ) -> Result<State, Failure> {
        match held::held_of(self.trust, environment, &tree(home, id)?, self.app) {
            Ok(app) => Ok(State::Read(app.as_ref().map(values))),
            Err(failure) if failure.exit == Exit::World => Err(failure),
            Err(_) => Ok(State::Broken),
        }
    }

    /// The commits that changed values of the app, the newest first.
    pub(super) fn changes(&self) -> Changes<'_> {
        let line = self.home.repository.first_parent(&self.tip, std::slice::from_ref(&self.folder));
        Changes { history: self, line, newer: None, ended: false }
    }

    /// Whether a change put there what an environment before held. Into the
    /// first environment everything is a release.
    fn promotes(&self, change: &Change) -> Result<bool, Failure> {
        // What the first commit brought was promoted from nowhere.
        if change.older.is_none() && change.commit.parents.is_empty() {
            return Ok(false);
        }
        let before = self.environment.after.names();
        if before.is_empty() {
            return Ok(true);
        }
        for name in before {
            let Ok(source) = self.trust.config.environment(name) else { continue };
            if self.held_by(source, change)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether an environment held the values of a change when it was made, or
    /// after it held what the change replaced: requests may be merged late.
    fn held_by(&self, source: &Environment, change: &Change) -> Result<bool, Failure> {
        let place = self.trust.place(source)?;
        let folder = held::folder(source, Some(self.app))?;
        let own = place.home.name == self.home.name && place.branch == self.branch;
        let from = if own {
            change.commit.id
        } else {
            match place.home.tip(place.branch)? {
                Some(tip) => tip,
                None => return Ok(false),
            }
        };
        let repository = &place.home.repository;
        let mut last = None;
        // What the source has taken away, it held once.
        let mut gone = false;
        for commit in repository.first_parent(&from, &[folder]).take(SOURCE_COMMITS) {
            let commit = commit.map_err(|error| unread(&error))?;
            if !own && commit.committer.when.seconds > change.commit.committer.when.seconds {
                continue;
            }
            let state = self.state_of(place.home, source, &commit.id)?;
            if change.gone && matches!(state, State::Read(None)) {
                gone = true;
                continue;
            }
            if let State::Read(Some(held)) = state
                && last.as_ref() != Some(&held)
            {
                if gone {
                    return Ok(true);
                }
                let same = |of: fn(&BeforeAndAfter) -> &Option<Held>| {
                    let mut values = change.values.iter();
                    values.all(|(id, value)| held.get(id).unwrap_or(&None) == of(value))
                };
                if same(|(_, after)| after) {
                    return Ok(true);
                }
                if same(|(before, _)| before) {
                    return Ok(false);
                }
                last = Some(held);
            }
        }
        Ok(false)
    }
}

/// See [`History::changes`]. What cannot be read is passed over, so that a
/// change is one between states that somebody could have run.
pub(super) struct Changes<'a> {
    history: &'a History<'a>,
    line: FirstParent<'a>,
    newer: Option<(Commit, Option<Values>)>,
    ended: bool,
}

impl Changes<'_> {
    fn step(&mut self) -> Result<Option<Change>, Failure> {
        while !self.ended {
            let older = match self.line.next() {
                None => {
                    self.ended = true;
                    None
                }
                Some(commit) => {
                    let commit = commit.map_err(|error| unread(&error))?;
                    match self.history.state(&commit.id)? {
                        State::Broken => continue,
                        State::Read(held) => Some((commit, held)),
                    }
                }
            };
            let newer = std::mem::replace(&mut self.newer, older);
            let Some((commit, after)) = newer else { continue };
            let before = self.newer.as_ref();
            let held_before = before.and_then(|(_, held)| held.clone());
            let gone = after.is_none();
            let values =
                differences(&held_before.clone().unwrap_or_default(), &after.unwrap_or_default());
            if values.is_empty() {
                continue;
            }
            let older = before.filter(|_| held_before.is_some()).map(|(commit, _)| commit.id);
            return Ok(Some(Change { commit, older, gone, values }));
        }
        Ok(None)
    }
}

impl Iterator for Changes<'_> {
    type Item = Result<Change, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step().transpose();
        self.ended |= matches!(step, Some(Err(_)));
        step
    }
}

pub(super) fn tree(home: &Home, id: &CommitId) -> Result<gitops_git::RevisionTree, Failure> {
    home.repository
        .tree(id)
        .map_err(|error| git_failure(format!("could not read commit {}", id.short()), &error))
}

pub(super) fn values(app: &App) -> Values {
    app.slots.iter().map(|slot| (slot.id.clone(), slot.value.clone())).collect()
}

/// The values in which two states differ: before and after.
pub(super) fn differences(before: &Values, after: &Values) -> BTreeMap<SlotId, BeforeAndAfter> {
    let of = |values: &Values, id: &SlotId| values.get(id).cloned().unwrap_or_default();
    let ids = before.keys().chain(after.keys());
    ids.map(|id| (id.clone(), (of(before, id), of(after, id))))
        .filter(|(_, (before, after))| before != after)
        .collect()
}

fn unread(error: &GitError) -> Failure {
    hinted("could not read the history", error)
}
