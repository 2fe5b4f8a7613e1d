//! Work that is spread over threads: reading and writing YAML, which is most
//! of a large build.

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

/// More threads gain little, and every one costs its start.
const MAX_THREADS: usize = 8;
/// As much as a main thread has on Linux: YAML is read and written recursively.
const STACK: usize = 8 << 20;

/// What `run` makes of each item, in order. `is_large` tells whether there is
/// enough to do for threads to pay.
pub(crate) fn map<T: Send, R: Send>(
    items: Vec<T>,
    is_large: bool,
    run: impl Fn(T) -> R + Sync + Send,
) -> Vec<R> {
    // The system is asked only where it matters: its answer costs a dozen calls.
    let threads = || std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    let threads = if is_large && items.len() > 1 { threads() } else { 1 };
    if threads < 2 {
        return items.into_iter().map(run).collect();
    }
    match ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK).build() {
        Ok(pool) => pool.install(|| items.into_par_iter().map(run).collect()),
        // The system gives no threads; one is enough.
        Err(_) => items.into_iter().map(run).collect(),
    }
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
