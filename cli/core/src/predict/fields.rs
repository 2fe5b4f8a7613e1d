//! `metadata.managedFields`, as structured-merge-diff writes it: a tree whose
//! keys are `f:NAME` (a field), `k:{…}` (a list item by its key), `v:…` (a
//! member of a set) and `.` (the node itself).

use serde_json::{Map, Value};

/// One entry of `metadata.managedFields`.
pub(crate) struct Entry<'a> {
    pub(crate) manager: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) api_version: &'a str,
    pub(crate) subresource: &'a str,
    pub(crate) fields: Option<&'a Map<String, Value>>,
}

impl Entry<'_> {
    /// Whether a server-side apply of the object itself made this entry.
    pub(crate) fn is_apply(&self) -> bool {
        self.operation == "Apply" && self.subresource.is_empty()
    }
}

/// The entries of an object, in its order.
pub(crate) fn entries(object: &Value) -> Vec<Entry<'_>> {
    let list = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let entry = |entry| Entry {
        manager: string(entry, "manager"),
        operation: string(entry, "operation"),
        api_version: string(entry, "apiVersion"),
        subresource: string(entry, "subresource"),
        fields: entry.get("fieldsV1").and_then(Value::as_object),
    };
    list.into_iter().flatten().map(entry).collect()
}

fn string<'a>(entry: &'a Value, name: &str) -> &'a str {
    entry.get(name).and_then(Value::as_str).unwrap_or("")
}

/// The key fields of a `k:{…}` step; `None` for any other step.
pub(crate) fn item_key(step: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(step.strip_prefix("k:")?).ok()
}

/// Whether a list item has these key fields. A port without a protocol has
/// TCP: the one default that the API server puts into list keys.
pub(crate) fn item_matches(item: &Value, key: &Map<String, Value>) -> bool {
    key.iter().all(|(name, wanted)| match item.get(name) {
        Some(value) => value == wanted,
        None => name == "protocol" && wanted == "TCP",
    })
}
