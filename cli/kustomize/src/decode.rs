//! Strict reading of configuration from nodes: every complaint names file,
//! line, column and field.

use std::cell::RefCell;

use gitops_tree::TreePath;
use gitops_yaml::{Mark, Node, Tag, Value};

use crate::error::{BuildError, Place};

/// Reads nodes of one file.
#[derive(Clone, Copy)]
pub(crate) struct Decode<'a> {
    pub(crate) path: &'a TreePath,
    /// Whether unknown fields are passed over. kustomize does so in the files
    /// that configure its plugins and fields, and only there.
    lenient: bool,
    /// Whether numbers and booleans are strings where a string is wanted, as
    /// sigs.k8s.io/yaml has it that knows the type: for plugins.
    loose: bool,
    /// Where errors go that do not keep the rest from being read.
    errors: Option<&'a RefCell<Vec<BuildError>>>,
}

impl<'a> Decode<'a> {
    /// Passes over unknown fields.
    pub(crate) fn lenient(path: &'a TreePath) -> Decode<'a> {
        Decode { path, lenient: true, loose: false, errors: None }
    }

    /// Reads the configuration of a plugin.
    pub(crate) fn plugin(path: &'a TreePath) -> Decode<'a> {
        Decode { loose: true, ..Decode::lenient(path) }
    }

    /// Refuses unknown fields, and stops at the first error.
    pub(crate) fn strict(path: &'a TreePath) -> Decode<'a> {
        Decode { path, lenient: false, loose: false, errors: None }
    }

    /// Refuses unknown fields, and goes on after errors.
    pub(crate) fn collecting(
        path: &'a TreePath,
        errors: &'a RefCell<Vec<BuildError>>,
    ) -> Decode<'a> {
        Decode { path, lenient: false, loose: false, errors: Some(errors) }
    }

    /// What was read; where it was not and errors are collected, nothing.
    pub(crate) fn or_report<T>(
        &self,
        read: Result<T, BuildError>,
    ) -> Result<Option<T>, BuildError> {
        match (read, self.errors) {
            (Ok(value), _) => Ok(Some(value)),
            (Err(error), None) => Err(error),
            (Err(error), Some(errors)) => {
                errors.borrow_mut().push(error);
                Ok(None)
            }
        }
    }
    pub(crate) fn place(&self, mark: Mark) -> Place {
        let known = mark.line > 0;
        Place {
            path: self.path.clone(),
            line: known.then_some(mark.line),
            column: (known && mark.column > 0).then_some(mark.column),
        }
    }

    pub(crate) fn wrong(&self, node: &Node, field: &str, expected: &'static str) -> BuildError {
        BuildError::WrongType { place: self.place(node.mark), field: field.to_owned(), expected }
    }

    /// The entries of a mapping under their known names, without nulls. Keys
    /// may differ in case, as they may for kustomize.
    pub(crate) fn fields<'n>(
        &self,
        node: &'n Node,
        parent: &str,
        known: &[&'static str],
    ) -> Result<Vec<(&'static str, &'n Node, &'n Node)>, BuildError> {
        if !node.is_mapping() {
            return Err(self.wrong(
                node,
                if parent.is_empty() { "kustomization" } else { parent },
                "a mapping",
            ));
        }
        let mut found = Vec::with_capacity(node.entries().len());
        for (key, value) in node.entries() {
            let text = key.text().unwrap_or_default();
            let name = known
                .iter()
                .find(|name| **name == text)
                .or_else(|| known.iter().find(|name| name.eq_ignore_ascii_case(text)));
            let Some(name) = name else {
                if self.lenient {
                    continue;
                }
                let near = known
                    .iter()
                    .map(|name| (strsim::damerau_levenshtein(name, text), *name))
                    .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
                    .min();
                self.or_report::<()>(Err(BuildError::UnknownField {
                    place: self.place(key.mark),
                    field: join(parent, text),
                    near: near.map(|(_, name)| name.to_owned()),
                }))?;
                continue;
            };
            if !value.is_null() {
                found.push((*name, key, value));
            }
        }
        // Of two spellings of one name the last by text counts, as it does in
        // JSON whose keys are sorted.
        if found
            .iter()
            .enumerate()
            .any(|(at, (name, ..))| found[..at].iter().any(|(earlier, ..)| earlier == name))
        {
            found.sort_by_key(|(_, key, _)| key.text());
        }
        Ok(found)
    }

    pub(crate) fn string<'n>(&self, node: &'n Node, field: &str) -> Result<&'n str, BuildError> {
        let loose = match &node.value {
            Value::Scalar(scalar) if self.loose => {
                matches!(scalar.tag, Tag::Int | Tag::Float | Tag::Bool).then_some(&*scalar.text)
            }
            _ => None,
        };
        node.as_str().or(loose).ok_or_else(|| self.wrong(node, field, "a string; put it in quotes"))
    }

    pub(crate) fn boolean(&self, node: &Node, field: &str) -> Result<bool, BuildError> {
        match &node.value {
            Value::Scalar(scalar) if scalar.tag == Tag::Bool => {
                // YAML 1.1 has more words than these two for them.
                let is = |word: &str| scalar.text.eq_ignore_ascii_case(word);
                Ok(["true", "yes", "on", "y"].into_iter().any(is))
            }
            _ => Err(self.wrong(node, field, "true or false")),
        }
    }

    pub(crate) fn list<'n>(&self, node: &'n Node, field: &str) -> Result<&'n [Node], BuildError> {
        match &node.value {
            Value::Sequence(items) => Ok(items),
            _ => Err(self.wrong(node, field, "a list")),
        }
    }

    /// A list of strings, as nodes.
    pub(crate) fn strings(&self, node: &Node, field: &str) -> Result<Vec<Node>, BuildError> {
        let items = self.list(node, field)?;
        let mut strings = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            if item.as_str().is_some() {
                strings.push(item.clone());
            } else {
                self.or_report(self.string(item, &format!("{field}[{index}]")))?;
            }
        }
        Ok(strings)
    }

    /// A mapping of strings, sorted by key.
    pub(crate) fn string_map(
        &self,
        node: &Node,
        field: &str,
    ) -> Result<Vec<(String, Node)>, BuildError> {
        if !node.is_mapping() {
            return Err(self.wrong(node, field, "a mapping of strings"));
        }
        let mut pairs = Vec::with_capacity(node.entries().len());
        for (key, value) in node.entries() {
            let name = key.text().unwrap_or_default().to_owned();
            if value.is_null() {
                pairs.push((name, Node::string("").at(value.mark)));
                continue;
            }
            if self.or_report(self.string(value, &join(field, &name)))?.is_some() {
                pairs.push((name, value.clone()));
            }
        }
        pairs.sort_by(|left, right| left.0.cmp(&right.0));
        Ok(pairs)
    }
}

/// `parent.field`, or the field alone.
pub(crate) fn join(parent: &str, field: &str) -> String {
    if parent.is_empty() { field.to_owned() } else { format!("{parent}.{field}") }
}
