//! `prify.yml` as it is written. Keys that PRify does not have are refused by
//! [`super::keys`] before anything is decoded.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

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
    #[serde(default, deserialize_with = "boolean")]
    pub(super) rebase: bool,
}

/// A boolean, or a word that YAML 1.1 takes for one: PRify reads with yaml.v2,
/// which knows these.
fn boolean<'de, D: Deserializer<'de>>(node: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a boolean")]
    enum Written {
        Boolean(bool),
        Word(String),
    }
    let word = match Written::deserialize(node)? {
        Written::Boolean(value) => return Ok(value),
        Written::Word(word) => word,
    };
    match word.as_str() {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Ok(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Ok(false),
        _ => Err(D::Error::custom("expected a boolean")),
    }
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
