//! What a commit message claims in its last lines: `Key: value`.
//!
//! The rules are those of `git interpret-trailers --parse --no-divider`: the
//! trailers are the last paragraph, never the first one, if all its lines are
//! trailers, or if a quarter of them are and one is Git's own.

/// One `Key: value` line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Trailer {
    /// Letters, digits and dashes; compared without regard to case.
    pub key: String,
    /// The value on one line: a continuation is joined with a space.
    pub value: String,
}

impl Trailer {
    /// A trailer. Line breaks in the value become spaces.
    pub fn new(key: &str, value: &str) -> Trailer {
        let value: Vec<&str> = value.split_whitespace().collect();
        Trailer { key: key.to_owned(), value: value.join(" ") }
    }
}

/// The trailers of a message, in order.
pub fn parse(message: &str) -> Vec<Trailer> {
    let lines: Vec<&str> = message.lines().map(str::trim_end).collect();
    let mut trailers: Vec<Trailer> = Vec::new();
    for line in &lines[block(&lines)..] {
        if let Some((key, value)) = split(line) {
            trailers.push(Trailer { key: key.to_owned(), value: value.to_owned() });
        } else if line.starts_with([' ', '\t'])
            && let Some(last) = trailers.last_mut()
        {
            last.value.push(' ');
            last.value.push_str(line.trim_start());
        }
    }
    trailers
}

/// The values of one key, in order. Case does not matter.
pub fn values<'a>(trailers: &'a [Trailer], key: &str) -> Vec<&'a str> {
    let same = trailers.iter().filter(|trailer| trailer.key.eq_ignore_ascii_case(key));
    same.map(|trailer| trailer.value.as_str()).collect()
}

/// The message with trailers added to those it has, or after a blank line.
pub fn append(message: &str, trailers: &[Trailer]) -> String {
    let mut text = message.trim_end().to_owned();
    if trailers.is_empty() {
        text.push('\n');
        return text;
    }
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let joins = block(&lines) < lines.len();
    text.push_str(if joins { "\n" } else { "\n\n" });
    for trailer in trailers {
        text.push_str(&format!("{}: {}\n", trailer.key, trailer.value));
    }
    text
}

/// Where the trailers start; the number of lines when there are none.
fn block(lines: &[&str]) -> usize {
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    let blank = lines[..end].iter().rposition(|line| line.is_empty());
    let Some(start) = blank.map(|blank| blank + 1) else { return lines.len() };
    // What comes before must hold a title.
    if lines[..start].iter().all(|line| line.is_empty()) {
        return lines.len();
    }
    let (mut good, mut other, mut gits) = (0, 0, false);
    let mut continues = false;
    for line in &lines[start..end] {
        if is_gits(line) {
            (good, gits, continues) = (good + 1, true, true);
        } else if split(line).is_some() {
            (good, continues) = (good + 1, true);
        } else if !(continues && line.starts_with([' ', '\t'])) {
            (other, continues) = (other + 1, false);
        }
    }
    let trailers = if other == 0 { good > 0 } else { gits && good * 3 >= other };
    if trailers { start } else { lines.len() }
}

fn is_gits(line: &str) -> bool {
    line.starts_with("Signed-off-by: ") || line.starts_with("(cherry picked from commit ")
}

fn split(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let key = key.trim_end_matches([' ', '\t']);
    let named = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    named.then(|| (key, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(message: &str) -> Vec<String> {
        parse(message).iter().map(|t| format!("{}={}", t.key, t.value)).collect()
    }

    #[test]
    fn trailers_are_the_last_paragraph() {
        let none: [&str; 0] = [];
        assert_eq!(
            parsed("Title\n\nPromoted-From: dev\nPlan-Digest: sha256:ab\n"),
            ["Promoted-From=dev", "Plan-Digest=sha256:ab"]
        );
        assert_eq!(parsed("Title\n\nbody\n\nA: 1\n\n\n"), ["A=1"]);
        assert_eq!(parsed("Title\n\nA: 1\n  more\nB: 2"), ["A=1 more", "B=2"]);
        assert_eq!(parsed("Title\r\n\r\nA: 1\r\n"), ["A=1"]);
        assert_eq!(parsed("A: 1\n"), none);
        assert_eq!(parsed("\n\nA: 1\n"), none);
        assert_eq!(parsed("Title\nA: 1\n"), none);
        assert_eq!(parsed("Title\n\nA: 1\n\nlast words\n"), none);
        assert_eq!(parsed("Title\n\nA: 1\nprose\n"), none);
        assert_eq!(parsed("Title\n\nprose\nSigned-off-by: me\n"), ["Signed-off-by=me"]);
        assert_eq!(parsed("Title\n\nsee https://x\n"), none);
        assert_eq!(parsed(""), none);
    }

    #[test]
    fn what_is_appended_is_parsed() {
        let new = [Trailer::new("Policy", "a@sha256:1\n=open"), Trailer::new("Policy", "b")];
        for (message, before) in [("Title", 0), ("Title\n\nbody: text here", 1), ("T\n\nprose.", 0)]
        {
            let text = append(message, &new);
            let all = parse(&text);
            assert_eq!(all.len(), before + 2, "{text}");
            assert_eq!(values(&all, "policy"), ["a@sha256:1 =open", "b"]);
            assert!(text.ends_with("b\n"));
        }
        assert_eq!(append("Title\n\nA: 1\n", &new[1..]), "Title\n\nA: 1\nPolicy: b\n");
        assert_eq!(append("Title", &[]), "Title\n");
    }
}
