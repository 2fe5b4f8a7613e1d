//! What only a forge knows of a change: its statuses, who reviewed it, who owns
//! its files. Nothing that cannot be read is absent.

use std::collections::{BTreeMap, BTreeSet};

use gitops_core::gate::{Fact, Facts, Key, Reviews};
use gitops_core::owners::{CodeOwners, Form, Owner};
use gitops_core::plan::Plan;
use gitops_forge::{ApiError, Kind, Request, RequestState};
use gitops_git::CommitId;
use gitops_tree::{Tree, TreeError, TreePath};

use super::desired::git_failure;
use super::forges;
use super::standing::{Standing, standing};
use super::trust::{Home, Place, Trust};
use crate::failure::Failure;
use crate::output::Remark;

/// The request that a change is, or is to be.
#[derive(Clone)]
pub(crate) struct Head<'a> {
    home: &'a Home,
    /// The commit that the change is made to.
    base: CommitId,
    /// The files that change.
    files: Vec<String>,
    found: Found,
}

/// How the request is found.
#[derive(Clone)]
enum Found {
    /// By its branches, while it holds a change.
    Branch { branch: Option<String>, base: String, change: String },
    /// By its newest commit, and its number where that is known.
    Commit { commit: CommitId, number: Option<u64> },
}

impl<'a> Head<'a> {
    /// The request of a plan.
    pub(crate) fn of_plan(place: Place<'a>, base: CommitId, plan: &Plan) -> Head<'a> {
        let found = Found::Branch {
            branch: plan.branch.clone(),
            base: plan.base.clone(),
            change: plan.change_digest(),
        };
        let files = plan.edits.iter().map(|edit| edit.path.as_str().to_owned()).collect();
        Head { home: place.home, base, files, found }
    }

    /// The request whose newest commit is `commit`.
    pub(crate) fn of_commit(
        home: &'a Home,
        base: CommitId,
        commit: CommitId,
        number: Option<u64>,
        files: &[TreePath],
    ) -> Head<'a> {
        let files = files.iter().map(|path| path.as_str().to_owned()).collect();
        Head { home, base, files, found: Found::Commit { commit, number } }
    }

    /// The commit that holds the change; `None` where nothing does yet.
    fn commit(&self) -> Result<Option<CommitId>, Failure> {
        let (branch, change) = match &self.found {
            Found::Commit { commit, .. } => return Ok(Some(*commit)),
            Found::Branch { branch: None, .. } => return Ok(None),
            Found::Branch { branch: Some(branch), change, .. } => (branch, change),
        };
        let Some(tip) = self.home.tip(branch)? else { return Ok(None) };
        let standing = standing(&self.home.repository, &self.base, &tip, change);
        let standing = standing.map_err(|error| {
            git_failure(format!("could not read the branch `{branch}`"), &error)
        })?;
        Ok(matches!(standing, Standing::Same(_)).then_some(tip))
    }
}

/// The commits that brought what moves, or why one cannot be known.
pub(super) type Brought<'a> = Result<Vec<(&'a Home, CommitId)>, String>;

/// What is asked of a forge.
pub(super) struct Question<'a> {
    pub(super) trust: &'a Trust,
    pub(super) head: Option<&'a Head<'a>>,
    /// The commits that brought what moves to the environments before, each with
    /// the repository it stands in; words where they cannot be known.
    pub(super) promoted: Brought<'a>,
}

/// A fact, as far as the forge tells it.
type Known<T> = Result<Fact<T>, Failure>;

impl Question<'_> {
    /// Finds out the facts that only a forge knows.
    pub(super) fn answer(&self, keys: &[Key], facts: &mut Facts) -> Result<(), Failure> {
        if keys.is_empty() {
            return Ok(());
        }
        let Some(head) = self.head else {
            unreadable(keys, facts, "no request is looked at here");
            return Ok(());
        };
        let reach = match self.trust.forge(head.home) {
            Ok(reach) => reach,
            Err(failure) => {
                unreadable(keys, facts, &failure.words());
                return Ok(());
            }
        };
        let Some(asked) = reach.asked() else {
            unreadable(keys, facts, &reach.why_not(head.home));
            return Ok(());
        };
        let commit = head.commit()?;
        let contexts = keys.iter().filter_map(|key| match key {
            Key::Status { context } => Some(context.clone()),
            _ => None,
        });
        let contexts: Vec<String> = contexts.collect();
        if !contexts.is_empty() {
            let found = match &commit {
                None => Ok(Vec::new()),
                Some(commit) => asked.run(asked.statuses(&commit.to_string())),
            };
            for context in contexts {
                let fact = match &found {
                    Err(error) => Fact::Unreadable(error.to_string()),
                    Ok(all) => match all.iter().find(|status| status.context == context) {
                        Some(status) => Fact::Known(status.state),
                        // What was left out of the answer is not absent.
                        None => match commit.and_then(|it| asked.api().left_out(&it.to_string())) {
                            Some(why) => Fact::Unreadable(why),
                            None => Fact::Absent,
                        },
                    },
                };
                facts.statuses.insert(context, fact);
            }
        }
        for key in keys {
            match key {
                Key::Reviews => {
                    facts.reviews = Some(self.reviews(head, asked, commit.as_ref())?);
                }
                Key::Team { name } => {
                    let members = match asked.run(asked.api().members(name)) {
                        Ok(members) => Fact::Known(members),
                        Err(error) => Fact::Unreadable(error.to_string()),
                    };
                    facts.teams.insert(name.clone(), members);
                }
                Key::Owners => facts.owners = Some(self.owners(head, asked)?),
                _ => {}
            }
        }
        Ok(())
    }

    fn reviews(
        &self,
        head: &Head<'_>,
        asked: &forges::Asked,
        commit: Option<&CommitId>,
    ) -> Known<Reviews> {
        let Some(commit) = commit else { return Ok(Fact::Absent) };
        let request = match request(head, asked, commit) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(Fact::Absent),
            Err(reason) => return Ok(Fact::Unreadable(reason)),
        };
        let mut commits: Vec<(&Home, CommitId)> =
            own_commits(head, commit)?.into_iter().map(|commit| (head.home, commit)).collect();
        match &self.promoted {
            Ok(promoted) => commits.extend(promoted.iter().copied()),
            Err(reason) => return Ok(Fact::Unreadable(reason.clone())),
        }
        let read = || -> Result<Reviews, String> {
            let failed = |error: ApiError| error.to_string();
            let head = commit.to_string();
            let reviews = asked.run(asked.api().reviews(request.number)).map_err(failed)?;
            let mut found = Reviews { head, reviews, ..Reviews::default() };
            // Whose word does not count matters to a word.
            if found.reviews.iter().any(|review| found.is_word(review)) {
                found.author.clone_from(&request.author);
                found.requested_by = asked.run(asked.me()).map_err(failed)?.map(str::to_owned);
                found.commit_authors = self.authors(&commits)?;
            }
            Ok(found)
        };
        Ok(read().map_or_else(Fact::Unreadable, Fact::Known))
    }

    /// The owners of the files that change. Lines that forges pass over are told:
    /// files that they were to guard have no owner.
    fn owners(
        &self,
        head: &Head<'_>,
        asked: &forges::Asked,
    ) -> Known<BTreeMap<String, BTreeSet<String>>> {
        owners(head, asked, &mut |place, line| {
            self.trust.terminal().remark(Remark {
                path: place.to_owned(),
                line: u32::try_from(line).ok(),
                message: "no line of owners, so that forges pass over it".to_owned(),
            });
        })
    }

    /// Who made these commits, as the forges of their repositories say.
    fn authors(&self, commits: &[(&Home, CommitId)]) -> Result<BTreeSet<String>, String> {
        let mut by_home: BTreeMap<String, (&Home, Vec<String>)> = BTreeMap::new();
        for (home, commit) in commits {
            let (_, ids) =
                by_home.entry(home.remote.url.clone()).or_insert_with(|| (*home, Vec::new()));
            let id = commit.to_string();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        let mut authors = BTreeSet::new();
        for (home, ids) in by_home.into_values() {
            let reach = self.trust.forge(home).map_err(Failure::words)?;
            let Some(asked) = reach.asked() else {
                return Err(format!("who made what is promoted: {}", reach.why_not(home)));
            };
            let found = asked.run(asked.api().authors(&ids)).map_err(|error| error.to_string())?;
            authors.extend(found);
        }
        Ok(authors)
    }
}

/// The request at this very commit. Words where it cannot be told.
fn request(
    head: &Head<'_>,
    asked: &forges::Asked,
    commit: &CommitId,
) -> Result<Option<Request>, String> {
    let failed = |error: ApiError| error.to_string();
    let id = commit.to_string();
    let moved = |request: &Request| {
        format!(
            "#{} is at {} and not at {}",
            request.number,
            request.head_commit.get(..10).unwrap_or(&request.head_commit),
            commit.short()
        )
    };
    let found = match &head.found {
        Found::Commit { number: Some(number), .. } => {
            let request = asked.run(asked.api().request(*number)).map_err(failed)?;
            if request.head_commit != id {
                return Err(moved(&request));
            }
            return Ok(Some(request));
        }
        Found::Commit { number: None, .. } => {
            asked.run(asked.api().requests_of(&id)).map_err(failed)?
        }
        Found::Branch { branch: Some(branch), base, .. } => {
            asked.run(asked.requests(branch, base)).map_err(failed)?
        }
        Found::Branch { branch: None, .. } => Vec::new(),
    };
    let mut open: Vec<Request> =
        found.into_iter().filter(|request| request.state == RequestState::Open).collect();
    match open.len() {
        0 => Ok(None),
        1 => {
            let request = open.remove(0);
            if request.head_commit == id { Ok(Some(request)) } else { Err(moved(&request)) }
        }
        _ => {
            let numbers: Vec<String> =
                open.iter().map(|request| format!("#{}", request.number)).collect();
            Err(format!("{} are at this commit; `--request` names one", numbers.join(", ")))
        }
    }
}

/// The commits of the change itself, those that were merged into it included: who
/// made one of them does not approve it.
fn own_commits(head: &Head<'_>, commit: &CommitId) -> Result<Vec<CommitId>, Failure> {
    let ahead = head.home.repository.ahead(&head.base, commit);
    let ahead =
        ahead.map_err(|error| git_failure("could not read the commits of the request", &error))?;
    Ok(ahead.into_iter().map(|commit| commit.id).collect())
}

/// The owners of the files that change, by the CODEOWNERS of the base.
fn owners(
    head: &Head<'_>,
    asked: &forges::Asked,
    tell: &mut dyn FnMut(&str, usize),
) -> Known<BTreeMap<String, BTreeSet<String>>> {
    let form = match asked.forge.kind {
        Kind::Gitea | Kind::Forgejo => Form::Gitea,
        _ => Form::GitHub,
    };
    let tree = head
        .home
        .repository
        .tree(&head.base)
        .map_err(|error| git_failure("could not read the base of the request", &error))?;
    let mut text = None;
    for place in form.places() {
        let path = TreePath::new(place).expect("the places of CODEOWNERS are paths");
        match tree.read(&path) {
            Ok(bytes) => {
                text = Some((*place, String::from_utf8_lossy(&bytes).into_owned()));
                break;
            }
            Err(TreeError::Absent { .. }) => {}
            Err(error) => return Ok(Fact::Unreadable(error.to_string())),
        }
    }
    let Some((place, text)) = text else { return Ok(Fact::Absent) };
    let rules = CodeOwners::parse(&text, form);
    rules.skipped.iter().for_each(|line| tell(place, *line));
    let mut teams: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in &head.files {
        let owners = rules.of(file);
        if owners.is_empty() {
            continue;
        }
        let mut names = BTreeSet::new();
        for owner in owners {
            match owner {
                Owner::User(name) => {
                    names.insert(name);
                }
                // Nobody's login, so that it is nobody who could approve.
                Owner::Mail(_) => {}
                Owner::Team(team) => {
                    if !teams.contains_key(&team) {
                        match asked.run(asked.api().members(&team)) {
                            Ok(members) => teams.insert(team.clone(), members),
                            Err(error) => return Ok(Fact::Unreadable(error.to_string())),
                        };
                    }
                    names.extend(teams.get(&team).into_iter().flatten().cloned());
                }
            }
        }
        found.insert(file.clone(), names);
    }
    Ok(Fact::Known(found))
}

fn unreadable(keys: &[Key], facts: &mut Facts, reason: &str) {
    for key in keys {
        match key {
            Key::Status { context } => {
                facts.statuses.insert(context.clone(), Fact::Unreadable(reason.to_owned()));
            }
            Key::Reviews => facts.reviews = Some(Fact::Unreadable(reason.to_owned())),
            Key::Team { name } => {
                facts.teams.insert(name.clone(), Fact::Unreadable(reason.to_owned()));
            }
            Key::Owners => facts.owners = Some(Fact::Unreadable(reason.to_owned())),
            _ => {}
        }
    }
}
