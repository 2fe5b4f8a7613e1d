//! One call into a guest: a fresh store, a thread with room for its stack,
//! and a fault for everything that is not an answer.

use std::sync::Arc;

use gitops_core::judge::{Fault, Subject};
use wasmtime::{Store, Trap};

use crate::carry::{State, conformance_check, promotion_gate, wit};
use crate::engine::TICK;
use crate::host::{Host, Instance, Level, LogLine, Ready};
use crate::limits::{Bytes, Instructions, Limits};
use crate::load::Role;
use crate::text::{self, fault};

/// Stack of the thread that runs a guest: its own, and the host's below it.
const THREAD_STACK: usize = 8 << 20;

/// The kind of the fault that is none yet: the guest asked for the objects of
/// the environment that the message names, and they were not looked up.
pub(crate) const LACKS: &str = "lacks";

/// What a guest is asked.
pub(crate) enum Question {
    Gate(Box<promotion_gate::Request>),
    Check(conformance_check::Request),
}

impl Question {
    pub(crate) fn role(&self) -> Role {
        match self {
            Question::Gate(_) => Role::Gate,
            Question::Check(_) => Role::Check,
        }
    }
}

/// A guest to be called.
pub(crate) struct Guest<'a> {
    pub(crate) host: &'a Host,
    pub(crate) ready: &'a Ready,
    pub(crate) policy: &'a str,
}

impl Guest<'_> {
    /// What the guest says is wrong with its settings.
    pub(crate) fn validate(&self, settings: &String) -> Result<Vec<wit::SettingsProblem>, Fault> {
        let fuel = self.host.options.limits.settings_fuel;
        self.call(fuel, Arc::new(Subject::default()), |instance, store| match instance {
            Instance::Gate(gate) => {
                gate.kubectl_gitops_policy_settings().call_validate(store, settings)
            }
            Instance::Check(check) => {
                check.kubectl_gitops_policy_settings().call_validate(store, settings)
            }
        })
    }

    /// What the guest says of the subject.
    pub(crate) fn evaluate(
        &self,
        context: &wit::Context,
        question: &Question,
        subject: Arc<Subject>,
    ) -> Result<Result<wit::Outcome, wit::PolicyError>, Fault> {
        let fuel = self.host.options.limits.fuel;
        self.call(fuel, subject, |instance, store| match (instance, question) {
            (Instance::Gate(gate), Question::Gate(request)) => {
                let gate = gate.kubectl_gitops_policy_promotion_gate();
                gate.call_evaluate(store, context, request)
            }
            (Instance::Check(check), Question::Check(request)) => {
                let check = check.kubectl_gitops_policy_conformance_check();
                check.call_evaluate(store, context, request)
            }
            _ => Err(wasmtime::Error::msg("it is not asked what it answers")),
        })
    }

    fn call<T: Send>(
        &self,
        fuel: u64,
        subject: Arc<Subject>,
        call: impl FnOnce(&Instance, &mut Store<State>) -> wasmtime::Result<T> + Send,
    ) -> Result<T, Fault> {
        let ran = std::thread::scope(|scope| {
            std::thread::Builder::new()
                .name("policy".to_owned())
                .stack_size(THREAD_STACK)
                .spawn_scoped(scope, || self.run(fuel, subject, call))
                .map(std::thread::ScopedJoinHandle::join)
        });
        match ran {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(fault("host", "the host panicked, which is its defect")),
            Err(error) => Err(fault("host", format!("no thread to run it: {error}"))),
        }
    }

    fn run<T>(
        &self,
        fuel: u64,
        subject: Arc<Subject>,
        call: impl FnOnce(&Instance, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, Fault> {
        let limits = self.host.options.limits;
        let mut store = Store::new(&self.host.engine, State::new(subject, limits));
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(limits.answer);
        let ticks = limits.time.as_millis() / TICK.as_millis();
        store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX / 2).max(1));
        let result = store
            .set_fuel(fuel)
            .and_then(|()| self.ready.pre.instantiate(&mut store))
            .map_err(|error| ("start", error))
            .and_then(|gate| call(&gate, &mut store).map_err(|error| ("answer", error)));
        let state = store.into_data();
        self.log(&state);
        result.map_err(|(phase, error)| explain(phase, &error, &state, fuel, &limits))
    }

    fn log(&self, state: &State) {
        let Some(sink) = &self.host.options.log else { return };
        let line = |level, message: &str| sink(LogLine { policy: self.policy, level, message });
        for (level, message) in &state.lines {
            line(*level, message);
        }
        if state.dropped > 0 {
            line(Level::Warn, &format!("{} more lines were dropped", state.dropped));
        }
    }
}

/// Names the limit that was met. What the limiter refused comes first, since a
/// guest turns a refusal into any trap it likes.
fn explain(
    phase: &str,
    error: &wasmtime::Error,
    state: &State,
    fuel: u64,
    limits: &Limits,
) -> Fault {
    if let Some(refused) = &state.limiter.refused {
        return fault(refused.kind(), refused.to_string());
    }
    if let Some(environment) = &state.lacks {
        return Fault { kind: LACKS, message: environment.clone(), always_closes: false };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => {
            fault("fuel", format!("fuel limit of {} instructions reached", Instructions(fuel)))
        }
        Some(Trap::Interrupt) => fault("time", format!("time limit of {:?} reached", limits.time)),
        Some(Trap::StackOverflow) => {
            fault("stack", format!("stack limit of {} reached", Bytes(limits.stack as u64)))
        }
        Some(trap) => {
            // A guest in Rust or C keeps a stack of its own in memory, below
            // which there is none.
            let deep = match trap {
                Trap::MemoryOutOfBounds => ", as when the guest's own stack overflows",
                _ => "",
            };
            let trap = trap.to_string();
            let trap = trap.strip_prefix("wasm trap: ").unwrap_or(&trap);
            let last = state.lines.iter().rev().find(|(level, _)| *level == Level::Error);
            let logged = last.map(|(_, line)| format!("; it logged: {}", text::excerpt(line, 300)));
            fault("trap", format!("{trap}{deep}{}", logged.unwrap_or_default()))
        }
        // Neither a trap nor ours: too many instances, or an answer that
        // breaks the contract or the limit of what crosses at once.
        None if phase == "start" => fault(
            "start",
            format!(
                "it does not start, within limits of {} instances, {} tables and {} memories: {error:#}",
                limits.instances, limits.tables, limits.memories
            ),
        ),
        None => fault(
            "output",
            format!(
                "what it passed cannot be read, within a limit of {}: {error:#}",
                Bytes(limits.answer as u64)
            ),
        ),
    }
}
