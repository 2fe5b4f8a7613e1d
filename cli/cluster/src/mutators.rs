//! Whether admission may change what is written.

use serde_json::Value;

use crate::connect::Cluster;
use crate::discovery::{Discovery, Resource};
use crate::error::ClusterError;
use crate::read::{List, Live, text};

const GROUP: &str = "admissionregistration.k8s.io";

/// The mutating webhooks and policies that are registered in the cluster.
/// Those of kube-apiserver's own flags and files cannot be seen from here.
#[derive(Clone, Debug)]
pub struct Mutators {
    known: Result<Vec<Mutator>, ClusterError>,
}

#[derive(Clone, Debug)]
struct Mutator {
    /// `MutatingWebhookConfiguration/name`, for display.
    name: String,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    groups: Vec<String>,
    versions: Vec<String>,
    resources: Vec<String>,
    operations: Vec<String>,
    scope: String,
    /// Whether the server also converts requests of other versions to match.
    equivalent: bool,
}

impl Mutators {
    /// Why the registrations are not known; then every write may match.
    pub fn unreadable(&self) -> Option<&ClusterError> {
        self.known.as_ref().err()
    }

    /// Whether an update of such an object may be changed by admission.
    /// Selectors and match conditions are taken to match, so the answer may be
    /// yes where it is no, never the other way round.
    pub fn may_match(&self, resource: &Resource, namespace: Option<&str>) -> bool {
        self.known.is_err() || self.matching(resource, namespace).next().is_some()
    }

    /// The names (`kind/name`) of those that may change an update of it.
    pub fn matching<'a>(
        &'a self,
        resource: &'a Resource,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = &'a str> {
        self.known
            .iter()
            .flatten()
            .filter(move |mutator| {
                mutator.rules.iter().any(|rule| rule.matches(resource, namespace))
            })
            .map(|mutator| mutator.name.as_str())
    }
}

impl Rule {
    /// As `k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules`.
    fn matches(&self, resource: &Resource, namespace: Option<&str>) -> bool {
        let any = |list: &[String], wanted: &str| {
            list.iter().any(|entry| entry == "*" || entry == wanted)
        };
        // An equivalent resource is another version, seldom another group, of
        // the same plural.
        let named =
            self.resources.iter().any(|entry| entry.split('/').next() == Some(&resource.plural));
        let version = self.equivalent || any(&self.versions, &resource.version);
        let group = any(&self.groups, &resource.group) || (self.equivalent && named);
        let scope = match self.scope.as_str() {
            "Cluster" => namespace.is_none(),
            "Namespaced" => namespace.is_some(),
            _ => true,
        };
        let of_resource = self.resources.iter().any(|entry| {
            let (name, subresource) = entry.split_once('/').unwrap_or((entry, ""));
            (name == "*" || name == resource.plural) && matches!(subresource, "" | "*")
        });
        group && version && scope && of_resource && any(&self.operations, "UPDATE")
    }

    fn read(rule: &Value, match_policy: &str) -> Self {
        let texts = |field: &str| {
            rule.get(field)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|entry| entry.as_str().map(str::to_owned))
                .collect()
        };
        Self {
            groups: texts("apiGroups"),
            versions: texts("apiVersions"),
            resources: texts("resources"),
            operations: texts("operations"),
            scope: text(rule, "/scope").to_owned(),
            equivalent: match_policy != "Exact",
        }
    }
}

impl Cluster {
    /// Reads the registrations. That they cannot be read is part of the answer.
    pub async fn mutators(&self, discovery: &Discovery) -> Mutators {
        let (webhooks, policies, bindings) = futures::join!(
            self.registered(discovery, "MutatingWebhookConfiguration"),
            self.registered(discovery, "MutatingAdmissionPolicy"),
            self.registered(discovery, "MutatingAdmissionPolicyBinding"),
        );
        let known = webhooks.and_then(|webhooks| {
            Ok(webhooks
                .iter()
                .map(of_webhooks)
                .chain(of_policies(&policies?, &bindings?))
                .collect())
        });
        Mutators { known }
    }

    async fn registered(
        &self,
        discovery: &Discovery,
        kind: &str,
    ) -> Result<Vec<Live>, ClusterError> {
        match discovery.preferred(GROUP, kind) {
            Some(resource) => Ok(self.list(resource, List::default()).await?.items),
            None => match discovery.target(&format!("{GROUP}/v1"), kind, None, "any", "") {
                // Older servers have no policies: nothing to match.
                Err(ClusterError::NotServed { .. }) | Ok(_) => Ok(Vec::new()),
                Err(error) => Err(error),
            },
        }
    }
}

fn array<'a>(json: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    json.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn of_webhooks(configuration: &Live) -> Mutator {
    Mutator {
        name: format!("MutatingWebhookConfiguration/{}", configuration.name()),
        rules: array(&configuration.json, "/webhooks")
            .flat_map(|webhook| {
                array(webhook, "/rules").map(|rule| Rule::read(rule, text(webhook, "/matchPolicy")))
            })
            .collect(),
    }
}

/// A policy acts only where a binding names it.
fn of_policies(policies: &[Live], bindings: &[Live]) -> Vec<Mutator> {
    let is_bound =
        |name: &str| bindings.iter().any(|binding| text(&binding.json, "/spec/policyName") == name);
    policies
        .iter()
        .filter(|policy| is_bound(policy.name()))
        .map(|policy| Mutator {
            name: format!("MutatingAdmissionPolicy/{}", policy.name()),
            rules: array(&policy.json, "/spec/matchConstraints/resourceRules")
                .map(|rule| {
                    Rule::read(rule, text(&policy.json, "/spec/matchConstraints/matchPolicy"))
                })
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: Value) -> Mutators {
        let webhook = serde_json::json!({
            "metadata": {"name": "x"},
            "webhooks": [{"matchPolicy": "Exact", "rules": [json]}],
        });
        Mutators { known: Ok(vec![of_webhooks(&Live { json: webhook })]) }
    }

    fn resource(group: &str, version: &str, plural: &str) -> Resource {
        Resource {
            group: group.into(),
            version: version.into(),
            kind: "X".into(),
            plural: plural.into(),
            namespaced: true,
            verbs: Vec::new(),
        }
    }

    #[test]
    fn rules_match_as_in_the_server() {
        let deployment = resource("apps", "v1", "deployments");
        let matches =
            |json, resource: &Resource, namespace| rule(json).may_match(resource, namespace);
        let json = |field: &str, value: Value| {
            let mut json = serde_json::json!({
                "apiGroups": ["apps"], "apiVersions": ["v1"],
                "resources": ["deployments"], "operations": ["UPDATE"], "scope": "*",
            });
            json[field] = value;
            json
        };
        let list = |entry: &str| Value::from(vec![entry]);
        assert!(matches(json("scope", "*".into()), &deployment, Some("a")));
        assert!(matches(json("apiGroups", list("*")), &deployment, Some("a")));
        assert!(!matches(json("apiGroups", list("")), &deployment, Some("a")));
        assert!(!matches(json("apiVersions", list("v2")), &deployment, Some("a")));
        assert!(matches(json("resources", list("*")), &deployment, Some("a")));
        assert!(matches(json("resources", list("*/*")), &deployment, Some("a")));
        assert!(matches(json("resources", list("deployments/*")), &deployment, Some("a")));
        assert!(!matches(json("resources", list("deployments/scale")), &deployment, Some("a")));
        assert!(matches(json("operations", list("*")), &deployment, Some("a")));
        assert!(!matches(json("operations", list("CREATE")), &deployment, Some("a")));
        assert!(!matches(json("scope", "Cluster".into()), &deployment, Some("a")));
        assert!(matches(json("scope", "Cluster".into()), &deployment, None));
        assert!(!matches(json("scope", "Namespaced".into()), &deployment, None));
    }

    #[test]
    fn other_versions_match_where_the_server_converts() {
        let webhook = serde_json::json!({"metadata": {"name": "x"}, "webhooks": [{"rules": [
            {"apiGroups": ["apps"], "apiVersions": ["v1beta1"], "resources": ["deployments"],
             "operations": ["UPDATE"]}]}]});
        let mutators = Mutators { known: Ok(vec![of_webhooks(&Live { json: webhook })]) };
        assert!(mutators.may_match(&resource("apps", "v1", "deployments"), Some("a")));
        assert!(!mutators.may_match(&resource("apps", "v1", "daemonsets"), Some("a")));
    }

    #[test]
    fn what_cannot_be_read_may_match() {
        let mutators =
            Mutators { known: Err(ClusterError::Forbidden { message: "no".to_owned() }) };
        assert!(mutators.may_match(&resource("", "v1", "pods"), Some("a")));
        assert!(mutators.unreadable().is_some());
    }
}
