//! What a plain scalar means: go-yaml's two resolvers in one function.
//!
//! Rules from `resolve.go` of go-yaml v2.4 and v3.0; they differ in the YAML
//! 1.1 words only (`yes`, `on`, `y`, …), which v3 leaves strings.

use std::borrow::Cow;

use crate::Tag;
use crate::timestamp;

/// Which resolver: what is read follows v3, what is written is quoted for v2.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V2,
    V3,
}

/// A number as Go holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    Uint(u64),
    Float(f64),
}

/// The type of a plain scalar without a tag.
pub(crate) fn resolve(text: &str, version: Version) -> Tag {
    let Some(&first) = text.as_bytes().first() else { return Tag::Null };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => {
            word(text, version).unwrap_or(Tag::Str)
        }
        b'.' => match text {
            _ if special_float(text).is_some() => Tag::Float,
            _ if dotted(text).is_some() => Tag::Float,
            _ => Tag::Str,
        },
        b'+' | b'-' | b'0'..=b'9' => {
            if is_short_integer(text.as_bytes()) {
                return Tag::Int;
            }
            if special_float(text).is_some() {
                return Tag::Float;
            }
            if timestamp::parse(text).is_some() {
                return Tag::Timestamp;
            }
            match number(text) {
                Some(Number::Float(_)) => Tag::Float,
                Some(_) => Tag::Int,
                None => Tag::Str,
            }
        }
        _ => Tag::Str,
    }
}

/// Whether this is a plain decimal integer that fits any type: most numbers
/// are, and need no further thought.
fn is_short_integer(text: &[u8]) -> bool {
    text.len() < 19 && (text[0] != b'0' || text.len() == 1) && text.iter().all(u8::is_ascii_digit)
}

fn word(text: &str, version: Version) -> Option<Tag> {
    match text {
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Some(Tag::Bool),
        "~" | "null" | "Null" | "NULL" => Some(Tag::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "n" | "N" | "no" | "No" | "NO"
        | "off" | "Off" | "OFF"
            if version == Version::V2 =>
        {
            Some(Tag::Bool)
        }
        _ => None,
    }
}

fn special_float(text: &str) -> Option<f64> {
    match text {
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// The number that `text` is, in any of go-yaml's forms.
pub(crate) fn number(text: &str) -> Option<Number> {
    if let Some(special) = special_float(text) {
        return Some(Number::Float(special));
    }
    match text.as_bytes().first()? {
        b'.' => return dotted(text).map(Number::Float),
        b'+' | b'-' | b'0'..=b'9' => {}
        _ => return None,
    }
    let plain =
        if text.contains('_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
    integer(&plain)
        .or_else(|| float(&plain).map(Number::Float))
        .or_else(|| prefixed(&plain, "0b", 2))
        .or_else(|| prefixed(&plain, "0o", 8))
}

/// Go's `ParseInt(s, 0, 64)`, then `ParseUint(s, 0, 64)`.
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let signed = digits.len() != text.len();
    let (radix, digits) = base(digits)?;
    let value = magnitude(digits, radix)?;
    if negative {
        return 0_i64.checked_sub_unsigned(value).map(Number::Int);
    }
    match i64::try_from(value) {
        Ok(value) => Some(Number::Int(value)),
        // ParseUint takes no sign.
        Err(_) if signed => None,
        Err(_) => Some(Number::Uint(value)),
    }
}

fn base(digits: &str) -> Option<(u32, &str)> {
    let bytes = digits.as_bytes();
    Some(match bytes {
        [] => return None,
        [b'0', b'x' | b'X', _, ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', _, ..] => (2, &digits[2..]),
        [b'0'] => (10, digits),
        [b'0', ..] => (8, &digits[1..]),
        _ => (10, digits),
    })
}

fn magnitude(digits: &str, radix: u32) -> Option<u64> {
    // `from_str_radix` would take a second sign.
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// go-yaml's own fallback for `0b` and `0o`, which lets a sign stand after the
/// prefix.
fn prefixed(plain: &str, prefix: &str, radix: u32) -> Option<Number> {
    let digits = plain.strip_prefix(prefix)?;
    let (negative, digits) = match digits.as_bytes().first()? {
        b'-' => (true, &digits[1..]),
        b'+' => (false, &digits[1..]),
        _ => (false, digits),
    };
    let value = magnitude(digits, radix)?;
    let value =
        if negative { 0_i64.checked_sub_unsigned(value)? } else { value.try_into().ok()? };
    Some(Number::Int(value))
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, finite.
fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(unsigned);
    let mut rest = &unsigned[whole..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let places = digits(fraction);
        if whole == 0 && places == 0 {
            return None;
        }
        rest = &fraction[places..];
    } else if whole == 0 {
        return None;
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if exponent.is_empty() || digits(exponent) != exponent.len() {
            return None;
        }
    } else if !rest.is_empty() {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// A float that begins with its point: Go's `ParseFloat` lets underscores stand
/// between digits.
fn dotted(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let placed = |at: usize| bytes[at] != b'_' || at > 0 && is_digit(at - 1) && is_digit(at + 1);
    if !(0..bytes.len()).all(placed) {
        return None;
    }
    float(&text.replace('_', ""))
}

/// The boolean that `text` is, once it is known to be one.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" | "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            Some(true)
        }
        "false" | "False" | "FALSE" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            Some(false)
        }
        _ => None,
    }
}

/// Whether a string would be taken for a base 60 number by YAML 1.1 readers:
/// go-yaml v2 quotes those, although it does not read them.
pub(crate) fn is_base60(text: &str) -> bool {
    let starts = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-');
    if !text.as_bytes().first().is_some_and(starts) {
        return false;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (head, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut parts = head.split(':');
    let first = parts.next().unwrap_or_default();
    let mut pairs = 0;
    first.starts_with(|c: char| c.is_ascii_digit())
        && first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && parts.all(|part| {
            pairs += 1;
            match part.as_bytes() {
                [unit] => unit.is_ascii_digit(),
                [ten, unit] => (b'0'..=b'5').contains(ten) && unit.is_ascii_digit(),
                _ => false,
            }
        })
        && pairs > 0
        && fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_3_types() {
        let cases: &[(&str, Tag)] = &[
            ("", Tag::Null),
            ("~", Tag::Null),
            ("null", Tag::Null),
            ("Null", Tag::Null),
            ("nULL", Tag::Str),
            ("true", Tag::Bool),
            ("TRUE", Tag::Bool),
            ("yes", Tag::Str),
            ("on", Tag::Str),
            ("y", Tag::Str),
            ("1:30", Tag::Str),
            ("0", Tag::Int),
            ("-0", Tag::Int),
            ("0777", Tag::Int),
            ("0o14", Tag::Int),
            ("0O14", Tag::Int),
            ("-0o14", Tag::Int),
            ("08", Tag::Float),
            ("1_000", Tag::Int),
            ("1_000.5", Tag::Float),
            ("0x1f", Tag::Int),
            ("0xg", Tag::Str),
            ("0b11", Tag::Int),
            ("0b12", Tag::Str),
            ("0x", Tag::Str),
            ("18446744073709551615", Tag::Int),
            ("18446744073709551616", Tag::Float),
            ("-9223372036854775808", Tag::Int),
            ("-9223372036854775809", Tag::Float),
            ("1e3", Tag::Float),
            ("12e03", Tag::Float),
            ("1.", Tag::Float),
            (".5", Tag::Float),
            ("+.5", Tag::Float),
            ("1e999", Tag::Str),
            (".", Tag::Str),
            (".1_000", Tag::Float),
            (".1_", Tag::Str),
            ("._1", Tag::Str),
            ("-", Tag::Str),
            ("+", Tag::Str),
            ("--1", Tag::Str),
            ("1.2.3", Tag::Str),
            (".inf", Tag::Float),
            ("-.INF", Tag::Float),
            (".nan", Tag::Float),
            (".NaN", Tag::Float),
            (".Nan", Tag::Str),
            ("2024-01-01", Tag::Timestamp),
            ("2024-13-01", Tag::Str),
            ("2001-12-14t21:59:43.10-05:00", Tag::Timestamp),
            ("_1", Tag::Str),
            ("v1", Tag::Str),
            ("<<", Tag::Str),
        ];
        for (text, tag) in cases {
            assert_eq!(resolve(text, Version::V3), *tag, "{text}");
        }
    }

    #[test]
    fn version_2_words() {
        for text in ["y", "Y", "yes", "on", "OFF", "n", "No"] {
            assert_eq!(resolve(text, Version::V2), Tag::Bool, "{text}");
        }
        assert_eq!(resolve("yEs", Version::V2), Tag::Str);
    }

    #[test]
    fn numbers() {
        let cases: &[(&str, Number)] = &[
            ("0777", Number::Int(511)),
            ("0o14", Number::Int(12)),
            ("-0x10", Number::Int(-16)),
            ("+12", Number::Int(12)),
            ("0b-11", Number::Int(-3)),
            ("1_0", Number::Int(10)),
            ("08", Number::Float(8.0)),
            ("18446744073709551615", Number::Uint(u64::MAX)),
            ("+18446744073709551615", Number::Float(u64::MAX as f64)),
            ("-9223372036854775808", Number::Int(i64::MIN)),
        ];
        for (text, number) in cases {
            assert_eq!(super::number(text), Some(*number), "{text}");
        }
    }

    #[test]
    fn base_60() {
        for text in ["1:30", "190:20:30.15", "+1:5", "1_0:59", "1:30._"] {
            assert!(is_base60(text), "{text}");
        }
        for text in ["", "1", ":30", "1:60", "1:", "a:1", "1:300", "1:2x", "_1:30"] {
            assert!(!is_base60(text), "{text}");
        }
    }
}
