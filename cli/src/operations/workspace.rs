//! The files that are looked at: the work tree, or a revision, and those of
//! environments that stand on another branch or in another repository.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use gitops_core::object::Raw;
use gitops_git::{CommitId, Directory, GitError, Repository};
use gitops_kustomize::{Options, Rendered};
use gitops_tree::{Tree, TreePath};

use super::desired::{config_failure, desired, folders, git_failure, render_failure, start, warn};
use super::places::{Home, check_checkouts};
use super::remotes::supplied;
use crate::config::{self, Config, Environment};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Terminal;

/// A tree, and what to call it.
#[derive(Clone)]
pub(crate) struct Standing {
    tree: Rc<dyn Tree>,
    label: Rc<str>,
    /// The commit, where it is one.
    commit: Option<CommitId>,
}

impl Standing {
    fn new(tree: impl Tree + 'static, label: impl Into<Rc<str>>) -> Standing {
        Standing { tree: Rc::new(tree), label: label.into(), commit: None }
    }

    fn at(mut self, commit: CommitId) -> Standing {
        self.commit = Some(commit);
        self
    }

    /// The commit; `None` for a work tree.
    pub(crate) fn commit(&self) -> Option<&CommitId> {
        self.commit.as_ref()
    }

    /// The files.
    pub(crate) fn tree(&self) -> &dyn Tree {
        self.tree.as_ref()
    }

    /// The tree in words: `work tree`, `main at 1a2b3c4`.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// The folders of an environment.
    pub(crate) fn folders(&self, environment: &Environment) -> Result<Vec<TreePath>, Failure> {
        folders(self.tree(), environment)
    }

    /// One folder as it is printed.
    pub(crate) fn rendered(
        &self,
        folder: &TreePath,
        options: &Options,
        terminal: Terminal,
    ) -> Result<Vec<Rendered>, Failure> {
        let (parts, _) = supplied(terminal, |supplies| {
            gitops_desired::build(self.tree(), folder, options, supplies)
        })
        .map_err(|error| error.failure(|error| render_failure(folder, error)))?;
        parts.iter().for_each(|part| warn(&part.warnings, terminal));
        Ok(parts)
    }
}

/// A repository and a branch, where they are not those at hand.
type Elsewhere = (Option<String>, Option<String>);

/// The tree that a verb was asked about, and what it leads to.
pub(crate) struct Workspace {
    here: Standing,
    repository: Repository,
    /// Whether it is a revision, and not the work tree.
    is_revision: bool,
    context: Context,
    /// Environments that stand elsewhere, by repository and branch.
    elsewhere: RefCell<BTreeMap<Elsewhere, Standing>>,
}

impl Workspace {
    /// The work tree of the repository, or a revision of it.
    pub(crate) fn open(context: &Context, rev: Option<&str>) -> Result<Workspace, Failure> {
        let repository = Repository::discover(&start(context))
            .map_err(|error| git_failure("could not open a repository", &error))?;
        let here = match rev {
            None => {
                let tree = repository
                    .work_tree()
                    .map_err(|error| git_failure("could not read the work tree", &error))?;
                Standing::new(tree, "work tree")
            }
            Some(rev) => {
                let attempt = || format!("could not read revision `{rev}`");
                let failed = |error: GitError| git_failure(attempt(), &error);
                let commit = repository.resolve(rev).map_err(failed)?;
                let tree = repository.tree(&commit).map_err(failed)?;
                let id = commit.to_string();
                let short = &id[..7.min(id.len())];
                let label = if id.starts_with(rev) {
                    format!("commit {short}")
                } else {
                    format!("{rev} at {short}")
                };
                Standing::new(tree, label).at(commit)
            }
        };
        let (is_revision, context) = (rev.is_some(), context.clone());
        Ok(Workspace { here, repository, is_revision, context, elsewhere: RefCell::default() })
    }

    /// The folder of gitops.yaml: the root of the repository that `dir` is in,
    /// or `dir` itself before there is one.
    pub(crate) fn root_of(dir: &Path) -> Result<PathBuf, Failure> {
        match Repository::discover(dir) {
            Ok(repository) => Ok(repository.location().to_owned()),
            Err(GitError::NotARepository { .. }) => Ok(dir.to_owned()),
            Err(error) => Err(git_failure("could not open a repository", &error)),
        }
    }

    /// The files of that folder, repository or not.
    pub(crate) fn files(dir: &Path) -> Result<Box<dyn Tree>, Failure> {
        let root = Workspace::root_of(dir)?;
        let tree = Directory::open(&root)
            .map_err(|error| git_failure(format!("could not read `{}`", root.display()), &error))?;
        Ok(Box::new(tree))
    }

    /// The tree in words.
    pub(crate) fn label(&self) -> &str {
        self.here.label()
    }

    /// The files of this tree.
    pub(crate) fn tree(&self) -> &dyn Tree {
        self.here.tree()
    }

    /// The repository that it is of.
    pub(crate) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// gitops.yaml of this tree.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        let config = config::read(self.here.tree()).map_err(|error| config_failure(&error))?;
        check_checkouts(&self.context, &config)?;
        Ok(config)
    }

    /// Where an environment is looked at.
    ///
    /// In this repository: in this tree; but one with a branch of its own in
    /// the work tree only while that is on the branch, and otherwise on the
    /// branch as the remote has it. In another repository: in the work tree of
    /// the checkout that the command line names, while that is on the branch,
    /// and otherwise on the branch as its remote has it.
    pub(crate) fn place(
        &self,
        config: &Config,
        environment: &Environment,
    ) -> Result<Standing, Failure> {
        let Environment { repository, branch, .. } = environment;
        let own = self.is_revision
            || branch.is_none()
            || self.repository.head_branch().is_some_and(|head| Some(&head) == branch.as_ref());
        if repository.is_none() && own {
            return Ok(self.here.clone());
        }
        let key = (repository.clone(), branch.clone());
        if let Some(known) = self.elsewhere.borrow().get(&key) {
            return Ok(known.clone());
        }
        let found = match (repository, branch) {
            (Some(name), _) => self.in_another(config, name, branch.as_deref())?,
            (None, Some(branch)) => self.on_branch(branch)?,
            (None, None) => self.here.clone(),
        };
        self.elsewhere.borrow_mut().insert(key, found.clone());
        Ok(found)
    }

    /// Everything that the environment's cluster reconciles, and where it was read.
    pub(crate) fn desired(
        &self,
        config: &Config,
        environment: &Environment,
        terminal: Terminal,
    ) -> Result<(Vec<Raw>, Standing), Failure> {
        let place = self.place(config, environment)?;
        Ok((desired(place.tree(), environment, terminal)?.objects, place))
    }

    /// This repository with its remote.
    fn home(&self) -> Result<Home, Failure> {
        let repository = super::repository::open(&start(&self.context))?;
        let remote = repository
            .remote(None)
            .map_err(|error| super::trust::hinted("could not choose a remote", &error))?;
        Ok(Home::new(None, repository, remote))
    }

    /// A branch of this repository: the remote's, or where there is no remote at
    /// all the one here.
    fn on_branch(&self, branch: &str) -> Result<Standing, Failure> {
        let failed = |error: GitError| git_failure(format!("could not read `{branch}`"), &error);
        if self.repository.remotes().map_err(failed)?.is_empty() {
            let commit = self.repository.resolve(&format!("refs/heads/{branch}"));
            let commit = commit.map_err(failed)?;
            let tree = self.repository.tree(&commit).map_err(failed)?;
            return Ok(Standing::new(tree, format!("{branch} at {}", commit.short())).at(commit));
        }
        on_remote(&self.home()?, branch)
    }

    fn in_another(
        &self,
        config: &Config,
        name: &str,
        branch: Option<&str>,
    ) -> Result<Standing, Failure> {
        let written = &config.repositories[name];
        let url = match gitops_git::is_relative(&written.url) {
            true => self.home()?.absolute(name, &written.url)?,
            false => written.url.clone(),
        };
        let home = Home::open(&self.context, name, &url)?;
        let branch = branch.or(written.branch.as_deref());
        if self.context.common.checkout(name).is_some() {
            let head = home.repository.head_branch();
            if branch.is_none() || head.as_deref() == branch {
                let tree = home.repository.work_tree().map_err(|error| {
                    git_failure(format!("could not read the checkout of `{name}`"), &error)
                })?;
                return Ok(Standing::new(tree, format!("work tree of {name}")));
            }
        }
        match branch {
            Some(branch) => on_remote(&home, branch),
            None => on_remote(&home, &home.default_branch()?),
        }
    }
}

fn on_remote(home: &Home, branch: &str) -> Result<Standing, Failure> {
    let revision = home.revision(branch)?;
    let label = match &home.name {
        None => format!("{branch} at {}", revision.commit.short()),
        Some(name) => format!("{name} {branch} at {}", revision.commit.short()),
    };
    Ok(Standing::new(revision.tree, label).at(revision.commit))
}
