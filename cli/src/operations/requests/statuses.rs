//! The commit statuses of a request's head: one a gate.

use gitops_core::gate::{Answer, Status, Zone};
use gitops_core::judge::{Decision, decide};
use gitops_core::plan::printable;
use gitops_core::request::{Md, context};
use gitops_forge::{ApiError, CommitStatus};

use super::{Living, TRIES, unanswered};
use crate::failure::Failure;
use crate::operations::forges::{Asked, failure};
use crate::operations::preview::Preview;
use crate::operations::promote::Judged;
use crate::output::request::reason;

impl Living<'_> {
    /// Makes sure of the statuses of `head`; on a commit that this run made there
    /// is none yet. Answers whether one was set.
    pub(super) async fn statuses(
        &self,
        step: &Judged,
        head: &str,
        fresh: bool,
    ) -> Result<bool, Failure> {
        let Some(preview) = &step.preview else { return Ok(false) };
        let mut wanted = wanted(&step.plan.target.name, &step.plan.apps, preview);
        let attempt =
            || format!("could not read the statuses of {}", head.get(..10).unwrap_or(head));
        let there = match fresh {
            true => Vec::new(),
            false => {
                let there = self.asked().statuses(head).await;
                there.map_err(|error| failure(attempt(), &error))?
            }
        };
        release(&mut wanted, &there, &step.plan.target.name, &step.plan.apps);
        match settle(self.asked(), head, &there, wanted).await {
            Ok(set) => Ok(set),
            Err((attempt, ApiError::Unanswered { .. })) => Err(unanswered(attempt)),
            Err((attempt, error)) => self.may_lack(attempt, &error).map(|()| false),
        }
    }
}

/// A gate that is not asked any more must not keep the request shut.
pub(super) fn release(
    wanted: &mut Vec<CommitStatus>,
    there: &[CommitStatus],
    environment: &str,
    apps: &[String],
) {
    let prefix = context(environment, apps, "");
    for old in there {
        let known = wanted.iter().any(|status| status.context == old.context);
        if old.context.starts_with(&prefix) && old.state != Status::Success && !known {
            wanted.push(CommitStatus {
                state: Status::Success,
                description: "not asked any more".to_owned(),
                ..old.clone()
            });
        }
    }
}

/// Sets those statuses that are not `there` as they are wanted. Answers whether one
/// was set; where one could not be, the others would fare no better.
pub(super) async fn settle(
    forge: &Asked,
    head: &str,
    there: &[CommitStatus],
    wanted: Vec<CommitStatus>,
) -> Result<bool, (String, ApiError)> {
    let longest = forge.api().limits().description;
    let mut set = false;
    for mut status in wanted {
        status.description = Md::short(&status.description, longest.saturating_sub(1));
        let now = there.iter().find(|old| old.context == status.context);
        // How an open gate came to be open may be worded anew every day.
        let stands = now.is_some_and(|now| {
            now.state == status.state
                && (status.state == Status::Success || now.description == status.description)
        });
        if stands {
            continue;
        }
        let mut tried = 1;
        let done = loop {
            match forge.set_status(head, &status).await {
                Err(ApiError::Unanswered { .. }) if tried < TRIES => tried += 1,
                done => break done,
            }
        };
        done.map_err(|error| (format!("could not set the status `{}`", status.context), error))?;
        set = true;
    }
    Ok(set)
}

/// The contexts that gates of an environment for these apps have, by their words.
pub(super) fn contexts(environment: &str, apps: &[String], gates: &[&str]) -> Vec<String> {
    gates.iter().map(|gate| context(environment, apps, gate)).collect()
}

/// What the statuses are to be.
pub(super) fn wanted(environment: &str, apps: &[String], preview: &Preview) -> Vec<CommitStatus> {
    let mut all: Vec<CommitStatus> = Vec::new();
    let mut add = |gate: &str, state: Status, description: String| {
        let context = context(environment, apps, gate);
        match all.iter_mut().find(|status| status.context == context) {
            // One gate may stand for several rules: the worst of them counts.
            Some(known) => {
                if rank(state) > rank(known.state) {
                    (known.state, known.description) = (state, description);
                }
            }
            None => all.push(CommitStatus { context, state, description, target_url: None }),
        }
    };
    if !preview.judgements.is_empty() || !preview.refusals.is_empty() {
        let (state, words) = policies(preview);
        add("policies", state, words);
    }
    for stated in preview.gates.states.iter().filter(|stated| stated.tells()) {
        let state = match stated.state.counts() {
            Answer::Open => Status::Success,
            Answer::Pending => Status::Pending,
            Answer::Closed => Status::Failure,
        };
        let words = match (&stated.state.overridden, stated.state.earliest) {
            (Some(by), _) => format!("overridden by {by}"),
            (None, Some(earliest)) => {
                let zone = stated.state.zone.clone().unwrap_or_else(Zone::utc);
                format!("not before {}", zone.both(earliest))
            }
            (None, None) => reason(&stated.state),
        };
        add(stated.state.gate, state, printable(&words));
    }
    for also in &preview.also {
        all.extend(wanted(&also.environment, apps, &also.preview));
    }
    all
}

fn rank(state: Status) -> u8 {
    match state {
        Status::Success => 0,
        Status::Pending => 1,
        Status::Failure => 2,
    }
}

fn policies(preview: &Preview) -> (Status, String) {
    if let Some(refusal) = preview.refusals.first() {
        return (Status::Failure, format!("{}: {}", refusal.code, printable(&refusal.message)));
    }
    match decide(&preview.judgements) {
        Decision::Open => (Status::Success, "nothing denies".to_owned()),
        Decision::Pending => (Status::Pending, "a policy asks to wait".to_owned()),
        Decision::Closed => (Status::Failure, "a policy denies".to_owned()),
        Decision::Faulty => (Status::Failure, "a policy did not answer".to_owned()),
    }
}
