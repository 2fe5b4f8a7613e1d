//! Objects: as read ([`Raw`]) and as may be shown ([`Object`]).

use std::fmt;

use serde_json::Value;

use crate::key::{ObjectKey, group_of};

/// Where an object stands in a Git tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// Path from the root of the tree.
    pub path: String,
    /// 1-based number of the document in its file.
    pub document: u32,
    /// 1-based line; `None` where the object was generated.
    pub line: Option<u32>,
}

/// Prints `path:line`, or the path alone.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.path),
            None => f.write_str(&self.path),
        }
    }
}

/// One object with its real bytes, desired or live. It has no `Debug`,
/// `Display` or `Serialize`: it may hold a Secret. It is compared inside this
/// crate, and sent only by the cluster edge.
#[derive(Clone)]
pub struct Raw {
    /// Its name.
    pub key: ObjectKey,
    /// `apiVersion` as written.
    pub api_version: String,
    /// The whole object.
    pub json: Value,
    /// Where it stands in Git; `None` for a live object.
    pub source: Option<Source>,
    /// Lines of its fields, for desired objects.
    pub lines: Lines,
}

impl Raw {
    /// A live object, as the server sent it. `None` where it lacks
    /// `apiVersion`, `kind` or `metadata.name`.
    pub fn live(json: Value) -> Option<Raw> {
        let api_version = json.get("apiVersion")?.as_str()?.to_owned();
        let metadata = json.get("metadata")?;
        let key = ObjectKey {
            group: group_of(&api_version).to_owned(),
            kind: json.get("kind")?.as_str()?.to_owned(),
            namespace: metadata.get("namespace").and_then(Value::as_str).map(str::to_owned),
            name: metadata.get("name")?.as_str()?.to_owned(),
        };
        Some(Raw { key, api_version, json, source: None, lines: Lines::default() })
    }
}

/// Where each field of an object stands: JSON pointer → `path:line`. Kept
/// beside the tree, since most fields are never asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lines(pub std::sync::Arc<std::collections::BTreeMap<String, Source>>);

impl Lines {
    /// The same lines of files under other names.
    #[must_use]
    pub fn renamed(&self, name: impl Fn(&str) -> String) -> Lines {
        let rename = |source: &Source| Source { path: name(&source.path), ..source.clone() };
        Lines(std::sync::Arc::new(self.0.iter().map(|(p, s)| (p.clone(), rename(s))).collect()))
    }

    /// The place of the field at `pointer`, or of its nearest parent that is
    /// in a file.
    pub fn find(&self, pointer: &str) -> Option<&Source> {
        let mut pointer = pointer;
        loop {
            if let Some(source) = self.0.get(pointer) {
                return Some(source);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }
}

/// An object that may be shown: normalised, with Secret values sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its name.
    pub key: ObjectKey,
    /// `apiVersion` as written or served.
    pub api_version: String,
    /// The tree, without what the server adds and with seals for secrets.
    pub tree: Value,
    /// Where it stands in Git; `None` for a live object.
    pub source: Option<Source>,
    /// Lines of its fields, for desired objects.
    pub lines: Lines,
}
