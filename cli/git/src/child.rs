//! A program that may hang: run under a limit, and gone with all it started
//! when the limit, or we, end.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// From start to end.
    Whole(Duration),
    /// Without a byte on stdout or stderr.
    Silence(Duration),
}

impl Limit {
    /// The same kind of limit with another length.
    pub(crate) fn of(self, length: Duration) -> Limit {
        match self {
            Limit::Whole(_) => Limit::Whole(length),
            Limit::Silence(_) => Limit::Silence(length),
        }
    }

    fn length(self) -> Duration {
        match self {
            Limit::Whole(length) | Limit::Silence(length) => length,
        }
    }
}

/// In words that follow `git`.
impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Limit::Whole(length) => write!(f, "was not done after {} s", length.as_secs()),
            Limit::Silence(length) => write!(f, "said nothing for {} s", length.as_secs()),
        }
    }
}

/// What a program said, and how it ended.
pub(crate) struct Output {
    pub(crate) ok: bool,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) stopped: Option<Limit>,
}

/// How long a program has to put away its lock files once it is told to end.
const GRACE: Duration = Duration::from_secs(2);

/// How often it is looked whether a program has ended whose streams somebody
/// else keeps open, as the master of a shared ssh connection does.
const LOOK: Duration = Duration::from_millis(50);

/// Runs a program that reads `input`. Without a terminal it is a process group
/// of its own: stopping it stops what it has started, ssh for example.
pub(crate) fn run(
    command: &mut Command,
    input: &[u8],
    limit: Limit,
    terminal: bool,
) -> io::Result<Output> {
    if !terminal {
        own_group(command);
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let _registered = (!terminal).then(|| Registered::new(child.id()));
    let (sender, words) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        listen(stdout, sender.clone(), Stream::Stdout);
    }
    if let Some(stderr) = child.stderr.take() {
        listen(stderr, sender, Stream::Stderr);
    }
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_owned();
        // A program that ends early says why on stderr.
        thread::spawn(move || stdin.write_all(&input));
    }
    let mut said = Said { stdout: Vec::new(), stderr: Vec::new() };
    let mut since = Instant::now();
    let mut status: Option<ExitStatus> = None;
    loop {
        let left = limit.length().saturating_sub(since.elapsed());
        if left.is_zero() {
            stop(&mut child, terminal)?;
            // What it says while it ends.
            while let Ok((stream, bytes)) = words.recv_timeout(LOOK) {
                said.add(stream, &bytes);
            }
            return Ok(said.end(false, Some(limit)));
        }
        match words.recv_timeout(left.min(LOOK)) {
            Ok((stream, bytes)) => {
                said.add(stream, &bytes);
                if matches!(limit, Limit::Silence(_)) {
                    since = Instant::now();
                }
            }
            // Nobody holds the streams any more.
            Err(RecvTimeoutError::Disconnected) => {
                if let Some(status) = ended(&mut child, left)? {
                    return Ok(said.end(status.success(), None));
                }
            }
            // It has ended, and a whole turn brought nothing.
            Err(RecvTimeoutError::Timeout) => match status {
                Some(status) => return Ok(said.end(status.success(), None)),
                None => status = child.try_wait()?,
            },
        }
    }
}

/// Ends every program that runs now, with all they started: for who is told to
/// end while they run.
pub fn stop_running() {
    let running = RUNNING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for group in running.iter() {
        signal(*group, Force::Ask);
    }
}

/// The process groups that run now.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// A process group in the list as long as this value is there.
struct Registered(u32);

impl Registered {
    fn new(group: u32) -> Registered {
        RUNNING.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(group);
        Registered(group)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        RUNNING.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&self.0);
    }
}

#[derive(Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

struct Said {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Said {
    fn add(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout => self.stdout.extend_from_slice(bytes),
            Stream::Stderr => self.stderr.extend_from_slice(bytes),
        }
    }

    fn end(self, ok: bool, stopped: Option<Limit>) -> Output {
        Output { ok, stdout: self.stdout, stderr: self.stderr, stopped }
    }
}

fn listen(mut from: impl Read + Send + 'static, to: Sender<(Stream, Vec<u8>)>, stream: Stream) {
    thread::spawn(move || {
        let mut bytes = [0; 8192];
        // An unreadable stream is one that has ended.
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            if to.send((stream, bytes[..length].to_vec())).is_err() {
                break;
            }
        }
    });
}

/// Waits for a program whose streams are closed.
fn ended(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(100);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LOOK);
    }
}

/// Ends a program: asked first, so that no lock file of it stays, then killed.
fn stop(child: &mut Child, terminal: bool) -> io::Result<()> {
    if terminal || !cfg!(unix) {
        child.kill()?;
        child.wait()?;
        return Ok(());
    }
    let group = child.id();
    signal(group, Force::Ask);
    ended(child, GRACE)?;
    // Whoever of the group has not listened.
    signal(group, Force::Kill);
    child.wait()?;
    Ok(())
}

#[derive(Clone, Copy)]
enum Force {
    Ask,
    Kill,
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

#[cfg(unix)]
fn signal(group: u32, force: Force) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) else { return };
    let signal = match force {
        Force::Ask => Signal::TERM,
        Force::Kill => Signal::KILL,
    };
    // A group that is gone already is what is wanted.
    let _ = kill_process_group(group, signal);
}

#[cfg(not(unix))]
fn signal(_: u32, _: Force) {}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shell(line: &str, input: &[u8], limit: Limit) -> (Output, Duration) {
        let start = Instant::now();
        let mut command = Command::new("sh");
        command.args(["-c", line]).stdin(Stdio::piped());
        let output = run(&mut command, input, limit, false).unwrap();
        (output, start.elapsed())
    }

    const LONG: Limit = Limit::Whole(Duration::from_secs(30));

    #[test]
    fn all_that_is_said_is_heard() {
        let (said, _) = shell("cat; echo no >&2; exit 3", b"yes", LONG);
        assert_eq!((said.ok, said.stdout, said.stderr), (false, b"yes".into(), b"no\n".into()));
        let (said, _) = shell("head -c 1000000 /dev/zero", b"", LONG);
        assert_eq!((said.ok, said.stdout.len()), (true, 1_000_000));
        // Closed streams are not the end.
        let (said, took) = shell("exec >&- 2>&-; sleep 0.3", b"", LONG);
        assert!(said.ok && took >= Duration::from_millis(300));
        let mut command = Command::new("/nonexistent/program");
        assert!(run(&mut command, b"", LONG, false).is_err());
    }

    #[test]
    fn who_keeps_the_streams_open_is_not_waited_for() {
        let (said, took) = shell("sleep 20 & echo done", b"", LONG);
        assert!(said.ok && took < Duration::from_secs(5), "{took:?}");
        assert_eq!(said.stdout, b"done\n");
    }

    /// The process ids that a test's program wrote down are gone.
    fn gone(pids: &str) -> bool {
        let gone = |pid: &str| {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            state.is_empty() || state.contains(") Z ")
        };
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            if pids.split_whitespace().all(gone) {
                return true;
            }
            thread::sleep(LOOK);
        }
        false
    }

    #[test]
    fn a_limit_stops_all_of_it() {
        for limit in [Limit::Whole(Duration::from_secs(1)), Limit::Silence(Duration::from_secs(1))]
        {
            // One that listens, and one that does not.
            let line = "sleep 60 & echo $!; (trap '' TERM; sleep 61) & echo $!; wait";
            let (said, took) = shell(line, b"", limit);
            assert_eq!((said.ok, said.stopped), (false, Some(limit)));
            assert!(took < Duration::from_secs(6), "{took:?}");
            let pids = String::from_utf8(said.stdout).unwrap();
            assert_eq!(pids.split_whitespace().count(), 2);
            assert!(gone(&pids), "{pids}");
        }
    }

    #[test]
    fn words_keep_a_silence_from_ending() {
        let line = "for i in 1 2 3 4; do sleep 0.5; echo $i; done";
        let (said, _) = shell(line, b"", Limit::Silence(Duration::from_millis(1500)));
        assert!(said.ok);
        let (said, _) = shell(line, b"", Limit::Whole(Duration::from_secs(1)));
        assert!(!said.ok);
    }
}
