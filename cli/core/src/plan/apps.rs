//! Which apps an environment holds, and what they run.

use std::collections::BTreeMap;

use gitops_tree::{EntryKind, Tree, TreeError, TreePath};
use gitops_yaml::{FileId, Mark, Node, Scalar, Tag, Value};

use crate::judge::{EnvironmentRef, Move, Moved};
use crate::object::Source;

use super::error::PlanError;
use super::hunk::printable;
use super::rules::{Rules, key_of};
use super::template::Template;

/// The names that kustomize looks for in a folder.
pub const KUSTOMIZATION_FILES: [&str; 3] =
    ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// An app in an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct App {
    /// Its name.
    pub name: String,
    /// The folder it stands in, perhaps with others.
    pub folder: TreePath,
    /// The images that move with it, in the order of the file.
    pub images: Vec<Image>,
}

/// An entry of `images:`.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Its `name`.
    pub name: String,
    /// The kustomization.
    pub file: TreePath,
    /// Where the entry stands.
    pub source: Source,
    /// `newTag`, `digest` and `newName`, as far as they are there.
    pub fields: Vec<Field>,
}

/// A value that could move.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Which one.
    pub what: Moved,
    /// Its value.
    pub value: String,
    /// Whether it reads as a string, as kustomize demands.
    pub is_text: bool,
    /// Where it stands.
    pub source: Source,
}

impl Image {
    /// One of its fields.
    pub fn field(&self, what: Moved) -> Option<&Field> {
        self.fields.iter().find(|field| field.what == what)
    }
}

impl App {
    /// The version in words, fit for a terminal: the tags of its images, else
    /// their digests.
    pub fn version(&self) -> Option<String> {
        let mut versions: Vec<String> = self.images.iter().filter_map(version_of).collect();
        versions.dedup();
        (!versions.is_empty()).then(|| versions.join(", "))
    }
}

/// The version of one image in words, fit for a terminal: its tag, else its
/// digest.
pub(super) fn version_of(image: &Image) -> Option<String> {
    image
        .field(Moved::ImageTag)
        .or_else(|| image.field(Moved::ImageDigest))
        .map(|field| printable(&field.value))
}

/// The apps of an environment, sorted by name. Where the environment's path
/// holds `{app}`, they are the folders that fit it; elsewhere they are the
/// images of its kustomization that `rules` speak of.
///
/// # Errors
///
/// When a folder or kustomization cannot be read. A missing folder is an
/// error too: an environment without a place has no apps to list.
pub fn discover_apps(
    tree: &dyn Tree,
    environment: &EnvironmentRef,
    rules: &Rules,
) -> Result<Vec<App>, PlanError> {
    let mut apps: BTreeMap<String, App> = BTreeMap::new();
    if environment.path.contains("{app}") {
        for (name, folder) in app_folders(tree, environment)? {
            let Some(rule) = rules.of(&name) else { continue };
            let wanted: Vec<String> =
                rule.images.iter().filter_map(|image| image.name.with_app(&name)).collect();
            let mut app = App { name: name.clone(), folder: folder.clone(), images: Vec::new() };
            if let Some(file) = kustomization_file(tree, &folder)? {
                app.images = images(tree, &file)?;
                app.images.retain(|image| wanted.contains(&image.name));
                apps.insert(name, app);
            }
        }
    } else {
        let folder = folder_of(environment)?;
        let file =
            kustomization_file(tree, &folder)?.ok_or_else(|| PlanError::NoKustomization {
                environment: environment.name.clone(),
                folder: folder.clone(),
            })?;
        for image in images(tree, &file)? {
            let Some(name) = rules.app_of_image(&image.name) else { continue };
            apps.entry(name.clone())
                .or_insert_with(|| App { name, folder: folder.clone(), images: Vec::new() })
                .images
                .push(image);
        }
    }
    // The names go into branches, messages and onto terminals.
    if let Some(bad) =
        apps.keys().find(|name| name.chars().any(|c| c.is_control() || c.is_whitespace()))
    {
        return Err(PlanError::BadApp { app: bad.escape_debug().to_string() });
    }
    Ok(apps.into_values().collect())
}

/// The promoted values in which two states of an environment differ, by app
/// and image. Apps and images of one side only count as well.
pub fn moves(before: &[App], after: &[App]) -> Vec<Move> {
    type Key<'a> = (&'a str, &'a str);
    let by_key = |apps: &'_ [App]| -> BTreeMap<(String, String), Image> {
        let images = apps.iter().flat_map(|app| {
            app.images.iter().map(|image| ((app.name.clone(), image.name.clone()), image.clone()))
        });
        images.collect()
    };
    let (before, after) = (by_key(before), by_key(after));
    let mut keys: Vec<Key<'_>> =
        before.keys().chain(after.keys()).map(|(app, image)| (&**app, &**image)).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut moves = Vec::new();
    for (app, name) in keys {
        let key = (app.to_owned(), name.to_owned());
        let (old, new) = (before.get(&key), after.get(&key));
        for what in [Moved::ImageName, Moved::ImageTag, Moved::ImageDigest] {
            let field = |image: Option<&Image>| image.and_then(|image| image.field(what)).cloned();
            let (from, to) = (field(old), field(new));
            let value = |field: &Option<Field>| field.as_ref().map(|field| field.value.clone());
            if value(&from) == value(&to) {
                continue;
            }
            let place = new.or(old).map(|image| image.source.clone());
            moves.push(Move {
                app: app.to_owned(),
                what,
                name: name.to_owned(),
                before: value(&from),
                after: value(&to),
                source: to.map(|field| field.source).or(place),
            });
        }
    }
    moves
}

/// The folder that must hold every file of a promotion: the environment's
/// path as far as it has no `{app}` in it.
pub(super) fn folder_of(environment: &EnvironmentRef) -> Result<TreePath, PlanError> {
    let plain: Vec<&str> =
        environment.path.split('/').take_while(|name| !name.contains("{app}")).collect();
    TreePath::new(&plain.join("/")).map_err(|error| PlanError::OutsideTarget {
        path: TreePath::root(),
        environment: environment.name.clone(),
        folder: error.to_string(),
    })
}

/// The folder of one app.
pub(super) fn folder_of_app(
    environment: &EnvironmentRef,
    app: &str,
) -> Result<TreePath, PlanError> {
    let plain = environment.path.replace("{app}", app);
    TreePath::new(&plain).map_err(|error| PlanError::OutsideTarget {
        path: TreePath::root(),
        environment: environment.name.clone(),
        folder: error.to_string(),
    })
}

fn app_folders(
    tree: &dyn Tree,
    environment: &EnvironmentRef,
) -> Result<Vec<(String, TreePath)>, PlanError> {
    let top = folder_of(environment)?;
    let Some(level) = environment.path.split('/').find(|name| name.contains("{app}")) else {
        return Ok(Vec::new());
    };
    let Ok(level) = Template::parse_with(level, &["app"]) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in tree.list(&top)? {
        if entry.kind != EntryKind::Directory {
            continue;
        }
        let Some(app) = level.app_of(&entry.name) else { continue };
        let folder = folder_of_app(environment, &app)?;
        if tree.kind(&folder)? == Some(EntryKind::Directory) {
            found.push((app, folder));
        }
    }
    Ok(found)
}

/// The kustomization of a folder.
///
/// # Errors
///
/// When there are several, or the folder cannot be read.
pub fn kustomization_file(
    tree: &dyn Tree,
    folder: &TreePath,
) -> Result<Option<TreePath>, PlanError> {
    let names: Vec<String> = match tree.list(folder) {
        Ok(entries) => entries.into_iter().map(|entry| entry.name).collect(),
        Err(TreeError::Absent { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let files: Vec<String> =
        names.into_iter().filter(|name| KUSTOMIZATION_FILES.contains(&name.as_str())).collect();
    match files.as_slice() {
        [] => Ok(None),
        [file] => Ok(Some(folder.join(file).expect("a name in a listing stays inside the tree"))),
        _ => Err(PlanError::SeveralKustomizations { folder: folder.clone(), files }),
    }
}

/// The entries of `images:` in a kustomization.
///
/// # Errors
///
/// When the file cannot be read, is not one YAML document, or names an image
/// twice.
pub(super) fn images(tree: &dyn Tree, file: &TreePath) -> Result<Vec<Image>, PlanError> {
    let bytes = tree.read(file)?;
    images_in(file, &root(file, &bytes)?)
}

pub(super) fn images_in(file: &TreePath, root: &Node) -> Result<Vec<Image>, PlanError> {
    let mut images: Vec<Image> = Vec::new();
    let Some(list) = root.get("images") else { return Ok(images) };
    if !matches!(list.value, Value::Sequence(_)) && !list.is_null() {
        return Err(PlanError::Shape {
            at: source(file, list.mark),
            reason: "`images` is not a list".to_owned(),
        });
    }
    for entry in list.items() {
        let at = source(file, entry.mark);
        let Some(name) = entry.get("name").and_then(Node::text) else {
            return Err(PlanError::Shape { at, reason: "an image without a `name`".to_owned() });
        };
        if let Some(first) = images.iter().find(|image| image.name == name) {
            return Err(PlanError::TwoEntries {
                image: name.to_owned(),
                first: first.source.clone(),
                second: at,
            });
        }
        let mut fields = Vec::new();
        for what in [Moved::ImageName, Moved::ImageTag, Moved::ImageDigest] {
            fields.extend(field(file, entry, what)?);
        }
        images.push(Image { name: name.to_owned(), file: file.clone(), source: at, fields });
    }
    Ok(images)
}

fn field(file: &TreePath, entry: &Node, what: Moved) -> Result<Option<Field>, PlanError> {
    let Some(node) = entry.get(key_of(what)) else { return Ok(None) };
    let at = source(file, node.mark);
    let Value::Scalar(Scalar { text, tag, .. }) = &node.value else {
        return Err(PlanError::Shape { at, reason: format!("`{}` is not a string", key_of(what)) });
    };
    // kustomize reads an empty value as an absent one.
    if *tag == Tag::Null || text.is_empty() {
        return Ok(None);
    }
    // kustomize reads a plain date as it is written.
    let is_text = matches!(tag, Tag::Str | Tag::Timestamp);
    Ok(Some(Field { what, value: text.to_string(), is_text, source: at }))
}

/// The only document of a kustomization.
pub(super) fn root(file: &TreePath, bytes: &[u8]) -> Result<Node, PlanError> {
    let mut documents = gitops_yaml::read(FileId(0), bytes).map_err(|error| PlanError::Yaml {
        path: file.clone(),
        line: error.line,
        column: error.column,
        reason: error.reason.to_string(),
    })?;
    documents.retain(|document| document.root.is_some());
    match documents.len() {
        0 => Ok(Node::mapping()),
        1 => {
            let root = documents.remove(0).root.expect("documents without a root were dropped");
            if root.is_mapping() {
                return Ok(root);
            }
            Err(PlanError::Shape {
                at: source(file, root.mark),
                reason: "a kustomization is a mapping".to_owned(),
            })
        }
        _ => Err(PlanError::Shape {
            at: Source {
                path: file.as_str().to_owned(),
                document: 2,
                line: Some(documents[1].line),
            },
            reason: "a kustomization is one document".to_owned(),
        }),
    }
}

pub(super) fn source(file: &TreePath, mark: Mark) -> Source {
    Source {
        path: file.as_str().to_owned(),
        document: 1,
        line: (mark.line > 0).then_some(mark.line),
    }
}
