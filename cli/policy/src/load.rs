//! Policies from the trust tree: which are bound to what, their bytes, and
//! whether the lock knows these bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use gitops_core::judge::{Fault, Mode};
use gitops_core::object::Source;
use gitops_tree::{Tree, TreeError, TreePath};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::files::{self, BindingFile, LockEntry, LockFile, PolicyFile};

/// Why bindings or policies cannot be read at all. What is wrong with one
/// policy's module is a fault of that policy instead.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A file is not there or cannot be read.
    #[error(transparent)]
    Tree {
        /// Which and why.
        source: TreeError,
    },
    /// A YAML file is not what it should be.
    #[error("{path}:{line}:{column}: {reason}")]
    File {
        /// The file.
        path: TreePath,
        /// 1-based line.
        line: u32,
        /// 1-based column.
        column: u32,
        /// What is wrong.
        reason: String,
    },
    /// The lock is not what it should be.
    #[error("{path}: {reason}")]
    Lock {
        /// The file.
        path: TreePath,
        /// What is wrong.
        reason: String,
    },
    /// A policy cannot be locked, since it cannot be run.
    #[error("policy `{policy}`: {reason}")]
    Unfit {
        /// The policy.
        policy: String,
        /// Its fault.
        reason: String,
    },
}

/// A step from one environment to the next, as a binding names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// The environment it comes from.
    pub from: String,
    /// The environment it goes to.
    pub to: String,
}

/// Policies and what they are bound to: one document of the bindings file.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// Its name, where it has one.
    pub name: Option<String>,
    /// The steps it binds.
    pub promotions: Vec<Promotion>,
    /// The environments it binds, whatever comes into them.
    pub environments: Vec<String>,
    /// Whether its checks look at all of its environments at once.
    pub compare: bool,
    /// The policies, in order.
    pub policies: Vec<Bound>,
}

impl Binding {
    /// Whether it binds the step from `source` (`None`: a version enters its
    /// first environment) to `target`.
    pub fn binds(&self, source: Option<&str>, target: &str) -> bool {
        self.environments.iter().any(|name| name == target)
            || self.promotions.iter().any(|step| step.to == target && Some(&*step.from) == source)
    }
}

/// A policy in a binding.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The policy.
    pub name: String,
    /// What its findings do.
    pub mode: Mode,
    /// Its settings, as JSON; null where it has none.
    pub settings: Value,
    /// Where the binding names it.
    pub place: Source,
}

/// What a policy judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
pub enum Role {
    /// A step into an environment.
    #[serde(rename = "promotion-gate")]
    Gate,
    /// What environments hold, whatever changes.
    #[serde(rename = "conformance-check")]
    Check,
}

impl Role {
    /// The word in policy.yaml, which is also the interface's in the contract.
    pub fn word(self) -> &'static str {
        match self {
            Role::Gate => "promotion-gate",
            Role::Check => "conformance-check",
        }
    }
}

/// A policy of the tree.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its name, which is also that of its folder.
    pub name: String,
    /// Its version, by its own word.
    pub version: String,
    /// What it judges, at least one thing.
    pub roles: BTreeSet<Role>,
    /// `sha256:…` of its file; empty where that could not be read.
    pub digest: String,
    /// The codes that its findings may have; empty where it lists none.
    pub codes: BTreeSet<String>,
    /// Its module, or why it may not be run.
    pub module: Result<Module, Fault>,
}

/// A component, read once: these bytes were hashed and are compiled.
#[derive(Clone)]
pub struct Module {
    /// The file.
    pub bytes: Arc<[u8]>,
    /// `sha256:…` of them.
    pub digest: String,
}

/// Prints the digest, not the bytes.
impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// All bindings, and every policy they name.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    bindings: Vec<Binding>,
    policies: BTreeMap<String, Policy>,
}

impl PolicySet {
    /// The bindings, in the order of the file.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The bound policies by name.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.policies.values()
    }

    /// One policy.
    pub fn policy(&self, name: &str) -> Option<&Policy> {
        self.policies.get(name)
    }

    /// The gates that are bound to a step, in the order of the file.
    pub fn bound_to<'a>(
        &'a self,
        source: Option<&'a str>,
        target: &'a str,
    ) -> impl Iterator<Item = &'a Bound> {
        self.bindings
            .iter()
            .filter(move |binding| binding.binds(source, target))
            .flat_map(|binding| self.in_role(binding, Role::Gate))
    }

    /// The checks that are bound to any environment, each with its binding, in
    /// the order of the file.
    pub fn checks(&self) -> impl Iterator<Item = (&Binding, &Bound)> {
        self.bindings.iter().flat_map(|binding| {
            self.in_role(binding, Role::Check).map(move |bound| (binding, bound))
        })
    }

    /// These environments, and those that a check compares with one of them.
    pub fn together<'a>(&'a self, asked: &[&'a str]) -> BTreeSet<&'a str> {
        let compared = self.checks().map(|(binding, _)| binding).filter(|binding| {
            binding.compare
                && binding.environments.iter().any(|name| asked.contains(&name.as_str()))
        });
        let compared = compared.flat_map(|binding| &binding.environments).map(String::as_str);
        asked.iter().copied().chain(compared).collect()
    }

    fn in_role<'a>(&'a self, binding: &'a Binding, role: Role) -> impl Iterator<Item = &'a Bound> {
        let has =
            move |bound: &&Bound| self.policy(&bound.name).is_some_and(|p| p.roles.contains(&role));
        binding.policies.iter().filter(has)
    }
}

/// Reads the bindings at `bindings`, the policies in the folders beside it,
/// and `policies.lock` at the root of `tree`, which is the trust tree. Without
/// a bindings file no policy is bound.
pub fn load(tree: &dyn Tree, bindings: &TreePath) -> Result<PolicySet, PolicyError> {
    let absent = |error: TreeError| match error {
        TreeError::Absent { .. } => Ok(None),
        source => Err(PolicyError::Tree { source }),
    };
    if tree.kind(bindings).map_or_else(absent, Ok)?.is_none() {
        return Ok(PolicySet::default());
    }
    let lock = files::lock(tree)?;
    let bindings_read = read_bindings(tree, bindings)?;
    let mut policies = BTreeMap::new();
    for bound in bindings_read.iter().flat_map(|binding| &binding.policies) {
        if policies.contains_key(&bound.name) {
            continue;
        }
        let policy = match read_policy(tree, &folder(bindings), &bound.name) {
            // Points at the binding, since that is what names it.
            Err(PolicyError::Tree { source }) => {
                return Err(PolicyError::File {
                    path: bindings.clone(),
                    line: bound.place.line.unwrap_or_default(),
                    column: 1,
                    reason: format!("policy `{}`: {source}", bound.name),
                });
            }
            other => held_to(lock.as_ref(), other?),
        };
        policies.insert(bound.name.clone(), policy);
    }
    let set = PolicySet { bindings: bindings_read, policies };
    // It would never be asked.
    let only =
        |bound: &Bound| set.policy(&bound.name).is_some_and(|p| !p.roles.contains(&Role::Gate));
    let mut checks = set.checks();
    let stray = checks.find(|(binding, bound)| binding.environments.is_empty() && only(bound));
    if let Some((_, bound)) = stray {
        return Err(PolicyError::File {
            path: bindings.clone(),
            line: bound.place.line.unwrap_or_default(),
            column: 1,
            reason: format!(
                "policy `{}` is a conformance-check, which judges `environments`, \
                 and this binding names only `promotions`",
                bound.name
            ),
        });
    }
    drop(checks);
    Ok(set)
}

/// The folder of the bindings, which holds those of policies.
pub(crate) fn folder(bindings: &TreePath) -> TreePath {
    bindings.parent().unwrap_or_default()
}

fn read_bindings(tree: &dyn Tree, path: &TreePath) -> Result<Vec<Binding>, PolicyError> {
    let documents = files::documents::<BindingFile>(tree, path, "PolicyBinding", |file| {
        (&file.api_version, &file.kind)
    })?;
    // A file that lost its end, or a list its entries, would open every gate.
    let nothing = |line, what: &str| {
        let reason = format!("it binds nothing: {what}");
        Err(PolicyError::File { path: path.clone(), line, column: 1, reason })
    };
    if documents.is_empty() {
        return nothing(1, "no `PolicyBinding` is in it");
    }
    let mut bindings = Vec::new();
    for (index, (line, root, file)) in (1..).zip(documents) {
        let spec = file.spec;
        if spec.promotions.is_empty() && spec.environments.is_empty() {
            return nothing(line, "`promotions` or `environments` is missing");
        }
        if spec.policies.is_empty() {
            return nothing(line, "`policies` is empty");
        }
        let nodes = root.at_path(&["spec", "policies"]).map_or(&[][..], |node| node.items());
        let policies = spec
            .policies
            .into_iter()
            .enumerate()
            .map(|(n, entry)| Bound {
                name: entry.name,
                mode: entry.mode.into(),
                settings: entry.settings,
                place: Source {
                    path: path.as_str().to_owned(),
                    document: index,
                    line: Some(nodes.get(n).map_or(line, |node| node.mark.line)),
                },
            })
            .collect();
        bindings.push(Binding {
            name: file.metadata.and_then(|metadata| metadata.name),
            promotions: spec
                .promotions
                .into_iter()
                .map(|step| Promotion { from: step.from, to: step.to })
                .collect(),
            environments: spec.environments,
            compare: spec.compare,
            policies,
        });
    }
    Ok(bindings)
}

/// A policy as it is in the tree, not yet held to the lock.
pub(crate) fn read_policy(
    tree: &dyn Tree,
    folder: &TreePath,
    name: &str,
) -> Result<Policy, PolicyError> {
    let (path, file) = read_manifest(tree, folder, name)?;
    let wrong =
        |reason: String| PolicyError::File { path: path.clone(), line: 1, column: 1, reason };
    let (spec, metadata) = (&file.spec, &file.metadata);
    if metadata.name != name {
        return Err(wrong(format!("its name is `{}`, its folder is `{name}`", metadata.name)));
    }
    let roles = file.roles();
    if roles.is_empty() {
        return Err(wrong("`kind` names nothing that it judges".to_owned()));
    }
    if spec.abi != "component" {
        return Err(wrong(format!("`abi: {}` is not supported; `component` is", spec.abi)));
    }
    if let Some(wasi) = spec.wasi.as_deref().filter(|wasi| *wasi != "none") {
        return Err(wrong(format!("`wasi: {wasi}` is not supported; `none` is")));
    }
    let home = folder.join(name).map_err(|error| wrong(error.to_string()))?;
    let at = home.join(&spec.module).map_err(|error| wrong(error.to_string()))?;
    if !at.is_within(&home) {
        return Err(wrong(format!("its module `{}` is outside its folder", spec.module)));
    }
    let module = match tree.read(&at) {
        Ok(bytes) => {
            let digest = format!("sha256:{}", hex(&Sha256::digest(&bytes)));
            Ok(Module { bytes, digest })
        }
        Err(error) => Err(closing("module", error.to_string())),
    };
    Ok(Policy {
        name: name.to_owned(),
        version: metadata.version.clone(),
        roles,
        digest: module.as_ref().map(|module| module.digest.clone()).unwrap_or_default(),
        codes: file.codes(),
        module,
    })
}

fn read_manifest(
    tree: &dyn Tree,
    folder: &TreePath,
    name: &str,
) -> Result<(TreePath, PolicyFile), PolicyError> {
    let plain = !name.is_empty() && !name.contains(['/', '\\']) && !name.starts_with('.');
    let path = folder.join(&format!("{name}/policy.yaml")).ok().filter(|_| plain);
    let path = path.ok_or_else(|| PolicyError::Unfit {
        policy: crate::text::excerpt(name, 100),
        reason: "a policy's name is that of a folder, without slashes or a leading dot".to_owned(),
    })?;
    let mut documents = files::documents::<PolicyFile>(tree, &path, "Policy", |file| {
        (&file.api_version, &file.kind)
    })?;
    match (documents.pop(), documents.pop()) {
        (Some((_, _, file)), None) => Ok((path, file)),
        (_, second) => {
            let line = second.map_or(1, |(line, ..)| line);
            let reason = "it should hold one document of kind `Policy`".to_owned();
            Err(PolicyError::File { path, line, column: 1, reason })
        }
    }
}

/// A policy whose bytes the lock does not know may not run.
fn held_to(lock: Option<&LockFile>, mut policy: Policy) -> Policy {
    if let Ok(module) = &policy.module
        && let Err(fault) = compare(lock, &policy, module)
    {
        policy.module = Err(fault);
    }
    policy
}

fn compare(lock: Option<&LockFile>, policy: &Policy, module: &Module) -> Result<(), Fault> {
    let Some(lock) = lock else {
        return Err(closing("lock", "`policies.lock` does not exist".to_owned()));
    };
    let mut entries = lock.policies.iter().filter(|entry| entry.name == policy.name);
    let LockEntry { version, sha256, size, .. } = match (entries.next(), entries.next()) {
        (Some(entry), None) => entry,
        (None, _) => {
            return Err(closing("lock", "`policies.lock` does not list it".to_owned()));
        }
        (Some(_), Some(_)) => {
            return Err(closing("lock", "`policies.lock` lists it twice".to_owned()));
        }
    };
    let (found, length) = (&module.digest, module.bytes.len() as u64);
    if *found != format!("sha256:{sha256}") {
        let sha256 = crate::text::excerpt(sha256, 64);
        return Err(closing(
            "digest",
            format!("`policies.lock` has sha256:{sha256}, its file has {found}"),
        ));
    }
    if *size != length {
        return Err(closing(
            "digest",
            format!("`policies.lock` has {size} bytes, its file has {length}"),
        ));
    }
    if *version != policy.version {
        return Err(closing(
            "lock",
            format!(
                "`policies.lock` has version {version}, its policy.yaml has {}",
                policy.version
            ),
        ));
    }
    Ok(())
}

fn closing(kind: &'static str, message: String) -> Fault {
    Fault { kind, message: crate::text::escape_line(&message), always_closes: true }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
