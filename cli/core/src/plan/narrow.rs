//! Some apps of many.

use std::sync::Arc;

use gitops_tree::{Answer, Entry, EntryKind, Reading, Tree, TreeError, TreePath};

use crate::judge::EnvironmentRef;

use super::PlanError;
use super::apps::{Discovered, discover, folder_of};
use super::chosen::is_glob;
use super::rules::Rules;

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
