//! Folders with an expected rendering. Where there is a kubectl, the
//! expectation itself is held against it.
//!
//! `tests/cases/<name>/{input,expected.yaml}`; the folder of `input` to build
//! stands in `build`, or is `input` itself.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // tests over real files
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod disk;

use std::path::Path;
use std::process::Command;

use gitops_kustomize::{Options, build};
use gitops_tree::TreePath;

#[test]
fn cases_render_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 5);
    let kubectl = disk::kubectl();
    let mut wrong = Vec::new();
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap();
        let dir = std::fs::read_to_string(case.join("build")).unwrap_or_default();
        let dir = TreePath::new(dir.trim()).unwrap();
        let expected = std::fs::read_to_string(case.join("expected.yaml")).unwrap_or_default();
        if let Some(kubectl) = &kubectl {
            let folder = case.join("input").join(dir.as_str());
            let output = Command::new(kubectl).arg("kustomize").arg(folder).output().unwrap();
            let theirs = String::from_utf8(output.stdout).unwrap();
            if !output.status.success() {
                wrong.push(format!("{name}: kubectl: {}", String::from_utf8_lossy(&output.stderr)));
            } else if theirs != expected {
                let difference = disk::first_difference(&expected, &theirs);
                wrong.push(format!("{name}: kubectl disagrees with expected.yaml: {difference}"));
            }
        }
        match build(&disk::load(&case.join("input")), &dir, &Options::default()) {
            Ok(rendered) if rendered.to_yaml() == expected => {}
            Ok(rendered) => {
                let found = rendered.to_yaml();
                wrong.push(format!("{name}: {}", disk::first_difference(&expected, &found)));
            }
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
