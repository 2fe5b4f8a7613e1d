//! Compilation in a child process. Compiling hostile input can take any time
//! and memory, and nothing can stop it inside a process, so a child of the same
//! binary does it, under limits that it sets on itself.
//!
//! The child reads the component from stdin, compiles it into wasmtime's cache
//! in a folder of its own, and moves the artefact to where the parent's engine
//! looks for it. The parent's engine holds no compiler: a miss there is an
//! error, never a compilation.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use gitops_core::judge::Fault;
use rustix::process::{Resource, Rlimit, setrlimit};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::cache;
use crate::engine;
use crate::limits::{Bytes, Limits};
use crate::text;

/// The hidden command under which the binary runs [`compile_child_main`].
pub const COMPILE_COMMAND: &str = "__compile-policy";

/// Threads that compile; each costs the child address space.
const THREADS: &str = "4";

/// How much of the child's complaint is read.
const COMPLAINT: u64 = 16 << 10;

/// Runs as the compiling child. `arguments` are those behind
/// [`COMPILE_COMMAND`], as the parent gave them: cache folder, own folder,
/// bytes of address space, seconds of processor time, largest component,
/// largest stack. The component comes on stdin, a complaint goes to stderr.
pub fn compile_child_main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match compile_here(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            // Without stderr the exit code has to say it all.
            let _ = std::io::stderr().write_all(complaint.as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn compile_here(arguments: impl Iterator<Item = OsString>) -> Result<(), String> {
    let job = Job::read(arguments).ok_or("the command is internal; its arguments are wrong")?;
    job.limit().map_err(|error| format!("the limits cannot be set: {error}"))?;
    let mut wasm = Vec::new();
    let most = job.module as u64 + 1;
    std::io::stdin().take(most).read_to_end(&mut wasm).map_err(|error| error.to_string())?;
    if wasm.len() > job.module {
        return Err(format!("it is larger than {}", Bytes(job.module as u64)));
    }
    compile_into(&job, &wasm).map_err(|error| format!("{error:#}"))
}

fn compile_into(job: &Job, wasm: &[u8]) -> wasmtime::Result<()> {
    let limits = Limits { stack: job.stack, ..Limits::default() };
    let mut config = engine::compiling(&limits);
    config.cache(Some(cache::open(&job.own)?));
    Component::new(&Engine::new(&config)?, wasm)?;

    let mut config = engine::running(&limits);
    config.cache(Some(cache::open(&job.cache)?));
    let running = Engine::new(&config)?;
    let artefact = artefact(&job.own)?;
    let version = artefact.parent().and_then(Path::file_name).unwrap_or_default();
    let folder = job.cache.join("modules").join(version);
    std::fs::create_dir_all(&folder)?;
    std::fs::rename(&artefact, folder.join(cache::artefact_name(&running, wasm)))?;
    // The proof that the parent will find it.
    Component::new(&running, wasm)?;
    Ok(())
}

/// The one artefact that wasmtime's cache left in `own`: `modules/VERSION/NAME`,
/// beside which it may write files with a dot in their names.
fn artefact(own: &Path) -> wasmtime::Result<PathBuf> {
    let mut found = Vec::new();
    for version in std::fs::read_dir(own.join("modules"))? {
        for file in std::fs::read_dir(version?.path())? {
            let file = file?.path();
            if file.extension().is_none() {
                found.push(file);
            }
        }
    }
    match found.len() {
        1 => Ok(found.swap_remove(0)),
        n => Err(wasmtime::format_err!("the compiler left {n} artefacts, not one")),
    }
}

/// What the child is told.
struct Job {
    cache: PathBuf,
    own: PathBuf,
    memory: u64,
    seconds: u64,
    module: usize,
    stack: usize,
}

impl Job {
    fn read(mut arguments: impl Iterator<Item = OsString>) -> Option<Job> {
        let (cache, own) = (arguments.next()?.into(), arguments.next()?.into());
        let mut number = || arguments.next()?.to_str()?.parse::<u64>().ok();
        let (memory, seconds) = (number()?, number()?);
        let (module, stack) = (number()?.try_into().ok()?, number()?.try_into().ok()?);
        arguments.next().is_none().then_some(Job { cache, own, memory, seconds, module, stack })
    }

    fn arguments(&self) -> [OsString; 6] {
        [
            self.cache.clone().into(),
            self.own.clone().into(),
            self.memory.to_string().into(),
            self.seconds.to_string().into(),
            self.module.to_string().into(),
            self.stack.to_string().into(),
        ]
    }

    fn limit(&self) -> rustix::io::Result<()> {
        let hard = |value| Rlimit { current: Some(value), maximum: Some(value) };
        setrlimit(Resource::Core, hard(0))?;
        setrlimit(Resource::Cpu, hard(self.seconds))?;
        setrlimit(Resource::As, hard(self.memory))
    }
}

/// Has `program` (with `COMPILE_COMMAND`) compile `wasm` into `cache`.
pub(crate) fn compile(
    program: &Path,
    cache: &Path,
    limits: &Limits,
    wasm: &[u8],
) -> Result<(), Fault> {
    let own = OwnFolder::make(cache).map_err(|error| {
        fault(format!("no folder for the compiler in `{}`: {error}", cache.display()))
    })?;
    let job = Job {
        cache: cache.to_owned(),
        own: own.0.clone(),
        memory: limits.compile_memory,
        // All threads together, so it never ends a compilation within its time.
        seconds: (limits.compile_time.as_secs() + 1) * 8,
        module: limits.module,
        stack: limits.stack,
    };
    let mut child = Command::new(program)
        .arg(COMPILE_COMMAND)
        .args(job.arguments())
        .env_clear()
        .env("RAYON_NUM_THREADS", THREADS)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            fault(format!("the compiler `{}` does not start: {error}", program.display()))
        })?;
    let (status, complaint) = attend(&mut child, wasm, limits.compile_time)
        .map_err(|error| fault(format!("the compiler cannot be waited for: {error}")))?;
    match status {
        None => Err(fault(format!("time limit of {} s reached", limits.compile_time.as_secs()))),
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(fault(in_words(status, &complaint, limits))),
    }
}

/// Feeds `wasm` to the child and waits until it ends or `time` is over, when it
/// is ended. Returns its status, if it ended by itself, and its complaint.
fn attend(
    child: &mut Child,
    wasm: &[u8],
    time: Duration,
) -> std::io::Result<(Option<ExitStatus>, String)> {
    let deadline = Instant::now() + time;
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A child that ended early tells why by its status.
            let _ = stdin.map(|mut stdin| stdin.write_all(wasm));
        });
        let complaint = scope.spawn(move || {
            let mut complaint = Vec::new();
            if let Some(mut stderr) = stderr {
                // What could be read is kept; the status tells the rest.
                let _ = stderr.by_ref().take(COMPLAINT).read_to_end(&mut complaint);
                let _ = std::io::copy(&mut stderr, &mut std::io::sink());
            }
            String::from_utf8_lossy(&complaint).into_owned()
        });
        let mut pause = Duration::from_millis(1);
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if Instant::now() >= deadline {
                child.kill()?;
                child.wait()?;
                break None;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        };
        Ok((status, complaint.join().unwrap_or_default()))
    })
}

/// Why the child failed: its complaint, or the limit that ended it.
fn in_words(status: ExitStatus, complaint: &str, limits: &Limits) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    let memory = Bytes(limits.compile_memory);
    let first = complaint.lines().next().unwrap_or_default();
    match status.signal() {
        Some(signal) => format!(
            "the compiler ended by signal {signal}, with a memory limit of {memory}: {}",
            text::excerpt(first, 200)
        ),
        None if status.code() == Some(1) => text::excerpt(complaint, 500),
        None => format!(
            "the compiler failed, with a memory limit of {memory}: {}",
            text::excerpt(first, 200)
        ),
    }
}

fn fault(message: impl std::fmt::Display) -> Fault {
    text::fault("compile", format!("it does not compile: {message}"))
}

/// A folder below the cache for one child, gone with this value.
struct OwnFolder(PathBuf);

impl OwnFolder {
    fn make(cache: &Path) -> std::io::Result<OwnFolder> {
        use std::os::unix::fs::DirBuilderExt as _;
        let mut last = std::io::Error::other("every name is taken");
        for n in 0..1000 {
            let path = cache.join(format!("compiling-{}-{n}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(OwnFolder(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }
}

impl Drop for OwnFolder {
    fn drop(&mut self) {
        // What stays behind is no artefact that anybody looks for.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
