//! What a build reads from its tree: references resolved, links followed, the
//! load restrictor kept.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use gitops_tree::{EntryKind, PathError, Tree, TreeError, TreePath, check_size};
use gitops_yaml::{Dialect, FileId, Node};

use crate::error::{BuildError, Place};
use crate::limits;
use crate::remote;
use crate::supply::{Fulfil, Need, Remote, Supply};
use crate::{LoadRestrictor, Warning, documents};

/// The names a kustomization file may have.
pub(crate) const KUSTOMIZATION_NAMES: [&str; 3] =
    ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// As many links as Linux follows in one path.
const MAX_LINKS: u32 = 40;

/// A tree, what is supplied beside it, and the files read from them.
pub(crate) struct Files<'t> {
    tree: &'t dyn Tree,
    supplies: &'t dyn Fulfil,
    restrictor: LoadRestrictor,
    /// What is supplied, by the path under which it is read.
    mounts: RefCell<Vec<(TreePath, Mount<'t>)>>,
    /// Bytes read so far.
    read: Cell<usize>,
    pub(crate) paths: Vec<TreePath>,
    ids: HashMap<TreePath, FileId>,
    /// What is worth telling of what was read.
    pub(crate) warnings: Vec<Warning>,
    /// What the tree has said to stand where.
    kinds: RefCell<HashMap<TreePath, Option<EntryKind>>>,
}

/// What stands for something remote.
#[derive(Clone)]
enum Mount<'t> {
    Repository(&'t dyn Tree),
    File(Arc<[u8]>),
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
    /// A link and its target, which is out of the tree.
    Outside(TreePath, String),
    Loop,
}

impl<'t> Files<'t> {
    pub(crate) fn new(
        tree: &'t dyn Tree,
        restrictor: LoadRestrictor,
        supplies: &'t dyn Fulfil,
    ) -> Files<'t> {
        Files {
            tree,
            supplies,
            restrictor,
            mounts: RefCell::default(),
            read: Cell::new(0),
            paths: Vec::new(),
            ids: HashMap::new(),
            warnings: Vec::new(),
            kinds: RefCell::default(),
        }
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
        let unreadable = |reason: String| fail(TreeError::Unreadable { path: dir.clone(), reason });
        let at = match self.follow(dir).map_err(fail)? {
            Resolved::At(at) => at,
            Resolved::Outside(link, target) => {
                return Err(unreadable(format!(
                    "the link `{link}` leads to `{target}`, out of the repository"
                )));
            }
            Resolved::Loop => {
                return Err(unreadable("its links lead in a circle".to_owned()));
            }
        };
        match self.kind(&at).map_err(fail)? {
            Some(EntryKind::Directory) => Ok(at),
            None => Err(fail(TreeError::Absent { path: dir.clone() })),
            Some(_) => Err(fail(TreeError::WrongKind {
                path: dir.clone(),
                found: "file",
                wanted: "directory",
            })),
        }
    }

    /// What an entry of `resources` leads to from `dir`: a file, else what an
    /// address leads to, else a folder.
    ///
    /// Rules from kustomize v5.8: `accumulateResources` in
    /// api/internal/target/kusttarget.go and `New` in
    /// api/internal/loader/fileloader.go. A folder whose path could be an
    /// address is an address, as there.
    pub(crate) fn locate(
        &self,
        dir: &TreePath,
        reference: &Reference,
    ) -> Result<Target, BuildError> {
        let is_file = remote::is_file(&reference.text);
        let repository = remote::repository(&reference.text);
        if repository.is_none() && !is_file {
            return self.locate_here(dir, reference);
        }
        if !is_file && let Ok(Target::File(path)) = self.locate_here(dir, reference) {
            return Ok(Target::File(path));
        }
        self.fetch(reference, Remote { address: reference.text.clone(), file: is_file, repository })
    }

    /// The same for what is surely no address, and can be had without asking
    /// anybody but the tree.
    pub(crate) fn locate_at_hand(&self, dir: &TreePath, reference: &Reference) -> Option<Target> {
        if remote::is_file(&reference.text) || remote::repository(&reference.text).is_some() {
            return None;
        }
        self.locate_here(dir, reference).ok()
    }

    /// What an entry of `components` leads to from `dir`.
    pub(crate) fn locate_folder(
        &self,
        dir: &TreePath,
        reference: &Reference,
    ) -> Result<Target, BuildError> {
        match remote::repository(&reference.text) {
            Some(repository) => self.fetch(
                reference,
                Remote {
                    address: reference.text.clone(),
                    file: false,
                    repository: Some(repository),
                },
            ),
            None => self.locate_here(dir, reference),
        }
    }

    /// What a path of the tree leads to from `dir`.
    fn locate_here(&self, dir: &TreePath, reference: &Reference) -> Result<Target, BuildError> {
        let unreadable = |source| BuildError::Unreadable { place: reference.place.clone(), source };
        let outside = || BuildError::OutsideTree {
            place: reference.place.clone(),
            reference: shown(&reference.text),
        };
        let plain = match dir.join(&reference.text) {
            Ok(path) if self.mount_of(&path) == self.mount_of(dir) => path,
            Ok(_) | Err(PathError::Absolute { .. } | PathError::Outside { .. }) => {
                return Err(outside());
            }
        };
        // One question answers most references; links need the long way.
        match self.kind(&plain).map_err(unreadable)? {
            Some(EntryKind::File) => return Ok(Target::File(plain)),
            Some(EntryKind::Directory) => return Ok(Target::Directory(plain)),
            _ => {}
        }
        let at = match self.follow(&plain).map_err(unreadable)? {
            Resolved::At(at) => at,
            Resolved::Outside(link, target) => {
                return Err(BuildError::LinkOutside {
                    place: reference.place.clone(),
                    reference: shown(&reference.text),
                    link,
                    target,
                });
            }
            Resolved::Loop => {
                return Err(BuildError::LinkLoop {
                    place: reference.place.clone(),
                    reference: shown(&reference.text),
                });
            }
        };
        match self.kind(&at).map_err(unreadable)? {
            Some(EntryKind::File) => Ok(Target::File(at)),
            Some(EntryKind::Directory) => Ok(Target::Directory(at)),
            Some(EntryKind::Link | EntryKind::Other) => Err(unreadable(TreeError::Unreadable {
                path: at,
                reason: "it is a submodule or a special file".to_owned(),
            })),
            None => Ok(Target::Nothing(at)),
        }
    }

    /// What was supplied for something remote, put among the files.
    fn fetch(&self, reference: &Reference, remote: Remote) -> Result<Target, BuildError> {
        let need = Need::Remote(remote);
        let supply = self.supplies.fulfil(&need);
        let Need::Remote(remote) = &need else {
            return Err(self.lacks(reference.place.clone(), need));
        };
        match (supply, &remote.repository) {
            (Some(Supply::File(bytes)), _) if remote.file => {
                let at = self.mount(remote::mount(&remote.address), Mount::File(bytes.into()));
                Ok(Target::File(at))
            }
            (Some(Supply::Repository(tree)), Some(repository)) => {
                let root = self.mount(repository.mount(), Mount::Repository(tree));
                let inside = Reference {
                    text: if repository.folder.is_empty() { "." } else { &repository.folder }
                        .to_owned(),
                    place: reference.place.clone(),
                };
                self.locate_here(&root, &inside)
            }
            _ => Err(self.lacks(reference.place.clone(), need)),
        }
    }

    /// Says that something is needed.
    fn lacks(&self, place: Place, need: Need) -> BuildError {
        BuildError::Needs { place, need }
    }

    /// The manifests that fulfil a need named at `place`.
    pub(crate) fn manifests(&self, need: Need, place: &Place) -> Result<&'t str, BuildError> {
        match self.supplies.fulfil(&need) {
            Some(Supply::Manifests(text)) => Ok(text),
            _ => Err(self.lacks(place.clone(), need)),
        }
    }

    /// Puts something among the files; gives the path at which it stands.
    fn mount(&self, at: TreePath, mount: Mount<'t>) -> TreePath {
        let mut mounts = self.mounts.borrow_mut();
        if !mounts.iter().any(|(own, _)| *own == at) {
            mounts.push((at.clone(), mount));
        }
        at
    }

    /// The mount that a path stands in: its root and what is there.
    fn mount_at(&self, path: &TreePath) -> Option<(TreePath, Mount<'t>)> {
        let mounts = self.mounts.borrow();
        // A repository may stand below another.
        let found = mounts.iter().filter(|(root, _)| path.is_within(root));
        found.max_by_key(|(root, _)| root.as_str().len()).cloned()
    }

    fn mount_of(&self, path: &TreePath) -> Option<TreePath> {
        if self.mounts.borrow().is_empty() {
            return None;
        }
        self.mount_at(path).map(|(root, _)| root)
    }

    /// Asks the tree that a path stands in.
    fn ask<R>(
        &self,
        path: &TreePath,
        file: impl FnOnce(Arc<[u8]>) -> R,
        ask: impl FnOnce(&'t dyn Tree, &TreePath) -> R,
    ) -> R {
        if self.mounts.borrow().is_empty() {
            return ask(self.tree, path);
        }
        match self.mount_at(path) {
            None => ask(self.tree, path),
            Some((_, Mount::File(bytes))) => file(bytes),
            Some((root, Mount::Repository(tree))) => {
                let below = path.as_str()[root.as_str().len()..].trim_start_matches('/');
                let inside = TreePath::new(below).expect("what follows a mount stays inside");
                ask(tree, &inside)
            }
        }
    }

    /// What stands at a path. The tree is asked once, as long as nothing is
    /// mounted on it.
    fn kind(&self, path: &TreePath) -> Result<Option<EntryKind>, TreeError> {
        if self.mounts.borrow().is_empty() {
            if let Some(kind) = self.kinds.borrow().get(path) {
                return Ok(*kind);
            }
            let kind = self.tree.kind(path)?;
            self.kinds.borrow_mut().insert(path.clone(), kind);
            return Ok(kind);
        }
        self.ask(path, |_| Ok(Some(EntryKind::File)), |tree, path| tree.kind(path))
    }

    /// The bytes of a file named in the kustomization in `root`.
    pub(crate) fn load(
        &self,
        root: &TreePath,
        reference: &Reference,
    ) -> Result<(TreePath, Arc<[u8]>), BuildError> {
        let target = if remote::is_file(&reference.text) {
            let address = reference.text.clone();
            self.fetch(reference, Remote { address, file: true, repository: None })?
        } else {
            self.locate_here(root, reference)?
        };
        match target {
            Target::File(path) => {
                self.check_root(root, &path, reference)?;
                Ok((path.clone(), self.read(&path, reference)?))
            }
            Target::Directory(_) => Err(BuildError::WrongEntry {
                place: reference.place.clone(),
                reference: shown(&reference.text),
                found: "a directory",
                expected: "a file",
            }),
            Target::Nothing(path) => Err(self.not_found(reference, path)),
        }
    }

    /// The file of this name in `root`, that may be read; `None` where there
    /// is none.
    pub(crate) fn find(
        &self,
        root: &TreePath,
        reference: &Reference,
    ) -> Result<Option<TreePath>, BuildError> {
        let Target::File(path) = self.locate_here(root, reference)? else { return Ok(None) };
        self.check_root(root, &path, reference)?;
        Ok(Some(path))
    }

    pub(crate) fn not_found(&self, reference: &Reference, path: TreePath) -> BuildError {
        let place = reference.place.clone();
        let text = shown(&reference.text);
        if text != reference.text {
            let message = format!("{text} is no path; name a file of the repository");
            return BuildError::Invalid { place, message };
        }
        BuildError::NotFound { place, reference: text, path }
    }

    /// Holds the load restrictor against a file. Remote files are not held to
    /// it; files of remote repositories are, whatever the options say.
    pub(crate) fn check_root(
        &self,
        root: &TreePath,
        path: &TreePath,
        reference: &Reference,
    ) -> Result<(), BuildError> {
        let home = self.mount_of(root);
        if self.mount_of(path) != home {
            return Ok(());
        }
        let is_strict = self.restrictor == LoadRestrictor::RootOnly || home.is_some();
        if is_strict && !path.is_within(root) {
            let plain = root.join(&reference.text).ok();
            return Err(BuildError::OutsideRoot {
                place: reference.place.clone(),
                reference: reference.text.clone(),
                link: (plain.as_ref() != Some(path)).then(|| path.clone()),
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
        let fail = |source| BuildError::Unreadable { place: reference.place.clone(), source };
        let bytes = self.ask(path, Ok, |tree, path| tree.read(path)).map_err(fail)?;
        check_size(path, u64::try_from(bytes.len()).unwrap_or(u64::MAX)).map_err(fail)?;
        let read = self.read.get().saturating_add(bytes.len());
        if read > limits::MAX_READ {
            return Err(BuildError::Invalid {
                place: reference.place.clone(),
                message: format!(
                    "the build reads more than {} MiB; build its parts by themselves",
                    limits::MAX_READ >> 20
                ),
            });
        }
        self.read.set(read);
        Ok(bytes)
    }

    /// The documents of a file's bytes, as the roots of their trees.
    pub(crate) fn documents(
        &mut self,
        path: &TreePath,
        bytes: &[u8],
    ) -> Result<Vec<Node>, BuildError> {
        let file = self.id(path);
        documents::parse(path, file, bytes, Dialect::Manifest)
    }

    /// The first document of a file that configures kustomize itself, which
    /// reads it with sigs.k8s.io/yaml; `None` where there is none.
    pub(crate) fn configuration(
        &mut self,
        path: &TreePath,
        bytes: &[u8],
    ) -> Result<Option<Node>, BuildError> {
        let file = self.id(path);
        let documents = documents::read(path, file, bytes, Dialect::Kustomization)?;
        let Some(first) = documents.into_iter().next() else { return Ok(None) };
        self.warnings.extend(first.repeated.iter().map(|repeated| Warning {
            path: path.clone(),
            line: Some(repeated.line),
            message: format!(
                "`{}` is already set at line {}; the last one counts: delete the other",
                repeated.key, repeated.earlier
            ),
        }));
        Ok(Some(documents::content(first)))
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

    /// Resolves a path name by name, following links inside of the tree.
    fn follow(&self, path: &TreePath) -> Result<Resolved, TreeError> {
        let mut links = 0;
        let home = self.mount_of(path);
        let mut at = home.clone().unwrap_or_default();
        let below = path.as_str()[at.as_str().len()..].trim_start_matches('/');
        let mut rest: Vec<String> = below.split('/').rev().map(str::to_owned).collect();
        let mut last = None;
        while let Some(name) = rest.pop() {
            let next = match (at.join(&name), &last) {
                (Ok(next), _) if home.as_ref().is_none_or(|home| next.is_within(home)) => next,
                (_, Some((link, target))) => {
                    return Ok(Resolved::Outside(TreePath::clone(link), String::clone(target)));
                }
                // A path of the tree leads out of it through links only.
                (_, None) => return Ok(Resolved::At(path.clone())),
            };
            if next == at || name == ".." || self.kind(&next)? != Some(EntryKind::Link) {
                at = next;
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Ok(Resolved::Loop);
            }
            let target = self.ask(&next, |_| Ok(String::new()), |tree, path| tree.link(path))?;
            if target.starts_with('/') {
                return Ok(Resolved::Outside(next, target));
            }
            rest.extend(target.split('/').rev().map(str::to_owned));
            last = Some((next, target));
        }
        Ok(Resolved::At(at))
    }
}

/// A reference as it may be shown: a text of several lines is no path but
/// content, perhaps a secret.
fn shown(text: &str) -> String {
    if text.trim().contains('\n') { "a text of several lines".to_owned() } else { text.to_owned() }
}
