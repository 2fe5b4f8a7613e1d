//! kustomize's own test cases, as data: how many come out byte-equal.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // tests over real files
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod disk;

use gitops_kustomize::{LoadRestrictor, Options, build};
use gitops_tree::TreePath;

/// Cases that must be byte-equal. Raise it with every gain.
const EQUAL: usize = 213;
/// Cases that must fail as they do for kustomize. Raise it with every gain.
const REFUSED: usize = 41;

#[test]
fn kustomizes_own_cases() {
    let Some(folder) = disk::shared("kustomize-cases") else { return };
    let (mut equal, mut yaml, mut refused, mut errors) = (0, 0, 0, 0);
    let mut misses = Vec::new();
    let mut names: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for case in names.iter().filter(|case| case.is_dir()) {
        let name = case.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(case.join("case.json")).unwrap();
        let facts: serde_json::Value = serde_json::from_str(&text).unwrap();
        let restrictor = match facts["options"]["load_restrictor"].as_str() {
            Some("LoadRestrictionsNone") => LoadRestrictor::None,
            _ => LoadRestrictor::RootOnly,
        };
        let options = Options { load_restrictor: restrictor, ..Options::default() };
        let tree = disk::load(&case.join("input"));
        let path = TreePath::new(facts["path"].as_str().unwrap().trim_start_matches('/')).unwrap();
        let result = build(&tree, &path, &options);
        if facts["expect"] == "yaml" {
            yaml += 1;
            let expected = std::fs::read_to_string(case.join("expected_cli.yaml"))
                .or_else(|_| std::fs::read_to_string(case.join("expected.yaml")))
                .unwrap();
            match result {
                Ok(rendered) if rendered.to_yaml() == expected => equal += 1,
                Ok(rendered) => misses.push(format!(
                    "{name}: {}",
                    disk::first_difference(&expected, &rendered.to_yaml())
                )),
                Err(error) => misses.push(format!("{name}: {error}")),
            }
        } else {
            errors += 1;
            match result {
                Err(_) => refused += 1,
                Ok(_) => misses.push(format!("{name}: builds, and should not")),
            }
        }
    }
    eprintln!("{}", misses.join("\n"));
    eprintln!("byte-equal: {equal} of {yaml}; refused: {refused} of {errors}");
    assert!(equal >= EQUAL, "{equal} byte-equal cases, {EQUAL} before:\n{}", misses.join("\n"));
    assert!(
        refused >= REFUSED,
        "{refused} refused cases, {REFUSED} before:\n{}",
        misses.join("\n")
    );
}
