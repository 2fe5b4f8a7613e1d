//! One reference of a repository that is only read from, such as the `?ref=`
//! of a base.

use crate::network::Doing;
use crate::remote::kept;
use crate::{CommitId, GitError, Remote, Repository};

impl Repository {
    /// Brings the commit of one reference of a remote here, without its
    /// history: a tag, a branch (in this order, as `git fetch` takes a name), a
    /// full name such as `refs/pull/1/head`, or a whole commit id; `HEAD` for
    /// what the remote has checked out. A commit that is here is not asked for
    /// again; where a name leads is asked each time.
    pub fn fetch_reference(&self, remote: &str, reference: &str) -> Result<CommitId, GitError> {
        let remote = self.remote(Some(remote))?;
        let _held = self.hold()?;
        if let Some(id) = whole_id(reference) {
            let kept = kept(&remote.name, reference);
            return match self.peeled(&kept) {
                Some(here) if here == id => Ok(here),
                _ => self.bring(&remote, reference, reference, &kept),
            };
        }
        let (name, id) = self.announced(&remote, reference)?;
        let kept = kept(&remote.name, &name);
        match self.peeled(&kept) {
            Some(here) if here == id => Ok(here),
            _ => self.bring(&remote, reference, &name, &kept),
        }
    }

    /// The full name of a reference and its commit, as the remote has it now.
    fn announced(&self, remote: &Remote, reference: &str) -> Result<(String, CommitId), GitError> {
        let names: Vec<String> = match reference {
            "HEAD" => vec!["HEAD".to_owned()],
            name if name.starts_with("refs/") => vec![name.to_owned()],
            name => ["refs/", "refs/tags/", "refs/heads/"]
                .into_iter()
                .map(|start| format!("{start}{name}"))
                .collect(),
        };
        if !names.iter().all(|name| git2::Reference::is_valid_name(name)) {
            return Err(unknown(remote, reference));
        }
        let patterns: Vec<String> =
            names.iter().flat_map(|name| [name.clone(), format!("{name}^{{}}")]).collect();
        let mut args = vec!["ls-remote", "--", &remote.name];
        args.extend(patterns.iter().map(String::as_str));
        let answer = self.ask(remote, Doing::Read, &args)?;
        let of = |wanted: &str| {
            let mut lines = answer.stdout.lines().filter_map(|line| line.split_once('\t'));
            lines.find(|(_, name)| *name == wanted).map(|(id, _)| id)
        };
        for name in names {
            // An annotated tag is an object of its own, before its commit.
            let Some(id) = of(&format!("{name}^{{}}")).or_else(|| of(&name)) else { continue };
            let id = CommitId::parse(id).map_err(|error| GitError::Remote {
                doing: Doing::Read.words(),
                remote: remote.name.clone(),
                url: remote.url.clone(),
                reason: error.to_string(),
            })?;
            return Ok((name, id));
        }
        Err(unknown(remote, reference))
    }

    /// Fetches `name` into `kept`, and says which commit came.
    fn bring(
        &self,
        remote: &Remote,
        reference: &str,
        name: &str,
        kept: &str,
    ) -> Result<CommitId, GitError> {
        let spec = format!("+{name}:{kept}");
        let answer = self.talk(
            remote,
            Doing::Fetch,
            &[
                "fetch",
                "--progress",
                "--depth=1",
                "--no-tags",
                "--no-prune",
                "--no-write-fetch-head",
                "--no-recurse-submodules",
                "--no-auto-maintenance",
                "--refmap=",
                "--",
                &remote.name,
                &spec,
            ],
        )?;
        if !answer.ok {
            let error = self.failed(remote, Doing::Fetch, &answer);
            // Said by a server that knows no such object, or gives none but the tips.
            let refused = matches!(&error, GitError::Remote { reason, .. }
                if reason.contains("not our ref") || reason.contains("unadvertised object"));
            return Err(if refused { unknown(remote, reference) } else { error });
        }
        self.peeled(kept).ok_or_else(|| unknown(remote, reference))
    }

    /// The commit that a reference here leads to, with its files.
    fn peeled(&self, name: &str) -> Option<CommitId> {
        // What cannot be read here is fetched anew.
        let commit = self.inner.find_reference(name).ok()?.peel_to_commit().ok()?;
        commit.tree().ok()?;
        Some(CommitId(commit.id()))
    }
}

/// A commit id in full; a part of one can be asked of no server.
fn whole_id(reference: &str) -> Option<CommitId> {
    let is_hex = reference.len() == 40 && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex { CommitId::parse(reference).ok() } else { None }
}

fn unknown(remote: &Remote, reference: &str) -> GitError {
    GitError::UnknownReference { url: remote.url.clone(), reference: reference.to_owned() }
}
