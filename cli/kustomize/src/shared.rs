//! Fields that kustomize keeps in one node.
//!
//! A label or annotation that it adds to an object in several places is one
//! node of its tree (SetEntry, api/filters/filtersutil/setters.go), and a value
//! that is there already is changed in place (FieldSetter, kyaml/yaml/fns.go).
//! A later change of one place is so one of all: `labels` over a base with
//! `commonLabels` of the same key changes its selectors, too. The nodes part
//! where kustomize writes them anew.

use gitops_yaml::{FileId, Mark, Node, Scalar, Style, Tag, Value};

/// The mark of a value just added by the pair of a number, until
/// [`Shared::gather`] has found it.
pub(crate) fn added(pair: usize) -> Mark {
    let number = u32::try_from(pair).unwrap_or(u32::MAX);
    Mark { file: FileId::NONE, line: u32::MAX, column: u32::MAX, start: number, end: number }
}

/// Whether it is one of those.
pub(crate) fn is_added(mark: Mark) -> bool {
    mark.file == FileId::NONE && mark.line == u32::MAX && mark.column == u32::MAX
}

#[derive(Clone, PartialEq, Eq)]
enum Step {
    Key(Box<str>),
    Index(usize),
}

#[derive(Clone)]
struct Group {
    paths: Vec<Vec<Step>>,
    value: Scalar,
}

/// The places of one object that are one node.
#[derive(Clone, Default)]
pub(crate) struct Shared {
    groups: Vec<Group>,
}

impl Shared {
    /// Finds the values marked [`added`], gives them their marks, and keeps
    /// those of each pair together.
    pub(crate) fn gather(&mut self, object: &mut Node, pairs: &[(String, Node)]) {
        let mut found = vec![Vec::new(); pairs.len()];
        find(object, &mut Vec::new(), &mut found, pairs);
        for (paths, (_, value)) in found.into_iter().zip(pairs) {
            if paths.len() > 1 {
                let text = crate::resource::raw(value).into();
                let value = Scalar { text, tag: Tag::Str, style: Style::Plain };
                self.groups.push(Group { value, paths });
            }
        }
    }

    /// Makes each change of one place one of all.
    pub(crate) fn settle(&mut self, object: &mut Node) {
        for group in &mut self.groups {
            let mut changed = None;
            group.paths.retain(|path| match at(object, path) {
                Some(Node { value: Value::Scalar(scalar), mark }) => {
                    if scalar.text != group.value.text || scalar.tag != group.value.tag {
                        changed = Some((scalar.clone(), *mark));
                    }
                    true
                }
                _ => false,
            });
            let Some((scalar, mark)) = changed else { continue };
            for path in &group.paths {
                if let Some(node) = at(object, path) {
                    *node = Node { value: Value::Scalar(scalar.clone()), mark };
                }
            }
            group.value = scalar;
        }
        self.groups.retain(|group| group.paths.len() > 1);
    }

    /// The annotations of the object have been written anew.
    pub(crate) fn part_annotations(&mut self) {
        let is_annotation = |path: &Vec<Step>| {
            let named = |index: usize, name: &str| matches!(path.get(index), Some(Step::Key(key)) if **key == *name);
            named(0, "metadata") && named(1, "annotations")
        };
        self.groups.iter_mut().for_each(|group| group.paths.retain(|path| !is_annotation(path)));
    }

    /// The whole object has been written anew.
    pub(crate) fn part(&mut self) {
        self.groups.clear();
    }
}

fn find(
    node: &mut Node,
    path: &mut Vec<Step>,
    found: &mut [Vec<Vec<Step>>],
    pairs: &[(String, Node)],
) {
    match &mut node.value {
        Value::Scalar(_) => {
            if is_added(node.mark)
                && let number = node.mark.start as usize
                && let (Some(paths), Some((_, value))) = (found.get_mut(number), pairs.get(number))
            {
                node.mark = value.mark;
                paths.push(path.clone());
            }
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                path.push(Step::Index(index));
                find(item, path, found, pairs);
                path.pop();
            }
        }
        Value::Mapping(entries) => {
            for (key, value) in entries {
                // Most values are not it, and need no path.
                if matches!(value.value, Value::Scalar(_)) && !is_added(value.mark) {
                    continue;
                }
                path.push(Step::Key(crate::resource::raw(key).into()));
                find(value, path, found, pairs);
                path.pop();
            }
        }
    }
}

fn at<'n>(node: &'n mut Node, path: &[Step]) -> Option<&'n mut Node> {
    path.iter().try_fold(node, |node, step| match step {
        Step::Key(key) => node.get_mut(key),
        Step::Index(index) => node.items_mut()?.get_mut(*index),
    })
}
