//! What kustomize makes of folded scalars (`>`).
//!
//! It writes an object as YAML and reads it again before it prints it, and
//! go-yaml v3 does not write folded scalars faithfully: `emitterc.go` looks at
//! the first character of the whole text where it should look at the one after
//! the line break. The objects that Flux and `kustomize build` apply have these
//! line breaks, so they belong to the result.

use gitops_yaml::{Mark, Node, Style, Tag, Value};

/// Gives every folded scalar of an object the text that kustomize gives it.
/// Fails with the first key below the top that is no string: it stands in the
/// way when kustomize writes the object as JSON in between.
pub(crate) fn rewrite(object: &mut Node) -> Result<(), Node> {
    match object.entries_mut() {
        Some(entries) => entries.iter_mut().try_for_each(|(_, value)| rewrite_field(value)),
        None => rewrite_field(object),
    }
}

/// Whether a mapping has a value that is folded.
pub(crate) fn any_in(mapping: &Node) -> bool {
    let is_folded =
        |node: &Node| matches!(&node.value, Value::Scalar(scalar) if scalar.style == Style::Folded);
    mapping.entries().iter().any(|(_, value)| is_folded(value))
}

/// Gives a text the style of the scalar that it replaces, by which it becomes
/// or ceases to be a folded one (`FieldSetter`, kyaml/yaml/fns.go).
pub(crate) fn take_style(new: &mut Node, old: &Node) {
    let (Value::Scalar(new), Value::Scalar(old)) = (&mut new.value, &old.value) else { return };
    if new.tag == Tag::Str && (new.style == Style::Folded || old.style == Style::Folded) {
        new.style = old.style;
    }
}

/// Where an object is written in brackets, as JSON is: nothing is folded there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Brackets {
    /// Where the marks show them.
    AsRead,
    /// Everywhere.
    All,
    /// Nowhere, whatever the marks show.
    Nowhere,
}

/// Unfolds the texts of a patch that go into brackets, or into the place of
/// what is in brackets: it leaves them to what it gets.
pub(crate) fn unfold_patch(patch: &mut Node, object: &Node, brackets: Brackets) {
    match brackets {
        Brackets::All => unfold(patch),
        Brackets::AsRead if is_in_brackets(object) => unfold(patch),
        Brackets::AsRead => {
            for (key, value) in patch.entries_mut().into_iter().flatten() {
                if let Some(old) = key.text().and_then(|name| object.get(name)) {
                    unfold_patch(value, old, brackets);
                }
            }
        }
        Brackets::Nowhere => {}
    }
}

/// Unfolds what stands in brackets after a merge.
pub(crate) fn unfold_merged(object: &mut Node, brackets: Brackets) {
    if brackets != Brackets::AsRead {
        return;
    }
    if is_in_brackets(object) {
        return unfold(object);
    }
    match &mut object.value {
        Value::Scalar(_) => {}
        Value::Sequence(items) => items.iter_mut().for_each(|item| unfold_merged(item, brackets)),
        Value::Mapping(entries) => {
            entries.iter_mut().for_each(|(_, value)| unfold_merged(value, brackets));
        }
    }
}

/// Whether there are folded texts in it.
pub(crate) fn any_within(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(scalar) => scalar.style == Style::Folded,
        Value::Sequence(items) => items.iter().any(any_within),
        Value::Mapping(entries) => entries.iter().any(|(_, value)| any_within(value)),
    }
}

fn unfold(node: &mut Node) {
    match &mut node.value {
        Value::Scalar(scalar) => {
            if scalar.style == Style::Folded {
                scalar.style = Style::DoubleQuoted;
            }
        }
        Value::Sequence(items) => items.iter_mut().for_each(unfold),
        Value::Mapping(entries) => entries.iter_mut().for_each(|(_, value)| unfold(value)),
    }
}

/// Whether it was read in brackets and has something of that left: without
/// them all keys stand where their mapping begins, and items behind a dash and
/// a blank.
fn is_in_brackets(node: &Node) -> bool {
    let whole = node.mark;
    let within =
        |mark: Mark| mark.file == whole.file && mark.start >= whole.start && mark.end <= whole.end;
    if whole.line == 0 || whole.column == 0 {
        return false;
    }
    match &node.value {
        Value::Scalar(_) => false,
        Value::Mapping(entries) => {
            let mut keys = entries.iter().map(|(key, _)| key.mark).filter(|mark| within(*mark));
            keys.any(|mark| mark.column != whole.column)
        }
        Value::Sequence(items) => {
            let filled = |item: &&Node| !item.is_null() && within(item.mark);
            let mut filled = items.iter().filter(filled).map(|item| item.mark);
            filled.next().is_some_and(|first| {
                first.start == whole.start + 1 || filled.any(|next| next.line == first.line)
            })
        }
    }
}

/// The first key below the top of an object that is no string.
pub(crate) fn odd_key(object: &Node) -> Option<&Node> {
    fn within(node: &Node) -> Option<&Node> {
        match &node.value {
            Value::Scalar(_) => None,
            Value::Sequence(items) => items.iter().find_map(within),
            Value::Mapping(entries) => entries
                .iter()
                .find_map(|(key, value)| if is_string(key) { within(value) } else { Some(key) }),
        }
    }
    object.entries().iter().find_map(|(_, value)| within(value))
}

fn is_string(key: &Node) -> bool {
    matches!(&key.value, Value::Scalar(scalar) if scalar.tag == Tag::Str)
}

fn rewrite_field(node: &mut Node) -> Result<(), Node> {
    match &mut node.value {
        Value::Scalar(scalar) => {
            if scalar.style == Style::Folded && scalar.text.contains('\n') {
                scalar.text = reread(&scalar.text).into();
                scalar.style = Style::Literal;
            } else if scalar.tag == Tag::Null && scalar.style == Style::SingleQuoted {
                // `{a: }`, which go-yaml v3 writes as `{a: ''}`.
                scalar.tag = Tag::Str;
            }
        }
        Value::Sequence(items) => items.iter_mut().try_for_each(rewrite_field)?,
        Value::Mapping(entries) => {
            for (key, value) in entries {
                if !is_string(key) {
                    return Err(key.clone());
                }
                rewrite_field(value)?;
            }
        }
    }
    Ok(())
}

/// The text after it was written folded and read again.
fn reread(text: &str) -> String {
    let body = text.trim_start_matches('\n');
    // Whether an extra break is written after each line that is not indented.
    let doubled = !body.is_empty() && !body.starts_with([' ', '\t']);
    let mut out = String::with_capacity(text.len() + 8);
    out.push_str(&text[..text.len() - body.len()]);
    let mut rest = body;
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.find('\n').unwrap_or(rest.len()));
        out.push_str(line);
        rest = tail.trim_start_matches('\n');
        let breaks = tail.len() - rest.len();
        let indented = line.starts_with([' ', '\t']);
        let next_indented = rest.starts_with([' ', '\t']);
        let written = if doubled && !indented { breaks + 1 } else { breaks };
        let is_last = rest.is_empty();
        if is_last && breaks <= 1 {
            out.push_str(tail);
        } else if is_last || indented || next_indented {
            out.push_str(&"\n".repeat(written));
        } else if written == 1 {
            out.push(' ');
        } else {
            out.push_str(&"\n".repeat(written - 1));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs taken from kyaml v0.21.1: text of a folded scalar, and what
    /// `MarshalJSON` makes of it.
    #[test]
    fn texts_change_as_they_do_in_kyaml() {
        for (text, expected) in [
            ("x\n\n y\n\nz\n", "x\n\n\n y\n\nz\n"),
            ("x\n\n", "x\n\n\n"),
            ("x\n", "x\n"),
            (" x\n\ny\nz\n", " x\n\ny z\n"),
            ("x\ny w", "x\ny w"),
            ("\nx\ny\n", "\nx\ny\n"),
            ("x\n y\nz\n", "x\n\n y\nz\n"),
        ] {
            assert_eq!(reread(text), expected, "{text:?}");
        }
    }
}
