//! What a well-behaved API server does not do on demand: a scripted one on
//! loopback answers.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gitops_cluster::{
    ApplyError, ApplyOptions, Cluster, ClusterError, List, Options, Validation, Write,
};
use serde_json::{Value, json};

/// One answer: status, headers, body.
type Reply = (u16, Vec<(&'static str, &'static str)>, String);
/// From `METHOD uri` and how often it was asked before.
type Script = dyn Fn(&str, usize) -> Option<Reply> + Send + Sync;

struct Fake {
    address: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// A server that answers by `script`, and 404 to the rest. Its threads
    /// end with the process.
    fn start(script: impl Fn(&str, usize) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Script> = Arc::new(script);
        let seen = Arc::clone(&log);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
                std::thread::spawn(move || serve(stream.unwrap(), &*script, &seen));
            }
        });
        Self { address, log }
    }

    async fn cluster(&self) -> Cluster {
        let options = Options {
            kubeconfig: Some(PathBuf::from("/dev/null")),
            server: Some(self.address.clone()),
            request_timeout: Some(Duration::from_secs(5)),
            ..Options::default()
        };
        Cluster::connect(options).await.unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, script: &Script, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let request = first.trim().trim_end_matches(" HTTP/1.1").to_owned();
    let before = {
        let mut log = log.lock().unwrap();
        let before = log.iter().filter(|earlier| **earlier == request).count();
        log.push(request.clone());
        before
    };
    let (code, headers, body) = script(&request, before)
        .unwrap_or_else(|| (404, Vec::new(), "404 page not found".to_owned()));
    let mut answer = format!("HTTP/1.1 {code} X\r\nConnection: close\r\n");
    for (name, value) in headers {
        answer.push_str(&format!("{name}: {value}\r\n"));
    }
    answer.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    // A client that gave up is part of some tests.
    let _ = (&stream).write_all(answer.as_bytes());
}

fn ok(body: &Value) -> Option<Reply> {
    Some((200, Vec::new(), body.to_string()))
}

fn status(code: u16, reason: &str, message: &str) -> Option<Reply> {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": reason, "message": message});
    Some((code, Vec::new(), body.to_string()))
}

/// Aggregated discovery of one custom kind and ConfigMap.
fn discovery(request: &str) -> Option<Reply> {
    let version = |group: &str, kind: &str, plural: &str| {
        json!({"metadata": {"name": group}, "versions": [{"version": "v1", "freshness": "Current",
            "resources": [{"resource": plural, "scope": "Namespaced", "verbs": ["get", "list", "patch"],
                "responseKind": {"group": group, "version": "v1", "kind": kind}}]}]})
    };
    let list = |items: Vec<Value>| {
        ok(&json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
            "items": items}))
    };
    match request {
        "GET /api" => list(vec![version("", "ConfigMap", "configmaps")]),
        "GET /apis" => list(vec![version("custom.example", "Gadget", "gadgets")]),
        _ => None,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

const FORCE: ApplyOptions<'_> =
    ApplyOptions { field_manager: "m", force: true, validation: Validation::Warn };

#[test]
fn an_overloaded_server_is_asked_again_when_it_says() {
    runtime().block_on(async {
        let fake = Fake::start(|request, before| match (request, before) {
            ("GET /api/v1/namespaces/a/configmaps/x", 0) => {
                Some((429, vec![("Retry-After", "1")], "slow down".to_owned()))
            }
            ("GET /api/v1/namespaces/a/configmaps/x", 1) => {
                Some((503, vec![("Retry-After", "0")], String::new()))
            }
            ("GET /api/v1/namespaces/a/configmaps/x", _) => {
                ok(&json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "x"}}))
            }
            ("GET /api/v1/namespaces/a/configmaps/dead", _) => {
                status(503, "ServiceUnavailable", "no")
            }
            _ => discovery(request),
        });
        let cluster = fake.cluster().await;
        let discovery = cluster.discover().await.unwrap();
        let target = |name| discovery.target("v1", "ConfigMap", Some("a"), name, "a").unwrap();
        let begin = Instant::now();
        assert!(cluster.get(&target("x")).await.unwrap().is_some());
        assert!(begin.elapsed() >= Duration::from_secs(1), "Retry-After is obeyed");
        let error = cluster.get(&target("dead")).await.err().unwrap();
        assert_eq!(
            error.to_string(),
            "GET /api/v1/namespaces/a/configmaps/dead: no (ServiceUnavailable)"
        );
    });
}

#[test]
fn only_a_not_found_of_that_object_is_absence() {
    runtime().block_on(async {
        let fake = Fake::start(|request, _| {
            let name = request.rsplit('/').next().unwrap();
            match name {
                "page" => None,
                "proxy" => Some((404, Vec::new(), "<html>not here</html>".to_owned())),
                "bare" => {
                    status(404, "NotFound", "the server could not find the requested resource")
                }
                "html" => Some((200, Vec::new(), "<html>sign in</html>".to_owned())),
                "other" => ok(&json!({"kind": "ConfigMap", "metadata": {"name": "another"}})),
                "gone" => Some((
                    404,
                    Vec::new(),
                    json!({"kind": "Status", "reason": "NotFound",
                    "message": "configmaps \"gone\" not found",
                    "details": {"name": "gone", "kind": "configmaps"}})
                    .to_string(),
                )),
                _ => discovery(request),
            }
        });
        let cluster = fake.cluster().await;
        let discovery = cluster.discover().await.unwrap();
        let get = async |name| {
            let target = discovery.target("v1", "ConfigMap", Some("a"), name, "a").unwrap();
            cluster.get(&target).await
        };
        assert!(get("gone").await.unwrap().is_none());
        for name in ["page", "proxy", "bare"] {
            let error = get(name).await.err().unwrap();
            assert!(matches!(error, ClusterError::Refused { .. }), "{name}: {error}");
        }
        for name in ["html", "other"] {
            let error = get(name).await.err().unwrap();
            assert!(matches!(error, ClusterError::UnexpectedAnswer { .. }), "{name}: {error}");
            assert!(!error.to_string().contains("sign in"), "{error}");
        }
    });
}

#[test]
fn pages_that_expire_are_read_again_in_one_piece() {
    runtime().block_on(async {
        let page = |names: &[&str], next: &str| {
            let items: Vec<Value> =
                names.iter().map(|name| json!({"metadata": {"name": name}})).collect();
            ok(&json!({"kind": "ConfigMapList", "metadata": {"continue": next}, "items": items}))
        };
        let fake = Fake::start(move |request, _| match request {
            "GET /api/v1/namespaces/a/configmaps?limit=500" => page(&["old"], "a/b+c"),
            "GET /api/v1/namespaces/a/configmaps?limit=500&continue=a%2Fb%2Bc" => {
                status(410, "Expired", "The provided continue parameter is too old")
            }
            "GET /api/v1/namespaces/a/configmaps" => page(&["one", "two"], ""),
            _ => discovery(request),
        });
        let cluster = fake.cluster().await;
        let discovery = cluster.discover().await.unwrap();
        let resource = discovery.lookup("v1", "ConfigMap").unwrap();
        let list = List { namespace: Some("a"), ..List::default() };
        let listing = cluster.list(resource, list).await.unwrap();
        let names: Vec<&str> = listing.items.iter().map(|live| live.name()).collect();
        assert_eq!(names, ["one", "two"]);
        assert_eq!(listing.items[0].json["kind"], "ConfigMap");
    });
}

#[test]
fn old_servers_are_discovered_group_by_group() {
    runtime().block_on(async {
        let kinds = |kind: &str, plural: &str| {
            ok(&json!({"kind": "APIResourceList", "resources": [
                {"name": plural, "kind": kind, "namespaced": true, "verbs": ["get"]},
                {"name": format!("{plural}/status"), "kind": "Other", "namespaced": true, "verbs": ["get"]},
            ]}))
        };
        let fake = Fake::start(move |request, _| match request {
            "GET /api" => ok(&json!({"kind": "APIVersions", "versions": ["v1"]})),
            "GET /apis" => ok(&json!({"kind": "APIGroupList", "groups": [
                {"name": "apps", "versions": [{"version": "v1"}]},
                {"name": "broken.example", "versions": [{"version": "v1"}]},
            ]})),
            "GET /api/v1" => kinds("ConfigMap", "configmaps"),
            "GET /apis/apps/v1" => kinds("Deployment", "deployments"),
            "GET /apis/broken.example/v1" => status(503, "ServiceUnavailable", "no endpoints"),
            _ => None,
        });
        let discovery = fake.cluster().await.discover().await.unwrap();
        assert!(discovery.lookup("v1", "ConfigMap").is_some());
        assert_eq!(discovery.lookup("apps/v1", "Deployment").unwrap().plural, "deployments");
        assert!(discovery.lookup("apps/v1", "Other").is_none());
        // Unknown is not absent.
        let error = discovery.target("broken.example/v1", "X", None, "x", "a").unwrap_err();
        assert!(matches!(error, ClusterError::Stale { .. }), "{error}");
        assert!(error.to_string().contains("no endpoints"), "{error}");
    });
}

#[test]
fn a_stale_version_is_asked_for_directly() {
    runtime().block_on(async {
        let fake = Fake::start(|request, _| match request {
            "GET /api" => discovery(request),
            "GET /apis" => ok(&json!({"kind": "APIGroupDiscoveryList", "items": [
                {"metadata": {"name": "metrics.example"}, "versions": [
                    {"version": "v1", "freshness": "Stale", "resources": []}]}]})),
            "GET /apis/metrics.example/v1" => ok(&json!({"kind": "APIResourceList", "resources": [
                {"name": "widgets", "kind": "Widget", "namespaced": true, "verbs": ["get"]}]})),
            _ => None,
        });
        let discovery = fake.cluster().await.discover().await.unwrap();
        assert!(discovery.lookup("metrics.example/v1", "Widget").is_some());
    });
}

#[test]
fn what_is_no_api_server_is_said_to_be_none() {
    runtime().block_on(async {
        let fake = Fake::start(|_, _| Some((200, Vec::new(), "<html>sign in</html>".to_owned())));
        let error = fake.cluster().await.discover().await.unwrap_err();
        assert!(matches!(error, ClusterError::UnexpectedAnswer { .. }), "{error}");
        let fake = Fake::start(|_, _| ok(&json!({"kind": "PodList", "items": []})));
        let error = fake.cluster().await.discover().await.unwrap_err();
        assert!(error.to_string().contains("PodList"), "{error}");
    });
}

/// The server behind an aggregated API might store what is sent as a dry run.
#[test]
fn a_server_that_does_not_declare_dry_runs_is_not_sent_one() {
    let operation = |parameters: Value| {
        json!({"paths": {"/apis/custom.example/v1/namespaces/{namespace}/gadgets/{name}": {
            "patch": {"parameters": parameters, "x-kubernetes-group-version-kind":
                {"group": "custom.example", "version": "v1", "kind": "Gadget"}}}}})
    };
    let services = |service: Value| {
        json!({"kind": "APIServiceList", "metadata": {}, "items": [{"spec":
            {"group": "custom.example", "version": "v1", "service": service}}]})
    };
    let aggregated = json!({"name": "gadgets", "namespace": "a"});
    let without = operation(json!([{"name": "pretty", "in": "query"}]));
    let with = operation(json!([{"name": "dryRun", "in": "query"}]));
    // The services as seen, the document as served, and whether it may be sent.
    let cases: HashMap<&str, (Option<Value>, Option<Value>, bool)> = HashMap::from([
        ("local", (Some(services(Value::Null)), None, true)),
        ("aggregated, declared", (Some(services(aggregated.clone())), Some(with.clone()), true)),
        ("aggregated, not declared", (Some(services(aggregated.clone())), Some(without), false)),
        ("aggregated, no document", (Some(services(aggregated)), None, false)),
        ("services hidden, declared", (None, Some(with), true)),
        ("services hidden, no document", (None, None, false)),
    ]);
    runtime().block_on(async {
        for (name, (services, document, may)) in cases {
            let fake = Fake::start(move |request, _| match request {
                "GET /apis/apiregistration.k8s.io/v1/apiservices?limit=500" => match &services {
                    Some(services) => ok(services),
                    None => status(403, "Forbidden", "apiservices is forbidden"),
                },
                "GET /openapi/v3/apis/custom.example/v1" => ok(document.as_ref()?),
                request if request.starts_with("PATCH ") => {
                    ok(&json!({"kind": "Gadget", "metadata": {"name": "g"}}))
                }
                _ => discovery(request),
            });
            let cluster = fake.cluster().await;
            let discovery = cluster.discover().await.unwrap();
            let target = discovery.target("custom.example/v1", "Gadget", None, "g", "a").unwrap();
            let body = json!({"apiVersion": "custom.example/v1", "kind": "Gadget",
                "metadata": {"name": "g"}});
            for _ in 0..2 {
                let result = cluster.dry_run(&target, Write::Apply(&body), FORCE).await;
                match result {
                    Ok(_) => assert!(may, "{name}"),
                    Err(ApplyError::NoDryRun { .. } | ApplyError::Cluster(_)) => {
                        assert!(!may, "{name}");
                    }
                    Err(error) => panic!("{name}: {error}"),
                }
            }
            let patches = fake.asked().iter().filter(|asked| asked.starts_with("PATCH ")).count();
            assert_eq!(patches, if may { 2 } else { 0 }, "{name}: {:?}", fake.asked());
            assert!(
                fake.asked()
                    .iter()
                    .all(|asked| asked.starts_with("GET ") || asked.contains("?dryRun=All&")),
                "{name}"
            );
        }
    });
}

#[test]
fn a_broken_connection_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for (index, stream) in listener.incoming().enumerate() {
            let stream = stream.unwrap();
            // Two answers of discovery, then one connection cut, then answers.
            if index == 2 {
                drop(stream);
                continue;
            }
            let script = |request: &str, _: usize| {
                discovery(request).or_else(|| {
                    ok(&json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "x"}}))
                })
            };
            serve(stream, &script, &Mutex::default());
        }
    });
    runtime().block_on(async {
        let cluster = Cluster::connect(Options {
            kubeconfig: Some(PathBuf::from("/dev/null")),
            server: Some(address),
            ..Options::default()
        });
        let cluster = cluster.await.unwrap();
        let discovery = cluster.discover().await.unwrap();
        let target = discovery.target("v1", "ConfigMap", Some("a"), "x", "a").unwrap();
        assert!(cluster.get(&target).await.unwrap().is_some());
    });
}
