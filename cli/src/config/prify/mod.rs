//! `prify.yml`, the configuration of PRify, read as it is: a folder with such a
//! file is an environment, and each folder in it an app.
//!
//! PRify works on whatever a script has copied into the work tree; here the
//! copying belongs to the promotion. An environment whose `branch.name` is the
//! base itself is written directly; the others come after those, and their
//! changes get branches. PRify says nothing of an order among them, so that
//! `--from` may name any of the same sort.
//!
//! Two things are stricter than in PRify: an unknown key and an unknown variable
//! are errors. One is other: `{{.rand}}` is the same for the same app and
//! environment, so that there is one request of them, not one a run.

mod file;
mod template;

use gitops_core::plan::{
    AppRule, CopyRule, Mover, Pattern, Rules, Template, Texts, Values, branch_problem,
};
use gitops_tree::{EntryKind, Tree, TreeError, TreePath};
use gitops_yaml::{FileId, Node};

use self::file::File;
use super::keys::{self, place};
use super::problem::{ConfigError, Place, Problem, ProblemKind};
use super::{After, Config, Environment, Merge};

/// The name of the file.
pub(super) const FILE: &str = "prify.yml";

/// How many folders below the root are looked into.
const DEPTH: usize = 3;

/// What a `prify.yml` says beside the branch and the texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prify {
    /// The file.
    pub(crate) file: String,
    /// `commit.author`, instead of the Git identity's name.
    pub(crate) author: Option<String>,
    /// `commit.email`, instead of the Git identity's address.
    pub(crate) email: Option<String>,
    /// `push`: whether anything leaves this clone.
    pub(crate) push: bool,
    /// `branch.rebase`: a request whose base has moved is made again on top of
    /// it, though nothing else changes.
    pub(crate) rebase: bool,
    /// `pr.github`: whether there is a request.
    pub(crate) request: bool,
    /// `pr.github.org`: whose repository requests are opened in.
    pub(crate) organisation: Option<String>,
    /// `pr.github.repo`: the repository that requests are opened in.
    pub(crate) repository: Option<String>,
}

/// The configuration that the `prify.yml` files of a tree stand for; `None`
/// where there is none. `branch` is the tree's own, the base of changes where
/// a file names none.
///
/// # Errors
///
/// What is wrong with the first file that cannot be used.
pub(super) fn read(tree: &dyn Tree, branch: Option<&str>) -> Result<Option<Config>, ConfigError> {
    let mut files = Vec::new();
    find(tree, &TreePath::root(), 0, &mut files).map_err(|error| unreadable(FILE, &error))?;
    let mut environments: Vec<Environment> = Vec::new();
    for path in files {
        let environment = environment(tree, &path, branch)?;
        refuse_clash(&path, &environment, &environments)?;
        environments.push(environment);
    }
    let Some(first) = environments.first() else { return Ok(None) };
    let texts = first.texts.clone().unwrap_or_default();
    let rules = Rules(vec![AppRule {
        matches: Pattern::new("*").expect("the glob is one"),
        movers: vec![Mover::Copy(copied())],
        never: Vec::new(),
        environments: None,
        versions: None,
    }]);
    Ok(Some(Config { environments: chained(environments), rules, texts, ..Config::default() }))
}

/// What moves: an app's whole folder, but for what belongs to the environment,
/// as the scripts around PRify have it.
fn copied() -> CopyRule {
    let exclude = [FILE, "env-specific*"].map(str::to_owned);
    CopyRule::new(".", &exclude, Vec::new()).expect("folder and globs can be read")
}

/// The environments in order: those that are written directly, then those with
/// branches.
fn chained(environments: Vec<Environment>) -> Vec<Environment> {
    let (direct, requested): (Vec<_>, Vec<_>) =
        environments.into_iter().partition(|environment| environment.merge == Merge::Direct);
    let names = |environments: &[Environment]| -> Vec<String> {
        environments.iter().map(|environment| environment.name.clone()).collect()
    };
    let (before, beside) = (names(&direct), names(&requested));
    let others = |all: &[String], own: &str| -> Vec<String> {
        all.iter().filter(|name| *name != own).cloned().collect()
    };
    let direct = direct
        .into_iter()
        .map(|environment| Environment { from: others(&before, &environment.name), ..environment });
    let requested = requested.into_iter().map(|environment| Environment {
        after: match before.as_slice() {
            [] | [_] => After::All(before.clone()),
            _ => After::Any(before.clone()),
        },
        from: others(&beside, &environment.name),
        ..environment
    });
    direct.chain(requested).collect()
}

fn find(
    tree: &dyn Tree,
    folder: &TreePath,
    depth: usize,
    files: &mut Vec<TreePath>,
) -> Result<(), TreeError> {
    for entry in tree.list(folder)? {
        let Ok(path) = folder.join(&entry.name) else { continue };
        match entry.kind {
            // A link is told where it is read: it is not followed.
            EntryKind::File | EntryKind::Link if entry.name == FILE => files.push(path),
            EntryKind::Directory if depth < DEPTH && !entry.name.starts_with('.') => {
                find(tree, &path, depth + 1, files)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// One file.
fn environment(
    tree: &dyn Tree,
    path: &TreePath,
    branch: Option<&str>,
) -> Result<Environment, ConfigError> {
    let folder = path.parent().unwrap_or_default();
    let Some(name) = folder.name() else {
        let message = "it stands at the root of the repository, and an environment is a folder";
        let hint = "move it into the folder of the environment, or write a gitops.yaml";
        return Err(one(path, None, message, Some(hint)));
    };
    let word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !name.chars().all(word) {
        let message = format!("the folder `{}` cannot name an environment", name.escape_debug());
        let hint = "use letters, digits, `.`, `_` and `-`, or write a gitops.yaml";
        return Err(one(path, None, message, Some(hint)));
    }
    let bytes = tree.read(path).map_err(|error| unreadable(path.as_str(), &error))?;
    let (file, root) = decode(path, &bytes)?;
    let mut checker = Checker { root: &root, dir: name, base: None, problems: Vec::new() };
    let base = file.branch.base.as_deref().or(branch);
    checker.base = base;
    let texts = checker.texts(&file);
    checker.base_branch(&file);
    if !checker.problems.is_empty() {
        checker.problems.sort();
        return Err(ConfigError { path: path.as_str().to_owned(), problems: checker.problems });
    }
    let merge = match direct(&texts.branch, base, &file) {
        true => Merge::Direct,
        false => Merge::Manual,
    };
    let github = file.pr.and_then(|pr| pr.github);
    Ok(Environment {
        name: name.to_owned(),
        path: format!("{folder}/{{app}}"),
        branch: file.branch.base.filter(|base| branch != Some(base.as_str())),
        merge,
        place: place(&root),
        texts: Some(texts),
        prify: Some(Prify {
            file: path.as_str().to_owned(),
            author: file.commit.author,
            email: file.commit.email,
            push: file.push.is_some(),
            rebase: file.branch.rebase,
            request: github.is_some(),
            organisation: github.as_ref().and_then(|github| github.org.clone()),
            repository: github.and_then(|github| github.repo),
        }),
        ..Environment::default()
    })
}

/// Whether the changes go onto the base itself. Where the base is not known
/// yet, a fixed name of which no request is opened is taken for it.
fn direct(branch: &Template, base: Option<&str>, file: &File) -> bool {
    let fixed = branch.with_app("").filter(|_| !branch.uses("app"));
    match (fixed, base) {
        (Some(name), Some(base)) => name == base,
        (Some(_), None) => file.pr.as_ref().is_none_or(|pr| pr.github.is_none()),
        (None, _) => branch.to_string() == "{base}",
    }
}

/// The file, and the tree of its nodes.
fn decode(path: &TreePath, bytes: &[u8]) -> Result<(File, Node), ConfigError> {
    let shape = |line, column, message: String| {
        let place = Some(Place { line, column });
        let problem = Problem { place, kind: ProblemKind::Shape, message, hint: None };
        ConfigError::one(path.as_str(), problem)
    };
    let documents = gitops_yaml::read(FileId(0), bytes)
        .map_err(|error| shape(error.line, error.column, error.reason.to_string()))?;
    let mut roots = documents.into_iter().filter_map(|document| document.root);
    let Some(root) = roots.next() else {
        return Err(shape(1, 1, "the file is empty".to_owned()));
    };
    if let Some(second) = roots.next() {
        let message = "a second document; the file holds one".to_owned();
        return Err(shape(second.mark.line, second.mark.column, message));
    }
    let problems = keys::check_prify(&root);
    if !problems.is_empty() {
        return Err(ConfigError { path: path.as_str().to_owned(), problems });
    }
    if !root.is_mapping() {
        let message = "the file is no mapping".to_owned();
        return Err(shape(root.mark.line, root.mark.column, message));
    }
    let file = gitops_yaml::decode(&root).map_err(|error| {
        let message = match error.path.as_str() {
            "" => error.message,
            path => format!("`{path}`: {}", error.message),
        };
        shape(error.line, error.column, message)
    })?;
    Ok((file, root))
}

/// One file, as far as types do not check it.
struct Checker<'a> {
    root: &'a Node,
    dir: &'a str,
    base: Option<&'a str>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn problem(&mut self, at: [&str; 2], message: String, hint: Option<String>) {
        let node = at.iter().try_fold(self.root, |node, key| node.get(key).ok_or(node));
        let (Ok(node) | Err(node)) = node;
        let (place, kind) = (Some(place(node)), ProblemKind::Invalid);
        self.problems.push(Problem { place, kind, message, hint });
    }

    fn text(&mut self, text: &str, at: [&str; 2]) -> Template {
        template::template(text, self.dir, self.base).unwrap_or_else(|(message, hint)| {
            self.problem(at, message, hint);
            Template::default()
        })
    }

    fn texts(&mut self, file: &File) -> Texts {
        let wrong = self.problems.len();
        let branch = self.text(&file.branch.name, ["branch", "name"]);
        let sample = Values { app: "app", env: self.dir, version: "1", from: "from" };
        let name = branch.with("base", "base").render(sample);
        if let Some(reason) = branch_problem(&name)
            && self.problems.len() == wrong
        {
            let written = file.branch.name.escape_debug();
            let message = format!("`{written}` cannot name a branch: {reason}");
            self.problem(["branch", "name"], message, None);
        }
        let wrong = self.problems.len();
        let commit = self.text(&file.commit.message, ["commit", "message"]);
        if commit.render(sample).trim().is_empty() && self.problems.len() == wrong {
            let message = "the commit message is empty, and Git makes no such commit".to_owned();
            let hint = "write `commit: {message: \"…\"}`".to_owned();
            self.problem(["commit", "message"], message, Some(hint));
        }
        let (title, body) = match &file.pr {
            Some(pr) => (
                self.text(&pr.title, ["pr", "title"]),
                self.text(&pr.description, ["pr", "description"]),
            ),
            None => Default::default(),
        };
        let title = if title == Template::default() { commit.clone() } else { title };
        Texts { branch, commit, title, body, labels: Vec::new(), reviewers: Vec::new() }
    }

    fn base_branch(&mut self, file: &File) {
        if let Some(base) = &file.branch.base
            && let Some(reason) = branch_problem(base)
        {
            let message = format!("`{}` cannot name a branch: {reason}", base.escape_debug());
            self.problem(["branch", "base"], message, None);
        }
        for (key, value) in [("author", &file.commit.author), ("email", &file.commit.email)] {
            let Some(value) = value else { continue };
            if value.trim().is_empty() || value.contains(['<', '>', '\n', '\0']) {
                let message = format!("`{}` cannot stand in a commit", value.escape_debug());
                let hint = "write it without `<` and `>`, or take it out".to_owned();
                self.problem(["commit", key], message, Some(hint));
            }
        }
    }
}

/// Refuses an environment that would get into the way of another one.
fn refuse_clash(
    path: &TreePath,
    environment: &Environment,
    others: &[Environment],
) -> Result<(), ConfigError> {
    let folder = |environment: &Environment| environment.path.trim_end_matches("/{app}").to_owned();
    let ours = folder(environment);
    for other in others {
        let theirs = folder(other);
        if other.name == environment.name {
            let message =
                format!("the folder `{ours}` is called as `{theirs}`, and each is an environment");
            let hint = "give the folders names of their own, or write a gitops.yaml";
            return Err(one(path, None, message, Some(hint)));
        }
        let below = |inner: &str, outer: &str| inner.starts_with(&format!("{outer}/"));
        if below(&ours, &theirs) || below(&theirs, &ours) {
            let message =
                format!("of the environments `{theirs}` and `{ours}`, one is in the other");
            let hint = "keep them apart, or write a gitops.yaml";
            return Err(one(path, None, message, Some(hint)));
        }
        let branch = |environment: &Environment| {
            let texts = environment.texts.as_ref()?;
            let sample = Values { app: "app", env: &environment.name, version: "1", from: "from" };
            (environment.merge != Merge::Direct).then(|| texts.branch.render(sample))
        };
        if let (Some(one_branch), Some(other_branch)) = (branch(environment), branch(other))
            && one_branch == other_branch
        {
            let place = Some(environment.place);
            let message = format!(
                "changes of `{}` and `{}` would share a branch",
                other.name, environment.name
            );
            return Err(one(path, place, message, Some("put `{{.dir}}` into `branch.name`")));
        }
    }
    Ok(())
}

fn one(
    path: &TreePath,
    place: Option<Place>,
    message: impl Into<String>,
    hint: Option<&str>,
) -> ConfigError {
    let (kind, hint) = (ProblemKind::Invalid, hint.map(str::to_owned));
    ConfigError::one(path.as_str(), Problem { place, kind, message: message.into(), hint })
}

fn unreadable(path: &str, error: &TreeError) -> ConfigError {
    let (kind, message) = (ProblemKind::Unreadable, error.to_string());
    ConfigError::one(path, Problem { place: None, kind, message, hint: None })
}

#[cfg(test)]
mod tests;
