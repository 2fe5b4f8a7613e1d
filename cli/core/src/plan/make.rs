//! From what is asked to a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gitops_tree::{Reading, Recorded, Tree};

use crate::judge::{EnvironmentRef, Move, Moved, Operation};
use crate::object::Source;

use super::apps::discover_apps;
use super::aside::{self, Shelf};
use super::chosen::chosen;
use super::error::PlanError;
use super::images::{Entry, images_in, set_image_field, slot_id};
use super::merge::{Past, Prefer, merge};
use super::movers;
use super::rules::Rules;
use super::slot::{Slot, Spot};
use super::template::{Values, branch_problem};
use super::wanted::{Holder, Want, Wants, find, promoted, released, rule_of};
use super::{
    BlobId, Contents, Edit, FileBytes, Plan, ReadEntry, ReadFrom, RestsOn, Texts, outside_target,
};

/// One environment at one revision.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// The environment.
    pub environment: &'a EnvironmentRef,
    /// Its files.
    pub tree: &'a dyn Tree,
    /// Commit of `tree`.
    pub revision: &'a str,
}

/// What every plan needs to know.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    /// What moves.
    pub rules: &'a Rules,
    /// The texts.
    pub texts: &'a Texts,
    /// The environment that changes.
    pub target: Side<'a>,
    /// The branch that changes.
    pub base: &'a str,
    /// Whether the change goes onto `base` itself, without a request.
    pub direct: bool,
}

/// An app that was not asked for by name and cannot move.
#[derive(Clone, Debug, PartialEq)]
pub struct Skipped {
    /// The app.
    pub app: String,
    /// Why.
    pub reason: PlanError,
}

/// The plans of one command: one a branch.
#[derive(Default)]
pub struct Planned {
    /// The plans, with the bytes of their files.
    pub plans: Vec<(Plan, Contents)>,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
}

/// Puts `version` of `app` into the target: `TAG`, `sha256:…` or
/// `TAG@sha256:…`.
///
/// # Errors
///
/// When the app is not there, may not enter, or its files cannot be edited.
pub fn release(step: &Step<'_>, app: &str, version: &str) -> Result<Planned, PlanError> {
    let tree = Recorded::new(step.target.tree);
    let target = step.target.environment;
    let apps = discover_apps(&tree, target, step.rules)?;
    let app = find(&apps, app, target)?;
    let wants = released(app, rule_of(step.rules, app, target)?, target, version)?;
    let moves = BTreeMap::from([(app.name.clone(), wants)]);
    let reads = entries(ReadFrom::Target, step.target.tree, tree.into_readings())?;
    let plans = plans(step, Operation::Release, None, moves, &reads)?;
    Ok(Planned { plans, skipped: Vec::new() })
}

/// What is asked of [`promote`].
#[derive(Clone, Copy, Default)]
pub struct Promotion<'a> {
    /// The apps, names and globs; all of them when none is given.
    pub apps: &'a [String],
    /// The version that the source must run.
    pub version: Option<&'a str>,
    /// The last promotion of each app, where there is one.
    pub past: Option<&'a BTreeMap<String, Past>>,
    /// Who wins where both sides have changed since.
    pub prefer: Prefer,
}

/// The apps whose values differ between source and target, so that the last
/// promotion decides what moves.
///
/// # Errors
///
/// When an environment cannot be read.
pub fn unsettled(
    step: &Step<'_>,
    from: Side<'_>,
    apps: &[String],
) -> Result<Vec<String>, PlanError> {
    let held = discover_apps(from.tree, from.environment, step.rules)?;
    let place = discover_apps(step.target.tree, step.target.environment, step.rules)?;
    let chosen = chosen(&held, apps, from.environment)?;
    let wanted = held.iter().filter(|app| chosen.iter().any(|(name, _)| *name == app.name));
    let differs = wanted.filter(|app| {
        let Some(rule) = step.rules.of(&app.name) else { return false };
        let here = place.iter().find(|other| other.name == app.name);
        let value = |slot: &Slot| here.and_then(|here| here.slot(&slot.id)?.value.clone());
        let gone = here.into_iter().flat_map(|here| &here.slots);
        app.slots.iter().any(|slot| rule.moves(slot) && value(slot) != slot.value)
            || gone.into_iter().any(|slot| rule.moves(slot) && app.slot(&slot.id).is_none())
    });
    Ok(differs.map(|app| app.name.clone()).collect())
}

/// Moves what `source` runs of the apps into the target. What moves is what has
/// changed in the source since the last promotion.
///
/// # Errors
///
/// When a named app is not there or may not enter, the source has no version
/// of it, or its files cannot be edited. Apps that were not named and cannot
/// move are in [`Planned::skipped`].
pub fn promote(
    step: &Step<'_>,
    from: Side<'_>,
    promotion: &Promotion<'_>,
) -> Result<Planned, PlanError> {
    let Promotion { apps, version, past, prefer } = *promotion;
    let past_of = |app: &str| past.and_then(|past| past.get(app));
    let ends = (from.environment.name.as_str(), step.target.environment.name.as_str());
    let source_tree = Recorded::new(from.tree);
    let target_tree = Recorded::new(step.target.tree);
    let target = step.target.environment;
    let held = discover_apps(&source_tree, from.environment, step.rules)?;
    let place = discover_apps(&target_tree, target, step.rules)?;

    let source_side = Holder { tree: &source_tree, environment: from.environment, apps: &held };
    let target_side = Holder { tree: &target_tree, environment: target, apps: &place };
    let mut moves = BTreeMap::new();
    let mut notes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut skipped = Vec::new();
    for (name, named) in chosen(&held, apps, from.environment)? {
        let found = find(&held, &name, from.environment)
            .and_then(|app| promoted(step, source_side, target_side, app, version))
            .and_then(|wants| merge(&name, ends, wants, past_of(&name), prefer));
        match found {
            Ok(merged) => {
                notes.insert(name.clone(), merged.notes);
                moves.insert(name, merged.wants);
            }
            Err(
                reason @ (PlanError::AbsentInTarget { .. }
                | PlanError::NotAllowed { .. }
                | PlanError::NotThere { .. }
                | PlanError::Conflicts { .. }
                | PlanError::NoVersion { .. }),
            ) if !named => skipped.push(Skipped { app: name, reason }),
            Err(error) => return Err(error),
        }
    }
    let mut reads = entries(ReadFrom::Source, from.tree, source_tree.into_readings())?;
    reads.extend(entries(ReadFrom::Target, step.target.tree, target_tree.into_readings())?);
    let mut plans = plans(step, Operation::Promote, Some(from), moves, &reads)?;
    for (plan, _) in &mut plans {
        for app in &plan.apps {
            plan.notes.extend(notes.remove(app).unwrap_or_default());
            plan.rests_on.extend(past_of(app).map(|past| RestsOn {
                app: app.clone(),
                commit: past.commit.clone(),
                source: past.source_commit.clone(),
            }));
        }
    }
    Ok(Planned { plans, skipped })
}

/// Groups the apps by branch, edits the files and writes the texts.
pub(super) fn plans(
    step: &Step<'_>,
    operation: Operation,
    from: Option<Side<'_>>,
    moves: BTreeMap<String, Wants>,
    reads: &BTreeSet<ReadEntry>,
) -> Result<Vec<(Plan, Contents)>, PlanError> {
    let env = step.target.environment.name.as_str();
    let source_name = from.map_or("", |from| from.environment.name.as_str());
    let mut groups: BTreeMap<Option<String>, Vec<(String, Wants)>> = BTreeMap::new();
    for (app, wants) in moves {
        let values = Values { app: &app, env, version: &wants.version, from: source_name };
        let branch = (!step.direct).then(|| step.texts.branch.render(values));
        if let Some(branch) = &branch
            && let Some(reason) = branch_problem(branch)
        {
            return Err(PlanError::BadBranch { branch: branch.clone(), reason });
        }
        groups.entry(branch).or_default().push((app, wants));
    }
    let mut plans = Vec::new();
    for (branch, group) in groups {
        let apps: Vec<String> = group.iter().map(|(app, _)| app.clone()).collect();
        let mut versions: Vec<String> =
            group.iter().map(|(_, wants)| wants.version.clone()).collect();
        versions.dedup();
        let version = versions.join(", ");
        let mut contents = Contents::default();
        let mut moved = Vec::new();
        let (mut notes, mut warnings, mut stays) = (Vec::new(), Vec::new(), Vec::new());
        for (app, wants) in &group {
            let (moves, slots) = put(step, &mut contents, app, &wants.slots)?;
            warnings.extend(aside::warnings(step.target.tree, slots.iter().copied())?);
            notes.extend(aside::kinds(app, &wants.slots, &slots));
            moved.extend(moves);
            if let Some(from) = from {
                let (source, target) = (Shelf::of(from), Shelf::of(step.target));
                let rule = step.rules.of(app).expect("apps that move have a rule");
                stays.extend(aside::stays(&source, &target, &contents, app, rule)?);
            }
        }
        let edits: Vec<Edit> = contents
            .files
            .iter()
            .map(|(path, bytes)| Edit {
                path: path.clone(),
                before: bytes.before.as_deref().map(BlobId::of),
                after: bytes.after.as_deref().map(BlobId::of),
                mode: bytes.mode.filter(|_| bytes.after.is_some()),
            })
            .collect();
        outside_target(step.target.environment, &apps, edits.iter().map(|edit| &edit.path))?;
        let joined = apps.join(", ");
        let values = Values { app: &joined, env, version: &version, from: source_name };
        plans.push((
            Plan {
                operation,
                apps,
                target: step.target.environment.clone(),
                source: from.map(|from| from.environment.clone()),
                source_revision: from.map(|from| from.revision.to_owned()),
                base: step.base.to_owned(),
                base_revision: step.target.revision.to_owned(),
                branch,
                edits,
                moves: moved,
                reads: reads.clone(),
                rests_on: BTreeSet::new(),
                notes,
                warnings,
                stays,
                takes_back: Vec::new(),
                subject: step.texts.commit.render(values),
                title: step.texts.title.render(values),
                body: step.texts.body.render(values),
                labels: step.texts.labels.clone(),
                claims: Vec::new(),
                overrides: Vec::new(),
                version,
            },
            contents,
        ));
    }
    Ok(plans)
}

/// Writes what the slots of one app shall hold into the bytes of their files.
/// Answers what moved, and the slots it moved in.
fn put<'a>(
    step: &Step<'_>,
    contents: &mut Contents,
    app: &str,
    wants: &'a [Want],
) -> Result<(Vec<Move>, Vec<&'a Slot>), PlanError> {
    let rule = step.rules.of(app).expect("apps that move have a rule");
    let mut moved = Vec::new();
    for want in wants {
        let slot = &want.slot;
        if slot.value == want.value {
            continue;
        }
        let file = &slot.file;
        let original = match contents.get(file) {
            Some(bytes) => bytes.after.clone().unwrap_or_default(),
            None => step.target.tree.read(file)?,
        };
        let text = want.value.as_ref().map(|held| held.text.as_str());
        let bytes: Arc<[u8]> = match (&slot.spot, &want.value) {
            (Spot::Image, _) => {
                set_image_field(file, &original, &slot.name, slot.what, text)?.into()
            }
            (_, Some(value)) => {
                let mover = &rule.movers[slot.id.mover];
                movers::set(mover, app, slot, &original, value)?.into()
            }
            (_, None) => {
                return Err(PlanError::NotEditable {
                    at: slot.source.clone(),
                    key: slot.name.clone(),
                    reason: "the source has no value for it, and it would be lost here".to_owned(),
                });
            }
        };
        contents
            .files
            .entry(file.clone())
            .and_modify(|file| file.after = Some(bytes.clone()))
            .or_insert(FileBytes { before: Some(original), after: Some(bytes), mode: None });
        moved.push((slot, text));
    }
    refuse_pins(contents, wants, &moved)?;
    let moves = moved
        .iter()
        .map(|(slot, value)| {
            Ok(Move {
                app: app.to_owned(),
                what: slot.what,
                name: slot.name.clone(),
                before: slot.text().map(str::to_owned),
                after: value.map(str::to_owned),
                source: Some(place(contents, slot)?),
            })
        })
        .collect::<Result<_, PlanError>>()?;
    Ok((moves, moved.into_iter().map(|(slot, _)| slot).collect()))
}

/// Refuses a tag that would change nothing, since a digest stays that decides.
fn refuse_pins(
    contents: &Contents,
    wants: &[Want],
    moved: &[(&Slot, Option<&str>)],
) -> Result<(), PlanError> {
    for (slot, _) in moved.iter().filter(|(slot, _)| slot.spot == Spot::Image) {
        let digest = slot_id(slot.id.mover, &slot.name, Moved::ImageDigest);
        if wants.iter().any(|want| want.slot.id == digest) {
            continue;
        }
        if let Some(entry) = entry_after(contents, slot)?
            && let Some((_, at)) = entry.field(Moved::ImageDigest)
        {
            return Err(PlanError::Pinned { image: slot.name.clone(), at: at.clone() });
        }
    }
    Ok(())
}

/// Where the value of a slot stands in the file as edited.
fn place(contents: &Contents, slot: &Slot) -> Result<Source, PlanError> {
    if slot.spot != Spot::Image {
        let bytes = contents.get(&slot.file).and_then(|file| file.after.as_deref());
        return Ok(movers::place(slot, bytes.unwrap_or_default()));
    }
    let entry = entry_after(contents, slot)?;
    Ok(entry.map_or_else(|| slot.source.clone(), |entry| entry.place(slot.what)))
}

fn entry_after(contents: &Contents, slot: &Slot) -> Result<Option<Entry>, PlanError> {
    let bytes = contents.get(&slot.file).and_then(|file| file.after.clone()).unwrap_or_default();
    let entries = images_in(&slot.file, &bytes)?;
    Ok(entries.into_iter().find(|entry| entry.name == slot.name))
}

pub(super) fn entries(
    from: ReadFrom,
    tree: &dyn Tree,
    readings: BTreeSet<Reading>,
) -> Result<BTreeSet<ReadEntry>, PlanError> {
    readings
        .iter()
        .map(|reading| ReadEntry::of(from, tree, reading).map_err(PlanError::from))
        .collect()
}
