//! The short way of reading against the long one: what it accepts, the long
//! way accepts too and reads alike, to the byte offsets of every mark.
//!
//! `PROPTEST_CASES` makes these runs longer: it is the number of generated
//! texts, and a twentieth of the number of mutations.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod generated;
mod mutations;

use std::path::{Path, PathBuf};

use gitops_yaml::{
    Dialect, Document, FileId, Node, Value, read_as, read_directly, read_exhaustively,
};

fn same(one: &Node, other: &Node) -> bool {
    one.mark == other.mark
        && match (&one.value, &other.value) {
            (Value::Scalar(one), Value::Scalar(other)) => one == other,
            (Value::Sequence(one), Value::Sequence(other)) => {
                one.len() == other.len()
                    && one.iter().zip(other).all(|(one, other)| same(one, other))
            }
            (Value::Mapping(one), Value::Mapping(other)) => {
                one.len() == other.len()
                    && one
                        .iter()
                        .zip(other)
                        .all(|(one, other)| same(&one.0, &other.0) && same(&one.1, &other.1))
            }
            _ => false,
        }
}

fn same_documents(one: &[Document], other: &[Document]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| {
            one.index == other.index
                && one.line == other.line
                && match (&one.root, &other.root) {
                    (Some(one), Some(other)) => same(one, other),
                    (None, None) => true,
                    _ => false,
                }
        })
}

/// All that a node is, with marks.
fn spell(node: &Node, out: &mut String) {
    use std::fmt::Write;
    let mark = node.mark;
    write!(out, "\n{}:{} {}..{} ", mark.line, mark.column, mark.start, mark.end).unwrap();
    match &node.value {
        Value::Scalar(scalar) => write!(out, "{scalar:?}").unwrap(),
        Value::Sequence(items) => {
            out.push_str("sequence");
            items.iter().for_each(|item| spell(item, out));
        }
        Value::Mapping(entries) => {
            out.push_str("mapping");
            for (key, value) in entries {
                spell(key, out);
                spell(value, out);
            }
        }
    }
}

fn spelled(documents: &[Document]) -> String {
    let mut out = String::new();
    for document in documents {
        out.push_str(&format!("\ndocument {} line {}", document.index, document.line));
        if let Some(root) = &document.root {
            spell(root, &mut out);
        }
    }
    out
}

/// Whether the short way took it; `Err` with what is wrong.
fn agrees(bytes: &[u8]) -> Result<bool, String> {
    let mut taken = true;
    for dialect in [Dialect::Manifest, Dialect::Kustomization] {
        let Some(direct) = read_directly(FileId(7), bytes, dialect) else {
            taken = false;
            continue;
        };
        let text = || String::from_utf8_lossy(bytes).into_owned();
        match read_exhaustively(FileId(7), bytes, dialect) {
            Err(error) => return Err(format!("taken, but {error}: {:?}", text())),
            Ok(documents) if !same_documents(&direct, &documents) => {
                let (ours, theirs) = (spelled(&direct), spelled(&documents));
                return Err(format!("{:?}\nshort:{ours}\nlong:{theirs}", text()));
            }
            Ok(documents) if documents.iter().any(|document| !document.repeated.is_empty()) => {
                return Err(format!("taken, but a key stands twice: {:?}", text()));
            }
            Ok(_) => {}
        }
    }
    Ok(taken)
}

/// The YAML files beside the checkout.
fn seeds() -> Vec<(PathBuf, Vec<u8>)> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let mut folders: Vec<PathBuf> =
        ["seeds", "kustomize-cases", "repos"].iter().map(|name| shared.join(name)).collect();
    let mut paths = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            println!("skipped: {} is not there", folder.display());
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()).filter(|path| !path.is_symlink()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

#[test]
fn real_files() {
    let seeds = seeds();
    let (mut files, mut bytes) = (0, 0);
    let mut declined = Vec::new();
    for (path, content) in &seeds {
        match agrees(content) {
            Err(problem) => panic!("{}: {problem}", path.display()),
            Ok(true) => {
                files += 1;
                bytes += content.len();
            }
            Ok(false) => {
                let fine = read_as(FileId(7), content, Dialect::Manifest).is_ok();
                declined.push((content.len(), fine, path));
            }
        }
    }
    let all: usize = seeds.iter().map(|(_, content)| content.len()).sum();
    declined.sort();
    for (length, fine, path) in declined.iter().rev().take(10) {
        let fine = if *fine { "read " } else { "error" };
        println!("declined: {length:8} {fine} {}", path.display());
    }
    println!("the short way took {files} of {} files, {bytes} of {all} bytes", seeds.len());
    assert!(bytes * 100 >= all * 95);
}

/// How many cases a run has, by the part of them that is meant.
fn count(factor: usize) -> usize {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    cases.unwrap_or(1000) * factor
}

#[test]
fn what_is_declined() {
    let cases = [
        "a: &x 1\n",
        "a: *x\n",
        "a: !!str 1\n",
        "%YAML 1.1\n---\na\n",
        "? a\n",
        "<<: {a: b}\n",
        "a:\tb\n",
        "\ta: b\n",
        "a: b\n\t\n",
        "a: \u{1}\n",
        "a: \u{85}\n",
        "a: b\rc: d\n",
        "a: b: c\n",
        "a: - b\n",
        "a: 1\na: 2\n",
        "{a: 1, a: 2}\n",
        "[a: b]\n",
        "{a}\n",
        "--- a\n",
        "a: |\n  x",
        "a: \"b\n---\n\"\n",
        "[a\n---\n]\n",
        "a: 'b\n",
        "- a\nb: c\n",
        "a: b\n  c: d\n",
    ];
    for text in cases {
        assert!(read_directly(FileId(0), text.as_bytes(), Dialect::Manifest).is_none(), "{text:?}");
    }
    let deep = "- ".repeat(300);
    assert!(read_directly(FileId(0), deep.as_bytes(), Dialect::Manifest).is_none());
    let mut many: String = (0..500).map(|number| format!("key-{number}: x\n")).collect();
    assert!(agrees(many.as_bytes()).unwrap());
    many.push_str("key-77: y\n");
    assert!(!agrees(many.as_bytes()).unwrap());
}
