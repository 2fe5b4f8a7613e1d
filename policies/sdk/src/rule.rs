//! Rules about single objects.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::settings::{self, Problem, parse_settings};
use crate::types::{
    Change, Context, Finding, Object, ObjectRef, Outcome, PolicyError, SettingsProblem,
};
use crate::{CheckRequest, GateRequest, input, report_panics};

/// A policy that judges each object by itself: those that a promotion leaves
/// changed, and all that an environment holds.
pub trait Rule {
    /// What its binding may set, as in [`Gate::Settings`](crate::Gate::Settings).
    type Settings: DeserializeOwned;

    /// What it has nothing to say about otherwise, for example "no object runs
    /// an image".
    const NOTHING: &'static str;

    /// Problems of the settings, as in [`Gate::validate`](crate::Gate::validate).
    fn validate(settings: &Value) -> Vec<Problem> {
        settings::validate_as::<Self::Settings>(settings)
    }

    /// What is wrong with an object; `None` where the rule is not about such
    /// objects. The object is set on the findings afterwards.
    fn judge(object: &Value, settings: &Self::Settings) -> Option<Vec<Finding>>;
}

/// Carries a [`Rule`] to the exports of its worlds; named by the macro only.
#[doc(hidden)]
pub struct RuleAdapter<T>(std::marker::PhantomData<T>);

impl<T: Rule> crate::settings_world::exports::kubectl_gitops::policy::settings::Guest
    for RuleAdapter<T>
{
    fn validate(settings: String) -> Vec<SettingsProblem> {
        settings::validate_text(&settings, T::validate)
    }
}

impl<T: Rule> crate::gate_world::exports::kubectl_gitops::policy::promotion_gate::Guest
    for RuleAdapter<T>
{
    fn evaluate(context: Context, _: GateRequest) -> Result<Outcome, PolicyError> {
        report_panics();
        let settings = parse_settings(&context.settings)?;
        changed::<T>(&input::changes(), &settings)
    }
}

impl<T: Rule> crate::check_world::exports::kubectl_gitops::policy::conformance_check::Guest
    for RuleAdapter<T>
{
    fn evaluate(context: Context, request: CheckRequest) -> Result<Outcome, PolicyError> {
        report_panics();
        let settings = parse_settings(&context.settings)?;
        let names = request.environments.iter().map(|rendered| &rendered.environment.name);
        let objects: Vec<Object> = names.flat_map(|name| input::desired(name)).collect();
        standing::<T>(&objects, &settings)
    }
}

/// Judges the objects that are there after a change.
pub(crate) fn changed<T: Rule>(
    changes: &[Change],
    settings: &T::Settings,
) -> Result<Outcome, PolicyError> {
    let mut judged = Judged::default();
    for change in changes {
        if let Some(object) = change.after_json()? {
            judged.add(&change.id, T::judge(&object, settings));
        }
    }
    Ok(judged.outcome(T::NOTHING))
}

/// Judges objects that stand.
pub(crate) fn standing<T: Rule>(
    objects: &[Object],
    settings: &T::Settings,
) -> Result<Outcome, PolicyError> {
    let mut judged = Judged::default();
    for object in objects {
        judged.add(&object.id, T::judge(&object.json()?, settings));
    }
    Ok(judged.outcome(T::NOTHING))
}

#[derive(Default)]
struct Judged {
    any: bool,
    findings: Vec<Finding>,
}

impl Judged {
    fn add(&mut self, id: &ObjectRef, findings: Option<Vec<Finding>>) {
        self.any |= findings.is_some();
        self.findings.extend(findings.into_iter().flatten().map(|finding| finding.on(id)));
    }

    fn outcome(self, nothing: &str) -> Outcome {
        if self.any {
            Outcome::Evaluated(self.findings)
        } else {
            Outcome::NotApplicable(nothing.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::types::ChangeKind;

    /// Pods are named `good`.
    struct Named;

    impl Rule for Named {
        type Settings = ();

        const NOTHING: &'static str = "no pod is there";

        fn judge(object: &Value, (): &()) -> Option<Vec<Finding>> {
            let is_good = object["metadata"]["name"] == "good";
            let bad = || Finding::deny("bad-name", "it is not good").at("/metadata/name");
            (object["kind"] == "Pod").then(|| (!is_good).then(bad).into_iter().collect())
        }
    }

    fn id(kind: &str, name: &str) -> ObjectRef {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        ObjectRef { api_version: "v1".into(), kind, namespace: None, name }
    }

    fn object(kind: &str, name: &str) -> Object {
        let manifest = json!({"kind": kind, "metadata": {"name": name}}).to_string();
        Object { id: id(kind, name), manifest, source: None }
    }

    fn found(outcome: Result<Outcome, PolicyError>) -> Vec<String> {
        match outcome.unwrap() {
            Outcome::Evaluated(found) => {
                found.into_iter().map(|one| one.object.unwrap().name).collect()
            }
            Outcome::NotApplicable(reason) => vec![reason],
            Outcome::Pending(_) => Vec::new(),
        }
    }

    #[test]
    fn each_object_is_judged_by_itself() {
        let objects = [object("Pod", "good"), object("Pod", "bad"), object("Job", "worse")];
        assert_eq!(found(standing::<Named>(&objects, &())), ["bad"]);
        assert_eq!(found(standing::<Named>(&objects[2..], &())), ["no pod is there"]);
    }

    #[test]
    fn of_a_change_what_is_there_afterwards_is_judged() {
        let change = |name: &str, is_there: bool| {
            let Object { id, manifest, .. } = object("Pod", name);
            let (before, after) =
                if is_there { (None, Some(manifest)) } else { (Some(manifest), None) };
            let kind = if is_there { ChangeKind::Created } else { ChangeKind::Deleted };
            Change { kind, id, before, after, fields: Vec::new(), source: None }
        };
        let changes = [change("bad", true), change("gone", false)];
        assert_eq!(found(changed::<Named>(&changes, &())), ["bad"]);
        assert_eq!(found(changed::<Named>(&changes[1..], &())), ["no pod is there"]);
    }
}
