//! What a kustomization makes, and does to the objects that it has.

use gitops_tree::TreePath;
use gitops_yaml::Node;

use super::{Accumulated, Build};
use crate::defaults::List;
use crate::error::{BuildError, Place, Several};
use crate::generate::{self, Kind};
use crate::known::Known;
use crate::kustomization::{Image, Kustomization};
use crate::names::Names;
use crate::origin::{self, Cause};
use crate::patch::{self, Home, Targets};
use crate::resource::Object;
use crate::set::Set;
use crate::transform::{self, Affix, Subjects};
use crate::{helm, plugins, replacements};

impl Accumulated {
    /// Adds what a generator made, where what it meets is whole.
    fn take_in(
        &mut self,
        mut new: Vec<Object>,
        cause: Option<&Cause>,
        names: &mut Names,
    ) -> Result<(), BuildError> {
        if let Some(cause) = cause {
            new.iter_mut().for_each(|one| origin::generated_by(one, cause));
        }
        if self.broken {
            return Ok(());
        }
        new.into_iter().try_for_each(|one| self.set.absorb(one, names))
    }
}

impl Build<'_> {
    pub(super) fn generate_by_plugins(
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
                let new = plugins::generate(&mut build.files, &home, &object)?;
                Ok::<_, Several>(made.take_in(new, Cause::plugin(&object).as_ref(), &mut names)?)
            });
            made.broken |= generated.is_none();
        }
    }

    pub(super) fn transform_by_plugins(
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

    pub(super) fn generate(
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
                let new =
                    generate::generate(&mut build.files, root, path, kind, generator, global)?;
                Ok::<_, Several>(made.take_in(vec![new], cause.as_ref(), &mut names)?)
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
                let new = helm::generate(files, root, path, &build.schema, entry, chart)?;
                Ok::<_, Several>(made.take_in(new, cause.as_ref(), &mut names)?)
            });
            made.broken |= generated.is_none();
        }
    }

    /// Carries out the fields that change objects.
    pub(super) fn transform(
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
            let done = self.attempt(Some(&Place::file(path.clone())), |build| {
                build.transform_fields(root, path, kustomization, &made.known, &mut made.set)
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
        known: &Known,
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
            transform::namespace(
                set,
                namespace,
                known.fields(List::Namespace),
                Subjects::Default,
                false,
            )?;
            note(set, "NamespaceTransformer");
        }
        for (affix, which, list, kind) in [
            (&kustomization.name_prefix, Affix::Prefix, List::NamePrefix, "PrefixTransformer"),
            (&kustomization.name_suffix, Affix::Suffix, List::NameSuffix, "SuffixTransformer"),
        ] {
            if let Some((text, mark)) =
                affix.as_ref().and_then(|affix| Some((affix.text()?, affix.mark)))
            {
                transform::affix(set, (text, mark), which, known.fields(list))?;
                note(set, kind);
            }
        }
        for entry in &kustomization.labels {
            transform::labels(set, entry, known, &whole)?;
            note(set, "LabelTransformer");
        }
        if !kustomization.labels.is_empty() || !kustomization.common_labels.is_empty() {
            let pairs = &kustomization.common_labels;
            transform::pairs(set, pairs, known.fields(List::CommonLabels), "commonLabels")?;
            note(set, "LabelTransformer");
        }
        if !kustomization.common_annotations.is_empty() {
            let pairs = &kustomization.common_annotations;
            transform::pairs(set, pairs, known.fields(List::Annotations), "commonAnnotations")?;
            note(set, "AnnotationsTransformer");
        }
        let mut targets = Targets::default();
        for entry in &kustomization.patches_json {
            patch::apply_json_entry(set, &mut targets, files, &home, entry, &mut self.warnings)?;
            note(set, "PatchJson6902Transformer");
        }
        for replica in &kustomization.replicas {
            let place = files.place(&replica.count, &whole);
            transform::replicas(set, replica, known.fields(List::Replicas), &place)?;
            note(set, "ReplicaCountTransformer");
        }
        if !kustomization.images.is_empty() {
            let place = |image: &Image| files.place(&Node::string("").at(image.mark), &whole);
            transform::images(set, &kustomization.images, known.fields(List::Images), &place)?;
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
