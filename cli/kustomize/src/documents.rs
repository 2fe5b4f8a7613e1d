//! Bytes of a file as documents: cut, read, and complained of with their path.

use gitops_tree::{LFS_POINTER, TreePath, is_lfs_pointer};
use gitops_yaml::{Dialect, Document, FileId, Node};

use crate::error::{BuildError, Place};
use crate::{merge_keys, separators};

/// Parses YAML; complaints name `path`.
pub(crate) fn parse(
    path: &TreePath,
    file: FileId,
    bytes: &[u8],
    dialect: Dialect,
) -> Result<Vec<Node>, BuildError> {
    if dialect != Dialect::Manifest {
        return parse_whole(path, file, bytes, dialect);
    }
    let separator = |line: u32| BuildError::Yaml {
        place: Place { path: path.clone(), line: Some(line), column: None },
        message: "something stands behind `---`; begin a new line with it".to_owned(),
    };
    let Some(pieces) = separators::pieces(bytes).map_err(separator)? else {
        return parse_whole(path, file, bytes, dialect);
    };
    let mut documents = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let offset = u32::try_from(piece.bytes.start).unwrap_or(u32::MAX);
        let mut read =
            parse_whole(path, file, &bytes[piece.bytes], dialect).map_err(|error| match error {
                BuildError::Yaml { mut place, message } => {
                    place.line = place.line.map(|line| line.saturating_add(piece.lines));
                    BuildError::Yaml { place, message }
                }
                other => other,
            })?;
        read.truncate(1);
        read.iter_mut().for_each(|document| move_down(document, piece.lines, offset));
        documents.append(&mut read);
    }
    Ok(documents)
}

fn parse_whole(
    path: &TreePath,
    file: FileId,
    bytes: &[u8],
    dialect: Dialect,
) -> Result<Vec<Node>, BuildError> {
    Ok(read(path, file, bytes, dialect)?.into_iter().map(content).collect())
}

/// The documents as they were read, for what only their reader knows of them.
pub(crate) fn read(
    path: &TreePath,
    file: FileId,
    bytes: &[u8],
    dialect: Dialect,
) -> Result<Vec<Document>, BuildError> {
    if is_lfs_pointer(bytes) {
        return Err(BuildError::Yaml {
            place: Place { path: path.clone(), line: None, column: None },
            message: LFS_POINTER.to_owned(),
        });
    }
    let read = gitops_yaml::read_as(file, bytes, dialect);
    let read = read.or_else(|error| match separators::before_rest(bytes, &error) {
        Some(first) => gitops_yaml::read_as(file, first, dialect).map_err(|_| error),
        None => Err(error),
    });
    let mut documents = read.map_err(|error| BuildError::Yaml {
        place: Place {
            path: path.clone(),
            line: (error.line > 0).then_some(error.line),
            column: (error.column > 0).then_some(error.column),
        },
        message: error.reason,
    })?;
    if dialect == Dialect::Manifest && merge_keys::may_be_in(bytes) {
        documents.iter_mut().filter_map(|one| one.root.as_mut()).for_each(merge_keys::drop_from);
    }
    Ok(documents)
}

/// The root of a document; null where it has none.
pub(crate) fn content(document: Document) -> Node {
    document.root.unwrap_or_else(|| Node::scalar("", gitops_yaml::Tag::Null))
}

/// Moves the marks of what was read from a piece to where it stands in the file.
pub(crate) fn move_down(node: &mut Node, lines: u32, bytes: u32) {
    node.change_marks(&mut |mark| {
        // An empty document stands nowhere.
        if mark.line > 0 {
            mark.line += lines;
            mark.start += bytes;
            mark.end += bytes;
        }
    });
}
