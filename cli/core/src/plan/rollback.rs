//! Earlier values come back.

use std::collections::{BTreeMap, BTreeSet};

use gitops_tree::Recorded;

use crate::judge::Operation;

use super::apps::discover_apps;
use super::error::PlanError;
use super::make::{Planned, Step, entries, plans};
use super::slot::{App, Held, SlotId};
use super::wanted::{Want, Wants, find};
use super::{ReadFrom, RestsOn};

/// What one app goes back to.
#[derive(Clone, Debug, PartialEq)]
pub struct Undo {
    /// The app.
    pub app: String,
    /// The commits of the target's branch that are taken back, the newest first.
    pub commits: Vec<String>,
    /// The commit whose values come back.
    pub to: String,
    /// The values.
    pub values: Vec<Undone>,
}

/// A value that goes back.
#[derive(Clone, Debug, PartialEq)]
pub struct Undone {
    /// Where it stands.
    pub id: SlotId,
    /// What it is now.
    pub from: Option<Held>,
    /// What it was.
    pub to: Option<Held>,
}

/// Puts earlier values of apps back into the target; nothing else of it
/// changes.
///
/// # Errors
///
/// When an app or a place is not there any more, or holds something else than
/// the undo was made for, or its files cannot be edited.
pub fn rollback(step: &Step<'_>, undos: &[Undo]) -> Result<Planned, PlanError> {
    let tree = Recorded::new(step.target.tree);
    let target = step.target.environment;
    let apps = discover_apps(&tree, target, step.rules)?;
    let mut moves = BTreeMap::new();
    for undo in undos {
        let app = find(&apps, &undo.app, target)?;
        let mut slots = Vec::new();
        for value in &undo.values {
            let slot = app.slot(&value.id).ok_or_else(|| PlanError::NoPlace {
                app: undo.app.clone(),
                environment: target.name.clone(),
                place: value.id.place.clone(),
                commit: undo.to.clone(),
            })?;
            if slot.value != value.from {
                return Err(PlanError::ChangedSince {
                    at: slot.source.clone(),
                    name: slot.name.clone(),
                    what: slot.what,
                });
            }
            slots.push(Want { slot: slot.clone(), value: value.to.clone() });
        }
        let version = after(app, &undo.values).version().unwrap_or_default();
        moves.insert(undo.app.clone(), Wants { version, slots });
    }
    let reads = entries(ReadFrom::Target, step.target.tree, tree.into_readings())?;
    let mut planned = Planned::default();
    plans(&mut planned, step, Operation::Rollback, None, moves, &reads);
    for (plan, _) in &mut planned.plans {
        let of_plan = || undos.iter().filter(|undo| plan.apps.contains(&undo.app));
        let mut commits: Vec<String> = Vec::new();
        let mut rests_on = BTreeSet::new();
        for undo in of_plan() {
            for commit in &undo.commits {
                if !commits.contains(commit) {
                    commits.push(commit.clone());
                }
                let (app, source) = (undo.app.clone(), undo.to.clone());
                rests_on.insert(RestsOn { app, commit: commit.clone(), source });
            }
        }
        plan.takes_back = commits;
        plan.rests_on = rests_on;
    }
    Ok(planned)
}

/// The app as it will be.
fn after(app: &App, values: &[Undone]) -> App {
    let mut after = app.clone();
    for slot in &mut after.slots {
        if let Some(value) = values.iter().find(|value| value.id == slot.id) {
            slot.value = value.to.clone();
        }
    }
    after
}
