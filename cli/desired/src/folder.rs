//! A folder without a kustomization.
//!
//! Flux's rule (fluxcd/pkg/kustomize, generator): every `.yaml` and `.yml` file
//! below the folder; a folder below it that has a kustomization file is built,
//! and not looked into further.

use gitops_kustomize::{Options, PlainOptions, Rendered, build, find_kustomization, read_plain};
use gitops_tree::{EntryKind, Tree, TreePath};

use crate::DesiredError;

/// Reads everything below `dir`, in the order of paths.
pub(crate) fn read(
    tree: &dyn Tree,
    dir: &TreePath,
    options: &Options,
) -> Result<Vec<Rendered>, DesiredError> {
    let mut parts = Vec::new();
    walk(tree, dir, options, &mut parts)?;
    if parts.is_empty() {
        return Err(DesiredError::Nothing { dir: dir.clone() });
    }
    Ok(parts)
}

fn walk(
    tree: &dyn Tree,
    dir: &TreePath,
    options: &Options,
    parts: &mut Vec<Rendered>,
) -> Result<(), DesiredError> {
    for entry in tree.list(dir)? {
        // A name out of a listing is one step down.
        let Ok(path) = dir.join(&entry.name) else { continue };
        match entry.kind {
            EntryKind::Directory => match find_kustomization(tree, &path)? {
                Some(_) => parts.push(build(tree, &path, options)?),
                None => walk(tree, &path, options, parts)?,
            },
            EntryKind::File if entry.name.ends_with(".yaml") || entry.name.ends_with(".yml") => {
                parts.push(read_plain(tree, &path, &PlainOptions::default())?);
            }
            // Flux follows no links, and neither do submodules hold files of this tree.
            EntryKind::File | EntryKind::Link | EntryKind::Other => {}
        }
    }
    Ok(())
}
