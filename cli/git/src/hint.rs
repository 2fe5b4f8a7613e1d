//! What a person can do about a failure.

use std::path::Path;

use crate::GitError;

impl GitError {
    /// What a person can do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            GitError::NotARepository { .. } => {
                "name the repository with `-C DIR`, or create one with `git init`".into()
            }
            GitError::OtherOwner { dir } => {
                format!("git config --global --add safe.directory {}", trusted(dir))
            }
            GitError::EmptyRepository { .. } => {
                "commit something first, or read the work tree".into()
            }
            GitError::UnknownRevision { shallow: true, .. } => {
                "fetch the history with `git fetch --unshallow`".into()
            }
            GitError::UnknownRevision { .. } => {
                "`git fetch` may bring it; `git branch -a` lists what is known".into()
            }
            GitError::AmbiguousRevision { .. } => {
                "write the whole name, such as `refs/remotes/origin/main`, or the commit's".into()
            }
            GitError::NoIdentity { .. } => {
                "git config --global user.name NAME, and user.email ADDRESS".into()
            }
            GitError::Unsupported { format, .. } if format.starts_with("SHA-256") => {
                "a repository of SHA-1 names is needed: `git init --object-format=sha1`".into()
            }
            GitError::NotSigned { format, .. } => not_signed(format).into(),
            GitError::NoRemote { known } => match known.first() {
                Some(first) => format!("call one of them so: `git remote rename {first} origin`"),
                None => "add one with `git remote add origin URL`".into(),
            },
            GitError::NoRemoteAt { dir, url, .. } => {
                format!(
                    "name another checkout, or `git -C {} remote add NAME {url}`",
                    dir.display()
                )
            }
            GitError::NoDefaultBranch { branches, .. } if branches.is_empty() => {
                "push the first branch: `git push origin main`".into()
            }
            GitError::NoDefaultBranch { .. } => "set `trust.branch` in gitops.yaml".into(),
            GitError::NoAnswer { remote, .. } => format!(
                "see what hangs with `GIT_TRACE=1 git ls-remote {remote}`; \
                 {PATIENCE}=SECONDS waits longer"
            ),
            GitError::NoToken { hint, .. } => return hint.clone(),
            GitError::Remote { remote, reason, .. } => remote_hint(remote, reason),
            GitError::Repository { reason, .. } => return stale_lock(reason),
            _ => return None,
        })
    }
}

/// The variable that sets [`Repository::with_patience`](crate::Repository::with_patience).
pub(crate) const PATIENCE: &str = "KUBECTL_GITOPS_GIT_TIMEOUT";

fn not_signed(format: &str) -> &'static str {
    match format {
        "ssh" => {
            "`echo test | git commit-tree -S HEAD^{tree}` must work: load the key with `ssh-add`, \
             and see `user.signingKey` and `gpg.ssh.program`"
        }
        "x509" => {
            "`echo test | git commit-tree -S HEAD^{tree}` must work: see `user.signingKey` and \
             `gpg.x509.program`"
        }
        _ => {
            "`echo test | git commit-tree -S HEAD^{tree}` must work: unlock the key in gpg-agent, \
             and see `user.signingKey` and `gpg.program`"
        }
    }
}

/// What the words of git, curl and ssh ask for.
fn remote_hint(remote: &str, reason: &str) -> String {
    let told = |words: &[&str]| words.iter().any(|words| reason.contains(words));
    if let Some(hint) = stale_lock(reason) {
        return hint;
    }
    if told(&["HOST IDENTIFICATION HAS CHANGED"]) {
        return "the host's key is another one than in known_hosts: ask who runs it before you \
                remove the old one with `ssh-keygen -R HOST`"
            .into();
    }
    if told(&["Host key verification failed", "host key is known"]) {
        return format!(
            "the host's key is not in known_hosts: connect once by hand, `git ls-remote {remote}`, \
             and compare its fingerprint"
        );
    }
    // Not any 407: it may be in a port.
    if told(&["error: 407", "code 407", "CONNECT tunnel failed", "resolve proxy", "Proxy CONNECT"])
    {
        return "the proxy is that of `http.proxy`, HTTPS_PROXY or ALL_PROXY; NO_PROXY goes round it"
            .into();
    }
    if told(&["SSL certificate", "certificate verif", "certificate verification", "CAfile"]) {
        return "where a private authority signed the certificate, name its file: \
                `git config http.sslCAInfo FILE`, or GIT_SSL_CAINFO"
            .into();
    }
    if told(&["archived"]) {
        return "an archived repository takes no changes: its owner can bring it back".into();
    }
    if told(&["error: 403"]) {
        return "the server knows who asks and does not allow it: a push takes `Contents: write` \
                on GitHub, `write:repository` on Gitea, `write_repository` on GitLab"
            .into();
    }
    if told(&["with the token of"]) {
        return "the server does not take that token: renew it, or unset the variable".into();
    }
    let login = ["terminal prompts disabled", "Authentication failed", "Permission denied"];
    if told(&login) {
        return format!(
            "`git ls-remote {remote}` must work without a question: \
             set up a credential helper or an ssh key"
        );
    }
    format!("`git ls-remote {remote}` asks it again")
}

/// The lock file that a `git` left behind, or that one holds for long.
fn stale_lock(reason: &str) -> Option<String> {
    let lock = reason.split('\'').find(|part| part.ends_with(".lock"))?;
    reason.contains("File exists").then(|| {
        format!(
            "another `git` holds the lock, or one that was killed left it: then remove `{lock}`"
        )
    })
}

fn trusted(dir: &Path) -> String {
    dir.to_string_lossy().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_way_to_fail_at_a_remote_has_its_way_out() {
        for (reason, words) in [
            (
                "could not read Username for 'https://h': terminal prompts disabled",
                "a credential helper or an ssh key",
            ),
            ("Authentication failed for 'https://h/x/'", "a credential helper or an ssh key"),
            ("Authentication failed for 'https://h/x/' (with the token of GH_TOKEN)", "renew it"),
            ("git@h: Permission denied (publickey).", "a credential helper or an ssh key"),
            ("Host key verification failed.", "known_hosts"),
            ("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!; x", "ssh-keygen -R"),
            ("unable to access 'https://h/x/': Could not resolve host: h", "asks it again"),
            ("'../server.git' does not appear to be a git repository", "asks it again"),
            (
                "unable to access 'https://h/': The requested URL returned error: 403",
                "`Contents: write`",
            ),
            ("unable to access 'https://h/': SSL certificate problem: x", "http.sslCAInfo"),
            (
                "unable to access 'https://h/': server certificate verification failed. CAfile: x",
                "http.sslCAInfo",
            ),
            ("unable to access 'https://h/': CONNECT tunnel failed, response 407", "http.proxy"),
            ("unable to access 'http://h/': The requested URL returned error: 407", "http.proxy"),
            (
                "could not read Username for 'http://h:36407': terminal prompts disabled",
                "credential helper",
            ),
            (
                "cannot lock ref 'refs/x': Unable to create '/r/.git/refs/x.lock': File exists.",
                "remove `/r/.git/refs/x.lock`",
            ),
        ] {
            let (remote, url) = ("origin".to_owned(), "https://h/x".to_owned());
            let reason = reason.to_owned();
            let error = GitError::Remote { doing: "read", remote, url, reason };
            assert!(error.hint().unwrap().contains(words), "{error}: {:?}", error.hint());
        }
    }
}
