//! The fields that the built-in transformations touch unless told otherwise.
//!
//! The facts are those of kustomize v5.8, api/internal/konfig/builtinpluginconsts;
//! pods are written down once, with the places where kinds hold them.

use std::borrow::Cow;
use std::sync::OnceLock;

use gitops_yaml::Text;

use crate::fieldspec::{self, FieldSpec};
use crate::id::Gvk;
use crate::order;

/// Which fields each transformation touches, and which fields hold names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) name_prefix: Vec<FieldSpec>,
    pub(crate) name_suffix: Vec<FieldSpec>,
    pub(crate) namespace: Vec<FieldSpec>,
    /// `commonLabels`: labels and selectors.
    pub(crate) common_labels: Vec<FieldSpec>,
    /// `labels`: what a configuration adds; nothing by default.
    pub(crate) labels: Vec<FieldSpec>,
    pub(crate) template_labels: Vec<FieldSpec>,
    pub(crate) annotations: Vec<FieldSpec>,
    pub(crate) references: Vec<NameReference>,
    pub(crate) variables: Vec<FieldSpec>,
    pub(crate) images: Vec<FieldSpec>,
    pub(crate) replicas: Vec<FieldSpec>,
}

/// The fields in which the name of an object of this kind may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameReference {
    pub(crate) target: Gvk,
    pub(crate) fields: Vec<FieldSpec>,
}

impl Config {
    /// Adds what `more` has beyond this, and sorts by kind: the order decides
    /// which of two overlapping specs stays. Fails with the path of a field
    /// spec that contradicts another.
    pub(crate) fn merge(&mut self, more: &Config) -> Result<(), String> {
        for (own, more) in self.lists_mut().into_iter().zip(more.lists()) {
            // What a merge has left is sorted.
            if !fieldspec::merge(own, more)? {
                continue;
            }
            own.sort_by_cached_key(|spec| order::type_key(&spec.gvk));
        }
        let before = self.references.len();
        for reference in &more.references {
            match self.references.iter_mut().find(|own| own.target == reference.target) {
                Some(own) => {
                    fieldspec::merge(&mut own.fields, &reference.fields)?;
                }
                None => self.references.push(reference.clone()),
            }
        }
        if self.references.len() == before {
            return Ok(());
        }
        self.references.sort_by_cached_key(|reference| order::type_key(&reference.target));
        Ok(())
    }

    fn lists(&self) -> [&Vec<FieldSpec>; 10] {
        [
            &self.name_prefix,
            &self.name_suffix,
            &self.namespace,
            &self.common_labels,
            &self.labels,
            &self.template_labels,
            &self.annotations,
            &self.variables,
            &self.images,
            &self.replicas,
        ]
    }

    fn lists_mut(&mut self) -> [&mut Vec<FieldSpec>; 10] {
        [
            &mut self.name_prefix,
            &mut self.name_suffix,
            &mut self.namespace,
            &mut self.common_labels,
            &mut self.labels,
            &mut self.template_labels,
            &mut self.annotations,
            &mut self.variables,
            &mut self.images,
            &mut self.replicas,
        ]
    }

    /// kustomize's own configuration.
    pub(crate) fn builtin() -> Config {
        let mut config = Config::default();
        for (which, list) in List::ALL.into_iter().zip(config.lists_mut()) {
            *list = builtin(which).to_vec();
        }
        config.references = builtin_references().to_vec();
        config
    }

    /// One of its lists.
    pub(crate) fn list(&self, which: List) -> &[FieldSpec] {
        self.lists()[which as usize]
    }
}

/// The lists of field specs of a [`Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    NamePrefix,
    NameSuffix,
    Namespace,
    CommonLabels,
    Labels,
    TemplateLabels,
    Annotations,
    Variables,
    Images,
    Replicas,
}

impl List {
    /// In the order of [`Config::lists`].
    const ALL: [List; 10] = [
        List::NamePrefix,
        List::NameSuffix,
        List::Namespace,
        List::CommonLabels,
        List::Labels,
        List::TemplateLabels,
        List::Annotations,
        List::Variables,
        List::Images,
        List::Replicas,
    ];
}

/// A list of kustomize's own configuration, as [`Config::merge`] into an empty
/// one gives it; a test holds it. Made when it is asked for: a small build
/// needs few of them.
pub(crate) fn builtin(which: List) -> &'static [FieldSpec] {
    static LISTS: [OnceLock<Vec<FieldSpec>>; List::ALL.len()] =
        [const { OnceLock::new() }; List::ALL.len()];
    LISTS[which as usize].get_or_init(|| {
        let mut list = written(which);
        list.sort_by_cached_key(|spec| order::type_key(&spec.gvk));
        list
    })
}

/// The same for the fields that hold names.
pub(crate) fn builtin_references() -> &'static [NameReference] {
    static REFERENCES: OnceLock<Vec<NameReference>> = OnceLock::new();
    REFERENCES.get_or_init(|| {
        let mut references = references();
        references.sort_by_cached_key(|reference| order::type_key(&reference.target));
        references
    })
}

/// A list in the order of this file.
fn written(which: List) -> Vec<FieldSpec> {
    match which {
        List::NamePrefix | List::NameSuffix => specs(&[("", "", "", "metadata/name", false)]),
        List::Namespace => specs(NAMESPACE),
        List::CommonLabels => {
            let mut labels = specs(SELECTORS);
            for kind in ["Deployment", "StatefulSet"] {
                labels.extend(POD_SELECTORS.iter().map(|path| {
                    spec("apps", "", kind, ["spec/template/spec/", path].concat(), false)
                }));
            }
            labels.extend(specs(LABELS));
            labels
        }
        List::Labels => Vec::new(),
        List::TemplateLabels => specs(LABELS),
        List::Annotations => specs(ANNOTATIONS),
        List::Variables => variables(),
        List::Images => IMAGES.iter().map(|path| spec("", "", "", *path, true)).collect(),
        List::Replicas => ["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"]
            .into_iter()
            .map(|kind| spec("", "", kind, "spec/replicas", true))
            .collect(),
    }
}

/// Group, version, kind (each may be empty), path, create.
type Row = (&'static str, &'static str, &'static str, &'static str, bool);

fn spec(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    path: impl Into<Cow<'static, str>>,
    create: bool,
) -> FieldSpec {
    FieldSpec { gvk: gvk(group, version, kind), path: path.into(), create }
}

fn gvk(group: &'static str, version: &'static str, kind: &'static str) -> Gvk {
    Gvk { group: Text::fixed(group), version: Text::fixed(version), kind: Text::fixed(kind) }
}

fn specs(rows: &[Row]) -> Vec<FieldSpec> {
    rows.iter()
        .map(|(group, version, kind, path, create)| spec(group, version, kind, *path, *create))
        .collect()
}

const SELECTORS: &[Row] = &[
    ("", "v1", "Service", "spec/selector", true),
    ("", "v1", "ReplicationController", "spec/selector", true),
    ("", "", "Deployment", "spec/selector/matchLabels", true),
    ("", "", "ReplicaSet", "spec/selector/matchLabels", true),
    ("", "", "DaemonSet", "spec/selector/matchLabels", true),
    ("apps", "", "StatefulSet", "spec/selector/matchLabels", true),
    ("batch", "", "Job", "spec/selector/matchLabels", false),
    ("batch", "", "CronJob", "spec/jobTemplate/spec/selector/matchLabels", false),
    ("policy", "", "PodDisruptionBudget", "spec/selector/matchLabels", false),
    ("networking.k8s.io", "", "NetworkPolicy", "spec/podSelector/matchLabels", false),
    ("networking.k8s.io", "", "NetworkPolicy", "spec/ingress/from/podSelector/matchLabels", false),
    ("networking.k8s.io", "", "NetworkPolicy", "spec/egress/to/podSelector/matchLabels", false),
];

/// Selectors inside a pod's spec, never created.
const POD_SELECTORS: &[&str] = &[
    "affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "topologySpreadConstraints/labelSelector/matchLabels",
];

const LABELS: &[Row] = &[
    ("", "", "", "metadata/labels", true),
    ("", "v1", "ReplicationController", "spec/template/metadata/labels", true),
    ("", "", "Deployment", "spec/template/metadata/labels", true),
    ("", "", "ReplicaSet", "spec/template/metadata/labels", true),
    ("", "", "DaemonSet", "spec/template/metadata/labels", true),
    ("apps", "", "StatefulSet", "spec/template/metadata/labels", true),
    ("apps", "", "StatefulSet", "spec/volumeClaimTemplates[]/metadata/labels", true),
    ("batch", "", "Job", "spec/template/metadata/labels", true),
    ("batch", "", "CronJob", "spec/jobTemplate/metadata/labels", true),
    ("batch", "", "CronJob", "spec/jobTemplate/spec/template/metadata/labels", true),
];

const ANNOTATIONS: &[Row] = &[
    ("", "", "", "metadata/annotations", true),
    ("", "v1", "ReplicationController", "spec/template/metadata/annotations", true),
    ("", "", "Deployment", "spec/template/metadata/annotations", true),
    ("", "", "ReplicaSet", "spec/template/metadata/annotations", true),
    ("", "", "DaemonSet", "spec/template/metadata/annotations", true),
    ("", "", "StatefulSet", "spec/template/metadata/annotations", true),
    ("batch", "", "Job", "spec/template/metadata/annotations", true),
    ("batch", "", "CronJob", "spec/jobTemplate/metadata/annotations", true),
    ("batch", "", "CronJob", "spec/jobTemplate/spec/template/metadata/annotations", true),
];

const NAMESPACE: &[Row] = &[
    ("", "", "Namespace", "metadata/name", true),
    ("apiregistration.k8s.io", "", "APIService", "spec/service/namespace", true),
    (
        "apiextensions.k8s.io",
        "",
        "CustomResourceDefinition",
        "spec/conversion/webhook/clientConfig/service/namespace",
        false,
    ),
];

const IMAGES: &[&str] = &[
    "spec/containers[]/image",
    "spec/initContainers[]/image",
    "spec/volumes[]/image/reference",
    "spec/template/spec/containers[]/image",
    "spec/template/spec/initContainers[]/image",
    "spec/template/spec/volumes[]/image/reference",
];

/// Version and kind of what holds a pod's spec, and where.
const PODS: &[(&str, &str, &str)] = &[
    ("v1", "Pod", "spec"),
    ("", "PodTemplate", "template/spec"),
    ("", "Deployment", "spec/template/spec"),
    ("", "ReplicaSet", "spec/template/spec"),
    ("", "DaemonSet", "spec/template/spec"),
    ("", "StatefulSet", "spec/template/spec"),
    ("", "Job", "spec/template/spec"),
    ("", "CronJob", "spec/jobTemplate/spec/template/spec"),
];

/// The narrower list that upstream keeps for service accounts, claims and
/// priority classes.
const SIMPLE_PODS: &[(&str, &str)] = &[
    ("Pod", "spec"),
    ("StatefulSet", "spec/template/spec"),
    ("Deployment", "spec/template/spec"),
    ("ReplicationController", "spec/template/spec"),
    ("CronJob", "spec/jobTemplate/spec/template/spec"),
    ("Job", "spec/template/spec"),
    ("DaemonSet", "spec/template/spec"),
];

const POD_CONFIG_MAPS: &[&str] = &[
    "volumes/configMap/name",
    "containers/env/valueFrom/configMapKeyRef/name",
    "initContainers/env/valueFrom/configMapKeyRef/name",
    "containers/envFrom/configMapRef/name",
    "initContainers/envFrom/configMapRef/name",
    "volumes/projected/sources/configMap/name",
];

const POD_SECRETS: &[&str] = &[
    "volumes/secret/secretName",
    "containers/env/valueFrom/secretKeyRef/name",
    "initContainers/env/valueFrom/secretKeyRef/name",
    "containers/envFrom/secretRef/name",
    "initContainers/envFrom/secretRef/name",
    "imagePullSecrets/name",
    "volumes/projected/sources/secret/name",
];

/// Referred group, version, kind; the fields outside of pods that refer to it.
type Referred = (&'static str, &'static str, &'static str, &'static [Row]);

const SCALE_TARGET: &[Row] =
    &[("", "", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name", false)];

const REFERENCES: &[Referred] = &[
    ("", "", "Deployment", SCALE_TARGET),
    ("", "", "ReplicationController", SCALE_TARGET),
    ("", "", "ReplicaSet", SCALE_TARGET),
    ("", "", "StatefulSet", SCALE_TARGET),
    (
        "",
        "v1",
        "ConfigMap",
        &[
            ("", "", "Node", "spec/configSource/configMap", false),
            ("", "", "Role", "rules/resourceNames", false),
            ("", "", "ClusterRole", "rules/resourceNames", false),
            (
                "",
                "",
                "Ingress",
                r"metadata/annotations/nginx.ingress.kubernetes.io\/fastcgi-params-configmap",
                false,
            ),
        ],
    ),
    (
        "",
        "v1",
        "Secret",
        &[
            ("", "", "Ingress", "spec/tls/secretName", false),
            ("", "", "Ingress", r"metadata/annotations/ingress.kubernetes.io\/auth-secret", false),
            (
                "",
                "",
                "Ingress",
                r"metadata/annotations/nginx.ingress.kubernetes.io\/auth-secret",
                false,
            ),
            (
                "",
                "",
                "Ingress",
                r"metadata/annotations/nginx.ingress.kubernetes.io\/auth-tls-secret",
                false,
            ),
            ("", "", "ServiceAccount", "imagePullSecrets/name", false),
            ("", "", "StorageClass", "parameters/secretName", false),
            ("", "", "StorageClass", "parameters/adminSecretName", false),
            ("", "", "StorageClass", "parameters/userSecretName", false),
            ("", "", "StorageClass", "parameters/secretRef", false),
            ("", "", "Role", "rules/resourceNames", false),
            ("", "", "ClusterRole", "rules/resourceNames", false),
            (
                "serving.knative.dev",
                "v1",
                "Service",
                "spec/template/spec/containers/env/valueFrom/secretKeyRef/name",
                false,
            ),
            ("", "", "PersistentVolume", "spec/azureFile/secretName", false),
        ],
    ),
    (
        "",
        "v1",
        "Service",
        &[
            ("apps", "", "StatefulSet", "spec/serviceName", false),
            ("", "", "Ingress", "spec/rules/http/paths/backend/serviceName", false),
            ("", "", "Ingress", "spec/backend/serviceName", false),
            ("", "", "Ingress", "spec/rules/http/paths/backend/service/name", false),
            ("", "", "Ingress", "spec/defaultBackend/service/name", false),
            ("apiregistration.k8s.io", "", "APIService", "spec/service/name", false),
            (
                "admissionregistration.k8s.io",
                "",
                "ValidatingWebhookConfiguration",
                "webhooks/clientConfig/service",
                false,
            ),
            (
                "admissionregistration.k8s.io",
                "",
                "MutatingWebhookConfiguration",
                "webhooks/clientConfig/service",
                false,
            ),
        ],
    ),
    (
        "rbac.authorization.k8s.io",
        "",
        "Role",
        &[("rbac.authorization.k8s.io", "", "RoleBinding", "roleRef/name", false)],
    ),
    (
        "rbac.authorization.k8s.io",
        "",
        "ClusterRole",
        &[
            ("rbac.authorization.k8s.io", "", "RoleBinding", "roleRef/name", false),
            ("rbac.authorization.k8s.io", "", "ClusterRoleBinding", "roleRef/name", false),
        ],
    ),
    (
        "",
        "v1",
        "ServiceAccount",
        &[
            ("rbac.authorization.k8s.io", "", "RoleBinding", "subjects", false),
            ("rbac.authorization.k8s.io", "", "ClusterRoleBinding", "subjects", false),
        ],
    ),
    ("", "v1", "PersistentVolumeClaim", &[]),
    (
        "",
        "v1",
        "PersistentVolume",
        &[
            ("", "", "PersistentVolumeClaim", "spec/volumeName", false),
            ("", "", "ClusterRole", "rules/resourceNames", false),
        ],
    ),
    (
        "storage.k8s.io",
        "v1",
        "StorageClass",
        &[
            ("", "", "PersistentVolume", "spec/storageClassName", false),
            ("", "", "PersistentVolumeClaim", "spec/storageClassName", false),
            ("", "", "StatefulSet", "spec/volumeClaimTemplates/spec/storageClassName", false),
        ],
    ),
    ("scheduling.k8s.io", "v1", "PriorityClass", &[]),
    // The group is misspelled upstream, so that this reference never matches.
    (
        "networking.k8s.io/v1",
        "v1",
        "IngressClass",
        &[("", "", "Ingress", "spec/ingressClassName", false)],
    ),
    (
        "admissionregistration.k8s.io",
        "",
        "ValidatingAdmissionPolicy",
        &[(
            "admissionregistration.k8s.io",
            "",
            "ValidatingAdmissionPolicyBinding",
            "spec/policyName",
            false,
        )],
    ),
];

fn references() -> Vec<NameReference> {
    REFERENCES
        .iter()
        .map(|(group, version, kind, rows)| {
            let mut fields = match *kind {
                "ConfigMap" => in_pods(POD_CONFIG_MAPS),
                "Secret" => in_pods(POD_SECRETS),
                "ServiceAccount" => in_simple_pods("serviceAccountName"),
                "PersistentVolumeClaim" => {
                    in_simple_pods("volumes/persistentVolumeClaim/claimName")
                }
                "PriorityClass" => in_simple_pods("priorityClassName"),
                _ => Vec::new(),
            };
            fields.extend(specs(rows));
            NameReference { target: gvk(group, version, kind), fields }
        })
        .collect()
}

fn in_pods(paths: &[&'static str]) -> Vec<FieldSpec> {
    PODS.iter()
        .flat_map(|(version, kind, pod)| {
            paths.iter().map(move |path| spec("", version, kind, [*pod, "/", path].concat(), false))
        })
        .collect()
}

fn in_simple_pods(path: &str) -> Vec<FieldSpec> {
    SIMPLE_PODS
        .iter()
        .map(|(kind, pod)| spec("", "", kind, [*pod, "/", path].concat(), false))
        .collect()
}

/// Fields in which `$(NAME)` is replaced by a `vars` value.
fn variables() -> Vec<FieldSpec> {
    let pods = [
        ("CronJob", "spec/jobTemplate/spec/template/spec"),
        ("DaemonSet", "spec/template/spec"),
        ("Deployment", "spec/template/spec"),
        ("Job", "spec/template/spec"),
        ("Pod", "spec"),
        ("ReplicaSet", "spec/template/spec"),
        ("StatefulSet", "spec/template/spec"),
    ];
    let mut fields = Vec::new();
    for (kind, pod) in pods {
        for containers in ["containers", "initContainers"] {
            for field in ["args", "command", "env/value", "volumeMounts/mountPath"] {
                fields.push(spec("", "", kind, [pod, "/", containers, "/", field].concat(), false));
            }
        }
        match kind {
            // As upstream has it: no `spec` before `volumes`.
            "CronJob" => fields.push(spec(
                "",
                "",
                kind,
                "spec/jobTemplate/spec/template/volumes/nfs/server",
                false,
            )),
            "StatefulSet" => {
                fields.push(spec("", "", kind, "spec/volumeClaimTemplates/spec/nfs/server", false))
            }
            _ => fields.push(spec("", "", kind, [pod, "/volumes/nfs/server"].concat(), false)),
        }
    }
    fields.extend(specs(&[
        ("", "", "Deployment", "spec/template/metadata/annotations", false),
        ("", "", "Ingress", "spec/rules/host", false),
        ("", "", "Ingress", "spec/tls/hosts", false),
        ("", "", "Ingress", "spec/tls/secretName", false),
        ("", "", "Service", "spec/ports/port", false),
        ("", "", "Service", "spec/ports/targetPort", false),
        ("", "", "PersistentVolume", "spec/nfs/server", false),
        ("", "", "", "metadata/labels", false),
        ("", "", "", "metadata/annotations", false),
    ]));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_configuration_is_what_a_merge_gives() {
        let mut config = Config { references: references(), ..Config::default() };
        for (which, list) in List::ALL.into_iter().zip(config.lists_mut()) {
            *list = written(which);
        }
        let mut merged = Config::default();
        assert_eq!(merged.merge(&config), Ok(()));
        assert_eq!(merged, Config::builtin());
    }

    #[test]
    fn no_field_is_named_twice() {
        for reference in builtin_references() {
            let mut fields = Vec::new();
            assert_eq!(fieldspec::merge(&mut fields, &reference.fields), Ok(true));
            assert_eq!(fields, reference.fields);
        }
    }
}
