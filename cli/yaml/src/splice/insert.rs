//! New entries and items, laid out as the file lays out its own.

use super::{Splice, SpliceError, own_entries, spelling};
use crate::spelling::string_like;
use crate::{Document, Mark, Node, Scalar, Tag, Value};

/// How a file lays out its collections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Columns from a mapping to one inside it.
    pub step: usize,
    /// Columns from a key to the dashes of its list.
    pub dash: usize,
    /// Whether the file is JSON: every key and string in double quotes.
    pub json: bool,
}

impl Layout {
    /// What the first nested mapping and the first list of a file show; two
    /// columns and none where they show nothing.
    pub fn of(documents: &[Document], json: bool) -> Layout {
        let (mut step, mut dash) = (None, None);
        for root in documents.iter().filter_map(|document| document.root.as_ref()) {
            look(root, &mut step, &mut dash);
        }
        let step = step.unwrap_or(2);
        Layout { step, dash: dash.unwrap_or(0), json }
    }
}

fn look(node: &Node, step: &mut Option<usize>, dash: &mut Option<usize>) {
    for (key, value) in node.entries() {
        let deeper = || {
            let below = value.mark.line > key.mark.line && value.mark.column >= key.mark.column;
            below.then(|| (value.mark.column - key.mark.column) as usize)
        };
        match &value.value {
            Value::Mapping(_) => *step = step.or_else(|| deeper().filter(|step| *step > 0)),
            Value::Sequence(_) => *dash = dash.or_else(deeper),
            Value::Scalar(_) => {}
        }
        look(value, step, dash);
    }
    node.items().iter().for_each(|item| look(item, step, dash));
}

/// The splice that adds `key: value` as the last entry of `mapping`, which
/// stands in these bytes. What it does to other values is for the caller to
/// find out, by [`crate::differences`].
///
/// # Errors
///
/// Where nothing can be added at the mapping's end.
pub fn entry(
    bytes: &[u8],
    mapping: &Node,
    key: &str,
    value: &Node,
    layout: Layout,
) -> Result<Splice, SpliceError> {
    let like = own_entries(mapping).next().map(|(key, _)| spelling(bytes, key)).unwrap_or_default();
    if is_flow(bytes, mapping) {
        let quoted = layout.json || like.starts_with('"');
        let text = format!("{}: {}", flow_key(key, like, quoted), flow(value, quoted));
        let last = own_entries(mapping).last().map(|(key, value)| (key, value));
        return Ok(flow_splice(
            bytes,
            mapping,
            last.map(|(key, value)| (key.mark.start, key.mark.end.max(value.mark.end))),
            text,
        ));
    }
    let end = BlockEnd::of(bytes, mapping, own_entries(mapping).last().map(|(_, value)| value))?;
    let mut lines = Vec::new();
    block_entry(&mut lines, key, like, value, end.column, layout);
    Ok(end.splice(&lines))
}

/// The splice that adds an item to the end of a list, as [`entry`] does.
///
/// # Errors
///
/// Where nothing can be added at the list's end.
pub fn item(
    bytes: &[u8],
    list: &Node,
    value: &Node,
    layout: Layout,
) -> Result<Splice, SpliceError> {
    let like = list
        .items()
        .first()
        .and_then(|item| item.entries().first())
        .map(|(key, _)| spelling(bytes, key))
        .unwrap_or_default();
    if is_flow(bytes, list) {
        let quoted = layout.json || like.starts_with('"');
        let last = list.items().last().map(|item| (item.mark.start, item.mark.end));
        return Ok(flow_splice(bytes, list, last, flow(value, quoted)));
    }
    let end = BlockEnd::of(bytes, list, list.items().last())?;
    // `-   name: a`: as far from the dash as the first one.
    let first = list.items().first().map_or(list.mark, |item| item.mark);
    let gap = if first.line == list.mark.line && first.column > list.mark.column {
        (first.column - list.mark.column) as usize
    } else {
        2
    };
    let mut lines = Vec::new();
    block_item(&mut lines, like, value, end.column, gap, layout);
    Ok(end.splice(&lines))
}

/// The splice that gives a value to a key that has none (`images:`, `null`).
///
/// # Errors
///
/// Where something else stands on the key's line.
pub fn instead_of_null(
    bytes: &[u8],
    key: &Node,
    null: &Node,
    value: &Node,
    layout: Layout,
) -> Result<Splice, SpliceError> {
    let mark = key.mark;
    let unsupported =
        |reason| SpliceError::Unsupported { line: mark.line, column: mark.column, reason };
    let written = spelling(bytes, null);
    let quoted = layout.json;
    if !written.is_empty() {
        let range = null.mark.start as usize..null.mark.end as usize;
        return Ok(Splice { range, with: flow(value, quoted).into_bytes() });
    }
    let colon = mark.end as usize;
    let line = bytes[colon..].iter().position(|b| *b == b'\n');
    let end = line.map_or(bytes.len(), |at| colon + at + 1);
    let rest = std::str::from_utf8(&bytes[colon..end]).unwrap_or_default();
    let Some(rest) = rest.trim_start().strip_prefix(':') else {
        return Err(unsupported("the key's colon stands elsewhere"));
    };
    if !(rest.trim().is_empty() || rest.trim_start().starts_with('#')) {
        return Err(unsupported("something else stands on this key's line"));
    }
    let start = line_start(bytes, mark.start as usize);
    let column = columns(bytes, start, mark.start as usize);
    let end = BlockEnd { at: end, column, eol: eol(bytes, start), ended: line.is_some() };
    let mut lines = Vec::new();
    block_below(&mut lines, "", value, column, layout);
    Ok(end.splice(&lines))
}

/// The splice that puts a mapping into a document that has nothing but
/// comments.
pub fn into_nothing(bytes: &[u8], value: &Node, layout: Layout) -> Splice {
    let ended = bytes.is_empty() || bytes.ends_with(b"\n") || bytes == b"\xef\xbb\xbf";
    let end = BlockEnd { at: bytes.len(), column: 0, eol: eol(bytes, 0), ended };
    let mut lines = Vec::new();
    match &value.value {
        Value::Mapping(entries) => {
            for (key, value) in entries {
                block_entry(&mut lines, key.text().unwrap_or_default(), "", value, 0, layout);
            }
        }
        _ => lines.push((0, flow(value, layout.json))),
    }
    end.splice(&lines)
}

fn is_flow(bytes: &[u8], node: &Node) -> bool {
    matches!(bytes.get(node.mark.start as usize), Some(b'{' | b'['))
}

/// An entry or item behind the last one of `{…}` or `[…]`: on a line of its
/// own where the last one has that.
fn flow_splice(bytes: &[u8], node: &Node, last: Option<(u32, u32)>, text: String) -> Splice {
    let Some((start, end)) = last else {
        let at = node.mark.start as usize + 1;
        return Splice { range: at..at, with: text.into_bytes() };
    };
    let (start, at) = (start as usize, end as usize);
    let line = line_start(bytes, start);
    let lead = &bytes[line..start];
    let alone = line > node.mark.start as usize && lead.iter().all(u8::is_ascii_whitespace);
    let with = if alone {
        let lead = String::from_utf8_lossy(lead);
        format!(",{}{lead}{text}", eol(bytes, start))
    } else {
        format!(", {text}")
    };
    Splice { range: at..at, with: with.into_bytes() }
}

/// Where the lines of a block collection end.
struct BlockEnd {
    at: usize,
    column: usize,
    eol: &'static str,
    /// Whether the line before is ended.
    ended: bool,
}

impl BlockEnd {
    fn of(bytes: &[u8], node: &Node, last: Option<&Node>) -> Result<BlockEnd, SpliceError> {
        let Mark { line, column, start, end, .. } = node.mark;
        let unsupported = |reason| SpliceError::Unsupported { line, column, reason };
        let Some(last) = last else {
            return Err(unsupported("nothing of its own stands here that more could follow"));
        };
        if bytes.get(start as usize) == Some(&b'*') {
            return Err(unsupported("an alias stands here"));
        }
        let (start, mut at) = (start as usize, end as usize);
        let begin = line_start(bytes, start);
        let ended = |at: usize| at == 0 || bytes.get(at - 1) == Some(&b'\n');
        if ended(at) {
            // A block scalar came last: its blank lines belong behind what is
            // added, except where `+` keeps them.
            let header = spelling(bytes, deepest(last)).lines().next().unwrap_or_default();
            let text = std::str::from_utf8(&bytes[start..at]).unwrap_or_default();
            if !header.split('#').next().unwrap_or_default().contains('+') {
                let tail = &text[text.trim_end().len()..];
                let first_break = tail.find('\n').map_or(0, |at| at + 1);
                at -= tail.len() - first_break;
            }
        } else {
            let rest = &bytes[at..];
            let length = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |at| at + 1);
            let text = rest[..length].trim_ascii();
            if !(text.is_empty() || text.starts_with(b"#")) {
                return Err(unsupported("something else stands on its last line"));
            }
            at += length;
        }
        let column = columns(bytes, begin, start);
        Ok(BlockEnd { at, column, eol: eol(bytes, start), ended: ended(at) })
    }

    /// The lines, each with how far it is indented, at the end.
    fn splice(&self, lines: &[(usize, String)]) -> Splice {
        let mut with = String::new();
        for (indent, line) in lines {
            if !self.ended {
                with.push_str(self.eol);
            }
            with.extend(std::iter::repeat_n(' ', *indent));
            with.push_str(line);
            if self.ended {
                with.push_str(self.eol);
            }
        }
        Splice { range: self.at..self.at, with: with.into_bytes() }
    }
}

/// The last value of a collection, however deep.
fn deepest(node: &Node) -> &Node {
    let last = match &node.value {
        Value::Scalar(_) => None,
        Value::Sequence(items) => items.last(),
        Value::Mapping(entries) => entries.last().map(|(_, value)| value),
    };
    last.map_or(node, deepest)
}

fn line_start(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1)
}

/// How many columns stand before `at` in its line; a byte order mark is none.
fn columns(bytes: &[u8], line: usize, at: usize) -> usize {
    let lead = std::str::from_utf8(&bytes[line..at]).unwrap_or_default();
    lead.trim_start_matches('\u{feff}').chars().count()
}

/// The line break in use at `at`.
fn eol(bytes: &[u8], at: usize) -> &'static str {
    match bytes[at..].iter().position(|b| *b == b'\n').map(|found| at + found) {
        Some(found) if found > 0 && bytes[found - 1] == b'\r' => "\r\n",
        Some(_) => "\n",
        None if bytes[..at].windows(2).any(|pair| pair == b"\r\n") => "\r\n",
        None => "\n",
    }
}

fn block_entry(
    lines: &mut Vec<(usize, String)>,
    key: &str,
    like: &str,
    value: &Node,
    column: usize,
    layout: Layout,
) {
    let name = flow_key(key, like, layout.json);
    match &value.value {
        Value::Scalar(held) => lines.push((column, format!("{name}: {}", scalar(held, like)))),
        Value::Mapping(entries) if entries.is_empty() => {
            lines.push((column, format!("{name}: {{}}")));
        }
        Value::Sequence(items) if items.is_empty() => lines.push((column, format!("{name}: []"))),
        _ => {
            lines.push((column, format!("{name}:")));
            block_below(lines, like, value, column, layout);
        }
    }
}

/// A collection in the lines below its key.
fn block_below(
    lines: &mut Vec<(usize, String)>,
    like: &str,
    value: &Node,
    column: usize,
    layout: Layout,
) {
    match &value.value {
        Value::Mapping(entries) => {
            for (key, value) in entries {
                let key = key.text().unwrap_or_default();
                block_entry(lines, key, like, value, column + layout.step, layout);
            }
        }
        Value::Sequence(items) => {
            for item in items {
                block_item(lines, like, item, column + layout.dash, 2, layout);
            }
        }
        Value::Scalar(held) => lines.push((column + layout.step, scalar(held, like))),
    }
}

fn block_item(
    lines: &mut Vec<(usize, String)>,
    like: &str,
    value: &Node,
    column: usize,
    gap: usize,
    layout: Layout,
) {
    let first = lines.len();
    match &value.value {
        Value::Mapping(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                let key = key.text().unwrap_or_default();
                block_entry(lines, key, like, value, column + gap, layout);
            }
        }
        _ => lines.push((column + gap, flow(value, layout.json))),
    }
    if let Some((indent, line)) = lines.get_mut(first) {
        *indent = column;
        line.insert_str(0, &format!("-{}", " ".repeat(gap - 1)));
    }
}

fn flow_key(key: &str, like: &str, quoted: bool) -> String {
    if quoted { string_like("\"\"", key) } else { string_like(like, key) }
}

fn scalar(held: &Scalar, like: &str) -> String {
    match held.tag {
        Tag::Str | Tag::Timestamp | Tag::Binary | Tag::Other(_) => string_like(like, &held.text),
        Tag::Null | Tag::Bool | Tag::Int | Tag::Float => held.text.to_string(),
    }
}

fn flow(value: &Node, quoted: bool) -> String {
    let like = if quoted { "\"\"" } else { "" };
    match &value.value {
        Value::Scalar(held) => scalar(held, like),
        Value::Sequence(items) => {
            let items: Vec<String> = items.iter().map(|item| flow(item, quoted)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Mapping(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| {
                    let key = flow_key(key.text().unwrap_or_default(), "", quoted);
                    format!("{key}: {}", flow(value, quoted))
                })
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}
