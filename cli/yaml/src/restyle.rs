//! Writing a document in the styles in which it was read, as go-yaml v3 writes
//! a tree of nodes: quotes, block scalars, `{…}` and `[…]` stay, lists stand no
//! deeper than their key, lines are not folded, blank lines go.

use libyaml_safer::{
    Emitter, Encoding, Event, MappingStyle, ScalarStyle, Scanner, SequenceStyle, TokenData,
};

use crate::node::{FileId, Node, Scalar, Style, Tag, Value};
use crate::resolve::{self, Version};

/// Writes `node`, which was read from `text` as the file `file` and may have
/// changed since. `None` where the text holds what a [`Node`] does not keep:
/// comments, anchors, merge keys and tags; and where it holds folded scalars.
pub fn write_in_style(file: FileId, text: &str, node: &Node) -> Option<String> {
    if has_more_than_nodes(text) {
        return None;
    }
    let mut out = Vec::new();
    {
        let mut emitter = Emitter::new();
        emitter.set_output_string(&mut out);
        emitter.set_unicode(true);
        emitter.set_width(-1);
        emitter.set_indent(2);
        let mut events =
            vec![Event::stream_start(Encoding::Utf8), Event::document_start(None, &[], true)];
        push(&mut events, node, &|node: &Node, opening| {
            node.mark.file == file
                && text.as_bytes().get(node.mark.start as usize) == Some(&opening)
        });
        events.push(Event::document_end(true));
        events.push(Event::stream_end());
        for event in events {
            emitter.emit(event).ok()?;
        }
        emitter.flush().ok()?;
    }
    let written = String::from_utf8(out).ok()?;
    // The library marks the end of an open block scalar, go-yaml does not.
    let written = match written.strip_suffix("...\n") {
        Some(rest) if rest.ends_with('\n') => rest.to_owned(),
        _ => written,
    };
    if tagged(node) {
        return Some(written);
    }
    // The library's writer must have been understood.
    let again = crate::read(file, written.as_bytes()).ok()?.into_iter().next()?.root?;
    (again == *node || again.to_json().ok()? == node.to_json().ok()?).then_some(written)
}

/// Whether there are comments, folded scalars, anchors, aliases, merge keys, tags, directives,
/// or characters that the library writes in another way.
fn has_more_than_nodes(text: &str) -> bool {
    if text.chars().any(|c| c > '\u{ffff}') {
        return true;
    }
    let bytes = text.as_bytes();
    let mut scanner = Scanner::new();
    scanner.set_encoding(Encoding::Utf8);
    let terminated = format!("{text}\n");
    let mut input = terminated.as_bytes();
    scanner.set_input(&mut input);
    // A comment stands between tokens.
    let is_comment = |from: usize, to: usize| {
        bytes.get(from.min(to)..to.min(bytes.len())).is_some_and(|between| between.contains(&b'#'))
    };
    let mut end = 0;
    for token in scanner {
        let Ok(token) = token else { return true };
        let offset = |index: u64| usize::try_from(index).unwrap_or(usize::MAX);
        if is_comment(end, offset(token.start_mark.index)) {
            return true;
        }
        end = end.max(offset(token.end_mark.index));
        match token.data {
            TokenData::Anchor { .. }
            | TokenData::Alias { .. }
            | TokenData::Tag { .. }
            | TokenData::VersionDirective { .. }
            | TokenData::TagDirective { .. } => return true,
            TokenData::Scalar { value, style: ScalarStyle::Plain } if value == "<<" => return true,
            // go-yaml's writer changes the line breaks of these; ours would not.
            TokenData::Scalar { style: ScalarStyle::Folded, .. } => return true,
            TokenData::StreamEnd => break,
            _ => {}
        }
    }
    is_comment(end, bytes.len())
}

fn push(events: &mut Vec<Event>, node: &Node, opens: &dyn Fn(&Node, u8) -> bool) {
    match &node.value {
        Value::Scalar(own) => events.push(scalar(own)),
        Value::Sequence(items) => {
            let style = match opens(node, b'[') {
                true => SequenceStyle::Flow,
                false => SequenceStyle::Block,
            };
            events.push(Event::sequence_start(None, None, true, style));
            items.iter().for_each(|item| push(events, item, opens));
            events.push(Event::sequence_end());
        }
        Value::Mapping(entries) => {
            let style = match opens(node, b'{') {
                true => MappingStyle::Flow,
                false => MappingStyle::Block,
            };
            events.push(Event::mapping_start(None, None, true, style));
            for (key, value) in entries {
                push(events, key, opens);
                push(events, value, opens);
            }
            events.push(Event::mapping_end());
        }
    }
}

/// Whether something in it is written with a tag.
fn tagged(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(own) => {
            own.tag != Tag::Str && own.tag != resolve::resolve(&own.text, Version::V3)
        }
        Value::Sequence(items) => items.iter().any(tagged),
        Value::Mapping(entries) => entries.iter().any(|(key, value)| tagged(key) || tagged(value)),
    }
}

/// A scalar keeps its type: a string that looks like something else is quoted,
/// and whatever else no longer looks like its type is tagged.
fn scalar(own: &Scalar) -> Event {
    let resolved = resolve::resolve(&own.text, Version::V3);
    let mut style = match own.style {
        Style::Plain if own.text.contains('\n') => ScalarStyle::Literal,
        Style::Plain => ScalarStyle::Plain,
        Style::SingleQuoted => ScalarStyle::SingleQuoted,
        Style::DoubleQuoted => ScalarStyle::DoubleQuoted,
        Style::Literal => ScalarStyle::Literal,
        Style::Folded => ScalarStyle::Folded,
    };
    let mut tag = None;
    if own.tag == Tag::Str {
        if own.style == Style::Plain && style == ScalarStyle::Plain && resolved != Tag::Str {
            style = ScalarStyle::DoubleQuoted;
        }
    } else if own.tag != resolved {
        tag = match own.tag {
            Tag::Null => Some("tag:yaml.org,2002:null"),
            Tag::Bool => Some("tag:yaml.org,2002:bool"),
            Tag::Int => Some("tag:yaml.org,2002:int"),
            Tag::Float => Some("tag:yaml.org,2002:float"),
            Tag::Timestamp => Some("tag:yaml.org,2002:timestamp"),
            _ => None,
        };
    }
    let implicit = tag.is_none();
    Event::scalar(None, tag, &own.text, implicit, implicit, style)
}
