//! The host of WASM policies. A policy is a component of the world in
//! `wit/policy.wit`; it is read from the trust tree, held to its lock,
//! compiled in a child process, and judged in a fresh store under limits.
//!
//! - [`load`] reads bindings, policies and `policies.lock` into a [`PolicySet`]
//! - [`Host`] compiles and runs components; [`judge`] asks every gate that is
//!   bound to a step, [`check`] every check of environments
//! - [`write_lock`] makes the text of `policies.lock`
//! - [`compile_child_main`] is the child
//!
//! What goes wrong with one policy is a [`Fault`](gitops_core::judge::Fault)
//! in its judgement, never an error of the whole. All text of a guest is
//! escaped before it leaves this crate.
//!
//! Files on disk: compiled components below the folder given to
//! [`Host::new`], by custom that of [`cache_folder`], and nothing else.

/// The package of `wit/policy.wit` that this host speaks.
pub const CONTRACT: &str = "kubectl-gitops:policy@0.1.0";

/// The lock's file, at the root of the repository.
pub const LOCK_FILE: &str = "policies.lock";

mod answer;
mod cache;
mod carry;
mod child;
mod engine;
mod evaluate;
mod files;
mod host;
mod judge;
mod limits;
mod load;
mod locate;
mod lock;
mod text;
mod world;

pub use cache::{CacheError, cache_folder};
pub use child::{COMPILE_COMMAND, compile_child_main};
pub use files::{binding_schema, policy_schema};
pub use host::{Host, HostError, HostOptions, Level, LogLine, LogSink};
pub use judge::{Checked, Lacks, check, judge};
pub use limits::Limits;
pub use load::{Binding, Bound, Module, Policy, PolicyError, PolicySet, Promotion, Role, load};
pub use lock::write_lock;
pub use text::{escape_line, escape_lines};
