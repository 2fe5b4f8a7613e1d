//! `repositories:`: addresses that may be printed and handed to Git.

use super::super::file::File;
use super::super::keys::suggest;
use super::Below::Key;
use super::Checker;

impl Checker<'_> {
    pub(super) fn repositories(&mut self, file: &File) {
        let mut first: Vec<(&str, &str)> = Vec::new();
        for (name, repository) in &file.repositories {
            let at = [Key("repositories"), Key(name)];
            let below = |key| [at[0], at[1], Key(key)];
            let word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if name.is_empty() || !name.chars().all(word) {
                let message = format!("`{}` cannot name a repository", name.escape_debug());
                let hint = "use letters, digits, `.`, `_` and `-`".to_owned();
                self.problem(&at, message, Some(hint));
            }
            if let Err((reason, hint)) = address(&repository.url) {
                // An address may hold a credential: it is not repeated.
                let message = format!("the `url` of `{name}` {reason}");
                self.problem(&below("url"), message, hint.map(str::to_owned));
            } else if let Some((other, _)) =
                first.iter().find(|(_, url)| gitops_git::same_address(url, &repository.url))
            {
                let message = format!("`{other}` and `{name}` are one repository");
                let hint = "name it once; its environments may have branches of their own";
                self.problem(&below("url"), message, Some(hint.to_owned()));
            }
            first.push((name, &repository.url));
            if let Some(branch) = &repository.branch {
                self.branch(branch, &below("branch"));
            }
        }
    }

    /// The repository that an environment names.
    pub(super) fn repository(&mut self, name: &str, file: &File, at: &[super::Below<'_>]) {
        if file.repositories.contains_key(name) {
            return;
        }
        let message = format!("no repository `{}`", name.escape_debug());
        let hint = if file.repositories.is_empty() {
            format!("add it: `repositories: {{{name}: {{url: …}}}}`")
        } else {
            suggest(name, file.repositories.keys().map(String::as_str))
        };
        self.problem(at, message, Some(hint));
    }
}

/// What is wrong with an address, and the way out.
pub(in crate::config) fn address(url: &str) -> Result<(), (&'static str, Option<&'static str>)> {
    let none = None;
    if url.is_empty() {
        return Err(("is empty", none));
    }
    if url.starts_with('-') || url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(("is no address", none));
    }
    if gitops_git::without_credentials(url) != url {
        let hint = "take it out and revoke it; Git asks a credential helper";
        return Err(("holds a credential", Some(hint)));
    }
    let known = ["https://", "http://", "ssh://", "git://", "git+ssh://", "file://"];
    let lower = url.to_ascii_lowercase();
    let scp = url.split_once(':').is_some_and(|(host, path)| {
        !host.is_empty() && !host.contains('/') && !path.is_empty() && !path.starts_with(':')
    });
    let good = match url.contains("://") {
        true => known.iter().any(|scheme| lower.starts_with(scheme)),
        false => scp || url.starts_with('/') || gitops_git::is_relative(url),
    };
    if good {
        return Ok(());
    }
    let hint = "write https://HOST/PATH, ssh://HOST/PATH, HOST:PATH, an absolute path, or ../PATH beside this repository";
    Err(("is no address that is fetched from", Some(hint)))
}
