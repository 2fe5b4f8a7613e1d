//! How objects are told apart during a build.
//!
//! Rules from kustomize v5.8: kyaml/resid.

use std::fmt;

use gitops_yaml::Text;

use crate::scope;

/// Group, version and kind. In a selector an empty part stands for any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Gvk {
    pub(crate) group: Text,
    pub(crate) version: Text,
    pub(crate) kind: Text,
}

impl Gvk {
    pub(crate) fn new(api_version: &str, kind: &str) -> Gvk {
        let (group, version) = split_api_version(api_version);
        Gvk { group: group.into(), version: version.into(), kind: kind.into() }
    }

    /// Whether this matches `selector`, whose empty parts match anything.
    pub(crate) fn is_selected_by(&self, selector: &Gvk) -> bool {
        fn part(own: &str, wanted: &str) -> bool {
            wanted.is_empty() || own == wanted
        }
        // Most are about one kind, which tells the most apart.
        part(&self.kind, &selector.kind)
            && part(&self.group, &selector.group)
            && part(&self.version, &selector.version)
    }

    /// The key that kustomize sorts types by after its lists of kinds.
    pub(crate) fn sort_text(&self) -> String {
        fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
            if text.is_empty() { default } else { text }
        }
        [or(&self.group, "~G"), "_", or(&self.version, "~V"), "_", or(&self.kind, "~K")].concat()
    }

    pub(crate) fn is_cluster_scoped(&self) -> bool {
        scope::is_cluster_scoped(&self.group, &self.version, &self.kind)
    }
}

/// Group and version of an `apiVersion`.
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// The identity of an object at one moment of a build.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id {
    pub(crate) gvk: Gvk,
    pub(crate) name: Text,
    /// Empty where none is given.
    pub(crate) namespace: Text,
    /// Whether an OpenAPI document says that it has none; the built-in kinds
    /// are asked beside it.
    pub(crate) outside_namespaces: bool,
}

/// Stands for the namespace of what has none.
pub(crate) const CLUSTER: &str = "_non_namespaceable_";

/// A namespace, where none is the one called `default`.
pub(crate) fn or_default(namespace: &str) -> &str {
    if namespace.is_empty() { "default" } else { namespace }
}

impl Id {
    /// The namespace that counts: `default` where none is given, and one of
    /// its own for kinds known to be cluster-scoped.
    pub(crate) fn effective_namespace(&self) -> &str {
        if self.is_cluster_scoped() { CLUSTER } else { or_default(&self.namespace) }
    }

    pub(crate) fn is_cluster_scoped(&self) -> bool {
        self.outside_namespaces || self.gvk.is_cluster_scoped()
    }

    pub(crate) fn same_namespace(&self, other: &Id) -> bool {
        self.effective_namespace() == other.effective_namespace()
    }

    /// Whether both name one object.
    pub(crate) fn same(&self, other: &Id) -> bool {
        self.name == other.name && self.gvk == other.gvk && self.same_namespace(other)
    }
}

/// Prints `Kind/namespace/name`, or `Kind/name` without a namespace.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}/{}", self.gvk.kind, self.name)
        } else {
            write!(f, "{}/{}/{}", self.gvk.kind, self.namespace, self.name)
        }
    }
}
