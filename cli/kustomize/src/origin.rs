//! The annotations that `buildMetadata` asks for: where an object came from,
//! and what transformed it.
//!
//! Rules from kustomize v5.8: api/resource/origin.go, api/resmap/reswrangler.go
//! and api/internal/target. As there, the annotations stand in the objects
//! while they are built, and are taken out at the end where nobody asked.

use gitops_yaml::{FileId, Node};

use crate::remote;
use crate::resource::{Object, child_mapping, raw};
use crate::set::Set;

/// The annotation that says where an object came from.
pub(crate) const ORIGIN: &str = "config.kubernetes.io/origin";
/// The annotation that lists what transformed an object.
pub(crate) const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";

/// A path relative to the folder that is built, cleaned as Go's `filepath.Join`
/// does it.
fn join(base: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// Where something stands, as the folder that is built names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    path: String,
    /// The remote repository that the path is in.
    repo: String,
    reference: String,
}

impl Origin {
    /// What `text` names from here: a path, or an address.
    pub(crate) fn append(&self, text: &str) -> Origin {
        match remote::repository(text) {
            Some(repository) => Origin {
                // kustomize shows the root of a repository by the name that
                // stands for a folder not cloned yet.
                path: match repository.folder.as_str() {
                    "" => "notCloned".to_owned(),
                    folder => join("", folder),
                },
                repo: repository.url,
                reference: repository.reference.unwrap_or_default(),
            },
            None => Origin { path: join(&self.path, text), ..self.clone() },
        }
    }
}

/// What made or changed an object.
pub(crate) struct Cause {
    /// The file that configures it.
    configured_in: Origin,
    api_version: String,
    kind: String,
    name: String,
    namespace: String,
}

impl Cause {
    /// A field of the kustomization in `file`; `kind` is that of the plugin
    /// that stands behind the field.
    pub(crate) fn field(file: Origin, kind: &str) -> Cause {
        Cause {
            configured_in: file,
            api_version: "builtin".to_owned(),
            kind: kind.to_owned(),
            name: String::new(),
            namespace: String::new(),
        }
    }

    /// A plugin's own object, which must have an origin itself.
    pub(crate) fn plugin(object: &Object) -> Option<Cause> {
        let origin = annotation(object, ORIGIN)?;
        let documents = gitops_yaml::read(FileId::NONE, origin.as_bytes()).ok()?;
        let root = documents.into_iter().next()?.root?;
        let text = |field: &str| root.get(field).map(raw).unwrap_or_default().to_owned();
        Some(Cause {
            configured_in: Origin {
                path: text("path"),
                repo: text("repo"),
                reference: text("ref"),
            },
            api_version: object.api_version().to_owned(),
            kind: object.kind().to_owned(),
            name: object.name().to_owned(),
            namespace: object.namespace().to_owned(),
        })
    }

    fn to_yaml(&self) -> String {
        let mut text = String::new();
        line(&mut text, "", "repo", &self.configured_in.repo);
        line(&mut text, "", "ref", &self.configured_in.reference);
        line(&mut text, "", "configuredIn", &self.configured_in.path);
        text.push_str("configuredBy:\n");
        line(&mut text, "  ", "apiVersion", &self.api_version);
        line(&mut text, "  ", "kind", &self.kind);
        line(&mut text, "  ", "name", &self.name);
        line(&mut text, "  ", "namespace", &self.namespace);
        text
    }
}

/// A field of an origin, left out where it is empty.
fn line(text: &mut String, indent: &str, key: &str, value: &str) {
    if !value.is_empty() {
        let value = gitops_yaml::write(&Node::string(value));
        text.push_str(&format!("{indent}{key}: {value}"));
    }
}

fn annotation<'o>(object: &'o Object, key: &str) -> Option<&'o str> {
    object.node.at_path(&["metadata", "annotations"])?.get(key).map(raw)
}

fn annotate(object: &mut Object, key: &str, text: String) {
    let mark = object.node.mark;
    child_mapping(object.metadata_mut(), "annotations").set(key, Node::string(text).at(mark));
}

/// Says that an object was read from a file.
pub(crate) fn read_from(object: &mut Object, origin: &Origin) {
    let mut text = String::new();
    line(&mut text, "", "path", &origin.path);
    line(&mut text, "", "repo", &origin.repo);
    line(&mut text, "", "ref", &origin.reference);
    annotate(object, ORIGIN, text);
}

/// Says that an object was generated, unless something is known already.
pub(crate) fn generated_by(object: &mut Object, cause: &Cause) {
    if annotation(object, ORIGIN).is_none() {
        annotate(object, ORIGIN, cause.to_yaml());
    }
}

/// Keeps the origin of an object that another was merged into.
pub(crate) fn keep(object: &mut Object, old: &Object) {
    if let Some(origin) = annotation(old, ORIGIN) {
        annotate(object, ORIGIN, origin.to_owned());
    }
}

/// Says of every object that it was transformed. One without an origin counts
/// as made by the transformer.
pub(crate) fn transformed_by(set: &mut Set, cause: &Cause) {
    let text = cause.to_yaml();
    for object in &mut set.objects {
        if annotation(object, ORIGIN).is_none() {
            annotate(object, ORIGIN, text.clone());
            continue;
        }
        let mut list = annotation(object, TRANSFORMATIONS).unwrap_or_default().to_owned();
        for (index, line) in text.lines().enumerate() {
            list.push_str(if index == 0 { "- " } else { "  " });
            list.push_str(line);
            list.push('\n');
        }
        annotate(object, TRANSFORMATIONS, list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_as_go_joins_them() {
        assert_eq!(join("", "a.yaml"), "a.yaml");
        assert_eq!(join("", "../base"), "../base");
        assert_eq!(join("../base", "./x/../a.yaml"), "../base/a.yaml");
        assert_eq!(join("../base", "../../b"), "../../b");
        assert_eq!(join("a", ".."), ".");
    }

    #[test]
    fn an_address_begins_anew() {
        let origin = Origin::default().append("../base").append("github.com/a/b//deploy?ref=v1");
        assert_eq!(
            origin.append("../x.yaml"),
            Origin {
                path: "x.yaml".to_owned(),
                repo: "https://github.com/a/b".to_owned(),
                reference: "v1".to_owned(),
            }
        );
        assert_eq!(Origin::default().append("github.com/a/b").append("c").path, "notCloned/c");
    }

    #[test]
    fn a_cause_leaves_out_what_it_does_not_know() {
        let file = Origin::default().append("kustomization.yaml");
        let cause = Cause::field(file, "PrefixTransformer");
        assert_eq!(
            cause.to_yaml(),
            "configuredIn: kustomization.yaml\nconfiguredBy:\n  apiVersion: builtin\n  kind: PrefixTransformer\n"
        );
    }
}
