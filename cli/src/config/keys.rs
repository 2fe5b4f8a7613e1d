//! The keys of `gitops.yaml`: which there are, and which this version acts on.

use gitops_yaml::{Node, Value};

use super::problem::{Place, Problem, ProblemKind};

/// What may stand at a place of the file.
enum Shape {
    /// A value; its type is checked when it is decoded.
    Leaf,
    /// A list of one shape.
    List(&'static Shape),
    /// A mapping with these keys.
    Map(&'static [(&'static str, Key)]),
    /// A mapping with keys of the user's and values of one shape.
    Named(&'static Shape),
    /// One of two, by what is written: a list, or a mapping.
    ListOr(&'static [(&'static str, Key)]),
}

/// What this version does with a key.
enum Key {
    /// It acts on it.
    Read(&'static Shape),
    /// It refuses it.
    Later,
}

use Key::{Later, Read};
use Shape::{Leaf, List, ListOr, Map, Named};

const ROOT: Shape = Map(&[
    ("apiVersion", Read(&Leaf)),
    ("kind", Read(&Leaf)),
    ("repositories", Read(&Named(&REPOSITORY))),
    ("discover", Later),
    ("trust", Read(&Map(&[("branch", Read(&Leaf))]))),
    ("environments", Read(&List(&ENVIRONMENT))),
    ("apps", Read(&List(&APP))),
    ("policies", Read(&Leaf)),
    (
        "pullRequest",
        Read(&Map(&[
            ("branch", Read(&Leaf)),
            ("commit", Read(&Leaf)),
            ("title", Read(&Leaf)),
            ("body", Read(&Leaf)),
            ("labels", Read(&List(&Leaf))),
            ("reviewers", Read(&List(&Leaf))),
        ])),
    ),
    ("forge", Read(&Map(&[("kind", Read(&Leaf)), ("url", Read(&Leaf))]))),
    ("notify", Later),
    ("endpoints", Later),
    ("diff", Read(&Map(&[("ignore", Read(&List(&IGNORE)))]))),
    ("seal", Read(&List(&SEAL))),
]);

const REPOSITORY: Shape = Map(&[("url", Read(&Leaf)), ("branch", Read(&Leaf))]);

const ENVIRONMENT: Shape = Map(&[
    ("name", Read(&Leaf)),
    ("path", Read(&Leaf)),
    ("branch", Read(&Leaf)),
    ("repository", Read(&Leaf)),
    ("roots", Read(&List(&Leaf))),
    (
        "clusters",
        Read(&List(&Map(&[
            ("name", Read(&Leaf)),
            ("context", Read(&Leaf)),
            ("path", Read(&Leaf)),
        ]))),
    ),
    ("controller", Read(&Leaf)),
    ("merge", Read(&Leaf)),
    ("method", Read(&Leaf)),
    ("after", Read(&ListOr(&[("all", Read(&List(&Leaf))), ("any", Read(&List(&Leaf)))]))),
    ("from", Read(&List(&Leaf))),
    ("gates", Read(&List(&GATE))),
    ("gateTimeout", Read(&Leaf)),
    ("rollback", Read(&Map(&[("exempt", Read(&List(&Leaf)))]))),
    (
        "pullRequest",
        Read(&Map(&[
            ("commit", Read(&Leaf)),
            ("title", Read(&Leaf)),
            ("body", Read(&Leaf)),
            ("labels", Read(&List(&Leaf))),
        ])),
    ),
]);

/// Which gates there are. `converged` and `canary` need a cluster; what stands in
/// them is read by the version that evaluates them.
const GATE: Shape = Map(&[
    ("merged", Read(&Leaf)),
    ("converged", Read(&Leaf)),
    ("soak", Read(&Leaf)),
    (
        "approvals",
        Read(&Map(&[("min", Read(&Leaf)), ("team", Read(&Leaf)), ("codeowners", Read(&Leaf))])),
    ),
    (
        "window",
        Read(&Map(&[
            ("tz", Read(&Leaf)),
            ("allow", Read(&List(&OPENING))),
            ("exclude", Read(&List(&OPENING))),
        ])),
    ),
    ("status", Read(&Leaf)),
    ("canary", Read(&Leaf)),
]);

const OPENING: Shape = Map(&[("cron", Read(&Leaf)), ("for", Read(&Leaf)), ("why", Read(&Leaf))]);

const APP: Shape = Map(&[
    ("match", Read(&Leaf)),
    (
        "promote",
        Read(&List(&Map(&[
            ("image", Read(&Map(&[("name", Read(&Leaf)), ("fields", Read(&List(&Leaf)))]))),
            (
                "yaml",
                Read(&Map(&[
                    ("file", Read(&Leaf)),
                    ("path", Read(&Leaf)),
                    ("kind", Read(&Leaf)),
                    ("name", Read(&Leaf)),
                    ("create", Read(&Leaf)),
                ])),
            ),
            (
                "values",
                Read(&Map(&[("file", Read(&Leaf)), ("key", Read(&Leaf)), ("create", Read(&Leaf))])),
            ),
            ("chart", Read(&Map(&[("name", Read(&Leaf))]))),
            ("ref", Read(&Map(&[("base", Read(&Leaf))]))),
            ("copy", Read(&Map(&[("from", Read(&Leaf)), ("exclude", Read(&List(&Leaf)))]))),
            ("render", Later),
            (
                "regex",
                Read(&Map(&[
                    ("file", Read(&Leaf)),
                    ("match", Read(&Leaf)),
                    ("count", Read(&Leaf)),
                ])),
            ),
        ]))),
    ),
    ("never", Read(&List(&Leaf))),
    ("only", Read(&Map(&[("environments", Read(&List(&Leaf)))]))),
    (
        "versions",
        Read(&Map(&[("tags", Read(&Leaf)), ("prefix", Read(&Leaf)), ("file", Read(&Leaf))])),
    ),
]);

const IGNORE: Shape = Map(&[
    ("kind", Read(&Leaf)),
    ("namespace", Read(&Leaf)),
    ("name", Read(&Leaf)),
    ("pointer", Read(&Leaf)),
    ("reason", Read(&Leaf)),
]);

const SEAL: Shape = Map(&[("kind", Read(&Leaf)), ("pointer", Read(&Leaf)), ("path", Read(&Leaf))]);

/// The keys of `prify.yml`.
const PRIFY: Shape = Map(&[
    (
        "branch",
        Read(&Map(&[("name", Read(&Leaf)), ("base", Read(&Leaf)), ("rebase", Read(&Leaf))])),
    ),
    (
        "commit",
        Read(&Map(&[("message", Read(&Leaf)), ("author", Read(&Leaf)), ("email", Read(&Leaf))])),
    ),
    ("push", Read(&Map(&[]))),
    (
        "pr",
        Read(&Map(&[
            ("github", Read(&Map(&[("org", Read(&Leaf)), ("repo", Read(&Leaf))]))),
            ("title", Read(&Leaf)),
            ("description", Read(&Leaf)),
        ])),
    ),
]);

/// Every key that is unknown or not acted on.
pub(super) fn check(root: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk(root, &ROOT, &mut problems);
    problems
}

/// Every key of a `prify.yml` that is unknown.
pub(super) fn check_prify(root: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk(root, &PRIFY, &mut problems);
    problems
}

fn walk(node: &Node, shape: &Shape, problems: &mut Vec<Problem>) {
    match (shape, &node.value) {
        (Map(keys) | ListOr(keys), Value::Mapping(entries)) => {
            for (key, value) in entries {
                let name = key.text().unwrap_or_default();
                match keys.iter().find(|(known, _)| *known == name) {
                    Some((_, Read(shape))) => walk(value, shape, problems),
                    Some((_, Later)) => problems.push(Problem {
                        place: Some(place(key)),
                        kind: ProblemKind::NotSupported,
                        message: format!("`{name}` is not supported yet by this version"),
                        hint: Some("take it out, since it would be ignored".to_owned()),
                    }),
                    None => problems.push(Problem {
                        place: Some(place(key)),
                        kind: ProblemKind::UnknownKey,
                        message: format!("unknown key `{}`", name.escape_debug()),
                        hint: Some(suggest(name, keys.iter().map(|(known, _)| *known))),
                    }),
                }
            }
        }
        (Named(shape), Value::Mapping(entries)) => {
            entries.iter().for_each(|(_, value)| walk(value, shape, problems));
        }
        (List(item), Value::Sequence(items)) => {
            items.iter().for_each(|node| walk(node, item, problems));
        }
        // Values of another type are found when the file is decoded.
        _ => {}
    }
}

/// `did you mean …?` where some name is near, and the list of them otherwise, if
/// there is one.
pub(super) fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    if known.is_empty() {
        return "nothing may stand here".to_owned();
    }
    near(name, &known).unwrap_or_else(|| {
        let list: Vec<String> = known.iter().map(|other| format!("`{other}`")).collect();
        format!("known are {}", list.join(", "))
    })
}

/// `did you mean …?` where some name is near.
pub(super) fn near(name: &str, known: &[&str]) -> Option<String> {
    let name = name.to_lowercase();
    let distance = |other: &str| strsim::damerau_levenshtein(&other.to_lowercase(), &name);
    let all = known.iter().map(|other| (distance(other), *other));
    let (_, other) = all.filter(|(distance, other)| *distance <= 1 + other.len() / 4).min()?;
    Some(format!("did you mean `{other}`?"))
}

/// Where a node stands.
pub(super) fn place(node: &Node) -> Place {
    Place { line: node.mark.line, column: node.mark.column }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The keys and the schema say the same of what may stand in the file.
    #[test]
    fn the_keys_are_those_of_the_schema() {
        let generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
        let schema = super::super::schema(generator).to_value();
        same("gitops.yaml", &ROOT, &schema, &schema);
    }

    /// What a schema may be: itself, what it points to, or one of several.
    fn forms<'a>(schema: &'a Value, root: &'a Value) -> Vec<&'a Value> {
        if let Some(Value::String(to)) = schema.get("$ref") {
            return forms(root.pointer(&to[1..]).expect("it is defined"), root);
        }
        match schema.get("anyOf") {
            Some(Value::Array(several)) => {
                several.iter().flat_map(|schema| forms(schema, root)).collect()
            }
            _ => vec![schema],
        }
    }

    fn same(at: &str, shape: &Shape, schema: &Value, root: &Value) {
        let forms = forms(schema, root);
        let below = |key: &str| forms.iter().find_map(|form| form.get(key));
        match shape {
            Leaf => assert_eq!(below("properties"), None, "{at}"),
            List(item) => same(at, item, below("items").expect(at), root),
            Named(value) => same(at, value, below("additionalProperties").expect(at), root),
            Map(keys) | ListOr(keys) => {
                let properties = below("properties").and_then(Value::as_object).expect(at);
                let mut named: Vec<&str> = properties.keys().map(String::as_str).collect();
                let mut read = Vec::new();
                for (key, what) in *keys {
                    if let Read(shape) = what {
                        read.push(*key);
                        let schema = properties.get(*key).expect(key);
                        same(&format!("{at} {key}"), shape, schema, root);
                    }
                }
                named.sort_unstable();
                read.sort_unstable();
                assert_eq!(named, read, "{at}");
            }
        }
    }
}
