//! What a plan rests on moves between the plan and the push: nothing is pushed,
//! and what has moved is named.

use std::fs;

use super::{failed, program, server, shop, skipped, worked};
use crate::stage::{Said, Stage, project};

/// A `git` that is as the real one, and that runs what stands in a file of the
/// stage once: before the remote is asked again, by the names of its branches,
/// which is when the plan has been made, or before the push.
fn whoever_is_that_fast(stage: &Stage) {
    program(
        stage,
        "git",
        "#!/bin/sh\nreal=$(PATH=${PATH#*:} command -v git)\n\
         now() { mv \"$1\" \"$STAGE/racing\" && (cd \"$STAGE/other\" && sh -e \"$STAGE/racing\" \
         && \"$real\" add -A && \"$real\" commit -qm theirs && \"$real\" push -q) > \"$STAGE/out\" 2>&1; }\n\
         case \"$*\" in *ls-remote*gitops-state*)\n\
         if [ -e \"$STAGE/before-asking\" ]; then now \"$STAGE/before-asking\"; fi;;\n\
         *' push '*|push*) if [ -e \"$STAGE/before-push\" ]; then now \"$STAGE/before-push\"; fi;; esac\n\
         exec \"$real\" \"$@\"\n",
    );
}

/// When somebody else pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    BeforeAsking,
    BeforePush,
}

/// Runs a line while somebody else runs another one in `clone`, and pushes.
#[track_caller]
fn while_others(stage: &Stage, when: When, clone: &str, theirs: &str, line: &str) -> Said {
    worked(&stage.shell(&format!("rm -rf ../racing ../other && git clone -q {clone} ../other")));
    let name = if when == When::BeforeAsking { "before-asking" } else { "before-push" };
    fs::write(stage.folder().join(name), theirs).unwrap();
    let said = stage.shell(line);
    let out = fs::read_to_string(stage.folder().join("out")).unwrap_or_default();
    assert!(stage.folder().join("racing").exists(), "nobody raced: {}{}", said.stdout, said.stderr);
    assert_eq!(out, "", "the race went wrong");
    said
}

#[test]
fn an_environment_that_comes_to_read_what_is_edited_closes_the_gate() {
    let prod_reads = |folder: &str| {
        format!(
            "printf 'resources: [../{folder}]\\nnamePrefix: x-\\n' > envs/prod/kustomization.yaml"
        )
    };
    let dev_reads_prod =
        "printf 'resources: [../prod]\\nnamePrefix: x-\\n' > envs/dev/kustomization.yaml";
    for when in [When::BeforeAsking, When::BeforePush] {
        // Pushed to the branch, merged by itself.
        for (line, theirs) in [
            ("kubectl gitops release web v2", prod_reads("dev")),
            ("kubectl gitops promote web --to uat", prod_reads("uat")),
        ] {
            let stage = shop();
            if line.contains("promote") {
                worked(&stage.shell("kubectl gitops release web v2"));
            }
            let before = server(&stage, "rev-list --count main");
            whoever_is_that_fast(&stage);
            let said = while_others(&stage, when, "../srv/apps.git", &theirs, line);
            failed(
                &said,
                1,
                &["whether `", "gitops/other-environment", "`prod` would change, too"],
            );
            assert_eq!(
                server(&stage, "rev-list --count main").parse::<usize>().unwrap(),
                before.parse::<usize>().unwrap() + 1
            );
        }
    }
    // A request. What moves after the remote was asked is for whoever merges it.
    let stage = shop();
    worked(&stage.shell("kubectl gitops release web v2 && kubectl gitops promote web --to uat"));
    whoever_is_that_fast(&stage);
    let line = "kubectl gitops promote web --to prod";
    let said = while_others(&stage, When::BeforeAsking, "../srv/apps.git", dev_reads_prod, line);
    failed(&said, 1, &["gitops/other-environment", "`dev` would change, too"]);
    assert_eq!(server(&stage, "branch --list 'release/*'"), "");
}

#[test]
fn a_request_is_not_pushed_when_its_source_has_moved() {
    let stage = shop();
    worked(&stage.shell("kubectl gitops release web v2 && kubectl gitops promote web --to uat"));
    whoever_is_that_fast(&stage);
    let theirs = "sed -i '/name: web/{n;s/v2/v3/}' envs/uat/kustomization.yaml";
    let line = "kubectl gitops promote web --to prod";
    let said = while_others(&stage, When::BeforeAsking, "../srv/apps.git", theirs, line);
    failed(
        &said,
        3,
        &[
            "`main` has moved since the plan was made: `envs/uat/kustomization.yaml` is another one",
            "run it again",
        ],
    );
    assert_eq!(server(&stage, "branch --list 'release/*'"), "");
    // What was not read does not matter; the request stands on the newest commit.
    let theirs = "echo hello > README";
    let said = while_others(&stage, When::BeforeAsking, "../srv/apps.git", theirs, line);
    worked(&said);
    assert!(said.stderr.contains("`main` has moved, and nothing that was read"), "{}", said.stderr);
    assert_eq!(server(&stage, "rev-list --count release/web/prod --not main"), "1");
    assert_eq!(
        server(&stage, "merge-base release/web/prod main"),
        server(&stage, "rev-parse main")
    );
}

#[test]
fn a_push_asks_each_remote_once_more() {
    let stage = shop();
    worked(&stage.shell("kubectl gitops release web v2 && kubectl gitops promote web --to uat"));
    program(
        &stage,
        "git",
        "#!/bin/sh\nfor word in \"$@\"; do case $word in ls-remote|fetch|push) echo $word >> \"$STAGE/asked\";; esac; done\n\
         PATH=${PATH#*:} exec git \"$@\"\n",
    );
    let asked = |line: &str| {
        let _ = fs::remove_file(stage.folder().join("asked"));
        worked(&stage.shell(line));
        fs::read_to_string(stage.folder().join("asked")).unwrap().replace('\n', " ")
    };
    // What earlier runs have pushed is fetched here, so that it is not below.
    let fetched = "kubectl gitops promote --to prod --dry-run";
    worked(&stage.shell(fetched));
    // All branches; those that count again; the push; how it is now.
    assert_eq!(asked("kubectl gitops release web v3"), "ls-remote ls-remote push ls-remote ");
    worked(&stage.shell(fetched));
    // The same, and the request's branch.
    assert_eq!(
        asked("kubectl gitops promote web --to prod"),
        "ls-remote ls-remote ls-remote push ls-remote "
    );
}

/// What is trusted, in a repository of its own: environments stand in another one.
fn two_repositories() -> Option<Stage> {
    let wasm = project().join("target/policies/no-floating-tag/no-floating-tag.wasm");
    if !wasm.exists() {
        skipped(&format!("{} is absent", wasm.display()));
        return None;
    }
    let stage = shop();
    worked(&stage.shell(
        "set -e; git clone -q ../srv/apps.git ../trust; cd ../trust; git rm -rq envs
         sed -i 's,^environments:,repositories: {apps: {url: ../srv/apps.git}}\\npolicies: policies/bindings.yaml\\nenvironments:,; s,{name: \\([a-z]*\\),{name: \\1\\, repository: apps,' gitops.yaml
         mkdir -p policies/no-floating-tag
         cp \"$PROJECT\"/policies/no-floating-tag/policy.yaml \"$PROJECT\"/target/policies/no-floating-tag/no-floating-tag.wasm policies/no-floating-tag/
         printf 'apiVersion: kubectl-gitops.dev/v1alpha1\\nkind: PolicyBinding\\nspec:\\n  environments: [dev, uat, prod]\\n  policies: [{name: no-floating-tag, mode: enforce}]\\n' > policies/bindings.yaml
         git add -A; git commit -qm trust; git clone -q --bare . ../trust.git; git remote set-url origin ../trust.git; git fetch -q
         kubectl gitops policy lock -q; git add -A; git commit -qm lock; git push -q origin main",
    ));
    Some(stage)
}

#[test]
fn what_is_trusted_and_moves_before_the_push_is_named() {
    let moves = [
        (
            "printf x >> policies/no-floating-tag/no-floating-tag.wasm",
            "no-floating-tag.wasm` is another one",
        ),
        (
            "sed -i s/enforce/warn/ policies/bindings.yaml",
            "`policies/bindings.yaml` is another one",
        ),
        ("echo '# x' >> policies.lock", "`policies.lock` is another one"),
        ("echo '# x' >> gitops.yaml", "`gitops.yaml` is another one"),
    ];
    // Pushed to the branch, merged by itself, and a request.
    for (before, line) in [
        ("true", "kubectl gitops release web v2"),
        ("kubectl gitops release web v2", "kubectl gitops promote web --to uat"),
        (
            "kubectl gitops release web v2 && kubectl gitops promote web --to uat",
            "kubectl gitops promote web --to prod",
        ),
    ] {
        let Some(stage) = two_repositories() else { return };
        let at = |line: &str| format!("cd ../trust && {line}");
        worked(&stage.shell(&at(before)));
        whoever_is_that_fast(&stage);
        let before = server(&stage, "for-each-ref");
        for (theirs, told) in moves {
            let said = while_others(&stage, When::BeforeAsking, "../trust.git", theirs, &at(line));
            failed(&said, 3, &["`main` has moved since this run began", told, "run it again"]);
            // As it was, for the next one.
            worked(
                &stage
                    .shell("cd ../other && git revert --no-edit HEAD > ../reverted && git push -q"),
            );
        }
        // A hold is no file of the trust branch, and counts as well.
        let hold = "for env in dev uat prod; do kubectl-gitops -C $STAGE/trust hold $env \
                    --owner fast --reason now > ../held 2>&1; done; echo x > README";
        let said = while_others(&stage, When::BeforeAsking, "../trust.git", hold, &at(line));
        failed(
            &said,
            5,
            &["has changed since the plan was judged: pending", "gate hold: fast holds"],
        );
        assert_eq!(server(&stage, "for-each-ref"), before);
    }
}
