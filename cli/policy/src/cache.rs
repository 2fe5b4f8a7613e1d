//! The folder of compiled components. Loading one runs native code, so the
//! folder must be the user's own.

use std::ffi::OsStr;
use std::hash::{Hash as _, Hasher};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use sha2::{Digest as _, Sha256};
use wasmtime::{Cache, CacheConfig, Engine};

/// A folder that cannot hold compiled components.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It is no folder, belongs to somebody else, or others may write to it.
    #[error("`{}` cannot hold compiled policies: {reason}", path.display())]
    Unsafe {
        /// The folder, or one above it.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It could not be made or read.
    #[error("`{}` cannot hold compiled policies: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The folder by custom: `kubectl-gitops/wasm` below `$XDG_CACHE_HOME`, else
/// below `~/.cache`. A relative `XDG_CACHE_HOME` does not count (XDG Base
/// Directory Specification). `None` without either.
pub fn cache_folder(xdg_cache_home: Option<&OsStr>, home: Option<&OsStr>) -> Option<PathBuf> {
    let absolute = |path: &OsStr| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    xdg_cache_home
        .and_then(absolute)
        .or_else(|| Some(home.and_then(absolute)?.join(".cache")))
        .map(|base| base.join("kubectl-gitops/wasm"))
}

/// Makes `folder` where it is absent, mode 0700, and checks that nobody else
/// can put a file there: it and its parent are ours and no links; others could
/// never write to it, and cannot write to its parent any more; every folder
/// above that everybody may write to is sticky.
pub(crate) fn prepare(folder: &Path) -> Result<(), CacheError> {
    let io = |source| CacheError::Io { path: folder.to_owned(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
    let user = rustix::process::geteuid().as_raw();
    for (level, ours) in folder.ancestors().take(2).enumerate() {
        let bad = |reason: &str| {
            Err(CacheError::Unsafe { path: ours.to_owned(), reason: reason.to_owned() })
        };
        let meta = std::fs::symlink_metadata(ours).map_err(io)?;
        if !meta.is_dir() {
            return bad("it is not a folder but a link or a file");
        }
        if meta.uid() != user {
            return bad(&format!("it belongs to user {}, not to {user}", meta.uid()));
        }
        let mode = meta.permissions().mode();
        if mode & 0o022 == 0 {
            continue;
        }
        // What is in the folder itself may be somebody else's by now. Its
        // parent is often group-writable, by a umask of 002, and holds nothing
        // that is run.
        if level == 0 {
            return bad("others may write to it; remove it");
        }
        std::fs::set_permissions(ours, std::fs::Permissions::from_mode(mode & 0o755))
            .map_err(io)?;
    }
    let real = std::fs::canonicalize(folder).map_err(io)?;
    for above in real.ancestors().skip(2) {
        let meta = std::fs::symlink_metadata(above).map_err(io)?;
        let mode = meta.permissions().mode();
        if mode & 0o002 != 0 && mode & 0o1000 == 0 {
            return Err(CacheError::Unsafe {
                path: above.to_owned(),
                reason: "everybody may replace what is in it".to_owned(),
            });
        }
    }
    Ok(())
}

/// Wasmtime's own cache in `folder`, which is made.
pub(crate) fn open(folder: &Path) -> wasmtime::Result<Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(folder);
    Cache::new(config)
}

/// The name under which wasmtime's cache looks for the artefact of `wasm` on
/// behalf of `engine` (wasmtime 48: `compile/runtime.rs`, `compile_cached`, and
/// `wasmtime-internal-cache`, `get_data_raw`). The engine that runs holds no
/// compiler, which is part of the name, so the child files what it compiled
/// under this one. If wasmtime computes it otherwise one day, artefacts are not
/// found and every policy is a fault; nothing is loaded by mistake.
pub(crate) fn artefact_name(engine: &Engine, wasm: &[u8]) -> String {
    let no_package: Option<&[u8]> = None;
    let no_intrinsics: Option<&str> = None;
    let mut hasher = Sha256Hasher(Sha256::new());
    (engine.precompile_compatibility_hash(), wasm, no_package, no_intrinsics).hash(&mut hasher);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hasher.0.finalize())
}

struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn finish(&self) -> u64 {
        // Only `write` is asked by `Hash`; the digest is taken from inside.
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_folder_by_custom() {
        let folder = |xdg: Option<&str>, home: Option<&str>| {
            cache_folder(xdg.map(OsStr::new), home.map(OsStr::new))
        };
        assert_eq!(folder(Some("/x"), Some("/h")), Some("/x/kubectl-gitops/wasm".into()));
        assert_eq!(folder(Some("x"), Some("/h")), Some("/h/.cache/kubectl-gitops/wasm".into()));
        assert_eq!(folder(None, Some("")), None);
    }

    #[test]
    fn a_new_folder_is_private() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("a/b/wasm");
        prepare(&folder).unwrap();
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        prepare(&folder).unwrap();
    }

    #[test]
    fn a_folder_that_others_write_to_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("gitops/wasm");
        prepare(&folder).unwrap();
        mode(&folder, 0o770);
        assert!(matches!(prepare(&folder), Err(CacheError::Unsafe { .. })));
        mode(&folder, 0o700);
        mode(folder.parent().unwrap(), 0o777);
        prepare(&folder).unwrap();
        let parent = std::fs::metadata(folder.parent().unwrap()).unwrap();
        assert_eq!(parent.permissions().mode() & 0o777, 0o755);
        mode(temp.path(), 0o777);
        let error = prepare(&folder).unwrap_err().to_string();
        assert!(error.contains("everybody"), "{error}");
        mode(temp.path(), 0o1777);
        prepare(&folder).unwrap();
    }

    #[test]
    fn a_link_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let elsewhere = temp.path().join("elsewhere");
        std::fs::create_dir(&elsewhere).unwrap();
        let folder = temp.path().join("wasm");
        std::os::unix::fs::symlink(&elsewhere, &folder).unwrap();
        let error = prepare(&folder).unwrap_err().to_string();
        assert!(error.contains("a link"), "{error}");
    }
}
