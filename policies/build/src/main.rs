//! `cargo run -p gitops-policy-build -- [PACKAGE…]` builds the named guests,
//! or every starter policy: each folder of `policies/` with a `policy.yaml`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut packages: Vec<String> = std::env::args().skip(1).collect();
    if packages.is_empty() {
        packages = starters(&workspace);
    }
    for package in packages {
        match gitops_policy_build::build(&cargo, &workspace, &package) {
            Ok(folder) => say(&format!("{}", folder.join(format!("{package}.wasm")).display())),
            Err(error) => {
                say(&format!("error: {error}"));
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn starters(workspace: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(workspace.join("policies")).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().join("policy.yaml").exists())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn say(line: &str) {
    // A closed stderr is no reason to fail a build.
    let _ = writeln!(std::io::stderr(), "{line}");
}
