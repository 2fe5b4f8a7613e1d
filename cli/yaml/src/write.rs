//! Objects as `kustomize build` prints them: JSON through sigs.k8s.io/yaml,
//! that is through go-yaml v2's emitter at width 80.
//!
//! The rules are those of `encode.go`, `sorter.go` and `emitterc.go` of go-yaml
//! v2.4, for what an object can hold: block collections, empty ones in flow
//! style, scalars without tags. libyaml-safer's emitter differs from it in what
//! counts as printable and in several escapes.
//!
//! Each style of a scalar is written in one of two ways: character by character
//! for any text, and by the line for printable ASCII, which most texts are.

mod order;
mod scan;
mod source;

use serde_json::Value as Json;

use crate::Node;
use crate::events::is_break;

use order::sort;
pub(crate) use scan::Allowed;
use scan::{APOSTROPHE, ESCAPED, NEWLINE, OTHER, SPACE, is_printable, is_string, scan};
use source::{Shape, Source};

/// One object as kustomize v5.8 prints it, with its last line break.
///
/// Keys are sorted as go-yaml v2 sorts them; types, numbers and timestamps go
/// the way of [`Node::to_json`]. What JSON cannot hold is written as go-yaml v2
/// would: `.nan`, `.inf`, and a null key as `null`. U+0085 is written as `\N`,
/// where kustomize loses it: it reads its own JSON as YAML, in which that is a
/// line break.
pub fn write(node: &Node) -> String {
    let mut out = String::new();
    write_to(&mut out, node);
    out
}

/// The same at the end of a text that is empty or ends with a line break.
pub fn write_to(out: &mut String, node: &Node) {
    Writer::new(out).document(node);
}

/// The same for a JSON value.
pub fn write_json(value: &Json) -> String {
    let mut out = String::new();
    Writer::new(&mut out).document(value);
    out
}

const WIDTH: usize = 80;
const INDENT: usize = 2;

#[derive(Clone, Copy, PartialEq)]
enum Context {
    Root,
    Item,
    /// A key short enough to stand before its colon.
    SimpleKey,
    /// A key after `?`, or a value.
    Entry,
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// The emitter's state; names as in `emitterc.go`.
struct Writer<'o, 'v, S> {
    out: &'o mut String,
    /// `None` before the first collection.
    indent: Option<usize>,
    column: usize,
    whitespace: bool,
    indention: bool,
    /// The entries of the mappings being written, the innermost last.
    entries: Vec<(&'v str, &'v S)>,
}

impl<'o, 'v, S: Source> Writer<'o, 'v, S> {
    fn new(out: &'o mut String) -> Writer<'o, 'v, S> {
        Writer {
            out,
            indent: None,
            column: 0,
            whitespace: true,
            indention: true,
            entries: Vec::new(),
        }
    }

    fn document(mut self, value: &'v S) {
        self.value(value, Context::Root);
        self.indent = None;
        self.write_indent();
    }

    fn value(&mut self, value: &'v S, context: Context) {
        match value.shape() {
            Shape::Bare(text) => self.scalar(&text, Style::Plain, context),
            Shape::Text(text) => self.text(&text, scan(&text), context),
            Shape::Items([]) => self.empty("[", "]"),
            Shape::Items(items) => self.items(items, context),
            Shape::Entries => self.mapping(value),
        }
    }

    fn empty(&mut self, open: &str, close: &str) {
        self.indicator(open, true, true, false);
        self.indicator(close, false, false, false);
    }

    fn items(&mut self, items: &'v [S], context: Context) {
        let outer = self.indent;
        let indentless = context == Context::Entry && !self.indention;
        self.increase_indent(false, indentless);
        for item in items {
            self.write_indent();
            self.indicator("-", true, false, true);
            self.value(item, Context::Item);
        }
        self.indent = outer;
    }

    fn mapping(&mut self, mapping: &'v S) {
        let first = self.entries.len();
        mapping.entries(&mut self.entries);
        let end = self.entries.len();
        if first == end {
            return self.empty("{", "}");
        }
        sort(&mut self.entries[first..]);
        let outer = self.indent;
        self.increase_indent(false, false);
        for index in first..end {
            let (key, value) = self.entries[index];
            self.write_indent();
            let found = scan(key);
            let is_one_line = found & (NEWLINE | OTHER) == 0 || !key.contains(is_break);
            if key.len() <= 128 && is_one_line {
                self.text(key, found, Context::SimpleKey);
                self.indicator(":", false, false, false);
            } else {
                self.indicator("?", true, false, true);
                self.text(key, found, Context::Entry);
                self.write_indent();
                self.indicator(":", true, false, true);
            }
            self.value(value, Context::Entry);
        }
        self.entries.truncate(first);
        self.indent = outer;
    }

    /// Writes a string in which `found` was found.
    fn text(&mut self, text: &str, found: u8, context: Context) {
        let style = if found & NEWLINE != 0 {
            Style::Literal
        } else if is_string(text, found) {
            Style::Plain
        } else {
            Style::Double
        };
        if found & OTHER != 0 || !self.ascii(text, found, style, context) {
            self.any(text, style, context);
        }
    }

    fn scalar(&mut self, text: &str, style: Style, context: Context) {
        let found = scan(text);
        if found & (OTHER | NEWLINE) != 0 || !self.ascii(text, found, style, context) {
            self.any(text, style, context);
        }
    }

    /// Writes printable ASCII, in which `found` was found, unless there is
    /// something about it that asks for more care.
    fn ascii(&mut self, text: &str, found: u8, wanted: Style, context: Context) -> bool {
        let fold = context != Context::SimpleKey && found & SPACE != 0;
        match wanted {
            Style::Literal => {
                if context == Context::SimpleKey || text.ends_with(' ') || text.contains(" \n") {
                    return false;
                }
                self.literal_header(text);
                self.literal_lines(text);
                return true;
            }
            Style::Plain if text.is_empty() => return false,
            Style::Plain if scan::may_stand_plain(text, found) => {
                if !self.whitespace {
                    self.put(' ');
                }
                self.flow_lines(text, fold);
            }
            Style::Plain | Style::Single => {
                if found & APOSTROPHE != 0 {
                    return false;
                }
                self.indicator("'", true, false, false);
                self.flow_lines(text, fold);
                self.indicator("'", false, false, false);
            }
            Style::Double => {
                if found & ESCAPED != 0 || fold && self.column + text.len() + 2 > WIDTH {
                    return false;
                }
                self.indicator("\"", true, false, false);
                self.out.push_str(text);
                self.column += text.len();
                self.indicator("\"", false, false, false);
            }
        }
        self.whitespace = false;
        self.indention = false;
        true
    }

    /// Writes any text.
    fn any(&mut self, text: &str, wanted: Style, context: Context) {
        let allowed = Allowed::of(text);
        let style = match wanted {
            Style::Plain if allowed.plain => Style::Plain,
            Style::Plain | Style::Single if allowed.single => Style::Single,
            Style::Literal if allowed.block && context != Context::SimpleKey => Style::Literal,
            _ => Style::Double,
        };
        let outer = self.indent;
        self.increase_indent(true, false);
        let fold = context != Context::SimpleKey;
        match style {
            Style::Plain => {
                if !self.whitespace {
                    self.put(' ');
                }
                self.flow_text(text, fold, false);
            }
            Style::Single => {
                self.indicator("'", true, false, false);
                self.flow_text(text, fold, true);
                self.indicator("'", false, false, false);
            }
            Style::Double => self.double_quoted(text, fold),
            Style::Literal => self.literal(text),
        }
        if style != Style::Literal {
            self.whitespace = false;
            self.indention = false;
        }
        self.indent = outer;
    }

    /// How far the lines of a scalar are indented.
    fn scalar_indent(&self) -> usize {
        self.indent.map_or(INDENT, |indent| indent + INDENT)
    }

    fn put_blanks(&mut self, mut count: usize) {
        const BLANKS: &str = "                                                                ";
        while count > 0 {
            let some = count.min(BLANKS.len());
            self.out.push_str(&BLANKS[..some]);
            count -= some;
        }
    }

    /// Plain text, or what stands between single quotes: printable ASCII.
    fn flow_lines(&mut self, text: &str, fold: bool) {
        let bytes = text.as_bytes();
        let mut from = 0;
        while fold && self.column + (bytes.len() - from) > WIDTH {
            let beyond = from + (WIDTH + 1).saturating_sub(self.column);
            let is_fold =
                |at: &usize| bytes[*at] == b' ' && bytes[*at - 1] != b' ' && bytes[*at + 1] != b' ';
            let inside = beyond.max(1)..bytes.len().saturating_sub(1);
            let Some(at) = inside.into_iter().find(is_fold) else { break };
            self.out.push_str(&text[from..at]);
            self.out.push('\n');
            let indent = self.scalar_indent();
            self.put_blanks(indent);
            self.column = indent;
            from = at + 1;
        }
        self.out.push_str(&text[from..]);
        self.column += bytes.len() - from;
    }

    fn literal_lines(&mut self, text: &str) {
        let indent = self.scalar_indent();
        for line in text.split_inclusive('\n') {
            if line != "\n" {
                self.put_blanks(indent);
            }
            self.out.push_str(line);
        }
        self.indention = text.ends_with('\n');
        // Beyond the indentation or at the start of a line is all that counts.
        self.column = if self.indention { 0 } else { indent + 1 };
    }

    fn increase_indent(&mut self, flow: bool, indentless: bool) {
        self.indent = Some(match self.indent {
            None => {
                if flow {
                    INDENT
                } else {
                    0
                }
            }
            Some(indent) if indentless => indent,
            Some(indent) => indent + INDENT,
        });
    }

    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    fn put_break(&mut self, c: char) {
        self.out.push(c);
        self.column = 0;
    }

    fn write_indent(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put_break('\n');
        }
        if self.column < indent {
            self.put_blanks(indent - self.column);
            self.column = indent;
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn indicator(&mut self, text: &str, need_space: bool, is_space: bool, is_indention: bool) {
        if need_space && !self.whitespace {
            self.put(' ');
        }
        self.out.push_str(text);
        self.column += text.len();
        self.whitespace = is_space;
        self.indention &= is_indention;
    }

    /// Plain text, or what stands between single quotes.
    fn flow_text(&mut self, text: &str, fold: bool, quoted: bool) {
        let (mut spaces, mut breaks) = (false, false);
        let mut characters = text.chars().peekable();
        let mut first = true;
        while let Some(c) = characters.next() {
            let next = characters.peek().copied();
            if c == ' ' {
                let inside = !quoted || !first && next.is_some();
                if fold && !spaces && self.column > WIDTH && inside && next != Some(' ') {
                    self.write_indent();
                } else {
                    self.put(c);
                }
                spaces = true;
            } else if is_break(c) {
                if !breaks && c == '\n' {
                    self.put_break('\n');
                }
                self.put_break(c);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if quoted && c == '\'' {
                    self.put(c);
                }
                self.put(c);
                self.indention = false;
                (spaces, breaks) = (false, false);
            }
            first = false;
        }
    }

    fn double_quoted(&mut self, text: &str, fold: bool) {
        self.indicator("\"", true, false, false);
        // go-yaml looks for the byte order mark at the start of the whole text.
        let escape_all = text.starts_with('\u{feff}');
        let mut spaces = false;
        let mut characters = text.chars().peekable();
        let mut first = true;
        while let Some(c) = characters.next() {
            if escape_all || !is_printable(c) || is_break(c) || c == '"' || c == '\\' {
                self.escape(c);
                spaces = false;
            } else if c == ' ' {
                let next = characters.peek().copied();
                if fold && !spaces && self.column > WIDTH && !first && next.is_some() {
                    self.write_indent();
                    if next == Some(' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(c);
                }
                spaces = true;
            } else {
                self.put(c);
                spaces = false;
            }
            first = false;
        }
        self.indicator("\"", false, false, false);
    }

    fn escape(&mut self, c: char) {
        self.put('\\');
        let short = match c {
            '\0' => '0',
            '\x07' => 'a',
            '\x08' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\x0b' => 'v',
            '\x0c' => 'f',
            '\r' => 'r',
            '\x1b' => 'e',
            '"' | '\\' => c,
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let code = u32::from(c);
                let escaped = match code {
                    0..=0xff => format!("x{code:02X}"),
                    0x100..=0xffff => format!("u{code:04X}"),
                    _ => format!("U{code:08X}"),
                };
                return escaped.chars().for_each(|c| self.put(c));
            }
        };
        self.put(short);
    }

    fn literal_header(&mut self, text: &str) {
        self.indicator("|", true, false, false);
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.indicator("2", false, false, false);
        }
        let mut from_end = text.chars().rev();
        let chomp = match (from_end.next().is_some_and(is_break), from_end.next()) {
            (false, _) => "-",
            (true, None) => "+",
            (true, Some(c)) if is_break(c) => "+",
            (true, Some(_)) => "",
        };
        if !chomp.is_empty() {
            self.indicator(chomp, false, false, false);
        }
        self.put_break('\n');
        self.indention = true;
        self.whitespace = true;
    }

    fn literal(&mut self, text: &str) {
        self.literal_header(text);
        let mut breaks = true;
        for c in text.chars() {
            if is_break(c) {
                self.put_break(c);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                self.put(c);
                self.indention = false;
                breaks = false;
            }
        }
    }
}

#[cfg(test)]
mod tests;
