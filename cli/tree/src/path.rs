//! Paths inside a tree.

use std::fmt;

/// A normalised path inside a tree: names joined by `/`, without `.`, `..`, a
/// leading or a trailing slash. The root is the empty path.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(String);

/// A path that cannot stand inside a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// `..` went above the root.
    #[error("`{path}` leads out of the tree")]
    Outside {
        /// The path as written.
        path: String,
    },
    /// It starts with a slash.
    #[error("`{path}` is absolute")]
    Absolute {
        /// The path as written.
        path: String,
    },
}

impl TreePath {
    /// The root.
    pub fn root() -> TreePath {
        TreePath(String::new())
    }

    /// Normalises `path`, resolved from the root.
    pub fn new(path: &str) -> Result<TreePath, PathError> {
        TreePath::root().join(path)
    }

    /// Resolves `path` from this directory: `.`, `..` and doubled slashes are
    /// worked out by text, without asking a tree.
    pub fn join(&self, path: &str) -> Result<TreePath, PathError> {
        if path.starts_with('/') {
            return Err(PathError::Absolute { path: path.to_owned() });
        }
        let mut joined = String::with_capacity(self.0.len() + 1 + path.len());
        joined.push_str(&self.0);
        for name in path.split('/') {
            match name {
                "" | "." => {}
                ".." if joined.is_empty() => {
                    return Err(PathError::Outside { path: path.to_owned() });
                }
                ".." => joined.truncate(joined.rfind('/').unwrap_or(0)),
                name => {
                    if !joined.is_empty() {
                        joined.push('/');
                    }
                    joined.push_str(name);
                }
            }
        }
        Ok(TreePath(joined))
    }

    /// The names from the root down; none for the root.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// The directory that holds this path; `None` for the root.
    pub fn parent(&self) -> Option<TreePath> {
        if self.is_root() {
            return None;
        }
        Some(TreePath(self.0.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned()))
    }

    /// The last name; `None` for the root.
    pub fn name(&self) -> Option<&str> {
        self.names().next_back()
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this path is `dir` or stands below it.
    pub fn is_within(&self, dir: &TreePath) -> bool {
        dir.is_root()
            || self.0 == dir.0
            || (self.0.starts_with(&dir.0) && self.0.as_bytes().get(dir.0.len()) == Some(&b'/'))
    }

    /// A bound that sorts before everything below `dir`, and after `dir`.
    pub(crate) fn first_below(dir: &TreePath) -> TreePath {
        TreePath(if dir.is_root() { String::new() } else { format!("{}/", dir.0) })
    }

    /// The path as text; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The root prints as `.`.
impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.0 })
    }
}
