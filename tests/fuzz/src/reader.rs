//! Any bytes are read or refused.

use gitops_yaml::{Dialect, Document, FileId, Mark, Node, ReadError, Style, Value, read_as, write};

use crate::trees::{self, Places};

const FILE: FileId = FileId(7);

/// Reads `data` in both dialects. Every mark must lie in the file at the line
/// and column it names, every scalar must be spelled there, every pointer must
/// lead back to its node, and what is written must read back equal.
///
/// # Panics
///
/// Where one of these does not hold.
pub fn reader(data: &[u8]) {
    for dialect in [Dialect::Manifest, Dialect::Kustomization] {
        match read_as(FILE, data, dialect) {
            Err(error) => refused(data, &error),
            Ok(documents) => accepted(data, dialect, &documents),
        }
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
