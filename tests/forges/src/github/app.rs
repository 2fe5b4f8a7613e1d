//! Calls of an App itself: with an assertion that it signed.
//!
//! Sources: GitHub docs, "Generating a JSON Web Token (JWT) for a GitHub App",
//! "Authenticating as a GitHub App installation"; the words from threads in which
//! they are quoted.

use std::io::Write as _;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use serde_json::{Value, json};

use super::rest::Reply;
use super::server::{broken, pieces};
use super::shapes::{Places, moment};
use super::world::{Application, Grant, Level, Token};
use super::{APP, GitHub, OWNER};

/// A public key: modulus and exponent.
pub(super) type Public = (Vec<u8>, Vec<u8>);

/// A fresh key as PEM, and its public half. `None`, and a line on stderr, where
/// `ssh-keygen` makes none.
pub(super) fn key() -> Option<(String, Public)> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-m", "PEM", "-f"])
        .arg(&file)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        let _ = writeln!(std::io::stderr().lock(), "skipped: GitHub Apps (no ssh-keygen)");
        return None;
    }
    let pem = std::fs::read_to_string(&file).expect("it was just made");
    let body: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(body).expect("PEM");
    let pair = RsaKeyPair::from_der(&der).expect("an RSA key");
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
    Some((pem, (public.n, public.e)))
}

impl GitHub {
    /// Answers a call of an App.
    pub(super) fn of_app(
        &self,
        places: &Places,
        assertion: &str,
        method: &str,
        path: &str,
        body: Value,
    ) -> Reply {
        let application = match self.known_app(assertion) {
            Ok(application) => application,
            Err(reply) => return reply,
        };
        let path = pieces(path);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let (template, reply) = match (method, &path[..]) {
            ("GET", ["repos", owner, name, "installation"]) => (
                "/repos/{owner}/{repo}/installation",
                self.installation(places, &application, owner, name),
            ),
            ("POST", ["app", "installations", id, "access_tokens"]) => (
                "/app/installations/{installation_id}/access_tokens",
                self.access_token(&application, id, &body),
            ),
            _ => return Reply::refused(404, "Not Found"),
        };
        let Some(known) = super::contract() else { return reply };
        let mut found = known.request(method, template, &[], &body);
        found.extend(known.answer(method, template, reply.status, &reply.body));
        match found.is_empty() {
            true => reply,
            false => broken(&mut self.lock().wrong, found),
        }
    }

    fn known_app(&self, assertion: &str) -> Result<Application, Reply> {
        let no = |words: &str| Err(Reply::refused(401, words));
        let undecoded = "A JSON web token could not be decoded";
        let Some((text, signature)) = assertion.rsplit_once('.') else { return no(undecoded) };
        let claims = text.split_once('.').and_then(|(_, part)| URL_SAFE_NO_PAD.decode(part).ok());
        let claims = claims.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let Some(claims) = claims else { return no(undecoded) };
        let state = self.lock();
        let now = state.world.now().as_second();
        let found = state.world.applications.iter().find(|one| {
            claims["iss"] == json!(one.id) || claims["iss"] == json!(one.id.to_string())
        });
        let Some(application) = found.cloned() else { return no("Integration not found") };
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        let (n, e) = &application.key;
        let public = RsaPublicKeyComponents { n, e };
        let text = text.as_bytes();
        if public.verify(&RSA_PKCS1_2048_8192_SHA256, text, &signature).is_err() {
            return no(undecoded);
        }
        let (Some(from), Some(until)) = (claims["iat"].as_i64(), claims["exp"].as_i64()) else {
            return no("'Issued at' claim ('iat') must be an Integer");
        };
        if from > now {
            return no("'Issued at' claim ('iat') must be an Integer representing the time that \
                       the assertion was issued");
        }
        if until > now + 600 {
            return no("'Expiration time' claim ('exp') is too far in the future");
        }
        if until <= now {
            return no("'Expiration time' claim ('exp') must be a numeric value representing the \
                       future time at which the assertion expires");
        }
        Ok(application)
    }

    fn installation(
        &self,
        places: &Places,
        application: &Application,
        owner: &str,
        name: &str,
    ) -> Reply {
        let state = self.lock();
        let world = &state.world;
        let there = world.find(owner, name).map(|at| world.repositories[at].name.clone());
        let on = application.repositories.as_ref();
        let Some(_) = there.filter(|name| on.is_none_or(|names| names.contains(name))) else {
            return Reply::refused(404, "Not Found");
        };
        let id = application.installation;
        let url = format!("{}/app/installations/{id}", places.api);
        let html = format!("{}/organizations/{OWNER}/settings/installations/{id}", places.web);
        let permissions: Value = application
            .permissions
            .iter()
            .map(|(name, level)| ((*name).to_owned(), json!(word(*level))))
            .collect::<serde_json::Map<String, Value>>()
            .into();
        Reply::new(
            200,
            json!({
                "id": id, "app_id": application.id, "app_slug": "gitops", "target_id": 1,
                "target_type": "Organization", "account": places.user(world, OWNER),
                "repository_selection": if on.is_some() { "selected" } else { "all" },
                "access_tokens_url": format!("{url}/access_tokens"),
                "repositories_url": format!("{}/installation/repositories", places.api),
                "html_url": html, "permissions": permissions, "events": [],
                "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
                "single_file_name": null, "suspended_by": null, "suspended_at": null,
            }),
        )
    }

    fn access_token(&self, application: &Application, id: &str, body: &Value) -> Reply {
        let mut state = self.lock();
        if id != application.installation.to_string() {
            return Reply::refused(404, "Not Found");
        }
        let asked: Vec<String> = body["repositories"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect();
        let on = application.repositories.as_ref();
        let known = |name: &String| {
            let there = state.world.find(OWNER, name).is_some();
            there && on.is_none_or(|names| names.contains(name))
        };
        if !asked.iter().all(known) {
            let words = "There is at least one repository that does not exist or is not \
                         accessible to the parent installation.";
            return Reply::refused(422, words);
        }
        let expires = state.world.now().checked_add(SignedDuration::from_hours(1));
        let expires = expires.expect("not the end of time");
        let secret = format!("ghs_{}", state.world.next());
        let grant = Grant::Installation {
            permissions: application.permissions.clone(),
            repositories: asked,
            expires,
        };
        let token = Token { login: APP.to_owned(), grant };
        state.world.tokens.insert(secret.clone(), token);
        Reply::new(201, json!({"token": secret, "expires_at": moment(expires)}))
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Read => "read",
        Level::Write => "write",
        Level::Admin => "admin",
    }
}
