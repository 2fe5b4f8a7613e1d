//! `gitops.yaml` as it is written. Keys that this version does not act on are
//! refused by [`super::keys`] before anything is decoded.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::gates;

/// The whole file.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct File {
    /// `kubectl-gitops.dev/v1alpha1`.
    pub(crate) api_version: String,
    /// `GitOps`.
    pub(crate) kind: String,
    /// Repositories other than this one, by name.
    #[serde(default)]
    pub(crate) repositories: BTreeMap<String, super::Repository>,
    /// Where configuration and policies are read from.
    #[serde(default)]
    pub(crate) trust: Trust,
    /// The environments, in order unless `after` says otherwise.
    pub(crate) environments: Vec<Environment>,
    /// What moves, app by app; the first match wins.
    #[serde(default)]
    pub(crate) apps: Vec<App>,
    /// Path of the policy bindings.
    #[serde(default)]
    pub(crate) policies: Option<String>,
    /// Texts of commits and requests.
    #[serde(default)]
    pub(crate) pull_request: PullRequest,
    /// The forge behind the repository, where its address does not tell.
    #[serde(default)]
    pub(crate) forge: Option<Forge>,
    /// How clusters are compared.
    #[serde(default)]
    pub(crate) diff: Diff,
    /// What else is secret.
    #[serde(default)]
    pub(crate) seal: Vec<Seal>,
}

/// Where configuration and policies are read from.
#[derive(Deserialize, JsonSchema, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Trust {
    /// A branch; the repository's default branch where absent.
    #[serde(default)]
    pub(crate) branch: Option<String>,
}

/// One environment.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Environment {
    /// Its name.
    pub(crate) name: String,
    /// Its folder; may hold `{app}`.
    pub(crate) path: String,
    /// Its branch; the trust branch where absent.
    #[serde(default)]
    pub(crate) branch: Option<String>,
    /// Its repository, by name; this one where absent.
    #[serde(default)]
    pub(crate) repository: Option<String>,
    /// What the cluster reconciles, where that is more than `path`.
    #[serde(default)]
    pub(crate) roots: Vec<String>,
    /// The clusters that follow it.
    #[serde(default)]
    pub(crate) clusters: Vec<Cluster>,
    /// What reconciles them; found out where absent.
    #[serde(default)]
    pub(crate) controller: Option<super::Controller>,
    /// What happens to a change whose gate is open.
    #[serde(default)]
    pub(crate) merge: super::Merge,
    /// How a request is merged.
    #[serde(default)]
    pub(crate) method: Option<super::Method>,
    /// The environments before it.
    #[serde(default)]
    pub(crate) after: Option<After>,
    /// Environments that a promotion may start from besides those before it.
    #[serde(default)]
    pub(crate) from: Vec<String>,
    /// What else must hold before a change may enter.
    #[serde(default)]
    pub(crate) gates: Vec<gates::Written>,
    /// For how long gates may be pending.
    #[serde(default)]
    pub(crate) gate_timeout: Option<gates::Text>,
    /// What rollbacks are spared.
    #[serde(default)]
    pub(crate) rollback: gates::Rollback,
    /// Texts of its own commits and requests.
    #[serde(default)]
    pub(crate) pull_request: Option<OwnTexts>,
}

/// Texts of one environment, in place of those of the file.
#[derive(Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnTexts {
    /// Commit message, without trailers.
    #[serde(default)]
    pub(crate) commit: Option<String>,
    /// Title of a request.
    #[serde(default)]
    pub(crate) title: Option<String>,
    /// Body of a request.
    #[serde(default)]
    pub(crate) body: Option<String>,
    /// Labels of a request.
    #[serde(default)]
    pub(crate) labels: Option<Vec<String>>,
}

/// `[uat]`, `{all: [uat, perf]}` or `{any: [uat, perf]}`.
#[derive(JsonSchema, Debug)]
#[schemars(untagged)]
pub(crate) enum After {
    /// All of them.
    List(Vec<String>),
    /// One of the two forms.
    Form(AfterForm),
}

// Derived, a list of lists would be taken for the fields of the long form.
impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<After, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = After;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of environments, or `all` or `any` with one")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<After, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(After::List)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<After, A::Error> {
                AfterForm::deserialize(MapAccessDeserializer::new(map)).map(After::Form)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// The long form of `after`.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct AfterForm {
    /// All of them.
    #[serde(default)]
    pub(crate) all: Option<Vec<String>>,
    /// Any of them.
    #[serde(default)]
    pub(crate) any: Option<Vec<String>>,
}

/// A cluster of an environment.
#[derive(Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Cluster {
    /// Its name.
    pub(crate) name: String,
    /// Its kubeconfig context; contexts are personal and may be given by flag.
    #[serde(default)]
    pub(crate) context: Option<String>,
    /// What it reconciles, where that differs from the environment's.
    #[serde(default)]
    pub(crate) path: Option<String>,
}

/// What moves for some apps.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct App {
    /// A glob over app names.
    #[serde(rename = "match")]
    pub(crate) matches: String,
    /// What moves.
    #[serde(default)]
    pub(crate) promote: Option<Vec<Promote>>,
    /// Fields that stay, as dotted globs.
    #[serde(default)]
    pub(crate) never: Vec<String>,
    /// Where these apps may go.
    #[serde(default)]
    pub(crate) only: Option<Only>,
    /// Where their versions are offered.
    #[serde(default)]
    pub(crate) versions: Option<Versions>,
}

/// Where versions are offered: by tags, or in a file.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Versions {
    /// A repository's address, or its name in `repositories`; may hold `{app}`.
    #[serde(default)]
    pub(crate) tags: Option<String>,
    /// What stands before the version in its tags; may hold `{app}`.
    #[serde(default)]
    pub(crate) prefix: Option<String>,
    /// A list in the environment's repository; may hold `{app}`.
    #[serde(default)]
    pub(crate) file: Option<String>,
}

/// One thing that moves: one of these.
#[derive(Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Promote {
    /// A kustomize image.
    #[serde(default)]
    pub(crate) image: Option<Image>,
    /// A value of a YAML or JSON file.
    #[serde(default)]
    pub(crate) yaml: Option<Yaml>,
    /// A Helm value.
    #[serde(default)]
    pub(crate) values: Option<HelmValues>,
    /// The version of a chart.
    #[serde(default)]
    pub(crate) chart: Option<Chart>,
    /// The ref of a repository.
    #[serde(default, rename = "ref")]
    pub(crate) reference: Option<Reference>,
    /// A part of a text file.
    #[serde(default)]
    pub(crate) regex: Option<Regex>,
    /// The files of a folder.
    #[serde(default)]
    pub(crate) copy: Option<Copy>,
}

/// A folder whose files move.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Copy {
    /// Which, from the app's folder.
    #[serde(default = "whole_folder")]
    pub(crate) from: String,
    /// What is left out, as globs.
    #[serde(default)]
    pub(crate) exclude: Vec<String>,
}

fn whole_folder() -> String {
    ".".to_owned()
}

/// A value of a YAML or JSON file that moves.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Yaml {
    /// The file, from the app's folder; may hold `{app}`.
    pub(crate) file: String,
    /// The path of the value, dotted; may hold `{app}`.
    pub(crate) path: String,
    /// The kind of the document, where the file holds several.
    #[serde(default)]
    pub(crate) kind: Option<String>,
    /// The name of the document's object; may hold `{app}`.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Whether keys that the target lacks are added.
    #[serde(default)]
    pub(crate) create: bool,
}

/// A Helm value that moves.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct HelmValues {
    /// The file, or the kind of object that holds the values inline.
    #[serde(default = "values_yaml")]
    pub(crate) file: String,
    /// The key, dotted; may hold `{app}`.
    pub(crate) key: String,
    /// Whether a key that the target lacks is added.
    #[serde(default)]
    pub(crate) create: bool,
}

fn values_yaml() -> String {
    "values.yaml".to_owned()
}

/// A chart whose version moves.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chart {
    /// Its name; may hold `{app}`.
    #[serde(default = "app_variable")]
    pub(crate) name: String,
}

/// A repository whose ref moves.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reference {
    /// Its URL, perhaps with a folder in it; may hold `{app}`.
    pub(crate) base: String,
}

/// A part of a text file that moves.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Regex {
    /// The file, from the app's folder; may hold `{app}`.
    pub(crate) file: String,
    /// The regular expression; its group is the value.
    #[serde(rename = "match")]
    pub(crate) matches: String,
    /// How often it must match.
    #[serde(default = "once")]
    pub(crate) count: usize,
}

fn once() -> usize {
    1
}

/// A kustomize image that moves.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Image {
    /// Its name in `images:`; may hold `{app}`.
    #[serde(default = "app_variable")]
    pub(crate) name: String,
    /// Which of its fields move.
    #[serde(default = "new_tag")]
    pub(crate) fields: Vec<ImageField>,
}

fn app_variable() -> String {
    "{app}".to_owned()
}

fn new_tag() -> Vec<ImageField> {
    vec![ImageField::NewTag]
}

/// A field of a kustomize image.
#[derive(Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ImageField {
    /// `newTag`
    NewTag,
    /// `digest`
    Digest,
    /// `newName`
    NewName,
}

/// Where some apps may go.
#[derive(Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Only {
    /// Names of environments.
    pub(crate) environments: Vec<String>,
}

/// Texts of commits and requests.
#[derive(Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct PullRequest {
    /// Branch of a request.
    #[serde(default)]
    pub(crate) branch: Option<String>,
    /// Commit message, without trailers.
    #[serde(default)]
    pub(crate) commit: Option<String>,
    /// Title of a request.
    #[serde(default)]
    pub(crate) title: Option<String>,
    /// Body of a request.
    #[serde(default)]
    pub(crate) body: Option<String>,
    /// Labels of a request.
    #[serde(default)]
    pub(crate) labels: Vec<String>,
    /// Whose reviews are asked for: users, and teams as `org/team`.
    #[serde(default)]
    pub(crate) reviewers: Vec<String>,
}

/// A forge that the address of its repository does not tell.
#[derive(Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forge {
    /// The software: `github`, `gitlab`, `gitea` or `forgejo`.
    #[serde(default)]
    pub(crate) kind: Option<String>,
    /// Where its web pages start.
    #[serde(default)]
    pub(crate) url: Option<String>,
}

/// How clusters are compared.
#[derive(Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Diff {
    /// Fields whose difference is expected.
    #[serde(default)]
    pub(crate) ignore: Vec<Ignore>,
}

/// A field whose difference is expected.
#[derive(Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ignore {
    /// Kind of the objects.
    pub(crate) kind: String,
    /// Their namespace; any where absent.
    #[serde(default)]
    pub(crate) namespace: Option<String>,
    /// Their name; any where absent.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// RFC 6901 pointer to the field.
    pub(crate) pointer: String,
    /// Why, for whoever reads the diff.
    pub(crate) reason: String,
}

/// Something else that is secret: a field of a kind, or whole files.
#[derive(Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seal {
    /// Kind of the objects.
    #[serde(default)]
    pub(crate) kind: Option<String>,
    /// RFC 6901 pointer to the field.
    #[serde(default)]
    pub(crate) pointer: Option<String>,
    /// A glob over paths of files.
    #[serde(default)]
    pub(crate) path: Option<String>,
}
