//! The order of the output.
//!
//! Rules from kustomize v5.8, SortOrderTransformer.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::id::Gvk;
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
    let mut types: Vec<Type> = Vec::new();
    let mut known: HashMap<(&str, &str), usize> = HashMap::new();
    let keys: Vec<(usize, String)> = objects
        .iter()
        .map(|object| {
            let own = *known.entry((object.api_version(), object.kind())).or_insert_with(|| {
                let gvk = object.gvk();
                // `/v1` and `v1` are one version.
                types.iter().position(|other| other.gvk == gvk).unwrap_or_else(|| {
                    types.push(Type { rank: rank(&gvk.kind), text: gvk.sort_text(), gvk });
                    types.len() - 1
                })
            });
            (own, text(object))
        })
        .collect();
    let mut order: Vec<usize> = (0..objects.len()).collect();
    order.sort_by(|left, right| {
        let ((left_type, left), (right_type, right)) = (&keys[*left], &keys[*right]);
        if left_type == right_type {
            return left.cmp(right);
        }
        types[*left_type].compare(&types[*right_type])
    });
    let mut unsorted: Vec<Option<Object>> = std::mem::take(objects).into_iter().map(Some).collect();
    objects.extend(order.into_iter().filter_map(|index| unsorted[index].take()));
}

/// Group, version and kind, with what sorts them.
struct Type {
    rank: i64,
    text: String,
    gvk: Gvk,
}

impl Type {
    fn compare(&self, other: &Type) -> Ordering {
        let by_type = self.text.cmp(&other.text);
        // Namespaces of the core group come before those of other groups.
        let namespaces = self.gvk.kind == "Namespace"
            && other.gvk.kind == "Namespace"
            && (self.gvk.group.is_empty() || other.gvk.group.is_empty());
        self.rank.cmp(&other.rank).then(if namespaces { by_type.reverse() } else { by_type })
    }
}

/// What sorts the objects of a type.
fn text(object: &Object) -> String {
    fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
        if text.is_empty() { default } else { text }
    }
    [or(object.namespace(), "~X"), or(object.name(), "~N")].join("|")
}
