//! From what is asked to a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gitops_tree::{Reading, Recorded, Tree, TreePath};
use sha2::{Digest, Sha256};

use crate::judge::{EnvironmentRef, Move, Moved, Operation};
use crate::object::Source;

use super::apps::folder_of_app;
use super::aside::{self, Shelf};
use super::chosen::chosen;
use super::copy::{self, CopyRule, Whose};
use super::enters::{Choices, entered};
use super::error::PlanError;
use super::images::{Entry, images_in, set_image_field, slot_id};
use super::merge::{Past, Prefer, merge};
use super::movers;
use super::narrow::{ByApp, discover_some};
use super::rules::{Mover, Rules};
use super::slot::{App, Slot, Spot};
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
    /// Whether all apps go into one request.
    pub group: bool,
}

/// An app that does not move.
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
    /// Apps that were not asked for by name and have nothing to move.
    pub skipped: Vec<Skipped>,
    /// Apps that should move and cannot. They do not stop the others.
    pub failed: Vec<Skipped>,
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
    let apps = discover_some(&tree, target, step.rules, &[app.to_owned()])?.whole()?;
    let app = find(&apps, app, target)?;
    let wants = released(app, rule_of(step.rules, app, target)?, target, version)?;
    let moves = BTreeMap::from([(app.name.clone(), wants)]);
    let reads = entries(ReadFrom::Target, step.target.tree, tree.into_readings())?;
    let mut planned = Planned::default();
    plans(&mut planned, step, Operation::Release, None, moves, &reads);
    match planned.failed.pop() {
        Some(failed) => Err(failed.reason),
        None => Ok(planned),
    }
}

/// What is asked of [`promote`].
#[derive(Clone, Copy, Default)]
pub struct Promotion<'a> {
    /// The apps, names and globs; all of them when none is given.
    pub apps: &'a [String],
    /// The version that the source must run.
    pub version: Option<&'a str>,
    /// Versions that were chosen for the apps, by a constraint. An app without
    /// one is left out.
    pub choices: Option<&'a Choices>,
    /// The last promotion of each app, where there is one.
    pub past: Option<&'a BTreeMap<String, Past>>,
    /// Who wins where both sides have changed since.
    pub prefer: Prefer,
    /// Whether apps that the source does not hold are taken away: those that are
    /// named, and those of `gone`.
    pub prune: bool,
    /// The apps that [`gone`] finds: whether they were promoted from the source,
    /// or why they stay.
    pub gone: Option<&'a BTreeMap<String, Result<(), String>>>,
}

/// Moves what `source` runs of the apps into the target. What moves is what has
/// changed in the source since the last promotion.
///
/// # Errors
///
/// When one of the environments cannot be read. What holds an app alone back is
/// in [`Planned::failed`]; apps that were not named and that have no place in
/// the target or no version in the source are in [`Planned::skipped`].
pub fn promote(
    step: &Step<'_>,
    from: Side<'_>,
    promotion: &Promotion<'_>,
) -> Result<Planned, PlanError> {
    let Promotion { apps, version, choices, past, prefer, prune, gone: found_gone } = *promotion;
    let past_of = |app: &str| past.and_then(|past| past.get(app));
    let ends = (from.environment.name.as_str(), step.target.environment.name.as_str());
    let source_tree = Recorded::new(from.tree);
    let target_tree = Recorded::new(step.target.tree);
    let target = step.target.environment;
    let held = discover_some(&source_tree, from.environment, step.rules, apps)?;
    let place = discover_some(&target_tree, target, step.rules, apps)?;

    let source_side =
        Holder { tree: &source_tree, environment: from.environment, apps: &held.apps };
    let target_side = Holder { tree: &target_tree, environment: target, apps: &place.apps };
    let mut moves = BTreeMap::new();
    let mut notes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut alone = BTreeSet::new();
    let mut planned = Planned::default();
    // Where apps have folders of their own, one that the source lacks is its
    // own change, and never silent.
    let lacks = |app: &&App| {
        target.path.contains("{app}")
            && held.names().iter().all(|name| *name != app.name)
            && rule_of(step.rules, app, target).is_ok()
    };
    let gone: Vec<&App> = place.apps.iter().filter(lacks).collect();
    let refused = |app: &str| {
        let (from, to) = (ends.0.to_owned(), ends.1.to_owned());
        Skipped { app: app.to_owned(), reason: PlanError::Gone { app: app.to_owned(), from, to } }
    };
    if apps.is_empty() && !prune {
        planned.skipped.extend(gone.iter().map(|app| refused(&app.name)));
    }
    let mut names = held.names();
    let found_gone = found_gone.filter(|_| prune);
    names.extend(found_gone.into_iter().flat_map(BTreeMap::keys).cloned());
    for (name, named) in chosen(names, apps, from.environment)? {
        if let Some(app) = gone.iter().find(|app| app.name == name) {
            if !prune {
                planned.failed.push(refused(&name));
                continue;
            }
            // By name it is meant, whatever the history tells.
            if let (false, Some(Err(reason))) = (named, found_gone.and_then(|gone| gone.get(&name)))
            {
                let (from, to) = (ends.0.to_owned(), ends.1.to_owned());
                let reason = PlanError::NotPruned { from, to, reason: reason.clone() };
                planned.skipped.push(Skipped { app: name, reason });
                continue;
            }
            let slots = copy::nothing(&target_tree, &app.folder)?;
            notes.insert(
                name.clone(),
                vec![format!("{name} is not in {}: its folder goes", ends.0)],
            );
            moves.insert(
                name,
                Wants { version: "none".to_owned(), slots, alone: true, ..Wants::default() },
            );
            continue;
        }
        let broken = held.broken.get(&name).or_else(|| place.broken.get(&name));
        let choice = match choices.map(|choices| choices.get(&name)) {
            None => None,
            Some(None) => continue,
            Some(Some(choice)) => Some(choice),
        };
        let found = match (broken, choice) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(Err(error))) => {
                // That it is not there comes first.
                find(&held.apps, &name, from.environment).and(Err(error.clone()))
            }
            (None, Some(Ok(version))) => {
                let by = (past_of(&name), prefer);
                entered(step, source_side, target_side, &name, version, by)
            }
            (None, None) => find(&held.apps, &name, from.environment)
                .and_then(|app| promoted(step, source_side, target_side, app, version))
                .and_then(|wants| merge(&name, ends, wants, past_of(&name), prefer)),
        };
        match found {
            Ok(merged) => {
                if merged.alone {
                    alone.insert(name.clone());
                }
                notes.insert(name.clone(), merged.notes);
                moves.insert(name, merged.wants);
            }
            Err(
                reason @ (PlanError::AbsentInTarget { .. }
                | PlanError::NotAllowed { .. }
                | PlanError::NotThere { .. }
                | PlanError::Conflicts { .. }
                | PlanError::NoVersion { .. }
                | PlanError::NotOffered { .. }),
            ) if !named => planned.skipped.push(Skipped { app: name, reason }),
            Err(reason) => planned.failed.push(Skipped { app: name, reason }),
        }
    }
    let mut reads = entries(ReadFrom::Source, from.tree, source_tree.into_readings())?;
    reads.extend(entries(ReadFrom::Target, step.target.tree, target_tree.into_readings())?);
    plans(&mut planned, step, Operation::Promote, Some(from), moves, &reads);
    for (plan, _) in &mut planned.plans {
        plan.alone.extend(plan.apps.iter().filter(|app| alone.contains(*app)).cloned());
        for app in &plan.apps {
            plan.notes.extend(notes.remove(app).unwrap_or_default());
            plan.rests_on.extend(past_of(app).map(|past| RestsOn {
                app: app.clone(),
                commit: past.commit.clone(),
                source: past.source_commit.clone(),
            }));
        }
    }
    // Apps with nothing to do in a plan of several.
    if let Some((plan, _)) = planned.plans.last_mut() {
        plan.notes.extend(notes.into_values().flatten());
    }
    Ok(planned)
}

/// Groups the apps by branch, edits the files and writes the texts. An app
/// whose files cannot be edited is left out of its group.
pub(super) fn plans(
    planned: &mut Planned,
    step: &Step<'_>,
    operation: Operation,
    from: Option<Side<'_>>,
    moves: BTreeMap<String, Wants>,
    reads: &BTreeSet<ReadEntry>,
) {
    let env = step.target.environment.name.as_str();
    let source_name = from.map_or("", |from| from.environment.name.as_str());
    let mut ends = vec![(ReadFrom::Target, step.target.environment)];
    ends.extend(from.map(|from| (ReadFrom::Source, from.environment)));
    let reads = ByApp::of(reads, &ends);
    let groups = groups(planned, step, source_name, moves);
    for (branch, group) in groups {
        let mut apps: Vec<String> = Vec::new();
        let mut versions: Vec<String> = Vec::new();
        let mut idle: Vec<(String, String)> = Vec::new();
        let mut contents = Contents::default();
        let mut moved = Vec::new();
        let (mut notes, mut warnings, mut stays) = (Vec::new(), Vec::new(), Vec::new());
        for (app, wants) in group {
            let mut with = contents.clone();
            apps.push(app.clone());
            let put = put(step, from, &mut with, &app, &wants).and_then(|(moves, slots)| {
                outside_target(step.target.environment, &apps, with.files.keys())?;
                let warnings = aside::warnings(step.target.tree, slots.iter().copied())?;
                let kinds = aside::kinds(&app, &wants.slots, &slots);
                let stays = match from {
                    None => Vec::new(),
                    Some(from) => {
                        let (source, target) = (Shelf::of(from), Shelf::of(step.target));
                        let rule = step.rules.of(&app).expect("apps that move have a rule");
                        aside::stays(&source, &target, &with, &app, rule)?
                    }
                };
                Ok((moves, warnings, kinds, stays))
            });
            match put {
                Ok((moves, warned, kinds, staying)) => {
                    warnings.extend(warned);
                    stays.extend(staying);
                    if with.files.len() == contents.files.len() && moves.is_empty() {
                        apps.pop();
                        idle.push((app, wants.version));
                        continue;
                    }
                    notes.extend(kinds);
                    contents = with;
                    moved.extend(moves);
                    if !versions.contains(&wants.version) {
                        versions.push(wants.version);
                    }
                }
                Err(reason) => {
                    apps.pop();
                    planned.failed.push(Skipped { app, reason });
                }
            }
        }
        if apps.is_empty() {
            for (app, version) in idle {
                apps.push(app);
                if !versions.contains(&version) {
                    versions.push(version);
                }
            }
        } else if !idle.is_empty() {
            let names: Vec<&str> = idle.iter().map(|(app, _)| app.as_str()).collect();
            notes.push(format!("nothing to do for {}", names.join(", ")));
        }
        if apps.is_empty() {
            continue;
        }
        let branch = match branch {
            Branch::Base | Branch::Alone(_) => None,
            Branch::Own(branch) => Some(branch),
            Branch::OfAll => {
                let (app, version) = (together(&apps, "apps"), together(&versions, "versions"));
                let values = Values { app: &app, env, version: &version, from: source_name };
                match request_branch(step, values) {
                    Ok(branch) => Some(branch),
                    Err(reason) => {
                        let all = apps.into_iter();
                        planned
                            .failed
                            .extend(all.map(|app| Skipped { app, reason: reason.clone() }));
                        continue;
                    }
                }
            }
        };
        let version = versions.join(", ");
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
        let joined = apps.join(", ");
        let values = Values { app: &joined, env, version: &version, from: source_name };
        let plan_apps = apps.clone();
        planned.plans.push((
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
                reads: reads.without_others(&plan_apps),
                rests_on: BTreeSet::new(),
                notes,
                warnings,
                stays,
                alone: Vec::new(),
                takes_back: Vec::new(),
                subject: step.texts.commit.render(values),
                title: step.texts.title.render(values),
                body: step.texts.body.render(values),
                labels: step.texts.labels.clone(),
                reviewers: step.texts.reviewers.clone(),
                also: Vec::new(),
                claims: Vec::new(),
                overrides: Vec::new(),
                version,
            },
            contents,
        ));
    }
}

/// Where the change of some apps goes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Branch {
    /// Onto the target's branch.
    Base,
    /// Onto the target's branch, in a commit of this app alone.
    Alone(String),
    /// Into a request of this branch.
    Own(String),
    /// Into a request whose branch is named after all the apps in it.
    OfAll,
}

/// Which apps go where.
fn groups(
    planned: &mut Planned,
    step: &Step<'_>,
    from: &str,
    moves: BTreeMap<String, Wants>,
) -> BTreeMap<Branch, Vec<(String, Wants)>> {
    let env = step.target.environment.name.as_str();
    let mut groups: BTreeMap<Branch, Vec<(String, Wants)>> = BTreeMap::new();
    for (app, wants) in moves {
        let values = Values { app: &app, env, version: &wants.version, from };
        let branch = match (step.direct, step.group) {
            (true, _) if wants.alone => Branch::Alone(app.clone()),
            (true, _) => Branch::Base,
            (false, true) => Branch::OfAll,
            (false, false) => match request_branch(step, values) {
                Ok(branch) => Branch::Own(branch),
                Err(reason) => {
                    planned.failed.push(Skipped { app, reason });
                    continue;
                }
            },
        };
        groups.entry(branch).or_default().push((app, wants));
    }
    groups
}

fn request_branch(step: &Step<'_>, values: Values<'_>) -> Result<String, PlanError> {
    let branch = step.texts.branch.render(values);
    match branch_problem(&branch) {
        None => Ok(branch),
        Some(reason) => Err(PlanError::BadBranch { branch, reason }),
    }
}

/// Several names as one part of a branch: `api+web`; where that gets long, how
/// many there are and a sum over them. Other apps give another branch, so that
/// no request is replaced by one of other apps.
fn together(names: &[String], noun: &str) -> String {
    const LONGEST: usize = 60;
    let joined = names.join("+");
    if joined.len() <= LONGEST {
        return joined;
    }
    let sum = Sha256::digest(joined.as_bytes());
    format!("{}-{noun}-{:02x}{:02x}{:02x}{:02x}", names.len(), sum[0], sum[1], sum[2], sum[3])
}

/// Writes what the slots of one app shall hold into the bytes of their files.
/// Answers what moved, and the slots it moved in.
fn put<'a>(
    step: &Step<'_>,
    from: Option<Side<'_>>,
    contents: &mut Contents,
    app: &str,
    Wants { slots: wants, files, .. }: &'a Wants,
) -> Result<(Vec<Move>, Vec<&'a Slot>), PlanError> {
    let rule = step.rules.of(app).expect("apps that move have a rule");
    let mut moved = Vec::new();
    // What another app has edited already is edited further, value by value.
    let whole: BTreeSet<&TreePath> =
        files.keys().filter(|file| contents.get(file).is_none()).collect();
    for want in wants {
        let slot = &want.slot;
        if slot.value == want.value {
            continue;
        }
        let file = &slot.file;
        if whole.contains(file) {
            contents.files.insert(file.clone(), files[file].clone());
            moved.push((slot, want.value.as_ref().map(|held| held.text.as_str())));
            continue;
        }
        if slot.spot == Spot::File {
            let from = from.expect("files are copied from somewhere");
            contents.files.insert(file.clone(), copy(step, from, app, want)?);
            moved.push((slot, want.value.as_ref().map(|held| held.text.as_str())));
            continue;
        }
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

/// A file that is copied, or taken away.
fn copy(step: &Step<'_>, from: Side<'_>, app: &str, want: &Want) -> Result<FileBytes, PlanError> {
    let rule = step.rules.of(app).and_then(|rule| rule.movers.get(want.slot.id.mover));
    let everything = CopyRule::everything();
    let rule = match (rule, &want.value) {
        (Some(Mover::Copy(rule)), _) => rule,
        (_, None) => &everything,
        _ => unreachable!("only `copy` finds files"),
    };
    let folder = folder_of_app(from.environment, app)?;
    copy::put(rule, (from.tree, &folder, Whose::Another), step.target.tree, want)
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
