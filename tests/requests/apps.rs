//! The program as a GitHub App.

use std::os::unix::fs::PermissionsExt as _;

use gitops_core::gate::Verdict;
use gitops_forge::RequestState;
use gitops_test_forges::github::GitHub;
use gitops_test_forges::{Stage as Forge, Who};

use crate::stage::Said;
use crate::world::{World, calls, says};

/// A GitHub of one's own, so that what an App may is nobody else's matter.
struct Field {
    github: &'static GitHub,
    world: World,
    key: String,
}

impl Field {
    /// `None` where no key can be made.
    fn new() -> Option<Field> {
        Field::with(crate::world::ENVIRONMENTS)
    }

    fn with(environments: &str) -> Option<Field> {
        let github: &'static GitHub = Box::leak(Box::new(GitHub::start().as_enterprise()));
        let key = github.app_key()?;
        let mut world = World::with(github, environments, &[]);
        world.here.set("GITHUB_TOKEN", "");
        world.here.set("GITHUB_APP_ID", "4711");
        world.here.set("GITHUB_APP_PRIVATE_KEY", key.as_str());
        Some(Field { github, world, key })
    }

    /// `kubectl gitops …` with a remote that names nobody.
    fn gitops(&self, arguments: &str) -> Said {
        let plain = format!("{}/acme/{}.git", self.github.web(), self.world.repository);
        let people = self.github.remote(&self.world.repository, Who::Bot);
        self.world.did(&format!("git remote set-url origin {plain}"));
        let said = self.world.gitops(arguments);
        self.world.did(&format!("git remote set-url origin '{people}'"));
        let all = format!("{}{}", said.stdout, said.stderr);
        let secret = self.key.lines().nth(3).unwrap();
        assert!(!all.contains("ghs_") && !all.contains(secret), "{all}");
        said
    }

    #[track_caller]
    fn ends(&self, status: i32, arguments: &str) -> Said {
        let said = self.gitops(arguments);
        assert_eq!(said.status, status, "{arguments}\n{}{}", said.stdout, said.stderr);
        said
    }

    /// How many tokens were given since it was last asked.
    fn given(&self) -> usize {
        let seen = self.github.seen();
        seen.iter().filter(|one| one.target.ends_with("/access_tokens")).count()
    }
}

#[test]
fn it_opens_and_merges_requests_and_pushes() {
    let Some(field) = Field::new() else { return };
    let world = &field.world;
    // What `git` is told is written down.
    let bin = world.here.folder().join("bin/git");
    let log =
        "#!/bin/sh\nprintf '%s\\n' \"$@\" >> \"$STAGE/arguments\"\nexec /usr/bin/git \"$@\"\n";
    std::fs::write(&bin, log).unwrap();
    std::fs::set_permissions(&bin, std::fs::Permissions::from_mode(0o755)).unwrap();
    world.set("dev", "web", "v2");
    field.github.seen();
    let said = field.ends(0, "promote web --to prod -v");
    // One token for all, and one question for the installation.
    assert_eq!(field.given(), 1);
    assert!(calls(&said) <= 7 + 2, "{}", said.stderr);
    let request = world.request("web", "prod");
    assert_eq!(request.author, "gitops[bot]");
    assert_eq!(world.comment(request.number).author, "gitops[bot]");
    let arguments = std::fs::read_to_string(world.here.folder().join("arguments")).unwrap();
    assert!(arguments.contains("--porcelain") && !arguments.contains("ghs_"), "{arguments}");
    assert_eq!(world.did("grep -rl -e ghs_ .. || true"), "", "on the disk");
    // Again: it is known by its name, and nothing is written.
    let again = field.ends(0, "promote web --to prod -v");
    says(&again.stdout, &["unchanged"]);
    // It may not approve what it opened, and others may.
    field.github.review(&world.repository, request.number, Who::Alice, Verdict::Approved).unwrap();
    let said = field.ends(0, "promote web --to prod");
    says(&said.stdout, &["gate approvals: open: approved by alice"]);
    let merged = field.ends(0, "promote web --to uat");
    says(&merged.stdout, &["into main (squash)", "deleted release/web/uat"]);
    assert_eq!(world.request("web", "uat").state, RequestState::Merged);
    assert_eq!(field.github.wrong(), [""; 0]);
}

#[test]
fn it_comes_before_a_token_and_its_key_may_be_a_file() {
    let Some(mut field) = Field::new() else { return };
    field.world.set("dev", "web", "v2");
    let file = field.world.here.folder().join("app.pem");
    std::fs::write(&file, &field.key).unwrap();
    field.world.here.set("GITHUB_APP_PRIVATE_KEY", file.display().to_string());
    field.world.here.set("GITHUB_APP_INSTALLATION_ID", "42");
    field.world.here.set("GITHUB_TOKEN", "ghp_bot");
    field.github.seen();
    field.ends(0, "promote web --to plain");
    let seen = field.github.seen();
    let found = seen.iter().filter(|one| one.target.ends_with("/installation")).count();
    assert_eq!(found, 0, "the installation is known");
    assert_eq!(field.world.request("web", "plain").author, "gitops[bot]");
}

#[test]
fn its_api_is_where_the_pipeline_says() {
    let Some(mut field) = Field::new() else { return };
    field.world.set("dev", "web", "v2");
    // At the root, as on github.com.
    field.world.here.set("GITHUB_API_URL", field.github.web());
    field.github.seen();
    field.ends(0, "promote web --to plain");
    let seen = field.github.seen();
    let below = seen.iter().filter(|one| one.target.starts_with("/api")).count();
    assert!(below == 0 && !seen.is_empty());
    // That of another server is not this one's.
    field.world.here.set("GITHUB_SERVER_URL", "https://git.acme.example");
    field.world.here.set("GH_HOST", field.github.web());
    field.github.seen();
    field.ends(0, "promote web --to plain");
    assert!(field.github.seen().iter().all(|one| one.target.starts_with("/api")));
    field.world.here.set("GITHUB_API_URL", "http://api.acme.example");
    let said = field.ends(2, "promote web --to plain");
    says(&said.stderr, &["the value of GITHUB_API_URL is not the https address of an API"]);
}

#[test]
fn what_is_wrong_is_named_and_never_shown() {
    let Some(mut field) = Field::new() else { return };
    field.world.set("dev", "web", "v2");
    let other = GitHub::start().app_key().unwrap();
    let key = field.key.clone();
    for (variable, value, status, words) in [
        (
            "GITHUB_APP_PRIVATE_KEY",
            other.as_str(),
            3,
            &[
                "does not accept the token of the App 4711 (GITHUB_APP_ID)",
                "must be a private key of the App that GITHUB_APP_ID names",
            ][..],
        ),
        ("GITHUB_APP_ID", "99", 3, &["the App 99 (GITHUB_APP_ID): Integration not found"]),
        ("GITHUB_APP_ID", "", 2, &["GITHUB_APP_PRIVATE_KEY is set and GITHUB_APP_ID is not"]),
        ("GITHUB_APP_ID", "my app", 2, &["neither the number of an App nor its client id"]),
        ("GITHUB_APP_PRIVATE_KEY", "", 2, &["GITHUB_APP_ID is set and GITHUB_APP_PRIVATE_KEY"]),
        ("GITHUB_APP_PRIVATE_KEY", "/no/such.pem", 2, &["names the file /no/such.pem, which"]),
        (
            "GITHUB_APP_INSTALLATION_ID",
            "7",
            3,
            &[
                "is not installed on acme/",
                "(installation 7, GITHUB_APP_INSTALLATION_ID)",
                "without GITHUB_APP_INSTALLATION_ID the installation is looked up",
            ],
        ),
        ("GITHUB_APP_INSTALLATION_ID", "x", 2, &["is not a number: `x`"]),
    ] {
        field.world.here.set(variable, value);
        let said = field.ends(status, "promote web --to plain");
        says(&said.stderr, words);
        assert!(!said.stderr.contains(other.lines().nth(3).unwrap()), "{}", said.stderr);
        assert!(!said.stderr.contains(" panicked"), "{}", said.stderr);
        field.world.here.set("GITHUB_APP_ID", "4711");
        field.world.here.set("GITHUB_APP_PRIVATE_KEY", key.as_str());
        field.world.here.set("GITHUB_APP_INSTALLATION_ID", "");
    }
    // A clock that is off: this machine's, or the server's.
    field.github.ahead(7200);
    let said = field.ends(3, "promote web --to plain");
    says(&said.stderr, &["the clock of this machine differs from that of", "by -7200 s"]);
    field.github.ahead(0);
    // Not installed there.
    field.github.install_on(&["another"]);
    let said = field.ends(3, "promote web --to plain");
    says(&said.stderr, &["the App 4711 (GITHUB_APP_ID) is not installed on acme/", "Install App"]);
    assert_eq!(field.world.tip("release/web/plain"), "");
}

#[test]
fn what_it_may_not_is_named() {
    let Some(field) = Field::new() else { return };
    let world = &field.world;
    world.set("dev", "web", "v2");
    let all = [("contents", "write"), ("pull_requests", "write"), ("statuses", "write")];
    for (lacking, level, words) in [
        ("contents", "read", &["error: 403", "GITHUB_APP_PRIVATE_KEY"][..]),
        (
            "pull_requests",
            "read",
            &[
                "the token of the App 4711 (GITHUB_APP_ID) may not open a pull request",
                "give the App the permission `Pull requests: write` in its settings",
            ],
        ),
    ] {
        let less = all.map(|(name, word)| (name, if name == lacking { level } else { word }));
        field.github.permit(&less);
        let said = field.ends(3, "promote web --to prod");
        says(&said.stderr, words);
        assert!(world.requests("web", "prod").is_empty());
    }
    // What only tells of the request may be lacking, and is warned of.
    field.github.permit(&all[..2]);
    let said = field.ends(0, "promote web --to prod");
    says(&said.stderr, &["give the App the permission `Commit statuses"]);
    let request = world.request("web", "prod");
    world.comment(request.number);
    assert!(world.statuses(&request.head_commit).is_empty());
    field.github.permit(&all);
    field.ends(0, "promote web --to prod");
    assert_eq!(world.statuses(&request.head_commit).len(), 1);
}

#[test]
fn check_runs_that_it_may_not_read_are_not_absent() {
    let environments = "  - {name: dev, path: envs/dev, merge: direct}\n  \
        - {name: prod, path: envs/prod, gates: [{status: [e2e]}]}\n";
    let Some(field) = Field::with(environments) else { return };
    let world = &field.world;
    world.set("dev", "web", "v2");
    let said = field.ends(0, "promote web --to prod");
    says(&said.stdout, &["gate status: pending: e2e is not there yet"]);
    let head = world.request("web", "prod").head_commit;
    field.github.check(&world.repository, &head, "e2e", Some("success"));
    let less = [("contents", "write"), ("pull_requests", "write"), ("statuses", "write")];
    field.github.permit(&less);
    let said = field.ends(0, "promote web --to prod");
    let why = "check runs may not be read by the token of the App 4711 (GITHUB_APP_ID), which \
               lacks `Checks: read`";
    says(&said.stdout, &["gate status: pending", why, "gate: pending"]);
    let mut more = less.to_vec();
    more.push(("checks", "read"));
    field.github.permit(&more);
    let said = field.ends(0, "promote web --to prod");
    says(&said.stdout, &["gate status: open: e2e succeeded", "gate: open"]);
}
