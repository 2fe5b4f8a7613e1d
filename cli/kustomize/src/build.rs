//! The recursion of a build.
//!
//! Order of steps from kustomize v5.8, api/internal/target/kusttarget.go:
//! resources, configurations, generators, components, transformers; then, once
//! at the top, hashes, references and order.

mod settings;

use std::collections::{BTreeMap, HashMap};

use gitops_tree::{Tree, TreePath};
use gitops_yaml::{Dialect, Node};

use crate::defaults::Config;
use crate::error::{BuildError, Place};
use crate::files::{self, Files, KUSTOMIZATION_NAMES, Reference, Target};
use crate::generate::{self, Kind};
use crate::known::Known;
use crate::kustomization::{Image, Kustomization, Sort};
use crate::origin::{self, Cause};
use crate::patch::{self, Home};
use crate::resource::Object;
use crate::schema::Schema;
use crate::set::Set;
use crate::transform::{self, Affix, Subjects};
use crate::variables::{self, Variable};
use crate::{
    Options, Rendered, Reorder, Warning, folded, objects, order, parallel, plugins, references,
    replacements,
};

/// Builds the kustomization in `dir`.
pub(crate) fn build(
    tree: &dyn Tree,
    dir: &TreePath,
    options: &Options,
) -> Result<Rendered, BuildError> {
    let mut build = Build {
        files: Files::new(tree, options.load_restrictor),
        warnings: Vec::new(),
        visited: Vec::new(),
        origin: None,
        schema: Schema::default(),
        parsed: HashMap::new(),
    };
    let root = build.files.folder(dir)?;
    let (path, kustomization) = build.read_kustomization(&root)?;
    build.set_schema(&root, &path, &kustomization)?;
    let metadata = kustomization.metadata;
    if metadata.managed_by_label || metadata.origin_annotations || metadata.transformer_annotations
    {
        build.origin = Some(String::new());
    }
    let mut made = Accumulated::default();
    build.accumulate(&root, &path, &kustomization, &mut made)?;

    let mut set = made.set;
    generate::add_hashes(&mut set.objects)?;
    let config = made.known.get();
    references::fix(&mut set, &config.references)?;
    variables::resolve(&mut set, &made.variables, &config.variables)?;
    set.objects.retain(|object| !is_local(object));
    set.check_unique()?;
    match (&kustomization.sort, options.reorder) {
        (Some(Sort::Fifo), _) | (None, Reorder::None) => {}
        (Some(Sort::Legacy(lists)), _) => {
            let lists = lists.as_ref().map(|(first, last)| (first.as_slice(), last.as_slice()));
            order::legacy(&mut set.objects, lists);
        }
        (None, Reorder::Legacy) => order::legacy(&mut set.objects, None),
    }
    if metadata.managed_by_label {
        transform::managed_by(&mut set);
    }
    let mut unwanted = Vec::new();
    if !metadata.origin_annotations {
        unwanted.push(origin::ORIGIN);
    }
    if !metadata.transformer_annotations {
        unwanted.push(origin::TRANSFORMATIONS);
    }
    for object in &mut set.objects {
        object.drop_notes(&unwanted);
        object.normalise_texts("annotations");
        folded::rewrite(&mut object.node);
    }
    Ok(Rendered::new(set.objects, build.files.paths, build.warnings))
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
    /// The folder being built as the outermost one names it; `None` where
    /// nobody asks for origins.
    origin: Option<String>,
    schema: Schema,
    /// What the files of the resources being added hold, by path.
    parsed: HashMap<TreePath, Result<Vec<Node>, BuildError>>,
}

/// Objects, and what is known about their fields and variables.
#[derive(Default)]
struct Accumulated {
    set: Set,
    known: Known,
    variables: BTreeMap<String, Variable>,
}

impl Build<'_> {
    /// Reads the one kustomization file of a folder.
    fn read_kustomization(
        &mut self,
        root: &TreePath,
    ) -> Result<(TreePath, Kustomization), BuildError> {
        let mut found = Vec::new();
        for name in KUSTOMIZATION_NAMES {
            let reference = Reference { text: name.to_owned(), place: Place::file(root.clone()) };
            if let Target::File(path) = self.files.locate(root, &reference)? {
                found.push((name, path, reference));
            }
        }
        let (name, path, reference) = match found.as_slice() {
            [] => return Err(BuildError::NoKustomization { dir: root.clone() }),
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
        let mut kustomization = Kustomization::read(&path, &document)?;
        kustomization.file_name = name;
        for (field, instead, mark) in &kustomization.deprecated {
            self.warnings.push(Warning {
                path: path.clone(),
                line: Some(mark.line),
                message: format!("`{field}` is deprecated; use `{instead}`"),
            });
        }
        Ok((path, kustomization))
    }

    /// Carries out a kustomization on top of what `made` holds.
    fn accumulate(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        kustomization: &Kustomization,
        made: &mut Accumulated,
    ) -> Result<(), BuildError> {
        self.visited.push(root.clone());
        self.parse_ahead(root, path, &kustomization.resources);
        for entry in &kustomization.resources {
            self.add_resource(root, path, entry, made)?;
        }
        made.set.check_unique()?;
        self.add_configuration(root, path, kustomization, &mut made.known)?;
        self.generate(root, path, kustomization, &mut made.set)?;
        for object in self.plugin_configs(root, path, kustomization, &kustomization.generators)? {
            let mut new = plugins::generate(
                &mut self.files,
                &Home { root, path, schema: &self.schema },
                &object,
            )?;
            if let Some(cause) = Cause::plugin(&object) {
                origin::generated_by(&mut new, &cause);
            }
            made.set.absorb(new)?;
        }
        for entry in &kustomization.components {
            self.add_component(root, path, entry, made)?;
        }
        let config = made.known.get();
        self.transform(root, path, kustomization, &config, &mut made.set)?;
        for object in self.plugin_configs(root, path, kustomization, &kustomization.transformers)? {
            let home = Home { root, path, schema: &self.schema };
            plugins::transform(&mut made.set, &mut self.files, &home, &object, &mut self.warnings)?;
            if let Some(cause) = Cause::plugin(&object) {
                origin::transformed_by(&mut made.set, &cause);
            }
        }
        for object in self.plugin_configs(root, path, kustomization, &kustomization.validators)? {
            self.validate(root, path, &object, &mut made.set)?;
        }
        variables::add(&mut made.variables, &mut made.set, &kustomization.variables)?;
        self.visited.pop();
        Ok(())
    }

    /// The configurations of plugins: each entry is one itself, or leads to
    /// files or kustomizations of them.
    fn plugin_configs(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        kustomization: &Kustomization,
        entries: &[Node],
    ) -> Result<Vec<Object>, BuildError> {
        let mut made = Accumulated::default();
        for entry in entries {
            match patch::read_inline_objects(
                &mut self.files,
                &Home { root, path, schema: &self.schema },
                entry,
            )? {
                Some(mut objects) => {
                    self.note_origin(&mut objects, kustomization.file_name);
                    made.set.append(objects)?;
                }
                None => self.add_resource(root, path, entry, &mut made)?,
            }
        }
        made.set.check_unique()?;
        Ok(made.set.objects)
    }

    /// Parses the files that entries name at once, where they are large. What
    /// cannot be read is left for [`Build::add_resource`] to complain of.
    fn parse_ahead(&mut self, root: &TreePath, path: &TreePath, entries: &[Node]) {
        const LARGE: usize = 128 << 10;
        let mut found = Vec::new();
        let mut size = 0;
        for entry in entries {
            let reference = self.files.reference(entry, path);
            let Ok(Target::File(file)) = self.files.locate(root, &reference) else { continue };
            if self.files.check_root(root, &file, &reference).is_err() {
                continue;
            }
            let Ok(bytes) = self.files.read(&file, &reference) else { continue };
            size += bytes.len();
            found.push((self.files.id(&file), file, bytes));
        }
        let parsed = parallel::map(found, size >= LARGE, |(id, file, bytes)| {
            let documents = files::parse(&file, id, &bytes, Dialect::Manifest);
            (file, documents)
        });
        self.parsed.extend(parsed);
    }

    /// Adds what an entry of `resources` leads to; that no two objects have
    /// one identity is for the caller to check.
    fn add_resource(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        entry: &Node,
        made: &mut Accumulated,
    ) -> Result<(), BuildError> {
        let reference = self.files.reference(entry, path);
        match self.files.locate(root, &reference)? {
            Target::File(file) => {
                self.files.check_root(root, &file, &reference)?;
                let documents = match self.parsed.remove(&file) {
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
                self.check_cycle(&dir, &reference)?;
                let (child_path, child) = self.read_kustomization(&dir)?;
                self.set_schema(&dir, &child_path, &child)?;
                if child.is_component {
                    return Err(BuildError::WrongEntry {
                        place: reference.place,
                        reference: reference.text,
                        found: "a Component",
                        expected: "a Kustomization; list it under `components`",
                    });
                }
                let mut below = Accumulated::default();
                self.accumulate_below(&reference, &dir, &child_path, &child, &mut below)?;
                // A document may have come after these objects were read.
                below.set.objects.iter_mut().for_each(|object| object.learn_scope(&self.schema));
                made.set.objects.extend(below.set.objects);
                variables::join_known(&mut made.variables, below.variables.into_values())?;
                made.known
                    .add(&below.known)
                    .map_err(|message| BuildError::Invalid { place: reference.place, message })
            }
            Target::Nothing(at) => Err(self.files.not_found(&reference, at)),
        }
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
        match self.files.locate(root, &reference)? {
            Target::Directory(dir) => {
                self.check_cycle(&dir, &reference)?;
                let (child_path, child) = self.read_kustomization(&dir)?;
                self.set_schema(&dir, &child_path, &child)?;
                if !child.is_component {
                    return Err(wrong("a Kustomization"));
                }
                self.accumulate_below(&reference, &dir, &child_path, &child, made)
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
    ) -> Result<(), BuildError> {
        let below = self.origin.as_ref().map(|base| origin::join(base, &reference.text));
        let outer = std::mem::replace(&mut self.origin, below);
        self.accumulate(dir, path, kustomization, made)?;
        self.origin = outer;
        Ok(())
    }

    /// Notes that objects were read from a file that the kustomization names.
    fn note_origin(&self, objects: &mut [Object], file: &str) {
        if let Some(base) = &self.origin {
            let path = origin::join(base, file);
            objects.iter_mut().for_each(|object| origin::read_from(object, &path));
        }
    }

    /// What a field of the kustomization being built does, as a cause.
    fn cause(&self, kustomization: &Kustomization, kind: &str) -> Option<Cause> {
        let base = self.origin.as_ref()?;
        Some(Cause::field(origin::join(base, kustomization.file_name), kind))
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
    ) -> Result<(), BuildError> {
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
        })
    }

    fn check_cycle(&self, dir: &TreePath, reference: &Reference) -> Result<(), BuildError> {
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
        set: &mut Set,
    ) -> Result<(), BuildError> {
        let global = &kustomization.generator_options;
        let generators = kustomization
            .config_maps
            .iter()
            .map(|generator| (Kind::ConfigMap, generator))
            .chain(kustomization.secrets.iter().map(|generator| (Kind::Secret, generator)));
        for (kind, generator) in generators {
            let mut object =
                generate::generate(&mut self.files, root, path, kind, generator, global)?;
            let name = match kind {
                Kind::ConfigMap => "ConfigMapGenerator",
                Kind::Secret => "SecretGenerator",
            };
            if let Some(cause) = self.cause(kustomization, name) {
                origin::generated_by(&mut object, &cause);
            }
            set.absorb(object)?;
        }
        Ok(())
    }

    fn transform(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        kustomization: &Kustomization,
        config: &Config,
        set: &mut Set,
    ) -> Result<(), BuildError> {
        let home = Home { root, path, schema: &self.schema };
        let whole = Place::file(path.clone());
        let base = self.origin.as_ref().map(|base| origin::join(base, kustomization.file_name));
        let note = |set: &mut Set, kind: &str| {
            if let Some(file) = &base {
                origin::transformed_by(set, &Cause::field(file.clone(), kind));
            }
        };
        let files = &mut self.files;
        if !kustomization.patches_strategic_merge.is_empty() {
            let entries = &kustomization.patches_strategic_merge;
            patch::apply_strategic_entries(set, files, &home, entries)?;
            note(set, "PatchStrategicMergeTransformer");
        }
        for entry in &kustomization.patches {
            patch::apply(set, files, &home, entry, &mut self.warnings)?;
            note(set, "PatchTransformer");
        }
        if let Some(namespace) = &kustomization.namespace {
            transform::namespace(set, namespace, &config.namespace, Subjects::Default, false)?;
            note(set, "NamespaceTransformer");
        }
        for (affix, which, specs, kind) in [
            (&kustomization.name_prefix, Affix::Prefix, &config.name_prefix, "PrefixTransformer"),
            (&kustomization.name_suffix, Affix::Suffix, &config.name_suffix, "SuffixTransformer"),
        ] {
            if let Some(text) = affix.as_ref().and_then(Node::text) {
                transform::affix(set, text, which, specs)?;
                note(set, kind);
            }
        }
        for entry in &kustomization.labels {
            transform::labels(set, entry, config, &whole)?;
            note(set, "LabelTransformer");
        }
        if !kustomization.labels.is_empty() || !kustomization.common_labels.is_empty() {
            transform::pairs(set, &kustomization.common_labels, &config.common_labels)?;
            note(set, "LabelTransformer");
        }
        if !kustomization.common_annotations.is_empty() {
            transform::pairs(set, &kustomization.common_annotations, &config.annotations)?;
            note(set, "AnnotationsTransformer");
        }
        for entry in &kustomization.patches_json {
            patch::apply_json_entry(set, files, &home, entry, &mut self.warnings)?;
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
