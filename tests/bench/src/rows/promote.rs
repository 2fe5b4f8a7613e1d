//! Promotions in a large repository, and one edit of one file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{RowError, did, make_folder, write};
use crate::contest::{Contestant, hold};
use crate::fleet::{self, Fleet, POLICIES};
use crate::measure::{Invocation, Room, Run};
use crate::stats::Target;
use crate::table::Row;

/// How many apps the large repository has.
const APPS: usize = 500;
/// How many a smaller one has, to see growth.
const FEWER: usize = 50;

/// Planning, rendering and judging one app of many, against what
/// `kustomize build` takes for that app's folder alone.
pub(crate) fn one_of_many(
    room: &Room,
    runs: usize,
    ours: &Path,
    kustomize: &Path,
) -> Result<Vec<Row>, RowError> {
    let fleet = make(room, "fleet-one", APPS, None)?;
    let words = ["-C".into(), fleet.clone.clone().into_os_string()];
    let words =
        ["promote", "app-007", "--to", "uat", "--dry-run"].iter().map(OsString::from).chain(words);
    let ours = Contestant::new("kubectl-gitops", Invocation::new(ours, words), 0, |run| {
        says(run, &["envs/uat/app-007/kustomization.yaml:10", "1 configured", "gate: open"])
    });
    let folder = fleet.clone.join("envs/uat/app-007");
    let build = Invocation::new(kustomize, ["build".into(), folder.into_os_string()]);
    let peer = Contestant::new("kustomize", build, 0, |run| says(run, &["name: app-007"]));
    let (ours, peer) = hold(room, runs, &ours, &peer)?;
    let row = |target| Row {
        what: format!("promote 1 of {APPS} apps, dry run, {} files", fleet.files),
        peer_name: "kustomize build of its folder".to_owned(),
        ours: ours.clone(),
        peer: peer.clone(),
        target: Some(target),
    };
    Ok(vec![row(Target::AtMost(Duration::from_millis(150))), row(Target::MemoryAtMost(100))])
}

/// Planning, rendering and judging all apps by several policies, and how that
/// grows.
pub(crate) fn all(
    room: &Room,
    runs: usize,
    ours: &Path,
    policy: &Path,
) -> Result<Vec<Row>, RowError> {
    let component = did(&format!("read {}", policy.display()), std::fs::read(policy))?;
    let contestant = |apps: usize| -> Result<Contestant<'_>, RowError> {
        let fleet = make(room, &format!("fleet-{apps}"), apps, Some(&component))?;
        let lock = room.run(&Invocation::new(
            ours,
            ["policy".into(), "lock".into(), "-C".into(), fleet.clone.clone().into_os_string()],
        ))?;
        if lock.status != 0 {
            return Err(RowError::Unfit(format!("policy lock: {}", lock.complaint())));
        }
        fleet::commit(&fleet)?;
        let words = ["promote", "--to", "uat", "--dry-run", "-C"].iter().map(OsString::from);
        let words = words.chain([fleet.clone.into_os_string()]);
        Ok(Contestant::new("kubectl-gitops", Invocation::new(ours, words), 0, move |run| {
            let text = String::from_utf8_lossy(&run.stdout);
            let open = text.lines().filter(|line| line.starts_with("gate: open")).count();
            let judged = text.lines().filter(|line| line.starts_with("policy policy-")).count();
            if (open, judged) == (apps, apps * POLICIES) {
                return Ok(());
            }
            Err(format!("{open} gates are open, {judged} judgements are told"))
        }))
    };
    let (large, small) = (contestant(APPS)?, contestant(FEWER)?);
    let (large, small) = hold(room, runs, &large, &small)?;
    let row = |what: usize, peer: usize, (ours, peer_sample), target| Row {
        what: format!("promote all {what} apps, dry run, {POLICIES} policies"),
        peer_name: format!("the same, {peer}"),
        ours,
        peer: peer_sample,
        target: Some(target),
    };
    let samples = (large.clone(), small.clone());
    Ok(vec![
        row(APPS, FEWER, samples, Target::AtMost(Duration::from_secs(5))),
        row(FEWER, APPS, (small, large), Target::Growth(11.0)),
    ])
}

/// The tag of one image in one file, whole process: the release of a plan and
/// the file written, against `kustomize edit set image`.
pub(crate) fn edit(
    room: &Room,
    runs: usize,
    edit: &Path,
    kustomize: &Path,
) -> Result<(Row, String), RowError> {
    let folder = room.path("edit");
    make_folder(&folder)?;
    let before = KUSTOMIZATION;
    write(&folder.join("kustomization.yaml"), before)?;
    let theirs = room.path("edit-peer");
    make_folder(&theirs)?;
    write(&theirs.join("kustomization.yaml"), before)?;
    let out = room.path("edited.yaml");
    let words = [folder.into_os_string(), "web".into(), "v2".into(), out.clone().into_os_string()];
    let kept = before.replace("newTag: v1 #", "newTag: v2 #");
    let written = out.clone();
    let ours = Contestant::new("edit", Invocation::new(edit, words.clone()), 0, move |_| {
        match std::fs::read_to_string(&written) {
            Ok(text) if text == kept => Ok(()),
            Ok(_) => Err("other bytes than the tag's differ".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    });
    let set = Invocation::new(kustomize, ["edit", "set", "image", "web=registry.example/web:v2"]);
    let file = theirs.join("kustomization.yaml");
    let peer = Contestant::new("kustomize edit", set.inside(theirs), 0, move |_| {
        match std::fs::read_to_string(&file) {
            Ok(text) if text.contains("newTag: v2") => Ok(()),
            _ => Err("the tag is not set".to_owned()),
        }
    });
    let (ours, peer) = hold(room, runs, &ours, &peer)?;
    let inside = room.run(&Invocation::new(edit, words))?;
    let row = Row {
        what: "set a tag, whole process".to_owned(),
        peer_name: "kustomize edit set image".to_owned(),
        ours,
        peer,
        target: Some(Target::Faster(3.0)),
    };
    Ok((row, format!("set a tag, in the process: {}", inside.stderr.trim_end())))
}

/// A kustomization with comments, quotes and an order of its own.
const KUSTOMIZATION: &str = "\
# what runs here
namespace:   \"shop\"
resources: [ deployment.yaml ]   # one
images:
  - newTag: v1 # moved by promotion
    newName: registry.example/web
    name: web
  - {name: api, newTag: 'v7'}
";

fn make(room: &Room, name: &str, apps: usize, policy: Option<&[u8]>) -> Result<Fleet, RowError> {
    let folder: PathBuf = room.path(name);
    make_folder(&folder)?;
    fleet::make(&folder, apps, policy)
}

fn says(run: &Run, all: &[&str]) -> Result<(), String> {
    let text = String::from_utf8_lossy(&run.stdout);
    match all.iter().find(|words| !text.contains(**words)) {
        Some(words) => Err(format!("it does not say `{words}`")),
        None => Ok(()),
    }
}
