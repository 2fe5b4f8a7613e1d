//! What is read, and what is refused with which words.
#![allow(clippy::unwrap_used)]

use gitops_yaml::{Dialect, FileId, Node, read, read_as};
use serde_json::{Value as Json, json};

fn roots(text: &str) -> Vec<Node> {
    let documents = read(FileId(0), text.as_bytes()).unwrap_or_else(|e| panic!("{text:?}: {e}"));
    documents.into_iter().filter_map(|document| document.root).collect()
}

fn value(text: &str) -> Json {
    roots(text)[0].to_json().unwrap()
}

fn error(bytes: &[u8]) -> String {
    read(FileId(0), bytes).unwrap_err().to_string()
}

#[test]
fn values() {
    let cases = [
        (
            "a: yes\nb: 0777\nc: 1:30\nd: 0o14\ne: 1_000\nf: 0b11\ng: 0x1F\nh: ~\ni: on\n",
            json!({"a": "yes", "b": 511, "c": "1:30", "d": 12, "e": 1000, "f": 3, "g": 31, "h": null, "i": "on"}),
        ),
        ("a: 2024-01-01\n", json!({"a": "2024-01-01T00:00:00Z"})),
        ("a: b\r\nc: |\r\n  x\r\n  y\r\n", json!({"a": "b", "c": "x\ny\n"})),
        ("\u{feff}a: b", json!({"a": "b"})),
        (
            "a: !!str 1\nb: !!int \"3\"\nc: !!float 3\nd: !!binary aGk=\ne: !x 1\nf: ! 1\n",
            json!({"a": "1", "b": 3, "c": 3, "d": "hi", "e": "1", "f": 1}),
        ),
        ("a: !<tag:yaml.org,2002:str> 1\n", json!({"a": "1"})),
        ("a: !!binary /w==\n", json!({"a": "\u{fffd}"})),
        ("a: 1e3\nb: .5\nc: 08\nd: 1e999\n", json!({"a": 1000, "b": 0.5, "c": 8, "d": "1e999"})),
        ("1: a\ntrue: b\n", json!({"1": "a", "true": "b"})),
        ("a: [b: c, d]\n", json!({"a": [{"b": "c"}, "d"]})),
        // Block scalars at the end of the file.
        ("a: |\n  x", json!({"a": "x"})),
        ("a: |\n  x\n  ", json!({"a": "x\n"})),
        ("a: |\n  x\n     ", json!({"a": "x\n   "})),
        ("a: |+\n  x", json!({"a": "x"})),
        ("a: |+\n  x\n\n ", json!({"a": "x\n\n"})),
        ("a: |-\n  x", json!({"a": "x"})),
        ("a: >\n  x\n  y", json!({"a": "x y"})),
        ("a: |2\n    x", json!({"a": "  x"})),
        ("a: |\n  x\n# c", json!({"a": "x\n"})),
        ("- |\n x\n- b", json!(["x\n", "b"])),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text), expected, "{text:?}");
    }
}

#[test]
fn aliases_and_merges() {
    let cases = [
        ("b: &b {x: 1, y: 2}\na: {<<: *b, y: 3}\n", json!({"x": 1, "y": 3})),
        ("b: &b {x: 1, y: 2}\na: {y: 3, <<: *b}\n", json!({"x": 1, "y": 3})),
        ("b: &b {x: 1}\nc: &c {x: 2, z: 3}\na: {<<: [*b, *c]}\n", json!({"x": 1, "z": 3})),
        ("b: &b {x: 1}\nc: &c {<<: *b, z: 3}\na: {<<: *c}\n", json!({"x": 1, "z": 3})),
        ("a: {\"<<\": x}\n", json!({"<<": "x"})),
        ("b: &b 1\nc: &b 2\na: *b\n", json!(2)),
        ("b: &b [1]\na: [*b, *b]\n", json!([[1], [1]])),
        ("? &b a\n: *b\n", json!("a")),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text)["a"], expected, "{text:?}");
    }
}

#[test]
fn the_kustomization_dialect() {
    let text = "a: yes\na: no\nb: 2024-01-01\nc: y\n";
    let documents = read_as(FileId(0), text.as_bytes(), Dialect::Kustomization).unwrap();
    let found = documents[0].root.as_ref().unwrap().to_json().unwrap();
    assert_eq!(found, json!({"a": false, "b": "2024-01-01", "c": true}));
}

#[test]
fn keys_that_stand_twice_are_told() {
    let repeated = |text: &str| {
        let documents = read_as(FileId(0), text.as_bytes(), Dialect::Kustomization).unwrap();
        let all = documents.into_iter().flat_map(|document| document.repeated);
        all.map(|key| (key.key, key.line, key.earlier)).collect::<Vec<_>>()
    };
    let key = |name: &str, line, earlier| (name.to_owned(), line, earlier);
    assert_eq!(repeated("a: 1\nb: {a: 2}\n"), []);
    assert_eq!(repeated("a: 1\nb: 2\na: 3\n'a': 4\n"), [key("a", 3, 1), key("a", 4, 3)]);
    assert_eq!(repeated("- x: {k: 1, k: 2}\n- k: 1\n"), [key("k", 1, 1)]);
    assert_eq!(repeated("a: 1\n---\na: 1\na: 2\n"), [key("a", 4, 3)]);
    // Once, wherever aliases bring it.
    assert_eq!(repeated("a: &a\n  k: 1\n  k: 2\nb: *a\nc: {<<: *a}\n"), [key("k", 3, 2)]);
    assert_eq!(repeated("a: &a {k: 1}\nb:\n  <<: *a\n  <<: *a\n"), []);
    let many: String = (0..100).map(|n| format!("k{n}: 1\n")).collect();
    assert_eq!(repeated(&format!("{many}k7: 2\n")), [key("k7", 101, 8)]);
}

#[test]
fn documents_are_counted() {
    assert!(read(FileId(0), b"").unwrap().is_empty());
    assert!(read(FileId(0), b"# only a comment\n").unwrap().is_empty());
    let text = "a: b\n---\n# only\n---\nc: d\n...\n---\nnull\n";
    let documents = read(FileId(7), text.as_bytes()).unwrap();
    let found: Vec<_> = documents.iter().map(|d| (d.index, d.line, d.root.is_some())).collect();
    assert_eq!(found, [(1, 1, true), (2, 2, false), (3, 4, true), (4, 7, true)]);
    assert_eq!(documents[2].root.as_ref().unwrap().mark.file, FileId(7));
}

#[test]
fn refusals() {
    let cases: &[(&[u8], &str)] = &[
        (b"a: b\na: c\n", "line 2, column 1: mapping key \"a\" already defined at line 1"),
        (b"a: *x\n", "line 1, column 4: unknown anchor referenced"),
        (b"a: &x [*x]\n", "line 1, column 8: the value of an anchor contains itself"),
        (
            b"a: {<<: 1}\n",
            "line 1, column 9: map merge requires map or sequence of maps as the value",
        ),
        (b"? [a]\n: b\n", "line 1, column 3: a mapping key must be a scalar"),
        (b"a: !!int x\n", "line 1, column 10: cannot decode !!str as a !!int"),
        (b"a: !!binary x\n", "line 1, column 13: !!binary value contains invalid base64 data"),
        (b"a: \x01\n", "line 1, column 4: control characters are not allowed"),
        (b"\xef\xbb\xbfa: \xc3\xa9\xff", "line 1, column 5: invalid UTF-8"),
        (b"\xff\xfea\0", "line 1, column 1: UTF-16 is not supported; store the file as UTF-8"),
        (
            b"[!!str, a]",
            "line 1, column 2: did not find expected whitespace or line break after a tag",
        ),
        (
            b"{a: !<x>, b: c}",
            "line 1, column 5: did not find expected whitespace or line break after a tag",
        ),
        (
            b"a:\n\tb: c\n",
            "line 2, column 1: found character that cannot start any token while scanning for the next token",
        ),
        (
            b"a: [b\n",
            "line 2, column 1: did not find expected ',' or ']' while parsing a flow sequence from line 1",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(error(bytes), *expected);
    }
    assert!(read(FileId(0), b"a: '!x, y' # !x,\nb: |\n  [ !x, ]\n").is_ok());
    let json = roots("a: .nan\n")[0].to_json().unwrap_err();
    assert_eq!(
        json.to_string(),
        "line 1, column 4: a number is not finite, which JSON does not know"
    );
    assert!(roots("~: a\n")[0].to_json().is_err());
}

#[test]
fn bombs() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let one = format!("*a{}", level - 1);
        laughs += &format!("a{level}: &a{level} [{}]\n", [one.as_str(); 9].join(", "));
    }
    assert!(error(laughs.as_bytes()).contains("excessive aliasing"));
    assert!(error("[".repeat(100_000).as_bytes()).contains("nested more than 256 levels"));
    assert!(error("{a: ".repeat(100_000).as_bytes()).contains("nested more than 256 levels"));
    assert!(error("- ".repeat(100_000).as_bytes()).contains("nested more than 256 levels"));
    let deep = format!("{}x{}", "{a: ".repeat(255), "}".repeat(255));
    let root = &roots(&deep)[0];
    assert_eq!(roots(&gitops_yaml::write(root))[0].to_json(), root.to_json());
    // Each level of this one holds the one before: depth by aliases.
    let mut tower = "a0: &a0 []\n".to_owned();
    for level in 1..400 {
        tower += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
    }
    assert!(read(FileId(0), tower.as_bytes()).is_err());
}

#[test]
fn marks_lie_in_the_file() {
    let span = |text: &str, node: &Node| {
        let mark = node.mark;
        (mark.line, mark.column, text[mark.start as usize..mark.end as usize].to_owned())
    };
    // The end of a file without a line break.
    for (text, expected) in [
        ("?", (1, 1, "?")),
        ("? ", (1, 1, "? ")),
        ("a:\n- ", (1, 1, "a:\n-")),
        ("a: |\n  x", (1, 1, "a: |\n  x")),
    ] {
        let (line, column, spelled) = expected;
        assert_eq!(span(text, &roots(text)[0]), (line, column, spelled.to_owned()), "{text:?}");
    }
    let text = "? \r";
    let root = &roots(text)[0];
    let (key, value) = &root.entries()[0];
    assert_eq!(span(text, key), (1, 2, String::new()));
    assert_eq!(span(text, value), (2, 1, String::new()));
    // An anchor's name ends where a key's colon begins.
    let text = "&a ::: b";
    assert_eq!(span(text, &roots(text)[0].entries()[0].0), (1, 4, "::".to_owned()));
    let text = "&U::::";
    assert_eq!(span(text, &roots(text)[0].entries()[0].0), (1, 3, ":::".to_owned()));
}

#[test]
fn a_tag_before_a_comma_is_refused_wherever_it_stands() {
    for (text, line, column) in [
        ("{{!,", 1, 3),
        ("-\r{!,", 2, 2),
        ("[,56>!<![!,", 1, 10),
        ("[! !,", 1, 4),
        ("[!<a,b>,", 1, 2),
        ("['x'!b,", 1, 5),
    ] {
        let found = error(text.as_bytes());
        let expected = format!("line {line}, column {column}: did not find expected whitespace");
        assert!(found.starts_with(&expected), "{text:?}: {found}");
    }
    assert_eq!(value("[a!, b, \"c!,\", 'd !,']"), json!(["a!", "b", "c!,", "d !,"]));
}
