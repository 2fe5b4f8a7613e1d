//! Renders a folder of the disk and prints it, for profilers and comparisons:
//! `render DIR [TIMES]`. With TIMES it builds that often and prints the median
//! time of each stage instead.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // reads the disk
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/disk/mod.rs"]
mod disk;

use std::path::Path;
use std::time::Instant;

use gitops_kustomize::{Options, build};
use gitops_tree::TreePath;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap();
    let times: Option<usize> = arguments.next().map(|times| times.parse().unwrap());
    let tree = disk::load(Path::new(&folder));
    let Some(times) = times else {
        print!("{}", build(&tree, &TreePath::root(), &Options::default()).unwrap().to_yaml());
        return;
    };
    let mut built = Vec::new();
    let mut written = Vec::new();
    for _ in 0..times {
        let start = Instant::now();
        let rendered = build(&tree, &TreePath::root(), &Options::default()).unwrap();
        built.push(start.elapsed());
        let start = Instant::now();
        let text = rendered.to_yaml();
        written.push(start.elapsed());
        assert!(!text.is_empty());
    }
    built.sort();
    written.sort();
    println!("build {:?}, write {:?}", built[times / 2], written[times / 2]);
}
