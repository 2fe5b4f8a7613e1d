//! Every kustomization of real repositories, one process each: what a run over
//! a whole repository costs, and how much of it is starting programs.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::{RowError, did};
use crate::contest::ContestError;
use crate::measure::{Invocation, Room, Run};
use crate::stats::{Sample, Target};
use crate::table::Row;

/// A folder, and what `kustomize build` v5.8.1 makes of it: the SHA-256 of the
/// output in hexadecimal digits, none where it fails.
struct Folder {
    path: PathBuf,
    digest: Option<String>,
}

/// Both render each folder, ours first, `runs` times over all; the row has the
/// totals. No program and no network can be reached, so that waiting for a
/// remote base counts for neither. Also says where the time goes.
///
/// Every answer must have the digest of the repository's `builds.tsv`, or fail
/// where that says so.
pub(crate) fn row(
    room: &Room,
    runs: usize,
    ours: &Path,
    kustomize: &Path,
    repositories: &Path,
) -> Result<(Row, Vec<String>), RowError> {
    let folders = folders(repositories)?;
    let (mut our_sample, mut peer_sample) = (Sample::default(), Sample::default());
    let (mut our_times, mut peer_times) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (mut our_round, mut peer_round) = (Round::default(), Round::default());
        for folder in &folders {
            our_round.render(room, "kubectl-gitops", ours, &["render", "-k"], folder)?;
            peer_round.render(room, "kustomize", kustomize, &["build"], folder)?;
        }
        our_sample.add(our_round.times.iter().sum(), our_round.peak);
        peer_sample.add(peer_round.times.iter().sum(), peer_round.peak);
        (our_times, peer_times) = (our_round.times, peer_round.times);
    }
    let row = Row {
        what: format!("render, all {} folders of the repositories", thousands(folders.len())),
        peer_name: "kustomize build".to_owned(),
        ours: our_sample,
        peer: peer_sample,
        target: Some(Target::Faster(15.0)),
    };
    let notes = vec![
        format!("all folders, kubectl-gitops: {}", spread(our_times)),
        format!("all folders, kustomize build: {}", spread(peer_times)),
    ];
    Ok((row, notes))
}

/// One program over all folders.
#[derive(Default)]
struct Round {
    times: Vec<Duration>,
    peak: u64,
}

impl Round {
    fn render(
        &mut self,
        room: &Room,
        name: &str,
        program: &Path,
        words: &[&str],
        folder: &Folder,
    ) -> Result<(), RowError> {
        let arguments = words.iter().map(OsString::from);
        let arguments = arguments.chain([folder.path.clone().into_os_string()]);
        let run = room.run(&Invocation::new(program, arguments).offline())?;
        check(&run, folder).map_err(|reason| {
            let reason = format!("{}: {reason}\n{}", folder.path.display(), run.complaint());
            ContestError::Wrong { name: name.to_owned(), reason }
        })?;
        self.times.push(run.time);
        self.peak = self.peak.max(run.peak);
        Ok(())
    }
}

fn check(run: &Run, folder: &Folder) -> Result<(), String> {
    match (&folder.digest, run.status) {
        (None, 0) => Err("it must not build".to_owned()),
        // A signal is no answer.
        (None, status) if status > 0 => Ok(()),
        (Some(digest), 0) => {
            let found: String =
                Sha256::digest(&run.stdout).iter().map(|byte| format!("{byte:02x}")).collect();
            if found == *digest { Ok(()) } else { Err("another output".to_owned()) }
        }
        (_, status) => Err(format!("exit status {status}")),
    }
}

/// The folders that the tables of all repositories name.
fn folders(repositories: &Path) -> Result<Vec<Folder>, RowError> {
    let attempt = format!("list {}", repositories.display());
    let entries = did(&attempt, fs::read_dir(repositories))?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(did(&attempt, entry)?.path());
    }
    names.sort();
    let mut folders = Vec::new();
    for repository in names.iter().filter(|path| path.is_dir()) {
        let table = repository.join("builds.tsv");
        let text = did(&format!("read {}", table.display()), fs::read_to_string(&table))?;
        for (index, line) in text.lines().enumerate().skip(1) {
            folders.push(folder(repository, line).ok_or_else(|| {
                RowError::Unfit(format!("{} has no build on line {}", table.display(), index + 1))
            })?);
        }
    }
    if folders.is_empty() {
        return Err(RowError::Unfit(format!("no repository in {}", repositories.display())));
    }
    Ok(folders)
}

/// `path`, number of objects, digest or `ERROR`.
fn folder(repository: &Path, line: &str) -> Option<Folder> {
    let mut cells = line.split('\t');
    let path = repository.join(cells.next()?);
    let digest = cells.nth(1)?;
    let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    match digest {
        "ERROR" => Some(Folder { path, digest: None }),
        _ => is_digest.then(|| Folder { path, digest: Some(digest.to_owned()) }),
    }
}

/// `median 2.1 ms; the 12 slowest take 35 % of 3.4 s`: what is no start stands
/// out.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let total: Duration = times.iter().sum();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let slowest = times.len().div_ceil(100);
    let most: Duration = times.iter().rev().take(slowest).sum();
    let share = if total.is_zero() { 0.0 } else { most.as_secs_f64() / total.as_secs_f64() };
    format!(
        "median {:.1} ms; the slowest {slowest} take {:.0} % of {:.1} s",
        median.as_secs_f64() * 1000.0,
        share * 100.0,
        total.as_secs_f64()
    )
}

/// `1,189`.
fn thousands(number: usize) -> String {
    if number < 1000 {
        number.to_string()
    } else {
        format!("{},{:03}", number / 1000, number % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_folder_and_what_becomes_of_it() {
        let digest = "0f".repeat(32);
        let found = folder(Path::new("/r"), &format!("a/b\t3\t{digest}"));
        let found = found.map(|folder| (folder.path, folder.digest));
        assert_eq!(found, Some((PathBuf::from("/r/a/b"), Some(digest))));
        let found = folder(Path::new("/r"), "a\t0\tERROR\tremote").map(|folder| folder.digest);
        assert_eq!(found, Some(None));
        for line in ["", "a", "a\t1", "a\t1\t0f", "a\t1\terror"] {
            assert!(folder(Path::new("/r"), line).is_none(), "{line}");
        }
    }

    #[test]
    fn the_spread_tells_the_many_from_the_few() {
        let mut times = vec![Duration::from_millis(10); 198];
        times.extend([Duration::from_millis(510); 2]);
        let expected = "median 10.0 ms; the slowest 2 take 34 % of 3.0 s";
        assert_eq!(spread(times), expected);
        assert_eq!(spread(Vec::new()), "median 0.0 ms; the slowest 0 take 0 % of 0.0 s");
        assert_eq!((thousands(999), thousands(1189)), ("999".to_owned(), "1,189".to_owned()));
    }
}
