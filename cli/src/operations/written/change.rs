//! Files of a folder written, replaced and deleted, all of them or none.

use std::fs;
use std::io::{Error, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// One file that comes, changes or goes.
pub(super) struct Edit<'a> {
    /// Below the folder, with `/`.
    pub(super) path: &'a str,
    /// Its bytes from now on; `None` to delete it.
    pub(super) bytes: Option<&'a [u8]>,
    /// Whether nobody but its owner may read it.
    pub(super) private: bool,
}

/// Where new and old files stand until all is done.
pub(super) const STAGE: &str = ".kubectl-gitops-writing";

/// What failed, at which file.
pub(super) struct Failed {
    pub(super) path: PathBuf,
    pub(super) error: Error,
}

/// What was done, to be undone.
enum Done {
    Made(PathBuf),
    Moved { from: PathBuf, to: PathBuf },
}

/// Carries the edits out. New files are written aside first, so that a full
/// disk or a missing right is met before anything changes; what fails after
/// that is undone. (A machine that stops in between leaves the stage, with the
/// old files in it; the next run refuses to go on.)
pub(super) fn carry_out(dir: &Path, edits: &[Edit<'_>]) -> Result<(), Failed> {
    let mut done = Vec::new();
    let result = stage(dir, edits, &mut done).and_then(|()| swap(dir, edits, &mut done));
    let stage = dir.join(STAGE);
    if let Err(failed) = result {
        for step in done.into_iter().rev() {
            // What cannot be undone now could not be told better than by the
            // first error.
            let _ = match step {
                Done::Moved { from, to } => fs::rename(to, from),
                Done::Made(folder) if folder == stage => fs::remove_dir_all(folder),
                Done::Made(folder) => fs::remove_dir(folder),
            };
        }
        return Err(failed);
    }
    fs::remove_dir_all(&stage).map_err(|error| Failed { path: stage, error })?;
    for edit in edits.iter().filter(|edit| edit.bytes.is_none()) {
        for folder in dir.join(edit.path).ancestors().skip(1).take_while(|at| *at != dir) {
            // One that holds something else stays.
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
    Ok(())
}

/// Makes a folder and those above it.
fn make(folder: &Path, done: &mut Vec<Done>) -> Result<(), Failed> {
    if folder.is_dir() || folder.as_os_str().is_empty() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        make(above, done)?;
    }
    fs::create_dir(folder).map_err(|error| Failed { path: folder.to_owned(), error })?;
    done.push(Done::Made(folder.to_owned()));
    Ok(())
}

fn stage(dir: &Path, edits: &[Edit<'_>], done: &mut Vec<Done>) -> Result<(), Failed> {
    make(dir, done)?;
    let stage = dir.join(STAGE);
    fs::create_dir(&stage).map_err(|error| Failed { path: stage.clone(), error })?;
    done.push(Done::Made(stage.clone()));
    for (number, edit) in edits.iter().enumerate() {
        if let Some(bytes) = edit.bytes {
            let path = stage.join(format!("new-{number}"));
            write(&path, bytes, edit.private)
                .map_err(|error| Failed { path: dir.join(edit.path), error })?;
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8], private: bool) -> Result<(), Error> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if private {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = private;
    let mut file = options.open(path)?;
    file.write_all(bytes)
}

fn swap(dir: &Path, edits: &[Edit<'_>], done: &mut Vec<Done>) -> Result<(), Failed> {
    let stage = dir.join(STAGE);
    let rename = |from: PathBuf, to: PathBuf, done: &mut Vec<Done>| {
        fs::rename(&from, &to)?;
        done.push(Done::Moved { from, to });
        Ok::<(), Error>(())
    };
    for (number, edit) in edits.iter().enumerate() {
        let path = dir.join(edit.path);
        let fail = |error| Failed { path: path.clone(), error };
        match rename(path.clone(), stage.join(format!("old-{number}")), done) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(fail(error)),
            _ => {}
        }
        if edit.bytes.is_some() {
            if let Some(folder) = path.parent() {
                make(folder, done)?;
            }
            rename(stage.join(format!("new-{number}")), path.clone(), done).map_err(fail)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn edit<'a>(path: &'a str, bytes: Option<&'a [u8]>) -> Edit<'a> {
        Edit { path, bytes, private: false }
    }

    /// Everything below a folder, with the files' bytes.
    fn all(dir: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.push((path.clone(), None));
                found.extend(all(&path));
            } else {
                found.push((path.clone(), Some(fs::read(&path).unwrap())));
            }
        }
        found.sort();
        found
    }

    #[test]
    fn files_come_change_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("new/out");
        let first = [edit("a/x.yaml", Some(b"1")), edit("b/y.yaml", Some(b"2"))];
        assert!(carry_out(&dir, &first).is_ok());
        let second = [edit("a/x.yaml", Some(b"3")), edit("b/y.yaml", None)];
        assert!(carry_out(&dir, &second).is_ok());
        let found = all(&dir);
        assert_eq!(found, [(dir.join("a"), None), (dir.join("a/x.yaml"), Some(b"3".to_vec()))]);
    }

    #[test]
    fn what_fails_halfway_is_undone() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("out");
        assert!(carry_out(&dir, &[edit("a/x.yaml", Some(b"1")), edit("f", Some(b"2"))]).is_ok());
        let before = all(folder.path());
        // `f` is a file, so that nothing can stand below it.
        let edits = [
            edit("a/x.yaml", Some(b"changed")),
            edit("c/new.yaml", Some(b"new")),
            edit("f/below.yaml", Some(b"3")),
        ];
        let failed = carry_out(&dir, &edits).err().unwrap();
        assert!(failed.path.ends_with("f/below.yaml") || failed.path.ends_with("f"));
        assert_eq!(all(folder.path()), before);
    }

    #[test]
    fn a_run_that_was_cut_off_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(STAGE)).unwrap();
        fs::write(folder.path().join(STAGE).join("old-0"), b"keep").unwrap();
        let before = all(folder.path());
        let failed = carry_out(folder.path(), &[edit("a/x.yaml", Some(b"1"))]).err().unwrap();
        assert_eq!(failed.error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(all(folder.path()), before);
    }
}
