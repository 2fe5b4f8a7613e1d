//! Renders a folder of the disk and prints it, for profilers and comparisons:
//! `render DIR [TIMES]`. With TIMES it builds that often and prints the median
//! time of each stage instead. As in `kubectl gitops render -k`, the tree is
//! the whole disk, read as it is asked for.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // reads the disk
#![allow(clippy::unwrap_used)]

use std::fs::{self, FileType};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use gitops_kustomize::{Options, build};
use gitops_tree::{Entry, EntryKind, Tree, TreeError, TreePath};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = fs::canonicalize(arguments.next().unwrap()).unwrap();
    let folder = TreePath::new(folder.to_str().unwrap().trim_start_matches('/')).unwrap();
    let times: Option<usize> = arguments.next().map(|times| times.parse().unwrap());
    let Some(times) = times else {
        let rendered = build(&Disk, &folder, &Options::default());
        let rendered = rendered.unwrap_or_else(|errors| panic!("{errors}"));
        let mut stdout = std::io::stdout().lock();
        rendered.write_yaml(|piece| stdout.write_all(piece.as_bytes())).unwrap();
        std::process::exit(0);
    };
    let mut built = Vec::new();
    let mut written = Vec::new();
    for _ in 0..times {
        let start = Instant::now();
        let rendered = build(&Disk, &folder, &Options::default()).unwrap();
        built.push(start.elapsed());
        let start = Instant::now();
        let text = rendered.to_yaml();
        written.push(start.elapsed());
        assert!(!text.is_empty());
    }
    built.sort();
    written.sort();
    let line = format!("build {:?}, write {:?}\n", built[times / 2], written[times / 2]);
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

/// The disk from its root.
struct Disk;

fn on_disk(path: &TreePath) -> PathBuf {
    Path::new("/").join(path.as_str())
}

fn unreadable(path: &TreePath, error: &std::io::Error) -> TreeError {
    TreeError::Unreadable { path: path.clone(), reason: error.to_string() }
}

fn kind_of(found: FileType) -> EntryKind {
    match found {
        _ if found.is_file() => EntryKind::File,
        _ if found.is_dir() => EntryKind::Directory,
        _ if found.is_symlink() => EntryKind::Link,
        _ => EntryKind::Other,
    }
}

impl Tree for Disk {
    fn list(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
        let fail = |error| unreadable(dir, &error);
        let mut entries = Vec::new();
        for entry in fs::read_dir(on_disk(dir)).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name().into_string().unwrap();
            entries.push(Entry { name, kind: kind_of(entry.file_type().map_err(fail)?) });
        }
        entries.sort();
        Ok(entries)
    }

    fn read(&self, file: &TreePath) -> Result<Arc<[u8]>, TreeError> {
        fs::read(on_disk(file)).map(Into::into).map_err(|error| unreadable(file, &error))
    }

    fn link(&self, link: &TreePath) -> Result<String, TreeError> {
        let target = fs::read_link(on_disk(link)).map_err(|error| unreadable(link, &error))?;
        Ok(target.to_str().unwrap().to_owned())
    }

    // As the command's tree does, no link on the way is followed.
    fn kind(&self, path: &TreePath) -> Result<Option<EntryKind>, TreeError> {
        let mut at = PathBuf::from("/");
        let mut found = EntryKind::Directory;
        for name in path.names() {
            if found != EntryKind::Directory {
                return Ok(None);
            }
            at.push(name);
            found = match fs::symlink_metadata(&at) {
                Ok(metadata) => kind_of(metadata.file_type()),
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(unreadable(path, &error)),
            };
        }
        Ok(Some(found))
    }
}
