//! Which kinds the server serves.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::connect::Cluster;
use crate::error::ClusterError;
use crate::wire::{Answer, encode};

/// Aggregated discovery, as client-go asks for it, with the plain form as the
/// last choice: a server before 1.26 answers with that.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// A kind in one version, and where it is served.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// API group, empty for the core group.
    pub group: String,
    /// Version, such as `v1`.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// The name in paths, such as `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// What can be done: `get`, `list`, `patch`, …
    pub verbs: Vec<String>,
}

impl Resource {
    /// `group/version`, or the version alone in the core group.
    pub fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// The path of the collection (all namespaces without one), or of an object.
    pub(crate) fn path(&self, namespace: Option<&str>, name: Option<&str>) -> String {
        let mut path = match self.group.as_str() {
            "" => format!("/api/{}", encode(&self.version)),
            group => format!("/apis/{}/{}", encode(group), encode(&self.version)),
        };
        if let Some(namespace) = namespace.filter(|_| self.namespaced) {
            path.push_str(&format!("/namespaces/{}", encode(namespace)));
        }
        path.push('/');
        path.push_str(&encode(&self.plural));
        if let Some(name) = name {
            path.push('/');
            path.push_str(&encode(name));
        }
        path
    }
}

/// Where one object is served.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Its kind.
    pub resource: Arc<Resource>,
    /// Its namespace; `None` exactly where the kind has none.
    pub namespace: Option<String>,
    /// Its name, never empty.
    pub name: String,
}

impl Target {
    pub(crate) fn path(&self) -> String {
        self.resource.path(self.namespace.as_deref(), Some(&self.name))
    }
}

/// Prints `Kind/namespace/name`.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/", self.resource.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
    }
}

/// Everything the server serves, of one moment.
#[derive(Clone, Debug, Default)]
pub struct Discovery {
    /// By `apiVersion` and kind.
    kinds: BTreeMap<(String, String), Arc<Resource>>,
    /// `apiVersion` → why the server could not say what it has.
    stale: BTreeMap<String, String>,
    /// The versions of each group, in the server's order of preference.
    versions: BTreeMap<String, Vec<String>>,
}

impl Discovery {
    /// The kind, where it is served.
    pub fn lookup(&self, api_version: &str, kind: &str) -> Option<&Arc<Resource>> {
        self.kinds.get(&(api_version.to_owned(), kind.to_owned()))
    }

    /// The kind in the version that the server prefers; for what is known by
    /// group and kind alone.
    pub fn preferred(&self, group: &str, kind: &str) -> Option<&Arc<Resource>> {
        self.versions.get(group)?.iter().find_map(|version| self.lookup(version, kind))
    }

    /// Every served kind.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.kinds.values()
    }

    /// Where an object is served: `namespace` is left out for kinds that have
    /// none, and `default_namespace` put in where a kind needs one.
    ///
    /// # Errors
    ///
    /// [`ClusterError::NotServed`], [`ClusterError::Stale`] where that is not
    /// known, and [`ClusterError::NoName`].
    pub fn target(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
        default_namespace: &str,
    ) -> Result<Target, ClusterError> {
        let Some(resource) = self.lookup(api_version, kind) else {
            return Err(self.absent(api_version, kind));
        };
        if name.is_empty() {
            return Err(ClusterError::NoName { kind: kind.to_owned() });
        }
        let namespace = resource.namespaced.then(|| {
            namespace.filter(|namespace| !namespace.is_empty()).unwrap_or(default_namespace)
        });
        Ok(Target {
            resource: Arc::clone(resource),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        })
    }

    fn absent(&self, api_version: &str, kind: &str) -> ClusterError {
        if let Some(cause) = self.stale.get(api_version) {
            return ClusterError::Stale {
                api_version: api_version.to_owned(),
                cause: cause.clone(),
            };
        }
        let group = gitops_core::key::group_of(api_version);
        ClusterError::NotServed {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            served: self
                .versions
                .get(group)
                .into_iter()
                .flatten()
                .filter(|version| self.lookup(version, kind).is_some())
                .cloned()
                .collect(),
        }
    }

    fn add(&mut self, resource: Resource) {
        let key = (resource.api_version(), resource.kind.clone());
        let readable = |resource: &Resource| resource.verbs.iter().any(|verb| verb == "get");
        match self.kinds.get(&key) {
            // A kind may have a second, write-only resource (a review, a binding).
            Some(known) if readable(known) || !readable(&resource) => {}
            _ => {
                self.kinds.insert(key, Arc::new(resource));
            }
        }
    }

    fn add_version(&mut self, group: &str, api_version: &str) {
        let versions = self.versions.entry(group.to_owned()).or_default();
        if !versions.iter().any(|known| known == api_version) {
            versions.push(api_version.to_owned());
        }
    }

    /// Adds an `APIGroupDiscoveryList`; returns the versions it calls stale.
    fn add_groups(&mut self, list: GroupList) -> Vec<(String, String)> {
        let mut stale = Vec::new();
        for item in list.items {
            let group = item.metadata.name;
            for version in item.versions {
                let api_version = joined(&group, &version.version);
                self.add_version(&group, &api_version);
                if version.freshness.as_deref() == Some("Stale") {
                    stale.push((group.clone(), version.version));
                    continue;
                }
                for found in version.resources {
                    // A resource without a kind of its own is one that its
                    // aggregated server failed to describe.
                    let Some(kind) = found.response_kind.and_then(|kind| kind.kind) else {
                        continue;
                    };
                    self.add(Resource {
                        group: group.clone(),
                        version: version.version.clone(),
                        kind,
                        plural: found.resource,
                        namespaced: found.scope == "Namespaced",
                        verbs: found.verbs,
                    });
                }
            }
        }
        stale
    }

    /// Adds the `APIResourceList` of one version.
    fn add_version_list(&mut self, group: &str, version: &str, list: ResourceList) {
        self.add_version(group, &joined(group, version));
        for found in list.resources.into_iter().filter(|found| !found.name.contains('/')) {
            self.add(Resource {
                group: group.to_owned(),
                version: version.to_owned(),
                kind: found.kind,
                plural: found.name,
                namespaced: found.namespaced,
                verbs: found.verbs,
            });
        }
    }
}

fn joined(group: &str, version: &str) -> String {
    match group {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    }
}

impl Cluster {
    /// Asks the server for all kinds: two requests, and one more for each
    /// group version whose description the server calls stale.
    pub async fn discover(&self) -> Result<Discovery, ClusterError> {
        let (core, groups) = futures::join!(self.discover_at("/api"), self.discover_at("/apis"));
        let mut discovery = Discovery::default();
        let mut rest = Vec::new();
        for (path, answer) in [("/api", core?), ("/apis", groups?)] {
            let kind: Kind = parse(path, &answer)?;
            match kind.kind.as_str() {
                // Parsed only after a look at its kind: a plain list of
                // groups parses as an aggregated one without items.
                "APIGroupDiscoveryList" => {
                    rest.extend(discovery.add_groups(parse(path, &answer)?));
                }
                "APIVersions" => {
                    let list: Versions = parse(path, &answer)?;
                    rest.extend(list.versions.into_iter().map(|version| (String::new(), version)));
                }
                "APIGroupList" => {
                    let list: PlainGroups = parse(path, &answer)?;
                    for group in list.groups {
                        let versions = group.versions.into_iter();
                        rest.extend(versions.map(|named| (group.name.clone(), named.version)));
                    }
                }
                other => {
                    return Err(ClusterError::UnexpectedAnswer {
                        what: format!("GET {path}"),
                        cause: format!("a {other} is no list of API groups"),
                    });
                }
            }
        }
        let lists = rest.iter().map(|(group, version)| self.version_list(group, version));
        for ((group, version), list) in rest.iter().zip(futures::future::join_all(lists).await) {
            match list {
                Ok(list) => discovery.add_version_list(group, version, list),
                Err(error @ (ClusterError::Refused { .. } | ClusterError::Forbidden { .. })) => {
                    discovery.add_version(group, &joined(group, version));
                    discovery.stale.insert(joined(group, version), error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(discovery)
    }

    async fn discover_at(&self, path: &str) -> Result<Answer, ClusterError> {
        let answer = self.wire().get(path, &[], Some(AGGREGATED)).await?;
        answer
            .success()
            .map_err(|refusal| refusal.into_read_error(format!("GET {path}"), self.server()))
    }

    async fn version_list(&self, group: &str, version: &str) -> Result<ResourceList, ClusterError> {
        let path = match group {
            "" => format!("/api/{}", encode(version)),
            group => format!("/apis/{}/{}", encode(group), encode(version)),
        };
        let answer = self.wire().get(&path, &[], None).await?;
        let answer = answer
            .success()
            .map_err(|refusal| refusal.into_read_error(format!("GET {path}"), self.server()))?;
        let list: ResourceList = parse(&path, &answer)?;
        match list.kind.as_str() {
            "APIResourceList" => Ok(list),
            other => Err(ClusterError::UnexpectedAnswer {
                what: format!("GET {path}"),
                cause: format!("a {other} is no APIResourceList"),
            }),
        }
    }
}

fn parse<T: DeserializeOwned>(path: &str, answer: &Answer) -> Result<T, ClusterError> {
    serde_json::from_slice(&answer.body).map_err(|error| ClusterError::UnexpectedAnswer {
        what: format!("GET {path}"),
        cause: error.to_string(),
    })
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

#[derive(Deserialize)]
struct GroupList {
    items: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    metadata: GroupName,
    #[serde(default)]
    versions: Vec<GroupVersion>,
}

#[derive(Deserialize)]
struct GroupName {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct GroupVersion {
    version: String,
    freshness: Option<String>,
    #[serde(default)]
    resources: Vec<Found>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    resource: String,
    response_kind: Option<ResponseKind>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    verbs: Vec<String>,
}

#[derive(Deserialize)]
struct ResponseKind {
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Versions {
    versions: Vec<String>,
}

#[derive(Deserialize)]
struct PlainGroups {
    groups: Vec<PlainGroup>,
}

#[derive(Deserialize)]
struct PlainGroup {
    name: String,
    versions: Vec<PlainVersion>,
}

#[derive(Deserialize)]
struct PlainVersion {
    version: String,
}

#[derive(Deserialize)]
struct ResourceList {
    kind: String,
    #[serde(default)]
    resources: Vec<PlainResource>,
}

#[derive(Deserialize)]
struct PlainResource {
    name: String,
    kind: String,
    namespaced: bool,
    #[serde(default)]
    verbs: Vec<String>,
}
