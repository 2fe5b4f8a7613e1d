//! A version that was chosen from those that are offered, on its way into an
//! environment.

use std::collections::BTreeMap;

use super::apps::discover;
use super::chosen::chosen;
use super::error::PlanError;
use super::make::{Side, Step};
use super::merge::{Merged, Past, Prefer, merge};
use super::slot::App;
use super::version::Chosen;
use super::wanted::{Holder, find, promoted, released, rule_of};

/// An app for which a version is to be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeker {
    /// Its name.
    pub app: String,
    /// The version in the target.
    pub current: Option<String>,
    /// The version in the source, which says how versions are spelt where the
    /// target has none.
    pub source: Option<String>,
}

/// What came of choosing, app by app. One that is left out is not planned.
pub type Choices = BTreeMap<String, Result<Chosen, PlanError>>;

/// The apps that `asked` means, names and globs, with the versions that stand
/// in the target and, of a promotion, in the source. A release names apps of the
/// target.
///
/// # Errors
///
/// When an environment cannot be read, a glob means nothing, or a release names
/// what is not there.
pub fn seekers(
    step: &Step<'_>,
    from: Option<Side<'_>>,
    asked: &[String],
) -> Result<Vec<Seeker>, PlanError> {
    let target = step.target;
    let here = discover(target.tree, target.environment, step.rules)?;
    let there = match from {
        None => None,
        Some(from) => Some((discover(from.tree, from.environment, step.rules)?, from)),
    };
    if from.is_none() {
        for app in asked {
            match here.broken.get(app) {
                Some(error) => return Err(error.clone()),
                None => find(&here.apps, app, target.environment)?,
            };
        }
    }
    let (held, environment) = match &there {
        None => (here.names(), target.environment),
        Some((there, from)) => (there.names(), from.environment),
    };
    let version = |apps: &[App], name: &str| apps.iter().find(|app| app.name == name)?.version();
    let seeker = |app: String| Seeker {
        current: version(&here.apps, &app),
        source: there.as_ref().and_then(|(there, _)| version(&there.apps, &app)),
        app,
    };
    Ok(chosen(held, asked, environment)?.into_keys().map(seeker).collect())
}

/// A chosen version of one app on its way from `source` to `target`. Where the
/// source runs it, this is a promotion like any other; else the version goes
/// alone.
pub(super) fn entered(
    step: &Step<'_>,
    source: Holder<'_>,
    target: Holder<'_>,
    name: &str,
    version: &Chosen,
    (past, prefer): (Option<&Past>, Prefer),
) -> Result<Merged, PlanError> {
    let ends = (source.environment.name.as_str(), target.environment.name.as_str());
    let app = find(source.apps, name, source.environment)?;
    let written = version.written.as_str();
    let mut merged = match promoted(step, source, target, app, Some(written)) {
        Ok(wants) => merge(name, ends, wants, past, prefer)?,
        Err(PlanError::OtherVersion { found, .. }) => {
            let here = find(target.apps, name, target.environment)?;
            let rule = rule_of(step.rules, here, target.environment)?;
            let wants = released(here, rule, target.environment, written)?;
            let note = format!("{} runs `{found}` of {name}: only the version moves", ends.0);
            Merged { wants, notes: vec![note], alone: true }
        }
        Err(error) => return Err(error),
    };
    let first = version.notes(name);
    merged.notes.splice(0..0, first);
    Ok(merged)
}
