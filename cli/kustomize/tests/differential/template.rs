//! Texts with holes.
//!
//! A line that starts with `?` (or `??`) stands, with all that is indented
//! below it, in half (a fifth) of the texts; with `*` it stands one to three
//! times; `\` keeps such a sign. `{a|b}` is one of several words; `{word}` is what [`Words`] makes of
//! it. What has several lines is indented to where the hole stands.

use crate::dice::Dice;

/// Gives the words of a template their meaning.
pub trait Words {
    /// Where chance comes from.
    fn dice(&mut self) -> &mut Dice;
    /// The text for a hole, itself filled; `None` leaves the hole as it stands.
    fn word(&mut self, word: &str) -> Option<String>;

    /// Fills a template. The text ends with a line end, unless it is empty.
    fn fill(&mut self, template: &str) -> String
    where
        Self: Sized,
    {
        let lines: Vec<&str> = template.lines().collect();
        let mut out = String::new();
        block(self, &lines, &mut out);
        out
    }

    /// Fills a piece of one line.
    fn line(&mut self, template: &str) -> String
    where
        Self: Sized,
    {
        holes(self, template, 0)
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn block(words: &mut impl Words, lines: &[&str], out: &mut String) {
    let mut at = 0;
    while at < lines.len() {
        let depth = indent(lines[at]);
        let end = lines[at + 1..]
            .iter()
            .position(|line| !line.is_empty() && indent(line) <= depth)
            .map_or(lines.len(), |length| at + 1 + length);
        let text = &lines[at][depth..];
        let (times, text) = if let Some(rest) = text.strip_prefix('\\') {
            (1, rest)
        } else if let Some(rest) = text.strip_prefix("??") {
            (usize::from(words.dice().chance(20)), rest)
        } else if let Some(rest) = text.strip_prefix('?') {
            (usize::from(words.dice().chance(50)), rest)
        } else if let Some(rest) = text.strip_prefix('*') {
            (1 + words.dice().roll(3), rest)
        } else {
            (1, text)
        };
        for _ in 0..times {
            one(words, depth, text, out);
            block(words, &lines[at + 1..end], out);
        }
        at = end;
    }
}

/// One line; a hole alone on its line brings lines of its own.
fn one(words: &mut impl Words, depth: usize, text: &str, out: &mut String) {
    let spaces = " ".repeat(depth);
    if let Some(word) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'))
        && is_word(word)
        && let Some(filled) = words.word(word)
    {
        for line in filled.lines() {
            if !line.is_empty() {
                out.push_str(&spaces);
            }
            out.push_str(line);
            out.push('\n');
        }
        return;
    }
    let dashes = text.len() - text.trim_start_matches("- ").len();
    out.push_str(&spaces);
    out.push_str(&holes(words, text, depth + dashes));
    out.push('\n');
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-:/.".contains(c))
}

fn holes(words: &mut impl Words, text: &str, column: usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let Some(end) = rest.find('}') else { break };
        let inner = &rest[1..end];
        let choice = inner.contains('|') && !inner.contains([' ', '"', '{']);
        let filled = if choice {
            let choices: Vec<&str> = inner.split('|').collect();
            Some((*words.dice().pick(&choices)).to_owned())
        } else if is_word(inner) {
            words.word(inner)
        } else {
            None
        };
        match filled {
            Some(filled) => {
                let mut lines = filled.trim_end_matches('\n').split('\n');
                out.push_str(lines.next().unwrap_or_default());
                for line in lines {
                    out.push('\n');
                    if !line.is_empty() {
                        out.push_str(&" ".repeat(column));
                    }
                    out.push_str(line);
                }
                rest = &rest[end + 1..];
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The lines but for the keys that their mapping has already, and what stands
/// below those.
pub fn without_repeated_keys(text: &str) -> String {
    let mut out = String::new();
    let mut scopes: Vec<(usize, Vec<&str>)> = Vec::new();
    let mut dropped = None;
    for line in text.lines() {
        let mut depth = indent(line);
        if dropped.is_some_and(|above| depth > above || line.is_empty()) {
            continue;
        }
        if line.is_empty() {
            out.push('\n');
            continue;
        }
        dropped = None;
        let mut rest = &line[depth..];
        scopes.retain(|(column, _)| *column <= depth);
        while let Some(item) = rest.strip_prefix("- ") {
            scopes.retain(|(column, _)| *column <= depth);
            depth += 2;
            rest = item;
        }
        let key = rest.split_once(": ").map(|(key, _)| key).or(rest.strip_suffix(':'));
        if let Some(key) = key {
            match scopes.iter_mut().find(|(column, _)| *column == depth) {
                Some((_, seen)) if seen.contains(&key) && line.trim_start() == rest => {
                    dropped = Some(depth);
                    continue;
                }
                Some((_, seen)) => seen.push(key),
                None => scopes.push((depth, vec![key])),
            }
        }
        if line.starts_with("---") {
            scopes.clear();
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}
