//! Work that is spread over threads: reading and writing YAML, which is most
//! of a large build, and what is done to each object by itself.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// More threads gain little, and every one costs its start.
const MAX_THREADS: usize = 8;
/// As much as a main thread has on Linux: YAML is read and written recursively.
pub(crate) const STACK: usize = 8 << 20;

/// How many threads, this one included, share large work.
pub(crate) fn threads() -> usize {
    #[cfg(test)]
    if let Some(threads) = tests::THREADS.get() {
        return threads;
    }
    thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS)
}

/// Lets the heap of this thread grow by a large step. glibc's grows by a few
/// pages at a time, each by a call to the system (1,300 in a build of 2,000
/// objects) that stops other threads where they ask for pages, too. A block that is
/// given back stays with the heap, once a first one of its size has told glibc
/// that such blocks come and go. Pages that nobody writes to are not taken.
pub(crate) fn grow_heap() {
    const STEP: usize = 16 << 20;
    for _ in 0..2 {
        drop(std::hint::black_box(Vec::<u8>::with_capacity(STEP)));
    }
}

/// What `run` makes of each item, in order. `is_large` tells whether there is
/// enough to do for threads to pay.
pub(crate) fn map<T: Send, R: Send>(
    items: Vec<T>,
    is_large: bool,
    run: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    // The system is asked only where it matters: its answer costs a dozen calls.
    let threads = if is_large && items.len() > 1 { threads().min(items.len()) } else { 1 };
    if threads < 2 {
        return items.into_iter().map(run).collect();
    }
    let slots: Vec<Mutex<Slot<T, R>>> =
        items.into_iter().map(|item| Mutex::new(Slot::Waiting(item))).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(slot) = slots.get(next.fetch_add(1, Ordering::Relaxed)) {
            // Nobody else asks for this slot.
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            if let Slot::Waiting(item) = std::mem::replace(&mut *slot, Slot::Running) {
                *slot = Slot::Done(run(item));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            let help = || {
                grow_heap();
                work();
            };
            let helper = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, help);
            if helper.is_err() {
                // The system gives no more threads; those that are there do it all.
                break;
            }
        }
        work();
    });
    slots
        .into_iter()
        .map(|slot| match slot.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Slot::Done(result) => result,
            Slot::Waiting(_) | Slot::Running => unreachable!("all slots are worked off"),
        })
        .collect()
}

enum Slot<T, R> {
    Waiting(T),
    Running,
    Done(R),
}

/// Does to every item, with its index, what `run` does, and gives the error of
/// the first that fails. Where one fails, later ones may have been changed.
pub(crate) fn each<T: Send, E: Send>(
    items: &mut [T],
    run: impl Fn(usize, &mut T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    const MANY: usize = 500;
    const PART: usize = 64;
    let is_large = items.len() >= MANY;
    let part = if is_large { PART } else { items.len().max(1) };
    let parts: Vec<(usize, &mut [T])> = items.chunks_mut(part).enumerate().collect();
    let run_part = |(number, items): (usize, &mut [T])| {
        let first = number * part;
        items.iter_mut().enumerate().try_for_each(|(index, item)| run(first + index, item))
    };
    map(parts, is_large, run_part).into_iter().collect()
}

/// Hands to `take`, in order, the text that `run` makes of each item; buffers
/// are filled again once they are taken. This thread takes; it makes texts, too,
/// while the next one is not ready.
pub(crate) fn in_order<T: Sync + Copy, E>(
    items: &[T],
    is_large: bool,
    run: impl Fn(usize, T, &mut String) + Sync,
    mut take: impl FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    let threads = if is_large && items.len() > 1 { threads().min(items.len()) } else { 1 };
    if threads < 2 {
        let mut text = String::new();
        return items.iter().enumerate().try_for_each(|(index, item)| {
            run(index, *item, &mut text);
            take(&text)
        });
    }
    let texts = Texts::new(items.len());
    thread::scope(|scope| {
        let help = || {
            grow_heap();
            texts.help(|index, text| run(index, items[index], text));
        };
        for _ in 1..threads {
            if thread::Builder::new().stack_size(STACK).spawn_scoped(scope, help).is_err() {
                break;
            }
        }
        let _close = Close(&texts);
        texts.take_all(|index, text| run(index, items[index], text), &mut take)
    })
}

/// Texts that are made on any thread and taken in order.
struct Texts {
    state: Mutex<Made>,
    changed: Condvar,
}

struct Made {
    ready: Vec<Option<String>>,
    spare: Vec<String>,
    /// The first that nobody has begun with.
    next: usize,
    /// A thread panicked: what it was at will never be ready.
    failed: bool,
}

impl Texts {
    fn new(count: usize) -> Texts {
        let ready = (0..count).map(|_| None).collect();
        let state = Mutex::new(Made { ready, spare: Vec::new(), next: 0, failed: false });
        Texts { state, changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Made> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the next text; gives the lock back where there is none to make.
    fn make<'s>(
        &'s self,
        mut state: MutexGuard<'s, Made>,
        run: impl Fn(usize, &mut String),
    ) -> Option<MutexGuard<'s, Made>> {
        let index = state.next;
        if index == state.ready.len() {
            return Some(state);
        }
        state.next += 1;
        let mut text = state.spare.pop().unwrap_or_default();
        drop(state);
        let mut alarm = Alarm { texts: self, armed: true };
        run(index, &mut text);
        alarm.armed = false;
        self.lock().ready[index] = Some(text);
        None
    }

    fn help(&self, run: impl Fn(usize, &mut String)) {
        while self.make(self.lock(), &run).is_none() {
            self.changed.notify_one();
        }
    }

    fn take_all<E>(
        &self,
        run: impl Fn(usize, &mut String),
        take: &mut impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut taken = 0;
        let mut state = self.lock();
        while taken < state.ready.len() && !state.failed {
            if let Some(text) = state.ready[taken].take() {
                drop(state);
                take(&text)?;
                taken += 1;
                state = self.lock();
                state.spare.push(text);
                continue;
            }
            state = match self.make(state, &run) {
                Some(state) => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                None => self.lock(),
            };
        }
        Ok(())
    }
}

/// When this thread takes no more, the others need not make any.
struct Close<'a>(&'a Texts);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.next = state.ready.len();
    }
}

/// Wakes who waits for a text when the thread that makes it panics; the panic
/// goes on where the threads are joined.
struct Alarm<'a> {
    texts: &'a Texts,
    armed: bool,
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.texts.lock().failed = true;
            self.texts.changed.notify_all();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// What [`threads`] answers on this thread; `None` for what the system says.
        pub(crate) static THREADS: Cell<Option<usize>> = const { Cell::new(None) };
    }

    #[test]
    fn order_is_kept_for_any_number_of_items_and_threads() {
        for threads in [1, 2, 5] {
            THREADS.set(Some(threads));
            for count in 0..40 {
                let items: Vec<usize> = (0..count).collect();
                let expected: Vec<String> = items.iter().map(usize::to_string).collect();
                assert_eq!(map(items.clone(), true, |item| item.to_string()), expected);
                assert_eq!(map(items, false, |item| item.to_string()), expected);
            }
        }
    }

    #[test]
    fn texts_come_in_order_and_stop_at_an_error() {
        for threads in [1, 2, 5] {
            THREADS.set(Some(threads));
            for (count, last) in [(0, 9), (1, 0), (300, 999), (300, 120)] {
                let items: Vec<usize> = (0..count).collect();
                let mut seen = Vec::new();
                let make = |index: usize, item: usize, text: &mut String| {
                    assert_eq!(index, item);
                    *text = format!("{item}{}", "x".repeat(item * 37 % 11));
                };
                let result = in_order(&items, true, make, |text| {
                    seen.push(text.trim_end_matches('x').parse::<usize>().unwrap());
                    if seen.len() > last { Err(seen.len()) } else { Ok(()) }
                });
                let end = count.min(last + 1);
                assert_eq!(seen, (0..end).collect::<Vec<_>>());
                assert_eq!(result, if count > last { Err(end) } else { Ok(()) });
            }
        }
    }

    #[test]
    fn a_panic_in_a_helper_is_one_here() {
        for threads in [1, 2, 5] {
            let outcome = std::panic::catch_unwind(|| {
                THREADS.set(Some(threads));
                let items: Vec<usize> = (0..300).collect();
                let make = |_: usize, item: usize, _: &mut String| assert!(item != 200, "told");
                in_order(&items, true, make, |_| Ok::<_, ()>(()))
            });
            assert!(outcome.is_err());
        }
    }

    #[test]
    fn the_first_error_is_told() {
        for threads in [1, 4] {
            THREADS.set(Some(threads));
            for count in [0, 10, 499, 1000] {
                let mut items = vec![0; count];
                let failed = each(&mut items, |index, item| {
                    *item = index;
                    if index % 700 == 650 || index == 90 { Err(index) } else { Ok(()) }
                });
                assert_eq!(failed, if count > 90 { Err(90) } else { Ok(()) });
                let done = each(&mut items, |index, item| {
                    *item = index;
                    Ok::<(), ()>(())
                });
                assert_eq!(done, Ok(()));
                assert!(items.iter().enumerate().all(|(index, item)| index == *item));
            }
        }
    }
}
