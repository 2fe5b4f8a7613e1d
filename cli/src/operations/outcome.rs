//! From a judged step to what came of it: alone, or gone on with where it was made
//! ready beside others.

use gitops_core::judge::Decision;
use gitops_forge::Request;

use super::merge::{self, Way};
use super::perform::{Author, Next, Receipt};
use super::promote::Judged;
use super::requests::{self, Asked as AskedRequest, Done, Living, Settled};
use crate::config::Environment;
use crate::failure::Failure;

/// What came of one step.
pub(crate) enum Outcome {
    /// The target holds it already. What an earlier request left behind.
    NothingToDo(Remains),
    /// The gate is not open. The request that was told so, where one stands.
    Held(Option<AskedRequest>),
    /// Somebody closed the request of this very change.
    Left(AskedRequest),
    /// It stands on the remote.
    Done(Receipt),
}

/// What was left of a request, and is gone now.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    /// Its branch.
    pub(crate) deleted: Option<String>,
    /// The request, closed.
    pub(crate) closed: Option<AskedRequest>,
}

/// Whether a step changes anything and its decision lets it happen.
pub(crate) fn may_perform(step: &Judged) -> bool {
    match step.preview.as_ref().map(|preview| preview.decision) {
        Some(Decision::Open) => true,
        // A request may wait for its gate; a branch may not.
        Some(Decision::Pending) => step.plan.branch.is_some(),
        Some(Decision::Closed | Decision::Faulty) | None => false,
    }
}

/// How far a step has come with its request.
pub(super) enum Made {
    /// Somebody closed the request of this very change.
    Left(AskedRequest),
    /// Somebody else was faster than the push.
    Late,
    /// The request is as it is to be.
    Ready(Box<(Receipt, Request, AskedRequest)>),
}

/// Performs one step as far as its decision allows; `None` where somebody else
/// was faster than the push.
pub(super) fn perform(
    author: &Author<'_>,
    target: &Environment,
    step: &Judged,
) -> Result<Option<Outcome>, Failure> {
    let way = merge::way(author.trust, target)?;
    let plan = &step.plan;
    let Some(preview) = &step.preview else {
        let mut remains = Remains::default();
        if let Some((closed, deleted)) = requests::withdraw(author, plan)? {
            remains.deleted = plan.branch.clone().filter(|_| deleted);
            remains.closed = Some(closed).filter(|closed| closed.done == Done::Closed);
        } else if way != Way::People {
            remains.deleted = author.tidy(plan)?;
        }
        return Ok(Some(Outcome::NothingToDo(remains)));
    };
    if !may_perform(step) {
        return Ok(Some(Outcome::Held(requests::hold_back(author, step)?)));
    }
    let made = match author.take_ready(plan) {
        Some(ready) => Some(ready?),
        None => alone(author, step)?,
    };
    let Some(made) = made else {
        let method = match way {
            Way::Git(method) if preview.decision == Decision::Open => Some(method),
            _ => None,
        };
        return Ok(author.perform(plan, &step.contents, method)?.map(Outcome::Done));
    };
    let (mut receipt, request, mut asked) = match made {
        Made::Left(left) => return Ok(Some(Outcome::Left(left))),
        Made::Late => return Ok(None),
        Made::Ready(ready) => *ready,
    };
    let (head, pushed) = (receipt.commit, receipt.pushed);
    requests::supersede(author, plan, &asked)?;
    receipt.next = Next::Nothing;
    receipt.request = Some(asked.page.clone());
    if let Way::Forge(method) = way
        && let Some(reach) = author.forge_of_requests(plan)?
        && let Some(forge) = reach.asked()
    {
        match requests::merge(forge, step, &request, &head, (method, pushed))? {
            Settled::Moved => return Ok(None),
            Settled::Waits(reason) => asked.waits = Some(reason),
            Settled::Armed => {
                asked.waits = Some("the forge merges it when its gates are open".to_owned());
            }
            Settled::Merged(commit) => {
                asked.done = Done::Merged;
                author.merged(plan, &mut receipt, (method, commit))?;
            }
        }
    }
    receipt.asked = Some(asked);
    Ok(Some(Outcome::Done(receipt)))
}

/// Makes sure of the branch and the request of one step; `None` where no forge is
/// asked.
fn alone(author: &Author<'_>, step: &Judged) -> Result<Option<Made>, Failure> {
    let plan = &step.plan;
    let Some(reach) = author.forge_of_requests(plan)? else { return Ok(None) };
    let made = author.trust.wait(async {
        let living = Living::read(author, plan, reach).await?;
        if let Some(left) = living.respected() {
            return Ok(Made::Left(left));
        }
        let Some(receipt) = author.perform(plan, &step.contents, None)? else {
            return Ok(Made::Late);
        };
        let ensured = living.ensure(step, &receipt.commit, receipt.pushed).await;
        living.speak();
        Ok(match ensured? {
            Some((request, asked)) => Made::Ready(Box::new((receipt, request, asked))),
            None => Made::Late,
        })
    });
    made.map(Some)
}
