//! Saved plans: one JSON document that names its own contents, and what has
//! moved since it was written. It holds no bytes of files and no objects.

use std::collections::BTreeMap;
use std::path::Path;

use clap::ValueEnum;
use gitops_core::plan::{Plan, Prefer, printable};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::promote::{Choices, Proposal, Wish};
use super::versions::Leave;
use crate::failure::{Exit, Failure};

/// What stands for the digest while it is computed.
pub(crate) const BLANK: &str =
    "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// What was asked for, so that it can be asked again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "operation", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[serde(deny_unknown_fields)]
pub(crate) enum Asked {
    /// A version enters an environment.
    Release {
        app: String,
        version: String,
        downgrade: bool,
        pre_release: bool,
        to: Option<String>,
        also: Vec<String>,
    },
    /// What one environment runs enters another.
    Promote {
        apps: Vec<String>,
        to: Option<String>,
        from: Option<String>,
        from_rev: Option<String>,
        version: Option<String>,
        downgrade: bool,
        pre_release: bool,
        prune: bool,
        conflicts: Option<Winner>,
        also: Vec<String>,
        group: bool,
    },
}

/// Who wins over a value that both environments have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Winner {
    /// Take what the source holds
    Source,
    /// Keep what the target holds
    Target,
}

impl Winner {
    /// What it is to the planning.
    pub(crate) fn prefer(winner: Option<Winner>) -> Prefer {
        match winner {
            None => Prefer::Neither,
            Some(Winner::Source) => Prefer::Source,
            Some(Winner::Target) => Prefer::Target,
        }
    }
}

impl Asked {
    /// The verb that asks for it.
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Asked::Release { .. } => "release",
            Asked::Promote { .. } => "promote",
        }
    }

    /// The same as a wish.
    pub(crate) fn wish(&self) -> Wish<'_> {
        match self {
            Asked::Release { app, version, downgrade, pre_release, to, also } => Wish::Release {
                app,
                version,
                leave: Leave { downgrade: *downgrade, pre_release: *pre_release },
                to: to.as_deref(),
                also,
            },
            Asked::Promote {
                apps,
                to,
                from,
                from_rev,
                version,
                downgrade,
                pre_release,
                prune,
                conflicts,
                also,
                group,
            } => Wish::Promote {
                apps,
                to: to.as_deref(),
                from: from.as_deref(),
                from_rev: from_rev.as_deref(),
                version: version.as_deref(),
                choices: Choices {
                    prefer: Winner::prefer(*conflicts),
                    prune: *prune,
                    leave: Leave { downgrade: *downgrade, pre_release: *pre_release },
                },
                also,
                group: *group,
            },
        }
    }
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
    #[serde(default)]
    source: Option<Source>,
    reads: Vec<Read>,
}

#[derive(Deserialize)]
struct Source {
    name: String,
}

#[derive(Deserialize)]
struct Read {
    from: String,
    path: String,
    found: String,
}

/// Writes a document of kind `Plan`, with its digest in place of [`BLANK`].
pub(crate) fn write(file: &Path, document: &str) -> Result<(), Failure> {
    let attempt = || format!("could not save the plan as `{}`", file.display());
    let text = document.replacen(BLANK, &digest(document), 1);
    std::fs::write(file, text).map_err(|error| Failure::world(attempt()).because(&error))
}

fn digest(text: &str) -> String {
    let sum = Sha256::digest(text.as_bytes());
    sum.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Reads a document that [`write`] made; one changed byte is enough to refuse
/// it. `verb` is the one that performs it.
pub(crate) fn read(file: &Path, verb: &str) -> Result<Saved, Failure> {
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
            .hint(format!("make it anew by `kubectl gitops {verb} … --save FILE`"))
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
    if document.asked.verb() != verb {
        let other = document.asked.verb();
        return Err(Failure::usage(format!("the plan `{name}` is that of a {other}"))
            .hint(format!("perform it by `kubectl gitops {other} --plan {name}`")));
    }
    Ok(Saved { file: name, asked: document.asked, plans: document.plans })
}

impl Saved {
    /// The apps of each plan.
    pub(crate) fn parts(&self) -> Vec<Vec<String>> {
        self.plans.iter().map(|plan| plan.apps.clone()).collect()
    }

    /// Refuses to go on unless what is planned now is what was saved. What gates
    /// and policies said then is no part of it: they are asked now.
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
        }
        for step in &proposal.steps {
            if !self.plans.iter().any(|written| written.apps == step.plan.apps) {
                let apps = printable(&step.plan.apps.join(", "));
                causes.push(format!("{apps}: it moves now, and is not in the plan"));
            }
        }
        if causes.is_empty() { Ok(()) } else { Err(self.refused(causes)) }
    }

    /// The same for a plan that is made again on what this run has pushed: other
    /// files are edited then, in the same way.
    pub(crate) fn check_again(&self, before: &Plan, now: Option<&Plan>) -> Result<(), Failure> {
        let values = |plan: &Plan| -> Vec<_> {
            let values = plan.moves.iter().map(|moved| {
                let (before, after) = (moved.before.clone(), moved.after.clone());
                (moved.app.clone(), moved.what, moved.name.clone(), before, after)
            });
            values.collect()
        };
        if now.map(values) == Some(values(before)) {
            return Ok(());
        }
        let apps = printable(&before.apps.join(", "));
        Err(self.refused(vec![format!("{apps}: other values move now")]))
    }

    fn refused(&self, causes: Vec<String>) -> Failure {
        let mut failure = Failure::usage(format!("the plan `{}` does not hold", self.file))
            .hint("plan again by `--save`, and look at what has changed");
        failure.exit = Exit::No;
        failure.causes = causes;
        failure
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
    let source = written.source.as_ref().map(|source| source.name.as_str());
    let other = now.source.as_ref().map(|source| source.name.as_str());
    if let (Some(source), Some(other)) = (source, other)
        && source != other
    {
        lines.push(format!("{apps}: the source was {source}, is {other}"));
    }
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
