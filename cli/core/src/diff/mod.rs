//! The diff: two sides of an object, or of a whole set, to a [`ChangeSet`].

mod expected;
mod fields;
mod text;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::change::{Action, Change, ChangeSet};
use crate::key::ObjectKey;
use crate::object::{Lines, Object, Raw};
use crate::seal::Sealer;

pub use expected::Expected;
pub use text::unified;

/// Annotations that repeat the object they stand on.
const COPIES: [&str; 2] =
    ["kubectl.kubernetes.io/last-applied-configuration", "kapp.k14s.io/original"];

/// What the server keeps about an object, which no file states.
const SERVER_FIELDS: [&str; 6] =
    ["managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"];

/// Which of the server's own fields are shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    /// `metadata.managedFields` stays.
    pub managed_fields: bool,
}

impl Raw {
    /// The object as it may be shown: what the server adds is taken out, and
    /// secret values are sealed.
    pub fn show(&self, sealer: &Sealer, shown: Shown) -> Object {
        let mut tree = self.json.clone();
        if let Some(object) = tree.as_object_mut() {
            object.remove("status");
            if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                for field in SERVER_FIELDS {
                    if !(field == "managedFields" && shown.managed_fields) {
                        metadata.remove(field);
                    }
                }
                drop_copies(metadata);
            }
        }
        Object {
            key: self.key.clone(),
            api_version: self.api_version.clone(),
            tree: sealer.seal(&self.key, tree),
            source: self.source.clone(),
            lines: self.lines.clone(),
        }
    }
}

/// Such an annotation holds every value of the object once more, a Secret's
/// included, so it is never shown.
fn drop_copies(metadata: &mut serde_json::Map<String, Value>) {
    let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) else {
        return;
    };
    for copy in COPIES {
        annotations.remove(copy);
    }
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
}

/// Compares the two sides of one object. `lines` tells where the fields of
/// the side after stand in Git.
///
/// # Panics
/// When both sides are `None`: there is no object to speak of.
pub fn compare(before: Option<Object>, after: Option<Object>, lines: &Lines) -> Change {
    let action = match (&before, &after) {
        (None, Some(_)) => Action::Created,
        (Some(_), None) => Action::Deleted,
        (Some(before), Some(after)) if before.tree == after.tree => Action::Unchanged,
        _ => Action::Configured,
    };
    let fields = match (&before, &after) {
        (Some(before), Some(after)) => fields::changed(&before.tree, &after.tree, lines),
        _ => Vec::new(),
    };
    let subject = after.as_ref().or(before.as_ref()).expect("one side is present");
    Change {
        key: subject.key.clone(),
        api_version: subject.api_version.clone(),
        action,
        fields,
        source: after.as_ref().and_then(|object| object.source.clone()),
        manager: None,
        reason: None,
        warnings: Vec::new(),
        before,
        after,
    }
}

/// Compares two sets of objects, offline: everything that stands on one side
/// only is created or deleted.
pub fn compare_sets(before: &[Raw], after: &[Raw], sealer: &Sealer) -> ChangeSet {
    let mut pairs: BTreeMap<&ObjectKey, (Option<&Raw>, Option<&Raw>)> = BTreeMap::new();
    for raw in before {
        pairs.entry(&raw.key).or_default().0 = Some(raw);
    }
    for raw in after {
        pairs.entry(&raw.key).or_default().1 = Some(raw);
    }
    let no_lines = Lines::default();
    let changes = pairs.into_values().map(|(before, after)| {
        let mut change = compare(
            before.map(|raw| raw.show(sealer, Shown::default())),
            after.map(|raw| raw.show(sealer, Shown::default())),
            after.map_or(&no_lines, |raw| &raw.lines),
        );
        if change.source.is_none() {
            change.source = before.and_then(|raw| raw.source.clone());
        }
        change
    });
    ChangeSet::new(changes.collect())
}

#[cfg(test)]
mod tests;
