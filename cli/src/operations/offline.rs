//! Two sets of desired objects, without a cluster.

use std::collections::BTreeMap;

use gitops_core::change::ChangeSet;
use gitops_core::diff::compare_sets;
use gitops_core::key::ObjectKey;
use gitops_core::object::Raw;
use gitops_core::seal::Sealer;
use serde_json::Value;

/// The objects of two environments. Objects of one group, kind and name pair
/// up although the environments have namespaces of their own; the namespace
/// itself then is no difference. Returns the pairs of namespaces, too.
pub(crate) fn environments(
    before: &[Raw],
    after: &[Raw],
    sealer: &Sealer,
) -> (ChangeSet, Vec<(String, String)>) {
    let pairs = namespace_pairs(before, after);
    let moved: Vec<Raw> = before.iter().map(|raw| moved(raw, &pairs)).collect();
    (compare_sets(&moved, after, sealer), pairs.into_iter().collect())
}

/// Name without namespace.
type Nameless<'a> = (&'a str, &'a str, &'a str);

fn nameless(key: &ObjectKey) -> Nameless<'_> {
    (&key.group, &key.kind, &key.name)
}

/// Each namespace before with the one after that most of its objects are in.
/// A namespace that both sides have pairs with itself only.
fn namespace_pairs(before: &[Raw], after: &[Raw]) -> BTreeMap<String, String> {
    let spaces = |side: &[Raw]| -> std::collections::BTreeSet<String> {
        side.iter().filter_map(|raw| raw.key.namespace.clone()).collect()
    };
    let (old, new) = (spaces(before), spaces(after));
    let mut places: BTreeMap<Nameless<'_>, Vec<&str>> = BTreeMap::new();
    for raw in after {
        if let Some(namespace) = raw.key.namespace.as_deref() {
            places.entry(nameless(&raw.key)).or_default().push(namespace);
        }
    }
    let mut votes: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for raw in before {
        let Some(namespace) = raw.key.namespace.as_deref() else { continue };
        for place in places.get(&nameless(&raw.key)).into_iter().flatten() {
            if !new.contains(namespace) && !old.contains(*place) {
                *votes.entry(namespace).or_default().entry(place).or_default() += 1;
            }
        }
    }
    let mut pairs: BTreeMap<String, String> = BTreeMap::new();
    for (namespace, votes) in votes {
        // The first name wins a tie.
        let winner = votes.into_iter().rev().max_by_key(|(_, count)| *count);
        if let Some((place, _)) = winner
            && !pairs.values().any(|taken| taken == place)
        {
            pairs.insert(namespace.to_owned(), place.to_owned());
        }
    }
    pairs
}

/// The object as if it stood in the other environment's namespace. The
/// Namespace objects themselves pair up, too.
fn moved(raw: &Raw, pairs: &BTreeMap<String, String>) -> Raw {
    let mut raw = raw.clone();
    let is_namespace = raw.key.group.is_empty() && raw.key.kind == "Namespace";
    if is_namespace {
        if let Some(name) = pairs.get(&raw.key.name) {
            rename(&mut raw.json, "name", name);
            raw.key.name.clone_from(name);
        }
    } else if let Some(to) = raw.key.namespace.as_ref().and_then(|from| pairs.get(from)) {
        rename(&mut raw.json, "namespace", to);
        raw.key.namespace = Some(to.clone());
    }
    raw
}

fn rename(json: &mut Value, field: &str, to: &str) {
    if let Some(value) = json.get_mut("metadata").and_then(|metadata| metadata.get_mut(field)) {
        *value = Value::String(to.to_owned());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn config_map(namespace: &str, name: &str, value: &str) -> Raw {
        Raw::live(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace}, "data": {"k": value}}))
        .unwrap()
    }

    fn namespace(name: &str) -> Raw {
        Raw::live(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
            .unwrap()
    }

    #[test]
    fn objects_pair_across_the_environments_namespaces() {
        let dev = [namespace("dev"), config_map("dev", "a", "1"), config_map("dev", "b", "1")];
        let prod = [namespace("prod"), config_map("prod", "a", "1"), config_map("prod", "b", "2")];
        let (changes, pairs) = environments(&dev, &prod, &Sealer::new([0; 32], vec![]));
        assert_eq!(pairs, [("dev".to_owned(), "prod".to_owned())]);
        let differing: Vec<_> = changes.differences().map(|c| c.key.to_string()).collect();
        assert_eq!(differing, ["ConfigMap/prod/b"]);
    }

    #[test]
    fn a_namespace_of_both_sides_stays() {
        let one = [config_map("shared", "a", "1")];
        let two = [config_map("shared", "a", "1"), config_map("other", "a", "1")];
        let (changes, pairs) = environments(&one, &two, &Sealer::new([0; 32], vec![]));
        assert!(pairs.is_empty());
        assert_eq!(changes.differences().count(), 1);
    }
}
