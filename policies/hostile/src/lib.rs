//! A guest that attacks its host in the way its settings name. The tests of
//! the host show that each attack ends as a fault that names the limit.

use gitops_policy_sdk::prelude::*;
use serde::Deserialize;

struct Hostile;

/// What to do.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", tag = "attack", deny_unknown_fields)]
enum Settings {
    /// Never returns.
    Loop,
    /// Never returns from the validation of settings.
    EndlessValidation,
    /// Asks for memory until it is refused.
    Memory,
    /// Asks for that many MiB at once.
    MemoryAtOnce { mib: usize },
    /// Calls itself without end.
    Recursion,
    /// Panics.
    Panic { text: String },
    /// Answers with an error of its own.
    Error { text: String },
    /// Answers that many findings.
    Findings { count: usize },
    /// Answers a message of that many bytes.
    Message { bytes: usize },
    /// Answers findings that all share one text of that many bytes.
    SharedText { findings: usize, bytes: usize },
    /// Answers one finding of these parts.
    Finding { code: String, message: String, evidence: Option<String>, pointer: Option<String> },
    /// Is never done.
    Pending { reason: String, not_before: Option<String> },
    /// Writes that many lines to the log.
    Log { lines: usize, text: String },
    /// Asks for all input that many times.
    Input { times: usize },
    /// Tells all that it was given.
    Tell,
    /// Opens.
    Nothing,
}

impl Gate for Hostile {
    type Settings = Settings;

    fn validate(settings: &serde_json::Value) -> Vec<Problem> {
        if settings["attack"] == "endless-validation" {
            endless();
        }
        serde_json::from_value::<Settings>(settings.clone())
            .err()
            .map(|error| Problem::new("/attack", error.to_string()))
            .into_iter()
            .collect()
    }

    fn evaluate(
        _: &Context,
        request: &GateRequest,
        settings: Settings,
    ) -> Result<Outcome, PolicyError> {
        let findings = match settings {
            Settings::Loop | Settings::EndlessValidation => endless(),
            Settings::Memory => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(std::hint::black_box(vec![1u8; 1 << 20]));
                }
            }
            Settings::MemoryAtOnce { mib } => {
                let hoard = std::hint::black_box(vec![1u8; mib << 20]);
                vec![Finding::info("size", hoard.len().to_string())]
            }
            Settings::Recursion => vec![Finding::info("depth", recurse(1).to_string())],
            Settings::Panic { text } => panic!("{text}"),
            Settings::Error { text } => return Err(PolicyError::Internal(text)),
            Settings::Findings { count } => {
                (0..count).map(|_| Finding::deny("one", String::new())).collect()
            }
            Settings::Message { bytes } => vec![Finding::deny("long", "x".repeat(bytes))],
            Settings::SharedText { findings, bytes } => {
                (0..findings).map(|_| Finding::deny("many", "x".repeat(bytes))).collect()
            }
            Settings::Finding { code, message, evidence, pointer } => {
                let mut finding = Finding::deny(&code, message);
                finding.evidence = evidence;
                finding.pointer = pointer;
                vec![finding]
            }
            Settings::Pending { reason, not_before } => {
                return Ok(Outcome::Pending(PendingInfo { reason, not_before }));
            }
            Settings::Log { lines, text } => {
                (0..lines).for_each(|_| log::write(log::Level::Info, &text));
                Vec::new()
            }
            Settings::Input { times } => {
                let seen: usize = (0..times)
                    .map(|_| {
                        input::changes().len()
                            + input::moves().len()
                            + input::files().len()
                            + input::commits().len()
                            + input::desired(&request.target.name).len()
                    })
                    .sum();
                vec![Finding::info("seen", seen.to_string())]
            }
            Settings::Tell => tell(&request.target.name),
            Settings::Nothing => Vec::new(),
        };
        Ok(Outcome::Evaluated(findings))
    }
}

gitops_policy_sdk::gate!(Hostile);

/// Everything, in pieces that findings hold; to the log as well.
fn tell(environment: &str) -> Vec<Finding> {
    let all = format!(
        "{:?} {:?} {:?} {:?} {:?}",
        input::changes(),
        input::moves(),
        input::files(),
        input::commits(),
        input::desired(environment)
    );
    let letters: Vec<char> = all.chars().collect();
    let pieces = letters.chunks(1000).map(|piece| piece.iter().collect::<String>());
    pieces
        .map(|piece| {
            log::write(log::Level::Info, &piece);
            let mut finding = Finding::info("told", piece.clone());
            finding.evidence = Some(serde_json::Value::from(piece).to_string());
            finding
        })
        .collect()
}

fn endless() -> ! {
    let mut n = 0u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}

#[allow(unconditional_recursion)]
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 16]);
    recurse(depth + 1) + frame[3]
}
