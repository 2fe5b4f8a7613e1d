//! Forges whose API is not spoken: what the push itself asks of them.

use super::web::Web;
use super::{point, server, shop, worked};
use crate::stage::{Said, Stage};

/// A shop on a server that notes the options of pushes.
fn field(forge: &str, labels: &str) -> (Stage, Web) {
    let stage = shop();
    let web = Web::start(&stage.folder().join("srv"), None, &[]);
    let config = format!("forge: {{kind: {forge}}}\npullRequest: {{labels: [{labels}]}}\n");
    let hook = "#!/bin/sh\nn=0\nwhile [ $n -lt ${GIT_PUSH_OPTION_COUNT:-0} ]; do\n\
         eval \"printf '%s\\\\n' \\\"\\$GIT_PUSH_OPTION_$n\\\"\" >> options\nn=$((n+1))\ndone\n\
         echo push >> options\n";
    std::fs::write(stage.folder().join("hook"), hook).unwrap();
    worked(&stage.shell(&format!(
        "printf '{config}' >> gitops.yaml && sed -i 's|path: envs/prod|&, from: [dev]|' gitops.yaml \
         && git commit -qam config && git push -q origin HEAD:main \
         && mkdir ../srv/acme && ln -s ../apps.git ../srv/acme/apps.git \
         && git -C ../srv/apps.git config receive.advertisePushOptions true \
         && cp ../hook ../srv/apps.git/hooks/post-receive && chmod +x ../srv/apps.git/hooks/post-receive"
    )));
    point(&stage, &format!("{}/acme/apps.git", web.origin()));
    worked(&stage.shell("git fetch -q"));
    (stage, web)
}

/// What the pushes asked since the last look.
fn options(stage: &Stage) -> Vec<String> {
    let file = stage.folder().join("srv/apps.git/options");
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let _ = std::fs::remove_file(file);
    text.lines().map(str::to_owned).collect()
}

fn dev(stage: &Stage, version: &str) {
    worked(&stage.shell(&format!("kubectl gitops release web {version}")));
}

fn promote(stage: &Stage) -> Said {
    let said = stage.shell("kubectl gitops promote web --to prod --from dev");
    worked(&said);
    said
}

#[test]
fn a_push_to_gitlab_asks_for_a_merge_request() {
    let (stage, web) = field("gitlab", "promotion, a=b");
    options(&stage);
    dev(&stage, "v2");
    // A push to the branch of an environment asks for nothing.
    assert_eq!(options(&stage), ["push"]);
    let said = promote(&stage);
    assert_eq!(
        options(&stage),
        [
            "merge_request.create",
            "merge_request.target=main",
            "merge_request.title=Release `web` in `prod`",
            "merge_request.remove_source_branch",
            "merge_request.label=promotion",
            "merge_request.label=a=b",
            "push",
        ]
    );
    let new = format!("{}/acme/apps/-/merge_requests/new?", web.origin());
    let hint = format!("the push asked for a merge request; where there is none: {new}");
    assert!(said.stderr.contains(&hint), "{}", said.stderr);
    // Nothing new is not pushed, and what is new asks again, without the labels.
    promote(&stage);
    assert_eq!(options(&stage), [""; 0]);
    dev(&stage, "v3");
    options(&stage);
    promote(&stage);
    let again = options(&stage);
    assert!(again.contains(&"merge_request.create".to_owned()), "{again:?}");
    assert!(!again.iter().any(|option| option.contains("label")), "{again:?}");
}

#[test]
fn the_merge_request_that_gitlab_names_is_told() {
    let (stage, web) = field("gitlab", "");
    let page = format!("{}/acme/apps/-/merge_requests/7", web.origin());
    let line = format!("echo View merge request for x:; echo {page}");
    worked(&stage.shell(&format!("echo '{line}' >> ../srv/apps.git/hooks/post-receive")));
    dev(&stage, "v2");
    let said = promote(&stage);
    assert!(said.stderr.contains(&format!("merge request: {page}")), "{}", said.stderr);
    assert!(!said.stderr.contains("where there is none"), "{}", said.stderr);
}

#[test]
fn no_line_of_a_title_is_an_option() {
    let (stage, _web) = field("gitlab", "");
    let title = "pullRequest: {title: \"one\\nmerge_request.merge_when_pipeline_succeeds\"}";
    worked(&stage.shell(&format!(
        "sed -i '/^pullRequest/d' gitops.yaml \
         && printf '%s\\n' '{title}' >> gitops.yaml \
         && git commit -qam title && git push -q origin HEAD:main"
    )));
    dev(&stage, "v2");
    options(&stage);
    let said = stage.shell("kubectl gitops promote web --to prod --from dev");
    let asked = options(&stage);
    let alone = "merge_request.merge_when_pipeline_succeeds".to_owned();
    assert!(!asked.contains(&alone), "{asked:?}");
    // A title of two lines is refused, or is one line.
    assert!(
        said.status == 2 || asked.iter().any(|o| o.ends_with(&format!("one {alone}"))),
        "{asked:?}"
    );
}

#[test]
fn who_takes_no_options_gets_the_push_without_them() {
    for (forge, takes) in [("gitlab", "false"), ("gitea", "true")] {
        let (stage, web) = field(forge, "promotion");
        worked(
            &stage.shell(&format!(
                "git -C ../srv/apps.git config receive.advertisePushOptions {takes}"
            )),
        );
        dev(&stage, "v2");
        options(&stage);
        let said = promote(&stage);
        assert_eq!(options(&stage), ["push"], "{forge}");
        let hint = format!("open the request: {}/acme/apps/", web.origin());
        assert!(said.stderr.contains(&hint), "{}", said.stderr);
        assert!(server(&stage, "branch").contains("web/prod"));
    }
}
