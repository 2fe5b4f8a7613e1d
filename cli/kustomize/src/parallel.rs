//! Work that is spread over threads: reading and writing YAML, which is most
//! of a large build.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::thread::{Builder, available_parallelism, scope};

/// More threads gain little, and every one costs its start.
const MAX_THREADS: usize = 8;
/// As much as a main thread has on Linux: YAML is read and written recursively.
const STACK: usize = 8 << 20;

/// What `run` makes of each item, in order. `is_large` tells whether there is
/// enough to do for threads to pay.
pub(crate) fn map<T: Send, R: Send>(
    items: Vec<T>,
    is_large: bool,
    run: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let threads = available_parallelism().map_or(1, NonZeroUsize::get).min(MAX_THREADS);
    if !is_large || threads < 2 || items.len() < 2 {
        return items.into_iter().map(run).collect();
    }
    let size = items.len().div_ceil(threads);
    let mut rest = items;
    let mut chunks = Vec::with_capacity(threads);
    while rest.len() > size {
        let after = rest.split_off(size);
        chunks.push(std::mem::replace(&mut rest, after));
    }
    let run = &run;
    scope(|scope| {
        let mut started = Vec::with_capacity(chunks.len());
        let mut refused = None;
        let mut left = chunks.into_iter();
        for chunk in left.by_ref() {
            // The chunk is handed over through a slot, to have it back where
            // the system gives no thread.
            let slot = std::sync::Mutex::new(Some(chunk));
            let slot = std::sync::Arc::new(slot);
            let theirs = slot.clone();
            let thread = Builder::new().stack_size(STACK).spawn_scoped(scope, move || {
                take(&theirs).into_iter().map(run).collect::<Vec<R>>()
            });
            match thread {
                Ok(thread) => started.push(thread),
                Err(_) => {
                    refused = Some(take(&slot));
                    break;
                }
            }
        }
        let own: Vec<T> = refused.into_iter().flatten().chain(left.flatten()).chain(rest).collect();
        let own: Vec<R> = own.into_iter().map(run).collect();
        let mut done = Vec::new();
        for thread in started {
            done.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done.extend(own);
        done
    })
}

fn take<T>(slot: &std::sync::Mutex<Option<Vec<T>>>) -> Vec<T> {
    slot.lock().ok().and_then(|mut slot| slot.take()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_for_any_number_of_items() {
        for count in 0..40 {
            let items: Vec<usize> = (0..count).collect();
            let expected: Vec<String> = items.iter().map(usize::to_string).collect();
            assert_eq!(map(items.clone(), true, |item| item.to_string()), expected);
            assert_eq!(map(items, false, |item| item.to_string()), expected);
        }
    }
}
