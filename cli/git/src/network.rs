//! How the `git` program talks to a remote: as the user has set it up, without
//! a question, and not for ever.

use std::time::Duration;

use crate::child::Limit;
use crate::program::{Answer, Run};
use crate::token::{Maker, NoToken, Source, Token};
use crate::{GitError, Remote, Repository};

/// A list of branches.
const READ: Limit = Limit::Whole(Duration::from_secs(60));
/// Progress is told once a second.
const FETCH: Limit = Limit::Silence(Duration::from_secs(120));
/// A few objects go out; then hooks of the server may take their time.
const PUSH: Limit = Limit::Whole(Duration::from_secs(600));

/// What is done with a remote.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Read,
    Fetch,
    Push,
}

impl Doing {
    /// In words that go before `remote`.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Doing::Read => "read",
            Doing::Fetch => "fetch from",
            Doing::Push => "push to",
        }
    }

    fn limit(self) -> Limit {
        match self {
            Doing::Read => READ,
            Doing::Fetch => FETCH,
            Doing::Push => PUSH,
        }
    }
}

impl Repository {
    /// This repository with a token for the `https` remotes of one host.
    pub fn with_token(mut self, token: Token) -> Repository {
        self.tokens.push(Source::Given(token));
        self
    }

    /// The same with tokens that are made when one is needed. What was given first
    /// for a host counts.
    pub fn with_maker(mut self, maker: Maker) -> Repository {
        self.tokens.push(Source::Made(maker));
        self
    }

    /// Runs `git` against a remote, whatever comes of it.
    pub(crate) fn talk(
        &self,
        remote: &Remote,
        doing: Doing,
        args: &[&str],
    ) -> Result<Answer, GitError> {
        if doing == Doing::Push {
            // What was listed before is not what is there afterwards.
            self.listed.take();
        }
        let address = self.address(remote, doing);
        let token = match self.token_for(&address)? {
            Some(Err(no)) if no.public && doing != Doing::Push => None,
            Some(Err(no)) => return Err(without(remote, doing, no)),
            Some(Ok(token)) => Some(token),
            None => None,
        };
        let token = token.as_ref();
        let settings = token.map(Token::settings);
        let mut all = Vec::new();
        for setting in settings.iter().flatten() {
            all.extend(["-c", setting]);
        }
        all.extend(args);
        let mut variables = vec![
            ("SSH_ASKPASS_REQUIRE", "never"),
            // Git Credential Manager opens windows of its own accord.
            ("GCM_INTERACTIVE", "never"),
        ];
        variables.extend(token.map(Token::variable));
        let ssh = self.silent_ssh(&address)?;
        variables.extend(ssh.as_deref().map(|command| ("GIT_SSH_COMMAND", command)));
        let limit = doing.limit();
        self.git_run(&Run { args: &all, variables: &variables, input: &[], limit, terminal: false })
    }

    /// Runs `git` against a remote; a failure is one of the remote.
    pub(crate) fn ask(
        &self,
        remote: &Remote,
        doing: Doing,
        args: &[&str],
    ) -> Result<Answer, GitError> {
        let answer = self.talk(remote, doing, args)?;
        if answer.ok { Ok(answer) } else { Err(self.failed(remote, doing, &answer)) }
    }

    /// Why a run against a remote failed.
    pub(crate) fn failed(&self, remote: &Remote, doing: Doing, answer: &Answer) -> GitError {
        let doing_words = doing.words();
        let Remote { name, url } = remote.clone();
        if let Some(limit) = answer.stopped {
            let limit = limit.to_string();
            return GitError::NoAnswer { doing: doing_words, remote: name, url, limit };
        }
        let mut reason = answer.reason();
        let about_us = ["Authentication failed", "error: 403", "could not read Username"];
        if about_us.iter().any(|words| reason.contains(words)) {
            match self.token_for(&self.address(remote, doing)) {
                Ok(Some(Ok(token))) => {
                    reason = format!("{reason} (with the token of {})", token.variable);
                }
                Ok(Some(Err(no))) => return without(remote, doing, no),
                Ok(None) | Err(_) => {}
            }
        }
        GitError::Remote { doing: doing_words, remote: name, url, reason }
    }

    /// The address as it is configured, credentials and all: not to be shown.
    fn address(&self, remote: &Remote, doing: Doing) -> String {
        let Ok(found) = self.inner.find_remote(&remote.name) else { return remote.url.clone() };
        let bytes = match doing {
            Doing::Push => found.pushurl_bytes().unwrap_or_else(|| found.url_bytes()),
            Doing::Read | Doing::Fetch => found.url_bytes(),
        };
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// The token of that address, where the user's own helpers have no answer.
    fn token_for(&self, address: &str) -> Result<Option<Result<Token, NoToken>>, GitError> {
        let Some(token) = self.tokens.iter().find(|token| token.is_for(address)) else {
            return Ok(None);
        };
        let mut known = self.helpers_know.borrow_mut();
        let own = match known.get(address) {
            Some(own) => *own,
            None => {
                let answer = self.git_run(&Run {
                    variables: &[("GCM_INTERACTIVE", "never")],
                    input: token.question(address).as_bytes(),
                    ..Run::new(&["credential", "fill"])
                })?;
                let own =
                    answer.ok && answer.stdout.lines().any(|line| line.starts_with("password="));
                known.insert(address.to_owned(), own);
                own
            }
        };
        if own || says_who_asks(address) {
            return Ok(None);
        }
        let made = token.token(address);
        let mut shown = self.shown.borrow_mut();
        if let Some(token) = made.as_ref().ok().filter(|token| !shown.contains(token)) {
            shown.push(token.clone());
        }
        Ok(Some(made))
    }

    /// What the user's own credential helpers answer for the web server at `origin`
    /// (`https://host`), without a question to a person; `None` where they know
    /// nothing of it.
    pub fn credential(&self, origin: &str) -> Result<Option<String>, GitError> {
        let Some((protocol, host)) = origin.split_once("://") else { return Ok(None) };
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._:[]".contains(letter);
        if host.is_empty() || !host.chars().all(plain) {
            return Ok(None);
        }
        let answer = self.git_run(&Run {
            variables: &[("GCM_INTERACTIVE", "never")],
            input: format!("protocol={protocol}\nhost={host}\n\n").as_bytes(),
            ..Run::new(&["credential", "fill"])
        })?;
        let secret = answer.stdout.lines().find_map(|line| line.strip_prefix("password="));
        Ok(secret.filter(|secret| answer.ok && !secret.is_empty()).map(str::to_owned))
    }

    /// The ssh command under which ssh asks nothing, where that is ours to say:
    /// for ssh itself, with whatever options the user has given it.
    fn silent_ssh(&self, address: &str) -> Result<Option<String>, GitError> {
        if !is_ssh(address) {
            return Ok(None);
        }
        if let Some(silent) = self.ssh.get() {
            return Ok(silent.clone());
        }
        let variable = |name: &str| {
            let own = self.environment.iter().rev().find(|(own, _)| own == name);
            let own = own.map(|(_, value)| value.clone());
            own.or_else(|| std::env::var(name).ok()).filter(|value| !value.is_empty())
        };
        let configured = |name: &str| -> Result<Option<String>, GitError> {
            let answer = self.git(&["config", "--get", name])?;
            Ok(answer.ok.then(|| answer.stdout.trim_end_matches('\n').to_owned()))
        };
        let command = match variable("GIT_SSH_COMMAND") {
            Some(command) => Some(command),
            None => configured("core.sshCommand")?,
        };
        let variant = match variable("GIT_SSH_VARIANT") {
            Some(variant) => Some(variant),
            None => configured("ssh.variant")?,
        };
        let silent = match (command, variant.as_deref()) {
            (_, Some(variant)) if !matches!(variant, "ssh" | "auto") => None,
            (Some(command), _) => with_batch_mode(&command),
            (None, _) if variable("GIT_SSH").is_some() => None,
            (None, _) => with_batch_mode("ssh"),
        };
        Ok(self.ssh.get_or_init(|| silent).clone())
    }
}

/// Nobody was asked, for want of a token.
fn without(remote: &Remote, doing: Doing, no: NoToken) -> GitError {
    GitError::NoToken {
        doing: doing.words(),
        remote: remote.name.clone(),
        url: remote.url.clone(),
        reason: no.reason,
        hint: no.hint,
    }
}

/// Whether an address holds a password of its own, which git takes.
fn says_who_asks(address: &str) -> bool {
    let rest = address.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

/// Whether git calls ssh for that address.
fn is_ssh(address: &str) -> bool {
    match address.split_once("://") {
        Some((scheme, _)) => scheme.to_ascii_lowercase().contains("ssh"),
        // `host:path`; a slash before the colon makes a path of it.
        None => address.split('/').next().is_some_and(|start| start.contains(':')),
    }
}

/// The command with the option that makes OpenSSH fail where it would ask.
/// `None` for another program, and for more than one command.
fn with_batch_mode(command: &str) -> Option<String> {
    let program = command.split_whitespace().next()?.trim_matches(['"', '\'']);
    let name = program.rsplit('/').next()?;
    let one = !command.contains([';', '|', '&', '#', '\n']);
    (name == "ssh" && one).then(|| format!("{command} -o BatchMode=yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_is_called_for() {
        for (address, expected) in [
            ("git@host:a/b", true),
            ("host:a", true),
            ("ssh://git@host/a", true),
            ("git+ssh://host/a", true),
            ("https://host/a", false),
            ("../a:b", false),
            ("/srv/a.git", false),
            ("file:///srv/a.git", false),
        ] {
            assert_eq!(is_ssh(address), expected, "{address}");
        }
    }

    #[test]
    fn only_ssh_itself_is_told_not_to_ask() {
        for (command, expected) in [
            ("ssh", Some("ssh -o BatchMode=yes")),
            ("ssh -i ~/.ssh/ci", Some("ssh -i ~/.ssh/ci -o BatchMode=yes")),
            ("/usr/bin/ssh -F x", Some("/usr/bin/ssh -F x -o BatchMode=yes")),
            ("plink -batch", None),
            ("my-ssh", None),
            ("ssh -i x; true", None),
            ("", None),
        ] {
            assert_eq!(with_batch_mode(command).as_deref(), expected, "{command}");
        }
    }
}
