//! Files that are parsed before the build comes to them, on other threads.
//!
//! The build reads the bytes, since a tree answers one thread only, and hands
//! them over; it takes what they hold when it needs it, and parses itself what
//! nobody has begun with. Large files go in pieces of several documents.

use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use gitops_tree::TreePath;
use gitops_yaml::{Dialect, FileId, Node};
use memchr::{memchr_iter, memmem};

use crate::documents;
use crate::error::BuildError;
use crate::parallel::{self, STACK};
use crate::separators;

/// The documents of a file.
type Parsed = Result<Vec<Node>, BuildError>;

/// With fewer bytes than this a thread does not pay.
const LARGE: usize = 128 << 10;
/// How much is parsed at a time, where documents end.
const PIECE: usize = 64 << 10;

/// The files handed over.
#[derive(Default)]
pub(crate) struct Ahead {
    files: HashMap<TreePath, Planned>,
    /// The bytes handed over before there were helpers.
    size: usize,
    helpers: Option<Vec<JoinHandle<()>>>,
    shared: Arc<Shared>,
}

struct Planned {
    id: FileId,
    bytes: Arc<[u8]>,
    pieces: Range<usize>,
    /// How often it will be asked for.
    uses: usize,
    /// What it holds, once that is known and asked for again.
    kept: Option<Parsed>,
}

impl Ahead {
    /// Notes that a file will be asked for once more; `false` where its bytes
    /// are to be handed over.
    pub(crate) fn expects(&mut self, path: &TreePath) -> bool {
        match self.files.get_mut(path) {
            Some(planned) => {
                planned.uses += 1;
                true
            }
            None => false,
        }
    }

    /// Hands the bytes of a file over.
    pub(crate) fn add(&mut self, path: TreePath, id: FileId, bytes: Arc<[u8]>) {
        let mut state = self.shared.lock();
        let first = state.jobs.len();
        for piece in pieces(&bytes) {
            let job = Job { path: path.clone(), id, bytes: bytes.clone(), piece };
            state.jobs.push(Stage::Waiting(job));
        }
        let pieces = first..state.jobs.len();
        drop(state);
        if self.helpers.is_some() {
            self.shared.changed.notify_one();
        }
        self.size += bytes.len();
        self.files.insert(path, Planned { id, bytes, pieces, uses: 1, kept: None });
        if self.size >= LARGE && self.helpers.is_none() {
            self.helpers = Some(self.start());
        }
    }

    fn start(&self) -> Vec<JoinHandle<()>> {
        let start = |_| {
            let shared = self.shared.clone();
            let help = move || {
                parallel::grow_heap();
                shared.help();
            };
            thread::Builder::new().stack_size(STACK).spawn(help).ok()
        };
        parallel::grow_heap();
        // Where the system gives no thread, the build parses alone.
        (1..parallel::threads()).map_while(start).collect()
    }

    /// What a file holds; `None` where its bytes were not handed over.
    pub(crate) fn take(&mut self, path: &TreePath) -> Option<Parsed> {
        let planned = self.files.get_mut(path)?;
        planned.uses -= 1;
        let parsed = match planned.kept.take() {
            Some(parsed) => parsed,
            None => parsed(&self.shared, path, planned),
        };
        if planned.uses == 0 {
            self.files.remove(path);
        } else {
            planned.kept = Some(parsed.clone());
        }
        Some(parsed)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.shared.close();
        for helper in self.helpers.take().into_iter().flatten() {
            // What made it panic makes the build panic, too.
            let _ = helper.join();
        }
    }
}

/// The documents of all pieces. What is wrong with a piece is said as it is
/// said of the whole.
fn parsed(shared: &Shared, path: &TreePath, planned: &Planned) -> Parsed {
    let whole = || documents::parse(path, planned.id, &planned.bytes, Dialect::Manifest);
    let mut all = Vec::new();
    for index in planned.pieces.clone() {
        match shared.take(index) {
            Some(Ok(documents)) if all.is_empty() => all = documents,
            Some(Ok(documents)) => all.extend(documents),
            Some(Err(error)) if planned.pieces.len() == 1 => return Err(error),
            Some(Err(_)) | None => return whole(),
        }
    }
    Ok(all)
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: Vec<Stage>,
    /// Nothing before this one waits.
    next: usize,
    closed: bool,
}

enum Stage {
    Waiting(Job),
    Running,
    /// Without a result where it panicked.
    Done(Option<Parsed>),
    Taken,
}

/// A piece of a file.
struct Job {
    path: TreePath,
    id: FileId,
    bytes: Arc<[u8]>,
    piece: Piece,
}

impl Job {
    fn run(self) -> Parsed {
        let Piece { bytes: range, lines } = self.piece;
        let shift = u32::try_from(range.start).unwrap_or(u32::MAX);
        let mut documents =
            documents::parse(&self.path, self.id, &self.bytes[range], Dialect::Manifest)?;
        if lines > 0 {
            documents.iter_mut().for_each(|document| documents::move_down(document, lines, shift));
        }
        Ok(documents)
    }
}

impl State {
    /// The first job that nobody has begun with, begun.
    fn begin(&mut self) -> Option<(usize, Job)> {
        while let Some(stage) = self.jobs.get_mut(self.next) {
            let index = self.next;
            self.next += 1;
            match std::mem::replace(stage, Stage::Running) {
                Stage::Waiting(job) => return Some((index, job)),
                other => *stage = other,
            }
        }
        None
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, index: usize, job: Job) {
        let parsed = catch_unwind(AssertUnwindSafe(|| job.run())).ok();
        self.lock().jobs[index] = Stage::Done(parsed);
        self.changed.notify_all();
    }

    /// Works until the build is over.
    fn help(&self) {
        let mut state = self.lock();
        while !state.closed {
            match state.begin() {
                Some((index, job)) => {
                    drop(state);
                    self.finish(index, job);
                    state = self.lock();
                }
                None => state = self.wait(state),
            }
        }
    }

    /// The result of a job; while another thread is at it, others are done.
    fn take(&self, index: usize) -> Option<Parsed> {
        let mut state = self.lock();
        loop {
            let stage = state.jobs.get_mut(index)?;
            match std::mem::replace(stage, Stage::Taken) {
                Stage::Done(parsed) => return parsed,
                Stage::Taken => return None,
                Stage::Waiting(job) => {
                    drop(state);
                    return Some(job.run());
                }
                Stage::Running => *stage = Stage::Running,
            }
            match state.begin() {
                Some((other, job)) => {
                    drop(state);
                    self.finish(other, job);
                    state = self.lock();
                }
                None => state = self.wait(state),
            }
        }
    }

    /// Tells the helpers that nothing more will be asked for.
    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

/// A part of a file that holds whole documents.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    bytes: Range<usize>,
    /// The lines before it.
    lines: u32,
}

/// Cuts a large file at lines of `---`, which end a document wherever they
/// stand. Left whole is what has directives, which count for the documents
/// below them, what has line breaks that take more than a look to count, and
/// what kustomize cuts elsewhere.
fn pieces(bytes: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut from = Piece { bytes: 0..bytes.len(), lines: 0 };
    if bytes.len() >= LARGE
        && is_plainly_made(bytes)
        && matches!(separators::pieces(bytes), Ok(None))
    {
        for found in memmem::find_iter(bytes, b"\n---") {
            let (cut, after) = (found + 1, bytes.get(found + 4));
            let is_marker = matches!(after, None | Some(b' ' | b'\t' | b'\r' | b'\n'));
            if !is_marker || cut - from.bytes.start < PIECE {
                continue;
            }
            let piece = from.bytes.start..cut;
            let lines = memchr_iter(b'\n', &bytes[piece.clone()]).count();
            let lines = from.lines + u32::try_from(lines).unwrap_or(u32::MAX);
            let rest = Piece { bytes: cut..bytes.len(), lines };
            pieces.push(Piece { bytes: piece, ..std::mem::replace(&mut from, rest) });
        }
    }
    pieces.push(from);
    pieces
}

fn is_plainly_made(bytes: &[u8]) -> bool {
    let has = |text: &[u8]| memmem::find(bytes, text).is_some();
    let has_directive = bytes.starts_with(b"%") || has(b"\n%");
    let lone_return = memchr_iter(b'\r', bytes).any(|at| bytes.get(at + 1) != Some(&b'\n'));
    let [mark, next_line, separator] = ["\u{feff}", "\u{85}", "\u{2028}"].map(str::as_bytes);
    // Both separators begin with the same two bytes.
    !has_directive && !lone_return && !has(mark) && !has(next_line) && !has(&separator[..2])
}

#[cfg(test)]
mod tests;
