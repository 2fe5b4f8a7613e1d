//! One bad object never hides the others; a bad cluster is one clear error.

use crate::Field;

#[test]
fn bad_objects_are_reported_and_the_rest_is_shown() {
    let Some(field) = Field::new("badobjects") else { return };
    field.write(
        "all.yaml",
        "\
apiVersion: v1
kind: ConfigMap
metadata: {name: good, namespace: NS}
data: {a: '1'}
---
apiVersion: example.dev/v1
kind: Unknown
metadata: {name: a, namespace: NS}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: nowhere, namespace: there-is-no-such-namespace}
---
apiVersion: v1
kind: Service
metadata: {name: wrong, namespace: NS}
spec: {ports: [{port: 99999}]}
---
apiVersion: v1
kind: Secret
metadata: {name: notbase64, namespace: NS}
data: {password: 'hunter2!'}
",
    );
    let said = field.run("diff -f all.yaml");
    assert_eq!(said.status, 3, "{}", said.stderr);
    for part in [
        "created ConfigMap/badobjects/good",
        "error Unknown/badobjects/a",
        "all.yaml:6",
        "error ConfigMap/there-is-no-such-namespace/nowhere",
        "`there-is-no-such-namespace` does not exist",
        "error Service/badobjects/wrong",
        "spec.ports[0].port",
        "error Secret/badobjects/notbase64",
    ] {
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    }
    assert!(!said.stdout.contains("hunter2"), "{}", said.stdout);
    assert!(said.stderr.contains("1 created, 4 errors"), "{}", said.stderr);
}

#[test]
fn unreadable_is_not_absent() {
    let Some(field) = Field::new("forbidden") else { return };
    field.write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: NS}\n");
    let restricted = field.server.restricted_kubeconfig();
    let said = field.run(&format!("diff -f a.yaml --kubeconfig {}", restricted.display()));
    assert_eq!(said.status, 3, "{}", said.stdout);
    assert!(said.stdout.contains("unverified ConfigMap/forbidden/a"), "{}", said.stdout);
    assert!(!said.stdout.contains("created"), "{}", said.stdout);
}

#[test]
fn a_cluster_that_cannot_be_had_is_one_clear_error() {
    let Some(field) = Field::new("nocluster") else { return };
    field.write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: NS}\n");
    let cases = [
        ("--kubeconfig nowhere.yaml", 2, "nowhere.yaml"),
        ("--context nobody", 2, "nobody"),
        ("--server https://127.0.0.1:1", 3, "127.0.0.1:1"),
        ("--token wrong", 3, "Unauthorized"),
    ];
    for (flags, status, part) in cases {
        let said = field.run(&format!("diff -f a.yaml {flags}"));
        assert_eq!(said.status, status, "{flags}: {}{}", said.stdout, said.stderr);
        assert_eq!(said.stdout, "", "{flags}");
        assert!(said.stderr.starts_with("error: "), "{flags}: {}", said.stderr);
        assert!(said.stderr.contains(part), "{flags}: {}", said.stderr);
    }
    field.write("broken.yaml", "apiVersion: v1\nkind: clusters\n  - [\n");
    let said = field.run("diff -f a.yaml --kubeconfig broken.yaml");
    assert_eq!(said.status, 2, "{}", said.stderr);
}
