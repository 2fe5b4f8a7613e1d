//! The YAML files of a folder, for values that may stand in any of them.

use std::cell::OnceCell;
use std::sync::Arc;

use gitops_tree::{EntryKind, Tree, TreeError, TreePath};
use gitops_yaml::Document;

use super::super::edit::is_yaml;
use super::super::error::PlanError;

/// A file and its bytes.
type Named = (TreePath, Arc<[u8]>);

/// The files of a folder and of the folders in it, listed and read once.
#[derive(Default)]
pub(crate) struct Files {
    all: OnceCell<Vec<Named>>,
}

/// A file that was read.
pub(super) struct Scanned {
    pub(super) file: TreePath,
    pub(super) bytes: Arc<[u8]>,
    pub(super) documents: Vec<Document>,
}

impl Files {
    /// The files below `folder` that hold one of `needles`.
    ///
    /// # Errors
    ///
    /// When a file that holds one cannot be read: what stands in it cannot be
    /// known.
    pub(super) fn with(
        &self,
        tree: &dyn Tree,
        folder: &TreePath,
        needles: &[&str],
    ) -> Result<Vec<Scanned>, PlanError> {
        let mut found = Vec::new();
        for (file, bytes) in self.all(tree, folder)? {
            let Ok(text) = std::str::from_utf8(bytes) else { continue };
            if !needles.iter().any(|needle| text.contains(needle)) {
                continue;
            }
            let documents = super::documents(file, bytes)?;
            found.push(Scanned { file: file.clone(), bytes: bytes.clone(), documents });
        }
        Ok(found)
    }

    fn all(&self, tree: &dyn Tree, folder: &TreePath) -> Result<&[Named], PlanError> {
        if let Some(all) = self.all.get() {
            return Ok(all);
        }
        let mut all = Vec::new();
        collect(tree, folder, &mut all)?;
        Ok(self.all.get_or_init(|| all))
    }
}

/// Charts hold templates, which are no YAML, and other charts, which are not
/// the app's own.
const OF_CHARTS: [&str; 2] = ["templates", "charts"];

fn collect(tree: &dyn Tree, folder: &TreePath, all: &mut Vec<Named>) -> Result<(), PlanError> {
    let entries = match tree.list(folder) {
        Ok(entries) => entries,
        Err(TreeError::Absent { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let chart = entries.iter().any(|entry| entry.name == "Chart.yaml");
    for entry in entries {
        let path = folder.join(&entry.name).expect("a name in a listing stays inside the tree");
        match entry.kind {
            EntryKind::Directory
                if !(entry.name.starts_with('.')
                    || chart && OF_CHARTS.contains(&entry.name.as_str())) =>
            {
                collect(tree, &path, all)?;
            }
            EntryKind::File if is_yaml(&path) => {
                let bytes = tree.read(&path)?;
                all.push((path, bytes));
            }
            _ => {}
        }
    }
    Ok(())
}
