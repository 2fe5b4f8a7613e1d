//! Requests that are not gone on with: closed, or told why.

use gitops_core::plan::{Plan, Values};
use gitops_core::request::Marker;
use gitops_forge::{Edit, Request, RequestState};
use gitops_git::{CommitId, trailers};
use tokio::time::sleep;

use super::{Asked, Done, LOOK, LOOKS, Living, of};
use crate::failure::Failure;
use crate::operations::forges::failure;
use crate::operations::perform::{Author, parse};
use crate::operations::promote::Judged;
use crate::operations::standing::{Standing, standing};
use crate::operations::trust::hinted;
use crate::output::request::Story;

impl Living<'_> {
    /// Whether the request is of this program: by its marker, or by the commits on
    /// its branch. Commits of others are nobody's to throw away.
    fn is_ours(&self, request: &Request) -> Result<bool, Failure> {
        let Some(tip) = self.home.tip(self.branch)? else {
            return Ok(Marker::find(&request.body).is_some());
        };
        let base = parse(&self.plan.base_revision)?;
        let standing = standing(&self.home.repository, &base, &tip, "");
        let standing = standing
            .map_err(|error| hinted(&format!("could not read `{}`", self.branch), &error))?;
        Ok(!matches!(standing, Standing::Foreign(_)))
    }

    /// Whether the forge is about to say that the request is merged: the target
    /// has its commit a moment before that.
    async fn is_being_merged(&self, request: &Request) -> Result<bool, Failure> {
        let attempt = || format!("could not look at #{}", request.number);
        for _ in 0..self.looks(request)? {
            sleep(LOOK).await;
            let now = self.api().request(request.number).await;
            let now = now.map_err(|error| failure(attempt(), &error))?;
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
        let base = parse(&self.plan.base_revision)?;
        let since = repository.ahead(&head, &base).map_err(failed)?;
        let it_is = since.iter().any(|commit| {
            !plan.is_empty() && trailers::values(&commit.trailers(), "Plan-Digest") == plan
        });
        Ok(if it_is { LOOKS } else { 1 })
    }

    /// Closes the request, saying why, and takes its branch away.
    async fn close(&self, story: &Story<'_>) -> Result<Option<(Asked, bool)>, Failure> {
        let Some(request) = &self.open else { return Ok(None) };
        if !self.is_ours(request)? {
            self.warn(format!(
                "#{} is of no use any more, and holds commits of others: {}",
                request.number, request.page
            ));
            return Ok(None);
        }
        self.asked().forget_requests(self.branch, &self.plan.base);
        if matches!(story, Story::Held) && self.is_being_merged(request).await? {
            return Ok(None);
        }
        self.tell(request, story, false).await?;
        let edit = Edit { open: Some(false), ..Edit::default() };
        let request = self.edit(request, &edit).await?;
        let deleted = match self.home.tip(self.branch)? {
            Some(tip) => self.author.delete(self.home, self.branch, &tip)?,
            None => false,
        };
        Ok(Some((of(&request, Done::Closed), deleted)))
    }
}

/// The request of a change that the target holds already, closed.
pub(crate) fn withdraw(author: &Author<'_>, plan: &Plan) -> Result<Option<(Asked, bool)>, Failure> {
    let Some(branch) = plan.branch.as_deref() else { return Ok(None) };
    // Without its branch no request is open, and a fetch is no call.
    if !author.has_requests(plan)? || author.home(plan)?.tip(branch)?.is_none() {
        return Ok(None);
    }
    let Some(reach) = author.forge_of_requests(plan)? else { return Ok(None) };
    author.trust.wait(async {
        let living = Living::read(author, plan, reach).await?;
        if let Some(closed) = &living.closed
            && living.is_ours(closed)?
        {
            // An earlier run closed it, and did not come to the branch.
            let Some(tip) = living.home.tip(branch)? else { return Ok(None) };
            let deleted = author.delete(living.home, branch, &tip)?;
            return Ok(Some((of(closed, Done::Left), deleted)));
        }
        let closed = living.close(&Story::Held).await;
        living.speak();
        closed
    })
}

/// Tells an open request why nothing was pushed to it.
pub(crate) fn hold_back(author: &Author<'_>, step: &Judged) -> Result<Option<Asked>, Failure> {
    let plan = &step.plan;
    let Some(branch) = plan.branch.as_deref() else { return Ok(None) };
    if !author.has_requests(plan)? {
        return Ok(None);
    }
    let Some(tip) = author.home(plan)?.tip(branch)? else { return Ok(None) };
    let Some(reach) = author.forge_of_requests(plan)? else { return Ok(None) };
    author.trust.wait(async {
        let living = Living::read(author, plan, reach).await?;
        let Some(request) = &living.open else { return Ok(None) };
        if !living.is_ours(request)? {
            return Ok(None);
        }
        let told = living.tell(request, &Story::Judged { step, head: &tip }, false).await;
        let set = living.statuses(step, &tip.to_string(), false).await;
        living.speak();
        let done = if told? | set? { Done::Updated } else { Done::Unchanged };
        Ok(Some(of(request, done)))
    })
}

/// Closes the requests of single apps that one of several took.
pub(crate) fn supersede(author: &Author<'_>, plan: &Plan, by: &Asked) -> Result<(), Failure> {
    if plan.apps.len() < 2 {
        return Ok(());
    }
    let home = author.home(plan)?;
    let target = author.target(plan)?;
    let texts = author.trust.config.texts_of(target);
    let from = plan.source.as_ref().map_or("", |source| source.name.as_str());
    let mut branches = Vec::new();
    for app in &plan.apps {
        let values = Values { app, env: &plan.target.name, version: &plan.version, from };
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
        let Some(reach) = author.forge_of_requests(&alone)? else { return Ok(()) };
        let closed = author.trust.wait(async {
            let living = Living::read(author, &alone, reach).await?;
            let closed = living.close(&Story::Taken { number: by.number }).await;
            living.speak();
            closed
        });
        if let Some((closed, _)) = closed? {
            author.terminal.note(format!("closed #{}: #{} took its app", closed.number, by.number));
        }
    }
    Ok(())
}
