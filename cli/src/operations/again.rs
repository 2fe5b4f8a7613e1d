//! Others push, too. Before each push the remotes are asked whether a branch
//! that the plan was made from has moved, by one `git ls-remote` a repository;
//! a push that comes too late is found out by its lease. Either way the step is
//! planned and judged again from the start, and goes on only where it is the
//! same: nothing that it read is another, and the answer is the one that was
//! told.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::thread;
use std::time::{Duration, Instant};

use gitops_core::gate::Answer;
use gitops_core::plan::{Plan, ReadEntry, ReadFrom};

use super::desired::unknown_environment;
use super::outcome::{self, Outcome, may_perform};
use super::perform::{Author, raced};
use super::preview::{Judge, Preview, exit};
use super::promote::{Judged, Wish, propose};
use super::remotes;
use super::trust::Trust;
use crate::failure::Failure;
use crate::output::verdict::decision_word;

/// How often a push that came too late is tried.
const ATTEMPTS: u32 = 4;

/// How often it is tried where each try is a plan of its own, and many may want
/// the same file.
const RENEWALS: u32 = 40;

/// How long the first pause between two tries is at least.
const PAUSE: Duration = Duration::from_millis(40);

/// What of the time that a try took counts for the pause after it.
const LONGEST: Duration = Duration::from_secs(5);

const RUN_AGAIN: &str = "run it again: the new state will be planned and judged";

/// Performs one step as far as its decision allows, and answers it as it was
/// performed: on a newer commit, where others were faster.
pub(crate) fn perform(
    author: &Author<'_>,
    judge: &Judge<'_>,
    wish: &Wish<'_>,
    step: Judged,
    tell: &dyn Fn(&Judged) -> Result<(), Failure>,
) -> Result<(Judged, Outcome), Failure> {
    let trust = author.trust;
    let target = trust.config.environment(&step.plan.target.name).map_err(unknown_environment)?;
    let mut step = step;
    let renews = author.renews(&step.plan)?;
    let mut took = Duration::ZERO;
    for attempt in 0..if renews { RENEWALS } else { ATTEMPTS } {
        if attempt > 0 {
            thread::sleep(pause(attempt, took));
        }
        let began = Instant::now();
        if may_perform(&step) && !author.is_ready(&step.plan) && has_moved(trust, &step.plan)? {
            let digest = step.plan.plan_digest();
            step = again(author, judge, wish, &step)?;
            if step.preview.is_some() && step.plan.plan_digest() != digest {
                tell(&step)?;
            }
        }
        if let Some(outcome) = outcome::perform(author, target, &step)? {
            return Ok((step, outcome));
        }
        took = began.elapsed();
    }
    if let (true, Some(branch)) = (renews, &step.plan.branch) {
        let base = &step.plan.base;
        let words = format!(
            "the request of `{branch}` does not come into `{base}`: each of {RENEWALS} tries was too late"
        );
        return Err(Failure::world(words).hint("run it again"));
    }
    Err(raced(step.plan.branch.as_deref().unwrap_or(&step.plan.base)))
}

/// Those who collide must not all come back at once, and not before one of them
/// has come through: the longer a try takes, and the more of them were in vain, the
/// further they spread.
fn pause(attempt: u32, took: Duration) -> Duration {
    let spread = took.min(LONGEST) * attempt.min(4) + Duration::from_millis(100);
    PAUSE * 2_u32.pow(attempt.min(5)) / 2 + any_part_of(spread)
}

/// A random part of a time. A new state hashes the same nothing to another number
/// each time.
pub(super) fn any_part_of(time: Duration) -> Duration {
    let any = RandomState::new().build_hasher().finish();
    time.mul_f64((any >> 11) as f64 / (1_u64 << 53) as f64)
}

/// Whether a branch that this plan may rest on is not where it was read.
fn has_moved(trust: &Trust, plan: &Plan) -> Result<bool, Failure> {
    let target = trust.config.environment(&plan.target.name).map_err(unknown_environment)?;
    let moved = trust.refresh(plan.branch.as_deref().as_slice())?;
    let base = trust.place(target)?.revision()?.commit;
    Ok(moved || base.to_string() != plan.base_revision)
}

/// Plans and judges a step again. What comes out is the same change for the
/// same reasons with the same answer, or there is nothing left to do.
fn again(
    author: &Author<'_>,
    judge: &Judge<'_>,
    wish: &Wish<'_>,
    before: &Judged,
) -> Result<Judged, Failure> {
    let trust = author.trust;
    trust.check()?;
    let then = &before.plan;
    for read in then.reads.iter().filter(|read| read.from == ReadFrom::Remote) {
        if remotes::has_moved(read)? {
            let words =
                format!("the remote base `{}` has moved since the plan was made", read.path);
            return Err(Failure::world(words).hint(RUN_AGAIN));
        }
    }
    let proposal = propose(trust, judge, &wish.of(&then.apps), None)?;
    if let Some(failed) = proposal.failed.into_iter().next() {
        return Err(failed.failure);
    }
    let same = |step: &Judged| step.plan.apps == then.apps;
    let Some(now) = proposal.steps.into_iter().find(same) else {
        let mut failure = has_moved_since(then, "nothing is planned any more").hint(RUN_AGAIN);
        let skipped = proposal.skipped.iter();
        failure
            .causes
            .extend(skipped.map(|skipped| format!("{}: {}", skipped.app, skipped.reason)));
        return Err(failure);
    };
    if now.plan.nothing_to_do() {
        let words = "holds this change already: somebody else was faster";
        author.terminal.note(format!("`{}` {words}", then.base));
        return Ok(now);
    }
    let other = now.plan.plan_digest() != then.plan_digest();
    if other && !(author.renews(then)? && same_moves(then, &now.plan)) {
        return Err(difference(trust, then, &now.plan)?.hint(RUN_AGAIN));
    }
    let decision = |step: &Judged| step.preview.as_ref().map(|preview| preview.decision);
    if let Some(preview) = &now.preview
        && decision(before) != Some(preview.decision)
    {
        return Err(other_answer(then, preview));
    }
    if other {
        author
            .terminal
            .note(format!("`{}` has moved: the same change is planned and judged anew", then.base));
    } else if now.plan.base_revision != then.base_revision {
        author.terminal.note(format!(
            "`{}` has moved, and nothing that was read with it: going on top of {}",
            then.base,
            now.plan.base_revision.get(..10).unwrap_or(&now.plan.base_revision)
        ));
    }
    Ok(now)
}

/// Whether the same values move from and to the same.
fn same_moves(then: &Plan, now: &Plan) -> bool {
    let values = |plan: &Plan| -> Vec<_> {
        let moves = plan.moves.iter();
        moves
            .map(|m| (m.app.clone(), m.what, m.name.clone(), m.before.clone(), m.after.clone()))
            .collect()
    };
    values(then) == values(now)
}

impl Author<'_> {
    /// Whether a step whose files others have changed is planned anew instead of
    /// refused: where a request of it stands for all to see, and no plan was saved.
    fn renews(&self, plan: &Plan) -> Result<bool, Failure> {
        if !self.wants.renew || plan.branch.is_none() {
            return Ok(false);
        }
        Ok(self.trust.forge(self.home(plan)?)?.asked().is_some())
    }
}

fn has_moved_since(plan: &Plan, what: &str) -> Failure {
    moved_since(&plan.base, what)
}

fn moved_since(branch: &str, what: &str) -> Failure {
    Failure::world(format!("`{branch}` has moved since the plan was made: {what}"))
}

/// What a plan rests on that is another in a later one.
fn difference(trust: &Trust, then: &Plan, now: &Plan) -> Result<Failure, Failure> {
    let only = |one: &BTreeSet<ReadEntry>, other: &BTreeSet<ReadEntry>| {
        one.iter().find(|read| !other.contains(*read)).cloned()
    };
    let (read, what) = match only(&then.reads, &now.reads) {
        Some(read) => (Some(read), "is another one"),
        None => (only(&now.reads, &then.reads), "is read now"),
    };
    if let Some(read) = read {
        let branch = match (read.from, &then.source) {
            (ReadFrom::Trust, _) => trust.branch.clone(),
            (ReadFrom::Source, Some(source)) => {
                let source = trust.config.environment(&source.name).map_err(unknown_environment)?;
                trust.place(source)?.branch.to_owned()
            }
            _ => then.base.clone(),
        };
        return Ok(moved_since(&branch, &format!("`{}` {what}", read.path)));
    }
    Ok(match then.rests_on.symmetric_difference(&now.rests_on).next() {
        Some(past) => {
            has_moved_since(then, &format!("the last promotion of {} is another one", past.app))
        }
        None => has_moved_since(then, "other bytes would change"),
    })
}

/// The gate answers otherwise than was told.
fn other_answer(plan: &Plan, preview: &Preview) -> Failure {
    let mut failure = Failure::world(format!(
        "whether `{}` may be entered has changed since the plan was judged: {}",
        plan.target.name,
        decision_word(preview.decision)
    ));
    failure.exit = exit(preview.decision);
    failure.causes = reasons(preview);
    failure.hint("nothing was pushed; `--dry-run` shows the new state")
}

/// Why a gate is not open.
fn reasons(preview: &Preview) -> Vec<String> {
    let refusals = preview.refusals.iter();
    let mut reasons: Vec<String> =
        refusals.map(|refusal| format!("{}: {}", refusal.code, refusal.message)).collect();
    let states = preview.gates.states.iter().map(|stated| &stated.state);
    let shut = states.filter(|state| state.answer != Answer::Open && state.overridden.is_none());
    reasons.extend(shut.map(|state| format!("gate {}: {}", state.gate, state.reason)));
    for also in &preview.also {
        let own = self::reasons(&also.preview).into_iter();
        reasons.extend(own.map(|reason| format!("{}: {reason}", also.environment)));
    }
    reasons
}
