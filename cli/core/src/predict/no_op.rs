//! A proof, without asking, that an apply would change nothing.
//!
//! Server-side apply merges the desired object onto the live one and removes
//! what the manager owned and no longer states. So it changes nothing when
//! every desired field already has its value, and the manager owns exactly
//! the desired fields. Both can be read off the live object and its
//! `managedFields`. Whatever is not plainly so is not proved, and then the
//! server is asked. Two things cannot be seen here and are the caller's to
//! check: that no mutating admission acts on the kind, and that the object is
//! not taken over from another manager ([`super::takeover`]).

use serde_json::{Map, Value};

use super::fields::{entries, item_key, item_matches};
use super::takeover::LAST_APPLIED;
use crate::key::group_of;

/// Whether applying `desired` as `manager` over `live` is proved to change
/// nothing. `false` means "not proved".
pub fn is_no_op(desired: &Value, live: &Value, manager: &str) -> bool {
    let (Some(wanted), Some(found)) = (desired.as_object(), live.as_object()) else {
        return false;
    };
    if live.pointer("/metadata/deletionTimestamp").is_some()
        || desired.get("apiVersion") != live.get("apiVersion")
        || desired.get("kind") != live.get("kind")
    {
        return false;
    }
    // kubectl keeps such an annotation up to date in its own server-side apply.
    let copied =
        live.pointer("/metadata/annotations").is_some_and(|a| a.get(LAST_APPLIED).is_some());
    if copied && manager == "kubectl" {
        return false;
    }
    let all = entries(live);
    let mut own = all.iter().filter(|entry| entry.manager == manager && entry.is_apply());
    match (own.next(), own.next()) {
        // Stating only a name owns nothing, and then the server keeps no entry.
        (None, None) => root_steps(wanted).is_some_and(|steps| steps.is_empty()),
        (Some(entry), None) => {
            // The group of a custom resource has a dot.
            let walk = Walk { built_in: !group_of(entry.api_version).contains('.') };
            // Its schema may have made one value of a map since the last apply,
            // and then the keys of other managers in it would go.
            let alone = all.iter().filter(|entry| entry.subresource.is_empty()).count() == 1;
            (walk.built_in || alone)
                && Some(entry.api_version) == desired.get("apiVersion").and_then(Value::as_str)
                && entry.fields.is_some_and(|fields| walk.root(wanted, fields, found))
        }
        _ => false,
    }
}

/// The fields of an object that an apply can own: all but its name.
fn root_steps(object: &Map<String, Value>) -> Option<Vec<(&String, &Value)>> {
    let mut steps = Vec::new();
    for (name, value) in object {
        match name.as_str() {
            "apiVersion" | "kind" => {}
            // The server ignores or resets it, by kind: not for us to say.
            "status" => return None,
            "metadata" => {
                if metadata_steps(value)?.next().is_some() {
                    steps.push((name, value));
                }
            }
            _ => steps.push((name, value)),
        }
    }
    Some(steps)
}

fn metadata_steps(metadata: &Value) -> Option<impl Iterator<Item = (&String, &Value)>> {
    let identity = |name: &str| matches!(name, "name" | "namespace");
    Some(metadata.as_object()?.iter().filter(move |(name, _)| !identity(name)))
}

/// A walk over an object, the fields that its manager owns, and the live one.
struct Walk {
    /// Whether the kind is Kubernetes' own.
    built_in: bool,
}

impl Walk {
    fn root(
        &self,
        desired: &Map<String, Value>,
        fields: &Map<String, Value>,
        live: &Map<String, Value>,
    ) -> bool {
        let Some(steps) = root_steps(desired) else { return false };
        steps.len() == count(fields)
            && steps.iter().all(|(name, value)| {
                let Some(owned) = fields.get(&format!("f:{name}")) else { return false };
                let Some(found) = live.get(name.as_str()) else { return false };
                if name.as_str() != "metadata" {
                    return self.value(name, value, owned, found);
                }
                let (Some(owned), Some(found), Some(steps)) =
                    (owned.as_object(), found.as_object(), metadata_steps(value))
                else {
                    return false;
                };
                self.map(steps, owned, found)
            })
    }

    fn map<'a>(
        &self,
        desired: impl Iterator<Item = (&'a String, &'a Value)>,
        fields: &Map<String, Value>,
        live: &Map<String, Value>,
    ) -> bool {
        let mut seen = 0;
        for (name, value) in desired {
            seen += 1;
            let (Some(owned), Some(found)) = (fields.get(&format!("f:{name}")), live.get(name))
            else {
                return false;
            };
            if !self.value(name, value, owned, found) {
                return false;
            }
        }
        seen == count(fields)
    }

    fn value(&self, step: &str, desired: &Value, owned: &Value, live: &Value) -> bool {
        let Some(owned) = owned.as_object() else { return false };
        if count(owned) == 0 {
            // A leaf, or an atomic value: owned as a whole, so equal as a whole.
            return !holds_null(desired)
                && (desired == live || (self.built_in && is_defaulted(step, desired, live)));
        }
        match (desired, live) {
            (Value::Object(desired), Value::Object(live)) => self.map(desired.iter(), owned, live),
            (Value::Array(desired), Value::Array(live)) => self.list(desired, owned, live),
            _ => false,
        }
    }

    /// A keyed list or a set: the same items in the same order on both sides, and
    /// no item of anyone else, whose place the merge might change.
    fn list(&self, desired: &[Value], owned: &Map<String, Value>, live: &[Value]) -> bool {
        if desired.len() != live.len() || desired.len() != count(owned) {
            return false;
        }
        let mut used = vec![false; desired.len()];
        for (step, fields) in owned {
            if step == "." {
                continue;
            }
            let index = if let Some(key) = item_key(step) {
                let index = desired.iter().position(|item| item_matches(item, &key));
                index.filter(|&index| {
                    item_matches(&live[index], &key)
                        && match (&desired[index], fields, &live[index]) {
                            (
                                Value::Object(desired),
                                Value::Object(fields),
                                Value::Object(live),
                            ) => self.map(desired.iter(), fields, live),
                            _ => false,
                        }
                })
            } else if let Some(member) = step.strip_prefix("v:") {
                let member: Option<Value> = serde_json::from_str(member).ok();
                let index =
                    member.and_then(|member| desired.iter().position(|item| *item == member));
                index.filter(|&index| desired[index] == live[index])
            } else {
                None
            };
            match index {
                Some(index) if !used[index] => used[index] = true,
                _ => return false,
            }
        }
        true
    }
}

/// How many children a node of the field tree has.
fn count(fields: &Map<String, Value>) -> usize {
    fields.keys().filter(|step| step.as_str() != ".").count()
}

/// The two atomic values of a pod template that the server fills in:
/// `fieldRef` gets `apiVersion: v1`, `resourceFieldRef` gets `divisor: "0"`
/// (Kubernetes 1.36: `pkg/apis/core/v1/zz_generated.defaults.go`). An apply
/// replaces the value as a whole and the server fills it in again. A
/// custom resource may lack such a default, so only built-in kinds are held to
/// have it.
fn is_defaulted(step: &str, desired: &Value, live: &Value) -> bool {
    let (name, default) = match step {
        "fieldRef" => ("apiVersion", "v1"),
        "resourceFieldRef" => ("divisor", "0"),
        _ => return false,
    };
    let (Some(desired), Some(live)) = (desired.as_object(), live.as_object()) else {
        return false;
    };
    !desired.contains_key(name)
        && live.len() == desired.len() + 1
        && live.get(name).and_then(Value::as_str) == Some(default)
        && desired.iter().all(|(name, value)| live.get(name) == Some(value))
}

/// A null in the desired object means "not stated" to some and "absent" to
/// others, so it is left to the server.
fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(map) => map.values().any(holds_null),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    type Edit = fn(&mut Value);

    /// A Deployment as the API server 1.36 stores it after an apply.
    fn live() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "5",
                "labels": {"app": "web"},
                "managedFields": [{
                    "manager": "m", "operation": "Apply", "apiVersion": "apps/v1",
                    "fieldsType": "FieldsV1",
                    "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:app": {}}},
                        "f:spec": {
                            "f:selector": {},
                            "f:template": {
                                "f:metadata": {"f:labels": {"f:app": {}}},
                                "f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {
                                    ".": {}, "f:image": {}, "f:name": {},
                                    "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":
                                        {".": {}, "f:containerPort": {}}}
                                }}}
                            }
                        }
                    }
                }]
            },
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "web", "image": "web:1",
                        "ports": [{"containerPort": 80, "protocol": "TCP"}],
                        "imagePullPolicy": "IfNotPresent"}], "dnsPolicy": "ClusterFirst"}
                }
            },
            "status": {"replicas": 1}
        })
    }

    fn desired() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
            "spec": {
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "web", "image": "web:1",
                        "ports": [{"containerPort": 80}]}]}
                }
            }
        })
    }

    #[test]
    fn an_applied_object_is_proved() {
        assert!(is_no_op(&desired(), &live(), "m"));
    }

    #[test]
    fn every_single_change_refuses_the_proof() {
        let edits: [(&str, Edit); 9] = [
            ("value", |o| o["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:2")),
            ("new field", |o| o["spec"]["replicas"] = json!(1)),
            ("removed label", |o| o["metadata"]["labels"] = json!({})),
            ("new label", |o| o["metadata"]["labels"]["b"] = json!("c")),
            ("null", |o| o["spec"]["selector"]["x"] = Value::Null),
            ("atomic", |o| o["spec"]["selector"]["matchLabels"]["x"] = json!("y")),
            ("port", |o| {
                o["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([]);
            }),
            ("version", |o| o["apiVersion"] = json!("apps/v1beta1")),
            ("status", |o| o["status"] = json!({})),
        ];
        for (name, edit) in edits {
            let mut desired = desired();
            edit(&mut desired);
            assert!(!is_no_op(&desired, &live(), "m"), "{name}");
        }
    }

    #[test]
    fn what_others_did_to_the_live_object_refuses_the_proof() {
        let edits: [(&str, Edit); 4] = [
            ("drift", |o| {
                o["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:2");
            }),
            ("foreign item", |o| {
                let list = o["spec"]["template"]["spec"]["containers"].as_array_mut();
                list.expect("a list").push(json!({"name": "sidecar"}));
            }),
            ("deletion", |o| o["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z")),
            ("no entry", |o| o["metadata"]["managedFields"] = json!([])),
        ];
        for (name, edit) in edits {
            let mut live = live();
            edit(&mut live);
            assert!(!is_no_op(&desired(), &live, "m"), "{name}");
        }
        assert!(!is_no_op(&desired(), &live(), "someone else"));
    }

    #[test]
    fn a_field_reference_gets_its_version_in_built_in_kinds_only() {
        let with_reference = |reference: Value, api_version: &str| {
            json!({"apiVersion": api_version, "kind": "Thing", "metadata": {"name": "a",
                "managedFields": [{"manager": "m", "operation": "Apply", "apiVersion": api_version,
                    "fieldsV1": {"f:spec": {"f:valueFrom": {"f:fieldRef": {}}}}}]},
                "spec": {"valueFrom": {"fieldRef": reference}}})
        };
        for (api_version, proved) in [("apps/v1", true), ("v1", true), ("example.dev/v1", false)] {
            let mut desired = with_reference(json!({"fieldPath": "metadata.name"}), api_version);
            desired["metadata"] = json!({"name": "a"});
            let full = json!({"fieldPath": "metadata.name", "apiVersion": "v1"});
            let live = with_reference(full, api_version);
            assert_eq!(is_no_op(&desired, &live, "m"), proved, "{api_version}");
            let other = json!({"fieldPath": "metadata.uid", "apiVersion": "v1"});
            assert!(!is_no_op(&desired, &with_reference(other, api_version), "m"));
        }
    }

    #[test]
    fn a_custom_resource_with_another_writer_is_asked_about() {
        for (api_version, proved) in [("v1", true), ("example.dev/v1", false)] {
            let desired = json!({"apiVersion": api_version, "kind": "Thing",
                "metadata": {"name": "a"}, "data": {"k": "v"}});
            let own = json!({"manager": "m", "operation": "Apply", "apiVersion": api_version,
                "fieldsV1": {"f:data": {"f:k": {}}}});
            let status = json!({"manager": "o", "operation": "Update", "apiVersion": api_version,
                "subresource": "status", "fieldsV1": {"f:status": {}}});
            let other = json!({"manager": "o", "operation": "Update", "apiVersion": api_version,
                "fieldsV1": {"f:data": {"f:x": {}}}});
            let mut live = desired.clone();
            live["data"]["x"] = json!("y");
            live["metadata"]["managedFields"] = json!([own, status]);
            assert!(is_no_op(&desired, &live, "m"), "{api_version}: a status of its own");
            live["metadata"]["managedFields"] = json!([own, other]);
            assert_eq!(is_no_op(&desired, &live, "m"), proved, "{api_version}");
        }
    }

    #[test]
    fn an_object_that_owns_nothing_has_no_entry() {
        let desired = json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "a", "namespace": "n"}});
        let mut live = desired.clone();
        live["metadata"]["uid"] = json!("u");
        assert!(is_no_op(&desired, &live, "m"));
        let mut labelled = desired;
        labelled["metadata"]["labels"] = json!({"a": "b"});
        assert!(!is_no_op(&labelled, &live, "m"));
    }
}
