//! Fields that name other objects follow those objects' new names.
//!
//! Rules from kustomize v5.8, api/filters/nameref and
//! api/internal/accumulator/namereferencetransformer.go.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use gitops_yaml::{FileId, Mark, Node, Text, Value};

use crate::defaults::NameReference;
use crate::error::BuildError;
use crate::fieldspec::{Create, FieldSpec, set_untyped};
use crate::id::{Gvk, Id};
use crate::known;
use crate::parallel;
use crate::resource::{FieldProblem, Object, raw};
use crate::set::{Set, field_error};
use crate::touch::How;

/// What a search for a referred object looks at.
struct Candidate {
    now: Id,
    previous: Vec<Id>,
    /// Where the name and the namespace were written.
    name_mark: Mark,
    namespace_mark: Mark,
    /// The namespace as written.
    namespace: Text,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
}

impl Candidate {
    /// The identity that it had first.
    fn first(&self) -> &Id {
        self.previous.first().unwrap_or(&self.now)
    }
}

/// Brings every reference up to date.
pub(crate) fn fix(set: &mut Set, config: &known::Known) -> Result<(), BuildError> {
    for object in &set.objects {
        bound_namespaces(object).map_err(|problem| field_error(object, problem))?;
    }
    if set.objects.iter().all(|object| object.previous.is_empty()) {
        return Ok(());
    }
    let candidates: Vec<Candidate> = set
        .objects
        .iter()
        .map(|object| Candidate {
            now: object.id(),
            previous: object.previous_ids(),
            name_mark: mark_of(object, "name"),
            namespace_mark: mark_of(object, "namespace"),
            namespace: object.namespace().into(),
            prefixes: object.prefixes.clone(),
            suffixes: object.suffixes.clone(),
        })
        .collect();
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut by_namespace: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let names: HashSet<&str> = candidate.previous.iter().map(|id| id.name.as_str()).collect();
        for name in names {
            by_name.entry(name).or_default().push(index);
        }
        by_namespace.entry(candidate.first().effective_namespace()).or_default().push(index);
    }
    if by_name.is_empty() {
        return Ok(());
    }
    // Most fields are about one kind, and there are hundreds of them.
    let mut by_type: HashMap<&Gvk, Vec<(&Gvk, &FieldSpec)>> = HashMap::new();
    for candidate in &candidates {
        by_type.entry(&candidate.first().gvk).or_insert_with_key(|gvk| {
            let mut about = Vec::new();
            for NameReference { target, fields } in config.references() {
                let fields = fields.iter().filter(|field| gvk.is_selected_by(&field.gvk));
                about.extend(fields.map(|field| (target, field)));
            }
            about
        });
    }
    let known = Known { candidates: &candidates, by_name: &by_name, by_namespace: &by_namespace };
    parallel::each(&mut set.objects, |index, object| {
        let referrer = &candidates[index];
        fix_one(object, referrer, &by_type[&referrer.first().gvk], &known)
    })
}

/// All objects, by the names they had and by the namespaces they stood in first.
struct Known<'a> {
    candidates: &'a [Candidate],
    by_name: &'a HashMap<&'a str, Vec<usize>>,
    by_namespace: &'a HashMap<&'a str, Vec<usize>>,
}

fn mark_of(object: &Object, field: &str) -> Mark {
    object.node.at_path(&["metadata", field]).map_or(Mark::NONE, |node| node.mark)
}

fn fix_one(
    object: &mut Object,
    referrer: &Candidate,
    fields: &[(&Gvk, &FieldSpec)],
    known: &Known<'_>,
) -> Result<(), BuildError> {
    let bound = bound_namespaces(object).map_err(|problem| field_error(object, problem))?;
    let role = role_of(object);
    let followed = RefCell::new(Vec::new());
    for (target, field) in fields {
        let search = Search {
            known,
            referrer,
            target,
            role: field.path.ends_with("roleRef/name").then_some(role.as_ref()).flatten(),
            bound: &bound,
            followed: &followed,
        };
        let mut ambiguous = None;
        // The kind may have changed; the field counts all the same.
        let result = object.apply_known(field, Create::Nothing, &mut |node: &mut Node| {
            search.update(node).map_err(|problem| match problem {
                Problem::Shape(message) => message,
                Problem::Ambiguous { name, candidates } => {
                    ambiguous = Some((name, candidates));
                    String::new()
                }
            })
        });
        if let Err(problem) = result {
            return Err(match ambiguous {
                Some((name, candidates)) => BuildError::Ambiguous {
                    place: object.place.clone(),
                    field: problem.field,
                    id: object.id().to_string().into(),
                    name: name.into(),
                    candidates: candidates.into(),
                },
                None => field_error(object, problem),
            });
        }
    }
    for mark in followed.into_inner() {
        object.touch(mark, How::Reference);
    }
    Ok(())
}

/// The namespaces of the service accounts that a RoleBinding names.
fn bound_namespaces(object: &Object) -> Result<HashSet<String>, FieldProblem> {
    let mut found = HashSet::new();
    if object.kind() != "RoleBinding" {
        return Ok(found);
    }
    for subject in object.node.get("subjects").map(Node::items).unwrap_or_default() {
        let is_account = subject.get("kind").and_then(Node::text) == Some("ServiceAccount");
        let Some(namespace) = subject.get("namespace").filter(|_| is_account) else { continue };
        match namespace.as_str() {
            Some(namespace) => {
                found.insert(namespace.to_owned());
            }
            None => {
                return Err(FieldProblem {
                    field: "subjects/namespace".to_owned(),
                    message: "a service account's namespace is blank; name it, or delete the field"
                        .to_owned(),
                });
            }
        }
    }
    Ok(found)
}

/// Group and kind of `roleRef`, where both are given.
fn role_of(object: &Object) -> Option<Gvk> {
    let role = object.node.get("roleRef")?;
    Some(Gvk {
        group: raw(role.get("apiGroup")?).into(),
        version: Text::default(),
        kind: raw(role.get("kind")?).into(),
    })
}

struct Search<'a> {
    known: &'a Known<'a>,
    referrer: &'a Candidate,
    target: &'a Gvk,
    role: Option<&'a Gvk>,
    bound: &'a HashSet<String>,
    /// The places of the names that were followed.
    followed: &'a RefCell<Vec<Mark>>,
}

enum Problem {
    Shape(String),
    Ambiguous { name: String, candidates: String },
}

impl Search<'_> {
    /// A name that follows another object's stands where that one was set.
    fn mark(&self, node: &mut Node, mark: Mark) {
        if mark.file != FileId::NONE {
            node.mark = mark;
            self.followed.borrow_mut().push(mark);
        }
    }

    fn update(&self, node: &mut Node) -> Result<(), Problem> {
        if node.is_null() {
            return Ok(());
        }
        match &mut node.value {
            Value::Scalar(_) => self.update_scalar(node),
            Value::Mapping(_) => self.update_mapping(node),
            Value::Sequence(items) => items.iter_mut().try_for_each(|item| match item.value {
                _ if item.is_null() => Ok(()),
                Value::Scalar(_) => self.update_scalar(item),
                Value::Mapping(_) => self.update_mapping(item),
                Value::Sequence(_) => {
                    Err(Problem::Shape("expected a string or a mapping in the list".to_owned()))
                }
            }),
        }
    }

    fn update_scalar(&self, node: &mut Node) -> Result<(), Problem> {
        let old = raw(node).to_owned();
        let Some(found) = self.select(&old, None, false)? else { return Ok(()) };
        if *found.now.name != old {
            set_untyped(node, &found.now.name).map_err(Problem::Shape)?;
            self.mark(node, found.name_mark);
        }
        Ok(())
    }

    /// A field that holds name and namespace.
    fn update_mapping(&self, node: &mut Node) -> Result<(), Problem> {
        let Some(name) = node.get("name").map(|name| raw(name).to_owned()) else {
            return Err(Problem::Shape("expected a mapping with `name`".to_owned()));
        };
        let namespace = node.get("namespace").map(|namespace| raw(namespace).to_owned());
        let Some(found) = self.select(&name, namespace.as_deref(), true)? else { return Ok(()) };
        if *found.now.name == name && found.namespace.is_empty() {
            return Ok(());
        }
        for (field, value, mark) in [
            ("name", &found.now.name, found.name_mark),
            ("namespace", &found.namespace, found.namespace_mark),
        ] {
            if value.is_empty() {
                continue;
            }
            if node.get(field).is_none() {
                node.set(field, Node::string(""));
            }
            if let Some(own) = node.get_mut(field) {
                let same = *raw(own) == **value;
                set_untyped(own, value).map_err(Problem::Shape)?;
                if !same {
                    self.mark(own, mark);
                }
            }
        }
        Ok(())
    }

    /// The one object that `name` means; `None` where it means none.
    fn select(
        &self,
        name: &str,
        namespace: Option<&str>,
        with_namespace: bool,
    ) -> Result<Option<&Candidate>, Problem> {
        let Some(named) = self.known.by_name.get(name) else { return Ok(None) };
        let reachable = |candidate: &&Candidate| self.can_reach(candidate);
        let mut found: Vec<&Candidate> =
            named.iter().map(|index| &self.known.candidates[*index]).filter(reachable).collect();
        if let Some(namespace) = namespace {
            found = self.in_namespace(found, namespace);
        }
        found.retain(|candidate| {
            let was = |gvk: &Gvk| candidate.previous.iter().any(|id| id.gvk.is_selected_by(gvk));
            was(self.target) && self.role.is_none_or(was) && self.same_namespace(candidate)
        });
        if found.len() > 1 {
            found.retain(|candidate| self.same_affixes(candidate, true));
        } else if found.len() == 1 {
            return Ok(found.pop());
        }
        if found.len() > 1 {
            found.retain(|candidate| self.same_affixes(candidate, false));
        }
        let Some(first) = found.first().copied() else { return Ok(None) };
        let same = found.iter().all(|other| {
            other.now.name == first.now.name
                && (!with_namespace || other.namespace == first.namespace)
        });
        if same {
            return Ok(Some(first));
        }
        let names: Vec<String> =
            found.iter().map(|candidate| format!("`{}`", candidate.now)).collect();
        Err(Problem::Ambiguous { name: name.to_owned(), candidates: names.join(", ") })
    }

    /// Whether the referrer may refer to an object at all.
    fn can_reach(&self, candidate: &Candidate) -> bool {
        self.referrer.now.is_cluster_scoped()
            || candidate.now.is_cluster_scoped()
            || candidate.now.same_namespace(&self.referrer.now)
            || self.bound.contains(candidate.namespace.as_str())
    }

    /// The candidates that stood in a namespace first, or else stand in it now.
    /// Whether any did is asked of all objects in reach, of any name.
    fn in_namespace<'c>(&self, found: Vec<&'c Candidate>, namespace: &str) -> Vec<&'c Candidate> {
        let first = self.known.by_namespace.get(namespace).map(Vec::as_slice).unwrap_or_default();
        let any = first.iter().any(|index| self.can_reach(&self.known.candidates[*index]));
        found
            .into_iter()
            .filter(|candidate| {
                let id = if any { candidate.first() } else { &candidate.now };
                id.effective_namespace() == namespace
            })
            .collect()
    }

    fn same_namespace(&self, candidate: &Candidate) -> bool {
        self.referrer.now.is_cluster_scoped()
            || candidate.now.is_cluster_scoped()
            || candidate.now.gvk.kind == "ServiceAccount"
            || candidate.now.same_namespace(&self.referrer.now)
    }

    fn same_affixes(&self, candidate: &Candidate, empty_fits: bool) -> bool {
        let fits = |left: &[String], right: &[String]| {
            (empty_fits && (left.is_empty() || right.is_empty())) || same_ending(left, right)
        };
        fits(&candidate.prefixes, &self.referrer.prefixes)
            && fits(&candidate.suffixes, &self.referrer.suffixes)
    }
}

/// Whether one list ends with the other; an empty one only with another.
fn same_ending(left: &[String], right: &[String]) -> bool {
    let (short, long) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    if short.is_empty() { long.is_empty() } else { long.ends_with(short) }
}
