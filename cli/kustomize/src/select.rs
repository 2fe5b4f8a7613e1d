//! Selecting objects: by regular expressions over their identity, and by
//! label selectors.
//!
//! Rules from kustomize v5.8, api/types/selector.go and api/resmap, and from
//! Kubernetes' label selectors.

use regex::Regex;

use crate::id::Id;
use crate::kustomization::Selector;
use crate::resource::Object;

/// A selector ready to match.
pub(crate) struct Matcher {
    group: Option<Regex>,
    version: Option<Regex>,
    kind: Option<Regex>,
    name: Option<Regex>,
    namespace: Option<Regex>,
    labels: Vec<Requirement>,
    annotations: Vec<Requirement>,
}

impl Matcher {
    /// Compiles a selector. The error says which part does not parse.
    pub(crate) fn new(selector: &Selector) -> Result<Matcher, String> {
        Ok(Matcher {
            group: anchored(&selector.gvk.group)?,
            version: anchored(&selector.gvk.version)?,
            kind: anchored(&selector.gvk.kind)?,
            name: anchored(&selector.name)?,
            namespace: anchored(&selector.namespace)?,
            labels: parse(&selector.label_selector)?,
            annotations: parse(&selector.annotation_selector)?,
        })
    }

    /// Whether an object matches, by its first or its present name and namespace.
    pub(crate) fn matches(&self, object: &Object) -> bool {
        let now = object.id();
        let first = object.original_id();
        (part(&self.namespace, first.effective_namespace())
            || part(&self.namespace, now.effective_namespace()))
            && (part(&self.name, &first.name) || part(&self.name, &now.name))
            && part(&self.group, &now.gvk.group)
            && part(&self.version, &now.gvk.version)
            && part(&self.kind, &now.gvk.kind)
            && self.matches_texts(object)
    }
}

impl Matcher {
    /// Whether the labels and annotations match.
    pub(crate) fn matches_texts(&self, object: &Object) -> bool {
        (self.labels.is_empty() || meet(&self.labels, &object.texts("labels")))
            && (self.annotations.is_empty()
                || meet(&self.annotations, &object.texts("annotations")))
    }

    /// Whether one identity matches, its namespace as written.
    pub(crate) fn matches_id(&self, id: &Id) -> bool {
        part(&self.group, &id.gvk.group)
            && part(&self.version, &id.gvk.version)
            && part(&self.kind, &id.gvk.kind)
            && part(&self.name, &id.name)
            && part(&self.namespace, &id.namespace)
    }
}

fn part(regex: &Option<Regex>, text: &str) -> bool {
    regex.as_ref().is_none_or(|regex| regex.is_match(text))
}

fn anchored(pattern: &str) -> Result<Option<Regex>, String> {
    if pattern.is_empty() {
        return Ok(None);
    }
    Regex::new(&format!("^(?:{pattern})$"))
        .map(Some)
        .map_err(|_| format!("`{pattern}` is no regular expression"))
}

/// One requirement of a label selector.
#[derive(Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
}

fn meet(requirements: &[Requirement], texts: &[(String, String)]) -> bool {
    requirements.iter().all(|requirement| {
        let found = texts.iter().find(|(key, _)| *key == requirement.key).map(|(_, value)| value);
        match (&requirement.test, found) {
            (Test::Exists, found) => found.is_some(),
            (Test::Absent, found) => found.is_none(),
            (Test::In(values), Some(found)) => values.contains(found),
            (Test::NotIn(values), Some(found)) => !values.contains(found),
            (Test::NotIn(_), None) => true,
            (Test::Above(limit), Some(found)) => found.parse::<i64>().is_ok_and(|own| own > *limit),
            (Test::Below(limit), Some(found)) => found.parse::<i64>().is_ok_and(|own| own < *limit),
            (Test::In(_) | Test::Above(_) | Test::Below(_), None) => false,
        }
    })
}

fn parse(selector: &str) -> Result<Vec<Requirement>, String> {
    let fail = || {
        format!("`{selector}` is no label selector; write it as `key=value,other in (a,b),!third`")
    };
    let mut found = Vec::new();
    for piece in split_outside_parentheses(selector) {
        let piece = piece.trim();
        if piece.is_empty() {
            if selector.trim().is_empty() {
                continue;
            }
            return Err(fail());
        }
        found.push(parse_requirement(piece).ok_or_else(fail)?);
    }
    Ok(found)
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (index, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                pieces.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    pieces.push(&text[start..]);
    pieces
}

fn parse_requirement(piece: &str) -> Option<Requirement> {
    let requirement = |key: &str, test| {
        let key = key.trim();
        let valid = !key.is_empty()
            && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'));
        valid.then(|| Requirement { key: key.to_owned(), test })
    };
    let one = |value: &str| {
        let value = value.trim();
        valid_value(value).then(|| vec![value.to_owned()])
    };
    if let Some(key) = piece.strip_prefix('!') {
        return requirement(key, Test::Absent);
    }
    if let Some((key, value)) = piece.split_once("!=") {
        return requirement(key, Test::NotIn(one(value)?));
    }
    if let Some((key, value)) = piece.split_once("==").or_else(|| piece.split_once('=')) {
        return requirement(key, Test::In(one(value)?));
    }
    if let Some((key, value)) = piece.split_once('>') {
        return requirement(key, Test::Above(value.trim().parse().ok()?));
    }
    if let Some((key, value)) = piece.split_once('<') {
        return requirement(key, Test::Below(value.trim().parse().ok()?));
    }
    if let Some((head, values)) = piece.split_once('(') {
        let values: Vec<String> = values
            .trim()
            .strip_suffix(')')?
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect();
        if !values.iter().all(|value| valid_value(value)) {
            return None;
        }
        let mut words = head.split_whitespace();
        let (key, word) = (words.next()?, words.next()?);
        if words.next().is_some() {
            return None;
        }
        return match word {
            "in" => requirement(key, Test::In(values)),
            "notin" => requirement(key, Test::NotIn(values)),
            _ => None,
        };
    }
    requirement(piece, Test::Exists)
}

fn valid_value(value: &str) -> bool {
    value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn meets(selector: &str, texts: &[(&str, &str)]) -> bool {
        let texts: Vec<_> = texts.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        meet(&parse(selector).unwrap(), &texts)
    }

    #[test]
    fn label_selectors_match_as_in_kubernetes() {
        let labels = [("app", "web"), ("tier", "3")];
        assert!(meets("app=web", &labels));
        assert!(meets("app == web, tier in (3,4)", &labels));
        assert!(!meets("app!=web", &labels));
        assert!(meets("other!=x", &labels));
        assert!(meets("app,!other,tier>2", &labels));
        assert!(!meets("other", &labels));
        assert!(meets("other notin (a)", &labels));
        assert!(parse("app in web").is_err());
        assert!(parse("a b=c").is_err());
    }
}
