//! Who writes an object, and so how the API server is to be asked.

use std::fmt;

use serde_json::Value;

use super::fields::entries;
use super::takeover::{LAST_APPLIED, Removal};
use crate::object::Raw;

/// The labels that kustomize-controller puts on every object it applies.
pub const FLUX_LABELS: [&str; 2] =
    ["kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace"];
/// The annotation by which Argo CD tracks an object.
pub const ARGO_TRACKING: &str = "argocd.argoproj.io/tracking-id";

/// What applies the objects of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    /// Flux' kustomize-controller.
    Flux,
    /// Argo CD.
    ArgoCd,
    /// `kubectl apply`.
    Kubectl,
}

/// The word that gitops.yaml uses.
impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Controller::Flux => "flux",
            Controller::ArgoCd => "argocd",
            Controller::Kubectl => "kubectl",
        })
    }
}

/// How an object is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The field manager.
    pub manager: String,
    /// Whether it takes fields from other managers without asking.
    pub force: bool,
    /// What it removes beyond a plain apply.
    pub removal: Removal,
}

/// Who owns an object: read off the live one, else `default`, the controller
/// that the configuration names (kubectl where it names none).
pub fn find(live: Option<&Value>, default: Option<Controller>) -> Owner {
    let seen = live.map(entries).unwrap_or_default();
    let has = |pointer: &str, name: &str| {
        live.and_then(|live| live.pointer(pointer)).is_some_and(|map| map.get(name).is_some())
    };
    let plain =
        |manager: &str| Owner { manager: manager.to_owned(), force: true, removal: Removal::None };
    let flux = || Owner { removal: Removal::TakeOver, ..plain("kustomize-controller") };
    if FLUX_LABELS.iter().all(|label| has("/metadata/labels", label)) {
        return flux();
    }
    if has("/metadata/annotations", ARGO_TRACKING) {
        let applies = seen.iter().any(|e| e.manager == "argocd-controller" && e.is_apply());
        let removal = if applies { Removal::None } else { Removal::LastApplied };
        return Owner { removal, ..plain("argocd-controller") };
    }
    match default {
        Some(Controller::Flux) => return flux(),
        Some(Controller::ArgoCd) => return plain("argocd-controller"),
        _ => {}
    }
    let mut appliers = seen.iter().filter(|entry| entry.is_apply());
    match (appliers.next(), appliers.next()) {
        (Some(only), None) => plain(only.manager),
        (None, None) if has("/metadata/annotations", LAST_APPLIED) => {
            Owner { removal: Removal::LastApplied, ..plain("kubectl") }
        }
        _ => plain("kubectl"),
    }
}

/// What is sent for a desired object: the file's own fields, with the labels
/// or the annotation by which the live object's owner tracks it. A file that
/// sets them itself keeps its own.
pub fn tracked(desired: &Raw, live: Option<&Value>) -> Value {
    let mut body = desired.json.clone();
    let Some(live) = live else { return body };
    let marks =
        FLUX_LABELS.iter().map(|label| ("labels", *label)).chain([("annotations", ARGO_TRACKING)]);
    for (map, name) in marks {
        let found = live.pointer(&format!("/metadata/{map}")).and_then(|map| map.get(name));
        let (Some(value), Some(metadata)) =
            (found, body.get_mut("metadata").and_then(Value::as_object_mut))
        else {
            continue;
        };
        let slot = metadata.entry(map).or_insert(Value::Null);
        if slot.is_null() {
            *slot = Value::Object(serde_json::Map::new());
        }
        if let Some(slot) = slot.as_object_mut() {
            slot.entry(name).or_insert_with(|| value.clone());
        }
    }
    body
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn the_live_object_says_who_owns_it() {
        let apply = |manager: &str| json!([{"manager": manager, "operation": "Apply"}]);
        let cases = [
            (json!({}), "kubectl", Removal::None),
            (
                json!({"labels": {FLUX_LABELS[0]: "apps", FLUX_LABELS[1]: "flux-system"},
                       "managedFields": apply("someone")}),
                "kustomize-controller",
                Removal::TakeOver,
            ),
            (
                json!({"annotations": {ARGO_TRACKING: "a"}}),
                "argocd-controller",
                Removal::LastApplied,
            ),
            (
                json!({"annotations": {ARGO_TRACKING: "a"},
                       "managedFields": apply("argocd-controller")}),
                "argocd-controller",
                Removal::None,
            ),
            (json!({"managedFields": apply("deployer")}), "deployer", Removal::None),
            (json!({"annotations": {LAST_APPLIED: "{}"}}), "kubectl", Removal::LastApplied),
        ];
        for (metadata, manager, removal) in cases {
            let live = json!({"metadata": metadata});
            let owner = find(Some(&live), None);
            assert_eq!((owner.manager.as_str(), owner.removal), (manager, removal), "{live}");
        }
        assert_eq!(find(None, Some(Controller::Flux)).manager, "kustomize-controller");
    }

    #[test]
    fn tracking_marks_are_carried_over() {
        let desired = Raw::live(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "labels": {FLUX_LABELS[0]: "mine"}}}))
        .unwrap();
        let live = json!({"metadata": {"labels": {FLUX_LABELS[0]: "x", FLUX_LABELS[1]: "y"}}});
        let body = tracked(&desired, Some(&live));
        assert_eq!(
            body["metadata"]["labels"],
            json!({FLUX_LABELS[0]: "mine", FLUX_LABELS[1]: "y"})
        );
    }
}
