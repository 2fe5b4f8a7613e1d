//! `regex:`, a part of any text file.

use std::ops::Range;

use gitops_tree::TreePath;
use regex::{Regex, RegexBuilder};

use crate::judge::Moved;
use crate::object::Source;

use super::super::edit;
use super::super::error::PlanError;
use super::super::hunk::printable;
use super::super::rules::RegexRule;
use super::super::slot::{Held, Slot, SlotId, Spot};
use super::{Looked, Missing, Place, file_of, no_file, read};

/// Reads a regular expression: it has exactly one group. `^` and `$` stand at
/// lines.
///
/// # Errors
///
/// Says what is wrong with it, in words.
pub(crate) fn compile(pattern: &str, app: &str) -> Result<Regex, String> {
    let pattern = pattern.replace("{app}", &regex::escape(app));
    let regex = RegexBuilder::new(&pattern)
        .multi_line(true)
        .crlf(true)
        .build()
        .map_err(|error| error.to_string())?;
    match regex.captures_len() - 1 {
        1 => Ok(regex),
        0 => Err("it has no group; put the value into `(…)`".to_owned()),
        groups => Err(format!(
            "it has {groups} groups, and the value is one; write `(?:…)` for the others"
        )),
    }
}

pub(super) fn look(place: &Place<'_>, mover: usize, rule: &RegexRule) -> Result<Looked, PlanError> {
    let file = file_of(place, &rule.file)?;
    let Some(bytes) = read(place.tree, &file)? else {
        return Ok(Looked { slots: Vec::new(), missing: vec![no_file(&file)] });
    };
    let missing = |line: Option<u32>, reason: String| Looked {
        slots: Vec::new(),
        missing: vec![Missing {
            at: Source { path: file.as_str().to_owned(), document: 1, line },
            reason,
            file: true,
        }],
    };
    let found = match matches(&bytes, rule, place.app) {
        Ok(found) => found,
        Err(reason) => return Ok(missing(None, reason)),
    };
    let text = |range: &Range<usize>| String::from_utf8_lossy(&bytes[range.clone()]).into_owned();
    let Some(first) = found.first() else {
        return Ok(missing(None, format!("`{}` matches nothing", printable(&rule.pattern))));
    };
    let value = text(first);
    if let Some(other) = found.iter().find(|range| text(range) != value) {
        let reason = format!(
            "its matches hold different values, `{}` and `{}` in line {}",
            printable(&value),
            printable(&text(other)),
            line(&bytes, other.start)
        );
        return Ok(missing(Some(line(&bytes, first.start)), reason));
    }
    let name = rule.file.with_app(place.app).unwrap_or_default();
    let slot = Slot {
        id: SlotId { mover, place: name.clone() },
        what: Moved::Value,
        path: vec![name.clone()],
        name,
        source: Source {
            path: file.as_str().to_owned(),
            document: 1,
            line: Some(line(&bytes, first.start)),
        },
        file,
        value: Some(Held::text(value)),
        spot: Spot::Text,
        owned_by: None,
    };
    Ok(Looked { slots: vec![slot], missing: Vec::new() })
}

/// The file with another value in every match. It must match as often as
/// before, and find the new value.
pub(super) fn set(
    file: &TreePath,
    bytes: &[u8],
    rule: &RegexRule,
    app: &str,
    value: &str,
) -> Result<Vec<u8>, String> {
    let found = matches(bytes, rule, app)?;
    let edited = edit::replace(file, bytes, &found, value)?;
    let again = matches(&edited, rule, app)?;
    if again.iter().all(|range| &edited[range.clone()] == value.as_bytes()) {
        return Ok(edited);
    }
    Err(format!("the expression would not find `{}` again", printable(value)))
}

/// Where the group of each match stands.
fn matches(bytes: &[u8], rule: &RegexRule, app: &str) -> Result<Vec<Range<usize>>, String> {
    let regex = compile(&rule.pattern, app)?;
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut found = Vec::new();
    for captures in regex.captures_iter(text) {
        match captures.get(1) {
            Some(group) => found.push(group.range()),
            None => {
                let at = captures.get(0).map_or(0, |whole| whole.start());
                return Err(format!("line {}: the group took no part", line(bytes, at)));
            }
        }
    }
    if found.len() == rule.count {
        return Ok(found);
    }
    let lines: Vec<String> =
        found.iter().take(8).map(|range| line(bytes, range.start).to_string()).collect();
    let places =
        if lines.is_empty() { String::new() } else { format!(" (in line {})", lines.join(", ")) };
    Err(format!(
        "`{}` matches {} times{places}, and `count` is {}",
        printable(&rule.pattern),
        found.len(),
        rule.count
    ))
}

fn line(bytes: &[u8], at: usize) -> u32 {
    let breaks = bytes[..at].iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(breaks + 1).unwrap_or(u32::MAX)
}
