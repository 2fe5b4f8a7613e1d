//! What differs, and what does not.

use crate::Field;

const APP: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: NS}
data: {a: '1', b: '2'}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example/web:1
        ports: [{containerPort: 80}, {containerPort: 53, protocol: UDP}]
        env:
        - {name: A, value: x}
        - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
        - {name: CPU, valueFrom: {resourceFieldRef: {resource: requests.cpu}}}
        resources: {requests: {cpu: 100m}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NS}
spec:
  selector: {app: web}
  ports: [{port: 80}]
---
apiVersion: v1
kind: Secret
metadata: {name: login, namespace: NS}
data: {password: aHVudGVyMi1odW50ZXIy}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: runner, namespace: NS}
";

#[test]
fn applied_objects_are_unchanged_and_mostly_not_asked_about() {
    let Some(field) = Field::new("unchanged") else { return };
    field.write("app.yaml", APP);
    field.apply("kubectl", APP);
    let said = field.run("diff -f app.yaml -v");
    assert_eq!((said.status, said.stdout.as_str()), (0, ""), "{}", said.stderr);
    assert!(said.stderr.contains("5 unchanged"), "{}", said.stderr);
    assert!(said.stderr.contains("5 of them proved unchanged"), "{}", said.stderr);
    // The exhaustive path agrees.
    let said = field.run("diff -f app.yaml --verify");
    assert_eq!((said.status, said.stdout.as_str()), (0, ""), "{}", said.stderr);
}

#[test]
fn absent_objects_are_created_as_the_server_would_make_them() {
    let Some(field) = Field::new("created") else { return };
    field.write("app.yaml", APP);
    let said = field.run("diff -f app.yaml");
    assert_eq!(said.status, 1, "{}", said.stderr);
    assert!(said.stdout.contains("created Deployment/created/web"), "{}", said.stdout);
    // A default that only the server knows.
    assert!(said.stdout.contains("+        terminationMessagePath: /dev/termination-log"));
    assert!(said.stderr.contains("5 created"), "{}", said.stderr);
}

#[test]
fn each_kind_of_drift_is_found_at_its_line() {
    let Some(field) = Field::new("drift") else { return };
    field.write("app.yaml", APP);
    field.apply("kubectl", APP);
    field.kubectl(&["-n", "drift", "set", "image", "deployment/web", "web=registry.example/web:2"]);
    field.kubectl(&[
        "-n",
        "drift",
        "patch",
        "configmap",
        "settings",
        "-p",
        r#"{"data":{"a":"9"}}"#,
    ]);
    let said = field.run("diff -f app.yaml");
    assert_eq!(said.status, 1);
    for line in [
        "configured ConfigMap/drift/settings",
        "app.yaml:1, applied as kubectl",
        "-  a: \"9\"",
        "+  a: \"1\"",
        "-      - image: registry.example/web:2",
    ] {
        let near = line.trim_start_matches(['-', '+', ' ']);
        assert!(
            said.stdout.contains(line) || said.stdout.contains(near),
            "{line}: {}",
            said.stdout
        );
    }
    assert!(said.stderr.contains("2 configured, 3 unchanged"), "{}", said.stderr);
    let json = field.run("diff -f app.yaml -o json").stdout;
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    let changes = document["comparisons"][0]["changes"].as_array().unwrap();
    let web = changes.iter().find(|change| change["object"]["kind"] == "Deployment").unwrap();
    assert_eq!(web["fields"].as_array().unwrap().len(), 1, "{web}");
    assert_eq!(web["fields"][0]["pointer"], "/spec/template/spec/containers/0/image");
    assert_eq!(web["fields"][0]["source"]["path"], "app.yaml", "{web}");
    assert_eq!(web["fields"][0]["source"]["line"], 17, "{web}");
    assert_eq!(web["manager"], "kubectl");
}

#[test]
fn no_byte_of_a_secret_is_printed() {
    let Some(field) = Field::new("sealed") else { return };
    field.write("app.yaml", APP);
    field.apply("kubectl", APP);
    let other = APP.replace("aHVudGVyMi1odW50ZXIy", "Y29ycmVjdC1ob3JzZQ==");
    field.write("other.yaml", &other);
    for line in
        ["diff -f other.yaml", "diff -f other.yaml -o json", "diff -f other.yaml -v --verify"]
    {
        let said = field.run(line);
        assert_eq!(said.status, 1, "{}", said.stderr);
        let all = said.stdout + &said.stderr;
        assert!(all.contains("(sealed "), "{all}");
        for secret in ["aHVudGVyMi1odW50ZXIy", "hunter2", "Y29ycmVjdC1ob3JzZQ", "correct-horse"] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
    }
}

#[test]
fn the_same_objects_differ_as_for_kubectl() {
    let Some(field) = Field::new("peer") else { return };
    field.apply("kubectl", APP);
    let edits: [(&str, &str); 8] = [
        ("replicas: 2", "replicas: 3"),
        ("value: x", "value: z"),
        ("{port: 80}", "{port: 81}"),
        ("a: '1'", "a: '1', c: '3'"),
        ("cpu: 100m", "cpu: 200m"),
        ("cpu: 100m", "cpu: 0.1"),
        (", labels: {app: web}}\nspec:\n  replicas", "}\nspec:\n  replicas"),
        (", {containerPort: 53, protocol: UDP}", ""),
    ];
    for (from, to) in edits {
        let edited = APP.replace(from, to);
        assert_ne!(edited, APP, "{from}");
        field.write("app.yaml", &edited);
        let ours: Vec<String> = field
            .actions("-f app.yaml --verify")
            .into_iter()
            .filter(|change| change.ends_with(" configured"))
            .map(|change| change.split(' ').next().unwrap().to_owned())
            .collect();
        let arguments = ["diff", "--server-side", "--force-conflicts", "-f", "-"];
        let peer = field.server.kubectl_output(&arguments, &edited.replace("NS", "peer")).unwrap();
        assert!(matches!(peer.status.code(), Some(0 | 1)), "{peer:?}");
        let peer = String::from_utf8(peer.stdout).unwrap();
        let mut theirs: Vec<String> = peer
            .lines()
            .filter_map(|line| line.strip_prefix("+++ ")?.split('\t').next()?.rsplit('/').next())
            .map(|file| {
                let parts: Vec<&str> = file.split('.').collect();
                format!("{}/{}", parts[parts.len() - 3], parts[parts.len() - 1])
            })
            .collect();
        theirs.sort();
        let mut sorted = ours.clone();
        sorted.sort();
        assert_eq!(sorted, theirs, "{from} → {to}");
    }
}

#[test]
fn stdin_and_folders_and_kustomizations() {
    let Some(field) = Field::new("inputs") else { return };
    field.write("app.yaml", APP);
    field.apply("kubectl", APP);
    field.stage.shell("mkdir -p k/deep && cp app.yaml k/deep/ && mv app.yaml k/");
    field.write("k/kustomization.yaml", "resources: [app.yaml]\n");
    assert_eq!(field.run("diff -k k").status, 0);
    assert_eq!(field.stage.shell("kubectl gitops diff -f - < k/app.yaml").status, 0);
    let said = field.run("diff -f k/deep -f k/app.yaml");
    assert_eq!(said.status, 2, "the same objects twice: {}", said.stdout);
    assert!(said.stderr.contains("k/deep/app.yaml:1"), "{}", said.stderr);
    assert_eq!(field.run("diff -f k/deep").status, 0);
    let said = field.run("diff -f . -n inputs");
    assert_eq!(said.status, 2, "no manifest at this level: {}", said.stdout);
    assert!(said.stderr.contains("holds no"), "{}", said.stderr);
}
