//! Block collections, and what a node in block context begins with.

use super::{MAX_KEY, Reader, take};
use crate::{Mark, Node, Value};

impl Reader<'_> {
    /// The node that begins at this token, inside a collection at column
    /// `indent`. `keys` says whether it may be a mapping or a sequence.
    ///
    /// Like every production of block context it leaves the reader at the
    /// next token, which is on a later line.
    pub(super) fn block_node(&mut self, indent: isize, keys: bool) -> Option<Node> {
        let column = self.column;
        let node = match self.bytes[self.pos] {
            b'-' if self.blank_or_end(self.pos + 1) => {
                return if keys { self.block_sequence(column, false) } else { None };
            }
            quote @ (b'"' | b'\'') => {
                let (start, line) = (self.pos, self.line);
                let node = self.quoted(quote)?;
                if keys && self.line == line && self.colon(start).is_some() {
                    return self.block_mapping(column, node);
                }
                node
            }
            b'[' => self.flow_sequence()?,
            b'{' => self.flow_mapping()?,
            b'|' => self.block_scalar(indent, true)?,
            b'>' => self.block_scalar(indent, false)?,
            first => {
                if !self.begins_plain(first, false) {
                    return None;
                }
                let mark = self.mark();
                let (end, stop) = self.plain_line(self.pos);
                if self.bytes.get(stop) == Some(&b':') {
                    if !keys {
                        return None;
                    }
                    let key = self.plain_key(mark, end, stop)?;
                    return self.block_mapping(column, key);
                }
                return self.plain(mark, end, stop, indent);
            }
        };
        self.advance()?;
        self.fresh.then_some(node)
    }

    /// A mapping at `column`, from behind the colon of its first key.
    fn block_mapping(&mut self, column: isize, first: Node) -> Option<Node> {
        self.deeper()?;
        let from = self.entries.len();
        let mut mark = first.mark;
        let mut key = first;
        loop {
            let signature = self.new_key(from, &key)?;
            let value = self.block_value(column)?;
            mark.end = value.mark.end;
            self.push_entry(signature, key, value);
            if self.column != column {
                break;
            }
            key = self.block_key()?;
        }
        if self.column > column {
            return None;
        }
        self.depth -= 1;
        Some(Node { value: Value::Mapping(self.take_entries(from)?), mark })
    }

    /// A key of a mapping after its first, up to and over its colon.
    fn block_key(&mut self) -> Option<Node> {
        match self.bytes[self.pos] {
            quote @ (b'"' | b'\'') => {
                let (start, line) = (self.pos, self.line);
                let key = self.quoted(quote)?;
                if self.line != line {
                    return None;
                }
                self.colon(start)?;
                Some(key)
            }
            b'-' if self.blank_or_end(self.pos + 1) => None,
            first => {
                if !self.begins_plain(first, false) {
                    return None;
                }
                let mark = self.mark();
                let (end, stop) = self.plain_line(self.pos);
                if self.bytes.get(stop) != Some(&b':') {
                    return None;
                }
                self.plain_key(mark, end, stop)
            }
        }
    }

    /// Makes a key of `mark..end` and goes behind the colon at `stop`.
    fn plain_key(&mut self, mark: Mark, end: usize, stop: usize) -> Option<Node> {
        let text = &self.text[self.pos..end];
        if text == "<<" || stop - self.pos > MAX_KEY {
            return None;
        }
        self.pos = stop + 1;
        Some(self.plain_node(text, mark, end))
    }

    /// Goes behind the colon that makes what began at `start` a key.
    fn colon(&mut self, start: usize) -> Option<()> {
        let mut at = self.pos;
        while self.bytes.get(at) == Some(&b' ') {
            at += 1;
        }
        if self.bytes.get(at) != Some(&b':') || !self.blank_or_end(at + 1) || at - start > MAX_KEY {
            return None;
        }
        self.pos = at + 1;
        Some(())
    }

    /// What follows the colon of a key at `column`.
    fn block_value(&mut self, column: isize) -> Option<Node> {
        let behind = (self.pos, self.line, self.line_start);
        self.advance()?;
        if !self.fresh {
            self.block_node(column, false)
        } else if self.column > column {
            self.block_node(column, true)
        } else if self.column == column && self.is_dash() {
            self.block_sequence(column, true)
        } else {
            Some(self.nothing(behind))
        }
    }

    /// Whether this token begins an entry of a sequence.
    fn is_dash(&self) -> bool {
        self.bytes[self.pos] == b'-' && self.blank_or_end(self.pos + 1)
    }

    /// A sequence whose dashes stand at `column`, where the mapping that holds
    /// it may stand too.
    fn block_sequence(&mut self, column: isize, in_mapping: bool) -> Option<Node> {
        self.deeper()?;
        let from = self.items.len();
        let mut mark = self.mark();
        loop {
            self.pos += 1;
            let behind = (self.pos, self.line, self.line_start);
            self.advance()?;
            let item = if !self.fresh || self.column > column {
                self.block_node(column, true)?
            } else {
                self.nothing(behind)
            };
            mark.end = item.mark.end;
            self.items.push(item);
            if self.column != column || !self.is_dash() {
                break;
            }
        }
        if self.column > column || self.column == column && !in_mapping {
            return None;
        }
        self.depth -= 1;
        Some(Node { value: Value::Sequence(take(&mut self.items, from)), mark })
    }

    /// The null that stands where nothing does.
    fn nothing(&self, (pos, line, line_start): (usize, u32, usize)) -> Node {
        let column = self.text[line_start..pos].chars().count() + 1;
        self.plain_node("", self.mark_at(pos, line, column), pos)
    }
}
