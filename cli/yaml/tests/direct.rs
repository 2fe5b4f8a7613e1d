//! The short way of reading against the long one: what it accepts, the long
//! way accepts too and reads alike, to the byte offsets of every mark.
//!
//! `PROPTEST_CASES` makes these runs longer: it is the number of generated
//! texts, and a twentieth of the number of mutations.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::path::{Path, PathBuf};

use gitops_yaml::{
    Dialect, Document, FileId, Node, Value, read, read_as, read_directly, read_exhaustively,
};
use proptest::prelude::*;

fn same(one: &Node, other: &Node) -> bool {
    one.mark == other.mark
        && match (&one.value, &other.value) {
            (Value::Scalar(one), Value::Scalar(other)) => one == other,
            (Value::Sequence(one), Value::Sequence(other)) => {
                one.len() == other.len()
                    && one.iter().zip(other).all(|(one, other)| same(one, other))
            }
            (Value::Mapping(one), Value::Mapping(other)) => {
                one.len() == other.len()
                    && one
                        .iter()
                        .zip(other)
                        .all(|(one, other)| same(&one.0, &other.0) && same(&one.1, &other.1))
            }
            _ => false,
        }
}

fn same_documents(one: &[Document], other: &[Document]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| {
            one.index == other.index
                && one.line == other.line
                && match (&one.root, &other.root) {
                    (Some(one), Some(other)) => same(one, other),
                    (None, None) => true,
                    _ => false,
                }
        })
}

/// All that a node is, with marks.
fn spell(node: &Node, out: &mut String) {
    use std::fmt::Write;
    let mark = node.mark;
    write!(out, "\n{}:{} {}..{} ", mark.line, mark.column, mark.start, mark.end).unwrap();
    match &node.value {
        Value::Scalar(scalar) => write!(out, "{scalar:?}").unwrap(),
        Value::Sequence(items) => {
            out.push_str("sequence");
            items.iter().for_each(|item| spell(item, out));
        }
        Value::Mapping(entries) => {
            out.push_str("mapping");
            for (key, value) in entries {
                spell(key, out);
                spell(value, out);
            }
        }
    }
}

fn spelled(documents: &[Document]) -> String {
    let mut out = String::new();
    for document in documents {
        out.push_str(&format!("\ndocument {} line {}", document.index, document.line));
        if let Some(root) = &document.root {
            spell(root, &mut out);
        }
    }
    out
}

/// Whether the short way took it; `Err` with what is wrong.
fn agrees(bytes: &[u8]) -> Result<bool, String> {
    let mut taken = true;
    for dialect in [Dialect::Manifest, Dialect::Kustomization] {
        let Some(direct) = read_directly(FileId(7), bytes, dialect) else {
            taken = false;
            continue;
        };
        let text = || String::from_utf8_lossy(bytes).into_owned();
        match read_exhaustively(FileId(7), bytes, dialect) {
            Err(error) => return Err(format!("taken, but {error}: {:?}", text())),
            Ok(documents) if !same_documents(&direct, &documents) => {
                let (ours, theirs) = (spelled(&direct), spelled(&documents));
                return Err(format!("{:?}\nshort:{ours}\nlong:{theirs}", text()));
            }
            Ok(_) => {}
        }
    }
    Ok(taken)
}

/// The YAML files beside the checkout.
fn seeds() -> Vec<(PathBuf, Vec<u8>)> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let mut folders: Vec<PathBuf> =
        ["seeds", "kustomize-cases", "repos"].iter().map(|name| shared.join(name)).collect();
    let mut paths = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            println!("skipped: {} is not there", folder.display());
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()).filter(|path| !path.is_symlink()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

#[test]
fn real_files() {
    let seeds = seeds();
    let (mut files, mut bytes) = (0, 0);
    let mut declined = Vec::new();
    for (path, content) in &seeds {
        match agrees(content) {
            Err(problem) => panic!("{}: {problem}", path.display()),
            Ok(true) => {
                files += 1;
                bytes += content.len();
            }
            Ok(false) => {
                let fine = read_as(FileId(7), content, Dialect::Manifest).is_ok();
                declined.push((content.len(), fine, path));
            }
        }
    }
    let all: usize = seeds.iter().map(|(_, content)| content.len()).sum();
    declined.sort();
    for (length, fine, path) in declined.iter().rev().take(10) {
        let fine = if *fine { "read " } else { "error" };
        println!("declined: {length:8} {fine} {}", path.display());
    }
    println!("the short way took {files} of {} files, {bytes} of {all} bytes", seeds.len());
    assert!(bytes * 100 >= all * 95);
}

/// A small generator, so that every run sees the same cases.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

/// What may stand anywhere, and mean something there.
const AWKWARD: &[&str] = &[
    "- ",
    "-",
    ": ",
    ":",
    "#",
    " #",
    "# ",
    "? ",
    "?",
    "&a ",
    "*a",
    "!!str ",
    "!x ",
    "|",
    "|-\n",
    "|+\n",
    "|2\n",
    "|1-\n",
    ">",
    ">-\n",
    ">+\n",
    ">2\n",
    "'",
    "''",
    "\"",
    "\\",
    "\\\n",
    "\\n",
    "\\x41",
    "\\u00e9",
    "\\ud800",
    "\\ ",
    "[",
    "]",
    "{",
    "}",
    ",",
    ", ",
    "[]",
    "{}",
    "[a, b]",
    "{a: b}",
    "{\"a\":1}",
    "\t",
    "\n",
    "\n\n",
    "\n\n\n",
    "\r\n",
    "\r",
    " ",
    "  ",
    "    ",
    "---",
    "---\n",
    "\n---\n",
    "...\n",
    "\n...\n",
    "--- ",
    "---\n---\n",
    "<<: *a\n",
    "<<: ",
    "<<",
    "%",
    "%YAML 1.1\n",
    "@",
    "`",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\u{a0}",
    "é",
    "😀",
    "绿: ",
    "\u{0}",
    "\u{7f}",
    "0x1f",
    "0777",
    "1_000",
    "yes",
    "y",
    "~",
    "null",
    "true",
    ".inf",
    "1e3",
    "2024-01-01",
    "a",
    "a: b\n",
    "- a\n",
    "key:\n",
    "\nkey: x\n",
    "-\n",
    "- -\n",
    "- - a\n",
    "\n# c\n",
    "\n  # c\n",
    "a\n  b",
    "x y ",
    "\n ",
    "\n  ",
    "\n   ",
    "\n    ",
    "'a'",
    "\"a\"",
    "\"a\": ",
    "'a': ",
    "a #b",
    "a: |\n  x\n",
    "a: >\n  x\n  y\n",
    "\u{fffe}",
    "a:\n- b\n",
    "=",
    "!",
    "&",
    "*",
];

fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>) {
    let at = dice.roll(bytes.len() + 1);
    let line = |at: usize, bytes: &[u8]| {
        let from = bytes[..at].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let to = bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| at + n + 1);
        from..to
    };
    match dice.roll(12) {
        0 | 1 => drop(bytes.splice(at..at, dice.pick(AWKWARD).bytes())),
        // Next to what is there already, rather than inside a word.
        2 | 3 => {
            let near: Vec<usize> =
                (0..bytes.len()).filter(|at| !bytes[*at].is_ascii_alphanumeric()).collect();
            let at = if near.is_empty() { 0 } else { *dice.pick(&near) + dice.roll(2) };
            drop(bytes.splice(at..at, dice.pick(AWKWARD).bytes()));
        }
        4 => drop(bytes.drain(at..(at + 1 + dice.roll(6)).min(bytes.len()).max(at))),
        5 if at < bytes.len() => bytes[at] = *dice.pick(b" \n:-#&*!|>'\"%@`{}[],0a\t\r\\?."),
        6 if at < bytes.len() => bytes[at] ^= 1 << dice.roll(8),
        7 => drop(bytes.drain(line(at, bytes))),
        8 => {
            let copy = bytes[line(at, bytes)].to_vec();
            let there = line(dice.roll(bytes.len() + 1), bytes).start;
            drop(bytes.splice(there..there, copy));
        }
        9 => {
            let start = line(at, bytes).start;
            drop(bytes.splice(start..start, std::iter::repeat_n(b' ', 1 + dice.roll(4))));
        }
        10 => {
            let range = line(at, bytes);
            let spaces = bytes[range.clone()].iter().take_while(|b| **b == b' ').count();
            let fewer = if spaces == 0 { 0 } else { 1 + dice.roll(spaces) };
            drop(bytes.drain(range.start..range.start + fewer));
        }
        _ => bytes.truncate(at),
    }
}

fn count(factor: usize) -> usize {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    cases.unwrap_or(1000) * factor
}

#[test]
fn mutations_of_real_files() {
    let seeds = seeds();
    // A window of a long file is as good as a short one.
    let small: Vec<&[u8]> = seeds
        .iter()
        .filter(|(_, content)| content.len() >= 20)
        .map(|(_, content)| &content[..content.len().min(2500)])
        .collect();
    if small.is_empty() {
        return;
    }
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut taken = 0;
    let cases = count(20);
    let mut problems = Vec::new();
    for _ in 0..cases {
        let mut bytes = dice.pick(&small).to_vec();
        if dice.roll(8) == 0 {
            bytes = String::from_utf8_lossy(&bytes).replace('\n', "\r\n").into_bytes();
        }
        for _ in 0..=dice.roll(3) {
            mutate(&mut dice, &mut bytes);
        }
        match agrees(&bytes) {
            Ok(short) => taken += usize::from(short),
            Err(problem) => problems.push(problem),
        }
    }
    println!("the short way took {taken} of {cases} mutations");
    problems.sort_by_key(String::len);
    problems.iter().take(5).for_each(|problem| println!("{problem}\n"));
    assert_eq!(problems.len(), 0);
    assert!(taken * 4 > cases);
}

/// Small texts made of awkward pieces only.
#[test]
fn mosaics() {
    let mut dice = Dice(0x0123_4567_89AB_CDEF);
    let words = ["a", "b: ", "\n", " ", "- ", "c", "\n  ", "x y", "\n", "\n- ", "k: ", "\n  d: "];
    let mut taken = 0;
    let cases = count(100);
    let mut problems = Vec::new();
    for _ in 0..cases {
        let pieces = 1 + dice.roll(12);
        let text: String = (0..pieces)
            .map(|_| if dice.roll(5) < 2 { *dice.pick(AWKWARD) } else { *dice.pick(&words) })
            .collect();
        match agrees(text.as_bytes()) {
            Ok(short) => taken += usize::from(short),
            Err(problem) => problems.push(problem),
        }
    }
    println!("the short way took {taken} of {cases} mosaics");
    problems.sort_by_key(String::len);
    problems.iter().take(5).for_each(|problem| println!("{problem}\n"));
    assert_eq!(problems.len(), 0);
    assert!(taken * 20 > cases);
}

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

#[test]
fn what_is_declined() {
    let cases = [
        "a: &x 1\n",
        "a: *x\n",
        "a: !!str 1\n",
        "%YAML 1.1\n---\na\n",
        "? a\n",
        "<<: {a: b}\n",
        "a:\tb\n",
        "\ta: b\n",
        "a: b\n\t\n",
        "a: \u{1}\n",
        "a: \u{85}\n",
        "a: b\rc: d\n",
        "a: b: c\n",
        "a: - b\n",
        "a: 1\na: 2\n",
        "{a: 1, a: 2}\n",
        "[a: b]\n",
        "{a}\n",
        "--- a\n",
        "a: |\n  x",
        "a: \"b\n---\n\"\n",
        "[a\n---\n]\n",
        "a: 'b\n",
        "- a\nb: c\n",
        "a: b\n  c: d\n",
    ];
    for text in cases {
        assert!(read_directly(FileId(0), text.as_bytes(), Dialect::Manifest).is_none(), "{text:?}");
    }
    let deep = "- ".repeat(300);
    assert!(read_directly(FileId(0), deep.as_bytes(), Dialect::Manifest).is_none());
    let mut many: String = (0..500).map(|number| format!("key-{number}: x\n")).collect();
    assert!(agrees(many.as_bytes()).unwrap());
    many.push_str("key-77: y\n");
    assert!(!agrees(many.as_bytes()).unwrap());
}
