//! Which requests there are.
//!
//! Gitea has no filter by head. `pulls/{base}/{head}` answers one request of the
//! two branches, of any state and in no order: it is the one, where it is open, or
//! there never was any; a repository that is not there looks the same to it.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::wire::{LabelNumber, Pull, Reference};
use super::{Gitea, PAGE, whole};
use crate::percent::encode;
use crate::{ApiError, Request, RequestState};

impl Gitea {
    /// The open request of two branches; where none is open, the last one.
    pub(super) async fn find(&self, head: &str, base: &str) -> Result<Vec<Pull>, ApiError> {
        let Some(known) = self.ever(head, base).await? else {
            self.labels().await?;
            return Ok(Vec::new());
        };
        if known.state() == RequestState::Open {
            return Ok(vec![known]);
        }
        let open = self.find_open(head, base).await?;
        if !open.is_empty() {
            return Ok(open);
        }
        let closed = self.list("closed", "recentclose", Some(base), |pull| pull.is(head, base));
        let last = closed.await?.into_iter().find(|pull| pull.is(head, base));
        Ok(vec![last.unwrap_or(known)])
    }

    /// The open requests of two branches, as a rule one: of two who ask at once, both
    /// may open one.
    pub(super) async fn find_open(&self, head: &str, base: &str) -> Result<Vec<Pull>, ApiError> {
        let mut open = self.list("open", "recentupdate", Some(base), |_| false).await?;
        open.retain(|pull| pull.is(head, base));
        Ok(open)
    }

    /// Requests of a state, until `enough` says so of one.
    async fn list(
        &self,
        state: &'static str,
        order: &'static str,
        base: Option<&str>,
        enough: impl Fn(&Pull) -> bool,
    ) -> Result<Vec<Pull>, ApiError> {
        let what = self.what();
        let template = "/repos/{owner}/{repo}/pulls";
        let mut ask = self.ask(Method::GET, template, "/pulls", "list pull requests", &what);
        ask.query = vec![("state", state.into()), ("sort", order.into())];
        ask.query.extend(base.map(|base| ("base_branch", base.to_owned())));
        let enough = |found: &[Pull]| found.iter().any(&enough);
        self.http.pages(&ask, PAGE, whole, enough).await
    }

    /// Any request of two branches.
    async fn ever(&self, head: &str, base: &str) -> Result<Option<Pull>, ApiError> {
        let what = format!("a request from {head} into {base}");
        let template = "/repos/{owner}/{repo}/pulls/{base}/{head}";
        let path = format!("/pulls/{}/{}", encode(base, ""), encode(head, "/"));
        let ask = self.ask(Method::GET, template, &path, "find a pull request", &what);
        let answer = self.http.send(&ask).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            _ => self
                .http
                .read::<Pull>(&ask, answer)
                .map(|pull| Some(pull).filter(|pull| pull.is(head, base))),
        }
    }

    /// The numbers of the repository's labels, as many as one page has: with them a
    /// request is opened and labelled by one call. They say that the repository is
    /// there, too, once for all.
    async fn labels(&self) -> Result<&BTreeMap<String, u64>, ApiError> {
        let read = || async {
            let what = self.what();
            let template = "/repos/{owner}/{repo}/labels";
            let mut ask = self.ask(Method::GET, template, "/labels", "read labels", &what);
            ask.query = vec![(PAGE.0, PAGE.1.to_string())];
            let found = self.http.get::<Option<Vec<LabelNumber>>>(&ask).await;
            Ok(found?.into_iter().flatten().map(|label| (label.name, label.id)).collect())
        };
        self.labels.get_or_try_init(read).await
    }

    /// The requests whose head is this commit: each has a reference of its own,
    /// which stays when the branch goes.
    pub(super) async fn find_by_commit(&self, commit: &str) -> Result<Vec<Request>, ApiError> {
        let what = self.what();
        let template = "/repos/{owner}/{repo}/git/refs/pull";
        let ask = self.ask(Method::GET, template, "/git/refs/pull", "list pull requests", &what);
        let answer = self.http.send(&ask).await?;
        if answer.status == StatusCode::NOT_FOUND {
            self.exists().await?;
            return Ok(Vec::new());
        }
        // A single one comes without a list around it.
        let list = |body: Value| if body.is_object() { Value::Array(vec![body]) } else { body };
        let answer = crate::http::Answer { body: list(answer.body), ..answer };
        let references: Vec<Reference> = self.http.read(&ask, answer)?;
        let number = |reference: &Reference| -> Option<u64> {
            let name = reference.name.strip_prefix("refs/pull/")?.strip_suffix("/head")?;
            name.parse().ok()
        };
        let of_it = references.iter().filter(|reference| reference.object.sha == commit);
        let numbers: BTreeSet<u64> = of_it.filter_map(number).collect();
        let mut found = Vec::new();
        for number in numbers.into_iter().rev() {
            found.push(self.pull(number).await?.request());
        }
        Ok(found)
    }
}
