//! The API server, read only. Every request of this crate is a `GET`, carries
//! `dryRun=All`, or is a SelfSubjectAccessReview; `wire` can build no other.
//!
//! - `connect`: [`Cluster::connect`] with kubectl's flags
//! - `discovery`: which kinds are served: [`Discovery`], [`Resource`], [`Target`]
//! - `read`: one live object, or a collection
//! - `observe`: the live side of many objects with few requests
//! - `dry_run`: what the server would make of a write
//! - `promise`: whether the server of a kind keeps `dryRun=All`
//! - `predict`: many of those at once, each of the state that was observed
//! - `mutators`: whether admission may change what is written
//! - `error`: what can go wrong, and what the server said
//!
//! Files read: the kubeconfig files, and what they name.

mod connect;
mod discovery;
mod dry_run;
mod error;
mod limit;
mod mutators;
mod observe;
mod predict;
mod promise;
mod proxy;
mod read;
mod wire;

pub use connect::{Cluster, Options};
pub use discovery::{Discovery, Resource, Target};
pub use dry_run::{ApplyOptions, Patch, Predicted, Validation, Write};
pub use error::{ApplyError, Cause, ClusterError, Refusal};
pub use mutators::Mutators;
pub use predict::{Ask, Outcome};
pub use read::{List, Listing, Live};
