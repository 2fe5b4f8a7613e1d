//! What the entries of a kustomization lead to: files, folders, components.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use gitops_tree::TreePath;
use gitops_yaml::Node;

use super::{Accumulated, Build, Found};
use crate::error::{BuildError, Place, Problems, Several};
use crate::files::{KUSTOMIZATION_NAMES, Reference, Target};
use crate::kustomization::Kustomization;
use crate::resource::Object;
use crate::{Warning, limits, objects, origin, variables};

impl Build<'_> {
    /// Reads the one kustomization file of a folder, and reports what is wrong
    /// with it.
    pub(super) fn read_kustomization(&mut self, root: &TreePath) -> Result<Rc<Found>, BuildError> {
        let found = match self.kustomizations.get(root) {
            Some(found) => found.clone(),
            None => {
                let (found, errors) = self.find_kustomization(root)?;
                self.report(Several(errors));
                found
            }
        };
        let (path, kustomization) = &*found;
        self.warnings.extend(kustomization.remarks.iter().map(|(mark, message)| Warning {
            path: path.clone(),
            line: Some(mark.line),
            message: message.clone(),
        }));
        Ok(found)
    }

    /// The kustomization of a folder, and the errors in its fields.
    fn find_kustomization(
        &mut self,
        root: &TreePath,
    ) -> Result<(Rc<Found>, Vec<BuildError>), BuildError> {
        let mut found = Vec::new();
        let mut hidden = None;
        for name in KUSTOMIZATION_NAMES {
            let place = Place::file(root.join(name).unwrap_or_default());
            let reference = Reference { text: name.to_owned(), place };
            // One that may not be read is none for kustomize; why is worth telling.
            match self.files.find(root, &reference) {
                Ok(Some(path)) => found.push((name, path, reference)),
                Ok(None) => {}
                Err(error) => hidden = hidden.or(Some(error)),
            }
        }
        let (name, path, reference) = match found.as_slice() {
            [] => {
                let none = || BuildError::NoKustomization { dir: root.clone() };
                return Err(hidden.unwrap_or_else(none));
            }
            [(name, path, reference)] => (*name, path.clone(), reference.clone()),
            several => {
                return Err(BuildError::ManyKustomizations {
                    dir: root.clone(),
                    names: several.iter().map(|(name, ..)| *name).collect(),
                });
            }
        };
        let bytes = self.files.read(&path, &reference)?;
        let Some(document) = self.files.configuration(&path, &bytes)? else {
            return Err(BuildError::EmptyKustomization { place: Place::file(path) });
        };
        let errors = RefCell::default();
        let mut kustomization = Kustomization::read(&path, &document, &errors)?;
        let errors = errors.into_inner();
        kustomization.file_name = name;
        kustomization.is_broken = !errors.is_empty();
        let found = Rc::new((path, kustomization));
        if errors.is_empty() {
            self.kustomizations.insert(root.clone(), found.clone());
        }
        Ok((found, errors))
    }

    /// Hands the files of a kustomization's resources and of those it refers
    /// to over to be parsed. What cannot be read is left for the build itself
    /// to complain of. Each folder is looked at once.
    pub(super) fn look_ahead(&mut self, root: &TreePath, seen: &mut HashSet<TreePath>) {
        if !seen.insert(root.clone()) {
            return;
        }
        if !self.kustomizations.contains_key(root) && self.find_kustomization(root).is_err() {
            return;
        }
        let Some(found) = self.kustomizations.get(root).cloned() else { return };
        let (path, kustomization) = &*found;
        self.visited.push(root.clone());
        let resources = kustomization.resources.iter().map(|entry| (entry, true));
        let components = kustomization.components.iter().map(|entry| (entry, false));
        for (entry, may_be_file) in resources.chain(components) {
            let reference = self.files.reference(entry, path);
            match self.files.locate_at_hand(root, &reference) {
                Some(Target::File(file)) if may_be_file => self.hand_over(root, file, &reference),
                Some(Target::Directory(dir)) if self.check_cycle(&dir, &reference).is_ok() => {
                    self.look_ahead(&dir, seen);
                }
                _ => {}
            }
        }
        self.visited.pop();
    }

    fn hand_over(&mut self, root: &TreePath, file: TreePath, reference: &Reference) {
        if self.files.check_root(root, &file, reference).is_err() || self.ahead.expects(&file) {
            return;
        }
        if let Ok(bytes) = self.files.read(&file, reference) {
            let id = self.files.id(&file);
            self.ahead.add(file, id, bytes);
        }
    }

    /// Adds what an entry of `resources` leads to; that no two objects have
    /// one identity is for the caller to check.
    pub(super) fn add_resource(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        entry: &Node,
        made: &mut Accumulated,
    ) -> Result<(), Several> {
        let reference = self.files.reference(entry, path);
        match self.files.locate(root, &reference)? {
            Target::File(file) => {
                self.files.check_root(root, &file, &reference)?;
                let documents = match self.ahead.take(&file) {
                    Some(parsed) => parsed?,
                    None => {
                        let bytes = self.files.read(&file, &reference)?;
                        self.files.documents(&file, &bytes)?
                    }
                };
                let mut objects = objects::from_documents(documents, &file, &self.schema)?;
                self.note_origin(&mut objects, &reference.text);
                made.set.objects.extend(objects);
                Ok(())
            }
            Target::Directory(dir) => {
                let outcome = self.add_folder(&reference, &dir, made);
                made.unnamed |= outcome.is_err();
                Ok(outcome?)
            }
            Target::Nothing(at) => Err(self.files.not_found(&reference, at).into()),
        }
    }

    /// Adds what the kustomization in a folder makes.
    fn add_folder(
        &mut self,
        reference: &Reference,
        dir: &TreePath,
        made: &mut Accumulated,
    ) -> Result<(), BuildError> {
        self.enter(dir, reference)?;
        let found = self.read_kustomization(dir)?;
        let (child_path, child) = &*found;
        self.set_schema(dir, child_path, child)?;
        if child.is_component {
            return Err(BuildError::WrongEntry {
                place: reference.place.clone(),
                reference: reference.text.clone(),
                found: "a Component",
                expected: "a Kustomization; list it under `components`",
            });
        }
        let mut below = Accumulated::default();
        self.accumulate_below(reference, dir, child_path, child, &mut below);
        made.broken |= below.broken;
        made.unnamed |= below.broken;
        // A document may have come after these objects were read.
        below.set.objects.iter_mut().for_each(|object| object.learn_scope(&self.schema));
        made.set.objects.extend(below.set.objects);
        variables::join_known(&mut made.variables, below.variables.into_values())?;
        made.known
            .add(&below.known)
            .map_err(|message| BuildError::Invalid { place: reference.place.clone(), message })
    }

    pub(super) fn add_component(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        entry: &Node,
        made: &mut Accumulated,
    ) -> Result<(), BuildError> {
        let reference = self.files.reference(entry, path);
        let wrong = |found| BuildError::WrongEntry {
            place: reference.place.clone(),
            reference: reference.text.clone(),
            found,
            expected: "a folder with a Component",
        };
        match self.files.locate_folder(root, &reference)? {
            Target::Directory(dir) => {
                self.enter(&dir, &reference)?;
                let found = self.read_kustomization(&dir)?;
                let (child_path, child) = &*found;
                self.set_schema(&dir, child_path, child)?;
                if !child.is_component {
                    return Err(wrong("a Kustomization"));
                }
                self.accumulate_below(&reference, &dir, child_path, child, made);
                made.known.settle().map_err(|message| BuildError::Invalid {
                    place: reference.place.clone(),
                    message,
                })
            }
            Target::File(_) => Err(wrong("a file")),
            Target::Nothing(at) => Err(self.files.not_found(&reference, at)),
        }
    }

    /// Notes that objects were read from a file that the kustomization names.
    pub(super) fn note_origin(&self, objects: &mut [Object], file: &str) {
        if let Some(base) = &self.origin {
            let path = base.append(file);
            objects.iter_mut().for_each(|object| origin::read_from(object, &path));
        }
    }

    /// Refuses a folder that is being built already, and one too many.
    fn enter(&mut self, dir: &TreePath, reference: &Reference) -> Result<(), BuildError> {
        self.built += 1;
        if self.built > limits::MAX_BUILT {
            // Whatever else is wrong comes of it, or comes again.
            if !self.stopped {
                self.problems = Problems::default();
            }
            self.stopped = true;
            return Err(BuildError::Invalid {
                place: reference.place.clone(),
                message: format!(
                    "the build has more than {} kustomizations, counted as often as each is named; build its parts by themselves",
                    limits::MAX_BUILT
                ),
            });
        }
        self.check_cycle(dir, reference)
    }

    fn check_cycle(&self, dir: &TreePath, reference: &Reference) -> Result<(), BuildError> {
        let fail =
            |message: String| BuildError::Invalid { place: reference.place.clone(), message };
        if self.visited.len() >= limits::MAX_NESTED {
            return Err(fail(format!(
                "kustomizations build on one another more than {} levels deep; leave some of them out",
                limits::MAX_NESTED
            )));
        }
        match self.visited.iter().find(|visited| visited.is_within(dir)) {
            Some(visited) => Err(BuildError::Cycle {
                place: reference.place.clone(),
                reference: reference.text.clone(),
                candidate: dir.clone(),
                visited: visited.clone(),
            }),
            None => Ok(()),
        }
    }
}
