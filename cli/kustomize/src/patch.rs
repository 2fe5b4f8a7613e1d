//! Patches: found, read, and applied to the objects that they are for.
//!
//! Rules from kustomize v5.8, api/internal/builtins/Patch*Transformer.go.

mod json;
mod strategic;

use gitops_tree::TreePath;
use gitops_yaml::{Dialect, Mark, Node, Style, Value};

use crate::Warning;
use crate::error::{BuildError, Place, Several};
use crate::files::{Files, parse};
use crate::kustomization::{Patch, Selector};
use crate::resource::Object;
use crate::schema::Schema;
use crate::select::Matcher;
use crate::set::Set;
use crate::{folded, objects};

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
    files: &mut Files<'_>,
    home: &Home<'_>,
    patch: &Patch,
    warnings: &mut Vec<Warning>,
) -> Result<(), Several> {
    let (place, documents) = load(files, home, patch)?;
    match read_entry(&place, documents, patch, home.schema)? {
        Loaded::Strategic(patches) => match &patch.target {
            Some(target) => {
                let Some(one) = patches.first() else { return Ok(()) };
                let chosen = choose(set, files, home, target, warnings)?;
                Ok(apply_to_chosen(set, &chosen, one, patch, true, home.schema)?)
            }
            None => {
                let mut errors = Vec::new();
                for one in &patches {
                    let applied = find_target(set, one).and_then(|index| {
                        apply_to_chosen(set, &[index], one, patch, false, home.schema)
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
            for index in choose(set, files, home, target, warnings)? {
                let object = &mut set.objects[index];
                object.remember_id();
                errors.extend(apply_json(object, &operations, &place).err());
            }
            Several::unless_any(errors, ())
        }
    }
}

/// Reads an entry of `patches` or `patchesJson6902` and applies it to nothing:
/// what is wrong with it whatever the objects are.
pub(crate) fn check(files: &mut Files<'_>, home: &Home<'_>, patch: &Patch) -> Result<(), Several> {
    let (place, documents) = load(files, home, patch)?;
    read_entry(&place, documents, patch, home.schema).map(|_| ())
}

/// What an entry of `patches` holds.
fn read_entry(
    place: &Place,
    documents: Vec<Node>,
    patch: &Patch,
    schema: &Schema,
) -> Result<Loaded, Several> {
    let fail = |message: &str| {
        Err(BuildError::Patch { place: place.clone(), message: message.to_owned() }.into())
    };
    let loaded = read(place, documents, schema)?;
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
    files: &mut Files<'_>,
    home: &Home<'_>,
    patch: &Patch,
    warnings: &mut Vec<Warning>,
) -> Result<(), BuildError> {
    let (place, documents) = load(files, home, patch)?;
    let fail =
        |message: &str| BuildError::Patch { place: place.clone(), message: message.to_owned() };
    let Some(target) = patch.target.as_ref().filter(|target| !target.name.is_empty()) else {
        return Err(fail("a JSON patch needs a `target` with a `name`"));
    };
    let operations = match documents.first() {
        Some(node) if matches!(node.value, Value::Sequence(_)) => read_operations(node, &place)?,
        _ => return Err(fail("a JSON patch must be a list of operations")),
    };
    if operations.is_empty() {
        return Err(fail("the JSON patch is empty"));
    }
    for index in choose(set, files, home, target, warnings)? {
        apply_json(&mut set.objects[index], &operations, &place)?;
    }
    Ok(())
}

/// Carries out `patchesStrategicMerge`.
pub(crate) fn apply_strategic_entries(
    set: &mut Set,
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
        let applied = find_target(set, patch)
            .and_then(|index| apply_to_chosen(set, &[index], patch, &options, true, home.schema));
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
    let documents = match read_inline(files, home, entry) {
        Ok(documents) if documents.iter().any(Node::is_mapping) => documents,
        Ok(documents) if nothing && documents.iter().all(Node::is_null) => documents,
        // No path has several lines.
        Err(error) if is_long => return Err(error.into()),
        _ => return Ok(None),
    };
    let path = files.path_of(entry).unwrap_or(home.path).clone();
    objects::from_documents(documents, &path, home.schema).map(Some)
}

/// Whether an entry of `transformers` holds YAML, if only a comment, and no path.
pub(crate) fn is_inline(files: &mut Files<'_>, home: &Home<'_>, entry: &Node) -> bool {
    match read_inline(files, home, entry) {
        Ok(documents) => {
            documents.iter().all(|document| document.is_mapping() || document.is_null())
        }
        Err(_) => entry.text().is_some_and(|text| text.trim().contains('\n')),
    }
}

fn load(
    files: &mut Files<'_>,
    home: &Home<'_>,
    patch: &Patch,
) -> Result<(Place, Vec<Node>), BuildError> {
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
            let documents = files.documents(&path, &bytes)?;
            Ok((Place::file(path), documents))
        }
        (None, Some(text)) => Ok((files.place(text, &whole), read_inline(files, home, text)?)),
    }
}

/// Reads YAML that stands in a string of the kustomization, and gives its
/// nodes the lines of the kustomization.
fn read_inline(
    files: &mut Files<'_>,
    home: &Home<'_>,
    node: &Node,
) -> Result<Vec<Node>, BuildError> {
    let text = node.text().unwrap_or_default();
    let style = match &node.value {
        Value::Scalar(scalar) => scalar.style,
        _ => Style::Plain,
    };
    let path = files.path_of(node).unwrap_or(home.path).clone();
    let file = files.id(&path);
    let mut documents =
        parse(&path, file, text.as_bytes(), Dialect::Manifest).map_err(|error| match error {
            BuildError::Yaml { place, message } => BuildError::Yaml {
                place: Place {
                    line: place.line.map(|line| shift(line, node.mark, style)),
                    column: None,
                    ..place
                },
                // Lines that the message itself names are those of the text.
                message: format!("in the text here: {message}"),
            },
            other => other,
        })?;
    for document in &mut documents {
        remark(document, node.mark, style);
    }
    Ok(documents)
}

/// The line of the file on which a line of a string in it stands. Only a
/// literal keeps its lines.
fn shift(line: u32, mark: Mark, style: Style) -> u32 {
    if style == Style::Literal { mark.line + line } else { mark.line }
}

fn remark(node: &mut Node, mark: Mark, style: Style) {
    node.mark = Mark { line: shift(node.mark.line, mark, style), column: 0, ..mark };
    match &mut node.value {
        Value::Scalar(_) => {}
        Value::Sequence(items) => items.iter_mut().for_each(|item| remark(item, mark, style)),
        Value::Mapping(entries) => {
            for (key, value) in entries {
                remark(key, mark, style);
                remark(value, mark, style);
            }
        }
    }
}

fn read(place: &Place, documents: Vec<Node>, schema: &Schema) -> Result<Loaded, Several> {
    match documents.first() {
        Some(node) if matches!(node.value, Value::Sequence(_)) => {
            Ok(Loaded::Json(read_operations(node, place)?))
        }
        _ => objects::from_documents(documents, &place.path, schema).map(Loaded::Strategic),
    }
}

fn read_operations(node: &Node, place: &Place) -> Result<Vec<json::Operation>, BuildError> {
    json::read(node).map_err(|(at, message)| BuildError::Patch {
        place: Place {
            line: (at.mark.line > 0).then_some(at.mark.line).or(place.line),
            column: None,
            path: place.path.clone(),
        },
        message,
    })
}

/// The objects that a selector chooses. One that chooses none is worth a warning.
fn choose(
    set: &Set,
    files: &Files<'_>,
    home: &Home<'_>,
    target: &Selector,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<usize>, BuildError> {
    let place = files.place(&Node::string("").at(target.mark), &Place::file(home.path.clone()));
    let matcher = Matcher::new(target)
        .map_err(|message| BuildError::Patch { place: place.clone(), message })?;
    let chosen: Vec<usize> = set
        .objects
        .iter()
        .enumerate()
        .filter(|(_, object)| matcher.matches(object))
        .map(|(index, _)| index)
        .collect();
    if chosen.is_empty() {
        warnings.push(Warning {
            path: place.path,
            line: place.line,
            message: "the target of this patch matches no object".to_owned(),
        });
    }
    Ok(chosen)
}

/// The one object that a strategic merge patch names.
fn find_target(set: &Set, patch: &Object) -> Result<usize, BuildError> {
    let id = patch.id();
    match set.ever(&id).as_slice() {
        [index] => Ok(*index),
        [] => Err(BuildError::Patch {
            place: patch.place.clone(),
            message: format!(
                "the patch is for `{id}` ({}), which does not exist; correct its apiVersion, kind, name or namespace, or give it a `target`",
                patch.api_version()
            ),
        }),
        several => Err(BuildError::Patch {
            place: patch.place.clone(),
            message: format!(
                "the patch is for `{id}`, which could be any of {} objects",
                several.len()
            ),
        }),
    }
}

fn apply_json(
    object: &mut Object,
    operations: &[json::Operation],
    place: &Place,
) -> Result<(), BuildError> {
    // kustomize keeps its notes in annotations, so that a patch finds the
    // mapping there; an empty one is taken out at the end.
    if object.has_notes() && object.node.at_path(&["metadata", "annotations"]).is_none() {
        object.metadata_mut().set("annotations", Node::mapping());
    }
    if let Some(key) = folded::odd_key(&object.node) {
        return Err(objects::odd_key(object, object.place.clone(), key));
    }
    json::apply(&mut object.node, operations).map_err(|message| BuildError::Patch {
        place: place.clone(),
        message: format!("the patch does not apply to `{}`: {message}", object.id()),
    })
}

/// Merges a patch into objects. `with_target` tells the two ways in which
/// kustomize prepares the patch apart.
fn apply_to_chosen(
    set: &mut Set,
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
        if with_target {
            copy.normalise_texts("labels");
            copy.normalise_texts("annotations");
            if copy.namespace().is_empty() {
                copy.set_namespace("");
            }
            let version = object.node.get("apiVersion").cloned();
            match version {
                Some(version) => copy.node.set("apiVersion", version),
                None => {
                    copy.node.remove("apiVersion");
                }
            }
        }
        if !apply_strategic(object, &copy, options, schema)? {
            gone.push(*index);
        }
    }
    let mut index = 0;
    set.objects.retain(|_| {
        index += 1;
        !gone.contains(&(index - 1))
    });
    if with_target { set.check_unique() } else { Ok(()) }
}

/// Merges a patch into one object; `false` means that the object is gone.
fn apply_strategic(
    object: &mut Object,
    patch: &Object,
    options: &Patch,
    schema: &Schema,
) -> Result<bool, BuildError> {
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
    if let (false, Some(kind)) = (options.allow_kind_change, kind) {
        object.node.set("kind", kind);
    }
    let metadata = object.metadata_mut();
    if let (false, Some(name)) = (options.allow_name_change, name) {
        metadata.set("name", name);
    }
    match namespace.filter(|namespace| !namespace.is_null()) {
        Some(namespace) => metadata.set("namespace", namespace),
        None => {
            metadata.remove("namespace");
        }
    }
    Ok(true)
}
