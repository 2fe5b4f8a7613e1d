//! Settings of the engine: deterministic, metered, and without proposals that
//! policies do not need.

use std::time::Duration;

use wasmtime::{Config, Engine};

use crate::limits::Limits;

/// Length of one epoch.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// What the engines that compile and that run have in common. An artefact of
/// one loads in the other only while these are the same.
fn common(limits: &Limits) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack)
        .concurrency_support(false)
        .wasm_component_model(true)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .relaxed_simd_deterministic(true);
    config
}

/// The settings that compile, in the child only.
pub(crate) fn compiling(limits: &Limits) -> Config {
    let mut config = common(limits);
    config.cranelift_nan_canonicalization(true);
    config
}

/// The settings that run. They hold no compiler, so whatever a module is, it
/// cannot be compiled in this process.
pub(crate) fn running(limits: &Limits) -> Config {
    let mut config = common(limits);
    config.enable_compiler(false);
    config
}

/// Advances the epoch of an engine while it lives.
pub(crate) struct Ticker {
    stop: Option<std::sync::mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Ticker> {
        let engine = engine.clone();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread =
            std::thread::Builder::new().name("policy-epoch".to_owned()).spawn(move || {
                use std::sync::mpsc::RecvTimeoutError;
                while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    engine.increment_epoch();
                }
            })?;
        Ok(Ticker { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It only waits and counts; there is no panic to pass on.
            let _ = thread.join();
        }
    }
}
