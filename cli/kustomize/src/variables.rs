//! `vars`: `$(NAME)` in objects becomes the value of another object's field.
//!
//! Rules from kustomize v5.8, api/internal/accumulator and api/filters/refvar.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use gitops_yaml::{Mark, Node, Scalar, Style, Tag, Text, Value};

use crate::decode::{Decode, join};
use crate::error::{BuildError, Place};
use crate::field_path;
use crate::fieldspec::{Create, FieldSpec};
use crate::id::{Gvk, Id};
use crate::limits::{Copies, MAX_COPIED, too_much};
use crate::resource::raw;
use crate::set::Set;
use crate::touch::How;

/// A variable of a kustomization.
#[derive(Clone)]
pub(crate) struct Variable {
    pub(crate) name: String,
    place: Place,
    mark: Mark,
    target: Id,
    field_path: String,
}

/// Reads an entry of `vars`.
pub(crate) fn read(decode: Decode<'_>, node: &Node, at: &str) -> Result<Variable, BuildError> {
    let mut variable = Variable {
        name: String::new(),
        place: decode.place(node.mark),
        mark: node.mark,
        target: Id {
            gvk: Gvk::default(),
            name: Text::default(),
            namespace: Text::default(),
            outside_namespaces: false,
        },
        field_path: "metadata.name".to_owned(),
    };
    for (name, _, value) in decode.fields(node, at, &["name", "objref", "fieldref"])? {
        let field = join(at, name);
        match name {
            "name" => variable.name = decode.string(value, &field)?.to_owned(),
            "objref" => read_target(decode, value, &field, &mut variable.target)?,
            _ => {
                for (name, _, value) in decode.fields(value, &field, &["fieldPath"])? {
                    let path = decode.string(value, &join(&field, name))?;
                    if !path.is_empty() {
                        variable.field_path = path.to_owned();
                    }
                }
            }
        }
    }
    Ok(variable)
}

fn read_target(
    decode: Decode<'_>,
    node: &Node,
    at: &str,
    target: &mut Id,
) -> Result<(), BuildError> {
    let known = ["apiVersion", "group", "version", "kind", "name", "namespace"];
    let mut api_version = Text::default();
    for (name, _, value) in decode.fields(node, at, &known)? {
        let text = decode.string(value, &join(at, name))?.into();
        *match name {
            "apiVersion" => &mut api_version,
            "group" => &mut target.gvk.group,
            "version" => &mut target.gvk.version,
            "kind" => &mut target.gvk.kind,
            "name" => &mut target.name,
            _ => &mut target.namespace,
        } = text;
    }
    match api_version.split_once('/') {
        Some((group, version)) => {
            target.gvk.group = group.into();
            target.gvk.version = version.into();
        }
        None if !api_version.is_empty() => target.gvk.version = api_version,
        None => {}
    }
    Ok(())
}

/// Adds variables to those known, and notes at the objects which read from them.
pub(crate) fn add(
    known: &mut BTreeMap<String, Variable>,
    set: &mut Set,
    more: &[Variable],
) -> Result<(), BuildError> {
    for variable in more {
        let wanted = &variable.target;
        let matches = |id: &Id| {
            id.name == wanted.name
                && id.gvk == wanted.gvk
                && (wanted.namespace.is_empty()
                    || id.effective_namespace() == wanted.effective_namespace())
        };
        let mut found = set.objects.iter_mut().filter(|object| object.was_ever(&matches));
        if let Some(object) = found.next() {
            if let Some(second) = found.next() {
                return Err(BuildError::Invalid {
                    place: variable.place.clone(),
                    message: format!(
                        "the variable `{}` could read from `{}` or `{}`; give `objref` a namespace",
                        variable.name,
                        object.id(),
                        second.id()
                    ),
                });
            }
            object.variables.push(variable.name.clone());
        }
    }
    join_known(known, more.iter().cloned())
}

/// Adds variables to those known; a name twice is an error.
pub(crate) fn join_known(
    known: &mut BTreeMap<String, Variable>,
    more: impl Iterator<Item = Variable>,
) -> Result<(), BuildError> {
    for variable in more {
        if let Some(first) = known.get(&variable.name) {
            return Err(BuildError::Invalid {
                place: variable.place,
                message: format!(
                    "the variable `{}` is already defined at {}; give it another name",
                    variable.name, first.place
                ),
            });
        }
        known.insert(variable.name.clone(), variable);
    }
    Ok(())
}

/// Replaces the variables in all fields of `specs`.
pub(crate) fn resolve(
    set: &mut Set,
    variables: &BTreeMap<String, Variable>,
    specs: &[FieldSpec],
) -> Result<(), BuildError> {
    let mut values: Values<'_> = BTreeMap::new();
    for variable in variables.values() {
        let fail = |message: String| BuildError::Invalid { place: variable.place.clone(), message };
        let object = set
            .objects
            .iter()
            .find(|object| object.variables.contains(&variable.name))
            .ok_or_else(|| {
                fail(format!(
                    "the variable `{}` reads from `{}`, which does not exist",
                    variable.name, variable.target
                ))
            })?;
        let parts = field_path::split_indices(field_path::split(&variable.field_path));
        let value = field_path::lookup(&object.node, &parts).map_err(fail)?.ok_or_else(|| {
            fail(format!(
                "the variable `{}` reads `{}` of `{}`, which it does not have",
                variable.name,
                variable.field_path,
                object.id()
            ))
        })?;
        values.insert(&variable.name, (typed(value).map_err(fail)?, variable.mark));
    }
    if values.is_empty() {
        return Ok(());
    }
    let made = AtomicUsize::new(0);
    let outcome = set.apply(specs, Create::Nothing, &|node: &mut Node, touches| {
        let mut replace = |node: &mut Node| -> Result<(), String> {
            let marks = replace(node, &values)?;
            touches.extend(marks.into_iter().map(|mark| (mark, How::Field("vars"))));
            let before = made.fetch_add(raw(node).len(), Ordering::Relaxed);
            if before > MAX_COPIED { Err(too_much()) } else { Ok(()) }
        };
        match &mut node.value {
            Value::Scalar(_) => replace(node)?,
            Value::Mapping(entries) => {
                entries.iter_mut().try_for_each(|(_, value)| replace(value))?;
            }
            Value::Sequence(items) => {
                if items.iter().any(|item| item.as_str().is_none()) {
                    return Err("expected a list of strings".to_owned());
                }
                items.iter_mut().try_for_each(replace)?;
            }
        }
        Ok(())
    });
    set.objects.iter_mut().for_each(|object| object.shared.settle(&mut object.node));
    outcome
}

/// A value as kustomize's variables see it: whole numbers in decimals, other
/// numbers shortest; what is no number or boolean is text.
///
/// Rules from kustomize v5.8, `GetFieldValue` of kyaml's RNode.
fn typed(node: &Node) -> Result<Node, String> {
    let Value::Scalar(scalar) = &node.value else { return Ok(node.clone()) };
    let text = &*scalar.text;
    let fail = || format!("`{text}` is no number that a variable can hold; write it in decimals");
    let (text, tag) = match scalar.tag {
        Tag::Int => {
            let number: i64 = text.parse().map_err(|_| fail())?;
            (number.to_string(), Tag::Int)
        }
        Tag::Float => {
            let number: f64 = text.parse().map_err(|_| fail())?;
            (number.to_string(), Tag::Float)
        }
        Tag::Bool => (text.to_ascii_lowercase(), Tag::Bool),
        _ => (text.to_owned(), Tag::Str),
    };
    Ok(Node::scalar(text, tag).at(node.mark))
}

/// A number inside of a text: Go's `%v`.
fn in_text(node: &Node) -> String {
    let text = raw(node);
    let Value::Scalar(Scalar { tag: Tag::Float, .. }) = &node.value else {
        return text.to_owned();
    };
    let Ok(number) = text.parse::<f64>() else { return text.to_owned() };
    let shown = format!("{number:e}");
    match shown.split_once('e').and_then(|(digits, power)| Some((digits, power.parse().ok()?))) {
        Some((digits, power)) if !(-4..6).contains(&power) => {
            let sign = if power < 0 { '-' } else { '+' };
            let size: i32 = power;
            format!("{digits}e{sign}{:02}", size.abs())
        }
        _ => text.to_owned(),
    }
}

/// The values of variables, and where the variables are defined.
type Values<'v> = BTreeMap<&'v str, (Node, Mark)>;

/// Replaces variables in a string; everything else is left alone. Gives the
/// places of the variables.
fn replace(node: &mut Node, values: &Values<'_>) -> Result<Vec<Mark>, String> {
    let mut used = Vec::new();
    let Value::Scalar(scalar) = &mut node.value else { return Ok(used) };
    if scalar.tag != Tag::Str {
        return Ok(used);
    }
    // Every string is written anew (`updateNodeValue`, api/filters/refvar).
    if scalar.style == Style::Folded {
        scalar.style = Style::Literal;
    }
    if !scalar.text.contains('$') {
        return Ok(used);
    }
    let text = scalar.text.to_string();
    // A string that is one variable takes on the variable's type.
    let whole = text
        .strip_prefix("$(")
        .and_then(|rest| rest.strip_suffix(')'))
        .filter(|name| !name.contains(')'))
        .and_then(|name| values.get(name));
    match whole.map(|(value, at)| (&value.value, value.mark, at)) {
        Some((Value::Scalar(value), mark, at)) if value.tag != Tag::Null => {
            let tag = match &value.tag {
                tag @ (Tag::Int | Tag::Float | Tag::Bool) => tag.clone(),
                _ => Tag::Str,
            };
            scalar.text.clone_from(&value.text);
            scalar.tag = tag;
            scalar.style = Style::Plain;
            // The value is written there; text around it, here.
            node.mark = mark;
            used.push(*at);
        }
        _ => scalar.text = expand(&text, values, &mut used)?.into(),
    }
    Ok(used)
}

/// `$(NAME)` becomes the variable's text, `$$` a dollar sign.
fn expand(text: &str, values: &Values<'_>, used: &mut Vec<Mark>) -> Result<String, String> {
    let mut copies = Copies::new();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(tail) = rest.strip_prefix('$') {
            out.push('$');
            rest = tail;
        } else if let Some((name, tail)) =
            rest.strip_prefix('(').and_then(|inner| inner.split_once(')'))
        {
            match values
                .get(name)
                .filter(|(value, _)| matches!(value.value, Value::Scalar(_)) && !value.is_null())
            {
                Some((value, at)) => {
                    copies.take_text(raw(value).len())?;
                    out.push_str(&in_text(value));
                    used.push(*at);
                }
                None => {
                    out.push_str("$(");
                    out.push_str(name);
                    out.push(')');
                }
            }
            rest = tail;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_and_dollars_unescaped() {
        let mut values = BTreeMap::new();
        values.insert("A", (Node::string("x"), Mark::NONE));
        let mut used = Vec::new();
        let expanded = expand("$(A)-$(B)-$$(A)-$5-$(", &values, &mut used);
        assert_eq!(expanded.as_deref(), Ok("x-$(B)-$(A)-$5-$("));
        assert_eq!(used.len(), 1);
    }

    #[test]
    fn a_string_of_one_variable_takes_its_type() {
        let mut values = BTreeMap::new();
        values.insert("PORT", (Node::scalar("80", Tag::Int), Mark::NONE));
        let mut node = Node::string("$(PORT)");
        assert_eq!(replace(&mut node, &values).map(|used| used.len()), Ok(1));
        assert_eq!(node, Node::scalar("80", Tag::Int));
    }
}
