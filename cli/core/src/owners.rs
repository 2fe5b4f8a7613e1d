//! CODEOWNERS: who owns a file.
//!
//! Two forms are read. GitHub's ("About code owners"): patterns as in gitignore,
//! without `!`, `[ ]` and an escaped `#`; the last one that matches a file names
//! its owners, and one without owners takes them away. Gitea's and Forgejo's
//! (`models/issues/pull.go`, `GetCodeOwnersFromContent`): regular expressions for
//! the whole path, `!` before one turns it round, and all that match count.

use std::collections::BTreeSet;

use regex::{Regex, RegexBuilder};

/// How a file of owners is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// GitHub's.
    GitHub,
    /// Gitea's and Forgejo's.
    Gitea,
}

impl Form {
    /// Where such a file may stand; the first that is there counts.
    ///
    /// Sources: GitHub "CODEOWNERS file location", Gitea "Code Owners".
    pub fn places(self) -> &'static [&'static str] {
        match self {
            Form::GitHub => &[".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"],
            Form::Gitea => {
                &["CODEOWNERS", "docs/CODEOWNERS", ".gitea/CODEOWNERS", ".forgejo/CODEOWNERS"]
            }
        }
    }
}

/// An owner as written, without the `@`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A user.
    User(String),
    /// A team, `org/team`.
    Team(String),
    /// An address, which is nobody's login.
    Mail(String),
}

/// A file of owners.
#[derive(Clone, Debug)]
pub struct CodeOwners {
    form: Form,
    rules: Vec<Rule>,
    /// The lines that cannot be read, counted from 1. Forges pass over them.
    pub skipped: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: Pattern,
    owners: BTreeSet<Owner>,
}

#[derive(Clone, Debug)]
enum Pattern {
    Glob(Glob),
    Expression { expression: Regex, negative: bool },
}

impl CodeOwners {
    /// Reads a file.
    pub fn parse(text: &str, form: Form) -> CodeOwners {
        let mut found = CodeOwners { form, rules: Vec::new(), skipped: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            let words = words(line);
            let Some((pattern, owners)) = words.split_first() else { continue };
            let owners: Option<BTreeSet<Owner>> = owners.iter().map(|word| owner(word)).collect();
            let pattern = match form {
                Form::GitHub => Glob::parse(pattern).map(Pattern::Glob),
                Form::Gitea => expression(pattern),
            };
            match (pattern, owners) {
                // Without owners a line says nothing there.
                (Some(_), Some(owners)) if owners.is_empty() && form == Form::Gitea => {}
                (Some(pattern), Some(owners)) => found.rules.push(Rule { pattern, owners }),
                _ => found.skipped.push(index + 1),
            }
        }
        found
    }

    /// The owners of a file, by its path from the root; empty where it has none.
    pub fn of(&self, path: &str) -> BTreeSet<Owner> {
        let mut matching = self.rules.iter().filter(|rule| rule.pattern.matches(path));
        match self.form {
            Form::GitHub => matching.next_back().map(|rule| rule.owners.clone()),
            Form::Gitea => Some(matching.flat_map(|rule| rule.owners.clone()).collect()),
        }
        .unwrap_or_default()
    }
}

/// The words of a line, up to a comment; `\ ` stands for a blank, and other
/// escapes are left to the pattern.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.peek() == Some(&' ') => {
                letters.next();
                word.push(' ');
            }
            '\\' => {
                word.push('\\');
                word.extend(letters.next());
            }
            '#' if word.is_empty() => break,
            letter if letter.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            letter => word.push(letter),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn owner(word: &str) -> Option<Owner> {
    let name = |text: &str| !text.is_empty() && !text.contains('@');
    match word.strip_prefix('@') {
        Some(team) if team.contains('/') => {
            let good = name(team) && team.split('/').count() == 2 && team.split('/').all(name);
            good.then(|| Owner::Team(team.to_owned()))
        }
        Some(user) => name(user).then(|| Owner::User(user.to_owned())),
        None => {
            let (user, host) = word.split_once('@')?;
            (name(user) && name(host)).then(|| Owner::Mail(word.to_owned()))
        }
    }
}

fn expression(text: &str) -> Option<Pattern> {
    let (negative, text) = match text.strip_prefix('!') {
        Some(text) => (true, text),
        None => (false, text),
    };
    // What is written comes from a repository.
    let built = RegexBuilder::new(&format!("^(?:{text})$")).size_limit(1 << 20).build();
    Some(Pattern::Expression { expression: built.ok()?, negative })
}

impl Pattern {
    fn matches(&self, path: &str) -> bool {
        match self {
            Pattern::Glob(glob) => glob.matches(path),
            Pattern::Expression { expression, negative } => expression.is_match(path) != *negative,
        }
    }
}

/// A pattern of GitHub's.
#[derive(Clone, Debug)]
struct Glob {
    segments: Vec<String>,
    /// It names folders, whose files it matches.
    folder: bool,
    /// It ends in `/*`, which does not go down.
    flat: bool,
}

impl Glob {
    fn parse(text: &str) -> Option<Glob> {
        // `!` and ranges are not known there.
        if text.starts_with('!') || text.contains(['[', ']']) || text.starts_with("\\#") {
            return None;
        }
        let folder = text.ends_with('/');
        let inner = text.trim_end_matches('/');
        let anchored = inner.contains('/');
        let mut segments: Vec<String> =
            inner.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect();
        if segments.is_empty() {
            // `/` alone matches nothing.
            return None;
        }
        if !anchored {
            segments.insert(0, "**".to_owned());
        }
        let flat = anchored && !folder && segments.last().is_some_and(|last| last == "*");
        Some(Glob { segments, folder, flat })
    }

    fn matches(&self, path: &str) -> bool {
        // Whether the segments so far can match so many of the first parts.
        let parts: Vec<Vec<char>> = path.split('/').map(|part| part.chars().collect()).collect();
        let mut reached = vec![false; parts.len() + 1];
        reached[0] = true;
        for (index, segment) in self.segments.iter().enumerate() {
            let mut next = vec![false; parts.len() + 1];
            if segment == "**" {
                let last = index + 1 == self.segments.len();
                let mut before = false;
                for (at, now) in reached.iter().enumerate() {
                    // At the end it is what stands below.
                    next[at] = before || (*now && !last);
                    before |= *now;
                }
            } else {
                let segment: Vec<char> = segment.chars().collect();
                for (at, part) in parts.iter().enumerate() {
                    next[at + 1] = reached[at] && wild(&segment, part);
                }
            }
            reached = next;
        }
        let (whole, below) = reached.split_last().expect("there is one more than parts");
        // What is named may be a folder that the file stands in.
        (*whole && !self.folder) || (!self.flat && below.contains(&true))
    }
}

/// `*` is any letters, `?` is one, `\` takes the next as it is.
fn wild(pattern: &[char], text: &[char]) -> bool {
    // The last star, and where the text was then.
    let (mut at, mut here) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while here < text.len() {
        let (letter, width) = match pattern.get(at) {
            Some('\\') if at + 1 < pattern.len() => (pattern.get(at + 1), 2),
            letter => (letter, 1),
        };
        match letter {
            Some('*') if width == 1 => {
                star = Some((at, here));
                at += 1;
            }
            Some('?') if width == 1 => {
                at += 1;
                here += 1;
            }
            Some(letter) if *letter == text[here] => {
                at += width;
                here += 1;
            }
            _ => match star {
                Some((from, taken)) => {
                    at = from + 1;
                    here = taken + 1;
                    star = Some((from, taken + 1));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(text: &str, form: Form, path: &str) -> Vec<String> {
        let word = |owner| match owner {
            Owner::User(name) => format!("@{name}"),
            Owner::Team(name) => format!("@{name}"),
            Owner::Mail(mail) => mail,
        };
        CodeOwners::parse(text, form).of(path).into_iter().map(word).collect()
    }

    #[test]
    fn patterns_of_github() {
        // The examples of GitHub's own page, and what stands next to them.
        for (pattern, path, expected) in [
            ("*", "a/b/c.yaml", true),
            ("*.js", "a/b.js", true),
            ("*.js", "a/b.jsx", false),
            ("/build/logs/", "build/logs/a/b", true),
            ("/build/logs/", "x/build/logs/a", false),
            ("/build/logs/", "build/logs", false),
            ("docs/*", "docs/getting-started.md", true),
            ("docs/*", "docs/build-app/troubleshooting.md", false),
            ("apps/", "apps/a", true),
            ("apps/", "x/apps/a/b", true),
            ("/docs/", "docs/a", true),
            ("/docs/", "x/docs/a", false),
            ("/scripts/", "scripts/a/b", true),
            ("**/logs", "build/logs/a", true),
            ("**/logs", "logs/a", true),
            ("**/logs", "deeply/nested/logs", true),
            ("/apps/github", "apps/github/a/b", true),
            ("/apps/github", "apps/github", true),
            ("/apps/github", "apps/githubs", false),
            ("k8s/overlays/**/kustomization.yaml", "k8s/overlays/prod/kustomization.yaml", true),
            ("k8s/overlays/**/kustomization.yaml", "k8s/overlays/kustomization.yaml", true),
            ("k8s/**", "k8s/a/b", true),
            ("k8s/**", "k8s", false),
            ("a?c", "x/abc/d", true),
            ("a?c", "ac", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("file\\ with\\ blank.md", "file with blank.md", true),
            ("/", "a", false),
            ("[ab].md", "a.md", false),
            ("!a", "a", false),
            ("A", "a", false),
        ] {
            let found = of(&format!("{pattern} @kim"), Form::GitHub, path);
            assert_eq!(!found.is_empty(), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn the_last_match_counts_on_github() {
        let text = "# who\n* @default @acme/all # everything\nk8s/prod/ @acme/ops kim@acme.example\nk8s/prod/free.yaml\nbad owner\n";
        assert_eq!(of(text, Form::GitHub, "x"), ["@default", "@acme/all"]);
        assert_eq!(of(text, Form::GitHub, "k8s/prod/a"), ["@acme/ops", "kim@acme.example"]);
        assert!(of(text, Form::GitHub, "k8s/prod/free.yaml").is_empty());
        assert_eq!(CodeOwners::parse(text, Form::GitHub).skipped, [5]);
    }

    #[test]
    fn expressions_of_gitea_all_count() {
        let text = "apps/.* @bob\napps/web/.*\\.yaml @acme/web\n!docs/.* @eve\ndocs/a\\ b @dan\n( @x\n.*\n";
        assert_eq!(of(text, Form::Gitea, "apps/web/a.yaml"), ["@bob", "@eve", "@acme/web"]);
        assert_eq!(of(text, Form::Gitea, "docs/x"), Vec::<String>::new());
        assert_eq!(of(text, Form::Gitea, "docs/a b"), ["@dan"]);
        // The whole path, not a part of it.
        assert_eq!(of(text, Form::Gitea, "my/apps/x"), ["@eve"]);
        assert_eq!(CodeOwners::parse(text, Form::Gitea).skipped, [5]);
    }

    #[test]
    fn a_long_pattern_ends() {
        let stars = "*a".repeat(200);
        assert!(of(&format!("{stars} @kim"), Form::GitHub, &"a".repeat(150)).is_empty());
        let deep = "**/a/".repeat(12);
        let path = "a/".repeat(24);
        assert!(of(&format!("{deep}x @kim"), Form::GitHub, &path).is_empty());
    }
}
