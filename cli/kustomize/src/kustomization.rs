//! The kustomization file.
//!
//! Fields of kustomize v5.8, api/types/kustomization.go.

use gitops_tree::TreePath;
use gitops_yaml::{Mark, Node, Value};

use crate::decode::{Decode, join};
use crate::error::{BuildError, Need};
use crate::fieldspec::FieldSpec;
use crate::id::Gvk;
use crate::variables::{self, Variable};

/// A kustomization, read and checked. Strings that end up in objects, or that
/// errors point at, are kept as nodes with their marks.
#[derive(Default)]
pub(crate) struct Kustomization {
    pub(crate) is_component: bool,
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
    pub(crate) replacements: Vec<Node>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) generators: Vec<Node>,
    pub(crate) transformers: Vec<Node>,
    pub(crate) sort: Option<Sort>,
    pub(crate) managed_by_label: bool,
    /// Deprecated fields in use: the field, what replaces it, and where its key stands.
    pub(crate) deprecated: Vec<(&'static str, &'static str, Mark)>,
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
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) label_selector: String,
    pub(crate) annotation_selector: String,
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
    /// Reads a kustomization from the root of its document.
    pub(crate) fn read(path: &TreePath, root: &Node) -> Result<Kustomization, BuildError> {
        let decode = Decode { path, lenient: false };
        let empty = || BuildError::EmptyKustomization { place: crate::Place::file(path.clone()) };
        if root.is_null() {
            return Err(empty());
        }
        let fields = decode.fields(root, "", FIELDS)?;
        if fields.iter().all(|(name, ..)| matches!(*name, "kind" | "apiVersion")) {
            return Err(empty());
        }
        let mut kustomization = Kustomization::default();
        kustomization.read_header(decode, &fields)?;
        let mut bases = Vec::new();
        let mut image_tags = Vec::new();
        for (name, key, value) in fields {
            kustomization.read_field(decode, name, key, value, &mut bases, &mut image_tags)?;
        }
        kustomization.resources.extend(bases);
        kustomization.images.extend(image_tags);
        Ok(kustomization)
    }

    fn read_header(
        &mut self,
        decode: Decode<'_>,
        fields: &[(&'static str, &Node, &Node)],
    ) -> Result<(), BuildError> {
        let find = |wanted: &str| {
            fields.iter().rev().find(|(name, ..)| *name == wanted).map(|(_, _, value)| *value)
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
            self.deprecated.push((name, instead, key.mark));
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
            "configurations" => self.configurations = decode.strings(value, name)?,
            "buildMetadata" => {
                for option in decode.list(value, name)? {
                    match decode.string(option, name)? {
                        "managedByLabel" => self.managed_by_label = true,
                        other @ ("originAnnotations" | "transformerAnnotations") => {
                            return Err(BuildError::Unsupported {
                                place: decode.place(option.mark),
                                field: join(name, other),
                            });
                        }
                        other => {
                            return Err(BuildError::Invalid {
                                place: decode.place(option.mark),
                                message: format!(
                                    "`buildMetadata` holds `{other}`, expected originAnnotations, transformerAnnotations or managedByLabel"
                                ),
                            });
                        }
                    }
                }
            }
            "helmCharts" | "helmChartInflationGenerator" => {
                if let Some(chart) = decode.list(value, name)?.first() {
                    let chart_name = ["name", "chartName"]
                        .iter()
                        .find_map(|field| chart.get(field).and_then(Node::text))
                        .unwrap_or_default();
                    return Err(BuildError::Needs {
                        place: decode.place(chart.mark),
                        need: Need::Helm { chart: chart_name.to_owned() },
                    });
                }
            }
            // Says nothing without a chart, which is refused above.
            "helmGlobals" => {}
            _ => {
                let is_empty = match &value.value {
                    Value::Sequence(items) => items.is_empty(),
                    Value::Mapping(entries) => entries.is_empty(),
                    Value::Scalar(_) => false,
                };
                if !is_empty {
                    return Err(BuildError::Unsupported {
                        place: decode.place(key.mark),
                        field: name.to_owned(),
                    });
                }
            }
        }
        Ok(())
    }
}

fn deprecated(field: &str) -> Option<&'static str> {
    Some(match field {
        "bases" => "resources",
        "commonLabels" => "labels",
        "imageTags" => "images",
        "patchesJson6902" | "patchesStrategicMerge" => "patches",
        "vars" => "replacements",
        _ => return None,
    })
}

fn each<T>(
    decode: Decode<'_>,
    node: &Node,
    field: &str,
    read: impl Fn(Decode<'_>, &Node, &str) -> Result<T, BuildError>,
) -> Result<Vec<T>, BuildError> {
    decode
        .list(node, field)?
        .iter()
        .enumerate()
        .map(|(index, item)| read(decode, item, &format!("{field}[{index}]")))
        .collect()
}

fn non_empty(decode: Decode<'_>, node: &Node, field: &str) -> Result<Option<Node>, BuildError> {
    Ok((!decode.string(node, field)?.is_empty()).then(|| node.clone()))
}

fn owned(decode: Decode<'_>, node: &Node, parent: &str, field: &str) -> Result<String, BuildError> {
    Ok(decode.string(node, &join(parent, field))?.to_owned())
}

fn read_labels(decode: Decode<'_>, node: &Node, at: &str) -> Result<Labels, BuildError> {
    let mut labels = Labels {
        pairs: Vec::new(),
        include_selectors: false,
        include_templates: false,
        fields: Vec::new(),
    };
    let known = ["pairs", "includeSelectors", "includeTemplates", "fields"];
    for (name, _, value) in decode.fields(node, at, &known)? {
        let field = join(at, name);
        match name {
            "pairs" => labels.pairs = decode.string_map(value, &field)?,
            "includeSelectors" => labels.include_selectors = decode.boolean(value, &field)?,
            "includeTemplates" => labels.include_templates = decode.boolean(value, &field)?,
            _ => labels.fields = each(decode, value, &field, read_field_spec)?,
        }
    }
    Ok(labels)
}

/// A field spec as configurations and `labels[].fields` write it.
pub(crate) fn read_field_spec(
    decode: Decode<'_>,
    node: &Node,
    at: &str,
) -> Result<FieldSpec, BuildError> {
    let mut spec = FieldSpec { gvk: Gvk::default(), path: String::new(), create: false };
    for (name, _, value) in
        decode.fields(node, at, &["group", "version", "kind", "path", "create"])?
    {
        match name {
            "group" => spec.gvk.group = owned(decode, value, at, name)?,
            "version" => spec.gvk.version = owned(decode, value, at, name)?,
            "kind" => spec.gvk.kind = owned(decode, value, at, name)?,
            "path" => spec.path = owned(decode, value, at, name)?,
            _ => spec.create = decode.boolean(value, &join(at, name))?,
        }
    }
    Ok(spec)
}

pub(crate) fn read_patch(decode: Decode<'_>, node: &Node, at: &str) -> Result<Patch, BuildError> {
    let mut patch = Patch {
        mark: node.mark,
        path: None,
        patch: None,
        target: None,
        allow_name_change: false,
        allow_kind_change: false,
    };
    for (name, _, value) in decode.fields(node, at, &["path", "patch", "target", "options"])? {
        let field = join(at, name);
        match name {
            "path" => patch.path = non_empty(decode, value, &field)?,
            "patch" => {
                patch.patch = non_empty(decode, value, &field)?
                    .filter(|node| node.text().is_some_and(|text| !text.trim().is_empty()));
            }
            "target" => patch.target = Some(read_selector(decode, value, &field)?),
            _ => {
                for (name, _, value) in
                    decode.fields(value, &field, &["allowNameChange", "allowKindChange"])?
                {
                    let allowed = decode.boolean(value, &join(&field, name))?;
                    match name {
                        "allowNameChange" => patch.allow_name_change = allowed,
                        _ => patch.allow_kind_change = allowed,
                    }
                }
            }
        }
    }
    Ok(patch)
}

pub(crate) fn read_selector(
    decode: Decode<'_>,
    node: &Node,
    at: &str,
) -> Result<Selector, BuildError> {
    let mut selector = Selector {
        mark: node.mark,
        gvk: Gvk::default(),
        name: String::new(),
        namespace: String::new(),
        label_selector: String::new(),
        annotation_selector: String::new(),
    };
    let known =
        ["group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector"];
    for (name, _, value) in decode.fields(node, at, &known)? {
        let text = owned(decode, value, at, name)?;
        *match name {
            "group" => &mut selector.gvk.group,
            "version" => &mut selector.gvk.version,
            "kind" => &mut selector.gvk.kind,
            "name" => &mut selector.name,
            "namespace" => &mut selector.namespace,
            "labelSelector" => &mut selector.label_selector,
            _ => &mut selector.annotation_selector,
        } = text;
    }
    Ok(selector)
}

pub(crate) fn read_image(decode: Decode<'_>, node: &Node, at: &str) -> Result<Image, BuildError> {
    let mut image = Image {
        mark: node.mark,
        name: String::new(),
        new_name: None,
        tag_suffix: None,
        new_tag: None,
        digest: None,
    };
    let known = ["name", "newName", "tagSuffix", "newTag", "digest"];
    for (name, _, value) in decode.fields(node, at, &known)? {
        let field = join(at, name);
        match name {
            "name" => image.name = decode.string(value, &field)?.to_owned(),
            "newName" => image.new_name = non_empty(decode, value, &field)?,
            "tagSuffix" => image.tag_suffix = non_empty(decode, value, &field)?,
            "newTag" => image.new_tag = non_empty(decode, value, &field)?,
            _ => image.digest = non_empty(decode, value, &field)?,
        }
    }
    Ok(image)
}

pub(crate) fn read_replica(
    decode: Decode<'_>,
    node: &Node,
    at: &str,
) -> Result<Replica, BuildError> {
    let mut name = String::new();
    let mut count = Node::scalar("0", gitops_yaml::Tag::Int).at(node.mark);
    for (field, _, value) in decode.fields(node, at, &["name", "count"])? {
        match field {
            "name" => name = owned(decode, value, at, field)?,
            _ => match &value.value {
                Value::Scalar(scalar) if scalar.tag == gitops_yaml::Tag::Int => {
                    count = value.clone()
                }
                _ => return Err(decode.wrong(value, &join(at, field), "a whole number")),
            },
        }
    }
    Ok(Replica { name, count })
}

fn read_config_map(decode: Decode<'_>, node: &Node, at: &str) -> Result<Generator, BuildError> {
    read_generator(
        decode,
        node,
        at,
        &["namespace", "name", "behavior", "literals", "files", "envs", "env", "options"],
    )
}

pub(crate) fn read_secret(
    decode: Decode<'_>,
    node: &Node,
    at: &str,
) -> Result<Generator, BuildError> {
    read_generator(
        decode,
        node,
        at,
        &["namespace", "name", "behavior", "literals", "files", "envs", "env", "options", "type"],
    )
}

fn read_generator(
    decode: Decode<'_>,
    node: &Node,
    at: &str,
    known: &[&'static str],
) -> Result<Generator, BuildError> {
    let mut generator = Generator {
        mark: node.mark,
        name: String::new(),
        namespace: String::new(),
        behavior: String::new(),
        secret_type: String::new(),
        literals: Vec::new(),
        files: Vec::new(),
        envs: Vec::new(),
        options: GeneratorOptions::default(),
    };
    let mut env = None;
    for (name, _, value) in decode.fields(node, at, known)? {
        let field = join(at, name);
        match name {
            "namespace" => generator.namespace = decode.string(value, &field)?.to_owned(),
            "name" => generator.name = decode.string(value, &field)?.to_owned(),
            "behavior" => generator.behavior = decode.string(value, &field)?.to_owned(),
            "type" => generator.secret_type = decode.string(value, &field)?.to_owned(),
            "literals" => generator.literals = decode.strings(value, &field)?,
            "files" => generator.files = decode.strings(value, &field)?,
            "envs" => generator.envs = decode.strings(value, &field)?,
            "env" => env = non_empty(decode, value, &field)?,
            _ => generator.options = read_generator_options(decode, value, &field)?,
        }
    }
    generator.envs.extend(env);
    Ok(generator)
}

fn read_generator_options(
    decode: Decode<'_>,
    node: &Node,
    at: &str,
) -> Result<GeneratorOptions, BuildError> {
    let mut options = GeneratorOptions::default();
    let known = ["labels", "annotations", "disableNameSuffixHash", "immutable"];
    for (name, _, value) in decode.fields(node, at, &known)? {
        let field = join(at, name);
        match name {
            "labels" => options.labels = decode.string_map(value, &field)?,
            "annotations" => options.annotations = decode.string_map(value, &field)?,
            "immutable" => options.immutable = decode.boolean(value, &field)?,
            _ => options.disable_name_suffix_hash = decode.boolean(value, &field)?,
        }
    }
    Ok(options)
}

fn read_sort(decode: Decode<'_>, node: &Node) -> Result<Sort, BuildError> {
    let mut order = None;
    let mut legacy = None;
    for (name, _, value) in decode.fields(node, "sortOptions", &["order", "legacySortOptions"])? {
        match name {
            "order" => order = Some(decode.string(value, "sortOptions.order")?),
            _ => {
                let at = "sortOptions.legacySortOptions";
                let mut lists = (Vec::new(), Vec::new());
                for (name, _, value) in decode.fields(value, at, &["orderFirst", "orderLast"])? {
                    let kinds = decode
                        .strings(value, &join(at, name))?
                        .iter()
                        .map(|kind| kind.text().unwrap_or_default().to_owned())
                        .collect();
                    match name {
                        "orderFirst" => lists.0 = kinds,
                        _ => lists.1 = kinds,
                    }
                }
                legacy = Some((value.mark, lists));
            }
        }
    }
    match (order, legacy) {
        (Some("legacy"), legacy) => Ok(Sort::Legacy(legacy.map(|(_, lists)| lists))),
        (Some("fifo"), None) => Ok(Sort::Fifo),
        (Some("fifo"), Some((mark, _))) => Err(BuildError::Invalid {
            place: decode.place(mark),
            message: "`sortOptions.legacySortOptions` is set while `order` is `fifo`; set `order: legacy`, or delete it".to_owned(),
        }),
        _ => Err(BuildError::Invalid {
            place: decode.place(node.mark),
            message: "`sortOptions.order` must be `legacy` or `fifo`".to_owned(),
        }),
    }
}
