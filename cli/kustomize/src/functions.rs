//! Generators and transformers that are programs: what they write takes the
//! place that kustomize gives it.
//!
//! Rules from kustomize v5.8: api/internal/plugins/utils and
//! api/internal/plugins/fnplugin.

use std::collections::HashSet;

use gitops_yaml::Node;

use crate::error::{BuildError, Several};
use crate::files::Files;
use crate::helm;
use crate::patch::Home;
use crate::resource::{Behavior, Object, raw};
use crate::set::Set;
use crate::supply::{Function, FunctionInput, Need};

const ID: &str = "kustomize.config.k8s.io/id";
const NEEDS_HASH: &str = "kustomize.config.k8s.io/needs-hash";
const BEHAVIOR: &str = "kustomize.config.k8s.io/behavior";

/// Whether the object configures a program and not a plugin of kustomize's own.
pub(crate) fn is_function(object: &Object) -> bool {
    object.api_version() != "builtin"
}

/// The need for a program's output.
pub(crate) fn need(object: &Object, input: FunctionInput) -> Need {
    let mut config = object.clone();
    config.drop_notes(&[crate::origin::ORIGIN, crate::origin::TRANSFORMATIONS]);
    Need::Function(Box::new(Function {
        api_version: object.api_version().to_owned(),
        kind: object.kind().to_owned(),
        config: gitops_yaml::write(&config.node),
        input,
    }))
}

/// The objects that a generator makes.
pub(crate) fn generate(
    files: &Files<'_>,
    home: &Home<'_>,
    object: &Object,
) -> Result<Vec<Object>, Several> {
    let text = files.manifests(need(object, FunctionInput::Nothing), &object.place)?;
    let mut made = helm::read(text, &object.place, object.node.mark, home.schema)?;
    for one in &mut made {
        one.generated = true;
        one.behavior = match take(one, BEHAVIOR).as_deref() {
            Some("merge") => Behavior::Merge,
            Some("replace") => Behavior::Replace,
            _ => Behavior::Create,
        };
        one.needs_hash = match take(one, NEEDS_HASH).as_deref() {
            None => false,
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => true,
            Some("0" | "f" | "F" | "false" | "FALSE" | "False") => false,
            Some(_) => {
                return Err(BuildError::Invalid {
                    place: object.place.clone(),
                    message: format!("in the output: `{NEEDS_HASH}` must be true or false"),
                }
                .into());
            }
        };
    }
    Ok(made)
}

/// Puts what a transformer makes of the objects in their place.
pub(crate) fn transform(
    set: &mut Set,
    files: &Files<'_>,
    home: &Home<'_>,
    object: &Object,
) -> Result<(), Several> {
    let documents: Vec<String> =
        set.objects.iter().map(|one| gitops_yaml::write(&one.node)).collect();
    let input = FunctionInput::Objects(documents.join("---\n"));
    let text = files.manifests(need(object, input), &object.place)?;
    let mut made = helm::read(text, &object.place, object.node.mark, home.schema)?;
    let mut kept = HashSet::new();
    for one in &mut made {
        take(one, ID);
        if !kept.insert(one.id().to_string()) {
            return Err(BuildError::Invalid {
                place: object.place.clone(),
                message: format!("in the output: `{}` is there twice", one.id()),
            }
            .into());
        }
    }
    for one in made {
        match set.objects.iter_mut().find(|own| own.id() == one.id()) {
            // What it was called before, and what is to be done with it, stays known.
            Some(own) => own.node = one.node,
            None => set.objects.push(one),
        }
    }
    set.objects.retain(|own| kept.contains(&own.id().to_string()));
    Ok(set.check_unique()?)
}

/// Takes an annotation off; an object that has no other loses the mapping.
fn take(object: &mut Object, key: &str) -> Option<String> {
    let metadata = object.node.get_mut("metadata")?;
    let annotations = metadata.get_mut("annotations")?;
    let value = annotations.remove(key).map(|node: Node| raw(&node).to_owned());
    if annotations.entries().is_empty() {
        metadata.remove("annotations");
    }
    value
}
