//! From facts to answers.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::approval::{Count, count};
use super::{
    Answer, Approvals, Fact, Facts, Gate, Gates, Held, Hold, Moment, Reviewers, State, Status,
    Window, Zone, moment, words,
};

/// Answers every gate, in their order. Those that have been pending for longer
/// than the timeout are closed.
pub fn evaluate(gates: &Gates, facts: &Facts, now: Timestamp) -> Vec<State> {
    let mut states: Vec<State> = gates.gates.iter().map(|gate| one(gate, facts, now)).collect();
    after_the_others(gates, &mut states, now);
    // Times are read on the clock of the window, where there is one.
    let zone = gates.gates.iter().find_map(|gate| match gate {
        Gate::Window(window) => Some(window.zone.clone()),
        _ => None,
    });
    for state in &mut states {
        state.zone = state.zone.take().or_else(|| zone.clone());
    }
    if let (Some(timeout), Some(since)) = (gates.timeout, facts.waiting)
        && now.duration_since(since) > timeout
    {
        for state in states.iter_mut().filter(|state| state.answer == Answer::Pending) {
            state.answer = Answer::Closed;
            state.earliest = None;
            state.reason = format!(
                "pending since {}, longer than `gateTimeout` ({}): {}",
                moment(since),
                words(timeout),
                state.reason
            );
        }
    }
    states
}

/// When all of them may be open at once; `None` where that is not known, or where
/// one is closed. `states` are the answers to `gates` at `now`.
pub fn ready_at(gates: &Gates, states: &[State], now: Timestamp) -> Option<Timestamp> {
    let mut latest = now;
    let mut windows = Vec::new();
    for (gate, state) in gates.gates.iter().zip(states) {
        match (gate, state.counts()) {
            (_, Answer::Closed) => return None,
            // One that is open now may be shut by then.
            (Gate::Window(window), _) if state.overridden.is_none() => windows.push(window),
            (_, Answer::Open) => {}
            (_, Answer::Pending) => latest = latest.max(state.earliest?),
        }
    }
    all_open(&windows, latest)
}

/// The first moment from `at` on at which every window is open.
fn all_open(windows: &[&Window], mut at: Timestamp) -> Option<Timestamp> {
    // Each of them may put it off; what all leave alone is the answer.
    for _ in 0..1000 {
        let before = at;
        for window in windows {
            at = window.next(at)?;
        }
        if at == before {
            return Some(at);
        }
    }
    None
}

/// A window that opens while something else still keeps the change waiting is
/// of no use: its earliest time is one at which the others have opened.
fn after_the_others(gates: &Gates, states: &mut [State], now: Timestamp) {
    let mut windows = Vec::new();
    let mut shut = false;
    let mut at = now;
    for (gate, state) in gates.gates.iter().zip(states.iter()) {
        match gate {
            Gate::Window(window) => {
                windows.push(window);
                shut |= state.answer == Answer::Pending;
            }
            _ if state.answer == Answer::Pending => at = at.max(state.earliest.unwrap_or(now)),
            _ => {}
        }
    }
    if !shut {
        return;
    }
    let earliest = all_open(&windows, at);
    for (gate, state) in gates.gates.iter().zip(states) {
        if matches!(gate, Gate::Window(_)) && state.answer == Answer::Pending {
            state.earliest = earliest;
        }
    }
}

fn state(gate: &Gate, answer: Answer, reason: impl Into<String>) -> State {
    State {
        gate: gate.word(),
        answer,
        reason: reason.into(),
        earliest: None,
        zone: None,
        overridden: None,
    }
}

fn one(gate: &Gate, facts: &Facts, now: Timestamp) -> State {
    match gate {
        Gate::Merged { of, apps } => {
            let (answer, reason) = merged(of, apps, facts);
            state(gate, answer, reason)
        }
        Gate::Soak { of, apps, least } => {
            // The one that may open first is the one that counts.
            let each =
                of.iter().map(|environment| soak(gate, environment, apps, *least, facts, now));
            each.min_by_key(|state| (state.answer, state.earliest.unwrap_or(Timestamp::MAX)))
                .unwrap_or_else(|| state(gate, Answer::Closed, "no environment to soak in"))
        }
        Gate::Window(window) => self::window(gate, window, now),
        Gate::Hold { environment, apps } => match facts.holds.get(environment) {
            Some(Fact::Known(holds)) => self::hold(gate, environment, apps, holds, now),
            Some(Fact::Absent) => state(gate, Answer::Open, nobody(environment)),
            // Somebody meant to hold something, and nobody knows what.
            Some(Fact::Unreadable(reason)) => {
                state(gate, Answer::Closed, format!("a hold cannot be read: {reason}"))
            }
            None => state(gate, Answer::Pending, not_asked("the holds")),
        },
        Gate::Status { contexts } => self::status(gate, contexts, facts),
        Gate::Approvals(approvals) => self::approvals(gate, approvals, facts),
    }
}

fn not_asked(what: &str) -> String {
    format!("{what} were not asked for")
}

fn nobody(environment: &str) -> String {
    format!("nobody holds {environment}")
}

fn merged(of: &[String], apps: &[String], facts: &Facts) -> (Answer, String) {
    let mut worst: Option<(Answer, Vec<String>)> = None;
    for environment in of {
        let (answer, reasons) = holds_all(environment, apps, facts);
        if answer == Answer::Open {
            return (answer, reasons.join(", "));
        }
        worst = match worst {
            // Any of them is enough: what may still open is not closed.
            Some((found, mut all)) => {
                all.extend(reasons);
                Some((found.min(answer), all))
            }
            None => Some((answer, reasons)),
        };
    }
    let (answer, reasons) = worst.unwrap_or((Answer::Open, vec!["nothing comes before".into()]));
    (answer, reasons.join(", "))
}

/// Whether one environment holds what moves of every app.
fn holds_all(environment: &str, apps: &[String], facts: &Facts) -> (Answer, Vec<String>) {
    let mut same = Vec::new();
    let mut reasons = Vec::new();
    let mut answer = Answer::Open;
    for app in apps {
        let fact = facts.held.get(&(environment.to_owned(), app.clone()));
        let (this, reason) = match fact {
            Some(Fact::Known(Held::Same(what))) => {
                same.push(what.clone());
                continue;
            }
            Some(Fact::Known(Held::Other { found, wanted })) => {
                (Answer::Closed, format!("{environment} holds {found}, not {wanted}"))
            }
            Some(Fact::Absent) => (Answer::Closed, format!("{environment} has no {app}")),
            Some(Fact::Unreadable(reason)) => {
                (Answer::Pending, format!("whether {environment} holds {app} is unknown: {reason}"))
            }
            None => (Answer::Pending, not_asked(&format!("the values of {environment}"))),
        };
        answer = answer.max(this);
        reasons.push(reason);
    }
    if answer == Answer::Open {
        reasons.push(format!("{environment} holds {}", list(&same)));
    }
    (answer, reasons)
}

fn list(names: &[String]) -> String {
    match names {
        [] => "what moves".to_owned(),
        names => names.join(", "),
    }
}

fn soak(
    gate: &Gate,
    environment: &str,
    apps: &[String],
    least: jiff::SignedDuration,
    facts: &Facts,
    now: Timestamp,
) -> State {
    let (answer, reasons) = holds_all(environment, apps, facts);
    if answer != Answer::Open {
        return state(gate, answer, reasons.join(", "));
    }
    let mut latest: Option<(Timestamp, &str)> = None;
    for app in apps {
        let key = (environment.to_owned(), app.clone());
        let since = match facts.since.get(&key) {
            Some(Fact::Known(since)) => since.time,
            Some(Fact::Absent) => {
                return state(gate, Answer::Closed, format!("{environment} has no {app}"));
            }
            Some(Fact::Unreadable(reason)) => {
                let reason =
                    format!("since when {environment} has held {app} is unknown: {reason}");
                return state(gate, Answer::Pending, reason);
            }
            None => {
                return state(gate, Answer::Pending, not_asked("the commits"));
            }
        };
        latest = latest.max(Some((since, app)));
    }
    let Some((since, app)) = latest else {
        return state(gate, Answer::Open, "nothing that soaks moves");
    };
    let end = since.checked_add(least).unwrap_or(Timestamp::MAX);
    if now >= end {
        let held = words(now.duration_since(since));
        let reason = format!("{environment} has held {app} for {held}, {} asked", words(least));
        return state(gate, Answer::Open, reason);
    }
    let reason = if since > now {
        format!(
            "the commit that brought {app} to {environment} is dated {}, which is yet to come",
            moment(since)
        )
    } else {
        let held = words(now.duration_since(since));
        format!("{environment} has held {app} for {held} of {}", words(least))
    };
    State { earliest: Some(end), ..state(gate, Answer::Pending, reason) }
}

fn window(gate: &Gate, window: &Window, now: Timestamp) -> State {
    let zone = window.zone.name();
    let (answer, reason) = match window.at(now) {
        Moment::Allowed => (Answer::Open, format!("it is {}", window.zone.show(now))),
        Moment::Outside => {
            (Answer::Pending, format!("it is {}, outside its times", window.zone.show(now)))
        }
        Moment::Excluded(why) => {
            let why = why.map_or_else(|| format!("on the clock of {zone}"), |why| why.clone());
            (Answer::Pending, format!("it is {}, excluded: {why}", window.zone.show(now)))
        }
    };
    State { zone: Some(window.zone.clone()), ..state(gate, answer, reason) }
}

fn hold(gate: &Gate, environment: &str, apps: &[String], holds: &[Hold], now: Timestamp) -> State {
    let mut standing: Vec<&Hold> =
        holds.iter().filter(|hold| hold.counts(now) && hold.concerns(apps)).collect();
    standing.sort();
    if standing.is_empty() {
        return state(gate, Answer::Open, nobody(environment));
    }
    let reasons: Vec<String> = standing
        .iter()
        .map(|hold| {
            let what = if hold.apps.is_empty() {
                environment.to_owned()
            } else {
                format!("{} in {environment}", hold.apps.join(", "))
            };
            let until = hold.expires.map_or_else(
                || "until it is resumed".to_owned(),
                |expires| format!("until {}", moment(expires)),
            );
            format!("{} holds {what} {until}: {}", hold.owner, hold.reason)
        })
        .collect();
    // One without an end has no earliest time.
    let ends: Option<Vec<Timestamp>> = standing.iter().map(|hold| hold.expires).collect();
    let earliest = ends.and_then(|ends| ends.into_iter().max());
    State { earliest, ..state(gate, Answer::Pending, reasons.join("; ")) }
}

fn status(gate: &Gate, contexts: &[String], facts: &Facts) -> State {
    let mut answer = Answer::Open;
    let mut reasons = Vec::new();
    for context in contexts {
        let (this, word) = match facts.statuses.get(context) {
            Some(Fact::Known(Status::Success)) => (Answer::Open, "succeeded".to_owned()),
            Some(Fact::Known(Status::Failure)) => (Answer::Closed, "failed".to_owned()),
            Some(Fact::Known(Status::Pending)) => (Answer::Pending, "goes on".to_owned()),
            Some(Fact::Absent) => (Answer::Pending, "is not there yet".to_owned()),
            Some(Fact::Unreadable(reason)) => (Answer::Pending, format!("is unknown: {reason}")),
            None => (Answer::Pending, "was not asked for".to_owned()),
        };
        answer = answer.max(this);
        reasons.push(format!("{context} {word}"));
    }
    state(gate, answer, reasons.join(", "))
}

fn approvals(gate: &Gate, approvals: &Approvals, facts: &Facts) -> State {
    let unknown = |what: &str, reason: &str| {
        state(gate, Answer::Pending, format!("{what} unknown: {reason}"))
    };
    let asked = match approvals.min {
        1 => "1 approval".to_owned(),
        min => format!("{min} approvals"),
    };
    let asked = match &approvals.by {
        Reviewers::Anybody => asked,
        Reviewers::Team(team) => format!("{asked} of {team}"),
        Reviewers::Owners => format!("{asked} of code owners"),
    };
    let reviews = match &facts.reviews {
        Some(Fact::Known(reviews)) => reviews,
        Some(Fact::Absent) => {
            return state(gate, Answer::Pending, format!("no approval yet; {asked} asked"));
        }
        Some(Fact::Unreadable(reason)) => {
            return unknown(&format!("{asked} asked, reviews are"), reason);
        }
        None => return unknown("reviews are", "they were not asked for"),
    };
    let mut team = BTreeSet::new();
    let mut owners = BTreeMap::new();
    match &approvals.by {
        Reviewers::Anybody => {}
        Reviewers::Team(name) => match facts.teams.get(name) {
            Some(Fact::Known(members)) => team.clone_from(members),
            Some(Fact::Absent) => {
                return state(gate, Answer::Closed, format!("there is no team {name}"));
            }
            Some(Fact::Unreadable(reason)) => {
                return unknown(&format!("the members of {name} are"), reason);
            }
            None => return unknown(&format!("the members of {name} are"), "not asked for"),
        },
        Reviewers::Owners => match &facts.owners {
            Some(Fact::Known(known)) => owners.clone_from(known),
            Some(Fact::Absent) => {
                return state(gate, Answer::Closed, "there is no CODEOWNERS file");
            }
            Some(Fact::Unreadable(reason)) => return unknown("the code owners are", reason),
            None => return unknown("the code owners are", "not asked for"),
        },
    }
    match count(approvals, reviews, &team, &owners) {
        Count::Enough(by) => {
            state(gate, Answer::Open, format!("approved by {}; {asked} asked", by.join(", ")))
        }
        Count::Refused(by) => {
            state(gate, Answer::Closed, format!("{} asked for changes", by.join(", ")))
        }
        Count::Missing { approved, files, left_out } => {
            let mut reason = match approved.as_slice() {
                [] if left_out.is_empty() => format!("no approval yet; {asked} asked"),
                [] => format!("no approval that counts; {asked} asked"),
                by => format!("approved by {}; {asked} asked", by.join(", ")),
            };
            let files: Vec<String> = files
                .iter()
                .map(|file| format!("{file} ({})", whom(owners.get(file).unwrap_or(&team))))
                .collect();
            if !files.is_empty() {
                reason.push_str(&format!("; no owner approved {}", files.join(", ")));
            }
            for (user, why) in left_out {
                reason.push_str(&format!("; {user} does not count: {why}"));
            }
            state(gate, Answer::Pending, reason)
        }
    }
}

/// Who of these could do it, in words: the first few.
fn whom(names: &BTreeSet<String>) -> String {
    const FEW: usize = 5;
    let few: Vec<&str> = names.iter().take(FEW).map(String::as_str).collect();
    match names.len() {
        0 => "nobody that the forge knows".to_owned(),
        all if all > FEW => format!("{} or {} more", few.join(", "), all - FEW),
        _ => few.join(" or "),
    }
}

impl Zone {
    /// A moment as a person there reads it, and in universal time.
    pub fn both(&self, time: Timestamp) -> String {
        if self.name() == "UTC" {
            moment(time)
        } else {
            format!("{} ({})", self.show(time), moment(time))
        }
    }
}
