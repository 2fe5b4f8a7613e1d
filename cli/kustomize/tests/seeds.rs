//! Every kustomization of the seed repositories against `kubectl kustomize`,
//! byte for byte.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod disk;

use std::path::{Path, PathBuf};
use std::process::Command;

use gitops_kustomize::{Options, build};

/// `KUBECTL`, else the one of the test assets, else the one on the PATH.
fn kubectl() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("KUBECTL") {
        return Some(PathBuf::from(path));
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    let asset = cache
        .map(|cache| cache.join("kubectl-gitops/test-assets/kubernetes-1.36.3-etcd-3.6.5/kubectl"));
    if let Some(asset) = asset.filter(|asset| asset.is_file()) {
        return Some(asset);
    }
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join("kubectl"))
        .find(|path| path.is_file())
}

#[test]
fn seeds_render_as_kubectl_renders_them() {
    let Some(seeds) = disk::shared("seeds") else { return };
    let Some(kubectl) = kubectl() else {
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
