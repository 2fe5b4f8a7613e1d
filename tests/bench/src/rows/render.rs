//! Rendering a folder: `kubectl gitops render -k` against `kustomize build`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{RowError, make_folder, write};
use crate::answer;
use crate::contest::{ContestError, Contestant, hold};
use crate::measure::{Invocation, Room};
use crate::objects;
use crate::table::Row;

/// A folder to render.
pub(crate) struct Input {
    /// What it is.
    pub(crate) what: String,
    /// Where it is.
    pub(crate) folder: PathBuf,
}

/// Real folders that come with the project's shared inputs, where those are.
pub(crate) fn real(seeds: &Path) -> [Input; 2] {
    [
        ("render, demo-gitops dev overlay", "demo-gitops/start/k8s/overlays/dev"),
        ("render, dist/app-istio", "gitops-app-distribution/dist/app-istio"),
    ]
    .map(|(what, folder)| Input { what: what.to_owned(), folder: seeds.join(folder) })
}

/// Two thousand resources in forty files, with labels and images set.
pub(crate) fn generated(room: &Room) -> Result<Input, RowError> {
    let folder = room.path("render");
    make_folder(&folder)?;
    let files = objects::files(objects::MOST_TEAMS, false);
    for file in &files {
        write(&folder.join(&file.name), &file.text)?;
    }
    write(&folder.join("kustomization.yaml"), &objects::kustomization(&files))?;
    Ok(Input { what: "render, 2,000 resources, labels and images".to_owned(), folder })
}

/// Both render the folder; every answer is the peer's, byte for byte.
pub(crate) fn row(
    room: &Room,
    runs: usize,
    ours: &Path,
    kustomize: &Path,
    input: Input,
) -> Result<Row, RowError> {
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
    Ok(Row { what: input.what, peer_name: "kustomize build".to_owned(), ours, peer, target: None })
}
