//! Any folder is rendered or refused.

use gitops_kustomize::{LoadRestrictor, Options, Reorder, build as render};
use gitops_tree::{Memory, TreePath};
use gitops_yaml::{FileId, Node, Value, read};

/// Begins a line that names the file whose bytes follow.
const FILE: &str = "@@ ";

/// Renders a folder that `data` describes: lines `@@ PATH`, each followed by that
/// file's bytes; what stands before the first is the root's kustomization file.
/// The folder of the first file is rendered. It must be rendered or be
/// refused with a reason, the same way twice, and what is printed must read
/// back as the objects.
///
/// # Panics
///
/// Where one of these does not hold.
pub fn build(data: &[u8]) {
    let (tree, root) = folder(data);
    // The input itself chooses among the ways to build.
    let options = Options {
        load_restrictor: match data.len() % 2 {
            0 => LoadRestrictor::RootOnly,
            _ => LoadRestrictor::None,
        },
        reorder: if data.len().is_multiple_of(3) { Reorder::None } else { Reorder::Legacy },
        managed_by_label: data.len().is_multiple_of(5),
    };
    let (first, second) = (render(&tree, &root, &options), render(&tree, &root, &options));
    let (rendered, second) = match (first, second) {
        (Ok(first), Ok(second)) => (first, second),
        (Err(first), Err(second)) => {
            assert!(!first.to_string().is_empty());
            assert_eq!(first.to_string(), second.to_string(), "refused in two ways");
            return;
        }
        (first, _) => panic!("rendered once, refused once (first: {})", first.is_ok()),
    };
    let text = rendered.to_yaml();
    assert_eq!(text, second.to_yaml(), "rendered in two ways");
    for resource in &rendered.resources {
        known_files(&resource.node, rendered.files.len());
    }
    if rendered.resources.iter().any(|r| !crate::trees::survives_writing(&r.node)) {
        return;
    }
    let back = read(FileId(0), text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(back.len(), rendered.resources.len(), "{text}");
    for (document, resource) in back.iter().zip(&rendered.resources) {
        let same = document.root.as_ref().is_some_and(|root| root.same_value(&resource.node));
        assert!(same, "document {} reads back as another object:\n{text}", document.index);
    }
}

/// The files, and the folder of the first one.
fn folder(data: &[u8]) -> (Memory, TreePath) {
    let mut tree = Memory::new();
    let mut path = "kustomization.yaml".to_owned();
    let mut bytes: Vec<u8> = Vec::new();
    let mut root = None;
    let mut put = |path: &str, bytes: &[u8]| {
        if let Ok(path) = TreePath::new(path) {
            root.get_or_insert_with(|| path.parent().unwrap_or_else(TreePath::root));
            tree.insert(path, bytes);
        }
    };
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        if let Some(name) = line.strip_prefix(FILE.as_bytes()) {
            if !bytes.is_empty() {
                put(&path, &bytes);
            }
            path = String::from_utf8_lossy(name).trim_end().to_owned();
            bytes.clear();
        } else {
            bytes.extend_from_slice(line);
        }
    }
    put(&path, &bytes);
    (tree, root.unwrap_or_else(TreePath::root))
}

fn known_files(node: &Node, files: usize) {
    assert!(node.mark.file == FileId::NONE || (node.mark.file.0 as usize) < files, "{node:?}");
    match &node.value {
        Value::Scalar(_) => {}
        Value::Sequence(items) => items.iter().for_each(|item| known_files(item, files)),
        Value::Mapping(entries) => entries.iter().for_each(|(key, value)| {
            known_files(key, files);
            known_files(value, files);
        }),
    }
}
