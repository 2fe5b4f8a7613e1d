//! Rendering a folder: `kubectl gitops render -k` against `kustomize build`, and
//! against ourselves with a tenth of the input.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{RowError, make_folder, write};
use crate::answer;
use crate::contest::{ContestError, Contestant, hold};
use crate::measure::{Invocation, Room};
use crate::objects;
use crate::stats::Target;
use crate::table::Row;

/// A folder to render.
pub(crate) struct Input {
    /// What it is.
    pub(crate) what: String,
    /// Where it is.
    pub(crate) folder: PathBuf,
    /// What the project promises of it.
    pub(crate) targets: &'static [Target],
}

/// Real folders that come with the project's shared inputs, where those are.
pub(crate) fn real(seeds: &Path, repositories: &Path) -> [Input; 3] {
    const DEMO: &[Target] = &[Target::Faster(4.0)];
    const LARGE: &[Target] = &[Target::Faster(25.0), Target::HalfMemory];
    [
        ("render, demo-gitops dev overlay", seeds, "demo-gitops/start/k8s/overlays/dev", DEMO),
        ("render, dist/app-istio", seeds, "gitops-app-distribution/dist/app-istio", &[]),
        ("render, example-offline", repositories, "kubeflow-manifests/example-offline", LARGE),
    ]
    .map(|(what, root, folder, targets)| Input {
        what: what.to_owned(),
        folder: root.join(folder),
        targets,
    })
}

/// Two thousand resources in forty files, with labels and images set.
pub(crate) fn generated(room: &Room) -> Result<Input, RowError> {
    let what = "render, 2,000 resources, labels and images".to_owned();
    Ok(Input { what, folder: generate(room, 40)?, targets: &[Target::Faster(100.0)] })
}

/// The folder of a kustomization over the files of `teams` teams, 50 objects
/// each.
fn generate(room: &Room, teams: usize) -> Result<PathBuf, RowError> {
    let folder = room.path(&format!("render-{teams}"));
    make_folder(&folder)?;
    let files = objects::files(teams, false);
    for file in &files {
        write(&folder.join(&file.name), &file.text)?;
    }
    write(&folder.join("kustomization.yaml"), &objects::kustomization(&files))?;
    Ok(folder)
}

/// Ours with 1,000 and with 10,000 resources.
pub(crate) fn growth(room: &Room, runs: usize, ours: &Path) -> Result<Row, RowError> {
    let contestant = |teams: usize| -> Result<Contestant<'_>, RowError> {
        let folder = generate(room, teams)?;
        let words = ["render".into(), "-k".into(), folder.into_os_string()];
        let render: Invocation = Invocation::new::<OsString>(ours, words);
        Ok(Contestant::new("kubectl-gitops", render, 0, move |run| {
            let objects = 1 + run.stdout.windows(5).filter(|window| window == b"\n---\n").count();
            if objects == teams * 50 { Ok(()) } else { Err(format!("{objects} objects")) }
        }))
    };
    let (ours, peer) = hold(room, runs, &contestant(20)?, &contestant(200)?)?;
    Ok(Row {
        what: "render, 1,000 resources".to_owned(),
        peer_name: "the same, 10,000".to_owned(),
        ours,
        peer,
        target: Some(Target::Growth(11.0)),
    })
}

/// Both render the folder; every answer is the peer's, byte for byte. One row
/// for each target.
pub(crate) fn rows(
    room: &Room,
    runs: usize,
    ours: &Path,
    kustomize: &Path,
    input: Input,
) -> Result<Vec<Row>, RowError> {
    let folder = input.folder.as_os_str();
    let arguments = |words: &[&str]| -> Vec<OsString> {
        words.iter().map(OsString::from).chain([folder.to_owned()]).collect()
    };
    let build = Invocation::new(kustomize, arguments(&["build"]));
    let expected = room.run(&build)?;
    if expected.status != 0 || expected.stdout.is_empty() {
        let reason = format!("exit status {}\n{}", expected.status, expected.complaint());
        return Err(ContestError::Wrong { name: "kustomize".to_owned(), reason }.into());
    }
    let render = Invocation::new(ours, arguments(&["render", "-k"]));
    let ours = Contestant::new("kubectl-gitops", render, 0, |run| {
        answer::same_bytes(&run.stdout, &expected.stdout)
    });
    let peer = Contestant::new("kustomize", build, 0, |run| {
        if run.stdout == expected.stdout { Ok(()) } else { Err("it changed its mind".to_owned()) }
    });
    let (ours, peer) = hold(room, runs, &ours, &peer)?;
    let row = |target| Row {
        what: input.what.clone(),
        peer_name: "kustomize build".to_owned(),
        ours: ours.clone(),
        peer: peer.clone(),
        target,
    };
    if input.targets.is_empty() {
        return Ok(vec![row(None)]);
    }
    Ok(input.targets.iter().map(|target| row(Some(*target))).collect())
}
