//! Edits that change the bytes of their target and nothing else.

pub mod insert;

use std::fmt;
use std::ops::Range;

use insert::Layout;

use crate::spelling::string_like;
use crate::{Document, FileId, Mark, Node, ReadError, Value, read, same};

/// Bytes to put in place of others; an empty range inserts.
#[derive(Clone, PartialEq, Eq)]
pub struct Splice {
    /// What is replaced, in bytes from the start of the file.
    pub range: Range<usize>,
    /// What stands there afterwards.
    pub with: Vec<u8>,
}

/// Prints where and how much: the bytes may be a Secret's.
impl fmt::Debug for Splice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} → {} bytes", self.range, self.with.len())
    }
}

/// Why an edit was not made. Offsets are bytes from the start of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpliceError {
    /// Two edits touch the same bytes.
    #[error("two edits overlap at byte {at}")]
    Overlap {
        /// Where the second one starts.
        at: usize,
    },
    /// An edit reaches past the end of the file, or ends before it starts.
    #[error("an edit of bytes {start} to {end} lies outside the file")]
    OutOfRange {
        /// First byte.
        start: usize,
        /// One past the last byte.
        end: usize,
    },
    /// No value stands at the mark: the mark is of another text.
    #[error("line {line}, column {column}: no such value stands here")]
    NotFound {
        /// 1-based line of the mark.
        line: u32,
        /// 1-based column of the mark.
        column: u32,
    },
    /// The mapping has the key already.
    #[error("line {line}: key `{key}` exists already")]
    KeyExists {
        /// The key.
        key: String,
        /// 1-based line of the key.
        line: u32,
    },
    /// The value's spelling leaves no room for the edit.
    #[error("line {line}, column {column}: {reason}")]
    Unsupported {
        /// 1-based line of the mark.
        line: u32,
        /// 1-based column of the mark.
        column: u32,
        /// What stands in the way.
        reason: &'static str,
    },
    /// The text cannot be read, before or after the edit.
    #[error("the edited text does not read: {0}")]
    Read(ReadError),
    /// The edit would change something besides its target, as where an anchor
    /// is used elsewhere.
    #[error("line {line}, column {column}: an edit here would change more than this value")]
    Spreads {
        /// 1-based line of the mark.
        line: u32,
        /// 1-based column of the mark.
        column: u32,
    },
}

/// Applies edits, given in any order. Insertions at one place keep their order.
///
/// # Errors
///
/// [`SpliceError::Overlap`] and [`SpliceError::OutOfRange`].
pub fn apply(bytes: &[u8], mut splices: Vec<Splice>) -> Result<Vec<u8>, SpliceError> {
    splices.sort_by_key(|splice| (splice.range.start, splice.range.end));
    let mut out = Vec::with_capacity(bytes.len());
    let mut done = 0;
    for Splice { range: Range { start, end }, with } in splices {
        if start > end || end > bytes.len() {
            return Err(SpliceError::OutOfRange { start, end });
        }
        let between = bytes.get(done..start).ok_or(SpliceError::Overlap { at: start })?;
        out.extend_from_slice(between);
        out.extend_from_slice(&with);
        done = end;
    }
    out.extend_from_slice(&bytes[done..]);
    Ok(out)
}

/// Replaces the scalar at `mark` by a string, spelled as the old one where
/// that is possible, and returns the whole text.
///
/// The result is read again: every other value must be as before.
///
/// # Errors
///
/// Where no scalar value stands at `mark`, where the text does not read, and
/// where the edit would change more than this value (an anchored scalar that is
/// used elsewhere, a scalar with a tag).
pub fn set_string(bytes: &[u8], mark: &Mark, new: &str) -> Result<Vec<u8>, SpliceError> {
    let mut expected = read_back(bytes)?;
    let target = Node::string(new);
    if change(&mut expected, mark, &mut |node| {
        let is_scalar = matches!(node.value, Value::Scalar(_));
        if is_scalar {
            node.value = target.value.clone();
        }
        is_scalar
    }) == 0
    {
        return Err(SpliceError::NotFound { line: mark.line, column: mark.column });
    }
    let edited = apply(bytes, vec![replacement(bytes, mark, Written::Text(new))])?;
    verify(&edited, &expected, mark)?;
    Ok(edited)
}

/// What is to stand where a scalar stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written<'a> {
    /// A string, spelled like the old scalar where that is possible.
    Text(&'a str),
    /// A string in the quotes that JSON has.
    Quoted(&'a str),
    /// Just this, such as a number.
    Plain(&'a str),
}

/// The splice that puts a scalar in place of the one at `mark`. Nothing is
/// read or proved here: whether only that value changes is for the caller to
/// find out, by [`crate::differences`].
pub fn replacement(bytes: &[u8], mark: &Mark, new: Written<'_>) -> Splice {
    let range = mark.start as usize..mark.end as usize;
    let old = bytes.get(range.clone()).and_then(|span| std::str::from_utf8(span).ok());
    let old = old.unwrap_or_default();
    let mut with = match new {
        Written::Text(text) => string_like(old, text),
        Written::Quoted(text) => string_like("\"\"", text),
        Written::Plain(text) => text.to_owned(),
    };
    if range.is_empty() && range.start > 0 && !matches!(bytes[range.start - 1], b' ' | b'\t') {
        with.insert(0, ' ');
    }
    if old.starts_with(['|', '>']) {
        // A block scalar's span ends after its line breaks; they stay.
        let text = old.trim_end_matches([' ', '\t', '\r', '\n']);
        with.push_str(&old[text.len()..]);
    }
    Splice { range, with: with.into_bytes() }
}

/// Adds `key: value` as the last entry of a mapping, and returns the whole
/// text. In a block mapping that is a line of its own at the mapping's
/// indentation with the file's line break, in `{…}` it stands before the brace.
/// Both strings are quoted only where they must be, or where the mapping's
/// first key is.
///
/// The result is read again: every other value must be as before.
///
/// # Errors
///
/// Where the key exists, where `mapping` is no mapping of this text or an alias,
/// and where the edit would change more than this mapping.
pub fn insert_entry(
    bytes: &[u8],
    mapping: &Node,
    key: &str,
    value: &str,
) -> Result<Vec<u8>, SpliceError> {
    let mark = &mapping.mark;
    let mut expected = read_back(bytes)?;
    let mut found = None;
    change(&mut expected, mark, &mut |node| {
        let before = node.clone();
        let Some(entries) = node.entries_mut() else { return false };
        entries.push((Node::string(key), Node::string(value)));
        found = Some(before);
        true
    });
    let Some(found) = found else {
        return Err(SpliceError::NotFound { line: mark.line, column: mark.column });
    };
    if let Some((old, _)) = found.entries().iter().find(|(old, _)| old.text() == Some(key)) {
        return Err(SpliceError::KeyExists { key: key.to_owned(), line: old.mark.line });
    }
    let layout = Layout { step: 2, dash: 0, json: false };
    let splice = insert::entry(bytes, &found, key, &Node::string(value), layout)?;
    let edited = apply(bytes, vec![splice])?;
    verify(&edited, &expected, mark)?;
    Ok(edited)
}

/// The entries that stand in the mapping's own span: not the merged ones.
fn own_entries(mapping: &Node) -> impl Iterator<Item = &(Node, Node)> {
    let Mark { start, end, .. } = mapping.mark;
    mapping.entries().iter().filter(move |(key, value)| {
        key.mark.start >= start && key.mark.end <= end && value.mark.end <= end
    })
}

fn spelling<'a>(bytes: &'a [u8], node: &Node) -> &'a str {
    let span = &bytes[node.mark.start as usize..node.mark.end as usize];
    std::str::from_utf8(span).unwrap_or_default()
}

fn read_back(bytes: &[u8]) -> Result<Vec<Document>, SpliceError> {
    read(FileId::NONE, bytes).map_err(SpliceError::Read)
}

/// Calls `edit` for each value at `mark`, and counts those it took.
fn change(
    documents: &mut [Document],
    mark: &Mark,
    edit: &mut dyn FnMut(&mut Node) -> bool,
) -> usize {
    fn walk(node: &mut Node, mark: &Mark, edit: &mut dyn FnMut(&mut Node) -> bool) -> usize {
        let here = (node.mark.start, node.mark.end) == (mark.start, mark.end);
        if here && edit(node) {
            return 1;
        }
        match &mut node.value {
            Value::Scalar(_) => 0,
            Value::Sequence(items) => items.iter_mut().map(|item| walk(item, mark, edit)).sum(),
            Value::Mapping(entries) => {
                entries.iter_mut().map(|(_, value)| walk(value, mark, edit)).sum()
            }
        }
    }
    // One edit, even where an alias shows the same node again: what else
    // changes is for `verify` to find.
    let mut done = false;
    let mut once = |node: &mut Node| {
        let take = !done && edit(node);
        done |= take;
        take
    };
    documents
        .iter_mut()
        .filter_map(|d| d.root.as_mut())
        .map(|root| walk(root, mark, &mut once))
        .sum()
}

fn verify(edited: &[u8], expected: &[Document], mark: &Mark) -> Result<(), SpliceError> {
    let found = read_back(edited)?;
    let same = found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| {
            match (&found.root, &expected.root) {
                (Some(found), Some(expected)) => same(found, expected),
                (None, None) => true,
                _ => false,
            }
        });
    if same { Ok(()) } else { Err(SpliceError::Spreads { line: mark.line, column: mark.column }) }
}
