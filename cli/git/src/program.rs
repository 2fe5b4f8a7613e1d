//! The `git` program, for what needs a remote, the user's identity or their key.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::child::{self, Limit, Output};
use crate::redact::without_credentials;
use crate::{GitError, Repository};

/// What one run said.
pub(crate) struct Answer {
    pub(crate) ok: bool,
    pub(crate) stdout: String,
    stderr: String,
    /// The limit that it was stopped at.
    pub(crate) stopped: Option<Limit>,
}

/// One run of the program.
pub(crate) struct Run<'a> {
    pub(crate) args: &'a [&'a str],
    /// Variables of this run alone.
    pub(crate) variables: &'a [(&'a str, &'a str)],
    /// Bytes to read.
    pub(crate) input: &'a [u8],
    pub(crate) limit: Limit,
    /// Whether it may ask the person at the terminal, as a locked key does.
    pub(crate) terminal: bool,
}

/// Set by hooks and by people; each would point the program at something else,
/// or have it print what it should not.
const ELSEWHERE: [&str; 19] = [
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
    "GIT_TRACE2",
    "GIT_TRACE_CURL",
    "GIT_TRACE_PACKET",
    "GIT_TRACE_REDACT",
    "GIT_TRACE_SETUP",
    "GIT_WORK_TREE",
];

/// What does not talk to a remote ends long before.
pub(crate) const LOCAL: Limit = Limit::Whole(Duration::from_secs(60));

impl<'a> Run<'a> {
    /// A run on this machine, that reads nothing.
    pub(crate) fn new(args: &'a [&'a str]) -> Run<'a> {
        Run { args, variables: &[], input: &[], limit: LOCAL, terminal: false }
    }
}

impl Repository {
    /// This repository with one more variable in the environment of the `git`
    /// program, for example `GIT_ASKPASS`. It is never printed.
    pub fn with_env(mut self, name: impl Into<String>, value: impl Into<String>) -> Repository {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// This repository with another limit for each run of the `git` program,
    /// in place of those in [the crate's words](crate).
    pub fn with_patience(mut self, limit: Duration) -> Repository {
        self.patience = Some(limit);
        self
    }

    /// Runs `git` in this repository. It cannot ask questions, and it answers
    /// in English, so that its words can be told apart.
    pub(crate) fn git(&self, args: &[&str]) -> Result<Answer, GitError> {
        self.git_run(&Run::new(args))
    }

    /// The same, with all that can be chosen.
    pub(crate) fn git_run(&self, run: &Run<'_>) -> Result<Answer, GitError> {
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
        if !run.terminal {
            // The window of a desktop. `GIT_ASKPASS`, which is set for Git, stays.
            command.env_remove("SSH_ASKPASS");
        }
        command
            .args(["-c", "color.ui=false"])
            .args(run.args)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("LC_ALL", "C")
            .env_remove("LANGUAGE")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .envs(run.variables.iter().copied())
            .stdin(if run.input.is_empty() { Stdio::null() } else { Stdio::piped() });
        let limit = self.patience.map_or(run.limit, |limit| run.limit.of(limit));
        let said = child::run(&mut command, run.input, limit, run.terminal).map_err(failed)?;
        Ok(self.answer(said))
    }

    fn answer(&self, said: Output) -> Answer {
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            // A server may repeat what it was sent.
            self.shown.borrow().iter().fold(text, |text, token| token.hidden(text))
        };
        Answer {
            ok: said.ok,
            stdout: text(&said.stdout),
            stderr: text(&said.stderr),
            stopped: said.stopped,
        }
    }
}

/// More lines than this say nothing new.
const LINES: usize = 20;

impl Answer {
    /// Why it failed: its words on one line, without credentials, hints,
    /// progress and control characters.
    pub(crate) fn reason(&self) -> String {
        let mut all = Vec::new();
        let told = |line: &&str| !is_progress(line) && !is_about_a_reference(line);
        for line in self.stderr.lines().filter(told).map(clean) {
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

    /// Whether it failed without a word, as `git config --get` does for what is
    /// not set.
    pub(crate) fn was_silent(&self) -> bool {
        self.stderr.is_empty() && self.stopped.is_none()
    }

    /// Whether another process was at the same reference.
    pub(crate) fn lost_a_lock(&self) -> bool {
        self.stderr.contains("cannot lock ref")
    }

    /// What the server said, line by line, without control characters.
    pub(crate) fn words_of_remote(&self) -> Vec<String> {
        let lines = self.stderr.lines().filter_map(|line| line.strip_prefix("remote:")).map(clean);
        lines.filter(|line| !line.is_empty()).take(LINES).collect()
    }
}

/// Whether a line is of the table of references that a fetch ends with:
/// ` ! 1234567..89abcde  main -> refs/…  (unable to update local ref)`.
fn is_about_a_reference(line: &str) -> bool {
    let row = line.strip_prefix(' ').is_some_and(|row| row.starts_with(['!', '*', '+', '-', ' ']));
    line.starts_with("From ") || (row && line.contains(" -> "))
}

/// Whether a line counts something that goes on, as `--progress` has it:
/// `remote: Counting objects:  50% (1/2)`, each overwriting the one before.
fn is_progress(line: &str) -> bool {
    let line = line.rsplit('\r').find(|part| !part.trim().is_empty()).unwrap_or(line);
    let line = line.strip_prefix("remote: ").unwrap_or(line);
    let Some((title, count)) = line.split_once(": ") else { return false };
    let words = title.chars().all(|letter| letter.is_ascii_alphabetic() || letter == ' ');
    let first = count.split([',', ' ', '%']).find(|word| !word.is_empty());
    words && first.is_some_and(|first| first.bytes().all(|byte| byte.is_ascii_digit()))
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

    fn answer(stderr: &str) -> Answer {
        Answer { ok: false, stdout: String::new(), stderr: stderr.to_owned(), stopped: None }
    }

    #[test]
    fn a_reason_is_one_line() {
        let text = "To ../x\nfatal: no route\nhint: try again\n\nerror: gone\nremote: sorry\n";
        assert_eq!(answer(text).reason(), "no route; gone; remote: sorry");
        assert_eq!(answer(text).words_of_remote(), ["sorry"]);
        assert_eq!(answer("").reason(), "the `git` program failed without a word");
        assert_eq!(answer(&"x\n".repeat(99)).reason().matches('x').count(), LINES);
    }

    #[test]
    fn progress_is_no_reason() {
        let text = "remote: Enumerating objects: 5, done.        \n\
                    remote: Counting objects:  20% (1/5)\rremote: Counting objects: 100% (5/5), done.\n\
                    Receiving objects:  40% (2/5)\rfatal: early EOF\n\
                    Unpacking objects:  40% (2/5), 1.2 KiB | 3.00 MiB/s\rUnpacking objects: 100% (5/5)\n\
                    From ../x\n ! 1234567..89abcde  main -> refs/x  (unable to update local ref)\n\
                    Could not resolve host: 404.example\nerror: 403: no\n";
        assert_eq!(
            answer(text).reason(),
            "Receiving objects:  40% (2/5)fatal: early EOF; Could not resolve host: 404.example; 403: no"
        );
    }
}
