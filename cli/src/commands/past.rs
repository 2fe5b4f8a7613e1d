use clap::Args;
use jiff::Timestamp;

use crate::failure::Failure;
use crate::operations::gates::{Override, overridable};
use crate::operations::holds::identity;
use crate::operations::trust::Trust;

/// Going past gates, looking at them as of another time, and taking nothing on
/// trust.
#[derive(Args, Debug, Default)]
pub(super) struct PastArgs {
    /// Go past this gate, with a reason that is recorded; may be repeated
    #[arg(long = "override", value_name = "GATE", requires = "reason")]
    overrides: Vec<String>,
    /// Why the gate is overridden
    #[arg(long, value_name = "TEXT", requires = "overrides")]
    reason: Option<String>,
    /// With `--dry-run`: judge as if it were TIME, such as 2026-11-23T09:00:00Z
    #[arg(long, value_name = "TIME", requires = "dry_run")]
    at: Option<Timestamp>,
    /// Render in full what could be shared or left out, too, and fail where it
    /// differs
    #[arg(long)]
    pub(super) verify: bool,
}

impl PastArgs {
    /// The time of judgement.
    pub(super) fn now(&self) -> Timestamp {
        self.at.unwrap_or_else(Timestamp::now)
    }

    /// Refuses what cannot be meant, before anything is read.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.overrides.iter().try_for_each(|gate| overridable(gate))?;
        match &self.reason {
            Some(reason) if reason.trim().is_empty() => {
                Err(Failure::usage("`--reason` is empty").hint("say why; it is recorded"))
            }
            _ => Ok(()),
        }
    }

    /// What is overridden, by whoever Git says we are.
    pub(super) fn overrides(&self, trust: &Trust) -> Result<Vec<Override>, Failure> {
        if self.overrides.is_empty() {
            return Ok(Vec::new());
        }
        let who = identity(trust)?;
        // A trailer is one line.
        let reason = self.reason.as_deref().unwrap_or_default();
        let reason: Vec<&str> = reason.split_whitespace().collect();
        let by = format!("{} <{}>: {}", who.name, who.email, reason.join(" "));
        let overrides = self.overrides.iter();
        Ok(overrides.map(|gate| Override { gate: gate.clone(), by: by.clone() }).collect())
    }
}
