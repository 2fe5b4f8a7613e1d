//! `ref:`.

use super::*;

#[test]
fn the_ref_of_a_remote_base_is_one_line() {
    for (url, new) in [
        ("github.com/acme/base//dist/app?ref=1.0.0", "1.1.0"),
        ("https://github.com/acme/base.git//dist?timeout=90s&ref=1.0.0&submodules=false", "1.1.0"),
        ("'git@github.com:acme/base.git?version=1.0.0'", "1.1.0"),
        ("\"ssh://git@github.com/acme/base?ref=1.0.0\"", "1.1.0"),
    ] {
        for key in ["resources", "bases", "components"] {
            let file = |url: &str| {
                format!(
                    "{key}:\n- ../local # x\n- github.com/other/base?ref=1.0.0\n- {url} # the vendor's\nnamespace: y\n"
                )
            };
            let world = World::new(
                vec![reference("github.com/acme/base")],
                &[("kustomization.yaml", &file(&url.replace("1.0.0", new)))],
                &[("kustomization.yaml", &file(url))],
            );
            assert_eq!(world.promoted("kustomization.yaml"), file(&url.replace("1.0.0", new)));
            let moves = told(&world.promote().unwrap());
            assert_eq!(
                moves,
                ["git-ref github.com/acme/base: 1.0.0 → 1.1.0 (uat/web/kustomization.yaml:4)"]
            );
        }
    }
}

#[test]
fn flux_sources_and_argo_revisions() {
    let flux = |kind: &str, url: &str, of: &str| {
        format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: {kind}\nmetadata: {{name: base}}\nspec:\n  interval: 5m\n  url: {url}\n  ref:\n    {of}\n"
        )
    };
    for (kind, url, old, new) in [
        ("GitRepository", "https://github.com/acme/base", "tag: v1", "tag: v2"),
        ("GitRepository", "ssh://git@github.com/acme/base.git", "semver: '~1.0'", "semver: '~1.1'"),
        ("GitRepository", "https://github.com/acme/base", "commit: 0123456", "commit: 789abcd"),
        ("OCIRepository", "oci://github.com/acme/base", "tag: 1.0.0", "tag: 1.1.0"),
        ("OCIRepository", "oci://github.com/acme/base", "digest: sha256:00", "digest: sha256:11"),
    ] {
        let world = World::new(
            vec![reference("github.com/acme/base")],
            &[("source.yaml", &flux(kind, url, new))],
            &[("source.yaml", &flux(kind, url, old))],
        );
        let expected = flux(kind, url, new);
        let after = world.promoted("source.yaml");
        assert_eq!(after.replace("\"0123456\"", "0123456"), expected, "{new}");
    }
    let argo = |env: &str, rev: &str| {
        format!(
            "kind: Application\nmetadata: {{name: web-{env}}}\nspec:\n  source: {{repoURL: 'https://github.com/acme/base', path: x, targetRevision: {rev}}}\n"
        )
    };
    let world = World::new(
        vec![reference("https://github.com/acme/base.git")],
        &[("a.yaml", &argo("dev", "v1.1"))],
        &[("a.yaml", &argo("uat", "v1.0"))],
    );
    assert_eq!(world.promoted("a.yaml"), argo("uat", "v1.1"));
}

#[test]
fn a_branch_is_not_promoted_over_a_tag() {
    let flux = |of: &str| {
        format!(
            "kind: GitRepository\nmetadata: {{name: base}}\nspec:\n  url: https://github.com/acme/base\n  ref: {{{of}}}\n"
        )
    };
    let world = World::new(
        vec![reference("github.com/acme/base")],
        &[("s.yaml", &flux("branch: main"))],
        &[("s.yaml", &flux("tag: v1"))],
    );
    assert_eq!(
        world.refused(),
        "app `web` has `github.com/acme/base tag` in environment `uat` (uat/web/s.yaml:5), where the source has `github.com/acme/base branch` (dev/web/s.yaml:5)"
    );
    // A digest beside the tag would go on deciding.
    let world = World::new(
        vec![reference("github.com/acme/base")],
        &[("s.yaml", &flux("tag: v2"))],
        &[("s.yaml", &flux("tag: v1, digest: \"sha256:00\""))],
    );
    assert!(world.refused().contains("`github.com/acme/base digest`"), "{}", world.refused());
    // No ref at all.
    let none = "resources:\n- https://github.com/acme/base\n";
    let world = World::new(
        vec![reference("github.com/acme/base")],
        &[("kustomization.yaml", none)],
        &[("kustomization.yaml", none)],
    );
    assert_eq!(
        world.refused(),
        "app `web` has no `ref of github.com/acme/base` in environment `dev`: dev/web/kustomization.yaml:2: it names no ref, so it follows the default branch"
    );
}

#[test]
fn apps_are_named_by_their_repositories() {
    let file = |web: &str| {
        format!(
            "resources:\n- github.com/acme/web-config//x?ref={web}\n- github.com/acme/api-config?ref=v9\n"
        )
    };
    let mut world = World::new(vec![reference("github.com/acme/{app}-config")], &[], &[]);
    world.folder = "{env}";
    world.tree.insert(path("dev/kustomization.yaml"), file("v2").into_bytes());
    world.tree.insert(path("uat/kustomization.yaml"), file("v1").into_bytes());
    let names: Vec<String> = world.apps("dev").into_iter().map(|app| app.name).collect();
    assert_eq!(names, ["api", "web"]);
    assert_eq!(world.text(&world.promote().unwrap(), "kustomization.yaml"), file("v2"));
}
