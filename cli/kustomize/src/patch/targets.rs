//! The objects that patches are for.

use gitops_yaml::Node;

use super::Home;
use crate::Warning;
use crate::error::{BuildError, Place};
use crate::files::Files;
use crate::id::Id;
use crate::kustomization::Selector;
use crate::names::Names;
use crate::resource::Object;
use crate::select::Matcher;
use crate::set::Set;

/// What a row of patches knows about the objects that it changes, so that
/// a patch of one object does not look at all of them.
#[derive(Default)]
pub(crate) struct Targets {
    pub(super) names: Names,
    /// No two objects have one identity, as far as this has looked.
    checked: bool,
}

impl Targets {
    /// The objects that a selector chooses. One that chooses none is worth a
    /// warning.
    pub(super) fn choose(
        &mut self,
        set: &Set,
        files: &Files<'_>,
        home: &Home<'_>,
        target: &Selector,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<usize>, BuildError> {
        let place = files.place(&Node::string("").at(target.mark), &Place::file(home.path.clone()));
        let matcher = Matcher::new(target)
            .map_err(|message| BuildError::Patch { place: place.clone(), message })?;
        let matches = |index: &usize| matcher.matches(&set.objects[*index]);
        let chosen: Vec<usize> = match target.plain_name() {
            Some(name) => {
                self.names.of(&set.objects, name).iter().copied().filter(matches).collect()
            }
            None => (0..set.objects.len()).filter(matches).collect(),
        };
        if chosen.is_empty() {
            warnings.push(Warning {
                path: place.path,
                line: place.line,
                message: "the target of this patch matches no object".to_owned(),
            });
        }
        Ok(chosen)
    }

    /// The one object that a strategic merge patch names.
    pub(super) fn find(&mut self, set: &Set, patch: &Object) -> Result<usize, BuildError> {
        let id = patch.id();
        match self.names.ever(&set.objects, &id).as_slice() {
            [index] => Ok(*index),
            [] => Err(BuildError::Patch {
                place: patch.place.clone(),
                message: format!(
                    "the patch is for `{id}` ({}), which does not exist; correct its apiVersion, kind, name or namespace, or give it a `target`",
                    patch.api_version()
                ),
            }),
            several => Err(BuildError::Patch {
                place: patch.place.clone(),
                message: format!(
                    "the patch is for `{id}`, which could be any of {} objects",
                    several.len()
                ),
            }),
        }
    }

    /// A patch was applied to what was `before`.
    pub(super) fn changed(&mut self, before: &Id, object: &Object) {
        let now = object.id();
        if now.name != before.name {
            self.names.forget();
        }
        self.checked &= now == *before;
    }

    /// Fails where two objects have one identity.
    pub(super) fn check(&mut self, set: &Set) -> Result<(), BuildError> {
        if !self.checked {
            set.check_unique()?;
            self.checked = true;
        }
        Ok(())
    }
}
