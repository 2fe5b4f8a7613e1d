//! Why there is no plan.

use gitops_tree::{LFS_POINTER, TreeError, TreePath};

use crate::judge::Moved;
use crate::object::Source;

use super::merge::{Conflict, Past};
use super::rules::key_of;
use super::version::NoVersion;

/// Why no plan could be made. Nothing was changed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A file or folder could not be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A kustomization is not YAML.
    #[error("{path}:{line}:{column}: {reason}")]
    Yaml {
        /// The file.
        path: TreePath,
        /// 1-based line.
        line: u32,
        /// 1-based column.
        column: u32,
        /// What is wrong.
        reason: String,
    },
    /// What Git LFS leaves in place of a file.
    #[error("{path} is {LFS_POINTER}")]
    LfsPointer {
        /// The file.
        path: TreePath,
    },
    /// The environment's folder is written in another case.
    #[error("`{path}` does not exist")]
    OtherCase {
        /// The folder as `gitops.yaml` has it.
        path: TreePath,
        /// As it is.
        found: TreePath,
    },
    /// A kustomization is YAML of another shape.
    #[error("{at}: {reason}")]
    Shape {
        /// Where.
        at: Source,
        /// What is wrong.
        reason: String,
    },
    /// A folder holds no kustomization.
    #[error("no kustomization in `{folder}` of environment `{environment}`")]
    NoKustomization {
        /// The environment.
        environment: String,
        /// The folder.
        folder: TreePath,
    },
    /// A folder holds several kustomizations, as kustomize forbids.
    #[error("several kustomizations in `{folder}`: {}", .files.join(", "))]
    SeveralKustomizations {
        /// The folder.
        folder: TreePath,
        /// Their names.
        files: Vec<String>,
    },
    /// No app of that name.
    #[error("no app `{app}` in environment `{environment}`; {}", apps_there(.known))]
    UnknownApp {
        /// The name asked for.
        app: String,
        /// The environment.
        environment: String,
        /// Apps that are there, the most similar first.
        known: Vec<String>,
    },
    /// A glob over app names that cannot be read.
    #[error("`{glob}` is not a glob: {reason}")]
    BadGlob {
        /// The glob as given.
        glob: String,
        /// Why.
        reason: String,
    },
    /// A glob that no app matches.
    #[error("no app of environment `{environment}` matches `{glob}`; {}", similar(.known))]
    NoMatch {
        /// The glob.
        glob: String,
        /// The source environment.
        environment: String,
        /// Apps that are there, the most similar first.
        known: Vec<String>,
    },
    /// The app has nothing to be promoted into.
    #[error(
        "app `{app}` has no entry `{image}` among the images of `{path}` in environment `{environment}`"
    )]
    AbsentInTarget {
        /// The app.
        app: String,
        /// The image.
        image: String,
        /// The target environment.
        environment: String,
        /// Its kustomization.
        path: TreePath,
    },
    /// The source does not say which version it runs.
    #[error("app `{app}` has no {} in environment `{environment}` ({at})", keys(.wanted))]
    NoVersion {
        /// The app.
        app: String,
        /// The source environment.
        environment: String,
        /// The entry.
        at: Source,
        /// The fields that were looked for.
        wanted: Vec<Moved>,
    },
    /// The source runs another version than the one asked for.
    #[error("environment `{environment}` runs `{found}` of app `{app}`, not `{wanted}` ({at})")]
    OtherVersion {
        /// The app.
        app: String,
        /// The source environment.
        environment: String,
        /// What stands there.
        found: String,
        /// What was asked for.
        wanted: String,
        /// Where.
        at: Box<Source>,
    },
    /// Nobody says which versions of the app there are.
    #[error("nothing says which versions of app `{app}` there are")]
    NotOffered {
        /// The app.
        app: String,
    },
    /// None of the offered versions was chosen.
    #[error("app `{app}`: {reason}")]
    NotChosen {
        /// The app.
        app: String,
        /// Why.
        reason: NoVersion,
    },
    /// A value that kustomize refuses, since it reads as a number or so.
    #[error("{at}: `{key}: {value}` is not a string, so kustomize refuses the file")]
    NotText {
        /// Where.
        at: Source,
        /// The key.
        key: &'static str,
        /// The value as written.
        value: String,
    },
    /// A file is neither YAML nor JSON.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: TreePath,
        /// What is wrong, and where.
        reason: String,
    },
    /// Two places where one value is wanted.
    #[error("`{name}` stands in two places, {first} and {second}")]
    TwoPlaces {
        /// The value.
        name: String,
        /// One.
        first: Box<Source>,
        /// The other.
        second: Box<Source>,
    },
    /// A value is not where it should be.
    #[error("app `{app}` has no `{what}` in environment `{environment}`: {at}: {reason}")]
    NotThere {
        /// The app.
        app: String,
        /// The value.
        what: String,
        /// The environment.
        environment: String,
        /// Where it was looked for.
        at: Box<Source>,
        /// What was found instead.
        reason: String,
    },
    /// Source and target state the value in different ways.
    #[error(
        "app `{app}` has `{}` in environment `{environment}` ({}), where the source has `{}` ({})", .to.0, .to.1, .from.0, .from.1
    )]
    OtherPlace {
        /// The app.
        app: String,
        /// The target environment.
        environment: String,
        /// What the source has, and where.
        from: Box<(String, Source)>,
        /// What the target has, and where.
        to: Box<(String, Source)>,
    },
    /// A version that could mean several values.
    #[error("the version of app `{app}` could be any of {}", .values.join(", "))]
    SeveralVersions {
        /// The app.
        app: String,
        /// The values, and where they stand.
        values: Vec<String>,
    },
    /// Two entries for one image: which one counts is not for us to guess.
    #[error("{second}: image `{image}` stands a second time; the first is in line {}", .first.line.unwrap_or(0))]
    TwoEntries {
        /// The image.
        image: String,
        /// The first entry.
        first: Source,
        /// The second entry.
        second: Source,
    },
    /// The target's digest would go on deciding what runs.
    #[error(
        "{at}: image `{image}` is pinned by `digest`, which does not move; a new tag would change nothing"
    )]
    Pinned {
        /// The image.
        image: String,
        /// The digest.
        at: Source,
    },
    /// The version asked for is of a kind that does not move.
    #[error("version `{version}` sets `{}` of image `{image}`, which is not among the fields that move", key_of(*.what))]
    FieldStays {
        /// The version.
        version: String,
        /// The image.
        image: String,
        /// The field.
        what: Moved,
    },
    /// The version cannot be a tag.
    #[error("`{version}` is not a version of an image: {reason}")]
    BadVersion {
        /// The version.
        version: String,
        /// Why.
        reason: &'static str,
    },
    /// The rules leave nothing of the app to move.
    #[error("no field of app `{app}` moves: `never` covers all of them")]
    NothingMoves {
        /// The app.
        app: String,
    },
    /// Only files of the app move, and a version is to be released.
    #[error("of app `{app}` whole files move, and those have no version to release")]
    OnlyFiles {
        /// The app.
        app: String,
        /// Where its files are.
        folder: TreePath,
    },
    /// The source does not hold an app of the target.
    #[error("{app} is in {to} and not in {from}")]
    Gone {
        /// The app.
        app: String,
        /// The source environment.
        from: String,
        /// The target environment.
        to: String,
    },
    /// An app that the source does not hold, and that stays all the same.
    #[error("it is not in {from}, and stays in {to}: {reason}")]
    NotPruned {
        /// The source environment.
        from: String,
        /// The target environment.
        to: String,
        /// Why.
        reason: String,
    },
    /// A file that cannot be copied.
    #[error("`{path}` cannot be copied: {reason}")]
    NotCopied {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Both environments have changed since the last promotion.
    #[error("{app} has changed in both {from} and {to} since its last promotion\n{}", conflict_lines(.conflicts, .from, .to, .past))]
    Conflicts {
        /// The app.
        app: String,
        /// The source environment.
        from: String,
        /// The target environment.
        to: String,
        /// The last promotion.
        past: Box<Past>,
        /// What both have changed.
        conflicts: Vec<Conflict>,
    },
    /// The name of a folder or image that would spoil texts.
    #[error("`{app}` cannot name an app: it holds a blank or a control character")]
    BadApp {
        /// The name, escaped.
        app: String,
    },
    /// The app may not enter the environment.
    #[error("app `{app}` does not enter environment `{environment}`; its rule allows {}", .allowed.join(", "))]
    NotAllowed {
        /// The app.
        app: String,
        /// The environment.
        environment: String,
        /// Where it may go.
        allowed: Vec<String>,
    },
    /// Invariant 9: a file outside the target. No waiver opens this.
    #[error(
        "gitops/outside-target: `{path}` does not belong to environment `{environment}` (`{folder}`)"
    )]
    OutsideTarget {
        /// The file.
        path: TreePath,
        /// The target environment.
        environment: String,
        /// Its folder.
        folder: String,
    },
    /// The place that held a value of the past is gone.
    #[error("`{place}` of app `{app}` has no place in environment `{environment}` any more; it had one at {}", .commit.get(..10).unwrap_or(.commit))]
    NoPlace {
        /// The app.
        app: String,
        /// The environment.
        environment: String,
        /// The place.
        place: String,
        /// The commit at which it was there.
        commit: String,
    },
    /// Somebody else changed the value meanwhile.
    #[error("{at}: {} of `{name}` was changed meanwhile", key_of(*.what))]
    ChangedSince {
        /// The value.
        at: Source,
        /// Its name.
        name: String,
        /// What it is.
        what: Moved,
    },
    /// The branch template gave no branch name.
    #[error("`{branch}` cannot name a branch: {reason}")]
    BadBranch {
        /// The name.
        branch: String,
        /// Why.
        reason: &'static str,
    },
    /// The file could not be edited without touching more than the value.
    #[error("{at}: `{key}` cannot be set without changing more of the file: {reason}")]
    NotEditable {
        /// The entry.
        at: Source,
        /// The key.
        key: String,
        /// Why.
        reason: String,
    },
}

impl PlanError {
    /// Whether the answer is a plain no: everything was understood, and it may
    /// not be done as it was asked for.
    pub fn is_refusal(&self) -> bool {
        match self {
            PlanError::OutsideTarget { .. }
            | PlanError::Conflicts { .. }
            | PlanError::Gone { .. } => true,
            PlanError::NotChosen { reason, .. } => reason.is_refusal(),
            _ => false,
        }
    }

    /// What to do about it, where there is more to say than the error does.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            PlanError::Tree(error) => return error.hint(),
            PlanError::OnlyFiles { folder, .. } => {
                format!("change the files in {folder} and push them; `promote` moves them on")
            }
            PlanError::OtherCase { found, .. } => {
                format!("`{found}` differs in the case of letters: correct `path` in gitops.yaml")
            }
            PlanError::UnknownApp { app, known, .. } => {
                let near = |other: &&String| {
                    strsim::damerau_levenshtein(other, app) <= 1 + app.chars().count() / 4
                };
                format!("did you mean `{}`?", known.first().filter(near)?)
            }
            PlanError::NoKustomization { folder, .. } => {
                format!("put a kustomization.yaml into `{folder}`, or correct `path` in gitops.yaml")
            }
            PlanError::AbsentInTarget { image, path, .. } => {
                format!("add `- name: {image}` under `images:` in {path}, once and by hand")
            }
            PlanError::NoVersion { app, .. } => {
                format!("`kubectl gitops release {app} VERSION` puts a version there")
            }
            PlanError::OtherVersion { app, wanted, .. } => {
                format!("promote what is there by leaving out --version, or `kubectl gitops release {app} {wanted} --to ENV`")
            }
            PlanError::NotOffered { .. } => {
                "add `versions: {tags: URL}` or `versions: {file: PATH}` to its entry of `apps` in gitops.yaml".to_owned()
            }
            PlanError::NotChosen { reason, .. } => return reason.hint(),
            PlanError::NotText { key, value, .. } => format!("quote it: `{key}: \"{value}\"`"),
            PlanError::Pinned { .. } | PlanError::FieldStays { .. } => {
                "name the field in `fields` of that image in gitops.yaml, or take it out of the target".to_owned()
            }
            PlanError::Gone { app, to, .. } => {
                format!("`kubectl gitops promote {app} --to {to} --prune` takes its folder away")
            }
            PlanError::Conflicts { from, to, .. } => format!(
                "`--conflicts source` takes what `{from}` holds, `--conflicts target` keeps what `{to}` holds"
            ),
            PlanError::NotAllowed { .. } => {
                "`only.environments` in gitops.yaml says so".to_owned()
            }
            PlanError::NotThere { .. } => {
                "correct `promote` of the app in gitops.yaml, or put the value there by hand".to_owned()
            }
            PlanError::TwoPlaces { .. } => {
                "name the file, the `kind` or the `name` of the object in gitops.yaml".to_owned()
            }
            PlanError::OtherPlace { .. } => {
                "state it alike in both environments, once and by hand".to_owned()
            }
            PlanError::SeveralVersions { .. } => {
                "promote from an environment that holds them, or edit the file".to_owned()
            }
            PlanError::BadBranch { .. } => {
                "change `pullRequest.branch` in gitops.yaml".to_owned()
            }
            PlanError::NotEditable { .. } => "write the entry in block style, one key a line, without anchors".to_owned(),
            _ => return None,
        })
    }
}

fn similar(names: &[String]) -> String {
    match names {
        [] => "it has none".to_owned(),
        names => format!("the most similar are {}", names[..names.len().min(5)].join(", ")),
    }
}

fn apps_there(names: &[String]) -> String {
    if names.is_empty() {
        "it has none".to_owned()
    } else {
        format!("known are {}", names.join(", "))
    }
}

fn conflict_lines(conflicts: &[Conflict], source: &str, target: &str, past: &Past) -> String {
    let lines: Vec<String> =
        conflicts.iter().map(|conflict| conflict.words(source, target, past)).collect();
    lines.join("\n")
}

fn keys(fields: &[Moved]) -> String {
    fields.iter().map(|field| format!("`{}`", key_of(*field))).collect::<Vec<_>>().join(" or ")
}
