//! Patches: found, read, and applied to the objects that they are for.
//!
//! Rules from kustomize v5.8, api/internal/builtins/Patch*Transformer.go.

mod json;
mod strategic;
mod targets;

use std::sync::Arc;

use gitops_tree::TreePath;
use gitops_yaml::{Dialect, Mark, Node, Style, Tag, Value};

use crate::Warning;
use crate::documents::parse;
use crate::error::{BuildError, Place, Several};
use crate::files::Files;
use crate::folded::Brackets;
use crate::kustomization::Patch;
use crate::resource::Object;
use crate::schema::Schema;
use crate::set::Set;
use crate::touch::How;
use crate::{folded, objects, through_json};

pub(crate) use targets::Targets;

/// What a patch turned out to be.
enum Loaded {
    Strategic(Vec<Object>),
    Json(Vec<json::Operation>),
}

/// Where patches are read from.
pub(crate) struct Home<'a> {
    /// The kustomization's folder.
    pub(crate) root: &'a TreePath,
    /// Its file.
    pub(crate) path: &'a TreePath,
    /// The types that lists merge by.
    pub(crate) schema: &'a Schema,
}

/// Carries out an entry of `patches`.
pub(crate) fn apply(
    set: &mut Set,
    targets: &mut Targets,
    files: &mut Files<'_>,
    home: &Home<'_>,
    patch: &Patch,
    warnings: &mut Vec<Warning>,
) -> Result<(), Several> {
    let text = load(files, home, patch)?;
    let place = text.place.clone();
    match read_entry(files, home, &text, patch)? {
        Loaded::Strategic(patches) => match &patch.target {
            Some(target) => {
                let Some(one) = patches.first() else { return Ok(()) };
                let chosen = targets.choose(set, files, home, target, warnings)?;
                Ok(apply_to_chosen(set, targets, &chosen, one, patch, true, home.schema)?)
            }
            None => {
                let mut errors = Vec::new();
                for one in &patches {
                    let applied = targets.find(set, one).and_then(|index| {
                        apply_to_chosen(set, targets, &[index], one, patch, false, home.schema)
                    });
                    errors.extend(applied.err());
                }
                Several::unless_any(errors, ())
            }
        },
        Loaded::Json(operations) => {
            // `read_entry` refuses a JSON patch without one.
            let Some(target) = &patch.target else { return Ok(()) };
            let mut errors = Vec::new();
            for index in targets.choose(set, files, home, target, warnings)? {
                let object = &mut set.objects[index];
                let before = object.id();
                object.remember_id();
                errors.extend(apply_json(object, &operations, &place).err());
                targets.changed(&before, object);
            }
            Several::unless_any(errors, ())
        }
    }
}

/// Reads an entry of `patches` or `patchesJson6902` and applies it to nothing:
/// what is wrong with it whatever the objects are.
pub(crate) fn check(files: &mut Files<'_>, home: &Home<'_>, patch: &Patch) -> Result<(), Several> {
    let text = load(files, home, patch)?;
    read_entry(files, home, &text, patch).map(|_| ())
}

/// What an entry of `patches` holds.
fn read_entry(
    files: &mut Files<'_>,
    home: &Home<'_>,
    text: &Text,
    patch: &Patch,
) -> Result<Loaded, Several> {
    let fail = |message: &str| {
        Err(BuildError::Patch { place: text.place.clone(), message: message.to_owned() }.into())
    };
    let loaded = read(files, home, text)?;
    match (&loaded, &patch.target) {
        (Loaded::Strategic(patches), Some(_)) if patches.len() > 1 => fail(
            "several strategic merge patches in one entry cannot have a `target`; make an entry of each",
        ),
        (Loaded::Json(_), None) => {
            fail("a JSON patch needs a `target`; add one with `kind` and `name`")
        }
        _ => Ok(loaded),
    }
}

/// Carries out an entry of `patchesJson6902`.
pub(crate) fn apply_json_entry(
    set: &mut Set,
    targets: &mut Targets,
    files: &mut Files<'_>,
    home: &Home<'_>,
    patch: &Patch,
    warnings: &mut Vec<Warning>,
) -> Result<(), BuildError> {
    let text = load(files, home, patch)?;
    let place = text.place.clone();
    let fail =
        |message: &str| BuildError::Patch { place: place.clone(), message: message.to_owned() };
    let Some(target) = patch.target.as_ref().filter(|target| !target.name.is_empty()) else {
        return Err(fail("a JSON patch needs a `target` with a `name`"));
    };
    let Some(operations) = text.operations(files)? else {
        return Err(fail("a JSON patch must be a list of operations"));
    };
    if operations.is_empty() {
        return Err(fail("the JSON patch is empty"));
    }
    for index in targets.choose(set, files, home, target, warnings)? {
        let object = &mut set.objects[index];
        let before = object.id();
        apply_json(object, &operations, &place)?;
        targets.changed(&before, object);
    }
    Ok(())
}

/// Carries out `patchesStrategicMerge`.
pub(crate) fn apply_strategic_entries(
    set: &mut Set,
    targets: &mut Targets,
    files: &mut Files<'_>,
    home: &Home<'_>,
    entries: &[Node],
) -> Result<(), Several> {
    let options = Patch {
        mark: Mark::NONE,
        path: None,
        patch: None,
        target: None,
        allow_name_change: false,
        allow_kind_change: false,
    };
    let mut errors = Vec::new();
    let patches = match read_strategic_entries(files, home, entries) {
        Ok(patches) if patches.is_empty() => {
            let whole = Place::file(home.path.clone());
            return Err(BuildError::Patch {
                place: entries.first().map_or(whole.clone(), |entry| files.place(entry, &whole)),
                message: "these strategic merge patches are all empty; delete them".to_owned(),
            }
            .into());
        }
        Ok(patches) => patches,
        Err((patches, found)) => {
            errors = found;
            patches
        }
    };
    for patch in &patches {
        let applied = targets.find(set, patch).and_then(|index| {
            apply_to_chosen(set, targets, &[index], patch, &options, true, home.schema)
        });
        errors.extend(applied.err());
    }
    Several::unless_any(errors, ())
}

/// The patches of `patchesStrategicMerge`; where some cannot be read, the
/// others and the errors.
pub(crate) fn read_strategic_entries(
    files: &mut Files<'_>,
    home: &Home<'_>,
    entries: &[Node],
) -> Result<Vec<Object>, (Vec<Object>, Vec<BuildError>)> {
    let mut patches = Vec::new();
    let mut errors = Vec::new();
    for entry in entries {
        match read_strategic_entry(files, home, entry) {
            Ok(more) => patches.extend(more),
            Err(Several(more)) => errors.extend(more),
        }
    }
    if errors.is_empty() { Ok(patches) } else { Err((patches, errors)) }
}

/// An entry is the patch itself, or else the path of a file.
fn read_strategic_entry(
    files: &mut Files<'_>,
    home: &Home<'_>,
    entry: &Node,
) -> Result<Vec<Object>, Several> {
    if let Some(inline) = read_inline_objects(files, home, entry, false)? {
        return Ok(inline);
    }
    let (path, bytes) = files.load(home.root, &files.reference(entry, home.path))?;
    let documents = files.documents(&path, &bytes)?;
    objects::from_documents(documents, &path, home.schema)
}

/// The objects that stand in a string of the kustomization; `None` where it
/// holds something else, such as a path. `nothing` allows for no objects.
pub(crate) fn read_inline_objects(
    files: &mut Files<'_>,
    home: &Home<'_>,
    entry: &Node,
    nothing: bool,
) -> Result<Option<Vec<Object>>, Several> {
    let is_long = entry.text().is_some_and(|text| text.trim().contains('\n'));
    let text = Text::inline(files, home, entry);
    let documents = match text.documents(files, Dialect::Manifest) {
        Ok(documents) if documents.iter().any(Node::is_mapping) => documents,
        Ok(documents) if nothing && documents.iter().all(Node::is_null) => documents,
        // No path has several lines.
        Err(error) if is_long => return Err(error.into()),
        _ => return Ok(None),
    };
    objects::from_documents(documents, &text.path, home.schema).map(Some)
}

/// Whether an entry of `transformers` holds YAML, if only a comment, and no path.
pub(crate) fn is_inline(files: &mut Files<'_>, home: &Home<'_>, entry: &Node) -> bool {
    match Text::inline(files, home, entry).documents(files, Dialect::Manifest) {
        Ok(documents) => {
            documents.iter().all(|document| document.is_mapping() || document.is_null())
        }
        Err(_) => entry.text().is_some_and(|text| text.trim().contains('\n')),
    }
}

/// The text of a patch, and where it stands.
struct Text {
    place: Place,
    path: TreePath,
    bytes: Arc<[u8]>,
    /// Mark and style of the string of the kustomization that holds it.
    inline: Option<(Mark, Style)>,
}

impl Text {
    fn inline(files: &Files<'_>, home: &Home<'_>, node: &Node) -> Text {
        let text = node.text().unwrap_or_default();
        let style = match &node.value {
            // Where an alias stands for it, its lines are elsewhere.
            Value::Scalar(scalar)
                if (node.mark.end - node.mark.start) as usize + 1 >= text.len() =>
            {
                scalar.style
            }
            _ => Style::Plain,
        };
        let path = files.path_of(node).unwrap_or(home.path).clone();
        Text {
            place: files.place(node, &Place::file(home.path.clone())),
            bytes: node.text().unwrap_or_default().as_bytes().into(),
            inline: Some((node.mark, style)),
            path,
        }
    }

    /// Without the blanks at its ends, as the inline patches of `patches` are
    /// (PatchTransformer.go): a block scalar at the end loses its line end.
    fn trimmed(mut self) -> Text {
        let text = String::from_utf8_lossy(&self.bytes);
        let rest = text.trim_start();
        // Lines stay where they are.
        let lines = text[..text.len() - rest.len()].matches('\n').count();
        self.bytes = ("\n".repeat(lines) + rest.trim_end()).into_bytes().into();
        self
    }

    /// Parses it. The nodes of an inline text get the lines of the kustomization.
    fn documents(&self, files: &mut Files<'_>, dialect: Dialect) -> Result<Vec<Node>, BuildError> {
        let file = files.id(&self.path);
        let documents = parse(&self.path, file, &self.bytes, dialect);
        let Some((mark, style)) = self.inline else { return documents };
        let mut documents = documents.map_err(|error| match error {
            BuildError::Yaml { place, message } => BuildError::Yaml {
                place: Place {
                    line: place.line.map(|line| shift(line, mark, style)),
                    column: None,
                    ..place
                },
                // Lines that the message itself names are those of the text.
                message: format!("in the text here: {message}"),
            },
            other => other,
        })?;
        documents.iter_mut().for_each(|document| remark(document, mark, style));
        Ok(documents)
    }

    /// Whether it must be JSON, if it is a JSON patch.
    fn is_bracketed(&self) -> bool {
        let text = match self.inline {
            Some(_) => self.bytes.trim_ascii(),
            None => &self.bytes,
        };
        text.starts_with(b"[")
    }

    /// The operations of a JSON patch; `None` where the text is none.
    ///
    /// Text that begins with a bracket is JSON, all other YAML as
    /// sigs.k8s.io/yaml reads it, of which the first document counts.
    fn operations(
        &self,
        files: &mut Files<'_>,
    ) -> Result<Option<Vec<json::Operation>>, BuildError> {
        let node = if self.is_bracketed() {
            let Ok(value) = serde_json::from_slice::<serde_json::Value>(&self.bytes) else {
                return Ok(None);
            };
            // YAML knows the lines of JSON, but not all of its escapes.
            match self.documents(files, Dialect::Kustomization) {
                Ok(documents) => documents.into_iter().next(),
                Err(_) => Some(Node::from_json(&value)),
            }
        } else {
            match self.documents(files, Dialect::Kustomization) {
                // There is no JSON for it, such as for `.inf`.
                Ok(documents)
                    if documents.first().is_some_and(|first| first.to_json().is_err()) =>
                {
                    return Ok(None);
                }
                Ok(documents) => documents.into_iter().next(),
                Err(_) => return Ok(None),
            }
        };
        let Some(mut node) = node else { return Ok(Some(Vec::new())) };
        match &node.value {
            Value::Sequence(_) => {}
            _ if node.is_null() => return Ok(Some(Vec::new())),
            _ => return Ok(None),
        }
        json::settle_words(&mut node);
        let operations = json::read(&node).map_err(|(at, message)| BuildError::Patch {
            place: Place {
                line: (at.mark.line > 0).then_some(at.mark.line).or(self.place.line),
                column: None,
                path: self.place.path.clone(),
            },
            message,
        })?;
        Ok(Some(operations))
    }
}

fn load(files: &mut Files<'_>, home: &Home<'_>, patch: &Patch) -> Result<Text, BuildError> {
    let whole = Place::file(home.path.clone());
    let place = files.place(&Node::string("").at(patch.mark), &whole);
    match (&patch.path, &patch.patch) {
        (None, None) => {
            Err(BuildError::Patch { place, message: "a patch needs `path` or `patch`".to_owned() })
        }
        (Some(_), Some(_)) => Err(BuildError::Patch {
            place,
            message: "a patch cannot have both `path` and `patch`; delete one of them".to_owned(),
        }),
        (Some(path), None) => {
            let (path, bytes) = files.load(home.root, &files.reference(path, home.path))?;
            Ok(Text { place: Place::file(path.clone()), path, bytes, inline: None })
        }
        (None, Some(text)) => Ok(Text::inline(files, home, text).trimmed()),
    }
}

/// What the text of an entry of `patches` is. Objects come first: a text that
/// holds none, though it could, is no patch at all.
fn read(files: &mut Files<'_>, home: &Home<'_>, text: &Text) -> Result<Loaded, Several> {
    let objects = text.documents(files, Dialect::Manifest).map_err(Several::from);
    let objects = objects
        .and_then(|documents| objects::from_documents(documents, &text.place.path, home.schema));
    match objects {
        Ok(objects) => Ok(Loaded::Strategic(objects)),
        Err(errors) => match text.operations(files)? {
            Some(operations) => Ok(Loaded::Json(operations)),
            None if text.is_bracketed() => Err(BuildError::Patch {
                place: text.place.clone(),
                message: "a patch that begins with `[` must be JSON; put its names and texts in double quotes, or begin its items with `- `".to_owned(),
            }
            .into()),
            None => Err(errors),
        },
    }
}

/// The line of the file on which a line of a string in it stands. Only a
/// literal keeps its lines.
fn shift(line: u32, mark: Mark, style: Style) -> u32 {
    if style == Style::Literal { mark.line + line } else { mark.line }
}

fn remark(node: &mut Node, mark: Mark, style: Style) {
    node.change_marks(&mut |own| {
        *own = Mark { line: shift(own.line, mark, style), column: 0, ..mark };
    });
}

fn apply_json(
    object: &mut Object,
    operations: &[json::Operation],
    place: &Place,
) -> Result<(), BuildError> {
    object.show_notes();
    if let Some(key) = folded::odd_key(&object.node) {
        return Err(objects::odd_key(object, object.place.clone(), key));
    }
    if let Some(first) = operations.first() {
        object.touch(first.mark, How::Patched);
    }
    let id = object.id();
    let fail = |message: String| BuildError::Patch {
        place: place.clone(),
        message: format!("the patch does not apply to `{id}`: {message}"),
    };
    json::apply(&mut object.node, operations).map_err(fail)?;
    through_json::pass(&mut object.node);
    object.brackets = Brackets::Nowhere;
    // It then writes its notes, and with them all annotations anew.
    object.normalise_texts("annotations");
    object.shared.part();
    if object.kind().is_empty() || (object.name().is_empty() && !object.kind().ends_with("List")) {
        return Err(fail("it leaves an object without `kind` or `metadata.name`".to_owned()));
    }
    Ok(())
}

/// Merges a patch into objects. `with_target` tells the two ways in which
/// kustomize prepares the patch apart.
fn apply_to_chosen(
    set: &mut Set,
    targets: &mut Targets,
    chosen: &[usize],
    patch: &Object,
    options: &Patch,
    with_target: bool,
    schema: &Schema,
) -> Result<(), BuildError> {
    let mut gone = Vec::new();
    for index in chosen {
        let object = &mut set.objects[*index];
        let mut copy = patch.clone();
        // Either writes an annotation of its own into the patch, and with it
        // all of them anew (setInternalAnnotation, api/resource/resource.go).
        if with_target || options.allow_name_change || options.allow_kind_change {
            copy.normalise_texts("annotations");
        }
        if with_target {
            copy.normalise_texts("labels");
            if copy.namespace().is_empty() {
                copy.set_namespace("");
            }
            match object.node.get("apiVersion").filter(|_| !object.api_version().is_empty()) {
                Some(version) => copy.node.set("apiVersion", version.clone()),
                None => {
                    copy.node.remove("apiVersion");
                }
            }
        }
        if folded::any_within(&copy.node) {
            folded::unfold_patch(&mut copy.node, &object.node, object.brackets);
        }
        let before = object.id();
        if !apply_strategic(object, &copy, options, schema)? {
            gone.push(*index);
        } else if with_target && object.api_version().is_empty() {
            // The patch was given the version of its object, of which there is
            // none. In JSON nothing is written as an empty text.
            let kind = object.node.get("kind").map(|kind| &kind.value);
            let in_json =
                matches!(kind, Some(Value::Scalar(kind)) if kind.style == Style::DoubleQuoted);
            let nothing = if in_json { Node::string("") } else { Node::scalar("null", Tag::Null) };
            object.node.set("apiVersion", nothing);
        }
        targets.changed(&before, object);
    }
    if !gone.is_empty() {
        let mut index = 0;
        set.objects.retain(|_| {
            index += 1;
            gone.binary_search(&(index - 1)).is_err()
        });
        targets.names.forget();
    }
    if with_target { targets.check(set) } else { Ok(()) }
}

/// Merges a patch into one object; `false` means that the object is gone.
fn apply_strategic(
    object: &mut Object,
    patch: &Object,
    options: &Patch,
    schema: &Schema,
) -> Result<bool, BuildError> {
    object.touch(patch.node.mark, How::Patched);
    let kind = object.node.get("kind").cloned();
    let name = object.node.at_path(&["metadata", "name"]).cloned();
    let namespace = object.node.at_path(&["metadata", "namespace"]).cloned();
    if options.allow_name_change || options.allow_kind_change {
        object.remember_id();
    }
    let remains = strategic::merge(&mut object.node, &patch.node, schema).map_err(|message| {
        BuildError::Patch {
            place: patch.place.clone(),
            message: format!("the patch does not fit `{}`: {message}", object.id()),
        }
    })?;
    if !remains || object.node.entries().is_empty() {
        return Ok(false);
    }
    if folded::any_within(&patch.node) {
        folded::unfold_merged(&mut object.node, object.brackets);
    }
    object.shared.settle(&mut object.node);
    if strategic::removes(&patch.node, &["metadata", "annotations"]) {
        object.forget();
    }
    if let (false, Some(kind)) = (options.allow_kind_change, kind) {
        object.node.set("kind", kind);
    }
    let metadata = object.metadata_mut();
    if !options.allow_name_change {
        // Lists may have none, and get one.
        metadata.set("name", name.unwrap_or_else(|| Node::string("")));
    }
    match namespace.filter(|namespace| !namespace.is_null()) {
        Some(namespace) => metadata.set("namespace", namespace),
        None => {
            metadata.remove("namespace");
        }
    }
    Ok(true)
}
