//! What several verbs share: each operation asks the edges, and hands what it
//! got to the pure crates.

pub(crate) mod again;
pub(crate) mod audit;
pub(crate) mod claim;
pub(crate) mod concerned;
pub(crate) mod continuation;
pub(crate) mod desired;
pub(crate) mod gate;
pub(crate) mod gates;
pub(crate) mod held;
pub(crate) mod history;
pub(crate) mod holds;
pub(crate) mod live;
pub(crate) mod merge;
pub(crate) mod offline;
pub(crate) mod perform;
pub(crate) mod places;
pub(crate) mod policies;
pub(crate) mod preview;
mod prify;
pub(crate) mod promote;
mod prune;
pub(crate) mod records;
pub(crate) mod remotes;
pub(crate) mod renders;
pub(crate) mod rendition;
pub(crate) mod repository;
pub(crate) mod rollback;
pub(crate) mod route;
pub(crate) mod said;
pub(crate) mod saved;
mod sift;
pub(crate) mod trust;
pub(crate) mod versions;
pub(crate) mod workspace;
pub(crate) mod written;
