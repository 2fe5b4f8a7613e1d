//! From the file as written to [`Config`], with everything that is wrong.

use std::collections::BTreeMap;

use gitops_core::plan::{Pattern, Template, Texts, Values, branch_problem};
use gitops_tree::TreePath;
use gitops_yaml::Node;

use super::file::{self, File};
use super::keys::{near, place};
use super::problem::{ConfigError, Place, Problem, ProblemKind};
use super::{Config, Environment, FILE, Merge};

mod apps;
mod environments;
mod forge;
mod gates;
mod repositories;
mod versions;

pub(super) use repositories::address;

const API_VERSION: &str = "kubectl-gitops.dev/v1alpha1";
/// What the file calls itself.
pub(crate) const KIND: &str = "GitOps";

const DEFAULT_BRANCH: &str = "release/{app}/{env}";
const DEFAULT_COMMIT: &str = "Release {app} in {env} ({version}).";
const DEFAULT_TITLE: &str = "Release `{app}` in `{env}`";
const DEFAULT_BODY: &str = "Puts `{version}` of `{app}` into `{env}`.";

/// A step from a node to one below it.
#[derive(Clone, Copy)]
enum Below<'a> {
    Key(&'a str),
    Item(usize),
}
use Below::{Item, Key};

struct Checker<'a> {
    root: &'a Node,
    problems: Vec<Problem>,
}

/// Checks what types cannot say.
pub(super) fn check(file: File, root: &Node) -> Result<Config, ConfigError> {
    let mut checker = Checker { root, problems: Vec::new() };
    let config = checker.config(file);
    let mut problems = checker.problems;
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => {
            problems.sort();
            Err(ConfigError { path: FILE.to_owned(), problems })
        }
    }
}

impl Checker<'_> {
    /// Where the value at `path` stands, or the nearest node above it.
    fn place(&self, path: &[Below<'_>]) -> Place {
        let mut node = self.root;
        for step in path {
            let below = match step {
                Key(key) => node.get(key),
                Item(index) => node.items().get(*index),
            };
            let Some(below) = below else { break };
            node = below;
        }
        place(node)
    }

    fn problem(&mut self, path: &[Below<'_>], message: impl Into<String>, hint: Option<String>) {
        self.problem_at(self.place(path), message.into(), hint);
    }

    fn problem_at(&mut self, place: Place, message: String, hint: Option<String>) {
        let kind = ProblemKind::Invalid;
        self.problems.push(Problem { place: Some(place), kind, message, hint });
    }

    fn config(&mut self, file: File) -> Option<Config> {
        if file.api_version != API_VERSION {
            let message = format!("`apiVersion: {}` is not known", file.api_version.escape_debug());
            self.problem(&[Key("apiVersion")], message, Some(format!("write `{API_VERSION}`")));
        }
        if file.kind != KIND {
            let message = format!("`kind: {}` is not known", file.kind.escape_debug());
            self.problem(&[Key("kind")], message, Some(format!("write `{KIND}`")));
        }
        if let Some(branch) = &file.trust.branch {
            self.branch(branch, &[Key("trust"), Key("branch")]);
        }
        let policies =
            file.policies.as_deref().and_then(|policies| self.path(policies, &[Key("policies")]));
        let rules = self.rules(&file);
        self.seals(&file);
        self.ignores(&file);
        self.repositories(&file);
        let mut environments = self.environments(&file);
        let forge = self.forge(file.forge.as_ref());
        let texts = self.texts(&file.pull_request, &environments);
        if let Some(texts) = &texts {
            self.own_texts(&file, texts, &mut environments);
        }
        let environments = self.ordered(environments);
        self.between_environments(&environments);
        Some(Config {
            trust_branch: file.trust.branch,
            repositories: file.repositories,
            environments,
            rules,
            policies,
            texts: texts?,
            forge,
            ignore: file.diff.ignore,
            seal: file.seal,
        })
    }

    fn branch(&mut self, branch: &str, at: &[Below<'_>]) {
        if let Some(reason) = branch_problem(branch) {
            let message = format!("`{}` cannot name a branch: {reason}", branch.escape_debug());
            self.problem(at, message, None);
        }
    }

    fn path(&mut self, path: &str, at: &[Below<'_>]) -> Option<TreePath> {
        match TreePath::new(path) {
            Ok(path) => Some(path),
            Err(error) => {
                let hint = "paths start at the root of the repository and stay in it".to_owned();
                self.problem(at, error.to_string().replace("tree", "repository"), Some(hint));
                None
            }
        }
    }

    fn template(
        &mut self,
        text: &str,
        known: &'static [&'static str],
        at: &[Below<'_>],
    ) -> Option<Template> {
        match Template::parse_with(text, known) {
            Ok(template) => Some(template),
            Err(error) => {
                let hint = match &error {
                    gitops_core::plan::TemplateError::Unknown { name, known } => near(name, known),
                    gitops_core::plan::TemplateError::Brace { .. } => None,
                };
                self.problem(at, error.to_string(), hint);
                None
            }
        }
    }

    fn texts(
        &mut self,
        written: &file::PullRequest,
        environments: &[Environment],
    ) -> Option<Texts> {
        let mut text = |key, text: &Option<String>, default: &str| {
            let text = text.as_deref().unwrap_or(default);
            self.template(text, &gitops_core::plan::VARIABLES, &[Key("pullRequest"), Key(key)])
        };
        let branch = text("branch", &written.branch, DEFAULT_BRANCH);
        let commit = text("commit", &written.commit, DEFAULT_COMMIT);
        let title = text("title", &written.title, DEFAULT_TITLE);
        let body = text("body", &written.body, DEFAULT_BODY);
        let texts = Texts {
            branch: branch?,
            commit: commit?,
            title: title?,
            body: body?,
            labels: written.labels.clone(),
            reviewers: written.reviewers.clone(),
        };
        self.reviewers(&written.reviewers);
        self.request_branches(&texts.branch, environments);
        self.message(&texts.commit, &[Key("pullRequest"), Key("commit")]);
        Some(texts)
    }

    fn message(&mut self, message: &Template, at: &[Below<'_>]) {
        if message.render(sample("env")).trim().is_empty() {
            self.problem(at, "the message is empty", None);
        }
    }

    /// The texts of environments that have some of their own.
    fn own_texts(&mut self, file: &File, texts: &Texts, environments: &mut [Environment]) {
        for (index, written) in file.environments.iter().enumerate() {
            let Some(own) = &written.pull_request else { continue };
            let at = |key| [Key("environments"), Item(index), Key("pullRequest"), Key(key)];
            let mut text = |key, own: &Option<String>, general: &Template| match own {
                None => general.clone(),
                Some(own) => self
                    .template(own, &gitops_core::plan::VARIABLES, &at(key))
                    .unwrap_or_else(|| general.clone()),
            };
            let texts = Texts {
                branch: texts.branch.clone(),
                commit: text("commit", &own.commit, &texts.commit),
                title: text("title", &own.title, &texts.title),
                body: text("body", &own.body, &texts.body),
                labels: own.labels.clone().unwrap_or_else(|| texts.labels.clone()),
                reviewers: texts.reviewers.clone(),
            };
            self.message(&texts.commit, &at("commit"));
            for environment in environments.iter_mut().filter(|e| e.name == written.name) {
                environment.texts = Some(texts.clone());
            }
        }
    }

    /// Request branches must be branches, one an environment, and none of
    /// those that environments are read from.
    fn request_branches(&mut self, branch: &Template, environments: &[Environment]) {
        let at = [Key("pullRequest"), Key("branch")];
        let mut of: BTreeMap<String, &str> = BTreeMap::new();
        for environment in environments.iter().filter(|e| e.merge != Merge::Direct) {
            let name = branch.render(sample(&environment.name));
            if let Some(reason) = branch_problem(&name) {
                let message = format!("`{branch}` cannot name a branch: {reason}");
                self.problem(&at, message, None);
                return;
            }
            if let Some(other) = of.get(&name).filter(|other| **other != environment.name) {
                let message = format!(
                    "requests of `{other}` and `{}` would share the branch `{branch}`",
                    environment.name
                );
                self.problem(&at, message, Some("put `{env}` into it".to_owned()));
                return;
            }
            of.insert(name, &environment.name);
        }
        let protected = environments.iter().filter_map(|e| e.branch.as_deref());
        if let Some(same) = protected.into_iter().find(|name| of.contains_key(*name)) {
            let message = format!("`{same}` is the branch of an environment");
            self.problem(&at, message, Some("put `{app}` and `{env}` into it".to_owned()));
        }
    }

    fn seals(&mut self, file: &File) {
        for (index, seal) in file.seal.iter().enumerate() {
            let good = match (&seal.kind, &seal.pointer, &seal.path) {
                (Some(_), Some(pointer), None) => {
                    self.pointer(pointer, &[Key("seal"), Item(index), Key("pointer")]);
                    true
                }
                (None, None, Some(path)) => match Pattern::new(path) {
                    Ok(_) => true,
                    Err(reason) => {
                        let message = format!("`{}` is not a glob: {reason}", path.escape_debug());
                        self.problem(&[Key("seal"), Item(index), Key("path")], message, None);
                        true
                    }
                },
                _ => false,
            };
            if !good {
                let hint = "write `kind` and `pointer`, or `path`".to_owned();
                self.problem(
                    &[Key("seal"), Item(index)],
                    "a seal is for a field of a kind, or for files",
                    Some(hint),
                );
            }
        }
    }

    fn ignores(&mut self, file: &File) {
        for (index, ignore) in file.diff.ignore.iter().enumerate() {
            self.pointer(
                &ignore.pointer,
                &[Key("diff"), Key("ignore"), Item(index), Key("pointer")],
            );
        }
    }

    /// RFC 6901: empty, or `/` before each part.
    fn pointer(&mut self, pointer: &str, at: &[Below<'_>]) {
        if !pointer.is_empty() && !pointer.starts_with('/') {
            let message = format!("`{}` is not a JSON pointer", pointer.escape_debug());
            self.problem(at, message, Some(format!("write `/{}`", pointer.replace('.', "/"))));
        }
    }
}

fn sample(env: &str) -> Values<'_> {
    Values { app: "app", env, version: "1", from: "from" }
}
