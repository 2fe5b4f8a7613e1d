//! `yaml:` and `values:`.

use super::*;

const DEPLOYMENT: &str = "# the shop\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 1   # few\n  template:\n    spec:\n      containers:\n      - name: sidecar\n        image: s:1\n      - name: web\n        image: \"r.io/web:v1\" # {\"$imagepolicy\": \"a:b\"}\n---\nkind: Service\nmetadata: {name: web, labels: {'a.b/c': x}}\n";

fn set(rule: YamlRule, dev: &str, uat: &str) -> String {
    let file = rule.file.with_app("web").unwrap();
    World::new(vec![Mover::Yaml(rule)], &[(&file, dev)], &[(&file, uat)]).promoted(&file)
}

#[test]
fn a_path_of_any_document() {
    for (at, new, old) in [
        ("spec.template.spec.containers[name=web].image", "r.io/web:v2", "r.io/web:v1"),
        ("spec.template.spec.containers[1].image", "r.io/web:v2", "r.io/web:v1"),
        ("spec.template.spec.containers[name={app}].image", "r.io/web:v2", "r.io/web:v1"),
        ("spec.replicas", "3", "1"),
        ("metadata.labels.\"a.b/c\"", "other", "x"),
    ] {
        let (old, new) = match at {
            "spec.replicas" => (format!("replicas: {old}"), format!("replicas: {new}")),
            "metadata.labels.\"a.b/c\"" => (format!("c': {old}"), format!("c': {new}")),
            _ => (old.to_owned(), new.to_owned()),
        };
        let dev = DEPLOYMENT.replace(&old, &new);
        assert_ne!(dev, DEPLOYMENT);
        assert_eq!(set(yaml("web.yaml", at), &dev, DEPLOYMENT), dev, "{at}");
        let windows = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
        let set = set(yaml("{app}.yaml", at), &dev, &windows(DEPLOYMENT));
        assert_eq!(set, windows(&dev), "{at}");
    }
}

#[test]
fn a_document_is_chosen_by_kind_and_name() {
    let file = "kind: A\nmetadata: {name: web}\nv: 1.0.0\n---\nkind: B\nmetadata: {name: web}\nv: 1.0.0\n---\nkind: B\nmetadata: {name: api}\nv: 1.0.0\n";
    let dev = file.replace("1.0.0", "2.0.0");
    let world = World::new(
        vec![Mover::Yaml(yaml("f.yaml", "v"))],
        &[("f.yaml", &dev)],
        &[("f.yaml", file)],
    );
    assert_eq!(world.refused(), "`v` stands in two places, dev/web/f.yaml:3 and dev/web/f.yaml:7");
    let rule = YamlRule {
        kind: Some("B".to_owned()),
        name: Some(template("{app}")),
        ..yaml("f.yaml", "v")
    };
    let set = set(rule, &dev, file);
    assert_eq!(
        set,
        file.replacen("1.0.0", "\0", 1).replacen("1.0.0", "2.0.0", 1).replace('\0', "1.0.0")
    );
}

#[test]
fn json_stays_json() {
    let dev = "{\n  \"image\": {\"tag\": \"3.10\", \"n\": 7},\n  \"on\": true\n}\n";
    let uat = "{\n  \"image\": {\"tag\": \"v1\", \"n\": 3},\n  \"on\": false\n}\n";
    for (at, expected) in [
        ("image.tag", uat.replace("v1", "3.10")),
        ("image.n", uat.replace('3', "7")),
        ("on", uat.replace("false", "true")),
    ] {
        let after = set(yaml("values.json", at), dev, uat);
        assert_eq!(after, expected, "{at}");
        serde_json::from_str::<serde_json::Value>(&after).unwrap();
    }
    // A string where a number stood.
    let after = set(
        yaml("v.json", "a"),
        "{\"a\": \"x\\u0007y\"}".replace("\\u0007", "\\n").as_str(),
        "{\"a\": 1}",
    );
    assert_eq!(after, "{\"a\": \"x\\ny\"}");
    // A key that is not there.
    let rule = YamlRule { create: true, ..yaml("v.json", "a.b.c") };
    let after = set(rule, "{\"a\": {\"b\": {\"c\": \"v2\"}}}", "{\n  \"x\": 1,\n  \"y\": [2]\n}\n");
    assert_eq!(after, "{\n  \"x\": 1,\n  \"y\": [2],\n  \"a\": {\"b\": {\"c\": \"v2\"}}\n}\n");
}

#[test]
fn keys_are_created_only_where_that_is_asked_for() {
    let dev = "image:\n  tag: v2\n";
    for (uat, expected) in [
        ("a: 1\n", "a: 1\nimage:\n  tag: v2\n"),
        ("image:\n    name: x # y\nb: 2\n", "image:\n    name: x # y\n    tag: v2\nb: 2\n"),
        ("image:\nb:\n    c: 1\n", "image:\n    tag: v2\nb:\n    c: 1\n"),
        ("image: {name: x}\n", "image: {name: x, tag: v2}\n"),
        ("# none\n", "# none\nimage:\n  tag: v2\n"),
        ("image:\r\n  name: x\r\n", "image:\r\n  name: x\r\n  tag: v2\r\n"),
    ] {
        let rule = YamlRule { create: true, ..yaml("values.yaml", "image.tag") };
        assert_eq!(set(rule, dev, uat), expected, "{uat:?}");
    }
    let world = World::new(
        vec![Mover::Yaml(yaml("values.yaml", "image.tag"))],
        &[("values.yaml", dev)],
        &[("values.yaml", "image:\n  name: x\n")],
    );
    assert_eq!(
        world.refused(),
        "app `web` has no `image.tag` in environment `uat`: uat/web/values.yaml:2: there is no key `tag` in `image`; it has `name`"
    );
}

#[test]
fn types_move_with_their_values() {
    for (dev, uat, expected) in [
        ("v: 3\n", "v: \"2\"\n", "v: 3\n"),
        ("v: \"3\"\n", "v: 2\n", "v: \"3\"\n"),
        ("v: 'it''s'\n", "v: \"x\"\n", "v: \"it's\"\n"),
        ("v: true\n", "v: no\n", "v: true\n"),
        ("v: 0x1F\n", "v: 1\n", "v: 0x1F\n"),
        ("v: |\n  a\n  b\n", "v: x # y\n", "v: \"a\\nb\\n\" # y\n"),
        ("v: new\n", "v: >-\n  one\n  two\nw: 1\n", "v: new\nw: 1\n"),
        ("v: new\n", "v:\nw: 1\n", "v: new\nw: 1\n"),
    ] {
        assert_eq!(set(yaml("f.yaml", "v"), dev, uat), expected, "{dev:?} {uat:?}");
    }
}

#[test]
fn helm_values_stand_in_files_and_inline() {
    let file =
        |tag: &str| format!("image:\n  repository: r.io/web # here\n  tag: {tag}\nreplicas: 2\n");
    let world = World::new(
        vec![values("values.yaml", "image.tag")],
        &[("values.yaml", &file("v2"))],
        &[("values.yaml", &file("v1"))],
    );
    assert_eq!(world.promoted("values.yaml"), file("v2"));
    assert_eq!(
        told(&world.promote().unwrap()),
        ["value image.tag: v1 → v2 (uat/web/values.yaml:3)"]
    );
    assert_eq!(world.apps("dev")[0].version().as_deref(), Some("v2"));

    let release = |env: &str, tag: &str| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: web-{env}\nspec:\n  values:\n    image:\n      tag: {tag} # {{\"$imagepolicy\": \"flux-system:web:tag\"}}\n    replicas: 3\n"
        )
    };
    for name in ["HelmRelease", "release.yaml"] {
        let world = World::new(
            vec![values(name, "image.tag")],
            &[("release.yaml", &release("dev", "v2"))],
            &[("release.yaml", &release("uat", "v1"))],
        );
        assert_eq!(world.promoted("release.yaml"), release("uat", "v2"), "{name}");
        assert!(world.apps("uat")[0].slots[0].owned_by.is_some());
    }
}

#[test]
fn argo_cd_gives_values_in_three_ways() {
    let app = |env: &str, helm: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: web-{env}}}\nspec:\n  source:\n    repoURL: https://x/y\n    helm:\n{helm}"
        )
    };
    let object = |tag: &str| {
        format!(
            "      valueFiles: [values.yaml]\n      valuesObject:\n        image: {{tag: '{tag}'}}\n"
        )
    };
    let parameters = |tag: &str| {
        format!(
            "      parameters:\n      - name: replicas\n        value: \"2\"\n      - name: image.tag\n        value: {tag}\n"
        )
    };
    for helm in [&object as &dyn Fn(&str) -> String, &parameters] {
        let world = World::new(
            vec![values("Application", "image.tag")],
            &[("app.yaml", &app("dev", &helm("v2")))],
            &[("app.yaml", &app("uat", &helm("v1")))],
        );
        assert_eq!(world.promoted("app.yaml"), app("uat", &helm("v2")));
    }
}

/// An Application whose values are a text, spelled by `values`.
fn inline(env: &str, values: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: web-{env}}}\nspec:\n  source:\n    repoURL: https://x/y\n    helm:\n      releaseName: web # ours\n{values}  project: default\n"
    )
}

#[test]
fn values_in_a_text_keep_every_other_byte() {
    let literal = |tag: &str| {
        format!(
            "      values: |\n        # of {{env}}\n        image:\n          tag:   '{tag}'   # {{\"$imagepolicy\": \"flux:web\"}}\n\n        list: [a, b] # c\n"
        )
    };
    let kept = |tag: &str| literal(tag).replace("values: |", "values: |+");
    let stripped = |tag: &str| literal(tag).replace("values: |", "values: |-");
    let indented = |tag: &str| {
        format!("      values: |2\n          # deep\n        image: {{tag: {tag}, x: 1}}\n")
    };
    let crlf = |tag: &str| literal(tag).replace('\n', "\r\n");
    let blank = |tag: &str| {
        format!(
            "      values: |\n\n        a: 1\n  \n        image:\n            tag: {tag}\n        umlaut: ä€\n"
        )
    };
    let single = |tag: &str| format!("      values: 'image: {{tag: {tag}}}'\n");
    let double = |tag: &str| format!("      values: \"image: {{tag: {tag}}}\"\n");
    let all: [&dyn Fn(&str) -> String; 8] =
        [&literal, &kept, &stripped, &indented, &crlf, &blank, &single, &double];
    for (number, helm) in all.into_iter().enumerate() {
        for (from, to) in [("v2", "v1"), ("v1.10.0", "v1.9"), ("v1", "v1.0.0-rc.1"), ("x", "v1")] {
            let world = World::new(
                vec![values("Application", "image.tag")],
                &[("app.yaml", &inline("dev", &helm(from)))],
                &[("app.yaml", &inline("uat", &helm(to)))],
            );
            assert_eq!(world.promoted("app.yaml"), inline("uat", &helm(from)), "{number}");
        }
    }
    let world = World::new(
        vec![values("Application", "image.tag")],
        &[("app.yaml", &inline("dev", &literal("v2")))],
        &[("app.yaml", &inline("uat", &literal("v1")))],
    );
    let planned = world.promote().unwrap();
    assert_eq!(told(&planned), ["value image.tag: v1 → v2 (uat/web/app.yaml:12)"]);
    let slot = &world.apps("uat")[0].slots[0];
    assert!(slot.owned_by.as_deref().is_some_and(|by| by.contains("flux:web")), "{slot:?}");
}

#[test]
fn a_text_of_values_and_an_object_are_the_same_place() {
    let text = "      values: |\n        image: {tag: v1}\n";
    let object = "      valuesObject: {image: {tag: v2}}\n";
    let world = World::new(
        vec![values("Application", "image.tag")],
        &[("app.yaml", &inline("dev", object))],
        &[("app.yaml", &inline("uat", text))],
    );
    assert_eq!(world.promoted("app.yaml"), inline("uat", &text.replace("v1", "v2")));
}

#[test]
fn a_key_can_be_added_to_a_text_of_values() {
    let mut rule = values("Application", "image.tag");
    if let Mover::Values(rule) = &mut rule {
        rule.create = true;
    }
    let there = "      values: |\n        image: {tag: v2}\n";
    for (before, after) in [
        (
            "      values: |\n        image:\n          name: x\n        z: 1\n",
            "      values: |\n        image:\n          name: x\n          tag: v2\n        z: 1\n",
        ),
        (
            "      values: |\n        z: 1\n",
            "      values: |\n        z: 1\n        image:\n          tag: v2\n",
        ),
        (
            "      values: |-\n        image:\n          name: x\n",
            "      values: |-\n        image:\n          name: x\n          tag: v2\n",
        ),
    ] {
        let world = World::new(
            vec![rule.clone()],
            &[("app.yaml", &inline("dev", there))],
            &[("app.yaml", &inline("uat", before))],
        );
        assert_eq!(world.promoted("app.yaml"), inline("uat", after));
    }
}

#[test]
fn a_text_of_values_that_cannot_be_edited_safely_is_refused() {
    let there = inline("dev", "      values: |\n        image: {tag: v2}\n");
    for (helm, reason) in [
        ("      values: >\n        image: {tag: v1}\n", "a folded text (`>`) loses its lines"),
        ("      values: \"image: {tag: \\x76\\x31}\"\n", "its quotes would be written anew"),
        ("      values: |\n        image: {tag: *no}\n", "its `values` are no YAML"),
        ("      values: |\n        a: 1\n        ---\n        b: 1\n", "several documents"),
        ("      values: |\n        image: v1\n", "image"),
        ("      values: |\n        x: &a {tag: v1}\n        image: *a\n", "alias"),
        ("      values: [1]\n", "are no text"),
    ] {
        let world = World::new(
            vec![values("Application", "image.tag")],
            &[("app.yaml", &there)],
            &[("app.yaml", &inline("uat", helm))],
        );
        assert!(world.refused().contains(reason), "{helm}: {}", world.refused());
    }
    // An anchor that is used elsewhere would change there as well.
    let anchored = |tag: &str| {
        inline(
            "uat",
            &format!("      values: &v |\n        image: {{tag: {tag}}}\n      copy: *v\n"),
        )
    };
    let world = World::new(
        vec![values("Application", "image.tag")],
        &[("app.yaml", &there)],
        &[("app.yaml", &anchored("v1"))],
    );
    assert!(world.refused().contains("would change as well"), "{}", world.refused());
}

#[test]
fn sources_of_an_application_are_told_apart_by_their_charts() {
    let app = |env: &str, web: &str, api: &str, turned: bool| {
        let source = |chart: &str, tag: &str| {
            format!(
                "  - repoURL: https://charts.example\n    chart: {chart}\n    targetRevision: 1.0.0\n    helm:\n      values: |\n        image: {{tag: {tag}}}\n"
            )
        };
        let (one, two) = (source("web", web), source("api", api));
        let both = if turned { format!("{two}{one}") } else { format!("{one}{two}") };
        format!("kind: Application\nmetadata: {{name: web-{env}}}\nspec:\n  sources:\n{both}")
    };
    let world = World::new(
        vec![values("Application", "image.tag")],
        &[("app.yaml", &app("dev", "w2", "a2", false))],
        &[("app.yaml", &app("uat", "w1", "a1", true))],
    );
    assert_eq!(world.promoted("app.yaml"), app("uat", "w2", "a2", true));
}

#[test]
fn a_shared_folder_names_its_apps_in_files_and_paths() {
    let file = |api: &str, web: &str| format!("api: {{tag: {api}}}\nweb: {{tag: {web}}}\n");
    let mut world = World::new(vec![Mover::Yaml(yaml("versions.yaml", "{app}.tag"))], &[], &[]);
    world.folder = "{env}";
    world.tree.insert(path("dev/versions.yaml"), file("a1", "w2").into_bytes());
    world.tree.insert(path("uat/versions.yaml"), file("a0", "w1").into_bytes());
    let names: Vec<String> = world.apps("dev").into_iter().map(|app| app.name).collect();
    assert_eq!(names, ["api", "web"]);
    assert_eq!(world.text(&world.promote().unwrap(), "versions.yaml"), file("a0", "w2"));

    let mut world = World::new(vec![values("{app}/values.yaml", "tag")], &[], &[]);
    world.folder = "{env}";
    for (file, text) in [
        ("dev/web/values.yaml", "tag: v2\n"),
        ("dev/none/README.md", "x"),
        ("uat/web/values.yaml", "tag: v1\n"),
    ] {
        world.tree.insert(path(file), text.as_bytes());
    }
    assert_eq!(world.apps("dev").len(), 1);
    assert_eq!(world.text(&world.promote().unwrap(), "web/values.yaml"), "tag: v2\n");
}

#[test]
fn what_differs_besides_is_said_to_stay() {
    let world = World::new(
        vec![values("values.yaml", "image.tag")],
        &[
            ("values.yaml", "image: {tag: v2}\nreplicas: 1\n"),
            ("values-dev.yaml", "host: dev\n"),
            ("values-extra.yaml", "a: 1\n"),
        ],
        &[
            ("values.yaml", "image: {tag: v1}\nreplicas: 3\n"),
            ("values-uat.yaml", "host: uat\n"),
            ("values-extra.yaml", "a: 1\n"),
        ],
    );
    let plan = world.promote().unwrap().plans.remove(0).0;
    assert_eq!(
        plan.stays,
        [
            "uat/web/values-uat.yaml differs from dev/web/values-dev.yaml",
            "uat/web/values.yaml differs from dev/web/values.yaml in more than what moves",
        ]
    );
}
