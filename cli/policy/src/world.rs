//! Whether a component is a policy that this host can run: what it exports,
//! at which version, and what it asks for. Read off the binary, which cannot
//! lie about it.

use gitops_core::judge::Fault;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::load::Role;
use crate::text::{excerpt, fault};

/// The package of the contract.
const PACKAGE: &str = "kubectl-gitops:policy";

/// The version this host speaks; patch versions may add functions.
const MAJOR_MINOR: &str = "0.1";

/// What it may import: no more than the types, the log and the input.
const IMPORTS: [&str; 4] = ["types", "host-errors", "log", "input"];

/// What a component says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct World {
    /// The package it was built for, as `kubectl-gitops:policy@0.1.0`.
    pub(crate) wit: String,
    /// Its imports, sorted, with versions.
    pub(crate) imports: Vec<String>,
}

/// Checks exports, then versions, then imports.
pub(crate) fn check(component: &Component, engine: &Engine, role: Role) -> Result<World, Fault> {
    let ty = component.component_type();
    let exports: Vec<String> = ty.exports(engine).map(|(name, _)| name.to_owned()).collect();
    let mut imports: Vec<String> = ty.imports(engine).map(|(name, _)| name.to_owned()).collect();
    imports.sort();
    let wit = exported(&exports, role)?;
    for import in &imports {
        allowed(import)?;
    }
    Ok(World { wit, imports })
}

fn exported(exports: &[String], role: Role) -> Result<String, Fault> {
    let mut version = None;
    for wanted in ["settings", role.word()] {
        let found = exports.iter().find_map(|name| {
            let (package, interface, version) = split(name)?;
            (package == PACKAGE && interface == wanted).then_some(version)
        });
        let Some(found) = found else {
            let list = match exports {
                [] => "nothing".to_owned(),
                list => excerpt(&list.join(", "), 500),
            };
            return Err(fault(
                "world",
                format!("it does not export `{PACKAGE}/{wanted}`; it exports {list}"),
            ));
        };
        spoken(found)?;
        version = Some(found);
    }
    Ok(format!("{PACKAGE}@{}", version.unwrap_or_default()))
}

fn allowed(import: &str) -> Result<(), Fault> {
    if let Some((PACKAGE, interface, version)) = split(import) {
        spoken(version)?;
        if IMPORTS.contains(&interface) {
            return Ok(());
        }
    }
    Err(fault(
        "import",
        format!(
            "it imports `{}`, which is not granted; a policy may import only `input` and `log`",
            excerpt(import, 200)
        ),
    ))
}

fn spoken(version: &str) -> Result<(), Fault> {
    let mut parts = version.splitn(3, '.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let plain = parts.next().is_some_and(|patch| patch.bytes().all(|b| b.is_ascii_digit()));
    if plain && format!("{major}.{minor}") == MAJOR_MINOR {
        return Ok(());
    }
    Err(fault(
        "version",
        format!(
            "it is built for {PACKAGE}@{}, this host speaks {MAJOR_MINOR}",
            excerpt(version, 50)
        ),
    ))
}

/// `a:b/c@1.2.3` into `a:b`, `c` and `1.2.3`.
fn split(name: &str) -> Option<(&str, &str, &str)> {
    let (path, version) = name.split_once('@').unwrap_or((name, ""));
    let (package, interface) = path.split_once('/')?;
    Some((package, interface, version))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn versions_of_one_track_are_spoken() {
        assert!(spoken("0.1.0").is_ok() && spoken("0.1.7").is_ok());
        for other in ["0.2.0", "1.1.0", "0.1", "", "0.1.0-rc.1", "0.10.0"] {
            assert!(spoken(other).is_err(), "{other}");
        }
    }

    #[test]
    fn only_input_and_log_are_imported() {
        assert!(allowed("kubectl-gitops:policy/input@0.1.0").is_ok());
        for (import, kind) in [
            ("kubectl-gitops:policy/http@0.1.0", "import"),
            ("kubectl-gitops:policy/log@0.2.0", "version"),
            ("wasi:cli/environment@0.2.3", "import"),
            ("evil:policy/input@0.1.0", "import"),
            ("run", "import"),
        ] {
            assert_eq!(allowed(import).unwrap_err().kind, kind, "{import}");
        }
    }

    #[test]
    fn extra_exports_do_not_matter() {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let exports = names(&[
            "init",
            "kubectl-gitops:policy/promotion-gate@0.1.2",
            "kubectl-gitops:policy/settings@0.1.2",
        ]);
        assert_eq!(exported(&exports, Role::Gate).unwrap(), "kubectl-gitops:policy@0.1.2");
        let error = exported(&exports[..2], Role::Gate).unwrap_err();
        assert!(error.message.contains("does not export `kubectl-gitops:policy/settings`"));
        let error = exported(&exports, Role::Check).unwrap_err();
        assert!(
            error.message.contains("does not export `kubectl-gitops:policy/conformance-check`")
        );
        assert!(exported(&[], Role::Gate).unwrap_err().message.ends_with("it exports nothing"));
    }
}
