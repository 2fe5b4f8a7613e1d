//! What is known of commits and branches: statuses and check runs, authors,
//! protection; and who reviewed, who is in a team.

use std::collections::{BTreeMap, BTreeSet};

use gitops_core::gate::{Review, Status, Verdict};
use serde::Deserialize;
use serde_json::{Value, json};

use super::GitHub;
use super::graph::{Actor, Fault, Many, Oid, documents};
use super::line::{Failed, Intent};
use super::requests::User;
use crate::percent::encode;
use crate::{ApiError, CommitStatus, Protection};

#[derive(Deserialize)]
struct InRepository<T> {
    repository: Option<T>,
}

#[derive(Deserialize)]
struct WithObject {
    object: Option<Commit>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Commit {
    status_check_rollup: Option<Rollup>,
}

#[derive(Deserialize)]
struct Rollup {
    contexts: Many<Context>,
}

/// A commit status or a check run.
#[derive(Deserialize)]
#[serde(tag = "__typename", rename_all_fields = "camelCase")]
enum Context {
    StatusContext {
        context: String,
        state: String,
        description: Option<String>,
        target_url: Option<String>,
    },
    CheckRun {
        name: String,
        status: String,
        conclusion: Option<String>,
        title: Option<String>,
        details_url: Option<String>,
    },
}

/// A status as REST has it.
#[derive(Deserialize)]
struct OneStatus {
    context: String,
    state: String,
    description: Option<String>,
    target_url: Option<String>,
}

fn state(word: &str) -> Status {
    match word.to_ascii_uppercase().as_str() {
        "SUCCESS" => Status::Success,
        "FAILURE" | "ERROR" => Status::Failure,
        _ => Status::Pending,
    }
}

impl Context {
    /// A check run counts as GitHub counts it where it is required: skipped and
    /// neutral ones have passed ("About protected branches", "Require status
    /// checks before merging"); a stale one is as if it never came.
    fn status(self) -> CommitStatus {
        match self {
            Context::StatusContext { context, state: word, description, target_url } => {
                let description = description.unwrap_or_default();
                CommitStatus { context, state: state(&word), description, target_url }
            }
            Context::CheckRun { name, status, conclusion, title, details_url } => CommitStatus {
                context: name,
                state: match (status.as_str(), conclusion.as_deref()) {
                    ("COMPLETED", Some("SUCCESS" | "NEUTRAL" | "SKIPPED")) => Status::Success,
                    ("COMPLETED", Some("STALE") | None) => Status::Pending,
                    ("COMPLETED", Some(_)) => Status::Failure,
                    _ => Status::Pending,
                },
                description: title.unwrap_or_default(),
                target_url: details_url,
            },
        }
    }
}

/// One a context; of a status and a check run of one name the worse.
fn one_each(all: impl IntoIterator<Item = CommitStatus>) -> Vec<CommitStatus> {
    let worse = |status: &CommitStatus| match status.state {
        Status::Success => 0,
        Status::Pending => 1,
        Status::Failure => 2,
    };
    let mut found: BTreeMap<String, CommitStatus> = BTreeMap::new();
    for status in all {
        let stands = found.get(&status.context);
        if stands.is_none_or(|stands| worse(stands) < worse(&status)) {
            found.insert(status.context.clone(), status);
        }
    }
    found.into_values().collect()
}

impl GitHub {
    /// Statuses and check runs in one call. A token that may not read check runs
    /// gets the statuses alone, and [`crate::Api::left_out`] says so.
    pub(super) async fn all_statuses(&self, commit: &str) -> Result<Vec<CommitStatus>, ApiError> {
        let what = format!("commit {commit} of {}", self.what());
        let attempt = "read statuses";
        let intent = Intent { template: "GraphQL Statuses", attempt, what, read: true };
        let mut found = Vec::new();
        let mut variables = self.names();
        variables["commit"] = json!(commit);
        loop {
            type Data = InRepository<WithObject>;
            let (data, faults) =
                self.graph::<Data>(&intent, documents::STATUSES, variables.clone()).await?;
            if faults.iter().any(Fault::forbids) {
                self.known().hidden.insert(commit.to_owned());
                return self.statuses_alone(commit).await;
            }
            if !faults.is_empty() {
                return Err(self.fault(&intent, &faults));
            }
            let object = data.and_then(|data| data.repository).and_then(|there| there.object);
            let Some(object) = object else {
                return Err(self.line.asking(&intent, |asking| asking.missing()));
            };
            let Some(rollup) = object.status_check_rollup else { break };
            let page = rollup.contexts.page_info.clone();
            found.extend(rollup.contexts.seen().map(Context::status));
            match page.filter(|page| page.has_next_page).and_then(|page| page.end_cursor) {
                Some(cursor) => variables["after"] = json!(cursor),
                None => break,
            }
        }
        self.known().hidden.remove(commit);
        Ok(one_each(found))
    }

    async fn statuses_alone(&self, commit: &str) -> Result<Vec<CommitStatus>, ApiError> {
        // Newest first, several a context.
        let template = "/repos/{owner}/{repo}/commits/{ref}/statuses";
        let what = format!("commit {commit} of {}", self.what());
        let intent = Intent { template, attempt: "read statuses", what, read: true };
        let path = format!("{}/commits/{}/statuses", self.path, encode(commit, ""));
        let all: Result<Vec<OneStatus>, Failed> = self.line.list(intent.clone(), &path).await;
        let all = all.map_err(|failed| self.line.refused(&intent, failed))?;
        let mut seen = BTreeSet::new();
        let newest = all.into_iter().filter(|status| seen.insert(status.context.clone()));
        Ok(newest
            .map(|status| CommitStatus {
                context: status.context,
                state: state(&status.state),
                description: status.description.unwrap_or_default(),
                target_url: status.target_url,
            })
            .collect())
    }

    pub(super) async fn write_status(
        &self,
        commit: &str,
        status: &CommitStatus,
    ) -> Result<(), ApiError> {
        let template = "/repos/{owner}/{repo}/statuses/{sha}";
        let what = format!("commit {commit} of {}", self.what());
        let intent = Intent { template, attempt: "set a status", what, read: false };
        let path = format!("{}/statuses/{}", self.path, encode(commit, ""));
        let mut body = json!({
            "state": match status.state {
                Status::Success => "success",
                Status::Failure => "failure",
                Status::Pending => "pending",
            },
            "context": status.context,
            "description": status.description,
        });
        if let Some(url) = &status.target_url {
            body["target_url"] = json!(url);
        }
        let done: Result<Value, Failed> = self.line.post(intent.clone(), &path, &body).await;
        done.map(drop).map_err(|failed| self.line.refused(&intent, failed))
    }

    /// Whether a reviewer may write is asked of GitHub, which REST does not say.
    pub(super) async fn all_reviews(&self, number: u64) -> Result<Vec<Review>, ApiError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct WithRequest {
            pull_request: Option<Reviewed>,
        }
        #[derive(Deserialize)]
        struct Reviewed {
            reviews: Option<Many<OneReview>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct OneReview {
            author: Option<Actor>,
            state: String,
            commit: Option<Oid>,
            author_can_push_to_repository: bool,
        }
        let what = format!("request {number} of {}", self.what());
        let attempt = "read reviews";
        let intent = Intent { template: "GraphQL Reviews", attempt, what, read: true };
        let mut variables = self.names();
        variables["number"] = json!(number);
        let mut found = Vec::new();
        loop {
            type Data = InRepository<WithRequest>;
            let data: Data =
                self.graph_whole(&intent, documents::REVIEWS, variables.clone()).await?;
            let request = data.repository.and_then(|there| there.pull_request);
            let request =
                request.ok_or_else(|| self.line.asking(&intent, |asking| asking.missing()))?;
            let Some(reviews) = request.reviews else { return Ok(found) };
            let page = reviews.page_info.clone();
            found.extend(reviews.seen().filter_map(|review| {
                let verdict = match review.state.as_str() {
                    "APPROVED" => Verdict::Approved,
                    "CHANGES_REQUESTED" => Verdict::ChangesRequested,
                    "DISMISSED" => Verdict::Dismissed,
                    // Not sent yet, and seen by its author alone.
                    "PENDING" => return None,
                    _ => Verdict::Commented,
                };
                Some(Review {
                    user: review.author.map_or_else(|| "ghost".to_owned(), Actor::login),
                    verdict,
                    head: review.commit.map(|commit| commit.oid).unwrap_or_default(),
                    counts: review.author_can_push_to_repository,
                })
            }));
            match page.filter(|page| page.has_next_page).and_then(|page| page.end_cursor) {
                Some(cursor) => variables["after"] = json!(cursor),
                None => return Ok(found),
            }
        }
    }

    pub(super) async fn team(&self, team: &str) -> Result<BTreeSet<String>, ApiError> {
        let (org, slug) = team.split_once('/').unwrap_or((&self.owner, team));
        let template = "/orgs/{org}/teams/{team_slug}/members";
        let what = format!("the team {org}/{slug}");
        let intent = Intent { template, attempt: "read a team", what, read: true };
        let path = format!("/orgs/{}/teams/{}/members", encode(org, ""), encode(slug, ""));
        let found: Result<Vec<User>, Failed> = self.line.list(intent.clone(), &path).await;
        let found = found.map_err(|failed| self.line.refused(&intent, failed))?;
        Ok(found.into_iter().map(|user| user.login).collect())
    }

    /// With those that `Co-authored-by` names, a hundred commits a call.
    pub(super) async fn all_authors(
        &self,
        commits: &[String],
    ) -> Result<BTreeSet<String>, ApiError> {
        #[derive(Deserialize)]
        struct Authored {
            authors: Option<Many<Person>>,
        }
        #[derive(Deserialize)]
        struct Person {
            user: Option<User>,
        }
        let intent = self.query("GraphQL Authors", "read who made commits");
        let mut found = BTreeSet::new();
        for some in commits.chunks(100) {
            let document = authors_of(some.len());
            let mut variables = self.names();
            for (place, commit) in some.iter().enumerate() {
                variables[format!("c{place}")] = json!(commit);
            }
            type Data = InRepository<BTreeMap<String, Value>>;
            let data: Data = self.graph_whole(&intent, &document, variables).await?;
            let repository = data
                .repository
                .ok_or_else(|| self.line.asking(&intent, |asking| asking.missing()))?;
            for (name, object) in repository {
                if name == "nameWithOwner" {
                    continue;
                }
                // A commit that GitHub does not have: who made it is not known.
                let authored: Option<Authored> =
                    serde_json::from_value(object).map_err(|error| {
                        self.line.asking(&intent, |asking| asking.not_the_api(error.to_string()))
                    })?;
                let authored =
                    authored.ok_or_else(|| self.line.asking(&intent, |asking| asking.missing()))?;
                let people = authored.authors.into_iter().flat_map(Many::seen);
                found.extend(people.filter_map(|one| one.user).map(|user| user.login));
            }
        }
        Ok(found)
    }

    /// Classic protection, rulesets and a merge queue together. `None` where GitHub
    /// says that the branch is protected, and not how.
    pub(super) async fn guard(&self, branch: &str) -> Result<Option<Protection>, ApiError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Guarded {
            merge_queue: Option<Value>,
            #[serde(rename = "ref")]
            branch: Option<Ref>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Ref {
            ref_update_rule: Option<Classic>,
            branch_protection_rule: Option<Classic>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Classic {
            required_status_check_contexts: Option<Vec<Option<String>>>,
            required_approving_review_count: Option<u32>,
            #[serde(default)]
            viewer_can_push: Option<bool>,
            #[serde(default)]
            lock_branch: Option<bool>,
        }
        #[derive(Deserialize)]
        struct Rule {
            #[serde(rename = "type")]
            kind: String,
            #[serde(default)]
            parameters: Option<Parameters>,
        }
        #[derive(Deserialize)]
        struct Parameters {
            #[serde(default)]
            required_status_checks: Vec<Check>,
            #[serde(default)]
            required_approving_review_count: u32,
        }
        #[derive(Deserialize)]
        struct Check {
            context: String,
        }
        #[derive(Deserialize)]
        struct OneBranch {
            protected: bool,
        }
        let what = format!("the branch {branch} of {}", self.what());
        let attempt = "read the protection of a branch";
        let intent = |template| Intent { template, attempt, what: what.clone(), read: true };

        let asked = intent("GraphQL Protection");
        let mut variables = self.names();
        variables["ref"] = json!(format!("refs/heads/{branch}"));
        variables["branch"] = json!(branch);
        type Data<T> = InRepository<T>;
        let (data, faults) =
            self.graph::<Data<Guarded>>(&asked, documents::PROTECTION, variables).await?;
        if faults.iter().any(|fault| !fault.forbids()) {
            return Err(self.fault(&asked, &faults));
        }
        let Some(guarded) = data.and_then(|data| data.repository) else {
            return match faults.is_empty() {
                true => Err(self.line.asking(&asked, |asking| asking.missing())),
                false => Ok(None),
            };
        };
        let Some(found) = guarded.branch else {
            return Err(self.line.asking(&asked, |asking| asking.missing()));
        };

        let mut protection =
            Protection { queue: guarded.merge_queue.is_some(), ..Protection::default() };
        let classic = [found.ref_update_rule, found.branch_protection_rule];
        let seen = classic.iter().any(Option::is_some);
        for rule in classic.into_iter().flatten() {
            let contexts = rule.required_status_check_contexts.into_iter().flatten().flatten();
            protection.required_contexts.extend(contexts);
            let count = rule.required_approving_review_count.unwrap_or_default();
            protection.required_approvals = protection.required_approvals.max(count);
            protection.no_push |=
                rule.viewer_can_push == Some(false) || rule.lock_branch == Some(true);
        }

        // Everybody who may read the repository may read these.
        let asked = intent("/repos/{owner}/{repo}/rules/branches/{branch}");
        let path = format!("{}/rules/branches/{}", self.path, encode(branch, ""));
        let rules: Result<Vec<Rule>, Failed> = self.line.list(asked.clone(), &path).await;
        let rules = rules.map_err(|failed| self.line.refused(&asked, failed))?;
        for rule in &rules {
            protection.queue |= rule.kind == "merge_queue";
            // What must go through a request, or may not be updated at all, takes no push.
            protection.no_push |= matches!(rule.kind.as_str(), "pull_request" | "update");
            if let Some(parameters) = &rule.parameters {
                let contexts = parameters.required_status_checks.iter();
                protection.required_contexts.extend(contexts.map(|check| check.context.clone()));
                let count = parameters.required_approving_review_count;
                protection.required_approvals = protection.required_approvals.max(count);
            }
        }
        if seen || !rules.is_empty() {
            return Ok(Some(protection));
        }

        let asked = intent("/repos/{owner}/{repo}/branches/{branch}");
        let path = format!("{}/branches/{}", self.path, encode(branch, ""));
        let found: Result<OneBranch, Failed> = self.line.get(asked.clone(), &path).await;
        let found = found.map_err(|failed| self.line.refused(&asked, failed))?;
        Ok((!found.protected).then_some(protection))
    }
}

/// A document that asks for the authors of so many commits.
pub(super) fn authors_of(count: usize) -> String {
    let mut text = String::from("query Authors($owner: String!, $name: String!");
    for place in 0..count {
        text.push_str(&format!(", $c{place}: GitObjectID!"));
    }
    text.push_str(") {\n  repository(owner: $owner, name: $name) {\n    nameWithOwner\n");
    for place in 0..count {
        text.push_str(&format!("    c{place}: object(oid: $c{place}) {{\n      ...Made\n    }}\n"));
    }
    text.push_str("  }\n}\n\nfragment Made on Commit {\n  authors(first: 20) {\n    nodes {\n");
    text.push_str("      user {\n        login\n      }\n    }\n  }\n}\n");
    text
}
