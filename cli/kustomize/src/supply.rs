//! What a build lacks, and how a caller supplies it.

use std::fmt;

use gitops_tree::{Tree, TreePath};

use crate::remote::Repository;

/// What a build lacks and cannot fetch by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// A base, component or file that lies in another repository or behind a URL.
    Remote(Remote),
    /// The output of `helm template`.
    Helm(Box<Chart>),
    /// The output of a generator or transformer that is a program.
    Function(Box<Function>),
}

/// An address, and what may be behind it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Remote {
    /// The address as written.
    pub address: String,
    /// Whether it may be a file behind HTTP. Where it may be a repository, too,
    /// kustomize takes the file if it is there and a manifest.
    pub file: bool,
    /// The repository that it may be.
    pub repository: Option<Repository>,
}

/// An entry of `helmCharts`, with its defaults filled in. Paths are relative
/// to `dir`, as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chart {
    /// The folder of the kustomization.
    pub dir: TreePath,
    /// `name`.
    pub name: String,
    /// `version`; empty for the newest.
    pub version: String,
    /// `repo`; empty where the chart must stand in `home`.
    pub repo: String,
    /// `releaseName`; empty for a generated one.
    pub release_name: String,
    /// `namespace`, or the `namespace` of a kustomization around it.
    pub namespace: String,
    /// `chartHome` of `helmGlobals`: where charts are looked for before they
    /// are pulled.
    pub home: String,
    /// `configHome` of `helmGlobals`; empty for a folder of its own.
    pub config_home: String,
    /// `valuesFile`; empty for the chart's own.
    pub values_file: String,
    /// `additionalValuesFiles`.
    pub additional_values_files: Vec<String>,
    /// `valuesInline`, as YAML; may hold secrets.
    pub values_inline: Option<String>,
    /// `valuesMerge`: `override`, `merge` or `replace`.
    pub values_merge: String,
    /// `includeCRDs`.
    pub include_crds: bool,
    /// `skipHooks`.
    pub skip_hooks: bool,
    /// `skipTests`.
    pub skip_tests: bool,
    /// `apiVersions`.
    pub api_versions: Vec<String>,
    /// `kubeVersion`.
    pub kube_version: String,
    /// `nameTemplate`.
    pub name_template: String,
    /// `debug`.
    pub debug: bool,
    /// `devel`.
    pub devel: bool,
}

/// A plugin that kustomize would run as a program or in a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Function {
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its `kind`.
    pub kind: String,
    /// Its configuration: the object that names it, as YAML.
    pub config: String,
    /// What it is given.
    pub input: FunctionInput,
}

/// What a [`Function`] is given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FunctionInput {
    /// Nothing: it is a generator.
    Nothing,
    /// The objects to transform, as YAML documents. May hold secrets.
    Objects(String),
    /// Objects that are not known before what else is wrong or lacking is
    /// there. The need comes again then.
    Pending,
}

/// Prints the need as a noun phrase.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Remote(Remote { address, repository: None, .. }) => {
                write!(f, "the remote file `{address}`")
            }
            Need::Remote(Remote { address, .. }) => write!(f, "the remote `{address}`"),
            Need::Helm(chart) => {
                write!(f, "the rendered Helm chart `{}`", chart.name)?;
                if !chart.version.is_empty() {
                    write!(f, " {}", chart.version)?;
                }
                Ok(())
            }
            Need::Function(function) => {
                write!(f, "the output of the program `{} {}`", function.api_version, function.kind)
            }
        }
    }
}

impl Need {
    /// What can be done where nothing supplies it.
    pub(crate) fn way_out(&self) -> &'static str {
        match self {
            Need::Remote(_) => "which is not fetched; copy it into the repository",
            Need::Helm(_) => "which is not made here; commit the output of `helm template` instead",
            Need::Function(_) => "which is not run; commit its output instead",
        }
    }
}

/// What fulfils a [`Need`].
#[derive(Clone, Copy)]
pub enum Supply<'a> {
    /// The root of the repository at the reference that a [`Need::Remote`] names.
    /// The build finds the folder in it, and reads nothing outside of it.
    Repository(&'a dyn Tree),
    /// The bytes of the file that a [`Need::Remote`] names.
    File(&'a [u8]),
    /// Manifests: the output of a [`Need::Helm`] or [`Need::Function`].
    Manifests(&'a str),
}

/// Supplies what builds lack: what a caller fetched before it called
/// [`crate::build_with`] again.
///
/// An implementation answers from what it holds; it is asked in the middle of a
/// build, several times for the same need, and must answer alike.
///
/// ```
/// use gitops_kustomize::{BuildError, Fulfil, Need, Options, Supply, build_with};
/// use gitops_tree::{Memory, TreePath};
///
/// struct Fetched(Memory);
///
/// impl Fulfil for Fetched {
///     fn fulfil(&self, need: &Need) -> Option<Supply<'_>> {
///         match need {
///             Need::Remote(remote) if remote.address.starts_with("github.com/acme/base") => {
///                 Some(Supply::Repository(&self.0))
///             }
///             _ => None,
///         }
///     }
/// }
///
/// let path = |text| TreePath::new(text).expect("it stays in the tree");
/// let object = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";
/// let mut base = Memory::new();
/// base.insert(path("app/kustomization.yaml"), &b"resources: [a.yaml]"[..]);
/// base.insert(path("app/a.yaml"), object.as_bytes());
/// let mut tree = Memory::new();
/// tree.insert(path("kustomization.yaml"), &b"resources: [github.com/acme/base//app?ref=v1]"[..]);
///
/// let root = TreePath::root();
/// let lacking = build_with(&tree, &root, &Options::default(), &()).err().expect("it lacks the base");
/// assert_eq!(lacking.needs().count(), 1);
/// let built = build_with(&tree, &root, &Options::default(), &Fetched(base))?;
/// assert_eq!(built.to_yaml(), object);
/// # Ok::<(), gitops_kustomize::BuildErrors>(())
/// ```
pub trait Fulfil {
    /// What fulfils the need; `None` where nothing does.
    fn fulfil(&self, need: &Need) -> Option<Supply<'_>>;
}

/// Supplies nothing.
impl Fulfil for () {
    fn fulfil(&self, _need: &Need) -> Option<Supply<'_>> {
        None
    }
}
