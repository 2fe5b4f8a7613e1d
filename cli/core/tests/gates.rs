//! What gates answer to facts.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;

use gitops_core::gate::{
    Answer, Approvals, Fact, Facts, Gate, Gates, Held, Hold, Key, Opening, Review, Reviewers,
    Reviews, Since, State, Status, Verdict, Window, Zone, evaluate, length, needs, ready_at,
};
use jiff::Timestamp;
use proptest::prelude::*;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A Wednesday.
const NOW: &str = "2026-03-04T12:00:00Z";

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn key(environment: &str) -> (String, String) {
    (environment.to_owned(), "web".to_owned())
}

fn merged(of: &[&str]) -> Gate {
    Gate::Merged { of: texts(of), apps: texts(&["web"]) }
}

fn soak(of: &[&str], least: &str) -> Gate {
    Gate::Soak { of: texts(of), apps: texts(&["web"]), least: length(least).unwrap() }
}

fn window(allow: &str, long: &str) -> Gate {
    let allow = vec![Opening::new(allow, length(long).unwrap(), None).unwrap()];
    Gate::Window(Window { zone: Zone::new("Europe/Paris").unwrap(), allow, exclude: Vec::new() })
}

fn hold() -> Gate {
    Gate::Hold { environment: "prod".to_owned(), apps: texts(&["web"]) }
}

fn holding(environment: &str, since: &str) -> Facts {
    let mut facts = Facts::default();
    facts.held.insert(key(environment), Fact::Known(Held::Same("web v2".to_owned())));
    let since = Since { time: time(since), commit: "c".to_owned() };
    facts.since.insert(key(environment), Fact::Known(since));
    facts
}

fn other() -> Fact<Held> {
    Fact::Known(Held::Other { found: "web v1".to_owned(), wanted: "web v2".to_owned() })
}

fn answered(gates: &[Gate], facts: &Facts) -> Vec<State> {
    evaluate(&Gates { gates: gates.to_vec(), timeout: None }, facts, time(NOW))
}

fn answer(gate: Gate, facts: &Facts) -> (Answer, String, Option<Timestamp>) {
    let state = answered(&[gate], facts).remove(0);
    (state.answer, state.reason, state.earliest)
}

#[test]
fn merged_asks_what_an_environment_before_holds_now() {
    let mut facts = holding("uat", "2026-03-01T00:00:00Z");
    facts.held.insert(key("perf"), other());
    facts.held.insert(key("edge"), Fact::Absent);
    facts.held.insert(key("far"), Fact::Unreadable("it is down".to_owned()));
    let cases: [(&[&str], Answer, &str); 6] = [
        (&["uat"], Answer::Open, "uat holds web v2"),
        (&["perf"], Answer::Closed, "perf holds web v1, not web v2"),
        (&["edge"], Answer::Closed, "edge has no web"),
        (&["far"], Answer::Pending, "whether far holds web is unknown: it is down"),
        (&["perf", "uat"], Answer::Open, "uat holds web v2"),
        (
            &["perf", "far"],
            Answer::Pending,
            "perf holds web v1, not web v2, whether far holds web is unknown: it is down",
        ),
    ];
    for (of, wanted, words) in cases {
        let (answer, reason, earliest) = answer(merged(of), &facts);
        assert_eq!((answer, reason.as_str(), earliest), (wanted, words, None), "{of:?}");
    }
    assert_eq!(answer(merged(&["new"]), &facts).0, Answer::Pending);
}

#[test]
fn soak_counts_from_the_commit() {
    let soaked = |since: &str| answer(soak(&["uat"], "30m"), &holding("uat", since));
    let (answer_now, reason, earliest) = soaked("2026-03-04T11:35:00Z");
    assert_eq!(answer_now, Answer::Pending);
    assert_eq!(reason, "uat has held web for 25m of 30m");
    assert_eq!(earliest, Some(time("2026-03-04T12:05:00Z")));
    let (answer_now, reason, earliest) = soaked("2026-03-04T11:30:00Z");
    assert_eq!((answer_now, earliest), (Answer::Open, None));
    assert_eq!(reason, "uat has held web for 30m, 30m asked");
    let (answer_now, reason, earliest) = soaked("2026-03-05T00:00:00Z");
    assert_eq!(answer_now, Answer::Pending);
    assert_eq!(earliest, Some(time("2026-03-05T00:30:00Z")));
    assert!(reason.ends_with("is dated 2026-03-05T00:00:00Z, which is yet to come"), "{reason}");
}

#[test]
fn soak_takes_the_latest_app_and_the_best_environment() {
    let mut facts = holding("uat", "2026-03-01T00:00:00Z");
    facts.held.insert(key("perf"), other());
    let api = ("uat".to_owned(), "api".to_owned());
    facts.held.insert(api.clone(), Fact::Known(Held::Same("api v3".to_owned())));
    let late = Since { time: time("2026-03-04T11:59:00Z"), commit: "d".to_owned() };
    facts.since.insert(api, Fact::Known(late));
    let both = Gate::Soak {
        of: texts(&["uat"]),
        apps: texts(&["api", "web"]),
        least: length("30m").unwrap(),
    };
    let (answer_now, reason, earliest) = answer(both, &facts);
    assert_eq!((answer_now, earliest), (Answer::Pending, Some(time("2026-03-04T12:29:00Z"))));
    assert_eq!(reason, "uat has held api for 1m of 30m");
    assert_eq!(answer(soak(&["perf", "uat"], "30m"), &facts).0, Answer::Open);
    assert_eq!(answer(soak(&["perf"], "30m"), &facts).0, Answer::Closed);
    facts.since.insert(key("uat"), Fact::Unreadable("a shallow clone".to_owned()));
    assert_eq!(answer(soak(&["uat"], "30m"), &facts).0, Answer::Pending);
}

fn held_by(owner: &str, apps: &[&str], expires: Option<&str>) -> Hold {
    Hold {
        environment: "prod".to_owned(),
        apps: texts(apps),
        owner: owner.to_owned(),
        reason: "why".to_owned(),
        since: time("2026-03-01T00:00:00Z"),
        expires: expires.map(time),
    }
}

#[test]
fn everybodys_hold_counts_until_its_end() {
    let with = |holds: Vec<Hold>| {
        let mut facts = Facts::default();
        facts.holds.insert("prod".to_owned(), Fact::Known(holds));
        answer(hold(), &facts)
    };
    assert_eq!(with(Vec::new()), (Answer::Open, "nobody holds prod".to_owned(), None));
    let over = held_by("bob", &[], Some("2026-03-04T12:00:00Z"));
    let others = held_by("eve", &["api"], None);
    assert_eq!(with(vec![over.clone(), others.clone()]).0, Answer::Open);
    let first = held_by("ada", &[], Some("2026-03-05T00:00:00Z"));
    let second = held_by("kim", &["web"], Some("2026-03-06T00:00:00Z"));
    let (answer_now, reason, earliest) = with(vec![second.clone(), over, first.clone()]);
    assert_eq!(answer_now, Answer::Pending);
    assert_eq!(
        reason,
        "ada holds prod until 2026-03-05T00:00:00Z: why; \
         kim holds web in prod until 2026-03-06T00:00:00Z: why"
    );
    assert_eq!(earliest, Some(time("2026-03-06T00:00:00Z")));
    let open_end = held_by("lee", &[], None);
    let (answer_now, reason, earliest) = with(vec![first, second, open_end]);
    assert_eq!((answer_now, earliest), (Answer::Pending, None));
    assert!(reason.contains("lee holds prod until it is resumed: why"), "{reason}");
}

#[test]
fn a_hold_that_cannot_be_read_closes() {
    let mut facts = Facts::default();
    let broken = "holds/prod/x.yaml:3: `owner` is missing".to_owned();
    facts.holds.insert("prod".to_owned(), Fact::Unreadable(broken));
    let (answer_now, reason, _) = answer(hold(), &facts);
    assert_eq!(answer_now, Answer::Closed);
    assert!(reason.contains("holds/prod/x.yaml:3"), "{reason}");
    facts.holds.insert("prod".to_owned(), Fact::Absent);
    assert_eq!(answer(hold(), &facts).0, Answer::Open);
    assert_eq!(answer(hold(), &Facts::default()).0, Answer::Pending);
}

#[test]
fn a_status_that_is_absent_is_pending() {
    let gate = || Gate::Status { contexts: texts(&["e2e", "lint"]) };
    let with = |lint: Fact<Status>| {
        let mut facts = Facts::default();
        facts.statuses.insert("e2e".to_owned(), Fact::Known(Status::Success));
        facts.statuses.insert("lint".to_owned(), lint);
        let (answer, reason, _) = answer(gate(), &facts);
        (answer, reason)
    };
    let cases = [
        (Fact::Known(Status::Success), Answer::Open, "e2e succeeded, lint succeeded"),
        (Fact::Known(Status::Failure), Answer::Closed, "e2e succeeded, lint failed"),
        (Fact::Known(Status::Pending), Answer::Pending, "e2e succeeded, lint goes on"),
        (Fact::Absent, Answer::Pending, "e2e succeeded, lint is not there yet"),
        (
            Fact::Unreadable("no forge".to_owned()),
            Answer::Pending,
            "e2e succeeded, lint is unknown: no forge",
        ),
    ];
    for (fact, wanted, words) in cases {
        assert_eq!(with(fact), (wanted, words.to_owned()));
    }
}

#[test]
fn approvals_need_the_facts_of_their_reviewers() {
    let gate = |by: Reviewers| Gate::Approvals(Approvals { min: 1, by });
    let reviews = Reviews {
        head: "h".to_owned(),
        author: "opener".to_owned(),
        reviews: vec![Review {
            user: "kim".to_owned(),
            verdict: Verdict::Approved,
            head: "h".to_owned(),
            counts: true,
        }],
        ..Reviews::default()
    };
    let team = || Reviewers::Team("platform".to_owned());
    let mut facts = Facts::default();
    assert_eq!(answer(gate(Reviewers::Anybody), &facts).0, Answer::Pending);
    facts.reviews = Some(Fact::Unreadable("no forge API".to_owned()));
    let (answer_now, reason, _) = answer(gate(Reviewers::Anybody), &facts);
    assert_eq!(answer_now, Answer::Pending);
    assert_eq!(reason, "1 approval asked, reviews are unknown: no forge API");
    facts.reviews = Some(Fact::Known(reviews));
    assert_eq!(answer(gate(Reviewers::Anybody), &facts).0, Answer::Open);
    assert_eq!(answer(gate(team()), &facts).0, Answer::Pending);
    facts.teams.insert("platform".to_owned(), Fact::Unreadable("no".to_owned()));
    assert_eq!(answer(gate(team()), &facts).0, Answer::Pending);
    facts.teams.insert("platform".to_owned(), Fact::Absent);
    assert_eq!(answer(gate(team()), &facts).0, Answer::Closed);
    facts.teams.insert("platform".to_owned(), Fact::Known(BTreeSet::from(["Kim".to_owned()])));
    assert_eq!(answer(gate(team()), &facts).0, Answer::Open);
    assert_eq!(answer(gate(Reviewers::Owners), &facts).0, Answer::Pending);
    facts.owners = Some(Fact::Absent);
    assert_eq!(answer(gate(Reviewers::Owners), &facts).0, Answer::Closed);
}

#[test]
fn pending_for_too_long_is_closed() {
    let gates = Gates {
        gates: vec![soak(&["uat"], "30d"), merged(&["uat"])],
        timeout: Some(length("7d").unwrap()),
    };
    let mut facts = holding("uat", "2026-03-01T00:00:00Z");
    facts.waiting = Some(time("2026-02-25T12:00:00Z"));
    let states = evaluate(&gates, &facts, time(NOW));
    assert_eq!(states[0].answer, Answer::Pending, "just seven days");
    facts.waiting = Some(time("2026-02-25T11:59:59Z"));
    let states = evaluate(&gates, &facts, time(NOW));
    assert_eq!(states[0].answer, Answer::Closed);
    assert_eq!(
        states[0].reason,
        "pending since 2026-02-25T11:59:59Z, longer than `gateTimeout` (7d): \
         uat has held web for 3d 12h of 30d"
    );
    assert_eq!(states[1].answer, Answer::Open, "what is open stays so");
    facts.waiting = None;
    assert_eq!(evaluate(&gates, &facts, time(NOW))[0].answer, Answer::Pending);
}

#[test]
fn a_window_opens_after_what_else_keeps_the_change_waiting() {
    // Open from 09:00 to 16:00 in Paris, 08:00Z to 15:00Z; now it is open.
    let office = || window("0 9 * * 1-4", "7h");
    let mut facts = Facts::default();
    let held = held_by("ada", &[], Some("2026-03-04T16:00:00Z"));
    facts.holds.insert("prod".to_owned(), Fact::Known(vec![held]));
    let states = answered(&[office(), hold()], &facts);
    assert_eq!((states[0].answer, states[1].answer), (Answer::Open, Answer::Pending));
    assert_eq!(states[1].earliest, Some(time("2026-03-04T16:00:00Z")));
    // Shut in the evening, and held until Friday noon: Monday.
    let gates = Gates { gates: vec![office(), hold()], timeout: None };
    let held = held_by("ada", &[], Some("2026-03-06T12:00:00Z"));
    facts.holds.insert("prod".to_owned(), Fact::Known(vec![held]));
    let evening = time("2026-03-04T20:00:00Z");
    let states = evaluate(&gates, &facts, evening);
    assert_eq!(states[0].earliest, Some(time("2026-03-09T08:00:00Z")));
    assert_eq!(ready_at(&gates, &states, evening), Some(time("2026-03-09T08:00:00Z")));
    // Two windows that only meet on Thursdays.
    let two = Gates {
        gates: vec![window("0 9 * * 1,4", "7h"), window("0 10 * * 2,4", "2h")],
        timeout: None,
    };
    let friday = time("2026-03-06T20:00:00Z");
    let states = evaluate(&two, &facts, friday);
    assert_eq!(ready_at(&two, &states, friday), Some(time("2026-03-12T09:00:00Z")));
    // Two that never meet.
    let never =
        Gates { gates: vec![window("0 9 * * 1", "1h"), window("0 9 * * 2", "1h")], timeout: None };
    assert_eq!(ready_at(&never, &evaluate(&never, &facts, time(NOW)), time(NOW)), None);
}

#[test]
fn what_opens_later_in_the_week_counts_even_where_the_window_is_open_now() {
    let mut facts = holding("uat", "2026-03-04T12:00:00Z");
    facts.waiting = None;
    // Soaked at 19:00Z, when the window has shut: the next day at 08:00Z.
    let gates =
        Gates { gates: vec![soak(&["uat"], "7h"), window("0 9 * * 1-4", "7h")], timeout: None };
    let states = evaluate(&gates, &facts, time(NOW));
    assert_eq!((states[0].answer, states[1].answer), (Answer::Pending, Answer::Open));
    assert_eq!(states[0].earliest, Some(time("2026-03-04T19:00:00Z")));
    assert_eq!(ready_at(&gates, &states, time(NOW)), Some(time("2026-03-05T08:00:00Z")));
}

#[test]
fn an_override_counts_as_open() {
    let mut states = answered(&[merged(&["uat"])], &Facts::default());
    assert_eq!(states[0].counts(), Answer::Pending);
    states[0].overridden = Some("Ada <ada@example.com>: incident".to_owned());
    assert_eq!(states[0].counts(), Answer::Open);
}

#[test]
fn only_what_is_asked_is_needed() {
    let gates = Gates {
        gates: vec![
            soak(&["uat"], "30m"),
            window("0 9 * * *", "1h"),
            hold(),
            Gate::Status { contexts: texts(&["e2e"]) },
            Gate::Approvals(Approvals { min: 1, by: Reviewers::Team("t".to_owned()) }),
        ],
        timeout: Some(length("1d").unwrap()),
    };
    let keys: Vec<Key> = needs(&gates).into_iter().collect();
    let (environment, app) = key("uat");
    assert_eq!(
        keys,
        [
            Key::Held { environment: environment.clone(), app: app.clone() },
            Key::Since { environment, app, enough: length("30m").unwrap() },
            Key::Holds { environment: "prod".to_owned() },
            Key::Status { context: "e2e".to_owned() },
            Key::Reviews,
            Key::Team { name: "t".to_owned() },
            Key::Waiting,
        ]
    );
    assert!(needs(&Gates { gates: vec![window("0 9 * * *", "1h")], timeout: None }).is_empty());
}

proptest! {
    /// Whatever is known: what nobody knows never opens, and an earliest time
    /// is never before now, and comes with a gate that is pending.
    #[test]
    fn nothing_unknown_opens(
        known in any::<[bool; 4]>(),
        since in -100_000i64..100_000,
        least in 1i64..100_000,
    ) {
        let now = time(NOW);
        let mut facts = Facts::default();
        if known[0] {
            facts.held.insert(key("uat"), Fact::Known(Held::Same("web v2".to_owned())));
        }
        if known[1] {
            let time = Timestamp::from_second(now.as_second() + since).unwrap();
            facts.since.insert(key("uat"), Fact::Known(Since { time, commit: "c".to_owned() }));
        }
        if known[2] {
            facts.holds.insert("prod".to_owned(), Fact::Known(Vec::new()));
        }
        if known[3] {
            facts.statuses.insert("e2e".to_owned(), Fact::Known(Status::Success));
        }
        let least = jiff::SignedDuration::from_secs(least);
        let gates = Gates {
            gates: vec![
                merged(&["uat"]),
                Gate::Soak { of: texts(&["uat"]), apps: texts(&["web"]), least },
                hold(),
                Gate::Status { contexts: texts(&["e2e"]) },
            ],
            timeout: None,
        };
        let states = evaluate(&gates, &facts, now);
        let open: Vec<bool> = states.iter().map(|s| s.answer == Answer::Open).collect();
        let soaked = known[0] && known[1] && since + least.as_secs() <= 0;
        prop_assert_eq!(open, vec![known[0], soaked, known[2], known[3]]);
        for state in states {
            prop_assert!(state.earliest.is_none_or(|at| at > now && state.answer == Answer::Pending));
        }
    }
}
