//! Merging a request where the forge does it: pinned to the head that was
//! judged, now, or by the forge itself when all that it requires is there.

use std::thread;
use std::time::Duration;

use gitops_core::gate::Answer;
use gitops_core::judge::{Decision, decide};
use gitops_core::plan::Plan;
use gitops_forge::{ApiError, Merge, MergeMethod, Merged, Protection, Request, RequestState};
use gitops_git::CommitId;

use super::any_part_of;
use super::statuses::contexts;
use crate::config::Method;
use crate::failure::Failure;
use crate::operations::forges::{Asked, failure};
use crate::operations::merge::message;
use crate::operations::preview::Preview;
use crate::operations::promote::Judged;

/// What came of a merge.
pub(crate) enum Settled {
    /// It is merged; the commit on the target, where the forge says it.
    Merged(Option<CommitId>),
    /// The forge merges it when all that it requires is there.
    Armed,
    /// It stands and waits: for what.
    Waits(String),
    /// Something has moved: it is to be planned and judged again.
    Moved,
}

/// How often a forge is asked that does not know yet.
const TRIES: u32 = 6;

/// The first pause between two tries.
const PAUSE: Duration = Duration::from_millis(300);

/// Merges the request of a step whose gates are open; of one that is pending,
/// has the forge wait where that is safe.
pub(crate) fn merge(
    forge: &Asked,
    step: &Judged,
    request: &Request,
    head: &CommitId,
    (method, pushed): (Method, bool),
) -> Result<Settled, Failure> {
    let Some(preview) = &step.preview else { return Ok(Settled::Waits(String::new())) };
    let plan = &step.plan;
    let text = match method {
        Method::Merge => message(plan, plan.branch.as_deref().unwrap_or(&plan.base)),
        Method::Squash | Method::Rebase => plan.message(),
    };
    let (title, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let merge = Merge {
        method: match method {
            Method::Squash => MergeMethod::Squash,
            Method::Merge => MergeMethod::Merge,
            Method::Rebase => MergeMethod::Rebase,
        },
        head: head.to_string(),
        title: title.to_owned(),
        message: rest.trim_start_matches('\n').to_owned(),
    };
    match preview.decision {
        Decision::Open if pushed && looks_at_the_head(preview) => Ok(Settled::Waits(
            "its head is new, so that reviews and statuses are asked for again".to_owned(),
        )),
        Decision::Open => {
            // Another run may be at it: Gitea merges twice where it is asked twice at once.
            if !pushed {
                thread::sleep(any_part_of(PAUSE * 3));
            }
            now(forge, plan, request, &merge)
        }
        Decision::Pending => when_ready(forge, step, preview, request, &merge),
        Decision::Closed | Decision::Faulty => Ok(Settled::Waits("its gate is shut".to_owned())),
    }
}

/// Whether a gate was answered by what stood at the head.
fn looks_at_the_head(preview: &Preview) -> bool {
    let at_head = |gate: &str| matches!(gate, "status" | "approvals");
    let own = preview.gates.states.iter();
    own.filter(|stated| stated.state.overridden.is_none()).any(|stated| at_head(stated.state.gate))
        || preview.also.iter().any(|also| looks_at_the_head(&also.preview))
}

fn now(forge: &Asked, plan: &Plan, request: &Request, merge: &Merge) -> Result<Settled, Failure> {
    let number = request.number;
    let attempt = || format!("could not merge #{number}");
    let mut last = String::new();
    for attempted in 0..TRIES {
        if attempted > 0 {
            thread::sleep(pause(attempted));
        }
        match forge.run(forge.api().merge(number, merge)) {
            Ok(Merged::Done(commit)) => return Ok(Settled::Merged(parsed(commit.as_deref()))),
            Ok(Merged::HeadMoved | Merged::BaseMoved | Merged::Conflict) => {
                return Ok(Settled::Moved);
            }
            Ok(Merged::NotYet(reason)) => last = reason,
            Ok(Merged::Refused(reason)) => return refused(forge, plan, request, &reason),
            // Whether it took effect is to be seen.
            Err(ApiError::Unanswered { reason, .. }) => {
                let now = forge.ask(attempt, forge.api().request(number))?;
                match now.state {
                    RequestState::Merged => {
                        return Ok(Settled::Merged(parsed(now.merge_commit.as_deref())));
                    }
                    RequestState::Open => last = reason,
                    RequestState::Closed => {
                        return Ok(Settled::Waits("it was closed meanwhile".to_owned()));
                    }
                }
            }
            Err(error) => return Err(failure(attempt(), &error)),
        }
    }
    Ok(Settled::Waits(last))
}

fn parsed(commit: Option<&str>) -> Option<CommitId> {
    CommitId::parse(commit?).ok()
}

/// Those who collide must not all come back at once.
fn pause(attempt: u32) -> Duration {
    PAUSE * 2_u32.pow(attempt.min(4) - 1) + any_part_of(Duration::from_millis(200))
}

/// Why the forge does not merge, as far as it can be found out.
fn refused(
    forge: &Asked,
    plan: &Plan,
    request: &Request,
    reason: &str,
) -> Result<Settled, Failure> {
    let base = &plan.base;
    let mut failure = Failure::world(format!("could not merge #{} into `{base}`", request.number));
    failure.causes.push(reason.to_owned());
    let protection = forge.run(forge.api().protection(base));
    if let Ok(Some(Protection { queue: true, .. })) = protection {
        failure.causes.push(format!(
            "`{base}` has a merge queue, into which this program puts nothing: what comes out of it is not what was judged"
        ));
        return Err(failure
            .hint("set `merge: manual` for the environment, and let people queue its requests"));
    }
    Err(failure
        .hint(format!("what `{base}` requires must let this program's account merge"))
        .hint("set `merge: manual` for the environment, and let people merge its requests"))
}

/// Has the forge merge a request that waits for what it sees itself. A moment
/// that passes is no such thing: a status that was green before would merge then.
fn when_ready(
    forge: &Asked,
    step: &Judged,
    preview: &Preview,
    request: &Request,
    merge: &Merge,
) -> Result<Settled, Failure> {
    let waits = |words: &str| Ok(Settled::Waits(words.to_owned()));
    if has_time(preview) {
        return waits("a gate opens with the time; `promote` merges it then");
    }
    let base = &step.plan.base;
    let attempt = || format!("could not read what guards `{base}`");
    let protection = match forge.run(forge.api().protection(base)) {
        Ok(protection) => protection,
        Err(ApiError::Forbidden { .. } | ApiError::Missing { .. }) => None,
        Err(error) => return Err(failure(attempt(), &error)),
    };
    let words: Vec<&str> = preview
        .gates
        .states
        .iter()
        .filter(|stated| stated.tells())
        .map(|stated| stated.state.gate)
        .chain((!preview.judgements.is_empty()).then_some("policies"))
        .collect();
    let wanted = contexts(&step.plan.target.name, &step.plan.apps, &words);
    let Some(protection) = protection else {
        return waits(
            "its gates are pending; whether the forge may merge it then is not known, since the token may not read what guards the branch",
        );
    };
    if protection.queue {
        return waits(&format!(
            "its gates are pending, and `{base}` has a merge queue, into which this program puts nothing"
        ));
    }
    let missing: Vec<&String> =
        wanted.iter().filter(|context| !requires(&protection, context)).collect();
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
        return waits(&format!(
            "its gates are pending; the forge is not left to merge it, since `{base}` does not require {}",
            names.join(", ")
        ));
    }
    let attempt = || format!("could not have #{} merged when it is ready", request.number);
    match forge.run(forge.api().merge_when_ready(request.number, merge)) {
        Ok(()) => Ok(Settled::Armed),
        Err(ApiError::Refused { message, .. }) => {
            waits(&format!("its gates are pending; the forge does not wait for them: {message}"))
        }
        Err(error) => Err(failure(attempt(), &error)),
    }
}

/// Whether something that keeps it waiting, or may do so again, goes by the clock.
fn has_time(preview: &Preview) -> bool {
    let own = preview.gates.states.iter().any(|stated| match stated.state.gate {
        "window" | "soak" => true,
        "hold" => stated.state.counts() != Answer::Open,
        _ => false,
    });
    let policies = decide(&preview.judgements) == Decision::Pending;
    own || policies || preview.also.iter().any(|also| has_time(&also.preview))
}

/// Whether a branch requires a context, by name or by a pattern.
fn requires(protection: &Protection, context: &str) -> bool {
    protection.required_contexts.iter().any(|pattern| fits(pattern, context))
}

/// `*` stands for any letters, slashes too.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some(at) = text.find(piece) else { return false };
        text = &text[at + piece.len()..];
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_required_by_name_or_pattern() {
        for (pattern, text, expected) in [
            ("gitops/gate/prod/web/soak", "gitops/gate/prod/web/soak", true),
            ("gitops/*", "gitops/gate/prod/web/soak", true),
            ("*", "x", true),
            ("gitops/*/soak", "gitops/gate/prod/web/soak", true),
            ("gitops/*/web/*", "gitops/gate/prod/web/soak", true),
            ("gitops/*/api/*", "gitops/gate/prod/web/soak", false),
            ("gitops", "gitops/gate", false),
            ("ci/*", "gitops/gate", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
