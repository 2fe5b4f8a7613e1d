//! Bindings, policies and the lock in a tree.

use gitops_core::judge::{Decision, decide};
use gitops_policy::{load, write_lock};
use serde_json::json;

use crate::*;

const BINDINGS: &str = "policies/bindings.yaml";

/// A module that is never run.
const WASM: &[u8] = b"\0asm\x0d\0\x01\0";

fn error(tree: &Memory) -> String {
    load(tree, &path(BINDINGS)).unwrap_err().to_string()
}

fn with(files: &[(&str, &str)]) -> Memory {
    let mut tree = tree(WASM, &json!({}));
    for (at, text) in files {
        tree.insert(path(at), text.as_bytes().to_vec());
    }
    tree
}

fn fault(tree: &Memory) -> Fault {
    let set = load(tree, &path(BINDINGS)).unwrap();
    set.policy("under-test").unwrap().module.as_ref().unwrap_err().clone()
}

#[test]
fn without_bindings_nothing_is_bound() {
    let set = load(&Memory::new(), &path(BINDINGS)).unwrap();
    assert_eq!(set.policies().count(), 0);
    assert_eq!(set.bound_to(Some("a"), "b").count(), 0);
}

#[test]
fn bindings_name_steps_and_environments() {
    let head = "apiVersion: kubectl-gitops.dev/v1alpha1\nkind: PolicyBinding\n";
    let bindings = format!(
        "# comment
{head}metadata: {{name: steps}}
spec:
  promotions: [{{from: staging, to: prod}}]
  policies:
    - {{name: under-test, mode: enforce}}
---
{head}spec:
  environments: [prod, perf]
  policies:
    - name: under-test
      mode: warn
      settings: {{a: [1, true, x]}}
---
"
    );
    let set = load(&with(&[(BINDINGS, &bindings)]), &path(BINDINGS)).unwrap();
    let modes = |from: Option<&str>, to: &str| {
        set.bound_to(from, to).map(|b| format!("{:?}@{}", b.mode, b.place)).collect::<Vec<_>>()
    };
    let (first, second) = ("Enforce@policies/bindings.yaml:8", "Warn@policies/bindings.yaml:15");
    assert_eq!(modes(Some("staging"), "prod"), [first, second]);
    assert_eq!(modes(Some("dev"), "prod"), [second]);
    assert_eq!(modes(None, "perf"), [second]);
    assert!(modes(Some("prod"), "staging").is_empty());
    assert_eq!(set.bindings()[0].name.as_deref(), Some("steps"));
    assert_eq!(set.bindings()[1].policies[0].settings, json!({"a": [1, true, "x"]}));
}

#[test]
fn mistakes_have_a_place() {
    let binding = |spec: &str| {
        error(&with(&[(
            BINDINGS,
            &format!("apiVersion: kubectl-gitops.dev/v1alpha1\nkind: PolicyBinding\nspec:\n{spec}"),
        )]))
    };
    let policies = "  policies: [{name: under-test, mode: enforce}]\n";
    let unknown = binding(&format!("  environment: [prod]\n{policies}"));
    assert!(unknown.starts_with("policies/bindings.yaml:4:"), "{unknown}");
    assert!(unknown.contains("environment"), "{unknown}");
    let mode =
        binding("  environments: [prod]\n  policies:\n    - name: under-test\n      mode: off\n");
    assert!(mode.starts_with("policies/bindings.yaml:7:"), "{mode}");
    let nothing = binding(policies);
    assert!(nothing.contains("it binds nothing"), "{nothing}");
    let nothing = binding("  environments: [prod]\n  policies: []\n");
    assert!(nothing.ends_with("it binds nothing: `policies` is empty"), "{nothing}");
    for empty in ["", "# all of it is a comment\n", "---\n"] {
        let nothing = error(&with(&[(BINDINGS, empty)]));
        assert_eq!(
            nothing,
            "policies/bindings.yaml:1:1: it binds nothing: no `PolicyBinding` is in it"
        );
    }
    let missing =
        binding("  environments: [prod]\n  policies:\n    - {name: gone, mode: enforce}\n");
    assert_eq!(
        missing,
        "policies/bindings.yaml:6:1: policy `gone`: `policies/gone/policy.yaml` does not exist"
    );
    let outside = binding("  environments: [prod]\n  policies: [{name: ../evil, mode: enforce}]\n");
    assert!(outside.contains("without slashes"), "{outside}");
    let other = error(&with(&[(BINDINGS, "apiVersion: v1\nkind: List\nspec: {policies: []}\n")]));
    assert!(other.contains("expected `apiVersion: kubectl-gitops.dev/v1alpha1`"), "{other}");
}

#[test]
fn a_manifest_is_held_to_what_can_judge() {
    let manifest = |name: &str, spec: &str| {
        let text = format!(
            "apiVersion: kubectl-gitops.dev/v1alpha1\nkind: Policy\n\
             metadata: {{name: {name}, version: 1.0.0}}\nspec: {{{spec}}}\n"
        );
        error(&with(&[("policies/under-test/policy.yaml", &text)]))
    };
    for (name, spec, expected) in [
        (
            "other",
            "kind: promotion-gate, module: it.wasm, abi: component",
            "its folder is `under-test`",
        ),
        (
            "under-test",
            "kind: canary, module: it.wasm, abi: component",
            "`promotion-gate`, `conformance-check`, or a list of both",
        ),
        ("under-test", "kind: [], module: it.wasm, abi: component", "`kind` names nothing"),
        (
            "under-test",
            "kind: promotion-gate, module: it.wasm, abi: opa",
            "`abi: opa` is not supported",
        ),
        (
            "under-test",
            "kind: promotion-gate, module: it.wasm, abi: component, wasi: inert",
            "wasi",
        ),
        (
            "under-test",
            "kind: promotion-gate, module: ../x.wasm, abi: component",
            "outside its folder",
        ),
        ("under-test", "kind: promotion-gate, module: it.wasm, abi: component, codez: []", "codez"),
    ] {
        let error = manifest(name, spec);
        assert!(error.starts_with("policies/under-test/policy.yaml:"), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

/// A check that only steps are bound to would never be asked.
#[test]
fn a_check_is_bound_to_environments() {
    let manifest = "apiVersion: kubectl-gitops.dev/v1alpha1\nkind: Policy\n\
                    metadata: {name: under-test, version: 1.0.0}\n\
                    spec: {kind: conformance-check, module: it.wasm, abi: component}\n";
    let error = error(&with(&[("policies/under-test/policy.yaml", manifest)]));
    assert!(error.starts_with("policies/bindings.yaml:6:1:"), "{error}");
    assert!(error.contains("this binding names only `promotions`"), "{error}");
}

#[test]
fn what_the_lock_does_not_know_closes_whatever_the_mode() {
    let other = lock(b"other bytes");
    let size = lock(WASM).replace("size = 8", "size = 9");
    for (text, kind, expected) in [
        ("serial = 1\n", "lock", "does not list it"),
        (other.as_str(), "digest", "`policies.lock` has sha256:"),
        (size.as_str(), "digest", "has 9 bytes, its file has 8"),
        (&lock(WASM).replace("1.0.0", "1.0.1"), "lock", "has version 1.0.1"),
        (&format!("{0}{1}", lock(WASM), lock(WASM).replace("serial = 1", "")), "lock", "twice"),
    ] {
        let fault = fault(&with(&[("policies.lock", text)]));
        assert_eq!(fault.kind, kind);
        assert!(fault.message.contains(expected), "{fault:?}");
        assert!(fault.always_closes);
    }
    let malformed = error(&with(&[("policies.lock", "serial = 1\nextra = 2\n")]));
    assert!(malformed.starts_with("policies.lock: "), "{malformed}");
}

#[test]
fn an_unlocked_policy_closes_a_warning_gate() {
    let bindings = "apiVersion: kubectl-gitops.dev/v1alpha1
kind: PolicyBinding
spec:
  environments: [prod]
  policies: [{name: under-test, mode: warn}]
";
    let tree = with(&[(BINDINGS, bindings), ("policies.lock", "serial = 1\n")]);
    let set = load(&tree, &path(BINDINGS)).unwrap();
    let bench = Bench::new();
    let subject = Arc::new(Subject::default());
    let judge = |to: &str| {
        gitops_policy::judge(&bench.host, &set, &request("a", to), &subject, NOW, false).unwrap()
    };
    assert_eq!(decide(&judge("prod")), Decision::Faulty);
    assert!(judge("dev").is_empty());
}

#[test]
fn a_missing_module_is_a_fault_of_its_policy() {
    let mut tree = with(&[]);
    tree.insert(
        path("policies/under-test/policy.yaml"),
        b"apiVersion: kubectl-gitops.dev/v1alpha1
kind: Policy
metadata: {name: under-test, version: 1.0.0}
spec: {kind: promotion-gate, module: gone.wasm, abi: component}
"
        .to_vec(),
    );
    let fault = fault(&tree);
    assert_eq!(fault.message, "`policies/under-test/gone.wasm` does not exist");
    assert!(fault.always_closes);
}

#[test]
fn a_lock_that_was_written_is_kept() {
    let bench = Bench::new();
    let mut tree = tree(guests::no_floating_tag(), &json!({}));
    tree.insert(path("policies.lock"), b"serial = 6\n".to_vec());
    let text = write_lock(&bench.host, &tree, &path(BINDINGS)).unwrap();
    assert!(text.contains("\nserial = 7\n"), "{text}");
    assert!(text.contains("wit = \"kubectl-gitops:policy@0.1.0\""), "{text}");
    assert!(text.contains("\"kubectl-gitops:policy/input@0.1.0\""), "{text}");
    tree.insert(path("policies.lock"), text.clone().into_bytes());
    assert!(load(&tree, &path(BINDINGS)).unwrap().policy("under-test").unwrap().module.is_ok());
    // Nothing changed, so nothing is written.
    assert_eq!(write_lock(&bench.host, &tree, &path(BINDINGS)).unwrap(), text);
}

#[test]
fn what_cannot_run_is_not_locked() {
    let error = write_lock(&Bench::new().host, &tree(b"text", &json!({})), &path(BINDINGS));
    assert_eq!(error.unwrap_err().to_string(), "policy `under-test`: its file is not WebAssembly");
}

#[test]
fn codes_that_the_manifest_does_not_list_are_a_fault() {
    let mut tree = tree(guests::no_floating_tag(), &json!({}));
    tree.insert(
        path("policies/under-test/policy.yaml"),
        b"apiVersion: kubectl-gitops.dev/v1alpha1
kind: Policy
metadata: {name: under-test, version: 1.0.0}
spec:
  kind: promotion-gate
  module: it.wasm
  abi: component
  codes: [{code: missing-tag}]
"
        .to_vec(),
    );
    let set = load(&tree, &path(BINDINGS)).unwrap();
    let bench = Bench::new();
    let subject = Arc::new(web("web:latest"));
    let judgements =
        gitops_policy::judge(&bench.host, &set, &request("staging", "prod"), &subject, NOW, false)
            .unwrap();
    let fault = judgements[0].result.as_ref().unwrap_err();
    assert_eq!(
        fault.message,
        "the code `floating-tag` of a finding is not listed in its policy.yaml"
    );
}
