//! Chance that can be had again.

use std::time::SystemTime;

/// A number of the environment.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// `GITOPS_SEED`, or another seed each time; and numbers from 0 to 1 that follow
/// from it.
pub fn chance() -> (u64, impl FnMut() -> f64) {
    let seed = number("GITOPS_SEED").unwrap_or_else(|| {
        SystemTime::UNIX_EPOCH.elapsed().map_or(1, |time| time.as_nanos() as u64 | 1)
    });
    let mut state = seed;
    let random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    (seed, random)
}
