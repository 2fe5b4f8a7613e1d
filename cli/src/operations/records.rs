//! The last promotion of an app from one environment into another, from the
//! history of their branches.
//!
//! What commit messages say is a claim: it counts where the trees bear it out.
//! Where nothing is claimed (squashed, rebased, edited messages), a commit that
//! put into the target what the source held is a promotion all the same. What
//! a rollback took back is not a change of the target's own.

use std::collections::BTreeMap;

use gitops_core::judge::EnvironmentRef;
use gitops_core::plan::{self, App, Held, Narrow, Past, PlanError, Rules, SlotId, folder_of};
use gitops_git::{Commit, CommitId, Repository};
use gitops_tree::{TreeError, TreePath};

use super::said::Said;
use super::trust::hinted;
use crate::failure::Failure;

/// One environment, and the newest commit of its branch.
#[derive(Clone, Copy)]
pub(crate) struct End<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) environment: &'a EnvironmentRef,
    pub(crate) tip: CommitId,
}

/// From where to where.
pub(crate) struct Records<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) source: End<'a>,
    pub(crate) target: End<'a>,
}

/// A commit that changed an app in the target.
struct Change {
    commit: Commit,
    /// The app after it.
    after: Option<App>,
    /// The values that changed, as they are after it.
    values: BTreeMap<SlotId, Option<Held>>,
    rolled_back: bool,
    /// The commits that it says it takes back, the newest first.
    takes_back: Vec<CommitId>,
}

/// A promotion that was found.
struct Found {
    commit: CommitId,
    source_commit: CommitId,
    source: Option<App>,
    target: Option<App>,
}

impl Records<'_> {
    /// The last promotion of each of the apps, where there is one.
    pub(crate) fn last(&self, apps: &[String]) -> Result<BTreeMap<String, Past>, Failure> {
        let mut open: BTreeMap<String, Vec<Change>> =
            apps.iter().map(|app| (app.clone(), Vec::new())).collect();
        let mut past = BTreeMap::new();
        // What a rollback took back counts no more, and neither does the rollback.
        let mut undone: BTreeMap<String, Vec<CommitId>> = BTreeMap::new();
        let paths = self.target.paths(apps);
        for commit in self.target.repository.first_parent(&self.target.tip, &paths) {
            if open.is_empty() {
                break;
            }
            let commit = commit.map_err(|error| unread(&error))?;
            for (app, change) in self.changes(&commit, &open)? {
                if undone.get(&app).is_some_and(|undone| undone.contains(&commit.id)) {
                    continue;
                }
                if change.rolled_back && self.is_back(&app, &change)? {
                    undone.entry(app).or_default().extend(change.takes_back);
                    continue;
                }
                let found = if change.rolled_back { None } else { self.promotion(&app, &change)? };
                match found {
                    None => open.entry(app).or_default().push(change),
                    Some(found) => {
                        let later = open.remove(&app).unwrap_or_default();
                        past.insert(app.clone(), self.past(&app, Some(found), later)?);
                    }
                }
            }
        }
        for (app, changes) in open {
            past.insert(app.clone(), self.past(&app, None, changes)?);
        }
        Ok(past.into_iter().filter_map(|(app, past)| Some((app, past?))).collect())
    }

    /// What a commit changed in the apps that are still looked for.
    fn changes(
        &self,
        commit: &Commit,
        open: &BTreeMap<String, Vec<Change>>,
    ) -> Result<Vec<(String, Change)>, Failure> {
        let target = &self.target;
        let parent = commit.parents.first();
        let mut touched: Vec<&str> = open.keys().map(String::as_str).collect();
        if target.environment.path.contains("{app}") && touched.len() > 1 {
            let changed = target.repository.changed(parent, &commit.id);
            let changed = changed.map_err(|error| unread(&error))?;
            touched.retain(|app| {
                let Some(folder) = target.folder(app) else { return true };
                changed.iter().any(|changed| changed.path.is_within(&folder))
            });
        }
        if touched.is_empty() {
            return Ok(Vec::new());
        }
        let after = self.apps(target, &commit.id, &touched)?;
        let before = match parent {
            Some(parent) => self.apps(target, parent, &touched)?,
            None => BTreeMap::new(),
        };
        let said = Said::of(target.repository, commit)?;
        let rolled_back = said.takes_back();
        let taken_back = said.values("Rolled-Back").into_iter();
        let takes_back: Vec<CommitId> =
            taken_back.filter_map(|id| CommitId::parse(id).ok()).collect();
        let mut changes = Vec::new();
        for app in touched {
            let (before, after) = (before.get(app), after.get(app));
            let mut values = self.values(app, after);
            let old = self.values(app, before);
            for id in old.keys() {
                values.entry(id.clone()).or_default();
            }
            values.retain(|id, value| old.get(id).unwrap_or(&None) != value);
            if !values.is_empty() {
                let (commit, after) = (commit.clone(), after.cloned());
                let takes_back = takes_back.clone();
                let change = Change { commit, after, values, rolled_back, takes_back };
                changes.push((app.to_owned(), change));
            }
        }
        Ok(changes)
    }

    /// Whether a rollback put there what stood there before what it takes back.
    fn is_back(&self, app: &str, change: &Change) -> Result<bool, Failure> {
        let target = &self.target;
        let Some(oldest) = change.takes_back.last() else { return Ok(false) };
        if !target.repository.is_ancestor(oldest, &change.commit.id).unwrap_or(false) {
            return Ok(false);
        }
        let oldest = target.repository.first_parent(oldest, &[]).next().transpose();
        let oldest = oldest.map_err(|error| unread(&error))?;
        let held = match oldest.and_then(|oldest| oldest.parents.first().copied()) {
            // A shallow clone may end there.
            Some(before) if target.repository.tree(&before).is_err() => return Ok(false),
            Some(before) => self.apps(target, &before, &[app])?.remove(app),
            None => None,
        };
        let before = self.values(app, held.as_ref());
        Ok(change.values.iter().all(|(id, value)| before.get(id).unwrap_or(&None) == value))
    }

    /// The values of an app that move.
    fn values(&self, app: &str, held: Option<&App>) -> BTreeMap<SlotId, Option<Held>> {
        let Some(rule) = self.rules.of(app) else { return BTreeMap::new() };
        let slots = held.into_iter().flat_map(|held| &held.slots);
        let moving = slots.filter(|slot| rule.moves(slot));
        moving.map(|slot| (slot.id.clone(), slot.value.clone())).collect()
    }

    /// Whether the source held at `commit` what a change put into the target.
    /// The outer `None` says no.
    #[allow(clippy::option_option)]
    fn bears_out(
        &self,
        app: &str,
        commit: &CommitId,
        change: &Change,
    ) -> Result<Option<Option<App>>, Failure> {
        let held = self.apps(&self.source, commit, &[app])?.remove(app);
        let values = self.values(app, held.as_ref());
        let same = change.values.iter().all(|(id, value)| values.get(id).unwrap_or(&None) == value);
        Ok(same.then_some(held))
    }

    /// The promotion that a change was, where it is plain: it claims the source's
    /// commit and the trees agree, or it put there what the source held just then.
    fn promotion(&self, app: &str, change: &Change) -> Result<Option<Found>, Failure> {
        let said = Said::of(self.target.repository, &change.commit)?;
        let named = said.promoted_from(&self.source.environment.name);
        let mut commits: Vec<_> = named.filter_map(|id| CommitId::parse(id).ok()).collect();
        let repository = self.source.repository;
        commits.retain(|id| repository.is_ancestor(id, &self.source.tip).unwrap_or(false));
        commits.extend(self.source_line(&change.commit, false).next().transpose()?);
        for id in commits {
            if let Some(source) = self.bears_out(app, &id, change)? {
                return Ok(Some(Found {
                    commit: change.commit.id,
                    source_commit: id,
                    source,
                    target: change.after.clone(),
                }));
            }
        }
        Ok(None)
    }

    /// The commits of the source's branch when `commit` was made, the newest
    /// first. Where both environments stand on one branch, the commit's own tree
    /// is the newest state. Elsewhere there are only clocks to go by, unless
    /// `later` ones are wanted, too.
    fn source_line<'s>(
        &'s self,
        commit: &Commit,
        later: bool,
    ) -> Box<dyn Iterator<Item = Result<CommitId, Failure>> + 's> {
        let source = self.source;
        let paths = source.paths(&[]);
        let same = std::ptr::eq(source.repository, self.target.repository)
            && source.environment.git_ref == self.target.environment.git_ref;
        if same {
            let first = std::iter::once(Ok(commit.id));
            let line = source.repository.first_parent(&commit.id, &paths);
            let line = line.map(|commit| commit.map(|c| c.id).map_err(|error| unread(&error)));
            return Box::new(first.chain(line));
        }
        let when = commit.committer.when.seconds;
        let line = source.repository.first_parent(&source.tip, &paths);
        let then = line.filter(move |commit| {
            later || commit.as_ref().map_or(true, |commit| commit.committer.when.seconds <= when)
        });
        Box::new(then.map(|commit| commit.map(|c| c.id).map_err(|error| unread(&error))))
    }

    /// Goes on from a plain promotion through what came later, the newest first
    /// in `later`: rollbacks, and promotions that arrived late and say nothing,
    /// which put there what the source has held since.
    fn past(
        &self,
        app: &str,
        found: Option<Found>,
        later: Vec<Change>,
    ) -> Result<Option<Past>, Failure> {
        let mut found = found;
        let mut changed_in_target = None;
        for change in later.iter().rev() {
            if change.rolled_back
                && let Some(found) = &mut found
            {
                found.target = change.after.clone();
                continue;
            }
            let mut since = None;
            for id in self.source_line(&change.commit, true) {
                let id = id?;
                let known = found.as_ref().is_some_and(|found| {
                    let repository = self.source.repository;
                    repository.is_ancestor(&id, &found.source_commit).unwrap_or(true)
                });
                if known {
                    break;
                }
                if let Some(source) = self.bears_out(app, &id, change)? {
                    since = Some((id, source));
                    break;
                }
            }
            match since {
                Some((source_commit, source)) => {
                    changed_in_target = None;
                    found = Some(Found {
                        commit: change.commit.id,
                        source_commit,
                        source,
                        target: change.after.clone(),
                    });
                }
                None => changed_in_target = Some(words(&change.commit)),
            }
        }
        let Some(found) = found else { return Ok(None) };
        let changed_in_source = match &changed_in_target {
            None => None,
            Some(_) => self.changed_in_source(app, &found.source_commit)?,
        };
        Ok(Some(Past {
            commit: found.commit.to_string(),
            source_commit: found.source_commit.to_string(),
            source: found.source,
            target: found.target,
            changed_in_source,
            changed_in_target,
        }))
    }

    /// The newest commit of the source's branch that changed an app since.
    fn changed_in_source(&self, app: &str, since: &CommitId) -> Result<Option<String>, Failure> {
        let source = self.source;
        let held = |id: &CommitId| -> Result<_, Failure> {
            Ok(self.values(app, self.apps(&source, id, &[app])?.get(app)))
        };
        let now = held(&source.tip)?;
        let paths = source.paths(&[app.to_owned()]);
        for commit in source.repository.first_parent(&source.tip, &paths) {
            let commit = commit.map_err(|error| unread(&error))?;
            if commit.id == *since {
                break;
            }
            let Some(parent) = commit.parents.first() else { return Ok(Some(words(&commit))) };
            if held(parent)? != now {
                return Ok(Some(words(&commit)));
            }
        }
        Ok(None)
    }

    /// Some apps of an environment at a commit. What cannot be understood holds
    /// no app: history need not be in order. What is not here is an error.
    fn apps(
        &self,
        end: &End<'_>,
        commit: &CommitId,
        names: &[&str],
    ) -> Result<BTreeMap<String, App>, Failure> {
        let tree = end.repository.tree(commit).map_err(|error| unread(&error))?;
        let narrow = Narrow::to(&tree, end.environment, names.iter().copied());
        match plan::discover_apps(&narrow, end.environment, self.rules) {
            Ok(apps) => Ok(apps
                .into_iter()
                .filter(|app| names.contains(&app.name.as_str()))
                .map(|app| (app.name.clone(), app))
                .collect()),
            Err(PlanError::Tree(error @ TreeError::Unreadable { .. })) => {
                Err(Failure::world(format!("could not read the history at {}", commit.short()))
                    .because(&error))
            }
            Err(_) => Ok(BTreeMap::new()),
        }
    }
}

impl End<'_> {
    /// The folder of an app; `None` where apps have none of their own.
    fn folder(&self, app: &str) -> Option<TreePath> {
        let path = &self.environment.path;
        let own = path.contains("{app}");
        own.then(|| TreePath::new(&path.replace("{app}", app)).ok()).flatten()
    }

    /// The folders whose history tells about these apps; none at all stands for
    /// the whole tree.
    fn paths(&self, apps: &[String]) -> Vec<TreePath> {
        const FEW: usize = 8;
        if (1..=FEW).contains(&apps.len()) {
            let folders: Option<Vec<TreePath>> = apps.iter().map(|app| self.folder(app)).collect();
            if let Some(folders) = folders {
                return folders;
            }
        }
        folder_of(self.environment).ok().filter(|top| !top.is_root()).into_iter().collect()
    }
}

fn words(commit: &Commit) -> String {
    format!("{} ({})", commit.id.short(), commit.summary())
}

fn unread(error: &gitops_git::GitError) -> Failure {
    hinted("could not read the history", error)
}
