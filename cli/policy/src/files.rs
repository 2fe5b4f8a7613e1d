//! The files that describe policies, as typed YAML and TOML. Unknown keys are
//! errors: a misspelt `mode` must not open a gate.

use std::collections::BTreeSet;

use gitops_core::judge::Mode;
use gitops_tree::{Tree, TreeError, TreePath};
use gitops_yaml::FileId;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::load::{PolicyError, Role};

/// `apiVersion` of every file.
const API_VERSION: &str = "kubectl-gitops.dev/v1alpha1";

/// One document of the bindings file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct BindingFile {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) metadata: Option<BindingMetadata>,
    pub(crate) spec: BindingSpec,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BindingMetadata {
    pub(crate) name: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BindingSpec {
    #[serde(default)]
    pub(crate) promotions: Vec<PromotionEntry>,
    #[serde(default)]
    pub(crate) environments: Vec<String>,
    /// Whether its checks look at all of its environments at once.
    #[serde(default)]
    pub(crate) compare: bool,
    pub(crate) policies: Vec<BoundEntry>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PromotionEntry {
    pub(crate) from: String,
    pub(crate) to: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BoundEntry {
    pub(crate) name: String,
    pub(crate) mode: ModeWord,
    #[serde(default)]
    pub(crate) settings: Value,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ModeWord {
    Enforce,
    Warn,
    Audit,
}

impl From<ModeWord> for Mode {
    fn from(word: ModeWord) -> Mode {
        match word {
            ModeWord::Enforce => Mode::Enforce,
            ModeWord::Warn => Mode::Warn,
            ModeWord::Audit => Mode::Audit,
        }
    }
}

/// `policy.yaml`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct PolicyFile {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) metadata: PolicyMetadata,
    pub(crate) spec: PolicySpec,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyMetadata {
    pub(crate) name: String,
    pub(crate) version: String,
    #[serde(default, rename = "description")]
    pub(crate) _description: Option<String>,
    #[serde(default, rename = "owners")]
    pub(crate) _owners: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicySpec {
    /// What it judges.
    pub(crate) kind: Kinds,
    pub(crate) module: String,
    #[schemars(extend("const" = "component"))]
    pub(crate) abi: String,
    #[serde(default)]
    #[schemars(extend("enum" = ["none", null]))]
    pub(crate) wasi: Option<String>,
    #[serde(default)]
    pub(crate) codes: Vec<CodeEntry>,
}

/// A kind, or several where the module exports both interfaces.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`promotion-gate`, `conformance-check`, or a list of both")]
pub(crate) enum Kinds {
    One(Role),
    #[schemars(extend("minItems" = 1))]
    Several(Vec<Role>),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeEntry {
    pub(crate) code: String,
    #[serde(default, rename = "severity")]
    pub(crate) _severity: Option<String>,
    #[serde(default, rename = "url")]
    pub(crate) _url: Option<String>,
}

/// `policies.lock`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LockFile {
    /// Grows with every change; it must not go down.
    pub(crate) serial: u64,
    #[serde(default, rename = "policy")]
    pub(crate) policies: Vec<LockEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LockEntry {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Hex, without a prefix.
    pub(crate) sha256: String,
    pub(crate) size: u64,
    pub(crate) abi: String,
    pub(crate) wit: String,
    pub(crate) imports: Vec<String>,
}

/// The schema of `policy.yaml`.
pub fn policy_schema(generator: SchemaGenerator) -> Schema {
    generator.into_root_schema_for::<PolicyFile>()
}

/// The schema of one document of the bindings file.
pub fn binding_schema(generator: SchemaGenerator) -> Schema {
    generator.into_root_schema_for::<BindingFile>()
}

impl PolicyFile {
    /// What it judges, at least one thing.
    pub(crate) fn roles(&self) -> BTreeSet<Role> {
        match &self.spec.kind {
            Kinds::One(role) => BTreeSet::from([*role]),
            Kinds::Several(roles) => roles.iter().copied().collect(),
        }
    }

    /// The codes it lists.
    pub(crate) fn codes(&self) -> BTreeSet<String> {
        self.spec.codes.iter().map(|entry| entry.code.clone()).collect()
    }
}

/// Reads the documents of a YAML file, skipping empty ones; with each its line.
pub(crate) fn documents<T: for<'de> Deserialize<'de>>(
    tree: &dyn Tree,
    path: &TreePath,
    kind: &str,
    head: impl Fn(&T) -> (&str, &str),
) -> Result<Vec<(u32, gitops_yaml::Node, T)>, PolicyError> {
    let bytes = tree.read(path).map_err(|source| PolicyError::Tree { source })?;
    let documents = gitops_yaml::read(FileId(0), &bytes).map_err(|error| PolicyError::File {
        path: path.clone(),
        line: error.line,
        column: error.column,
        reason: error.reason,
    })?;
    let mut read = Vec::new();
    for document in documents {
        let Some(root) = document.root else { continue };
        let typed: T = gitops_yaml::decode(&root).map_err(|error| PolicyError::File {
            path: path.clone(),
            line: error.line,
            column: error.column,
            reason: match error.path.as_str() {
                "" | "." => error.message,
                at => format!("{at}: {}", error.message),
            },
        })?;
        let (api_version, found) = head(&typed);
        if api_version != API_VERSION || found != kind {
            return Err(PolicyError::File {
                path: path.clone(),
                line: root.mark.line,
                column: root.mark.column,
                reason: format!(
                    "expected `apiVersion: {API_VERSION}` and `kind: {kind}`, \
                     found `{api_version}` and `{found}`"
                ),
            });
        }
        read.push((document.line, root, typed));
    }
    Ok(read)
}

/// `policies.lock` of the tree, and nothing where it is absent.
pub(crate) fn lock(tree: &dyn Tree) -> Result<Option<LockFile>, PolicyError> {
    let path = lock_path();
    let bytes = match tree.read(&path) {
        Ok(bytes) => bytes,
        Err(TreeError::Absent { .. }) => return Ok(None),
        Err(source) => return Err(PolicyError::Tree { source }),
    };
    let malformed = |reason: String| PolicyError::Lock { path: lock_path(), reason };
    let text = std::str::from_utf8(&bytes).map_err(|error| malformed(error.to_string()))?;
    toml::from_str(text).map(Some).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let (line, column) = (before.lines().count().max(1), before.lines().last().map_or(0, str::len));
        let reason = error.message().replace('\n', " ");
        malformed(format!(
            "line {line}, column {}: {reason}; take the file of the trust branch, or delete it and lock again",
            column + 1
        ))
    })
}

/// `policies.lock` at the root.
pub(crate) fn lock_path() -> TreePath {
    TreePath::new(crate::LOCK_FILE).expect("it is a plain name")
}
