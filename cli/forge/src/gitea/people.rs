//! Reviewers, teams and authors.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::wire::{OneCommit, Team, User};
use super::{Gitea, PAGE, whole};
use crate::ApiError;
use crate::http::Ask;
use crate::percent::encode;

impl Gitea {
    /// Asks for reviews, all at once; one by one where that is refused, to know
    /// which of them cannot be asked.
    pub(super) async fn ask_reviewers(
        &self,
        number: u64,
        reviewers: &[String],
    ) -> Result<Vec<String>, ApiError> {
        let owner = format!("{}/", self.owner);
        // Teams are the owner's; those of others would be looked for among them.
        let elsewhere = |name: &&String| name.contains('/') && !name.starts_with(&owner);
        let (mut refused, own): (Vec<String>, Vec<String>) =
            reviewers.iter().cloned().partition(|name| elsewhere(&name));
        if own.is_empty() || self.ask_for(number, &own).await? {
            return Ok(refused);
        }
        for name in own {
            if !self.ask_for(number, std::slice::from_ref(&name)).await? {
                refused.push(name);
            }
        }
        Ok(refused)
    }

    /// Whether all of these could be asked.
    async fn ask_for(&self, number: u64, reviewers: &[String]) -> Result<bool, ApiError> {
        let what = format!("request {number} of {}", self.what());
        let template = "/repos/{owner}/{repo}/pulls/{index}/requested_reviewers";
        let path = format!("/pulls/{number}/requested_reviewers");
        let mut ask = self.ask(Method::POST, template, &path, "ask for reviews", &what);
        let (teams, users): (Vec<&str>, Vec<&str>) =
            reviewers.iter().map(String::as_str).partition(|name| name.contains('/'));
        let teams: Vec<&str> =
            teams.iter().filter_map(|name| Some(name.split_once('/')?.1)).collect();
        ask.body = Some(json!({ "reviewers": users, "team_reviewers": teams }));
        let answer = self.http.send(&ask).await?;
        match answer.status {
            StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => {
                // An unknown request is not an unknown reviewer.
                self.pull(number).await?;
                Ok(false)
            }
            status if status.is_success() => Ok(true),
            status => Err(self.http.asking(&ask).refused(status, &answer.body)),
        }
    }

    /// The members of a team.
    pub(super) async fn team_members(&self, team: &str) -> Result<BTreeSet<String>, ApiError> {
        let (owner, name) = team.split_once('/').unwrap_or((&self.owner, team));
        let what = format!("the team {owner}/{name}");
        let mut ask = Ask {
            method: Method::GET,
            template: "/orgs/{org}/teams",
            path: format!("/orgs/{}/teams", encode(owner, "")),
            query: Vec::new(),
            body: None,
            attempt: "read the teams of an organisation",
            what: &what,
        };
        let is_it = |team: &Team| team.name.eq_ignore_ascii_case(name);
        let teams = self.http.pages(&ask, PAGE, whole, |found: &[Team]| found.iter().any(is_it));
        let found = teams.await?.into_iter().find(is_it);
        let Some(team) = found else { return Err(self.http.asking(&ask).missing()) };
        ask.template = "/teams/{id}/members";
        ask.path = format!("/teams/{}/members", team.id);
        ask.attempt = "read the members of a team";
        let members = self.http.pages(&ask, PAGE, whole, |_: &[User]| false).await;
        // Members are shown to each other, and to owners of the organisation.
        let members = members.map_err(|error| match error {
            ApiError::Forbidden { server, token, attempt, permission: None, message } => {
                let permission = Some(format!("membership of {what}"));
                ApiError::Forbidden { server, token, attempt, permission, message }
            }
            error => error,
        })?;
        Ok(members.into_iter().map(|user| user.login).collect())
    }

    /// Who made these commits. They mostly follow each other, so that the history
    /// of one tells of the others.
    pub(super) async fn commit_authors(
        &self,
        commits: &[String],
    ) -> Result<BTreeSet<String>, ApiError> {
        let mut open: BTreeSet<&str> = commits.iter().map(String::as_str).collect();
        let mut known: BTreeMap<String, Option<String>> = BTreeMap::new();
        // The first and the last in turn: which is the newest is not said.
        let (mut from, mut to) = (0, commits.len());
        let mut front = true;
        while from < to {
            let commit = if front { &commits[from] } else { &commits[to - 1] };
            if front {
                from += 1
            } else {
                to -= 1
            }
            front = !front;
            if !open.contains(commit.as_str()) {
                continue;
            }
            for one in self.history(commit, open.len()).await? {
                open.remove(one.sha.as_str());
                known.insert(one.sha, one.author.map(|user| user.login));
            }
        }
        let authors = commits.iter().filter_map(|commit| known.get(commit)?.clone());
        Ok(authors.filter(|login| !login.is_empty()).collect())
    }

    /// A commit and those before it.
    async fn history(&self, commit: &str, wanted: usize) -> Result<Vec<OneCommit>, ApiError> {
        let what = format!("commit {commit} of {}", self.what());
        let template = "/repos/{owner}/{repo}/commits";
        let mut ask = self.ask(Method::GET, template, "/commits", "read commits", &what);
        let off = || "false".to_owned();
        ask.query = vec![
            ("sha", commit.to_owned()),
            ("stat", off()),
            ("verification", off()),
            ("files", off()),
            ("limit", wanted.clamp(1, 50).to_string()),
        ];
        let found: Vec<OneCommit> = self.http.get(&ask).await?;
        match found.iter().any(|one| one.sha == commit) {
            true => Ok(found),
            false => Err(self.http.asking(&ask).missing()),
        }
    }
}
