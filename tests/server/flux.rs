//! What kustomize-controller 1.9 does when it reconciles, written down a second
//! time from its source: the tests hold the predictions against it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::Field;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const FLUX_LABELS: [(&str, &str); 2] = [
    ("kustomize.toolkit.fluxcd.io/name", "apps"),
    ("kustomize.toolkit.fluxcd.io/namespace", "flux-system"),
];

/// `Kind/name`: the names of the pool are distinct within a kind.
pub type Id = String;

pub fn id(object: &Value) -> Id {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap();
    format!("{}/{}", text("/kind"), text("/metadata/name"))
}

pub fn with_flux_labels(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    let labels = metadata.entry("labels").or_insert_with(|| json!({}));
    if labels.is_null() {
        *labels = json!({});
    }
    for (name, value) in FLUX_LABELS {
        if let Some(labels) = labels.as_object_mut() {
            labels.insert(name.to_owned(), value.into());
        }
    }
    object
}

/// JSON documents are YAML documents.
pub fn documents<'a>(objects: impl Iterator<Item = &'a Value>) -> String {
    objects.fold(String::new(), |mut text, object| {
        writeln!(text, "---\n{object}").unwrap();
        text
    })
}

impl Field {
    /// Applies objects by server-side apply as `manager`.
    pub fn apply_all(&self, manager: &str, objects: &[Value]) -> std::process::Output {
        let manager = format!("--field-manager={manager}");
        let arguments = [
            "-n",
            &self.namespace,
            "apply",
            "--server-side",
            "--force-conflicts",
            &manager,
            "-f",
            "-",
        ];
        self.server.kubectl_output(&arguments, &documents(objects.iter())).unwrap()
    }

    /// The live objects, `managedFields` included.
    pub fn live<'a>(&self, objects: impl Iterator<Item = &'a Value>) -> BTreeMap<Id, Value> {
        let arguments =
            ["-n", &self.namespace, "get", "--show-managed-fields", "-o", "json", "-f", "-"];
        let objects = documents(objects);
        let said = self.server.kubectl(&arguments, &objects).unwrap();
        let list: Value = serde_json::from_str(&said).unwrap();
        let one = [list.clone()];
        let items = list["items"].as_array().map_or(one.as_slice(), Vec::as_slice);
        items.iter().map(|item| (id(item), item.clone())).collect()
    }

    /// Reconciles objects: takes over what kubectl users own, then applies.
    /// Returns how many were taken over.
    pub fn reconcile(&self, objects: &[Value]) -> usize {
        let live = self.live(objects.iter());
        let taken: Vec<Value> = live.values().filter_map(taken_over).collect();
        if !taken.is_empty() {
            let arguments = ["-n", &self.namespace, "replace", "--field-manager=none", "-f", "-"];
            self.server.kubectl(&arguments, &documents(taken.iter())).unwrap();
        }
        let labelled: Vec<Value> = objects.iter().map(with_flux_labels).collect();
        let said = self.apply_all("kustomize-controller", &labelled);
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        taken.len()
    }
}

/// What a reconcile may differ in without anyone caring.
pub fn settled(object: &Value) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove("status");
    let metadata = object["metadata"].as_object_mut().unwrap();
    for field in ["managedFields", "resourceVersion", "generation"] {
        metadata.remove(field);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove(LAST_APPLIED);
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    object
}

/// Joins two trees of owned fields.
fn union(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (step, below) in from {
        let slot = into.entry(step.clone()).or_insert_with(|| json!({}));
        union(slot.as_object_mut().unwrap(), below.as_object().unwrap());
    }
}

/// What kustomize-controller does to the live object before it applies
/// (`fluxcd/pkg/ssa` 0.76: `PatchReplaceFieldsManagers`), written down a
/// second time, from its source.
fn taken_over(live: &Value) -> Option<Value> {
    const OURS: &str = "kustomize-controller";
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let (mut own, mut rest, mut taken) = (None, Vec::new(), Vec::new());
    for entry in live["metadata"]["managedFields"].as_array()? {
        let (manager, operation) = (text(entry, "manager"), text(entry, "operation"));
        if manager == OURS && operation == "Apply" {
            own = Some(entry.clone());
        } else if text(entry, "subresource").is_empty()
            && (manager.starts_with("kubectl")
                || (operation == "Update"
                    && ["before-first-apply", OURS].iter().any(|name| manager.starts_with(name))))
        {
            taken.push(entry.clone());
        } else {
            rest.push(entry.clone());
        }
    }
    let marks = &live["metadata"]["annotations"];
    let copied = marks.get(LAST_APPLIED).is_some();
    if (taken.is_empty() && !copied) || marks["kustomize.toolkit.fluxcd.io/ssa"] == "Merge" {
        return None;
    }
    let mut own = own.unwrap_or_else(|| {
        let mut first = taken.remove(0);
        first["manager"] = OURS.into();
        first["operation"] = "Apply".into();
        first
    });
    for entry in taken {
        let fields = own["fieldsV1"].as_object_mut()?;
        union(fields, entry["fieldsV1"].as_object()?);
    }
    rest.push(own);
    let mut object = live.clone();
    if copied {
        object["metadata"]["annotations"].as_object_mut()?.remove(LAST_APPLIED);
    }
    object["metadata"]["managedFields"] = rest.into();
    Some(object)
}
