//! The entries of a kustomization's lists.

use gitops_yaml::{Node, Text};

use super::{
    BuildMetadata, Generator, GeneratorOptions, Image, Labels, Patch, Replica, Selector, Sort,
};
use crate::decode::{Decode, join};
use crate::error::BuildError;
use crate::fieldspec::FieldSpec;
use crate::id::Gvk;
use crate::limits::MAX_PATH;

pub(crate) fn each<T>(
    decode: Decode<'_>,
    node: &Node,
    field: &str,
    read: impl Fn(Decode<'_>, &Node, &str) -> Result<T, BuildError>,
) -> Result<Vec<T>, BuildError> {
    let mut entries = Vec::new();
    for (index, item) in decode.list(node, field)?.iter().enumerate() {
        let entry = read(decode, item, &format!("{field}[{index}]"));
        entries.extend(decode.or_report(entry)?);
    }
    Ok(entries)
}

pub(crate) fn non_empty(
    decode: Decode<'_>,
    node: &Node,
    field: &str,
) -> Result<Option<Node>, BuildError> {
    Ok((!decode.string(node, field)?.is_empty()).then(|| node.clone()))
}

fn owned(decode: Decode<'_>, node: &Node, parent: &str, field: &str) -> Result<String, BuildError> {
    Ok(decode.string(node, &join(parent, field))?.to_owned())
}

pub(crate) fn read_labels(decode: Decode<'_>, node: &Node, at: &str) -> Result<Labels, BuildError> {
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
    let mut spec = FieldSpec { gvk: Gvk::default(), path: "".into(), create: false };
    for (name, _, value) in
        decode.fields(node, at, &["group", "version", "kind", "path", "create"])?
    {
        match name {
            "group" => spec.gvk.group = owned(decode, value, at, name)?.into(),
            "version" => spec.gvk.version = owned(decode, value, at, name)?.into(),
            "kind" => spec.gvk.kind = owned(decode, value, at, name)?.into(),
            "path" => {
                spec.path = owned(decode, value, at, name)?.into();
                if spec.path.matches('/').count() > MAX_PATH {
                    return Err(BuildError::Invalid {
                        place: decode.place(value.mark),
                        message: format!("the path has more than {MAX_PATH} names"),
                    });
                }
            }
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
        name: Text::default(),
        namespace: Text::default(),
        label_selector: Text::default(),
        annotation_selector: Text::default(),
    };
    let known =
        ["group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector"];
    for (name, _, value) in decode.fields(node, at, &known)? {
        let text = owned(decode, value, at, name)?.into();
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
            _ => count = whole_number(decode, value, &join(at, field))?,
        }
    }
    Ok(Replica { name, count })
}

/// A whole number, however it is written: kustomize sees JSON, in which 1e2 is 100.
fn whole_number(decode: Decode<'_>, node: &Node, at: &str) -> Result<Node, BuildError> {
    let wrong = || decode.wrong(node, at, "a whole number");
    match node.to_json().map_err(|_| wrong())? {
        serde_json::Value::Number(number) => {
            let shown = Node::from_json(&serde_json::Value::Number(number));
            let text = shown.text().unwrap_or_default();
            text.parse::<i64>().map_err(|_| wrong())?;
            Ok(Node::scalar(text, gitops_yaml::Tag::Int).at(node.mark))
        }
        _ => Err(wrong()),
    }
}

pub(crate) fn read_config_map(
    decode: Decode<'_>,
    node: &Node,
    at: &str,
) -> Result<Generator, BuildError> {
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

pub(crate) fn read_generator_options(
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

pub(crate) fn read_build_metadata(
    decode: Decode<'_>,
    node: &Node,
    at: &str,
) -> Result<BuildMetadata, BuildError> {
    let mut metadata = BuildMetadata { mark: node.mark, ..BuildMetadata::default() };
    for option in decode.list(node, at)? {
        match decode.string(option, at)? {
            "managedByLabel" => metadata.managed_by_label = true,
            "originAnnotations" => metadata.origin_annotations = true,
            "transformerAnnotations" => metadata.transformer_annotations = true,
            // kustomize passes over what it does not know here.
            _ => {}
        }
    }
    Ok(metadata)
}

pub(crate) fn read_sort(decode: Decode<'_>, node: &Node) -> Result<Sort, BuildError> {
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
