//! Between which environments a promotion may go.

use super::desired::unknown_environment;
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

/// The environment that a promotion starts from: one before the target, or one
/// that its `from` names.
pub(crate) fn source<'a>(
    trust: &'a Trust,
    target: &Environment,
    from: Option<&str>,
) -> Result<&'a Environment, Failure> {
    let before = target.after.names();
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
        (None, several, After::Any(_)) => {
            return Err(Failure::usage(format!(
                "several environments come before `{}`",
                target.name
            ))
            .hint(format!("name one by `--from`: {}", several.join(", "))));
        }
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
