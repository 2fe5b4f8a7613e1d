//! Any tree that is written reads back equal.

use arbitrary::Unstructured;
use gitops_yaml::{FileId, Node, read, write, write_json};

use crate::trees;

/// Makes a tree of `data` and writes it. What was written must be one document
/// of the same value and be written the same again, and going by JSON must give
/// the same bytes. Trees that go-yaml itself does not bring back need only be
/// written.
///
/// # Panics
///
/// Where one of these does not hold.
pub fn emitter(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(node) = trees::node(&mut input) else { return };
    let text = write(&node);
    let json = node.to_json();
    if let Ok(json) = &json {
        let again = Node::from_json(json);
        assert_eq!(write_json(json), write(&again), "JSON is written otherwise");
        if trees::has_one_order(&node) {
            assert_eq!(write(&again), text, "JSON is written otherwise");
        }
        assert!(again.same_value(&node), "JSON is another value:\n{text}");
        assert_eq!(again.to_json().as_ref(), Ok(json));
    }
    if !trees::survives_writing(&node) {
        return;
    }
    assert!(text.ends_with('\n'), "no line break at the end of {text:?}");
    let documents = read(FileId(0), text.as_bytes());
    let documents = documents.unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(documents.len(), 1, "{text}");
    let back = documents[0].root.as_ref().unwrap_or_else(|| panic!("nothing reads back: {text:?}"));
    assert!(back.same_value(&node), "another value reads back:\n{text}");
    assert_eq!(back.to_json().ok(), json.ok(), "{text}");
    if trees::has_one_order(&node) {
        assert_eq!(write(back), text, "writing again changes the text");
    }
}
