//! Input that would exhaust time, memory or the stack: an error in bounded time.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // the clock
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use gitops_kustomize::{Options, build};
use gitops_tree::{Memory, TreePath};

/// Far above what any of these takes, on a busy machine and without optimisation.
const BOUND: Duration = Duration::from_secs(30);

fn outcome(name: &str, files: &[(&str, Vec<u8>)]) -> Result<String, String> {
    let mut tree = Memory::new();
    for (path, bytes) in files {
        tree.insert(TreePath::new(path).unwrap(), bytes.clone());
    }
    let start = Instant::now();
    let built = build(&tree, &TreePath::root(), &Options::default());
    let took = start.elapsed();
    eprintln!("{name}: {took:?}");
    assert!(took < BOUND, "{name} takes {took:?}");
    built.map(|built| built.to_yaml()).map_err(|errors| errors.to_string())
}

fn manifest(name: &str, text: impl Into<Vec<u8>>) -> String {
    let files = [("kustomization.yaml", b"resources: [a.yaml]".to_vec()), ("a.yaml", text.into())];
    outcome(name, &files).expect_err(name)
}

const CHAIN: &str = "\n  by way of kustomization.yaml:1";
const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

#[test]
fn a_file_of_100_mb_is_refused() {
    let expected = "kustomization.yaml:1:13: `a.yaml` cannot be read: it has 96 MiB, and files of more than 32 MiB are not read; split it, or keep it out of the manifests";
    assert_eq!(manifest("100 MB", vec![b'a'; 100_000_000]), expected);
    let files = [
        ("kustomization.yaml", b"configMapGenerator: [{name: a, files: [a.bin]}]".to_vec()),
        ("a.bin", vec![0; 100_000_000]),
    ];
    assert!(outcome("a generator's 100 MB", &files).unwrap_err().contains("it has 96 MiB"));
    let files = [("kustomization.yaml", vec![b'#'; 100_000_000])];
    assert!(outcome("a kustomization of 100 MB", &files).unwrap_err().contains("it has 96 MiB"));
    let many = "- {name: a, files: [a.bin]}\n".repeat(20);
    let files = [
        ("kustomization.yaml", format!("configMapGenerator:\n{many}").into_bytes()),
        ("a.bin", vec![b'a'; 31 << 20]),
    ];
    let errors = outcome("20 times 31 MiB", &files).unwrap_err();
    assert!(errors.contains("the build reads more than 256 MiB"), "{errors}");
}

#[test]
fn nesting_of_10_000_is_refused_wherever_it_stands() {
    const DEEP: usize = 10_000;
    let block: String = (0..3000).fold(String::new(), |mut text, level| {
        writeln!(text, "{}a:", " ".repeat(level)).unwrap();
        text
    });
    for (name, text) in [
        ("flow sequences", "[".repeat(DEEP)),
        ("closed flow sequences", "[".repeat(DEEP) + &"]".repeat(DEEP)),
        ("flow mappings", "{a: ".repeat(DEEP)),
        ("a million flow mappings", "{a: ".repeat(1_000_000)),
        ("block sequences", "- ".repeat(DEEP)),
        ("a million block sequences", "- ".repeat(1_000_000)),
        ("block mappings", block),
        ("keys", "? ".repeat(DEEP)),
    ] {
        let error = manifest(name, text);
        assert!(error.starts_with("a.yaml:"), "{name}: {error}");
        assert!(
            error.contains("nested more than 256 levels deep") && error.ends_with(CHAIN),
            "{error}"
        );
    }
    let openapi = [
        ("kustomization.yaml", b"openapi: {path: a.json}\nresources: []\nnamePrefix: a".to_vec()),
        ("a.json", "{\"a\":".repeat(DEEP).into_bytes()),
    ];
    assert!(outcome("JSON", &openapi).unwrap_err().starts_with("a.json:1:"));
    let path = vec!["a"; DEEP].join("/");
    for (name, text) in [
        (
            "a JSON patch's path",
            format!(
                "patches: [{{target: {{kind: ConfigMap}}, patch: '- {{op: add, path: /{path}, value: 1}}'}}]"
            ),
        ),
        (
            "a field's path",
            format!("labels: [{{pairs: {{a: b}}, fields: [{{path: {path}, create: true}}]}}]"),
        ),
        (
            "a replacement's path",
            format!(
                "replacements: [{{source: {{kind: ConfigMap}}, targets: [{{select: {{kind: ConfigMap}}, fieldPaths: [{}], options: {{create: true}}}}]}}]",
                path.replace('/', ".")
            ),
        ),
    ] {
        let files = [
            ("kustomization.yaml", format!("resources: [a.yaml]\n{text}\n").into_bytes()),
            ("a.yaml", MAP.into()),
        ];
        let error = outcome(name, &files).unwrap_err();
        assert!(error.contains("the path has more than 256 names"), "{name}: {error}");
    }
}

#[test]
fn alias_bombs_are_refused() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let many = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(laughs, "a{level}: &a{level} [{many}]").unwrap();
    }
    let mut merges = "a0: &a0 {k: v}\n".to_owned();
    for level in 1..40 {
        let before = level - 1;
        writeln!(
            merges,
            "a{level}: &a{level} {{x{level}: *a{before}, y{level}: *a{before}, <<: *a{before}}}"
        )
        .unwrap();
    }
    let wide = format!(
        "a: &a {{{}}}\nb: [{}]\n",
        (0..5000).map(|key| format!("k{key}: v")).collect::<Vec<_>>().join(", "),
        vec!["*a"; 5000].join(", ")
    );
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 5000].join(", "));
    for (name, text) in [
        ("a billion laughs", laughs),
        ("nested merges", merges),
        ("a wide mapping, often", wide),
        ("a long text, often", long),
    ] {
        let error = manifest(name, format!("{MAP}{text}"));
        assert!(error.starts_with("a.yaml:"), "{name}: {error}");
        assert!(
            error.contains("document contains excessive aliasing") && error.ends_with(CHAIN),
            "{error}"
        );
    }
    let error = manifest("an anchor in itself", "a: &a [*a]\n");
    assert!(error.contains("the value of an anchor contains itself"), "{error}");
}

#[test]
fn copies_of_copies_are_refused() {
    let patch: String = (0..60).map(|_| "- {op: copy, from: /data, path: /data/x}\n- {op: copy, from: /data, path: /data/y}\n").collect();
    let files = [
        (
            "kustomization.yaml",
            b"resources: [a.yaml]\npatches: [{path: p.yaml, target: {kind: ConfigMap}}]".to_vec(),
        ),
        ("a.yaml", format!("{MAP}data: {{a: b}}\n").into_bytes()),
        ("p.yaml", patch.into_bytes()),
    ];
    let error = outcome("copies by a JSON patch", &files).unwrap_err();
    assert!(
        error.contains("this copies more than 64 MiB") || error.contains("nested more"),
        "{error}"
    );

    let replacement = "- source: {kind: ConfigMap, fieldPath: data}\n  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.x, data.y], options: {create: true}}]\n";
    let files = [
        (
            "kustomization.yaml",
            format!("resources: [a.yaml]\nreplacements:\n{}", replacement.repeat(60)).into_bytes(),
        ),
        ("a.yaml", format!("{MAP}data: {{a: b}}\n").into_bytes()),
    ];
    let error = outcome("copies by replacements", &files).unwrap_err();
    assert!(error.contains("this copies more than 64 MiB"), "{error}");

    let files = [
        ("kustomization.yaml", b"resources: [a.yaml]\nvars: [{name: V, objref: {kind: Pod, name: a, apiVersion: v1}, fieldref: {fieldPath: metadata.annotations.v}}]".to_vec()),
        ("a.yaml", format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: a, annotations: {{v: {}}}}}\nspec: {{containers: [{{name: a, command: [{}]}}]}}\n", "x".repeat(1 << 20), "$(V)".repeat(10_000)).into_bytes()),
    ];
    let error = outcome("copies by variables", &files).unwrap_err();
    assert!(error.contains("this copies more than 64 MiB"), "{error}");
}

#[test]
fn bases_on_bases_are_bounded_in_depth_and_number() {
    let names: Vec<(String, String)> = (0..1000)
        .map(|level| {
            (format!("b{level}/kustomization.yaml"), format!("resources: [../b{}]\n", level + 1))
        })
        .collect();
    let mut files: Vec<(&str, Vec<u8>)> =
        names.iter().map(|(path, text)| (path.as_str(), text.clone().into_bytes())).collect();
    files.push(("kustomization.yaml", b"resources: [b0]".to_vec()));
    let error = outcome("1,000 bases in a row", &files).unwrap_err();
    assert!(
        error.contains("kustomizations build on one another more than 64 levels deep"),
        "{error}"
    );
    assert!(error.contains("kustomization.yaml:1 → b0/kustomization.yaml:1 → "), "{error}");

    let names: Vec<(String, String)> = (0..40)
        .map(|level| {
            let next = level + 1;
            (
                format!("b{level}/kustomization.yaml"),
                format!("resources: [../b{next}, ../c{next}]\n"),
            )
        })
        .flat_map(|(path, text)| {
            let twin = path.replacen('b', "c", 1);
            [(path, format!("{text}namePrefix: b\n")), (twin, format!("{text}namePrefix: c\n"))]
        })
        .collect();
    let mut files: Vec<(&str, Vec<u8>)> =
        names.iter().map(|(path, text)| (path.as_str(), text.clone().into_bytes())).collect();
    files.push(("kustomization.yaml", b"resources: [b0]".to_vec()));
    let error = outcome("bases that double forty times", &files).unwrap_err();
    assert!(error.contains("the build has more than 20000 kustomizations"), "{error}");
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(error.contains(" → … "), "{error}");
}

#[test]
fn broken_files_are_refused_with_their_place() {
    let mut bytes = format!("{MAP}data:\n  k: ").into_bytes();
    bytes.extend([0xff, 0xfe]);
    assert_eq!(manifest("invalid UTF-8", bytes), format!("a.yaml:5:6: invalid UTF-8{CHAIN}"));
    let tab = manifest("a tab", format!("{MAP}data:\n\tk: v\n"));
    assert!(tab.starts_with("a.yaml:5:1: found character that cannot start any token"), "{tab}");
    let files = [("kustomization.yaml", b"resources:\n\t- a.yaml\n".to_vec())];
    assert!(outcome("a tab", &files).unwrap_err().starts_with("kustomization.yaml:2:1: "));
    let control = manifest("a control character", format!("{MAP}data: {{k: \"\u{1}\"}}\n"));
    assert!(control.starts_with("a.yaml:4:12: control characters"), "{control}");
}
