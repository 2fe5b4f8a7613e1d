//! What a change says of itself: whether it is a promotion, and which other
//! environments it means to change.

use std::collections::BTreeSet;

use gitops_core::judge::Commit;
use gitops_core::plan::is_pipeline;
use gitops_tree::TreePath;

use super::preview::Refusal;
use super::trust::{Home, Trust};
use crate::config::{Environment, Merge};

/// The trailer that names an environment, other than the target, that a
/// promotion changes on purpose.
pub(crate) const ALSO: &str = "Also-Changes";

/// What a change says of itself. A claim binds: it makes the rules stricter,
/// and only naming an environment opens something, for which that environment
/// is judged, too.
pub(crate) struct Claim {
    /// Why the change counts as a promotion, in words; `None` where it does not.
    promotion: Option<String>,
    /// The environments that its branch may stand for; `None` where the branch
    /// says nothing.
    into: Option<Vec<String>>,
    /// The other environments that it names.
    also: BTreeSet<String>,
}

impl Claim {
    /// Reads the trailers of the commits, and the name that the head was given
    /// by: a branch that requests of promotions have makes it one, too, so that
    /// taking the trailers away opens nothing.
    pub(crate) fn of(trust: &Trust, home: &Home, head: &str, commits: &[Commit]) -> Claim {
        let values = |key: &'static str| {
            commits
                .iter()
                .flat_map(|commit| &commit.trailers)
                .filter(move |(name, _)| name.eq_ignore_ascii_case(key))
                .map(|(_, value)| value.clone())
        };
        let branch = request_branch(trust, home, head);
        let promotion = match &branch {
            _ if values("Plan-Digest").next().is_some() => {
                Some("the change says it is a promotion".to_owned())
            }
            Some((branch, _)) => {
                Some(format!("by its branch `{branch}` the change is a promotion"))
            }
            None => None,
        };
        let into = branch.map(|(_, into)| into);
        Claim { promotion, into, also: values(ALSO).collect() }
    }

    /// Whether the change may be a promotion into `environment`.
    pub(crate) fn may_enter(&self, environment: &str) -> bool {
        self.into.as_ref().is_none_or(|into| into.iter().any(|name| name == environment))
    }

    /// Why the change counts as a promotion, in words.
    pub(crate) fn promotion(&self) -> Option<&str> {
        self.promotion.as_deref()
    }

    /// ` that it may enter: uat`, where the branch says so.
    pub(crate) fn place(&self) -> String {
        match &self.into {
            Some(into) => format!(" that it may enter ({})", into.join(", ")),
            None => String::new(),
        }
    }

    /// Whether the change says that it changes `environment`.
    pub(crate) fn names(&self, environment: &str) -> bool {
        self.also.contains(environment)
    }
}

/// The branch that `head` names and the environments it may stand for, where
/// requests of promotions have such names.
fn request_branch<'a>(trust: &Trust, home: &Home, head: &'a str) -> Option<(&'a str, Vec<String>)> {
    let remotes = [format!("refs/remotes/{}/", home.remote.name), format!("{}/", home.remote.name)];
    let branch = head
        .strip_prefix("refs/heads/")
        .or_else(|| remotes.iter().find_map(|remote| head.strip_prefix(remote.as_str())))
        .unwrap_or(head);
    let config = &trust.config;
    let may_be = |environment: &&Environment| {
        // Where a prify.yml names the base itself, that is no request.
        let direct = environment.prify.is_some() && environment.merge == Merge::Direct;
        !direct && config.texts_of(environment).branch.may_be(branch, &environment.name)
    };
    let into =
        config.environments.iter().filter(may_be).map(|environment| environment.name.clone());
    let into: Vec<String> = into.collect();
    (!into.is_empty()).then_some((branch, into))
}

/// Refuses pipelines and code owners in a promotion. `because` says why the
/// change is held to that.
pub(crate) fn pipeline_refusal<'a>(
    because: &str,
    paths: impl IntoIterator<Item = &'a TreePath>,
) -> Option<Refusal> {
    let paths: Vec<&str> =
        paths.into_iter().filter(|path| is_pipeline(path)).map(TreePath::as_str).collect();
    let (first, rest) = paths.split_first()?;
    let more = match rest.len() {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    Some(Refusal {
        code: "gitops/pipeline-changed",
        message: format!(
            "{because}, and no promotion changes what runs on it or who approves it: `{first}`{more}"
        ),
    })
}
