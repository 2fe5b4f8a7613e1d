//! Plain scalars.

use super::Reader;
use super::cursor::{find, is_blank};
use crate::read::plain_tag;
use crate::{Mark, Node, Scalar, Style, Value};

/// Bytes that may end the line of a plain scalar in flow context.
const FLOW_STOPS: [bool; 256] = stops(b":#\n\r,[]{}");
/// Bytes that no plain scalar begins with, whatever follows.
const INDICATORS: [bool; 256] = stops(b",[]{}#&*!|>'\"%@` \t\n\r");

const fn stops(bytes: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
}

impl Reader<'_> {
    /// Whether a plain scalar begins at this token.
    pub(super) fn begins_plain(&self, first: u8, flow: bool) -> bool {
        match first {
            b'-' => !self.blank_or_end(self.pos + 1),
            b'?' | b':' => !flow && !self.blank_or_end(self.pos + 1),
            _ => !INDICATORS[usize::from(first)],
        }
    }

    /// The part of a plain scalar on one line: where its text ends, and the
    /// place behind the blanks after it: the end of the line or file, a comment,
    /// or the colon that makes it a key.
    pub(super) fn plain_line(&self, from: usize) -> (usize, usize) {
        let mut at = from;
        loop {
            at = find(self.bytes, at, b':', b'#');
            let goes_on = match self.bytes.get(at) {
                Some(b':') => !self.blank_or_end(at + 1),
                Some(b'#') => at == from || !is_blank(self.bytes[at - 1]),
                Some(b'\t') => true,
                _ => false,
            };
            if !goes_on {
                return (self.trimmed(from, at), at);
            }
            at += 1;
        }
    }

    /// The same in flow context, where it ends at indicators too.
    pub(super) fn flow_plain(&self, from: usize) -> Option<(usize, usize)> {
        let mut at = from;
        while let Some(&byte) = self.bytes.get(at) {
            if FLOW_STOPS[usize::from(byte)] {
                let goes_on = match byte {
                    b':' => match self.bytes.get(at + 1) {
                        // An error to libyaml.
                        Some(b',' | b'?' | b'[' | b']' | b'{' | b'}') => return None,
                        _ => !self.blank_or_end(at + 1),
                    },
                    b'#' => at == from || !is_blank(self.bytes[at - 1]),
                    _ => false,
                };
                if !goes_on {
                    break;
                }
            }
            at += 1;
        }
        Some((self.trimmed(from, at), at))
    }

    fn trimmed(&self, from: usize, mut to: usize) -> usize {
        while to > from && is_blank(self.bytes[to - 1]) {
            to -= 1;
        }
        to
    }

    /// The scalar whose first line is `mark..end`, with the lines that go on
    /// from it; then on to the next token.
    pub(super) fn plain(
        &mut self,
        mark: Mark,
        end: usize,
        stop: usize,
        indent: isize,
    ) -> Option<Node> {
        let start = self.pos;
        self.pos = stop;
        let Some(breaks) = self.continued(indent)? else {
            let node = self.plain_node(&self.text[start..end], mark, end);
            self.go_on()?;
            return self.fresh.then_some(node);
        };
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        text.push_str(&self.text[start..end]);
        let mut last = end;
        let mut next = Some(breaks);
        while let Some(breaks) = next {
            fold(&mut text, breaks);
            let (end, stop) = self.plain_line(self.pos);
            if self.bytes.get(stop) == Some(&b':') {
                return None;
            }
            text.push_str(&self.text[self.pos..end]);
            last = end;
            self.pos = stop;
            next = self.continued(indent)?;
        }
        let node = self.plain_node(&text, mark, last);
        self.scratch = text;
        self.go_on()?;
        self.fresh.then_some(node)
    }

    /// At the end of a line of a plain scalar: goes to the next line with
    /// something on it, and counts the line breaks in between where that line
    /// belongs to the scalar. Says in `fresh` whether there were any.
    fn continued(&mut self, indent: isize) -> Option<Option<usize>> {
        self.fresh = false;
        let mut breaks = 0;
        loop {
            match self.bytes.get(self.pos) {
                Some(b'\n' | b'\r') => {
                    self.cross();
                    self.fresh = true;
                    breaks += 1;
                }
                Some(b' ') if breaks > 0 => self.pos += 1,
                // Where it may stand depends on the column.
                Some(b'\t') => return None,
                None | Some(b'#') => return Some(None),
                Some(_) => {
                    let column = self.pos.cast_signed() - self.line_start.cast_signed();
                    let outside = column <= indent || column == 0 && self.marker().is_some();
                    return Some((!outside && breaks > 0).then_some(breaks));
                }
            }
        }
    }

    pub(super) fn plain_node(&self, text: &str, mark: Mark, end: usize) -> Node {
        let tag = plain_tag(text, self.dialect);
        let value = Value::Scalar(Scalar { text: text.into(), tag, style: Style::Plain });
        Node { value, mark: Mark { end: self.offset(end), ..mark } }
    }
}

/// Joins two lines: one break is a space, of more the first is dropped.
pub(super) fn fold(text: &mut String, breaks: usize) {
    if breaks == 1 {
        text.push(' ');
    } else {
        text.extend(std::iter::repeat_n('\n', breaks - 1));
    }
}
