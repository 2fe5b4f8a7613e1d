//! What environments hold, held to the checks that are bound to them.

use gitops_core::diff::Shown;
use gitops_core::gate::moment;
use gitops_core::judge::{Decision, Rendered, decide};
use gitops_policy::{Checked, PolicySet};
use jiff::Timestamp;

use super::desired::{git_failure, sealer, unknown_environment};
use super::policies::{host, policy_failure};
use super::trust::Trust;
use super::workspace::Workspace;
use crate::config::{Config, Environment};
use crate::context::Context;
use crate::failure::Failure;

/// What the checks said.
pub(crate) struct Report {
    /// What the environments are read from, in words.
    pub(crate) looked_at: String,
    /// Where the policies are from, in words.
    pub(crate) trusted: String,
    /// The environments that were asked about.
    pub(crate) environments: Vec<String>,
    /// What each check says of each of them.
    pub(crate) checked: Vec<Checked>,
    pub(crate) decision: Decision,
}

/// Renders the environments and asks the checks. Where a check compares one of
/// them with others, those are rendered as well.
pub(crate) fn check(
    context: &Context,
    workspace: &Workspace,
    config: &Config,
    asked: &[&Environment],
) -> Result<Report, Failure> {
    let (policies, trusted) = policies(context, workspace, config)?;
    refuse_unknown(&policies, config)?;
    let names: Vec<&str> = asked.iter().map(|environment| environment.name.as_str()).collect();
    let bound: Vec<&str> = names.iter().copied().filter(|name| is_bound(&policies, name)).collect();
    for name in names.iter().filter(|name| !bound.contains(name)) {
        context.terminal.note(format!("no check is bound to `{name}`"));
    }
    let sealer = sealer(Some(config));
    let branch = config.trust_branch.clone().unwrap_or_default();
    let mut environments = Vec::new();
    for name in policies.together(&bound) {
        let environment = config.environment(name).map_err(unknown_environment)?;
        let (objects, place) = workspace.desired(config, environment, context.terminal)?;
        let shown = objects.iter().map(|raw| raw.show(&sealer, Shown::default())).collect();
        let revision = place.commit().map(|commit| commit.to_string()).unwrap_or_default();
        let environment = environment.reference(&branch);
        environments.push((Rendered { environment, revision }, shown));
    }
    let checked = if environments.is_empty() {
        Vec::new()
    } else {
        let now = moment(Timestamp::now());
        let all = gitops_policy::check(&host(context.terminal)?, &policies, environments, &now);
        let concerns = |one: &Checked| one.environments.iter().any(|name| names.contains(&&**name));
        all.into_iter().filter(concerns).collect()
    };
    Ok(Report {
        looked_at: workspace.label().to_owned(),
        trusted,
        environments: names.into_iter().map(str::to_owned).collect(),
        decision: decide(checked.iter().map(|one| &one.judgement)),
        checked,
    })
}

/// A check that is bound to an environment that is none would never be asked.
fn refuse_unknown(policies: &PolicySet, config: &Config) -> Result<(), Failure> {
    for (binding, bound) in policies.checks() {
        for name in &binding.environments {
            config.environment(name).map_err(|error| {
                let failure = unknown_environment(error);
                let error = format!("{}: {}", bound.place, failure.error);
                Failure { error, ..failure }
            })?;
        }
    }
    Ok(())
}

fn is_bound(policies: &PolicySet, environment: &str) -> bool {
    policies
        .checks()
        .any(|(binding, _)| binding.environments.iter().any(|name| name == environment))
}

/// The policies of the trust branch, as the remote has it now; without any
/// remote, those that stand beside what is looked at.
fn policies(
    context: &Context,
    workspace: &Workspace,
    config: &Config,
) -> Result<(PolicySet, String), Failure> {
    let remotes = workspace.repository().remotes();
    if !remotes.map_err(|error| git_failure("could not read the remotes", &error))?.is_empty() {
        let trust = Trust::open(context)?;
        let trusted = format!("`{}` of `{}`", trust.branch, trust.home().remote.name);
        return Ok((trust.policies, trusted));
    }
    let policies = match &config.policies {
        None => PolicySet::default(),
        Some(bindings) => gitops_policy::load(workspace.tree(), bindings)
            .map_err(|error| policy_failure(&error))?,
    };
    Ok((policies, format!("the {}, since no remote is there to trust", workspace.label())))
}
