//! Trees of any shape, and what is known of them.

use arbitrary::{Arbitrary, Result, Unstructured};
use gitops_yaml::{Node, Tag, Value};

/// What YAML takes for a line break.
pub(crate) fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Lines and columns of a file, counted anew.
pub(crate) struct Places<'a> {
    data: &'a [u8],
    /// Offset of each line's first byte.
    lines: Vec<usize>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Places<'a> {
        let text = String::from_utf8_lossy(data);
        let lead = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let mut lines = vec![lead];
        if let Ok(text) = std::str::from_utf8(data) {
            let mut characters = text.char_indices().peekable();
            while let Some((at, c)) = characters.next() {
                let half = c == '\r' && characters.peek().is_some_and(|(_, next)| *next == '\n');
                if is_break(c) && !half {
                    lines.push(at + c.len_utf8());
                }
            }
        } else {
            lines.extend(data.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at));
        }
        Places { data, lines }
    }

    /// How many lines there are.
    pub(crate) fn lines(&self) -> usize {
        self.lines.len()
    }

    /// The 1-based line and column of a byte.
    pub(crate) fn of(&self, offset: usize) -> (u32, u32) {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let before = self.data.get(self.lines[line - 1]..offset).unwrap_or_default();
        let column = String::from_utf8_lossy(before).chars().count() + 1;
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }
}

/// Whether any node fits.
pub(crate) fn any(node: &Node, fits: &mut dyn FnMut(&Node) -> bool) -> bool {
    fits(node)
        || match &node.value {
            Value::Scalar(_) => false,
            Value::Sequence(items) => items.iter().any(|item| any(item, fits)),
            Value::Mapping(entries) => {
                entries.iter().any(|(key, value)| any(key, fits) || any(value, fits))
            }
        }
}

/// Null keys have no text, and so no pointer and no place in JSON.
pub(crate) fn has_null_key(node: &Node) -> bool {
    any(node, &mut |node| node.entries().iter().any(|(key, _)| key.is_null()))
}

/// Whether go-yaml v2, whose bytes `write` gives, writes this so that a reader
/// gets it back: it folds a few rare line breaks, and writes `<<` as a merge.
pub(crate) fn survives_writing(node: &Node) -> bool {
    let rare = |c: char| matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
    !has_null_key(node)
        && !any(node, &mut |node| {
            node.text().is_some_and(|text| text.contains(rare))
                || node.entries().iter().any(|(key, _)| key.text() == Some("<<"))
        })
}

/// Whether go-yaml's order of keys is one: with digits it need not be
/// transitive, and what comes out then depends on what went in.
pub(crate) fn has_one_order(node: &Node) -> bool {
    let digit = |text: &str| text.contains(|c: char| c.is_ascii_digit());
    !any(node, &mut |node| {
        let entries = node.entries();
        entries.len() > 2 && entries.iter().any(|(key, _)| key.text().is_some_and(digit))
    })
}

/// A tree of any shape: up to 6 levels, keys unique.
pub(crate) fn node(input: &mut Unstructured<'_>) -> Result<Node> {
    below(input, 6)
}

fn below(input: &mut Unstructured<'_>, depth: u32) -> Result<Node> {
    let kinds = if depth == 0 { 6 } else { 9 };
    Ok(match input.int_in_range(0..=kinds)? {
        0..=4 => Node::string(text(input)?),
        5 | 6 => number_or_word(input)?,
        7 => {
            let mut items = Vec::new();
            while more(input, items.len(), 40)? {
                items.push(below(input, depth - 1)?);
            }
            Node::sequence(items)
        }
        _ => {
            let mut mapping = Node::mapping();
            while more(input, mapping.entries().len(), 40)? {
                let key = text(input)?;
                mapping.set(&key, below(input, depth - 1)?);
            }
            mapping
        }
    })
}

/// Whether another one follows; an input that is used up says yes for ever.
fn more(input: &mut Unstructured<'_>, count: usize, most: usize) -> Result<bool> {
    Ok(count < most && !input.is_empty() && input.ratio(3, 4)?)
}

/// Pieces that some reader or writer trips over, and any characters.
pub(crate) fn text(input: &mut Unstructured<'_>) -> Result<String> {
    const PIECES: &[&str] = &[
        "a",
        "key",
        " ",
        "  ",
        "\n",
        "\t",
        "\r\n",
        ": ",
        ":",
        " #",
        "#",
        "- ",
        "-",
        "? ",
        "'",
        "\"",
        "\\",
        "---",
        "...",
        "|",
        ">",
        "&",
        "*",
        "!",
        "%",
        "@",
        "`",
        "{",
        "}",
        "[",
        "]",
        ",",
        "~",
        "null",
        "true",
        "yes",
        "on",
        "y",
        "0x1f",
        "0o17",
        "017",
        "1_0",
        "1:30",
        "1e3",
        ".5",
        ".inf",
        ".nan",
        "2024-01-01",
        "<<",
        "=",
        "é",
        "绿",
        "😀",
        "\u{feff}",
        "\u{0}",
        "\u{7f}",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "\u{fffe}",
        "a word or two that go on and on, so that the line has to be folded somewhere before its end",
    ];
    let mut text = String::new();
    while more(input, text.len(), 400)? {
        match input.int_in_range(0..=2)? {
            0 => text.push_str(input.choose(PIECES)?),
            1 => text.push_str(<&str>::arbitrary(input)?),
            _ => text.push(char::from(input.int_in_range(b' '..=b'~')?)),
        }
    }
    Ok(text)
}

fn number_or_word(input: &mut Unstructured<'_>) -> Result<Node> {
    const SPELLED: &[(&str, Tag)] = &[
        ("null", Tag::Null),
        ("~", Tag::Null),
        ("", Tag::Null),
        ("true", Tag::Bool),
        ("False", Tag::Bool),
        ("0x1f", Tag::Int),
        ("0o17", Tag::Int),
        ("017", Tag::Int),
        ("-0", Tag::Int),
        ("1_000", Tag::Int),
        ("+1", Tag::Int),
        ("0b-11", Tag::Int),
        ("1e3", Tag::Float),
        (".5", Tag::Float),
        ("1.", Tag::Float),
        (".inf", Tag::Float),
        ("-.inf", Tag::Float),
        (".nan", Tag::Float),
        ("2024-01-01", Tag::Timestamp),
        ("2001-12-14t21:59:43.10-05:00", Tag::Timestamp),
        ("aGk=", Tag::Binary),
        ("gIA=", Tag::Binary),
    ];
    Ok(match input.int_in_range(0..=4)? {
        0 => Node::scalar(i64::arbitrary(input)?.to_string(), Tag::Int),
        1 => Node::scalar(u64::arbitrary(input)?.to_string(), Tag::Int),
        2 => {
            let number = f64::arbitrary(input)?;
            let text = match number {
                _ if number.is_nan() => ".nan".to_owned(),
                _ if number.is_infinite() => {
                    (if number > 0.0 { ".inf" } else { "-.inf" }).to_owned()
                }
                _ => format!("{number:e}"),
            };
            Node::scalar(text, Tag::Float)
        }
        3 => {
            let (text, tag) = input.choose(SPELLED)?;
            Node::scalar(*text, tag.clone())
        }
        _ => Node::scalar(text(input)?, Tag::Other("!own".into())),
    })
}
