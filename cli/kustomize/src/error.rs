//! What can go wrong in a build, and where.

use std::fmt;

use gitops_tree::{TreeError, TreePath};

use crate::supply::Need;

/// A place in a file of the tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, from the root of the tree.
    pub path: TreePath,
    /// 1-based line, where known.
    pub line: Option<u32>,
    /// 1-based column in characters, where known.
    pub column: Option<u32>,
}

impl Place {
    /// The file as a whole.
    pub fn file(path: TreePath) -> Place {
        Place { path, line: None, column: None }
    }
}

/// Prints `path`, `path:line` or `path:line:column`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What stands behind an address is named by it; paths have no doubled slash.
        match ["https:/", "http:/", "ssh:/", "file:/"]
            .iter()
            .find_map(|scheme| Some((scheme, self.path.as_str().strip_prefix(scheme)?)))
        {
            Some((scheme, rest)) => write!(f, "{scheme}/{rest}")?,
            None => write!(f, "{}", self.path)?,
        }
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        Ok(())
    }
}

/// Why a kustomization does not build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The directory holds no kustomization file.
    #[error(
        "`{dir}` holds no kustomization file; add a `kustomization.yaml` that lists its resources"
    )]
    NoKustomization {
        /// The directory.
        dir: TreePath,
    },
    /// The directory holds more than one kustomization file.
    #[error("`{dir}` holds {}; keep one of them", list_names(.names))]
    ManyKustomizations {
        /// The directory.
        dir: TreePath,
        /// The names of the files.
        names: Vec<&'static str>,
    },
    /// A kustomization file that asks for nothing.
    #[error("{place}: the kustomization is empty; add `resources`, or delete the file")]
    EmptyKustomization {
        /// The file.
        place: Place,
    },
    /// `kind` or `apiVersion` of a kustomization is another than kustomize knows.
    #[error("{place}: `{field}` is `{found}`, expected {expected}")]
    Header {
        /// Where the field stands.
        place: Place,
        /// `kind` or `apiVersion`.
        field: &'static str,
        /// The value found.
        found: String,
        /// What is right there.
        expected: &'static str,
    },
    /// A field that kustomize does not know.
    #[error("{place}: unknown field `{field}`{}", suggest(.near))]
    UnknownField {
        /// Where its key stands.
        place: Place,
        /// The field, with its parents.
        field: String,
        /// The known field that is nearest to it.
        near: Option<String>,
    },
    /// A field holds something of another type.
    #[error("{place}: `{field}` must be {expected}")]
    WrongType {
        /// Where the value stands.
        place: Place,
        /// The field, with its parents.
        field: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A value that its field does not allow.
    #[error("{place}: {message}")]
    Invalid {
        /// Where the value stands.
        place: Place,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// A file is not YAML.
    #[error("{place}: {message}")]
    Yaml {
        /// Where the reader stopped.
        place: Place,
        /// Its complaint.
        message: String,
    },
    /// Something named in a kustomization could not be read.
    #[error("{place}: {source}")]
    Unreadable {
        /// Where it is named.
        place: Place,
        /// Why.
        #[source]
        source: TreeError,
    },
    /// The folder to build could not be read.
    #[error("`{dir}` cannot be built: {source}")]
    Folder {
        /// The folder.
        dir: TreePath,
        /// Why.
        #[source]
        source: TreeError,
    },
    /// Something named in a kustomization does not exist.
    #[error(
        "{place}: `{reference}` does not exist (looked for `{path}`); correct the path or delete the entry"
    )]
    NotFound {
        /// Where it is named.
        place: Place,
        /// The reference as written.
        reference: String,
        /// The path it stands for.
        path: TreePath,
    },
    /// A reference that leads out of the tree.
    #[error(
        "{place}: `{reference}` leads out of the repository; copy what it names into the repository"
    )]
    OutsideTree {
        /// Where it is named.
        place: Place,
        /// The reference as written.
        reference: String,
    },
    /// A link that leads out of the tree.
    #[error(
        "{place}: `{reference}` goes through the link `{link}`, which leads to `{target}`, out of the repository; make it lead to a file in it"
    )]
    LinkOutside {
        /// Where the reference stands.
        place: Place,
        /// The reference as written.
        reference: String,
        /// The link.
        link: TreePath,
        /// Where it leads, as written.
        target: String,
    },
    /// A file outside the kustomization's folder, which the load restrictor forbids.
    #[error(
        "{place}: `{reference}` {}is not in or below `{root}`; move the file there, or build with `--load-restrictor LoadRestrictionsNone`",
        linked(.link)
    )]
    OutsideRoot {
        /// Where it is named.
        place: Place,
        /// The reference as written.
        reference: String,
        /// The file that it leads to, where it goes through a link.
        link: Option<TreePath>,
        /// The kustomization's folder.
        root: TreePath,
    },
    /// A reference of the wrong kind: a directory for a file, or a file for a directory.
    #[error("{place}: `{reference}` is {found}, expected {expected}")]
    WrongEntry {
        /// Where it is named.
        place: Place,
        /// The reference as written.
        reference: String,
        /// What stands there.
        found: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// A kustomization builds on itself.
    #[error(
        "{place}: `{reference}` closes a cycle: `{candidate}` contains `{visited}`, which is being built"
    )]
    Cycle {
        /// Where the reference stands.
        place: Place,
        /// The reference as written.
        reference: String,
        /// The directory it stands for.
        candidate: TreePath,
        /// The directory that is being built.
        visited: TreePath,
    },
    /// Symbolic links that lead to each other.
    #[error("{place}: `{reference}` goes through too many symbolic links")]
    LinkLoop {
        /// Where the reference stands.
        place: Place,
        /// The reference as written.
        reference: String,
    },
    /// The build needs something that it cannot fetch.
    #[error("{place}: needs {need}, {}", .need.way_out())]
    Needs {
        /// Where it is named.
        place: Place,
        /// What.
        need: Need,
    },
    /// A document that is no Kubernetes object.
    #[error("{place}: document {document} is no Kubernetes object: {message}")]
    Object {
        /// Where the document stands.
        place: Place,
        /// 1-based number of the document.
        document: u32,
        /// What it lacks.
        message: String,
    },
    /// Two objects with one identity.
    #[error("{second}: `{id}` is already defined at {first}; delete or rename one of them")]
    Duplicate {
        /// The identity.
        id: String,
        /// The first object.
        first: Place,
        /// The second object.
        second: Place,
    },
    /// A patch that cannot be read or applied.
    #[error("{place}: {message}")]
    Patch {
        /// Where the patch stands.
        place: Place,
        /// What is wrong.
        message: String,
    },
    /// A generator that cannot be carried out.
    #[error("{place}: {message}")]
    Generator {
        /// Where the generator stands.
        place: Place,
        /// What is wrong.
        message: String,
    },
    /// A field of an object is of a type that a transformation cannot work on.
    #[error("{place}: field `{field}` of `{id}`: {message}")]
    Field {
        /// Where the object stands.
        place: Place,
        /// The field.
        field: String,
        /// The object.
        id: String,
        /// What is wrong.
        message: String,
    },
    /// A name that several objects could be meant by.
    #[error(
        "{place}: field `{field}` of `{id}` names `{name}`, which could be any of {candidates}; give them different names"
    )]
    Ambiguous {
        /// Where the referring object stands.
        place: Place,
        /// The field that refers.
        field: String,
        /// The referring object.
        id: Box<str>,
        /// The name.
        name: Box<str>,
        /// The objects it could mean.
        candidates: Box<str>,
    },
}

impl BuildError {
    /// Where it stands; `None` where it is about a whole folder.
    pub fn place(&self) -> Option<&Place> {
        match self {
            BuildError::NoKustomization { .. }
            | BuildError::ManyKustomizations { .. }
            | BuildError::Folder { .. } => None,
            BuildError::EmptyKustomization { place }
            | BuildError::Header { place, .. }
            | BuildError::UnknownField { place, .. }
            | BuildError::WrongType { place, .. }
            | BuildError::Invalid { place, .. }
            | BuildError::Yaml { place, .. }
            | BuildError::Unreadable { place, .. }
            | BuildError::NotFound { place, .. }
            | BuildError::OutsideTree { place, .. }
            | BuildError::OutsideRoot { place, .. }
            | BuildError::LinkOutside { place, .. }
            | BuildError::WrongEntry { place, .. }
            | BuildError::Cycle { place, .. }
            | BuildError::LinkLoop { place, .. }
            | BuildError::Needs { place, .. }
            | BuildError::Object { place, .. }
            | BuildError::Patch { place, .. }
            | BuildError::Generator { place, .. }
            | BuildError::Field { place, .. }
            | BuildError::Ambiguous { place, .. } => Some(place),
            BuildError::Duplicate { second, .. } => Some(second),
        }
    }

    /// By place, those about folders first.
    fn order(&self) -> (&TreePath, Option<&Place>) {
        match self {
            BuildError::NoKustomization { dir }
            | BuildError::ManyKustomizations { dir, .. }
            | BuildError::Folder { dir, .. } => (dir, None),
            other => {
                let place = other.place().expect("only errors about folders have no place");
                (&place.path, Some(place))
            }
        }
    }
}

/// An error, and the way that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub error: BuildError,
    /// The places, in kustomizations, of the references that led there, from
    /// the folder that is built inwards.
    pub chain: Vec<Place>,
}

/// Prints the error, and the chain on a line of its own.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        const FIRST: usize = 4;
        const LAST: usize = 3;
        let length = self.chain.len();
        for (index, place) in self.chain.iter().enumerate() {
            if length > FIRST + LAST + 1 && (FIRST..length - LAST).contains(&index) {
                if index == FIRST {
                    write!(f, " → … {} more …", length - FIRST - LAST)?;
                }
                continue;
            }
            f.write_str(if index == 0 { "\n  by way of " } else { " → " })?;
            write!(f, "{}", Place { column: None, ..place.clone() })?;
        }
        Ok(())
    }
}

/// Why a folder does not build: everything that is wrong with it by itself,
/// by place. What only follows from something else that is wrong is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildErrors {
    problems: Vec<Problem>,
    more: usize,
}

impl BuildErrors {
    /// As many are told; a reader who mends these builds again.
    pub const MAX: usize = 20;

    /// The problems; at least one, at most [`BuildErrors::MAX`].
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How many more there are.
    pub fn more(&self) -> usize {
        self.more
    }

    /// The errors of several builds as those of one; `None` where there are none.
    pub fn join(all: impl IntoIterator<Item = BuildErrors>) -> Option<BuildErrors> {
        let mut problems = Problems::default();
        for errors in all {
            problems.lost += errors.more;
            problems.found.extend(errors.problems);
        }
        problems.into_errors().err()
    }

    /// What the build lacks and a caller may supply, with the place of each.
    pub fn needs(&self) -> impl Iterator<Item = (&Place, &Need)> {
        self.problems.iter().filter_map(|problem| match &problem.error {
            BuildError::Needs { place, need } => Some((place, need)),
            _ => None,
        })
    }
}

impl From<BuildError> for BuildErrors {
    fn from(error: BuildError) -> BuildErrors {
        BuildErrors { problems: vec![Problem { error, chain: Vec::new() }], more: 0 }
    }
}

/// Prints one problem after the other.
impl fmt::Display for BuildErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for BuildErrors {}

/// Errors that were found together.
#[derive(Debug)]
pub(crate) struct Several(pub(crate) Vec<BuildError>);

impl From<BuildError> for Several {
    fn from(error: BuildError) -> Several {
        Several(vec![error])
    }
}

impl Several {
    /// `value`, unless there are errors.
    pub(crate) fn unless_any<T>(errors: Vec<BuildError>, value: T) -> Result<T, Several> {
        if errors.is_empty() { Ok(value) } else { Err(Several(errors)) }
    }
}

/// Collects what is wrong.
#[derive(Default)]
pub(crate) struct Problems {
    found: Vec<Problem>,
    /// Problems that were not kept.
    lost: usize,
}

impl Problems {
    /// As many are kept, to be sorted.
    const KEPT: usize = 1000;

    pub(crate) fn add(&mut self, error: BuildError, chain: &[Place]) {
        if self.found.len() >= Problems::KEPT {
            self.lost += 1;
            return;
        }
        let mut chain = chain.to_vec();
        // A place in the kustomization itself says as much as the reference.
        if chain.last().is_some_and(|last| error.place().is_some_and(|own| own.path == last.path)) {
            chain.pop();
        }
        self.found.push(Problem { error, chain });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The problems by place, each once although several ways lead to it.
    pub(crate) fn into_errors(self) -> Result<(), BuildErrors> {
        let mut problems = self.found;
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort_by(|left, right| left.error.order().cmp(&right.error.order()));
        let mut kept: Vec<Problem> = Vec::with_capacity(problems.len());
        for problem in problems {
            if !kept.iter().any(|own| own.error == problem.error) {
                kept.push(problem);
            }
        }
        let more = kept.len().saturating_sub(BuildErrors::MAX) + self.lost;
        kept.truncate(BuildErrors::MAX);
        Err(BuildErrors { problems: kept, more })
    }
}

fn linked(link: &Option<TreePath>) -> String {
    link.as_ref().map(|path| format!("is the link to `{path}`, which ")).unwrap_or_default()
}

fn list_names(names: &[&'static str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
}

fn suggest(near: &Option<String>) -> String {
    match near {
        Some(near) => format!("; did you mean `{near}`?"),
        None => "; delete it, or see the fields at https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/".to_owned(),
    }
}
