//! The plans of a promotion: from the source as it is, against what was promoted last.

use std::collections::BTreeMap;

use gitops_core::plan::{self, Planned, Prefer, Promotion, Side, Step};
use gitops_git::{CommitId, Repository};

use super::places::Home;
use super::promote::{Choices, Failed, unplanned};
use super::prune;
use super::records::{End, Records};
use super::trust::{Revision, Trust};
use super::versions::{self, Leave};
use crate::config::Environment;
use crate::failure::Failure;

/// What is asked of the planning.
pub(super) fn promotion<'a>(
    apps: &'a [String],
    version: Option<&'a str>,
    choices: Choices,
) -> Promotion<'a> {
    let Choices { prefer, prune, .. } = choices;
    Promotion { apps, version, prefer, prune, ..Promotion::default() }
}

/// The plans of a promotion, and the apps for which no version could be looked
/// for. Whether the environments before the target hold what is promoted is for
/// the gate `merged`.
pub(super) fn promoted(
    trust: &Trust,
    step: &Step<'_>,
    target: &Environment,
    (source, from_rev, base): (&Environment, Option<&str>, CommitId),
    promotion: Promotion<'_>,
    leave: Leave,
) -> Result<(Planned, Vec<Failed>), Failure> {
    let attempt = format!("could not promote from `{}` to `{}`", source.name, target.name);
    let Revision { commit, tree } = trust.place(source)?.at(from_rev)?;
    let reference = trust.reference(source)?;
    let revision = commit.to_string();
    let side = Side { environment: &reference, tree: &tree, revision: &revision };
    let unsettled = plan::unsettled(step, side, promotion.apps)
        .map_err(|error| unplanned(trust, &attempt, &error))?;
    let (from, to) = (trust.place(source)?, trust.place(target)?);
    let gone = match promotion.prune {
        true => plan::gone(step, side, promotion.apps)
            .map_err(|error| unplanned(trust, &attempt, &error))?,
        false => Vec::new(),
    };
    let unsettled: Vec<String> = unsettled.into_iter().chain(gone.iter().cloned()).collect();
    let last = |apps: &[String], from: &Repository, to: &Repository| {
        Records {
            rules: &trust.config.rules,
            source: End { repository: from, environment: &reference, tip: commit },
            target: End { repository: to, environment: step.target.environment, tip: base },
        }
        .last(apps)
    };
    let mut past = last(&unsettled, &from.home.repository, &to.home.repository)?;
    let open: Vec<String> = unsettled.into_iter().filter(|app| !past.contains_key(app)).collect();
    let cut = from.home.repository.is_shallow() || to.home.repository.is_shallow();
    if !open.is_empty() && cut && promotion.prefer != Prefer::Source {
        past.extend(if std::ptr::eq(from.home, to.home) {
            let whole = whole(to.home, &[from.branch, to.branch])?;
            last(&open, &whole.repository, &whole.repository)?
        } else {
            let (from, to) = (whole(from.home, &[from.branch])?, whole(to.home, &[to.branch])?);
            last(&open, &from.repository, &to.repository)?
        });
    }
    let mut whence = BTreeMap::new();
    for app in gone {
        let was = prune::came_from(trust, source, &commit, &app, past.get(&app))?;
        whence.insert(app, was);
    }
    let constraint = promotion.version.map(versions::constraint).transpose()?.flatten();
    let (choices, unchosen) = match &constraint {
        None => (None, Vec::new()),
        Some(constraint) => {
            let by = (constraint, leave);
            let (choices, unchosen) =
                versions::choices(trust, step, Some(side), promotion.apps, by)
                    .map_err(|error| unplanned(trust, &attempt, &error))?;
            (Some(choices), unchosen)
        }
    };
    let version = promotion.version.filter(|_| constraint.is_none());
    let choices = choices.as_ref();
    let (past, gone) = (Some(&past), Some(&whence));
    let promotion = Promotion { past, version, choices, gone, ..promotion };
    let planned = plan::promote(step, side, &promotion);
    Ok((planned.map_err(|error| unplanned(trust, &attempt, &error))?, unchosen))
}

/// Without the whole history, what only the target has changed could not be
/// told from what was promoted: what a shallow clone lacks is fetched beside it.
fn whole(home: &Home, branches: &[&str]) -> Result<Home, Failure> {
    home.whole(branches).map_err(|failure| {
        failure.hint("`git fetch --unshallow` brings the history of this clone").hint(
            "`--conflicts source` goes on without it: what the target has changed is replaced",
        )
    })
}
