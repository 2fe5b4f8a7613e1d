//! Any bytes are read or refused.

use gitops_yaml::{
    Dialect, Document, FileId, Mark, Node, ReadError, Style, Tag, Value, read_as,
    read_exhaustively, write,
};

use crate::trees::{self, Places};

const FILE: FileId = FileId(7);

/// Reads `data` in both dialects. The short way must give what the long one
/// does, refusals included. Every mark must lie in the file at the line
/// and column it names, every scalar must be spelled there, every pointer must
/// lead back to its node, and what is written must read back equal.
///
/// # Panics
///
/// Where one of these does not hold.
pub fn reader(data: &[u8]) {
    for dialect in [Dialect::Manifest, Dialect::Kustomization] {
        let read = read_as(FILE, data, dialect);
        both_ways(&read, &read_exhaustively(FILE, data, dialect));
        match read {
            Err(error) => refused(data, &error),
            Ok(documents) => accepted(data, dialect, &documents),
        }
    }
}

fn both_ways(short: &Result<Vec<Document>, ReadError>, long: &Result<Vec<Document>, ReadError>) {
    let (short, long) = match (short, long) {
        (Ok(short), Ok(long)) => (short, long),
        (Err(short), Err(long)) => return assert_eq!(short, long),
        (Ok(_), Err(long)) => panic!("read, where the long way refuses: {long}"),
        (Err(short), Ok(_)) => panic!("refused, where the long way reads: {short}"),
    };
    assert_eq!(short.len(), long.len(), "another number of documents");
    for (short, long) in short.iter().zip(long) {
        assert_eq!((short.index, short.line), (long.index, long.line));
        match (&short.root, &long.root) {
            (None, None) => {}
            (Some(short), Some(long)) => identical(short, long),
            (short, _) => panic!("document {}: {}", long.index, short.is_some()),
        }
    }
}

fn identical(short: &Node, long: &Node) {
    assert_eq!(short.mark, long.mark);
    match (&short.value, &long.value) {
        (Value::Scalar(short), Value::Scalar(long)) => assert_eq!(short, long),
        (Value::Sequence(short), Value::Sequence(long)) => {
            assert_eq!(short.len(), long.len(), "items of {long:?}");
            short.iter().zip(long).for_each(|(short, long)| identical(short, long));
        }
        (Value::Mapping(short), Value::Mapping(long)) => {
            assert_eq!(short.len(), long.len(), "entries of {long:?}");
            for (short, long) in short.iter().zip(long) {
                identical(&short.0, &long.0);
                identical(&short.1, &long.1);
            }
        }
        _ => panic!("{short:?} is {long:?}"),
    }
}

fn refused(data: &[u8], error: &ReadError) {
    assert!(!error.reason.is_empty(), "a refusal without a reason");
    assert!(error.line > 0 && error.column > 0, "no place: {error}");
    // The end of a file may be named by the line after its last one.
    let breaks = Places::new(data).lines();
    assert!(error.line as usize <= breaks + 1, "{error}: the file has {breaks} line breaks");
}

fn accepted(data: &[u8], dialect: Dialect, documents: &[Document]) {
    let places = Places::new(data);
    for (index, document) in documents.iter().enumerate() {
        assert_eq!(document.index as usize, index + 1);
        let Some(root) = &document.root else { continue };
        marks(data, &places, root, root.mark);
        pointers(root);
        rewritten(root, dialect);
    }
}

fn marks(data: &[u8], places: &Places, node: &Node, outer: Mark) {
    let mark = node.mark;
    assert_eq!(mark.file, FILE);
    let (start, end) = (mark.start as usize, mark.end as usize);
    assert!(start <= end && end <= data.len(), "{mark:?} of {} bytes", data.len());
    assert_eq!(places.of(start), (mark.line, mark.column), "{mark:?}");
    let inside = mark.start >= outer.start && mark.end <= outer.end;
    let span = std::str::from_utf8(&data[start..end]);
    let span = span.unwrap_or_else(|_| panic!("{mark:?} cuts a character in two"));
    match &node.value {
        _ if span.starts_with('*') => {}
        Value::Scalar(scalar) => {
            let quoted =
                |quote: char| span.len() >= 2 && span.starts_with(quote) && span.ends_with(quote);
            let spelled = match scalar.style {
                // One line of plain text stands for itself.
                Style::Plain => span.contains(trees::is_break) || span == &*scalar.text,
                // What is not written where flow context has a value.
                Style::SingleQuoted if scalar.tag == Tag::Null => span.is_empty(),
                Style::SingleQuoted => quoted('\''),
                Style::DoubleQuoted => quoted('"'),
                Style::Literal => span.starts_with('|'),
                Style::Folded => span.starts_with('>'),
            };
            assert!(spelled, "{mark:?}: {:?} is spelled {span:?}", scalar.text);
        }
        _ if !inside => {} // from an anchor elsewhere
        Value::Sequence(items) => {
            items.iter().for_each(|item| marks(data, places, item, mark));
        }
        Value::Mapping(entries) => entries.iter().for_each(|(key, value)| {
            marks(data, places, key, mark);
            marks(data, places, value, mark);
        }),
    }
}

fn pointers(root: &Node) {
    if trees::has_null_key(root) {
        return;
    }
    for (pointer, mark) in root.pointers() {
        let found = root.pointer(&pointer).map(|node| node.mark);
        assert_eq!(found, Some(mark), "{pointer:?}");
    }
}

fn rewritten(root: &Node, dialect: Dialect) {
    let text = write(root);
    if !trees::survives_writing(root) {
        return;
    }
    // The emitter writes for the readers of manifests.
    let read = read_as(FILE, text.as_bytes(), Dialect::Manifest);
    let documents = read.unwrap_or_else(|error| panic!("{error}\n{text}"));
    let back = documents.first().and_then(|document| document.root.as_ref());
    let back = back.unwrap_or_else(|| panic!("nothing reads back from {text:?}"));
    assert_eq!(documents.len(), 1, "{text:?}");
    assert!(back.same_value(root), "another value reads back ({dialect:?}):\n{text}");
    assert_eq!(back.to_json().ok(), root.to_json().ok(), "{text}");
    if trees::has_one_order(root) {
        assert_eq!(write(back), text, "writing again changes the text");
    }
}
