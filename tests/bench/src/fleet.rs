//! A GitOps repository of many apps in three environments, as a bare remote
//! and a clone of it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::rows::{RowError, did};

/// The environments, in order of promotion.
const ENVIRONMENTS: [&str; 3] = ["dev", "uat", "prod"];
/// Files of an app in one environment, besides those of its base.
const FILES: usize = 32;
/// How many policies judge each step.
pub(crate) const POLICIES: usize = 5;

/// A repository to promote in.
pub(crate) struct Fleet {
    /// The clone.
    pub(crate) clone: PathBuf,
    /// How many files a commit holds.
    pub(crate) files: usize,
}

/// Makes the repository with `apps` apps. Every app has a newer version in
/// dev than in uat. `policy` is a component that judges.
pub(crate) fn make(folder: &Path, apps: usize, policy: Option<&[u8]>) -> Result<Fleet, RowError> {
    let mut files = vec![("gitops.yaml".to_owned(), configuration(policy.is_some()).into_bytes())];
    for app in 0..apps {
        add(&mut files, app);
    }
    if let Some(policy) = policy {
        judges(&mut files, policy);
    }
    let remote = folder.join("remote.git");
    git(folder, &["init", "-q", "--bare", "-b", "main", "remote.git"], None)?;
    git(&remote, &["fast-import", "--quiet"], Some(&import(&files)))?;
    git(folder, &["clone", "-q", "remote.git", "clone"], None)?;
    let clone = folder.join("clone");
    git(&clone, &["config", "user.name", "Bench"], None)?;
    git(&clone, &["config", "user.email", "bench@example.com"], None)?;
    Ok(Fleet { clone, files: files.len() })
}

/// Commits all that stands in the clone's work tree, and pushes it.
pub(crate) fn commit(fleet: &Fleet) -> Result<(), RowError> {
    git(&fleet.clone, &["add", "-A"], None)?;
    git(&fleet.clone, &["commit", "-q", "-m", "lock"], None)?;
    git(&fleet.clone, &["push", "-q"], None)
}

/// Puts the repository onto a forge, with these lines in its gitops.yaml. The gate
/// of uat asks for a status that nobody sets.
pub(crate) fn publish(fleet: &Fleet, remote: &str, lines: &str) -> Result<(), RowError> {
    let (name, gated) = ("{name: uat, ", "{name: uat, gates: [{status: [e2e]}], ");
    let text = format!("{}{lines}", configuration(false).replace(name, gated));
    let at = fleet.clone.join("gitops.yaml");
    did("write gitops.yaml", std::fs::write(at, text))?;
    git(&fleet.clone, &["commit", "-q", "-a", "-m", "forge"], None)?;
    git(&fleet.clone, &["remote", "set-url", "origin", remote], None)?;
    git(&fleet.clone, &["push", "-q", "origin", "main"], None)
}

fn configuration(policies: bool) -> String {
    let mut text =
        "apiVersion: kubectl-gitops.dev/v1alpha1\nkind: GitOps\nenvironments:\n".to_owned();
    for name in ENVIRONMENTS {
        text.push_str(&format!("  - {{name: {name}, path: \"envs/{name}/{{app}}\"}}\n"));
    }
    text.push_str(
        "apps:\n  - match: \"*\"\n    promote: [{image: {name: \"registry.example/acme/{app}\"}}]\n",
    );
    if policies {
        text.push_str("policies: policies/bindings.yaml\n");
    }
    text
}

fn add(files: &mut Vec<(String, Vec<u8>)>, number: usize) {
    let app = format!("app-{number:03}");
    let mut put = |path: String, text: String| files.push((path, text.into_bytes()));
    put(
        format!("base/{app}/kustomization.yaml"),
        "resources: [deployment.yaml, service.yaml]\n".to_owned(),
    );
    put(
        format!("base/{app}/deployment.yaml"),
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {app}}}\nspec:\n  selector: {{matchLabels: {{app: {app}}}}}\n  \
             template:\n    metadata: {{labels: {{app: {app}}}}}\n    spec:\n      containers:\n      - name: {app}\n        \
             image: registry.example/acme/{app}:v0\n        ports: [{{containerPort: 8080}}]\n"
        ),
    );
    put(
        format!("base/{app}/service.yaml"),
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {app}}}\nspec: {{selector: {{app: {app}}}, ports: [{{port: 80}}]}}\n"
        ),
    );
    let settings: Vec<String> = (3..FILES).map(|index| format!("{index:02}.properties")).collect();
    for environment in ENVIRONMENTS {
        let folder = format!("envs/{environment}/{app}");
        let version = if environment == "dev" { "v2" } else { "v1" };
        put(
            format!("{folder}/kustomization.yaml"),
            format!(
                "# {app} in {environment}\nnamespace: {environment}\nresources:\n- ../../../base/{app}\nconfigMapGenerator:\n- name: {app}\n  \
                 files: [{}]\nimages:\n- name: registry.example/acme/{app}\n  newTag: {version} # moved\npatches:\n- path: replicas.yaml\n",
                settings.join(", ")
            ),
        );
        put(
            format!("{folder}/replicas.yaml"),
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {app}}}\nspec: {{replicas: {}}}\n",
                number % 5 + 1
            ),
        );
        put(format!("{folder}/README.md"), format!("# {app} in {environment}\n"));
        for name in &settings {
            put(format!("{folder}/{name}"), format!("of={app}.{environment}\nname={name}\n"));
        }
    }
}

/// One component under several names. A section that means nothing makes other
/// bytes of each, so that each is compiled and loaded for itself.
fn judges(files: &mut Vec<(String, Vec<u8>)>, policy: &[u8]) {
    let mut bound = String::new();
    for number in 0..POLICIES {
        let name = format!("policy-{number}");
        let mut bytes = policy.to_vec();
        // A custom section: 0, its length, the length of its name, its name.
        bytes.extend([0, 2, 1, b'a' + u8::try_from(number).unwrap_or(0)]);
        files.push((
            format!("policies/{name}/policy.yaml"),
            format!(
                "apiVersion: kubectl-gitops.dev/v1alpha1\nkind: Policy\nmetadata: {{name: {name}, version: 0.1.0}}\n\
                 spec:\n  kind: promotion-gate\n  module: it.wasm\n  abi: component\n"
            )
            .into_bytes(),
        ));
        files.push((format!("policies/{name}/it.wasm"), bytes));
        bound.push_str(&format!("    - {{name: {name}, mode: enforce}}\n"));
    }
    let bindings = format!(
        "apiVersion: kubectl-gitops.dev/v1alpha1\nkind: PolicyBinding\nmetadata: {{name: all}}\n\
         spec:\n  environments: [uat]\n  policies:\n{bound}"
    );
    files.push(("policies/bindings.yaml".to_owned(), bindings.into_bytes()));
}

/// A stream for `git fast-import`: one commit on `main`.
fn import(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut stream = b"commit refs/heads/main\ncommitter Bench <bench@example.com> 1760000000 +0000\ndata 5\nfirst\n".to_vec();
    for (path, bytes) in files {
        stream.extend(format!("M 100644 inline {path}\ndata {}\n", bytes.len()).into_bytes());
        stream.extend(bytes);
        stream.push(b'\n');
    }
    stream
}

fn git(folder: &Path, words: &[&str], input: Option<&[u8]>) -> Result<(), RowError> {
    let attempt = format!("git {}", words.join(" "));
    let mut child = did(
        &attempt,
        Command::new("git")
            .current_dir(folder)
            .args(words)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn(),
    )?;
    if let (Some(input), Some(stdin)) = (input, child.stdin.take().as_mut()) {
        did(&attempt, stdin.write_all(input))?;
    }
    let output = did(&attempt, child.wait_with_output())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(RowError::Unfit(format!("{attempt}: {said}")))
}
