//! A repository with its forge's branches, and a runner that has nothing but
//! git, a shell and what the pipeline installs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::stage::{Said, Stage, project};

/// See the module.
pub struct Play {
    stage: Stage,
}

/// A request, as its forge has it.
pub struct Request {
    /// The branch, in the fork.
    pub branch: String,
    /// The newest commit.
    pub head: String,
}

/// What a pipeline's script may use besides its own variables.
pub type Variables = Vec<(String, String)>;

impl Play {
    /// The example `folders`, published; `main` has moved on since.
    pub fn new() -> Play {
        let stage = Stage::new();
        stage.lay(&project().join("examples/folders"));
        stage.commit_and_publish();
        let play = Play { stage };
        // What the release has, but that the program is a script that starts the built one.
        let program = format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_kubectl-gitops"));
        play.file("kubectl-gitops", &program);
        play.ok("tar -czf ../archive.tar.gz -C .. kubectl-gitops && rm ../kubectl-gitops");
        play.file(
            "runner-bin/curl",
            "#!/bin/sh\nwhile [ $# -gt 1 ]; do [ \"$1\" = -o ] && out=$2; shift; done\n\
             echo \"$1\" > \"$STAGE/url\"\ncp \"$STAGE/archive.tar.gz\" \"$out\"\n",
        );
        play
    }

    fn file(&self, name: &str, text: &str) {
        let file = self.stage.folder().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs a line in the author's clone.
    pub fn ok(&self, line: &str) -> String {
        let said = self.stage.shell(line);
        assert_eq!(said.status, 0, "{line}: {}", said.stderr);
        said.stdout.trim().to_owned()
    }

    /// Commits a change to `main` and pushes it; the commit.
    pub fn push(&self, change: &str) -> String {
        self.ok("git fetch -q && git checkout -q -B main origin/main");
        self.ok(change);
        self.ok(
            "git add -A && git commit -qm change && git push -q origin main && git rev-parse HEAD",
        )
    }

    /// Somebody's request from a fork; `main` moves on after it began.
    pub fn request(&self, branch: &str, change: &str) -> Request {
        self.ok("git fetch -q && git checkout -q -B try origin/main");
        self.ok(change);
        self.ok(
            "git add -A && git commit -qm request && git push -q -f origin HEAD:refs/pull/1/head",
        );
        let head = self.ok("git rev-parse HEAD");
        self.push("date +%N > note");
        self.ok(
            "git merge -q --no-ff -m merge try && git push -q -f origin HEAD:refs/pull/1/merge",
        );
        Request { branch: branch.to_owned(), head }
    }

    /// The digest of the archive.
    pub fn digest(&self) -> String {
        self.ok("sha256sum ../archive.tar.gz | cut -d ' ' -f 1")
    }

    /// What the install step has asked for.
    pub fn url(&self) -> String {
        fs::read_to_string(self.stage.folder().join("url")).unwrap().trim().to_owned()
    }

    /// A clone as a runner makes it: `depth` commits of one reference, or with
    /// 0 every branch besides.
    pub fn check_out(&self, depth: u64, reference: &str) {
        let fetch = match depth {
            0 => format!(
                "git fetch -q origin '+refs/heads/*:refs/remotes/origin/*' && git fetch -q origin {reference}"
            ),
            _ => format!("git fetch -q --depth={depth} origin {reference}"),
        };
        self.ok(&format!(
            "rm -rf ../runner ../temp && mkdir ../temp && git init -q ../runner && cd ../runner \
             && git remote add origin \"file://$STAGE/origin.git\" && {fetch} \
             && git checkout -q --detach FETCH_HEAD"
        ));
    }

    /// The folder for what a job leaves to its later steps.
    pub fn temp(&self) -> PathBuf {
        self.stage.folder().join("temp")
    }

    /// Runs a script in that clone as the forges' shells do.
    pub fn script(&self, script: &str, path: &str, variables: &Variables) -> Said {
        fs::write(self.temp().join("script"), script).unwrap();
        let mut command =
            self.stage.command("exec bash --noprofile --norc -eo pipefail \"$TMPDIR/script\"");
        command.current_dir(self.stage.folder().join("runner"));
        for name in ["AUTHOR", "COMMITTER"] {
            command.env_remove(format!("GIT_{name}_NAME")).env_remove(format!("GIT_{name}_EMAIL"));
        }
        let own = self.stage.folder().join("runner-bin");
        command.env("TMPDIR", self.temp());
        command.env("PATH", format!("{path}{}:/usr/local/bin:/usr/bin:/bin", own.display()));
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        Said::of(command.output().unwrap())
    }

    /// Takes a release into `dev`, by a push to `main`.
    pub fn release(&self, app: &str, version: &str) -> String {
        self.push(&format!(
            "sed -i 's/newTag: .*/newTag: {version}/' envs/dev/{app}/kustomization.yaml"
        ))
    }

    /// What an environment runs on a branch of the remote.
    pub fn runs(&self, branch: &str, environment: &str, app: &str) -> String {
        self.ok(&format!(
            "git fetch -q --prune && git show origin/{branch}:envs/{environment}/{app}/kustomization.yaml \
             | sed -n 's/.*newTag: //p'"
        ))
    }

    /// The branches of the remote.
    pub fn branches(&self) -> String {
        self.ok("git ls-remote -q origin 'refs/heads/*' | cut -f2 | cut -d / -f 3-")
    }
}
