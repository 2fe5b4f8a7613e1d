//! `values:`, a Helm value in a file or inline in an object.

use gitops_tree::{Tree, TreePath};
use gitops_yaml::{FileId, Node, Step};

use crate::judge::Moved;
use crate::object::Source;

use super::super::error::PlanError;
use super::super::path::{Miss, ValuePath};
use super::super::rules::{ValuesFile, ValuesRule};
use super::super::slot::{Slot, SlotId, Spot};
use super::chart::{argo_sources, source_name};
use super::{
    Doc, Looked, Place, documents, file_of, keys, line_within, named, no_file, read, value,
};

pub(super) fn look(
    place: &Place<'_>,
    mover: usize,
    rule: &ValuesRule,
) -> Result<Looked, PlanError> {
    let mut finder = Finder { place, mover, rule, found: Vec::new(), looked: Looked::default() };
    match &rule.file {
        ValuesFile::File(name) => {
            let file = file_of(place, name)?;
            let Some(bytes) = read(place.tree, &file)? else {
                return Ok(Looked { slots: Vec::new(), missing: vec![no_file(&file)] });
            };
            let documents = documents(&file, &bytes)?;
            let mut any = false;
            for doc in Doc::all(&file, &bytes, &documents) {
                any = true;
                finder.document(&doc)?;
            }
            let empty = Node::mapping();
            if !any {
                finder.document(&Doc { file: &file, bytes: &bytes, index: 0, root: &empty })?;
            }
        }
        ValuesFile::Kind(kind) => {
            for scanned in place.files.with(place.tree, place.folder, &[kind])? {
                for doc in Doc::all(&scanned.file, &scanned.bytes, &scanned.documents) {
                    if doc.kind() == kind {
                        finder.document(&doc)?;
                    }
                }
            }
        }
    }
    let mut looked = finder.looked;
    looked.slots = named(finder.found)?;
    if !looked.slots.is_empty() {
        // Of several objects, those without the key have nothing to move.
        looked.missing.clear();
    }
    Ok(looked)
}

struct Finder<'a> {
    place: &'a Place<'a>,
    mover: usize,
    rule: &'a ValuesRule,
    found: Vec<(String, Slot)>,
    looked: Looked,
}

impl Finder<'_> {
    fn document(&mut self, doc: &Doc<'_>) -> Result<(), PlanError> {
        match doc.kind() {
            "HelmRelease" => {
                let Some(holder) = doc.root.at_path(&["spec", "values"]) else {
                    let reason = "it has no `spec.values`".to_owned();
                    self.looked.missing.push(doc.missing(doc.root, reason));
                    return Ok(());
                };
                self.below(doc, holder, keys(&["spec", "values"]), "")
            }
            "Application" | "ApplicationSet" => self.argo(doc),
            _ => self.below(doc, doc.root, Vec::new(), ""),
        }
    }

    /// What Argo CD gives to Helm: `parameters` decide, then `valuesObject`,
    /// then `values`, which is a text (argo-cd `util/argo` and `reposerver`).
    fn argo(&mut self, doc: &Doc<'_>) -> Result<(), PlanError> {
        let sources = argo_sources(doc);
        for (number, (above, source)) in sources.iter().enumerate() {
            let Some(helm) = source.get("helm") else { continue };
            let step = |below: &[&str]| -> Vec<Step> {
                above.iter().cloned().chain(keys(&["helm"])).chain(keys(below)).collect()
            };
            let place = source_name(&sources, number);
            let key = self.rule.key.of_app(self.place.app);
            let parameters = helm.get("parameters").map_or(&[][..], Node::items);
            let set = parameters
                .iter()
                .position(|item| item.get("name").and_then(Node::text) == Some(&*key));
            if let Some(index) = set {
                let mut steps = step(&["parameters"]);
                steps.push(Step::Item(index));
                let value = parameters[index].get("value");
                match value {
                    Some(node) => {
                        steps.push(Step::Key("value".to_owned()));
                        self.found(doc, steps, node, &place)?;
                    }
                    None => {
                        let reason = format!("parameter `{key}` has no `value`");
                        self.looked.missing.push(doc.missing(&parameters[index], reason));
                    }
                }
            } else if let Some(holder) = helm.get("valuesObject") {
                self.below(doc, holder, step(&["valuesObject"]), &place)?;
            } else if let Some(text) = helm.get("values").filter(|text| !text.is_null()) {
                self.within(doc, text, step(&["values"]), &place)?;
            } else {
                let reason = "it has no `valuesObject`, no `values` and no such parameter";
                self.looked.missing.push(doc.missing(helm, reason.to_owned()));
            }
        }
        Ok(())
    }

    /// A value in a text of values.
    fn within(
        &mut self,
        doc: &Doc<'_>,
        holder: &Node,
        path: Vec<Step>,
        place: &str,
    ) -> Result<(), PlanError> {
        let Some(text) = holder.text() else {
            let reason = "its `values` are no text".to_owned();
            self.looked.missing.push(doc.missing(holder, reason));
            return Ok(());
        };
        let read = gitops_yaml::read(FileId(0), text.as_bytes());
        let documents = match read {
            Ok(documents) if documents.len() <= 1 => documents,
            Ok(_) => {
                let reason = "its `values` are several documents".to_owned();
                self.looked.missing.push(doc.missing(holder, reason));
                return Ok(());
            }
            Err(error) => {
                let reason = format!("its `values` are no YAML: {error}");
                self.looked.missing.push(doc.missing(holder, reason));
                return Ok(());
            }
        };
        let empty = Node::mapping();
        let root = documents.first().and_then(|document| document.root.as_ref());
        let inner =
            Doc { file: doc.file, bytes: text.as_bytes(), index: 0, root: root.unwrap_or(&empty) };
        let (short, id) = self.id(doc, place);
        let names = self.rule.key.names(self.place.app);
        let mut slot = match self.rule.key.find(inner.root, self.place.app) {
            Ok((steps, node)) => inner.slot(id, Moved::Value, short.clone(), names, steps, node)?,
            Err(miss) if self.rule.create && !miss.missing.is_empty() => {
                inner.absent(id, short.clone(), names, miss)
            }
            Err(miss) => {
                let mut missing = doc.missing(holder, miss.reason);
                missing.at.line = line_within(holder, (miss.line > 0).then_some(miss.line));
                self.looked.missing.push(missing);
                return Ok(());
            }
        };
        slot.source = Source { line: line_within(holder, slot.source.line), ..doc.source(holder) };
        slot.spot = Spot::Within { document: doc.index, path, inside: Box::new(slot.spot) };
        self.found.push((short, slot));
        Ok(())
    }

    fn below(
        &mut self,
        doc: &Doc<'_>,
        holder: &Node,
        above: Vec<Step>,
        place: &str,
    ) -> Result<(), PlanError> {
        match self.rule.key.find(holder, self.place.app) {
            Ok((steps, node)) => {
                self.found(doc, above.into_iter().chain(steps).collect(), node, place)
            }
            Err(miss) if self.rule.create && !miss.missing.is_empty() => {
                let above = above.into_iter().chain(miss.above).collect();
                let (short, id) = self.id(doc, place);
                let names = self.rule.key.names(self.place.app);
                let slot = doc.absent(id, short.clone(), names, Miss { above, ..miss });
                self.found.push((short, slot));
                Ok(())
            }
            Err(miss) => {
                let mut missing = doc.missing(holder, miss.reason);
                missing.at.line = (miss.line > 0).then_some(miss.line);
                self.looked.missing.push(missing);
                Ok(())
            }
        }
    }

    fn found(
        &mut self,
        doc: &Doc<'_>,
        steps: Vec<Step>,
        node: &Node,
        place: &str,
    ) -> Result<(), PlanError> {
        let (short, id) = self.id(doc, place);
        let names = self.rule.key.names(self.place.app);
        let slot = doc.slot(id, Moved::Value, short.clone(), names, steps, node)?;
        self.found.push((short, slot));
        Ok(())
    }

    fn id(&self, doc: &Doc<'_>, place: &str) -> (String, SlotId) {
        let short = self.rule.key.of_app(self.place.app);
        let long = format!("{short} in {}{place}", doc.identity(self.place.environment));
        (short, SlotId { mover: self.mover, place: long })
    }
}

/// The apps that the rule's file or key names in a shared folder.
pub(super) fn apps(
    tree: &dyn Tree,
    folder: &TreePath,
    rule: &ValuesRule,
) -> Result<Vec<String>, PlanError> {
    let key = |key: &ValuePath| key.uses_app().then(|| key.clone());
    match &rule.file {
        ValuesFile::File(file) => value::apps(tree, folder, file, key(&rule.key).as_ref()),
        ValuesFile::Kind(_) => Ok(Vec::new()),
    }
}

/// Values files that the objects of a folder name.
pub(crate) struct ValueFiles {
    /// By paths, from the folder.
    pub(crate) files: Vec<String>,
    /// By the names of ConfigMaps and Secrets.
    pub(crate) from_maps: Vec<String>,
}

/// The `valueFiles` of Argo CD's sources and the `valuesFrom` of Flux's
/// HelmReleases in a folder.
///
/// # Errors
///
/// When a file cannot be read.
pub(crate) fn value_files(
    tree: &dyn Tree,
    folder: &TreePath,
    files: &super::Files,
) -> Result<ValueFiles, PlanError> {
    let mut found = ValueFiles { files: Vec::new(), from_maps: Vec::new() };
    for scanned in files.with(tree, folder, &["valueFiles", "valuesFrom"])? {
        for doc in Doc::all(&scanned.file, &scanned.bytes, &scanned.documents) {
            for (_, source) in argo_sources(&doc) {
                let own = source.get("path").and_then(Node::text).unwrap_or_default();
                let list = source.at_path(&["helm", "valueFiles"]).map_or(&[][..], Node::items);
                for name in list.iter().filter_map(Node::text) {
                    // `$values/x` is from the root of another source, and a
                    // path from that of the source.
                    let whole = match name.strip_prefix('$').and_then(|rest| rest.split_once('/')) {
                        Some((_, rest)) => rest.to_owned(),
                        None if own.is_empty() => name.to_owned(),
                        None => format!("{own}/{name}"),
                    };
                    let from_root = TreePath::new(&whole).ok();
                    let below = from_root.as_ref().and_then(|file| {
                        file.is_within(folder).then(|| {
                            file.as_str()[folder.as_str().len()..]
                                .trim_start_matches('/')
                                .to_owned()
                        })
                    });
                    found.files.extend(below);
                }
            }
            if doc.kind() == "HelmRelease" {
                let list = doc.root.at_path(&["spec", "valuesFrom"]).map_or(&[][..], Node::items);
                let names = list.iter().filter_map(|item| item.get("name").and_then(Node::text));
                found.from_maps.extend(names.map(str::to_owned));
            }
        }
    }
    Ok(found)
}
