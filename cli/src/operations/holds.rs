//! Holds: files on the state branch of the trust repository, which no promotion
//! and no request writes. They are pushed directly, and a race is run again.

use gitops_core::gate::{FOLDER, Fact, Hold, moment};
use gitops_git::{
    CommitId, FileEdit, Identity, Lease, PushOutcome, RevisionTree, Time, Update, Why,
};
use gitops_tree::{EntryKind, Tree, TreeError, TreePath};
use jiff::Timestamp;

use super::desired::git_failure;
use super::perform::raced;
use super::trust::{Trust, hinted};
use crate::config::STATE_BRANCH;
use crate::failure::Failure;

/// How often a race with another push is run again. Holds race with every other
/// hold, so it is more than for a promotion.
const ATTEMPTS: usize = 40;

/// A file of the state branch.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) path: TreePath,
    /// The hold, or what is wrong with the file.
    pub(crate) hold: Result<Hold, String>,
}

/// Who holds an environment. A file that cannot be read makes all of it
/// unreadable: somebody meant to hold something.
pub(crate) fn of(trust: &Trust, environment: &str) -> Result<Fact<Vec<Hold>>, Failure> {
    let Some(tip) = trust.tip(STATE_BRANCH)? else { return Ok(Fact::Absent) };
    let mut holds = Vec::new();
    let mut broken = Vec::new();
    for kept in read(&tree(trust, &tip)?, Some(environment))? {
        match kept.hold {
            Ok(hold) => holds.push(hold),
            Err(reason) => broken.push(reason),
        }
    }
    Ok(if broken.is_empty() { Fact::Known(holds) } else { Fact::Unreadable(broken.join("; ")) })
}

/// All files of the state branch, sorted.
pub(crate) fn all(trust: &Trust) -> Result<Vec<Kept>, Failure> {
    match trust.tip(STATE_BRANCH)? {
        None => Ok(Vec::new()),
        Some(tip) => read(&tree(trust, &tip)?, None),
    }
}

fn tree(trust: &Trust, tip: &CommitId) -> Result<RevisionTree, Failure> {
    trust
        .repository
        .tree(tip)
        .map_err(|error| git_failure(format!("could not read `{STATE_BRANCH}`"), &error))
}

fn read(tree: &RevisionTree, environment: Option<&str>) -> Result<Vec<Kept>, Failure> {
    let failed = |error: TreeError| {
        Failure::world(format!("could not read `{STATE_BRANCH}`")).because(&error)
    };
    let top = TreePath::new(FOLDER).expect("a plain name stays inside the tree");
    let inside = |folder: &TreePath, name: &str| {
        folder.join(name).expect("a name in a listing stays inside the tree")
    };
    let mut kept = Vec::new();
    let entries = match tree.list(&top) {
        Ok(entries) => entries,
        Err(TreeError::Absent { .. }) => return Ok(kept),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        if environment.is_some_and(|wanted| wanted != entry.name) {
            continue;
        }
        let folder = inside(&top, &entry.name);
        if entry.kind != EntryKind::Directory {
            let reason = format!("{folder}:1: it stands where the folder of an environment should");
            kept.push(Kept { path: folder, hold: Err(reason) });
            continue;
        }
        for file in tree.list(&folder).map_err(failed)? {
            let path = inside(&folder, &file.name);
            let hold = match (file.kind, tree.read(&path)) {
                (EntryKind::File, Ok(bytes)) => {
                    Hold::read(&path, &bytes).map_err(|error| error.to_string())
                }
                (_, Err(error)) => Err(format!("{path}:1: {error}")),
                (_, Ok(_)) => Err(format!("{path}:1: it is no file")),
            };
            kept.push(Kept { path, hold });
        }
    }
    Ok(kept)
}

/// What became of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// They are as wanted already.
    Stands,
    /// This commit made them so.
    Pushed(CommitId),
    /// It would be pushed.
    Planned,
}

/// One change of the state branch: what it makes of the files that are there.
pub(crate) trait Wish {
    /// The edits, none where nothing is to be done.
    fn edits(&self, there: &[Kept]) -> Vec<FileEdit>;
    /// The commit's subject.
    fn subject(&self) -> String;
}

/// Holds an environment.
pub(crate) struct Take<'a>(pub(crate) &'a Hold);

impl Wish for Take<'_> {
    fn edits(&self, there: &[Kept]) -> Vec<FileEdit> {
        let path = self.0.path();
        let stands = there.iter().any(|kept| {
            kept.path == path && kept.hold.as_ref().is_ok_and(|hold| same(hold, self.0))
        });
        if stands {
            return Vec::new();
        }
        let content = Some(self.0.write().into_bytes());
        vec![FileEdit { path, content, mode: None }]
    }

    fn subject(&self) -> String {
        let Hold { environment, apps, .. } = self.0;
        match apps.as_slice() {
            [] => format!("Hold {environment}"),
            apps => format!("Hold {} in {environment}", apps.join(", ")),
        }
    }
}

/// Whether one says what the other does, since whenever.
pub(crate) fn same(one: &Hold, other: &Hold) -> bool {
    Hold { since: other.since, ..one.clone() } == *other
}

/// Takes holds of one owner back.
pub(crate) struct Free<'a> {
    pub(crate) environment: &'a str,
    pub(crate) owner: &'a str,
    /// Only the hold on just these apps; any where there is none.
    pub(crate) apps: &'a [String],
}

impl Free<'_> {
    /// The holds that go.
    pub(crate) fn of<'k>(&self, there: &'k [Kept]) -> Vec<(&'k TreePath, &'k Hold)> {
        there
            .iter()
            .filter_map(|kept| Some((&kept.path, kept.hold.as_ref().ok()?)))
            .filter(|(_, hold)| hold.environment == self.environment && hold.owner == self.owner)
            .filter(|(_, hold)| self.apps.is_empty() || hold.apps == self.apps)
            .collect()
    }
}

impl Wish for Free<'_> {
    fn edits(&self, there: &[Kept]) -> Vec<FileEdit> {
        let gone = self.of(there).into_iter().map(|(path, _)| path.clone());
        gone.map(|path| FileEdit { path, content: None, mode: None }).collect()
    }

    fn subject(&self) -> String {
        format!("Resume {}", self.environment)
    }
}

/// Makes the state branch as wished, by whoever Git says we are. Two at once
/// both land: whoever is late does it again on top of the other.
pub(crate) fn ensure(
    trust: &Trust,
    wish: &dyn Wish,
    now: Timestamp,
    dry_run: bool,
) -> Result<Done, Failure> {
    let repository = &trust.repository;
    for _ in 0..ATTEMPTS {
        let tip = trust.tip(STATE_BRANCH)?;
        let there = match &tip {
            None => Vec::new(),
            Some(tip) => read(&tree(trust, tip)?, None)?,
        };
        let edits = wish.edits(&there);
        if edits.is_empty() {
            return Ok(Done::Stands);
        }
        if dry_run {
            return Ok(Done::Planned);
        }
        let who = identity(trust)?.at(Time { seconds: now.as_second(), offset_minutes: 0 });
        let failed = |error: gitops_git::GitError| hinted("could not make a commit", &error);
        let subject = wish.subject();
        let (commit, expect) = match &tip {
            None => {
                let commit = repository.commit_root(&edits, &subject, &who).map_err(failed)?;
                (commit, Lease::Absent)
            }
            Some(tip) => {
                let commit = repository.commit(tip, &edits, &subject, &who).map_err(failed)?;
                (commit, Lease::At(*tip))
            }
        };
        let update = Update { commit, branch: STATE_BRANCH.to_owned(), expect };
        let remote = &trust.remote.name;
        let pushed = repository.push(remote, &[update]).map_err(|error| {
            hinted(&format!("could not push `{STATE_BRANCH}` to `{remote}`"), &error)
        })?;
        trust.ask_again(STATE_BRANCH)?;
        let refusals = match pushed {
            PushOutcome::Pushed(_) => return Ok(Done::Pushed(commit)),
            PushOutcome::Refused(refusals) => refusals,
        };
        for refusal in refusals {
            if let Why::Rejected { reason, messages } = refusal.why {
                let mut failure = Failure::world(format!(
                    "`{remote}` refused the push to `{STATE_BRANCH}`: {reason}"
                ));
                failure.causes.extend(messages);
                return Err(failure.hint(format!(
                    "holds are pushed directly: let those who may hold push to `{STATE_BRANCH}`"
                )));
            }
        }
    }
    Err(raced(STATE_BRANCH))
}

/// Who we are to Git.
pub(crate) fn identity(trust: &Trust) -> Result<Identity, Failure> {
    trust.repository.identity().map_err(|error| hinted("could not tell who you are", &error))
}

/// A hold in words: `ada@example.com holds web in prod until …: reason`.
pub(crate) fn told(hold: &Hold, now: Timestamp) -> String {
    let what = match hold.apps.as_slice() {
        [] => hold.environment.clone(),
        apps => format!("{} in {}", apps.join(", "), hold.environment),
    };
    let until = match hold.expires {
        None => "until it is resumed".to_owned(),
        Some(expires) if expires <= now => format!("expired {}", moment(expires)),
        Some(expires) => format!("until {}", moment(expires)),
    };
    format!("{} holds {what} since {}, {until}: {}", hold.owner, moment(hold.since), hold.reason)
}
