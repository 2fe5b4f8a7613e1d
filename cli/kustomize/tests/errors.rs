//! What a build refuses, and how it says so.
#![allow(clippy::unwrap_used)]

use gitops_kustomize::{BuildError, BuildErrors, LoadRestrictor, Need, Options, build};
use gitops_tree::{Memory, TreePath};

fn tree(files: &[(&str, &str)]) -> Memory {
    let mut tree = Memory::new();
    for (path, text) in files {
        tree.insert(TreePath::new(path).unwrap(), text.as_bytes().to_vec());
    }
    tree
}

fn error_of(files: &[(&str, &str)], dir: &str) -> BuildErrors {
    match build(&tree(files), &TreePath::new(dir).unwrap(), &Options::default()) {
        Ok(_) => panic!("it builds, and should not"),
        Err(error) => error,
    }
}

fn message(kustomization: &str) -> String {
    error_of(
        &[("app/kustomization.yaml", kustomization), ("app/a.yaml", CONFIG), ("b.yaml", CONFIG)],
        "app",
    )
    .to_string()
}

const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";

#[test]
fn an_unknown_field_names_its_place_and_the_nearest_one() {
    assert_eq!(
        message("resources: [a.yaml]\nnamspace: x\n"),
        "app/kustomization.yaml:2:1: unknown field `namspace`; did you mean `namespace`?"
    );
    assert_eq!(
        message("resources: [a.yaml]\nimages:\n- name: x\n  newtags: v1\n"),
        "app/kustomization.yaml:4:3: unknown field `images[0].newtags`; did you mean `newTag`?"
    );
    assert!(
        message("resources: [a.yaml]\nfrobnicate: 1\n")
            .contains("unknown field `frobnicate`; delete it")
    );
}

#[test]
fn fields_that_name_files_say_what_is_wrong_with_them() {
    let message = |field: &str, content: &str| {
        let kustomization = format!("resources: [a.yaml]\n{field}\n");
        let files = [
            ("app/kustomization.yaml", kustomization.as_str()),
            ("app/a.yaml", CONFIG),
            ("app/b.yaml", content),
        ];
        error_of(&files, "app").to_string()
    };
    assert_eq!(
        message("validators: [a.yaml]", ""),
        "app/a.yaml:1: needs the output of the program `v1 ConfigMap`, which is not run; commit its output instead\n  by way of app/kustomization.yaml"
    );
    assert_eq!(
        message(
            "validators: [b.yaml]",
            "apiVersion: builtin\nkind: PrefixTransformer\nmetadata: {name: x}\nprefix: p-\nfieldSpecs: [{path: metadata/name}]\n"
        ),
        "app/b.yaml:1: the validator `PrefixTransformer/x` changes objects; list it under `transformers`\n  by way of app/kustomization.yaml"
    );
    assert_eq!(
        message("openapi: {path: b.yaml, version: v1.21.2}", "definitions: {}\n"),
        "app/kustomization.yaml:2:34: `openapi` has `path` and `version`; delete one of them"
    );
    assert_eq!(
        message("openapi: {path: b.yaml}", "- 1\n"),
        "app/b.yaml: an OpenAPI document must be a mapping"
    );
    assert_eq!(
        message("openapi: {version: v1.20.4}", ""),
        "app/kustomization.yaml:2:20: `openapi.version` is `v1.20.4`, and only v1.21.2 is built in"
    );
    assert_eq!(message("crds: [b.yaml]", "{]\n"), "app/b.yaml:1:2: this is no JSON");
    assert_eq!(
        message(
            "crds: [b.yaml]",
            "A:\n  Schema: {properties: {kind: {}, apiVersion: {}, metadata: {}, a: {$ref: A}}}\n"
        ),
        "app/b.yaml:2:65: the type `A` contains itself, which kustomize cannot read; leave the reference out"
    );
}

#[test]
fn what_cannot_be_fetched_is_needed() {
    for address in
        ["https://example.com/a.yaml", "github.com/a/b?ref=v1", "git@example.com:a/b.git"]
    {
        let text = format!("resources:\n- {address}\n");
        let error = error_of(&[("app/kustomization.yaml", &text)], "app");
        let found: Vec<_> = error.needs().collect();
        assert_eq!(found.len(), 1, "{error}");
        let Need::Remote(remote) = found[0].1 else { panic!("{error}") };
        assert_eq!(remote.address, address);
        assert_eq!(remote.file, address.starts_with("https"));
        assert_eq!(remote.repository.is_some(), !address.ends_with(".yaml"));
        assert_eq!(found[0].0.to_string(), "app/kustomization.yaml:2:3");
    }
    assert_eq!(
        message("helmCharts:\n- name: redis\n"),
        "app/kustomization.yaml:2:3: needs the rendered Helm chart `redis`, which is not made here; commit the output of `helm template` instead"
    );
}

#[test]
fn plugins_of_the_users_own_are_needed() {
    let error = |config: &str| {
        error_of(&[("kustomization.yaml", "transformers: [a.yaml]\n"), ("a.yaml", config)], "")
            .to_string()
    };
    assert_eq!(
        error("apiVersion: me.example/v1\nkind: Sed\nmetadata: {name: a}\n"),
        "a.yaml:1: needs the output of the program `me.example/v1 Sed`, which is not run; commit its output instead\n  by way of kustomization.yaml"
    );
    assert_eq!(
        error("apiVersion: builtin\nkind: Sed\nmetadata: {name: a}\n"),
        "a.yaml:1: kustomize has no builtin plugin `Sed` for this field\n  by way of kustomization.yaml"
    );
}

/// kustomize writes objects as JSON, which Go does for maps of strings only.
/// Keys that kustomize writes anew lose their quotes.
#[test]
fn keys_below_the_top_are_strings() {
    const DATA: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let builds = |kustomization: &str, more: &str| {
        let object = format!("{DATA}{more}");
        let files = [("kustomization.yaml", kustomization), ("a.yaml", object.as_str())];
        build(&tree(&files), &TreePath::root(), &Options::default()).is_ok()
    };
    let refused = |kustomization: &str, more: &str| !builds(kustomization, more);
    let resource = "resources: [a.yaml]\n";
    assert!(refused(resource, "data: {1: a}"));
    assert!(refused(resource, "data: {true: a}"));
    assert!(builds(resource, "data: {\"1\": a, y: b}"));
    assert!(builds(resource, "1: a"));
    for more in [
        "labels: [{pairs: {\"1\": a}}]",
        "commonAnnotations: {\"2020-01-01\": a}",
        "commonAnnotations: {\"<<\": a}",
        "configMapGenerator: [{name: b, literals: [1=a]}]",
        "configMapGenerator: [{name: b, literals: [a=a], options: {labels: {\"1\": a}}}]",
        "secretGenerator: [{name: b, literals: [null=a]}]",
        "replacements: [{sourceValue: x, targets: [{select: {name: a}, fieldPaths: [data.true], options: {create: true}}]}]",
        "patches: [{patch: \"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {1: b}}\"}]",
    ] {
        assert!(refused(&format!("{resource}{more}"), "data: {a: b}"), "{more}");
    }
    // Annotations and merged data are written anew, labels are not.
    assert!(refused(
        resource,
        "data: {a: b}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: b, annotations: {\"1\": a}}"
    ));
    assert!(builds(
        resource,
        "data: {a: b}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: b, labels: {\"1\": a}}"
    ));
    let merge = "configMapGenerator: [{name: a, behavior: merge, literals: [x=y]}]\n";
    assert!(refused(&format!("{resource}{merge}"), "data: {\"1\": a}"));
    assert!(builds(
        &format!("{resource}{}", merge.replace("merge", "replace")),
        "data: {\"1\": a}"
    ));
    assert_eq!(
        error_of(
            &[("kustomization.yaml", resource), ("a.yaml", &format!("{DATA}data: {{1: a}}\n"))],
            ""
        )
        .to_string(),
        "a.yaml:4:8: field `1` of `ConfigMap/a`: kustomize reads this key as a number, a boolean, a date or null, and an object may have strings only as keys; put it in quotes, or choose another"
    );
}

#[test]
fn strategic_merge_patches_without_any_content_are_refused() {
    let error = error_of(
        &[
            ("kustomization.yaml", "resources: [a.yaml]\npatchesStrategicMerge: [p.yaml]\n"),
            ("a.yaml", CONFIG),
            ("p.yaml", "# later\n"),
        ],
        "",
    );
    assert_eq!(
        error.to_string(),
        "kustomization.yaml:2:25: these strategic merge patches are all empty; delete them"
    );
}

#[test]
fn definitions_of_types_are_what_go_expects() {
    for crds in
        ["A: text", "A: [1]", "A: {Schema: text}", "A: {Schema: {type: 1}}", "A: {Dependencies: x}"]
    {
        let files = [
            ("kustomization.yaml", "resources: [a.yaml]\ncrds: [c.yaml]\n"),
            ("a.yaml", CONFIG),
            ("c.yaml", crds),
        ];
        assert!(error_of(&files, "").to_string().starts_with("c.yaml:1:"), "{crds}");
    }
}

#[test]
fn types_are_checked() {
    assert_eq!(
        message("resources: [a.yaml]\nnamePrefix: 1\n"),
        "app/kustomization.yaml:2:13: `namePrefix` must be a string; put it in quotes"
    );
    assert_eq!(
        message("resources: [a.yaml]\nimages:\n- name: x\n  newTag: 1.0\n"),
        "app/kustomization.yaml:4:11: `images[0].newTag` must be a string; put it in quotes"
    );
    assert_eq!(
        message("resources: a.yaml\n"),
        "app/kustomization.yaml:1:12: `resources` must be a list"
    );
}

#[test]
fn kustomization_files_are_found_by_three_names_and_only_one_may_be_there() {
    for name in ["kustomization.yaml", "kustomization.yml", "Kustomization"] {
        let path = format!("app/{name}");
        let tree = tree(&[(&path, "resources: [a.yaml]\n"), ("app/a.yaml", CONFIG)]);
        let built = build(&tree, &TreePath::new("app").unwrap(), &Options::default()).unwrap();
        assert_eq!(built.to_yaml(), CONFIG);
    }
    assert_eq!(
        error_of(&[("app/kustomization.yaml", ""), ("app/kustomization.yml", "")], "app")
            .to_string(),
        "`app` holds `kustomization.yaml` and `kustomization.yml`; keep one of them"
    );
    assert!(
        error_of(&[("app/a.yaml", CONFIG)], "app")
            .to_string()
            .starts_with("`app` holds no kustomization file")
    );
    assert_eq!(
        message("kind: Kustomization\n"),
        "app/kustomization.yaml: the kustomization is empty; add `resources`, or delete the file"
    );
    assert_eq!(
        message("kind: Deployment\nresources: [a.yaml]\n"),
        "app/kustomization.yaml:1:7: `kind` is `Deployment`, expected `Kustomization` or `Component`"
    );
}

#[test]
fn references_are_checked() {
    assert_eq!(
        message("resources:\n- c.yaml\n"),
        "app/kustomization.yaml:2:3: `c.yaml` does not exist (looked for `app/c.yaml`); correct the path or delete the entry"
    );
    assert!(message("resources:\n- ../b.yaml\n").contains("`../b.yaml` is not in or below `app`"));
    assert!(message("resources:\n- ../../b.yaml\n").contains("leads out of the repository"));
    let files = [("app/kustomization.yaml", "resources: [../b.yaml]\n"), ("b.yaml", CONFIG)];
    let options = Options { load_restrictor: LoadRestrictor::None, ..Options::default() };
    assert!(build(&tree(&files), &TreePath::new("app").unwrap(), &options).is_ok());
    assert_eq!(
        error_of(
            &[
                ("app/kustomization.yaml", "resources: [../base]\n"),
                ("base/kustomization.yaml", "resources:\n- ../app\n"),
            ],
            "app"
        )
        .to_string(),
        "base/kustomization.yaml:2:3: `../app` closes a cycle: `app` contains `app`, which is being built\n  by way of app/kustomization.yaml:1"
    );
    assert!(
        error_of(
            &[
                ("app/kustomization.yaml", "resources: [../part]\n"),
                ("part/kustomization.yaml", "kind: Component\nnamePrefix: x-\n"),
            ],
            "app"
        )
        .to_string()
        .contains("is a Component, expected a Kustomization; list it under `components`")
    );
}

#[test]
fn objects_are_checked() {
    let twice = error_of(
        &[
            ("app/kustomization.yaml", "resources: [a.yaml, c.yaml]\n"),
            ("app/a.yaml", CONFIG),
            ("app/c.yaml", &format!("# again\n{CONFIG}")),
        ],
        "app",
    );
    assert_eq!(
        twice.to_string(),
        "app/c.yaml:2: `ConfigMap/a` is already defined at app/a.yaml:1; delete or rename one of them"
    );
    let broken = error_of(
        &[("app/kustomization.yaml", "resources: [a.yaml]\n"), ("app/a.yaml", "a: [\n")],
        "app",
    );
    assert!(matches!(broken.problems()[0].error, BuildError::Yaml { .. }), "{broken}");
    assert!(broken.to_string().starts_with("app/a.yaml:"), "{broken}");
}

#[test]
fn patches_are_checked() {
    assert_eq!(
        message("resources: [a.yaml]\npatches:\n- path: x.yaml\n  patch: 'a: 1'\n"),
        "app/kustomization.yaml:3:3: a patch cannot have both `path` and `patch`; delete one of them"
    );
    let missing = message(
        "resources: [a.yaml]\npatches:\n- patch: |\n    apiVersion: v1\n    kind: ConfigMap\n    metadata:\n      name: other\n",
    );
    assert!(
        missing.starts_with("app/kustomization.yaml:4: the patch is for `ConfigMap/other` (v1), which does not exist"),
        "{missing}"
    );
    let test = message(
        "resources: [a.yaml]\npatches:\n- target: {kind: ConfigMap}\n  patch: |\n    - op: test\n      path: /data/k\n      value: v\n",
    );
    assert!(test.contains("the patch does not apply to `ConfigMap/a`"), "{test}");
}

#[test]
fn literals_are_not_repeated_in_errors() {
    let error = message("secretGenerator:\n- name: s\n  literals:\n  - hunter2\n");
    assert_eq!(error, "app/kustomization.yaml:4:5: a literal must be written `key=value`");
}

/// What a build of `app` warns of.
fn warnings(files: &[(&str, &str)]) -> Vec<String> {
    let built = build(&tree(files), &TreePath::new("app").unwrap(), &Options::default()).unwrap();
    let warnings = built.warnings.into_iter();
    warnings.map(|one| format!("{}:{} {}", one.path, one.line.unwrap(), one.message)).collect()
}

#[test]
fn deprecated_fields_and_idle_patches_are_warned_of() {
    let kustomization = "vars: []
patchesJson6902: []
patchesStrategicMerge: []
imageTags: []
commonLabels: {x: z}
patches:
- target: {kind: Nothing}
  patch: '- {op: remove, path: /x}'
bases: [../base]
";
    let files = [
        ("app/kustomization.yaml", kustomization),
        ("base/kustomization.yaml", "resources: [a.yaml]\n"),
        ("base/a.yaml", CONFIG),
    ];
    assert_eq!(
        warnings(&files),
        [
            "app/kustomization.yaml:1 `vars` is deprecated; use `replacements`",
            "app/kustomization.yaml:2 `patchesJson6902` is deprecated; move its entries to `patches`",
            "app/kustomization.yaml:3 `patchesStrategicMerge` is deprecated; use `patches`, each with `path` or `patch`",
            "app/kustomization.yaml:4 `imageTags` is deprecated; move its entries to `images`",
            "app/kustomization.yaml:5 `commonLabels` is deprecated; use `labels` with `includeSelectors: true`",
            "app/kustomization.yaml:7 the target of this patch matches no object",
            "app/kustomization.yaml:9 `bases` is deprecated; move its entries to `resources`",
        ]
    );
}

#[test]
fn a_base_that_is_used_twice_is_warned_of_once() {
    let files = [
        ("app/kustomization.yaml", "resources: [../one, ../two]\n"),
        ("one/kustomization.yaml", "resources: [../base]\nnamePrefix: one-\nvars: null\n"),
        ("two/kustomization.yaml", "resources: [../base]\nnamePrefix: two-\nimageTags: []\n"),
        ("base/kustomization.yaml", "resources: [a.yaml]\ncommonLabels: {x: z, x: q}\n"),
        ("base/a.yaml", CONFIG),
    ];
    assert_eq!(
        warnings(&files),
        [
            "base/kustomization.yaml:2 `commonLabels` is deprecated; use `labels` with `includeSelectors: true`",
            "base/kustomization.yaml:2 `x` is already set at line 2; the last one counts: delete the other",
            "two/kustomization.yaml:3 `imageTags` is deprecated; move its entries to `images`",
        ]
    );
}

#[test]
fn keys_that_stand_twice_are_warned_of() {
    let files = [
        (
            "app/kustomization.yaml",
            "namePrefix: a-\nresources: [a.yaml]\nnamePrefix: b-\nNamePrefix: c-\nconfigurations: [c.yaml]\n",
        ),
        ("app/c.yaml", "images: []\nimages:\n- {path: spec/a, path: spec/b}\n"),
        ("app/a.yaml", CONFIG),
    ];
    let built = build(&tree(&files), &TreePath::new("app").unwrap(), &Options::default()).unwrap();
    assert!(built.to_yaml().contains("name: b-a\n"), "{}", built.to_yaml());
    assert_eq!(
        warnings(&files),
        [
            "app/c.yaml:2 `images` is already set at line 1; the last one counts: delete the other",
            "app/c.yaml:3 `path` is already set at line 3; the last one counts: delete the other",
            "app/kustomization.yaml:3 `namePrefix` is already set at line 1; the last one counts: delete the other",
            "app/kustomization.yaml:4 `namePrefix` at line 1 counts instead of `NamePrefix`: write it once",
        ]
    );
}

#[test]
fn links_are_followed_inside_the_tree() {
    let mut tree = tree(&[
        ("app/kustomization.yaml", "resources: [link/a.yaml]\n"),
        ("app/real/a.yaml", CONFIG),
    ]);
    tree.insert_link(TreePath::new("app/link").unwrap(), "real");
    let app = TreePath::new("app").unwrap();
    assert_eq!(build(&tree, &app, &Options::default()).unwrap().to_yaml(), CONFIG);
    tree.insert_link(TreePath::new("app/link").unwrap(), "../outside");
    tree.insert(TreePath::new("outside/a.yaml").unwrap(), CONFIG.as_bytes().to_vec());
    let error = build(&tree, &app, &Options::default()).err().unwrap();
    assert!(matches!(error.problems()[0].error, BuildError::OutsideRoot { .. }), "{error}");
    tree.insert_link(TreePath::new("app/link").unwrap(), "link");
    let error = build(&tree, &app, &Options::default()).err().unwrap();
    assert!(matches!(error.problems()[0].error, BuildError::LinkLoop { .. }), "{error}");
}

#[test]
fn everything_wrong_by_itself_is_told_at_once_with_the_way_that_led_there() {
    let files = [
        (
            "prod/kustomization.yaml",
            "namspace: x\nresources:\n- ../base\n- gone.yaml\nimages:\n- nam: a\nconfigMapGenerator:\n- name: c\n  files: [no.txt, neither.txt]\npatches:\n- path: missing.yaml\n- target: {kind: ConfigMap, name: late}\n  patch: '- {op: remove, path: /data/x}'\n",
        ),
        ("base/kustomization.yaml", "resources:\n- a.yaml\n- b.yaml\n"),
        ("base/a.yaml", "a: [\n"),
        ("base/b.yaml", "kind: A\n---\napiVersion: v1\n"),
    ];
    // The JSON patch would find nothing only because the base is broken.
    let expected = "\
base/a.yaml:2:1: did not find expected node content while parsing a flow node
  by way of prod/kustomization.yaml:3 → base/kustomization.yaml:2
base/b.yaml:1: document 1 is no Kubernetes object: the A has no `metadata.name`
  by way of prod/kustomization.yaml:3 → base/kustomization.yaml:3
base/b.yaml:3: document 2 is no Kubernetes object: `kind` is missing
  by way of prod/kustomization.yaml:3 → base/kustomization.yaml:3
prod/kustomization.yaml:1:1: unknown field `namspace`; did you mean `namespace`?
prod/kustomization.yaml:4:3: `gone.yaml` does not exist (looked for `prod/gone.yaml`); correct the path or delete the entry
prod/kustomization.yaml:6:3: unknown field `images[0].nam`; did you mean `name`?
prod/kustomization.yaml:9:11: `no.txt` does not exist (looked for `prod/no.txt`); correct the path or delete the entry
prod/kustomization.yaml:9:19: `neither.txt` does not exist (looked for `prod/neither.txt`); correct the path or delete the entry
prod/kustomization.yaml:11:9: `missing.yaml` does not exist (looked for `prod/missing.yaml`); correct the path or delete the entry";
    assert_eq!(error_of(&files, "prod").to_string(), expected);
}

#[test]
fn patches_that_match_nothing_and_clashes_are_all_told() {
    let patch = |name: &str| {
        format!(
            "- patch: |\n    apiVersion: v1\n    kind: ConfigMap\n    metadata: {{name: {name}}}\n"
        )
    };
    let kustomization =
        format!("resources: [a.yaml]\nnamePrefix: p-\npatches:\n{}{}", patch("x"), patch("y"));
    let errors =
        error_of(&[("kustomization.yaml", &kustomization), ("a.yaml", CONFIG)], "").to_string();
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(lines.len(), 2, "{errors}");
    assert!(lines[0].starts_with("kustomization.yaml:5: the patch is for `ConfigMap/x`"));
    assert!(lines[1].starts_with("kustomization.yaml:9: the patch is for `ConfigMap/y`"));

    let thrice = format!("{CONFIG}---\n{CONFIG}---\n{CONFIG}");
    let errors =
        error_of(&[("kustomization.yaml", "resources: [a.yaml]"), ("a.yaml", &thrice)], "");
    assert_eq!(errors.problems().len(), 2, "{errors}");
}

#[test]
fn a_problem_is_told_once_and_of_many_the_first() {
    let files = [
        ("kustomization.yaml", "resources: [one, two]\n"),
        ("one/kustomization.yaml", "resources: [../base]\nnamePrefix: one-\n"),
        ("two/kustomization.yaml", "resources: [../base]\nnamePrefix: two-\n"),
        ("base/kustomization.yaml", "resources: [gone.yaml]\n"),
    ];
    assert_eq!(
        error_of(&files, "").to_string(),
        "base/kustomization.yaml:1:13: `gone.yaml` does not exist (looked for `base/gone.yaml`); correct the path or delete the entry\n  by way of kustomization.yaml:1 → one/kustomization.yaml:1"
    );
    let many: String = (0..50).map(|index| format!("- gone-{index}.yaml\n")).collect();
    let errors = error_of(&[("kustomization.yaml", &format!("resources:\n{many}"))], "");
    assert_eq!(errors.problems().len(), BuildErrors::MAX);
    assert_eq!(errors.more(), 30);
    assert!(errors.to_string().ends_with("\nand 30 more"));
}

#[test]
fn the_text_of_a_patch_is_not_repeated() {
    let secret =
        "patchesStrategicMerge:\n- |\n  kind: Secret\n  stringData: [{password: hunter2}\n";
    let errors = error_of(&[("kustomization.yaml", secret)], "").to_string();
    assert!(!errors.contains("hunter2"), "{errors}");
    assert!(errors.starts_with("kustomization.yaml:"), "{errors}");
    let env = [
        ("kustomization.yaml", "secretGenerator:\n- name: s\n  envs: [a.env]\n"),
        ("a.env", "hunter2\nhunter2\n"),
    ];
    let errors = error_of(&env, "").to_string();
    assert_eq!(
        errors,
        "a.env:2:1: `s` has this key already, from a.env:1:1; delete one of them\n  by way of kustomization.yaml:2"
    );
}

/// kustomize prints objects by way of JSON.
#[test]
fn what_json_cannot_say_is_refused() {
    let message = |text: &str| {
        let object = format!("{CONFIG}{text}\n");
        let files = [("app/kustomization.yaml", "resources: [a.yaml]\n"), ("app/a.yaml", &object)];
        error_of(&files, "app").to_string()
    };
    assert!(message("data: {1: a}").starts_with("app/a.yaml:5:8:"));
    assert_eq!(message("spec: .nan"), "app/a.yaml:5:7: `.nan` cannot be written as JSON");
}

#[test]
fn patches_that_say_nothing_or_no_json_are_refused() {
    let object = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}";
    let message = |patch: &str| {
        let kustomization = format!("resources: [a.yaml]\n{patch}\n");
        let files = [
            ("app/kustomization.yaml", kustomization.as_str()),
            ("app/a.yaml", object),
            ("app/p.yaml", "# nothing\n"),
        ];
        error_of(&files, "app").to_string()
    };
    assert_eq!(
        message("patchesStrategicMerge: [p.yaml]"),
        "app/kustomization.yaml:2:25: these strategic merge patches are all empty; delete them"
    );
    let inline = |patch: &str| {
        message(&format!("patches:\n- target: {{kind: ConfigMap}}\n  patch: '{patch}'"))
    };
    assert!(inline("[{op: remove, path: /metadata/name}]").contains("must be JSON"));
    assert!(
        inline(r#"[{"op": "remove", "path": "/metadata/name"}]"#)
            .contains("it leaves an object without `kind` or `metadata.name`")
    );
    assert!(inline("- {op: pat, path: /a}").contains("it has the operation `pat`, expected add"));
}

/// kustomize cuts files before it reads them as YAML.
#[test]
fn files_are_cut_at_separators_alone() {
    let message = |text: &str| {
        let files = [("app/kustomization.yaml", "resources: [a.yaml]\n"), ("app/a.yaml", text)];
        error_of(&files, "app").to_string()
    };
    let inline = message(&format!("{CONFIG}--- {{a: b}}\n{CONFIG}"));
    assert!(inline.contains("app/a.yaml:5: something stands behind `---`"), "{inline}");
    let directive = message(&format!("%YAML 1.1\n---\n{CONFIG}"));
    assert!(directive.starts_with("app/a.yaml:"), "{directive}");
    let escape = message(&format!("{CONFIG}data: {{a: \"x\\/y\"}}\n"));
    assert!(escape.contains("unknown escape"), "{escape}");
}
