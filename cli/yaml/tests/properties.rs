//! Properties on generated texts and values.
#![allow(clippy::unwrap_used)]

use gitops_yaml::splice::set_string;
use gitops_yaml::{FileId, Node, read, string_like, write, write_json};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -~]{0,12}",
        2 => prop::sample::select(vec![
            "\n", "\t", "\r", " ", "  ", ": ", " #", "- ", "'", "\"", "\\", "---", "...", "yes", "0x1f", "1_0", "~", "é",
            "😀", "绿", "\u{feff}", "\u{0}", "\u{7f}", "\u{a0}", "|", ">", "&a", "*a", "!t ", "{", "}", "[", "]", ",", "?",
        ])
        .prop_map(str::to_owned),
        1 => any::<char>().prop_filter("go-yaml folds these", |c| !matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}'))
            .prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn json_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        text().prop_map(Json::from),
    ];
    // go-yaml writes `<<` without quotes, and so reads it as a merge.
    let key = text().prop_filter("a merge key", |key| key != "<<").boxed();
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}

fn first(bytes: &[u8]) -> Node {
    read(FileId(0), bytes).unwrap().into_iter().find_map(|document| document.root).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back(value in json_value()) {
        let node = Node::from_json(&value);
        let written = write_json(&value);
        prop_assert_eq!(&write(&node), &written);
        let back = first(written.as_bytes());
        prop_assert_eq!(back.to_json(), node.to_json(), "{}", written);
        prop_assert!(back.same_value(&node));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(FileId(0), &bytes);
    }

    #[test]
    fn any_text_is_read_or_refused(text in text()) {
        if let Err(error) = read(FileId(0), text.as_bytes()) {
            prop_assert!(!error.reason.contains("cannot be parsed"), "{text:?}");
        }
    }

    #[test]
    fn a_spelling_loads_as_its_string(old in text(), new in text()) {
        let spelled = string_like(&old, &new);
        prop_assert!(!spelled.contains('\n'));
        let block = format!("a: {spelled} # c\nb:\n- {spelled}\n");
        prop_assert_eq!(first(block.as_bytes()).to_json().unwrap(), json!({"a": &new, "b": [&new]}), "{}", block);
        let flow = format!("{{a: {spelled}, b: [{spelled}]}}");
        prop_assert_eq!(first(flow.as_bytes()).to_json().unwrap(), json!({"a": &new, "b": [&new]}), "{}", flow);
    }

    #[test]
    fn setting_any_string_changes_only_that(value in json_value(), new in text(), choice in any::<prop::sample::Index>()) {
        let written = write_json(&value);
        let root = first(written.as_bytes());
        let pointers = root.pointers();
        let (pointer, mark) = choice.get(&pointers);
        match set_string(written.as_bytes(), mark, &new) {
            Ok(edited) => {
                let back = first(&edited);
                prop_assert_eq!(back.pointer(pointer).unwrap().as_str(), Some(new.as_str()));
            }
            Err(_) => {
                // Collections are refused; every scalar of such a file can be set.
                let target = root.pointer(pointer).unwrap();
                prop_assert!(target.is_mapping() || target.text().is_none() && !target.is_null());
            }
        }
    }
}
