//! Holds Flagger's Canary objects to what makes a canary worth its name: a
//! strategy that ends, a test before traffic moves, both metrics of service
//! level objectives within their limits, and a load test that meets the canary.
//!
//! Settings, optional: `successRate`, the least percentage of requests without
//! an error (99); `duration`, the longest that a request may take, in
//! milliseconds (no limit).

use gitops_policy_sdk::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

struct FlaggerCanary;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Settings {
    success_rate: f64,
    duration: Option<f64>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { success_rate: 99.0, duration: None }
    }
}

impl Rule for FlaggerCanary {
    type Settings = Settings;

    const NOTHING: &'static str = "no canary of Flagger is there";

    fn judge(object: &Value, settings: &Settings) -> Option<Vec<Finding>> {
        let is_flagger = object["apiVersion"]
            .as_str()
            .is_some_and(|version| version.starts_with("flagger.app/"));
        if !is_flagger || object["kind"] != "Canary" {
            return None;
        }
        // v1beta1, and what came before it.
        let name = ["analysis", "canaryAnalysis"]
            .into_iter()
            .find(|name| object["spec"][*name].is_object());
        let Some(name) = name else {
            let told = "nothing is analysed: without `spec.analysis`, what is new gets all traffic";
            return Some(vec![
                Finding::deny("no-analysis", told).severity(Severity::Critical).at("/spec"),
            ]);
        };
        let analysis = Analysis { at: format!("/spec/{name}"), fields: &object["spec"][name] };
        let mut findings = Vec::new();
        findings.extend(analysis.strategy());
        findings.extend(analysis.metrics(settings));
        findings.extend(analysis.webhooks(&service(object)));
        Some(findings)
    }
}

gitops_policy_sdk::rule!(FlaggerCanary);

/// The service that Flagger makes `NAME-canary` and `NAME-primary` beside.
fn service(object: &Value) -> String {
    let spec = &object["spec"];
    let named = spec["service"]["name"].as_str().or(spec["targetRef"]["name"].as_str());
    named.or(object["metadata"]["name"].as_str()).unwrap_or_default().to_owned()
}

struct Analysis<'a> {
    at: String,
    fields: &'a Value,
}

impl Analysis<'_> {
    /// Traffic by weights that grow, or a number of rounds.
    fn strategy(&self) -> Option<Finding> {
        let is_set = |name: &str| self.fields[name].as_f64().is_some_and(|number| number > 0.0);
        let grows = is_set("stepWeight") && is_set("maxWeight");
        let steps = self.fields["stepWeights"].as_array().is_some_and(|steps| !steps.is_empty());
        let told = "how long it is analysed is not said: neither `iterations` nor `maxWeight` with `stepWeight`";
        let finding = || Finding::deny("no-strategy", told).at(self.at.as_str());
        (!grows && !steps && !is_set("iterations")).then(finding)
    }

    fn metrics(&self, settings: &Settings) -> Vec<Finding> {
        let metrics = self.fields["metrics"].as_array().map_or(&[][..], Vec::as_slice);
        let mut findings = Vec::new();
        for name in ["request-success-rate", "request-duration"] {
            let found = metrics.iter().enumerate().find(|(_, metric)| metric["name"] == name);
            let Some((index, metric)) = found else {
                let told = format!("`{name}` is not measured");
                findings.push(Finding::deny("no-metric", told).at(format!("{}/metrics", self.at)));
                continue;
            };
            let at = format!("{}/metrics/{index}", self.at);
            findings.extend(match name {
                "request-success-rate" => too_low(metric, &at, settings.success_rate),
                _ => settings.duration.and_then(|most| too_high(metric, &at, most)),
            });
        }
        findings
    }

    fn webhooks(&self, service: &str) -> Vec<Finding> {
        let webhooks = self.fields["webhooks"].as_array().map_or(&[][..], Vec::as_slice);
        let at = format!("{}/webhooks", self.at);
        let mut findings = Vec::new();
        if !webhooks.iter().any(|webhook| webhook["type"] == "pre-rollout") {
            let told =
                "nothing is tested before traffic moves: no webhook is of type `pre-rollout`";
            findings.push(Finding::deny("no-pre-rollout", told).at(at.as_str()));
        }
        // Without a type it runs while traffic moves.
        let runs = |webhook: &Value| webhook["type"].is_null() || webhook["type"] == "rollout";
        let mut tests = webhooks.iter().enumerate().filter(|(_, webhook)| runs(webhook)).peekable();
        if tests.peek().is_none() {
            let told =
                "nothing makes traffic while it is analysed: no webhook is of type `rollout`";
            findings.push(Finding::warn("no-load-test", told).at(at.as_str()));
        }
        for (index, webhook) in tests {
            let Some(command) = webhook["metadata"]["cmd"].as_str() else { continue };
            let hosts = hosts(command);
            let canary = format!("{service}-canary");
            let others = [service.to_owned(), format!("{service}-primary")];
            let Some(other) = hosts.iter().find(|host| others.contains(host)) else { continue };
            if hosts.contains(&canary) {
                continue;
            }
            findings.push(
                Finding::deny(
                    "load-test-misses-canary",
                    format!("the load test asks `{other}`, which is not the canary alone"),
                )
                .at(format!("{at}/{index}/metadata/cmd"))
                .fix(format!("ask `{canary}`"))
                .evidence(&json!({ "asked": hosts })),
            );
        }
        findings
    }
}

/// `thresholdRange` since v1beta1, `threshold` before it.
fn limit<'m>(metric: &'m Value, side: &str) -> (String, &'m Value) {
    match &metric["thresholdRange"][side] {
        Value::Null => ("threshold".to_owned(), &metric["threshold"]),
        limit => (format!("thresholdRange/{side}"), limit),
    }
}

fn too_low(metric: &Value, at: &str, least: f64) -> Option<Finding> {
    let (field, found) = limit(metric, "min");
    let told = match found.as_f64() {
        Some(found) if found >= least => return None,
        Some(found) => {
            format!("{found} % of the requests may succeed, at least {least} % is asked")
        }
        None => format!("no share of requests must succeed, at least {least} % is asked"),
    };
    let at = if found.is_null() { at.to_owned() } else { format!("{at}/{field}") };
    Some(Finding::deny("success-rate-too-low", told).at(at))
}

fn too_high(metric: &Value, at: &str, most: f64) -> Option<Finding> {
    let (field, found) = limit(metric, "max");
    let told = match found.as_f64() {
        Some(found) if found <= most => return None,
        Some(found) => format!("requests may take {found} ms, at most {most} ms is asked"),
        None => format!("requests may take any time, at most {most} ms is asked"),
    };
    let at = if found.is_null() { at.to_owned() } else { format!("{at}/{field}") };
    Some(Finding::deny("duration-too-high", told).at(at))
}

/// The first label of each host that a command asks by URL.
fn hosts(command: &str) -> Vec<String> {
    let after = command.split("://").skip(1);
    let host = |text: &str| {
        let end = text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
        text[..end.unwrap_or(text.len())].to_owned()
    };
    after.map(host).filter(|host| !host.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(analysis: Value) -> Value {
        json!({
            "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "web"},
            "spec": {"targetRef": {"name": "web"}, "analysis": analysis},
        })
    }

    fn good() -> Value {
        json!({
            "iterations": 5,
            "metrics": [
                {"name": "request-success-rate", "thresholdRange": {"min": 99}},
                {"name": "request-duration", "thresholdRange": {"max": 500}},
            ],
            "webhooks": [
                {"name": "test", "type": "pre-rollout"},
                {"name": "load", "metadata": {"cmd": "hey -z 1m http://web-canary.app:9898/"}},
            ],
        })
    }

    fn found(object: &Value, settings: &str) -> Vec<(String, String)> {
        let settings = gitops_policy_sdk::parse_settings(settings)
            .unwrap_or_else(|_| panic!("settings of the test"));
        let findings = FlaggerCanary::judge(object, &settings).unwrap_or_default();
        findings.into_iter().map(|f| (f.code, f.pointer.unwrap_or_default())).collect()
    }

    fn changed(pointer: &str, value: Value) -> Vec<(String, String)> {
        let mut analysis = good();
        let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
        let parent = analysis.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
        match name.parse::<usize>() {
            Ok(index) => parent[index] = value,
            Err(_) => parent[name] = value,
        }
        found(&canary(analysis), "")
    }

    fn one(code: &str, at: &str) -> [(String, String); 1] {
        [(code.to_owned(), format!("/spec/analysis{at}"))]
    }

    #[test]
    fn a_canary_that_is_one_passes() {
        assert!(found(&canary(good()), "").is_empty());
        for (name, value) in [("stepWeights", json!([1, 5, 50])), ("mirror", json!(true))] {
            assert!(changed(&format!("/{name}"), value).is_empty());
        }
    }

    #[test]
    fn each_part_is_asked_for() {
        assert_eq!(changed("/iterations", json!(0)), one("no-strategy", ""));
        assert_eq!(changed("/metrics/1", json!({"name": "other"})), one("no-metric", "/metrics"));
        assert_eq!(
            changed("/metrics/0/thresholdRange", json!({"min": 70})),
            one("success-rate-too-low", "/metrics/0/thresholdRange/min")
        );
        assert_eq!(
            changed("/metrics/0/thresholdRange", json!(null)),
            one("success-rate-too-low", "/metrics/0")
        );
        assert_eq!(
            changed("/webhooks/0", json!({"type": "event"})),
            one("no-pre-rollout", "/webhooks")
        );
        assert_eq!(
            changed("/webhooks/1", json!({"type": "pre-rollout"})),
            one("no-load-test", "/webhooks")
        );
    }

    #[test]
    fn a_load_test_asks_the_canary() {
        let at = "/webhooks/1/metadata/cmd";
        for (command, misses) in [
            ("hey http://web:9898/", true),
            ("hey -H 'Cookie: a' http://web.app.svc.cluster.local/", true),
            ("hey https://web-primary/", true),
            ("hey http://web-canary/ && hey http://web/", false),
            // Traffic from outside goes where it is sent.
            ("hey http://ingress.example/", false),
            ("run the tests of web", false),
        ] {
            let expected = one("load-test-misses-canary", at);
            let expected = if misses { &expected[..] } else { &[] };
            assert_eq!(changed(at, json!(command)), expected, "{command}");
        }
    }

    #[test]
    fn older_objects_and_settings() {
        let mut object = canary(json!(null));
        object["spec"]["canaryAnalysis"] = json!({
            "maxWeight": 50, "stepWeight": 10,
            "metrics": [
                {"name": "request-success-rate", "threshold": 70},
                {"name": "request-duration", "threshold": 500},
            ],
            "webhooks": good()["webhooks"],
        });
        let codes = |settings: &str| -> Vec<String> {
            found(&object, settings).into_iter().map(|(code, _)| code).collect()
        };
        assert_eq!(codes(""), ["success-rate-too-low"]);
        assert!(codes(r#"{"successRate": 70}"#).is_empty());
        assert_eq!(codes(r#"{"successRate": 70, "duration": 400}"#), ["duration-too-high"]);
        let none = json!({"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "spec": {}});
        assert_eq!(found(&none, "")[0].0, "no-analysis");
        let other = json!({"apiVersion": "flagger.app/v1beta1", "kind": "MetricTemplate"});
        assert!(FlaggerCanary::judge(&other, &Settings::default()).is_none());
    }
}
