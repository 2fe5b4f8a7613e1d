//! The short way from bytes to documents, for the YAML that manifests are.
//!
//! It reads block and flow collections, all five scalar styles, comments and
//! several documents, and builds the tree as it goes. Everything else (anchors,
//! aliases, tags, directives, `? ` and merge keys, tabs where spaces belong,
//! every error) it *declines* as a whole: `None`, and the file goes the long
//! way over events, which stays the authority. So it may give up at any doubt,
//! and must never read what the authority refuses, nor read it otherwise; the
//! tests in `tests/direct` hold it to that.
//!
//! [`cursor`](self) moves over bytes, lines and columns; the other files are
//! the grammar, one production each, in the terms of libyaml's scanner: the
//! *indent* of a node is the column of the innermost block collection that is
//! open, or -1, and a *key* may begin where a line or an entry begins.

mod block;
mod cursor;
mod flow;
mod keys;
mod literal;
mod plain;
mod quoted;

use crate::{Dialect, Document, FileId, Mark, Node};
use cursor::Stop;

/// Collections may stand in one another this deep; the authority's own limit
/// is higher.
const MAX_DEPTH: usize = 200;

/// A key is given up where it is this long; the scanner's own limit is 1,024.
const MAX_KEY: usize = 1000;

/// Reads a file, or declines it.
pub(crate) fn read(file: FileId, bytes: &[u8], dialect: Dialect) -> Option<Vec<Document>> {
    let lead = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    if bytes.len() >= u32::MAX as usize {
        return None;
    }
    let text = std::str::from_utf8(&bytes[lead..]).ok()?;
    let ascii = cursor::admit(text)?;
    Reader::new(file, dialect, text, lead, ascii).documents()
}

/// Where the reader is, and what it has made so far.
struct Reader<'a> {
    file: FileId,
    dialect: Dialect,
    text: &'a str,
    bytes: &'a [u8],
    /// Bytes before the text: the byte order mark.
    lead: usize,
    ascii: bool,
    pos: usize,
    /// 1-based.
    line: u32,
    /// Where the line begins.
    line_start: usize,
    /// Characters of this line before a byte of it, as last counted.
    counted: (usize, usize),
    /// After [`advance`](Self::advance): the column of the token in bytes, or
    /// -1 at a document's end.
    column: isize,
    /// After [`advance`](Self::advance): the token is the first of its line.
    fresh: bool,
    /// What ends the document, where `column` is -1.
    stop: Stop,
    depth: usize,
    /// The entries and items of all collections that are open. Each takes its
    /// own from the end, in one piece of the right size.
    entries: Vec<(Node, Node)>,
    items: Vec<Node>,
    /// One of each key of `entries`.
    signatures: Vec<u64>,
    scratch: String,
}

impl<'a> Reader<'a> {
    fn new(file: FileId, dialect: Dialect, text: &'a str, lead: usize, ascii: bool) -> Self {
        Reader {
            file,
            dialect,
            text,
            bytes: text.as_bytes(),
            lead,
            ascii,
            pos: 0,
            line: 1,
            line_start: 0,
            counted: (0, 0),
            column: -1,
            fresh: true,
            stop: Stop::End,
            depth: 0,
            entries: Vec::new(),
            items: Vec::new(),
            signatures: Vec::new(),
            scratch: String::new(),
        }
    }

    fn documents(mut self) -> Option<Vec<Document>> {
        let mut documents = Vec::new();
        let mut index = 0;
        loop {
            self.advance()?;
            let line = self.line;
            let explicit = match self.stop {
                _ if self.column >= 0 => false,
                Stop::End => return Some(documents),
                Stop::Dashes => true,
                // What may follow the end of a document is another end.
                Stop::Dots => {
                    self.pos += 3;
                    self.advance()?;
                    if index == 0 || !self.fresh {
                        return None;
                    }
                    continue;
                }
            };
            if explicit {
                self.pos += 3;
                self.advance()?;
            }
            // Only the first document may do without `---`; a node behind one
            // is left to the authority.
            if !explicit && index > 0 || !self.fresh {
                return None;
            }
            let root = if self.column >= 0 { Some(self.block_node(-1, true)?) } else { None };
            if self.column >= 0 {
                return None;
            }
            index += 1;
            documents.push(Document { index, root, line, repeated: Vec::new() });
        }
    }

    fn deeper(&mut self) -> Option<()> {
        self.depth += 1;
        (self.depth <= MAX_DEPTH).then_some(())
    }

    /// The mark of what begins here; its end is filled in later.
    fn mark(&mut self) -> Mark {
        let column = self.character();
        self.mark_at(self.pos, self.line, column)
    }

    fn mark_at(&self, pos: usize, line: u32, column: usize) -> Mark {
        let start = self.offset(pos);
        Mark { file: self.file, line, column: small(column), start, end: start }
    }

    /// A byte of the text as a byte of the file.
    fn offset(&self, pos: usize) -> u32 {
        small(self.lead + pos)
    }
}

/// The file is smaller than this can hold.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// `split_off` that leaves the stack its room even when it empties it.
fn take<T>(stack: &mut Vec<T>, from: usize) -> Vec<T> {
    let mut taken = Vec::with_capacity(stack.len() - from);
    taken.extend(stack.drain(from..));
    taken
}
