//! Objects as `kustomize build` prints them: JSON through sigs.k8s.io/yaml,
//! that is through go-yaml v2's emitter at width 80.
//!
//! The rules are those of `encode.go`, `sorter.go` and `emitterc.go` of go-yaml
//! v2.4, for what an object can hold: block collections, empty ones in flow
//! style, scalars without tags. libyaml-safer's emitter differs from it in what
//! counts as printable and in several escapes.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value as Json;

use crate::events::is_break;
use crate::json::{Meaning, meaning, number_of, number_text};
use crate::resolve::{self, Version};
use crate::{Node, Tag, Value};

/// One object as kustomize v5.8 prints it, with its last line break.
///
/// Keys are sorted as go-yaml v2 sorts them; types, numbers and timestamps go
/// the way of [`Node::to_json`]. What JSON cannot hold is written as go-yaml v2
/// would: `.nan`, `.inf`, and a null key as `null`. U+0085 is written as `\N`,
/// where kustomize loses it: it reads its own JSON as YAML, in which that is a
/// line break.
pub fn write(node: &Node) -> String {
    let mut writer = Writer::default();
    writer.value(&View::of_node(node), Context::Root);
    writer.finish()
}

/// The same for a JSON value.
pub fn write_json(value: &Json) -> String {
    let mut writer = Writer::default();
    writer.value(&View::of_json(value), Context::Root);
    writer.finish()
}

/// A value about to be written: a scalar's text and whether it must be told
/// from another type, or a collection.
enum View<'a> {
    /// Text of a null, boolean or number.
    Bare(Cow<'a, str>),
    Text(Cow<'a, str>),
    Items(Vec<View<'a>>),
    Entries(Vec<(Cow<'a, str>, View<'a>)>),
}

impl<'a> View<'a> {
    fn of_node(node: &'a Node) -> View<'a> {
        match &node.value {
            Value::Scalar(scalar) => match meaning(scalar) {
                Meaning::Null => View::Bare("null".into()),
                Meaning::Bool(value) => View::Bare(if value { "true" } else { "false" }.into()),
                Meaning::Number(number) => View::Bare(number_text(number).into()),
                Meaning::Text(text) => View::Text(text),
            },
            Value::Sequence(items) => View::Items(items.iter().map(View::of_node).collect()),
            Value::Mapping(entries) => {
                View::entries(entries.iter().map(|(key, value)| {
                    (key.text().unwrap_or("null").into(), View::of_node(value))
                }))
            }
        }
    }

    fn of_json(json: &'a Json) -> View<'a> {
        match json {
            Json::Null => View::Bare("null".into()),
            Json::Bool(value) => View::Bare(if *value { "true" } else { "false" }.into()),
            Json::Number(number) => View::Bare(number_text(number_of(number)).into()),
            Json::String(text) => View::Text(text.into()),
            Json::Array(items) => View::Items(items.iter().map(View::of_json).collect()),
            Json::Object(map) => View::entries(
                map.iter().map(|(key, value)| (key.as_str().into(), View::of_json(value))),
            ),
        }
    }

    fn entries(entries: impl Iterator<Item = (Cow<'a, str>, View<'a>)>) -> View<'a> {
        View::Entries(sort(entries.collect()))
    }
}

/// A merge sort of our own: go-yaml's order is not transitive for every set of
/// keys, which the standard library's sorts may answer with a panic.
fn sort<T>(mut entries: Vec<(Cow<'_, str>, T)>) -> Vec<(Cow<'_, str>, T)> {
    const SMALL: usize = 12;
    if entries.len() <= SMALL {
        for end in 1..entries.len() {
            let mut at = end;
            while at > 0 && key_order(&entries[at].0, &entries[at - 1].0) == Ordering::Less {
                entries.swap(at, at - 1);
                at -= 1;
            }
        }
        return entries;
    }
    let right = sort(entries.split_off(entries.len() / 2));
    let left = sort(entries);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(one), Some(two)) = (left.peek(), right.peek()) {
        let from_right = key_order(&two.0, &one.0) == Ordering::Less;
        merged.extend(if from_right { right.next() } else { left.next() });
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

/// go-yaml v2's `keyList.Less`: letters after everything else, runs of digits
/// by their value. Digits are the ASCII ones here.
fn key_order(a: &str, b: &str) -> Ordering {
    // Most keys differ first in two ASCII letters.
    if let Some((x, y)) = a.bytes().zip(b.bytes()).find(|(x, y)| x != y)
        && x.is_ascii_alphabetic()
        && y.is_ascii_alphabetic()
    {
        return x.cmp(&y);
    }
    let is_digit = |c: &char| c.is_ascii_digit();
    let common = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
    let common: usize = common.map(|(c, _)| c.len_utf8()).sum();
    let (rest_a, rest_b) = (&a[common..], &b[common..]);
    let (Some(x), Some(y)) = (rest_a.chars().next(), rest_b.chars().next()) else {
        return rest_a.len().cmp(&rest_b.len());
    };
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => return x.cmp(&y),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // Leading zeros count when they continue a number.
    let continues = (x == '0' || y == '0')
        && a[..common].chars().rev().take_while(is_digit).any(|digit| digit != '0');
    let number = |rest: &str| {
        rest.chars().take_while(is_digit).fold(
            (i64::from(continues), 0),
            |(value, count), digit| {
                let digit = i64::from(u32::from(digit) - u32::from('0'));
                (value.wrapping_mul(10).wrapping_add(digit), count + 1)
            },
        )
    };
    number(rest_a).cmp(&number(rest_b)).then(x.cmp(&y))
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
struct Writer {
    out: String,
    /// -1 before the first collection.
    indent: Option<usize>,
    column: usize,
    whitespace: bool,
    indention: bool,
}

impl Default for Writer {
    fn default() -> Self {
        Writer { out: String::new(), indent: None, column: 0, whitespace: true, indention: true }
    }
}

impl Writer {
    fn finish(mut self) -> String {
        self.indent = None;
        self.write_indent();
        self.out
    }

    fn value(&mut self, value: &View<'_>, context: Context) {
        match value {
            View::Bare(text) => self.scalar(text, Style::Plain, context),
            View::Text(text) => self.text(text, context),
            View::Items(items) if items.is_empty() => self.empty("[", "]"),
            View::Entries(entries) if entries.is_empty() => self.empty("{", "}"),
            View::Items(items) => self.items(items, context),
            View::Entries(entries) => self.entries(entries),
        }
    }

    fn empty(&mut self, open: &str, close: &str) {
        self.indicator(open, true, true, false);
        self.indicator(close, false, false, false);
    }

    fn items(&mut self, items: &[View<'_>], context: Context) {
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

    fn entries(&mut self, entries: &[(Cow<'_, str>, View<'_>)]) {
        let outer = self.indent;
        self.increase_indent(false, false);
        for (key, value) in entries {
            self.write_indent();
            if key.len() <= 128 && !key.contains(is_break) {
                self.text(key, Context::SimpleKey);
                self.indicator(":", false, false, false);
            } else {
                self.indicator("?", true, false, true);
                self.text(key, Context::Entry);
                self.write_indent();
                self.indicator(":", true, false, true);
            }
            self.value(value, Context::Entry);
        }
        self.indent = outer;
    }

    fn text(&mut self, text: &str, context: Context) {
        let style = if text.contains('\n') {
            Style::Literal
        } else if is_plain_string(text) {
            Style::Plain
        } else {
            Style::Double
        };
        self.scalar(text, style, context);
    }

    fn scalar(&mut self, text: &str, wanted: Style, context: Context) {
        if wanted == Style::Plain && is_simple(text) {
            if !self.whitespace {
                self.out.push(' ');
                self.column += 1;
            }
            self.out.push_str(text);
            self.column += text.len();
            self.whitespace = false;
            self.indention = false;
            return;
        }
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
        while self.column < indent {
            const BLANKS: &str = "                                ";
            let count = (indent - self.column).min(BLANKS.len());
            self.out.push_str(&BLANKS[..count]);
            self.column += count;
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

    fn literal(&mut self, text: &str) {
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

/// Whether a string may stand without quotes as far as types go: go-yaml v2
/// must not take it for something else.
pub(crate) fn is_plain_string(text: &str) -> bool {
    resolve::resolve(text, Version::V2) == Tag::Str && !resolve::is_base60(text)
}

/// Whether a text is plain at a glance: letters, digits and what means nothing
/// between them. Most texts are; the others are looked at closely.
fn is_simple(text: &str) -> bool {
    let bytes = text.as_bytes();
    let inside =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'/' | b'.' | b'-');
    bytes.first().is_some_and(|first| first.is_ascii_alphanumeric() || matches!(first, b'_' | b'/'))
        && bytes.iter().enumerate().all(|(index, byte)| {
            inside(*byte)
                || (*byte == b':' && bytes.get(index + 1).is_some_and(|next| inside(*next)))
        })
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
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && c != '\u{feff}'
}

#[cfg(test)]
mod tests;
