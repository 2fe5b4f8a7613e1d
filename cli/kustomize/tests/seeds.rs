//! Every kustomization of the seed repositories and of the examples against `kubectl kustomize`,
//! byte for byte.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // tests over real files
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod disk;

use std::path::Path;
use std::process::Command;

use gitops_kustomize::{Options, build};

#[test]
fn seeds_render_as_kubectl_renders_them() {
    let Some(seeds) = disk::shared("seeds") else { return };
    compare(&seeds, 35);
}

#[test]
fn the_examples_render_as_kubectl_renders_them() {
    compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples"), 5);
}

/// Holds every kustomization below `folder`, `least` of them, against kubectl.
fn compare(folder: &Path, least: usize) {
    let Some(kubectl) = disk::kubectl() else {
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "no kubectl: set KUBECTL, or put one on the PATH"
        );
        eprintln!("skipped: no kubectl; set KUBECTL, or put one on the PATH");
        return;
    };
    let tree = disk::load(folder);
    let found = disk::kustomizations(folder);
    assert!(found.len() >= least, "only {} kustomizations", found.len());
    let mut wrong = Vec::new();
    for dir in &found {
        let expected = Command::new(&kubectl)
            .arg("kustomize")
            .arg(folder.join(dir.as_str()))
            .output()
            .unwrap();
        assert!(expected.status.success(), "{dir}: {}", String::from_utf8_lossy(&expected.stderr));
        let expected = String::from_utf8(expected.stdout).unwrap();
        match build(&tree, dir, &Options::default()) {
            Ok(rendered) => {
                let found = rendered.to_yaml();
                if found != expected {
                    wrong.push(format!("{dir}: {}", disk::first_difference(&expected, &found)));
                }
            }
            Err(error) => wrong.push(format!("{dir}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), found.len(), wrong.join("\n"));
}
