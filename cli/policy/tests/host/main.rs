//! The host against real components: the starter policy, and guests that
//! attack.

#![allow(clippy::unwrap_used)]

mod guests;
mod hostile;
mod loading;
mod starter;

use std::path::Path;
use std::sync::{Arc, Mutex};

use gitops_core::change::{Action, Change, ChangeSet, FieldChange};
use gitops_core::judge::{
    EnvironmentRef, Fault, Judgement, Move, Moved, Operation, Request, Subject,
};
use gitops_core::key::ObjectKey;
use gitops_core::object::{Lines, Object, Source};
use gitops_policy::{Host, HostOptions, Level, Limits, PolicySet};
use gitops_tree::{Memory, TreePath};
use serde_json::{Value, json};

const NOW: &str = "2026-11-20T15:04:05Z";

/// A host and what belongs to it.
struct Bench {
    host: Host,
    lines: Arc<Mutex<Vec<(Level, String)>>>,
}

impl Bench {
    fn new() -> Bench {
        Bench::with(Limits::default())
    }

    /// With the cache that all tests share, so that each guest compiles once.
    fn with(limits: Limits) -> Bench {
        Bench::at(Path::new(env!("CARGO_TARGET_TMPDIR")), limits)
    }

    fn at(folder: &Path, limits: Limits) -> Bench {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let host = Host::new(HostOptions {
            compiler: env!("CARGO_BIN_EXE_gitops-policy-compile").into(),
            cache: cache(folder),
            limits,
            log: Some(Arc::new(move |line| {
                sink.lock().unwrap().push((line.level, line.message.to_owned()));
            })),
        })
        .unwrap();
        Bench { host, lines }
    }

    /// The judgements of one policy of these bytes with these settings.
    fn judge(&self, wasm: &[u8], settings: Value, subject: Subject) -> Judgement {
        let set = set(wasm, &settings);
        let judgements = gitops_policy::judge(
            &self.host,
            &set,
            &request("staging", "prod"),
            &Arc::new(subject),
            NOW,
            true,
        )
        .unwrap();
        assert_eq!(judgements.len(), 1);
        judgements.into_iter().next().unwrap()
    }

    /// The fault that these bytes end in.
    fn fault(&self, wasm: &[u8], settings: Value) -> Fault {
        let judgement = self.judge(wasm, settings, web("web:1"));
        let fault = judgement.result.expect_err("the guest attacks");
        assert!(!fault.message.chars().any(char::is_control), "{:?}", fault.message);
        fault
    }
}

fn cache(folder: &Path) -> std::path::PathBuf {
    folder.join("gitops/wasm")
}

fn set(wasm: &[u8], settings: &Value) -> PolicySet {
    gitops_policy::load(&tree(wasm, settings), &path("policies/bindings.yaml")).unwrap()
}

/// A tree with the policy `under-test`, bound to staging → prod, and locked.
fn tree(wasm: &[u8], settings: &Value) -> Memory {
    let mut tree = Memory::new();
    let mut put = |at: &str, text: &[u8]| tree.insert(path(at), text.to_vec());
    put(
        "policies/bindings.yaml",
        format!(
            "apiVersion: kubectl-gitops.dev/v1alpha1
kind: PolicyBinding
spec:
  promotions: [{{from: staging, to: prod}}]
  policies:
    - name: under-test
      mode: enforce
      settings: {settings}
"
        )
        .as_bytes(),
    );
    put(
        "policies/under-test/policy.yaml",
        b"apiVersion: kubectl-gitops.dev/v1alpha1
kind: Policy
metadata: {name: under-test, version: 1.0.0}
spec: {kind: promotion-gate, module: it.wasm, abi: component}
",
    );
    put("policies/under-test/it.wasm", wasm);
    put("policies.lock", lock(wasm).as_bytes());
    tree
}

fn lock(wasm: &[u8]) -> String {
    use sha2::Digest as _;
    let digest: String =
        sha2::Sha256::digest(wasm).iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "serial = 1
[[policy]]
name = \"under-test\"
version = \"1.0.0\"
sha256 = \"{digest}\"
size = {}
abi = \"component\"
wit = \"kubectl-gitops:policy@0.1.0\"
imports = []
",
        wasm.len()
    )
}

fn path(path: &str) -> TreePath {
    TreePath::new(path).unwrap()
}

fn environment(name: &str) -> EnvironmentRef {
    EnvironmentRef { name: name.into(), path: format!("envs/{name}"), ..EnvironmentRef::default() }
}

fn request(from: &str, to: &str) -> Request {
    Request {
        operation: Operation::Promote,
        apps: vec!["web".into()],
        source: Some(environment(from)),
        target: environment(to),
        source_revision: None,
        target_revision: "0".repeat(40),
        requested_by: String::new(),
    }
}

fn source(path: &str, line: u32) -> Source {
    Source { path: path.into(), document: 1, line: Some(line) }
}

/// A change of the deployment `web` to `image`, whose tag moved in line 7 of
/// the target's kustomization.
fn web(image: &str) -> Subject {
    let key = ObjectKey {
        group: "apps".into(),
        kind: "Deployment".into(),
        namespace: Some("shop".into()),
        name: "web".into(),
    };
    let object = |image: &str| Object {
        key: key.clone(),
        api_version: "apps/v1".into(),
        tree: json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}},
        }),
        source: Some(source("base/web.yaml", 1)),
        lines: Lines::default(),
    };
    let pointer = "/spec/template/spec/containers/0/image";
    let change = Change {
        key: key.clone(),
        api_version: "apps/v1".into(),
        action: Action::Configured,
        before: Some(object("web:0")),
        after: Some(object(image)),
        fields: vec![FieldChange {
            pointer: pointer.into(),
            before: Some(json!("web:0")),
            after: Some(json!(image)),
            source: Some(source("base/web.yaml", 12)),
        }],
        source: Some(source("base/web.yaml", 1)),
        manager: None,
        reason: None,
        warnings: Vec::new(),
    };
    let moved = Move {
        app: "web".into(),
        what: Moved::ImageTag,
        name: "web".into(),
        before: Some("0".into()),
        after: image.rsplit_once(':').map(|(_, tag)| tag.to_owned()),
        source: Some(source("envs/prod/kustomization.yaml", 7)),
    };
    Subject { changes: ChangeSet::new(vec![change]), moves: vec![moved], ..Subject::default() }
}

/// Files below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
