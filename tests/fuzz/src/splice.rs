//! An edit of any file changes its target and nothing else, or is refused.

use gitops_yaml::splice::{SpliceError, insert_entry, set_string};
use gitops_yaml::{Document, FileId, Mark, Node, Scalar, Value, read, write};

use crate::trees;

/// Ends the file; two bytes that choose the target follow, and the new text.
/// No YAML file holds it.
const END: u8 = 0;

/// Sets one scalar of a file, and adds an entry to one of its mappings. What
/// is not refused must keep every byte outside of the scalar (or every byte,
/// for the new entry), and change the value at the target's pointer only.
///
/// # Panics
///
/// Where one of these does not hold.
pub fn splice(data: &[u8]) {
    let (file, edit) = match data.iter().rposition(|byte| *byte == END) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &b"\0\0v1.2.3"[..]),
    };
    let (choice, new) = match edit {
        [low, high, new @ ..] => (usize::from(u16::from_le_bytes([*low, *high])), new),
        _ => (0, edit),
    };
    let new = String::from_utf8_lossy(new);
    let Ok(documents) = read(FileId::NONE, file) else {
        let found = set_string(file, &Mark { start: 0, end: 1, ..Mark::NONE }, &new);
        assert!(matches!(found, Err(SpliceError::Read(_))), "an edit of what cannot be read");
        return;
    };
    let targets: Vec<Target> = documents.iter().flat_map(Target::all).collect();
    let Some(target) = targets.get(choice % targets.len().max(1)) else { return };
    set(file, &documents, target, &new);
    set_written(&documents[target.document], choice, &new);
    insert(file, &documents, target, &new);
    // A mark that is of another text.
    let start = u32::try_from(choice).unwrap_or_default();
    let strange =
        Mark { start, end: start.saturating_add(u32::from(new.len() as u8)), ..Mark::NONE };
    if let Err(error) = set_string(file, &strange, &new) {
        assert!(!error.to_string().is_empty());
    }
}

/// A node by its way from the root: a pointer cannot tell `1` from `"1"`.
struct Target {
    document: usize,
    way: Vec<usize>,
}

impl Target {
    fn all(document: &Document) -> Vec<Target> {
        fn walk(node: &Node, target: &mut Target, found: &mut Vec<Target>) {
            found.push(Target { document: target.document, way: target.way.clone() });
            let count = node.items().len().max(node.entries().len());
            // A bomb's nodes are one another's copies.
            for index in 0..count.min(1000) {
                if found.len() > 10_000 {
                    return;
                }
                target.way.push(index);
                let child = node.items().get(index);
                if let Some(child) = child.or_else(|| node.entries().get(index).map(|(_, v)| v)) {
                    walk(child, target, found);
                }
                target.way.pop();
            }
        }
        let mut found = Vec::new();
        let mut target = Target { document: document.index as usize - 1, way: Vec::new() };
        if let Some(root) = &document.root {
            walk(root, &mut target, &mut found);
        }
        found
    }

    fn node<'a>(&self, documents: &'a mut [Document]) -> &'a mut Node {
        let root = documents[self.document].root.as_mut().expect("the target was found in it");
        self.way.iter().fold(root, |node, index| match &mut node.value {
            Value::Sequence(items) => &mut items[*index],
            Value::Mapping(entries) => &mut entries[*index].1,
            Value::Scalar(_) => unreachable!("the way leads through collections"),
        })
    }
}

fn set(file: &[u8], documents: &[Document], target: &Target, new: &str) {
    let mut expected = documents.to_vec();
    let node = target.node(&mut expected);
    let mark = node.mark;
    let is_scalar = matches!(node.value, Value::Scalar(_));
    let edited = match set_string(file, &mark, new) {
        Ok(edited) => edited,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(is_scalar, "a collection was set");
    let (start, end) = (mark.start as usize, mark.end as usize);
    assert!(edited.starts_with(&file[..start]), "bytes before the target changed");
    assert!(edited.ends_with(&file[end..]), "bytes after the target changed");
    assert!(edited.len() >= start + (file.len() - end), "bytes around the target are shared");
    node.value = Node::string(new).value;
    same(&expected, &edited);
}

/// In what the emitter writes, every scalar can be set.
fn set_written(document: &Document, choice: usize, new: &str) {
    let Some(root) = document.root.as_ref().filter(|root| trees::survives_writing(root)) else {
        return;
    };
    let text = write(root);
    let mut documents = read(FileId::NONE, text.as_bytes()).expect("what is written is read");
    let targets: Vec<Target> = documents.iter().flat_map(Target::all).collect();
    let target = &targets[choice % targets.len()];
    let node = target.node(&mut documents);
    if matches!(node.value, Value::Scalar(_)) {
        let mark = node.mark;
        if let Err(error) = set_string(text.as_bytes(), &mark, new) {
            panic!("{mark:?}: {error}\n{text}");
        }
    }
}

fn insert(file: &[u8], documents: &[Document], target: &Target, new: &str) {
    let mut expected = documents.to_vec();
    let node = target.node(&mut expected);
    let edited = match insert_entry(file, node, "newTag", new) {
        Ok(edited) => edited,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let added = edited.len().checked_sub(file.len()).expect("an insertion adds");
    let kept = file.iter().zip(&edited).take_while(|(old, new)| old == new).count();
    let after = file.iter().rev().zip(edited.iter().rev()).take_while(|(old, new)| old == new);
    assert!(kept + after.count() >= file.len(), "{added} bytes more, and others changed");
    let Some(entries) = node.entries_mut() else { panic!("an entry in what is no mapping") };
    entries.push((Node::string("newTag"), Node::string(new)));
    same(&expected, &edited);
}

fn same(expected: &[Document], edited: &[u8]) {
    let text = String::from_utf8_lossy(edited);
    let found = read(FileId::NONE, edited).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(found.len(), expected.len(), "another number of documents:\n{text}");
    for (found, expected) in found.iter().zip(expected) {
        let same = match (&found.root, &expected.root) {
            (Some(found), Some(expected)) => equal(found, expected),
            (found, expected) => found.is_none() && expected.is_none(),
        };
        assert!(same, "document {} has another value:\n{text}", found.index);
    }
}

/// Text, type and order; the quotes may be others.
fn equal(one: &Node, two: &Node) -> bool {
    let scalar = |one: &Scalar, two: &Scalar| one.text == two.text && one.tag == two.tag;
    match (&one.value, &two.value) {
        (Value::Scalar(one), Value::Scalar(two)) => scalar(one, two),
        (Value::Sequence(one), Value::Sequence(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| equal(one, two))
        }
        (Value::Mapping(one), Value::Mapping(two)) => {
            one.len() == two.len()
                && one
                    .iter()
                    .zip(two)
                    .all(|(one, two)| equal(&one.0, &two.0) && equal(&one.1, &two.1))
        }
        _ => false,
    }
}
