//! What is trusted: configuration, bindings, policies and lock, read from the
//! trust branch as the remote has it now, never from the change under test.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::ops::Deref;
use std::path::Path;
use std::rc::Rc;

use gitops_core::judge::EnvironmentRef;
use gitops_core::plan::{ReadEntry, ReadFrom, printable};
use gitops_forge::Forge;
use gitops_git::{CommitId, GitError, Remote, Repository, RevisionTree};
use gitops_policy::PolicySet;
use gitops_tree::{Reading, Recorded, Tree, TreeError};

use super::desired::{config_failure, git_failure, start};
use super::forges::{Forges, Reach, identified};
use super::places::check_checkouts;
pub(crate) use super::places::{Home, Place, Revision};
use super::policies::policy_failure;
use crate::config::{self, Config, Environment, ProblemKind};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Terminal;

/// The repository that is trusted, and what its trust branch says.
pub(crate) struct Trust {
    home: Home,
    /// The trust branch.
    pub(crate) branch: String,
    pub(crate) config: Config,
    pub(crate) policies: PolicySet,
    /// What was read to know all that.
    pub(crate) reads: BTreeSet<ReadEntry>,
    /// The repositories that the configuration names, opened at need, with the
    /// branch of environments that name none.
    others: BTreeMap<String, OnceCell<(Home, String)>>,
    /// Those of them that are this very repository.
    own: BTreeSet<String>,
    /// Tags by the address of their repository, asked for once a run.
    tags: RefCell<BTreeMap<String, Vec<String>>>,
    /// The forges of its repositories.
    forges: Forges,
    context: Context,
}

/// The trust repository's branches are asked for by themselves; those of an
/// environment by [`Trust::place`].
impl Deref for Trust {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Trust {
    /// Fetches the trust branch of the repository we are in and reads it. The
    /// remote's default branch is asked first, and may name another one in
    /// `trust.branch`.
    pub(crate) fn open(context: &Context) -> Result<Trust, Failure> {
        Trust::open_at(context, &start(context))
    }

    /// The same in the repository that `dir` is in.
    pub(crate) fn open_at(context: &Context, dir: &Path) -> Result<Trust, Failure> {
        let repository = super::repository::open(dir)?;
        let remote =
            repository.remote(None).map_err(|error| hinted("could not choose a remote", &error))?;
        let home = Home::new(None, repository, remote);
        let mut branch = home.default_branch()?;
        home.fetch_ahead(&branch, &[config::STATE_BRANCH])?;
        let mut revision = home.revision(&branch)?;
        let mut config = read_config(&revision.tree, &home.remote, &branch)?;
        if let Some(named) = config.trust_branch.clone().filter(|named| *named != branch) {
            revision = home.revision(&named)?;
            config = read_config(&revision.tree, &home.remote, &named)?;
            if config.trust_branch.as_ref() != Some(&named) {
                return Err(Failure::usage(format!(
                    "`{branch}` trusts the branch `{named}`, which does not name itself in `trust.branch`"
                ))
                .hint(format!("write `trust: {{branch: {named}}}` in gitops.yaml of both branches")));
            }
            branch = named;
        }
        let trust = Trust::of(context, home, branch, &revision.tree)?;
        check_checkouts(context, &trust.config)?;
        Ok(trust)
    }

    /// What was trusted at an earlier time, with the branches of the trust
    /// repository as they were then. `before` is the branch, and its commit,
    /// that a change was made on. Branches of other repositories are today's.
    /// `None` where there was no trust branch yet.
    pub(crate) fn as_of(
        &self,
        at: i64,
        before: Option<(&str, &CommitId)>,
    ) -> Result<Option<Trust>, Failure> {
        let mut branches = BTreeMap::new();
        let own = self.config.environments.iter().filter(|e| self.repository_of(e).is_none());
        let names = own.filter_map(|environment| environment.branch.as_deref());
        for name in names.chain([self.branch.as_str(), config::STATE_BRANCH]) {
            let then = match before {
                Some((branch, commit)) if branch == name => Some(*commit),
                _ => self.home.tip_at(name, at)?,
            };
            branches.insert(name.to_owned(), then);
        }
        let Some(Some(commit)) = branches.get(&self.branch).copied() else { return Ok(None) };
        let repository = super::repository::open(self.home.repository.location())?;
        let home = Home::with(None, repository, self.home.remote.clone(), branches);
        let tree = home.repository.tree(&commit).map_err(|error| {
            git_failure(format!("could not read commit {}", commit.short()), &error)
        })?;
        Trust::of(&self.context, home, self.branch.clone(), &tree).map(Some)
    }

    fn of(
        context: &Context,
        home: Home,
        branch: String,
        tree: &RevisionTree,
    ) -> Result<Trust, Failure> {
        let recorded = Recorded::new(tree);
        // Read again so that what was read is on record.
        let config = read_config(&recorded, &home.remote, &branch)?;
        config.refuse_one_place(&branch).map_err(|error| config_failure(&error))?;
        let policies = policies(&recorded, &config)?;
        let mut readings = recorded.into_readings();
        if config.environments.iter().any(|environment| environment.prify.is_some()) {
            // Folders are listed to find the files; what else is in them does not matter.
            readings.retain(|reading| !matches!(reading, Reading::List(_)));
        }
        let reads = entries(ReadFrom::Trust, tree, readings)?;
        let here = home.address();
        let mut own = BTreeSet::new();
        for (name, repository) in &config.repositories {
            if gitops_git::same_address(&home.absolute(name, &repository.url)?, &here) {
                own.insert(name.clone());
            }
        }
        let others =
            config.repositories.keys().map(|name| (name.clone(), OnceCell::new())).collect();
        let context = context.clone();
        let (tags, forges) = (RefCell::default(), Forges::default());
        Ok(Trust { home, branch, config, policies, reads, others, own, tags, forges, context })
    }

    /// The trust repository itself.
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// The repository that `dir` is in, which the configuration must name.
    pub(crate) fn home_at(&self, dir: &Path) -> Result<&Home, Failure> {
        let repository = super::repository::open(dir)?;
        for (name, written) in &self.config.repositories {
            let url = self.home.absolute(name, &written.url)?;
            let Ok(remote) = repository.remote_at(&url) else { continue };
            if self.own.contains(name) {
                continue;
            }
            let home = Home::new(Some(name.clone()), repository, remote);
            let branch = match &written.branch {
                Some(branch) => branch.clone(),
                None => home.default_branch()?,
            };
            let cell = &self.others[name];
            return Ok(&cell.get_or_init(|| (home, branch)).0);
        }
        let names: Vec<&str> = self.config.repositories.keys().map(String::as_str).collect();
        let failure = Failure::usage(format!(
            "`{}` is none of the repositories of {}",
            repository.location().display(),
            config::FILE
        ));
        Err(match names.as_slice() {
            [] => failure.hint("`repositories` there names those beside it"),
            names => failure.hint(format!("known are {}, by their `url`", names.join(", "))),
        })
    }

    /// The repository of an environment: its key in `repositories`, or `None`
    /// for the trust repository.
    pub(crate) fn repository_of<'a>(&self, environment: &'a Environment) -> Option<&'a str> {
        environment.repository.as_deref().filter(|name| !self.own.contains(*name))
    }

    /// Asks the remote again, after this program itself has pushed, and checks
    /// what is trusted.
    pub(crate) fn again(&self) -> Result<(), Failure> {
        self.forget();
        self.check()
    }

    /// What is trusted must still be what was read at the start.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.forges.forget();
        let trusted = self.revision(&self.branch)?;
        for read in &self.reads {
            let holds = read
                .holds_in(&trusted.tree)
                .map_err(|error| Failure::world("could not read the repository").because(&error))?;
            if !holds {
                return Err(Failure::world(format!(
                    "`{}` has moved since this run began: `{}` is another one",
                    self.branch, read.path
                ))
                .hint("run it again: the new state will be planned and judged"));
            }
        }
        Ok(())
    }

    /// Where an environment is: its repository, remote and branch.
    pub(crate) fn place<'a>(&'a self, environment: &'a Environment) -> Result<Place<'a>, Failure> {
        let Some(name) = self.repository_of(environment) else {
            let own = environment.repository.as_ref().and_then(|name| {
                self.config.repositories.get(name).and_then(|own| own.branch.as_deref())
            });
            let branch = environment.branch.as_deref().or(own).unwrap_or(&self.branch);
            return Ok(Place { home: &self.home, branch });
        };
        let (home, default) = self.other(name)?;
        Ok(Place { home, branch: environment.branch.as_deref().unwrap_or(default) })
    }

    /// The environments on the branch of one, itself included: those that a
    /// commit on it may change.
    pub(crate) fn sharing(&self, environment: &Environment) -> Result<Vec<&Environment>, Failure> {
        let place = self.place(environment)?;
        let mut sharing = Vec::new();
        for other in &self.config.environments {
            // Another repository need not be opened.
            if self.repository_of(other) == self.repository_of(environment)
                && self.place(other)?.branch == place.branch
            {
                sharing.push(other);
            }
        }
        Ok(sharing)
    }

    /// An environment as plans and policies see it.
    pub(crate) fn reference(&self, environment: &Environment) -> Result<EnvironmentRef, Failure> {
        let place = self.place(environment)?;
        let mut reference = environment.reference(place.branch);
        if !self.config.repositories.is_empty() {
            reference.repository = Some(place.home.address());
        }
        Ok(reference)
    }

    /// A repository of the configuration, and the branch of its environments
    /// that name none.
    pub(crate) fn other(&self, name: &str) -> Result<&(Home, String), Failure> {
        let cell = self.others.get(name).expect("a checked environment is in a known repository");
        if let Some(opened) = cell.get() {
            return Ok(opened);
        }
        let repository = &self.config.repositories[name];
        let url = self.home.absolute(name, &repository.url)?;
        let home = Home::open(&self.context, name, &url)?;
        let branch = match &repository.branch {
            Some(branch) => branch.clone(),
            None => home.default_branch()?,
        };
        Ok(cell.get_or_init(|| (home, branch)))
    }

    /// The forge of one of the repositories, to be asked.
    pub(crate) fn forge(&self, home: &Home) -> Result<Rc<Reach>, Failure> {
        self.forges.of(home, &self.config.forge, self.is_beside(home))
    }

    /// Waits for answers of forges.
    pub(crate) fn wait<T>(
        &self,
        answer: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.forges.wait(answer)
    }

    /// The forge of one of the repositories, as far as its name goes.
    pub(crate) fn forge_words(&self, home: &Home) -> Result<Option<Forge>, Failure> {
        identified(home, &self.config.forge, self.is_beside(home))
    }

    /// Whether a repository is on the server of this one.
    fn is_beside(&self, home: &Home) -> bool {
        let web = |home: &Home| Some(gitops_forge::identify(&home.remote.url)?.web);
        web(home) == web(&self.home)
    }

    /// Where things are told.
    pub(super) fn terminal(&self) -> Terminal {
        self.context.terminal
    }

    /// The calls that forges were asked.
    pub(crate) fn tell_calls(&self) {
        self.forges.tell(self.context.terminal);
    }

    /// The tags of a repository, a key of `repositories` or an address, as its
    /// remote has them now. The address is written into a clone of our own, so
    /// that git is given a remote's name and the repository is asked as every
    /// other one: with the user's credentials, without a question, not for ever.
    pub(crate) fn tags(&self, of: &str) -> Result<Vec<String>, Failure> {
        let named = self.config.repositories.get(of);
        let attempt = format!("could not read the tags of `{}`", printable(of));
        let url = named.map_or(of, |repository| &repository.url);
        if let Err((reason, hint)) = config::check_address(url) {
            // It may hold a credential, so that it is not repeated.
            let mut failure = Failure::usage("could not read the tags of a repository");
            failure.causes.push(format!("its address {reason}"));
            failure.hints.extend(hint.map(str::to_owned));
            return Err(failure);
        }
        let base = self.home.address();
        let url = gitops_git::beside(&base, url).ok_or_else(|| {
            Failure::usage(&attempt).hint(format!("`{url}` leads out of `{base}`"))
        })?;
        if let Some(known) = self.tags.borrow().get(&url) {
            return Ok(known.clone());
        }
        let opened = named.and_then(|_| Some(&self.others.get(of)?.get()?.0));
        let own;
        let home = match opened {
            Some(home) => home,
            None if gitops_git::same_address(&url, &base) => &self.home,
            None => {
                own = Home::open(&self.context, of, &url)?;
                &own
            }
        };
        let asked = home.repository.remote_tags(&home.remote.name);
        let tags = asked.map_err(|error| {
            let failure = match &error {
                // Nobody knows the remote's name in a clone of our own.
                GitError::Remote { .. } => git_failure(&attempt, &error),
                _ => hinted(&attempt, &error),
            };
            failure.hint(format!("`git ls-remote --tags {}` asks it again", printable(&url)))
        })?;
        self.tags.borrow_mut().insert(url, tags.clone());
        Ok(tags)
    }

    /// The repository whose configuration says who commits: a clone of this
    /// program's own has none.
    pub(crate) fn author_of<'a>(&'a self, home: &'a Home) -> &'a Repository {
        match &home.name {
            Some(name) if self.context.common.checkout(name).is_none() => &self.home.repository,
            _ => &home.repository,
        }
    }

    /// Asks the remotes again for what this run has read of the branches that
    /// environments, trust and holds are on, and of those of requests: once each
    /// repository. Answers whether one of them has moved.
    pub(crate) fn refresh(&self, requests: &[&str]) -> Result<bool, Failure> {
        let mut kept: BTreeSet<&str> = [self.branch.as_str(), config::STATE_BRANCH].into();
        kept.extend(requests);
        kept.extend(self.config.environments.iter().filter_map(|e| e.branch.as_deref()));
        kept.extend(self.config.repositories.values().filter_map(|r| r.branch.as_deref()));
        let opened: Vec<_> = self.others.values().filter_map(OnceCell::get).collect();
        kept.extend(opened.iter().map(|(_, branch)| branch.as_str()));
        let mut moved = false;
        for home in opened.into_iter().map(|(home, _)| home).chain([&self.home]) {
            moved |= home.refresh(&kept)?;
        }
        Ok(moved)
    }

    /// Forgets what was fetched, so that the remotes are asked again.
    pub(crate) fn forget(&self) {
        self.home.forget();
        // Tags stay: one run chooses from one list.
        self.others.values().filter_map(OnceCell::get).for_each(|(home, _)| home.forget());
    }
}

/// Words for a failure of Git, with its own way out.
pub(crate) fn hinted(attempt: &str, error: &gitops_git::GitError) -> Failure {
    let failure = git_failure(attempt, error);
    match error.hint() {
        Some(hint) if failure.hints.is_empty() => failure.hint(hint),
        _ => failure,
    }
}

fn read_config(tree: &dyn Tree, remote: &Remote, branch: &str) -> Result<Config, Failure> {
    config::read_on(tree, Some(branch)).map_err(|error| {
        let attempt = format!("could not use `{}` of `{}/{branch}`", error.path, remote.name);
        let mut failure = Failure::usage(attempt).because(&error);
        if error.problems.iter().any(|problem| problem.kind == ProblemKind::Missing) {
            failure = failure
                .hint("where it stands in another repository: run there, or `gate --trust DIR`");
        }
        error.hints().fold(failure, |failure, hint| failure.hint(hint)).hint(format!(
            "it is read from the branch `{branch}` of `{}`, never from the work tree",
            remote.name
        ))
    })
}

/// Reads the policies, and refuses bindings that would bind nothing: a policy
/// that is never asked is an open gate.
fn policies(tree: &dyn Tree, config: &Config) -> Result<PolicySet, Failure> {
    let Some(path) = &config.policies else { return Ok(PolicySet::default()) };
    let kind = tree
        .kind(path)
        .map_err(|error| Failure::usage("could not read the policies").because(&error))?;
    if kind.is_none() {
        return Err(Failure::usage("could not read the policies")
            .because(&TreeError::Absent { path: path.clone() })
            .hint("`policies` in gitops.yaml names it: commit the file, or take the key out"));
    }
    let policies = gitops_policy::load(tree, path).map_err(|error| policy_failure(&error))?;
    for binding in policies.bindings() {
        let steps = binding.promotions.iter().flat_map(|step| [&step.from, &step.to]);
        for name in binding.environments.iter().chain(steps) {
            if let Err(unknown) = config.environment(name) {
                let failure =
                    Failure::usage(format!("`{path}` binds policies to nothing")).because(&unknown);
                return Err(match unknown.hint() {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                });
            }
        }
    }
    Ok(policies)
}

/// What was read, with what was found.
pub(crate) fn entries(
    from: ReadFrom,
    tree: &dyn Tree,
    readings: BTreeSet<Reading>,
) -> Result<BTreeSet<ReadEntry>, Failure> {
    readings
        .iter()
        .map(|reading| ReadEntry::of(from, tree, reading))
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::world("could not read the repository").because(&error))
}
