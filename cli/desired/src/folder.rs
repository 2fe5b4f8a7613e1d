//! A folder without a kustomization.
//!
//! Flux's rule (fluxcd/pkg/kustomize, generator): every `.yaml` and `.yml` file
//! below the folder; a folder below it that has a kustomization file is built,
//! and not looked into further.

use gitops_kustomize::{
    BuildErrors, Fulfil, Options, PlainOptions, Rendered, build_with, find_kustomization,
    read_plain,
};
use gitops_tree::{EntryKind, Tree, TreePath};

use crate::DesiredError;

/// Reads everything below `dir`, in the order of paths.
pub(crate) fn read(
    tree: &dyn Tree,
    dir: &TreePath,
    options: &Options,
    supplies: &dyn Fulfil,
) -> Result<Vec<Rendered>, DesiredError> {
    let mut parts = Vec::new();
    let mut errors = Vec::new();
    walk(tree, dir, options, supplies, &mut parts, &mut errors)?;
    if let Some(errors) = BuildErrors::join(errors) {
        return Err(errors.into());
    }
    if parts.is_empty() {
        return Err(DesiredError::Nothing { dir: dir.clone() });
    }
    Ok(parts)
}

fn walk(
    tree: &dyn Tree,
    dir: &TreePath,
    options: &Options,
    supplies: &dyn Fulfil,
    parts: &mut Vec<Rendered>,
    errors: &mut Vec<BuildErrors>,
) -> Result<(), DesiredError> {
    for entry in tree.list(dir)? {
        // A name out of a listing is one step down.
        let Ok(path) = dir.join(&entry.name) else { continue };
        match entry.kind {
            EntryKind::Directory => match find_kustomization(tree, &path)? {
                Some(_) => add(build_with(tree, &path, options, supplies), parts, errors),
                None => walk(tree, &path, options, supplies, parts, errors)?,
            },
            EntryKind::File if entry.name.ends_with(".yaml") || entry.name.ends_with(".yml") => {
                add(read_plain(tree, &path, &PlainOptions::default()), parts, errors);
            }
            // Flux follows no links, and neither do submodules hold files of this tree.
            EntryKind::File | EntryKind::Link | EntryKind::Other => {}
        }
    }
    Ok(())
}

fn add(
    built: Result<Rendered, BuildErrors>,
    parts: &mut Vec<Rendered>,
    errors: &mut Vec<BuildErrors>,
) {
    match built {
        Ok(part) => parts.push(part),
        Err(more) => errors.push(more),
    }
}
