//! `promote --continue`: which environment a commit moved apps in, and where
//! they go from there.
//!
//! Both are read from the trees of the commit and of its first parent. What
//! the message says does not matter, so that squashed, rebased and merged
//! requests, edited messages and direct pushes are alike.

use std::collections::BTreeSet;

use gitops_core::plan::moves;
use gitops_git::{Commit, CommitId, GitError};

use super::desired::git_failure;
use super::held::{app, held, version};
use super::promote::differ;
use super::said::Said;
use super::trust::{Home, Trust, hinted};
use crate::config::{After, Environment};
use crate::failure::Failure;

/// Where a commit's change goes on to.
pub(crate) struct Continuation<'a> {
    /// The commit.
    pub(crate) commit: CommitId,
    /// What goes on, in the order of the environments.
    pub(crate) next: Vec<Next<'a>>,
    /// What does not, and why.
    pub(crate) remarks: Vec<String>,
}

/// Apps that go on from one environment to another.
pub(crate) struct Next<'a> {
    pub(crate) from: &'a Environment,
    pub(crate) to: &'a Environment,
    pub(crate) apps: Vec<String>,
}

/// Finds where the change of `rev` goes on to; without it, of the newest
/// commit of the trust branch.
pub(crate) fn continuation<'a>(
    trust: &'a Trust,
    rev: Option<&str>,
) -> Result<Continuation<'a>, Failure> {
    // A commit of an environment's own branch is here once that is fetched.
    let mut homes = vec![trust.home()];
    for environment in &trust.config.environments {
        let place = trust.place(environment)?;
        place.home.tip(place.branch)?;
        if !homes.iter().any(|home| home.name == place.home.name) {
            homes.push(place.home);
        }
    }
    let (home, id) = match rev {
        None => (trust.home(), trust.revision(&trust.branch)?.commit),
        Some(rev) => commit_of(&homes, rev)?,
    };
    let repository = &home.repository;
    let failed =
        |error: GitError| git_failure(format!("could not read commit {}", id.short()), &error);
    let commit = repository.read_commit(&id).map_err(failed)?;
    let mut found = Continuation { commit: id, next: Vec::new(), remarks: Vec::new() };
    let Some(parent) = commit.parents.first() else {
        if repository.is_shallow() {
            return Err(Failure::usage(format!(
                "what commit {} changed is not in this shallow clone",
                id.short()
            ))
            .hint("fetch the commit before it: `git fetch --deepen=1`"));
        }
        found.remarks.push(format!("commit {} is the first one", id.short()));
        return Ok(found);
    };
    let mut merged = false;
    for environment in &trust.config.environments {
        let place = trust.place(environment)?;
        if place.home.name != home.name {
            continue;
        }
        let Some(tip) = home.tip(place.branch)? else { continue };
        if repository.is_ancestor(&id, &tip).map_err(failed)? {
            merged = true;
            found.of(trust, home, environment, &commit, parent, &tip)?;
        }
    }
    if !merged {
        found.remarks.push(format!(
            "commit {} is on no branch that an environment is read from: it is not merged",
            id.short()
        ));
    } else if found.next.is_empty() && found.remarks.is_empty() {
        found.remarks.push(format!("commit {} moves no app", id.short()));
    }
    Ok(found)
}

/// The commit that `rev` names, and the repository that has it: the trust
/// repository where it is there.
fn commit_of<'a>(homes: &[&'a Home], rev: &str) -> Result<(&'a Home, CommitId), Failure> {
    let mut first = None;
    for home in homes {
        match home.repository.resolve(rev) {
            Ok(id) => return Ok((home, id)),
            Err(error) => {
                first.get_or_insert(error);
            }
        }
    }
    let error = first.expect("the trust repository is among them");
    Err(hinted(&format!("could not read revision `{rev}`"), &error))
}

impl<'a> Continuation<'a> {
    /// What the commit moved in one environment, and where that goes.
    fn of(
        &mut self,
        trust: &'a Trust,
        home: &Home,
        from: &'a Environment,
        commit: &Commit,
        parent: &CommitId,
        tip: &CommitId,
    ) -> Result<(), Failure> {
        let at = |id: &CommitId| {
            let tree = home.repository.tree(id).map_err(|error| {
                git_failure(format!("could not read commit {}", id.short()), &error)
            })?;
            held(trust, from, &tree)
        };
        // An environment that is new, or gone, was not promoted into.
        let (Some(before), Some(after), Some(now)) = (at(parent)?, at(&commit.id)?, at(tip)?)
        else {
            return Ok(());
        };
        let moved: BTreeSet<String> =
            moves(&before, &after).into_iter().map(|moved| moved.app).collect();
        if moved.is_empty() {
            return Ok(());
        }
        let name = &from.name;
        if Said::of(&home.repository, commit)?.takes_back() {
            self.remarks.push(format!(
                "commit {} is a rollback in `{name}`, which does not go on by itself",
                commit.id.short()
            ));
            return Ok(());
        }
        let mut apps = Vec::new();
        for moved in moved {
            let (then, here) = (app(&after, &moved), app(&now, &moved));
            let Some(then) = then else {
                self.remarks.push(format!(
                    "`{moved}` is gone from `{name}` since commit {}",
                    commit.id.short()
                ));
                continue;
            };
            let now: Vec<_> = here.cloned().into_iter().collect();
            if moves(std::slice::from_ref(then), &now).is_empty() {
                apps.push(moved);
            } else {
                self.remarks.push(format!(
                    "`{moved}` has moved on in `{name}`: {} at commit {}, {} now",
                    version(Some(then)),
                    commit.id.short(),
                    version(here)
                ));
            }
        }
        if apps.is_empty() {
            return Ok(());
        }
        let mut last = true;
        for to in &trust.config.environments {
            if to.after.names().contains(name) {
                last = false;
                self.to(trust, from, to, &apps)?;
            }
        }
        if last {
            self.remarks.push(format!("no environment comes after `{name}`"));
        }
        Ok(())
    }

    /// The apps that may go from one environment to another: those whose rule
    /// lets them in, where every environment before holds them.
    fn to(
        &mut self,
        trust: &'a Trust,
        from: &'a Environment,
        to: &'a Environment,
        apps: &[String],
    ) -> Result<(), Failure> {
        let rules = &trust.config.rules;
        let ours = now(trust, from)?;
        let mut waits_for = Vec::new();
        if let After::All(names) = &to.after {
            for name in names.iter().filter(|name| **name != from.name) {
                let other =
                    trust.config.environment(name).map_err(super::desired::unknown_environment)?;
                waits_for.push((name, now(trust, other)?));
            }
        }
        let mut going = Vec::new();
        for moved in apps {
            let rule = rules.of(moved);
            let allowed = rule.and_then(|rule| rule.environments.as_ref());
            if allowed.is_some_and(|allowed| !allowed.contains(&to.name)) {
                self.remarks.push(format!("`{moved}` does not enter `{}`", to.name));
                continue;
            }
            let behind = waits_for.iter().find(|(name, theirs)| {
                differ(rules, moved, name, app(&ours, moved).cloned(), app(theirs, moved).cloned())
            });
            if let Some((name, theirs)) = behind {
                self.remarks.push(format!(
                    "`{moved}` waits before `{}` for `{name}`, which holds {}",
                    to.name,
                    version(app(theirs, moved))
                ));
                continue;
            }
            let twice = |next: &&Next<'_>| next.to.name == to.name && next.apps.contains(moved);
            if !self.next.iter().any(|next| twice(&next)) {
                going.push(moved.clone());
            }
        }
        if !going.is_empty() {
            self.next.push(Next { from, to, apps: going });
        }
        Ok(())
    }
}

/// What an environment holds now.
fn now(trust: &Trust, environment: &Environment) -> Result<Vec<gitops_core::plan::App>, Failure> {
    let there = trust.place(environment)?.revision()?;
    Ok(held(trust, environment, &there.tree)?.unwrap_or_default())
}
