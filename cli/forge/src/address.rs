//! Reading the address of a remote.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use crate::percent::decode;

/// Which software a forge runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// GitHub, github.com or a server of one's own.
    GitHub,
    /// GitLab, gitlab.com or a server of one's own.
    GitLab,
    /// Gitea.
    Gitea,
    /// Forgejo.
    Forgejo,
    /// It cannot be told from the address.
    Unknown,
}

/// The name as gitops.yaml has it.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::GitHub => "github",
            Kind::GitLab => "gitlab",
            Kind::Gitea => "gitea",
            Kind::Forgejo => "forgejo",
            Kind::Unknown => "unknown",
        })
    }
}

/// A word that names no forge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not a forge: github, gitlab, gitea or forgejo is expected")]
pub struct UnknownKind {
    /// The word as given.
    pub word: String,
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Kind, UnknownKind> {
        let known = [Kind::GitHub, Kind::GitLab, Kind::Gitea, Kind::Forgejo];
        let found = known.into_iter().find(|kind| kind.to_string() == word);
        found.ok_or_else(|| UnknownKind { word: word.to_owned() })
    }
}

/// A repository on a forge. It holds no credential.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Forge {
    /// The software.
    pub kind: Kind,
    /// Where its web pages start, without a slash at the end: `https://github.com`.
    pub web: String,
    /// The user, organisation or group; on GitLab also groups in groups, `a/b`.
    pub owner: String,
    /// The repository, without `.git`.
    pub repository: String,
}

/// A configured address of a forge that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfiguredUrl {
    /// It is no `https` or `http` address with a host.
    #[error("the forge's `url` is not an https or http address with a host")]
    NotWeb,
    /// It holds a user or password.
    #[error("the forge's `url` holds a credential")]
    Credential,
}

/// Who stands behind the address of a remote. A user, password and, for ssh, the
/// port are dropped; `http` stays `http`. `None` for a path, a `file://` address
/// and anything without an owner and a repository in it.
pub fn identify(remote_url: &str) -> Option<Forge> {
    let (web, host, path) = match remote_url.contains("://") {
        true => from_url(remote_url)?,
        false => from_scp(remote_url)?,
    };
    let names: Vec<String> =
        path.split('/').filter(|name| !name.is_empty()).map(decode).collect::<Option<_>>()?;
    let plain = |name: &String| {
        name != "." && name != ".." && !name.contains('/') && !name.contains(char::is_control)
    };
    if !names.iter().all(plain) {
        return None;
    }
    let (last, owner) = names.split_last()?;
    let repository = last.strip_suffix(".git").unwrap_or(last);
    if owner.is_empty() || repository.is_empty() {
        return None;
    }
    let kind = match host.as_str() {
        "github.com" => Kind::GitHub,
        "gitlab.com" => Kind::GitLab,
        "gitea.com" => Kind::Gitea,
        "codeberg.org" => Kind::Forgejo,
        _ => Kind::Unknown,
    };
    Some(Forge { kind, web, owner: owner.join("/"), repository: repository.to_owned() })
}

impl Forge {
    /// This forge as gitops.yaml has it: `kind` replaces what the host told, `url`
    /// says where the web pages start. A path in `url` is taken off the owner,
    /// for a forge that stands below one (`https://example.com/git`).
    pub fn configured(
        mut self,
        kind: Option<Kind>,
        url: Option<&str>,
    ) -> Result<Forge, ConfiguredUrl> {
        if let Some(kind) = kind {
            self.kind = kind;
        }
        let Some(url) = url else { return Ok(self) };
        self.web = web_address(url)?;
        let origin = self.web.match_indices('/').nth(2).map_or(self.web.len(), |(at, _)| at);
        let below = self.web[origin..].trim_matches('/');
        if let Some(owner) = self.owner.strip_prefix(below).and_then(|o| o.strip_prefix('/')) {
            self.owner = owner.to_owned();
        }
        Ok(self)
    }
}

/// Where web pages start, as gitops.yaml has it: without a slash at the end.
pub fn web_address(url: &str) -> Result<String, ConfiguredUrl> {
    let url = Url::parse(url).map_err(|_| ConfiguredUrl::NotWeb)?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none_or(str::is_empty) {
        return Err(ConfiguredUrl::NotWeb);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ConfiguredUrl::Credential);
    }
    let below = url.path().trim_matches('/');
    let origin = url.origin().ascii_serialization();
    Ok(if below.is_empty() { origin } else { format!("{origin}/{below}") })
}

/// The web base, the host and the path of `scheme://…`.
fn from_url(text: &str) -> Option<(String, String, String)> {
    let url = Url::parse(text).ok()?;
    let scheme = url.scheme();
    let web_scheme = if scheme == "http" { "http" } else { "https" };
    let port = match scheme {
        "https" | "http" => url.port(),
        // The port of another protocol says nothing about the web pages.
        "ssh" | "git+ssh" | "ssh+git" | "git" => None,
        _ => return None,
    };
    let host = web_host(url.host_str()?)?;
    let web = match port {
        Some(port) => format!("{web_scheme}://{host}:{port}"),
        None => format!("{web_scheme}://{host}"),
    };
    Some((web, host, url.path().to_owned()))
}

/// The same of `user@host:path`, the way ssh has it. What has a slash before the
/// colon, one letter before it (a drive) or another colon after it (a helper,
/// `ext::…`) is no such address.
fn from_scp(text: &str) -> Option<(String, String, String)> {
    let start = text.split('/').next()?;
    // `[::1]:path` and `git@[host]:path`
    let colon = match start.find('[') {
        Some(_) => start.find("]:")? + 1,
        None => start.find(':')?,
    };
    let (address, path) = (&text[..colon], &text[colon + 1..]);
    let host = address.rsplit('@').next()?;
    if host.len() < 2 || path.starts_with(':') {
        return None;
    }
    let host = web_host(host)?;
    // In a path after a colon a `%` is a `%`.
    Some((format!("https://{host}"), host, path.replace('%', "%25")))
}

/// The host that serves the web pages, in lower case.
fn web_host(host: &str) -> Option<String> {
    let host = Host::parse(host).ok()?.to_string();
    Some(match host.as_str() {
        // Their ssh servers on port 443.
        "ssh.github.com" | "www.github.com" => "github.com".into(),
        "altssh.gitlab.com" => "gitlab.com".into(),
        _ => host,
    })
}

/// Whether an address is of this machine, whatever names are resolved to.
pub(crate) fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_stands_behind_an_address() {
        use Kind::{Forgejo, GitHub, GitLab, Gitea, Unknown};
        for (url, kind, web, owner, repository) in [
            ("https://github.com/acme/apps.git", GitHub, "https://github.com", "acme", "apps"),
            ("https://github.com/acme/apps", GitHub, "https://github.com", "acme", "apps"),
            ("https://github.com/acme/apps/", GitHub, "https://github.com", "acme", "apps"),
            ("https://GitHub.com/Acme/Apps", GitHub, "https://github.com", "Acme", "Apps"),
            ("https://u:pw@github.com/acme/apps", GitHub, "https://github.com", "acme", "apps"),
            ("https://ghp_x@github.com:443/a/b", GitHub, "https://github.com", "a", "b"),
            ("git@github.com:acme/apps.git", GitHub, "https://github.com", "acme", "apps"),
            ("github.com:acme/apps", GitHub, "https://github.com", "acme", "apps"),
            ("git@github.com:/acme/apps.git", GitHub, "https://github.com", "acme", "apps"),
            ("ssh://git@github.com/acme/apps", GitHub, "https://github.com", "acme", "apps"),
            ("ssh://git@ssh.github.com:443/a/b.git", GitHub, "https://github.com", "a", "b"),
            ("git+ssh://git@github.com/a/b", GitHub, "https://github.com", "a", "b"),
            ("git://github.com/a/b.git", GitHub, "https://github.com", "a", "b"),
            ("https://github.com/a/b.github.io", GitHub, "https://github.com", "a", "b.github.io"),
            ("https://gitlab.com/a/b/c.git", GitLab, "https://gitlab.com", "a/b", "c"),
            ("git@gitlab.com:a/b/c/d.git", GitLab, "https://gitlab.com", "a/b/c", "d"),
            ("ssh://git@altssh.gitlab.com:443/a/b", GitLab, "https://gitlab.com", "a", "b"),
            ("https://codeberg.org/a/b", Forgejo, "https://codeberg.org", "a", "b"),
            ("https://gitea.com/a/b", Gitea, "https://gitea.com", "a", "b"),
            ("http://127.0.0.1:3000/a/b.git", Unknown, "http://127.0.0.1:3000", "a", "b"),
            ("http://[::1]:3000/a/b.git", Unknown, "http://[::1]:3000", "a", "b"),
            ("git@[::1]:a/b.git", Unknown, "https://[::1]", "a", "b"),
            (
                "https://git.acme.example:8443/a/b",
                Unknown,
                "https://git.acme.example:8443",
                "a",
                "b",
            ),
            ("ssh://git@git.acme.example:2222/a/b", Unknown, "https://git.acme.example", "a", "b"),
            ("git@git.acme.example:a/b", Unknown, "https://git.acme.example", "a", "b"),
            ("https://host.example/a%20b/c", Unknown, "https://host.example", "a b", "c"),
            ("host.example:a%20b/c", Unknown, "https://host.example", "a%20b", "c"),
            // Not github.com, whatever it looks like.
            (
                "https://github.com.evil.example/a/b",
                Unknown,
                "https://github.com.evil.example",
                "a",
                "b",
            ),
            ("https://github.com@evil.example/a/b", Unknown, "https://evil.example", "a", "b"),
        ] {
            let expected =
                Forge { kind, web: web.into(), owner: owner.into(), repository: repository.into() };
            assert_eq!(identify(url), Some(expected), "{url}");
        }
    }

    #[test]
    fn what_is_no_forge() {
        for url in [
            "",
            "/srv/git/apps.git",
            "../server.git",
            "./a:b",
            "server.git",
            "file:///srv/git/apps.git",
            "C:/git/apps.git",
            "ext::sh -c x",
            "codecommit::eu-west-1://apps",
            "https://github.com",
            "https://github.com/acme",
            "https://github.com/acme/.git",
            "git@github.com:apps.git",
            "git@host:a/../b",
            "https://host/a%2F..%2Fb/c",
            "https://host/%FF/c",
            "git@:a/b",
            "s3://bucket/a/b",
            "https://",
            "git@host example:a/b",
        ] {
            assert_eq!(identify(url), None, "{url}");
        }
    }

    #[test]
    fn no_credential_stays() {
        for url in ["https://u:s3cret@git.example/a/b", "ssh://git:s3cret@git.example/a/b"] {
            assert!(!format!("{:?}", identify(url).unwrap()).contains("s3cret"));
        }
    }

    #[test]
    fn what_is_configured_wins() {
        let forge = |url: &str| identify(url).unwrap();
        let own = forge("git@git.acme.example:a/b").configured(Some(Kind::GitLab), None).unwrap();
        assert_eq!((own.kind, own.web.as_str()), (Kind::GitLab, "https://git.acme.example"));
        let below = forge("https://acme.example/git/a/b");
        assert_eq!(below.owner, "git/a");
        let below = below.configured(Some(Kind::Gitea), Some("https://acme.example/git/")).unwrap();
        assert_eq!((below.web.as_str(), below.owner.as_str()), ("https://acme.example/git", "a"));
        let moved = forge("ssh://git@ssh.acme.example:22/a/b");
        let moved = moved.configured(None, Some("http://web.acme.example:3000")).unwrap();
        assert_eq!(
            (moved.web.as_str(), moved.owner.as_str()),
            ("http://web.acme.example:3000", "a")
        );
        for (url, error) in [
            ("web.acme.example", ConfiguredUrl::NotWeb),
            ("ssh://acme.example", ConfiguredUrl::NotWeb),
            ("https://t:s3cret@acme.example", ConfiguredUrl::Credential),
        ] {
            let found = forge("git@h.example:a/b").configured(None, Some(url)).unwrap_err();
            assert_eq!(found, error);
            assert!(!found.to_string().contains("s3cret"));
        }
    }

    #[test]
    fn a_kind_is_read_as_it_is_written() {
        for kind in [Kind::GitHub, Kind::GitLab, Kind::Gitea, Kind::Forgejo] {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        for word in ["", "GitHub", "unknown", "bitbucket"] {
            assert_eq!(word.parse::<Kind>(), Err(UnknownKind { word: word.to_owned() }));
        }
    }
}
