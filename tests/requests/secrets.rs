//! Where a token may be: in the environment, and nowhere else.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use gitops_test_forges::{May, Stage as Forge};

use crate::session::session;
use crate::stage::Said;
use crate::world::World;

/// The files below a folder that hold a text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(holding(&path, text));
        } else if kind.is_file() {
            let bytes = fs::read(&path).unwrap_or_default();
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

pub fn a_token_is_nowhere_to_be_read(forge: &'static dyn Forge) {
    let mut world = World::new(forge);
    world.set("dev", "web", "v2");
    let secret = forge.token(May::All, &forge.web()).secret;
    // A clone whose remote has no credential, and a cache that starts empty.
    let address = format!("{}/{}/{}.git", forge.web(), forge.owner(), world.repository);
    world.did(&format!(
        "cp -r . ../clean && cd ../clean && git remote set-url origin {address} \
         && rm -f .git/FETCH_HEAD && rm -rf .git/logs"
    ));
    let clean = world.here.folder().join("clean");
    assert_eq!(holding(&clean, &secret), [] as [String; 0]);
    let mut seen = 0;
    for (line, status) in [
        ("promote web --to prod -v", 0),
        ("promote web --to prod -v -o json", 0),
        ("promote web --to uat -v", 0),
        ("promote --continue -v", 0),
        ("gate --base origin/main --head origin/main -v", 0),
        ("promote web --to nowhere -v", 2),
    ] {
        let line = format!("cd ../clean && exec setsid kubectl-gitops {line}");
        let mut command = world.here.command(&line);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let leader = child.id();
        while child.try_wait().unwrap().is_none() {
            for pid in session(leader) {
                let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let words = String::from_utf8_lossy(&words).replace('\0', " ");
                assert!(!words.contains(&secret), "{words}");
                seen += usize::from(words.starts_with("git") || words.contains("/git"));
            }
        }
        let said = Said::of(child.wait_with_output().unwrap());
        assert_eq!(said.status, status, "{line}: {}{}", said.stdout, said.stderr);
        assert!(!said.stdout.contains(&secret) && !said.stderr.contains(&secret), "{line}");
        assert_eq!(holding(&clean, &secret), [] as [String; 0], "{line}");
        assert_eq!(holding(&world.here.folder().join("home"), &secret), [] as [String; 0]);
    }
    assert!(seen > 10, "hardly any git was seen: {seen}");
    // One that the forge refuses is not told, either.
    let wrong = "0123456789abcdef0123456789abcdef0123dead";
    world.here.set(forge.token(May::All, &forge.web()).variable, wrong);
    let said = world.here.shell("cd ../clean && kubectl gitops promote web --to plain -v");
    assert_eq!(said.status, 3, "{}{}", said.stdout, said.stderr);
    assert!(!said.stdout.contains(wrong) && !said.stderr.contains(wrong), "{}", said.stderr);
    assert_eq!(holding(&clean, wrong), [] as [String; 0]);
}
