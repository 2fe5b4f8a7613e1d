//! Some apps of many.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gitops_tree::{Answer, Entry, EntryKind, Reading, Tree, TreeError, TreePath};

use crate::judge::EnvironmentRef;

use super::PlanError;
use super::apps::{Discovered, discover, folder_of};
use super::chosen::is_glob;
use super::rules::Rules;
use super::template::Template;
use super::{ReadEntry, ReadFrom};

/// A tree that shows only the folders of some apps where those of all are
/// listed, so that of 500 apps only those are read that are asked for.
pub struct Narrow<'a> {
    tree: &'a dyn Tree,
    only: Option<(TreePath, Vec<String>)>,
}

impl<'a> Narrow<'a> {
    /// The tree with these apps of the environment alone. Where apps have no
    /// folder of their own it is the whole tree.
    pub fn to<'n>(
        tree: &'a dyn Tree,
        environment: &EnvironmentRef,
        apps: impl Iterator<Item = &'n str>,
    ) -> Narrow<'a> {
        let level = environment.path.split('/').find(|name| name.contains("{app}"));
        let only = level.and_then(|level| {
            let names = apps.map(|app| level.replace("{app}", app)).collect();
            Some((folder_of(environment).ok()?, names))
        });
        Narrow { tree, only }
    }

    /// The tree with those apps of the environment alone in whose folders some of
    /// the paths are; the whole tree where apps have none of their own, or where
    /// the folder that holds them all is another one.
    pub fn around<'n>(
        tree: &'a dyn Tree,
        environment: &EnvironmentRef,
        paths: impl IntoIterator<Item = &'n TreePath>,
    ) -> Narrow<'a> {
        let whole = Narrow { tree, only: None };
        let own = environment.path.contains("{app}").then(|| folder_of(environment).ok());
        let Some(top) = own.flatten() else { return whole };
        let mut names = Vec::new();
        for path in paths {
            if top.is_within(path) {
                return whole;
            }
            names.extend(below(&top, path).map(str::to_owned));
        }
        names.dedup();
        Narrow { tree, only: Some((top, names)) }
    }

    /// Whether it shows what stands at a path.
    pub fn shows(&self, path: &TreePath) -> bool {
        let Some((top, names)) = &self.only else { return true };
        below(top, path).is_none_or(|name| names.iter().any(|shown| shown == name))
    }

    /// Whether it shows no app at all.
    pub fn is_empty(&self) -> bool {
        self.only.as_ref().is_some_and(|(_, names)| names.is_empty())
    }
}

/// The name in a folder that leads to a path below it.
fn below<'p>(folder: &TreePath, path: &'p TreePath) -> Option<&'p str> {
    let inside = path != folder && path.is_within(folder);
    inside.then(|| path.names().nth(folder.names().count())).flatten()
}

impl Tree for Narrow<'_> {
    fn list(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
        match &self.only {
            Some((top, names)) if top == dir => {
                let mut entries = self.tree.list(dir)?;
                entries.retain(|entry| names.contains(&entry.name));
                Ok(entries)
            }
            _ => self.tree.list(dir),
        }
    }

    fn read(&self, file: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        self.tree.read(file)
    }

    fn link(&self, link: &TreePath) -> Result<String, TreeError> {
        self.tree.link(link)
    }

    fn kind(&self, path: &TreePath) -> Result<Option<EntryKind>, TreeError> {
        self.tree.kind(path)
    }

    fn executable(&self, file: &TreePath) -> Result<bool, TreeError> {
        self.tree.executable(file)
    }

    fn answer(&self, reading: &Reading) -> Result<Answer, TreeError> {
        match reading {
            Reading::List(dir) => self.list(dir).map(Answer::Names),
            Reading::Path(_) => self.tree.answer(reading),
        }
    }
}

/// What was read of environments, by the apps in whose own folders it stands. A
/// plan rests on what is common and on its own apps, not on those of others.
pub(super) struct ByApp {
    common: BTreeSet<ReadEntry>,
    own: BTreeMap<String, Vec<ReadEntry>>,
}

impl ByApp {
    /// Sorts what was read of the environments at the two ends.
    pub(super) fn of(reads: &BTreeSet<ReadEntry>, ends: &[(ReadFrom, &EnvironmentRef)]) -> ByApp {
        let levels: Vec<(ReadFrom, TreePath, Template)> = ends
            .iter()
            .filter_map(|(from, environment)| {
                let level = environment.path.split('/').find(|name| name.contains("{app}"))?;
                let template = Template::parse_with(level, &["app"]).ok()?;
                Some((*from, folder_of(environment).ok()?, template))
            })
            .collect();
        let mut sorted = ByApp { common: BTreeSet::new(), own: BTreeMap::new() };
        for read in reads {
            let app = levels.iter().find_map(|(from, top, level)| {
                if *from != read.from || read.path == *top || !read.path.is_within(top) {
                    return None;
                }
                level.app_of(read.path.names().nth(top.names().count())?)
            });
            match app {
                Some(app) => sorted.own.entry(app).or_default().push(read.clone()),
                None => drop(sorted.common.insert(read.clone())),
            }
        }
        sorted
    }

    /// What is common, and what was read of these apps.
    pub(super) fn without_others(&self, apps: &[String]) -> BTreeSet<ReadEntry> {
        let mut reads = self.common.clone();
        let own = apps.iter().filter_map(|app| self.own.get(app));
        reads.extend(own.flatten().cloned());
        reads
    }
}

/// The apps that are asked for, as [`discover`] finds them, where all of them
/// are asked for by name and are there; otherwise all apps.
pub(super) fn discover_some(
    tree: &dyn Tree,
    environment: &EnvironmentRef,
    rules: &Rules,
    asked: &[String],
) -> Result<Discovered, PlanError> {
    if asked.is_empty() || asked.iter().any(|word| is_glob(word)) {
        return discover(tree, environment, rules);
    }
    let narrow = Narrow::to(tree, environment, asked.iter().map(String::as_str));
    let found = discover(&narrow, environment, rules)?;
    let names = found.names();
    if asked.iter().all(|word| names.contains(word)) {
        return Ok(found);
    }
    discover(tree, environment, rules)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::plan::Found;

    #[test]
    fn a_plan_rests_on_its_own_apps_and_on_what_is_common() {
        let environment =
            EnvironmentRef { path: "envs/uat/app-{app}".into(), ..EnvironmentRef::default() };
        let read = |from, path: &str| ReadEntry {
            from,
            path: TreePath::new(path).unwrap(),
            found: Found::Absent,
        };
        let target = |path| read(ReadFrom::Target, path);
        let common = [
            target("envs/uat"),
            target("envs/uat/shared.yaml"),
            target("envs/prod/app-web/x"),
            read(ReadFrom::Trust, "envs/uat/app-web/x"),
        ];
        let own = [target("envs/uat/app-web"), target("envs/uat/app-web/x/y")];
        let other = [target("envs/uat/app-api/x")];
        let all: BTreeSet<ReadEntry> = common.iter().chain(&own).chain(&other).cloned().collect();
        let sorted = ByApp::of(&all, &[(ReadFrom::Target, &environment)]);
        let expected: BTreeSet<ReadEntry> = common.iter().chain(&own).cloned().collect();
        assert_eq!(sorted.without_others(&["web".to_owned()]), expected);
        assert_eq!(sorted.without_others(&["web".to_owned(), "api".to_owned()]), all);
    }

    #[test]
    fn around_paths_there_are_only_the_apps_that_they_are_in() {
        let mut tree = gitops_tree::Memory::new();
        for app in ["web", "api", "job"] {
            let path = TreePath::new(&format!("envs/uat/app-{app}/x.yaml")).unwrap();
            tree.insert(path, Vec::new());
        }
        let uat = EnvironmentRef { path: "envs/uat/app-{app}".into(), ..EnvironmentRef::default() };
        let listed = |environment: &EnvironmentRef, paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(|path| TreePath::new(path).unwrap()).collect();
            let narrow = Narrow::around(&tree, environment, &paths);
            let names: Vec<String> = narrow
                .list(&TreePath::new("envs/uat").unwrap())
                .unwrap()
                .into_iter()
                .inspect(|entry| {
                    let inside = format!("envs/uat/{}/kustomization.yaml", entry.name);
                    assert!(narrow.shows(&TreePath::new(&inside).unwrap()));
                })
                .map(|entry| entry.name)
                .collect();
            assert_eq!(narrow.is_empty(), names.is_empty());
            names.join(" ")
        };
        assert_eq!(listed(&uat, &["envs/uat/app-web/x.yaml", "envs/prod/app-api/x"]), "app-web");
        assert_eq!(
            listed(&uat, &["base/x", "envs/uat/app-api", "envs/uat/app-job/y/z"]),
            "app-api app-job"
        );
        assert_eq!(listed(&uat, &["README.md"]), "");
        // What holds all of them is another one.
        assert_eq!(listed(&uat, &["envs"]), "app-api app-job app-web");
        let one = EnvironmentRef { path: "envs/uat".into(), ..EnvironmentRef::default() };
        assert_eq!(listed(&one, &["README.md"]), "app-api app-job app-web");
    }
}
