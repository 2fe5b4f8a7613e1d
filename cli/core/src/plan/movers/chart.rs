//! `chart:`, the version of a Helm chart, wherever it is asked for: a
//! dependency in Chart.yaml, Flux's HelmRelease and HelmChart, Argo CD's
//! sources, kustomize's `helmCharts`.

use gitops_tree::{Tree, TreePath};
use gitops_yaml::{Node, Step, Value};

use crate::judge::Moved;

use super::super::apps::KUSTOMIZATION_FILES;
use super::super::error::PlanError;
use super::super::rules::ChartRule;
use super::super::slot::SlotId;
use super::scan::Files;
use super::{Doc, Looked, Place, keys, named};

/// A place that names a chart, and where the version stands in it.
struct Use<'a> {
    chart: &'a str,
    /// What holds name and version.
    holder: &'a Node,
    /// The steps to it.
    above: Vec<Step>,
    /// The key of the version.
    key: &'static str,
    /// The kind of place, for names of slots.
    place: String,
}

pub(super) fn look(place: &Place<'_>, mover: usize, rule: &ChartRule) -> Result<Looked, PlanError> {
    let chart = rule.name.with_app(place.app).unwrap_or_default();
    let mut looked = Looked::default();
    let mut found = Vec::new();
    for scanned in place.files.with(place.tree, place.folder, &[&chart])? {
        for doc in Doc::all(&scanned.file, &scanned.bytes, &scanned.documents) {
            for used in uses(&doc).into_iter().filter(|used| used.chart == chart) {
                let Some(node) = used.holder.get(used.key) else {
                    let reason = format!("chart `{chart}` has no `{}` there", used.key);
                    looked.missing.push(doc.missing(used.holder, reason));
                    continue;
                };
                let mut steps = used.above;
                steps.push(Step::Key(used.key.to_owned()));
                let names = steps.iter().map(Step::to_string).collect();
                let long = format!("{chart} in {} {}", doc.identity(place.environment), used.place);
                let id = SlotId { mover, place: long };
                let slot = doc.slot(id, Moved::ChartVersion, chart.clone(), names, steps, node)?;
                found.push((chart.clone(), slot));
            }
        }
    }
    looked.slots = named(found)?;
    Ok(looked)
}

/// The charts that an environment's files name, as far as they fit.
pub(super) fn apps(
    tree: &dyn Tree,
    folder: &TreePath,
    rule: &ChartRule,
) -> Result<Vec<String>, PlanError> {
    if !rule.name.uses("app") {
        return Ok(Vec::new());
    }
    let mut apps = Vec::new();
    for scanned in Files::default().with(tree, folder, &["chart", "dependencies", "helmCharts"])? {
        for doc in Doc::all(&scanned.file, &scanned.bytes, &scanned.documents) {
            apps.extend(uses(&doc).iter().filter_map(|used| rule.name.app_of(used.chart)));
        }
    }
    apps.sort();
    apps.dedup();
    Ok(apps)
}

/// Every use of a chart in a document.
fn uses<'a>(doc: &Doc<'a>) -> Vec<Use<'a>> {
    let mut uses = Vec::new();
    let file = doc.file.name().unwrap_or_default();
    if file == "Chart.yaml" {
        listed(doc.root, "dependencies", "name", &mut uses);
    }
    if KUSTOMIZATION_FILES.contains(&file) {
        listed(doc.root, "helmCharts", "name", &mut uses);
    }
    let mut one = |path: &[&str], name: &str, key| {
        if let Some(holder) = doc.root.at_path(path)
            && let Some(chart) = holder.get(name).and_then(Node::text)
        {
            uses.push(Use { chart, holder, above: keys(path), key, place: String::new() });
        }
    };
    match doc.kind() {
        "HelmRelease" => one(&["spec", "chart", "spec"], "chart", "version"),
        "HelmChart" => one(&["spec"], "chart", "version"),
        _ => {
            for (above, holder) in argo_sources(doc) {
                if let Some(chart) = holder.get("chart").and_then(Node::text) {
                    let place = String::new();
                    uses.push(Use { chart, holder, above, key: "targetRevision", place });
                }
            }
        }
    }
    uses
}

fn listed<'a>(root: &'a Node, list: &str, name: &str, uses: &mut Vec<Use<'a>>) {
    let Some(items) = root.get(list) else { return };
    for (index, item) in items.items().iter().enumerate() {
        let Some(chart) = item.get(name).and_then(Node::text) else { continue };
        // One chart may be there twice, under two names.
        let alias = item.get("alias").or_else(|| item.get("releaseName")).and_then(Node::text);
        uses.push(Use {
            chart,
            holder: item,
            above: vec![Step::Key(list.to_owned()), Step::Item(index)],
            key: "version",
            place: alias.unwrap_or_default().to_owned(),
        });
    }
}

/// The sources of an Argo CD Application or ApplicationSet, with their places.
pub(super) fn argo_sources<'a>(doc: &Doc<'a>) -> Vec<(Vec<Step>, &'a Node)> {
    let spec: &[&str] = match doc.kind() {
        "Application" => &["spec"],
        "ApplicationSet" => &["spec", "template", "spec"],
        _ => return Vec::new(),
    };
    let mut sources = Vec::new();
    let Some(node) = doc.root.at_path(spec) else { return sources };
    if let Some(source) = node.get("source") {
        let mut above = keys(spec);
        above.push(Step::Key("source".to_owned()));
        sources.push((above, source));
    }
    if let Some(Value::Sequence(items)) = node.get("sources").map(|node| &node.value) {
        for (index, source) in items.iter().enumerate() {
            let mut above = keys(spec);
            above.extend([Step::Key("sources".to_owned()), Step::Item(index)]);
            sources.push((above, source));
        }
    }
    sources
}
