//! A change as unified text.

use serde_json::Value;
use similar::TextDiff;

use crate::change::Change;
use crate::object::Object;

/// The two sides as YAML, compared line by line in unified form, with
/// `context` lines around each change. Empty where the sides are equal. Lines
/// end in `\n`; there is no file header.
pub fn unified(change: &Change, context: usize) -> String {
    let before = yaml(change.before.as_ref());
    let after = yaml(change.after.as_ref());
    let diff = TextDiff::from_lines(before.as_str(), after.as_str());
    diff.unified_diff().context_radius(context).to_string()
}

fn yaml(object: Option<&Object>) -> String {
    object.map_or_else(String::new, |object| match &object.tree {
        Value::Null => String::new(),
        tree => gitops_yaml::write_json(tree),
    })
}
