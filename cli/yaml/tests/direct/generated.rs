//! Texts of a grammar, with scalars as somebody may have typed them.

use gitops_yaml::{FileId, read};
use proptest::prelude::*;

use crate::{agrees, count};

/// A scalar as somebody may have typed it, right or wrong.
fn scalar() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        16 => "[a-z]{1,6}",
        2 => prop::sample::select(vec![
            "yes", "on", "true", "null", "~", "0777", "0o17", "1_000", "-1", "+.inf", "1e3", "08", "0x1F", "1.5", ".5", "-",
            "2024-01-01", "2001-12-14t21:59:43.10-05:00", "12:30", "http://a/b:c", "a#b", "#a", "a: b", "a:", "- a", "?a", "?",
            "<<", "*", "&", "@x", "`", "{{ .x }}", "${x}", "%", "a,b", "[", "}", "é", "绿", "😀", "\u{a0}", "a\tb", "!x", "=",
            "18446744073709551616", "1__0", "0b1", "100m", "5Gi", "10.0.0.1", "-.5", "+1", "0", "00", "-0", "y", "N", "Off",
        ]).prop_map(str::to_owned),
        1 => "[ -~]{0,10}",
    ];
    let words = prop::collection::vec(word, 1..4).prop_map(|words| words.join(" "));
    prop_oneof![
        1 => Just(String::new()),
        20 => words.clone(),
        4 => words.clone().prop_map(|text| format!("'{}'", text.replace('\'', "''"))),
        2 => words.clone().prop_map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
        1 => words.clone().prop_map(|text| format!("\"{text}\"")),
        1 => words.prop_map(|text| format!("'{text}'")),
    ]
}

/// Lines of a block scalar, indented a little this way and that.
fn block_scalar() -> impl Strategy<Value = String> {
    let header = ("[|>]", "[-+]?", "[1-4]?", "( |\t| # c|  #|#x)?")
        .prop_map(|(kind, chomping, indent, rest)| format!("{kind}{chomping}{indent}{rest}"));
    let line = prop_oneof![
        4 => ("[ ]{0,4}", "[a-z#:-]{1,6}").prop_map(|(indent, text)| format!("{indent}{text}")),
        2 => "[ ]{0,6}",
        1 => "[ \t]{0,4}",
    ];
    (header, prop::collection::vec(line, 0..6)).prop_map(|(header, lines)| {
        let mut all = vec![header];
        all.extend(lines.into_iter().map(|line| format!("  {line}")));
        all.join("\n")
    })
}

/// Mostly what may be a key on one line.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![12 => "[a-z]{3,6}", 2 => "'[a-z ]{2,4}'", 2 => "\"[a-z ]{2,4}\"", 1 => scalar()]
}

/// Mostly the first of these.
fn often(first: &'static str, others: &[&'static str]) -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => Just(first), 1 => prop::sample::select(others.to_vec())]
}

/// `[…]` and `{…}`.
fn flow() -> impl Strategy<Value = String> {
    scalar().prop_recursive(3, 12, 4, |inner| {
        let comma = || often(", ", &[",", ",\n  ", " , ", ", # c\n", "\n,", ",,"]);
        let pair = (key(), often(": ", &[":", " : ", ":\n "]), inner.clone())
            .prop_map(|(key, colon, value)| format!("{key}{colon}{value}"));
        let edge = || often("", &[" ", "\n  ", ",", "# c\n", "\n"]);
        prop_oneof![
            (edge(), prop::collection::vec(inner, 0..4), comma(), edge()).prop_map(
                |(open, items, comma, close)| format!("[{open}{}{close}]", items.join(comma))
            ),
            (edge(), prop::collection::vec(pair, 0..4), comma(), edge()).prop_map(
                |(open, pairs, comma, close)| format!("{{{open}{}{close}}}", pairs.join(comma))
            ),
        ]
    })
}

/// A node, its lines not yet indented.
fn node() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        8 => scalar(),
        2 => block_scalar(),
        2 => flow(),
        1 => (scalar(), scalar()).prop_map(|(one, other)| format!("{one}\n  {other}")),
        1 => (scalar(), "[ ]{0,4}", scalar())
            .prop_map(|(one, indent, other)| format!("{one}\n\n{indent}{other}")),
        1 => Just(String::new()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let gap = often(" ", &["  ", "", "\t", " # c\n", "\n", "\n# c\n", "\n\n"]);
        let indent = prop_oneof![6 => Just(2_usize), 1 => 0..5_usize];
        let entry = (key(), often(":", &[" :"]), gap, indent, inner.clone()).prop_map(
            |(key, colon, gap, indent, value)| {
                let below =
                    value.contains(": ") || value.contains(":\n") || value.starts_with("- ");
                let gap = if below && gap == " " { "\n" } else { gap };
                let value = indented(&value, indent);
                let value = if gap.ends_with('\n') { &value } else { value.trim_start() };
                format!("{key}{colon}{gap}{value}")
            },
        );
        let item =
            (often("- ", &["-   ", "-\n  ", "- # c\n  "]), inner).prop_map(|(dash, value)| {
                let width = if dash.contains('\n') { 2 } else { dash.len() };
                format!("{dash}{}", indented(&value, width).trim_start())
            });
        let breaks = || often("\n", &["\n\n", "\n# c\n", "\r\n", "\n  # c\n"]);
        prop_oneof![
            4 => (prop::collection::vec(entry, 1..5), breaks())
                .prop_map(|(entries, breaks)| entries.join(breaks)),
            3 => (prop::collection::vec(item, 1..4), breaks())
                .prop_map(|(items, breaks)| items.join(breaks)),
        ]
    })
}

fn indented(text: &str, by: usize) -> String {
    let lines: Vec<String> =
        text.split('\n').map(|line| format!("{}{line}", " ".repeat(by))).collect();
    lines.join("\n")
}

fn stream() -> impl Strategy<Value = String> {
    let between =
        often("\n---\n", &["\n--- # c\n", "\n...\n---\n", "\n---\n---\n", "\n--- ", "\n...\n"]);
    let head =
        often("", &["---\n", "# c\n", "\u{feff}", "\u{feff}---\n", "\n\n", "  ", "# é\n---\n"]);
    let tail = often("\n", &["", "\n\n", "\n# c", "\n...\n", "\n---\n", "  "]);
    (head, prop::collection::vec(node(), 1..4), between, tail)
        .prop_map(|(head, nodes, between, tail)| format!("{head}{}{tail}", nodes.join(between)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: count(4) as u32, ..ProptestConfig::default() })]

    #[test]
    fn generated_texts(text in stream()) {
        if let Err(problem) = agrees(text.as_bytes()) {
            prop_assert!(false, "{problem}");
        }
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(agrees(&bytes).is_ok());
    }
}

/// The generator above is no use where the short way declines it all.
#[test]
fn generated_texts_are_taken_often() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let texts = (0..2000).map(|_| stream().new_tree(&mut runner).unwrap().current());
    let (mut taken, mut refused) = (0, 0);
    for text in texts {
        taken += usize::from(agrees(text.as_bytes()).unwrap());
        refused += usize::from(read(FileId(7), text.as_bytes()).is_err());
    }
    println!("of 2000 generated texts, the short way took {taken}, {refused} are errors");
    assert!(taken > 700);
}
