//! The transformations of a kustomization's plain fields.
//!
//! Rules from kustomize v5.8, api/filters and api/internal/builtins.

use std::cell::Cell;

use gitops_yaml::{Mark, Node, Style, Tag, Text, Value};
use regex::Regex;

use crate::defaults::Config;
use crate::error::{BuildError, Place};
use crate::fieldspec::{self, Create, FieldSpec, UNTYPED, set_scalar, set_string, set_untyped};
use crate::id::Gvk;
use crate::kustomization::{Image, Labels, Replica};
use crate::parallel;
use crate::resource::{FieldProblem, Object, child_mapping};
use crate::set::{ByType, Set, field_error};
use crate::shared;
use crate::touch::How;

/// Which subjects of role bindings get the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subjects {
    /// Those named `default`.
    Default,
    /// Every service account.
    ServiceAccounts,
    /// None.
    None,
}

/// Puts every object that may have one into `namespace`.
pub(crate) fn namespace(
    set: &mut Set,
    namespace: &Node,
    specs: &[FieldSpec],
    subjects: Subjects,
    unset_only: bool,
) -> Result<(), BuildError> {
    let text = namespace.text().unwrap_or_default();
    let done = Cell::new(false);
    let mut put = |node: &mut Node| {
        if unset_only && node.text().is_some_and(|own| !own.is_empty()) {
            return Ok(());
        }
        done.set(true);
        set_string(node, text, namespace)
    };
    for object in &mut set.objects {
        if object.is_from_helm() {
            continue;
        }
        object.remember_id();
        put_namespace(object, specs, subjects, &mut put)
            .map_err(|problem| field_error(object, problem))?;
        if done.take() {
            object.touch(namespace.mark, How::Field("namespace"));
        }
    }
    set.check_unique()
}

/// Puts one object into `namespace`, whether or not its id changes.
pub(crate) fn namespace_of(object: &mut Object, namespace: &Node) -> Result<(), BuildError> {
    let text = namespace.text().unwrap_or_default();
    put_namespace(object, &[], Subjects::Default, &mut |node| set_string(node, text, namespace))
        .map_err(|problem| field_error(object, problem))
}

fn put_namespace(
    object: &mut Object,
    specs: &[FieldSpec],
    subjects: Subjects,
    put: &mut fieldspec::Set<'_>,
) -> Result<(), FieldProblem> {
    let meta =
        |path: &'static str| FieldSpec { gvk: Gvk::default(), path: path.into(), create: true };
    let gvk = object.gvk();
    if !object.id().is_cluster_scoped() {
        object.apply(&meta("metadata/namespace"), Create::Scalar, put)?;
    }
    let is_binding = matches!(gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding");
    if is_binding {
        put_subjects(&mut object.node, subjects, put)
            .map_err(|message| FieldProblem { field: "subjects".to_owned(), message })?;
    }
    let is_v1 = object.api_version() == "v1";
    for spec in specs {
        let own_business = spec.path == "metadata/namespace"
            || (spec.path == "metadata/name" && !is_v1)
            || (is_binding
                && spec.path == "subjects/namespace"
                && matches!(spec.gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding"));
        if !own_business {
            object.apply(spec, Create::Scalar, put)?;
        }
    }
    Ok(())
}

fn put_subjects(
    object: &mut Node,
    subjects: Subjects,
    put: &mut fieldspec::Set<'_>,
) -> Result<(), String> {
    let (field, wanted) = match subjects {
        Subjects::None => return Ok(()),
        Subjects::Default => ("name", "default"),
        Subjects::ServiceAccounts => ("kind", "ServiceAccount"),
    };
    let Some(list) = object.get_mut("subjects").filter(|node| !node.is_null()) else {
        return Ok(());
    };
    let Some(items) = list.items_mut() else {
        return Err("expected a list".to_owned());
    };
    for subject in items {
        if subject.get(field).and_then(Node::text) == Some(wanted) {
            if subject.get("namespace").is_none() {
                subject.set("namespace", Node::string(""));
            }
            if let Some(node) = subject.get_mut("namespace") {
                put(node)?;
            }
        }
    }
    Ok(())
}

/// Which end of the names is added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Affix {
    Prefix,
    Suffix,
}

/// Adds a prefix or suffix, which stands at `mark`, to names.
pub(crate) fn affix(
    set: &mut Set,
    (text, mark): (&str, Mark),
    which: Affix,
    specs: &[FieldSpec],
) -> Result<(), BuildError> {
    let how = How::Field(match which {
        Affix::Prefix => "namePrefix",
        Affix::Suffix => "nameSuffix",
    });
    for object in &mut set.objects {
        let original = object.original_id();
        let apart = matches!(original.gvk.kind.as_str(), "CustomResourceDefinition" | "Namespace")
            || (original.gvk.kind == "APIService"
                && original.gvk.group == "apiregistration.k8s.io");
        if apart {
            continue;
        }
        for spec in specs {
            if !original.gvk.is_selected_by(&spec.gvk) {
                continue;
            }
            if spec.path == "metadata/name" && !text.is_empty() {
                match which {
                    Affix::Prefix => object.prefixes.push(text.to_owned()),
                    Affix::Suffix => object.suffixes.push(text.to_owned()),
                }
                object.remember_id();
            }
            let mut done = false;
            let result = object.apply(spec, Create::Scalar, &mut |node: &mut Node| {
                let old = crate::resource::raw(node);
                let new = match which {
                    Affix::Prefix => format!("{text}{old}"),
                    Affix::Suffix => format!("{old}{text}"),
                };
                if !text.is_empty() {
                    done = true;
                    node.mark = mark;
                }
                set_untyped(node, &new)
            });
            result.map_err(|problem| field_error(object, problem))?;
            if done {
                object.touch(mark, how);
            }
        }
    }
    Ok(())
}

/// Puts labels or annotations at `specs`.
pub(crate) fn pairs(
    set: &mut Set,
    pairs: &[(String, Node)],
    specs: &[FieldSpec],
    field: &'static str,
) -> Result<(), BuildError> {
    // The place of the first stands for them all.
    let Some(mark) = pairs.first().map(|(_, first)| first.mark) else { return Ok(()) };
    let about = ByType::new(specs, &set.objects);
    let looks = specs.iter().any(|spec| spec.path == "metadata/annotations" && !spec.create);
    parallel::each(&mut set.objects, |index, object| {
        if looks {
            object.show_notes();
        }
        let mut added = 0;
        let mut met = false;
        // Of several pairs that fail, the first object's first one is told.
        about.apply(index, object, Create::Mapping, &mut |node: &mut Node| {
            met = true;
            for (number, (key, value)) in pairs.iter().enumerate() {
                added += u32::from(put_pair(node, key, value, number)?);
            }
            Ok(())
        })?;
        if met {
            object.touch(mark, How::Field(field));
        }
        if added > 0 {
            object.shared.gather(&mut object.node, pairs);
        }
        object.shared.settle(&mut object.node);
        Ok(())
    })
}

/// Sets the pair of a number; `true` where it was not there. A new one is
/// marked to be found again.
fn put_pair(node: &mut Node, key: &str, value: &Node, number: usize) -> Result<bool, String> {
    match &node.value {
        Value::Mapping(_) if matches!(key, "" | "<<") => {
            Err(format!("a label or annotation cannot have the name `{key}`"))
        }
        Value::Mapping(_) => {
            let (own, is_new) = match node.get(key) {
                // Two specs may lead to one place.
                Some(own) if shared::is_added(own.mark) => return Ok(false),
                Some(own) if matches!(own.value, Value::Scalar(_)) => {
                    let mut own = own.clone();
                    set_string(&mut own, crate::resource::raw(value), value)?;
                    (own, false)
                }
                _ => (Node::string(crate::resource::raw(value)).at(shared::added(number)), true),
            };
            crate::fieldspec::put(node, key, own);
            Ok(is_new)
        }
        Value::Scalar(scalar) if scalar.tag == Tag::Null => Ok(false),
        _ => Err("expected a mapping".to_owned()),
    }
}

/// An entry of the `labels` field.
pub(crate) fn labels(
    set: &mut Set,
    entry: &Labels,
    config: &Config,
    place: &Place,
) -> Result<(), BuildError> {
    let mut specs = entry.fields.clone();
    let metadata =
        [FieldSpec { gvk: Gvk::default(), path: "metadata/labels".into(), create: true }];
    let mut merge = |more: &[FieldSpec]| {
        fieldspec::merge(&mut specs, more)
            .map_err(|message| BuildError::Invalid { place: place.clone(), message })
    };
    merge(&config.labels)?;
    if entry.include_selectors {
        merge(&config.common_labels)?;
    } else {
        if entry.include_templates {
            merge(&config.template_labels)?;
        }
        merge(&metadata)?;
    }
    pairs(set, &entry.pairs, &specs, "labels")
}

/// Sets the number of replicas of the objects of one name.
pub(crate) fn replicas(
    set: &mut Set,
    replica: &Replica,
    specs: &[FieldSpec],
    place: &Place,
) -> Result<(), BuildError> {
    let mut found = false;
    let count = crate::resource::raw(&replica.count).to_owned();
    let count = count.parse::<i64>().map_or(count, |number| number.to_string());
    for spec in specs {
        for object in &mut set.objects {
            let matches =
                object.was_ever(&|id| id.name == replica.name && id.gvk.is_selected_by(&spec.gvk));
            if !matches {
                continue;
            }
            found = true;
            let mark = replica.count.mark;
            object
                .apply(spec, Create::Scalar, &mut |node: &mut Node| {
                    let quoted =
                        matches!(&node.value, Value::Scalar(own) if own.style != Style::Plain);
                    set_scalar(node, &count, if quoted { Tag::Str } else { Tag::Int })?;
                    node.mark = mark;
                    Ok(())
                })
                .map_err(|problem| field_error(object, problem))?;
            object.touch(mark, How::Field("replicas"));
        }
    }
    if found {
        return Ok(());
    }
    let kinds: Vec<&str> = specs.iter().map(|spec| spec.gvk.kind.as_str()).collect();
    Err(BuildError::Invalid {
        place: place.clone(),
        message: format!(
            "`replicas` names `{}`, but no {} of that name exists; correct the name or delete the entry",
            replica.name,
            kinds.join(", ")
        ),
    })
}

/// Sets names, tags or digests of images wherever they are used, one image
/// after the other.
pub(crate) fn images(
    set: &mut Set,
    images: &[Image],
    specs: &[FieldSpec],
    place: &dyn Fn(&Image) -> Place,
) -> Result<(), BuildError> {
    let mut patterns = Vec::with_capacity(images.len());
    for image in images {
        let pattern = ImageName::new(&image.name).map_err(|()| BuildError::Invalid {
            place: place(image),
            message: format!("the image name `{}` is no regular expression; escape it", image.name),
        })?;
        patterns.push((image, pattern));
    }
    let about = ByType::new(specs, &set.objects);
    parallel::each(&mut set.objects, |index, object| {
        if object.kind() == "CustomResourceDefinition" {
            return Ok(());
        }
        // Most images are not used by most objects: what an object uses is
        // gathered once, and again only where a change may be a change again.
        let mut used = images_of(object, index, &about)?;
        for (image, pattern) in &patterns {
            if !used.iter().any(|text| pattern.matches(text)) {
                continue;
            }
            let mut update = |node: &mut Node| update_image(node, image, pattern);
            visit_images(object, index, &about, &mut update)?;
            object.touch(setter(image), How::Field("images"));
            let after = |text: &str| match pattern.matches(text) {
                true => with_image(text, image),
                false => text.into(),
            };
            let texts: Vec<Text> = used.iter().map(|text| after(text)).collect();
            // A field may be visited twice.
            let is_settled = texts.iter().all(|text| after(text) == *text);
            used = if is_settled { texts } else { images_of(object, index, &about)? };
        }
        Ok(())
    })
}

/// Runs `visit` on every image of an object.
fn visit_images(
    object: &mut Object,
    index: usize,
    about: &ByType<'_>,
    visit: &mut fieldspec::Set<'_>,
) -> Result<(), BuildError> {
    update_containers(&mut object.node, visit).map_err(|message| {
        field_error(object, FieldProblem { field: "image".to_owned(), message })
    })?;
    about.apply(index, object, Create::Nothing, visit)
}

/// The images of an object, as written.
fn images_of(
    object: &mut Object,
    index: usize,
    about: &ByType<'_>,
) -> Result<Vec<Text>, BuildError> {
    let mut texts = Vec::new();
    visit_images(object, index, about, &mut |node: &mut Node| {
        match &node.value {
            Value::Scalar(scalar) => texts.push(scalar.text.clone()),
            _ => return Err("expected a scalar".to_owned()),
        }
        Ok(())
    })?;
    Ok(texts)
}

/// The name of an image, which is a regular expression, as it is for kustomize.
enum ImageName {
    /// Letters, digits and what is no operator; a dot is any character.
    Plain(String),
    Pattern(Regex),
}

impl ImageName {
    fn new(name: &str) -> Result<ImageName, ()> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:@._-".contains(c);
        if name.chars().all(is_plain) {
            return Ok(ImageName::Plain(name.to_owned()));
        }
        Regex::new(&format!("^{name}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$"))
            .map(ImageName::Pattern)
            .map_err(|_| ())
    }

    /// Whether this is the name in `image`, which may have a tag and a digest.
    fn matches(&self, image: &str) -> bool {
        let name = match self {
            ImageName::Plain(name) => name,
            ImageName::Pattern(pattern) => return pattern.is_match(image),
        };
        let mut rest = image.chars();
        for wanted in name.chars() {
            match rest.next() {
                Some(found) if found == wanted || (wanted == '.' && found != '\n') => {}
                _ => return false,
            }
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_.{}-".contains(c);
        let mut rest = rest.as_str();
        for start in [":", "@sha256:"] {
            if let Some(after) = rest.strip_prefix(start) {
                rest = after.trim_start_matches(is_part);
            }
        }
        rest.is_empty()
    }
}

/// Updates `image` of every item of every list called `containers` or
/// `initContainers`, wherever it stands.
fn update_containers(node: &mut Node, update: &mut fieldspec::Set<'_>) -> Result<(), String> {
    match &mut node.value {
        Value::Scalar(_) => Ok(()),
        Value::Sequence(items) => {
            items.iter_mut().try_for_each(|item| update_containers(item, update))
        }
        Value::Mapping(entries) => {
            for (key, value) in entries {
                update_containers(value, update)?;
                if !matches!(key.text(), Some("containers" | "initContainers")) {
                    continue;
                }
                for container in value.items_mut().into_iter().flatten() {
                    if container.is_null() {
                        continue;
                    }
                    if !container.is_mapping() {
                        return Err("expected a list of mappings".to_owned());
                    }
                    if let Some(image) = container.get_mut("image") {
                        update(image)?;
                    }
                }
            }
            Ok(())
        }
    }
}

/// A null has the text as which it is written. What matches loses its type,
/// even where it stays as it is; patches then take it for a string.
fn update_image(node: &mut Node, image: &Image, pattern: &ImageName) -> Result<(), String> {
    let Value::Scalar(scalar) = &mut node.value else {
        return Err("expected a scalar".to_owned());
    };
    if !pattern.matches(&scalar.text) {
        return Ok(());
    }
    let full = with_image(&scalar.text, image);
    let changed = full != scalar.text;
    if scalar.tag != Tag::Str && scalar.style == UNTYPED {
        scalar.style = Style::Plain;
    }
    let is_plain = scalar.style == Style::Plain;
    if !changed && is_plain && scalar.tag != Tag::Str {
        scalar.style = UNTYPED;
    } else if changed || scalar.tag == Tag::Null {
        set_untyped(node, &full)?;
        if let Value::Scalar(scalar) = &mut node.value
            && is_plain
            && scalar.tag != Tag::Str
        {
            scalar.style = UNTYPED;
        }
    }
    if changed {
        node.mark = setter(image);
    }
    Ok(())
}

/// An image as an entry of `images` has it, whose name it has.
fn with_image(old: &str, image: &Image) -> Text {
    let (name, mut tag, mut digest) = split_image(old);
    let text =
        |node: &Option<Node>| node.as_ref().and_then(Node::text).unwrap_or_default().to_owned();
    let (new_tag, new_digest, suffix) =
        (text(&image.new_tag), text(&image.digest), text(&image.tag_suffix));
    let mut full = if image.new_name.is_some() { text(&image.new_name) } else { name };
    match (new_tag.is_empty(), new_digest.is_empty(), suffix.is_empty()) {
        (false, _, _) | (true, false, _) => {
            tag = new_tag;
            digest = new_digest;
        }
        (true, true, false) => {
            tag.push_str(&suffix);
            digest = String::new();
        }
        (true, true, true) => {}
    }
    if !tag.is_empty() {
        full.push(':');
        full.push_str(&tag);
    }
    if !digest.is_empty() {
        full.push('@');
        full.push_str(&digest);
    }
    full.into()
}

/// The field of an entry that decides what an image becomes.
fn setter(image: &Image) -> Mark {
    let fields = [&image.new_tag, &image.digest, &image.tag_suffix, &image.new_name];
    fields.into_iter().flatten().next().map_or(image.mark, |node| node.mark)
}

/// Name, tag and digest of an image; a colon before the first slash is a port.
fn split_image(image: &str) -> (String, String, String) {
    let start = image.find('/').filter(|slash| *slash > 0).unwrap_or(0);
    let at = image[start..].find('@').map(|index| index + start);
    let colon = image[start..].find(':').map(|index| index + start);
    let without = |text: &str| text[1..].to_owned();
    match (at, colon) {
        (None, None) => (image.to_owned(), String::new(), String::new()),
        (Some(at), colon) if colon.is_none_or(|colon| at < colon) => {
            (image[..at].to_owned(), String::new(), without(&image[at..]))
        }
        (Some(at), Some(colon)) => {
            (image[..colon].to_owned(), without(&image[colon..at]), without(&image[at..]))
        }
        (_, Some(colon)) => (image[..colon].to_owned(), without(&image[colon..]), String::new()),
        (Some(at), None) => (image[..at].to_owned(), String::new(), without(&image[at..])),
    }
}

/// Marks every object as made by kustomize, as the option at `mark` wants it.
pub(crate) fn managed_by(set: &mut Set, mark: Mark) {
    for object in &mut set.objects {
        let labels = child_mapping(object.metadata_mut(), "labels");
        labels.set("app.kubernetes.io/managed-by", Node::string("kustomize-v5.8.1").at(mark));
        object.touch(mark, How::Field("buildMetadata"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_match_as_the_regular_expression_would() {
        let texts = [
            "a.b/c",
            "a.b/c:1",
            "a-b/c:1",
            "a.b/c@sha256:0f",
            "a.b/c:1@sha256:0f",
            "a.b/cd",
            "a.b/c:",
            "a.b/c:1:2",
            "a.b/c@sha:1",
            "a.b/c:1@sha256:0f ",
            "x",
            "",
            "a.b/c@sha256:1:2",
            "a.b/c:5/d",
        ];
        for name in ["a.b/c", "x", "", "a.b/c:5/d", "a.b/c:1"] {
            let plain = ImageName::new(name).expect("a name");
            assert!(matches!(plain, ImageName::Plain(_)));
            let pattern = ImageName::new(&format!("(?:{name})")).expect("a pattern");
            assert!(matches!(pattern, ImageName::Pattern(_)));
            for text in texts {
                assert_eq!(plain.matches(text), pattern.matches(text), "{name} {text}");
            }
        }
    }

    #[test]
    fn images_split_into_name_tag_and_digest() {
        let split = |image| {
            let (name, tag, digest) = split_image(image);
            format!("{name} {tag} {digest}")
        };
        assert_eq!(split("nginx"), "nginx  ");
        assert_eq!(split("nginx:1.2"), "nginx 1.2 ");
        assert_eq!(split("foo.com:443/nginx"), "foo.com:443/nginx  ");
        assert_eq!(split("foo.com:443/nginx:1@sha256:ab"), "foo.com:443/nginx 1 sha256:ab");
        assert_eq!(split("nginx@sha256:ab"), "nginx  sha256:ab");
    }
}
