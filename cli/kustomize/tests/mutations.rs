//! Damaged input is refused or built, but never panics.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // tests over real files
#![allow(clippy::unwrap_used)]

mod disk;

use std::path::Path;

use gitops_kustomize::{Options, build};
use gitops_tree::{Memory, Tree, TreePath};
use proptest::prelude::*;

/// The inputs of a case, and the folder to build.
fn case(name: &str) -> (Memory, TreePath) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name);
    let dir = std::fs::read_to_string(folder.join("build")).unwrap_or_default();
    (disk::load(&folder.join("input")), TreePath::new(dir.trim()).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_never_panics(
        name in prop::sample::select(vec!["overlay", "patches", "generators", "names", "components"]),
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        length in 0usize..12,
        put in prop::sample::select(vec![
            "", "null", "[]", "{}", "- ", ": ", "\n", "'", "*a", "&a ", "$patch: delete", "-1", "99",
            "/", "..", "metadata", "$(SERVICE)", "[name=(]", "{{", "?", "\t", "~1", "List",
        ]),
    ) {
        let (mut tree, dir) = case(name);
        let paths: Vec<TreePath> = tree.paths().cloned().collect();
        let path = paths[file.index(paths.len())].clone();
        let text = String::from_utf8(tree.read(&path).unwrap().to_vec()).unwrap();
        let start = at.index(text.len());
        let end = (start + length).min(text.len());
        let damaged = format!("{}{put}{}", &text[..start], &text[end..]);
        tree.insert(path, damaged.into_bytes());
        if let Ok(rendered) = build(&tree, &dir, &Options::default()) {
            // What builds is printed and read back as the same number of objects.
            let printed = rendered.to_yaml();
            let read = gitops_yaml::read(gitops_yaml::FileId::NONE, printed.as_bytes());
            prop_assert!(read.is_ok(), "{:?}\n{printed}", read.err());
            prop_assert_eq!(read.unwrap().len(), rendered.resources.len());
        }
    }
}
