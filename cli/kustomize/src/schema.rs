//! Which lists of the built-in kinds merge, and by what.
//!
//! The facts are those of the OpenAPI document of Kubernetes v1.21 that
//! kustomize v5.8 embeds (`x-kubernetes-patch-strategy`,
//! `x-kubernetes-patch-merge-key`, `x-kubernetes-list-map-keys`). Later lists
//! replace, as they do there.

mod custom;

use std::cell::Cell;

pub(crate) use custom::{Custom, Document};

/// The types that a build knows: the built-in ones, those of the document that
/// a kustomization names, or, where kustomize had begun to use the built-in
/// ones before it came to that document, both.
pub(crate) struct Schema {
    custom: Option<Document>,
    builtin: bool,
    /// Whether a kustomization has settled which types count.
    is_set: bool,
    /// Whether something has asked for types.
    used: Cell<bool>,
}

impl Default for Schema {
    fn default() -> Self {
        Schema { custom: None, builtin: true, is_set: false, used: Cell::new(false) }
    }
}

impl Schema {
    /// Whether a kustomization has settled which types count; later ones are
    /// not asked.
    pub(crate) fn is_set(&self) -> bool {
        self.is_set
    }

    /// Settles on the built-in types.
    pub(crate) fn set_builtin(&mut self) {
        self.is_set = true;
    }

    /// Settles on the types of a document.
    pub(crate) fn set_custom(&mut self, mut document: Document) {
        self.is_set = true;
        self.builtin = self.used.get();
        document.beside_builtin = self.builtin;
        self.custom = Some(document);
    }

    /// The type of a kind; `None` where nothing is known. kustomize reads the
    /// built-in types when it is first asked for any, and keeps them beside
    /// those of a document that comes later.
    pub(crate) fn of_kind(&self, api_version: &str, kind: &str) -> Option<Type<'_>> {
        self.used.set(true);
        if let Some(document) = &self.custom {
            let found = document.of_kind(api_version, kind);
            let known = self.builtin || kind == "Kustomization";
            return found.or_else(|| of_kind(api_version, kind).filter(|_| known));
        }
        of_kind(api_version, kind)
    }

    /// Whether a document says that objects of a kind, which is none of the
    /// built-in ones, have no namespace.
    pub(crate) fn is_cluster_scoped(&self, api_version: &str, kind: &str) -> bool {
        if of_kind(api_version, kind).is_some() {
            return false;
        }
        self.used.set(true);
        self.custom.as_ref().is_some_and(|document| document.is_cluster_scoped(api_version, kind))
    }
}

/// A type some of whose lists merge.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) enum Type<'d> {
    /// A type of the document that a kustomization names.
    Custom(Custom<'d>),
    /// A built-in kind of which only the metadata and status conditions matter.
    Plain,
    PlainStatus,
    Workload,
    WorkloadSpec,
    WorkloadStatus,
    CronJob,
    CronJobSpec,
    JobTemplate,
    JobSpec,
    Pod,
    PodTemplate,
    PodTemplateSpec,
    PodSpec,
    PodStatus,
    Container,
    EphemeralContainer,
    Volume,
    EphemeralVolume,
    ClaimTemplate,
    Service,
    ServiceSpec,
    ServiceAccount,
    Webhooks,
    Node,
    NodeSpec,
    NodeStatus,
    CsiNode,
    CsiNodeSpec,
    ComponentStatus,
    Kustomization,
    ObjectMeta,
    /// Any other type: nothing in it merges.
    Opaque,
}

/// What is known about a field.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) enum Field<'d> {
    /// Of this type.
    Of(Type<'d>),
    /// A list that merges by these keys (none: by value), of items of this type.
    Merge(Vec<&'d str>, Type<'d>),
}

/// The built-in kinds, by `apiVersion`.
const KINDS: &[(&str, &[&str])] = &[
    (
        "admissionregistration.k8s.io/v1",
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
    ),
    (
        "admissionregistration.k8s.io/v1beta1",
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
    ),
    ("apiextensions.k8s.io/v1", &["CustomResourceDefinition"]),
    ("apiextensions.k8s.io/v1beta1", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io/v1", &["APIService"]),
    ("apiregistration.k8s.io/v1beta1", &["APIService"]),
    ("apps/v1", &["ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"]),
    ("authentication.k8s.io/v1", &["TokenRequest", "TokenReview"]),
    ("authentication.k8s.io/v1beta1", &["TokenReview"]),
    (
        "authorization.k8s.io/v1",
        &[
            "LocalSubjectAccessReview",
            "SelfSubjectAccessReview",
            "SelfSubjectRulesReview",
            "SubjectAccessReview",
        ],
    ),
    (
        "authorization.k8s.io/v1beta1",
        &[
            "LocalSubjectAccessReview",
            "SelfSubjectAccessReview",
            "SelfSubjectRulesReview",
            "SubjectAccessReview",
        ],
    ),
    ("autoscaling/v1", &["HorizontalPodAutoscaler", "Scale"]),
    ("autoscaling/v2beta1", &["HorizontalPodAutoscaler"]),
    ("autoscaling/v2beta2", &["HorizontalPodAutoscaler"]),
    ("batch/v1", &["CronJob", "Job"]),
    ("batch/v1beta1", &["CronJob"]),
    ("certificates.k8s.io/v1", &["CertificateSigningRequest"]),
    ("certificates.k8s.io/v1beta1", &["CertificateSigningRequest"]),
    ("coordination.k8s.io/v1", &["Lease"]),
    ("coordination.k8s.io/v1beta1", &["Lease"]),
    ("discovery.k8s.io/v1", &["EndpointSlice"]),
    ("discovery.k8s.io/v1beta1", &["EndpointSlice"]),
    ("events.k8s.io/v1", &["Event"]),
    ("events.k8s.io/v1beta1", &["Event"]),
    ("extensions/v1beta1", &["Ingress"]),
    ("flowcontrol.apiserver.k8s.io/v1beta1", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("kustomize.config.k8s.io/v1beta1", &["Kustomization"]),
    ("networking.k8s.io/v1", &["Ingress", "IngressClass", "NetworkPolicy"]),
    ("networking.k8s.io/v1beta1", &["Ingress", "IngressClass"]),
    ("node.k8s.io/v1", &["RuntimeClass"]),
    ("node.k8s.io/v1beta1", &["RuntimeClass"]),
    ("policy/v1", &["PodDisruptionBudget"]),
    ("policy/v1beta1", &["Eviction", "PodDisruptionBudget", "PodSecurityPolicy"]),
    ("rbac.authorization.k8s.io/v1", &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]),
    (
        "rbac.authorization.k8s.io/v1beta1",
        &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
    ),
    ("scheduling.k8s.io/v1", &["PriorityClass"]),
    ("scheduling.k8s.io/v1beta1", &["PriorityClass"]),
    ("storage.k8s.io/v1", &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"]),
    (
        "storage.k8s.io/v1beta1",
        &["CSIDriver", "CSINode", "CSIStorageCapacity", "StorageClass", "VolumeAttachment"],
    ),
    (
        "v1",
        &[
            "Binding",
            "ComponentStatus",
            "ConfigMap",
            "Endpoints",
            "Event",
            "LimitRange",
            "Namespace",
            "Node",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "Pod",
            "PodTemplate",
            "ReplicationController",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
    ),
];

/// The type of a built-in definition, where anything in it merges.
fn definition(name: &str) -> Option<Type<'static>> {
    if name == "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" {
        return Some(Type::ObjectMeta);
    }
    let (group, rest) = name.strip_prefix("io.k8s.api.")?.split_once('.')?;
    let (version, kind) = rest.split_once('.')?;
    Some(match (group, version, kind) {
        ("core", "v1", "PodTemplateSpec") => Type::PodTemplateSpec,
        ("core", "v1", "PodSpec") => Type::PodSpec,
        ("core", "v1", "PodStatus") => Type::PodStatus,
        ("core", "v1", "Container") => Type::Container,
        ("core", "v1", "EphemeralContainer") => Type::EphemeralContainer,
        ("core", "v1", "Volume") => Type::Volume,
        ("core", "v1", "EphemeralVolumeSource") => Type::EphemeralVolume,
        ("core", "v1", "PersistentVolumeClaimTemplate") => Type::ClaimTemplate,
        ("core", "v1", "ServiceSpec") => Type::ServiceSpec,
        ("core", "v1", "NodeSpec") => Type::NodeSpec,
        ("core", "v1", "NodeStatus") => Type::NodeStatus,
        ("core", "v1", "ReplicationControllerSpec")
        | (
            "apps",
            "v1",
            "DaemonSetSpec" | "DeploymentSpec" | "ReplicaSetSpec" | "StatefulSetSpec",
        ) => Type::WorkloadSpec,
        ("batch", "v1", "JobSpec") => Type::JobSpec,
        ("batch", "v1" | "v1beta1", "JobTemplateSpec") => Type::JobTemplate,
        ("batch", "v1" | "v1beta1", "CronJobSpec") => Type::CronJobSpec,
        ("storage", "v1" | "v1beta1", "CSINodeSpec") => Type::CsiNodeSpec,
        ("core", version, kind) => return of_kind(version, kind),
        (group, version, kind) => {
            let (api_version, _) = KINDS.iter().find(|(api_version, kinds)| {
                kinds.contains(&kind)
                    && api_version.split_once('/').is_some_and(|(own, of)| {
                        of == version && own.split('.').next() == Some(group)
                    })
            })?;
            return of_kind(api_version, kind);
        }
    })
}

/// The type of a built-in kind; `None` for all others.
fn of_kind(api_version: &str, kind: &str) -> Option<Type<'static>> {
    let (_, kinds) = KINDS.iter().find(|(version, _)| *version == api_version)?;
    if !kinds.contains(&kind) {
        return None;
    }
    Some(match kind {
        "DaemonSet"
        | "Deployment"
        | "ReplicaSet"
        | "StatefulSet"
        | "ReplicationController"
        | "Job" => Type::Workload,
        "CronJob" => Type::CronJob,
        "Pod" => Type::Pod,
        "PodTemplate" => Type::PodTemplate,
        "Service" => Type::Service,
        "ServiceAccount" => Type::ServiceAccount,
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => Type::Webhooks,
        "Node" => Type::Node,
        "CSINode" => Type::CsiNode,
        "ComponentStatus" => Type::ComponentStatus,
        "Kustomization" => Type::Kustomization,
        "Namespace" | "PersistentVolumeClaim" | "PodDisruptionBudget" | "APIService" => {
            Type::PlainStatus
        }
        _ => Type::Plain,
    })
}

impl<'d> Type<'d> {
    /// What is known about the field `name`; `None` for fields in which
    /// nothing merges.
    pub(crate) fn field(self, name: &str) -> Option<Field<'d>> {
        use Field::Of;
        use Type::{
            ClaimTemplate, ComponentStatus, Container, CronJob, CronJobSpec, CsiNode, CsiNodeSpec,
            EphemeralContainer, EphemeralVolume, JobSpec, JobTemplate, Kustomization, Node,
            NodeSpec, NodeStatus, ObjectMeta, Opaque, Plain, PlainStatus, Pod, PodSpec, PodStatus,
            PodTemplate, PodTemplateSpec, Service, ServiceAccount, ServiceSpec, Volume, Webhooks,
            Workload, WorkloadSpec, WorkloadStatus,
        };
        if let Type::Custom(custom) = self {
            return custom.field(name);
        }
        let merge = |keys: &[&'static str], item| Field::Merge(keys.to_vec(), item);
        Some(match (self, name) {
            (Opaque | Kustomization, "metadata") => return None,
            (
                Plain | PlainStatus | Workload | CronJob | JobTemplate | Pod | PodTemplate
                | PodTemplateSpec | ClaimTemplate | Service | ServiceAccount | Webhooks | Node
                | CsiNode | ComponentStatus,
                "metadata",
            ) => Of(ObjectMeta),
            (ObjectMeta, "finalizers") => merge(&[], Opaque),
            (ObjectMeta, "ownerReferences") => merge(&["uid"], Opaque),
            (Workload, "spec") => Of(WorkloadSpec),
            (Workload | Service | PlainStatus, "status") => Of(WorkloadStatus),
            (WorkloadStatus | ComponentStatus, "conditions") => merge(&["type"], Opaque),
            (WorkloadSpec | JobSpec | PodTemplate, "template") => Of(PodTemplateSpec),
            (CronJob, "spec") => Of(CronJobSpec),
            (CronJobSpec, "jobTemplate") => Of(JobTemplate),
            (JobTemplate, "spec") => Of(JobSpec),
            (Pod | PodTemplateSpec, "spec") => Of(PodSpec),
            (Pod, "status") => Of(PodStatus),
            (PodStatus, "conditions") => merge(&["type"], Opaque),
            (PodStatus, "podIPs") => merge(&["ip"], Opaque),
            (PodSpec, "containers" | "initContainers") => merge(&["name"], Container),
            (PodSpec, "ephemeralContainers") => merge(&["name"], EphemeralContainer),
            (PodSpec, "hostAliases") => merge(&["ip"], Opaque),
            (PodSpec, "imagePullSecrets") => merge(&["name"], Opaque),
            (PodSpec, "topologySpreadConstraints") => {
                merge(&["topologyKey", "whenUnsatisfiable"], Opaque)
            }
            (PodSpec, "volumes") => merge(&["name"], Volume),
            (Volume, "ephemeral") => Of(EphemeralVolume),
            (EphemeralVolume, "volumeClaimTemplate") => Of(ClaimTemplate),
            (Container | EphemeralContainer, "env") => merge(&["name"], Opaque),
            (Container, "ports") => merge(&["containerPort", "protocol"], Opaque),
            (Container | EphemeralContainer, "volumeDevices") => merge(&["devicePath"], Opaque),
            (Container | EphemeralContainer, "volumeMounts") => merge(&["mountPath"], Opaque),
            (Service, "spec") => Of(ServiceSpec),
            (ServiceSpec, "ports") => merge(&["port", "protocol"], Opaque),
            (ServiceAccount, "secrets") => merge(&["name"], Opaque),
            (Webhooks, "webhooks") => merge(&["name"], Opaque),
            (Node, "spec") => Of(NodeSpec),
            (Node, "status") => Of(NodeStatus),
            (NodeSpec, "podCIDRs") => merge(&[], Opaque),
            (NodeStatus, "addresses" | "conditions") => merge(&["type"], Opaque),
            (CsiNode, "spec") => Of(CsiNodeSpec),
            (CsiNodeSpec, "drivers") => merge(&["name"], Opaque),
            (Kustomization, "configMapGenerator" | "secretGenerator") => merge(&["name"], Opaque),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_merge_by_name_and_ports_by_number_and_protocol() {
        let deployment = of_kind("apps/v1", "Deployment").expect("built in");
        let pod =
            ["spec", "template", "spec"].iter().fold(deployment, |at, name| match at.field(name) {
                Some(Field::Of(next)) => next,
                other => panic!("{name} is {other:?}"),
            });
        assert_eq!(pod.field("containers"), Some(Field::Merge(vec!["name"], Type::Container)));
        assert_eq!(
            Type::Container.field("ports"),
            Some(Field::Merge(vec!["containerPort", "protocol"], Type::Opaque))
        );
        assert_eq!(pod.field("tolerations"), None);
    }

    #[test]
    fn kinds_of_other_versions_are_unknown() {
        assert_eq!(of_kind("extensions/v1beta1", "Deployment"), None);
        assert_eq!(of_kind("example.com/v1", "Deployment"), None);
    }
}
