//! `images`: names, tags and digests wherever images are named.
//!
//! Rules from kustomize v5.8, api/filters/imagetag and api/internal/image.

use gitops_yaml::{Mark, Node, Style, Tag, Text, Value};
use regex::Regex;

use crate::error::{BuildError, Place};
use crate::fieldspec::{self, Create, FieldSpec, UNTYPED, set_untyped};
use crate::kustomization::Image;
use crate::parallel;
use crate::resource::{FieldProblem, Object};
use crate::set::{ByType, Set, field_error};
use crate::touch::How;

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
