//! Remote bases: the repositories that kustomizations name by an address,
//! fetched at need and supplied to the renderer.
//!
//! A rendering that lacks some is made again with them, until it lacks none. A
//! reference is looked up once a run, so that all renderings of the run agree
//! and may share results; a commit id that was fetched by an earlier run is
//! looked up nowhere. Files behind HTTP are not fetched.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use gitops_core::plan::{Found, ReadEntry, ReadFrom};
use gitops_desired::DesiredError;
use gitops_git::{CommitId, GitError, RevisionTree, without_credentials};
use gitops_kustomize::{Fulfil, Need, Place, Remote, Repository, Supply};
use gitops_tree::TreePath;

use super::desired::git_failure;
use super::policies::cache_folder;
use super::trust::hinted;
use crate::failure::Failure;
use crate::output::Terminal;

/// As many repositories may go into one rendering. A base may name a further
/// one, and that another, without end.
const MANY: usize = 100;

/// A repository, and the reference that is wanted of it.
type Key = (String, Option<String>);

thread_local! {
    /// What this run has fetched.
    static FETCHED: RefCell<BTreeMap<Key, Rc<Base>>> = RefCell::default();
}

/// A repository at one commit.
struct Base {
    tree: RevisionTree,
    read: ReadEntry,
}

/// Why something was not rendered.
pub(crate) enum Unrendered {
    /// It does not render.
    Broken(DesiredError),
    /// A remote base could not be fetched.
    Lacking(Failure),
}

impl Unrendered {
    /// In words; `broken` has those for what does not render.
    pub(crate) fn failure(self, broken: impl FnOnce(&DesiredError) -> Failure) -> Failure {
        match self {
            Unrendered::Broken(error) => broken(&error),
            Unrendered::Lacking(failure) => failure,
        }
    }
}

/// What one rendering was supplied with.
#[derive(Default)]
struct Supplies(BTreeMap<Key, Rc<Base>>);

impl Fulfil for Supplies {
    fn fulfil(&self, need: &Need) -> Option<Supply<'_>> {
        let base = self.0.get(&key(wanted(need)?))?;
        Some(Supply::Repository(&base.tree))
    }
}

/// Renders with the remote bases that it takes; gives what they were, too.
pub(crate) fn supplied<T, E: Into<DesiredError>>(
    terminal: Terminal,
    render: impl Fn(&dyn Fulfil) -> Result<T, E>,
) -> Result<(T, BTreeSet<ReadEntry>), Unrendered> {
    let mut supplies = Supplies::default();
    loop {
        let error = match render(&supplies).map_err(Into::into) {
            Ok(rendered) => {
                let reads = supplies.0.values().map(|base| base.read.clone()).collect();
                return Ok((rendered, reads));
            }
            Err(error) => error,
        };
        let known = supplies.0.len();
        if let DesiredError::Build(errors) = &error {
            for (place, need) in errors.needs() {
                let Some(repository) = wanted(need) else { continue };
                if supplies.0.contains_key(&key(repository)) {
                    continue;
                }
                let address = address(need);
                if supplies.0.len() == MANY {
                    let failure = unfetched(&address, place, "it takes too many repositories");
                    let hint = format!("at most {MANY} go into one rendering");
                    return Err(Unrendered::Lacking(failure.hint(hint)));
                }
                let base = get(repository, &address, place, terminal);
                let base = base.map_err(Unrendered::Lacking)?;
                supplies.0.insert(key(repository), base);
            }
        }
        // Nothing that was lacking can be supplied.
        if supplies.0.len() == known {
            return Err(Unrendered::Broken(error));
        }
    }
}

/// Whether a remote base leads elsewhere than when it was read.
pub(crate) fn has_moved(read: &ReadEntry) -> Result<bool, Failure> {
    let known = FETCHED.with_borrow(|fetched| {
        let known = fetched.iter().find(|(_, base)| base.read.path == read.path);
        known.map(|(key, _)| key.clone())
    });
    // What this run has not rendered, it cannot vouch for.
    let Some((url, reference)) = known else { return Ok(true) };
    let attempt = || format!("could not look up the remote base `{}` again", read.path);
    let (commit, _) = fetch(&url, reference.as_deref(), &attempt)?
        .map_err(|error| git_failure(attempt(), &error))?;
    Ok(Found::Commit(commit.to_string()) != read.found)
}

/// The repository that a need can be fulfilled with. An address behind HTTP
/// that ends as a manifest does is one of a file.
fn wanted(need: &Need) -> Option<&Repository> {
    let Need::Remote(Remote { address, file, repository }) = need else { return None };
    let repository = repository.as_ref()?;
    let path = address.split('?').next().unwrap_or_default();
    let is_manifest = [".yaml", ".yml", ".json"].iter().any(|end| path.ends_with(end));
    (!*file || !is_manifest).then_some(repository)
}

fn key(repository: &Repository) -> Key {
    (repository.url.clone(), repository.reference.clone())
}

/// The address as it may be shown.
fn address(need: &Need) -> String {
    match need {
        Need::Remote(remote) => without_credentials(&remote.address),
        other => other.to_string(),
    }
}

fn unfetched(address: &str, place: &Place, reason: &str) -> Failure {
    let mut failure = Failure::usage(format!("could not fetch the remote base `{address}`"));
    failure.causes.push(format!("{place}: {reason}"));
    failure
}

/// A repository at its reference: as this run has it, else fetched.
fn get(
    repository: &Repository,
    address: &str,
    place: &Place,
    terminal: Terminal,
) -> Result<Rc<Base>, Failure> {
    let key = key(repository);
    if let Some(known) = FETCHED.with_borrow(|fetched| fetched.get(&key).cloned()) {
        return Ok(known);
    }
    let (url, reference) = (&repository.url, repository.reference.as_deref());
    if without_credentials(url) != *url {
        // It would stand in a file of the cache, and in the paths of objects.
        return Err(unfetched(address, place, "the address holds a user or a password")
            .hint("take it out; `git credential`, netrc or a token of the environment gives it"));
    }
    let attempt = || format!("could not fetch the remote base `{address}`");
    let fetched = fetch(url, reference, &attempt)?;
    let (commit, tree) = fetched.map_err(|error| {
        let failure = match &error {
            GitError::UnknownReference { .. } => Failure::usage(attempt()).because(&error),
            _ => git_failure(attempt(), &error),
        };
        let mut failure = match &error {
            GitError::UnknownReference { url, .. } => failure.hint(format!(
                "correct `ref`: `git ls-remote {url}` lists branches and tags; a commit is named by its whole id"
            )),
            _ => failure.hint(format!("`git ls-remote {url}` asks it by hand")),
        };
        if let Some(first) = failure.causes.first_mut() {
            *first = format!("{place}: {first}");
        }
        failure
    })?;
    let shown = format!("{url}@{}", reference.unwrap_or(HEAD));
    let names: Vec<&str> =
        shown.split('/').filter(|name| !matches!(*name, "" | "." | "..")).collect();
    let path = TreePath::new(&names.join("/"))
        .map_err(|error| unfetched(address, place, &error.to_string()))?;
    terminal.detail(format!("`{address}` is at {}", commit.short()));
    let read = ReadEntry { from: ReadFrom::Remote, path, found: Found::Commit(commit.to_string()) };
    let base = Rc::new(Base { tree, read });
    FETCHED.with_borrow_mut(|fetched| fetched.insert(key, base.clone()));
    Ok(base)
}

/// Where no reference is named.
const HEAD: &str = "HEAD";

/// The commit of a reference, in a bare clone of the cache folder. The inner
/// error is what Git said.
fn fetch(
    url: &str,
    reference: Option<&str>,
    attempt: &dyn Fn() -> String,
) -> Result<Result<(CommitId, RevisionTree), GitError>, Failure> {
    // Not among those of `repositories`, which hold their history.
    let folder = cache_folder("bases")
        .ok_or_else(|| Failure::world(attempt()).hint("set HOME or XDG_CACHE_HOME"))?;
    let kept =
        gitops_git::Repository::kept(&folder, url).map_err(|error| hinted(&attempt(), &error))?;
    let repository = super::repository::connected(kept)?;
    let commit = repository
        .remote(None)
        .and_then(|remote| repository.fetch_reference(&remote.name, reference.unwrap_or(HEAD)));
    Ok(commit.and_then(|commit| Ok((commit, repository.tree(&commit)?))))
}
