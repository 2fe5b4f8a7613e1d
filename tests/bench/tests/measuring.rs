//! The process that measures one program.

#![allow(clippy::unwrap_used)]

use std::process::Command;

/// Nanoseconds, KiB and status of `sh -c SCRIPT`.
fn measured(script: &str) -> (u64, u64, i32) {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    let status = Command::new(env!("CARGO_BIN_EXE_gitops-bench"))
        .arg("--measure-one")
        .arg(&report)
        .args(["sh", "-c", script])
        .status()
        .unwrap();
    assert!(status.success());
    let text = std::fs::read_to_string(report).unwrap();
    let words: Vec<&str> = text.split(' ').collect();
    (words[0].parse().unwrap(), words[1].parse().unwrap(), words[2].parse().unwrap())
}

#[test]
fn time_memory_and_status_are_of_the_program() {
    let (time, small, status) = measured("sleep 0.2; exit 3");
    assert!((200_000_000..2_000_000_000).contains(&time), "{time} ns");
    assert_eq!(status, 3);
    assert!(small < 20 * 1024, "{small} KiB");

    // tail keeps a line without an end in memory; it is started by the program.
    let (_, large, status) = measured("head -c 60000000 /dev/zero | tail -n 1 >/dev/null");
    assert_eq!(status, 0);
    assert!(large > 50_000, "{large} KiB");

    let (_, _, status) = measured("kill -9 $$");
    assert_eq!(status, -9);
}

#[test]
fn a_program_that_is_not_there_is_no_figure() {
    let output = Command::new(env!("CARGO_BIN_EXE_gitops-bench"))
        .args(["--measure-one", "/dev/null", "/nowhere/program"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("No such file"));
}
