//! Folders of the disk as trees in memory, for tests over real files.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // tests over real files
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use std::path::{Path, PathBuf};

use gitops_tree::{Memory, TreePath};

/// The folder of shared inputs beside the checkout, or `None` after a visible
/// note that the test is skipped.
#[allow(clippy::print_stderr)]
pub fn shared(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is absent", folder.display());
    None
}

/// Reads a folder and all below it.
pub fn load(folder: &Path) -> Memory {
    let mut tree = Memory::new();
    add(&mut tree, folder, &TreePath::root());
    tree
}

fn add(tree: &mut Memory, folder: &Path, at: &TreePath) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = at.join(entry.file_name().to_str().unwrap()).unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            let target = std::fs::read_link(entry.path()).unwrap();
            tree.insert_link(path, target.to_str().unwrap());
        } else if kind.is_dir() {
            add(tree, &entry.path(), &path);
        } else {
            tree.insert(path, std::fs::read(entry.path()).unwrap());
        }
    }
}

/// The folders below `folder` that hold a kustomization file, relative to it, sorted.
pub fn kustomizations(folder: &Path) -> Vec<TreePath> {
    let tree = load(folder);
    let mut found: Vec<TreePath> = tree
        .paths()
        .filter(|path| {
            matches!(
                path.name(),
                Some("kustomization.yaml" | "kustomization.yml" | "Kustomization")
            )
        })
        .map(|path| path.parent().unwrap())
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Where two texts differ first, for messages.
pub fn first_difference(expected: &str, found: &str) -> String {
    let mut expected_lines = expected.lines();
    let mut found_lines = found.lines();
    for number in 1.. {
        match (expected_lines.next(), found_lines.next()) {
            (None, None) => break,
            (expected, found) if expected == found => {}
            (expected, found) => {
                let show =
                    |line: Option<&str>| line.map_or("<end>".to_owned(), |l| format!("`{l}`"));
                return format!(
                    "line {number}: expected {}, found {}",
                    show(expected),
                    show(found)
                );
            }
        }
    }
    "equal but for line ends".to_owned()
}

/// `KUBECTL`, else the one of the test assets, else the one on the PATH.
pub fn kubectl() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("KUBECTL") {
        return Some(PathBuf::from(path));
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    let asset = cache
        .map(|cache| cache.join("kubectl-gitops/test-assets/kubernetes-1.36.3-etcd-3.6.5/kubectl"));
    if let Some(asset) = asset.filter(|asset| asset.is_file()) {
        return Some(asset);
    }
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join("kubectl"))
        .find(|path| path.is_file())
}
