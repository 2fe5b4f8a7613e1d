#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use super::*;
use crate::parallel::tests::THREADS;
use gitops_yaml::Value;

fn path(name: &str) -> TreePath {
    TreePath::new(name).unwrap()
}

/// Documents of many shapes, and more than a thread needs to pay.
fn large_file() -> String {
    let mut text = String::from("# a file\n---\nfirst: 1\n");
    for number in 0..9000 {
        let _ = match number % 5 {
            0 => write!(text, "--- # {number}\na: {{b: [1, 'x']}}\n"),
            1 => write!(text, "---\nkeep: |+\n  text {number}\n\n\n"),
            2 => write!(text, "---\n# nothing\n---\n\n---  \nk: \"a\n  b\"\n"),
            3 => write!(text, "---\r\nwindows: {number}\r\nx: é ----\r\n"),
            _ => write!(text, "---\ntext\n---\n&a [*a, 1]\n---\n- |\n  ---\n- > \n  --- x\n"),
        };
    }
    text.replace("&a [*a, 1]", "[&a 2, *a]")
}

/// Nodes with their marks, as text.
fn shown(node: &Node, to: &mut String) {
    let _ = write!(to, "{:?} ", node.mark);
    match &node.value {
        Value::Scalar(scalar) => {
            let _ = writeln!(to, "{scalar:?}");
        }
        Value::Sequence(items) => items.iter().for_each(|item| shown(item, to)),
        Value::Mapping(entries) => entries.iter().for_each(|(key, value)| {
            shown(key, to);
            shown(value, to);
        }),
    }
}

fn all_shown(parsed: &Parsed) -> Vec<String> {
    let show = |node| {
        let mut text = String::new();
        shown(node, &mut text);
        text
    };
    parsed.as_ref().unwrap().iter().map(show).collect()
}

#[test]
fn pieces_hold_what_the_whole_does() {
    let text = large_file();
    assert!(pieces(text.as_bytes()).len() > 3);
    let whole = documents::parse(&path("a.yaml"), FileId(3), text.as_bytes(), Dialect::Manifest);
    for threads in [1, 2, 4] {
        THREADS.set(Some(threads));
        let mut ahead = Ahead::default();
        assert!(!ahead.expects(&path("a.yaml")));
        ahead.add(path("a.yaml"), FileId(3), text.as_bytes().into());
        assert!(ahead.expects(&path("a.yaml")));
        assert_eq!(ahead.helpers.as_ref().unwrap().len(), threads - 1);
        for _ in 0..2 {
            let parsed = ahead.take(&path("a.yaml")).unwrap();
            assert_eq!(all_shown(&parsed), all_shown(&whole));
        }
        assert!(ahead.take(&path("a.yaml")).is_none());
    }
}

#[test]
fn an_error_in_a_piece_is_that_of_the_whole() {
    let text = large_file();
    // A control character is complained of before anything else is read.
    for broken in [format!("{text}---\na: [\n"), format!("a: [\n{text}---\na: \u{1}\n")] {
        let whole =
            documents::parse(&path("a.yaml"), FileId(0), broken.as_bytes(), Dialect::Manifest)
                .unwrap_err();
        for threads in [1, 3] {
            THREADS.set(Some(threads));
            let mut ahead = Ahead::default();
            ahead.add(path("a.yaml"), FileId(0), broken.as_bytes().into());
            assert_eq!(ahead.take(&path("a.yaml")).unwrap().unwrap_err(), whole);
        }
    }
}

#[test]
fn what_is_hard_to_count_stays_whole() {
    let text = large_file();
    for part in ["%YAML 1.1\n", "a\rb\n", "\u{85}", "# \u{2028}\n", "\u{feff}"] {
        let text = format!("{text}...\n{part}---\nx: 1\n");
        assert_eq!(pieces(text.as_bytes()), [Piece { bytes: 0..text.len(), lines: 0 }]);
    }
    assert_eq!(pieces(b"a\n---\nb\n").len(), 1);
}

#[test]
fn many_files_come_out_whole_in_any_order() {
    for threads in [1, 4] {
        THREADS.set(Some(threads));
        let mut ahead = Ahead::default();
        let text = |number: usize| format!("number: {number}\n# {}\n", "-".repeat(4000));
        for number in 0..200 {
            let name = path(&format!("{number}.yaml"));
            ahead.add(name, FileId(0), text(number).as_bytes().into());
        }
        for number in (0..200).rev().step_by(3) {
            let parsed = ahead.take(&path(&format!("{number}.yaml"))).unwrap().unwrap();
            assert_eq!(parsed[0].get("number").unwrap().text(), Some(&*number.to_string()));
        }
        // The rest is never asked for.
    }
}
