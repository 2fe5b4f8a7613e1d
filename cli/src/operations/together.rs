//! The requests of one run, made side by side: what their branches are to be is
//! pushed at one go, then each is opened or brought up to date while the others
//! are. A step comes to its turn as it would alone, and finds its request ready.
//!
//! What cannot be done so is left to the turn of its step, which does it alone and
//! says what is wrong: a branch that somebody else has moved, a push that was
//! refused. A failure of one stops no other.

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures::future::join_all;
use gitops_core::plan::Plan;

use super::merge::{self, Way};
use super::outcome::{Made, may_perform};
use super::perform::{Author, Receipt, Wanted};
use super::promote::Judged;
use super::requests::Living;
use crate::config::Environment;
use crate::failure::Failure;

/// Requests that were made ready, by the branch and the plan.
#[derive(Default)]
pub(crate) struct Readies(RefCell<BTreeMap<(String, String), Ready>>);

/// One of them.
struct Ready {
    made: Result<Made, Failure>,
    /// What there is to say of it.
    remarks: Vec<super::requests::Remark>,
}

fn key(plan: &Plan) -> Option<(String, String)> {
    Some((plan.branch.clone()?, plan.plan_digest()))
}

impl Author<'_> {
    /// Whether the request of a plan was made ready.
    pub(super) fn is_ready(&self, plan: &Plan) -> bool {
        key(plan).is_some_and(|key| self.ready.0.borrow().contains_key(&key))
    }

    /// The request of a plan, where it was made ready. It is so once: what comes
    /// after that is looked at anew.
    pub(super) fn take_ready(&self, plan: &Plan) -> Option<Result<Made, Failure>> {
        let ready = self.ready.0.borrow_mut().remove(&key(plan)?)?;
        ready.remarks.into_iter().for_each(|remark| remark.say(self.terminal));
        Some(ready.made)
    }
}

/// Makes the requests of several steps into one environment ready.
pub(crate) fn prepare(
    author: &Author<'_>,
    target: &Environment,
    steps: &[Judged],
) -> Result<(), Failure> {
    let steps: Vec<&Judged> = steps
        .iter()
        .filter(|step| step.preview.is_some() && step.plan.branch.is_some() && may_perform(step))
        .collect();
    // Two that write one branch do so one after another.
    let alone = |step: &&Judged| {
        steps.iter().filter(|other| other.plan.branch == step.plan.branch).count() == 1
    };
    let steps: Vec<&Judged> = steps.iter().copied().filter(alone).collect();
    let [first, _, ..] = steps[..] else { return Ok(()) };
    if matches!(merge::way(author.trust, target)?, Way::Git(_)) {
        return Ok(());
    }
    let Some(reach) = author.forge_of_requests(&first.plan)? else { return Ok(()) };
    let place = author.trust.place(target)?;
    let branches: Vec<&str> = steps.iter().filter_map(|step| step.plan.branch.as_deref()).collect();
    if author.trust.refresh(&branches)? {
        return Ok(());
    }
    let base = place.revision()?.commit.to_string();
    if steps.iter().any(|step| step.plan.base_revision != base) {
        return Ok(());
    }
    author.trust.wait(async {
        let read = steps.iter().map(|step| Living::read(author, &step.plan, reach.clone()));
        let read = join_all(read).await;
        let (mut standing, mut updates) = (Vec::new(), Vec::new());
        for (step, living) in steps.iter().zip(read) {
            let Ok(living) = living else { continue };
            if living.respected().is_some() {
                continue;
            }
            let job = author.job(&step.plan, &step.contents)?;
            match job.wanted(living.branch()) {
                Ok(Wanted::Stands(tip)) => {
                    standing.push((*step, job.receipt(living.branch(), tip, false), living));
                }
                Ok(Wanted::Push(update)) => {
                    let receipt = job.receipt(living.branch(), update.commit, true);
                    updates.push((update, (*step, receipt, living)));
                }
                Err(_) => {}
            }
        }
        let (wanted, pushing): (Vec<_>, Vec<_>) = updates.into_iter().unzip();
        let home = place.home;
        let pushed = match wanted.as_slice() {
            [] => Vec::new(),
            wanted => home.repository.push_each(&home.remote.name, wanted).unwrap_or_default(),
        };
        for one in &pushed {
            home.is_at(&one.branch, one.commit);
        }
        for (step, mut receipt, living) in pushing {
            let there = pushed.iter().find(|one| one.branch == receipt.branch);
            if let Some(there) = there {
                receipt.pushed = there.moved;
                standing.push((step, receipt, living));
            }
        }
        let ensured = standing.into_iter().map(|(step, receipt, living)| async move {
            let made = ensured(step, receipt, &living).await;
            (key(&step.plan), Ready { made, remarks: living.remarks() })
        });
        for (key, ready) in join_all(ensured).await {
            author.ready.0.borrow_mut().extend(key.map(|key| (key, ready)));
        }
        Ok(())
    })
}

async fn ensured(step: &Judged, receipt: Receipt, living: &Living<'_>) -> Result<Made, Failure> {
    let ensured = living.ensure(step, &receipt.commit, receipt.pushed).await?;
    Ok(match ensured {
        Some((request, asked)) => Made::Ready(Box::new((receipt, request, asked))),
        None => Made::Late,
    })
}
