//! The lines of a file that change, with what may be secret left out.

use std::fmt::Write as _;

use gitops_tree::TreePath;
use similar::{ChangeTag, TextDiff};

use super::FileBytes;
use super::apps::root;

/// The top-level keys of a kustomization whose lines may be shown. Literals
/// of generators and inline patches may hold secrets, so every other key is
/// sealed by position.
const OPEN: [&str; 24] = [
    "apiVersion",
    "kind",
    "metadata",
    "namespace",
    "resources",
    "bases",
    "components",
    "images",
    "replicas",
    "namePrefix",
    "nameSuffix",
    "labels",
    "commonLabels",
    "commonAnnotations",
    "configurations",
    "crds",
    "sortOptions",
    "buildMetadata",
    "generatorOptions",
    "openapi",
    "replacements",
    "patchesStrategicMerge",
    "generators",
    "transformers",
];

/// What stands for a line that is not shown.
const SEALED: &str = "(sealed)";

/// The file as a unified diff with three lines of context.
pub(super) fn hunks(path: &TreePath, bytes: &FileBytes) -> String {
    let mut text = String::new();
    let old = if bytes.before.is_some() { format!("a/{path}") } else { "/dev/null".to_owned() };
    let new = if bytes.after.is_some() { format!("b/{path}") } else { "/dev/null".to_owned() };
    // Writing into a `String` cannot fail.
    let _ = writeln!(text, "--- {}\n+++ {}", printable(&old), printable(&new));
    let empty: &[u8] = &[];
    let before = bytes.before.as_deref().unwrap_or(empty);
    let after = bytes.after.as_deref().unwrap_or(empty);
    let (Ok(old), Ok(new)) = (std::str::from_utf8(before), std::str::from_utf8(after)) else {
        text.push_str("(not text)\n");
        return text;
    };
    let open_before = open_lines(path, before);
    let open_after = open_lines(path, after);
    let diff = TextDiff::from_lines(old, new);
    for group in diff.grouped_ops(3) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let range = |start: usize, end: usize| match end - start {
            0 => format!("{start},0"),
            1 => format!("{}", start + 1),
            count => format!("{},{count}", start + 1),
        };
        let _ = writeln!(
            text,
            "@@ -{} +{} @@",
            range(first.old_range().start, last.old_range().end),
            range(first.new_range().start, last.new_range().end)
        );
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            let open = match (change.old_index(), change.new_index()) {
                (_, Some(line)) => open_after.get(line),
                (Some(line), None) => open_before.get(line),
                (None, None) => None,
            };
            let line = change.value().trim_end_matches(['\n', '\r']);
            let shown = if line.is_empty() || open == Some(&true) { line } else { SEALED };
            let _ = writeln!(text, "{sign}{}", printable(shown));
        }
    }
    text
}

/// Which lines belong to keys that may be shown; none of a file that cannot
/// be read.
fn open_lines(path: &TreePath, bytes: &[u8]) -> Vec<bool> {
    let count = bytes.split(|byte| *byte == b'\n').count();
    let Ok(root) = root(path, bytes) else { return vec![false; count] };
    // Lines before the first key hold comments at most.
    let mut open = vec![true; count];
    for (key, _) in root.entries() {
        let from = (key.mark.line as usize).saturating_sub(1).min(count);
        let shown = key.text().is_some_and(|key| OPEN.contains(&key));
        open[from..].fill(shown);
    }
    open
}

/// The text with control characters written out, so that a file cannot play
/// with the terminal.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let hidden = c.is_control() && c != '\t'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if hidden { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hunks_of(before: &str, after: &str) -> String {
        let bytes = FileBytes {
            before: Some(before.as_bytes().into()),
            after: Some(after.as_bytes().into()),
            mode: None,
        };
        hunks(&TreePath::new("k/kustomization.yaml").unwrap(), &bytes)
    }

    #[test]
    fn lines_of_generators_and_patches_are_sealed() {
        let before = "secretGenerator:\n- name: a\n  literals:\n  - password=hunter2\nimages:\n- name: web\n  newTag: a\npatches:\n- patch: hunter3\n";
        let text = hunks_of(before, &before.replace("newTag: a", "newTag: b"));
        assert_eq!(
            text,
            "--- a/k/kustomization.yaml\n+++ b/k/kustomization.yaml\n@@ -4,6 +4,6 @@\n (sealed)\n images:\n - name: web\n-  newTag: a\n+  newTag: b\n (sealed)\n (sealed)\n"
        );
    }

    #[test]
    fn carriage_returns_and_escapes_do_not_reach_the_terminal() {
        let text = hunks_of(
            "images:\r\n- newTag: a # \u{202e}x\r\n",
            "images:\r\n- newTag: b # \u{202e}x\r\n",
        );
        assert!(!text.contains(['\r', '\u{202e}']), "{text:?}");
        assert!(text.contains("+- newTag: b # \\u{202e}x\n"), "{text}");
    }
}
