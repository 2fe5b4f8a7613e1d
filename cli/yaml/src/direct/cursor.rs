//! Bytes, lines and columns.

use super::Reader;

/// What ends a document.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The end of the file.
    End,
    /// `---`
    Dashes,
    /// `...`
    Dots,
}

/// Whether a text is made of ASCII only; `None` where it holds characters that
/// YAML forbids or takes for line breaks other than `\n` and `\r\n`, or a byte
/// order mark.
pub(super) fn admit(text: &str) -> Option<bool> {
    let bytes = text.as_bytes();
    let mut all = 0_u8;
    let mut odd = false;
    let mut returns = false;
    for chunk in bytes.chunks(256) {
        for &byte in chunk {
            all |= byte;
            odd |= (byte < b' ') & (byte != b'\n') & (byte != b'\t') & (byte != b'\r');
            odd |= byte == 0x7f;
            returns |= byte == b'\r';
        }
    }
    let lonely = |(at, _): (usize, _)| bytes.get(at + 1) != Some(&b'\n');
    if odd || returns && text.match_indices('\r').any(lonely) {
        return None;
    }
    if all < 0x80 {
        return Some(true);
    }
    let refused = |group: &[u8]| match *group {
        [0xc2, second, ..] => second < 0xa0,
        [0xe2, 0x80, third] => matches!(third, 0xa8 | 0xa9),
        [0xef, 0xbb, 0xbf] => true,
        [0xef, 0xbf, third] => third >= 0xbe,
        _ => false,
    };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, 0xc2 | 0xe2 | 0xef)) {
        rest = &rest[at..];
        if refused(&rest[..rest.len().min(3)]) {
            return None;
        }
        rest = &rest[1..];
    }
    Some(false)
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The first byte from a place on that is one of two, or a control character;
/// the end where there is none. Eight bytes are looked at in one step.
pub(super) fn find(bytes: &[u8], from: usize, one: u8, other: u8) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    // The high bit of the first byte below a limit, and of none before it.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGH;
    let (ones, others) = (ONES * u64::from(one), ONES * u64::from(other));
    let mut at = from;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*word);
        let found = below(word, b' ') | below(word ^ ones, 1) | below(word ^ others, 1);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_found = |byte: &u8| *byte < b' ' || *byte == one || *byte == other;
    bytes[at..].iter().position(is_found).map_or(bytes.len(), |length| at + length)
}

impl Reader<'_> {
    /// Whether there is a space, a tab, a line break or nothing at a place.
    pub(super) fn blank_or_end(&self, at: usize) -> bool {
        self.bytes.get(at).is_none_or(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'))
    }

    /// Goes to the next token of block context, over spaces, comments and line
    /// breaks.
    pub(super) fn advance(&mut self) -> Option<()> {
        self.fresh = self.pos == self.line_start;
        self.go_on()
    }

    /// [`advance`](Self::advance) where `fresh` is known already.
    pub(super) fn go_on(&mut self) -> Option<()> {
        loop {
            while self.bytes.get(self.pos) == Some(&b' ') {
                self.pos += 1;
            }
            match self.bytes.get(self.pos) {
                None => {
                    self.stop = Stop::End;
                    self.column = -1;
                    self.fresh = true;
                    return Some(());
                }
                Some(b'\n' | b'\r') => {
                    self.cross();
                    self.fresh = true;
                }
                Some(b'#') => self.comment()?,
                Some(b'\t') => return None,
                Some(&byte) => {
                    self.column = self.pos.cast_signed() - self.line_start.cast_signed();
                    if self.column == 0 {
                        return self.first_column(byte);
                    }
                    return Some(());
                }
            }
        }
    }

    /// A token in the first column: perhaps the end of the document.
    fn first_column(&mut self, byte: u8) -> Option<()> {
        if byte == b'%' {
            return None;
        }
        if let Some(stop) = self.marker() {
            self.stop = stop;
            self.column = -1;
        }
        Some(())
    }

    /// The document marker at the beginning of this line.
    pub(super) fn marker(&self) -> Option<Stop> {
        let stop = match self.bytes.get(self.line_start..self.line_start + 3)? {
            b"---" => Stop::Dashes,
            b"..." => Stop::Dots,
            _ => return None,
        };
        self.blank_or_end(self.line_start + 3).then_some(stop)
    }

    /// Over a comment, to the end of its line.
    pub(super) fn comment(&mut self) -> Option<()> {
        // libyaml needs no space before it, YAML does.
        if self.pos > self.line_start && !is_blank(self.bytes[self.pos - 1]) {
            return None;
        }
        self.pos = self.end_of_line(self.pos);
        Some(())
    }

    /// The line feed after a place, or the end of the file.
    pub(super) fn end_of_line(&self, from: usize) -> usize {
        self.text[from..].find('\n').map_or(self.bytes.len(), |length| from + length)
    }

    /// Over the line break that is here.
    pub(super) fn cross(&mut self) {
        // A return is followed by a line feed in every admitted text.
        self.pos += if self.bytes[self.pos] == b'\r' { 2 } else { 1 };
        self.line += 1;
        self.line_start = self.pos;
    }

    /// The 1-based column of this place, in characters.
    pub(super) fn character(&mut self) -> usize {
        if self.ascii {
            return self.pos - self.line_start + 1;
        }
        let (mut at, mut before) = self.counted;
        if at < self.line_start || at > self.pos {
            (at, before) = (self.line_start, 0);
        }
        before += self.text[at..self.pos].chars().count();
        self.counted = (self.pos, before);
        before + 1
    }
}
