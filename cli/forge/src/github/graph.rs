//! GraphQL: one call where REST needs several.
//!
//! octocrab's `graphql` drops the `type` of an error, which alone tells a missing
//! repository from a token that may not; so the answer is read here.

use std::collections::BTreeSet;

use super::moment::Moment;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::GitHub;
use super::line::Intent;
use crate::{ApiError, Request, RequestState};

/// What GitHub answers.
#[derive(Deserialize)]
struct Answer<T> {
    data: Option<T>,
    #[serde(default)]
    errors: Vec<Fault>,
}

/// One error of an answer.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Fault {
    /// `NOT_FOUND`, `FORBIDDEN`; a document that is wrong has none.
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    /// GitHub's words.
    pub(super) message: String,
}

impl Fault {
    /// Whether the token may not see or do it.
    pub(super) fn forbids(&self) -> bool {
        matches!(self.kind.as_str(), "FORBIDDEN" | "INSUFFICIENT_SCOPES")
    }
}

/// A page of a list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Many<T> {
    /// Its entries; null is what the token may not see.
    pub(super) nodes: Option<Vec<Option<T>>>,
    /// What follows.
    pub(super) page_info: Option<PageInfo>,
}

impl<T> Many<T> {
    /// The entries that may be seen.
    pub(super) fn seen(self) -> impl Iterator<Item = T> {
        self.nodes.into_iter().flatten().flatten()
    }
}

/// What follows a page.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    /// Whether anything does.
    #[serde(default)]
    pub(super) has_next_page: bool,
    /// Where it begins.
    #[serde(default)]
    pub(super) end_cursor: Option<String>,
}

/// Somebody, or something that acts.
#[derive(Deserialize)]
pub(super) struct Actor {
    #[serde(rename = "__typename")]
    kind: String,
    login: String,
}

impl Actor {
    /// The name as REST has it: there an App's is `name[bot]`, here it is `name`.
    pub(super) fn login(self) -> String {
        match self.kind.as_str() {
            "Bot" if !self.login.ends_with("[bot]") => format!("{}[bot]", self.login),
            _ => self.login,
        }
    }
}

/// `viewer { login }`.
#[derive(Deserialize)]
pub(super) struct Viewer {
    /// Who the token belongs to.
    pub(super) login: String,
}

/// Something with a name.
#[derive(Deserialize)]
pub(super) struct Named {
    /// The name.
    pub(super) name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Node {
    number: u64,
    state: String,
    title: String,
    body: String,
    head_ref_name: String,
    head_ref_oid: String,
    is_cross_repository: bool,
    base_ref_name: String,
    author: Option<Actor>,
    labels: Option<Many<Named>>,
    review_requests: Option<Many<Asked>>,
    merge_commit: Option<Oid>,
    url: String,
    created_at: Moment,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    requested_reviewer: Option<Reviewer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reviewer {
    login: Option<String>,
    combined_slug: Option<String>,
}

/// A commit's name.
#[derive(Deserialize)]
pub(super) struct Oid {
    /// It.
    pub(super) oid: String,
}

impl Node {
    /// The request as it is spoken of here.
    pub(super) fn request(self) -> Request {
        let reviewers = self.review_requests.into_iter().flat_map(Many::seen);
        let reviewers = reviewers.filter_map(|asked| asked.requested_reviewer);
        Request {
            number: self.number,
            state: match self.state.as_str() {
                "OPEN" => RequestState::Open,
                "MERGED" => RequestState::Merged,
                _ => RequestState::Closed,
            },
            title: self.title,
            body: self.body,
            head: self.head_ref_name,
            head_commit: self.head_ref_oid,
            from_fork: self.is_cross_repository,
            base: self.base_ref_name,
            // A user that is gone is GitHub's `ghost`.
            author: self.author.map_or_else(|| "ghost".to_owned(), Actor::login),
            labels: self.labels.into_iter().flat_map(Many::seen).map(|l| l.name).collect(),
            reviewers: reviewers.filter_map(|one| one.login.or(one.combined_slug)).collect(),
            merge_commit: self.merge_commit.map(|commit| commit.oid),
            page: self.url,
            opened: Some(self.created_at.0),
        }
    }
}

#[derive(Deserialize)]
struct Requests {
    viewer: Viewer,
    repository: Option<RequestsIn>,
}

#[derive(Deserialize)]
struct RequestsIn {
    labels: Option<Many<Named>>,
    open: Many<Node>,
    closed: Many<Node>,
}

/// The documents, each with what it is for.
pub(super) mod documents {
    pub(crate) const REQUESTS: &str = include_str!("graphql/requests.graphql");
    pub(crate) const VIEWER: &str = include_str!("graphql/viewer.graphql");
    pub(crate) const STATUSES: &str = include_str!("graphql/statuses.graphql");
    pub(crate) const REVIEWS: &str = include_str!("graphql/reviews.graphql");
    pub(crate) const PROTECTION: &str = include_str!("graphql/protection.graphql");
    pub(crate) const READINESS: &str = include_str!("graphql/readiness.graphql");
    pub(crate) const ENABLE: &str = include_str!("graphql/enable.graphql");
    pub(crate) const DISABLE: &str = include_str!("graphql/disable.graphql");
    pub(crate) const ENQUEUE: &str = include_str!("graphql/enqueue.graphql");
}

impl GitHub {
    /// Asks by a document. What came, and what of it did not.
    pub(super) async fn graph<T: DeserializeOwned>(
        &self,
        intent: &Intent,
        document: &str,
        variables: Value,
    ) -> Result<(Option<T>, Vec<Fault>), ApiError> {
        let body = json!({"query": document, "variables": variables});
        let answer = self.line.post(intent.clone(), self.graphql, &body).await;
        let answer: Answer<Value> = answer.map_err(|failed| self.line.refused(intent, failed))?;
        let data = answer.data.filter(|data| !data.is_null());
        if let Some(name) = data.as_ref().and_then(|d| d.pointer("/repository/nameWithOwner")) {
            let name = name.as_str().unwrap_or_default();
            if !name.is_empty() && !name.eq_ignore_ascii_case(&self.full_name()) {
                let to = name.to_owned();
                return Err(ApiError::Moved { repository: self.full_name(), to });
            }
        }
        let faults = answer.errors;
        match data.map(serde_json::from_value).transpose() {
            Ok(data) => Ok((data, faults)),
            // What is missing in it is what the faults are about.
            Err(_) if !faults.is_empty() => Err(self.fault(intent, &faults)),
            Err(error) => Err(self.line.asking(intent, |asking| match intent.read {
                true => asking.not_the_api(error.to_string()),
                false => asking.unanswered(error.to_string()),
            })),
        }
    }

    /// The same where nothing may be left out.
    pub(super) async fn graph_whole<T: DeserializeOwned>(
        &self,
        intent: &Intent,
        document: &str,
        variables: Value,
    ) -> Result<T, ApiError> {
        match self.graph(intent, document, variables).await? {
            (Some(data), faults) if faults.is_empty() => Ok(data),
            (None, faults) if faults.is_empty() => {
                Err(self.line.asking(intent, |asking| asking.not_the_api("no data".to_owned())))
            }
            (_, faults) => Err(self.fault(intent, &faults)),
        }
    }

    /// What the faults of an answer come to.
    pub(super) fn fault(&self, intent: &Intent, faults: &[Fault]) -> ApiError {
        let message: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
        let message = message.join("; ");
        self.line.asking(intent, |asking| {
            if faults.iter().any(Fault::forbids) {
                return asking.forbidden(super::refusals::permission_of(intent.template), message);
            }
            match faults.iter().any(|fault| fault.kind == "NOT_FOUND") {
                true => asking.missing(),
                false => {
                    let body = json!({ "message": message });
                    asking.refused(reqwest::StatusCode::UNPROCESSABLE_ENTITY, &body)
                }
            }
        })
    }

    /// The requests of a branch, and in the same call who we are and which labels
    /// there are.
    pub(super) async fn find(&self, head: &str, base: &str) -> Result<Vec<Request>, ApiError> {
        let intent = self.query("GraphQL Requests", "read pull requests");
        let mut variables = self.names();
        variables["head"] = json!(head);
        variables["base"] = json!(base);
        let found: Requests = self.graph_whole(&intent, documents::REQUESTS, variables).await?;
        let repository =
            found.repository.ok_or_else(|| self.line.asking(&intent, |asking| asking.missing()))?;
        let mut known = self.known();
        known.me = Some(found.viewer.login);
        if let Some(labels) = repository.labels {
            let whole = labels.page_info.as_ref().is_some_and(|page| !page.has_next_page);
            let names: BTreeSet<String> = labels.seen().map(|l| l.name.to_lowercase()).collect();
            known.labels = Some((names, whole));
        }
        drop(known);
        let nodes = repository.open.seen().chain(repository.closed.seen());
        let mut requests: Vec<Request> = nodes.map(Node::request).collect();
        // A fork's branch may have the same name.
        requests.retain(|request| !request.from_fork);
        requests.sort_by_key(|request| std::cmp::Reverse(request.number));
        Ok(requests)
    }

    /// Who the token belongs to, asked once.
    pub(super) async fn whoami(&self) -> Result<String, ApiError> {
        #[derive(Deserialize)]
        struct Data {
            viewer: Viewer,
        }
        if let Some(me) = self.known().me.clone() {
            return Ok(me);
        }
        let intent = self.query("GraphQL Viewer", "read who it belongs to");
        let found: Data = self.graph_whole(&intent, documents::VIEWER, json!({})).await?;
        self.known().me = Some(found.viewer.login.clone());
        Ok(found.viewer.login)
    }

    /// `owner` and `name`, which nearly all documents take.
    pub(super) fn names(&self) -> Value {
        json!({"owner": self.owner, "name": self.repository})
    }

    /// A query: a POST that changes nothing.
    pub(super) fn query(&self, template: &'static str, attempt: &'static str) -> Intent {
        Intent { template, attempt, what: self.what(), read: true }
    }
}
