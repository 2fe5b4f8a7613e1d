//! `generators` and `transformers`: kustomize's built-in plugins, configured
//! by objects of their own.
//!
//! Kinds from kustomize v5.8, api/internal/plugins/builtinhelpers. Plugins of
//! the user's own (programs, containers) are not run.

use gitops_yaml::{Node, Tag, Value};

use crate::decode::{Decode, join};
use crate::error::BuildError;
use crate::fieldspec::FieldSpec;
use crate::files::Files;
use crate::generate::{self, Kind};
use crate::kustomization::{
    self, GeneratorOptions, read_field_spec, read_image, read_patch, read_replica,
};
use crate::patch::{self, Home};
use crate::resource::Object;
use crate::set::Set;
use crate::transform::{self, Affix, Subjects};
use crate::{Warning, replacements};

/// A plugin's configuration. Fields that the plugin does not know are passed
/// over, as kustomize does.
struct Plugin<'a> {
    object: &'a Object,
}

impl<'a> Plugin<'a> {
    fn new(object: &'a Object) -> Result<Plugin<'a>, BuildError> {
        if object.api_version() == "builtin" {
            return Ok(Plugin { object });
        }
        Err(BuildError::Unsupported {
            place: object.place.clone(),
            field: format!("{} {}", object.api_version(), object.kind()),
        })
    }

    fn decode(&self) -> Decode<'a> {
        Decode { path: &self.object.place.path, lenient: true }
    }

    fn unsupported(&self) -> BuildError {
        BuildError::Unsupported {
            place: self.object.place.clone(),
            field: format!("builtin {}", self.object.kind()),
        }
    }

    fn field(&self, name: &str) -> Option<&'a Node> {
        let entries = self.object.node.entries();
        let named = |(key, _): &&(Node, Node)| {
            key.text().is_some_and(|text| text.eq_ignore_ascii_case(name))
        };
        entries.iter().find(named).map(|(_, value)| value).filter(|node| !node.is_null())
    }

    fn text(&self, name: &str) -> Result<String, BuildError> {
        match self.field(name) {
            Some(node) => Ok(self.decode().string(node, name)?.to_owned()),
            None => Ok(String::new()),
        }
    }

    fn specs(&self) -> Result<Vec<FieldSpec>, BuildError> {
        let Some(node) = self.field("fieldSpecs") else { return Ok(Vec::new()) };
        self.decode()
            .list(node, "fieldSpecs")?
            .iter()
            .enumerate()
            .map(|(index, item)| {
                read_field_spec(self.decode(), item, &join("fieldSpecs", &index.to_string()))
            })
            .collect()
    }

    /// A mapping of strings; here numbers and booleans count as strings.
    fn pairs(&self, name: &str) -> Result<Vec<(String, Node)>, BuildError> {
        let Some(node) = self.field(name) else { return Ok(Vec::new()) };
        let mut node = node.clone();
        for (_, value) in node.entries_mut().into_iter().flatten() {
            if let Value::Scalar(scalar) = &mut value.value
                && matches!(scalar.tag, Tag::Bool | Tag::Int | Tag::Float)
            {
                scalar.tag = Tag::Str;
            }
        }
        self.decode().string_map(&node, name)
    }

    /// The object with these fields only.
    fn only(&self, names: &[&str]) -> Node {
        let entries = self
            .object
            .node
            .entries()
            .iter()
            .filter(|(key, _)| {
                let text = key.text().unwrap_or_default();
                names.iter().any(|name| name.eq_ignore_ascii_case(text))
            })
            .cloned()
            .collect();
        Node { value: Value::Mapping(entries), mark: self.object.node.mark }
    }

    fn strings(&self, name: &str) -> Result<Vec<Node>, BuildError> {
        self.field(name).map_or(Ok(Vec::new()), |node| self.decode().strings(node, name))
    }
}

/// Makes the object of a generator.
pub(crate) fn generate(
    files: &mut Files<'_>,
    home: &Home<'_>,
    object: &Object,
) -> Result<Object, BuildError> {
    let plugin = Plugin::new(object)?;
    let kind = match object.kind() {
        "ConfigMapGenerator" => Kind::ConfigMap,
        "SecretGenerator" => Kind::Secret,
        _ => return Err(plugin.unsupported()),
    };
    let fields =
        ["namespace", "name", "behavior", "literals", "files", "envs", "env", "options", "type"];
    let node = plugin.only(&fields);
    let mut generator = kustomization::read_secret(plugin.decode(), &node, "generator")?;
    if generator.name.is_empty() {
        generator.name = object.name().to_owned();
    }
    if generator.namespace.is_empty() {
        generator.namespace = object.namespace().to_owned();
    }
    generate::generate(files, home.root, home.path, kind, &generator, &GeneratorOptions::default())
}

/// Carries a transformer out.
pub(crate) fn transform(
    set: &mut Set,
    files: &mut Files<'_>,
    home: &Home<'_>,
    object: &Object,
    warnings: &mut Vec<Warning>,
) -> Result<(), BuildError> {
    let plugin = Plugin::new(object)?;
    let decode = plugin.decode();
    let place = &object.place;
    match object.kind() {
        "NamespaceTransformer" => {
            let subjects = match plugin.text("setRoleBindingSubjects")?.as_str() {
                "" | "defaultOnly" => Subjects::Default,
                "allServiceAccounts" => Subjects::ServiceAccounts,
                "none" => Subjects::None,
                other => {
                    return Err(BuildError::Invalid {
                        place: place.clone(),
                        message: format!(
                            "`setRoleBindingSubjects` is `{other}`, expected defaultOnly, allServiceAccounts or none"
                        ),
                    });
                }
            };
            let unset_only = match plugin.field("unsetOnly") {
                Some(node) => decode.boolean(node, "unsetOnly")?,
                None => false,
            };
            match object.node.at_path(&["metadata", "namespace"]) {
                Some(namespace) if !object.namespace().is_empty() => {
                    transform::namespace(set, namespace, &plugin.specs()?, subjects, unset_only)
                }
                _ => Ok(()),
            }
        }
        kind @ ("PrefixTransformer" | "SuffixTransformer" | "PrefixSuffixTransformer") => {
            if plugin.field("fieldSpecs").is_none() {
                return Err(BuildError::Invalid {
                    place: place.clone(),
                    message: format!("a {kind} needs `fieldSpecs`"),
                });
            }
            let specs = plugin.specs()?;
            if kind != "SuffixTransformer" {
                transform::affix(set, &plugin.text("prefix")?, Affix::Prefix, &specs)?;
            }
            if kind != "PrefixTransformer" {
                transform::affix(set, &plugin.text("suffix")?, Affix::Suffix, &specs)?;
            }
            Ok(())
        }
        "LabelTransformer" => transform::pairs(set, &plugin.pairs("labels")?, &plugin.specs()?),
        "AnnotationsTransformer" => {
            transform::pairs(set, &plugin.pairs("annotations")?, &plugin.specs()?)
        }
        "ImageTagTransformer" => match plugin.field("imageTag") {
            Some(node) => {
                let image = read_image(decode, node, "imageTag")?;
                transform::image(set, &image, &plugin.specs()?, place)
            }
            None => Ok(()),
        },
        "ReplicaCountTransformer" => match plugin.field("replica") {
            Some(node) => {
                let replica = read_replica(decode, node, "replica")?;
                transform::replicas(set, &replica, &plugin.specs()?, place)
            }
            None => Ok(()),
        },
        "PatchTransformer" => {
            let node = plugin.only(&["path", "patch", "target", "options"]);
            let entry = read_patch(decode, &node, "")?;
            patch::apply(set, files, home, &entry, warnings)
        }
        "PatchJson6902Transformer" => {
            let mut node = plugin.only(&["path", "target"]);
            if let Some(operations) = plugin.field("jsonOp") {
                node.set("patch", operations.clone());
            }
            let entry = read_patch(decode, &node, "")?;
            patch::apply_json_entry(set, files, home, &entry, warnings)
        }
        "PatchStrategicMergeTransformer" => {
            let mut entries = plugin.strings("paths")?;
            entries.extend(plugin.field("patches").cloned());
            if entries.is_empty() {
                return Err(BuildError::Patch {
                    place: place.clone(),
                    message: "a PatchStrategicMergeTransformer needs `paths` or `patches`"
                        .to_owned(),
                });
            }
            patch::apply_strategic_entries(set, files, home, &entries)
        }
        "HashTransformer" => generate::add_hashes(&mut set.objects),
        "ReplacementTransformer" => {
            let entries = match plugin.field("replacements") {
                Some(node) => decode.list(node, "replacements")?,
                None => &[],
            };
            let replacements = replacements::read(files, home, entries)?;
            replacements::apply(set, &replacements)
        }
        _ => Err(plugin.unsupported()),
    }
}
