//! Ctrl-C and the like while `git` talks to a remote: it is in a process group
//! of its own, so that the terminal's signal does not reach it.

use std::sync::Once;

/// From now on, being told to end ends what runs for us first. The program then
/// ends by the signal itself, as the shell expects: 130 for Ctrl-C.
#[cfg(unix)]
pub(crate) fn watch() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::{iterator::Signals, low_level};

    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // What `nohup` and the like have switched off stays so.
        let wanted = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| !is_ignored(*signal));
        // Where signals cannot be watched, they end us at once, as without this.
        let Ok(mut signals) = Signals::new(wanted) else { return };
        std::thread::spawn(move || {
            for signal in &mut signals {
                let _ending = gitops_git::stop_running();
                let _ = low_level::emulate_default_handler(signal);
            }
        });
    });
}

#[cfg(not(unix))]
pub(crate) fn watch() {}

/// Whether a signal was ignored when we started: Linux tells.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}
