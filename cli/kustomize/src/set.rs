//! The objects of a build, in order, each identity once.
//!
//! Rules from kustomize v5.8, api/resmap/reswrangler.go.

use std::collections::HashMap;

use gitops_yaml::{Node, Tag, Value};

use crate::error::BuildError;
use crate::fieldspec::{self, Create, FieldSpec};
use crate::names::Names;
use crate::origin;
use crate::parallel;
use crate::resource::{Behavior, FieldProblem, Key, Object, child_mapping, raw};
use crate::touch::{self, How, Touches};

/// The objects, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Set {
    pub(crate) objects: Vec<Object>,
}

impl Set {
    /// Fails where two objects have one identity.
    pub(crate) fn check_unique(&self) -> Result<(), BuildError> {
        self.clashes().next().map_or(Ok(()), Err)
    }

    /// Every object whose identity another before it has.
    pub(crate) fn clashes(&self) -> impl Iterator<Item = BuildError> {
        let mut seen: HashMap<Key<'_>, usize> = HashMap::with_capacity(self.objects.len());
        self.objects.iter().enumerate().filter_map(move |(index, object)| {
            let first = seen.insert(object.key(), index)?;
            Some(BuildError::Duplicate {
                id: object.id().to_string(),
                first: self.objects[first].place.clone(),
                second: object.place.clone(),
            })
        })
    }

    /// Adds a generated object, or puts it into one that exists, as its
    /// behavior says. `names` are those of this set.
    pub(crate) fn absorb(
        &mut self,
        mut object: Object,
        names: &mut Names,
    ) -> Result<(), BuildError> {
        let id = object.id();
        let fail = |message: String| BuildError::Generator { place: object.place.clone(), message };
        let matches = names.ever(&self.objects, &id);
        let index = match (matches.as_slice(), object.behavior) {
            ([], Behavior::Create) => {
                names.add(self.objects.len(), &object);
                self.objects.push(object);
                return Ok(());
            }
            ([], Behavior::Merge | Behavior::Replace) => {
                return Err(fail(format!(
                    "`{id}` does not exist, so nothing can be merged into it or replaced by it; use `behavior: create`"
                )));
            }
            ([index], Behavior::Merge | Behavior::Replace) => *index,
            ([index], Behavior::Create) => {
                return Err(BuildError::Duplicate {
                    id: id.to_string(),
                    first: self.objects[*index].place.clone(),
                    second: object.place.clone(),
                });
            }
            (several, _) => {
                return Err(fail(format!(
                    "`{id}` could be merged into any of {} objects; give them different names",
                    several.len()
                )));
            }
        };
        let merges = object.behavior == Behavior::Merge;
        let old = &self.objects[index];
        let mut touched = old.touched.clone();
        let (mark, how) = match merges {
            true => (object.node.mark, How::Merged),
            false => (old.node.mark, How::Replaces),
        };
        touch::add(&mut touched, mark, how);
        touched.append(&mut object.touched);
        object.touched = touched;
        take_metadata(&mut object, old);
        if merges {
            for field in ["data", "binaryData"] {
                merge_data(&mut object.node, &old.node, field);
            }
            origin::keep(&mut object, old);
            object.node.mark = old.node.mark;
            object.place.clone_from(&old.place);
            object.document = old.document;
        }
        // It has the identity of the one that it replaces.
        self.objects[index] = object;
        Ok(())
    }

    /// Applies `change` at `specs` of every object; what it puts into its
    /// touches is noted at the object.
    pub(crate) fn apply(
        &mut self,
        specs: &[FieldSpec],
        create: Create,
        change: &(dyn Fn(&mut Node, &mut Touches) -> Result<(), String> + Sync),
    ) -> Result<(), BuildError> {
        let about = ByType::new(specs, &self.objects);
        parallel::each(&mut self.objects, |index, object| {
            let mut touches = Touches::new();
            about.apply(index, object, create, &mut |node| change(node, &mut touches))?;
            for (mark, how) in touches {
                object.touch(mark, how);
            }
            Ok(())
        })
    }
}

/// Field specs, sorted out by the types of objects: most are about one kind.
pub(crate) struct ByType<'s> {
    /// For each type, the specs about it.
    chosen: Vec<Vec<&'s FieldSpec>>,
    /// The types of the objects, in their order.
    types: Vec<usize>,
    /// Whether types may change on the way, so that each spec looks again.
    types_change: bool,
}

impl<'s> ByType<'s> {
    pub(crate) fn new(specs: &'s [FieldSpec], objects: &[Object]) -> ByType<'s> {
        let types_change = specs.iter().any(FieldSpec::may_change_type);
        let mut known: HashMap<(&str, &str), usize> = HashMap::new();
        let mut chosen = Vec::new();
        let types = objects.iter().map(|object| {
            *known.entry((object.api_version(), object.kind())).or_insert_with(|| {
                let about = |spec: &&FieldSpec| types_change || object.is_kind(&spec.gvk);
                chosen.push(specs.iter().filter(about).collect());
                chosen.len() - 1
            })
        });
        let types = types.collect();
        ByType { chosen, types, types_change }
    }

    /// Runs `set` at the specs about one of the objects.
    pub(crate) fn apply(
        &self,
        index: usize,
        object: &mut Object,
        create: Create,
        set: &mut fieldspec::Set<'_>,
    ) -> Result<(), BuildError> {
        for spec in &self.chosen[self.types[index]] {
            let applied = match self.types_change {
                true => object.apply(spec, create, set),
                false => object.apply_known(spec, create, set),
            };
            applied.map_err(|problem| field_error(object, problem))?;
        }
        Ok(())
    }
}

/// A problem with a field, placed.
pub(crate) fn field_error(object: &Object, problem: FieldProblem) -> BuildError {
    BuildError::Field {
        place: object.place.clone(),
        field: problem.field,
        id: object.id().to_string(),
        message: problem.message,
    }
}

/// What a generated object takes over from the one it replaces or merges into.
fn take_metadata(object: &mut Object, old: &Object) {
    for field in ["labels", "annotations"] {
        let mut merged: Vec<(Node, Node)> = Vec::new();
        for source in [&old.node, &object.node] {
            for (key, value) in
                source.at_path(&["metadata", field]).map(Node::entries).unwrap_or_default()
            {
                let value = as_text(value, raw(value));
                match merged.iter_mut().find(|(own, _)| raw(own) == raw(key)) {
                    Some((_, own)) => *own = value,
                    None => merged.push((untyped_key(key), value)),
                }
            }
        }
        let metadata = object.metadata_mut();
        metadata.remove(field);
        if !merged.is_empty() {
            let map = child_mapping(metadata, field);
            if let Some(entries) = map.entries_mut() {
                *entries = merged;
            }
        }
    }
    object.set_name(old.name());
    object.set_namespace(old.namespace());
    object.needs_hash = object.needs_hash && old.needs_hash;
    object.behavior = old.behavior;
    object.previous.clone_from(&old.previous);
    object.prefixes.clone_from(&old.prefixes);
    object.suffixes.clone_from(&old.suffixes);
    object.variables.clone_from(&old.variables);
}

/// A key that kustomize writes anew, without the quotes that it may have had.
fn untyped_key(key: &Node) -> Node {
    Node::scalar(raw(key), fieldspec::type_of(raw(key))).at(key.mark)
}

fn merge_data(node: &mut Node, old: &Node, field: &str) {
    let Some(old) = old.get(field).filter(|old| !old.entries().is_empty()) else {
        // Nothing on either side leaves no field.
        if node.get(field).is_some_and(|own| own.entries().is_empty()) {
            node.remove(field);
        }
        return;
    };
    let own = child_mapping(node, field);
    for (key, value) in old.entries() {
        if own.get(raw(key)).is_none()
            && let Some(entries) = own.entries_mut()
        {
            let text = if value.is_null() { "" } else { raw(value) };
            entries.push((untyped_key(key), as_text(value, text)));
        }
    }
}

/// A value of a map of strings: whatever it was, it becomes one.
fn as_text(node: &Node, text: &str) -> Node {
    match &node.value {
        Value::Scalar(own) if own.tag == Tag::Str => node.clone(),
        _ => Node::string(text).at(node.mark),
    }
}
