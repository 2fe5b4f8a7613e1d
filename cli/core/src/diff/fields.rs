//! The fields that differ between two trees.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::change::FieldChange;
use crate::object::Lines;
use crate::seal::escape;

/// The smallest fields that differ, sorted by pointer. Items of a list whose
/// items all carry a distinct `name` are matched by it, others by position;
/// a matched item's pointer has its index after the change.
pub(super) fn changed(before: &Value, after: &Value, lines: &Lines) -> Vec<FieldChange> {
    let mut found = Vec::new();
    walk(&mut String::new(), Some(before), Some(after), &mut |pointer, before, after| {
        found.push(FieldChange {
            pointer: pointer.to_owned(),
            before: before.cloned(),
            after: after.cloned(),
            source: lines.find(pointer).cloned(),
        });
    });
    found.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    found
}

type Report<'a> = dyn FnMut(&str, Option<&Value>, Option<&Value>) + 'a;

fn walk(
    pointer: &mut String,
    before: Option<&Value>,
    after: Option<&Value>,
    report: &mut Report<'_>,
) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for name in names {
                let step = escape(name);
                descend(pointer, &step, before.get(name), after.get(name), report);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            match (by_name(before), by_name(after)) {
                (Some(old), Some(new)) if in_one_order(&old, &new, before, after) => {
                    for (name, index) in &old {
                        let at = new.get(name).copied();
                        let step = at.unwrap_or(*index).to_string();
                        descend(pointer, &step, before.get(*index), at.map(|i| &after[i]), report);
                    }
                    for (name, index) in &new {
                        if !old.contains_key(name) {
                            descend(pointer, &index.to_string(), None, after.get(*index), report);
                        }
                    }
                }
                _ if before.len() == after.len() => {
                    for (index, (before, after)) in before.iter().zip(after).enumerate() {
                        descend(pointer, &index.to_string(), Some(before), Some(after), report);
                    }
                }
                _ => report(
                    pointer,
                    Some(&Value::Array(before.clone())),
                    Some(&Value::Array(after.clone())),
                ),
            }
        }
        (before, after) => report(pointer, before, after),
    }
}

fn descend(
    pointer: &mut String,
    step: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    report: &mut Report<'_>,
) {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(step);
    walk(pointer, before, after, report);
    pointer.truncate(length);
}

/// Name → index, where every item has a name of its own.
fn by_name(items: &[Value]) -> Option<BTreeMap<&str, usize>> {
    let mut names = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        if names.insert(item.get("name")?.as_str()?, index).is_some() {
            return None;
        }
    }
    Some(names)
}

/// Whether the items on both sides stand in the same order; a changed order is
/// a change of the list itself.
fn in_one_order(
    old: &BTreeMap<&str, usize>,
    new: &BTreeMap<&str, usize>,
    before: &[Value],
    after: &[Value],
) -> bool {
    let name = |item: &Value| item.get("name").and_then(Value::as_str).map(str::to_owned);
    let kept = before.iter().filter_map(name).filter(|name| new.contains_key(name.as_str()));
    let stays = after.iter().filter_map(name).filter(|name| old.contains_key(name.as_str()));
    kept.eq(stays)
}
