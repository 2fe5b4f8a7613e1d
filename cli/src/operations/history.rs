//! What arrived where and when, derived from the trees along each
//! environment's branch. What commits claim about it is added, and never
//! needed.

use std::collections::BTreeMap;
use std::rc::Rc;

use gitops_core::history::Arrival;
use gitops_core::judge::Move;
use gitops_core::plan::{App, Narrow, moves};
use gitops_git::{Commit, CommitId, GitError};
use gitops_tree::TreePath;

use super::desired::git_failure;
use super::held::{app, folder, held};
use super::said::Said;
use super::trust::Trust;
use crate::config::Environment;
use crate::failure::Failure;

/// How a version came into an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// From another environment; `claimed` where the commit says so, otherwise
    /// that environment held the version.
    Promoted { from: String, claimed: bool },
    /// A release by this program.
    Released,
    /// An earlier state came back.
    RolledBack,
    /// It was there when the branch began.
    First,
    /// By a commit that says nothing about it.
    Changed,
}

/// The values of one app changed in one environment.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    pub(crate) environment: String,
    pub(crate) app: String,
    pub(crate) before: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) moves: Vec<Move>,
    pub(crate) how: How,
    /// When it reached the branch: seconds since 1970, by its commit, and never
    /// before what came earlier on that branch, whatever clocks say.
    pub(crate) at: i64,
    /// The commit that put it onto the branch.
    pub(crate) commit: Commit,
    /// What that commit, or those that it merged, say of themselves.
    pub(crate) said: Rc<Said>,
}

impl Deployment {
    /// As figures are made of it; `None` of what was there at the beginning,
    /// since nobody knows when that came.
    pub(crate) fn arrival(&self) -> Option<Arrival> {
        (self.how != How::First).then(|| Arrival {
            app: self.app.clone(),
            environment: self.environment.clone(),
            version: self.version.clone(),
            at: self.at,
            rollback: self.how == How::RolledBack,
        })
    }
}

/// What was found, and what could not be read.
#[derive(Default)]
pub(crate) struct History {
    /// Oldest first.
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) remarks: Vec<String>,
}

/// Everything that arrived in `environments`, of all apps. Environments that
/// come before them are read, too, since they tell where a version came from.
pub(crate) fn history(trust: &Trust, environments: &[&Environment]) -> Result<History, Failure> {
    let mut history = History::default();
    for environment in environments {
        history.read(trust, environment)?;
    }
    history.deployments.sort_by_key(|deployment| deployment.at);
    history.origins(trust);
    Ok(history)
}

impl History {
    /// Goes along the branch of one environment.
    fn read(&mut self, trust: &Trust, environment: &Environment) -> Result<(), Failure> {
        let place = trust.place(environment)?;
        let (branch, repository) = (place.branch, &place.home.repository);
        let Some(tip) = place.home.tip(branch)? else {
            self.remarks.push(format!(
                "{} has no branch `{branch}`, so that nothing is known of `{}`",
                place.home.words(),
                environment.name
            ));
            return Ok(());
        };
        let failed = |error: GitError| git_failure(format!("could not read `{branch}`"), &error);
        let commits = repository
            .first_parent(&tip, &[folder(environment, None)?])
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        if repository.is_shallow() {
            let remark = "this clone is shallow: what happened earlier is not here; `git fetch --unshallow` brings it";
            if !self.remarks.iter().any(|other| other == remark) {
                self.remarks.push(remark.to_owned());
            }
        }
        let reference = trust.reference(environment)?;
        let mut known: Vec<App> = Vec::new();
        // The commit that they were read at.
        let mut read: Option<CommitId> = None;
        let mut at = i64::MIN;
        for (index, commit) in commits.into_iter().rev().enumerate() {
            at = at.max(commit.committer.when.seconds);
            let tree = repository.tree(&commit.id).map_err(failed)?;
            // Only apps whose folders differ since can be others.
            let changed = match &read {
                Some(read) => Some(repository.changed(Some(read), &commit.id).map_err(failed)?),
                None => None,
            };
            let narrow = match &changed {
                Some(changed) => {
                    Narrow::around(&tree, &reference, changed.iter().map(|changed| &changed.path))
                }
                None => Narrow::around(&tree, &reference, [&TreePath::root()]),
            };
            if narrow.is_empty() {
                continue;
            }
            // What cannot be read at one commit is compared at the next that can.
            let now = match held(trust, environment, &narrow) {
                Ok(apps) => apps.unwrap_or_default(),
                Err(failure) => {
                    let why = failure.causes.into_iter().next().unwrap_or(failure.error);
                    self.remarks.push(format!(
                        "commit {} is left out of `{}`: {why}",
                        commit.id.short(),
                        environment.name,
                    ));
                    continue;
                }
            };
            let all = std::mem::take(&mut known).into_iter();
            let (before, rest): (Vec<App>, Vec<App>) =
                all.partition(|app| narrow.shows(&app.folder));
            read = Some(commit.id);
            let mut by_app: BTreeMap<String, Vec<Move>> = BTreeMap::new();
            for moved in moves(&before, &now) {
                by_app.entry(moved.app.clone()).or_default().push(moved);
            }
            let said = match by_app.is_empty() {
                true => Rc::default(),
                false => Rc::new(Said::of(repository, &commit)?),
            };
            for (name, moves) in by_app {
                let version = |apps: &[App]| app(apps, &name).and_then(App::version);
                self.deployments.push(Deployment {
                    environment: environment.name.clone(),
                    before: version(&before),
                    version: version(&now),
                    moves,
                    how: how(&said, index == 0 && commit.parents.is_empty()),
                    at,
                    commit: commit.clone(),
                    said: said.clone(),
                    app: name,
                });
            }
            known = rest;
            known.extend(now);
        }
        Ok(())
    }

    /// Finds where versions came from that no commit says it of: an
    /// environment right before held them at that time.
    fn origins(&mut self, trust: &Trust) {
        let mut holds: BTreeMap<(String, String), Option<String>> = BTreeMap::new();
        for deployment in &mut self.deployments {
            if deployment.how == How::Changed
                && let Ok(environment) = trust.config.environment(&deployment.environment)
            {
                let before = environment.after.names().iter().find(|name| {
                    let key = ((*name).clone(), deployment.app.clone());
                    deployment.version.is_some() && holds.get(&key) == Some(&deployment.version)
                });
                if let Some(from) = before {
                    deployment.how = How::Promoted { from: from.clone(), claimed: false };
                }
            }
            let key = (deployment.environment.clone(), deployment.app.clone());
            holds.insert(key, deployment.version.clone());
        }
    }
}

fn how(said: &Said, first: bool) -> How {
    if first {
        // Where a shallow clone is cut off, its words are about more than is here.
        How::First
    } else if said.takes_back() {
        How::RolledBack
    } else if let Some(from) = said.values("Promoted-From").first() {
        How::Promoted { from: (*from).to_owned(), claimed: true }
    } else if said.has("Plan-Digest") {
        How::Released
    } else {
        How::Changed
    }
}
