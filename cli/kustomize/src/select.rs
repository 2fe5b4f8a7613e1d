//! Selecting objects: by regular expressions over their identity, and by
//! label selectors.
//!
//! Rules from kustomize v5.8, api/types/selector.go and api/resmap.

use crate::id::Id;
use crate::kustomization::Selector;
use crate::labels::LabelSelector;
use crate::pattern::Pattern;
use crate::resource::Object;

/// A selector ready to match.
pub(crate) struct Matcher {
    group: Option<Pattern>,
    version: Option<Pattern>,
    kind: Option<Pattern>,
    name: Option<Pattern>,
    namespace: Option<Pattern>,
    labels: LabelSelector,
    annotations: LabelSelector,
}

impl Matcher {
    /// Compiles a selector. The error says which part does not parse.
    pub(crate) fn new(selector: &Selector) -> Result<Matcher, String> {
        Ok(Matcher {
            group: anchored(&selector.gvk.group)?,
            version: anchored(&selector.gvk.version)?,
            kind: anchored(&selector.gvk.kind)?,
            name: anchored(&selector.name)?,
            namespace: anchored(&selector.namespace)?,
            labels: selector.label_selector.parse()?,
            annotations: selector.annotation_selector.parse()?,
        })
    }

    /// Whether an object matches, by its first or its present name and namespace.
    pub(crate) fn matches(&self, object: &Object) -> bool {
        // Most objects are told apart by what needs no copies.
        if !part(&self.kind, object.kind())
            || object.previous.is_empty() && !part(&self.name, object.name())
        {
            return false;
        }
        let now = object.id();
        let first = object.original_id();
        (part(&self.namespace, first.effective_namespace())
            || part(&self.namespace, now.effective_namespace()))
            && (part(&self.name, &first.name) || part(&self.name, &now.name))
            && part(&self.group, &now.gvk.group)
            && part(&self.version, &now.gvk.version)
            && part(&self.kind, &now.gvk.kind)
            && self.matches_texts(object)
    }
}

impl Matcher {
    /// Whether the labels and annotations match.
    pub(crate) fn matches_texts(&self, object: &Object) -> bool {
        let meets = |selector: &LabelSelector, field: &str| {
            if selector.is_empty() {
                return true;
            }
            let texts = object.texts(field);
            selector.matches(|key| {
                texts.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
            })
        };
        meets(&self.labels, "labels") && meets(&self.annotations, "annotations")
    }

    /// Whether one identity matches, its namespace as written.
    pub(crate) fn matches_id(&self, id: &Id) -> bool {
        part(&self.group, &id.gvk.group)
            && part(&self.version, &id.gvk.version)
            && part(&self.kind, &id.gvk.kind)
            && part(&self.name, &id.name)
            && part(&self.namespace, &id.namespace)
    }
}

fn part(pattern: &Option<Pattern>, text: &str) -> bool {
    pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
}

fn anchored(pattern: &str) -> Result<Option<Pattern>, String> {
    if pattern.is_empty() {
        return Ok(None);
    }
    Pattern::whole(pattern).map(Some).map_err(|_| format!("`{pattern}` is no regular expression"))
}
