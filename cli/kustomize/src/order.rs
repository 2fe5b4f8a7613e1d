//! The order of the output.
//!
//! Rules from kustomize v5.8, SortOrderTransformer.

use crate::id::{Gvk, Id};
use crate::resource::Object;

const FIRST: &[&str] = &[
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

const LAST: &[&str] = &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// The order of types by the built-in lists.
pub(crate) fn type_key(gvk: &Gvk) -> (i64, String) {
    (rank(&gvk.kind, FIRST, LAST), gvk.sort_text())
}

/// Negative for the kinds that come first, positive for the last ones.
fn rank<T: AsRef<str>>(kind: &str, first: &[T], last: &[T]) -> i64 {
    let position = |list: &[T]| list.iter().rposition(|own| own.as_ref() == kind);
    let number = |index: usize| i64::try_from(index).unwrap_or(i64::MAX);
    match (position(last), position(first)) {
        (Some(index), _) => 1 + number(index),
        (None, Some(index)) => number(index) - number(first.len()),
        (None, None) => 0,
    }
}

/// Sorts by the lists of kinds (`None`: the built-in ones), then by type, namespace and name.
pub(crate) fn legacy(objects: &mut Vec<Object>, lists: Option<(&[String], &[String])>) {
    let rank = |kind: &str| match lists {
        None => rank(kind, FIRST, LAST),
        Some((first, last)) => rank(kind, first, last),
    };
    let mut keyed: Vec<(Key, Object)> = std::mem::take(objects)
        .into_iter()
        .map(|object| {
            let id = object.id();
            (
                Key {
                    rank: rank(&id.gvk.kind),
                    type_text: id.gvk.sort_text(),
                    text: text(&id),
                    id,
                },
                object,
            )
        })
        .collect();
    keyed.sort_by(|left, right| left.0.compare(&right.0));
    objects.extend(keyed.into_iter().map(|(_, object)| object));
}

struct Key {
    rank: i64,
    type_text: String,
    text: String,
    id: Id,
}

impl Key {
    fn compare(&self, other: &Key) -> std::cmp::Ordering {
        if self.id.gvk == other.id.gvk {
            return self.text.cmp(&other.text);
        }
        let by_type = self.type_text.cmp(&other.type_text);
        // Namespaces of the core group come before those of other groups.
        let namespaces = self.id.gvk.kind == "Namespace"
            && other.id.gvk.kind == "Namespace"
            && (self.id.gvk.group.is_empty() || other.id.gvk.group.is_empty());
        self.rank.cmp(&other.rank).then(if namespaces { by_type.reverse() } else { by_type })
    }
}

fn text(id: &Id) -> String {
    fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
        if text.is_empty() { default } else { text }
    }
    format!(
        "{}.{}.{}|{}|{}",
        or(&id.gvk.kind, "[noKind]"),
        or(&id.gvk.version, "[noVer]"),
        or(&id.gvk.group, "[noGrp]"),
        or(&id.namespace, "~X"),
        or(&id.name, "~N")
    )
}
