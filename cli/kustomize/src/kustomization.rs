//! The kustomization file.
//!
//! Fields of kustomize v5.8, api/types/kustomization.go.

mod entries;

use std::cell::RefCell;

use gitops_tree::TreePath;
use gitops_yaml::{Mark, Node, Text};

use crate::decode::Decode;
use crate::error::BuildError;
use crate::fieldspec::FieldSpec;
use crate::helm;
use crate::id::Gvk;
use crate::variables::{self, Variable};

use entries::{
    each, non_empty, read_build_metadata, read_config_map, read_generator_options, read_labels,
    read_sort,
};
pub(crate) use entries::{
    read_field_spec, read_image, read_patch, read_replica, read_secret, read_selector,
};

/// A kustomization, read and checked. Strings that end up in objects, or that
/// errors point at, are kept as nodes with their marks.
#[derive(Default)]
pub(crate) struct Kustomization {
    /// The name under which it was found.
    pub(crate) file_name: &'static str,
    pub(crate) is_component: bool,
    /// Whether some of its fields could not be read.
    pub(crate) is_broken: bool,
    pub(crate) resources: Vec<Node>,
    pub(crate) components: Vec<Node>,
    pub(crate) name_prefix: Option<Node>,
    pub(crate) name_suffix: Option<Node>,
    pub(crate) namespace: Option<Node>,
    pub(crate) common_labels: Vec<(String, Node)>,
    pub(crate) labels: Vec<Labels>,
    pub(crate) common_annotations: Vec<(String, Node)>,
    pub(crate) patches_strategic_merge: Vec<Node>,
    pub(crate) patches: Vec<Patch>,
    pub(crate) patches_json: Vec<Patch>,
    pub(crate) images: Vec<Image>,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) config_maps: Vec<Generator>,
    pub(crate) secrets: Vec<Generator>,
    pub(crate) generator_options: GeneratorOptions,
    pub(crate) configurations: Vec<Node>,
    pub(crate) crds: Vec<Node>,
    /// `openapi`: `path` or `version`, and whatever else stands there.
    pub(crate) openapi: Vec<(String, Node)>,
    pub(crate) replacements: Vec<Node>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) generators: Vec<Node>,
    pub(crate) transformers: Vec<Node>,
    pub(crate) validators: Vec<Node>,
    /// `helmCharts`, then `helmChartInflationGenerator`.
    pub(crate) charts: Vec<helm::Entry>,
    pub(crate) helm_globals: Option<helm::Globals>,
    /// What `helmChartInflationGenerator` says where `helmGlobals` is not there.
    pub(crate) legacy_globals: helm::Globals,
    pub(crate) sort: Option<Sort>,
    pub(crate) metadata: BuildMetadata,
    /// What is worth telling of its fields, at their keys.
    pub(crate) remarks: Vec<(Mark, String)>,
}

/// `buildMetadata`.
#[derive(Clone, Copy)]
pub(crate) struct BuildMetadata {
    pub(crate) managed_by_label: bool,
    /// Where the list of options stands.
    pub(crate) mark: Mark,
    pub(crate) origin_annotations: bool,
    pub(crate) transformer_annotations: bool,
}

impl Default for BuildMetadata {
    fn default() -> BuildMetadata {
        BuildMetadata {
            managed_by_label: false,
            mark: Mark::NONE,
            origin_annotations: false,
            transformer_annotations: false,
        }
    }
}

/// An entry of `labels`.
pub(crate) struct Labels {
    pub(crate) pairs: Vec<(String, Node)>,
    pub(crate) include_selectors: bool,
    pub(crate) include_templates: bool,
    pub(crate) fields: Vec<FieldSpec>,
}

/// An entry of `patches` or `patchesJson6902`.
pub(crate) struct Patch {
    pub(crate) mark: Mark,
    pub(crate) path: Option<Node>,
    pub(crate) patch: Option<Node>,
    pub(crate) target: Option<Selector>,
    pub(crate) allow_name_change: bool,
    pub(crate) allow_kind_change: bool,
}

/// Which objects a patch is for; empty parts match anything, the others are
/// regular expressions.
pub(crate) struct Selector {
    pub(crate) mark: Mark,
    pub(crate) gvk: Gvk,
    pub(crate) name: Text,
    pub(crate) namespace: Text,
    pub(crate) label_selector: Text,
    pub(crate) annotation_selector: Text,
}

impl Selector {
    /// The one name that it matches, where it is written without the signs of
    /// regular expressions.
    pub(crate) fn plain_name(&self) -> Option<&str> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (!self.name.is_empty() && self.name.bytes().all(is_plain)).then_some(&*self.name)
    }
}

/// An entry of `images`.
pub(crate) struct Image {
    pub(crate) mark: Mark,
    pub(crate) name: String,
    pub(crate) new_name: Option<Node>,
    pub(crate) tag_suffix: Option<Node>,
    pub(crate) new_tag: Option<Node>,
    pub(crate) digest: Option<Node>,
}

/// An entry of `replicas`.
pub(crate) struct Replica {
    pub(crate) name: String,
    pub(crate) count: Node,
}

/// An entry of `configMapGenerator` or `secretGenerator`.
pub(crate) struct Generator {
    pub(crate) mark: Mark,
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) behavior: String,
    pub(crate) secret_type: String,
    pub(crate) literals: Vec<Node>,
    pub(crate) files: Vec<Node>,
    pub(crate) envs: Vec<Node>,
    pub(crate) options: GeneratorOptions,
}

/// `generatorOptions`, or `options` of one generator.
#[derive(Clone, Default)]
pub(crate) struct GeneratorOptions {
    pub(crate) labels: Vec<(String, Node)>,
    pub(crate) annotations: Vec<(String, Node)>,
    pub(crate) disable_name_suffix_hash: bool,
    pub(crate) immutable: bool,
}

/// `sortOptions`.
pub(crate) enum Sort {
    /// As the objects were read.
    Fifo,
    /// By lists of kinds; `None` for the built-in ones.
    Legacy(Option<(Vec<String>, Vec<String>)>),
}

const FIELDS: &[&str] = &[
    "kind",
    "apiVersion",
    "metadata",
    "openapi",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "commonLabels",
    "labels",
    "commonAnnotations",
    "patchesStrategicMerge",
    "patchesJson6902",
    "patches",
    "images",
    "imageTags",
    "replacements",
    "replicas",
    "vars",
    "sortOptions",
    "resources",
    "components",
    "crds",
    "bases",
    "configMapGenerator",
    "secretGenerator",
    "helmGlobals",
    "helmCharts",
    "helmChartInflationGenerator",
    "generatorOptions",
    "configurations",
    "generators",
    "transformers",
    "validators",
    "buildMetadata",
];

const COMPONENT: &str = "Component";

impl Kustomization {
    /// Reads a kustomization from the root of its document. `errors` takes
    /// what is wrong with its fields; an error is returned where it is none.
    pub(crate) fn read(
        path: &TreePath,
        root: &Node,
        errors: &RefCell<Vec<BuildError>>,
    ) -> Result<Kustomization, BuildError> {
        let decode = Decode::collecting(path, errors);
        let empty = || BuildError::EmptyKustomization { place: crate::Place::file(path.clone()) };
        if root.is_null() {
            return Err(empty());
        }
        let mut kustomization = Kustomization::default();
        // The fields of something else would all be unknown.
        kustomization.read_header(Decode::strict(path), root)?;
        let fields = decode.fields(root, "", FIELDS)?;
        let any_unknown = !errors.borrow().is_empty();
        if !any_unknown && fields.iter().all(|(name, ..)| matches!(*name, "kind" | "apiVersion")) {
            return Err(empty());
        }
        kustomization.remarks.extend(respelled(&fields));
        let mut bases = Vec::new();
        let mut image_tags = Vec::new();
        for (name, key, value) in fields {
            let read =
                kustomization.read_field(decode, name, key, value, &mut bases, &mut image_tags);
            decode.or_report(read)?;
        }
        kustomization.resources.extend(bases);
        kustomization.images.extend(image_tags);
        Ok(kustomization)
    }

    fn read_header(&mut self, decode: Decode<'_>, root: &Node) -> Result<(), BuildError> {
        let find = |wanted: &str| {
            let mut entries = root.entries().iter().rev();
            let is_wanted =
                |key: &Node| key.text().is_some_and(|text| text.eq_ignore_ascii_case(wanted));
            entries.find(|(key, value)| is_wanted(key) && !value.is_null()).map(|(_, value)| value)
        };
        if let Some(kind) = find("kind") {
            match decode.string(kind, "kind")? {
                "" | "Kustomization" => {}
                COMPONENT => self.is_component = true,
                found => {
                    return Err(BuildError::Header {
                        place: decode.place(kind.mark),
                        field: "kind",
                        found: found.to_owned(),
                        expected: "`Kustomization` or `Component`",
                    });
                }
            }
        }
        if let Some(version) = find("apiVersion") {
            let found = decode.string(version, "apiVersion")?;
            let (wanted, expected) = if self.is_component {
                ("kustomize.config.k8s.io/v1alpha1", "`kustomize.config.k8s.io/v1alpha1`")
            } else {
                ("kustomize.config.k8s.io/v1beta1", "`kustomize.config.k8s.io/v1beta1`")
            };
            if !found.is_empty() && found != wanted {
                return Err(BuildError::Header {
                    place: decode.place(version.mark),
                    field: "apiVersion",
                    found: found.to_owned(),
                    expected,
                });
            }
        }
        Ok(())
    }

    fn read_field(
        &mut self,
        decode: Decode<'_>,
        name: &'static str,
        key: &Node,
        value: &Node,
        bases: &mut Vec<Node>,
        image_tags: &mut Vec<Image>,
    ) -> Result<(), BuildError> {
        if let Some(instead) = deprecated(name) {
            self.remarks.push((key.mark, format!("`{name}` is deprecated; {instead}")));
        }
        match name {
            "kind" | "apiVersion" => {}
            "metadata" => {
                decode.fields(value, name, &["name", "namespace", "labels", "annotations"])?;
            }
            "namePrefix" => self.name_prefix = non_empty(decode, value, name)?,
            "nameSuffix" => self.name_suffix = non_empty(decode, value, name)?,
            "namespace" => self.namespace = non_empty(decode, value, name)?,
            "commonLabels" => self.common_labels = decode.string_map(value, name)?,
            "labels" => self.labels = each(decode, value, name, read_labels)?,
            "commonAnnotations" => self.common_annotations = decode.string_map(value, name)?,
            "patchesStrategicMerge" => {
                self.patches_strategic_merge = decode.strings(value, name)?
            }
            "patchesJson6902" => self.patches_json = each(decode, value, name, read_patch)?,
            "patches" => self.patches = each(decode, value, name, read_patch)?,
            "images" => self.images = each(decode, value, name, read_image)?,
            "imageTags" => *image_tags = each(decode, value, name, read_image)?,
            "replicas" => self.replicas = each(decode, value, name, read_replica)?,
            "sortOptions" => self.sort = Some(read_sort(decode, value)?),
            "resources" => self.resources = decode.strings(value, name)?,
            "components" => self.components = decode.strings(value, name)?,
            "bases" => *bases = decode.strings(value, name)?,
            "configMapGenerator" => self.config_maps = each(decode, value, name, read_config_map)?,
            "secretGenerator" => self.secrets = each(decode, value, name, read_secret)?,
            "generatorOptions" => {
                self.generator_options = read_generator_options(decode, value, name)?;
            }
            "replacements" => self.replacements = decode.list(value, name)?.to_vec(),
            "vars" => self.variables = each(decode, value, name, variables::read)?,
            "generators" => self.generators = decode.strings(value, name)?,
            "transformers" => self.transformers = decode.strings(value, name)?,
            "validators" => self.validators = decode.strings(value, name)?,
            "configurations" => self.configurations = decode.strings(value, name)?,
            "crds" => self.crds = decode.strings(value, name)?,
            "openapi" => self.openapi = decode.string_map(value, name)?,
            "buildMetadata" => self.metadata = read_build_metadata(decode, value, name)?,
            "helmGlobals" => self.helm_globals = Some(helm::read_globals(decode, value, name)?),
            "helmCharts" => {
                self.charts.splice(..0, each(decode, value, name, helm::read_chart)?).for_each(drop)
            }
            "helmChartInflationGenerator" => {
                for (entry, globals) in each(decode, value, name, helm::read_legacy)? {
                    self.charts.push(entry);
                    let legacy = &mut self.legacy_globals;
                    // The last that says something counts.
                    for (own, new) in [
                        (&mut legacy.home, globals.home),
                        (&mut legacy.config_home, globals.config_home),
                    ] {
                        if !new.is_empty() {
                            *own = new;
                        }
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The way out of a deprecated field: those that kustomize warns of
/// (`CheckDeprecatedFields`).
fn deprecated(field: &str) -> Option<&'static str> {
    Some(match field {
        "bases" => "move its entries to `resources`",
        "commonLabels" => "use `labels` with `includeSelectors: true`",
        "imageTags" => "move its entries to `images`",
        "patchesJson6902" => "move its entries to `patches`",
        "patchesStrategicMerge" => "use `patches`, each with `path` or `patch`",
        "vars" => "use `replacements`",
        _ => return None,
    })
}

/// Spellings of one field that differ in case: the last of `fields` counts.
fn respelled(fields: &[(&str, &Node, &Node)]) -> Vec<(Mark, String)> {
    let mut found = Vec::new();
    for (at, (name, lost, _)) in fields.iter().enumerate() {
        let Some((_, counts, _)) = fields[at + 1..].iter().rfind(|(other, ..)| other == name)
        else {
            continue;
        };
        let text = |key: &Node| key.text().unwrap_or_default().to_owned();
        found.push((
            lost.mark,
            format!(
                "`{}` at line {} counts instead of `{}`: write it once",
                text(counts),
                counts.mark.line,
                text(lost)
            ),
        ));
    }
    found
}
