//! Any value of any real file: an edit changes that value alone, or there is
//! none. And images, as `kustomize edit set image` has them.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // tests over real files and a real peer

use std::path::{Path, PathBuf};

use gitops_yaml::{Document, FileId, Node, Scalar, Step, Tag, Value, differences, read};

use super::*;

fn shared(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there", folder.display());
    None
}

fn files(folder: &Path, fits: &dyn Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_symlink() {
                continue;
            } else if path.is_dir() {
                folders.push(path);
            } else if fits(path.file_name().unwrap().to_str().unwrap_or_default()) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// How many edits are tried.
fn cases() -> usize {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    cases.unwrap_or(256) * 4
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

type Place = (usize, Vec<Step>);

fn scalars(node: &Node, at: &mut Place, found: &mut Vec<(Place, bool)>) {
    match &node.value {
        Value::Scalar(Scalar { tag, .. }) => {
            let text = matches!(tag, Tag::Str | Tag::Timestamp | Tag::Null);
            found.push((at.clone(), text));
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                at.1.push(Step::Item(index));
                scalars(item, at, found);
                at.1.pop();
            }
        }
        Value::Mapping(entries) => {
            for (key, value) in entries {
                at.1.push(Step::Key(key.text().unwrap_or_default().to_owned()));
                scalars(value, at, found);
                at.1.pop();
            }
        }
    }
}

/// The path as gitops.yaml would name it; `None` for keys that it cannot name.
fn written(path: &[Step]) -> Option<String> {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if key.is_empty() || key.contains(['"', '{', '}']) => return None,
            Step::Key(key) => text.push_str(&format!("[\"{key}\"]")),
            Step::Item(index) => text.push_str(&format!("[{index}]")),
        }
    }
    (!text.is_empty()).then_some(text)
}

const TEXTS: [&str; 18] = [
    "v2", "1234567", "3.10", "yes", "", " a", "a: b", "é", "x # y", "it's", "\"", "a\nb\n", "0x1F",
    "*a", "&b", "{", "- x", "a\tb",
];
const WORDS: [&str; 6] = ["7", "true", "0x1F", "-1.5", "null", "1e3"];

#[test]
fn any_value_of_any_real_file() {
    let mut all: Vec<PathBuf> = Vec::new();
    for name in ["seeds", "kustomize-cases", "repos"] {
        if let Some(folder) = shared(name) {
            let yaml =
                |name: &str| [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end));
            all.extend(files(&folder, &yaml));
        }
    }
    if all.is_empty() {
        return;
    }
    let mut dice = Dice(7);
    let (mut set, mut refused) = (0, 0);
    while set + refused < cases() {
        let file = &all[dice.below(all.len())];
        let bytes = std::fs::read(file).unwrap();
        let Ok(documents) = read(FileId(0), &bytes) else { continue };
        let mut places = Vec::new();
        for (index, document) in documents.iter().enumerate() {
            if let Some(root) = &document.root {
                scalars(root, &mut (index, Vec::new()), &mut places);
            }
        }
        if places.is_empty() {
            continue;
        }
        let ((document, steps), text) = places[dice.below(places.len())].clone();
        let Some(at) = written(&steps) else { continue };
        let new =
            if text { TEXTS[dice.below(TEXTS.len())] } else { WORDS[dice.below(WORDS.len())] };
        match edited(file, &bytes, &documents[document], &at, new) {
            Ok(Some(after)) => {
                set += 1;
                let again = read(FileId(0), &after).unwrap();
                let found = differences(&documents, &again);
                assert!(found.len() <= 1, "{}: {at}: {found:?}", file.display());
                let old = follow(&documents[document], &steps);
                let now = follow(&again[document], &steps);
                assert_eq!(now.0, new, "{}: {at}", file.display());
                for difference in &found {
                    assert_eq!((difference.document, &difference.path), (document, &steps));
                }
                // Every byte before and behind the old value stays.
                let (from, to) = (old.1.start as usize, old.1.end as usize);
                assert_eq!(&after[..from], &bytes[..from], "{}: {at}", file.display());
                assert!(after.ends_with(&bytes[to..]), "{}: {at}", file.display());
            }
            Ok(None) => set += 1,
            Err(PlanError::NotEditable { .. } | PlanError::TwoPlaces { .. }) => refused += 1,
            // JSON that only YAML readers take.
            Err(PlanError::Unreadable { .. }) => refused += 1,
            Err(error) => panic!("{}: {at}: {error}", file.display()),
        }
    }
    println!("{set} values set, {refused} refused");
    assert!(refused * 10 < set, "{refused} of {set} refused");
}

fn follow(document: &Document, steps: &[Step]) -> (String, gitops_yaml::Mark) {
    let node = steps.iter().fold(document.root.as_ref().unwrap(), |node, step| match step {
        Step::Key(key) => node
            .entries()
            .iter()
            .find(|(name, _)| name.text().unwrap_or_default() == key)
            .map(|(_, value)| value)
            .unwrap(),
        Step::Item(index) => &node.items()[*index],
    });
    let Value::Scalar(scalar) = &node.value else { panic!("no scalar") };
    (scalar.text.to_string(), node.mark)
}

/// The file with one value set by a release; `None` where it holds it already.
fn edited(
    file: &Path,
    bytes: &[u8],
    document: &Document,
    at: &str,
    new: &str,
) -> Result<Option<Vec<u8>>, PlanError> {
    let root = document.root.as_ref().unwrap();
    let name = root.at_path(&["metadata", "name"]).and_then(Node::text);
    let end = file.extension().unwrap().to_str().unwrap();
    let target = format!("f.{end}");
    let rule = YamlRule {
        kind: root.get("kind").and_then(Node::text).map(str::to_owned),
        name: name.filter(|name| !name.contains(['{', '}'])).map(template),
        ..yaml(&target, at)
    };
    let mut world = World::new(vec![Mover::Yaml(rule)], &[], &[]);
    world.tree.insert(path(&format!("uat/web/{target}")), bytes);
    let planned = world.release(new)?;
    let contents = &planned.plans[0].1;
    let after = contents.get(&path(&format!("uat/web/{target}")));
    Ok(after.map(|file| file.after.as_deref().unwrap().to_vec()))
}

#[test]
fn tags_are_set_as_kustomize_does() {
    let Some(peer) = std::env::var_os("GITOPS_KUSTOMIZE_PEER") else {
        eprintln!("skipped: GITOPS_KUSTOMIZE_PEER names no kustomize");
        return;
    };
    let mut compared = 0;
    let folders = ["seeds", "kustomize-cases", "repos"].into_iter().filter_map(shared);
    let all: Vec<PathBuf> = folders
        .flat_map(|folder| {
            files(&folder, &|name| ["kustomization.yaml", "kustomization.yml"].contains(&name))
        })
        .collect();
    let mut dice = Dice(11);
    let wanted = cases() / 8;
    let scratch = std::env::temp_dir().join(format!("gitops-set-image-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).unwrap();
    for _ in 0..wanted * 20 {
        if compared >= wanted || all.is_empty() {
            break;
        }
        let file = &all[dice.below(all.len())];
        let bytes = std::fs::read(file).unwrap();
        let Some(Ok(documents)) = (bytes.len() < 1 << 20).then(|| read(FileId(0), &bytes)) else {
            continue;
        };
        let Some(root) = documents.first().and_then(|document| document.root.as_ref()) else {
            continue;
        };
        let names: Vec<String> = root
            .get("images")
            .map_or(&[][..], Node::items)
            .iter()
            .filter_map(|entry| entry.get("name").and_then(Node::text).map(str::to_owned))
            .collect();
        // One that is there, and one that is not.
        for name in names.first().map(String::as_str).into_iter().chain(["gitops.example/new"]) {
            if name.contains(['{', '}', '*', ' ']) {
                continue;
            }
            for version in ["1234567", "v9.1", &format!("sha256:{}", "c".repeat(64))] {
                let fields = [Moved::ImageTag, Moved::ImageDigest];
                let mut world = World::new(vec![image(name, &fields)], &[], &[]);
                world.tree.insert(path("uat/web/kustomization.yaml"), bytes.clone());
                // A release needs an entry; a promotion brings one along.
                let dev = match version.strip_prefix("sha256:") {
                    Some(_) => format!("images:\n- name: {name}\n  digest: {version}\n"),
                    None => format!("images:\n- name: {name}\n  newTag: '{version}'\n"),
                };
                world.tree.insert(path("dev/web/kustomization.yaml"), dev.into_bytes());
                let Ok(planned) = world.promote() else { continue };
                let after = planned.plans[0].1.get(&path("uat/web/kustomization.yaml"));
                let ours =
                    after.map_or(bytes.clone(), |file| file.after.as_deref().unwrap().to_vec());
                std::fs::write(scratch.join("kustomization.yaml"), &bytes).unwrap();
                let sign = if version.starts_with("sha256:") { '@' } else { ':' };
                let done = std::process::Command::new(&peer)
                    // `*` keeps the new name that is there.
                    .args(["edit", "set", "image", &format!("{name}=*{sign}{version}")])
                    .current_dir(&scratch)
                    .output()
                    .unwrap();
                if !done.status.success() {
                    continue;
                }
                let theirs = std::fs::read(scratch.join("kustomization.yaml")).unwrap();
                assert_eq!(
                    entries(&ours),
                    entries(&theirs),
                    "{}: {name}{sign}{version}\n{}",
                    file.display(),
                    String::from_utf8_lossy(&theirs)
                );
                compared += 1;
            }
        }
    }
    std::fs::remove_dir_all(&scratch).unwrap();
    println!("{compared} edits are those of kustomize");
    assert!(all.is_empty() || compared >= wanted, "only {compared} compared");
}

/// The images of a kustomization, in whatever order.
fn entries(bytes: &[u8]) -> Vec<String> {
    let documents = read(FileId(0), bytes).unwrap();
    let root = documents[0].root.as_ref().unwrap();
    let mut entries: Vec<String> = root
        .get("images")
        .map_or(&[][..], Node::items)
        .iter()
        .map(|entry| {
            let mut fields: Vec<String> = entry
                .entries()
                .iter()
                .map(|(key, value)| {
                    format!("{}={}", key.text().unwrap_or_default(), value.to_json().unwrap())
                })
                .collect();
            fields.sort();
            fields.join(" ")
        })
        .collect();
    entries.sort();
    entries
}
