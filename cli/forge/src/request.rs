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

/// The same in another repository of the forge, which this one is a fork of or
/// shares its history with; what is not named is as here. `None` too on GitLab,
/// which names the two by numbers.
///
/// Source: GitHub "Comparing commits", "Comparing across forks"; Gitea reads the
/// same heads.
pub fn new_request_url_in(
    forge: &Forge,
    owner: Option<&str>,
    repository: Option<&str>,
    base: &str,
    branch: &str,
) -> Option<String> {
    let owner = owner.unwrap_or(&forge.owner);
    let repository = repository.unwrap_or(&forge.repository);
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    let (same_owner, same_name) = (same(owner, &forge.owner), same(repository, &forge.repository));
    if same_owner && same_name {
        return new_request_url(forge, base, branch);
    }
    let here = (encode(&forge.owner, "/"), encode(&forge.repository, ""));
    let head = match (forge.kind, same_name) {
        (Kind::GitLab | Kind::Unknown, _) => return None,
        (_, true) => format!("{}:", here.0),
        (Kind::GitHub, false) => format!("{}:{}:", here.0, here.1),
        (Kind::Gitea | Kind::Forgejo, false) => format!("{}/{}:", here.0, here.1),
    };
    let end = if forge.kind == Kind::GitHub { "?expand=1" } else { "" };
    Some(format!(
        "{}/{}/{}/compare/{}...{head}{}{end}",
        forge.web,
        encode(owner, "/"),
        encode(repository, ""),
        encode(base, "/"),
        encode(branch, "/"),
    ))
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
    fn a_request_may_be_opened_in_another_repository() {
        let page = |remote: &str, owner, repository| {
            new_request_url_in(&identify(remote).unwrap(), owner, repository, "main", "x/y")
        };
        let fork = "git@github.com:bot/apps.git";
        for (owner, repository, expected) in [
            (None, None, "https://github.com/bot/apps/compare/main...x/y?expand=1"),
            (Some("Bot"), Some("apps"), "https://github.com/bot/apps/compare/main...x/y?expand=1"),
            (Some("acme"), None, "https://github.com/acme/apps/compare/main...bot:x/y?expand=1"),
            (
                Some("acme"),
                Some("gitops"),
                "https://github.com/acme/gitops/compare/main...bot:apps:x/y?expand=1",
            ),
            (
                None,
                Some("gitops"),
                "https://github.com/bot/gitops/compare/main...bot:apps:x/y?expand=1",
            ),
        ] {
            assert_eq!(page(fork, owner, repository).as_deref(), Some(expected));
        }
        assert_eq!(
            page("https://codeberg.org/bot/apps", Some("acme"), Some("gitops")).as_deref(),
            Some("https://codeberg.org/acme/gitops/compare/main...bot/apps:x/y")
        );
        assert_eq!(page("https://gitlab.com/bot/apps", Some("acme"), None), None);
        assert_eq!(page("https://git.example/bot/apps", Some("acme"), None), None);
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
