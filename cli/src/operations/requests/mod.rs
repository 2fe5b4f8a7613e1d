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

mod merge;
mod report;
mod statuses;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use gitops_core::plan::Plan;
use gitops_core::request::{Marker, body, is_report};
use gitops_forge::{Api, ApiError, Comment, Edit, NewRequest, Opened, Request, RequestState};
use gitops_git::{CommitId, trailers};

use super::forges::{Reach, failure, token_hint};
use super::perform::Author;
use super::promote::Judged;
use super::standing::{Standing, standing};
use super::trust::{Home, hinted};
use crate::failure::Failure;

pub(super) use merge::{Settled, merge};
use report::{Story, comment};

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
}

/// How often a write is tried of which nobody knows whether it took effect.
const TRIES: usize = 3;

/// How long one waits for what the forge is about to do, and how often.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS: usize = 10;

/// How long another run that opened the request may take to comment on it.
const OPENER: Duration = Duration::from_secs(2);

impl<'a> Living<'a> {
    /// Reads what the forge has; `None` where no forge is asked.
    pub(super) fn read(
        author: &'a Author<'a>,
        plan: &'a Plan,
    ) -> Result<Option<Living<'a>>, Failure> {
        let Some(branch) = plan.branch.as_deref() else { return Ok(None) };
        Living::on(author, plan, branch)
    }

    /// The same with another branch.
    fn on(
        author: &'a Author<'a>,
        plan: &'a Plan,
        branch: &'a str,
    ) -> Result<Option<Living<'a>>, Failure> {
        if !author.has_requests(plan)? {
            return Ok(None);
        }
        let home = author.home(plan)?;
        let reach = author.trust.forge(home)?;
        let Some(asked) = reach.asked() else { return Ok(None) };
        let attempt = || format!("could not look for the request of `{branch}`");
        let found = asked.requests(branch, &plan.base);
        let found = found.map_err(|error| failure(attempt(), &error))?;
        let ours = |request: &&Request| !request.from_fork;
        let open = first_open(&found).cloned();
        let newest = found.iter().filter(ours).max_by_key(|request| request.number).cloned();
        let closed = newest.filter(|r| open.is_none() && r.state == RequestState::Closed);
        Ok(Some(Living { author, reach, home, plan, branch, open, closed }))
    }

    fn api(&self) -> &dyn Api {
        self.asked().api()
    }

    fn asked(&self) -> &super::forges::Asked {
        self.reach.asked().expect("a living request has a forge that is asked")
    }

    fn marker(&self) -> Marker {
        Marker {
            promotion: about(self.plan),
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
    pub(super) fn ensure(
        &self,
        step: &Judged,
        head: &CommitId,
        pushed: bool,
    ) -> Result<Option<(Request, Asked)>, Failure> {
        // What is written from here on makes what was read old.
        self.asked().forget();
        let limits = self.api().limits();
        let title = self.plan.title.trim().replace(['\n', '\r'], " ");
        let body = body(&self.plan.body, &self.marker(), limits.body);
        let (request, mut done) = match &self.open {
            Some(request) => (request.clone(), Done::Unchanged),
            None => match self.opened(&title, &body, head, pushed)? {
                Some(opened) => opened,
                None => return Ok(None),
            },
        };
        let fresh = done == Done::Opened;
        let differs = !same(&request.title, &title) || !same(&request.body, &body);
        let request = match differs {
            true => {
                let edit = Edit { title: Some(title), body: Some(body), open: None };
                self.edit(&request, &edit)?
            }
            false => request,
        };
        let story = Story::Judged { step, head };
        let told = self.tell(&request, &story, fresh)?;
        let set = self.statuses(step, &head.to_string(), fresh && pushed)?;
        if done == Done::Unchanged && (differs || told || pushed || set) {
            done = Done::Updated;
        }
        let asked = of(&request, done);
        Ok(Some((request, asked)))
    }

    /// Opens the request, or opens the closed one again. Who has pushed the branch
    /// opens it; another run waits for that, and goes on where nobody did.
    fn opened(
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
            match self.asked().run(self.api().edit(closed.number, &edit)) {
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
        };
        let attempt = || format!("could not open the request of `{}`", self.branch);
        if !pushed {
            thread::sleep(OPENER + any_part_of(OPENER));
            if let Some(request) = self.stands_open(attempt)? {
                return Ok(Some((request, Done::Unchanged)));
            }
            // It may be merged by now.
            self.home.ask_again(self.branch)?;
            if self.home.tip(self.branch)? != Some(*head) {
                return Ok(None);
            }
        }
        for _ in 0..TRIES {
            match self.asked().run(self.api().open(&new)) {
                Ok(Opened::New(request)) if pushed => return Ok(Some((request, Done::Opened))),
                Ok(Opened::New(request)) => return self.one_of_twins(request).map(Some),
                Ok(Opened::Stood(request)) => return Ok(Some((request, Done::Unchanged))),
                Err(ApiError::Unanswered { .. }) => {}
                Err(error) => return Err(failure(attempt(), &error)),
            }
            if let Some(request) = self.stands_open(attempt)? {
                return Ok(Some((request, Done::Opened)));
            }
        }
        Err(unanswered(attempt()))
    }

    /// The open request, looked for anew.
    fn stands_open(&self, attempt: impl Fn() -> String) -> Result<Option<Request>, Failure> {
        let found = self.asked().ask(attempt, self.api().requests(self.branch, &self.plan.base))?;
        Ok(first_open(&found).cloned())
    }

    /// A forge may let two who ask at once open one each. All who did keep the
    /// first one.
    fn one_of_twins(&self, ours: Request) -> Result<(Request, Done), Failure> {
        let attempt = || format!("could not look for others like #{}", ours.number);
        match self.stands_open(attempt)? {
            Some(first) if first.number < ours.number => {
                let edit = Edit { open: Some(false), ..Edit::default() };
                self.edit(&ours, &edit)?;
                Ok((first, Done::Unchanged))
            }
            _ => Ok((ours, Done::Opened)),
        }
    }

    /// An edit says how it is to be, so that it may be sent again.
    fn edit(&self, request: &Request, edit: &Edit) -> Result<Request, Failure> {
        let attempt = || format!("could not bring #{} up to date", request.number);
        self.again(attempt, || self.asked().run(self.api().edit(request.number, edit)))
    }

    /// Sends a write again that says how things are to be.
    fn again<T>(
        &self,
        attempt: impl Fn() -> String,
        write: impl Fn() -> Result<T, ApiError>,
    ) -> Result<T, Failure> {
        for _ in 0..TRIES {
            match write() {
                Err(ApiError::Unanswered { .. }) => {}
                other => return other.map_err(|error| failure(attempt(), &error)),
            }
        }
        Err(unanswered(attempt()))
    }

    /// Makes sure of the one comment, and before the first one of labels and
    /// reviewers. `fresh` says that nobody else can have written anything yet.
    /// Answers whether something was written.
    fn tell(&self, request: &Request, story: &Story<'_>, fresh: bool) -> Result<bool, Failure> {
        let about = about(self.plan);
        let found = match fresh {
            true => None,
            false => self.comment(request, &about)?,
        };
        let text = comment(self.plan, story, self.api().limits().comment);
        let attempt = || format!("could not comment on #{}", request.number);
        match found {
            Some(found) if same(&found.body, &text) => Ok(false),
            Some(found) => {
                let write = || self.asked().run(self.api().edit_comment(found.id, &text));
                self.again(attempt, write)?;
                Ok(true)
            }
            None => {
                // Who opened it just now is about to comment.
                if !fresh {
                    thread::sleep(OPENER);
                    if self.comment(request, &about)?.is_some() {
                        return self.tell(request, story, false);
                    }
                }
                self.dress(request)?;
                for _ in 0..TRIES {
                    match self.asked().run(self.api().comment(request.number, &text)) {
                        Ok(_) => return Ok(true),
                        Err(ApiError::Unanswered { .. }) => {}
                        Err(error) => return self.may_lack(attempt(), &error).map(|()| false),
                    }
                    if self.comment(request, &about)?.is_some() {
                        return Ok(true);
                    }
                }
                Err(unanswered(attempt()))
            }
        }
    }

    /// The comment that this program keeps: by its last line, and by its author.
    fn comment(&self, request: &Request, about: &str) -> Result<Option<Comment>, Failure> {
        let attempt = || format!("could not read the comments of #{}", request.number);
        let mut all = self.asked().ask(attempt, self.api().comments(request.number))?;
        all.retain(|comment| is_report(&comment.body, about));
        // Who opened the request has written it, as a rule.
        if let Some(at) = all.iter().position(|comment| comment.author == request.author) {
            return Ok(Some(all.swap_remove(at)));
        }
        if all.is_empty() {
            return Ok(None);
        }
        let me = self.asked().me().map_err(|error| failure(attempt(), &error))?.map(str::to_owned);
        Ok(all.into_iter().find(|comment| Some(&comment.author) == me.as_ref()))
    }

    /// Labels and reviewers. They are given once: who takes one away means it.
    fn dress(&self, request: &Request) -> Result<(), Failure> {
        let terminal = self.author.terminal;
        let labels = self.plan.labels.iter().filter(|label| !request.labels.contains(*label));
        let labels: Vec<String> = labels.cloned().collect();
        if !labels.is_empty() {
            let attempt = || format!("could not label #{}", request.number);
            match self.asked().run(self.api().label(request.number, &labels)) {
                Ok(unknown) => {
                    for label in unknown {
                        terminal.warn(format!(
                            "{} has no label `{label}`, so that #{} goes without it",
                            self.home.words(),
                            request.number
                        ));
                    }
                }
                Err(error) => self.may_lack(attempt(), &error)?,
            }
        }
        let asked = |name: &&String| {
            !request.reviewers.contains(*name) && !name.eq_ignore_ascii_case(&request.author)
        };
        let reviewers: Vec<String> = self.plan.reviewers.iter().filter(asked).cloned().collect();
        if !reviewers.is_empty() {
            let attempt = || format!("could not ask for reviews of #{}", request.number);
            match self.asked().run(self.api().ask(request.number, &reviewers)) {
                Ok(unknown) => {
                    for name in unknown {
                        terminal.warn(format!(
                            "`{name}` cannot be asked to review #{}",
                            request.number
                        ));
                    }
                }
                Err(error) => self.may_lack(attempt(), &error)?,
            }
        }
        Ok(())
    }

    /// What only tells of the request may be lacking, and is warned of; what it is
    /// made of may not.
    fn may_lack(&self, attempt: String, error: &ApiError) -> Result<(), Failure> {
        let mut failure = failure(attempt, error);
        match error {
            ApiError::Forbidden { .. } | ApiError::Missing { .. } | ApiError::Refused { .. } => {
                let hints = std::mem::take(&mut failure.hints);
                self.author.terminal.warn(failure.words());
                hints.iter().for_each(|hint| self.author.terminal.hint(hint));
                Ok(())
            }
            // It may have taken effect, and is not worth another try.
            ApiError::Unanswered { .. } => {
                self.author.terminal.warn(failure.error);
                Ok(())
            }
            _ => Err(failure),
        }
    }

    /// Whether the request is of this program: by its marker, or by the commits on
    /// its branch. Commits of others are nobody's to throw away.
    fn is_ours(&self, request: &Request) -> Result<bool, Failure> {
        let Some(tip) = self.home.tip(self.branch)? else {
            return Ok(Marker::find(&request.body).is_some());
        };
        let base = super::perform::parse(&self.plan.base_revision)?;
        let standing = standing(&self.home.repository, &base, &tip, "");
        let standing = standing
            .map_err(|error| hinted(&format!("could not read `{}`", self.branch), &error))?;
        Ok(!matches!(standing, Standing::Foreign(_)))
    }

    /// Whether the forge is about to say that the request is merged: the target
    /// has its commit a moment before that.
    fn is_being_merged(&self, request: &Request) -> Result<bool, Failure> {
        let attempt = || format!("could not look at #{}", request.number);
        for _ in 0..self.looks(request)? {
            thread::sleep(LOOK);
            let now = self.asked().ask(attempt, self.api().request(request.number))?;
            if now.state != RequestState::Open {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How often it is worth a look: more often where the target has a commit of
    /// this very plan.
    fn looks(&self, request: &Request) -> Result<usize, Failure> {
        let failed = |error| hinted(&format!("could not read `{}`", self.branch), &error);
        let Ok(head) = CommitId::parse(&request.head_commit) else { return Ok(1) };
        let repository = &self.home.repository;
        // What is not here was pushed by somebody else just now.
        let Ok(head_commit) = repository.read_commit(&head) else { return Ok(1) };
        let said = head_commit.trailers();
        let plan = trailers::values(&said, "Plan-Digest");
        let base = super::perform::parse(&self.plan.base_revision)?;
        let since = repository.ahead(&head, &base).map_err(failed)?;
        let it_is = since.iter().any(|commit| {
            !plan.is_empty() && trailers::values(&commit.trailers(), "Plan-Digest") == plan
        });
        Ok(if it_is { LOOKS } else { 1 })
    }

    /// Closes the request, saying why, and takes its branch away.
    fn close(&self, story: &Story<'_>) -> Result<Option<(Asked, bool)>, Failure> {
        let Some(request) = &self.open else { return Ok(None) };
        if !self.is_ours(request)? {
            self.author.terminal.warn(format!(
                "#{} is of no use any more, and holds commits of others: {}",
                request.number, request.page
            ));
            return Ok(None);
        }
        self.asked().forget();
        if matches!(story, Story::Held) && self.is_being_merged(request)? {
            return Ok(None);
        }
        self.tell(request, story, false)?;
        let edit = Edit { open: Some(false), ..Edit::default() };
        let request = self.edit(request, &edit)?;
        let deleted = match self.home.tip(self.branch)? {
            Some(tip) => self.author.delete(self.home, self.branch, &tip)?,
            None => false,
        };
        Ok(Some((of(&request, Done::Closed), deleted)))
    }
}

/// The request of a change that the target holds already, closed.
pub(super) fn withdraw(author: &Author<'_>, plan: &Plan) -> Result<Option<(Asked, bool)>, Failure> {
    let Some(branch) = plan.branch.as_deref() else { return Ok(None) };
    // Without its branch no request is open, and a fetch is no call.
    if !author.has_requests(plan)? || author.home(plan)?.tip(branch)?.is_none() {
        return Ok(None);
    }
    let Some(living) = Living::read(author, plan)? else { return Ok(None) };
    match &living.closed {
        // An earlier run closed it, and did not come to the branch.
        Some(closed) if living.is_ours(closed)? => match living.home.tip(branch)? {
            Some(tip) => {
                let deleted = author.delete(living.home, branch, &tip)?;
                Ok(Some((of(closed, Done::Left), deleted)))
            }
            None => Ok(None),
        },
        _ => living.close(&Story::Held),
    }
}

/// Tells an open request why nothing was pushed to it.
pub(super) fn hold_back(author: &Author<'_>, step: &Judged) -> Result<Option<Asked>, Failure> {
    let plan = &step.plan;
    let Some(branch) = plan.branch.as_deref() else { return Ok(None) };
    if !author.has_requests(plan)? {
        return Ok(None);
    }
    let Some(tip) = author.home(plan)?.tip(branch)? else { return Ok(None) };
    let Some(living) = Living::read(author, plan)? else { return Ok(None) };
    let Some(request) = &living.open else { return Ok(None) };
    if !living.is_ours(request)? {
        return Ok(None);
    }
    let told = living.tell(request, &Story::Judged { step, head: &tip }, false)?;
    let set = living.statuses(step, &tip.to_string(), false)?;
    let done = if told || set { Done::Updated } else { Done::Unchanged };
    Ok(Some(of(request, done)))
}

/// Closes the requests of single apps that one of several took.
pub(super) fn supersede(author: &Author<'_>, plan: &Plan, by: &Asked) -> Result<(), Failure> {
    if plan.apps.len() < 2 {
        return Ok(());
    }
    let home = author.home(plan)?;
    let target = author.target(plan)?;
    let texts = author.trust.config.texts_of(target);
    let from = plan.source.as_ref().map_or("", |source| source.name.as_str());
    let mut branches = Vec::new();
    for app in &plan.apps {
        let values =
            gitops_core::plan::Values { app, env: &plan.target.name, version: &plan.version, from };
        let branch = texts.branch.render(values);
        if plan.branch.as_ref() != Some(&branch) && !branches.iter().any(|(_, b)| *b == branch) {
            branches.push((app.clone(), branch));
        }
    }
    for (app, branch) in branches {
        if home.tip(&branch)?.is_none() {
            continue;
        }
        let alone = Plan { apps: vec![app], branch: Some(branch.clone()), ..plan.clone() };
        let Some(living) = Living::on(author, &alone, &branch)? else { return Ok(()) };
        if let Some((closed, _)) = living.close(&Story::Taken { by })? {
            author.terminal.note(format!("closed #{}: #{} took its app", closed.number, by.number));
        }
    }
    Ok(())
}

impl Author<'_> {
    /// Whether plans of this kind have requests in the repository of their target.
    fn has_requests(&self, plan: &Plan) -> Result<bool, Failure> {
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

/// Those who wait for the same must not all come back at once.
fn any_part_of(time: Duration) -> Duration {
    let any = RandomState::new().build_hasher().finish();
    time.mul_f64((any >> 11) as f64 / (1_u64 << 53) as f64)
}

/// Which promotion it is: `web/prod`, `api+web/prod`.
fn about(plan: &Plan) -> String {
    format!("{}/{}", plan.apps.join("+"), plan.target.name)
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
