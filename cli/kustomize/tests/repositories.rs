//! Kustomizations of real repositories against the digests of what
//! `kustomize build` v5.8.1 gives for them.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // tests over real files
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod disk;

use gitops_kustomize::{Options, build};
use gitops_tree::TreePath;
use sha2::{Digest as _, Sha256};

/// Builds that must be byte-equal. Raise it with every gain.
const EQUAL: usize = 1049;
/// Folders that must fail as they do for kustomize without a network.
const REFUSED: usize = 140;

#[test]
fn real_repositories() {
    let Some(folder) = disk::shared("repos") else { return };
    let (mut equal, mut builds, mut refused, mut errors) = (0, 0, 0, 0);
    let mut misses = Vec::new();
    let mut names: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for repository in names.iter().filter(|path| path.is_dir()) {
        let name = repository.file_name().unwrap().to_str().unwrap();
        let tree = disk::load(repository);
        let table = std::fs::read_to_string(repository.join("builds.tsv")).unwrap();
        for line in table.lines().skip(1) {
            let cells: Vec<&str> = line.split('\t').collect();
            let (path, expected) = (cells[0], cells[2]);
            let result = build(&tree, &TreePath::new(path).unwrap(), &Options::default());
            if expected == "ERROR" {
                errors += 1;
                match result {
                    Err(_) => refused += 1,
                    Ok(_) => misses.push(format!("{name}/{path}: builds, and should not")),
                }
                continue;
            }
            builds += 1;
            match result {
                Ok(rendered) => {
                    let digest = Sha256::digest(rendered.to_yaml().as_bytes());
                    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                    if digest == expected {
                        equal += 1;
                    } else {
                        misses.push(format!("{name}/{path}: differs"));
                    }
                }
                Err(error) => misses.push(format!("{name}/{path}: {error}")),
            }
        }
    }
    eprintln!("{}", misses.join("\n"));
    eprintln!("byte-equal: {equal} of {builds}; refused: {refused} of {errors}");
    assert!(equal >= EQUAL, "{equal} byte-equal builds, {EQUAL} before:\n{}", misses.join("\n"));
    assert!(refused >= REFUSED, "{refused} refused, {REFUSED} before:\n{}", misses.join("\n"));
}
