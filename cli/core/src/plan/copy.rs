//! `copy:`, the files of a folder: created, edited and taken away, byte for
//! byte, executable bits and links within the folder included.
//!
//! A file is a slot whose value names its bytes. What `never` covers in a YAML
//! file does not count for that name, and keeps the target's bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gitops_tree::{Answer, EntryKind, Mode, Reading, Tree, TreeError, TreePath};
use gitops_yaml::splice::{self, Splice};
use gitops_yaml::{FileId, Mark, Node, Style, Value};
use globset::{GlobBuilder, GlobMatcher};

use crate::judge::Moved;
use crate::object::Source;

use super::FileBytes;
use super::blob::BlobId;
use super::error::PlanError;
use super::rules::FieldPattern;
use super::slot::{App, Held, Slot, SlotId, Spot};
use super::wanted::Want;

/// A folder that is copied.
#[derive(Clone, Debug)]
pub struct CopyRule {
    /// Which, from the app's folder.
    pub(super) from: String,
    exclude: Vec<Exclude>,
    never: Vec<FieldPattern>,
}

/// What is not copied. A glob without a slash is held against every name on the
/// way to a file, one with a slash against the path from the app's folder; what
/// is in an excluded folder is excluded.
#[derive(Clone, Debug)]
struct Exclude {
    glob: GlobMatcher,
    by_name: bool,
}

impl CopyRule {
    /// Reads a rule. `never` are the fields that stay with their environment.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the folder or a glob, in words.
    pub fn new(
        from: &str,
        exclude: &[String],
        never: Vec<FieldPattern>,
    ) -> Result<CopyRule, String> {
        let from = TreePath::new(from).map_err(|error| error.to_string())?;
        let exclude = exclude.iter().map(|text| {
            let plain = text.trim_start_matches("./").trim_matches('/');
            let glob = GlobBuilder::new(plain).literal_separator(true).build();
            let glob = glob.map_err(|error| format!("`{text}`: {}", error.kind()))?;
            Ok(Exclude { glob: glob.compile_matcher(), by_name: !plain.contains('/') })
        });
        let exclude = exclude.collect::<Result<_, String>>()?;
        Ok(CopyRule { from: from.as_str().to_owned(), exclude, never })
    }

    /// Whether a path from the app's folder is left out.
    pub(super) fn excludes(&self, path: &str) -> bool {
        self.exclude.iter().any(|exclude| {
            if exclude.by_name {
                return path.split('/').any(|name| exclude.glob.is_match(name));
            }
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            ends.into_iter().any(|end| exclude.glob.is_match(&path[..end]))
        })
    }
}

const EXECUTABLE: &str = " executable";
const LINK: &str = " link";
const FOREIGN: &str = "submodule";

/// The files of an app that are copied, as slots.
///
/// # Errors
///
/// When the folder cannot be read.
pub(super) fn look(
    tree: &dyn Tree,
    folder: &TreePath,
    mover: usize,
    rule: &CopyRule,
) -> Result<Vec<Slot>, PlanError> {
    let mut slots = Vec::new();
    let mut open = vec![rule.from.clone()];
    while let Some(inside) = open.pop() {
        let dir = folder.join(&inside).map_err(|error| shape(&inside, error.to_string()))?;
        let entries = match tree.list(&dir) {
            Ok(entries) => entries,
            Err(TreeError::Absent { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        for entry in entries {
            let slash = if inside.is_empty() { "" } else { "/" };
            let place = format!("{inside}{slash}{}", entry.name);
            if rule.excludes(&place) {
                continue;
            }
            let file = dir.join(&entry.name).expect("a name in a listing stays inside the tree");
            let value = match entry.kind {
                EntryKind::Directory => {
                    open.push(place);
                    continue;
                }
                EntryKind::File => {
                    let mark = if tree.executable(&file)? { EXECUTABLE } else { "" };
                    format!("{}{mark}", bytes_name(tree, &file, rule)?)
                }
                EntryKind::Link => format!("{}{LINK}", BlobId::of(tree.link(&file)?.as_bytes())),
                EntryKind::Other => FOREIGN.to_owned(),
            };
            slots.push(slot(mover, place, file, Some(Held::text(value))));
        }
    }
    slots.sort_by(|one, two| one.id.cmp(&two.id));
    Ok(slots)
}

fn slot(mover: usize, place: String, file: TreePath, value: Option<Held>) -> Slot {
    Slot {
        name: place.clone(),
        id: SlotId { mover, place },
        what: Moved::Folder,
        path: Vec::new(),
        source: Source { path: file.as_str().to_owned(), document: 1, line: None },
        file,
        value,
        spot: Spot::File,
        owned_by: None,
    }
}

/// The name of a file's bytes, those that `never` covers left out.
fn bytes_name(tree: &dyn Tree, file: &TreePath, rule: &CopyRule) -> Result<String, PlanError> {
    if !rule.never.is_empty() && is_yaml(file) {
        let bytes = tree.read(file)?;
        let masked = Fenced::read(&bytes, &rule.never)
            .and_then(|fenced| fenced.spliced(&bytes, |_| Some(b"\0".to_vec())).ok());
        return Ok(BlobId::of(masked.as_deref().unwrap_or(&bytes)).to_string());
    }
    Ok(match tree.answer(&Reading::Path(file.clone()))? {
        Answer::File(name) => name.iter().map(|byte| format!("{byte:02x}")).collect(),
        _ => BlobId::of(&tree.read(file)?).to_string(),
    })
}

fn is_yaml(file: &TreePath) -> bool {
    [".yaml", ".yml", ".json"].iter().any(|end| file.as_str().ends_with(end))
}

/// What the files of the target shall hold: what those of the source do.
///
/// # Errors
///
/// Where two paths would differ only in case.
pub(super) fn wants(
    mover: usize,
    app: &App,
    here: Option<&App>,
    folder: &TreePath,
) -> Result<Vec<Want>, PlanError> {
    let of = |app: &App| -> BTreeMap<SlotId, Slot> {
        let own = app.slots.iter().filter(|slot| slot.id.mover == mover);
        own.map(|slot| (slot.id.clone(), slot.clone())).collect()
    };
    let (source, target) = (of(app), here.map(of).unwrap_or_default());
    let mut wants = Vec::new();
    let mut spelled: BTreeMap<String, &str> = BTreeMap::new();
    let ids: BTreeSet<&SlotId> = source.keys().chain(target.keys()).collect();
    for id in ids {
        let value = source.get(id).and_then(|slot| slot.value.clone());
        if value.is_some()
            && let Some(other) = spelled.insert(id.place.to_lowercase(), &id.place)
        {
            let reason = format!(
                "it differs from `{other}` only in case, and not every disk tells them apart"
            );
            return Err(shape(&id.place, reason));
        }
        let slot = match target.get(id) {
            Some(slot) => slot.clone(),
            None => absent(id, folder)?,
        };
        wants.push(Want { slot, value });
    }
    Ok(wants)
}

impl CopyRule {
    /// A folder with all that is in it.
    pub(super) fn everything() -> CopyRule {
        CopyRule { from: String::new(), exclude: Vec::new(), never: Vec::new() }
    }
}

/// Every file of a folder.
pub(super) fn everything(tree: &dyn Tree, folder: &TreePath) -> Result<Vec<Slot>, PlanError> {
    look(tree, folder, usize::MAX, &CopyRule::everything())
}

/// Takes every file of a folder away.
pub(super) fn nothing(tree: &dyn Tree, folder: &TreePath) -> Result<Vec<Want>, PlanError> {
    let slots = everything(tree, folder)?;
    Ok(slots.into_iter().map(|slot| Want { slot, value: None }).collect())
}

/// The slot of a file that is not there.
pub(super) fn absent(id: &SlotId, folder: &TreePath) -> Result<Slot, PlanError> {
    let file = folder.join(&id.place);
    let file = file.map_err(|error| shape(&id.place, error.to_string()))?;
    Ok(slot(id.mover, id.place.clone(), file, None))
}

/// Whose files are copied.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those of another environment.
    Another,
    /// Earlier ones of the target itself.
    Own,
}

/// A file that becomes what `source` holds of it below `from`, or goes.
///
/// # Errors
///
/// Where it cannot be copied, with the reason.
pub(super) fn put(
    rule: &CopyRule,
    source: (&dyn Tree, &TreePath, Whose),
    target: &dyn Tree,
    want: &Want,
) -> Result<FileBytes, PlanError> {
    let file = &want.slot.file;
    let kind = target.kind(file)?;
    let before: Option<Arc<[u8]>> = match kind {
        Some(EntryKind::File) => Some(target.read(file)?),
        Some(EntryKind::Link) => Some(target.link(file)?.into_bytes().into()),
        Some(EntryKind::Other) => {
            let reason = "a submodule stands there, which is not replaced; `exclude` leaves it out";
            return Err(shape(file.as_str(), reason.to_owned()));
        }
        _ => None,
    };
    if want.value.is_none() {
        let was_link = kind == Some(EntryKind::Link);
        return Ok(FileBytes { before, after: None, mode: was_link.then_some(Mode::Link) });
    }
    let (after, mode) = copied(rule, source, target, want)?;
    Ok(FileBytes { before, after: Some(after), mode })
}

/// What a file of the target becomes: its bytes, and how they are held.
fn copied(
    rule: &CopyRule,
    (source, from, whose): (&dyn Tree, &TreePath, Whose),
    target: &dyn Tree,
    want: &Want,
) -> Result<(Arc<[u8]>, Option<Mode>), PlanError> {
    let place = &want.slot.id.place;
    let held = want.value.as_ref().map_or("", |held| held.text.as_str());
    let file = from.join(place).map_err(|error| shape(place, error.to_string()))?;
    if held == FOREIGN {
        return Err(shape(
            file.as_str(),
            "a submodule is not copied; `exclude` leaves it out".to_owned(),
        ));
    }
    let before = want.slot.text();
    if held.ends_with(LINK) {
        let link = source.link(&file)?;
        let top = from.join(&rule.from).map_err(|error| shape(place, error.to_string()))?;
        let parent = TreePath::new(file.as_str().rsplit_once('/').map_or("", |(parent, _)| parent));
        let end =
            parent.ok().filter(|_| !link.starts_with('/')).and_then(|dir| dir.join(&link).ok());
        if whose == Whose::Another && !end.is_some_and(|end| end.is_within(&top)) {
            let reason = format!(
                "it is a link to `{link}`, out of the folder that is copied; `exclude` leaves it out"
            );
            return Err(shape(file.as_str(), reason));
        }
        return Ok((link.into_bytes().into(), Some(Mode::Link)));
    }
    let mode = match (held.ends_with(EXECUTABLE), before) {
        (true, Some(before)) if before.ends_with(EXECUTABLE) => None,
        (true, _) => Some(Mode::Executable),
        (false, Some(before)) if before.ends_with(EXECUTABLE) || before.ends_with(LINK) => {
            Some(Mode::Regular)
        }
        (false, _) => None,
    };
    let bytes = source.read(&file)?;
    if rule.never.is_empty()
        || !is_yaml(&file)
        || before.is_none_or(|before| before.ends_with(LINK))
    {
        return Ok((bytes, mode));
    }
    let own = target.read(&want.slot.file)?;
    let fenced = composed(&bytes, &own, &rule.never)
        .map_err(|reason| shape(want.slot.file.as_str(), reason))?;
    Ok((fenced.into(), mode))
}

fn shape(path: &str, reason: String) -> PlanError {
    PlanError::NotCopied { path: path.to_owned(), reason }
}

/// The values of a YAML file that `never` covers, by document and path.
struct Fenced {
    values: BTreeMap<(String, String), (Mark, Style)>,
}

impl Fenced {
    /// `None` for what is no YAML.
    fn read(bytes: &[u8], never: &[FieldPattern]) -> Option<Fenced> {
        let documents = gitops_yaml::read(FileId(0), bytes).ok()?;
        let mut values = BTreeMap::new();
        let roots: Vec<&Node> = documents.iter().filter_map(|d| d.root.as_ref()).collect();
        for (index, root) in roots.iter().enumerate() {
            let text = |path: &[&str]| root.at_path(path).and_then(Node::text).unwrap_or("");
            let (kind, name) = (text(&["kind"]), text(&["metadata", "name"]));
            let document = if kind.is_empty() && name.is_empty() {
                format!("document {}", index + 1)
            } else {
                format!("{kind}/{}/{name}", text(&["metadata", "namespace"]))
            };
            collect(root, &mut Vec::new(), never, false, &mut |path, mark, style| {
                values.insert((document.clone(), path), (mark, style));
            });
        }
        Some(Fenced { values })
    }

    /// The bytes with each of these values written as `with` says.
    fn spliced(
        &self,
        bytes: &[u8],
        with: impl Fn(&(String, String)) -> Option<Vec<u8>>,
    ) -> Result<Vec<u8>, String> {
        let mut splices = Vec::new();
        for (key, (mark, style)) in &self.values {
            if matches!(style, Style::Literal | Style::Folded) {
                return Err(format!("`never` covers {} ({}), a block of text", key.1, key.0));
            }
            if let Some(with) = with(key) {
                splices.push(Splice { range: mark.start as usize..mark.end as usize, with });
            }
        }
        splice::apply(bytes, splices).map_err(|error| error.to_string())
    }
}

/// Walks to every scalar that a fence covers, or that is in a value which one
/// covers.
fn collect<'n>(
    node: &'n Node,
    path: &mut Vec<&'n str>,
    never: &[FieldPattern],
    inside: bool,
    found: &mut dyn FnMut(String, Mark, Style),
) {
    let covered = inside || never.iter().any(|pattern| pattern.matches(path));
    match &node.value {
        Value::Scalar(scalar) if covered => found(path.join("."), node.mark, scalar.style),
        Value::Scalar(_) => {}
        Value::Mapping(entries) => {
            for (key, value) in entries {
                path.push(key.text().unwrap_or(""));
                collect(value, path, never, covered, found);
                path.pop();
            }
        }
        Value::Sequence(items) => {
            let names: Vec<String> = (0..items.len()).map(|index| index.to_string()).collect();
            for (item, index) in items.iter().zip(&names) {
                let mut below = path.clone();
                below.push(item.get("name").and_then(Node::text).unwrap_or(index));
                let mut told = |path: String, mark, style| found(path, mark, style);
                collect_owned(item, &below, never, covered, &mut told);
            }
        }
    }
}

/// The same below an item of a list, whose number is nobody's text.
fn collect_owned(
    node: &Node,
    path: &[&str],
    never: &[FieldPattern],
    inside: bool,
    found: &mut dyn FnMut(String, Mark, Style),
) {
    collect(node, &mut path.to_vec(), never, inside, found);
}

/// The source's bytes with the target's in every value that `never` covers.
fn composed(source: &[u8], target: &[u8], never: &[FieldPattern]) -> Result<Vec<u8>, String> {
    let Some(theirs) = Fenced::read(source, never) else { return Ok(source.to_vec()) };
    let Some(ours) = Fenced::read(target, never) else {
        if theirs.values.is_empty() {
            return Ok(source.to_vec());
        }
        return Err("`never` covers values of it, and the target's file is no YAML".to_owned());
    };
    let one_side =
        |a: &Fenced, b: &Fenced| a.values.keys().find(|key| !b.values.contains_key(*key)).cloned();
    if let Some((document, path)) = one_side(&theirs, &ours) {
        return Err(format!("`never` covers {path} ({document}), which the target does not have"));
    }
    if let Some((document, path)) = one_side(&ours, &theirs) {
        return Err(format!("`never` covers {path} ({document}), which the source does not have"));
    }
    let own = |key: &(String, String)| {
        let (mark, _) = ours.values.get(key)?;
        target.get(mark.start as usize..mark.end as usize).map(<[u8]>::to_vec)
    };
    let spliced = theirs.spliced(source, own)?;
    // What came out is read again: the fences must hold, and nothing else.
    let after = Fenced::read(&spliced, never).ok_or("it would not be YAML any more")?;
    let masked = |fenced: &Fenced, bytes: &[u8]| fenced.spliced(bytes, |_| Some(b"\0".to_vec()));
    if masked(&after, &spliced)? != masked(&theirs, source)? {
        return Err("what `never` covers cannot be kept without changing more of it".to_owned());
    }
    Ok(spliced)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rule(exclude: &[&str], never: &[&str]) -> CopyRule {
        let exclude: Vec<String> = exclude.iter().map(|text| (*text).to_owned()).collect();
        let never = never.iter().map(|text| FieldPattern::new(text).unwrap()).collect();
        CopyRule::new(".", &exclude, never).unwrap()
    }

    #[test]
    fn excludes_are_names_or_paths() {
        let rule = rule(&["env-specific*", "prify.yml", "config/local/*.env", "/top"], &[]);
        for (path, excluded) in [
            ("env-specific.yaml", true),
            ("a/env-specific/b.yaml", true),
            ("a/prify.yml", true),
            ("a/prify.yml.bak", false),
            ("config/local/x.env", true),
            ("config/local/deep/x.env", false),
            ("local/x.env", false),
            ("top/file", true),
            ("not-env-specific", false),
        ] {
            assert_eq!(rule.excludes(path), excluded, "{path}");
        }
        assert!(CopyRule::new("..", &[], Vec::new()).is_err());
        assert!(CopyRule::new(".", &["[".to_owned()], Vec::new()).is_err());
    }

    #[test]
    fn fenced_values_keep_the_bytes_of_the_target() {
        let never =
            [FieldPattern::new("**.replicas").unwrap(), FieldPattern::new("spec.list.**").unwrap()];
        let source = b"kind: D\nmetadata: {name: w}\nspec:\n  replicas: 1 # one\n  image: v2\n  list:\n    - name: b\n      x: '1'\n    - name: a\n      x: 2\n";
        let target = b"metadata: {name: w}\nkind: D\nspec: {replicas: \"30\", image: v1, list: [{name: a, x: 7}, {name: b, x: 8}]}\n";
        let text = String::from_utf8(composed(source, target, &never).unwrap()).unwrap();
        assert_eq!(
            text,
            "kind: D\nmetadata: {name: w}\nspec:\n  replicas: \"30\" # one\n  image: v2\n  list:\n    - name: b\n      x: 8\n    - name: a\n      x: 7\n"
        );
        // Twice is once.
        assert_eq!(composed(source, text.as_bytes(), &never).unwrap(), text.as_bytes());
        let without = b"kind: D\nmetadata: {name: w}\nspec: {}\n";
        let refused = composed(source, without, &never).unwrap_err();
        assert!(refused.contains("which the target does not have"), "{refused}");
        let refused = composed(without, target, &never).unwrap_err();
        assert!(refused.contains("which the source does not have"), "{refused}");
    }
}
