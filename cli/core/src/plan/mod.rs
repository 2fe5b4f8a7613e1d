//! Promotions as data: which values move, which files change, what was read
//! to know that, and the texts that go with it.
//!
//! - [`Rules`], [`Template`], [`Texts`]: what `gitops.yaml` says, resolved
//! - [`discover_apps`]: which apps an environment holds, and the [`Slot`]s of
//!   each: the places that hold what moves
//! - [`moves`]: the slots in which two states differ
//! - [`release`], [`promote`]: a [`Step`] becomes [`Planned`]
//! - [`version`]: constraints on versions, and the one that is chosen; [`seekers`]
//!   are the apps that one is chosen for
//! - [`show`]: a [`Plan`] in text, as `--dry-run` prints it
//!
//! A [`Plan`] holds paths, names of contents and digests; the new bytes stand
//! beside it in [`Contents`].

mod apps;
mod aside;
mod automation;
mod blob;
mod chosen;
mod copy;
mod edit;
mod enters;
mod error;
mod exact;
mod hunk;
mod images;
mod make;
mod merge;
mod movers;
mod narrow;
mod path;
mod pipeline;
mod rollback;
mod rules;
mod show;
mod slot;
mod strays;
mod template;
mod unsettled;
pub mod version;
mod wanted;
mod within;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use gitops_tree::{EntryKind, Mode, Overlay, Reading, Tree, TreeError, TreePath};
use sha2::{Digest, Sha256};

pub use apps::{KUSTOMIZATION_FILES, discover_apps, folder_of, kustomization_file};
pub use blob::BlobId;
pub use copy::CopyRule;
pub use enters::{Choices, Seeker, seekers};
pub use error::PlanError;
pub use hunk::printable;
pub use make::{Planned, Promotion, Side, Skipped, Step, promote, release};
pub use merge::{Conflict, Fate, Past, Prefer, fate};
pub use narrow::Narrow;
pub use path::ValuePath;
pub use pipeline::is_pipeline;
pub use rollback::{Undo, Undoing, Undone, rollback};
pub use rules::{
    AppRule, ChartRule, FieldPattern, ImageRule, Mover, Pattern, RefRule, RegexRule, Rules,
    ValuesFile, ValuesRule, Versions, YamlRule, key_of,
};
pub use show::show;
pub use slot::{App, Held, Slot, SlotId, Spot, moves};
pub use strays::strays;
pub use template::{Template, TemplateError, VARIABLES, Values, branch_problem};
pub use unsettled::{gone, unsettled};

use crate::judge::{EnvironmentRef, Judgement, Move, Operation};

/// The texts of a promotion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// Name of the request's branch.
    pub branch: Template,
    /// Commit message, without trailers.
    pub commit: Template,
    /// Title of the request.
    pub title: Template,
    /// Body of the request.
    pub body: Template,
    /// Labels of the request.
    pub labels: Vec<String>,
    /// Whose reviews of the request are asked for.
    pub reviewers: Vec<String>,
}

/// One file that changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    /// Path from the root of the repository.
    pub path: TreePath,
    /// Its content before; `None` for a new file.
    pub before: Option<BlobId>,
    /// Its content after; `None` where it is taken away.
    pub after: Option<BlobId>,
    /// How it is held after, where that changes: a new file is regular.
    pub mode: Option<Mode>,
}

/// A commit of the past that a plan rests on: the last promotion of an app.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RestsOn {
    /// The app.
    pub app: String,
    /// The commit on the target's branch.
    pub commit: String,
    /// The commit of the source's branch that was promoted then.
    pub source: String,
}

/// Which revision was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadFrom {
    /// The revision that the source environment is read from.
    Source,
    /// The revision that the change is made on.
    Target,
    /// The revision that configuration and policies are read from.
    Trust,
    /// A repository that a kustomization names by its address. The path is that
    /// address and its reference.
    Remote,
}

impl ReadFrom {
    /// The word in JSON and digests.
    pub fn word(self) -> &'static str {
        match self {
            ReadFrom::Source => "source",
            ReadFrom::Target => "target",
            ReadFrom::Trust => "trust",
            ReadFrom::Remote => "remote",
        }
    }
}

/// What was found at a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    /// Nothing.
    Absent,
    /// A file.
    File(BlobId),
    /// A file that is executable.
    Executable(BlobId),
    /// A symbolic link, named by the content Git gives it.
    Link(BlobId),
    /// A directory whose names did not matter.
    Directory,
    /// The names in a directory.
    Names(BlobId),
    /// A submodule or the like.
    Other,
    /// The commit that a reference led to.
    Commit(String),
}

/// Prints one word: the content's name where there is one.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Absent => f.write_str("absent"),
            Found::File(blob) => write!(f, "{blob}"),
            Found::Executable(blob) => write!(f, "executable:{blob}"),
            Found::Link(blob) => write!(f, "link:{blob}"),
            Found::Directory => f.write_str("directory"),
            Found::Names(blob) => write!(f, "names:{blob}"),
            Found::Other => f.write_str("other"),
            Found::Commit(id) => f.write_str(id),
        }
    }
}

/// One thing a plan rests on: when it changes, the plan is no longer true.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadEntry {
    /// Of which revision.
    pub from: ReadFrom,
    /// Path from the root of the repository.
    pub path: TreePath,
    /// What was found there.
    pub found: Found,
}

impl ReadEntry {
    /// Looks up again what a [`Reading`] found in `tree`.
    ///
    /// # Errors
    ///
    /// When something stands there that cannot be read.
    pub fn of(from: ReadFrom, tree: &dyn Tree, reading: &Reading) -> Result<ReadEntry, TreeError> {
        let (path, found) = match reading {
            Reading::Path(path) => {
                let found = match tree.kind(path)? {
                    None => Found::Absent,
                    Some(EntryKind::File) => {
                        let blob = BlobId::of(&tree.read(path)?);
                        match tree.executable(path)? {
                            true => Found::Executable(blob),
                            false => Found::File(blob),
                        }
                    }
                    Some(EntryKind::Link) => Found::Link(BlobId::of(tree.link(path)?.as_bytes())),
                    Some(EntryKind::Directory) => Found::Directory,
                    Some(EntryKind::Other) => Found::Other,
                };
                (path, found)
            }
            Reading::List(path) => {
                let found = match tree.list(path) {
                    Ok(entries) => {
                        let mut names = String::new();
                        for entry in entries {
                            names.push_str(&format!("{:?} {}\0", entry.kind, entry.name));
                        }
                        Found::Names(BlobId::of(names.as_bytes()))
                    }
                    Err(TreeError::Absent { .. }) => Found::Absent,
                    Err(TreeError::WrongKind { .. }) => Found::Other,
                    Err(error) => return Err(error),
                };
                (path, found)
            }
        };
        Ok(ReadEntry { from, path: path.clone(), found })
    }

    /// Whether `tree` still answers the same; never for a commit, which no tree
    /// tells.
    ///
    /// # Errors
    ///
    /// When something stands there that cannot be read.
    pub fn holds_in(&self, tree: &dyn Tree) -> Result<bool, TreeError> {
        let reading = match self.found {
            Found::Names(_) => Reading::List(self.path.clone()),
            _ => Reading::Path(self.path.clone()),
        };
        Ok(ReadEntry::of(self.from, tree, &reading)?.found == self.found)
    }
}

/// What a promotion would do. `--dry-run` prints it and performing executes
/// it; it holds no file bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Release, promotion or rollback.
    pub operation: Operation,
    /// The apps that move, sorted.
    pub apps: Vec<String>,
    /// Where to.
    pub target: EnvironmentRef,
    /// Where from; `None` for a release.
    pub source: Option<EnvironmentRef>,
    /// Commit that the source was read from; `None` for a release.
    pub source_revision: Option<String>,
    /// The branch that is to change.
    pub base: String,
    /// Commit of `base` that the edits were made on. No digest covers it: a
    /// plan stays true while nothing it read moves.
    pub base_revision: String,
    /// The request's branch; `None` where the change goes onto `base` itself.
    pub branch: Option<String>,
    /// The version in words.
    pub version: String,
    /// The files that change, sorted by path.
    pub edits: Vec<Edit>,
    /// The values that move.
    pub moves: Vec<Move>,
    /// What was read.
    pub reads: BTreeSet<ReadEntry>,
    /// The earlier promotions that decided what moves.
    pub rests_on: BTreeSet<RestsOn>,
    /// What else there is to say about it, a sentence each. No digest covers
    /// them.
    pub notes: Vec<String>,
    /// What may undo it, or lags behind it. No digest covers them.
    pub warnings: Vec<String>,
    /// The values files of its apps that differ and stay with their
    /// environment. No digest covers them.
    pub stays: Vec<String>,
    /// The apps whose version was chosen, and is not what the source runs. No
    /// digest covers them: what moves is in the edits.
    pub alone: Vec<String>,
    /// For a rollback, the commits that it takes back, the newest first.
    pub takes_back: Vec<String>,
    /// Commit message, without trailers.
    pub subject: String,
    /// Title of the request.
    pub title: String,
    /// Body of the request.
    pub body: String,
    /// Labels of the request.
    pub labels: Vec<String>,
    /// Whose reviews of the request are asked for.
    pub reviewers: Vec<String>,
    /// Other environments that change on purpose. No digest covers the names:
    /// what was read of them is covered.
    pub also: Vec<String>,
    /// What each policy said, as [`Judgement::claim`] words it; empty until the
    /// plan is judged. No digest covers it.
    pub claims: Vec<String>,
    /// The gates that somebody goes past: `GATE by NAME <MAIL>: REASON`. No
    /// digest covers them.
    pub overrides: Vec<String>,
}

impl Plan {
    /// Notes what the policies said, so that it is shown and committed.
    pub fn judged(&mut self, judgements: &[Judgement]) {
        self.claims = judgements.iter().map(Judgement::claim).collect();
    }

    /// Whether the target already holds every value.
    pub fn nothing_to_do(&self) -> bool {
        self.edits.is_empty()
    }

    /// Names the edits: two plans with the same one change the same bytes.
    pub fn change_digest(&self) -> String {
        change_digest(&self.edits)
    }

    /// Names the edits and everything that was read to make and judge them.
    /// Neither dates nor texts nor commit names belong to it.
    pub fn plan_digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"plan/1\n");
        hash.update(self.change_digest());
        for read in &self.reads {
            field(&mut hash, read.from.word());
            field(&mut hash, read.path.as_str());
            field(&mut hash, &read.found.to_string());
        }
        for past in &self.rests_on {
            field(&mut hash, "rests on");
            field(&mut hash, &past.app);
            field(&mut hash, &past.commit);
            field(&mut hash, &past.source);
        }
        digest(hash)
    }

    /// The trailers of the commit, in order.
    pub fn trailers(&self) -> Vec<(&'static str, String)> {
        let mut trailers = Vec::new();
        if let Some(source) = &self.source {
            trailers.push(("Promoted-From", source.name.clone()));
        }
        if let Some(revision) = &self.source_revision {
            trailers.push(("Source-Commit", revision.clone()));
        }
        let from = self.source.as_ref().and_then(|source| source.repository.as_ref());
        if let Some(from) = from.filter(|from| self.target.repository.as_ref() != Some(from)) {
            trailers.push(("Source-Repository", from.clone()));
        }
        trailers.extend(self.takes_back.iter().map(|commit| ("Rolled-Back", commit.clone())));
        trailers.push(("Plan-Digest", self.plan_digest()));
        trailers.extend(self.claims.iter().map(|claim| ("Policy", claim.clone())));
        trailers.extend(self.overrides.iter().map(|gate| ("Gate-Override", gate.clone())));
        trailers.extend(self.also.iter().map(|name| ("Also-Changes", name.clone())));
        trailers
    }

    /// The whole commit message.
    pub fn message(&self) -> String {
        let mut message = format!("{}\n\n", self.subject.trim_end());
        for (name, value) in self.trailers() {
            message.push_str(&format!("{name}: {value}\n"));
        }
        message
    }
}

/// Names a set of edits: SHA-256 over their paths and contents.
pub fn change_digest(edits: &[Edit]) -> String {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort();
    let mut hash = Sha256::new();
    hash.update(b"change/1\n");
    for edit in sorted {
        field(&mut hash, edit.path.as_str());
        field(&mut hash, &blob_word(edit.before));
        field(&mut hash, &blob_word(edit.after));
        if let Some(mode) = edit.mode {
            field(&mut hash, mode_word(mode));
        }
    }
    digest(hash)
}

fn blob_word(blob: Option<BlobId>) -> String {
    blob.map_or_else(|| "absent".to_owned(), |blob| blob.to_string())
}

/// The word for a mode in JSON and digests.
pub fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Regular => "regular",
        Mode::Executable => "executable",
        Mode::Link => "link",
    }
}

/// Adds a text to a hash so that no two lists of texts look the same.
fn field(hash: &mut Sha256, text: &str) {
    hash.update(format!("{}:", text.len()));
    hash.update(text);
    hash.update(b"\n");
}

fn digest(hash: Sha256) -> String {
    let bytes = hash.finalize();
    let mut text = String::from("sha256:");
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// The bytes of the files that change. Never printed: [`show`] shows hunks of
/// them, with what may be secret left out.
#[derive(Clone, Default)]
pub struct Contents {
    files: BTreeMap<TreePath, FileBytes>,
}

/// One file before and after.
#[derive(Clone)]
pub struct FileBytes {
    /// Before; `None` for a new file.
    pub before: Option<Arc<[u8]>>,
    /// After; `None` where the file is taken away.
    pub after: Option<Arc<[u8]>>,
    /// How it is held after; `None` keeps that. Where a link is taken away it
    /// is said that there was one.
    pub mode: Option<Mode>,
}

impl Contents {
    /// `tree` as it is with these files in it.
    pub fn over<'a>(&self, tree: &'a dyn Tree) -> Overlay<'a> {
        let mut after = Overlay::new(tree);
        for (path, file) in &self.files {
            let path = path.clone();
            match (&file.after, file.mode) {
                (None, _) => after.remove(path),
                (Some(bytes), None) => after.write(path, bytes.clone()),
                (Some(bytes), Some(Mode::Link)) => {
                    after.write_link(path, String::from_utf8_lossy(bytes));
                }
                (Some(bytes), Some(mode)) => {
                    after.write_file(path, bytes.clone(), mode == Mode::Executable);
                }
            }
        }
        after
    }

    /// The files, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = (&TreePath, &FileBytes)> {
        self.files.iter()
    }

    /// One file.
    pub fn get(&self, path: &TreePath) -> Option<&FileBytes> {
        self.files.get(path)
    }
}

/// The environments, other than the target, that an edit of `paths` may
/// change: those whose read set meets it (invariant 10). `readings` gives the
/// read set of each environment's rendering.
pub fn others_touched<'a>(
    readings: impl IntoIterator<Item = (&'a str, &'a BTreeSet<Reading>)>,
    target: &str,
    paths: &[TreePath],
) -> Vec<String> {
    readings
        .into_iter()
        .filter(|(name, _)| *name != target)
        .filter(|(_, readings)| {
            readings.iter().any(|reading| paths.iter().any(|path| reading.depends_on(path)))
        })
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Refuses paths outside the target environment (invariant 9). With `{app}`
/// in the environment's path, only the folders of `apps` belong to it.
///
/// # Errors
///
/// [`PlanError::OutsideTarget`] for the first such path.
pub fn outside_target<'a>(
    target: &EnvironmentRef,
    apps: &[String],
    paths: impl IntoIterator<Item = &'a TreePath>,
) -> Result<(), PlanError> {
    let mut folders = Vec::new();
    if target.path.contains("{app}") {
        for app in apps {
            folders.push(apps::folder_of_app(target, app)?);
        }
    } else {
        folders.push(apps::folder_of(target)?);
    }
    for path in paths {
        if !folders.iter().any(|folder| path.is_within(folder)) {
            return Err(PlanError::OutsideTarget {
                path: path.clone(),
                environment: target.name.clone(),
                folder: target.path.clone(),
            });
        }
    }
    Ok(())
}
