//! Which version a constraint means: what is offered where gitops.yaml says, and
//! the highest of it that is allowed.

use gitops_core::plan::version::{
    Asked, Chosen, Constraint, Offered, choose, offered_in_file, offered_tags, read_version,
};
use gitops_core::plan::{self, PlanError, Seeker, Side, Step, Versions, printable};
use gitops_kustomize::Repository;
use gitops_tree::{Tree, TreeError, TreePath};

use super::promote::{Failed, unplanned};
use super::trust::Trust;
use crate::failure::Failure;

/// What a constraint may choose besides newer stable versions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Leave {
    /// Older versions than the one in place.
    pub(crate) downgrade: bool,
    /// Pre-releases.
    pub(crate) pre_release: bool,
}

/// The constraint that is asked for; `None` for a version that is meant as it
/// is written.
pub(crate) fn constraint(text: &str) -> Result<Option<Constraint>, Failure> {
    if !Constraint::is_meant(text) {
        return Ok(None);
    }
    Constraint::parse(text).map(Some).map_err(|error| {
        Failure::usage("could not read the version")
            .because(&error)
            .hint("write a version, or a constraint such as `~1.1`, `^2` or `>=1.2, <1.4`")
    })
}

/// Chooses a version for each app that is asked for. What keeps one from being
/// planned at all is in the list; it does not stop the others.
pub(crate) fn choices(
    trust: &Trust,
    step: &Step<'_>,
    from: Option<Side<'_>>,
    apps: &[String],
    (constraint, leave): (&Constraint, Leave),
) -> Result<(plan::Choices, Vec<Failed>), PlanError> {
    let mut choices = plan::Choices::new();
    let mut failed = Vec::new();
    let tree = from.map_or(step.target.tree, |from| from.tree);
    for seeker in plan::seekers(step, from, apps)? {
        match chosen(trust, step, tree, &seeker, constraint, leave) {
            Ok(choice) => drop(choices.insert(seeker.app, choice)),
            Err(failure) => failed.push(Failed { apps: vec![seeker.app], failure }),
        }
    }
    Ok((choices, failed))
}

/// The version of the one app of a release.
pub(crate) fn released(
    trust: &Trust,
    step: &Step<'_>,
    app: &str,
    (constraint, leave): (&Constraint, Leave),
    attempt: &str,
) -> Result<Chosen, Failure> {
    let failed = |error: &PlanError| unplanned(trust, attempt, error);
    let apps = [app.to_owned()];
    let seekers = plan::seekers(step, None, &apps).map_err(|error| failed(&error))?;
    let seeker = seekers.into_iter().find(|seeker| seeker.app == app);
    let seeker = seeker.expect("an app that is named is sought");
    chosen(trust, step, step.target.tree, &seeker, constraint, leave)?
        .map_err(|error| failed(&error))
}

fn chosen(
    trust: &Trust,
    step: &Step<'_>,
    tree: &dyn Tree,
    seeker: &Seeker,
    constraint: &Constraint,
    leave: Leave,
) -> Result<Result<Chosen, PlanError>, Failure> {
    let app = &seeker.app;
    let Some((offered, prefix)) = offered(trust, step, tree, app)? else {
        return Ok(Err(PlanError::NotOffered { app: app.clone() }));
    };
    // Where the target has no version, the source's says only how it is spelt.
    let asked = Asked {
        constraint,
        pre_release: leave.pre_release,
        downgrade: leave.downgrade || seeker.current.is_none(),
        current: seeker
            .current
            .as_deref()
            .or(seeker.source.as_deref())
            .map(|of| newest(of, &prefix)),
        prefix: &prefix,
    };
    Ok(match choose(&asked, &offered) {
        Ok(mut chosen) => {
            if seeker.current.is_none() {
                chosen.unknown_before = None;
            }
            Ok(chosen)
        }
        Err(reason) => Err(PlanError::NotChosen { app: app.clone(), reason }),
    })
}

/// The newest of the versions of several images.
fn newest<'a>(versions: &'a str, prefix: &str) -> &'a str {
    let read = |name: &str| read_version(name.strip_prefix(prefix).unwrap_or(name));
    let all = versions.split(", ").filter_map(|name| Some((read(name)?, name)));
    all.max_by(|a, b| a.0.cmp_precedence(&b.0)).map_or(versions, |(_, name)| name)
}

/// What is offered for an app, and what stands before the version in the names;
/// `None` where nobody says.
fn offered(
    trust: &Trust,
    step: &Step<'_>,
    tree: &dyn Tree,
    app: &str,
) -> Result<Option<(Vec<Offered>, String)>, Failure> {
    let Some(rule) = step.rules.of(app) else { return Ok(None) };
    let filled = |template: &plan::Template| template.with_app(app).unwrap_or_default();
    let (of, prefix) = match (&rule.versions, rule.only_base()) {
        (Some(Versions::File(path)), _) => {
            return listed(tree, &filled(path)).map(|offered| Some((offered, String::new())));
        }
        (Some(Versions::Tags { of, prefix }), _) => (filled(of), filled(prefix)),
        (None, Some(base)) => match Repository::of(&filled(base)) {
            Some(repository) => (repository.url, String::new()),
            None => return Ok(None),
        },
        (None, None) => return Ok(None),
    };
    let tags = trust.tags(&of)?;
    Ok(Some((offered_tags(tags.iter().map(String::as_str), &prefix), prefix)))
}

/// The versions of a list in the environment's repository.
fn listed(tree: &dyn Tree, path: &str) -> Result<Vec<Offered>, Failure> {
    let attempt = || format!("could not read the versions in `{}`", printable(path));
    let hint = "`versions` of the app in gitops.yaml names it";
    let path = TreePath::new(path).map_err(|error| Failure::usage(attempt()).because(&error))?;
    let bytes = tree.read(&path).map_err(|error| match error {
        TreeError::Absent { .. } | TreeError::WrongKind { .. } => {
            Failure::usage(attempt()).because(&error).hint(hint)
        }
        error => Failure::world(attempt()).because(&error),
    })?;
    offered_in_file(&path, &bytes).map_err(|reason| {
        let mut failure = Failure::usage(attempt()).hint(hint);
        failure.causes.push(reason);
        failure
    })
}
