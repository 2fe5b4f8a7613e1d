//! Every seed and everything that was ever found, without a fuzzer.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs;
use std::path::Path;

fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        println!("{}", path.display());
        target(&fs::read(&path).unwrap());
    }
}

#[test]
fn reader() {
    replay("reader", gitops_fuzz::reader);
}

#[test]
fn splice() {
    replay("splice", gitops_fuzz::splice);
    // The reader's files are files to edit, too.
    replay("reader", gitops_fuzz::splice);
}

#[test]
fn build() {
    replay("build", gitops_fuzz::build);
}

#[test]
fn emitter() {
    // Any bytes are a tree; these are a few different ones.
    for seed in 0..200_u32 {
        let mut state = seed;
        let bytes: Vec<u8> = (0..400)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        gitops_fuzz::emitter(&bytes);
    }
}
