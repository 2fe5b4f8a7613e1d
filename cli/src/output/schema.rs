//! JSON Schemas (2020-12) of the documents that this program prints and of the
//! files that it reads, and the words that may stand in them.

use gitops_core::change::Action;
use gitops_core::gate::Answer;
use gitops_core::judge::{Decision, Effect, Mode, Moved, Severity};
use gitops_core::plan::{ReadFrom, key_of, mode_word as file_mode};
use gitops_tree::Mode as FileMode;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::json::{API_VERSION, Body};
use super::list::strategy;
use super::verdict::{decision_word, effect_word, mode_word, severity_word};
use crate::config::{Merge, Method};
use crate::operations::audit::Finding;
use crate::operations::requests::Done;

/// The schema of a document that this program prints.
pub(crate) fn of_document<T: Body>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = finished(T::KIND, settings.into_generator().into_root_schema_for::<T>());
    never_null(&mut schema);
    schema
}

/// The schema of a file that this program reads.
pub(crate) fn of_file(kind: &str, schema: impl FnOnce(SchemaGenerator) -> Schema) -> Value {
    finished(kind, schema(SchemaSettings::draft2020_12().for_deserialize().into_generator()))
}

/// The schema of what has this `kind` and the fields of `schema`.
fn finished(kind: &str, schema: Schema) -> Value {
    let mut schema = schema.to_value();
    schema["title"] = kind.into();
    for (key, value) in [("apiVersion", API_VERSION), ("kind", kind)] {
        schema["properties"][key] = json!({"const": value});
        match schema["required"].as_array_mut() {
            Some(required) => required.retain(|name| name != key),
            None => schema["required"] = json!([]),
        }
        let required = schema["required"].as_array_mut();
        required.into_iter().for_each(|required| required.push(key.into()));
    }
    tidy(&mut schema);
    schema
}

/// What need not stand in a document is left out of it, and never `null`.
fn never_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(never_null),
        Value::Object(fields) => {
            fields.values_mut().for_each(never_null);
            let required = fields.get("required").cloned().unwrap_or_default();
            let required: Vec<&str> =
                required.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let properties = fields.get_mut("properties").and_then(Value::as_object_mut);
            for (name, property) in properties.into_iter().flatten() {
                if !required.contains(&name.as_str()) {
                    without_null(property);
                }
            }
        }
        _ => {}
    }
}

/// Takes `null` out of what a value may be.
fn without_null(schema: &mut Value) {
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|is| is != "null");
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    }
    if let Some(forms) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        forms.retain(|form| form["type"] != "null");
        if let [Value::Object(only)] = forms.as_slice() {
            let only = only.clone();
            let fields = schema.as_object_mut().expect("it has a field");
            fields.remove("anyOf");
            fields.extend(only);
        }
    }
}

/// Lets nothing stand in a mapping but what is named, and drops what is about
/// this program's types and not about the document.
fn tidy(schema: &mut Value) {
    const TYPES: &str = "Doc";
    match schema {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(fields) => {
            fields.values_mut().for_each(tidy);
            if fields.get("properties").is_some_and(Value::is_object)
                && !fields.contains_key("additionalProperties")
            {
                fields.insert("additionalProperties".to_owned(), false.into());
            }
            if fields.get("default") == Some(&Value::Null) {
                fields.remove("default");
            }
            if fields.get("type").is_some_and(|is| is == "integer") {
                fields.remove("format");
            }
            if let Some(Value::String(to)) = fields.get_mut("$ref") {
                *to = to.trim_end_matches(TYPES).to_owned();
            }
            if let Some(Value::Object(defined)) = fields.get_mut("$defs") {
                let old = std::mem::take(defined).into_iter();
                defined.extend(old.map(|(name, it)| (name.trim_end_matches(TYPES).to_owned(), it)));
            }
        }
        _ => {}
    }
}

const ACTIONS: [Action; 8] = [
    Action::Created,
    Action::Configured,
    Action::Deleted,
    Action::Replaced,
    Action::Unchanged,
    Action::Skipped,
    Action::Unverified,
    Action::Error,
];

const MOVED: [Moved; 8] = [
    Moved::ImageName,
    Moved::ImageTag,
    Moved::ImageDigest,
    Moved::ChartVersion,
    Moved::GitRef,
    Moved::Value,
    Moved::Folder,
    Moved::Other,
];

/// How many objects saw each action.
pub(super) fn summary(_: &mut SchemaGenerator) -> Schema {
    let counts = ACTIONS.map(|action| (action.word().to_owned(), json!({"type": "integer"})));
    let counts = Value::Object(counts.into_iter().collect());
    json_schema!({"type": "object", "properties": counts})
}

/// A function for `schema_with`: a text that is one of some words.
macro_rules! one_of {
    ($($name:ident: $words:expr;)*) => {$(
        pub(super) fn $name(_: &mut SchemaGenerator) -> Schema {
            json_schema!({"type": "string", "enum": $words})
        }
    )*};
}

one_of! {
    actions: ACTIONS.map(Action::word);
    moved: MOVED.map(Moved::word);
    moved_fields: MOVED.map(key_of);
    answers: [Answer::Open, Answer::Pending, Answer::Closed].map(Answer::word);
    decisions: [Decision::Open, Decision::Closed, Decision::Pending, Decision::Faulty]
        .map(decision_word);
    effects: [Effect::Deny, Effect::Warn, Effect::Info].map(effect_word);
    severities: [
        Severity::Critical,
        Severity::High,
        Severity::Medium,
        Severity::Low,
        Severity::Informational,
    ].map(severity_word);
    modes: [Mode::Enforce, Mode::Warn, Mode::Audit].map(mode_word);
    judged: ["evaluated", "not-applicable", "pending", "fault"];
    findings: [Finding::Proven, Finding::Claimed, Finding::Unknown, Finding::Refuted]
        .map(Finding::word);
    ways: ["promote", "release", "rollback", "first", "other"];
    operations: ["release", "promote", "rollback", "other"];
    outcomes: ["nothing-to-do", "held", "merged", "committed", "pushed", "stands", "left-closed"];
    done: [Done::Opened, Done::Reopened, Done::Updated, Done::Unchanged, Done::Closed, Done::Left, Done::Merged].map(Done::word);
    hold_outcomes: ["stands", "planned", "pushed"];
    methods: [Method::Squash, Method::Merge, Method::Rebase].map(Method::word);
    strategies: [Merge::Auto, Merge::Manual, Merge::Direct].map(strategy);
    read_from: [ReadFrom::Source, ReadFrom::Target, ReadFrom::Trust, ReadFrom::Remote]
        .map(ReadFrom::word);
    file_modes: [FileMode::Regular, FileMode::Executable, FileMode::Link].map(file_mode);
}
