//! The lines of a file that change, with what may be secret left out.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use gitops_tree::{Mode, TreePath};
use gitops_yaml::{Difference, Node, Scalar, Step, Value, differences};
use similar::{ChangeTag, TextDiff};

use super::FileBytes;
use super::apps::{KUSTOMIZATION_FILES, root};
use super::edit;

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

/// The file as a unified diff with three lines of context. `moved` are the
/// lines, from 1, of the file after that hold a value that moves.
pub(super) fn hunks(path: &TreePath, bytes: &FileBytes, moved: &[u32]) -> String {
    let mut text = String::new();
    let old = if bytes.before.is_some() { format!("a/{path}") } else { "/dev/null".to_owned() };
    let new = if bytes.after.is_some() { format!("b/{path}") } else { "/dev/null".to_owned() };
    // Writing into a `String` cannot fail.
    let _ = writeln!(text, "--- {}\n+++ {}", printable(&old), printable(&new));
    if let (Some(_), Some(mode)) = (&bytes.after, bytes.mode) {
        let _ = writeln!(
            text,
            "({})",
            match mode {
                Mode::Regular if bytes.before.is_some() => "not executable, and no link",
                Mode::Regular => "a file",
                Mode::Executable => "executable",
                Mode::Link => "a link",
            }
        );
    }
    let empty: &[u8] = &[];
    let before = bytes.before.as_deref().unwrap_or(empty);
    let after = bytes.after.as_deref().unwrap_or(empty);
    let (Ok(old), Ok(new)) = (std::str::from_utf8(before), std::str::from_utf8(after)) else {
        text.push_str("(not text)\n");
        return text;
    };
    let mut open_before = open_lines(path, before);
    let mut open_after = open_lines(path, after);
    open_moved(path, (before, &mut open_before), (after, &mut open_after), moved);
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
    if !path.name().is_some_and(|name| KUSTOMIZATION_FILES.contains(&name)) {
        return vec![false; count];
    }
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

/// Opens the lines of the values that move, which are told anyway, and of the
/// keys above them. A line that holds another value stays sealed.
fn open_moved(
    path: &TreePath,
    (before, open_before): (&[u8], &mut [bool]),
    (after, open_after): (&[u8], &mut [bool]),
    moved: &[u32],
) {
    let (old, new) = match (edit::read(path, before), edit::read(path, after)) {
        (Ok(old), Ok(new)) if edit::is_yaml(path) => (old, new),
        // In a text the same line changes on both sides.
        _ => {
            for line in moved.iter().map(|line| *line as usize - 1) {
                for open in [&mut *open_before, &mut *open_after] {
                    if let Some(open) = open.get_mut(line) {
                        *open = true;
                    }
                }
            }
            return;
        }
    };
    let differences: Vec<Difference> = differences(&old, &new)
        .into_iter()
        .filter(|difference| {
            difference.after.as_ref().is_some_and(|node| lines(node).any(|at| moved.contains(&at)))
        })
        .collect();
    for (documents, open) in [(&old, open_before), (&new, open_after)] {
        let mut shut: BTreeSet<u32> = BTreeSet::new();
        let mut shown: BTreeSet<u32> = BTreeSet::new();
        for (index, document) in documents.iter().enumerate() {
            let mine = differences.iter().filter(|difference| difference.document == index);
            let paths: Vec<&[Step]> = mine.map(|difference| &*difference.path).collect();
            if let Some(root) = &document.root {
                sort(root, &mut Vec::new(), &paths, &mut shown, &mut shut);
            }
        }
        for line in shown.difference(&shut) {
            if let Some(open) = open.get_mut((*line as usize).saturating_sub(1)) {
                *open = true;
            }
        }
    }
}

/// The lines of the scalars in a node.
fn lines(node: &Node) -> Box<dyn Iterator<Item = u32> + '_> {
    match &node.value {
        Value::Scalar(_) => Box::new(std::iter::once(node.mark.line)),
        Value::Sequence(items) => Box::new(items.iter().flat_map(lines)),
        Value::Mapping(entries) => Box::new(entries.iter().flat_map(|(_, value)| lines(value))),
    }
}

/// Sorts the lines of a document: those that lead to one of `paths` or stand in
/// it, and those that hold other values.
fn sort(
    node: &Node,
    at: &mut Vec<Step>,
    paths: &[&[Step]],
    shown: &mut BTreeSet<u32>,
    shut: &mut BTreeSet<u32>,
) {
    let inside = paths.iter().any(|path| at.starts_with(path));
    match &node.value {
        Value::Scalar(_) if inside => {
            shown.insert(node.mark.line);
        }
        Value::Scalar(Scalar { text, .. }) => {
            // The lines of a text, as far as they can be known.
            let breaks = u32::try_from(text.matches('\n').count()).unwrap_or(u32::MAX);
            shut.extend(node.mark.line..=node.mark.line.saturating_add(breaks));
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                at.push(Step::Item(index));
                sort(item, at, paths, shown, shut);
                at.pop();
            }
        }
        Value::Mapping(entries) => {
            for (key, value) in entries {
                at.push(Step::Key(key.text().unwrap_or_default().to_owned()));
                let leads = paths.iter().any(|path| path.starts_with(at) || at.starts_with(path));
                if leads {
                    shown.insert(key.mark.line);
                }
                sort(value, at, paths, shown, shut);
                at.pop();
            }
        }
    }
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
        hunks(&TreePath::new("k/kustomization.yaml").unwrap(), &bytes, &[])
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
    fn of_other_files_the_moved_lines_are_shown() {
        let before = "# db: hunter2\nimage:\n  name: web\n  tag: v1 # {}\n  x: &a hunter3\npassword: hunter4\n";
        let file = |text: &str| Some(text.as_bytes().into());
        let after = before.replace("v1", "v2");
        let bytes = FileBytes { before: file(before), after: file(&after), mode: None };
        let path = TreePath::new("k/values.yaml").unwrap();
        assert_eq!(
            hunks(&path, &bytes, &[4]),
            "--- a/k/values.yaml\n+++ b/k/values.yaml\n@@ -1,6 +1,6 @@\n (sealed)\n image:\n (sealed)\n-  tag: v1 # {}\n+  tag: v2 # {}\n (sealed)\n (sealed)\n"
        );
        // A line that holds more than the value.
        let flow = "image: {tag: v1, password: hunter2}\n";
        let after = flow.replace("v1", "v2");
        let bytes = FileBytes { before: file(flow), after: file(&after), mode: None };
        assert!(!hunks(&path, &bytes, &[1]).contains("hunter2"));
        // A change that is no move.
        assert!(!hunks(&path, &bytes, &[]).contains("v2"));
        let text = "a=hunter2\nv=1\n";
        let bytes = FileBytes { before: file(text), after: file("a=hunter2\nv=2\n"), mode: None };
        let shown = hunks(&TreePath::new("run.sh").unwrap(), &bytes, &[2]);
        assert!(shown.contains("-v=1\n+v=2\n") && !shown.contains("hunter"), "{shown}");
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
