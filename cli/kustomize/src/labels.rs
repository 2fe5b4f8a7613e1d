//! Label selectors, as Kubernetes reads them (k8s.io/apimachinery, pkg/labels):
//! `key=value`, `key!=value`, `key in (a,b)`, `key notin (a,b)`, `key`, `!key`,
//! `key>1`, `key<1`, joined by commas.

use std::str::FromStr;

/// What labels must be. The empty selector takes all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

impl LabelSelector {
    /// Whether it takes all.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether labels meet every requirement; `label` gives the value of one.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|requirement| {
            let number = |found: &str| found.parse::<i64>().ok();
            match (&requirement.test, label(&requirement.key)) {
                (Test::Exists, found) => found.is_some(),
                (Test::Absent, found) => found.is_none(),
                (Test::In(values), Some(found)) => values.iter().any(|value| value == found),
                (Test::NotIn(values), Some(found)) => !values.iter().any(|value| value == found),
                (Test::NotIn(_), None) => true,
                (Test::Above(limit), Some(found)) => number(found).is_some_and(|own| own > *limit),
                (Test::Below(limit), Some(found)) => number(found).is_some_and(|own| own < *limit),
                (Test::In(_) | Test::Above(_) | Test::Below(_), None) => false,
            }
        })
    }
}

/// The error says what is wrong and how it is written.
impl FromStr for LabelSelector {
    type Err = String;

    fn from_str(selector: &str) -> Result<LabelSelector, String> {
        let fail = || {
            format!(
                "`{selector}` is no label selector; write it as `key=value,other in (a,b),!third`"
            )
        };
        if selector.trim().is_empty() {
            return Ok(LabelSelector::default());
        }
        let requirements = split_outside_parentheses(selector)
            .into_iter()
            .map(|piece| parse_requirement(piece.trim()).ok_or_else(fail))
            .collect::<Result<_, _>>()?;
        Ok(LabelSelector { requirements })
    }
}

/// One requirement of a label selector.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
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

    fn meets(selector: &str, labels: &[(&str, &str)]) -> bool {
        let selector: LabelSelector = selector.parse().unwrap();
        selector
            .matches(|key| labels.iter().find(|(name, _)| *name == key).map(|(_, value)| *value))
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
        assert!("app in web".parse::<LabelSelector>().is_err());
        assert!("a,,b".parse::<LabelSelector>().is_err());
        assert!(meets("", &labels));
        assert!("a b=c".parse::<LabelSelector>().is_err());
    }
}
