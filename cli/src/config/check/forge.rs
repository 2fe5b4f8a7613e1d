//! `forge:` and the reviewers of requests.

use gitops_forge::{ConfiguredUrl, Kind};

use super::super::file;
use super::super::keys::near;
use super::Below::{Item, Key};
use super::Checker;
use crate::config::Forge;

impl Checker<'_> {
    pub(super) fn forge(&mut self, written: Option<&file::Forge>) -> Forge {
        let mut forge = Forge::default();
        let Some(written) = written else { return forge };
        if let Some(kind) = &written.kind {
            match kind.parse::<Kind>() {
                Ok(kind) => forge.kind = Some(kind),
                Err(_) => {
                    let known = ["github", "gitlab", "gitea", "forgejo"];
                    let message = format!("`{}` is not a forge", kind.escape_debug());
                    let hint = near(kind, &known)
                        .unwrap_or_else(|| format!("known are {}", known.join(", ")));
                    self.problem(&[Key("forge"), Key("kind")], message, Some(hint));
                }
            }
        }
        if let Some(url) = &written.url {
            let at = [Key("forge"), Key("url")];
            // It may hold a credential, so that it is not repeated.
            match gitops_forge::web_address(url) {
                Ok(_) => forge.url = Some(url.clone()),
                Err(error @ ConfiguredUrl::NotWeb) => {
                    self.problem(&at, error.to_string(), Some("write https://HOST".to_owned()));
                }
                Err(error @ ConfiguredUrl::Credential) => {
                    let hint = "take it out and revoke it; tokens come from the environment or `git credential`";
                    self.problem(&at, error.to_string(), Some(hint.to_owned()));
                }
            }
        }
        forge
    }

    pub(super) fn reviewers(&mut self, reviewers: &[String]) {
        for (index, name) in reviewers.iter().enumerate() {
            let word = |c: char| !c.is_whitespace() && !c.is_control() && c != '@';
            let parts = name.split('/').count();
            if name.chars().all(word) && name.split('/').all(|part| !part.is_empty()) && parts <= 2
            {
                continue;
            }
            let message = format!("`{}` cannot name a reviewer", name.escape_debug());
            let hint = "write the login of a user, or ORG/TEAM, without `@`".to_owned();
            self.problem(&[Key("pullRequest"), Key("reviewers"), Item(index)], message, Some(hint));
        }
    }
}
