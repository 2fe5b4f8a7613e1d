//! The index of the files that `render --write` wrote into a folder.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::names;

/// Its name, in the folder.
pub(super) const FILE: &str = ".kubectl-gitops-index";

const HEAD: &str = "\
# Written by `kubectl gitops render --write`: its files here, with their SHA-256.
# It overwrites and deletes no others. `sha256sum -c` checks them.
";

/// A digest in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The files and their digests. The error is the number of a line that no
/// index has.
pub(super) fn read(text: &str) -> Result<BTreeMap<String, String>, usize> {
    let mut files = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((digest, path)) = line.split_once("  ") else { return Err(number + 1) };
        let hexadecimal = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !hexadecimal || !names::is_ours(path) {
            return Err(number + 1);
        }
        files.insert(path.to_owned(), digest.to_owned());
    }
    Ok(files)
}

/// The text of an index.
pub(super) fn write(files: &BTreeMap<String, String>) -> String {
    let mut text = HEAD.to_owned();
    for (path, digest) in files {
        let _ = writeln!(text, "{digest}  {path}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_reads_back_and_a_strange_one_does_not() {
        let files = BTreeMap::from([("a/b_c.yaml".to_owned(), digest(b"x"))]);
        assert_eq!(read(&write(&files)), Ok(files));
        assert_eq!(read(&format!("# x\n{}  ../../b.yaml\n", digest(b"x"))), Err(2));
        assert_eq!(read("short  a/b.yaml\n"), Err(1));
        assert_eq!(read("<<<<<<< HEAD\n"), Err(1));
    }
}
