//! Damage to a finished tree, which may or may not make it fail.

use crate::layers::Maker;

const PIECES: &[&str] = &[
    "",
    "null",
    "[]",
    "{}",
    "- ",
    ": ",
    "\n",
    "'",
    "*a",
    "&a ",
    "$patch: delete\n",
    "-1",
    "..",
    "/",
    "?",
    "\t",
    "~1",
    "  ",
    "#",
    "---\n",
    "!!str ",
    "|",
    "\"",
    "$(VAR_A)",
    "0777",
    "<<: ",
    "a: b\n",
    "\u{feff}",
    "\r",
    "default",
];

/// Puts a piece somewhere, or takes a line, a file or a word away.
pub fn damage(maker: &mut Maker) {
    let paths: Vec<String> = maker.files.keys().cloned().collect();
    let path = maker.dice.pick(&paths).clone();
    let Ok(mut text) = String::from_utf8(maker.files[&path].clone()) else { return };
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    if places.is_empty() {
        return;
    }
    let at = *maker.dice.pick(&places);
    match maker.dice.roll(10) {
        0 => drop(maker.files.remove(&path)),
        1..=5 => {
            let piece = *maker.dice.pick(PIECES);
            text.insert_str(at, piece);
            maker.files.insert(path, text.into_bytes());
        }
        6..=8 => {
            let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
            let end = text[at..].find('\n').map_or(text.len(), |length| at + length + 1);
            if maker.dice.chance(30) {
                let line = text[start..end].to_owned();
                text.insert_str(start, &line);
            } else {
                text.replace_range(start..end, "");
            }
            maker.files.insert(path, text.into_bytes());
        }
        _ => {
            let other = *maker.dice.pick(&places);
            if at < other && other - at < 12 {
                text.replace_range(at..other, "");
            }
            maker.files.insert(path, text.into_bytes());
        }
    }
}
