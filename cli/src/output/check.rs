//! What checks say of environments: a matrix, and the findings below.

use gitops_core::judge::{Decision, Effect, Judgement, Outcome};
use gitops_policy::Checked;
use schemars::JsonSchema;
use serde::Serialize;

use super::verdict::{self, JudgementDoc, decision_word};
use super::{Paint, Terminal, json, schema};
use crate::operations::check::Report;

/// A row a check, a column an environment; then what was found, and the
/// decision.
pub(crate) fn text(report: &Report, terminal: Terminal) -> String {
    let mut text = String::new();
    if report.checked.is_empty() {
        text.push_str("no check is bound to what was asked about\n");
    } else {
        text.push_str(&matrix(report, terminal));
        text.push('\n');
    }
    for (environments, judgement) in told_once(&report.checked) {
        text.push_str(&terminal.paint(Paint::Bold, &environments.join(", ")));
        text.push('\n');
        verdict::one(&mut text, judgement, terminal);
    }
    let word = decision_word(report.decision);
    let paint = match report.decision {
        Decision::Open => Paint::Added,
        _ => Paint::Error,
    };
    text.push_str(&format!(
        "check of {}: {} (policies of {})\n",
        report.looked_at,
        terminal.paint(paint, word),
        report.trusted
    ));
    text
}

/// What is more than a word in the matrix, once for all environments of which a
/// check says the same: often they share a base.
fn told_once(checked: &[Checked]) -> Vec<(Vec<&str>, &Judgement)> {
    let mut told: Vec<(Vec<&str>, &Judgement)> = Vec::new();
    for Checked { environments, judgement } in checked.iter().filter(|one| tells(&one.judgement)) {
        let names = environments.iter().map(String::as_str);
        match told.iter_mut().find(|(_, known)| *known == judgement) {
            Some((all, _)) => {
                // Two bindings may ask the same.
                for name in names.filter(|name| !all.contains(name)).collect::<Vec<_>>() {
                    all.push(name);
                }
            }
            None => told.push((names.collect(), judgement)),
        }
    }
    told
}

/// Whether there is more to say of it than its word in the matrix.
fn tells(judgement: &Judgement) -> bool {
    !matches!(&judgement.result, Ok(Outcome::Evaluated(findings)) if findings.is_empty())
}

fn matrix(report: &Report, terminal: Terminal) -> String {
    let mut checks: Vec<&str> = Vec::new();
    for one in &report.checked {
        let name = one.judgement.policy.name.as_str();
        if !checks.contains(&name) {
            checks.push(name);
        }
    }
    let looked_at =
        |name: &&String| report.checked.iter().any(|one| one.environments.contains(name));
    let environments: Vec<&String> = report.environments.iter().filter(looked_at).collect();
    let mut head = vec!["CHECK".to_owned()];
    head.extend(environments.iter().map(|name| name.to_uppercase()));
    let mut table = vec![head];
    for check in checks {
        let cell = |environment: &&String| {
            let of = report.checked.iter().filter(|one| {
                one.judgement.policy.name == check && one.environments.contains(environment)
            });
            let words: Vec<String> = of.map(|one| word(&one.judgement)).collect();
            if words.is_empty() { "-".to_owned() } else { words.join("; ") }
        };
        let mut row = vec![check.to_owned()];
        row.extend(environments.iter().map(cell));
        table.push(row);
    }
    super::table::table(&table, terminal)
}

/// A judgement in a cell: `ok`, `2 deny, 1 warn`, `n/a`, `pending`, `fault`.
fn word(judgement: &Judgement) -> String {
    let findings = match &judgement.result {
        Err(_) => return "fault".to_owned(),
        Ok(Outcome::NotApplicable(_)) => return "n/a".to_owned(),
        Ok(Outcome::Pending { .. }) => return "pending".to_owned(),
        Ok(Outcome::Evaluated(findings)) => findings,
    };
    let counts = [Effect::Deny, Effect::Warn, Effect::Info]
        .map(|effect| (findings.iter().filter(|finding| finding.effect == effect).count(), effect));
    let told = counts.iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> =
        told.map(|(count, effect)| format!("{count} {}", verdict::effect_word(*effect))).collect();
    if told.is_empty() { "ok".to_owned() } else { told.join(", ") }
}

/// What checks said of environments.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckDoc<'a> {
    /// What the environments were read from.
    looked_at: &'a str,
    environments: &'a [String],
    checks: Vec<CheckedDoc<'a>>,
    #[schemars(schema_with = "schema::decisions")]
    decision: &'static str,
}

impl json::Body for CheckDoc<'_> {
    const KIND: &'static str = "Check";
}

/// One check of one environment, or of several that it compares.
#[derive(Serialize, JsonSchema)]
struct CheckedDoc<'a> {
    environments: &'a [String],
    #[serde(flatten)]
    judgement: JudgementDoc<'a>,
}

/// One JSON document of kind `Check`.
pub(crate) fn document(report: &Report) -> String {
    let checks = report.checked.iter().map(|one| CheckedDoc {
        environments: &one.environments,
        judgement: JudgementDoc::from(&one.judgement),
    });
    json::document(&CheckDoc {
        looked_at: &report.looked_at,
        environments: &report.environments,
        checks: checks.collect(),
        decision: decision_word(report.decision),
    })
}
