//! Desired objects of environments at several revisions of a run: rendered
//! once for all trees in which everything that rendering reads is the same.

use std::rc::Rc;

use gitops_core::object::Raw;
use gitops_tree::{Kept, Memo, Tree, TreePath};

use super::desired::Rendering;
use crate::config::{Controller, Environment};
use crate::failure::Failure;
use crate::output::Terminal;

/// Lists all folders of an environment.
pub(crate) type List = fn(&dyn Tree, &Environment) -> Result<Vec<TreePath>, Failure>;

/// Renders some folders of an environment in full.
pub(crate) type Render =
    fn(&dyn Tree, &Environment, &[TreePath], Terminal) -> Result<Rendering, Failure>;

/// What a rendering depends on besides the tree. Remote bases are none of it:
/// a run looks each up once.
type Settings = (Option<String>, Vec<TreePath>, bool);

/// The renderings of a run.
pub(crate) struct Renders {
    list: List,
    render: Render,
    terminal: Terminal,
    /// Whether what is shared is rendered all the same, and held against it.
    verify: bool,
    memo: Memo<Settings, Rendering>,
}

impl Renders {
    pub(crate) fn new(list: List, render: Render, terminal: Terminal, verify: bool) -> Renders {
        Renders { list, render, terminal, verify, memo: Memo::default() }
    }

    /// The objects of an environment in `tree`, and what was read for them.
    pub(crate) fn get(
        &self,
        tree: &dyn Tree,
        environment: &Environment,
    ) -> Result<Kept<Rendering>, Failure> {
        self.part(tree, environment, None)
    }

    /// The objects of some folders of an environment, or of all.
    pub(crate) fn part(
        &self,
        tree: &dyn Tree,
        environment: &Environment,
        folders: Option<&[TreePath]>,
    ) -> Result<Kept<Rendering>, Failure> {
        let settings = (
            folders.map_or_else(|| Some(environment.path.clone()), |_| None),
            folders.unwrap_or(&environment.roots).to_vec(),
            matches!(environment.controller, Some(Controller::Flux)),
        );
        let shared = self.memo.shared();
        let kept = self.memo.get(
            settings,
            tree,
            |tree| self.render(tree, environment, folders),
            |error| {
                let attempt = format!("could not read what `{}` is made from", environment.name);
                Failure::world(attempt).because(&error)
            },
        )?;
        if self.memo.shared() > shared {
            self.terminal.detail(format!(
                "`{}` reads nothing that differs, and is not rendered again",
                environment.name
            ));
            if self.verify {
                self.check(&kept, tree, environment, folders)?;
            }
        }
        Ok(kept)
    }

    /// Lists, too, where no folders are named: the names of folders are read as
    /// well.
    fn render(
        &self,
        tree: &dyn Tree,
        environment: &Environment,
        folders: Option<&[TreePath]>,
    ) -> Result<Rendering, Failure> {
        match folders {
            Some(folders) => (self.render)(tree, environment, folders, self.terminal),
            None => {
                let folders = (self.list)(tree, environment)?;
                (self.render)(tree, environment, &folders, self.terminal)
            }
        }
    }

    /// Renders in full what was shared.
    fn check(
        &self,
        kept: &Kept<Rendering>,
        tree: &dyn Tree,
        environment: &Environment,
        folders: Option<&[TreePath]>,
    ) -> Result<(), Failure> {
        let full = self.render(tree, environment, folders)?;
        let same = |(one, two): (&Raw, &Raw)| {
            (&one.key, &one.api_version, &one.json, &one.source, &one.lines)
                == (&two.key, &two.api_version, &two.json, &two.source, &two.lines)
        };
        if full.remotes == kept.value.remotes
            && full.len() == kept.value.len()
            && full.iter().zip(kept.value.iter()).all(same)
        {
            return Ok(());
        }
        let name = &environment.name;
        Err(Failure::world(format!("what was shared for `{name}` is not what it renders to"))
            .hint("this is an error of this program: please report it"))
    }
}

/// Whether two renderings are one.
pub(crate) fn are_one(before: &Kept<Rendering>, after: &Kept<Rendering>) -> bool {
    Rc::ptr_eq(&before.value, &after.value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::RefCell;

    use gitops_tree::{Memory, Overlay};

    use super::*;
    use crate::config;
    use crate::operations::desired::{desired_of, folders};
    use crate::output::Color;

    const CONFIG: &str = "\
apiVersion: kubectl-gitops.dev/v1alpha1
kind: GitOps
environments:
  - {name: dev, path: overlays/dev}
  - {name: prod, path: overlays/prod}
";
    const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\n";

    fn path(text: &str) -> TreePath {
        TreePath::new(text).unwrap()
    }

    fn tree() -> Memory {
        let mut tree = Memory::new();
        for (name, text) in [
            ("gitops.yaml", CONFIG),
            ("base/kustomization.yaml", "resources: [map.yaml]\n"),
            ("base/map.yaml", MAP),
            ("overlays/dev/kustomization.yaml", "resources: [../../base]\nnamespace: dev\n"),
            ("overlays/prod/kustomization.yaml", "resources: [../../base]\nnamespace: prod\n"),
        ] {
            tree.insert(path(name), text.as_bytes().to_vec());
        }
        tree
    }

    thread_local! {
        static RENDERED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    /// Renders, and notes what.
    fn counting(
        tree: &dyn Tree,
        environment: &Environment,
        listed: &[TreePath],
        terminal: Terminal,
    ) -> Result<Rendering, Failure> {
        RENDERED.with_borrow_mut(|rendered| rendered.push(environment.name.clone()));
        desired_of(tree, environment, listed, terminal)
    }

    fn rendered() -> Vec<String> {
        RENDERED.take()
    }

    #[test]
    fn an_environment_is_rendered_again_only_where_it_reads_a_change() {
        let before = tree();
        let config = config::read(&before).unwrap();
        let renders =
            Renders::new(folders, counting, Terminal::new(Color::Never, true, false), false);
        let both = |tree: &dyn Tree| {
            for environment in &config.environments {
                renders.get(tree, environment).unwrap();
            }
            rendered()
        };
        assert_eq!(both(&before), ["dev", "prod"]);
        assert_eq!(both(&before), [] as [&str; 0]);

        let mut after = Overlay::new(&before);
        after.write(path("README.md"), b"nobody reads it".to_vec());
        assert_eq!(both(&after), [] as [&str; 0]);

        let text = b"resources: [../../base]\nnamespace: elsewhere\n".to_vec();
        after.write(path("overlays/prod/kustomization.yaml"), text);
        assert_eq!(both(&after), ["prod"]);

        // A file that nobody listed, but whose absence was an answer.
        after.write(path("base/kustomization.yml"), b"{}".to_vec());
        assert!(renders.get(&after, &config.environments[0]).is_err());
        assert_eq!(rendered(), ["dev"]);
        after.remove(path("base/kustomization.yml"));
        assert_eq!(both(&after), [] as [&str; 0]);

        after.write(path("base/map.yaml"), MAP.replace("k: v", "k: w").into_bytes());
        assert_eq!(both(&after), ["dev", "prod"]);
        assert_eq!(both(&before), [] as [&str; 0]);
    }

    #[test]
    fn what_is_shared_is_checked_on_demand() {
        let before = tree();
        let config = config::read(&before).unwrap();
        let renders =
            Renders::new(folders, counting, Terminal::new(Color::Never, true, false), true);
        let first = renders.get(&before, &config.environments[0]).unwrap();
        let again = renders.get(&before, &config.environments[0]).unwrap();
        assert_eq!(rendered(), ["dev", "dev"]);
        assert!(are_one(&first, &again));

        // A function that does not depend on the tree alone is found out.
        fn fickle(
            _: &dyn Tree,
            _: &Environment,
            _: &[TreePath],
            _: Terminal,
        ) -> Result<Rendering, Failure> {
            let count = RENDERED.with_borrow_mut(|rendered| {
                rendered.push("x".to_owned());
                rendered.len()
            });
            let objects = (1..count).filter_map(|_| {
                Raw::live(serde_json::json!({
                    "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}))
            });
            Ok(Rendering { objects: objects.collect(), ..Rendering::default() })
        }
        let renders = Renders::new(folders, fickle, Terminal::new(Color::Never, true, false), true);
        assert!(renders.get(&before, &config.environments[0]).is_ok());
        assert!(renders.get(&before, &config.environments[0]).is_err());
    }
}
