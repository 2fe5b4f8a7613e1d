//! The tree a YAML document is read into, with a mark on every node.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::Text;

/// Names a file. The reader is told which, and what the number stands for is
/// the caller's affair (an index into its own list of paths).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

impl FileId {
    /// A node that no file holds: generated, or read from a live object.
    pub const NONE: FileId = FileId(u32::MAX);
}

/// Where a node stands: the file, the 1-based line and column (in characters)
/// of its first character, and its half-open range of bytes. The range of a
/// scalar includes its quotes or block header, without tag and anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The file, or [`FileId::NONE`].
    pub file: FileId,
    /// 1-based line; 0 where there is no file.
    pub line: u32,
    /// 1-based column in characters; 0 where there is no file.
    pub column: u32,
    /// First byte, from the start of the file.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Mark {
    /// The mark of a node that no file holds.
    pub const NONE: Mark = Mark { file: FileId::NONE, line: 0, column: 0, start: 0, end: 0 };
}

/// The type of a scalar, resolved as go-yaml v3 does (YAML 1.2 booleans,
/// 1.1 octal and binary integers, `~` and `null`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tag {
    /// `!!null`
    Null,
    /// `!!bool`
    Bool,
    /// `!!int`
    Int,
    /// `!!float`
    Float,
    /// `!!str`
    Str,
    /// `!!timestamp`; reads as a string in JSON.
    Timestamp,
    /// `!!binary`
    Binary,
    /// A tag of the author's own, as written.
    Other(OwnTag),
}

/// A tag of an author's own. Seldom met, so it is kept aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnTag(Arc<Text>);

/// The tag as written.
impl Deref for OwnTag {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for OwnTag {
    fn from(tag: &str) -> OwnTag {
        OwnTag(Arc::new(tag.into()))
    }
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    #[default]
    Plain,
    /// `'…'`; of a null, one that is not written at all where flow context
    /// has a value: `{a: }`. go-yaml v3 writes it so, and thereby as a string.
    SingleQuoted,
    /// `"…"`
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// A scalar: its text with quotes and escapes undone, its type and its style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text, unquoted and unescaped.
    pub text: Text,
    /// Its type.
    pub tag: Tag,
    /// How it was written.
    pub style: Style,
}

/// What a node holds. Aliases and merge keys are expanded by the reader.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// A scalar.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping in the order of the file; keys are unique.
    Mapping(Vec<(Node, Node)>),
}

/// A value and where it stands.
#[derive(Clone)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it was read.
    pub mark: Mark,
}

/// Two nodes are equal when their values are; marks do not count.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// Prints marks and shapes only: a node may hold a Secret.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = match &self.value {
            Value::Scalar(_) => "scalar",
            Value::Sequence(_) => "sequence",
            Value::Mapping(_) => "mapping",
        };
        write!(f, "{shape}@{}:{}", self.mark.line, self.mark.column)
    }
}

impl Node {
    /// A plain string without a place.
    pub fn string(text: impl Into<Text>) -> Node {
        Node::scalar(text, Tag::Str)
    }

    /// A plain scalar of type `tag` without a place.
    pub fn scalar(text: impl Into<Text>, tag: Tag) -> Node {
        Node {
            value: Value::Scalar(Scalar { text: text.into(), tag, style: Style::Plain }),
            mark: Mark::NONE,
        }
    }

    /// An empty mapping without a place.
    pub fn mapping() -> Node {
        Node { value: Value::Mapping(Vec::new()), mark: Mark::NONE }
    }

    /// A sequence without a place.
    pub fn sequence(items: Vec<Node>) -> Node {
        Node { value: Value::Sequence(items), mark: Mark::NONE }
    }

    /// The same value at `mark`.
    #[must_use]
    pub fn at(mut self, mark: Mark) -> Node {
        self.mark = mark;
        self
    }

    /// The text of a scalar of any type except null; `None` for others.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) if scalar.tag != Tag::Null => Some(&scalar.text),
            _ => None,
        }
    }

    /// The text of a string (or timestamp); `None` for every other type.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(Scalar { text, tag: Tag::Str | Tag::Timestamp, .. }) => Some(text),
            _ => None,
        }
    }

    /// Whether this is a null scalar.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(Scalar { tag: Tag::Null, .. }))
    }

    /// The entries of a mapping, none for other nodes.
    pub fn entries(&self) -> &[(Node, Node)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The entries of a mapping, to be changed.
    pub fn entries_mut(&mut self) -> Option<&mut Vec<(Node, Node)>> {
        match &mut self.value {
            Value::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items of a sequence, none for other nodes.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The items of a sequence, to be changed.
    pub fn items_mut(&mut self) -> Option<&mut Vec<Node>> {
        match &mut self.value {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// Whether this is a mapping.
    pub fn is_mapping(&self) -> bool {
        matches!(self.value, Value::Mapping(_))
    }

    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(k, _)| k.text() == Some(key)).map(|(_, v)| v)
    }

    /// The value under `key`, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries_mut()?.iter_mut().find(|(k, _)| k.text() == Some(key)).map(|(_, v)| v)
    }

    /// The value at a path of keys.
    pub fn at_path(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Runs `change` on the mark of this node and of all that it holds.
    pub fn change_marks(&mut self, change: &mut dyn FnMut(&mut Mark)) {
        change(&mut self.mark);
        match &mut self.value {
            Value::Scalar(_) => {}
            Value::Sequence(items) => items.iter_mut().for_each(|item| item.change_marks(change)),
            Value::Mapping(entries) => {
                for (key, value) in entries {
                    key.change_marks(change);
                    value.change_marks(change);
                }
            }
        }
    }

    /// Puts `value` under `key`, in place of what stood there or at the end.
    /// Does nothing where this is not a mapping.
    pub fn set(&mut self, key: &str, value: Node) {
        if let Some(slot) = self.get_mut(key) {
            *slot = value;
        } else if let Some(entries) = self.entries_mut() {
            entries.push((Node::string(key), value));
        }
    }

    /// Takes `key` out and returns what stood there.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        let entries = self.entries_mut()?;
        let index = entries.iter().position(|(k, _)| k.text() == Some(key))?;
        Some(entries.remove(index).1)
    }
}
