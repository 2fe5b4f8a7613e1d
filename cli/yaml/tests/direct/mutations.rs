//! Real files with something wrong in them, and texts made of what is awkward.

use crate::{agrees, count, seeds};

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
