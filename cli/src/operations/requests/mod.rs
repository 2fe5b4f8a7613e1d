//! The one living request of a promotion. State is read first; then each step
//! makes sure of one thing and writes only where it differs, so that a run that
//! was killed anywhere is gone on with by the next one.
//!
//! | what is there | what is done |
//! |---|---|
//! | no request | pushed, opened, labelled, reviewers asked, commented, statuses set |
//! | it holds the change | nothing but what differs of texts and statuses |
//! | it holds another change of ours | made anew, pushed with a lease, texts brought up to date |
//! | it holds commits of others | refused, unless `--takeover` |
//! | it was closed with this very change | left alone, unless `--reopen` |
//! | the target holds the change already | it is closed, its branch goes |
//! | a request of several apps took its app | it is closed, naming that one |

mod ci;
mod comment;
mod end;
mod merge;
mod statuses;

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use gitops_core::plan::Plan;
use gitops_core::request::{Marker, body};
use gitops_forge::{Api, ApiError, Edit, NewRequest, Opened, Request, RequestState};
use gitops_git::CommitId;
use tokio::time::sleep;

use super::again::any_part_of;
use super::forges::{Reach, failure, token_hint};
use super::perform::Author;
use super::promote::Judged;
use super::trust::Home;
use crate::failure::Failure;
use crate::output::Terminal;
use crate::output::request::Story;

pub(crate) use ci::post;
pub(super) use end::{hold_back, supersede, withdraw};
pub(super) use merge::{Settled, merge};

/// A request, and what this run did with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) number: u64,
    /// The page for people.
    pub(crate) page: String,
    pub(crate) done: Done,
    /// What it waits for, where it was to be merged and is not.
    pub(crate) waits: Option<String>,
}

/// What was done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Opened,
    Reopened,
    Updated,
    Unchanged,
    /// Closed by this run.
    Closed,
    /// Found closed, and left so.
    Left,
    Merged,
}

impl Done {
    /// The word in text and JSON.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Done::Opened => "opened",
            Done::Reopened => "reopened",
            Done::Updated => "updated",
            Done::Unchanged => "unchanged",
            Done::Closed => "closed",
            Done::Left => "left-closed",
            Done::Merged => "merged",
        }
    }
}

/// The request of a plan, as the forge has it.
pub(super) struct Living<'a> {
    author: &'a Author<'a>,
    reach: Rc<Reach>,
    home: &'a Home,
    plan: &'a Plan,
    branch: &'a str,
    /// The one that is open.
    open: Option<Request>,
    /// The newest one, where it was closed and none is open.
    closed: Option<Request>,
    /// What there is to say of it, at its turn.
    remarks: RefCell<Vec<Remark>>,
}

/// A thing to say of a request. Several are written side by side, and spoken of in
/// order.
pub(crate) enum Remark {
    Warning(String),
    Hint(String),
}

/// How often a write is tried of which nobody knows whether it took effect.
const TRIES: usize = 3;

/// How long one waits for what the forge is about to do, and how often.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS: usize = 10;

/// How long another run that opened the request may take to comment on it.
const OPENER: Duration = Duration::from_secs(2);

impl<'a> Living<'a> {
    /// Reads what the forge has, which is that of the plan's requests.
    pub(super) async fn read(
        author: &'a Author<'a>,
        plan: &'a Plan,
        reach: Rc<Reach>,
    ) -> Result<Living<'a>, Failure> {
        let branch = plan.branch.as_deref().expect("a plan with requests has a branch");
        let home = author.home(plan)?;
        let asked = reach.asked().expect("a forge of requests is asked");
        let attempt = || format!("could not look for the request of `{branch}`");
        let found = asked.requests(branch, &plan.base).await;
        let found = found.map_err(|error| failure(attempt(), &error))?;
        let ours = |request: &&Request| !request.from_fork;
        let open = first_open(&found).cloned();
        let newest = found.iter().filter(ours).max_by_key(|request| request.number).cloned();
        let closed = newest.filter(|r| open.is_none() && r.state == RequestState::Closed);
        let remarks = RefCell::default();
        Ok(Living { author, reach, home, plan, branch, open, closed, remarks })
    }

    fn api(&self) -> &dyn Api {
        self.asked().api()
    }

    fn asked(&self) -> &super::forges::Asked {
        self.reach.asked().expect("a living request has a forge that is asked")
    }

    fn marker(&self) -> Marker {
        Marker {
            promotion: about(&self.plan.apps, &self.plan.target.name),
            plan: self.plan.plan_digest(),
            change: self.plan.change_digest(),
        }
    }

    /// The request that somebody closed with this very change in it.
    pub(super) fn respected(&self) -> Option<Asked> {
        let closed = self.closed.as_ref().filter(|_| !self.author.wants.reopen)?;
        let change = Marker::find(&closed.body).map(|marker| marker.change);
        // Without its marker nobody knows what it held: then it counts as this.
        if change.is_some_and(|change| change != self.plan.change_digest()) {
            return None;
        }
        Some(of(closed, Done::Left))
    }

    /// Makes sure of the request of what stands on the branch at `head` now; `None`
    /// where it does not stand there any more.
    pub(super) async fn ensure(
        &self,
        step: &Judged,
        head: &CommitId,
        pushed: bool,
    ) -> Result<Option<(Request, Asked)>, Failure> {
        // What is written from here on makes what was read old.
        self.asked().forget_requests(self.branch, &self.plan.base);
        let limits = self.api().limits();
        let title = self.plan.title.trim().replace(['\n', '\r'], " ");
        let body = body(&self.plan.body, &self.marker(), limits.body);
        let (request, mut done) = match &self.open {
            Some(request) => (request.clone(), Done::Unchanged),
            None => match self.opened(&title, &body, head, pushed).await? {
                Some(opened) => opened,
                None => return Ok(None),
            },
        };
        let fresh = done == Done::Opened;
        let differs = !same(&request.title, &title) || !same(&request.body, &body);
        let request = match differs {
            true => {
                let edit = Edit { title: Some(title), body: Some(body), open: None };
                self.edit(&request, &edit).await?
            }
            false => request,
        };
        let story = Story::Judged { step, head };
        let told = self.tell(&request, &story, fresh).await?;
        let set = self.statuses(step, &head.to_string(), fresh && pushed).await?;
        if done == Done::Unchanged && (differs || told || pushed || set) {
            done = Done::Updated;
        }
        let asked = of(&request, done);
        Ok(Some((request, asked)))
    }

    /// Opens the request, or opens the closed one again. Who has pushed the branch
    /// opens it; another run waits for that, and goes on where nobody did.
    async fn opened(
        &self,
        title: &str,
        body: &str,
        head: &CommitId,
        pushed: bool,
    ) -> Result<Option<(Request, Done)>, Failure> {
        if let Some(closed) = self.closed.as_ref().filter(|_| self.author.wants.reopen)
            && closed.head_commit == head.to_string()
        {
            let edit = Edit {
                title: Some(title.to_owned()),
                body: Some(body.to_owned()),
                open: Some(true),
            };
            match self.api().edit(closed.number, &edit).await {
                Ok(request) => return Ok(Some((request, Done::Reopened))),
                // A forge opens none again whose branch was made anew.
                Err(ApiError::Refused { .. }) => {}
                Err(error) => {
                    let attempt = format!("could not open #{} again", closed.number);
                    return Err(failure(attempt, &error));
                }
            }
        }
        let new = NewRequest {
            head: self.branch.to_owned(),
            base: self.plan.base.clone(),
            title: title.to_owned(),
            body: body.to_owned(),
            labels: self.plan.labels.clone(),
            reviewers: self.plan.reviewers.clone(),
        };
        let attempt = || format!("could not open the request of `{}`", self.branch);
        if !pushed {
            // Those who wait for the same must not all come back at once.
            sleep(OPENER + any_part_of(OPENER)).await;
            if let Some(request) = self.stands_open(attempt).await? {
                return Ok(Some((request, Done::Unchanged)));
            }
            // It may be merged by now.
            if !self.stands_at(head)? {
                return Ok(None);
            }
        }
        for _ in 0..TRIES {
            match self.api().open(&new).await {
                Ok(Opened::New(request)) if pushed => return Ok(Some((request, Done::Opened))),
                Ok(Opened::New(request)) => return self.one_of_twins(request).await.map(Some),
                Ok(Opened::Stood(request)) => return Ok(Some((request, Done::Unchanged))),
                Err(ApiError::Unanswered { .. }) => {}
                Err(ApiError::Missing { .. }) if !self.stands_at(head)? => return Ok(None),
                Err(error) => return Err(failure(attempt(), &error)),
            }
            if let Some(request) = self.stands_open(attempt).await? {
                return Ok(Some((request, Done::Opened)));
            }
        }
        Err(unanswered(attempt()))
    }

    /// Whether the branch is at `head`, asked anew.
    fn stands_at(&self, head: &CommitId) -> Result<bool, Failure> {
        self.home.ask_again(self.branch)?;
        Ok(self.home.tip(self.branch)? == Some(*head))
    }

    /// The open request, looked for anew.
    async fn stands_open(&self, attempt: impl Fn() -> String) -> Result<Option<Request>, Failure> {
        let found = self.api().all_open(self.branch, &self.plan.base).await;
        let found = found.map_err(|error| failure(attempt(), &error))?;
        Ok(first_open(&found).cloned())
    }

    /// A forge may let two who ask at once open one each. All who did keep the
    /// first one.
    async fn one_of_twins(&self, ours: Request) -> Result<(Request, Done), Failure> {
        let attempt = || format!("could not look for others like #{}", ours.number);
        match self.stands_open(attempt).await? {
            Some(first) if first.number < ours.number => {
                let edit = Edit { open: Some(false), ..Edit::default() };
                self.edit(&ours, &edit).await?;
                Ok((first, Done::Unchanged))
            }
            _ => Ok((ours, Done::Opened)),
        }
    }

    /// An edit says how it is to be, so that it may be sent again.
    async fn edit(&self, request: &Request, edit: &Edit) -> Result<Request, Failure> {
        let attempt = || format!("could not bring #{} up to date", request.number);
        self.again(attempt, || self.api().edit(request.number, edit)).await
    }

    /// Sends a write again that says how things are to be.
    async fn again<T, W: Future<Output = Result<T, ApiError>>>(
        &self,
        attempt: impl Fn() -> String,
        write: impl Fn() -> W,
    ) -> Result<T, Failure> {
        for _ in 0..TRIES {
            match write().await {
                Err(ApiError::Unanswered { .. }) => {}
                other => return other.map_err(|error| failure(attempt(), &error)),
            }
        }
        Err(unanswered(attempt()))
    }

    /// What only tells of the request may be lacking, and is warned of; what it is
    /// made of may not.
    fn may_lack(&self, attempt: String, error: &ApiError) -> Result<(), Failure> {
        let mut failure = failure(attempt, error);
        match error {
            ApiError::Forbidden { .. } | ApiError::Missing { .. } | ApiError::Refused { .. } => {
                let hints = std::mem::take(&mut failure.hints);
                self.warn(failure.words());
                self.remarks.borrow_mut().extend(hints.into_iter().map(Remark::Hint));
                Ok(())
            }
            // It may have taken effect, and is not worth another try.
            ApiError::Unanswered { .. } => {
                self.warn(failure.error);
                Ok(())
            }
            _ => Err(failure),
        }
    }

    fn warn(&self, text: String) {
        self.remarks.borrow_mut().push(Remark::Warning(text));
    }

    /// Says what there is to say.
    pub(crate) fn speak(&self) {
        self.remarks().into_iter().for_each(|remark| remark.say(self.author.terminal));
    }

    /// What there is to say, once.
    pub(crate) fn remarks(&self) -> Vec<Remark> {
        self.remarks.take()
    }

    /// The branch of the request.
    pub(crate) fn branch(&self) -> &'a str {
        self.branch
    }
}

impl Remark {
    pub(crate) fn say(self, terminal: Terminal) {
        match self {
            Remark::Warning(text) => terminal.warn(text),
            Remark::Hint(text) => terminal.hint(text),
        }
    }
}

impl Author<'_> {
    /// The forge that has the requests of such plans; `None` where none is asked.
    pub(super) fn forge_of_requests(&self, plan: &Plan) -> Result<Option<Rc<Reach>>, Failure> {
        if plan.branch.is_none() || !self.has_requests(plan)? {
            return Ok(None);
        }
        let reach = self.trust.forge(self.home(plan)?)?;
        Ok(Some(reach).filter(|reach| reach.asked().is_some()))
    }

    /// Whether plans of this kind have requests in the repository of their target.
    pub(super) fn has_requests(&self, plan: &Plan) -> Result<bool, Failure> {
        let target = self.target(plan)?;
        Ok(match &target.prify {
            None => true,
            Some(prify) => {
                let elsewhere = prify.organisation.is_some() || prify.repository.is_some();
                prify.push && prify.request && !elsewhere
            }
        })
    }

    /// Why a request is left to a person to open, where that could be helped.
    pub(crate) fn why_not_opened(&self, plan: &Plan) -> Result<Option<String>, Failure> {
        if !self.has_requests(plan)? {
            return Ok(None);
        }
        let home = self.home(plan)?;
        Ok(match &*self.trust.forge(home)? {
            Reach::NoToken(forge) => {
                Some(format!("to have requests opened: {}", token_hint(forge)))
            }
            _ => None,
        })
    }
}

/// The request that counts among those that are open.
fn first_open(found: &[Request]) -> Option<&Request> {
    let open = found.iter().filter(|r| r.state == RequestState::Open && !r.from_fork);
    open.min_by_key(|request| request.number)
}

/// Which promotion it is: `web/prod`, `api+web/prod`.
fn about(apps: &[String], environment: &str) -> String {
    format!("{}/{environment}", apps.join("+"))
}

fn of(request: &Request, done: Done) -> Asked {
    Asked { number: request.number, page: request.page.clone(), done, waits: None }
}

/// Forges end lines in their own way, and drop what is at the end.
fn same(one: &str, other: &str) -> bool {
    one.replace("\r\n", "\n").trim_end() == other.replace("\r\n", "\n").trim_end()
}

fn unanswered(attempt: String) -> Failure {
    let mut failure = Failure::world(attempt);
    failure.causes.push("the forge does not answer whether it did".to_owned());
    failure.hint("run it again: it goes on from where it stopped")
}
