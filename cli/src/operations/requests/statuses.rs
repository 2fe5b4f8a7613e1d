//! The commit statuses of a request's head: one a gate.

use gitops_core::gate::{Answer, Status, Zone};
use gitops_core::judge::{Decision, decide};
use gitops_core::plan::printable;
use gitops_core::request::{Md, context};
use gitops_forge::CommitStatus;

use super::Living;
use super::report::reason;
use crate::failure::Failure;
use crate::operations::preview::Preview;
use crate::operations::promote::Judged;

impl Living<'_> {
    /// Makes sure of the statuses of `head`; on a commit that this run made there
    /// is none yet. Answers whether one was set.
    pub(super) fn statuses(&self, step: &Judged, head: &str, fresh: bool) -> Result<bool, Failure> {
        let Some(preview) = &step.preview else { return Ok(false) };
        let mut wanted = wanted(&step.plan.target.name, &step.plan.apps, preview);
        let attempt =
            || format!("could not read the statuses of {}", head.get(..10).unwrap_or(head));
        let there = match fresh {
            true => Vec::new(),
            false => self.asked().ask(attempt, self.api().statuses(head))?,
        };
        // A gate that is not asked any more must not keep the request shut.
        let prefix = context(&step.plan.target.name, &step.plan.apps, "");
        for old in &there {
            let known = wanted.iter().any(|status| status.context == old.context);
            if old.context.starts_with(&prefix) && old.state != Status::Success && !known {
                wanted.push(CommitStatus {
                    state: Status::Success,
                    description: "not asked any more".to_owned(),
                    ..old.clone()
                });
            }
        }
        let longest = self.api().limits().description;
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
            let attempt = || format!("could not set the status `{}`", status.context);
            let write = || self.asked().run(self.api().set_status(head, &status));
            match write() {
                Ok(()) => set = true,
                Err(gitops_forge::ApiError::Unanswered { .. }) => {
                    self.again(attempt, write)?;
                    set = true;
                }
                // The others would fare no better.
                Err(error) => {
                    self.may_lack(attempt(), &error)?;
                    break;
                }
            }
        }
        Ok(set)
    }
}

/// The contexts that gates of an environment for these apps have, by their words.
pub(super) fn contexts(environment: &str, apps: &[String], gates: &[&str]) -> Vec<String> {
    gates.iter().map(|gate| context(environment, apps, gate)).collect()
}

/// What the statuses are to be.
fn wanted(environment: &str, apps: &[String], preview: &Preview) -> Vec<CommitStatus> {
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
