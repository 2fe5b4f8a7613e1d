//! Who we are to servers, as the environment says: tokens, each for one server,
//! and a GitHub App. They are read once a run; nothing that a repository says has
//! a part in this.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use gitops_forge::{
    ApiError, App, AppError, Forge, ForgeToken, Installation, Kind, Pace, Settings, identify,
};
use gitops_git::{Maker, NoToken, Token};
use tokio::runtime::Runtime;

use super::forges::way_out;
use crate::failure::Failure;

/// What the environment says.
pub(crate) struct Credentials {
    tokens: Vec<ForgeToken>,
    app: Option<App>,
    /// A GitHub server, and where its REST API stands.
    api: Option<(String, String)>,
    /// The installations of the App, each asked for its token once an hour.
    installations: Mutex<BTreeMap<Forge, Known>>,
    /// How fast each server is asked.
    paces: Mutex<BTreeMap<String, Pace>>,
}

/// An installation, and why Git has no token of it.
#[derive(Clone)]
struct Known {
    installation: Installation,
    nothing: Option<NoToken>,
}

/// Those of this run.
pub(crate) fn credentials() -> Result<&'static Credentials, Failure> {
    static FOUND: OnceLock<Credentials> = OnceLock::new();
    if let Some(found) = FOUND.get() {
        return Ok(found);
    }
    let found = Credentials::read()?;
    Ok(FOUND.get_or_init(|| found))
}

/// Where the answers of forges are waited for.
pub(crate) fn runtime() -> Result<&'static Runtime, Failure> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::world("could not start to talk").because(&error))?;
    Ok(RUNTIME.get_or_init(|| runtime))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Credentials {
    fn read() -> Result<Credentials, Failure> {
        let failed = |error: &dyn std::error::Error| {
            let mut failure = Failure::usage("could not use the environment");
            failure.causes.push(error.to_string());
            failure
        };
        let tokens = gitops_forge::tokens(&variable).map_err(|error| failed(&error))?;
        let app = App::found(&variable, &|path| std::fs::read_to_string(path));
        let app = app.map_err(|error| match error {
            AppError::Half { .. } => {
                failed(&error).hint("set both, or take the one that is set away")
            }
            error => failed(&error),
        })?;
        let api = gitops_forge::github_api(&variable).map_err(|error| failed(&error))?;
        Ok(Credentials {
            tokens,
            app,
            api,
            installations: Mutex::default(),
            paces: Mutex::default(),
        })
    }

    /// The token that is set for a server.
    pub(crate) fn token(&self, origin: &str) -> Option<&ForgeToken> {
        self.tokens.iter().find(|token| token.origin == origin)
    }

    /// How a forge is asked.
    pub(crate) fn settings(&self, forge: &Forge) -> Settings {
        let agent = concat!("kubectl-gitops/", env!("CARGO_PKG_VERSION"));
        let own =
            |(server, _): &&(String, String)| forge.kind == Kind::GitHub && *server == forge.web;
        let api = self.api.as_ref().filter(own).map(|(_, api)| api.clone());
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = paces.entry(forge.web.clone()).or_default().clone();
        Settings { api, pace, ..Settings::new(agent, jiff::Timestamp::now) }
    }

    /// The App's installation on a repository, where there is an App for its server.
    pub(crate) fn installation(&self, forge: &Forge) -> Result<Option<Installation>, Failure> {
        let Some(app) = self.app.as_ref().filter(|app| app.origin == forge.web) else {
            return Ok(None);
        };
        let mut known = self.known();
        let key = in_small_letters(forge);
        if let Some(known) = known.get(&key) {
            return Ok(Some(known.installation.clone()));
        }
        let installation = Installation::new(forge, app, &self.settings(forge));
        let installation = installation.map_err(|error| {
            Failure::usage(format!("could not be an App on {}", forge.web)).because(&error)
        })?;
        known.insert(key, Known { installation: installation.clone(), nothing: None });
        Ok(Some(installation))
    }

    /// What is known is whole whatever happened to who held it.
    fn known(&self) -> MutexGuard<'_, BTreeMap<Forge, Known>> {
        self.installations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What Git is given, the App first: it is set for no other purpose.
    pub(crate) fn for_git(&'static self) -> Result<(Option<Maker>, Vec<Token>), Failure> {
        let maker = self
            .app
            .as_ref()
            .map(|app| Maker::new(&app.origin, |address| self.of_the_app(address)));
        let mut tokens = Vec::new();
        for token in &self.tokens {
            let found = Token::new(&token.origin, token.user, token.variable, &token.secret);
            tokens.push(found.ok_or_else(|| {
                let words = "could not use the environment: the token of";
                Failure::usage(format!("{words} {}", token.variable))
            })?);
        }
        Ok((maker, tokens))
    }

    /// A token of the App for the repository at an address.
    fn of_the_app(&self, address: &str) -> Result<Token, NoToken> {
        let no =
            |reason: String, hint: Option<String>, public: bool| NoToken { reason, hint, public };
        let failed = |failure: Failure| {
            let hint = failure.hints.first().cloned();
            no(failure.words(), hint, false)
        };
        let strange = || no("the App acts on repositories, `OWNER/NAME`".to_owned(), None, true);
        let forge = identify(address).filter(|forge| !forge.owner.contains('/'));
        let mut forge = forge.ok_or_else(strange)?;
        // Of a server of one's own only the environment says what it is.
        forge.kind = Kind::GitHub;
        let found = self.installation(&forge).map_err(failed)?;
        let installation = found.ok_or_else(strange)?;
        let key = in_small_letters(&forge);
        if let Some(nothing) = self.known().get(&key).and_then(|known| known.nothing.clone()) {
            return Err(nothing);
        }
        let runtime = runtime().map_err(failed)?;
        // Whoever asks may be waiting for answers there already.
        let waited = std::thread::scope(|scope| {
            scope.spawn(|| runtime.block_on(installation.token())).join()
        });
        let token = waited.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let token = token.map_err(|error| {
            let public = matches!(error, ApiError::NotInstalled { .. });
            let nothing = no(error.to_string(), way_out(&error), public);
            if let Some(known) = self.known().get_mut(&key).filter(|_| public) {
                known.nothing = Some(nothing.clone());
            }
            nothing
        })?;
        let given = Token::new(&token.origin, token.user, token.variable, &token.secret);
        given.ok_or_else(|| no("the token that GitHub gave is none".to_owned(), None, false))
    }
}

/// GitHub's names are the same in large and small letters.
fn in_small_letters(forge: &Forge) -> Forge {
    Forge {
        owner: forge.owner.to_ascii_lowercase(),
        repository: forge.repository.to_ascii_lowercase(),
        ..forge.clone()
    }
}
