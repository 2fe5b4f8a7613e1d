//! Generated ConfigMaps and Secrets, and the hash of their content.
//!
//! Rules from kustomize v5.8, api/internal/generators, api/kv and api/hasher.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gitops_tree::TreePath;
use gitops_yaml::{JsonError, Mark, Node, Style, Tag, Value};
use sha2::{Digest as _, Sha256};

use crate::error::{BuildError, Place, Several};
use crate::fieldspec::{put, type_of};
use crate::files::{Files, Reference};
use crate::folded;
use crate::go_json;
use crate::kustomization::{Generator, GeneratorOptions};
use crate::resource::{Behavior, NEEDS_HASH, Object, child_mapping, raw};
use crate::touch::{self, How};

/// Which kind is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    ConfigMap,
    Secret,
}

/// A value before it is written into the object.
struct Entry {
    key: String,
    value: Vec<u8>,
    /// Where the entry stands.
    mark: Mark,
    /// Where its content stands.
    content: Mark,
}

/// Makes the object of one generator of the kustomization in `root`. The
/// errors are those of each of its sources.
pub(crate) fn generate(
    files: &mut Files<'_>,
    root: &TreePath,
    kustomization: &TreePath,
    kind: Kind,
    generator: &Generator,
    global: &GeneratorOptions,
) -> Result<Object, Several> {
    let place =
        files.place(&Node::string("").at(generator.mark), &Place::file(kustomization.clone()));
    let fail = |message: String| BuildError::Generator { place: place.clone(), message };
    if generator.name.is_empty() {
        return Err(fail("a generator needs a `name`".to_owned()).into());
    }
    let behavior = match generator.behavior.as_str() {
        "replace" => Behavior::Replace,
        "merge" => Behavior::Merge,
        // Whatever else it says, kustomize creates.
        _ => Behavior::Create,
    };
    let entries = read_entries(files, root, kustomization, generator)?;

    let at = |node: Node| node.at(generator.mark);
    let mut node = Node::mapping().at(generator.mark);
    node.set("apiVersion", at(Node::string("v1")));
    node.set(
        "kind",
        at(Node::string(match kind {
            Kind::ConfigMap => "ConfigMap",
            Kind::Secret => "Secret",
        })),
    );
    let metadata = child_mapping(&mut node, "metadata");
    metadata.mark = generator.mark;
    metadata.set("name", at(quoted_where_needed(&generator.name)));
    if !generator.namespace.is_empty() {
        metadata.set("namespace", at(Node::string(generator.namespace.as_str())));
    }
    let options = &generator.options;
    for (field, local, shared) in [
        ("labels", &options.labels, &global.labels),
        ("annotations", &options.annotations, &global.annotations),
    ] {
        for (key, value) in shared.iter().chain(local) {
            put(child_mapping(metadata, field), key, value.clone());
        }
    }
    if kind == Kind::Secret {
        let own = &generator.secret_type;
        let own = if own.is_empty() { "Opaque" } else { own.as_str() };
        node.set("type", at(Node::string(own)));
        child_mapping(&mut node, "data");
    }
    let mut touched = Vec::new();
    for entry in entries {
        if entry.content.file != generator.mark.file {
            touch::add(&mut touched, entry.content, How::Content);
        }
        let (field, text) = match (kind, String::from_utf8(entry.value)) {
            (Kind::ConfigMap, Ok(text)) => ("data", text),
            (Kind::ConfigMap, Err(bytes)) => ("binaryData", encode(bytes.as_bytes())),
            (Kind::Secret, Ok(text)) => ("data", encode(text.as_bytes())),
            (Kind::Secret, Err(bytes)) => ("data", encode(bytes.as_bytes())),
        };
        put(child_mapping(&mut node, field), &entry.key, Node::string(text).at(entry.content));
    }
    if options.immutable || global.immutable {
        node.set("immutable", at(Node::scalar("true", Tag::Bool)));
    }

    let mut object = Object::new(node, place, 1);
    object.generated = true;
    object.touched = touched;
    object.behavior = behavior;
    object.needs_hash = !(options.disable_name_suffix_hash || global.disable_name_suffix_hash);
    Ok(object)
}

/// A string as it stands in YAML: what would be read as another type is quoted,
/// and stays a string whatever is added to it.
fn quoted_where_needed(text: &str) -> Node {
    let mut node = Node::string(text);
    if let Value::Scalar(scalar) = &mut node.value
        && type_of(text) != Tag::Str
    {
        scalar.style = Style::DoubleQuoted;
    }
    node
}

/// All key-value pairs, sorted by key: from env files, literals and files.
fn read_entries(
    files: &mut Files<'_>,
    root: &TreePath,
    kustomization: &TreePath,
    generator: &Generator,
) -> Result<Vec<Entry>, Several> {
    let mut entries = Vec::new();
    let mut errors = Vec::new();
    let whole = Place::file(kustomization.clone());
    for source in &generator.envs {
        let reference = files.reference(source, kustomization);
        if let Err(error) = read_env(files, root, &reference, &mut entries) {
            errors.push(error);
        }
    }
    for source in &generator.literals {
        // The literal may be a secret: it is not repeated.
        let literal = source.text().unwrap_or_default();
        match literal.split_once('=').filter(|(key, _)| !key.is_empty()) {
            Some((key, value)) => entries.push(Entry {
                key: key.to_owned(),
                value: unquote(value).as_bytes().to_vec(),
                mark: source.mark,
                content: source.mark,
            }),
            None => errors.push(BuildError::Generator {
                place: files.place(source, &whole),
                message: "a literal must be written `key=value`".to_owned(),
            }),
        }
    }
    for source in &generator.files {
        match read_file(files, root, files.reference(source, kustomization)) {
            Ok((key, path, value)) => {
                let content = Mark { file: files.id(&path), line: 1, column: 1, start: 0, end: 0 };
                entries.push(Entry { key, value, mark: source.mark, content });
            }
            Err(error) => errors.push(error),
        }
    }
    entries.sort_by(|left, right| left.key.cmp(&right.key));
    for pair in entries.windows(2).filter(|pair| pair[0].key == pair[1].key) {
        let place = |entry: &Entry| files.place(&Node::string("").at(entry.mark), &whole);
        errors.push(BuildError::Generator {
            place: place(&pair[1]),
            // A line without `=` is all key, and may be a secret: it is not repeated.
            message: format!(
                "`{}` has this key already, from {}; delete one of them",
                generator.name,
                place(&pair[0])
            ),
        });
    }
    Several::unless_any(errors, entries)
}

fn read_env(
    files: &mut Files<'_>,
    root: &TreePath,
    reference: &Reference,
    entries: &mut Vec<Entry>,
) -> Result<(), BuildError> {
    let (path, bytes) = files.load(root, reference)?;
    let file = files.id(&path);
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let mark = Mark { file, line: number, column: 1, start: 0, end: 0 };
        let Ok(line) = std::str::from_utf8(line) else {
            return Err(BuildError::Generator {
                place: Place { path, line: Some(number), column: None },
                message: "the line is not UTF-8; use `files` for binary content".to_owned(),
            });
        };
        let line = line.strip_suffix('\r').unwrap_or(line);
        let line = if index == 0 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if key.is_empty() {
            continue;
        }
        entries.push(Entry {
            key: key.to_owned(),
            value: value.as_bytes().to_vec(),
            mark,
            content: mark,
        });
    }
    Ok(())
}

/// The key, file and content of an entry of `files`.
fn read_file(
    files: &Files<'_>,
    root: &TreePath,
    mut reference: Reference,
) -> Result<(String, TreePath, Vec<u8>), BuildError> {
    let text = reference.text.clone();
    let (key, path) = match text.split_once('=') {
        None => (text.rsplit('/').next().unwrap_or_default(), text.as_str()),
        Some((key, path)) if !key.is_empty() && !path.is_empty() && !path.contains('=') => {
            (key, path)
        }
        Some(_) => {
            return Err(BuildError::Generator {
                place: reference.place,
                message: "a file must be written `path` or `key=path`".to_owned(),
            });
        }
    };
    reference.text = path.to_owned();
    let (path, bytes) = files.load(root, &reference)?;
    Ok((key.to_owned(), path, bytes.to_vec()))
}

/// Takes off one pair of quotes that surrounds the whole value.
fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if value.len() >= 2
            && let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote))
        {
            return inner;
        }
    }
    value
}

/// Base64; broken into lines of 70 where it is longer than that.
fn encode(bytes: &[u8]) -> String {
    const LINE: usize = 70;
    let encoded = STANDARD.encode(bytes);
    if encoded.len() < LINE {
        return encoded;
    }
    let mut out = String::with_capacity(encoded.len() + encoded.len() / LINE + 1);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(LINE));
        out.push_str(line);
        out.push('\n');
        rest = tail;
    }
    out
}

/// The ten characters that stand for an object's content in its name.
pub(crate) fn hash(object: &Node) -> Result<String, JsonError> {
    let kind = object.get("kind").and_then(Node::text).unwrap_or_default();
    let mut text = String::from("{");
    let mut member = |key: &str, value: &str| {
        if text.len() > 1 {
            text.push(',');
        }
        go_json::string(&mut text, key);
        text.push(':');
        text.push_str(value);
    };
    // An object's name is looked up under a field called `metadata/name`
    // upstream, which never exists.
    let plain = |field: &str| match object.get(field) {
        None => Ok("\"\"".to_owned()),
        Some(node) => json(node),
    };
    let is_map = |field: &str| object.get(field).is_some_and(Node::is_mapping);
    match kind {
        "Secret" => {
            member("data", &plain("data")?);
            member("kind", "\"Secret\"");
            member("name", "\"\"");
            if is_map("stringData") {
                member("stringData", &plain("stringData")?);
            }
            member("type", &plain("type")?);
        }
        _ => {
            if is_map("binaryData") {
                member("binaryData", &plain("binaryData")?);
            }
            member("data", &plain("data")?);
            member("kind", "\"ConfigMap\"");
            member("name", "\"\"");
        }
    }
    text.push('}');
    let digest = Sha256::digest(text.as_bytes());
    let mut hash = String::with_capacity(10);
    for nibble in digest.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(10) {
        hash.push(match nibble {
            0 => 'g',
            1 => 'h',
            3 => 'k',
            10 => 'm',
            14 => 't',
            digit => char::from_digit(u32::from(digit), 16).unwrap_or('0'),
        });
    }
    Ok(hash)
}

/// A field as the hash takes it: a mapping is written and read again
/// (`getNodeValues`, api/hasher/hasher.go).
fn json(node: &Node) -> Result<String, JsonError> {
    if folded::any_in(node) {
        let mut copy = node.clone();
        // A key that is no string is for the one who prints it to refuse.
        let _odd = folded::rewrite(&mut copy);
        return Ok(go_json::compact(&copy.to_json()?));
    }
    Ok(go_json::compact(&node.to_json()?))
}

/// Adds the hash to the names of the objects that ask for it.
pub(crate) fn add_hashes(objects: &mut [Object]) -> Result<(), BuildError> {
    for object in objects.iter_mut() {
        if !object.needs_hash && !object.asks_for_hash() {
            continue;
        }
        if !matches!(object.kind(), "ConfigMap" | "Secret") {
            return Err(BuildError::Generator {
                place: object.place.clone(),
                message: format!(
                    "`{}` asks for a hash in its name, which only ConfigMaps and Secrets can have; delete the annotation `{NEEDS_HASH}`",
                    object.id()
                ),
            });
        }
        let hash = hash(&object.node).map_err(|error| BuildError::Generator {
            place: object.place.clone(),
            message: format!("`{}` has no hash: {}", object.id(), error.reason),
        })?;
        let name = format!("{}-{hash}", raw_name(object));
        object.remember_id();
        object.set_name(&name);
    }
    Ok(())
}

fn raw_name(object: &Object) -> String {
    object.node.at_path(&["metadata", "name"]).map(raw).unwrap_or_default().to_owned()
}
