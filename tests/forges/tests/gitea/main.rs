//! The suite on a real Gitea, and what is Gitea's alone.

#![allow(clippy::unwrap_used, missing_docs)]

mod git;
mod own;

use gitops_test_forges::{Stage, gitea, scenarios};

fn stage() -> Option<&'static dyn Stage> {
    gitea().map(|gitea| gitea as &dyn Stage)
}

scenarios!(stage());
