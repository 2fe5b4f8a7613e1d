//! The recursion of a build.
//!
//! Order of steps from kustomize v5.8, api/internal/target/kusttarget.go:
//! resources, configurations, generators, components, transformers; then, once
//! at the top, hashes, references and order.

mod settings;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use gitops_tree::{Tree, TreePath};
use gitops_yaml::{Mark, Node};

use crate::ahead::Ahead;
use crate::defaults::Config;
use crate::error::{BuildError, BuildErrors, Place, Problems, Several};
use crate::files::{Files, KUSTOMIZATION_NAMES, Reference, Target};
use crate::generate::{self, Kind};
use crate::known::Known;
use crate::kustomization::{Image, Kustomization, Sort};
use crate::names::Names;
use crate::origin::{self, Cause, Origin};
use crate::patch::{self, Home, Targets};
use crate::resource::Object;
use crate::schema::Schema;
use crate::set::Set;
use crate::supply::Fulfil;
use crate::transform::{self, Affix, Subjects};
use crate::variables::{self, Variable};
use crate::{
    Options, Rendered, Reorder, Warning, folded, helm, limits, next_line, objects, order, parallel,
    plugins, references, replacements, through_json,
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
    let config = known.get();
    references::fix(set, &config.references)?;
    variables::resolve(set, variables, &config.variables)?;
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

    /// Reads the one kustomization file of a folder, and reports what is wrong
    /// with it.
    fn read_kustomization(&mut self, root: &TreePath) -> Result<Rc<Found>, BuildError> {
        let found = match self.kustomizations.get(root) {
            Some(found) => found.clone(),
            None => {
                let (found, errors) = self.find_kustomization(root)?;
                self.report(Several(errors));
                found
            }
        };
        let (path, kustomization) = &*found;
        for (field, instead, mark) in &kustomization.deprecated {
            self.warnings.push(Warning {
                path: path.clone(),
                line: Some(mark.line),
                message: format!("`{field}` is deprecated; use `{instead}`"),
            });
        }
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
    fn look_ahead(&mut self, root: &TreePath, seen: &mut HashSet<TreePath>) {
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

    fn generate_by_plugins(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        kustomization: &Kustomization,
        made: &mut Accumulated,
    ) {
        let Some(objects) =
            self.plugin_configs(root, path, kustomization, &kustomization.generators)
        else {
            made.breaks();
            return;
        };
        let mut names = Names::default();
        for object in objects {
            let generated = self.attempt(Some(&Place::file(path.clone())), |build| {
                let home = Home { root, path, schema: &build.schema };
                let mut new = plugins::generate(&mut build.files, &home, &object)?;
                if let Some(cause) = Cause::plugin(&object) {
                    new.iter_mut().for_each(|one| origin::generated_by(one, &cause));
                }
                if !made.broken {
                    new.into_iter().try_for_each(|one| made.set.absorb(one, &mut names))?;
                }
                Ok::<_, Several>(())
            });
            made.broken |= generated.is_none();
        }
    }

    fn transform_by_plugins(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        kustomization: &Kustomization,
        made: &mut Accumulated,
    ) {
        for (entries, is_validator) in
            [(&kustomization.transformers, false), (&kustomization.validators, true)]
        {
            let Some(objects) = self.plugin_configs(root, path, kustomization, entries) else {
                made.breaks();
                continue;
            };
            for object in objects {
                if made.broken {
                    // Whether there is such a plugin does not depend on the objects.
                    self.attempt(Some(&Place::file(path.clone())), |_| plugins::check(&object));
                    continue;
                }
                let done =
                    self.attempt(Some(&Place::file(path.clone())), |build| match is_validator {
                        true => build.validate(root, path, &object, &mut made.set),
                        false => build.transform_by(root, path, &object, &mut made.set),
                    });
                made.broken |= done.is_none();
            }
        }
    }

    fn transform_by(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        object: &Object,
        set: &mut Set,
    ) -> Result<(), Several> {
        let home = Home { root, path, schema: &self.schema };
        plugins::transform(set, &mut self.files, &home, object, &mut self.warnings)?;
        if let Some(cause) = Cause::plugin(object) {
            origin::transformed_by(set, &cause);
        }
        Ok(())
    }

    /// The configurations of plugins: each entry is one itself, or leads to
    /// files or kustomizations of them. Nothing where there are errors.
    fn plugin_configs(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        kustomization: &Kustomization,
        entries: &[Node],
    ) -> Option<Vec<Object>> {
        let mut made = Accumulated::default();
        // What stands inline comes first.
        let (mut inline, mut named) = (Vec::new(), Vec::new());
        for entry in entries {
            let home = Home { root, path, schema: &self.schema };
            match patch::is_inline(&mut self.files, &home, entry) {
                true => inline.push(entry),
                false => named.push(entry),
            }
        }
        for entry in inline.into_iter().chain(named) {
            let place = self.files.reference(entry, path).place;
            let added = self.attempt(Some(&place), |build| {
                let home = Home { root, path, schema: &build.schema };
                match patch::read_inline_objects(&mut build.files, &home, entry, true)? {
                    Some(mut objects) => {
                        build.note_origin(&mut objects, kustomization.file_name);
                        made.set.objects.extend(objects);
                        Ok(())
                    }
                    None => build.add_resource(root, path, entry, &mut made),
                }
            });
            made.broken |= added.is_none();
        }
        self.refuse_clashes(&mut made);
        (!made.broken).then_some(made.set.objects)
    }

    /// Adds what an entry of `resources` leads to; that no two objects have
    /// one identity is for the caller to check.
    fn add_resource(
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

    fn add_component(
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
                Ok(())
            }
            Target::File(_) => Err(wrong("a file")),
            Target::Nothing(at) => Err(self.files.not_found(&reference, at)),
        }
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

    /// Notes that objects were read from a file that the kustomization names.
    fn note_origin(&self, objects: &mut [Object], file: &str) {
        if let Some(base) = &self.origin {
            let path = base.append(file);
            objects.iter_mut().for_each(|object| origin::read_from(object, &path));
        }
    }

    /// What a field of the kustomization being built does, as a cause.
    fn cause(&self, kustomization: &Kustomization, kind: &str) -> Option<Cause> {
        let base = self.origin.as_ref()?;
        Some(Cause::field(base.append(kustomization.file_name), kind))
    }

    /// Runs a validator: a transformer that may change nothing but the label
    /// with which it says that it ran.
    ///
    /// Rules from kustomize v5.8, api/internal/target/kusttarget.go.
    fn validate(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        validator: &Object,
        set: &mut Set,
    ) -> Result<(), Several> {
        let before = set.objects.clone();
        let home = Home { root, path, schema: &self.schema };
        plugins::transform(set, &mut self.files, &home, validator, &mut self.warnings)?;
        let same = before.len() == set.objects.len()
            && before.iter().zip(&set.objects).all(|(old, new)| old.is_same_but_for_label(new));
        if same {
            return Ok(());
        }
        Err(BuildError::Invalid {
            place: validator.place.clone(),
            message: format!(
                "the validator `{}` changes objects; list it under `transformers`",
                validator.id()
            ),
        }
        .into())
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

    fn generate(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        kustomization: &Kustomization,
        made: &mut Accumulated,
    ) {
        let global = &kustomization.generator_options;
        let generators = kustomization
            .config_maps
            .iter()
            .map(|generator| (Kind::ConfigMap, generator))
            .chain(kustomization.secrets.iter().map(|generator| (Kind::Secret, generator)));
        let mut names = Names::default();
        for (kind, generator) in generators {
            let name = match kind {
                Kind::ConfigMap => "ConfigMapGenerator",
                Kind::Secret => "SecretGenerator",
            };
            let cause = self.cause(kustomization, name);
            let place =
                self.files.place(&Node::string("").at(generator.mark), &Place::file(path.clone()));
            let generated = self.attempt(Some(&place), |build| {
                let mut object =
                    generate::generate(&mut build.files, root, path, kind, generator, global)?;
                if let Some(cause) = cause {
                    origin::generated_by(&mut object, &cause);
                }
                if !made.broken {
                    made.set.absorb(object, &mut names)?;
                }
                Ok::<_, Several>(())
            });
            made.broken |= generated.is_none();
        }
        self.inflate_charts(root, path, kustomization, made);
    }

    fn inflate_charts(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        kustomization: &Kustomization,
        made: &mut Accumulated,
    ) {
        let globals = kustomization.helm_globals.as_ref().unwrap_or(&kustomization.legacy_globals);
        let mut names = Names::default();
        for entry in &kustomization.charts {
            let mut chart = globals.complete(entry.chart.clone(), root);
            if chart.namespace.is_empty() {
                let own = kustomization.namespace.as_ref().and_then(Node::text);
                chart.namespace = own.unwrap_or(&self.helm_namespace).to_owned();
            }
            let cause = self.cause(kustomization, "HelmChartInflationGenerator");
            let generated = self.attempt(Some(&Place::file(path.clone())), |build| {
                let files = &mut build.files;
                let mut new = helm::generate(files, root, path, &build.schema, entry, chart)?;
                if let Some(cause) = &cause {
                    new.iter_mut().for_each(|one| origin::generated_by(one, cause));
                }
                if !made.broken {
                    new.into_iter().try_for_each(|one| made.set.absorb(one, &mut names))?;
                }
                Ok::<_, Several>(())
            });
            made.broken |= generated.is_none();
        }
    }

    /// Carries out the fields that change objects.
    fn transform(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        kustomization: &Kustomization,
        made: &mut Accumulated,
    ) {
        let was_broken = made.broken;
        if !was_broken {
            let patched = self.patch(root, path, kustomization, &mut made.set);
            made.broken |= !patched;
        }
        if !made.broken {
            let config = made.known.get();
            let done = self.attempt(Some(&Place::file(path.clone())), |build| {
                build.transform_fields(root, path, kustomization, &config, &mut made.set)
            });
            made.broken |= done.is_none();
            return;
        }
        // What is wrong whatever the objects are.
        let files = &mut self.files;
        let home = Home { root, path, schema: &self.schema };
        let mut errors = Vec::new();
        if was_broken {
            let entries = &kustomization.patches_strategic_merge;
            if let Err((_, more)) = patch::read_strategic_entries(files, &home, entries) {
                errors.extend(more);
            }
            for entry in &kustomization.patches {
                errors
                    .extend(patch::check(files, &home, entry).err().into_iter().flat_map(|e| e.0));
            }
        }
        for entry in &kustomization.patches_json {
            errors.extend(patch::check(files, &home, entry).err().into_iter().flat_map(|e| e.0));
        }
        errors.extend(replacements::read(files, &home, &kustomization.replacements).err());
        self.report(Several(errors));
    }

    /// Carries out `patchesStrategicMerge` and `patches`; `false` where some
    /// do not apply.
    fn patch(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        kustomization: &Kustomization,
        set: &mut Set,
    ) -> bool {
        let home = Home { root, path, schema: &self.schema };
        let base = self.origin.as_ref().map(|base| base.append(kustomization.file_name));
        let note = |set: &mut Set, kind: &str| {
            if let Some(file) = &base {
                origin::transformed_by(set, &Cause::field(file.clone(), kind));
            }
        };
        let files = &mut self.files;
        let mut errors = Vec::new();
        let mut targets = Targets::default();
        if !kustomization.patches_strategic_merge.is_empty() {
            let entries = &kustomization.patches_strategic_merge;
            match patch::apply_strategic_entries(set, &mut targets, files, &home, entries) {
                Ok(()) => note(set, "PatchStrategicMergeTransformer"),
                Err(more) => errors.push((Place::file(path.clone()), more)),
            }
        }
        for entry in &kustomization.patches {
            match patch::apply(set, &mut targets, files, &home, entry, &mut self.warnings) {
                Ok(()) => note(set, "PatchTransformer"),
                Err(more) => {
                    let whole = Place::file(path.clone());
                    let place = files.place(&Node::string("").at(entry.mark), &whole);
                    errors.push((place, more));
                    if entry.allow_name_change || entry.allow_kind_change {
                        // The names that later patches look for may be its.
                        break;
                    }
                }
            }
        }
        let patched = errors.is_empty();
        for (place, error) in errors {
            self.attempt::<(), _>(Some(&place), |_| Err(error));
        }
        patched
    }

    fn transform_fields(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        kustomization: &Kustomization,
        config: &Config,
        set: &mut Set,
    ) -> Result<(), BuildError> {
        let home = Home { root, path, schema: &self.schema };
        let whole = Place::file(path.clone());
        let base = self.origin.as_ref().map(|base| base.append(kustomization.file_name));
        let note = |set: &mut Set, kind: &str| {
            if let Some(file) = &base {
                origin::transformed_by(set, &Cause::field(file.clone(), kind));
            }
        };
        let files = &mut self.files;
        if let Some(namespace) = &kustomization.namespace {
            transform::namespace(set, namespace, &config.namespace, Subjects::Default, false)?;
            note(set, "NamespaceTransformer");
        }
        for (affix, which, specs, kind) in [
            (&kustomization.name_prefix, Affix::Prefix, &config.name_prefix, "PrefixTransformer"),
            (&kustomization.name_suffix, Affix::Suffix, &config.name_suffix, "SuffixTransformer"),
        ] {
            if let Some((text, mark)) =
                affix.as_ref().and_then(|affix| Some((affix.text()?, affix.mark)))
            {
                transform::affix(set, (text, mark), which, specs)?;
                note(set, kind);
            }
        }
        for entry in &kustomization.labels {
            transform::labels(set, entry, config, &whole)?;
            note(set, "LabelTransformer");
        }
        if !kustomization.labels.is_empty() || !kustomization.common_labels.is_empty() {
            let pairs = &kustomization.common_labels;
            transform::pairs(set, pairs, &config.common_labels, "commonLabels")?;
            note(set, "LabelTransformer");
        }
        if !kustomization.common_annotations.is_empty() {
            let pairs = &kustomization.common_annotations;
            transform::pairs(set, pairs, &config.annotations, "commonAnnotations")?;
            note(set, "AnnotationsTransformer");
        }
        let mut targets = Targets::default();
        for entry in &kustomization.patches_json {
            patch::apply_json_entry(set, &mut targets, files, &home, entry, &mut self.warnings)?;
            note(set, "PatchJson6902Transformer");
        }
        for replica in &kustomization.replicas {
            let place = files.place(&replica.count, &whole);
            transform::replicas(set, replica, &config.replicas, &place)?;
            note(set, "ReplicaCountTransformer");
        }
        if !kustomization.images.is_empty() {
            let place = |image: &Image| files.place(&Node::string("").at(image.mark), &whole);
            transform::images(set, &kustomization.images, &config.images, &place)?;
            kustomization.images.iter().for_each(|_| note(set, "ImageTagTransformer"));
        }
        if !kustomization.replacements.is_empty() {
            let replacements = replacements::read(files, &home, &kustomization.replacements)?;
            replacements::apply(set, &replacements)?;
            note(set, "ReplacementTransformer");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
