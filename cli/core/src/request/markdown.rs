//! Markdown that holds text of others.

use std::ops::Add;

use crate::plan::printable;

/// A piece of Markdown, on one line, in which text of others does nothing.
///
/// GitHub's and Gitea's Markdown are CommonMark with tables and bare links; both
/// look for mentions and references in the text that comes out, so that these are
/// broken by a character of no width (U+200B), except in code, where neither looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Md(String);

impl Md {
    /// Words of this program, taken as they are.
    pub fn ours(text: &str) -> Md {
        Md(text.to_owned())
    }

    /// Text of others among words.
    pub fn prose(text: &str) -> Md {
        let text = line(text);
        let mut out = String::with_capacity(text.len());
        let lower = text.to_ascii_lowercase();
        for (at, letter) in text.char_indices() {
            let plain = match letter {
                '.' => !lower[..at].ends_with("www"),
                ':' => !text[at..].starts_with(":/"),
                '-' | '+' | '=' => at > 0,
                ',' | ';' | '(' | ')' | '\'' | '"' | '/' | '%' | '?' => true,
                letter => !letter.is_ascii_punctuation(),
            };
            if plain {
                out.push(letter);
            } else {
                out.push_str(&format!("&#{};", letter as u32));
            }
            if matches!(letter, '@' | '#') {
                out.push_str("&#8203;");
            }
        }
        Md(out)
    }

    /// Text of others as code.
    pub fn code(text: &str) -> Md {
        let text = line(text);
        if text.is_empty() {
            return Md("(empty)".to_owned());
        }
        // A bar would end the cell of a table, and escapes do nothing in code.
        if !text.contains(['`', '|', '\\', '<', '>', '&']) {
            return Md(format!("`{text}`"));
        }
        let mut out = String::from("<code>");
        for letter in text.chars() {
            match letter.is_ascii_punctuation() {
                true => out.push_str(&format!("&#{};", letter as u32)),
                false => out.push(letter),
            }
        }
        out.push_str("</code>");
        Md(out)
    }

    /// Strong.
    #[must_use]
    pub fn strong(self) -> Md {
        Md(format!("**{}**", self.0))
    }

    /// The Markdown.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// At most so many letters of a text, before it becomes Markdown.
    pub fn short(text: &str, letters: usize) -> String {
        match text.char_indices().nth(letters) {
            Some((at, _)) => format!("{}…", &text[..at]),
            None => text.to_owned(),
        }
    }
}

/// The text on one line, with nothing in it that is not seen.
fn line(text: &str) -> String {
    let words: Vec<&str> = text.split(['\n', '\r', '\t']).map(str::trim).collect();
    printable(&words.join(" ")).trim().to_owned()
}

impl Add<Md> for Md {
    type Output = Md;

    fn add(self, other: Md) -> Md {
        Md(self.0 + &other.0)
    }
}

impl Add<&str> for Md {
    type Output = Md;

    fn add(self, words: &str) -> Md {
        Md(self.0 + words)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_stay_readable() {
        assert_eq!(
            Md::prose("dev has held web for 5m, 30m asked").text(),
            "dev has held web for 5m, 30m asked"
        );
        assert_eq!(Md::prose("kim holds prod: v1.2 (x)").text(), "kim holds prod: v1.2 (x)");
        assert_eq!(Md::code("web").text(), "`web`");
    }

    #[test]
    fn text_of_others_does_nothing() {
        for (text, expected) in [
            ("@all", "&#64;&#8203;all"),
            ("#12", "&#35;&#8203;12"),
            ("![x](y)", "&#33;&#91;x&#93;(y)"),
            ("<img src=x>", "&#60;img src=x&#62;"),
            ("https://evil.example", "https&#58;//evil.example"),
            ("www.evil.example", "www&#46;evil.example"),
            ("a\n\n# b", "a  &#35;&#8203; b"),
            (
                "*a* _b_ `c` ~d~ |e| \\f &amp;",
                "&#42;a&#42; &#95;b&#95; &#96;c&#96; &#126;d&#126; &#124;e&#124; &#92;f &#38;amp;",
            ),
            ("- x", "&#45; x"),
        ] {
            assert_eq!(Md::prose(text).text(), expected);
        }
        assert_eq!(Md::code("a`b|c").text(), "<code>a&#96;b&#124;c</code>");
        assert_eq!(Md::code("@all #1").text(), "`@all #1`");
        assert_eq!(Md::code("<b>").text(), "<code>&#60;b&#62;</code>");
        assert_eq!(Md::code("a\n@b").text(), "`a @b`");
        assert_eq!(Md::code("\u{202e}x").text(), "<code>&#92;u&#123;202e&#125;x</code>");
    }

    proptest! {
        #[test]
        fn nothing_of_prose_is_markup(text in any::<String>()) {
            let md = Md::prose(&text);
            let md = md.text();
            prop_assert!(!md.contains(['<', '>', '[', ']', '!', '`', '|', '\\', '*', '_', '@', '\n', '\r']), "{md}");
            prop_assert!(!md.contains("://") && !md.to_lowercase().contains("www."), "{md}");
            // `&` and `#` stand only in what we wrote.
            let left = regex::Regex::new("&#[0-9]+;").unwrap().replace_all(md, "").into_owned();
            prop_assert!(!left.contains(['&', '#']), "{md}");
        }

        #[test]
        fn nothing_ends_code(text in any::<String>()) {
            let md = Md::code(&text);
            let md = md.text();
            prop_assert!(!md.contains(['\n', '\r', '|', '\\']));
            match md.strip_prefix("<code>") {
                Some(rest) => prop_assert!(!rest.strip_suffix("</code>").unwrap().contains(['<', '`', '@'])),
                None => prop_assert!(md == "(empty)" || md.matches('`').count() == 2),
            }
        }
    }
}
