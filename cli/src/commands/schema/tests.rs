//! What the readers of files take, their schemas take; what is of another shape
//! is refused by both.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use gitops_core::gate::Hold;
use gitops_policy::PolicyError;
use gitops_tree::{Memory, TreePath};
use gitops_yaml::FileId;
use jsonschema::Validator;
use serde_json::json;

use super::*;
use crate::config::ProblemKind;

/// What a reader says to a file.
#[derive(Debug, PartialEq)]
enum Read {
    Taken,
    /// A key is unknown or missing, or a value of another type.
    Shape,
    /// What it says cannot be.
    Meaning,
}

fn schema(kind: &str) -> Validator {
    let (_, schema) = KINDS.iter().find(|(known, _)| *known == kind).unwrap();
    jsonschema::draft202012::new(&schema()).unwrap()
}

/// Every document with one place changed: to a value of each type, without a key,
/// with one more.
fn changed(document: &Value) -> Vec<Value> {
    let values =
        [json!("text"), json!(7), json!(true), json!(null), json!([]), json!({}), json!([{}])];
    let mut all: Vec<Value> = values.to_vec();
    match document {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                for other in changed(item) {
                    let mut items = items.clone();
                    items[index] = other;
                    all.push(Value::Array(items));
                }
            }
        }
        Value::Object(fields) => {
            let mut more = fields.clone();
            more.insert("unheardOf".to_owned(), json!(1));
            all.push(Value::Object(more));
            for (key, value) in fields {
                let mut fewer = fields.clone();
                fewer.remove(key);
                all.push(Value::Object(fewer.clone()));
                for other in changed(value) {
                    let mut fields = fewer.clone();
                    fields.insert(key.clone(), other);
                    all.push(Value::Object(fields));
                }
            }
        }
        _ => {}
    }
    all
}

/// Holds the schema of `kind` to the reader, for each of the documents and all
/// that are one change away.
fn hold(kind: &str, documents: &[Value], read: impl Fn(&str) -> Read) {
    let schema = schema(kind);
    let (mut taken, mut refused, mut wrong) = (0, 0, Vec::new());
    for document in documents {
        for document in changed(document).iter().chain([document]) {
            let answer = read(&document.to_string());
            match answer {
                Read::Taken => taken += 1,
                Read::Shape => refused += 1,
                Read::Meaning => continue,
            }
            if schema.is_valid(document) != (answer == Read::Taken) {
                wrong.push(format!("{answer:?}: {document}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {kind}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
    assert!(taken > documents.len() && refused > documents.len(), "{taken} {refused}");
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The documents of every file of that name below a folder.
fn documents(folder: &Path, name: &str, found: &mut Vec<Value>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            documents(&path, name, found);
        } else if path.file_name().is_some_and(|file| file == name) {
            // Some cases are about files that are no YAML.
            let Ok(read) = gitops_yaml::read(FileId(0), &fs::read(&path).unwrap()) else {
                continue;
            };
            let roots = read.into_iter().filter_map(|document| document.root);
            found.extend(roots.filter_map(|root| root.to_json().ok()));
        }
    }
}

fn all(name: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for folder in ["tests/cases", "examples"] {
        documents(&project().join(folder), name, &mut found);
    }
    found
}

fn tree(files: &[(&str, &[u8])]) -> Memory {
    let mut tree = Memory::new();
    for (path, bytes) in files {
        tree.insert(TreePath::new(path).unwrap(), *bytes);
    }
    tree
}

#[test]
fn gitops_yaml_is_what_its_reader_takes() {
    let read = |text: &str| match config::read(&tree(&[("gitops.yaml", text.as_bytes())])) {
        Ok(_) => Read::Taken,
        Err(error) => {
            let shape = |problem: &config::Problem| problem.kind != ProblemKind::Invalid;
            if error.problems.iter().any(shape) { Read::Shape } else { Read::Meaning }
        }
    };
    let mut documents = all("gitops.yaml");
    documents.push(json!({}));
    hold("GitOps", &documents, read);
}

#[test]
fn a_hold_is_what_its_reader_takes() {
    let path = TreePath::new("holds/prod/x.yaml").unwrap();
    let read = |text: &str| match Hold::read(&path, text.as_bytes()) {
        Ok(_) => Read::Taken,
        // What else it says of a hold is in its schema, too, but for two things.
        Err(error) if error.reason.contains("stands in the folder") => Read::Meaning,
        Err(error) if error.reason.contains("is no time") => Read::Meaning,
        Err(_) => Read::Shape,
    };
    let hold_all = json!({
        "apiVersion": "kubectl-gitops.dev/v1alpha1",
        "kind": "Hold",
        "environment": "prod",
        "apps": ["web"],
        "owner": "ada@example.com",
        "reason": "incident",
        "since": "2026-01-02T03:04:05Z",
        "expires": "2026-01-03T03:04:05Z",
    });
    hold("Hold", &[hold_all], read);
}

/// What the host says to policies of a repository. What is Meaning is about
/// other files, or about names.
fn policies(files: &[(&str, &[u8])]) -> Read {
    let meaning = ["binds nothing", "policy `", "its name is", "its module", "path"];
    match gitops_policy::load(&tree(files), &TreePath::new("policies/bindings.yaml").unwrap()) {
        Ok(_) => Read::Taken,
        Err(PolicyError::Unfit { .. }) => Read::Meaning,
        Err(PolicyError::File { reason, .. }) if meaning.iter().any(|it| reason.contains(it)) => {
            Read::Meaning
        }
        Err(_) => Read::Shape,
    }
}

const POLICY: &str = "policies/no-floating-tag/policy.yaml";
const MODULE: &str = "policies/no-floating-tag/no-floating-tag.wasm";

#[test]
fn bindings_are_what_their_reader_takes() {
    let policy = all("policy.yaml")[0].to_string();
    let mut bindings = all("bindings.yaml");
    // A case is about a file of another kind.
    bindings.retain(|document| document["kind"] == "PolicyBinding");
    hold("PolicyBinding", &bindings, |binding| {
        let policy = (POLICY, policy.as_bytes());
        policies(&[("policies/bindings.yaml", binding.as_bytes()), policy, (MODULE, b"")])
    });
}

#[test]
fn a_policy_is_what_its_reader_takes() {
    let bindings = json!({
        "apiVersion": "kubectl-gitops.dev/v1alpha1",
        "kind": "PolicyBinding",
        "spec": {"environments": ["prod"], "policies": [{"name": "no-floating-tag", "mode": "warn"}]},
    });
    let bindings = bindings.to_string();
    hold("Policy", &all("policy.yaml"), |policy| {
        let policy = (POLICY, policy.as_bytes());
        policies(&[("policies/bindings.yaml", bindings.as_bytes()), policy, (MODULE, b"")])
    });
}
