//! Denies images that can change without a commit: without a tag, or with a
//! tag that moves, such as `latest`.
//!
//! Settings, all optional: `floating` (tags that move; `latest` always does),
//! `requireDigest` (even a fixed tag is not enough), `allow` (images that are
//! not judged; `*` stands for any characters).

mod settings;

use gitops_policy_sdk::image::Image;
use gitops_policy_sdk::pods;
use gitops_policy_sdk::prelude::*;
use serde_json::{Value, json};

use settings::Settings;

struct NoFloatingTag;

impl Rule for NoFloatingTag {
    type Settings = Settings;

    const NOTHING: &'static str = "no object runs an image";

    fn validate(settings: &Value) -> Vec<Problem> {
        settings::problems(settings)
    }

    fn judge(object: &Value, settings: &Settings) -> Option<Vec<Finding>> {
        let images = pods::images(object);
        let found = images.iter().filter_map(|used| finding(used, settings));
        (!images.is_empty()).then(|| found.collect())
    }
}

gitops_policy_sdk::rule!(NoFloatingTag);

fn finding(used: &pods::Used, settings: &Settings) -> Option<Finding> {
    let image = Image::parse(used.image);
    if image.digest.is_some() || settings.allows(used.image, image.repository) {
        return None;
    }
    let (text, who) = (used.image, &used.who);
    let finding = match image.tag {
        None => Finding::deny(
            "missing-tag",
            format!("{who} runs `{text}` without a tag, which means `latest`"),
        ),
        Some(tag) if settings.floats(tag) => Finding::deny(
            "floating-tag",
            format!("{who} runs `{text}`, and the tag `{tag}` can move without a commit"),
        ),
        Some(_) if settings.require_digest => Finding::deny(
            "not-pinned-by-digest",
            format!("{who} runs `{text}`, which is not pinned by a digest"),
        )
        .severity(Severity::Medium),
        Some(_) => return None,
    };
    let repository = image.repository;
    let fix = if settings.require_digest {
        format!("pin `{repository}` by its digest, as in `{repository}@sha256:…`")
    } else {
        format!("give `{repository}` the tag of one version, or pin it by its digest")
    };
    Some(finding.at(used.pointer.as_str()).fix(fix).evidence(&json!({ "image": text })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(image: &str) -> Value {
        json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [
            {"name": "web", "image": image}
        ]}}}})
    }

    fn codes(object: &Value, settings: &str) -> Vec<String> {
        let settings: Settings = gitops_policy_sdk::parse_settings(settings)
            .unwrap_or_else(|_| panic!("settings of the test"));
        match NoFloatingTag::judge(object, &settings) {
            Some(findings) => findings.into_iter().map(|f| f.code).collect(),
            None => vec!["not about it".to_owned()],
        }
    }

    #[test]
    fn judges_a_tag() {
        for (image, settings, expected) in [
            ("web:1.2.3", "", None),
            ("web", "", Some("missing-tag")),
            ("registry.example:5000/web", "", Some("missing-tag")),
            ("web:latest", "", Some("floating-tag")),
            ("web:main", "", Some("floating-tag")),
            ("web:main", r#"{"floating": ["next"]}"#, None),
            ("web:next", r#"{"floating": ["next"]}"#, Some("floating-tag")),
            ("web:latest", r#"{"floating": []}"#, Some("floating-tag")),
            ("web:1.2.3", r#"{"requireDigest": true}"#, Some("not-pinned-by-digest")),
            ("web:latest", r#"{"allow": ["web*"]}"#, None),
            ("registry.example/a/web:latest", r#"{"allow": ["registry.example/*"]}"#, None),
            (
                "other.example/web:latest",
                r#"{"allow": ["registry.example/*"]}"#,
                Some("floating-tag"),
            ),
        ] {
            let got = codes(&deployment(image), settings);
            assert_eq!(got, expected.into_iter().collect::<Vec<_>>(), "{image} {settings}");
        }
    }

    #[test]
    fn a_digest_passes_whatever_the_tag() {
        let digest = format!("@sha256:{}", "a".repeat(64));
        for image in [format!("web{digest}"), format!("web:latest{digest}")] {
            assert!(codes(&deployment(&image), r#"{"requireDigest": true}"#).is_empty(), "{image}");
        }
        assert_eq!(codes(&deployment("web@latest"), ""), ["missing-tag"]);
    }

    #[test]
    fn names_the_field() {
        let findings = NoFloatingTag::judge(&deployment("web:latest"), &Settings::default());
        let pointers: Vec<_> = findings.into_iter().flatten().map(|found| found.pointer).collect();
        assert_eq!(pointers, [Some("/spec/template/spec/containers/0/image".to_owned())]);
    }

    #[test]
    fn has_nothing_to_say_without_images() {
        assert_eq!(codes(&json!({"kind": "ConfigMap", "data": {}}), ""), ["not about it"]);
    }
}
