//! Flow collections: `[…]` and `{…}`.

use super::{MAX_KEY, Reader, take};
use crate::{Node, Value};

impl Reader<'_> {
    /// The sequence at this token, over its bracket. Pairs without braces
    /// (`[a: b]`) are declined.
    pub(super) fn flow_sequence(&mut self) -> Option<Node> {
        self.deeper()?;
        let from = self.items.len();
        let mut mark = self.mark();
        self.pos += 1;
        self.skip_in_flow()?;
        while self.bytes[self.pos] != b']' {
            let item = self.flow_node()?;
            self.items.push(item);
            self.separator(b']')?;
        }
        self.pos += 1;
        self.depth -= 1;
        mark.end = self.offset(self.pos);
        Some(Node { value: Value::Sequence(take(&mut self.items, from)), mark })
    }

    /// The mapping at this token, over its brace. Keys without a value are
    /// declined.
    pub(super) fn flow_mapping(&mut self) -> Option<Node> {
        self.deeper()?;
        let from = self.entries.len();
        let mut mark = self.mark();
        self.pos += 1;
        self.skip_in_flow()?;
        while self.bytes[self.pos] != b'}' {
            let key = self.flow_key()?;
            let signature = self.new_key(from, &key)?;
            let value = self.flow_node()?;
            self.push_entry(signature, key, value);
            self.separator(b'}')?;
        }
        self.pos += 1;
        self.depth -= 1;
        mark.end = self.offset(self.pos);
        Some(Node { value: Value::Mapping(self.take_entries(from)?), mark })
    }

    fn flow_node(&mut self) -> Option<Node> {
        match self.bytes[self.pos] {
            quote @ (b'"' | b'\'') => self.quoted(quote),
            b'[' => self.flow_sequence(),
            b'{' => self.flow_mapping(),
            first => self.flow_plain_node(first),
        }
    }

    /// A plain scalar on one line. What follows it tells whether it would go
    /// on on the next, which is declined.
    fn flow_plain_node(&mut self, first: u8) -> Option<Node> {
        if !self.begins_plain(first, true) {
            return None;
        }
        let mark = self.mark();
        let (end, stop) = self.flow_plain(self.pos)?;
        let text = &self.text[self.pos..end];
        self.pos = stop;
        Some(self.plain_node(text, mark, end))
    }

    /// A key, its colon and what is between that and the value.
    fn flow_key(&mut self) -> Option<Node> {
        let (start, line) = (self.pos, self.line);
        let first = self.bytes[start];
        let key = match first {
            b'"' | b'\'' => self.quoted(first)?,
            _ => self.flow_plain_node(first).filter(|key| key.text() != Some("<<"))?,
        };
        self.skip_in_flow()?;
        // A plain scalar ends only at a colon with a blank behind it.
        if self.bytes[self.pos] != b':' || self.line != line || self.pos - start > MAX_KEY {
            return None;
        }
        self.pos += 1;
        self.skip_in_flow()?;
        Some(key)
    }

    /// Over the comma after a node, or up to the end of the collection.
    fn separator(&mut self, end: u8) -> Option<()> {
        self.skip_in_flow()?;
        match self.bytes[self.pos] {
            b',' => {
                self.pos += 1;
                self.skip_in_flow()
            }
            byte => (byte == end).then_some(()),
        }
    }

    /// To the next token of flow context, which there must be.
    fn skip_in_flow(&mut self) -> Option<()> {
        loop {
            match *self.bytes.get(self.pos)? {
                b' ' | b'\t' => self.pos += 1,
                b'\n' | b'\r' => self.cross(),
                b'#' => self.comment()?,
                // In the first column these may be document markers.
                b'-' | b'.' if self.pos == self.line_start => return None,
                _ => return Some(()),
            }
        }
    }
}
