//! The programs: etcd, kube-apiserver and kubectl.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the three programs are.
#[derive(Clone, Debug)]
pub struct Assets {
    /// The store.
    pub etcd: PathBuf,
    /// The API server.
    pub kube_apiserver: PathBuf,
    /// kubectl of the same version, to fill clusters with.
    pub kubectl: PathBuf,
}

/// Why there are no programs.
#[derive(Debug, thiserror::Error)]
pub enum AssetsError {
    /// `KUBEBUILDER_ASSETS` is set and does not hold a program.
    #[error("KUBEBUILDER_ASSETS={folder} holds no `{program}`", folder = folder.display())]
    Incomplete {
        /// The folder it names.
        folder: PathBuf,
        /// The missing program.
        program: &'static str,
    },
    /// Neither `XDG_CACHE_HOME` nor `HOME` is set.
    #[error("no cache folder for the programs: set HOME, XDG_CACHE_HOME or KUBEBUILDER_ASSETS")]
    NoCache,
    /// A pin cannot be read from a go.mod.
    #[error("{path} does not require `{module}`", path = path.display())]
    NoPin {
        /// The go.mod.
        path: PathBuf,
        /// The module whose version is looked for.
        module: &'static str,
    },
    /// Go is absent.
    #[error("`go` is needed once to build etcd and kube-apiserver, and cannot be run: {0}")]
    NoGo(io::Error),
    /// Go is there, and cannot build the program.
    #[error("cannot build `{program}`: {output}")]
    Build {
        /// The program.
        program: &'static str,
        /// The end of what Go said, its word on a too old version included.
        output: String,
    },
    /// The cache cannot be read or written.
    #[error("{path}: {cause}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        cause: io::Error,
    },
}

/// A program and what it is built from.
struct Program {
    name: &'static str,
    module: &'static str,
    package: &'static str,
}

const PROGRAMS: [Program; 3] = [
    Program { name: "etcd", module: "etcd", package: "go.etcd.io/etcd/server/v3" },
    Program {
        name: "kube-apiserver",
        module: "kubernetes",
        package: "k8s.io/kubernetes/cmd/kube-apiserver",
    },
    Program { name: "kubectl", module: "kubernetes", package: "k8s.io/kubernetes/cmd/kubectl" },
];

/// The programs: those of `KUBEBUILDER_ASSETS` where it is set, else those of
/// the per-user cache, built into it when they are not there yet (minutes, the
/// first time on a machine). Processes that come at the same time build once.
pub fn find_or_build() -> Result<Assets, AssetsError> {
    if let Some(folder) = std::env::var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty()) {
        let folder = PathBuf::from(folder);
        for Program { name: program, .. } in PROGRAMS {
            if !folder.join(program).is_file() {
                return Err(AssetsError::Incomplete { folder, program });
            }
        }
        return Ok(in_folder(&folder));
    }
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let etcd = pin(&modules.join("etcd/go.mod"), "go.etcd.io/etcd/server/v3")?;
    let kubernetes = pin(&modules.join("kubernetes/go.mod"), "k8s.io/kubernetes")?;
    let folder = cache()?.join(format!("kubernetes-{kubernetes}-etcd-{etcd}"));
    let complete = || PROGRAMS.iter().all(|program| folder.join(program.name).is_file());
    if !complete() {
        at(&folder, fs::create_dir_all(&folder))?;
        let lock_path = folder.join("lock");
        let lock = at(&lock_path, File::create(&lock_path))?;
        at(&lock_path, lock.lock())?;
        for program in &PROGRAMS {
            if !folder.join(program.name).is_file() {
                build(program, &modules.join(program.module), &kubernetes, &folder)?;
            }
        }
    }
    Ok(in_folder(&folder))
}

fn in_folder(folder: &Path) -> Assets {
    Assets {
        etcd: folder.join("etcd"),
        kube_apiserver: folder.join("kube-apiserver"),
        kubectl: folder.join("kubectl"),
    }
}

/// The version, without its `v`, that a go.mod requires of a module.
fn pin(go_mod: &Path, module: &'static str) -> Result<String, AssetsError> {
    let text = at(go_mod, fs::read_to_string(go_mod))?;
    required(&text, module).ok_or_else(|| AssetsError::NoPin { path: go_mod.to_path_buf(), module })
}

fn required(go_mod: &str, module: &str) -> Option<String> {
    go_mod.lines().find_map(|line| {
        let mut words = line.trim().trim_start_matches("require ").split_whitespace();
        (words.next() == Some(module))
            .then(|| words.next()?.strip_prefix('v').map(str::to_owned))
            .flatten()
    })
}

fn cache() -> Result<PathBuf, AssetsError> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .or_else(|| Some(set("HOME")?.join(".cache")))
        .map(|cache| cache.join("kubectl-gitops/test-assets"))
        .ok_or(AssetsError::NoCache)
}

fn build(
    program: &Program,
    module: &Path,
    kubernetes: &str,
    folder: &Path,
) -> Result<(), AssetsError> {
    crate::say(&format!("building {} (once per machine, takes minutes)", program.name));
    let mut numbers = kubernetes.split('.');
    let (major, minor) = (numbers.next().unwrap_or("0"), numbers.next().unwrap_or("0"));
    let version = "k8s.io/component-base/version";
    let flags = format!(
        "-s -w -X {version}.gitVersion=v{kubernetes} -X {version}.gitMajor={major} -X {version}.gitMinor={minor}"
    );
    // Under another name until it is whole: a build that is cut short must
    // not look like a program.
    let unfinished = folder.join(format!("{}.unfinished", program.name));
    let output = Command::new("go")
        .args(["build", "-buildvcs=false", "-trimpath", "-ldflags", &flags, "-o"])
        .arg(&unfinished)
        .arg(program.package)
        .current_dir(module)
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(AssetsError::NoGo)?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let output = lines[lines.len().saturating_sub(15)..].join("\n");
        return Err(AssetsError::Build { program: program.name, output });
    }
    at(&unfinished, fs::rename(&unfinished, folder.join(program.name)))
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, AssetsError> {
    result.map_err(|cause| AssetsError::Io { path: path.to_path_buf(), cause })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn versions_come_from_the_modules() {
        let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
        let version = pin(&modules.join("kubernetes/go.mod"), "k8s.io/kubernetes").unwrap();
        assert!(version.starts_with("1."), "{version}");
        let version = pin(&modules.join("etcd/go.mod"), "go.etcd.io/etcd/server/v3").unwrap();
        assert!(version.starts_with("3."), "{version}");
    }

    #[test]
    fn a_pin_is_found_alone_and_in_a_block() {
        assert_eq!(required("require a.example/x v1.2.3\n", "a.example/x").unwrap(), "1.2.3");
        let block = "require (\n\ta.example/xy v1.0.0\n\ta.example/x v1.2.3 // indirect\n)";
        assert_eq!(required(block, "a.example/x").unwrap(), "1.2.3");
        assert_eq!(required(block, "a.example/z"), None);
    }
}
