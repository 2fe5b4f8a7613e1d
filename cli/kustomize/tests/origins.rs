//! Every object knows where it comes from: its file, document and line, what
//! touched it, and for each field the place that set it.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // tests over real files
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod disk;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use gitops_kustomize::{How, Options, Rendered, Resource, build};
use gitops_tree::{Memory, Tree, TreePath};
use gitops_yaml::{FileId, Node, Value};

fn built(files: &[(&str, &str)], dir: &str) -> Rendered {
    let mut tree = Memory::new();
    for (path, text) in files {
        tree.insert(TreePath::new(path).unwrap(), text.as_bytes().to_vec());
    }
    match build(&tree, &TreePath::new(dir).unwrap(), &Options::default()) {
        Ok(rendered) => rendered,
        Err(error) => panic!("{error}"),
    }
}

fn object<'r>(rendered: &'r Rendered, kind: &str) -> &'r Resource {
    let is = |resource: &&Resource| resource.node.get("kind").unwrap().text() == Some(kind);
    rendered.resources.iter().find(is).unwrap()
}

/// `path:line` of the field at `pointer`.
fn at(rendered: &Rendered, resource: &Resource, pointer: &str) -> String {
    let places = resource.node.pointers();
    let (_, mark) = places.iter().find(|(own, _)| own == pointer).unwrap();
    format!("{}:{}", rendered.files[mark.file.0 as usize], mark.line)
}

/// What touched the object, a line each.
fn touched(rendered: &Rendered, resource: &Resource) -> Vec<String> {
    let one = |touch: &gitops_kustomize::Touch| {
        format!("{} {}:{}", touch.how, rendered.files[touch.file.0 as usize], touch.line)
    };
    resource.touched.iter().map(one).collect()
}

const WEB: &str = "\
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
          envFrom:
            - configMapRef: {name: settings}
";

#[test]
fn fields_of_a_kustomization() {
    let rendered = built(
        &[
            ("base/kustomization.yaml", "resources: [web.yaml]\n"),
            ("base/web.yaml", WEB),
            (
                "prod/kustomization.yaml",
                "\
resources: [../base]
namespace: shop
namePrefix: p-
nameSuffix: -s
commonLabels:
  team: a
labels:
  - pairs: {tier: b}
commonAnnotations:
  note: c
images:
  - name: web
    newTag: v2
replicas:
  - name: web
    count: 3
buildMetadata: [managedByLabel]
",
            ),
        ],
        "prod",
    );
    let web = object(&rendered, "Deployment");
    assert_eq!((web.path.as_str(), web.document, web.line), ("base/web.yaml", 1, Some(1)));
    for (pointer, place) in [
        ("/kind", "base/web.yaml:2"),
        ("/metadata/name", "prod/kustomization.yaml:4"),
        ("/metadata/namespace", "prod/kustomization.yaml:2"),
        ("/metadata/labels", "prod/kustomization.yaml:8"),
        ("/metadata/labels/team", "prod/kustomization.yaml:6"),
        ("/metadata/labels/tier", "prod/kustomization.yaml:8"),
        ("/metadata/labels/app.kubernetes.io~1managed-by", "prod/kustomization.yaml:17"),
        ("/metadata/annotations/note", "prod/kustomization.yaml:10"),
        ("/spec/replicas", "prod/kustomization.yaml:16"),
        ("/spec/selector/matchLabels/team", "prod/kustomization.yaml:6"),
        ("/spec/template/spec/containers/0/image", "prod/kustomization.yaml:13"),
        ("/spec/template/spec/containers/0/name", "base/web.yaml:10"),
    ] {
        assert_eq!(at(&rendered, web, pointer), place, "{pointer}");
    }
    assert_eq!(
        touched(&rendered, web),
        [
            "namespace prod/kustomization.yaml:2",
            "namePrefix prod/kustomization.yaml:3",
            "nameSuffix prod/kustomization.yaml:4",
            "labels prod/kustomization.yaml:8",
            "commonLabels prod/kustomization.yaml:6",
            "commonAnnotations prod/kustomization.yaml:10",
            "replicas prod/kustomization.yaml:16",
            "images prod/kustomization.yaml:13",
            "buildMetadata prod/kustomization.yaml:17",
        ]
    );
}

#[test]
fn patches_of_all_kinds() {
    let rendered = built(
        &[
            ("web.yaml", WEB),
            (
                "merge.yaml",
                "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      containers:\n        - name: side\n          image: side:1\n",
            ),
            (
                "json.yaml",
                "- op: test\n  path: /spec/replicas\n  value: 1\n- op: remove\n  path: /spec/replicas\n",
            ),
            (
                "kustomization.yaml",
                "\
resources: [web.yaml]
patches:
  - path: merge.yaml
  - path: json.yaml
    target: {kind: Deployment}
  - target: {kind: Deployment}
    patch: |-
      # first
      - op: add
        path: /spec/paused
        value: true
",
            ),
        ],
        "",
    );
    let web = object(&rendered, "Deployment");
    assert_eq!(at(&rendered, web, "/spec/paused"), "kustomization.yaml:11");
    assert_eq!(at(&rendered, web, "/spec/template/spec/containers/0/image"), "merge.yaml:10");
    assert_eq!(at(&rendered, web, "/spec/template/spec/containers/1/image"), "web.yaml:11");
    // A field that is gone leaves no mark, but the patch that took it is known.
    assert_eq!(
        touched(&rendered, web),
        ["patch merge.yaml:1", "patch json.yaml:1", "patch kustomization.yaml:9"]
    );
}

#[test]
fn an_aliased_patch_has_the_line_of_its_alias() {
    let rendered = built(
        &[
            ("web.yaml", WEB),
            (
                "kustomization.yaml",
                "\
resources: [web.yaml]
patches:
  - target: {kind: Deployment, name: other}
    patch: &pause |-
      - op: add
        path: /spec/paused
        value: true
  - target: {kind: Deployment}
    patch: *pause
",
            ),
        ],
        "",
    );
    let web = object(&rendered, "Deployment");
    assert_eq!(at(&rendered, web, "/spec/paused"), "kustomization.yaml:9");
}

#[test]
fn generators_and_the_names_that_follow() {
    let rendered = built(
        &[
            ("base/web.yaml", WEB),
            ("base/a.env", "# none\nmode=fast\nlevel=1\n"),
            ("base/app.conf", "listen 80\n"),
            (
                "base/kustomization.yaml",
                "\
resources: [web.yaml]
configMapGenerator:
  - name: settings
    envs: [a.env]
    files: [app.conf]
    literals:
      - own=x
",
            ),
            (
                "prod/kustomization.yaml",
                "\
resources: [../base]
configMapGenerator:
  - name: settings
    behavior: merge
    literals:
      - mode=slow
",
            ),
        ],
        "prod",
    );
    let map = object(&rendered, "ConfigMap");
    assert_eq!(map.path.as_str(), "base/kustomization.yaml");
    assert_eq!(map.line, Some(3));
    for (pointer, place) in [
        ("/data/mode", "prod/kustomization.yaml:6"),
        ("/data/level", "base/a.env:3"),
        ("/data/app.conf", "base/app.conf:1"),
        ("/data/own", "base/kustomization.yaml:7"),
    ] {
        assert_eq!(at(&rendered, map, pointer), place, "{pointer}");
    }
    assert_eq!(
        touched(&rendered, map),
        ["content base/app.conf:1", "content base/a.env:3", "merge prod/kustomization.yaml:3"]
    );
    let web = object(&rendered, "Deployment");
    let name = "/spec/template/spec/containers/0/envFrom/0/configMapRef/name";
    assert_eq!(at(&rendered, web, name), "prod/kustomization.yaml:3");
    assert_eq!(touched(&rendered, web), ["name reference prod/kustomization.yaml:3"]);
}

#[test]
fn replacements_variables_and_plugins() {
    let rendered = built(
        &[
            ("web.yaml", WEB),
            (
                "map.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: source\ndata:\n  count: \"5\"\n  tag: v9\n",
            ),
            (
                "pod.yaml",
                "apiVersion: v1\nkind: Pod\nmetadata:\n  name: pod\nspec:\n  containers:\n    - name: a\n      args:\n        - $(TAG)\n        - --tag=$(TAG)\n",
            ),
            (
                "notes.yaml",
                "apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata:\n  name: x\nannotations:\n  note: y\nfieldSpecs:\n  - path: metadata/annotations\n    kind: Pod\n    create: true\n",
            ),
            (
                "kustomization.yaml",
                "\
resources: [web.yaml, map.yaml, pod.yaml]
transformers: [notes.yaml]
replacements:
  - source: {kind: ConfigMap, fieldPath: data.tag}
    targets:
      - select: {kind: Deployment}
        fieldPaths: [spec.template.spec.containers.0.image]
        options: {delimiter: ':', index: 1}
vars:
  - name: TAG
    objref: {kind: ConfigMap, name: source, apiVersion: v1}
    fieldref: {fieldPath: data.tag}
",
            ),
        ],
        "",
    );
    let web = object(&rendered, "Deployment");
    assert_eq!(at(&rendered, web, "/spec/template/spec/containers/0/image"), "map.yaml:7");
    assert_eq!(touched(&rendered, web), ["replacements kustomization.yaml:4"]);
    let pod = object(&rendered, "Pod");
    assert_eq!(at(&rendered, pod, "/spec/containers/0/args/0"), "map.yaml:7");
    assert_eq!(at(&rendered, pod, "/spec/containers/0/args/1"), "pod.yaml:10");
    assert_eq!(at(&rendered, pod, "/metadata/annotations/note"), "notes.yaml:6");
    assert_eq!(touched(&rendered, pod), ["annotations notes.yaml:6", "vars kustomization.yaml:10"]);
    assert_eq!(touched(&rendered, object(&rendered, "ConfigMap")), [] as [String; 0]);
}

#[test]
fn every_place_of_the_seeds_holds() {
    let Some(folder) = disk::shared("seeds") else { return };
    check(&folder, 300);
}

#[test]
fn every_place_of_the_examples_holds() {
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples"), 30);
}

#[test]
fn every_place_of_real_repositories_holds() {
    let Some(folder) = disk::shared("repos") else { return };
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            check(&path, 1000);
        }
    }
}

/// The lines and bytes of files, read once.
struct Texts<'t> {
    tree: &'t Memory,
    known: HashMap<TreePath, (u32, Arc<[u8]>)>,
}

impl Texts<'_> {
    fn of(&mut self, path: &TreePath) -> &(u32, Arc<[u8]>) {
        self.known.entry(path.clone()).or_insert_with(|| {
            let bytes = self.tree.read(path).unwrap_or_else(|error| panic!("{error}"));
            let lines = bytes.split(|byte| *byte == b'\n').count();
            (u32::try_from(lines).unwrap(), bytes)
        })
    }
}

/// Builds every kustomization below `folder`, and looks at every place.
fn check(folder: &Path, least: usize) {
    let tree = disk::load(folder);
    let mut texts = Texts { tree: &tree, known: HashMap::new() };
    let (mut places, mut compared) = (0, 0);
    let mut seen = HashSet::new();
    let mut wrong = Vec::new();
    for dir in disk::kustomizations(folder) {
        let Ok(rendered) = build(&tree, &dir, &Options::default()) else { continue };
        for resource in &rendered.resources {
            let mut fail = |what: String| {
                wrong.push(format!("{dir}: {}:{:?}: {what}", resource.path, resource.line));
            };
            let (lines, _) = texts.of(&resource.path);
            if resource.line.is_none_or(|line| line == 0 || line > *lines) {
                fail("no line of its own".to_owned());
            }
            for touch in &resource.touched {
                let (lines, _) = texts.of(&rendered.files[touch.file.0 as usize]);
                if touch.line == 0 || touch.line > *lines {
                    fail(format!("{}: line {} of {lines}", touch.how, touch.line));
                }
            }
            for (pointer, mark) in resource.node.pointers() {
                places += 1;
                let Some(path) = rendered.files.get(mark.file.0 as usize) else {
                    fail(format!("`{pointer}` has no file"));
                    continue;
                };
                let (lines, bytes) = texts.of(path);
                if mark.line == 0 || mark.line > *lines {
                    fail(format!("`{pointer}`: line {} of {lines} of {path}", mark.line));
                }
                // What no other file wrote is as its own file has it.
                let own = *path == resource.path && !resource.generated;
                let changed = resource
                    .touched
                    .iter()
                    .any(|touch| touch.file == mark.file || touch.how == How::Field("vars"));
                if !own || changed || !seen.insert((path.clone(), mark.start)) {
                    continue;
                }
                let node = resource.node.pointer(&pointer).unwrap();
                if node.mark == mark {
                    match written(node, bytes) {
                        Some(true) => compared += 1,
                        Some(false) => fail(format!("`{pointer}` is not what {path} says")),
                        None => {}
                    }
                }
            }
        }
    }
    eprintln!("{}: {places} places, {compared} scalars", folder.display());
    assert!(
        wrong.is_empty(),
        "{} of {places}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
    assert!(compared >= least, "only {compared} scalars compared");
}

/// Whether a scalar is what stands at its mark; `None` where that cannot be
/// told from the bytes alone: block scalars, aliases, and values that the
/// author wrote differently (`annotations` are always strings).
fn written(node: &Node, bytes: &[u8]) -> Option<bool> {
    let Value::Scalar(scalar) = &node.value else { return None };
    let slice = &bytes[node.mark.start as usize..node.mark.end as usize];
    if slice.first().is_none_or(|first| b"|>*&!".contains(first)) {
        return None;
    }
    let documents = gitops_yaml::read(FileId(0), slice).ok()?;
    match &documents.first()?.root.as_ref()?.value {
        Value::Scalar(found) => Some(found.text == scalar.text),
        _ => Some(false),
    }
}
