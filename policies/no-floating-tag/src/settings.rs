//! What a binding may set.

use gitops_policy_sdk::prelude::Problem;
use serde::Deserialize;
use serde_json::Value;

/// The settings; every one is optional.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Tags that move, beside `latest`.
    floating: Vec<String>,
    /// Whether a fixed tag is not enough.
    pub(crate) require_digest: bool,
    /// Images that are not judged.
    allow: Vec<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        let floating = ["main", "master", "stable", "edge", "nightly", "dev", "develop", "head"];
        Settings {
            floating: floating.map(str::to_owned).to_vec(),
            require_digest: false,
            allow: Vec::new(),
        }
    }
}

impl Settings {
    /// Whether `tag` moves.
    pub(crate) fn floats(&self, tag: &str) -> bool {
        tag.eq_ignore_ascii_case("latest")
            || self.floating.iter().any(|floating| tag.eq_ignore_ascii_case(floating))
    }

    /// Whether the image is not judged: a pattern meets the whole reference or
    /// its repository.
    pub(crate) fn allows(&self, reference: &str, repository: &str) -> bool {
        self.allow.iter().any(|pattern| meets(pattern, reference) || meets(pattern, repository))
    }
}

/// Whether `pattern`, in which `*` stands for any characters, meets all of `text`.
fn meets(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    let mut rest = rest;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Everything wrong with `settings`, unknown keys and wrong types together.
pub(crate) fn problems(settings: &Value) -> Vec<Problem> {
    let Some(entries) = settings.as_object() else {
        return vec![Problem::new("", "settings are a mapping")];
    };
    let mut problems = Vec::new();
    for (key, value) in entries {
        let pointer = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        match key.as_str() {
            "requireDigest" if !value.is_boolean() => {
                problems.push(Problem::new(pointer, "`requireDigest` is true or false"));
            }
            "requireDigest" => {}
            "floating" | "allow" => match value.as_array() {
                None => {
                    problems.push(Problem::new(pointer, format!("`{key}` is a list of strings")))
                }
                Some(items) => problems.extend(items.iter().enumerate().filter_map(|(i, item)| {
                    let wrong = item.as_str().is_none_or(str::is_empty);
                    wrong.then(|| Problem::new(format!("{pointer}/{i}"), "not a string, or empty"))
                })),
            },
            _ => problems.push(Problem::new(
                pointer,
                format!("unknown key `{key}`; known are `floating`, `requireDigest`, `allow`"),
            )),
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("web", "web", true),
            ("web", "web2", false),
            ("web*", "web:latest", true),
            ("*", "", true),
            ("registry.example/*", "registry.example/a/b:c", true),
            ("registry.example/*", "registry.example.evil/a", false),
            ("*/web:*", "a/b/web:latest", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(meets(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn every_problem_is_named() {
        let problems = problems(&json!({
            "floating": "latest", "allow": ["ok", 3, ""], "requireDigest": "yes", "a/b": 1,
        }));
        let mut pointers: Vec<_> = problems.iter().map(|p| p.pointer.as_str()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["/allow/1", "/allow/2", "/a~1b", "/floating", "/requireDigest"]);
        assert!(super::problems(&json!({"requireDigest": true, "floating": ["x"]})).is_empty());
        assert_eq!(super::problems(&json!([])).len(), 1);
    }
}
