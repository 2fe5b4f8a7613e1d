//! Merging.
//!
//! Gitea says 405 "Please try again later" both while it works out whether a
//! request can be merged and where it cannot be; only the request's `mergeable`
//! tells, once it is worked out (`services/pull/check.go`).

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::Gitea;
use super::wire::Pull;
use crate::http::{Answer, Ask};
use crate::{ApiError, Merge, MergeMethod, Merged, RequestState};

/// How often one looks whether a request can be merged, before it counts as one
/// that cannot be.
const LOOKS: u32 = 12;

/// What is known after a look at a request that was not merged.
enum Look {
    /// It can be merged, as far as Gitea knows.
    Mergeable,
    /// It is over, one way or the other.
    Over(Merged),
}

impl Gitea {
    pub(super) async fn merge_now(&self, number: u64, merge: &Merge) -> Result<Merged, ApiError> {
        let what = format!("request {number} of {}", self.what());
        let ask = self.merging(number, merge, false, "merge a pull request", &what);
        // Of a request that is merged already it makes an empty commit, where it was
        // asked before it had come to know.
        if let Some(merged) = over(&self.pull(number).await?, merge) {
            return Ok(merged);
        }
        let mut asked = 0;
        loop {
            asked += 1;
            let answer = self.http.send(&ask).await?;
            let merged = match answer.status {
                status if status.is_success() => {
                    // The answer is empty. That it is merged is known; its commit
                    // is a courtesy.
                    let commit = self.pull(number).await.ok().and_then(|pull| pull.merge_commit());
                    return Ok(Merged::Done(commit));
                }
                StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_FOUND => {
                    not_allowed(&answer.words())
                }
                StatusCode::CONFLICT => Some(conflict(&answer)),
                status => return Err(self.http.asking(&ask).refused(status, &answer.body)),
            };
            if let Some(merged) = merged {
                return Ok(merged);
            }
            match self.look(number, merge).await? {
                Look::Over(merged) => return Ok(merged),
                Look::Mergeable if asked < self.http.patience().tries => {}
                Look::Mergeable => return Ok(Merged::NotYet(answer.words())),
            }
        }
    }

    pub(super) async fn schedule(&self, number: u64, merge: &Merge) -> Result<(), ApiError> {
        let what = format!("request {number} of {}", self.what());
        let attempt = "have a pull request merged when it is ready";
        let ask = self.merging(number, merge, true, attempt, &what);
        let refused = |message: String| ApiError::Refused {
            server: self.http.asking(&ask).server.to_owned(),
            attempt: attempt.to_owned(),
            status: StatusCode::CONFLICT.as_u16(),
            message,
        };
        let mut asked = 0;
        loop {
            asked += 1;
            let answer = self.http.send(&ask).await?;
            let words = answer.words();
            let scheduled = match answer.status {
                status if status.is_success() => true,
                StatusCode::CONFLICT => words.contains("already scheduled"),
                StatusCode::METHOD_NOT_ALLOWED if words.contains(LATER) => {
                    match self.look(number, merge).await? {
                        Look::Mergeable if asked < self.http.patience().tries => continue,
                        Look::Mergeable => false,
                        Look::Over(Merged::Done(_)) => return Ok(()),
                        Look::Over(Merged::Conflict) => {
                            return Err(refused("it conflicts with the base".into()));
                        }
                        Look::Over(Merged::HeadMoved) => {
                            return Err(refused("its head has moved".into()));
                        }
                        Look::Over(_) => return Err(refused("it is closed".into())),
                    }
                }
                _ => false,
            };
            if !scheduled {
                return Err(self.http.asking(&ask).refused(answer.status, &answer.body));
            }
            break;
        }
        // A schedule is not pinned to a head, and a push does not end it.
        let pull = self.pull(number).await?;
        if pull.state() == RequestState::Open && pull.head_commit() != merge.head {
            let attempt = "take back a scheduled merge";
            let cancel = Ask {
                method: Method::DELETE,
                body: None,
                attempt,
                ..self.merging(number, merge, true, attempt, &what)
            };
            let answer = self.http.send(&cancel).await?;
            // Without one it is as it should be.
            if !answer.status.is_success() && answer.status != StatusCode::NOT_FOUND {
                return Err(self.http.asking(&cancel).refused(answer.status, &answer.body));
            }
            return Err(refused(format!("its head is {}, not {}", pull.head_commit(), merge.head)));
        }
        Ok(())
    }

    fn merging<'a>(
        &self,
        number: u64,
        merge: &Merge,
        when_ready: bool,
        attempt: &'a str,
        what: &'a str,
    ) -> Ask<'a> {
        let template = "/repos/{owner}/{repo}/pulls/{index}/merge";
        let path = format!("/pulls/{number}/merge");
        let mut ask = self.ask(Method::POST, template, &path, attempt, what);
        ask.body = Some(json!({
            "Do": match merge.method {
                MergeMethod::Squash => "squash",
                MergeMethod::Merge => "merge",
                MergeMethod::Rebase => "rebase",
            },
            "MergeTitleField": merge.title,
            "MergeMessageField": merge.message,
            "head_commit_id": merge.head,
            "merge_when_checks_succeed": when_ready,
            "delete_branch_after_merge": false,
        }));
        ask
    }

    /// Looks until it is known whether the request can be merged.
    async fn look(&self, number: u64, merge: &Merge) -> Result<Look, ApiError> {
        let pause = self.http.patience().pause;
        for look in 0..LOOKS {
            let pull = self.pull(number).await?;
            if let Some(merged) = over(&pull, merge) {
                return Ok(Look::Over(merged));
            }
            if pull.mergeable {
                return Ok(Look::Mergeable);
            }
            if look + 1 < LOOKS {
                tokio::time::sleep(pause * (1 + look / 2)).await;
            }
        }
        Ok(Look::Over(Merged::Conflict))
    }
}

/// Whether the request itself says what became of the merge.
fn over(pull: &Pull, merge: &Merge) -> Option<Merged> {
    match pull.state() {
        RequestState::Merged if pull.head_commit() == merge.head => {
            Some(Merged::Done(pull.merge_commit()))
        }
        RequestState::Merged => Some(Merged::HeadMoved),
        RequestState::Closed => Some(Merged::Refused("the request is closed".into())),
        RequestState::Open if pull.head_commit() != merge.head => Some(Merged::HeadMoved),
        RequestState::Open => None,
    }
}

const LATER: &str = "try again later";

/// What a 405 or 404 says; `None` where the request itself must be looked at.
fn not_allowed(words: &str) -> Option<Merged> {
    let says = |text: &str| words.contains(text);
    if says(LATER) || says("already merged") || says("not found") {
        return None;
    }
    let never = ["not allowed", "Work in progress", "sign"];
    Some(match never.iter().any(|text| says(text)) {
        true => Merged::Refused(words.to_owned()),
        false => Merged::NotYet(words.to_owned()),
    })
}

/// What a 409 says.
fn conflict(answer: &Answer) -> Merged {
    // The error itself is what a conflict answers, with the method that met it.
    if answer.body.get("Style").is_some() {
        return Merged::Conflict;
    }
    let words = answer.words();
    let says = |text: &str| words.contains(text);
    if says("head out of date") {
        return Merged::HeadMoved;
    }
    let moved = ["push out of date", "cannot lock ref", "fetch first", "non-fast-forward"];
    match moved.iter().any(|text| says(text)) {
        true => Merged::BaseMoved,
        false => Merged::Refused(words),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_a_refused_merge_says() {
        let says = |body: Value| {
            let headers = reqwest::header::HeaderMap::new();
            conflict(&Answer { status: StatusCode::CONFLICT, headers, body })
        };
        let words = |text: &str| says(json!({"message": text, "url": "http://h"}));
        assert_eq!(says(json!({"Style": "squash", "StdErr": "x", "Err": {}})), Merged::Conflict);
        assert_eq!(words("head out of date"), Merged::HeadMoved);
        assert_eq!(words("merge push out of date"), Merged::BaseMoved);
        let lock = "PushRejected with remote message: cannot lock ref 'refs/heads/main': is at a \
                    but expected b";
        assert_eq!(words(lock), Merged::BaseMoved);
        let hook = "PushRejected with remote message: pre-receive hook declined";
        assert_eq!(words(hook), Merged::Refused(hook.into()));

        for (said, expected) in [
            ("Please try again later", None),
            ("The PR is already merged", None),
            ("not found", None),
            ("User not allowed to merge PR", Some(false)),
            ("rebase is not allowed an allowed merge style for this repository", Some(false)),
            ("Work in progress PRs cannot be merged", Some(false)),
            ("Not all required status checks successful", Some(true)),
            ("Does not have enough approvals", Some(true)),
        ] {
            let expected = expected.map(|later| match later {
                true => Merged::NotYet(said.into()),
                false => Merged::Refused(said.into()),
            });
            assert_eq!(not_allowed(said), expected, "{said}");
        }
    }
}
