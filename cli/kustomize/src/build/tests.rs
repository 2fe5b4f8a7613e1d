#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use gitops_tree::Memory;

use super::*;
use crate::parallel::tests::THREADS;

fn tree(files: &[(&str, &str)]) -> Memory {
    let mut tree = Memory::new();
    for (path, text) in files {
        tree.insert(TreePath::new(path).unwrap(), text.as_bytes());
    }
    tree
}

/// Manifests that are worth several threads; every tenth has what `odd` says.
fn manifests(prefix: &str, count: usize, odd: &str) -> String {
    let mut text = String::new();
    for number in 0..count {
        let spec = if number % 10 == 9 { odd } else { "replicas: 1" };
        let _ = write!(
            text,
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {prefix}-{number}\nspec:\n  \
             {spec}\n  template:\n    metadata:\n      labels: {{app: {prefix}-{number}}}\n    spec:\n      \
             serviceAccountName: {prefix}-account\n      containers:\n      - name: main\n        \
             image: shop/{prefix}:v1\n        args: [\"--number={number}\", \"a long text that is folded \
             when it is written, since it goes on and on beyond the width\"]\n"
        );
    }
    text
}

const TOP: &str = "resources: [base, more.yaml, again]\nnamePrefix: top-\nnamespace: there\n\
    labels: [{pairs: {team: a}, includeSelectors: true}]\ncommonAnnotations: {note: b}\n\
    images: [{name: shop/web, newTag: v2}, {name: shop/web, newName: shop/other}]\n";

/// What a build gives on so many threads, all of it.
fn built(files: &[(&str, &str)], threads: usize) -> Result<String, String> {
    THREADS.set(Some(threads));
    let tree = tree(files);
    let rendered = crate::build(&tree, &TreePath::root(), &Options::default())
        .map_err(|errors| errors.to_string())?;
    let mut all = rendered.to_yaml();
    for resource in &rendered.resources {
        let _ = writeln!(
            all,
            "{:?} {:?} {:?} {:?}",
            resource.path, resource.document, resource.line, resource.node.mark
        );
    }
    let _ = write!(all, "{:?} {:?}", rendered.files, rendered.warnings);
    let text = rendered.to_yaml();
    let mut pieces = String::new();
    rendered
        .write_yaml(|piece| {
            pieces.push_str(piece);
            Ok::<_, ()>(())
        })
        .unwrap();
    assert!(pieces == text);
    Ok(all)
}

fn same_on_any_number_of_threads(files: &[(&str, &str)]) -> Result<String, String> {
    let alone = built(files, 1);
    for threads in [2, 4] {
        assert!(built(files, threads) == alone, "{threads} threads give something else");
    }
    alone
}

fn with_odd(first: &str, second: &str) -> Result<String, String> {
    let (web, api) = (manifests("web", 400, first), manifests("api", 400, second));
    same_on_any_number_of_threads(&[
        ("kustomization.yaml", TOP),
        ("base/kustomization.yaml", "bases: [../shared]\nresources: [web.yaml]\n"),
        ("base/web.yaml", &web),
        ("shared/kustomization.yaml", "resources: [account.yaml]\n"),
        (
            "shared/account.yaml",
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web-account}\n",
        ),
        ("more.yaml", &api),
        ("again/kustomization.yaml", "resources: [../shared]\nnameSuffix: -again\n"),
    ])
}

#[test]
fn threads_do_not_show_in_the_result() {
    let text = with_odd("replicas: 2", "replicas: 3").unwrap();
    assert!(text.contains("image: shop/other:v2\n"));
    assert!(text.contains("serviceAccountName: top-web-account\n"));
    assert!(text.contains("name: top-web-account-again\n"));
}

#[test]
fn threads_do_not_show_in_the_errors() {
    // Of objects in different parts of the set, the first one's is told.
    let error = with_odd("selector: text", "selector: text").unwrap_err();
    assert!(error.contains("top-web-9`"), "{error}");
    // Of files that cannot be parsed, every one's.
    let error = with_odd("a: [", "b: {").unwrap_err();
    assert!(error.contains("base/web.yaml") && error.contains("more.yaml"), "{error}");
}

#[test]
fn a_file_that_two_bases_share_is_read_for_both() {
    let files = [
        ("kustomization.yaml", "resources: [a, b]\n"),
        ("a/kustomization.yaml", "resources: [../c]\nnamePrefix: a-\n"),
        ("b/kustomization.yaml", "resources: [../c]\nnamePrefix: b-\n"),
        ("c/kustomization.yaml", "resources: [d.yaml]\n"),
        ("c/d.yaml", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: d}\n"),
    ];
    let text = same_on_any_number_of_threads(&files).unwrap();
    assert!(text.contains("name: a-d\n") && text.contains("name: b-d\n"), "{text}");
    let mut broken = files;
    broken[4].1 = "a: [\n";
    let error = same_on_any_number_of_threads(&broken).unwrap_err();
    assert!(error.starts_with("c/d.yaml:2:1: "), "{error}");
}
