//! Where kustomize cuts a file of objects, before any YAML is read.
//!
//! Rules from kustomize v5.8, kyaml/kio/byteio_reader.go: a file is cut at
//! lines that begin with `---`, behind which only a comment may stand, and the
//! first document of each piece counts.

use std::ops::Range;

/// A piece of a file, and the number of lines before it.
pub(crate) struct Piece {
    pub(crate) bytes: Range<usize>,
    pub(crate) lines: u32,
}

/// The pieces of a file that YAML would cut elsewhere; `None` where both agree.
/// Fails with the line of a separator that is none.
pub(crate) fn pieces(text: &[u8]) -> Result<Option<Vec<Piece>>, u32> {
    let mut pieces = Vec::new();
    let mut from = Piece { bytes: 0..0, lines: 0 };
    let mut ended = false;
    let mut odd = text.starts_with(b"%");
    let (mut at, mut number) = (0, 0);
    while at < text.len() {
        let next = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |end| at + end + 1);
        let line = &text[at..next];
        number += 1;
        let behind = line.strip_prefix(b"---").map(<[u8]>::trim_ascii);
        match behind {
            // What began this piece is no separator, nor is a last line.
            Some(behind) if at > from.bytes.start && line.ends_with(b"\n") => {
                if !behind.is_empty() && !behind.starts_with(b"#") {
                    return Err(number);
                }
                if !ended {
                    from.bytes.end = at;
                }
                pieces.push(from);
                from = Piece { bytes: next..next, lines: number };
                ended = false;
            }
            Some(behind) if at > from.bytes.start => odd |= !behind.is_empty(),
            _ if is_end(line) => {
                odd = true;
                if !ended {
                    from.bytes.end = at;
                }
                ended = true;
            }
            _ => odd |= at == from.bytes.start && line.starts_with(b"%"),
        }
        at = next;
    }
    if !ended {
        from.bytes.end = text.len();
    }
    pieces.push(from);
    Ok(odd.then_some(pieces))
}

/// Whether a line ends a document.
fn is_end(line: &[u8]) -> bool {
    line.strip_prefix(b"...")
        .is_some_and(|rest| rest.first().is_none_or(|byte| byte.is_ascii_whitespace()))
}

/// What stands before something that follows a document without a line that
/// separates them: kustomize reads one document, and does not look further.
pub(crate) fn before_rest<'b>(bytes: &'b [u8], error: &gitops_yaml::ReadError) -> Option<&'b [u8]> {
    if error.reason != "did not find expected <document start>" {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let lines: usize = text
        .split_inclusive('\n')
        .take(usize::try_from(error.line).ok()?.checked_sub(1)?)
        .map(str::len)
        .sum();
    let column = usize::try_from(error.column).ok()?.checked_sub(1)?;
    let column: usize = text[lines..].chars().take(column).map(char::len_utf8).sum();
    Some(&bytes[..lines + column])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Option<Vec<&str>> {
        let pieces = pieces(text.as_bytes()).expect("separators")?;
        Some(pieces.into_iter().map(|piece| &text[piece.bytes]).collect())
    }

    #[test]
    fn files_that_yaml_cuts_alike_are_left_to_it() {
        for text in
            ["", "a: 1\n---\nb: 1\n", "---\na: 1\n--- # c\nb: 1", "# c\n---\na: 1\n---\n---\n"]
        {
            assert_eq!(cut(text), None, "{text}");
        }
    }

    #[test]
    fn only_the_first_document_of_a_piece_counts() {
        assert_eq!(cut("a: 1\n...\nb: 1\n---\nc: 1\n"), Some(vec!["a: 1\n", "c: 1\n"]));
        assert_eq!(cut("%YAML 1.1\n---\na: 1\n"), Some(vec!["%YAML 1.1\n", "a: 1\n"]));
        assert_eq!(cut("--- {a: 1}\n--- {b: 1}"), Some(vec!["--- {a: 1}\n--- {b: 1}"]));
        assert_eq!(pieces(b"a: 1\n--- b\nc: 1\n").err(), Some(2));
    }
}
