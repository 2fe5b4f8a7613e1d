//! Real repositories made by the `git` program, in folders of their own.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod clones;
mod commits;
mod history;
mod local;
mod pushes;
mod remotes;
mod sandbox;
mod trees;
