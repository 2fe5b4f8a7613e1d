//! The prediction is the owner's: Flux takes over, client-side kubectl removes
//! what it stated before, others are left alone. The rows are those of real
//! reconciles by kustomize-controller 1.9.

use crate::Field;

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
