//! HTTP as it is met: who may enter, where the credential comes from and where
//! it must not go, and servers that fail.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use super::web::{Authority, Mood, Proxy, Request, Web, base64};
use super::{failed, point, program, server, shop, worked};
use crate::stage::{Said, Stage};

const TOKEN: &str = "t0ken-0123456789";

/// A shop whose `origin` is a server of that kind.
struct Field {
    stage: Stage,
    web: Web,
    authority: Option<Authority>,
}

impl Field {
    fn plain(users: &[(&str, &str)]) -> Field {
        let stage = shop();
        let web = Web::start(&stage.folder().join("srv"), None, users);
        point(&stage, &format!("{}/apps.git", web.origin()));
        Field { stage, web, authority: None }
    }

    /// With TLS, and an authority that git was told of.
    fn secure(users: &[(&str, &str)]) -> Field {
        let stage = shop();
        let authority = Authority::new(stage.folder());
        let web = Web::start(&stage.folder().join("srv"), Some(&authority), users);
        point(&stage, &format!("{}/apps.git", web.origin()));
        worked(&stage.shell(&format!("git config http.sslCAInfo {}", authority.file.display())));
        Field { stage, web, authority: Some(authority) }
    }

    /// The same with a token for the server, which takes it.
    fn with_token() -> Field {
        let mut field = Field::secure(&[("x-access-token", TOKEN)]);
        field.stage.set("GITEA_TOKEN", TOKEN);
        field.stage.set("GITEA_SERVER_URL", field.web.origin());
        field
    }

    fn release(&self, version: &str) -> Said {
        self.stage.shell(&format!("kubectl gitops release web {version}"))
    }

    /// Commits on the server's `main`, without the first.
    fn landed(&self) -> usize {
        server(&self.stage, "rev-list --count main").parse::<usize>().unwrap() - 1
    }

    /// Files below the stage in which a text stands.
    fn files_with(&self, text: &str) -> String {
        self.stage.shell(&format!("grep -rl -e '{text}' .. || true")).stdout
    }
}

fn with_authorization(requests: &[Request]) -> usize {
    requests.iter().filter(|request| request.authorization.is_some()).count()
}

#[test]
fn a_server_that_asks_nothing() {
    let field = Field::plain(&[]);
    worked(&field.release("v2"));
    worked(&field.stage.shell("kubectl gitops promote web --to uat"));
    worked(&field.stage.shell("kubectl gitops promote web --to prod"));
    assert_eq!(field.landed(), 2);
    let branches = server(&field.stage, "branch");
    assert!(branches.contains("web/prod") && !branches.contains("web/uat"), "{branches}");
    assert_eq!(with_authorization(&field.web.requests()), 0);
    // Nothing to do is no push.
    let again = field.release("v2");
    worked(&again);
    let posts = |requests: Vec<Request>| {
        requests.iter().filter(|r| r.target.contains("service=git-receive-pack")).count()
    };
    assert_eq!(posts(field.web.requests()), 0);
}

#[test]
fn the_users_credential_helper() {
    let field = Field::plain(&[("ada", "pass/word")]);
    let without = field.release("v2");
    failed(&without, 3, &["terminal prompts disabled", "set up a credential helper"]);
    let helper =
        "git config credential.helper '!f() { echo username=ada; echo password=pass/word; }; f'";
    worked(&field.stage.shell(helper));
    worked(&field.release("v2"));
    assert_eq!(field.landed(), 1);

    worked(&field.stage.shell(
        "git config credential.helper '!f() { echo username=ada; echo password=wr0ng; }; f'",
    ));
    let wrong = field.release("v3");
    failed(&wrong, 3, &["Authentication failed"]);
    assert!(!wrong.stderr.contains("wr0ng"), "{}", wrong.stderr);
    assert_eq!(field.landed(), 1);
}

#[test]
fn netrc_and_askpass() {
    let mut field = Field::plain(&[("ada", "pw")]);
    let netrc = "printf 'machine 127.0.0.1 login ada password pw\n' > $HOME/.netrc";
    worked(&field.stage.shell(netrc));
    worked(&field.release("v2"));
    worked(&field.stage.shell("rm $HOME/.netrc"));
    failed(&field.release("v3"), 3, &[]);

    // A script that answers for git is asked; a window of the desktop is not.
    program(&field.stage, "window", "#!/bin/sh\ntouch \"$STAGE/window-opened\"\necho x\n");
    field.stage.set("SSH_ASKPASS", field.stage.folder().join("bin/window").display().to_string());
    field.stage.set("DISPLAY", ":0");
    failed(&field.release("v3"), 3, &["terminal prompts disabled"]);
    program(&field.stage, "answer", "#!/bin/sh\ncase $1 in User*) echo ada;; *) echo pw;; esac\n");
    field.stage.set("GIT_ASKPASS", field.stage.folder().join("bin/answer").display().to_string());
    worked(&field.release("v3"));
    assert!(!field.stage.folder().join("window-opened").exists());
}

/// Watches the command lines of all processes while a line runs.
fn command_lines_while(stage: &Stage, line: &str) -> (Said, Vec<String>) {
    let mut command = stage.command(line);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let watching = thread::spawn(move || {
        let mut seen = Vec::new();
        while std::path::Path::new(&format!("/proc/{pid}/cmdline")).exists() {
            for process in std::fs::read_dir("/proc").unwrap().flatten() {
                let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                if line.contains("git") && !seen.contains(&line) {
                    seen.push(line);
                }
            }
            thread::sleep(Duration::from_millis(2));
            if std::fs::read_to_string(format!("/proc/{pid}/stat"))
                .is_ok_and(|s| s.contains(") Z "))
            {
                break;
            }
        }
        seen
    });
    let said = Said::of(child.wait_with_output().unwrap());
    (said, watching.join().unwrap())
}

#[test]
fn a_token_goes_to_its_server_and_nowhere_else() {
    let field = Field::with_token();
    // Each `git` that we start is written down, and so is what it starts.
    program(
        &field.stage,
        "git",
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >> \"$STAGE/arguments\"\nexec /usr/bin/git \"$@\"\n",
    );
    // A helper that would keep what it is told.
    worked(&field.stage.shell("git config --global credential.helper store"));
    field.web.set(Mood::Late(Duration::from_millis(30)));
    let (said, lines) = command_lines_while(&field.stage, "exec kubectl gitops release web v2");
    worked(&said);
    assert_eq!(field.landed(), 1);
    let requests = field.web.requests();
    let expected = base64(&format!("x-access-token:{TOKEN}"));
    assert!(requests.iter().any(|request| request.authorization.as_ref() == Some(&expected)));

    assert!(lines.iter().any(|line| line.contains("remote-https")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains(TOKEN)), "{lines:?}");
    assert_eq!(field.files_with(TOKEN), "", "on the disk");
    let arguments = std::fs::read_to_string(field.stage.folder().join("arguments")).unwrap();
    assert!(arguments.contains("push --porcelain"), "{arguments}");
}

#[test]
fn the_users_own_helper_is_asked_before_the_token() {
    let mut field = Field::secure(&[("ada", "pw")]);
    field.stage.set("GITEA_TOKEN", TOKEN);
    field.stage.set("GITEA_SERVER_URL", field.web.origin());
    failed(&field.release("v2"), 3, &["with the token of GITEA_TOKEN", "does not take that token"]);
    let helper = "git config credential.helper '!f() { echo username=ada; echo password=pw; }; f'";
    worked(&field.stage.shell(helper));
    field.web.requests();
    worked(&field.release("v2"));
    let sent = base64(&format!("x-access-token:{TOKEN}"));
    assert!(field.web.requests().iter().all(|r| r.authorization.as_ref() != Some(&sent)));
}

#[test]
fn a_wrong_token_is_told_without_showing_it() {
    let mut field = Field::with_token();
    field.stage.set("GITEA_TOKEN", "wr0ng-token");
    let said = field.release("v2");
    failed(&said, 3, &["Authentication failed", "GITEA_TOKEN", "renew it"]);
    assert!(!format!("{}{}", said.stdout, said.stderr).contains("wr0ng"), "{}", said.stderr);
    assert_eq!(field.landed(), 0);
    // What is no token at all is refused before anything is asked.
    field.stage.set("GITEA_TOKEN", "a b");
    field.web.requests();
    failed(&field.release("v2"), 2, &["the value of GITEA_TOKEN is not a token"]);
    assert!(field.web.requests().is_empty());
}

#[test]
fn a_token_is_not_for_other_servers() {
    // Another port, another name, and a token without a server of its own.
    let mut field = Field::secure(&[("x-access-token", TOKEN)]);
    let plain = Web::start(&field.stage.folder().join("srv"), None, &[("x-access-token", TOKEN)]);
    for (variable, value) in [
        ("GITEA_SERVER_URL", format!("https://127.0.0.1:{}", plain.port())),
        ("GITEA_SERVER_URL", format!("https://localhost:{}", field.web.port())),
        ("GITEA_SERVER_URL", String::new()),
    ] {
        field.stage.set("GITEA_TOKEN", TOKEN);
        field.stage.set("GITHUB_TOKEN", TOKEN);
        field.stage.set(variable, value);
        failed(&field.release("v2"), 3, &["terminal prompts disabled"]);
        assert_eq!(with_authorization(&field.web.requests()), 0);
    }
    // Plain HTTP is for a forge of this machine, and for the one that is named.
    point(&field.stage, &format!("{}/apps.git", plain.origin()));
    failed(&field.release("v2"), 3, &["terminal prompts disabled"]);
    assert_eq!(with_authorization(&plain.requests()), 0);
    field.stage.set("GITEA_SERVER_URL", plain.origin());
    worked(&field.release("v2"));
    assert!(with_authorization(&plain.requests()) > 0);
}

#[test]
fn a_redirect_does_not_take_the_token_along() {
    let field = Field::with_token();
    let other = Web::start(
        &field.stage.folder().join("srv"),
        field.authority.as_ref(),
        &[("x-access-token", TOKEN)],
    );
    for origin in [other.origin(), format!("https://localhost:{}", other.port())] {
        field.web.set(Mood::Redirect(origin));
        let said = field.release("v2");
        assert_eq!(said.status, 3, "{}", said.stderr);
        let requests = other.requests();
        assert!(!requests.is_empty(), "the redirect was not followed: {}", said.stderr);
        assert_eq!(with_authorization(&requests), 0, "{requests:?}");
        assert!(!said.stderr.contains(TOKEN));
    }
    assert_eq!(field.landed(), 0);
}

#[test]
fn a_private_authority() {
    let mut field = Field::secure(&[]);
    worked(&field.stage.shell("git config --unset http.sslCAInfo"));
    failed(&field.release("v2"), 3, &["certificate", "http.sslCAInfo"]);
    assert!(field.web.requests().is_empty());
    let file = field.authority.as_ref().unwrap().file.display().to_string();
    field.stage.set("GIT_SSL_CAINFO", file);
    worked(&field.release("v2"));
    assert_eq!(field.landed(), 1);
}

#[test]
fn a_proxy() {
    let mut field = Field::with_token();
    let proxy = Proxy::start(&[]);
    worked(&field.stage.shell(&format!("git config http.proxy http://{}", proxy.address)));
    worked(&field.release("v2"));
    let asked = proxy.requests();
    assert!(!asked.is_empty() && asked.iter().all(|request| request.method == "CONNECT"));
    assert!(asked.iter().all(|r| r.authorization.is_none()), "the token is for the server alone");
    worked(&field.stage.shell("git config --unset http.proxy"));

    // By the environment, with a password of its own.
    let strict = Proxy::start(&[("ada", "pr0xy")]);
    field.stage.set("HTTPS_PROXY", format!("http://{}", strict.address));
    failed(&field.release("v3"), 3, &["407", "`http.proxy`, HTTPS_PROXY"]);
    field.stage.set("HTTPS_PROXY", format!("http://ada:wr0ng@{}", strict.address));
    let said = field.release("v3");
    failed(&said, 3, &["407"]);
    assert!(!said.stderr.contains("wr0ng"), "{}", said.stderr);
    field.stage.set("HTTPS_PROXY", format!("http://ada:pr0xy@{}", strict.address));
    worked(&field.release("v3"));
    assert_eq!(field.landed(), 2);
    // A proxy that is not there.
    field.stage.set("HTTPS_PROXY", "http://127.0.0.1:9");
    failed(&field.release("v4"), 3, &["127.0.0.1"]);
    field.stage.set("NO_PROXY", "127.0.0.1");
    worked(&field.release("v4"));
}

#[test]
fn who_may_not() {
    let field = Field::plain(&[]);
    for (status, words) in [
        (403, ["403", "Contents: write"]),
        (404, ["not found", "asks it again"]),
        (500, ["500", "asks it again"]),
        (503, ["503", "asks it again"]),
    ] {
        field.web.set(Mood::Status(status));
        failed(&field.release("v2"), 3, &words);
    }
    field.web.set(Mood::Serve);
    // Reading is allowed, pushing is not.
    server(&field.stage, "config http.receivepack false");
    failed(&field.release("v2"), 3, &["could not push `main`", "403", "Contents: write"]);
    assert_eq!(field.landed(), 0);
    server(&field.stage, "config http.receivepack true");
    worked(&field.release("v2"));
    assert_eq!(field.landed(), 1);
}

#[test]
fn answers_that_are_cut_off_or_late() {
    let field = Field::plain(&[]);
    field.web.set(Mood::Truncate);
    failed(&field.release("v2"), 3, &["could not"]);
    assert_eq!(field.landed(), 0);
    field.web.set(Mood::Late(Duration::from_millis(300)));
    worked(&field.release("v2"));
    assert_eq!(field.landed(), 1);
}

#[test]
fn a_push_whose_answer_is_lost_has_happened() {
    let field = Field::plain(&[]);
    field.web.set(Mood::SwallowPush);
    let said = field.release("v2");
    worked(&said);
    assert!(said.stdout.contains("pushed"), "{}", said.stdout);
    assert_eq!(field.landed(), 1);
    worked(&field.release("v2"));
    assert_eq!(field.landed(), 1);
}

/// Waits until nobody holds a connection to the server.
fn left_alone(web: &Web) -> bool {
    let start = Instant::now();
    while web.open() > 0 && start.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(20));
    }
    web.open() == 0
}

#[test]
fn a_server_that_hangs_is_given_up() {
    let mut field = Field::plain(&[]);
    field.web.set(Mood::Hang);
    field.stage.set("KUBECTL_GITOPS_GIT_TIMEOUT", "1");
    let start = Instant::now();
    let said = field.release("v2");
    failed(
        &said,
        3,
        &["was not done after 1 s and was stopped", "KUBECTL_GITOPS_GIT_TIMEOUT=SECONDS"],
    );
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(left_alone(&field.web), "what git had started still runs");
    field.stage.set("KUBECTL_GITOPS_GIT_TIMEOUT", "soon");
    failed(&field.release("v2"), 2, &["is not a number of seconds: `soon`"]);
}

#[test]
fn being_told_to_end_ends_all_of_it() {
    let field = Field::plain(&[]);
    field.web.set(Mood::Hang);
    for (signal, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        // Whoever runs the tests may ignore signals, as `nohup` does.
        let usual =
            if cfg!(target_os = "linux") { "env --default-signal=INT,TERM,HUP" } else { "" };
        let command = format!("exec {usual} kubectl-gitops release web v2");
        let mut child = field.stage.command(&command).spawn().unwrap();
        let start = Instant::now();
        while field.web.open() == 0 && start.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(20));
        }
        assert!(field.web.open() > 0, "it never came to the server");
        worked(&field.stage.shell(&format!("kill -{signal} {}", child.id())));
        assert_eq!(child.wait().unwrap().signal(), Some(number));
        assert!(left_alone(&field.web), "SIG{signal} left a child");
    }
}
