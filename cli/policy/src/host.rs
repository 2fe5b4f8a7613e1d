//! The host: one engine, and the components that it has loaded.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gitops_core::judge::Fault;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Store};

use crate::cache::{self, CacheError};
use crate::carry::{Check, CheckPre, Gate, GatePre, State};
use crate::child;
use crate::engine;
use crate::limits::{Bytes, Limits};
use crate::load::{Module, Role};
use crate::text::fault;
use crate::world::{self, World};

/// How much a line of a policy's log matters, by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// A line of a policy's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// The policy.
    pub policy: &'a str,
    /// How much it matters.
    pub level: Level,
    /// The text, on one line, escaped.
    pub message: &'a str,
}

/// Takes the lines of policies' logs; called from several threads.
pub type LogSink = Arc<dyn Fn(LogLine<'_>) + Send + Sync>;

/// What a host is made with.
#[derive(Clone)]
pub struct HostOptions {
    /// The program that compiles: one that runs
    /// [`compile_child_main`](crate::compile_child_main) when its first
    /// argument is [`COMPILE_COMMAND`](crate::COMPILE_COMMAND); the running
    /// binary itself.
    pub compiler: PathBuf,
    /// The folder of compiled components; see [`cache_folder`](crate::cache_folder).
    pub cache: PathBuf,
    /// What guests may use.
    pub limits: Limits,
    /// Where log lines go; `None` drops them.
    pub log: Option<LogSink>,
}

/// Why no policy can be run at all.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The cache folder is not safe, or not there.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The engine does not start.
    #[error("the policy engine does not start: {reason}")]
    Engine {
        /// Why, in words of the engine.
        reason: String,
    },
}

/// A component that can be run, and what it says of itself.
pub(crate) struct Ready {
    pub(crate) pre: Pre,
    pub(crate) world: World,
}

/// A component that is linked, by its role.
pub(crate) enum Pre {
    Gate(GatePre<State>),
    Check(CheckPre<State>),
}

/// One that runs.
pub(crate) enum Instance {
    Gate(Gate),
    Check(Check),
}

impl Pre {
    pub(crate) fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<Instance> {
        match self {
            Pre::Gate(pre) => pre.instantiate(store).map(Instance::Gate),
            Pre::Check(pre) => pre.instantiate(store).map(Instance::Check),
        }
    }
}

/// What became of a module; whoever comes second waits for the first.
type Slot = OnceLock<Result<Arc<Ready>, Fault>>;

/// Runs policies. One host serves a whole run of the program; components are
/// loaded once, every evaluation gets a store of its own.
pub struct Host {
    pub(crate) engine: Engine,
    linker: Linker<State>,
    pub(crate) options: HostOptions,
    ready: Mutex<HashMap<(String, Role), Arc<Slot>>>,
}

impl Host {
    /// Makes a host; the cache folder is made where it is absent.
    pub fn new(options: HostOptions) -> Result<Host, HostError> {
        cache::prepare(&options.cache)?;
        let reason = |error: wasmtime::Error| HostError::Engine { reason: format!("{error:#}") };
        let mut config = engine::running(&options.limits);
        config.cache(Some(cache::open(&options.cache).map_err(reason)?));
        let engine = Engine::new(&config).map_err(reason)?;
        let mut linker = Linker::new(&engine);
        Gate::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).map_err(reason)?;
        Ok(Host { engine, linker, options, ready: Mutex::default() })
    }

    /// Loads a module in a role, compiling it in the child where the cache lacks
    /// it. A module that cannot be loaded is not tried again by this host.
    pub(crate) fn prepare(&self, module: &Module, role: Role) -> Result<Arc<Ready>, Fault> {
        let slot = {
            let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(ready.entry((module.digest.clone(), role)).or_default())
        };
        slot.get_or_init(|| self.load(&module.bytes, role)).clone()
    }

    fn load(&self, bytes: &[u8], role: Role) -> Result<Arc<Ready>, Fault> {
        let component = self.component(bytes)?;
        let world = world::check(&component, &self.engine, role)?;
        let pre = self
            .linker
            .instantiate_pre(&component)
            .and_then(|pre| match role {
                Role::Gate => GatePre::new(pre).map(Pre::Gate),
                Role::Check => CheckPre::new(pre).map(Pre::Check),
            })
            .map_err(|error| fault("world", format!("{error:#}")))?;
        Ok(Arc::new(Ready { pre, world }))
    }

    fn component(&self, bytes: &[u8]) -> Result<Component, Fault> {
        let limits = &self.options.limits;
        if bytes.len() > limits.module {
            return Err(fault(
                "compile",
                format!(
                    "its file has {}; the limit is {}",
                    Bytes(bytes.len() as u64),
                    Bytes(limits.module as u64)
                ),
            ));
        }
        is_component(bytes)?;
        if let Ok(component) = Component::new(&self.engine, bytes) {
            return Ok(component);
        }
        // The engine holds no compiler: all that can fail is the cache.
        child::compile(&self.options.compiler, &self.options.cache, limits, bytes)?;
        Component::new(&self.engine, bytes).map_err(|error| {
            fault("compile", format!("what was compiled cannot be loaded: {error:#}"))
        })
    }
}

/// The first eight bytes tell: magic, version and layer (component model,
/// `Binary.md`).
fn is_component(bytes: &[u8]) -> Result<(), Fault> {
    let no = |message: &str| Err(fault("compile", message));
    match bytes {
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            no("its file is a core WebAssembly module, not a component")
        }
        _ => no("its file is not WebAssembly"),
    }
}
