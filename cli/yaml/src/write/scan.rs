//! What a text is made of, and so in which styles it may stand.
//!
//! Most texts are printable ASCII. One look at their bytes ([`scan`]) answers
//! for them what [`Allowed`] and the resolver answer for any text.

use crate::Tag;
use crate::events::is_break;
use crate::resolve::{self, Version};

/// A space.
pub(super) const SPACE: u8 = 1;
/// `:`
pub(super) const COLON: u8 = 1 << 1;
/// `#`
pub(super) const HASH: u8 = 1 << 2;
/// A line feed.
pub(super) const NEWLINE: u8 = 1 << 3;
/// `'`
pub(super) const APOSTROPHE: u8 = 1 << 4;
/// What is escaped in double quotes: `"` and a backslash.
pub(super) const ESCAPED: u8 = 1 << 5;
/// What stands in no number and no timestamp.
pub(super) const WORDLY: u8 = 1 << 6;
/// Neither printable ASCII nor a line feed.
pub(super) const OTHER: u8 = 1 << 7;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let c = byte as u8;
        let in_numbers = matches!(c, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b'x' | b'X' | b'o' | b'O')
            || matches!(c, b'i' | b'I' | b'n' | b'N' | b't' | b'T' | b'z' | b'Z')
            || matches!(c, b'+' | b'-' | b'_' | b'.' | b',' | b':' | b' ');
        let special = match c {
            b' ' => SPACE,
            b':' => COLON,
            b'#' => HASH,
            b'\n' => NEWLINE,
            b'\'' => APOSTROPHE,
            b'"' | b'\\' => ESCAPED,
            _ => 0,
        };
        let is_known = matches!(c, b'\n' | b' '..=b'~');
        classes[byte] =
            special | if in_numbers { 0 } else { WORDLY } | if is_known { 0 } else { OTHER };
        byte += 1;
    }
    classes
};

/// The classes of the bytes in a text.
pub(super) fn scan(text: &str) -> u8 {
    text.bytes().fold(0, |found, byte| found | CLASSES[usize::from(byte)])
}

/// [`is_plain_string`] of a text in which `found` was found.
pub(super) fn is_string(text: &str, found: u8) -> bool {
    const LONGEST_WORD: usize = "false".len();
    let bytes = text.as_bytes();
    match bytes.first() {
        None => false,
        // Numbers, whatever their size.
        Some(b'0'..=b'9') if bytes.len() < 300 && bytes.iter().all(u8::is_ascii_digit) => false,
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') if found & (WORDLY | OTHER) == WORDLY => true,
        Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'~') => is_plain_string(text),
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O') => {
            text.len() > LONGEST_WORD || is_plain_string(text)
        }
        Some(_) => true,
    }
}

/// [`Allowed::plain`] of a text that is not empty and in which `found`, but no
/// [`NEWLINE`] and nothing [`OTHER`], was found.
pub(super) fn may_stand_plain(text: &str, found: u8) -> bool {
    let bytes = text.as_bytes();
    let (first, last) = (bytes[0], bytes[bytes.len() - 1]);
    let starts_well = match first {
        b' ' | b'#' | b',' | b'[' | b']' | b'{' | b'}' | b'&' | b'*' | b'!' | b'|' | b'>'
        | b'\'' | b'"' | b'%' | b'@' | b'`' => false,
        b'?' | b':' => bytes.len() > 1 && bytes[1] != b' ',
        b'-' => bytes.len() > 1 && bytes[1] != b' ' && !text.starts_with("---"),
        b'.' => !text.starts_with("..."),
        _ => true,
    };
    let pair = |one, two| bytes.windows(2).any(|pair| pair == [one, two]);
    starts_well
        && last != b' '
        && (found & COLON == 0 || last != b':' && (found & SPACE == 0 || !pair(b':', b' ')))
        && (found & HASH == 0 || found & SPACE == 0 || !pair(b' ', b'#'))
}

/// Whether a string may stand without quotes as far as types go: go-yaml v2
/// must not take it for something else.
pub(super) fn is_plain_string(text: &str) -> bool {
    resolve::resolve(text, Version::V2) == Tag::Str && !resolve::is_base60(text)
}

/// The styles in which a text may stand in block context.
pub(crate) struct Allowed {
    pub(crate) plain: bool,
    pub(crate) single: bool,
    pub(crate) block: bool,
}

impl Allowed {
    /// `yaml_emitter_analyze_scalar`.
    pub(crate) fn of(text: &str) -> Allowed {
        let (mut indicators, mut special, mut breaks) = (false, false, false);
        let (mut break_space, mut space_break) = (false, false);
        let mut previous = None;
        if text.starts_with("---") || text.starts_with("...") {
            indicators = true;
        }
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            let before_blank = matches!(characters.peek(), None | Some(' ' | '\t'));
            let after_blank = previous.is_none_or(|c| matches!(c, ' ' | '\t') || is_break(c));
            if previous.is_none() {
                indicators |= matches!(
                    c,
                    '#' | ','
                        | '['
                        | ']'
                        | '{'
                        | '}'
                        | '&'
                        | '*'
                        | '!'
                        | '|'
                        | '>'
                        | '\''
                        | '"'
                        | '%'
                        | '@'
                        | '`'
                ) || matches!(c, '?' | ':' | '-') && before_blank;
            } else {
                indicators |= c == ':' && before_blank || c == '#' && after_blank;
            }
            special |= !is_printable(c);
            breaks |= is_break(c);
            break_space |= c == ' ' && previous.is_some_and(is_break);
            space_break |= is_break(c) && previous == Some(' ');
            previous = Some(c);
        }
        let edge = |c: char| c == ' ' || is_break(c);
        let at_edge = text.starts_with(edge) || text.ends_with(edge);
        let quoted = !space_break && !special;
        let plain = quoted && !at_edge && !break_space && !breaks && !indicators;
        Allowed {
            plain,
            single: quoted && !break_space,
            block: quoted && !text.ends_with(' ') && !text.is_empty(),
        }
    }
}

/// go-yaml v2's notion: nothing above U+FFFF, no tab.
pub(super) fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && c != '\u{feff}'
}
