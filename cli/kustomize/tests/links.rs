//! Symbolic links and the load restrictor: each case in memory and, where it is
//! named, by kustomize on the disk.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // tests over real files
#![allow(clippy::unwrap_used)]

mod peer;

use gitops_kustomize::{LoadRestrictor, Options, build};
use gitops_tree::{Memory, TreePath};

/// What a case is expected to do; kustomize must agree but where it may leave
/// the tree and we may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Builds,
    Fails,
    /// Only we refuse: it leaves the tree.
    Refused,
}

use Outcome::{Builds, Fails, Refused};

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";

/// A file and its text, or a link and its target after `->`.
type Files = &'static [(&'static str, &'static str)];

/// Name, files, and what happens under `LoadRestrictionsRootOnly` and `None`.
/// `app` is built; the tree is the folder `tree`.
const CASES: &[(&str, Files, Outcome, Outcome)] = &[
    (
        "a link to a file beside it",
        &[
            ("app/kustomization.yaml", "resources: [a.yaml]"),
            ("app/a.yaml", "->real.yaml"),
            ("app/real.yaml", MAP),
        ],
        Builds,
        Builds,
    ),
    (
        "a link to a file outside of the folder",
        &[
            ("app/kustomization.yaml", "resources: [a.yaml]"),
            ("app/a.yaml", "->../other/a.yaml"),
            ("other/a.yaml", MAP),
        ],
        Fails,
        Builds,
    ),
    (
        "a link out of the folder and back",
        &[
            ("app/kustomization.yaml", "resources: [a.yaml]"),
            ("app/a.yaml", "->../app/real.yaml"),
            ("app/real.yaml", MAP),
        ],
        Builds,
        Builds,
    ),
    (
        "a chain of links",
        &[
            ("app/kustomization.yaml", "resources: [a.yaml]"),
            ("app/a.yaml", "->b.yaml"),
            ("app/b.yaml", "->x/c.yaml"),
            ("app/x/c.yaml", "->../real.yaml"),
            ("app/real.yaml", MAP),
        ],
        Builds,
        Builds,
    ),
    (
        "a circle of links",
        &[
            ("app/kustomization.yaml", "resources: [a.yaml]"),
            ("app/a.yaml", "->b.yaml"),
            ("app/b.yaml", "->a.yaml"),
        ],
        Fails,
        Fails,
    ),
    (
        "a link to nothing",
        &[("app/kustomization.yaml", "resources: [a.yaml]"), ("app/a.yaml", "->gone.yaml")],
        Fails,
        Fails,
    ),
    (
        "a link in the middle of a path",
        &[
            ("app/kustomization.yaml", "resources: [x/y/a.yaml]"),
            ("app/x", "->deep/er"),
            ("app/deep/er/y/a.yaml", MAP),
        ],
        Builds,
        Builds,
    ),
    (
        "a link in the middle of a path leads out of the folder",
        &[
            ("app/kustomization.yaml", "resources: [x/a.yaml]"),
            ("app/x", "->../other"),
            ("other/a.yaml", MAP),
        ],
        Fails,
        Builds,
    ),
    (
        "`..` after a link is worked out before the link is followed",
        &[
            ("app/kustomization.yaml", "resources: [x/../a.yaml]"),
            ("app/x", "->../other/deep"),
            ("other/deep/b.yaml", MAP),
            ("app/a.yaml", MAP),
        ],
        Builds,
        Builds,
    ),
    (
        "`..` in a target is worked out after the link is followed",
        &[
            ("app/kustomization.yaml", "resources: [a.yaml]"),
            ("app/a.yaml", "->x/../b.yaml"),
            ("app/x", "->deep/er"),
            ("app/deep/er/c.yaml", MAP),
            ("app/deep/b.yaml", MAP),
        ],
        Builds,
        Builds,
    ),
    (
        "a link to a base",
        &[
            ("app/kustomization.yaml", "resources: [base]"),
            ("app/base", "->../base"),
            ("base/kustomization.yaml", "resources: [a.yaml]"),
            ("base/a.yaml", MAP),
        ],
        Builds,
        Builds,
    ),
    (
        "a base through a link is the base itself: no file beside the link",
        &[
            ("app/kustomization.yaml", "resources: [base]"),
            ("app/base", "->../real/base"),
            ("real/base/kustomization.yaml", "resources: [../beside]"),
            ("app/beside/kustomization.yaml", "resources: [a.yaml]"),
            ("app/beside/a.yaml", MAP),
        ],
        Fails,
        Fails,
    ),
    (
        "a link to the folder itself closes a cycle",
        &[("app/kustomization.yaml", "resources: [self]"), ("app/self", "->../app")],
        Fails,
        Fails,
    ),
    (
        "the folder to build is a link",
        &[
            ("app", "->real"),
            ("real/kustomization.yaml", "resources: [a.yaml]"),
            ("real/a.yaml", MAP),
        ],
        Builds,
        Builds,
    ),
    (
        "the kustomization is a link within the folder",
        &[
            ("app/kustomization.yaml", "->k/k.yaml"),
            ("app/k/k.yaml", "resources: [a.yaml]"),
            ("app/a.yaml", MAP),
        ],
        Builds,
        Builds,
    ),
    (
        "the kustomization is a link to one in another folder",
        &[
            ("app/kustomization.yaml", "->../other/kustomization.yaml"),
            ("other/kustomization.yaml", "resources: [a.yaml]"),
            ("app/a.yaml", MAP),
        ],
        Fails,
        Builds,
    ),
    (
        "another name counts where the kustomization may not be read",
        &[
            ("app/kustomization.yaml", "->../other/kustomization.yaml"),
            ("other/kustomization.yaml", "resources: [gone.yaml]"),
            ("app/Kustomization", "resources: [a.yaml]"),
            ("app/a.yaml", MAP),
        ],
        Builds,
        Fails,
    ),
    (
        "a patch and a generator's file behind links",
        &[
            (
                "app/kustomization.yaml",
                "resources: [a.yaml]\npatches: [{path: p.yaml}]\nconfigMapGenerator: [{name: g, files: [k.txt]}]",
            ),
            ("app/a.yaml", MAP),
            ("app/p.yaml", "->in/p.yaml"),
            ("app/in/p.yaml", MAP),
            ("app/k.txt", "->in/k.txt"),
            ("app/in/k.txt", "v"),
        ],
        Builds,
        Builds,
    ),
    (
        "a generator's file behind a link out of the folder",
        &[
            ("app/kustomization.yaml", "configMapGenerator: [{name: g, files: [k.txt]}]"),
            ("app/k.txt", "->../k.txt"),
            ("k.txt", "v"),
        ],
        Fails,
        Builds,
    ),
    (
        "a link out of the tree",
        &[
            ("app/kustomization.yaml", "resources: [a.yaml]"),
            ("app/a.yaml", "->../../outside.yaml"),
        ],
        Fails,
        Refused,
    ),
    (
        "a path out of the tree",
        &[("app/kustomization.yaml", "resources: [../../outside.yaml]")],
        Fails,
        Refused,
    ),
    (
        "a link out of the tree to a base",
        &[("app/kustomization.yaml", "resources: [base]"), ("app/base", "->../../base")],
        Refused,
        Refused,
    ),
    (
        "a file of the parent folder",
        &[("app/kustomization.yaml", "resources: [../a.yaml]"), ("a.yaml", MAP)],
        Fails,
        Builds,
    ),
    (
        "a file whose folder begins as the root is called",
        &[("app/kustomization.yaml", "resources: [../app2/a.yaml]"), ("app2/a.yaml", MAP)],
        Fails,
        Builds,
    ),
];

#[test]
fn links_are_resolved_as_kustomize_resolves_them() {
    let peer = peer::kustomize();
    for (name, files, strict, free) in CASES {
        let mut tree = Memory::new();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("tree");
        std::fs::write(folder.path().join("outside.yaml"), MAP).unwrap_or_default();
        std::fs::create_dir_all(folder.path().join("base")).unwrap();
        std::fs::write(folder.path().join("base/kustomization.yaml"), "resources: [a.yaml]")
            .unwrap();
        std::fs::write(folder.path().join("base/a.yaml"), MAP).unwrap();
        for (path, text) in *files {
            let at = root.join(path);
            std::fs::create_dir_all(at.parent().unwrap()).unwrap();
            let path = TreePath::new(path).unwrap();
            match text.strip_prefix("->") {
                Some(target) => {
                    std::os::unix::fs::symlink(target, at).unwrap();
                    tree.insert_link(path, target);
                }
                None => {
                    std::fs::write(at, text).unwrap();
                    tree.insert(path, text.as_bytes().to_vec());
                }
            }
        }
        for (restrictor, argument, expected) in [
            (LoadRestrictor::RootOnly, "LoadRestrictionsRootOnly", strict),
            (LoadRestrictor::None, "LoadRestrictionsNone", free),
        ] {
            let options = Options { load_restrictor: restrictor, ..Options::default() };
            let ours = build(&tree, &TreePath::new("app").unwrap(), &options);
            let ours = ours.map(|built| built.to_yaml()).map_err(|errors| errors.to_string());
            assert_eq!(ours.is_ok(), *expected == Builds, "{name}, {argument}: {ours:?}");
            let Some(kustomize) = &peer else { continue };
            let arguments = ["--load-restrictor", argument];
            let theirs = peer::build(kustomize, &root.join("app"), &arguments);
            match expected {
                Builds => assert_eq!(ours, theirs, "{name}, {argument}"),
                Fails => assert!(theirs.is_err(), "{name}, {argument}: {theirs:?}"),
                Refused => assert!(theirs.is_ok(), "{name}, {argument}: {theirs:?}"),
            }
        }
    }
}

#[test]
fn what_a_link_does_wrong_is_said() {
    let message = |links: &[(&str, &str)]| {
        let mut tree = Memory::new();
        let path = |text| TreePath::new(text).unwrap();
        tree.insert(path("app/kustomization.yaml"), &b"resources: [a.yaml]"[..]);
        tree.insert(path("other/a.yaml"), MAP.as_bytes());
        for (link, target) in links {
            tree.insert_link(path(link), *target);
        }
        build(&tree, &path("app"), &Options::default()).err().unwrap().to_string()
    };
    assert_eq!(
        message(&[("app/a.yaml", "../../etc/passwd")]),
        "app/kustomization.yaml:1:13: `a.yaml` goes through the link `app/a.yaml`, which leads to `../../etc/passwd`, out of the repository; make it lead to a file in it"
    );
    assert_eq!(
        message(&[("app/a.yaml", "/etc/passwd")]),
        "app/kustomization.yaml:1:13: `a.yaml` goes through the link `app/a.yaml`, which leads to `/etc/passwd`, out of the repository; make it lead to a file in it"
    );
    assert_eq!(
        message(&[("app/a.yaml", "a.yaml")]),
        "app/kustomization.yaml:1:13: `a.yaml` goes through too many symbolic links"
    );
    assert_eq!(
        message(&[("app/a.yaml", "../other/a.yaml")]),
        "app/kustomization.yaml:1:13: `a.yaml` is the link to `other/a.yaml`, which is not in or below `app`; move the file there, or build with `--load-restrictor LoadRestrictionsNone`"
    );
}
