//! `--wait`: again and again until nothing is pending.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use super::promote::Run;
use crate::args::duration;

/// Going on until nothing is pending.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct WaitArgs {
    /// Go on until no gate is pending any more; 5 if one still is
    #[arg(long, conflicts_with_all = ["dry_run", "save", "plan", "rev"])]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "TIME", requires = "wait", default_value = "30m", value_parser = duration)]
    timeout: Duration,
}

/// The first pause between two rounds, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// The rounds of one run of a verb. What was told is told once.
pub(super) struct Rounds {
    wait: Option<WaitArgs>,
    began: Instant,
    pause: Duration,
    told: BTreeSet<String>,
}

/// What comes after a round.
pub(super) enum Next {
    /// Nothing is left to wait for.
    End,
    /// Something is still pending, and the time is over.
    TooLate,
    /// Another one.
    Again,
}

impl Rounds {
    pub(super) fn new(wait: Option<WaitArgs>) -> Rounds {
        let wait = wait.filter(|wait| wait.wait);
        Rounds { wait, began: Instant::now(), pause: PAUSES.0, told: BTreeSet::new() }
    }

    /// What was told so far.
    pub(super) fn take(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.told)
    }

    /// Waits before the next round, where there is one.
    pub(super) fn next(&mut self, run: &mut Run<'_>) -> Next {
        let Some(wait) = self.wait.filter(|_| run.is_pending()) else { return Next::End };
        let left = wait.timeout.saturating_sub(self.began.elapsed());
        if left.is_zero() {
            return Next::TooLate;
        }
        self.told = std::mem::take(&mut run.known);
        thread::sleep(self.pause.min(left));
        self.pause = (self.pause * 2).min(PAUSES.1);
        Next::Again
    }
}
