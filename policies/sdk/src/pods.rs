//! Where objects hold pods, and pods hold images.

use serde_json::Value;

/// An image that an object runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used<'a> {
    /// RFC 6901 pointer to the reference.
    pub pointer: String,
    /// The reference.
    pub image: &'a str,
    /// Who runs it, in words.
    pub who: String,
}

/// Where kinds hold a pod's spec: CronJob; Deployment, StatefulSet,
/// DaemonSet, ReplicaSet, ReplicationController, Job and any custom resource
/// made like them; PodTemplate.
const PODS: [&str; 3] =
    ["/spec/jobTemplate/spec/template/spec", "/spec/template/spec", "/template/spec"];

/// The lists of a pod that hold containers, and how one is called.
const CONTAINERS: [(&str, &str); 3] = [
    ("initContainers", "init container"),
    ("containers", "container"),
    ("ephemeralContainers", "ephemeral container"),
];

/// Every image that `object` runs.
pub fn images(object: &Value) -> Vec<Used<'_>> {
    let mut used = Vec::new();
    if object["kind"] == "Pod" {
        of_pod("/spec", &object["spec"], &mut used);
    }
    for pointer in PODS {
        if let Some(pod) = object.pointer(pointer) {
            of_pod(pointer, pod, &mut used);
        }
    }
    used
}

fn of_pod<'a>(base: &str, pod: &'a Value, used: &mut Vec<Used<'a>>) {
    for (list, word) in CONTAINERS {
        for (index, container) in items(&pod[list]) {
            if let Some(image) = container["image"].as_str() {
                used.push(Used {
                    pointer: format!("{base}/{list}/{index}/image"),
                    image,
                    who: named(word, &container["name"], index),
                });
            }
        }
    }
    for (index, volume) in items(&pod["volumes"]) {
        if let Some(image) = volume["image"]["reference"].as_str() {
            used.push(Used {
                pointer: format!("{base}/volumes/{index}/image/reference"),
                image,
                who: named("volume", &volume["name"], index),
            });
        }
    }
}

fn items(list: &Value) -> impl Iterator<Item = (usize, &Value)> {
    list.as_array().into_iter().flatten().enumerate()
}

fn named(word: &str, name: &Value, index: usize) -> String {
    match name.as_str() {
        Some(name) => format!("{word} `{name}`"),
        None => format!("{word} {index}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn pointers(object: Value) -> Vec<String> {
        images(&object).into_iter().map(|used| used.pointer).collect()
    }

    #[test]
    fn finds_pods_in_every_kind() {
        let pod = json!({"containers": [{"name": "a", "image": "a"}]});
        for kind in [
            "Deployment",
            "StatefulSet",
            "DaemonSet",
            "ReplicaSet",
            "Job",
            "ReplicationController",
            "Rollout",
        ] {
            let object = json!({"kind": kind, "spec": {"template": {"spec": pod}}});
            assert_eq!(pointers(object), ["/spec/template/spec/containers/0/image"], "{kind}");
        }
        assert_eq!(pointers(json!({"kind": "Pod", "spec": pod})), ["/spec/containers/0/image"]);
        assert_eq!(
            pointers(
                json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}})
            ),
            ["/spec/jobTemplate/spec/template/spec/containers/0/image"]
        );
        assert_eq!(
            pointers(json!({"kind": "PodTemplate", "template": {"spec": pod}})),
            ["/template/spec/containers/0/image"]
        );
    }

    #[test]
    fn finds_every_list_of_a_pod() {
        let object = json!({"kind": "Pod", "spec": {
            "containers": [{"name": "a"}, {"name": "b", "image": "b"}],
            "initContainers": [{"image": "i"}],
            "ephemeralContainers": [{"name": "e", "image": "e"}],
            "volumes": [{"name": "v", "image": {"reference": "v"}}, {"name": "w", "emptyDir": {}}],
        }});
        let found: Vec<_> = images(&object).into_iter().map(|u| (u.pointer, u.who)).collect();
        let expected = [
            ("/spec/initContainers/0/image", "init container 0"),
            ("/spec/containers/1/image", "container `b`"),
            ("/spec/ephemeralContainers/0/image", "ephemeral container `e`"),
            ("/spec/volumes/0/image/reference", "volume `v`"),
        ];
        assert_eq!(found, expected.map(|(p, w)| (p.to_owned(), w.to_owned())));
    }

    #[test]
    fn odd_shapes_hold_no_images() {
        for object in
            [json!(null), json!({"kind": "Pod", "spec": "x"}), json!({"spec": {"template": []}})]
        {
            assert!(pointers(object).is_empty());
        }
    }
}
