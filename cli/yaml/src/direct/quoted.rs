//! Quoted scalars.

use super::Reader;
use super::cursor::find;
use super::plain::fold;
use crate::{Node, Scalar, Style, Tag, Value};

impl Reader<'_> {
    /// The quoted scalar at this token.
    pub(super) fn quoted(&mut self, quote: u8) -> Option<Node> {
        let mut mark = self.mark();
        self.pos += 1;
        let style = if quote == b'"' { Style::DoubleQuoted } else { Style::SingleQuoted };
        let start = self.pos;
        let end = self.ordinary(start, quote);
        let text = if self.bytes.get(end) == Some(&quote)
            && (quote == b'"' || self.bytes.get(end + 1) != Some(&quote))
        {
            self.pos = end + 1;
            self.text[start..end].into()
        } else {
            let mut text = std::mem::take(&mut self.scratch);
            text.clear();
            self.spelled(quote, &mut text)?;
            let boxed = text.as_str().into();
            self.scratch = text;
            boxed
        };
        mark.end = self.offset(self.pos);
        Some(Node { value: Value::Scalar(Scalar { text, tag: Tag::Str, style }), mark })
    }

    /// The first byte from a place on that is not itself: a quote, a backslash
    /// between double quotes, or the end of the line.
    fn ordinary(&self, from: usize, quote: u8) -> usize {
        let escape = if quote == b'"' { b'\\' } else { quote };
        let mut at = find(self.bytes, from, quote, escape);
        while self.bytes.get(at) == Some(&b'\t') {
            at = find(self.bytes, at + 1, quote, escape);
        }
        at
    }

    /// Undoes escapes and line breaks, up to and over the closing quote.
    fn spelled(&mut self, quote: u8, text: &mut String) -> Option<()> {
        loop {
            let end = self.ordinary(self.pos, quote);
            let run = &self.text[self.pos..end];
            self.pos = end;
            match *self.bytes.get(end)? {
                b'\n' | b'\r' => {
                    // Blanks before a break are dropped; escaped ones are not
                    // in the run.
                    text.push_str(run.trim_end_matches([' ', '\t']));
                    let breaks = self.breaks()?;
                    fold(text, breaks);
                }
                b'\\' if quote == b'"' => {
                    text.push_str(run);
                    if matches!(self.bytes.get(end + 1), Some(b'\n' | b'\r')) {
                        self.pos += 1;
                        let breaks = self.breaks()?;
                        text.extend(std::iter::repeat_n('\n', breaks - 1));
                    } else {
                        let c = self.escape()?;
                        text.push(c);
                    }
                }
                _ => {
                    text.push_str(run);
                    self.pos += 1;
                    if quote == b'"' || self.bytes.get(self.pos) != Some(&quote) {
                        return Some(());
                    }
                    text.push('\'');
                    self.pos += 1;
                }
            }
        }
    }

    /// Over line breaks and the blanks after them; counts the breaks.
    fn breaks(&mut self) -> Option<usize> {
        let mut breaks = 0;
        loop {
            match self.bytes.get(self.pos)? {
                b'\n' | b'\r' => {
                    self.cross();
                    breaks += 1;
                }
                b' ' | b'\t' => self.pos += 1,
                _ => break,
            }
        }
        // A document may not end inside quotes.
        (self.pos > self.line_start || self.marker().is_none()).then_some(breaks)
    }

    /// The character that a backslash and what follows stand for.
    fn escape(&mut self) -> Option<char> {
        let digits = match self.bytes.get(self.pos + 1)? {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            other => {
                self.pos += 2;
                return Some(match other {
                    b'0' => '\0',
                    b'a' => '\x07',
                    b'b' => '\x08',
                    b't' | b'\t' => '\t',
                    b'n' => '\n',
                    b'v' => '\x0b',
                    b'f' => '\x0c',
                    b'r' => '\r',
                    b'e' => '\x1b',
                    b' ' => ' ',
                    b'"' => '"',
                    b'\\' => '\\',
                    b'N' => '\u{85}',
                    b'_' => '\u{a0}',
                    b'L' => '\u{2028}',
                    b'P' => '\u{2029}',
                    _ => return None,
                });
            }
        };
        let from = self.pos + 2;
        let hex = self.bytes.get(from..from + digits)?;
        let mut value = 0_u32;
        for digit in hex {
            value = value << 4 | char::from(*digit).to_digit(16)?;
        }
        self.pos = from + digits;
        char::from_u32(value)
    }
}
