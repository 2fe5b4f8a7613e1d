//! Which lists of the built-in kinds merge, and by what.
//!
//! The facts are those of the OpenAPI document of Kubernetes v1.21 that
//! kustomize v5.8 embeds (`x-kubernetes-patch-strategy`,
//! `x-kubernetes-patch-merge-key`, `x-kubernetes-list-map-keys`). Later lists
//! replace, as they do there.

/// A type some of whose lists merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// Of this type.
    Of(Type),
    /// A list that merges by these keys (none: by value), of items of this type.
    Merge(&'static [&'static str], Type),
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

/// The type of a built-in kind; `None` for all others.
pub(crate) fn of_kind(api_version: &str, kind: &str) -> Option<Type> {
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

impl Type {
    /// What is known about the field `name`; `None` for fields in which
    /// nothing merges.
    pub(crate) fn field(self, name: &str) -> Option<Field> {
        use Field::{Merge, Of};
        use Type::{
            ClaimTemplate, ComponentStatus, Container, CronJob, CronJobSpec, CsiNode, CsiNodeSpec,
            EphemeralContainer, EphemeralVolume, JobSpec, JobTemplate, Kustomization, Node,
            NodeSpec, NodeStatus, ObjectMeta, Opaque, Plain, PlainStatus, Pod, PodSpec, PodStatus,
            PodTemplate, PodTemplateSpec, Service, ServiceAccount, ServiceSpec, Volume, Webhooks,
            Workload, WorkloadSpec, WorkloadStatus,
        };
        Some(match (self, name) {
            (Opaque | Kustomization, "metadata") => return None,
            (
                Plain | PlainStatus | Workload | CronJob | JobTemplate | Pod | PodTemplate
                | PodTemplateSpec | ClaimTemplate | Service | ServiceAccount | Webhooks | Node
                | CsiNode | ComponentStatus,
                "metadata",
            ) => Of(ObjectMeta),
            (ObjectMeta, "finalizers") => Merge(&[], Opaque),
            (ObjectMeta, "ownerReferences") => Merge(&["uid"], Opaque),
            (Workload, "spec") => Of(WorkloadSpec),
            (Workload | Service | PlainStatus, "status") => Of(WorkloadStatus),
            (WorkloadStatus | ComponentStatus, "conditions") => Merge(&["type"], Opaque),
            (WorkloadSpec | JobSpec | PodTemplate, "template") => Of(PodTemplateSpec),
            (CronJob, "spec") => Of(CronJobSpec),
            (CronJobSpec, "jobTemplate") => Of(JobTemplate),
            (JobTemplate, "spec") => Of(JobSpec),
            (Pod | PodTemplateSpec, "spec") => Of(PodSpec),
            (Pod, "status") => Of(PodStatus),
            (PodStatus, "conditions") => Merge(&["type"], Opaque),
            (PodStatus, "podIPs") => Merge(&["ip"], Opaque),
            (PodSpec, "containers" | "initContainers") => Merge(&["name"], Container),
            (PodSpec, "ephemeralContainers") => Merge(&["name"], EphemeralContainer),
            (PodSpec, "hostAliases") => Merge(&["ip"], Opaque),
            (PodSpec, "imagePullSecrets") => Merge(&["name"], Opaque),
            (PodSpec, "topologySpreadConstraints") => {
                Merge(&["topologyKey", "whenUnsatisfiable"], Opaque)
            }
            (PodSpec, "volumes") => Merge(&["name"], Volume),
            (Volume, "ephemeral") => Of(EphemeralVolume),
            (EphemeralVolume, "volumeClaimTemplate") => Of(ClaimTemplate),
            (Container | EphemeralContainer, "env") => Merge(&["name"], Opaque),
            (Container, "ports") => Merge(&["containerPort", "protocol"], Opaque),
            (Container | EphemeralContainer, "volumeDevices") => Merge(&["devicePath"], Opaque),
            (Container | EphemeralContainer, "volumeMounts") => Merge(&["mountPath"], Opaque),
            (Service, "spec") => Of(ServiceSpec),
            (ServiceSpec, "ports") => Merge(&["port", "protocol"], Opaque),
            (ServiceAccount, "secrets") => Merge(&["name"], Opaque),
            (Webhooks, "webhooks") => Merge(&["name"], Opaque),
            (Node, "spec") => Of(NodeSpec),
            (Node, "status") => Of(NodeStatus),
            (NodeSpec, "podCIDRs") => Merge(&[], Opaque),
            (NodeStatus, "addresses" | "conditions") => Merge(&["type"], Opaque),
            (CsiNode, "spec") => Of(CsiNodeSpec),
            (CsiNodeSpec, "drivers") => Merge(&["name"], Opaque),
            (Kustomization, "configMapGenerator" | "secretGenerator") => Merge(&["name"], Opaque),
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
        assert_eq!(pod.field("containers"), Some(Field::Merge(&["name"], Type::Container)));
        assert_eq!(
            Type::Container.field("ports"),
            Some(Field::Merge(&["containerPort", "protocol"], Type::Opaque))
        );
        assert_eq!(pod.field("tolerations"), None);
    }

    #[test]
    fn kinds_of_other_versions_are_unknown() {
        assert_eq!(of_kind("extensions/v1beta1", "Deployment"), None);
        assert_eq!(of_kind("example.com/v1", "Deployment"), None);
    }
}
