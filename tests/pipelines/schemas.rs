//! The published schemas: SchemaStore's of GitHub's workflows, which Gitea's
//! follow, and GitLab's own. `make schemas` takes them from a package at a
//! pinned version.

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use serde_json::Value as Json;

use crate::{GITLAB, WORKFLOWS, parsed, text};

/// A schema, or `None`, said aloud, where it was not fetched.
fn schema(name: &str) -> Option<Json> {
    let folder = match env::var_os("GITOPS_CI_SCHEMAS") {
        Some(folder) => PathBuf::from(folder),
        None => env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?
            .join("kubectl-gitops/peers/ci-schemas-0.39.0"),
    };
    let file = folder.join(name);
    if !file.is_file() {
        // Past the capture of the test runner; a closed stderr fails no test.
        let absent = file.display();
        let _ =
            writeln!(io::stderr().lock(), "skipped: {absent} is absent; `make schemas` fetches it");
        return None;
    }
    Some(serde_json::from_slice(&fs::read(file).unwrap()).unwrap())
}

fn faults(schema: &Json, file: &Json) -> Vec<String> {
    let validator = jsonschema::validator_for(schema).unwrap();
    validator.iter_errors(file).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn workflows_obey_the_published_schema() {
    let Some(schema) = schema("github-workflows.json") else { return };
    for name in WORKFLOWS {
        assert_eq!(faults(&schema, &parsed(&text(name))), [""; 0], "{name}");
    }
    for (good, bad) in [
        ("      contents: read", "      contents: writ"),
        ("cancel-in-progress: true", "cancel-in-progres: true"),
        ("    runs-on: ubuntu-24.04\n", ""),
        ("  pull_request:\n", "  pull_requests:\n"),
    ] {
        let broken = text("github/gate.yaml").replace(good, bad);
        assert_ne!(faults(&schema, &parsed(&broken)), [""; 0], "{bad:?} passes");
    }
}

/// The schema takes anything under a name with a dot; here what others extend
/// is held to what a job may be.
fn with_templates_as_jobs(text: &str) -> Json {
    let mut jobs = serde_json::Map::new();
    for (name, job) in parsed(text).as_object_mut().unwrap() {
        if let Some(shown) = name.strip_prefix('.') {
            job["script"] = serde_json::json!(["true"]);
            jobs.insert(format!("template {shown}"), job.take());
        } else {
            jobs.insert(name.clone(), job.take());
        }
    }
    assert!(jobs.contains_key("template promote"));
    Json::Object(jobs)
}

#[test]
fn the_gitlab_pipeline_obeys_the_published_schema() {
    let Some(schema) = schema("gitlab-ci.json") else { return };
    assert_eq!(faults(&schema, &parsed(&text(GITLAB))), [""; 0]);
    assert_eq!(faults(&schema, &with_templates_as_jobs(&text(GITLAB))), [""; 0]);
    for (good, bad) in [
        ("  resource_group: promote", "  resource_groups: promote"),
        ("  interruptible: true", "  interruptible: often"),
        ("    options: [uat, prod]", "    options: prod"),
    ] {
        let broken = text(GITLAB).replace(good, bad);
        let broken = with_templates_as_jobs(&broken);
        assert_ne!(faults(&schema, &broken), [""; 0], "{bad:?} passes");
    }
}
