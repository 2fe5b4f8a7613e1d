//! One bad object never hides the others; a bad cluster is one clear error.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

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

/// An API server of two kinds that are never there, and that forgets who we
/// are when it is asked for a dry run.
fn forgetful(stream: TcpStream) -> std::io::Result<()> {
    const KINDS: &str = r#"{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2",
        "metadata":{},"items":[{"metadata":{},"versions":[{"version":"v1","resources":[
        {"resource":"configmaps","responseKind":{"kind":"ConfigMap"},"scope":"Namespaced",
         "verbs":["get","list","patch"]}]}]}]}"#;
    const NO_GROUPS: &str = r#"{"kind":"APIGroupDiscoveryList",
        "apiVersion":"apidiscovery.k8s.io/v2","metadata":{},"items":[]}"#;
    const EMPTY: &str = r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{},"items":[]}"#;
    const UNKNOWN: &str = r#"{"kind":"Status","apiVersion":"v1","status":"Failure",
        "reason":"Unauthorized","message":"Unauthorized","code":401}"#;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            if header.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
        }
        reader.read_exact(&mut vec![0; length])?;
        let path = request.split(' ').nth(1).unwrap();
        let (status, body) = match path.split('?').next().unwrap() {
            "/api" => ("200 OK", KINDS),
            "/apis" => ("200 OK", NO_GROUPS),
            _ if request.starts_with("GET ") => ("200 OK", EMPTY),
            _ => ("401 Unauthorized", UNKNOWN),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
    }
}

#[test]
fn a_cluster_that_is_lost_on_the_way_is_one_clear_error() {
    let Some(field) = Field::new("lost") else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || forgetful(stream.unwrap()));
        }
    });
    let object = |name: &str| {
        format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: NS}}\n")
    };
    field.write("all.yaml", &["a", "b", "c", "d"].map(object).concat());
    let said = field.run(&format!("diff -f all.yaml --server http://{address}"));
    assert_eq!(said.status, 3, "{}{}", said.stdout, said.stderr);
    assert_eq!(said.stdout, "");
    assert_eq!(said.stderr.matches("error: ").count(), 1, "{}", said.stderr);
    assert!(said.stderr.contains("does not accept the credentials"), "{}", said.stderr);
}

#[test]
fn names_that_become_one_and_places_that_are_none() {
    let Some(field) = Field::new("places") else { return };
    let plain = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: '1'}\n";
    let full = plain.replace("name: a}", "name: a, namespace: NS}");
    let class = "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\n\
                 metadata: {name: places, namespace: NS}\nvalue: 5\n";
    // The default namespace makes two names one.
    field.write("all.yaml", &format!("{plain}---\n{full}---\n{class}"));
    assert_eq!(
        field.actions("-f all.yaml -n places"),
        ["ConfigMap/a error", "ConfigMap/a created", "PriorityClass/places created"]
    );
    let said = field.run("diff -f all.yaml -n places");
    assert!(said.stdout.contains("it stands twice: the first is at all.yaml:1"), "{}", said.stdout);
    // In another namespace they are two.
    field.write("all.yaml", &format!("{plain}---\n{full}"));
    assert_eq!(
        field.actions("-f all.yaml -n default"),
        ["ConfigMap/a created", "ConfigMap/a created"]
    );

    // A cluster-scoped object that names a namespace is the one without.
    field.write("all.yaml", class);
    field.server.kubectl(&["create", "priorityclass", "places", "--value=5"], "").unwrap();
    assert_eq!(field.actions("-f all.yaml --verify"), ["PriorityClass/places unchanged"]);

    // A List is its items.
    let items = "apiVersion: v1\nkind: List\nitems:\n\
                 - {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n\
                 - {apiVersion: v1, kind: Secret, metadata: {name: y, namespace: NS}}\n";
    field.write("all.yaml", items);
    assert_eq!(
        field.actions("-f all.yaml -n places --verify"),
        ["ConfigMap/x created", "Secret/y created"]
    );
}

#[test]
fn what_comes_along_hides_no_mistake() {
    let Some(field) = Field::new("along") else { return };
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
        metadata: {name: gadgets.along.example.dev}\nspec:\n  group: along.example.dev\n  \
        scope: Namespaced\n  names: {plural: gadgets, singular: gadget, kind: Gadget}\n  \
        versions:\n  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: \
        {type: object, x-kubernetes-preserve-unknown-fields: true}}}\n";
    let gadget =
        "apiVersion: along.example.dev/v1\nkind: Gadget\nmetadata: {name: g, namespace: NS}\n";
    field.write("all.yaml", &format!("{crd}---\n{gadget}"));
    assert_eq!(
        field.actions("-f all.yaml"),
        ["Gadget/g created", "CustomResourceDefinition/gadgets.along.example.dev created"]
    );
    field.server.kubectl(&["apply", "-f", "-"], crd).unwrap();
    let wait = ["wait", "--for=condition=Established", "crd/gadgets.along.example.dev"];
    field.server.kubectl(&wait, "").unwrap();
    let without = gadget.replace(", namespace: NS", "");
    field.write("all.yaml", &format!("{crd}---\n{gadget}---\n{without}"));
    let actions = field.actions("-f all.yaml -n along");
    let gadgets = ["Gadget/g error", "Gadget/g created"];
    assert_eq!(actions[..2], gadgets, "twice is an error, CRD or not");
}
