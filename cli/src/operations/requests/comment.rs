//! The one comment of a request, and what it is given with the first one.

use gitops_core::request::is_report;
use gitops_forge::{ApiError, Comment, Request};
use tokio::time::sleep;

use super::{Living, OPENER, TRIES, about, same, unanswered};
use crate::failure::Failure;
use crate::operations::forges::failure;
use crate::output::request::{Story, comment};

impl Living<'_> {
    /// Makes sure of the one comment, and before the first one of labels and
    /// reviewers. `fresh` says that nobody else can have written anything yet.
    /// Answers whether something was written.
    pub(super) async fn tell(
        &self,
        request: &Request,
        story: &Story<'_>,
        fresh: bool,
    ) -> Result<bool, Failure> {
        let about = about(&self.plan.apps, &self.plan.target.name);
        let found = match fresh {
            true => None,
            false => match self.comment(request, &about).await? {
                // Who opened it just now is about to comment.
                None => {
                    sleep(OPENER).await;
                    self.comment(request, &about).await?
                }
                found => found,
            },
        };
        let text = comment(self.plan, about.clone(), story, self.api().limits().comment);
        let attempt = || format!("could not comment on #{}", request.number);
        match found {
            Some(found) if same(&found.body, &text) => Ok(false),
            Some(found) => {
                let write = || self.api().edit_comment(found.id, &text);
                self.again(attempt, write).await?;
                Ok(true)
            }
            None => {
                self.dress(request).await?;
                for _ in 0..TRIES {
                    match self.api().comment(request.number, &text).await {
                        Ok(_) => return Ok(true),
                        Err(ApiError::Unanswered { .. }) => {}
                        Err(error) => return self.may_lack(attempt(), &error).map(|()| false),
                    }
                    if self.comment(request, &about).await?.is_some() {
                        return Ok(true);
                    }
                }
                Err(unanswered(attempt()))
            }
        }
    }

    /// The comment that this program keeps: by its last line, and by its author.
    async fn comment(&self, request: &Request, about: &str) -> Result<Option<Comment>, Failure> {
        let attempt = || format!("could not read the comments of #{}", request.number);
        let all = self.api().comments(request.number).await;
        let mut all = all.map_err(|error| failure(attempt(), &error))?;
        all.retain(|comment| is_report(&comment.body, about));
        // Who opened the request has written it, as a rule.
        if let Some(at) = all.iter().position(|comment| comment.author == request.author) {
            return Ok(Some(all.swap_remove(at)));
        }
        if all.is_empty() {
            return Ok(None);
        }
        let me =
            self.asked().me().await.map_err(|error| failure(attempt(), &error))?.map(str::to_owned);
        Ok(all.into_iter().find(|comment| Some(&comment.author) == me.as_ref()))
    }

    /// Labels and reviewers. They are given once: who takes one away means it.
    async fn dress(&self, request: &Request) -> Result<(), Failure> {
        let labels = self.plan.labels.iter().filter(|label| !request.labels.contains(*label));
        let labels: Vec<String> = labels.cloned().collect();
        if !labels.is_empty() {
            let attempt = || format!("could not label #{}", request.number);
            match self.api().label(request.number, &labels).await {
                Ok(unknown) => {
                    for label in unknown {
                        self.warn(format!(
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
            match self.api().ask(request.number, &reviewers).await {
                Ok(unknown) => {
                    for name in unknown {
                        self.warn(format!(
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
}
