//! `Reach` against what builds of real repositories really read.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // tests over real files
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod disk;

use gitops_kustomize::{LoadRestrictor, Options, Reach, build};
use gitops_tree::{Memory, Reading, Recorded, Tree, TreePath};

fn path(text: &str) -> TreePath {
    TreePath::new(text).unwrap()
}

fn tree(files: &[(&str, &str)]) -> Memory {
    let mut tree = Memory::new();
    for (name, text) in files {
        tree.insert(path(name), text.as_bytes().to_vec());
    }
    tree
}

fn readers(tree: &dyn Tree, directories: &[&str], changed: &str) -> Vec<String> {
    let reach = Reach::of(tree, directories.iter().map(|name| path(name)).collect());
    reach.readers(&[path(changed)]).into_iter().map(ToString::to_string).collect()
}

/// No build reads a file, a name in a directory or an absent path that its
/// directory is not a reader of.
#[test]
fn no_real_build_reads_more_than_it_says() {
    let Some(folder) = disk::shared("repos") else { return };
    let (mut read, mut answers, mut pairs) = (0, 0, 0);
    for repository in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
        if !repository.is_dir() {
            continue;
        }
        let tree = disk::load(&repository);
        let directories = disk::kustomizations(&repository);
        let reach = Reach::of(&tree, directories.clone());
        for load_restrictor in [LoadRestrictor::RootOnly, LoadRestrictor::None] {
            let options = Options { load_restrictor, ..Options::default() };
            for directory in &directories {
                let recorded = Recorded::new(&tree);
                // What a build that fails has read counts, too.
                let _ = build(&recorded, directory, &options);
                for reading in recorded.into_readings() {
                    let changed = match reading {
                        Reading::Path(path) => path,
                        Reading::List(listed) => listed.join("something-new").unwrap(),
                    };
                    read += 1;
                    assert!(
                        changed.is_root()
                            || reach.readers(std::slice::from_ref(&changed)).contains(&directory),
                        "{}: {directory} reads {changed}",
                        repository.display()
                    );
                }
            }
        }
        for changed in tree.paths() {
            answers += reach.readers(std::slice::from_ref(changed)).len();
            pairs += directories.len();
        }
    }
    eprintln!("{read} readings are known; of {pairs} pairs of file and directory {answers} remain");
    assert!(read > 10_000, "{read} readings");
    // Saying yes to everything would be right, and of no use.
    assert!(answers * 10 < pairs, "{answers} of {pairs}");
}

#[test]
fn a_change_concerns_those_who_name_it() {
    let files = [
        ("base/web/kustomization.yaml", "resources: [deployment.yaml, ../shared]\n"),
        ("base/web/deployment.yaml", ""),
        ("base/shared/kustomization.yaml", "resources: [a.yaml]\n"),
        ("base/shared/a.yaml", ""),
        ("env/dev/web/kustomization.yaml", "resources: [../../../base/web]\n"),
        ("env/prod/web/kustomization.yaml", "bases:\n- ../../../base/web\n"),
        ("env/prod/api/kustomization.yml", "patches: [{path: ../patch.yaml}]\n"),
        ("env/prod/patch.yaml", ""),
        ("env/prod/map/Kustomization", "configMapGenerator: [{files: [a=../text.txt, b.txt]}]\n"),
    ];
    let tree = tree(&files);
    let all = ["env/dev/web", "env/prod/web", "env/prod/api", "env/prod/map"];
    let readers = |changed| readers(&tree, &all, changed);
    assert_eq!(readers("base/web/deployment.yaml"), ["env/dev/web", "env/prod/web"]);
    assert_eq!(readers("base/shared/a.yaml"), ["env/dev/web", "env/prod/web"]);
    assert_eq!(readers("env/prod/web/kustomization.yaml"), ["env/prod/web"]);
    assert_eq!(readers("env/prod/patch.yaml"), ["env/prod/api"]);
    // Absent now, and read once it is there.
    assert_eq!(readers("env/prod/text.txt"), ["env/prod/map"]);
    assert_eq!(readers("env/prod/web-2/x.yaml"), Vec::<String>::new());
    // A file in place of a directory.
    assert_eq!(readers("env/prod"), ["env/prod/web", "env/prod/api", "env/prod/map"]);
}

#[test]
fn what_cannot_tell_may_read_anything() {
    for (name, text) in [
        ("a/kustomization.yaml", "resources: [\n"),
        ("a/kustomization.yaml", "generators: [g.yaml]\n"),
        ("a/kustomization.yaml", "Transformers: [g.yaml]\n"),
        ("a/kustomization.yaml", "validators:\n- |-\n  kind: X\n"),
        ("a/manifest.yaml", "kind: ConfigMap\n"),
    ] {
        assert_eq!(readers(&tree(&[(name, text)]), &["a"], "b/c"), ["a"], "{text}");
    }
    let mut linked = tree(&[("a/kustomization.yaml", "resources: [../link/x]\n")]);
    linked.insert_link(path("link"), "b");
    assert_eq!(readers(&linked, &["a"], "b/x/c"), ["a"]);
    let mut inner = tree(&[("a/kustomization.yaml", "resources: [sub/x.yaml]\n")]);
    inner.insert_link(path("a/sub"), "../b");
    assert_eq!(readers(&inner, &["a"], "b/x.yaml"), ["a"]);
    let mut base = tree(&[("a/kustomization.yaml", "resources: [../b]\n")]);
    base.insert(path("b/kustomization.yaml"), b"generators: [g.yaml]\n".to_vec());
    assert_eq!(readers(&base, &["a"], "c/d"), ["a"]);
}

#[test]
fn circles_and_ways_out_of_the_tree_end() {
    let tree = tree(&[
        ("a/kustomization.yaml", "resources: [../b, ../../../x]\n"),
        ("b/kustomization.yaml", "resources: [../a]\n"),
    ]);
    assert_eq!(readers(&tree, &["a", "b"], "b/x"), ["a", "b"]);
    assert_eq!(readers(&tree, &["a", "b"], "c/x"), Vec::<String>::new());
}
