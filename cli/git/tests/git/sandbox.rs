//! A folder with a repository, and a `git` program that sees nothing of this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gitops_git::{CommitId, Repository};
use gitops_tree::TreePath;

/// A folder that goes away with this value.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
}

/// What the `git` program sees of the outside, here and under the code under test.
pub(crate) fn environment(home: &Path) -> Vec<(&'static str, String)> {
    vec![
        ("HOME", home.display().to_string()),
        ("XDG_CONFIG_HOME", home.join("xdg").display().to_string()),
        ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
        ("GIT_CONFIG_SYSTEM", "/dev/null".into()),
        ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ("GIT_AUTHOR_DATE", "1700000000 +0100".into()),
        ("GIT_COMMITTER_DATE", "1700000000 +0100".into()),
    ]
}

impl Sandbox {
    pub(crate) fn new() -> Sandbox {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        Sandbox { folder }
    }

    /// A sandbox with a repository `repo` on the branch `main`, without commits.
    pub(crate) fn with_repository() -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.init("repo", &[]);
        sandbox
    }

    pub(crate) fn init(&self, name: &str, flags: &[&str]) {
        let mut args = vec!["init", "-q", "-b", "main"];
        args.extend(flags);
        args.push(name);
        self.git(".", &args);
        self.git(name, &["config", "user.name", "Ada"]);
        self.git(name, &["config", "user.email", "ada@example.com"]);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// Runs `git` in a folder of the sandbox; fails the test when it fails.
    pub(crate) fn git(&self, dir: &str, args: &[&str]) -> String {
        let output = self.try_git(dir, args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?} in {dir}: {error}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub(crate) fn try_git(&self, dir: &str, args: &[&str]) -> Output {
        Command::new("git")
            .args(args)
            .current_dir(self.path(dir))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(environment(&self.path("home")))
            .output()
            .unwrap()
    }

    pub(crate) fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        let at = self.path(file);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, bytes).unwrap();
    }

    pub(crate) fn script(&self, file: &str, text: &str) {
        self.write(file, text);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.path(file), mode).unwrap();
    }

    /// Commits everything in the work tree of `dir`.
    pub(crate) fn commit(&self, dir: &str, message: &str) -> CommitId {
        self.git(dir, &["add", "-A"]);
        self.git(dir, &["commit", "-q", "--allow-empty", "-m", message]);
        self.head(dir)
    }

    pub(crate) fn head(&self, dir: &str) -> CommitId {
        CommitId::parse(&self.git(dir, &["rev-parse", "HEAD"])).unwrap()
    }

    pub(crate) fn open(&self, dir: &str) -> Repository {
        let mut repository = Repository::discover(&self.path(dir)).unwrap();
        for (name, value) in environment(&self.path("home")) {
            repository = repository.with_env(name, value);
        }
        repository
    }
}

pub(crate) fn path(text: &str) -> TreePath {
    TreePath::new(text).unwrap()
}
