//! Real manifests and kustomize's own outputs.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::path::{Path, PathBuf};

use gitops_yaml::{FileId, Mark, Node, Style, Value, read, write, write_json};

/// A folder beside the checkout, or `None` with a visible line.
fn shared(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: {} is not there", folder.display());
    None
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_symlink() {
                continue;
            } else if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn write_reproduces_kustomize_outputs() {
    let Some(folder) = shared("kustomize-cases") else { return };
    let mut checked = 0;
    for path in yaml_files(&folder) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if !matches!(name, "expected.yaml" | "expected_cli.yaml") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let documents = read(FileId(0), &bytes).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let nodes: Vec<&Node> = documents.iter().filter_map(|d| d.root.as_ref()).collect();
        let written: Vec<String> = nodes.iter().map(|node| write(node)).collect();
        let expected = String::from_utf8(bytes).unwrap();
        assert_eq!(written.join("---\n"), expected, "{}", path.display());
        let json: Vec<String> =
            nodes.iter().map(|node| write_json(&node.to_json().unwrap())).collect();
        assert_eq!(json.join("---\n"), expected, "{}", path.display());
        checked += 1;
    }
    println!("{checked} outputs");
    assert!(checked > 200);
}

/// Every scalar's mark spans its spelling: reading the span alone gives the
/// same text.
fn check_marks(path: &Path, bytes: &[u8], node: &Node, outer: Mark) -> usize {
    let span = &bytes[node.mark.start as usize..node.mark.end as usize];
    let inside = node.mark.start >= outer.start && node.mark.end <= outer.end;
    match &node.value {
        Value::Scalar(_) if span.first() == Some(&b'*') => 1,
        Value::Scalar(scalar) => {
            let spelled = std::str::from_utf8(span).unwrap();
            let wanted = match scalar.style {
                Style::Plain => !spelled.starts_with(['"', '\'']),
                Style::SingleQuoted => spelled.starts_with('\'') && spelled.ends_with('\''),
                Style::DoubleQuoted => spelled.starts_with('"') && spelled.ends_with('"'),
                Style::Literal => spelled.starts_with('|'),
                Style::Folded => spelled.starts_with('>'),
            };
            assert!(wanted, "{}:{}: {spelled:?}", path.display(), node.mark.line);
            if matches!(scalar.style, Style::Plain) && !spelled.contains('\n') {
                assert_eq!(spelled, &*scalar.text, "{}:{}", path.display(), node.mark.line);
            }
            1
        }
        _ if !inside => 0, // expanded from an anchor elsewhere
        Value::Sequence(items) => {
            items.iter().map(|item| check_marks(path, bytes, item, node.mark)).sum()
        }
        Value::Mapping(entries) => entries
            .iter()
            .map(|(key, value)| {
                check_marks(path, bytes, key, node.mark)
                    + check_marks(path, bytes, value, node.mark)
            })
            .sum(),
    }
}

#[test]
fn marks_of_real_files_are_exact() {
    let mut scalars = 0;
    let mut refused = Vec::new();
    for name in ["seeds", "kustomize-cases", "repos"] {
        let Some(folder) = shared(name) else { continue };
        for path in yaml_files(&folder) {
            let bytes = std::fs::read(&path).unwrap();
            match read(FileId(0), &bytes) {
                Err(error) => refused.push(format!("{}: {error}", path.display())),
                Ok(documents) => {
                    for root in documents.iter().filter_map(|d| d.root.as_ref()) {
                        scalars += check_marks(&path, &bytes, root, root.mark);
                        let again = read(FileId(0), write(root).as_bytes()).unwrap();
                        let again = again[0].root.as_ref().unwrap();
                        assert_eq!(again.to_json(), root.to_json(), "{}", path.display());
                    }
                }
            }
        }
    }
    println!("{scalars} scalars; refused:\n{}", refused.join("\n"));
}
