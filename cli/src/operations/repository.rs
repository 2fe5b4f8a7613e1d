//! The repository on the disk, and what the environment says about how its
//! remotes are reached.

use std::path::Path;
use std::time::Duration;

use gitops_git::Repository;

use super::credentials::credentials;
use super::desired::git_failure;
use crate::failure::Failure;
use crate::interrupt;

/// How long one run of `git` may take or be silent, in seconds.
const PATIENCE: &str = "KUBECTL_GITOPS_GIT_TIMEOUT";

/// The repository that `dir` stands in, set up to talk to its remotes: with the
/// tokens and the App of the environment, and gone with us when we are told to end.
pub(crate) fn open(dir: &Path) -> Result<Repository, Failure> {
    let repository = Repository::discover(dir)
        .map_err(|error| git_failure("could not open a repository", &error))?;
    connected(repository)
}

/// The same for a repository that was found already.
pub(crate) fn connected(mut repository: Repository) -> Result<Repository, Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    let attempt = "could not use the environment";
    let (app, tokens) = credentials()?.for_git()?;
    repository = app.into_iter().fold(repository, Repository::with_maker);
    repository = tokens.into_iter().fold(repository, Repository::with_token);
    if let Some(text) = variable(PATIENCE).filter(|text| !text.is_empty()) {
        let seconds = text.parse().ok().filter(|seconds| *seconds > 0);
        let seconds = seconds.ok_or_else(|| {
            Failure::usage(format!("{attempt}: {PATIENCE} is not a number of seconds: `{text}`"))
        })?;
        repository = repository.with_patience(Duration::from_secs(seconds));
    }
    interrupt::watch();
    Ok(repository)
}
