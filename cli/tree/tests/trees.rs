//! An overlay answers as the tree would after the edits.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use gitops_tree::{Memory, Overlay, Reading, Recorded, Tree, TreePath};
use proptest::prelude::*;

fn path(text: &str) -> TreePath {
    TreePath::new(text).unwrap()
}

/// Paths over a few names at two depths, so that edits meet files.
fn any_path() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]".prop_map(|file| format!("{file}.yaml")),
        ("[xy]", "[ab]").prop_map(|(dir, file)| format!("{dir}/{file}.yaml")),
        ("[xy]", "[pq]", "[ab]").prop_map(|(a, b, file)| format!("{a}/{b}/{file}.yaml")),
    ]
}

proptest! {
    #[test]
    fn overlay_equals_the_edited_tree(
        base in prop::collection::btree_map(any_path(), any::<u8>(), 0..8),
        edits in prop::collection::btree_map(any_path(), prop::option::of(any::<u8>()), 0..6),
    ) {
        let mut memory = Memory::new();
        for (name, byte) in &base {
            memory.insert(path(name), vec![*byte]);
        }
        let mut overlay = Overlay::new(&memory);
        let mut wanted: BTreeMap<String, u8> = base.clone();
        for (name, edit) in &edits {
            match edit {
                Some(byte) => {
                    overlay.write(path(name), vec![*byte]);
                    wanted.insert(name.clone(), *byte);
                }
                None => {
                    overlay.remove(path(name));
                    wanted.remove(name);
                }
            }
        }
        let mut expected = Memory::new();
        for (name, byte) in &wanted {
            expected.insert(path(name), vec![*byte]);
        }
        for dir in ["", "x", "y", "x/p", "x/q", "y/p", "y/q"] {
            prop_assert_eq!(overlay.list(&path(dir)).ok(), expected.list(&path(dir)).ok(), "{}", dir);
            prop_assert_eq!(overlay.kind(&path(dir)), expected.kind(&path(dir)), "{}", dir);
        }
        for name in base.keys().chain(edits.keys()) {
            prop_assert_eq!(overlay.read(&path(name)), expected.read(&path(name)));
        }
    }

    #[test]
    fn joined_paths_are_normal(dir in "([ab]/){0,3}[ab]?", rest in "(\\.\\./|\\./|[ab]/){0,5}[ab]?") {
        if let Ok(joined) = path(&dir).join(&rest) {
            prop_assert_eq!(TreePath::new(joined.as_str()).unwrap(), joined.clone());
            prop_assert!(joined.names().all(|name| name != ".." && name != "."));
        }
    }
}

#[test]
fn a_recorded_tree_remembers_what_was_absent() {
    let memory = Memory::new();
    let recorded = Recorded::new(&memory);
    assert!(recorded.read(&path("a/b.yaml")).is_err());
    assert!(recorded.list(&path("c")).is_err());
    let readings = recorded.into_readings();
    assert!(readings.contains(&Reading::Path(path("a/b.yaml"))));
    assert!(readings.iter().any(|reading| reading.depends_on(&path("c/new.yaml"))));
    assert!(!readings.iter().any(|reading| reading.depends_on(&path("d"))));
}

#[test]
fn a_path_never_leaves_the_tree() {
    assert!(path("a").join("../..").is_err());
    assert!(path("a").join("/etc").is_err());
    assert_eq!(path("a/b").join("../c").unwrap(), path("a/c"));
    assert!(!path("ab").is_within(&path("a")));
    assert!(path("a/b").is_within(&path("a")));
}
