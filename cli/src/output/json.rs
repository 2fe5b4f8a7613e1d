//! JSON: mirrors of the core types, since those derive no wire format. Every
//! document carries `apiVersion` and `kind`.

use std::collections::BTreeMap;

use gitops_core::change::{Action, Change, ChangeSet, FieldChange};
use gitops_core::key::ObjectKey;
use gitops_core::object::Source;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::schema;

/// Version of every JSON document.
pub(crate) const API_VERSION: &str = "kubectl-gitops.dev/v1alpha1";

/// The body of a document that this program prints. `commands::schema` knows all
/// of them, and tests hold what is printed to what it says.
pub(crate) trait Body: Serialize + JsonSchema {
    /// The document's `kind`.
    const KIND: &'static str;
}

/// A document with its version and kind, printed over several lines and with
/// a line end.
pub(crate) fn document<T: Body>(body: &T) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Document<'a, T> {
        api_version: &'a str,
        kind: &'a str,
        #[serde(flatten)]
        body: &'a T,
    }
    let document = Document { api_version: API_VERSION, kind: T::KIND, body };
    let mut text = serde_json::to_string_pretty(&document).expect("a document has string keys");
    text.push('\n');
    text
}

/// A place in a file.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SourceDoc<'a> {
    path: &'a str,
    /// Which document of the file, from 1.
    document: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

impl<'a> From<&'a Source> for SourceDoc<'a> {
    fn from(source: &'a Source) -> Self {
        SourceDoc { path: &source.path, document: source.document, line: source.line }
    }
}

/// A Kubernetes object, by name.
#[derive(Serialize, JsonSchema)]
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

/// A field that differs. Values of Secrets are sealed.
#[derive(Serialize, JsonSchema)]
struct FieldDoc<'a> {
    /// RFC 6901 pointer into the object.
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

/// What happens to an object.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ChangeDoc<'a> {
    #[schemars(schema_with = "schema::actions")]
    action: &'a str,
    object: ObjectDoc<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceDoc<'a>>,
    /// As whom it is applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    manager: Option<&'a str>,
    /// Why it could not be compared.
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
