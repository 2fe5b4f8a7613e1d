//! `kustomize build` as a pure function: a tree in, objects and bytes out.
//!
//! [`build`] follows kustomize v5.8.1; [`read_plain`] reads manifests as they
//! are. Every node of a rendered object keeps the mark of where it was
//! written, be it a base, a patch or a kustomization's own field, so that a
//! JSON pointer into an object leads to a file and a line.
//!
//! Where things are: `build` is the recursion, `kustomization` the file it
//! reads, `transform`, `patch`, `generate` and `references` the steps,
//! `plugins`, `helm`, `functions`, `replacements`, `variables`, `crds` and
//! `origin` the rarer ones, `touch` what is noted of them, `defaults` and
//! `schema` the tables of fields and merge keys, `limits` what a build may take,
//! `reach` which builds a change may concern.

mod ahead;
mod build;
mod configuration;
mod crds;
mod decode;
mod defaults;
mod documents;
mod error;
mod field_path;
mod fieldspec;
mod files;
mod folded;
mod functions;
mod generate;
mod go_json;
mod helm;
mod id;
mod known;
mod kustomization;
mod labels;
mod limits;
mod merge_keys;
mod names;
mod next_line;
mod objects;
mod order;
mod origin;
mod parallel;
mod patch;
mod pattern;
mod plain;
mod plugins;
mod reach;
mod references;
mod remote;
mod replacements;
mod resource;
mod schema;
mod scope;
mod select;
mod separators;
mod set;
mod shared;
mod supply;
mod through_json;
mod touch;
mod transform;
mod variables;

use std::convert::Infallible;

use gitops_tree::{EntryKind, Tree, TreeError, TreePath};
use gitops_yaml::Node;

pub use error::{BuildError, BuildErrors, Place, Problem};
pub use labels::LabelSelector;
pub use plain::{PlainOptions, read_plain};
pub use reach::Reach;
pub use remote::Repository;
pub use supply::{Chart, Fulfil, Function, FunctionInput, Need, Remote, Supply};
pub use touch::{How, Touch};

/// The kustomize whose output this crate's equals.
pub const EQUALS_VERSION: &str = "v5.8.1";

/// Whether files outside of a kustomization's folder may be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadRestrictor {
    /// Only files in or below the folder (`LoadRestrictionsRootOnly`).
    #[default]
    RootOnly,
    /// Any file of the tree (`LoadRestrictionsNone`).
    None,
}

/// The order of the output, where the kustomization does not set `sortOptions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reorder {
    /// By kustomize's list of kinds, then type, namespace and name.
    #[default]
    Legacy,
    /// As the objects were read.
    None,
}

/// How to build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Which files may be read.
    pub load_restrictor: LoadRestrictor,
    /// The order of the output.
    pub reorder: Reorder,
    /// Whether each object gets the label `app.kubernetes.io/managed-by`.
    pub managed_by_label: bool,
}

/// Something worth telling that does not stop a build. Sorted by place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The file it is about.
    pub path: TreePath,
    /// 1-based line, where known.
    pub line: Option<u32>,
    /// What it is.
    pub message: String,
}

/// An object of the output.
#[derive(Clone)]
pub struct Resource {
    /// The object. The file of a mark is an index into [`Rendered::files`].
    pub node: Node,
    /// The file it was read from, or the kustomization that generated it.
    pub path: TreePath,
    /// 1-based number of the document in that file.
    pub document: u32,
    /// 1-based line in that file.
    pub line: Option<u32>,
    /// Whether a generator made it.
    pub generated: bool,
    /// What filled and changed it since, in order.
    pub touched: Vec<Touch>,
}

/// What a build gives.
pub struct Rendered {
    /// The objects, in order.
    pub resources: Vec<Resource>,
    /// The files that marks refer to, by number.
    pub files: Vec<TreePath>,
    /// What is worth telling: by place, each once.
    pub warnings: Vec<Warning>,
}

impl Rendered {
    fn new(
        objects: Vec<resource::Object>,
        files: Vec<TreePath>,
        mut warnings: Vec<Warning>,
    ) -> Rendered {
        warnings.sort();
        warnings.dedup();
        let resources = objects
            .into_iter()
            .map(|object| Resource {
                node: object.node,
                path: object.place.path,
                document: object.document,
                line: object.place.line,
                generated: object.generated,
                touched: object.touched,
            })
            .collect();
        Rendered { resources, files, warnings }
    }

    /// The objects as `kustomize build` prints them.
    pub fn to_yaml(&self) -> String {
        let mut text = String::new();
        let Ok(()) = self.write_yaml(|piece| {
            text.push_str(piece);
            Ok::<_, Infallible>(())
        });
        text
    }

    /// The same in pieces, in order and as soon as each is ready: the whole
    /// text of a large build is never held.
    ///
    /// # Errors
    ///
    /// The first that `write` gives; nothing is written after it.
    pub fn write_yaml<E>(&self, write: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        const MANY: usize = 200;
        const PART: usize = 16;
        let is_large = self.resources.len() >= MANY;
        let part = if is_large { PART } else { self.resources.len().max(1) };
        let parts: Vec<&[Resource]> = self.resources.chunks(part).collect();
        parallel::in_order(&parts, is_large, write_part, write)
    }
}

/// What stands between two objects.
const BETWEEN: &str = "---\n";

/// Writes a part of all objects; what stands before it is its own.
fn write_part(index: usize, part: &[Resource], text: &mut String) {
    text.clear();
    for (number, resource) in part.iter().enumerate() {
        if index + number > 0 {
            text.push_str(BETWEEN);
        }
        gitops_yaml::write_to(text, &resource.node);
    }
}

/// Builds the kustomization in `dir`.
///
/// # Errors
///
/// Everything that kustomize refuses, and what this build can neither fetch nor
/// run ([`BuildError::Needs`]). All that is wrong by itself is reported at once, each with its place and the
/// chain of kustomizations that led there.
pub fn build(tree: &dyn Tree, dir: &TreePath, options: &Options) -> Result<Rendered, BuildErrors> {
    build_with(tree, dir, options, &())
}

/// [`build`], with what a caller fetched for it: remote bases and files, the
/// output of Helm charts and of functions.
///
/// All that a build lacks is told together ([`BuildErrors::needs`]); a caller
/// fetches it and calls again, until nothing is lacking: a base that was fetched
/// may need more. The result is that of the same content in the tree.
///
/// # Errors
///
/// As [`build`].
pub fn build_with(
    tree: &dyn Tree,
    dir: &TreePath,
    options: &Options,
    supplies: &dyn Fulfil,
) -> Result<Rendered, BuildErrors> {
    build::build(tree, dir, options, supplies)
}

/// The name of the kustomization file in `dir`, or `None` where it has none.
/// Links in the way to `dir` are followed.
///
/// # Errors
///
/// The tree could not be read.
pub fn find_kustomization(
    tree: &dyn Tree,
    dir: &TreePath,
) -> Result<Option<&'static str>, TreeError> {
    let Ok(dir) = files::Files::new(tree, LoadRestrictor::None, &()).folder(dir) else {
        // Whoever reads the folder finds out why.
        return Ok(None);
    };
    for name in files::KUSTOMIZATION_NAMES {
        let Ok(path) = dir.join(name) else { continue };
        if matches!(tree.kind(&path)?, Some(EntryKind::File | EntryKind::Link)) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
