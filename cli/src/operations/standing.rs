//! Whether the branch of a request holds a plan's change.

use std::collections::BTreeSet;

use gitops_core::plan::{BlobId, Edit, change_digest};
use gitops_git::{Changed, CommitId, GitError, Repository, trailers};
use gitops_tree::{EntryKind, Mode};

/// What a request's branch holds.
pub(super) enum Standing {
    /// The very change, with these gates on record as gone past.
    Same(BTreeSet<String>),
    /// Another change of this program.
    Other,
    /// Commits of others: why.
    Foreign(String),
}

/// What the branch at `tip` holds of a change, named by its digest, to `base`.
pub(super) fn standing(
    repository: &Repository,
    base: &CommitId,
    tip: &CommitId,
    change: &str,
) -> Result<Standing, GitError> {
    let Some(meet) = repository.merge_base(base, tip)? else {
        return Ok(Standing::Foreign("it has no commit in common with the target".to_owned()));
    };
    let mut overrides = BTreeSet::new();
    for commit in repository.ahead(base, tip)? {
        let said = commit.trailers();
        overrides.extend(trailers::values(&said, "Gate-Override").into_iter().map(str::to_owned));
        if trailers::values(&said, "Plan-Digest").is_empty() {
            let by = &commit.committer.who;
            return Ok(Standing::Foreign(format!(
                "commit {} of {} was not made by this program",
                commit.id.short(),
                by.name
            )));
        }
    }
    let changed = repository.changed(Some(&meet), tip)?;
    let edits: Option<Vec<Edit>> = changed.iter().map(edit).collect();
    Ok(match edits.is_some_and(|edits| change_digest(&edits) == change) {
        true => Standing::Same(overrides),
        false => Standing::Other,
    })
}

/// What a commit did to a path, as plans say it; `None` where that is more
/// than an edit of a file or link.
fn edit(changed: &Changed) -> Option<Edit> {
    let blob = |version: &Option<gitops_git::Version>| match version {
        None => Some(None),
        Some(version) => BlobId::parse(&version.id.to_string()).map(Some),
    };
    let mode = |version: &gitops_git::Version| match version.kind {
        EntryKind::File if version.executable => Some(Mode::Executable),
        EntryKind::File => Some(Mode::Regular),
        EntryKind::Link => Some(Mode::Link),
        EntryKind::Directory | EntryKind::Other => None,
    };
    let old = match &changed.old {
        Some(old) => mode(old)?,
        None => Mode::Regular,
    };
    let new = match &changed.new {
        Some(new) => Some(mode(new)?).filter(|new| *new != old),
        None => None,
    };
    Some(Edit {
        path: changed.path.clone(),
        before: blob(&changed.old)?,
        after: blob(&changed.new)?,
        mode: new,
    })
}
