//! Commits signed as git is set up, from a promotion to what `git verify-commit`
//! says on the other side; and nothing pushed where they cannot be signed.

use super::{failed, program, server, shop, skipped, worked};
use crate::stage::Stage;

/// Whether a program is there; where not, that is said.
fn there(stage: &Stage, name: &str) -> bool {
    let there = stage.shell(&format!("command -v {name}")).status == 0;
    if !there {
        skipped(&format!("no {name}"));
    }
    there
}

/// Signing with an ssh key that the user's own git knows to be Ada's.
fn with_ssh_key(stage: &Stage) {
    worked(&stage.shell(
        "ssh-keygen -q -t ed25519 -N '' -C ada -f $HOME/key \
         && printf 'ada@example.com namespaces=\"git\" %s\n' \"$(cat $HOME/key.pub)\" > $HOME/allowed \
         && git config --global gpg.format ssh && git config --global commit.gpgSign true \
         && git config --global gpg.ssh.allowedSignersFile $HOME/allowed \
         && git config --global user.signingKey $HOME/key.pub",
    ));
}

/// What the checks of a commit of the server say: `G` is good.
fn verdict(stage: &Stage, commit: &str) -> String {
    worked(&stage.shell(&format!("git -C ../srv/apps.git verify-commit {commit}")));
    server(stage, &format!("log -1 --format='%G? %GS %ae %ce' {commit}"))
}

/// All three ways a commit comes to the server.
#[track_caller]
fn promoted_to_the_end(stage: &Stage) -> [String; 3] {
    worked(&stage.shell("kubectl gitops release web v2"));
    let released = verdict(stage, "main");
    worked(&stage.shell("kubectl gitops promote web --to uat"));
    let merged = verdict(stage, "main");
    worked(&stage.shell("kubectl gitops promote web --to prod"));
    let requested = verdict(stage, "release/web/prod");
    // Again: a signature of another second is no reason to push.
    let before = server(stage, "for-each-ref");
    worked(&stage.shell("sleep 1; kubectl gitops promote web --to prod"));
    assert_eq!(server(stage, "for-each-ref"), before);
    [released, merged, requested]
}

#[test]
fn with_an_ssh_key() {
    let stage = shop();
    if !there(&stage, "ssh-keygen") {
        return;
    }
    with_ssh_key(&stage);
    let good = "G ada@example.com ada@example.com ada@example.com";
    assert_eq!(promoted_to_the_end(&stage), [good; 3]);
    // What is signed differs from what is not in its signature alone.
    worked(&stage.shell("git config --global commit.gpgSign false"));
    worked(&stage.shell("kubectl gitops release web v3"));
    let header = |commit: &str| {
        let text = server(&stage, &format!("cat-file commit {commit}"));
        text.lines()
            .map(|line| line.split(' ').next().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    let (plain, signed) = (header("main"), header("main~2"));
    assert_eq!(plain[..5], ["tree", "parent", "author", "committer", ""]);
    assert_eq!(signed[..5], ["tree", "parent", "author", "committer", "gpgsig"]);
}

#[test]
fn with_the_key_that_a_command_names_and_a_program_of_ones_own() {
    let stage = shop();
    if !there(&stage, "ssh-keygen") {
        return;
    }
    with_ssh_key(&stage);
    program(
        &stage,
        "signer",
        "#!/bin/sh\necho \"$*\" >> \"$STAGE/signed\"\nexec ssh-keygen \"$@\"\n",
    );
    worked(&stage.shell(
        "git config --global --unset user.signingKey \
         && git config --global gpg.ssh.defaultKeyCommand 'sh -c \"echo key::$(cat $HOME/key.pub)\"' \
         && git config --global gpg.ssh.program signer \
         && eval $(ssh-agent) > $STAGE/agent && ssh-add -q $HOME/key && rm $HOME/key \
         && echo \"$SSH_AUTH_SOCK $SSH_AGENT_PID\" > $STAGE/agent",
    ));
    let agent = stage.shell("cat $STAGE/agent").stdout;
    let (socket, pid) = agent.trim().split_once(' ').unwrap();
    let said = stage.shell(&format!("SSH_AUTH_SOCK={socket} kubectl gitops release web v2"));
    let checked = (said.status == 0).then(|| verdict(&stage, "main"));
    // Without the agent nothing is signed, and nothing is pushed.
    let without = stage.shell("kubectl gitops release web v3");
    worked(&stage.shell(&format!("kill {pid}")));
    worked(&said);
    assert!(checked.unwrap().starts_with("G ada@example.com"));
    assert!(stage.shell("cat $STAGE/signed").stdout.contains("-Y sign -n git"));
    failed(&without, 3, &["cannot sign a commit", "ssh-add"]);
    assert_eq!(server(&stage, "rev-list --count main"), "2");
}

#[test]
fn with_a_gpg_key() {
    let mut stage = shop();
    if !there(&stage, "gpg") {
        return;
    }
    let home = stage.folder().join("gnupg").display().to_string();
    stage.set("GNUPGHOME", &home);
    let made = stage.shell(&format!(
        "mkdir -m 700 {home} && gpg -q --batch --passphrase '' --quick-generate-key \
         'Ada <ada@example.com>' ed25519 sign never && git config --global commit.gpgSign true",
    ));
    if made.status != 0 {
        skipped(&format!("gpg makes no key: {}", made.stderr));
        return;
    }
    let good = "G Ada <ada@example.com> ada@example.com ada@example.com";
    let verdicts = promoted_to_the_end(&stage);
    // A key by name, that is not there.
    worked(&stage.shell("git config --global user.signingKey nobody@example.com"));
    let without = stage.shell("kubectl gitops release web v3");
    let _ = stage.shell("gpgconf --kill all");
    assert_eq!(verdicts, [good; 3]);
    failed(&without, 3, &["cannot sign a commit", "gpg", "unlock the key in gpg-agent"]);
    assert_eq!(server(&stage, "rev-list --count main"), "3");
}

#[test]
fn what_cannot_be_signed_is_not_pushed() {
    let mut stage = shop();
    program(&stage, "refuses", "#!/bin/sh\necho 'the card is not in the reader' >&2\nexit 2\n");
    program(&stage, "silent", "#!/bin/sh\nexit 0\n");
    program(&stage, "hangs", "#!/bin/sh\nsleep 600\n");
    worked(&stage.shell("git config commit.gpgSign true"));
    let before = server(&stage, "for-each-ref");
    for (settings, words) in [
        ("gpg.program=refuses", &["failed to sign", "`gpg.program`"][..]),
        ("gpg.program=silent", &["failed to sign", "`gpg.program`"]),
        ("gpg.program=no-such-program", &["no-such-program", "`gpg.program`"]),
        ("gpg.format=x509 gpg.x509.program=refuses", &["failed to sign", "`gpg.x509.program`"]),
        ("gpg.format=ssh user.signingKey=/no/such/key", &["/no/such/key", "`user.signingKey`"]),
        ("gpg.format=ssh", &["user.signingkey", "`user.signingKey`"]),
        ("gpg.format=pgp", &["gpg.format"]),
        ("commit.gpgSign=perhaps", &["perhaps"]),
    ] {
        let set: String = settings
            .split(' ')
            .map(|setting| format!("git config {} && ", setting.replace('=', " ")))
            .collect();
        let unset: String = settings
            .split(' ')
            .map(|setting| format!("; git config --unset {}", setting.split('=').next().unwrap()))
            .collect();
        let said = stage.shell(&format!("{set}kubectl gitops release web v2"));
        failed(&said, 3, words);
        worked(&stage.shell(&format!("true{unset}; git config commit.gpgSign true")));
    }
    assert_eq!(server(&stage, "for-each-ref"), before);
    // A dry run signs nothing.
    worked(&stage.shell("git config gpg.program refuses; kubectl gitops release web v2 --dry-run"));
    stage.set("KUBECTL_GITOPS_GIT_TIMEOUT", "1");
    let said = stage.shell("git config gpg.program hangs; kubectl gitops release web v2");
    failed(&said, 3, &["cannot sign a commit: `git commit-tree -S` was not done after 1 s"]);
}
