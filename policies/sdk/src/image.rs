//! References to images: `[registry[:port]/]name[:tag][@digest]`.

/// An image reference taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// Registry and name, without tag and digest.
    pub repository: &'a str,
    /// The tag; `None` when there is none or it is empty.
    pub tag: Option<&'a str>,
    /// `algorithm:hex`; `None` when there is none or it is no digest.
    pub digest: Option<&'a str>,
}

impl Image<'_> {
    /// Takes a reference apart. A colon belongs to a tag only behind the last
    /// slash; before it, it is the port of the registry.
    pub fn parse(reference: &str) -> Image<'_> {
        let (name, digest) = match reference.split_once('@') {
            Some((name, digest)) => (name, Some(digest).filter(|digest| is_digest(digest))),
            None => (reference, None),
        };
        let last = name.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match name[last..].find(':') {
            Some(colon) => (&name[..last + colon], Some(&name[last + colon + 1..])),
            None => (name, None),
        };
        Image { repository, tag: tag.filter(|tag| !tag.is_empty()), digest }
    }
}

/// The grammar of the OCI image specification: `algorithm ":" encoded`. The
/// shortest registered encoding is sha256's; others are taken at their word.
fn is_digest(text: &str) -> bool {
    let Some((algorithm, encoded)) = text.split_once(':') else { return false };
    let hex = |length: usize| {
        encoded.len() == length && encoded.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    match algorithm {
        "sha256" => hex(64),
        "sha384" => hex(96),
        "sha512" => hex(128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn takes_references_apart() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (reference, repository, tag, pinned) in [
            ("web", "web", None, false),
            ("web:1", "web", Some("1"), false),
            ("web:", "web", None, false),
            ("", "", None, false),
            ("localhost:5000/web", "localhost:5000/web", None, false),
            ("localhost:5000/a/web:v1", "localhost:5000/a/web", Some("v1"), false),
            (&format!("web@{digest}"), "web", None, true),
            (&format!("localhost:5000/web:v1@{digest}"), "localhost:5000/web", Some("v1"), true),
            ("web@sha256:abc", "web", None, false),
            ("web:v1@", "web", Some("v1"), false),
        ] {
            let image = Image::parse(reference);
            assert_eq!(
                (image.repository, image.tag, image.digest.is_some()),
                (repository, tag, pinned),
                "{reference}"
            );
        }
    }
}
