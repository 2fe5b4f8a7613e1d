//! The transformations of a kustomization's plain fields.
//!
//! Rules from kustomize v5.8, api/filters and api/internal/builtins.

mod images;

use std::cell::Cell;

use gitops_yaml::{Mark, Node, Style, Tag, Value};

use crate::EQUALS_VERSION;
use crate::defaults::List;
use crate::error::{BuildError, Place};
use crate::fieldspec::{self, Create, FieldSpec, set_scalar, set_string, set_untyped};
use crate::id::Gvk;
use crate::known::Known;
use crate::kustomization::{Labels, Replica};
use crate::parallel;
use crate::resource::{FieldProblem, Object, child_mapping};
use crate::set::{ByType, Set, field_error};
use crate::shared;
use crate::touch::How;

pub(crate) use images::images;

/// Which subjects of role bindings get the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subjects {
    /// Those named `default`.
    Default,
    /// Every service account.
    ServiceAccounts,
    /// None.
    None,
}

/// Puts every object that may have one into `namespace`.
pub(crate) fn namespace(
    set: &mut Set,
    namespace: &Node,
    specs: &[FieldSpec],
    subjects: Subjects,
    unset_only: bool,
) -> Result<(), BuildError> {
    let text = namespace.text().unwrap_or_default();
    let done = Cell::new(false);
    let mut put = |node: &mut Node| {
        if unset_only && node.text().is_some_and(|own| !own.is_empty()) {
            return Ok(());
        }
        done.set(true);
        set_string(node, text, namespace)
    };
    for object in &mut set.objects {
        if object.is_from_helm() {
            continue;
        }
        object.remember_id();
        put_namespace(object, specs, subjects, &mut put)
            .map_err(|problem| field_error(object, problem))?;
        if done.take() {
            object.touch(namespace.mark, How::Field("namespace"));
        }
    }
    set.check_unique()
}

/// Puts one object into `namespace`, whether or not its id changes.
pub(crate) fn namespace_of(object: &mut Object, namespace: &Node) -> Result<(), BuildError> {
    let text = namespace.text().unwrap_or_default();
    put_namespace(object, &[], Subjects::Default, &mut |node| set_string(node, text, namespace))
        .map_err(|problem| field_error(object, problem))
}

fn put_namespace(
    object: &mut Object,
    specs: &[FieldSpec],
    subjects: Subjects,
    put: &mut fieldspec::Set<'_>,
) -> Result<(), FieldProblem> {
    let meta =
        |path: &'static str| FieldSpec { gvk: Gvk::default(), path: path.into(), create: true };
    let gvk = object.gvk();
    if !object.id().is_cluster_scoped() {
        object.apply(&meta("metadata/namespace"), Create::Scalar, put)?;
    }
    let is_binding = matches!(gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding");
    if is_binding {
        put_subjects(&mut object.node, subjects, put)
            .map_err(|message| FieldProblem { field: "subjects".to_owned(), message })?;
    }
    let is_v1 = object.api_version() == "v1";
    for spec in specs {
        let own_business = spec.path == "metadata/namespace"
            || (spec.path == "metadata/name" && !is_v1)
            || (is_binding
                && spec.path == "subjects/namespace"
                && matches!(spec.gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding"));
        if !own_business {
            object.apply(spec, Create::Scalar, put)?;
        }
    }
    Ok(())
}

fn put_subjects(
    object: &mut Node,
    subjects: Subjects,
    put: &mut fieldspec::Set<'_>,
) -> Result<(), String> {
    let (field, wanted) = match subjects {
        Subjects::None => return Ok(()),
        Subjects::Default => ("name", "default"),
        Subjects::ServiceAccounts => ("kind", "ServiceAccount"),
    };
    let Some(list) = object.get_mut("subjects").filter(|node| !node.is_null()) else {
        return Ok(());
    };
    let Some(items) = list.items_mut() else {
        return Err("expected a list".to_owned());
    };
    for subject in items {
        if subject.get(field).and_then(Node::text) == Some(wanted) {
            if subject.get("namespace").is_none() {
                subject.set("namespace", Node::string(""));
            }
            if let Some(node) = subject.get_mut("namespace") {
                put(node)?;
            }
        }
    }
    Ok(())
}

/// Which end of the names is added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Affix {
    Prefix,
    Suffix,
}

/// Adds a prefix or suffix, which stands at `mark`, to names.
pub(crate) fn affix(
    set: &mut Set,
    (text, mark): (&str, Mark),
    which: Affix,
    specs: &[FieldSpec],
) -> Result<(), BuildError> {
    let how = How::Field(match which {
        Affix::Prefix => "namePrefix",
        Affix::Suffix => "nameSuffix",
    });
    for object in &mut set.objects {
        let original = object.original_id();
        let apart = matches!(original.gvk.kind.as_str(), "CustomResourceDefinition" | "Namespace")
            || (original.gvk.kind == "APIService"
                && original.gvk.group == "apiregistration.k8s.io");
        if apart {
            continue;
        }
        for spec in specs {
            if !original.gvk.is_selected_by(&spec.gvk) {
                continue;
            }
            if spec.path == "metadata/name" && !text.is_empty() {
                match which {
                    Affix::Prefix => object.prefixes.push(text.to_owned()),
                    Affix::Suffix => object.suffixes.push(text.to_owned()),
                }
                object.remember_id();
            }
            let mut done = false;
            let result = object.apply(spec, Create::Scalar, &mut |node: &mut Node| {
                let old = crate::resource::raw(node);
                let new = match which {
                    Affix::Prefix => format!("{text}{old}"),
                    Affix::Suffix => format!("{old}{text}"),
                };
                if !text.is_empty() {
                    done = true;
                    node.mark = mark;
                }
                set_untyped(node, &new)
            });
            result.map_err(|problem| field_error(object, problem))?;
            if done {
                object.touch(mark, how);
            }
        }
    }
    Ok(())
}

/// Puts labels or annotations at `specs`.
pub(crate) fn pairs(
    set: &mut Set,
    pairs: &[(String, Node)],
    specs: &[FieldSpec],
    field: &'static str,
) -> Result<(), BuildError> {
    // The place of the first stands for them all.
    let Some(mark) = pairs.first().map(|(_, first)| first.mark) else { return Ok(()) };
    let about = ByType::new(specs, &set.objects);
    let looks = specs.iter().any(|spec| spec.path == "metadata/annotations" && !spec.create);
    parallel::each(&mut set.objects, |index, object| {
        if looks {
            object.show_notes();
        }
        let mut added = 0;
        let mut met = false;
        // Of several pairs that fail, the first object's first one is told.
        about.apply(index, object, Create::Mapping, &mut |node: &mut Node| {
            met = true;
            for (number, (key, value)) in pairs.iter().enumerate() {
                added += u32::from(put_pair(node, key, value, number)?);
            }
            Ok(())
        })?;
        if met {
            object.touch(mark, How::Field(field));
        }
        if added > 0 {
            object.shared.gather(&mut object.node, pairs);
        }
        object.shared.settle(&mut object.node);
        Ok(())
    })
}

/// Sets the pair of a number; `true` where it was not there. A new one is
/// marked to be found again.
fn put_pair(node: &mut Node, key: &str, value: &Node, number: usize) -> Result<bool, String> {
    match &node.value {
        Value::Mapping(_) if matches!(key, "" | "<<") => {
            Err(format!("a label or annotation cannot have the name `{key}`"))
        }
        Value::Mapping(_) => {
            let (own, is_new) = match node.get(key) {
                // Two specs may lead to one place.
                Some(own) if shared::is_added(own.mark) => return Ok(false),
                Some(own) if matches!(own.value, Value::Scalar(_)) => {
                    let mut own = own.clone();
                    set_string(&mut own, crate::resource::raw(value), value)?;
                    (own, false)
                }
                _ => (Node::string(crate::resource::raw(value)).at(shared::added(number)), true),
            };
            crate::fieldspec::put(node, key, own);
            Ok(is_new)
        }
        Value::Scalar(scalar) if scalar.tag == Tag::Null => Ok(false),
        _ => Err("expected a mapping".to_owned()),
    }
}

/// An entry of the `labels` field.
pub(crate) fn labels(
    set: &mut Set,
    entry: &Labels,
    known: &Known,
    place: &Place,
) -> Result<(), BuildError> {
    let mut specs = entry.fields.clone();
    let metadata =
        [FieldSpec { gvk: Gvk::default(), path: "metadata/labels".into(), create: true }];
    let mut merge = |more: &[FieldSpec]| {
        fieldspec::merge(&mut specs, more)
            .map_err(|message| BuildError::Invalid { place: place.clone(), message })
    };
    merge(known.fields(List::Labels))?;
    if entry.include_selectors {
        merge(known.fields(List::CommonLabels))?;
    } else {
        if entry.include_templates {
            merge(known.fields(List::TemplateLabels))?;
        }
        merge(&metadata)?;
    }
    pairs(set, &entry.pairs, &specs, "labels")
}

/// Sets the number of replicas of the objects of one name.
pub(crate) fn replicas(
    set: &mut Set,
    replica: &Replica,
    specs: &[FieldSpec],
    place: &Place,
) -> Result<(), BuildError> {
    let mut found = false;
    let count = crate::resource::raw(&replica.count).to_owned();
    let count = count.parse::<i64>().map_or(count, |number| number.to_string());
    for spec in specs {
        for object in &mut set.objects {
            let matches = object
                .was_ever(&|id| *id.name == *replica.name && id.gvk.is_selected_by(&spec.gvk));
            if !matches {
                continue;
            }
            found = true;
            let mark = replica.count.mark;
            object
                .apply(spec, Create::Scalar, &mut |node: &mut Node| {
                    let quoted =
                        matches!(&node.value, Value::Scalar(own) if own.style != Style::Plain);
                    set_scalar(node, &count, if quoted { Tag::Str } else { Tag::Int })?;
                    node.mark = mark;
                    Ok(())
                })
                .map_err(|problem| field_error(object, problem))?;
            object.touch(mark, How::Field("replicas"));
        }
    }
    if found {
        return Ok(());
    }
    let kinds: Vec<&str> = specs.iter().map(|spec| spec.gvk.kind.as_str()).collect();
    Err(BuildError::Invalid {
        place: place.clone(),
        message: format!(
            "`replicas` names `{}`, but no {} of that name exists; correct the name or delete the entry",
            replica.name,
            kinds.join(", ")
        ),
    })
}

/// Marks every object as made by kustomize, as the option at `mark` wants it.
pub(crate) fn managed_by(set: &mut Set, mark: Mark) {
    let version = format!("kustomize-{EQUALS_VERSION}");
    for object in &mut set.objects {
        let labels = child_mapping(object.metadata_mut(), "labels");
        labels.set("app.kubernetes.io/managed-by", Node::string(version.as_str()).at(mark));
        object.touch(mark, How::Field("buildMetadata"));
    }
}
