//! The recursion of a build.
//!
//! Order of steps from kustomize v5.8, api/internal/target/kusttarget.go:
//! resources, configurations, generators, components, transformers; then, once
//! at the top, hashes, references and order.

mod entries;
mod settings;
mod steps;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use gitops_tree::{Tree, TreePath};
use gitops_yaml::{Mark, Node};

use crate::ahead::Ahead;
use crate::defaults::List;
use crate::error::{BuildError, BuildErrors, Place, Problems, Several};
use crate::files::{Files, Reference};
use crate::known::Known;
use crate::kustomization::{Kustomization, Sort};
use crate::origin::{self, Cause, Origin};
use crate::resource::Object;
use crate::schema::Schema;
use crate::set::Set;
use crate::supply::Fulfil;
use crate::variables::{self, Variable};
use crate::{
    Options, Rendered, Reorder, Warning, folded, generate, next_line, objects, order, parallel,
    references, through_json, transform,
};

/// Builds the kustomization in `dir`.
pub(crate) fn build(
    tree: &dyn Tree,
    dir: &TreePath,
    options: &Options,
    supplies: &dyn Fulfil,
) -> Result<Rendered, BuildErrors> {
    let mut build = Build {
        files: Files::new(tree, options.load_restrictor, supplies),
        warnings: Vec::new(),
        visited: Vec::new(),
        built: 0,
        stopped: false,
        namespace: Vec::new(),
        helm_namespace: String::new(),
        chain: Vec::new(),
        problems: Problems::default(),
        origin: None,
        schema: Schema::default(),
        kustomizations: HashMap::new(),
        ahead: Ahead::default(),
    };
    let root = build.files.folder(dir)?;
    let found = build.read_kustomization(&root)?;
    let (path, kustomization) = &*found;
    build.look_ahead(&root, &mut HashSet::new());
    if let Err(error) = build.set_schema(&root, path, kustomization) {
        build.report(error);
    }
    let metadata = kustomization.metadata;
    if metadata.managed_by_label || metadata.origin_annotations || metadata.transformer_annotations
    {
        build.origin = Some(Origin::default());
    }
    let mut made = Accumulated::default();
    build.accumulate(&root, path, kustomization, &mut made);
    build.problems.into_errors()?;

    let mut set = made.set;
    finish(&mut set, &build.files, &made.known, &made.variables, kustomization, options)?;
    build.warnings.append(&mut build.files.warnings);
    Ok(Rendered::new(set.objects, build.files.paths, build.warnings))
}

/// What is done once, at the top.
fn finish(
    set: &mut Set,
    files: &Files<'_>,
    known: &Known,
    variables: &BTreeMap<String, Variable>,
    kustomization: &Kustomization,
    options: &Options,
) -> Result<(), BuildErrors> {
    let metadata = kustomization.metadata;
    generate::add_hashes(&mut set.objects)?;
    references::fix(set, known)?;
    if !variables.is_empty() {
        variables::resolve(set, variables, known.fields(List::Variables))?;
    }
    set.objects.retain(|object| !is_local(object));
    let mut clashes = Problems::default();
    set.clashes().for_each(|clash| clashes.add(clash, &[]));
    clashes.into_errors()?;
    match (&kustomization.sort, options.reorder) {
        (Some(Sort::Fifo), _) | (None, Reorder::None) => {}
        (Some(Sort::Legacy(lists)), _) => {
            let lists = lists.as_ref().map(|(first, last)| (first.as_slice(), last.as_slice()));
            order::legacy(&mut set.objects, lists);
        }
        (None, Reorder::Legacy) => order::legacy(&mut set.objects, None),
    }
    if metadata.managed_by_label || options.managed_by_label {
        transform::managed_by(set, metadata.mark);
    }
    let mut unwanted = Vec::new();
    if !metadata.origin_annotations {
        unwanted.push(origin::ORIGIN);
    }
    if !metadata.transformer_annotations {
        unwanted.push(origin::TRANSFORMATIONS);
    }
    let unprintable = Mutex::new(Vec::new());
    parallel::each(&mut set.objects, |index, object| {
        object.drop_notes(&unwanted);
        object.normalise_texts("annotations");
        // A list without items may come without metadata, and leaves with them.
        object.metadata_mut();
        let found = match folded::rewrite(&mut object.node) {
            Err(key) => Unprintable::Key(key),
            Ok(()) => match through_json::check(&object.node)
                .and_then(|()| next_line::fold(&mut object.node))
            {
                Err((mark, message)) => Unprintable::Value(mark, message),
                Ok(()) => return Ok::<_, BuildErrors>(()),
            },
        };
        unprintable.lock().unwrap_or_else(PoisonError::into_inner).push((index, found));
        Ok(())
    })?;
    let mut unprintable = unprintable.into_inner().unwrap_or_else(PoisonError::into_inner);
    unprintable.sort_by_key(|(index, _)| *index);
    let mut problems = Problems::default();
    for (index, found) in unprintable {
        let object = &set.objects[index];
        let error = match found {
            Unprintable::Key(key) => {
                objects::odd_key(object, files.place(&key, &object.place), &key)
            }
            Unprintable::Value(mark, message) => BuildError::Invalid {
                place: files.place(&Node::string("").at(mark), &object.place),
                message,
            },
        };
        problems.add(error, &[]);
    }
    problems.into_errors()
}

/// What keeps an object from being printed.
enum Unprintable {
    Key(Node),
    Value(Mark, String),
}

/// kustomize drops objects that say they are configuration of local tools.
fn is_local(object: &Object) -> bool {
    object
        .texts("annotations")
        .iter()
        .any(|(key, value)| key == "config.kubernetes.io/local-config" && value != "false")
}

struct Build<'t> {
    files: Files<'t>,
    warnings: Vec<Warning>,
    /// The folders being built, from the outermost in.
    visited: Vec<TreePath>,
    /// Their `namespace` fields.
    namespace: Vec<Option<String>>,
    /// The namespace that charts get from the kustomizations around theirs.
    helm_namespace: String,
    /// How many kustomizations were built so far.
    built: usize,
    /// Whether they were too many: nothing more is built.
    stopped: bool,
    /// The references that led to what is being read, from the outermost in.
    chain: Vec<Place>,
    problems: Problems,
    /// The folder being built as the outermost one names it; `None` where
    /// nobody asks for origins.
    origin: Option<Origin>,
    schema: Schema,
    /// The kustomizations that were read without an error, by folder.
    kustomizations: HashMap<TreePath, Rc<Found>>,
    /// The files of resources, of this kustomization and those below.
    ahead: Ahead,
}

/// A kustomization and its file.
type Found = (TreePath, Kustomization);

/// Objects, and what is known about their fields and variables.
#[derive(Default)]
struct Accumulated {
    set: Set,
    known: Known,
    variables: BTreeMap<String, Variable>,
    /// Objects are missing or not as they should be: what is done to them is
    /// left out, so that an error is not reported as others that follow from it.
    broken: bool,
    /// Some objects may have other names than they should.
    unnamed: bool,
}

impl Accumulated {
    /// Notes that an error was reported.
    fn breaks(&mut self) {
        self.broken = true;
    }
}

impl Build<'_> {
    fn report(&mut self, errors: impl Into<Several>) {
        for error in errors.into().0 {
            if self.stopped && !self.problems.is_empty() {
                return;
            }
            self.problems.add(error, &self.chain);
        }
    }

    /// What `run` gives; where it fails, nothing, and the errors are reported
    /// with `by` as the last of the places that led there.
    fn attempt<T, E: Into<Several>>(
        &mut self,
        by: Option<&Place>,
        run: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Option<T> {
        let length = self.chain.len();
        self.chain.extend(by.cloned());
        let done = run(self);
        let done = match done {
            Ok(done) => Some(done),
            Err(errors) => {
                self.report(errors);
                None
            }
        };
        self.chain.truncate(length);
        done
    }

    /// Carries out a kustomization on top of what `made` holds. Goes on after
    /// errors as far as more of them can be found.
    fn accumulate(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        kustomization: &Kustomization,
        made: &mut Accumulated,
    ) {
        self.visited.push(root.clone());
        self.namespace
            .push(kustomization.namespace.as_ref().and_then(Node::text).map(str::to_owned));
        made.broken |= kustomization.is_broken;
        if self.stopped {
            made.broken = true;
            self.visited.pop();
            self.namespace.pop();
            return;
        }
        for entry in &kustomization.resources {
            let place = self.files.reference(entry, path).place;
            let added =
                self.attempt(Some(&place), |build| build.add_resource(root, path, entry, made));
            made.broken |= added.is_none();
        }
        self.refuse_clashes(made);
        let configured = self.attempt(None, |build| {
            build.add_configuration(root, path, kustomization, &mut made.known)
        });
        made.broken |= configured.is_none();
        self.generate(root, path, kustomization, made);
        self.generate_by_plugins(root, path, kustomization, made);
        for entry in &kustomization.components {
            let place = self.files.reference(entry, path).place;
            let added =
                self.attempt(Some(&place), |build| build.add_component(root, path, entry, made));
            made.broken |= added.is_none();
        }
        self.transform(root, path, kustomization, made);
        self.transform_by_plugins(root, path, kustomization, made);
        if !made.broken {
            let added = self.attempt(None, |_| {
                variables::add(&mut made.variables, &mut made.set, &kustomization.variables)
            });
            made.broken |= added.is_none();
        }
        self.visited.pop();
        self.namespace.pop();
    }

    /// Reports objects with one identity.
    fn refuse_clashes(&mut self, made: &mut Accumulated) {
        if made.unnamed {
            return;
        }
        let clashes: Vec<BuildError> = made.set.clashes().collect();
        made.broken |= !clashes.is_empty();
        self.report(Several(clashes));
    }

    /// Carries out the kustomization that another refers to.
    fn accumulate_below(
        &mut self,
        reference: &Reference,
        dir: &TreePath,
        path: &TreePath,
        kustomization: &Kustomization,
        made: &mut Accumulated,
    ) {
        let below = self.origin.as_ref().map(|base| base.append(&reference.text));
        let outer = std::mem::replace(&mut self.origin, below);
        let namespace = self.helm_namespace.clone();
        if let Some(Some(own)) = self.namespace.last() {
            self.helm_namespace.clone_from(own);
        }
        self.accumulate(dir, path, kustomization, made);
        self.helm_namespace = namespace;
        self.origin = outer;
    }

    /// What a field of the kustomization being built does, as a cause.
    fn cause(&self, kustomization: &Kustomization, kind: &str) -> Option<Cause> {
        let base = self.origin.as_ref()?;
        Some(Cause::field(base.append(kustomization.file_name), kind))
    }
}

#[cfg(test)]
mod tests;
