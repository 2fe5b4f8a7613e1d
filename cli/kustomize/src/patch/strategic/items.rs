//! Finding and placing the items of lists that merge.

use gitops_yaml::{Node, Tag, Value};

use crate::resource::raw;

/// The items of the object that the merge has not placed yet, in order; those
/// that it has are put in as the object now has them.
pub(super) fn append_rest(added: &mut Vec<Node>, items: &[Node], keys: &[&str]) {
    for item in items {
        if keys[0].is_empty() {
            let value = raw(item).to_owned();
            set_item(added, Some(item), &[""], &[value]);
            continue;
        }
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            match item.get(key) {
                None => added.push(item.clone()),
                Some(value) => values.push(raw(value).to_owned()),
            }
        }
        if keys.len() > 1 {
            set_item(added, None, keys, &values);
        }
        set_item(added, Some(item), keys, &values);
    }
}

pub(super) fn is_empty_mapping(node: &Node) -> bool {
    node.is_mapping() && node.entries().is_empty()
}

/// The values of the keys in every item, the patch's first, each once.
pub(super) fn key_values(patch: Option<&[Node]>, dest: &[Node], keys: &[&str]) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    for item in patch.unwrap_or_default().iter().chain(dest) {
        let values: Vec<String> = keys
            .iter()
            .map(|key| {
                item.get(key)
                    .filter(|value| !is_empty(value))
                    .map(|value| raw(value).to_owned())
                    .unwrap_or_default()
            })
            .collect();
        if !found.contains(&values) {
            found.push(values);
        }
    }
    found
}

fn is_empty(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(scalar) => scalar.tag == Tag::Null || scalar.text.is_empty(),
        Value::Sequence(items) => items.is_empty(),
        Value::Mapping(entries) => entries.is_empty(),
    }
}

pub(super) fn scalar_values(patch: Option<&[Node]>, dest: &[Node]) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    for item in patch.unwrap_or_default().iter().chain(dest) {
        let value = vec![raw(item).to_owned()];
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

/// Two lists of values that differ only where one has none stand for one item.
pub(super) fn fill_gaps(wanted: &mut [Vec<String>]) {
    for left in 0..wanted.len() {
        for right in 0..wanted.len() {
            if let Some(filled) = fill(&wanted[left], &wanted[right]) {
                wanted[left].clone_from(&filled);
                wanted[right] = filled;
            }
        }
    }
}

fn fill(left: &[String], right: &[String]) -> Option<Vec<String>> {
    let mut common = false;
    let mut filled = Vec::with_capacity(left.len());
    for (left, right) in left.iter().zip(right) {
        if left == right {
            common = true;
            filled.push(left.clone());
        } else if left.is_empty() {
            filled.push(right.clone());
        } else if right.is_empty() {
            filled.push(left.clone());
        } else {
            return None;
        }
    }
    common.then_some(filled)
}

/// Leaves out the keys that no item of `all` has a value for.
pub(super) fn usable_keys<'k>(
    all: &[Vec<String>],
    values: &[String],
    keys: &[&'k str],
) -> (Vec<&'k str>, Vec<String>) {
    let used: Vec<bool> = (0..keys.len())
        .map(|index| {
            all.iter().any(|values| values.get(index).is_some_and(|value| !value.is_empty()))
        })
        .collect();
    if !used.contains(&true) {
        return (keys.to_vec(), values.to_vec());
    }
    let keep = |index: &usize| used.get(*index).copied().unwrap_or(false);
    (
        (0..keys.len()).filter(keep).map(|index| keys[index]).collect(),
        (0..values.len()).filter(keep).map(|index| values[index].clone()).collect(),
    )
}

/// The first item that has all these values.
pub(super) fn find_item(items: &[Node], keys: &[&str], values: &[String]) -> Option<usize> {
    if keys.first().is_none_or(|key| key.is_empty()) {
        let wanted = values.first().map(String::as_str).unwrap_or_default();
        return items.iter().position(|item| raw(item) == wanted);
    }
    items.iter().position(|item| {
        item.is_mapping()
            && keys
                .iter()
                .zip(values)
                .all(|(key, value)| item.get(key).is_some_and(|own| raw(own) == value))
    })
}

/// Replaces the items that match by `element`, or deletes them where it is
/// `None`; appends it where none matches.
pub(super) fn set_item(
    items: &mut Vec<Node>,
    element: Option<&Node>,
    keys: &[&str],
    values: &[String],
) {
    let wants_mapping = keys.first().is_some_and(|key| !key.is_empty())
        && values.first().is_some_and(|value| !value.is_empty());
    let mut matched = false;
    let mut kept = Vec::with_capacity(items.len() + 1);
    for item in items.drain(..) {
        if item.is_null() || is_empty_mapping(&item) {
            continue;
        }
        if !item.is_mapping() && wants_mapping {
            kept.push(item);
            continue;
        }
        if !matches(&item, keys, values) {
            if !values.is_empty() {
                kept.push(item);
            }
            continue;
        }
        matched = true;
        kept.extend(element.cloned());
    }
    if !matched {
        kept.extend(element.filter(|node| !node.is_null()).cloned());
    }
    *items = kept;
}

fn matches(item: &Node, keys: &[&str], values: &[String]) -> bool {
    keys.iter().enumerate().all(|(index, key)| {
        // A key beyond the values is as good as the last one that has one.
        let Some(value) = values.get(index) else { return !values.is_empty() };
        if key.is_empty() {
            return raw(item) == value;
        }
        match item.get(key) {
            None => false,
            Some(own) => value.is_empty() || raw(own) == value,
        }
    })
}
