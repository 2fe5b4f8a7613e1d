//! What the file of an object is called: never as another object's, never
//! outside of its folder, on any file system. `a`-`z`, digits, `.` and `-`
//! stand for themselves, all other bytes as `%5f`; so do what Windows reserves
//! and capitals, which some file systems do not tell from small letters.

use gitops_core::key::ObjectKey;
use sha2::{Digest as _, Sha256};

/// Longer parts are cut, and end in a digest of the whole.
const LONGEST: usize = 200;

/// The folder of objects that name no namespace; no namespace is called so.
const NO_NAMESPACE: &str = "_no-namespace";

/// The folder of an environment.
pub(super) fn environment(name: &str) -> String {
    whole(&escaped(name, "_"), "")
}

/// `namespace/kind.group_name.yaml`.
pub(super) fn object(key: &ObjectKey) -> String {
    let namespace = match &key.namespace {
        Some(namespace) => whole(&escaped(namespace, ""), ""),
        None => NO_NAMESPACE.to_owned(),
    };
    let mut kind = escaped(&key.kind.to_lowercase(), "");
    if !key.group.is_empty() {
        kind.push('.');
        kind.push_str(&escaped(&key.group, ""));
    }
    let file = whole(&format!("{kind}_{}", escaped(&key.name, "")), ".yaml");
    format!("{namespace}/{file}")
}

/// Whether a path could have been made here: nothing else is ever deleted.
pub(super) fn is_ours(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_%~".contains(c);
    (parts.len() == 2 || parts.len() == 3)
        && path.ends_with(".yaml")
        && parts.iter().all(|part| !part.is_empty() && !part.starts_with('.'))
        && parts.iter().all(|part| part.chars().all(plain))
}

fn escaped(text: &str, more: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c) || more.contains(c) {
            out.push(c);
        } else {
            out.push_str(&format!("%{byte:02x}"));
        }
    }
    out
}

/// A part of a path: not too long, not hidden, not reserved.
fn whole(text: &str, ending: &str) -> String {
    const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
    let mut name = text.to_owned();
    if name.len() > LONGEST {
        let digest = Sha256::digest(text.as_bytes());
        let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        name.truncate(LONGEST - 17);
        name.push('~');
        name.push_str(&digest);
    }
    let stem = name.split('.').next().unwrap_or_default();
    let port = ["com", "lpt"].iter().find_map(|port| stem.strip_prefix(port));
    let device = DEVICES.contains(&stem)
        || port.is_some_and(|rest| rest.len() == 1 && rest.chars().all(|c| c.is_ascii_digit()));
    if device || name.starts_with('.') {
        let first = name.remove(0);
        name.insert_str(0, &format!("%{:02x}", u32::from(first)));
    }
    // Windows drops a dot at the end.
    if ending.is_empty() && name.ends_with('.') {
        name.pop();
        name.push_str("%2e");
    }
    name + ending
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectKey {
        ObjectKey {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    #[test]
    fn plain_names_read_as_they_are() {
        let web = key("apps", "Deployment", Some("shop"), "web");
        assert_eq!(object(&web), "shop/deployment.apps_web.yaml");
        let role = key("rbac.authorization.k8s.io", "ClusterRole", None, "system:node");
        assert_eq!(
            object(&role),
            "_no-namespace/clusterrole.rbac.authorization.k8s.io_system%3anode.yaml"
        );
        assert_eq!(environment("eu_prod-1.2"), "eu_prod-1.2");
    }

    #[test]
    fn no_two_objects_share_a_file_and_none_leaves_its_folder() {
        let long = "x".repeat(253);
        let texts = [
            "a",
            "b",
            "a-b",
            "a.b",
            "a_b",
            "A",
            "..",
            ".",
            ".a",
            "a.",
            "a/b",
            "../x",
            "a\\b",
            "con",
            "nul.x",
            "com1",
            "%61",
            "%",
            "ä",
            "a b",
            "a:b",
            "",
            "a\0",
            &long,
            "_no-namespace",
        ];
        let mut seen = std::collections::BTreeMap::new();
        for group in ["", "b", "b-c", "con"] {
            for namespace in texts.iter().map(|text| Some(*text)).chain([None]) {
                for name in texts.iter().copied().chain([&*format!("{long}y"), "c-d", "d"]) {
                    // No namespace and an empty one are the same.
                    let namespace = namespace.filter(|text| !text.is_empty());
                    let key = key(group, "Con", namespace, name);
                    let path = object(&key);
                    assert!(is_ours(&path), "{path}");
                    assert!(path.split('/').all(|part| part.len() <= 255), "{path}");
                    for part in path.split('/') {
                        let stem = part.split('.').next().unwrap_or_default();
                        assert!(!["con", "nul", "com1"].contains(&stem), "{path}");
                        assert!(!part.ends_with('.') && !part.ends_with(' '), "{path}");
                    }
                    if let Some(other) = seen.insert(path.clone(), key.clone()) {
                        assert!(other == key, "{path}");
                    }
                }
            }
        }
    }

    #[test]
    fn other_paths_are_not_ours() {
        for path in [
            "../a/b.yaml",
            "/a/b.yaml",
            "a/../b.yaml",
            "a//b.yaml",
            "b.yaml",
            "a/b",
            "a/.git/b.yaml",
            "a/b/c/d.yaml",
            "a\\b/c.yaml",
            "C:/b.yaml",
            "a/b .yaml",
            "a/B.yaml",
        ] {
            assert!(!is_ours(path), "{path}");
        }
    }
}
