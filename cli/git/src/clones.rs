//! Bare clones of this program's own, one a repository that is not here, and
//! which remote of a checkout is a repository.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use git2::{Oid, RepositoryInitOptions};

use crate::address::{real, same_address};
use crate::disk::words;
use crate::redact::without_credentials;
use crate::{GitError, Remote, Repository};

/// The remote of a kept clone.
const ORIGIN: &str = "origin";

impl Repository {
    /// The bare clone of `url` below `folder`, which is made where it is absent.
    /// Nothing is fetched yet; a fetch holds a lock, so that two runs do not
    /// move the same references at once. The folder must be the user's own: what
    /// is in a repository decides what the `git` program runs.
    pub fn kept(folder: &Path, url: &str) -> Result<Repository, GitError> {
        prepare(folder)?;
        let name = name(url)?;
        let (path, lock) =
            (folder.join(format!("{name}.git")), folder.join(format!("{name}.lock")));
        let held = hold(&lock)?;
        let mut repository = match opened(&path, url) {
            Some(repository) => repository,
            None => {
                make(folder, &name, url)?;
                Repository::discover(&path)?
            }
        };
        drop(held);
        repository.lock = Some(lock);
        Ok(repository)
    }

    /// The remote that is the repository at `url`, by its address as it is
    /// configured or after `insteadOf`.
    pub fn remote_at(&self, url: &str) -> Result<Remote, GitError> {
        let remotes = self.remotes()?;
        let config = self.inner.config().and_then(|mut config| config.snapshot());
        let is_it = |remote: &&Remote| {
            let written = config
                .as_ref()
                .ok()
                .and_then(|config| config.get_string(&format!("remote.{}.url", remote.name)).ok());
            let written = written.map(|written| self.absolute(&written));
            same_address(&self.absolute(&remote.url), url)
                || written.is_some_and(|written| same_address(&written, url))
        };
        let known = remotes.iter().map(|remote| remote.url.clone()).collect();
        remotes.iter().find(is_it).cloned().ok_or_else(|| GitError::NoRemoteAt {
            dir: self.location().to_owned(),
            url: without_credentials(url),
            known,
        })
    }

    /// The address of a remote as it means the same from everywhere: a relative
    /// path starts at the repository.
    pub fn absolute(&self, url: &str) -> String {
        let is_path = !url.contains("://") && !url.starts_with('/') && !is_scp(url);
        if !is_path {
            return url.to_owned();
        }
        real(&self.location().join(url)).to_string_lossy().into_owned()
    }

    /// Keeps other runs from fetching into a clone of our own; nothing elsewhere.
    pub(crate) fn hold(&self) -> Result<Option<File>, GitError> {
        self.lock.as_deref().map(hold).transpose()
    }
}

fn is_scp(url: &str) -> bool {
    url.find(':').is_some_and(|colon| colon > 0 && !url[..colon].contains('/'))
}

/// A file name: the end of the address for people, a digest for the rest.
fn name(url: &str) -> Result<String, GitError> {
    let digest = Oid::hash_object(git2::ObjectType::Blob, url.as_bytes())
        .map_err(|error| GitError::repository("name a clone", &error))?
        .to_string();
    let end = url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    let end = end.strip_suffix(".git").unwrap_or(end);
    let plain: String = end
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .take(40)
        .collect();
    Ok(format!("{plain}-{}", &digest[..20]))
}

/// The clone that stands there; `None` where there is none, or half of one.
fn opened(path: &Path, url: &str) -> Option<Repository> {
    let repository = Repository::discover(path).ok()?;
    let stands = fs::canonicalize(repository.inner.path()).ok()? == fs::canonicalize(path).ok()?;
    let config = repository.inner.config().ok()?.snapshot().ok()?;
    let known = config.get_string("remote.origin.url").is_ok_and(|known| known == url);
    (stands && known).then_some(repository)
}

/// Makes the clone beside its place and moves it there, so that a half one is
/// never found.
fn make(folder: &Path, name: &str, url: &str) -> Result<(), GitError> {
    let (path, fresh) = (folder.join(format!("{name}.git")), folder.join(format!("{name}.new")));
    for old in [&path, &fresh] {
        match fs::remove_dir_all(old) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(unusable(old, &error));
            }
            _ => {}
        }
    }
    let failed = |error: git2::Error| GitError::repository("make a clone", &error);
    let mut options = RepositoryInitOptions::new();
    options.bare(true).external_template(false).initial_head("main");
    let made = git2::Repository::init_opts(&fresh, &options).map_err(failed)?;
    let mut config = made.config().map_err(failed)?;
    config.set_str(&format!("remote.{ORIGIN}.url"), url).map_err(failed)?;
    drop((config, made));
    fs::rename(&fresh, &path).map_err(|error| unusable(&path, &error))
}

fn hold(lock: &Path) -> Result<File, GitError> {
    let failed = |error: std::io::Error| unusable(lock, &error);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(lock);
    let file = file.map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

/// Makes the folder, mode 0700, and refuses one that is a link, another user's,
/// or that others may write to. Its parent may not be theirs either.
fn prepare(folder: &Path) -> Result<(), GitError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| unusable(folder, &error))?;
    let user = rustix::process::geteuid().as_raw();
    for (level, ours) in folder.ancestors().take(2).enumerate() {
        let bad = |reason: String| Err(GitError::Cache { path: ours.to_owned(), reason });
        let meta = fs::symlink_metadata(ours).map_err(|error| unusable(ours, &error))?;
        if !meta.is_dir() {
            return bad("it is not a folder but a link or a file".to_owned());
        }
        if meta.uid() != user {
            return bad(format!("it belongs to user {}, not to {user}", meta.uid()));
        }
        let mode = meta.permissions().mode();
        if mode & 0o022 == 0 {
            continue;
        }
        if level == 0 {
            return bad("others may write to it; remove it".to_owned());
        }
        // Often group-writable, by a umask of 002.
        fs::set_permissions(ours, Permissions::from_mode(mode & 0o755))
            .map_err(|error| unusable(ours, &error))?;
    }
    Ok(())
}

fn unusable(path: &Path, error: &std::io::Error) -> GitError {
    GitError::Cache { path: PathBuf::from(path), reason: words(error) }
}
