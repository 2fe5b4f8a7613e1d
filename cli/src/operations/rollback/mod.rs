//! Rollbacks: which commit was an app's last promotion, and what the values
//! that moved in it go back to.
//!
//! A commit was a promotion when it says so by a record of this program, or
//! when it put into the environment what one before it held: squashed and
//! edited messages and direct pushes are alike. A commit by hand that did
//! neither is somebody's own change, and stays.

mod history;

use gitops_core::gate::Hold;
use gitops_core::plan::{
    App, Held, Plan, Template, Texts, Undo, Undoing, Undone, key_of, printable,
};
use gitops_git::{GitError, RevisionTree};
use gitops_tree::Tree;
use jiff::Timestamp;

use super::desired::git_failure;
use super::holds::{self, Done, Take};
use super::perform::parse;
use super::trust::{Trust, hinted};
use crate::config::Environment;
use crate::failure::{Exit, Failure};
use crate::output::Terminal;
use history::{Change, History, Kind, Known, State, differences, values};

/// What a rollback of one app comes to.
pub(crate) enum Rollback {
    /// These values go back.
    Undo(Undo),
    /// There is nothing to do, and why.
    Nothing(String),
}

/// The texts of a rollback's request; the rest is as in those of the environment.
pub(crate) fn texts(of: &Texts) -> Texts {
    let text = |text| Template::parse(text).expect("the texts of rollbacks are templates");
    Texts {
        branch: text("rollback/{app}/{env}"),
        commit: text("Roll back {app} in {env} to {version}."),
        title: text("Roll back `{app}` in `{env}`"),
        body: text("Puts `{version}` of `{app}` back into `{env}`."),
        labels: of.labels.clone(),
        reviewers: of.reviewers.clone(),
    }
}

/// The trees that an undo speaks of.
pub(crate) struct Then<'a> {
    undo: &'a Undo,
    earlier: RevisionTree,
    left: Option<RevisionTree>,
}

impl Then<'_> {
    pub(crate) fn undoing(&self) -> Undoing<'_> {
        let left = self.left.as_ref().map(|tree| -> &dyn Tree { tree });
        Undoing { undo: self.undo, earlier: &self.earlier, left }
    }
}

/// The trees that undos of an environment speak of.
pub(crate) fn then<'a>(
    trust: &'a Trust,
    environment: &'a Environment,
    undos: &'a [Undo],
) -> Result<Vec<Then<'a>>, Failure> {
    let home = trust.place(environment)?.home;
    let tree = |id: &String| history::tree(home, &parse(id)?);
    let then = undos.iter().map(|undo| {
        let left = undo.left.as_ref().map(tree).transpose()?;
        Ok(Then { undo, earlier: tree(&undo.to)?, left })
    });
    then.collect()
}

/// Takes the last promotion of an app into an environment back.
pub(crate) fn last(
    trust: &Trust,
    environment: &Environment,
    app: &str,
) -> Result<Rollback, Failure> {
    let history = History::new(trust, environment, app)?;
    let name = &environment.name;
    let now = history.now()?;
    let mut past = Known { history: &history, changes: history.changes(), known: Vec::new() };
    let mut later: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(kind) = past.kind(at)? {
        let taken_back = match kind {
            Kind::Promotion => {
                let later: Vec<&Change> = later.iter().map(|at| &past.known[*at]).collect();
                return history.undo(&past.known[at], now.as_ref(), &later);
            }
            Kind::Rollback => true,
            Kind::Reverts => matches!(past.kind(at + 1)?, Some(Kind::Promotion)),
            Kind::Own => false,
        };
        if taken_back {
            return Ok(Rollback::Nothing(format!(
                "the last promotion of `{app}` into `{name}` is taken back already, by {}; `--to REV` goes back further",
                past.known[at].short()
            )));
        }
        if matches!(kind, Kind::Reverts) {
            // The two together changed nothing.
            at += 2;
        } else {
            later.push(at);
            at += 1;
        }
    }
    if now.is_none() && past.known.is_empty() {
        return Err(history.unknown()?);
    }
    if history.home.repository.is_shallow() {
        return Err(Failure::usage(format!(
            "no promotion of `{app}` into `{name}` is in this shallow clone"
        ))
        .hint("fetch the rest of the history: `git fetch --unshallow`"));
    }
    let mut failure = Failure::usage(format!("`{app}` was never promoted into `{name}`"));
    failure.exit = Exit::No;
    let oldest = later.last().map(|at| &past.known[*at]);
    if let Some(change) = oldest.filter(|change| change.older.is_some()) {
        failure.causes.push(format!("by hand it was changed, first by {}", change.short()));
    }
    Err(failure.hint("`--to REV` puts back what it held at a commit"))
}

/// Puts an app of an environment back to what it held at a commit.
pub(crate) fn to(
    trust: &Trust,
    environment: &Environment,
    app: &str,
    rev: &str,
) -> Result<Rollback, Failure> {
    let history = History::new(trust, environment, app)?;
    let (name, branch) = (&environment.name, history.branch);
    let now = history.now()?;
    let whole = now.is_none() && history.has_own_folder();
    if now.is_none() && !whole {
        return Err(history.unknown()?);
    }
    let repository = &history.home.repository;
    let id = repository
        .resolve(rev)
        .map_err(|error| hinted(&format!("could not read revision `{rev}`"), &error))?;
    let failed = |error: GitError| git_failure(format!("could not read `{branch}`"), &error);
    if !repository.is_ancestor(&id, &history.tip).map_err(failed)? {
        return Err(Failure::usage(format!(
            "commit {} is not in the history of `{branch}`, which `{name}` is read from",
            id.short()
        )));
    }
    let State::Read(there) = history.state(&id)? else {
        return Err(Failure::usage(format!("what `{name}` held at {} cannot be read", id.short())));
    };
    let Some(there) = there else {
        let mut failure = Failure::usage(format!("`{app}` was not in `{name}` at {}", id.short()));
        failure.exit = Exit::No;
        return Err(failure);
    };
    let values: Vec<Undone> = differences(&there, &now.as_ref().map(values).unwrap_or_default())
        .into_iter()
        .map(|(id, (to, from))| Undone { id, from, to })
        .collect();
    let mut commits = Vec::new();
    for change in history.changes() {
        let change = change?;
        if repository.is_ancestor(&change.commit.id, &id).map_err(failed)? {
            break;
        }
        commits.push(change.commit.id.to_string());
    }
    if values.is_empty() && !whole {
        return Ok(Rollback::Nothing(format!(
            "`{name}` holds of `{app}` what it held at {}",
            id.short()
        )));
    }
    let (app, to) = (app.to_owned(), id.to_string());
    Ok(Rollback::Undo(Undo { app, commits, to, left: None, whole, values }))
}

impl History<'_> {
    /// Takes one promotion back, as far as nobody has changed its values since.
    fn undo(
        &self,
        promotion: &Change,
        now: Option<&App>,
        later: &[&Change],
    ) -> Result<Rollback, Failure> {
        let (app, name) = (self.app, &self.environment.name);
        let of_promotion = promotion.short();
        // Files that came go; of values there is none to go back to.
        let files = promotion.values.keys().all(|id| self.copies(id));
        let came = promotion.commit.parents.first().filter(|_| files).copied();
        let Some(to) = promotion.older.or(came) else {
            if self.home.repository.is_shallow() && promotion.commit.parents.is_empty() {
                return Err(Failure::usage(format!(
                    "what `{app}` held in `{name}` before {of_promotion} is not in this shallow clone"
                ))
                .hint("fetch the rest of the history: `git fetch --unshallow`"));
            }
            let mut failure = Failure::usage(format!(
                "`{app}` came into `{name}` by {of_promotion}: there is nothing before it to go back to"
            ));
            failure.exit = Exit::No;
            return Err(failure.hint(format!(
                "`kubectl gitops release {app} VERSION --to {name}` puts another version there"
            )));
        };
        let whole = promotion.gone && self.has_own_folder();
        let mut back = Vec::new();
        let mut conflicts = Vec::new();
        for (id, (before, after)) in &promotion.values {
            let slot = now.and_then(|now| now.slot(id));
            let held = slot.and_then(|slot| slot.value.clone());
            if held == *before {
                continue;
            }
            if held == *after {
                back.push(Undone { id: id.clone(), from: held, to: before.clone() });
                continue;
            }
            let by = later.iter().find(|change| change.values.contains_key(id));
            let since = by.map(|by| format!(" since {}", by.short())).unwrap_or_default();
            if self.copies(id) {
                let file = self.folder.join(&id.place);
                let file = file.map_or_else(|_| id.place.clone(), |file| file.as_str().to_owned());
                conflicts.push(format!(
                    "{} {}{since}; {of_promotion} {}",
                    printable(&file),
                    match (&held, after) {
                        (None, _) => "is gone",
                        (Some(_), None) => "stands there again",
                        (Some(_), Some(_)) => "has changed",
                    },
                    match (before, after) {
                        (None, _) => "created it",
                        (Some(_), None) => "took it away",
                        (Some(_), Some(_)) => "wrote it",
                    },
                ));
                continue;
            }
            let place = match slot {
                Some(slot) => {
                    format!("{}: {} of {}", slot.source, key_of(slot.what), printable(&slot.name))
                }
                None => format!("`{}`", printable(&id.place)),
            };
            conflicts.push(format!(
                "{place} holds {}{since}; {of_promotion} put {} in place of {}",
                word(held.as_ref()),
                word(after.as_ref()),
                word(before.as_ref()),
            ));
        }
        if whole && now.is_some() && conflicts.is_empty() {
            let by = later.last().map(|change| format!(", since {}", change.short()));
            conflicts.push(format!("`{app}` is there again{}", by.unwrap_or_default()));
        }
        if !conflicts.is_empty() {
            let mut failure = Failure::usage(format!(
                "could not roll back `{app}` in `{name}`: it was changed after its last promotion"
            ));
            failure.exit = Exit::No;
            failure.causes = conflicts;
            return Err(failure
                .hint(format!("`--to {}` puts back all that `{app}` held before", to.short())));
        }
        if back.is_empty() {
            return Ok(Rollback::Nothing(format!(
                "`{name}` holds of `{app}` what it held before {of_promotion}, its last promotion"
            )));
        }
        Ok(Rollback::Undo(Undo {
            app: app.to_owned(),
            commits: vec![promotion.commit.id.to_string()],
            to: to.to_string(),
            left: Some(promotion.commit.id.to_string()),
            whole,
            values: back,
        }))
    }
}

fn word(held: Option<&Held>) -> String {
    held.map_or_else(|| "nothing".to_owned(), |held| format!("`{}`", printable(&held.text)))
}

/// Holds the environment for the apps that were rolled back, so that the next
/// promotion does not bring back what is taken away. It is left before that, so
/// that a run that is stopped between the two is finished by the next one.
pub(crate) fn leave_hold(
    trust: &Trust,
    plan: &Plan,
    now: Timestamp,
    terminal: Terminal,
) -> Result<(), Failure> {
    let commit = plan.takes_back.first().map_or("", String::as_str);
    let hold = Hold {
        environment: plan.target.name.clone(),
        apps: plan.apps.clone(),
        owner: holds::identity(trust)?.email,
        reason: format!(
            "rolled back to {}, which takes back {}",
            plan.version,
            commit.get(..10).unwrap_or(commit)
        ),
        since: now,
        expires: None,
    };
    let stood = holds::ensure(trust, &Take(&hold), now, false)?;
    if stood != Done::Stands {
        terminal.note(format!("held: {}", holds::told(&hold, now)));
    }
    terminal.hint(format!(
        "`kubectl gitops resume {} {}` lets promotions in again",
        hold.environment,
        hold.apps.iter().map(|app| format!("--app {app}")).collect::<Vec<_>>().join(" ")
    ));
    Ok(())
}
