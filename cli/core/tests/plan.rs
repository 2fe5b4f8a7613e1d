//! Plans over trees in memory.
// The demo's files are read from the disk here; plans read trees only.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use gitops_core::judge::{EnvironmentRef, Moved};
use gitops_core::plan::*;
use gitops_tree::{Memory, Overlay, Reading, Tree, TreePath};

fn path(text: &str) -> TreePath {
    TreePath::new(text).unwrap()
}

fn environment(name: &str, folder: &str, after: &[&str]) -> EnvironmentRef {
    EnvironmentRef {
        name: name.to_owned(),
        after: after.iter().map(|name| (*name).to_owned()).collect(),
        clusters: Vec::new(),
        path: folder.to_owned(),
        git_ref: "main".to_owned(),
        repository: None,
    }
}

fn rule(matches: &str, image: &str, fields: &[Moved]) -> AppRule {
    AppRule {
        matches: Pattern::new(matches).unwrap(),
        movers: vec![Mover::Image(ImageRule {
            name: Template::parse_with(image, &["app"]).unwrap(),
            fields: fields.to_vec(),
        })],
        never: Vec::new(),
        environments: None,
        versions: None,
    }
}

fn rules() -> Rules {
    Rules(vec![rule("*", "{app}", &[Moved::ImageTag])])
}

fn texts() -> Texts {
    let template = |text| Template::parse(text).unwrap();
    Texts {
        branch: template("release/{app}/{env}"),
        commit: template("Release {app} in {env} ({version})."),
        title: template("Release `{app}` in `{env}`"),
        body: template("from {from}"),
        labels: vec!["promotion".to_owned()],
        reviewers: Vec::new(),
    }
}

/// One world: a tree, the rules, and environments below `k/`.
struct World {
    tree: Memory,
    rules: Rules,
    texts: Texts,
    direct: bool,
    group: bool,
}

impl World {
    fn new(files: &[(&str, &str)]) -> World {
        let mut tree = Memory::new();
        for (name, text) in files {
            tree.insert(path(name), text.as_bytes());
        }
        World { tree, rules: rules(), texts: texts(), direct: false, group: false }
    }

    fn release(&self, app: &str, version: &str, to: &EnvironmentRef) -> Result<Planned, PlanError> {
        self.with(to, |step| release(step, app, version))
    }

    fn promote(
        &self,
        apps: &[&str],
        from: &EnvironmentRef,
        to: &EnvironmentRef,
    ) -> Result<Planned, PlanError> {
        let apps: Vec<String> = apps.iter().map(|app| (*app).to_owned()).collect();
        let from = Side { environment: from, tree: &self.tree, revision: "5eed" };
        self.with(to, |step| {
            promote(step, from, &Promotion { apps: &apps, ..Promotion::default() })
        })
    }

    fn with<T>(&self, to: &EnvironmentRef, run: impl FnOnce(&Step<'_>) -> T) -> T {
        run(&Step {
            rules: &self.rules,
            texts: &self.texts,
            target: Side { environment: to, tree: &self.tree, revision: "ba5e" },
            base: "main",
            direct: self.direct,
            group: self.group,
        })
    }
}

/// Puts the edits of every plan into the tree.
fn perform(tree: &mut Memory, planned: &Planned) {
    for (_, contents) in &planned.plans {
        for (path, bytes) in contents.files() {
            tree.insert(path.clone(), bytes.after.clone().unwrap());
        }
    }
}

fn after(planned: &Planned, file: &str) -> String {
    let (_, contents) = &planned.plans[0];
    String::from_utf8(contents.get(&path(file)).unwrap().after.as_deref().unwrap().to_vec())
        .unwrap()
}

fn error(result: Result<Planned, PlanError>) -> PlanError {
    match result {
        Ok(planned) => match planned.failed.into_iter().next() {
            Some(failed) => failed.reason,
            None => panic!("there is a plan"),
        },
        Err(error) => error,
    }
}

const DEV: &str = "k/dev/kustomization.yaml";
const UAT: &str = "k/uat/kustomization.yaml";

fn dev() -> EnvironmentRef {
    environment("dev", "k/dev", &[])
}

fn uat() -> EnvironmentRef {
    environment("uat", "k/uat", &["dev"])
}

fn images(entries: &str) -> String {
    format!("images:\n{entries}")
}

#[test]
fn the_demo_is_equal_to_the_byte() {
    let seeds = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/seeds/demo-gitops");
    if !seeds.is_dir() {
        eprintln!("skipped: {} is absent", seeds.display());
        return;
    }
    let mut world = World::new(&[]);
    let environments = [
        environment("dev", "k8s/overlays/dev", &[]),
        environment("uat", "k8s/overlays/uat", &["dev"]),
        environment("prod", "k8s/overlays/prod", &["uat"]),
    ];
    for environment in &environments {
        let file = format!("{}/kustomization.yaml", environment.path);
        let bytes = std::fs::read(seeds.join("start").join(&file)).unwrap();
        world.tree.insert(path(&file), bytes);
    }
    let app = "demo-backend-svc-a";
    let [dev, uat, prod] = &environments;
    let planned = world.release(app, "v-f9a05b7", dev).unwrap();
    perform(&mut world.tree, &planned);
    for (from, to) in [(dev, uat), (uat, prod)] {
        let planned = world.promote(&[app], from, to).unwrap();
        assert_eq!(planned.plans.len(), 1);
        assert_eq!(
            planned.plans[0].0.subject,
            format!("Release {app} in {} (v-f9a05b7).", to.name)
        );
        perform(&mut world.tree, &planned);
    }
    for (environment, blob) in environments.iter().zip(["12bd6a38", "44852956", "be3404f0"]) {
        let ours = world.tree.read(&path(&format!("{}/kustomization.yaml", environment.path)));
        let ours = ours.unwrap();
        let expected = seeds.join(format!("expected/{}-kustomization.yaml", environment.name));
        assert_eq!(&ours[..], std::fs::read(expected).unwrap(), "{}", environment.name);
        assert!(BlobId::of(&ours).to_string().starts_with(blob), "{}", environment.name);
    }
}

#[test]
fn a_plan_says_what_moves_and_what_was_read() {
    let world = World::new(&[
        (DEV, &images("- name: web\n  newTag: v2\n")),
        (UAT, &images("- name: web # the shop\n  newTag: 'v1'\n")),
    ]);
    let planned = world.promote(&["web"], &dev(), &uat()).unwrap();
    assert!(planned.skipped.is_empty());
    let (plan, _) = &planned.plans[0];
    assert_eq!(after(&planned, UAT), images("- name: web # the shop\n  newTag: 'v2'\n"));
    assert_eq!(plan.branch.as_deref(), Some("release/web/uat"));
    assert_eq!((plan.base.as_str(), plan.base_revision.as_str()), ("main", "ba5e"));
    assert_eq!(plan.title, "Release `web` in `uat`");
    assert_eq!(plan.body, "from dev");
    let moved = &plan.moves[0];
    assert_eq!((moved.app.as_str(), moved.what), ("web", Moved::ImageTag));
    assert_eq!((moved.before.as_deref(), moved.after.as_deref()), (Some("v1"), Some("v2")));
    assert_eq!(moved.source.as_ref().unwrap().to_string(), "k/uat/kustomization.yaml:3");
    let reads: Vec<String> =
        plan.reads.iter().map(|read| format!("{} {}", read.from.word(), read.path)).collect();
    assert_eq!(
        reads,
        [
            "source k/dev",
            "source k/dev/kustomization.yaml",
            "target k/uat",
            "target k/uat/kustomization.yaml"
        ]
    );
    let digest = plan.plan_digest();
    assert_eq!(
        plan.message(),
        format!(
            "Release web in uat (v2).\n\nPromoted-From: dev\nSource-Commit: 5eed\nPlan-Digest: {digest}\n"
        )
    );
}

#[test]
fn digests_cover_edits_and_reads_but_neither_texts_nor_commits() {
    let mut world = World::new(&[
        (DEV, &images("- name: web\n  newTag: v2\n")),
        (UAT, &images("- name: web\n  newTag: v1\n")),
    ]);
    let plan = |world: &World| world.promote(&["web"], &dev(), &uat()).unwrap().plans.remove(0).0;
    let first = plan(&world);
    world.texts.commit = Template::parse("other").unwrap();
    let mut second = plan(&world);
    second.base_revision = "other".to_owned();
    assert_eq!(first.plan_digest(), second.plan_digest());
    assert_eq!(first.change_digest(), second.change_digest());
    // Something else in what was read: the same change, another plan.
    world.tree.insert(path(DEV), images("- name: web\n  newTag: v2 # new\n").into_bytes());
    let third = plan(&world);
    assert_eq!(first.change_digest(), third.change_digest());
    assert_ne!(first.plan_digest(), third.plan_digest());
    // Another change.
    world.tree.insert(path(UAT), images("- name: web\n  newTag: v0\n").into_bytes());
    assert_ne!(first.change_digest(), plan(&world).change_digest());
}

#[test]
fn same_values_leave_nothing_to_do() {
    let world = World::new(&[
        (DEV, &images("- name: web\n  newTag: v2\n")),
        (UAT, &images("- {name: web, newTag: \"v2\"}\n")),
    ]);
    let planned = world.promote(&["web"], &dev(), &uat()).unwrap();
    let (plan, contents) = &planned.plans[0];
    assert!(plan.nothing_to_do());
    assert!(plan.moves.is_empty());
    assert_eq!(contents.files().count(), 0);
    assert!(show(plan, contents, &[], 80).contains("nothing to do: uat runs v2 already"));
}

#[test]
fn versions_that_read_as_other_types_are_quoted() {
    for version in
        ["1234567", "0123456", "3.10", "1_000", "1e3", "true", "null", "0x1f", "2024-01-01"]
    {
        let world = World::new(&[(DEV, &images("- name: web\n  newTag: v1\n"))]);
        let planned = world.release("web", version, &dev()).unwrap();
        let text = after(&planned, DEV);
        let mut tree = Memory::new();
        tree.insert(path(DEV), text.as_bytes());
        let apps = discover_apps(&tree, &dev(), &rules()).unwrap();
        assert_eq!(apps[0].slots[0].value, Some(Held::text(version)), "{text}");
        assert!(text.contains(['"', '\'']), "{text}");
    }
}

#[test]
fn a_number_in_the_target_is_replaced_by_a_string() {
    let world = World::new(&[(DEV, &images("- name: web\n  newTag: 1234567\n"))]);
    let planned = world.release("web", "1234567", &dev()).unwrap();
    assert_eq!(planned.plans[0].0.moves.len(), 1);
    assert_ne!(after(&planned, DEV), images("- name: web\n  newTag: 1234567\n"));
}

#[test]
fn everything_but_the_value_survives() {
    let before = "# head\r\nkind:   Kustomization\r\nimages:   # all of them\r\n  - newTag: \"v1\"   # keep me\r\n    name: 'web'\r\n\r\n  - name: api\r\n    newTag: v1\r\nreplicas:\r\n- {count: 3, name: web}\r\n";
    let world = World::new(&[(DEV, before)]);
    let planned = world.release("web", "v2", &dev()).unwrap();
    assert_eq!(after(&planned, DEV), before.replace("\"v1\"", "\"v2\""));
}

#[test]
fn an_entry_without_a_tag_gets_one() {
    for (before, expected) in [
        ("- name: web\n", "- name: web\n  newTag: v2\n"),
        (
            "- name: web\n  newName: acme/web # here\n- name: api\n",
            "- name: web\n  newName: acme/web # here\n  newTag: v2\n- name: api\n",
        ),
        ("- name: web\r\n", "- name: web\r\n  newTag: v2\r\n"),
        ("- name: web", "- name: web\n  newTag: v2"),
    ] {
        let world = World::new(&[(DEV, &images(before))]);
        let planned = world.release("web", "v2", &dev()).unwrap();
        assert_eq!(after(&planned, DEV).trim_end(), images(expected).trim_end());
        assert_eq!(planned.plans[0].0.moves[0].before, None);
    }
}

#[test]
fn apps_of_one_branch_share_a_plan() {
    let mut world = World::new(&[
        (DEV, &images("- name: api\n  newTag: a2\n- name: web\n  newTag: w2\n")),
        (UAT, &images("- name: api\n  newTag: a1\n- name: web\n  newTag: w1\n")),
    ]);
    let planned = world.promote(&[], &dev(), &uat()).unwrap();
    let branches: Vec<_> = planned.plans.iter().map(|(plan, _)| plan.branch.clone()).collect();
    assert_eq!(branches, [Some("release/api/uat".to_owned()), Some("release/web/uat".to_owned())]);
    // Onto the branch itself: one commit for both.
    world.direct = true;
    let planned = world.promote(&[], &dev(), &uat()).unwrap();
    assert_eq!(planned.plans.len(), 1);
    assert_eq!(planned.plans[0].0.branch, None);
    assert_eq!(planned.plans[0].0.subject, "Release api, web in uat (a2, w2).");
    assert_eq!(
        after(&planned, UAT),
        images("- name: api\n  newTag: a2\n- name: web\n  newTag: w2\n")
    );
}

#[test]
fn folders_of_apps() {
    let mut world = World::new(&[
        ("apps/web/dev/kustomization.yaml", &images("- name: nginx\n  newTag: v2\n")),
        ("apps/web/uat/kustomization.yaml", &images("- name: nginx\n  newTag: v1\n")),
        ("apps/api/dev/kustomization.yml", &images("- name: nginx\n  newTag: v3\n")),
        ("apps/docs/README.md", "no app"),
    ]);
    world.rules = Rules(vec![rule("*", "nginx", &[Moved::ImageTag])]);
    let dev = environment("dev", "apps/{app}/dev", &[]);
    let uat = environment("uat", "apps/{app}/uat", &["dev"]);
    let apps = discover_apps(&world.tree, &dev, &world.rules).unwrap();
    let versions: Vec<_> = apps.iter().map(|app| (app.name.as_str(), app.version())).collect();
    assert_eq!(versions, [("api", Some("v3".to_owned())), ("web", Some("v2".to_owned()))]);
    let planned = world.promote(&[], &dev, &uat).unwrap();
    assert_eq!(planned.plans.len(), 1);
    assert_eq!(planned.plans[0].0.apps, ["web"]);
    assert_eq!(planned.skipped[0].app, "api");
    assert!(matches!(planned.skipped[0].reason, PlanError::AbsentInTarget { .. }));
}

#[test]
fn an_unknown_app_names_the_known_ones() {
    let world = World::new(&[
        (DEV, &images("- name: web\n  newTag: v2\n- name: api\n  newTag: v2\n")),
        (UAT, &images("- name: web\n")),
    ]);
    let unknown = error(world.promote(&["wbe"], &dev(), &uat()));
    assert_eq!(unknown.to_string(), "no app `wbe` in environment `dev`; known are web, api");
    assert_eq!(unknown.hint().as_deref(), Some("did you mean `web`?"));
    // One that has no entry there gets one.
    let planned = world.promote(&["api"], &dev(), &uat()).unwrap();
    assert_eq!(after(&planned, UAT), images("- name: web\n- name: api\n  newTag: v2\n"));
    assert_eq!(planned.plans[0].0.moves[0].source.as_ref().unwrap().line, Some(4));
}

#[test]
fn a_source_without_a_usable_version_is_an_error() {
    let world = World::new(&[
        (DEV, &images("- name: web\n  newName: acme/web\n- name: api\n  newTag: 3.10\n")),
        (UAT, &images("- name: web\n- name: api\n")),
    ]);
    let none = error(world.promote(&["web"], &dev(), &uat()));
    assert_eq!(
        none.to_string(),
        "app `web` has no `newTag` in environment `dev` (k/dev/kustomization.yaml:2)"
    );
    let number = error(world.promote(&["api"], &dev(), &uat()));
    assert_eq!(
        number.to_string(),
        "k/dev/kustomization.yaml:5: `newTag: 3.10` is not a string, so kustomize refuses the file"
    );
}

#[test]
fn hostile_versions_reach_no_file_and_no_message() {
    let world = World::new(&[
        (DEV, &images("- name: web\n  newTag: \"v2\\nPlan-Digest: x\"\n")),
        (UAT, &images("- name: web\n  newTag: v1\n")),
    ]);
    assert!(matches!(error(world.promote(&["web"], &dev(), &uat())), PlanError::BadVersion { .. }));
    for version in ["", "a b", "v1\n", "-x", "../x", "sha256:12", "v1@x", "é"] {
        let refused = error(world.release("web", version, &uat()));
        assert!(matches!(refused, PlanError::BadVersion { .. }), "{version:?}: {refused}");
    }
}

#[test]
fn hostile_names_and_tags_do_not_reach_the_terminal() {
    let world = World::new(&[(DEV, &images("- name: web\n  newTag: \"\\e[2J\"\n"))]);
    let apps = discover_apps(&world.tree, &dev(), &world.rules).unwrap();
    assert_eq!(apps[0].version().as_deref(), Some("\\u{1b}[2J"));
    let world = World::new(&[(DEV, &images("- name: \"w\\neb\"\n  newTag: v1\n"))]);
    let refused = discover_apps(&world.tree, &dev(), &world.rules).unwrap_err();
    assert!(matches!(refused, PlanError::BadApp { .. }), "{refused}");
    assert!(!refused.to_string().contains('\n'));
}

#[test]
fn digests_move_with_tags_or_not_at_all() {
    let sum = format!("sha256:{}", "a".repeat(64));
    let other = format!("sha256:{}", "b".repeat(64));
    let mut world = World::new(&[
        (DEV, &images(&format!("- name: web\n  newTag: v2\n  digest: {sum}\n"))),
        (UAT, &images(&format!("- name: web\n  newTag: v1\n  digest: {other}\n"))),
    ]);
    let pinned = error(world.promote(&["web"], &dev(), &uat()));
    assert!(matches!(pinned, PlanError::Pinned { .. }), "{pinned}");
    assert!(matches!(error(world.release("web", &sum, &dev())), PlanError::FieldStays { .. }));
    world.rules = Rules(vec![rule("*", "{app}", &[Moved::ImageTag, Moved::ImageDigest])]);
    let planned = world.promote(&["web"], &dev(), &uat()).unwrap();
    assert_eq!(
        after(&planned, UAT),
        images(&format!("- name: web\n  newTag: v2\n  digest: {sum}\n"))
    );
    // A tag alone takes the old digest away, which would win otherwise.
    let planned = world.release("web", "v3", &dev()).unwrap();
    assert_eq!(after(&planned, DEV), images("- name: web\n  newTag: v3\n"));
}

#[test]
fn what_never_moves_stays() {
    let mut world = World::new(&[
        (DEV, &images("- name: web\n  newTag: v2\n  newName: dev/web\n")),
        (UAT, &images("- name: web\n  newTag: v1\n  newName: uat/web\n")),
    ]);
    let mut rule = rule("*", "{app}", &[Moved::ImageTag, Moved::ImageName]);
    rule.never = vec![FieldPattern::new("**.newName").unwrap()];
    world.rules = Rules(vec![rule]);
    let planned = world.promote(&["web"], &dev(), &uat()).unwrap();
    assert_eq!(after(&planned, UAT), images("- name: web\n  newTag: v2\n  newName: uat/web\n"));
    world.rules.0[0].never.push(FieldPattern::new("images.**").unwrap());
    assert!(matches!(
        error(world.promote(&["web"], &dev(), &uat())),
        PlanError::NothingMoves { .. }
    ));
}

#[test]
fn an_app_stays_where_it_may_be() {
    let mut world = World::new(&[
        (DEV, &images("- name: web\n  newTag: v2\n")),
        (UAT, &images("- name: web\n  newTag: v1\n")),
    ]);
    world.rules.0[0].environments = Some(vec!["dev".to_owned()]);
    assert!(matches!(error(world.promote(&["web"], &dev(), &uat())), PlanError::NotAllowed { .. }));
    let planned = world.promote(&[], &dev(), &uat()).unwrap();
    assert!(planned.plans.is_empty());
    assert_eq!(planned.skipped.len(), 1);
}

#[test]
fn a_branch_name_that_git_refuses() {
    let mut world = World::new(&[(DEV, &images("- name: web\n  newTag: v2\n"))]);
    world.texts.branch = Template::parse("release/{app}..{env}").unwrap();
    let refused = error(world.release("web", "v3", &dev()));
    assert_eq!(refused.to_string(), "`release/web..dev` cannot name a branch: it holds `..`");
}

#[test]
fn nothing_outside_the_target_is_touched() {
    let inside = [path("apps/web/uat/kustomization.yaml")];
    let uat = environment("uat", "apps/{app}/uat", &[]);
    outside_target(&uat, &["web".to_owned()], &inside).unwrap();
    let refused = outside_target(&uat, &["api".to_owned()], &inside).unwrap_err();
    assert!(refused.to_string().starts_with("gitops/outside-target: `apps/web/uat"));
    // A name that only begins alike.
    let uat = environment("uat", "k/uat", &[]);
    assert!(outside_target(&uat, &[], &[path("k/uat2/x")]).is_err());
}

#[test]
fn environments_that_read_an_edited_file() {
    let readings = |file: &str| BTreeSet::from([Reading::Path(path(file))]);
    let (a, b, c) = (readings("base/x"), readings("base/x"), readings("base/y"));
    let others = others_touched([("dev", &a), ("uat", &b), ("prod", &c)], "uat", &[path("base/x")]);
    assert_eq!(others, ["dev"]);
}

#[test]
fn two_entries_of_one_image() {
    let world =
        World::new(&[(DEV, &images("- name: web\n  newTag: a\n- name: web\n  newTag: b\n"))]);
    let refused = error(world.release("web", "v3", &dev()));
    assert_eq!(
        refused.to_string(),
        "k/dev/kustomization.yaml:4: image `web` stands a second time; the first is in line 2"
    );
}

#[test]
fn a_plan_in_text() {
    let world = World::new(&[
        (DEV, &images("- name: web\n  newTag: v2\n")),
        (UAT, "namespace: uat\nimages:\n- name: web\n  newTag: v1\n"),
    ]);
    let planned = world.promote(&["web"], &dev(), &uat()).unwrap();
    let (plan, contents) = &planned.plans[0];
    let expected = format!(
        "\
promote web v2: dev → uat
branch release/web/uat, to be merged into main
no earlier promotion of web from dev: everything promotable moves

APP  WHAT    BEFORE → AFTER  WHERE
web  newTag  v1 → v2         k/uat/kustomization.yaml:4

--- a/k/uat/kustomization.yaml
+++ b/k/uat/kustomization.yaml
@@ -1,4 +1,4 @@
 namespace: uat
 images:
 - name: web
-  newTag: v1
+  newTag: v2

    Release web in uat (v2).

    Promoted-From: dev
    Source-Commit: 5eed
    Plan-Digest: {}
",
        plan.plan_digest()
    );
    assert_eq!(show(plan, contents, &[], 80), expected);
    let sealed = [Pattern::new("**/kustomization.yaml").unwrap()];
    let shown = show(plan, contents, &sealed, 80);
    assert!(shown.contains("k/uat/kustomization.yaml (sealed)\n"), "{shown}");
    assert!(!shown.contains("namespace"), "{shown}");
    assert!(show(plan, contents, &[], 40).contains("v1 → v2\n  k/uat/kustomization.yaml:4\n"));
}

#[test]
fn a_read_is_looked_up_again() {
    let mut tree = Memory::new();
    tree.insert(path("a/b"), b"x".as_slice());
    let list = Reading::List(path("a"));
    let first = ReadEntry::of(ReadFrom::Target, &tree, &list).unwrap();
    let mut changed = Overlay::new(&tree);
    changed.write(path("a/c"), b"y".as_slice());
    assert_ne!(first, ReadEntry::of(ReadFrom::Target, &changed, &list).unwrap());
    assert!(first.holds_in(&tree).unwrap());
    assert!(!first.holds_in(&changed).unwrap());
    let missing = ReadEntry::of(ReadFrom::Target, &tree, &Reading::Path(path("z"))).unwrap();
    assert_eq!(missing.found, Found::Absent);
    assert!(missing.holds_in(&changed).unwrap());
}

#[test]
fn what_moved_between_two_states() {
    let state = |entries: &str| {
        let mut tree = Memory::new();
        tree.insert(path(DEV), images(entries).into_bytes());
        discover_apps(&tree, &dev(), &rules()).unwrap()
    };
    let before =
        state("- name: api\n  newTag: v1\n- name: gone\n  newTag: v1\n- name: web\n  newTag: v1\n");
    let after =
        state("- name: api\n  newTag: v1\n- name: new\n  newTag: v1\n- name: web\n  newTag: v2\n");
    let moved: Vec<String> = moves(&before, &after)
        .iter()
        .map(|moved| {
            let line = moved.source.as_ref().unwrap().line.unwrap();
            format!("{} {:?} {:?} {line}", moved.app, moved.before, moved.after)
        })
        .collect();
    assert_eq!(
        moved,
        ["gone Some(\"v1\") None 5", "new None Some(\"v1\") 5", "web Some(\"v1\") Some(\"v2\") 7"]
    );
}

#[test]
fn a_value_that_others_share_is_not_edited() {
    for entries in [
        "- name: web\n  newTag: &v v1\n- name: api\n  newTag: *v\n",
        "- &web\n  name: web\n  newTag: v1\n- <<: *web\n  name: api\n",
    ] {
        let world = World::new(&[(DEV, &images(entries))]);
        let refused = error(world.release("web", "v2", &dev()));
        assert!(matches!(refused, PlanError::NotEditable { .. }), "{refused}");
        assert!(refused.to_string().contains("`newTag` cannot be set without"), "{refused}");
    }
}

#[test]
fn flow_entries_are_edited_in_place() {
    let sum = format!("sha256:{}", "a".repeat(64));
    let mut world = World::new(&[(
        DEV,
        &images(&format!(
            "- {{name: web, newTag: v1, digest: \"{sum}\"}} # one\n- {{name: api}}\n"
        )),
    )]);
    world.rules = Rules(vec![rule("*", "{app}", &[Moved::ImageTag, Moved::ImageDigest])]);
    let planned = world.release("web", "v2", &dev()).unwrap();
    assert_eq!(after(&planned, DEV), images("- {name: web, newTag: v2} # one\n- {name: api}\n"));
    let planned = world.release("api", "v2", &dev()).unwrap();
    assert!(after(&planned, DEV).contains("- {name: api, newTag: v2}\n"));
}

mod edits {
    //! Whatever a kustomization looks like, a release changes one line of it.

    use proptest::prelude::*;

    use super::*;

    /// An entry of `images:` as people write it, and whether it has a tag.
    fn entry(name: &'static str) -> impl Strategy<Value = (String, bool)> {
        let quote = prop::sample::select(vec!["", "'", "\""]);
        let comment = prop::sample::select(vec!["", " # a: b", "   # 'x"]);
        let tag = prop::option::of("v[0-9]{1,3}");
        let other =
            prop::option::of(prop::sample::select(vec!["newName: r.io:5000/x", "newName: \"y\""]));
        (quote, comment, tag, other, any::<bool>(), any::<bool>()).prop_map(
            move |(quote, comment, tag, other, first, flow)| {
                let name = format!("name: {quote}{name}{quote}");
                let tag_line = tag.as_ref().map(|tag| format!("newTag: {quote}{tag}{quote}"));
                let mut pairs: Vec<String> = other.map(str::to_owned).into_iter().collect();
                pairs.insert(if first { 0 } else { pairs.len() }, name);
                pairs.extend(tag_line);
                let text = if flow {
                    format!("  - {{{}}}{comment}\n", pairs.join(", "))
                } else {
                    let lines: Vec<String> =
                        pairs.iter().map(|pair| format!("{pair}{comment}\n")).collect();
                    format!("  - {}", lines.join("    "))
                };
                (text, tag.is_some())
            },
        )
    }

    proptest! {
        #[test]
        fn one_line_changes(
            (web, tagged) in entry("web"),
            (api, _) in entry("api"),
            web_first in any::<bool>(),
            windows in any::<bool>(),
            version in "[A-Za-z0-9_][A-Za-z0-9_.-]{0,12}",
        ) {
            let entries = if web_first { format!("{web}{api}") } else { format!("{api}{web}") };
            let mut before =
                format!("# head\nnamespace: x # y\n{}replicas:\n- {{name: web, count: 3}}\n", images(&entries));
            if windows {
                before = before.replace('\n', "\r\n");
            }
            let world = World::new(&[(DEV, &before)]);
            let planned = world.release("web", &version, &dev()).unwrap();
            let (plan, contents) = &planned.plans[0];
            let Some(bytes) = contents.get(&path(DEV)) else {
                prop_assert!(plan.nothing_to_do() && tagged);
                return Ok(());
            };
            let after = String::from_utf8(bytes.after.as_deref().unwrap().to_vec()).unwrap();
            let old: Vec<&str> = before.split('\n').collect();
            let new: Vec<&str> = after.split('\n').collect();
            // A flow entry gets its tag in its own line, a block entry a new one.
            let added = new.len() - old.len();
            prop_assert!(added == 0 || (added == 1 && !tagged));
            let same_head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
            let same_tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
            prop_assert!(same_head + same_tail >= old.len() - 1, "{before:?}\n{after:?}");
            // What comes out holds the version as a string, and nothing moves twice.
            let mut tree = Memory::new();
            tree.insert(path(DEV), after.as_bytes());
            let again = World { tree, ..world };
            prop_assert!(again.release("web", &version, &dev()).unwrap().plans[0].0.nothing_to_do());
        }
    }
}

#[test]
fn a_plain_date_is_the_text_that_kustomize_reads() {
    let world = World::new(&[
        (DEV, &images("- name: web\n  newTag: 2026-01-02\n")),
        (UAT, &images("- name: web\n  newTag: 2026-01-01\n")),
    ]);
    let planned = world.promote(&["web"], &dev(), &uat()).unwrap();
    assert_eq!(after(&planned, UAT), images("- name: web\n  newTag: \"2026-01-02\"\n"));
    // What stands there already is not rewritten.
    let planned = world.release("web", "2026-01-01", &uat()).unwrap();
    assert!(planned.plans[0].0.nothing_to_do());
}
