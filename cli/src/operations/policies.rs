//! The host that runs policies, and their lock.

use std::path::PathBuf;
use std::sync::Arc;

use gitops_policy::{Host, HostOptions, Level, Limits, PolicyError};

use crate::failure::Failure;
use crate::output::Terminal;

/// The word that makes this program the compiling child of another run.
pub(crate) const COMPILE_WORD: &str = gitops_policy::COMPILE_COMMAND;

/// A host that compiles with this same program, into the user's cache.
pub(crate) fn host(terminal: Terminal) -> Result<Host, Failure> {
    let attempt = "could not start the policy host";
    let compiler =
        std::env::current_exe().map_err(|error| Failure::fault(attempt).because(&error))?;
    let cache = cache_folder("wasm").ok_or_else(|| {
        Failure::fault("could not find a folder for compiled policies")
            .hint("set HOME or XDG_CACHE_HOME")
    })?;
    let options = HostOptions {
        compiler,
        cache,
        limits: Limits::default(),
        log: Some(Arc::new(move |line| {
            let text = format!("policy {}: {}", line.policy, line.message);
            match line.level {
                Level::Warn | Level::Error => terminal.warn(text),
                Level::Debug | Level::Info => terminal.detail(text),
            }
        })),
    };
    Host::new(options).map_err(|error| {
        Failure::fault(attempt)
            .because(&error)
            .hint("compiled policies are native code; their folder must be yours alone")
    })
}

/// A folder of the user's cache that is this program's.
pub(crate) fn cache_folder(name: &str) -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let (cache_home, home) = (variable("XDG_CACHE_HOME"), variable("HOME"));
    let wasm = gitops_policy::cache_folder(cache_home.as_deref(), home.as_deref())?;
    Some(wasm.with_file_name(name))
}

/// Words for bindings or policies that cannot be read.
pub(crate) fn policy_failure(error: &PolicyError) -> Failure {
    match error {
        PolicyError::Unfit { .. } => Failure::fault("could not use a policy").because(error),
        // Which bytes may judge is not known: that is no fault of configuration.
        PolicyError::Lock { .. } => Failure::fault("could not read the policies").because(error),
        _ => Failure::usage("could not read the policies").because(error),
    }
}
