//! The processes that a program under test has started.

use std::fs;
use std::process::{Command, Stdio};

/// Those of a session.
pub fn session(leader: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
        let fields: Vec<&str> = rest.split(' ').collect();
        if fields[0] != "Z" && fields[3] == leader.to_string() {
            found.push(pid);
        }
    }
    found
}

/// Kills them without a warning.
pub fn kill(pids: &[u32]) {
    let pids = pids.iter().map(u32::to_string);
    let _ = Command::new("kill").arg("-9").args(pids).stderr(Stdio::null()).status();
}
