//! `chart:`.

use super::*;

fn chart_yaml(version: &str) -> String {
    format!(
        "apiVersion: v2\nname: shop\nversion: 0.1.0\ndependencies:\n- name: podinfo\n  version: {version} # the app\n  repository: https://stefanprodan.github.io/podinfo\n- name: redis\n  version: 1.0.0\n"
    )
}

fn release(env: &str, version: &str) -> String {
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: podinfo\n  namespace: {env}\nspec:\n  chart:\n    spec:\n      chart: podinfo\n      version: \"{version}\"\n      sourceRef: {{kind: HelmRepository, name: podinfo}}\n  values: {{replicaCount: 2}}\n"
    )
}

fn application(env: &str, version: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: podinfo-{env}\nspec:\n  sources:\n  - repoURL: https://github.com/acme/config\n    targetRevision: main\n    ref: values\n  - repoURL: https://stefanprodan.github.io/podinfo\n    chart: podinfo\n    targetRevision: {version}\n    helm: {{valueFiles: [$values/{env}/values.yaml]}}\n"
    )
}

#[test]
fn a_chart_version_moves_wherever_it_stands() {
    for (file, text) in [
        (
            "Chart.yaml",
            (&|_: &str, version: &str| chart_yaml(version)) as &dyn Fn(&str, &str) -> String,
        ),
        ("release.yaml", &release),
        ("sub/application.yaml", &application),
        ("set.yaml", &|env: &str, version: &str| {
            application(env, version)
                .replace("kind: Application", "kind: ApplicationSet")
                .replace("spec:\n", "spec:\n  template:\n    spec:\n")
                .replace("  sources:\n", "      sources:\n")
                .replace("\n  - ", "\n      - ")
                .replace("\n    ref: values", "\n        ref: values")
                .replace("\n    targetRevision", "\n        targetRevision")
                .replace("\n    chart", "\n        chart")
                .replace("\n    helm", "\n        helm")
        }),
        ("kustomization.yaml", &|env: &str, version: &str| {
            format!("namespace: {env}\nhelmCharts:\n- name: podinfo\n  version: {version}\n")
        }),
    ] {
        let world = World::new(
            vec![chart("podinfo")],
            &[(file, &text("dev", "6.10.0"))],
            &[(file, &text("uat", "6.9.1"))],
        );
        assert_eq!(world.promoted(file), text("uat", "6.10.0"), "{file}");
        let plan = world.promote().unwrap().plans.remove(0).0;
        assert_eq!(plan.moves[0].what, Moved::ChartVersion);
        assert_eq!((plan.moves[0].name.as_str(), plan.version.as_str()), ("podinfo", "6.10.0"));
        // The same version by a release.
        let planned = world.release("6.10.0").unwrap();
        assert_eq!(world.text(&planned, file), text("uat", "6.10.0"), "{file}");
    }
}

#[test]
fn a_version_that_reads_as_a_number_is_a_string() {
    let world = World::new(
        vec![chart("podinfo")],
        &[("release.yaml", &release("dev", "6.10"))],
        &[("release.yaml", &release("uat", "x").replace("\"x\"", "6.9"))],
    );
    assert_eq!(world.promoted("release.yaml"), release("uat", "6.10"));
}

#[test]
fn a_lock_file_that_lags_behind_is_told() {
    let world = World::new(
        vec![chart("podinfo")],
        &[("Chart.yaml", &chart_yaml("6.10.0"))],
        &[("Chart.yaml", &chart_yaml("6.9.1")), ("Chart.lock", "dependencies: []\n")],
    );
    assert_eq!(
        world.promote().unwrap().plans[0].0.warnings,
        ["uat/web/Chart.lock is of the versions before; run `helm dependency update` in uat/web"]
    );
}

#[test]
fn two_releases_of_one_chart_are_told_apart_by_their_names() {
    let two = |env: &str, a: &str, b: &str| {
        let named = |name: &str, version: &str| {
            release(env, version)
                .replace("name: podinfo\n  namespace", &format!("name: {name}\n  namespace"))
        };
        format!("{}---\n{}", named(&format!("{env}-front"), a), named("back", b))
    };
    let world = World::new(
        vec![chart("podinfo")],
        &[("r.yaml", &two("dev", "2.0.0", "3.0.0"))],
        &[("r.yaml", &two("uat", "1.0.0", "1.0.0"))],
    );
    assert_eq!(world.promoted("r.yaml"), two("uat", "2.0.0", "3.0.0"));
    // One name twice.
    let same = format!("{}---\n{}", release("dev", "1.0.0"), release("dev", "2.0.0"));
    let world = World::new(vec![chart("podinfo")], &[("r.yaml", &same)], &[("r.yaml", &same)]);
    assert_eq!(
        world.refused(),
        "`podinfo` stands in two places, dev/web/r.yaml:10 and dev/web/r.yaml:23"
    );
}

#[test]
fn what_fills_a_template_is_not_read() {
    let world = World::new(
        vec![chart("podinfo")],
        &[
            ("Chart.yaml", &chart_yaml("6.10.0")),
            ("templates/x.yaml", "{{ if podinfo }}\n"),
            ("charts/podinfo/Chart.yaml", &chart_yaml("0.0.1")),
        ],
        &[("Chart.yaml", &chart_yaml("6.9.1"))],
    );
    assert_eq!(world.promoted("Chart.yaml"), chart_yaml("6.10.0"));
}

fn follows(kind: &str, name: &str) -> String {
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: web}}\nspec:\n  chartRef: {{kind: {kind}, name: {name}}}\n"
    )
}

fn oci(name: &str, reference: &str) -> String {
    format!(
        "kind: OCIRepository\nmetadata: {{name: {name}}}\nspec:\n  url: oci://registry.example/charts/podinfo # chart\n  ref: {reference}\n"
    )
}

#[test]
fn a_chart_is_followed_by_its_reference() {
    for reference in ["{tag: VERSION} # t", "\n    semver: 'VERSION'"] {
        let files = |version: &str| {
            format!(
                "{}---\n{}",
                follows("OCIRepository", "charts"),
                oci("charts", &reference.replace("VERSION", version))
            )
        };
        let world = World::new(
            vec![chart("podinfo")],
            &[("app.yaml", &files("6.10.0"))],
            &[("app.yaml", &files("6.9.1"))],
        );
        assert_eq!(world.promoted("app.yaml"), files("6.10.0"));
        let planned = world.promote().unwrap();
        assert_eq!(planned.plans[0].0.moves[0].what, Moved::ChartVersion);
        assert_eq!(planned.plans[0].0.version, "6.10.0");
        // By the name of the reference as well, and once for two releases.
        let twice = |version: &str| {
            format!("{}---\n{}", follows("OCIRepository", "charts"), files(version))
        };
        let world = World::new(
            vec![chart("podinfo")],
            &[("app.yaml", &twice("6.10.0"))],
            &[("app.yaml", &twice("6.9.1"))],
        );
        assert_eq!(world.promote().unwrap().plans[0].0.moves.len(), 1);
    }
    // A HelmChart has the version itself.
    let files = |version: &str| {
        format!(
            "{}---\nkind: HelmChart\nmetadata: {{name: charts}}\nspec: {{chart: podinfo, version: {version}}}\n",
            follows("HelmChart", "charts")
        )
    };
    let world = World::new(
        vec![chart("podinfo")],
        &[("app.yaml", &files("6.10.0"))],
        &[("app.yaml", &files("6.9.1"))],
    );
    assert_eq!(world.promoted("app.yaml"), files("6.10.0"));
}

#[test]
fn a_reference_that_leads_nowhere_or_to_two_is_refused() {
    let good = format!("{}---\n{}", follows("OCIRepository", "web"), oci("web", "{tag: 1.0.0}"));
    for (files, reason) in [
        (
            follows("OCIRepository", "web"),
            "names OCIRepository/web, and no file below `uat/web` holds that",
        ),
        (format!("{good}---\n{}", oci("web", "{tag: 2.0.0}")), "OCIRepository/web"),
        (
            format!(
                "{}---\n{}",
                follows("OCIRepository", "web"),
                oci("web", "{digest: 'sha256:00', tag: 1.0.0}")
            ),
            "its `spec.ref.digest` decides",
        ),
        (
            format!("{}---\n{}", follows("OCIRepository", "web"), oci("web", "{}")),
            "has neither `tag` nor `semver`",
        ),
    ] {
        let world = World::new(
            vec![chart("web")],
            &[("app.yaml", &good)],
            &[("app.yaml", &files.replace("podinfo", "web"))],
        );
        assert!(world.refused().contains(reason), "{files}: {}", world.refused());
    }
    // Of another namespace, it is another one.
    let named = |version: &str| {
        format!(
            "{}---\n{}---\n{}",
            follows("OCIRepository", "web").replace("{name: web}", "{name: web, namespace: shop}"),
            oci("web", &format!("{{tag: {version}}}"))
                .replace("{name: web}", "{name: web, namespace: shop}"),
            oci("web", "{tag: 9.9.9}").replace("{name: web}", "{name: web, namespace: other}"),
        )
    };
    let world = World::new(
        vec![chart("podinfo")],
        &[("app.yaml", &named("2.0.0"))],
        &[("app.yaml", &named("1.0.0"))],
    );
    assert_eq!(world.promoted("app.yaml"), named("2.0.0"));
}

#[test]
fn a_shared_folder_names_its_apps_by_what_is_followed() {
    let mut world = World::new(vec![chart("{app}")], &[], &[]);
    world.folder = "{env}";
    for env in ["dev", "uat"] {
        let files =
            format!("{}---\n{}", follows("OCIRepository", "charts"), oci("charts", "{tag: 1.0.0}"));
        world.tree.insert(path(&format!("{env}/app.yaml")), files.into_bytes());
    }
    let names: Vec<String> = world.apps("dev").into_iter().map(|app| app.name).collect();
    assert_eq!(names, ["podinfo"]);
}
