//! `chart:`, the version of a Helm chart, wherever it is asked for: a
//! dependency in Chart.yaml, Flux's HelmRelease and HelmChart, the OCIRepository
//! that a HelmRelease follows, Argo CD's sources, kustomize's `helmCharts`.

use gitops_tree::{Tree, TreePath};
use gitops_yaml::{Node, Step, Value};

use crate::judge::Moved;

use super::super::apps::KUSTOMIZATION_FILES;
use super::super::error::PlanError;
use super::super::rules::ChartRule;
use super::super::slot::{Slot, SlotId};
use super::scan::{Files, Scanned};
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
    let all = place.files.with(place.tree, place.folder, &["chartRef", "OCIRepository", &chart])?;
    for scanned in &all {
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
    followed(place, mover, &chart, &all, &mut found, &mut looked)?;
    looked.slots = named(found)?;
    Ok(looked)
}

/// What Flux's HelmReleases follow by `spec.chartRef`: an OCIRepository, whose
/// `spec.ref` holds the chart's version. A HelmChart has a version of its own,
/// and is found as such.
fn followed(
    place: &Place<'_>,
    mover: usize,
    chart: &str,
    all: &[Scanned],
    found: &mut Vec<(String, Slot)>,
    looked: &mut Looked,
) -> Result<(), PlanError> {
    let docs: Vec<Doc<'_>> = all
        .iter()
        .flat_map(|scanned| Doc::all(&scanned.file, &scanned.bytes, &scanned.documents))
        .collect();
    let mut seen: Vec<(&TreePath, usize)> = Vec::new();
    for release in docs.iter().filter(|doc| doc.kind() == "HelmRelease") {
        let Some(follows) = release.root.at_path(&["spec", "chartRef"]) else { continue };
        let text = |key: &str| follows.get(key).and_then(Node::text).unwrap_or_default();
        let (kind, name) = (text("kind"), text("name"));
        let namespace = match text("namespace") {
            "" => namespace(release),
            own => own,
        };
        let targets: Vec<&Doc<'_>> = docs
            .iter()
            .filter(|doc| doc.kind() == kind && doc.name() == name)
            .filter(|doc| {
                let own = self::namespace(doc);
                own.is_empty() || namespace.is_empty() || own == namespace
            })
            .collect();
        let meant = name == chart || release.name() == chart;
        match targets.as_slice() {
            [] if meant => {
                let reason = format!(
                    "its `spec.chartRef` names {kind}/{name}, and no file below `{}` holds that",
                    place.folder
                );
                looked.missing.push(release.missing(follows, reason));
            }
            [] => {}
            [target] => {
                let of = repository_chart(target);
                let ours = of == Some(chart) || of.is_none_or(|_| meant);
                let place_of = (target.file, target.index);
                if kind != "OCIRepository" || !ours || seen.contains(&place_of) {
                    continue;
                }
                seen.push(place_of);
                match oci(target) {
                    Ok((key, node)) => {
                        let steps = keys(&["spec", "ref", key]);
                        let names = steps.iter().map(Step::to_string).collect();
                        let short = match key {
                            "tag" => chart.to_owned(),
                            key => format!("{chart} {key}"),
                        };
                        let long = format!("{short} in {}", target.identity(place.environment));
                        let id = SlotId { mover, place: long };
                        let what = Moved::ChartVersion;
                        let slot = target.slot(id, what, chart.to_owned(), names, steps, node)?;
                        found.push((short, slot));
                    }
                    Err(reason) => looked.missing.push(target.missing(target.root, reason)),
                }
            }
            [first, second, ..] => {
                if meant || targets.iter().any(|target| repository_chart(target) == Some(chart)) {
                    return Err(PlanError::TwoPlaces {
                        name: format!("{kind}/{name}"),
                        first: Box::new(first.source(first.root)),
                        second: Box::new(second.source(second.root)),
                    });
                }
            }
        }
    }
    Ok(())
}

fn namespace<'a>(doc: &Doc<'a>) -> &'a str {
    doc.root.at_path(&["metadata", "namespace"]).and_then(Node::text).unwrap_or_default()
}

/// The chart that an OCIRepository is of: the last part of its URL.
fn repository_chart<'a>(doc: &Doc<'a>) -> Option<&'a str> {
    let url = doc.root.at_path(&["spec", "url"]).and_then(Node::text)?;
    url.trim_end_matches('/').rsplit('/').next()
}

/// The version in the `ref` of an OCIRepository; a digest decides before a
/// range, and a range before a tag (fluxcd/source-controller,
/// `api/v1/ocirepository_types.go`).
fn oci<'a>(doc: &Doc<'a>) -> Result<(&'static str, &'a Node), String> {
    let of = |key: &str| doc.root.at_path(&["spec", "ref", key]).filter(|node| !node.is_null());
    if of("digest").is_some() {
        return Err("its `spec.ref.digest` decides; move it by `ref`, or take it out".to_owned());
    }
    let found = ["semver", "tag"].into_iter().find_map(|key| Some((key, of(key)?)));
    found.ok_or_else(|| "its `spec.ref` has neither `tag` nor `semver`".to_owned())
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
    let (mut followed_names, mut repositories) = (Vec::new(), Vec::new());
    let needles = ["chart", "dependencies", "helmCharts", "OCIRepository"];
    for scanned in Files::default().with(tree, folder, &needles)? {
        for doc in Doc::all(&scanned.file, &scanned.bytes, &scanned.documents) {
            apps.extend(uses(&doc).iter().filter_map(|used| rule.name.app_of(used.chart)));
            if let ("HelmRelease", Some(name)) =
                (doc.kind(), doc.root.at_path(&["spec", "chartRef", "name"]).and_then(Node::text))
            {
                followed_names.push(name.to_owned());
            }
            if doc.kind() == "OCIRepository" {
                let chart = repository_chart(&doc).unwrap_or_else(|| doc.name());
                repositories.push((doc.name().to_owned(), chart.to_owned()));
            }
        }
    }
    let followed = repositories.iter().filter(|(name, _)| followed_names.contains(name));
    apps.extend(followed.filter_map(|(_, chart)| rule.name.app_of(chart)));
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
            let sources = argo_sources(doc);
            for (number, (above, holder)) in sources.iter().enumerate() {
                if let Some(chart) = holder.get("chart").and_then(Node::text) {
                    let (above, place) = (above.clone(), source_name(&sources, number));
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

/// What one source of several is called in every environment: by its `name`, its
/// chart, or what its repository is called; nothing where there is one. Those
/// that share a name are counted.
pub(super) fn source_name(sources: &[(Vec<Step>, &Node)], number: usize) -> String {
    if sources.len() < 2 {
        return String::new();
    }
    let name = |(_, source): &(Vec<Step>, &Node)| -> String {
        let of = |key: &str| source.get(key).and_then(Node::text).filter(|text| !text.is_empty());
        let release = source.at_path(&["helm", "releaseName"]).and_then(Node::text);
        match (of("name"), release, of("chart"), of("repoURL")) {
            (Some(name), ..) => format!(" source {name}"),
            (_, Some(release), ..) => format!(" release {release}"),
            (_, _, Some(chart), _) => format!(" chart {chart}"),
            (_, _, _, Some(url)) => {
                let path = of("path").map(|path| format!(" {path}")).unwrap_or_default();
                let url = url.trim_end_matches('/').trim_end_matches(".git");
                format!(" of {}{path}", url.rsplit('/').next().unwrap_or_default())
            }
            _ => " source".to_owned(),
        }
    };
    let own = name(&sources[number]);
    let before = sources[..number].iter().filter(|other| name(other) == own).count();
    if before == 0 { own } else { format!("{own} {}", before + 1) }
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
