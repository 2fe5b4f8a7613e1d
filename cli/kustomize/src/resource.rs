//! An object during a build, with what the build remembers about it.
//!
//! kustomize keeps these notes in annotations of the object; here they stand
//! beside it.

use gitops_yaml::{Mark, Node, Scalar, Style, Text, Value};

use crate::error::Place;
use crate::fieldspec::{self, Create, FieldSpec, Set};
use crate::folded::Brackets;
use crate::id::{CLUSTER, Gvk, Id, or_default, split_api_version};
use crate::schema::Schema;
use crate::scope;
use crate::shared::Shared;
use crate::touch::{How, Touch};

/// The annotation that asks for a hash in the name.
pub(crate) const NEEDS_HASH: &str = "internal.config.kubernetes.io/needsHashSuffix";

/// Annotations that a build takes out of what it prints.
const NOTES: &[&str] = &[
    "internal.config.kubernetes.io/previousKinds",
    "internal.config.kubernetes.io/previousNames",
    "internal.config.kubernetes.io/prefixes",
    "internal.config.kubernetes.io/suffixes",
    "internal.config.kubernetes.io/previousNamespaces",
    "internal.config.kubernetes.io/allowNameChange",
    "internal.config.kubernetes.io/allowKindChange",
    "internal.config.kubernetes.io/refBy",
    "internal.config.kubernetes.io/generatorBehavior",
    "internal.config.kubernetes.io/needsHashSuffix",
    "internal.config.kubernetes.io/path",
    "internal.config.kubernetes.io/index",
    "internal.config.kubernetes.io/seqindent",
    "internal.config.kubernetes.io/id",
    "internal.config.kubernetes.io/annotations-migration-resource-id",
    "internal.config.kubernetes.io/helm-generated",
    "config.kubernetes.io/path",
    "config.kubernetes.io/index",
    "config.k8s.io/id",
];

/// How a generated object meets one that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behavior {
    Create,
    Replace,
    Merge,
}

/// An earlier identity of an object; group and version are always today's.
#[derive(Clone, Debug)]
pub(crate) struct Previous {
    namespace: Text,
    name: Text,
    kind: Text,
}

/// An object and its history.
#[derive(Clone)]
pub(crate) struct Object {
    pub(crate) node: Node,
    /// Where it was read or generated.
    pub(crate) place: Place,
    pub(crate) document: u32,
    pub(crate) generated: bool,
    pub(crate) behavior: Behavior,
    pub(crate) needs_hash: bool,
    pub(crate) previous: Vec<Previous>,
    pub(crate) prefixes: Vec<String>,
    pub(crate) suffixes: Vec<String>,
    /// The fields that change together.
    pub(crate) shared: Shared,
    /// Names of the `vars` that read from this object.
    pub(crate) variables: Vec<String>,
    /// What filled and changed it, in order.
    pub(crate) touched: Vec<Touch>,
    /// Whether the OpenAPI document of a kustomization says that it has no namespace.
    outside_namespaces: bool,
    /// Whether what a generator noted is gone.
    is_forgetful: bool,
    /// Where it is written in brackets.
    pub(crate) brackets: Brackets,
}

impl Object {
    pub(crate) fn new(node: Node, place: Place, document: u32) -> Object {
        Object {
            node,
            place,
            document,
            generated: false,
            behavior: Behavior::Create,
            needs_hash: false,
            previous: Vec::new(),
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            shared: Shared::default(),
            variables: Vec::new(),
            touched: Vec::new(),
            outside_namespaces: false,
            is_forgetful: false,
            brackets: Brackets::AsRead,
        }
    }

    /// Believes the notes in the annotations of an input, as kustomize does.
    pub(crate) fn take_notes(&mut self) {
        const NOTE: &str = "internal.config.kubernetes.io/";
        let annotations =
            self.node.at_path(&["metadata", "annotations"]).map(Node::entries).unwrap_or_default();
        if !annotations.iter().any(|(key, _)| raw(key).starts_with(NOTE)) {
            return;
        }
        let texts = self.texts("annotations");
        let note = |name: &str| {
            texts
                .iter()
                .find(|(key, _)| key.strip_prefix(NOTE) == Some(name))
                .map(|(_, value)| value)
        };
        fn parts<T: for<'t> From<&'t str>>(text: Option<&String>) -> Vec<T> {
            text.map(|text| text.split(',').map(T::from).collect()).unwrap_or_default()
        }
        let names = parts(note("previousNames"));
        let (namespaces, kinds) = (parts(note("previousNamespaces")), parts(note("previousKinds")));
        let same = names.len() == namespaces.len() && names.len() == kinds.len();
        let previous = names.into_iter().zip(namespaces).zip(kinds).filter(|_| same);
        let previous: Vec<Previous> =
            previous.map(|((name, namespace), kind)| Previous { namespace, name, kind }).collect();
        let (prefixes, suffixes) = (parts(note("prefixes")), parts(note("suffixes")));
        self.needs_hash = note("needsHashSuffix").is_some_and(|text| text == "enabled");
        self.previous = previous;
        self.prefixes = prefixes;
        self.suffixes = suffixes;
    }

    /// Asks whether objects of this kind have no namespace.
    pub(crate) fn learn_scope(&mut self, schema: &Schema) {
        self.outside_namespaces = schema.is_cluster_scoped(self.api_version(), self.kind());
    }

    /// Notes that what stands at `mark` changed this.
    pub(crate) fn touch(&mut self, mark: Mark, how: How) {
        crate::touch::add(&mut self.touched, mark, how);
    }

    pub(crate) fn kind(&self) -> &str {
        text(self.node.get("kind"))
    }

    pub(crate) fn api_version(&self) -> &str {
        text(self.node.get("apiVersion"))
    }

    pub(crate) fn name(&self) -> &str {
        text(self.node.at_path(&["metadata", "name"]))
    }

    pub(crate) fn namespace(&self) -> &str {
        text(self.node.at_path(&["metadata", "namespace"]))
    }

    pub(crate) fn gvk(&self) -> Gvk {
        Gvk::new(self.api_version(), self.kind())
    }

    /// Whether its type matches a selector, whose empty parts match anything.
    pub(crate) fn is_kind(&self, selector: &Gvk) -> bool {
        let part = |own: &str, wanted: &str| wanted.is_empty() || own == wanted;
        if !part(self.kind(), &selector.kind) {
            return false;
        }
        if selector.group.is_empty() && selector.version.is_empty() {
            return true;
        }
        let (group, version) = split_api_version(self.api_version());
        part(group, &selector.group) && part(version, &selector.version)
    }

    /// What equals another object's exactly when both have one identity.
    pub(crate) fn key(&self) -> Key<'_> {
        let (group, version) = split_api_version(self.api_version());
        let (kind, namespace) = (self.kind(), self.namespace());
        let outside = self.outside_namespaces || scope::is_cluster_scoped(group, version, kind);
        Key {
            group,
            version,
            kind,
            name: self.name(),
            namespace: if outside { CLUSTER } else { or_default(namespace) },
        }
    }

    /// The names that it has and had.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let previous = self.previous.iter().map(|previous| previous.name.as_str());
        previous.chain(std::iter::once(self.name()))
    }

    /// Today's identity.
    pub(crate) fn id(&self) -> Id {
        Id {
            gvk: self.gvk(),
            name: self.name().into(),
            namespace: self.namespace().into(),
            outside_namespaces: self.outside_namespaces,
        }
    }

    /// Earlier identities, the oldest first.
    pub(crate) fn previous_ids(&self) -> Vec<Id> {
        let (group, version) = split_api_version(self.api_version());
        self.previous
            .iter()
            .map(|previous| Id {
                gvk: Gvk {
                    group: group.into(),
                    version: version.into(),
                    kind: previous.kind.clone(),
                },
                name: previous.name.clone(),
                namespace: previous.namespace.clone(),
                outside_namespaces: self.outside_namespaces,
            })
            .collect()
    }

    /// The first identity.
    pub(crate) fn original_id(&self) -> Id {
        self.previous_ids().into_iter().next().unwrap_or_else(|| self.id())
    }

    /// Whether any identity it ever had is `id`.
    pub(crate) fn was_ever(&self, matches: &dyn Fn(&Id) -> bool) -> bool {
        self.previous_ids().iter().any(matches) || matches(&self.id())
    }

    /// Notes today's identity before it changes.
    pub(crate) fn remember_id(&mut self) {
        self.shared.part_annotations();
        let id = self.id();
        self.previous.push(Previous {
            namespace: id.effective_namespace().into(),
            name: id.name,
            kind: id.gvk.kind,
        });
    }

    /// Forgets what it was and what is to become of it: its annotations, in
    /// which kustomize keeps that, have been taken away as a whole.
    pub(crate) fn forget(&mut self) {
        self.is_forgetful = true;
        self.needs_hash = false;
        self.previous.clear();
        self.prefixes.clear();
        self.suffixes.clear();
    }

    /// Makes the annotations where kustomize would carry notes in them: they
    /// can be found then, if empty. Empty ones are taken out at the end.
    pub(crate) fn show_notes(&mut self) {
        if self.has_notes() && self.node.at_path(&["metadata", "annotations"]).is_none() {
            self.metadata_mut().set("annotations", Node::mapping());
        }
    }

    /// Whether kustomize would carry notes in this object's annotations now.
    fn has_notes(&self) -> bool {
        !self.previous.is_empty()
            || !self.prefixes.is_empty()
            || !self.suffixes.is_empty()
            || (self.generated && !self.is_forgetful)
    }

    /// Runs `set` at a field spec if it is about this object's kind.
    pub(crate) fn apply(
        &mut self,
        spec: &FieldSpec,
        create: Create,
        set: &mut Set<'_>,
    ) -> Result<(), FieldProblem> {
        if !self.is_kind(&spec.gvk) {
            return Ok(());
        }
        self.apply_known(spec, create, set)
    }

    /// Runs `set` at a field spec, whatever kinds that is about.
    pub(crate) fn apply_known(
        &mut self,
        spec: &FieldSpec,
        create: Create,
        set: &mut Set<'_>,
    ) -> Result<(), FieldProblem> {
        spec.apply(&mut self.node, create, set)
            .map_err(|message| FieldProblem { field: spec.path.to_string(), message })
    }

    pub(crate) fn set_name(&mut self, name: &str) {
        self.set_meta("name", name);
    }

    /// Sets the namespace, or takes it out where `namespace` is empty.
    pub(crate) fn set_namespace(&mut self, namespace: &str) {
        if namespace.is_empty() {
            if let Some(metadata) = self.node.get_mut("metadata") {
                metadata.remove("namespace");
            }
        } else {
            self.set_meta("namespace", namespace);
        }
    }

    fn set_meta(&mut self, field: &str, value: &str) {
        let metadata = self.metadata_mut();
        match metadata.get_mut(field) {
            Some(node) if matches!(node.value, Value::Scalar(_)) => {
                // A scalar takes any text.
                let _ = fieldspec::set_untyped(node, value);
            }
            _ => metadata.set(field, Node::scalar(value, fieldspec::type_of(value))),
        }
    }

    pub(crate) fn metadata_mut(&mut self) -> &mut Node {
        child_mapping(&mut self.node, "metadata")
    }

    /// The labels or annotations as text; nulls and lists read as they are written.
    pub(crate) fn texts(&self, field: &str) -> Vec<(String, String)> {
        self.node
            .at_path(&["metadata", field])
            .map(|map| {
                map.entries()
                    .iter()
                    .map(|(key, value)| (raw(key).to_owned(), raw(value).to_owned()))
                    .collect()
            })
            .unwrap_or_default()
    }

    /// Takes out the annotations in which kustomize keeps its notes, should an
    /// input have come with them, and those under `more`.
    pub(crate) fn drop_notes(&mut self, more: &[&str]) {
        let annotations =
            self.node.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
        if let Some(entries) = annotations.and_then(Node::entries_mut) {
            entries.retain(|(key, _)| !NOTES.contains(&raw(key)) && !more.contains(&raw(key)));
        }
    }

    /// Whether a validator left this as it was: only the label with which it
    /// says that it ran may have come.
    pub(crate) fn is_same_but_for_label(&self, after: &Object) -> bool {
        const LABEL: &str = "validated-by";
        let mut after_node = after.node.clone();
        if let Some(metadata) = after_node.get_mut("metadata")
            && let Some(labels) = metadata.get_mut("labels")
            && labels.remove(LABEL).is_some()
            && labels.entries().is_empty()
        {
            metadata.remove("labels");
        }
        self.node == after_node && self.previous.len() == after.previous.len()
    }

    /// Whether an annotation asks for a hash in the name.
    pub(crate) fn asks_for_hash(&self) -> bool {
        self.annotation(NEEDS_HASH) == Some("enabled")
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self.node.at_path(&["metadata", "annotations"])?.get(key).map(raw)
    }

    /// Whether Helm made it, which keeps its namespace.
    pub(crate) fn is_from_helm(&self) -> bool {
        self.texts("annotations").iter().any(|(key, value)| {
            key == "internal.config.kubernetes.io/helm-generated" && value == "true"
        })
    }

    /// Makes all labels or annotations strings, and takes an empty mapping out.
    pub(crate) fn normalise_texts(&mut self, field: &str) {
        let Some(metadata) = self.node.get_mut("metadata") else { return };
        let Some(map) = metadata.get_mut(field) else { return };
        match map.entries_mut() {
            Some(entries) if !entries.is_empty() => {
                for (key, value) in entries {
                    if let Value::Scalar(own) = &mut key.value {
                        own.tag = fieldspec::type_of(&own.text);
                    }
                    let text = raw(value).to_owned();
                    let mark = value.mark;
                    // The text is written anew: none stays folded.
                    let style = match &value.value {
                        Value::Scalar(Scalar { style: Style::Folded, .. }) => Style::Literal,
                        Value::Scalar(scalar) => scalar.style,
                        _ => Style::Plain,
                    };
                    value.value = Value::Scalar(Scalar {
                        text: text.into(),
                        tag: gitops_yaml::Tag::Str,
                        style,
                    });
                    value.mark = mark;
                }
            }
            _ => {
                metadata.remove(field);
            }
        }
    }
}

/// The identity of an object, on loan from it.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Key<'o> {
    group: &'o str,
    version: &'o str,
    kind: &'o str,
    name: &'o str,
    namespace: &'o str,
}

/// What a transformation could not do to a field.
#[derive(Debug)]
pub(crate) struct FieldProblem {
    pub(crate) field: String,
    pub(crate) message: String,
}

/// The mapping under `key`, made where there is none.
pub(crate) fn child_mapping<'a>(node: &'a mut Node, key: &str) -> &'a mut Node {
    if !node.get(key).is_some_and(Node::is_mapping) {
        node.set(key, Node::mapping());
    }
    node.get_mut(key).expect("it has just been set, and an object is a mapping")
}

/// The text of a scalar of any type, as written; empty for everything else.
pub(crate) fn raw(node: &Node) -> &str {
    match &node.value {
        Value::Scalar(scalar) => &scalar.text,
        _ => "",
    }
}

/// The text of a scalar; empty where there is none or it is null.
pub(crate) fn text(node: Option<&Node>) -> &str {
    node.and_then(Node::text).unwrap_or("")
}
