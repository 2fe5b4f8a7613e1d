//! Files named under `configurations`.
//!
//! Fields from kustomize v5.8, api/internal/plugins/builtinconfig.

use gitops_tree::TreePath;
use gitops_yaml::Node;

use crate::decode::{Decode, join};
use crate::defaults::{Config, NameReference};
use crate::error::BuildError;
use crate::fieldspec::FieldSpec;
use crate::id::Gvk;
use crate::kustomization::read_field_spec;

const FIELDS: &[&str] = &[
    "namePrefix",
    "nameSuffix",
    "namespace",
    "commonLabels",
    "labels",
    "templateLabels",
    "commonAnnotations",
    "nameReference",
    "varReference",
    "images",
    "replicas",
];

/// Reads what a configuration adds to the built-in one.
pub(crate) fn read(path: &TreePath, root: &Node) -> Result<Config, BuildError> {
    let decode = Decode::strict(path);
    let mut config = Config::default();
    if root.is_null() {
        return Ok(config);
    }
    for (name, _, value) in decode.fields(root, "", FIELDS)? {
        if name == "nameReference" {
            for (index, item) in decode.list(value, name)?.iter().enumerate() {
                config.references.push(read_reference(decode, item, &format!("{name}[{index}]"))?);
            }
            continue;
        }
        let specs = read_specs(decode, value, name)?;
        *match name {
            "namePrefix" => &mut config.name_prefix,
            "nameSuffix" => &mut config.name_suffix,
            "namespace" => &mut config.namespace,
            "commonLabels" => &mut config.common_labels,
            "labels" => &mut config.labels,
            "templateLabels" => &mut config.template_labels,
            "commonAnnotations" => &mut config.annotations,
            "varReference" => &mut config.variables,
            "images" => &mut config.images,
            _ => &mut config.replicas,
        } = specs;
    }
    Ok(config)
}

fn read_specs(decode: Decode<'_>, node: &Node, at: &str) -> Result<Vec<FieldSpec>, BuildError> {
    decode
        .list(node, at)?
        .iter()
        .enumerate()
        .map(|(index, item)| read_field_spec(decode, item, &format!("{at}[{index}]")))
        .collect()
}

fn read_reference(decode: Decode<'_>, node: &Node, at: &str) -> Result<NameReference, BuildError> {
    let mut reference = NameReference { target: Gvk::default(), fields: Vec::new() };
    for (name, _, value) in decode.fields(node, at, &["group", "version", "kind", "fieldSpecs"])? {
        let field = join(at, name);
        if name == "fieldSpecs" {
            reference.fields = read_specs(decode, value, &field)?;
            continue;
        }
        let text = decode.string(value, &field)?.into();
        *match name {
            "group" => &mut reference.target.group,
            "version" => &mut reference.target.version,
            _ => &mut reference.target.kind,
        } = text;
    }
    Ok(reference)
}
