//! `render --write`: a file an object, in a folder that may hold other things.
//!
//! - [`names`]: what the files are called
//! - [`index`]: which files of the folder are ours
//! - [`change`]: all of it, or nothing

mod change;
mod index;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use gitops_core::key::ObjectKey;

use self::change::{Edit, Failed, STAGE};
use super::rendition::Rendition;
use crate::failure::Failure;
use crate::output::{Terminal, render};

/// The files of a rendition.
pub(crate) struct Files {
    files: BTreeMap<String, File>,
    /// The folders of environments that were rendered; `None` for a folder
    /// that is no environment.
    environments: Option<BTreeSet<String>>,
    /// Whether these are all environments that there are.
    all: bool,
}

struct File {
    bytes: Vec<u8>,
    is_secret: bool,
    key: ObjectKey,
}

/// What was done.
#[derive(Default)]
pub(crate) struct Report {
    created: Vec<String>,
    updated: Vec<String>,
    deleted: Vec<String>,
    unchanged: usize,
    /// Ours, of objects that are gone.
    stale: Vec<String>,
    secrets: usize,
}

/// Why a folder cannot be written into.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("not written by this command: {}", .0.join(", "))]
    Foreign(Vec<String>),
    #[error("changed by somebody else since it was written: {}", .0.join(", "))]
    Edited(Vec<String>),
    #[error("`{path}` is {what}")]
    Kind { path: String, what: &'static str },
    #[error("`{path}`, line {line}, is no line of an index")]
    Index { path: String, line: usize },
    #[error("`{path}`: {reason}")]
    Unreadable { path: String, reason: Error },
    #[error("{first} and {second} of one environment are one object")]
    Twins { first: ObjectKey, second: ObjectKey },
}

/// `1 file is`, `2 files are`.
fn files(paths: &[String]) -> String {
    match paths.len() {
        1 => "1 file is".to_owned(),
        number => format!("{number} files are"),
    }
}

/// The file of each object. `all` says that no other environment is left.
pub(crate) fn files_of(
    renditions: &[Rendition],
    with_origins: bool,
    all: bool,
) -> Result<Files, Failure> {
    let mut files = BTreeMap::new();
    let mut environments = None;
    for rendition in renditions {
        let folder = rendition.environment.as_deref().map(names::environment);
        if let Some(folder) = &folder {
            environments.get_or_insert_with(BTreeSet::new).insert(folder.clone());
        }
        for item in rendition.items() {
            let key = item.key();
            let path = match &folder {
                Some(folder) => format!("{folder}/{}", names::object(&key)),
                None => names::object(&key),
            };
            let file = File {
                bytes: render::document(&item, with_origins).into_bytes(),
                is_secret: key.group.is_empty() && key.kind == "Secret",
                key: key.clone(),
            };
            if let Some(first) = files.insert(path.clone(), file) {
                let twins = Refused::Twins { first: first.key, second: key };
                return Err(Failure::usage(format!("two objects belong into `{path}`"))
                    .because(&twins)
                    .hint("an object must come from one place; delete one of the two"));
            }
        }
    }
    Ok(Files { files, environments, all })
}

/// Writes the files into `dir`: all of them, or none where anything stands in
/// the way.
pub(crate) fn write(dir: &Path, wanted: &Files, prune: bool) -> Result<Report, Failure> {
    let shown = |path: &str| dir.join(path).display().to_string();
    let attempt = || format!("could not write into `{}`", dir.display());
    let refuse = |refused: Refused| {
        let failure = Failure::usage(attempt()).because(&refused);
        match refused {
            Refused::Foreign(_) => failure.hint("take another folder, or move them away"),
            Refused::Edited(_) => failure.hint("delete what may be written anew"),
            Refused::Index { .. } => failure.hint("restore it as this command wrote it"),
            _ => failure,
        }
    };
    let old = read_index(dir).map_err(refuse)?;
    let mut new = old.clone();
    let mut report = Report::default();
    let (mut foreign, mut edited, mut edits) = (Vec::new(), Vec::new(), Vec::new());
    for (path, file) in &wanted.files {
        report.secrets += usize::from(file.is_secret);
        let digest = index::digest(&file.bytes);
        match look(dir, path).map_err(refuse)? {
            None => report.created.push(path.clone()),
            Some(found) if found == file.bytes => report.unchanged += 1,
            Some(found) => match old.get(path) {
                Some(known) if *known == index::digest(&found) => report.updated.push(path.clone()),
                Some(_) => edited.push(shown(path)),
                None => foreign.push(shown(path)),
            },
        }
        new.insert(path.clone(), digest);
    }
    for (path, known) in old.iter().filter(|(path, _)| wanted.speaks_of(path)) {
        match look(dir, path).map_err(refuse)? {
            None => {
                new.remove(path);
            }
            Some(_) if !prune => report.stale.push(path.clone()),
            Some(found) if *known == index::digest(&found) => {
                report.deleted.push(path.clone());
                new.remove(path);
            }
            Some(_) => edited.push(shown(path)),
        }
    }
    if !foreign.is_empty() {
        return Err(refuse(Refused::Foreign(foreign)));
    }
    if !edited.is_empty() {
        return Err(refuse(Refused::Edited(edited)));
    }
    for path in report.created.iter().chain(&report.updated) {
        let file = &wanted.files[path];
        edits.push(Edit { path, bytes: Some(&file.bytes), private: file.is_secret });
    }
    edits.extend(report.deleted.iter().map(|path| Edit { path, bytes: None, private: false }));
    let text = index::write(&new);
    if new != old {
        edits.push(Edit { path: index::FILE, bytes: Some(text.as_bytes()), private: false });
    }
    if !edits.is_empty() {
        change::carry_out(dir, &edits).map_err(|failed| broken(attempt(), &failed))?;
    }
    Ok(report)
}

impl Files {
    /// Whether a file of the index would be here, were its object still there:
    /// that of an environment which was not rendered says nothing.
    fn speaks_of(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        let covered = match (&self.environments, parts.as_slice()) {
            (Some(environments), [environment, _, _]) => {
                self.all || environments.contains(*environment)
            }
            (None, [_, _]) => true,
            _ => false,
        };
        covered && !self.files.contains_key(path)
    }
}

/// Words for a disk that does not do what it should.
fn broken(attempt: String, failed: &Failed) -> Failure {
    #[derive(Debug, thiserror::Error)]
    #[error("`{path}`: {reason}")]
    struct At {
        path: String,
        reason: Error,
    }
    let kind = failed.error.kind();
    let path = failed.path.display().to_string();
    let reason = Error::new(kind, failed.error.to_string());
    let failure = Failure::world(attempt).because(&At { path: path.clone(), reason });
    if kind == ErrorKind::AlreadyExists && failed.path.ends_with(STAGE) {
        return failure.hint(format!(
            "another run is at work, or was cut off: then its `old-…` files are what stood there; delete `{path}` to go on"
        ));
    }
    failure.hint("nothing was changed")
}

/// The index of the folder; empty where there is none.
fn read_index(dir: &Path) -> Result<BTreeMap<String, String>, Refused> {
    let path = dir.join(index::FILE).display().to_string();
    match fs::symlink_metadata(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(reason) => return Err(Refused::Unreadable { path, reason }),
        Ok(_) if !dir.is_dir() => {
            return Err(Refused::Kind { path: dir.display().to_string(), what: "no folder" });
        }
        Ok(_) => {}
    }
    let Some(bytes) = look(dir, index::FILE)? else { return Ok(BTreeMap::new()) };
    index::read(&String::from_utf8_lossy(&bytes)).map_err(|line| Refused::Index { path, line })
}

/// The bytes of a file; `None` where nothing stands. A link on the way there
/// could lead out of the folder, so it is refused.
fn look(dir: &Path, path: &str) -> Result<Option<Vec<u8>>, Refused> {
    let mut at: PathBuf = dir.to_owned();
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        at.push(part);
        let shown = || at.display().to_string();
        let found = match fs::symlink_metadata(&at) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(reason) => return Err(Refused::Unreadable { path: shown(), reason }),
        };
        let is_last = parts.peek().is_none();
        let what = match (found.is_symlink(), found.is_dir(), is_last) {
            (true, ..) => "a link, which is not followed",
            (_, true, true) => "a folder, not a file",
            (_, false, false) => "a file, not a folder",
            (_, false, true) if !found.is_file() => "no plain file",
            _ => continue,
        };
        return Err(Refused::Kind { path: shown(), what });
    }
    fs::read(&at)
        .map(Some)
        .map_err(|reason| Refused::Unreadable { path: at.display().to_string(), reason })
}

impl Report {
    /// A line for each file that is not as it was, and a summary beside.
    pub(crate) fn tell(&self, dir: &Path, terminal: Terminal) -> Result<(), Failure> {
        let shown = |path: &str| dir.join(path).display().to_string();
        let mut lines: Vec<(&str, &str)> = Vec::new();
        for (word, paths) in
            [("created", &self.created), ("updated", &self.updated), ("deleted", &self.deleted)]
        {
            lines.extend(paths.iter().map(|path| (path.as_str(), word)));
        }
        lines.sort_unstable();
        let text: String =
            lines.iter().map(|(path, word)| format!("{word} {}\n", shown(path))).collect();
        terminal.answer(&text)?;
        if self.secrets > 0 {
            let (what, are) = if self.secrets == 1 { ("Secret", "is") } else { ("Secrets", "are") };
            terminal.warn(format!(
                "{} {what} {are} written with the values: encrypt them before you commit them",
                self.secrets
            ));
        }
        if !self.stale.is_empty() {
            let paths: Vec<String> = self.stale.iter().map(|path| shown(path)).collect();
            terminal.warn(format!(
                "{} left of objects that are gone: {}",
                files(&self.stale),
                paths.join(", ")
            ));
            terminal.hint("`--prune` deletes them");
        }
        terminal.note(format!(
            "{} created, {} updated, {} deleted, {} unchanged in `{}`",
            self.created.len(),
            self.updated.len(),
            self.deleted.len(),
            self.unchanged,
            dir.display()
        ));
        Ok(())
    }
}
