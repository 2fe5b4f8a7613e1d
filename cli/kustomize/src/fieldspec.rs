//! Field specs: which field of which kinds a transformation touches.
//!
//! Rules from kustomize v5.8: api/types/fieldspec.go, api/filters/fieldspec.

use std::borrow::Cow;

use gitops_yaml::{Node, Scalar, Style, Tag, Value};

use crate::id::Gvk;

/// A field of the kinds that match `gvk`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldSpec {
    pub(crate) gvk: Gvk,
    /// Names joined by `/`; `\/` is a slash inside a name, `[]` marks a list.
    pub(crate) path: Cow<'static, str>,
    /// Whether a missing path is made.
    pub(crate) create: bool,
}

/// What is made where a path ends in nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Create {
    /// Nothing, whatever the spec says.
    Nothing,
    /// A scalar.
    Scalar,
    /// A mapping.
    Mapping,
}

/// Applied to each node that a path leads to; the error says what is wrong
/// with the node.
pub(crate) type Set<'a> = dyn FnMut(&mut Node) -> Result<(), String> + 'a;

impl FieldSpec {
    /// Runs `set` on every node of `object` that this spec names. The caller
    /// has checked that the object's kind matches.
    pub(crate) fn apply(
        &self,
        object: &mut Node,
        create: Create,
        set: &mut Set<'_>,
    ) -> Result<(), String> {
        let create = if self.create { create } else { Create::Nothing };
        walk(object, Some(start(&self.path)), create, set)
    }
}

impl FieldSpec {
    /// Whether what it names says, or holds what says, what type an object is.
    pub(crate) fn may_change_type(&self) -> bool {
        matches!(&*split_first(start(&self.path)).0, "kind" | "apiVersion")
    }
}

/// A path without the one leading slash that it may have.
fn start(path: &str) -> &str {
    path.strip_prefix('/').unwrap_or(path)
}

/// The first name of a path, where `\/` is a slash, and the rest of it.
fn split_first(path: &str) -> (Cow<'_, str>, Option<&str>) {
    let mut name = Cow::Borrowed("");
    let mut rest = path;
    loop {
        let (piece, after) = match rest.split_once('/') {
            Some((piece, after)) => (piece, Some(after)),
            None => (rest, None),
        };
        let whole = match (piece.strip_suffix('\\'), after) {
            (Some(piece), Some(_)) => format!("{piece}/").into(),
            _ => Cow::Borrowed(piece),
        };
        let goes_on = matches!(whole, Cow::Owned(_));
        if name.is_empty() {
            name = whole;
        } else {
            name.to_mut().push_str(&whole);
        }
        match after {
            Some(after) if goes_on => rest = after,
            after => return (name, after),
        }
    }
}

fn walk(
    node: &mut Node,
    path: Option<&str>,
    create: Create,
    set: &mut Set<'_>,
) -> Result<(), String> {
    let Some(path) = path else {
        return set(node);
    };
    if node.is_null() {
        return Ok(());
    }
    match &mut node.value {
        Value::Sequence(items) => {
            items.iter_mut().try_for_each(|item| walk(item, Some(path), create, set))
        }
        Value::Mapping(_) => {
            let (part, rest) = split_first(path);
            let (name, is_list) = match part.strip_suffix("[]") {
                Some(name) => (name, true),
                None => (&*part, false),
            };
            if name.is_empty() {
                return Err("a field path has an empty name".to_owned());
            }
            let creates = !is_list && create != Create::Nothing;
            let made = || {
                if rest.is_none() && create == Create::Scalar {
                    Node::string("")
                } else {
                    Node::mapping()
                }
            };
            if creates && node.get(name).is_none() {
                put(node, name, made());
            }
            match node.get_mut(name) {
                None => Ok(()),
                Some(field) => {
                    if field.is_null() {
                        if is_list {
                            field.value = Value::Sequence(Vec::new());
                        } else if creates {
                            field.value = made().value;
                        }
                    }
                    walk(field, rest, create, set)
                }
            }
        }
        Value::Scalar(_) => Err("expected a list or a mapping on the way to it".to_owned()),
    }
}

/// Puts a string into a scalar, keeping its style; its mark becomes `from`'s.
pub(crate) fn set_string(node: &mut Node, text: &str, from: &Node) -> Result<(), String> {
    set_scalar(node, text, Tag::Str)?;
    node.mark = from.mark;
    Ok(())
}

/// Puts text of type `tag` into a scalar, keeping its style.
pub(crate) fn set_scalar(node: &mut Node, text: &str, tag: Tag) -> Result<(), String> {
    match &mut node.value {
        Value::Scalar(scalar) => {
            *scalar = Scalar { text: text.into(), tag, style: scalar.style };
            Ok(())
        }
        _ => Err("expected a scalar".to_owned()),
    }
}

/// Puts text into a scalar as if it were written there: quotes stay, and plain
/// text is typed by what it looks like.
pub(crate) fn set_untyped(node: &mut Node, text: &str) -> Result<(), String> {
    let tag = match &node.value {
        Value::Scalar(scalar) if scalar.style != Style::Plain => Tag::Str,
        _ => type_of(text),
    };
    set_scalar(node, text, tag)
}

/// The style of a plain scalar that is no string and was set without a type.
pub(crate) const UNTYPED: Style = Style::Literal;

/// Makes a scalar that was set without a type a string, as kustomize does when
/// it sets it again (`FieldSetter`, kyaml/yaml/fns.go). One without text stays.
pub(crate) fn quote_untyped(node: &mut Node) {
    if let Value::Scalar(scalar) = &mut node.value
        && scalar.style == UNTYPED
        && scalar.tag != Tag::Str
        && !scalar.text.is_empty()
    {
        scalar.tag = Tag::Str;
        scalar.style = Style::DoubleQuoted;
    }
}

/// Whether this is a null by omission.
pub(crate) fn is_left_out(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar(scalar)
        if scalar.tag == Tag::Null && scalar.text.is_empty() && scalar.style != UNTYPED)
}

/// The type of a plain scalar with this text.
pub(crate) fn type_of(text: &str) -> Tag {
    let suspicious = match text.as_bytes().first() {
        None => true,
        Some(first) => {
            first.is_ascii_digit()
                || matches!(first, b'+' | b'-' | b'.' | b'~')
                || (text.len() <= 5 && matches!(first, b'n' | b'N' | b't' | b'T' | b'f' | b'F'))
        }
    };
    if !suspicious {
        return Tag::Str;
    }
    match gitops_yaml::read(gitops_yaml::FileId::NONE, text.as_bytes()) {
        Ok(documents) => match documents
            .first()
            .and_then(|document| document.root.as_ref())
            .map(|root| &root.value)
        {
            Some(Value::Scalar(scalar)) if *scalar.text == *text => scalar.tag.clone(),
            _ => Tag::Str,
        },
        Err(_) => Tag::Str,
    }
}

/// Puts `value` under `key`, in place of what stood there or at the end. The
/// key is a new one without quotes, which go-yaml reads as what it looks like.
pub(crate) fn put(node: &mut Node, key: &str, value: Node) {
    let Some(entries) = node.entries_mut() else { return };
    let own = Node::scalar(key, type_of(key));
    match entries.iter_mut().find(|(own, _)| crate::resource::raw(own) == key) {
        Some(entry) => *entry = (own, value),
        None => {
            // The reader's lists are just as long as need be. Those that got a label
            // and doubled were an eighth of the memory of a large build.
            if entries.len() == entries.capacity() {
                entries.reserve_exact((entries.len() / 4).max(2));
            }
            entries.push((own, value));
        }
    }
}

/// Adds the specs of `more` that are not covered yet, and tells whether there
/// were any. Fails with the path of a spec that contradicts an existing one in
/// `create`.
pub(crate) fn merge(specs: &mut Vec<FieldSpec>, more: &[FieldSpec]) -> Result<bool, String> {
    let before = specs.len();
    for spec in more {
        if !covers(specs, spec)? {
            specs.push(spec.clone());
        }
    }
    Ok(specs.len() > before)
}

fn covers(specs: &[FieldSpec], spec: &FieldSpec) -> Result<bool, String> {
    match specs.iter().find(|own| own.path == spec.path && own.gvk.is_selected_by(&spec.gvk)) {
        Some(own) if own.create != spec.create => {
            Err(format!("conflicting field specs for `{}`", spec.path))
        }
        known => Ok(known.is_some()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths_split_at_slashes_and_keep_escaped_ones() {
        let split = |path: &str| {
            let mut names = Vec::new();
            let mut rest = Some(start(path).to_owned());
            while let Some(path) = rest {
                let (name, after) = split_first(&path);
                names.push(name.into_owned());
                rest = after.map(str::to_owned);
            }
            names
        };
        assert_eq!(split("a/b"), ["a", "b"]);
        assert_eq!(split("/a/b"), ["a", "b"]);
        assert_eq!(split("a//b"), ["a", "", "b"]);
        assert_eq!(split(r"metadata/annotations/x.io\/y"), ["metadata", "annotations", "x.io/y"]);
        assert_eq!(split(r"a\/b\/c/d"), ["a/b/c", "d"]);
    }

    #[test]
    fn a_missing_path_is_made_only_when_asked() {
        let spec = |create| FieldSpec { gvk: Gvk::default(), path: "a/b".into(), create };
        let mut seen = 0;
        let mut node = Node::mapping();
        spec(false)
            .apply(&mut node, Create::Scalar, &mut |_| {
                seen += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, 0);
        assert!(node.entries().is_empty());
        spec(true)
            .apply(&mut node, Create::Scalar, &mut |leaf| set_scalar(leaf, "x", Tag::Str))
            .unwrap();
        assert_eq!(node.at_path(&["a", "b"]).unwrap().as_str(), Some("x"));
    }

    #[test]
    fn lists_are_walked_through() {
        let spec = FieldSpec { gvk: Gvk::default(), path: "a[]/b".into(), create: true };
        let mut item = Node::mapping();
        item.set("b", Node::string("old"));
        let mut node = Node::mapping();
        node.set("a", Node::sequence(vec![item, Node::mapping()]));
        spec.apply(&mut node, Create::Nothing, &mut |leaf| set_scalar(leaf, "new", Tag::Str))
            .unwrap();
        assert_eq!(node.get("a").unwrap().items()[0].get("b").unwrap().as_str(), Some("new"));
        assert!(node.get("a").unwrap().items()[1].entries().is_empty());
    }

    #[test]
    fn plain_text_is_typed_by_its_look() {
        assert_eq!(type_of("web"), Tag::Str);
        assert_eq!(type_of("12"), Tag::Int);
        assert_eq!(type_of("true"), Tag::Bool);
        assert_eq!(type_of("1-web"), Tag::Str);
    }
}
