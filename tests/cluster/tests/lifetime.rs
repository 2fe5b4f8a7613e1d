//! No process outlives the one that started it.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gitops_test_cluster::{Options, start_or_skip};

/// The address in a kubeconfig.
fn address(kubeconfig: &Path) -> String {
    let text = std::fs::read_to_string(kubeconfig).unwrap();
    let line = text.lines().find(|line| line.contains("server: https://")).unwrap();
    line.split("https://").nth(1).unwrap().to_owned()
}

fn becomes(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(20), "does not come true: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts `up` and waits for its kubeconfig; `None` where it says it cannot.
fn up() -> (Child, PathBuf) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gitops-test-cluster"))
        .arg("up")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, PathBuf::from(line.trim_end()))
}

/// The signal of Ctrl-C. In the background of a script it is ignored, by us
/// and so by what we start; there the test takes the one that ends programs.
fn interrupt() -> &'static str {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok())
        .unwrap_or(0);
    let sigint = 1 << (2 - 1);
    if ignored & sigint == 0 { "-INT" } else { "-TERM" }
}

fn is_gone(folder: &Path, address: &str) -> bool {
    !folder.exists() && TcpStream::connect(address).is_err()
}

#[test]
fn a_cluster_ends_with_its_starter() {
    let Some(cluster) = start_or_skip(&Options::default()) else { return };
    let folder = cluster.folder().to_path_buf();
    let address = address(&cluster.kubeconfig());
    assert!(TcpStream::connect(&address).is_ok());
    drop(cluster);
    assert!(is_gone(&folder, &address), "after a drop");

    // Killed, so that nothing of ours runs any more.
    let (mut child, kubeconfig) = up();
    let folder = kubeconfig.parent().unwrap().to_path_buf();
    let address = self::address(&kubeconfig);
    assert!(TcpStream::connect(&address).is_ok());
    child.kill().unwrap();
    child.wait().unwrap();
    becomes("the cluster is gone after SIGKILL", || is_gone(&folder, &address));

    // Interrupted, as by Ctrl-C.
    let (mut child, kubeconfig) = up();
    let folder = kubeconfig.parent().unwrap().to_path_buf();
    let address = self::address(&kubeconfig);
    let sent = Command::new("kill").args([interrupt(), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert!(!child.wait().unwrap().success());
    becomes("the cluster is gone after SIGINT", || is_gone(&folder, &address));

    // The end of stdin, as in `make demo`.
    let (mut child, kubeconfig) = up();
    let folder = kubeconfig.parent().unwrap().to_path_buf();
    let address = self::address(&kubeconfig);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(is_gone(&folder, &address), "after the end of stdin");
}
