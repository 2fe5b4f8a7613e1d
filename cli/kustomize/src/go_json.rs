//! JSON as Go's encoding/json writes it: keys sorted, HTML characters escaped.

use std::fmt::Write as _;

use serde_json::Value;

/// On one line.
pub(crate) fn compact(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, None);
    out
}

/// With two spaces a level, as `json.MarshalIndent(v, "", "  ")`.
pub(crate) fn indented(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, Some(0));
    out
}

fn write(out: &mut String, value: &Value, level: Option<usize>) {
    match value {
        Value::String(text) => string(out, text),
        Value::Array(items) => {
            list(out, '[', ']', items.iter(), level, write);
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|left, right| left.0.cmp(right.0));
            list(out, '{', '}', entries.into_iter(), level, |out, (key, value), level| {
                string(out, key);
                out.push(':');
                if level.is_some() {
                    out.push(' ');
                }
                write(out, value, level);
            });
        }
        other => out.push_str(&other.to_string()),
    }
}

fn list<T>(
    out: &mut String,
    open: char,
    close: char,
    items: impl ExactSizeIterator<Item = T>,
    level: Option<usize>,
    each: impl Fn(&mut String, T, Option<usize>),
) {
    let is_empty = items.len() == 0;
    let inner = level.map(|level| level + 1);
    let line = |out: &mut String, level: Option<usize>| {
        if let Some(level) = level {
            out.push('\n');
            out.push_str(&"  ".repeat(level));
        }
    };
    out.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        line(out, inner);
        each(out, item, inner);
    }
    if !is_empty {
        line(out, level);
    }
    out.push(close);
}

/// A string with its quotes.
pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                // Writing into a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_escaped_and_keys_are_sorted() {
        let value = serde_json::json!({"b": "<&>\u{1}", "a": [1, {}], "c": []});
        assert_eq!(compact(&value), r#"{"a":[1,{}],"b":"\u003c\u0026\u003e\u0001","c":[]}"#);
        assert_eq!(
            indented(&value),
            "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": \"\\u003c\\u0026\\u003e\\u0001\",\n  \"c\": []\n}"
        );
    }
}
