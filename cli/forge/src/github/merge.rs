//! Merges, now or as soon as GitHub has what it requires.

use serde::Deserialize;
use serde_json::{Value, json};

use super::GitHub;
use super::graph::documents;
use super::line::{Failed, Intent};
use crate::{ApiError, Merge, MergeMethod, Merged, RequestState};

fn method(method: MergeMethod) -> &'static str {
    match method {
        MergeMethod::Squash => "squash",
        MergeMethod::Merge => "merge",
        MergeMethod::Rebase => "rebase",
    }
}

#[derive(Deserialize)]
struct Done {
    sha: Option<String>,
    merged: bool,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Data {
    repository: Option<InRepository>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InRepository {
    auto_merge_allowed: bool,
    pull_request: Option<Readiness>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Readiness {
    id: String,
    state: String,
    head_ref_oid: String,
    merge_state_status: String,
    is_in_merge_queue: bool,
    is_merge_queue_enabled: bool,
    auto_merge_request: Option<AutoMerge>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AutoMerge {
    merge_method: String,
    commit_headline: Option<String>,
    commit_body: Option<String>,
}

impl GitHub {
    pub(super) async fn merge_now(&self, number: u64, merge: &Merge) -> Result<Merged, ApiError> {
        let template = "/repos/{owner}/{repo}/pulls/{pull_number}/merge";
        let what = format!("request {number} of {}", self.what());
        let attempt = "merge a pull request";
        let intent = Intent { template, attempt, what, read: false };
        let path = format!("{}/pulls/{number}/merge", self.path);
        let mut body = json!({"sha": merge.head, "merge_method": method(merge.method)});
        // A rebase keeps the commits' own words.
        if merge.method != MergeMethod::Rebase {
            body["commit_title"] = json!(merge.title);
            body["commit_message"] = json!(merge.message);
        }
        let answer: Result<Done, Failed> = self.line.put(intent.clone(), &path, &body).await;
        match answer {
            Ok(done) if done.merged => Ok(Merged::Done(done.sha)),
            Ok(done) => Ok(Merged::Refused(done.message.unwrap_or_default())),
            Err(Failed::Refused { status, message, .. })
                if matches!(status.as_u16(), 405 | 409 | 422) =>
            {
                self.why_not(number, merge, status.as_u16(), message).await
            }
            Err(failed) => Err(self.line.refused(&intent, failed)),
        }
    }

    /// What a refusal to merge means. GitHub has few statuses for many reasons, so
    /// the request is looked at; words are matched where nothing else tells.
    ///
    /// Source: GitHub docs, "Merge a pull request": 405 "if merge cannot be
    /// performed", 409 "if sha was provided and pull request head did not match".
    async fn why_not(
        &self,
        number: u64,
        merge: &Merge,
        status: u16,
        message: String,
    ) -> Result<Merged, ApiError> {
        let said = message.to_ascii_lowercase();
        if said.contains("base branch was modified") {
            return Ok(Merged::BaseMoved);
        }
        let pull = self.pull(number).await?;
        let same = pull.head.sha == merge.head;
        Ok(match pull.state() {
            RequestState::Merged if same => Merged::Done(pull.merge_commit()),
            _ if !same => Merged::HeadMoved,
            RequestState::Merged => Merged::HeadMoved,
            RequestState::Closed => Merged::Refused("it is closed".to_owned()),
            RequestState::Open if said.contains("not allowed") || said.contains("merge queue") => {
                Merged::Refused(message)
            }
            RequestState::Open => match (pull.mergeable, pull.mergeable_state.as_deref()) {
                (Some(false), _) | (_, Some("dirty")) => Merged::Conflict,
                // The head is the one that was judged, and something was in between.
                _ if status == 409 => Merged::BaseMoved,
                _ if status == 422 => Merged::Refused(message),
                _ => Merged::NotYet(message),
            },
        })
    }

    /// Auto-merge, or the branch's merge queue. What is ready already is put into
    /// the queue, or merged, as GitHub would at once.
    pub(super) async fn merge_later(&self, number: u64, merge: &Merge) -> Result<(), ApiError> {
        let what = format!("request {number} of {}", self.what());
        let attempt = "have a pull request merged when it is ready";
        let ask = |template, read| Intent { template, attempt, what: what.clone(), read };
        let reading = ask("GraphQL Readiness", true);
        let mut variables = self.names();
        variables["number"] = json!(number);
        let data: Data = self.graph_whole(&reading, documents::READINESS, variables).await?;
        let repository = data.repository;
        let allowed = repository.as_ref().is_some_and(|there| there.auto_merge_allowed);
        let Some(request) = repository.and_then(|there| there.pull_request) else {
            return Err(self.line.asking(&reading, |asking| asking.missing()));
        };
        let refuse = |message: &str| {
            let body = json!({ "message": message });
            let status = reqwest::StatusCode::UNPROCESSABLE_ENTITY;
            self.line.asking(&reading, |asking| asking.refused(status, &body))
        };
        let same = request.head_ref_oid == merge.head;
        match request.state.as_str() {
            "MERGED" if same => return Ok(()),
            _ if !same => return Err(refuse("its head is not the commit that was judged")),
            "OPEN" => {}
            _ => return Err(refuse("it is closed")),
        }
        if request.is_in_merge_queue {
            return Ok(());
        }
        if let Some(set) = &request.auto_merge_request {
            let texts = set.commit_headline.as_deref() == Some(&merge.title)
                && set.commit_body.as_deref() == Some(&merge.message);
            // A queue has a way and words of its own.
            let wanted = set.merge_method.eq_ignore_ascii_case(method(merge.method))
                && (texts || merge.method == MergeMethod::Rebase);
            if wanted || request.is_merge_queue_enabled {
                return Ok(());
            }
            let input = json!({"input": {"pullRequestId": request.id}});
            let changing = ask("GraphQL DisableAutoMerge", false);
            self.graph_whole::<Value>(&changing, documents::DISABLE, input).await?;
        }
        if matches!(request.merge_state_status.as_str(), "CLEAN" | "HAS_HOOKS") {
            return self.merge_ready(number, merge, &request).await;
        }
        if !allowed {
            return Err(refuse(
                "auto-merge is switched off in this repository (settings, Allow auto-merge)",
            ));
        }
        let mut input = json!({
            "pullRequestId": request.id,
            "mergeMethod": method(merge.method).to_ascii_uppercase(),
            "expectedHeadOid": merge.head,
        });
        if merge.method != MergeMethod::Rebase {
            input["commitHeadline"] = json!(merge.title);
            input["commitBody"] = json!(merge.message);
        }
        let enabling = ask("GraphQL EnableAutoMerge", false);
        let variables = json!({ "input": input });
        let enabled = self.graph_whole::<Value>(&enabling, documents::ENABLE, variables).await;
        match enabled {
            // It became ready in between ("Pull request is in clean status").
            Err(ApiError::Refused { message, .. }) if message.contains("clean status") => {
                self.merge_ready(number, merge, &request).await
            }
            enabled => enabled.map(drop),
        }
    }

    /// What GitHub has no auto-merge for, since it lacks nothing.
    async fn merge_ready(
        &self,
        number: u64,
        merge: &Merge,
        request: &Readiness,
    ) -> Result<(), ApiError> {
        let what = format!("request {number} of {}", self.what());
        let attempt = "have a pull request merged when it is ready";
        let intent = Intent { template: "GraphQL Enqueue", attempt, what, read: false };
        if request.is_merge_queue_enabled {
            let input = json!({"pullRequestId": request.id, "expectedHeadOid": merge.head});
            let input = json!({ "input": input });
            return self.graph_whole::<Value>(&intent, documents::ENQUEUE, input).await.map(drop);
        }
        let why = match self.merge_now(number, merge).await? {
            Merged::Done(_) => return Ok(()),
            Merged::HeadMoved => "its head is not the commit that was judged".to_owned(),
            Merged::BaseMoved => "its base moved meanwhile".to_owned(),
            Merged::Conflict => "it conflicts with its base".to_owned(),
            Merged::NotYet(why) | Merged::Refused(why) => why,
        };
        let body = json!({ "message": why });
        let status = reqwest::StatusCode::CONFLICT;
        Err(self.line.asking(&intent, |asking| asking.refused(status, &body)))
    }
}
