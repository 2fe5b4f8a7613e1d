//! Folders as a user has them, rendered.
#![allow(clippy::unwrap_used)]

use gitops_desired::{Desired, DesiredError, Method, render};
use gitops_kustomize::Options;
use gitops_tree::{Memory, TreePath};

fn tree(files: &[(&str, &str)]) -> Memory {
    let mut tree = Memory::new();
    for (path, text) in files {
        tree.insert(TreePath::new(path).unwrap(), text.as_bytes().to_vec());
    }
    tree
}

fn rendered(files: &[(&str, &str)], dir: &str) -> Result<Desired, DesiredError> {
    render(&tree(files), &TreePath::new(dir).unwrap(), &Options::default(), &())
}

fn message(files: &[(&str, &str)], dir: &str) -> String {
    match rendered(files, dir) {
        Ok(_) => panic!("it renders, and should not"),
        Err(error) => error.to_string(),
    }
}

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  template:
    spec:
      containers:
        - name: web
          image: web:old
";

const OVERLAY: &str = "\
resources: [../base]
namespace: dev
images:
  - name: web
    newTag: v2
replicas:
  - name: web
    count: 3
";

const BASE: &str = "resources: [deployment.yaml]\n";

fn app() -> Vec<(&'static str, &'static str)> {
    vec![
        ("base/kustomization.yaml", BASE),
        ("base/deployment.yaml", DEPLOYMENT),
        ("dev/kustomization.yaml", OVERLAY),
    ]
}

#[test]
fn an_overlay_renders_with_the_places_of_its_fields() {
    let desired = rendered(&app(), "dev").unwrap();
    assert_eq!(desired.method, Method::Kustomization);
    let [object] = desired.objects.as_slice() else { panic!("one object expected") };
    assert_eq!(object.key.to_string(), "Deployment/dev/web");
    assert_eq!(object.key.group, "apps");
    assert_eq!(object.json["spec"]["replicas"], 3);
    let at = |pointer: &str| object.lines.find(pointer).unwrap().to_string();
    assert_eq!(object.source.as_ref().unwrap().to_string(), "base/deployment.yaml:1");
    assert_eq!(at("/metadata/name"), "base/deployment.yaml:4");
    assert_eq!(at("/metadata/namespace"), "dev/kustomization.yaml:2");
    assert_eq!(at("/spec/replicas"), "dev/kustomization.yaml:8");
    assert_eq!(at("/spec/template/spec/containers/0/image"), "dev/kustomization.yaml:5");
    assert_eq!(at("/spec/template/spec/containers/0/name"), "base/deployment.yaml:10");
}

#[test]
fn patches_and_generators_carry_their_own_lines() {
    let mut files = app();
    files.retain(|(path, _)| *path != "dev/kustomization.yaml");
    files.push((
        "dev/kustomization.yaml",
        "\
resources: [../base]
patches:
  - patch: |
      apiVersion: apps/v1
      kind: Deployment
      metadata:
        name: web
      spec:
        paused: true
configMapGenerator:
  - name: settings
    literals:
      - mode=fast
",
    ));
    let desired = rendered(&files, "dev").unwrap();
    let deployment = desired.objects.iter().find(|object| object.key.kind == "Deployment").unwrap();
    let line = |object: &gitops_core::object::Raw, pointer: &str| {
        object.lines.find(pointer).unwrap().to_string()
    };
    assert_eq!(line(deployment, "/spec/paused"), "dev/kustomization.yaml:9");
    let settings = desired.objects.iter().find(|object| object.key.kind == "ConfigMap").unwrap();
    assert_eq!(settings.source.as_ref().unwrap().to_string(), "dev/kustomization.yaml:11");
    assert_eq!(line(settings, "/data/mode"), "dev/kustomization.yaml:13");
    assert!(settings.key.name.starts_with("settings-"));
}

#[test]
fn a_folder_without_a_kustomization_is_read_as_flux_reads_it() {
    let desired = rendered(
        &[
            ("prod/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n---\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\n"),
            ("prod/below/c.yml", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata:\n    name: c\n"),
            ("prod/notes.txt", "not read"),
            ("prod/overlay/kustomization.yaml", "namePrefix: my-\nresources: [d.yaml]\n"),
            ("prod/overlay/d.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: d\n"),
            ("other/e.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: e\n"),
        ],
        "prod",
    )
    .unwrap();
    assert_eq!(desired.method, Method::Plain);
    let found: Vec<String> = desired
        .objects
        .iter()
        .map(|object| format!("{} {}", object.key, object.source.as_ref().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            "ConfigMap/a prod/a.yaml:1",
            "ConfigMap/b prod/a.yaml:7",
            "Secret/c prod/below/c.yml:4",
            "ConfigMap/my-d prod/overlay/d.yaml:1",
        ]
    );
    assert_eq!(desired.objects[1].source.as_ref().unwrap().document, 3);
}

#[test]
fn two_objects_with_one_key_name_both_places() {
    let twice = message(
        &[
            ("prod/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"),
            ("prod/b.yaml", "# again\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"),
        ],
        "prod",
    );
    assert_eq!(
        twice,
        "two objects are ConfigMap/a: one at prod/a.yaml:1, one at prod/b.yaml:2; delete or rename one of them"
    );
    let versions = message(
        &[
            ("prod/a.yaml", "apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: a\n"),
            ("prod/b.yaml", "apiVersion: batch/v1beta1\nkind: CronJob\nmetadata:\n  name: a\n"),
            ("prod/kustomization.yaml", "resources: [a.yaml, b.yaml]\n"),
        ],
        "prod",
    );
    assert!(versions.contains("prod/a.yaml:1") && versions.contains("prod/b.yaml:1"), "{versions}");
}

#[test]
fn what_is_no_object_is_refused_with_its_place() {
    let no_kind = message(&[("prod/a.yaml", "a: 1\n---\nversion: 2\n")], "prod");
    assert_eq!(
        no_kind,
        "prod/a.yaml:1: document 1 is no Kubernetes object: `kind` is missing\nprod/a.yaml:3: document 2 is no Kubernetes object: `kind` is missing"
    );
    let two = message(&[("prod/a.yaml", "a: 1\n"), ("prod/x/b.yaml", "[\n")], "prod");
    assert!(two.contains("prod/a.yaml:1: ") && two.contains("\nprod/x/b.yaml:2:1: "), "{two}");
    let no_name = message(&[("prod/a.yaml", "apiVersion: v1\nkind: ConfigMap\n")], "prod");
    assert_eq!(
        no_name,
        "prod/a.yaml:1: document 1 is no Kubernetes object: the ConfigMap has no `metadata.name`"
    );
    let no_version = message(&[("prod/a.yaml", "kind: ConfigMap\nmetadata: {name: a}\n")], "prod");
    assert_eq!(no_version, "prod/a.yaml:1: not a Kubernetes object: it has no `apiVersion`");
}

#[test]
fn a_folder_without_manifests_is_refused() {
    let nothing = message(&[("prod/readme.md", "hello")], "prod");
    assert_eq!(
        nothing,
        "`prod` holds no manifest (`.yaml` or `.yml`); correct the path, or add one"
    );
    assert_eq!(message(&[("prod/readme.md", "hello")], "dev"), "`dev` does not exist");
}

#[test]
fn a_remote_base_is_told_apart_from_a_mistake() {
    let error = rendered(
        &[("prod/kustomization.yaml", "resources:\n  - github.com/acme/base//app?ref=1.0\n")],
        "prod",
    )
    .err()
    .unwrap();
    assert!(matches!(&error, DesiredError::Build(errors) if errors.needs().count() == 1));
    assert_eq!(
        error.to_string(),
        "prod/kustomization.yaml:2:5: needs the remote `github.com/acme/base//app?ref=1.0`, which is not fetched; copy it into the repository"
    );
}
