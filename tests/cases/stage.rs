//! A temporary folder with a repository, a bare remote, and the programs that
//! a case may call; the environment holds nothing else.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

#[path = "schemas.rs"]
mod schemas;

/// The project's folder.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// What a command said.
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    pub status: i32,
}

impl Said {
    /// What a process said that has ended.
    pub fn of(output: Output) -> Said {
        Said {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            status: output.status.code().unwrap_or(-1),
        }
    }

    /// stdout, then stderr with `! ` before each line, then a status other
    /// than 0.
    #[allow(dead_code, reason = "one of the two test programs reads the parts")]
    pub fn transcript(&self) -> String {
        let mut text = self.stdout.clone();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push_str("⏎\n");
        }
        for line in self.stderr.lines() {
            writeln!(text, "! {line}").unwrap();
        }
        if self.status != 0 {
            writeln!(text, "[{}]", self.status).unwrap();
        }
        text
    }
}

/// See the module.
pub struct Stage {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Stage {
    /// An empty folder `repo`, no repository yet.
    pub fn new() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        for name in ["repo", "bin", "home", "answers"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let bin = folder.path().join("bin");
        symlink(env!("CARGO_BIN_EXE_kubectl-gitops"), bin.join("kubectl-gitops")).unwrap();
        symlink(env!("CARGO_BIN_EXE_kubectl-gitops"), bin.join("flux-gitops")).unwrap();
        // How kubectl and flux start a plugin: by its name, with the rest of the words.
        for host in ["kubectl", "flux"] {
            // What is said in JSON is kept, so that no pipe hides it from its schema.
            let script = format!(
                "#!/bin/sh\nplugin=$1; shift\n\
                 case \" $* \" in *' -o json '*|*' -ojson '*|*' --output json '*|*=json' '*)\n\
                 said=$(mktemp {1}/XXXXXX) || exit\n\
                 {0}/{host}-\"$plugin\" \"$@\" > \"$said\"; status=$?\n\
                 cat \"$said\"; mv \"$said\" \"$said.json\"; exit $status\nesac\n\
                 exec {0}/{host}-\"$plugin\" \"$@\"\n",
                bin.display(),
                folder.path().join("answers").display()
            );
            fs::write(bin.join(host), script).unwrap();
            fs::set_permissions(bin.join(host), fs::Permissions::from_mode(0o755)).unwrap();
        }
        Stage { folder, variables: Vec::new() }
    }

    /// The work tree.
    pub fn repo(&self) -> PathBuf {
        self.folder.path().join("repo")
    }

    /// Sets a variable for every later command.
    #[allow(dead_code, reason = "one of the two test programs needs no variables")]
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.push((name.to_owned(), value.into()));
    }

    /// Copies the files of a folder into the work tree.
    pub fn lay(&self, from: &Path) {
        copy(from, &self.repo());
    }

    /// Makes `repo` a repository on `main` with one commit, and `origin` a
    /// bare remote that holds it.
    pub fn commit_and_publish(&self) {
        let said = self.shell(
            "git init -q -b main && git add -A && git commit -q -m start \
             && git clone -q --bare . ../origin.git && git remote add origin ../origin.git \
             && git fetch -q origin && git remote set-head origin main",
        );
        assert_eq!(said.status, 0, "{}", said.stderr);
    }

    /// The folder of all: `repo`, `home`, `bin` and what a test adds.
    #[allow(dead_code, reason = "not every test program looks around")]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs one line in the work tree. Whatever it says or saves in JSON must be
    /// what its schema says.
    pub fn shell(&self, line: &str) -> Said {
        let said = Said::of(self.command(line).output().unwrap());
        let kept = fs::read_dir(self.folder.path().join("answers")).unwrap();
        for file in kept.map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|is| is == "json") {
                let text = fs::read_to_string(&file).unwrap();
                fs::remove_file(&file).unwrap();
                schemas::hold(line, &text);
            }
        }
        for file in fs::read_dir(self.folder.path()).unwrap() {
            let file = file.unwrap().path();
            if file.is_file()
                && let Ok(text) = fs::read_to_string(&file)
            {
                schemas::hold(line, &text);
            }
        }
        said
    }

    /// One line in the work tree, ready to run.
    pub fn command(&self, line: &str) -> Command {
        let home = self.folder.path().join("home");
        let path = format!("{}/bin:/usr/local/bin:/usr/bin:/bin", self.folder.path().display());
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(self.repo())
            .env_clear()
            .env("PATH", path)
            .env("HOME", &home)
            .env("STAGE", self.folder.path())
            .env("PROJECT", project())
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "Ada")
            .env("GIT_AUTHOR_EMAIL", "ada@example.com")
            .env("GIT_COMMITTER_NAME", "Ada")
            .env("GIT_COMMITTER_EMAIL", "ada@example.com")
            .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
            .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")
            .stdin(Stdio::null());
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command
    }

    /// The text without what differs from run to run: this folder, ids, seals
    /// and digests.
    pub fn normal(&self, text: &str) -> String {
        let real = fs::canonicalize(self.folder.path()).unwrap();
        let text = text
            .replace(&real.display().to_string(), "$STAGE")
            .replace(&self.folder.path().display().to_string(), "$STAGE");
        let mut normal = String::with_capacity(text.len());
        let mut word = String::new();
        for character in text.chars().chain(['\0']) {
            if character.is_ascii_hexdigit() && !character.is_ascii_uppercase() {
                word.push(character);
                continue;
            }
            normal.push_str(match word.len() {
                64 => "<sha256>",
                40 => "<commit>",
                12 if normal.ends_with("(sealed ") => "…",
                10 if [
                    " at ",
                    "pushed ",
                    "committed ",
                    "merged ",
                    "into ",
                    "continue from ",
                    "takes back ",
                    "since ",
                    "promotion (",
                    ", by ",
                    " since ",
                    "; ",
                    " before ",
                    "--to ",
                    "` by ",
                    "--- ",
                    "+++ ",
                    "..",
                    "commit ",
                    "top of ",
                    "since ",
                    "promotion (",
                ]
                .iter()
                .any(|before| normal.ends_with(before))
                    || (character == '.' && normal.ends_with('\n')) =>
                {
                    "<short>"
                }
                7 if normal.ends_with(" at ") || normal.ends_with("commit ") => "<short>",
                _ => &word,
            });
            word.clear();
            if character != '\0' {
                normal.push(character);
            }
        }
        normal
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path()).unwrap(), target).unwrap();
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The first lines that differ, as a unified diff would show them.
pub fn lines_that_differ(expected: &str, actual: &str) -> String {
    let diff = similar::TextDiff::from_lines(expected, actual);
    diff.unified_diff().header("expected", "came out").to_string()
}
