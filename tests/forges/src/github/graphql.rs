//! The GraphQL API, as far as it is asked: a small executor over what the fake
//! knows, which answers each field of a document and nothing else.

use apollo_compiler::ast::{self, Definition, Document, OperationType, Selection};
use serde_json::{Map, Value, json};

use super::pulls::{auto_merge, land};
use super::rest::{Asker, allows, sees};
use super::shapes::{Places, merge_state, moment, node, pull_node};
use super::world::{AutoMerge, Grant, Level, Pull, Repository, World};

/// A run of one document.
pub(super) struct Run<'a> {
    pub(super) world: &'a mut World,
    pub(super) places: &'a Places,
    pub(super) asker: &'a Asker,
    pub(super) variables: Value,
    /// The most entries of a page, whatever is asked for.
    pub(super) cap: usize,
    document: Document,
    errors: Vec<Value>,
}

/// What a field is asked of.
enum At {
    Query,
    Mutation,
    Repository(usize),
    Known(Value),
}

/// What a document comes to.
pub(super) fn run(
    world: &mut World,
    places: &Places,
    asker: &Asker,
    body: &Value,
    cap: usize,
) -> Value {
    let text = body["query"].as_str().unwrap_or_default().to_owned();
    let document = match Document::parse(text, "query.graphql") {
        Ok(document) => document,
        Err(errors) => return json!({"errors": [{"message": errors.errors.to_string()}]}),
    };
    let variables = body["variables"].clone();
    let errors = Vec::new();
    let mut run = Run { world, places, asker, variables, cap, document, errors };
    let operation = run.document.definitions.iter().find_map(|one| match one {
        Definition::OperationDefinition(operation) => Some(operation.clone()),
        _ => None,
    });
    let Some(operation) = operation else {
        return json!({"errors": [{"message": "A query attribute must be specified"}]});
    };
    let at = match operation.operation_type {
        OperationType::Query => At::Query,
        _ => At::Mutation,
    };
    let data = run.select(&at, &operation.selection_set);
    match run.errors.is_empty() {
        true => json!({ "data": data }),
        false => json!({"data": data, "errors": run.errors}),
    }
}

impl Run<'_> {
    fn fail(&mut self, kind: &str, field: &str, message: &str) -> Value {
        self.errors.push(json!({
            "type": kind, "path": [field], "locations": [{"line": 1, "column": 1}],
            "message": message,
        }));
        Value::Null
    }

    fn forbid(&mut self, field: &str) -> Value {
        let message = match self.asker.grant {
            Grant::Installation { .. } => "Resource not accessible by integration",
            _ => "Resource not accessible by personal access token",
        };
        self.fail("FORBIDDEN", field, message)
    }

    fn select(&mut self, at: &At, selections: &[Selection]) -> Value {
        let mut found = Map::new();
        self.gather(at, selections, &mut found);
        Value::Object(found)
    }

    fn gather(&mut self, at: &At, selections: &[Selection], found: &mut Map<String, Value>) {
        for selection in selections {
            match selection {
                Selection::Field(field) => {
                    let name = field.alias.as_ref().unwrap_or(&field.name).to_string();
                    let value = self.field(at, field);
                    found.insert(name, value);
                }
                Selection::InlineFragment(fragment) => {
                    let meant = fragment.type_condition.as_ref().map(ToString::to_string);
                    if meant.is_none_or(|meant| is_a(at, &meant)) {
                        self.gather(at, &fragment.selection_set, found);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let named = self.document.definitions.iter().find_map(|one| match one {
                        Definition::FragmentDefinition(fragment)
                            if fragment.name == spread.fragment_name =>
                        {
                            Some(fragment.clone())
                        }
                        _ => None,
                    });
                    let Some(fragment) = named else { continue };
                    if is_a(at, fragment.type_condition.as_str()) {
                        self.gather(at, &fragment.selection_set, found);
                    }
                }
            }
        }
    }

    fn field(&mut self, at: &At, field: &ast::Field) -> Value {
        let name = field.name.as_str();
        let given = field.arguments.iter();
        let given = given.map(|one| (one.name.to_string(), self.value(&one.value)));
        let arguments = Value::Object(given.collect());
        let text = |name: &str| arguments[name].as_str().unwrap_or_default().to_owned();
        let value = match at {
            At::Query if name == "viewer" => json!({
                "__typename": "User", "login": self.asker.login,
            }),
            At::Query if name == "repository" => {
                let (owner, name) = (text("owner"), text("name"));
                // GitHub's schema: `followRenames` is true where it is not given.
                let place = self.world.find(&owner, &name);
                let place = place.or_else(|| self.world.find_former(&owner, &name));
                let Some(place) = place.filter(|at| sees(self.world, self.asker, *at)) else {
                    let words = format!(
                        "Could not resolve to a Repository with the name '{owner}/{name}'."
                    );
                    return self.fail("NOT_FOUND", "repository", &words);
                };
                self.world.sync(place);
                return self.select(&At::Repository(place), &field.selection_set);
            }
            At::Mutation => self.mutate(name, &arguments["input"]),
            At::Repository(place) => self.of_repository(*place, name, &arguments),
            At::Known(value) => match value.get(name) {
                Some(value) => value.clone(),
                None => return self.fail("", name, &format!("the fake has no field `{name}`")),
            },
            At::Query => return self.fail("", name, &format!("the fake has no field `{name}`")),
        };
        let (first, after) = (&arguments["first"], &arguments["after"]);
        self.finish(value, first, after, &field.selection_set)
    }

    /// Takes of a value what was asked for; of a list with pages, one page.
    fn finish(
        &mut self,
        value: Value,
        first: &Value,
        after: &Value,
        selections: &[Selection],
    ) -> Value {
        match value {
            Value::Array(all) => {
                let each = all.into_iter();
                each.map(|one| self.finish(one, first, after, selections)).collect()
            }
            Value::Object(mut fields) if fields.contains_key("__all") => {
                let all = fields.remove("__all");
                let all = all.and_then(|all| all.as_array().cloned()).unwrap_or_default();
                let start = after.as_str().and_then(|cursor| cursor.parse::<usize>().ok());
                let start = start.map_or(0, |last| last + 1);
                let size = first.as_u64().unwrap_or(100) as usize;
                let size = size.min(self.cap);
                let end = (start + size).min(all.len());
                let some = all.get(start..end).unwrap_or_default().to_vec();
                let page = json!({
                    "nodes": some, "totalCount": all.len(),
                    "pageInfo": {
                        "hasNextPage": end < all.len(), "hasPreviousPage": start > 0,
                        "endCursor": end.checked_sub(1).map(|last| last.to_string()),
                        "startCursor": start.to_string(),
                    },
                });
                self.select(&At::Known(page), selections)
            }
            Value::Object(_) => self.select(&At::Known(value), selections),
            scalar => scalar,
        }
    }

    /// A value as the document and the variables give it.
    fn value(&self, value: &ast::Value) -> Value {
        match value {
            ast::Value::Variable(name) => {
                self.variables.get(name.as_str()).cloned().unwrap_or(Value::Null)
            }
            ast::Value::String(text) => json!(text),
            ast::Value::Enum(name) => json!(name.as_str()),
            ast::Value::Boolean(yes) => json!(yes),
            ast::Value::Int(number) => number.try_to_i32().map_or(Value::Null, |n| json!(n)),
            ast::Value::List(all) => all.iter().map(|one| self.value(one)).collect(),
            ast::Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| (name.to_string(), self.value(value)))
                .collect::<Map<String, Value>>()
                .into(),
            _ => Value::Null,
        }
    }

    fn of_repository(&mut self, place: usize, name: &str, arguments: &Value) -> Value {
        let may = |permission: &str| allows(&self.asker.grant, permission, Level::Read);
        let (pulls, contents) = (may("pull_requests"), may("contents"));
        let admin =
            self.world.repositories[place].roles.get(&self.asker.login) == Some(&Level::Admin);
        let repository = &self.world.repositories[place];
        let text = |name: &str| arguments[name].as_str().unwrap_or_default();
        match name {
            "id" => json!(node("R", repository.id)),
            "nameWithOwner" => json!(repository.full_name()),
            "isArchived" => json!(repository.archived),
            "autoMergeAllowed" => json!(repository.auto_merge),
            "labels" => {
                let all = repository.labels.iter();
                json!({"__all": all.map(|name| json!({ "name": name })).collect::<Vec<_>>()})
            }
            "pullRequests" | "pullRequest" if !pulls => self.forbid(name),
            "pullRequests" => {
                let states = arguments["states"].as_array().cloned().unwrap_or_default();
                let meets = |pull: &&Pull| {
                    let head = text("headRefName");
                    let base = text("baseRefName");
                    (states.is_empty() || states.contains(&json!(state(pull))))
                        && (head.is_empty() || head == pull.head)
                        && (base.is_empty() || base == pull.base)
                };
                let all = repository.pulls.values().rev().filter(meets);
                let all: Vec<Value> = all.map(|pull| self.pull(repository, pull)).collect();
                json!({ "__all": all })
            }
            "pullRequest" => {
                let number = arguments["number"].as_u64().unwrap_or_default();
                let Some(pull) = repository.pulls.get(&number) else {
                    let words =
                        format!("Could not resolve to a PullRequest with the number of {number}.");
                    return self.fail("NOT_FOUND", name, &words);
                };
                self.pull(repository, pull)
            }
            "mergeQueue" => {
                let rules = repository.rules_of(text("branch"));
                match rules.is_some_and(|rules| rules.queue) {
                    true => json!({"id": node("MQ", repository.id)}),
                    false => Value::Null,
                }
            }
            "ref" | "object" if !contents => self.forbid(name),
            "ref" => {
                let branch = text("qualifiedName").trim_start_matches("refs/heads/");
                if repository.git.branch(branch).is_none() {
                    return Value::Null;
                }
                let rules = repository.rules_of(branch).filter(|rules| !rules.ruleset);
                let seen = rules.filter(|rules| !rules.hidden);
                json!({
                    "name": branch,
                    "refUpdateRule": seen.map(|rules| json!({
                        "requiredStatusCheckContexts": rules.contexts,
                        "requiredApprovingReviewCount": rules.approvals,
                        "viewerCanPush": !rules.no_push,
                    })),
                    "branchProtectionRule": rules.filter(|_| admin).map(|rules| json!({
                        "requiredStatusCheckContexts": rules.contexts,
                        "requiredApprovingReviewCount": rules.approvals,
                        "requiresApprovingReviews": rules.approvals > 0,
                        "requiresStatusChecks": !rules.contexts.is_empty(),
                        "lockBranch": false,
                    })),
                })
            }
            "object" => {
                let Some(sha) = repository.git.commit(text("oid")) else { return Value::Null };
                let (commit, hidden) = self.commit(place, &sha);
                for _ in 0..hidden {
                    self.forbid("nodes");
                }
                commit
            }
            _ => self.fail("", name, &format!("the fake has no field `{name}`")),
        }
    }

    /// A commit, and how many check runs of it may not be seen.
    fn commit(&self, place: usize, sha: &str) -> (Value, usize) {
        let repository = &self.world.repositories[place];
        let statuses = repository.newest(sha).into_iter().map(|status| {
            json!({
                "__typename": "StatusContext", "context": status.context,
                "state": status.state.to_ascii_uppercase(), "description": status.description,
                "targetUrl": status.target_url,
            })
        });
        let mut contexts: Vec<Value> = statuses.collect();
        let checks: Vec<_> = repository.checks.iter().filter(|check| check.sha == sha).collect();
        let seen = allows(&self.asker.grant, "checks", Level::Read);
        let hidden = if seen { 0 } else { checks.len() };
        contexts.extend(checks.into_iter().map(|check| match seen {
            true => json!({
                "__typename": "CheckRun", "name": check.name,
                "status": check.status.to_ascii_uppercase(),
                "conclusion": check.conclusion.as_ref().map(|word| word.to_ascii_uppercase()),
                "title": null,
                "detailsUrl": format!("{}/checks/{}", self.places.web, check.name),
            }),
            false => Value::Null,
        }));
        let authors = repository.git.authors(sha).into_iter().map(|(name, mail)| {
            let login = self.world.login_of(&mail);
            json!({
                "name": name, "email": mail,
                "user": login.map(|login| json!({"__typename": "User", "login": login})),
            })
        });
        let rollup = match contexts.is_empty() {
            true => Value::Null,
            false => json!({"state": "PENDING", "contexts": {"__all": contexts}}),
        };
        let authors: Vec<Value> = authors.collect();
        let commit = json!({
            "__typename": "Commit", "oid": sha, "statusCheckRollup": rollup,
            "authors": {"__all": authors},
        });
        (commit, hidden)
    }

    fn actor(&self, login: &str) -> Value {
        match login.strip_suffix("[bot]") {
            // GitHub's GraphQL calls an App by its bare name.
            Some(bare) => json!({"__typename": "Bot", "login": bare}),
            None => json!({"__typename": "User", "login": login}),
        }
    }

    fn pull(&self, repository: &Repository, pull: &Pull) -> Value {
        let (mergeable, merge_state) = merge_state(repository, pull);
        let users =
            pull.reviewers.iter().map(|login| json!({"__typename": "User", "login": login}));
        let teams = pull.teams.iter().map(|name| {
            let slug = format!("{}/{name}", repository.owner);
            json!({"__typename": "Team", "combinedSlug": slug, "slug": name})
        });
        let asked: Vec<Value> =
            users.chain(teams).map(|one| json!({ "requestedReviewer": one })).collect();
        let labels: Vec<Value> = pull.labels.iter().map(|name| json!({ "name": name })).collect();
        let reviews: Vec<Value> = pull
            .reviews
            .iter()
            .map(|review| {
                let role = repository.roles.get(&review.user);
                json!({
                    "author": self.actor(&review.user), "state": review.state,
                    "commit": {"oid": review.commit},
                    "authorCanPushToRepository": role.is_some_and(|role| *role >= Level::Write),
                })
            })
            .collect();
        json!({
            "__typename": "PullRequest",
            "id": pull_node(repository, pull), "number": pull.number, "state": state(pull),
            "title": pull.title, "body": pull.body.clone().unwrap_or_default(),
            "headRefName": pull.head, "headRefOid": pull.sha, "baseRefName": pull.base,
            "isCrossRepository": pull.from != (repository.owner.clone(), repository.name.clone()),
            "author": self.actor(&pull.author),
            "labels": {"__all": labels}, "reviewRequests": {"__all": asked},
            "reviews": {"__all": reviews},
            "mergeCommit": pull.merged.as_ref().map(|merge| json!({"oid": merge.commit})),
            "url": format!("{}/{}/pull/{}", self.places.web, repository.full_name(), pull.number),
            "createdAt": moment(pull.created),
            "mergeable": mergeable, "mergeStateStatus": merge_state,
            "isInMergeQueue": pull.queued,
            "isMergeQueueEnabled": repository.rules_of(&pull.base).is_some_and(|r| r.queue),
            "autoMergeRequest": pull.auto_merge.as_ref().map(|auto| json!({
                "mergeMethod": auto.method.to_ascii_uppercase(), "commitHeadline": auto.title,
                "commitBody": auto.message,
            })),
        })
    }

    /// Sources: GitHub docs, "Automatically merging a pull request", "Merging a pull
    /// request with a merge queue"; GraphQL reference, the three mutations. The words
    /// from threads in which they are quoted.
    fn mutate(&mut self, name: &str, input: &Value) -> Value {
        let id = input["pullRequestId"].as_str().unwrap_or_default().to_owned();
        let found = self.world.repositories.iter().enumerate().find_map(|(at, repository)| {
            let pull = repository.pulls.values().find(|pull| pull_node(repository, pull) == id)?;
            Some((at, pull.number))
        });
        let Some((at, number)) = found.filter(|(at, _)| sees(self.world, self.asker, *at)) else {
            let words = format!("Could not resolve to a node with the global id of '{id}'");
            return self.fail("NOT_FOUND", name, &words);
        };
        let writes = allows(&self.asker.grant, "contents", Level::Write)
            && allows(&self.asker.grant, "pull_requests", Level::Write);
        if !writes {
            return self.forbid(name);
        }
        self.world.sync(at);
        let repository = &self.world.repositories[at];
        let Some(pull) = repository.pulls.get(&number) else { return Value::Null };
        let expected = input["expectedHeadOid"].as_str();
        if expected.is_some_and(|oid| oid != pull.sha) {
            let words = "Head branch was modified. Review and try the merge again.";
            return self.fail("UNPROCESSABLE", name, words);
        }
        let (_, state) = merge_state(repository, pull);
        let queue = repository.rules_of(&pull.base).is_some_and(|rules| rules.queue);
        match name {
            "enablePullRequestAutoMerge" => {
                if !repository.auto_merge {
                    let words = "Pull request Auto merge is not allowed for this repository";
                    return self.fail("UNPROCESSABLE", name, words);
                }
                if state == "CLEAN" {
                    let words = "Pull request Pull request is in clean status";
                    return self.fail("UNPROCESSABLE", name, words);
                }
                let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
                let auto = AutoMerge {
                    by: self.asker.login.clone(),
                    method: text("mergeMethod").to_ascii_lowercase(),
                    title: text("commitHeadline"),
                    message: text("commitBody"),
                };
                if let Some(pull) = self.world.repositories[at].pulls.get_mut(&number) {
                    pull.auto_merge = Some(auto);
                }
                auto_merge(self.world, at);
            }
            "disablePullRequestAutoMerge" => {
                if let Some(pull) = self.world.repositories[at].pulls.get_mut(&number) {
                    pull.auto_merge = None;
                }
            }
            "enqueuePullRequest" if queue && state == "CLEAN" => {
                if let Some(pull) = self.world.repositories[at].pulls.get_mut(&number) {
                    pull.queued = true;
                }
                let login = self.asker.login.clone();
                // It is first in the queue, and its group builds at once.
                drop(land(self.world, at, number, "merge", None, (None, None), &login));
                return json!({"mergeQueueEntry": {"id": node("MQE", number)}});
            }
            "enqueuePullRequest" => {
                let words = "Pull request is not in a state that can be queued";
                return self.fail("UNPROCESSABLE", name, words);
            }
            _ => return self.fail("", name, &format!("the fake has no mutation `{name}`")),
        }
        json!({"pullRequest": {"number": number}})
    }
}

fn state(pull: &Pull) -> &'static str {
    match (pull.open, pull.merged.is_some()) {
        (_, true) => "MERGED",
        (true, false) => "OPEN",
        (false, false) => "CLOSED",
    }
}

/// Whether a fragment is meant for this; interfaces are for all.
fn is_a(at: &At, meant: &str) -> bool {
    match at {
        At::Known(value) => value["__typename"].as_str().is_none_or(|kind| kind == meant),
        _ => true,
    }
}
