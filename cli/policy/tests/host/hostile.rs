//! Guests that attack. Each ends as a fault that names the limit it met.

use std::time::{Duration, Instant};

use gitops_core::judge::Outcome;
use serde_json::json;

use crate::*;

/// Less fuel than users give, so that tests are quick.
fn small() -> Limits {
    Limits {
        fuel: 2_000_000_000,
        settings_fuel: 200_000_000,
        memory: 32 << 20,
        ..Limits::default()
    }
}

fn attack(settings: Value) -> (&'static str, String) {
    let fault = Bench::with(small()).fault(guests::hostile(), settings);
    assert!(!fault.always_closes);
    (fault.kind, fault.message)
}

#[test]
fn users_get_these_limits() {
    let limits = Limits::default();
    assert_eq!(limits.fuel, 10_000_000_000);
    assert_eq!(limits.settings_fuel, 1_000_000_000);
    assert_eq!(limits.memory, 128 * 1024 * 1024);
    assert_eq!(limits.stack, 512 * 1024);
    assert_eq!(limits.time, Duration::from_secs(120));
    assert_eq!(limits.module, 32 * 1024 * 1024);
    assert_eq!(limits.compile_time, Duration::from_secs(60));
    assert_eq!((limits.findings, limits.message), (10_000, 8 * 1024));
}

#[test]
fn an_endless_loop_runs_out_of_fuel() {
    let (kind, message) = attack(json!({"attack": "loop"}));
    assert_eq!((kind, message.as_str()), ("fuel", "fuel limit of 2 G instructions reached"));
}

#[test]
fn an_endless_validation_runs_out_of_its_own_fuel() {
    let (kind, message) = attack(json!({"attack": "endless-validation"}));
    assert_eq!((kind, message.as_str()), ("fuel", "fuel limit of 200 M instructions reached"));
}

#[test]
fn time_is_a_backstop_for_what_fuel_does_not_stop() {
    let limits =
        Limits { fuel: u64::MAX / 2, time: Duration::from_millis(200), ..Limits::default() };
    let fault = Bench::with(limits).fault(guests::hostile(), json!({"attack": "loop"}));
    assert_eq!((fault.kind, fault.message.as_str()), ("time", "time limit of 200ms reached"));
}

#[test]
fn a_memory_hog_meets_the_memory_limit() {
    let (kind, message) = attack(json!({"attack": "memory"}));
    assert_eq!(kind, "memory");
    assert!(message.starts_with("memory limit of 32 MiB: asked for "), "{message}");
    let (kind, message) = attack(json!({"attack": "memory-at-once", "mib": 200}));
    assert_eq!(kind, "memory");
    assert!(message.starts_with("memory limit of 32 MiB: asked for 20"), "{message}");
}

#[test]
fn memory_and_tables_are_limited_from_the_start() {
    let bench = Bench::new();
    let fault = bench.fault(&guests::core(&guests::gate_text("3200", "")), json!({}));
    assert_eq!(fault.message, "memory limit of 128 MiB: asked for 200 MiB");
    let tables = guests::gate_text("1", "(table 600000 funcref) (table 600000 funcref)");
    let fault = bench.fault(&guests::core(&tables), json!({}));
    assert_eq!(fault.kind, "table");
    assert_eq!(fault.message, "limit of 1048576 table elements: asked for 1200000");
    let tables = guests::gate_text("1", &"(table 1 funcref)".repeat(65));
    let fault = bench.fault(&guests::core(&tables), json!({}));
    assert_eq!(fault.kind, "start");
    assert!(fault.message.contains("64 tables"), "{fault:?}");
}

#[test]
fn deep_recursion_meets_the_stack_limit() {
    let (kind, message) = attack(json!({"attack": "recursion"}));
    assert_eq!(kind, "trap");
    assert_eq!(message, "out of bounds memory access, as when the guest's own stack overflows");
    let recursion = r#"(func $deeper (param i64) (result i64)
        (i64.add (call $deeper (i64.add (local.get 0) (i64.const 1))) (local.get 0)))
        (func $start (drop (call $deeper (i64.const 0)))) (start $start)"#;
    let fault = Bench::new().fault(&guests::core(&guests::gate_text("1", recursion)), json!({}));
    let (kind, message) = (fault.kind, fault.message);
    assert_eq!((kind, message.as_str()), ("stack", "stack limit of 512 KiB reached"));
}

#[test]
fn a_start_function_is_metered() {
    let endless = "(func $start (loop (br 0))) (start $start)";
    let fault =
        Bench::with(small()).fault(&guests::core(&guests::gate_text("1", endless)), json!({}));
    assert_eq!(fault.message, "fuel limit of 200 M instructions reached");
}

#[test]
fn a_panic_is_a_trap_with_its_text() {
    let (kind, message) = attack(json!({"attack": "panic", "text": "boom \u{1b}[2J"}));
    assert_eq!(kind, "trap");
    assert!(
        message.starts_with("wasm `unreachable` instruction executed; it logged: "),
        "{message}"
    );
    assert!(message.contains("boom \\u{1b}[2J"), "{message}");
}

#[test]
fn an_error_of_its_own_is_a_fault() {
    let (kind, message) = attack(json!({"attack": "error", "text": "no \u{202e}idea"}));
    assert_eq!(kind, "policy");
    assert_eq!(message, "it reports internal error: no \\u{202e}idea");
}

#[test]
fn a_giant_answer_meets_the_output_limits() {
    let (kind, message) = attack(json!({"attack": "findings", "count": 10_001}));
    assert_eq!((kind, message.as_str()), ("output", "10001 findings; the limit is 10000"));
    let (kind, message) = attack(json!({"attack": "message", "bytes": 8193}));
    assert_eq!((kind, message.as_str()), ("output", "message of 8193 bytes; the limit is 8 KiB"));
    let limits = Limits { memory: 128 << 20, ..small() };
    let bench = Bench::with(limits);
    let fault = bench.fault(guests::hostile(), json!({"attack": "message", "bytes": 20 << 20}));
    assert_eq!(fault.message, "message of 20 MiB; the limit is 8 KiB");
    for attack in [
        json!({"attack": "findings", "count": 100_000}),
        json!({"attack": "message", "bytes": 40 << 20}),
    ] {
        let fault = bench.fault(guests::hostile(), attack);
        assert_eq!(fault.kind, "output");
        assert!(
            fault.message.contains("limit of 32 MiB") || fault.message.contains("limit is 10000"),
            "{fault:?}"
        );
    }
}

#[test]
fn an_answer_that_repeats_itself_does_not_fill_the_host() {
    // A million findings, all in the same zeros: 100 MiB in the guest, and
    // several times that in the host.
    let list = r#"(data (i32.const 8) "\00\00\00\00\40\42\0f\00")"#;
    let bench = Bench::new();
    let fault = bench.fault(&guests::core(&guests::gate_text("2000", list)), json!({}));
    assert_eq!(fault.kind, "output");
    assert!(fault.message.contains("limit of 32 MiB"), "{fault:?}");
}

#[test]
fn text_cannot_move_the_cursor() {
    let bench = Bench::with(small());
    let settings = json!({
        "attack": "finding", "code": "sneaky", "message": "\u{1b}]0;title\u{7}\rok\u{202e}",
        "evidence": "{\"\\u001b[2J\": \"\\u009b1m\"}", "pointer": "/a\u{1b}[1m",
    });
    let judgement = bench.judge(guests::hostile(), settings, web("web:1"));
    let Ok(Outcome::Evaluated(findings)) = &judgement.result else { panic!("{judgement:?}") };
    assert_eq!(findings[0].message, "\\u{1b}]0;title\\u{7}\\u{d}ok\\u{202e}");
    assert_eq!(findings[0].pointer.as_deref(), Some("/a\\u{1b}[1m"));
    assert_eq!(findings[0].evidence, Some(json!({"\\u{1b}[2J": "\\u{9b}1m"})));
}

#[test]
fn an_answer_out_of_shape_is_a_fault() {
    let finding = |code: &str, evidence: Option<String>, pointer: &str| {
        attack(json!({
            "attack": "finding", "code": code, "message": "", "evidence": evidence, "pointer": pointer,
        }))
        .1
    };
    assert!(finding("Bad Code\n", None, "").contains("the code `Bad Code` of a finding is not of"));
    assert!(finding("ok", Some("{".into()), "").contains("evidence is no JSON"));
    assert!(finding("ok", Some(" ".repeat(70_000)), "").contains("the limit is 64 KiB"));
    assert!(finding("ok", Some("[".repeat(10_000)), "").contains("evidence is no JSON"));
    assert_eq!(finding("ok", None, "spec"), "`spec` is no JSON pointer");
    let (kind, message) =
        attack(json!({"attack": "pending", "reason": "", "not_before": "tomorrow"}));
    assert_eq!((kind, message.as_str()), ("output", "`tomorrow` is no time of RFC 3339"));
}

#[test]
fn pending_is_an_answer() {
    let settings = json!({"attack": "pending", "reason": "soaking", "not_before": "2026-11-20T18:00:00+01:00"});
    let judgement = Bench::with(small()).judge(guests::hostile(), settings, web("web:1"));
    let expected = Outcome::Pending {
        reason: "soaking".into(),
        not_before: Some("2026-11-20T17:00:00Z".into()),
    };
    assert_eq!(judgement.result, Ok(expected));
}

#[test]
fn a_log_is_bounded_and_escaped() {
    let bench = Bench::with(small());
    let settings = json!({"attack": "log", "lines": 5000, "text": "\u{1b}[31m\nx"});
    assert!(bench.judge(guests::hostile(), settings, web("web:1")).result.is_ok());
    let lines = bench.lines.lock().unwrap();
    assert_eq!(lines.len(), 1001);
    assert_eq!(lines[0], (Level::Info, "\\u{1b}[31m\\nx".to_owned()));
    assert_eq!(lines[1000], (Level::Warn, "4000 more lines were dropped".to_owned()));
}

#[test]
fn questions_are_bounded() {
    let (kind, message) = attack(json!({"attack": "input", "times": 1000}));
    assert_eq!((kind, message.as_str()), ("questions", "limit of 256 questions to `input`"));
    let settings = json!({"attack": "input", "times": 10});
    let judgement = Bench::with(small()).judge(guests::hostile(), settings, web("web:1"));
    let Ok(Outcome::Evaluated(findings)) = &judgement.result else { panic!("{judgement:?}") };
    assert_eq!(findings[0].message, "20", "one change and one move, ten times");
}

#[test]
fn another_world_is_refused_in_words() {
    let bench = Bench::new();
    let fault = bench.fault(&guests::dummy("check", |wit| wit), json!({}));
    assert_eq!(fault.kind, "world");
    assert!(
        fault
            .message
            .starts_with("it does not export `kubectl-gitops:policy/promotion-gate`; it exports "),
        "{fault:?}"
    );
    assert!(fault.message.contains("conformance-check@0.1.0"), "{fault:?}");
}

#[test]
fn another_version_is_refused_in_words() {
    let bench = Bench::new();
    let newer = guests::dummy("gate", |wit| wit.replace("@0.1.0", "@0.2.0"));
    let fault = bench.fault(&newer, json!({}));
    assert_eq!(fault.kind, "version");
    assert_eq!(fault.message, "it is built for kubectl-gitops:policy@0.2.0, this host speaks 0.1");
    // A later patch of the same track gets as far as its own trap.
    let patch = guests::dummy("gate", |wit| wit.replace("@0.1.0", "@0.1.9"));
    assert_eq!(bench.fault(&patch, json!({})).kind, "trap");
}

#[test]
fn a_function_that_a_later_patch_added_is_named() {
    let patch = guests::dummy("gate", |wit| {
        wit.replace("@0.1.0", "@0.1.9")
            .replace("moves: func()", "weather: func() -> u32;\n  moves: func()")
    });
    let fault = Bench::new().fault(&patch, json!({}));
    assert_eq!(fault.kind, "world");
    assert!(fault.message.contains("weather"), "{fault:?}");
}

#[test]
fn an_import_that_is_not_granted_is_named() {
    let bench = Bench::new();
    let greedy =
        guests::dummy("gate", |wit| wit.replace("world gate {", "world gate {\n  import http;"));
    let fault = bench.fault(&greedy, json!({}));
    assert_eq!(fault.kind, "import");
    assert!(
        fault
            .message
            .starts_with("it imports `kubectl-gitops:policy/http@0.1.0`, which is not granted"),
        "{fault:?}"
    );
    let function = guests::dummy("gate", |wit| {
        wit.replace("world gate {", "world gate {\n  import run-shell: func(line: string);")
    });
    assert!(bench.fault(&function, json!({})).message.contains("`run-shell`"));
}

#[test]
fn files_that_are_no_components_are_told_apart() {
    let bench = Bench::new();
    let wasm = guests::no_floating_tag();
    let message = |bytes: &[u8]| {
        let fault = bench.fault(bytes, json!({}));
        assert_eq!(fault.kind, "compile");
        fault.message
    };
    assert_eq!(message(b"#!/bin/sh\n"), "its file is not WebAssembly");
    assert_eq!(message(b""), "its file is not WebAssembly");
    assert_eq!(
        message(b"\0asm\x01\0\0\0"),
        "its file is a core WebAssembly module, not a component"
    );
    let truncated = message(&wasm[..wasm.len() / 2]);
    assert!(truncated.starts_with("it does not compile: "), "{truncated}");
    assert!(truncated.contains("failed to parse"), "{truncated}");
    let mut padded = wasm.to_vec();
    padded.resize(33 << 20, 0);
    assert_eq!(message(&padded), "its file has 33 MiB; the limit is 32 MiB");
}

#[test]
fn a_compile_bomb_harms_only_the_child() {
    let bomb = guests::compile_bomb(60_000);
    let limits = Limits { compile_time: Duration::from_secs(1), ..Limits::default() };
    let temp = tempfile::tempdir().unwrap();
    let bench = Bench::at(temp.path(), limits);
    let begun = Instant::now();
    let fault = bench.fault(&bomb, json!({}));
    assert_eq!(fault.message, "it does not compile: time limit of 1 s reached");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(files(&cache(temp.path())), Vec::<std::path::PathBuf>::new());

    let limits = Limits { compile_memory: 96 << 20, ..Limits::default() };
    let fault = Bench::at(temp.path(), limits).fault(&bomb, json!({}));
    assert!(fault.message.contains("memory limit of 96 MiB"), "{fault:?}");
}

#[test]
fn objects_that_are_not_looked_up_are_asked_for() {
    let bench = Bench::new();
    let set = set(guests::hostile(), &json!({"attack": "tell"}));
    let judge = |desired| {
        let mut subject = web("web:1");
        subject.desired.insert("prod".to_owned(), desired);
        let request = request("staging", "prod");
        gitops_policy::judge(&bench.host, &set, &request, &Arc::new(subject), NOW, false)
    };
    assert_eq!(judge(None), Err(gitops_policy::Lacks(["prod".to_owned()].into())));
    assert!(judge(Some(Vec::new())).unwrap()[0].result.is_ok());
}
