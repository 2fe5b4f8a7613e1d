//! The forges behind the repositories of a run: who they are, the token each is
//! asked with, and one place where their answers are waited for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;

use gitops_forge::{
    Api, ApiError, Call, CommitStatus, Forge, ForgeToken, Kind, Request, TokenSource,
};
use tokio::runtime::Runtime;

use super::credentials::{credentials, runtime};
use super::trust::{Home, hinted};
use crate::config;
use crate::failure::Failure;
use crate::output::Terminal;

/// Those of one run, each connected when it is first asked for.
#[derive(Default)]
pub(crate) struct Forges {
    known: RefCell<BTreeMap<String, Rc<Reach>>>,
}

/// Whether the forge of a repository can be asked.
pub(crate) enum Reach {
    /// It can.
    Asked(Asked),
    /// Nobody stands behind the address that has requests.
    NoForge,
    /// Nobody knows which software it is.
    Unknown(Forge),
    /// Its API is not spoken by this version.
    NoApi(Forge),
    /// There is no token for it.
    NoToken(Forge),
}

impl Reach {
    /// The one who can be asked.
    pub(crate) fn asked(&self) -> Option<&Asked> {
        match self {
            Reach::Asked(asked) => Some(asked),
            _ => None,
        }
    }

    /// Why nobody is asked, in words that go on: `… are unknown: WHY`.
    pub(crate) fn why_not(&self, home: &Home) -> String {
        match self {
            Reach::Asked(_) => String::new(),
            Reach::NoForge => format!("{} is no repository of a forge", home.words()),
            Reach::Unknown(forge) => {
                format!(
                    "the kind of {} is not known; `forge: {{kind: …}}` in gitops.yaml says it, or GITEA_SERVER_URL or GH_HOST",
                    forge.web
                )
            }
            Reach::NoApi(forge) => {
                format!("requests of {} are not read by this version", forge.kind)
            }
            Reach::NoToken(forge) => {
                format!("there is no token for {}; {}", forge.web, token_hint(forge))
            }
        }
    }
}

/// How a token is given.
pub(crate) fn token_hint(forge: &Forge) -> String {
    let (token, server, own) = match forge.kind {
        Kind::GitHub => (
            "GH_TOKEN, or GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY,",
            "GH_HOST",
            "https://github.com",
        ),
        Kind::GitLab => ("GITLAB_TOKEN", "GITLAB_HOST", "https://gitlab.com"),
        Kind::Gitea | Kind::Forgejo | Kind::Unknown => {
            ("GITEA_TOKEN", "GITEA_SERVER_URL", "https://gitea.com")
        }
    };
    if forge.web == own {
        format!("{token} or `git credential` gives one")
    } else {
        format!("{token} with {server}={}, or `git credential`, gives one", forge.web)
    }
}

/// One repository on a forge that can be asked.
pub(crate) struct Asked {
    pub(crate) forge: Forge,
    api: Box<dyn Api>,
    runtime: &'static Runtime,
    me: tokio::sync::OnceCell<Option<String>>,
    /// Requests as they were read, by head and base.
    requests: RefCell<BTreeMap<(String, String), Vec<Request>>>,
    /// Statuses as they were read, by commit.
    statuses: RefCell<BTreeMap<String, Vec<CommitStatus>>>,
}

impl Asked {
    /// The API, whose answers [`Asked::run`] waits for.
    pub(crate) fn api(&self) -> &dyn Api {
        &*self.api
    }

    /// Waits for an answer.
    pub(crate) fn run<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    /// The same, and says what was attempted where there is none.
    pub(crate) fn ask<T>(
        &self,
        attempt: impl FnOnce() -> String,
        call: Call<'_, T>,
    ) -> Result<T, Failure> {
        self.run(call).map_err(|error| failure(attempt(), &error))
    }

    /// The requests from one branch into another, as [`Api::requests`] has them. What
    /// was read is known until something is written or looked at again.
    pub(crate) async fn requests(&self, head: &str, base: &str) -> Result<Vec<Request>, ApiError> {
        let key = (head.to_owned(), base.to_owned());
        let known = self.requests.borrow().get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let found = self.api.requests(head, base).await?;
        self.requests.borrow_mut().insert(key, found.clone());
        Ok(found)
    }

    /// The statuses of a commit, as [`Api::statuses`] has them. What was read is known
    /// until one is set or all is looked at again.
    pub(crate) async fn statuses(&self, commit: &str) -> Result<Vec<CommitStatus>, ApiError> {
        let known = self.statuses.borrow().get(commit).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let found = self.api.statuses(commit).await?;
        self.statuses.borrow_mut().insert(commit.to_owned(), found.clone());
        Ok(found)
    }

    /// Sets a status.
    pub(crate) async fn set_status(
        &self,
        commit: &str,
        status: &CommitStatus,
    ) -> Result<(), ApiError> {
        self.statuses.borrow_mut().remove(commit);
        self.api.set_status(commit, status).await
    }

    /// Who the token belongs to, asked once; `None` for one that is nobody's.
    pub(crate) async fn me(&self) -> Result<Option<&str>, ApiError> {
        let me = self.me.get_or_try_init(|| self.api.me()).await?;
        Ok(me.as_deref())
    }

    /// Forgets the requests from one branch into another.
    pub(crate) fn forget_requests(&self, head: &str, base: &str) {
        self.requests.borrow_mut().remove(&(head.to_owned(), base.to_owned()));
    }

    /// Forgets all that was read.
    pub(crate) fn forget(&self) {
        self.requests.borrow_mut().clear();
        self.statuses.borrow_mut().clear();
    }
}

/// A failure of a forge, with the way out.
pub(crate) fn failure(attempt: impl Into<String>, error: &ApiError) -> Failure {
    let failure = Failure::world(attempt).because(error);
    match way_out(error) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// What a person can do about it, where there is something.
pub(crate) fn way_out(error: &ApiError) -> Option<String> {
    Some(match error {
        ApiError::Unauthorized { token: TokenSource::App(_), .. } => {
            "GITHUB_APP_PRIVATE_KEY must be a private key of the App that GITHUB_APP_ID names; \
             the App's settings make new ones"
                .to_owned()
        }
        ApiError::Unauthorized { token, .. } => {
            format!("give a valid token by {token}, or take that one away")
        }
        ApiError::Forbidden {
            permission: Some(permission), token: TokenSource::App(_), ..
        } => {
            format!(
                "give the App the permission `{permission}` in its settings, and accept it where \
                 it is installed"
            )
        }
        ApiError::Forbidden { permission: None, token: TokenSource::App(_), .. } => {
            "give the App more permissions in its settings, and accept them where it is installed"
                .to_owned()
        }
        ApiError::Forbidden { permission: Some(permission), token, .. } => {
            format!("give the token of {token} the permission `{permission}`")
        }
        ApiError::Forbidden { permission: None, token, .. } => {
            format!("give the token of {token} more permissions, or use another one")
        }
        ApiError::NotInstalled { installation: None, .. } => {
            "the App's page, `Install App`, puts it on more repositories; without GITHUB_APP_ID \
             a token is used"
                .to_owned()
        }
        ApiError::NotInstalled { installation: Some(_), .. } => {
            "without GITHUB_APP_INSTALLATION_ID the installation is looked up".to_owned()
        }
        ApiError::Missing { .. } => {
            "check the address of the remote, and whether the token may see the repository"
                .to_owned()
        }
        ApiError::Moved { .. } => {
            "`git remote set-url` points the remote at the new address".to_owned()
        }
        ApiError::NotTheApi { .. } => {
            "`forge: {kind: …, url: …}` in gitops.yaml says where the forge is".to_owned()
        }
        ApiError::Clock { .. } => "set the clock of this machine".to_owned(),
        ApiError::Limited { .. } | ApiError::Unanswered { .. } => {
            "run it again: it goes on from where it stopped".to_owned()
        }
        _ => return None,
    })
}

impl Forges {
    /// The forge of a repository. `own` says whether the words of gitops.yaml are
    /// about it: it is on the server of the trust repository.
    pub(crate) fn of(
        &self,
        home: &Home,
        said: &config::Forge,
        own: bool,
    ) -> Result<Rc<Reach>, Failure> {
        let address = home.remote.url.clone();
        if let Some(known) = self.known.borrow().get(&address) {
            return Ok(known.clone());
        }
        let reach = Rc::new(self.reach(home, said, own)?);
        self.known.borrow_mut().insert(address, reach.clone());
        Ok(reach)
    }

    fn reach(&self, home: &Home, said: &config::Forge, own: bool) -> Result<Reach, Failure> {
        let Some(forge) = identified(home, said, own)? else { return Ok(Reach::NoForge) };
        match forge.kind {
            Kind::Unknown => return Ok(Reach::Unknown(forge)),
            Kind::GitLab => return Ok(Reach::NoApi(forge)),
            Kind::GitHub | Kind::Gitea | Kind::Forgejo => {}
        }
        let runtime = runtime()?;
        // Clients begin tasks of their own.
        let entered = runtime.enter();
        let api = connected(home, &forge)?;
        drop(entered);
        let Some(api) = api else { return Ok(Reach::NoToken(forge)) };
        Ok(Reach::Asked(Asked {
            forge,
            api,
            runtime,
            me: tokio::sync::OnceCell::new(),
            requests: RefCell::default(),
            statuses: RefCell::default(),
        }))
    }

    /// Waits for several answers of forges, or one.
    pub(crate) fn wait<T>(
        &self,
        answer: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        runtime()?.block_on(answer)
    }

    /// Forgets what was read.
    pub(crate) fn forget(&self) {
        self.known.borrow().values().filter_map(|reach| reach.asked()).for_each(Asked::forget);
    }

    /// Says which calls were made.
    pub(crate) fn tell(&self, terminal: Terminal) {
        for reach in self.known.borrow().values() {
            let Some(asked) = reach.asked() else { continue };
            let calls = asked.api.calls();
            if calls == 0 {
                continue;
            }
            let noun = if calls == 1 { "call" } else { "calls" };
            terminal.detail(format!("{calls} {noun} to {}", asked.forge.web));
            for made in asked.api.made() {
                terminal.detail(format!("  {made}"));
            }
        }
    }
}

/// Who stands behind a repository: its address, and where that does not tell,
/// gitops.yaml, or else the variable that names the server to its own client.
pub(crate) fn identified(
    home: &Home,
    said: &config::Forge,
    own: bool,
) -> Result<Option<Forge>, Failure> {
    let Some(mut forge) = gitops_forge::identify(&home.remote.url) else { return Ok(None) };
    if own {
        forge = forge.configured(said.kind, said.url.as_deref()).map_err(|error| {
            Failure::usage(format!("could not use `forge` of {}", config::FILE)).because(&error)
        })?;
    }
    if forge.kind == Kind::Unknown {
        let named = gitops_forge::named_kind(&|name| std::env::var(name).ok(), &forge.web);
        forge.kind = named.unwrap_or(Kind::Unknown);
    }
    Ok(Some(forge))
}

/// The API of a forge; `None` where we are nobody to it. The App of the environment
/// comes first, then its tokens, then what the user's credential helpers know.
fn connected(home: &Home, forge: &Forge) -> Result<Option<Box<dyn Api>>, Failure> {
    let credentials = credentials()?;
    let settings = credentials.settings(forge);
    let failed =
        |error: ApiError| failure(format!("could not use the forge of {}", home.words()), &error);
    if forge.kind == Kind::GitHub
        && let Some(installation) = credentials.installation(forge)?
    {
        let api = gitops_forge::connect_app(forge, &installation, &settings);
        return api.map(Some).map_err(failed);
    }
    let origin = match forge.web.match_indices('/').nth(2) {
        Some((at, _)) => &forge.web[..at],
        None => forge.web.as_str(),
    };
    let token = match credentials.token(origin) {
        Some(token) => Some(token.clone()),
        None => {
            let attempt = || format!("could not ask for a token of {origin}");
            let found = home.repository.credential(origin);
            found.map_err(|error| hinted(&attempt(), &error))?.map(|secret| ForgeToken {
                origin: origin.to_owned(),
                user: "x-access-token",
                variable: "git credential",
                secret,
            })
        }
    };
    let api = token.map(|token| gitops_forge::connect(forge, &token, &settings));
    api.transpose().map_err(failed)
}
