//! The prediction is the owner's: Flux takes over, client-side kubectl removes
//! what it stated before, others are left alone. The rows are those of real
//! reconciles by kustomize-controller 1.9.

use serde_json::Value;

use crate::Field;
use crate::flux::{settled, with_flux_labels};

const FLUX: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: owned
  namespace: NS
  labels:
    kustomize.toolkit.fluxcd.io/name: apps
    kustomize.toolkit.fluxcd.io/namespace: flux-system
data: {a: '1'}
";

const PLAIN: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: owned, namespace: NS}
data: {a: '1'}
";

#[test]
fn flux_takes_over_what_kubectl_users_added() {
    let Some(field) = Field::new("takeover") else { return };
    field.write("owned.yaml", PLAIN);
    field.apply("kustomize-controller", FLUX);
    // The file lacks Flux' labels, and that is no difference.
    let said = field.run("diff -f owned.yaml");
    assert_eq!((said.status, said.stdout.as_str()), (0, ""), "{}", said.stderr);

    field.kubectl(&[
        "-n",
        "takeover",
        "patch",
        "configmap",
        "owned",
        "-p",
        r#"{"data":{"b":"2"}}"#,
    ]);
    let said = field.run("diff -f owned.yaml");
    assert_eq!(said.status, 1, "kubectl diff and flux diff miss this: {}", said.stderr);
    assert!(said.stdout.contains("applied as kustomize-controller"), "{}", said.stdout);
    assert!(said.stdout.contains("-  b: \"2\""), "{}", said.stdout);
}

#[test]
fn flux_leaves_what_other_managers_own() {
    let Some(field) = Field::new("cowned") else { return };
    field.write("owned.yaml", PLAIN);
    field.apply("kustomize-controller", FLUX);
    let more = PLAIN.replace("a: '1'", "c: '3'");
    field.apply("some-operator", &more);
    assert_eq!(field.run("diff -f owned.yaml").status, 0);
}

#[test]
fn a_default_comes_back_where_a_taken_over_field_goes() {
    let Some(field) = Field::new("defaults") else { return };
    let deployment = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: NS
  labels:
    kustomize.toolkit.fluxcd.io/name: apps
    kustomize.toolkit.fluxcd.io/namespace: flux-system
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'web:1'}]}
";
    field.write("web.yaml", deployment);
    field.apply("kustomize-controller", deployment);
    let patch = r#"{"spec":{"revisionHistoryLimit":3,"minReadySeconds":2}}"#;
    field.kubectl(&["-n", "defaults", "patch", "deployment", "web", "-p", patch]);
    let said = field.run("diff -f web.yaml");
    assert_eq!(said.status, 1, "{}", said.stderr);
    for line in
        ["-  minReadySeconds: 2", "-  revisionHistoryLimit: 3", "+  revisionHistoryLimit: 10"]
    {
        assert!(said.stdout.contains(line), "{line}: {}", said.stdout);
    }
}

#[test]
fn client_side_kubectl_removes_what_the_file_no_longer_states() {
    let Some(field) = Field::new("clientside") else { return };
    let before = PLAIN.replace("{a: '1'}", "{a: '1', gone: '2'}").replace("NS", "clientside");
    field.server.kubectl(&["apply", "-f", "-"], &before).unwrap();
    field.write("owned.yaml", &before);
    let said = field.run("diff -f owned.yaml");
    assert_eq!((said.status, said.stdout.as_str()), (0, ""), "{}", said.stderr);
    field.write("owned.yaml", PLAIN);
    let said = field.run("diff -f owned.yaml");
    assert_eq!(said.status, 1, "{}", said.stderr);
    assert!(said.stdout.contains("-  gone: \"2\""), "{}", said.stdout);
}

#[test]
fn conflicts_are_reported_as_kubectl_does_when_asked_to() {
    let Some(field) = Field::new("conflicts") else { return };
    field.apply("someone", PLAIN);
    field.write("owned.yaml", &PLAIN.replace("a: '1'", "a: '2'"));
    let said = field.run("diff -f owned.yaml --server-side");
    assert_eq!(said.status, 3, "{}", said.stdout);
    assert!(said.stdout.contains("someone"), "{}", said.stdout);
    assert_eq!(field.run("diff -f owned.yaml --server-side --force-conflicts").status, 1);
}

/// A Deployment and a ConfigMap in Git; `NAME` is replaced.
const APP: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: NS, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web:1
        env: [{name: KEPT, value: k}, {name: OWN, value: o}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: NAME, namespace: NS}
data: {kept: k, own: o}
";

/// A change to the live objects after the apply, then what Git and the next
/// reconcile make of it.
struct Row {
    /// The row of the table of real reconciles.
    name: &'static str,
    /// kubectl's words, and what it reads; `APP` stands for the manifest.
    steps: &'static [(&'static str, &'static str)],
    /// What Git replaces, and by what.
    git: &'static [(&'static str, &'static str)],
    /// The lines that the prediction has; none where nothing changes.
    lines: &'static [&'static str],
}

const MORE: &str = r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "NAME",
    "namespace": "NS", "annotations": {"more": "m"}}, "spec": {"template": {"spec": {"containers":
    [{"name": "web", "env": [{"name": "MORE", "value": "m"}]}]}}}}"#;
const IMAGE: &str = r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "NAME",
    "namespace": "NS"}, "spec": {"template": {"spec": {"containers":
    [{"name": "web", "image": "web:2"}]}}}}"#;
const LABEL_AND_ENV: &str = r#"{"metadata":{"labels":{"more":"m"}},"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"MORE","value":"m"}]}]}}}}"#;

const ROWS: [Row; 20] = [
    Row {
        name: "a",
        steps: &[("apply --server-side --field-manager=kubectl-edit -f -", MORE)],
        git: &[],
        lines: &["-    more: m", "-        - name: MORE"],
    },
    Row {
        name: "b",
        steps: &[(
            "apply --server-side --force-conflicts --field-manager=kubectl-edit -f -",
            IMAGE,
        )],
        git: &[],
        lines: &["web:2", "web:1"],
    },
    Row {
        name: "c",
        steps: &[
            ("patch deployment NAME -p PATCH", LABEL_AND_ENV),
            ("patch configmap NAME -p PATCH", r#"{"data":{"more":"m"}}"#),
        ],
        git: &[],
        lines: &["-    more: m", "-        - name: MORE", "-  more: m"],
    },
    Row {
        name: "d",
        steps: &[("set image deployment/NAME web=web:2", "")],
        git: &[],
        lines: &["web:2", "web:1"],
    },
    Row {
        name: "e",
        steps: &[("scale deployment NAME --replicas=5", "")],
        git: &[],
        lines: &["-  replicas: 5", "+  replicas: 2"],
    },
    Row {
        name: "e-not-in-git",
        steps: &[("scale deployment NAME --replicas=5", "")],
        git: &[("  replicas: 2\n", "")],
        lines: &[],
    },
    Row {
        name: "f",
        steps: &[("patch deployment NAME --field-manager=some-operator -p PATCH", LABEL_AND_ENV)],
        git: &[],
        lines: &[],
    },
    Row {
        name: "g",
        steps: &[("set image deployment/NAME web=web:2 --field-manager=some-operator", "")],
        git: &[],
        lines: &["web:2", "web:1"],
    },
    Row {
        name: "h",
        steps: &[
            ("apply -f -", "APP"),
            ("apply -f -", "APP app: web}}\nspec:=>app: web, more: m}}\nspec:"),
        ],
        git: &[],
        lines: &["-    more: m"],
    },
    Row {
        name: "i",
        steps: &[(
            "patch deployment NAME --type=json -p PATCH",
            r#"[{"op":"remove","path":"/spec/template/spec/containers/0/env/1"}]"#,
        )],
        git: &[],
        lines: &["+        - name: OWN"],
    },
    Row {
        name: "j",
        steps: &[
            ("annotate deployment NAME kustomize.toolkit.fluxcd.io/ssa=Merge", ""),
            ("label deployment NAME more=m", ""),
        ],
        git: &[],
        lines: &[],
    },
    Row {
        name: "k",
        steps: &[(
            "patch deployment NAME -p PATCH",
            r#"{"spec":{"revisionHistoryLimit":3,"minReadySeconds":2}}"#,
        )],
        git: &[],
        lines: &[
            "-  minReadySeconds: 2",
            "-  revisionHistoryLimit: 3",
            "+  revisionHistoryLimit: 10",
        ],
    },
    Row {
        name: "l",
        steps: &[("rollout restart deployment NAME", "")],
        git: &[],
        lines: &["kubectl.kubernetes.io/restartedAt"],
    },
    Row {
        name: "m",
        steps: &[("label deployment NAME more=m --field-manager=k9s", "")],
        git: &[],
        lines: &[],
    },
    Row {
        name: "n",
        steps: &[("apply -f -", "APP")],
        git: &[(", {name: OWN, value: o}", ""), (", own: o", "")],
        lines: &["-        - name: OWN", "-  own: o"],
    },
    Row {
        name: "o",
        steps: &[("apply --server-side --field-manager=helm -f -", "APP")],
        git: &[(", {name: OWN, value: o}", ""), (", own: o", "")],
        lines: &[],
    },
    Row {
        name: "p",
        steps: &[
            ("delete deployment,configmap NAME", ""),
            // Not `kubectl apply`: its server-side apply would do the takeover itself.
            (
                "create --field-manager=kubectl-client-side-apply -f -",
                "APP name: OWN=>name: MORE, value: m}, {name: OWN",
            ),
            ("adopt", ""),
        ],
        git: &[],
        lines: &["-        - name: MORE"],
    },
    Row {
        name: "disabled",
        steps: &[
            ("annotate deployment NAME kustomize.toolkit.fluxcd.io/reconcile=disabled", ""),
            ("set image deployment/NAME web=web:2", ""),
        ],
        git: &[],
        lines: &[
            "skipped Deployment/rows/row-disabled",
            "the cluster has kustomize.toolkit.fluxcd.io/reconcile: disabled",
        ],
    },
    Row {
        name: "ignored",
        steps: &[("set image deployment/NAME web=web:2", "")],
        git: &[(
            "labels: {app: web}}\nspec:",
            "labels: {app: web, kustomize.toolkit.fluxcd.io/ssa: Ignore}}\nspec:",
        )],
        lines: &[
            "skipped Deployment/rows/row-ignored",
            "Git has kustomize.toolkit.fluxcd.io/ssa: Ignore",
        ],
    },
    Row {
        name: "once",
        steps: &[("delete configmap NAME", ""), ("set image deployment/NAME web=web:2", "")],
        git: &[
            (
                "labels: {app: web}}\nspec:",
                "annotations: {kustomize.toolkit.fluxcd.io/ssa: IfNotPresent}}\nspec:",
            ),
            (
                "NAME, namespace: NS}\ndata",
                "NAME, namespace: NS, annotations: {kustomize.toolkit.fluxcd.io/ssa: IfNotPresent}}\ndata",
            ),
        ],
        lines: &["skipped Deployment/rows/row-once", "created ConfigMap/rows/row-once"],
    },
];

fn objects(manifest: &str) -> Vec<Value> {
    let read = gitops_yaml::read(gitops_yaml::FileId(0), manifest.as_bytes()).unwrap();
    read.into_iter().map(|document| document.root.unwrap().to_json().unwrap()).collect()
}

#[test]
fn each_row_of_real_reconciles_is_predicted() {
    let Some(field) = Field::new("rows") else { return };
    for row in &ROWS {
        let fill =
            |text: &str| text.replace("NAME", &format!("row-{}", row.name)).replace("NS", "rows");
        let app = fill(APP);
        let labelled: Vec<Value> = objects(&app).iter().map(with_flux_labels).collect();
        assert!(field.apply_all("kustomize-controller", &labelled).status.success());
        for (words, input) in row.steps {
            if *words == "adopt" {
                assert!(field.apply_all("kustomize-controller", &labelled).status.success());
                continue;
            }
            let input = match input.strip_prefix("APP") {
                Some("") => app.clone(),
                Some(edit) => {
                    let (from, to) = edit[1..].split_once("=>").unwrap();
                    assert!(app.contains(from), "row {}", row.name);
                    app.replacen(from, to, 1)
                }
                None => fill(input),
            };
            let words = fill(words);
            let mut arguments = vec!["-n", "rows"];
            arguments
                .extend(words.split(' ').map(|word| if word == "PATCH" { &*input } else { word }));
            field.server.kubectl(&arguments, &input).unwrap();
        }
        let mut git = APP.to_owned();
        for (from, to) in row.git {
            assert!(git.contains(from), "row {}", row.name);
            git = git.replacen(from, to, 1);
        }
        let git = fill(&git);
        field.write("app.yaml", &git);
        let said = field.run("diff -f app.yaml");
        for line in row.lines {
            assert!(
                said.stdout.contains(line),
                "row {}: {line}: {}{}",
                row.name,
                said.stdout,
                said.stderr
            );
        }
        if said.stdout.contains("skipped ") {
            assert!(!said.stdout.contains("web:2"), "row {}: {}", row.name, said.stdout);
            continue;
        }
        let status = i32::from(!row.lines.is_empty());
        assert_eq!(said.status, status, "row {}: {}{}", row.name, said.stdout, said.stderr);

        let desired = objects(&git);
        let before = field.live(desired.iter());
        field.reconcile(&desired);
        let after = field.live(desired.iter());
        let changed = before.iter().any(|(id, before)| settled(before) != settled(&after[id]));
        assert_eq!(changed, status == 1, "row {}", row.name);
        let said = field.run("diff -f app.yaml");
        assert_eq!((said.status, said.stdout.as_str()), (0, ""), "row {}", row.name);
    }
}
