//! `replacements`: values copied from one object's field to others'.
//!
//! Rules from kustomize v5.8, api/filters/replacement.

use gitops_yaml::{Mark, Node, Scalar, Tag, Value};

use crate::decode::{Decode, join};
use crate::error::{BuildError, Place};
use crate::field_path;
use crate::fieldspec::type_of;
use crate::files::Files;
use crate::go_json;
use crate::id::{Gvk, Id, or_default};
use crate::kustomization::{Selector, read_selector};
use crate::limits::Copies;
use crate::patch::Home;
use crate::resource::{Object, raw};
use crate::select::Matcher;
use crate::set::Set;
use crate::touch::How;

/// One replacement.
pub(crate) struct Replacement {
    place: Place,
    mark: Mark,
    source: Option<Source>,
    value: Option<Node>,
    targets: Vec<Target>,
}

struct Source {
    selector: Selector,
    field_path: String,
    options: FieldOptions,
}

struct Target {
    select: Selector,
    reject: Vec<Selector>,
    field_paths: Vec<String>,
    options: FieldOptions,
}

#[derive(Default)]
struct FieldOptions {
    delimiter: String,
    index: i64,
    create: bool,
}

/// Reads the entries of `replacements`, and the files that they name.
pub(crate) fn read(
    files: &mut Files<'_>,
    home: &Home<'_>,
    entries: &[Node],
) -> Result<Vec<Replacement>, BuildError> {
    let mut replacements = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = files.path_of(entry).unwrap_or(home.path).clone();
        let decode = Decode::strict(&path);
        let at = format!("replacements[{index}]");
        let fields = decode.fields(entry, &at, &["source", "sourceValue", "targets", "path"])?;
        let Some((_, _, named)) = fields.iter().find(|(name, ..)| *name == "path") else {
            replacements.push(read_one(decode, entry, &at)?);
            continue;
        };
        if fields.len() > 1 {
            return Err(BuildError::Invalid {
                place: decode.place(entry.mark),
                message:
                    "a replacement with `path` cannot have other fields; move them into the file"
                        .to_owned(),
            });
        }
        decode.string(named, &join(&at, "path"))?;
        let (file, bytes) = files.load(home.root, &files.reference(named, &path))?;
        let document = files.configuration(&file, &bytes)?;
        // The file is read less strictly than the kustomization is.
        let decode = Decode::lenient(&file);
        match document.as_ref().map(|document| (&document.value, document)) {
            Some((Value::Sequence(items), _)) => {
                for (index, item) in items.iter().enumerate() {
                    replacements.push(read_one(decode, item, &format!("[{index}]"))?);
                }
            }
            Some((Value::Mapping(_), document)) => {
                replacements.push(read_one(decode, document, "")?);
            }
            _ => {
                return Err(BuildError::Invalid {
                    place: Place::file(file),
                    message: "it holds no replacement; write one, or a list of them".to_owned(),
                });
            }
        }
    }
    Ok(replacements)
}

fn read_one(decode: Decode<'_>, node: &Node, at: &str) -> Result<Replacement, BuildError> {
    let mut replacement = Replacement {
        place: decode.place(node.mark),
        mark: node.mark,
        source: None,
        value: None,
        targets: Vec::new(),
    };
    for (name, _, value) in decode.fields(node, at, &["source", "sourceValue", "targets"])? {
        let field = join(at, name);
        match name {
            "source" => replacement.source = Some(read_source(decode, value, &field)?),
            "sourceValue" => {
                decode.string(value, &field)?;
                replacement.value = Some(value.clone());
            }
            _ => {
                for (index, item) in decode.list(value, &field)?.iter().enumerate() {
                    replacement.targets.push(read_target(
                        decode,
                        item,
                        &format!("{field}[{index}]"),
                    )?);
                }
            }
        }
    }
    let fail = |message: &str| BuildError::Invalid {
        place: decode.place(node.mark),
        message: message.to_owned(),
    };
    match (&replacement.source, &replacement.value) {
        (Some(_), Some(_)) => {
            Err(fail("a replacement cannot have both `source` and `sourceValue`"))
        }
        (None, None) => Err(fail("a replacement needs a `source`")),
        _ if replacement.targets.is_empty() => Err(fail("a replacement needs `targets`")),
        _ => Ok(replacement),
    }
}

/// The fields of a selector that stand among others, and the others.
fn part(node: &Node, selector: bool) -> Node {
    const SELECTOR: [&str; 5] = ["group", "version", "kind", "name", "namespace"];
    let entries = node
        .entries()
        .iter()
        .filter(|(key, _)| SELECTOR.contains(&key.text().unwrap_or_default()) == selector)
        .cloned()
        .collect();
    Node { value: Value::Mapping(entries), mark: node.mark }
}

fn read_source(decode: Decode<'_>, node: &Node, at: &str) -> Result<Source, BuildError> {
    if !node.is_mapping() {
        return Err(decode.wrong(node, at, "a mapping"));
    }
    let mut source = Source {
        selector: read_selector(decode, &part(node, true), at)?,
        field_path: "metadata.name".to_owned(),
        options: FieldOptions::default(),
    };
    for (name, _, value) in decode.fields(&part(node, false), at, &["fieldPath", "options"])? {
        let field = join(at, name);
        match name {
            "fieldPath" => {
                let path = decode.string(value, &field)?;
                if !path.is_empty() {
                    source.field_path = path.to_owned();
                }
            }
            _ => source.options = read_options(decode, value, &field)?,
        }
    }
    Ok(source)
}

fn read_target(decode: Decode<'_>, node: &Node, at: &str) -> Result<Target, BuildError> {
    let mut select = None;
    let mut reject = Vec::new();
    let mut field_paths = Vec::new();
    let mut options = FieldOptions::default();
    for (name, _, value) in
        decode.fields(node, at, &["select", "reject", "fieldPaths", "options"])?
    {
        let field = join(at, name);
        match name {
            "select" => select = Some(read_selector(decode, value, &field)?),
            "reject" => {
                for (index, item) in decode.list(value, &field)?.iter().enumerate() {
                    reject.push(read_selector(decode, item, &format!("{field}[{index}]"))?);
                }
            }
            "fieldPaths" => {
                field_paths = decode
                    .strings(value, &field)?
                    .iter()
                    .map(|path| raw(path).to_owned())
                    .collect();
            }
            _ => options = read_options(decode, value, &field)?,
        }
    }
    let Some(select) = select else {
        return Err(BuildError::Invalid {
            place: decode.place(node.mark),
            message: format!("`{at}` needs `select`"),
        });
    };
    if field_paths.is_empty() {
        field_paths.push("metadata.name".to_owned());
    }
    Ok(Target { select, reject, field_paths, options })
}

fn read_options(decode: Decode<'_>, node: &Node, at: &str) -> Result<FieldOptions, BuildError> {
    let mut options = FieldOptions::default();
    for (name, _, value) in
        decode.fields(node, at, &["delimiter", "index", "encoding", "create"])?
    {
        let field = join(at, name);
        match name {
            "delimiter" => options.delimiter = decode.string(value, &field)?.to_owned(),
            "index" => {
                options.index = raw(value)
                    .parse()
                    .map_err(|_| decode.wrong(value, &field, "a whole number"))?;
            }
            "create" => options.create = decode.boolean(value, &field)?,
            // kustomize reads it and does nothing with it.
            _ => {
                decode.string(value, &field)?;
            }
        }
    }
    Ok(options)
}

/// Carries the replacements out, in order.
pub(crate) fn apply(set: &mut Set, replacements: &[Replacement]) -> Result<(), BuildError> {
    let mut copies = Copies::new();
    for replacement in replacements {
        let fail =
            |message: String| BuildError::Invalid { place: replacement.place.clone(), message };
        let mut value = match (&replacement.source, &replacement.value) {
            (Some(source), _) => {
                let from = find_source(set, source).map_err(fail)?;
                Taken {
                    from: Some((from, source)),
                    node: take(&set.objects[from], source).map_err(fail)?,
                }
            }
            (None, Some(value)) => Taken {
                from: None,
                node: Node::scalar(raw(value), type_of(raw(value))).at(value.mark),
            },
            (None, None) => continue,
        };
        for target in &replacement.targets {
            put(set, target, &mut value, replacement.mark, &mut copies).map_err(fail)?;
        }
    }
    set.objects.iter_mut().for_each(|object| object.shared.settle(&mut object.node));
    Ok(())
}

/// All identities of an object, today's first.
fn identities(object: &Object) -> Vec<Id> {
    let mut ids = vec![object.id()];
    ids.extend(object.previous_ids());
    ids
}

/// A value, and where it was taken from.
struct Taken<'s> {
    from: Option<(usize, &'s Source)>,
    node: Node,
}

impl Taken<'_> {
    /// A value that is no piece of one is the node itself for kustomize: where
    /// that has changed, what is put next has.
    fn settle(&mut self, object: &Object, index: usize) {
        if let Some((from, source)) = self.from
            && from == index
            && source.options.delimiter.is_empty()
            && let Ok(node) = take(object, source)
        {
            self.node = node;
        }
    }
}

fn find_source(set: &Set, source: &Source) -> Result<usize, String> {
    let wanted = &source.selector;
    let selected = |id: &Id| {
        (wanted.name.is_empty() || wanted.name == id.name)
            && (wanted.namespace.is_empty()
                || or_default(&wanted.namespace) == or_default(&id.namespace))
            && id.gvk.is_selected_by(&wanted.gvk)
    };
    let found: Vec<(usize, &Object)> = set
        .objects
        .iter()
        .enumerate()
        .filter(|(_, object)| identities(object).iter().any(selected))
        .collect();
    match found.as_slice() {
        [(index, _)] => Ok(*index),
        [] => Err("the `source` of the replacement selects no object".to_owned()),
        [(_, first), (_, second), ..] => Err(format!(
            "the `source` of the replacement selects `{}` and `{}`; make it select one",
            first.id(),
            second.id()
        )),
    }
}

fn take(object: &Object, source: &Source) -> Result<Node, String> {
    let parts = field_path::split(&source.field_path);
    let node = field_path::lookup(&object.node, &parts)?
        .filter(|node| match &node.value {
            Value::Scalar(scalar) => scalar.tag != Tag::Null,
            Value::Sequence(items) => !items.is_empty(),
            Value::Mapping(entries) => !entries.is_empty(),
        })
        .ok_or_else(|| {
            format!(
                "`{}` has no value at `{}`, which the replacement copies",
                object.id(),
                source.field_path
            )
        })?;
    if source.options.delimiter.is_empty() {
        return Ok(node.clone());
    }
    let Value::Scalar(scalar) = &node.value else {
        return Err(format!("`{}` is no scalar, so it cannot be split", source.field_path));
    };
    let pieces: Vec<&str> = scalar.text.split(&source.options.delimiter).collect();
    let piece = usize::try_from(source.options.index)
        .ok()
        .and_then(|index| pieces.get(index))
        .ok_or_else(|| {
            format!(
                "`options.index` is {}, beyond the {} pieces of `{}`",
                source.options.index,
                pieces.len(),
                source.field_path
            )
        })?;
    let tag = if scalar.tag == Tag::Str { Tag::Str } else { type_of(piece) };
    Ok(Node::scalar(*piece, tag).at(node.mark))
}

/// A selector whose parts may be compared one by one.
struct Compiled {
    matcher: Matcher,
    selects_by_id: bool,
    selects_by_text: bool,
}

fn compile(selector: &Selector) -> Result<Compiled, String> {
    let by_id = selector.gvk != Gvk::default()
        || !selector.name.is_empty()
        || !selector.namespace.is_empty();
    let by_text = !selector.label_selector.is_empty() || !selector.annotation_selector.is_empty();
    Ok(Compiled {
        matcher: Matcher::new(selector)?,
        selects_by_id: by_id,
        selects_by_text: by_text,
    })
}

fn put(
    set: &mut Set,
    target: &Target,
    value: &mut Taken<'_>,
    mark: Mark,
    copies: &mut Copies,
) -> Result<(), String> {
    let select = compile(&target.select)?;
    let reject: Vec<Compiled> = target.reject.iter().map(compile).collect::<Result<_, _>>()?;
    for (index, object) in set.objects.iter_mut().enumerate() {
        let ids = identities(object);
        let rejected = reject.iter().any(|reject| {
            (reject.selects_by_text && reject.matcher.matches_texts(object))
                || (reject.selects_by_id && ids.iter().any(|id| reject.matcher.matches_id(id)))
        });
        if rejected
            || !select.matcher.matches_texts(object)
            || !ids.iter().any(|id| select.matcher.matches_id(id))
        {
            continue;
        }
        for path in &target.field_paths {
            put_at(object, target, path, &value.node, copies)
                .map_err(|message| format!("`{}`: {message}", object.id()))?;
            object.touch(mark, How::Field("replacements"));
            value.settle(object, index);
        }
    }
    Ok(())
}

fn put_at(
    object: &mut Object,
    target: &Target,
    path: &str,
    value: &Node,
    copies: &mut Copies,
) -> Result<(), String> {
    let parts = field_path::split(path);
    copies.take(value, parts.len())?;
    let create = target.options.create.then_some(value);
    if put_into_text(&mut object.node, &parts, create, value)? {
        return Ok(());
    }
    let found = field_path::visit(&mut object.node, &parts, create, &mut |node| {
        put_value(node, &target.options, value, copies)
    })?;
    match (found, create) {
        (0, None) => Err(format!(
            "there is no field `{path}` to put the replacement into; set `options.create`, or correct the path"
        )),
        (0, Some(_)) => Err(format!("the field `{path}` can neither be found nor made")),
        _ => Ok(()),
    }
}

fn put_value(
    node: &mut Node,
    options: &FieldOptions,
    value: &Node,
    copies: &mut Copies,
) -> Result<(), String> {
    // A path may lead to many fields.
    copies.take(value, 0)?;
    let mut value = value.clone();
    if !options.delimiter.is_empty() {
        let Value::Scalar(own) = &node.value else {
            return Err("the field is no scalar, so it cannot be split".to_owned());
        };
        let mut pieces: Vec<&str> = own.text.split(&options.delimiter).collect();
        let piece = raw(&value);
        match usize::try_from(options.index) {
            Err(_) => pieces.insert(0, piece),
            Ok(index) if index >= pieces.len() => pieces.push(piece),
            Ok(index) => pieces[index] = piece,
        }
        let text = pieces.join(&options.delimiter);
        copies.take_text(text.len())?;
        value = Node::string(text).at(value.mark);
    }
    match &mut node.value {
        Value::Scalar(own) => {
            put_text(own, raw(&value))?;
            node.mark = value.mark;
        }
        _ => *node = value,
    }
    Ok(())
}

/// Puts text into a scalar, whose type stays, unless it was just made.
fn put_text(scalar: &mut Scalar, text: &str) -> Result<(), String> {
    let found = type_of(text);
    let fits = match &scalar.tag {
        Tag::Str | Tag::Binary => true,
        Tag::Other(_) => {
            if field_path::is_untyped(scalar) {
                // Nothing is null.
                scalar.tag = if text.is_empty() { Tag::Null } else { found };
            }
            true
        }
        Tag::Float => matches!(found, Tag::Float | Tag::Int),
        own => *own == found,
    };
    if !fits {
        return Err(format!(
            "the field holds `{}`, and the replacement is of another type; put the field's value in quotes",
            scalar.text
        ));
    }
    scalar.text = text.into();
    Ok(())
}

/// The text of a field, as a file of its own.
const TEXT: gitops_yaml::FileId = gitops_yaml::FileId(u32::MAX - 1);

/// The type that a value has where it comes to stand: without quotes, nothing
/// at all is null.
fn plain_type(value: &Node) -> Tag {
    match &value.value {
        Value::Scalar(own) if own.text.is_empty() && own.style == gitops_yaml::Style::Plain => {
            Tag::Null
        }
        Value::Scalar(own) => own.tag.clone(),
        _ => Tag::Str,
    }
}

/// Puts a value into JSON or YAML that stands as text in a field. `false` where the
/// path leads into no text.
fn put_into_text(
    object: &mut Node,
    parts: &[String],
    create: Option<&Node>,
    value: &Node,
) -> Result<bool, String> {
    for length in 1..parts.len() {
        let (head, tail) = parts.split_at(length);
        let Ok(Some(node)) = field_path::lookup(object, head) else { continue };
        let Value::Scalar(scalar) = &node.value else { continue };
        let text = scalar.text.to_string();
        let Ok(documents) = gitops_yaml::read(TEXT, text.as_bytes()) else {
            continue;
        };
        let Some(mut inner) = documents.into_iter().next().and_then(|document| document.root)
        else {
            return Ok(false);
        };
        let is_json = text.trim_start().starts_with(['{', '[']);
        let mut fits = true;
        let found = field_path::visit(&mut inner, tail, create, &mut |node| {
            match &mut node.value {
                Value::Scalar(own) => {
                    let untyped = field_path::is_untyped(own);
                    own.text = raw(value).into();
                    let kind = crate::fieldspec::type_of(raw(value));
                    match own.tag {
                        Tag::Other(_) if untyped => {
                            own.tag = if is_json { kind } else { plain_type(value) };
                        }
                        Tag::Null if is_json => {
                            fits &= own.text.is_empty() || kind == Tag::Null;
                            own.tag = kind;
                        }
                        Tag::Float => fits &= matches!(kind, Tag::Float | Tag::Int),
                        Tag::Int | Tag::Bool => fits &= kind == own.tag,
                        _ => {}
                    }
                }
                _ => {
                    *node = value.clone();
                    if let Value::Scalar(own) = &mut node.value
                        && !is_json
                    {
                        own.tag = plain_type(value);
                    }
                }
            }
            Ok(())
        });
        if !matches!(found, Ok(count) if count > 0) {
            return Ok(false);
        }
        if is_json && !fits {
            // kustomize cannot write this JSON, and leaves it as it was.
            return Ok(true);
        }
        let written = if is_json {
            let json = inner.to_json().map_err(|error| error.reason.to_owned())?;
            let pretty = text.contains('\n') && text.contains("  ");
            if pretty { go_json::indented(&json) } else { go_json::compact(&json) }
        } else {
            let Some(written) = gitops_yaml::write_in_style(TEXT, &text, &inner) else {
                return Err(format!(
                    "`{}` holds YAML as text, with comments, anchors, tags or folded scalars, and a \
                     replacement inside of it would lose them; leave them out of it",
                    head.join(".")
                ));
            };
            written.trim().to_owned()
        };
        let count = field_path::visit(object, head, None, &mut |node| {
            node.mark = value.mark;
            crate::fieldspec::set_scalar(node, &written, Tag::Str)
        })?;
        return Ok(count > 0);
    }
    Ok(false)
}
