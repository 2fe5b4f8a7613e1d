//! What `render` prints: the objects of environments or of a folder, with
//! where they come from.

use gitops_core::key::{ObjectKey, group_of};
use gitops_kustomize::{LoadRestrictor, Options, Rendered, Reorder, Resource, Touch};
use gitops_yaml::{Mark, Node};

use super::desired::{self, Files};
use super::workspace::Workspace;
use crate::config::{Config, Environment};
use crate::failure::Failure;
use crate::output::Terminal;

/// How the user wants it rendered, where that is not left to each environment.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) load_restrictor: Option<LoadRestrictor>,
    pub(crate) reorder: Reorder,
}

impl Wanted {
    fn options(self, otherwise: Options) -> Options {
        Options {
            load_restrictor: self.load_restrictor.unwrap_or(otherwise.load_restrictor),
            reorder: self.reorder,
            ..otherwise
        }
    }
}

/// The objects of one environment, or of the folder of `-k`.
pub(crate) struct Rendition {
    /// `None` for a folder.
    pub(crate) environment: Option<String>,
    parts: Vec<Rendered>,
    /// The files of each part as the user sees them, then the file of each object.
    files: Vec<Vec<String>>,
}

/// One object of a rendition.
pub(crate) struct Item<'r> {
    pub(crate) resource: &'r Resource,
    files: &'r [String],
    path: &'r str,
}

impl Rendition {
    /// An environment of the workspace.
    pub(crate) fn of_environment(
        workspace: &Workspace,
        config: &Config,
        environment: &Environment,
        wanted: Wanted,
        terminal: Terminal,
    ) -> Result<Rendition, Failure> {
        let options = wanted.options(desired::options(environment));
        let mut parts = Vec::new();
        let place = workspace.place(config, environment)?;
        for folder in place.folders(environment)? {
            parts.extend(place.rendered(&folder, &options, terminal)?);
        }
        let name = Some(environment.name.clone());
        Ok(Rendition::new(name, parts, |path| path.to_owned()))
    }

    /// The folder of `-k`.
    pub(crate) fn of_folder(
        files: &Files,
        wanted: Wanted,
        terminal: Terminal,
    ) -> Result<Rendition, Failure> {
        let parts = files.rendered(&wanted.options(Options::default()), terminal)?;
        Ok(Rendition::new(None, parts, |path| files.shown(path)))
    }

    fn new(
        environment: Option<String>,
        parts: Vec<Rendered>,
        shown: impl Fn(&str) -> String,
    ) -> Rendition {
        let files = parts
            .iter()
            .map(|part| {
                let objects = part.resources.iter().map(|resource| &resource.path);
                let all = part.files.iter().chain(objects);
                all.map(|path| shown(path.as_str())).collect()
            })
            .collect();
        Rendition { environment, parts, files }
    }

    /// The objects, in order.
    pub(crate) fn items(&self) -> impl Iterator<Item = Item<'_>> {
        self.parts.iter().zip(&self.files).flat_map(|(part, files)| {
            let (files, own) = files.split_at(part.files.len());
            part.resources.iter().zip(own).map(move |(resource, path)| Item {
                resource,
                files,
                path,
            })
        })
    }

    /// What was rendered, part by part, without the parts that hold nothing.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Rendered> {
        self.parts.iter().filter(|part| !part.resources.is_empty())
    }
}

impl<'r> Item<'r> {
    /// The file that it was read from, or of the kustomization that generates it.
    pub(crate) fn path(&self) -> &'r str {
        self.path
    }

    /// `path:line` of something that touched it.
    pub(crate) fn place(&self, touch: &Touch) -> String {
        format!("{}:{}", self.files[touch.file.0 as usize], touch.line)
    }

    /// The file of a touch.
    pub(crate) fn file(&self, touch: &Touch) -> &'r str {
        &self.files[touch.file.0 as usize]
    }

    /// Each field's pointer with the place that sets it.
    pub(crate) fn lines(&self) -> Vec<(String, String)> {
        let place =
            |mark: Mark| Some(format!("{}:{}", self.files.get(mark.file.0 as usize)?, mark.line));
        let pointers = self.resource.node.pointers().into_iter();
        pointers.filter_map(|(pointer, mark)| Some((pointer, place(mark)?))).collect()
    }

    /// Its name. kustomize lets pass what has none; such parts are empty.
    pub(crate) fn key(&self) -> ObjectKey {
        let text = |path: &[&str]| {
            self.resource.node.at_path(path).and_then(Node::text).unwrap_or_default().to_owned()
        };
        ObjectKey {
            group: group_of(&text(&["apiVersion"])).to_owned(),
            kind: text(&["kind"]),
            namespace: Some(text(&["metadata", "namespace"])).filter(|name| !name.is_empty()),
            name: text(&["metadata", "name"]),
        }
    }
}
