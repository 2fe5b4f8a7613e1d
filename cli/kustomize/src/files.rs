//! What a build reads from its tree: references resolved, links followed, the
//! load restrictor kept.

use std::collections::HashMap;
use std::sync::Arc;

use gitops_tree::{EntryKind, PathError, Tree, TreeError, TreePath};
use gitops_yaml::{Dialect, FileId, Node};

use crate::LoadRestrictor;
use crate::error::{BuildError, Need, Place};

/// The names a kustomization file may have.
pub(crate) const KUSTOMIZATION_NAMES: [&str; 3] =
    ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// As many links as Linux follows in one path.
const MAX_LINKS: u32 = 40;

/// A tree, and the files read from it.
pub(crate) struct Files<'t> {
    tree: &'t dyn Tree,
    restrictor: LoadRestrictor,
    pub(crate) paths: Vec<TreePath>,
    ids: HashMap<TreePath, FileId>,
}

/// What a reference leads to.
pub(crate) enum Target {
    File(TreePath),
    Directory(TreePath),
    /// Nothing, at the path it stands for.
    Nothing(TreePath),
}

/// A reference in a file: its text and place.
#[derive(Clone)]
pub(crate) struct Reference {
    pub(crate) text: String,
    pub(crate) place: Place,
}

enum Resolved {
    At(TreePath),
    Outside,
    Loop,
}

impl<'t> Files<'t> {
    pub(crate) fn new(tree: &'t dyn Tree, restrictor: LoadRestrictor) -> Files<'t> {
        Files { tree, restrictor, paths: Vec::new(), ids: HashMap::new() }
    }

    pub(crate) fn tree(&self) -> &'t dyn Tree {
        self.tree
    }

    /// The number that marks in this file carry.
    pub(crate) fn id(&mut self, path: &TreePath) -> FileId {
        if let Some(id) = self.ids.get(path) {
            return *id;
        }
        let id = FileId(u32::try_from(self.paths.len()).unwrap_or(u32::MAX - 1));
        self.paths.push(path.clone());
        self.ids.insert(path.clone(), id);
        id
    }

    /// The place of a node, or `otherwise` where no file holds it.
    pub(crate) fn place(&self, node: &Node, otherwise: &Place) -> Place {
        match self.paths.get(node.mark.file.0 as usize) {
            Some(path) if node.mark.file != FileId::NONE => Place {
                path: path.clone(),
                line: Some(node.mark.line),
                column: (node.mark.column > 0).then_some(node.mark.column),
            },
            _ => otherwise.clone(),
        }
    }

    /// The file that holds a node; `None` where none does.
    pub(crate) fn path_of(&self, node: &Node) -> Option<&TreePath> {
        self.paths.get(node.mark.file.0 as usize).filter(|_| node.mark.file != FileId::NONE)
    }

    /// A string of a kustomization, as a reference.
    pub(crate) fn reference(&self, node: &Node, kustomization: &TreePath) -> Reference {
        Reference {
            text: node.text().unwrap_or_default().to_owned(),
            place: self.place(node, &Place::file(kustomization.clone())),
        }
    }

    /// The folder to build, with links followed.
    pub(crate) fn folder(&self, dir: &TreePath) -> Result<TreePath, BuildError> {
        let fail = |source| BuildError::Folder { dir: dir.clone(), source };
        let at = match self.follow(&TreePath::root(), dir.as_str()).map_err(fail)? {
            Resolved::At(at) => at,
            Resolved::Outside | Resolved::Loop => {
                return Err(fail(TreeError::Unreadable {
                    path: dir.clone(),
                    reason: "its links lead out of the tree or in a circle".to_owned(),
                }));
            }
        };
        match self.tree.kind(&at).map_err(fail)? {
            Some(EntryKind::Directory) => Ok(at),
            None => Err(fail(TreeError::Absent { path: dir.clone() })),
            Some(_) => Err(fail(TreeError::WrongKind {
                path: dir.clone(),
                found: "file",
                wanted: "directory",
            })),
        }
    }

    /// What `reference` leads to from `dir`.
    pub(crate) fn locate(
        &self,
        dir: &TreePath,
        reference: &Reference,
    ) -> Result<Target, BuildError> {
        let outside = || BuildError::OutsideTree {
            place: reference.place.clone(),
            reference: reference.text.clone(),
        };
        let unreadable = |source| BuildError::Unreadable { place: reference.place.clone(), source };
        let plain = match dir.join(&reference.text) {
            Ok(path) => path,
            Err(_) if is_remote(&reference.text) => return Err(self.remote(reference)),
            Err(PathError::Absolute { .. } | PathError::Outside { .. }) => return Err(outside()),
        };
        // One question answers most references; links need the long way.
        match self.tree.kind(&plain).map_err(unreadable)? {
            Some(EntryKind::File) => return Ok(Target::File(plain)),
            Some(EntryKind::Directory) => return Ok(Target::Directory(plain)),
            _ => {}
        }
        let at = match self.follow(dir, &reference.text).map_err(unreadable)? {
            Resolved::At(at) => at,
            Resolved::Outside => return Err(outside()),
            Resolved::Loop => {
                return Err(BuildError::LinkLoop {
                    place: reference.place.clone(),
                    reference: reference.text.clone(),
                });
            }
        };
        match self.tree.kind(&at).map_err(unreadable)? {
            Some(EntryKind::File) => Ok(Target::File(at)),
            Some(EntryKind::Directory) => Ok(Target::Directory(at)),
            Some(EntryKind::Link | EntryKind::Other) => Err(unreadable(TreeError::Unreadable {
                path: at,
                reason: "it is a submodule or a special file".to_owned(),
            })),
            None if is_remote(&reference.text) => Err(self.remote(reference)),
            None => Ok(Target::Nothing(at)),
        }
    }

    fn remote(&self, reference: &Reference) -> BuildError {
        BuildError::Needs {
            place: reference.place.clone(),
            need: Need::Remote { address: reference.text.clone() },
        }
    }

    /// The bytes of a file named in the kustomization in `root`.
    pub(crate) fn load(
        &self,
        root: &TreePath,
        reference: &Reference,
    ) -> Result<(TreePath, Arc<[u8]>), BuildError> {
        match self.locate(root, reference)? {
            Target::File(path) => {
                self.check_root(root, &path, reference)?;
                Ok((path.clone(), self.read(&path, reference)?))
            }
            Target::Directory(_) => Err(BuildError::WrongEntry {
                place: reference.place.clone(),
                reference: reference.text.clone(),
                found: "a directory",
                expected: "a file",
            }),
            Target::Nothing(path) => Err(self.not_found(reference, path)),
        }
    }

    pub(crate) fn not_found(&self, reference: &Reference, path: TreePath) -> BuildError {
        BuildError::NotFound {
            place: reference.place.clone(),
            reference: reference.text.clone(),
            path,
        }
    }

    /// Holds the load restrictor against a file.
    pub(crate) fn check_root(
        &self,
        root: &TreePath,
        path: &TreePath,
        reference: &Reference,
    ) -> Result<(), BuildError> {
        if self.restrictor == LoadRestrictor::RootOnly && !path.is_within(root) {
            return Err(BuildError::OutsideRoot {
                place: reference.place.clone(),
                reference: reference.text.clone(),
                root: root.clone(),
            });
        }
        Ok(())
    }

    pub(crate) fn read(
        &self,
        path: &TreePath,
        reference: &Reference,
    ) -> Result<Arc<[u8]>, BuildError> {
        self.tree
            .read(path)
            .map_err(|source| BuildError::Unreadable { place: reference.place.clone(), source })
    }

    /// The documents of a file's bytes, as the roots of their trees.
    pub(crate) fn documents(
        &mut self,
        path: &TreePath,
        bytes: &[u8],
    ) -> Result<Vec<Node>, BuildError> {
        let file = self.id(path);
        parse(path, file, bytes, Dialect::Manifest)
    }

    /// The first document of a file that configures kustomize itself, which
    /// reads it with sigs.k8s.io/yaml; `None` where there is none.
    pub(crate) fn configuration(
        &mut self,
        path: &TreePath,
        bytes: &[u8],
    ) -> Result<Option<Node>, BuildError> {
        let file = self.id(path);
        Ok(parse(path, file, bytes, Dialect::Kustomization)?.into_iter().next())
    }

    /// A file that kustomize reads as JSON where it begins with a brace, and
    /// as YAML otherwise.
    pub(crate) fn definitions(
        &mut self,
        path: &TreePath,
        bytes: &[u8],
    ) -> Result<Option<Node>, BuildError> {
        if !bytes.starts_with(b"{") {
            return self.configuration(path, bytes);
        }
        let json: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| {
            let number = |number: usize| u32::try_from(number).ok().filter(|number| *number > 0);
            BuildError::Yaml {
                place: Place {
                    path: path.clone(),
                    line: number(error.line()),
                    column: number(error.column()),
                },
                message: "this is no JSON".to_owned(),
            }
        })?;
        Ok(Some(Node::from_json(&json)))
    }

    /// Resolves a path name by name, following links.
    fn follow(&self, dir: &TreePath, reference: &str) -> Result<Resolved, TreeError> {
        let mut links = 0;
        let mut at = dir.clone();
        let mut rest: Vec<String> = reference.split('/').rev().map(str::to_owned).collect();
        while let Some(name) = rest.pop() {
            let Ok(next) = at.join(&name) else { return Ok(Resolved::Outside) };
            if next == at || name == ".." || self.tree.kind(&next)? != Some(EntryKind::Link) {
                at = next;
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Ok(Resolved::Loop);
            }
            let target = self.tree.link(&next)?;
            if target.starts_with('/') {
                return Ok(Resolved::Outside);
            }
            rest.extend(target.split('/').rev().map(str::to_owned));
        }
        Ok(Resolved::At(at))
    }
}

/// Parses YAML; complaints name `path`.
pub(crate) fn parse(
    path: &TreePath,
    file: FileId,
    bytes: &[u8],
    dialect: Dialect,
) -> Result<Vec<Node>, BuildError> {
    gitops_yaml::read_as(file, bytes, dialect)
        .map(|documents| {
            let nothing = || Node::scalar("", gitops_yaml::Tag::Null);
            documents.into_iter().map(|document| document.root.unwrap_or_else(nothing)).collect()
        })
        .map_err(|error| BuildError::Yaml {
            place: Place {
                path: path.clone(),
                line: (error.line > 0).then_some(error.line),
                column: (error.column > 0).then_some(error.column),
            },
            message: error.reason,
        })
}

/// Whether a reference that is no path of the tree is an address that
/// kustomize would fetch.
fn is_remote(reference: &str) -> bool {
    const SCHEMES: &[&str] = &[
        "http://",
        "https://",
        "ssh://",
        "file://",
        "git://",
        "git::",
        "github.com/",
        "github.com:",
        "gh:",
    ];
    let lower = reference.to_ascii_lowercase();
    SCHEMES.iter().any(|scheme| lower.starts_with(scheme))
        || reference.contains("?ref=")
        || reference.contains(".git//")
        || reference.split_once('@').is_some_and(|(user, rest)| {
            !user.is_empty() && !user.contains('/') && rest.contains(':')
        })
}
