//! What is read, and what is refused where.
#![allow(clippy::unwrap_used)]

use gitops_core::plan::Values;
use gitops_tree::Memory;

use super::*;

mod gates;

const HEAD: &str = "apiVersion: kubectl-gitops.dev/v1alpha1\nkind: GitOps\n";

const THREE: &str = "environments:
- name: dev
  path: k8s/overlays/dev
  merge: direct
- {name: uat, path: k8s/overlays/uat}
- {name: prod, path: k8s/overlays/prod}
";

fn with(text: &str) -> Result<Config, ConfigError> {
    let mut tree = Memory::new();
    tree.insert(TreePath::new(FILE).unwrap(), format!("{HEAD}{text}").as_bytes());
    read(&tree)
}

/// The problems, as `line:column: message` and `hint` each; lines count from
/// below the head.
#[track_caller]
fn refused(text: &str, expected: &[(&str, Option<&str>)]) {
    let error = with(text).expect_err("there is something wrong");
    let found: Vec<(String, Option<String>)> = error
        .problems
        .iter()
        .map(|problem| {
            let place = problem.place.expect("problems in the file have a place");
            let line = i64::from(place.line) - 2;
            (format!("{line}:{}: {}", place.column, problem.message), problem.hint.clone())
        })
        .collect();
    let expected: Vec<(String, Option<String>)> = expected
        .iter()
        .map(|(message, hint)| ((*message).to_owned(), hint.map(str::to_owned)))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn defaults() {
    let config = with(THREE).unwrap();
    let names: Vec<&str> = config.environments.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["dev", "uat", "prod"]);
    let [dev, uat, prod] = config.environments.as_slice() else { panic!("three") };
    assert_eq!(dev.after, After::All(Vec::new()));
    assert_eq!(uat.after, After::All(vec!["dev".to_owned()]));
    assert_eq!(prod.after, After::All(vec!["uat".to_owned()]));
    assert_eq!((dev.merge, uat.merge), (Merge::Direct, Merge::Manual));
    assert_eq!(config.trust_branch, None);
    assert_eq!(config.policies, None);
    let values = Values { app: "web", env: "uat", version: "v1", from: "dev" };
    assert_eq!(config.texts.branch.render(values), "release/web/uat");
    assert_eq!(config.texts.commit.render(values), "Release web in uat (v1).");
    assert_eq!(config.texts.title.render(values), "Release `web` in `uat`");
    assert!(config.rules.of("anything").is_some());
    let reference = uat.reference("main");
    assert_eq!((reference.git_ref.as_str(), reference.path.as_str()), ("main", "k8s/overlays/uat"));
}

#[test]
fn everything_this_version_acts_on() {
    let config = with(
        "trust: {branch: main}
environments:
- name: dev
  path: apps/{app}/dev
  branch: env/dev
  roots: [clusters/dev]
  clusters: [{name: ace-test, context: ace, path: clusters/ace-test}]
  controller: flux
  merge: auto
  method: rebase
- {name: uat, path: 'apps/{app}/uat', after: [dev], controller: argocd}
- {name: perf, path: 'apps/{app}/perf', after: {any: [dev]}, controller: kubectl}
- {name: prod, path: 'apps/{app}/prod/', after: {all: [uat, perf]}}
apps:
- match: web-*
  promote:
  - image: {name: 'acme/{app}', fields: [newTag, digest, newName]}
  never: ['**.replicas']
  only: {environments: [dev, uat]}
policies: policies/bindings.yaml
pullRequest:
  branch: 'p/{app}/{env}'
  commit: '{app} {{x}} {from}'
  title: t
  body: |
    {version}
  labels: [promotion]
  reviewers: [kim, acme/platform]
forge: {kind: gitea, url: 'https://git.example/forge/'}
diff: {ignore: [{kind: Deployment, pointer: /spec/replicas, reason: HPA}]}
seal: [{kind: MyCredential, pointer: /spec/token}, {path: '**/.env'}]
",
    )
    .unwrap();
    assert_eq!(config.trust_branch.as_deref(), Some("main"));
    let prod = config.environment("prod").unwrap();
    assert_eq!(prod.path, "apps/{app}/prod");
    assert_eq!(prod.after, After::All(vec!["uat".to_owned(), "perf".to_owned()]));
    assert_eq!(config.environment("perf").unwrap().after, After::Any(vec!["dev".to_owned()]));
    let dev = config.environment("dev").unwrap();
    assert_eq!(dev.merge, Merge::Auto);
    assert_eq!(dev.controller, Some(Controller::Flux));
    assert_eq!(dev.clusters[0].context.as_deref(), Some("ace"));
    assert_eq!(dev.reference("main").git_ref, "env/dev");
    assert!(config.rules.of("web-a").is_some() && config.rules.of("api").is_none());
    assert_eq!(config.ignore[0].reason, "HPA");
    assert_eq!(config.seal.len(), 2);
    assert_eq!(config.texts.labels, ["promotion"]);
    assert_eq!(config.texts.reviewers, ["kim", "acme/platform"]);
    assert_eq!(config.forge.kind, Some(gitops_forge::Kind::Gitea));
    assert_eq!(config.forge.url.as_deref(), Some("https://git.example/forge/"));
}

#[test]
fn environments_stand_behind_those_they_come_after() {
    let config = with(
        "environments:
- {name: prod, path: prod, after: [uat]}
- {name: dev, path: dev, after: []}
- {name: uat, path: uat}
",
    )
    .unwrap();
    let names: Vec<&str> = config.environments.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["dev", "uat", "prod"]);
}

#[test]
fn a_missing_file_says_what_works_without_it() {
    let error = read(&Memory::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "gitops.yaml: there is no such file at the root of the repository, and no folder with a `prify.yml`"
    );
    assert_eq!(error.problems[0].kind, ProblemKind::Missing);
    assert!(error.hints().next().unwrap().contains("`-k DIR`"));
}

#[test]
fn unknown_keys_are_found_all_at_once() {
    refused(
        &format!("{}environmets: []\n", THREE.replace("merge:", "merg:")),
        &[
            ("4:3: unknown key `merg`", Some("did you mean `merge`?")),
            ("7:1: unknown key `environmets`", Some("did you mean `environments`?")),
        ],
    );
    refused(
        &format!("{THREE}trust: {{xyzzy: 1}}\n"),
        &[("7:9: unknown key `xyzzy`", Some("known are `branch`"))],
    );
}

#[test]
fn a_forge_and_reviewers_that_cannot_be() {
    for (text, expected) in [
        ("forge: {kind: gitee}\n", ("7:15: `gitee` is not a forge", Some("did you mean `gitea`?"))),
        (
            "forge: {kind: svn}\n",
            ("7:15: `svn` is not a forge", Some("known are github, gitlab, gitea, forgejo")),
        ),
        (
            "forge: {url: 'ssh://git.example'}\n",
            (
                "7:14: the forge's `url` is not an https or http address with a host",
                Some("write https://HOST"),
            ),
        ),
        (
            "forge: {url: 'https://t:s3cret@git.example'}\n",
            (
                "7:14: the forge's `url` holds a credential",
                Some(
                    "take it out and revoke it; tokens come from the environment or `git credential`",
                ),
            ),
        ),
        (
            "pullRequest: {reviewers: [kim, '@acme/x']}\n",
            (
                "7:32: `@acme/x` cannot name a reviewer",
                Some("write the login of a user, or ORG/TEAM, without `@`"),
            ),
        ),
    ] {
        refused(&format!("{THREE}{text}"), &[expected]);
    }
}

#[test]
fn keys_of_later_versions_are_refused_not_ignored() {
    for (text, at) in [
        ("discover: flux\n", "7:1: `discover`"),
        ("notify: {}\n", "7:1: `notify`"),
        ("endpoints: {}\n", "7:1: `endpoints`"),
        ("apps: [{match: a, promote: [{render: {}}]}]\n", "7:30: `render`"),
    ] {
        let message = format!("{at} is not supported yet by this version");
        refused(
            &format!("{THREE}{text}"),
            &[(&message, Some("take it out, since it would be ignored"))],
        );
    }
    let error = with("environments: [{name: a, path: a}]\nnotify: {}\n").unwrap_err();
    assert_eq!(error.problems[0].kind, ProblemKind::NotSupported);
}

#[test]
fn a_gate_that_is_not_evaluated_refuses_promotions() {
    let config = with(&THREE.replace(
        "path: k8s/overlays/uat}",
        "path: k8s/overlays/uat, gates: [{converged: dev}, {soak: 30m}, {canary: {}}]}",
    ))
    .unwrap();
    let error = config.environment("uat").unwrap().refuse_unevaluated_gates().unwrap_err();
    assert_eq!(error.problems.len(), 2);
    assert!(
        error.to_string().starts_with(
            "gitops.yaml:7:47: gate `converged` of environment `uat` is not evaluated by this version"
        ),
        "{error}"
    );
    config.environment("dev").unwrap().refuse_unevaluated_gates().unwrap();
    refused(
        &format!("{THREE}- {{name: x, path: x, gates: [{{soack: 1m}}]}}\n"),
        &[("7:31: unknown key `soack`", Some("did you mean `soak`?"))],
    );
}

#[test]
fn contradictions() {
    refused(
        "environments:\n- {name: a, path: k}\n- {name: a, path: j}\n",
        &[("3:10: a second environment `a`; the first is in line 4", None)],
    );
    refused(
        "environments:\n- {name: a, path: k/x}\n- {name: b, path: k/./x}\n",
        &[(
            "3:19: environments `a` and `b` have one path, `k/x`",
            Some(
                "a change of one would change the other; give each its own folder, or its own `branch`",
            ),
        )],
    );
    with("environments:\n- {name: a, path: k, branch: a}\n- {name: b, path: k, branch: b}\n")
        .unwrap();
    refused(
        "environments:\n- {name: a, path: ../k}\n",
        &[(
            "2:19: `../k` leads out of the repository",
            Some("paths start at the root of the repository and stay in it"),
        )],
    );
    refused(
        "environments:\n- {name: dev, path: k}\n- {name: b, path: j, after: [dve]}\n",
        &[("3:29: no environment `dve`", Some("did you mean `dev`?"))],
    );
    refused(
        "environments:\n- {name: a, path: k, after: [b]}\n- {name: b, path: j, after: [a]}\n",
        &[(
            "2:3: a circle of `after` among a, b",
            Some(
                "an environment without `after` comes after the one above it; write `after: []` for the first",
            ),
        )],
    );
    refused(
        "environments:\n- {name: a, path: k, merge: direct, gates: [{approvals: {min: 2}}]}\n",
        &[(
            "2:45: gate `approvals` looks at a request, but `merge: direct` of `a` opens none",
            Some("write `merge: manual` or `merge: auto`"),
        )],
    );
    refused(
        "environments:\n- {name: a, path: k, method: squash}\n",
        &[(
            "2:30: `method` says how the tool merges, but `merge` is not `auto`",
            Some("write `merge: auto`, or take `method` out"),
        )],
    );
    refused(
        "environments:\n- {name: a, path: k, after: {all: [], any: []}}\n",
        &[("2:29: `after` takes either `all` or `any`", None)],
    );
    refused("environments: []\n", &[("1:15: there are no environments", None)]);
}

#[test]
fn an_environment_may_have_texts_of_its_own() {
    let config = with(
        "environments:
- name: dev
  path: k/dev
  pullRequest: {commit: \"{app} ({version#v-})\", labels: []}
- {name: prod, path: k/prod}
pullRequest: {title: \"{app}\", labels: [a]}
",
    )
    .unwrap();
    let (dev, prod) = (&config.environments[0], &config.environments[1]);
    let values = Values { app: "web", env: "dev", version: "v-1", from: "" };
    let texts = config.texts_of(dev);
    assert_eq!(texts.commit.render(values), "web (1)");
    assert_eq!((texts.title.render(values).as_str(), texts.labels.len()), ("web", 0));
    assert_eq!(config.texts_of(prod).commit.render(values), "Release web in dev (v-1).");
    assert_eq!(config.texts_of(prod).labels, ["a"]);
    refused(
        "environments:
- {name: dev, path: k/dev, pullRequest: {commit: \" \", title: \"{ap}\"}}
",
        &[
            ("2:50: the message is empty", None),
            (
                "2:62: unknown template variable `{ap}`; known are `{app}`, `{env}`, `{version}`, `{from}`",
                Some("did you mean `app`?"),
            ),
        ],
    );
}

#[test]
fn templates_name_what_is_known() {
    refused(
        &format!("{THREE}pullRequest:\n  title: '{{ap}}'\n"),
        &[(
            "8:10: unknown template variable `{ap}`; known are `{app}`, `{env}`, `{version}`, `{from}`",
            Some("did you mean `app`?"),
        )],
    );
    refused(
        "environments:\n- {name: a, path: 'k/{env}'}\n",
        &[("2:19: unknown template variable `{env}`; known are `{app}`", None)],
    );
    refused(
        &format!("{THREE}pullRequest: {{branch: 'x y/{{env}}'}}\n"),
        &[(
            "7:23: `x y/{env}` cannot name a branch: it holds a blank, a control character or one of `~^:?*[\\`",
            None,
        )],
    );
    refused(
        &format!("{THREE}pullRequest: {{branch: 'r/{{app}}'}}\n"),
        &[(
            "7:23: requests of `uat` and `prod` would share the branch `r/{app}`",
            Some("put `{env}` into it"),
        )],
    );
}

#[test]
fn apps_that_name_nothing() {
    refused(
        &format!("{THREE}apps:\n- match: '*'\n  promote: [{{image: {{name: nginx}}}}]\n"),
        &[(
            "9:28: image `nginx` belongs to no one app: neither it nor `match` names one",
            Some("put `{app}` into the name, or match one app by its name"),
        )],
    );
    refused(
        &format!("{THREE}apps:\n- match: '['\n- match: a\n  only: {{environments: [pord]}}\n"),
        &[
            ("8:10: `[` is not a glob: unclosed character class; missing ']'", None),
            ("10:25: no environment `pord`", Some("did you mean `prod`?")),
        ],
    );
}

#[test]
fn types_are_checked_where_they_stand() {
    for (text, place) in [
        ("environments: dev\n", "gitops.yaml:3:"),
        ("environments: [{name: a}]\n", "gitops.yaml:3:"),
        ("environments: [{name: a, path: b, merge: sometimes}]\n", "gitops.yaml:3:"),
        ("environments: [{name: a, path: b, after: 3}]\n", "gitops.yaml:3:"),
        ("environments: [\n", "gitops.yaml:"),
        ("environments: [{name: a, path: b}]\n---\na: b\n", "gitops.yaml:5:1: a second document"),
    ] {
        let error = with(text).unwrap_err();
        assert!(error.to_string().starts_with(place), "{text}: {error}");
        assert_eq!(error.problems[0].kind, ProblemKind::Shape, "{text}");
    }
    let error = with("").unwrap_err();
    assert!(error.to_string().contains("environments"), "{error}");
}

#[test]
fn another_kind_of_file() {
    let mut tree = Memory::new();
    let text = "apiVersion: v1\nkind: ConfigMap\nenvironments: [{name: a, path: b}]\n";
    tree.insert(TreePath::new(FILE).unwrap(), text.as_bytes());
    let error = read(&tree).unwrap_err();
    assert_eq!(
        error.to_string(),
        "gitops.yaml:1:13: `apiVersion: v1` is not known: write `kubectl-gitops.dev/v1alpha1`\ngitops.yaml:2:7: `kind: ConfigMap` is not known: write `GitOps`"
    );
}

#[test]
fn an_unknown_environment_names_the_nearest_first() {
    let config = with(THREE).unwrap();
    let error = config.environment("pord").unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("did you mean `prod`?"));
    assert!(
        error.to_string().starts_with("no environment `pord` in gitops.yaml; known are prod, ")
    );
    assert_eq!(config.environment("staging").unwrap_err().hint(), None);
}

#[test]
fn keys_and_types_agree() {
    // Every key the walk lets through is one that decoding knows: a file with
    // all of them decodes (`everything_this_version_acts_on`), and one that
    // the walk does not know is refused by both.
    let text = format!("{HEAD}{THREE}nonsense: 1\n");
    let documents = gitops_yaml::read(FileId(0), text.as_bytes()).unwrap();
    let root = documents[0].root.as_ref().unwrap();
    assert_eq!(keys::check(root).len(), 1);
    assert!(gitops_yaml::decode::<file::File>(root).is_err());
}

#[test]
fn repositories_are_known_and_hold_no_credential() {
    let text =
        "repositories: {prod: {url: ../prod.git}, apps: {url: 'git@h:acme/apps.git', branch: live}}
environments:
  - {name: dev, path: dev}
  - {name: uat, path: dev, repository: apps}
  - {name: prod, path: dev, repository: prod, from: [dev]}
";
    let config = with(text).unwrap();
    assert_eq!(config.repositories["apps"].branch.as_deref(), Some("live"));
    assert_eq!(config.environments[2].repository.as_deref(), Some("prod"));
    assert_eq!(config.targets("dev"), ["uat", "prod"]);
    assert_eq!(config.environments[2].must_hold("dev"), ["dev"]);
    config.refuse_one_place("main").unwrap();

    for (url, reason) in [
        ("https://user:secret@h/x", "holds a credential"),
        ("https://secret@h/x", "holds a credential"),
        ("ssh://git:secret@h/x", "holds a credential"),
        ("--upload-pack=x", "is no address"),
        ("ext::sh -c x", "is no address"),
        ("ext::x", "is no address that is fetched from"),
        ("ftp://h/x", "is no address that is fetched from"),
        ("prod.git", "is no address that is fetched from"),
        ("''", "is empty"),
    ] {
        let error = with(&format!(
            "repositories: {{apps: {{url: {url}}}}}\nenvironments: [{{name: a, path: a}}]\n"
        ));
        let error = error.unwrap_err().to_string();
        assert!(error.contains(&format!("the `url` of `apps` {reason}")), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
    refused(
        "repositories: {a: {url: https://h/x}, b: {url: 'git@h:x.git'}}
environments:
  - {name: dev, path: a, repository: c}
  - {name: uat, path: b, from: [dev, uat, pord]}
",
        &[
            (
                "1:48: `a` and `b` are one repository",
                Some("name it once; its environments may have branches of their own"),
            ),
            ("3:38: no repository `c`", Some("did you mean `a`?")),
            ("4:33: `dev` comes before `uat` already", Some("take it out of `from`")),
            ("4:38: `uat` cannot be promoted into itself", None),
            ("4:43: no environment `pord`", Some("known are `dev`, `uat`")),
        ],
    );
}

#[test]
fn one_place_is_found_once_the_branch_is_known() {
    let config =
        with("environments:\n  - {name: a, path: x}\n  - {name: b, path: x, branch: main}\n")
            .unwrap();
    config.refuse_one_place("live").unwrap();
    let error = config.refuse_one_place("main").unwrap_err().to_string();
    assert!(
        error.contains("environments `a` and `b` have one path, `x` on branch `main`"),
        "{error}"
    );
}

#[test]
fn where_versions_are_offered() {
    let with_versions =
        |versions: &str| format!("{THREE}apps:\n- match: web\n  versions: {versions}\n");
    for good in [
        "{tags: https://h/{app}.git}",
        "{tags: 'git@h:shop/{app}', prefix: '{app}/v'}",
        "{tags: ../web.git, prefix: v}",
        "{file: 'versions/{app}.txt'}",
    ] {
        let good = good.replace("h/{app}.git", "h/web.git");
        let config = with(&with_versions(&good)).unwrap();
        assert!(config.rules.of("web").unwrap().versions.is_some(), "{good}");
    }
    refused(
        &with_versions("{tags: shop}"),
        &[(
            "9:20: no repository `shop`",
            Some("write an address, or the name of one of `repositories`"),
        )],
    );
    refused(
        &with_versions("{prefix: v}"),
        &[(
            "9:13: `versions` says where versions are offered, and this says nothing",
            Some("write `versions: {tags: URL}` or `versions: {file: PATH}`"),
        )],
    );
    refused(
        &with_versions("{tags: --upload-pack=/x}"),
        &[("9:20: the address in `tags` is no address", None)],
    );
}
