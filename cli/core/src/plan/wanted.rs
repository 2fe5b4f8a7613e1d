//! What the slots of the target shall hold.

use crate::judge::{EnvironmentRef, Moved};

use super::error::PlanError;
use super::images::slot_id;
use super::make::Step;
use super::rules::{AppRule, Mover, Rules, key_of};
use super::slot::{App, Held, Slot, version_of};

/// What one app shall hold in the target, and the version that stands for it.
pub(super) struct Wants {
    pub(super) version: String,
    pub(super) slots: Vec<Want>,
}

/// A slot of the target, as it is now, and what it shall hold.
pub(super) struct Want {
    pub(super) slot: Slot,
    pub(super) value: Option<Held>,
}

/// What the slots of an app shall hold when `version` of it is released.
pub(super) fn released(
    app: &App,
    rule: &AppRule,
    target: &EnvironmentRef,
    version: &str,
) -> Result<Wants, PlanError> {
    let (tag, digest) = split_version(version)?;
    if app.slots.is_empty() {
        return Err(absent(app, rule, target, None));
    }
    let mut slots = Vec::new();
    for (mover, name) in images_of(app) {
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
    }
    Ok(Wants { version: version.to_owned(), slots })
}

/// What the slots of an app shall hold when it is promoted as `source` holds
/// it. With `version`, the source must hold just that.
pub(super) fn promoted(
    step: &Step<'_>,
    source: &EnvironmentRef,
    app: &App,
    place: &[App],
    version: Option<&str>,
) -> Result<Wants, PlanError> {
    let target = step.target.environment;
    let rule = rule_of(step.rules, app, target)?;
    if app.slots.is_empty() {
        return Err(absent(app, rule, source, None));
    }
    let here = place.iter().find(|other| other.name == app.name);
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
                environment: source.name.clone(),
                at: first.source.clone(),
                wanted: moving.iter().map(|slot| slot.what).collect(),
            });
        }
        for slot in &moving {
            check(slot)?;
        }
        if let Some(version) = version {
            refuse_other_version(app, (mover, name), source, version)?;
        }
        for slot in moving {
            let Some(here) = here.and_then(|app| app.slot(&slot.id)) else {
                return Err(absent(app, rule, target, Some(name)));
            };
            wanted.push(Want { slot: here.clone(), value: slot.value.clone() });
        }
    }
    if wanted.is_empty() {
        return Err(PlanError::NothingMoves { app: app.name.clone() });
    }
    Ok(Wants { version: app.version().unwrap_or_default(), slots: wanted })
}

/// The images of an app, each by its entry of `promote:` and its name, in the
/// order of the file.
fn images_of(app: &App) -> Vec<(usize, &str)> {
    let mut images: Vec<(usize, &str)> = Vec::new();
    for slot in &app.slots {
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
        Some(held) if !held.is_text => Err(PlanError::NotText {
            at: slot.source.clone(),
            key: key_of(slot.what),
            value: held.text.clone(),
        }),
        Some(held) => check_value(slot.what, &held.text),
    }
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
            .find_map(|Mover::Image(image)| image.name.with_app(&app.name))
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
        _ => value
            .chars()
            .any(|c| c.is_control() || c.is_whitespace())
            .then_some("it holds a blank or a control character"),
    };
    match reason {
        None => Ok(()),
        Some(reason) => {
            Err(PlanError::BadVersion { version: value.escape_debug().to_string(), reason })
        }
    }
}
