//! Denies a step that deletes what other things go with: claims to volumes with
//! their data, namespaces and definitions of resources with all that is in
//! them. What must be deleted to be made anew counts as well.
//!
//! Settings, optional: `kinds`, a list of kinds in place of these three, each
//! alone or with its group, as `StatefulSet` or `StatefulSet.apps`.

use gitops_policy_sdk::prelude::*;
use serde::Deserialize;

struct NoRemoval;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    kinds: Vec<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        let kinds = ["PersistentVolumeClaim", "Namespace", "CustomResourceDefinition"];
        Settings { kinds: kinds.map(str::to_owned).to_vec() }
    }
}

impl Settings {
    fn names(&self, id: &ObjectRef) -> bool {
        let group = id.api_version.split_once('/').map_or("", |(group, _)| group);
        self.kinds.iter().any(|kind| match kind.split_once('.') {
            Some((kind, named)) => kind == id.kind && named == group,
            None => *kind == id.kind,
        })
    }
}

impl Gate for NoRemoval {
    type Settings = Settings;

    fn evaluate(_: &Context, _: &GateRequest, settings: Settings) -> Result<Outcome, PolicyError> {
        Ok(Outcome::Evaluated(judge(&input::changes(), &settings)))
    }
}

gitops_policy_sdk::gate!(NoRemoval);

fn judge(changes: &[Change], settings: &Settings) -> Vec<Finding> {
    let named = changes.iter().filter(|change| settings.names(&change.id));
    named.filter_map(|change| Some(finding(change)?.on(&change.id))).collect()
}

fn finding(change: &Change) -> Option<Finding> {
    let what = lost(&change.id.kind);
    let (code, words, fix) = match change.kind {
        ChangeKind::Deleted => (
            "removed",
            "is deleted",
            "keep it in this step; delete it by a change of its own that nobody can take for a promotion",
        ),
        ChangeKind::Replaced => (
            "replaced",
            "is deleted and made anew, since a field that cannot change does",
            "leave that field as it is, or make the new one under another name",
        ),
        ChangeKind::Created | ChangeKind::Configured => return None,
    };
    let finding = Finding::deny(code, format!("the {} {words}{what}", change.id.kind));
    Some(finding.severity(Severity::Critical).fix(fix))
}

/// What goes with an object of the kind.
fn lost(kind: &str) -> &'static str {
    match kind {
        "PersistentVolumeClaim" => ", and with it, as most volumes are set up, its data",
        "Namespace" => ", and with it all that is in it",
        "CustomResourceDefinition" => ", and with it every object of that kind",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: ChangeKind, api_version: &str, object: &str) -> Change {
        let id = ObjectRef {
            api_version: api_version.to_owned(),
            kind: object.to_owned(),
            namespace: None,
            name: "data".to_owned(),
        };
        Change { kind, id, before: None, after: None, fields: Vec::new(), source: None }
    }

    fn codes(changes: &[Change], settings: &str) -> Vec<String> {
        let settings = gitops_policy_sdk::parse_settings(settings)
            .unwrap_or_else(|_| panic!("settings of the test"));
        judge(changes, &settings).into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn what_is_deleted_or_replaced_is_denied() {
        for (kind, expected) in [
            (ChangeKind::Deleted, Some("removed")),
            (ChangeKind::Replaced, Some("replaced")),
            (ChangeKind::Created, None),
            (ChangeKind::Configured, None),
        ] {
            let changes = [change(kind, "v1", "PersistentVolumeClaim")];
            assert_eq!(codes(&changes, ""), expected.into_iter().collect::<Vec<_>>());
        }
        assert!(codes(&[change(ChangeKind::Deleted, "v1", "ConfigMap")], "").is_empty());
    }

    #[test]
    fn kinds_can_be_named_with_their_group() {
        let set = change(ChangeKind::Deleted, "apps/v1", "StatefulSet");
        for (settings, denied) in [
            (r#"{"kinds": ["StatefulSet"]}"#, true),
            (r#"{"kinds": ["StatefulSet.apps"]}"#, true),
            (r#"{"kinds": ["StatefulSet.other.example"]}"#, false),
            (r#"{"kinds": []}"#, false),
        ] {
            assert_eq!(
                !codes(std::slice::from_ref(&set), settings).is_empty(),
                denied,
                "{settings}"
            );
        }
    }
}
