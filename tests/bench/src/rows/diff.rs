//! A cluster against files: `kubectl gitops diff` against `kubectl diff`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gitops_test_cluster::{Assets, Cluster, Options, StartError};

use super::{RowError, did, make_folder, write};
use crate::answer;
use crate::contest::{ContestError, Contestant, hold};
use crate::measure::{Invocation, Room};
use crate::objects;
use crate::proxy::{self, Proxy};
use crate::stats::Target;
use crate::table::Row;

const TEAMS: usize = 20;

/// What kubectl is told besides the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// As most people run it.
    Plain,
    /// The same question as ours: what would a server-side apply leave?
    ServerSide,
    /// The same with all files at once, as fast as it gets.
    Concurrent,
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "kubectl diff",
            Self::ServerSide => "kubectl diff --server-side",
            Self::Concurrent => "kubectl diff --server-side --concurrency=20",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            Self::ServerSide => &["--server-side", "--force-conflicts", "--field-manager=kubectl"],
            Self::Concurrent => &[
                "--server-side",
                "--force-conflicts",
                "--field-manager=kubectl",
                "--concurrency=20",
            ],
        }
    }

    /// Twenty times faster than what people run today, and no slower than what
    /// asks the same question; no promise is made against kubectl with hand-set
    /// concurrency.
    fn target(self) -> Option<Target> {
        match self {
            Self::Plain => Some(Target::Faster(20.0)),
            Self::ServerSide => Some(Target::Faster(1.0)),
            Self::Concurrent => None,
        }
    }
}

/// A cluster that holds the objects, and a folder whose files differ from it
/// in ten of them.
pub(crate) struct Stage {
    cluster: Cluster,
    kubectl: PathBuf,
    folder: PathBuf,
}

impl Stage {
    /// Starts a cluster, applies the objects as kubectl does with
    /// `--server-side`, and writes the folder.
    pub(crate) fn set(room: &Room, assets: &Assets) -> Result<Self, RowError> {
        let cluster = Cluster::start(assets, &Options::default()).map_err(RowError::Cluster)?;
        let applied = room.path("applied");
        make_folder(&applied)?;
        let mut paths = Vec::new();
        for file in objects::files(TEAMS, false) {
            let path = applied.join(file.name);
            write(&path, &file.text)?;
            paths.push(path);
        }
        apply(&cluster, &paths).map_err(RowError::Cluster)?;
        let folder = room.path("changed");
        make_folder(&folder)?;
        for file in objects::files(TEAMS, true) {
            write(&folder.join(file.name), &file.text)?;
        }
        Ok(Self { cluster, kubectl: assets.kubectl.clone(), folder })
    }

    /// Both answer: which objects would an apply of the folder change?
    pub(crate) fn row(
        &self,
        room: &Room,
        runs: usize,
        ours: &Path,
        peer: Peer,
    ) -> Result<Row, RowError> {
        let kubeconfig = self.cluster.kubeconfig();
        let (ours, theirs) = self.contestants(ours, peer, &kubeconfig);
        let (ours, theirs) = hold(room, runs, &ours, &theirs)?;
        Ok(Row {
            what: "diff -f DIR, 1,000 objects, 10 changed".to_owned(),
            peer_name: peer.name().to_owned(),
            ours,
            peer: theirs,
            target: peer.target(),
        })
    }

    /// The same with a server that is `round_trip` away.
    pub(crate) fn distant_row(
        &self,
        room: &Room,
        runs: usize,
        ours: &Path,
        round_trip: Duration,
    ) -> Result<Row, RowError> {
        let measured =
            did("measure the round trip of a proxy", proxy::measured_round_trip(round_trip))?;
        let server = self.cluster.server();
        let address: SocketAddr = server
            .strip_prefix("https://")
            .and_then(|address| address.parse().ok())
            .ok_or_else(|| RowError::Unfit(format!("{server} is no address and port")))?;
        let proxy = did("start a proxy", Proxy::start(address, round_trip))?;
        let path = self.cluster.kubeconfig();
        let text = did(&format!("read {}", path.display()), std::fs::read_to_string(&path))?;
        let kubeconfig = room.path("distant.kubeconfig");
        write(&kubeconfig, &text.replace(server, &format!("https://{}", proxy.address())))?;

        let peer = Peer::ServerSide;
        let (ours, theirs) = self.contestants(ours, peer, &kubeconfig);
        let (ours, theirs) = hold(room, runs, &ours, &theirs)?;
        Ok(Row {
            what: format!(
                "the same, {:.1} ms round trip (measured)",
                measured.as_secs_f64() * 1000.0
            ),
            peer_name: peer.name().to_owned(),
            ours,
            peer: theirs,
            target: None,
        })
    }

    fn contestants<'a>(
        &self,
        ours: &Path,
        peer: Peer,
        kubeconfig: &Path,
    ) -> (Contestant<'a>, Contestant<'a>) {
        let arguments = |input: &Path, more: &[&str]| -> Vec<OsString> {
            ["diff", "-f"]
                .map(OsString::from)
                .into_iter()
                .chain([input.into(), "--kubeconfig".into(), kubeconfig.into()])
                .chain(more.iter().map(OsString::from))
                .collect()
        };
        let expected: BTreeSet<String> = objects::changed()
            .iter()
            .map(|(namespace, name)| format!("Deployment/{namespace}/{name}"))
            .collect();
        let theirs = expected.clone();
        let command = Invocation::new(ours, arguments(&self.folder, &[]));
        let ours = Contestant::new("kubectl-gitops", command, 1, move |run| {
            let text = String::from_utf8_lossy(&run.stdout);
            answer::same_objects(&answer::shown_by_gitops(&text), &expected)
        });
        let command = Invocation::new(&self.kubectl, arguments(&self.folder, peer.arguments()));
        // What kubectl keeps from one run to the next, discovery and schemas,
        // it also keeps from a run on one file.
        let one = self.folder.join(format!("{}.yaml", objects::namespace(0)));
        let warm_up = Invocation::new(&self.kubectl, arguments(&one, peer.arguments()));
        let peer = Contestant::new(peer.name(), command, 1, move |run| {
            let text = String::from_utf8_lossy(&run.stdout);
            answer::same_objects(&answer::shown_by_kubectl(&text), &theirs)
        })
        .warmed_up_by(warm_up);
        (ours, peer)
    }

    /// What no program can do without: the bytes of the live objects, and how
    /// many requests each program makes for objects, one line each.
    pub(crate) fn limits(&self, room: &Room, ours: &Path) -> Result<Vec<String>, RowError> {
        let mut lines = Vec::new();
        let mut bytes = 0;
        for (path, _) in LISTS {
            bytes +=
                self.cluster.kubectl(&["get", "--raw", path], "").map_err(RowError::Cluster)?.len();
        }
        lines.push(format!(
            "the live objects are {:.1} MB of JSON in {} LIST answers",
            bytes as f64 / 1e6,
            LISTS.len()
        ));
        let kubeconfig = self.cluster.kubeconfig();
        let (ours, theirs) = self.contestants(ours, Peer::ServerSide, &kubeconfig);
        for contestant in [ours, theirs] {
            let before = self.requests()?;
            let run = room.run(&contestant.invocation)?;
            if let Err(reason) = (contestant.check)(&run) {
                let name = contestant.name.to_owned();
                return Err(ContestError::Wrong { name, reason }.into());
            }
            let counts = difference(&before, &self.requests()?);
            let verbs: Vec<String> =
                counts.iter().map(|(verb, count)| format!("{count} {verb}")).collect();
            lines.push(format!(
                "{}: {} requests for these kinds ({})",
                contestant.name,
                counts.values().sum::<u64>(),
                verbs.join(", ")
            ));
        }
        Ok(lines)
    }

    /// How many requests the server has had for the kinds of [`LISTS`], by
    /// verb.
    fn requests(&self) -> Result<BTreeMap<String, u64>, RowError> {
        let metrics = self.cluster.kubectl(&["get", "--raw", "/metrics"], "");
        Ok(count_requests(&metrics.map_err(RowError::Cluster)?))
    }
}

/// The kinds of the objects: the path of a LIST and the resource's name.
const LISTS: [(&str, &str); 7] = [
    ("/api/v1/namespaces", "namespaces"),
    ("/api/v1/serviceaccounts", "serviceaccounts"),
    ("/api/v1/configmaps", "configmaps"),
    ("/api/v1/secrets", "secrets"),
    ("/api/v1/services", "services"),
    ("/apis/apps/v1/deployments", "deployments"),
    ("/apis/autoscaling/v2/horizontalpodautoscalers", "horizontalpodautoscalers"),
];

/// Sums `apiserver_request_total` of the Prometheus text format, by verb.
fn count_requests(metrics: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in metrics.lines() {
        let Some((labels, value)) =
            line.strip_prefix("apiserver_request_total{").and_then(|rest| rest.split_once("} "))
        else {
            continue;
        };
        let label = |name: &str| {
            labels
                .split(',')
                .find_map(|label| label.strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"'))
        };
        let (Some(verb), Some(resource)) = (label("verb"), label("resource")) else { continue };
        // The server itself watches, all the time.
        if verb == "WATCH" || !LISTS.iter().any(|(_, name)| *name == resource) {
            continue;
        }
        // Counters are printed as floating-point numbers.
        let value: f64 = value.trim().parse().unwrap_or(0.0);
        *counts.entry(verb.to_owned()).or_insert(0) += value as u64;
    }
    counts
}

fn difference(
    before: &BTreeMap<String, u64>,
    after: &BTreeMap<String, u64>,
) -> BTreeMap<String, u64> {
    after
        .iter()
        .map(|(verb, count)| (verb.clone(), count - before.get(verb).unwrap_or(&0)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Applies the files, some at a time: one kubectl waits for each answer.
fn apply(cluster: &Cluster, paths: &[PathBuf]) -> Result<(), StartError> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let path = path.display().to_string();
                        cluster.kubectl(
                            &["apply", "--server-side", "--field-manager=kubectl", "-f", &path],
                            "",
                        )?;
                    }
                    Ok(())
                })
            })
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("applying a file does not panic"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = r#"
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",dry_run="All",group="apps",resource="deployments",scope="resource",subresource="",verb="APPLY",version="v1"} 300
apiserver_request_total{code="200",component="apiserver",dry_run="",group="apps",resource="deployments",scope="resource",subresource="",verb="GET",version="v1"} 1.2e+03
apiserver_request_total{code="404",component="apiserver",dry_run="",group="",resource="services",scope="resource",subresource="",verb="GET",version="v1"} 3
apiserver_request_total{code="0",component="apiserver",dry_run="",group="",resource="services",scope="cluster",subresource="",verb="WATCH",version="v1"} 9
apiserver_request_total{code="200",component="apiserver",dry_run="",group="coordination.k8s.io",resource="leases",scope="resource",subresource="",verb="GET",version="v1"} 77
apiserver_request_terminations_total{code="200",resource="deployments",verb="GET"} 5
"#;

    #[test]
    fn requests_are_counted_by_verb_and_only_for_the_kinds_compared() {
        let counts = count_requests(METRICS);
        let expected = BTreeMap::from([("APPLY".to_owned(), 300), ("GET".to_owned(), 1203)]);
        assert_eq!(counts, expected);
    }

    #[test]
    fn only_new_requests_count() {
        let before = BTreeMap::from([("GET".to_owned(), 5), ("LIST".to_owned(), 2)]);
        let after = BTreeMap::from([
            ("APPLY".to_owned(), 4),
            ("GET".to_owned(), 7),
            ("LIST".to_owned(), 2),
        ]);
        let expected = BTreeMap::from([("APPLY".to_owned(), 4), ("GET".to_owned(), 2)]);
        assert_eq!(difference(&before, &after), expected);
    }
}
