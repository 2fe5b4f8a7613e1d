//! The parser's events as one list, with everything that libyaml-safer gets
//! wrong put right: byte order mark, last block scalar, panics, places.

use std::collections::HashMap;
use std::io::{BufRead, Chain, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use libyaml_safer::{
    Encoding, EventData, MappingStyle, Parser, ScalarStyle, Scanner, SequenceStyle, TokenData,
};

use crate::{ReadError, Style};

/// Collections may stand in one another this many levels deep. Go's readers
/// stop at 10,000; no manifest comes near either.
pub(crate) const MAX_DEPTH: usize = 256;

/// A place in the file: byte offset (byte order mark counted), 1-based line
/// and column in characters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) offset: usize,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Place {
    pub(crate) fn error(self, reason: impl Into<String>) -> ReadError {
        ReadError { line: self.line, column: self.column, reason: reason.into() }
    }
}

/// One event.
pub(crate) struct Step {
    pub(crate) kind: Kind,
    /// The tag as resolved by the parser, none for `!`.
    pub(crate) tag: Option<String>,
    /// First character, after tag and anchor.
    pub(crate) start: Place,
    /// One past the last byte; of a block collection this is not known here.
    pub(crate) end: usize,
}

/// What happened.
pub(crate) enum Kind {
    Scalar {
        text: String,
        style: Style,
    },
    /// The place in the list of the node meant.
    Alias {
        target: usize,
    },
    Sequence {
        flow: bool,
    },
    Mapping {
        flow: bool,
    },
    End,
}

/// The events of one document.
pub(crate) struct Steps {
    pub(crate) line: u32,
    pub(crate) steps: Vec<Step>,
}

/// Parses a whole file.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Steps>, ReadError> {
    let text = text(bytes)?;
    let lead = bytes.len() - text.len();
    // A tag right before a comma inside `[…]` or `{…}` makes the scanner panic.
    if let Some(place) = tag_before_comma(text, lead) {
        return Err(place.error("did not find expected whitespace or line break after a tag"));
    }
    // Nothing else is known to; but no file may take the process down.
    catch_unwind(AssertUnwindSafe(|| Source { text, lead }.documents())).unwrap_or_else(|_| {
        Err(ReadError { line: 1, column: 1, reason: "this YAML cannot be parsed".to_owned() })
    })
}

/// The file as text without its byte order mark: UTF-8, and only characters
/// that YAML allows.
fn text(bytes: &[u8]) -> Result<&str, ReadError> {
    if bytes.len() >= u32::MAX as usize {
        return Err(ReadError { line: 1, column: 1, reason: "file is too large".to_owned() });
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let reason = "UTF-16 is not supported; store the file as UTF-8".to_owned();
        return Err(ReadError { line: 1, column: 1, reason });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let at = |valid: &str, reason: &str| {
        let line = valid.matches('\n').count() + 1;
        let column = valid.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let (line, column) = (small(line), small(column));
        ReadError { line, column, reason: reason.to_owned() }
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
        at(valid, "invalid UTF-8")
    })?;
    match text.find(|c: char| !is_allowed(c)) {
        Some(offset) => Err(at(&text[..offset], "control characters are not allowed")),
        None => Ok(text),
    }
}

fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}'
        | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn place(mark: libyaml_safer::Mark, lead: usize) -> Place {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    Place {
        offset: number(mark.index).saturating_add(lead),
        line: small(number(mark.line)).saturating_add(1),
        column: small(number(mark.column)).saturating_add(1),
    }
}

/// The text with a last line break: without one the scanner panics on a block
/// scalar (and on a backslash) at the end.
fn terminated(text: &str) -> Chain<&[u8], &[u8]> {
    let tail: &[u8] = if text.ends_with('\n') { b"" } else { b"\n" };
    text.as_bytes().chain(tail)
}

/// How much may be scanned again in search of a tag before a comma.
const PROBE_BUDGET: usize = 32 << 20;

/// The first place where the scanner would panic, found by scanning what
/// stands before each comma that may be such a place.
fn tag_before_comma(text: &str, lead: usize) -> Option<Place> {
    let bytes = text.as_bytes();
    let mut budget = PROBE_BUDGET;
    // Since the last blank: a tag may have begun, or one in `!<…>`, which may
    // hold commas.
    let (mut tag, mut verbatim) = (false, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => (tag, verbatim) = (false, false),
            b'!' => {
                let inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"._".contains(byte);
                let begins = at == 0 || !inside(&bytes[at - 1]);
                let in_brackets = bytes.get(at + 1) == Some(&b'<');
                tag |= begins && !in_brackets;
                verbatim |= begins && in_brackets;
            }
            b',' if tag || verbatim && bytes[at - 1] == b'>' => {
                tag = false;
                budget = budget.checked_sub(at)?;
                if let Some(start) = tag_ends_at(&text[..at]) {
                    return Some(place(start, lead));
                }
            }
            _ => {}
        }
    }
    None
}

/// Where the tag starts that these bytes end with. A character that ends a tag,
/// but may not follow one, makes the scanner tell.
fn tag_ends_at(text: &str) -> Option<libyaml_safer::Mark> {
    let mut scanner = Scanner::new();
    scanner.set_encoding(Encoding::Utf8);
    scanner.set_input(text.as_bytes().chain(&b"^\n"[..]));
    for token in scanner {
        match token {
            Ok(token) if matches!(token.data, TokenData::StreamEnd) => break,
            Ok(_) => {}
            Err(error) => {
                let here = error.problem_mark().is_some_and(|at| at.index == text.len() as u64);
                let in_tag = error.context() == Some("while scanning a tag");
                return error.context_mark().filter(|_| here && in_tag);
            }
        }
    }
    None
}

struct Source<'a> {
    text: &'a str,
    /// Bytes before the text: the byte order mark.
    lead: usize,
}

impl Source<'_> {
    fn documents(&self) -> Result<Vec<Steps>, ReadError> {
        let mut parser = Parser::new();
        parser.set_encoding(Encoding::Utf8);
        parser.set_input(terminated(self.text));
        let mut documents = Vec::new();
        loop {
            let event = self.next(&mut parser)?;
            match event.data {
                EventData::StreamStart { .. } => {}
                EventData::StreamEnd => return Ok(documents),
                EventData::DocumentStart { .. } => {
                    let line = self.place(event.start_mark).line;
                    let steps = self.document(&mut parser)?;
                    documents.push(Steps { line, steps });
                }
                _ => return Err(self.unexpected(event.start_mark)),
            }
        }
    }

    /// Where a mark stands; the line break that was appended is no part of the
    /// file, so what stands behind it stands at the file's end.
    fn place(&self, mark: libyaml_safer::Mark) -> Place {
        let place = place(mark, self.lead);
        let end = self.text.len() + self.lead;
        if place.offset <= end {
            return place;
        }
        let last = self.text.rsplit(is_break).next().unwrap_or_default();
        // With a carriage return at the end it makes one break.
        let more = u32::from(!self.text.ends_with('\r'));
        Place {
            offset: end,
            line: place.line.saturating_sub(more).max(1),
            column: small(last.chars().count()).saturating_add(1),
        }
    }

    fn unexpected(&self, mark: libyaml_safer::Mark) -> ReadError {
        self.place(mark).error("did not find expected node content")
    }

    fn next<R: BufRead>(&self, parser: &mut Parser<R>) -> Result<libyaml_safer::Event, ReadError> {
        parser.parse().map_err(|error| {
            let at = error.problem_mark().unwrap_or_default();
            let mut reason = error.problem().to_owned();
            if let Some(context) = error.context() {
                reason.push(' ');
                reason.push_str(context);
            }
            if let Some(mark) = error.context_mark().filter(|mark| mark.line != at.line) {
                reason.push_str(&format!(" from line {}", mark.line + 1));
            }
            self.place(at).error(reason)
        })
    }

    /// Whether a quoted text has `\/`, which JSON and the scanner know and
    /// go-yaml does not.
    fn escapes_slash(&self, start: libyaml_safer::Mark, end: libyaml_safer::Mark) -> bool {
        let offset = |mark| self.place(mark).offset - self.lead;
        let text = self.text.as_bytes().get(offset(start)..offset(end)).unwrap_or_default();
        let mut escaped = false;
        text.iter().any(|byte| {
            let found = escaped && *byte == b'/';
            escaped = !escaped && *byte == b'\\';
            found
        })
    }

    /// The events up to the end of the document. Aliases are bound to the
    /// nodes they mean, as anchors may be defined again.
    fn document<R: BufRead>(&self, parser: &mut Parser<R>) -> Result<Vec<Step>, ReadError> {
        let mut steps: Vec<Step> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        let mut anchors: HashMap<String, usize> = HashMap::new();
        loop {
            let event = self.next(parser)?;
            let start = self.place(event.start_mark);
            let end = self.place(event.end_mark).offset;
            let (kind, anchor, tag) = match event.data {
                EventData::DocumentEnd { .. } => return Ok(steps),
                EventData::Alias { anchor } => {
                    let Some(&target) = anchors.get(&anchor) else {
                        // Without its name: an unquoted password may start with `*`.
                        return Err(start.error("unknown anchor referenced".to_owned()));
                    };
                    if open.contains(&target) {
                        let reason = "the value of an anchor contains itself".to_owned();
                        return Err(start.error(reason));
                    }
                    (Kind::Alias { target }, None, None)
                }
                EventData::Scalar { anchor, tag, value, style, .. } => {
                    if style == ScalarStyle::DoubleQuoted
                        && self.escapes_slash(event.start_mark, event.end_mark)
                    {
                        return Err(start.error("found unknown escape character `\\/`".to_owned()));
                    }
                    (Kind::Scalar { text: value, style: style_of(style) }, anchor, tag)
                }
                EventData::SequenceStart { anchor, tag, style, .. } => {
                    (Kind::Sequence { flow: style == SequenceStyle::Flow }, anchor, tag)
                }
                EventData::MappingStart { anchor, tag, style, .. } => {
                    (Kind::Mapping { flow: style == MappingStyle::Flow }, anchor, tag)
                }
                EventData::SequenceEnd | EventData::MappingEnd => {
                    open.pop();
                    (Kind::End, None, None)
                }
                _ => return Err(self.unexpected(event.start_mark)),
            };
            let properties = usize::from(anchor.is_some()) + usize::from(tag.is_some());
            let mut step = Step {
                start: self.after_properties(start, properties, &kind, end),
                kind,
                tag: tag.filter(|tag| tag != "!"),
                end,
            };
            if let Kind::Mapping { flow } = &mut step.kind {
                // `[a: b]` holds a mapping without braces.
                *flow &= self.text.as_bytes().get(step.start.offset - self.lead) == Some(&b'{');
            }
            self.mend(&mut step);
            if matches!(step.kind, Kind::Sequence { .. } | Kind::Mapping { .. }) {
                if open.len() >= MAX_DEPTH {
                    let reason = format!("nested more than {MAX_DEPTH} levels deep");
                    return Err(step.start.error(reason));
                }
                open.push(steps.len());
            }
            if let Some(anchor) = anchor {
                anchors.insert(anchor, steps.len());
            }
            steps.push(step);
        }
    }

    /// Where a node itself begins: the parser starts it at its tag or anchor.
    fn after_properties(&self, from: Place, count: usize, kind: &Kind, end: usize) -> Place {
        if count == 0 {
            return from;
        }
        let empty = matches!(kind, Kind::Scalar { text, style: Style::Plain } if text.is_empty());
        let mut place = from;
        let mut left = count;
        let (mut in_anchor, mut in_tag, mut in_comment) = (false, false, false);
        let mut characters = self.text[from.offset - self.lead..].chars().peekable();
        while let Some(c) = characters.next() {
            let blank = matches!(c, ' ' | '\t') || is_break(c);
            // An anchor's name ends at the colon of the key that it may be.
            in_anchor &= c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            in_tag &= !blank;
            if empty && place.offset >= end {
                break;
            } else if in_comment {
                in_comment = !is_break(c);
            } else if !(blank || in_anchor || in_tag) {
                match c {
                    '#' => in_comment = true,
                    '&' | '!' if left > 0 => {
                        left -= 1;
                        (in_anchor, in_tag) = (c == '&', c == '!');
                    }
                    _ => break,
                }
            }
            place.offset += c.len_utf8();
            let breaks = match c {
                '\r' => characters.peek() != Some(&'\n'),
                _ => is_break(c),
            };
            if breaks {
                place.line += 1;
                place.column = 1;
            } else {
                place.column += 1;
            }
        }
        place
    }

    /// Takes the line break that we appended off a block scalar that ends the
    /// file: go-yaml reads `a: |⏎  x` without one.
    fn mend(&self, step: &mut Step) {
        let Kind::Scalar { text, style: Style::Literal | Style::Folded } = &mut step.kind else {
            return;
        };
        let length = self.text.len() + self.lead;
        if step.end < length || self.text.ends_with('\n') || !text.ends_with('\n') {
            return;
        }
        let source = &self.text[step.start.offset - self.lead..];
        let (header, body) = source.split_once(is_break).unwrap_or((source, ""));
        let last = body.rsplit(is_break).next().unwrap_or_default();
        let spaces = |line: &str| line.bytes().take_while(|byte| *byte == b' ').count();
        // The block's indentation: how much of its first line is not text.
        let first = body.split(is_break).find(|line| spaces(line) < line.len());
        let kept = spaces(text.trim_start_matches(is_break));
        let indent = first.map_or(usize::MAX, |line| spaces(line).saturating_sub(kept));
        let last_is_content = last.len() > indent || spaces(last) < last.len();
        let keep = header.split('#').next().unwrap_or_default().contains('+');
        if last_is_content || keep {
            text.pop();
        }
    }
}

/// What the parser takes for a line break.
pub(crate) fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
        _ => Style::Plain,
    }
}
