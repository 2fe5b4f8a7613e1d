//! Denies text with characters that nobody sees: control characters, as `"\b"`
//! in double-quoted YAML is one, and those that turn the direction of writing
//! (Unicode's bidirectional algorithm, UAX #9), which show other text than is
//! there.
//!
//! Line feeds, carriage returns and tabs are text. Settings, optional: `allow`,
//! a list of further characters.

use gitops_policy_sdk::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

struct ControlCharacters;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    allow: Vec<char>,
}

impl Rule for ControlCharacters {
    type Settings = Settings;

    const NOTHING: &'static str = "no object is there";

    fn judge(object: &Value, settings: &Settings) -> Option<Vec<Finding>> {
        let mut findings = Vec::new();
        walk(object, &mut String::new(), settings, &mut findings);
        Some(findings)
    }
}

gitops_policy_sdk::rule!(ControlCharacters);

fn walk(value: &Value, pointer: &mut String, settings: &Settings, findings: &mut Vec<Finding>) {
    let length = pointer.len();
    match value {
        Value::String(text) => {
            findings
                .extend(finding("a text", text, settings).map(|found| found.at(pointer.as_str())));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointer.push_str(&format!("/{index}"));
                walk(item, pointer, settings, findings);
                pointer.truncate(length);
            }
        }
        Value::Object(fields) => {
            for (key, item) in fields {
                let found = finding("a key", key, settings);
                findings.extend(found.map(|found| found.at(pointer.as_str())));
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                walk(item, pointer, settings, findings);
                pointer.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn finding(what: &str, text: &str, settings: &Settings) -> Option<Finding> {
    let unseen = |letter: &char| is_control(*letter) || turns_direction(*letter);
    let letters = text.chars().filter(unseen).filter(|letter| !settings.allow.contains(letter));
    let mut counts: Vec<(char, usize)> = Vec::new();
    for letter in letters {
        match counts.iter_mut().find(|(known, _)| *known == letter) {
            Some((_, count)) => *count += 1,
            None => counts.push((letter, 1)),
        }
    }
    let (first, _) = counts.first()?;
    let code = if is_control(*first) { "control-character" } else { "direction-character" };
    let named = counts.iter().map(|(letter, count)| {
        let times = if *count > 1 { format!(" {count} times") } else { String::new() };
        format!("U+{:04X}{times}", u32::from(*letter))
    });
    let names: Vec<String> = named.collect();
    let found =
        Finding::deny(code, format!("{what} holds {}, which nobody sees", names.join(", ")));
    let fix = match first {
        '\u{8}' => {
            "in YAML, `\"\\b\"` is a backspace; write `'\\b'`, or `\"\\\\b\"`, for the two letters"
        }
        _ => "take it out; in YAML, double quotes turn `\\` and a letter into one character",
    };
    Some(found.fix(fix).evidence(&json!({ "characters": names })))
}

fn is_control(letter: char) -> bool {
    letter.is_control() && !matches!(letter, '\n' | '\r' | '\t')
}

fn turns_direction(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(object: &Value, settings: &str) -> Vec<(String, String, String)> {
        let settings = gitops_policy_sdk::parse_settings(settings)
            .unwrap_or_else(|_| panic!("settings of the test"));
        let findings = ControlCharacters::judge(object, &settings).unwrap_or_default();
        let told = findings.into_iter();
        told.map(|f| (f.code, f.pointer.unwrap_or_default(), f.message)).collect()
    }

    #[test]
    fn a_backspace_in_a_regular_expression_is_found() {
        let object = json!({"spec": {"match": [{"regex": "(?=.*\u{8}Safari\u{8}).*$"}]}});
        let expected = (
            "control-character".to_owned(),
            "/spec/match/0/regex".to_owned(),
            "a text holds U+0008 2 times, which nobody sees".to_owned(),
        );
        assert_eq!(found(&object, ""), [expected]);
        assert!(found(&object, r#"{"allow": ["\b"]}"#).is_empty());
    }

    #[test]
    fn keys_and_direction_are_judged_too() {
        let object = json!({"data": {"a/b~\u{7f}": "x", "c": "safe\u{202e}\u{1}"}});
        let codes: Vec<_> = found(&object, "").into_iter().map(|(c, p, _)| (c, p)).collect();
        assert_eq!(
            codes,
            [
                ("control-character".to_owned(), "/data".to_owned()),
                ("direction-character".to_owned(), "/data/c".to_owned()),
            ]
        );
    }

    #[test]
    fn text_is_text() {
        let object = json!({"a": "line\r\n\tline é ✓ 👩‍💻", "b": 1, "c": null, "d": [true]});
        assert!(found(&object, "").is_empty());
    }
}
