//! stdout is the answer, stderr is the conversation.

pub(crate) mod audit;
mod bound;
pub(crate) mod check;
pub(crate) mod diff;
pub(crate) mod gate;
pub(crate) mod history;
pub(crate) mod holds;
pub(crate) mod json;
pub(crate) mod list;
pub(crate) mod promotion;
mod remarks;
pub(crate) mod render;
pub(crate) mod request;
pub(crate) mod schema;
mod table;
pub(crate) mod verdict;

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::ValueEnum;
use gitops_core::plan::printable;

use crate::failure::{Exit, Failure};

pub(crate) use bound::Bound;
pub(crate) use remarks::{Remark, Remarks};

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    // Where stdout is a terminal and `NO_COLOR` is not set.
    #[default]
    Auto,
    Always,
    Never,
}

/// The two streams, and how much is said on the second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    color: bool,
    quiet: bool,
    verbose: bool,
    remarks: &'static Remarks,
}

/// Those of this process, which has one stderr.
static REMARKS: Remarks = Remarks::new();

/// A role of text; colour only repeats what the words say.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Paint {
    Added,
    Removed,
    Place,
    Bold,
    Error,
    Warning,
    Hint,
}

impl Terminal {
    pub(crate) fn new(color: Color, quiet: bool, verbose: bool) -> Terminal {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                !refused && io::stdout().is_terminal()
            }
        };
        Terminal { color, quiet, verbose, remarks: &REMARKS }
    }

    /// Columns: those that the environment names, those of the terminal, or 80.
    pub(crate) fn width(self) -> usize {
        let named = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let ours =
            || terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
        named.or_else(ours).filter(|columns| *columns > 0).unwrap_or(80)
    }

    /// `text` in the colour of its role, where colour is on.
    pub(crate) fn paint(self, paint: Paint, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Added => "32",
            Paint::Removed => "31",
            Paint::Place => "36",
            Paint::Bold => "1",
            Paint::Error => "1;31",
            Paint::Warning => "1;33",
            Paint::Hint => "1;36",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// Writes the answer.
    pub(crate) fn answer(self, text: &str) -> Result<(), Failure> {
        self.answer_in_pieces(|write| write(text))
    }

    /// The same with an answer that is made while it is written.
    pub(crate) fn answer_in_pieces(
        self,
        tell: impl FnOnce(&mut dyn FnMut(&str) -> io::Result<()>) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        let told = tell(&mut |piece| stdout.write_all(piece.as_bytes()));
        written(told.and_then(|()| stdout.flush()))
    }

    /// Says something about the answer.
    pub(crate) fn note(self, text: impl Display) {
        if !self.quiet {
            say(&safe(&text.to_string()));
        }
    }

    /// Says something that only matters when looking for a cause.
    pub(crate) fn detail(self, text: impl Display) {
        if self.verbose {
            say(&safe(&text.to_string()));
        }
    }

    /// Warns.
    pub(crate) fn warn(self, text: impl Display) {
        say(&format!("{} {}", self.paint(Paint::Warning, "warning:"), safe(&text.to_string())));
    }

    /// Warns of a place in a file, at the end of the run.
    pub(crate) fn remark(self, remark: Remark) {
        self.remarks.add(remark);
    }

    /// Says what was remarked.
    pub(crate) fn tell_remarks(self) {
        self.remarks.tell(self);
    }

    /// Gives a way out beside an answer.
    pub(crate) fn hint(self, text: impl Display) {
        if !self.quiet {
            say(&format!("{} {}", self.paint(Paint::Hint, "hint:"), safe(&text.to_string())));
        }
    }

    /// Says why there is no answer.
    pub(crate) fn fail(self, failure: &Failure) -> ExitCode {
        say(&format!("{} {}", self.paint(Paint::Error, "error:"), safe(&failure.error)));
        for cause in &failure.causes {
            say(&format!("caused by: {}", safe(cause)));
        }
        for hint in &failure.hints {
            say(&format!("{} {}", self.paint(Paint::Hint, "hint:"), safe(hint)));
        }
        failure.exit.code()
    }
}

/// Names of files, branches and apps come from others: line by line, nothing
/// in them steers the terminal.
fn safe(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// One message on stderr. Where even that is closed, nobody is left to tell.
/// A closed pipe is quiet: whoever closed it has read enough.
fn written(outcome: io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::world("could not write to stdout").because(&error))
        }
        _ => Ok(()),
    }
}

fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// What clap has to say: help and version are answers, the rest is usage.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    match error.print() {
        Err(lost) if !error.use_stderr() && lost.kind() != io::ErrorKind::BrokenPipe => {
            say(&format!("error: could not write to stdout\ncaused by: {lost}"));
            Exit::World.code()
        }
        // A closed stream leaves nobody to tell.
        _ if error.use_stderr() => Exit::Usage.code(),
        _ => Exit::Yes.code(),
    }
}
