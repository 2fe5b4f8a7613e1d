//! Invariant 1 on the wire: what the API server's audit log holds of us.

use crate::Field;

#[test]
fn every_request_is_a_read_or_a_dry_run() {
    let Some(field) = Field::new("wire") else { return };
    field.write(
        "a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: NS}\ndata: {a: '1'}\n\
         ---\napiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: NS}\n\
         stringData: {p: hunter2}\n",
    );
    field.run("diff -f a.yaml");
    field.apply(
        "kustomize-controller",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: NS, labels: {\
         kustomize.toolkit.fluxcd.io/name: x, kustomize.toolkit.fluxcd.io/namespace: z}}\n\
         data: {a: '1'}\n",
    );
    field.kubectl(&["-n", "wire", "patch", "configmap", "a", "-p", r#"{"data":{"b":"2"}}"#]);
    assert_eq!(field.run("diff -f a.yaml").status, 1);
    assert_eq!(field.run("diff -f a.yaml --verify").status, 1);
    let ours: Vec<_> =
        field.server.audit().unwrap().into_iter().filter(|entry| entry.user == "tool").collect();
    let in_here = |verb: &str| ours.iter().any(|e| e.verb == verb && e.uri.contains("/wire/"));
    assert!(in_here("patch") && in_here("update"), "the test must see dry runs of both kinds");
    for entry in ours {
        assert!(entry.is_harmless(), "{} {}", entry.verb, entry.uri);
        assert!(!entry.uri.contains("hunter2"));
    }
}
