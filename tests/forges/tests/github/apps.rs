//! As an App: its assertion, its installation's token, and what goes wrong with them.

use gitops_forge::{ApiError, App, Forge, Installation, Settings, connect_app};
use gitops_test_forges::github::GitHub;
use gitops_test_forges::suite::{Scene, run, settings};
use gitops_test_forges::{Stage, suite};
use jiff::{SignedDuration, Timestamp};

fn app() -> Option<GitHub> {
    GitHub::start().as_app()
}

#[test]
fn the_suite_as_an_app() {
    let Some(github) = app() else { return };
    suite::requests::labels(&github);
    suite::requests::statuses(&github);
    suite::requests::branches_with_slashes(&github);
    suite::people::members(&github);
    suite::people::authors(&github);
    suite::merges::by_each_method(&github);
    suite::merges::when_it_is_ready(&github);
    suite::faults::writes_that_fail(&github);
    suite::faults::pages_of_one(&github);
    assert_eq!(github.wrong(), [""; 0]);
}

#[test]
fn who_it_is_and_how_it_comes_by_its_token() {
    let Some(github) = app() else { return };
    let (scene, number, _) = super::scene(&github, "who");
    github.revoke_installations();
    assert_eq!(run(scene.api.me()).unwrap().as_deref(), Some("gitops[bot]"));
    let comment = run(scene.api.comment(number, "x")).unwrap();
    assert_eq!(comment.author, "gitops[bot]");
    // GraphQL calls it `gitops`, and REST `gitops[bot]`: here it is one.
    let found = run(scene.api.requests("release/web", "main")).unwrap();
    assert_eq!(found[0].author, "gitops[bot]");
    let seen = github.seen();
    let sent: Vec<String> =
        seen.iter().map(|one| format!("{} {}", one.method, one.target)).collect();
    // Refused once, renewed once by the installation that is known, and asked again.
    assert_eq!(
        sent[..3],
        ["POST /graphql", "POST /app/installations/42/access_tokens", "POST /graphql"],
        "{sent:?}"
    );
    assert_eq!(seen[1].body["repositories"], serde_json::json!([scene.repository]));
    assert!(seen[1].header("authorization").unwrap().starts_with("Bearer ey"));
    assert!(seen[0].header("authorization").unwrap().starts_with("Bearer ghs_"));
    assert_eq!(sent.len(), 5, "{sent:?}");
    assert!(scene.api.calls() >= 5);
}

#[test]
fn a_token_is_renewed_before_it_ends() {
    let Some(github) = app() else { return };
    let scene = Scene::new(&github, "hour");
    run(scene.api.me()).unwrap();
    github.seen();
    run(scene.api.requests("x", "main")).unwrap();
    assert!(!github.seen().iter().any(|one| one.target.contains("access_tokens")));
    // An hour later, by both clocks.
    github.ahead(3600);
    let later = Timestamp::now().checked_add(SignedDuration::from_secs(3600)).unwrap();
    let late = as_app(&github, &scene.repository, move || later).unwrap();
    run(late.requests("x", "main")).unwrap();
    run(late.requests("x", "main")).unwrap();
    let seen = github.seen();
    let renewed = seen.iter().filter(|one| one.target.contains("access_tokens")).count();
    assert_eq!(renewed, 1);
}

fn forge(github: &GitHub, repository: &str) -> (Forge, App) {
    (github.forge(repository), github.app().unwrap())
}

fn as_app(
    github: &GitHub,
    repository: &str,
    now: impl Fn() -> Timestamp + Send + Sync + 'static,
) -> Result<Box<dyn gitops_forge::Api>, ApiError> {
    let (forge, app) = forge(github, repository);
    let settings = Settings { patience: suite::patience(), ..Settings::new("gitops-tests", now) };
    connect_app(&forge, &Installation::new(&forge, &app, &settings)?, &settings)
}

#[test]
fn a_clock_that_is_off_is_named() {
    let Some(github) = app() else { return };
    let scene = Scene::new(&github, "clock");
    for (ahead, seconds) in [(300, -300), (-3600, 3600)] {
        github.ahead(ahead);
        let api = as_app(&github, &scene.repository, Timestamp::now).unwrap();
        let came = run(api.requests("x", "main"));
        match came {
            // A server that is ahead by less than the assertion is long takes it.
            Ok(_) => assert!(ahead > 0 && ahead < 540),
            Err(ApiError::Clock { seconds: off, .. }) => {
                assert!((off - seconds).abs() < 30, "{off}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    github.ahead(7200);
    let api = as_app(&github, &scene.repository, Timestamp::now).unwrap();
    let error = run(api.me()).unwrap_err();
    let ApiError::Clock { seconds, .. } = &error else { panic!("{error:?}") };
    assert!((seconds + 7200).abs() < 30, "{error}");
}

#[test]
fn an_app_that_is_not_installed_there() {
    let Some(github) = app() else { return };
    let scene = Scene::new(&github, "elsewhere");
    let other = Scene::new(&github, "installed");
    github.install_on(&[&other.repository]);
    let api = as_app(&github, &scene.repository, Timestamp::now).unwrap();
    let error = run(api.requests("x", "main")).unwrap_err().to_string();
    let expected =
        format!("the App 4711 (GITHUB_APP_ID) is not installed on acme/{}", scene.repository);
    assert!(error.starts_with(&expected), "{error}");
    // Another installation's number.
    let (forge, mut app) = forge(&github, &other.repository);
    app.installation = Some(7);
    let api = |app: &App| {
        let installation = Installation::new(&forge, app, &settings()).unwrap();
        connect_app(&forge, &installation, &settings()).unwrap()
    };
    let error = run(api(&app).requests("x", "main")).unwrap_err().to_string();
    assert!(error.contains("(installation 7, GITHUB_APP_INSTALLATION_ID)"), "{error}");
    // Another App.
    app.id = "99".to_owned();
    let error = run(api(&app).me()).unwrap_err().to_string();
    let expected = "does not accept the token of the App 99 (GITHUB_APP_ID): Integration not found";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn git_takes_its_token() {
    let Some(github) = app() else { return };
    let scene = Scene::new(&github, "push");
    let (forge, app) = forge(&github, &scene.repository);
    let installation = Installation::new(&forge, &app, &settings()).unwrap();
    github.seen();
    let token = run(installation.token()).unwrap();
    // Who asks its API takes the same.
    let api = connect_app(&forge, &installation, &settings()).unwrap();
    run(api.requests("x", "main")).unwrap();
    let given = github.seen().iter().filter(|one| one.target.ends_with("access_tokens")).count();
    assert_eq!(given, 1);
    assert_eq!((token.user, &*token.origin), ("x-access-token", &*github.web()));
    assert!(!format!("{token:?}").contains(&token.secret));
    let at = github.web().replace("http://", "");
    let remote =
        format!("http://{}:{}@{at}/acme/{}.git", token.user, token.secret, scene.repository);
    scene.git(&["push", "-q", &remote, "HEAD:refs/heads/by-the-app"]);
    assert!(github.branch(&scene.repository, "by-the-app").is_some());
    // It is for this repository alone.
    let other = Scene::new(&github, "other");
    let remote = remote.replace(&scene.repository, &other.repository);
    assert!(other.try_git(&["push", "-q", &remote, "HEAD:refs/heads/x"]).is_err());
}
