//! The objects that the programs work on: those of a company's teams, the same
//! on every run and machine.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

const DEPLOYMENTS: usize = 15;
const SERVICES: usize = 10;
const CONFIG_MAPS: usize = 10;
const ACCOUNTS: usize = 5;
const SECRETS: usize = 5;
const SCALERS: usize = 4;

/// The programs of a team; each has a Deployment, the first ten a Service and
/// a ConfigMap, the first four an autoscaler.
pub(crate) const APPS: [&str; DEPLOYMENTS] = [
    "api",
    "web",
    "worker",
    "search",
    "gateway",
    "cart",
    "orders",
    "billing",
    "invoices",
    "mailer",
    "reports",
    "scheduler",
    "exporter",
    "importer",
    "audit",
];

const AREAS: [&str; 20] = [
    "accounts",
    "analytics",
    "catalog",
    "checkout",
    "content",
    "delivery",
    "fraud",
    "identity",
    "inventory",
    "loyalty",
    "marketing",
    "messaging",
    "payments",
    "pricing",
    "partners",
    "recommend",
    "returns",
    "shipping",
    "support",
    "warehouse",
];

const REGIONS: [&str; 10] = ["eu", "us", "uk", "in", "jp", "br", "au", "ca", "za", "mx"];

/// The most teams there are.
pub(crate) const MOST_TEAMS: usize = AREAS.len() * REGIONS.len();

/// One team's objects as one file: its name and its YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TeamFile {
    /// `checkout-eu.yaml`
    pub(crate) name: String,
    /// The documents.
    pub(crate) text: String,
}

/// The namespace of a team.
pub(crate) fn namespace(team: usize) -> String {
    format!("{}-{}", AREAS[team % AREAS.len()], REGIONS[team / AREAS.len() % REGIONS.len()])
}

/// The Deployments whose image differs in the changed files, as
/// (namespace, name): one in every second team of the first twenty.
pub(crate) fn changed() -> Vec<(String, String)> {
    (0..AREAS.len())
        .step_by(2)
        .map(|team| (namespace(team), APPS[changed_app(team)].to_owned()))
        .collect()
}

/// Spread over the apps, so that Deployments with a sidecar, an autoscaler and
/// neither are among them.
fn changed_app(team: usize) -> usize {
    team * 7 % DEPLOYMENTS
}

/// The files of the first `teams` teams; with `new_images`, the Deployments of
/// [`changed`] have another image tag.
pub(crate) fn files(teams: usize, new_images: bool) -> Vec<TeamFile> {
    assert!(teams <= MOST_TEAMS, "there are {MOST_TEAMS} teams");
    (0..teams)
        .map(|team| TeamFile {
            name: format!("{}.yaml", namespace(team)),
            text: documents(team, new_images && team % 2 == 0).join("---\n"),
        })
        .collect()
}

/// A kustomization over the files: two labels on everything, a new tag for
/// every image.
pub(crate) fn kustomization(files: &[TeamFile]) -> String {
    let mut text = String::from(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n",
    );
    for file in files {
        text.push_str(&format!("- {}\n", file.name));
    }
    text.push_str(
        "labels:\n- pairs:\n    environment: bench\n    example.com/owner: platform\n  \
         includeSelectors: false\n  includeTemplates: true\nimages:\n",
    );
    for (number, app) in APPS.iter().enumerate() {
        text.push_str(&format!("- name: registry.example/shop/{app}\n  newTag: v3.{number}.0\n"));
    }
    text
}

fn documents(team: usize, new_image: bool) -> Vec<String> {
    let mut documents = vec![namespace_document(team)];
    documents.extend((0..ACCOUNTS).map(|account| account_document(team, account)));
    documents.extend((0..CONFIG_MAPS).map(|app| config_map(team, app)));
    documents.extend((0..SECRETS).map(|secret| secret_document(team, secret)));
    documents.extend(
        (0..DEPLOYMENTS).map(|app| deployment(team, app, new_image && app == changed_app(team))),
    );
    documents.extend((0..SERVICES).map(|app| service(team, app)));
    documents.extend((0..SCALERS).map(|app| scaler(team, app)));
    documents
}

fn tag(team: usize, app: usize) -> String {
    format!("v1.{}.{}", (team * 3 + app) % 20, (team + app * 5) % 10)
}

fn namespace_document(team: usize) -> String {
    let name = namespace(team);
    let area = AREAS[team % AREAS.len()];
    format!(
        "apiVersion: v1
kind: Namespace
metadata:
  name: {name}
  labels:
    example.com/area: {area}
    example.com/cost-center: \"{cost}\"
    pod-security.kubernetes.io/enforce: restricted
  annotations:
    example.com/contact: {area}@example.com
",
        cost = 4000 + team,
    )
}

fn account_name(account: usize) -> String {
    format!("{}-runner", APPS[account])
}

/// The last account of a team owns nothing but its name, as many do.
fn account_document(team: usize, account: usize) -> String {
    let (namespace, name) = (namespace(team), account_name(account));
    let mut text = format!(
        "apiVersion: v1
kind: ServiceAccount
metadata:
  name: {name}
  namespace: {namespace}
"
    );
    if account + 1 < ACCOUNTS {
        text.push_str(&format!(
            "  labels:
    app.kubernetes.io/name: {app}
    app.kubernetes.io/part-of: {namespace}
  annotations:
    eks.amazonaws.com/role-arn: arn:aws:iam::123456789012:role/{namespace}-{app}
imagePullSecrets:
- name: registry
automountServiceAccountToken: false
",
            app = APPS[account],
        ));
    }
    text
}

fn config_map(team: usize, app: usize) -> String {
    let (namespace, app_name) = (namespace(team), APPS[app]);
    let mut text = format!(
        "apiVersion: v1
kind: ConfigMap
metadata:
  name: {app_name}-config
  namespace: {namespace}
  labels:
    app.kubernetes.io/name: {app_name}
    app.kubernetes.io/part-of: {namespace}
data:
  LOG_LEVEL: {level}
  FEATURE_FLAGS: \"fast-{app_name},dark-mode,retry-{team}\"
  CACHE_TTL_SECONDS: \"{ttl}\"
  application.yaml: |
    server:
      port: 8080
      shutdown: graceful
      compression: {{enabled: true, minSize: 2KB}}
    datasource:
      url: jdbc:postgresql://postgres.{namespace}.svc:5432/{app_name}
      pool:
        minimum: {minimum}
        maximum: {maximum}
        timeout: 30s
    clients:
",
        level = ["info", "debug", "warn"][(team + app) % 3],
        ttl = 60 * (app + 1),
        minimum = 2 + app % 4,
        maximum = 10 + team % 20,
    );
    for other in APPS.iter().take(6).filter(|other| **other != app_name) {
        text.push_str(&format!(
            "      {other}:
        url: http://{other}.{namespace}.svc:8080
        retries: 3
        timeout: 2s
"
        ));
    }
    text
}

fn secret_document(team: usize, secret: usize) -> String {
    let (namespace, app) = (namespace(team), APPS[secret]);
    let seed = (team as u64) << 8 | secret as u64;
    format!(
        "apiVersion: v1
kind: Secret
metadata:
  name: {app}-credentials
  namespace: {namespace}
  labels:
    app.kubernetes.io/name: {app}
    app.kubernetes.io/part-of: {namespace}
type: Opaque
data:
  username: {username}
  password: {password}
  signing-key: {key}
",
        username = BASE64.encode(format!("{app}-{namespace}")),
        password = BASE64.encode(noise(seed, 24)),
        key = BASE64.encode(noise(seed ^ 0xffff, 256)),
    )
}

/// Bytes that look random and are the same everywhere (splitmix64).
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend((word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn deployment(team: usize, app: usize, new_image: bool) -> String {
    let (namespace, name) = (namespace(team), APPS[app]);
    let tag = if new_image { "v2.0.0".to_owned() } else { tag(team, app) };
    let mut text = format!(
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {namespace}
  labels:
    app.kubernetes.io/name: {name}
    app.kubernetes.io/instance: {name}-{namespace}
    app.kubernetes.io/part-of: {namespace}
    app.kubernetes.io/managed-by: kustomize
  annotations:
    example.com/runbook: https://runbooks.example.com/{namespace}/{name}
spec:
"
    );
    // Where an autoscaler decides, the file says nothing.
    if app >= SCALERS {
        text.push_str(&format!("  replicas: {}\n", 1 + (team + app) % 4));
    }
    text.push_str(&format!(
        "  revisionHistoryLimit: 5
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 25%
      maxUnavailable: 0
  selector:
    matchLabels:
      app.kubernetes.io/name: {name}
      app.kubernetes.io/instance: {name}-{namespace}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {name}
        app.kubernetes.io/instance: {name}-{namespace}
        app.kubernetes.io/part-of: {namespace}
      annotations:
        prometheus.io/scrape: \"true\"
        prometheus.io/port: \"9090\"
    spec:
      serviceAccountName: {account}
      terminationGracePeriodSeconds: 45
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        fsGroup: 10001
        seccompProfile:
          type: RuntimeDefault
",
        account = account_name(app % ACCOUNTS),
    ));
    if app.is_multiple_of(2) {
        text.push_str(&format!(
            "      topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: topology.kubernetes.io/zone
        whenUnsatisfiable: ScheduleAnyway
        labelSelector:
          matchLabels:
            app.kubernetes.io/name: {name}
"
        ));
    }
    text.push_str(&format!(
        "      containers:
      - name: {name}
        image: registry.example/shop/{name}:{tag}
        imagePullPolicy: IfNotPresent
        args:
        - --listen=:8080
        - --metrics=:9090
        - --config=/etc/{name}/application.yaml
        ports:
        - name: http
          containerPort: 8080
        - name: metrics
          containerPort: 9090
          protocol: TCP
        env:
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        - name: LOG_LEVEL
          valueFrom:
            configMapKeyRef:
              name: {config}-config
              key: LOG_LEVEL
        - name: DATABASE_PASSWORD
          valueFrom:
            secretKeyRef:
              name: {secret}-credentials
              key: password
        - name: OTEL_SERVICE_NAME
          value: {name}.{namespace}
        - name: WORKERS
          value: \"{workers}\"
        resources:
          requests:
            cpu: {cpu}m
            memory: {memory}Mi
          limits:
            memory: {limit}Mi
        readinessProbe:
          httpGet:
            path: /readyz
            port: http
          periodSeconds: 5
          failureThreshold: 3
        livenessProbe:
          httpGet:
            path: /healthz
            port: http
          initialDelaySeconds: 10
          periodSeconds: 15
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities:
            drop:
            - ALL
        volumeMounts:
        - name: config
          mountPath: /etc/{name}
          readOnly: true
        - name: tmp
          mountPath: /tmp
",
        config = APPS[app % CONFIG_MAPS],
        secret = APPS[app % SECRETS],
        workers = 2 + app % 6,
        cpu = 50 + 25 * (app % 8),
        memory = 96 + 32 * (app % 8),
        limit = 192 + 64 * (app % 8),
    ));
    if app.is_multiple_of(3) {
        text.push_str(
            "      - name: proxy
        image: registry.example/platform/proxy:v0.9.3
        ports:
        - name: proxy
          containerPort: 15001
        resources:
          requests:
            cpu: 10m
            memory: 32Mi
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities:
            drop:
            - ALL
",
        );
    }
    text.push_str(&format!(
        "      volumes:
      - name: config
        configMap:
          name: {config}-config
      - name: tmp
        emptyDir:
          sizeLimit: 64Mi
",
        config = APPS[app % CONFIG_MAPS],
    ));
    text
}

/// Two of a team's Services are headless.
fn service(team: usize, app: usize) -> String {
    let (namespace, name) = (namespace(team), APPS[app]);
    let address = if app + 2 < SERVICES { "type: ClusterIP" } else { "clusterIP: None" };
    format!(
        "apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: {namespace}
  labels:
    app.kubernetes.io/name: {name}
    app.kubernetes.io/part-of: {namespace}
spec:
  {address}
  selector:
    app.kubernetes.io/name: {name}
    app.kubernetes.io/instance: {name}-{namespace}
  ports:
  - name: http
    port: 8080
    targetPort: http
  - name: metrics
    port: 9090
    protocol: TCP
    targetPort: metrics
"
    )
}

fn scaler(team: usize, app: usize) -> String {
    let (namespace, name) = (namespace(team), APPS[app]);
    format!(
        "apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {name}
  namespace: {namespace}
  labels:
    app.kubernetes.io/name: {name}
    app.kubernetes.io/part-of: {namespace}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {name}
  minReplicas: {minimum}
  maxReplicas: {maximum}
  metrics:
  - type: Resource
    resource:
      name: cpu
      target:
        type: Utilization
        averageUtilization: {cpu}
  - type: Resource
    resource:
      name: memory
      target:
        type: Utilization
        averageUtilization: 80
",
        minimum = 2 + app % 2,
        maximum = 8 + team % 5,
        cpu = 60 + 5 * app,
    )
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// Kind, namespace and name of each document; the generator writes them
    /// at fixed places.
    fn keys(files: &[TeamFile]) -> Vec<(String, String, String)> {
        let value = |document: &str, key: &str| {
            let line = document.lines().find_map(|line| line.strip_prefix(key));
            line.unwrap_or_default().to_owned()
        };
        files
            .iter()
            .flat_map(|file| file.text.split("---\n"))
            .map(|document| {
                let key = |name| value(document, name);
                (key("kind: "), key("  namespace: "), key("  name: "))
            })
            .collect()
    }

    #[test]
    fn twenty_teams_have_a_thousand_objects_of_the_announced_kinds() {
        let keys = keys(&files(20, false));
        assert_eq!(keys.len(), 1000);
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 1000, "no key twice");
        let mut kinds = BTreeMap::new();
        for (kind, _, _) in &keys {
            *kinds.entry(kind.as_str()).or_insert(0) += 1;
        }
        let expected = BTreeMap::from([
            ("Namespace", 20),
            ("Deployment", 300),
            ("Service", 200),
            ("ConfigMap", 200),
            ("ServiceAccount", 100),
            ("Secret", 100),
            ("HorizontalPodAutoscaler", 80),
        ]);
        assert_eq!(kinds, expected);
    }

    #[test]
    fn all_teams_have_ten_thousand_objects() {
        let keys = keys(&files(MOST_TEAMS, false));
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 10_000);
    }

    #[test]
    fn exactly_the_ten_announced_deployments_change_and_only_in_their_image() {
        let changed = changed();
        assert_eq!(changed.iter().collect::<BTreeSet<_>>().len(), 10);
        let mut seen = Vec::new();
        for (before, after) in files(20, false).iter().zip(files(20, true)) {
            let pairs = before.text.split("---\n").zip(after.text.split("---\n"));
            for (before, after) in pairs.filter(|(before, after)| before != after) {
                let lines: Vec<_> =
                    before.lines().zip(after.lines()).filter(|(old, new)| old != new).collect();
                assert_eq!(lines.len(), 1, "{lines:?}");
                assert!(lines[0].0.contains("  image: ") && lines[0].1.contains("  image: "));
                let value = |key| {
                    let line = after.lines().find_map(|line| line.strip_prefix(key));
                    line.unwrap_or_default().to_owned()
                };
                seen.push((value("  namespace: "), value("  name: ")));
            }
        }
        assert_eq!(seen, changed);
    }

    #[test]
    fn the_same_every_time() {
        assert_eq!(files(20, true), files(20, true));
        assert_eq!(noise(7, 24), noise(7, 24));
        assert_ne!(noise(7, 24), noise(8, 24));
        assert_eq!(noise(7, 3).len(), 3);
    }

    #[test]
    fn the_kustomization_names_every_file_and_image() {
        let files = files(2, false);
        let text = kustomization(&files);
        assert!(text.contains("- accounts-eu.yaml\n- analytics-eu.yaml\nlabels:"), "{text}");
        assert_eq!(text.matches("newTag").count(), APPS.len());
    }
}
