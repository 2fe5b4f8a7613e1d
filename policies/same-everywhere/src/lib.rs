//! Finds what drifted apart between environments that should be alike, such as
//! the distributions of one app: another version of an image, another API
//! version of the same object, and, where asked for, an object that only some
//! of them hold. Its binding says `compare: true`.
//!
//! Settings, optional: `objects`, whether objects that are missing count;
//! `except`, repositories of images that may differ.

use std::collections::{BTreeMap, BTreeSet};

use gitops_policy_sdk::image::Image;
use gitops_policy_sdk::pods;
use gitops_policy_sdk::prelude::*;
use serde::Deserialize;
use serde_json::json;

struct SameEverywhere;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    objects: bool,
    except: Vec<String>,
}

impl Check for SameEverywhere {
    type Settings = Settings;

    fn evaluate(
        _: &Context,
        request: &CheckRequest,
        settings: Settings,
    ) -> Result<Outcome, PolicyError> {
        let names = request.environments.iter().map(|rendered| rendered.environment.name.clone());
        let held: Vec<(String, Vec<Object>)> =
            names.map(|name| (name.clone(), input::desired(&name))).collect();
        judge(&held, &settings)
    }
}

gitops_policy_sdk::check!(SameEverywhere);

/// What each environment holds of something.
type Seen = BTreeMap<String, BTreeSet<String>>;

fn judge(held: &[(String, Vec<Object>)], settings: &Settings) -> Result<Outcome, PolicyError> {
    if held.len() < 2 {
        return Ok(Outcome::NotApplicable(
            "there is nothing to compare: bind it to several environments, with `compare: true`"
                .to_owned(),
        ));
    }
    let mut images: BTreeMap<String, Seen> = BTreeMap::new();
    // By kind, namespace and name, whatever the group's version.
    let mut objects: BTreeMap<(String, String, String, String), Seen> = BTreeMap::new();
    for (environment, all) in held {
        for object in all {
            for used in pods::images(&object.json()?) {
                let image = Image::parse(used.image);
                let version = image.digest.or(image.tag).unwrap_or("no version").to_owned();
                let seen = images.entry(image.repository.to_owned()).or_default();
                seen.entry(environment.clone()).or_default().insert(version);
            }
            let id = &object.id;
            let group = id.api_version.split_once('/').map_or("", |(group, _)| group).to_owned();
            let namespace = id.namespace.clone().unwrap_or_default();
            let key = (group, id.kind.clone(), namespace, id.name.clone());
            let seen = objects.entry(key).or_default();
            seen.entry(environment.clone()).or_default().insert(id.api_version.clone());
        }
    }
    let mut findings = Vec::new();
    images.retain(|repository, _| !settings.except.contains(repository));
    for (repository, seen) in images.iter().filter(|(_, seen)| differ(seen)) {
        let message = format!("`{repository}` is {}", told(seen));
        findings.push(
            Finding::deny("image-differs", message)
                .fix("move the same version into all of them")
                .evidence(&json!({ "image": repository, "versions": seen })),
        );
    }
    for ((group, kind, namespace, name), seen) in &objects {
        let on = |finding: Finding, version: &str| {
            let namespace = Some(namespace.clone()).filter(|namespace| !namespace.is_empty());
            let (kind, name) = (kind.clone(), name.clone());
            let api_version = version.to_owned();
            finding.on(&ObjectRef { api_version, kind, namespace, name })
        };
        let version = seen.values().flatten().next().map_or(group.as_str(), String::as_str);
        if differ(seen) {
            let message = format!("the {kind} is {}", told(seen));
            findings.push(on(Finding::warn("api-version-differs", message), version));
        }
        let lacks = |(environment, _): &&(String, Vec<Object>)| !seen.contains_key(environment);
        let missing: Vec<&str> =
            held.iter().filter(lacks).map(|(environment, _)| environment.as_str()).collect();
        if settings.objects && !missing.is_empty() {
            let message = format!("the {kind} is missing in {}", missing.join(", "));
            findings.push(on(Finding::warn("object-missing", message), version));
        }
    }
    Ok(Outcome::Evaluated(findings))
}

/// Whether two environments that hold it hold it differently.
fn differ(seen: &Seen) -> bool {
    seen.values().collect::<BTreeSet<_>>().len() > 1
}

/// `3.1.0 in istio, kubernetes; 3.1.1 in linkerd`.
fn told(seen: &Seen) -> String {
    let mut by_versions: BTreeMap<Vec<&str>, Vec<&str>> = BTreeMap::new();
    for (environment, versions) in seen {
        let versions = versions.iter().map(String::as_str).collect();
        by_versions.entry(versions).or_default().push(environment);
    }
    let parts: Vec<String> = by_versions
        .iter()
        .map(|(versions, environments)| {
            format!("{} in {}", versions.join(" and "), environments.join(", "))
        })
        .collect();
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(api_version: &str, name: &str, image: &str) -> Object {
        let manifest = json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [
            {"name": "app", "image": image}
        ]}}}});
        Object {
            id: ObjectRef {
                api_version: api_version.to_owned(),
                kind: "Deployment".to_owned(),
                namespace: None,
                name: name.to_owned(),
            },
            manifest: manifest.to_string(),
            source: None,
        }
    }

    fn found(held: &[(&str, Vec<Object>)], settings: &str) -> Vec<String> {
        let settings = gitops_policy_sdk::parse_settings(settings)
            .unwrap_or_else(|_| panic!("settings of the test"));
        let held: Vec<(String, Vec<Object>)> =
            held.iter().map(|(name, all)| ((*name).to_owned(), all.clone())).collect();
        match judge(&held, &settings) {
            Ok(Outcome::Evaluated(found)) => {
                found.into_iter().map(|f| format!("{}: {}", f.code, f.message)).collect()
            }
            Ok(Outcome::NotApplicable(_)) => vec!["not applicable".to_owned()],
            _ => vec!["neither".to_owned()],
        }
    }

    #[test]
    fn another_version_of_an_image_is_found() {
        let of = |tag: &str| vec![deployment("apps/v1", "web", &format!("a/podinfo:{tag}"))];
        let held = [("istio", of("3.1.0")), ("linkerd", of("3.1.1")), ("plain", of("3.1.0"))];
        let expected = "image-differs: `a/podinfo` is 3.1.0 in istio, plain; 3.1.1 in linkerd";
        assert_eq!(found(&held, ""), [expected]);
        assert!(found(&held, r#"{"except": ["a/podinfo"]}"#).is_empty());
        assert!(found(&[held[0].clone(), held[2].clone()], "").is_empty());
        assert_eq!(found(&held[..1], ""), ["not applicable"]);
    }

    #[test]
    fn versions_of_objects_and_missing_ones_are_found() {
        let old = deployment("apps/v1beta1", "web", "web:1");
        let new = deployment("apps/v1", "web", "web:1");
        let more = deployment("apps/v1", "job", "web:1");
        let held = [("a", vec![old]), ("b", vec![new, more])];
        let differs = "api-version-differs: the Deployment is apps/v1 in b; apps/v1beta1 in a";
        assert_eq!(found(&held, ""), [differs]);
        let missing = "object-missing: the Deployment is missing in a";
        assert_eq!(found(&held, r#"{"objects": true}"#), [missing, differs]);
    }
}
