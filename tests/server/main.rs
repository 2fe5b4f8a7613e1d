//! The real binary against a real API server, and against `kubectl diff`.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, unreachable_pub)]

mod bad_input;
mod drift;
mod flux;
mod owners;
mod readme;
mod soundness;
mod wire;

#[path = "../cases/stage.rs"]
mod stage;

use std::fs;
use std::sync::OnceLock;

use gitops_test_cluster::{Cluster, Options, start_or_skip};
use serde_json::Value;
use stage::{Said, Stage};

/// One server for all tests; each test has a namespace of its own.
fn server() -> Option<&'static Cluster> {
    static SERVER: OnceLock<Option<Cluster>> = OnceLock::new();
    SERVER.get_or_init(|| start_or_skip(&Options { audit: true, ..Options::default() })).as_ref()
}

/// A server, a namespace on it, and a folder to work in.
struct Field {
    server: &'static Cluster,
    namespace: String,
    stage: Stage,
}

impl Field {
    /// `None` where there is no server to be had; that is said, and with
    /// `CI=true` it fails.
    fn new(namespace: &str) -> Option<Field> {
        let server = server()?;
        let mut stage = Stage::new();
        stage.set("KUBECONFIG", server.kubeconfig().display().to_string());
        server.kubectl(&["create", "namespace", namespace], "").unwrap();
        Some(Field { server, namespace: namespace.to_owned(), stage })
    }

    /// Writes a file of the work folder, `NS` in it replaced by the namespace.
    fn write(&self, name: &str, text: &str) {
        fs::write(self.stage.repo().join(name), text.replace("NS", &self.namespace)).unwrap();
    }

    /// Runs kubectl as another user than the tool's.
    fn kubectl(&self, arguments: &[&str]) -> String {
        self.server.kubectl(arguments, "").unwrap()
    }

    /// Applies a manifest by server-side apply as `manager`.
    fn apply(&self, manager: &str, manifest: &str) {
        let manager = format!("--field-manager={manager}");
        let arguments = ["apply", "--server-side", "--force-conflicts", &manager, "-f", "-"];
        self.server.kubectl(&arguments, &manifest.replace("NS", &self.namespace)).unwrap();
    }

    /// Runs the tool.
    fn run(&self, line: &str) -> Said {
        self.stage.shell(&format!("kubectl gitops {line}"))
    }

    /// `diff -f FILE -o json`, as `Kind/name action` in order.
    fn actions(&self, line: &str) -> Vec<String> {
        let said = self.run(&format!("diff {line} -o json"));
        let document: Value = serde_json::from_str(&said.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", said.stdout, said.stderr));
        let changes = document["comparisons"][0]["changes"].as_array().unwrap();
        changes
            .iter()
            .map(|change| {
                let text = |pointer: &str| change.pointer(pointer).unwrap().as_str().unwrap();
                format!("{}/{} {}", text("/object/kind"), text("/object/name"), text("/action"))
            })
            .collect()
    }
}
