//! Between which environments a promotion may go.

use gitops_core::plan::{App, Pattern};

use super::desired::unknown_environment;
use super::held::{app, held};
use super::promote::differ;
use super::trust::Trust;
use crate::config::{After, Config, Environment};
use crate::failure::Failure;

/// The only environment after the one a promotion starts from.
pub(crate) fn following<'a>(
    config: &'a Config,
    from: Option<&str>,
) -> Result<&'a Environment, Failure> {
    let Some(from) = from else {
        let last = config.environments.iter().filter(|e| !e.after.names().is_empty());
        let names: Vec<&str> = last.map(|environment| environment.name.as_str()).collect();
        return Err(Failure::usage("promote to which environment?")
            .hint(format!("name it by `--to`: {}", names.join(", "))));
    };
    let source = config.environment(from).map_err(unknown_environment)?;
    match config.targets(&source.name).as_slice() {
        [] => Err(Failure::usage(format!(
            "`{from}` is the last environment: nothing is promoted from it"
        ))
        .hint("`kubectl gitops list` shows the order")),
        [only] => config.environment(only).map_err(unknown_environment),
        several => Err(Failure::usage(format!("several environments come after `{from}`"))
            .hint(format!("name one by `--to`: {}", several.join(", ")))),
    }
}

/// The environment that a promotion of `apps` starts from: one before the target,
/// or one that its `from` names. Of several of which any will do, it is the one
/// that differs from the target in what moves, if only one does.
pub(crate) fn source<'a>(
    trust: &'a Trust,
    target: &Environment,
    (from, from_rev): (Option<&str>, Option<&str>),
    apps: &[String],
) -> Result<&'a Environment, Failure> {
    let before = target.after.names();
    let mut ahead = Vec::new();
    if let (None, After::Any(_), several @ [first, _, ..]) = (from, &target.after, before) {
        ahead = match from_rev {
            None => differing(trust, target, several, apps)?,
            // A commit is one of a branch, which is not for us to guess.
            Some(_) => several.iter().map(String::as_str).collect(),
        };
        if ahead.is_empty() {
            ahead.push(first);
        }
    }
    let name = match (from, before, &target.after) {
        (Some(from), ..) => from,
        (None, [], _) => {
            let failure = Failure::usage(format!("no environment comes before `{}`", target.name))
                .hint(format!(
                    "`kubectl gitops release APP VERSION --to {}` puts a version there",
                    target.name
                ));
            return Err(match target.from.as_slice() {
                [] => failure,
                names => {
                    failure.hint(format!("or name a source by `--from`: {}", names.join(", ")))
                }
            });
        }
        (None, [only], _) => only,
        // All of them must hold the same, which is checked; any one will do.
        (None, [first, ..], After::All(_)) => first,
        (None, _, After::Any(_)) => match ahead.as_slice() {
            [only] => only,
            several => {
                let differ = if from_rev.is_some() { "" } else { " and differ from it" };
                return Err(Failure::usage(format!(
                    "several environments come before `{}`{differ}",
                    target.name
                ))
                .hint(format!("name one by `--from`: {}", several.join(", "))));
            }
        },
    };
    let source = trust.config.environment(name).map_err(unknown_environment)?;
    if source.name == target.name {
        return Err(Failure::usage(format!("`{name}` cannot be promoted into itself")));
    }
    if before.iter().chain(&target.from).any(|allowed| allowed == name) {
        return Ok(source);
    }
    let order = match before {
        [] => format!("nothing comes before `{}`", target.name),
        [only] => format!("{only} does"),
        names => format!("{} do", names.join(", ")),
    };
    let next = trust.config.targets(name);
    let failure =
        Failure::usage(format!("`{name}` does not come before `{}`: {order}", target.name));
    let failure = match next.as_slice() {
        [] => failure.hint(format!("`{name}` is the last environment: nothing comes after it")),
        next => failure.hint(format!("`{name}` is promoted to {}", next.join(" or "))),
    };
    Err(failure.hint(format!(
        "write `from: [{name}]` for environment `{}` in gitops.yaml to allow it",
        target.name
    )))
}

/// Those of `names` in which one of the apps, by name or glob, or any app where
/// none is named, is another one than in the target.
fn differing<'a>(
    trust: &Trust,
    target: &Environment,
    names: &'a [String],
    apps: &[String],
) -> Result<Vec<&'a str>, Failure> {
    let asked = |app: &App| {
        let is = |word: &String| {
            *word == app.name || Pattern::new(word).is_ok_and(|pattern| pattern.matches(&app.name))
        };
        apps.is_empty() || apps.iter().any(is)
    };
    let held = |environment: &Environment| -> Result<Vec<App>, Failure> {
        let tree = trust.place(environment)?.revision()?.tree;
        Ok(held(trust, environment, &tree)?.unwrap_or_default())
    };
    let theirs = held(target)?;
    let mut differing = Vec::new();
    for name in names {
        let ours = held(trust.config.environment(name).map_err(unknown_environment)?)?;
        let other = |ours: &App| {
            let theirs = app(&theirs, &ours.name).cloned();
            differ(&trust.config.rules, &ours.name, &target.name, Some(ours.clone()), theirs)
        };
        if ours.iter().any(|ours| asked(ours) && other(ours)) {
            differing.push(name.as_str());
        }
    }
    Ok(differing)
}
