//! A program that may hang: run under a limit, and gone with all it started
//! when the limit, or we, end.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process_group};

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

/// The longest pause between two looks at a program.
const PAUSE: Duration = Duration::from_millis(1);

/// Runs a program that reads `input`. Without a terminal it is a process group
/// of its own: stopping it stops what it has started, ssh for example.
///
/// It is done when it has ended, also where somebody else keeps its streams
/// open, as the master of a shared ssh connection does. All that it has written
/// itself is in them by then.
pub(crate) fn run(
    command: &mut Command,
    input: &[u8],
    limit: Limit,
    terminal: bool,
) -> io::Result<Output> {
    if !terminal {
        command.process_group(0);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let (mut child, _registered) = if terminal {
        (command.spawn()?, None)
    } else {
        let (child, registered) = Registered::spawn(command)?;
        (child, Some(registered))
    };
    let mut stdin = Writing { to: child.stdin.take(), rest: input };
    let mut stdout = Reading { from: child.stdout.take(), bytes: Vec::new() };
    let mut stderr = Reading { from: child.stderr.take(), bytes: Vec::new() };
    let streams = [stdin.to.as_ref().map(AsFd::as_fd), stdout.fd(), stderr.fd()];
    for stream in streams.into_iter().flatten() {
        fcntl_setfl(stream, fcntl_getfl(stream)? | OFlags::NONBLOCK)?;
    }
    let mut since = Instant::now();
    let mut pause = PAUSE / 16;
    let mut ok = None;
    let stopped = loop {
        stdin.go_on();
        if stdout.go_on() | stderr.go_on() {
            if matches!(limit, Limit::Silence(_)) {
                since = Instant::now();
            }
            pause = PAUSE / 16;
        } else if ok.is_some() {
            break None;
        }
        if ok.is_none() {
            ok = child.try_wait()?.map(|status| status.success());
            if ok.is_some() {
                continue;
            }
        }
        if since.elapsed() >= limit.length() {
            stop(&mut child, terminal)?;
            // What it said while it ended.
            while stdout.go_on() | stderr.go_on() {}
            break Some(limit);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSE);
    };
    let ok = ok.unwrap_or(false) && stopped.is_none();
    Ok(Output { ok, stdout: stdout.bytes, stderr: stderr.bytes, stopped })
}

/// A stream that a program writes.
struct Reading<R> {
    from: Option<R>,
    bytes: Vec<u8>,
}

impl<R: Read + AsFd> Reading<R> {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.from.as_ref().map(AsFd::as_fd)
    }

    /// Takes what is there, and answers whether there was something.
    fn go_on(&mut self) -> bool {
        let Some(from) = &mut self.from else { return false };
        let mut bytes = [0; 16384];
        loop {
            match from.read(&mut bytes) {
                Ok(length @ 1..) => {
                    self.bytes.extend_from_slice(&bytes[..length]);
                    return true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // An unreadable stream is one that has ended.
                Ok(_) | Err(_) => {
                    self.from = None;
                    return false;
                }
            }
        }
    }
}

/// The stream that a program reads.
struct Writing<'a> {
    to: Option<ChildStdin>,
    rest: &'a [u8],
}

impl Writing<'_> {
    /// Gives what it takes; closes the stream after the last byte.
    fn go_on(&mut self) {
        while let Some(to) = self.to.as_mut().filter(|_| !self.rest.is_empty()) {
            match to.write(self.rest) {
                Ok(length) => self.rest = &self.rest[length..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // A program that ends early says why on stderr.
                Err(_) => self.rest = &[],
            }
        }
        self.to = None;
    }
}

/// While it is there, no program starts, and none that was stopped is told as
/// one that failed.
#[must_use = "without it, whoever waits for a stopped program goes on"]
pub struct Ending {
    _running: MutexGuard<'static, BTreeSet<u32>>,
}

/// Ends every program that runs now, with all they started: for who is told to
/// end while they run, and does so before the answer is dropped.
pub fn stop_running() -> Ending {
    let running = running();
    for group in running.iter() {
        signal(*group, Force::Ask);
    }
    Ending { _running: running }
}

/// The process groups that run now.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn running() -> MutexGuard<'static, BTreeSet<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process group in the list as long as this value is there.
struct Registered(u32);

impl Registered {
    /// Starts a program. None starts once all are being ended.
    fn spawn(command: &mut Command) -> io::Result<(Child, Registered)> {
        let mut running = running();
        let child = command.spawn()?;
        running.insert(child.id());
        let registered = Registered(child.id());
        Ok((child, registered))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        running().remove(&self.0);
    }
}

/// Ends a program: asked first, so that no lock file of it stays, then killed.
fn stop(child: &mut Child, terminal: bool) -> io::Result<()> {
    if terminal {
        child.kill()?;
        child.wait()?;
        return Ok(());
    }
    let group = child.id();
    signal(group, Force::Ask);
    let start = Instant::now();
    while child.try_wait()?.is_none() && start.elapsed() < GRACE {
        thread::sleep(PAUSE);
    }
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

fn signal(group: u32, force: Force) {
    let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) else { return };
    let signal = match force {
        Force::Ask => Signal::TERM,
        Force::Kill => Signal::KILL,
    };
    // A group that is gone already is what is wanted.
    let _ = kill_process_group(group, signal);
}

#[cfg(test)]
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
        let much = vec![b'x'; 1_000_000];
        let (said, _) = shell("cat", &much, LONG);
        assert!(said.ok && said.stdout == much);
        let (said, _) = shell("exec true", &much, LONG);
        assert!(said.ok && said.stdout.is_empty());
        // Closed streams are not the end.
        let (said, took) = shell("exec >&- 2>&-; sleep 0.3", b"", LONG);
        assert!(said.ok && took >= Duration::from_millis(300));
        let mut command = Command::new("/nonexistent/program");
        assert!(run(&mut command, b"", LONG, false).is_err());
    }

    #[test]
    fn who_keeps_the_streams_open_is_not_waited_for() {
        let (said, took) = shell("sleep 20 & head -c 60000 /dev/zero", b"", LONG);
        assert!(said.ok && took < Duration::from_secs(5), "{took:?}");
        assert_eq!(said.stdout.len(), 60_000);
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
            thread::sleep(PAUSE);
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
