//! Which builds may read a file, told from the kustomizations alone.
//!
//! A build reads what lies below its directory, and what its kustomizations
//! name outside of it. So a change of one file concerns few of a thousand
//! directories, and to know which ones nothing need be built: every string of
//! a kustomization that could name a path is taken for one. The answer may
//! hold directories too many, never one too few; where a kustomization cannot
//! tell (it does not parse, it loads configuration of plugins, it goes through
//! a link, there is none), its directory is always in it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use gitops_tree::{Entry, EntryKind, Tree, TreePath};
use gitops_yaml::{FileId, Node, Value};

use crate::files::KUSTOMIZATION_NAMES;

/// Fields whose files name further files.
const INDIRECT: [&str; 3] = ["generators", "transformers", "validators"];

/// Which of some directories may read a file when they are built.
pub struct Reach {
    directories: Vec<TreePath>,
    /// By a place that is read, or that everything below is read of.
    readers: BTreeMap<TreePath, Vec<usize>>,
    /// Those that may read anything.
    unknown: Vec<usize>,
}

impl Reach {
    /// Looks at the kustomizations of `directories` and at all that they name.
    pub fn of(tree: &dyn Tree, directories: Vec<TreePath>) -> Reach {
        let mut scout = Scout { tree, seen: BTreeMap::new() };
        let mut readers: BTreeMap<TreePath, Vec<usize>> = BTreeMap::new();
        let mut unknown = Vec::new();
        for (index, directory) in directories.iter().enumerate() {
            match scout.places(directory) {
                Some(places) => {
                    for place in places {
                        readers.entry(place).or_default().push(index);
                    }
                }
                None => unknown.push(index),
            }
        }
        Reach { directories, readers, unknown }
    }

    /// The directories whose build may change with the files at `paths`, in
    /// the order they were given.
    pub fn readers(&self, paths: &[TreePath]) -> Vec<&TreePath> {
        let mut found: BTreeSet<usize> = self.unknown.iter().copied().collect();
        for path in paths {
            let mut above = Some(path.clone());
            while let Some(place) = above {
                found.extend(self.readers.get(&place).into_iter().flatten());
                above = place.parent();
            }
            // A file in place of a directory takes away all below it.
            let below = self.readers.range(path.clone()..).take_while(|(at, _)| {
                // Between a name and what is below it sort names such as `a-b`.
                at.as_str().starts_with(path.as_str())
            });
            found.extend(below.filter(|(at, _)| at.is_within(path)).flat_map(|(_, of)| of));
        }
        found.into_iter().map(|index| &self.directories[index]).collect()
    }
}

/// What a kustomization names: places outside of its directory, and
/// directories that have kustomizations of their own. `None` where that cannot
/// be told.
type Named = Option<Rc<Vec<(TreePath, EntryKind)>>>;

struct Scout<'t> {
    tree: &'t dyn Tree,
    seen: BTreeMap<TreePath, Named>,
}

impl Scout<'_> {
    /// Every place that building `directory` may read; `None` for anything.
    fn places(&mut self, directory: &TreePath) -> Option<BTreeSet<TreePath>> {
        let mut places = BTreeSet::from([directory.clone()]);
        let mut next = vec![directory.clone()];
        while let Some(directory) = next.pop() {
            for (place, kind) in self.named(&directory)?.iter() {
                if places.insert(place.clone()) && *kind == EntryKind::Directory {
                    next.push(place.clone());
                }
            }
        }
        Some(places)
    }

    fn named(&mut self, directory: &TreePath) -> Named {
        if let Some(known) = self.seen.get(directory) {
            return known.clone();
        }
        let named = self.look(directory).map(Rc::new);
        self.seen.insert(directory.clone(), named.clone());
        named
    }

    fn look(&self, directory: &TreePath) -> Option<Vec<(TreePath, EntryKind)>> {
        let entries = self.tree.list(directory).ok()?;
        let mut named = BTreeMap::new();
        let mut is_one = false;
        for entry in entries.iter().filter(|entry| is_kustomization(&entry.name)) {
            is_one = true;
            let bytes = self.tree.read(&directory.join(&entry.name).ok()?).ok()?;
            for document in gitops_yaml::read(FileId(0), &bytes).ok()? {
                let Some(root) = &document.root else { continue };
                if root.entries().iter().any(|(key, _)| is_indirect(key)) {
                    return None;
                }
                self.strings(root, directory, &entries, &mut named)?;
            }
        }
        is_one.then(|| named.into_iter().collect())
    }

    /// Takes every string below `node` for a path.
    fn strings(
        &self,
        node: &Node,
        directory: &TreePath,
        entries: &[Entry],
        named: &mut BTreeMap<TreePath, EntryKind>,
    ) -> Option<()> {
        match &node.value {
            Value::Scalar(scalar) => {
                let text = scalar.text.as_str();
                self.path(text, directory, entries, named)?;
                // `files: [key=path]`
                if let Some((_, path)) = text.split_once('=') {
                    self.path(path, directory, entries, named)?;
                }
            }
            Value::Sequence(items) => {
                for item in items {
                    self.strings(item, directory, entries, named)?;
                }
            }
            Value::Mapping(pairs) => {
                for (_, value) in pairs {
                    self.strings(value, directory, entries, named)?;
                }
            }
        }
        Some(())
    }

    fn path(
        &self,
        text: &str,
        directory: &TreePath,
        entries: &[Entry],
        named: &mut BTreeMap<TreePath, EntryKind>,
    ) -> Option<()> {
        let first = text.split('/').find(|name| !matches!(*name, "" | "."));
        let leads_out = text.contains("..");
        let inside = entries
            .iter()
            .find(|entry| Some(entry.name.as_str()) == first)
            .is_some_and(|entry| entry.kind != EntryKind::File);
        if !leads_out && !inside {
            return Some(());
        }
        // What leads out of the tree or is no path is an error of the build.
        let Ok(place) = directory.join(text) else { return Some(()) };
        // Name by name, so that a link on the way is seen.
        let mut way = directory.clone();
        let mut kind = EntryKind::Directory;
        for name in text.split('/').filter(|name| !matches!(*name, "" | ".")) {
            way = way.join(name).ok()?;
            if name == ".." {
                kind = EntryKind::Directory;
                continue;
            }
            match self.tree.kind(&way).ok()? {
                Some(EntryKind::Link | EntryKind::Other) => return None,
                Some(EntryKind::Directory) => kind = EntryKind::Directory,
                // What is not there may be there after the change, as a file.
                Some(EntryKind::File) | None => {
                    kind = EntryKind::File;
                    break;
                }
            }
        }
        named.insert(place, kind);
        Some(())
    }
}

fn is_kustomization(name: &str) -> bool {
    KUSTOMIZATION_NAMES.contains(&name)
}

fn is_indirect(key: &Node) -> bool {
    let Some(text) = key.text() else { return false };
    INDIRECT.iter().any(|name| text.eq_ignore_ascii_case(name))
}
