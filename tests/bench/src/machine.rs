//! What the figures were measured on.

use std::fs;
use std::thread::available_parallelism;

/// `2 cores, load 0.05 0.21 0.48, Linux 6.18`; what cannot be read is said to
/// be unknown.
pub(crate) fn described() -> String {
    let cores = available_parallelism().map_or("unknown".to_owned(), |cores| cores.to_string());
    format!("{cores} cores, load {}, {}", load(), system())
}

/// The load averages of 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    fs::read_to_string("/proc/loadavg").map_or("unknown".to_owned(), |text| first(&text, 3))
}

fn system() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{} {} {}", std::env::consts::OS, std::env::consts::ARCH, release.trim())
        .trim_end()
        .to_owned()
}

fn first(text: &str, words: usize) -> String {
    text.split_whitespace().take(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_the_first_three_numbers() {
        assert_eq!(first("0.05 0.21 0.48 1/99 1234\n", 3), "0.05 0.21 0.48");
    }
}
