//! From what is asked to a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gitops_tree::{Reading, Recorded, Tree};

use crate::judge::{EnvironmentRef, Move, Moved, Operation};

use super::apps::{App, Image, discover_apps, images_in, root, version_of};
use super::edit::set_image_field;
use super::error::PlanError;
use super::rules::{AppRule, Rules, key_of};
use super::template::{Values, branch_problem};
use super::{BlobId, Contents, Edit, FileBytes, Plan, ReadEntry, ReadFrom, Texts, outside_target};

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

/// What an image of the target shall hold.
struct Wanted {
    image: Image,
    values: Vec<(Moved, Option<String>)>,
}

/// What one app shall run in the target.
struct AppMoves {
    app: String,
    version: String,
    wanted: Vec<Wanted>,
}

/// Puts `version` of `app` into the target: `TAG`, `sha256:…` or
/// `TAG@sha256:…`.
///
/// # Errors
///
/// When the app is not there, may not enter, or its files cannot be edited.
pub fn release(step: &Step<'_>, app: &str, version: &str) -> Result<Planned, PlanError> {
    let (tag, digest) = split_version(version)?;
    let tree = Recorded::new(step.target.tree);
    let target = step.target.environment;
    let apps = discover_apps(&tree, target, step.rules)?;
    let app = find(&apps, app, target)?;
    let rule = rule_of(step.rules, app, target)?;
    let mut wanted = Vec::new();
    if app.images.is_empty() {
        return Err(absent(app, rule, target, None));
    }
    for image in &app.images {
        let fields = fields_of(rule, app, image);
        for (what, value) in [(Moved::ImageTag, tag), (Moved::ImageDigest, digest)] {
            if value.is_some() && !fields.contains(&what) {
                return Err(PlanError::FieldStays {
                    version: version.to_owned(),
                    image: image.name.clone(),
                    what,
                });
            }
        }
        // A tag without its digest, or the other way round, would leave half
        // of the old version behind.
        let values = [(Moved::ImageTag, tag), (Moved::ImageDigest, digest)]
            .into_iter()
            .filter(|(what, _)| fields.contains(what))
            .map(|(what, value)| (what, value.map(str::to_owned)))
            .collect();
        wanted.push(Wanted { image: image.clone(), values });
    }
    let moves = BTreeMap::from([(app.name.clone(), (version.to_owned(), wanted))]);
    let reads = entries(ReadFrom::Target, step.target.tree, tree.into_readings())?;
    let plans = plans(step, Operation::Release, None, moves, &reads)?;
    Ok(Planned { plans, skipped: Vec::new() })
}

/// Moves what `source` runs of `apps` into the target; all apps when none is
/// named. With `version`, the source must run just that.
///
/// # Errors
///
/// When a named app is not there or may not enter, the source has no version
/// of it, or its files cannot be edited. Apps that were not named and cannot
/// move are in [`Planned::skipped`].
pub fn promote(
    step: &Step<'_>,
    from: Side<'_>,
    apps: &[String],
    version: Option<&str>,
) -> Result<Planned, PlanError> {
    let source_tree = Recorded::new(from.tree);
    let target_tree = Recorded::new(step.target.tree);
    let target = step.target.environment;
    let held = discover_apps(&source_tree, from.environment, step.rules)?;
    let place = discover_apps(&target_tree, target, step.rules)?;

    let mut moves = BTreeMap::new();
    let mut skipped = Vec::new();
    let names: BTreeSet<String> = if apps.is_empty() {
        held.iter().map(|app| app.name.clone()).collect()
    } else {
        apps.iter().cloned().collect()
    };
    for name in names {
        let found = find(&held, &name, from.environment)
            .and_then(|app| wanted_of(step, from.environment, app, &place, version));
        match found {
            Ok(wanted) => {
                moves.insert(name, wanted);
            }
            Err(
                reason @ (PlanError::AbsentInTarget { .. }
                | PlanError::NotAllowed { .. }
                | PlanError::NoVersion { .. }),
            ) if apps.is_empty() => skipped.push(Skipped { app: name, reason }),
            Err(error) => return Err(error),
        }
    }
    let mut reads = entries(ReadFrom::Source, from.tree, source_tree.into_readings())?;
    reads.extend(entries(ReadFrom::Target, step.target.tree, target_tree.into_readings())?);
    let plans = plans(step, Operation::Promote, Some(from), moves, &reads)?;
    Ok(Planned { plans, skipped })
}

/// What the images of one app shall hold in the target, and the version.
fn wanted_of(
    step: &Step<'_>,
    source: &EnvironmentRef,
    app: &App,
    place: &[App],
    version: Option<&str>,
) -> Result<(String, Vec<Wanted>), PlanError> {
    let target = step.target.environment;
    let rule = rule_of(step.rules, app, target)?;
    if app.images.is_empty() {
        return Err(absent(app, rule, source, None));
    }
    let here = place.iter().find(|other| other.name == app.name);
    let mut wanted = Vec::new();
    for image in &app.images {
        let fields = fields_of(rule, app, image);
        if fields.is_empty() {
            continue;
        }
        if fields.iter().all(|what| image.field(*what).is_none()) {
            return Err(PlanError::NoVersion {
                app: app.name.clone(),
                environment: source.name.clone(),
                at: image.source.clone(),
                wanted: fields,
            });
        }
        let mut values = Vec::new();
        for what in fields {
            let value = match image.field(what) {
                None => None,
                Some(field) if !field.is_text => {
                    return Err(PlanError::NotText {
                        at: field.source.clone(),
                        key: key_of(what),
                        value: field.value.clone(),
                    });
                }
                Some(field) => {
                    check_value(what, &field.value)?;
                    Some(field.value.clone())
                }
            };
            values.push((what, value));
        }
        if let Some(version) = version {
            let (tag, digest) = split_version(version)?;
            let differs = |what, asked: Option<&str>| {
                asked.is_some() && image.field(what).map(|field| field.value.as_str()) != asked
            };
            if differs(Moved::ImageTag, tag) || differs(Moved::ImageDigest, digest) {
                return Err(PlanError::OtherVersion {
                    app: app.name.clone(),
                    environment: source.name.clone(),
                    found: version_of(image).unwrap_or_else(|| "no version".to_owned()),
                    wanted: version.to_owned(),
                    at: Box::new(image.source.clone()),
                });
            }
        }
        let Some(here) = here.and_then(|app| app.images.iter().find(|i| i.name == image.name))
        else {
            return Err(absent(app, rule, target, Some(image)));
        };
        wanted.push(Wanted { image: here.clone(), values });
    }
    if wanted.is_empty() {
        return Err(PlanError::NothingMoves { app: app.name.clone() });
    }
    Ok((app.version().unwrap_or_default(), wanted))
}

/// Groups the apps by branch, edits the files and writes the texts.
fn plans(
    step: &Step<'_>,
    operation: Operation,
    from: Option<Side<'_>>,
    moves: BTreeMap<String, (String, Vec<Wanted>)>,
    reads: &BTreeSet<ReadEntry>,
) -> Result<Vec<(Plan, Contents)>, PlanError> {
    let env = step.target.environment.name.as_str();
    let source_name = from.map_or("", |from| from.environment.name.as_str());
    let mut groups: BTreeMap<Option<String>, Vec<AppMoves>> = BTreeMap::new();
    for (app, (version, wanted)) in moves {
        let values = Values { app: &app, env, version: &version, from: source_name };
        let branch = (!step.direct).then(|| step.texts.branch.render(values));
        if let Some(branch) = &branch
            && let Some(reason) = branch_problem(branch)
        {
            return Err(PlanError::BadBranch { branch: branch.clone(), reason });
        }
        groups.entry(branch).or_default().push(AppMoves { app, version, wanted });
    }
    let mut plans = Vec::new();
    for (branch, group) in groups {
        let apps: Vec<String> = group.iter().map(|moves| moves.app.clone()).collect();
        let mut versions: Vec<String> = group.iter().map(|moves| moves.version.clone()).collect();
        versions.dedup();
        let version = versions.join(", ");
        let mut contents = Contents::default();
        let mut moved = Vec::new();
        for moves in &group {
            for wanted in &moves.wanted {
                moved.extend(put(step.target.tree, &mut contents, &moves.app, wanted)?);
            }
        }
        let edits: Vec<Edit> = contents
            .files
            .iter()
            .map(|(path, bytes)| Edit {
                path: path.clone(),
                before: bytes.before.as_deref().map(BlobId::of),
                after: Some(BlobId::of(&bytes.after)),
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
                subject: step.texts.commit.render(values),
                title: step.texts.title.render(values),
                body: step.texts.body.render(values),
                labels: step.texts.labels.clone(),
                claims: Vec::new(),
                version,
            },
            contents,
        ));
    }
    Ok(plans)
}

/// Writes what one image shall hold into the bytes of its file. Answers what
/// moved.
fn put(
    tree: &dyn Tree,
    contents: &mut Contents,
    app: &str,
    wanted: &Wanted,
) -> Result<Vec<Move>, PlanError> {
    let file = &wanted.image.file;
    let original = match contents.get(file) {
        Some(bytes) => bytes.after.clone(),
        None => tree.read(file)?,
    };
    let mut bytes: Arc<[u8]> = original.clone();
    let mut moved = Vec::new();
    for (what, value) in &wanted.values {
        let before = wanted.image.field(*what);
        let same = match (before, value) {
            (None, None) => true,
            (Some(field), Some(value)) => field.is_text && field.value == *value,
            _ => false,
        };
        if same {
            continue;
        }
        bytes = set_image_field(file, &bytes, &wanted.image.name, *what, value.as_deref())?.into();
        moved.push(Move {
            app: app.to_owned(),
            what: *what,
            name: wanted.image.name.clone(),
            before: before.map(|field| field.value.clone()),
            after: value.clone(),
            source: None,
        });
    }
    if moved.is_empty() {
        return Ok(moved);
    }
    if let Some(pin) = wanted.image.field(Moved::ImageDigest)
        && !wanted.values.iter().any(|(what, _)| *what == Moved::ImageDigest)
    {
        return Err(PlanError::Pinned { image: wanted.image.name.clone(), at: pin.source.clone() });
    }
    let after = images_in(file, &root(file, &bytes)?)?;
    let entry = after.iter().find(|image| image.name == wanted.image.name);
    for moved in &mut moved {
        moved.source = entry.map(|image| {
            image.field(moved.what).map_or_else(|| image.source.clone(), |f| f.source.clone())
        });
    }
    contents
        .files
        .entry(file.clone())
        .and_modify(|file| file.after = bytes.clone())
        .or_insert(FileBytes { before: Some(original), after: bytes });
    Ok(moved)
}

fn find<'a>(
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

fn rule_of<'a>(
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

/// The fields of `image` that move: those of its rule without those that
/// never do.
fn fields_of(rule: &AppRule, app: &App, image: &Image) -> Vec<Moved> {
    let Some(image_rule) = rule
        .images
        .iter()
        .find(|image_rule| image_rule.name.with_app(&app.name).as_deref() == Some(&image.name))
    else {
        return Vec::new();
    };
    image_rule
        .fields
        .iter()
        .copied()
        .filter(|what| {
            let path = ["images", image.name.as_str(), key_of(*what)];
            !rule.never.iter().any(|pattern| pattern.matches(&path))
        })
        .collect()
}

fn absent(
    app: &App,
    rule: &AppRule,
    environment: &EnvironmentRef,
    image: Option<&Image>,
) -> PlanError {
    let image = match image {
        Some(image) => image.name.clone(),
        None => rule
            .images
            .iter()
            .find_map(|image| image.name.with_app(&app.name))
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
        Moved::ImageName | Moved::Value => value
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

fn entries(
    from: ReadFrom,
    tree: &dyn Tree,
    readings: BTreeSet<Reading>,
) -> Result<BTreeSet<ReadEntry>, PlanError> {
    readings
        .iter()
        .map(|reading| ReadEntry::of(from, tree, reading).map_err(PlanError::from))
        .collect()
}
