//! Where a finding stands in Git: the place of the field, and for an image the
//! line that moved it, which is the line to edit.

use gitops_core::change::Change;
use gitops_core::judge::{Move, Moved, Subject};
use gitops_core::key::ObjectKey;
use gitops_core::object::{Object, Source};

/// The place of `pointer` in the object `key` of `subject`, whether the field
/// changes or not; of the object itself where no field is named.
pub(crate) fn locate(subject: &Subject, key: &ObjectKey, pointer: Option<&str>) -> Option<Source> {
    let Some(change) = subject.changes.differences().find(|change| change.key == *key) else {
        let desired = subject.desired.values().flatten().flatten();
        let mut named = desired.filter(|object| object.key == *key);
        let object = named.next()?;
        // Which of several environments is meant, the finding does not say.
        let is_alone = named.next().is_none();
        return written(object, pointer).or(object.source.as_ref()).filter(|_| is_alone).cloned();
    };
    let side = change.after.as_ref().or(change.before.as_ref());
    pointer
        .and_then(|pointer| moved(subject, change, pointer).or_else(|| field(change, pointer)))
        .or_else(|| side.and_then(|object| written(object, pointer)))
        .or(change.source.as_ref())
        .cloned()
}

/// The line that sets the field at `pointer`, or the nearest one above.
fn written<'a>(object: &'a Object, pointer: Option<&str>) -> Option<&'a Source> {
    object.lines.find(pointer?)
}

/// The place of the move whose value is in the image at `pointer`.
fn moved<'a>(subject: &'a Subject, change: &Change, pointer: &str) -> Option<&'a Source> {
    let image = change.after.as_ref()?.tree.pointer(pointer)?.as_str()?;
    let mut carried =
        subject.moves.iter().filter(|moved| moved.source.is_some() && carries(image, moved));
    let first = carried.clone().find(|moved| is_named(image, moved));
    // The name in the kustomization may be another than the one rendered
    // (`newName`); a value that only one move brings needs no name.
    let only = || carried.next().filter(|_| carried.next().is_none());
    first.or_else(only)?.source.as_ref()
}

/// Whether the value that `moved` brings is this part of `image`.
fn carries(image: &str, moved: &Move) -> bool {
    let (repository, tag, digest) = parts(image);
    let after = moved.after.as_deref();
    after.is_some()
        && match moved.what {
            Moved::ImageTag => after == tag,
            Moved::ImageDigest => after == digest,
            Moved::ImageName => after == Some(repository),
            Moved::Value | Moved::Other => after == tag || after == digest || after == Some(image),
            // A chart, a base or a folder may bring any image with it; which
            // line of it did cannot be told from here.
            Moved::ChartVersion | Moved::GitRef | Moved::Folder => false,
        }
}

fn is_named(image: &str, moved: &Move) -> bool {
    let (repository, ..) = parts(image);
    repository == moved.name
        || repository.strip_suffix(&moved.name).is_some_and(|rest| rest.ends_with('/'))
}

/// Repository, tag and digest of an image reference.
fn parts(image: &str) -> (&str, Option<&str>, Option<&str>) {
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[last..].find(':') {
        Some(colon) => (&name[..last + colon], Some(&name[last + colon + 1..]), digest),
        None => (name, None, digest),
    }
}

/// The place of the changed field at `pointer`, or of the nearest one above.
fn field<'a>(change: &'a Change, pointer: &str) -> Option<&'a Source> {
    change
        .fields
        .iter()
        .filter(|field| {
            pointer
                .strip_prefix(field.pointer.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .filter(|field| field.source.is_some())
        .max_by_key(|field| field.pointer.len())?
        .source
        .as_ref()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use gitops_core::change::{Action, ChangeSet, FieldChange};
    use gitops_core::object::Lines;
    use serde_json::json;

    use super::*;

    const IMAGE: &str = "/spec/template/spec/containers/0/image";

    fn source(path: &str, line: u32) -> Source {
        Source { path: path.to_owned(), document: 1, line: Some(line) }
    }

    fn key() -> ObjectKey {
        ObjectKey {
            group: "apps".into(),
            kind: "Deployment".into(),
            namespace: None,
            name: "web".into(),
        }
    }

    fn subject(image: &str, moves: Vec<Move>) -> Subject {
        let tree = json!({"spec": {"template": {"spec": {"containers": [{"image": image}]}}}});
        let lines = [
            ("/spec".to_owned(), source("base/web.yaml", 5)),
            ("/spec/replicas".to_owned(), source("prod/replicas.yaml", 6)),
        ];
        let object = Object {
            key: key(),
            api_version: "apps/v1".into(),
            tree,
            source: None,
            lines: Lines(std::sync::Arc::new(lines.into())),
        };
        let field = FieldChange {
            pointer: IMAGE.into(),
            before: None,
            after: Some(json!(image)),
            source: Some(source("base/web.yaml", 12)),
        };
        let change = Change {
            key: key(),
            api_version: "apps/v1".into(),
            action: Action::Configured,
            before: None,
            after: Some(object),
            fields: vec![field],
            source: Some(source("base/web.yaml", 1)),
            manager: None,
            reason: None,
            warnings: Vec::new(),
        };
        Subject { changes: ChangeSet::new(vec![change]), moves, ..Subject::default() }
    }

    fn tag(name: &str, after: &str, line: u32) -> Move {
        Move {
            app: "web".into(),
            what: Moved::ImageTag,
            name: name.into(),
            before: None,
            after: Some(after.into()),
            source: Some(source("prod/kustomization.yaml", line)),
        }
    }

    fn line(image: &str, moves: Vec<Move>, pointer: Option<&str>) -> String {
        locate(&subject(image, moves), &key(), pointer).unwrap().to_string()
    }

    #[test]
    fn a_field_stands_where_it_is_written() {
        assert_eq!(line("web:1", vec![], Some(IMAGE)), "base/web.yaml:12");
        assert_eq!(line("web:1", vec![], Some(&format!("{IMAGE}/x"))), "base/web.yaml:12");
        assert_eq!(line("web:1", vec![], Some("/spec/replicas")), "prod/replicas.yaml:6");
        assert_eq!(line("web:1", vec![], Some("/spec/paused")), "base/web.yaml:5");
        assert_eq!(line("web:1", vec![], Some("/other")), "base/web.yaml:1");
        assert_eq!(line("web:1", vec![], None), "base/web.yaml:1");
    }

    #[test]
    fn an_image_stands_where_it_moved() {
        let here = "prod/kustomization.yaml:7";
        for (image, moves, expected) in [
            ("web:1", vec![tag("web", "1", 7)], here),
            ("registry.example:5000/a/web:1", vec![tag("web", "1", 7)], here),
            ("web:1", vec![tag("db", "1", 3), tag("web", "1", 7)], here),
            // Renamed by newName: the only one with this tag.
            ("mirror/other:1", vec![tag("web", "1", 7)], here),
            ("mirror/other:1", vec![tag("web", "1", 7), tag("db", "1", 8)], "base/web.yaml:12"),
            ("web:2", vec![tag("web", "1", 7)], "base/web.yaml:12"),
            ("web:1.2", vec![tag("web", "1", 7)], "base/web.yaml:12"),
        ] {
            assert_eq!(line(image, moves, Some(IMAGE)), expected, "{image}");
        }
    }

    #[test]
    fn an_object_that_does_not_change_stands_where_it_is_desired() {
        let mut other = key();
        other.name = "db".into();
        let mut subject = subject("web:1", vec![]);
        assert_eq!(locate(&subject, &other, None), None);
        let desired = Object {
            key: other.clone(),
            api_version: "apps/v1".into(),
            tree: json!({}),
            source: Some(source("base/db.yaml", 3)),
            lines: Lines(std::sync::Arc::new(
                [("/spec/replicas".to_owned(), source("prod/db.yaml", 4))].into(),
            )),
        };
        subject.desired.insert("prod".into(), Some(vec![desired]));
        let at = |pointer| locate(&subject, &other, pointer).unwrap().to_string();
        assert_eq!(at(None), "base/db.yaml:3");
        assert_eq!(at(Some("/spec/paused")), "base/db.yaml:3");
        assert_eq!(at(Some("/spec/replicas")), "prod/db.yaml:4");
    }
}
