//! What an environment held at a commit, as far as it moves.

use gitops_core::plan::{App, Narrow, PlanError, discover_apps};
use gitops_tree::{Tree, TreePath};

use super::promote::plan_failure;
use super::trust::Trust;
use crate::config::Environment;
use crate::failure::Failure;

/// The apps of an environment in `tree` with the values that move; `None`
/// where the environment's folder does not stand there.
pub(crate) fn held(
    trust: &Trust,
    environment: &Environment,
    tree: &dyn Tree,
) -> Result<Option<Vec<App>>, Failure> {
    let attempt = || format!("could not read the apps of `{}`", environment.name);
    let folder = folder(environment, None)?;
    let kind = tree.kind(&folder).map_err(|error| Failure::world(attempt()).because(&error))?;
    if kind.is_none() {
        return Ok(None);
    }
    let reference = trust.reference(environment)?;
    let mut apps = match discover_apps(tree, &reference, &trust.config.rules) {
        Ok(apps) => apps,
        Err(PlanError::NoKustomization { .. }) => Vec::new(),
        Err(error) => return Err(plan_failure(&attempt(), &error)),
    };
    for app in &mut apps {
        if let Some(rule) = trust.config.rules.of(&app.name) {
            app.slots.retain(|slot| rule.moves(slot));
        }
    }
    Ok(Some(apps))
}

/// As [`held`], of one app alone.
pub(crate) fn held_of(
    trust: &Trust,
    environment: &Environment,
    tree: &dyn Tree,
    app: &str,
) -> Result<Option<App>, Failure> {
    let narrow = Narrow::to(tree, &trust.reference(environment)?, std::iter::once(app));
    let apps = held(trust, environment, &narrow)?.unwrap_or_default();
    Ok(apps.into_iter().find(|found| found.name == app))
}

/// The folder of an app in an environment, or of the environment as far as it
/// names no app.
pub(crate) fn folder(environment: &Environment, app: Option<&str>) -> Result<TreePath, Failure> {
    let plain = match app {
        Some(app) => environment.path.replace("{app}", app),
        None => {
            let names = environment.path.split('/').take_while(|name| !name.contains("{app}"));
            names.collect::<Vec<_>>().join("/")
        }
    };
    TreePath::new(&plain).map_err(|error| {
        Failure::usage(format!("path of environment `{}`", environment.name)).because(&error)
    })
}

/// One app of several.
pub(crate) fn app<'a>(apps: &'a [App], name: &str) -> Option<&'a App> {
    apps.iter().find(|app| app.name == name)
}

/// The version in words.
pub(crate) fn version(app: Option<&App>) -> String {
    app.and_then(App::version).unwrap_or_else(|| "no version".to_owned())
}
