//! GitHub's own description of its APIs: the OpenAPI document and the GraphQL schema
//! that it publishes, at a pinned version. What the program asks and what the fake
//! answers is held to them.
//!
//! They are not part of the project: `make test` takes them from npm into the
//! per-user cache. Without them the fake works, and says once that nothing is held
//! to anything.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use jsonschema::Validator;
use serde_json::{Value, json};

/// The folder in the cache; the Makefile knows it by the same name.
const FOLDER: &str = "kubectl-gitops/peers/github-contract-23.0.2";

/// Both descriptions.
pub struct Contract {
    rest: Value,
    schema: Valid<Schema>,
    made: Mutex<BTreeMap<String, Arc<Validator>>>,
}

impl std::fmt::Debug for Contract {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contract")
    }
}

/// The contract, where it is there; a line on stderr where it is not.
///
/// # Panics
///
/// Where it cannot be read.
pub fn contract() -> Option<&'static Contract> {
    static FOUND: OnceLock<Option<Contract>> = OnceLock::new();
    let read = || {
        let cache = || {
            let set = std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty());
            let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
            Some(set.map(PathBuf::from).or_else(home)?.join(FOLDER))
        };
        let set = std::env::var_os("GITOPS_GITHUB_CONTRACT").map(PathBuf::from);
        let folder = set.or_else(cache)?;
        let rest = std::fs::read_to_string(folder.join("api.github.com.json")).ok()?;
        let schema = std::fs::read_to_string(folder.join("schema.graphql")).ok()?;
        let mut rest: Value = serde_json::from_str(&rest).expect("an OpenAPI document");
        nullable(&mut rest);
        // GitHub's own schema names two fields twice; what could be read is used.
        let schema = match Schema::parse(schema, "schema.graphql") {
            Ok(schema) => schema,
            Err(errors) => errors.partial,
        };
        Some(Contract { rest, schema: Valid::assume_valid(schema), made: Mutex::default() })
    };
    let found = FOUND.get_or_init(|| {
        let found = read();
        if found.is_none() {
            let why = "GitHub's stand-in is held to no description of its API (`make contract`)";
            // Past the capture of the test runner; a closed stderr fails no test.
            let _ = writeln!(std::io::stderr().lock(), "skipped: {why}");
        }
        found
    });
    found.as_ref()
}

/// `nullable: true` as JSON Schema says it.
fn nullable(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for field in fields.values_mut() {
                nullable(field);
            }
            if fields.get("nullable") == Some(&Value::Bool(true)) {
                fields.remove("nullable");
                let rest = Value::Object(std::mem::take(fields));
                fields.insert("anyOf".to_owned(), json!([{"type": "null"}, rest]));
            }
        }
        Value::Array(all) => all.iter_mut().for_each(nullable),
        _ => {}
    }
}

impl Contract {
    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(to) => self.rest.pointer(to.trim_start_matches('#')).expect("a reference"),
            None => value,
        }
    }

    fn operation(&self, method: &str, template: &str) -> Option<&Value> {
        self.rest["paths"].get(template)?.get(method.to_ascii_lowercase())
    }

    /// What is wrong with a request.
    pub(super) fn request(
        &self,
        method: &str,
        template: &str,
        query: &[(String, String)],
        body: &Value,
    ) -> Vec<String> {
        let Some(operation) = self.operation(method, template) else {
            return vec![format!("{method} {template}: GitHub has no such call")];
        };
        let mut wrong = Vec::new();
        let known: BTreeSet<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| self.resolved(parameter))
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        for (name, _) in query {
            if !known.contains(name.as_str()) {
                wrong.push(format!("{method} {template}: there is no parameter `{name}`"));
            }
        }
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        match (schema.is_null(), body.is_null()) {
            (true, false) => wrong.push(format!("{method} {template}: it takes no body")),
            (false, false) => {
                // What is not described is a slip of the pen.
                let mut closed = schema.clone();
                if closed.get("properties").is_some() {
                    closed["additionalProperties"] = Value::Bool(false);
                }
                let place = format!("{method} {template} request");
                wrong.extend(self.check(&place, &closed, body));
            }
            _ => {}
        }
        wrong
    }

    /// What is wrong with an answer.
    pub(super) fn answer(
        &self,
        method: &str,
        template: &str,
        status: u16,
        body: &Value,
    ) -> Vec<String> {
        let Some(operation) = self.operation(method, template) else { return Vec::new() };
        let answer = &operation["responses"][status.to_string()];
        let place = format!("{method} {template} {status}");
        if answer.is_null() {
            // Refusals that every call may come to are not listed at each.
            let basic = json!({"$ref": "#/components/schemas/basic-error"});
            return match status {
                301 | 400..=499 => self.check(&format!("{place} (any)"), &basic, body),
                _ => vec![format!("{place}: GitHub does not answer so")],
            };
        }
        let schema = &self.resolved(answer)["content"]["application/json"]["schema"];
        if schema.is_null() {
            return Vec::new();
        }
        self.check(&place, schema, body)
    }

    fn check(&self, place: &str, schema: &Value, body: &Value) -> Vec<String> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).get(place).cloned();
        let validator = made.unwrap_or_else(|| {
            let validator = Arc::new(self.validator(schema));
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            made.insert(place.to_owned(), validator.clone());
            validator
        });
        let errors = validator.iter_errors(body).take(5);
        errors.map(|error| format!("{place}: at `{}` {error}", error.instance_path())).collect()
    }

    /// A schema with what it refers to, and no more: the whole is 13 MB.
    fn validator(&self, schema: &Value) -> Validator {
        let mut names = BTreeSet::new();
        let mut left = vec![schema.clone()];
        let mut schemas = serde_json::Map::new();
        while let Some(one) = left.pop() {
            let mut found = BTreeSet::new();
            references(&one, &mut found);
            for name in found {
                if names.insert(name.clone()) {
                    let there = self.rest["components"]["schemas"][&name].clone();
                    schemas.insert(name, there.clone());
                    left.push(there);
                }
            }
        }
        let whole = json!({"allOf": [schema], "components": {"schemas": schemas}});
        jsonschema::options()
            .with_draft(jsonschema::Draft::Draft4)
            .should_validate_formats(true)
            .build(&whole)
            .expect("a schema of GitHub's")
    }

    /// What is wrong with a GraphQL document.
    pub fn document(&self, text: &str) -> Vec<String> {
        match ExecutableDocument::parse_and_validate(&self.schema, text, "document.graphql") {
            Ok(_) => Vec::new(),
            Err(errors) => vec![errors.errors.to_string()],
        }
    }

    /// What is wrong with the answer to a GraphQL document.
    pub(super) fn data(&self, text: &str, answer: &Value) -> Vec<String> {
        let parsed = ExecutableDocument::parse_and_validate(&self.schema, text, "document.graphql");
        let Ok(document) = parsed else { return Vec::new() };
        let Ok(operation) = document.operations.get(None) else {
            return vec!["more than one operation".to_owned()];
        };
        let mut wrong = Vec::new();
        if let Some(data) = answer.get("data").filter(|data| !data.is_null()) {
            let faulty = answer.get("errors").is_some();
            self.fields(&document, &operation.selection_set, data, "data", faulty, &mut wrong);
        }
        wrong
    }

    fn fields(
        &self,
        document: &ExecutableDocument,
        set: &apollo_compiler::executable::SelectionSet,
        value: &Value,
        path: &str,
        faulty: bool,
        wrong: &mut Vec<String>,
    ) {
        use apollo_compiler::executable::Selection;
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    let path = format!("{path}.{}", field.response_key());
                    let found = &value[field.response_key().as_str()];
                    self.one(document, field, field.ty(), found, &path, faulty, wrong);
                }
                Selection::InlineFragment(fragment) => {
                    let kind = value["__typename"].as_str();
                    let meant = fragment.type_condition.as_ref();
                    if meant.is_none_or(|meant| kind == Some(meant.as_str())) {
                        self.fields(document, &fragment.selection_set, value, path, faulty, wrong);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let Some(fragment) = spread.fragment_def(document) else { continue };
                    let kind = value["__typename"].as_str();
                    // Where it is asked for what it is, a fragment may be of another kind.
                    if kind.is_none_or(|kind| kind == fragment.type_condition().as_str())
                        && !value.as_object().is_some_and(serde_json::Map::is_empty)
                    {
                        self.fields(document, &fragment.selection_set, value, path, faulty, wrong);
                    }
                }
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one step of a walk over two trees")]
    fn one(
        &self,
        document: &ExecutableDocument,
        field: &apollo_compiler::executable::Field,
        kind: &apollo_compiler::schema::Type,
        value: &Value,
        path: &str,
        faulty: bool,
        wrong: &mut Vec<String>,
    ) {
        use apollo_compiler::schema::Type;
        if value.is_null() {
            // What could not be answered is null, with an error beside it.
            if kind.is_non_null() && !faulty {
                wrong.push(format!("{path} is null, and never is on GitHub"));
            }
            return;
        }
        match kind {
            Type::List(inner) | Type::NonNullList(inner) => match value.as_array() {
                Some(all) => {
                    for one in all {
                        self.one(document, field, inner, one, path, faulty, wrong);
                    }
                }
                None => wrong.push(format!("{path} is no list")),
            },
            Type::Named(name) | Type::NonNullNamed(name) => {
                let fits = match name.as_str() {
                    "String" | "ID" | "URI" | "DateTime" | "GitObjectID" | "HTML" => {
                        value.is_string()
                    }
                    "Int" => value.is_i64() || value.is_u64(),
                    "Boolean" => value.is_boolean(),
                    _ => match self.schema.types.get(name) {
                        Some(apollo_compiler::schema::ExtendedType::Enum(words)) => value
                            .as_str()
                            .is_some_and(|word| words.values.keys().any(|one| one == word)),
                        _ => value.is_object(),
                    },
                };
                if !fits {
                    wrong.push(format!("{path} is no {name}: {value}"));
                }
                if value.is_object() {
                    let set = &field.selection_set;
                    self.fields(document, set, value, path, faulty, wrong);
                }
            }
        }
    }
}

/// The names of the schemas that one refers to.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(to) = fields.get("$ref").and_then(Value::as_str) {
                found.extend(to.strip_prefix("#/components/schemas/").map(str::to_owned));
            }
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(all) => all.iter().for_each(|one| references(one, found)),
        _ => {}
    }
}
