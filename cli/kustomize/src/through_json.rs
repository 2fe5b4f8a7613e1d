//! What becomes of an object on its way through JSON, which kustomize takes to
//! print it, and to patch it with JSON patches.
//!
//! Rules from kustomize v5.8: `MarshalJSON` and `UnmarshalJSON` of kyaml's RNode.

use gitops_yaml::{Mark, Node, Scalar, Style, Tag, Value};

use crate::fieldspec::type_of;
use crate::folded;

/// Fails at the first thing that kustomize cannot print: a number that is
/// none, or a character that its YAML reader, to which it gives the JSON, does
/// not take. Gives its mark and what is wrong.
pub(crate) fn check(node: &Node) -> Result<(), (Mark, String)> {
    match &node.value {
        Value::Scalar(scalar) => {
            if scalar.tag == Tag::Float && node.to_json().is_err() {
                return Err((node.mark, format!("`{}` cannot be written as JSON", scalar.text)));
            }
            check_characters(&scalar.text, node)
        }
        Value::Sequence(items) => items.iter().try_for_each(check),
        Value::Mapping(entries) => entries.iter().try_for_each(|(key, value)| {
            if let Value::Scalar(scalar) = &key.value {
                check_characters(&scalar.text, key)?;
            }
            check(value)
        }),
    }
}

fn check_characters(text: &str, node: &Node) -> Result<(), (Mark, String)> {
    let plain = |byte: u8| byte.is_ascii() && byte != 0x7f;
    if text.bytes().all(plain) {
        return Ok(());
    }
    // Those below a space are escaped in JSON.
    let refused =
        |c: &char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}') && *c != '\u{85}';
    match text.chars().find(refused) {
        Some(found) => Err((
            node.mark,
            format!("the control character {} is not allowed", found.escape_unicode()),
        )),
        None => Ok(()),
    }
}

/// Gives an object the form that it has after it was JSON: numbers are `f64`,
/// everything else that is no boolean or null is a string, quoted where it
/// would be read as something else. Marks stay.
pub(crate) fn pass(node: &mut Node) {
    // Keys are for the caller to check.
    let _odd = folded::rewrite(node);
    settle(node);
}

/// Gives an item of a `List` the form that it has after it was JSON: all texts
/// are quoted, nulls are written out. Other than in [`pass`], whole numbers
/// keep their digits (`inlineAnyEmbeddedLists`, api/resource/factory.go).
pub(crate) fn quote(node: &mut Node) -> Result<(), (Mark, String)> {
    match &mut node.value {
        Value::Scalar(_) => quote_scalar(node),
        Value::Sequence(items) => items.iter_mut().try_for_each(quote),
        Value::Mapping(entries) => entries.iter_mut().try_for_each(|(_, value)| quote(value)),
    }
}

fn quote_scalar(node: &mut Node) -> Result<(), (Mark, String)> {
    let json = node.to_json().map_err(|error| (node.mark, error.reason.to_string()))?;
    let Value::Scalar(scalar) = &mut node.value else { return Ok(()) };
    match json {
        serde_json::Value::String(text) => {
            *scalar = Scalar { text: text.into(), tag: Tag::Str, style: Style::DoubleQuoted };
        }
        number @ serde_json::Value::Number(_) => *node = Node::from_json(&number).at(node.mark),
        other => {
            scalar.text = other.to_string().into();
            scalar.style = Style::Plain;
        }
    }
    Ok(())
}

fn settle(node: &mut Node) {
    match &mut node.value {
        Value::Scalar(_) => settle_scalar(node),
        Value::Sequence(items) => items.iter_mut().for_each(settle),
        Value::Mapping(entries) => entries.iter_mut().for_each(|(_, value)| settle(value)),
    }
}

fn settle_scalar(node: &mut Node) {
    // What has no JSON form is left for `check` to complain of.
    let Ok(json) = node.to_json() else { return };
    let Value::Scalar(scalar) = &mut node.value else { return };
    match json {
        serde_json::Value::String(text) => {
            scalar.style = match type_of(&text) {
                _ if text.contains('\n') => Style::Literal,
                Tag::Str => Style::Plain,
                _ => Style::DoubleQuoted,
            };
            scalar.text = text.into();
            scalar.tag = Tag::Str;
        }
        serde_json::Value::Number(number) => {
            // A whole number that `f64` holds is written as it is.
            const EXACT: u64 = 1 << 53;
            let exact = number
                .as_i64()
                .map(i64::unsigned_abs)
                .or(number.as_u64())
                .is_some_and(|size| size <= EXACT);
            let rounded = number.as_f64().filter(|_| !exact);
            if let Some(number) = rounded.and_then(serde_json::Number::from_f64) {
                let mark = node.mark;
                *node = Node::from_json(&serde_json::Value::Number(number)).at(mark);
            } else {
                scalar.style = Style::Plain;
                scalar.text = number.to_string().into();
            }
        }
        // `null`, which patches leave, and not nothing, which they take out.
        other => {
            scalar.text = other.to_string().into();
            scalar.style = Style::Plain;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Node {
        let documents = gitops_yaml::read(gitops_yaml::FileId::NONE, text.as_bytes()).unwrap();
        documents.into_iter().next().unwrap().root.unwrap()
    }

    #[test]
    fn what_cannot_be_printed_is_refused() {
        for bad in ["[.nan]", "a: -.inf", r#""\x7f""#, r#"{"\x90": a}"#, r#""\uffff""#] {
            assert!(check(&read(bad)).is_err(), "{bad}");
        }
        assert_eq!(check(&read(r#"{a: 1.5, b: [~, "\u0085\u00a0\x01é"]}"#)), Ok(()));
    }

    /// Pairs taken from `kustomize build` v5.8.1 with a JSON patch.
    #[test]
    fn numbers_become_floats() {
        for (text, expected) in [
            ("9007199254740993", "9007199254740992\n"),
            ("18446744073709551615", "1.8446744073709552e+19\n"),
            ("12345678901234567890", "12345678901234567000\n"),
            ("0x10", "16\n"),
            ("1.50", "1.5\n"),
            ("-7", "-7\n"),
            ("2020-01-01", "\"2020-01-01T00:00:00Z\"\n"),
        ] {
            let mut node = read(text);
            pass(&mut node);
            assert_eq!(gitops_yaml::write(&node), expected, "{text}");
        }
    }
}
