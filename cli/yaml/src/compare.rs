//! Which values differ between two states of a file.

use std::fmt;

use crate::{Document, Node, Value};

/// One step from a node to a node below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The value under a key.
    Key(String),
    /// An item of a list, from 0.
    Item(usize),
}

/// Prints a key plainly, and an item as `[0]`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Key(key) => f.write_str(key),
            Step::Item(index) => write!(f, "[{index}]"),
        }
    }
}

/// A place where two states differ: the shortest path that says it all.
#[derive(Clone, PartialEq)]
pub struct Difference {
    /// The document, from 0.
    pub document: usize,
    /// Where in it; empty for the whole document.
    pub path: Vec<Step>,
    /// What stood there.
    pub before: Option<Node>,
    /// What stands there now.
    pub after: Option<Node>,
}

/// Prints the place only: the values may be a Secret's.
impl fmt::Debug for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:?}", self.document, self.path)
    }
}

/// The places in which two states of a file differ, in the order of the file.
///
/// Scalars are equal when their text and type are; how they are written does
/// not count. Keys in another order are a difference of their mapping, and a
/// list is compared item by item from its start.
#[must_use]
pub fn differences(before: &[Document], after: &[Document]) -> Vec<Difference> {
    let mut found = Found { document: 0, path: Vec::new(), differences: Vec::new() };
    for document in 0..before.len().max(after.len()) {
        found.document = document;
        let root =
            |side: &'_ [Document]| side.get(document).and_then(|document| document.root.clone());
        found.compare(root(before).as_ref(), root(after).as_ref());
    }
    found.differences
}

/// Whether two nodes hold the same; how scalars are written does not count.
#[must_use]
pub fn same(one: &Node, two: &Node) -> bool {
    match (&one.value, &two.value) {
        (Value::Scalar(one), Value::Scalar(two)) => one.text == two.text && one.tag == two.tag,
        (Value::Sequence(one), Value::Sequence(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same(one, two))
        }
        (Value::Mapping(one), Value::Mapping(two)) => {
            one.len() == two.len()
                && one
                    .iter()
                    .zip(two)
                    .all(|(one, two)| same(&one.0, &two.0) && same(&one.1, &two.1))
        }
        _ => false,
    }
}

struct Found {
    document: usize,
    path: Vec<Step>,
    differences: Vec<Difference>,
}

impl Found {
    fn compare(&mut self, before: Option<&Node>, after: Option<&Node>) {
        match (before, after) {
            (None, None) => {}
            (Some(before), Some(after)) => match (&before.value, &after.value) {
                (Value::Mapping(old), Value::Mapping(new)) if same_keys(old, new) => {
                    for ((key, old), (_, new)) in old.iter().zip(new) {
                        self.below(step(key), Some(old), Some(new));
                    }
                }
                (Value::Mapping(old), Value::Mapping(new)) if in_order(old, new) => {
                    for (key, value) in old {
                        let other = new.iter().find(|(other, _)| same(key, other));
                        self.below(step(key), Some(value), other.map(|(_, value)| value));
                    }
                    for (key, value) in new {
                        if !old.iter().any(|(other, _)| same(key, other)) {
                            self.below(step(key), None, Some(value));
                        }
                    }
                }
                (Value::Sequence(old), Value::Sequence(new)) => {
                    for index in 0..old.len().max(new.len()) {
                        self.below(Step::Item(index), old.get(index), new.get(index));
                    }
                }
                _ if same(before, after) => {}
                _ => self.note(Some(before), Some(after)),
            },
            _ => self.note(before, after),
        }
    }

    fn below(&mut self, step: Step, before: Option<&Node>, after: Option<&Node>) {
        self.path.push(step);
        self.compare(before, after);
        self.path.pop();
    }

    fn note(&mut self, before: Option<&Node>, after: Option<&Node>) {
        self.differences.push(Difference {
            document: self.document,
            path: self.path.clone(),
            before: before.cloned(),
            after: after.cloned(),
        });
    }
}

/// A key as a step. Null is a key as well.
fn step(key: &Node) -> Step {
    Step::Key(match &key.value {
        Value::Scalar(scalar) => scalar.text.to_string(),
        _ => String::new(),
    })
}

fn same_keys(old: &[(Node, Node)], new: &[(Node, Node)]) -> bool {
    old.len() == new.len() && old.iter().zip(new).all(|((old, _), (new, _))| same(old, new))
}

/// Whether the keys that both have stand in the same order.
fn in_order(old: &[(Node, Node)], new: &[(Node, Node)]) -> bool {
    let common = |of: &[(Node, Node)], other: &[(Node, Node)]| -> Vec<Node> {
        of.iter()
            .map(|(key, _)| key)
            .filter(|key| other.iter().any(|(other, _)| same(key, other)))
            .cloned()
            .collect()
    };
    let (old, new) = (common(old, new), common(new, old));
    old.iter().zip(&new).all(|(old, new)| same(old, new))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{FileId, read};

    fn paths(before: &str, after: &str) -> Vec<String> {
        let read = |text: &str| read(FileId(0), text.as_bytes()).unwrap();
        differences(&read(before), &read(after))
            .iter()
            .map(|difference| {
                let path: Vec<String> = difference.path.iter().map(Step::to_string).collect();
                let sign = match (&difference.before, &difference.after) {
                    (None, _) => '+',
                    (_, None) => '-',
                    _ => '~',
                };
                format!("{}{sign}{}", difference.document, path.join("/"))
            })
            .collect()
    }

    #[test]
    fn each_place_is_named_once() {
        for (before, after, expected) in [
            ("a: 1\n", "a: 1 # c\n", &[][..]),
            ("a: 1\n", "a: '1'\n", &["0~a"]),
            ("a: x\n", "a: 'x'\n", &[]),
            ("a: {b: 1, c: 2}\n", "a: {b: 1, c: 3, d: 4}\n", &["0~a/c", "0+a/d"]),
            ("a: {b: 1, c: 2}\n", "a: {c: 2, b: 1}\n", &["0~a"]),
            ("a: {b: 1, c: 2}\n", "a: {c: 2}\n", &["0-a/b"]),
            ("a: [1, 2]\n", "a: [1, 3, 4]\n", &["0~a/[1]", "0+a/[2]"]),
            ("a: &x 1\nb: *x\n", "a: &x 2\nb: *x\n", &["0~a", "0~b"]),
            ("a: 1\n---\nb: 1\n", "a: 1\n---\nb: 2\n", &["1~b"]),
            ("a: 1\n", "a: 1\n---\nb: 2\n", &["1+"]),
            ("# none\n", "a: 1\n", &["0+"]),
            ("a: {b: 1}\n", "a: [1]\n", &["0~a"]),
        ] {
            assert_eq!(paths(before, after), expected, "{before:?} {after:?}");
        }
    }
}
