#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::object::Source;

fn raw(json: Value) -> Raw {
    Raw::live(json).unwrap()
}

fn sealer() -> Sealer {
    Sealer::new([3; 32], vec![])
}

fn config_map(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "n"}, "data": data})
}

#[test]
fn what_the_server_adds_is_no_difference() {
    let mut live = config_map("a", &json!({"k": "v"}));
    live["metadata"]["resourceVersion"] = json!("12");
    live["metadata"]["managedFields"] = json!([{"manager": "x"}]);
    live["metadata"]["annotations"] = json!({COPIES[0]: "{}"});
    live["status"] = json!({"ready": true});
    let set = compare_sets(&[raw(live)], &[raw(config_map("a", &json!({"k": "v"})))], &sealer());
    assert_eq!(set.count(Action::Unchanged), 1);
}

#[test]
fn a_changed_list_item_is_found_by_its_name() {
    let list = |image: &str, extra: Option<&str>| {
        let mut items = vec![json!({"name": "a", "image": image})];
        items.extend(extra.map(|name| json!({"name": name})));
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
               "spec": {"containers": items}})
    };
    let set = compare_sets(&[raw(list("x:1", None))], &[raw(list("x:2", Some("b")))], &sealer());
    let pointers: Vec<_> =
        set.changes()[0].fields.iter().map(|field| field.pointer.as_str()).collect();
    assert_eq!(pointers, ["/spec/containers/0/image", "/spec/containers/1"]);
}

#[test]
fn a_field_says_where_it_stands() {
    let mut after = raw(config_map("a", &json!({"k": "new"})));
    let source = Source { path: "a.yaml".into(), document: 1, line: Some(7) };
    after.lines = Lines(std::sync::Arc::new([("/data/k".to_owned(), source.clone())].into()));
    let set = compare_sets(&[raw(config_map("a", &json!({"k": "old"})))], &[after], &sealer());
    assert_eq!(set.changes()[0].fields[0].source, Some(source));
}

/// Small trees that meet often.
fn any_tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3i64).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c/~]", inner, 0..3).prop_map(Value::from_iter),
        ]
    })
}

/// `Raw` has no `Debug`, so sets are made as JSON.
fn any_set() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::btree_map("[a-d]", any_tree(), 0..4).prop_map(|objects| {
        objects.into_iter().map(|(name, data)| config_map(&name, &data)).collect()
    })
}

fn raws(set: &[Value]) -> Vec<Raw> {
    set.iter().cloned().map(raw).collect()
}

proptest! {
    #[test]
    fn a_set_does_not_differ_from_itself(set in any_set()) {
        let changes = compare_sets(&raws(&set), &raws(&set), &sealer());
        prop_assert_eq!(changes.differences().count(), 0);
        prop_assert!(changes.changes().iter().all(|change| change.fields.is_empty()));
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(before in any_set(), after in any_set()) {
        let (before, after) = (raws(&before), raws(&after));
        let forward = compare_sets(&before, &after, &sealer());
        let turned = |set: &[Raw]| set.iter().rev().cloned().collect::<Vec<_>>();
        prop_assert_eq!(forward, compare_sets(&turned(&before), &turned(&after), &sealer()));
    }

    #[test]
    fn each_field_change_is_at_its_pointer(before in any_tree(), after in any_tree()) {
        let changes = compare_sets(
            &[raw(config_map("a", &before))],
            &[raw(config_map("a", &after))],
            &sealer(),
        );
        let change = &changes.changes()[0];
        prop_assert_eq!(change.action == Action::Configured, before != after);
        for field in &change.fields {
            prop_assert_ne!(&field.before, &field.after);
            let side = change.after.as_ref().unwrap().tree.pointer(&field.pointer);
            if let Some(after) = &field.after {
                prop_assert_eq!(side, Some(after));
            }
        }
    }

    #[test]
    fn no_byte_of_a_secret_is_shown(value in "[a-z]{8,20}", other in "[a-z]{8,20}", plain in any::<bool>()) {
        let secret = |value: &str| {
            let field = if plain { "stringData" } else { "data" };
            let mut object = json!({"apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": "s", "namespace": "n", "annotations": {COPIES[0]: value}}});
            object[field] = json!({"password": value});
            raw(object)
        };
        let changes = compare_sets(&[secret(&value)], &[secret(&other)], &sealer());
        let change = &changes.changes()[0];
        let shown = format!("{change:?}\n{}", unified(change, 3));
        prop_assert!(!shown.contains(&value) && !shown.contains(&other));
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::STANDARD.encode(&value);
        prop_assert!(!shown.contains(&encoded));
        prop_assert_eq!(change.action == Action::Configured, value != other);
    }
}
