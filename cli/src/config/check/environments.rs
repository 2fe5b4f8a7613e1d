//! `environments:`: their places, and their order.

use super::super::file::{self, File};
use super::super::keys::suggest;
use super::super::problem::{Problem, ProblemKind};
use super::super::{After, Environment, Merge, ONE_PATH};
use super::Below::{Item, Key};
use super::{Below, Checker};

impl Checker<'_> {
    pub(super) fn environments(&mut self, file: &File) -> Vec<Environment> {
        if file.environments.is_empty() {
            self.problem(&[Key("environments")], "there are no environments", None);
        }
        let mut environments: Vec<Environment> = Vec::new();
        for (index, written) in file.environments.iter().enumerate() {
            let at = [Key("environments"), Item(index)];
            let below = |key| [at[0], at[1], Key(key)];
            let word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if written.name.is_empty() || !written.name.chars().all(word) {
                let message =
                    format!("`{}` cannot name an environment", written.name.escape_debug());
                let hint = "use letters, digits, `.`, `_` and `-`".to_owned();
                self.problem(&below("name"), message, Some(hint));
            }
            if let Some(first) = environments.iter().find(|other| other.name == written.name) {
                let message = format!(
                    "a second environment `{}`; the first is in line {}",
                    written.name, first.place.line
                );
                self.problem(&below("name"), message, None);
            }
            let path = self.environment_path(&written.path, &below("path"));
            if let Some(branch) = &written.branch {
                self.branch(branch, &below("branch"));
            }
            if let Some(name) = &written.repository {
                self.repository(name, file, &below("repository"));
            }
            let same = environments.iter().find(|other| {
                other.path == path
                    && other.branch == written.branch
                    && other.repository == written.repository
            });
            if let Some(other) = same {
                let message = format!(
                    "environments `{}` and `{}` have one path, `{path}`",
                    other.name, written.name
                );
                self.problem(&below("path"), message, Some(ONE_PATH.to_owned()));
            }
            let mut roots = Vec::new();
            for (item, root) in written.roots.iter().enumerate() {
                roots.extend(self.path(root, &[at[0], at[1], Key("roots"), Item(item)]));
            }
            for (item, cluster) in written.clusters.iter().enumerate() {
                if let Some(path) = &cluster.path {
                    self.path(path, &[at[0], at[1], Key("clusters"), Item(item), Key("path")]);
                }
                if written.clusters[..item].iter().any(|other| other.name == cluster.name) {
                    let message = format!("a second cluster `{}`", cluster.name.escape_debug());
                    self.problem(&[at[0], at[1], Key("clusters"), Item(item)], message, None);
                }
            }
            if written.method.is_some() && written.merge != Merge::Auto {
                let message = "`method` says how the tool merges, but `merge` is not `auto`";
                let hint = "write `merge: auto`, or take `method` out".to_owned();
                self.problem(&below("method"), message, Some(hint));
            }
            let gates = self.gates(written, index);
            let gate_timeout = self.gate_timeout(written, &gates, index);
            let rollback_exempt = self.exempt(written, index);
            let previous = index.checked_sub(1).map(|index| &file.environments[index].name);
            let after = self.after(written, index, previous, file);
            self.from(written, index, &after, file);
            environments.push(Environment {
                name: written.name.clone(),
                path,
                branch: written.branch.clone(),
                repository: written.repository.clone(),
                roots,
                clusters: written.clusters.clone(),
                controller: written.controller,
                merge: written.merge,
                method: written.method.unwrap_or_default(),
                after,
                from: written.from.clone(),
                gates,
                gate_timeout,
                rollback_exempt,
                place: self.place(&at),
                ..Environment::default()
            });
        }
        environments
    }

    /// The path, normalised. `{app}` is a plain name to a [`TreePath`].
    fn environment_path(&mut self, path: &str, at: &[Below<'_>]) -> String {
        self.template(path, &["app"], at);
        if path.matches("{app}").count() > 1 {
            self.problem(at, "`{app}` stands twice", None);
        }
        self.path(path, at).unwrap_or_default().as_str().to_owned()
    }

    fn after(
        &mut self,
        written: &file::Environment,
        index: usize,
        previous: Option<&String>,
        file: &File,
    ) -> After {
        let at = [Key("environments"), Item(index), Key("after")];
        let after = match &written.after {
            None => return After::All(previous.cloned().into_iter().collect()),
            Some(file::After::List(names)) => After::All(names.clone()),
            Some(file::After::Form(form)) => match (&form.all, &form.any) {
                (Some(names), None) => After::All(names.clone()),
                (None, Some(names)) => After::Any(names.clone()),
                _ => {
                    self.problem(&at, "`after` takes either `all` or `any`", None);
                    return After::All(Vec::new());
                }
            },
        };
        for name in after.names() {
            if *name == written.name {
                let message = format!("`{name}` comes after itself");
                self.problem(&at, message, None);
            } else if !file.environments.iter().any(|other| other.name == *name) {
                let message = format!("no environment `{}`", name.escape_debug());
                let hint = suggest(name, file.environments.iter().map(|e| e.name.as_str()));
                self.problem(&at, message, Some(hint));
            }
        }
        after
    }

    /// Sources out of the chain are environments, and not in it already.
    fn from(&mut self, written: &file::Environment, index: usize, after: &After, file: &File) {
        for (item, name) in written.from.iter().enumerate() {
            let at = [Key("environments"), Item(index), Key("from"), Item(item)];
            if *name == written.name {
                let message = format!("`{name}` cannot be promoted into itself");
                self.problem(&at, message, None);
            } else if after.names().contains(name) {
                let message = format!("`{name}` comes before `{}` already", written.name);
                self.problem(&at, message, Some("take it out of `from`".to_owned()));
            } else if !file.environments.iter().any(|other| other.name == *name) {
                let message = format!("no environment `{}`", name.escape_debug());
                let hint = suggest(name, file.environments.iter().map(|e| e.name.as_str()));
                self.problem(&at, message, Some(hint));
            }
        }
    }

    /// Puts each environment behind those it comes after, otherwise in the
    /// order of the file.
    pub(super) fn ordered(&mut self, mut rest: Vec<Environment>) -> Vec<Environment> {
        let mut ordered: Vec<Environment> = Vec::new();
        while !rest.is_empty() {
            let next = rest.iter().position(|environment| {
                environment
                    .after
                    .names()
                    .iter()
                    .all(|name| !rest.iter().any(|other| other.name == *name))
            });
            let Some(next) = next else {
                // Each of them waits for another one; unless a problem with
                // the names was already told, that is a circle.
                if self.problems.is_empty() {
                    let names: Vec<&str> = rest.iter().map(|e| e.name.as_str()).collect();
                    let problem = Problem {
                        place: Some(rest[0].place),
                        kind: ProblemKind::Invalid,
                        message: format!("a circle of `after` among {}", names.join(", ")),
                        hint: Some(
                            "an environment without `after` comes after the one above it; write `after: []` for the first"
                                .to_owned(),
                        ),
                    };
                    self.problems.push(problem);
                }
                ordered.append(&mut rest);
                break;
            };
            ordered.push(rest.remove(next));
        }
        ordered
    }
}
