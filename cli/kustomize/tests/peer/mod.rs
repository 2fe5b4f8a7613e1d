//! The real kustomize, where `GITOPS_KUSTOMIZE_PEER` names it.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::print_stderr,
    dead_code,
    unreachable_pub
)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The program; `None`, and a line that says so, where there is none.
pub fn kustomize() -> Option<PathBuf> {
    let found = std::env::var_os("GITOPS_KUSTOMIZE_PEER").map(PathBuf::from);
    if found.is_none() {
        eprintln!("skipped: GITOPS_KUSTOMIZE_PEER names no kustomize");
    }
    found
}

/// What it prints for a folder, or its complaint.
pub fn build(kustomize: &Path, folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(kustomize).arg("build").arg(folder).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}
