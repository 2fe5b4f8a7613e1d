//! An overlay answers as the tree would after the edits.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use gitops_tree::{EntryKind, Memo, Memory, Overlay, Reading, Recorded, Tree, TreeError, TreePath};
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

/// The texts of the files below `dir`, but nothing where it has no `a.yaml`: a
/// function whose questions depend on the answers.
fn gather(tree: &dyn Tree, dir: &TreePath) -> Result<Vec<u8>, TreeError> {
    let mut found = Vec::new();
    if tree.kind(&dir.join("a.yaml").unwrap())?.is_none() {
        return Ok(found);
    }
    for entry in tree.list(dir)? {
        let path = dir.join(&entry.name).unwrap();
        match entry.kind {
            EntryKind::Directory => found.extend(gather(tree, &path)?),
            _ => found.extend_from_slice(&tree.read(&path)?),
        }
    }
    Ok(found)
}

proptest! {
    /// What is shared is what would have been made, whatever was edited.
    #[test]
    fn incremental_equals_full(
        base in prop::collection::btree_map(any_path(), any::<u8>(), 0..8),
        steps in prop::collection::vec(
            prop::collection::btree_map(any_path(), prop::option::of(0..3_u8), 0..3), 1..6),
    ) {
        let memo: Memo<TreePath, Vec<u8>> = Memo::default();
        let mut files = base;
        let mut asked = 0;
        for edits in &steps {
            let mut before = Memory::new();
            for (name, byte) in &files {
                before.insert(path(name), vec![*byte]);
            }
            let mut overlay = Overlay::new(&before);
            for (name, edit) in edits {
                match edit {
                    Some(byte) => { overlay.write(path(name), vec![*byte]); files.insert(name.clone(), *byte); }
                    None => { overlay.remove(path(name)); files.remove(name); }
                }
            }
            for tree in [&before as &dyn Tree, &overlay] {
                for dir in ["", "x", "y", "x/p", "y/q"] {
                    let full = gather(tree, &path(dir));
                    let made = memo.get(path(dir), tree, |tree| gather(tree, &path(dir)), |error| error);
                    asked += usize::from(made.is_ok());
                    prop_assert_eq!(made.map(|kept| (*kept.value).clone()), full);
                }
            }
        }
        prop_assert_eq!(memo.made() + memo.shared(), asked);
        // Of two trees that are equal, the second is never read anew.
        let made = memo.made();
        let mut same = Memory::new();
        for (name, byte) in &files {
            same.insert(path(name), vec![*byte]);
        }
        for dir in ["", "x", "y", "x/p", "y/q"] {
            let first = memo.get(path(dir), &same, |tree| gather(tree, &path(dir)), |error| error);
            let again = memo.made();
            if first.is_ok() {
                prop_assert!(memo.get(path(dir), &same, |_| Err(()), |_| ()).is_ok());
            }
            prop_assert!(again <= made + 5 && memo.made() == again);
        }
    }

    /// An overlay answers for what it did not touch by its base, and alike.
    #[test]
    fn answers_of_an_overlay_are_those_of_the_edited_tree(
        base in prop::collection::btree_map(any_path(), any::<u8>(), 0..8),
        edits in prop::collection::btree_map(any_path(), prop::option::of(any::<u8>()), 0..4),
    ) {
        let mut memory = Memory::new();
        let mut expected = Memory::new();
        for (name, byte) in &base {
            memory.insert(path(name), vec![*byte]);
            if !edits.contains_key(name) {
                expected.insert(path(name), vec![*byte]);
            }
        }
        let mut overlay = Overlay::new(&memory);
        for (name, edit) in &edits {
            match edit {
                Some(byte) => {
                    overlay.write(path(name), vec![*byte]);
                    expected.insert(path(name), vec![*byte]);
                }
                None => overlay.remove(path(name)),
            }
        }
        let dirs = ["", "x", "y", "x/p", "y/q"].map(str::to_owned);
        for name in base.keys().chain(edits.keys()).chain(&dirs) {
            for reading in [Reading::Path(path(name)), Reading::List(path(name))] {
                prop_assert_eq!(overlay.answer(&reading), expected.answer(&reading), "{:?}", reading);
            }
        }
    }
}

#[test]
fn an_overlay_knows_links_and_what_may_be_run() {
    let path = |text| TreePath::new(text).unwrap();
    let mut memory = Memory::new();
    memory.insert_executable(path("run"), *b"old");
    memory.insert(path("plain"), *b"old");
    let mut overlay = Overlay::new(&memory);
    overlay.write(path("run"), *b"new");
    overlay.write_file(path("plain"), *b"new", true);
    overlay.write_link(path("bin/link"), "../run");
    assert!(overlay.executable(&path("run")).unwrap());
    assert!(overlay.executable(&path("plain")).unwrap());
    assert_eq!(overlay.kind(&path("bin/link")), Ok(Some(EntryKind::Link)));
    assert_eq!(overlay.link(&path("bin/link")).unwrap(), "../run");
    assert!(overlay.read(&path("bin/link")).is_err());
    assert!(overlay.executable(&path("bin/link")).is_err());
    assert_eq!(overlay.list(&path("bin")).unwrap()[0].kind, EntryKind::Link);
    overlay.write_file(path("run"), *b"new", false);
    assert!(!overlay.executable(&path("run")).unwrap());
}
