//! What a promotion did, a rollback takes back: byte for byte, whatever moved.

use std::collections::BTreeMap;

use gitops_tree::{EntryKind, Overlay, Tree};
use proptest::prelude::*;

use super::*;

/// The files below a folder: bytes and how they are held.
fn files(tree: &dyn Tree, folder: &str) -> BTreeMap<String, (Vec<u8>, &'static str)> {
    let mut found = BTreeMap::new();
    let mut open = vec![path(folder)];
    while let Some(dir) = open.pop() {
        for entry in tree.list(&dir).unwrap_or_default() {
            let at = dir.join(&entry.name).unwrap();
            let file = match entry.kind {
                EntryKind::Directory => {
                    open.push(at);
                    continue;
                }
                EntryKind::Link => (tree.link(&at).unwrap().into_bytes(), "link"),
                _ if tree.executable(&at).unwrap() => (tree.read(&at).unwrap().to_vec(), "program"),
                _ => (tree.read(&at).unwrap().to_vec(), "file"),
            };
            found.insert(at.as_str().to_owned(), file);
        }
    }
    found
}

/// The values of the app that move, as `operations::rollback` compares them.
fn held(world: &World, tree: &dyn Tree) -> Option<BTreeMap<SlotId, Option<Held>>> {
    let uat = world.environment("uat");
    let apps = discover_apps(tree, &uat, &world.rules).ok()?;
    let app = apps.into_iter().find(|app| app.name == "web")?;
    let rule = world.rules.of("web").unwrap();
    let moving = app.slots.into_iter().filter(|slot| rule.moves(slot));
    Some(moving.map(|slot| (slot.id, slot.value)).collect())
}

/// What the promotion `after` made of `before` goes back.
fn undo(world: &World, before: &dyn Tree, after: &dyn Tree) -> Undo {
    let (old, new) = (held(world, before), held(world, after));
    let whole = new.is_none();
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let of =
        |values: &BTreeMap<SlotId, Option<Held>>, id: &SlotId| values.get(id).cloned().flatten();
    let mut values: Vec<Undone> = Vec::new();
    for id in old.keys().chain(new.keys()) {
        let (to, from) = (of(&old, id), of(&new, id));
        if to != from && !values.iter().any(|value| value.id == *id) {
            values.push(Undone { id: id.clone(), from, to });
        }
    }
    let (to, left) = ("ear1".to_owned(), Some("1eft".to_owned()));
    Undo { app: "web".to_owned(), commits: vec!["1eft".to_owned()], to, left, whole, values }
}

/// Promotes and rolls back; `None` where there is nothing to promote.
fn there_and_back(world: &World, prune: bool) -> Option<Result<(), String>> {
    let dev = world.environment("dev");
    let from = Side { environment: &dev, tree: &world.tree, revision: "5eed" };
    let apps = ["web".to_owned()];
    let promotion = Promotion { apps: &apps, prune, ..Promotion::default() };
    let planned = world.step(|step| promote(step, from, &promotion)).ok()?;
    let (plan, contents) = planned.plans.first()?;
    if plan.nothing_to_do() {
        return None;
    }
    let promoted: Overlay<'_> = contents.over(&world.tree);
    let undo = undo(world, &world.tree, &promoted);
    let undoing = Undoing { undo: &undo, earlier: &world.tree, left: Some(&promoted) };
    let uat = world.environment("uat");
    let back = world.step(|step| {
        let target = Side { environment: &uat, tree: &promoted, revision: "1eft" };
        rollback(&Step { target, ..*step }, &[undoing])
    });
    Some(match back {
        Err(error) => Err(format!("refused: {error}")),
        Ok(back) => match back.plans.first() {
            None => Err(format!("no plan: {:?}", back.failed)),
            Some((_, contents)) => {
                let after = contents.over(&promoted);
                let (was, is) = (files(&world.tree, "uat"), files(&after, "uat"));
                if was == is { Ok(()) } else { Err(format!("{was:#?}\nis not\n{is:#?}")) }
            }
        },
    })
}

/// Some files of an app's folder.
fn folder(env: &'static str) -> impl Strategy<Value = Vec<(String, Vec<u8>, u8)>> {
    let replicas = move |count: u8, image: u8, comment: bool| {
        format!(
            "kind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: {count}{}\n  image: web:{image}\n",
            if comment { format!(" # of {env}") } else { String::new() }
        )
        .into_bytes()
    };
    let fenced =
        (0..9u8, 0..3u8, any::<bool>()).prop_map(move |(n, image, c)| replicas(n, image, c));
    let other = prop::collection::vec(0..4u8, 0..6);
    let names =
        prop::sample::subsequence(vec!["a.txt", "b.sh", "sub/c", "sub/deep/d.json", "e"], 0..=5);
    (fenced, names, prop::collection::vec((other, 0..3u8), 5)).prop_map(
        |(fenced, names, bodies)| {
            let named = names.into_iter().zip(bodies);
            let mut files: Vec<(String, Vec<u8>, u8)> =
                named.map(|(name, (bytes, mode))| (name.to_owned(), bytes, mode)).collect();
            files.push(("deployment.yaml".to_owned(), fenced, 0));
            files
        },
    )
}

fn lay(tree: &mut Memory, folder: &str, files: &[(String, Vec<u8>, u8)]) {
    for (name, bytes, mode) in files {
        let at = path(&format!("{folder}/{name}"));
        match mode {
            0 => tree.insert(at, bytes.clone()),
            1 => tree.insert_executable(at, bytes.clone()),
            _ => tree.insert_link(at, format!("to{}", bytes.len())),
        };
    }
}

/// A kustomization with or without an entry of the image, however it is spelled.
fn kustomization() -> impl Strategy<Value = String> {
    let digest = |n: u8| format!("sha256:{}", n.to_string().repeat(64));
    let entry = (0..7u8, 0..3u8).prop_map(move |(shape, n)| match shape {
        0 => String::new(),
        1 => "images: # none\n".to_owned(),
        2 => format!("images:\n- name: web # ours\n  newTag: v{n} # the tag\n"),
        3 => format!("images:\n  - digest: {} # pinned\n    name: web\n", digest(n)),
        4 => format!("images: [{{name: web, newTag: \"v{n}\"}}]\n"),
        5 => format!("images:\n- newTag: other\n  name: api\n- name: web\n  newName: x/web{n}\n  newTag: 'v{n}'\n"),
        _ => format!("images:\n- name: api\n  newTag: v{n}\n"),
    });
    (entry, any::<bool>(), any::<bool>()).prop_map(|(entry, before, crlf)| {
        let more = "# end\nnamespace: shop\n";
        let text = if before { format!("{entry}{more}") } else { format!("{more}{entry}") };
        if crlf { text.replace('\n', "\r\n") } else { text }
    })
}

fn values_file() -> impl Strategy<Value = String> {
    (0..5u8, 0..3u8).prop_map(|(shape, n)| match shape {
        0 => "# nothing\n".to_owned(),
        1 => format!("image:\n  tag: v{n} # t\nother: 1\n"),
        2 => "image:\n  name: x\nother: 1\n".to_owned(),
        3 => "other: 1 # o\n".to_owned(),
        _ => format!("{{image: {{tag: 'v{n}'}}}}\n"),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn copied_files_come_back(dev in folder("dev"), uat in folder("uat"), there: bool) {
        let never = || vec![FieldPattern::new("**.replicas").unwrap()];
        let rule = CopyRule::new(".", &["e".to_owned()], never()).unwrap();
        let mut world = World::new(vec![Mover::Copy(rule)], &[], &[]);
        world.rules.0[0].never = never();
        lay(&mut world.tree, "dev/web", &dev);
        lay(&mut world.tree, "uat/other", &uat);
        if there {
            lay(&mut world.tree, "uat/web", &uat);
        }
        if let Some(back) = there_and_back(&world, false) {
            prop_assert!(back.is_ok(), "{}", back.unwrap_err());
        }
    }

    #[test]
    fn an_app_that_was_taken_away_comes_back(other in folder("dev"), uat in folder("uat")) {
        let rule = CopyRule::new(".", &["e".to_owned()], Vec::new()).unwrap();
        let mut world = World::new(vec![Mover::Copy(rule)], &[], &[]);
        lay(&mut world.tree, "dev/other", &other);
        lay(&mut world.tree, "uat/web", &uat);
        lay(&mut world.tree, "uat/other", &other);
        let back = there_and_back(&world, true).expect("it goes");
        prop_assert!(back.is_ok(), "{}", back.unwrap_err());
    }

    #[test]
    fn values_come_back(
        dev in (kustomization(), values_file()), uat in (kustomization(), values_file()),
    ) {
        use Moved::{ImageDigest, ImageName, ImageTag};
        let mut rule = yaml("values.yaml", "image.tag");
        rule.create = true;
        let movers = vec![image("web", &[ImageName, ImageTag, ImageDigest]), Mover::Yaml(rule)];
        let both = |(kustomization, values): &(String, String)| {
            [("kustomization.yaml", kustomization.clone()), ("values.yaml", values.clone())]
        };
        let (dev, uat) = (both(&dev), both(&uat));
        let as_str = |files: &[(&'static str, String); 2]| -> Vec<(&'static str, String)> { files.to_vec() };
        let (dev, uat) = (as_str(&dev), as_str(&uat));
        let dev: Vec<(&str, &str)> = dev.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let uat: Vec<(&str, &str)> = uat.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let world = World::new(movers, &dev, &uat);
        if let Some(back) = there_and_back(&world, false) {
            prop_assert!(back.is_ok(), "{}", back.unwrap_err());
        }
    }
}
