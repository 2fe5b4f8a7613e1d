//! Bytes → documents, as go-yaml v3 decodes them.

use std::collections::HashMap;

use crate::direct;
use crate::events::{self, Kind, MAX_DEPTH, Place, Step};
use crate::resolve::{self, Version};
use crate::{FileId, Mark, Node, Scalar, Style, Tag, Value, base64, timestamp};

/// As many bytes of text may come out of the aliases of a document.
const MAX_TEXT_IN_ALIAS: usize = 32 << 20;

/// One document of a file.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its number in the file, from 1; empty documents are counted.
    pub index: u32,
    /// Its value; `None` where there is nothing, or only comments.
    pub root: Option<Node>,
    /// The line of its `---`, or of its first node where there is none.
    pub line: u32,
    /// Keys that stand more than once in a mapping, where the dialect takes
    /// that; in the order of the file.
    pub repeated: Vec<RepeatedKey>,
}

/// A key that its mapping has already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepeatedKey {
    /// The key.
    pub key: String,
    /// The line where it stands again.
    pub line: u32,
    /// The line where it stood last.
    pub earlier: u32,
}

/// Why a file could not be read. The caller knows the path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct ReadError {
    /// 1-based line.
    pub line: u32,
    /// 1-based column in characters.
    pub column: u32,
    /// What is wrong there.
    pub reason: String,
}

/// Reads every document of a file.
///
/// Types are resolved as go-yaml v3 does. Aliases and merge keys (`<<`) are
/// expanded, with go-yaml's limit on how much of a document may come from
/// aliases; the node at an alias bears the place of the alias, what is inside
/// it the places of the anchored node. Merged entries stand where the `<<`
/// stood. A file without any node has no document. Unlike go-yaml, a byte order
/// mark is skipped at the start of any line.
///
/// # Errors
///
/// What go-yaml v3 refuses: syntax, unknown and recursive anchors, duplicate
/// keys, keys that are collections, tags that do not fit their value; and
/// UTF-16, files of 4 GiB, and collections nested more than 256 levels deep.
pub fn read(file: FileId, bytes: &[u8]) -> Result<Vec<Document>, ReadError> {
    read_as(file, bytes, Dialect::Manifest)
}

/// Which of kustomize's two readers to read like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Resources and patches: go-yaml v3, which refuses duplicate keys.
    #[default]
    Manifest,
    /// The kustomization file itself: `YAMLToJSON` of sigs.k8s.io/yaml, which is
    /// go-yaml v2. YAML 1.1 words (`yes`, `on`, `y`, …) are booleans, timestamps
    /// are strings as written, and of duplicate keys the last one counts, in
    /// the place of the first.
    Kustomization,
}

/// [`read`] with a choice of dialect.
///
/// # Errors
///
/// Those of [`read`]; duplicate keys only in [`Dialect::Manifest`].
pub fn read_as(file: FileId, bytes: &[u8], dialect: Dialect) -> Result<Vec<Document>, ReadError> {
    match direct::read(file, bytes, dialect) {
        Some(documents) => Ok(documents),
        None => read_exhaustively(file, bytes, dialect),
    }
}

/// The short way of [`read_as`], for tests: what it does not decline is what
/// [`read_exhaustively`] gives.
#[doc(hidden)]
#[must_use]
pub fn read_directly(file: FileId, bytes: &[u8], dialect: Dialect) -> Option<Vec<Document>> {
    direct::read(file, bytes, dialect)
}

/// The long way of [`read_as`], over a list of events: it knows all of YAML,
/// and the errors.
///
/// # Errors
///
/// Those of [`read_as`].
#[doc(hidden)]
pub fn read_exhaustively(
    file: FileId,
    bytes: &[u8],
    dialect: Dialect,
) -> Result<Vec<Document>, ReadError> {
    let documents = events::parse(bytes)?;
    let mut index = 0;
    documents
        .into_iter()
        .map(|document| {
            index += 1;
            let mut composer =
                Composer { file, dialect, steps: &document.steps, ..Composer::default() };
            let root = match is_empty(&document.steps) {
                true => None,
                false => Some(composer.node(0, 0)?.node),
            };
            Ok(Document { index, root, line: document.line, repeated: composer.repeated })
        })
        .collect()
}

fn is_empty(steps: &[Step]) -> bool {
    match steps {
        [] => true,
        [step] => {
            matches!(&step.kind, Kind::Scalar { text, style: Style::Plain } if text.is_empty())
                && step.tag.is_none()
        }
        _ => false,
    }
}

#[derive(Default)]
struct Composer<'a> {
    file: FileId,
    dialect: Dialect,
    steps: &'a [Step],
    /// Nodes made, and those of them made inside an alias: go-yaml v3's
    /// `decodeCount` and `aliasCount`.
    made: usize,
    made_in_alias: usize,
    /// Bytes of text that came out of aliases.
    text_in_alias: usize,
    alias_depth: usize,
    /// Flow collections that are open.
    flow: usize,
    repeated: Vec<RepeatedKey>,
}

struct Composed {
    node: Node,
    /// The step after it.
    next: usize,
    alias: bool,
}

impl<'a> Composer<'a> {
    fn node(&mut self, at: usize, depth: usize) -> Result<Composed, ReadError> {
        let steps = self.steps;
        let step = &steps[at];
        self.count(step)?;
        if depth > MAX_DEPTH {
            let reason = format!("nested more than {MAX_DEPTH} levels deep");
            return Err(step.start.error(reason));
        }
        match &step.kind {
            Kind::Scalar { text, style } => {
                let tag = tag(step, text, *style, self.dialect)?;
                // Nothing at all in flow context: `node::Style` tells.
                let nothing = self.flow > 0 && text.is_empty() && tag == Tag::Null;
                let style = if nothing { Style::SingleQuoted } else { *style };
                let value = Value::Scalar(Scalar { text: text.as_str().into(), tag, style });
                Ok(Composed { node: self.at(value, step, step.end), next: at + 1, alias: false })
            }
            Kind::Alias { target } => {
                self.alias_depth += 1;
                let target = self.node(*target, depth)?;
                self.alias_depth -= 1;
                let node = self.at(target.node.value, step, step.end);
                Ok(Composed { node, next: at + 1, alias: true })
            }
            Kind::Sequence { flow } => {
                self.flow += usize::from(*flow);
                let mut items = Vec::new();
                let mut next = at + 1;
                let mut end = step.start.offset;
                while !matches!(steps[next].kind, Kind::End) {
                    let item = self.node(next, depth + 1)?;
                    end = item.node.mark.end as usize;
                    next = item.next;
                    items.push(item.node);
                }
                self.flow -= usize::from(*flow);
                let end = if *flow { steps[next].end } else { end };
                let node = self.at(Value::Sequence(items), step, end);
                Ok(Composed { node, next: next + 1, alias: false })
            }
            Kind::Mapping { flow } => self.mapping(at, *flow, depth),
            // The parser pairs starts with ends, so no node begins with an end.
            Kind::End => Err(step.start.error("did not find expected node content")),
        }
    }

    fn mapping(&mut self, at: usize, flow: bool, depth: usize) -> Result<Composed, ReadError> {
        let steps = self.steps;
        let step = &steps[at];
        let mut entries: Vec<Entry> = Vec::new();
        self.flow += usize::from(flow);
        let mut seen = Seen::default();
        let mut next = at + 1;
        let mut end = step.start.offset;
        while !matches!(steps[next].kind, Kind::End) {
            let place = steps[next].start;
            let text = self.key(next)?;
            let earlier = seen.insert(text, place.line);
            if let (Some(line), Dialect::Manifest) = (earlier, self.dialect) {
                let reason = format!("mapping key {text:?} already defined at line {line}");
                return Err(place.error(reason));
            }
            let is_merge = self.is_merge(next);
            // What an alias brings was looked at where it stands; of merges each counts.
            if let (Some(earlier), false, 0) = (earlier, is_merge, self.alias_depth) {
                let key = text.to_owned();
                self.repeated.push(RepeatedKey { key, line: place.line, earlier });
            }
            let key = self.node(next, depth + 1)?;
            let value_place = steps[key.next].start;
            let value = self.node(key.next, depth + 1)?;
            end = value.node.mark.end as usize;
            next = value.next;
            if is_merge {
                entries.push(Entry::Merge(merged(value, value_place)?));
            } else if let Some(slot) = earlier.and_then(|_| own(&mut entries, text)) {
                *slot = value.node;
            } else {
                entries.push(Entry::Own(key.node, value.node));
            }
        }
        self.flow -= usize::from(flow);
        let end = if flow { steps[next].end } else { end };
        let node = self.at(Value::Mapping(flatten(entries)), step, end);
        Ok(Composed { node, next: next + 1, alias: false })
    }

    /// The text of the scalar key that begins at a step.
    fn key(&self, at: usize) -> Result<&'a str, ReadError> {
        let step = &self.steps[at];
        let named = match &step.kind {
            Kind::Alias { target } => &self.steps[*target],
            _ => step,
        };
        match &named.kind {
            Kind::Scalar { text, .. } => Ok(text),
            _ => Err(step.start.error("a mapping key must be a scalar")),
        }
    }

    fn is_merge(&self, at: usize) -> bool {
        let step = &self.steps[at];
        match (&step.kind, step.tag.as_deref()) {
            (Kind::Scalar { text, style: Style::Plain }, None) => text == "<<",
            (Kind::Scalar { text, .. }, Some("tag:yaml.org,2002:merge")) => text == "<<",
            _ => false,
        }
    }

    fn at(&self, value: Value, step: &Step, end: usize) -> Node {
        let number = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        let mark = Mark {
            file: self.file,
            line: step.start.line,
            column: step.start.column,
            start: number(step.start.offset),
            end: number(end.max(step.start.offset)),
        };
        Node { value, mark }
    }

    /// go-yaml v3: `allowedAliasRatio` in `decode.go`.
    fn count(&mut self, step: &Step) -> Result<(), ReadError> {
        const LOW: f64 = 400_000.0;
        const HIGH: f64 = 4_000_000.0;
        self.made += 1;
        if self.alias_depth > 0 {
            self.made_in_alias += 1;
            // Long texts pass go-yaml's limit, which counts nodes.
            if let Kind::Scalar { text, .. } = &step.kind {
                self.text_in_alias += text.len();
            }
            if self.text_in_alias > MAX_TEXT_IN_ALIAS {
                return Err(step.start.error("document contains excessive aliasing"));
            }
        }
        if self.made_in_alias <= 100 || self.made <= 1000 {
            return Ok(());
        }
        let made = self.made as f64;
        let allowed = 0.99 - 0.89 * ((made - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
        if self.made_in_alias as f64 / made > allowed {
            return Err(step.start.error("document contains excessive aliasing"));
        }
        Ok(())
    }
}

/// The keys of a mapping with the lines where they stand.
#[derive(Default)]
struct Seen<'a> {
    few: Vec<(&'a str, u32)>,
    many: HashMap<&'a str, u32>,
}

impl<'a> Seen<'a> {
    /// Adds a key; gives the line of an earlier one with this text.
    fn insert(&mut self, key: &'a str, line: u32) -> Option<u32> {
        const FEW: usize = 16;
        if !self.many.is_empty() {
            return self.many.insert(key, line);
        }
        if let Some((_, own)) = self.few.iter_mut().find(|(own, _)| *own == key) {
            return Some(std::mem::replace(own, line));
        }
        self.few.push((key, line));
        if self.few.len() > FEW {
            self.many = self.few.drain(..).collect();
        }
        None
    }
}

enum Entry {
    Own(Node, Node),
    Merge(Vec<(Node, Node)>),
}

/// The value of a key that is there already.
fn own<'e>(entries: &'e mut [Entry], text: &str) -> Option<&'e mut Node> {
    entries.iter_mut().find_map(|entry| match entry {
        Entry::Own(key, value) if key_text(key) == text => Some(value),
        _ => None,
    })
}

/// The entries that a `<<` brings: those of a mapping, or of a list of
/// mappings, of which the first to name a key wins.
fn merged(value: Composed, place: Place) -> Result<Vec<(Node, Node)>, ReadError> {
    let refuse = || place.error("map merge requires map or sequence of maps as the value");
    match value.node.value {
        Value::Mapping(entries) => Ok(entries),
        // go-yaml takes a list of maps as it stands, not through an alias.
        Value::Sequence(items) if !value.alias => {
            let mut all = Vec::new();
            for item in items {
                let Value::Mapping(entries) = item.value else { return Err(refuse()) };
                all.extend(entries);
            }
            Ok(all)
        }
        _ => Err(refuse()),
    }
}

/// A mapping's own entries win over merged ones, wherever they stand.
fn flatten(entries: Vec<Entry>) -> Vec<(Node, Node)> {
    let own: Vec<Box<str>> = if entries.iter().any(|entry| matches!(entry, Entry::Merge(_))) {
        entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Own(key, _) => Some(key_text(key).into()),
                Entry::Merge(_) => None,
            })
            .collect()
    } else {
        Vec::new()
    };
    let mut seen: std::collections::HashSet<Box<str>> = own.into_iter().collect();
    let mut all = Vec::new();
    for entry in entries {
        match entry {
            Entry::Own(key, value) => all.push((key, value)),
            Entry::Merge(merged) => {
                all.extend(merged.into_iter().filter(|(key, _)| seen.insert(key_text(key).into())));
            }
        }
    }
    all
}

fn key_text(key: &Node) -> &str {
    match &key.value {
        Value::Scalar(scalar) => &scalar.text,
        _ => "",
    }
}

/// The type of a scalar, checked against the tag it was given.
fn tag(step: &Step, text: &str, style: Style, dialect: Dialect) -> Result<Tag, ReadError> {
    let Some(given) = step.tag.as_deref() else {
        return Ok(match style {
            Style::Plain => plain_tag(text, dialect),
            _ => Tag::Str,
        });
    };
    let Some(short) = given.strip_prefix("tag:yaml.org,2002:") else {
        return Ok(Tag::Other(given.into()));
    };
    let found = resolve::resolve(text, Version::V3);
    let fits = |wanted: Tag, found: Tag| {
        if found == wanted {
            Ok(wanted)
        } else {
            Err(step.start.error(format!("cannot decode {} as a !!{short}", name(&found))))
        }
    };
    match short {
        "str" => Ok(Tag::Str),
        "binary" => match base64::decode(text) {
            Some(_) => Ok(Tag::Binary),
            None => Err(step.start.error("!!binary value contains invalid base64 data")),
        },
        "float" if found == Tag::Int => Ok(Tag::Float),
        "null" => fits(Tag::Null, found),
        "bool" => fits(Tag::Bool, found),
        "int" => fits(Tag::Int, found),
        "float" => fits(Tag::Float, found),
        "timestamp" => match timestamp::parse(text) {
            Some(_) => Ok(Tag::Timestamp),
            None => fits(Tag::Timestamp, Tag::Str),
        },
        _ => Ok(Tag::Other(given.into())),
    }
}

/// The type of a plain scalar without a tag.
pub(crate) fn plain_tag(text: &str, dialect: Dialect) -> Tag {
    match dialect {
        Dialect::Manifest => resolve::resolve(text, Version::V3),
        Dialect::Kustomization => match resolve::resolve(text, Version::V2) {
            Tag::Timestamp => Tag::Str,
            tag => tag,
        },
    }
}

fn name(tag: &Tag) -> &'static str {
    match tag {
        Tag::Null => "!!null",
        Tag::Bool => "!!bool",
        Tag::Int => "!!int",
        Tag::Float => "!!float",
        Tag::Timestamp => "!!timestamp",
        Tag::Binary => "!!binary",
        Tag::Str | Tag::Other(_) => "!!str",
    }
}
