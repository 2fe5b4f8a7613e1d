//! Reads files and says how fast, for profilers and comparisons:
//! `read [--exhaustively] TIMES FILE…`.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // reads the disk
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::Instant;

use gitops_yaml::{Dialect, FileId, read_as, read_exhaustively};

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    let exhaustively = arguments.next_if_eq("--exhaustively").is_some();
    let times: usize = arguments.next().unwrap().parse().unwrap();
    let files: Vec<Vec<u8>> = arguments.map(|path| std::fs::read(path).unwrap()).collect();
    let bytes: usize = files.iter().map(Vec::len).sum();
    let read = if exhaustively { read_exhaustively } else { read_as };
    let mut best = f64::INFINITY;
    let mut refused = 0;
    for _ in 0..times {
        let start = Instant::now();
        let all: Vec<_> =
            files.iter().map(|file| read(FileId(0), file, Dialect::Manifest)).collect();
        best = best.min(start.elapsed().as_secs_f64());
        refused = all.iter().filter(|read| read.is_err()).count();
    }
    let rate = bytes as f64 / best / 1e6;
    println!("{bytes} bytes, {refused} of {} files refused, {rate:.0} MB/s", files.len());
}
