//! Which apps of a promotion the past decides over: those whose values differ,
//! and those that the source does not hold.

use super::apps::discover;
use super::chosen::{chosen, is_glob};
use super::error::PlanError;
use super::make::{Side, Step};
use super::narrow::discover_some;
use super::rules::Pattern;
use super::slot::Slot;
use super::wanted::rule_of;

/// The apps whose values differ between source and target, so that the last
/// promotion decides what moves.
///
/// # Errors
///
/// When an environment cannot be read.
pub fn unsettled(
    step: &Step<'_>,
    from: Side<'_>,
    apps: &[String],
) -> Result<Vec<String>, PlanError> {
    let held = discover_some(from.tree, from.environment, step.rules, apps)?;
    let target = step.target;
    let place = discover_some(target.tree, target.environment, step.rules, apps)?.apps;
    // A glob may mean apps that only the target holds.
    let mut names = held.names();
    names.extend(place.iter().map(|app| app.name.clone()));
    let chosen = chosen(names, apps, from.environment)
        .or_else(|_| chosen(held.names(), apps, from.environment))?;
    let wanted = held.apps.iter().filter(|app| chosen.iter().any(|(name, _)| *name == app.name));
    let differs = wanted.filter(|app| {
        let Some(rule) = step.rules.of(&app.name) else { return false };
        let here = place.iter().find(|other| other.name == app.name);
        let value = |slot: &Slot| here.and_then(|here| here.slot(&slot.id)?.value.clone());
        let gone = here.into_iter().flat_map(|here| &here.slots);
        app.slots.iter().any(|slot| rule.moves(slot) && value(slot) != slot.value)
            || gone.into_iter().any(|slot| rule.moves(slot) && app.slot(&slot.id).is_none())
    });
    Ok(differs.map(|app| app.name.clone()).collect())
}

/// The apps of the target that the source does not hold, where apps have
/// folders of their own; not those that are asked for by name.
///
/// # Errors
///
/// When an environment cannot be read.
pub fn gone(step: &Step<'_>, from: Side<'_>, asked: &[String]) -> Result<Vec<String>, PlanError> {
    let target = step.target;
    if !target.environment.path.contains("{app}") {
        return Ok(Vec::new());
    }
    let held = discover(from.tree, from.environment, step.rules)?.names();
    let place = discover(target.tree, target.environment, step.rules)?;
    let mut gone = Vec::new();
    for app in place.apps {
        if held.contains(&app.name) || rule_of(step.rules, &app, target.environment).is_err() {
            continue;
        }
        let glob = |word: &&String| {
            is_glob(word) && Pattern::new(word).is_ok_and(|p| p.matches(&app.name))
        };
        if asked.is_empty() || asked.iter().any(|word| glob(&word)) {
            gone.push(app.name);
        }
    }
    Ok(gone)
}
