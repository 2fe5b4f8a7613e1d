//! Kinds of objects, and what stands in them beside `metadata`.

/// A kind that manifests use.
pub struct Kind {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub cluster: bool,
    /// How often it is taken, against the others.
    pub weight: usize,
    pub body: &'static str,
}

impl Kind {
    pub fn group(&self) -> &'static str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Whether it has a pod template, and where.
    pub fn template(&self) -> Option<&'static str> {
        match self.kind {
            "Deployment"
            | "StatefulSet"
            | "DaemonSet"
            | "ReplicaSet"
            | "Job"
            | "ReplicationController" => Some("spec/template"),
            "CronJob" => Some("spec/jobTemplate/spec/template"),
            _ => None,
        }
    }
}

macro_rules! kinds {
    ($($weight:literal $version:literal $kind:literal $scope:ident $body:literal)*) => {
        &[$(Kind {
            api_version: $version,
            kind: $kind,
            cluster: kinds!(@ $scope),
            weight: $weight,
            body: $body,
        }),*]
    };
    (@ cluster) => { true };
    (@ namespaced) => { false };
}

pub const KINDS: &[Kind] = kinds! {
10 "v1" "ConfigMap" namespaced "?data:\n  {strings}\n??binaryData:\n  bin: aGVsbG8=\n??immutable: {boolean}"
6 "v1" "Secret" namespaced "?type: {Opaque|kubernetes.io/tls}\n?data:\n  a: aGVsbG8=\n  ?b: d29ybGQ=\n?stringData:\n  {strings}"
7 "v1" "Service" namespaced "spec:\n  ?selector:\n    {labels}\n  ports:\n    - port: {80|443}\n      ?targetPort: {port}\n      ?name: http\n      ??protocol: TCP\n    ?- port: 9090\n      name: metrics\n  ??type: {ClusterIP|LoadBalancer|NodePort}\n  ??clusterIP: None\n  ??loadBalancerSourceRanges: [10.0.0.0/8]"
4 "v1" "ServiceAccount" namespaced "?secrets:\n  *- name: {ref:Secret}\n??imagePullSecrets:\n  - name: {ref:Secret}\n??automountServiceAccountToken: {boolean}"
14 "apps/v1" "Deployment" namespaced "spec:\n  ?replicas: {small}\n  selector:\n    {selector}\n  ??strategy:\n    type: {Recreate|RollingUpdate}\n    ?rollingUpdate:\n      maxSurge: {25%|1}\n  template:\n    {template}\n??status: {}"
5 "apps/v1" "StatefulSet" namespaced "spec:\n  serviceName: {ref:Service}\n  ?replicas: {small}\n  selector:\n    {selector}\n  template:\n    {template}\n  ?volumeClaimTemplates:\n    - metadata:\n        name: data\n        ?labels:\n          {labels}\n      spec:\n        accessModes: [ReadWriteOnce]\n        resources:\n          requests:\n            storage: 1Gi"
4 "apps/v1" "DaemonSet" namespaced "spec:\n  selector:\n    {selector}\n  template:\n    {template}"
1 "apps/v1" "ReplicaSet" namespaced "spec:\n  ?replicas: {small}\n  selector:\n    {selector}\n  template:\n    {template}"
1 "v1" "ReplicationController" namespaced "spec:\n  replicas: {small}\n  ?selector:\n    {labels}\n  template:\n    {template}"
3 "batch/v1" "Job" namespaced "spec:\n  ?backoffLimit: {small}\n  ?selector:\n    {selector}\n  template:\n    {template}"
4 "batch/v1" "CronJob" namespaced "spec:\n  schedule: \"*/5 * * * *\"\n  ?concurrencyPolicy: Forbid\n  jobTemplate:\n    ?metadata:\n      labels:\n        {labels}\n    spec:\n      ?selector:\n        {selector}\n      template:\n        {template}"
1 "batch/v1beta1" "CronJob" namespaced "spec:\n  schedule: '@daily'\n  jobTemplate:\n    spec:\n      template:\n        {template}"
3 "v1" "Pod" namespaced "spec:\n  {pod}"
1 "v1" "PodTemplate" namespaced "template:\n  {template}"
4 "networking.k8s.io/v1" "Ingress" namespaced "spec:\n  ?ingressClassName: {ref:IngressClass}\n  ?defaultBackend:\n    service:\n      name: {ref:Service}\n      port:\n        number: 80\n  rules:\n    *- host: {a|b}.example.com\n      http:\n        paths:\n          - path: /\n            pathType: Prefix\n            backend:\n              service:\n                name: {ref:Service}\n                port:\n                  number: {80|443}\n  ?tls:\n    - hosts: [a.example.com]\n      secretName: {ref:Secret}"
1 "networking.k8s.io/v1beta1" "Ingress" namespaced "spec:\n  rules:\n    - http:\n        paths:\n          - backend:\n              serviceName: {ref:Service}\n              servicePort: {80|http}"
1 "extensions/v1beta1" "Ingress" namespaced "spec:\n  backend:\n    serviceName: {ref:Service}\n    servicePort: 80"
2 "networking.k8s.io/v1" "IngressClass" cluster "spec:\n  controller: x/y"
2 "networking.k8s.io/v1" "NetworkPolicy" namespaced "spec:\n  podSelector:\n    ?matchLabels:\n      {labels}\n  ingress:\n    - from:\n        - podSelector:\n            matchLabels:\n              {labels}\n        ?- namespaceSelector: {}\n      ?ports:\n        - port: {port}\n  ??egress:\n    - to:\n        - podSelector:\n            matchLabels:\n              {labels}"
3 "autoscaling/v2" "HorizontalPodAutoscaler" namespaced "spec:\n  scaleTargetRef:\n    apiVersion: apps/v1\n    kind: {Deployment|StatefulSet}\n    name: {ref:Deployment}\n  minReplicas: 1\n  maxReplicas: {small}\n  ?metrics:\n    - type: Resource\n      resource: { name: cpu, target: { type: Utilization, averageUtilization: 80 } }"
1 "autoscaling/v1" "HorizontalPodAutoscaler" namespaced "spec:\n  scaleTargetRef:\n    ?apiVersion: apps/v1\n    kind: StatefulSet\n    name: {ref:StatefulSet}\n  maxReplicas: 3"
2 "policy/v1" "PodDisruptionBudget" namespaced "spec:\n  minAvailable: {1|50%}\n  selector:\n    {selector}"
3 "v1" "PersistentVolumeClaim" namespaced "spec:\n  accessModes:\n    - ReadWriteOnce\n  ?volumeName: {ref:PersistentVolume}\n  ?storageClassName: {ref:StorageClass}\n  resources:\n    requests:\n      storage: {1Gi|500Mi|1}\n  ??selector:\n    matchLabels:\n      {labels}"
2 "v1" "PersistentVolume" cluster "spec:\n  capacity: {storage: 1Gi}\n  ?claimRef:\n    name: {ref:PersistentVolumeClaim}\n    namespace: {namespace}\n  ?storageClassName: {ref:StorageClass}"
1 "storage.k8s.io/v1" "StorageClass" cluster "provisioner: x\n?parameters:\n  {strings}"
2 "v1" "Namespace" cluster "?spec:\n  finalizers: [kubernetes]"
4 "rbac.authorization.k8s.io/v1" "Role" namespaced "rules:\n  - apiGroups: [\"\"]\n    resources: [secrets, configmaps]\n    ?resourceNames:\n      - {ref:Secret}\n      - {ref:ConfigMap}\n    verbs: [\"*\"]"
3 "rbac.authorization.k8s.io/v1" "ClusterRole" cluster "?rules:\n  - apiGroups: ['*']\n    resources: [{a|pods}]\n    ?resourceNames: [{ref:ConfigMap}]\n    verbs: [get, list]\n  ??- nonResourceURLs: [/metrics]\n    verbs: [get]\n??aggregationRule:\n  clusterRoleSelectors:\n    - matchLabels:\n        {labels}"
4 "rbac.authorization.k8s.io/v1" "RoleBinding" namespaced "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {Role|Role|ClusterRole}\n  name: {ref:Role}\nsubjects:\n  - kind: ServiceAccount\n    name: {sa}\n    ?namespace: {namespace}\n  ?- kind: User\n    name: {web|alice}\n  ??- kind: ServiceAccount\n    name: default\n    ?namespace: {namespace}"
4 "rbac.authorization.k8s.io/v1" "ClusterRoleBinding" cluster "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n  name: {ref:ClusterRole}\n?subjects:\n  *- kind: ServiceAccount\n    name: {sa}\n    namespace: {namespace}\n  ??- kind: Group\n    name: web"
2 "admissionregistration.k8s.io/v1" "ValidatingWebhookConfiguration" cluster "webhooks:\n  *- name: {a|b|c}.example.com\n    clientConfig:\n      ?service:\n        name: {ref:Service}\n        namespace: {namespace}\n        ?path: /x\n      ?caBundle: Cg==\n    sideEffects: None\n    ?admissionReviewVersions: [v1]\n    ?namespaceSelector:\n      {selector}"
2 "admissionregistration.k8s.io/v1" "MutatingWebhookConfiguration" cluster "webhooks:\n  - name: a.example.com\n    clientConfig:\n      service:\n        name: {ref:Service}\n        ?namespace: {namespace}\n  ?- name: b.example.com\n    clientConfig:\n      url: https://x"
2 "apiextensions.k8s.io/v1" "CustomResourceDefinition" cluster "spec:\n  group: example.com\n  names:\n    kind: Widget\n    plural: widgets\n  scope: {Namespaced|Cluster}\n  ?versions:\n    - name: v1\n      served: true\n      storage: {boolean}\n      ?schema:\n        openAPIV3Schema:\n          type: object\n          ?properties:\n            spec:\n              description: {long}\n  ?conversion:\n    strategy: Webhook\n    webhook:\n      clientConfig:\n        service:\n          name: {ref:Service}\n          namespace: {namespace}"
1 "apiregistration.k8s.io/v1" "APIService" cluster "spec:\n  group: example.com\n  service:\n    name: {ref:Service}\n    namespace: {namespace}"
8 "example.com/v1" "Widget" namespaced "?spec:\n  {tree}\n?configRef:\n  name: {ref:ConfigMap}\n??status:\n  {entries}"
2 "example.com/v1alpha1" "Gadget" namespaced "{tree}\n?image: {image}\n?replicas: {small}\n?items:\n  *- name: {one}\n    ?value: {any}"
1 "example.com/v1" "Service" namespaced "spec:\n  {tree}"
2 "example.com/v1" "Cluster" namespaced "spec:\n  ?template:\n    {template}\n  ?config: {any}\n  ?containers:\n    {containers}"
1 "scheduling.k8s.io/v1" "PriorityClass" cluster "value: {small}\n?globalDefault: {boolean}"
1 "v1" "LimitRange" namespaced "spec:\n  limits:\n    - type: Container\n      ?default: {cpu: 1}"
1 "v1" "ResourceQuota" namespaced "spec:\n  hard:\n    pods: \"10\"\n    ?cpu: {number}"
1 "v1" "Endpoints" namespaced "subsets:\n  - addresses:\n      - ip: 1.2.3.4\n    ports:\n      - port: {80|443}"
1 "discovery.k8s.io/v1" "EndpointSlice" namespaced "addressType: IPv4\nendpoints:\n  - addresses: [1.2.3.4]"
2 "monitoring.coreos.com/v1" "ServiceMonitor" namespaced "spec:\n  selector:\n    {selector}\n  endpoints:\n    *- port: {a|http}\n      ?interval: {30s|1m}"
2 "cert-manager.io/v1" "Certificate" namespaced "spec:\n  secretName: {ref:Secret}\n  ?dnsNames:\n    *- {a|b}.example.com\n  issuerRef:\n    name: {web|issuer}\n    kind: {Issuer|ClusterIssuer}"
1 "cert-manager.io/v1" "ClusterIssuer" cluster "spec:\n  ?selfSigned: {}"
1 "gateway.networking.k8s.io/v1" "HTTPRoute" namespaced "spec:\n  rules:\n    - backendRefs:\n        *- name: {ref:Service}\n          port: 80"
1 "argoproj.io/v1alpha1" "Application" namespaced "spec:\n  source:\n    {tree}\n  destination:\n    namespace: {namespace}"
1 "policy/v1beta1" "PodSecurityPolicy" cluster "spec:\n  privileged: {boolean}"
1 "apps/v1beta1" "Deployment" namespaced "spec:\n  template:\n    {template}"
1 "snapshot.storage.k8s.io/v1" "VolumeSnapshotClass" cluster "driver: {x|y}"
1 "coordination.k8s.io/v1" "Lease" namespaced "spec:\n  holderIdentity: {string}\n  ?renewTime: 2024-01-01T00:00:00.000000Z"
};
