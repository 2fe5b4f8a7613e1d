//! Finding objects by name, where a step looks up many.

use std::collections::HashMap;

use crate::id::Id;
use crate::resource::Object;

/// Which objects have a name or once had it. Made when it is first asked;
/// who gives names or takes objects out says so.
#[derive(Default)]
pub(crate) struct Names {
    known: Option<HashMap<String, Vec<usize>>>,
}

impl Names {
    /// The indices of the objects that are or once were called `name`.
    pub(crate) fn of(&mut self, objects: &[Object], name: &str) -> &[usize] {
        let known = self.known.get_or_insert_with(|| {
            let mut known = HashMap::with_capacity(objects.len());
            objects.iter().enumerate().for_each(|(index, object)| note(&mut known, index, object));
            known
        });
        known.get(name).map_or(&[], Vec::as_slice)
    }

    /// The indices of the objects that are, or ever were, `id`.
    pub(crate) fn ever(&mut self, objects: &[Object], id: &Id) -> Vec<usize> {
        let named = self.of(objects, &id.name).iter().copied();
        named.filter(|index| objects[*index].was_ever(&|own| own.same(id))).collect()
    }

    /// An object was added at the end.
    pub(crate) fn add(&mut self, index: usize, object: &Object) {
        if let Some(known) = &mut self.known {
            note(known, index, object);
        }
    }

    /// Names or places have changed.
    pub(crate) fn forget(&mut self) {
        self.known = None;
    }
}

fn note(known: &mut HashMap<String, Vec<usize>>, index: usize, object: &Object) {
    for name in object.names() {
        let known = known.entry(name.to_owned()).or_default();
        if known.last() != Some(&index) {
            known.push(index);
        }
    }
}
