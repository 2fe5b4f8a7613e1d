//! What an owner removes beyond a plain server-side apply.
//!
//! kustomize-controller takes over the fields that kubectl users own before
//! each apply, and so removes what Git does not state (kustomize-controller
//! 1.9: `kustomization_controller.go`, the override managers). Client-side
//! `kubectl apply` removes what its last-applied annotation states and the
//! file no longer does. The API server cannot be asked for either in one dry
//! run: the dry-run apply shows those fields as still there. So they are taken
//! out of its answer, and the rest is put to the server once more (a dry-run
//! PUT), which fills in the defaults again.

use serde_json::{Map, Value};

use super::fields::{Entry, entries, item_key, item_matches};

/// The annotation that client-side `kubectl apply` keeps.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What the owner removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Nothing: a plain server-side apply.
    None,
    /// What kubectl users own alone (Flux).
    TakeOver,
    /// What the last-applied annotation states (client-side kubectl).
    LastApplied,
}

/// Entries that kustomize-controller takes over, all by the beginning of their
/// name: those of kubectl, the one the server gives to fields older than
/// tracking, and its own from before it applied server-side. Those of a
/// subresource stay (`fluxcd/pkg/ssa: matchFieldManager`).
fn is_taken_over(entry: &Entry<'_>) -> bool {
    let updates = ["kubectl", "before-first-apply", "kustomize-controller"];
    entry.subresource.is_empty()
        && match entry.operation {
            "Apply" => entry.manager.starts_with("kubectl"),
            "Update" => updates.iter().any(|name| entry.manager.starts_with(name)),
            _ => false,
        }
}

/// What the takeover removes by name.
const REMOVED: [(&str, &str); 4] = [
    ("annotations", LAST_APPLIED),
    ("annotations", "kustomize.toolkit.fluxcd.io/checksum"),
    ("annotations", "fluxcd.io/sync-checksum"),
    ("labels", "fluxcd.io/sync-gc-mark"),
];

/// Whether `removal` could concern the live object, so that its apply cannot
/// be proved to change nothing.
pub fn concerns(live: &Value, removal: Removal) -> bool {
    match removal {
        Removal::None => false,
        Removal::TakeOver => {
            entries(live).iter().any(is_taken_over)
                || REMOVED.iter().any(|(map, name)| metadata_has(live, map, name))
        }
        Removal::LastApplied => true,
    }
}

fn metadata_has(object: &Value, map: &str, name: &str) -> bool {
    object.pointer(&format!("/metadata/{map}")).is_some_and(|map| map.get(name).is_some())
}

/// What is left of `predicted`, the server's answer to the dry-run apply by
/// `manager`, after the removal. `None` where nothing is removed, and the
/// answer stands.
pub fn without_removed(
    live: &Value,
    predicted: &Value,
    manager: &str,
    removal: Removal,
) -> Option<Value> {
    let mut left = predicted.clone();
    let after = entries(predicted);
    match removal {
        Removal::None => return None,
        Removal::TakeOver => {
            let before = entries(live);
            let keep: Vec<_> = after
                .iter()
                .filter(|entry| {
                    !is_taken_over(entry) || (entry.manager == manager && entry.is_apply())
                })
                .filter_map(|entry| entry.fields)
                .collect();
            for fields in before.iter().filter(|e| is_taken_over(e)).filter_map(|e| e.fields) {
                // A status is written through its own subresource.
                let own = fields.iter().filter(|(step, _)| step.as_str() != "f:status");
                remove(&mut left, &own.map(|(k, v)| (k.clone(), v.clone())).collect(), &keep);
            }
            // The apply comes after the removal, and puts back what it states.
            let own: Vec<_> = after
                .iter()
                .filter(|entry| entry.manager == manager && entry.is_apply())
                .filter_map(|entry| entry.fields)
                .collect();
            for (map, name) in REMOVED {
                let (map_step, step) = (format!("f:{map}"), format!("f:{name}"));
                let stated = own
                    .iter()
                    .any(|own| step_down(own, &["f:metadata", &map_step, &step]).is_some());
                if !stated && metadata_has(live, map, name) {
                    remove_mark(&mut left, map, name);
                }
            }
        }
        Removal::LastApplied => {
            let applied = live.pointer("/metadata/annotations")?.get(LAST_APPLIED)?.as_str()?;
            let applied: Value = serde_json::from_str(applied).ok()?;
            let keep: Vec<_> = after
                .iter()
                .filter(|entry| entry.manager == manager && entry.is_apply())
                .filter_map(|entry| entry.fields)
                .collect();
            for fields in entries(live).iter().filter_map(|entry| entry.fields) {
                if let Some(stated) = stated_only(fields, &applied) {
                    remove(&mut left, &stated, &keep);
                }
            }
        }
    }
    (left != *predicted).then_some(left)
}

fn step_down<'a>(fields: &'a Map<String, Value>, steps: &[&str]) -> Option<&'a Value> {
    let (first, rest) = steps.split_first()?;
    let below = fields.get(*first)?;
    if rest.is_empty() { Some(below) } else { step_down(below.as_object()?, rest) }
}

fn remove_mark(object: &mut Value, map: &str, name: &str) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let Some(marks) = metadata.get_mut(map).and_then(Value::as_object_mut) else { return };
    marks.remove(name);
    if marks.is_empty() {
        metadata.remove(map);
    }
}

/// The part of a field tree that an object states.
fn stated_only(fields: &Map<String, Value>, object: &Value) -> Option<Map<String, Value>> {
    let mut stated = Map::new();
    for (step, below) in fields {
        if step == "." {
            stated.insert(step.clone(), below.clone());
            continue;
        }
        let Some(value) = child(object, step) else { continue };
        let below = below.as_object()?;
        if below.keys().all(|step| step == ".") {
            stated.insert(step.clone(), Value::Object(below.clone()));
        } else if let Some(below) = stated_only(below, value).filter(|below| !below.is_empty()) {
            stated.insert(step.clone(), Value::Object(below));
        }
    }
    Some(stated)
}

fn child<'a>(node: &'a Value, step: &str) -> Option<&'a Value> {
    if let Some(name) = step.strip_prefix("f:") {
        return node.get(name);
    }
    node.as_array()?.iter().find(|item| is_item(item, step))
}

/// Whether a list item is the one that a `k:` or `v:` step names.
fn is_item(item: &Value, step: &str) -> bool {
    if let Some(key) = item_key(step) {
        return item_matches(item, &key);
    }
    step.strip_prefix("v:")
        .and_then(|member| serde_json::from_str::<Value>(member).ok())
        .is_some_and(|member| member == *item)
}

/// Takes out of `node` what `taken` owns and none of `keep` does. An owned
/// node without another owner goes with everything below it, as the server
/// does it, defaults included.
fn remove(node: &mut Value, taken: &Map<String, Value>, keep: &[&Map<String, Value>]) {
    for (step, below) in taken {
        let Some(below) = below.as_object() else { continue };
        if step == "." {
            continue;
        }
        let kept: Vec<&Map<String, Value>> =
            keep.iter().filter_map(|fields| fields.get(step)?.as_object()).collect();
        let whole = below.is_empty() || below.contains_key(".");
        if kept.is_empty() && whole {
            take_out(node, step);
        } else if let Some(child) = child_mut(node, step) {
            remove(child, below, &kept);
            let emptied = child.as_object().is_some_and(Map::is_empty)
                || child.as_array().is_some_and(Vec::is_empty);
            if emptied && kept.is_empty() {
                take_out(node, step);
            }
        }
    }
}

fn child_mut<'a>(node: &'a mut Value, step: &str) -> Option<&'a mut Value> {
    if let Some(name) = step.strip_prefix("f:") {
        return node.get_mut(name);
    }
    node.as_array_mut()?.iter_mut().find(|item| is_item(item, step))
}

fn take_out(node: &mut Value, step: &str) {
    match node {
        Value::Object(map) => {
            if let Some(name) = step.strip_prefix("f:") {
                map.remove(name);
            }
        }
        Value::Array(items) => items.retain(|item| !is_item(item, step)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(manager: &str, operation: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1",
               "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    #[test]
    fn what_kubectl_alone_owns_is_taken_over_and_removed() {
        let ours = entry("kustomize-controller", "Apply", &json!({"f:data": {"f:a": {}}}));
        let hand = entry("kubectl-patch", "Update", &json!({"f:data": {"f:b": {}, "f:a": {}}}));
        let other = entry("operator", "Update", &json!({"f:data": {"f:c": {}}}));
        let live = json!({"metadata": {"managedFields": [ours, hand, other]},
                          "data": {"a": "1", "b": "2", "c": "3"}});
        assert!(concerns(&live, Removal::TakeOver));
        let left = without_removed(&live, &live, "kustomize-controller", Removal::TakeOver);
        assert_eq!(left.expect("something is removed")["data"], json!({"a": "1", "c": "3"}));
    }

    #[test]
    fn a_list_item_of_a_taken_over_manager_goes_with_its_defaults() {
        let fields = json!({"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {
            ".": {}, "f:env": {"k:{\"name\":\"X\"}": {".": {}, "f:name": {}, "f:value": {}}}}}}});
        let own = json!({"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {
            ".": {}, "f:name": {}}}}});
        let live = json!({
            "metadata": {"managedFields": [
                entry("kustomize-controller", "Apply", &own),
                entry("kubectl-edit", "Update", &fields)]},
            "spec": {"containers": [{"name": "web", "env": [{"name": "X", "value": "1"}]}]}});
        let left = without_removed(&live, &live, "kustomize-controller", Removal::TakeOver)
            .expect("the variable is removed");
        assert!(left.pointer("/spec/containers/0/env/0").is_none());
        assert_eq!(left["spec"]["containers"][0]["name"], "web");
    }

    #[test]
    fn client_side_apply_removes_what_it_stated_before() {
        let applied =
            json!({"metadata": {"name": "n"}, "data": {"a": "1", "gone": "2"}}).to_string();
        let csa = entry(
            "kubectl-client-side-apply",
            "Update",
            &json!({"f:data": {"f:a": {}, "f:gone": {}, "f:edited": {}},
                    "f:metadata": {"f:annotations": {".": {}, "f:x": {}}}}),
        );
        let ours = entry("kubectl", "Apply", &json!({"f:data": {"f:a": {}}}));
        let live = json!({"metadata": {"name": "n", "annotations": {LAST_APPLIED: applied},
                                       "managedFields": [csa]},
                          "data": {"a": "1", "gone": "2", "edited": "3"}});
        let mut predicted = live.clone();
        predicted["metadata"]["managedFields"].as_array_mut().expect("a list").push(ours);
        let left = without_removed(&live, &predicted, "kubectl", Removal::LastApplied);
        let left = left.expect("a key goes");
        assert_eq!(left["data"], json!({"a": "1", "edited": "3"}));
        assert_eq!(left["metadata"]["name"], "n", "what it does not state stays");
    }

    #[test]
    fn a_subresource_and_another_controller_are_not_taken_over() {
        let mut scaled = entry("kubectl", "Update", &json!({"f:spec": {"f:replicas": {}}}));
        scaled["subresource"] = json!("scale");
        let kept = entry("helm", "Update", &json!({"f:spec": {"f:paused": {}}}));
        let live = json!({"metadata": {"managedFields": [scaled, kept]},
                          "spec": {"replicas": 5, "paused": true}});
        assert!(!concerns(&live, Removal::TakeOver));
        assert_eq!(without_removed(&live, &live, "kustomize-controller", Removal::TakeOver), None);
    }

    #[test]
    fn what_the_controller_wrote_before_it_applied_is_taken_over() {
        let before =
            entry("kustomize-controller", "Update", &json!({"f:data": {"f:a": {}, "f:b": {}}}));
        let ours = entry("kustomize-controller", "Apply", &json!({"f:data": {"f:a": {}}}));
        let live = json!({"metadata": {"managedFields": [before, ours]},
                          "data": {"a": "1", "b": "2"}});
        assert!(concerns(&live, Removal::TakeOver));
        let left = without_removed(&live, &live, "kustomize-controller", Removal::TakeOver);
        assert_eq!(left.expect("b goes")["data"], json!({"a": "1"}));
    }

    #[test]
    fn old_marks_go_whoever_owns_them_unless_they_are_stated() {
        let ours = |fields: Value| entry("kustomize-controller", "Apply", &fields);
        let live = |fields: Value| {
            json!({"metadata": {"managedFields": [ours(fields)],
                "labels": {"fluxcd.io/sync-gc-mark": "x", "app": "web"},
                "annotations": {"fluxcd.io/sync-checksum": "x"}}})
        };
        let owned = live(json!({"f:metadata": {"f:labels": {"f:app": {}}}}));
        assert!(concerns(&owned, Removal::TakeOver));
        let left = without_removed(&owned, &owned, "kustomize-controller", Removal::TakeOver);
        let left = left.expect("the marks go");
        assert_eq!(left["metadata"]["labels"], json!({"app": "web"}));
        assert!(left["metadata"].get("annotations").is_none());
        let stated = live(json!({"f:metadata": {"f:labels": {"f:fluxcd.io/sync-gc-mark": {}},
            "f:annotations": {"f:fluxcd.io/sync-checksum": {}}}}));
        let left = without_removed(&stated, &stated, "kustomize-controller", Removal::TakeOver);
        assert_eq!(left, None);
    }

    #[test]
    fn nothing_to_remove_leaves_the_answer() {
        let live = json!({"metadata": {"managedFields": []}, "data": {"a": "1"}});
        assert_eq!(without_removed(&live, &live, "m", Removal::TakeOver), None);
        assert_eq!(without_removed(&live, &live, "m", Removal::None), None);
    }
}
