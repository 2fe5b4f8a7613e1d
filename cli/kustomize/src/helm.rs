//! `helmCharts`: what kustomize would run `helm template` for.
//!
//! Rules from kustomize v5.8: api/types/helmchartargs.go and
//! api/internal/builtins/HelmChartInflationGenerator.go.

use gitops_tree::TreePath;
use gitops_yaml::{Dialect, Mark, Node, Value};

use crate::decode::{Decode, join};
use crate::error::{BuildError, Place, Several};
use crate::files::Files;
use crate::resource::{Object, child_mapping};
use crate::schema::Schema;
use crate::supply::{Chart, Need};
use crate::{documents, objects};

/// Says that Helm made an object; taken out at the end.
const MADE_BY_HELM: &str = "internal.config.kubernetes.io/helm-generated";

/// A chart, and where it is named.
pub(crate) struct Entry {
    pub(crate) chart: Chart,
    pub(crate) mark: Mark,
    /// Files that it names, to be read for their errors.
    pub(crate) files: Vec<Node>,
}

/// `helmGlobals`.
#[derive(Default)]
pub(crate) struct Globals {
    pub(crate) home: String,
    pub(crate) config_home: String,
}

impl Globals {
    /// A chart of the kustomization in `root`, with what goes for all charts.
    pub(crate) fn complete(&self, mut chart: Chart, root: &TreePath) -> Chart {
        chart.dir = root.clone();
        chart.home = if self.home.is_empty() { "charts" } else { &self.home }.to_owned();
        chart.config_home.clone_from(&self.config_home);
        chart
    }
}

const CHART: &[&str] = &[
    "name",
    "version",
    "repo",
    "releaseName",
    "namespace",
    "additionalValuesFiles",
    "valuesFile",
    "valuesInline",
    "valuesMerge",
    "includeCRDs",
    "skipHooks",
    "apiVersions",
    "kubeVersion",
    "nameTemplate",
    "skipTests",
    "debug",
    "devel",
];

/// Reads `helmGlobals`.
pub(crate) fn read_globals(
    decode: Decode<'_>,
    node: &Node,
    at: &str,
) -> Result<Globals, BuildError> {
    let mut globals = Globals::default();
    for (name, _, value) in decode.fields(node, at, &["chartHome", "configHome"])? {
        let text = decode.string(value, &join(at, name))?.to_owned();
        *if name == "chartHome" { &mut globals.home } else { &mut globals.config_home } = text;
    }
    Ok(globals)
}

/// Reads an entry of `helmCharts`.
pub(crate) fn read_chart(decode: Decode<'_>, node: &Node, at: &str) -> Result<Entry, BuildError> {
    let mut chart = Chart::default();
    let mut named = Vec::new();
    for (name, _, value) in decode.fields(node, at, CHART)? {
        let field = join(at, name);
        match name {
            "includeCRDs" => chart.include_crds = decode.boolean(value, &field)?,
            "skipHooks" => chart.skip_hooks = decode.boolean(value, &field)?,
            "skipTests" => chart.skip_tests = decode.boolean(value, &field)?,
            "debug" => chart.debug = decode.boolean(value, &field)?,
            "devel" => chart.devel = decode.boolean(value, &field)?,
            "valuesInline" => chart.values_inline = read_values(decode, value, &field)?,
            "additionalValuesFiles" => {
                let files = decode.strings(value, &field)?;
                chart.additional_values_files = texts(&files);
                named.extend(files);
            }
            "apiVersions" => chart.api_versions = texts(&decode.strings(value, &field)?),
            "valuesFile" => {
                chart.values_file = decode.string(value, &field)?.to_owned();
                named.extend((!chart.values_file.is_empty()).then(|| value.clone()));
            }
            name => {
                let text = decode.string(value, &field)?.to_owned();
                *match name {
                    "name" => &mut chart.name,
                    "version" => &mut chart.version,
                    "repo" => &mut chart.repo,
                    "releaseName" => &mut chart.release_name,
                    "namespace" => &mut chart.namespace,
                    "valuesMerge" => &mut chart.values_merge,
                    "kubeVersion" => &mut chart.kube_version,
                    _ => &mut chart.name_template,
                } = text;
            }
        }
    }
    finish(decode, node, at, chart, named)
}

/// Reads an entry of `helmChartInflationGenerator`, with what it says for all
/// charts.
pub(crate) fn read_legacy(
    decode: Decode<'_>,
    node: &Node,
    at: &str,
) -> Result<(Entry, Globals), BuildError> {
    let known = [
        "chartName",
        "chartVersion",
        "chartRepoUrl",
        "chartHome",
        "chartRepoName",
        "helmBin",
        "helmHome",
        "values",
        "valuesLocal",
        "valuesMerge",
        "releaseName",
        "releaseNamespace",
        "extraArgs",
    ];
    let (mut chart, mut globals) = (Chart::default(), Globals::default());
    let mut named = Vec::new();
    for (name, _, value) in decode.fields(node, at, &known)? {
        let field = join(at, name);
        if name == "valuesLocal" {
            chart.values_inline = read_values(decode, value, &field)?;
            continue;
        }
        if name == "extraArgs" {
            decode.strings(value, &field)?;
            continue;
        }
        let text = decode.string(value, &field)?.to_owned();
        match name {
            "chartName" => chart.name = text,
            "chartVersion" => chart.version = text,
            "chartRepoUrl" => chart.repo = text,
            "chartHome" => globals.home = text,
            "helmHome" => globals.config_home = text,
            "values" => {
                named.extend((!text.is_empty()).then(|| value.clone()));
                chart.values_file = text;
            }
            "valuesMerge" => chart.values_merge = text,
            "releaseName" => chart.release_name = text,
            // kustomize reads these and does nothing with them.
            _ => {}
        }
    }
    Ok((finish(decode, node, at, chart, named)?, globals))
}

fn finish(
    decode: Decode<'_>,
    node: &Node,
    at: &str,
    mut chart: Chart,
    files: Vec<Node>,
) -> Result<Entry, BuildError> {
    let fail = |message: String| BuildError::Invalid { place: decode.place(node.mark), message };
    if chart.name.is_empty() {
        return Err(fail(format!("`{at}` needs the `name` of a chart")));
    }
    match chart.values_merge.as_str() {
        "" => chart.values_merge = "override".to_owned(),
        "merge" | "override" | "replace" => {}
        other => {
            return Err(fail(format!(
                "`valuesMerge` is `{other}`, expected override, merge or replace"
            )));
        }
    }
    Ok(Entry { chart, mark: node.mark, files })
}

fn texts(nodes: &[Node]) -> Vec<String> {
    nodes.iter().map(|node| node.text().unwrap_or_default().to_owned()).collect()
}

fn read_values(decode: Decode<'_>, node: &Node, field: &str) -> Result<Option<String>, BuildError> {
    if !node.is_mapping() {
        return Err(decode.wrong(node, field, "a mapping"));
    }
    Ok((!node.entries().is_empty()).then(|| gitops_yaml::write(node)))
}

/// The objects of a chart.
pub(crate) fn generate(
    files: &mut Files<'_>,
    root: &TreePath,
    kustomization: &TreePath,
    schema: &Schema,
    entry: &Entry,
    chart: Chart,
) -> Result<Vec<Object>, Several> {
    let whole = Place::file(kustomization.clone());
    let mut errors = Vec::new();
    for named in &entry.files {
        let reference = files.reference(named, kustomization);
        errors.extend(files.load(root, &reference).err());
    }
    let place = files.place(&Node::string("").at(entry.mark), &whole);
    let text = match files.manifests(Need::Helm(Box::new(chart)), &place) {
        Ok(text) => text,
        Err(error) => {
            errors.push(error);
            return Err(Several(errors));
        }
    };
    if !errors.is_empty() {
        return Err(Several(errors));
    }
    let mut made = read(text, &place, entry.mark, schema)?;
    for object in &mut made {
        object.generated = true;
        let mark = entry.mark;
        child_mapping(object.metadata_mut(), "annotations")
            .set(MADE_BY_HELM, Node::string("true").at(mark));
    }
    Ok(made)
}

/// The objects of manifests that a program wrote: they stand where the program
/// is named. What is wrong with them is said without their content.
pub(crate) fn read(
    text: &str,
    place: &Place,
    mark: Mark,
    schema: &Schema,
) -> Result<Vec<Object>, Several> {
    let wrong = |line: Option<u32>, message: String| {
        let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
        BuildError::Invalid {
            place: place.clone(),
            message: format!("in the output{line}: {message}"),
        }
    };
    let said = |error: BuildError| match error {
        BuildError::Yaml { place, message } => wrong(place.line, message),
        BuildError::Object { place, message, .. } => wrong(place.line, message),
        other => other,
    };
    let mut documents =
        documents::parse(&place.path, mark.file, text.as_bytes(), Dialect::Manifest)
            .map_err(said)?;
    for document in &mut documents {
        remark(document, mark);
    }
    objects::from_documents(documents, &place.path, schema)
        .map_err(|Several(errors)| Several(errors.into_iter().map(said).collect()))
}

fn remark(node: &mut Node, mark: Mark) {
    node.mark = mark;
    match &mut node.value {
        Value::Scalar(_) => {}
        Value::Sequence(items) => items.iter_mut().for_each(|item| remark(item, mark)),
        Value::Mapping(entries) => {
            for (key, value) in entries {
                remark(key, mark);
                remark(value, mark);
            }
        }
    }
}
