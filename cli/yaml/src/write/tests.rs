#![allow(clippy::unwrap_used)]
use serde_json::json;

use super::*;

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

#[test]
fn what_is_simple_may_be_plain() {
    let pieces = ["a", "Z", "0", "_", "/", ".", "-", ":", "é", " ", "#", "'"];
    let mut texts = vec![String::new()];
    for _ in 0..4 {
        let longer =
            texts.iter().flat_map(|text| pieces.iter().map(move |piece| format!("{text}{piece}")));
        texts = longer.collect();
        for text in &texts {
            assert!(!is_simple(text) || Allowed::of(text).plain, "{text}");
        }
    }
    assert!(is_simple("registry.example/shop/api:v1.2"));
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
    let shuffled: Vec<(Cow<'_, str>, ())> =
        sorted.iter().rev().map(|key| (Cow::Borrowed(*key), ())).collect();
    let keys: Vec<String> = sort(shuffled).into_iter().map(|(key, ())| key.into_owned()).collect();
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
