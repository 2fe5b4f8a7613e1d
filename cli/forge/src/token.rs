//! Tokens that a person or a pipeline has set for a forge.

use url::Url;

use crate::address::{Kind, is_here};

/// A token and the one server it is for.
#[derive(Clone, PartialEq, Eq)]
pub struct ForgeToken {
    /// The server, without a slash at the end: `https://github.com`.
    pub origin: String,
    /// The user name that goes with it where Git asks for one.
    pub user: &'static str,
    /// The variable it was read from.
    pub variable: &'static str,
    /// The token itself, without blanks around it.
    pub secret: String,
}

/// Says where it comes from, never what it is.
impl std::fmt::Debug for ForgeToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForgeToken")
            .field("origin", &self.origin)
            .field("variable", &self.variable)
            .finish_non_exhaustive()
    }
}

/// Where a token came from, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// A variable, or the word for the user's helpers: `git credential`.
    Named(&'static str),
    /// An App, by its number or client id.
    App(String),
}

/// In words that go after `the token of`.
impl std::fmt::Display for TokenSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TokenSource::Named(name) => f.write_str(name),
            TokenSource::App(id) => write!(f, "the App {id} (GITHUB_APP_ID)"),
        }
    }
}

/// A variable that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// A token with a blank or a control character in it.
    #[error("the value of {variable} is not a token: it holds a blank or a control character")]
    NotAToken {
        /// The variable.
        variable: &'static str,
    },
    /// An address of an API that is none, or that a secret is not sent to.
    #[error("the value of {variable} is not the https address of an API")]
    NotAnApi {
        /// The variable.
        variable: &'static str,
    },
    /// A server that is no host and no address.
    #[error("the value of {variable} is neither a host nor the address of a server")]
    NotAServer {
        /// The variable.
        variable: &'static str,
    },
}

/// How one kind of forge has its token: the variables of the token, then those of
/// the server, the first that is set wins.
struct Way {
    tokens: &'static [&'static str],
    servers: &'static [&'static str],
    server: &'static str,
    user: &'static str,
}

/// The variables are those of `gh`, `glab` and `tea`, and those that the forges'
/// own pipelines set: a token of a pipeline is for the server that runs it.
const WAYS: [Way; 3] = [
    Way {
        tokens: &["GH_TOKEN", "GITHUB_TOKEN"],
        servers: &["GH_HOST", "GITHUB_SERVER_URL"],
        server: "github.com",
        user: "x-access-token",
    },
    Way {
        tokens: &["GITLAB_TOKEN"],
        servers: &["GITLAB_HOST", "CI_SERVER_URL"],
        server: "gitlab.com",
        user: "oauth2",
    },
    Way {
        tokens: &["GITEA_TOKEN"],
        servers: &["GITEA_SERVER_URL"],
        server: "gitea.com",
        user: "x-access-token",
    },
];

/// The tokens that are set, each with the one server it is for: the forge's own,
/// or the one that a variable names. `http` servers get none, but for this very
/// machine, where nobody listens in between. What the repository
/// says about its forge has no part in this: whoever writes there could ask for
/// the token.
pub fn tokens(variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<ForgeToken>, TokenError> {
    let set = |names: &'static [&'static str]| {
        names.iter().find_map(|name| {
            let value = variable(name)?.trim().to_owned();
            (!value.is_empty()).then_some((*name, value))
        })
    };
    let mut found = Vec::new();
    for way in &WAYS {
        let Some((name, secret)) = set(way.tokens) else { continue };
        if !secret.chars().all(|letter| letter.is_ascii_graphic()) {
            return Err(TokenError::NotAToken { variable: name });
        }
        let origin = match set(way.servers) {
            Some((name, value)) => {
                origin(&value).ok_or(TokenError::NotAServer { variable: name })?
            }
            None => Some(format!("https://{}", way.server)),
        };
        let (user, variable) = (way.user, name);
        found.extend(origin.map(|origin| ForgeToken { origin, user, variable, secret }));
    }
    Ok(found)
}

/// The software of a server, where a variable of its own client names it. Of
/// `GITHUB_SERVER_URL` nothing is learnt: runners of Gitea and Forgejo set it, too.
pub fn named_kind(variable: &dyn Fn(&str) -> Option<String>, web: &str) -> Option<Kind> {
    let named = [
        ("GH_HOST", Kind::GitHub),
        ("GITLAB_HOST", Kind::GitLab),
        ("CI_SERVER_URL", Kind::GitLab),
        ("GITEA_SERVER_URL", Kind::Gitea),
    ];
    let wanted = Url::parse(web).ok()?.origin();
    let names = |server: String| {
        let server = server.trim();
        let url = match server.contains("://") {
            true => Url::parse(server),
            false => Url::parse(&format!("https://{server}")),
        };
        url.is_ok_and(|url| url.origin() == wanted)
    };
    let found = named.into_iter().find(|(name, _)| variable(name).is_some_and(names));
    found.map(|(_, kind)| kind)
}

/// The GitHub server that the variables name; `None` for one that is not to be
/// told a secret.
pub(crate) fn github_origin(
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<String>, TokenError> {
    let named = WAYS[0].servers.iter().find_map(|name| {
        let value = variable(name)?.trim().to_owned();
        (!value.is_empty()).then_some((*name, value))
    });
    match named {
        Some((name, value)) => origin(&value).ok_or(TokenError::NotAServer { variable: name }),
        None => Ok(Some(format!("https://{}", WAYS[0].server))),
    }
}

/// Where the REST API of a GitHub stands, by the variable that GitHub's own pipelines
/// set: the server that it is of, and the address without a slash at the end. It is
/// told that server's tokens, and no other one's.
pub fn github_api(
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<(String, String)>, TokenError> {
    const API: &str = "GITHUB_API_URL";
    const SERVER: &str = "GITHUB_SERVER_URL";
    let set = |name: &str| variable(name).map(|value| value.trim().to_owned());
    let Some(api) = set(API).filter(|value| !value.is_empty()) else { return Ok(None) };
    let server = set(SERVER).filter(|value| !value.is_empty());
    let server =
        server.as_deref().map_or_else(|| Some(Some(format!("https://{}", WAYS[0].server))), origin);
    let server = server.ok_or(TokenError::NotAServer { variable: SERVER })?;
    let not = TokenError::NotAnApi { variable: API };
    let url = Url::parse(&api).map_err(|_| not.clone())?;
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_here(&url));
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !safe || !plain || url.password().is_some() {
        return Err(not);
    }
    Ok(server.map(|server| (server, url.as_str().trim_end_matches('/').to_owned())))
}

/// The origin of a host or an address; `Some(None)` for one that is neither
/// `https` nor this machine.
fn origin(server: &str) -> Option<Option<String>> {
    let url = match server.contains("://") {
        true => Url::parse(server).ok()?,
        false => Url::parse(&format!("https://{server}")).ok()?,
    };
    url.host_str().filter(|host| !host.is_empty() && !server.contains(char::is_whitespace))?;
    match url.scheme() {
        "https" => Some(Some(url.origin().ascii_serialization())),
        "http" => Some(is_here(&url).then(|| url.origin().ascii_serialization())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(set: &[(&str, &str)]) -> Result<Vec<String>, TokenError> {
        let variable = |name: &str| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let words = |token: ForgeToken| {
            format!("{} {}={} {}", token.origin, token.variable, token.secret, token.user)
        };
        Ok(tokens(&variable)?.into_iter().map(words).collect())
    }

    #[test]
    fn the_variable_of_a_client_names_the_software() {
        for (name, value, web, expected) in [
            ("GH_HOST", "git.acme.example", "https://git.acme.example", Some(Kind::GitHub)),
            ("GH_HOST", "git.acme.example", "https://git.acme.example/x", Some(Kind::GitHub)),
            ("GH_HOST", "git.acme.example", "https://acme.example", None),
            ("GH_HOST", "git.acme.example", "http://git.acme.example", None),
            ("GITLAB_HOST", "https://h:1", "https://h:1", Some(Kind::GitLab)),
            ("CI_SERVER_URL", "https://h/", "https://h", Some(Kind::GitLab)),
            ("GITEA_SERVER_URL", "http://h:3000/", "http://h:3000", Some(Kind::Gitea)),
            ("GITHUB_SERVER_URL", "https://h", "https://h", None),
            ("GITEA_SERVER_URL", "", "https://h", None),
        ] {
            let variable = |asked: &str| (asked == name).then(|| value.to_owned());
            assert_eq!(named_kind(&variable, web), expected, "{name}={value} {web}");
        }
    }

    #[test]
    fn a_token_is_for_one_server() {
        for (set, expected) in [
            (&[][..], &[][..]),
            (&[("GH_TOKEN", "")], &[]),
            (&[("GH_TOKEN", "t")], &["https://github.com GH_TOKEN=t x-access-token"]),
            (
                &[("GITHUB_TOKEN", "b"), ("GH_TOKEN", " a\n")],
                &["https://github.com GH_TOKEN=a x-access-token"],
            ),
            (
                &[("GITHUB_TOKEN", "t"), ("GITHUB_SERVER_URL", "https://git.acme.example")],
                &["https://git.acme.example GITHUB_TOKEN=t x-access-token"],
            ),
            (
                &[("GITHUB_TOKEN", "t"), ("GITHUB_SERVER_URL", "https://github.com/")],
                &["https://github.com GITHUB_TOKEN=t x-access-token"],
            ),
            (
                &[("GH_TOKEN", "t"), ("GH_HOST", "Acme.example:8443"), ("GITHUB_SERVER_URL", "x")],
                &["https://acme.example:8443 GH_TOKEN=t x-access-token"],
            ),
            (
                &[("GITEA_TOKEN", "t"), ("GITEA_SERVER_URL", "http://127.0.0.1:3000/")],
                &["http://127.0.0.1:3000 GITEA_TOKEN=t x-access-token"],
            ),
            (
                &[("GH_TOKEN", "t"), ("GH_HOST", "http://[::1]:80")],
                &["http://[::1] GH_TOKEN=t x-access-token"],
            ),
            (
                &[("GH_TOKEN", "t"), ("GH_HOST", "http://localhost:1")],
                &["http://localhost:1 GH_TOKEN=t x-access-token"],
            ),
            (&[("GITEA_TOKEN", "t"), ("GITEA_SERVER_URL", "http://10.0.0.1:3000")], &[]),
            (&[("GITEA_TOKEN", "t"), ("GITEA_SERVER_URL", "http://127.0.0.1.example")], &[]),
            (
                &[("GITLAB_TOKEN", "l"), ("GITEA_TOKEN", "e"), ("CI_SERVER_URL", "https://h:1/x")],
                &[
                    "https://h:1 GITLAB_TOKEN=l oauth2",
                    "https://gitea.com GITEA_TOKEN=e x-access-token",
                ],
            ),
        ] {
            assert_eq!(found(set).unwrap(), expected, "{set:?}");
        }
    }

    #[test]
    fn an_api_is_that_of_its_own_server() {
        let found = |set: &[(&str, &str)]| {
            github_api(&|name: &str| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let at = |server: &str, api: &str| Ok(Some((server.to_owned(), api.to_owned())));
        for (set, expected) in [
            (&[][..], Ok(None)),
            (&[("GITHUB_API_URL", " ")], Ok(None)),
            (
                &[("GITHUB_API_URL", "https://api.github.com")],
                at("https://github.com", "https://api.github.com"),
            ),
            (
                &[
                    ("GITHUB_API_URL", "https://git.acme.example/api/v3/"),
                    ("GITHUB_SERVER_URL", "https://git.acme.example"),
                    // Whom somebody else is asked by has no part in this.
                    ("GH_HOST", "other.example"),
                ],
                at("https://git.acme.example", "https://git.acme.example/api/v3"),
            ),
            (
                &[
                    ("GITHUB_API_URL", "http://127.0.0.1:1"),
                    ("GITHUB_SERVER_URL", "http://127.0.0.1:1"),
                ],
                at("http://127.0.0.1:1", "http://127.0.0.1:1"),
            ),
            (
                &[("GITHUB_API_URL", "http://api.github.com")],
                Err(TokenError::NotAnApi { variable: "GITHUB_API_URL" }),
            ),
            (
                &[("GITHUB_API_URL", "https://u:s3cret@api.github.com")],
                Err(TokenError::NotAnApi { variable: "GITHUB_API_URL" }),
            ),
            (
                &[("GITHUB_API_URL", "api.github.com")],
                Err(TokenError::NotAnApi { variable: "GITHUB_API_URL" }),
            ),
            (
                &[("GITHUB_API_URL", "https://h/api?x=1")],
                Err(TokenError::NotAnApi { variable: "GITHUB_API_URL" }),
            ),
            (
                &[("GITHUB_API_URL", "https://h"), ("GITHUB_SERVER_URL", "x y")],
                Err(TokenError::NotAServer { variable: "GITHUB_SERVER_URL" }),
            ),
        ] {
            assert_eq!(found(set), expected, "{set:?}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_said_without_showing_it() {
        for (set, expected) in [
            (&[("GH_TOKEN", "x y")][..], "the value of GH_TOKEN is not a token"),
            (&[("GH_TOKEN", "x\ny")], "the value of GH_TOKEN is not a token"),
            (&[("GITLAB_TOKEN", "t"), ("GITLAB_HOST", "ssh://h")], "the value of GITLAB_HOST is n"),
            (&[("GITLAB_TOKEN", "t"), ("GITLAB_HOST", "x y")], "the value of GITLAB_HOST is n"),
        ] {
            let error = found(set).unwrap_err().to_string();
            assert!(error.starts_with(expected) && !error.contains("x y"), "{error}");
        }
        let variable = |name: &str| (name == "GH_TOKEN").then(|| "s3cret".to_owned());
        assert!(!format!("{:?}", tokens(&variable)).contains("s3cret"));
    }
}
