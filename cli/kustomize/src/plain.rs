//! Plain manifests: files and folders of objects, without a kustomization.

use gitops_tree::{EntryKind, Tree, TreePath};

use crate::error::{BuildError, BuildErrors, Place, Problems, Several};
use crate::files::{Files, Reference, Target};
use crate::resource::Object;
use crate::schema::Schema;
use crate::{LoadRestrictor, Rendered, objects};

/// How to read plain manifests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlainOptions {
    /// Whether folders below are read too.
    pub recursive: bool,
}

/// Reads the objects of a file, or of the `.yaml`, `.yml` and `.json` files
/// of a folder in the order of their paths. Lists are taken apart; two
/// objects with one identity are kept both. Files of other names are read
/// only when named themselves; links are followed to files, not to folders.
///
/// # Errors
///
/// A path that cannot be read, a file that is no YAML, a document that is no object.
pub fn read_plain(
    tree: &dyn Tree,
    path: &TreePath,
    options: &PlainOptions,
) -> Result<Rendered, BuildErrors> {
    let mut files = Files::new(tree, LoadRestrictor::None, &());
    let reference = Reference { text: path.as_str().to_owned(), place: Place::file(path.clone()) };
    let mut found = Vec::new();
    match files.locate(&TreePath::root(), &reference)? {
        Target::File(file) => found.push(file),
        Target::Directory(dir) => collect(&files, &dir, options, &mut found)?,
        Target::Nothing(at) => return Err(files.not_found(&reference, at).into()),
    }
    let mut read = Vec::new();
    let mut problems = Problems::default();
    for file in &found {
        match read_file(&mut files, file) {
            Ok(objects) => read.extend(objects),
            Err(Several(errors)) => errors.into_iter().for_each(|error| problems.add(error, &[])),
        }
    }
    problems.into_errors()?;
    Ok(Rendered::new(read, files.paths, Vec::new()))
}

/// The objects of a file; none of a link to a folder.
fn read_file(files: &mut Files<'_>, file: &TreePath) -> Result<Vec<Object>, Several> {
    let reference = Reference { text: file.as_str().to_owned(), place: Place::file(file.clone()) };
    let target = match files.locate(&TreePath::root(), &reference)? {
        Target::File(target) => target,
        Target::Directory(_) => return Ok(Vec::new()),
        Target::Nothing(at) => return Err(files.not_found(&reference, at).into()),
    };
    let bytes = files.read(&target, &reference)?;
    let documents = files.documents(file, &bytes)?;
    objects::from_documents(documents, file, &Schema::default())
}

fn collect(
    files: &Files<'_>,
    dir: &TreePath,
    options: &PlainOptions,
    found: &mut Vec<TreePath>,
) -> Result<(), BuildError> {
    let fail = |source| BuildError::Unreadable { place: Place::file(dir.clone()), source };
    for entry in files.tree().list(dir).map_err(fail)? {
        let Ok(path) = dir.join(&entry.name) else { continue };
        match entry.kind {
            EntryKind::Directory if options.recursive => collect(files, &path, options, found)?,
            EntryKind::File | EntryKind::Link => {
                let manifest = entry
                    .name
                    .rsplit_once('.')
                    .is_some_and(|(_, ending)| matches!(ending, "yaml" | "yml" | "json"));
                if manifest {
                    found.push(path);
                }
            }
            EntryKind::Directory | EntryKind::Other => {}
        }
    }
    found.sort();
    Ok(())
}
