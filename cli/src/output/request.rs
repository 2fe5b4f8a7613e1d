//! The comment of a request: what moves, what the gates wait for, what changes.
//! It says nothing that only the clock changes, so that it is written anew when
//! there is something new.

use gitops_core::gate::{Answer, State, Zone};
use gitops_core::judge::{Effect, Judgement, Outcome};
use gitops_core::plan::{Plan, key_of};
use gitops_core::request::{Md, Part, Report, replaced, still_seals};
use gitops_git::CommitId;

use super::diff::{self, Comparison};
use super::verdict::{decision_word, mode_word};
use super::{Color, Terminal};
use crate::operations::gate::{Inspected, Inspection};
use crate::operations::preview::Preview;
use crate::operations::promote::Judged;

/// What there is to tell.
pub(crate) enum Story<'a> {
    /// A change, judged, that stands at `head`, or would replace what does.
    Judged { step: &'a Judged, head: &'a CommitId },
    /// The target holds the change already.
    Held,
    /// Another request, of this number, took the app.
    Taken { number: u64 },
}

/// The longest text of others in a cell, in letters.
const CELL: usize = 300;

/// How the line begins that says what the gate answers.
const OPENING: &str = "The gate is ";

/// The most rows of a table.
const ROWS: usize = 60;

/// The comment on the promotion that is called `about`, of at most `limit` letters.
pub(crate) fn comment(plan: &Plan, about: String, story: &Story<'_>, limit: usize) -> String {
    let environment = &plan.target.name;
    let apps = Md::code(&Md::short(&plan.apps.join(", "), CELL));
    let whole = match plan.source {
        Some(_) => {
            format!("kubectl gitops promote {} --to {environment} --dry-run", plan.apps.join(" "))
        }
        None => format!("kubectl gitops list {environment}"),
    };
    let (title, parts) = match story {
        Story::Held => (
            Md::ours("Closed: ")
                + Md::code(environment)
                + " holds "
                + Md::code(&Md::short(&plan.version, CELL))
                + " of "
                + apps
                + " already",
            Vec::new(),
        ),
        Story::Taken { number } => (
            Md::ours("Closed: ") + Md::ours(&format!("#{number}")) + " promotes " + apps,
            vec![Part::Line(Md::ours(
                "The apps go together now; what is left to say is said there.",
            ))],
        ),
        Story::Judged { step, head } => (title(plan, apps), parts(step, head)),
    };
    Report { about, title, parts, whole: Md::code(&whole) }.comment(limit)
}

fn title(plan: &Plan, apps: Md) -> Md {
    let version = Md::code(&Md::short(&plan.version, CELL));
    let title = apps + " " + version + ": ";
    match &plan.source {
        Some(source) => title + Md::code(&source.name) + " → " + Md::code(&plan.target.name),
        None => title + "into " + Md::code(&plan.target.name),
    }
}

fn parts(step: &Judged, head: &CommitId) -> Vec<Part> {
    let plan = &step.plan;
    let Some(preview) = &step.preview else { return Vec::new() };
    let mut parts = answers(preview, head);
    let moves = plan.moves.iter().take(ROWS).map(|moved| {
        let value = |value: &Option<String>| match value {
            Some(value) => Md::code(&Md::short(value, CELL)),
            None => Md::ours("(none)"),
        };
        let what = match moved.name == moved.app {
            true => key_of(moved.what).to_owned(),
            false => format!("{} {}", moved.name, key_of(moved.what)),
        };
        let place = moved.source.as_ref().map(ToString::to_string).unwrap_or_default();
        vec![
            Md::code(&Md::short(&moved.app, CELL)),
            Md::code(&Md::short(what.trim(), CELL)),
            value(&moved.before),
            value(&moved.after),
            Md::code(&Md::short(&place, CELL)),
        ]
    });
    let rows: Vec<Vec<Md>> = moves.collect();
    if !rows.is_empty() {
        parts.push(Part::Table { head: vec!["app", "what", "before", "after", "where"], rows });
    }
    if plan.moves.len() > ROWS {
        parts.push(Part::Line(Md::ours(&format!("and {} more", plan.moves.len() - ROWS))));
    }
    findings(&mut parts, preview);
    rendered(&mut parts, &plan.base, &plan.target.name, preview);
    for also in &preview.also {
        findings(&mut parts, &also.preview);
        rendered(&mut parts, &plan.base, &also.environment, &also.preview);
    }
    let remarks = plan.warnings.iter().chain(&plan.notes);
    let items: Vec<Md> = plan
        .stays
        .iter()
        .map(|stays| Md::ours("stays: ") + Md::prose(&Md::short(stays, CELL)))
        .chain(remarks.map(|text| Md::prose(&Md::short(text, CELL))))
        .take(ROWS)
        .collect();
    if !items.is_empty() {
        let summary = match &plan.source {
            Some(source) => {
                Md::ours("What stays different between ")
                    + Md::code(&source.name)
                    + " and "
                    + Md::code(&plan.target.name)
                    + ", and what else there is to say"
            }
            None => Md::ours("What else there is to say"),
        };
        parts.push(Part::List { summary, items });
    }
    parts
}

/// What the gate of a change at `head` answers, and why.
fn answers(preview: &Preview, head: &CommitId) -> Vec<Part> {
    let word = Md::ours(decision_word(preview.decision)).strong();
    let mut line = Md::ours(OPENING) + word + Md::ours(&format!(" for {}", head.short()));
    // Of moments that come nearer by themselves only the last one stays.
    if let Some(ready) = preview.gates.ready {
        let zone = preview.gates.states.iter().find_map(|stated| stated.state.zone.clone());
        let zone = zone.unwrap_or_else(Zone::utc);
        line = line + ", not before " + Md::prose(&zone.both(ready));
    }
    let mut parts = vec![Part::Line(line + ".")];
    let mut rows = Vec::new();
    verdicts(&mut rows, None, preview);
    for also in &preview.also {
        verdicts(&mut rows, Some(&also.environment), &also.preview);
    }
    if !rows.is_empty() {
        parts.push(Part::Table { head: vec!["asked", "answer", "why"], rows });
    }
    parts
}

/// The comment on a promotion with what its gate answers now; `None` where the
/// answers are not found in it, or do not fit.
pub(crate) fn answered_anew(
    comment: &str,
    preview: &Preview,
    head: &CommitId,
    limit: usize,
) -> Option<String> {
    replaced(comment, &answers(preview, head), OPENING).filter(|text| text.chars().count() <= limit)
}

/// The comment on a change that is no promotion of this program's.
pub(crate) fn judged_comment(
    inspection: &Inspection<'_>,
    (about, base, head): (&str, &str, &str),
    limit: usize,
) -> String {
    let word = Md::ours(decision_word(inspection.decision())).strong();
    let title = Md::ours("Gate: ") + word + Md::ours(&format!(" for {}", inspection.head.short()));
    let mut parts = Vec::new();
    for refusal in &inspection.refusals {
        let message = Md::prose(&Md::short(&refusal.message, CELL));
        parts.push(Part::Line(Md::code(refusal.code) + ": " + message));
    }
    for Inspected { environment, preview, .. } in &inspection.environments {
        let mut answers = answers(preview, &inspection.head).into_iter();
        if let Some(Part::Line(line)) = answers.next() {
            parts.push(Part::Line(Md::code(&environment.name) + ": " + line));
        }
        parts.extend(answers);
    }
    for Inspected { environment, preview, .. } in &inspection.environments {
        findings(&mut parts, preview);
        rendered(&mut parts, base, &environment.name, preview);
    }
    let whole = Md::code(&format!("kubectl gitops gate --base {base} --head {head}"));
    Report { about: about.to_owned(), title, parts, whole }.comment(limit)
}

/// A row for each policy, refusal and gate that has something to say.
fn verdicts(rows: &mut Vec<Vec<Md>>, environment: Option<&str>, preview: &Preview) {
    let named = |what: Md| match environment {
        Some(name) => Md::code(name) + ": " + what,
        None => what,
    };
    for judgement in &preview.judgements {
        let (word, why) = judged(judgement);
        let policy = &judgement.policy;
        let what = Md::ours("policy ") + Md::code(&Md::short(&policy.name, CELL));
        let what = what + Md::ours(&format!(" ({})", mode_word(policy.mode)));
        rows.push(vec![named(what), word, why]);
    }
    for refusal in &preview.refusals {
        let message = Md::prose(&Md::short(&refusal.message, CELL));
        rows.push(vec![named(Md::code(refusal.code)), Md::ours("closed").strong(), message]);
    }
    for stated in preview.gates.states.iter().filter(|stated| stated.tells()) {
        let state = &stated.state;
        let word = match (&state.overridden, state.answer) {
            (Some(_), _) => Md::ours("overridden").strong(),
            (None, Answer::Open) => Md::ours("open"),
            (None, answer) => Md::ours(answer.word()).strong(),
        };
        let mut why = Md::prose(&Md::short(&reason(state), CELL));
        if let Some(by) = &state.overridden {
            why = Md::ours("by ") + Md::prose(&Md::short(by, CELL));
        } else if let Some(earliest) = state.earliest {
            let zone = state.zone.clone().unwrap_or_else(Zone::utc);
            why = why + "; not before " + Md::prose(&zone.both(earliest));
        }
        rows.push(vec![named(Md::ours("gate ") + Md::code(state.gate)), word, why]);
    }
    rows.truncate(ROWS);
}

/// Why a gate answers as it does, without what only the clock changes: how long
/// something has been held by now.
pub(crate) fn reason(state: &State) -> String {
    match (state.gate, state.answer, state.earliest) {
        ("soak", Answer::Open, _) => "held for long enough".to_owned(),
        ("soak", Answer::Pending, Some(_)) => "not held for long enough yet".to_owned(),
        _ => state.reason.clone(),
    }
}

fn judged(judgement: &Judgement) -> (Md, Md) {
    match &judgement.result {
        Ok(Outcome::Evaluated(findings)) => {
            let deny = findings.iter().filter(|finding| finding.effect == Effect::Deny).count();
            let why = match (findings.len(), deny) {
                (0, _) => "no findings".to_owned(),
                (all, deny) => format!("{all} found, {deny} of them deny"),
            };
            match deny {
                0 => (Md::ours("open"), Md::ours(&why)),
                _ => (Md::ours("denied").strong(), Md::ours(&why)),
            }
        }
        Ok(Outcome::NotApplicable(reason)) => {
            (Md::ours("not applicable"), Md::prose(&Md::short(reason, CELL)))
        }
        Ok(Outcome::Pending { reason, not_before }) => {
            let mut why = Md::prose(&Md::short(reason, CELL));
            if let Some(time) = not_before {
                why = why + "; not before " + Md::prose(&Md::short(time, CELL));
            }
            (Md::ours("pending").strong(), why)
        }
        Err(fault) => {
            let why = format!("{}: {}", fault.kind, fault.message);
            (Md::ours("fault").strong(), Md::prose(&Md::short(&why, CELL)))
        }
    }
}

/// What policies found, one by one.
fn findings(parts: &mut Vec<Part>, preview: &Preview) {
    for judgement in &preview.judgements {
        let Ok(Outcome::Evaluated(findings)) = &judgement.result else { continue };
        if findings.is_empty() {
            continue;
        }
        let items = findings.iter().take(ROWS).map(|finding| {
            let effect = match finding.effect {
                Effect::Deny => Md::ours("deny").strong(),
                Effect::Warn => Md::ours("warn"),
                Effect::Info => Md::ours("info"),
            };
            let mut item = effect + " " + Md::code(&finding.code);
            if let Some((_, key)) = &finding.object {
                item = item + " " + Md::code(&Md::short(&key.to_string(), CELL));
            }
            if let Some(source) = &finding.source {
                item = item + " at " + Md::code(&Md::short(&source.to_string(), CELL));
            }
            item = item + ": " + Md::code(&Md::short(&finding.message, CELL));
            match &finding.remediation {
                Some(way) => item + "; to do: " + Md::code(&Md::short(way, CELL)),
                None => item,
            }
        });
        let summary = Md::ours("What policy ")
            + Md::code(&Md::short(&judgement.policy.name, CELL))
            + " found";
        parts.push(Part::List { summary, items: items.collect() });
    }
}

/// The objects that differ.
fn rendered(parts: &mut Vec<Part>, base: &str, environment: &str, preview: &Preview) {
    let comparison = Comparison {
        before: base.to_owned(),
        after: "as planned".to_owned(),
        environment: Some(environment.to_owned()),
        changes: preview.changes.clone(),
        proved: 0,
    };
    // A comment has no colours, whatever the terminal has.
    let plain = Terminal::new(Color::Never, true, false);
    let text = still_seals(&diff::text(&comparison, plain));
    let summary = Md::ours("Objects of ")
        + Md::code(environment)
        + Md::ours(&format!(": {}", comparison.summary()));
    if text.is_empty() {
        parts.push(Part::Line(summary));
        return;
    }
    parts.push(Part::Diff { summary, text });
}
