//! What differs, object by object. One [`ChangeSet`] feeds the terminal,
//! JSON, policies and requests.

use serde_json::Value;

use crate::key::ObjectKey;
use crate::object::{Object, Source};

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It is absent before and present after.
    Created,
    /// It is present on both sides and differs.
    Configured,
    /// It is present before and absent after.
    Deleted,
    /// It is deleted and created again.
    Replaced,
    /// It is the same on both sides.
    Unchanged,
    /// The owner leaves it alone; the reason is in [`Change::reason`].
    Skipped,
    /// It could not be compared; unknown is not unchanged.
    Unverified,
    /// The server refused it; the reason is in [`Change::reason`].
    Error,
}

impl Action {
    /// The word shown to users, in JSON and to policies.
    pub fn word(self) -> &'static str {
        match self {
            Action::Created => "created",
            Action::Configured => "configured",
            Action::Deleted => "deleted",
            Action::Replaced => "replaced",
            Action::Unchanged => "unchanged",
            Action::Skipped => "skipped",
            Action::Unverified => "unverified",
            Action::Error => "error",
        }
    }

    /// Whether the object differs between the two sides.
    pub fn is_difference(self) -> bool {
        matches!(self, Action::Created | Action::Configured | Action::Deleted | Action::Replaced)
    }
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// RFC 6901 pointer into the object.
    pub pointer: String,
    /// The value before, sealed where it is secret; `None` when absent.
    pub before: Option<Value>,
    /// The value after; `None` when absent.
    pub after: Option<Value>,
    /// Where the value after stands in Git.
    pub source: Option<Source>,
}

/// What happens to one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The object.
    pub key: ObjectKey,
    /// `apiVersion` of the side after, else of the side before.
    pub api_version: String,
    /// What happens.
    pub action: Action,
    /// The object before.
    pub before: Option<Object>,
    /// The object after.
    pub after: Option<Object>,
    /// The fields that differ, sorted by pointer.
    pub fields: Vec<FieldChange>,
    /// Where the object stands in Git.
    pub source: Option<Source>,
    /// The field manager the prediction was asked for, where a cluster was.
    pub manager: Option<String>,
    /// Why it is an error, skipped or unverified; one line.
    pub reason: Option<String>,
    /// What the server warned about; one line each.
    pub warnings: Vec<String>,
}

/// All changes, sorted by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeSet {
    changes: Vec<Change>,
}

impl ChangeSet {
    /// Sorts `changes` by key.
    pub fn new(mut changes: Vec<Change>) -> ChangeSet {
        changes.sort_by(|a, b| a.key.cmp(&b.key));
        ChangeSet { changes }
    }

    /// Every change, unchanged objects included, sorted by key.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The objects that differ.
    pub fn differences(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.action.is_difference())
    }

    /// How many objects saw `action`.
    pub fn count(&self, action: Action) -> usize {
        self.changes.iter().filter(|change| change.action == action).count()
    }
}
