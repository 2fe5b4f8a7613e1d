//! Regular expressions of kustomizations. Nearly all are words, and to compile
//! one takes longer than to render a small object.

use regex::Regex;

/// A regular expression.
pub(crate) enum Pattern {
    /// The whole text must be one of these words.
    Words(Vec<Word>),
    /// The text must hold this.
    Part(String),
    /// Anything else.
    Compiled(Regex),
}

/// Letters, digits and what is no operator.
pub(crate) enum Word {
    Letters(String),
    /// With dots, each of them any character.
    Dotted(String),
    /// `.*`.
    Line,
}

impl Pattern {
    /// A regular expression that must match a whole text.
    pub(crate) fn whole(pattern: &str) -> Result<Pattern, regex::Error> {
        let words: Option<Vec<Word>> = pattern.split('|').map(Word::new).collect();
        match words {
            Some(words) => Ok(Pattern::Words(words)),
            None => Regex::new(&format!("^(?:{pattern})$")).map(Pattern::Compiled),
        }
    }

    /// One that may match anywhere in a text.
    pub(crate) fn part(pattern: &str) -> Result<Pattern, regex::Error> {
        if pattern.bytes().all(is_letter) {
            return Ok(Pattern::Part(pattern.to_owned()));
        }
        Regex::new(pattern).map(Pattern::Compiled)
    }

    /// Whether `text` matches.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        match self {
            Pattern::Words(words) => words.iter().any(|word| word.is(text)),
            Pattern::Part(part) => text.contains(part.as_str()),
            Pattern::Compiled(regex) => regex.is_match(text),
        }
    }
}

impl Word {
    fn new(word: &str) -> Option<Word> {
        if word.bytes().all(is_letter) {
            return Some(Word::Letters(word.to_owned()));
        }
        if word == ".*" {
            return Some(Word::Line);
        }
        let is_dotted = word.bytes().all(|byte| is_letter(byte) || byte == b'.');
        is_dotted.then(|| Word::Dotted(word.to_owned()))
    }

    fn is(&self, text: &str) -> bool {
        match self {
            Word::Letters(word) => word == text,
            Word::Line => !text.contains('\n'),
            Word::Dotted(word) => {
                let mut rest = text.chars();
                let mut meets = |wanted: char| {
                    rest.next().is_some_and(|c| c == wanted || wanted == '.' && c != '\n')
                };
                word.chars().all(&mut meets) && rest.next().is_none()
            }
        }
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/:@_-".contains(&byte)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn words_match_as_regular_expressions_do() {
        let patterns = [
            "",
            "web",
            "web|db",
            "web|",
            "|",
            "a.b",
            ".",
            "..",
            ".*",
            "web|.*",
            "a.*",
            "we?b",
            "w-b_1/x:y@z",
            "apps.k8s.io",
            "[ab]",
            "(web)",
            "web$",
            "^web",
            r"a\.b",
            "WEB",
            "é",
            "a b",
            "we.b|db.",
            ".|..",
        ];
        let texts = [
            "",
            "web",
            "webs",
            "db",
            "aweb",
            "a.b",
            "axb",
            "aéb",
            "a\nb",
            "\n",
            "é",
            "éé",
            "web\n",
            "w-b_1/x:y@z",
            "apps.k8s.io",
            "appsxk8s.io",
            "a",
            "b",
            "wexb",
            "dbx",
            "WEB",
            "a b",
        ];
        for pattern in patterns {
            let whole = Regex::new(&format!("^(?:{pattern})$")).unwrap();
            let part = Regex::new(pattern).unwrap();
            for (read, regex) in [
                (Pattern::whole(pattern).unwrap(), &whole),
                (Pattern::part(pattern).unwrap(), &part),
            ] {
                for text in texts {
                    assert_eq!(read.is_match(text), regex.is_match(text), "{pattern:?} {text:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_written_every_day_is_not_compiled() {
        for pattern in ["Deployment", "StatefulSet|Deployment", ".*", "apps.k8s.io", "v1"] {
            let read = Pattern::whole(pattern).unwrap();
            assert!(matches!(read, Pattern::Words(..)), "{pattern}");
        }
        for pattern in ["web-.*", "(a|b)", "[a-z]+", r"a\.b"] {
            let read = Pattern::whole(pattern).unwrap();
            assert!(matches!(read, Pattern::Compiled(_)), "{pattern}");
        }
        assert!(Pattern::whole("(").is_err());
        assert!(Pattern::part("a|(").is_err());
    }
}
