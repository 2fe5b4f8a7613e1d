//! JSON: mirrors of the core types, since those derive no wire format. Every
//! document carries `apiVersion` and `kind`.

use std::collections::BTreeMap;

use gitops_core::change::{Action, Change, ChangeSet, FieldChange};
use gitops_core::key::ObjectKey;
use gitops_core::object::Source;
use serde::Serialize;
use serde_json::Value;

/// Version of every JSON document.
pub(crate) const API_VERSION: &str = "kubectl-gitops.dev/v1alpha1";

/// A document with its version and kind, printed over several lines and with
/// a line end.
pub(crate) fn document(kind: &str, body: &impl Serialize) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Document<'a, T> {
        api_version: &'a str,
        kind: &'a str,
        #[serde(flatten)]
        body: &'a T,
    }
    let document = Document { api_version: API_VERSION, kind, body };
    let mut text = serde_json::to_string_pretty(&document).expect("a document has string keys");
    text.push('\n');
    text
}

#[derive(Serialize)]
pub(crate) struct SourceDoc<'a> {
    path: &'a str,
    document: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

impl<'a> From<&'a Source> for SourceDoc<'a> {
    fn from(source: &'a Source) -> Self {
        SourceDoc { path: &source.path, document: source.document, line: source.line }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ObjectDoc<'a> {
    api_version: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    name: &'a str,
}

impl<'a> ObjectDoc<'a> {
    pub(crate) fn new(api_version: &'a str, key: &'a ObjectKey) -> ObjectDoc<'a> {
        let namespace = key.namespace.as_deref();
        ObjectDoc { api_version, kind: &key.kind, namespace, name: &key.name }
    }
}

#[derive(Serialize)]
struct FieldDoc<'a> {
    pointer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceDoc<'a>>,
}

impl<'a> From<&'a FieldChange> for FieldDoc<'a> {
    fn from(field: &'a FieldChange) -> Self {
        FieldDoc {
            pointer: &field.pointer,
            before: field.before.as_ref(),
            after: field.after.as_ref(),
            source: field.source.as_ref().map(SourceDoc::from),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct ChangeDoc<'a> {
    action: &'a str,
    object: ObjectDoc<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceDoc<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manager: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<FieldDoc<'a>>,
    /// The whole object, where it stands on one side only.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a Value>,
}

impl<'a> From<&'a Change> for ChangeDoc<'a> {
    fn from(change: &'a Change) -> Self {
        let whole = |action: Action, side: &'a Option<gitops_core::object::Object>| {
            side.as_ref().filter(|_| change.action == action).map(|object| &object.tree)
        };
        ChangeDoc {
            action: change.action.word(),
            object: ObjectDoc::new(&change.api_version, &change.key),
            source: change.source.as_ref().map(SourceDoc::from),
            manager: change.manager.as_deref(),
            reason: change.reason.as_deref(),
            warnings: &change.warnings,
            fields: change.fields.iter().map(FieldDoc::from).collect(),
            before: whole(Action::Deleted, &change.before),
            after: whole(Action::Created, &change.after),
        }
    }
}

/// How many objects saw each action; actions that none saw are left out.
pub(crate) fn summary(set: &ChangeSet) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for change in set.changes() {
        *counts.entry(change.action.word()).or_default() += 1;
    }
    counts
}

pub(crate) fn changes(set: &ChangeSet) -> Vec<ChangeDoc<'_>> {
    set.changes().iter().map(ChangeDoc::from).collect()
}
