//! What is read of gates, and what is refused where.

use super::*;
use gitops_core::gate::{Approvals, Moment, Reviewers};

const PROD: &str = "environments:
- {name: dev, path: k/dev}
- name: prod
  path: k/prod
";

fn prod(text: &str) -> Environment {
    with(&format!("{PROD}{text}")).unwrap().environments.remove(1)
}

#[track_caller]
fn wrong(text: &str, message: &str, hint: Option<&str>) {
    refused(&format!("{PROD}{text}"), &[(message, hint)]);
}

#[test]
fn every_gate_is_read() {
    let prod = prod(
        "  gates:
  - {merged: dev}
  - {soak: 1h30m}
  - window:
      tz: Europe/Paris
      allow: [{cron: \"0 9 * * 1-4\", for: 7h}]
      exclude: [{cron: \"0 0 20 12 *\", for: 336h, why: year end}]
  - status: [e2e, lint]
  - approvals: {min: 2, team: platform}
  - approvals: {codeowners: true}
  - approvals: 1
  - status: smoke
  gateTimeout: 7d
  rollback: {exempt: [window, approvals]}
",
    );
    let kinds: Vec<&str> = prod.gates.iter().map(|gate| gate.kind).collect();
    assert_eq!(
        kinds,
        ["merged", "soak", "window", "status", "approvals", "approvals", "approvals", "status"]
    );
    assert_eq!(prod.gates[0].rule, Rule::Merged("dev".to_owned()));
    assert_eq!(prod.gates[1].rule, Rule::Soak(SignedDuration::from_mins(90)));
    let Rule::Window(window) = &prod.gates[2].rule else { panic!("a window") };
    let at = |time: &str| window.at(time.parse().unwrap());
    assert_eq!(at("2026-03-04T08:00:00Z"), Moment::Allowed);
    assert_eq!(at("2026-12-21T08:00:00Z"), Moment::Excluded(Some("year end".to_owned())));
    assert_eq!(prod.gates[3].rule, Rule::Status(vec!["e2e".to_owned(), "lint".to_owned()]));
    let approvals = |min, by| Rule::Approvals(Approvals { min, by });
    assert_eq!(prod.gates[4].rule, approvals(2, Reviewers::Team("platform".to_owned())));
    assert_eq!(prod.gates[5].rule, approvals(1, Reviewers::Owners));
    assert_eq!(prod.gates[6].rule, approvals(1, Reviewers::Anybody));
    assert_eq!(prod.gate_timeout, Some(SignedDuration::from_hours(7 * 24)));
    prod.refuse_unevaluated_gates().unwrap();
    for (gate, spared) in
        [("merged", true), ("soak", true), ("window", true), ("hold", true), ("status", false)]
    {
        assert_eq!(exempt_from(gate, &prod.rollback_exempt), spared, "{gate}");
    }
    assert!(!exempt_from("window", &[]) && exempt_from("soak", &[]));
}

#[test]
fn a_window_without_a_zone_is_of_universal_time() {
    let prod = prod("  gates: [{window: {exclude: [{cron: \"0 0 * * 6\", for: 48h}]}}]\n");
    let Rule::Window(window) = &prod.gates[0].rule else { panic!("a window") };
    assert_eq!(window.zone.name(), "UTC");
    assert_eq!(window.at("2026-03-04T08:00:00Z".parse().unwrap()), Moment::Allowed);
}

#[test]
fn lengths_that_are_none() {
    let hint = Some("write a length of time such as `30m`, `1h30m` or `7d`");
    wrong("  gates: [{soak: 30}]\n", "5:18: `30`: `30` has no unit", hint);
    wrong(
        "  gates: [{soak: 1.5}]\n",
        "5:18: `1.5`: `1.5` is neither a whole number nor one of the units `w`, `d`, `h`, `m`, `s`",
        hint,
    );
    wrong("  gates: [{soak: 0m}]\n", "5:18: `0m`: it is no time at all", hint);
    wrong(
        "  gates: [{soak: soon}]\n",
        "5:18: `soon`: `soon` is neither a whole number nor one of the units `w`, `d`, `h`, `m`, `s`",
        hint,
    );
    wrong("  gateTimeout: 7\n", "5:16: `7`: `7` has no unit", hint);
}

#[test]
fn windows_that_are_none() {
    let cron =
        Some("write five fields, such as `0 9 * * 1-4` for nine o'clock from Monday to Thursday");
    let window = |text: &str| format!("  gates: [{{window: {text}}}]\n");
    let length = Some("write a length of time such as `30m`, `1h30m` or `7d`");
    wrong(
        &window("{tz: Europe/Pari, allow: [{cron: \"0 9 * * *\", for: 1h}]}"),
        "5:25: no time zone `Europe/Pari`",
        Some("did you mean `Europe/Paris`?"),
    );
    wrong(
        &window("{tz: Somewhere/Else, allow: [{cron: \"0 9 * * *\", for: 1h}]}"),
        "5:25: no time zone `Somewhere/Else`",
        Some("write a name of the IANA database, such as `Europe/Paris`"),
    );
    wrong(
        &window("{allow: [{cron: \"0 9 * *\", for: 1h}]}"),
        "5:36: cron pattern `0 9 * *`: it has 4 fields, not five: minute, hour, day of month, month, day of week",
        cron,
    );
    wrong(
        &window("{allow: [{cron: \"0 9 30 2 *\", for: 1h}]}"),
        "5:36: cron pattern `0 9 30 2 *`: it never comes",
        cron,
    );
    wrong(
        &window("{allow: [{cron: \"0 9 * * *\", for: 7}]}"),
        "5:54: `7`: `7` has no unit",
        length,
    );
    wrong(
        &window("{allow: []}"),
        "5:28: a window that never opens",
        Some("name a time, or take `allow` out to allow what is not excluded"),
    );
    wrong(
        &window("{tz: UTC}"),
        "5:20: a window that neither allows nor excludes any time",
        Some("write `allow`, `exclude` or both"),
    );
    wrong(
        &window(
            "{allow: [{cron: \"0 9 * * 1\", for: 1h}], exclude: [{cron: \"0 0 * * 1-5\", for: 24h}]}",
        ),
        "5:20: a window that never opens",
        Some("`exclude` takes away all that `allow` gives"),
    );
    wrong(
        &window("{tz: UTC, alow: [{cron: \"0 9 * * 1\", for: 1h}]}"),
        "5:30: unknown key `alow`",
        Some("did you mean `allow`?"),
    );
    wrong(
        &window("{allow: [{cron: \"0 9 * * 1\", four: 1h}]}"),
        "5:49: unknown key `four`",
        Some("did you mean `for`?"),
    );
    // Both at once.
    refused(
        &format!("{PROD}{}", window("{allow: [{cron: x, for: y}]}")),
        &[
            (
                "5:36: cron pattern `x`: it has 1 fields, not five: minute, hour, day of month, month, day of week",
                cron,
            ),
            (
                "5:44: `y`: `y` is neither a whole number nor one of the units `w`, `d`, `h`, `m`, `s`",
                length,
            ),
        ],
    );
}

#[test]
fn gates_that_contradict() {
    wrong("  gates: [{soak: 1m, merged: dev}]\n", "5:11: a gate is a mapping with one key", None);
    wrong("  gates: [{}]\n", "5:11: a gate is a mapping with one key", None);
    wrong(
        "  gates: [{soak: 1m}, {soak: 2m}]\n",
        "5:23: a second `soak`; the first is in line 7",
        None,
    );
    wrong(
        "  merge: direct\n  gates: [{status: [e2e]}]\n",
        "6:11: gate `status` looks at a request, but `merge: direct` of `prod` opens none",
        Some("write `merge: manual` or `merge: auto`"),
    );
    wrong(
        "  gates: [{soak: 8d}]\n  gateTimeout: 7d\n",
        "6:16: `gateTimeout` (7d) closes what `soak` (8d) in line 7 still keeps waiting",
        Some("make it longer than `soak`"),
    );
    wrong(
        "  gates: [{approvals: {min: 1, team: a, codeowners: true}}]\n",
        "5:23: `approvals` takes either `team` or `codeowners`",
        Some("write two gates to ask for both"),
    );
    wrong(
        "  gates: [{approvals: 0}]\n",
        "5:23: no approval is asked for",
        Some("ask for one at least, or take the gate out"),
    );
    let contexts = Some("name the contexts: `status: [e2e]`");
    wrong("  gates: [{status: []}]\n", "5:20: no status is named", contexts);
    wrong("  gates: [{status: [a, \"\"]}]\n", "5:24: a status without a name", contexts);
    wrong("  gates: [{status: [a, a]}]\n", "5:24: status `a` is named twice", None);
    wrong(
        "  rollback: {exempt: [soak, widow]}\n",
        "5:29: no gate `widow`",
        Some("did you mean `window`?"),
    );
    wrong(
        "  gates: [{merged: uat}]\n",
        "5:11: no environment `uat`",
        Some("known are `dev`, `prod`"),
    );
    wrong(
        "  gates: [{merged: prod}]\n",
        "5:11: gate `merged` of `prod` waits for `prod` itself",
        Some("name an environment before it"),
    );
    refused(
        "environments:\n- {name: dev, path: a, gates: [{merged: prod}]}\n- {name: prod, path: b}\n",
        &[(
            "2:32: gate `merged` waits for `prod`, which comes after `dev`",
            Some("name an environment before it"),
        )],
    );
    refused(
        "environments:\n- {name: dev, path: a, gates: [{soak: 1m}]}\n",
        &[(
            "2:32: gate `soak` looks at the environment before, but none comes before `dev`",
            Some("take it out, or say by `after` what comes before"),
        )],
    );
    refused(
        "environments:\n- {name: dev, path: a, branch: gitops-state}\n",
        &[("2:3: environment `dev` is on `gitops-state`, the branch that keeps holds", None)],
    );
}
