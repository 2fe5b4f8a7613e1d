//! What the slots of the target shall hold.

use std::collections::BTreeMap;

use gitops_tree::{Tree, TreePath};

use crate::judge::{EnvironmentRef, Moved};
use crate::object::Source;

use super::FileBytes;
use super::apps::{folder_of_app, kustomization_file};
use super::copy;
use super::error::PlanError;
use super::images::slot_id;
use super::make::Step;
use super::movers::{self, Files, Looked, Place};
use super::rules::{AppRule, Mover, Rules, key_of};
use super::slot::{App, Held, Slot, Spot, version_of};

/// What one app shall hold in the target, and the version that stands for it.
#[derive(Default)]
pub(super) struct Wants {
    pub(super) version: String,
    pub(super) slots: Vec<Want>,
    /// Files that take these bytes as a whole, instead of value by value.
    pub(super) files: BTreeMap<TreePath, FileBytes>,
    /// Whether it is a change of its own, which shares no commit.
    pub(super) alone: bool,
}

/// A slot of the target, as it is now, and what it shall hold.
pub(super) struct Want {
    pub(super) slot: Slot,
    pub(super) value: Option<Held>,
}

/// What the slots of an app shall hold when `version` of it is released. A
/// version is that of its images, else of its chart, else a ref, else a value.
pub(super) fn released(
    app: &App,
    rule: &AppRule,
    target: &EnvironmentRef,
    version: &str,
) -> Result<Wants, PlanError> {
    let mut slots = Vec::new();
    let images = images_of(app);
    if images.is_empty() {
        slots.extend(other_version(app, rule, target, version)?);
    }
    for (mover, name) in images {
        let (tag, digest) = split_version(version)?;
        let of = |what| {
            let slot = app.slot(&slot_id(mover, name, what));
            slot.filter(|slot| rule.moves(slot))
        };
        for (what, value) in [(Moved::ImageTag, tag), (Moved::ImageDigest, digest)] {
            match of(what) {
                None if value.is_some() => {
                    return Err(PlanError::FieldStays {
                        version: version.to_owned(),
                        image: name.to_owned(),
                        what,
                    });
                }
                None => {}
                // A tag without its digest, or the other way round, would leave
                // half of the old version behind.
                Some(slot) => {
                    slots.push(Want { slot: slot.clone(), value: value.map(Held::text) });
                }
            }
        }
        drop_tag(app, rule, (mover, name), &mut slots);
    }
    Ok(Wants { version: version.to_owned(), slots, ..Wants::default() })
}

/// The one value, besides images, that a version can mean.
fn other_version(
    app: &App,
    rule: &AppRule,
    target: &EnvironmentRef,
    version: &str,
) -> Result<Option<Want>, PlanError> {
    if app.slots.is_empty() {
        return Err(absent(app, rule, target, None));
    }
    let moving: Vec<&Slot> = app.slots.iter().filter(|slot| rule.moves(slot)).collect();
    let kinds = [Moved::ChartVersion, Moved::GitRef, Moved::Value];
    let of = |kind| moving.iter().filter(|slot| slot.what == kind).copied().collect::<Vec<_>>();
    let Some(meant) = kinds.into_iter().map(of).find(|slots| !slots.is_empty()) else {
        let app_name = app.name.clone();
        return Err(match moving.is_empty() {
            true => PlanError::NothingMoves { app: app_name },
            false => PlanError::OnlyFiles { app: app_name, folder: app.folder.clone() },
        });
    };
    let [slot] = meant.as_slice() else {
        return Err(PlanError::SeveralVersions {
            app: app.name.clone(),
            values: meant.iter().map(|slot| format!("{} ({})", slot.name, slot.source)).collect(),
        });
    };
    check_value(slot.what, version)?;
    let is_text = slot.value.as_ref().is_none_or(|held| held.is_text);
    let value = Held { text: version.to_owned(), is_text };
    Ok(Some(Want { slot: (*slot).clone(), value: Some(value) }))
}

/// Where an app is promoted from or to, for reasons why something is not there.
#[derive(Clone, Copy)]
pub(super) struct Holder<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) environment: &'a EnvironmentRef,
    pub(super) apps: &'a [App],
}

/// What the slots of an app shall hold when it is promoted as `source` holds
/// it. With `version`, the source must hold just that.
pub(super) fn promoted(
    step: &Step<'_>,
    source: Holder<'_>,
    target: Holder<'_>,
    app: &App,
    version: Option<&str>,
) -> Result<Wants, PlanError> {
    let rule = rule_of(step.rules, app, target.environment)?;
    let here = target.apps.iter().find(|other| other.name == app.name);
    let mut wanted = Vec::new();
    for (mover, name) in images_of(app) {
        let moving: Vec<&Slot> = app
            .slots
            .iter()
            .filter(|slot| slot.id.mover == mover && slot.name == name && rule.moves(slot))
            .collect();
        let Some(first) = moving.first() else { continue };
        if moving.iter().all(|slot| slot.value.is_none()) {
            return Err(PlanError::NoVersion {
                app: app.name.clone(),
                environment: source.environment.name.clone(),
                at: first.source.clone(),
                wanted: moving.iter().map(|slot| slot.what).collect(),
            });
        }
        for slot in &moving {
            check(slot)?;
        }
        if let Some(version) = version {
            refuse_other_version(app, (mover, name), source.environment, version)?;
        }
        for slot in moving {
            let place = match here.and_then(|app| app.slot(&slot.id)) {
                Some(place) => place.clone(),
                None => new_image(target, app, rule, slot)?,
            };
            wanted.push(Want { slot: place, value: slot.value.clone() });
        }
        if let Some(here) = here {
            drop_tag(here, rule, (mover, name), &mut wanted);
        }
    }
    if wanted.is_empty()
        && let Some(version) = version
    {
        refuse_other_value(app, rule, source.environment, version)?;
    }
    for (mover, entry) in rule.movers.iter().enumerate() {
        if let Mover::Copy(_) = entry {
            let gone = !app.slots.iter().any(|slot| slot.id.mover == mover);
            if gone && here.is_some_and(|here| here.slots.iter().any(|slot| slot.id.mover == mover))
            {
                return Err(not_there(source, app, entry, Looked::default()));
            }
            let folder = folder_of_app(target.environment, &app.name)?;
            wanted.extend(copy::wants(mover, app, here, &folder)?);
        } else if !matches!(entry, Mover::Image(_)) {
            wanted.extend(others(mover, rule, source, target, app)?);
        }
    }
    if wanted.is_empty() {
        return Err(if app.slots.is_empty() {
            absent(app, rule, source.environment, None)
        } else {
            PlanError::NothingMoves { app: app.name.clone() }
        });
    }
    Ok(Wants { version: app.version().unwrap_or_default(), slots: wanted, ..Wants::default() })
}

/// What the slots of one entry of `promote:` shall hold, other than images.
fn others(
    mover: usize,
    rule: &AppRule,
    source: Holder<'_>,
    target: Holder<'_>,
    app: &App,
) -> Result<Vec<Want>, PlanError> {
    let entry = &rule.movers[mover];
    let here = target.apps.iter().find(|other| other.name == app.name);
    let there: Vec<&Slot> = app.slots.iter().filter(|slot| slot.id.mover == mover).collect();
    if there.is_empty() {
        let of_mover = |app: &App| app.slots.iter().any(|slot| slot.id.mover == mover);
        let looked = look_again(source, app, mover, entry)?;
        // An app that has nothing of this, here and there, has nothing to move.
        let known = looked.missing.iter().any(|missing| missing.file);
        if known || here.is_some_and(of_mover) || app.slots.is_empty() {
            return Err(not_there(source, app, entry, looked));
        }
        return Ok(Vec::new());
    }
    let mut wanted = Vec::new();
    for slot in there.into_iter().filter(|slot| rule.moves(slot)) {
        check(slot)?;
        let place = here.and_then(|app| app.slot(&slot.id));
        let Some(value) = &slot.value else {
            if place.is_none_or(|place| place.value.is_none()) {
                continue;
            }
            return Err(PlanError::NotThere {
                app: app.name.clone(),
                what: slot.name.clone(),
                environment: source.environment.name.clone(),
                at: Box::new(slot.source.clone()),
                reason: "there is no value".to_owned(),
            });
        };
        let Some(place) = place else {
            let looked = look_again(target, app, mover, entry)?;
            return Err(match looked.slots.first() {
                // The same in another way: a branch where the source has a tag.
                Some(other) => PlanError::OtherPlace {
                    app: app.name.clone(),
                    environment: target.environment.name.clone(),
                    from: Box::new((slot.id.place.clone(), slot.source.clone())),
                    to: Box::new((other.id.place.clone(), other.source.clone())),
                },
                None => not_there(target, app, entry, looked),
            });
        };
        wanted.push(Want { slot: place.clone(), value: Some(value.clone()) });
    }
    // What the target has besides would go on deciding: a digest beside a tag.
    let more = here.into_iter().flat_map(|app| &app.slots).find(|slot| {
        slot.id.mover == mover
            && slot.value.is_some()
            && rule.moves(slot)
            && app.slot(&slot.id).is_none()
    });
    match more {
        Some(slot) if !wanted.is_empty() => Err(PlanError::OtherPlace {
            app: app.name.clone(),
            environment: target.environment.name.clone(),
            from: Box::new((wanted[0].slot.id.place.clone(), {
                let id = &wanted[0].slot.id;
                app.slot(id).map_or_else(|| slot.source.clone(), |slot| slot.source.clone())
            })),
            to: Box::new((slot.id.place.clone(), slot.source.clone())),
        }),
        _ => Ok(wanted),
    }
}

fn look_again(
    side: Holder<'_>,
    app: &App,
    mover: usize,
    entry: &Mover,
) -> Result<Looked, PlanError> {
    let folder = folder_of_app(side.environment, &app.name)?;
    let place = Place {
        tree: side.tree,
        folder: &folder,
        app: &app.name,
        environment: &side.environment.name,
        files: &Files::default(),
    };
    movers::look(&place, mover, entry)
}

fn not_there(side: Holder<'_>, app: &App, entry: &Mover, looked: Looked) -> PlanError {
    let folder = folder_of_app(side.environment, &app.name).unwrap_or_default();
    let what = entry.describe(&app.name);
    let (at, reason) = match looked.missing.into_iter().next() {
        Some(missing) => (missing.at, missing.reason),
        None => {
            let at = Source { path: folder.as_str().to_owned(), document: 1, line: None };
            (at, "no file below it names that".to_owned())
        }
    };
    PlanError::NotThere {
        app: app.name.clone(),
        what,
        environment: side.environment.name.clone(),
        at: Box::new(at),
        reason,
    }
}

/// The slot of an image that has no entry yet: in the kustomization of the
/// app's folder, if there is one.
fn new_image(
    target: Holder<'_>,
    app: &App,
    rule: &AppRule,
    slot: &Slot,
) -> Result<Slot, PlanError> {
    let folder = folder_of_app(target.environment, &app.name)?;
    let Some(file) = kustomization_file(target.tree, &folder)? else {
        return Err(absent(app, rule, target.environment, Some(&slot.name)));
    };
    let source = Source { path: file.as_str().to_owned(), document: 1, line: None };
    Ok(Slot { file, source, value: None, owned_by: None, ..slot.clone() })
}

/// A digest decides what runs; a tag of another version beside it would only
/// mislead, and goes (as by `kustomize edit set image NAME@DIGEST`).
fn drop_tag(here: &App, rule: &AppRule, image: (usize, &str), wanted: &mut Vec<Want>) {
    let (mover, name) = image;
    let digest = slot_id(mover, name, Moved::ImageDigest);
    let tag = slot_id(mover, name, Moved::ImageTag);
    let sets = wanted.iter().any(|want| {
        want.slot.id == digest && want.value.is_some() && want.value != want.slot.value
    });
    if !sets || wanted.iter().any(|want| want.slot.id == tag) {
        return;
    }
    if let Some(slot) = here.slot(&tag).filter(|slot| slot.value.is_some() && !rule.fences(slot)) {
        wanted.push(Want { slot: slot.clone(), value: None });
    }
}

/// The images of an app, each by its entry of `promote:` and its name, in the
/// order of the file.
fn images_of(app: &App) -> Vec<(usize, &str)> {
    let mut images: Vec<(usize, &str)> = Vec::new();
    for slot in app.slots.iter().filter(|slot| slot.spot == Spot::Image) {
        let image = (slot.id.mover, slot.name.as_str());
        if !images.contains(&image) {
            images.push(image);
        }
    }
    images
}

/// Refuses values that must not reach the target's files.
fn check(slot: &Slot) -> Result<(), PlanError> {
    match &slot.value {
        None => Ok(()),
        Some(held) if !held.is_text && slot.spot == Spot::Image => Err(PlanError::NotText {
            at: slot.source.clone(),
            key: key_of(slot.what),
            value: held.text.clone(),
        }),
        Some(held) => check_value(slot.what, &held.text),
    }
}

fn refuse_other_value(
    app: &App,
    rule: &AppRule,
    source: &EnvironmentRef,
    version: &str,
) -> Result<(), PlanError> {
    let found = app.version();
    if found.as_deref() == Some(version) {
        return Ok(());
    }
    let Some(slot) = app.slots.iter().find(|slot| rule.moves(slot)) else { return Ok(()) };
    Err(PlanError::OtherVersion {
        app: app.name.clone(),
        environment: source.name.clone(),
        found: found.unwrap_or_else(|| "no version".to_owned()),
        wanted: version.to_owned(),
        at: Box::new(slot.source.clone()),
    })
}

fn refuse_other_version(
    app: &App,
    (mover, name): (usize, &str),
    source: &EnvironmentRef,
    version: &str,
) -> Result<(), PlanError> {
    let (tag, digest) = split_version(version)?;
    let of = |what| app.slot(&slot_id(mover, name, what)).and_then(Slot::text);
    let differs = |what, asked: Option<&str>| asked.is_some() && of(what) != asked;
    if !differs(Moved::ImageTag, tag) && !differs(Moved::ImageDigest, digest) {
        return Ok(());
    }
    let slots = app.slots.iter().filter(|slot| slot.id.mover == mover && slot.name == name);
    let at = slots.clone().find(|slot| slot.value.is_some()).or(slots.clone().next());
    Err(PlanError::OtherVersion {
        app: app.name.clone(),
        environment: source.name.clone(),
        found: version_of(slots.clone()).unwrap_or_else(|| "no version".to_owned()),
        wanted: version.to_owned(),
        at: Box::new(at.expect("the image came from one of its slots").source.clone()),
    })
}

pub(super) fn find<'a>(
    apps: &'a [App],
    name: &str,
    environment: &EnvironmentRef,
) -> Result<&'a App, PlanError> {
    apps.iter().find(|app| app.name == name).ok_or_else(|| {
        let mut known: Vec<String> = apps.iter().map(|app| app.name.clone()).collect();
        known.sort_by_key(|other| strsim::damerau_levenshtein(other, name));
        PlanError::UnknownApp { app: name.to_owned(), environment: environment.name.clone(), known }
    })
}

pub(super) fn rule_of<'a>(
    rules: &'a Rules,
    app: &App,
    target: &EnvironmentRef,
) -> Result<&'a AppRule, PlanError> {
    let rule = rules.of(&app.name).expect("discovered apps have a rule");
    match &rule.environments {
        Some(allowed) if !allowed.contains(&target.name) => Err(PlanError::NotAllowed {
            app: app.name.clone(),
            environment: target.name.clone(),
            allowed: allowed.clone(),
        }),
        _ => Ok(rule),
    }
}

fn absent(
    app: &App,
    rule: &AppRule,
    environment: &EnvironmentRef,
    image: Option<&str>,
) -> PlanError {
    let image = match image {
        Some(image) => image.to_owned(),
        None => rule
            .movers
            .iter()
            .find_map(|mover| match mover {
                Mover::Image(image) => image.name.with_app(&app.name),
                _ => None,
            })
            .unwrap_or_else(|| app.name.clone()),
    };
    let folder = super::apps::folder_of_app(environment, &app.name).unwrap_or_default();
    PlanError::AbsentInTarget {
        app: app.name.clone(),
        image,
        environment: environment.name.clone(),
        path: folder.join("kustomization.yaml").unwrap_or(folder),
    }
}

/// Takes `TAG`, `sha256:…` or `TAG@sha256:…` apart.
fn split_version(version: &str) -> Result<(Option<&str>, Option<&str>), PlanError> {
    let (tag, digest) = match version.split_once('@') {
        Some((tag, digest)) => (Some(tag), Some(digest)),
        None if version.starts_with("sha256:") => (None, Some(version)),
        None => (Some(version), None),
    };
    if let Some(tag) = tag {
        check_value(Moved::ImageTag, tag)?;
    }
    if let Some(digest) = digest {
        check_value(Moved::ImageDigest, digest)?;
    }
    Ok((tag, digest))
}

/// Tags and digests as registries define them (OCI distribution 1.1), so that
/// nothing else reaches files, branch names and commit messages.
fn check_value(what: Moved, value: &str) -> Result<(), PlanError> {
    let reason = match what {
        Moved::ImageTag => {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let good = value.len() <= 128
                && value.starts_with(word)
                && value.chars().all(|c| word(c) || c == '.' || c == '-');
            (!good).then_some(
                "a tag is up to 128 letters, digits, `_`, `.` and `-`, and starts with neither `.` nor `-`",
            )
        }
        Moved::ImageDigest => {
            let good = value.strip_prefix("sha256:").is_some_and(|hex| {
                hex.len() == 64 && hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
            });
            (!good).then_some("a digest is `sha256:` and 64 hexadecimal digits")
        }
        Moved::ImageName => value
            .chars()
            .any(|c| c.is_control() || c.is_whitespace())
            .then_some("it holds a blank or a control character"),
        Moved::ChartVersion | Moved::GitRef => (value.trim().is_empty()
            || value.chars().any(char::is_control))
        .then_some("it is empty or holds a control character"),
        Moved::Value | Moved::Folder | Moved::Other => value
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
            .then_some("it holds a control character"),
    };
    match reason {
        None => Ok(()),
        Some(reason) => {
            Err(PlanError::BadVersion { version: value.escape_debug().to_string(), reason })
        }
    }
}
