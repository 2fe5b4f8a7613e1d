//! The reader against go-yaml v3 and the writer against sigs.k8s.io/yaml, on
//! real files, mutations of them, and strings made of what is awkward.
//!
//! `GITOPS_YAML_PEER` names the program built from `tests/go`; without it the
//! tests say so and pass.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gitops_yaml::{FileId, Node, Tag, Value, read, write_json};
use serde_json::{Value as Json, json};

fn peer(mode: &str, cases: &[Vec<u8>]) -> Option<Vec<Json>> {
    let Some(program) = std::env::var_os("GITOPS_YAML_PEER") else {
        println!("skipped: GITOPS_YAML_PEER is not set");
        return None;
    };
    let mut child = Command::new(program)
        .arg(mode)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input: String = cases.iter().map(|case| base64(case) + "\n").collect();
    let feed = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    feed.join().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), cases.len());
    Some(answers)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for digit in 0..4 {
            let digit_value = (word >> (18 - 6 * digit)) as usize & 63;
            out.push(if digit <= group.len() { DIGITS[digit_value] as char } else { '=' });
        }
    }
    out
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

fn seeds() -> Vec<Vec<u8>> {
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
            } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

const AWKWARD: &[&str] = &[
    "- ",
    ": ",
    "#",
    " #",
    "&a ",
    "*a",
    "!!str ",
    "!!int ",
    "!x ",
    "|",
    ">-",
    "|+\n",
    "'",
    "\"",
    "[",
    "]",
    "{",
    "}",
    ",",
    "? ",
    "\t",
    "\n",
    "\r\n",
    "---\n",
    "...\n",
    "<<: *a\n",
    "0x1f",
    "0777",
    "1_000",
    "yes",
    "~",
    "null",
    ".inf",
    "2024-01-01",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "é",
    "😀",
    "\\",
    "%YAML 1.1\n",
    "  ",
    "|2\n",
    "!!binary ",
    "1e3",
    "0o17",
    "a: b\n",
    "!!float 1",
    "\u{a0}",
    ":",
    "-",
    "\"\\u00e9\"",
    "!<x>",
    "@",
    "`",
];

fn mutations(seeds: &[Vec<u8>], count: usize) -> Vec<Vec<u8>> {
    let small: Vec<&Vec<u8>> =
        seeds.iter().filter(|bytes| (20..3000).contains(&bytes.len())).collect();
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    (0..count)
        .filter(|_| !small.is_empty())
        .map(|_| {
            let mut bytes = dice.pick(&small).to_vec();
            for _ in 0..=dice.roll(3) {
                let at = dice.roll(bytes.len());
                match dice.roll(4) {
                    0 => drop(bytes.splice(at..at, dice.pick(AWKWARD).bytes())),
                    1 => drop(bytes.drain(at..(at + 1 + dice.roll(4)).min(bytes.len()))),
                    2 => bytes[at] = *dice.pick(b" \n:-#&*!|>'\"%@`{}[],0a\t"),
                    _ => bytes.truncate(at.max(1)),
                }
                if bytes.is_empty() {
                    bytes.push(b'a');
                }
            }
            bytes
        })
        .collect()
}

/// Small texts made of awkward pieces only.
fn mosaics(count: usize) -> Vec<Vec<u8>> {
    let mut dice = Dice(0x0123_4567_89AB_CDEF);
    let words = ["a", "b: ", "\n", " ", "- ", "c", "\n  ", "x y", "&a ", "*a"];
    (0..count)
        .map(|_| {
            let pieces = 1 + dice.roll(10);
            let text: String = (0..pieces)
                .map(|_| if dice.roll(2) == 0 { *dice.pick(AWKWARD) } else { *dice.pick(&words) })
                .collect();
            text.into_bytes()
        })
        .collect()
}

/// JSON with keys as Go's `fmt.Sprint` prints them.
fn go_json(node: &Node) -> Option<Json> {
    Some(match &node.value {
        Value::Scalar(_) => node.to_json().ok()?,
        Value::Sequence(items) => Json::Array(items.iter().map(go_json).collect::<Option<_>>()?),
        Value::Mapping(entries) => {
            let mut map = serde_json::Map::new();
            for (key, value) in entries {
                let text = match &key.value {
                    Value::Scalar(scalar) if scalar.tag == Tag::Null => "<nil>".to_owned(),
                    Value::Scalar(scalar)
                        if matches!(scalar.tag, Tag::Int | Tag::Bool | Tag::Float) =>
                    {
                        write_json(&key.to_json().ok()?).trim_end().to_owned()
                    }
                    _ => key.text().unwrap_or_default().to_owned(),
                };
                map.insert(text, go_json(value)?);
            }
            Json::Object(map)
        }
    })
}

fn ours(bytes: &[u8]) -> Json {
    let documents = match read(FileId(0), bytes) {
        Err(error) => return json!({"ok": false, "err": error.to_string()}),
        Ok(documents) => documents,
    };
    let json: Option<Vec<Json>> = documents
        .iter()
        .map(|document| document.root.as_ref().map_or(Some(Json::Null), go_json))
        .collect();
    match json {
        Some(json) => json!({"ok": true, "json": json}),
        None => json!({"ok": false, "err": "json"}),
    }
}

fn compare(cases: &[Vec<u8>], name: &str) -> Option<usize> {
    let ours: Vec<Json> = cases.iter().map(|case| ours(case)).collect();
    let panicked =
        |ours: &Json| ours["err"].as_str().is_some_and(|e| e.contains("cannot be parsed"));
    assert!(!ours.iter().any(panicked), "the parser panicked");
    let answers = peer("read", cases)?;
    let mut different = 0;
    for ((case, ours), theirs) in cases.iter().zip(&ours).zip(&answers) {
        if ours["ok"] != theirs["ok"] || ours["json"] != theirs["json"] {
            different += 1;
            println!("{name}: {:?}\n  ours {ours}\n  go   {theirs}", String::from_utf8_lossy(case));
        }
    }
    println!("{name}: {different} of {} differ", cases.len());
    Some(different)
}

#[test]
fn reads_real_files_as_go_does() {
    if let Some(different) = compare(&seeds(), "files") {
        assert_eq!(different, 0);
    }
}

#[test]
fn reads_mutations_as_go_does() {
    let cases = mutations(&seeds(), 20_000);
    if let Some(different) = compare(&cases, "mutations") {
        assert!(different * 500 <= cases.len(), "{different}");
    }
}

#[test]
fn reads_mosaics_as_go_does() {
    let cases = mosaics(20_000);
    if let Some(different) = compare(&cases, "mosaics") {
        assert!(different * 100 <= cases.len(), "{different}");
    }
}

#[test]
fn writes_as_sigs_yaml_does() {
    let mut dice = Dice(0xDEAD_BEEF_CAFE_F00D);
    let pieces: Vec<&str> = AWKWARD
        .iter()
        .copied()
        .chain([
            "word",
            "longer-word",
            " ",
            " ",
            "a",
            "1",
            "9",
            "0",
            ".",
            "-",
            "e",
            "y",
            "no",
            "\t",
            "x:y",
            "绿",
            "\u{1}",
            "\u{7f}",
        ])
        .collect();
    let text = |dice: &mut Dice, longest: usize| -> String {
        (0..dice.roll(longest)).map(|_| *dice.pick(&pieces)).collect()
    };
    let mut cases: Vec<Json> = Vec::new();
    for number in 0..30_000 {
        let value = |dice: &mut Dice| match dice.roll(8) {
            0 => json!(dice.roll(1000)),
            1 => Some(f64::from_bits(dice.0)).filter(|f| f.is_finite()).into(),
            2 => json!(dice.roll(100_000_000) as f64 / 64.0),
            3 => json!([text(dice, 6), [text(dice, 4)], {}, {text(dice, 3): text(dice, 60)}]),
            _ => Json::String(text(dice, 40)),
        };
        let (one, two, three) = (value(&mut dice), value(&mut dice), value(&mut dice));
        let (key, other) =
            (text(&mut dice, 4), text(&mut dice, if number % 50 == 0 { 80 } else { 5 }));
        cases.push(json!({key: one, "list": [two, {"deep": {other: three}}]}));
    }
    // sigs.k8s.io/yaml reads JSON as YAML, to which these are breaks or errors.
    let escaped = |case: &Json| -> String {
        let escape = |c: char| match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", u32::from(c)),
            _ => c.to_string(),
        };
        // Go's JSON has no `.0`, which YAML would read as another type.
        let case = Node::from_json(case).to_json().unwrap();
        case.to_string().chars().map(escape).collect()
    };
    let bytes: Vec<Vec<u8>> = cases.iter().map(|case| escaped(case).into_bytes()).collect();
    let Some(answers) = peer("write", &bytes) else { return };
    let mut different = 0;
    let mut answered = 0;
    for (case, theirs) in cases.iter().zip(&answers) {
        // go-yaml refuses some JSON as YAML, as a long key on one line.
        if theirs["ok"] == false {
            continue;
        }
        answered += 1;
        let ours = write_json(case);
        if ours != theirs["yaml"].as_str().unwrap() {
            different += 1;
            println!("{case}\n--- ours\n{ours}--- go\n{}", theirs["yaml"].as_str().unwrap());
        }
    }
    println!("writes: {different} of {answered} differ");
    assert_eq!(different, 0);
    assert!(answered > cases.len() / 2);
}
