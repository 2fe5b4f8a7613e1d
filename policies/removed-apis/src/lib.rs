//! Denies objects of API versions that Kubernetes does not serve any more, and
//! warns of those that it will stop to serve.
//!
//! Settings, optional: `kubernetes`, the release that is run, such as `"1.33"`;
//! without it, the newest that is known here.

mod releases;

use gitops_policy_sdk::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use releases::{Gone, Release};

struct RemovedApis;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    kubernetes: Option<Release>,
}

impl Rule for RemovedApis {
    type Settings = Settings;

    const NOTHING: &'static str = "no object is there";

    fn judge(object: &Value, settings: &Settings) -> Option<Vec<Finding>> {
        let (version, kind) = (object["apiVersion"].as_str()?, object["kind"].as_str()?);
        let gone = Gone::find(version, kind);
        Some(gone.and_then(|gone| finding(version, kind, gone, settings)).into_iter().collect())
    }
}

gitops_policy_sdk::rule!(RemovedApis);

fn finding(version: &str, kind: &str, gone: &Gone, settings: &Settings) -> Option<Finding> {
    let Gone { deprecated, removed, .. } = gone;
    let run = settings.kubernetes.unwrap_or(Release::NEWEST);
    let of_run = match settings.kubernetes {
        Some(run) => format!(", and {run} is run"),
        None => String::new(),
    };
    let finding = if *removed <= run {
        Finding::deny(
            "removed-api",
            format!("Kubernetes serves no {kind} of `{version}` since {removed}{of_run}"),
        )
        .severity(Severity::Critical)
    } else if *deprecated <= run {
        Finding::warn(
            "deprecated-api",
            format!("Kubernetes serves no {kind} of `{version}` from {removed} on{of_run}"),
        )
    } else {
        return None;
    };
    let fix = match gone.instead {
        Some(instead) => format!("write it as `{instead}`; its fields may differ"),
        None => "nothing takes its place; remove it".to_owned(),
    };
    let evidence = json!({
        "deprecated": deprecated.to_string(), "removed": removed.to_string(), "instead": gone.instead,
    });
    Some(finding.at("/apiVersion").fix(fix).evidence(&evidence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(version: &str, kind: &str, settings: &str) -> Vec<String> {
        let settings = gitops_policy_sdk::parse_settings(settings)
            .unwrap_or_else(|_| panic!("settings of the test"));
        let object = json!({"apiVersion": version, "kind": kind});
        let found = RemovedApis::judge(&object, &settings);
        found.into_iter().flatten().map(|finding| finding.code).collect()
    }

    #[test]
    fn judges_by_the_release_that_is_run() {
        let run = |release: &str| format!(r#"{{"kubernetes": "{release}"}}"#);
        let (version, kind) = ("batch/v1beta1", "CronJob");
        assert_eq!(codes(version, kind, ""), ["removed-api"]);
        assert_eq!(codes(version, kind, &run("1.25")), ["removed-api"]);
        assert_eq!(codes(version, kind, &run("1.24")), ["deprecated-api"]);
        assert_eq!(codes(version, kind, &run("1.21")), ["deprecated-api"]);
        assert!(codes(version, kind, &run("1.20")).is_empty());
        // 1.9 comes before 1.16.
        assert!(codes("rbac.authorization.k8s.io/v1beta1", "Role", &run("1.9")).is_empty());
        assert_eq!(codes("extensions/v1beta1", "Ingress", &run("v1.33.2")), ["removed-api"]);
    }

    #[test]
    fn versions_that_are_served_and_kinds_of_others_pass() {
        for (version, kind) in [
            ("batch/v1", "CronJob"),
            ("autoscaling/v2", "HorizontalPodAutoscaler"),
            ("v1", "ConfigMap"),
            ("flagger.app/v1alpha3", "Canary"),
            ("batch/v1beta1", "Job"),
        ] {
            assert!(codes(version, kind, "").is_empty(), "{version} {kind}");
        }
    }

    #[test]
    fn a_release_that_is_none_is_a_problem_of_the_settings() {
        for text in [r#"{"kubernetes": "soon"}"#, r#"{"kubernetes": 1.3}"#, r#"{"version": "1.3"}"#]
        {
            let value: Value = serde_json::from_str(text).unwrap_or_default();
            assert_eq!(RemovedApis::validate(&value).len(), 1, "{text}");
        }
    }
}
