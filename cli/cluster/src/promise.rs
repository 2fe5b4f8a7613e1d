//! Whether the server of a kind keeps `dryRun=All`.
//!
//! kube-apiserver does, for its own kinds and for custom ones. The server
//! behind an aggregated API may ignore the parameter and store the object, so
//! it is asked only when its OpenAPI document declares the parameter. kubectl
//! has the same rule (`k8s.io/cli-runtime/pkg/resource/query_param_verifier_v3.go`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

use crate::connect::Cluster;
use crate::discovery::Resource;
use crate::error::{ApplyError, ClusterError};
use crate::read::{List, text, unexpected};
use crate::wire::encode;

/// The groups of kube-apiserver itself.
const OWN: [&str; 23] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

type Kinds = Arc<OnceCell<BTreeSet<String>>>;

/// What is known so far; asked for once a process.
#[derive(Default)]
pub(crate) struct Promises {
    /// The group versions that kube-apiserver serves itself; `None` where the
    /// user may not see them.
    local: OnceCell<Option<BTreeSet<String>>>,
    /// Group version → the kinds whose patch declares `dryRun`.
    declared: Mutex<BTreeMap<String, Kinds>>,
}

impl Cluster {
    /// Refuses a dry run that might not be one.
    pub(crate) async fn promises_dry_runs(&self, resource: &Resource) -> Result<(), ApplyError> {
        if OWN.contains(&resource.group.as_str()) {
            return Ok(());
        }
        let api_version = resource.api_version();
        let local = self.promises().local.get_or_try_init(|| self.local_versions()).await?;
        if local.as_ref().is_some_and(|local| local.contains(&api_version)) {
            return Ok(());
        }
        let kinds = {
            let mut declared = self.promises().declared.lock().await;
            Arc::clone(declared.entry(api_version.clone()).or_default())
        };
        let kinds = kinds.get_or_try_init(|| self.kinds_with_dry_run(resource)).await?;
        if kinds.contains(&resource.kind) {
            return Ok(());
        }
        Err(ApplyError::NoDryRun {
            message: format!(
                "the server of {api_version} does not declare that a {} can be patched without storing it",
                resource.kind
            ),
        })
    }

    /// From the APIServices: those without a service are kube-apiserver's.
    async fn local_versions(&self) -> Result<Option<BTreeSet<String>>, ClusterError> {
        let services = Resource {
            group: "apiregistration.k8s.io".to_owned(),
            version: "v1".to_owned(),
            kind: "APIService".to_owned(),
            plural: "apiservices".to_owned(),
            namespaced: false,
            verbs: Vec::new(),
        };
        match self.list(&services, List::default()).await {
            Ok(listing) => Ok(Some(
                listing
                    .items
                    .iter()
                    .map(|service| &service.json)
                    .filter(|json| json.pointer("/spec/service").is_none_or(Value::is_null))
                    .map(|json| {
                        format!("{}/{}", text(json, "/spec/group"), text(json, "/spec/version"))
                    })
                    .collect(),
            )),
            Err(ClusterError::Forbidden { .. } | ClusterError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// From the OpenAPI document of a group version.
    async fn kinds_with_dry_run(
        &self,
        resource: &Resource,
    ) -> Result<BTreeSet<String>, ClusterError> {
        let path =
            format!("/openapi/v3/apis/{}/{}", encode(&resource.group), encode(&resource.version));
        let what = || format!("GET {path}");
        let answer = self.wire().get(&path, &[], None).await?;
        let answer =
            answer.success().map_err(|refusal| refusal.into_read_error(what(), self.server()))?;
        let document: Value =
            serde_json::from_slice(&answer.body).map_err(|error| unexpected(what(), &error))?;
        Ok(declared(&document))
    }
}

/// The kinds whose patch operation has a query parameter `dryRun`.
fn declared(document: &Value) -> BTreeSet<String> {
    let paths = document.get("paths").and_then(Value::as_object);
    paths
        .into_iter()
        .flat_map(|paths| paths.values())
        .filter(|item| {
            [item.pointer("/patch/parameters"), item.get("parameters")]
                .into_iter()
                .flatten()
                .filter_map(Value::as_array)
                .flatten()
                .any(|parameter| text(parameter, "/name") == "dryRun")
        })
        .filter_map(|item| item.pointer("/patch/x-kubernetes-group-version-kind/kind"))
        .filter_map(|kind| kind.as_str().map(str::to_owned))
        .collect()
}
