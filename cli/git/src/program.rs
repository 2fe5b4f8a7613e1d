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

/// A line that is safe to print.
pub(crate) fn clean(line: &str) -> String {
    let printable: String = line.chars().filter(|c| !c.is_control()).collect();
    without_credentials(printable.trim())
}
