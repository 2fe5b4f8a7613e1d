//! `generators` and `transformers`: kustomize's built-in plugins, configured
//! by objects of their own.
//!
//! Kinds from kustomize v5.8, api/internal/plugins/builtinhelpers. Plugins of
//! the user's own (programs, containers) are not run: their output is needed.

use gitops_yaml::{Mark, Node, Tag, Value};

use crate::decode::{Decode, join};
use crate::error::{BuildError, Several};
use crate::fieldspec::{Create, FieldSpec, set_untyped, type_of};
use crate::files::Files;
use crate::generate::{self, Kind};
use crate::id::Gvk;
use crate::kustomization::{
    self, GeneratorOptions, read_field_spec, read_image, read_patch, read_replica, read_selector,
};
use crate::limits::MAX_PATH;
use crate::patch::{self, Home, Targets};
use crate::resource::{Object, child_mapping, raw};
use crate::select::Matcher;
use crate::set::{Set, field_error};
use crate::supply::FunctionInput;
use crate::touch::How;
use crate::transform::{self, Affix, Subjects};
use crate::{Warning, functions, helm, replacements};

/// A plugin's configuration. Fields that the plugin does not know are passed
/// over, as kustomize does.
struct Plugin<'a> {
    object: &'a Object,
}

impl<'a> Plugin<'a> {
    fn new(object: &'a Object) -> Result<Plugin<'a>, BuildError> {
        let plugin = Plugin { object };
        if object.api_version() == "builtin" { Ok(plugin) } else { Err(plugin.unknown()) }
    }

    fn decode(&self) -> Decode<'a> {
        Decode::plugin(&self.object.place.path)
    }

    fn unknown(&self) -> BuildError {
        BuildError::Invalid {
            place: self.object.place.clone(),
            message: format!(
                "kustomize has no builtin plugin `{}` for this field",
                self.object.kind()
            ),
        }
    }

    fn field(&self, name: &str) -> Option<&'a Node> {
        let entries = self.object.node.entries();
        let named = |(key, _): &&(Node, Node)| {
            key.text().is_some_and(|text| text.eq_ignore_ascii_case(name))
        };
        entries.iter().find(named).map(|(_, value)| value).filter(|node| !node.is_null())
    }

    fn text(&self, name: &str) -> Result<String, BuildError> {
        match self.field(name) {
            Some(node) => Ok(self.decode().string(node, name)?.to_owned()),
            None => Ok(String::new()),
        }
    }

    /// The place of a field; of the plugin where it has none.
    fn mark(&self, name: &str) -> Mark {
        self.field(name).unwrap_or(&self.object.node).mark
    }

    fn specs(&self) -> Result<Vec<FieldSpec>, BuildError> {
        let Some(node) = self.field("fieldSpecs") else { return Ok(Vec::new()) };
        self.decode()
            .list(node, "fieldSpecs")?
            .iter()
            .enumerate()
            .map(|(index, item)| {
                read_field_spec(self.decode(), item, &join("fieldSpecs", &index.to_string()))
            })
            .collect()
    }

    /// A mapping of strings; here numbers and booleans count as strings.
    fn pairs(&self, name: &str) -> Result<Vec<(String, Node)>, BuildError> {
        let Some(node) = self.field(name) else { return Ok(Vec::new()) };
        let mut node = node.clone();
        for (_, value) in node.entries_mut().into_iter().flatten() {
            if let Value::Scalar(scalar) = &mut value.value
                && matches!(scalar.tag, Tag::Bool | Tag::Int | Tag::Float)
            {
                scalar.tag = Tag::Str;
            }
        }
        self.decode().string_map(&node, name)
    }

    /// The object with these fields only.
    fn only(&self, names: &[&str]) -> Node {
        let entries = self
            .object
            .node
            .entries()
            .iter()
            .filter(|(key, _)| {
                let text = key.text().unwrap_or_default();
                names.iter().any(|name| name.eq_ignore_ascii_case(text))
            })
            .cloned()
            .collect();
        Node { value: Value::Mapping(entries), mark: self.object.node.mark }
    }

    fn strings(&self, name: &str) -> Result<Vec<Node>, BuildError> {
        self.field(name).map_or(Ok(Vec::new()), |node| self.decode().strings(node, name))
    }
}

/// Makes the objects of a generator.
pub(crate) fn generate(
    files: &mut Files<'_>,
    home: &Home<'_>,
    object: &Object,
) -> Result<Vec<Object>, Several> {
    if functions::is_function(object) {
        return functions::generate(files, home, object);
    }
    if object.kind() == "HelmChartInflationGenerator" {
        let plugin = Plugin::new(object)?;
        let entry = helm::read_chart(plugin.decode(), &object.node, "generator")?;
        let globals = helm::read_globals(plugin.decode(), &object.node, "generator")?;
        let chart = globals.complete(entry.chart.clone(), home.root);
        return helm::generate(files, home.root, home.path, home.schema, &entry, chart);
    }
    generate_one(files, home, object).map(|one| vec![one])
}

/// Makes the object of a generator that makes one.
fn generate_one(
    files: &mut Files<'_>,
    home: &Home<'_>,
    object: &Object,
) -> Result<Object, Several> {
    let plugin = Plugin::new(object)?;
    let kind = match object.kind() {
        "ConfigMapGenerator" => Kind::ConfigMap,
        "SecretGenerator" => Kind::Secret,
        "IAMPolicyGenerator" => return Ok(service_account(&plugin)?),
        _ => return Err(plugin.unknown().into()),
    };
    let fields = ["namespace", "name", "behavior", "literals", "files", "envs", "options", "type"];
    let node = plugin.only(&fields);
    let mut generator = kustomization::read_secret(plugin.decode(), &node, "generator")?;
    if generator.name.is_empty() {
        generator.name = object.name().to_owned();
    }
    if generator.namespace.is_empty() {
        generator.namespace = object.namespace().to_owned();
    }
    generate::generate(files, home.root, home.path, kind, &generator, &GeneratorOptions::default())
}

/// A service account bound to one of Google's.
///
/// Rules from kustomize v5.8, api/filters/iampolicygenerator, which writes the
/// object as text: a name is typed by what it looks like.
fn service_account(plugin: &Plugin<'_>) -> Result<Object, BuildError> {
    let decode = plugin.decode();
    let fields = |section: &str, names: &[&'static str]| -> Result<Vec<Node>, BuildError> {
        let mut found = vec![Node::string(""); names.len()];
        if let Some(node) = plugin.field(section) {
            for (name, _, value) in decode.fields(node, section, names)? {
                decode.string(value, &join(section, name))?;
                if let Some(slot) = names.iter().position(|own| *own == name) {
                    found[slot] = value.clone();
                }
            }
        }
        Ok(found)
    };
    let cloud = plugin.text("cloud")?;
    if cloud != "gke" {
        return Err(BuildError::Invalid {
            place: plugin.object.place.clone(),
            message: format!("`cloud` is `{cloud}`, expected gke"),
        });
    }
    let own = fields("kubernetesService", &["name", "namespace"])?;
    let bound = fields("serviceAccount", &["name", "projectId"])?;
    let typed = |node: &Node| Node::scalar(raw(node), type_of(raw(node))).at(node.mark);
    let mark = plugin.object.node.mark;
    let mut node = Node::mapping().at(mark);
    node.set("apiVersion", Node::string("v1").at(mark));
    node.set("kind", Node::string("ServiceAccount").at(mark));
    let metadata = child_mapping(&mut node, "metadata");
    let account = format!("{}@{}.iam.gserviceaccount.com", raw(&bound[0]), raw(&bound[1]));
    child_mapping(metadata, "annotations")
        .set("iam.gke.io/gcp-service-account", Node::string(account).at(bound[0].mark));
    metadata.set("name", typed(&own[0]));
    if !raw(&own[1]).is_empty() {
        metadata.set("namespace", typed(&own[1]));
    }
    let mut object = Object::new(node, plugin.object.place.clone(), 1);
    object.generated = true;
    Ok(object)
}

/// Fails where there is no such transformer.
pub(crate) fn check(object: &Object) -> Result<(), BuildError> {
    const KINDS: &[&str] = &[
        "AnnotationsTransformer",
        "HashTransformer",
        "ImageTagTransformer",
        "LabelTransformer",
        "NamespaceTransformer",
        "PatchJson6902Transformer",
        "PatchStrategicMergeTransformer",
        "PatchTransformer",
        "PrefixSuffixTransformer",
        "PrefixTransformer",
        "ReplacementTransformer",
        "ReplicaCountTransformer",
        "SuffixTransformer",
        "ValueAddTransformer",
    ];
    if functions::is_function(object) {
        let need = functions::need(object, FunctionInput::Pending);
        return Err(BuildError::Needs { place: object.place.clone(), need });
    }
    let plugin = Plugin::new(object)?;
    if KINDS.contains(&object.kind()) { Ok(()) } else { Err(plugin.unknown()) }
}

/// Carries a transformer out.
pub(crate) fn transform(
    set: &mut Set,
    files: &mut Files<'_>,
    home: &Home<'_>,
    object: &Object,
    warnings: &mut Vec<Warning>,
) -> Result<(), Several> {
    if functions::is_function(object) {
        return functions::transform(set, files, home, object);
    }
    match object.kind() {
        "PatchTransformer" => {
            let plugin = Plugin::new(object)?;
            let node = plugin.only(&["path", "patch", "target", "options"]);
            let entry = read_patch(plugin.decode(), &node, "")?;
            patch::apply(set, &mut Targets::default(), files, home, &entry, warnings)
        }
        "PatchStrategicMergeTransformer" => {
            let plugin = Plugin::new(object)?;
            let mut entries = plugin.strings("paths")?;
            entries.extend(plugin.field("patches").cloned());
            if entries.is_empty() {
                return Err(BuildError::Patch {
                    place: object.place.clone(),
                    message: "a PatchStrategicMergeTransformer needs `paths` or `patches`"
                        .to_owned(),
                }
                .into());
            }
            patch::apply_strategic_entries(set, &mut Targets::default(), files, home, &entries)
        }
        _ => Ok(transform_fields(set, files, home, object, warnings)?),
    }
}

/// Carries out a transformer that is no strategic merge patch.
fn transform_fields(
    set: &mut Set,
    files: &mut Files<'_>,
    home: &Home<'_>,
    object: &Object,
    warnings: &mut Vec<Warning>,
) -> Result<(), BuildError> {
    let plugin = Plugin::new(object)?;
    let decode = plugin.decode();
    let place = &object.place;
    match object.kind() {
        "NamespaceTransformer" => {
            let subjects = match plugin.text("setRoleBindingSubjects")?.as_str() {
                "" | "defaultOnly" => Subjects::Default,
                "allServiceAccounts" => Subjects::ServiceAccounts,
                "none" => Subjects::None,
                other => {
                    return Err(BuildError::Invalid {
                        place: place.clone(),
                        message: format!(
                            "`setRoleBindingSubjects` is `{other}`, expected defaultOnly, allServiceAccounts or none"
                        ),
                    });
                }
            };
            let unset_only = match plugin.field("unsetOnly") {
                Some(node) => decode.boolean(node, "unsetOnly")?,
                None => false,
            };
            match object.node.at_path(&["metadata", "namespace"]) {
                Some(namespace) if !object.namespace().is_empty() => {
                    transform::namespace(set, namespace, &plugin.specs()?, subjects, unset_only)
                }
                _ => Ok(()),
            }
        }
        kind @ ("PrefixTransformer" | "SuffixTransformer" | "PrefixSuffixTransformer") => {
            if plugin.field("fieldSpecs").is_none() {
                return Err(BuildError::Invalid {
                    place: place.clone(),
                    message: format!("a {kind} needs `fieldSpecs`"),
                });
            }
            let specs = plugin.specs()?;
            if kind != "SuffixTransformer" {
                let prefix = plugin.text("prefix")?;
                transform::affix(set, (&prefix, plugin.mark("prefix")), Affix::Prefix, &specs)?;
            }
            if kind != "PrefixTransformer" {
                let suffix = plugin.text("suffix")?;
                transform::affix(set, (&suffix, plugin.mark("suffix")), Affix::Suffix, &specs)?;
            }
            Ok(())
        }
        "LabelTransformer" => {
            transform::pairs(set, &plugin.pairs("labels")?, &plugin.specs()?, "labels")
        }
        "AnnotationsTransformer" => {
            transform::pairs(set, &plugin.pairs("annotations")?, &plugin.specs()?, "annotations")
        }
        "ImageTagTransformer" => match plugin.field("imageTag") {
            Some(node) => {
                let image = read_image(decode, node, "imageTag")?;
                let images = std::slice::from_ref(&image);
                transform::images(set, images, &plugin.specs()?, &|_| place.clone())
            }
            None => Ok(()),
        },
        "ReplicaCountTransformer" => match plugin.field("replica") {
            Some(node) => {
                let replica = read_replica(decode, node, "replica")?;
                transform::replicas(set, &replica, &plugin.specs()?, place)
            }
            None => Ok(()),
        },
        "PatchJson6902Transformer" => {
            let mut node = plugin.only(&["path", "target"]);
            if let Some(operations) = plugin.field("jsonOp") {
                node.set("patch", operations.clone());
            }
            let entry = read_patch(decode, &node, "")?;
            patch::apply_json_entry(set, &mut Targets::default(), files, home, &entry, warnings)
        }
        "HashTransformer" => generate::add_hashes(&mut set.objects),
        "ReplacementTransformer" => {
            let entries = match plugin.field("replacements") {
                Some(node) => decode.list(node, "replacements")?,
                None => &[],
            };
            let replacements = replacements::read(files, home, entries)?;
            replacements::apply(set, &replacements)
        }
        "ValueAddTransformer" => add_value(set, files, home, &plugin),
        _ => Err(plugin.unknown()),
    }
}

/// Where a ValueAddTransformer puts its value.
struct ValueTarget {
    selector: Option<Matcher>,
    /// The field, with `/` between names.
    path: String,
    /// Where in a path that the field holds the value goes, from 1; 0 where it
    /// is the whole field.
    position: usize,
}

/// Puts one value into fields of several objects.
///
/// Rules from kustomize v5.8, api/internal/builtins/ValueAddTransformer.go and
/// api/filters/valueadd.
fn add_value(
    set: &mut Set,
    files: &mut Files<'_>,
    home: &Home<'_>,
    plugin: &Plugin<'_>,
) -> Result<(), BuildError> {
    let mut value = plugin.text("value")?.trim().to_owned();
    if value.is_empty() {
        value = home.root.name().unwrap_or_default().to_owned();
    }
    let mut targets = Vec::new();
    if let Some(node) = plugin.field("targets") {
        read_value_targets(plugin.decode(), node, &mut targets)?;
    }
    if let Some(named) = plugin.field("targetFilePath").filter(|node| !raw(node).is_empty()) {
        plugin.decode().string(named, "targetFilePath")?;
        let (path, bytes) = files.load(home.root, &files.reference(named, home.path))?;
        let decode = Decode::lenient(&path);
        if let Some(document) = files.configuration(&path, &bytes)? {
            for (_, _, node) in decode.fields(&document, "", &["targets"])? {
                read_value_targets(decode, node, &mut targets)?;
            }
        }
    }
    if targets.is_empty() {
        return Err(BuildError::Invalid {
            place: plugin.object.place.clone(),
            message: "a ValueAddTransformer needs `targets`".to_owned(),
        });
    }
    let from = plugin.field("value").unwrap_or(&plugin.object.node);
    for target in &targets {
        for object in &mut set.objects {
            if !target.selector.as_ref().is_none_or(|selector| selector.matches(object)) {
                continue;
            }
            if target.path == "metadata/namespace" {
                transform::namespace_of(object, &Node::string(value.as_str()).at(from.mark))?;
                object.touch(from.mark, How::Field("namespace"));
                continue;
            }
            let spec =
                FieldSpec { gvk: Gvk::default(), path: target.path.clone().into(), create: true };
            object
                .apply(&spec, Create::Scalar, &mut |node: &mut Node| {
                    if !matches!(node.value, Value::Scalar(_)) {
                        return Err("expected a scalar".to_owned());
                    }
                    let text = match target.position {
                        0 => value.clone(),
                        position => insert_part(raw(node), position - 1, &value),
                    };
                    node.mark = from.mark;
                    set_untyped(node, &text)
                })
                .map_err(|problem| field_error(object, problem))?;
            object.touch(from.mark, How::Field("ValueAddTransformer"));
        }
    }
    Ok(())
}

fn read_value_targets(
    decode: Decode<'_>,
    node: &Node,
    targets: &mut Vec<ValueTarget>,
) -> Result<(), BuildError> {
    for (index, item) in decode.list(node, "targets")?.iter().enumerate() {
        let at = format!("targets[{index}]");
        let fail =
            |message: String| BuildError::Invalid { place: decode.place(item.mark), message };
        let mut target = ValueTarget { selector: None, path: String::new(), position: 0 };
        for (name, _, value) in
            decode.fields(item, &at, &["selector", "fieldPath", "filePathPosition"])?
        {
            let field = join(&at, name);
            match name {
                "selector" => {
                    let selector = read_selector(decode, value, &field)?;
                    target.selector = Some(Matcher::new(&selector).map_err(fail)?);
                }
                "fieldPath" => target.path = decode.string(value, &field)?.to_owned(),
                _ => {
                    target.position = raw(value)
                        .parse()
                        .map_err(|_| decode.wrong(value, &field, "a whole number from 0"))?;
                }
            }
        }
        if target.path.is_empty() {
            return Err(fail(format!("`{at}` needs `fieldPath`")));
        }
        if target.path.matches('/').count() > MAX_PATH {
            return Err(fail(format!("the path has more than {MAX_PATH} names")));
        }
        targets.push(target);
    }
    Ok(())
}

/// Puts a name into a path before the part at `position`, or at its end; a
/// leading slash stays where it is.
fn insert_part(path: &str, position: usize, part: &str) -> String {
    let root = if path.starts_with('/') { "/" } else { "" };
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    parts.insert(position.min(parts.len()), part);
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_go_into_paths_where_kustomize_puts_them() {
        let cases = [
            ("", 3, "PEACH"),
            ("/", 3, "/PEACH"),
            ("pie", 0, "PEACH/pie"),
            ("/pie", 0, "/PEACH/pie"),
            ("raw", 1, "raw/PEACH"),
            ("/raw", 1, "/raw/PEACH"),
            ("a/nice/warm/pie", 3, "a/nice/warm/PEACH/pie"),
            ("/a/nice/warm/pie", 3, "/a/nice/warm/PEACH/pie"),
        ];
        for (path, position, expected) in cases {
            assert_eq!(insert_part(path, position, "PEACH"), expected);
        }
    }
}
