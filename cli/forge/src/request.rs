//! Where a person opens a request.

use crate::percent::encode;
use crate::{Forge, Kind};

/// The page on which a person opens a pull or merge request of `branch` into
/// `base`; `None` when the kind of the forge is unknown. Both are branches of
/// this repository, without `refs/heads/`.
///
/// Sources: GitHub "Using query parameters to create a pull request", GitLab
/// "Create merge requests by URL", Gitea's route `/{owner}/{repo}/compare/{base}...{head}`,
/// which Forgejo shares.
pub fn new_request_url(forge: &Forge, base: &str, branch: &str) -> Option<String> {
    let Forge { kind, web, owner, repository } = forge;
    let start = format!("{web}/{}/{}", encode(owner, "/"), encode(repository, ""));
    let compare = || format!("{start}/compare/{}...{}", encode(base, "/"), encode(branch, "/"));
    match kind {
        Kind::GitHub => Some(format!("{}?expand=1", compare())),
        Kind::Gitea | Kind::Forgejo => Some(compare()),
        Kind::GitLab => Some(format!(
            "{start}/-/merge_requests/new?merge_request%5Bsource_branch%5D={}&merge_request%5Btarget_branch%5D={}",
            encode(branch, ""),
            encode(base, ""),
        )),
        Kind::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::identify;

    #[test]
    fn each_forge_has_its_page() {
        for (remote, base, branch, expected) in [
            (
                "git@github.com:acme/apps.git",
                "main",
                "release/web/prod",
                "https://github.com/acme/apps/compare/main...release/web/prod?expand=1",
            ),
            (
                "https://github.com/acme/apps",
                "env/dev",
                "fix#1 & é?",
                "https://github.com/acme/apps/compare/env/dev...fix%231%20%26%20%C3%A9%3F?expand=1",
            ),
            (
                "https://codeberg.org/acme/apps",
                "main",
                "release/web",
                "https://codeberg.org/acme/apps/compare/main...release/web",
            ),
            (
                "https://gitlab.com/acme/team/apps",
                "main",
                "release/web&x=1",
                "https://gitlab.com/acme/team/apps/-/merge_requests/new\
                 ?merge_request%5Bsource_branch%5D=release%2Fweb%26x%3D1\
                 &merge_request%5Btarget_branch%5D=main",
            ),
        ] {
            let forge = identify(remote).unwrap();
            assert_eq!(new_request_url(&forge, base, branch).as_deref(), Some(expected));
        }
    }

    #[test]
    fn an_unknown_forge_has_none_until_it_is_configured() {
        let forge = identify("http://127.0.0.1:3000/acme/apps.git").unwrap();
        assert_eq!(new_request_url(&forge, "main", "x"), None);
        let forge = forge.configured(Some(Kind::Gitea), None).unwrap();
        let expected = "http://127.0.0.1:3000/acme/apps/compare/main...x";
        assert_eq!(new_request_url(&forge, "main", "x").as_deref(), Some(expected));
    }
}
