#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::process::Command;

use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

use super::*;

/// A fresh RSA key in the form that ssh-keygen calls by this name.
fn fresh(form: &str) -> Option<String> {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("gitops-app-{}-{count}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-m", form, "-f"])
        .arg(&file)
        .status();
    let text = made.is_ok_and(|status| status.success()).then(|| std::fs::read_to_string(&file));
    std::fs::remove_dir_all(&folder).unwrap();
    if text.is_none() {
        let _ = writeln!(std::io::stderr().lock(), "skipped: keys of Apps (no ssh-keygen)");
    }
    text.map(Result::unwrap)
}

fn app(pem: &str) -> Result<App, AppError> {
    App::new("https://github.com".into(), "123".into(), pem, None)
}

#[test]
fn an_assertion_is_signed_and_allows_for_a_clock_that_is_ahead() {
    for form in ["PEM", "PKCS8"] {
        let Some(pem) = fresh(form) else { return };
        let app = app(&pem).unwrap();
        let assertion = app.assertion(Timestamp::from_second(1_000_000).unwrap());
        let (text, signature) = assertion.rsplit_once('.').unwrap();
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(app.key.public());
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        public.verify(&RSA_PKCS1_2048_8192_SHA256, text.as_bytes(), &signature).unwrap();
        let (head, claims) = text.split_once('.').unwrap();
        let json = |part: &str| {
            serde_json::from_slice::<serde_json::Value>(&URL_SAFE_NO_PAD.decode(part).unwrap())
                .unwrap()
        };
        assert_eq!(json(head), serde_json::json!({"alg": "RS256", "typ": "JWT"}));
        assert_eq!(json(claims), serde_json::json!({"iat": 999_940, "exp": 1_000_540, "iss": 123}));
    }
}

#[test]
fn what_the_variables_say() {
    let Some(pem) = fresh("PEM") else { return };
    let found = |set: &[(&str, &str)]| {
        let variable = |name: &str| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let read = |path: &str| match path {
            "/keys/app.pem" => Ok(pem.clone()),
            _ => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
        };
        App::found(&variable, &read).map(|app| app.map(|app| format!("{app:?}")))
    };
    assert_eq!(found(&[]), Ok(None));
    assert_eq!(found(&[("GITHUB_APP_ID", " ")]), Ok(None));
    let inline = pem.replace('\n', "\\n");
    for key in ["/keys/app.pem", &pem, &inline] {
        let both = [("GITHUB_APP_ID", "Iv1.8a61f9b3a7aba766"), ("GITHUB_APP_PRIVATE_KEY", key)];
        let app = found(&both).unwrap().unwrap();
        assert_eq!(
            app,
            "App { origin: \"https://github.com\", id: \"Iv1.8a61f9b3a7aba766\", installation: None, .. }"
        );
    }
    let own = found(&[
        ("GITHUB_APP_ID", "7"),
        ("GITHUB_APP_PRIVATE_KEY", &pem),
        ("GITHUB_APP_INSTALLATION_ID", "42"),
        ("GITHUB_SERVER_URL", "https://git.acme.example"),
    ]);
    let own = own.unwrap().unwrap();
    assert!(own.contains("https://git.acme.example") && own.contains("Some(42)"), "{own}");
    for (set, expected) in [
        (&[("GITHUB_APP_ID", "7")][..], "GITHUB_APP_ID is set and GITHUB_APP_PRIVATE_KEY is not"),
        (&[("GITHUB_APP_PRIVATE_KEY", "x")], "GITHUB_APP_PRIVATE_KEY is set and GITHUB_APP_ID is"),
        (
            &[("GITHUB_APP_ID", "7"), ("GITHUB_APP_PRIVATE_KEY", "/no/such")],
            "GITHUB_APP_PRIVATE_KEY names the file /no/such, which cannot be read: entity not found",
        ),
        (
            &[("GITHUB_APP_ID", "my app"), ("GITHUB_APP_PRIVATE_KEY", &pem)],
            "the value of GITHUB_APP_ID is neither the number of an App nor its client id: `my app`",
        ),
        (
            &[
                ("GITHUB_APP_ID", "7"),
                ("GITHUB_APP_PRIVATE_KEY", &pem),
                ("GITHUB_APP_INSTALLATION_ID", "acme"),
            ],
            "the value of GITHUB_APP_INSTALLATION_ID is not a number: `acme`",
        ),
    ] {
        let error = found(set).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn what_is_no_key_is_said_without_showing_it() {
    for (pem, expected) in [
        ("s3cret", "it has no BEGIN line"),
        ("-----BEGIN RSA PRIVATE KEY-----\ns3cret", "it has no END line"),
        ("-----BEGIN RSA PRIVATE KEY-----\n!s3cret\n-----END RSA PRIVATE KEY-----", "not base64"),
        ("-----BEGIN RSA PRIVATE KEY-----\ns3cr\n-----END RSA PRIVATE KEY-----", "no RSA key"),
        ("-----BEGIN EC PRIVATE KEY-----\ns3cr\n-----END EC PRIVATE KEY-----", "`EC PRIVATE KEY`"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\ns3cr\n-----END RSA PRIVATE KEY-----",
            "it has a passphrase",
        ),
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\ns3cr\n-----END ENCRYPTED PRIVATE KEY-----",
            "it has a passphrase",
        ),
    ] {
        let error = app(pem).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("s3cr"), "{error}");
    }
}
