//! Which folders of an environment a change concerns. Only those are rendered;
//! the rest is what it was.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use gitops_kustomize::Reach;
use gitops_tree::{EntryKind, Tree, TreePath};

use super::desired::folders;
use super::held::folder;
use crate::config::Environment;
use crate::failure::Failure;

/// A tree that changes are made on. What is learned of its kustomizations is
/// kept for the next change.
pub(crate) struct Base<'a> {
    pub(crate) tree: &'a dyn Tree,
    reach: RefCell<BTreeMap<String, Rc<Known>>>,
}

struct Known {
    folders: Vec<TreePath>,
    reach: Reach,
}

/// Folders of an environment before and after a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Folders {
    pub(crate) before: Vec<TreePath>,
    pub(crate) after: Vec<TreePath>,
}

impl<'a> Base<'a> {
    pub(crate) fn new(tree: &'a dyn Tree) -> Base<'a> {
        Base { tree, reach: RefCell::default() }
    }

    /// All folders of an environment.
    pub(crate) fn all(
        &self,
        environment: &Environment,
        after: &dyn Tree,
    ) -> Result<Folders, Failure> {
        Ok(Folders {
            before: self.known(environment)?.folders.clone(),
            after: existing(after, environment)?,
        })
    }

    /// The folders that a change of the files at `paths` may concern.
    ///
    /// A folder whose kustomizations are as they were reads what it read, so
    /// that those before the change tell; to them come the folders that are new.
    pub(crate) fn concerned(
        &self,
        environment: &Environment,
        after: &dyn Tree,
        paths: &[TreePath],
    ) -> Result<Folders, Failure> {
        let known = self.known(environment)?;
        let before: Vec<TreePath> = known.reach.readers(paths).into_iter().cloned().collect();
        let is_file = |tree: &dyn Tree, path| tree.kind(path) == Ok(Some(EntryKind::File));
        if paths.iter().all(|path| is_file(self.tree, path) && is_file(after, path)) {
            // Folders neither come nor go.
            return Ok(Folders { after: before.clone(), before });
        }
        let mut now = existing(after, environment)?;
        now.retain(|folder| before.contains(folder) || !known.folders.contains(folder));
        Ok(Folders { before, after: now })
    }

    fn known(&self, environment: &Environment) -> Result<Rc<Known>, Failure> {
        if let Some(known) = self.reach.borrow().get(&environment.name) {
            return Ok(known.clone());
        }
        let folders = existing(self.tree, environment)?;
        let reach = Reach::of(self.tree, folders.clone());
        let known = Rc::new(Known { folders, reach });
        self.reach.borrow_mut().insert(environment.name.clone(), known.clone());
        Ok(known)
    }
}

/// The folders of an environment; none where its path, or what stands before
/// `{app}` in it, does not exist.
pub(crate) fn existing(
    tree: &dyn Tree,
    environment: &Environment,
) -> Result<Vec<TreePath>, Failure> {
    let fixed = folder(environment, None)?;
    let kind = tree
        .kind(&fixed)
        .map_err(|error| Failure::world(format!("could not read `{fixed}`")).because(&error))?;
    if kind.is_none() && environment.roots.is_empty() {
        return Ok(Vec::new());
    }
    folders(tree, environment)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use gitops_tree::{Memory, Overlay};

    use super::*;
    use crate::config;

    const CONFIG: &str = "\
apiVersion: kubectl-gitops.dev/v1alpha1
kind: GitOps
environments:
  - {name: dev, path: 'env/dev/{app}', roots: [clusters/dev]}
  - {name: prod, path: 'env/prod/{app}'}
  - {name: next, path: 'env/next/{app}'}
  - {name: one, path: one}
";

    fn path(text: &str) -> TreePath {
        TreePath::new(text).unwrap()
    }

    #[test]
    fn only_folders_that_read_a_change_or_are_new_concern_it() {
        let mut before = Memory::new();
        for (name, text) in [
            ("gitops.yaml", CONFIG),
            ("clusters/dev/kustomization.yaml", "resources: [../shared.yaml]\n"),
            ("base/web/kustomization.yaml", "resources: []\n"),
            ("env/dev/web/kustomization.yaml", "resources: [../../../base/web]\n"),
            ("env/dev/api/kustomization.yaml", "namespace: a\n"),
            ("env/prod/web/kustomization.yaml", "resources: [../../../base/web]\n"),
        ] {
            before.insert(path(name), text.as_bytes().to_vec());
        }
        let config = config::read(&before).unwrap();
        let base = Base::new(&before);
        let concerned = |name: &str, after: &Overlay<'_>, changed: &str| {
            let environment = config.environment(name).unwrap();
            let folders = base.concerned(environment, after, &[path(changed)]).unwrap();
            let words = |folders: Vec<TreePath>| {
                folders.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            };
            (words(folders.before), words(folders.after))
        };
        let both = |text: &str| (text.to_owned(), text.to_owned());
        let mut after = Overlay::new(&before);
        assert_eq!(concerned("dev", &after, "base/web/x"), both("env/dev/web"));
        assert_eq!(concerned("prod", &after, "base/web/x"), both("env/prod/web"));
        assert_eq!(concerned("prod", &after, "env/dev/api/kustomization.yaml"), both(""));
        assert_eq!(concerned("dev", &after, "clusters/shared.yaml"), both("clusters/dev"));
        after.write(path("env/prod/new/kustomization.yaml"), b"namespace: b\n".to_vec());
        after.remove(path("env/prod/web/kustomization.yaml"));
        let new = (String::new(), "env/prod/new".to_owned());
        assert_eq!(concerned("prod", &after, "env/prod/new/kustomization.yaml"), new);
        let gone = ("env/prod/web".to_owned(), "env/prod/new".to_owned());
        assert_eq!(concerned("prod", &after, "env/prod/web/kustomization.yaml"), gone);
        // Environments that are not there yet.
        assert_eq!(concerned("next", &after, "base/web/x"), both(""));
        assert_eq!(concerned("one", &after, "base/web/x"), both(""));
        after.write(path("one/a.yaml"), b"kind: X\n".to_vec());
        assert_eq!(concerned("one", &after, "one/a.yaml"), (String::new(), "one".to_owned()));
    }
}
