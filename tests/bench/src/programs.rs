//! The programs that compete.

use std::env;
use std::path::{Path, PathBuf};

use gitops_test_cluster::{Assets, AssetsError, assets};

use crate::measure::{Invocation, MeasureError, Room};

/// The version of kustomize that is compared with.
const KUSTOMIZE: &str = "5.8.1";

/// The version of Gitea that requests are opened on.
const GITEA: &str = "1.25.2";

/// Where they are.
#[derive(Debug)]
pub(crate) struct Programs {
    /// The kubectl-gitops that is measured.
    pub(crate) ours: PathBuf,
    /// kubectl, and a cluster to ask.
    pub(crate) assets: Assets,
    /// kustomize, where a row needs it.
    pub(crate) kustomize: Option<PathBuf>,
    /// Gitea, where a row needs it.
    pub(crate) gitea: Option<PathBuf>,
}

/// Why a program cannot compete.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramsError {
    /// A program is not where it should be.
    #[error("{name} is not at {path}\nhint: {hint}", path = path.display())]
    Missing {
        /// The program.
        name: String,
        /// Where it was looked for.
        path: PathBuf,
        /// How to get it.
        hint: &'static str,
    },
    /// Neither `XDG_CACHE_HOME` nor `HOME` is set.
    #[error("no cache folder to find the peers in\nhint: name it with --peers")]
    NoCache,
    /// No kubectl or API server.
    #[error(transparent)]
    Assets(#[from] AssetsError),
    /// A program does not say its version.
    #[error("{name} does not say its version: {reason}")]
    NoVersion {
        /// The program.
        name: &'static str,
        /// What it said instead.
        reason: String,
    },
    /// A peer of another version than the one named.
    #[error("{name} is {found}, not {wanted}\nhint: make peers")]
    OtherVersion {
        /// The program.
        name: &'static str,
        /// What it says.
        found: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// A program cannot be run.
    #[error(transparent)]
    Measure(#[from] MeasureError),
}

impl Programs {
    /// Finds all, or says which one is missing and how to get it.
    pub(crate) fn find(
        ours: Option<&Path>,
        peers: Option<&Path>,
        with_kustomize: bool,
        with_gitea: bool,
    ) -> Result<Self, ProgramsError> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let default = workspace.join("target/release/kubectl-gitops");
        let ours = present(
            "kubectl-gitops",
            ours.unwrap_or(&default),
            "cargo build --release -p kubectl-gitops",
        )?;
        let peer = |wanted: bool, name: &str, version: &str| {
            if !wanted {
                return Ok(None);
            }
            let folder =
                peers.map(Path::to_path_buf).or_else(cache).ok_or(ProgramsError::NoCache)?;
            let path = folder.join(format!("{name}-{version}/{name}"));
            present(&format!("{name} {version}"), &path, "make peers").map(Some)
        };
        let kustomize = peer(with_kustomize, "kustomize", KUSTOMIZE)?;
        let gitea = peer(with_gitea, "gitea", GITEA)?;
        Ok(Self { ours, assets: assets::find_or_build()?, kustomize, gitea })
    }

    /// The name of each and what it says it is; an error where a peer is
    /// another version than the one that is named.
    pub(crate) fn versions(
        &self,
        room: &Room,
    ) -> Result<Vec<(&'static str, String)>, ProgramsError> {
        let ask = |name: &'static str, program: &Path, words: &[&str]| {
            let run = room.run(&Invocation::new(program, words.iter().copied()))?;
            let text = String::from_utf8_lossy(&run.stdout).into_owned();
            match text.lines().next() {
                Some(line) if run.status == 0 && !line.trim().is_empty() => {
                    Ok(line.trim().trim_start_matches("Client Version: ").to_owned())
                }
                _ => Err(ProgramsError::NoVersion { name, reason: run.complaint() }),
            }
        };
        let mut versions = vec![
            ("kubectl-gitops", ask("kubectl-gitops", &self.ours, &["version"])?),
            ("kubectl", ask("kubectl", &self.assets.kubectl, &["version", "--client"])?),
        ];
        if let Some(kustomize) = &self.kustomize {
            let found = ask("kustomize", kustomize, &["version"])?;
            if found.trim_start_matches('v') != KUSTOMIZE {
                let wanted = KUSTOMIZE;
                return Err(ProgramsError::OtherVersion { name: "kustomize", found, wanted });
            }
            versions.push(("kustomize", found));
        }
        Ok(versions)
    }
}

/// The path without `..` and from the root, since programs run elsewhere.
fn present(name: &str, path: &Path, hint: &'static str) -> Result<PathBuf, ProgramsError> {
    path.canonicalize().ok().filter(|path| path.is_file()).ok_or_else(|| ProgramsError::Missing {
        name: name.to_owned(),
        path: path.to_path_buf(),
        hint,
    })
}

fn cache() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .or_else(|| Some(set("HOME")?.join(".cache")))
        .map(|cache| cache.join("kubectl-gitops/peers"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_missing_peer_is_named_with_its_path_and_the_cure() {
        let folder = tempfile::tempdir().unwrap();
        let error =
            Programs::find(Some(&env::current_exe().unwrap()), Some(folder.path()), true, false)
                .unwrap_err()
                .to_string();
        let path = folder.path().join("kustomize-5.8.1/kustomize");
        let expected = format!("kustomize 5.8.1 is not at {}\nhint: make peers", path.display());
        assert_eq!(error, expected);
    }

    #[test]
    fn our_own_program_is_looked_for_first() {
        let error = Programs::find(Some(Path::new("/nowhere/kubectl-gitops")), None, false, false);
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("kubectl-gitops is not at /nowhere/kubectl-gitops"), "{error}");
    }
}
