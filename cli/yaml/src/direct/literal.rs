//! Block scalars: `|` and `>`.

use super::Reader;
use super::cursor::is_blank;
use crate::{Node, Scalar, Style, Tag, Value};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

impl Reader<'_> {
    /// The block scalar at this token, up to the line after it.
    pub(super) fn block_scalar(&mut self, outer: isize, literal: bool) -> Option<Node> {
        let mut mark = self.mark();
        self.pos += 1;
        let (chomping, increment) = self.header()?;
        // Column of the text; 0 until the first line of it tells.
        let mut indent = if increment > 0 { outer.max(0) + increment } else { 0 };
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        let mut breaks = self.blank_lines(&mut indent, outer)?;
        let mut after_line = false;
        let mut after_indented = false;
        while self.here() == indent && self.pos < self.bytes.len() {
            let indented = is_blank(self.bytes[self.pos]);
            if after_line {
                if literal || after_indented || indented {
                    text.push('\n');
                } else if breaks == 0 {
                    text.push(' ');
                }
            }
            text.extend(std::iter::repeat_n('\n', breaks));
            after_indented = indented;
            let end = self.end_of_line(self.pos);
            if end == self.bytes.len() {
                return None;
            }
            let line = &self.text[self.pos..end];
            text.push_str(line.strip_suffix('\r').unwrap_or(line));
            self.pos = end;
            self.cross();
            after_line = true;
            breaks = self.blank_lines(&mut indent, outer)?;
        }
        if self.pos == self.bytes.len() && self.bytes.last() != Some(&b'\n') {
            return None;
        }
        if chomping != Chomping::Strip && after_line {
            text.push('\n');
        }
        if chomping == Chomping::Keep {
            text.extend(std::iter::repeat_n('\n', breaks));
        }
        self.pos = self.line_start;
        mark.end = self.offset(self.pos);
        let style = if literal { Style::Literal } else { Style::Folded };
        let value = Value::Scalar(Scalar { text: text.as_str().into(), tag: Tag::Str, style });
        self.scratch = text;
        Some(Node { value, mark })
    }

    /// What follows `|` or `>`, over the end of the line: how the scalar ends,
    /// and how far it is indented, where that is said.
    fn header(&mut self) -> Option<(Chomping, isize)> {
        let mut chomping = Chomping::Clip;
        let mut increment = 0;
        for _ in 0..2 {
            match self.bytes.get(self.pos) {
                Some(b'+') if chomping == Chomping::Clip => chomping = Chomping::Keep,
                Some(b'-') if chomping == Chomping::Clip => chomping = Chomping::Strip,
                Some(digit @ b'1'..=b'9') if increment == 0 => {
                    increment = isize::from(*digit - b'0')
                }
                _ => break,
            }
            self.pos += 1;
        }
        while self.bytes.get(self.pos).copied().is_some_and(is_blank) {
            self.pos += 1;
        }
        if self.bytes.get(self.pos) == Some(&b'#') {
            self.comment()?;
        }
        if !matches!(self.bytes.get(self.pos), Some(b'\n' | b'\r')) {
            return None;
        }
        self.cross();
        Some((chomping, increment))
    }

    /// Over lines without text, to the column of the text or what is short of
    /// it; finds that column where it is not known.
    fn blank_lines(&mut self, indent: &mut isize, outer: isize) -> Option<usize> {
        let mut breaks = 0;
        let mut widest = 0;
        loop {
            while (*indent == 0 || self.here() < *indent) && self.bytes.get(self.pos) == Some(&b' ')
            {
                self.pos += 1;
            }
            widest = widest.max(self.here());
            match self.bytes.get(self.pos) {
                Some(b'\t') if *indent == 0 || self.here() < *indent => return None,
                Some(b'\n' | b'\r') => {
                    self.cross();
                    breaks += 1;
                }
                _ => break,
            }
        }
        if *indent == 0 {
            // A blank line that is longer than the first line of text counts.
            *indent = widest.max(outer + 1).max(1);
        }
        Some(breaks)
    }

    /// The column of this byte.
    fn here(&self) -> isize {
        self.pos.cast_signed() - self.line_start.cast_signed()
    }
}
