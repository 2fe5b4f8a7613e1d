//! A real API server for tests and demonstrations: etcd and kube-apiserver as
//! plain processes on loopback ports, no container, no privileges.
//!
//! - [`assets`]: where the programs come from: `KUBEBUILDER_ASSETS`, or built
//!   once from the Go modules in `assets/` into a per-user cache
//! - [`cluster`]: [`Cluster`], started and stopped
//! - [`audit`]: what clients asked of the server, from its audit log
//!
//! No process outlives the one that started it, however that one ends: each
//! program runs under a shell that waits for the end of a pipe
//! ([`supervisor`]).

pub mod assets;
pub mod audit;
pub mod cluster;
pub mod supervisor;

pub use assets::{Assets, AssetsError};
pub use audit::AuditEntry;
pub use cluster::{Cluster, Options, StartError};

use std::io::Write;

/// Starts a cluster for a test, or says why the test is skipped. With
/// `CI=true` a cluster that cannot be had is a failure.
///
/// # Panics
///
/// When the programs are there and the cluster does not come up, and with
/// `CI=true` also when the programs are missing.
pub fn start_or_skip(options: &Options) -> Option<Cluster> {
    match assets::find_or_build() {
        Ok(assets) => match Cluster::start(&assets, options) {
            Ok(cluster) => Some(cluster),
            Err(error) => panic!("the test cluster does not start: {error}"),
        },
        Err(error) if std::env::var("CI").is_ok_and(|value| value == "true") => {
            panic!("no API server to test against: {error}")
        }
        Err(error) => {
            say(&format!("skipped: no API server to test against: {error}"));
            None
        }
    }
}

/// One line on stderr, past the capture of the test runner: a skip and the
/// progress of a four-minute build must be seen.
pub(crate) fn say(line: &str) {
    // A closed stderr is no reason to fail a test.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
