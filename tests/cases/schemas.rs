//! Holds what the program prints to the schemas that it prints.

use std::collections::HashMap;
use std::process::Command;
use std::sync::{Arc, Mutex};

use jsonschema::Validator;
use serde_json::Value;

/// The schema of a kind, as the program tells it.
fn schema(kind: &str) -> Arc<Validator> {
    static KNOWN: Mutex<Option<HashMap<String, Arc<Validator>>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap();
    let known = known.get_or_insert_default();
    let asked = known.entry(kind.to_owned()).or_insert_with(|| {
        let program = env!("CARGO_BIN_EXE_kubectl-gitops");
        let said = Command::new(program).args(["schema", kind]).output().unwrap();
        assert!(said.status.success(), "no schema of {kind}");
        let schema: Value = serde_json::from_slice(&said.stdout).unwrap();
        Arc::new(jsonschema::draft202012::new(&schema).unwrap())
    });
    Arc::clone(asked)
}

/// Panics where `text` is a document of this program and not as its schema says;
/// other texts may be anything.
pub fn hold(line: &str, text: &str) {
    if !text.starts_with("{\n  \"apiVersion\": \"kubectl-gitops.dev/") {
        return;
    }
    // A reader that has closed its end gets less.
    let Ok(document) = serde_json::from_str::<Value>(text) else { return };
    let kind = document["kind"].as_str().unwrap();
    let wrong: Vec<String> = schema(kind)
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{line}: not as `schema {kind}` says:\n{}", wrong.join("\n"));
}
