//! From a guest crate to a component. The compiler for
//! `wasm32-unknown-unknown` makes core modules; [`componentize`] wraps one by
//! the description of its world that `wit-bindgen` left inside.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a guest could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A program could not be started.
    #[error("`{program}` does not start: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// The compiler failed; its own messages went to stderr.
    #[error("`{package}` does not compile")]
    Compile {
        /// The guest's package.
        package: String,
    },
    /// The package makes no WebAssembly: it lacks `crate-type = ["cdylib"]`.
    #[error("`{package}` makes no WebAssembly module")]
    NoModule {
        /// The guest's package.
        package: String,
    },
    /// The module describes no world, or misses an export of it.
    #[error("the module is no component: {reason}")]
    Component {
        /// What is missing.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("`{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Wraps a core module that carries the description of its world
/// (`wit-bindgen` leaves one) as a component.
pub fn componentize(module: &[u8]) -> Result<Vec<u8>, BuildError> {
    let reason = |error| BuildError::Component { reason: format!("{error:#}") };
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| encoder.encode())
        .map_err(reason)
}

/// Builds the guest `package` of the workspace at `workspace` by `cargo` and
/// leaves `policies/PACKAGE/PACKAGE.wasm`, with the package's `policy.yaml`
/// where it has one, in the target folder. Returns that folder.
pub fn build(cargo: &Path, workspace: &Path, package: &str) -> Result<PathBuf, BuildError> {
    let module = compile(cargo, workspace, package)?;
    let component = componentize(&read(&module)?)?;
    // target/wasm32-unknown-unknown/guest/NAME.wasm
    let target = module.ancestors().nth(3).unwrap_or(workspace);
    let folder = target.join("policies").join(package);
    std::fs::create_dir_all(&folder)
        .map_err(|source| BuildError::File { path: folder.clone(), source })?;
    write(&folder.join(format!("{package}.wasm")), &component)?;
    let description = workspace.join("policies").join(package).join("policy.yaml");
    if description.exists() {
        write(&folder.join("policy.yaml"), &read(&description)?)?;
    }
    Ok(folder)
}

/// Compiles `package` and returns the path of its core module, which cargo
/// names in its messages.
fn compile(cargo: &Path, workspace: &Path, package: &str) -> Result<PathBuf, BuildError> {
    let output = Command::new(cargo)
        .current_dir(workspace)
        .args(["build", "--profile", "guest", "--target", "wasm32-unknown-unknown"])
        .args(["--message-format", "json-render-diagnostics", "--package", package])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| BuildError::Start { program: cargo.display().to_string(), source })?;
    if !output.status.success() {
        return Err(BuildError::Compile { package: package.to_owned() });
    }
    let name = package.replace('-', "_");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter(|message| message["target"]["name"] == name)
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
        .ok_or_else(|| BuildError::NoModule { package: package.to_owned() })
}

fn read(path: &Path) -> Result<Vec<u8>, BuildError> {
    std::fs::read(path).map_err(|source| BuildError::File { path: path.to_owned(), source })
}

/// Writes by renaming, so that a reader never sees half of a file.
fn write(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    let half = path.with_extension(format!("{}.half", std::process::id()));
    std::fs::write(&half, bytes)
        .and_then(|()| std::fs::rename(&half, path))
        .map_err(|source| BuildError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_module_without_a_world_is_refused() {
        let empty = b"\0asm\x01\0\0\0";
        // An empty world is a world: nothing in, nothing out.
        assert!(componentize(empty).is_ok());
        let error = componentize(b"not wasm").unwrap_err();
        assert!(matches!(error, BuildError::Component { .. }), "{error}");
    }
}
