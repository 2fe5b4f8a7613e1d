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
    /// Objects of one kind and namespace come by one list where that is
    /// cheaper and allowed, else one by one.
    pub async fn observe(&self, targets: &[Target]) -> Vec<Result<Option<Live>, ClusterError>> {
        let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        let mut first: HashMap<&Target, usize> = HashMap::new();
        for (index, target) in targets.iter().enumerate() {
            // An object that is wanted twice is read once.
            if *first.entry(target).or_insert(index) != index {
                continue;
            }
            groups.entry((&target.resource, &target.namespace)).or_default().push(index);
        }
        let reads = groups.into_values().map(|indices| self.observe_group(targets, indices));
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

    /// Reads targets of one kind and namespace.
    async fn observe_group(
        &self,
        targets: &[Target],
        indices: Vec<usize>,
    ) -> Vec<(usize, Result<Option<Live>, ClusterError>)> {
        let mut results = Vec::with_capacity(indices.len());
        let mut rest = indices;
        if rest.len() >= WORTH_A_LIST {
            let first = &targets[rest[0]];
            let list = List {
                namespace: first.namespace.as_deref(),
                selector: "",
                cap: Some(rest.len() * TOO_MANY),
            };
            match self.list(&first.resource, list).await {
                Ok(listing) => {
                    let mut by_name: HashMap<String, Live> = listing
                        .items
                        .into_iter()
                        .map(|live| (live.name().to_owned(), live))
                        .collect();
                    rest.retain(|&index| match by_name.remove(&targets[index].name) {
                        Some(live) => {
                            results.push((index, Ok(Some(live))));
                            false
                        }
                        None if listing.complete => {
                            results.push((index, Ok(None)));
                            false
                        }
                        None => true,
                    });
                }
                // The user may be allowed to get single objects, and a kind
                // may not be listable: asked one by one, each speaks for itself.
                Err(ClusterError::Forbidden { .. } | ClusterError::Refused { .. }) => {}
                Err(error) => {
                    return rest.into_iter().map(|index| (index, Err(error.clone()))).collect();
                }
            }
        }
        let gets = rest.iter().map(|&index| self.get(&targets[index]));
        results.extend(rest.iter().copied().zip(futures::future::join_all(gets).await));
        results
    }
}
