//! What a build lacks, supplied: the result is that of the same content in the
//! tree, and that of kustomize which fetches or runs it.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // tests over real files
#![allow(clippy::unwrap_used)]

mod peer;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use gitops_kustomize::{Fulfil, FunctionInput, Need, Options, Rendered, Supply, build, build_with};
use gitops_tree::{Memory, TreePath};

fn tree(files: &[(&str, &str)]) -> Memory {
    let mut tree = Memory::new();
    for (path, text) in files {
        tree.insert(TreePath::new(path).unwrap(), text.as_bytes().to_vec());
    }
    tree
}

/// What was fetched.
#[derive(Default)]
struct Fetched {
    repositories: BTreeMap<&'static str, Memory>,
    files: BTreeMap<&'static str, &'static str>,
    charts: BTreeMap<&'static str, &'static str>,
    functions: BTreeMap<&'static str, String>,
}

impl Fulfil for Fetched {
    fn fulfil(&self, need: &Need) -> Option<Supply<'_>> {
        match need {
            Need::Remote(remote) => {
                let file = || Some(Supply::File(self.files.get(&*remote.address)?.as_bytes()));
                let repository = remote.repository.as_ref();
                let found = repository.and_then(|found| self.repositories.get(&*found.url));
                found.map(|tree| Supply::Repository(tree)).or_else(file)
            }
            Need::Helm(chart) => Some(Supply::Manifests(self.charts.get(&*chart.name)?)),
            Need::Function(function) => {
                Some(Supply::Manifests(self.functions.get(&*function.kind)?))
            }
        }
    }
}

fn built(files: &[(&str, &str)], dir: &str, fetched: &dyn Fulfil) -> Rendered {
    build_with(&tree(files), &TreePath::new(dir).unwrap(), &Options::default(), fetched)
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let at = folder.join(path);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, text).unwrap();
    }
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";
const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: own\n";

const BASE: &[(&str, &str)] = &[
    (
        "app/kustomization.yaml",
        "resources: [../common, map.yaml]\nnamePrefix: p-\nconfigMapGenerator: [{name: g, files: [k.txt]}]\n",
    ),
    ("app/map.yaml", MAP),
    ("app/k.txt", "v"),
    ("common/kustomization.yaml", "resources: [service.yaml]\n"),
    ("common/service.yaml", SERVICE),
];

#[test]
fn a_remote_base_is_as_the_same_base_here() {
    let over = |base: &str| {
        format!("resources:\n- {base}\nnamespace: shop\nsortOptions: {{order: fifo}}\n")
    };
    let mut fetched = Fetched::default();
    fetched.repositories.insert("https://github.com/acme/base", tree(BASE));
    let remote = over("github.com/acme/base//app?ref=v1");
    let there = built(&[("kustomization.yaml", &remote)], "", &fetched);
    let mut here: Vec<(String, &str)> =
        BASE.iter().map(|(path, text)| (format!("base/{path}"), *text)).collect();
    let local = over("../base/app");
    here.push(("over/kustomization.yaml".to_owned(), &local));
    let here: Vec<(&str, &str)> = here.iter().map(|(path, text)| (&**path, *text)).collect();
    assert_eq!(there.to_yaml(), built(&here, "over", &()).to_yaml());
    assert_eq!(
        there.resources[0].path.as_str(),
        "https:/github.com/acme/base@v1/common/service.yaml"
    );
    assert_eq!(there.resources[0].line, Some(1));
}

#[test]
fn a_remote_base_reads_nothing_outside_of_its_repository() {
    let mut fetched = Fetched::default();
    let mut repository = tree(&[
        ("app/kustomization.yaml", "resources: [../../kustomization.yaml]\n"),
        ("link/kustomization.yaml", "resources: [x.yaml]\n"),
        ("strict/kustomization.yaml", "resources: [../map.yaml]\n"),
        ("map.yaml", MAP),
    ]);
    repository.insert_link(TreePath::new("link/x.yaml").unwrap(), "../../../a.yaml");
    fetched.repositories.insert("https://github.com/acme/base", repository);
    let options =
        Options { load_restrictor: gitops_kustomize::LoadRestrictor::None, ..Options::default() };
    for (folder, expected) in [
        ("app", "leads out of the repository"),
        ("link", "which leads to `../../../a.yaml`, out of the repository"),
        ("strict", "is not in or below"),
    ] {
        let text = format!("resources: [github.com/acme/base//{folder}]\n");
        let tree = tree(&[("kustomization.yaml", &text), ("a.yaml", MAP)]);
        let errors = build_with(&tree, &TreePath::root(), &options, &fetched).err().unwrap();
        assert!(errors.to_string().contains(expected), "{errors}");
        assert!(errors.to_string().starts_with("https://github.com/acme/base/"), "{errors}");
        assert!(errors.to_string().ends_with("\n  by way of kustomization.yaml:1"), "{errors}");
    }
}

#[test]
fn remote_files_and_charts_are_as_here_and_as_for_kustomize() {
    let address = "https://example.com/manifests/map.yaml";
    let with_file = |file: &str| {
        format!(
            "resources: [{file}]\nnamePrefix: x-\npatches: [{{path: patch.yaml, target: {{kind: ConfigMap}}}}]\n"
        )
    };
    let patch = ("patch.yaml", "- {op: add, path: /data, value: {k: v}}\n");
    let mut fetched = Fetched::default();
    fetched.files.insert(address, MAP);
    let there = built(&[("kustomization.yaml", &with_file(address)), patch], "", &fetched);
    let here =
        built(&[("kustomization.yaml", &with_file("map.yaml")), patch, ("map.yaml", MAP)], "", &());
    assert_eq!(there.to_yaml(), here.to_yaml());
}

#[test]
fn a_chart_is_rendered_as_kustomize_does_with_helm() {
    let output = "---\n# Source: web\napiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: own\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      containers:\n      - {name: web, image: nginx}\n";
    let files: &[(&str, &str)] = &[
        (
            "over/kustomization.yaml",
            "resources: [../base]\nnamespace: shop\nbuildMetadata: [originAnnotations]\n",
        ),
        (
            "base/kustomization.yaml",
            "resources: [map.yaml]\nhelmCharts:\n- name: web\n  releaseName: r\n  valuesInline: {a: {b: 1}}\n  includeCRDs: true\nnamePrefix: p-\nimages: [{name: nginx, newTag: '1'}]\n",
        ),
        ("base/map.yaml", MAP),
        ("base/charts/web/values.yaml", "a: {}\n"),
    ];
    let mut fetched = Fetched::default();
    fetched.charts.insert("web", output);
    let ours = built(files, "over", &fetched);

    let lacking = build(&tree(files), &TreePath::new("over").unwrap(), &Options::default());
    let lacking = lacking.err().unwrap();
    let (place, need) = lacking.needs().next().unwrap();
    assert_eq!(place.to_string(), "base/kustomization.yaml:3:3");
    let Need::Helm(chart) = need else { panic!("{need}") };
    assert_eq!(
        (&*chart.namespace, &*chart.release_name, &*chart.home, &*chart.values_merge),
        ("shop", "r", "charts", "override")
    );
    assert_eq!(chart.values_inline.as_deref(), Some("a:\n  b: 1\n"));
    assert_eq!(chart.dir.as_str(), "base");

    let Some(kustomize) = peer::kustomize() else { return };
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    write(
        folder.path(),
        &[
            ("output", output),
            (
                "helm",
                "#!/bin/sh\nif [ \"$1\" = version ]; then echo v3.0.0; else cat \"$(dirname \"$0\")/output\"; fi\n",
            ),
        ],
    );
    let helm = folder.path().join("helm");
    Command::new("chmod").arg("755").arg(&helm).status().unwrap();
    let arguments = ["--enable-helm", "--helm-command", helm.to_str().unwrap()];
    let theirs = peer::build(&kustomize, &folder.path().join("over"), &arguments).unwrap();
    assert_eq!(ours.to_yaml(), theirs);
}

#[test]
fn a_repository_has_the_origin_that_kustomize_gives_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}/base.git", folder.path().display());
    for path in ["//app", ""] {
        let address = format!("{url}{path}?ref=main");
        let over = format!(
            "resources: ['{address}']\nbuildMetadata: [originAnnotations, transformerAnnotations]\n"
        );
        let mut repository = BASE.to_vec();
        repository.push(("kustomization.yaml", "resources: [app]\nnameSuffix: -s\n"));
        struct One(Memory);
        impl Fulfil for One {
            fn fulfil(&self, _need: &Need) -> Option<Supply<'_>> {
                Some(Supply::Repository(&self.0))
            }
        }
        let ours = built(&[("kustomization.yaml", &over)], "", &One(tree(&repository)));
        assert!(ours.to_yaml().contains("repo: file://"));

        let Some(kustomize) = peer::kustomize() else { return };
        let bare = folder.path().join("base.git");
        write(&bare, &repository);
        let git = |arguments: &[&str]| {
            let output = Command::new("git").arg("-C").arg(&bare).args(arguments).output().unwrap();
            assert!(output.status.success(), "{output:?}");
        };
        git(&["init", "-q", "-b", "main"]);
        git(&["add", "-A"]);
        git(&[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "x",
        ]);
        write(&folder.path().join("over"), &[("kustomization.yaml", &over)]);
        let theirs = peer::build(&kustomize, &folder.path().join("over"), &[]).unwrap();
        assert_eq!(ours.to_yaml(), theirs);
    }
}

#[test]
fn functions_take_the_place_of_their_output() {
    let config = |kind: &str, script: &str| {
        format!(
            "apiVersion: example.com/v1\nkind: {kind}\nmetadata:\n  name: f\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {{path: ./{script}}}\n"
        )
    };
    let made = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: made\n  annotations:\n    kustomize.config.k8s.io/needs-hash: \"true\"\ndata:\n  k: v\n";
    let (maker, changer) = (config("Maker", "make.sh"), config("Changer", "change.sh"));
    let files = [
        (
            "kustomization.yaml",
            "resources: [map.yaml]\ngenerators: [maker.yaml]\ntransformers: [changer.yaml]\nnamePrefix: p-\n",
        ),
        ("map.yaml", MAP),
        ("maker.yaml", &*maker),
        ("changer.yaml", &*changer),
    ];
    let errors = build(&tree(&files), &TreePath::root(), &Options::default()).err().unwrap();
    let inputs: Vec<FunctionInput> = errors
        .needs()
        .filter_map(|(_, need)| match need {
            Need::Function(function) => Some(function.input.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(inputs, [FunctionInput::Pending, FunctionInput::Nothing]);

    let mut fetched = Fetched::default();
    fetched.functions.insert("Maker", made.to_owned());
    let errors = build_with(&tree(&files), &TreePath::root(), &Options::default(), &fetched);
    let errors = errors.err().unwrap();
    let Some((_, Need::Function(function))) = errors.needs().next() else { panic!("{errors}") };
    let FunctionInput::Objects(input) = &function.input else { panic!("no input") };
    let changed = input.replace("k: v", "k: changed");
    fetched.functions.insert("Changer", changed);
    let ours = built(&files, "", &fetched).to_yaml();
    assert!(ours.contains("name: p-made-") && ours.contains("k: changed"), "{ours}");

    let Some(kustomize) = peer::kustomize() else { return };
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &files);
    let items = made.replace('\n', "\n  ");
    write(
        folder.path(),
        &[
            (
                "make.sh",
                &format!(
                    "#!/bin/sh\ncat >/dev/null\ncat <<'END'\napiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- {items}\nEND\n"
                ),
            ),
            ("change.sh", "#!/bin/sh\nsed 's/k: v/k: changed/'\n"),
        ],
    );
    for script in ["make.sh", "change.sh"] {
        Command::new("chmod").arg("755").arg(folder.path().join(script)).status().unwrap();
    }
    let arguments = ["--enable-alpha-plugins", "--enable-exec"];
    let output = Command::new(&kustomize)
        .args(["build", "."])
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(ours, String::from_utf8(output.stdout).unwrap());
}

#[test]
fn all_needs_are_told_together() {
    let files = [
        (
            "kustomization.yaml",
            "resources: [base, 'https://example.com/a.yaml']\ncomponents: [github.com/acme/part]\nhelmCharts: [{name: one}, {name: two, version: '1'}]\nconfigMapGenerator: [{name: g, files: ['k=https://example.com/k']}]\npatches: [{path: 'https://example.com/p.yaml'}]\ngenerators: [g.yaml]\n",
        ),
        ("base/kustomization.yaml", "resources: ['git@example.com:a/b.git']\n"),
        ("g.yaml", "apiVersion: example.com/v1\nkind: Maker\nmetadata: {name: m}\n"),
    ];
    let errors = build(&tree(&files), &TreePath::root(), &Options::default()).err().unwrap();
    let needs: Vec<String> =
        errors.needs().map(|(place, need)| format!("{place} {need}")).collect();
    assert_eq!(
        needs,
        [
            "base/kustomization.yaml:1:13 the remote `git@example.com:a/b.git`",
            "g.yaml:1 the output of the program `example.com/v1 Maker`",
            "kustomization.yaml:1:19 the remote file `https://example.com/a.yaml`",
            "kustomization.yaml:2:14 the remote `github.com/acme/part`",
            "kustomization.yaml:3:14 the rendered Helm chart `one`",
            "kustomization.yaml:3:27 the rendered Helm chart `two` 1",
            "kustomization.yaml:4:40 the remote file `https://example.com/k`",
            "kustomization.yaml:5:18 the remote file `https://example.com/p.yaml`",
        ]
    );
}
