//! Against a real API server.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::OnceLock;

use gitops_cluster::{
    ApplyError, ApplyOptions, Ask, Cluster, ClusterError, Discovery, List, Options, Patch, Target,
    Validation, Write,
};
use gitops_test_cluster as testing;
use serde_json::{Value, json};

const MANAGER: &str = "kustomize-controller";
const FORCE: ApplyOptions<'_> =
    ApplyOptions { field_manager: MANAGER, force: true, validation: Validation::Warn };

/// One server for all tests of this file; it goes when the process does.
fn shared() -> Option<&'static testing::Cluster> {
    static SHARED: OnceLock<Option<testing::Cluster>> = OnceLock::new();
    let options = testing::Options { audit: true, ..Default::default() };
    SHARED.get_or_init(|| testing::start_or_skip(&options)).as_ref()
}

/// A test with a namespace of its own.
struct Stage {
    server: &'static testing::Cluster,
    cluster: Cluster,
    discovery: Discovery,
    namespace: &'static str,
}

impl Stage {
    fn apply(&self, objects: &Value) {
        let arguments = ["apply", "--server-side", "--field-manager", MANAGER, "-f", "-"];
        self.server.kubectl(&arguments, &objects.to_string()).unwrap();
    }

    fn target(&self, api_version: &str, kind: &str, name: &str) -> Target {
        self.discovery.target(api_version, kind, None, name, self.namespace).unwrap()
    }

    fn config_map(&self, name: &str, value: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self.namespace}, "data": {"key": value}})
    }
}

fn options(kubeconfig: PathBuf) -> Options {
    Options { kubeconfig: Some(kubeconfig), ..Options::default() }
}

fn run<F: Future<Output = ()>>(namespace: &'static str, test: impl FnOnce(Stage) -> F) {
    let Some(server) = shared() else { return };
    server.kubectl(&["create", "namespace", namespace], "").unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut options = options(server.kubeconfig());
        options.namespace = Some(namespace.to_owned());
        let cluster = Cluster::connect(options).await.unwrap();
        let discovery = cluster.discover().await.unwrap();
        test(Stage { server, cluster, discovery, namespace }).await;
    });
}

fn list_of(items: Vec<Value>) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

#[test]
fn discovery_knows_kinds_scopes_and_versions() {
    run("discovery", |stage| async move {
        let deployment = stage.discovery.lookup("apps/v1", "Deployment").unwrap();
        assert_eq!((deployment.plural.as_str(), deployment.namespaced), ("deployments", true));
        assert!(deployment.verbs.iter().any(|verb| verb == "patch"));
        let namespace = stage.target("v1", "Namespace", "discovery");
        assert_eq!(namespace.namespace, None);
        assert_eq!(
            stage.discovery.preferred("autoscaling", "HorizontalPodAutoscaler").unwrap().version,
            "v2"
        );

        let missing = |api_version, kind| {
            stage.discovery.target(api_version, kind, None, "x", "default").unwrap_err()
        };
        let error = missing("example.org/v1", "Widget");
        assert_eq!(error.to_string(), "the cluster serves no Widget of example.org/v1");
        assert!(error.hint().unwrap().contains("CustomResourceDefinition"));
        let error = missing("autoscaling/v2beta2", "HorizontalPodAutoscaler");
        assert_eq!(
            error.to_string(),
            "the cluster serves no HorizontalPodAutoscaler of autoscaling/v2beta2, but of autoscaling/v2, autoscaling/v1"
        );
        let unnamed = stage.discovery.target("v1", "ConfigMap", None, "", "default").unwrap_err();
        assert!(matches!(unnamed, ClusterError::NoName { .. }), "{unnamed}");
    });
}

#[test]
fn a_custom_kind_is_served_once_its_definition_is() {
    run("custom", |stage| async move {
        stage.apply(&json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "gadgets.custom.example"},
            "spec": {"group": "custom.example", "scope": "Namespaced",
                "names": {"plural": "gadgets", "singular": "gadget", "kind": "Gadget"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema":
                    {"openAPIV3Schema": {"type": "object", "properties": {"spec":
                        {"type": "object", "properties": {"size": {"type": "integer"}}}}}}}]},
        }));
        let wait = ["wait", "--for=condition=Established", "crd/gadgets.custom.example"];
        stage.server.kubectl(&wait, "").unwrap();
        let mut found = None;
        for _ in 0..100 {
            let discovery = stage.cluster.discover().await.unwrap();
            found = discovery.target("custom.example/v1", "Gadget", None, "g", "custom").ok();
            if found.is_some() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let target = found.unwrap();
        assert!(stage.cluster.get(&target).await.unwrap().is_none());
        let body = json!({"apiVersion": "custom.example/v1", "kind": "Gadget",
            "metadata": {"name": "g"}, "spec": {"size": 3}});
        let predicted = stage.cluster.apply_dry_run(&target, &body, FORCE).await.unwrap();
        assert_eq!(predicted.json["spec"]["size"], 3);
        let mut wrong = body.clone();
        wrong["spec"]["size"] = "three".into();
        let error = stage.cluster.apply_dry_run(&target, &wrong, FORCE).await.err().unwrap();
        assert!(matches!(error, ApplyError::Invalid { .. }), "{error:?}");

        // A user who may not see the APIServices: the promise of dry runs
        // comes from the OpenAPI document.
        stage.apply(&list_of(vec![
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                "metadata": {"name": "patcher", "namespace": "custom"}, "rules": [
                    {"apiGroups": ["custom.example"], "resources": ["gadgets"],
                        "verbs": ["get", "create", "patch"]}]}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                "metadata": {"name": "patcher", "namespace": "custom"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "patcher"},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "restricted"}]}),
        ]));
        let restricted =
            Cluster::connect(options(stage.server.restricted_kubeconfig())).await.unwrap();
        let mut last = None;
        // The grant and the document each take a moment.
        for _ in 0..100 {
            match restricted.apply_dry_run(&target, &body, FORCE).await {
                Ok(predicted) => {
                    assert_eq!(predicted.json["spec"]["size"], 3);
                    return;
                }
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{last:?}");
    });
}

#[test]
fn lists_are_read_page_by_page() {
    run("paging", |stage| async move {
        let maps = (0..1_100).map(|n| stage.config_map(&format!("map-{n:04}"), "x")).collect();
        stage.server.kubectl(&["create", "-f", "-"], &list_of(maps).to_string()).unwrap();
        let resource = stage.discovery.lookup("v1", "ConfigMap").unwrap();
        let list = List { namespace: Some("paging"), ..List::default() };
        let all = stage.cluster.list(resource, list).await.unwrap();
        assert!(all.complete);
        assert_eq!(all.items.len(), 1_100);
        assert_eq!(all.items[1_099].name(), "map-1099");
        assert_eq!(all.items[0].json["kind"], "ConfigMap");
        assert_eq!(all.items[0].json["apiVersion"], "v1");

        let capped = stage.cluster.list(resource, List { cap: Some(1_000), ..list }).await.unwrap();
        assert!(!capped.complete);
        assert_eq!(capped.items.len(), 500);
        let none = List { selector: "app=none", ..list };
        assert!(stage.cluster.list(resource, none).await.unwrap().items.is_empty());

        // Three of very many: some on the first page, one behind it, one absent.
        let targets: Vec<Target> = ["map-0001", "map-1050", "no-such", "map-0001"]
            .iter()
            .map(|name| stage.target("v1", "ConfigMap", name))
            .collect();
        let seen = stage.cluster.observe(&targets).await;
        let names: Vec<Option<String>> =
            seen.into_iter().map(|read| read.unwrap().map(|live| live.name().to_owned())).collect();
        assert_eq!(
            names,
            [Some("map-0001".into()), Some("map-1050".into()), None, Some("map-0001".into())]
        );
    });
}

#[test]
fn absent_and_forbidden_are_told_apart() {
    run("forbidden", |stage| async move {
        stage.apply(&stage.config_map("there", "x"));
        let there = stage.target("v1", "ConfigMap", "there");
        let absent = stage.target("v1", "ConfigMap", "absent");
        assert!(stage.cluster.get(&there).await.unwrap().is_some());
        assert!(stage.cluster.get(&absent).await.unwrap().is_none());
        let nowhere = stage.discovery.target("v1", "ConfigMap", Some("no-ns"), "x", "y").unwrap();
        assert!(stage.cluster.get(&nowhere).await.unwrap().is_none());

        // May get these two config maps, and list nothing.
        stage.apply(&list_of(vec![
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                "metadata": {"name": "getter", "namespace": "forbidden"},
                "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                "metadata": {"name": "getter", "namespace": "forbidden"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "getter"},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "restricted"}]}),
        ]));
        let restricted =
            Cluster::connect(options(stage.server.restricted_kubeconfig())).await.unwrap();
        let discovery = restricted.discover().await.unwrap();
        let mut targets = Vec::new();
        for name in ["there", "absent", "also-absent"] {
            targets.push(stage.target("v1", "ConfigMap", name));
            targets.push(stage.target("v1", "Secret", name));
        }
        // The grant takes a moment to be seen by the authorizer.
        for _ in 0..100 {
            if restricted.get(&there).await.is_ok() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let seen = restricted.observe(&targets).await;
        assert!(seen[0].as_ref().unwrap().is_some());
        assert!(seen[2].as_ref().unwrap().is_none());
        assert!(seen[4].as_ref().unwrap().is_none());
        for index in [1, 3, 5] {
            let error = seen[index].as_ref().err().unwrap();
            assert!(matches!(error, ClusterError::Forbidden { .. }), "{error}");
            assert!(error.to_string().contains("secrets"), "{error}");
            assert!(!error.is_fatal());
        }
        assert!(restricted.may("get", &there).await.unwrap());
        assert!(!restricted.may("patch", &there).await.unwrap());
        let body = stage.config_map("there", "y");
        let error = restricted.apply_dry_run(&there, &body, FORCE).await.err().unwrap();
        assert!(matches!(error, ApplyError::Forbidden { .. }), "{error:?}");
        let mutators = restricted.mutators(&discovery).await;
        assert!(mutators.unreadable().is_some());
        assert!(mutators.may_match(&there.resource, Some("forbidden")));
    });
}

#[test]
fn a_dry_run_apply_creates_configures_and_leaves() {
    run("applying", |stage| async move {
        let target = stage.target("v1", "ConfigMap", "map");
        let body = stage.config_map("map", "one");
        let created = stage.cluster.apply_dry_run(&target, &body, FORCE).await.unwrap();
        assert_eq!(created.resource_version, "");
        assert_eq!(created.json["data"]["key"], "one");
        assert!(stage.cluster.get(&target).await.unwrap().is_none(), "a dry run stored it");

        stage.apply(&body);
        let live = stage.cluster.get(&target).await.unwrap().unwrap();
        let same = stage.cluster.apply_dry_run(&target, &body, FORCE).await.unwrap();
        assert_eq!(same.resource_version, live.resource_version());
        assert!(same.json == live.json, "an apply of the same changes nothing");

        let other = stage.config_map("map", "two");
        let changed = stage.cluster.apply_dry_run(&target, &other, FORCE).await.unwrap();
        assert_eq!(changed.resource_version, live.resource_version());
        assert_eq!(changed.json["data"]["key"], "two");

        // Another manager, without force.
        let foreign = ApplyOptions { field_manager: "someone", force: false, ..FORCE };
        let error = stage.cluster.apply_dry_run(&target, &other, foreign).await.err().unwrap();
        let ApplyError::Conflict { causes } = &error else { panic!("{error:?}") };
        assert_eq!(causes[0].field, ".data.key");
        assert!(error.to_string().contains("kustomize-controller"), "{error}");

        // The other ways to write.
        let patch = json!({"data": {"key": "three"}});
        for kind in [Patch::Merge, Patch::Strategic] {
            let write = Write::Patch(kind, &patch);
            let patched = stage.cluster.dry_run(&target, write, FORCE).await.unwrap();
            assert_eq!(patched.json["data"]["key"], "three");
        }
        let replaced = stage.cluster.dry_run(&target, Write::Replace(&other), FORCE).await.unwrap();
        assert_eq!(replaced.json["data"]["key"], "two");
        let fresh = stage.config_map("fresh", "new");
        let fresh_target = stage.target("v1", "ConfigMap", "fresh");
        let created =
            stage.cluster.dry_run(&fresh_target, Write::Create(&fresh), FORCE).await.unwrap();
        assert_eq!(created.json["data"]["key"], "new");
        assert!(stage.cluster.get(&fresh_target).await.unwrap().is_none());
        let unchanged = stage.cluster.get(&target).await.unwrap().unwrap();
        assert!(unchanged.json == live.json, "a dry run changed it");
    });
}

#[test]
fn refusals_are_classified() {
    run("refusals", |stage| async move {
        let deployment = |namespace: &str, selector: &str| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "web", "namespace": namespace},
                "spec": {"selector": {"matchLabels": {"app": selector}},
                    "template": {"metadata": {"labels": {"app": selector}},
                        "spec": {"containers": [{"name": "web", "image": "web:1"}]}}}})
        };
        let target = stage.target("apps/v1", "Deployment", "web");
        let ask = async |body: &Value, validation| {
            let options = ApplyOptions { validation, ..FORCE };
            stage.cluster.apply_dry_run(&target, body, options).await
        };

        let mut unknown = deployment("refusals", "web");
        unknown["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Always".into();
        let error = ask(&unknown, Validation::Strict).await.err().unwrap();
        assert!(matches!(error, ApplyError::Invalid { .. }), "{error:?}");
        assert!(error.to_string().contains("imagePullPolice"), "{error}");

        let mut invalid = deployment("refusals", "web");
        invalid["spec"]["replicas"] = (-1).into();
        let error = ask(&invalid, Validation::Warn).await.err().unwrap();
        let ApplyError::Invalid { causes, .. } = &error else { panic!("{error:?}") };
        assert_eq!(causes[0].field, "spec.replicas");

        stage.apply(&deployment("refusals", "web"));
        let error = ask(&deployment("refusals", "api"), Validation::Warn).await.err().unwrap();
        assert!(matches!(error, ApplyError::Immutable { .. }), "{error:?}");

        let nowhere = stage.discovery.target("apps/v1", "Deployment", Some("no-ns"), "web", "x");
        let error = stage
            .cluster
            .apply_dry_run(&nowhere.unwrap(), &deployment("no-ns", "web"), FORCE)
            .await
            .err()
            .unwrap();
        let ApplyError::NamespaceMissing { namespace } = &error else { panic!("{error:?}") };
        assert_eq!(namespace, "no-ns");

        let mut labels = stage.config_map("labels", "x");
        labels["metadata"]["labels"] = json!({"flag": true});
        let target = stage.target("v1", "ConfigMap", "labels");
        let error = stage.cluster.apply_dry_run(&target, &labels, FORCE).await.err().unwrap();
        assert!(matches!(error, ApplyError::Invalid { .. }), "{error:?}");
    });
}

#[test]
fn no_error_quotes_a_secret() {
    run("secrets", |stage| async move {
        let target = stage.target("v1", "Secret", "token");
        let secret = |field: &str, value: Value| {
            json!({"apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": "token", "namespace": "secrets"}, field: {"password": value}})
        };
        for body in [
            secret("stringData", 8_675_309.into()),
            secret("data", 8_675_309.into()),
            secret("data", "8675309!".into()),
            secret("data", json!({"deep": "8675309"})),
            secret("stringData", json!(["8675309"])),
        ] {
            for validation in [Validation::Warn, Validation::Strict] {
                let options = ApplyOptions { validation, ..FORCE };
                let error =
                    stage.cluster.apply_dry_run(&target, &body, options).await.err().unwrap();
                let shown = format!("{error} {error:?}");
                assert!(!shown.contains("8675309"), "{shown}");
            }
        }
    });
}

#[test]
fn a_prediction_belongs_to_the_live_object_it_comes_with() {
    run("racing", |stage| async move {
        let target = stage.target("v1", "ConfigMap", "map");
        stage.apply(&stage.config_map("map", "one"));
        let before = stage.cluster.get(&target).await.unwrap().unwrap();
        let body = stage.config_map("map", "wanted");
        let ask = |observed| Ask {
            target: &target,
            write: Write::Apply(&body),
            options: FORCE,
            observed,
        };
        let outcome = stage.cluster.predict(&[ask(before.resource_version())]).await.remove(0);
        assert!(outcome.live.is_none());
        assert_eq!(outcome.predicted.ok().unwrap().json["data"]["key"], "wanted");

        // It changed after it was observed.
        stage.apply(&stage.config_map("map", "two"));
        let outcome = stage.cluster.predict(&[ask(before.resource_version())]).await.remove(0);
        let live = outcome.live.unwrap().unwrap();
        assert_eq!(live.json["data"]["key"], "two");
        assert_eq!(outcome.predicted.ok().unwrap().resource_version, live.resource_version());

        // It went, and it came.
        stage.server.kubectl(&["delete", "configmap", "map", "-n", "racing"], "").unwrap();
        let outcome = stage.cluster.predict(&[ask(before.resource_version())]).await.remove(0);
        assert!(outcome.live.unwrap().is_none());
        assert_eq!(outcome.predicted.ok().unwrap().resource_version, "");
        stage.apply(&stage.config_map("map", "three"));
        let outcome = stage.cluster.predict(&[ask("")]).await.remove(0);
        assert!(outcome.live.unwrap().is_some());
    });
}

#[test]
fn what_an_owner_removes_beyond_its_apply_is_asked_too() {
    run("removing", |stage| async move {
        let target = stage.target("apps/v1", "Deployment", "web");
        let body = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "removing"},
            "spec": {"selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "web", "image": "web:1"}]}}}});
        stage.apply(&body);
        let patch = |limit: u32| {
            let patch = format!("{{\"spec\":{{\"revisionHistoryLimit\":{limit}}}}}");
            let arguments = ["patch", "deployment", "web", "-n", "removing", "--type=merge", "-p"];
            stage.server.kubectl(&[&arguments[..], &[&patch]].concat(), "").unwrap();
        };
        patch(3);
        let observed = stage.cluster.get(&target).await.unwrap().unwrap();
        let ask = Ask {
            target: &target,
            write: Write::Apply(&body),
            options: FORCE,
            observed: observed.resource_version(),
        };
        let without = |predicted: &Value| {
            let mut rest = predicted.clone();
            rest["spec"].as_object_mut().unwrap().remove("revisionHistoryLimit").unwrap();
            rest
        };
        let plain = stage.cluster.predict(std::slice::from_ref(&ask)).await.remove(0);
        assert_eq!(plain.predicted.ok().unwrap().json["spec"]["revisionHistoryLimit"], 3);

        let outcomes =
            stage.cluster.predict_then(std::slice::from_ref(&ask), |index, live, predicted| {
                assert_eq!(index, 0);
                assert!(live.is_none());
                Some(without(&predicted.json))
            });
        let outcome = outcomes.await.remove(0);
        // The server's default is back.
        assert_eq!(outcome.predicted.ok().unwrap().json["spec"]["revisionHistoryLimit"], 10);

        // The object changes between the two dry runs, once.
        let calls = std::cell::Cell::new(0);
        let outcomes =
            stage.cluster.predict_then(std::slice::from_ref(&ask), |_, live, predicted| {
                calls.set(calls.get() + 1);
                if calls.get() == 1 {
                    patch(5);
                } else {
                    let live = live.unwrap().as_ref().unwrap();
                    assert_eq!(live.json["spec"]["revisionHistoryLimit"], 5);
                }
                Some(without(&predicted.json))
            });
        let outcome = outcomes.await.remove(0);
        assert_eq!(calls.get(), 2);
        assert_eq!(outcome.predicted.ok().unwrap().json["spec"]["revisionHistoryLimit"], 10);
        assert_eq!(outcome.live.unwrap().unwrap().json["spec"]["revisionHistoryLimit"], 5);

        // And with every look.
        let calls = std::cell::Cell::new(10);
        let outcomes = stage.cluster.predict_then(std::slice::from_ref(&ask), |_, _, predicted| {
            calls.set(calls.get() + 1);
            patch(calls.get());
            Some(without(&predicted.json))
        });
        let error = outcomes.await.remove(0).predicted.err().unwrap();
        assert!(matches!(error, ApplyError::Moving { attempts: 4 }), "{error:?}");
    });
}

#[test]
fn many_are_asked_at_once_and_one_failure_stops_none() {
    run("many", |stage| async move {
        let bodies: Vec<Value> = (0..150)
            .map(|n| {
                let mut body = stage.config_map(&format!("map-{n}"), "x");
                if n % 50 == 0 {
                    body["metadata"]["labels"] = json!({"flag": "not a label value!"});
                }
                body
            })
            .collect();
        let targets: Vec<Target> =
            (0..150).map(|n| stage.target("v1", "ConfigMap", &format!("map-{n}"))).collect();
        let asks: Vec<Ask<'_>> = targets
            .iter()
            .zip(&bodies)
            .map(|(target, body)| Ask {
                target,
                write: Write::Apply(body),
                options: FORCE,
                observed: "",
            })
            .collect();
        let outcomes = stage.cluster.predict(&asks).await;
        for (n, outcome) in outcomes.into_iter().enumerate() {
            match outcome.predicted {
                Ok(predicted) => {
                    assert_ne!(n % 50, 0);
                    assert_eq!(predicted.json["metadata"]["name"], format!("map-{n}"));
                }
                Err(error) => {
                    assert_eq!(n % 50, 0, "{error}");
                    assert!(matches!(error, ApplyError::Invalid { .. }), "{error:?}");
                }
            }
        }
    });
}

#[test]
fn registered_mutators_are_seen() {
    run("mutators", |stage| async move {
        let policy = |name: &str| {
            json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy",
                "metadata": {"name": name}, "spec": {
                    "failurePolicy": "Fail", "reinvocationPolicy": "Never",
                    "matchConstraints": {"resourceRules": [{"apiGroups": ["batch"], "apiVersions": ["v1"],
                        "operations": ["UPDATE"], "resources": ["jobs"]}]},
                    "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression":
                        "[JSONPatch{op: \"add\", path: \"/metadata/labels/x\", value: \"y\"}]"}}]}})
        };
        let job = stage.discovery.lookup("batch/v1", "Job").unwrap();
        let map = stage.discovery.lookup("v1", "ConfigMap").unwrap();
        stage.apply(&policy("unbound"));
        assert!(!stage.cluster.mutators(&stage.discovery).await.may_match(job, Some("a")));
        stage.apply(&list_of(vec![
            policy("bound"),
            json!({"apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "MutatingAdmissionPolicyBinding", "metadata": {"name": "bound"},
                "spec": {"policyName": "bound"}}),
            json!({"apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "MutatingWebhookConfiguration", "metadata": {"name": "hook"},
                "webhooks": [{"name": "hook.mutators.example", "sideEffects": "None",
                    "admissionReviewVersions": ["v1"], "failurePolicy": "Ignore",
                    "clientConfig": {"url": "https://127.0.0.1:1/"},
                    "rules": [{"apiGroups": ["batch"], "apiVersions": ["*"],
                        "operations": ["CREATE", "UPDATE"], "resources": ["cronjobs"]}]}]}),
        ]));
        let mutators = stage.cluster.mutators(&stage.discovery).await;
        assert!(mutators.unreadable().is_none());
        let names: Vec<&str> = mutators.matching(job, Some("a")).collect();
        assert_eq!(names, ["MutatingAdmissionPolicy/bound"]);
        assert!(!mutators.may_match(map, Some("a")));
        let cron_job = stage.discovery.lookup("batch/v1", "CronJob").unwrap();
        assert!(mutators.may_match(cron_job, Some("a")));
    });
}

#[test]
fn the_way_to_a_server_fails_with_one_clear_error() {
    let Some(server) = shared() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let connect = |options| runtime.block_on(Cluster::connect(options));
    let discover = |options| {
        let cluster = connect(options)?;
        runtime.block_on(cluster.discover())
    };
    let kubeconfig = server.kubeconfig();

    let mut missing = options(kubeconfig.clone());
    missing.context = Some("production".to_owned());
    let error = connect(missing).err().unwrap();
    assert_eq!(
        error.to_string(),
        format!("{} has no context `production`; it has `test`", kubeconfig.display())
    );
    let error = connect(options(PathBuf::from("/nonexistent/config"))).err().unwrap();
    assert!(error.to_string().contains("/nonexistent/config"), "{error}");

    // Nobody listens on port 1.
    let mut refused = options(kubeconfig.clone());
    refused.server = Some("https://127.0.0.1:1".to_owned());
    let begin = std::time::Instant::now();
    let error = discover(refused).unwrap_err();
    assert!(matches!(error, ClusterError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("Connection refused"), "{error}");
    assert!(begin.elapsed().as_secs() < 5, "a refused connection is not tried again");
    assert!(error.is_fatal());

    let mut stranger = options(kubeconfig.clone());
    stranger.token = Some("wrong-token-xyzzy".to_owned());
    let error = discover(stranger).unwrap_err();
    assert!(matches!(error, ClusterError::Unauthorized { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("xyzzy"));

    // The certificate is not one that the machine trusts.
    let untrusted = Options {
        kubeconfig: Some(PathBuf::from("/dev/null")),
        server: Some(server.server().to_owned()),
        token: Some("tool".to_owned()),
        ..Options::default()
    };
    let error = discover(untrusted).unwrap_err();
    assert!(matches!(error, ClusterError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("certificate"), "{error}");

    // What the parser quotes of a broken kubeconfig may be a token.
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("config");
    std::fs::write(&broken, "users:\n- name: a\n  user: {token: xyzzy\n").unwrap();
    let error = connect(options(broken.clone())).err().unwrap();
    assert!(error.to_string().contains(&broken.display().to_string()), "{error}");
    assert!(!format!("{error} {error:?}").contains("xyzzy"), "{error}");

    // A server that takes the connection and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut slow = options(kubeconfig);
    slow.server = Some(format!("http://{}", silent.local_addr().unwrap()));
    slow.request_timeout = Some(std::time::Duration::from_millis(200));
    let error = discover(slow).unwrap_err();
    assert!(matches!(error, ClusterError::TimedOut { .. }), "{error:?}");
}

#[test]
fn impersonation_is_asked_as_that_user() {
    run("impersonating", |stage| async move {
        let mut options = options(stage.server.kubeconfig());
        options.as_user = Some("nobody".to_owned());
        options.as_groups = vec!["system:authenticated".to_owned()];
        let nobody = Cluster::connect(options).await.unwrap();
        let error = nobody.get(&stage.target("v1", "ConfigMap", "x")).await.err().unwrap();
        assert!(error.to_string().contains("\"nobody\""), "{error}");
    });
}

/// Invariant 1 on the wire: everything that `tool` and `restricted` asked of
/// the server is a read, a dry run or a review of their own access.
#[test]
fn nothing_but_reads_and_dry_runs_is_on_the_wire() {
    run("wire", |stage| async move {
        let target = stage.target("v1", "ConfigMap", "map");
        let body = stage.config_map("map", "x");
        stage.cluster.observe(std::slice::from_ref(&target)).await;
        stage.cluster.may("patch", &target).await.unwrap();
        stage.cluster.mutators(&stage.discovery).await;
        let json_patch = json!([{"op": "add", "path": "/data/x", "value": "y"}]);
        for write in [
            Write::Apply(&body),
            Write::Create(&body),
            Write::Replace(&body),
            Write::Patch(Patch::Json, &json_patch),
        ] {
            // What the server answers is of no concern here.
            let _ = stage.cluster.dry_run(&target, write, FORCE).await;
        }
        let log = stage.server.audit().unwrap();
        let ours: Vec<_> = log.iter().filter(|entry| entry.user != "setup").collect();
        for verb in ["get", "list", "patch", "create", "update"] {
            assert!(
                ours.iter().any(|entry| entry.user == "tool" && entry.verb == verb),
                "no {verb} in {ours:?}"
            );
        }
        let harmful: Vec<_> = ours
            .iter()
            .filter(|entry| ["tool", "restricted"].contains(&entry.user.as_str()))
            .filter(|entry| !entry.is_harmless())
            .collect();
        assert!(harmful.is_empty(), "{harmful:?}");
        // The check sees writes: kubectl's are there.
        assert!(log.iter().any(|entry| entry.user == "setup" && !entry.is_harmless()));
    });
}
