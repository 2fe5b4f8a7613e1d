//! Desired objects: of an environment in the work tree or a revision, and of
//! files and folders named on the command line.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use gitops_core::diff::Expected;
use gitops_core::object::Raw;
use gitops_core::plan::ReadEntry;
use gitops_core::seal::{SealRule, Sealer};
use gitops_desired::{Desired, DesiredError};
use gitops_git::{Directory, GitError};
use gitops_kustomize::{Fulfil, LoadRestrictor, Options, Rendered, Warning};
use gitops_tree::{EntryKind, Memory, Tree, TreeError, TreePath};

use super::remotes::{self, Unrendered};
use crate::config::{Config, ConfigError, Controller, Environment, UnknownEnvironment};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Remark, Terminal};

/// Words for a failure of Git.
pub(crate) fn git_failure(attempt: impl Into<String>, error: &GitError) -> Failure {
    let failure = match error {
        GitError::UnknownRevision { .. }
        | GitError::AmbiguousRevision { .. }
        | GitError::Directory { .. } => Failure::usage(attempt),
        _ => Failure::world(attempt),
    };
    let failure = failure.because(error);
    match error {
        GitError::NotARepository { .. } => {
            failure.hint("give the repository with `-C DIR`, or compare files with `-f` or `-k`")
        }
        GitError::Bare { .. } => failure.hint("name a revision by `--rev`, such as `--rev main`"),
        GitError::EmptyRepository { .. } => failure.hint("commit something first: `git commit`"),
        GitError::OtherOwner { dir } => {
            failure.hint(format!("`git config --global --add safe.directory {}`", dir.display()))
        }
        GitError::UnknownRevision { shallow: true, .. } => {
            failure.hint("fetch the rest of the history: `git fetch --unshallow`")
        }
        GitError::UnknownRevision { .. } => failure.hint(
            "name a branch, tag or commit that is here; `git fetch` brings those of the remote",
        ),
        GitError::Unsupported { .. } => match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        },
        _ => failure,
    }
}

/// Words for a configuration that cannot be used.
pub(crate) fn config_failure(error: &ConfigError) -> Failure {
    let failure = Failure::usage(format!("could not use `{}`", error.path)).because(error);
    error.hints().fold(failure, |failure, hint| failure.hint(hint))
}

/// Words for an environment that the configuration does not have.
pub(crate) fn unknown_environment(error: UnknownEnvironment) -> Failure {
    let failure = Failure::usage(error.to_string());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Words for objects that do not render.
pub(crate) fn render_failure(
    what: &TreePath,
    error: &(dyn std::error::Error + 'static),
) -> Failure {
    let failure = Failure::usage(format!("could not render `{what}`")).because(error);
    let causes = std::iter::successors(Some(error), |error| error.source());
    let hint = causes.filter_map(|cause| cause.downcast_ref::<TreeError>()?.hint()).next();
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The folder that `-C` names, else the one we are in.
pub(crate) fn start(context: &Context) -> PathBuf {
    context.common.directory.clone().unwrap_or_else(|| PathBuf::from("."))
}

/// The environments that were named, each once, or all. `instead` is what may
/// be given in place of a name.
pub(crate) fn chosen<'a>(
    config: &'a Config,
    names: &[String],
    all: bool,
    instead: &str,
) -> Result<Vec<&'a Environment>, Failure> {
    if all {
        return Ok(config.environments.iter().collect());
    }
    let mut chosen: Vec<&Environment> = Vec::new();
    for name in names {
        let environment = config.environment(name).map_err(unknown_environment)?;
        if !chosen.iter().any(|other| other.name == environment.name) {
            chosen.push(environment);
        }
    }
    if chosen.is_empty() {
        let known: Vec<&str> = config.environments.iter().map(|e| e.name.as_str()).collect();
        return Err(Failure::usage("no environment is named")
            .hint(format!("name one of {}, or take `--all`, or {instead}", known.join(", "))));
    }
    Ok(chosen)
}

/// How the controller of an environment builds it.
pub(crate) fn options(environment: &Environment) -> Options {
    let load_restrictor = match environment.controller {
        // kustomize-controller builds without restrictions inside its source.
        Some(Controller::Flux) => LoadRestrictor::None,
        _ => LoadRestrictor::RootOnly,
    };
    Options { load_restrictor, ..Options::default() }
}

/// The objects of an environment, and the remote bases that went into them.
#[derive(Default)]
pub(crate) struct Rendering {
    pub(crate) objects: Vec<Raw>,
    pub(crate) remotes: BTreeSet<ReadEntry>,
}

impl Deref for Rendering {
    type Target = Vec<Raw>;

    fn deref(&self) -> &Vec<Raw> {
        &self.objects
    }
}

/// Everything that the environment's cluster reconciles from `tree`. An
/// object that two folders render is an error.
pub(crate) fn desired(
    tree: &dyn Tree,
    environment: &Environment,
    terminal: Terminal,
) -> Result<Rendering, Failure> {
    desired_of(tree, environment, &folders(tree, environment)?, terminal)
}

/// What some folders of an environment stand for.
pub(crate) fn desired_of(
    tree: &dyn Tree,
    environment: &Environment,
    folders: &[TreePath],
    terminal: Terminal,
) -> Result<Rendering, Failure> {
    let mut all = Rendering::default();
    for folder in folders {
        let options = options(environment);
        let (desired, remotes) = remotes::supplied(terminal, |supplies| {
            gitops_desired::render(tree, folder, &options, supplies)
        })
        .map_err(|error| error.failure(|error| render_failure(folder, error)))?;
        warn(&desired.warnings, terminal);
        all.objects.extend(desired.objects);
        all.remotes.extend(remotes);
    }
    refuse_twins(&all.objects)?;
    Ok(all)
}

/// The folders of an environment: its roots, and its path with every app that
/// has a folder there.
pub(crate) fn folders(
    tree: &dyn Tree,
    environment: &Environment,
) -> Result<Vec<TreePath>, Failure> {
    let mut folders = environment.roots.clone();
    folders.extend(expand(tree, environment)?);
    folders.dedup();
    Ok(folders)
}

fn expand(tree: &dyn Tree, environment: &Environment) -> Result<Vec<TreePath>, Failure> {
    let path = |text: &str| {
        TreePath::new(text).map_err(|error| {
            Failure::usage(format!("path of environment `{}`", environment.name)).because(&error)
        })
    };
    let Some((before, after)) = environment.path.split_once("{app}") else {
        return Ok(vec![path(&environment.path)?]);
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let (suffix, rest) = after.split_once('/').unwrap_or((after, ""));
    let parent = path(parent)?;
    let entries = tree.list(&parent).map_err(|error| {
        let failure = render_failure(&parent, &error);
        match gitops_tree::in_another_case(tree, &parent) {
            Ok(Some(found)) => failure.hint(format!(
                "`{found}` differs in the case of letters: correct `path` in gitops.yaml"
            )),
            _ => failure,
        }
    })?;
    let mut found = Vec::new();
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Directory) {
        let Some(app) = entry.name.strip_prefix(prefix).and_then(|name| name.strip_suffix(suffix))
        else {
            continue;
        };
        let folder = path(&format!("{parent}/{}/{}", entry.name, rest.replace("{app}", app)))?;
        match tree.kind(&folder) {
            Ok(Some(EntryKind::Directory)) => found.push(folder),
            Ok(_) => {}
            Err(error) => return Err(render_failure(&folder, &error)),
        }
    }
    Ok(found)
}

/// What a build warns about, in files as the repository names them.
pub(super) fn warn(warnings: &[Warning], terminal: Terminal) {
    for Warning { path, line, message } in warnings {
        let (path, message) = (path.to_string(), message.clone());
        terminal.remark(Remark { path, line: *line, message });
    }
}

fn refuse_twins(objects: &[Raw]) -> Result<(), Failure> {
    let mut seen = BTreeMap::new();
    for raw in objects {
        let place = || raw.source.as_ref().map_or("a generator".to_owned(), ToString::to_string);
        if let Some(first) = seen.insert(&raw.key, place()) {
            return Err(Failure::usage(format!("two objects are {}", raw.key))
                .because(&Twins { first, second: place() })
                .hint("an object must come from one place; delete one of the two"));
        }
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
#[error("one stands at {first}, the other at {second}")]
struct Twins {
    first: String,
    second: String,
}

/// Files named on the command line, outside of any configuration. Their paths
/// are shown as they are seen from here.
pub(crate) struct Files {
    parts: Vec<(Box<dyn Tree>, TreePath, Part)>,
    here: PathBuf,
}

enum Part {
    Kustomization,
    Manifests { recursive: bool },
}

impl Files {
    /// `-k DIR`.
    pub(crate) fn kustomization(dir: &Path) -> Result<Files, Failure> {
        let (tree, path) = on_disk(dir)?;
        Ok(Files { parts: vec![(tree, path, Part::Kustomization)], here: here()? })
    }

    /// `-f FILE|DIR|-`, perhaps several times.
    pub(crate) fn manifests(files: &[PathBuf], recursive: bool) -> Result<Files, Failure> {
        let mut parts = Vec::new();
        for file in files {
            if let Some(url) = file.to_str().filter(|name| name.contains("://")) {
                return Err(Failure::usage(format!("`{url}` is no file")).hint(format!(
                    "fetch it first: `curl -fsSL {url} | kubectl gitops diff -f -`"
                )));
            }
            let (tree, path) = if file.as_os_str() == "-" { stdin()? } else { on_disk(file)? };
            parts.push((tree, path, Part::Manifests { recursive }));
        }
        Ok(Files { parts, here: here()? })
    }

    /// The objects.
    pub(crate) fn desired(&self, terminal: Terminal) -> Result<Vec<Raw>, Failure> {
        let mut objects = Vec::new();
        for (tree, path, part) in &self.parts {
            let (desired, _) = remotes::supplied(terminal, |supplies| {
                self.render(tree.as_ref(), path, part, supplies)
            })
            .map_err(|error| self.unrendered(path, error))?;
            if desired.objects.is_empty() {
                let failure =
                    Failure::usage(format!("`{}` holds no object", self.shown(path.as_str())));
                return Err(match part {
                    Part::Manifests { recursive: false }
                        if matches!(tree.kind(path), Ok(Some(EntryKind::Directory))) =>
                    {
                        failure.hint("manifests end in .yaml, .yml or .json; `-R` reads the folders below, too")
                    }
                    _ => failure,
                });
            }
            self.warn(&desired.warnings, terminal);
            objects.extend(desired.objects);
        }
        for raw in &mut objects {
            if let Some(source) = &mut raw.source {
                source.path = self.shown(&source.path);
            }
            raw.lines = raw.lines.renamed(|path| self.shown(path));
        }
        refuse_twins(&objects)?;
        Ok(objects)
    }

    /// As it is printed, with paths as they are seen from the root of the disk.
    pub(crate) fn rendered(
        &self,
        options: &Options,
        terminal: Terminal,
    ) -> Result<Vec<Rendered>, Failure> {
        let mut parts = Vec::new();
        for (tree, path, _) in &self.parts {
            let (built, _) = remotes::supplied(terminal, |supplies| {
                gitops_kustomize::build_with(tree.as_ref(), path, options, supplies)
            })
            .map_err(|error| self.unrendered(path, error))?;
            self.warn(&built.warnings, terminal);
            parts.push(built);
        }
        Ok(parts)
    }

    fn render(
        &self,
        tree: &dyn Tree,
        path: &TreePath,
        part: &Part,
        supplies: &dyn Fulfil,
    ) -> Result<Desired, DesiredError> {
        match part {
            Part::Kustomization => {
                gitops_desired::render_kustomization(tree, path, &Options::default(), supplies)
            }
            Part::Manifests { recursive } => gitops_desired::render_plain(tree, path, *recursive),
        }
    }

    /// Errors name files from the root of the disk; here they are named as the
    /// user sees them.
    fn unrendered(&self, path: &TreePath, error: Unrendered) -> Failure {
        let shown = self.shown(path.as_str());
        let mut failure = error
            .failure(|error| Failure::usage(format!("could not render `{shown}`")).because(error));
        if let Some(top) = path.names().next().filter(|_| path.as_str() != STDIN) {
            for cause in &mut failure.causes {
                *cause = seen_from(&self.here.to_string_lossy(), top, cause);
            }
        }
        failure
    }

    /// What a build warns about, in files as they are seen from here.
    fn warn(&self, warnings: &[Warning], terminal: Terminal) {
        for Warning { path, line, message } in warnings {
            let (path, message) = (self.shown(path.as_str()), message.clone());
            terminal.remark(Remark { path, line: *line, message });
        }
    }

    /// A path from the root of the disk, as seen from here.
    pub(crate) fn shown(&self, path: &str) -> String {
        if path == STDIN {
            return path.to_owned();
        }
        let path = Path::new("/").join(path);
        if self.here == Path::new("/") {
            return path.display().to_string();
        }
        match path.strip_prefix(&self.here) {
            Ok(below) if below.as_os_str().is_empty() => ".".to_owned(),
            Ok(below) => below.display().to_string(),
            Err(_) => path.display().to_string(),
        }
    }
}

/// A text with the paths below `top`, a folder of the root of the disk, as they
/// are seen from `here`.
fn seen_from(here: &str, top: &str, text: &str) -> String {
    let mut seen = text.to_owned();
    for before in ["`", " ", "\n"] {
        seen = seen.replace(&format!("{before}{top}/"), &format!("{before}/{top}/"));
    }
    if seen.starts_with(&format!("{top}/")) {
        seen.insert(0, '/');
    }
    if here == "/" {
        return seen;
    }
    seen.replace(&format!("`{here}`"), "`.`").replace(&format!("{here}/"), "")
}

/// What the objects on stdin are said to stand in.
const STDIN: &str = "stdin";

/// Where we are.
fn here() -> Result<PathBuf, Failure> {
    std::env::current_dir()
        .map_err(|error| Failure::usage("the current folder cannot be read").because(&error))
}

/// A path on the disk, as a path in a tree of the whole disk: a kustomization
/// may name bases anywhere.
fn on_disk(path: &Path) -> Result<(Box<dyn Tree>, TreePath), Failure> {
    let (tree, path) = Directory::whole(path).map_err(|error| {
        Failure::usage(format!("could not read `{}`", path.display())).because(&error)
    })?;
    Ok((Box::new(tree), path))
}

fn stdin() -> Result<(Box<dyn Tree>, TreePath), Failure> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::usage("could not read stdin").because(&error))?;
    let path = TreePath::new(STDIN).expect("a plain name stays inside the tree");
    let mut tree = Memory::new();
    tree.insert(path.clone(), bytes);
    Ok((Box::new(tree), path))
}

/// Seals with a key of this run, and with the rules of the configuration.
pub(crate) fn sealer(config: Option<&Config>) -> Sealer {
    let rules = config.map(|config| config.seal.as_slice()).unwrap_or_default();
    let rules = rules.iter().filter_map(|rule| {
        Some(SealRule { kind: rule.kind.clone()?, pointer: rule.pointer.clone()? })
    });
    Sealer::new(rand_key(), rules.collect())
}

/// The differences that the configuration expects.
pub(crate) fn ignore(config: &Config) -> Vec<Expected> {
    let expected = config.ignore.iter().map(|ignore| Expected {
        kind: Some(ignore.kind.clone()),
        namespace: ignore.namespace.clone(),
        name: ignore.name.clone(),
        pointer: ignore.pointer.clone(),
    });
    expected.collect()
}

/// A key that no other run has.
fn rand_key() -> [u8; 32] {
    let mut key = [0; 32];
    getrandom::fill(&mut key).expect("the operating system gives random bytes");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_as_the_user_sees_them() {
        let seen = |text| seen_from("/home/ada/shop", "home", text);
        assert_eq!(seen("home/ada/shop/a.yaml:1: bad"), "a.yaml:1: bad");
        assert_eq!(seen("`home/ada/shop` holds none"), "`.` holds none");
        assert_eq!(seen("x: `home/ada/base/b.yaml` is none"), "x: `/home/ada/base/b.yaml` is none");
        assert_eq!(seen_from("/", "home", "home/a.yaml: bad"), "/home/a.yaml: bad");
    }
}
