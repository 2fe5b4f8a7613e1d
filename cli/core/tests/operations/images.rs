//! `image:`: entries that are there, and those that are not.

use super::*;

const K: &str = "kustomization.yaml";
const TAG: [Moved; 1] = [Moved::ImageTag];
const ALL: [Moved; 3] = [Moved::ImageName, Moved::ImageTag, Moved::ImageDigest];

fn promoted(fields: &[Moved], dev: &str, uat: &str) -> String {
    World::new(vec![image("web", fields)], &[(K, dev)], &[(K, uat)]).promoted(K)
}

#[test]
fn an_image_without_an_entry_gets_one_in_the_style_of_the_file() {
    let dev = "images:\n- name: web\n  newTag: v2\n";
    for (uat, expected) in [
        // No list, in a file of any layout.
        ("resources:\n- a\n", "resources:\n- a\nimages:\n- name: web\n  newTag: v2\n"),
        ("resources:\n  - a\n", "resources:\n  - a\nimages:\n  - name: web\n    newTag: v2\n"),
        ("resources: [a]", "resources: [a]\nimages:\n- name: web\n  newTag: v2"),
        (
            "resources:\r\n- a\r\n",
            "resources:\r\n- a\r\nimages:\r\n- name: web\r\n  newTag: v2\r\n",
        ),
        (
            "resources:\n- a # one\n\n# the end\n",
            "resources:\n- a # one\nimages:\n- name: web\n  newTag: v2\n\n# the end\n",
        ),
        ("# nothing yet\n", "# nothing yet\nimages:\n- name: web\n  newTag: v2\n"),
        ("", "images:\n- name: web\n  newTag: v2\n"),
        ("{}\n", "{images: [{name: web, newTag: v2}]}\n"),
        (
            "{\"resources\": [\"a\"]}\n",
            "{\"resources\": [\"a\"], \"images\": [{\"name\": \"web\", \"newTag\": \"v2\"}]}\n",
        ),
        // An empty list.
        ("images:\n", "images:\n- name: web\n  newTag: v2\n"),
        (
            "images: # none\nnamespace: x\n",
            "images: # none\n- name: web\n  newTag: v2\nnamespace: x\n",
        ),
        (
            "resources:\n  - a\nimages:\n",
            "resources:\n  - a\nimages:\n  - name: web\n    newTag: v2\n",
        ),
        ("images: []\n", "images: [{name: web, newTag: v2}]\n"),
        ("images: null\n", "images: [{name: web, newTag: v2}]\n"),
        // A list without it.
        (
            "images:\n- name: api\n  newTag: a # x\nnamespace: y\n",
            "images:\n- name: api\n  newTag: a # x\n- name: web\n  newTag: v2\nnamespace: y\n",
        ),
        (
            "images:\n    -   name: 'api'\n        newTag: 'a'\n",
            "images:\n    -   name: 'api'\n        newTag: 'a'\n    -   name: web\n        newTag: v2\n",
        ),
        ("images: [{name: api}]\n", "images: [{name: api}, {name: web, newTag: v2}]\n"),
        (
            "images:\n- {name: api, newTag: a}\n",
            "images:\n- {name: api, newTag: a}\n- name: web\n  newTag: v2\n",
        ),
        (
            "\u{feff}images:\r\n- name: api\r\n",
            "\u{feff}images:\r\n- name: api\r\n- name: web\r\n  newTag: v2\r\n",
        ),
    ] {
        assert_eq!(promoted(&TAG, dev, uat), expected, "{uat:?}");
    }
}

#[test]
fn a_new_entry_has_all_that_moves() {
    let sum = format!("sha256:{}", "a".repeat(64));
    let dev = format!("images:\n- name: web\n  newName: r.io/web\n  newTag: v2\n  digest: {sum}\n");
    assert_eq!(promoted(&ALL, &dev, "namespace: x\n"), format!("namespace: x\n{dev}"));
}

#[test]
fn a_digest_takes_a_tag_of_another_version_away() {
    let (a, b) = (format!("sha256:{}", "a".repeat(64)), format!("sha256:{}", "b".repeat(64)));
    let dev = format!("images:\n- name: web\n  digest: {a}\n");
    for (uat, expected) in [
        (
            "images:\n- name: web\n  newTag: v1 # old\nnamespace: x\n".to_owned(),
            format!("images:\n- name: web\n  digest: {a}\nnamespace: x\n"),
        ),
        (
            format!("images:\n- newTag: v1\n  name: web\n  digest: {b}\n"),
            format!("images:\n- name: web\n  digest: {a}\n"),
        ),
        (
            format!("images:\n- {{newTag: v1, name: web, digest: \"{b}\"}}\n"),
            format!("images:\n- {{name: web, digest: \"{a}\"}}\n"),
        ),
    ] {
        assert_eq!(promoted(&[Moved::ImageDigest], &dev, &uat), expected);
    }
    // Unless it is fenced.
    let uat = format!("images:\n- name: web\n  newTag: v1\n  digest: {b}\n");
    let mut world =
        World::new(vec![image("web", &[Moved::ImageDigest])], &[(K, &dev)], &[(K, &uat)]);
    world.rules.0[0].never.push(FieldPattern::new("**.newTag").unwrap());
    assert_eq!(world.promoted(K), uat.replace(&b, &a));
}

#[test]
fn tags_stay_strings_for_every_reader() {
    for tag in ["1234567", "3.10", "1e3", "yes", "0x1F", "on", "0o17", "1_000", "NO", "2026-01-02"]
    {
        let dev = format!("images:\n- name: web\n  newTag: '{tag}'\n");
        let uat = "images:\n- name: web\n  newTag: v1\n";
        let text = promoted(&TAG, &dev, uat);
        assert_eq!(text, uat.replace("v1", &format!("\"{tag}\"")));
        let added = promoted(&TAG, &dev, "namespace: x\n");
        assert!(added.ends_with(&format!("newTag: \"{tag}\"\n")), "{added}");
    }
}

#[test]
fn a_word_that_kustomize_reads_as_a_boolean_is_refused() {
    let world = World::new(
        vec![image("web", &TAG)],
        &[(K, "images:\n- name: web\n  newTag: yes\n")],
        &[(K, "images:\n- name: web\n  newTag: v1\n")],
    );
    assert!(world.refused().contains("`newTag: yes` is not a string"), "{}", world.refused());
}

#[test]
fn setters_and_overrides_own_their_values() {
    let file = "images:\n- name: web\n  newTag: v1 # {\"$imagepolicy\": \"flux-system:web:tag\"}\n";
    let mut world =
        World::new(vec![image("web", &TAG)], &[(K, &file.replace("v1", "v2"))], &[(K, file)]);
    assert_eq!(world.promoted(K), file.replace("v1", "v2"));
    let owner = |world: &World| world.apps("uat")[0].slots[0].owned_by.clone();
    assert_eq!(owner(&world).as_deref(), Some("Flux image automation (flux-system:web:tag)"));
    let warnings = world.promote().unwrap().plans[0].0.warnings.clone();
    assert_eq!(
        warnings,
        [
            "`newTag` of web (uat/web/kustomization.yaml:3) is written by Flux image automation (flux-system:web:tag), too, which may overwrite it"
        ]
    );
    world.tree.insert(
        path("uat/web/kustomization.yaml"),
        "images:\n- name: web\n  newTag: v1\n".as_bytes(),
    );
    world
        .tree
        .insert(path("uat/web/.argocd-source-web.yaml"), "kustomize:\n  images: []\n".as_bytes());
    assert_eq!(owner(&world).as_deref(), Some("Argo CD Image Updater (.argocd-source-web.yaml)"));
}
