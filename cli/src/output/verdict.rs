//! What policies said, and the decision over it.

use gitops_core::gate::{Answer, State, Zone, moment};
use gitops_core::judge::{Decision, Effect, Finding, Judgement, Mode, Outcome, Severity};
use gitops_core::plan::printable;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::json::{ObjectDoc, SourceDoc};
use super::{Paint, Terminal, schema};
use crate::operations::gates::Stated;
use crate::operations::preview::{Preview, Refusal};

/// The word of a mode.
pub(crate) fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Warn => "warn",
        Mode::Audit => "audit",
    }
}

/// The word of a decision.
pub(crate) fn decision_word(decision: Decision) -> &'static str {
    match decision {
        Decision::Open => "open",
        Decision::Closed => "closed",
        Decision::Pending => "pending",
        Decision::Faulty => "faulty",
    }
}

pub(super) fn effect_word(effect: Effect) -> &'static str {
    match effect {
        Effect::Deny => "deny",
        Effect::Warn => "warn",
        Effect::Info => "info",
    }
}

pub(super) fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
        Severity::Informational => "informational",
    }
}

/// A line a policy, with its findings below, then the decision.
pub(crate) fn text(preview: &Preview, terminal: Terminal) -> String {
    let mut text = String::new();
    for judgement in &preview.judgements {
        one(&mut text, judgement, terminal);
    }
    for refusal in &preview.refusals {
        let code = terminal.paint(Paint::Error, refusal.code);
        text.push_str(&format!("{code}: {}\n", refusal.message));
    }
    for stated in preview.gates.states.iter().filter(|stated| stated.tells()) {
        gate(&mut text, &stated.state, terminal);
    }
    let word = decision_word(preview.decision);
    let paint = if preview.decision == Decision::Open { Paint::Added } else { Paint::Error };
    text.push_str(&format!("gate: {}", terminal.paint(paint, word)));
    let told = preview.gates.states.iter().any(Stated::tells);
    if preview.judgements.is_empty() && preview.refusals.is_empty() && !told {
        text.push_str(" (no policy is bound to this step)");
    }
    if preview.decision == Decision::Pending
        && let Some(ready) = preview.gates.ready
    {
        let zone = preview.gates.states.iter().find_map(|stated| stated.state.zone.clone());
        text.push_str(&format!(", not before {}", zone.unwrap_or_else(Zone::utc).both(ready)));
    }
    text.push('\n');
    text
}

/// `gate soak: pending: uat has held web for 5m of 30m`, and when it may open.
fn gate(text: &mut String, state: &State, terminal: Terminal) {
    let word = match state.answer {
        Answer::Open => state.answer.word().to_owned(),
        answer => terminal.paint(Paint::Error, answer.word()),
    };
    text.push_str(&format!("gate {}: {word}: {}\n", state.gate, printable(&state.reason)));
    if let Some(earliest) = state.earliest {
        let zone = state.zone.clone().unwrap_or_else(Zone::utc);
        text.push_str(&format!("  not before {}\n", zone.both(earliest)));
    }
    if let Some(by) = &state.overridden {
        let word = terminal.paint(Paint::Warning, "overridden");
        text.push_str(&format!("  {word} by {}\n", printable(by)));
    }
}

/// One gate's answer.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GateDoc<'a> {
    gate: &'a str,
    #[schemars(schema_with = "schema::answers")]
    answer: &'static str,
    reason: &'a str,
    /// When it may open at the earliest: RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    earliest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overridden_by: Option<&'a str>,
}

impl<'a> From<&'a Stated> for GateDoc<'a> {
    fn from(stated: &'a Stated) -> Self {
        let state = &stated.state;
        GateDoc {
            gate: state.gate,
            answer: state.answer.word(),
            reason: &state.reason,
            earliest: state.earliest.map(moment),
            zone: state.earliest.and(state.zone.as_ref()).map(Zone::name),
            overridden_by: state.overridden.as_deref(),
        }
    }
}

/// A line for a policy, and its findings below.
pub(super) fn one(text: &mut String, judgement: &Judgement, terminal: Terminal) {
    let policy = &judgement.policy;
    let head = format!("policy {} ({})", policy.name, mode_word(policy.mode));
    match &judgement.result {
        Ok(Outcome::Evaluated(findings)) => {
            let deny = findings.iter().filter(|f| f.effect == Effect::Deny).count();
            let word = match (findings.len(), deny) {
                (0, _) => "no findings".to_owned(),
                (all, 0) => format!("{all} found, none of them denies"),
                (_, 1) => "1 denies".to_owned(),
                (_, deny) => format!("{deny} deny"),
            };
            text.push_str(&format!("{head}: {word}\n"));
            for finding in findings {
                self::finding(text, &policy.name, finding, terminal);
            }
        }
        Ok(Outcome::NotApplicable(reason)) => {
            text.push_str(&format!("{head}: not applicable: {reason}\n"));
        }
        Ok(Outcome::Pending { reason, not_before }) => {
            text.push_str(&format!("{head}: pending: {reason}\n"));
            if let Some(time) = not_before {
                text.push_str(&format!("  not before {time}\n"));
            }
        }
        Err(fault) => {
            let word = terminal.paint(Paint::Error, "fault");
            text.push_str(&format!("{head}: {word}: {}: {}\n", fault.kind, fault.message));
        }
    }
}

/// `deny policy/code  Deployment/uat/web  k/uat/kustomization.yaml:3`, and the
/// message below.
fn finding(text: &mut String, policy: &str, finding: &Finding, terminal: Terminal) {
    let paint = if finding.effect == Effect::Deny { Paint::Error } else { Paint::Warning };
    let effect = terminal.paint(paint, effect_word(finding.effect));
    text.push_str(&format!("  {effect} {policy}/{}", finding.code));
    if let Some((_, key)) = &finding.object {
        text.push_str(&format!("  {}", printable(&key.to_string())));
    }
    if let Some(pointer) = &finding.pointer {
        text.push_str(&format!("  {pointer}"));
    }
    if let Some(source) = &finding.source {
        text.push_str(&format!(
            "  {}",
            terminal.paint(Paint::Place, &printable(&source.to_string()))
        ));
    }
    text.push('\n');
    for line in finding.message.lines() {
        text.push_str(&format!("    {line}\n"));
    }
    if let Some(remediation) = &finding.remediation {
        for line in remediation.lines() {
            text.push_str(&format!("    {} {line}\n", terminal.paint(Paint::Hint, "hint:")));
        }
    }
}

/// One policy's answer.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JudgementDoc<'a> {
    policy: &'a str,
    digest: &'a str,
    #[schemars(schema_with = "schema::modes")]
    mode: &'static str,
    #[schemars(schema_with = "schema::judged")]
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<FaultDoc<'a>>,
    findings: Vec<FindingDoc<'a>>,
}

/// Why a policy gave no answer.
#[derive(Serialize, JsonSchema)]
struct FaultDoc<'a> {
    kind: &'a str,
    message: &'a str,
}

/// Something that a policy found.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct FindingDoc<'a> {
    #[schemars(schema_with = "schema::effects")]
    effect: &'static str,
    code: &'a str,
    #[schemars(schema_with = "schema::severities")]
    severity: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<ObjectDoc<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceDoc<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remediation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'a Value>,
}

/// Something the tool itself refuses.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RefusalDoc<'a> {
    code: &'a str,
    message: &'a str,
}

impl<'a> From<&'a Refusal> for RefusalDoc<'a> {
    fn from(refusal: &'a Refusal) -> Self {
        RefusalDoc { code: refusal.code, message: &refusal.message }
    }
}

impl<'a> From<&'a Finding> for FindingDoc<'a> {
    fn from(finding: &'a Finding) -> Self {
        FindingDoc {
            effect: effect_word(finding.effect),
            code: &finding.code,
            severity: severity_word(finding.severity),
            message: &finding.message,
            object: finding.object.as_ref().map(|(version, key)| ObjectDoc::new(version, key)),
            pointer: finding.pointer.as_deref(),
            source: finding.source.as_ref().map(SourceDoc::from),
            remediation: finding.remediation.as_deref(),
            evidence: finding.evidence.as_ref(),
        }
    }
}

impl<'a> From<&'a Judgement> for JudgementDoc<'a> {
    fn from(judgement: &'a Judgement) -> Self {
        let mut doc = JudgementDoc {
            policy: &judgement.policy.name,
            digest: &judgement.policy.digest,
            mode: mode_word(judgement.policy.mode),
            outcome: "evaluated",
            reason: None,
            not_before: None,
            fault: None,
            findings: Vec::new(),
        };
        match &judgement.result {
            Ok(Outcome::Evaluated(findings)) => {
                doc.findings = findings.iter().map(FindingDoc::from).collect();
            }
            Ok(Outcome::NotApplicable(reason)) => {
                doc.outcome = "not-applicable";
                doc.reason = Some(reason);
            }
            Ok(Outcome::Pending { reason, not_before }) => {
                doc.outcome = "pending";
                doc.reason = Some(reason);
                doc.not_before = not_before.as_deref();
            }
            Err(fault) => {
                doc.outcome = "fault";
                doc.fault = Some(FaultDoc { kind: fault.kind, message: &fault.message });
            }
        }
        doc
    }
}
