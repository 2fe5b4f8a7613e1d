//! The recursion of a build.
//!
//! Order of steps from kustomize v5.8, api/internal/target/kusttarget.go:
//! resources, configurations, generators, components, transformers; then, once
//! at the top, hashes, references and order.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use gitops_tree::{Tree, TreePath};
use gitops_yaml::Node;

use crate::defaults::Config;
use crate::error::{BuildError, Place};
use crate::files::{Files, KUSTOMIZATION_NAMES, Reference, Target};
use crate::generate::{self, Kind};
use crate::kustomization::{Kustomization, Sort};
use crate::patch::{self, Home};
use crate::resource::Object;
use crate::set::Set;
use crate::transform::{self, Affix, Subjects};
use crate::variables::{self, Variable};
use crate::{
    Options, Rendered, Reorder, Warning, configuration, folded, objects, order, plugins,
    references, replacements,
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
    };
    let root = build.files.folder(dir)?;
    let (path, kustomization) = build.read_kustomization(&root)?;
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
    if kustomization.managed_by_label {
        transform::managed_by(&mut set);
    }
    for object in &mut set.objects {
        object.drop_notes();
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
}

/// Objects, and what is known about their fields and variables.
#[derive(Default)]
struct Accumulated {
    set: Set,
    known: Known,
    variables: BTreeMap<String, Variable>,
}

/// The configuration that an accumulation has come to. Most never leave the
/// built-in one.
#[derive(Default)]
enum Known {
    #[default]
    Nothing,
    Builtin,
    Custom(Box<Config>),
}

/// kustomize's own configuration.
fn builtin() -> &'static Config {
    static BUILTIN: OnceLock<Config> = OnceLock::new();
    BUILTIN.get_or_init(|| {
        let mut config = Config::default();
        // The built-in specs do not contradict each other; a test holds it.
        let _ = config.merge(&Config::builtin());
        config
    })
}

impl Known {
    fn get(&self) -> Cow<'static, Config> {
        match self {
            Known::Nothing => Cow::Owned(Config::default()),
            Known::Builtin => Cow::Borrowed(builtin()),
            Known::Custom(config) => Cow::Owned((**config).clone()),
        }
    }

    fn add(&mut self, more: &Known) -> Result<(), String> {
        *self = match (std::mem::take(self), more) {
            (known, Known::Nothing) => known,
            (Known::Nothing | Known::Builtin, Known::Builtin) => Known::Builtin,
            (known, more) => {
                let mut config = known.get().into_owned();
                config.merge(&more.get())?;
                Known::Custom(Box::new(config))
            }
        };
        Ok(())
    }
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
        let (path, reference) = match found.as_slice() {
            [] => return Err(BuildError::NoKustomization { dir: root.clone() }),
            [(_, path, reference)] => (path.clone(), reference.clone()),
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
        let kustomization = Kustomization::read(&path, &document)?;
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
        for entry in &kustomization.resources {
            self.add_resource(root, path, entry, made)?;
        }
        self.add_configuration(root, path, kustomization, &mut made.known)?;
        self.generate(root, path, kustomization, &mut made.set)?;
        for object in self.plugin_configs(root, path, &kustomization.generators)? {
            let made_object = plugins::generate(&mut self.files, &Home { root, path }, &object)?;
            made.set.absorb(made_object)?;
        }
        for entry in &kustomization.components {
            self.add_component(root, path, entry, made)?;
        }
        let config = made.known.get();
        self.transform(root, path, kustomization, &config, &mut made.set)?;
        for object in self.plugin_configs(root, path, &kustomization.transformers)? {
            let home = Home { root, path };
            plugins::transform(&mut made.set, &mut self.files, &home, &object, &mut self.warnings)?;
        }
        variables::add(&mut made.variables, &mut made.set, &kustomization.variables)?;
        self.visited.pop();
        Ok(())
    }

    /// The built-in configuration with the kustomization's own.
    fn add_configuration(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        kustomization: &Kustomization,
        known: &mut Known,
    ) -> Result<(), BuildError> {
        let fail = |path: &TreePath| {
            let place = Place::file(path.clone());
            |message| BuildError::Invalid { place, message }
        };
        let mut own = Config::default();
        for entry in &kustomization.configurations {
            let (file, bytes) = self.files.load(root, &self.files.reference(entry, path))?;
            if let Some(document) = self.files.configuration(&file, &bytes)? {
                own.merge(&configuration::read(&file, &document)?).map_err(fail(&file))?;
            }
        }
        let mut more = Known::Builtin;
        if !kustomization.configurations.is_empty() {
            more.add(&Known::Custom(Box::new(own))).map_err(fail(path))?;
        }
        known.add(&more).map_err(fail(path))
    }

    /// The configurations of plugins: each entry is one itself, or leads to
    /// files or kustomizations of them.
    fn plugin_configs(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        entries: &[Node],
    ) -> Result<Vec<Object>, BuildError> {
        let mut made = Accumulated::default();
        for entry in entries {
            match patch::read_inline_objects(&mut self.files, &Home { root, path }, entry)? {
                Some(objects) => made.set.append(objects)?,
                None => self.add_resource(root, path, entry, &mut made)?,
            }
        }
        Ok(made.set.objects)
    }

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
                let bytes = self.files.read(&file, &reference)?;
                let documents = self.files.documents(&file, &bytes)?;
                made.set.append(objects::from_documents(documents, &file)?)
            }
            Target::Directory(dir) => {
                self.check_cycle(&dir, &reference)?;
                let (child_path, child) = self.read_kustomization(&dir)?;
                if child.is_component {
                    return Err(BuildError::WrongEntry {
                        place: reference.place,
                        reference: reference.text,
                        found: "a Component",
                        expected: "a Kustomization; list it under `components`",
                    });
                }
                let mut below = Accumulated::default();
                self.accumulate(&dir, &child_path, &child, &mut below)?;
                made.set.append(below.set.objects)?;
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
                if !child.is_component {
                    return Err(wrong("a Kustomization"));
                }
                self.accumulate(&dir, &child_path, &child, made)
            }
            Target::File(_) => Err(wrong("a file")),
            Target::Nothing(at) => Err(self.files.not_found(&reference, at)),
        }
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
            let object = generate::generate(&mut self.files, root, path, kind, generator, global)?;
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
        let home = Home { root, path };
        let whole = Place::file(path.clone());
        let files = &mut self.files;
        patch::apply_strategic_entries(set, files, &home, &kustomization.patches_strategic_merge)?;
        for entry in &kustomization.patches {
            patch::apply(set, files, &home, entry, &mut self.warnings)?;
        }
        if let Some(namespace) = &kustomization.namespace {
            transform::namespace(set, namespace, &config.namespace, Subjects::Default, false)?;
        }
        for (affix, which, specs) in [
            (&kustomization.name_prefix, Affix::Prefix, &config.name_prefix),
            (&kustomization.name_suffix, Affix::Suffix, &config.name_suffix),
        ] {
            if let Some(text) = affix.as_ref().and_then(Node::text) {
                transform::affix(set, text, which, specs)?;
            }
        }
        transform::labels(set, &kustomization.labels, config, &whole)?;
        transform::pairs(set, &kustomization.common_labels, &config.common_labels)?;
        transform::pairs(set, &kustomization.common_annotations, &config.annotations)?;
        for entry in &kustomization.patches_json {
            patch::apply_json_entry(set, files, &home, entry, &mut self.warnings)?;
        }
        for replica in &kustomization.replicas {
            let place = files.place(&replica.count, &whole);
            transform::replicas(set, replica, &config.replicas, &place)?;
        }
        for image in &kustomization.images {
            let place = files.place(&Node::string("").at(image.mark), &whole);
            transform::image(set, image, &config.images, &place)?;
        }
        let replacements = replacements::read(files, &home, &kustomization.replacements)?;
        replacements::apply(set, &replacements)?;
        Ok(())
    }
}
