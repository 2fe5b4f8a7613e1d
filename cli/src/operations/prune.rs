//! Apps that the source of a promotion does not hold: whether they came from
//! there, or are the target's own.

use gitops_core::plan::Past;
use gitops_git::{CommitId, GitError};

use super::held;
use super::trust::{Trust, hinted};
use crate::config::Environment;
use crate::failure::Failure;

/// Whether an app that the source does not hold came from there, or why it is
/// to stay.
pub(super) fn came_from(
    trust: &Trust,
    source: &Environment,
    tip: &CommitId,
    app: &str,
    past: Option<&Past>,
) -> Result<Result<(), String>, Failure> {
    if past.is_some_and(|past| past.source.is_some()) {
        return Ok(Ok(()));
    }
    let home = trust.place(source)?.home;
    let name = &source.name;
    if !was_held(trust, source, tip, app)? {
        return Ok(Err(match home.repository.is_shallow() {
            true => format!("the history of `{name}` that is here does not tell of it"),
            false => format!("`{name}` never held it"),
        }));
    }
    Ok(match past {
        Some(_) => Ok(()),
        None => Err(format!("it was in `{name}` once, and no promotion brought it from there")),
    })
}

/// Whether an environment held an app at a commit or before.
fn was_held(
    trust: &Trust,
    environment: &Environment,
    tip: &CommitId,
    app: &str,
) -> Result<bool, Failure> {
    /// The newest ones of an app that is gone: that it went, and what was before.
    const COMMITS: usize = 20;
    let home = trust.place(environment)?.home;
    let folder = held::folder(environment, Some(app))?;
    let unread = |error: GitError| hinted("could not read the history", &error);
    for commit in home.repository.first_parent(tip, &[folder]).take(COMMITS) {
        let tree = home.repository.tree(&commit.map_err(unread)?.id).map_err(unread)?;
        // What cannot be read held something.
        if !matches!(held::held_of(trust, environment, &tree, app), Ok(None)) {
            return Ok(true);
        }
    }
    Ok(false)
}
