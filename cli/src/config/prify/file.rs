//! `prify.yml` as it is written. Keys that PRify does not have are refused by
//! [`super::keys`] before anything is decoded.

use serde::Deserialize;

/// The whole file.
#[derive(Deserialize, Debug)]
pub(super) struct File {
    pub(super) branch: Branch,
    #[serde(default)]
    pub(super) commit: Commit,
    #[serde(default)]
    pub(super) push: Option<Nothing>,
    #[serde(default)]
    pub(super) pr: Option<Pr>,
}

/// Where a change goes.
#[derive(Deserialize, Debug)]
pub(super) struct Branch {
    pub(super) name: String,
    #[serde(default)]
    pub(super) base: Option<String>,
    #[serde(default)]
    pub(super) rebase: bool,
}

/// Its commit.
#[derive(Deserialize, Debug, Default)]
pub(super) struct Commit {
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) author: Option<String>,
    #[serde(default)]
    pub(super) email: Option<String>,
}

/// `{}`
#[derive(Deserialize, Debug)]
pub(super) struct Nothing {}

/// Its request.
#[derive(Deserialize, Debug)]
pub(super) struct Pr {
    #[serde(default)]
    pub(super) github: Option<GitHub>,
    #[serde(default)]
    pub(super) title: String,
    #[serde(default)]
    pub(super) description: String,
}

/// Where the request is opened.
#[derive(Deserialize, Debug)]
pub(super) struct GitHub {
    #[serde(default)]
    pub(super) org: Option<String>,
    #[serde(default)]
    pub(super) repo: Option<String>,
}
