//! How long the program takes to do nothing.

use std::path::Path;
use std::time::Duration;

use super::RowError;
use crate::contest::{Contestant, hold};
use crate::measure::{Invocation, Room, Run};
use crate::stats::Target;
use crate::table::Row;

/// A start that nobody notices.
const TARGET: Target = Target::AtMost(Duration::from_millis(10));

/// `--help` of both.
pub(crate) fn row(room: &Room, runs: usize, ours: &Path, kubectl: &Path) -> Result<Row, RowError> {
    let check = |run: &Run| {
        let text = String::from_utf8_lossy(&run.stdout);
        if text.contains("Usage:") { Ok(()) } else { Err("no help is printed".to_owned()) }
    };
    let ours = Contestant::new("kubectl-gitops", Invocation::new(ours, ["--help"]), 0, check);
    let peer = Contestant::new("kubectl", Invocation::new(kubectl, ["--help"]), 0, check);
    let (ours, peer) = hold(room, runs, &ours, &peer)?;
    Ok(Row {
        what: format!("--help, {runs} runs"),
        peer_name: "kubectl --help".to_owned(),
        ours,
        peer,
        target: Some(TARGET),
    })
}
