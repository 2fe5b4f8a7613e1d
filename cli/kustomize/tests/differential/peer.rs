//! Trees of files, and what the two renderers make of them.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gitops_kustomize::{Options, build};
use gitops_tree::{Memory, TreePath};

/// The files of a case, and the folder to build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub files: BTreeMap<String, Vec<u8>>,
    pub dir: String,
}

/// How a build ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Built(String),
    Failed(String),
    /// A Go panic, or one of ours.
    Crashed(String),
}

impl End {
    /// The kind of end, and for a crash its reason.
    pub fn class(&self) -> &'static str {
        match self {
            End::Built(_) => "builds",
            End::Failed(_) => "fails",
            End::Crashed(_) => "crashes",
        }
    }

    pub fn text(&self) -> &str {
        match self {
            End::Built(text) | End::Failed(text) | End::Crashed(text) => text,
        }
    }
}

/// Builds a case in this process.
pub fn ours(case: &Case) -> End {
    let built = catch_unwind(AssertUnwindSafe(|| {
        let mut tree = Memory::new();
        for (path, bytes) in &case.files {
            tree.insert(TreePath::new(path).unwrap(), bytes.clone());
        }
        let dir = TreePath::new(&case.dir).unwrap();
        build(&tree, &dir, &Options::default()).map(|rendered| rendered.to_yaml())
    }));
    match built {
        Ok(Ok(text)) => End::Built(text),
        Ok(Err(error)) => End::Failed(error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            End::Crashed(text.unwrap_or_default())
        }
    }
}

/// kustomize, and a folder for its input.
pub struct Peer {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Peer {
    pub fn new(program: &Path) -> Peer {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory).unwrap()
        } else {
            tempfile::tempdir().unwrap()
        };
        Peer { program: program.to_owned(), folder }
    }

    /// Builds a case with kustomize.
    pub fn build(&self, case: &Case) -> End {
        let root = self.folder.path().join("tree");
        if root.exists() {
            std::fs::remove_dir_all(&root).unwrap();
        }
        for (path, bytes) in &case.files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        std::fs::create_dir_all(root.join(&case.dir)).unwrap();
        let output = Command::new(&self.program)
            .arg("build")
            .arg(root.join(&case.dir))
            .env("GOMAXPROCS", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return End::Built(text(&output.stdout));
        }
        let complaint = text(&output.stderr).replace(&*root.to_string_lossy(), "");
        if complaint.contains("goroutine ") {
            return End::Crashed(complaint);
        }
        End::Failed(complaint)
    }
}
