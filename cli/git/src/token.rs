//! A token that a host takes instead of a password, at hand or made at need.

use std::sync::Arc;

/// A token for the `https` remotes of one host, or the `http` ones of this
/// machine. It goes to the `git` program in
/// its environment, is answered to it when that host asks, and nowhere else; the
/// user's own netrc, credential helpers and `GIT_ASKPASS` are asked before.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Where it is valid, without a slash at the end: `https://github.com`.
    pub origin: String,
    /// The name that goes with it, for example `x-access-token`.
    pub user: String,
    /// Where it comes from, for messages: `GH_TOKEN`.
    pub variable: String,
    secret: String,
}

/// Says where it is valid, never what it is.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Token {
    /// The token `secret`. `None` where one of the texts cannot go into a line of
    /// the credential protocol, or `origin` is no `https` address of a host, and no
    /// `http` address of this machine.
    pub fn new(origin: &str, user: &str, variable: &str, secret: &str) -> Option<Token> {
        let host = match origin.strip_prefix("https://") {
            Some(host) => host,
            None => origin.strip_prefix("http://").filter(|host| is_here(host))?,
        };
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._:[]".contains(letter);
        let word = |text: &str| !text.is_empty() && text.chars().all(|l| l.is_ascii_graphic());
        let name = |text: &str| text.chars().all(|l| l.is_ascii_alphanumeric() || "-_".contains(l));
        if !word(host) || !host.chars().all(plain) || !word(user) || !name(user) || !word(secret) {
            return None;
        }
        Some(Token {
            origin: origin.to_owned(),
            user: user.to_owned(),
            variable: variable.to_owned(),
            secret: secret.to_owned(),
        })
    }

    /// Settings under which git asks for this token where that host wants to know
    /// who it is. The user's helpers, which have no answer, are not asked again, so
    /// that none of them stores what it is told.
    pub(crate) fn settings(&self) -> [String; 2] {
        let key = format!("credential.{}.helper", self.origin);
        let answer = format!(
            "!f() {{ test \"$1\" != get || printf 'username=%s\\npassword=%s\\n' {} \"${VARIABLE}\"; }}; f",
            self.user
        );
        [format!("{key}="), format!("{key}={answer}")]
    }

    /// The variable that the settings read.
    pub(crate) fn variable(&self) -> (&'static str, &str) {
        (VARIABLE, &self.secret)
    }

    /// `text` without the token in it.
    pub(crate) fn hidden(&self, text: String) -> String {
        if text.contains(&self.secret) { text.replace(&self.secret, "***") } else { text }
    }
}

/// Makes a token for the address of a repository.
type Make = dyn Fn(&str) -> Result<Token, NoToken> + Send + Sync;

/// A token for the remotes of one host that is made when one is needed, for each
/// repository its own: an App's.
#[derive(Clone)]
pub struct Maker {
    origin: String,
    make: Arc<Make>,
}

/// Why a token could not be made. No text in it holds a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoToken {
    /// Why, in words.
    pub reason: String,
    /// What a person can do about it.
    pub hint: Option<String>,
    /// Whether the repository may be one that everybody reads.
    pub public: bool,
}

impl Maker {
    /// One for the server at `origin`, without a slash at the end. It is given
    /// addresses of that server, as they are configured.
    pub fn new(
        origin: &str,
        make: impl Fn(&str) -> Result<Token, NoToken> + Send + Sync + 'static,
    ) -> Maker {
        Maker { origin: origin.to_owned(), make: Arc::new(make) }
    }
}

/// Where a token for a host comes from.
pub(crate) enum Source {
    Given(Token),
    Made(Maker),
}

impl Source {
    /// Whether it is for the server of that address.
    pub(crate) fn is_for(&self, url: &str) -> bool {
        let Some((scheme, rest)) = url.split_once("://") else { return false };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let (own, here) = self.parts();
        let port = if own == "http" { ":80" } else { ":443" };
        let plain = |host: &str| host.to_ascii_lowercase().trim_end_matches(port).to_owned();
        scheme.eq_ignore_ascii_case(own) && plain(host) == plain(here)
    }

    /// What `git credential` reads of an address of that server.
    pub(crate) fn question(&self, url: &str) -> String {
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let path = rest.split_once('/').map_or("", |(_, path)| path);
        let (protocol, host) = self.parts();
        format!("protocol={protocol}\nhost={host}\npath={path}\n\n")
    }

    /// The token for that address.
    pub(crate) fn token(&self, url: &str) -> Result<Token, NoToken> {
        match self {
            Source::Given(token) => Ok(token.clone()),
            Source::Made(maker) => (maker.make)(url),
        }
    }

    /// `https`, and `host[:port]`.
    fn parts(&self) -> (&str, &str) {
        let origin = match self {
            Source::Given(token) => &token.origin,
            Source::Made(maker) => &maker.origin,
        };
        origin.split_once("://").unwrap_or_default()
    }
}

/// Whether `host[:port]` is this machine, whatever names are resolved to.
fn is_here(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let loopback = address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    loopback || name == "localhost"
}

/// How the token goes to the helper.
const VARIABLE: &str = "KUBECTL_GITOPS_TOKEN";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_is_for_one_server() {
        let token =
            |origin: &str| Source::Given(Token::new(origin, "x", "GH_TOKEN", "s3cret").unwrap());
        let github = token("https://github.com");
        for (url, expected) in [
            ("https://github.com/a/b", true),
            ("https://GitHub.com:443/a/b.git", true),
            ("HTTPS://u:p@github.com/a/b", true),
            ("https://github.com", true),
            ("http://github.com/a/b", false),
            ("ssh://git@github.com/a/b", false),
            ("git@github.com:a/b", false),
            ("https://github.com:8443/a/b", false),
            ("https://github.com.evil.example/a/b", false),
            ("https://evil.example/github.com", false),
            ("https://github.com@evil.example/a", false),
            ("https://evil.example#@github.com/a", false),
            ("https://api.github.com/a/b", false),
            ("/srv/git/a.git", false),
        ] {
            assert_eq!(github.is_for(url), expected, "{url}");
        }
        assert!(token("https://[::1]:3000").is_for("https://[::1]:3000/a/b"));
        for (origin, here) in [
            ("http://127.0.0.1:3000", true),
            ("http://[::1]:3000", true),
            ("http://[::1]", true),
            ("http://localhost", true),
            ("http://10.0.0.1", false),
            ("http://127.0.0.1.evil.example", false),
            ("http://github.com", false),
        ] {
            let token = Token::new(origin, "x", "GITEA_TOKEN", "s3cret");
            assert_eq!(token.is_some(), here, "{origin}");
            let fits = |token| Source::Given(token).is_for(&format!("{origin}/a/b"));
            assert!(token.is_none_or(fits), "{origin}");
        }
        let local = token("http://127.0.0.1:3000");
        assert!(!local.is_for("https://127.0.0.1:3000/a/b"));
        assert_eq!(
            local.question("http://127.0.0.1:3000/a/b"),
            "protocol=http\nhost=127.0.0.1:3000\npath=a/b\n\n"
        );
    }

    #[test]
    fn what_would_break_out_is_refused() {
        for (origin, user, secret) in [
            ("http://h", "u", "s"),
            ("https://", "u", "s"),
            ("https://h/p", "u", "s"),
            ("https://h\nx", "u", "s"),
            ("https://h", "u;rm", "s"),
            ("https://h", "", "s"),
            ("https://h", "u", ""),
            ("https://h", "u", "a\nb"),
            ("https://h", "u", "a b"),
        ] {
            assert!(Token::new(origin, user, "V", secret).is_none(), "{origin} {user} {secret}");
        }
    }

    #[test]
    fn it_is_not_shown() {
        let token = Token::new("https://h", "u", "V", "s3cret").unwrap();
        let all = format!("{token:?} {:?}", token.settings());
        assert!(!all.contains("s3cret"), "{all}");
        assert_eq!(token.hidden("a s3cret b".into()), "a *** b");
    }
}
