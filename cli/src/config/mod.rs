//! `gitops.yaml`: the environments, what moves between them, and how.
//!
//! [`read`] takes the file at the root of a tree, or the `prify.yml` files where
//! there is none. Operations pass the tree of the trust ref; `list`, `diff` and
//! `render` may pass the work tree.
//!
//! - [`file`]: the file as written
//! - [`keys`]: which keys there are, and which are refused for now
//! - [`gates`]: the gates of an environment
//! - [`check`]: from the file to [`Config`], with everything that is wrong
//! - [`prify`]: from `prify.yml` to [`Config`]
//! - [`problem`]: what is wrong, and where

mod check;
mod file;
mod gates;
mod keys;
mod prify;
mod problem;

use std::collections::BTreeMap;

use gitops_core::judge::EnvironmentRef;
use gitops_core::plan::{Rules, Texts};
use gitops_tree::{LFS_POINTER, Tree, TreeError, TreePath, is_lfs_pointer};
use gitops_yaml::FileId;
use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

pub(crate) use check::KIND;
pub(crate) use file::{Cluster, Ignore, Seal};
pub(crate) use gates::{Gate, Rule, WORDS as GATE_WORDS, exempt_from};
pub(crate) use prify::Prify;
pub(crate) use problem::{ConfigError, Place, Problem, ProblemKind};

/// The name of the file, at the root of the repository.
pub(crate) const FILE: &str = "gitops.yaml";

/// The branch of the trust repository that keeps holds.
pub(crate) const STATE_BRANCH: &str = "gitops-state";

/// What the file says, resolved and free of contradictions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    /// The branch that configuration and policies are read from; `None` for
    /// the repository's default branch.
    pub(crate) trust_branch: Option<String>,
    /// Repositories other than the trust repository, by name.
    pub(crate) repositories: BTreeMap<String, Repository>,
    /// The environments, each behind those it comes after.
    pub(crate) environments: Vec<Environment>,
    /// What moves, app by app.
    pub(crate) rules: Rules,
    /// Path of the policy bindings; `None` where no policy is bound.
    pub(crate) policies: Option<TreePath>,
    /// Texts of commits and requests.
    pub(crate) texts: Texts,
    /// The forge of the trust repository, as far as its address does not tell.
    pub(crate) forge: Forge,
    /// Fields whose difference is expected.
    pub(crate) ignore: Vec<Ignore>,
    /// What else is secret.
    pub(crate) seal: Vec<Seal>,
}

/// A repository that environments stand in.
#[derive(Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Repository {
    /// Its address; one that starts with `./` or `../` is relative to the trust
    /// repository's.
    pub(crate) url: String,
    /// The branch of environments that name none; its default branch where absent.
    #[serde(default)]
    pub(crate) branch: Option<String>,
}

/// What the address of a repository does not tell of its forge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forge {
    /// The software.
    pub(crate) kind: Option<gitops_forge::Kind>,
    /// Where its web pages start.
    pub(crate) url: Option<String>,
}

/// One environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// Its name.
    pub(crate) name: String,
    /// Its folder, normalised; may hold `{app}`.
    pub(crate) path: String,
    /// Its branch; `None` for the trust branch, or that of its repository.
    pub(crate) branch: Option<String>,
    /// Its repository, a key of `repositories`; `None` for the trust repository.
    pub(crate) repository: Option<String>,
    /// What the cluster reconciles, where that is more than `path`.
    pub(crate) roots: Vec<TreePath>,
    /// The clusters that follow it.
    pub(crate) clusters: Vec<Cluster>,
    /// What reconciles them; `None` where it is to be found out.
    pub(crate) controller: Option<Controller>,
    /// What happens to a change whose gate is open.
    pub(crate) merge: Merge,
    /// How this program merges a request.
    pub(crate) method: Method,
    /// The environments right before it.
    pub(crate) after: After,
    /// Environments that a promotion may start from besides those.
    pub(crate) from: Vec<String>,
    /// Gates that the file names.
    pub(crate) gates: Vec<Gate>,
    /// For how long gates may be pending.
    pub(crate) gate_timeout: Option<SignedDuration>,
    /// The gates that rollbacks are spared, besides those that never ask them.
    pub(crate) rollback_exempt: Vec<String>,
    /// Texts of its own, in place of those of the file.
    pub(crate) texts: Option<Texts>,
    /// What its `prify.yml` says besides, where it has one.
    pub(crate) prify: Option<Prify>,
    /// Where it stands in the file.
    pub(crate) place: Place,
}

/// What reconciles a cluster.
#[derive(Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Controller {
    /// Flux's kustomize-controller.
    Flux,
    /// Argo CD.
    Argocd,
    /// Somebody who runs `kubectl apply`.
    Kubectl,
}

/// What happens to a change whose gate is open.
#[derive(Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Merge {
    /// A request is opened, and merged by the tool.
    Auto,
    /// A request is opened, and merged by somebody.
    #[default]
    Manual,
    /// The commit goes onto the branch itself, without a request.
    Direct,
}

/// How a request is merged.
#[derive(Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Method {
    /// One commit.
    #[default]
    Squash,
    /// A merge commit.
    Merge,
    /// The commits as they are, on top.
    Rebase,
}

/// The environments right before one; none for the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Each of them must hold what is promoted.
    All(Vec<String>),
    /// One of them must.
    Any(Vec<String>),
}

impl Default for After {
    fn default() -> After {
        After::All(Vec::new())
    }
}

impl After {
    /// Their names.
    pub(crate) fn names(&self) -> &[String] {
        match self {
            After::All(names) | After::Any(names) => names,
        }
    }
}

impl Environment {
    /// The environments that must hold what is promoted from `source`: all of
    /// those before it, one of them under `any`, and nothing but the source
    /// itself where `from` allows it.
    pub(crate) fn must_hold<'a>(&'a self, source: &'a str) -> Vec<&'a str> {
        match &self.after {
            After::All(names) if names.iter().any(|name| name == source) => {
                names.iter().map(String::as_str).collect()
            }
            _ => vec![source],
        }
    }

    /// The environment as plans and policies see it. `trust_branch` is the
    /// branch it is read from where it names none.
    pub(crate) fn reference(&self, trust_branch: &str) -> EnvironmentRef {
        EnvironmentRef {
            name: self.name.clone(),
            after: self.after.names().to_vec(),
            clusters: self.clusters.iter().map(|cluster| cluster.name.clone()).collect(),
            path: self.path.clone(),
            git_ref: self.branch.clone().unwrap_or_else(|| trust_branch.to_owned()),
            repository: None,
        }
    }

    /// Refuses to go on where a gate would have to be ignored.
    ///
    /// # Errors
    ///
    /// One problem a gate that this version does not evaluate.
    pub(crate) fn refuse_unevaluated_gates(&self) -> Result<(), ConfigError> {
        let problems: Vec<Problem> = self
            .gates
            .iter()
            .filter(|gate| gate.rule == Rule::Later)
            .map(|gate| Problem {
                place: Some(gate.place),
                kind: ProblemKind::NotSupported,
                message: format!(
                    "gate `{}` of environment `{}` is not evaluated by this version, so it stays closed",
                    gate.kind, self.name
                ),
                hint: Some(
                    "state it as a policy in `policies`, or take it out on the trust branch"
                        .to_owned(),
                ),
            })
            .collect();
        if problems.is_empty() {
            return Ok(());
        }
        Err(ConfigError { path: FILE.to_owned(), problems })
    }
}

/// Refuses an address that git should not be given, with the reason and the way
/// out. The address is not repeated: it may hold a credential.
pub(crate) fn check_address(url: &str) -> Result<(), (&'static str, Option<&'static str>)> {
    check::address(url)
}

impl Config {
    /// The name of the file that says all this, or of one of those that do.
    pub(crate) fn file(&self) -> &'static str {
        match self.environments.iter().any(|environment| environment.prify.is_some()) {
            true => prify::FILE,
            false => FILE,
        }
    }

    /// The texts of changes of an environment.
    pub(crate) fn texts_of<'a>(&'a self, environment: &'a Environment) -> &'a Texts {
        environment.texts.as_ref().unwrap_or(&self.texts)
    }

    /// The environments that may be promoted into from the one named `name`.
    pub(crate) fn targets<'a>(&'a self, name: &str) -> Vec<&'a str> {
        let follows = |environment: &&Environment| {
            let mut sources = environment.after.names().iter().chain(&environment.from);
            sources.any(|source| source == name)
        };
        self.environments.iter().filter(follows).map(|next| next.name.as_str()).collect()
    }

    /// The branch that an environment names, or its repository does for it.
    fn branch_of<'a>(&'a self, environment: &'a Environment, trust_branch: &'a str) -> &'a str {
        let named = environment.branch.as_deref().or_else(|| match &environment.repository {
            Some(name) => self.repositories.get(name)?.branch.as_deref(),
            None => Some(trust_branch),
        });
        named.unwrap_or_default()
    }

    /// Refuses two environments that are one, now that the trust branch is known.
    ///
    /// # Errors
    ///
    /// One problem a pair.
    pub(crate) fn refuse_one_place(&self, trust_branch: &str) -> Result<(), ConfigError> {
        let place = |environment| {
            let branch = self.branch_of(environment, trust_branch);
            (&environment.repository, branch, &environment.path)
        };
        let mut problems = Vec::new();
        for (index, environment) in self.environments.iter().enumerate() {
            let mut before = self.environments[..index].iter();
            let Some(other) = before.find(|other| place(other) == place(environment)) else {
                continue;
            };
            problems.push(Problem {
                place: Some(environment.place),
                kind: ProblemKind::Invalid,
                message: format!(
                    "environments `{}` and `{}` have one path, `{}` on branch `{}`",
                    other.name,
                    environment.name,
                    environment.path,
                    place(environment).1
                ),
                hint: Some(ONE_PATH.to_owned()),
            });
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(ConfigError { path: FILE.to_owned(), problems })
    }

    /// The environment named `name`.
    ///
    /// # Errors
    ///
    /// Names the known ones, the most similar first.
    pub(crate) fn environment(&self, name: &str) -> Result<&Environment, UnknownEnvironment> {
        self.environments.iter().find(|environment| environment.name == name).ok_or_else(|| {
            let mut known: Vec<String> =
                self.environments.iter().map(|environment| environment.name.clone()).collect();
            known.sort_by_key(|other| strsim::damerau_levenshtein(other, name));
            UnknownEnvironment { name: name.to_owned(), known, file: self.file() }
        })
    }
}

/// What to do about two environments with one path.
const ONE_PATH: &str =
    "a change of one would change the other; give each its own folder, or its own `branch`";

/// No environment of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no environment `{name}` in {file}; known are {}", .known.join(", "))]
pub(crate) struct UnknownEnvironment {
    /// What was asked for.
    pub(crate) name: String,
    /// The names that are there, the most similar first.
    pub(crate) known: Vec<String>,
    /// The file that names them.
    pub(crate) file: &'static str,
}

impl UnknownEnvironment {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        // Further away than a slip of the hand or two, it is another word.
        let near = |known: &&String| {
            strsim::damerau_levenshtein(known, &self.name) <= 1 + self.name.chars().count() / 4
        };
        self.known.first().filter(near).map(|known| format!("did you mean `{known}`?"))
    }
}

/// Reads `gitops.yaml` at the root of `tree`, or the `prify.yml` files in it
/// where there is none.
///
/// # Errors
///
/// When it is missing, cannot be read, or anything in it is wrong; all
/// problems at once, as far as they can be told apart.
pub(crate) fn read(tree: &dyn Tree) -> Result<Config, ConfigError> {
    read_on(tree, None)
}

/// The same where the branch that the tree is of is known: the base of changes
/// for which a `prify.yml` names none.
pub(crate) fn read_on(tree: &dyn Tree, branch: Option<&str>) -> Result<Config, ConfigError> {
    let path = TreePath::new(FILE).expect("a plain name stays inside the tree");
    match tree.read(&path) {
        Ok(bytes) => parse(&bytes),
        Err(TreeError::Absent { .. }) => prify::read(tree, branch)?.ok_or_else(missing),
        Err(error) => Err(ConfigError::one(
            FILE,
            Problem {
                place: None,
                kind: ProblemKind::Unreadable,
                message: error.to_string(),
                hint: None,
            },
        )),
    }
}

/// The error for a repository without the file.
fn missing() -> ConfigError {
    ConfigError::one(
        FILE,
        Problem {
            place: None,
            kind: ProblemKind::Missing,
            message: "there is no such file at the root of the repository, and no folder with a \
                      `prify.yml`"
                .to_owned(),
            hint: Some(
                "compare without it by `-f FILE` or `-k DIR`, or add one: the README shows how"
                    .to_owned(),
            ),
        },
    )
}

/// The schema of the file.
pub(crate) fn schema(generator: SchemaGenerator) -> Schema {
    generator.into_root_schema_for::<file::File>()
}

/// Reads the bytes of the file.
fn parse(bytes: &[u8]) -> Result<Config, ConfigError> {
    let shape = |line, column, message: String| {
        ConfigError::one(
            FILE,
            Problem {
                place: Some(Place { line, column }),
                kind: ProblemKind::Shape,
                message,
                hint: None,
            },
        )
    };
    if is_lfs_pointer(bytes) {
        return Err(shape(1, 1, format!("it is {LFS_POINTER}")));
    }
    let documents = gitops_yaml::read(FileId(0), bytes)
        .map_err(|error| shape(error.line, error.column, error.reason.to_string()))?;
    let mut roots = documents.iter().filter_map(|document| document.root.as_ref());
    let Some(root) = roots.next() else {
        return Err(shape(1, 1, "the file is empty".to_owned()));
    };
    if let Some(second) = roots.next() {
        return Err(shape(
            second.mark.line,
            second.mark.column,
            "a second document; the file holds one".to_owned(),
        ));
    }
    let problems = keys::check(root);
    if !problems.is_empty() {
        return Err(ConfigError { path: FILE.to_owned(), problems });
    }
    if !root.is_mapping() {
        return Err(shape(root.mark.line, root.mark.column, "the file is no mapping".to_owned()));
    }
    let file: file::File = gitops_yaml::decode(root).map_err(|error| {
        let message = match error.path.as_str() {
            "" => error.message,
            path => format!("`{path}`: {}", error.message),
        };
        shape(error.line, error.column, message)
    })?;
    check::check(file, root)
}

#[cfg(test)]
mod tests;
