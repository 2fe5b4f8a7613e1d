//! Edits change their target and nothing else.
#![allow(clippy::unwrap_used)]

use gitops_yaml::splice::{Splice, SpliceError, apply, insert_entry, set_string};
use gitops_yaml::{FileId, Node, read};

fn roots(text: &str) -> Vec<Node> {
    read(FileId(0), text.as_bytes()).unwrap().into_iter().filter_map(|d| d.root).collect()
}

fn at(text: &str, pointer: &str) -> Node {
    roots(text).iter().find_map(|root| root.pointer(pointer)).unwrap().clone()
}

fn set(text: &str, pointer: &str, new: &str) -> Result<String, SpliceError> {
    set_string(text.as_bytes(), &at(text, pointer).mark, new)
        .map(|bytes| String::from_utf8(bytes).unwrap())
}

fn insert(text: &str, pointer: &str, key: &str, value: &str) -> Result<String, SpliceError> {
    insert_entry(text.as_bytes(), &at(text, pointer), key, value)
        .map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn apply_orders_and_refuses() {
    let splice = |range, with: &str| Splice { range, with: with.as_bytes().to_vec() };
    let edit = |splices| apply(b"abcdef", splices);
    assert_eq!(
        edit(vec![splice(4..5, "X"), splice(0..1, ""), splice(2..2, "--")]).unwrap(),
        b"b--cdXf"
    );
    assert_eq!(edit(vec![splice(6..6, "1"), splice(6..6, "2")]).unwrap(), b"abcdef12");
    assert_eq!(edit(vec![splice(0..3, ""), splice(2..4, "")]), Err(SpliceError::Overlap { at: 2 }));
    assert_eq!(edit(vec![splice(5..7, "")]), Err(SpliceError::OutOfRange { start: 5, end: 7 }));
    let (start, end) = (3, 2);
    assert_eq!(edit(vec![splice(start..end, "")]), Err(SpliceError::OutOfRange { start, end }));
}

#[test]
fn strings_are_set_in_place() {
    let cases = [
        ("a: 1.0 # keep\nb: c\n", "/a", "1.1.0", "a: 1.1.0 # keep\nb: c\n"),
        ("a: 1.0.0\n", "/a", "1.10", "a: \"1.10\"\n"),
        ("a:   'x'\r\nb: c\r\n", "/a", "it's", "a:   'it''s'\r\nb: c\r\n"),
        ("\u{feff}a: \"x\"\n", "/a", "y", "\u{feff}a: \"y\"\n"),
        ("a: x\n---\nb: {c: x, d: x}\n", "/b/c", "true", "a: x\n---\nb: {c: \"true\", d: x}\n"),
        ("a:\nb: c\n", "/a", "x", "a: x\nb: c\n"),
        ("a:\n- \n- b\n", "/a/0", "x", "a:\n- x \n- b\n"),
        ("a: &x one\nb: c\n", "/a", "two", "a: &x two\nb: c\n"),
        ("a: &x one\nb: *x\n", "/b", "two", "a: &x one\nb: two\n"),
        ("a: |\n  one\n  two\n\nb: c\n", "/a", "three", "a: three\n\nb: c\n"),
        ("a: >-\n  one", "/a", "three", "a: three"),
        ("{\"a\": \"b\"}", "/a", "c\u{85}😀\n", "{\"a\": \"c\\u0085😀\\n\"}"),
        ("a: one\n two\n", "/a", "x", "a: x\n"),
        ("é: {ü: x}", "/é/ü", "ö", "é: {ü: ö}"),
        ("a: !!str 12\n", "/a", "13.0.0", "a: !!str 13.0.0\n"),
    ];
    for (text, pointer, new, expected) in cases {
        assert_eq!(set(text, pointer, new).as_deref(), Ok(expected), "{text:?}");
    }
}

#[test]
fn edits_that_spread_are_refused() {
    for (text, pointer) in [
        ("a: &x one\nb: *x\n", "/a"),
        ("a: &x {k: one}\nb: *x\n", "/b/k"),
        ("a: &x {k: one}\nb: {<<: *x}\n", "/a/k"),
    ] {
        assert!(matches!(set(text, pointer, "two"), Err(SpliceError::Spreads { .. })), "{text}");
    }
    let text = "a: !!int 12\n";
    assert!(matches!(set(text, "/a", "x"), Err(SpliceError::Read(_))));
    let elsewhere = at("aaaaaa: b\n", "/aaaaaa").mark;
    let found = set_string(b"a: b\n", &elsewhere, "c");
    assert_eq!(found, Err(SpliceError::NotFound { line: 1, column: 9 }));
    assert!(matches!(set("a: {b: c}\n", "/a", "x"), Err(SpliceError::NotFound { .. })));
}

#[test]
fn entries_are_added_at_the_end() {
    let cases = [
        (
            "images:\n- name: a\n  newName: b # why\n- name: c\n",
            "/images/0",
            "images:\n- name: a\n  newName: b # why\n  newTag: v1\n- name: c\n",
        ),
        ("images:\n  - name: a", "/images/0", "images:\n  - name: a\n    newTag: v1"),
        ("images:\r\n- name: a\r\n", "/images/0", "images:\r\n- name: a\r\n  newTag: v1\r\n"),
        ("images:\n- {name: a}\n", "/images/0", "images:\n- {name: a, newTag: v1}\n"),
        ("images:\n- { name: a } # x\n", "/images/0", "images:\n- { name: a, newTag: v1 } # x\n"),
        ("a: {}\n", "/a", "a: {newTag: v1}\n"),
        ("{\"a\": {\"b\": [1]}}", "/a", "{\"a\": {\"b\": [1], \"newTag\": \"v1\"}}"),
        ("a:\n  b: |\n    x\n\n\nc: d\n", "/a", "a:\n  b: |\n    x\n  newTag: v1\n\n\nc: d\n"),
        ("a:\n  b: |+\n    x\n\nc: d\n", "/a", "a:\n  b: |+\n    x\n\n  newTag: v1\nc: d\n"),
        ("a:\n  b: |\n    x", "/a", "a:\n  b: |\n    x\n  newTag: v1"),
        ("a:\n  b:\nc: d\n", "/a", "a:\n  b:\n  newTag: v1\nc: d\n"),
        ("a: &x\n  b: c\n", "/a", "a: &x\n  b: c\n  newTag: v1\n"),
        ("a: {b: c,\n    d: e\n  }\n", "/a", "a: {b: c,\n    d: e,\n    newTag: v1\n  }\n"),
        ("a: {b: c,}\n", "/a", "a: {b: c, newTag: v1,}\n"),
        ("a:\n  b:\n    c: d\n  # end\n", "/a", "a:\n  b:\n    c: d\n  newTag: v1\n  # end\n"),
        ("\u{feff}a: b\n", "", "\u{feff}a: b\nnewTag: v1\n"),
        ("\"a\": 'b'\n", "", "\"a\": 'b'\n\"newTag\": \"v1\"\n"),
    ];
    for (text, pointer, expected) in cases {
        // `|` at the end of the file without a line break gains one: no edit
        // may do that unseen.
        let found = insert(text, pointer, "newTag", "v1");
        if text.ends_with("|\n    x") {
            assert!(matches!(found, Err(SpliceError::Spreads { .. })), "{found:?}");
        } else {
            assert_eq!(found.as_deref(), Ok(expected), "{text:?}");
        }
    }
    assert!(insert("a: b\n", "", "c", "1.0").unwrap().ends_with("c: \"1.0\"\n"));
    let exists = SpliceError::KeyExists { key: "newTag".to_owned(), line: 2 };
    assert_eq!(insert("a: b\nnewTag: x\n", "", "newTag", "y"), Err(exists));
    for (text, pointer) in [
        ("a: &x {b: c}\nd: *x\n", "/a"),
        ("a: &x {b: c}\nd: *x\n", "/d"),
        ("a: [b: c]\n", "/a/0"),
        ("- a\n", ""),
    ] {
        assert!(insert(text, pointer, "k", "v").is_err(), "{text}");
    }
}

#[test]
fn blanks_of_other_scripts_belong_to_a_block() {
    let text = "- |2-\n\n  \u{a0}\n- b\n";
    let edited = set_string(text.as_bytes(), &at(text, "/0").mark, "").unwrap();
    assert_eq!(String::from_utf8(edited).unwrap(), "- \"\"\n- b\n");
}
