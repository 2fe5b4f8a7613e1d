//! Saved plans: one JSON document that names its own contents, and what has
//! moved since it was written. It holds no bytes of files and no objects.

use std::collections::BTreeMap;
use std::path::Path;

use gitops_core::plan::{Plan, printable};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::promote::Proposal;
use crate::failure::{Exit, Failure};

/// What stands for the digest while it is computed.
const BLANK: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// What was asked for, so that it can be asked again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Asked {
    pub(crate) apps: Vec<String>,
    pub(crate) to: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) from_rev: Option<String>,
    pub(crate) version: Option<String>,
    #[serde(default)]
    pub(crate) downgrade: bool,
    #[serde(default)]
    pub(crate) pre_release: bool,
    #[serde(default)]
    pub(crate) prune: bool,
    pub(crate) conflicts: Option<String>,
    pub(crate) also: Vec<String>,
    pub(crate) group: bool,
}

/// A plan that was read again.
pub(crate) struct Saved {
    file: String,
    pub(crate) asked: Asked,
    plans: Vec<Written>,
}

/// One plan of the document, as far as it is held against the present.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    apps: Vec<String>,
    plan_digest: String,
    #[serde(default)]
    version: String,
    reads: Vec<Read>,
    #[serde(default)]
    decision: Option<String>,
}

#[derive(Deserialize)]
struct Read {
    from: String,
    path: String,
    found: String,
}

/// Writes a document of kind `Plan` with its digest.
pub(crate) fn write(file: &Path, document: &str, asked: &Asked) -> Result<(), Failure> {
    let attempt = || format!("could not save the plan as `{}`", file.display());
    let lost = |error: serde_json::Error| Failure::world(attempt()).because(&error);
    let mut value: Value = serde_json::from_str(document).map_err(lost)?;
    let plans = value.get_mut("plans").and_then(Value::as_array_mut);
    plans.into_iter().flatten().for_each(without_objects);
    value["asked"] = serde_json::to_value(asked).map_err(lost)?;
    value["digest"] = BLANK.into();
    let mut text = serde_json::to_string_pretty(&value).map_err(lost)?;
    text.push('\n');
    let text = text.replacen(BLANK, &digest(&text), 1);
    std::fs::write(file, text).map_err(|error| Failure::world(attempt()).because(&error))
}

fn without_objects(plan: &mut Value) {
    let Some(fields) = plan.as_object_mut() else { return };
    fields.remove("changes");
    let also = fields.get_mut("also").and_then(Value::as_array_mut);
    also.into_iter().flatten().filter(|also| also.is_object()).for_each(without_objects);
}

fn digest(text: &str) -> String {
    let sum = Sha256::digest(text.as_bytes());
    sum.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Reads a document that [`write`] made; one changed byte is enough to refuse
/// it.
pub(crate) fn read(file: &Path) -> Result<Saved, Failure> {
    #[derive(Deserialize)]
    struct Document {
        kind: String,
        digest: String,
        asked: Asked,
        plans: Vec<Written>,
    }
    let name = file.display().to_string();
    let refused = || {
        Failure::usage(format!("could not use the plan `{name}`"))
            .hint("make it anew by `kubectl gitops promote … --save FILE`")
    };
    let text = std::fs::read_to_string(file).map_err(|error| refused().because(&error))?;
    let document: Document =
        serde_json::from_str(&text).map_err(|error| refused().because(&error))?;
    let because = |reason: &str| {
        let mut failure = refused();
        failure.causes.push(reason.to_owned());
        Err(failure)
    };
    if document.kind != "Plan" {
        return because("it is no document of kind `Plan`");
    }
    if digest(&text.replacen(&document.digest, BLANK, 1)) != document.digest {
        return because("it has been changed since it was saved: its digest is another one");
    }
    Ok(Saved { file: name, asked: document.asked, plans: document.plans })
}

impl Saved {
    /// Refuses to go on unless what is planned now is what was saved, and was
    /// not refused then.
    pub(crate) fn check(&self, proposal: &Proposal<'_>) -> Result<(), Failure> {
        let mut causes = Vec::new();
        for written in &self.plans {
            let apps = printable(&written.apps.join(", "));
            let now = proposal.steps.iter().find(|step| step.plan.apps == written.apps);
            match now {
                None => causes.push(format!("{apps}: nothing is planned for it any more")),
                Some(now) if now.plan.plan_digest() == written.plan_digest => {}
                // Nothing more is read then, which is no answer to why.
                Some(now) if now.plan.nothing_to_do() => causes.push(format!(
                    "{apps}: there is nothing to do any more: {} holds what {} does",
                    now.plan.target.name,
                    now.plan.source.as_ref().map_or("the plan", |source| source.name.as_str())
                )),
                Some(now) => causes.extend(moved(&apps, written, &now.plan)),
            }
            if let Some(word @ ("closed" | "faulty")) = written.decision.as_deref() {
                causes.push(format!("{apps}: the gate was {word} when the plan was saved"));
            }
        }
        for step in &proposal.steps {
            if !self.plans.iter().any(|written| written.apps == step.plan.apps) {
                let apps = printable(&step.plan.apps.join(", "));
                causes.push(format!("{apps}: it moves now, and is not in the plan"));
            }
        }
        if causes.is_empty() {
            return Ok(());
        }
        let mut failure = Failure::usage(format!("the plan `{}` does not hold", self.file))
            .hint("plan again by `--save`, and look at what has changed");
        failure.exit = Exit::No;
        failure.causes = causes;
        Err(failure)
    }
}

/// What was read then and is another now.
fn moved(apps: &str, written: &Written, now: &Plan) -> Vec<String> {
    let key = |from: &str, path: &str, found: &str| {
        // A folder may have been asked for its names and for its kind.
        (from.to_owned(), path.to_owned(), found.starts_with("names:"))
    };
    let before: BTreeMap<_, &str> = written
        .reads
        .iter()
        .map(|read| (key(&read.from, &read.path, &read.found), read.found.as_str()))
        .collect();
    let after: BTreeMap<_, String> = now
        .reads
        .iter()
        .map(|read| (read, read.found.to_string()))
        .map(|(read, found)| (key(read.from.word(), read.path.as_str(), &found), found))
        .collect();
    let short = |found: &str| found.chars().take(16).collect::<String>();
    let mut lines = Vec::new();
    if written.version != now.version {
        let (then, now) = (printable(&written.version), printable(&now.version));
        lines.push(format!("{apps}: the version was {then}, is {now}"));
    }
    for (at @ (from, path, _), found) in &before {
        let what = match after.get(at) {
            Some(now) if now == found => continue,
            Some(now) => format!("was {}, is {}", short(found), short(now)),
            None => format!("was {}, is not read any more", short(found)),
        };
        lines.push(format!("{apps}: {from} `{}` {what}", printable(path)));
    }
    for (at @ (from, path, _), found) in &after {
        if !before.contains_key(at) {
            let (path, found) = (printable(path), short(found));
            lines.push(format!("{apps}: {from} `{path}` is read now: {found}"));
        }
    }
    if lines.is_empty() {
        lines.push(format!("{apps}: it would change other bytes, or rests on another promotion"));
    }
    lines
}
