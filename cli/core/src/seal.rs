//! Seals: what is printed in place of a Secret's values.
//!
//! A seal is a keyed digest of the object's name, the field's pointer and the
//! value. Within one run an equal value of the same field has an equal seal,
//! so that "changed" and "unchanged" stay visible; nothing else can be learnt
//! from it, since the key is made anew for every run, and a value put into
//! another object or field seals differently.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::key::ObjectKey;

/// A kind whose field is treated as a Secret's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealRule {
    /// The kind, in any group.
    pub kind: String,
    /// RFC 6901 pointer of the value; everything below it is sealed.
    pub pointer: String,
}

/// Seals values with the key of this run.
#[derive(Clone)]
pub struct Sealer {
    key: [u8; 32],
    rules: Vec<SealRule>,
}

impl Sealer {
    /// `key` must be random and made anew for each run. `rules` add to the
    /// built-in one for Secrets.
    pub fn new(key: [u8; 32], rules: Vec<SealRule>) -> Sealer {
        Sealer { key, rules }
    }

    /// Whether any value of this kind of object is sealed.
    pub fn applies_to(&self, key: &ObjectKey) -> bool {
        is_secret(key) || self.rules.iter().any(|rule| rule.kind == key.kind)
    }

    /// The tree with each secret value replaced by its seal. A Secret's
    /// `stringData` becomes part of `data`, as the API server does it.
    pub fn seal(&self, key: &ObjectKey, mut tree: Value) -> Value {
        if is_secret(key) {
            merge_string_data(&mut tree);
            for field in ["data", "stringData"] {
                if let Some(value) = tree.get_mut(field) {
                    self.seal_leaves(key, &format!("/{field}"), value);
                }
            }
        }
        for rule in self.rules.iter().filter(|rule| rule.kind == key.kind) {
            if let Some(value) = tree.pointer_mut(&rule.pointer) {
                self.seal_leaves(key, &rule.pointer, value);
            }
        }
        tree
    }

    /// `text`, unless it quotes a value of `tree` that is sealed: then words
    /// that say so. For what a server says about an object.
    pub fn said(&self, key: &ObjectKey, tree: &Value, text: String) -> String {
        let sealed = self.rules.iter().filter(|rule| rule.kind == key.kind);
        let mut quoted = false;
        for value in sealed.filter_map(|rule| tree.pointer(&rule.pointer)) {
            quoted |= quotes(&text, value);
        }
        if quoted {
            return "the server's text is withheld, since it quotes a sealed value".to_owned();
        }
        text
    }

    fn seal_leaves(&self, key: &ObjectKey, pointer: &str, value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    self.seal_leaves(key, &format!("{pointer}/{}", escape(name)), value);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.seal_leaves(key, &format!("{pointer}/{index}"), item);
                }
            }
            Value::Null => {}
            leaf => *leaf = Value::String(self.digest(key, pointer, leaf)),
        }
    }

    fn digest(&self, key: &ObjectKey, pointer: &str, value: &Value) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        let namespace = key.namespace.as_deref().unwrap_or("");
        for part in [&key.group, &key.kind, namespace, &key.name, pointer, &value.to_string()] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        let digest = mac.finalize().into_bytes();
        let hex: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        format!("(sealed {hex})")
    }
}

/// Whether a text holds any scalar of `value`.
fn quotes(text: &str, value: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().any(|value| quotes(text, value)),
        Value::Array(items) => items.iter().any(|item| quotes(text, item)),
        Value::String(value) => !value.is_empty() && text.contains(value.as_str()),
        Value::Null => false,
        other => text.contains(&other.to_string()),
    }
}

/// Whether the object is a core Secret.
pub fn is_secret(key: &ObjectKey) -> bool {
    key.group.is_empty() && key.kind == "Secret"
}

/// Kubernetes writes `stringData` over `data`, encoded.
fn merge_string_data(tree: &mut Value) {
    let Some(object) = tree.as_object_mut() else { return };
    if !object.get("stringData").is_some_and(Value::is_object) {
        return;
    }
    let Some(Value::Object(plain)) = object.remove("stringData") else { return };
    if !object.get("data").is_some_and(Value::is_object) {
        object.insert("data".to_owned(), Value::Object(Map::new()));
    }
    let Some(data) = object.get_mut("data").and_then(Value::as_object_mut) else { return };
    for (name, value) in plain {
        let value = match value {
            Value::String(text) => Value::String(STANDARD.encode(text)),
            other => other,
        };
        data.insert(name, value);
    }
}

/// One name of an RFC 6901 pointer.
pub(crate) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn secret(name: &str) -> ObjectKey {
        ObjectKey {
            group: String::new(),
            kind: "Secret".into(),
            namespace: Some("ns".into()),
            name: name.into(),
        }
    }

    #[test]
    fn equal_values_of_one_field_have_equal_seals_and_no_others() {
        let sealer = Sealer::new([7; 32], vec![]);
        let tree = json!({"data": {"a": "cGFzcw==", "b": "cGFzcw=="}});
        let one = sealer.seal(&secret("x"), tree.clone());
        assert_eq!(one, sealer.seal(&secret("x"), tree.clone()));
        assert_ne!(one["data"]["a"], one["data"]["b"], "another field");
        assert_ne!(one["data"]["a"], sealer.seal(&secret("y"), tree.clone())["data"]["a"]);
        let other = Sealer::new([8; 32], vec![]);
        assert_ne!(one["data"]["a"], other.seal(&secret("x"), tree)["data"]["a"], "another run");
    }

    #[test]
    fn string_data_seals_as_the_data_it_becomes() {
        let sealer = Sealer::new([1; 32], vec![]);
        let encoded = sealer.seal(&secret("x"), json!({"data": {"p": "aHVudGVyMg=="}}));
        let plain = sealer.seal(&secret("x"), json!({"stringData": {"p": "hunter2"}}));
        assert_eq!(encoded, plain);
    }

    #[test]
    fn rules_seal_everything_below_their_pointer() {
        let rule = SealRule { kind: "MyCredential".into(), pointer: "/spec/token".into() };
        let sealer = Sealer::new([1; 32], vec![rule]);
        let key = ObjectKey { kind: "MyCredential".into(), ..secret("x") };
        let sealed = sealer.seal(&key, json!({"spec": {"token": {"a": ["hunter2"]}, "b": "c"}}));
        assert!(!sealed.to_string().contains("hunter2"));
        assert_eq!(sealed["spec"]["b"], "c");
        let tree = json!({"spec": {"token": {"a": ["hunter2", 4711]}, "b": "c"}});
        for text in ["invalid value: \"hunter2\"", "got 4711"] {
            assert!(!sealer.said(&key, &tree, text.to_owned()).contains(['2', '7']));
        }
        assert_eq!(sealer.said(&key, &tree, "spec.b: c".to_owned()), "spec.b: c");
    }
}
