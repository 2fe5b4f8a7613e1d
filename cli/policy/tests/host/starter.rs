//! The starter policy, from its source to a verdict.

use gitops_core::judge::{Decision, Effect, Outcome, decide};
use serde_json::json;

use crate::*;

fn findings(judgement: &Judgement) -> &[gitops_core::judge::Finding] {
    match &judgement.result {
        Ok(Outcome::Evaluated(findings)) => findings,
        other => panic!("not evaluated: {other:?}"),
    }
}

#[test]
fn a_floating_tag_is_denied_where_it_was_written() {
    let bench = Bench::new();
    let judgement = bench.judge(guests::no_floating_tag(), json!({}), web("web:latest"));
    let [finding] = findings(&judgement) else { panic!("{judgement:?}") };
    assert_eq!(finding.code, "floating-tag");
    assert_eq!(finding.effect, Effect::Deny);
    assert_eq!(
        finding.message,
        "container `web` runs `web:latest`, and the tag `latest` can move without a commit"
    );
    assert_eq!(finding.source.as_ref().unwrap().to_string(), "envs/prod/kustomization.yaml:7");
    let (api_version, key) = finding.object.as_ref().unwrap();
    assert_eq!(
        (api_version.as_str(), key.to_string().as_str()),
        ("apps/v1", "Deployment/shop/web")
    );
    assert_eq!(finding.evidence, Some(json!({"image": "web:latest"})));
    assert!(finding.remediation.as_ref().unwrap().contains("`web`"));
    assert!(judgement.policy.digest.starts_with("sha256:"));
    assert_eq!(decide(&[judgement]), Decision::Closed);
}

#[test]
fn a_fixed_tag_opens() {
    let bench = Bench::new();
    let judgement = bench.judge(guests::no_floating_tag(), json!({}), web("web:1.2.3"));
    assert!(findings(&judgement).is_empty());
    assert_eq!(decide(&[judgement]), Decision::Open);
}

#[test]
fn settings_reach_the_policy() {
    let bench = Bench::new();
    let judgement =
        bench.judge(guests::no_floating_tag(), json!({"requireDigest": true}), web("web:1.2.3"));
    assert_eq!(findings(&judgement)[0].code, "not-pinned-by-digest");
}

#[test]
fn wrong_settings_are_a_fault_that_names_each() {
    let bench = Bench::new();
    let fault =
        bench.fault(guests::no_floating_tag(), json!({"floating": "latest", "requireDigst": true}));
    assert_eq!(fault.kind, "settings");
    assert!(fault.message.starts_with("settings at policies/bindings.yaml:6: "), "{fault:?}");
    assert!(fault.message.contains("/floating: `floating` is a list of strings"), "{fault:?}");
    assert!(fault.message.contains("unknown key `requireDigst`"), "{fault:?}");
}

#[test]
fn the_second_time_nothing_is_compiled() {
    let temp = tempfile::tempdir().unwrap();
    let bench = Bench::at(temp.path(), Limits::default());
    let wasm = guests::no_floating_tag();
    bench.judge(wasm, json!({}), web("web:1"));
    let artefacts: Vec<_> =
        files(&cache(temp.path())).into_iter().filter(|file| file.extension().is_none()).collect();
    assert_eq!(artefacts.len(), 1, "{artefacts:?}");
    // A host whose compiler cannot start has to find it.
    let options = HostOptions {
        compiler: "/nonexistent/compiler".into(),
        cache: cache(temp.path()),
        limits: Limits::default(),
        log: None,
    };
    let host = Host::new(options.clone()).unwrap();
    let judge = |host: &Host| {
        gitops_policy::judge(
            host,
            &set(wasm, &json!({})),
            &request("staging", "prod"),
            &Arc::new(web("web:1")),
            NOW,
            true,
        )
        .unwrap()
        .remove(0)
        .result
    };
    assert_eq!(judge(&host), Ok(Outcome::Evaluated(Vec::new())));
    // A broken artefact is as good as none: never compiled in this process.
    std::fs::write(&artefacts[0], b"broken").unwrap();
    let fault = judge(&Host::new(options).unwrap()).unwrap_err();
    assert_eq!(fault.kind, "compile");
    assert!(fault.message.contains("/nonexistent/compiler"), "{fault:?}");
    // And it is made anew where it can be.
    let again = Bench::at(temp.path(), Limits::default());
    assert!(again.judge(wasm, json!({}), web("web:1")).result.is_ok());
}

#[test]
fn the_same_question_has_the_same_answer() {
    let bench = Bench::new();
    let once = bench.judge(guests::no_floating_tag(), json!({}), web("web:latest"));
    let twice = bench.judge(guests::no_floating_tag(), json!({}), web("web:latest"));
    assert_eq!(once, twice);
}
