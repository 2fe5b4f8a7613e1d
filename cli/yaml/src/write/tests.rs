#![allow(clippy::unwrap_used)]
use std::cmp::Ordering;

use serde_json::json;

use super::order::key_order;
use super::*;
use crate::Tag;

#[test]
fn scalars() {
    let cases = [
        (json!(null), "null"),
        (json!(true), "true"),
        (json!(0), "0"),
        (json!(u64::MAX), "18446744073709551615"),
        (json!(1.0), "1"),
        (json!(-0.0), "0"),
        (json!(0.1), "0.1"),
        (json!(12345678.5), "1.23456785e+07"),
        (json!(100000.5), "100000.5"),
        (json!(0.0001), "0.0001"),
        (json!(0.00001), "1e-05"),
        (json!(1e6), "1000000"),
        (json!(1e20), "1e+20"),
        (json!(1.5e300), "1.5e+300"),
        (json!(1_257_181_864_212_886.0 + 0.25), "1.2571818642128862e+15"),
        (json!(""), "\"\""),
        (json!("a"), "a"),
        (json!("y"), "\"y\""),
        (json!("0o14"), "\"0o14\""),
        (json!("1:30"), "\"1:30\""),
        (json!("2024-01-01"), "\"2024-01-01\""),
        (json!("1_000"), "\"1_000\""),
        (json!("a: b"), "'a: b'"),
        (json!("it's #1"), "'it''s #1'"),
        (json!("a\tb"), "\"a\\tb\""),
        (json!("a\n"), "|\n  a"),
        (json!("a\nb"), "|-\n  a\n  b"),
        (json!("a\n\n"), "|+\n  a\n"),
        (json!(" a\n"), "|2\n   a"),
        (json!("a \nb"), "\"a \\nb\""),
        (json!("\u{1F600}"), "\"\\U0001F600\""),
        (json!("\u{feff}a"), "\"\\uFEFF\\x61\""),
        (json!("绿"), "绿"),
        (json!([]), "[]"),
        (json!({}), "{}"),
    ];
    for (value, expected) in cases {
        assert_eq!(write_json(&value), format!("{expected}\n"), "{value}");
    }
}

/// Every text of up to four of these pieces, and of a few longer ones.
fn texts(longest: usize) -> Vec<String> {
    let pieces = [
        "a", "n", "0", "8", "_", "/", ".", "-", "~", ":", ",", "?", "e", "é", " ", "#", "'", "\"",
        "\\", "\n", "\t", "[",
    ];
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..longest {
        last = last
            .iter()
            .flat_map(|text| pieces.iter().map(move |piece| format!("{text}{piece}")))
            .collect();
        all.extend_from_slice(&last);
    }
    for word in ["yes", "false", "falsey", "null", "12h", "1.5.2", "2024-01-01", ".inf", "1:30"] {
        all.push(word.to_owned());
    }
    all
}

#[test]
fn a_glance_sees_what_a_close_look_does() {
    for text in texts(4) {
        let found = scan(&text);
        assert_eq!(is_string(&text, found), scan::is_plain_string(&text), "{text:?}");
        if !text.is_empty() && found & (NEWLINE | OTHER) == 0 {
            assert_eq!(scan::may_stand_plain(&text, found), Allowed::of(&text).plain, "{text:?}");
        }
    }
}

/// What a writer that stands at a column in a mapping makes of a text, and
/// what it writes after it.
fn at_column(column: usize, context: Context, run: impl Fn(&mut Writer<'_, '_, Json>)) -> String {
    let mut out = "k".repeat(column);
    let mut writer: Writer<'_, '_, Json> = Writer::new(&mut out);
    writer.indent = (context != Context::Root).then_some(4);
    writer.column = column;
    (writer.whitespace, writer.indention) = (false, false);
    run(&mut writer);
    writer.write_indent();
    writer.put('.');
    out
}

#[test]
fn both_ways_of_writing_agree() {
    let long = texts(2).into_iter().flat_map(|text| {
        ["word words ", "a  b c ", "one\n two\n\n", "it's one: "]
            .map(|filler| format!("x{}{text}{}{text}", filler.repeat(9), filler.repeat(9)))
    });
    for text in texts(3).into_iter().chain(long) {
        for column in [3, 40, 79, 80, 81, 95] {
            for context in [Context::Root, Context::Item, Context::SimpleKey, Context::Entry] {
                let style = match scan(&text) & NEWLINE != 0 {
                    true => Style::Literal,
                    false if scan::is_plain_string(&text) => Style::Plain,
                    false => Style::Double,
                };
                assert_eq!(
                    at_column(column, context, |writer| writer.text(&text, scan(&text), context)),
                    at_column(column, context, |writer| writer.any(&text, style, context)),
                    "{text:?} at {column}"
                );
            }
        }
    }
}

#[test]
fn integers_keep_their_text_only_as_go_writes_them() {
    for (text, expected) in [
        ("0", "0"),
        ("17", "17"),
        ("017", "15"),
        ("-3", "-3"),
        ("+3", "3"),
        ("0x10", "16"),
        ("999999999999999999", "999999999999999999"),
        ("1_000", "1000"),
        ("-0", "0"),
    ] {
        assert_eq!(write(&Node::scalar(text, Tag::Int)), format!("{expected}\n"), "{text}");
    }
}

#[test]
fn collections() {
    let value = json!({"b": [1, [2, {"c": null}], {}], "a": {"x": []}});
    assert_eq!(write_json(&value), "a:\n  x: []\nb:\n- 1\n- - 2\n  - c: null\n- {}\n");
    let key = "k".repeat(129);
    let value = json!({&key: [1], "m\nn": {"a": 1}});
    assert_eq!(write_json(&value), format!("? {key}\n: - 1\n? |-\n  m\n  n\n: a: 1\n"));
}

#[test]
fn keys_sort_as_go_yaml_sorts_them() {
    let sorted = ["1", "2", "10", "a", "a-b", "a.b", "a1", "a01", "a2", "a10", "ab", "b0", "é"];
    for (one, two) in sorted.iter().zip(&sorted[1..]) {
        assert_ne!(key_order(one, two), Ordering::Greater, "{one} {two}");
        assert_ne!(key_order(two, one), Ordering::Less, "{one} {two}");
    }
    let mut shuffled: Vec<(&str, ())> = sorted.iter().rev().map(|key| (*key, ())).collect();
    sort(&mut shuffled);
    let keys: Vec<&str> = shuffled.into_iter().map(|(key, ())| key).collect();
    assert_eq!(keys, sorted);
}

#[test]
fn long_lines_fold_at_spaces() {
    let text = "word ".repeat(30);
    let written = write_json(&json!({"a": text.trim_end()}));
    assert!(written.lines().all(|line| line.len() <= 86), "{written}");
    assert_eq!(written.lines().count(), 2);
    assert_eq!(write_json(&json!("x".repeat(200))).lines().count(), 1);
}
