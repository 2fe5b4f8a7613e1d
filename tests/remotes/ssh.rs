//! ssh as the user has it set up. A program stands in for ssh here: it takes the
//! same words and runs the server's half on this machine. With an sshd, the real
//! one is asked as well.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::{failed, point, program, server, shop, skipped, worked};
use crate::stage::Stage;

/// Notes what it was called with, then is the server.
const STAND_IN: &str = r#"#!/bin/sh
printf '%s\n' "$*" >> "$STAGE/ssh-called"
printf '%s\n' "${SSH_ASKPASS-none} ${SSH_ASKPASS_REQUIRE-none}" >> "$STAGE/ssh-environment"
for command; do :; done
[ "$1" = -G ] && exit 0
exec sh -c "$command"
"#;

fn refuses(words: &str) -> String {
    format!("#!/bin/sh\nprintf '%s\\n' '{words}' >&2\nexit 255\n")
}

/// A shop whose `origin` is `git@server.example:/…`.
fn field() -> Stage {
    let stage = shop();
    point(&stage, &format!("git@server.example:{}/srv/apps.git", stage.folder().display()));
    stage
}

fn called(stage: &Stage) -> String {
    let file = stage.folder().join("ssh-called");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let _ = fs::remove_file(file);
    text
}

const RELEASE: &str = "kubectl gitops release web";

#[test]
fn ssh_is_the_users_own() {
    let mut stage = field();
    stage.set("SSH_ASKPASS", "/no/such/window");
    // The `ssh` of the search path: it is told not to ask.
    program(&stage, "ssh", STAND_IN);
    worked(&stage.shell(&format!("{RELEASE} v2")));
    let lines = called(&stage);
    assert!(!lines.is_empty() && lines.lines().all(|l| l.contains("-o BatchMode=yes")), "{lines}");
    assert!(lines.contains("git@server.example git-receive-pack"), "{lines}");
    let environment = fs::read_to_string(stage.folder().join("ssh-environment")).unwrap();
    assert!(environment.lines().all(|line| line == "none never"), "{environment}");

    // Options of the user's own stay, in each of the places for them.
    worked(&stage.shell("git config core.sshCommand 'ssh -i ~/.ssh/ci -o IdentitiesOnly=yes'"));
    worked(&stage.shell(&format!("{RELEASE} v3")));
    let lines = called(&stage);
    let home = stage.folder().join("home").display().to_string();
    let expected = format!("-i {home}/.ssh/ci -o IdentitiesOnly=yes -o BatchMode=yes");
    assert!(lines.lines().all(|line| line.starts_with(&expected)), "{lines}");
    let variable = "GIT_SSH_COMMAND='ssh -F other' ";
    worked(&stage.shell(&format!("{variable}{RELEASE} v4")));
    assert!(called(&stage).lines().all(|line| line.starts_with("-F other -o BatchMode=yes")));

    // Another program is called as git calls it.
    worked(&stage.shell("git config --unset core.sshCommand; mv $STAGE/bin/ssh $STAGE/bin/my-ssh"));
    for (number, setting) in [
        "GIT_SSH_COMMAND='my-ssh --mine' ",
        "GIT_SSH=my-ssh ",
        "GIT_SSH_VARIANT=simple GIT_SSH=my-ssh ",
    ]
    .iter()
    .enumerate()
    {
        worked(&stage.shell(&format!("{setting}{RELEASE} v{}", number + 5)));
        let lines = called(&stage);
        assert!(!lines.is_empty() && !lines.contains("BatchMode"), "{lines}");
        assert!(number > 0 || lines.contains("--mine"), "{lines}");
    }
    worked(&stage.shell(&format!("git config core.sshCommand my-ssh; {RELEASE} v9")));
    assert!(!called(&stage).contains("BatchMode"));
    assert_eq!(server(&stage, "rev-list --count main"), "8");
}

#[test]
fn what_ssh_says_is_told_with_the_way_out() {
    let stage = field();
    for (words, told) in [
        (
            "No ED25519 host key is known for server.example and you have requested strict checking.\nHost key verification failed.",
            ["Host key verification failed", "hint: the host's key is not in known_hosts"],
        ),
        (
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.",
            ["IDENTIFICATION HAS CHANGED", "ssh-keygen -R HOST"],
        ),
        (
            "git@server.example: Permission denied (publickey).",
            ["Permission denied (publickey)", "a credential helper or an ssh key"],
        ),
        (
            "ssh: Could not resolve hostname server.example: Name or service not known",
            ["Could not resolve hostname", "`git ls-remote origin` asks it again"],
        ),
    ] {
        program(&stage, "ssh", &refuses(words));
        failed(&stage.shell(&format!("{RELEASE} v2")), 3, &told);
    }
    // Allowed to read, not to write.
    let text = STAND_IN.replace(
        "exec sh",
        "case $command in git-receive*) echo 'ERROR: the key is read only' >&2; exit 128;; esac\nexec sh",
    );
    program(&stage, "ssh", &text);
    let said = stage.shell(&format!("{RELEASE} v2"));
    failed(&said, 3, &["could not push `main`", "the key is read only"]);
    assert_eq!(server(&stage, "rev-list --count main"), "1");
}

#[test]
fn ssh_that_hangs_is_given_up() {
    let mut stage = field();
    stage.set("KUBECTL_GITOPS_GIT_TIMEOUT", "1");
    program(&stage, "ssh", "#!/bin/sh\necho $$ > \"$STAGE/pid\"\nexec sleep 600\n");
    failed(&stage.shell(&format!("{RELEASE} v2")), 3, &["was not done after 1 s and was stopped"]);
    let gone = "for n in $(seq 100); do kill -0 $(cat $STAGE/pid) 2>/dev/null || exit 0; sleep 0.05; done; exit 1";
    worked(&stage.shell(gone));
}

/// An sshd of the test's own, that ends with it.
struct Sshd {
    child: Child,
    port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The system's sshd, else the one that `GITOPS_SSHD` names (`make test-peers`
/// builds it), with the key `host` for the keys of `allowed`.
fn sshd(stage: &Stage) -> Result<Sshd, &'static str> {
    let at = stage.folder().display().to_string();
    let places = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];
    if let Some(program) = places.iter().find(|place| fs::exists(place).unwrap_or(false)) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\nAuthorizedKeysFile {at}/allowed\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nPidFile none\n"
        );
        fs::write(format!("{at}/sshd_config"), settings).unwrap();
        let mut command = Command::new(program);
        command.args(["-D", "-e", "-f", &format!("{at}/sshd_config")]).stderr(Stdio::null());
        let mut sshd = Sshd { child: command.spawn().unwrap(), port };
        thread::sleep(Duration::from_millis(500));
        return match sshd.child.try_wait().unwrap() {
            None => Ok(sshd),
            Some(_) => Err("sshd does not start here"),
        };
    }
    let Some(program) = std::env::var_os("GITOPS_SSHD") else {
        return Err("no sshd, and GITOPS_SSHD names none");
    };
    let mut command = Command::new(program);
    command.args([format!("{at}/host"), format!("{at}/allowed")]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Ok(Sshd { child, port: line.trim().parse().unwrap() })
}

#[test]
fn a_real_ssh_connection() {
    let stage = shop();
    let at = stage.folder().display().to_string();
    worked(&stage.shell(&format!(
        "ssh-keygen -q -t ed25519 -N '' -f {at}/host && ssh-keygen -q -t ed25519 -N '' -f {at}/key \
         && ssh-keygen -q -t ed25519 -N locked -f {at}/locked \
         && cat {at}/key.pub {at}/locked.pub > {at}/allowed && chmod 600 {at}/allowed",
    )));
    let sshd = match sshd(&stage) {
        Ok(sshd) => sshd,
        Err(why) => return skipped(why),
    };
    let (port, user) = (sshd.port, stage.shell("id -un").stdout.trim().to_owned());
    point(&stage, &format!("ssh://{user}@127.0.0.1:{port}{at}/srv/apps.git"));
    let release = |before: &str, version: u32| {
        stage.shell(&format!("{before}kubectl gitops release web v{version}"))
    };
    let ssh = |options: &str| {
        let ssh = format!("ssh -F none -o UserKnownHostsFile={at}/known{options}");
        worked(&stage.shell(&format!("git config core.sshCommand '{ssh}'")));
    };
    // Neither the host nor we are known, and nobody is asked.
    ssh("");
    failed(&release("", 2), 3, &["Host key verification failed", "known_hosts"]);
    let known = |key: &str| {
        worked(&stage.shell(&format!(
            "printf '[127.0.0.1]:{port} %s\n' \"$(cut -d' ' -f1,2 {at}/{key}.pub)\" > {at}/known"
        )));
    };
    known("key");
    failed(&release("", 2), 3, &["IDENTIFICATION HAS CHANGED", "ssh-keygen -R"]);
    known("host");
    failed(&release("", 2), 3, &["Permission denied", "an ssh key"]);
    ssh(&format!(" -i {at}/locked"));
    failed(&release("", 2), 3, &["Permission denied", "an ssh key"]);
    ssh(&format!(" -i {at}/key"));
    worked(&release("", 2));
    // By an agent alone.
    ssh("");
    let agent = format!(
        "eval $(ssh-agent) >/dev/null; trap 'kill $SSH_AGENT_PID' EXIT; ssh-add -q {at}/key; "
    );
    worked(&release(&agent, 3));
    assert_eq!(server(&stage, "rev-list --count main"), "3");
}
