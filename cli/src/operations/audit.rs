//! Whether each change of an environment passed its gates, from Git alone:
//! judged once more, with the configuration and the policies that were trusted
//! when it was made, and held against what its commit claims.

use gitops_core::judge::{Decision, Judgement};

use super::history::{Deployment, History, history};
use super::preview::{Judge, in_a_line};
use super::trust::Trust;
use super::{gate, gates};
use crate::config::Environment;
use crate::failure::Failure;
use crate::output::Terminal;

/// What is known of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Judged again, its gates are open.
    Proven,
    /// It cannot be judged again, and its commit says that the gates were open.
    Claimed,
    /// It cannot be judged again, and nothing is said.
    Unknown,
    /// Judged again, its gates are closed, or its commit claims what is not so.
    Refuted,
}

impl Finding {
    /// The word in text and JSON.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Finding::Proven => "proven",
            Finding::Claimed => "claimed",
            Finding::Unknown => "unknown",
            Finding::Refuted => "refuted",
        }
    }
}

/// One commit that changed the environment.
pub(crate) struct Audited {
    /// What it deployed, an entry an app.
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) finding: Finding,
    /// Why, in a line each.
    pub(crate) reasons: Vec<String>,
}

/// Judges the newest changes of an environment again; all of them where
/// `limit` is 0. Newest first.
pub(crate) fn audit(
    trust: &Trust,
    environment: &Environment,
    limit: usize,
    terminal: Terminal,
) -> Result<(Vec<Audited>, Vec<String>), Failure> {
    let all: Vec<&Environment> = trust.config.environments.iter().collect();
    let History { deployments, remarks } = history(trust, &all)?;
    let mut commits: Vec<Vec<Deployment>> = Vec::new();
    for deployment in deployments.into_iter().filter(|d| d.environment == environment.name) {
        match commits.last_mut() {
            Some(last) if last[0].commit.id == deployment.commit.id => last.push(deployment),
            _ => commits.push(vec![deployment]),
        }
    }
    commits.reverse();
    if limit > 0 {
        commits.truncate(limit);
    }
    let mut audited = Vec::new();
    for deployments in commits {
        let (finding, reasons) = of(trust, environment, &deployments[0], terminal)?;
        audited.push(Audited { deployments, finding, reasons });
    }
    Ok((audited, remarks))
}

fn of(
    trust: &Trust,
    environment: &Environment,
    deployment: &Deployment,
    terminal: Terminal,
) -> Result<(Finding, Vec<String>), Failure> {
    // Others write such lines, too: a record names what judged.
    let mut claims = deployment.said.values("Policy");
    claims.retain(|claim| claim.contains("@sha256:"));
    claims.sort_unstable();
    claims.dedup();
    let open = |claim: &&str| claim.ends_with("=open") || claim.ends_with("=not-applicable");
    let all_open = !claims.is_empty() && claims.iter().all(open);
    // What cannot be judged again is as good as what its commit says of it.
    let only_said = |reason: String| {
        if all_open {
            (Finding::Claimed, vec![reason, format!("the commit claims {}", claims.join(", "))])
        } else {
            (Finding::Unknown, vec![reason])
        }
    };
    let commit = &deployment.commit;
    let Some(parent) = commit.parents.first() else {
        return Ok(only_said("it is the first commit here: nothing stands before it".to_owned()));
    };
    let place = trust.place(environment)?;
    let before = place.home.name.is_none().then_some((place.branch, parent));
    let then = match trust.as_of(deployment.at, before) {
        Ok(Some(then)) => then,
        Ok(None) => return Ok(only_said("nothing was trusted at that time".to_owned())),
        Err(failure) => {
            return Ok(only_said(format!(
                "what was trusted then cannot be used: {}",
                in_a_line(&failure)
            )));
        }
    };
    let Ok(now) = jiff::Timestamp::from_second(deployment.at) else {
        return Ok(only_said("its commit claims a time that no calendar has".to_owned()));
    };
    let judge = Judge::new(&then, terminal, now, true, false);
    let (base, head) = (parent.to_string(), commit.id.to_string());
    let inspection =
        match gate::inspect(&then, place.home, &judge, &base, &head, gate::Looked::Not, terminal) {
            Ok(inspection) => inspection,
            Err(failure) => {
                return Ok(only_said(format!(
                    "it cannot be judged again: {}",
                    in_a_line(&failure)
                )));
            }
        };
    let mut reasons: Vec<String> = inspection
        .refusals
        .iter()
        .map(|refusal| format!("{}: {}", refusal.code, refusal.message))
        .collect();
    let here = inspection.environments.iter().find(|one| one.environment.name == environment.name);
    let Some(gate::Inspected { preview, .. }) = here else {
        reasons.push("its objects do not change, so that no gate is asked".to_owned());
        return Ok((Finding::Proven, reasons));
    };
    let judged: Vec<String> = preview.judgements.iter().map(Judgement::claim).collect();
    let untrue: Vec<&&str> =
        claims.iter().filter(|claim| !judged.iter().any(|judged| judged == **claim)).collect();
    reasons.extend(
        preview.refusals.iter().map(|refusal| format!("{}: {}", refusal.code, refusal.message)),
    );
    reasons.extend(judged.iter().map(|judged| format!("judged again: {judged}")));
    let told = preview.gates.states.iter().filter(|stated| stated.tells());
    reasons.extend(
        told.map(|gates::Stated { state, .. }| format!("gate {}: {}", state.gate, state.reason)),
    );
    if judged.is_empty() {
        reasons.push("no policy was bound to this step".to_owned());
    }
    if !untrue.is_empty() {
        reasons.extend(
            untrue.iter().map(|claim| format!("the commit claims {claim}, which is not so")),
        );
        return Ok((Finding::Refuted, reasons));
    }
    Ok(match preview.decision {
        Decision::Open if inspection.refusals.is_empty() => (Finding::Proven, reasons),
        Decision::Open | Decision::Closed => (Finding::Refuted, reasons),
        // A gate that Git alone cannot answer, or a policy that does not.
        Decision::Pending | Decision::Faulty if all_open => {
            reasons.push(format!("the commit claims {}", claims.join(", ")));
            (Finding::Claimed, reasons)
        }
        Decision::Pending | Decision::Faulty => (Finding::Unknown, reasons),
    })
}
