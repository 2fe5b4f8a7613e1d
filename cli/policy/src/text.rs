//! Text of guests is untrusted: it may move the cursor, recolour the
//! terminal, or turn the direction of reading.

use gitops_core::judge::Fault;
use serde_json::Value;

/// Characters of a fault's message.
const FAULT: usize = 2000;

/// `text` on one line: control characters, line breaks and characters that
/// are invisible or change the direction are written as `\u{…}`.
pub fn escape_line(text: &str) -> String {
    escape(text, false)
}

/// As [`escape_line`], but line breaks stay.
pub fn escape_lines(text: &str) -> String {
    escape(text, true)
}

/// The first `limit` characters of `text`, on one line.
pub(crate) fn excerpt(text: &str, limit: usize) -> String {
    let text = text.trim();
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", escape_line(&text[..end])),
        None => escape_line(text),
    }
}

/// A fault whose message may hold text of others.
pub(crate) fn fault(kind: &'static str, message: impl AsRef<str>) -> Fault {
    Fault { kind, message: excerpt(message.as_ref(), FAULT), always_closes: false }
}

/// Every string of a JSON value, keys included, as [`escape_lines`].
pub(crate) fn escape_json(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(escape_lines(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(escape_json).collect()),
        Value::Object(entries) => Value::Object(
            entries
                .into_iter()
                .map(|(key, value)| (escape_line(&key), escape_json(value)))
                .collect(),
        ),
        other => other,
    }
}

fn escape(text: &str, breaks: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' if breaks => out.push(c),
            '\n' => out.push_str("\\n"),
            c if is_unsafe(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Control characters (C0, delete, C1), line and paragraph separators,
/// characters that change the direction (UAX #9), that are invisible or
/// interlinear, and tags.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn escapes_what_a_terminal_obeys() {
        for (text, expected) in [
            ("plain — ünïcode 日本", "plain — ünïcode 日本"),
            ("\x1b[31mred\x07", "\\u{1b}[31mred\\u{7}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\r\nb\tc", "a\\u{d}\\nb\\u{9}c"),
            ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("\u{e0041}", "\\u{e0041}"),
        ] {
            assert_eq!(escape_line(text), expected);
        }
        assert_eq!(escape_lines("a\nb\r"), "a\nb\\u{d}");
    }

    #[test]
    fn escapes_keys_and_values_of_json() {
        let value = escape_json(json!({"\u{1b}k": ["\u{1b}", {"a": "\u{202e}"}, 3]}));
        assert_eq!(value, json!({"\\u{1b}k": ["\\u{1b}", {"a": "\\u{202e}"}, 3]}));
    }

    #[test]
    fn cuts_between_characters() {
        assert_eq!(excerpt(" äöü ", 2), "äö…");
        assert_eq!(excerpt("äöü", 3), "äöü");
    }
}
