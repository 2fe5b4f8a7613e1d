//! Words for pieces of manifests.

pub const WORDS: crate::values::Table = &[
    ("one", &["a", "b", "c", "d"]),
    ("container", &["app", "app", "sidecar", "web", "init"]),
    (
        "image",
        &[
            "nginx",
            "nginx:1.7.9",
            "nginx:latest",
            "docker.io/library/nginx:1",
            "gcr.io/a/b:v1",
            "localhost:5000/app",
            "localhost:5000/app:v2",
            "app",
            "app:1.0",
            "app@sha256:24a0c4b4a4c0eb97a1aabb8e29f18e917d05abfe1b7a7c07857230879ce7d3d3",
            "nginx:1@sha256:24a0c4b4a4c0eb97a1aabb8e29f18e917d05abfe1b7a7c07857230879ce7d3d3",
            "\"nginx:1\"",
            "busybox:1.36",
            "nginx-extra:1",
            "$(IMAGE)",
            "nginx:1.0-alpine_x",
        ],
    ),
    ("port", &["80", "443", "8080", "\"http\"", "9090", "0x50"]),
    (
        "label-value",
        &[
            "web", "db", "api", "frontend", "\"1\"", "\"true\"", "v1", "'yes'", "\"\"", "a_b",
            "1.2", "x", "\"on\"", "web", "web", "db",
        ],
    ),
    (
        "labels",
        &[
            "app: {web|db|api|w}",
            "app: {web|db}\n?tier: {label-value}\n??env: {label-value}",
            "*{app|tier|env|app.kubernetes.io/name}: {label-value}",
            "tier: {label-value}",
        ],
    ),
    (
        "annotations",
        &[
            "note: {string}",
            "*{note|url|a/b|checksum|app}: {string}",
            "note: {quoted}\n?config.kubernetes.io/x: {quoted}",
            "checksum: {quoted}\n??kubectl.kubernetes.io/last-applied-configuration: '{\"a\": 1}'",
        ],
    ),
    (
        "selector",
        &[
            "matchLabels:\n  {labels}\n??matchExpressions:\n  - key: env\n    operator: In\n    values: [{label-value}, {label-value}]",
        ],
    ),
    (
        "env",
        &[
            "*- name: {ENV_A|ENV_B|ENV_C|LOG_LEVEL}\n  value: {string}",
            "- name: ENV_A\n  value: {quoted}\n?- name: ENV_B\n  valueFrom:\n    configMapKeyRef:\n      name: {ref:ConfigMap}\n      key: {a|b|c}\n?- name: ENV_C\n  valueFrom:\n    secretKeyRef:\n      name: {ref:Secret}\n      key: a\n      ?optional: {boolean}\n??- name: ENV_D\n  valueFrom: { fieldRef: { fieldPath: metadata.name } }\n?- name: ENV_E\n  value: \"$(VAR_A) and $(VAR_B)\"",
        ],
    ),
    (
        "containers",
        &[
            "- name: app\n  image: {image}\n  {container-rest}\n?- name: sidecar\n  image: {image}\n  ?{container-rest}",
            "- image: {image}\n  name: app\n  {container-rest}",
            "- name: {container}\n  image: {image}\n  {container-rest}\n??- name: extra\n  image: {image}",
        ],
    ),
    (
        "container-rest",
        &[
            "?command: [\"/bin/sh\", \"-c\", {quoted}]\n?args:\n  *- {quoted}\n  ??- $(VAR_A)\n?env:\n  {env}\n?envFrom:\n  - configMapRef:\n      name: {ref:ConfigMap}\n  ?- secretRef:\n      name: {ref:Secret}\n    ?prefix: X_\n?ports:\n  - containerPort: {80|8080}\n    ?name: http\n    ??protocol: TCP\n  ?- containerPort: 9090\n    name: metrics\n?volumeMounts:\n  - name: {config|data|secret}\n    mountPath: /etc/{a|b|c}\n    ?readOnly: {boolean}\n    ??subPath: {a|b}\n??resources:\n  limits: {cpu: 1, memory: \"{small}Gi\"}\n  ?requests:\n    cpu: {100m|0.5|1}\n??livenessProbe:\n  httpGet:\n    path: /{a|b}\n    port: {port}\n??securityContext: {}\n??lifecycle:\n",
        ],
    ),
    (
        "volumes",
        &[
            "?- name: config\n  configMap:\n    name: {ref:ConfigMap}\n    ?items:\n      - key: a\n        path: b\n    ??defaultMode: 0644\n?- name: secret\n  secret:\n    secretName: {ref:Secret}\n?- name: data\n  persistentVolumeClaim:\n    claimName: {ref:PersistentVolumeClaim}\n??- name: all\n  projected:\n    sources:\n      - configMap:\n          name: {ref:ConfigMap}\n      - secret:\n          name: {ref:Secret}\n??- name: tmp\n  emptyDir: {}\n??- name: csi\n  csi:\n    driver: x\n    nodePublishSecretRef:\n      name: {ref:Secret}",
        ],
    ),
    (
        "pod",
        &[
            "containers:\n  {containers}\n?volumes:\n  {volumes}\n?serviceAccountName: {ref:ServiceAccount}\n??initContainers:\n  - name: init\n    image: {image}\n    ?env:\n      {env}\n??imagePullSecrets:\n  - name: {ref:Secret}\n??nodeSelector:\n  {labels}\n??affinity:\n  podAntiAffinity:\n    requiredDuringSchedulingIgnoredDuringExecution:\n      - labelSelector:\n          matchLabels:\n            {labels}\n        topologyKey: x\n    ?preferredDuringSchedulingIgnoredDuringExecution:\n      - weight: 1\n        podAffinityTerm:\n          labelSelector:\n            matchLabels:\n              app: web\n??tolerations:\n  *- key: {a|b}\n    operator: Exists\n??hostAliases:\n  - ip: 1.2.3.4\n    hostnames: [a, b]\n??topologySpreadConstraints:\n  - maxSkew: 1\n    topologyKey: zone\n    ?labelSelector:\n      matchLabels:\n        {labels}\n??restartPolicy: {Never|OnFailure|Always}\n??priorityClassName: {ref:PriorityClass}\n??terminationGracePeriodSeconds: {small}",
        ],
    ),
    (
        "template",
        &[
            "metadata:\n  labels:\n    {labels}\n  ?annotations:\n    {annotations}\n  ??creationTimestamp: null\nspec:\n  {pod}",
            "metadata:\n  labels: &labels\n    {labels}\nspec:\n  {pod}",
            "metadata:\n  ?labels:\n    {labels}\nspec:\n  {pod}",
        ],
    ),
];
