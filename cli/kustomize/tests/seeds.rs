//! Every kustomization of the seed repositories against `kubectl kustomize`,
//! byte for byte.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod disk;

use std::process::Command;

use gitops_kustomize::{Options, build};

#[test]
fn seeds_render_as_kubectl_renders_them() {
    let Some(seeds) = disk::shared("seeds") else { return };
    let Some(kubectl) = disk::kubectl() else {
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "no kubectl: set KUBECTL, or put one on the PATH"
        );
        eprintln!("skipped: no kubectl; set KUBECTL, or put one on the PATH");
        return;
    };
    let tree = disk::load(&seeds);
    let folders = disk::kustomizations(&seeds);
    assert!(folders.len() >= 35, "only {} kustomizations", folders.len());
    let mut wrong = Vec::new();
    for folder in &folders {
        let expected = Command::new(&kubectl)
            .arg("kustomize")
            .arg(seeds.join(folder.as_str()))
            .output()
            .unwrap();
        assert!(
            expected.status.success(),
            "{folder}: {}",
            String::from_utf8_lossy(&expected.stderr)
        );
        let expected = String::from_utf8(expected.stdout).unwrap();
        match build(&tree, folder, &Options::default()) {
            Ok(rendered) => {
                let found = rendered.to_yaml();
                if found != expected {
                    wrong.push(format!("{folder}: {}", disk::first_difference(&expected, &found)));
                }
            }
            Err(error) => wrong.push(format!("{folder}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), folders.len(), wrong.join("\n"));
}
