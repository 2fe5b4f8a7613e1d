//! Edits inside a text that a file holds: Helm values as one string, in a
//! block such as `values: |`.
//!
//! The text is edited as a file of its own. What differs is then spliced into
//! the block at its indentation, so that every other byte stays; the result is
//! read back and must hold exactly the edited text.

use gitops_tree::TreePath;
use gitops_yaml::splice::{self, Splice};
use gitops_yaml::{Node, Scalar, Style, Value};

use super::edit::{self, At, Change, change, prove_text, walk};
use super::slot::Held;

/// The file with another text at a path; `edit` makes the new text of the old
/// one.
///
/// # Errors
///
/// Says, in words, why the change cannot be made or proved.
pub(super) fn change_within(
    file: &TreePath,
    bytes: &[u8],
    at: &At<'_>,
    edit: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
) -> Result<Vec<u8>, String> {
    let documents = edit::read(file, bytes)?;
    let root = documents.get(at.document).and_then(|document| document.root.as_ref());
    let node = walk(bytes, root.ok_or("the text is no longer there")?, at.path)?;
    let Value::Scalar(Scalar { text, style, .. }) = &node.value else {
        return Err("what stands there is not a text".to_owned());
    };
    let old = text.to_string();
    let new = String::from_utf8(edit(old.as_bytes())?).map_err(|_| "it would be no UTF-8")?;
    if new == old {
        return Ok(bytes.to_vec());
    }
    let edited = match style {
        Style::Literal => {
            let splice = in_block(bytes, node, &old, &new)?;
            splice::apply(bytes, vec![splice]).map_err(|error| error.to_string())?
        }
        Style::Folded => {
            return Err("a folded text (`>`) loses its lines; write it as `|`".to_owned());
        }
        _ => {
            // The same text must come out as it is spelled, or more of it than
            // the value would be spelled anew.
            let set =
                |text: &str| change(file, bytes, at, &Change::Set { value: Held::text(text) });
            if set(&old)? != bytes {
                return Err("its quotes would be written anew; write it as `|`".to_owned());
            }
            set(&new)?
        }
    };
    prove_text(file, &documents, &edited, at, &new)?;
    Ok(edited)
}

/// The edit of a literal block that makes `new` of `old`.
fn in_block(bytes: &[u8], node: &Node, old: &str, new: &str) -> Result<Splice, String> {
    let (start, end) = (node.mark.start as usize, node.mark.end as usize);
    let block = bytes.get(start..end).ok_or("the block is no longer there")?;
    let header = block.iter().position(|byte| *byte == b'\n').ok_or("it is an empty block")? + 1;
    let lines = lines(&block[header..], start + header);
    let indent = lines
        .iter()
        .find(|(line, _)| !line.iter().all(|byte| *byte == b' '))
        .map(|(line, _)| line.iter().take_while(|byte| **byte == b' ').count())
        .ok_or("it is an empty block")?;
    // A number in the header says it where the first line is indented further.
    let said = block[..header].iter().find(|byte| byte.is_ascii_digit());
    let indent = match said {
        None => indent,
        Some(_) => lines_indent(&lines, old).ok_or("its indentation cannot be told")?,
    };
    // Where each line of the text stands in the file, and where it ends.
    let mut places: Vec<(usize, usize)> = Vec::new();
    let mut told = String::new();
    for (line, at) in &lines {
        let blank = line.iter().all(|byte| *byte == b' ');
        if line.len() < indent && !blank {
            return Err("its lines are not indented alike".to_owned());
        }
        let skip = indent.min(line.len());
        let text = std::str::from_utf8(&line[skip..]).map_err(|_| "it is no UTF-8")?;
        places.push((at + skip, at + line.len()));
        told.push_str(text);
        told.push('\n');
    }
    if told.trim_end_matches('\n') != old.trim_end_matches('\n') {
        return Err("its lines do not read as they are written".to_owned());
    }
    let (from, to, with) = difference(old, new);
    let place = |offset: usize| -> Option<usize> {
        let before = &old[..offset];
        let number = before.matches('\n').count();
        let column = offset - before.rfind('\n').map_or(0, |at| at + 1);
        let (start, end) = places.get(number)?;
        (start + column <= *end).then_some(start + column)
    };
    let outside = "the change reaches past the end of the block";
    let (from_at, to_at) = (place(from).ok_or(outside)?, place(to).ok_or(outside)?);
    let crlf = block[..header].ends_with(b"\r\n");
    let line_break = format!("{}{}", if crlf { "\r\n" } else { "\n" }, " ".repeat(indent));
    let with = with.replace('\n', &line_break).into_bytes();
    Ok(Splice { range: from_at..to_at, with })
}

/// The lines of a block without their ends, with where they start in the file.
fn lines(block: &[u8], start: usize) -> Vec<(&[u8], usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < block.len() {
        let rest = &block[at..];
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = &rest[..length];
        found.push((line.strip_suffix(b"\r").unwrap_or(line), start + at));
        at += length + 1;
    }
    found
}

/// How far the lines of a text are indented in its block.
fn lines_indent(lines: &[(&[u8], usize)], text: &str) -> Option<usize> {
    let (line, text) = lines.iter().zip(text.split('\n')).find(|(_, text)| !text.is_empty())?;
    line.0.len().checked_sub(text.len())
}

/// Where two texts differ, and what stands there in the second one: whole
/// characters, and whole lines where lines are added.
fn difference<'t>(old: &str, new: &'t str) -> (usize, usize, &'t str) {
    let start: usize = old
        .chars()
        .zip(new.chars())
        .take_while(|(one, two)| one == two)
        .map(|(one, _)| one.len_utf8())
        .sum();
    let same_end: usize = old[start..]
        .chars()
        .rev()
        .zip(new[start..].chars().rev())
        .take_while(|(one, two)| one == two)
        .map(|(one, _)| one.len_utf8())
        .sum();
    let (mut from, mut to, mut end) = (start, old.len() - same_end, new.len() - same_end);
    // A line that is added starts after a line's end, not with it.
    while from == to && end > from && new[from..end].ends_with('\n') && old[..from].ends_with('\n')
    {
        // Its break goes before it: `\nline` at the end of the line above.
        from -= 1;
        to -= 1;
        end -= 1;
    }
    (from, to, &new[from..end])
}
