//! The live side of many objects, with few requests.

use std::collections::{BTreeMap, HashMap};

use crate::connect::Cluster;
use crate::discovery::Target;
use crate::error::ClusterError;
use crate::read::{List, Live};

/// From this many wanted objects on, a collection is listed.
const WORTH_A_LIST: usize = 3;
/// A collection with more objects for each wanted one is not read to its end.
const TOO_MANY: usize = 20;

impl Cluster {
    /// Reads the live objects of `targets`, each once, in their order: there,
    /// `None` for absent, or the error that keeps it from view. No error of one
    /// stops the others.
    ///
    /// Objects of one kind come by one list over all namespaces, or by one list
    /// a namespace, where that is cheaper and allowed; else one by one.
    pub async fn observe(&self, targets: &[Target]) -> Vec<Result<Option<Live>, ClusterError>> {
        let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        let mut first: HashMap<&Target, usize> = HashMap::new();
        for (index, target) in targets.iter().enumerate() {
            // An object that is wanted twice is read once.
            if *first.entry(target).or_insert(index) != index {
                continue;
            }
            groups.entry(&target.resource).or_default().push(index);
        }
        let reads = groups.into_values().map(|indices| self.observe_kind(targets, indices));
        let mut seen: Vec<Option<Result<Option<Live>, ClusterError>>> =
            targets.iter().map(|_| None).collect();
        for (index, result) in futures::future::join_all(reads).await.into_iter().flatten() {
            seen[index] = Some(result);
        }
        let mut observed: Vec<Result<Option<Live>, ClusterError>> =
            Vec::with_capacity(targets.len());
        for (target, result) in targets.iter().zip(seen) {
            let again = || observed[first[target]].clone();
            let result = result.unwrap_or_else(again);
            observed.push(result);
        }
        observed
    }

    /// Reads targets of one kind.
    async fn observe_kind(&self, targets: &[Target], indices: Vec<usize>) -> Vec<Seen> {
        let mut results = Vec::with_capacity(indices.len());
        let spaces = by_namespace(targets, &indices).len();
        let mut rest = indices;
        if spaces >= WORTH_A_LIST {
            rest = self.observe_list(targets, rest, None, &mut results).await;
        }
        let groups = by_namespace(targets, &rest);
        let reads = groups.into_iter().map(|(namespace, indices)| async move {
            let mut results = Vec::with_capacity(indices.len());
            let mut rest = indices;
            if rest.len() >= WORTH_A_LIST {
                rest = self.observe_list(targets, rest, namespace, &mut results).await;
            }
            let gets = rest.iter().map(|&index| self.get(&targets[index]));
            results.extend(rest.iter().copied().zip(futures::future::join_all(gets).await));
            results
        });
        results.extend(futures::future::join_all(reads).await.into_iter().flatten());
        results
    }

    /// Reads targets of one kind by one list, in one namespace or in all.
    /// Returns those that the list says nothing about.
    async fn observe_list(
        &self,
        targets: &[Target],
        mut rest: Vec<usize>,
        namespace: Option<&str>,
        results: &mut Vec<Seen>,
    ) -> Vec<usize> {
        let list = List { namespace, selector: "", cap: Some(rest.len() * TOO_MANY) };
        match self.list(&targets[rest[0]].resource, list).await {
            Ok(listing) => {
                let mut by_name: HashMap<(Option<String>, String), Live> = HashMap::new();
                for live in listing.items {
                    let namespace = live.namespace().map(str::to_owned);
                    by_name.insert((namespace, live.name().to_owned()), live);
                }
                rest.retain(|&index| {
                    let target = &targets[index];
                    let found = by_name.remove(&(target.namespace.clone(), target.name.clone()));
                    let known = found.is_some() || listing.complete;
                    if known {
                        results.push((index, Ok(found)));
                    }
                    !known
                });
            }
            // The user may be allowed to read less at once, and a kind may not
            // be listable: asked one by one, each object speaks for itself.
            Err(ClusterError::Forbidden { .. } | ClusterError::Refused { .. }) => {}
            Err(error) => {
                results.extend(rest.drain(..).map(|index| (index, Err(error.clone()))));
            }
        }
        rest
    }
}

/// A target's index, and what was seen of it.
type Seen = (usize, Result<Option<Live>, ClusterError>);

fn by_namespace<'a>(
    targets: &'a [Target],
    indices: &[usize],
) -> BTreeMap<Option<&'a str>, Vec<usize>> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for &index in indices {
        groups.entry(targets[index].namespace.as_deref()).or_default().push(index);
    }
    groups
}
