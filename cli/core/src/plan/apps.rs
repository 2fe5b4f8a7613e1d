//! Which apps an environment holds, and what they run.

use std::collections::{BTreeMap, BTreeSet};

use gitops_tree::{EntryKind, Tree, TreeError, TreePath, in_another_case, is_lfs_pointer};
use gitops_yaml::{FileId, Mark, Node};

use crate::judge::EnvironmentRef;
use crate::object::Source;

use super::automation;
use super::error::PlanError;
use super::images::images;
use super::movers::{self, Files, Place};
use super::rules::{AppRule, Mover, Rules};
use super::slot::App;
use super::template::Template;

/// The names that kustomize looks for in a folder.
pub const KUSTOMIZATION_FILES: [&str; 3] =
    ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The apps of an environment, sorted by name. Where the environment's path
/// holds `{app}`, they are the folders that fit it; elsewhere they are what
/// `rules` find there: the images of its kustomization, and the names that
/// files, paths, charts and repositories hold.
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
    discover(tree, environment, rules)?.whole()
}

/// The apps of an environment, those that can be read and those that cannot.
pub(super) struct Discovered {
    pub(super) apps: Vec<App>,
    /// Why an app of that name cannot be read.
    pub(super) broken: BTreeMap<String, PlanError>,
}

impl Discovered {
    /// The apps, where all can be read.
    pub(super) fn whole(self) -> Result<Vec<App>, PlanError> {
        match self.broken.into_values().next() {
            Some(error) => Err(error),
            None => Ok(self.apps),
        }
    }

    /// All their names.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.apps.iter().map(|app| &app.name).chain(self.broken.keys()).cloned().collect()
    }
}

/// As [`discover_apps`], but an app in a folder of its own that cannot be read
/// does not hide the others.
pub(super) fn discover(
    tree: &dyn Tree,
    environment: &EnvironmentRef,
    rules: &Rules,
) -> Result<Discovered, PlanError> {
    let found = if environment.path.contains("{app}") {
        in_folders(tree, environment, rules)
    } else {
        in_one_folder(tree, environment, rules)
            .map(|apps| Discovered { apps, broken: BTreeMap::new() })
    };
    let Discovered { apps, broken } = match found {
        Err(
            error @ (PlanError::Tree(TreeError::Absent { .. }) | PlanError::NoKustomization { .. }),
        ) => {
            let path = folder_of(environment)?;
            return Err(match in_another_case(tree, &path)? {
                Some(found) => PlanError::OtherCase { path, found },
                None => error,
            });
        }
        found => found?,
    };
    // The names go into branches, messages and onto terminals.
    let names = apps.iter().map(|app| &app.name).chain(broken.keys());
    if let Some(bad) =
        names.into_iter().find(|name| name.chars().any(|c| c.is_control() || c.is_whitespace()))
    {
        return Err(PlanError::BadApp { app: bad.escape_debug().to_string() });
    }
    Ok(Discovered { apps, broken })
}

/// The apps whose folders fit the environment's path.
fn in_folders(
    tree: &dyn Tree,
    environment: &EnvironmentRef,
    rules: &Rules,
) -> Result<Discovered, PlanError> {
    let (mut apps, mut broken) = (Vec::new(), BTreeMap::new());
    for (name, folder) in app_folders(tree, environment)? {
        match in_folder(tree, environment, rules, &name, folder) {
            Ok(app) => apps.extend(app),
            Err(error) => drop(broken.insert(name, error)),
        }
    }
    apps.sort_by(|one, two| one.name.cmp(&two.name));
    Ok(Discovered { apps, broken })
}

/// The app in a folder of its own; `None` where the folder holds none.
fn in_folder(
    tree: &dyn Tree,
    environment: &EnvironmentRef,
    rules: &Rules,
    name: &str,
    folder: TreePath,
) -> Result<Option<App>, PlanError> {
    let Some(rule) = rules.of(name) else { return Ok(None) };
    let file = kustomization_file(tree, &folder)?;
    let mut there = file.is_some();
    let mut app = App { name: name.to_owned(), folder, slots: Vec::new() };
    for image in file.map(|file| images(tree, &file)).transpose()?.unwrap_or_default() {
        let mut movers = rule.movers.iter().enumerate();
        let mover = movers.find_map(|(mover, rule)| match rule {
            Mover::Image(rule) => {
                (rule.name.with_app(&app.name)? == image.name).then_some((mover, rule))
            }
            _ => None,
        });
        if let Some((mover, rule)) = mover {
            app.slots.extend(image.slots(mover, rule));
        }
    }
    there |= add_slots(tree, environment, rule, &mut app, &Files::default())?;
    if there {
        automation::mark_overridden(tree, &app.folder, &mut app.slots)?;
    }
    Ok(there.then_some(app))
}

/// The apps of a folder that they share.
fn in_one_folder(
    tree: &dyn Tree,
    environment: &EnvironmentRef,
    rules: &Rules,
) -> Result<Vec<App>, PlanError> {
    let folder = folder_of(environment)?;
    let mut apps: BTreeMap<String, App> = BTreeMap::new();
    let new = |name: &str| App { name: name.to_owned(), folder: folder.clone(), slots: Vec::new() };
    let file = kustomization_file(tree, &folder)?;
    for image in file.as_ref().map(|file| images(tree, file)).transpose()?.unwrap_or_default() {
        let Some((name, mover, rule)) = rules.app_of_image(&image.name) else { continue };
        apps.entry(name.clone())
            .or_insert_with(|| new(&name))
            .slots
            .extend(image.slots(mover, rule));
    }
    let files = Files::default();
    let others: Vec<_> = rules.0.iter().filter(|rule| rule.looks_beyond_images()).collect();
    let mut names: BTreeSet<String> = apps.keys().cloned().collect();
    for rule in &others {
        names.extend(rule.matches.literal().map(str::to_owned));
        for mover in &rule.movers {
            names.extend(movers::apps(tree, &folder, mover)?);
        }
    }
    for name in names {
        let Some(rule) = rules.of(&name).filter(|rule| rule.looks_beyond_images()) else {
            continue;
        };
        let mut app = apps.remove(&name).unwrap_or_else(|| new(&name));
        let images = !app.slots.is_empty();
        if add_slots(tree, environment, rule, &mut app, &files)? || images {
            apps.insert(name, app);
        }
    }
    if apps.is_empty() && file.is_none() {
        return Err(PlanError::NoKustomization { environment: environment.name.clone(), folder });
    }
    let mut apps: Vec<App> = apps.into_values().collect();
    for app in &mut apps {
        automation::mark_overridden(tree, &folder, &mut app.slots)?;
    }
    Ok(apps)
}

/// Adds what a rule finds besides images. Answers whether anything of the app
/// is there, be it only a file without the value.
fn add_slots(
    tree: &dyn Tree,
    environment: &EnvironmentRef,
    rule: &AppRule,
    app: &mut App,
    files: &Files,
) -> Result<bool, PlanError> {
    let mut there = false;
    for (mover, entry) in rule.movers.iter().enumerate() {
        let place = Place {
            tree,
            folder: &app.folder,
            app: &app.name,
            environment: &environment.name,
            files,
        };
        let looked = movers::look(&place, mover, entry)?;
        there |= !looked.slots.is_empty() || looked.missing.iter().any(|missing| missing.file);
        app.slots.extend(looked.slots);
    }
    Ok(there)
}

/// The folder that must hold every file of a promotion: the environment's
/// path as far as it has no `{app}` in it.
///
/// # Errors
///
/// The path leads out of the repository, or is none.
pub fn folder_of(environment: &EnvironmentRef) -> Result<TreePath, PlanError> {
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

/// The only document of a kustomization.
pub(super) fn root(file: &TreePath, bytes: &[u8]) -> Result<Node, PlanError> {
    if is_lfs_pointer(bytes) {
        return Err(PlanError::LfsPointer { path: file.clone() });
    }
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
