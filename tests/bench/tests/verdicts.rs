//! The whole program with stand-ins: what it measures must be right, and who
//! is named must be there.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use sha2::{Digest as _, Sha256};

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn bench(folder: &Path, ours: &str, peers: &str, repos: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gitops-bench"))
        .arg("--binary")
        .arg(folder.join(ours))
        .arg("--peers")
        .arg(folder.join(peers))
        .arg("--seeds")
        .arg(folder.join("no-seeds"))
        .arg("--repos")
        .arg(folder.join(repos))
        .args(["--runs", "2", "--startup-runs", "3", "--only", "render", "--only", "startup"])
        .env("KUBEBUILDER_ASSETS", folder.join("assets"))
        .output()
        .unwrap()
}

// One test, since a script that is being written cannot be run, and a thread
// that starts a process at that moment keeps the file open.
#[test]
fn right_wrong_and_missing_programs_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for program in ["etcd", "kube-apiserver", "kubectl"] {
        let text = "case $1 in version) echo 'Client Version: v1.2.3';; *) echo Usage:;; esac";
        script(&folder.join("assets").join(program), text);
    }
    // As many objects as the folder of that name holds; without programs but
    // echo, one.
    let rendered = |text: &str| {
        format!(
            "many() {{ yes '{text}' | head -n $1 | sed '1!i ---'; }}\n\
             case $1 in version) echo v5.8.1;; --help) echo Usage:;; *) case $3 in\n\
             */render-20) many 1000;; */render-200) many 10000;; */fails) exit 1;; *) echo {text};; esac;; esac"
        )
    };
    let fails = "case $1 in version) echo v5.8.1;; *) case $2 in */fails) exit 1;; *) echo kind: A;; esac;; esac";
    let digest: String =
        Sha256::digest("kind: A\n").iter().map(|byte| format!("{byte:02x}")).collect();
    let repository = folder.join("repos/shop");
    fs::create_dir_all(&repository).unwrap();
    let table =
        format!("path\tobjects\tsha256_or_ERROR\na\t1\t{digest}\nfails\t0\tERROR\tremote\n");
    fs::write(repository.join("builds.tsv"), table).unwrap();
    script(&folder.join("peers/kustomize-5.8.1/kustomize"), fails);
    script(&folder.join("other/kustomize-5.8.1/kustomize"), "echo v5.0.0");
    script(&folder.join("right"), &rendered("kind: A"));
    script(&folder.join("wrong"), &rendered("kind: B"));

    let output = bench(folder, "right", "peers", "repos");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.contains("  kubectl         v1.2.3\n"), "{stdout}");
    assert!(stdout.contains("render, 2,000 resources, labels and images | kustomize build\n"));
    assert!(stdout.contains("render, dist/app-istio\n  skipped: no folder "), "{stdout}");
    assert!(stdout.contains("render, 1,000 resources | the same, 10,000\n"), "{stdout}");
    assert!(stdout.contains("render, all 2 folders of the repositories | "), "{stdout}");
    assert!(stdout.contains("\nall folders, kustomize build: median "), "{stdout}");
    for line in stdout.lines().filter(|line| !line.contains("skipped: ")) {
        assert!(line.chars().count() <= 80, "{line}");
    }

    let output = bench(folder, "wrong", "peers", "repos");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    let expected =
        "  FAILED: kubectl-gitops is wrong: line 1: ours has `kind: B`, the peer has `kind: A`\n";
    assert!(stdout.contains(expected), "{stdout}");
    let expected = "of the repositories\n  FAILED: kubectl-gitops is wrong: ";
    assert!(stdout.contains(expected) && stdout.contains("/shop/a: another output"), "{stdout}");

    let output = bench(folder, "right", "nowhere", "none");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error: kustomize 5.8.1 is not at "), "{stderr}");
    assert!(stderr.ends_with("hint: make peers\n"), "{stderr}");

    let output = bench(folder, "right", "other", "none");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error: kustomize is v5.0.0, not 5.8.1\n"), "{stderr}");
}
