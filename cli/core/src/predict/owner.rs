//! Who writes an object, and so how the API server is to be asked.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::fields::entries;
use super::takeover::{LAST_APPLIED, Removal};
use crate::object::Raw;

/// The labels that kustomize-controller puts on every object it applies.
pub const FLUX_LABELS: [&str; 2] =
    ["kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace"];
/// The annotation by which Argo CD tracks an object.
pub const ARGO_TRACKING: &str = "argocd.argoproj.io/tracking-id";

/// The label by which it tracks one where it is set up that way.
const ARGO_INSTANCE: &str = "app.kubernetes.io/instance";
const ARGO_MANAGER: &str = "argocd-controller";
/// What Flux' users say about a single object, as label or annotation.
const FLUX_RECONCILE: &str = "kustomize.toolkit.fluxcd.io/reconcile";
const FLUX_APPLY: &str = "kustomize.toolkit.fluxcd.io/ssa";

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
    // Argo CD that tracks by label leaves no other mark than its name.
    if has("/metadata/annotations", ARGO_TRACKING)
        || seen.iter().any(|e| e.manager == ARGO_MANAGER && e.subresource.is_empty())
    {
        let applies = seen.iter().any(|e| e.manager == ARGO_MANAGER && e.is_apply());
        let removal = if applies { Removal::None } else { Removal::LastApplied };
        return Owner { removal, ..plain(ARGO_MANAGER) };
    }
    match default {
        Some(Controller::Flux) => return flux(),
        Some(Controller::ArgoCd) => return plain(ARGO_MANAGER),
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

impl Owner {
    /// This owner as the marks on an object bid it. Only Flux heeds marks; the
    /// rules are those of kustomize-controller 1.9 (`ApplyOptions` of
    /// `fluxcd/pkg/ssa`): case does not matter, and a mark may stand on either
    /// side, but `IfNotPresent` only on the desired one.
    #[must_use]
    pub fn heeding(mut self, desired: &Value, live: Option<&Value>) -> Owner {
        let marked = is_marked(desired, FLUX_APPLY, "Merge")
            || live.is_some_and(|live| is_marked(live, FLUX_APPLY, "Merge"));
        if self.removal == Removal::TakeOver && marked {
            self.removal = Removal::None;
        }
        self
    }

    /// Why this owner leaves the object alone; `None` where it applies it.
    pub fn skips(&self, desired: &Value, live: Option<&Value>) -> Option<String> {
        if self.removal != Removal::TakeOver {
            return None;
        }
        let sides = [Some((desired, "Git")), live.map(|live| (live, "the cluster"))];
        for (name, value) in [(FLUX_RECONCILE, "disabled"), (FLUX_APPLY, "Ignore")] {
            for (object, side) in sides.into_iter().flatten() {
                if is_marked(object, name, value) {
                    return Some(format!("Flux leaves it alone: {side} has {name}: {value}"));
                }
            }
        }
        (live.is_some() && is_marked(desired, FLUX_APPLY, "IfNotPresent")).then(|| {
            format!("Flux leaves it alone: it is there, and Git has {FLUX_APPLY}: IfNotPresent")
        })
    }
}

/// A Secret as kustomize-controller applies it: its `stringData` stands in
/// `data`, so that it owns the values there (`fluxcd/pkg/ssa: normalize`).
/// Everything else, and what the server is going to refuse, stays as it is.
pub fn with_encoded_strings(mut body: Value) -> Value {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    if (text("apiVersion"), text("kind")) != (Some("v1"), Some("Secret")) {
        return body;
    }
    let Some(Value::Object(strings)) = body.get("stringData") else { return body };
    let encoded: Option<Vec<(String, Value)>> = strings
        .iter()
        .map(|(name, value)| Some((name.clone(), STANDARD.encode(value.as_str()?).into())))
        .collect();
    if let (Some(encoded), Some(object)) = (encoded, body.as_object_mut()) {
        let data = object.entry("data").or_insert(Value::Null);
        if data.is_null() {
            *data = Value::Object(serde_json::Map::new());
        }
        if let Some(data) = data.as_object_mut() {
            data.extend(encoded);
            object.remove("stringData");
        }
    }
    body
}

fn is_marked(object: &Value, name: &str, value: &str) -> bool {
    ["labels", "annotations"].iter().any(|map| {
        object
            .pointer(&format!("/metadata/{map}"))
            .and_then(|map| map.get(name)?.as_str())
            .is_some_and(|found| found.eq_ignore_ascii_case(value))
    })
}

/// What is sent for a desired object: the file's own fields, with the labels
/// or the annotation by which the live object's owner tracks it. A file that
/// sets them itself keeps its own.
pub fn tracked(desired: &Raw, live: Option<&Value>) -> Value {
    let mut body = desired.json.clone();
    let Some(live) = live else { return body };
    let by_label = live
        .pointer("/metadata/annotations")
        .is_none_or(|annotations| annotations.get(ARGO_TRACKING).is_none())
        && owns_label(live, ARGO_MANAGER, ARGO_INSTANCE);
    let marks = FLUX_LABELS
        .iter()
        .map(|label| ("labels", *label))
        .chain([("annotations", ARGO_TRACKING)])
        .chain(by_label.then_some(("labels", ARGO_INSTANCE)));
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

fn owns_label(live: &Value, manager: &str, label: &str) -> bool {
    let step = format!("f:{label}");
    entries(live).iter().filter(|entry| entry.manager == manager).any(|entry| {
        let labels = entry.fields.and_then(|fields| fields.get("f:metadata")?.get("f:labels"));
        labels.is_some_and(|labels| labels.get(&step).is_some())
    })
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
            (
                json!({"annotations": {LAST_APPLIED: "{}"},
                       "managedFields": [{"manager": "argocd-controller", "operation": "Update"}]}),
                "argocd-controller",
                Removal::LastApplied,
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

    #[test]
    fn the_label_by_which_argo_tracks_is_carried_over() {
        let desired = Raw::live(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a"}}))
        .unwrap();
        let fields = json!({"f:metadata": {"f:labels": {"f:app.kubernetes.io/instance": {}}}});
        let live = |manager: &str| {
            json!({"metadata": {"labels": {ARGO_INSTANCE: "shop"}, "managedFields": [
                {"manager": manager, "operation": "Update", "fieldsV1": fields}]}})
        };
        let body = tracked(&desired, Some(&live("argocd-controller")));
        assert_eq!(body["metadata"]["labels"], json!({ARGO_INSTANCE: "shop"}));
        let body = tracked(&desired, Some(&live("kubectl-edit")));
        assert!(body["metadata"].get("labels").is_none());
    }

    #[test]
    fn flux_heeds_the_marks_on_an_object() {
        let flux = || find(None, Some(Controller::Flux));
        let plain = json!({"metadata": {"name": "a"}});
        let marked = |map: &str, name: &str, value: &str| json!({"metadata": {map: {name: value}}});
        for (name, value, says) in [
            (FLUX_RECONCILE, "disabled", "reconcile: disabled"),
            (FLUX_APPLY, "ignore", "ssa: Ignore"),
        ] {
            for map in ["labels", "annotations"] {
                let mark = marked(map, name, value);
                for (desired, live) in [(&mark, None), (&mark, Some(&plain)), (&plain, Some(&mark))]
                {
                    let reason = flux().skips(desired, live).unwrap();
                    assert!(reason.ends_with(says), "{reason}");
                }
            }
        }
        let once = marked("annotations", FLUX_APPLY, "IfNotPresent");
        assert_eq!(flux().skips(&once, None), None, "it is created");
        assert!(flux().skips(&once, Some(&plain)).is_some());
        assert_eq!(flux().skips(&plain, Some(&once)), None, "only Git's mark counts");
        let merge = marked("annotations", FLUX_APPLY, "Merge");
        assert_eq!(flux().skips(&merge, Some(&merge)), None);
        assert_eq!(flux().heeding(&plain, Some(&merge)).removal, Removal::None);
        assert_eq!(flux().heeding(&merge, None).removal, Removal::None);
        assert_eq!(flux().heeding(&plain, Some(&plain)).removal, Removal::TakeOver);
        let other = find(None, None);
        assert_eq!(other.skips(&once, Some(&once)), None, "others know no such marks");
    }

    #[test]
    fn strings_of_a_secret_are_encoded() {
        let secret = |rest: Value| {
            let mut secret = json!({"apiVersion": "v1", "kind": "Secret"});
            secret.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            secret
        };
        let cases = [
            (json!({"stringData": {"a": "hi"}}), json!({"data": {"a": "aGk="}})),
            (
                json!({"data": {"a": "eA==", "b": "eQ=="}, "stringData": {"a": "hi"}}),
                json!({"data": {"a": "aGk=", "b": "eQ=="}}),
            ),
            (json!({"data": null, "stringData": {"a": ""}}), json!({"data": {"a": ""}})),
            // For the server to refuse.
            (json!({"stringData": {"a": 1}}), json!({"stringData": {"a": 1}})),
            (
                json!({"data": 1, "stringData": {"a": "x"}}),
                json!({"data": 1, "stringData": {"a": "x"}}),
            ),
        ];
        for (before, after) in cases {
            assert_eq!(with_encoded_strings(secret(before)), secret(after));
        }
        let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "stringData": {"a": "b"}});
        assert_eq!(with_encoded_strings(other.clone()), other);
    }
}
