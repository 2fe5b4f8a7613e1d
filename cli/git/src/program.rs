//! The `git` program, for what needs a remote, the user's identity or their key.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::redact::without_credentials;
use crate::{GitError, Repository};

/// What one run said.
pub(crate) struct Answer {
    pub(crate) ok: bool,
    pub(crate) stdout: String,
    stderr: String,
}

/// Set by hooks and by people; each would point the program at something else.
const ELSEWHERE: [&str; 15] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CEILING_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CURL_VERBOSE",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_SHALLOW_FILE",
    "GIT_TRACE",
    "GIT_TRACE_CURL",
    "GIT_WORK_TREE",
];

impl Repository {
    /// This repository with one more variable in the environment of the `git`
    /// program, for example `GIT_ASKPASS`. It is never printed.
    pub fn with_env(mut self, name: impl Into<String>, value: impl Into<String>) -> Repository {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Runs `git` in this repository. It cannot ask questions, and it answers
    /// in English, so that its words can be told apart.
    pub(crate) fn git(&self, args: &[&str]) -> Result<Answer, GitError> {
        self.git_with_input(args, &[], &[])
    }

    /// The same with bytes to read and variables of this run alone.
    pub(crate) fn git_with_input(
        &self,
        args: &[&str],
        variables: &[(&str, &str)],
        input: &[u8],
    ) -> Result<Answer, GitError> {
        let failed = |error: std::io::Error| GitError::NoProgram { reason: error.to_string() };
        let mut command = Command::new("git");
        match self.root() {
            Some(root) => command.current_dir(root),
            // Named, since `safe.bareRepository` may forbid to find it.
            None => command.current_dir(self.inner.path()).arg("--git-dir=."),
        };
        for name in ELSEWHERE {
            command.env_remove(name);
        }
        let mut child = command
            .args(["-c", "color.ui=false"])
            .args(args)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("LC_ALL", "C")
            .env_remove("LANGUAGE")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .envs(variables.iter().copied())
            .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ends early says why on stderr.
            let _ = stdin.write_all(input);
        }
        let output = child.wait_with_output().map_err(failed)?;
        Ok(Answer {
            ok: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

/// More lines than this say nothing new.
const LINES: usize = 20;

impl Answer {
    /// Why it failed: its words on one line, without credentials, hints and
    /// control characters.
    pub(crate) fn reason(&self) -> String {
        let mut all = Vec::new();
        for line in self.stderr.lines().map(clean) {
            if line.is_empty() || line.starts_with("hint:") || line.starts_with("To ") {
                continue;
            }
            let plain = line.strip_prefix("fatal: ").or_else(|| line.strip_prefix("error: "));
            all.push(plain.unwrap_or(&line).to_owned());
        }
        all.truncate(LINES);
        if all.is_empty() {
            "the `git` program failed without a word".into()
        } else {
            all.join("; ")
        }
    }

    /// What the server said, line by line, without control characters.
    pub(crate) fn words_of_remote(&self) -> Vec<String> {
        let lines = self.stderr.lines().filter_map(|line| line.strip_prefix("remote:")).map(clean);
        lines.filter(|line| !line.is_empty()).take(LINES).collect()
    }
}

/// A line that is safe to print: without credentials, colours, control characters
/// and characters that turn the direction of writing.
pub(crate) fn clean(line: &str) -> String {
    let mut printable = String::with_capacity(line.len());
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '\x1b' && letters.next_if_eq(&'[').is_some() {
            // A sequence ends with its first letter: ECMA-48, section 5.4.
            let _ = letters.find(|letter| ('@'..='~').contains(letter));
        } else if !letter.is_control() && !turns_direction(letter) {
            printable.push(letter);
        }
    }
    without_credentials(printable.trim())
}

fn turns_direction(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_made_safe() {
        for (line, expected) in [
            ("plain é ✓", "plain é ✓"),
            ("\x1b[1;31mred\x1b[0m end", "red end"),
            ("\x1b[2K\x1b[1Agone", "gone"),
            ("\x1b]0;title\x07x", "]0;titlex"),
            ("a\u{202e}b\tc\r", "abc"),
            ("\x1b[", ""),
            ("see https://u:p@h/x", "see https://h/x"),
            // Nothing hides the address from the search for credentials.
            ("https:/\x1b[0m/u:p@h/x", "https://h/x"),
        ] {
            assert_eq!(clean(line), expected);
        }
    }

    #[test]
    fn a_reason_is_one_line() {
        let answer =
            |stderr: &str| Answer { ok: false, stdout: String::new(), stderr: stderr.to_owned() };
        let text = "To ../x\nfatal: no route\nhint: try again\n\nerror: gone\nremote: sorry\n";
        assert_eq!(answer(text).reason(), "no route; gone; remote: sorry");
        assert_eq!(answer(text).words_of_remote(), ["sorry"]);
        assert_eq!(answer("").reason(), "the `git` program failed without a word");
        assert_eq!(answer(&"x\n".repeat(99)).reason().matches('x').count(), LINES);
    }
}
