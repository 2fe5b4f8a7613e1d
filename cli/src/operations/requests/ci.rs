//! What `gate` says on a request: the statuses that `promote` sets, and the answers in
//! the comment that `promote` keeps; on a request of people, a comment of its own.

use gitops_core::gate::Status;
use gitops_core::plan::printable;
use gitops_core::request::{context, is_report};
use gitops_forge::{ApiError, Comment, CommitStatus, Request, RequestState};

use super::statuses::{release, settle, wanted};
use super::{about, same};
use crate::failure::Failure;
use crate::operations::forges::{Asked, failure};
use crate::operations::gate::{Inspected, Inspection};
use crate::operations::trust::{Home, Trust};
use crate::output::Terminal;
use crate::output::request::{answered_anew, judged_comment};

/// The comment of a request that no promotion keeps one on.
const OWN: &str = "gate";

/// Writes what was judged to the request of this number. What the token may not do is
/// warned of: then the exit code is all there is.
pub(crate) fn post(
    trust: &Trust,
    home: &Home,
    inspection: &Inspection<'_>,
    (number, base, head): (u64, &str, &str),
    terminal: Terminal,
) -> Result<(), Failure> {
    let reach = trust.forge(home)?;
    let Some(forge) = reach.asked() else {
        terminal.warn(format!("nothing is written to #{number}: {}", reach.why_not(home)));
        return Ok(());
    };
    let attempt = || format!("could not read #{number}");
    let request = forge.ask(attempt, forge.api().request(number))?;
    let judged = inspection.head.to_string();
    if request.head_commit != judged || request.state != RequestState::Open {
        terminal.warn(format!(
            "nothing is written to #{number}: {} is not its head, or it is not open",
            inspection.head.short()
        ));
        return Ok(());
    }
    let written = forge.run(async {
        statuses(forge, inspection, &judged).await?;
        comment(forge, &request, inspection, (base, head)).await
    });
    match written {
        Ok(()) => Ok(()),
        Err((attempt, error @ ApiError::Forbidden { .. })) => {
            let failure = failure(attempt, &error);
            terminal.warn(failure.words());
            terminal.hint("the exit code is the answer, with or without a token that writes");
            Ok(())
        }
        Err((attempt, error)) => Err(failure(attempt, &error)),
    }
}

/// What was attempted, and why it did not come about.
type Failed = (String, ApiError);

async fn statuses(forge: &Asked, inspection: &Inspection<'_>, head: &str) -> Result<(), Failed> {
    let attempt = |error| ("could not read the statuses of the request".to_owned(), error);
    let there = forge.statuses(head).await.map_err(attempt)?;
    for Inspected { environment, apps, preview } in &inspection.environments {
        let apps = named(apps);
        let mut all = wanted(&environment.name, &apps, preview);
        if let Some(refusal) = inspection.refusals.first() {
            let context = context(&environment.name, &apps, "policies");
            all.retain(|status| status.context != context);
            let description = format!("{}: {}", refusal.code, printable(&refusal.message));
            let state = Status::Failure;
            all.push(CommitStatus { context, state, description, target_url: None });
        }
        release(&mut all, &there, &environment.name, &apps);
        settle(forge, head, &there, all).await?;
    }
    Ok(())
}

/// The apps in the name of a status; a change that moves none has a name, too.
fn named(apps: &[String]) -> Vec<String> {
    if apps.is_empty() { vec!["-".to_owned()] } else { apps.to_vec() }
}

async fn comment(
    forge: &Asked,
    request: &Request,
    inspection: &Inspection<'_>,
    (base, head): (&str, &str),
) -> Result<(), Failed> {
    let reading = |error| (format!("could not read the comments of #{}", request.number), error);
    let all = forge.api().comments(request.number).await.map_err(reading)?;
    let is_of = |name: &str| all.iter().any(|comment| is_report(&comment.body, name));
    let kept = inspection.environments.iter().find_map(|one| {
        let name = about(&one.apps, &one.environment.name);
        is_of(&name).then_some((one, name))
    });
    let name = kept.as_ref().map_or(OWN, |(_, name)| name);
    let mut own = None;
    if is_of(name) {
        let me = forge.me().await.map_err(reading)?;
        let mine = |comment: &&Comment| me.is_some_and(|me| comment.author == me);
        own = all.iter().filter(mine).find(|comment| is_report(&comment.body, name));
    }
    let limit = forge.api().limits().comment;
    let text = match (&kept, own) {
        // It is somebody else's to write, who keeps it.
        (Some(_), None) => return Ok(()),
        (Some((one, _)), Some(own)) => {
            let anew = answered_anew(&own.body, &one.preview, &inspection.head, limit);
            anew.unwrap_or_else(|| own.body.clone())
        }
        (None, _) => judged_comment(inspection, (OWN, base, head), limit),
    };
    let failed = |error| (format!("could not comment on #{}", request.number), error);
    match own {
        Some(own) if same(&own.body, &text) => Ok(()),
        Some(own) => forge.api().edit_comment(own.id, &text).await.map_err(failed).map(drop),
        None => forge.api().comment(request.number, &text).await.map_err(failed).map(drop),
    }
}
