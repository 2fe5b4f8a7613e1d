//! What kustomize v5.8.1 does and few would expect; random kustomizations
//! (tests/differential.rs) found it. The outputs are kustomize's own.
#![allow(clippy::unwrap_used)]

use gitops_kustomize::{Options, build};
use gitops_tree::{Memory, TreePath};

fn built(files: &[(&str, &str)]) -> Result<String, String> {
    let mut tree = Memory::new();
    for (path, text) in files {
        tree.insert(TreePath::new(path).unwrap(), text.as_bytes().to_vec());
    }
    build(&tree, &TreePath::new("app").unwrap(), &Options::default())
        .map(|rendered| rendered.to_yaml())
        .map_err(|error| error.to_string())
}

const DAEMON: &str = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata:\n  name: a\n";
const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";

#[test]
fn labels_added_together_change_together() {
    let files = [
        ("base/kustomization.yaml", "resources: [d.yaml]\ncommonLabels: {app: old}\n"),
        ("base/d.yaml", DAEMON),
        ("app/kustomization.yaml", "resources: [../base]\nlabels: [{pairs: {app: new}}]\n"),
    ];
    let text = built(&files).unwrap();
    assert_eq!(text.matches("app: new").count(), 3, "{text}");
    assert!(!text.contains("app: old"), "{text}");
}

#[test]
fn labels_that_were_there_change_alone() {
    let daemon = format!("{DAEMON}  labels: {{app: old}}\n");
    let files = [
        ("base/kustomization.yaml", "resources: [d.yaml]\ncommonLabels: {app: old}\n"),
        ("base/d.yaml", daemon.as_str()),
        ("app/kustomization.yaml", "resources: [../base]\nlabels: [{pairs: {app: new}}]\n"),
    ];
    let text = built(&files).unwrap();
    assert_eq!(text.matches("app: new").count(), 1, "{text}");
    assert_eq!(text.matches("app: old").count(), 2, "{text}");
}

#[test]
fn a_json_patch_parts_labels() {
    let patch = "patches: [{target: {kind: DaemonSet}, patch: '[{\"op\": \"add\", \"path\": \"/spec/x\", \"value\": 1}]'}]\n";
    let overlay = format!("resources: [../base]\nlabels: [{{pairs: {{app: new}}}}]\n{patch}");
    let files = [
        ("base/kustomization.yaml", "resources: [d.yaml]\ncommonLabels: {app: old}\n"),
        ("base/d.yaml", DAEMON),
        ("app/kustomization.yaml", overlay.as_str()),
    ];
    let text = built(&files).unwrap();
    assert_eq!(text.matches("app: new").count(), 1, "{text}");
    assert_eq!(text.matches("app: old").count(), 2, "{text}");
}

#[test]
fn replacing_a_whole_object_by_a_strategic_patch_leaves_it() {
    let map = format!("{MAP}data: {{a: b}}\n");
    let patch = format!("{MAP}$patch: replace\n");
    let files = [
        ("app/kustomization.yaml", "resources: [a.yaml]\npatches: [{path: p.yaml}]\n"),
        ("app/a.yaml", map.as_str()),
        ("app/p.yaml", patch.as_str()),
    ];
    assert_eq!(
        built(&files).unwrap(),
        "apiVersion: v1\ndata:\n  a: b\nkind: ConfigMap\nmetadata:\n  name: a\n"
    );
}

#[test]
fn an_inline_patch_loses_the_line_end_of_a_block_at_its_end() {
    let kustomization = "resources: [a.yaml]\npatches:\n- patch: |\n    apiVersion: v1\n    kind: ConfigMap\n    metadata:\n      name: a\n    data:\n      a: |\n        text\n";
    let files = [("app/kustomization.yaml", kustomization), ("app/a.yaml", MAP)];
    assert!(built(&files).unwrap().contains("a: text\n"));
}

#[test]
fn nulls_and_numbers_pass_through_json_where_a_json_patch_applies() {
    let widget =
        "apiVersion: x/v1\nkind: W\nmetadata:\n  name: a\nspec:\nbig: 1234567890123456789\n";
    let kustomization = "resources: [a.yaml]\npatches:\n- target: {kind: W}\n  patch: '[{op: add, path: /x, value: {y: 2001-12-14t21:59:43.10-05:00}}]'\n- patch: '{apiVersion: x/v1, kind: W, metadata: {name: a}}'\n";
    let kustomization = kustomization.replace(
        "'[{op: add, path: /x, value: {y: 2001-12-14t21:59:43.10-05:00}}]'",
        "|-\n    - op: add\n      path: /x\n      value: {y: 2001-12-14t21:59:43.10-05:00}",
    );
    let files = [("app/kustomization.yaml", kustomization.as_str()), ("app/a.yaml", widget)];
    assert_eq!(
        built(&files).unwrap(),
        "apiVersion: x/v1\nbig: 1234567890123456800\nkind: W\nmetadata:\n  name: a\nspec: null\nx:\n  \"true\": \"2001-12-14t21:59:43.10-05:00\"\n"
    );
}

#[test]
fn a_json_patch_that_matches_nothing_is_not_read_closely() {
    let kustomization = |kind: &str| {
        format!(
            "resources: [a.yaml]\npatches:\n- target: {{kind: {kind}}}\n  patch: |-\n    - op: bad\n      path: /x\n"
        )
    };
    let with = |kind: &str| {
        built(&[("app/kustomization.yaml", &kustomization(kind)), ("app/a.yaml", MAP)])
    };
    assert!(with("Secret").is_ok());
    assert!(with("ConfigMap").unwrap_err().contains("the operation `bad`"));
}

#[test]
fn a_generator_takes_over_text() {
    let map = format!("{MAP}  labels: {{l: 1}}\ndata: {{n: 1, none: null}}\n");
    let kustomization = "resources: [a.yaml]\nconfigMapGenerator: [{name: a, behavior: merge, literals: [b=c]}]\ngeneratorOptions: {disableNameSuffixHash: true}\n";
    let files = [("app/kustomization.yaml", kustomization), ("app/a.yaml", map.as_str())];
    assert_eq!(
        built(&files).unwrap(),
        "apiVersion: v1\ndata:\n  b: c\n  \"n\": \"1\"\n  none: \"\"\nkind: ConfigMap\nmetadata:\n  labels:\n    l: \"1\"\n  name: a\n"
    );
}

#[test]
fn folded_annotations_keep_their_line_breaks() {
    let map = format!("{MAP}  annotations:\n    x: >-\n      a\n        b\n");
    let files = [("app/kustomization.yaml", "resources: [a.yaml]\n"), ("app/a.yaml", map.as_str())];
    assert!(built(&files).unwrap().contains("x: |-\n      a\n        b\n"));
}

#[test]
fn plugins_take_numbers_for_strings_and_know_no_env() {
    let plugin = "apiVersion: builtin\nkind: ValueAddTransformer\nmetadata: {name: v}\nvalue: 1\ntargets: [{fieldPath: data/x}]\n";
    let generator = "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: g}\nenv: none.env\noptions: {disableNameSuffixHash: true}\n";
    let files = [
        ("app/kustomization.yaml", "generators: [g.yaml]\ntransformers: [v.yaml]\n"),
        ("app/v.yaml", plugin),
        ("app/g.yaml", generator),
    ];
    assert_eq!(
        built(&files).unwrap(),
        "apiVersion: v1\ndata:\n  x: 1\nkind: ConfigMap\nmetadata:\n  name: g\n"
    );
}

#[test]
fn a_patch_that_takes_the_annotations_away_takes_the_hash_with_them() {
    let files = [
        (
            "app/kustomization.yaml",
            "configMapGenerator: [{name: a, literals: [x=z]}]\npatches: [{path: p.yaml}]\n",
        ),
        (
            "app/p.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations: null\n",
        ),
    ];
    assert_eq!(
        built(&files).unwrap(),
        "apiVersion: v1\ndata:\n  x: z\nkind: ConfigMap\nmetadata:\n  name: a\n"
    );
}

#[test]
fn a_quoted_merge_key_is_dropped() {
    let files = [
        ("app/kustomization.yaml", "resources: [a.yaml]\n"),
        (
            "app/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata: {'<<': b, c: d}\n",
        ),
    ];
    assert_eq!(
        built(&files).unwrap(),
        "apiVersion: v1\ndata:\n  c: d\nkind: ConfigMap\nmetadata:\n  name: a\n"
    );
}

#[test]
fn a_list_of_a_kind_goes_by_way_of_json() {
    let files = [
        ("app/kustomization.yaml", "resources: [a.yaml]\n"),
        (
            "app/a.yaml",
            "kind: ConfigMapList\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n  data:\n    a: >-\n      b\n        c\n",
        ),
    ];
    assert_eq!(
        built(&files).unwrap(),
        "apiVersion: v1\ndata:\n  a: |-\n    b\n      c\nkind: ConfigMap\nmetadata:\n  name: a\n"
    );
}

#[test]
fn a_list_alone_is_taken_apart_as_it_is() {
    let files = [
        ("app/kustomization.yaml", "resources: [a.yaml]\n"),
        (
            "app/a.yaml",
            "kind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n  data:\n    a: >-\n      b\n        c\n",
        ),
    ];
    assert_eq!(
        built(&files).unwrap(),
        "apiVersion: v1\ndata:\n  a: |-\n    b\n\n      c\nkind: ConfigMap\nmetadata:\n  name: a\n"
    );
}

#[test]
fn what_follows_a_document_without_a_separator_is_not_read() {
    let files = [
        ("app/kustomization.yaml", "resources: [a.json]\n"),
        (
            "app/a.json",
            "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"}}\n{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"b\"}}\n",
        ),
    ];
    assert_eq!(built(&files).unwrap(), "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n");
}

#[test]
fn a_replacement_that_changes_its_source_goes_on_with_the_change() {
    let files = [
        (
            "app/kustomization.yaml",
            "resources: [a.yaml]\nreplacements:\n- source: {kind: ConfigMap, fieldPath: data.a}\n  targets:\n  - select: {kind: ConfigMap}\n    fieldPaths: [data.a, data.b]\n    options: {delimiter: '-', index: 1}\n",
        ),
        (
            "app/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata: {a: x-y, b: 1-2}\n",
        ),
    ];
    assert_eq!(
        built(&files).unwrap(),
        "apiVersion: v1\ndata:\n  a: x-x-y\n  b: 1-x-x-y\nkind: ConfigMap\nmetadata:\n  name: a\n"
    );
}

#[test]
fn the_hash_takes_folded_texts_as_they_are_written() {
    let files = [
        (
            "app/kustomization.yaml",
            "configMapGenerator: [{name: a, literals: [x=z]}]\npatches: [{path: p.yaml}]\n",
        ),
        (
            "app/p.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  a: >-\n    b\n      c\n",
        ),
    ];
    assert_eq!(
        built(&files).unwrap(),
        "apiVersion: v1\ndata:\n  a: |-\n    b\n\n      c\n  x: z\nkind: ConfigMap\nmetadata:\n  name: a-d4m4cddtd2\n"
    );
}

#[test]
fn a_json_patch_has_no_folded_texts() {
    let files = [
        (
            "app/kustomization.yaml",
            "resources: [a.yaml]\npatches: [{target: {kind: ConfigMap}, path: p.yaml}]\n",
        ),
        ("app/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"),
        ("app/p.yaml", "- op: add\n  path: /data\n  value:\n    a: >-\n      b\n        c\n"),
    ];
    assert_eq!(
        built(&files).unwrap(),
        "apiVersion: v1\ndata:\n  a: |-\n    b\n      c\nkind: ConfigMap\nmetadata:\n  name: a\n"
    );
}

#[test]
fn a_null_image_has_the_name_as_which_it_is_written() {
    let files = [
        ("app/kustomization.yaml", "resources: [a.yaml]\nimages: [{name: '.*', newTag: v1}]\n"),
        ("app/a.yaml", "kind: Pod\nmetadata: {name: a}\nspec:\n  containers: [{image: null}]\n"),
    ];
    assert_eq!(
        built(&files).unwrap(),
        "kind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - image: null:v1\n"
    );
}

/// A ConfigMap, patched with `patch`.
fn patched(map: &str, patch: &str) -> String {
    let files = [
        ("app/kustomization.yaml", "resources: [a.yaml]\npatches: [{path: p.yaml}]\n"),
        ("app/a.yaml", map),
        ("app/p.yaml", patch),
    ];
    built(&files).unwrap()
}

#[test]
fn a_patch_leaves_the_style_of_a_scalar() {
    let exact = "  a: |-\n    b\n      c\n";
    let doubled = "  a: |-\n    b\n\n      c\n";
    let folded = format!("{MAP}data:\n  a: >-\n    b\n      c\n");
    let literal = format!("{MAP}data:\n  a: |-\n    b\n      c\n");
    for old in ["a:\n", "a: null\n", "a: x\n", "a: 'x'\n", "a: |\n    x\n"] {
        let text = patched(&format!("{MAP}data:\n  b: d\n  {old}"), &folded);
        assert!(text.contains(exact), "{old}: {text}");
    }
    for old in ["b: d\n", "a: >\n    x\n"] {
        let text = patched(&format!("{MAP}data:\n  {old}"), &folded);
        assert!(text.contains(doubled), "{old}: {text}");
    }
    assert!(patched(&folded, &literal).contains(doubled));
}

#[test]
fn nothing_folds_in_brackets() {
    let exact = "  a: |-\n    b\n      c\n";
    let doubled = "  a: |-\n    b\n\n      c\n";
    let folded = format!("{MAP}data:\n  a: >-\n    b\n      c\n");
    let json = |data: &str| {
        format!(
            "{{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {{\"name\": \"a\"}}{data}}}"
        )
    };
    for old in [
        format!("{MAP}data: {{x: y}}\n"),
        format!("{MAP}data: {{\n  x: y}}\n"),
        json(""),
        json(", \"data\": {}"),
        json(", \"data\": {\"x\": \"y\"}"),
        "kind: ConfigMapList\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n"
            .to_owned(),
    ] {
        let text = patched(&old, &folded);
        assert!(text.contains(exact), "{old}: {text}");
    }
    for old in [
        format!("{MAP}data: {{}}\n"),
        format!("{MAP}data:\n"),
        format!("{MAP}data: &x\n  x: y\n"),
        format!("{MAP}binaryData: &x {{x: y}}\ndata:\n  <<: *x\n  z: z\n"),
    ] {
        let text = patched(&old, &folded);
        assert!(text.contains(doubled), "{old}: {text}");
    }
}

#[test]
fn a_list_stays_in_brackets() {
    let widget = |list: &str| {
        format!("apiVersion: x/v1\nkind: W\nmetadata:\n  name: a\nspec:\n  l:{list}\n")
    };
    let folded = widget("\n  - x\n  - >-\n    b\n      c");
    for (old, lines) in [
        (" [a]", "  - |-\n    b\n      c\n"),
        (" [ a, b ]", "  - |-\n    b\n      c\n"),
        (" []", "  - |-\n    b\n\n      c\n"),
        ("\n  - a\n  - b", "  - |-\n    b\n\n      c\n"),
        ("\n  -\n    a: b", "  - |-\n    b\n\n      c\n"),
    ] {
        let text = patched(&widget(old), &folded);
        assert!(text.contains(lines), "{old}: {text}");
    }
}

#[test]
fn an_image_that_was_set_has_no_type_for_patches() {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\n";
    let image = |old: &str, base: &str, top: &str| {
        let base = format!("resources: [a.yaml]\n{base}");
        let top = format!("resources: [../base]\npatches: [{{path: p.yaml}}]\n{top}");
        let old = format!("{job}spec:\n  template:\n    spec:\n      containers:\n{old}");
        let files = [
            ("base/kustomization.yaml", base.as_str()),
            ("base/a.yaml", old.as_str()),
            ("app/kustomization.yaml", top.as_str()),
            ("app/p.yaml", job),
        ];
        let text = built(&files).unwrap();
        text.split("image: ").nth(1).map(|rest| rest.lines().next().unwrap().to_owned())
    };
    let plain = "      - name: c\n        image:\n";
    let flow = "      - {name: c, image: }\n";
    let set = "images: [{newName: }]\n";
    assert_eq!(image(plain, "", ""), None);
    assert_eq!(image(plain, set, "").as_deref(), Some("null"));
    assert_eq!(image(flow, set, "").as_deref(), Some("\"\""));
    assert_eq!(image(plain, set, "images: [{newName: '1'}]\n").as_deref(), Some("1"));
    assert_eq!(image(plain, set, "images: [{newTag: '1'}]\n").as_deref(), Some(":1"));
    let one = "images: [{newName: '1'}]\n";
    assert_eq!(image(plain, one, "").as_deref(), Some("\"1\""));
    assert_eq!(image(plain, "", one), None);
    for old in ["null", "5", "true"] {
        let entry = format!("      - name: c\n        image: {old}\n");
        let quoted = format!("\"{old}\"");
        assert_eq!(image(&entry, "", "").as_deref(), Some(old));
        assert_eq!(image(&entry, "images: [{name: '.*'}]\n", "").as_deref(), Some(&*quoted));
    }
}

#[test]
fn a_json_patch_takes_the_brackets_away() {
    let files = [
        (
            "app/kustomization.yaml",
            "resources: [a.yaml]\npatches:\n- target: {kind: ConfigMap}\n  patch: '[{\"op\": \"add\", \"path\": \"/data/z\", \"value\": \"z\"}]'\n- path: p.yaml\n",
        ),
        ("app/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata: {x: \"y\"}\n"),
        (
            "app/p.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  a: >-\n    b\n      c\n",
        ),
    ];
    assert!(built(&files).unwrap().contains("  a: |-\n    b\n\n      c\n"));
}
