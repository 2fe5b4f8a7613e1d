//! How a string is written into a file that others read too: it must load as
//! the same string everywhere.

use crate::events::is_break;
use crate::resolve::{self, Version};
use crate::write::Allowed;
use crate::{Tag, timestamp};

/// Spells a string in the quotes of an old spelling, or without where that had
/// none and no reader would take the text for anything else: YAML 1.1 or 1.2,
/// block or flow. `old` is a scalar as it stands in a file, or empty.
///
/// The result has no line break. What must be escaped is escaped as JSON does,
/// so that JSON files stay JSON.
pub fn string_like(old: &str, new: &str) -> String {
    let allowed = Allowed::of(new);
    let single = allowed.single && !new.contains(is_break);
    match old.as_bytes().first() {
        Some(b'"') => double(new),
        Some(b'\'') if single => format!("'{}'", new.replace('\'', "''")),
        Some(b'\'') => double(new),
        _ if allowed.plain && is_string_everywhere(new) => new.to_owned(),
        _ => double(new),
    }
}

fn double(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{a0}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether plain text is a string to every resolver: go-yaml v2 and v3, YAML
/// 1.2's core schema, and YAML 1.1's types in full (PyYAML, Ruby), which take
/// more timestamps and numbers than Go.
fn is_string_everywhere(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let unsigned = lower.strip_prefix(['+', '-']).unwrap_or(&lower);
    let word = matches!(
        unsigned,
        "y" | "n"
            | "yes"
            | "no"
            | "on"
            | "off"
            | "true"
            | "false"
            | "null"
            | "~"
            | "="
            | "<<"
            | ".inf"
            | ".nan"
            | "inf"
            | "nan"
    );
    let in_flow = text.contains([',', '[', ']', '{', '}'])
        || text.contains(":?")
        || text.starts_with(['?', ':'])
        || text.ends_with(':');
    !word
        && !in_flow
        && resolve::resolve(text, Version::V2) == Tag::Str
        && resolve::resolve(text, Version::V3) == Tag::Str
        && !resolve::is_base60(text)
        && !is_number(&unsigned.replace('_', ""))
        && !timestamp::looks_like(text)
}

/// Numbers of any size and form, without sign and underscores.
fn is_number(text: &str) -> bool {
    let all =
        |digits: &str, radix: u32| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if text.strip_prefix(prefix).is_some_and(|digits| all(digits, radix)) {
            return true;
        }
    }
    let (mantissa, exponent) = match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    all(&digits, 10)
        && exponent
            .is_none_or(|exponent| all(exponent.strip_prefix(['+', '-']).unwrap_or(exponent), 10))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{FileId, read};

    /// Plain, each of these is something else to some reader.
    const TRAPS: &[&str] = &[
        "1234567",
        "0123456",
        "3.10",
        "1_000",
        "1e3",
        "1E3",
        "0x1f",
        "0b1",
        "0o17",
        "08",
        "true",
        "True",
        "yes",
        "No",
        "on",
        "y",
        "null",
        "~",
        "",
        "2024-01-01",
        "2024-1-1T1:1:1Z",
        "2001-12-14 21:59:43.10 -5",
        "1:30",
        "190:20:30",
        "1:30:15.5",
        ".5",
        "5.",
        "-1",
        "+1",
        "-.5",
        ".inf",
        "-.Inf",
        ".NaN",
        "1e999",
        "99999999999999999999999",
        "a # b",
        "a: b",
        "a:",
        ": b",
        "#a",
        "- a",
        "-",
        "?",
        "? a",
        "*a",
        "&a",
        "!a",
        "!",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "'a'",
        "\"a\"",
        "[a]",
        "{a}",
        "a, b",
        "a]",
        " a",
        "a ",
        "a\tb",
        "\t",
        "a\nb",
        "a\r\nb",
        "\n",
        "---",
        "--- a",
        "...",
        "=",
        "<<",
        "\u{feff}a",
        "\u{85}",
        "\u{2028}",
        "\u{0}",
        "\u{7f}",
        "1__0",
        "0x_1",
        "1_0:3",
        "+0x1F",
    ];

    #[test]
    fn traps_come_back_as_the_same_string() {
        for text in TRAPS {
            for old in ["", "old", "'old'", "\"old\"", "|\n  old\n", "1.0"] {
                let spelled = string_like(old, text);
                for file in [
                    format!("a: {spelled}\n"),
                    format!("a: {{b: {spelled}, c: d}}\n"),
                    format!("a: [{spelled}]\n"),
                    format!("- a:\n  - {spelled} # c\n"),
                ] {
                    let documents =
                        read(FileId(0), file.as_bytes()).unwrap_or_else(|e| panic!("{file}: {e}"));
                    let json = documents[0].root.as_ref().unwrap().to_json().unwrap();
                    let expected = serde_json::to_string(text).unwrap();
                    assert!(json.to_string().contains(&expected), "{file:?}: {json}");
                }
            }
        }
        for text in TRAPS {
            assert!(string_like("", text).starts_with('"'), "{text}");
        }
    }

    #[test]
    fn what_needs_no_quotes_gets_none() {
        for text in [
            "nginx",
            "1.2.3",
            "v1.2.3",
            "1.27-alpine",
            "nginx:1.27",
            "ghcr.io/a/b:1.0@sha256:0123",
            "main",
            "a b",
            "a'b",
            "1.2.3.4",
            "2024.01.01",
            "sha-1234567",
            "0.1.0-rc.1",
            "20240101-abc",
            "a#b",
            "https://a/b?c=d",
            "12e",
            "0xyz",
            "e3",
            "année",
            "1.0+build",
        ] {
            assert_eq!(string_like("old", text), *text);
            assert_eq!(string_like("'old'", text), format!("'{}'", text.replace('\'', "''")));
            assert_eq!(string_like("\"old\"", text), format!("\"{text}\""));
        }
    }
}
