//! What Kubernetes removed, and when: its "Deprecated API Migration Guide".

use std::fmt;

use serde::Deserialize;

/// A minor release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Release {
    major: u32,
    minor: u32,
}

impl Release {
    /// Later ones may have removed more.
    pub(crate) const NEWEST: Release = one(34);
}

const fn one(minor: u32) -> Release {
    Release { major: 1, minor }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// `1.33`, as servers write it `v1.33.2` or `v1.33.2-gke.100`, too.
impl TryFrom<String> for Release {
    type Error = String;

    fn try_from(text: String) -> Result<Release, String> {
        let mut parts = text.strip_prefix('v').unwrap_or(&text).split(['.', '-', '+']);
        let mut number = || parts.next()?.parse().ok();
        match (number(), number()) {
            (Some(major), Some(minor)) => Ok(Release { major, minor }),
            _ => Err(format!("`{text}` is no release of Kubernetes, such as `1.33`")),
        }
    }
}

/// A kind in an API version that is removed.
pub(crate) struct Gone {
    version: &'static str,
    kinds: &'static [&'static str],
    /// The release that announced it.
    pub(crate) deprecated: Release,
    /// The first release without it.
    pub(crate) removed: Release,
    /// The `apiVersion` that takes its place.
    pub(crate) instead: Option<&'static str>,
}

impl Gone {
    /// What became of a kind.
    pub(crate) fn find(version: &str, kind: &str) -> Option<&'static Gone> {
        ALL.iter().find(|gone| gone.version == version && gone.kinds.contains(&kind))
    }
}

const fn gone(
    version: &'static str,
    kinds: &'static [&'static str],
    deprecated: u32,
    removed: u32,
    instead: &'static str,
) -> Gone {
    let (deprecated, removed) = (one(deprecated), one(removed));
    Gone { version, kinds, deprecated, removed, instead: Some(instead) }
}

const FLOW: &[&str] = &["FlowSchema", "PriorityLevelConfiguration"];
const ROLES: &[&str] = &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
const WEBHOOKS: &[&str] = &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];
const REVIEWS: &[&str] =
    &["LocalSubjectAccessReview", "SelfSubjectAccessReview", "SubjectAccessReview"];
const STORAGE: &[&str] = &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"];
const SCALER: &[&str] = &["HorizontalPodAutoscaler"];

const ALL: &[Gone] = &[
    gone("flowcontrol.apiserver.k8s.io/v1beta3", FLOW, 29, 32, "flowcontrol.apiserver.k8s.io/v1"),
    gone("flowcontrol.apiserver.k8s.io/v1beta2", FLOW, 26, 29, "flowcontrol.apiserver.k8s.io/v1"),
    gone("storage.k8s.io/v1beta1", &["CSIStorageCapacity"], 24, 27, "storage.k8s.io/v1"),
    gone("flowcontrol.apiserver.k8s.io/v1beta1", FLOW, 23, 26, "flowcontrol.apiserver.k8s.io/v1"),
    gone("autoscaling/v2beta2", SCALER, 23, 26, "autoscaling/v2"),
    gone("autoscaling/v2beta1", SCALER, 22, 25, "autoscaling/v2"),
    gone("batch/v1beta1", &["CronJob"], 21, 25, "batch/v1"),
    gone("discovery.k8s.io/v1beta1", &["EndpointSlice"], 21, 25, "discovery.k8s.io/v1"),
    gone("events.k8s.io/v1beta1", &["Event"], 19, 25, "events.k8s.io/v1"),
    gone("policy/v1beta1", &["PodDisruptionBudget"], 21, 25, "policy/v1"),
    Gone {
        version: "policy/v1beta1",
        kinds: &["PodSecurityPolicy"],
        deprecated: one(21),
        removed: one(25),
        instead: None,
    },
    gone("node.k8s.io/v1beta1", &["RuntimeClass"], 20, 25, "node.k8s.io/v1"),
    gone(
        "admissionregistration.k8s.io/v1beta1",
        WEBHOOKS,
        16,
        22,
        "admissionregistration.k8s.io/v1",
    ),
    gone(
        "apiextensions.k8s.io/v1beta1",
        &["CustomResourceDefinition"],
        16,
        22,
        "apiextensions.k8s.io/v1",
    ),
    gone("apiregistration.k8s.io/v1beta1", &["APIService"], 19, 22, "apiregistration.k8s.io/v1"),
    gone("authentication.k8s.io/v1beta1", &["TokenReview"], 19, 22, "authentication.k8s.io/v1"),
    gone("authorization.k8s.io/v1beta1", REVIEWS, 19, 22, "authorization.k8s.io/v1"),
    gone(
        "certificates.k8s.io/v1beta1",
        &["CertificateSigningRequest"],
        19,
        22,
        "certificates.k8s.io/v1",
    ),
    gone("coordination.k8s.io/v1beta1", &["Lease"], 19, 22, "coordination.k8s.io/v1"),
    gone("extensions/v1beta1", &["Ingress"], 14, 22, "networking.k8s.io/v1"),
    gone("networking.k8s.io/v1beta1", &["Ingress", "IngressClass"], 19, 22, "networking.k8s.io/v1"),
    gone("rbac.authorization.k8s.io/v1beta1", ROLES, 17, 22, "rbac.authorization.k8s.io/v1"),
    gone("scheduling.k8s.io/v1beta1", &["PriorityClass"], 14, 22, "scheduling.k8s.io/v1"),
    gone("storage.k8s.io/v1beta1", STORAGE, 19, 22, "storage.k8s.io/v1"),
    gone("extensions/v1beta1", &["NetworkPolicy"], 9, 16, "networking.k8s.io/v1"),
    gone("extensions/v1beta1", &["PodSecurityPolicy"], 10, 16, "policy/v1beta1"),
    gone("extensions/v1beta1", &["DaemonSet", "Deployment", "ReplicaSet"], 9, 16, "apps/v1"),
    gone("apps/v1beta1", &["Deployment", "StatefulSet"], 9, 16, "apps/v1"),
    gone(
        "apps/v1beta2",
        &["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"],
        9,
        16,
        "apps/v1",
    ),
];
