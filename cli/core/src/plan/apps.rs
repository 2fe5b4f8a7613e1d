//! Which apps an environment holds, and what they run.

use std::collections::BTreeMap;

use gitops_tree::{EntryKind, Tree, TreeError, TreePath};
use gitops_yaml::{FileId, Mark, Node};

use crate::judge::EnvironmentRef;
use crate::object::Source;

use super::error::PlanError;
use super::images::images;
use super::rules::{Mover, Rules};
use super::slot::App;
use super::template::Template;

/// The names that kustomize looks for in a folder.
pub const KUSTOMIZATION_FILES: [&str; 3] =
    ["kustomization.yaml", "kustomization.yml", "Kustomization"];

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
            let Some(file) = kustomization_file(tree, &folder)? else { continue };
            let mut app = App { name: name.clone(), folder, slots: Vec::new() };
            for image in images(tree, &file)? {
                let mut movers = rule.movers.iter().enumerate();
                let mover = movers.find_map(|(mover, rule)| match rule {
                    Mover::Image(rule) => {
                        (rule.name.with_app(&name)? == image.name).then_some((mover, rule))
                    }
                });
                if let Some((mover, rule)) = mover {
                    app.slots.extend(image.slots(mover, rule));
                }
            }
            apps.insert(name, app);
        }
    } else {
        let folder = folder_of(environment)?;
        let file =
            kustomization_file(tree, &folder)?.ok_or_else(|| PlanError::NoKustomization {
                environment: environment.name.clone(),
                folder: folder.clone(),
            })?;
        for image in images(tree, &file)? {
            let Some((name, mover, rule)) = rules.app_of_image(&image.name) else { continue };
            apps.entry(name.clone())
                .or_insert_with(|| App { name, folder: folder.clone(), slots: Vec::new() })
                .slots
                .extend(image.slots(mover, rule));
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
