//! Differences that are expected, and hidden (`diff.ignore`).

use serde_json::Value;

use crate::key::ObjectKey;

/// A field whose difference is expected; every part but the pointer may be
/// left open.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Kind of the objects, in any group.
    pub kind: Option<String>,
    /// Their namespace.
    pub namespace: Option<String>,
    /// Their name.
    pub name: Option<String>,
    /// RFC 6901 pointer of the field.
    pub pointer: String,
}

impl Expected {
    /// Whether it speaks of this object.
    pub fn concerns(&self, key: &ObjectKey) -> bool {
        let fits = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| Some(wanted) == found)
        };
        fits(&self.kind, Some(&key.kind))
            && fits(&self.namespace, key.namespace.as_deref())
            && fits(&self.name, Some(&key.name))
    }

    /// Gives the field of the predicted object its live value.
    pub fn hide(&self, predicted: &mut Value, live: &Value) {
        let path: Vec<String> = self.pointer.split('/').skip(1).map(unescaped).collect();
        keep_live(predicted, live, &path);
    }
}

/// A reference token of a JSON pointer (RFC 6901).
fn unescaped(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

/// Gives the field at `path` its live value, absence included: what holds
/// nothing but this field comes and goes with it.
fn keep_live(after: &mut Value, live: &Value, path: &[String]) {
    let Some((name, rest)) = path.split_first() else { return };
    match (after, live) {
        (Value::Object(after), Value::Object(live)) => {
            match (after.get_mut(name), live.get(name)) {
                (Some(slot), Some(found)) if rest.is_empty() => slot.clone_from(found),
                (Some(slot), Some(found)) => keep_live(slot, found, rest),
                (Some(slot), None) => {
                    if rest.is_empty() || is_emptied(slot, rest) {
                        after.remove(name);
                    }
                }
                (None, Some(found)) => {
                    if let Some(only) = only(found, rest) {
                        after.insert(name.clone(), only);
                    }
                }
                (None, None) => {}
            }
        }
        (Value::Array(after), Value::Array(live)) => {
            let Ok(index) = name.parse::<usize>() else { return };
            let length = after.len();
            match (after.get_mut(index), live.get(index)) {
                (Some(slot), Some(found)) if rest.is_empty() => slot.clone_from(found),
                (Some(slot), Some(found)) => keep_live(slot, found, rest),
                (Some(_), None) if rest.is_empty() => {
                    after.remove(index);
                }
                // A pointer into a list speaks of one place; the next free one
                // is the only other that can be filled.
                (None, Some(found)) if rest.is_empty() && index == length => {
                    after.push(found.clone());
                }
                _ => {}
            }
        }
        _ => {}
    }
}

/// Takes the field at `path` out; whether that leaves nothing.
fn is_emptied(node: &mut Value, path: &[String]) -> bool {
    let Some((name, rest)) = path.split_first() else { return true };
    let Value::Object(map) = node else { return false };
    let Some(below) = map.get_mut(name) else { return false };
    if !rest.is_empty() && !is_emptied(below, rest) {
        return false;
    }
    map.remove(name);
    map.is_empty()
}

/// `value` with nothing but the field at `path`; `None` where it lacks that.
fn only(value: &Value, path: &[String]) -> Option<Value> {
    let Some((name, rest)) = path.split_first() else { return Some(value.clone()) };
    let below = only(value.as_object()?.get(name)?, rest)?;
    Some(Value::Object([(name.clone(), below)].into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kept(mut after: Value, live: &Value, pointer: &str) -> Value {
        let (kind, namespace, name) = (None, None, None);
        Expected { kind, namespace, name, pointer: pointer.to_owned() }.hide(&mut after, live);
        after
    }

    #[test]
    fn an_expected_difference_takes_the_live_value() {
        let live = json!({"spec": {"replicas": 5}, "metadata": {"annotations": {"a/b": "x"}}});
        let after = json!({"spec": {"replicas": 2}});
        assert_eq!(kept(after, &live, "/spec/replicas"), json!({"spec": {"replicas": 5}}));
        assert_eq!(
            kept(
                json!({"metadata": {"annotations": {"a/b": "y", "c": "d"}}}),
                &live,
                "/metadata/annotations/a~1b"
            ),
            json!({"metadata": {"annotations": {"a/b": "x", "c": "d"}}})
        );
    }

    #[test]
    fn an_expected_difference_comes_and_goes_with_what_holds_it() {
        let with = json!({"metadata": {"name": "n", "annotations": {"a": "x"}}});
        let more = json!({"metadata": {"name": "n", "annotations": {"a": "x", "b": "y"}}});
        let without = json!({"metadata": {"name": "n"}});
        let rest = json!({"metadata": {"name": "n", "annotations": {"b": "y"}}});
        let pointer = "/metadata/annotations/a";
        assert_eq!(kept(without.clone(), &with, pointer), with);
        assert_eq!(kept(with.clone(), &without, pointer), without);
        assert_eq!(kept(more.clone(), &without, pointer), rest, "only what is expected is hidden");
        assert_eq!(kept(without.clone(), &more, pointer), with);
        assert_eq!(kept(without.clone(), &without, pointer), without);
    }

    #[test]
    fn an_expected_difference_in_a_list() {
        let two = json!({"l": [1, 2]});
        assert_eq!(kept(json!({"l": [1, 3]}), &two, "/l/1"), two);
        assert_eq!(kept(json!({"l": [1]}), &two, "/l/1"), two);
        assert_eq!(kept(json!({"l": [1, 2, 3]}), &two, "/l/2"), two);
        assert_eq!(
            kept(json!({"l": [{"a": 1}]}), &json!({"l": [{"a": 2}]}), "/l/0/a"),
            json!({"l": [{"a": 2}]})
        );
    }
}
