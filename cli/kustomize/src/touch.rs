//! What changed an object: the places of patches, generators' sources and
//! kustomizations' fields, noted as they are applied. Marks tell what wrote a
//! field that is there; a touch also tells of fields that are gone.

use std::fmt;

use gitops_yaml::{FileId, Mark};

/// Something that changed an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The file, an index into [`crate::Rendered::files`].
    pub file: FileId,
    /// 1-based line.
    pub line: u32,
    /// What it did.
    pub how: How,
}

/// What a touch did. Prints as words that `by` or a place follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A file that a generator read.
    Content,
    /// A generator with `behavior: merge` added to it.
    Merged,
    /// It replaces the object of another generator (`behavior: replace`).
    Replaces,
    /// A patch of any kind.
    Patched,
    /// A field of a kustomization, or the plugin that stands for it.
    Field(&'static str),
    /// Another object that it names was renamed.
    Reference,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            How::Content => "content",
            How::Merged => "merge",
            How::Replaces => "replaces",
            How::Patched => "patch",
            How::Field(name) => name,
            How::Reference => "name reference",
        })
    }
}

/// Touches of the object that is being changed.
pub(crate) type Touches = Vec<(Mark, How)>;

/// Adds a touch, unless it is known.
pub(crate) fn add(touched: &mut Vec<Touch>, mark: Mark, how: How) {
    let touch = Touch { file: mark.file, line: mark.line, how };
    let known = |own: &Touch| match how {
        How::Content => own.file == touch.file && own.how == how,
        // What renamed the other object has often changed this one, too.
        How::Reference => own.file == touch.file && own.line == touch.line,
        _ => *own == touch,
    };
    if mark.file != FileId::NONE && !touched.iter().any(known) {
        touched.push(touch);
    }
}
