//! Earlier values and files come back.

use std::collections::{BTreeMap, BTreeSet};

use gitops_tree::{EntryKind, Recorded, Tree};

use crate::judge::Operation;

use super::apps::folder_of_app;
use super::copy::{self, CopyRule, Whose};
use super::error::PlanError;
use super::exact::exact;
use super::make::{Planned, Step, entries, plans};
use super::narrow::discover_some;
use super::rules::Mover;
use super::slot::{App, Held, Slot, SlotId, Spot, version_of};
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
    /// The commit that is taken back, where it is one: a file that still is as
    /// it left it may come back as a whole.
    pub left: Option<String>,
    /// Whether the app was taken away, and its whole folder comes back.
    pub whole: bool,
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

/// What one app goes back to, and the trees that hold it.
#[derive(Clone, Copy)]
pub struct Undoing<'a> {
    /// What goes back.
    pub undo: &'a Undo,
    /// The tree of [`Undo::to`].
    pub earlier: &'a dyn Tree,
    /// The tree of [`Undo::left`].
    pub left: Option<&'a dyn Tree>,
}

/// Puts earlier values and files of apps back into the target; nothing else of
/// it changes.
///
/// # Errors
///
/// When an app or a place is not there any more, or holds something else than
/// the undo was made for, or its files cannot be edited.
pub fn rollback(step: &Step<'_>, undos: &[Undoing<'_>]) -> Result<Planned, PlanError> {
    let tree = Recorded::new(step.target.tree);
    let names: Vec<String> = undos.iter().map(|undoing| undoing.undo.app.clone()).collect();
    let target = step.target.environment;
    let apps = discover_some(&tree, target, step.rules, &names)?;
    let mut moves = BTreeMap::new();
    let mut planned = Planned::default();
    for undoing in undos {
        let name = &undoing.undo.app;
        if let Some(error) = apps.broken.get(name) {
            return Err(error.clone());
        }
        let wants = if undoing.undo.whole {
            whole(step, &tree, undoing)?
        } else {
            values(step, &tree, find(&apps.apps, name, target), undoing)?
        };
        moves.insert(name.clone(), wants);
    }
    let reads = entries(ReadFrom::Target, step.target.tree, tree.into_readings())?;
    plans(&mut planned, step, Operation::Rollback, None, moves, &reads);
    for (plan, _) in &mut planned.plans {
        let of_plan = || {
            undos.iter().map(|undoing| undoing.undo).filter(|undo| plan.apps.contains(&undo.app))
        };
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

/// The folder of an app that was taken away, as it was.
fn whole(step: &Step<'_>, target: &dyn Tree, undoing: &Undoing<'_>) -> Result<Wants, PlanError> {
    let Undo { app, .. } = undoing.undo;
    let folder = folder_of_app(step.target.environment, app)?;
    let everything = CopyRule::everything();
    let mut wants = Wants { version: version(step, undoing)?, ..Wants::default() };
    for slot in copy::everything(undoing.earlier, &folder)? {
        if target.kind(&slot.file)?.is_some_and(|kind| kind != EntryKind::Directory) {
            return Err(PlanError::ChangedSince {
                at: slot.source.clone(),
                name: slot.name.clone(),
                what: slot.what,
            });
        }
        let value = slot.value.clone();
        let want = Want { slot: Slot { value: None, ..slot }, value };
        let from = (undoing.earlier, &folder, Whose::Own);
        let bytes = copy::put(&everything, from, target, &want)?;
        wants.files.insert(want.slot.file.clone(), bytes);
        wants.slots.push(want);
    }
    Ok(wants)
}

/// The version that an app had then.
fn version(step: &Step<'_>, undoing: &Undoing<'_>) -> Result<String, PlanError> {
    let names = std::slice::from_ref(&undoing.undo.app);
    let environment = step.target.environment;
    let then = discover_some(undoing.earlier, environment, step.rules, names)?.apps;
    let app = then.iter().find(|app| app.name == undoing.undo.app);
    Ok(app.and_then(App::version).unwrap_or_default())
}

/// The values of an app that go back, and the files that were copied.
fn values(
    step: &Step<'_>,
    target: &dyn Tree,
    here: Result<&App, PlanError>,
    undoing: &Undoing<'_>,
) -> Result<Wants, PlanError> {
    let Undo { app: name, to, values, .. } = undoing.undo;
    let environment = step.target.environment;
    let folder = folder_of_app(environment, name)?;
    let everything = CopyRule::everything();
    let mut wants = Wants::default();
    for value in values {
        let place = here.as_ref().ok().and_then(|app| app.slot(&value.id));
        let copied = step.rules.of(name).and_then(|rule| match rule.movers.get(value.id.mover) {
            Some(Mover::Copy(rule)) => Some(rule),
            _ => None,
        });
        let slot = match (place, copied) {
            (Some(slot), _) => slot.clone(),
            (None, Some(_)) => copy::absent(&value.id, &folder)?,
            (None, None) => {
                here.clone()?;
                return Err(PlanError::NoPlace {
                    app: name.clone(),
                    environment: environment.name.clone(),
                    place: value.id.place.clone(),
                    commit: to.clone(),
                });
            }
        };
        if slot.value != value.from {
            return Err(PlanError::ChangedSince {
                at: slot.source.clone(),
                name: slot.name.clone(),
                what: slot.what,
            });
        }
        let want = Want { slot, value: value.to.clone() };
        if let Some(rule) = copied {
            // What is as the promotion left it holds the fenced values of before.
            let rule = if as_left(undoing, target, &want.slot) { &everything } else { rule };
            let from = (undoing.earlier, &folder, Whose::Own);
            let bytes = copy::put(rule, from, target, &want)?;
            wants.files.insert(want.slot.file.clone(), bytes);
        }
        wants.slots.push(want);
    }
    if let Ok(here) = here {
        wants.files.extend(exact(step, here, undoing, &wants.slots)?);
    }
    wants.version = after(here.ok(), &wants.slots);
    Ok(wants)
}

/// Whether a file is as the commit that is taken back left it.
fn as_left(undoing: &Undoing<'_>, target: &dyn Tree, slot: &Slot) -> bool {
    let of = |tree: &dyn Tree| tree.read(&slot.file).ok();
    undoing.left.is_some_and(|left| of(left).is_some_and(|left| of(target) == Some(left)))
}

/// The version that an app will have.
fn after(here: Option<&App>, wants: &[Want]) -> String {
    let mut slots: Vec<Slot> = here.map(|app| app.slots.clone()).unwrap_or_default();
    for want in wants {
        match slots.iter_mut().find(|slot| slot.id == want.slot.id) {
            Some(slot) => slot.value.clone_from(&want.value),
            None => slots.push(Slot { value: want.value.clone(), ..want.slot.clone() }),
        }
    }
    let copied = |slot: &Slot| slot.spot == Spot::File;
    slots.retain(|slot| slot.value.is_some() || !copied(slot));
    // As they are found: those of other entries keep their order.
    slots.sort_by(|one, two| match (copied(one), copied(two)) {
        (true, true) => one.id.cmp(&two.id),
        _ => one.id.mover.cmp(&two.id.mover),
    });
    version_of(&slots).unwrap_or_else(|| match slots.is_empty() {
        true => "none".to_owned(),
        false => String::new(),
    })
}
