//! `yaml:`, a value at a path of a YAML or JSON file.

use gitops_tree::{EntryKind, Tree, TreeError, TreePath};
use gitops_yaml::Node;

use crate::judge::Moved;

use super::super::error::PlanError;
use super::super::path::{ValuePath, listed};
use super::super::rules::YamlRule;
use super::super::slot::SlotId;
use super::super::template::Template;
use super::{Doc, Looked, Place, documents, file_of, no_file, read};

pub(super) fn look(place: &Place<'_>, mover: usize, rule: &YamlRule) -> Result<Looked, PlanError> {
    let file = file_of(place, &rule.file)?;
    let Some(bytes) = read(place.tree, &file)? else {
        return Ok(Looked { slots: Vec::new(), missing: vec![no_file(&file)] });
    };
    let documents = documents(&file, &bytes)?;
    let name = rule.name.as_ref().and_then(|name| name.with_app(place.app));
    let wanted = |doc: &Doc<'_>| {
        rule.kind.as_deref().is_none_or(|kind| doc.kind() == kind)
            && name.as_deref().is_none_or(|name| doc.name() == name)
    };
    let chosen: Vec<Doc<'_>> = Doc::all(&file, &bytes, &documents).filter(wanted).collect();
    let empty = Node::mapping();
    if chosen.is_empty() {
        // A file of comments is a place to create something in.
        let nothing = documents.iter().all(|document| document.root.is_none());
        let doc = Doc { file: &file, bytes: &bytes, index: 0, root: &empty };
        if nothing && rule.kind.is_none() && name.is_none() {
            return in_documents(place, mover, rule, &[doc]);
        }
        let there: Vec<String> = Doc::all(&file, &bytes, &documents)
            .map(|doc| format!("{}/{}", doc.kind(), doc.name()))
            .collect();
        let reason = format!(
            "no document is a {} {}; {}",
            rule.kind.as_deref().unwrap_or("thing"),
            name.map_or_else(String::new, |name| format!("named `{name}`")),
            listed("there are", there.iter().map(String::as_str))
        );
        let missing = vec![doc.missing(&empty, reason)];
        return Ok(Looked { slots: Vec::new(), missing });
    }
    in_documents(place, mover, rule, &chosen)
}

fn in_documents(
    place: &Place<'_>,
    mover: usize,
    rule: &YamlRule,
    documents: &[Doc<'_>],
) -> Result<Looked, PlanError> {
    let path = &rule.path;
    let file = rule.file.with_app(place.app).unwrap_or_default();
    let spelled = path.of_app(place.app);
    let id = SlotId { mover, place: format!("{file}:{spelled}") };
    let mut looked = Looked::default();
    let mut misses = Vec::new();
    for doc in documents {
        match path.find(doc.root, place.app) {
            Ok((steps, node)) => {
                let names = path.names(place.app);
                let slot =
                    doc.slot(id.clone(), Moved::Value, spelled.clone(), names, steps, node)?;
                if let Some(first) = looked.slots.first() {
                    return Err(PlanError::TwoPlaces {
                        name: spelled,
                        first: Box::new(first.source.clone()),
                        second: Box::new(slot.source),
                    });
                }
                looked.slots.push(slot);
            }
            Err(miss) => misses.push((doc, miss)),
        }
    }
    if !looked.slots.is_empty() {
        return Ok(looked);
    }
    let one = misses.len() == 1;
    for (doc, miss) in misses {
        if rule.create && one && !miss.missing.is_empty() {
            let names = path.names(place.app);
            looked.slots.push(doc.absent(id.clone(), spelled.clone(), names, miss));
        } else {
            let mut missing = doc.missing(doc.root, miss.reason);
            missing.at.line = (miss.line > 0).then_some(miss.line);
            looked.missing.push(missing);
        }
    }
    Ok(looked)
}

/// The names that stand where a file's name, or the path in it, has `{app}`.
pub(super) fn apps(
    tree: &dyn Tree,
    folder: &TreePath,
    file: &Template,
    path: Option<&ValuePath>,
) -> Result<Vec<String>, PlanError> {
    if file.uses("app") {
        return in_names(tree, folder, file);
    }
    let Some(path) = path.filter(|path| path.uses_app()) else { return Ok(Vec::new()) };
    let Some(file) = file.with_app("").and_then(|file| folder.join(&file).ok()) else {
        return Ok(Vec::new());
    };
    let Some(bytes) = read(tree, &file)? else { return Ok(Vec::new()) };
    let documents = documents(&file, &bytes)?;
    let roots = documents.iter().filter_map(|document| document.root.as_ref());
    Ok(roots.flat_map(|root| path.apps(root)).collect())
}

/// The names of folders or files that fit the part of a path with `{app}`.
fn in_names(tree: &dyn Tree, folder: &TreePath, file: &Template) -> Result<Vec<String>, PlanError> {
    let written = file.to_string();
    let parts: Vec<&str> = written.split('/').collect();
    let Some(at) = parts.iter().position(|part| part.contains("{app}")) else {
        return Ok(Vec::new());
    };
    let Ok(above) = folder.join(&parts[..at].join("/")) else { return Ok(Vec::new()) };
    let Ok(level) = Template::parse_with(parts[at], &["app"]) else { return Ok(Vec::new()) };
    let entries = match tree.list(&above) {
        Ok(entries) => entries,
        Err(TreeError::Absent { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut apps = Vec::new();
    for entry in entries {
        let folder = entry.kind == EntryKind::Directory;
        if folder != (at + 1 < parts.len()) {
            continue;
        }
        let Some(app) = level.app_of(&entry.name) else { continue };
        let whole = file.with_app(&app).and_then(|file| above_join(&above, &parts[..at], &file));
        if let Some(whole) = whole
            && tree.kind(&whole)?.is_some()
        {
            apps.push(app);
        }
    }
    Ok(apps)
}

/// `file` from the folder that `above` is the folder `lead` of.
fn above_join(above: &TreePath, lead: &[&str], file: &str) -> Option<TreePath> {
    let rest: Vec<&str> = file.split('/').skip(lead.len()).collect();
    above.join(&rest.join("/")).ok()
}
