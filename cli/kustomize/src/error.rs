//! What can go wrong in a build, and where.

use std::fmt;

use gitops_tree::{TreeError, TreePath};

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
        write!(f, "{}", self.path)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        Ok(())
    }
}

/// What a build lacks and cannot fetch by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// A base, component or file that lies in another repository or behind a URL.
    Remote {
        /// The address as written.
        address: String,
    },
    /// The output of a Helm chart.
    Helm {
        /// The chart's name as written; empty where none is given.
        chart: String,
    },
}

/// Prints the need as a noun phrase.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Remote { address } => write!(f, "the remote `{address}`"),
            Need::Helm { chart } => write!(f, "the rendered Helm chart `{chart}`"),
        }
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
    /// A field that kustomize knows and this build does not do yet.
    #[error(
        "{place}: field `{field}` is not supported yet; render this folder with `kustomize build` and commit the result"
    )]
    Unsupported {
        /// Where its key stands.
        place: Place,
        /// The field, with its parents.
        field: String,
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
    /// A file outside the kustomization's folder, which the load restrictor forbids.
    #[error(
        "{place}: `{reference}` is not in or below `{root}`; move the file there, or build with `--load-restrictor LoadRestrictionsNone`"
    )]
    OutsideRoot {
        /// Where it is named.
        place: Place,
        /// The reference as written.
        reference: String,
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
    #[error("{place}: needs {need}, which is not fetched; copy it into the repository")]
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

fn list_names(names: &[&'static str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
}

fn suggest(near: &Option<String>) -> String {
    match near {
        Some(near) => format!("; did you mean `{near}`?"),
        None => "; delete it, or see the fields at https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/".to_owned(),
    }
}
