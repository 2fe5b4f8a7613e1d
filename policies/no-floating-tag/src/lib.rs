//! Denies images that can change without a commit: without a tag, or with a
//! tag that moves, such as `latest`.
//!
//! Settings, all optional: `floating` (tags that move; `latest` always does),
//! `requireDigest` (even a fixed tag is not enough), `allow` (images that are
//! not judged; `*` stands for any characters).

mod image;
mod pods;
mod settings;

use gitops_policy_sdk::prelude::*;
use serde_json::json;

use image::Image;
use settings::Settings;

struct NoFloatingTag;

impl Gate for NoFloatingTag {
    type Settings = Settings;

    fn validate(settings: &serde_json::Value) -> Vec<Problem> {
        settings::problems(settings)
    }

    fn evaluate(_: &Context, _: &GateRequest, settings: Settings) -> Result<Outcome, PolicyError> {
        judge(&input::changes(), &settings)
    }
}

gitops_policy_sdk::gate!(NoFloatingTag);

/// Judges every image of every object that is there afterwards.
fn judge(changes: &[Change], settings: &Settings) -> Result<Outcome, PolicyError> {
    let mut seen = false;
    let mut findings = Vec::new();
    for change in changes {
        let Some(object) = change.after_json()? else { continue };
        for used in pods::images(&object) {
            seen = true;
            if let Some(finding) = finding(&used, settings) {
                findings.push(finding.on(&change.id).at(used.pointer));
            }
        }
    }
    Ok(if seen {
        Outcome::Evaluated(findings)
    } else {
        Outcome::NotApplicable("no changed object runs an image".to_owned())
    })
}

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
    Some(finding.fix(fix).evidence(&json!({ "image": text })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: &str, after: serde_json::Value) -> Change {
        Change {
            kind: ChangeKind::Configured,
            id: ObjectRef {
                api_version: "apps/v1".into(),
                kind: kind.into(),
                namespace: None,
                name: "web".into(),
            },
            before: None,
            after: Some(after.to_string()),
            fields: Vec::new(),
            source: None,
        }
    }

    fn deployment(image: &str) -> Change {
        change(
            "Deployment",
            json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [
                {"name": "web", "image": image}
            ]}}}}),
        )
    }

    fn codes(change: Change, settings: &str) -> Vec<String> {
        let settings: Settings = gitops_policy_sdk::parse_settings(settings)
            .unwrap_or_else(|_| panic!("settings of the test"));
        match judge(&[change], &settings) {
            Ok(Outcome::Evaluated(findings)) => findings.into_iter().map(|f| f.code).collect(),
            _ => vec!["not evaluated".to_owned()],
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
            let got = codes(deployment(image), settings);
            assert_eq!(got, expected.into_iter().collect::<Vec<_>>(), "{image} {settings}");
        }
    }

    #[test]
    fn a_digest_passes_whatever_the_tag() {
        let digest = format!("@sha256:{}", "a".repeat(64));
        for image in [format!("web{digest}"), format!("web:latest{digest}")] {
            assert!(codes(deployment(&image), r#"{"requireDigest": true}"#).is_empty(), "{image}");
        }
        assert_eq!(codes(deployment("web@latest"), ""), ["missing-tag"]);
    }

    #[test]
    fn names_the_field() {
        let Ok(Outcome::Evaluated(findings)) =
            judge(&[deployment("web:latest")], &Settings::default())
        else {
            panic!("it is evaluated");
        };
        assert_eq!(findings[0].pointer.as_deref(), Some("/spec/template/spec/containers/0/image"));
        assert_eq!(findings[0].object.as_ref().map(|o| o.name.as_str()), Some("web"));
    }

    #[test]
    fn has_nothing_to_say_without_images() {
        let outcome = judge(&[change("ConfigMap", json!({"data": {}}))], &Settings::default());
        assert!(matches!(outcome, Ok(Outcome::NotApplicable(_))));
    }

    #[test]
    fn a_deleted_object_runs_nothing() {
        let mut change = deployment("web:latest");
        change.after = None;
        assert!(matches!(judge(&[change], &Settings::default()), Ok(Outcome::NotApplicable(_))));
    }
}
