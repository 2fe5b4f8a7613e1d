//! What an environment's folder renders to, and with what: a kustomization
//! where the folder has one, and every manifest below it where it has none, as
//! Flux' kustomize-controller decides it (fluxcd/pkg/kustomize, generator).
//!
//! [`render`] and [`build`] decide; [`render_kustomization`] and
//! [`render_plain`] are told. All but [`build`] give [`Desired`]: objects with
//! their places in Git.

mod folder;

use std::collections::BTreeMap;
use std::sync::Arc;

use gitops_core::key::{ObjectKey, group_of};
use gitops_core::object::{Lines, Raw, Source};
use gitops_kustomize::{BuildErrors, Fulfil, Options, PlainOptions, Rendered, Resource, Warning};
use gitops_tree::{Tree, TreeError, TreePath};
use serde_json::Value;

/// How a folder is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// As `kustomize build` does.
    Kustomization,
    /// File by file.
    Plain,
}

/// The objects that a folder stands for.
pub struct Desired {
    /// The objects, in the renderer's order. Namespaces are as written.
    pub objects: Vec<Raw>,
    /// What the renderer says beside.
    pub warnings: Vec<Warning>,
    /// How it was rendered.
    pub method: Method,
}

/// Why a folder stands for nothing that could be applied.
#[derive(Debug, thiserror::Error)]
pub enum DesiredError {
    /// It does not render.
    #[error(transparent)]
    Build(#[from] BuildErrors),
    /// It cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The folder holds nothing to render. An empty answer would mean that
    /// everything is to be deleted.
    #[error("`{dir}` holds no manifest (`.yaml` or `.yml`); correct the path, or add one")]
    Nothing {
        /// The folder.
        dir: TreePath,
    },
    /// A document is not a Kubernetes object.
    #[error("{place}: not a Kubernetes object: it has no `{field}`")]
    NotAnObject {
        /// Where it stands.
        place: Source,
        /// What it lacks.
        field: &'static str,
    },
    /// A value that JSON, and so Kubernetes, does not know.
    #[error("{place}: {reason}")]
    Value {
        /// Where the object stands.
        place: Source,
        /// What is wrong, with its line.
        reason: String,
    },
    /// Two objects have one name.
    #[error("two objects are {key}: one at {first}, one at {second}; delete or rename one of them")]
    Twins {
        /// Their name.
        key: ObjectKey,
        /// Where the first stands.
        first: Source,
        /// Where the second stands.
        second: Source,
    },
}

/// Renders `dir`: its kustomization where it has one, else every manifest
/// below it, with the kustomizations of folders below it built. `supplies` is
/// what was fetched for them, as for [`gitops_kustomize::build_with`].
///
/// # Errors
///
/// What does not render, is no object or stands there twice; a folder without
/// any manifest.
pub fn render(
    tree: &dyn Tree,
    dir: &TreePath,
    options: &Options,
    supplies: &dyn Fulfil,
) -> Result<Desired, DesiredError> {
    match gitops_kustomize::find_kustomization(tree, dir)? {
        Some(_) => render_kustomization(tree, dir, options, supplies),
        None => collect(&folder::read(tree, dir, options, supplies)?, Method::Plain),
    }
}

/// What [`render`] gives of `dir`, to be printed: one part a kustomization or
/// file. A kustomization is built as kustomize would, without a look at what
/// it does not look at.
///
/// # Errors
///
/// As [`render`].
pub fn build(
    tree: &dyn Tree,
    dir: &TreePath,
    options: &Options,
    supplies: &dyn Fulfil,
) -> Result<Vec<Rendered>, DesiredError> {
    if gitops_kustomize::find_kustomization(tree, dir)?.is_some() {
        return Ok(vec![gitops_kustomize::build_with(tree, dir, options, supplies)?]);
    }
    let parts = folder::read(tree, dir, options, supplies)?;
    collect(&parts, Method::Plain)?;
    Ok(parts)
}

/// Renders the kustomization in `dir`.
///
/// # Errors
///
/// As [`render`].
pub fn render_kustomization(
    tree: &dyn Tree,
    dir: &TreePath,
    options: &Options,
    supplies: &dyn Fulfil,
) -> Result<Desired, DesiredError> {
    let built = gitops_kustomize::build_with(tree, dir, options, supplies)?;
    collect(&[built], Method::Kustomization)
}

/// Reads the manifests of a file, or of a folder, as `kubectl -f` does.
///
/// # Errors
///
/// As [`render`], but an empty folder gives no objects.
pub fn render_plain(
    tree: &dyn Tree,
    path: &TreePath,
    recursive: bool,
) -> Result<Desired, DesiredError> {
    let options = PlainOptions { recursive };
    collect(&[gitops_kustomize::read_plain(tree, path, &options)?], Method::Plain)
}

/// The objects of all parts, each key once.
fn collect(parts: &[Rendered], method: Method) -> Result<Desired, DesiredError> {
    let mut objects: Vec<Raw> = Vec::new();
    let mut warnings = Vec::new();
    let mut seen: BTreeMap<ObjectKey, Source> = BTreeMap::new();
    for rendered in parts {
        for resource in &rendered.resources {
            let raw = object(resource, &rendered.files)?;
            let source = source_of(resource);
            if let Some(first) = seen.insert(raw.key.clone(), source.clone()) {
                return Err(DesiredError::Twins { key: raw.key, first, second: source });
            }
            objects.push(raw);
        }
        warnings.extend(rendered.warnings.iter().cloned());
    }
    Ok(Desired { objects, warnings, method })
}

fn source_of(resource: &Resource) -> Source {
    Source { path: resource.path.to_string(), document: resource.document, line: resource.line }
}

fn object(resource: &Resource, files: &[TreePath]) -> Result<Raw, DesiredError> {
    let source = source_of(resource);
    let json = resource.node.to_json().map_err(|error| DesiredError::Value {
        place: source.clone(),
        reason: error.to_string(),
    })?;
    let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str);
    let missing = |field| DesiredError::NotAnObject { place: source.clone(), field };
    let api_version = text("/apiVersion").ok_or_else(|| missing("apiVersion"))?.to_owned();
    let key = ObjectKey {
        group: group_of(&api_version).to_owned(),
        kind: text("/kind").ok_or_else(|| missing("kind"))?.to_owned(),
        namespace: text("/metadata/namespace").filter(|name| !name.is_empty()).map(str::to_owned),
        name: text("/metadata/name").ok_or_else(|| missing("metadata.name"))?.to_owned(),
    };
    let lines = lines(resource, files);
    Ok(Raw { key, api_version, json, source: Some(source), lines })
}

/// Where each field stands. Fields that no file holds are left out; their
/// nearest parent's place stands for them.
fn lines(resource: &Resource, files: &[TreePath]) -> Lines {
    let places = resource.node.pointers().into_iter().filter_map(|(pointer, mark)| {
        let path = files.get(usize::try_from(mark.file.0).ok()?)?;
        let document = if *path == resource.path { resource.document } else { 1 };
        Some((pointer, Source { path: path.to_string(), document, line: Some(mark.line) }))
    });
    Lines(Arc::new(places.collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use gitops_tree::Memory;

    use super::*;

    fn tree(files: &[(&str, &str)]) -> Memory {
        let mut tree = Memory::new();
        for (path, text) in files {
            tree.insert(TreePath::new(path).unwrap(), text.as_bytes().to_vec());
        }
        tree
    }

    fn render_root(files: &[(&str, &str)]) -> Result<Desired, DesiredError> {
        render(&tree(files), &TreePath::root(), &Options::default(), &())
    }

    const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: v\n";

    #[test]
    fn a_folder_without_a_kustomization_is_all_of_its_manifests() {
        let desired = render_root(&[("x/a.yaml", MAP), ("notes.txt", "no: object")]).unwrap();
        assert_eq!(desired.method, Method::Plain);
        let raw = &desired.objects[0];
        assert_eq!(raw.key.to_string(), "ConfigMap/a");
        assert_eq!(raw.source.as_ref().unwrap().to_string(), "x/a.yaml:1");
        assert_eq!(raw.lines.find("/data/k").unwrap().to_string(), "x/a.yaml:6");
    }

    #[test]
    fn a_field_set_by_the_kustomization_stands_there() {
        let kustomization = "resources: [a.yaml]\nnamespace: shop\n";
        let desired =
            render_root(&[("a.yaml", MAP), ("kustomization.yaml", kustomization)]).unwrap();
        assert_eq!(desired.method, Method::Kustomization);
        let raw = &desired.objects[0];
        assert_eq!(raw.key.to_string(), "ConfigMap/shop/a");
        let place = raw.lines.find("/metadata/namespace").unwrap();
        assert_eq!(place.to_string(), "kustomization.yaml:2");
    }

    #[test]
    fn twins_name_both_places() {
        let error = render_root(&[("a.yaml", MAP), ("b.yaml", MAP)]).err().unwrap();
        assert_eq!(
            error.to_string(),
            "two objects are ConfigMap/a: one at a.yaml:1, one at b.yaml:1; delete or rename one of them"
        );
    }

    #[test]
    fn a_document_that_is_no_object_is_named() {
        let error = render_root(&[("a.yaml", "kind: ConfigMap\nmetadata: {name: a}\n")]);
        assert!(error.err().unwrap().to_string().contains("a.yaml"));
    }
}
