//! One run of a program: how long, how much memory, what it said.
//!
//! A program is started by a second process of this one ([`child`]), which
//! waits for nothing else. So the kernel's figure for "all children that ended"
//! is of that one program and what it started, and the memory of the bench
//! itself does not count as theirs.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// The first argument that makes this program the one that measures.
pub(crate) const CHILD_WORD: &str = "--measure-one";

/// A command line to measure.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
    /// Whether it may find programs and a network; none of the programs here
    /// needs them for what can be rendered, and a wait for them is no work.
    pub(crate) offline: bool,
    /// The folder it runs in, where that matters.
    pub(crate) folder: Option<PathBuf>,
    /// What its environment holds besides.
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Invocation {
    /// A program with arguments.
    pub(crate) fn new<A: Into<OsString>>(
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            program: program.to_path_buf(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            offline: false,
            folder: None,
            variables: Vec::new(),
        }
    }

    /// The same in a folder.
    pub(crate) fn inside(mut self, folder: PathBuf) -> Self {
        self.folder = Some(folder);
        self
    }

    /// The same with a variable.
    pub(crate) fn with(mut self, name: &'static str, value: String) -> Self {
        self.variables.push((name, value));
        self
    }

    /// The same without a `PATH`, and behind a proxy that nobody is.
    pub(crate) fn offline(mut self) -> Self {
        self.offline = true;
        self
    }
}

/// What a run came to.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// From the start of the program to its end.
    pub(crate) time: Duration,
    /// Peak resident memory of the program or of one it started, whichever is
    /// higher, in KiB.
    pub(crate) peak: u64,
    /// Its exit status, or minus the signal that ended it.
    pub(crate) status: i32,
    /// Its standard output.
    pub(crate) stdout: Vec<u8>,
    /// Its standard error.
    pub(crate) stderr: String,
}

impl Run {
    /// The last lines of its standard error.
    pub(crate) fn complaint(&self) -> String {
        let lines: Vec<&str> = self.stderr.trim_end().lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }
}

/// Why a program was not measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MeasureError {
    /// A file or process cannot be had.
    #[error("{attempt}: {source}")]
    Io {
        /// What was attempted.
        attempt: String,
        /// What went wrong.
        source: io::Error,
    },
    /// The measuring process did not report.
    #[error("{program} was not measured: {reason}", program = program.display())]
    NoReport {
        /// The program.
        program: PathBuf,
        /// What the measuring process said.
        reason: String,
    },
}

/// Where programs run: a home of their own, so that the caches of the user
/// neither help nor suffer.
#[derive(Debug)]
pub(crate) struct Room {
    folder: tempfile::TempDir,
    this_program: PathBuf,
}

impl Room {
    /// An empty one.
    pub(crate) fn new() -> Result<Self, MeasureError> {
        let folder = did("make a temporary folder", tempfile::tempdir())?;
        for name in ["home", "tmp"] {
            let path = folder.path().join(name);
            did(&format!("make {}", path.display()), fs::create_dir(&path))?;
        }
        let this_program = did("find this program", std::env::current_exe())?;
        Ok(Self { folder, this_program })
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a program once, with nothing in its environment but `PATH`, a home
    /// and a folder for temporary files. Its output goes to files, so that no
    /// reader slows it down.
    pub(crate) fn run(&self, invocation: &Invocation) -> Result<Run, MeasureError> {
        let (stdout, stderr, report) =
            (self.path("stdout"), self.path("stderr"), self.path("report"));
        let create = |path: &Path| did(&format!("write {}", path.display()), File::create(path));
        let mut command = Command::new(&self.this_program);
        command
            .arg(CHILD_WORD)
            .arg(&report)
            .arg(&invocation.program)
            .args(&invocation.arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(create(&stdout)?)
            .stderr(create(&stderr)?);
        command.envs(invocation.variables.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &invocation.folder {
            command.current_dir(folder);
        }
        if invocation.offline {
            command.env("PATH", self.path("no-programs"));
            for name in ["HTTP_PROXY", "HTTPS_PROXY"] {
                command.env(name, "http://127.0.0.1:9");
            }
        }
        let status = command.status();
        let status = did(&format!("measure {}", invocation.program.display()), status)?;
        let read = |path: &Path| did(&format!("read {}", path.display()), fs::read(path));
        let stderr = String::from_utf8_lossy(&read(&stderr)?).into_owned();
        let no_report =
            |reason: String| MeasureError::NoReport { program: invocation.program.clone(), reason };
        if !status.success() {
            return Err(no_report(stderr.trim_end().to_owned()));
        }
        let text = String::from_utf8_lossy(&read(&report)?).into_owned();
        let (time, peak, status) =
            parse(&text).ok_or_else(|| no_report(format!("it reported `{text}`")))?;
        Ok(Run { time, peak, status, stdout: read(&stdout)?, stderr })
    }
}

/// The measuring process: arguments are the file for the report, the program
/// and its arguments.
pub(crate) fn child(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let measured = (|| {
        let usage = || io::Error::other("a report file and a program are needed");
        let report = arguments.next().ok_or_else(usage)?;
        let program = arguments.next().ok_or_else(usage)?;
        let begin = Instant::now();
        let status = Command::new(program).args(arguments).spawn()?.wait()?;
        let time = begin.elapsed();
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        // Linux and the BSDs count kibibytes, Darwin bytes.
        let unit = if cfg!(target_vendor = "apple") { 1024 } else { 1 };
        let peak = usage.max_rss() / unit;
        let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or(1));
        fs::write(report, format!("{} {peak} {code}", time.as_nanos()))
    })();
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(report: &str) -> Option<(Duration, u64, i32)> {
    let mut words = report.split(' ');
    let time = Duration::from_nanos(words.next()?.parse().ok()?);
    let peak = words.next()?.parse().ok()?;
    let status = words.next()?.parse().ok()?;
    words.next().is_none().then_some((time, peak, status))
}

fn did<T>(attempt: &str, result: io::Result<T>) -> Result<T, MeasureError> {
    result.map_err(|source| MeasureError::Io { attempt: attempt.to_owned(), source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_report_is_three_numbers() {
        let expected = (Duration::from_millis(1500), 2048, -9);
        assert_eq!(parse("1500000000 2048 -9"), Some(expected));
        assert_eq!(parse("1500000000 2048"), None);
        assert_eq!(parse("1 2 3 4"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn the_end_of_a_complaint_is_shown() {
        let stderr = (1..9).map(|line| format!("line {line}\n")).collect();
        let run = Run { time: Duration::ZERO, peak: 0, status: 1, stdout: Vec::new(), stderr };
        assert_eq!(run.complaint(), "line 4\nline 5\nline 6\nline 7\nline 8");
    }
}
