//! The OpenAPI document that a kustomization names under `openapi`.
//!
//! Rules from kustomize v5.8, kyaml/openapi: the document stands in place of
//! the built-in one, the first of a build counts, and its `paths` tell which
//! kinds are cluster-scoped.

use std::collections::HashMap;

use gitops_yaml::{Node, Value};

use super::{Field, Type, definition};
use crate::resource::raw;

const TYPES: &str = "x-kubernetes-group-version-kind";
/// References that lead to references; far more than any real document has.
const MAX_REFERENCES: usize = 64;

/// A document, indexed by kind.
pub(crate) struct Document {
    root: Node,
    /// The names of definitions, by `apiVersion` and kind.
    kinds: HashMap<(String, String), String>,
    /// Whether references may lead to the built-in definitions, too.
    pub(super) beside_builtin: bool,
    /// Whether objects are namespaced, by `apiVersion` and kind.
    namespaced: HashMap<(String, String), bool>,
}

impl Document {
    pub(crate) fn new(root: Node) -> Document {
        let mut kinds = HashMap::new();
        for (name, definition) in root.get("definitions").map(Node::entries).unwrap_or_default() {
            for kind in definition.get(TYPES).map(Node::items).unwrap_or_default() {
                if let Some(kind) = type_meta(kind) {
                    kinds.insert(kind, raw(name).to_owned());
                }
            }
        }
        let mut namespaced: HashMap<(String, String), bool> = HashMap::new();
        for (path, item) in root.get("paths").map(Node::entries).unwrap_or_default() {
            let Some(kind) = item.at_path(&["get", TYPES]).and_then(type_meta) else { continue };
            let inside = raw(path).contains("namespaces/{namespace}");
            *namespaced.entry(kind).or_default() |= inside;
        }
        Document { root, kinds, beside_builtin: false, namespaced }
    }

    /// The type of a kind; `None` where the document does not have it.
    pub(crate) fn of_kind(&self, api_version: &str, kind: &str) -> Option<Type<'_>> {
        let name = self.kinds.get(&(api_version.to_owned(), kind.to_owned()))?;
        let schema = self.root.get("definitions")?.get(name)?;
        Some(self.custom(schema))
    }

    /// Whether the document says that objects of a kind have no namespace.
    pub(crate) fn is_cluster_scoped(&self, api_version: &str, kind: &str) -> bool {
        self.namespaced.get(&(api_version.to_owned(), kind.to_owned())) == Some(&false)
    }

    fn custom<'d>(&'d self, schema: &'d Node) -> Type<'d> {
        Type::Custom(Custom { document: self, schema })
    }

    /// Follows `$ref` until a schema stands there, of the document or else of
    /// the built-in ones.
    fn resolve<'d>(&'d self, mut schema: &'d Node) -> Option<Type<'d>> {
        for _ in 0..MAX_REFERENCES {
            let Some(reference) = schema.get("$ref").map(raw).filter(|text| !text.is_empty())
            else {
                return Some(self.custom(schema));
            };
            let name = reference.strip_prefix("#/definitions/")?;
            let name = name.replace("~1", "/").replace("~0", "~");
            match self.root.get("definitions").and_then(|own| own.get(&name)) {
                Some(found) => schema = found,
                None if self.beside_builtin => {
                    return Some(definition(&name).unwrap_or(Type::Opaque));
                }
                None => return None,
            }
        }
        None
    }
}

fn type_meta(node: &Node) -> Option<(String, String)> {
    let version = node.get("version").and_then(Node::text)?;
    let kind = node.get("kind").and_then(Node::text)?;
    let api_version = match node.get("group").and_then(Node::text) {
        Some(group) if !group.is_empty() => format!("{group}/{version}"),
        _ => version.to_owned(),
    };
    Some((api_version, kind.to_owned()))
}

/// A schema of the document.
#[derive(Clone, Copy)]
pub(crate) struct Custom<'d> {
    document: &'d Document,
    schema: &'d Node,
}

impl<'d> Custom<'d> {
    /// What is known about a field: of the properties, or else of what any
    /// other field holds.
    pub(super) fn field(self, name: &str) -> Option<Field<'d>> {
        let any = || self.schema.get("additionalProperties").filter(|node| node.is_mapping());
        let found = self.schema.get("properties").and_then(|own| own.get(name)).or_else(any)?;
        let own = self.document.resolve(found)?;
        let Type::Custom(Custom { schema, .. }) = own else { return Some(Field::Of(own)) };
        let strategy = schema.get("x-kubernetes-patch-strategy").map(raw).unwrap_or_default();
        if !strategy.split(',').any(|one| one == "merge") {
            return Some(Field::Of(own));
        }
        let keys = match &schema.get("x-kubernetes-list-map-keys").map(|node| &node.value) {
            Some(Value::Sequence(keys)) => keys.iter().map(raw).collect(),
            _ => schema.get("x-kubernetes-patch-merge-key").map(raw).into_iter().collect(),
        };
        Some(Field::Merge(keys, self.items(schema)))
    }

    fn items(self, list: &'d Node) -> Type<'d> {
        let is_list = list.get("type").is_some_and(|kind| {
            raw(kind) == "array" || matches!(kind.items(), [one] if raw(one) == "array")
        });
        let items = list.get("items").filter(|_| is_list);
        items.and_then(|items| self.document.resolve(items)).unwrap_or(Type::Opaque)
    }
}

#[cfg(test)]
mod for_tests {
    use super::Custom;

    impl std::fmt::Debug for Custom<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.schema.fmt(f)
        }
    }

    impl PartialEq for Custom<'_> {
        fn eq(&self, other: &Self) -> bool {
            std::ptr::eq(self.schema, other.schema)
        }
    }
}
