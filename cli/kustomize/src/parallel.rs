//! Work that is spread over threads: reading and writing YAML, which is most
//! of a large build, and what is done to each object by itself.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
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
            let helper = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
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

#[cfg(test)]
pub(crate) mod tests {
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
