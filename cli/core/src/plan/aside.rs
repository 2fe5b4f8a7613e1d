//! What a plan does not do, and what to know about what it does: values that
//! an automation writes as well, lock files that lag behind, values files that
//! stay with their environment.

use std::collections::{BTreeMap, BTreeSet};

use gitops_tree::{EntryKind, Tree, TreeError, TreePath};
use gitops_yaml::{Node, differences};

use crate::judge::{EnvironmentRef, Moved};

use super::Contents;
use super::apps::{folder_of_app, kustomization_file};
use super::edit;
use super::error::PlanError;
use super::hunk::printable;
use super::make::Side;
use super::movers::{Files, value_files};
use super::rules::{AppRule, key_of};
use super::slot::{Slot, Spot};
use super::wanted::Want;

/// Files that hold the versions of a chart's dependencies as they were
/// resolved.
const LOCKS: [&str; 2] = ["Chart.lock", "requirements.lock"];

/// What to know about the slots that move.
pub(super) fn warnings<'a>(
    tree: &dyn Tree,
    moved: impl Iterator<Item = &'a Slot>,
) -> Result<Vec<String>, PlanError> {
    let mut warnings = Vec::new();
    for slot in moved {
        if let Some(owner) = &slot.owned_by {
            let value = match slot.spot {
                Spot::Image => format!("`{}` of {}", key_of(slot.what), slot.name),
                _ => format!("`{}`", slot.name),
            };
            warnings.push(format!(
                "{value} ({}) is written by {owner}, too, which may overwrite it",
                slot.source
            ));
        }
        if slot.what == Moved::ChartVersion
            && slot.file.name() == Some("Chart.yaml")
            && let Some(folder) = slot.file.parent()
        {
            for lock in LOCKS {
                let lock = folder.join(lock).expect("a plain name stays inside the tree");
                let stale = format!(
                    "{lock} is of the versions before; run `helm dependency update` in {folder}"
                );
                if tree.kind(&lock)?.is_some() && !warnings.contains(&stale) {
                    warnings.push(stale);
                }
            }
        }
    }
    Ok(warnings)
}

/// Which of chart, image, ref and values moves of an app, and which of them
/// the target holds already; of images alone there is nothing to tell.
pub(super) fn kinds(app: &str, wants: &[Want], moved: &[&Slot]) -> Option<String> {
    if wants.iter().all(|want| want.slot.spot == Spot::Image) {
        return None;
    }
    let kind = |slot: &Slot| match slot.what {
        Moved::ChartVersion => "chart",
        Moved::ImageName | Moved::ImageTag | Moved::ImageDigest => "image",
        Moved::GitRef => "ref",
        Moved::Folder => "files",
        Moved::Value | Moved::Other => "values",
    };
    let moving: BTreeSet<&str> = moved.iter().map(|slot| kind(slot)).collect();
    if moving.is_empty() {
        return None;
    }
    let all: BTreeSet<&str> = wants.iter().map(|want| kind(&want.slot)).collect();
    let listed = |kinds: Vec<&str>| kinds.join(", ");
    let same: Vec<&str> = all.difference(&moving).copied().collect();
    let mut note = format!("{}: ", printable(app));
    note.push_str(&match moving.len() {
        1 if !moving.contains("values") && !moving.contains("files") => {
            format!("{} moves", listed(moving.into_iter().collect()))
        }
        _ => format!("{} move", listed(moving.into_iter().collect())),
    });
    if !same.is_empty() {
        note.push_str(&format!("; {} held already", listed(same)));
    }
    Some(note)
}

/// An app's folder in an environment.
pub(super) struct Shelf<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) environment: &'a EnvironmentRef,
}

/// The values files of an app that differ between two environments, the target
/// as planned: they belong to their environment, and stay.
///
/// # Errors
///
/// When a folder or file cannot be read.
pub(super) fn stays(
    source: &Shelf<'_>,
    target: &Shelf<'_>,
    contents: &Contents,
    app: &str,
    rule: &AppRule,
) -> Result<Vec<String>, PlanError> {
    let (ours, theirs) = (source.values_files(app, rule)?, target.values_files(app, rule)?);
    let mut stays = Vec::new();
    for (name, file) in &theirs {
        let Some(other) = ours.get(name) else {
            stays.push(format!("{file} is not in {}", source.environment.name));
            continue;
        };
        let before = source.tree.read(other)?;
        let planned = contents.get(file).and_then(|file| file.after.clone());
        let edited = planned.is_some();
        let after = match planned {
            Some(bytes) => bytes,
            None => target.tree.read(file)?,
        };
        if before == after || !differ(other, &before, &after) {
            continue;
        }
        let more = if edited { " in more than what moves" } else { "" };
        stays.push(format!("{file} differs from {other}{more}"));
    }
    for (name, file) in &ours {
        if !theirs.contains_key(name) {
            stays.push(format!("{file} is not copied to {}", target.environment.name));
        }
    }
    stays.sort();
    Ok(stays.iter().map(|line| printable(line)).collect())
}

impl<'a> Shelf<'a> {
    pub(super) fn of(side: Side<'a>) -> Shelf<'a> {
        Shelf { tree: side.tree, environment: side.environment }
    }

    /// The values files of an app, by their names without the environment's.
    fn values_files(
        &self,
        app: &str,
        rule: &AppRule,
    ) -> Result<BTreeMap<String, TreePath>, PlanError> {
        let folder = folder_of_app(self.environment, app)?;
        let mut found = BTreeMap::new();
        let mut add = |file: TreePath| {
            let name = file.as_str().strip_prefix(folder.as_str()).unwrap_or(file.as_str());
            found.insert(self.neutral(name.trim_start_matches('/')), file);
        };
        let entries = match self.tree.list(&folder) {
            Ok(entries) => entries,
            Err(TreeError::Absent { .. }) => return Ok(found),
            Err(error) => return Err(error.into()),
        };
        for entry in entries {
            let yaml = entry.name.ends_with(".yaml") || entry.name.ends_with(".yml");
            if entry.kind == EntryKind::File && yaml && entry.name.starts_with("values") {
                add(folder.join(&entry.name).expect("a name in a listing stays inside the tree"));
            }
        }
        // Who moves images alone may have no Helm at all.
        if rule.looks_beyond_images() {
            let mut named = value_files(self.tree, &folder, &Files::default())?;
            if !named.from_maps.is_empty()
                && let Some(kustomization) = kustomization_file(self.tree, &folder)?
            {
                let bytes = self.tree.read(&kustomization)?;
                named.files.extend(generated(&kustomization, &bytes, &named.from_maps));
            }
            for name in named.files {
                // What lies elsewhere is not the environment's own.
                let Ok(file) = folder.join(&name) else { continue };
                if file.is_within(&folder) && self.tree.kind(&file)? == Some(EntryKind::File) {
                    add(file);
                }
            }
        }
        Ok(found)
    }

    /// A file's name without that of the environment.
    fn neutral(&self, name: &str) -> String {
        let mut out = String::new();
        for part in name.split_inclusive(['-', '_', '.', '/']) {
            let word = part.trim_end_matches(['-', '_', '.', '/']);
            if word == self.environment.name {
                out.push_str("{env}");
                out.push_str(&part[word.len()..]);
            } else {
                out.push_str(part);
            }
        }
        out
    }
}

/// The files that a kustomization makes the maps of these names from.
fn generated(file: &TreePath, bytes: &[u8], maps: &[String]) -> Vec<String> {
    let documents = edit::read(file, bytes).unwrap_or_default();
    let roots = documents.iter().filter_map(|document| document.root.as_ref());
    let mut files = Vec::new();
    for root in roots {
        for list in ["configMapGenerator", "secretGenerator"] {
            for entry in root.get(list).map_or(&[][..], Node::items) {
                let name = entry.get("name").and_then(Node::text).unwrap_or_default();
                if !maps.iter().any(|map| map == name) {
                    continue;
                }
                for item in entry.get("files").map_or(&[][..], Node::items) {
                    let text = item.text().unwrap_or_default();
                    files.push(text.split_once('=').map_or(text, |(_, file)| file).to_owned());
                }
            }
        }
    }
    files
}

/// Whether two files hold different values; comments do not count.
fn differ(file: &TreePath, before: &[u8], after: &[u8]) -> bool {
    match (edit::read(file, before), edit::read(file, after)) {
        (Ok(before), Ok(after)) => !differences(&before, &after).is_empty(),
        _ => true,
    }
}
