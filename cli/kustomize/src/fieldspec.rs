//! Field specs: which field of which kinds a transformation touches.
//!
//! Rules from kustomize v5.8: api/types/fieldspec.go, api/filters/fieldspec.

use gitops_yaml::{Node, Scalar, Style, Tag, Value};

use crate::id::Gvk;

/// A field of the kinds that match `gvk`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldSpec {
    pub(crate) gvk: Gvk,
    /// Names joined by `/`; `\/` is a slash inside a name, `[]` marks a list.
    pub(crate) path: String,
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
        let parts = split_path(&self.path);
        let create = if self.create { create } else { Create::Nothing };
        walk(object, &parts, create, set)
    }
}

/// Splits a path at `/`, keeping `\/` as a slash; one leading slash is allowed.
pub(crate) fn split_path(path: &str) -> Vec<String> {
    let mut pieces: Vec<&str> = path.split('/').collect();
    if pieces.len() > 1 && pieces[0].is_empty() {
        pieces.remove(0);
    }
    let mut parts: Vec<String> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push('/');
                last.push_str(piece);
            }
            _ => parts.push(piece.to_owned()),
        }
    }
    parts
}

fn walk(
    node: &mut Node,
    parts: &[String],
    create: Create,
    set: &mut Set<'_>,
) -> Result<(), String> {
    let Some((part, rest)) = parts.split_first() else {
        return set(node);
    };
    if node.is_null() {
        return Ok(());
    }
    match &mut node.value {
        Value::Sequence(items) => {
            items.iter_mut().try_for_each(|item| walk(item, parts, create, set))
        }
        Value::Mapping(_) => {
            let (name, is_list) = match part.strip_suffix("[]") {
                Some(name) => (name, true),
                None => (part.as_str(), false),
            };
            if name.is_empty() {
                return Err("a field path has an empty name".to_owned());
            }
            let made = if is_list || create == Create::Nothing {
                None
            } else if rest.is_empty() && create == Create::Scalar {
                Some(Node::string(""))
            } else {
                Some(Node::mapping())
            };
            match (node.get_mut(name), made) {
                (None, None) => Ok(()),
                (None, Some(made)) => {
                    node.set(name, made);
                    node.get_mut(name).map_or(Ok(()), |field| walk(field, rest, create, set))
                }
                (Some(field), made) => {
                    if field.is_null() {
                        if is_list {
                            field.value = Value::Sequence(Vec::new());
                        } else if let Some(made) = made {
                            field.value = made.value;
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

/// Adds the specs of `more` that are not covered yet. Fails with the path of a
/// spec that contradicts an existing one in `create`.
pub(crate) fn merge(specs: &mut Vec<FieldSpec>, more: &[FieldSpec]) -> Result<(), String> {
    for spec in more {
        let known =
            specs.iter().find(|own| own.path == spec.path && own.gvk.is_selected_by(&spec.gvk));
        match known {
            Some(own) if own.create != spec.create => {
                return Err(format!("conflicting field specs for `{}`", spec.path));
            }
            Some(_) => {}
            None => specs.push(spec.clone()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths_split_at_slashes_and_keep_escaped_ones() {
        assert_eq!(split_path("a/b"), ["a", "b"]);
        assert_eq!(split_path("/a/b"), ["a", "b"]);
        assert_eq!(
            split_path(r"metadata/annotations/x.io\/y"),
            ["metadata", "annotations", "x.io/y"]
        );
    }

    #[test]
    fn a_missing_path_is_made_only_when_asked() {
        let spec = |create| FieldSpec { gvk: Gvk::default(), path: "a/b".to_owned(), create };
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
        let spec = FieldSpec { gvk: Gvk::default(), path: "a[]/b".to_owned(), create: true };
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
